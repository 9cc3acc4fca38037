"""An operator's receipt becomes its client's.

An operator hears ESME_ROK for a receipt, and a client gets it, only when the journal has it. Of a
message that more than one attempt may have delivered, delivered wins: a failure waits while
another attempt is open.

No receipt is held back: one whose message is not known yet is answered when the journal has it.
"""

from collections.abc import Mapping
from typing import Final

from router.enqueue.journal import PendingReceipt
from router.forward.pool import Channel, Operator
from router.report import receipts
from router.report.correlate import ORPHAN_S, Correlator, Said
from router.report.half_receipted import PATIENCE_S
from router.report.quality import TOO_FAST_S
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
from router.steps.pending_receipts import PendingReceipts, sm_of
from router.steps.recall import Recall
from router.steps.rules import Rulebook
from router.steps.turn import Turn
from router.terms.counters import Counters
from router.terms.group import Group
from router.terms.message import Delivery, Message
from router.terms.names import OperatorId, OperatorName
from router.terms.orphan import Orphan
from router.terms.outcome import DELIVERED, TEMPORARY, Evidence, Outcome
from router.terms.states import SENT, SETTLED

_COUNTED_AS: Final = {state: state.name.lower() for state in r.State} | {None: "unreadable"}


TOO_FAST: Final = Evidence.TOO_FAST
_SIGNS: Final = tuple(state.to_bytes() for state in range(max(r.State) + 1))
MOST_TOLD: Final = 10
"""Of the orphans that are given up together the log is told of so many."""
MOST_STRANGERS: Final = 100
"""So many receipts in a row with the number of no message: at this operator numbers say nothing,
and theirs are not looked for among all that is in flight."""


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
        if pdu.command_id == v.ALERT_NOTIFICATION:
            self._inbound.alerted(peer, pdu)
            return
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
                peer.session.useless += 1
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
        if correlator.more:
            correlator.restarted_utc = self._clocks.steady.at(operator.all_fell_at)
        if receipt.other_id:
            _mean_the_known(correlator, receipt, came.sm)
        operator_id, message = correlator.find(receipt.operator_id, came.sm)
        sign = correlator.sign
        if sign is not None:
            correlator.sign = None
        if not came.is_marked and self._is_subscribers(
            came, correlator, operator_id, message, asked=asked
        ):
            self._inbound.arrived(came.peer, came.pdu, came.sm, now)
            return
        if message is None and correlator.per_message:
            operator_id, message = self._part_that_waits(
                operator, correlator, operator_id, receipt, now
            )
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
        if message is not None and not _is_early(operator, correlator, message, came.sm):
            if sign is not None:
                correlator.learn(sign)
            if receipt.state is None:
                came.peer.tell(Note("receipt.unreadable", message_id=receipt.operator_id))
            reply.brought = self._report(
                operator, correlator, operator_id, message, receipt, came.sm, now
            )
            if message.group is not None:
                reply.brought += self._report_of_part(
                    operator, correlator, message, message.group, receipt, now
                )
        elif not _has_come(correlator, operator_id, came.sm):
            if not operator_id or not (operator.in_flight or now < operator.late_until):
                self._unmatched(came)
                return
            reply.orphan = self._kept(came, correlator, operator_id, now)
        self._commits.settles.replies.append(reply)

    def _kept(
        self, came: Arrival, correlator: Correlator, operator_id: OperatorId, now: float
    ) -> Orphan:
        """Keep a receipt whose message is not known yet, until an answer brings its id."""
        orphan = Orphan(
            came.peer.bind.operator.name,
            operator_id,
            came.sm.source_octets,
            came.pdu.octets,
            self._clocks.steady.at(now),
        )
        if came.receipt.other_id:
            orphan.other_id = correlator.other_id(orphan, came.receipt)
        self._give_up(correlator.keep(orphan))
        self._commits.settles.orphaned.append(orphan)
        return orphan

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
        elif correlator.is_sure(message, came.sm) and correlator.is_to_sender(message, came.sm):
            return False
        return asked or not correlator.behind  # Else the journal may know the message.

    def _report(
        self,
        operator: Operator,
        correlator: Correlator,
        operator_id: OperatorId,
        message: Message,
        receipt: Receipt,
        sm: Sm | None,
        now: float,
        came_utc: float | None = None,
    ) -> tuple[Delivery, ...]:
        """Take what an operator reports of a message; return what it brings for the client.

        Only of an intermediate state: a final one is told again, whatever the journal says.
        `sm` is that of the receipt where it names this message; `came_utc` is when it came, if not
        now.
        """
        state = receipt.state
        if state is None:
            return ()
        now_utc = self._clocks.steady.at(now)
        zone = operator.settings.receipts.time_zone
        if (zone is not None or came_utc is not None) and not receipt.told_done:
            receipt.told_done = receipts.done_date(
                receipt,
                zone,
                submitted_utc=message.accepted_utc,
                came_utc=now_utc if came_utc is None else came_utc,
            )
        if receipts.is_final(state, operator.settings):
            said = _said(sm, receipt) if receipt.done and sm is not None else None
            taken_utc = correlator.close(operator_id, message, said)
            evidence = receipts.evidence_of(receipt, state, operator.settings)
            if receipts.OUTCOMES[state] is DELIVERED and not message.times_in_doubt:
                came_at = now if came_utc is None else now - (now_utc - came_utc)
                if came_at - message.sent_at < TOO_FAST_S:
                    evidence = TOO_FAST
                    self.counters.receipts_too_fast[operator.name] += 1
            if self._attempt_ended(message, receipt, state, now_utc, evidence):
                failure = receipts.failure_octets(receipt, state)
                pending = PendingReceipt(message, operator.name, operator_id, taken_utc, failure)
                self._commits.settles.taken.append(pending)
        elif message.state is SENT and receipts.asked_for(message, state, final=False):
            told = self._rulebook.told(message)
            one = receipts.from_operator(
                message, receipt, state, final=False, now_utc=now_utc, told=told
            )
            self._commits.settles.held.append(one)
            return (one,)
        return ()

    def _report_of_part(
        self,
        operator: Operator,
        correlator: Correlator,
        message: Message,
        group: Group,
        receipt: Receipt,
        now: float,
    ) -> tuple[Delivery, ...]:
        """Take what the receipt of a part says of the others; return what it brings for clients."""
        state = receipt.state
        if state is None:
            return ()
        is_final = receipts.is_final(state, operator.settings)
        if not correlator.per_message:
            if is_final:
                correlator.half_receipted.came(group, self._clocks.steady.at(now))
            return ()
        if is_final:
            self._tell_later(correlator, group.number, receipt, state, now)
        brought: tuple[Delivery, ...] = ()
        for operator_id, other in correlator.parts_of(group.number):
            if is_final or other is not message:
                brought += self._report(
                    operator, correlator, operator_id, other, receipt, None, now
                )
        return brought

    def _part_that_waits(
        self,
        operator: Operator,
        correlator: Correlator,
        operator_id: OperatorId,
        receipt: Receipt,
        now: float,
    ) -> tuple[OperatorId, Message | None]:
        """Return a part that waits for the receipt of the whole, and its id.

        The receipt may come under the id of a part that wanted none.
        """
        number, state = correlator.unwanted_part(operator_id), receipt.state
        for part in correlator.parts_of(number):
            return part
        if number and state is not None and receipts.is_final(state, operator.settings):
            self._tell_later(correlator, number, receipt, state, now)
        return operator_id, None

    def _tell_later(
        self, correlator: Correlator, number: int, receipt: Receipt, state: r.State, now: float
    ) -> None:
        """Keep what a final receipt says of all parts for those that are not taken yet."""
        if not receipt.told_done:
            receipt.told_done = receipts.done_date(
                receipt, None, submitted_utc=0.0, came_utc=self._clocks.steady.at(now)
            )
        correlator.tell(number, receipts.failure_octets(receipt, state))

    def tell_part(
        self, operator: Operator, operator_id: OperatorId, message: Message, now: float
    ) -> None:
        """Tell a part that was just taken what a receipt has said of the whole before."""
        group, correlator = message.group, self._pending.correlators[operator.name]
        octets = None if group is None else correlator.told(group.number)
        if octets is not None and correlator.awaits(operator_id, message.router_id) is message:
            receipt, _ = receipts.failure_of(octets)
            self._report(operator, correlator, operator_id, message, receipt, None, now)

    def found(self, came: Arrival, now: float) -> None:
        """The journal has told what it knows of a receipt that asked."""
        self.arrived(came, now, asked=True)

    def sweep(self) -> None:
        """See to receipts, and to messages, that have waited long enough; once a second."""
        clocks = self._clocks
        for name, correlator in self._pending.correlators.items():
            self._give_up(correlator.given_up(clocks.utc_for(ORPHAN_S)))
            for message in correlator.never_receipted(clocks.utc_for(correlator.wait_s)):
                self.never_receipted(message)
            half = correlator.half_receipted
            half.look(clocks.utc_for(PATIENCE_S))
            if half.is_pattern and not half.is_told and (peer := self._peer_of(name)) is not None:
                half.is_told = True
                why = f"one receipt for all parts: set operators.{name}.receipts.per to message"
                peer.tell(Note("receipt.parts_missed", why=why))
            learnt = correlator.learnt
            if learnt is not None and not learnt.is_told and (peer := self._peer_of(name)):
                learnt.is_told = True
                forms = learnt.favoured.forms
                found = f"{{response: {forms.response}, receipt: {forms.receipt}}}"
                why = f"set operators.{name}.message_id: {found} to fix it"
                peer.tell(Note("receipt.ids_learnt", why=why))

    # Receipts whose message is not known.

    def claim(self, orphan: Orphan, operator: Operator, now: float) -> None:
        """Take what an orphan reports: the operator has just answered with its id."""
        sm, receipt = self._read(orphan)
        correlator = self._pending.correlators[operator.name]
        if receipt.other_id:
            _mean_the_known(correlator, receipt, sm)
        operator_id, message = correlator.find(receipt.operator_id, sm)
        sign, correlator.sign = correlator.sign, None
        if message is None and correlator.per_message:
            operator_id, message = self._part_that_waits(
                operator, correlator, operator_id, receipt, now
            )
        if correlator.last_said(operator_id) == _said(sm, receipt):
            message = None  # It came twice, and the other message under its id is not meant.
        elif (
            not _has_come(correlator, operator_id, sm)
            and not correlator.unwanted_part(operator_id)  # That one has just been answered.
            and _is_early(operator, correlator, message, sm)
        ):
            self._give_up(correlator.keep(orphan))
            return
        self._commits.settles.claimed.append(orphan)
        if message is not None:  # Else one before it was final.
            if sign is not None:
                correlator.learn(sign)
            self._report(
                operator, correlator, operator_id, message, receipt, sm, now, orphan.at_utc
            )
            if message.group is not None:
                self._report_of_part(operator, correlator, message, message.group, receipt, now)

    def refused(self, orphan: Orphan) -> None:
        """The journal could not keep an orphan: the operator sends it again."""
        correlator = self._pending.correlators.get(orphan.operator)
        if correlator is not None:
            correlator.forget(orphan)

    def _read(self, orphan: Orphan) -> tuple[Sm, Receipt]:
        """Return an orphan's PDU and what it says; it was recognised when it came."""
        sm = sm_of(orphan)
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
            peer = self._peer_of(orphan.operator)
            if peer is not None:
                message_id = self._read(orphan)[1].operator_id
                peer.tell(Note("receipt.unmatched", message_id=message_id))
        self._commits.settles.claimed += orphans
        if orphans:
            self._turn.end_soon()

    def _peer_of(self, name: OperatorName) -> Channel | None:
        """Return a session with an operator, to log what it does."""
        operator = self._operators.get(name)
        binds = () if operator is None else operator.binds
        return next((bind.peer for bind in binds if bind.peer is not None), None)

    def _unmatched(self, came: Arrival) -> None:
        """Answer a receipt that no message can be known for: then it does not come again."""
        self.counters.receipts_unmatched[came.peer.bind.operator.name] += 1
        came.peer.tell(Note("receipt.unmatched", message_id=came.receipt.operator_id))
        came.reply().send(v.ESME_ROK, self._turn)

    # How attempts end.

    def _attempt_ended(
        self,
        message: Message,
        receipt: Receipt,
        state: r.State,
        now_utc: float,
        evidence: Evidence,
    ) -> bool:
        """Take an operator's last word; return whether it is withheld for other attempts.

        Delivered wins; a failure waits.
        """
        message.pending_receipts -= 1
        if message.state is SETTLED:
            return False
        if receipts.OUTCOMES[state] is not DELIVERED and message.is_open:
            if not receipt.told_done:  # It is told later, and came now.
                receipt.told_done = receipts.done_date(
                    receipt, None, submitted_utc=message.accepted_utc, came_utc=now_utc
                )
            self._pending.withhold(message, receipt, state)
            return True
        self._pending.take_withheld(message)
        self._end(message, receipt, state, now_utc, evidence)
        return False

    def _end(
        self,
        message: Message,
        receipt: Receipt,
        state: r.State,
        now_utc: float,
        evidence: Evidence,
    ) -> None:
        """Settle a message by an operator's word, and tell the client if it asked."""
        if receipts.asked_for(message, state, final=True):
            told = self._rulebook.told(message) if self._rulebook.rules.dialects else None
            self._commits.settles.held.append(
                receipts.from_operator(
                    message, receipt, state, final=True, now_utc=now_utc, told=told
                )
            )
        self._outcomes.settle(
            message, receipts.OUTCOMES[state], now_utc, receipt=receipt, evidence=evidence
        )

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
            receipt, state = withheld
            operator = None if message.operator is None else self._operators.get(message.operator)
            settings = None if operator is None else operator.settings
            evidence = receipts.evidence_of(receipt, state, settings)
            self._end(message, receipt, state, self._clocks.utc(), evidence)
        elif receipts.wants_success(message):
            self._outcomes.give_up(message, Outcome.UNKNOWN, reason, 0, Evidence.SILENCE)
        else:  # Only a failure was to be told, and none was.
            self._outcomes.settle(message, Outcome.SENT, self._clocks.utc())


def _mean_the_known(correlator: Correlator, receipt: Receipt, sm: Sm) -> None:
    """Of the ids in TLV and text, mean the one that is known; the TLV where both are, or none."""
    if correlator.knows_better(receipt.other_id, receipt.operator_id, sm):
        receipt.swap_ids()


def _has_come(correlator: Correlator, operator_id: OperatorId, sm: Sm) -> bool:
    """Return whether the final receipt with this id has come, and was of this number."""
    if not correlator.is_done(operator_id):
        return False
    said = correlator.last_said(operator_id)
    return said is None or said.startswith(sm.source_octets)


def _is_early(operator: Operator, correlator: Correlator, message: Message | None, sm: Sm) -> bool:
    """Return whether a receipt is not of the message under its id, but of one in flight.

    Its number says so. The operator uses the id again, and answers when it has sent the receipt.
    """
    if not operator.in_flight:
        return False
    if message is not None and (
        message.destination_octets == sm.source_octets or correlator.is_sure(message, sm)
    ):
        correlator.strangers = 0
        return False
    if correlator.strangers >= MOST_STRANGERS:
        return False
    if operator.is_sending_to(sm.source_octets[2:], sm.destination_octets[2:]):
        return True
    correlator.strangers += 1
    return False


def _said(sm: Sm, receipt: Receipt) -> Said:
    # One object: of each message that was sent one is kept for a while.
    state = b"" if receipt.state is None else _SIGNS[receipt.state]
    return sm.source_octets + state + receipt.done
