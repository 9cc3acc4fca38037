"""router/smpp/text.py: octets to text, whatever they are."""

from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.smpp import text


@pytest.mark.parametrize(
    ("message", "esm_class", "rest"),
    [
        (b"Tere", 0x00, b"Tere"),
        (b"\x05\x00\x03\x2a\x02\x01Tere", 0x40, b"Tere"),
        (b"\x05\x00\x03\x2a\x02\x01Tere", 0x03, b"\x05\x00\x03\x2a\x02\x01Tere"),
        (b"\x06\x08\x04\x01\x2a\x02\x01Tere", 0x44, b"Tere"),
        (b"\x00Tere", 0x40, b"Tere"),
        (b"\xffTere", 0x40, b""),
        (b"\x05\x00", 0x40, b""),
        (b"", 0x40, b""),
    ],
)
def test_header_is_cut_off_where_there_is_one(message: bytes, esm_class: int, rest: bytes) -> None:
    assert text.without_udh(message, esm_class) == rest


@pytest.mark.parametrize(
    ("octets", "data_coding", "meant"),
    [
        (b"\x00 1\x1b\x65 \x05", 0x00, "@ 1€ é"),
        (b"\x00", 0xF0, "@"),
        (b"\x00", 0xF1, "@"),
        (b"\x00", 0x10, "@"),
        (b"\x00T\x00\xe4", 0x08, "Tä"),
        (b"\xd8\x3d\xde\x00", 0x08, "😀"),
        (b"\x00T", 0x18, "T"),
        (b"T\xe4", 0x03, "Tä"),
        (b"T\xe4", 0xF5, "Tä"),
        (b"\x80\x1b\x01\x1b", 0x00, "?\u00a0\u00a0"),
        (b"\x00T\xd8\x3d", 0x08, "T\ufffd"),
        (b"\x00T\x00", 0x08, "T\ufffd"),
        (b"", 0x00, ""),
        (b"", 0x08, ""),
    ],
)
def test_text_is_what_the_alphabet_says(octets: bytes, data_coding: int, meant: str) -> None:
    assert text.decode(octets, data_coding) == meant


@pytest.mark.parametrize("data_coding", range(256))
def test_no_octets_cannot_be_shown(data_coding: int) -> None:
    every = bytes(range(256))
    for octets in (every, every[::-1], every[1:], b"\x1b" * 3, b"\xd8\x00" * 3):
        text.decode(octets, data_coding).encode()


@given(st.text(st.characters(categories=["Lu", "Lo", "Mn", "Mc", "Zs"]), max_size=600))
def test_pieces_of_a_long_text_are_normal_as_the_whole_is(written: str) -> None:
    assert text.normalised("NFC", written) == normalize("NFC", written)


def test_very_many_marks_are_put_in_order_piece_by_piece() -> None:
    marks = "a" + "\u0301\u0316" * 1_000
    assert sorted(text.normalised("NFC", marks)) == sorted(normalize("NFC", marks))


@pytest.mark.parametrize(
    ("written", "word"),
    [
        ("bank help", "bank"),
        ("BANK,", "bank"),
        ("bank! help", "bank"),
        ("Bänk", "bank"),
        ("Ba\u0308nk", "bank"),
        ("BÄNK help", "bank"),
        ("\uff22\uff21\uff2e\uff2b\uff01", "bank"),  # Full width, as an old Japanese keypad has it.
        (" \n(bank) help", "bank"),
        ('"Bank"', "bank"),
        ("\u00a1bank!", "bank"),
        ("... bank", "bank"),
        ("bank,help", "bank"),
        ("bank=100", "bank"),
        ("bank*100#", "bank"),
        ("bank\u3002help", "bank"),
        ("bank\u00a0help", "bank"),
        ("b.", "b"),
        ("E-POST hello", "epost"),
        ("e\u2011post", "epost"),
        ("don't", "dont"),
        ("don\u2019t", "dont"),
        ("C&A hello", "ca"),
        ("Straße", "strasse"),
        ("\u0130stanbul", "istanbul"),
        ("\u1fb3", "\u03b1"),
        ("ΣΤΟΠ", "στοπ"),
        ("Привет!", "привет"),
        ("Йод", "иод"),
        ("\u0915\u093e\u0930", "\u0915\u093e\u0930"),  # A vowel sign is no accent.
        ("\ufeffbank", "bank"),
        ("2fa", "2fa"),
        ("bank\U0001f600help", "bank"),
        ("?", "?"),
        (" ?! ", "?!"),
        ("? help", "help"),
        ("", ""),
        (" \n", ""),
    ],
)
def test_first_word_is_without_punctuation_case_and_accents(written: str, word: str) -> None:
    assert text.first_word(written) == word
    assert text.first_word(word) == word
