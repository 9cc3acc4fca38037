"""Which queue a message waits in: its plan, lane and account, and what kind of queue it is.

A plan says which operators may take a message. Two messages with equal plans may still have to wait
in different queues, because of what has happened to one of them: the kind says so.
"""

from enum import IntEnum
from typing import Final, NamedTuple

from router.terms.names import AccountName, LaneName
from router.terms.plan import Plan


class QueueKind(IntEnum):
    """What happened to the messages of a queue. The journal knows ordinary queues only."""

    ORDINARY = 0
    """Nothing: they wait as they were accepted, the first of them in memory."""
    REQUEUED = 1
    """They came back late, all in memory. In their ordinary queue their place may be among messages
    that only the journal has; between two queues of an account the older message goes first."""
    STAYING = 2
    """The first operator of their plan may have them: they wait for that operator while it is bound
    at all, whether or not it sends just now."""


ORDINARY: Final = QueueKind.ORDINARY
REQUEUED: Final = QueueKind.REQUEUED
STAYING: Final = QueueKind.STAYING
# The same objects: a member of an Enum is looked up in Python 3.11 at five times the cost.


class QueueKey(NamedTuple):
    """What all messages of one queue have in common."""

    plan: Plan
    lane: LaneName
    account: AccountName
    kind: QueueKind = ORDINARY

    def of(self, account: AccountName) -> "QueueKey":
        """Return the same queue of this account."""
        return self._replace(account=account)
