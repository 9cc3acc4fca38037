"""When is a bind, or an operator, left alone for a while because nothing but failures comes of it?

    CLOSED   messages go; after `failures` among the last `of` answers  -> OPEN
    OPEN     nothing is sent, others take over; when its rest is over   -> PROBING
    PROBING  one message at a time is tried: it is taken                -> CLOSED
             it fails too                                               -> OPEN, for twice as long

A failure is a status that speaks of the operator and not of the message, or no answer at all.
"""

from enum import IntEnum
from typing import Final

from router.terms.settings import BreakerSettings

_NEVER: Final = float("inf")


class BreakerState(IntEnum):
    """Where a breaker is."""

    CLOSED = 0
    OPEN = 1
    PROBING = 2


class Breaker:
    """One of them."""

    __slots__ = ("_answers", "_recent", "_settings", "opened", "rest_s", "state", "until")

    def __init__(self, settings: BreakerSettings | None) -> None:
        """None: it never opens."""
        self.state = BreakerState.CLOSED
        self.until = _NEVER
        """When its rest is over, while it is open."""
        self.opened = 0
        """How often it has opened."""
        self._settings = settings
        self._recent = 0
        self.rest_s = 0.0 if settings is None else settings.rest_s
        """How long its next rest is, or the one that it has."""

    def adopt(self, settings: BreakerSettings | None, now: float) -> None:
        """Go on with other settings; one that is open stays open, but no longer than those say."""
        self._settings = settings
        if settings is None:
            self.close()
            return
        self._recent &= (1 << settings.of) - 1
        if self.state is BreakerState.CLOSED:
            self.rest_s = settings.rest_s
            return
        self.rest_s = min(max(self.rest_s, settings.rest_s), settings.longest_s)
        if self.state is BreakerState.OPEN:
            self.until = min(self.until, now + self.rest_s)

    @property
    def is_open(self) -> bool:
        """Whether not everything goes, to say it in one word."""
        return self.state is not BreakerState.CLOSED

    @property
    def is_troubled(self) -> bool:
        """Whether a success would change anything."""
        return self._recent != 0 or self.is_open

    def succeeded(self) -> bool:
        """A message was taken; return whether that closes it."""
        settings = self._settings
        if settings is None:
            return False
        self._recent = self._recent << 1 & (1 << settings.of) - 1
        if self.state is not BreakerState.PROBING:
            return False
        self.close()
        return True

    def failed(self, now: float) -> bool:
        """One has failed; return whether that opens it."""
        settings = self._settings
        if settings is None or self.state is BreakerState.OPEN:
            return False
        if self.state is BreakerState.PROBING:
            self.rest_s = min(self.rest_s * 2, settings.longest_s)
            self.open(now)
            return True
        self._recent = (self._recent << 1 | 1) & (1 << settings.of) - 1
        if self._recent.bit_count() < settings.failures:
            return False
        self.open(now)
        return True

    def open(self, now: float) -> None:
        """Leave it alone."""
        self.state = BreakerState.OPEN
        self.until = now + self.rest_s
        self.opened += 1

    def close(self) -> None:
        """All is well."""
        settings = self._settings
        self.state = BreakerState.CLOSED
        self.until = _NEVER
        self._recent = 0
        self.rest_s = 0.0 if settings is None else settings.rest_s

    def tick(self, now: float) -> bool:
        """Begin to probe when the rest is over; return whether that is now."""
        if self.state is not BreakerState.OPEN or now < self.until:
            return False
        self.state = BreakerState.PROBING
        self.until = _NEVER
        return True
