"""Messages for the checks of texts: a candidate of an account, as a client sends it."""

from typing import Final

from router.check.policy import Candidate
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.gsm import gsm_of_text
from router.smpp.pdu import Framer, Sm
from router.terms.names import AccountName, LaneName
from router.terms.place import NOWHERE, Place
from router.terms.settings import AccountSettings

NUMBER: Final = b"37255512345"
SHOP: Final = AccountSettings(
    name=AccountName("shop"), passwords=("secret02",), lane=LaneName("bulk")
)
FRANCE: Final = Place("FR", "", "mobile", is_valid=True, zone="Europe/Paris")
NOW_UTC: Final = 1_700_000_000.0


def octets_of(text: str) -> tuple[bytes, int]:
    """The octets and data_coding with which a client sends a text."""
    septets = gsm_of_text(text)
    if septets is not None:
        return septets, 0
    return text.encode("utf-16-be", "surrogatepass"), 8


def sm(
    message: bytes,
    data_coding: int = 0,
    *,
    esm_class: int = 0,
    tlvs: bytes = b"",
    is_payload: bool = False,
    number: bytes = NUMBER,
    command_id: int = v.SUBMIT_SM,
) -> Sm:
    """A submit_sm, with its text in a message_payload where that is wanted."""
    if is_payload:
        message, tlvs = b"", p.tlv(v.MESSAGE_PAYLOAD, message) + tlvs
    octets = p.sm(
        command_id,
        7,
        source=(5, 0, b"Shop"),
        destination=(1, 1, number),
        short_message=message,
        data_coding=data_coding,
        esm_class=esm_class,
        registered_delivery=1,
        tlvs=tlvs,
    )
    return Sm(Framer(2**20).feed(octets)[0])


def candidate(one: Sm, account: AccountSettings = SHOP, place: Place = NOWHERE) -> Candidate:
    """A message as the checks get it."""
    found = Candidate(account, one, NUMBER.decode(), account.lane)
    found.place = place
    return found


def of_text(text: str, account: AccountSettings = SHOP, place: Place = NOWHERE) -> Candidate:
    """A text in one PDU, in the alphabet that a client takes for it."""
    message, data_coding = octets_of(text)
    return candidate(sm(message, data_coding, is_payload=len(message) > 254), account, place)


def part(
    text: str,
    number: int,
    total: int,
    reference: int = 7,
    *,
    by_tlvs: bool = False,
    account: AccountSettings = SHOP,
    place: Place = NOWHERE,
    is_ucs_2: bool = False,
) -> Candidate:
    """A part of a long message, by a user data header or by SAR TLVs."""
    message, data_coding = octets_of(text)
    if is_ucs_2:
        message, data_coding = text.encode("utf-16-be", "surrogatepass"), 8
    if by_tlvs:
        tlvs = (
            p.tlv(0x020C, reference.to_bytes(2, "big"))
            + p.tlv(0x020E, bytes((total,)))
            + p.tlv(0x020F, bytes((number,)))
        )
        return candidate(sm(message, data_coding, tlvs=tlvs, is_payload=True), account, place)
    header = bytes((5, 0, 3, reference, total, number))
    return candidate(sm(header + message, data_coding, esm_class=0x40), account, place)
