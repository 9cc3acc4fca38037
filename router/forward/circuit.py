"""The breakers of one operator: one for each bind, and one for the whole operator.

The breaker of the whole operator opens after `failures` failures without a success in between, if
every bind that could send has had a failure: else one bad bind would stop the good ones. While that
breaker is probing, one bind sends one message at a time.

Only what is new decides a trial. A message that was not answered before may try beside it, for want
of others: an answer closes the breakers; that it is not answered again says nothing, and the next
such message waits for a rest of its own, twice as long each time.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Final, Protocol

from router.forward.breaker import Breaker, BreakerState
from router.terms.settings import BreakerSettings

UNLIMITED: Final = 1 << 62


class Breakable(Protocol):
    """A bind, as far as breakers go."""

    @property
    def breaker(self) -> Breaker:
        """The breaker of this bind alone."""


class Circuit:
    """All breakers of an operator."""

    __slots__ = (
        "_again_s",
        "_binds",
        "_failing",
        "_failures",
        "_most",
        "again_at",
        "is_troubled",
        "probe",
        "whole",
    )

    def __init__(self, settings: BreakerSettings | None, binds: Sequence[Breakable]) -> None:
        self.whole: Final = Breaker(settings)
        self.probe: Breakable | None = None
        """The bind that sends the trial message while `whole` is probing."""
        self.is_troubled = False
        """Whether a success would change any breaker; read for each message."""
        self.again_at = 0.0
        """When a message may try that was not answered before."""
        self._again_s = 0.0
        self._binds = binds
        self._most = UNLIMITED if settings is None else settings.failures
        self._failures = 0
        self._failing: set[Breakable] = set()

    def adopt(
        self, settings: BreakerSettings | None, binds: Sequence[Breakable], now: float
    ) -> None:
        """Follow other settings and other binds; each breaker keeps its state."""
        self._binds = binds
        self._most = UNLIMITED if settings is None else settings.failures
        for breaker in self._breakers():
            breaker.adopt(settings, now)
        self._failing.intersection_update(binds)
        if self.probe not in binds:
            self.probe = None  # `tick` finds another one.
        self._update()

    def most_unanswered(self, bind: Breakable) -> int:
        """Return how many messages the breakers allow this bind to have unanswered."""
        own, whole = bind.breaker.state, self.whole.state
        if BreakerState.OPEN in (own, whole):
            return 0
        if whole is BreakerState.PROBING:
            return 1 if bind is self.probe else 0
        return 1 if own is BreakerState.PROBING else UNLIMITED

    def is_probing(self, bind: Breakable) -> bool:
        """Return whether the bind may send only one message, as a trial."""
        return self.most_unanswered(bind) == 1

    def is_tried(self, bind: Breakable) -> bool:
        """Return whether the breaker of the bind, or of the whole operator, is probing."""
        return BreakerState.PROBING in (bind.breaker.state, self.whole.state)

    def succeeded(self, bind: Breakable) -> list[Breaker]:
        """Note that a message was taken on this bind; return the breakers that it closes."""
        self._failures = 0
        self._failing.clear()
        self.again_at = self._again_s = 0.0
        closed = [one for one in (bind.breaker, self.whole) if one.succeeded()]
        self._update()
        return closed

    def silent_again(self, now: float) -> None:
        """Note that a message was not answered in time again, while a breaker was probing."""
        self._again_s = self.whole.longer_s(self._again_s)
        self.again_at = now + self._again_s

    def failed(self, bind: Breakable, able: Collection[Breakable], now: float) -> list[Breaker]:
        """Note that a message failed on this bind; return the breakers that it opens.

        `able` are the binds that could send if breakers and windows allowed it.
        """
        own, whole = bind.breaker, self.whole
        opened = [own] if own.failed(now) else []
        if whole.state is BreakerState.PROBING:
            if whole.failed(now):
                opened.append(whole)
        elif whole.state is BreakerState.CLOSED:
            self._failures += 1
            self._failing.add(bind)
            if self._failures >= self._most and self._failing.issuperset(_closed(able)):
                whole.open(now)
                opened.append(whole)
        self._update()
        return opened

    def tick(self, able: Collection[Breakable], now: float) -> bool:
        """Do what is due, once a second or so; return whether any bind may send more now."""
        over = [one.tick(now) for one in self._breakers()]
        changed = any(over)
        if self.whole.state is BreakerState.PROBING and self.probe not in able:
            closed = _closed(able)
            self.probe = closed[0] if closed else None
            changed = changed or self.probe is not None
        return changed

    def _breakers(self) -> list[Breaker]:
        return [*(bind.breaker for bind in self._binds), self.whole]

    def _update(self) -> None:
        if self.whole.state is not BreakerState.PROBING:
            self.probe = None
        self.is_troubled = bool(self._failures) or any(one.is_troubled for one in self._breakers())


def _closed(able: Iterable[Breakable]) -> list[Breakable]:
    return [bind for bind in able if bind.breaker.state is not BreakerState.OPEN]
