"""The adaptive rate of a bind: the contract, or less while the operator does not keep up.

An operator that answers ESME_RTHROTTLED to more than a few messages takes less than the contract
says, for now. The bind is slowed at once, to `CUT` of its rate, and returns to the contract in
small steps. For a while it stays just under the rate that was taken last, so that an operator with
a lowered limit refuses messages now and then, and not all the time. A few among many say nothing of
the rate: some operators throttle by chance, or count something else.

Some operators throttle silently: answers come late, or not at all. A bind on which nothing that was
written lately is answered, for several times longer than usual and longer than `SLOW_S`, is slowed
in the same way until answers come again.

The adaptive rate only adds to the wait between two messages: no message goes earlier than the pacer
of the contract allows. The rate never falls under `FLOOR` of the contract, so no bind stops.
"""

from collections import deque
from typing import Final

from router.terms.limits import Rate

FEW: Final = 2
"""So many messages are throttled by chance, however few answers there are."""
FEW_SHARE: Final = 0.05
"""And this share of the latest answers: those of a second, or `FEWEST_ANSWERS` if that is more."""
FEWEST_ANSWERS: Final = 100
"""The fewest answers that a share is of. With 1.5 % throttled by chance there are six in a hundred
twice in a thousand; of fewer answers the share would be exceeded by chance."""
CUT: Final = 0.6
"""The part of the rate that is left after a cut. With 0.5 a slightly lowered limit would cost more;
with 0.8 a limit that was lowered by half would take more refusals to find."""
FLOOR: Final = 0.1
"""The smallest part of the contract that a bind is slowed to."""
STEP: Final = 0.05
"""The part of the contract that is regained in each unit: a rate per second recovers from its first
cut in 8 s."""
HOLD: Final = 10.0
"""Units after a cut for which the rate stays under the rate that was taken."""
UNDER: Final = 0.95
"""The part of the rate that was taken at which the rate stays during `HOLD`."""
LONGEST_UNIT_S: Final = 60.0
"""The longest unit that recovery counts in, so that a rate per hour recovers within minutes."""
SLOW_S: Final = 3.0
"""The age of an unanswered message up to which answers are not slow: against shorter stalls the
window is limit enough."""
SLOW_TIMES: Final = 4.0
"""Answers are slow when none has come for so many usual round trips."""
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
        "_sent_at",
        "_slow_since",
        "_taken",
        "_throttled",
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
        self._taken = self._contract
        """The rate that was taken when more was refused."""
        self._throttled: deque[int] = deque()
        """Which of the bind's answers, counted from its first, were throttled since the last
        cut."""
        self._sent_at = -_NEVER
        self._usual_s = _NEVER
        self._slow_since = _NEVER

    def adopt(self, rate: Rate) -> None:
        """Follow another contract; the rate that the operator took stays known."""
        self._contract = contract = rate.per_second
        self._unit_s = _unit_s(rate)
        self._taken = min(self._taken, contract)
        self._cut_to = max(min(self._cut_to, contract), contract * FLOOR)

    # What the operator does.

    def is_by_chance(self, sent_at: float, answered: int, now: float) -> bool:
        """Note that a message was throttled; return whether it is one of a few among many.

        `answered` is how many messages of the bind have been answered so far, this one included. A
        message that was written before the last cut is one of those that led to it.
        """
        if sent_at <= self._cut_at:
            return False
        throttled = self._throttled
        throttled.append(answered)
        most = min(answered, max(FEWEST_ANSWERS, int(self.per_second(now))))
        while throttled[0] <= answered - most:
            throttled.popleft()
        return len(throttled) <= max(FEW, most * FEW_SHARE)

    def refused(self, sent_at: float, now: float) -> bool:
        """Note that a message was refused as too soon; return whether that slows the bind further.

        A message that was written before the last cut says nothing about the rate since then.
        """
        if sent_at <= self._cut_at:
            return False
        throttled, share = self._throttled, 0.0
        if len(throttled) > FEW:
            # Of what was answered since the first of them, so many were not taken.
            share = len(throttled) / (throttled[-1] - throttled[0] + 1)
        self._cut(now, share)
        return True

    def tick(self, unheard_s: float, usual_s: float, now: float) -> bool:
        """Judge, once a second or so, how long nothing that was written lately has been answered.

        `usual_s` is the smallest recent round trip; infinity if none is known. Return whether the
        silence slows the bind further.
        """
        if self.is_slowed and self.per_second(now) >= self._contract:
            self.is_slowed = False
        if self._slow_since != _NEVER and now - self._slow_since >= USUAL_AGAIN_S:
            self._usual_s = max(self._usual_s, usual_s)
        known_s = 0.0 if self._usual_s == _NEVER else self._usual_s
        if unheard_s <= max(SLOW_S, SLOW_TIMES * known_s):
            self._slow_since = _NEVER
            self._usual_s = usual_s
            return False
        if self._slow_since == _NEVER:
            self._slow_since = now
        if now - self._cut_at >= SLOW_AGAIN_S:
            self._cut(now)
            return True
        return False

    def _cut(self, now: float, refused_share: float = 0.0) -> None:
        rate = self.per_second(now)
        self._taken = rate * (1.0 - refused_share)
        self._throttled.clear()
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
        near = max(self._cut_to, self._taken * UNDER)
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
