"""How fast may a bind send just now? As contracted, or slower while its operator does not keep up.

An operator that answers ESME_RTHROTTLED takes less than it has contracted, for now: the bind is
slowed at once, to `CUT` of its rate, and goes back to the contract little by little. Just under the
rate that was refused last it stays for a while before it tries more, so that an operator that has
lowered its limit refuses a message now and then and not all the time.

Some operators throttle without a word: answers come late, or not at all. A bind whose oldest
message has waited several times longer than is usual there, and longer than `SLOW_S`, is slowed in
the same way, for as long as that lasts.

Nothing here lets a message go earlier than the contract's pacer does: it only adds to the wait
between two messages. The rate never falls under `FLOOR` of the contract, so no bind is ever stuck.
"""

from typing import Final

from router.terms.limits import Rate

CUT: Final = 0.6
"""A half costs more where the limit was lowered a little, four fifths take more refusals to find
one that was lowered by half."""
FLOOR: Final = 0.1
STEP: Final = 0.05
"""Of the contract, regained per unit of it: 8 s from the first cut back to a rate per second."""
HOLD: Final = 10.0
"""For so many units after a cut the rate stays under what was refused."""
UNDER: Final = 0.95
"""How far under that."""
LONGEST_UNIT_S: Final = 60.0
"""A rate per hour goes back within minutes."""
SLOW_S: Final = 3.0
"""An operator that stalls for less is not said to throttle: the window is limit enough."""
SLOW_TIMES: Final = 4.0
SLOW_AGAIN_S: Final = 5.0
"""While answers are slow the rate is cut every so often."""
USUAL_AGAIN_S: Final = 60.0
"""What has been slow for so long is usual now; the window slows such a bind without us."""
LOOK_S: Final = 1.0
"""How long a slowed bind waits at most before it works out anew when it may send."""
_NEVER: Final = float("inf")


class AdaptiveRate:
    """One bind's rate, as adapted."""

    __slots__ = (
        "_contract",
        "_cut_at",
        "_cut_to",
        "_refused",
        "_sent_at",
        "_slow_since",
        "_unit_s",
        "_usual_s",
        "is_slowed",
    )

    def __init__(self, rate: Rate) -> None:
        self.is_slowed = False
        """Whether the rate may be under the contract. Only then is anything else asked or told."""
        self._contract = rate.per_second
        self._unit_s = _unit_s(rate)
        self._cut_at = -_NEVER
        self._cut_to = self._contract
        self._refused = self._contract
        self._sent_at = -_NEVER
        self._usual_s = _NEVER
        self._slow_since = _NEVER

    def adopt(self, rate: Rate) -> None:
        """Go on with another contract; what the operator refused is not forgotten."""
        self._contract = contract = rate.per_second
        self._unit_s = _unit_s(rate)
        self._refused = min(self._refused, contract)
        self._cut_to = max(min(self._cut_to, contract), contract * FLOOR)

    # What the operator does.

    def throttled(self, sent_at: float, now: float) -> bool:
        """A message was refused for coming too soon; return whether that slows the bind anew.

        One that was written before the last cut says nothing of the rate since.
        """
        if sent_at <= self._cut_at:
            return False
        self._cut(now)
        return True

    def tick(self, oldest_s: float, usual_s: float, now: float) -> bool:
        """Judge, once a second or so, how long the oldest message has been unanswered.

        `usual_s` is the smallest round trip of late; infinity if none is known. Return whether
        that slows the bind anew.
        """
        if self.is_slowed and self.per_second(now) >= self._contract:
            self.is_slowed = False
        if self._slow_since != _NEVER and now - self._slow_since >= USUAL_AGAIN_S:
            self._usual_s = max(self._usual_s, usual_s)
        known_s = 0.0 if self._usual_s == _NEVER else self._usual_s
        if oldest_s <= max(SLOW_S, SLOW_TIMES * known_s):
            self._slow_since = _NEVER
            self._usual_s = usual_s
            return False
        if self._slow_since == _NEVER:
            self._slow_since = now
        if now - self._cut_at >= SLOW_AGAIN_S:
            self._cut(now)
            return True
        return False

    def _cut(self, now: float) -> None:
        rate = self.per_second(now)
        self._refused = rate
        self._cut_to = max(rate * CUT, self._contract * FLOOR)
        self._cut_at = now
        self.is_slowed = True

    # What follows.

    def per_second(self, now: float) -> float:
        """The rate per second; between two cuts it never falls. Another thread may ask."""
        if not self.is_slowed:
            return self._contract
        units = (now - self._cut_at) / self._unit_s
        step = self._contract * STEP
        near = max(self._cut_to, self._refused * UNDER)
        rate = min(self._cut_to + step * min(units, HOLD), near)
        return min(rate + step * max(0.0, units - HOLD), self._contract)

    def ready_at(self, now: float) -> float:
        """When the next message may go; if that is long after, then when to ask again."""
        at = self._sent_at + 1.0 / self.per_second(now)
        return min(at, now + LOOK_S) if at > now else now

    def sent(self, now: float) -> None:
        """A message is written."""
        self._sent_at = now


def _unit_s(rate: Rate) -> float:
    return min(max(rate.per_s, 1.0), LONGEST_UNIT_S)
