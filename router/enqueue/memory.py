"""The journal's memory twin: it keeps nothing, for trials and tests.

It is asynchronous like the real one, so that a stage cannot grow used to an answer that comes at
once: what is asked in one turn of the loop is answered in a later one, in batches. Tests hand in
their own `later` to delay answers, and set `failing` to break them.
"""

from collections import deque
from collections.abc import Callable
from itertools import islice

from router.enqueue.journal import (
    Attempt,
    Backlog,
    Changes,
    Done,
    Fetched,
    JournalError,
    Recovered,
    Wanted,
)
from router.terms.message import Delivery, Message
from router.terms.names import AccountName
from router.terms.plan import Plan

_Key = tuple[Plan, int, AccountName]


class MemoryJournal:
    """Messages, attempts and deliveries in dictionaries."""

    def __init__(self, later: Callable[[Callable[[], None]], object], first_number: int) -> None:
        self._later = later
        self._next_number = first_number
        self._asked: list[Callable[[JournalError | None], None]] = []
        self.failing: JournalError | None = None
        """Set it to make every commit fail, as a full disk would."""
        self.messages: dict[int, Message] = {}
        """Accepted and not settled, by router_id."""
        self.attempts: dict[int, list[Attempt]] = {}
        """What operators took, by router_id."""
        self._queues: dict[_Key, deque[Message]] = {}
        """The same messages by queue, in order; what is settled goes when it comes to the front."""
        self.held: dict[int, Delivery] = {}
        """Not acknowledged, by id()."""

    @property
    def pending(self) -> int:
        """Operations that are not done yet."""
        return len(self._asked)

    def commit(self, changes: Changes, done: Done, *, urgent: bool) -> None:
        """See `Journal`. Here nothing gains by waiting, so urgent or not is all the same."""

        def answer(error: JournalError | None) -> None:
            if error is None:
                self._apply(changes)
            done(changes, error)

        self._ask(answer)

    def reserve_ids(self, count: int, done: Callable[[int, JournalError | None], None]) -> None:
        """See `Journal`."""

        def answer(error: JournalError | None) -> None:
            if error is not None:
                done(0, error)
                return
            first = self._next_number
            self._next_number += count
            done(first, None)

        self._ask(answer)

    def fetch(self, wanted: Wanted, done: Fetched) -> None:
        """See `Journal`."""

        def answer(error: JournalError | None) -> None:
            if error is not None:
                done([], error)
                return
            queue = self._queues.get((wanted.plan, wanted.lane, wanted.account), deque())
            while queue and queue[0].router_id <= wanted.after:
                queue.popleft()
            done(list(islice(filter(self._waits, queue), wanted.count)), None)

        self._ask(answer)

    def recover(self, done: Callable[[Recovered, JournalError | None], None]) -> None:
        """See `Journal`. In a new process there is nothing; in a test there may be."""

        def answer(error: JournalError | None) -> None:
            if error is not None:
                done(Recovered(), error)
                return
            self._queue_anew()
            waiting = [Backlog(*key, len(queue)) for key, queue in self._queues.items()]
            sent = [attempt for attempts in self.attempts.values() for attempt in attempts]
            done(Recovered(waiting, sent, list(self.held.values())), None)

        self._ask(answer)

    def _queue_anew(self) -> None:
        """For a new process: the one before has moved messages, and fetched some for itself."""
        self._queues = {}
        for _, message in sorted(self.messages.items()):
            if self._waits(message):
                self._queue_of(message).append(message)

    def _queue_of(self, message: Message) -> deque[Message]:
        return self._queues.setdefault((message.plan, message.lane, message.account), deque())

    def _waits(self, message: Message) -> bool:
        return message.router_id in self.messages and message.router_id not in self.attempts

    def close(self, done: Callable[[], None]) -> None:
        """See `Journal`."""
        self._ask(lambda _: done())

    def _ask(self, answer: Callable[[JournalError | None], None]) -> None:
        if not self._asked:
            self._later(self._answer)
        self._asked.append(answer)

    def _answer(self) -> None:
        asked, self._asked = self._asked, []
        for answer in asked:
            answer(self.failing)

    def _apply(self, changes: Changes) -> None:
        messages, queues = self.messages, self._queues
        for message in changes.accepted:
            messages[message.router_id] = message
            queue = queues.get((message.plan, message.lane, message.account))
            if queue is None:
                queue = self._queue_of(message)
            while queue and queue[0].router_id not in messages:
                queue.popleft()
            queue.append(message)
        for attempt in changes.attempted:
            self.attempts.setdefault(attempt.message.router_id, []).append(attempt)
        for delivery in changes.held:
            self.held[id(delivery)] = delivery
        for settlement in changes.settled:
            router_id = settlement.message.router_id
            messages.pop(router_id, None)
            self.attempts.pop(router_id, None)
        for delivery in changes.acknowledged:
            self.held.pop(id(delivery), None)
