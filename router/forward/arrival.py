"""When a message arrived at the operator, as far as the writer can know.

Three things show it. The answer of a message, or of one that was written after it on the same
session, shows that the operator has read it. Any answer at all shows that the operator was at work
when it left. And the system of this machine knows which octets the system of the operator's machine
has acknowledged: those have arrived there, whether or not anybody has read them.
"""

from bisect import bisect_left
from collections.abc import Callable
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
APART_S: Final = 0.01
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
        "_in_span",
        "_previous",
        "_span_ends_at",
        "counted_at",
        "latest_s",
        "smallest_s",
        "way_s",
    )

    def __init__(self) -> None:
        self.smallest_s = _NEVER
        """The smallest round trip, in seconds."""
        self.way_s = 0.0
        """The time that is subtracted from answers: 0 until enough round trips are known, then
        `smallest_s`."""
        self.latest_s = _NEVER
        """The smallest of the present span, of which `smallest_s` takes in the one before, too."""
        self.counted_at = -_NEVER
        """When a round trip was counted last. Those that come soon after it, and are no shorter,
        need not be added."""
        self._previous = _NEVER
        self._in_span = 0
        self._span_ends_at = 0.0

    def add_sample(self, seconds: float, now: float) -> None:
        """Add a round trip that ended now."""
        if now - self.counted_at >= APART_S:
            self.counted_at = now
            if self._in_span >= FEWEST_ROUND_TRIPS and now >= self._span_ends_at:
                self._previous, self.latest_s = self.latest_s, seconds
                self._span_ends_at = now + ROUND_TRIP_SPAN_S
                self._in_span = 0
            self._in_span += 1
        self.latest_s = min(self.latest_s, seconds)
        self.smallest_s = min(self.latest_s, self._previous)
        if self._in_span > FEWEST_ROUND_TRIPS or self._previous != _NEVER:
            self.way_s = self.smallest_s


class RoundTrip:
    """The round trips of a bind, and the times of its answers."""

    __slots__ = ("_answers", "_forgotten", "acknowledged", "mean_s", "path")

    def __init__(self, path: Path | None = None) -> None:
        self.acknowledged: Final = Acknowledged()
        """What the systems of both ends know of the present session."""
        self.path = Path() if path is None else path
        """The path to the host; binds that are connected to one host share it."""
        self.mean_s = 0.0
        """The average of about the last fifty round trips; 0 before the first."""
        self._answers: list[float] = []
        self._forgotten = 0

    @property
    def answered(self) -> int:
        """How many messages have been answered."""
        return self._forgotten + len(self._answers)

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
            self._forgotten += _MOST_TIMES // 2
        path = self.path
        if seconds < path.latest_s or now - path.counted_at >= APART_S:
            path.add_sample(seconds, now)

    def silent_s(self, since: float, now: float) -> float:
        """Return how long nothing was answered from a moment on, until now at most."""
        answers = self._answers
        place = bisect_left(answers, since)
        return max(0.0, (answers[place] if place < len(answers) else now) - since)


class Acknowledged:
    """Which messages of a session have left, and which the operator's system has acknowledged.

    Positions count octets that were written on the session. Nothing is known of a message that was
    written while nobody noted positions.
    """

    __slots__ = (
        "_acknowledged_at",
        "_left_at",
        "_next",
        "_positions",
        "_written_at",
        "is_told",
        "look",
    )

    def __init__(self) -> None:
        self.is_told = False
        """Whether the system tells anything."""
        self.look: Callable[[], object] = _look_at_nothing
        """The call to make for what the system knows now; it calls `has`."""
        self._written_at: list[float] = []
        """When octets were handed to the system, in order, each with the same place of the rest."""
        self._positions: list[int] = []
        """Up to which octet that was."""
        self._left_at: list[float] = []
        """When they had left this machine at the latest; infinity if that is not known."""
        self._acknowledged_at: list[float] = []
        """When they were acknowledged at the latest; infinity if they are not, so far."""
        self._next = 0
        """The first place that is not acknowledged."""

    @property
    def is_noted(self) -> bool:
        """Whether positions are noted at present."""
        return bool(self._written_at)

    def forget(self) -> None:
        """Forget everything: the session is over, or positions are no longer noted."""
        if self._written_at:
            del self._written_at[:], self._positions[:]
            del self._left_at[:], self._acknowledged_at[:]
            self._next = 0

    def wrote(self, position: int, at: float) -> None:
        """Note that octets up to this position are handed to the system now."""
        self._written_at.append(at)
        self._positions.append(position)
        self._left_at.append(_NEVER)
        self._acknowledged_at.append(_NEVER)
        if len(self._written_at) > _MOST_TIMES:
            half = _MOST_TIMES // 2
            del self._written_at[:half], self._positions[:half]
            del self._left_at[:half], self._acknowledged_at[:half]
            self._next = max(0, self._next - half)

    def has(self, position: int, at: float, left_at: float) -> None:
        """Note that the operator's system had acknowledged octets up to this position by `at`.

        The last octets that were written had left by `left_at`; infinity if they have not.
        """
        self.is_told = True
        positions, place = self._positions, self._next
        if positions and self._left_at[-1] == _NEVER:
            self._left_at[-1] = left_at
        while place < len(positions) and positions[place] <= position:
            self._acknowledged_at[place] = at
            place += 1
        self._next = place

    def arrived_at(self, written_at: float) -> float:
        """Return when a message that was written then had arrived at the latest.

        That is the time of writing where nothing is known, and infinity while its octets are not
        acknowledged.
        """
        place = bisect_left(self._written_at, written_at)
        if place == len(self._written_at) or (place == 0 and written_at < self._written_at[0]):
            return written_at
        if self._acknowledged_at[place] == _NEVER:
            self.look()
        at, left_at = self._acknowledged_at[place], self._left_at[place]
        return left_at if at <= min(left_at, written_at) + ACKNOWLEDGED_S else at


def _look_at_nothing() -> None:
    """The system tells nothing."""
