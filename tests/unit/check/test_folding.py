"""router/check/folding.py: what looks alike is alike, and folding twice is folding once."""
# ruff: noqa: RUF001

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from router.check import folding
from router.check.folding import GSM_FORMS, LATIN_1_FORMS, MOST_KNOWN, MOST_NEW, fold, folded_octets
from router.smpp.gsm import CHARACTERS, gsm_of_text, read_gsm


def folded(text: str) -> str:
    return " ".join(fold(text).split())


@pytest.mark.parametrize(
    ("came", "goes"),
    [
        ("FREE Money!", "free money"),
        ("\uff26\uff32\uff25\uff25", "free"),
        ("\U0001d405\U0001d42b\U0001d41e\U0001d41e", "free"),
        ("\U0001f175\U0001f181\U0001f174\U0001f174", "free"),
        ("\U0001f1eb\U0001f1f7\U0001f1ea\U0001f1ea", "free"),
        ("f\u200br\u2060e\xade\ufeff", "free"),
        ("f\u0336r\u0336e\u0336e\u0336", "free"),
        ("1\ufe0f\u20e3", "1"),
        ("раураl", "paypal"),
        ("ΗΕΛΛΟ", "heλλo"),
        ("НЕТ нет", "het het"),
        ("ημέρα ΗΜΕΡΑ", "hmepa hmepa"),
        ("ᴠɪᴀɢʀᴀ", "viagra"),
        ("ꓝꓣꓰꓰ", "free"),
        ("Täna e\u0301te\u0301", "täna été"),
        ("schön schon", "schön schon"),
        ("Straße STRASSE", "strasse strasse"),
        ("İstanbul ıstanbul", "istanbul istanbul"),
        ("e-mail C&A don't 100%", "e mail c a don t 100"),
        ("免费 赢取", "免 费 赢 取"),
        ("무료입니다", "무 료 입 니 다"),
        ("ฟรี", "ฟ ร ี"),
        ("١٢٣ ②", "123 2"),
        ("free\u2800money\ufffd", "free money"),
        ("💰!!…", ""),
        ("", ""),
    ],
)
def test_text_is_folded_to_what_is_searched(came: str, goes: str) -> None:
    assert folded(came) == goes


@given(st.text(st.characters()))
@example("a\u0336\u0308\u030e\u0301")
@example("\u1100\u0336\u1161")
@example("\u0132\u0307\u1e9e")
@example("\u0390")
def test_folding_twice_is_folding_once(text: str) -> None:
    assert folded(folded(text)) == folded(text)


@given(st.text(st.characters(max_codepoint=0x600)))
def test_case_does_not_matter(text: str) -> None:
    assert folded(text) == folded(text.casefold())


@given(st.text(st.sampled_from(sorted(CHARACTERS | {"\xe1", "\xad", "\xdf"}))))
def test_quick_ways_fold_as_the_long_one(text: str) -> None:
    assert fold(text).split() == fold(f"{text} \u4e00").split()[:-1]
    septets = gsm_of_text(text)
    if septets is not None:
        quick = folded_octets(septets, GSM_FORMS)
        assert quick is None or quick == fold(read_gsm(septets))
    if not text or max(text) <= "\xff":
        quick = folded_octets(text.encode("latin-1"), LATIN_1_FORMS)
        assert quick is None or quick == fold(text)


@pytest.mark.parametrize(
    "letters", ["абвгдежзийклмнопрстуфхцчшщъыьэюяёіїєґў", "αβγδάώΐϋς", "šžćłőğıĳ"]
)
def test_table_of_a_script_says_what_each_letter_is_alone(letters: str) -> None:
    for one in letters + letters.upper():
        assert fold(one) == fold(f"{one}\u4e00").split("\u4e00")[0].rstrip()


def test_texts_of_every_plane_are_folded_in_bounded_memory() -> None:
    for begin in range(0, 0x110000, 512):
        fold("".join(map(chr, range(begin, begin + 512))))
    known = folding._FORMS
    assert len(known.characters) == len(known.by_code) <= MOST_KNOWN


def test_text_of_thousands_of_characters_is_folded_without_learning_them() -> None:
    every = "".join(map(chr, range(0x1200, 0x1200 + 2 * MOST_NEW)))
    before = len(folding._FORMS.characters)
    said = folded(f"{every} FR\u0435\u200bE\u2014\uff2d\u03bfney\u0336! {every}")
    assert " free money " in said
    assert len(folding._FORMS.characters) == before


def test_marks_by_the_thousand_are_folded_like_one() -> None:
    assert folded("fr" + "\u0301\u0316" * 20_000 + "ee") == folded("fr\u0301\u0316ee")
