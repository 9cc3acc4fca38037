"""Unix time for what outlives a restart: the wall clock, made safe against its jumps.

A wall clock that is set a year ahead by mistake must not expire a million messages, and one that is
set back must not keep them. So this time advances with the monotonic clock, and small corrections
of the wall clock are followed at once. A larger one is doubted, and one rule ends every doubt, with
the clock ahead or behind, at a start or later:

- the wall clock is put right, or
- `believe`: somebody who knows says that the wall clock is right, the kernel or a person, or
- the same jump has lasted for `CONFIRM_S`, and is no larger than `LARGEST_S`.

A process that starts believes the wall clock, unless the journal has a time from an earlier process
and the stop between the two would be longer than `LONGEST_STOP_S`, or negative: then the time goes
on from the journal's. Since nobody knows how long the stop was, it may be as late as the wall clock
says (`latest`) until that doubt ends. A clock that jumps later leaves no such question: the
monotonic clock has counted.
"""

from typing import Final

SMALL_S: Final = 2.0
"""Correction that is followed at once: NTP slews far less between two comparisons."""
CONFIRM_S: Final = 900.0
"""How long a larger correction must last before it is followed without anybody's word."""
LARGEST_S: Final = 86_400.0
"""Largest correction that is followed without anybody's word."""
LONGEST_STOP_S: Final = 3600.0
"""Longest stop after which the wall clock is believed at once."""


class SteadyUtc:
    """Unix time that does not jump. `now` is monotonic, `wall` what the wall clock says."""

    __slots__ = ("_at_start", "_offset", "_suspect", "_suspect_since", "unsure_s")

    def __init__(self, now: float, wall: float) -> None:
        self._offset = wall - now
        self._suspect = 0.0
        self._suspect_since: float | None = None
        self._at_start = False
        """Whether the doubt is one of the start: how long the stop was is not known."""
        self.unsure_s = 0.0
        """How much later it may be than the time to use; 0 but for a doubt of the start."""

    def at(self, now: float) -> float:
        """Return the Unix time to use."""
        return self._offset + now

    def latest(self, now: float) -> float:
        """Return the latest Unix time that it may be."""
        return self._offset + now + self.unsure_s

    def go_on_from(self, known_utc: float, now: float) -> None:
        """Go on from the time that an earlier process knew shortly before its end."""
        wall = self.at(now)
        if -SMALL_S <= wall - known_utc <= LONGEST_STOP_S:
            return
        self._offset = known_utc - now
        self._at_start = True
        self._doubt(wall - now, now)

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
        ahead_s = offset - self._offset
        if -SMALL_S <= ahead_s <= (LONGEST_STOP_S if self._at_start else SMALL_S):
            self._follow(offset)
        elif self._suspect_since is None or abs(offset - self._suspect) > SMALL_S:
            self._doubt(offset, now)
        elif now - self._suspect_since >= CONFIRM_S and abs(ahead_s) <= LARGEST_S:
            self._follow(offset)

    def believe(self) -> None:
        """End the doubt, if there is one: the wall clock is right."""
        if self._suspect_since is not None:
            self._follow(self._suspect)

    def _doubt(self, offset: float, now: float) -> None:
        self._suspect = offset
        self._suspect_since = now
        self.unsure_s = max(0.0, offset - self._offset) if self._at_start else 0.0

    def _follow(self, offset: float) -> None:
        self._offset = offset
        self._suspect_since = None
        self._at_start = False
        self.unsure_s = 0.0
