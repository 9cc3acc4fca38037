"""Messages that wait for a moment, apart from the queues, so that no other message waits for them.

A delayed message waits to be tried again, or until its number may be sent to again: on the
monotonic clock. A scheduled message waits for the time that its client has set: on the wall clock.
A doubted one may be over, if the wall clock is right: it waits until that is known.
"""

from collections.abc import Callable, Iterable, Iterator
from heapq import heapify, heappop, heappush

from router.terms.message import Message
from router.terms.names import RouterId
from router.terms.states import DELAY, DELAYED, SCHEDULE, SCHEDULED

_NEVER = float("inf")


class Delays:
    """The delayed, the scheduled and the doubted messages."""

    __slots__ = ("_by_id", "_delayed", "_doubted", "_scheduled")

    def __init__(self) -> None:
        self._delayed: list[tuple[float, int, Message]] = []
        """A heap: when a message may go, its id, and the message."""
        self._scheduled: list[tuple[float, int, Message]] = []
        self._doubted: list[Message] = []
        self._by_id: dict[RouterId, Message] = {}
        """All of them: whoever looks for one must not look at each."""

    def find(self, router_id: RouterId) -> Message | None:
        """Return the message with this id, if it is here."""
        return self._by_id.get(router_id)

    def withdraw(self, message: Message) -> None:
        """Have a message leave; its place in the order of the times stays, and counts no more."""
        self._by_id.pop(message.router_id, None)

    def messages(self) -> Iterator[Message]:
        """Yield all of them."""
        for entries in (self._delayed, self._scheduled):
            for _, _, message in entries:
                yield message
        yield from self._doubted

    def _forget(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self._by_id.pop(message.router_id, None)

    # Delayed.

    def delay(self, message: Message, until: float, *, counts: bool = False) -> None:
        """Keep a message until this moment.

        `counts` is whether the message waits for a slot meanwhile; else it begins to at the end.
        """
        message.enter(DELAY)
        if not counts:
            message.waits_since = until
        self._by_id[message.router_id] = message
        heappush(self._delayed, (until, message.router_id, message))

    def wake_at(self) -> float:
        """Return when `wake` is next needed."""
        return self._delayed[0][0] if self._delayed else _NEVER

    def wake(self, now: float) -> Iterator[Message]:
        """Remove and yield the delayed messages that have waited long enough."""
        delayed = self._delayed
        while delayed and delayed[0][0] <= now:
            message = heappop(delayed)[2]
            self._by_id.pop(message.router_id, None)
            if message.state is DELAYED:  # Else a late answer has told that it was sent after all.
                yield message

    def release(self, may_leave: Callable[[Message], bool]) -> list[Message]:
        """Remove and return the delayed messages that may leave before their moment."""
        leaving = [m for _, _, m in self._delayed if m.state is DELAYED and may_leave(m)]
        if leaving:
            gone = {message.router_id for message in leaving}
            self._delayed = [entry for entry in self._delayed if entry[1] not in gone]
            heapify(self._delayed)
            self._forget(leaving)
        return leaving

    def expire(self, now_utc: float) -> list[Message]:
        """Remove and return the delayed messages whose validity has passed."""
        over = [m for _, _, m in self._delayed if m.expires_utc <= now_utc]
        if over:
            self._delayed = [entry for entry in self._delayed if entry[2].expires_utc > now_utc]
            heapify(self._delayed)
        # One that has left may have a place here all the same, and one that came again has two.
        here = {m.router_id: m for m in over if self._by_id.get(m.router_id) is m}
        expired = list(here.values())
        doubted = [message for message in self._doubted if message.expires_utc <= now_utc]
        if doubted:
            self._doubted = [m for m in self._doubted if m.expires_utc > now_utc]
        self._forget(expired)
        self._forget(doubted)
        return expired + doubted

    def delayed(self) -> int:
        """Return how many messages are delayed."""
        return len(self._delayed)

    # Doubted.

    def doubt(self, message: Message) -> None:
        """Keep a message of which only a doubted clock says that its validity has passed."""
        message.enter(DELAY)
        self._by_id[message.router_id] = message
        self._doubted.append(message)

    def end_doubt(self) -> list[Message]:
        """Remove and return the doubted messages."""
        doubted, self._doubted = self._doubted, []
        self._forget(doubted)
        return [message for message in doubted if message.state is DELAYED]

    def doubted(self) -> int:
        """Return how many messages are doubted."""
        return len(self._doubted)

    # Scheduled.

    def schedule(self, message: Message) -> None:
        """Keep a message until the time that its client has set."""
        message.enter(SCHEDULE)
        self._by_id[message.router_id] = message
        heappush(self._scheduled, (message.not_before_utc, message.router_id, message))

    def begin(self, now_utc: float) -> list[Message]:
        """Remove and return the messages that were scheduled for now, in the order of their times.

        Their waiting time begins now: until now they have not waited for an operator.
        """
        due: list[Message] = []
        while self._scheduled and self._scheduled[0][0] <= now_utc:
            at, _, message = heappop(self._scheduled)
            if message.state is not SCHEDULED or message.not_before_utc != at:
                continue  # Its client has cancelled it, or has set another time.
            self._by_id.pop(message.router_id, None)
            message.accepted_at += max(0.0, message.not_before_utc - message.accepted_utc)
            message.waits_since = message.accepted_at
            due.append(message)
        return due

    def scheduled(self) -> int:
        """Return how many messages in memory are scheduled."""
        return len(self._scheduled)
