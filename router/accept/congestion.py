"""Whether more comes than the router can take: since when, how much was refused, and why.

It is told of each message that was refused because it had waited too long (smpp/reading.py), and
decides nothing: who waits how long is decided by turns, so there is nothing that could be decided
too late, or swing.
"""

from typing import Final

CALM_S: Final = 10.0
"""A congestion is over when nothing was refused for so long: one that comes and goes is one."""


class Congestion:
    """The present congestion, or the last one."""

    __slots__ = ("by_journal", "count", "is_on", "last_at", "since")

    def __init__(self) -> None:
        self.is_on = False
        self.since = 0.0
        """When its first message was refused."""
        self.last_at = 0.0
        """When its last message was refused."""
        self.count = 0
        """How many messages it has had refused."""
        self.by_journal = 0
        """Those of them that were refused while the journal was behind."""

    def refused(self, now: float, *, by_journal: bool) -> None:
        """Note that a message was refused; `by_journal` is whether the journal was behind."""
        if not self.is_on or now - self.last_at >= CALM_S:
            self.is_on = True
            self.since = now
            self.count = self.by_journal = 0
        self.last_at = now
        self.count += 1
        self.by_journal += by_journal

    def is_calm(self, now: float) -> bool:
        """Return whether nothing was refused for so long that it is over."""
        return now - self.last_at >= CALM_S

    @property
    def is_of_journal(self) -> bool:
        """Whether the journal was behind most of the time, and not the processor."""
        return 2 * self.by_journal > self.count
