"""How many lines of the log one peer may cause: the first few, and then some now and again.

A line that is not written is counted, and the next one that is says how many there were.
"""

from typing import Final

from router.terms.limits import Rate, TokenBucket
from router.terms.oldest_first import OldestFirst

MOST_REMEMBERED: Final = 10_000
"""Keys whose lines are counted; a peer with more addresses than that must not fill the memory."""


class _Lines:
    """What one key has caused."""

    __slots__ = ("bucket", "suppressed")

    def __init__(self, bucket: TokenBucket) -> None:
        self.bucket = bucket
        self.suppressed = 0


class LineLimit:
    """At most `rate` lines for each key, all at once or spread."""

    __slots__ = ("_by_key", "_rate")

    def __init__(self, rate: Rate) -> None:
        self._rate: Final = rate
        self._by_key: Final[OldestFirst[str, _Lines]] = OldestFirst(MOST_REMEMBERED)

    def __len__(self) -> int:
        return len(self._by_key)

    def take(self, key: str, now: float) -> dict[str, int] | None:
        """Return what a line says of those that were suppressed; None if it is one of them."""
        lines = self._of(key, now)
        if not lines.bucket.take(now):
            lines.suppressed += 1
            return None
        suppressed, lines.suppressed = lines.suppressed, 0
        return {"suppressed": suppressed} if suppressed else {}

    def suppress(self, key: str, now: float) -> None:
        """Count a line that is not written for another reason."""
        self._of(key, now).suppressed += 1

    def _of(self, key: str, now: float) -> _Lines:
        lines = self._by_key.get(key)
        if lines is None:
            lines = _Lines(TokenBucket(self._rate, self._rate.count, now))
        self._by_key.put(key, lines)
        return lines
