"""Receipts and inbound messages go to their client, on any receiving bind, until it has them.

Order is kept for one message only (an intermediate receipt before the final one), so one that a
client refuses holds up no other. A temporary refusal or a silence is tried again with growing
waits; a permanent refusal and old age end it, counted.
"""

from collections import deque
from heapq import heappop, heappush
from typing import Final, Protocol

from router.smpp.pdu import Framer, Sm, build
from router.smpp.session import Peer
from router.smpp.vocabulary import DELIVER_SM, ESME_ROK, VERSION_3_4
from router.terms.message import Delivery
from router.terms.names import RouterId
from router.terms.outcome import TEMPORARY_FOR_CLIENTS
from router.terms.settings import AccountSettings

FIRST_RETRY_S: Final = 1.0
LONGEST_RETRY_S: Final = 300.0
"""A client that refuses for an hour is asked every five minutes."""

LONGEST_SHORT_MESSAGE_OCTETS: Final = 254


class Receiver(Peer, Protocol):
    """A client's bind that deliver_sm can go to."""

    @property
    def receives(self) -> bool:
        """Whether it is bound for it and keeps up with reading."""


class Outbox:
    """What one account still has to be given."""

    def __init__(self, settings: AccountSettings) -> None:
        self.settings: Final = settings
        self.receivers: list[Receiver] = []
        """Its binds, of any type; those that may not receive are passed over."""
        self.waiting: deque[Delivery] = deque()
        self._later: list[tuple[float, int, Delivery]] = []
        self._order = 0
        self._under_way: dict[RouterId, deque[Delivery]] = {}
        """What waits behind the one delivery of each message that is not over."""
        self._turn = 0

    def __len__(self) -> int:
        """Deliveries that the client has not acknowledged."""
        return len(self._under_way) + sum(map(len, self._under_way.values()))

    def put(self, delivery: Delivery, now: float) -> None:
        """A delivery is safe in the journal; it may go."""
        behind = self._under_way.get(delivery.router_id)
        if behind is not None:
            behind.append(delivery)
            return
        self._under_way[delivery.router_id] = deque()
        if delivery.not_before > now:
            self._put_later(delivery, delivery.not_before)
        else:
            self.waiting.append(delivery)

    def pump(self, now: float) -> list[Receiver]:
        """Give what is due to binds that have room; return those that now have something."""
        later = self._later
        while later and later[0][0] <= now:
            self.waiting.append(heappop(later)[2])
        waiting = self.waiting
        given: list[Receiver] = []
        while waiting:
            receiver = self._next_receiver()
            if receiver is None:
                break
            delivery = waiting.popleft()
            if delivery.is_over:
                continue
            delivery.tries += 1
            session = receiver.session
            octets = delivery.octets
            if session.interface_version < VERSION_3_4:
                octets = without_tlvs(octets)
            session.request(octets, delivery, now)
            given.append(receiver)
        return given

    def _next_receiver(self) -> Receiver | None:
        """The next bind with room, in turns."""
        receivers = self.receivers
        window = self.settings.deliver_window
        for _ in range(len(receivers)):
            self._turn = (self._turn + 1) % len(receivers)
            receiver = receivers[self._turn]
            if len(receiver.session.unanswered) < window and receiver.receives:
                return receiver
        return None

    def pump_at(self) -> float:
        """When `pump` is next needed although nothing happens before."""
        return self._later[0][0] if self._later else float("inf")

    def answered(self, delivery: Delivery, status: int, now: float, *, late: bool) -> bool:
        """The client has answered; return whether that ends this delivery.

        A late answer finds that it is about to be sent again, or has been, or has been answered.
        """
        if delivery.is_over:
            return False
        if status in TEMPORARY_FOR_CLIENTS:
            if not late:
                self._put_later(delivery, now + self._retry_wait_s(delivery))
            return False
        self._over(delivery, now)
        return True

    def unanswered(self, delivery: Delivery, now: float) -> None:
        """No answer came in time: it may have been read, and is sent again."""
        if not delivery.is_over:
            self._put_later(delivery, now + self._retry_wait_s(delivery))

    def lost(self, deliveries: list[Delivery]) -> None:
        """Their bind is gone: they go first on another, oldest first."""
        self.waiting.extendleft(reversed(deliveries))

    def too_old(self, now: float, now_utc: float) -> list[Delivery]:
        """Remove and return what has waited longer than the account's `outbox`."""
        before = now_utc - self.settings.outbox_s
        waiting = [*self.waiting, *(delivery for _, _, delivery in self._later)]
        old = [one for one in waiting if one.made_utc < before and not one.is_over]
        for delivery in old:
            self._over(delivery, now)
        if old:
            self.waiting = deque(one for one in self.waiting if not one.is_over)
            self._later = [entry for entry in self._later if not entry[2].is_over]
            self._later.sort()
        return old

    def _over(self, delivery: Delivery, now: float) -> None:
        """End it, wherever it is, and let the next one of its message go."""
        delivery.is_over = True
        behind = self._under_way.pop(delivery.router_id)
        if behind:
            following = behind.popleft()
            self.put(following, now)
            self._under_way[delivery.router_id] = behind

    def _put_later(self, delivery: Delivery, at: float) -> None:
        self._order += 1
        heappush(self._later, (at, self._order, delivery))

    @staticmethod
    def _retry_wait_s(delivery: Delivery) -> float:
        return min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(delivery.tries - 1, 16))


def is_acknowledged(status: int) -> bool:
    """Whether the client has the delivery, rather than refusing it for good."""
    return status == ESME_ROK


def without_tlvs(octets: bytes) -> bytes:
    """A deliver_sm for a client of version 3.3, which knows no TLVs: a text in one moves out of it.

    A text that is too long for a short_message stays where it is, rather than nowhere.
    """
    sm = Sm(Framer(len(octets)).feed(octets)[0])
    text = sm.message
    if len(text) > LONGEST_SHORT_MESSAGE_OCTETS:
        return octets
    head = octets[16 : sm.short_message_at - 1]
    return build(DELIVER_SM, 0, 0, head + bytes((len(text),)) + text)
