"""The circuit breaker of a bind, or of a whole operator: no messages while they only fail.

    CLOSED   messages go; after `failures` among the last `of` answers  -> OPEN
    OPEN     nothing is sent, others take over; after a rest            -> PROBING
    PROBING  one message at a time is sent; it is taken                 -> CLOSED
             it fails too                                               -> OPEN, twice as long

A failure is a status that speaks of the operator and not of the message, or no answer at all.
"""

from enum import IntEnum
from typing import Final

from router.terms.settings import BreakerSettings

_NEVER: Final = float("inf")


class BreakerState(IntEnum):
    """The state of a breaker."""

    CLOSED = 0
    OPEN = 1
    PROBING = 2


# Before Python 3.12 a member of an enum costs five globals.
_CLOSED: Final = BreakerState.CLOSED
_PROBING: Final = BreakerState.PROBING


class Breaker:
    """One circuit breaker."""

    __slots__ = ("_answers", "_recent", "_settings", "opened", "rest_s", "state", "until")

    def __init__(self, settings: BreakerSettings | None) -> None:
        """Make a closed breaker; without settings it never opens."""
        self.state = BreakerState.CLOSED
        self.until = _NEVER
        """When the rest is over, while the breaker is open; infinity in other states."""
        self.opened = 0
        """How often the breaker has opened."""
        self._settings = settings
        self._recent = 0
        self.rest_s = 0.0 if settings is None else settings.rest_s
        """The length of the present rest, or of the next one."""

    def adopt(self, settings: BreakerSettings | None, now: float) -> None:
        """Follow other settings; an open breaker stays open, at most for a rest of the new ones."""
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
        """Whether the breaker limits what is sent: it is open or probing."""
        return self.state is not _CLOSED

    @property
    def is_troubled(self) -> bool:
        """Whether a success would change the state or the count of failures."""
        return self._recent != 0 or self.is_open

    def succeeded(self) -> bool:
        """Note that a message was taken; return whether that closes the breaker."""
        settings = self._settings
        if settings is None:
            return False
        self._recent = self._recent << 1 & (1 << settings.of) - 1
        if self.state is not _PROBING:
            return False
        self.close()
        return True

    def failed(self, now: float) -> bool:
        """Note that a message failed; return whether that opens the breaker."""
        settings = self._settings
        if settings is None or self.state is BreakerState.OPEN:
            return False
        if self.state is BreakerState.PROBING:
            self.rest_s = self.longer_s(self.rest_s)
            self.open(now)
            return True
        self._recent = (self._recent << 1 | 1) & (1 << settings.of) - 1
        if self._recent.bit_count() < settings.failures:
            return False
        self.open(now)
        return True

    def longer_s(self, rest_s: float) -> float:
        """Return the length of the rest after one of this length."""
        settings = self._settings
        if settings is None:
            return 0.0
        return min(max(rest_s, settings.rest_s) * 2, settings.longest_s)

    def open(self, now: float) -> None:
        """Open: send nothing for the length of a rest."""
        self.state = BreakerState.OPEN
        self.until = now + self.rest_s
        self.opened += 1

    def close(self) -> None:
        """Close: send without a limit, and forget the failures."""
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
