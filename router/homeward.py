"""The way back: an operator's receipt becomes its client's, and every message gets its outcome.

Exactly one outcome for each accepted message, and one final receipt if it asked for one: the
operator's word, or one made here when the router had to give up (`_give_up`). An operator hears
ESME_ROK for a receipt, and a client gets it, only when the journal has it.
"""

from typing import Final

from router.enqueue.journal import Attempt, Settlement
from router.forward.pool import Flight
from router.recall import Recall
from router.report import receipts
from router.report.handback import is_acknowledged
from router.report.inbound import for_client
from router.smpp import receipt as r
from router.smpp import vocabulary as v
from router.smpp.pdu import BodyError, Pdu, Sm
from router.smpp.receipt import Receipt
from router.smpp.session import Note
from router.stations import Arrival, Client, OperatorPeer, Reply, reply_to
from router.terms.message import Delivery, Message, Stage
from router.terms.names import AccountName, OperatorName
from router.terms.outcome import NOT_FOR_US, TEMPORARY, Outcome

RECEIPT_AFTER_RESPONSE_S: Final = 1.0
"""A client with a transmitter and a receiver reads them in different threads: a receipt that comes
right behind its submit_sm_resp may be read before it, and is lost on Kannel."""
_COUNTED_AS: Final = {state: state.name.lower() for state in r.State} | {None: "unreadable"}


class Homeward(Recall):
    """The acts from an operator's deliver_sm to the client's acknowledgement."""

    # The operator reports.

    def reported(self, peer: OperatorPeer, pdu: Pdu, now: float) -> None:
        """A deliver_sm or data_sm from an operator: a receipt, or a subscriber's message."""
        if not self.journal_up:
            self._reply(Reply(peer, pdu.command_id, pdu.sequence_number), TEMPORARY.status)
            return
        try:
            sm = Sm(pdu, tolerant=True)
        except BodyError as error:
            self.counters.refused_pdus["malformed"] += 1
            peer.tell(Note("pdu.refused", pdu.command_id, error.status))
            self._reply(Reply(peer, pdu.command_id, pdu.sequence_number), error.status)
            return
        receipt = r.recognise(sm)
        if receipt is None:
            self._from_subscriber(peer, pdu, sm)
        else:
            self._receipt(Arrival(peer, pdu, sm, receipt), now)
        if not self._turn_ends:
            self._end_turn_soon()

    def _receipt(self, came: Arrival, now: float, *, asked: bool = False) -> None:
        """Find its message. Whatever it is, it is answered when all it changes is safe."""
        receipt = came.receipt
        operator = came.peer.bind.operator
        correlator = self.correlators[operator.name]
        operator_id, message = correlator.find(receipt.operator_id, came.sm.source_octets)
        if correlator.behind and not asked and self._must_ask(came, operator_id, message):
            self._ask(came, operator_id)
            return
        if message is None and not correlator.is_done(operator_id):
            may_be_early = operator.in_flight or now < operator.late_until
            if operator_id and may_be_early and not came.has_waited:
                if not correlator.park(operator_id, came, now):
                    self._reply(reply_to(came), TEMPORARY.status)
                return
            self.counters.receipts_unmatched[operator.name] += 1
            came.peer.tell(Note("receipt.unmatched", message_id=receipt.operator_id))
        elif receipt.state is None:
            came.peer.tell(Note("receipt.unreadable", message_id=receipt.operator_id))
        self._count_receipt(operator.name, receipt)
        state = receipt.state
        reply = reply_to(came)
        if message is not None and state is not None:
            if receipts.is_final(state, operator.settings):
                taken_utc = correlator.close(operator_id, message)
                self._final(message, receipt, state, self.wall.at(now))
                if message.router_id in self._withheld:
                    failure = receipts.failure_octets(receipt, state)
                    attempt = Attempt(message, operator.name, operator_id, taken_utc, failure)
                    self._settles.attempted.append(attempt)
            elif message.stage is Stage.SENT and receipts.asked_for(message, state, final=False):
                now_utc = self.wall.at(now)
                reply.brought = self._hold(message, receipt, state, now_utc, final=False)
        self._settles.replies.append(reply)

    def _count_receipt(self, operator: OperatorName, receipt: Receipt) -> None:
        self.counters.receipts[operator, _COUNTED_AS[receipt.state]] += 1

    def _final(self, message: Message, receipt: Receipt, state: r.State, now_utc: float) -> None:
        """One attempt has ended. Delivered wins; a failure waits for the other attempts."""
        message.attempts -= 1
        if message.stage is Stage.SETTLED:
            return
        if receipts.OUTCOMES[state] is not Outcome.DELIVERED and self._is_open(message):
            self._withheld[message.router_id] = receipt, state
            return
        self._withheld.pop(message.router_id, None)
        self._end(message, receipt, state, now_utc)

    def _end(self, message: Message, receipt: Receipt, state: r.State, now_utc: float) -> None:
        """The operator's last word."""
        if receipts.asked_for(message, state, final=True):
            self._hold(message, receipt, state, now_utc, final=True)
        self._settle(message, receipts.OUTCOMES[state], now_utc)

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
        """An attempt came to nothing: if none is open, what was withheld for it is the last word.

        Where nothing was, it has been taken by an operator that gave no message id.
        """
        if message.stage is Stage.SENT and not self._is_open(message):
            self._end_untold(message, "the operator gave no message id")

    def _hold(
        self, message: Message, receipt: Receipt, state: r.State, now_utc: float, *, final: bool
    ) -> Delivery:
        """A receipt for the client: kept until the client has it."""
        delivery = receipts.from_operator(
            message,
            receipt,
            state,
            final=final,
            now_utc=now_utc,
            not_before=_not_before(message),
        )
        self._settles.held.append(delivery)
        return delivery

    def _from_subscriber(self, peer: OperatorPeer, pdu: Pdu, sm: Sm) -> None:
        """A message that is no receipt goes to the account that the inbound rules name."""
        operator = peer.bind.operator.name
        reply = Reply(peer, pdu.command_id, pdu.sequence_number)
        account = self.inbound.account_of(operator, sm)
        number = self._ids.take()
        if account is None or number is None:
            refusal = NOT_FOR_US if account is None else TEMPORARY
            self.counters.inbound[operator, "unrouted" if account is None else "refused"] += 1
            peer.tell(Note("inbound.refused", pdu.command_id, refusal.status))
            self._reply(reply, refusal.status)
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
        if delivery.account not in self.outboxes:
            self.taken_up["left_waiting"] += 1
            return
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
            if is_acknowledged(status):
                self.counters.deliveries[account, "acknowledged"] += 1
            else:
                self.counters.deliveries[account, "refused"] += 1
                client.tell(Note("delivery.refused", pdu.command_id, status))
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

    def bound(self, client: Client) -> None:
        """A client has bound: it may be owed receipts."""
        self.outboxes[client.account.name].receivers.append(client)
        self._to_hand_back.add(client.account.name)
        self._end_turn_soon()

    def unbound(self, client: Client) -> None:
        """A client's bind is gone."""
        self.outboxes[client.account.name].receivers.remove(client)

    # Outcomes, and those that the router decides.

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
        if message.doubts:
            self._doubted.pop(message.router_id, None)
        if self._readings:
            self._over.add(message.router_id)
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

    def _never_receipted(self, message: Message) -> None:
        message.attempts -= 1
        if message.stage is Stage.SENT and not self._is_open(message):
            self._end_untold(message, "no receipt came")

    def _end_untold(self, message: Message, reason: str) -> None:
        """An operator has it, and will not say what became of it."""
        withheld = self._withheld.pop(message.router_id, None)
        if withheld is not None:  # Another one has said, and nothing better will come.
            self._end(message, *withheld, self.clock_utc())
        elif receipts.wants_success(message):
            self._give_up(message, Outcome.UNKNOWN, reason, 0)
        else:  # Only a failure was to be told, and none was.
            self._settle(message, Outcome.SENT, self.clock_utc())


def _not_before(message: Message) -> float:
    if not message.hold_receipt:
        return 0.0
    # One that was fetched from the journal knows only when it was accepted.
    return max(message.answered_at, message.accepted_at) + RECEIPT_AFTER_RESPONSE_S
