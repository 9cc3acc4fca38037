"""When a message arrived at the operator, as far as the writer can know.

Three things show it. The answer of a message, or of one that was written after it on the same
session, shows that the operator has read it. Any answer at all shows that the operator was at work
when it left. And the system of this machine knows which octets the system of the operator's machine
has acknowledged: those have arrived there, whether or not anybody has read them.
"""

from bisect import bisect_left
from collections import deque
from typing import Final

ROUND_TRIP_SPAN_S: Final = 10.0
"""The length of a span. The smallest round trip is that of the last one or two: paths change."""
FEWEST_ROUND_TRIPS: Final = 8
"""The fewest round trips of a span. At one message per minute ten seconds hold one or two; those
may all have met a stall, and the smallest of them would show nothing."""
ACKNOWLEDGED_S: Final = 0.065
"""Octets that are acknowledged within this time arrived at once: systems hold an acknowledgement
back for 40 ms, in the hope of an answer to send it with. Later ones may have been lost on the way,
and sent again."""
_APART_S: Final = 0.01
"""Answers closer together count as one: after a stall they come all at once."""
_MOST_TIMES: Final = 8192
"""Times that a bind remembers of a kind; then the older half is forgotten."""
_MEAN_SHARE: Final = 0.02
"""The weight of one round trip in the average."""
_NEVER: Final = float("inf")


class Path:
    """The smallest recent round trip to one host, over all binds that are connected to that host.

    One bind alone may never see a round trip without a queue: the binds of a host often send at the
    same moments, and so wait for each other. A value that is too small costs a little of the rate;
    one that is too large lets messages go too early.
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
        """The smallest round trip, in seconds."""
        self.way_s = 0.0
        """The time that is subtracted from answers: 0 until enough round trips are known, then
        `smallest_s`."""
        self._current = _NEVER
        self._previous = _NEVER
        self._in_span = 0
        self._counted_at = -_NEVER
        self._span_ends_at = 0.0

    def add_sample(self, seconds: float, now: float) -> None:
        """Add a round trip that ended now."""
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
    """The round trips of a bind, and the times of its answers."""

    __slots__ = ("_answers", "acknowledged", "mean_s", "path")

    def __init__(self, path: Path | None = None) -> None:
        self.acknowledged: Final = Acknowledged()
        """What the systems of both ends know of the present session."""
        self.path = Path() if path is None else path
        """The path to the host; binds that are connected to one host share it."""
        self.mean_s = 0.0
        """The average of about the last fifty round trips; 0 before the first."""
        self._answers: list[float] = []

    @property
    def smallest_s(self) -> float:
        """The smallest round trip, in seconds."""
        return self.path.smallest_s

    @property
    def way_s(self) -> float:
        """The time that is subtracted from answers."""
        return self.path.way_s

    def add_sample(self, seconds: float, now: float) -> None:
        """Add a round trip that ended now."""
        answers = self._answers
        self.mean_s += (seconds - self.mean_s) * (_MEAN_SHARE if answers else 1.0)
        answers.append(now)
        if len(answers) > _MOST_TIMES:
            del answers[: _MOST_TIMES // 2]
        self.path.add_sample(seconds, now)

    def silent_s(self, since: float, now: float) -> float:
        """Return how long nothing was answered from a moment on, until now at most."""
        answers = self._answers
        place = bisect_left(answers, since)
        return max(0.0, (answers[place] if place < len(answers) else now) - since)


class Acknowledged:
    """Which messages of a session the operator's system has acknowledged, and when.

    Positions count octets that were written on the session. Nothing is known of a message that was
    written while nobody noted positions.
    """

    __slots__ = ("_at", "_since", "_to", "_waiting")

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, float]] = deque()
        """Positions that are not acknowledged, and when they were written."""
        self._since = _NEVER
        """Messages that were written from then on are known."""
        self._to: list[float] = []
        """Up to what time of writing octets are acknowledged, each with the same place of `_at`."""
        self._at: list[float] = []
        """The latest time at which that was."""

    def forget(self) -> None:
        """Forget everything: the session is over, or positions are no longer noted."""
        if self._since == _NEVER:
            return
        self._waiting.clear()
        self._since = _NEVER
        self._to.clear()
        self._at.clear()

    def wrote(self, position: int, at: float) -> None:
        """Note that octets up to this position were handed to the system."""
        if self._since == _NEVER:
            self._since = at
        self._waiting.append((position, at))

    def has(self, position: int, at: float) -> None:
        """Note that the operator's system had acknowledged octets up to this position by then."""
        waiting = self._waiting
        to = -_NEVER
        while waiting and waiting[0][0] <= position:
            to = waiting.popleft()[1]
        if to == -_NEVER:
            return
        self._to.append(to)
        self._at.append(at)
        if len(self._to) > _MOST_TIMES:
            del self._to[: _MOST_TIMES // 2]
            del self._at[: _MOST_TIMES // 2]

    def since(self, written_at: float, now: float) -> float:
        """Return when a message that was written then had arrived at the latest.

        That is the time of writing where nothing is known, and now where it is not acknowledged.
        """
        if written_at < self._since:
            return written_at
        place = bisect_left(self._to, written_at)
        if place < len(self._to):
            at = self._at[place]
        elif self._waiting and self._waiting[-1][1] >= written_at:
            at = now
        else:
            return written_at
        return at if at > written_at + ACKNOWLEDGED_S else written_at
