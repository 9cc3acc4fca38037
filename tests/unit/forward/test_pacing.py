"""router/forward/pacing.py: when a slot of a rate is free again.

Any delays, in any order: tests/property/test_pacing.py.
"""

from random import Random

import pytest

from router.forward.arrival import FEWEST_ROUND_TRIPS, ROUND_TRIP_SPAN_S, RoundTrip
from router.forward.pacing import (
    CATCH_UP_S,
    MARGIN_S,
    WRITE_MARGIN_S,
    BusiestSecond,
    Pacer,
)
from router.terms.limits import Rate

WAY_S = 0.1
SECOND = Rate(1, 1.0)
TWO = Rate(2, 1.0)


def known(way_s: float = WAY_S, until: float = 0.0) -> RoundTrip:
    """A round trip that is known for sure."""
    round_trip = RoundTrip()
    for place in range(FEWEST_ROUND_TRIPS + 1):
        round_trip.add_sample(way_s, until - FEWEST_ROUND_TRIPS + place)
    assert round_trip.way_s == way_s
    return round_trip


def near(at: float) -> object:
    return pytest.approx(at, abs=1e-9)


# Slots.


def test_pacer_begins_as_if_it_had_just_been_used() -> None:
    assert Pacer(TWO, 10.0).ready_at(10.0) == near(11.0 + MARGIN_S)


def test_slot_is_free_one_unit_after_the_writing_if_the_answer_came_in_the_usual_time() -> None:
    pacer = Pacer(SECOND, 0.0)
    slot = pacer.take(known(), 10.0)
    pacer.ended(slot, 10.0, 10.0 + WAY_S, answered=True)
    assert pacer.ready_at(10.5) == near(11.0 + MARGIN_S)


def test_slot_is_free_later_by_what_the_answer_was_late() -> None:
    pacer = Pacer(SECOND, 0.0)
    slot = pacer.take(known(), 10.0)
    pacer.ended(slot, 10.0, 10.0 + WAY_S + 0.3, answered=True)
    assert pacer.ready_at(10.5) == near(11.3 + MARGIN_S)


def test_answer_in_less_than_the_smallest_round_trip_frees_no_slot_before_its_unit() -> None:
    pacer = Pacer(SECOND, 0.0)
    slot = pacer.take(known(), 10.0)
    pacer.ended(slot, 10.0, 10.0 + WAY_S / 2, answered=True)
    assert pacer.ready_at(10.5) == near(11.0 + MARGIN_S)


def test_slot_of_an_unanswered_message_is_never_free() -> None:
    pacer = Pacer(SECOND, 0.0)
    pacer.take(known(), 10.0)
    assert pacer.ready_at(10.05) == near(11.0 + MARGIN_S)  # It is not late yet.
    for now in (11.0, 12.0, 20.0):
        assert pacer.ready_at(now) == near(now - WAY_S + 1.0 + MARGIN_S)


def test_while_the_way_is_unknown_a_message_arrived_when_its_answer_did() -> None:
    pacer = Pacer(SECOND, 0.0)
    round_trip = RoundTrip()
    slot = pacer.take(round_trip, 10.0)
    round_trip.add_sample(WAY_S, 10.1)
    pacer.ended(slot, 10.0, 10.1, answered=True)
    assert pacer.ready_at(10.5) == near(11.1 + MARGIN_S)


def test_later_message_on_the_same_bind_tells_that_the_earlier_one_arrived() -> None:
    pacer = Pacer(TWO, 0.0)
    round_trip = known()
    pacer.take(round_trip, 10.0)
    second = pacer.take(round_trip, 10.2)
    pacer.ended(second, 10.2, 10.2 + WAY_S, answered=True)
    assert pacer.ready_at(15.0) == near(11.2 + MARGIN_S)


def test_later_message_on_another_bind_tells_nothing() -> None:
    pacer = Pacer(TWO, 0.0)
    pacer.take(known(), 10.0)
    second = pacer.take(known(), 10.2)
    pacer.ended(second, 10.2, 10.2 + WAY_S, answered=True)
    assert pacer.ready_at(15.0) > 15.0


def test_lost_message_may_have_arrived_up_to_the_loss() -> None:
    pacer = Pacer(SECOND, 0.0)
    slot = pacer.take(known(), 10.0)
    pacer.ended(slot, 10.0, 10.4, answered=False)
    assert pacer.ready_at(10.4) == near(11.4 + MARGIN_S)


def test_answer_after_the_loss_changes_nothing() -> None:
    pacer = Pacer(SECOND, 0.0)
    slot = pacer.take(known(), 10.0)
    pacer.ended(slot, 10.0, 10.4, answered=False)
    pacer.ended(slot, 10.0, 10.6, answered=True)
    assert pacer.ready_at(10.6) == near(11.4 + MARGIN_S)


def test_loss_after_the_answer_changes_nothing() -> None:
    pacer = Pacer(SECOND, 0.0)
    slot = pacer.take(known(), 10.0)
    pacer.ended(slot, 10.0, 10.1, answered=True)
    pacer.ended(slot, 10.0, 10.4, answered=False)
    assert pacer.ready_at(10.4) == near(11.0 + MARGIN_S)


def test_slots_are_used_in_turn_around_the_ring() -> None:
    pacer = Pacer(Rate(3, 1.0), 0.0)
    round_trip = known()
    slots = [pacer.take(round_trip, float(now)) for now in range(10, 17)]
    assert slots == [0, 1, 2, 0, 1, 2, 0]


def test_message_is_known_by_its_number_after_the_rate_has_grown_twice() -> None:
    pacer = Pacer(TWO, 0.0)
    numbers = [pacer.take(known(), at) for at in (10.0, 10.1, 10.2)]
    for count in (3, 5):
        pacer.adopt(Rate(count, 1.0), 10.3)
    for number, at in zip(numbers, (10.0, 10.1, 10.2), strict=True):
        pacer.ended(number, at, at + WAY_S, answered=True)
    at_last = [place for place, at in enumerate(pacer._written_at) if at in (10.1, 10.2)]
    assert [pacer._answered_at[place] for place in at_last] == [near(10.2 + WAY_S), near(10.2)]


def test_shared_rate_takes_half_of_each_way() -> None:
    far, close, unknown = known(0.1), known(0.02), RoundTrip()
    pacer = Pacer(SECOND, 0.0, [far, close, unknown])
    slot = pacer.take(far, 10.0)
    pacer.ended(
        slot, 10.0, 10.1, answered=True
    )  # It arrived at 10.05; the next may take only 10 ms there.
    assert pacer.ready_at(10.5) == near(11.04 + MARGIN_S)
    slot = pacer.take(close, 20.0)
    pacer.ended(slot, 20.0, 20.02, answered=True)
    assert pacer.ready_at(20.5) == near(21.0 + MARGIN_S)


# Evenly.


def test_messages_are_spread_over_the_unit() -> None:
    pacer = Pacer(Rate(50, 1.0), 0.0)
    pacer.take(known(), 10.0)
    pacer.take(known(), 10.0)
    before = pacer.ready_at(10.0)
    pacer.take(known(), before)
    assert pacer.ready_at(10.0) - before == near(0.02)


def with_a_late_slot(count: int, late_s: float) -> Pacer:
    """A pacer whose last second is full of even messages; the first one's answer was late."""
    pacer = Pacer(Rate(count, 1.0), 0.0)
    for place in range(count):
        now = 10.0 + place / count
        slot = pacer.take(known(), now)
        pacer.ended(slot, now, now + WAY_S + (0.0 if place else late_s), answered=True)
    pacer._even_at = 11.0  # As if nothing had been late before.
    return pacer


@pytest.mark.parametrize(
    ("late_s", "moves_s"),
    [(0.004, 0.001), (0.02, 0.005), (0.03, 0.01)],  # The last one may be late by no more than 20.
)
def test_a_late_slot_moves_the_following_by_a_quarter_and_by_what_is_too_late(
    late_s: float, moves_s: float
) -> None:
    pacer = with_a_late_slot(50, late_s - MARGIN_S)
    assert pacer.ready_at(10.99) == near(11.0 + late_s)
    pacer.take(known(), 11.0 + late_s)
    assert pacer.ready_at(11.0 + late_s) == near(11.02 + moves_s)


def test_a_late_slot_moves_nothing_where_its_step_is_short_all_the_same() -> None:
    pacer = with_a_late_slot(200, 0.0145)
    assert pacer.ready_at(10.999) == near(11.0145 + MARGIN_S)
    pacer.take(known(), 11.0145 + MARGIN_S)
    assert pacer.ready_at(11.0145 + MARGIN_S) == near(11.005 + MARGIN_S)


def test_a_tenth_of_a_second_is_caught_up_with_and_no_more() -> None:
    pacer = Pacer(Rate(50, 1.0), 0.0)
    together = 0
    while pacer.ready_at(100.0) <= 100.0:
        pacer.take(known(), 100.0)
        together += 1
    assert together == round(CATCH_UP_S * 50) + 1


# An operator whose processing time varies.


def with_varying_answers(rate: Rate, by_units: float) -> tuple[Pacer, RoundTrip, float]:
    """A pacer whose operator has answered one in two at once and the other one late."""
    pacer, round_trip, now = Pacer(rate, 0.0), known(), 100.0
    for _ in range(200):
        slot = pacer.take(round_trip, now)
        round_trip.add_sample(WAY_S, now + WAY_S)  # Signs of life: of others that share the bind.
        late_s = by_units * rate.per_s
        round_trip.add_sample(WAY_S + late_s, now + WAY_S + late_s)
        pacer.ended(slot, now, now + WAY_S + late_s, answered=True)
        now += 2 * rate.per_s
    return pacer, round_trip, now


@pytest.mark.parametrize("per_s", [1.0, 60.0, 3600.0])
def test_where_answers_cost_too_much_writing_and_a_share_of_the_unit_decide(per_s: float) -> None:
    pacer, round_trip, now = with_varying_answers(Rate(1, per_s), 0.2)
    assert not pacer.answers_tell
    pacer.take(round_trip, now)
    round_trip.add_sample(WAY_S, now + WAY_S)
    assert pacer.ready_at(now + per_s) == near(now + per_s * (1 + WRITE_MARGIN_S) + MARGIN_S)


def test_answers_decide_while_they_cost_little() -> None:
    pacer, round_trip, now = with_varying_answers(SECOND, 0.007)
    assert pacer.answers_tell
    pacer.take(round_trip, now)
    assert pacer.ready_at(now + 5.0) > now + 5.0


def test_late_answer_to_an_earlier_message_of_a_slot_says_nothing_of_the_next() -> None:
    pacer, round_trip, now = with_varying_answers(SECOND, 0.2)
    slot = pacer.take(round_trip, now)
    pacer.take(round_trip, now + 2.0)  # The operator takes a varying time: it need not be answered.
    round_trip.add_sample(WAY_S, now + 2.0 + WAY_S)
    pacer.ended(slot, now, now + 2.01, answered=True)
    pacer.ended(slot, now, now + 2.01, answered=False)
    expected = now + 3.0 + WRITE_MARGIN_S + MARGIN_S
    assert pacer.ready_at(now + 9.0) == near(expected)


def test_nothing_is_learnt_while_the_way_is_unknown() -> None:
    pacer, round_trip = Pacer(SECOND, 0.0), RoundTrip()
    for now in (100.0, 110.0):
        slot = pacer.take(round_trip, now)
        pacer.ended(slot, now, now + 5.0, answered=True)
    assert pacer.answers_tell


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("count", [1, 2, 4, 8, 50, 60])
def test_answers_of_two_binds_vary_whichever_of_them_varies(count: int, place: int) -> None:
    first = known()
    binds = first, RoundTrip(first.path)
    pacer, now = Pacer(Rate(count, 1.0), 0.0, binds), 100.0
    for number in range(400):
        bind = binds[number % 2]
        late_s = 0.3 if number % 2 == place else 0.0
        answered_at = now + WAY_S + late_s
        slot = pacer.take(bind, now)
        bind.add_sample(WAY_S, now + WAY_S)  # Signs of life.
        pacer.ended(slot, now, answered_at, answered=True)
        now += max(1.0 / count, 0.5)
    assert not pacer.answers_tell


# The round trip.


def test_smallest_round_trip_is_shown_at_once_and_trusted_later() -> None:
    round_trip = RoundTrip()
    for place in range(FEWEST_ROUND_TRIPS):
        round_trip.add_sample(0.2 + place, float(place))
        assert round_trip.smallest_s == 0.2
        assert round_trip.way_s == 0.0
    round_trip.add_sample(0.3, 100.0)
    assert round_trip.way_s == 0.2


def test_answers_that_come_all_at_once_count_as_one() -> None:
    round_trip = RoundTrip()
    for place in range(100):
        round_trip.add_sample(2.0 - place / 100, 50.0 + place / 100_000)
    assert round_trip.way_s == 0.0


def test_path_that_has_grown_longer_is_noticed_after_two_spans() -> None:
    round_trip = known(0.1)
    at = 0.0
    while at <= 3 * ROUND_TRIP_SPAN_S:
        at += 0.5
        round_trip.add_sample(0.4, at)
        if at <= ROUND_TRIP_SPAN_S:
            assert round_trip.way_s == 0.1
    assert round_trip.way_s == 0.4


def test_few_answers_in_a_long_time_keep_what_is_known() -> None:
    round_trip = known(0.1)
    for place in range(FEWEST_ROUND_TRIPS):
        round_trip.add_sample(0.4, 1000.0 * place)
    assert round_trip.way_s == 0.1


def test_silence_lasts_to_the_first_answer_or_until_now() -> None:
    round_trip = RoundTrip()
    for at in (1.0, 2.0, 2.0, 4.0):
        round_trip.add_sample(0.1, at)
    assert [round_trip.silent_s(at, 9.0) for at in (0.0, 1.0, 1.5, 2.5, 4.0)] == [1, 0, 0.5, 1.5, 0]
    assert round_trip.silent_s(5.0, 9.0) == 4.0
    assert round_trip.silent_s(9.0, 8.0) == 0.0


def test_answers_are_remembered_within_bounds() -> None:
    round_trip = RoundTrip()
    for place in range(20_000):
        round_trip.add_sample(0.1, place / 1000)
    assert len(round_trip._answers) < 10_000
    assert round_trip.silent_s(19.0, 99.0) == 0.0
    assert round_trip.silent_s(1.0, 99.0) > 0.0  # Forgotten: too late rather than too early.


# The busiest second.


def test_second_that_begins_with_a_message_does_not_end_with_another() -> None:
    busiest = BusiestSecond()
    for now in (10.0, 10.5, 11.0):
        busiest.written(now)
    assert busiest.most(11.0) == 2


def test_peak_is_forgotten_after_a_minute() -> None:
    busiest = BusiestSecond()
    assert busiest.most(0.0) == 0
    for now in (10.0, 10.0, 10.0, 30.0, 30.0, 50.0):
        busiest.written(now)
    assert [busiest.most(now) for now in (50.0, 70.0, 70.1, 90.1, 111.0)] == [3, 3, 2, 1, 0]


def test_peaks_are_forgotten_while_messages_are_written_too() -> None:
    busiest = BusiestSecond()
    for place in range(1000):
        for late_s in (0.0, 0.0, 3.0):
            busiest.written(place * 7.0 + late_s)
        assert len(busiest._peaks) <= 2
        assert len(busiest._second) <= 1
    busiest.written(7061.0)
    assert [busiest.most(now) for now in (7053.0, 7053.1, 7061.0)] == [2, 1, 1]


def test_many_at_one_moment_count_as_if_each_had_its_own() -> None:
    rng, busiest, written = Random(3), BusiestSecond(), list[float]()
    now = 0.0
    for _ in range(500):
        now += rng.choice([0.0, 0.0, 0.05, 0.25, 0.5, 1.0, 20.0])
        busiest.written(now)
        written.append(now)
        later = now + rng.choice([0.0, 0.3, 30.0])
        ends = [at for at in written if at >= later - 60.0]
        counts = [sum(end - 1.0 < at <= end for at in written) for end in ends]
        assert busiest.most(later) == max(counts, default=0)
