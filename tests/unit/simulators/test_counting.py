"""simulators/counting.py."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.terms.limits import Rate
from simulators.counting import (
    NEVER,
    Allowance,
    Schedule,
    SlidingSecond,
    Weighted,
    percentile,
    summary_ms,
)

SECOND = 1024
# In 1024ths, which floats hold exactly, so that "exactly one second apart" happens.
steps = st.lists(
    st.tuples(st.sampled_from([0, 1, 250, 333, 512, 1023, 1024, 1025]), st.integers(1, 5)),
    min_size=1,
    max_size=40,
)


@given(steps)
def test_busiest_second_is_that_of_a_count_over_every_second(steps: list[tuple[int, int]]) -> None:
    second, at, seen = SlidingSecond(), 0, []
    for step, count in steps:
        at += step
        seen += [at] * count
        second.add(at / SECOND, count)
    counts = [sum(1 for then in seen if begin <= then < begin + SECOND) for begin in seen]
    assert second.busiest == max(counts)


def test_arrivals_exactly_one_second_apart_are_in_different_seconds() -> None:
    second = SlidingSecond()
    second.add(10.0, 50)
    second.add(11.0, 50)
    assert second.busiest == 50
    second.add(11.999, 1)
    assert second.busiest == 51


@given(steps, st.integers(1, 4))
def test_allowance_never_takes_more_than_its_rate_in_any_span(
    steps: list[tuple[int, int]], rate: int
) -> None:
    allowance, at, taken = Allowance(Rate(rate, 1.0)), 0, []
    for step, count in steps:
        at += step
        for _ in range(count):
            if allowance.has_room(at / SECOND):
                allowance.take(at / SECOND)
                taken.append(at)
    for begin in taken:
        assert sum(1 for then in taken if begin <= then < begin + SECOND) <= rate


def test_allowance_has_room_again_one_span_after_the_first_and_not_before() -> None:
    allowance = Allowance(Rate(2, 1.0))
    for now in (0.0, 0.4):
        allowance.take(now)
    assert not allowance.has_room(0.999)
    assert allowance.has_room(1.0)
    allowance.take(1.0)
    assert not allowance.has_room(1.3)


@given(st.lists(st.floats(0.0, 10.0), min_size=1, max_size=50), st.floats(0.0, 12.0))
def test_schedule_is_never_early_and_at_most_a_tick_late(waits: list[float], now: float) -> None:
    schedule: Schedule[float] = Schedule(0.01)
    for due_at in waits:
        schedule.add(due_at, due_at)
    found = schedule.due(now)
    assert all(due_at <= now + 1e-9 for due_at in found)
    assert sorted(found) == sorted(w for w in waits if w in found)
    left = [w for w in waits if w not in found]
    assert all(due_at > now - 0.0100001 for due_at in left)
    assert len(schedule) == len(waits) - len(found)
    assert (schedule.next_at() == NEVER) == (len(schedule) == 0)


def test_schedule_keeps_the_order_of_what_is_due_together() -> None:
    schedule: Schedule[str] = Schedule(0.001)
    for at, name in ((2.0, "later"), (1.0, "a"), (1.0, "b"), (1.0, "c")):
        schedule.add(at, name)
    assert schedule.next_at() == pytest.approx(1.0)
    assert schedule.due(3.0) == ["a", "b", "c", "later"]


def test_weighted_choice_is_by_weight_and_the_same_for_the_same_seed() -> None:
    weighted = Weighted([("delivered", 98.0), ("failed", 2.0)])
    first, second = Random(7), Random(7)
    drawn = [weighted.pick(first.random()) for _ in range(10_000)]
    assert drawn == [weighted.pick(second.random()) for _ in range(10_000)]
    assert 150 <= drawn.count("failed") <= 250


def test_weight_of_nothing_is_never_chosen() -> None:
    weighted = Weighted([("a", 0.0), ("b", 1.0), ("c", 0.0)])
    assert weighted.certain
    assert {weighted.pick(chance) for chance in (0.0, 0.5, 0.999999999, 1.0)} == {"b"}


@given(st.integers(1, 2000), st.sampled_from([50.0, 99.0, 99.9, 100.0]))
def test_percentile_is_the_smallest_that_so_many_do_not_exceed(count: int, percent: float) -> None:
    ascending = [float(n) for n in range(count)]
    found = percentile(ascending, percent)
    reach = round(count * percent / 100, 6)
    assert found + 1 >= reach
    assert found == 0 or found < reach


def test_summary_of_nothing_is_zero() -> None:
    assert summary_ms([]) == {"p50": 0.0, "p99": 0.0, "p99.9": 0.0, "max": 0.0}
    assert summary_ms([0.002, 0.001])["max"] == 2.0
