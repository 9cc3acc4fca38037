"""Bugs between operators: which of them gets a message, and after which other."""

from router.enqueue.feed import NEVER, Queue
from router.enqueue.lanes import Lanes
from router.forward.pool import Operator
from router.steps.failover import Failover
from router.steps.long_messages import LongMessages
from router.terms.group import Group
from router.terms.message import Message
from router.terms.names import OperatorName
from router.terms.queue_key import QueueKind
from tests.simulation.planting import Patch, bug

# The parts of a long message.


@bug(seed=14)
def parts_go_their_own_ways() -> list[Patch]:
    """Each is decided for itself."""
    return [(LongMessages, "join", lambda self, account, sm, rule, now: None)]


@bug(seed=28)
def parts_follow_what_was_only_sent() -> list[Patch]:
    """An operator that has taken a part is left like one that has refused it."""
    return [(Group, "accepted_by", lambda self, operator: None)]


@bug(seed=28)
def a_part_that_is_refused_does_not_wait_for_the_others() -> list[Patch]:
    """It goes elsewhere while an operator may yet take them."""
    go_elsewhere = Failover.go_elsewhere

    def hasty(self: Failover, operator: Operator, message: Message, status: int) -> None:
        group, message.group = message.group, None
        go_elsewhere(self, operator, message, status)
        message.group = group

    return [(Failover, "go_elsewhere", hasty)]


@bug(seed=33)
def parts_that_wait_for_others_are_forgotten() -> list[Patch]:
    """Nobody lets them go on."""
    return [(Group, "unparked", lambda self: [])]


@bug(seed=144)
def fetched_parts_do_not_know_each_other() -> list[Patch]:
    """The journal does not keep who belongs together."""
    return [(LongMessages, "rejoin", lambda self, message, now: None)]


# Overflow.


@bug(seed=0)
def nobody_helps_with_what_waits_too_long() -> list[Patch]:
    """The lanes do not look when the time has come."""
    return [(Lanes, "_looks_at", lambda self: NEVER)]


@bug(seed=261)
def a_helper_that_is_done_is_never_called_again() -> list[Patch]:
    """When the next message will have waited too long is not noted."""
    may_help = Lanes._may_help

    def forgetful(self: Lanes, queue: Queue, operator: OperatorName) -> bool:
        before = self._helps_at
        may = may_help(self, queue, operator)
        self._helps_at = before
        return may

    return [(Lanes, "_may_help", forgetful)]


@bug(seed=11)
def a_helper_takes_what_its_operator_may_have() -> list[Patch]:
    """A message in doubt overflows like any other."""
    rehome = Lanes._rehome

    def careless(self: Lanes, queue: Queue) -> None:
        key = queue.key
        queue.key = key._replace(kind=QueueKind.ORDINARY)
        rehome(self, queue)
        queue.key = key

    return [(Lanes, "_rehome", careless)]
