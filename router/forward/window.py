"""The window of a bind: how many messages may be unanswered, and the part kept for urgent ones.

With a round trip of 0.2 s a fifth of a second's messages is unanswered at any moment; with a
smaller window the rate cannot be reached. A larger window than needed gains nothing: what is
unanswered when a bind is lost may have to be sent twice.

The last tenth of a window is kept for the most urgent lane. If bulk messages filled the window at
an operator whose answers come in bursts, an urgent message would wait for an answer, up to a round
trip. Windows of less than four keep nothing: the other lanes would have too little left.
"""

from math import ceil
from typing import Final

from router.terms.limits import Rate

LEAST: Final = 10
"""The smallest sized window: operators expect no less, and answers may come several at once."""
MOST: Final = 5_000
"""The largest sized window."""
SPARE: Final = 1.5
"""The factor over the average round trip: a window for the average alone is often too small."""
KEPT: Final = 0.1
"""The part of a window that is kept for the most urgent lane."""
LEAST_TO_KEEP_OF: Final = 4
"""The smallest window of which a part is kept."""


def needed(rate: Rate, round_trip_s: float) -> int:
    """Return the smallest window with which the rate can be reached at this round trip."""
    return max(1, ceil(rate.per_second * round_trip_s - 1e-9))


def sized(rate: Rate, round_trip_s: float) -> int:
    """Return the window of a bind that has `auto`: at most the messages of one second.

    An operator that takes longer than a second for its answers does not keep up, and more messages
    in its queue would make it no faster.
    """
    most = min(max(LEAST, ceil(rate.per_second)), MOST)
    return min(max(LEAST, needed(rate, SPARE * round_trip_s)), most)


def kept(window: int) -> int:
    """Return how much of a window is for the most urgent lane alone."""
    return 0 if window < LEAST_TO_KEEP_OF else max(1, int(window * KEPT))
