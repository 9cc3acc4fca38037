"""Unix time for what outlives a restart: the wall clock, made safe against its jumps.

A wall clock that is set a year ahead by mistake must not expire a million messages, and one that is
set back must not keep them. So this time advances with the monotonic clock. Small corrections of
the wall clock are followed at once, larger ones when they have lasted for `CONFIRM_S`. A change of
more than `LARGEST_S` is never followed while the process lives: it is a fault, not a correction.

A process that starts believes the wall clock, unless the journal has a time from an earlier process
and the two cannot both be right: then the time goes on from the journal's, by the same rules.
"""

from typing import Final

SMALL_S: Final = 2.0
"""Correction that is followed at once: NTP slews far less between two comparisons."""
CONFIRM_S: Final = 900.0
"""How long a larger correction must last before it is followed."""
LARGEST_S: Final = 86_400.0
"""Largest correction that is followed."""
LONGEST_STOP_S: Final = 7 * 86_400.0
"""Longest stop after which the wall clock is believed at once; after a longer one it must be
confirmed before any message expires by it."""
LONGEST_AWAY_S: Final = 60 * 86_400.0
"""Longest stop that is possible at all: beyond it the wall clock is wrong."""


class SteadyUtc:
    """Unix time that does not jump. `now` is monotonic, `wall` what the wall clock says."""

    __slots__ = ("_largest_s", "_offset", "_suspect", "_suspect_since")

    def __init__(self, now: float, wall: float) -> None:
        self._offset = wall - now
        self._largest_s = LARGEST_S
        self._suspect = 0.0
        self._suspect_since: float | None = None

    def at(self, now: float) -> float:
        """Return the Unix time to use."""
        return self._offset + now

    def go_on_from(self, known_utc: float, now: float) -> None:
        """Go on from the time that an earlier process knew shortly before its end."""
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
        """Whether the wall clock shows another time, which is not followed yet."""
        return self._suspect_since is not None

    @property
    def doubted_s(self) -> float:
        """Seconds that the wall clock is ahead of the time to use while in doubt; otherwise 0."""
        return 0.0 if self._suspect_since is None else self._suspect - self._offset

    def look(self, now: float, wall: float) -> None:
        """Compare with the wall clock; call this about once a second."""
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
