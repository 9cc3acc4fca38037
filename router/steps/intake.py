"""A client's submit_sm: room, check, decide, and to the journal; then its answer.

The order of the promise is in `journey.py`: ESME_ROK is answered when the journal has the message.
"""

from typing import Final

from router.accept.accounts import Account
from router.accept.congestion import Congestion
from router.accept.refusals import Refusals
from router.accept.rooms import Rooms
from router.enqueue.ids import Ids, client_id_of
from router.smpp import vocabulary as v
from router.smpp.pdu import BodyError, Pdu, Sm, relay_with, response
from router.smpp.session import Note, Session
from router.smpp.states import State
from router.smpp.text import UDHI
from router.steps.clocks import Clocks
from router.steps.commits import Commits
from router.steps.deliveries import Deliveries
from router.steps.long_messages import LongMessages
from router.steps.peers import Client
from router.steps.rules import Rulebook
from router.steps.turn import Turn
from router.terms.counters import Counters
from router.terms.message import FINAL_BITS, Message
from router.terms.names import LaneName
from router.terms.outcome import (
    CONGESTED,
    DISK_NEARLY_FULL,
    DRAINING,
    JOURNAL_DOWN,
    OUTBOX_FULL,
    QUEUE_FULL,
    Refusal,
)
from router.terms.record import Refused, submitted


class Intake:
    """The door for clients' messages."""

    __slots__ = (
        "_clocks",
        "_commits",
        "_deliveries",
        "_ids",
        "_long_messages",
        "_rulebook",
        "_turn",
        "_urgent",
        "congestion",
        "counters",
        "draining",
        "refusals",
        "rooms",
    )

    def __init__(
        self,
        ids: Ids,
        rulebook: Rulebook,
        long_messages: LongMessages,
        rooms: Rooms,
        commits: Commits,
        deliveries: Deliveries,
        counters: Counters,
        clocks: Clocks,
        turn: Turn,
        urgent: LaneName | None = None,
    ) -> None:
        """`urgent` is the most urgent of several lanes."""
        self._ids: Final = ids
        self._rulebook: Final = rulebook
        self._long_messages: Final = long_messages
        self.rooms: Final = rooms
        self._commits: Final = commits
        self._deliveries: Final = deliveries
        self.counters: Final = counters
        self._clocks: Final = clocks
        self._turn: Final = turn
        self._urgent: Final = urgent
        self.refusals: Final = Refusals()
        self.congestion: Final = Congestion()
        self.draining = False
        """Whether the router is about to stop: no more submits are taken in."""

    def is_urgent(self, account: Account) -> bool:
        """Whether an account's messages go into the most urgent of several lanes."""
        return account.settings.lane == self._urgent

    def submitted(self, client: Client, pdu: Pdu, now: float, *, may_wait: bool = True) -> None:
        """A submit_sm or data_sm came in. It goes on, is held for a moment, or is refused.

        One that has waited already may not wait any more, and is not held.
        """
        if self.draining:
            self._refuse(client, pdu, DRAINING, now)
        elif not self._commits.up:
            self._refuse(client, pdu, JOURNAL_DOWN, now)
        elif self._commits.is_short_of_space:
            self._refuse(client, pdu, DISK_NEARLY_FULL, now)
        else:
            verdict = client.admission.judge(pdu, now, may_hold=may_wait)
            if verdict is True:
                self._take_in(client, pdu, now, now)
            elif isinstance(verdict, Refusal):
                self._refuse(client, pdu, verdict, now)

    def came_late(self, client: Client, pdu: Pdu, now: float) -> None:
        """A submit_sm or data_sm has waited too long until it was looked at: it is refused."""
        if self.draining or not self._commits.up or self._commits.is_short_of_space:
            self.submitted(client, pdu, now)  # It is refused for another reason.
            return
        self.congestion.refused(now)
        self._refuse(client, pdu, CONGESTED, now)

    def release(self, client: Client, now: float) -> None:
        """Some of what this client's session holds may go on now."""
        for pdu, refusal, arrived_at in client.admission.wake(now):
            if refusal is not None:
                self._refuse(client, pdu, refusal, now)
            elif self.draining or not self._commits.up:
                self._not_taken(client, pdu, DRAINING if self.draining else JOURNAL_DOWN, now)
            elif self._commits.is_short_of_space:
                self._not_taken(client, pdu, DISK_NEARLY_FULL, now)
            else:
                self._take_in(client, pdu, arrived_at, now)

    def _take_in(self, client: Client, pdu: Pdu, arrived_at: float, now: float) -> None:
        """Check, decide, and hand to the journal what has its room."""
        rules = self._rulebook.rules
        account = client.account
        try:
            sm = Sm(pdu)
        except BodyError as error:
            client.tell(Note("pdu.refused", pdu.command_id, error.status))
            self._not_taken(client, pdu, Refusal("malformed", error.status), now)
            return
        now_utc = self._clocks.steady.at(arrived_at)
        # Of an account that is gone the last binds are served as before.
        settings = rules.accounts.get(account.name, account.settings)
        checked = rules.checks.check(sm, settings, now_utc)
        if isinstance(checked, Refusal):
            if checked.why:
                is_validity = checked.status == v.ESME_RINVEXPIRY
                time = sm.validity_period if is_validity else sm.schedule_delivery_time
                why = f"{checked.why}: {time.decode('latin-1')}"
                client.tell(Note("pdu.refused", pdu.command_id, checked.status, why=why))
            self._not_taken(client, pdu, checked, now)
            return
        rule = rules.routes.decide(checked.number, account.name, sm)
        if isinstance(rule, Refusal):
            self._not_taken(client, pdu, rule, now)
            return
        if sm.registered_delivery & FINAL_BITS and not self._deliveries.has_room(account.name):
            self._not_taken(client, pdu, OUTBOX_FULL, now)
            return
        router_id = self._ids.take()
        if router_id is None:
            self._not_taken(client, pdu, JOURNAL_DOWN, now)
            return
        lane = checked.lane if rule.lane is None else rule.lane
        group = None
        if sm.esm_class & UDHI or sm.tlvs_at != len(sm.octets):
            group = self._long_messages.join(account.name, sm, rule, now)
        message = Message(
            router_id=router_id,
            client_id=client_id_of(router_id, settings.message_id),
            account=account.name,
            lane=lane,
            plan=rule.next_plan() if group is None else group.plan,
            command_id=pdu.command_id,
            octets=sm.octets
            if not checked.not_before_utc and checked.validity_period is None
            else relay_with(
                sm,
                0,
                schedule_delivery_time=b"" if checked.not_before_utc else None,
                validity_period=checked.validity_period,
            ),
            source_octets=sm.source_octets,
            destination_octets=sm.destination_octets,
            registered_delivery=_wanted(sm.registered_delivery, client.session),
            accepted_at=arrived_at,
            accepted_utc=now_utc,
            expires_utc=rules.checks.expires_utc(checked, lane, now_utc),
            not_before_utc=checked.not_before_utc,
            origin=SubmitOrigin(client, pdu.sequence_number, self),
            hold_receipt=client.session.state is not State.BOUND_TRX,  # It may be unbinding.
            group=group,
            submitted=submitted(
                client.address,
                client.bind_type,
                sm.data_coding,
                1 if group is None else group.total,
                rule.words,
            ),
        )
        if message.size != len(pdu.octets):
            client.admission.resize(message.size - len(pdu.octets))
        accepts = self._commits.accepts
        accepts.accepted.append(message)
        accepts.accepted_octets += message.size
        if not self._turn.is_ending:
            self._turn.end_soon()

    def not_kept(self, message: Message, now: float) -> None:
        """The journal has failed: the message was promised to nobody, and its room is free."""
        self.rooms.give(message.account, message.size)
        self._long_messages.leave(message)
        if message.origin is not None:
            message.origin.refused(message, JOURNAL_DOWN, now)

    def answer(
        self, client: Client, sequence_number: int, message: Message, status: int, now: float
    ) -> None:
        """Tell the client what became of its submit_sm."""
        message.origin = None
        message.answered_at = now
        account, counters = message.account, self.counters
        counters.submits[account, message.lane, status] += 1
        counters.submit_response_s[account].add(now - message.accepted_at)
        client.admission.answered(message.size)
        session = client.session
        if session.state is not State.CLOSED:
            body = message.client_id + b"\0"
            session.respond(response(message.command_id, sequence_number, status, body))
            self._turn.write(client)

    def _not_taken(self, client: Client, pdu: Pdu, refusal: Refusal, now: float) -> None:
        """Refuse what had been let in: its room is free again."""
        octets = len(pdu.octets)
        client.admission.answered(octets)
        self.rooms.give(client.account.name, octets)
        self._refuse(client, pdu, refusal, now)

    def _refuse(self, client: Client, pdu: Pdu, refusal: Refusal, now: float) -> None:
        account = client.account.settings
        self.counters.submits[account.name, account.lane, refusal.status] += 1
        self.count_refusal(client, pdu, refusal, now)
        if refusal is QUEUE_FULL:
            self.rooms.refuse(account.name)
        # Else it is our doing, or has its price: for each that is so refused another is taken.
        if refusal.status != v.ESME_RSYSERR and refusal is not CONGESTED:
            client.session.useless += 1
        client.session.respond(response(pdu.command_id, pdu.sequence_number, refusal.status))
        self._turn.write(client)

    def count_refusal(self, client: Client, pdu: Pdu, refusal: Refusal, now: float) -> None:
        """Count a submit that is refused, by reason, and for its account."""
        self.counters.refused_pdus[refusal.reason] += 1
        account, now_utc = client.account, self._clocks.steady.at(now)
        self.refusals.add(account.name, client.address, pdu, refusal, now_utc)
        commits = self._commits
        if commits.is_short_of_space or not commits.up:
            return  # Counted, and no more.
        left_out = self.refusals.may_record(account.name, now)
        if left_out is None:
            return
        try:
            sm = Sm(pdu)
        except BodyError:
            source = destination = ""
            came = submitted(client.address, client.bind_type, 0, 0, "")
        else:
            source = sm.source_octets[2:-1].decode("latin-1")
            destination = sm.destination_octets[2:-1].decode("latin-1")
            came = submitted(client.address, client.bind_type, sm.data_coding, 1, "")
        commits.settles.refused.append(
            Refused(
                account.name, account.settings.lane, source, destination, came, refusal.reason,
                refusal.status, now_utc, left_out,
            )
        )  # fmt: skip
        if not self._turn.is_ending:
            self._turn.end_soon()


class SubmitOrigin:
    """A client's bind that waits for the submit_sm_resp of one message."""

    __slots__ = ("_client", "_intake", "_sequence_number")

    def __init__(self, client: Client, sequence_number: int, intake: Intake) -> None:
        self._client = client
        self._sequence_number = sequence_number
        self._intake = intake

    def accepted(self, message: Message, now: float) -> None:
        """Answer ESME_ROK: the journal has the message."""
        self._intake.answer(self._client, self._sequence_number, message, v.ESME_ROK, now)

    def refused(self, message: Message, refusal: Refusal, now: float) -> None:
        """Answer with the status of the refusal."""
        pdu = Pdu(message.command_id, 0, self._sequence_number, message.octets)
        self._intake.count_refusal(self._client, pdu, refusal, now)
        self._intake.answer(self._client, self._sequence_number, message, refusal.status, now)


def _wanted(registered_delivery: int, session: Session) -> int:
    """What the client asked for.

    3 means successes only since 5.0; before, it was reserved, and a client that sends it all the
    same wants to hear how it ended.
    """
    if registered_delivery & 3 == 3 and session.interface_version < v.VERSION_5_0:
        return registered_delivery & ~3 | 1
    return registered_delivery
