"""router/enqueue/ramp_up.py: who is back is passed over for less and less of the time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.enqueue.ramp_up import BLIP_S, FIRST_SHARE, RampUp
from router.terms.names import OperatorName
from tests.unit.messages import ELISA, TELIA

NEVER = float("inf")


def back(away_s: float, ramp_s: float = 30.0, now: float = 1000.0) -> RampUp:
    """Telia was away for so long, and has just come back."""
    ramp_up = RampUp({TELIA: ramp_s}, now - 500.0)
    ramp_up.came_back(TELIA, now - 490.0)
    ramp_up.wake(now - 300.0)
    ramp_up.went_away(TELIA, now - away_s)
    ramp_up.came_back(TELIA, now)
    return ramp_up


def on_for(ramp_up: RampUp, begin: float, end: float, step: float = 0.01) -> float:
    """The part of this time for which telia is not passed over."""
    steps = round((end - begin) / step)
    on = 0
    for n in range(steps):
        ramp_up.wake(begin + (n + 0.5) * step)
        on += TELIA not in ramp_up.skipped
    return on / steps


def test_share_grows_from_a_tenth_to_all() -> None:
    ramp_up = back(away_s=100.0)
    shares = [on_for(ramp_up, 1000.0 + second, 1001.0 + second) for second in range(29)]
    assert shares[0] == pytest.approx(FIRST_SHARE)
    assert shares[15] == pytest.approx(0.5)
    assert shares[28] == pytest.approx(28 / 30, abs=0.02)
    assert shares == sorted(shares)
    assert on_for(ramp_up, 1029.0, 1031.0) == 1.0
    assert ramp_up.ramping == {}
    assert ramp_up.wake_at() == NEVER


def test_it_takes_no_longer_than_it_was_away() -> None:
    ramp_up = back(away_s=10.0)
    assert on_for(ramp_up, 1005.0, 1006.0) == pytest.approx(0.5)
    ramp_up.wake(1010.0)
    assert ramp_up.ramping == {}


@pytest.mark.parametrize(("away_s", "ramp_s"), [(BLIP_S - 0.1, 30.0), (100.0, 0.0)])
def test_after_a_blip_or_without_a_ramp_all_is_back_at_once(away_s: float, ramp_s: float) -> None:
    ramp_up = back(away_s, ramp_s)
    assert ramp_up.ramping == {}
    assert ramp_up.wake_at() == NEVER


def test_blip_does_not_end_a_return() -> None:
    ramp_up = back(away_s=100.0)
    ramp_up.wake(1010.6)
    assert TELIA in ramp_up.skipped
    ramp_up.went_away(TELIA, 1010.7)
    assert not ramp_up.skipped
    ramp_up.came_back(TELIA, 1010.8)
    assert TELIA in ramp_up.skipped
    assert on_for(ramp_up, 1015.0, 1016.0) == pytest.approx(0.5)
    ramp_up.went_away(TELIA, 1016.0)
    ramp_up.came_back(TELIA, 1020.0)
    assert on_for(ramp_up, 1020.0, 1021.0) == pytest.approx(20 / 30, abs=0.02)
    ramp_up.wake(1031.0)
    assert ramp_up.ramping == {}


def test_return_that_is_broken_off_for_longer_begins_anew() -> None:
    ramp_up = back(away_s=100.0)
    ramp_up.wake(1020.0)
    ramp_up.went_away(TELIA, 1020.0)
    ramp_up.came_back(TELIA, 1040.0)
    assert on_for(ramp_up, 1040.0, 1041.0) == pytest.approx(FIRST_SHARE)


def test_operator_that_was_never_there_was_away_since_the_start() -> None:
    ramp_up = RampUp({TELIA: 30.0, ELISA: 30.0}, 0.0)
    ramp_up.came_back(TELIA, 3.0)
    assert TELIA not in ramp_up.ramping
    ramp_up.came_back(ELISA, 20.0)
    assert ELISA in ramp_up.ramping


def test_operator_that_was_only_tried_was_away_all_the_time() -> None:
    ramp_up = RampUp({TELIA: 30.0}, 0.0)
    ramp_up.came_back(TELIA, 1.0)
    ramp_up.went_away(TELIA, 100.0)
    ramp_up.went_away(TELIA, 199.0)
    ramp_up.came_back(TELIA, 200.0)
    assert on_for(ramp_up, 200.0, 201.0) == pytest.approx(FIRST_SHARE)


def test_operator_that_goes_again_is_forgotten() -> None:
    ramp_up = back(away_s=100.0)
    ramp_up.wake(1000.5)
    assert ramp_up.skipped == {TELIA}
    ramp_up.went_away(TELIA, 1000.6)
    assert ramp_up.skipped == set()
    assert ramp_up.ramping == {}
    assert ramp_up.wake(1002.0) == []


def test_turns_are_told_once() -> None:
    ramp_up = back(away_s=100.0)
    assert ramp_up.wake(1000.05) == []
    assert ramp_up.wake(1000.1) == [TELIA]
    assert ramp_up.wake(1000.1) == []
    assert ramp_up.wake(1001.0) == [TELIA]
    assert ramp_up.skipped == set()


@given(
    st.floats(0.0, 1e6),
    st.floats(5.0, 100.0),
    st.floats(0.0, 60.0),
    st.lists(st.floats(0.001, 50.0), min_size=1, max_size=60),
)
def test_whenever_it_is_asked_it_asks_to_be_asked_later(
    begin: float, away_s: float, ramp_s: float, waits: list[float]
) -> None:
    now = begin + 600.0
    ramp_up = back(away_s, ramp_s, now)
    for wait_s in waits:
        now = min(now + wait_s, ramp_up.wake_at())
        ramp_up.wake(now)
        assert ramp_up.wake_at() > now
        assert ramp_up.skipped <= ramp_up.ramping.keys()
    ramp_up.wake(now + 200.0)
    assert ramp_up.ramping == {}


# Another configuration.


def test_ramp_that_is_shortened_ends_sooner() -> None:
    ramp_up = back(away_s=100.0)
    ramp_up.wake(1005.0)
    assert ramp_up.adopt({TELIA: 10.0}) == []
    assert on_for(ramp_up, 1007.0, 1008.0) == pytest.approx(0.7)
    assert ramp_up.adopt({TELIA: 5.0}) == [TELIA]
    assert (ramp_up.ramping, ramp_up.skipped, ramp_up.wake_at()) == ({}, set(), NEVER)


def test_ramp_that_is_lengthened_is_no_longer_than_the_operator_was_away() -> None:
    ramp_up = back(away_s=20.0, ramp_s=10.0)
    assert ramp_up.adopt({TELIA: 40.0}) == []
    assert on_for(ramp_up, 1005.0, 1006.0) == pytest.approx(0.25)
    assert on_for(ramp_up, 1020.0, 1021.0) == 1.0


def test_operator_that_comes_back_later_has_the_new_ramp() -> None:
    ramp_up = back(away_s=100.0, ramp_s=0.0)
    ramp_up.adopt({TELIA: 30.0})
    ramp_up.went_away(TELIA, 1100.0)
    ramp_up.came_back(TELIA, 1200.0)
    assert TELIA in ramp_up.ramping


@pytest.mark.parametrize("ramps_s", [{TELIA: 0.0}, {}])
def test_ramp_that_a_blip_has_interrupted_may_be_over(ramps_s: dict[OperatorName, float]) -> None:
    ramp_up = back(away_s=100.0)
    ramp_up.went_away(TELIA, 1005.0)
    assert ramp_up.adopt(ramps_s) == []
    ramp_up.came_back(TELIA, 1006.0)
    assert ramp_up.ramping == {}
