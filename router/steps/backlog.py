"""What an earlier process left: taken up at the start, and fetched as the lanes need it."""

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from router.accept.rooms import Rooms
from router.enqueue.feed import Queue
from router.enqueue.ids import Ids
from router.enqueue.journal import Journal, Recovered, Wanted, Weights
from router.enqueue.lanes import Lanes
from router.smpp.pdu import Pdu, Sm
from router.steps.amendments import Amendments
from router.steps.clocks import Clocks
from router.steps.deliveries import Deliveries
from router.steps.failover import Failover
from router.steps.former_names import FormerNames
from router.steps.long_messages import LongMessages
from router.steps.pending_receipts import PendingReceipts
from router.steps.rules import Rulebook, Rules
from router.steps.turn import Turn
from router.terms.capacity import Capacity
from router.terms.message import Message
from router.terms.names import AccountName, OperatorName, RouterId
from router.terms.outcome import JournalError, Refusal
from router.terms.place import NOWHERE
from router.terms.plan import Plan
from router.terms.queue_key import ORDINARY, REQUEUED, QueueKey
from router.terms.states import ACCEPTING, WAITS

DECIDE_AGAIN_S: Final = 60.0
"""How often messages are looked at again that the rules of a new configuration do not want: they
wait, until their validity ends or the configuration wants them."""


@dataclass(slots=True)
class ToDecide:
    """A queue whose plan names an operator that this configuration has no more."""

    wanted: Wanted
    count: int
    """How many of its messages have not been looked at; each has its room."""
    decided: list[Message] = field(default_factory=list)
    """The last ones that have got a plan of this configuration."""
    is_fetching: bool = False


@dataclass(slots=True)
class DecidedAgain:
    """What was last decided of a queue that follows an operator that is gone."""

    rules: Rules
    decided: list[Message]
    """Those that have got another plan: they wait in another queue, beyond what that queue keeps in
    memory, so the next piece comes when all of them have been sent."""
    try_again_at: float
    """When those that no rule wants are looked at again, if the rules stay as they are."""

    def may_go_on(self, rules: Rules, now: float) -> bool:
        """Whether the queue is to be looked at now."""
        if any(message.state in WAITS for message in self.decided):
            return False
        return rules is not self.rules or now >= self.try_again_at


@dataclass(slots=True)
class TakenUp:
    """How much an earlier process left, and this one goes on with."""

    messages: int = 0
    receipts_expected: int = 0
    deliveries: int = 0


class Backlog:
    """Messages that wait in the journal and not in memory."""

    __slots__ = (
        "_amendments",
        "_began_at",
        "_capacity",
        "_clocks",
        "_decided_again",
        "_deliveries",
        "_failover",
        "_former",
        "_ids",
        "_journal",
        "_lanes",
        "_left",
        "_long_messages",
        "_pending",
        "_renamings",
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
        ids: Ids,
        clocks: Clocks,
        turn: Turn,
        capacity: Capacity,
        former: FormerNames,
        amendments: Amendments,
    ) -> None:
        self._amendments: Final = amendments
        self._journal: Final = journal
        self._rooms: Final = rooms
        self._lanes: Final = lanes
        self._pending: Final = pending
        self._deliveries: Final = deliveries
        self._failover: Final = failover
        self._long_messages: Final = long_messages
        self._rulebook: Final = rulebook
        self._ids: Final = ids
        self._clocks: Final = clocks
        self._began_at: Final = clocks.now()
        self._turn: Final = turn
        self._capacity: Final = capacity
        self._former: Final = former
        self._renamings = 0
        """How often an account was renamed. What a reading brings that began before may lack what
        was written by the new name, so it is read again."""
        self._to_decide: list[ToDecide] = []
        self._decided_again: dict[Queue, DecidedAgain] = {}
        self._left = Recovered()
        """What this configuration does not know of; another one may."""
        self.taken_up: Final = TakenUp()

    def take_up(self, found: Recovered) -> None:
        """Go on with what an earlier process left, as far as this configuration knows of it."""
        taken_up, left = self.taken_up, Recovered()
        accounts, correlators = self._rulebook.rules.accounts, self._pending.correlators
        urgency = list(self._lanes.settings)
        for backlog in sorted(found.waiting, key=lambda one: urgency.index(one.queue.lane)):
            queue = backlog.queue
            if queue.account not in accounts:
                left.waiting.append(backlog)
            elif all(name in correlators for name in queue.plan.candidates):
                self._lanes.restore(queue, backlog.count)
                self._rooms.restore(queue.account, backlog.count, backlog.octets)
                taken_up.messages += backlog.count
            else:
                capacity = self._capacity
                wanted = Wanted(queue, RouterId(0), capacity.queue_fetch, capacity.queue_octets)
                self._to_decide.append(ToDecide(wanted, backlog.count))
                # Before new messages take it.
                self._rooms.restore(queue.account, backlog.count, backlog.octets)
        now, now_utc = self._clocks.now(), self._clocks.utc()
        for started in found.started:
            names = started.operator, *started.plan.candidates
            if started.account in accounts and all(name in correlators for name in names):
                self._long_messages.restore(started, now, now_utc)
        self.decide_more()
        self.fetch()
        for operator, count in found.sent.items():
            if operator in correlators:
                correlators[operator].behind += count
                taken_up.receipts_expected += count
            else:
                left.sent[operator] = count
        self._pending.take_up(found.orphans)
        for account, held in found.held.items():
            taken_up.deliveries += self._deliveries.restore(account, held)
        self._left = left

    def weigh(self) -> None:
        """Have the octets counted of what was taken up, and of what was left."""
        self._journal.weigh(self._weighed)

    def _weighed(self, weights: Weights, error: JournalError | None) -> None:
        if error is not None:  # The octets of an earlier process are missing from the counts.
            return
        of_today = self._former.of_today
        left = {backlog.queue: backlog for backlog in self._left.waiting}
        for weighed, octets in weights.waiting.items():
            queue = weighed.of(of_today(weighed.account))
            if queue in left:
                left[queue].octets += octets
            else:
                self._rooms.restore(queue.account, 0, octets)
        for account, octets in weights.held.items():
            self._deliveries.weighed(of_today(account), octets)

    def rename(self, was: OperatorName, now: OperatorName) -> bool:
        """Know by its new name whose receipts were left; return whether any were."""
        count = self._left.sent.pop(was, 0)
        if count:
            self._left.sent[now] = self._left.sent.get(now, 0) + count
        return count > 0

    def rename_account(self, was: AccountName, now: AccountName) -> None:
        """Know by its new name whose messages were left, and whose are to be decided anew."""
        self._renamings += 1
        for backlog in self._left.waiting:
            backlog.queue = _called(backlog.queue, was, now)
        for left in self._to_decide:
            left.wanted = replace(left.wanted, queue=_called(left.wanted.queue, was, now))

    def has_left(self, account: AccountName) -> bool:
        """Whether messages of an account that is no more stay in the journal."""
        return any(backlog.queue.account == account for backlog in self._left.waiting)

    def adopt(self) -> None:
        """Go on with what was left for an account or operator that the configuration has again."""
        self.take_up(self._left)

    def left(self) -> list[tuple[str, int]]:
        """Return how many messages and receipts stay in the journal, by what they lack.

        That is their account, or every operator that could take them, such as `operator telia`.
        """
        accounts = self._rulebook.rules.accounts
        found = []
        for backlog in self._left.waiting:
            queue = backlog.queue
            known = queue.account in accounts
            of = " or ".join(queue.plan.candidates) if known else queue.account
            found.append((f"{'operator' if known else 'account'} {of}", backlog.count))
        return [*found, *((f"operator {name}", count) for name, count in self._left.sent.items())]

    def set_aside(self, queue: QueueKey) -> None:
        """Forget a message of a queue that the journal had and cannot read: it is settled."""
        for left in self._to_decide:
            if left.wanted.queue == queue:
                left.count -= 1

    def is_untouched(self, queue: QueueKey, router_id: RouterId) -> bool:
        """Whether a message waits to be decided anew, and was not read for that yet."""
        return self._untouched(queue, router_id) is not None

    def cancel_untouched(self, message: Message) -> None:
        """Count one message less of those that are to be decided anew."""
        queue = QueueKey(message.plan, message.lane, message.account)
        left = self._untouched(queue, message.router_id)
        if left is not None:
            left.count -= 1

    def _untouched(self, queue: QueueKey, router_id: RouterId) -> ToDecide | None:
        if self._ids.is_of_this_process(router_id):
            return None  # Another configuration knows the operator again: it was in the lanes.
        for left in self._to_decide:
            wanted = left.wanted
            if wanted.queue == queue and router_id > wanted.after and not left.is_fetching:
                return left
        return None

    # Decided anew.

    def decide_more(self) -> None:
        """Decide anew what follows an operator that this configuration has no more.

        A piece at a time, and the next when all of one has been sent: only what is in memory is
        found under its new plan.
        """
        for left in self._to_decide:
            if not left.is_fetching and all(m.state not in WAITS for m in left.decided):
                left.is_fetching = True
                decide = partial(self._decide_anew, left, self._renamings)
                self._journal.fetch(left.wanted, decide)

    def _decide_anew(
        self,
        left: ToDecide,
        renamings: int,
        messages: list[Message],
        error: JournalError | None,
    ) -> None:
        left.is_fetching = False
        if error is not None or renamings != self._renamings:
            return
        messages, cancelled = self._amendments.applied(messages)
        if cancelled and not messages:
            left.wanted.after = cancelled[-1]
            return
        # Another configuration may know the operator again: what has come since is in the lanes.
        messages = [one for one in messages if not self._ids.is_of_this_process(one.router_id)]
        if not messages:
            # The journal is right, if there were fewer than it had said.
            self._rooms.restore(left.wanted.queue.account, -left.count, 0)
            self._to_decide.remove(left)
            return
        left.count -= len(messages)
        left.wanted.after = messages[-1].router_id
        left.decided = []
        for message in reversed(messages):  # Each goes first, so the oldest must come last.
            before = message.plan
            plan = self._plan_anew(message)
            if plan is None:
                # No rule wants it now: it waits, and another configuration may.
                message.reroute(before, REQUEUED)
            else:
                message.reroute(plan)
                left.decided.append(message)
            self._rejoin(message, self._clocks.now())
            self.taken_up.messages += 1
            if message.in_doubt:
                was = before.candidates[0]  # A plan has the names of its time.
                now = self._rulebook.rules.renames.operators.get(was, was)
                self._doubt(message, message.operator or now)
            if message.state is not ACCEPTING:
                continue
            if message.not_before_utc:
                self._lanes.delays.schedule(message)
            else:
                self._turn.dispatch_all(self._lanes.put_first(message))

    def decide_again(self, now: float) -> None:
        """Decide anew what waits under a plan that names an operator that is gone.

        For a change of the configuration while the router runs. Messages come under such a plan
        later, too: with a commit that was under way, or when their delay is over.
        """
        rules = self._rulebook.rules
        for queue in self._lanes.queues():
            names = queue.key.plan.candidates
            if len(queue) and not all(name in rules.statuses for name in names):
                last = self._decided_again.get(queue)
                if last is None or last.may_go_on(rules, now):
                    self._decide_queue_again(queue, rules, now)
        # Of a queue that is empty nothing need be remembered.
        self._decided_again = {q: one for q, one in self._decided_again.items() if len(q)}

    def _decide_queue_again(self, queue: Queue, rules: Rules, now: float) -> None:
        decided: list[Message] = []
        without_plan: list[Message] = []
        for message in reversed(self._lanes.take_out(queue)):  # Put first, so the oldest is last.
            plan = self._plan_anew(message)
            (without_plan if plan is None else decided).append(message)
            # Even what no rule wants leaves its queue: else it would stand before those behind it.
            message.reroute(plan or message.plan, REQUEUED)
            if message.in_doubt and message.operator is not None:
                self._failover.reroute_doubted(message, message.operator)
            self._turn.dispatch_all(self._lanes.put_first(message))
        try_again_at = now + DECIDE_AGAIN_S if without_plan else now
        self._decided_again[queue] = DecidedAgain(rules, decided, try_again_at)

    def _plan_anew(self, message: Message) -> Plan | None:
        rules = self._rulebook.rules
        sm = Sm(Pdu(message.command_id, 0, 0, message.octets))
        account = rules.accounts.get(message.account)
        if account is None:
            return None
        checked = rules.checks.check(sm, account, message.accepted_utc)
        if isinstance(checked, Refusal):
            return None
        # By the time at which it was accepted: hours that have begun or ended since change nothing.
        at_utc = message.accepted_utc
        number = self._rulebook.number_of(message, checked.number)
        place = rules.places.of(number) if rules.ask_place else NOWHERE
        rule = rules.routes.decide(number, account.name, checked.lane, sm, at_utc, place)
        if isinstance(rule, Refusal):
            return None
        plan, senders = rule.next_plan(), rules.senders
        if senders is None:
            return plan
        # By the lists of today: another operator is to be found that takes it now.
        return senders.plan(plan, sm.source_addr, self._clocks.utc())

    # Fetched.

    def fetch(self) -> None:
        """Have the journal asked for what the lanes keep there and soon need."""
        queues, self._lanes.needs_fetch = self._lanes.needs_fetch, []
        capacity = self._capacity
        for queue in queues:
            wanted = Wanted(queue.key, queue.last_id, capacity.queue_fetch, capacity.queue_octets)
            self._journal.fetch(wanted, partial(self._fetched, queue, self._renamings))

    def _fetched(
        self,
        queue: Queue,
        renamings: int,
        messages: list[Message],
        error: JournalError | None,
    ) -> None:
        if error is not None:
            self._lanes.not_fetched(queue)
            return
        if renamings != self._renamings:
            self._lanes.not_fetched(queue)
            self._turn.end_soon()
            return
        cancelled: list[RouterId] = []
        if self._amendments:
            messages, cancelled = self._amendments.applied(messages)
        now = self._clocks.now()
        for message in messages:
            self._rejoin(message, now)
        elsewhere: set[RouterId] = set()
        for message in reversed(messages):  # What goes elsewhere goes first there.
            if message.in_doubt:
                self._doubt(message, message.operator or message.plan.candidates[0])
                if message.state is not ACCEPTING:
                    elsewhere.add(message.router_id)
        self._turn.dispatch_all(
            self._lanes.fetched(queue, messages, elsewhere, cancelled=cancelled)
        )

    def _rejoin(self, message: Message, now: float) -> None:
        """Have what the journal has brought go on as a part of its long message, if it is one.

        It has waited for a slot since this process began, at most: before that it may have been
        delayed, and while no process ran no operator could take it.
        """
        message.waits_since = max(message.waits_since, self._began_at)
        self._long_messages.rejoin(message, now)

    def _doubt(self, message: Message, operator: OperatorName) -> None:
        """An earlier process may have written the message to this operator."""
        plan = message.plan
        if not self._failover.doubted(message, operator):
            return
        if message.plan is not plan or message.queue_kind is not ORDINARY:
            self._turn.dispatch_all(self._lanes.put_first(message))


def _called(queue: QueueKey, was: AccountName, now: AccountName) -> QueueKey:
    """Return the queue under its account's new name, if it is one of that account."""
    return queue.of(now) if queue.account == was else queue
