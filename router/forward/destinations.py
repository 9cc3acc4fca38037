"""How often may one number be sent to? Where an operator counts that too.

A message that is too soon for its number waits aside, and nothing waits behind it; those for one
number keep their order. As with the rate of a bind, what counts is when the operator sees a message
arrive: no later than its answer came, or than it was given up.

Memory is bounded (`Capacity`): so many numbers are remembered, the longest unused are forgotten
first, and so many messages wait aside. Others wait in their lanes, and what is behind them.
"""

from collections import OrderedDict, deque
from typing import Final

from router.forward.pacing import MARGIN_S
from router.terms.capacity import Capacity
from router.terms.limits import Rate
from router.terms.names import RouterId

UNANSWERED_S: Final = 0.1
"""How soon to ask again while an answer has to come first."""
STALE_UNITS: Final = 2.0
"""A message that has not come for so long after its time comes no more: it has expired, perhaps."""
_NEVER: Final = float("inf")


class Slot:
    """One writing to a number."""

    __slots__ = ("arrived_at", "written_at")

    def __init__(self, written_at: float) -> None:
        self.written_at = written_at
        self.arrived_at = _NEVER
        """The latest time at which it can have arrived; infinity until it is answered."""


class Destinations:
    """The numbers of one operator that were sent to of late, and who waits for which."""

    __slots__ = ("_aside", "_capacity", "_in_all", "_rate", "_sent")

    def __init__(self, rate: Rate, *, capacity: Capacity = Capacity()) -> None:
        self._rate = rate
        self._capacity = capacity
        self._sent: OrderedDict[bytes, deque[Slot]] = OrderedDict()
        """By TON, NPI and number, the longest unused first."""
        self._aside: dict[bytes, deque[tuple[float, RouterId]]] = {}
        """By number: when each may come again, and which message it is, in their order."""
        self._in_all = 0

    def adopt(self, rate: Rate) -> None:
        """Go on with another rate; as many writings to a number count as the new one allows.

        Messages that wait aside come when they were told to, and are judged anew then.
        """
        if rate.count != self._rate.count:
            for number, sent in self._sent.items():
                self._sent[number] = deque(sent, maxlen=rate.count)
        self._rate = rate

    def __len__(self) -> int:
        """How many wait aside, or may still."""
        return self._in_all

    def ask(self, number: bytes, router_id: RouterId, now: float) -> float | None:
        """When this message may go: `now` is at once; else it waits aside and comes again then.

        None where no more can wait aside: it has to stay where it is.
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
        # An answer is late, or one that was to go before it has not come.
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
        """Who waits for this number, without those that will not come any more."""
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
        """A message to this number is written."""
        sent = self._sent.pop(number, None)
        if sent is None:
            sent = deque(maxlen=self._rate.count)
            if len(self._sent) >= self._capacity.numbers_remembered:
                self._sent.popitem(last=False)
        sent.append(Slot(now))
        self._sent[number] = sent

    def attempt_ended(self, number: bytes, written_at: float, now: float) -> None:
        """One that was written then is answered, or given up, now."""
        for slot in self._sent.get(number, ()):
            if slot.written_at == written_at and slot.arrived_at == _NEVER:
                slot.arrived_at = now
                return

    def forget_old(self, now: float) -> None:
        """Forget the numbers that may be sent to again anyway; call it every second or so."""
        old_at = now - self._rate.per_s - 1.0
        while self._sent:
            number, sent = next(iter(self._sent.items()))
            if sent[-1].written_at > old_at or sent[-1].arrived_at > old_at:
                return
            del self._sent[number]
