"""router/check/pattern.py: the rows that a pattern spells out are the numbers that it fits."""

import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.check.pattern import ANY, BIT, Named, PatternError, fits, rows_of

digit = st.sampled_from("0123")
sets = st.sampled_from(("[01]", "[0-2]", "[13]", "[0-9]", r"\d"))
patterns = st.recursive(
    digit | sets,
    lambda inner: st.one_of(
        st.builds(str.__add__, inner, inner),
        st.builds("(?:{}|{})".format, inner, inner),
        st.builds("({}|{})?".format, inner, inner),
        st.builds("(?:{}){{1,2}}".format, inner),
        st.builds("(?:{}){{2}}".format, inner),
    ),
    max_leaves=5,
)


@given(pattern=patterns)
def test_pattern_fits_what_one_of_its_rows_is(pattern: str) -> None:
    rows = rows_of(pattern)
    for length in range(5):
        for drawn in product("0123", repeat=length):
            number = "".join(drawn)
            by_rows = any(row.digits == length and fits(row.wants, number) for row in rows)
            assert by_rows == bool(re.fullmatch(pattern, number)), (pattern, number)


def test_row_ends_where_it_takes_any_digit() -> None:
    assert rows_of(r"5\d{6}|4[02]\d{5}") == [
        Named(7, (BIT["4"], BIT["0"] | BIT["2"])),
        Named(7, (BIT["5"],)),
    ]
    assert rows_of(r"\d{2}7\d") == [Named(4, (ANY, ANY, BIT["7"]))]


def test_end_of_the_number_is_no_digit() -> None:
    assert rows_of(r"([2-9]\d{6})$|1") == rows_of(r"[2-9]\d{6}|1")


def test_beginning_fits_a_row_that_may_follow() -> None:
    (row,) = rows_of("12[3-5]")
    assert [fits(row.wants, head) for head in ("", "1", "12", "13", "124", "1249", "126")] == [
        *(True, True, True, False, True, True, False)
    ]


@pytest.mark.parametrize(
    "pattern", ["1+", "1*", "a", "(1", "1)", "[1", "1{2", r"\w", "(?!1)", "[^1]", "[a-b]", "1{x}"]
)
def test_pattern_that_is_not_known_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        rows_of(pattern)


def test_pattern_of_too_many_rows_is_refused() -> None:
    with pytest.raises(PatternError):
        rows_of("(?:1|2)" * 20)
