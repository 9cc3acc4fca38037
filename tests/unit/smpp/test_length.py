"""router/smpp/length.py: alphabet, units and parts of a text, and what makes it so long."""

import pytest
from aiosmpplib import GSM7BitCodec
from hypothesis import given
from hypothesis import strategies as st

from router.smpp.gsm import CHARACTERS, gsm_of_text, read_gsm, septets_of
from router.smpp.length import cut_septets, cut_ucs_2, length_of, parts_of

EURO_PARTS = "a" * 152 + "€" + "a" * 151
"""305 septets. The escape of the euro sign would end the first part, so it opens the second."""


@pytest.mark.parametrize(
    ("message", "alphabet", "segments"),
    [
        ("", "GSM 7-bit", 1),
        ("a" * 160, "GSM 7-bit", 1),
        ("a" * 161, "GSM 7-bit", 2),
        ("a" * 306, "GSM 7-bit", 2),
        ("a" * 307, "GSM 7-bit", 3),
        ("€" * 80, "GSM 7-bit", 1),
        ("€" * 81, "GSM 7-bit", 2),
        (EURO_PARTS, "GSM 7-bit", 2),
        (EURO_PARTS + "a", "GSM 7-bit", 3),
        ("€" * 77 * 2, "GSM 7-bit", 3),
        ("õ" * 70, "UCS-2", 1),
        ("õ" * 71, "UCS-2", 2),
        ("õ" * 134, "UCS-2", 2),
        ("õ" * 135, "UCS-2", 3),
        ("😀" * 35, "UCS-2", 1),
        ("😀" * 36, "UCS-2", 2),
        ("😀" * 66, "UCS-2", 2),
        ("😀" * 67, "UCS-2", 3),
        ("a\udcff", "UCS-2", 1),
    ],
    ids=lambda value: f"{value[:2]!a}x{len(value)}" if isinstance(value, str) else str(value),
)
def test_segments_are_what_a_client_makes_of_it(message: str, alphabet: str, segments: int) -> None:
    assert parts_of(message) == (alphabet, segments)
    length = length_of(message)
    assert (length.alphabet, length.parts) == (alphabet, segments)


EVERY_PLANE = st.text(st.characters(), max_size=400)
GSM_TEXTS = st.text(st.sampled_from(sorted(CHARACTERS)), max_size=700)


def parts_by_letters(units: list[int], alone: int, joined: int) -> int:
    """The parts by going through the letters one by one, as a telephone fills them."""
    if sum(units) <= alone:
        return 1
    parts, room = 1, joined
    for needed in units:
        if needed > room:
            parts, room = parts + 1, joined
        room -= needed
    return parts


@given(GSM_TEXTS)
def test_septets_fill_parts_as_letters_would_one_by_one(message: str) -> None:
    codec = GSM7BitCodec()
    units = [len(codec.encode(letter)[0]) for letter in message]
    assert septets_of(message) == sum(units)
    assert parts_of(message) == ("GSM 7-bit", parts_by_letters(units, 160, 153))
    octets = gsm_of_text(message)
    assert octets is not None
    assert read_gsm(octets) == message


@given(EVERY_PLANE)
def test_units_fill_parts_as_letters_would_one_by_one(message: str) -> None:
    alphabet, parts = parts_of(message)
    assert (alphabet == "GSM 7-bit") == GSM7BitCodec.is_gsm_text(message)
    if alphabet == "UCS-2" and not any("\ud800" <= one <= "\udfff" for one in message):
        units = [2 if letter > "\uffff" else 1 for letter in message]
        assert parts == parts_by_letters(units, 70, 67)
    length = length_of(message)
    assert (length.alphabet, length.parts) == (alphabet, parts)
    assert 0 <= length.left <= 160


@given(st.binary(max_size=2_000))
def test_any_octets_are_cut_into_parts_that_hold_them(octets: bytes) -> None:
    for cut, alone, joined, size in ((cut_septets, 160, 153, 1), (cut_ucs_2, 70, 67, 2)):
        parts, last = cut(octets)
        units = -(-len(octets) // size)
        assert last <= (alone if parts == 1 else joined)
        assert (parts - 1) * (joined - 1) + last <= units <= (parts - 1) * joined + last


def test_what_makes_a_text_ucs_2_is_named_with_its_place() -> None:
    length = length_of("Tere š \u2013 š")
    assert [(one.character, one.at, one.times) for one in length.foreign] == [
        ("š", 6, 2),
        ("\u2013", 8, 1),
    ]
    assert (length.units, length.doubles, length.left) == (10, 0, 60)


def test_of_many_characters_that_make_it_ucs_2_a_few_are_named() -> None:
    length = length_of("".join(map(chr, range(0x4E00, 0x4E00 + 50))))
    assert (len(length.foreign), length.foreign_not_named) == (20, 30)


def test_what_replacing_would_save_is_told() -> None:
    length = length_of("šokolaad \u2013 " * 8)
    assert [(one.replace, one.fits, one.parts, one.saves) for one in length.replacing] == [
        ("punctuation", False, 2, 0),
        ("full", True, 1, 1),
    ]


def test_text_in_the_gsm_alphabet_has_nothing_to_replace() -> None:
    length = length_of("1€")
    assert (length.units, length.doubles, length.left) == (3, 1, 157)
    assert length.foreign == ()
    assert length.replacing == ()
