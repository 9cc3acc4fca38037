"""How long a text is, for `smpp-router length`; and what the policy of an account makes of it.

Nothing here counts or decides: `smpp/length.py` and the checks of the account do, with a submit_sm
as a client would send it.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Final

from router.check.policy import Candidate, Policy
from router.check.texts import text_checks
from router.smpp import pdu
from router.smpp.gsm import gsm_of_text
from router.smpp.length import GSM_7_BIT, Foreign, Length, Replaced, length_of
from router.smpp.pdu import Framer, Sm
from router.smpp.readable import text_in
from router.smpp.vocabulary import MESSAGE_PAYLOAD, SUBMIT_SM, status_name
from router.terms.settings import AccountSettings, Settings

UCS_2: Final = 0x08


@dataclass(frozen=True, slots=True, kw_only=True)
class ForAccount:
    """What becomes of the text as a message of one account."""

    account: str
    goes_as: str
    """The text as it would go."""
    length: Length
    notes: tuple[str, ...]
    """What its checks changed or counted."""
    refused: str = ""
    """The reason of a refusal; empty if the text may be sent."""
    why: str = ""
    status: int = 0


def as_json(length: Length, told: ForAccount | None) -> dict[str, object]:
    """Return what there is to say as a JSON document."""
    document: dict[str, object] = asdict(length)
    if told is not None:
        document["for_account"] = asdict(told)
    return document


def lines(length: Length, told: ForAccount | None) -> Iterator[tuple[str, str]]:
    """Yield what there is to say for people: a heading, empty on further lines, and a text."""
    yield "characters", str(length.characters)
    yield "alphabet", length.alphabet
    for one in length.foreign:
        yield "", f"because of {_shown(one)}"
    if length.foreign_not_named:
        yield "", f"and of {_counted(length.foreign_not_named, 'other character')}"
    yield from _sizes(length)
    for number, way in enumerate(length.replacing):
        yield "" if number else "replacing", _replaced(way)
    if told is not None:
        yield from _of_account(told)


def _of_account(told: ForAccount) -> Iterator[tuple[str, str]]:
    yield "account", told.account
    for note in told.notes:
        yield "", note
    if told.refused:
        status = f"{status_name(told.status)} (0x{told.status:08X})"
        yield "refused", f"{told.refused} ({told.why}); the client hears {status}"
        return
    yield "goes as", told.goes_as
    yield "", f"{told.length.alphabet}, {_counted(told.length.parts, 'part')}"


def _sizes(length: Length) -> Iterator[tuple[str, str]]:
    unit = "septet" if length.alphabet == GSM_7_BIT else "unit"
    doubles = ""
    if length.doubles:
        verb = "takes" if length.doubles == 1 else "take"
        doubles = f"; {_counted(length.doubles, 'character')} {verb} two"
    yield f"{unit}s", f"{length.units}{doubles}"
    yield "parts", f"{length.parts}, the last with room for {_counted(length.left, unit)} more"


def _shown(one: Foreign) -> str:
    code = f"U+{ord(one.character):04X}"
    name = f"{one.character} ({code})" if one.character.isprintable() else code
    times = "" if one.times == 1 else f", {one.times} times"
    return f"{name} at {one.at}{times}"


def _replaced(way: Replaced) -> str:
    if not way.fits:
        return f"{way.replace}: not all of it becomes {GSM_7_BIT}"
    saves = f"{_counted(way.saves, 'part')} fewer" if way.saves else "no part fewer, so left alone"
    return f"{way.replace}: {_counted(way.units, 'septet')}, {_counted(way.parts, 'part')}: {saves}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def for_account(text: str, account: AccountSettings, settings: Settings) -> ForAccount:
    """Return what the account's checks of texts make of a text, to no place in particular."""
    is_latin_1 = account.data_coding_0 == "latin-1"
    one = Candidate(account, _sm(text, is_latin_1=is_latin_1), "", account.lane, is_trial=True)
    verdict = Policy(text_checks(account, settings), account=account.name).judge(one, 0.0)
    goes_as = text_in(one.sm, is_latin_1=is_latin_1) or ""
    return ForAccount(
        account=account.name,
        goes_as=goes_as,
        length=length_of(goes_as),
        notes=tuple(f"{note.check}: {note.words}" for note in one.notes),
        refused="" if verdict is None else verdict[1].reason,
        why="" if verdict is None else verdict[1].why,
        status=0 if verdict is None else verdict[1].status,
    )


def _sm(text: str, *, is_latin_1: bool) -> Sm:
    """Return the text as the client of an account would send it, in one PDU."""
    octets, data_coding = gsm_of_text(text), 0
    if is_latin_1 and octets is not None and (not text or max(text) <= "\xff"):
        octets = text.encode("latin-1")
    if octets is None:
        octets, data_coding = text.encode("utf-16-be"), UCS_2
    # Clients send a longer text in message_payload.
    is_long = len(octets) > pdu.LONGEST_SHORT_MESSAGE_OCTETS
    written = pdu.sm(
        SUBMIT_SM,
        1,
        destination=(1, 1, b"1"),
        short_message=b"" if is_long else octets,
        data_coding=data_coding,
        tlvs=pdu.tlv(MESSAGE_PAYLOAD, octets) if is_long else b"",
    )
    return Sm(Framer(2**32).feed(written)[0])
