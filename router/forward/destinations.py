"""The rate per destination number, for operators that limit it.

A message that is too soon for its number waits aside and blocks no other message; messages to one
number keep their order. As with the rate of a bind, the time that counts is when the operator sees
the message arrive: no later than the answer, or the time at which the message was given up.

Memory is bounded (`Capacity`): a limited number of destinations is remembered, the longest unused
are forgotten first, and a limited number of messages waits aside. Further messages stay in their
queues, and block what is behind them there.
"""

from collections import deque
from typing import Final

from router.forward.pacing import MARGIN_S
from router.terms.capacity import Capacity
from router.terms.limits import Rate
from router.terms.names import RouterId
from router.terms.oldest_first import OldestFirst

UNANSWERED_S: Final = 0.1
"""The wait before asking again while the answer to an earlier message is missing."""
STALE_UNITS: Final = 2.0
"""Units after which a message that has not come back is no longer expected; it may have expired."""
_NEVER: Final = float("inf")


class Slot:
    """One message that was written to a number."""

    __slots__ = ("arrived_at", "written_at")

    def __init__(self, written_at: float) -> None:
        self.written_at = written_at
        self.arrived_at = _NEVER
        """The latest time at which the message can have arrived; infinity until it is answered."""


class Destinations:
    """The recent destinations of one operator, and the messages that wait for each of them."""

    __slots__ = ("_aside", "_capacity", "_in_all", "_rate", "_sent")

    def __init__(self, rate: Rate, *, capacity: Capacity = Capacity()) -> None:
        self._rate = rate
        self._capacity = capacity
        self._sent: Final[OldestFirst[bytes, deque[Slot]]] = OldestFirst(
            capacity.numbers_remembered
        )
        """The latest messages by TON, NPI and number, the longest unused number first."""
        self._aside: dict[bytes, deque[tuple[float, RouterId]]] = {}
        """The waiting messages by number, in order: when each comes again, and its id."""
        self._in_all = 0

    def adopt(self, rate: Rate) -> None:
        """Follow another rate; of each number the latest messages stay known.

        Messages that wait aside come back at the time they were given, and are judged again then.
        """
        if rate.count != self._rate.count:
            by_number = self._sent.by_key
            for number, sent in by_number.items():
                by_number[number] = deque(sent, maxlen=rate.count)
        self._rate = rate

    def __len__(self) -> int:
        """Return how many messages wait aside; some of them may have expired."""
        return self._in_all

    def ask(self, number: bytes, router_id: RouterId, now: float) -> float | None:
        """Return when this message may go: `now` means at once; else it waits aside until then.

        Return None where no more messages can wait aside: the message stays in its queue.
        """
        free_at = self._free_at(number, now)
        waiting = self._waiting(number, now)
        place = next((at for at, (_, one) in enumerate(waiting) if one == router_id), None)
        if place is None:
            if free_at <= now and not waiting:
                return now
            return self._wait(number, router_id, free_at)
        if free_at <= now and place < self._rate.count:
            self._leave(number, waiting, place)
            return now
        # An answer is late, or a message that goes first has not come back.
        again_s = UNANSWERED_S if place < self._rate.count else self._rate.per_s
        at = max(free_at, now + again_s)
        waiting[place] = at, router_id
        return at

    def _wait(self, number: bytes, router_id: RouterId, free_at: float) -> float | None:
        if self._in_all >= self._capacity.messages_aside:
            return None
        waiting = self._aside.setdefault(number, deque())
        at = free_at + (self._rate.per_s + MARGIN_S) * (len(waiting) // self._rate.count)
        waiting.append((at, router_id))
        self._in_all += 1
        return at

    def _waiting(self, number: bytes, now: float) -> deque[tuple[float, RouterId]]:
        """Return the messages that wait for this number, without those no longer expected."""
        waiting = self._aside.get(number)
        if waiting is None:
            return deque()
        stale_s = self._rate.per_s * STALE_UNITS + 1.0
        while waiting and waiting[0][0] < now - stale_s:
            self._leave(number, waiting, 0)
        return waiting

    def _leave(self, number: bytes, waiting: deque[tuple[float, RouterId]], place: int) -> None:
        del waiting[place]
        self._in_all -= 1
        if not waiting:
            self._aside.pop(number, None)

    def _free_at(self, number: bytes, now: float) -> float:
        sent = self._sent.get(number)
        if sent is None or len(sent) < self._rate.count:
            return now
        oldest = sent[0]
        unit_s = self._rate.per_s + MARGIN_S
        if oldest.arrived_at == _NEVER:
            return max(oldest.written_at + unit_s, now + UNANSWERED_S)
        return oldest.arrived_at + unit_s

    def sent(self, number: bytes, now: float) -> None:
        """Note that a message to this number was written."""
        sent = self._sent.get(number)
        if sent is None:
            sent = deque(maxlen=self._rate.count)
        sent.append(Slot(now))
        self._sent.put(number, sent)

    def attempt_ended(self, number: bytes, written_at: float, now: float) -> None:
        """Note that the message that was written at that time is answered, or given up, now."""
        for slot in self._sent.get(number) or ():
            if slot.written_at == written_at and slot.arrived_at == _NEVER:
                slot.arrived_at = now
                return

    def forget_old(self, now: float) -> None:
        """Forget the numbers whose unit has passed; call this once a second or so."""
        old_at = now - self._rate.per_s - 1.0
        while (oldest := self._sent.oldest()) is not None:
            sent = oldest[1]
            if sent[-1].written_at > old_at or sent[-1].arrived_at > old_at:
                return
            self._sent.take_oldest()
