"""Texts: what is drawn is replaced, screened and cut as the promises say, whatever it is."""

from itertools import pairwise
from random import Random

from hypothesis import assume, example, given
from hypothesis import strategies as st

from router.check.folding import fold
from router.check.heard import HeardParts
from router.check.phrases import LONGEST_PHRASE
from router.check.replace import DefaultAlphabet, ReplaceText
from router.check.screens import Screen, Screens
from router.check.texts import text_checks
from router.smpp.gsm import CHARACTERS, text_of_gsm
from router.smpp.length import parts_of
from router.smpp.replacing import replaced
from router.terms.names import AccountName, ScreenName
from router.terms.settings import Replace, ScreenSettings
from tests.unit.check.submitted import NOW_UTC, candidate, of_text, part, sm
from tests.unit.settings.configurations import SMALL, changed, loaded

MODES: st.SearchStrategy[Replace] = st.sampled_from(("punctuation", "full"))
NEAR_GSM = st.text(
    st.sampled_from(sorted(CHARACTERS)) | st.sampled_from("šžŠ\u2013\u201e\u201c\u03b1Ж😀"),
    min_size=60,
    max_size=300,
)
SAID = st.text(st.sampled_from("abc. -\u200b\u0435\u00e9e\u0301免€"), max_size=60)
PHRASES = st.text(st.sampled_from("abc -\u00e9免"), min_size=1, max_size=LONGEST_PHRASE)

SCREENED = loaded(
    changed(
        SMALL,
        (
            "bank: {password: secret01, lane: urgent}",
            "bank: {password: secret01, lane: urgent, screens: [scam], signature: Shop,"
            " text: {replace: full, most_parts: 3}}",
        ),
        (
            "operators:",
            "screens: {scam: {phrases: [free money], links: none}}\n"
            "countries: {FR: {signature: end}}\n"
            "operators:",
        ),
    )
)
CHECKS = text_checks(SCREENED.accounts[AccountName("bank")], SCREENED)


@given(NEAR_GSM, MODES)
def test_replaced_text_reads_the_same_in_fewer_parts_or_is_as_it_came(
    text: str, how: Replace
) -> None:
    one = of_text(text)
    came = one.sm
    ReplaceText(how, DefaultAlphabet(None, (None,))).judge(one, NOW_UTC)
    if one.sm is came:
        return
    assert came.data_coding == 8
    assert one.sm.data_coding == 0
    went = text_of_gsm(one.sm.message)
    assert went == replaced(text, how)
    assert went is not None
    assert parts_of(went)[1] < parts_of(text)[1]


@given(SAID, PHRASES, SAID, st.lists(st.integers(0, 200), min_size=1, max_size=5), st.randoms())
def test_phrase_is_found_wherever_a_text_is_cut_and_however_parts_come(
    before: str, phrase: str, behind: str, cuts: list[int], chance: Random
) -> None:
    assume(fold(phrase).split())
    # No mark that goes on a letter of the phrase, and no letter that goes on with a word of it.
    text = f"{before} {phrase} {behind}"
    assume(not behind.startswith("\u0301"))
    settings = ScreenSettings(name=ScreenName("scam"), phrases=(phrase,))
    whole = Screens([Screen(settings)], HeardParts(), is_latin_1=False)
    assert whole.judge(of_text(text), NOW_UTC) is not None
    places = sorted({0, len(text), *(at % len(text) for at in cuts)})
    pieces = [text[a:b] for a, b in pairwise(places)]
    # A letter and its mark are one; a client does not cut them apart.
    assume(not any(piece.startswith("\u0301") for piece in pieces))
    assume(len(pieces) > 1)
    numbers = list(range(1, len(pieces) + 1))
    chance.shuffle(numbers)
    check = Screens([Screen(settings)], HeardParts(), is_latin_1=False)
    verdicts = [
        check.judge(part(pieces[one - 1], one, len(pieces), is_ucs_2=True), NOW_UTC)
        for one in numbers
    ]
    assert any(verdicts)


WORDS = st.sampled_from(["free", "freedom", "dom", "carefree", "care", "a", "免费"])


@given(
    st.lists(WORDS, min_size=1, max_size=3).map(" ".join),
    WORDS,
    st.lists(st.integers(0, 30), min_size=1, max_size=5),
    st.randoms(),
)
@example("freedom", "free", [4], Random(1))
@example("carefree", "free", [4], Random(1))
def test_what_the_whole_text_does_not_have_no_part_has(
    text: str, phrase: str, cuts: list[int], chance: Random
) -> None:
    assume(phrase not in text.split())
    settings = ScreenSettings(name=ScreenName("x"), phrases=(phrase,))
    places = sorted({0, len(text), *(at % len(text) for at in cuts)})
    pieces = [text[a:b] for a, b in pairwise(places)]
    assume(len(pieces) > 1)
    numbers = list(range(1, len(pieces) + 1))
    chance.shuffle(numbers)
    check = Screens([Screen(settings)], HeardParts(), is_latin_1=False)
    for one in numbers:
        piece = part(pieces[one - 1], one, len(pieces), is_ucs_2=True)
        assert check.judge(piece, NOW_UTC) is None


@given(
    st.binary(max_size=254),
    st.integers(0, 255),
    st.integers(0, 255),
    st.booleans(),
    st.sampled_from(("FR", "other")),
)
def test_no_octets_stop_the_checks(
    octets: bytes, data_coding: int, esm_class: int, is_payload: bool, country: str
) -> None:
    one = candidate(sm(octets, data_coding, esm_class=esm_class, is_payload=is_payload))
    one.place = one.place._replace(country=country)
    for check in CHECKS:
        if check.judge(one, NOW_UTC) is not None:
            break
    assert len(one.sm.short_message) <= 254


@given(st.text(st.characters(), max_size=120))
def test_no_text_of_any_plane_stops_the_checks(text: str) -> None:
    for one in (of_text(text), part(text[:60], 1, 2), part(text[:60], 2, 2, by_tlvs=True)):
        for check in CHECKS:
            if check.judge(one, NOW_UTC) is not None:
                break
