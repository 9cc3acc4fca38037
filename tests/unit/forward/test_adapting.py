"""router/forward/adapting.py: a bind is slowed at once, and goes back to its contract by and by.

Any order of events: tests/property/test_adapting.py.
"""

from collections.abc import Iterable

import pytest

from router.forward.adapting import (
    CUT,
    FEW,
    FEW_SHARE,
    FEWEST_ANSWERS,
    FLOOR,
    HOLD,
    LOOK_S,
    SLOW_AGAIN_S,
    SLOW_S,
    SLOW_TIMES,
    STEP,
    UNDER,
    USUAL_AGAIN_S,
    AdaptiveRate,
)
from router.terms.limits import Rate

FIFTY = Rate(50, 1.0)
NEVER = float("inf")


def near(value: float) -> object:
    return pytest.approx(value, abs=1e-9)


def test_rate_is_the_contract_until_something_happens() -> None:
    adaptive = AdaptiveRate(FIFTY)
    assert (adaptive.is_slowed, adaptive.per_second(100.0)) == (False, 50.0)
    assert not adaptive.tick(SLOW_S, NEVER, 100.0)
    assert not adaptive.is_slowed


# Refused.


def test_certain_refusal_slows_at_once() -> None:
    adaptive = AdaptiveRate(FIFTY)
    assert adaptive.refused(99.9, 100.0)
    assert (adaptive.is_slowed, adaptive.per_second(100.0)) == (True, near(50 * CUT))


def test_those_that_were_under_way_at_the_same_time_slow_no_more() -> None:
    adaptive = AdaptiveRate(FIFTY)
    adaptive.refused(99.9, 100.0)
    assert not adaptive.refused(99.95, 100.1)
    assert adaptive.refused(100.05, 100.1)
    assert adaptive.per_second(100.1) < 50 * CUT


def test_rate_stays_under_what_was_refused_and_then_goes_back_to_the_contract() -> None:
    adaptive = AdaptiveRate(FIFTY)
    adaptive.refused(99.9, 100.0)
    adaptive.refused(100.1, 100.2)  # At 30.5 a second.
    refused = 50 * CUT + 50 * STEP * 0.2
    assert adaptive.per_second(100.2) == near(refused * CUT)
    assert adaptive.per_second(102.2) == near(refused * CUT + 2 * 50 * STEP)
    assert adaptive.per_second(100.2 + HOLD) == near(refused * UNDER)
    assert adaptive.per_second(100.2 + HOLD + 1) == near(refused * UNDER + 50 * STEP)
    assert adaptive.per_second(100.2 + HOLD + 20) == 50.0
    adaptive.tick(0.0, 0.02, 100.2 + HOLD + 20)
    assert not adaptive.is_slowed


def test_rate_never_falls_under_its_floor() -> None:
    adaptive = AdaptiveRate(FIFTY)
    for now in range(100, 200):
        adaptive.refused(now - 0.1, float(now))
    assert adaptive.per_second(199.0) == near(50 * FLOOR)


@pytest.mark.parametrize("rate", [Rate(1, 60.0), Rate(100, 60.0), Rate(9, 3600.0)], ids=str)
def test_rate_of_a_longer_unit_goes_back_by_the_minute(rate: Rate) -> None:
    adaptive = AdaptiveRate(rate)
    adaptive.refused(99.0, 100.0)
    assert adaptive.per_second(160.0) == near(rate.per_second * (CUT + STEP))


# Throttled.


def chances(adaptive: AdaptiveRate, answers: Iterable[int], now: float = 100.0) -> list[bool]:
    """Whether each of these answers, by number, is one of a few that were throttled."""
    return [adaptive.is_by_chance(now - 0.02, answered, now) for answered in answers]


def test_two_throttled_are_by_chance_and_of_few_answers_the_third_is_not() -> None:
    assert chances(AdaptiveRate(FIFTY), [1, 2, 3]) == [True] * FEW + [False]


@pytest.mark.parametrize("rate", [Rate(1, 60.0), Rate(5, 1.0), FIFTY, Rate(100, 1.0)], ids=str)
def test_slow_bind_looks_at_its_last_hundred_answers(rate: Rate) -> None:
    few = int(FEWEST_ANSWERS * FEW_SHARE)
    near = range(1000, 1000 + few + 1)
    assert chances(AdaptiveRate(rate), near) == [True] * few + [False]
    spread = range(1000, 2000, FEWEST_ANSWERS // few)
    assert all(chances(AdaptiveRate(rate), spread))


def test_fast_bind_looks_at_the_answers_of_a_second() -> None:
    adaptive = AdaptiveRate(Rate(1000, 1.0))
    assert chances(adaptive, range(5000, 5051)) == [True] * 50 + [False]


def test_slowed_bind_looks_at_what_it_has_answered_in_a_second_now() -> None:
    adaptive = AdaptiveRate(Rate(1000, 1.0))
    adaptive.refused(99.0, 100.0)
    few = int(1000 * CUT * FEW_SHARE)
    assert chances(adaptive, range(5000, 5000 + few + 1), 100.0 + 1e-9).count(True) == 0
    assert chances(adaptive, range(5000, 5000 + few + 1), 100.03) == [True] * few + [False]


def test_those_that_led_to_a_cut_are_counted_no_more() -> None:
    adaptive = AdaptiveRate(FIFTY)
    chances(adaptive, range(1000, 1006))
    adaptive.refused(99.98, 100.0)
    assert chances(adaptive, [1006], 100.01) == [False]  # It was written before the cut.
    assert chances(adaptive, range(1007, 1013), 101.0) == [True] * 5 + [False]


def test_rate_stays_under_what_was_taken_of_what_was_sent() -> None:
    adaptive = AdaptiveRate(FIFTY)
    assert chances(adaptive, range(1000, 1026, 5)) == [True] * 5 + [False]  # 20 of 26 were taken.
    assert adaptive.refused(99.98, 100.0)
    assert adaptive.per_second(100.0) == near(50 * CUT)
    assert adaptive.per_second(100.0 + HOLD) == near(50 * 20 / 26 * UNDER)


def test_one_that_was_throttled_by_chance_says_nothing_of_what_was_taken() -> None:
    adaptive = AdaptiveRate(FIFTY)
    assert chances(adaptive, [1000]) == [True]
    adaptive.refused(99.98, 100.0)  # With another status.
    assert adaptive.per_second(100.0 + HOLD) == near(50 * UNDER)


# Slow.


def test_answer_that_does_not_come_slows_again_and_again() -> None:
    adaptive = AdaptiveRate(FIFTY)
    assert not adaptive.tick(0.5, 0.02, 100.0)
    cuts = [adaptive.tick(now - 100.0, 0.02, float(now)) for now in range(101, 115)]
    assert [at for at, cut in enumerate(cuts, 101) if cut] == [104, 109, 114]
    assert adaptive.per_second(114.0) < 50 * CUT


def test_answers_that_take_as_long_as_usual_are_not_slow() -> None:
    adaptive = AdaptiveRate(FIFTY)
    adaptive.tick(2.0, 2.0, 100.0)
    assert not adaptive.tick(2.0 * SLOW_TIMES, 2.0, 101.0)
    assert adaptive.tick(2.0 * SLOW_TIMES + 0.1, 2.0, 102.0)


def test_what_is_usual_is_what_was_before_it_became_slow() -> None:
    adaptive = AdaptiveRate(FIFTY)
    adaptive.tick(0.1, 0.02, 100.0)
    assert adaptive.tick(4.0, 0.02, 101.0)
    assert adaptive.tick(4.0, 3.9, 101.0 + SLOW_AGAIN_S)  # By now no answer is quicker.


def test_what_was_slow_for_a_minute_is_usual() -> None:
    adaptive = AdaptiveRate(FIFTY)
    adaptive.tick(0.1, 0.02, 100.0)
    adaptive.tick(4.0, 3.9, 101.0)
    assert not adaptive.tick(4.0, 3.9, 101.0 + USUAL_AGAIN_S)


# When.


def test_messages_are_a_gap_of_the_adapted_rate_apart() -> None:
    adaptive = AdaptiveRate(FIFTY)
    adaptive.refused(99.9, 100.0)
    assert adaptive.ready_at(100.0) == 100.0
    adaptive.sent(100.0)
    gap_s = 1 / (50 * CUT)
    assert adaptive.ready_at(100.0) == near(100.0 + gap_s)
    assert adaptive.ready_at(100.0 + gap_s) == 100.0 + gap_s


def test_long_wait_is_worked_out_anew_every_second() -> None:
    adaptive = AdaptiveRate(Rate(1, 60.0))
    adaptive.refused(99.0, 100.0)
    adaptive.sent(100.0)
    now, asked = 100.0, 0
    while (at := adaptive.ready_at(now)) > now:
        assert at <= now + LOOK_S
        now, asked = at, asked + 1
    assert 60 < now - 100.0 < 60 / CUT  # It has become quicker meanwhile.
    assert asked < 110
