"""Going on where an earlier process stopped, with what the journal has kept of it."""

from functools import partial

from router.enqueue.journal import Backlog, Recovered, Wanted
from router.enqueue.lanes import AT_ONCE, Queue
from router.onward import Onward
from router.smpp.pdu import Pdu, Sm
from router.terms.message import Message, Stage
from router.terms.names import AccountName, RouterId
from router.terms.outcome import JournalError, Refusal
from router.terms.plan import Plan


class Resume(Onward):
    """Takes up what the journal holds, and later fetches from it what the lanes keep there."""

    def _take_up(self, found: Recovered) -> None:
        now = self.clock()
        taken_up = self.taken_up
        for backlog in found.waiting:
            if backlog.account not in self.outboxes:
                taken_up["left_waiting"] += backlog.count
            elif all(name in self.operators for name in backlog.plan.candidates):
                self.lanes.restore(backlog.plan, backlog.lane, backlog.account, backlog.count)
                taken_up["messages"] += backlog.count
            else:
                self._decide_anew(Wanted(*_queue_of(backlog), RouterId(0), AT_ONCE))
        self._fetch_for_hungry()
        for attempt in found.sent:
            message = attempt.message
            if attempt.operator not in self.correlators or message.account not in self.outboxes:
                taken_up["left_waiting"] += 1
                continue
            message.stage = Stage.SENT
            message.operator = attempt.operator
            message.octets = b""
            message.attempts += 1
            correlator = self.correlators[attempt.operator]
            correlator.expect(attempt.operator_id, message, attempt.at_utc)
            taken_up["receipts_expected"] += 1
        for delivery in found.held:
            if delivery.account not in self.outboxes:
                taken_up["left_waiting"] += 1
                continue
            self._hand_back(delivery, now)
            taken_up["deliveries"] += 1

    def _decide_anew(self, wanted: Wanted) -> None:
        """An operator of their plan is in this configuration no more."""

        def fetched(messages: list[Message], error: JournalError | None) -> None:
            for message in messages:
                plan = self._plan_anew(message)
                if plan is None:
                    self.taken_up["left_waiting"] += 1
                    continue
                message.plan = plan
                self.lanes.take_room(message.account)
                # First, because only what is in memory is found under its new plan.
                self._wants_pump(self.lanes.put_first(message))
                self.taken_up["messages"] += 1
            if messages and error is None:
                wanted.after = messages[-1].router_id
                self.journal.fetch(wanted, fetched)

        self.journal.fetch(wanted, fetched)

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
            wanted = Wanted(queue.plan, queue.lane, queue.account, queue.last_id, AT_ONCE)
            self.journal.fetch(wanted, partial(self._fetched, queue))

    def _fetched(self, queue: Queue, messages: list[Message], error: JournalError | None) -> None:
        if error is None:
            self._wants_pump(self.lanes.fetched(queue, messages))
        else:
            self.lanes.not_fetched(queue)


def _queue_of(backlog: Backlog) -> tuple[Plan, int, AccountName]:
    return backlog.plan, backlog.lane, backlog.account
