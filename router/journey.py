"""The life of a message, in the order it happens. Read this first.

    a client's submit_sm      submitted     room, check, decide, and to the journal
    the journal has it        _kept         the lane, and only then ESME_ROK to the client
    an operator has a slot    _send_on      pulled from a lane, written to a bind
    the operator answers      answered      sent; or again, elsewhere, or given up
    no answer will come       doubted       in doubt: again, elsewhere, or given up
    the operator's receipt    reported      matched; outcome and the client's receipt to the journal
    the journal has those     _kept         ESME_ROK to the operator, the receipt to the outbox
    the client acknowledges   acknowledged  the journal forgets the receipt

What an operator's answer means (answered, doubted) is in `onward.py`, the way back (reported,
acknowledged) in `homeward.py`, a restart in `resume.py`; `stations.py` is what all of them act on.

Every act is one synchronous step, called for a PDU or for a committed batch. Nothing here waits:
what an act wants kept goes into the turn's `Changes`; what it wants written stays in its session;
`_finish_turn` hands the first to the journal and has the second written, once per turn of the loop.

The acts decide nothing themselves: the stages do.
"""

from collections.abc import Callable
from typing import Final, cast

from router.enqueue.ids import client_id_of
from router.enqueue.journal import Changes, Recovered
from router.forward.pool import Bind, Flight, Operator
from router.forward.validity import with_what_remains
from router.marking import Marking
from router.smpp import vocabulary as v
from router.smpp.pdu import BodyError, Pdu, Sm, relay_with, response
from router.smpp.session import Note, Session
from router.smpp.states import State
from router.smpp.text import UDHI
from router.stations import NEVER, SWEEP_S, Client, OperatorPeer, Reply
from router.terms.message import Message, Stage
from router.terms.names import OperatorName
from router.terms.outcome import (
    DRAINING,
    JOURNAL_DOWN,
    TEMPORARY,
    JournalError,
    Refusal,
)

JOURNAL_RETRY_S: Final = 1.0


class Journey(Marking):
    """The whole way, from a client's submit_sm to its acknowledgement of the receipt."""

    # Before anything else.

    def start(self, ready: Callable[[JournalError | None], None]) -> None:
        """Go on where an earlier process stopped; `ready` is called when clients may come."""

        def recovered(found: Recovered, error: JournalError | None) -> None:
            if error is None:
                if found.waiting or found.sent or found.held:  # Else no time of it matters.
                    self.wall.go_on_from(found.known_utc or self.clock_utc(), self.clock())
                self._take_up(found)
                self._ids.reserve(ready)
                self._end_turn_soon()  # Validity ends even if nobody ever connects.
            else:
                ready(error)

        self.journal.recover(recovered)

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
            client.tell(Note("pdu.refused", pdu.command_id, error.status))
            self._not_taken(client, pdu, Refusal("malformed", error.status))
            return
        now_utc = self.wall.at(now)
        checked = self.checks.check(sm, account.settings, now_utc)
        if isinstance(checked, Refusal):
            self._not_taken(client, pdu, checked)
            return
        rule = self.routes.decide(checked.number, account.name, sm)
        if isinstance(rule, Refusal):
            self._not_taken(client, pdu, rule)
            return
        router_id = self._ids.take()
        if router_id is None:
            self._not_taken(client, pdu, JOURNAL_DOWN)
            return
        lane = checked.lane if rule.lane is None else rule.lane
        group = None
        if sm.esm_class & UDHI or sm.tlvs_at != len(sm.octets):
            group = self._group_of(account.name, sm, rule, now)
        message = Message(
            router_id=router_id,
            client_id=client_id_of(router_id, account.settings.message_id),
            account=account.name,
            lane=lane,
            plan=rule.next_plan() if group is None else group.plan,
            command_id=pdu.command_id,
            octets=relay_with(sm, 0, schedule_delivery_time=b"")
            if checked.not_before_utc
            else pdu.octets,
            source_octets=sm.source_octets,
            destination_octets=sm.destination_octets,
            registered_delivery=_wanted(sm.registered_delivery, client.session),
            accepted_at=arrived_at,
            accepted_utc=now_utc,
            expires_utc=self.checks.expires_utc(checked, lane, now_utc),
            not_before_utc=checked.not_before_utc,
            answer_to=(client, pdu.sequence_number),
            hold_receipt=client.session.state is not State.BOUND_TRX,  # It may be unbinding.
            group=group,
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
            assert isinstance(reply, Reply)
            self._reply(reply, v.ESME_ROK)

    def _not_kept(self, changes: Changes, error: JournalError) -> None:
        """Nothing of it was promised. What has happened all the same is told again later."""
        if self.journal_up:
            self.journal_up = False
            self._journal_changed(error)
        self._retry_at = self.clock() + JOURNAL_RETRY_S
        now = self.clock()
        for message in changes.accepted:
            self.lanes.give_room(message.account)
            self._leave_group(message)
            self._answer(message, JOURNAL_DOWN.status, now)
        changes.accepted.clear()
        for reply in changes.replies:
            assert isinstance(reply, Reply)
            self._reply(reply, TEMPORARY.status)
            if reply.brought is not None:
                changes.held.remove(reply.brought)
        changes.replies.clear()
        if changes:
            self._unsafe.append(changes)

    def _journal_is_back(self) -> None:
        self.journal_up = True
        self._journal_changed(None)
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

    # An operator has a slot.

    def _send_on(self, operator: Operator, now: float) -> None:
        """Write to the operator's binds what the lanes have and the rates allow."""
        now_utc = self.wall.at(now)
        lanes = self.lanes
        newest = self._written
        name = operator.name
        remaining = operator.settings.validity_period == "remaining"
        while True:
            bind = operator.ready_bind(now)
            only_urgent = bind is None  # There may be room that is kept for those.
            if bind is None and (bind := operator.kept_bind(now)) is None:
                break
            message = lanes.pull(name, now_utc, self._expired, only_urgent=only_urgent)
            if message is None:
                if not only_urgent:
                    operator.wake_at = NEVER  # `put` or a mark tells when there is something.
                break
            if operator.destinations is not None:
                goes_at = operator.destinations.ask(
                    message.destination_octets, message.router_id, now
                )
                if goes_at is None:  # Too many wait aside; so this one does, and all behind it.
                    lanes.put_first(message)
                    operator.wake_at = now + SWEEP_S
                    break
                if goes_at > now:
                    self._note_not_written(message)
                    lanes.put_later(message, goes_at)
                    continue
            if message.group is not None:
                if not message.group.may_take(name):
                    self._note_not_written(message)
                    self._turned_away.append(message)
                    continue
                bind = operator.rather(message.group.bind, bind, now)
                message.group.written(name, bind, in_doubt=message.in_doubt)
            message.stage = Stage.IN_FLIGHT
            message.operator = name
            if message.sends == 0:
                lane = self.settings.lanes[message.lane].name
                self.counters.queue_wait_s[name, lane].add(now - message.accepted_at)
            if message.in_doubt:
                self.counters.repeated[name] += 1
                message.in_doubt = False
            if (
                message.router_id > newest.get(message.kept_in, 0)
                or message.mark is False
                or message.not_before_utc  # Others of its queue may be well ahead of it.
            ):
                self._note_written(message)
            message.sends += 1
            message.sent_at = now
            octets = message.octets
            if remaining and message.expires_utc != NEVER:
                octets = with_what_remains(message, now_utc)
            operator.send(bind, message, octets, now)
            assert bind.peer is not None
            self.write_soon(bind.peer)
        if self._expired:
            self._expire(self._expired, now_utc)
            self._expired = []
        if self._turned_away:
            self._turn_away(operator)
        if lanes.needs_marks:
            self._mark_ahead(operator)
        if operator.circuit.is_troubled:  # Who only tries one is not available meanwhile.
            self._set_available(operator, now)

    # Binds to operators come and go.

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

    # The turn of the loop.

    def _finish_turn(self) -> None:
        """Once per turn: lanes to operators, outboxes to clients, a batch to the journal; write."""
        try:
            self._move_on(self.clock())
        finally:  # A mistake of ours in one message must not stop all the others.
            self._turn_ends = False
            peers, self._to_write = self._to_write, []
            for peer in peers:
                peer.to_write = False
                peer.flush()

    def _move_on(self, now: float) -> None:
        if self.journal_up and not self.draining:  # Else we would forget what we sent.
            while self._to_pump:  # What one turns away another may take.
                for name in self._in_order_of_pumping():
                    operator = self.operators[name]
                    self._send_on(operator, now)
                    self._operators_at = min(self._operators_at, operator.wake_at)
        handed, self._to_hand_back = self._to_hand_back, set()
        for account in sorted(handed) if self.hands_back else ():
            outbox = self.outboxes[account]
            for receiver in outbox.pump(now):
                self.write_soon(receiver)
            self._outboxes_at = min(self._outboxes_at, outbox.pump_at())
            self._look_for_held(account, now)
        if self.lanes.hungry and self.journal_up:
            self._fetch_for_hungry()
        if self._accepts.accepted:
            accepts, self._accepts = self._accepts, Changes()
            self.journal.commit(accepts, self._kept, urgent=True)
        if self._settles and self.journal_up:  # Else it would overtake what is told again.
            settles, self._settles = self._settles, Changes()
            self._keep(settles, urgent=False)
        self._ask_journal()
        self._read_held(now)

    def _keep(self, changes: Changes, *, urgent: bool) -> None:
        """Hand the journal what has happened; until it has answered, a reading may not show it."""

        def kept(changes: Changes, error: JournalError | None) -> None:
            self._under_way.remove(changes)
            self._kept(changes, error)

        self._under_way.append(changes)
        self.journal.commit(changes, kept, urgent=urgent)

    def _in_order_of_pumping(self) -> list[OperatorName]:
        """Who may have something to send; those that have just come back are last."""
        pumped, self._to_pump = self._to_pump, set()
        if self.lanes.helpers:
            pumped |= self.lanes.helpers
            self.lanes.helpers.clear()
        order = sorted(pumped)  # A set has another order in every process.
        returning = self.lanes.returns.returning
        return sorted(order, key=returning.__contains__) if returning else order

    # Time.

    def wake_at(self) -> float:
        """When `wake` is next needed although nothing happens before."""
        return min(
            self._sweep_at,
            self._retry_at,
            self.lanes.due_at(),
            self._operators_at,
            self._outboxes_at,
            self._read_held_at,
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
        if now >= self._read_held_at:
            self._end_turn_soon()
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
            self._keep(changes, urgent=True)

    def _sweep(self, now: float) -> None:
        """What only becomes due with time: validity, receipts that never came, old deliveries."""
        self._look_at_the_clock(now)
        now_utc = self.wall.at(now)
        self._look_after_binds(now)
        for name in self.lanes.begin(now_utc):
            self._wants_pump(name)
        self._expire(self.lanes.expire(now_utc), now_utc)
        for name in self.lanes.look(now):
            self._wants_pump(name)
        self._decide_more()
        if self.lanes.hungry:  # Also after a read that failed.
            self._end_turn_soon()
        for correlator in self.correlators.values():
            for came in correlator.unclaimed(now):
                # Its message may have come under an id in another base than the settings say.
                came.has_waited = True
                self._receipt(came, now)
                self._end_turn_soon()
            for message in correlator.never_receipted(now_utc):
                self._never_receipted(message)
        self._leave_to_journal()
        self._search_overdue(now)
        for account in self.outboxes:
            self._drop_too_old(account, now)
            self._look_for_held(account, now)


def _wanted(registered_delivery: int, session: Session) -> int:
    """What the client asked for.

    3 means successes only since 5.0; before, it was reserved, and a client that sends it all the
    same wants to hear how it ended.
    """
    if registered_delivery & 3 == 3 and session.interface_version < v.VERSION_5_0:
        return registered_delivery & ~3 | 1
    return registered_delivery
