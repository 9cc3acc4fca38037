"""router/terms/clock.py: time that does not jump with the wall clock."""

import pytest

from router.terms.clock import CONFIRM_S, LARGEST_S, SteadyUtc

YEAR_S = 365 * 86_400.0


def test_time_goes_on_with_the_monotonic_clock() -> None:
    steady = SteadyUtc(10.0, 1e9)
    assert steady.at(25.0) == 1e9 + 15.0


def test_a_small_correction_is_followed_at_once() -> None:
    steady = SteadyUtc(0.0, 1e9)
    steady.look(1.0, 1e9 + 1.5)
    assert steady.at(1.0) == 1e9 + 1.5
    assert not steady.is_in_doubt


@pytest.mark.parametrize("jump_s", [YEAR_S, -YEAR_S])
def test_a_jump_of_a_year_is_never_followed(jump_s: float) -> None:
    steady = SteadyUtc(0.0, 1e9)
    for now in range(1, 2 * int(CONFIRM_S), 7):
        steady.look(float(now), 1e9 + now + jump_s)
        assert steady.at(float(now)) == 1e9 + now
        assert steady.is_in_doubt


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0, LARGEST_S - 1])
def test_a_correction_that_stands_is_followed_when_it_is_confirmed(jump_s: float) -> None:
    steady = SteadyUtc(0.0, 1e9)
    steady.look(1.0, 1e9 + 1.0 + jump_s)
    steady.look(CONFIRM_S, 1e9 + CONFIRM_S + jump_s)
    assert steady.at(CONFIRM_S) == 1e9 + CONFIRM_S
    steady.look(CONFIRM_S + 1.0, 1e9 + CONFIRM_S + 1.0 + jump_s)
    assert steady.at(CONFIRM_S + 1.0) == 1e9 + CONFIRM_S + 1.0 + jump_s
    assert not steady.is_in_doubt


def test_a_clock_that_jumps_to_and_fro_is_not_followed() -> None:
    steady = SteadyUtc(0.0, 1e9)
    for now in range(1, 3 * int(CONFIRM_S), 60):
        steady.look(float(now), 1e9 + now + (3600.0 if now // 300 % 2 else 7200.0))
        assert steady.at(float(now)) == 1e9 + now


def test_a_jump_that_is_taken_back_leaves_no_doubt() -> None:
    steady = SteadyUtc(0.0, 1e9)
    steady.look(1.0, 1e9 + YEAR_S)
    steady.look(2.0, 1e9 + 2.0)
    assert not steady.is_in_doubt
    assert steady.at(2.0) == 1e9 + 2.0
