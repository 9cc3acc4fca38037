"""Bugs to be planted into the router, to see that the simulation finds each of them.

Each is a small, believable mistake: the line that somebody forgot, moved or got the wrong way
round. Patching our own code is for this purpose only.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from router.enqueue.journal import Changes, JournalError, Recovered
from router.enqueue.lanes import Lanes, Queue
from router.forward.pacing import Pacer, RoundTrip
from router.forward.pool import Bind, Flight, Operator
from router.homeward import Homeward
from router.journey import Journey
from router.report import receipts
from router.report.correlate import Correlator
from router.report.handback import Outbox, Receiver
from router.resume import Resume
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu
from router.smpp.receipt import Receipt, State
from router.smpp.session import Peer
from router.stations import Arrival, Client, OperatorPeer, Reply
from router.terms.limits import Rate
from router.terms.message import Delivery, Message, Stage
from router.terms.names import AccountName, OperatorId, OperatorName
from router.terms.outcome import Outcome
from router.terms.settings import OperatorSettings
from tests.simulation.disk import SimulatedJournal

Patch = tuple[object, str, object]
"""An object, its attribute, and what stands there instead."""
Bug = Callable[[], list[Patch]]
BUGS: dict[str, Bug] = {}


def bug(make: Bug) -> Bug:
    """Put it on the list."""
    BUGS[make.__name__] = make
    return make


@contextmanager
def planted(name: str) -> Iterator[None]:
    """While this lasts the router has that bug."""
    before: list[Patch] = []
    try:
        for owner, attribute, instead in BUGS[name]():
            before.append((owner, attribute, vars(owner)[attribute]))
            setattr(owner, attribute, instead)
        yield
    finally:
        for owner, attribute, was in before:
            setattr(owner, attribute, was)


# A client's submit_sm.


@bug
def a_client_is_answered_before_the_commit() -> list[Patch]:
    """ESME_ROK first, disk second."""
    take_in, answer = Journey._take_in, Journey._answer

    def hasty(self: Journey, client: Client, pdu: Pdu, arrived_at: float, now: float) -> None:
        count = len(self._accepts.accepted)
        take_in(self, client, pdu, arrived_at, now)
        for message in self._accepts.accepted[count:]:
            answer(self, message, v.ESME_ROK, now)

    def once(self: Journey, message: Message, status: int, now: float) -> None:
        if message.answer_to is not None:
            answer(self, message, status, now)

    return [(Journey, "_take_in", hasty), (Journey, "_answer", once)]


@bug
def a_message_is_queued_before_the_commit() -> list[Patch]:
    """Lane first, disk second: it may be sent, and be forgotten in a crash."""
    take_in, put = Journey._take_in, Lanes.put

    def hasty(self: Journey, client: Client, pdu: Pdu, arrived_at: float, now: float) -> None:
        count = len(self._accepts.accepted)
        take_in(self, client, pdu, arrived_at, now)
        for message in self._accepts.accepted[count:]:
            self._wants_pump(put(self.lanes, message))

    return [(Journey, "_take_in", hasty), (Lanes, "put", lambda self, message: None)]


@bug
def room_leaks_when_a_commit_fails() -> list[Patch]:
    """The room of messages that could not be kept is not given back."""
    not_kept = Journey._not_kept

    def leaky(self: Journey, changes: Changes, error: JournalError) -> None:
        for message in changes.accepted:
            self.lanes._taken[message.account] += 1
        not_kept(self, changes, error)

    return [(Journey, "_not_kept", leaky)]


@bug
def ids_are_used_before_their_block_is_kept() -> list[Patch]:
    """After a crash the same ids are given out again."""

    def reserve_ids(
        self: SimulatedJournal, count: int, done: Callable[[int, JournalError | None], None]
    ) -> None:
        self.process.soon(lambda: done(self.disk.next_number, None))

    return [(SimulatedJournal, "reserve_ids", reserve_ids)]


# Lanes.


@bug
def the_youngest_goes_first() -> list[Patch]:
    """A message is put in front of those that wait."""
    append = Queue.append

    def in_front(self: Queue, message: Message) -> None:
        append(self, message)
        self.messages.appendleft(self.messages.pop())

    return [(Queue, "append", in_front)]


@bug
def new_messages_overtake_those_that_only_the_journal_has() -> list[Patch]:
    """They stay in memory although older ones wait to be fetched."""

    def put(self: Lanes, message: Message) -> OperatorName | None:
        queue = self._queue_for(message)
        queue.append(message)
        return queue.home

    return [(Lanes, "put", put)]


@bug
def a_fetch_begins_where_the_last_one_did() -> list[Patch]:
    """The same messages are fetched again."""
    append = Queue.append

    def forgetful(self: Queue, message: Message) -> None:
        last_id = self.last_id
        append(self, message)
        self.last_id = last_id

    return [(Queue, "append", forgetful)]


@bug
def a_failover_forgets_the_message() -> list[Patch]:
    """One operator refuses, and the next is never asked."""

    def go_elsewhere(self: Journey, operator: Operator, message: Message, status: int) -> None:
        plan = self.plans.without(message.plan, operator.name)
        if plan is None:
            self._give_up(message, Outcome.FAILED, "refused by every operator", status)
        else:
            message.plan = plan

    return [(Journey, "_go_elsewhere", go_elsewhere)]


@bug
def a_failover_takes_room_twice() -> list[Patch]:
    """Each operator that refuses costs the account a place."""
    go_elsewhere = Journey._go_elsewhere

    def leaky(self: Journey, operator: Operator, message: Message, status: int) -> None:
        self.lanes.take_room(message.account)
        go_elsewhere(self, operator, message, status)

    return [(Journey, "_go_elsewhere", leaky)]


@bug
def validity_is_not_looked_at_when_a_message_is_sent() -> list[Patch]:
    """And hardly ever while it waits."""
    pull = Lanes.pull

    def late(
        self: Lanes, operator: OperatorName, now_utc: float, expired: list[Message]
    ) -> Message | None:
        return pull(self, operator, now_utc - 60.0, expired)

    return [(Lanes, "pull", late), (Queue, "expire", lambda self, now_utc: [])]


# Operators.


@bug
def a_rate_begins_anew_with_each_connection() -> list[Patch]:
    """A bind that is back may send a whole unit at once."""
    came_up = Operator.came_up

    def fresh(self: Operator, bind: Bind, peer: Peer, now: float) -> None:
        if bind.settings.rate is not None:
            object.__setattr__(bind, "pacer", Pacer(bind.settings.rate, now - 3600.0))
        came_up(self, bind, peer, now)

    return [(Operator, "came_up", fresh)]


@bug
def a_rate_begins_anew_with_each_process() -> list[Patch]:
    """What an earlier process has sent is not thought of."""
    init = Pacer.__init__

    def fresh(self: Pacer, rate: Rate, now: float, sharing: Sequence[RoundTrip] = ()) -> None:
        init(self, rate, now - 3600.0, sharing)

    return [(Pacer, "__init__", fresh)]


@bug
def the_rate_of_all_binds_together_is_forgotten() -> list[Patch]:
    """Each bind keeps to its own."""
    init = Operator.__init__

    def without(self: Operator, settings: OperatorSettings, now: float) -> None:
        init(self, settings, now)
        object.__setattr__(self, "pacer", None)

    return [(Operator, "__init__", without)]


@bug
def a_slot_is_free_a_unit_after_it_was_written() -> list[Patch]:
    """However long the network held the message back."""
    return [(Pacer, "_arrived_at", lambda self, slot, now: self._written_at[slot])]


@bug
def a_window_is_one_too_wide() -> list[Patch]:
    """One more is in flight than the operator allows."""
    ready_bind = Operator.ready_bind

    def one_more(self: Operator, now: float) -> Bind | None:
        bind = ready_bind(self, now)
        for full in self.binds:
            is_full = full.sends and full.in_use == full.settings.window
            if bind is None and is_full and full.ready_at(now) <= now:
                self._push(full, now)
                return full
        return bind

    return [(Operator, "ready_bind", one_more)]


@bug
def a_late_success_is_ignored() -> list[Patch]:
    """An answer after the time-out is thrown away."""
    answered = Journey.answered

    def deaf(self: Journey, peer: OperatorPeer, pdu: Pdu, now: float) -> None:
        assert isinstance(pdu.request, Flight)
        if not pdu.request.over:
            answered(self, peer, pdu, now)

    return [(Journey, "answered", deaf)]


@bug
def a_late_success_leaves_the_message_in_its_lane() -> list[Patch]:
    """It is known to be sent, and sent again all the same."""
    pull = Lanes.pull

    def careless(
        self: Lanes, operator: OperatorName, now_utc: float, expired: list[Message]
    ) -> Message | None:
        for queue in self._queues.values():
            for message in queue.messages:
                if message.stage is Stage.SENT:
                    message.stage = Stage.WAITING
        return pull(self, operator, now_utc, expired)

    return [(Lanes, "pull", careless)]


@bug
def what_must_not_be_repeated_is_repeated() -> list[Patch]:
    """`in_doubt: fail` does what `resend` does."""
    give_up = Homeward._give_up

    def careless(
        self: Journey, message: Message, outcome: Outcome, reason: str, status: int
    ) -> None:
        if reason == "no answer from the operator":
            self._wants_pump(self.lanes.put_first(message))
        else:
            give_up(self, message, outcome, reason, status)

    return [(Homeward, "_give_up", careless)]


@bug
def what_was_in_flight_on_a_lost_bind_is_forgotten() -> list[Patch]:
    """It is nobody's, until a restart."""
    doubted = Journey.doubted

    def forgetful(self: Journey, flights: Iterable[Flight], why: str, now: float) -> None:
        if why != "lost":
            doubted(self, flights, why, now)
            return
        for flight in flights:
            flight.bind.operator.landed(flight, now, answered=False)

    return [(Journey, "doubted", forgetful)]


@bug
def a_flight_lands_twice() -> list[Patch]:
    """A late answer counts as if its message were still in flight."""
    answered = Journey.answered

    def twice(self: Journey, peer: OperatorPeer, pdu: Pdu, now: float) -> None:
        assert isinstance(pdu.request, Flight)
        pdu.request.over = False
        answered(self, peer, pdu, now)

    return [(Journey, "answered", twice)]


@bug
def nobody_looks_when_a_window_is_given_up() -> list[Patch]:
    """Its operator has room again, and stands still."""
    doubted = Journey.doubted

    def lazy(self: Journey, flights: Iterable[Flight], why: str, now: float) -> None:
        before = set(self._to_pump)
        doubted(self, flights, why, now)
        self._to_pump = before

    return [(Journey, "doubted", lazy)]


# Receipts and outcomes.


@bug
def a_message_is_settled_twice() -> list[Patch]:
    """The receipt of its other attempt settles it anew."""

    def final(self: Homeward, message: Message, receipt: Receipt, state: State) -> None:
        message.attempts -= 1
        if receipts.OUTCOMES[state] is not Outcome.DELIVERED and self._is_open(message):
            self._withheld[message.router_id] = receipt, state
        else:
            self._end(message, receipt, state)

    return [(Homeward, "_final", final)]


@bug
def a_failure_is_told_while_another_attempt_is_open() -> list[Patch]:
    """The first word counts, not the best."""
    return [(Homeward, "_is_open", lambda self, message: False)]


@bug
def an_outcome_is_kept_without_its_receipt() -> list[Patch]:
    """The client that asked never hears."""

    def end(self: Homeward, message: Message, receipt: Receipt, state: State) -> None:
        self._settle(message, receipts.OUTCOMES[state], self.clock_utc())

    return [(Homeward, "_end", end)]


@bug
def an_outcome_and_its_receipt_are_two_batches() -> list[Patch]:
    """A crash between them loses the receipt."""
    finish_turn = Journey._finish_turn

    def apart(self: Journey) -> None:
        held, self._settles.held = self._settles.held, []
        finish_turn(self)
        if held:
            alone = Changes()
            alone.held = held
            self.journal.commit(alone, self._kept, urgent=False)

    return [(Journey, "_finish_turn", apart)]


@bug
def an_operator_is_answered_before_the_commit() -> list[Patch]:
    """ESME_ROK first, disk second: in a crash its receipt is lost."""
    finish_turn = Journey._finish_turn

    def hasty(self: Journey) -> None:
        for reply in self._settles.replies:
            assert isinstance(reply, Reply)
            self._reply(reply, v.ESME_ROK)
        self._settles.replies.clear()
        finish_turn(self)

    return [(Journey, "_finish_turn", hasty)]


@bug
def receipts_go_to_those_who_did_not_ask() -> list[Patch]:
    """registered_delivery is not looked at."""
    return [(receipts, "asked_for", lambda message, state, *, final: True)]


@bug
def receipts_are_matched_over_all_operators() -> list[Patch]:
    """Two operators that count alike are taken for one."""
    expect, find = Correlator.expect, Correlator.find
    everywhere: dict[OperatorId, Message] = {}

    def remembers(
        self: Correlator[Arrival], operator_id: OperatorId, message: Message, now_utc: float
    ) -> list[Arrival]:
        everywhere[operator_id] = message
        return expect(self, operator_id, message, now_utc)

    def finds(
        self: Correlator[Arrival], octets: bytes, destination_octets: bytes
    ) -> tuple[OperatorId, Message | None]:
        operator_id, message = find(self, octets, destination_octets)
        newest = everywhere.get(operator_id)
        is_sent = newest is not None and newest.stage is Stage.SENT
        return operator_id, newest if is_sent else message

    return [(Correlator, "expect", remembers), (Correlator, "find", finds)]


@bug
def an_early_receipt_is_not_waited_with() -> list[Patch]:
    """It came before the submit_sm_resp that tells its id: acknowledged, and dropped."""
    receipt = Homeward._receipt

    def impatient(self: Homeward, came: Arrival, now: float) -> None:
        operator = came.peer.bind.operator
        in_flight, operator.in_flight = operator.in_flight, 0
        receipt(self, came, now)
        operator.in_flight = in_flight

    return [(Homeward, "_receipt", impatient)]


@bug
def a_receipts_addresses_are_not_swapped() -> list[Patch]:
    """The client sees its own sender as the sender."""
    delivery = receipts._delivery

    def straight(
        message: Message, octets: bytes, now_utc: float, final: bool, not_before: float
    ) -> Delivery:
        there, back = message.destination_octets, message.source_octets
        octets = octets.replace(there + back, back + there, 1)
        return delivery(message, octets, now_utc, final, not_before)

    return [(receipts, "_delivery", straight)]


@bug
def any_state_ends_the_journey() -> list[Patch]:
    """ENROUTE is taken for the last word."""

    def is_final(state: State, operator: OperatorSettings) -> bool:
        return state is not State.ACCEPTED

    outcomes = dict.fromkeys(State, Outcome.UNKNOWN) | receipts.OUTCOMES
    return [(receipts, "is_final", is_final), (receipts, "OUTCOMES", outcomes)]


# The client's acknowledgement.


@bug
def deliveries_of_a_lost_bind_are_dropped() -> list[Patch]:
    """What its client had not acknowledged when it hung up is not given to it again."""
    return [(Outbox, "lost", lambda self, deliveries: None)]


@bug
def an_acknowledgement_is_not_kept() -> list[Patch]:
    """The journal still holds the receipt, and brings it again after a restart."""
    acknowledged = Homeward.acknowledged

    def forgetful(self: Homeward, client: Client, pdu: Pdu, now: float) -> None:
        acknowledged(self, client, pdu, now)
        self._settles.acknowledged.clear()

    return [(Homeward, "acknowledged", forgetful)]


@bug
def a_receipt_is_forgotten_when_it_is_given() -> list[Patch]:
    """Not when it is acknowledged."""
    pump, acknowledged = Outbox.pump, Homeward.acknowledged
    finish_turn = Journey._finish_turn
    given: list[Delivery] = []

    def watched(self: Outbox, now: float) -> list[Receiver]:
        before = [one for one in self.waiting if not one.is_over]
        receivers = pump(self, now)
        given.extend(one for one in before if one not in self.waiting and one.tries == 1)
        return receivers

    def hasty(self: Journey) -> None:
        finish_turn(self)
        if given:
            changes = Changes()
            changes.acknowledged = given.copy()
            given.clear()
            self.journal.commit(changes, self._kept, urgent=False)

    def heard(self: Homeward, client: Client, pdu: Pdu, now: float) -> None:
        acknowledged(self, client, pdu, now)
        self._settles.acknowledged.clear()

    return [
        (Outbox, "pump", watched),
        (Journey, "_finish_turn", hasty),
        (Homeward, "acknowledged", heard),
    ]


@bug
def a_late_acknowledgement_does_not_count() -> list[Patch]:
    """The client has it, and is given it again."""
    answered = Outbox.answered

    def deaf(self: Outbox, delivery: Delivery, status: int, now: float, *, late: bool) -> bool:
        return not late and answered(self, delivery, status, now, late=late)

    def unanswered(self: Outbox, delivery: Delivery, now: float) -> None:
        """Lost: nobody gives it again either."""

    return [(Outbox, "answered", deaf), (Outbox, "unanswered", unanswered)]


@bug
def a_receipt_goes_to_any_client() -> list[Patch]:
    """The account is not looked at."""
    hand_back = Homeward._hand_back

    def anywhere(self: Homeward, delivery: Delivery, now: float) -> None:
        delivery.account = AccountName("shop")
        hand_back(self, delivery, now)

    return [(Homeward, "_hand_back", anywhere)]


# The journal, and going on after a crash.


@bug
def what_could_not_be_kept_is_not_told_again() -> list[Patch]:
    """A disk that was full has cost outcomes."""
    not_kept = Journey._not_kept

    def forgetful(self: Journey, changes: Changes, error: JournalError) -> None:
        not_kept(self, changes, error)
        self._unsafe.clear()

    return [(Journey, "_not_kept", forgetful)]


@bug
def a_failed_commit_is_taken_for_a_good_one() -> list[Patch]:
    """The error is not looked at."""
    kept = Journey._kept

    def blind(self: Journey, changes: Changes, error: JournalError | None) -> None:
        kept(self, changes, None)

    return [(Journey, "_kept", blind)]


@bug
def a_restart_forgets_what_operators_took() -> list[Patch]:
    """No receipt is expected, so none is matched."""
    recovered = SimulatedJournal._recovered

    def forgetful(self: SimulatedJournal) -> Recovered:
        found = recovered(self)
        found.sent.clear()
        return found

    return [(SimulatedJournal, "_recovered", forgetful)]


@bug
def a_restart_sends_what_operators_took() -> list[Patch]:
    """It is taken for what waits."""
    take_up = Resume._take_up

    def eager(self: Resume, found: Recovered) -> None:
        for attempt in found.sent:
            self.lanes._taken[attempt.message.account] += 1
            self.lanes.put_first(attempt.message)
        found.sent.clear()
        take_up(self, found)

    return [(Resume, "_take_up", eager)]


@bug
def a_restart_takes_up_a_receipt_of_each_message_only_once() -> list[Patch]:
    """Of two attempts the second is not expected to be receipted."""
    recovered = SimulatedJournal._recovered

    def forgetful(self: SimulatedJournal) -> Recovered:
        found = recovered(self)
        found.sent = list({one.message.router_id: one for one in found.sent}.values())
        found.held = list({one.router_id: one for one in found.held}.values())
        return found

    return [(SimulatedJournal, "_recovered", forgetful)]


@bug
def an_id_in_hex_is_compared_as_text() -> list[Patch]:
    """An answer in hex and a receipt in decimal never meet."""
    find = Correlator.find

    def literal(
        self: Correlator[Arrival], octets: bytes, destination_octets: bytes
    ) -> tuple[OperatorId, Message | None]:
        operator_id = self.of_receipt(octets)
        if operator_id != octets:
            return operator_id, None
        return find(self, octets, destination_octets)

    return [(Correlator, "find", literal)]
