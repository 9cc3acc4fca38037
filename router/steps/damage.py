"""Rows of the journal that are none, or not what was written: set aside, so that others go on.

What was promised of them is kept as far as it can be: a message that waited, or whose receipt was
awaited, ends as `unknown`, and its client hears so where it asked for a receipt and its addresses
can be read. What is in memory is right, and goes on.
"""

from collections.abc import Callable, Sequence
from typing import Final

from router.enqueue.journal import Damaged
from router.steps.backlog import Backlog
from router.steps.clocks import Clocks
from router.steps.commits import Commits
from router.steps.deliveries import Deliveries
from router.steps.former_names import FormerNames
from router.steps.outcomes import Outcomes
from router.steps.pending_receipts import PendingReceipts
from router.steps.recall import Recall
from router.steps.turn import Turn
from router.terms.counters import Counters
from router.terms.message import Message
from router.terms.outcome import Outcome
from router.terms.queue_key import QueueKey

REASON: Final = "damaged in the journal"


class Damage:
    """Acts on damaged rows as readings of the journal meet them."""

    __slots__ = (
        "_backlog",
        "_clocks",
        "_commits",
        "_counters",
        "_deliveries",
        "_former",
        "_outcomes",
        "_pending",
        "_recall",
        "_told",
        "_turn",
    )

    def __init__(
        self,
        pending: PendingReceipts,
        recall: Recall,
        deliveries: Deliveries,
        backlog: Backlog,
        outcomes: Outcomes,
        commits: Commits,
        counters: Counters,
        clocks: Clocks,
        turn: Turn,
        former: FormerNames,
        *,
        told: Callable[[Damaged], None],
    ) -> None:
        """`told` hears of each row."""
        self._pending: Final = pending
        self._recall: Final = recall
        self._deliveries: Final = deliveries
        self._backlog: Final = backlog
        self._outcomes: Final = outcomes
        self._commits: Final = commits
        self._counters: Final = counters
        self._clocks: Final = clocks
        self._turn: Final = turn
        self._former: Final = former
        self._told: Final = told

    def found(self, damaged: Sequence[Damaged]) -> None:
        """Set rows aside that a reading has met, before what else that has found is used."""
        taken = {one.number for one in damaged if one.table == "sent"}
        in_memory = self._pending.kept_as(taken) if taken else {}
        for one in damaged:
            one.at_utc = self._clocks.utc()
            if one.account is not None:
                one.account = self._former.of_today(one.account)
            if one.message is not None:
                one.message.account = self._former.of_today(one.message.account)
            self._commits.settles.set_aside.append(one)
            self._counters.rows_set_aside[one.table] += 1
            self._told(one)
            kept = in_memory.get(one.number) if one.table == "sent" else None
            if kept is not None:
                if len(kept.message.row.attempts) == 1:  # Else it stays in memory to its end.
                    self._commits.settles.taken.append(kept)
            elif one.table == "delivery" and one.account is not None:
                self._deliveries.set_aside(one.account, one.number, one.octets)
            elif one.table == "sent":
                self._set_attempt_aside(one)
            elif one.message is not None:
                message = one.message
                self._backlog.set_aside(QueueKey(message.plan, message.lane, message.account))
                self._end(message)
        self._turn.end_soon()

    def _set_attempt_aside(self, one: Damaged) -> None:
        correlator = None
        if one.operator is not None:
            correlator = self._pending.correlators.get(one.operator)
        if correlator is not None:
            correlator.behind = max(0, correlator.behind - 1)
        if one.message is not None and not self._recall.is_over(one.message):
            self._end(one.message)

    def _end(self, message: Message) -> None:
        self._outcomes.give_up(message, Outcome.UNKNOWN, REASON, 0)
