"""A message's validity has passed: it ends, unless only a correction of the clock says so.

A router that starts before the clock is right, as many machines do, counts its validity periods
from a wrong time. When the clock is put forward by hours, what this process has accepted meanwhile
has not waited for hours. What its client gave an absolute time ends at that time all the same, and
so does what an earlier process left: that it stood still is what the clock was put right about.
"""

from collections.abc import Callable, Iterable
from typing import Final

from router.enqueue.lanes import Lanes
from router.smpp.pdu import Pdu, Sm
from router.smpp.times import is_relative
from router.steps.clocks import Clocks
from router.steps.outcomes import Outcomes
from router.steps.turn import Turn
from router.terms.message import Message
from router.terms.names import RouterId
from router.terms.outcome import Outcome


class Expiry:
    """Ends what has waited for too long."""

    __slots__ = ("_clocks", "_is_new", "_lanes", "_outcomes", "_prolonged_s", "_turn")

    def __init__(
        self,
        lanes: Lanes,
        outcomes: Outcomes,
        clocks: Clocks,
        turn: Turn,
        *,
        is_new: Callable[[RouterId], bool],
    ) -> None:
        """`is_new` says of a message whether this process has accepted it."""
        self._lanes: Final = lanes
        self._outcomes: Final = outcomes
        self._clocks: Final = clocks
        self._turn: Final = turn
        self._is_new: Final = is_new
        self._prolonged_s: Final[dict[RouterId, float]] = {}
        """By how much each message was prolonged: those that waited when the clock was put forward,
        and whose time came by that."""

    def end(self, expired: Iterable[Message]) -> None:
        """Settle messages whose validity has passed; queue those again that have time left."""
        for message in expired:
            if self.prolong(message) and message.expires_utc > self._clocks.utc():
                self._turn.dispatch_all(self._lanes.put_back(message))
            else:
                self._prolonged_s.pop(message.router_id, None)
                self._outcomes.give_up(message, Outcome.EXPIRED, "validity has passed", 0)

    def prolong(self, message: Message) -> bool:
        """Give a message the time that did not pass; return whether there was any."""
        skipped_s = self._clocks.skipped_s(message.accepted_utc)
        if not (skipped_s and self._is_new(message.router_id)):
            return False
        period = Sm(Pdu(message.command_id, 0, 0, message.octets)).validity_period
        if period and not is_relative(period):
            return False
        message.expires_utc += skipped_s - self._prolonged_s.get(message.router_id, 0.0)
        self._prolonged_s[message.router_id] = skipped_s
        return True
