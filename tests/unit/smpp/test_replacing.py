"""router/smpp/replacing.py: what reads the same in the GSM alphabet, and nothing that does not."""
# ruff: noqa: RUF001

from typing import Final
from unicodedata import category, combining, name, normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.smpp.gsm import CHARACTERS
from router.smpp.replacing import MODES, replaced, table_of
from router.terms.settings import Replace

OWN_LETTERS: Final = frozenset("äöåøæÄÖÅØÆüÜÇ")
"""Letters of the alphabet that keep their mark where a second one goes."""


@pytest.mark.parametrize(
    ("came", "mode", "goes"),
    [
        ("\u201eTere\u201c \u2013 it\u2019s\u00a05\u2026", "punctuation", '"Tere" - it\'s 5...'),
        ("\u2022 one\t\u00ab two\u200b \u00bb", "punctuation", '* one " two "'),
        ("sõber", "punctuation", None),
        ("sõber", "full", "sober"),
        ("Žižek, Łódź, Győr, Şırnak", "full", "Zizek, Lodz, Györ, Sirnak"),
        ("œuvre №5 © ½", "full", None),
        ("œuvre №5 ©", "full", "oeuvre No.5 (c)"),
        ("Καλημέρα", "full", "KAΛHMEPA"),
        ("Привет", "full", None),
        ("10²", "full", None),
        ("1½", "full", None),
        ("\u202eabc", "full", None),
        ("😀", "full", None),
        ("a\u0308", "punctuation", "ä"),
        ("s\u030c", "full", "s"),
        ("s\u030c", "punctuation", None),
        ("s\u0336", "full", None),
        ("\uff21\uff22\uff11", "full", "AB1"),
        ("plain", "punctuation", "plain"),
        ("", "full", ""),
    ],
)
def test_text_becomes_what_reads_the_same(came: str, mode: Replace, goes: str | None) -> None:
    assert replaced(came, mode) == goes


@pytest.mark.parametrize("mode", MODES)
def test_table_leads_from_outside_the_alphabet_into_it(mode: Replace) -> None:
    for code, goes in table_of(mode).items():
        assert chr(code) not in CHARACTERS, hex(code)
        assert CHARACTERS.issuperset(goes), hex(code)


def test_what_punctuation_replaces_full_replaces_alike() -> None:
    full = table_of("full")
    assert {code: full[code] for code in table_of("punctuation")} == table_of("punctuation")


def is_of(character: str, goes: str) -> bool:
    """Whether Unicode says that these letters are the base of the character."""
    base = normalize("NFKD", character)
    letters = "".join(one for one in base if not combining(one)).replace("\u02bc", "'")
    if goes == letters:
        return True
    if goes in OWN_LETTERS:
        mine = normalize("NFD", goes)
        # A mark that stays is one of the letter's, or its long form.
        return mine[0] == letters[0] and (mine[1] in base or "DOUBLE ACUTE" in name(character))
    # No decomposition: the name has the letters, in their case.
    said = name(character).partition("LETTER ")[2] or name(character).partition("LIGATURE ")[2]
    letter = said.removeprefix("SMALL ").removeprefix("LIGATURE ").split(" ")[0]
    return goes == (letter if category(character) == "Lu" else letter.lower())


NOT_BY_NAME: Final = {"Ə": "E", "ə": "e", "ı": "i", "ẞ": "SS", "Þ": "Th", "þ": "th"} | {
    "Ð": "Dh",
    "ð": "dh",
}
"""Letters that only custom writes so."""


def test_letter_becomes_what_unicode_has_as_its_base() -> None:
    latin = {
        chr(code): goes
        for code, goes in table_of("full").items()
        if category(chr(code)) in ("Lu", "Ll", "Lt") and "LATIN" in name(chr(code))
    }
    assert len(latin) > 300
    wrong = [one for one in latin if not is_of(one, latin[one]) and one not in NOT_BY_NAME]
    assert wrong == []
    assert {one: latin[one] for one in NOT_BY_NAME} == NOT_BY_NAME


def test_greek_letter_becomes_its_capital_without_accent_or_a_latin_one_that_looks_the_same() -> (
    None
):
    latin = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX", strict=True))
    for code, goes in table_of("full").items():
        if "GREEK" in name(chr(code), "") and category(chr(code))[0] == "L":
            capital = normalize("NFD", chr(code).upper())[0]
            assert goes == latin.get(capital, capital), chr(code)


@given(st.text(), st.sampled_from(MODES))
def test_replaced_text_is_all_gsm_and_replacing_it_again_changes_nothing(
    text: str, mode: Replace
) -> None:
    other = replaced(text, mode)
    if other is not None:
        assert CHARACTERS.issuperset(other)
        assert replaced(other, mode) == other


@given(st.text(st.sampled_from(sorted(CHARACTERS))), st.sampled_from(MODES))
def test_text_of_the_alphabet_stays_as_it_is(text: str, mode: Replace) -> None:
    assert replaced(text, mode) == text
