"""The window of a bind: how many messages may be unanswered, and the part kept for urgent ones.

With a round trip of 0.2 s a fifth of a second's messages is unanswered at any moment; with a
smaller window the rate cannot be reached. A larger window than needed gains nothing: what is
unanswered when a bind is lost may have to be sent twice.

A message whose answer is lost stays unanswered until its time is over. A window of the settings is
what the operator allows, and such a message is one of those. A window of `auto` is for messages
whose answers are under way: others make it larger, up to its largest size.

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
PASSED_TIMES: Final = 4.0
"""An answer has passed a message that was written so many round trips before its own."""
PASSED_S: Final = 0.05
"""And at least so long: a window of ten must not fill with lost messages before that is seen."""
KEPT: Final = 0.1
"""The part of a window that is kept for the most urgent lane."""
LEAST_TO_KEEP_OF: Final = 4
"""The smallest window of which a part is kept."""


def needed(rate: Rate, round_trip_s: float) -> int:
    """Return the smallest window with which the rate can be reached at this round trip."""
    return max(1, ceil(rate.per_second * round_trip_s - 1e-9))


def passed_s(round_trip_s: float) -> float:
    """Return how much later than a message those were written whose answers have passed it."""
    return max(PASSED_TIMES * round_trip_s, PASSED_S)


def sized(rate: Rate, round_trip_s: float, passed: int = 0) -> int:
    """Return the window of a bind that has `auto`: at most the messages of one second.

    `passed` messages are unanswered though later ones are answered. An operator that takes longer
    than a second for its answers does not keep up, and more messages in its queue would make it no
    faster.
    """
    most = min(max(LEAST, ceil(rate.per_second)), MOST)
    return min(max(LEAST, needed(rate, SPARE * round_trip_s)) + passed, most)


def kept(window: int) -> int:
    """Return how much of a window is for the most urgent lane alone."""
    return 0 if window < LEAST_TO_KEEP_OF else max(1, int(window * KEPT))
