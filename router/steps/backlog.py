"""What an earlier process left: taken up at the start, and fetched as the lanes need it."""

from dataclasses import dataclass, field
from functools import partial
from typing import Final

from router.accept.rooms import Rooms
from router.enqueue.feed import Queue
from router.enqueue.journal import Journal, Recovered, Wanted
from router.enqueue.lanes import Lanes
from router.smpp.pdu import Pdu, Sm
from router.steps.clocks import Clocks
from router.steps.deliveries import Deliveries
from router.steps.failover import Failover
from router.steps.long_messages import LongMessages
from router.steps.pending_receipts import PendingReceipts
from router.steps.rules import Rulebook
from router.steps.turn import Turn
from router.terms.capacity import Capacity
from router.terms.message import Message
from router.terms.names import OperatorName, RouterId
from router.terms.outcome import JournalError, Refusal
from router.terms.plan import Plan
from router.terms.queue_key import ORDINARY
from router.terms.states import ACCEPTING, WAITS


@dataclass(slots=True)
class ToDecide:
    """A queue whose plan names an operator that this configuration has no more."""

    wanted: Wanted
    decided: list[Message] = field(default_factory=list)
    """The last ones that have got a plan of this configuration."""
    is_fetching: bool = False


@dataclass(slots=True)
class TakenUp:
    """How much an earlier process left, and this one goes on with."""

    messages: int = 0
    receipts_expected: int = 0
    deliveries: int = 0
    left_waiting: int = 0
    """Messages and receipts that stay in the journal: their account, or every operator that could
    take them, is in this configuration no more."""


class Backlog:
    """Messages that wait in the journal and not in memory."""

    __slots__ = (
        "_capacity",
        "_clocks",
        "_deliveries",
        "_failover",
        "_journal",
        "_lanes",
        "_long_messages",
        "_pending",
        "_rooms",
        "_rulebook",
        "_to_decide",
        "_turn",
        "taken_up",
    )

    def __init__(
        self,
        journal: Journal,
        rooms: Rooms,
        lanes: Lanes,
        pending: PendingReceipts,
        deliveries: Deliveries,
        failover: Failover,
        long_messages: LongMessages,
        rulebook: Rulebook,
        clocks: Clocks,
        turn: Turn,
        capacity: Capacity,
    ) -> None:
        self._journal: Final = journal
        self._rooms: Final = rooms
        self._lanes: Final = lanes
        self._pending: Final = pending
        self._deliveries: Final = deliveries
        self._failover: Final = failover
        self._long_messages: Final = long_messages
        self._rulebook: Final = rulebook
        self._clocks: Final = clocks
        self._turn: Final = turn
        self._capacity: Final = capacity
        self._to_decide: list[ToDecide] = []
        self.taken_up: Final = TakenUp()

    def take_up(self, found: Recovered) -> None:
        """Go on with what an earlier process left."""
        taken_up = self.taken_up
        accounts, correlators = self._rulebook.rules.accounts, self._pending.correlators
        urgency = list(self._lanes.settings)
        for backlog in sorted(found.waiting, key=lambda one: urgency.index(one.queue.lane)):
            queue = backlog.queue
            if queue.account not in accounts:
                taken_up.left_waiting += backlog.count
            elif all(name in correlators for name in queue.plan.candidates):
                self._lanes.restore(queue, backlog.count)
                self._rooms.restore(queue.account, backlog.count)
                taken_up.messages += backlog.count
            else:
                wanted = Wanted(queue, RouterId(0), self._capacity.queue_fetch)
                self._to_decide.append(ToDecide(wanted))
        self.decide_more()
        self.fetch()
        for operator, count in found.sent.items():
            if operator in correlators:
                correlators[operator].behind = count
                taken_up.receipts_expected += count
            else:
                taken_up.left_waiting += count
        for account, held in found.held.items():
            taken_up.deliveries += self._deliveries.restore(account, held)

    # Decided anew.

    def decide_more(self) -> None:
        """Decide anew what follows an operator that this configuration has no more.

        A piece at a time, and the next when all of one has been sent: only what is in memory is
        found under its new plan.
        """
        for left in self._to_decide:
            if not left.is_fetching and all(m.state not in WAITS for m in left.decided):
                left.is_fetching = True
                self._journal.fetch(left.wanted, partial(self._decide_anew, left))

    def _decide_anew(
        self, left: ToDecide, messages: list[Message], error: JournalError | None
    ) -> None:
        left.is_fetching = False
        if error is not None:
            return
        if not messages:
            self._to_decide.remove(left)
            return
        left.wanted.after = messages[-1].router_id
        left.decided = []
        for message in reversed(messages):  # Each goes first, so the oldest must come last.
            plan = self._plan_anew(message)
            if plan is None:
                self.taken_up.left_waiting += 1
                continue
            message.reroute(plan)
            self._long_messages.rejoin(message, self._clocks.now())
            self._rooms.restore(message.account, 1)
            self.taken_up.messages += 1
            left.decided.append(message)
            if message.in_doubt:
                self._doubt(message)
            if message.state is not ACCEPTING:
                continue
            if message.not_before_utc:
                self._lanes.delays.schedule(message)
            else:
                self._turn.dispatch_all(self._lanes.put_first(message))

    def _plan_anew(self, message: Message) -> Plan | None:
        rules = self._rulebook.rules
        sm = Sm(Pdu(message.command_id, 0, 0, message.octets))
        account = rules.accounts[message.account]
        checked = rules.checks.check(sm, account, message.accepted_utc)
        if isinstance(checked, Refusal):
            return None
        rule = rules.routes.decide(checked.number, account.name, sm)
        return None if isinstance(rule, Refusal) else rule.next_plan()

    # Fetched.

    def fetch(self) -> None:
        """Have the journal asked for what the lanes keep there and soon need."""
        queues, self._lanes.needs_fetch = self._lanes.needs_fetch, []
        for queue in queues:
            wanted = Wanted(queue.key, queue.last_id, self._capacity.queue_fetch)
            self._journal.fetch(wanted, partial(self._fetched, queue))

    def _fetched(self, queue: Queue, messages: list[Message], error: JournalError | None) -> None:
        if error is not None:
            self._lanes.not_fetched(queue)
            return
        now = self._clocks.now()
        for message in messages:
            self._long_messages.rejoin(message, now)
        elsewhere: set[RouterId] = set()
        for message in reversed(messages):  # What goes elsewhere goes first there.
            if message.in_doubt:
                self._doubt(message)
                if message.state is not ACCEPTING:
                    elsewhere.add(message.router_id)
        self._turn.dispatch_all(self._lanes.fetched(queue, messages, elsewhere))

    def _doubt(self, message: Message) -> None:
        """An earlier process may have written the message to an operator."""
        plan = message.plan
        operator: OperatorName = message.operator or plan.candidates[0]
        if not self._failover.doubted(message, operator):
            return
        if message.plan is not plan or message.queue_kind is not ORDINARY:
            self._turn.dispatch_all(self._lanes.put_first(message))
