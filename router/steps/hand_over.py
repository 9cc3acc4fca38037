"""An operator is renamed while the router runs: what it has is its own under its new name.

It is the same operator: its rates keep the slots that are used, what is in flight is answered, and
its receipts come over the binds that are bound anew. Walks over all messages in memory, once.
What waits in its queues is decided anew, as that of an operator that is gone (`backlog.py`).
"""

from collections.abc import Iterable, Iterator
from typing import Final

from router.enqueue.journal import Renames
from router.enqueue.lanes import Lanes
from router.forward.pool import Operator
from router.steps.long_messages import LongMessages
from router.steps.pending_receipts import PendingReceipts
from router.steps.recall import Recall
from router.terms.group import Group, Started
from router.terms.message import Message
from router.terms.names import OperatorName
from router.terms.plan import Plan, Plans


class HandOver:
    """Gives operators, and what they have, their new names."""

    __slots__ = ("_lanes", "_long_messages", "_operators", "_pending", "_plans", "_recall")

    def __init__(
        self,
        operators: dict[OperatorName, Operator],
        lanes: Lanes,
        long_messages: LongMessages,
        pending: PendingReceipts,
        recall: Recall,
        plans: Plans,
    ) -> None:
        self._operators: Final = operators
        self._lanes: Final = lanes
        self._long_messages: Final = long_messages
        self._pending: Final = pending
        self._recall: Final = recall
        self._plans: Final = plans

    def rename(self, was: OperatorName, now: OperatorName) -> None:
        """Give an operator another name, which no other one has; before the journal does."""
        operator = self._operators.pop(was)
        operator.name = now
        self._operators[now] = operator
        self._lanes.rename(was, now)
        self._pending.rename(was, now)
        self._recall.rename(was, now)
        groups: dict[int, Group] = {id(one): one for one in self._long_messages.groups()}
        for message in self._apart():
            _rename(message, was, now)
            message.plan = self._plan_now(message.plan, was, now)
            if message.group is not None:
                groups[id(message.group)] = message.group
        for queue in self._lanes.queues():
            for message in queue.messages:
                _rename(message, was, now)
                if message.group is not None:
                    groups[id(message.group)] = message.group
        for group in groups.values():
            group.rename(was, now)
            group.plan = self._plan_now(group.plan, was, now)
            for message, _ in group.parked:
                _rename(message, was, now)
                message.plan = self._plan_now(message.plan, was, now)

    def of_today(self, started: Iterable[Started], renames: Renames) -> None:
        """Give long messages of an earlier process the names that they have today."""
        for one in started:
            one.account = renames.accounts.get(one.account, one.account)
            one.operator = renames.operators.get(one.operator, one.operator)
            for was, now in renames.operators.items():
                one.plan = self._plan_now(one.plan, was, now)

    def _apart(self) -> Iterator[Message]:
        """Yield the messages in memory that wait, or are in flight, and stand in no queue."""
        for operator in self._operators.values():
            yield from operator.messages()
        yield from self._lanes.delays.messages()

    def _plan_now(self, plan: Plan, was: OperatorName, now: OperatorName) -> Plan:
        if was not in plan.candidates:
            return plan
        return self._plans.of(tuple(now if name == was else name for name in plan.candidates))


def _rename(message: Message, was: OperatorName, now: OperatorName) -> None:
    if message.operator == was:
        message.operator = now
    suspicion = message.suspicion
    if suspicion is not None and suspicion.operator == was:
        suspicion.operator = now
