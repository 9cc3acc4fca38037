"""How many messages may a bind have unanswered: what its rate needs, and what is kept for whom.

Of what goes out in a second, as much is unanswered at any moment as the round trip is of a second:
with a smaller window the rate cannot be reached. A larger one than needed is no gain: what is
unanswered when a bind is lost may have to be sent twice.

The last tenth of a window is for the most urgent lane alone. A window that bulk has filled, at an
operator whose answers come in gusts, would make an urgent message wait for one of them, up to a
round trip. Windows of less than four keep nothing: the lower lanes would have too little left.
"""

from math import ceil
from typing import Final

from router.terms.limits import Rate

LEAST: Final = 10
"""Operators expect no less; it allows for answers that come together."""
MOST: Final = 5_000
SPARE: Final = 1.5
"""Round trips vary: a window for the average one is too small half of the time."""
KEPT: Final = 0.1
LEAST_TO_KEEP_OF: Final = 4


def needed(rate: Rate, round_trip_s: float) -> int:
    """The smallest window with which the rate can be reached at this round trip."""
    return max(1, ceil(rate.per_second * round_trip_s - 1e-9))


def sized(rate: Rate, round_trip_s: float) -> int:
    """The window of a bind that has `auto`; a second's worth is the most, whatever the operator.

    One that takes longer than that for its answers does not keep up, and more in its queue would
    make it no faster.
    """
    most = min(max(LEAST, ceil(rate.per_second)), MOST)
    return min(max(LEAST, needed(rate, SPARE * round_trip_s)), most)


def kept(window: int) -> int:
    """How much of a window is for the most urgent lane alone."""
    return 0 if window < LEAST_TO_KEEP_OF else max(1, int(window * KEPT))
