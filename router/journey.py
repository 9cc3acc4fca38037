"""The life of a message, in the order it happens. Read this first.

    a client's submit_sm      submitted     room, check, decide, and to the journal
    the journal has it        _kept         the lane, and only then ESME_ROK to the client
    an operator has a slot    _send_on      pulled from a lane, written to a bind
    the operator answers      answered      sent; or again, elsewhere, or given up
    no answer will come       doubted       in doubt: again, elsewhere, or given up
    the operator's receipt    reported      matched; outcome and the client's receipt to the journal
    the journal has those     _kept         ESME_ROK to the operator, the receipt to the outbox
    the client acknowledges   acknowledged  the journal forgets the receipt

Every act is one synchronous step, called for a PDU or for a committed batch. Nothing here waits:
what an act wants kept goes into the turn's `Changes`; what it wants written stays in its session;
`_finish_turn` hands the first to the journal and has the second written, once per turn of the loop.

The acts decide nothing themselves: the stages do.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol, cast

from router.accept.accounts import Account
from router.accept.admission import Admission
from router.check.submit import Checks
from router.decide.table import RouteTable
from router.enqueue.journal import (
    Attempt,
    Backlog,
    Changes,
    Journal,
    Recovered,
    Settlement,
    Wanted,
)
from router.enqueue.lanes import AT_ONCE, Lanes, Queue
from router.forward.pool import Bind, Flight, Operator
from router.report import receipts
from router.report.correlate import Correlator
from router.report.handback import Outbox, Receiver, is_acknowledged
from router.report.inbound import InboundRules, for_client
from router.smpp import receipt as r
from router.smpp import vocabulary as v
from router.smpp.pdu import BodyError, Pdu, Sm, message_id_of, response
from router.smpp.receipt import Receipt
from router.smpp.session import Peer, Session
from router.smpp.states import State
from router.terms.clock import SteadyUtc
from router.terms.counters import Counters
from router.terms.message import Delivery, Message, Stage
from router.terms.names import AccountName, ClientId, OperatorName, RouterId
from router.terms.outcome import (
    DRAINING,
    JOURNAL_DOWN,
    NOT_FOR_US,
    TEMPORARY,
    JournalError,
    Outcome,
    Refusal,
    judge,
)
from router.terms.plan import Plan, Plans
from router.terms.settings import Settings, StatusAction

NEVER: Final = float("inf")
IDS_PER_BLOCK: Final = 100_000
"""Reserved ahead in the journal; what is left of a block is lost with the process, no more."""
FEW_IDS: Final = 20_000
RECEIPT_AFTER_RESPONSE_S: Final = 1.0
"""A client with a transmitter and a receiver reads them in different threads: a receipt that comes
right behind its submit_sm_resp may be read before it, and is lost on Kannel."""
JOURNAL_RETRY_S: Final = 1.0
SWEEP_S: Final = 1.0


class Client(Receiver, Protocol):
    """A client's bind."""

    @property
    def account(self) -> Account:
        """Whose it is."""

    @property
    def admission(self) -> Admission:
        """Its gate."""

    def malformed(self, command_id: int, status: int) -> None:
        """Note that a body could not be read."""


class OperatorPeer(Peer, Protocol):
    """A bind to an operator, as it is connected now."""

    @property
    def bind(self) -> Bind:
        """Which one."""

    def rebind(self) -> None:
        """Unbind, and bind anew."""

    def malformed(self, command_id: int, status: int) -> None:
        """Note that a body could not be read."""


@dataclass(slots=True)
class _Reply:
    """Who waits for an answer until a batch is safe."""

    peer: Peer
    command_id: int
    sequence_number: int
    brought: Delivery | None = None
    """What the request brought for a client, and brings again if it is answered to come again."""


@dataclass(slots=True)
class _Arrival:
    """A receipt as it came; it may have to wait for its message's submit_sm_resp."""

    peer: OperatorPeer
    pdu: Pdu
    sm: Sm
    receipt: Receipt


class Journey:
    """Joins the stages. Clocks and `later` (run this in a later turn) are handed in."""

    def __init__(
        self,
        settings: Settings,
        *,
        journal: Journal,
        clock: Callable[[], float],
        clock_utc: Callable[[], float],
        later: Callable[[Callable[[], None]], object],
        settled: Callable[[Settlement], None],
    ) -> None:
        now = clock()
        self.settings: Final = settings
        self.journal: Final = journal
        self.clock: Final = clock
        self.wall: Final = SteadyUtc(now, clock_utc())
        self._wall_clock: Final = clock_utc
        self.counters: Final = Counters()
        self.plans: Final = Plans()
        self.checks: Final = Checks(settings.lanes)
        self.routes: Final = RouteTable(settings.routes, self.plans, settings.lanes)
        self.inbound: Final = InboundRules(settings.inbound)
        self.lanes: Final = Lanes(settings.lanes, settings.accounts)
        self.operators: Final = {
            name: Operator(operator, now) for name, operator in settings.operators.items()
        }
        self.correlators: Final[dict[OperatorName, Correlator[_Arrival]]] = {
            name: Correlator(operator.message_id, operator.receipt_wait_s)
            for name, operator in settings.operators.items()
        }
        self.outboxes: Final = {name: Outbox(of) for name, of in settings.accounts.items()}
        self.draining = False
        self.journal_up = True
        """False from a commit that failed until one that does not."""
        self.taken_up = {"messages": 0, "receipts_expected": 0, "deliveries": 0, "left_waiting": 0}
        """What an earlier process left. `left_waiting` stays in the journal: its account, or every
        operator that could take it, is in this configuration no more."""
        self._later = later
        self._settled = settled
        self._turn_ends = False
        self._accepts = Changes()
        self._settles = Changes()
        self._unsafe: list[Changes] = []
        self._to_write: list[Peer] = []
        self._to_pump: set[OperatorName] = set()
        self._to_hand_back: set[AccountName] = set()
        self._next_id = 0
        self._ids_end = 0
        self._next_block: tuple[int, int] | None = None
        self._reserving = False
        self._sweep_at = now + SWEEP_S
        self._retry_at = NEVER
        self._operators_at = NEVER
        """When the first operator has a slot again; this and the next may be early, never late."""
        self._outboxes_at = NEVER
        self._expired: list[Message] = []
        self._withheld: dict[RouterId, tuple[Receipt, r.State]] = {}
        """Failures of one attempt, while another may still end well."""

    def clock_utc(self) -> float:
        """Unix time, for what outlives a restart; it does not follow the wall clock's jumps."""
        return self.wall.at(self.clock())

    # Before anything else.

    def start(self, ready: Callable[[JournalError | None], None]) -> None:
        """Go on where an earlier process stopped; `ready` is called when clients may come."""

        def recovered(found: Recovered, error: JournalError | None) -> None:
            if error is None:
                self._take_up(found)
                self._reserve_ids(ready)
            else:
                ready(error)

        self.journal.recover(recovered)

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

    # A client's submit_sm.

    def submitted(self, client: Client, pdu: Pdu, now: float) -> None:
        """A submit_sm or data_sm came in. It goes on, is held for a moment, or is refused."""
        if self.draining:
            self._refuse(client, pdu, DRAINING)
        elif not self.journal_up:
            self._refuse(client, pdu, JOURNAL_DOWN)
        else:
            verdict = client.admission.judge(pdu, now)
            if verdict is True:
                self._take_in(client, pdu, now, now)
            elif isinstance(verdict, Refusal):
                self._refuse(client, pdu, verdict)

    def release(self, client: Client, now: float) -> None:
        """Some of what this client's session holds may go on now."""
        for pdu, refusal, arrived_at in client.admission.release(now):
            if refusal is not None:
                self._refuse(client, pdu, refusal)
            elif self.draining or not self.journal_up:
                self._not_taken(client, pdu, DRAINING if self.draining else JOURNAL_DOWN)
            else:
                self._take_in(client, pdu, arrived_at, now)

    def _take_in(self, client: Client, pdu: Pdu, arrived_at: float, now: float) -> None:
        """It has its room: check, decide, and hand it to the journal."""
        account = client.account
        try:
            sm = Sm(pdu)
        except BodyError as error:
            client.malformed(pdu.command_id, error.status)
            self._not_taken(client, pdu, Refusal("malformed", error.status))
            return
        now_utc = self.clock_utc()
        checked = self.checks.check(sm, account.settings, now_utc)
        if isinstance(checked, Refusal):
            self._not_taken(client, pdu, checked)
            return
        rule = self.routes.decide(checked.number, account.name, sm)
        if isinstance(rule, Refusal):
            self._not_taken(client, pdu, rule)
            return
        router_id = self._take_id()
        if router_id is None:
            self._not_taken(client, pdu, JOURNAL_DOWN)
            return
        lane = checked.lane if rule.lane is None else rule.lane
        message = Message(
            router_id=router_id,
            client_id=ClientId(b"%d" % router_id),
            account=account.name,
            lane=lane,
            plan=rule.next_plan(),
            command_id=pdu.command_id,
            octets=pdu.octets,
            source_octets=sm.source_octets,
            destination_octets=sm.destination_octets,
            registered_delivery=_wanted(sm.registered_delivery, client.session),
            accepted_at=arrived_at,
            accepted_utc=now_utc,
            expires_utc=self.checks.expires_utc(checked, lane, now_utc),
            answer_to=(client, pdu.sequence_number),
            hold_receipt=client.session.state is State.BOUND_TX,
        )
        self._accepts.accepted.append(message)
        if not self._turn_ends:
            self._end_turn_soon()

    def _not_taken(self, client: Client, pdu: Pdu, refusal: Refusal) -> None:
        """Refused after it had been let in: its room is free again."""
        client.admission.answered()
        self.lanes.give_room(client.account.name)
        self._refuse(client, pdu, refusal)

    def _refuse(self, client: Client, pdu: Pdu, refusal: Refusal) -> None:
        account = client.account.settings
        self.counters.submits[account.name, account.lane, refusal.status] += 1
        self.counters.refused_pdus[refusal.reason] += 1
        client.session.respond(response(pdu.command_id, pdu.sequence_number, refusal.status))
        self.write_soon(client)

    # The journal has answered. These lines stand in the order of the promise.

    def _kept(self, changes: Changes, error: JournalError | None) -> None:
        """A batch is safe, or none of it is."""
        if error is not None:
            self._not_kept(changes, error)
            return
        if not self.journal_up:
            self._journal_is_back()
        now = self.clock()
        for message in changes.accepted:
            # The room was taken when it was let in, and the disk has it now. The lane comes before
            # the answer, whether or not the client is still there to hear it.
            self._wants_pump(self.lanes.put(message))
            self._answer(message, v.ESME_ROK, now)
        for delivery in changes.held:
            self._hand_back(delivery, now)
        for settlement in changes.settled:
            self._count_outcome(settlement, now)
        for reply in changes.replies:
            assert isinstance(reply, _Reply)
            self._reply(reply, v.ESME_ROK)

    def _not_kept(self, changes: Changes, error: JournalError) -> None:
        """Nothing of it was promised. What has happened all the same is told again later."""
        self.journal_up = False
        self._retry_at = self.clock() + JOURNAL_RETRY_S
        now = self.clock()
        for message in changes.accepted:
            self.lanes.give_room(message.account)
            self._answer(message, JOURNAL_DOWN.status, now)
        changes.accepted.clear()
        for reply in changes.replies:
            assert isinstance(reply, _Reply)
            self._reply(reply, TEMPORARY.status)
            if reply.brought is not None:
                changes.held.remove(reply.brought)
        changes.replies.clear()
        if changes:
            self._unsafe.append(changes)

    def _journal_is_back(self) -> None:
        self.journal_up = True
        if self._unsafe:  # First, because what comes now may follow from it.
            self._try_journal_again()
        self._to_pump.update(self.operators)
        self._end_turn_soon()

    def _answer(self, message: Message, status: int, now: float) -> None:
        """The client hears what became of its submit_sm."""
        client, sequence_number = cast("tuple[Client, int]", message.answer_to)
        message.answer_to = None
        message.answered_at = now
        account = message.account
        counters = self.counters
        counters.submits[account, self.settings.lanes[message.lane].name, status] += 1
        counters.submit_response_s[account].add(now - message.accepted_at)
        client.admission.answered()
        if client.session.state is not State.CLOSED:
            body = message.client_id + b"\0"
            client.session.respond(response(message.command_id, sequence_number, status, body))
            self.write_soon(client)

    def _reply(self, reply: _Reply, status: int) -> None:
        """The operator hears that its deliver_sm is safe, or that it must come again."""
        session = reply.peer.session
        if session.state is not State.CLOSED:
            session.respond(response(reply.command_id, reply.sequence_number, status, b"\0"))
            self.write_soon(reply.peer)

    # An operator has a slot.

    def _send_on(self, operator: Operator, now: float) -> None:
        """Write to the operator's binds what the lanes have and the rates allow."""
        now_utc = self.clock_utc()
        lanes = self.lanes
        name = operator.name
        while (bind := operator.ready_bind(now)) is not None:
            message = lanes.pull(name, now_utc, self._expired)
            if message is None:
                operator.wake_at = NEVER  # `put` tells when there is something again.
                break
            message.stage = Stage.IN_FLIGHT
            message.operator = name
            if message.sends == 0:
                lane = self.settings.lanes[message.lane].name
                self.counters.queue_wait_s[name, lane].add(now - message.accepted_at)
            elif message.in_doubt:
                self.counters.repeated[name] += 1
                message.in_doubt = False
            message.sends += 1
            message.sent_at = now
            operator.send(bind, message, now)
            assert bind.peer is not None
            self.write_soon(bind.peer)
        if self._expired:
            self._expire(self._expired, now_utc)
            self._expired = []

    # The operator has answered.

    def answered(self, peer: OperatorPeer, pdu: Pdu, now: float) -> None:
        """A submit_sm_resp, data_sm_resp or generic_nack to one of our messages."""
        flight = pdu.request
        assert isinstance(flight, Flight)
        bind, message = flight.bind, flight.message
        operator = bind.operator
        name = operator.name
        status = pdu.command_status
        if status == v.ESME_ROK and pdu.command_id == v.GENERIC_NACK:
            status = v.ESME_RUNKNOWNERR
        late = flight.over
        if not late:
            operator.landed(flight, now, answered=True)
            self.counters.operator_response_s[name].add(now - flight.sent_at)
            countable = min(status, v.OTHER_STATUS)  # An operator may invent as many as it likes.
            self.counters.sends[name, bind.settings.name, countable] += 1
            self._to_pump.add(name)
            if not self._turn_ends:
                self._end_turn_soon()
        if status == v.ESME_ROK:
            self._sent(operator, message, message_id_of(pdu), now)
        elif not late and message.stage is Stage.IN_FLIGHT:
            action = judge(status, operator.settings.on_status)
            self._go_on(peer, message, action, status, now)
        else:
            self._tell_withheld(message)

    def _sent(self, operator: Operator, message: Message, octets: bytes, now: float) -> None:
        """An operator took it."""
        correlator = self.correlators[operator.name]
        operator_id = correlator.of_response(octets)
        now_utc = self.clock_utc()
        if message.stage is Stage.SETTLED:  # By the receipt of another attempt.
            return
        if message.stage is not Stage.SENT:
            self.lanes.give_room(message.account)
        message.stage = Stage.SENT
        message.operator = operator.name
        if not receipts.wants_any(message):
            self._settle(message, Outcome.SENT, now_utc)
            return
        if not octets:
            if not self._is_open(message):  # Else the receipt of another attempt will tell.
                self._end_untold(message, "the operator gave no message id")
            return
        message.octets = b""
        message.attempts += 1
        self._settles.attempted.append(Attempt(message, operator.name, operator_id, now_utc))
        for early in correlator.expect(operator_id, message, now_utc):
            self._receipt(early, now)

    def _go_on(
        self, peer: OperatorPeer, message: Message, action: StatusAction, status: int, now: float
    ) -> None:
        """The operator did not take it, and its settings say what that means."""
        bind = peer.bind
        match action.do:
            case "pause":
                bind.operator.rest(bind, now + action.for_s)
                self._wants_pump(self.lanes.put_first(message))
            case "rebind":
                self._wants_pump(self.lanes.put_first(message))
                peer.rebind()
            case "retry" if message.retries < action.times:
                message.retries += 1
                self.lanes.put_later(message, now + action.after_s)
            case "retry" if action.then == "next":
                self._go_elsewhere(bind.operator, message, status)
            case "next" if message.moves < action.times:
                message.moves += 1
                self._go_elsewhere(bind.operator, message, status)
            case _:
                self._give_up(message, Outcome.FAILED, "refused by the operator", status)

    def _go_elsewhere(self, operator: Operator, message: Message, status: int) -> None:
        """On to the next candidate of its plan."""
        plan = self.plans.without(message.plan, operator.name)
        if plan is None:
            self._give_up(message, Outcome.FAILED, "refused by every operator", status)
            return
        message.plan = plan
        message.retries = 0
        self._wants_pump(self.lanes.put_first(message))

    def doubted(self, flights: Iterable[Flight], why: str, now: float) -> None:
        """No answer will come: the bind is lost, or the time is up. Each lane has its policy."""
        for flight in reversed(list(flights)):  # Put back first, so the oldest must come last.
            operator, message = flight.bind.operator, flight.message
            operator.landed(flight, now, answered=False)
            self.counters.sends[operator.name, flight.bind.settings.name, why] += 1
            if message.stage is not Stage.IN_FLIGHT:
                self._tell_withheld(message)
                continue
            action = self.settings.lanes[message.lane].in_doubt
            self.counters.in_doubt[operator.name, action] += 1
            if action == "fail":
                self._give_up(message, Outcome.FAILED, "no answer from the operator", 0)
                continue
            if action == "elsewhere":
                plan = self.plans.without(message.plan, operator.name)
                message.plan = plan or message.plan
            else:  # To the same one, though a better one may have come.
                message.plan = self.plans.first(operator.name, message.plan)
            message.in_doubt = True
            self._wants_pump(self.lanes.put_first(message))

    # The operator reports.

    def reported(self, peer: OperatorPeer, pdu: Pdu, now: float) -> None:
        """A deliver_sm or data_sm from an operator: a receipt, or a subscriber's message."""
        if not self.journal_up:
            self._reply(_Reply(peer, pdu.command_id, pdu.sequence_number), TEMPORARY.status)
            return
        try:
            sm = Sm(pdu)
        except BodyError as error:
            self.counters.refused_pdus["malformed"] += 1
            peer.malformed(pdu.command_id, error.status)
            self._reply(_Reply(peer, pdu.command_id, pdu.sequence_number), error.status)
            return
        receipt = r.recognise(sm)
        if receipt is None:
            self._from_subscriber(peer, pdu, sm)
        else:
            self._receipt(_Arrival(peer, pdu, sm, receipt), now)
        if not self._turn_ends:
            self._end_turn_soon()

    def _receipt(self, came: _Arrival, now: float) -> None:
        """Find its message. Whatever it is, it is answered when all it changes is safe."""
        receipt = came.receipt
        operator = came.peer.bind.operator
        correlator = self.correlators[operator.name]
        operator_id, message = correlator.find(receipt.operator_id, came.sm.source_octets)
        if message is None and not correlator.is_done(operator_id):
            if operator_id and operator.in_flight:
                if not correlator.park(operator_id, came, now):
                    self._reply(_reply_to(came), TEMPORARY.status)
                return
            self.counters.receipts_unmatched[operator.name] += 1
        self._count_receipt(operator.name, receipt)
        state = receipt.state
        reply = _reply_to(came)
        if message is not None and state is not None:
            if receipts.is_final(state, operator.settings):
                correlator.close(operator_id, message)
                self._final(message, receipt, state)
            elif message.stage is Stage.SENT and receipts.asked_for(message, state, final=False):
                reply.brought = self._hold(message, receipt, state, final=False)
        self._settles.replies.append(reply)

    def _count_receipt(self, operator: OperatorName, receipt: Receipt) -> None:
        word = "unreadable" if receipt.state is None else receipt.state.name.lower()
        self.counters.receipts[operator, word] += 1

    def _final(self, message: Message, receipt: Receipt, state: r.State) -> None:
        """One attempt has ended. Delivered wins; a failure waits for the other attempts."""
        message.attempts -= 1
        if message.stage is Stage.SETTLED:
            return
        if receipts.OUTCOMES[state] is not Outcome.DELIVERED and self._is_open(message):
            self._withheld[message.router_id] = receipt, state
            return
        self._withheld.pop(message.router_id, None)
        self._end(message, receipt, state)

    def _end(self, message: Message, receipt: Receipt, state: r.State) -> None:
        """The operator's last word."""
        if receipts.asked_for(message, state, final=True):
            self._hold(message, receipt, state, final=True)
        self._settle(message, receipts.OUTCOMES[state], self.clock_utc())

    def _is_open(self, message: Message) -> bool:
        """Whether an attempt may still end well: one that was taken, or one that is in flight."""
        if message.attempts or message.sends < 2:
            return bool(message.attempts)
        sessions = (bind.session for one in self.operators.values() for bind in one.binds)
        return any(
            isinstance(whose, Flight) and whose.message is message
            for session in sessions
            if session is not None
            for _, whose, _ in session.unanswered.values()
        )

    def _tell_withheld(self, message: Message) -> None:
        """An attempt came to nothing: a failure that was withheld for it is the last word."""
        if message.router_id in self._withheld and not self._is_open(message):
            self._end_untold(message, "")

    def _hold(self, message: Message, receipt: Receipt, state: r.State, *, final: bool) -> Delivery:
        """A receipt for the client: kept until the client has it."""
        delivery = receipts.from_operator(
            message,
            receipt,
            state,
            final=final,
            now_utc=self.clock_utc(),
            not_before=_not_before(message),
        )
        self._settles.held.append(delivery)
        return delivery

    def _from_subscriber(self, peer: OperatorPeer, pdu: Pdu, sm: Sm) -> None:
        """A message that is no receipt goes to the account that the inbound rules name."""
        operator = peer.bind.operator.name
        reply = _Reply(peer, pdu.command_id, pdu.sequence_number)
        account = self.inbound.account_of(operator, sm)
        number = self._take_id()
        if account is None or number is None:
            self.counters.inbound[operator, "unrouted" if account is None else "refused"] += 1
            self._reply(reply, NOT_FOR_US.status if account is None else TEMPORARY.status)
            return
        self.counters.inbound[operator, "held"] += 1
        delivery = Delivery(
            router_id=number,
            account=account,
            octets=for_client(sm, pdu.command_id),
            made_utc=self.clock_utc(),
        )
        reply.brought = delivery
        self._settles.held.append(delivery)
        self._settles.replies.append(reply)

    # The client takes its receipt.

    def _hand_back(self, delivery: Delivery, now: float) -> None:
        self.outboxes[delivery.account].put(delivery, now)
        self._to_hand_back.add(delivery.account)
        self._end_turn_soon()

    def acknowledged(self, client: Client, pdu: Pdu, now: float) -> None:
        """A deliver_sm_resp (or generic_nack): the client has it, or wants it later, or never."""
        delivery = pdu.request
        assert isinstance(delivery, Delivery)
        account = client.account.name
        outbox = self.outboxes[account]
        status = pdu.command_status
        if status == v.ESME_ROK and pdu.command_id == v.GENERIC_NACK:
            status = v.ESME_RUNKNOWNERR
        if outbox.answered(delivery, status, now, late=pdu.sent_at == 0.0):
            self._settles.acknowledged.append(delivery)
            ending = "acknowledged" if is_acknowledged(status) else "refused"
            self.counters.deliveries[account, ending] += 1
        self._to_hand_back.add(account)
        if not self._turn_ends:
            self._end_turn_soon()

    def undelivered(self, account: AccountName, lost: list[Delivery]) -> None:
        """A client's bind is gone with deliver_sm that it has not acknowledged."""
        self.outboxes[account].lost(lost)
        self._to_hand_back.add(account)
        self._end_turn_soon()

    def unacknowledged(self, account: AccountName, overdue: list[Delivery], now: float) -> None:
        """A client has not answered these in time."""
        for delivery in overdue:
            self.outboxes[account].unanswered(delivery, now)
        self._to_hand_back.add(account)
        self._end_turn_soon()

    def reads_again(self, client: Client) -> None:
        """A client that did not keep up with reading does so now."""
        self._to_hand_back.add(client.account.name)
        self._end_turn_soon()

    # The ends that the router decides.

    def _give_up(self, message: Message, outcome: Outcome, reason: str, status: int) -> None:
        """No operator will have taken it: settle it, and tell the client if it asked."""
        now_utc = self.clock_utc()
        if message.stage is not Stage.SENT:
            self.lanes.give_room(message.account)
        if receipts.asked_for(message, receipts.state_of(outcome), final=True):
            delivery = receipts.made_by_router(
                message,
                outcome,
                reason,
                status,
                now_utc=now_utc,
                not_before=_not_before(message),
            )
            self._settles.held.append(delivery)
        self._settle(message, outcome, now_utc, reason)

    def _settle(self, message: Message, outcome: Outcome, now_utc: float, reason: str = "") -> None:
        message.stage = Stage.SETTLED
        message.octets = b""
        self._settles.settled.append(Settlement(message, outcome, now_utc, reason))
        if not self._turn_ends:
            self._end_turn_soon()

    def _count_outcome(self, settlement: Settlement, now: float) -> None:
        message = settlement.message
        self.counters.outcomes[message.account, settlement.outcome] += 1
        if message.operator is not None and settlement.outcome is not Outcome.SENT:
            lane = self.settings.lanes[message.lane].name
            self.counters.delivery_s[message.operator, lane].add(now - message.accepted_at)
        self._settled(settlement)

    def _expire(self, expired: list[Message], now_utc: float) -> None:
        for message in expired:
            self._give_up(message, Outcome.EXPIRED, "validity has passed", 0)

    # Binds come and go.

    def bound(self, client: Client) -> None:
        """A client has bound: it may be owed receipts."""
        self.outboxes[client.account.name].receivers.append(client)
        self._to_hand_back.add(client.account.name)
        self._end_turn_soon()

    def unbound(self, client: Client) -> None:
        """A client's bind is gone."""
        self.outboxes[client.account.name].receivers.remove(client)

    def came_up(self, peer: OperatorPeer, now: float) -> None:
        """A bind to an operator is bound."""
        bind = peer.bind
        bind.operator.came_up(bind, peer, now)
        self.availability_changed(bind)

    def went_down(self, bind: Bind, lost: list[Flight], now: float) -> None:
        """A bind to an operator is lost, with what was in flight on it."""
        bind.operator.went_down(bind, now)
        self.availability_changed(bind)  # First, so that `resend` finds who is left.
        self.doubted(lost, "lost", now)

    def availability_changed(self, bind: Bind) -> None:
        """This bind may send again, or no more."""
        operator = bind.operator
        operator.offer(bind, self.clock())
        self._to_pump.update(self.lanes.set_available(operator.name, operator.is_available))
        self._to_pump.add(operator.name)
        self._end_turn_soon()

    # The turn of the loop.

    def write_soon(self, peer: Peer) -> None:
        """Have the peer's session written when this turn ends."""
        if not peer.to_write:
            peer.to_write = True
            self._to_write.append(peer)
            if not self._turn_ends:
                self._end_turn_soon()

    def _wants_pump(self, operator: OperatorName | None) -> None:
        if operator is not None:
            self._to_pump.add(operator)
            if not self._turn_ends:
                self._end_turn_soon()

    def pump(self, operator: OperatorName) -> None:
        """This operator's binds may be able to send something now."""
        self._wants_pump(operator)

    def _end_turn_soon(self) -> None:
        if not self._turn_ends:
            self._turn_ends = True
            self._later(self._finish_turn)

    def _finish_turn(self) -> None:
        """Once per turn: lanes to operators, outboxes to clients, a batch to the journal; write."""
        now = self.clock()
        if self.journal_up and not self.draining:  # Else we would forget what we sent.
            pumped, self._to_pump = self._to_pump, set()
            for name in pumped:
                operator = self.operators[name]
                self._send_on(operator, now)
                self._operators_at = min(self._operators_at, operator.wake_at)
        handed, self._to_hand_back = self._to_hand_back, set()
        for account in handed:
            outbox = self.outboxes[account]
            for receiver in outbox.pump(now):
                self.write_soon(receiver)
            self._outboxes_at = min(self._outboxes_at, outbox.pump_at())
        if self.lanes.hungry and self.journal_up:
            self._fetch_for_hungry()
        if self._accepts.accepted:
            accepts, self._accepts = self._accepts, Changes()
            self.journal.commit(accepts, self._kept, urgent=True)
        if self._settles and self.journal_up:  # Else it would overtake what is told again.
            settles, self._settles = self._settles, Changes()
            self.journal.commit(settles, self._kept, urgent=False)
        self._turn_ends = False
        peers, self._to_write = self._to_write, []
        for peer in peers:
            peer.to_write = False
            peer.flush()

    # Time.

    def wake_at(self) -> float:
        """When `wake` is next needed although nothing happens before."""
        return min(
            self._sweep_at,
            self._retry_at,
            self.lanes.due_at(),
            self._operators_at,
            self._outboxes_at,
        )

    def wake(self, now: float) -> None:
        """Do what is due."""
        if now >= self._operators_at:
            self._operators_at = NEVER  # Set again when they have been pumped.
            for operator in self.operators.values():
                if operator.wake_at <= now:
                    self._wants_pump(operator.name)
                else:
                    self._operators_at = min(self._operators_at, operator.wake_at)
        for name in self.lanes.due(now):
            self._wants_pump(name)
        if now >= self._outboxes_at:
            self._outboxes_at = NEVER
            for account, outbox in self.outboxes.items():
                if outbox.pump_at() <= now:
                    self._to_hand_back.add(account)
                    self._end_turn_soon()
                else:
                    self._outboxes_at = min(self._outboxes_at, outbox.pump_at())
        if now >= self._retry_at:
            self._try_journal_again()
        if now >= self._sweep_at:
            self._sweep_at = now + SWEEP_S
            self._sweep(now)

    def _try_journal_again(self) -> None:
        """Tell the journal again what it failed to keep; with nothing to tell, ask it."""
        self._retry_at = NEVER
        unsafe, self._unsafe = self._unsafe, []
        for changes in unsafe or [Changes()]:
            self.journal.commit(changes, self._kept, urgent=True)

    def _sweep(self, now: float) -> None:
        """What only becomes due with time: validity, receipts that never came, old deliveries."""
        self.wall.look(now, self._wall_clock())
        now_utc = self.clock_utc()
        self._expire(self.lanes.expire(now_utc), now_utc)
        for name, correlator in self.correlators.items():
            for came in correlator.unclaimed(now):
                self.counters.receipts_unmatched[name] += 1
                self._count_receipt(name, came.receipt)
                self._reply(_reply_to(came), v.ESME_ROK)
            for message in correlator.never_receipted(now_utc):
                self._never_receipted(message)
        for account, outbox in self.outboxes.items():
            for delivery in outbox.too_old(now, now_utc):
                self.counters.deliveries[account, "too_old"] += 1
                self._settles.acknowledged.append(delivery)
                self._end_turn_soon()

    def _never_receipted(self, message: Message) -> None:
        message.attempts -= 1
        if message.stage is Stage.SENT and not self._is_open(message):
            self._end_untold(message, "no receipt came")

    def _end_untold(self, message: Message, reason: str) -> None:
        """An operator has it, and will not say what became of it."""
        withheld = self._withheld.pop(message.router_id, None)
        if withheld is not None:  # Another one has said, and nothing better will come.
            self._end(message, *withheld)
        elif receipts.wants_success(message):
            self._give_up(message, Outcome.UNKNOWN, reason, 0)
        else:  # Only a failure was to be told, and none was.
            self._settle(message, Outcome.SENT, self.clock_utc())

    # Ids.

    def _take_id(self) -> RouterId | None:
        """The next id; None while the journal has reserved none."""
        if self._next_id >= self._ids_end:
            if self._next_block is None:
                self._reserve_ids()
                return None
            self._next_id, self._ids_end = self._next_block
            self._next_block = None
        number = self._next_id
        self._next_id = number + 1
        if self._ids_end - number < FEW_IDS and self._next_block is None:
            self._reserve_ids()
        return RouterId(number * 100 + self.settings.node)

    def _reserve_ids(self, ready: Callable[[JournalError | None], None] | None = None) -> None:
        if self._reserving:
            return
        self._reserving = True

        def reserved(first: int, error: JournalError | None) -> None:
            self._reserving = False
            if error is None:
                self._next_block = (first, first + IDS_PER_BLOCK)
            if ready is not None:
                ready(error)

        self.journal.reserve_ids(IDS_PER_BLOCK, reserved)


def _reply_to(came: _Arrival) -> _Reply:
    return _Reply(came.peer, came.pdu.command_id, came.pdu.sequence_number)


def _queue_of(backlog: Backlog) -> tuple[Plan, int, AccountName]:
    return backlog.plan, backlog.lane, backlog.account


def _wanted(registered_delivery: int, session: Session) -> int:
    """What the client asked for.

    3 means successes only since 5.0; before, it was reserved, and a client that sends it all the
    same wants to hear how it ended.
    """
    if registered_delivery & 3 == 3 and session.interface_version < v.VERSION_5_0:
        return registered_delivery & ~3 | 1
    return registered_delivery


def _not_before(message: Message) -> float:
    return message.answered_at + RECEIPT_AFTER_RESPONSE_S if message.hold_receipt else 0.0
