"""When a rule holds: spans of the day on days of the week, in one time zone.

What counts is what a clock on the wall of that zone shows, daylight saving included. An hour that
is left out in spring never comes, and one that comes twice in autumn counts twice. A span that goes
over midnight belongs to the day on which it begins.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final, get_args

from router.terms.settings import Day, DaySpan

DAYS: Final[tuple[Day, ...]] = get_args(Day)
"""In the order of `datetime.weekday`."""
DAY_MIN: Final = 24 * 60
WHOLE_DAY: Final = DaySpan(0, DAY_MIN)
MINUTE_S: Final = 60.0


def minutes_of(spans: Sequence[DaySpan], days: Sequence[Day]) -> int:
    """Return the minutes of a week at which a rule holds, each as a bit; Monday 0:00 is the first.

    No spans are the whole day, no days are all of them.
    """
    week_min = len(DAYS) * DAY_MIN
    found = 0
    for day in days or DAYS:
        for begin, end in spans or (WHOLE_DAY,):
            length = (end - begin) % DAY_MIN or DAY_MIN
            begins_at = DAYS.index(day) * DAY_MIN + begin
            bits = ((1 << length) - 1) << begins_at
            found |= bits & ((1 << week_min) - 1) | bits >> week_min  # From Sunday into Monday.
    return found


class Hours:
    """The hours of one rule."""

    __slots__ = ("_minutes", "_zone", "known")

    def __init__(self, spans: Sequence[DaySpan], days: Sequence[Day], zone: tzinfo | None) -> None:
        self._minutes: Final = minutes_of(spans, days)
        self._zone: Final = zone or UTC
        self.known = (0.0, 0.0, False)
        """From when to when it is known whether the rule holds, and whether it does. One value,
        because other threads ask too."""

    def hold(self, now_utc: float) -> bool:
        """Return whether the rule holds at this time; known for a minute.

        No rule begins or ends within one, and no time zone changes.
        """
        known_since, known_until, known = self.known
        if known_since <= now_utc < known_until:
            return known
        since = now_utc // MINUTE_S * MINUTE_S
        local = datetime.fromtimestamp(since, self._zone)
        minute = local.weekday() * DAY_MIN + local.hour * 60 + local.minute
        holds = bool(self._minutes >> minute & 1)
        self.known = since, since + MINUTE_S, holds
        return holds
