"""router/check/phrases.py: phrases are found as whole words, and all of them."""

from hypothesis import given
from hypothesis import strategies as st

from router.check.folding import fold
from router.check.phrases import Phrases, words_of

WORDS = st.sampled_from(["free", "money", "win", "a", "the", "prize", "freely"])
PHRASE = st.lists(WORDS, min_size=1, max_size=4).map(" ".join)


def found(phrases: list[str], text: str) -> set[int]:
    return Phrases(phrases).all_in(fold(text).split())


def test_phrase_is_found_as_whole_words_only() -> None:
    phrases = ["free money", "win"]
    assert found(phrases, "Get FREE, money!") == {0}
    assert found(phrases, "you win free money") == {0, 1}
    assert found(phrases, "carefree money") == set()
    assert found(phrases, "free moneybox, winter") == set()
    assert found(phrases, "free and money") == set()


def test_phrase_that_folds_to_nothing_is_never_found() -> None:
    phrases = Phrases(["!!", "\u200b", ""])
    assert phrases.count == 0
    assert phrases.all_in([]) == set()
    assert phrases.first_in(["a"]) == -1


def test_phrases_that_begin_alike_or_stand_in_each_other_are_all_found() -> None:
    phrases = ["free money now", "free", "money", "free money", "money now"]
    assert found(phrases, "free money now") == {0, 1, 2, 3, 4}
    assert Phrases(phrases).first_in(["free", "money"]) in (1, 3)


def test_phrase_without_spaces_between_words_is_found_anywhere() -> None:
    assert found(["赢取"], "免费赢取大奖") == {0}
    assert found(["무료"], "무료입니다") == {0}


def test_piece_of_a_word_is_no_word() -> None:
    phrases = Phrases(["free"])
    assert phrases.all_in(words_of("free", open_end=True)) == set()
    assert phrases.all_in(words_of("free ", open_end=True)) == {0}
    assert phrases.all_in(words_of("free now", open_begin=True)) == set()
    assert phrases.all_in(words_of(" free now", open_begin=True)) == {0}
    assert words_of("", open_begin=True, open_end=True) == []


@given(st.lists(PHRASE, max_size=30), st.lists(WORDS, max_size=30).map(" ".join))
def test_exactly_what_a_plain_search_finds_is_found(phrases: list[str], text: str) -> None:
    first = {phrase: phrases.index(phrase) for phrase in phrases}
    plain = {number for phrase, number in first.items() if f" {phrase} " in f" {text} "}
    known = Phrases(phrases)
    assert known.all_in(text.split()) == plain
    one = known.first_in(text.split())
    assert one in plain if plain else one == -1
    assert known.may_be_in(text.split()) or not plain
