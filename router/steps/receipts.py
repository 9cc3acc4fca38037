"""An operator's receipt becomes its client's.

An operator hears ESME_ROK for a receipt, and a client gets it, only when the journal has it. Of a
message that more than one attempt may have delivered, delivered wins: a failure waits while
another attempt is open.

No receipt is held back: one whose message is not known yet is answered when the journal has it.
"""

from collections.abc import Mapping
from struct import Struct
from typing import Final

from router.enqueue.journal import PendingReceipt
from router.forward.pool import Operator
from router.report import receipts
from router.report.correlate import ORPHAN_S, Correlator, Said
from router.smpp import receipt as r
from router.smpp import vocabulary as v
from router.smpp.pdu import BodyError, Pdu, Sm, with_fields_cut
from router.smpp.receipt import Receipt
from router.smpp.session import Note
from router.steps.clocks import Clocks
from router.steps.commits import Commits
from router.steps.inbound import Inbound
from router.steps.outcomes import Outcomes
from router.steps.peers import Arrival, OperatorPeer, Reply
from router.steps.pending_receipts import PendingReceipts
from router.steps.recall import Recall
from router.steps.rules import Rulebook
from router.steps.turn import Turn
from router.terms.counters import Counters
from router.terms.message import Delivery, Message
from router.terms.names import OperatorId, OperatorName
from router.terms.orphan import Orphan
from router.terms.outcome import DELIVERED, TEMPORARY, Outcome
from router.terms.states import SENT, SETTLED

_COMMAND_ID: Final = Struct(">I")
_COUNTED_AS: Final = {state: state.name.lower() for state in r.State} | {None: "unreadable"}


MOST_TOLD: Final = 10
"""Of the orphans that are given up together the log is told of so many."""


class Receipts:
    """What operators deliver."""

    __slots__ = (
        "_clocks",
        "_commits",
        "_inbound",
        "_operators",
        "_outcomes",
        "_pending",
        "_recall",
        "_rulebook",
        "_turn",
        "counters",
    )

    def __init__(
        self,
        operators: Mapping[OperatorName, Operator],
        pending: PendingReceipts,
        recall: Recall,
        outcomes: Outcomes,
        inbound: Inbound,
        commits: Commits,
        rulebook: Rulebook,
        counters: Counters,
        clocks: Clocks,
        turn: Turn,
    ) -> None:
        self._operators: Final = operators
        self._pending: Final = pending
        self._recall: Final = recall
        self._outcomes: Final = outcomes
        self._inbound: Final = inbound
        self._commits: Final = commits
        self._rulebook: Final = rulebook
        self.counters: Final = counters
        self._clocks: Final = clocks
        self._turn: Final = turn

    def reported(self, peer: OperatorPeer, pdu: Pdu, now: float) -> None:
        """A deliver_sm or data_sm from an operator: a receipt, or a subscriber's message."""
        if not self._commits.up:
            Reply(peer, pdu.command_id, pdu.sequence_number).send(TEMPORARY.status, self._turn)
            return
        operator = peer.bind.operator.name
        try:
            sm = Sm(pdu, tolerant=True)
        except BodyError as error:
            try:
                pdu = with_fields_cut(pdu)
                sm = Sm(pdu, tolerant=True)
            except BodyError:
                self.counters.refused_pdus["malformed"] += 1
                peer.tell(Note("pdu.refused", pdu.command_id, error.status))
                Reply(peer, pdu.command_id, pdu.sequence_number).send(error.status, self._turn)
                return
            self.counters.fields_cut[operator] += 1
        words = self._rulebook.rules.words  # Of few operators: the usual receipt costs no more.
        receipt = self._recognised(sm, operator) if words else r.recognise(sm)
        if receipt is not None:
            self.arrived(Arrival(peer, pdu, sm, receipt), now)
        elif (receipt := r.in_text(sm, self._states(operator))) is not None:
            is_marked = operator in self._rulebook.rules.by_text
            self.arrived(Arrival(peer, pdu, sm, receipt, is_marked=is_marked), now)
        else:
            self._inbound.arrived(peer, pdu, sm, now)
        if not self._turn.is_ending:
            self._turn.end_soon()

    def lost(self, peer: OperatorPeer) -> None:
        """An operator's session is over: what waited on it unanswered is sent again."""
        self._inbound.lost(peer)

    def _recognised(self, sm: Sm, operator: OperatorName) -> Receipt | None:
        words = self._rulebook.rules.words
        return r.recognise(sm, words.get(operator, r.STATES) if words else r.STATES)

    def _states(self, operator: OperatorName) -> Mapping[bytes, r.State]:
        """The states by an operator's words for them."""
        return self._rulebook.rules.words.get(operator, r.STATES)

    def arrived(self, came: Arrival, now: float, *, asked: bool = False) -> None:
        """Find a receipt's message; answer the receipt when all that it changes is safe.

        `asked` is whether the journal has told what it knows.
        """
        receipt, operator = came.receipt, came.peer.bind.operator
        correlator = self._pending.correlators.get(operator.name)
        if correlator is None:  # The operator is gone, and was forgotten: it owes nothing.
            self._unmatched(came)
            return
        if correlator.has_clashes:
            correlator.restarted_utc = self._clocks.steady.at(operator.all_fell_at)
        operator_id, message = correlator.find(receipt.operator_id, came.sm)
        if not came.is_marked and self._is_subscribers(
            came, correlator, operator_id, message, asked=asked
        ):
            self._inbound.arrived(came.peer, came.pdu, came.sm, now)
            return
        last_said = correlator.last_said(operator_id)
        if last_said is not None and last_said == _said(came.sm, receipt):
            message = None  # A repeat: the one that waits under its id now is another.
        elif message is None and correlator.is_unwanted(operator_id):
            self.counters.receipts[operator.name, _COUNTED_AS[receipt.state]] += 1
            came.reply().send(v.ESME_ROK, self._turn)  # Nothing of it is to be kept.
            return
        if correlator.behind and not asked and self._recall.must_ask(came, operator_id, message):
            self._recall.ask(came, operator_id)
            return
        self.counters.receipts[operator.name, _COUNTED_AS[receipt.state]] += 1
        reply = came.reply()
        if message is not None:
            if receipt.state is None:
                came.peer.tell(Note("receipt.unreadable", message_id=receipt.operator_id))
            reply.brought = self._report(
                operator, correlator, operator_id, message, receipt, came.sm, now
            )
        elif not correlator.is_done(operator_id):
            if not operator_id or not (operator.in_flight or now < operator.late_until):
                self._unmatched(came)
                return
            orphan = Orphan(
                operator.name,
                operator_id,
                came.sm.source_octets,
                came.pdu.octets,
                self._clocks.steady.at(now),
            )
            self._give_up(correlator.keep(orphan))
            self._commits.settles.orphaned.append(orphan)
            reply.orphan = orphan
        self._commits.settles.replies.append(reply)

    def _is_subscribers(
        self,
        came: Arrival,
        correlator: Correlator,
        operator_id: OperatorId,
        message: Message | None,
        *,
        asked: bool,
    ) -> bool:
        """Whether a text that only reads like a receipt is that of no message that was sent.

        A subscriber may write one, but hardly with the id of a message to that number, and to the
        sender of that message. A receipt that is repeated, or that nobody wants, has no message to
        compare it with.
        """
        if message is None:
            if correlator.is_done(operator_id) or correlator.is_unwanted(operator_id):
                return False
        elif correlator.is_sure(message, came.sm) and (
            message.source_octets[2:] == came.sm.destination_octets[2:]
        ):
            return False
        return asked or not correlator.behind  # Else the journal may know the message.

    def _report(
        self,
        operator: Operator,
        correlator: Correlator,
        operator_id: OperatorId,
        message: Message,
        receipt: Receipt,
        sm: Sm,
        now: float,
    ) -> Delivery | None:
        """Take what an operator reports of a message; return what it brings for the client.

        Only of an intermediate state: a final one is told again, whatever the journal says.
        """
        state = receipt.state
        if state is None:
            return None
        now_utc = self._clocks.steady.at(now)
        if receipts.is_final(state, operator.settings):
            said = _said(sm, receipt) if receipt.done else None
            taken_utc = correlator.close(operator_id, message, said)
            if self._attempt_ended(message, receipt, state, now_utc):
                failure = receipts.failure_octets(receipt, state)
                pending = PendingReceipt(message, operator.name, operator_id, taken_utc, failure)
                self._commits.settles.taken.append(pending)
        elif message.state is SENT and receipts.asked_for(message, state, final=False):
            return self._hold(message, receipt, state, now_utc, final=False)
        return None

    def found(self, came: Arrival, now: float) -> None:
        """The journal has told what it knows of a receipt that asked."""
        self.arrived(came, now, asked=True)

    def sweep(self) -> None:
        """See to receipts, and to messages, that have waited long enough; once a second."""
        clocks = self._clocks
        for correlator in self._pending.correlators.values():
            self._give_up(correlator.given_up(clocks.utc_for(ORPHAN_S)))
            for message in correlator.never_receipted(clocks.utc_for(correlator.wait_s)):
                self.never_receipted(message)

    # Receipts whose message is not known.

    def claim(self, orphan: Orphan, operator: Operator, now: float) -> None:
        """Take what an orphan reports: the operator has just answered with its id."""
        sm, receipt = self._read(orphan)
        correlator = self._pending.correlators[operator.name]
        self._commits.settles.claimed.append(orphan)
        operator_id, message = correlator.find(receipt.operator_id, sm)
        if message is not None:  # Else one before it was final.
            self._report(operator, correlator, operator_id, message, receipt, sm, now)

    def refused(self, orphan: Orphan) -> None:
        """The journal could not keep an orphan: the operator sends it again."""
        correlator = self._pending.correlators.get(orphan.operator)
        if correlator is not None:
            correlator.forget(orphan)

    def _read(self, orphan: Orphan) -> tuple[Sm, Receipt]:
        """Return an orphan's PDU and what it says; it was recognised when it came."""
        (command_id,) = _COMMAND_ID.unpack_from(orphan.octets, 4)
        sm = Sm(Pdu(command_id, 0, 0, orphan.octets), tolerant=True)
        receipt = self._recognised(sm, orphan.operator) or r.in_text(
            sm, self._states(orphan.operator)
        )
        assert receipt is not None
        return sm, receipt

    def _give_up(self, orphans: list[Orphan]) -> None:
        """Count and tell of orphans that no answer has claimed; the journal forgets them."""
        for orphan in orphans:
            self.counters.receipts_unmatched[orphan.operator] += 1
        for orphan in orphans[:MOST_TOLD]:
            operator = self._operators.get(orphan.operator)
            binds = () if operator is None else operator.binds
            peer = next((bind.peer for bind in binds if bind.peer is not None), None)
            if peer is not None:
                message_id = self._read(orphan)[1].operator_id
                peer.tell(Note("receipt.unmatched", message_id=message_id))
        self._commits.settles.claimed += orphans
        if orphans:
            self._turn.end_soon()

    def _unmatched(self, came: Arrival) -> None:
        """Answer a receipt that no message can be known for: then it does not come again."""
        self.counters.receipts_unmatched[came.peer.bind.operator.name] += 1
        came.peer.tell(Note("receipt.unmatched", message_id=came.receipt.operator_id))
        came.reply().send(v.ESME_ROK, self._turn)

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


def _said(sm: Sm, receipt: Receipt) -> Said:
    return sm.source_octets, receipt.state, receipt.done
