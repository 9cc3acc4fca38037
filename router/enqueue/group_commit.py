"""When the next commit begins, and whether what may wait goes with it.

A commit costs much by itself (system calls, the disk, two threads that wake each other) and little
by the row. While there is little to write, the disk has time: every commit goes at once and takes
along all that waits, so nobody waits for company that does not come. While there is much, commits
begin `commit_every` apart, and what may wait goes with few of them.

Which of the two it is, the last commit tells. It steers itself: while a commit takes long, more
comes for the next.
"""

from typing import Final

BUSY_ROWS: Final = 32
"""Rows of a commit (messages accepted, answers, receipts, acknowledgements, outcomes) from which on
the journal is busy. Five belong to a message whose receipt comes soon."""
_RIDE_ALONG: Final = 0.2
"""Part of `settle_every`. Sooner, each commit of accepted messages would take longer; later, some
commits would be large, and clients would wait for those."""
_LONG_AGO: Final = float("-inf")


class GroupCommit:
    """The pace of commits; times are monotonic, in seconds."""

    __slots__ = ("_began_at", "_commit_every_s", "_is_busy", "_settle_every_s")

    def __init__(self, commit_every_s: float, settle_every_s: float) -> None:
        self._commit_every_s: Final = commit_every_s
        self._settle_every_s: Final = settle_every_s
        self._is_busy = False
        self._began_at = _LONG_AGO

    def began(self, at: float, rows: int) -> None:
        """Note that a commit of so many rows begins."""
        self._began_at = at
        self._is_busy = rows >= BUSY_ROWS

    def urgent_at(self) -> float:
        """Return when work that clients wait for may be committed next."""
        return self._began_at + self._commit_every_s if self._is_busy else _LONG_AGO

    def rides_along_at(self, asked_at: float) -> float:
        """Return from when on work that may wait goes with an urgent commit."""
        return asked_at + self._settle_every_s * _RIDE_ALONG if self._is_busy else asked_at

    def alone_at(self, asked_at: float) -> float:
        """Return when work that may wait is committed although no urgent work has come."""
        if self._is_busy:
            return asked_at + self._settle_every_s
        return asked_at + min(self._commit_every_s, self._settle_every_s)
