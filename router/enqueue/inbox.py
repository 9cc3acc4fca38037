"""What the loop hands to the journal's thread, which is woken no more than needed.

To wake a thread costs both of them. Urgent work wakes it. Work that may wait wakes it only if none
waited before: then the thread learns until when it may sleep, and what comes after that lies here
until it is taken.

Why no lock is needed. Only the loop's thread adds, and only the journal's thread takes. The loop
adds first and looks then: it wakes the thread unless other work lay there before. If it did, either
that work has woken the thread, which looks here before it sleeps again, or the thread has taken it
just now, and looks here before it sleeps again. (`tests/unit/enqueue/test_inbox.py` stops the one
after any byte code, and has the other go on.)

Order: urgent work may overtake other work, never the other way round.
"""

from collections import deque
from queue import Empty, SimpleQueue
from typing import Final, Generic, Protocol, TypeVar

_NEVER: Final = float("inf")


class Timed(Protocol):
    """Work that knows when it was asked for, in monotonic seconds."""

    @property
    def asked_at(self) -> float:
        """When."""


Work = TypeVar("Work", bound=Timed)


class Inbox(Generic[Work]):
    """Work for one thread: urgent, and such as may wait."""

    __slots__ = ("_closed", "_may_wait", "_news", "ended")

    def __init__(self) -> None:
        self._may_wait: deque[Work] = deque()
        self._news: SimpleQueue[Work | None] = SimpleQueue()
        """Urgent work; None says that something else has happened."""
        self._closed = False
        self.ended = False
        """Whether `urgent` has returned the last there will be. For the journal's thread."""

    # For the loop's thread.

    def add(self, work: Work, *, urgent: bool) -> None:
        """Hand work to the thread."""
        if urgent:
            self._news.put(work)
            return
        self._may_wait.append(work)
        if len(self._may_wait) == 1:
            self._news.put(None)

    def close(self) -> None:
        """Say that no more work will come."""
        self._closed = True
        self._news.put(None)

    # For the journal's thread.

    def oldest_asked_at(self) -> float:
        """Return when the first of the work that may wait was asked for; infinity if none waits."""
        return self._may_wait[0].asked_at if self._may_wait else _NEVER

    def urgent(self, timeout_s: float | None) -> list[Work]:
        """Wait for news, for so long or for ever (None); return the urgent work that has come."""
        found: list[Work] = []
        self.ended = self._closed  # Read first: all that was added before is taken below.
        try:
            news = self._news.get(timeout=0.0 if self.ended else timeout_s)
            while True:
                if news is not None:
                    found.append(news)
                news = self._news.get_nowait()
        except Empty:
            return found

    def rest(self) -> list[Work]:
        """Take all: the work that may wait, behind all urgent work that was added before it."""
        waiting = self._all_that_waits()
        # Only now, because the loop may have added both since `urgent` looked.
        urgent = self.urgent(0.0)
        if self.ended:
            waiting += self._all_that_waits()
        return urgent + waiting

    def _all_that_waits(self) -> list[Work]:
        return [self._may_wait.popleft() for _ in range(len(self._may_wait))]
