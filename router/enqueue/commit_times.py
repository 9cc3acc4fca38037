"""Whether commits of the journal take longer than they have to, because too much is in them.

What comes while a commit lasts is in the next one. Where more comes than the journal can write,
each is longer than the one before, and the urgent messages in it wait as long. Then nothing should
be added for a while. How long is too long is a question of the disk: the shortest commit of the
last minutes is the disk's own time, and where that is long, a commit of many messages may take
longer.

Source: BBR takes the shortest round trip of a while for that of an empty path.
"""

from typing import Final

LONG_S: Final = 0.05
"""A commit that is so much longer than twice the shortest one is too long."""
SHORTEST_EVERY_S: Final = 60.0
"""The shortest commit is that of the present span of this length and of the one before."""
_NEVER: Final = float("inf")


class CommitTimes:
    """How long the commits of one journal took; times are monotonic, in seconds."""

    __slots__ = ("_shortest_before_s", "_shortest_s", "_until", "are_long")

    def __init__(self, now: float) -> None:
        self.are_long = False
        """Whether the last commit took too long."""
        self._shortest_s = _NEVER
        self._shortest_before_s = _NEVER
        self._until = now + SHORTEST_EVERY_S

    def took(self, took_s: float, now: float) -> None:
        """Note how long a commit took."""
        if now >= self._until:
            self._until = now + SHORTEST_EVERY_S
            self._shortest_before_s, self._shortest_s = self._shortest_s, took_s
        elif took_s < self._shortest_s:
            self._shortest_s = took_s
        shortest_s = min(self._shortest_s, self._shortest_before_s)
        self.are_long = took_s > LONG_S + 2.0 * shortest_s
