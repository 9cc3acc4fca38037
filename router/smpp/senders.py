"""Senders: which kind a source address is, and lists of those that may be used.

What counts is what stands in the address, and not its TON, which clients write as they like. A
number is 9 to 15 digits, perhaps with `+` or `00` before them, and a short code 3 to 8. All else
with a letter in it is alphanumeric, if a telephone can show it: the network carries 11 septets of
the GSM alphabet (3GPP TS 23.040, 9.1.2.5), so 11 letters. What is none of the three (two digits,
16 digits, a word of 12 letters, `7-11`, nothing at all) is of no kind.

An entry of a list is a sender, or `Shop until 2027-01-31`: it holds to the end of that day in UTC.
Letters are compared one by one, and numbers by their digits.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date
from typing import Final

from router.smpp.pdu import address
from router.smpp.text import gsm_alphabet
from router.terms.latest import Latest
from router.terms.settings import (
    AccountSenders,
    CountrySenders,
    OperatorSenders,
    SenderKind,
    Settings,
    TonNpi,
)

REMEMBERED: Final = 10_000
"""Senders to one operator whose verdict is remembered, and twice as many for a while."""
MOST_SEPTETS: Final = 11
"""Of an alphanumeric sender."""
SHORTEST_SHORT: Final = 3
LONGEST_SHORT: Final = 8
LONGEST_LONG: Final = 15
"""Digits; E.164 has no more."""
NEVER: Final = float("-inf")
"""Of a sender that may not be used, and never might."""
FOREVER: Final = float("inf")
_DAY_S: Final = 86_400.0
MONTH_S: Final = 30 * _DAY_S
"""How long before the end of an entry, and after it, people are told."""
_EPOCH: Final = date(1970, 1, 1).toordinal()
_UNTIL: Final = re.compile(r"(.*\S)\s+until\s+([0-9]{4}-[0-9]{2}-[0-9]{2})")

TON_NPI: Final[dict[SenderKind, TonNpi]] = {
    "short": TonNpi(3, 0),
    "long": TonNpi(1, 1),
    "alphanumeric": TonNpi(5, 0),
}
"""Of a sender that the router writes, before `numbers` of an operator says otherwise."""


def _septets_by_character() -> dict[str, int]:
    basic, behind = gsm_alphabet()
    return {
        **{one: 1 for one in basic.values() if one.isprintable()},
        **{one: 2 for one in behind.values() if one.isprintable()},
    }


_SEPTETS: Final = _septets_by_character()


def letters_of(sender: bytes) -> bytes:
    """Return a source address as lists compare it: a number without `+` or `00`, all else as is.

    `00` goes only from what is a number of another country: a short code may begin with it.
    """
    digits = sender.removeprefix(b"+")
    if not digits.isdigit():
        return sender
    abroad = digits.removeprefix(b"00")
    return abroad if len(abroad) > LONGEST_SHORT else digits


def kind_of(sender: bytes) -> SenderKind | None:
    """Return the kind of a source address, by what stands in it; None where it is of none."""
    digits = letters_of(sender)
    if digits.isdigit():
        if SHORTEST_SHORT <= len(digits) <= LONGEST_SHORT:
            return "short"
        return "long" if LONGEST_SHORT < len(digits) <= LONGEST_LONG else None
    septets, has_letter = 0, False
    for character in sender.decode("latin-1"):
        taken = _SEPTETS.get(character)
        if taken is None:
            return None
        septets += taken
        has_letter = has_letter or character.isalpha()
    return "alphanumeric" if has_letter and septets <= MOST_SEPTETS else None


def source_octets(sender: str) -> bytes:
    """Return a sender that the router writes, as TON, NPI, address and NUL; it is of a kind."""
    octets = sender.encode("latin-1")
    kind = kind_of(octets)
    assert kind is not None
    ton, npi = TON_NPI[kind]
    return address(ton, npi, octets)


def split_until(entry: str) -> tuple[str, str]:
    """Return the sender of an entry, and the last day on which it holds; empty without one."""
    found = _UNTIL.fullmatch(entry)
    return (found[1], found[2]) if found else (entry, "")


def ends_utc(day: str) -> float:
    """Return when a day, such as `2027-01-31`, ends in UTC; of an empty one, never.

    Raises ValueError where there is no such day.
    """
    if not day:
        return FOREVER
    return (date.fromisoformat(day).toordinal() - _EPOCH + 1) * _DAY_S


def last_day(ends_utc: float) -> str:
    """Return the day at whose end an entry ends, such as `2027-01-31`."""
    return str(date.fromordinal(int(ends_utc // _DAY_S) - 1 + _EPOCH))


def ends_of(entries: Iterable[str]) -> dict[bytes, float]:
    """Return when the senders of a list end, by their letters; of one that is there twice, last."""
    found: dict[bytes, float] = {}
    for entry in entries:
        sender, day = split_until(entry)
        letters = letters_of(sender.encode("latin-1"))
        found[letters] = max(ends_utc(day), found.get(letters, NEVER))
    return found


def entries_of(senders: AccountSenders | CountrySenders | OperatorSenders) -> Iterator[str]:
    """Yield the entries of a list, those in files too."""
    yield from senders.only
    for file in senders.only_files:
        yield from file.values


class SenderRules:
    """Which senders one place lets through: by kind, and by a list."""

    __slots__ = ("_ends", "_exempt", "_kinds")

    def __init__(
        self,
        kinds: Collection[SenderKind],
        only: Iterable[str],
        exempt: Collection[SenderKind] = (),
    ) -> None:
        """No `kinds`: every kind. No `only`: every sender. `exempt` are kinds that need no list."""
        self._kinds: Final = frozenset(kinds)
        self._ends: Final = ends_of(only)
        self._exempt: Final = frozenset(exempt)

    def until_utc(self, sender: bytes) -> float:
        """Return until when a source address is let through; NEVER, or FOREVER."""
        if self._kinds and kind_of(sender) not in self._kinds:
            return NEVER
        if not self._ends or (self._exempt and kind_of(sender) in self._exempt):
            return FOREVER
        return self._ends.get(letters_of(sender), NEVER)

    def why_not(self, sender: bytes, now_utc: float) -> str:
        """Return in words why a source address is not let through; empty where it is."""
        until_utc = self.until_utc(sender)
        if now_utc < until_utc:
            return ""
        if until_utc > NEVER:
            return f"held until {last_day(until_utc)}"
        kind = kind_of(sender)
        if self._kinds and kind not in self._kinds:
            return f"is {kind or 'of no kind'}, not {' or '.join(sorted(self._kinds))}"
        return "is not in the list"


class Replacement:
    """The sender of an operator's messages whose own it does not let through."""

    __slots__ = ("_rules", "_until_utc", "octets", "sender")

    def __init__(self, settings: OperatorSenders, replace: str) -> None:
        self._rules: Final = SenderRules(settings.kinds, entries_of(settings))
        self._until_utc: Final[Latest[bytes, float]] = Latest(REMEMBERED)
        self.sender: Final = replace
        self.octets: Final = source_octets(replace)
        """TON, NPI, address and NUL."""

    def is_for(self, source: bytes, now_utc: float) -> bool:
        """Whether a message with this source (TON, NPI, address, NUL) goes out under another."""
        until_utc = self._until_utc.get(source)
        if until_utc is None:
            until_utc = self._rules.until_utc(source[2:-1])
            self._until_utc.put(source, until_utc)
        return now_utc >= until_utc


def replacement_of(settings: OperatorSenders | None) -> Replacement | None:
    """Return what an operator's messages are written with instead; None where nothing is."""
    if settings is None or settings.otherwise is None:
        return None
    return Replacement(settings, settings.otherwise.replace)


def lists_of(settings: Settings) -> Iterator[tuple[str, list[str]]]:
    """Yield every list of senders, with its path in the configuration."""
    found: list[tuple[str, AccountSenders | CountrySenders | OperatorSenders | None]] = [
        *((f"accounts.{name}", account.senders) for name, account in settings.accounts.items()),
        *((f"countries.{name}", country.senders) for name, country in settings.countries.items()),
        *((f"operators.{name}", one.senders) for name, one in settings.operators.items()),
    ]
    for path, senders in found:
        if senders is not None:
            yield f"{path}.senders", list(entries_of(senders))


def last_days(entries: Sequence[str]) -> dict[float, int]:
    """Return how many entries of a list end when; those that do not end are left out.

    Of a sender that is there twice only the last counts.
    """
    found: dict[float, int] = {}
    if not any("until" in one for one in entries):
        return found
    for ends in ends_of(entries).values():
        if ends < FOREVER:
            found[ends] = found.get(ends, 0) + 1
    return found
