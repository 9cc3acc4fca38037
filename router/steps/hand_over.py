"""Operators and accounts are renamed while the router runs: what they have keeps its owner.

It is the same operator: its rates keep the slots that are used, what is in flight is answered, and
its receipts come over the binds that are bound anew. What waits in its queues is decided anew, as
that of an operator that is gone (`backlog.py`).

It is the same account: its queues, its turns in the lanes, its room, its outbox and the receipts
that it is owed have another name, and so have its binds, until its clients bind by that name.

Rule: each walks over all messages in memory, once, and then the journal is told. What the journal
was handed before may be written by either name: a reading that began before is read again.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from router.accept.rooms import Rooms
from router.enqueue.journal import Renames
from router.enqueue.lanes import Lanes
from router.forward.pool import Operator
from router.steps.amendments import Amendments
from router.steps.backlog import Backlog
from router.steps.client_retries import ClientRetries
from router.steps.commits import Commits
from router.steps.deliveries import Deliveries
from router.steps.former_names import FormerNames
from router.steps.inbound import Inbound
from router.steps.long_messages import LongMessages
from router.steps.pending_receipts import PendingReceipts
from router.steps.recall import Recall
from router.terms.group import Group, Started
from router.terms.message import Message
from router.terms.names import AccountName, OperatorName
from router.terms.plan import Plan, Plans


class HandOver:
    """Gives operators and accounts, and what they have, their new names."""

    __slots__ = (
        "_amendments",
        "_backlog",
        "_client_retries",
        "_commits",
        "_deliveries",
        "_former",
        "_inbound",
        "_lanes",
        "_long_messages",
        "_operators",
        "_pending",
        "_plans",
        "_recall",
        "_rooms",
    )

    def __init__(
        self,
        operators: dict[OperatorName, Operator],
        rooms: Rooms,
        lanes: Lanes,
        long_messages: LongMessages,
        pending: PendingReceipts,
        recall: Recall,
        deliveries: Deliveries,
        inbound: Inbound,
        backlog: Backlog,
        client_retries: ClientRetries,
        commits: Commits,
        plans: Plans,
        former: FormerNames,
        amendments: Amendments,
    ) -> None:
        self._amendments: Final = amendments
        self._operators: Final = operators
        self._lanes: Final = lanes
        self._long_messages: Final = long_messages
        self._pending: Final = pending
        self._recall: Final = recall
        self._rooms: Final = rooms
        self._deliveries: Final = deliveries
        self._inbound: Final = inbound
        self._backlog: Final = backlog
        self._client_retries: Final = client_retries
        self._commits: Final = commits
        self._plans: Final = plans
        self._former: Final = former

    # An operator.

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
        for message in self._in_queues():
            _rename(message, was, now)
            if message.group is not None:
                groups[id(message.group)] = message.group
        for group in groups.values():
            group.rename(was, now)
            group.plan = self._plan_now(group.plan, was, now)
            for message, _ in group.parked:
                _rename(message, was, now)
                message.plan = self._plan_now(message.plan, was, now)

    # An account.

    def can_rename(self, was: AccountName, now: AccountName) -> bool:
        """Whether an account can get a name that none in the configuration has.

        Not while one that had it and is gone still has something, unless one of the two has all in
        the journal, and nothing in memory: in memory no two queues or outboxes are made one.
        """
        if self._has_in_memory(was):
            return not (self._has_in_memory(now) or self._has_left(now))
        return not (self._has_left(was) and self._has_in_memory(now))

    def _has_in_memory(self, account: AccountName) -> bool:
        return self._rooms.taken(account) > 0 or account in self._deliveries.outboxes

    def _has_left(self, account: AccountName) -> bool:
        return self._backlog.has_left(account) or self._deliveries.has_left(account)

    def rename_account(self, was: AccountName, now: AccountName) -> None:
        """Give an account another name, if `can_rename` says so; before the journal does."""
        if self._has_in_memory(was):
            self._rooms.rename(was, now)
            self._lanes.rename_account(was, now)
        self._deliveries.rename(was, now)
        self._backlog.rename_account(was, now)
        self._inbound.rename(was, now)
        self._client_retries.rename(was, now)
        self._long_messages.rename(was, now)
        self._former.rename(was, now)
        for message in self._in_memory():
            if message.account == was:
                message.account = now
        for changes in self._commits.every():
            for delivery in changes.held:
                if delivery.account == was:
                    delivery.account = now

    def _in_memory(self) -> Iterator[Message]:
        """Yield the messages in memory, some of them more than once."""
        groups: dict[int, Group] = {id(one): one for one in self._long_messages.groups()}
        for places in (self._apart(), self._in_queues(), self._pending.messages()):
            for message in places:
                if message.group is not None:
                    groups[id(message.group)] = message.group
                yield message
        for group in groups.values():
            for message, _ in group.parked:
                yield message
        yield from self._amendments.messages()
        for changes in self._commits.every():
            yield from changes.accepted
            for pending in changes.taken:
                yield pending.message
            for settlement in changes.settled:
                yield settlement.message

    # Both.

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

    def _in_queues(self) -> Iterator[Message]:
        for queue in self._lanes.queues():
            yield from queue.messages

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
