"""router/forward/pacing.py: whatever delays there are, the operator counts at most N in any unit.

A sender with a pacer, a wire and a receiver are played through on a clock that jumps from one event
to the next. What the operator counts is when it reads a message, so its own stalls count too. The
pacer's assumption is built in: the smallest round trip is known. Everything else is arbitrary.
"""

from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import cycle, islice, pairwise
from math import floor
from random import Random
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.forward.arrival import RoundTrip
from router.forward.pacing import (
    LATEST_S,
    MARGIN_S,
    WRITE_MARGIN_S,
    BusiestSecond,
    Pacer,
)
from router.terms.limits import Rate

ROUNDING_S: Final = 1e-6
SECOND_50: Final = Rate(50, 1.0)
HELD_BACK_S: Final = 0.04
"""How long the operator's system holds acknowledgements back."""
GIVEN_UP_AFTER_UNITS: Final = 4.0
"""Longer than any delay below, as a response_timeout is longer than any delay that is none."""


@dataclass(frozen=True)
class Trouble:
    """What befalls one message and those who deal with it, in units of the rate."""

    stalls: float = 0.0
    """How long the sender does nothing after it has written this one."""
    late: float = 0.0
    """How much later than on an idle way the operator reads it."""
    answers_vary: float = 0.0
    """How long the operator takes for its answer."""
    back: float = 0.0
    """How much longer than on an idle way the answer takes."""
    answered: bool = True
    breaks: bool = False
    """The connection is lost, some time after this one was written."""
    bind: int = 0


NO_TROUBLE: Final = (Trouble(),)


@dataclass
class Sent:
    """One message, as it went."""

    bind: int
    slot: int
    written_at: float
    arrived_at: float
    answered: bool
    waited: bool
    """It was written when answers allowed it: its answers were not held to vary."""
    rate: Rate
    """In force when it was written."""
    reached_at: float = 0.0
    """When its octets reached the operator's machine."""
    over: bool = False


@dataclass
class Campaign:
    """Messages that are sent as fast as a pacer lets them go."""

    rate: Rate
    ways: tuple[float, ...] = (0.01,)
    """The way there of each bind, in seconds; the way back is as long."""
    knows_the_way: bool = True
    """Whether the smallest round trip is known all the time."""
    asleep: list[tuple[float, float]] = field(default_factory=list)
    """From when to when the operator reads nothing and answers nothing, in order."""
    batch_s: float = 0.0
    """Answers go out together, once in this time; 0: each when it is ready."""
    acknowledges: bool = False
    """Whether the sender's system tells what the operator's has acknowledged."""
    changes: list[tuple[float, Rate]] = field(default_factory=list)
    """When another rate comes into force, in order."""
    start: float = 100.0
    sent: list[Sent] = field(default_factory=list)
    pacer: Pacer = field(init=False)

    def __post_init__(self) -> None:
        self.round_trips = [RoundTrip() for _ in self.ways]
        sharing = self.round_trips if len(self.ways) > 1 else ()
        self.pacer = Pacer(self.rate, self.start, sharing)
        self.now = self.start
        self._events: list[tuple[float, int, Sent | None]] = []
        self._order = 0
        self._busy_until = self.start
        self._reached_at = [0.0] * len(self.ways)
        self._written: list[list[Sent]] = [[] for _ in self.ways]
        self._had = [0] * len(self.ways)
        self._longest_s = max(one.per_s for one in (self.rate, *(new for _, new in self.changes)))
        if self.knows_the_way:
            for self.now in (self.start + place / 10 for place in range(-9, 1)):
                for bind in range(len(self.ways)):
                    self._remind(bind)

    def run(self, troubles: list[Trouble] | tuple[Trouble, ...], messages: int) -> list[Sent]:
        fates = cycle(troubles)
        self._at(self.start, None)
        while len(self.sent) < messages:
            at, _, answered = heappop(self._events)
            self.now = max(at, self._busy_until, self.now)
            if answered is not None and not answered.over:
                self._answered(answered)
            while self.changes and self.changes[0][0] <= self.now:
                self.rate = self.changes.pop(0)[1]
                self.pacer.adopt(self.rate, self.now)
            while self.pacer.ready_at(self.now) <= self.now:
                self._send(next(fates))
                if self._busy_until > self.now:
                    break
            ready_at = max(self.pacer.ready_at(self.now), self._busy_until)
            self._at(min([ready_at, *(at for at, _ in self.changes[:1])]), None)
        return self.sent

    def _at(self, at: float, answered: Sent | None) -> None:
        if answered is None:  # Only one look-out for the next slot.
            self._events = [event for event in self._events if event[2] is not None]
            self._events.sort()
        self._order += 1
        heappush(self._events, (at, self._order, answered))

    def _send(self, fate: Trouble) -> None:
        unit = self.rate.per_s
        bind = fate.bind % len(self.ways)
        way_s = self.ways[bind]
        waited = self.pacer.answers_tell
        slot = self.pacer.take(self.round_trips[bind], self.now)
        reached_at = max(self._reached_at[bind], self.now + way_s + fate.late * unit)
        arrived_at = self._awake(reached_at)  # Never earlier than that of one before.
        message = Sent(
            bind, slot, self.now, arrived_at, fate.answered, waited, self.rate, reached_at
        )
        self._reached_at[bind] = reached_at
        self.sent.append(message)
        self._busy_until = self.now + fate.stalls * unit
        if fate.answered:
            answers_at = self._awake(arrived_at + fate.answers_vary * unit)
            if self.batch_s:
                answers_at = self._awake(self.batch_s * (floor(answers_at / self.batch_s) + 1))
            self._at(answers_at + way_s + fate.back * unit, message)
        else:
            self._at(self.now + GIVEN_UP_AFTER_UNITS * self._longest_s, message)
        if self.acknowledges:
            self._note(message)
        if fate.breaks:
            self._lose(bind)

    def _note(self, message: Sent) -> None:
        """As the owner of the connection does it, with one octet for each message."""
        bind = message.bind
        acknowledged, its = self.round_trips[bind].acknowledged, self._written[bind]
        acknowledged.look = lambda: self._look(bind)
        its.append(message)
        acknowledged.wrote(len(its), message.written_at)
        self._look(bind)

    def _look(self, bind: int) -> None:
        """Note each acknowledgement, as it comes: the owner looks that often."""
        its, back_s = self._written[bind], self.ways[bind] + HELD_BACK_S
        while self._had[bind] < len(its):
            at = its[self._had[bind]].reached_at + back_s
            if at > self.now:
                break
            self._had[bind] += 1
            self.round_trips[bind].acknowledged.has(self._had[bind], at, its[-1].written_at)
        self.round_trips[bind].acknowledged.has(self._had[bind], 0.0, its[-1].written_at)

    def _awake(self, at: float) -> float:
        return next((end for begin, end in self.asleep if begin <= at < end), at)

    def _answered(self, message: Sent) -> None:
        message.over = True
        if not message.answered:
            self.pacer.ended(message.slot, message.written_at, self.now, answered=False)
            return
        if self.knows_the_way:
            self._remind(message.bind)
        self.round_trips[message.bind].add_sample(self.now - message.written_at, self.now)
        self.pacer.ended(message.slot, message.written_at, self.now, answered=True)

    def _remind(self, bind: int) -> None:
        self.round_trips[bind].add_sample(2 * self.ways[bind], self.now)

    def _lose(self, bind: int) -> None:
        """What the operator has read by now counts; the rest never arrives."""
        for message in self.sent:
            if message.bind == bind and not message.over:
                message.over = True
                if message.arrived_at > self.now:
                    message.arrived_at = float("inf")
                self.pacer.ended(message.slot, message.written_at, self.now, answered=False)
        self._reached_at[bind] = 0.0

    @property
    def arrivals(self) -> list[float]:
        """When the operator read them, in its order."""
        return sorted(one.arrived_at for one in self.sent if one.arrived_at != float("inf"))

    @property
    def most_reached(self) -> int:
        """The most that reach the operator's machine in any sliding unit."""
        return most_in(self.rate.per_s, sorted(one.reached_at for one in self.sent))

    @property
    def waited(self) -> bool:
        """Whether the pacer has gone by the answers all the time."""
        return all(one.waited for one in self.sent)

    def most_in_a_unit(self) -> int:
        """The most that the operator counts in any sliding unit."""
        return most_in(self.rate.per_s, self.arrivals)

    def use_from(self, first: int) -> float:
        """How much of the rate was used from this message on."""
        units = (len(self.sent) - 1 - first) // self.rate.count
        last = self.sent[first + units * self.rate.count]
        return units * self.rate.per_s / (last.written_at - self.sent[first].written_at)

    def steps_from(self, first: int) -> list[float]:
        """The times between two slots that were used, from this message on."""
        times = [one.written_at for one in self.sent[first:]]
        return [after - before for before, after in pairwise(times)]

    def late_from(self, first: int, wait_s: float) -> float:
        """The share of all moments from this message on that are further from a slot than this."""
        steps = self.steps_from(first)
        return sum(max(0.0, step_s - wait_s) for step_s in steps) / sum(steps)


def most_in(unit_s: float, arrivals: list[float]) -> int:
    """The most of these, which are in order, in any sliding unit."""
    first = most = 0
    for place, at in enumerate(arrivals):
        while arrivals[first] <= at - unit_s:
            first += 1
        most = max(most, place - first + 1)
    return most


RATES = st.sampled_from(
    [Rate(1, 60.0), Rate(7, 60.0), Rate(9, 3600.0), *(Rate(n, 1.0) for n in (1, 2, 3, 5, 17))]
)
DELAYS = st.just(0.0) | st.floats(0.0, 0.03) | st.floats(0.0, 1.5)
WAYS = st.sampled_from([0.0005, 0.01, 0.1, 0.24])


def troubles(*, answers_vary: bool = False, binds: int = 1) -> st.SearchStrategy[list[Trouble]]:
    return st.lists(
        st.builds(
            Trouble,
            stalls=DELAYS,
            late=DELAYS,
            answers_vary=DELAYS if answers_vary else st.just(0.0),
            back=DELAYS if answers_vary else st.just(0.0),
            answered=st.sampled_from([True, True, True, False]),
            breaks=st.sampled_from([False, False, False, False, True]),
            bind=st.integers(0, binds - 1),
        ),
        min_size=1,
        max_size=30,
    )


def check_strictly(campaign: Campaign) -> None:
    """Wherever answers decided, a slot was free one unit after its message had arrived."""
    rate, sent = campaign.rate, campaign.sent
    assert campaign.most_in_a_unit() <= rate.count or not campaign.waited
    for message, next_in_slot in zip(sent, sent[rate.count :], strict=False):
        if message.arrived_at != float("inf") and next_in_slot.waited:
            gap_s = next_in_slot.arrived_at - message.arrived_at
            assert gap_s >= rate.per_s + MARGIN_S - ROUNDING_S


@given(RATES, WAYS, troubles())
def test_operator_never_counts_more_than_the_rate_whatever_stalls_or_breaks(
    rate: Rate, way_s: float, fates: list[Trouble]
) -> None:
    campaign = Campaign(rate, (way_s,))
    campaign.run(fates, 6 * rate.count + 10)
    check_strictly(campaign)


@given(RATES, st.lists(WAYS, min_size=2, max_size=3), troubles(binds=3))
def test_rate_of_an_operator_holds_over_all_its_binds_however_far_they_are(
    rate: Rate, ways: list[float], fates: list[Trouble]
) -> None:
    campaign = Campaign(rate, tuple(ways))
    campaign.run(fates, 6 * rate.count + 10)
    check_strictly(campaign)


@given(RATES, WAYS, troubles(answers_vary=True))
def test_message_that_was_not_delayed_keeps_its_unit_even_where_answers_vary(
    rate: Rate, way_s: float, fates: list[Trouble]
) -> None:
    campaign = Campaign(rate, (way_s,))
    campaign.run(fates, 6 * rate.count + 10)
    sent = campaign.sent
    for message, next_in_slot in zip(sent, sent[rate.count :], strict=False):
        late_s = message.arrived_at - message.written_at - way_s
        if late_s <= WRITE_MARGIN_S:  # That much is promised, whatever answers say.
            gap_s = next_in_slot.arrived_at - message.arrived_at
            assert gap_s >= rate.per_s + MARGIN_S - ROUNDING_S


# The rate is changed.

CHANGED_RATES = [Rate(1, 60.0), Rate(7, 60.0), Rate(20, 10.0), Rate(2, 3.0)]
CHANGES = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.0, 0.001, 0.3, 0.7, 1.0, 2.5, 61.0]),
        st.sampled_from([*CHANGED_RATES, *(Rate(n, 1.0) for n in (1, 2, 5, 17))]),
    ),
    min_size=1,
    max_size=4,
)
"""How long after the change before, and to what."""


def changed(
    rate: Rate, ways: tuple[float, ...], fates: list[Trouble], gaps: list[tuple[float, Rate]]
) -> Campaign:
    """A campaign whose rate is changed, again and again."""
    at, changes = 101.5, []
    for gap_s, new in gaps:
        at += gap_s
        changes.append((at, new))
    most = max(one.count for one in (rate, *(new for _, new in changes)))
    campaign = Campaign(rate, ways, changes=changes)
    campaign.run(fates, 3 * most + 20)
    return campaign


@given(RATES, WAYS, troubles(), CHANGES)
def test_unit_that_ends_with_a_message_holds_its_rate_whatever_the_rate_was_before(
    rate: Rate, way_s: float, fates: list[Trouble], gaps: list[tuple[float, Rate]]
) -> None:
    """So one after a change holds the new rate, and one across it the larger of both."""
    arrived: list[float] = []
    for message in changed(rate, (way_s,), fates, gaps).sent:
        if message.arrived_at == float("inf"):
            continue
        arrived.append(message.arrived_at)
        if message.waited:
            since = message.arrived_at - message.rate.per_s - MARGIN_S + ROUNDING_S
            assert sum(at > since for at in arrived) <= message.rate.count


@given(RATES, st.lists(WAYS, min_size=2, max_size=3), troubles(binds=3), CHANGES)
def test_messages_over_several_binds_are_a_unit_apart_after_any_change(
    rate: Rate, ways: list[float], fates: list[Trouble], gaps: list[tuple[float, Rate]]
) -> None:
    sent = changed(rate, tuple(ways), fates, gaps).sent
    for place, message in enumerate(sent):
        if place < message.rate.count or not message.waited:
            continue
        before = sent[place - message.rate.count]
        if float("inf") not in (before.arrived_at, message.arrived_at):
            gap_s = message.arrived_at - before.arrived_at
            assert gap_s >= message.rate.per_s + MARGIN_S - ROUNDING_S


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Rate(10, 1.0), Rate(50, 1.0)),
        (Rate(50, 1.0), Rate(10, 1.0)),
        (Rate(50, 1.0), Rate(600, 60.0)),
        (Rate(60, 60.0), Rate(20, 1.0)),
    ],
    ids=str,
)
def test_new_rate_is_used_from_the_next_unit_on(before: Rate, after: Rate) -> None:
    campaign = Campaign(before, (0.005,), changes=[(103.0, after)])
    campaign.run(NO_TROUBLE, 12 * before.count + 6 * after.count)
    new = [one.written_at for one in campaign.sent if one.rate is after]
    assert new[0] <= 103.0 + after.per_s + MARGIN_S
    first = sum(at <= new[0] + after.per_s for at in new)
    units = (len(new) - 1 - first) // after.count
    used_s = new[first + units * after.count] - new[first]
    assert units
    assert units * after.per_s / used_s >= 0.99


@pytest.mark.parametrize("round_trip_s", [0.001, 0.01, 0.05, 0.1, 0.25, 0.5])
@pytest.mark.parametrize(
    "rate", [Rate(1, 60.0), Rate(100, 60.0), Rate(1, 1.0), Rate(3, 1.0), Rate(50, 1.0)], ids=str
)
def test_constant_round_trip_lets_995_per_mille_be_used(rate: Rate, round_trip_s: float) -> None:
    campaign = Campaign(rate, (round_trip_s / 2,), knows_the_way=False)
    campaign.run(NO_TROUBLE, 12 * rate.count + 40)
    assert campaign.most_in_a_unit() <= rate.count
    assert campaign.use_from(2 * rate.count + 10) >= 0.995


def test_fast_rate_is_used_and_kept_too() -> None:
    campaign = Campaign(Rate(5000, 1.0), (0.005,), knows_the_way=False)
    campaign.run(NO_TROUBLE, 12_000)
    assert campaign.most_in_a_unit() <= 5000
    assert campaign.use_from(5000) >= 0.995


def stalls(random: Random, share: float, shortest_s: float, longest_s: float) -> float:
    return random.uniform(shortest_s, longest_s) if random.random() < share else 0.0


@pytest.mark.parametrize("seed", range(3))
def test_busy_machine_costs_a_hundredth_and_no_message_too_many(seed: int) -> None:
    random = Random(seed)
    fates = [
        Trouble(
            stalls=stalls(random, 0.3, 0.001, 0.015),
            late=stalls(random, 0.3, 0.001, 0.015),
            back=stalls(random, 0.3, 0.001, 0.015),
        )
        for _ in range(997)
    ]
    campaign = Campaign(SECOND_50, (0.0005,), knows_the_way=False)
    campaign.run(fates, 3000)
    assert campaign.waited
    assert campaign.most_in_a_unit() <= 50
    assert campaign.use_from(100) >= 0.985


# The spread: an urgent message takes the next slot, whatever else waits.

NORMAL_S: Final = 0.000_25
"""How late the sender, the way there and the way back each are where nothing is wrong."""
ON_TIME = st.floats(0.0, NORMAL_S)
NORMAL = st.lists(
    st.builds(Trouble, stalls=ON_TIME, late=ON_TIME, back=ON_TIME), min_size=1, max_size=10
)
UNITS_TO_EVEN: Final = 20
"""Units after which the unevenness that a trouble has left is a hundredth of a step."""


@given(
    st.sampled_from([Rate(10, 1.0), Rate(20, 1.0), SECOND_50]),
    WAYS,
    st.lists(st.just(Trouble()), max_size=1) | troubles(),
    NORMAL,
)
@settings(max_examples=60)
def test_next_slot_is_near_again_soon_after_whatever_befell(
    rate: Rate, way_s: float, fates: list[Trouble], normal: list[Trouble]
) -> None:
    units = UNITS_TO_EVEN * rate.count
    fates = [*fates, *islice(cycle(normal), units)]
    campaign = Campaign(rate, (way_s,), knows_the_way=False)
    campaign.run(fates, len(fates))
    # A slot comes later by that in each unit, and a quarter of all its lateness is made good.
    late_s = MARGIN_S + 3 * NORMAL_S
    longest_s = rate.per_s / rate.count + 4 * late_s + late_s
    last = len(fates) - rate.count - 1
    if all(one.waited for one in campaign.sent[-units // 2 :]):
        assert max(campaign.steps_from(last)) <= longest_s + LATEST_S / 100


@pytest.mark.parametrize("way_s", [0.0005, 0.01, 0.04])
@pytest.mark.parametrize("seed", range(3))
def test_urgent_message_has_a_slot_within_25_ms_although_all_of_the_rate_is_used(
    seed: int, way_s: float
) -> None:
    """With timers that wake by the millisecond, and one stall in thirty of up to 10 ms."""
    random = Random(seed)
    fates = [
        Trouble(
            stalls=random.uniform(0.0, 0.001) + stalls(random, 0.01, 0.002, 0.01),
            late=random.expovariate(5000.0) + stalls(random, 0.01, 0.002, 0.01),
            back=random.uniform(0.0, 0.001) + stalls(random, 0.01, 0.002, 0.01),
        )
        for _ in range(997)
    ]
    campaign = Campaign(SECOND_50, (way_s,), knows_the_way=False)
    campaign.run(fates, 6000)
    assert campaign.waited
    assert campaign.most_in_a_unit() <= 50
    assert campaign.use_from(500) >= 0.995
    assert campaign.late_from(500, 0.025) <= 0.01


def naps(random: Random, longest_s: float) -> list[tuple[float, float]]:
    """Stalls that fill a fifth of the time."""
    at, found = 100.0, []
    for _ in range(60):
        at += random.expovariate(1 / (4 * longest_s / 2))
        found.append((at, at + random.uniform(0.0, longest_s)))
        at = found[-1][1]
    return found


@pytest.mark.parametrize("rate", [SECOND_50, Rate(5, 1.0), Rate(1, 1.0), Rate(2, 60.0)], ids=str)
@pytest.mark.parametrize("longest_s", [0.3, 2.0])
@pytest.mark.parametrize("seed", range(3))
def test_operator_that_stalls_is_waited_for_and_not_taken_for_one_whose_answers_vary(
    rate: Rate, longest_s: float, seed: int
) -> None:
    asleep = naps(Random(seed), longest_s)
    campaign = Campaign(rate, (0.0005,), knows_the_way=False, asleep=asleep)
    campaign.run(NO_TROUBLE, 1500 if rate.count > 5 else 200)
    assert campaign.waited
    assert campaign.most_in_a_unit() <= rate.count


@pytest.mark.parametrize("rate", [SECOND_50, Rate(10, 1.0)], ids=str)
def test_operator_whose_answers_vary_still_gets_its_rate(
    rate: Rate,
) -> None:
    random = Random(1)
    fates = [Trouble(answers_vary=random.uniform(0.0, 0.5)) for _ in range(997)]
    campaign = Campaign(rate, (0.001,), knows_the_way=False)
    campaign.run(fates, 2000)
    assert not campaign.waited
    assert campaign.most_in_a_unit() <= rate.count
    assert campaign.use_from(500) >= 0.965


# Answers that tell little.

UNKNOWN_S: Final = 40.0
"""After which it is known how an operator answers."""


@pytest.mark.parametrize("asleep_s", [0.0, WRITE_MARGIN_S])
@pytest.mark.parametrize("batch_s", [0.1, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("rate", [SECOND_50, Rate(10, 1.0)], ids=str)
def test_operator_that_answers_in_batches_gets_its_rate_and_no_more(
    rate: Rate, batch_s: float, asleep_s: float
) -> None:
    asleep = naps(Random(3), asleep_s) if asleep_s else []
    campaign = Campaign(
        rate, (0.001,), knows_the_way=False, batch_s=batch_s, asleep=asleep, acknowledges=True
    )
    first = int(UNKNOWN_S * rate.count)
    campaign.run(NO_TROUBLE, first + 4 * rate.count)
    assert not campaign.waited
    assert campaign.most_in_a_unit() <= rate.count
    assert campaign.use_from(first) >= 0.97


@pytest.mark.parametrize(
    ("shortest_s", "longest_s", "least_use"),
    [
        (0.02, 0.06, 0.97),
        (0.01, 0.09, 0.97),
        (0.05, 0.25, 0.97),
        (1.0, 1.0, 0.99),
        (3.0, 3.0, 0.97),
    ],
)
@pytest.mark.parametrize("rate", [SECOND_50, Rate(500, 1.0)], ids=str)
def test_operator_that_takes_its_time_gets_its_rate_and_no_more_although_it_stalls_a_little(
    rate: Rate, shortest_s: float, longest_s: float, least_use: float
) -> None:
    random = Random(1)
    fates = [Trouble(answers_vary=random.uniform(shortest_s, longest_s)) for _ in range(997)]
    asleep = naps(Random(3), WRITE_MARGIN_S)
    campaign = Campaign(rate, (0.001,), knows_the_way=False, asleep=asleep, acknowledges=True)
    campaign.run(fates, 30 * rate.count)
    assert campaign.most_in_a_unit() <= rate.count
    assert campaign.use_from(20 * rate.count) >= least_use


@pytest.mark.parametrize("longest_s", [0.3, 3.0])
def test_long_stall_of_an_operator_that_takes_its_time_lets_few_too_many_be_read(
    longest_s: float,
) -> None:
    """What it was sent before the stall showed is more than it may read in the second after it."""
    random = Random(1)
    fates = [Trouble(answers_vary=random.uniform(0.05, 0.25)) for _ in range(997)]
    asleep = [(at, at + longest_s) for at in (120.0, 130.0, 140.0)]
    campaign = Campaign(SECOND_50, (0.001,), knows_the_way=False, asleep=asleep, acknowledges=True)
    campaign.run(fates, 2000)
    assert campaign.most_reached <= 50
    assert campaign.most_in_a_unit() <= 52


SENT_AGAIN_S = st.just(0.0) | st.floats(0.0, WRITE_MARGIN_S) | st.floats(0.2, 1.5)
"""How late octets are on a path that varies a little, or loses some of them."""


@given(
    st.sampled_from([Rate(n, 1.0) for n in (1, 2, 5, 17)]),
    WAYS,
    st.sampled_from([0.0, 0.5, 1.0]),
    st.lists(st.builds(Trouble, late=SENT_AGAIN_S, answers_vary=DELAYS), min_size=1, max_size=30),
)
def test_octets_that_are_sent_again_hold_their_slots_whatever_the_answers_tell(
    rate: Rate, way_s: float, batch_s: float, fates: list[Trouble]
) -> None:
    campaign = Campaign(rate, (way_s,), batch_s=batch_s, acknowledges=True)
    campaign.run(fates, 12 * rate.count + 60)
    assert campaign.most_reached <= rate.count


GAPS = st.floats(0.0, 0.2) | st.sampled_from([0.0, 0.25, 0.5, 1.0, 20.0, 60.0])


@given(st.lists(GAPS, max_size=8) | st.lists(GAPS, max_size=80), GAPS)
def test_busiest_second_is_the_one_that_counting_finds(gaps: list[float], idle_s: float) -> None:
    busiest = BusiestSecond()
    times: list[float] = []
    now = 1000.0
    for gap_s in gaps:
        now += gap_s
        busiest.written(now)
        times.append(now)
    now += idle_s
    found = max(
        (sum(at - 1.0 < one <= at for one in times) for at in times if at >= now - 60.0), default=0
    )
    assert busiest.most(now) == found
