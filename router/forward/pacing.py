"""Pacing: at most N submit_sm in any sliding unit of time, as the operator counts them.

The operator counts a message when it arrives, and only the answer shows that it has. The answer
comes at least one round trip after the message was written. So, measured on the clock of the
writer, the message arrived no later than `answered - smallest round trip`, however long it stood in
a socket buffer or the peer was busy. A slot is free again one unit and a margin after that. Because
a session is one ordered stream, a message also arrived no later than any message written after it.

Where answers tell little (the operator's processing time varies from message to message, or answers
come in batches, or later than the slot is needed), to wait for them would waste the rate. Then the
time of writing and a wider margin decide, with two exceptions. Octets that left this machine later,
or that the operator's machine has not acknowledged in time, arrived no earlier than that. And a
peer that answers nothing at all for much longer than usual has stalled, and is waited for; where it
answers in batches that is no sign.

Assumptions: within one or two spans at least one round trip to a host, on any bind, was the
smallest possible; of at least one, far less than `MARGIN_S` lay between the look at the clock and
the write behind it. Where binds with different paths share a rate, the way there takes as long as
the way back.

Messages are spread evenly over the unit, so that an urgent message finds a slot soon: what late
answers have made uneven becomes even again within a few units. After a stall up to `CATCH_UP_S` of
the spread is made up for, always within the slots.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final

from router.forward.arrival import RoundTrip
from router.terms.limits import Rate

MARGIN_S: Final = 0.0005
"""Added to the arrival as answers show it; measured with both cores busy (docs/decisions)."""
WRITE_MARGIN_S: Final = 0.025
"""Added to the time of writing, where answers do not show arrival: a stall of the peer up to that
length is still within the contract, at the price of 2.5 % of a rate per second. A longer unit has
the same share."""
CATCH_UP_S: Final = 0.1
"""The part of a stall that is made up for; after more the operator would see a burst."""
VARYING_S: Final = 0.008
"""The average delay from the time of writing to the arrival as answers show it, from which on the
operator's processing time counts as varying: to wait for answers then costs more than the wider
margin, three times its average (docs/decisions). Time in which no message at all is answered does
not count. A longer unit has the same share."""
SILENT_S: Final = 0.025
"""The average time in which no message at all is answered, from which on that is how the operator
answers, in batches or seldom, and no sign of a stall. A longer unit has the same share."""
MOST_SILENT_S: Final = 0.05
"""What a longer silence counts in that average: a few long stalls must not make it up."""
USED_UNITS: Final = 1.25
"""A rate is used while its slots come round within so many units: four fifths of it."""
STALLED_TIMES: Final = 6.0
"""A silence so many times longer than usual is a stall."""
_SILENT_UNITS: Final = 5
"""Units of messages in that average. A stall meets one unit of them at most, since the slots of
those are not free before it is over; so it takes several stalls, one right after the other, to look
like an operator that answers in batches."""
_FEWEST_SILENT: Final = 128
"""The fewest messages in that average, where a unit has few."""
LATEST_S: Final = 0.02
"""The most that a slot may be late in the even spread: what is more moves the following messages at
once. A step that is no longer than this although its slot is late moves nothing."""
FOLLOW_SHARE: Final = 0.25
"""The part of any other lateness by which a late slot moves the following messages. A slot that is
late stays so in every unit, with a step before it that is longer by as much, until the others have
come after it. To move them at once would make each late answer cost all of them its delay; with a
part of it, the late slots of a few units cost little more than the latest of them
(docs/decisions)."""
ASK_AGAIN_S: Final = 0.01
"""When to ask again for the slot of a message that is not acknowledged yet."""
_LOOK_AHEAD: Final = 16
"""Followers of a message that are searched for an earlier answer."""
_LEARN_ALL: Final = 16
_LEARN_SHARE: Final = 0.08
"""Whether processing time varies is learnt from every fourth message; where there are fewer slots
than `_LEARN_ALL`, from each. Each counts for `_LEARN_SHARE` of the average."""
_NEVER: Final = float("inf")


class Pacer:
    """The slots of one rate: `count` of them, each free again one unit after its message arrived.

    A pacer begins as if all slots had just been used: what was sent before the process started is
    unknown. `sharing` are the round trips of the binds that have this rate together, if it is not
    the rate of one bind; the list may change.

    The slots are a ring, one for each of the last messages. The next message may go when the slot
    of the message `count` places before it is free. The ring grows with the rate and never shrinks,
    so that after any change of the rate enough messages are known for the rate in force.
    """

    __slots__ = (
        "_ahead",
        "_answered_at",
        "_even_at",
        "_first",
        "_free_s",
        "_gap_s",
        "_is_often_silent",
        "_is_used",
        "_late_s",
        "_moved",
        "_next",
        "_older_at",
        "_round_trips",
        "_sharing",
        "_silent_s",
        "_silent_share",
        "_slot_at",
        "_varies_s",
        "_write_margin_s",
        "_written_at",
        "answers_tell",
        "rate",
    )

    def __init__(self, rate: Rate, now: float, sharing: Sequence[RoundTrip] = ()) -> None:
        self._sharing = sharing
        self._written_at = [now] * rate.count
        self._answered_at = [now] * rate.count
        self._round_trips: list[RoundTrip | None] = [None] * rate.count
        self._next = 0
        """The slot of the next message."""
        self._ahead = 0
        """Slots that the rate does not need. The slot that must be free is that far ahead."""
        self._first = 0
        """The number of slot 0; it rises with each growth, to tell earlier numbers apart."""
        self._moved: dict[int, int] = {}
        """The present slots by numbers from before the last growth."""
        self._older_at = now
        """The time by which all messages older than those of the ring had arrived."""
        self._even_at = now
        self._slot_at = now
        self._late_s = 0.0
        self._silent_s = 0.0
        self._is_used = False
        """Whether most of the rate is used: else no slot is waited for."""
        self._is_often_silent = False
        """Whether the operator answers in batches, so that silence is no sign of a stall."""
        self.answers_tell = True
        """Whether the operator's answers show, soon enough, when messages arrive."""
        self._varies_s = VARYING_S
        self._follow(rate)

    def _follow(self, rate: Rate) -> None:
        """Set what depends on the rate alone."""
        self.rate = rate
        self._gap_s = rate.per_s / rate.count
        self._free_s = max(0.0, LATEST_S - self._gap_s)
        units = max(1.0, rate.per_s)
        # The same delays may be small in one unit and large in another: keep the judgement until
        # the new unit has been learnt from.
        longer = VARYING_S * units / self._varies_s
        self._late_s *= longer
        self._silent_s *= longer
        self._varies_s = VARYING_S * units
        self._write_margin_s = WRITE_MARGIN_S * units
        # Not every message is learnt from.
        learnt = 1 if rate.count < _LEARN_ALL else 4
        self._silent_share = learnt / max(_SILENT_UNITS * rate.count, _FEWEST_SILENT)

    def adopt(self, rate: Rate, now: float) -> None:
        """Follow another rate; slots that are in use stay in use.

        A sliding unit that ends with a message written from now on holds no more than the new rate,
        messages that were written under the old rate included.
        """
        # The newest message was written when the one that is `count` places before had been there
        # for a unit, and whatever the ring does not remember came before that.
        newest_at = self._written_at[self._next - 1]
        self._older_at = max(self._older_at, newest_at - self.rate.per_s)
        if rate.count > len(self._written_at):
            self._grow(rate.count)
        before_s = self._gap_s
        self._follow(rate)
        self._ahead = len(self._written_at) - rate.count
        self._even_at = min(self._even_at - before_s, now) + self._gap_s

    def _grow(self, size: int) -> None:
        """Make the ring larger. New slots stand for messages that the ring did not remember."""
        before, at = len(self._written_at), self._next
        new = size - before
        self._written_at[at:at] = [self._older_at] * new
        self._answered_at[at:at] = [self._older_at] * new
        self._round_trips[at:at] = [None] * new
        first, self._first = self._first, self._first + before
        places = {slot: slot if slot < at else slot + new for slot in range(before)}
        # Messages in flight may have been written before an earlier growth.
        self._moved = {number: places[slot] for number, slot in self._moved.items()}
        self._moved |= {first + slot: place for slot, place in places.items()}

    def ready_at(self, now: float) -> float:
        """Return when the next message may be written: `now` or earlier means at once.

        While the message of the slot is unanswered, the earliest possible time is returned; ask
        again at that time, or when an answer has come.
        """
        unit_s = self.rate.per_s + MARGIN_S
        due = self._next
        if self._ahead:
            due = (due + self._ahead) % len(self._written_at)
        slot_at = self._answered_at[due] + unit_s
        if slot_at > now:  # Else the message arrived long ago; when exactly does not matter.
            slot_at = self._arrived_at(due, now) + unit_s
        self._slot_at = slot_at
        even_at = self._even_at
        return slot_at if slot_at > even_at else even_at

    def wants_acknowledgements(self, way_s: float) -> bool:
        """Whether slots are waited for, and not by answers, which take this long at least."""
        return self._is_used and not (self.answers_tell and self._are_due_in_time(way_s))

    def _are_due_in_time(self, way_s: float) -> bool:
        """Whether answers that take so long come before a slot would be free without them."""
        return way_s < self.rate.per_s + self._write_margin_s

    def _arrived_at(self, slot: int, now: float) -> float:
        """Return the latest arrival, on the writer's clock, of the slot's message."""
        round_trip = self._round_trips[slot]
        if round_trip is None:
            return self._written_at[slot]
        way_s = self._way_s(round_trip) if self._sharing else round_trip.way_s
        by_answers = self._arrived_by_answers_at(slot, way_s)
        if self.answers_tell:
            if by_answers != _NEVER:
                return by_answers
            if self._are_due_in_time(way_s):
                unit_s, written_at = self.rate.per_s, self._written_at[slot]
                # It cannot come before now, nor before its time.
                return max(written_at, now - min(way_s, unit_s), written_at + way_s - unit_s)
        return min(by_answers, self._arrived_unanswered_at(slot, round_trip, way_s, now))

    def _arrived_unanswered_at(
        self, slot: int, round_trip: RoundTrip, way_s: float, now: float
    ) -> float:
        """Return the latest arrival of a message whose own answer does not tell."""
        written_at = self._written_at[slot]
        latest = written_at + self._write_margin_s
        # Of a way that is longer than the unit, most is the operator's processing time.
        if way_s < self.rate.per_s and not self._is_often_silent:
            silent_s = round_trip.silent_s(written_at + way_s, now)
            if silent_s > STALLED_TIMES * self._silent_s:
                latest = max(latest, written_at + silent_s)
        arrived_at = round_trip.acknowledged.arrived_at(written_at)
        if arrived_at == _NEVER:  # It may be lost, and be sent again: ask again soon.
            arrived_at = now - self.rate.per_s + ASK_AGAIN_S
        return max(latest, arrived_at)

    def _way_s(self, round_trip: RoundTrip) -> float:
        """Return half of this bind's round trip and half of the shortest one.

        The way back was on this bind; the next message may take the shortest way there.
        """
        own_s = round_trip.way_s
        shortest_s = min((one.way_s for one in self._sharing if one.way_s), default=own_s)
        return (own_s + min(own_s, shortest_s)) / 2

    def _arrived_by_answers_at(self, slot: int, way_s: float) -> float:
        """Return the latest arrival as answers show it; infinity if none does so far."""
        written_at = self._written_at[slot]
        latest = self._answered_at[slot] - way_s
        if latest > written_at + MARGIN_S:
            latest = self._no_later_than_its_followers(slot, latest, way_s)
        return latest if latest > written_at else written_at

    def _no_later_than_its_followers(self, slot: int, latest: float, way_s: float) -> float:
        """Return the earliest bound: messages written later on the bind arrived later."""
        size = len(self._written_at)
        round_trip = self._round_trips[slot]
        written_at = self._written_at[slot]
        for follower in range(slot + 1, slot + 1 + min(_LOOK_AHEAD, self.rate.count - 1)):
            at = follower % size
            if self._round_trips[at] is round_trip and self._written_at[at] >= written_at:
                latest = min(latest, self._answered_at[at] - way_s)
        return latest

    def take(self, round_trip: RoundTrip, now: float) -> int:
        """Use the next slot for a message that is written now; return the slot's number."""
        slot = due = self._next
        written_at = self._written_at
        if self._ahead:
            due = (due + self._ahead) % len(written_at)
        # Every fourth, and not always the same remainder: binds that take turns all count.
        if (due ^ due >> 2) & 3 == 0 or self.rate.count < _LEARN_ALL:
            self._learn(due, now)
        written_at[slot] = now
        self._answered_at[slot] = _NEVER
        self._round_trips[slot] = round_trip
        self._next = slot + 1 if slot + 1 < len(written_at) else 0
        # Messages that went out close together once would do so in every unit, with a pause after
        # them in which an urgent message finds no slot. So the spread becomes even again, with only
        # `LATEST_S` and `CATCH_UP_S` given up, but gradually: one late slot must not delay all.
        even_at, slot_at = self._even_at, self._slot_at
        late_s = slot_at - even_at - self._free_s
        if late_s > 0.0:
            even_at += late_s * FOLLOW_SHARE
        # `max` of two floats is one machine instruction where this is compiled; of three, a call.
        self._even_at = max(max(even_at, slot_at - LATEST_S), now - CATCH_UP_S) + self._gap_s
        return self._first + slot

    def _learn(self, slot: int, now: float) -> None:
        """Learn how much later arrival was shown than the message was written."""
        self._is_used = now - self._written_at[slot] < self.rate.per_s * USED_UNITS
        round_trip = self._round_trips[slot]
        if round_trip is None or round_trip.smallest_s == _NEVER:
            return
        written_at = self._written_at[slot]
        way_s = round_trip.smallest_s
        late_s = self._arrived_by_answers_at(slot, way_s) - written_at
        silent_s = 0.0
        if late_s > MARGIN_S:
            # How long nothing at all was answered; what is later than that is processing time.
            silent_s = round_trip.silent_s(written_at + way_s, now)
            late_s -= silent_s
        most_s = self._varies_s * (MOST_SILENT_S / VARYING_S)
        self._silent_s += (min(silent_s, most_s) - self._silent_s) * self._silent_share
        if late_s != _NEVER and round_trip.way_s:
            self._late_s += (max(0.0, late_s) - self._late_s) * _LEARN_SHARE
        self._is_often_silent = self._silent_s > self._varies_s * (SILENT_S / VARYING_S)
        self.answers_tell = self._late_s <= self._varies_s and not self._is_often_silent

    def ended(self, number: int, written_at: float, now: float, *, answered: bool) -> None:
        """The message in the slot with this number was answered now, or will never be.

        A message without an answer has arrived by now, or never will. Nothing is subtracted for the
        way back, because there was no answer: the operator may count the message until now.
        """
        slot = number - self._first
        if slot < 0:
            slot = self._moved.get(number, 0)
        try:
            # By now the slot may belong to another message.
            if self._written_at[slot] != written_at or self._answered_at[slot] != _NEVER:
                return
        except IndexError:  # The number is that of an earlier pacer, which had more slots.
            return
        self._answered_at[slot] = now
        if not answered:
            self._written_at[slot] = now
            self._round_trips[slot] = None


class _Moment:
    """The messages that were written at one time: a turn of the loop writes many."""

    __slots__ = ("at", "count")

    def __init__(self, at: float, count: int) -> None:
        self.at: Final = at
        self.count = count


class BusiestSecond:
    """The most messages in any sliding second of the last minute, by their time of writing."""

    __slots__ = ("_in_second", "_now", "_peaks", "_second")

    def __init__(self) -> None:
        self._now = _Moment(-_NEVER, 0)
        """The last moment, to which more may come."""
        self._second: deque[_Moment] = deque()
        """The moments of the second before it, and how many messages those had."""
        self._in_second = 0
        self._peaks: deque[tuple[float, int]] = deque()

    def written(self, now: float) -> None:
        """Count a message that is written now."""
        moment = self._now
        if moment.at == now:
            moment.count += 1
            return
        if moment.count:
            self._close(moment)
        self._now = _Moment(now, 1)

    def _close(self, moment: _Moment) -> None:
        """Take in a moment to which no more come."""
        second, at = self._second, moment.at
        second.append(moment)
        count = self._in_second + moment.count
        while second[0].at <= at - 1.0:
            count -= second.popleft().count
        self._in_second = count
        peaks = self._peaks
        # A peak is dropped when a later one is as high: what is left falls from left to right.
        while peaks and peaks[-1][1] <= count:
            peaks.pop()
        peaks.append((at, count))
        if peaks[0][0] < at - 60.0:
            peaks.popleft()

    def most(self, now: float) -> int:
        """Return the peak of the last 60 seconds. Any thread may call: nothing is changed."""
        last, since = self._now, now - 60.0
        # The last moment itself may just be taken in.
        before = sum([one.count for one in list(self._second) if last.at - 1.0 < one.at < last.at])
        peaks = [count for at, count in list(self._peaks) if at >= since]
        if last.at >= since:
            peaks.append(before + last.count)
        return max(peaks, default=0)
