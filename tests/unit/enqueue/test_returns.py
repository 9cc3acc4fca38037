"""router/enqueue/returns.py: who is back is passed over for less and less of the time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.enqueue.returns import BLIP_S, FIRST_SHARE, Returns
from tests.unit.messages import ELISA, TELIA

NEVER = float("inf")


def back(away_s: float, ramp_s: float = 30.0, now: float = 1000.0) -> Returns:
    """Telia was away for so long, and has just come back."""
    returns = Returns({TELIA: ramp_s}, now - 500.0)
    returns.came(TELIA, now - 490.0)
    returns.turn(now - 300.0)
    returns.went(TELIA, now - away_s)
    returns.came(TELIA, now)
    return returns


def on_for(returns: Returns, begin: float, end: float, step: float = 0.01) -> float:
    """The part of this time for which telia is not passed over."""
    steps = round((end - begin) / step)
    on = 0
    for n in range(steps):
        returns.turn(begin + (n + 0.5) * step)
        on += TELIA not in returns.passed_over
    return on / steps


def test_share_grows_from_a_tenth_to_all() -> None:
    returns = back(away_s=100.0)
    shares = [on_for(returns, 1000.0 + second, 1001.0 + second) for second in range(29)]
    assert shares[0] == pytest.approx(FIRST_SHARE)
    assert shares[15] == pytest.approx(0.5)
    assert shares[28] == pytest.approx(28 / 30, abs=0.02)
    assert shares == sorted(shares)
    assert on_for(returns, 1029.0, 1031.0) == 1.0
    assert returns.returning == {}
    assert returns.turns_at == NEVER


def test_it_takes_no_longer_than_it_was_away() -> None:
    returns = back(away_s=10.0)
    assert on_for(returns, 1005.0, 1006.0) == pytest.approx(0.5)
    returns.turn(1010.0)
    assert returns.returning == {}


@pytest.mark.parametrize(("away_s", "ramp_s"), [(BLIP_S - 0.1, 30.0), (100.0, 0.0)])
def test_after_a_blip_or_without_a_ramp_all_is_back_at_once(away_s: float, ramp_s: float) -> None:
    returns = back(away_s, ramp_s)
    assert returns.returning == {}
    assert returns.turns_at == NEVER


def test_blip_does_not_end_a_return() -> None:
    returns = back(away_s=100.0)
    returns.turn(1010.6)
    assert TELIA in returns.passed_over
    returns.went(TELIA, 1010.7)
    assert not returns.passed_over
    returns.came(TELIA, 1010.8)
    assert TELIA in returns.passed_over
    assert on_for(returns, 1015.0, 1016.0) == pytest.approx(0.5)
    returns.went(TELIA, 1016.0)
    returns.came(TELIA, 1020.0)
    assert on_for(returns, 1020.0, 1021.0) == pytest.approx(20 / 30, abs=0.02)
    returns.turn(1031.0)
    assert returns.returning == {}


def test_return_that_is_broken_off_for_longer_begins_anew() -> None:
    returns = back(away_s=100.0)
    returns.turn(1020.0)
    returns.went(TELIA, 1020.0)
    returns.came(TELIA, 1040.0)
    assert on_for(returns, 1040.0, 1041.0) == pytest.approx(FIRST_SHARE)


def test_operator_that_was_never_there_was_away_since_the_start() -> None:
    returns = Returns({TELIA: 30.0, ELISA: 30.0}, 0.0)
    returns.came(TELIA, 3.0)
    assert TELIA not in returns.returning
    returns.came(ELISA, 20.0)
    assert ELISA in returns.returning


def test_operator_that_was_only_tried_was_away_all_the_time() -> None:
    returns = Returns({TELIA: 30.0}, 0.0)
    returns.came(TELIA, 1.0)
    returns.went(TELIA, 100.0)
    returns.went(TELIA, 199.0)
    returns.came(TELIA, 200.0)
    assert on_for(returns, 200.0, 201.0) == pytest.approx(FIRST_SHARE)


def test_operator_that_goes_again_is_forgotten() -> None:
    returns = back(away_s=100.0)
    returns.turn(1000.5)
    assert returns.passed_over == {TELIA}
    returns.went(TELIA, 1000.6)
    assert returns.passed_over == set()
    assert returns.returning == {}
    assert returns.turn(1002.0) == []


def test_turns_are_told_once() -> None:
    returns = back(away_s=100.0)
    assert returns.turn(1000.05) == []
    assert returns.turn(1000.1) == [TELIA]
    assert returns.turn(1000.1) == []
    assert returns.turn(1001.0) == [TELIA]
    assert returns.passed_over == set()


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
    returns = back(away_s, ramp_s, now)
    for wait_s in waits:
        now = min(now + wait_s, returns.turns_at)
        returns.turn(now)
        assert returns.turns_at > now
        assert returns.passed_over <= returns.returning.keys()
    returns.turn(now + 200.0)
    assert returns.returning == {}
