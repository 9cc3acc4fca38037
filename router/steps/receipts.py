"""An operator's receipt becomes its client's; a subscriber's message goes to the account it is for.

An operator hears ESME_ROK for a receipt, and a client gets it, only when the journal has it. Of a
message that more than one attempt may have delivered, delivered wins: a failure waits while
another attempt is open.
"""

from typing import Final

from router.enqueue.ids import Ids
from router.enqueue.journal import PendingReceipt
from router.report import receipts
from router.report.inbound import for_client
from router.smpp import receipt as r
from router.smpp.pdu import BodyError, Pdu, Sm
from router.smpp.receipt import Receipt
from router.smpp.session import Note
from router.steps.clocks import Clocks
from router.steps.commits import Commits
from router.steps.outcomes import Outcomes
from router.steps.peers import Arrival, OperatorPeer, Reply
from router.steps.pending_receipts import PendingReceipts
from router.steps.recall import Recall
from router.steps.rules import Rulebook
from router.steps.turn import Turn
from router.terms.counters import Counters
from router.terms.message import Delivery, Message
from router.terms.names import OperatorName
from router.terms.outcome import DELIVERED, NOT_FOR_US, TEMPORARY, Outcome
from router.terms.states import SENT, SETTLED

_COUNTED_AS: Final = {state: state.name.lower() for state in r.State} | {None: "unreadable"}


class Receipts:
    """What operators deliver."""

    __slots__ = (
        "_clocks",
        "_commits",
        "_ids",
        "_outcomes",
        "_pending",
        "_recall",
        "_rulebook",
        "_turn",
        "counters",
    )

    def __init__(
        self,
        pending: PendingReceipts,
        recall: Recall,
        outcomes: Outcomes,
        commits: Commits,
        rulebook: Rulebook,
        ids: Ids,
        counters: Counters,
        clocks: Clocks,
        turn: Turn,
    ) -> None:
        self._pending: Final = pending
        self._recall: Final = recall
        self._outcomes: Final = outcomes
        self._commits: Final = commits
        self._rulebook: Final = rulebook
        self._ids: Final = ids
        self.counters: Final = counters
        self._clocks: Final = clocks
        self._turn: Final = turn

    def reported(self, peer: OperatorPeer, pdu: Pdu, now: float) -> None:
        """A deliver_sm or data_sm from an operator: a receipt, or a subscriber's message."""
        if not self._commits.up:
            Reply(peer, pdu.command_id, pdu.sequence_number).send(TEMPORARY.status, self._turn)
            return
        try:
            sm = Sm(pdu, tolerant=True)
        except BodyError as error:
            self.counters.refused_pdus["malformed"] += 1
            peer.tell(Note("pdu.refused", pdu.command_id, error.status))
            Reply(peer, pdu.command_id, pdu.sequence_number).send(error.status, self._turn)
            return
        receipt = r.recognise(sm)
        if receipt is None:
            self._from_subscriber(peer, pdu, sm)
        else:
            self.arrived(Arrival(peer, pdu, sm, receipt), now)
        if not self._turn.is_ending:
            self._turn.end_soon()

    def arrived(self, came: Arrival, now: float, *, asked: bool = False) -> None:
        """Find a receipt's message; answer the receipt when all that it changes is safe.

        `asked` is whether the journal has told what it knows.
        """
        receipt = came.receipt
        operator = came.peer.bind.operator
        correlator = self._pending.correlators.get(operator.name)
        if correlator is None:  # The operator is gone, and was forgotten: it owes nothing.
            self._unmatched(came)
            self._commits.settles.replies.append(came.reply())
            return
        operator_id, message = correlator.find(receipt.operator_id, came.sm.source_octets)
        if correlator.behind and not asked and self._recall.must_ask(came, operator_id, message):
            self._recall.ask(came, operator_id)
            return
        if message is None and not correlator.is_done(operator_id):
            may_be_early = operator.in_flight or now < operator.late_until
            if operator_id and may_be_early and not came.has_waited:
                if not correlator.park(operator_id, came, now):
                    came.reply().send(TEMPORARY.status, self._turn)
                return
            self._unmatched(came)
        elif receipt.state is None:
            came.peer.tell(Note("receipt.unreadable", message_id=receipt.operator_id))
        self.counters.receipts[operator.name, _COUNTED_AS[receipt.state]] += 1
        state = receipt.state
        reply = came.reply()
        if message is not None and state is not None:
            if receipts.is_final(state, operator.settings):
                taken_utc = correlator.close(operator_id, message)
                now_utc = self._clocks.steady.at(now)
                if self._attempt_ended(message, receipt, state, now_utc):
                    failure = receipts.failure_octets(receipt, state)
                    pending = PendingReceipt(
                        message, operator.name, operator_id, taken_utc, failure
                    )
                    self._commits.settles.taken.append(pending)
            elif message.state is SENT and receipts.asked_for(message, state, final=False):
                now_utc = self._clocks.steady.at(now)
                reply.brought = self._hold(message, receipt, state, now_utc, final=False)
        self._commits.settles.replies.append(reply)

    def _unmatched(self, came: Arrival) -> None:
        self.counters.receipts_unmatched[came.peer.bind.operator.name] += 1
        came.peer.tell(Note("receipt.unmatched", message_id=came.receipt.operator_id))

    def found(self, came: Arrival, now: float) -> None:
        """The journal has told what it knows of a receipt that asked."""
        self.arrived(came, now, asked=True)

    def sweep(self, now: float, now_utc: float) -> None:
        """See to receipts, and to messages, that have waited long enough; once a second."""
        for correlator in self._pending.correlators.values():
            for came in correlator.unclaimed(now):
                # Its message may have come under an id in another base than the settings say.
                came.has_waited = True
                self.arrived(came, now)
                self._turn.end_soon()
            for message in correlator.never_receipted(now_utc):
                self.never_receipted(message)

    # How attempts end.

    def _attempt_ended(
        self, message: Message, receipt: Receipt, state: r.State, now_utc: float
    ) -> bool:
        """Take an operator's last word; return whether it is withheld for other attempts.

        Delivered wins; a failure waits.
        """
        message.pending_receipts -= 1
        if message.state is SETTLED:
            return False
        if receipts.OUTCOMES[state] is not DELIVERED and message.is_open:
            self._pending.withhold(message, receipt, state)
            return True
        self._pending.take_withheld(message)
        self._end(message, receipt, state, now_utc)
        return False

    def _end(self, message: Message, receipt: Receipt, state: r.State, now_utc: float) -> None:
        """Settle a message by an operator's word, and tell the client if it asked."""
        if receipts.asked_for(message, state, final=True):
            self._hold(message, receipt, state, now_utc, final=True)
        self._outcomes.settle(message, receipts.OUTCOMES[state], now_utc)

    def _hold(
        self, message: Message, receipt: Receipt, state: r.State, now_utc: float, *, final: bool
    ) -> Delivery:
        """Keep a receipt for the client until the client has it."""
        delivery = receipts.from_operator(
            message,
            receipt,
            state,
            final=final,
            now_utc=now_utc,
            not_before=receipts.not_before(message),
        )
        self._commits.settles.held.append(delivery)
        return delivery

    # Attempts that come to nothing.

    def never_receipted(self, message: Message) -> None:
        """The receipt of one attempt is not waited for any longer."""
        message.pending_receipts -= 1
        if message.state is SENT and not message.is_open:
            self.end_untold(message, "no receipt came")

    def tell_withheld(self, message: Message) -> None:
        """End a message none of whose attempts is open: what was withheld is the last word.

        Where nothing was, an operator that gave no message id has taken it.
        """
        if message.state is SENT and not message.is_open:
            self.end_untold(message, "the operator gave no message id")

    def end_untold(self, message: Message, reason: str) -> None:
        """End a message that an operator has taken, and will not tell what became of."""
        withheld = self._pending.take_withheld(message)
        if withheld is not None:  # Another one has said, and nothing better will come.
            self._end(message, *withheld, self._clocks.utc())
        elif receipts.wants_success(message):
            self._outcomes.give_up(message, Outcome.UNKNOWN, reason, 0)
        else:  # Only a failure was to be told, and none was.
            self._outcomes.settle(message, Outcome.SENT, self._clocks.utc())

    # What is no receipt.

    def _from_subscriber(self, peer: OperatorPeer, pdu: Pdu, sm: Sm) -> None:
        """Keep a subscriber's message for the account that the inbound rules name."""
        operator = peer.bind.operator.name
        reply = Reply(peer, pdu.command_id, pdu.sequence_number)
        account = self._rulebook.rules.inbound.account_of(operator, sm)
        number = self._ids.take()
        if account is None or number is None:
            refusal = NOT_FOR_US if account is None else TEMPORARY
            self._count_inbound(operator, "unrouted" if account is None else "refused")
            peer.tell(Note("inbound.refused", pdu.command_id, refusal.status))
            reply.send(refusal.status, self._turn)
            return
        self._count_inbound(operator, "held")
        delivery = Delivery(
            router_id=number,
            account=account,
            octets=for_client(sm, pdu.command_id),
            made_utc=self._clocks.utc(),
        )
        reply.brought = delivery
        self._commits.settles.held.append(delivery)
        self._commits.settles.replies.append(reply)

    def _count_inbound(self, operator: OperatorName, result: str) -> None:
        self.counters.inbound[operator, result] += 1
