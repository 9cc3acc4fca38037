"""The two clocks of the router: monotonic for what is paced, wall for what outlives a restart."""

from collections.abc import Callable
from typing import Final

from router.terms.clock import SMALL_S, SteadyUtc


class Clocks:
    """Monotonic time, and a Unix time that does not follow the wall clock's jumps."""

    __slots__ = (
        "_changed",
        "_corrections",
        "_doubted",
        "_is_synchronised",
        "_wall_clock",
        "now",
        "steady",
    )

    def __init__(
        self,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        changed: Callable[[float], None],
        is_synchronised: Callable[[], bool],
    ) -> None:
        """`changed` hears how far ahead a wall clock is that is not believed, and 0 when it is.

        `is_synchronised` says whether something that knows the time keeps the wall clock right. It
        is asked during a doubt only, once a second.
        """
        self.now: Final = clock
        """Monotonic seconds."""
        self.steady: Final = SteadyUtc(clock(), wall_clock())
        self._wall_clock: Final = wall_clock
        self._changed: Final = changed
        self._is_synchronised: Final = is_synchronised
        self._doubted = False
        self._corrections: list[tuple[float, float, float]] = []
        """When this time was put forward, in monotonic seconds and by itself, and by how many
        seconds: a few in a process's life."""

    def utc(self) -> float:
        """Return the Unix time, for what outlives a restart."""
        return self.steady.at(self.now())

    def go_on_from(self, known_utc: float) -> None:
        """Go on from the time that an earlier process knew shortly before its end."""
        self.steady.go_on_from(known_utc, self.now())
        self._ask_and_tell()

    def look(self, now: float) -> None:
        """Follow the wall clock, or tell that it is not believed; call this once a second."""
        before_utc = self.steady.at(now)
        self.steady.look(now, self._wall_clock())
        self._ask_and_tell()
        self._note_correction(before_utc, now)

    def believe(self, now: float) -> float:
        """Believe the wall clock because a person says so; return how far ahead it was."""
        before_utc = self.steady.at(now)
        self.steady.look(now, self._wall_clock())
        ahead_s = self.steady.doubted_s
        self.steady.believe()
        self._ask_and_tell()
        self._note_correction(before_utc, now)
        return ahead_s

    def utc_for(self, wait_s: float) -> float:
        """Return the Unix time to judge by what may have waited for so long.

        By how much this time was put forward meanwhile is not in it: so much did not pass.
        """
        now = self.now()
        skipped_s = sum((by_s for at, _, by_s in self._corrections if at > now - wait_s), 0.0)
        return self.steady.at(now) - skipped_s

    def skipped_s(self, since_utc: float) -> float:
        """Return by how much this time was put forward since it was that: so much did not pass."""
        return sum((by_s for _, at_utc, by_s in self._corrections if at_utc >= since_utc), 0.0)

    def _note_correction(self, before_utc: float, now: float) -> None:
        by_s = self.steady.at(now) - before_utc
        if by_s > SMALL_S:
            self._corrections.append((now, before_utc, by_s))

    def _ask_and_tell(self) -> None:
        steady = self.steady
        if steady.is_in_doubt and self._is_synchronised():
            steady.believe()
        if steady.is_in_doubt != self._doubted:
            self._doubted = steady.is_in_doubt
            self._changed(steady.doubted_s)
