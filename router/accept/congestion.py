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

    __slots__ = ("by_journal", "count", "is_on", "is_told", "last_at", "since")

    def __init__(self) -> None:
        self.is_on = False
        """Whether there is one. Whoever tells it ends it when it is calm."""
        self.is_told = False
        """Whether its beginning was told. Whoever tells it sets it."""
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
        if not self.is_on:
            self.is_on = True
            self.is_told = False
            self.since = now
            self.count = self.by_journal = 0
        self.last_at = now
        self.count += 1
        self.by_journal += by_journal

    def is_calm(self, now: float) -> bool:
        """Return whether nothing was refused for so long that it is over."""
        return now - self.last_at >= CALM_S

    @property
    def slow(self) -> str:
        """What was slow most of the time: `journal` or `processor`."""
        return "journal" if 2 * self.by_journal > self.count else "processor"
