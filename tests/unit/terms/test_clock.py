"""router/terms/clock.py: time that does not jump with the wall clock."""

import pytest

from router.terms.clock import CONFIRM_S, LARGEST_S, LONGEST_STOP_S, SteadyUtc

DAY_S = 86_400.0
YEAR_S = 365 * DAY_S


def started(known_utc: float, wall: float) -> SteadyUtc:
    """A process that found what an earlier one knew, and looked at the clock for a while."""
    steady = SteadyUtc(0.0, wall)
    steady.go_on_from(known_utc, 0.0)
    for now in range(1, 2 * int(CONFIRM_S), 7):
        steady.look(float(now), wall + now)
    return steady


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


@pytest.mark.parametrize("stopped_s", [0.0, 60.0, LONGEST_STOP_S])
def test_the_clock_is_believed_after_a_stop(stopped_s: float) -> None:
    steady = SteadyUtc(5.0, 1e9 + stopped_s)
    steady.go_on_from(1e9, 5.0)
    assert steady.at(5.0) == 1e9 + stopped_s
    assert not steady.is_in_doubt


@pytest.mark.parametrize("off_s", [YEAR_S, -YEAR_S, 2 * DAY_S, -2 * DAY_S])
def test_a_clock_that_is_a_day_off_at_the_start_is_not_followed_by_itself(off_s: float) -> None:
    steady = started(1e9, 1e9 + off_s)
    assert steady.at(100.0) == 1e9 + 100.0
    assert steady.is_in_doubt
    assert steady.doubted_s == off_s


@pytest.mark.parametrize("off_s", [DAY_S, 5000.0, -60.0, -DAY_S])
def test_a_clock_that_may_be_right_at_the_start_is_followed_when_it_is_confirmed(
    off_s: float,
) -> None:
    steady = SteadyUtc(0.0, 1e9 + off_s)
    steady.go_on_from(1e9, 0.0)
    assert steady.at(0.0) == 1e9
    assert started(1e9, 1e9 + off_s).at(2 * CONFIRM_S) == 1e9 + off_s + 2 * CONFIRM_S


def test_how_long_a_stop_was_is_not_known_until_the_doubt_ends() -> None:
    steady = SteadyUtc(0.0, 1e9 + DAY_S)
    steady.go_on_from(1e9, 0.0)
    assert steady.latest(10.0) == 1e9 + 10.0 + DAY_S
    steady.look(10.0, 1e9 + 10.0 + 2 * DAY_S)  # Set again, and not right yet.
    assert steady.latest(10.0) == 1e9 + 10.0 + 2 * DAY_S
    steady.look(20.0, 1e9 + 20.0 - DAY_S)
    assert steady.latest(20.0) == steady.at(20.0) == 1e9 + 20.0
    steady.believe()
    assert steady.latest(20.0) == steady.at(20.0) == 1e9 + 20.0 - DAY_S


def test_a_jump_after_the_start_leaves_no_question_what_time_it_is() -> None:
    steady = SteadyUtc(0.0, 1e9)
    steady.look(10.0, 1e9 + 10.0 + DAY_S)
    assert steady.is_in_doubt
    assert steady.latest(10.0) == steady.at(10.0) == 1e9 + 10.0


def test_a_clock_that_is_put_right_may_show_that_the_stop_was_short() -> None:
    steady = SteadyUtc(0.0, 1e9 + YEAR_S)
    steady.go_on_from(1e9, 0.0)
    steady.look(60.0, 1e9 + 60.0 + LONGEST_STOP_S)
    assert not steady.is_in_doubt
    assert steady.at(60.0) == 1e9 + 60.0 + LONGEST_STOP_S
    steady.look(61.0, 1e9 + 61.0 + 2 * LONGEST_STOP_S)  # A jump, and no stop.
    assert steady.is_in_doubt


@pytest.mark.parametrize("off_s", [YEAR_S, -YEAR_S])
def test_somebody_may_know_that_the_clock_is_right(off_s: float) -> None:
    steady = SteadyUtc(0.0, 1e9)
    steady.believe()
    assert steady.at(0.0) == 1e9
    steady.look(1.0, 1e9 + 1.0 + off_s)
    steady.believe()
    assert steady.at(1.0) == 1e9 + 1.0 + off_s
    assert not steady.is_in_doubt


def test_a_clock_that_is_put_right_leaves_no_doubt() -> None:
    steady = SteadyUtc(0.0, 1e9 + YEAR_S)
    steady.go_on_from(1e9, 0.0)
    steady.look(60.0, 1e9 + 61.0)
    assert not steady.is_in_doubt
    assert steady.doubted_s == 0.0
    assert steady.at(60.0) == 1e9 + 61.0
