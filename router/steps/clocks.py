"""The two clocks of the router: monotonic for what is paced, wall for what outlives a restart."""

from collections.abc import Callable
from typing import Final

from router.terms.clock import SteadyUtc


class Clocks:
    """Monotonic time, and a Unix time that does not follow the wall clock's jumps."""

    __slots__ = ("_changed", "_doubted", "_wall_clock", "now", "steady")

    def __init__(
        self,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        changed: Callable[[float], None],
    ) -> None:
        """`changed` hears how far ahead a wall clock is that is not believed, and 0 when it is."""
        self.now: Final = clock
        """Monotonic seconds."""
        self.steady: Final = SteadyUtc(clock(), wall_clock())
        self._wall_clock: Final = wall_clock
        self._changed: Final = changed
        self._doubted = False

    def utc(self) -> float:
        """Return the Unix time, for what outlives a restart."""
        return self.steady.at(self.now())

    def look(self, now: float) -> None:
        """Follow the wall clock, or tell that it is not believed; call this once a second."""
        steady = self.steady
        steady.look(now, self._wall_clock())
        if steady.is_in_doubt != self._doubted:
            self._doubted = steady.is_in_doubt
            self._changed(steady.doubted_s)
