"""Whether more comes than the router can take: since when, and how much was refused.

It is told of each message that was refused because it had waited too long (smpp/reading.py), and
decides nothing: who waits how long is decided by turns, so there is nothing that could be decided
too late, or swing.
"""

from typing import Final

CALM_S: Final = 10.0
"""A congestion is over when nothing was refused for so long: one that comes and goes is one."""


class Congestion:
    """The present congestion, or the last one."""

    __slots__ = ("count", "is_on", "is_told", "last_at", "since")

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

    def refused(self, now: float) -> None:
        """Note that a message was refused because it had waited too long."""
        if not self.is_on:
            self.is_on = True
            self.is_told = False
            self.since = now
            self.count = 0
        self.last_at = now
        self.count += 1

    def is_calm(self, now: float) -> bool:
        """Return whether nothing was refused for so long that it is over."""
        return now - self.last_at >= CALM_S
