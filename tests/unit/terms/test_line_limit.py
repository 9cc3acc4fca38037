"""router/terms/line_limit.py: which lines are written, and what they say of those that are not."""

import pytest

from router.terms.limits import Rate
from router.terms.line_limit import MOST_REMEMBERED, LineLimit


def test_first_lines_are_written_and_later_ones_now_and_again() -> None:
    limit = LineLimit(Rate(2, 10.0))
    assert [limit.take("a", 0.0) for _ in range(5)] == [{}, {}, None, None, None]
    assert limit.take("a", 4.9) is None
    assert limit.take("a", 5.0) == {"suppressed": 4}
    assert limit.take("a", 10.0) == {}


def test_lines_of_one_key_cost_no_other_a_line() -> None:
    limit = LineLimit(Rate(2, 10.0))
    for _ in range(100):
        limit.take("a", 0.0)
    assert limit.take("b", 0.0) == {}


def test_line_that_something_else_left_out_is_told_too() -> None:
    limit = LineLimit(Rate(2, 10.0))
    limit.suppress("a", 0.0)
    limit.suppress("a", 0.0)
    assert limit.take("a", 0.0) == {"suppressed": 2}


@pytest.mark.parametrize("method", ["take", "suppress"])
def test_keys_without_end_fill_no_memory(method: str) -> None:
    limit = LineLimit(Rate(2, 10.0))
    for number in range(MOST_REMEMBERED + 100):
        getattr(limit, method)(str(number), 0.0)
    assert len(limit) == MOST_REMEMBERED


def test_key_that_goes_on_is_remembered_while_others_come_and_go() -> None:
    limit = LineLimit(Rate(1, 1e9))
    limit.take("a", 0.0)
    for number in range(2 * MOST_REMEMBERED):
        limit.take(str(number), 0.0)
        if number % 1000 == 0:
            assert limit.take("a", 0.0) is None
