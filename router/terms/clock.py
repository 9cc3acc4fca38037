"""What time is it, for what outlives a restart? The wall clock, made safe against its jumps.

A clock that is set a year ahead by mistake must not expire a million messages, and one that is set
back must not keep them. So the time goes on by the monotonic clock; small corrections of the wall
clock are followed at once, larger ones when they have stood for `CONFIRM_S`, and one of more than
`LARGEST_S` not at all while the process lives: that is a fault, not a correction.

A process that starts believes the wall clock, unless an earlier one has left the time that it knew
and the two cannot both be right: then it goes on from there in the same way.
"""

from typing import Final

SMALL_S: Final = 2.0
"""NTP slews far less between two looks."""
CONFIRM_S: Final = 900.0
LARGEST_S: Final = 86_400.0
LONGEST_STOP_S: Final = 7 * 86_400.0
"""A router that was stopped for longer has the new time confirmed before anything expires by it."""
LONGEST_AWAY_S: Final = 60 * 86_400.0
"""Nobody stops a router for longer and starts it again with what it held: the clock is wrong."""


class SteadyUtc:
    """Unix time that does not jump. `now` is monotonic, `wall` what the wall clock says."""

    __slots__ = ("_largest_s", "_offset", "_suspect", "_suspect_since")

    def __init__(self, now: float, wall: float) -> None:
        self._offset = wall - now
        self._largest_s = LARGEST_S
        self._suspect = 0.0
        self._suspect_since: float | None = None

    def at(self, now: float) -> float:
        """The time to use."""
        return self._offset + now

    def go_on_from(self, known_utc: float, now: float) -> None:
        """An earlier process knew this time shortly before it ended."""
        stopped_s = self.at(now) - known_utc
        if -SMALL_S <= stopped_s <= LONGEST_STOP_S:
            return
        self._suspect = self._offset
        self._suspect_since = now
        self._offset = known_utc - now
        if stopped_s > 0:
            self._largest_s = LONGEST_AWAY_S

    @property
    def is_in_doubt(self) -> bool:
        """Whether the wall clock says something else, and is not followed."""
        return self._suspect_since is not None

    @property
    def doubted_s(self) -> float:
        """How far ahead of the time to use the wall clock is while it is in doubt, in seconds."""
        return 0.0 if self._suspect_since is None else self._suspect - self._offset

    def look(self, now: float, wall: float) -> None:
        """Compare with the wall clock; call it every second or so."""
        offset = wall - now
        if abs(offset - self._offset) <= SMALL_S:
            self._offset = offset
            self._suspect_since = None
        elif self._suspect_since is None or abs(offset - self._suspect) > SMALL_S:
            self._suspect = offset
            self._suspect_since = now
        elif now - self._suspect_since >= CONFIRM_S and (
            abs(offset - self._offset) <= self._largest_s
        ):
            self._offset = offset
            self._suspect_since = None
            self._largest_s = LARGEST_S
