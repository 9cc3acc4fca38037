"""router/forward/window.py: how large a window has to be, and what of it is kept."""

import pytest

from router.forward.window import (
    LEAST,
    MOST,
    PASSED_S,
    PASSED_TIMES,
    kept,
    needed,
    passed_s,
    sized,
)
from router.terms.limits import Rate


@pytest.mark.parametrize(
    ("rate", "round_trip_s", "window"),
    [
        (Rate(50, 1.0), 0.02, 1),
        (Rate(50, 1.0), 0.5, 25),
        (Rate(50, 1.0), 0.501, 26),
        (Rate(300, 1.0), 0.1, 30),
        (Rate(5000, 1.0), 0.5, 2500),
        (Rate(1, 60.0), 0.5, 1),
        (Rate(50, 1.0), 0.0, 1),
    ],
)
def test_window_needed_is_what_is_under_way_at_the_rate(
    rate: Rate, round_trip_s: float, window: int
) -> None:
    assert needed(rate, round_trip_s) == window


@pytest.mark.parametrize(
    ("rate", "round_trip_s", "window"),
    [
        (Rate(50, 1.0), 0.0, LEAST),
        (Rate(50, 1.0), 0.5, 38),
        (Rate(50, 1.0), 30.0, 50),
        (Rate(1, 60.0), 30.0, LEAST),
        (Rate(20_000, 1.0), 9.0, MOST),
    ],
)
def test_window_is_sized_with_something_to_spare_and_within_bounds(
    rate: Rate, round_trip_s: float, window: int
) -> None:
    assert sized(rate, round_trip_s) == window


def test_messages_that_answers_have_passed_make_a_window_larger_and_never_too_large() -> None:
    assert sized(Rate(50, 1.0), 0.5, passed=5) == 43
    assert sized(Rate(50, 1.0), 0.5, passed=40) == 50
    assert sized(Rate(20_000, 1.0), 0.1, passed=4000) == MOST


def test_answers_pass_after_several_round_trips_and_never_at_once() -> None:
    assert passed_s(0.0) == PASSED_S
    assert passed_s(2.0) == 2.0 * PASSED_TIMES


def test_a_tenth_is_kept_and_of_a_few_nothing() -> None:
    assert [kept(window) for window in (0, 1, 2, 3, 4, 9, 10, 19, 20, 105)] == [
        *(0, 0, 0, 0, 1, 1, 1, 1, 2, 10)
    ]
