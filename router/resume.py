"""Going on where an earlier process stopped, with what the journal has kept of it."""

from functools import partial
from operator import attrgetter

from router.enqueue.feed import Queue
from router.enqueue.journal import Backlog, Recovered, Wanted
from router.onward import Onward
from router.smpp.pdu import Pdu, Sm
from router.stations import ToDecide
from router.terms.message import Message, Stage
from router.terms.names import AccountName, RouterId
from router.terms.outcome import JournalError, Outcome, Refusal
from router.terms.plan import Plan


class Resume(Onward):
    """Takes up what the journal holds, and later fetches from it what the lanes keep there."""

    def _take_up(self, found: Recovered) -> None:
        taken_up = self.taken_up
        for backlog in sorted(found.waiting, key=attrgetter("lane")):  # The most urgent first.
            if backlog.account not in self.outboxes:
                taken_up["left_waiting"] += backlog.count
            elif all(name in self.operators for name in backlog.plan.candidates):
                self.lanes.restore(backlog.plan, backlog.lane, backlog.account, backlog.count)
                taken_up["messages"] += backlog.count
            else:
                wanted = Wanted(*_queue_of(backlog), RouterId(0), self.capacity.queue_fetch)
                self._to_decide.append(ToDecide(wanted))
        self._decide_more()
        self._fetch_for_hungry()
        for operator, count in found.sent.items():
            if operator in self.correlators:
                self.correlators[operator].behind = count
                taken_up["receipts_expected"] += count
            else:
                taken_up["left_waiting"] += count
        for account, held in found.held.items():
            if account in self.outboxes:
                self.outboxes[account].restore(held.count, held.first)
                taken_up["deliveries"] += held.count
            else:
                taken_up["left_waiting"] += held.count

    def _decide_more(self) -> None:
        """Decide anew what follows an operator that this configuration has no more.

        A piece at a time, and the next when all of one has been sent: only what is in memory is
        found under its new plan.
        """
        for left in self._to_decide:
            if not left.is_fetching and all(m.stage is not Stage.WAITING for m in left.decided):
                left.is_fetching = True
                self.journal.fetch(left.wanted, partial(self._decide_anew, left))

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
                self.taken_up["left_waiting"] += 1
                continue
            message.plan = plan
            self._rejoin_group(message)
            self.lanes.take_room(message.account)
            self.taken_up["messages"] += 1
            left.decided.append(message)
            if message.in_doubt:
                self._doubt(message)
            if message.stage is not Stage.ACCEPTING:
                continue
            if message.not_before_utc:
                self.lanes.put_on_schedule(message)
            else:
                self._wants_pump(self.lanes.put_first(message))

    def _plan_anew(self, message: Message) -> Plan | None:
        sm = Sm(Pdu(message.command_id, 0, 0, message.octets))
        account = self.settings.accounts[message.account]
        checked = self.checks.check(sm, account, message.accepted_utc)
        if isinstance(checked, Refusal):
            return None
        rule = self.routes.decide(checked.number, account.name, sm)
        return None if isinstance(rule, Refusal) else rule.next_plan()

    def _fetch_for_hungry(self) -> None:
        """Have the journal asked for what the lanes keep there and soon need."""
        hungry, self.lanes.hungry = self.lanes.hungry, []
        for queue in hungry:
            count = self.capacity.queue_fetch
            wanted = Wanted(queue.plan, queue.lane, queue.account, queue.last_id, count)
            self.journal.fetch(wanted, partial(self._fetched, queue))

    def _fetched(self, queue: Queue, messages: list[Message], error: JournalError | None) -> None:
        if error is not None:
            self.lanes.not_fetched(queue)
            return
        for message in messages:
            self._rejoin_group(message)
        elsewhere: set[RouterId] = set()
        for message in reversed(messages):  # What goes elsewhere goes first there.
            if message.in_doubt:
                self._doubt(message)
                if message.stage is not Stage.ACCEPTING:
                    elsewhere.add(message.router_id)
        self._wants_pump(self.lanes.fetched(queue, messages, elsewhere))

    def _doubt(self, message: Message) -> None:
        """An earlier process may have written it to an operator; its lane has the policy."""
        operator = message.operator or message.plan.candidates[0]
        action = self.settings.lanes[message.lane].in_doubt
        self.counters.in_doubt[operator, action] += 1
        message.doubts += 1
        plan: Plan | None = message.plan
        if action == "fail":
            self._give_up(message, Outcome.FAILED, "no answer from the operator", 0)
            return
        if action == "elsewhere":
            plan = self.plans.without(message.plan, operator)
            if message.group is not None and plan is not None:
                message.group.leave(operator)
                if message.group.operator is not None:
                    message.group = None  # The others stay where they are; this one goes.
        elif operator in message.plan.candidates:
            plan = self.plans.staying(operator, message.plan)
            if message.group is not None:
                message.group.hold(operator)
        if plan is not None and plan is not message.plan:
            message.plan = plan
            self._wants_pump(self.lanes.put_first(message))


def _queue_of(backlog: Backlog) -> tuple[Plan, int, AccountName]:
    return backlog.plan, backlog.lane, backlog.account
