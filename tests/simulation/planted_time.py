"""Bugs in what a wall clock that is wrong may do, and what it does when it is right again."""

from collections.abc import Callable

from router.enqueue.journal import JournalError
from router.enqueue.lanes import Lanes
from router.journey import Journey
from router.steps.clocks import Clocks
from router.steps.dispatcher import Dispatcher
from router.terms.clock import SteadyUtc
from router.terms.message import Message
from tests.simulation.planting import Patch, bug


def newest_clocks() -> tuple[list[Clocks], Patch]:
    """A list that will have the clocks of the process that was started last, and what fills it."""
    newest: list[Clocks] = []
    start = Journey.start

    def noted(self: Journey, ready: Callable[[JournalError | None], None]) -> None:
        newest[:] = [self.clocks]
        start(self, ready)

    return newest, (Journey, "start", noted)


# A clock that is doubted.


@bug(seed=59)
def a_doubted_clock_expires_what_waits() -> list[Patch]:
    """What may be over is taken for over."""
    expire = Lanes.expire
    newest, watch = newest_clocks()

    def hasty(self: Lanes, now_utc: float) -> list[Message]:
        clocks = newest[0]
        return expire(self, clocks.steady.latest(clocks.now()))

    return [watch, (Lanes, "expire", hasty)]


@bug(seed=68)
def what_may_be_over_is_sent() -> list[Patch]:
    """An old message goes out although the clock, which may be right, says that it is over."""
    return [(Dispatcher, "_may_be_over", lambda self, message, now: False)]


@bug(seed=30)
def a_router_believes_the_clock_it_starts_with() -> list[Patch]:
    """What its journal knows of the time is not asked for."""
    return [(SteadyUtc, "go_on_from", lambda self, known_utc, now: None)]


@bug(seed=9)
def a_clock_that_jumps_is_followed_at_once() -> list[Patch]:
    """Whoever says so, or nobody."""

    def follow(self: SteadyUtc, now: float, wall: float) -> None:
        self._follow(wall - now)

    return [(SteadyUtc, "look", follow)]


# A clock that is put forward.


@bug(seed=15)
def a_correction_expires_what_was_just_accepted() -> list[Patch]:
    """Its validity is over by the new time, and has hardly begun."""
    return [(Clocks, "skipped_s", lambda self, since_utc: 0.0)]


@bug(seed=36)
def a_correction_makes_receipts_too_old() -> list[Patch]:
    """What was skipped counts as waiting for a client, or for an operator."""
    return [(Clocks, "utc_for", lambda self, wait_s: self.utc())]
