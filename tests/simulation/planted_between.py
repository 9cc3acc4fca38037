"""Bugs between operators: which of them gets a message, and after which other."""

from router.forward.pool import Operator
from router.steps.failover import Failover
from router.steps.long_messages import LongMessages
from router.terms.group import Group
from router.terms.message import Message
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
