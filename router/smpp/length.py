"""The length of a text: alphabet, septets or UCS-2 units, parts, and what makes it so long.

A message of one part has 140 octets: 160 septets of the GSM alphabet, or 70 units of UCS-2. Each
part of a longer one has six octets fewer, for the header that joins it to the others: 153 septets,
or 67 units. No part ends between an escape and what it escapes, nor between the two halves of a
character beyond the first plane, such as an emoji.

Source: 3GPP TS 23.038 (alphabets), 23.040, 9.2.3.24.1 (concatenation).
"""

from dataclasses import dataclass, field
from typing import Final, Literal

from router.smpp.gsm import EXTENSION, gsm_of_text, septets_of
from router.smpp.replacing import MODES, foreign_in, replaced
from router.smpp.text import ESCAPE
from router.terms.settings import Replace

GSM_7_BIT: Final = "GSM 7-bit"
UCS_2: Final = "UCS-2"
AlphabetName = Literal["GSM 7-bit", "UCS-2"]
ALONE_SEPTETS: Final = 160
JOINED_SEPTETS: Final = 153
ALONE_UNITS: Final = 70
JOINED_UNITS: Final = 67
MOST_NAMED: Final = 20
"""Different characters that are named, of those that make a text UCS-2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """A character that the GSM alphabet lacks."""

    character: str
    at: int
    """Where it first stands in the text, from 1."""
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """What a text would be with its foreign characters replaced."""

    replace: Replace
    fits: bool
    """Whether all of it becomes GSM 7-bit; else nothing is replaced."""
    parts: int
    """Its parts then; as they are where it does not fit."""
    saves: int
    """How many parts fewer these are; 0 also means that the router would leave the text alone."""
    units: int
    """Its septets then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """How long a text is."""

    characters: int
    alphabet: AlphabetName
    units: int
    """Septets of the GSM alphabet, or units of UCS-2 of 16 bits."""
    doubles: int
    """Characters that take two of them: by an escape, or as a surrogate pair."""
    parts: int
    left: int
    """Units that the last part still has room for."""
    foreign: tuple[Foreign, ...] = ()
    """The characters that make the text UCS-2, in the order in which they first stand there."""
    foreign_not_named: int = 0
    """Different characters beyond those."""
    replacing: tuple[Replaced, ...] = field(default=())
    """What each way to replace would make of it; empty for a text that is GSM 7-bit already."""


def parts_of(text: str) -> tuple[AlphabetName, int]:
    """Return the alphabet, and how many parts a client makes of the text."""
    septets = septets_of(text)
    if septets < 0:
        units = _units(text)
        return UCS_2, 1 if units <= ALONE_UNITS else _cut_units(text)[0]
    if septets <= ALONE_SEPTETS:
        return GSM_7_BIT, 1
    if septets == len(text):  # No escape, so each part but the last is full.
        return GSM_7_BIT, -(-septets // JOINED_SEPTETS)
    octets = gsm_of_text(text)
    assert octets is not None
    return GSM_7_BIT, cut_septets(octets)[0]


def length_of(text: str) -> Length:
    """Return all that there is to say of the length of a text; never raises."""
    septets = septets_of(text)
    if septets >= 0:
        octets = gsm_of_text(text)
        assert octets is not None
        parts, last = cut_septets(octets)
        return Length(
            characters=len(text),
            alphabet=GSM_7_BIT,
            units=septets,
            doubles=sum(map(text.count, EXTENSION)),
            parts=parts,
            left=(ALONE_SEPTETS if parts == 1 else JOINED_SEPTETS) - last,
        )
    parts, last = _cut_units(text)
    units = _units(text)
    foreign = foreign_in(text)
    named = [
        Foreign(character=one, at=text.index(one) + 1, times=text.count(one))
        for one in foreign[:MOST_NAMED]
    ]
    return Length(
        characters=len(text),
        alphabet=UCS_2,
        units=units,
        doubles=units - len(text),
        parts=parts,
        left=(ALONE_UNITS if parts == 1 else JOINED_UNITS) - last,
        foreign=tuple(named),
        foreign_not_named=len(foreign) - len(named),
        replacing=tuple(_with(text, mode, parts) for mode in MODES),
    )


def _with(text: str, mode: Replace, parts: int) -> Replaced:
    """Return what replacing would make of a text that has so many parts."""
    other = replaced(text, mode)
    if other is None:
        return Replaced(replace=mode, fits=False, parts=parts, saves=0, units=0)
    _, fewer = parts_of(other)
    return Replaced(
        replace=mode,
        fits=True,
        parts=fewer,
        saves=max(0, parts - fewer),
        units=septets_of(other),
    )


def _units(text: str) -> int:
    """Return how many units of UCS-2 a text takes."""
    if not text or max(text) <= "\uffff":
        return len(text)
    return len(text.encode("utf-16-be", "surrogatepass")) // 2


def _cut_units(text: str) -> tuple[int, int]:
    return cut_ucs_2(text.encode("utf-16-be", "surrogatepass"))


def cut_septets(octets: bytes) -> tuple[int, int]:
    """Return how many parts hold these septets, an octet each, and how many the last one has."""
    left = len(octets)
    if left <= ALONE_SEPTETS:
        return 1, left
    parts, at = 1, 0
    while left > JOINED_SEPTETS:
        end = at + JOINED_SEPTETS
        if octets[end - 1] == ESCAPE and (end < 2 or octets[end - 2] != ESCAPE):
            end -= 1
        parts, at = parts + 1, end
        left = len(octets) - end
    return parts, left


def cut_ucs_2(octets: bytes) -> tuple[int, int]:
    """Return how many parts hold this UCS-2, and how many units the last one has."""
    left = (len(octets) + 1) // 2
    if left <= ALONE_UNITS:
        return 1, left
    parts, at = 1, 0
    while left > JOINED_UNITS:
        end = at + JOINED_UNITS
        if octets[2 * end - 2] & 0xFC == 0xD8:  # The first half of a pair, by its high octet.
            end -= 1
        parts, at = parts + 1, end
        left = (len(octets) + 1) // 2 - end
    return parts, left
