"""The adaptive rate of a bind: the contract, or less while the operator does not keep up.

An operator that answers ESME_RTHROTTLED takes less than the contract says, for now. The bind is
slowed at once, to `CUT` of its rate, and returns to the contract in small steps. For a while it
stays just under the rate that was refused last, so that an operator with a lowered limit refuses a
message now and then, and not all the time.

Some operators throttle silently: answers come late, or not at all. A bind whose oldest message has
waited several times longer than usual, and longer than `SLOW_S`, is slowed in the same way until
answers come again.

The adaptive rate only adds to the wait between two messages: no message goes earlier than the pacer
of the contract allows. The rate never falls under `FLOOR` of the contract, so no bind stops.
"""

from typing import Final

from router.terms.limits import Rate

CUT: Final = 0.6
"""The part of the rate that is left after a cut. With 0.5 a slightly lowered limit would cost more;
with 0.8 a limit that was lowered by half would take more refusals to find."""
FLOOR: Final = 0.1
"""The smallest part of the contract that a bind is slowed to."""
STEP: Final = 0.05
"""The part of the contract that is regained in each unit: a rate per second recovers from its first
cut in 8 s."""
HOLD: Final = 10.0
"""Units after a cut for which the rate stays under the rate that was refused."""
UNDER: Final = 0.95
"""The part of the refused rate at which the rate stays during `HOLD`."""
LONGEST_UNIT_S: Final = 60.0
"""The longest unit that recovery counts in, so that a rate per hour recovers within minutes."""
SLOW_S: Final = 3.0
"""The age of an unanswered message up to which answers are not slow: against shorter stalls the
window is limit enough."""
SLOW_TIMES: Final = 4.0
"""Answers are slow when the oldest message has waited so many usual round trips."""
SLOW_AGAIN_S: Final = 5.0
"""The time between two cuts while answers are slow."""
USUAL_AGAIN_S: Final = 60.0
"""The time after which slow answers count as usual: by then the window limits such a bind."""
LOOK_S: Final = 1.0
"""The longest wait of a slowed bind before its next time to send is computed again."""
_NEVER: Final = float("inf")


class AdaptiveRate:
    """The rate of one bind, adapted to what the operator takes."""

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
        """Whether the rate may be under the contract. Else no other method is needed."""
        self._contract = rate.per_second
        self._unit_s = _unit_s(rate)
        self._cut_at = -_NEVER
        self._cut_to = self._contract
        self._refused = self._contract
        self._sent_at = -_NEVER
        self._usual_s = _NEVER
        self._slow_since = _NEVER

    def adopt(self, rate: Rate) -> None:
        """Follow another contract; the rate that the operator refused stays known."""
        self._contract = contract = rate.per_second
        self._unit_s = _unit_s(rate)
        self._refused = min(self._refused, contract)
        self._cut_to = max(min(self._cut_to, contract), contract * FLOOR)

    # What the operator does.

    def throttled(self, sent_at: float, now: float) -> bool:
        """Note that a message was refused as too soon; return whether that slows the bind further.

        A message that was written before the last cut says nothing about the rate since then.
        """
        if sent_at <= self._cut_at:
            return False
        self._cut(now)
        return True

    def tick(self, oldest_s: float, usual_s: float, now: float) -> bool:
        """Judge, once a second or so, how long the oldest message has been unanswered.

        `usual_s` is the smallest recent round trip; infinity if none is known. Return whether the
        age of that message slows the bind further.
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
        """Return the rate per second, which never falls between two cuts. Any thread may call."""
        if not self.is_slowed:
            return self._contract
        units = (now - self._cut_at) / self._unit_s
        step = self._contract * STEP
        near = max(self._cut_to, self._refused * UNDER)
        rate = min(self._cut_to + step * min(units, HOLD), near)
        return min(rate + step * max(0.0, units - HOLD), self._contract)

    def ready_at(self, now: float) -> float:
        """Return when the next message may go, or an earlier time at which to ask again."""
        at = self._sent_at + 1.0 / self.per_second(now)
        return min(at, now + LOOK_S) if at > now else now

    def sent(self, now: float) -> None:
        """Note that a message was written."""
        self._sent_at = now


def _unit_s(rate: Rate) -> float:
    return min(max(rate.per_s, 1.0), LONGEST_UNIT_S)
