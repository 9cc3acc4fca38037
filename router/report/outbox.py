"""Receipts and inbound messages go to their client, on any receiving bind, until it has them.

Order is kept for one message only (an intermediate receipt before the final one), so one that a
client refuses holds up no other. A temporary refusal or a silence is tried again with growing
waits; a permanent refusal and old age end it, counted.

Only the next deliveries are in memory. Those after them are `ahead` in the journal and are read in
their order. Of those that are refused for now a few wait in memory; the others are `passed`: they
stay in the journal, and from time to time it is read once more from the front for them.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Final, Protocol

from router.smpp.session import Writable
from router.smpp.vocabulary import ESME_ROK
from router.terms.capacity import Capacity
from router.terms.message import Delivery
from router.terms.names import RouterId
from router.terms.outcome import TEMPORARY_FOR_CLIENTS
from router.terms.settings import AccountSettings

FIRST_RETRY_S: Final = 1.0
LONGEST_RETRY_S: Final = 300.0
"""A client that refuses for an hour is asked every five minutes."""
PATIENT_AFTER_TRIES: Final = 9
"""With so many the wait is the longest; for what was passed, whose tries nobody remembers."""

_NEVER: Final = float("inf")


class Receiver(Writable, Protocol):
    """What deliveries of an account can be given to: a client's bind."""

    def has_room(self, window: int) -> bool:
        """Whether one more can be given, with so many unanswered at the most."""

    def give(self, delivery: Delivery, now: float) -> None:
        """Send a delivery; its answer comes with it."""


@dataclass(slots=True)
class _Reading:
    """The journal is being read for this outbox."""

    is_ahead: bool
    until: int
    """Where what was passed ends."""
    over: set[int]
    """Deliveries that have ended, though the journal may not show it yet."""


class Outbox:
    """What one account still has to be given."""

    def __init__(self, settings: AccountSettings, *, capacity: Capacity = Capacity()) -> None:
        self.settings = settings
        self._capacity = capacity
        self.receivers: list[Receiver] = []
        """Its binds, of any type; those that may not receive are passed over."""
        self.waiting: deque[Delivery] = deque()
        self.cursor = -1
        """The latest delivery that has been in memory, by its number in the journal."""
        self.ahead = 0
        """Deliveries after it, which only the journal has."""
        self._ahead_not_before = 0.0
        """None of them is sent before."""
        self.passed = 0
        """Deliveries before it that were left to the journal, because they were refused for now."""
        self._later: list[tuple[float, int, Delivery]] = []
        self._order = 0
        self._under_way: dict[RouterId, Delivery] = {}
        """The one delivery of each message that is not over."""
        self._behind: dict[RouterId, deque[Delivery]] = {}
        """What waits behind it."""
        self._turn = 0
        self._is_cut_short = False
        """The last pump has left something that could have gone."""
        self._oldest_utc = _NEVER
        """Nothing in memory was made before."""
        self._passed_by: set[RouterId] = set()
        """Messages of which more may come behind what was left to the journal."""
        self._reading: _Reading | None = None
        self._again_from = -1
        """Where the next reading of what was passed begins."""
        self._again_at = _NEVER

    def adopt(self, settings: AccountSettings) -> None:
        """Follow new settings: the window from the next delivery on, the age from the next look.

        What a client has not acknowledged stays so, even if it is more than a smaller window.
        """
        self.settings = settings

    def __len__(self) -> int:
        """Deliveries that the client has not acknowledged, in memory or not."""
        behind = sum(map(len, self._behind.values()))
        return len(self._under_way) + behind + self.ahead + self.passed

    # What comes in.

    def put(self, delivery: Delivery, now: float) -> None:
        """A delivery is safe in the journal; it may go, or it is left there for its turn."""
        if delivery.kept_as <= self.cursor:
            self.ahead += 1  # It was read before the journal had told, and is counted off already.
        elif self.ahead > 0 or len(self.waiting) >= (
            self._capacity.outbox_deliveries if self.receivers else self._capacity.outbox_away
        ):
            self.ahead += 1
            self._ahead_not_before = max(self._ahead_not_before, delivery.not_before)
        else:
            self.cursor = delivery.kept_as
            self._take_in(delivery, now)

    def restore(self, count: int, first: int) -> None:
        """An earlier process left so many deliveries in the journal."""
        self.ahead += count
        self.cursor = first - 1

    def _take_in(self, delivery: Delivery, now: float) -> None:
        router_id = delivery.router_id
        if self._passed_by and router_id in self._passed_by:
            self._pass(1, now)  # What goes before it is in the journal.
            return
        if delivery.made_utc < self._oldest_utc:
            self._oldest_utc = delivery.made_utc
        if router_id in self._under_way:
            self._behind.setdefault(router_id, deque()).append(delivery)
            return
        self._under_way[router_id] = delivery
        self._begin(delivery, now)

    def _begin(self, delivery: Delivery, now: float) -> None:
        if delivery.not_before > now:
            self._put_later(delivery, delivery.not_before)
        else:
            self.waiting.append(delivery)

    # What only the journal has.

    def wants(self, now: float) -> int | None:
        """After which delivery the journal should be read now; None if it need not be.

        A client that is away needs none, but for the oldest, which tell how old all are.
        """
        if self._reading is not None or len(self.waiting) >= (
            self._capacity.outbox_refill_below if self.receivers else 1
        ):
            return None
        if self.ahead > 0:
            return self.cursor
        return self._again_from if self.passed > 0 and self._again_at <= now else None

    def reads(self, over: Iterable[int]) -> None:
        """The journal is read now; of these deliveries it may not know yet that they are over."""
        self._reading = _Reading(self.ahead > 0, self.cursor, set(over))

    def fetched(self, deliveries: Sequence[Delivery], now: float) -> None:
        """The journal's next deliveries, as many as there are or as one reading brings."""
        reading, self._reading = self._reading, None
        assert reading is not None
        if not reading.is_ahead:
            self._read_again(reading, deliveries, now)
            return
        for delivery in deliveries:
            self.cursor = delivery.kept_as
            delivery.not_before = self._ahead_not_before
            self._take_in(delivery, now)
        # None where there should be some: the journal is right, and none is waited for in vain.
        self.ahead = self.ahead - len(deliveries) if deliveries else 0

    def _read_again(self, reading: "_Reading", deliveries: Sequence[Delivery], now: float) -> None:
        """Of these, those that were passed have their turn again."""
        for delivery in deliveries:
            if delivery.kept_as > reading.until:
                break
            if len(self.waiting) >= self._capacity.outbox_deliveries:
                return
            self._again_from = delivery.kept_as
            if delivery.kept_as not in reading.over and not self._has(delivery):
                self.passed -= 1
                self._passed_by.discard(delivery.router_id)
                delivery.tries = PATIENT_AFTER_TRIES
                self._take_in(delivery, now)
        else:
            if len(deliveries) == self._capacity.outbox_fetch:
                return
        self._again_from = -1  # All have been looked at.
        self._again_at = now + LONGEST_RETRY_S if self.passed else _NEVER

    def not_fetched(self) -> None:
        """The journal has failed."""
        self._reading = None

    def _has(self, delivery: Delivery) -> bool:
        """Whether this one is in memory already."""
        router_id = delivery.router_id
        found = (self._under_way.get(router_id), *self._behind.get(router_id, ()))
        return any(one is not None and one.kept_as == delivery.kept_as for one in found)

    def _pass(self, count: int, now: float) -> None:
        """So many are left to the journal, until it is read once more."""
        self.passed += count
        self._again_at = min(self._again_at, now + LONGEST_RETRY_S)

    # What goes out.

    def pump(self, now: float) -> list[Receiver]:
        """Give what is due to binds that have room; return those that now have something."""
        later = self._later
        while later and later[0][0] <= now:
            self.waiting.append(heappop(later)[2])
        waiting = self.waiting
        given: list[Receiver] = []
        self._is_cut_short = False
        while waiting:
            receiver = self._next_receiver()
            if receiver is None:
                break
            if len(given) == self._capacity.outbox_per_turn:
                self._is_cut_short = True
                break
            delivery = waiting.popleft()
            if delivery.is_over:
                continue
            delivery.tries += 1
            receiver.give(delivery, now)
            given.append(receiver)
        return given

    def _next_receiver(self) -> Receiver | None:
        """The next bind with room, in turns."""
        receivers = self.receivers
        window = self.settings.deliver_window
        for _ in range(len(receivers)):
            self._turn = (self._turn + 1) % len(receivers)
            receiver = receivers[self._turn]
            if receiver.has_room(window):
                return receiver
        return None

    def wake_at(self) -> float:
        """When `pump` is next needed although nothing happens before."""
        if self._is_cut_short:
            return 0.0
        return self._later[0][0] if self._later else _NEVER

    # What the client makes of it.

    def answered(self, delivery: Delivery, status: int, now: float, *, late: bool) -> bool:
        """The client has answered; return whether that ends this delivery.

        A late answer finds that it is about to be sent again, or has been, or has been answered.
        """
        if delivery.is_over:
            return False
        if status in TEMPORARY_FOR_CLIENTS:
            if not late:
                self._try_later(delivery, now)
            return False
        self._over(delivery, now)
        return True

    def unanswered(self, delivery: Delivery, now: float) -> None:
        """No answer came in time: it may have been read, and is sent again."""
        if not delivery.is_over:
            delivery.was_silent = True
            self._try_later(delivery, now)

    def lost(self, deliveries: list[Delivery]) -> None:
        """Their bind is gone: they go first on another, oldest first."""
        self.waiting.extendleft(reversed(deliveries))

    def too_old(self, now: float, now_utc: float) -> list[Delivery]:
        """Remove and return what has waited longer than the account's `outbox`."""
        before = now_utc - self.settings.outbox_s
        if self._oldest_utc >= before:
            return []
        waiting = [*self.waiting, *(delivery for _, _, delivery in self._later)]
        old = [one for one in waiting if one.made_utc < before and not one.is_over]
        for delivery in old:
            self._over(delivery, now)
        if old:
            self.waiting = deque(one for one in self.waiting if not one.is_over)
            self._later = [entry for entry in self._later if not entry[2].is_over]
            self._later.sort()
        in_memory = (
            *self._under_way.values(),
            *(d for more in self._behind.values() for d in more),
        )
        self._oldest_utc = min((one.made_utc for one in in_memory), default=_NEVER)
        return old

    def _over(self, delivery: Delivery, now: float) -> None:
        """End it, wherever it is, and let the next one of its message go."""
        delivery.is_over = True
        if self._reading is not None:
            self._reading.over.add(delivery.kept_as)
        router_id = delivery.router_id
        del self._under_way[router_id]
        behind = self._behind.get(router_id)
        if behind:
            following = self._under_way[router_id] = behind.popleft()
            if not behind:
                del self._behind[router_id]
            self._begin(following, now)

    def _try_later(self, delivery: Delivery, now: float) -> None:
        """It has been refused for now, or nobody has answered.

        What the client may have read stays in memory: its answer may still come.
        """
        if len(self._later) < self._capacity.outbox_retrying or delivery.was_silent:
            self._put_later(delivery, now + self._retry_wait_s(delivery))
            return
        router_id = delivery.router_id
        del self._under_way[router_id]
        behind = self._behind.pop(router_id, ())
        if behind or not delivery.final:
            self._passed_by.add(router_id)
        self._pass(1 + len(behind), now)

    def _put_later(self, delivery: Delivery, at: float) -> None:
        self._order += 1
        heappush(self._later, (at, self._order, delivery))

    @staticmethod
    def _retry_wait_s(delivery: Delivery) -> float:
        return min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(delivery.tries - 1, 16))


def is_acknowledged(status: int) -> bool:
    """Whether the client has the delivery, rather than refusing it for good."""
    return status == ESME_ROK
