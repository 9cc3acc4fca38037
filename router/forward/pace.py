"""The pace of a bind: when the next message may go, by contract, adaptive rate and rests.

The pacer of the contract says when a slot is free. The adaptive rate adds to the wait between two
messages while the operator does not keep up. A rest, asked for by an answer of the operator, delays
the next message whatever the other two say.
"""

from typing import Final

from router.forward.adapting import AdaptiveRate
from router.forward.arrival import RoundTrip
from router.forward.pacing import BusiestSecond, Pacer
from router.terms.limits import Rate


class Pace:
    """The rate of one bind: contracted, adapted, and how it was used."""

    __slots__ = ("adaptive", "busiest", "pacer", "resting_until")

    def __init__(self, rate: Rate, now: float) -> None:
        self.pacer: Final = Pacer(rate, now)
        self.adaptive: Final = AdaptiveRate(rate)
        self.busiest: Final = BusiestSecond()
        self.resting_until = 0.0
        """When the rest is over that an answer has asked for; 0 before the first rest."""

    def adopt(self, rate: Rate, now: float) -> None:
        """Follow another contract."""
        self.pacer.adopt(rate, now)
        self.adaptive.adopt(rate)

    def ready_at(self, now: float) -> float:
        """Return when the next message may be written: `now` or earlier means at once."""
        at = self.pacer.ready_at(now)
        if self.adaptive.is_slowed:
            at = max(at, self.adaptive.ready_at(now))
        return at if at > self.resting_until else self.resting_until

    def take(self, round_trip: RoundTrip, now: float) -> int:
        """Use the next slot for a message that is written now; return the slot's number."""
        self.busiest.written(now)
        if self.adaptive.is_slowed:
            self.adaptive.sent(now)
        return self.pacer.take(round_trip, now)

    def rest(self, until: float) -> None:
        """Allow no message before `until`, or before the end of a longer rest."""
        self.resting_until = max(self.resting_until, until)
