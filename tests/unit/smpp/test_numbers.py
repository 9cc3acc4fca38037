"""router/smpp/numbers.py: an address as one operator wants it, and what comes back from there."""

import pytest

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.numbers import WireNumbers, digits_of
from router.smpp.pdu import Pdu, Sm
from router.terms.message import Message
from router.terms.names import AccountName
from router.terms.settings import NumberForm, NumberKind, NumberSettings, TonNpi
from tests.unit.messages import BANK, SHOP, message

Address = tuple[int, int, bytes]


def numbers(
    normalise: NumberForm = "as_it_came",
    country_code: str = "",
    national_prefix: str = "",
    ton_npi: dict[NumberKind, TonNpi] | None = None,
) -> WireNumbers:
    return WireNumbers(
        NumberSettings(
            normalise=normalise,
            country_code=country_code,
            national_prefix=national_prefix,
            ton_npi=ton_npi or {},
        )
    )


ESTONIA = {"country_code": "372"}
FINLAND = {"country_code": "358", "national_prefix": "0"}
RUSSIA = {"country_code": "7", "national_prefix": "8"}
ITALY = {"country_code": "39"}


@pytest.mark.parametrize(
    ("form", "where", "came", "goes"),
    [
        ("e164", {}, (0, 0, b"+358401234567"), (1, 1, b"358401234567")),
        ("e164", {}, (1, 1, b"00358401234567"), (1, 1, b"358401234567")),
        ("e164", {}, (1, 1, b"358401234567"), (1, 1, b"358401234567")),
        ("e164", {}, (0, 1, b"+358 (40) 123-45.67"), (1, 1, b"358401234567")),
        ("plus", {}, (1, 1, b"358401234567"), (1, 1, b"+358401234567")),
        ("00", {}, (1, 1, b"+358401234567"), (1, 1, b"00358401234567")),
        # Numbers as they are dialled inside a country.
        ("e164", FINLAND, (0, 0, b"0401234567"), (1, 1, b"358401234567")),
        ("plus", FINLAND, (2, 1, b"0401234567"), (1, 1, b"+358401234567")),
        ("plus", FINLAND, (2, 1, b"401234567"), (1, 1, b"+358401234567")),
        ("e164", RUSSIA, (2, 1, b"89161234567"), (1, 1, b"79161234567")),
        ("e164", ITALY, (0, 0, b"0612345678"), (1, 1, b"390612345678")),
        ("e164", {}, (2, 1, b"0401234567"), (2, 1, b"0401234567")),
        ("e164", {}, (0, 0, b"0401234567"), (2, 1, b"0401234567")),
        ("national", FINLAND, (1, 1, b"+358401234567"), (2, 1, b"0401234567")),
        ("national", FINLAND, (2, 1, b"0401234567"), (2, 1, b"0401234567")),
        ("national", ESTONIA, (1, 1, b"37255512345"), (2, 1, b"55512345")),
        ("national", RUSSIA, (1, 1, b"+79161234567"), (2, 1, b"89161234567")),
        ("national", ESTONIA, (1, 1, b"+358401234567"), (1, 1, b"358401234567")),
        ("national", ESTONIA, (1, 1, b"372123456"), (1, 1, b"372123456")),
        ("national", ESTONIA, (1, 1, b"37200123456"), (1, 1, b"37200123456")),
        # What is no number, or a short one, has no other form.
        ("plus", FINLAND, (5, 0, b"BANK"), (5, 0, b"BANK")),
        ("plus", FINLAND, (1, 1, b"BANK"), (1, 1, b"BANK")),
        ("plus", FINLAND, (5, 0, b"358401234567"), (5, 0, b"358401234567")),
        ("plus", FINLAND, (0, 0, b"12302"), (0, 0, b"12302")),
        ("plus", FINLAND, (3, 0, b"16123456789"), (3, 0, b"16123456789")),
        ("plus", FINLAND, (0, 0, b""), (0, 0, b"")),
        ("plus", FINLAND, (0, 0, b"+"), (0, 0, b"+")),
        ("plus", FINLAND, (1, 1, b"1+2345678"), (1, 1, b"1+2345678")),
        # The field has room for 20.
        ("plus", {}, (1, 1, b"1234567890123456789"), (1, 1, b"+1234567890123456789")),
        ("plus", {}, (0, 9, b"12345678901234567890"), (0, 9, b"12345678901234567890")),
        ("00", {}, (0, 9, b"1234567890123456789"), (0, 9, b"1234567890123456789")),
        ("as_it_came", FINLAND, (0, 9, b"+358401234567"), (0, 9, b"+358401234567")),
    ],
)
def test_an_address_is_written_as_the_operator_wants_it(
    form: NumberForm, where: dict[str, str], came: Address, goes: Address
) -> None:
    wire = numbers(form, **where)  # type: ignore[arg-type]
    for _ in range(2):
        assert wire.written(p.address(*came)) == p.address(*goes)


@pytest.mark.parametrize(
    ("came", "goes"),
    [
        ((0, 0, b"+358401234567"), (1, 2, b"+358401234567")),
        ((0, 0, b"0401234567"), (2, 8, b"0401234567")),
        ((1, 1, b"12302"), (3, 0, b"12302")),
        ((1, 1, b"BANK"), (5, 1, b"BANK")),
        ((0, 0, b""), (0, 0, b"")),
    ],
)
def test_ton_and_npi_are_by_kind_also_where_numbers_stay_as_they_came(
    came: Address, goes: Address
) -> None:
    by_kind: dict[NumberKind, TonNpi] = {
        "international": TonNpi(1, 2),
        "national": TonNpi(2, 8),
        "short": TonNpi(3, 0),
        "alphanumeric": TonNpi(5, 1),
    }
    assert numbers(ton_npi=by_kind).written(p.address(*came)) == p.address(*goes)
    assert numbers().written(p.address(*came)) == p.address(*came)


def test_ton_and_npi_of_the_settings_go_before_those_that_are_usual() -> None:
    wire = numbers("e164", ton_npi={"international": TonNpi(0, 1)})
    assert wire.written(b"\1\1+358401234567\0") == b"\0\x01358401234567\0"


@pytest.mark.parametrize(
    ("where", "came", "read"),
    [
        (FINLAND, (1, 1, b"+358401234567"), (1, 1, b"358401234567")),
        (FINLAND, (0, 0, b"00358401234567"), (1, 1, b"358401234567")),
        (FINLAND, (0, 0, b"0401234567"), (1, 1, b"358401234567")),
        (FINLAND, (2, 1, b"401234567"), (1, 1, b"358401234567")),
        (RUSSIA, (2, 1, b"89161234567"), (1, 1, b"79161234567")),
        (FINLAND, (0, 8, b"358401234567"), (0, 8, b"358401234567")),
        (FINLAND, (3, 0, b"12302"), (3, 0, b"12302")),
        (FINLAND, (5, 0, b"Elisa"), (5, 0, b"Elisa")),
        (FINLAND, (0, 0, b""), (0, 0, b"")),
        ({}, (2, 1, b"0401234567"), (2, 1, b"0401234567")),
    ],
)
def test_what_comes_from_the_operator_is_read_as_digits_with_a_country_code(
    where: dict[str, str], came: Address, read: Address
) -> None:
    assert numbers("plus", **where).read(p.address(*came)) == p.address(*read)  # type: ignore[arg-type]
    assert numbers("as_it_came").read(p.address(*came)) == p.address(*came)


def of_octets(octets: bytes, command_id: int = v.SUBMIT_SM) -> Message:
    one, sm = message(), Sm(Pdu(command_id, 0, 0, octets))
    one.command_id, one.octets = command_id, octets
    one.source_octets, one.destination_octets = sm.source_octets, sm.destination_octets
    return one


@pytest.mark.parametrize("service_type", [b"", b"OTP"])
def test_only_the_addresses_of_a_message_change(service_type: bytes) -> None:
    octets = p.sm(
        v.SUBMIT_SM,
        0,
        source=(1, 1, b"37212345678"),
        destination=(1, 1, b"358401234567"),
        service_type=service_type,
        validity_period=b"000002000000000R",
        short_message=b"+358401234567\0",
        tlvs=p.tlv(0x1400, b"358401234567"),
    )
    goes = numbers("plus").outgoing(of_octets(octets), octets)
    expected = octets.replace(b"\x01\x0137212345678\0", b"\x01\x01+37212345678\0", 1)
    expected = expected.replace(b"\x01\x01358401234567\0", b"\x01\x01+358401234567\0", 1)
    assert goes[4:] == expected[4:]
    assert int.from_bytes(goes[:4], "big") == len(goes)
    assert numbers("e164").outgoing(of_octets(octets), octets) is octets


def test_a_data_sm_is_written_alike() -> None:
    body = b"\0\1\1BANK\0\1\x01358401234567\0\0\1\0" + p.tlv(v.MESSAGE_PAYLOAD, b"Tere")
    octets = p.build(v.DATA_SM, 0, 0, body)
    goes = numbers("00").outgoing(of_octets(octets, v.DATA_SM), octets)
    sm = Sm(Pdu(v.DATA_SM, 0, 0, goes))
    assert (sm.source, sm.destination) == ((1, 1, b"BANK"), (1, 1, b"00358401234567"))
    assert sm.octets[sm._destination_end :] == octets[-len(b"\0\0\1\0Tere") - 4 :]


def test_subscribers_message_keeps_all_but_its_numbers() -> None:
    octets = p.sm(
        v.DELIVER_SM, 7, source=(2, 1, b"0401234567"), destination=(3, 0, b"12302"),
        short_message=b"STOP", tlvs=p.tlv(0x1400, b"x"),
    )  # fmt: skip
    came = Pdu(v.DELIVER_SM, 0, 7, octets)
    wire = numbers("national", **FINLAND)  # type: ignore[arg-type]
    pdu, sm = wire.incoming(came, Sm(came))
    assert sm.source == (1, 1, b"358401234567")
    assert sm.destination == (3, 0, b"12302")
    assert (sm.short_message, sm.tlv(0x1400)) == (b"STOP", b"x")
    assert pdu.sequence_number == 7
    assert pdu.octets == sm.octets
    assert wire.incoming(pdu, sm) == (pdu, sm), "there is nothing more to change"


@pytest.mark.parametrize(
    ("number", "digits"),
    [
        (b"+358 40", b"35840"),
        (b"0035840", b"35840"),
        (b"040", b"040"),
        (b"", None),
        (b"-", None),
        (b"1+2", None),
        (b"12a", None),
        (b"00", b""),
    ],
)
def test_digits_are_what_is_behind_plus_and_zeros(number: bytes, digits: bytes | None) -> None:
    assert digits_of(number) == digits


# National numbers of an account.


def inland(account: AccountName, destination: bytes) -> bytes:
    """As the router reads them where bank's are Estonian."""
    number = destination[2:-1]
    return b"372" + number if account == BANK and number == b"55512345" else b""


@pytest.mark.parametrize(
    ("settings", "goes"),
    [
        (NumberSettings(normalise="e164"), (1, 1, b"37255512345")),
        (NumberSettings(normalise="e164", country_code="358"), (1, 1, b"37255512345")),
        (NumberSettings(normalise="plus"), (1, 1, b"+37255512345")),
        (NumberSettings(normalise="00"), (1, 1, b"0037255512345")),
        (NumberSettings(normalise="national", country_code="372"), (2, 1, b"55512345")),
        (NumberSettings(normalise="national", country_code="358"), (1, 1, b"37255512345")),
        (
            NumberSettings(normalise="e164", ton_npi={"international": TonNpi(1, 9)}),
            (1, 9, b"37255512345"),
        ),
        (NumberSettings(ton_npi={"national": TonNpi(2, 9)}), (2, 9, b"55512345")),
        (NumberSettings(ton_npi={"international": TonNpi(1, 9)}), (0, 8, b"55512345")),
    ],
)
def test_national_number_of_an_account_goes_as_the_number_that_it_is(
    settings: NumberSettings, goes: Address
) -> None:
    came = p.address(0, 8, b"55512345")
    octets = p.sm(
        v.SUBMIT_SM, 0, source=(5, 0, b"BANK"), destination=(0, 8, b"55512345"), short_message=b"x"
    )
    one = message()
    one.octets, one.destination_octets = octets, came
    wire = WireNumbers(settings, inland)
    assert wire.destination(one) == p.address(*goes)
    went = Sm(Pdu(v.SUBMIT_SM, 0, 0, wire.outgoing(one, octets)))
    assert (went.destination, went.short_message) == (goes, b"x")
    one.account = SHOP
    assert wire.destination(one) == WireNumbers(settings).written(came)
