"""Bugs on the way home: receipts, outcomes, acknowledgements, the journal and restarts."""

from typing import Any

from router.enqueue.journal import Changes, HeldFetched, JournalError, Recovered
from router.journey import Journey
from router.report import receipts
from router.report.correlate import Addressed, Correlator, Said
from router.report.outbox import Outbox, Receiver
from router.smpp import receipt
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu
from router.smpp.receipt import Receipt, State
from router.steps.commits import Commits
from router.steps.deliveries import Deliveries
from router.steps.peers import Arrival, Client, Reply
from router.steps.receipts import Receipts
from router.terms.message import Delivery, Message
from router.terms.names import AccountName, OperatorId
from router.terms.orphan import Orphan
from router.terms.outcome import Evidence, Outcome
from router.terms.settings import OperatorSettings
from router.terms.states import SENT
from tests.simulation.disk import MessageRow, Queue, SimulatedJournal
from tests.simulation.planting import Patch, bug

# Receipts and outcomes.


@bug(seed=49)
def a_message_is_settled_twice() -> list[Patch]:
    """The receipt of its other attempt settles it anew."""

    def final(
        self: Receipts,
        message: Message,
        receipt: Receipt,
        state: State,
        now_utc: float,
        evidence: Evidence,
    ) -> bool:
        message.pending_receipts -= 1
        if receipts.OUTCOMES[state] is not Outcome.DELIVERED and message.is_open:
            self._pending.withhold(message, receipt, state)
            return True
        self._end(message, receipt, state, now_utc, evidence)
        return False

    return [(Receipts, "_attempt_ended", final)]


@bug(seed=13)
def a_failure_is_told_while_another_attempt_is_open() -> list[Patch]:
    """The first word counts, not the best."""
    return [(Message, "is_open", property(lambda self: False))]


@bug(seed=2)
def an_outcome_is_kept_without_its_receipt() -> list[Patch]:
    """The client that asked never hears."""

    def end(
        self: Receipts,
        message: Message,
        receipt: Receipt,
        state: State,
        now_utc: float,
        evidence: Evidence,
    ) -> None:
        self._outcomes.settle(message, receipts.OUTCOMES[state], now_utc)

    return [(Receipts, "_end", end)]


@bug(seed=5)
def an_outcome_and_its_receipt_are_two_batches() -> list[Patch]:
    """A crash between them loses the receipt."""
    end_turn = Journey._end_turn

    def apart(self: Journey) -> None:
        settles = self.commits.settles
        held, settles.held = settles.held, []
        end_turn(self)
        if held:
            alone = Changes()
            alone.held = held
            self.journal.commit(alone, self._kept, urgent=False)

    return [(Journey, "_end_turn", apart)]


@bug(seed=3)
def an_operator_is_answered_before_the_commit() -> list[Patch]:
    """ESME_ROK first, disk second: in a crash its receipt is lost."""
    end_turn = Journey._end_turn

    def hasty(self: Journey) -> None:
        replies = self.commits.settles.replies
        for reply in replies:
            assert isinstance(reply, Reply)
            reply.send(v.ESME_ROK, self.turn)
        replies.clear()
        end_turn(self)

    return [(Journey, "_end_turn", hasty)]


@bug(seed=8)
def receipts_go_to_those_who_did_not_ask() -> list[Patch]:
    """registered_delivery is not looked at."""
    return [(receipts, "asked_for", lambda message, state, *, final: True)]


@bug(seed=8)
def receipts_are_matched_over_all_operators() -> list[Patch]:
    """Two operators that count alike are taken for one."""
    expect, find = Correlator.expect, Correlator.find
    everywhere: dict[OperatorId, Message] = {}

    def remembers(
        self: Correlator, operator_id: OperatorId, message: Message, now_utc: float
    ) -> list[Orphan]:
        everywhere[operator_id] = message
        return expect(self, operator_id, message, now_utc)

    def finds(
        self: Correlator, octets: bytes, addressed: Addressed
    ) -> tuple[OperatorId, Message | None]:
        operator_id, message = find(self, octets, addressed)
        newest = everywhere.get(operator_id)
        is_sent = newest is not None and newest.state is SENT
        return operator_id, newest if is_sent else message

    close = Correlator.close

    def closes(
        self: Correlator, operator_id: OperatorId, message: Message, said: Said | None = None
    ) -> float:
        return close(self, operator_id, message, said) if operator_id in self._open else 0.0

    patches: list[Patch] = [(Correlator, "expect", remembers), (Correlator, "find", finds)]
    return [*patches, (Correlator, "close", closes)]


@bug(seed=14)
def an_early_receipt_is_not_waited_with() -> list[Patch]:
    """It came before the submit_sm_resp that tells its id: acknowledged, and dropped."""
    arrived = Receipts.arrived

    def impatient(self: Receipts, came: Arrival, now: float, *, asked: bool = False) -> None:
        operator = came.peer.bind.operator
        in_flight, operator.in_flight = operator.in_flight, 0
        arrived(self, came, now, asked=asked)
        operator.in_flight = in_flight

    return [(Receipts, "arrived", impatient)]


@bug(seed=2)
def a_receipts_addresses_are_not_swapped() -> list[Patch]:
    """The client sees its own sender as the sender."""
    deliver_sm = receipt.deliver_sm

    def straight(*, source_octets: bytes, destination_octets: bytes, **fields: Any) -> bytes:  # noqa: ANN401
        return deliver_sm(
            source_octets=destination_octets, destination_octets=source_octets, **fields
        )

    return [(receipt, "deliver_sm", straight)]


@bug(seed=9)
def any_state_ends_the_journey() -> list[Patch]:
    """ENROUTE is taken for the last word."""

    def is_final(state: State, operator: OperatorSettings) -> bool:
        return state is not State.ACCEPTED

    outcomes = dict.fromkeys(State, Outcome.UNKNOWN) | receipts.OUTCOMES
    return [(receipts, "is_final", is_final), (receipts, "OUTCOMES", outcomes)]


# The client's acknowledgement.


@bug(seed=3)
def deliveries_of_a_lost_bind_are_dropped() -> list[Patch]:
    """What its client had not acknowledged when it hung up is not given to it again."""
    return [(Outbox, "lost", lambda self, deliveries: None)]


@bug(seed=1)
def an_acknowledgement_is_not_kept() -> list[Patch]:
    """The journal still holds the receipt, and brings it again after a restart."""
    acknowledged = Deliveries.acknowledged

    def forgetful(self: Deliveries, client: Client, pdu: Pdu, now: float) -> None:
        acknowledged(self, client, pdu, now)
        self._commits.settles.acknowledged.clear()

    return [(Deliveries, "acknowledged", forgetful)]


@bug(seed=4)
def a_receipt_is_forgotten_when_it_is_given() -> list[Patch]:
    """Not when it is acknowledged."""
    pump, acknowledged = Outbox.pump, Deliveries.acknowledged
    end_turn = Journey._end_turn
    given: list[Delivery] = []

    def watched(self: Outbox, now: float) -> list[Receiver]:
        before = [one for one in self.waiting if not one.is_over]
        receivers = pump(self, now)
        given.extend(one for one in before if one not in self.waiting and one.tries == 1)
        return receivers

    def hasty(self: Journey) -> None:
        end_turn(self)
        if given:
            changes = Changes()
            changes.acknowledged = given.copy()
            given.clear()
            self.journal.commit(changes, self._kept, urgent=False)

    def heard(self: Deliveries, client: Client, pdu: Pdu, now: float) -> None:
        acknowledged(self, client, pdu, now)
        self._commits.settles.acknowledged.clear()

    return [
        (Outbox, "pump", watched),
        (Journey, "_end_turn", hasty),
        (Deliveries, "acknowledged", heard),
    ]


@bug(seed=5)
def a_late_acknowledgement_does_not_count() -> list[Patch]:
    """The client has it, and is given it again."""
    answered = Outbox.answered

    def deaf(self: Outbox, delivery: Delivery, status: int, now: float, *, late: bool) -> bool:
        return not late and answered(self, delivery, status, now, late=late)

    def unanswered(self: Outbox, delivery: Delivery, now: float) -> None:
        """Lost: nobody gives it again either."""

    return [(Outbox, "answered", deaf), (Outbox, "unanswered", unanswered)]


@bug(seed=3)
def a_receipt_goes_to_any_client() -> list[Patch]:
    """The account is not looked at."""
    put = Deliveries.put

    def anywhere(self: Deliveries, delivery: Delivery, now: float) -> None:
        delivery.account = AccountName("shop")
        put(self, delivery, now)

    return [(Deliveries, "put", anywhere)]


# The journal, and going on after a crash.


@bug(seed=1)
def what_could_not_be_kept_is_not_told_again() -> list[Patch]:
    """A disk that was full has cost outcomes."""
    return [(Commits, "tell_again", lambda self, changes: None)]


@bug(seed=7)
def a_failed_commit_is_taken_for_a_good_one() -> list[Patch]:
    """The error is not looked at."""
    kept = Journey._kept

    def blind(self: Journey, changes: Changes, error: JournalError | None) -> None:
        kept(self, changes, None)

    return [(Journey, "_kept", blind)]


@bug(seed=4)
def a_restart_forgets_what_operators_took() -> list[Patch]:
    """No receipt is expected, so none is matched."""
    recovered = SimulatedJournal._recovered

    def forgetful(self: SimulatedJournal) -> Recovered:
        found = recovered(self)
        found.sent.clear()
        return found

    return [(SimulatedJournal, "_recovered", forgetful)]


@bug(seed=10)
def a_restart_takes_up_a_receipt_of_each_message_only_once() -> list[Patch]:
    """Of what is held for a client about one message, only the last is given."""
    fetch_held = SimulatedJournal.fetch_held

    def forgetful(
        self: SimulatedJournal,
        account: AccountName,
        after: int,
        count: int,
        octets: int,
        done: HeldFetched,
    ) -> None:
        def told(found: list[Delivery], error: JournalError | None) -> None:
            done(list({one.router_id: one for one in found}.values()), error)

        fetch_held(self, account, after, count, octets, told)

    return [(SimulatedJournal, "fetch_held", forgetful)]


@bug(seed=7)
def a_restart_forgets_how_far_a_queue_was_written() -> list[Patch]:
    """What was in flight is taken for what was never sent, whatever its lane says of doubts."""
    waiting = SimulatedJournal._waiting

    def forgetful(self: SimulatedJournal, row: MessageRow, queue: Queue) -> Message:
        self._written_before.clear()
        return waiting(self, row, queue)

    return [(SimulatedJournal, "_waiting", forgetful)]


@bug(seed=0)
def an_id_in_hex_is_compared_as_text() -> list[Patch]:
    """An answer in hex and a receipt in decimal never meet."""
    find = Correlator.find

    def literal(
        self: Correlator, octets: bytes, addressed: Addressed
    ) -> tuple[OperatorId, Message | None]:
        operator_id = self.of_receipt(octets)
        if operator_id != octets:
            return operator_id, None
        return find(self, octets, addressed)

    return [(Correlator, "find", literal)]
