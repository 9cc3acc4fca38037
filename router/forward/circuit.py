"""The breakers of one operator: one for each bind, and one for all of them together.

The one for all opens when nothing has been taken since `failures` failures, and every bind that
could send has had one: else a bad bind among good ones would stop them too. While it is being
probed, one bind sends one message at a time.
"""

from collections.abc import Collection
from typing import Final

from router.forward.breaker import Breaker, BreakerState
from router.terms.settings import BreakerSettings

UNLIMITED: Final = 1 << 62


class Circuit:
    """All breakers of an operator. Binds are known by their place among its binds."""

    __slots__ = ("_failing", "_failures", "_most", "binds", "is_troubled", "probe", "whole")

    def __init__(self, settings: BreakerSettings | None, count: int) -> None:
        self.binds: Final = tuple(Breaker(settings) for _ in range(count))
        self.whole: Final = Breaker(settings)
        self.probe: int | None = None
        """The bind that tries for all, while the one for all is probing."""
        self.is_troubled = False
        """Whether a success would change anything; asked for each message."""
        self._most = UNLIMITED if settings is None else settings.failures
        self._failures = 0
        self._failing: set[int] = set()

    def most_unanswered(self, place: int) -> int:
        """How many messages this bind may have unanswered, as far as breakers go."""
        own, whole = self.binds[place].state, self.whole.state
        if BreakerState.OPEN in (own, whole):
            return 0
        if whole is BreakerState.PROBING:
            return 1 if place == self.probe else 0
        return 1 if own is BreakerState.PROBING else UNLIMITED

    def is_probing(self, place: int) -> bool:
        """Whether the bind has no more than one message to try."""
        return self.most_unanswered(place) == 1

    def succeeded(self, place: int) -> list[Breaker]:
        """A message was taken on this bind; return the breakers that it closes."""
        self._failures = 0
        self._failing.clear()
        closed = [one for one in (self.binds[place], self.whole) if one.succeeded()]
        self._reckon()
        return closed

    def failed(self, place: int, able: Collection[int], now: float) -> list[Breaker]:
        """One has failed there; `able` binds could send. Return the breakers that it opens."""
        own, whole = self.binds[place], self.whole
        opened = [own] if own.failed(now) else []
        if whole.state is BreakerState.PROBING:
            if whole.failed(now):
                opened.append(whole)
        elif whole.state is BreakerState.CLOSED:
            self._failures += 1
            self._failing.add(place)
            if self._failures >= self._most and self._failing.issuperset(self._closed(able)):
                whole.open(now)
                opened.append(whole)
        self._reckon()
        return opened

    def look(self, able: Collection[int], now: float) -> bool:
        """Look at the clock, once a second or so; return whether any bind may send more now."""
        over = [one.look(now) for one in (*self.binds, self.whole)]
        changed = any(over)
        if self.whole.state is BreakerState.PROBING and self.probe not in able:
            self.probe = min(self._closed(able), default=None)
            changed = changed or self.probe is not None
        return changed

    def _closed(self, able: Collection[int]) -> list[int]:
        return [place for place in able if self.binds[place].state is not BreakerState.OPEN]

    def _reckon(self) -> None:
        if self.whole.state is not BreakerState.PROBING:
            self.probe = None
        self.is_troubled = bool(self._failures) or any(
            one.is_troubled for one in (*self.binds, self.whole)
        )
