"""When may the next submit_sm go out? At most N in any unit of time, as the operator counts.

What counts is when a message arrives, and only its answer tells that it has. The answer came at
least one round trip after the message was written; so, measured from writes, the message arrived no
later than `answered - smallest round trip`, however long it stood in a socket buffer or the peer
was busy. A slot is free again one unit and a margin after that. Because a session is one ordered
stream, a message also arrived no later than any that was written after it.

Where answers say nothing about arrival (an operator whose processing time varies from message to
message), writing time and a wider margin decide instead: waiting for them would waste the rate. A
peer that was silent as a whole has stalled, and is waited for.

What this rests on: within one or two spans at least one round trip to a host, on whichever bind,
was the smallest there can be, and that is shorter than the unit (else an answer comes too late to
tell). Where binds share a rate
and their ways differ, the way there is as long as the way back.

Messages are spread evenly over the unit, so that an urgent one finds a slot soon; after a stall up
to `CATCH_UP_S` of the spread is made up for, always within the slots.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from typing import Final

from router.terms.limits import Rate

MARGIN_S: Final = 0.0005
"""Over the answers' estimate; measured with both cores busy (docs/decisions)."""
WRITE_MARGIN_S: Final = 0.025
"""Over the time of writing, where answers do not tell: a stall of the peer as long as that is still
within the contract, and 2.5 % of a rate per second are given up for it. The same share of a longer
unit."""
CATCH_UP_S: Final = 0.1
"""A stall longer than this is not made up for: the operator would see a burst."""
VARYING_S: Final = 0.05
"""When the answers' bound is on average this much behind the time of writing, the operator's
processing time varies, and waiting for its answers costs more than the wider margin. Silence does
not count: in a stall no message is answered. The same share of a longer unit."""
ROUND_TRIP_SPAN_S: Final = 10.0
"""The smallest round trip is that of the last one or two spans: paths change."""
FEWEST_ROUND_TRIPS: Final = 8
"""A span has so many at least. One or two may all have met a stall, and the smallest of them would
tell nothing; with a rate of one per minute ten seconds hold no more."""
_APART_S: Final = 0.01
"""Answers closer together than that count as one: those after a stall come all at once."""
_MOST_ANSWERS: Final = 8192
SLACK_S: Final = 0.02
"""How far a slot may be late before the spread follows it."""
_LOOK_AHEAD: Final = 16
_LEARN_ALL: Final = 16
_LEARN_SHARE: Final = 0.08
"""Whether processing time varies is learnt from every fourth message, over some fifty of them; of
fewer slots than that from each."""
_MEAN_SHARE: Final = 0.02
_NEVER: Final = float("inf")


class Path:
    """The smallest round trip to one host of late, over all binds that are connected to it.

    A bind alone may see none that met no queue: those of one host often send, and so wait for each
    other, at the same moments. Too small a one costs a little of the rate, too large a one lets
    messages go too early.
    """

    __slots__ = (
        "_counted_at",
        "_current",
        "_in_span",
        "_previous",
        "_span_ends_at",
        "smallest_s",
        "way_s",
    )

    def __init__(self) -> None:
        self.smallest_s = _NEVER
        """The smallest seen, in seconds."""
        self.way_s = 0.0
        """What is taken off an answer's time: nothing until enough are known, then the smallest."""
        self._current = _NEVER
        self._previous = _NEVER
        self._in_span = 0
        self._counted_at = -_NEVER
        self._span_ends_at = 0.0

    def add_sample(self, seconds: float, now: float) -> None:
        """Note one round trip that ended now."""
        enough = self._in_span >= FEWEST_ROUND_TRIPS
        if enough and now >= self._span_ends_at:
            self._previous, self._current = self._current, _NEVER
            self._span_ends_at = now + ROUND_TRIP_SPAN_S
            self._in_span = 0
        if now - self._counted_at >= _APART_S:
            self._counted_at = now
            self._in_span += 1
        if seconds < self._current:
            self._current = seconds
        self.smallest_s = min(self._current, self._previous)
        if enough or self._previous != _NEVER:
            self.way_s = self.smallest_s


class RoundTrip:
    """The round trips of a bind, and when its answers came."""

    __slots__ = ("_answers", "mean_s", "path")

    def __init__(self, path: Path | None = None) -> None:
        self.path = Path() if path is None else path
        """Perhaps shared with other binds."""
        self.mean_s = 0.0
        """The average of about the last fifty; 0 before the first."""
        self._answers: list[float] = []

    @property
    def smallest_s(self) -> float:
        """The smallest seen, in seconds."""
        return self.path.smallest_s

    @property
    def way_s(self) -> float:
        """What is taken off an answer's time."""
        return self.path.way_s

    def add_sample(self, seconds: float, now: float) -> None:
        """Note one round trip that ended now."""
        answers = self._answers
        self.mean_s += (seconds - self.mean_s) * (_MEAN_SHARE if answers else 1.0)
        answers.append(now)
        if len(answers) > _MOST_ANSWERS:
            del answers[: _MOST_ANSWERS // 2]
        self.path.add_sample(seconds, now)

    def answer_since(self, at: float) -> float:
        """When the first answer at or after this time came; infinity if none has."""
        answers = self._answers
        place = bisect_left(answers, at)
        return answers[place] if place < len(answers) else _NEVER


class Pacer:
    """The slots of one rate: `count` of them, each free again one unit after its message arrived.

    It begins as if it had just been used: what was sent before this process started is unknown.
    `sharing` are the binds that have this rate together, if it is not the rate of one; the list
    may change.

    The slots are a ring, one for each of the last messages. The next message may go when the slot
    that is `count` places back is free. The ring grows with the rate and never shrinks, so that
    after any change of the rate as many messages are remembered as the rate in force needs.
    """

    __slots__ = (
        "_answered_at",
        "_due",
        "_even_at",
        "_gap_s",
        "_late_s",
        "_next",
        "_older_at",
        "_ponders_s",
        "_round_trips",
        "_sharing",
        "_slot_at",
        "_taken",
        "_taken_before",
        "_write_margin_s",
        "_written_at",
        "rate",
    )

    def __init__(self, rate: Rate, now: float, sharing: Sequence[RoundTrip] = ()) -> None:
        self._sharing = sharing
        self._written_at = [now] * rate.count
        self._answered_at = [now] * rate.count
        self._round_trips: list[RoundTrip | None] = [None] * rate.count
        self._next = 0
        """The slot of the next message."""
        self._due = 0
        """The slot that has to be free for the next message."""
        self._taken = 0
        """Messages since the pacer was made: the number of the next one."""
        self._taken_before = 0
        """Messages up to the last change of the rate."""
        self._older_at = now
        """Messages older than those of the ring had arrived by then, at the last change."""
        self._even_at = now
        self._slot_at = now
        self._late_s = 0.0
        self._ponders_s = VARYING_S
        self._follow(rate)

    def _follow(self, rate: Rate) -> None:
        """Work out what depends on the rate alone."""
        self.rate = rate
        self._gap_s = rate.per_s / rate.count
        units = max(1.0, rate.per_s)
        # What varies for one unit must not be taken to vary for another until that is learnt.
        self._late_s *= VARYING_S * units / self._ponders_s
        self._ponders_s = VARYING_S * units
        self._write_margin_s = WRITE_MARGIN_S * units

    def adopt(self, rate: Rate, now: float) -> None:
        """Go on with another rate; the slots that are in use stay so.

        A message that is written from now on and those before it are within the new rate, those
        that were written under the old rate included.
        """
        if self._taken > self._taken_before:
            # The newest message was written when the one that is `count` places before it had been
            # there for a unit, and whatever the ring does not remember came before that.
            newest_at = self._written_at[self._next - 1]
            self._older_at = max(self._older_at, newest_at - self.rate.per_s)
            self._taken_before = self._taken
        if rate.count > len(self._written_at):
            self._grow(rate.count)
        before_s = self._gap_s
        self._follow(rate)
        self._due = (self._next - rate.count) % len(self._written_at)
        self._even_at = min(self._even_at - before_s, now) + self._gap_s

    def _grow(self, size: int) -> None:
        """Make the ring larger. Slots that are new stand for messages that it did not remember."""
        before = len(self._written_at)
        written_at, answered_at = [self._older_at] * size, [self._older_at] * size
        round_trips: list[RoundTrip | None] = [None] * size
        # Counted from the first message on; those before it began with the pacer.
        for number in range(self._taken - before, self._taken):
            old, new = number % before, number % size
            written_at[new] = self._written_at[old]
            answered_at[new] = self._answered_at[old]
            round_trips[new] = self._round_trips[old]
        self._written_at, self._answered_at = written_at, answered_at
        self._round_trips = round_trips
        self._next = self._taken % size

    def ready_at(self, now: float) -> float:
        """When the next message may be written: `now` or earlier means at once.

        While the slot's message is unanswered this is the earliest time that is possible; ask
        again then, or when an answer has come.
        """
        unit_s = self.rate.per_s + MARGIN_S
        slot_at = self._answered_at[self._due] + unit_s
        if slot_at > now:  # Else it has arrived long ago, whenever exactly: nothing to work out.
            slot_at = self._arrived_at(self._due, now) + unit_s
        self._slot_at = slot_at
        even_at = self._even_at
        return slot_at if slot_at > even_at else even_at

    @property
    def answers_vary(self) -> bool:
        """Whether the operator's answers do not tell when messages arrive."""
        return self._late_s > self._ponders_s

    def _arrived_at(self, slot: int, now: float) -> float:
        """The latest time, measured at the writer, at which the slot's message can have arrived."""
        round_trip = self._round_trips[slot]
        if round_trip is None:
            return self._written_at[slot]
        way_s = self._way_s(round_trip) if self._sharing else round_trip.way_s
        by_answers = self._arrived_by_answers_at(slot, now, way_s)
        if self.answers_vary:
            return min(by_answers, self._written_at[slot] + self._write_margin_s)
        return by_answers

    def _way_s(self, round_trip: RoundTrip) -> float:
        """The way back here and the way there on the shortest way: the next one may take that."""
        own_s = round_trip.way_s
        shortest_s = min((one.way_s for one in self._sharing if one.way_s), default=own_s)
        return (own_s + min(own_s, shortest_s)) / 2

    def _arrived_by_answers_at(self, slot: int, now: float, way_s: float) -> float:
        written_at = self._written_at[slot]
        latest = self._answered_at[slot] - way_s
        if latest > written_at + MARGIN_S:
            latest = self._no_later_than_its_followers(slot, latest, way_s)
            if latest == _NEVER:
                latest = now - way_s  # It will not be answered before now.
        return latest if latest > written_at else written_at

    def _no_later_than_its_followers(self, slot: int, latest: float, way_s: float) -> float:
        """What was written later on the same bind and is answered arrived later."""
        size = len(self._written_at)
        round_trip = self._round_trips[slot]
        written_at = self._written_at[slot]
        for follower in range(slot + 1, slot + 1 + min(_LOOK_AHEAD, self.rate.count - 1)):
            at = follower % size
            if self._round_trips[at] is round_trip and self._written_at[at] >= written_at:
                latest = min(latest, self._answered_at[at] - way_s)
        return latest

    def take(self, round_trip: RoundTrip, now: float) -> int:
        """Use the next slot for a message that is written now; return the message's number."""
        slot, due = self._next, self._due
        # Every fourth in another place each time: binds that take turns are all learnt from.
        if (due ^ due >> 2) & 3 == 0 or self.rate.count < _LEARN_ALL:
            self._learn(due, now)
        written_at = self._written_at
        written_at[slot] = now
        self._answered_at[slot] = _NEVER
        self._round_trips[slot] = round_trip
        size = len(written_at)
        self._next = slot + 1 if slot + 1 < size else 0
        self._due = due + 1 if due + 1 < size else 0
        number = self._taken
        self._taken = number + 1
        # Messages that once went out close together would do so in every unit, after a pause in
        # which an urgent one finds no slot: only a little of that is kept, so that a slot that is
        # late by chance does not make all after it late.
        due_at = max(self._even_at, self._slot_at - SLACK_S, now - CATCH_UP_S)
        self._even_at = due_at + self._gap_s
        return number

    def _learn(self, slot: int, now: float) -> None:
        """Note how much longer than a sign of life of the peer the proof of arrival took."""
        round_trip = self._round_trips[slot]
        if round_trip is None or not round_trip.way_s or self._answered_at[slot] == _NEVER:
            return
        way_s = round_trip.way_s
        written_at = self._written_at[slot]
        late_s = self._arrived_by_answers_at(slot, now, way_s) - written_at
        if late_s > MARGIN_S:
            silent_s = round_trip.answer_since(written_at + way_s) - way_s - written_at
            late_s = max(0.0, late_s - max(0.0, silent_s))
        self._late_s += (late_s - self._late_s) * _LEARN_SHARE

    def answered(self, number: int, written_at: float, now: float) -> None:
        """The message with this number was answered now."""
        slot = number % len(self._written_at)
        # The slot may be another message's by now; or the number is that of an earlier pacer.
        if self._written_at[slot] == written_at and self._answered_at[slot] == _NEVER:
            self._answered_at[slot] = now

    def given_up(self, number: int, written_at: float, now: float) -> None:
        """The message with this number will not be answered. If it arrived, it did before now.

        Nothing is taken off for the way back, as there was none: up to now the operator may have
        counted it.
        """
        slot = number % len(self._written_at)
        if self._written_at[slot] == written_at and self._answered_at[slot] == _NEVER:
            self._written_at[slot] = self._answered_at[slot] = now
            self._round_trips[slot] = None


class BusiestSecond:
    """The most messages in any sliding second of the last minute, by their time of writing."""

    __slots__ = ("_peaks", "_second")

    def __init__(self) -> None:
        self._second: deque[float] = deque()
        self._peaks: deque[tuple[float, int]] = deque()

    def written(self, now: float) -> None:
        """Count one message."""
        second = self._second
        second.append(now)
        while second[0] <= now - 1.0:
            second.popleft()
        count = len(second)
        peaks = self._peaks
        # Only peaks that a later, higher one does not cover are kept: they fall from left to right.
        while peaks and peaks[-1][1] <= count:
            peaks.pop()
        peaks.append((now, count))
        if peaks[0][0] < now - 60.0:
            peaks.popleft()

    def most(self, now: float) -> int:
        """The peak of the last 60 seconds. Changes nothing: another thread may ask."""
        return max((count for at, count in list(self._peaks) if at >= now - 60.0), default=0)
