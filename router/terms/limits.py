"""Rates, and the token bucket that keeps clients to theirs.

Time is an argument, in monotonic seconds; nothing here reads a clock. Binds to operators are paced
by a sliding window instead (`forward/pacing.py`).
"""

from dataclasses import dataclass
from math import ulp


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` in any sliding `per_s` seconds: `50/s` is Rate(50, 1.0), `1/min` is Rate(1, 60.0)."""

    count: int
    per_s: float

    @property
    def per_second(self) -> float:
        """The rate as a number per second."""
        return self.count / self.per_s

    def __str__(self) -> str:
        unit = {1.0: "s", 60.0: "min", 3600.0: "h"}.get(self.per_s)
        return f"{self.count}/{unit}" if unit else f"{self.count}/{self.per_s:g}s"


class TokenBucket:
    """At most `burst + rate x elapsed` taken over any span of time."""

    __slots__ = ("_burst", "_filled_at", "_per_s", "_tokens")

    def __init__(self, rate: Rate, burst: int, now: float) -> None:
        self._per_s = rate.per_second
        self._burst = float(max(burst, 1))
        self._tokens = self._burst
        self._filled_at = now

    def adopt(self, rate: Rate, burst: int, now: float) -> None:
        """Follow a new rate and a new burst from now on.

        What has been taken stays taken: a larger burst brings no tokens at once but lets more
        tokens gather. Otherwise every change of the configuration would let a burst through.
        """
        filled = self._tokens + (now - self._filled_at) * self._per_s
        self._per_s = rate.per_second
        # The old burst limits what has gathered so far, the new one what may be kept of that.
        tokens, self._burst = min(filled, self._burst), float(max(burst, 1))
        self._tokens = min(tokens, self._burst)
        self._filled_at = now

    def take(self, now: float) -> bool:
        """Take one token if there is one."""
        tokens = self._tokens + (now - self._filled_at) * self._per_s
        self._filled_at = now
        if tokens > self._burst:
            tokens = self._burst
        if tokens >= 1.0:
            self._tokens = tokens - 1.0
            return True
        self._tokens = tokens
        return False

    def spend(self, count: int, now: float) -> float:
        """Take `count` tokens, even those that are not there yet; return when they all are."""
        tokens = self._tokens + (now - self._filled_at) * self._per_s
        self._tokens = tokens = min(tokens, self._burst) - count
        self._filled_at = now
        return now if tokens >= 0.0 else now - tokens / self._per_s

    def used(self, now: float) -> float:
        """Return the share of the burst that has been taken and has not come back, from 0 to 1."""
        tokens = self._tokens + (now - self._filled_at) * self._per_s
        return min(max(1.0 - tokens / self._burst, 0.0), 1.0)

    def ready_at(self, now: float) -> float:
        """Return when the next token is there, if none is taken before."""
        tokens = self._tokens + (now - self._filled_at) * self._per_s
        if tokens >= 1.0:
            return now
        # A little more than is missing, and one step of the clock: because of rounding the token
        # might otherwise not be there at that moment, and the caller would come in vain for ever.
        at = now + (1.0 - tokens + 1e-9) / self._per_s
        return at + ulp(at)
