"""A client's submit_sm: room, check, decide, and to the journal; then its answer.

The order of the promise is in `journey.py`: ESME_ROK is answered when the journal has the message.

A submit_multi is a submit_sm to each of its numbers, one after the other, and each is let in,
checked, routed or refused as any other. One answer tells of all, when the journal has every one
that was accepted.
"""

from collections.abc import Callable
from typing import Final

from router.accept.accounts import Account
from router.accept.admission import LONGEST_HOLD_S
from router.accept.congestion import Congestion
from router.accept.refusals import Refusals
from router.accept.rooms import Rooms
from router.check.policy import Candidate
from router.check.submit import to_keep
from router.enqueue.ids import Ids, client_id_of
from router.smpp import vocabulary as v
from router.smpp.pdu import (
    MOST_DESTINATIONS,
    MOST_DESTINATIONS_5_0,
    BodyError,
    Pdu,
    Sm,
    SubmitMulti,
    response,
    submit_multi_response,
    tlv,
)
from router.smpp.reading import LIST_OCTETS
from router.smpp.session import Note, Session
from router.smpp.states import State
from router.smpp.text import UDHI
from router.steps.client_retries import ClientRetries, Remembered, Retry, fingerprint_of
from router.steps.clocks import Clocks
from router.steps.commits import Commits
from router.steps.data_sm import DataSm
from router.steps.deliveries import Deliveries
from router.steps.long_messages import LongMessages
from router.steps.peers import Client
from router.steps.policing import Policing
from router.steps.rules import Rulebook
from router.steps.turn import Turn
from router.steps.withdrawing import Withdrawing
from router.terms.counters import Counters
from router.terms.message import FINAL_BITS, Message, Origin
from router.terms.names import ClientId, LaneName
from router.terms.outcome import (
    CONGESTED,
    DISK_NEARLY_FULL,
    DISTRIBUTION_LIST,
    DRAINING,
    JOURNAL_DOWN,
    NOT_CARRIED,
    OUTBOX_FULL,
    QUEUE_FULL,
    Refusal,
)
from router.terms.place import NOWHERE
from router.terms.record import Refused, submitted

_SENDS_TOO_MUCH: Final = frozenset({v.ESME_RTHROTTLED, v.ESME_RMSGQFUL})
"""Statuses with which congestion_state is 100: the client sends too much."""
SEVERAL_REASONS: Final = Refusal("several", v.ESME_RSUBMITFAIL, "refused for several reasons")
"""Of a submit_multi none of whose numbers is accepted; each is counted by its own."""


class Intake:
    """The door for clients' messages."""

    __slots__ = (
        "_client_retries",
        "_clocks",
        "_commits",
        "_data_sm",
        "_deliveries",
        "_ids",
        "_long_messages",
        "_policing",
        "_rulebook",
        "_turn",
        "_urgent",
        "_withdrawing",
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
        client_retries: ClientRetries,
        commits: Commits,
        deliveries: Deliveries,
        data_sm: DataSm,
        withdrawing: Withdrawing,
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
        self._client_retries: Final = client_retries
        self._commits: Final = commits
        self._deliveries: Final = deliveries
        self._data_sm: Final = data_sm
        self._withdrawing: Final = withdrawing
        self.counters: Final = counters
        self._policing: Final = Policing(counters)
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

    def several(self, client: Client, pdu: Pdu, now: float) -> "MultiOrigin | None":
        """Return the way in of a submit_multi; None if it cannot be read and was refused."""
        is_5_0 = client.session.interface_version >= v.VERSION_5_0
        try:
            multi = SubmitMulti(pdu, MOST_DESTINATIONS_5_0 if is_5_0 else MOST_DESTINATIONS)
            Sm(multi.submit_sm(multi.destinations[0][0]))  # Of all the rest is the same.
        except BodyError as error:
            client.tell(Note("pdu.refused", pdu.command_id, error.status, why=str(error)))
            client.session.useless += len(pdu.octets) // LIST_OCTETS
            self._refuse(client, pdu, Refusal("malformed", error.status), now)
            return None
        return MultiOrigin(client, multi, self)

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
        # Of a submit_multi each number has an answer with the others: nobody sends one alone again.
        retries = settings.retries if pdu.request is None else None
        fingerprint = b""
        if retries is not None:  # First: whatever holds by now, the message was accepted.
            fingerprint = fingerprint_of(pdu, sm)
            first = self._client_retries.find(client, fingerprint, retries, arrived_at)
            if first is not None:
                self._repeats(client, pdu, first, arrived_at, now)
                return
        checked = rules.checks.check(sm, settings, now_utc)
        if isinstance(checked, Refusal):
            if checked.why:
                is_validity = checked.status == v.ESME_RINVEXPIRY
                time = sm.validity_period if is_validity else sm.schedule_delivery_time
                why = f"{checked.why}: {time.decode('latin-1')}"
                client.tell(Note("pdu.refused", pdu.command_id, checked.status, why=why))
            self._not_taken(client, pdu, checked, now)
            return
        number, place, not_before_utc = checked.number, NOWHERE, checked.not_before_utc
        policy = rules.policies.get(account.name) if rules.policies else None
        one: Candidate | None = None
        if policy is not None:
            one = Candidate(settings, sm, number, checked.lane)
            one.not_before_utc = not_before_utc
            refusal = self._policing.judge(policy, rules, one, now_utc)
            number, place, not_before_utc = one.number, one.place, one.not_before_utc
            sm = one.sm
        else:
            if rules.ask_place:
                place = rules.places.of(number)
            refusal = None
            if rules.refuse is not None:
                refusal = rules.refuse.refusal(
                    number, account.name, checked.lane, sm, now_utc, place
                )
        if refusal is not None:
            self._withdrawing.part_refused(account.name, sm, refusal, now)
            self._not_taken(client, pdu, refusal, now)
            return
        rule = rules.routes.decide(number, account.name, checked.lane, sm, now_utc, place)
        if isinstance(rule, Refusal):
            self._not_accepted(one, client, pdu, rule, now)
            return
        senders = rules.senders
        if senders is not None and not senders.any_takes(rule.settings.to, sm.source_addr, now_utc):
            self._not_accepted(one, client, pdu, NOT_CARRIED, now)
            return
        if sm.registered_delivery & FINAL_BITS and not self._deliveries.has_room(account.name):
            self._not_accepted(one, client, pdu, OUTBOX_FULL, now)
            return
        router_id = self._ids.take()
        if router_id is None:
            self._not_accepted(one, client, pdu, JOURNAL_DOWN, now)
            return
        client_id, whole = client_id_of(router_id, settings.message_ids.response), pdu.request
        origin: Origin
        if whole is None:
            origin = SubmitOrigin(client, pdu.sequence_number, self)
        else:
            assert isinstance(whole, MultiOrigin)
            origin, client_id = whole, whole.id_of_all(client_id)
        lane = checked.lane if rule.lane is None else rule.lane
        group = None
        if sm.esm_class & UDHI or sm.tlvs_at != len(sm.octets):
            group = self._long_messages.join(account.name, sm, rule, now)
            if group is not None:
                group.members.append(router_id)
        plan = rule.next_plan() if group is None else group.plan
        if senders is not None:  # Of a long message the first part may be of before a reload.
            plan = senders.plan(plan, sm.source_addr, now_utc) or plan
        if self._data_sm.until and pdu.command_id == v.DATA_SM:
            plan = self._data_sm.plan(plan, now)
        message = Message(
            router_id=router_id,
            client_id=client_id,
            account=account.name,
            lane=lane,
            plan=plan,
            command_id=pdu.command_id,
            octets=to_keep(sm, checked),
            source_octets=sm.source_octets,
            destination_octets=sm.destination_octets,
            registered_delivery=wanted(sm.registered_delivery, client.session),
            accepted_at=arrived_at,
            accepted_utc=now_utc,
            expires_utc=rules.checks.expires_utc(checked, lane, now_utc),
            not_before_utc=not_before_utc,
            origin=origin,
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
        if retries is not None:
            remembered = self._client_retries.remember(
                client, router_id, message.client_id, fingerprint, retries, arrived_at
            )
            message.origin = RememberedOrigin(message.origin, remembered, self)
            self._commits.accepts.unseen_answers.append((message, fingerprint))
        if message.size != len(pdu.octets):
            client.admission.resize(message.size - len(pdu.octets))
        accepts = self._commits.accepts
        accepts.accepted.append(message)
        accepts.accepted_octets += message.size
        if not self._turn.is_ending:
            self._turn.end_soon()

    def _repeats(
        self, client: Client, pdu: Pdu, first: Remembered, arrived_at: float, now: float
    ) -> None:
        """Answer a submit that repeats one, or have it wait for that one: no message is made."""
        self.rooms.give(client.account.name, len(pdu.octets))
        why = f"a retry: message {first.client_id.decode('latin-1')} was accepted"
        client.tell(Note("submit.recognised", pdu.command_id, why=why))
        self._client_retries.take_over(first, client, arrived_at)
        retry = Retry(client, pdu, arrived_at)
        if first.is_kept:
            self._answer_retry(retry, first.client_id, v.ESME_ROK, now)
            self._client_retries.answered(first, now)
        else:
            first.waiting.append(retry)

    def first_kept(self, first: Remembered, now: float) -> None:
        """Answer the retries of a message that the journal has now."""
        for retry in self._client_retries.kept(first, now):
            self._answer_retry(retry, first.client_id, v.ESME_ROK, now)

    def first_not_kept(self, first: Remembered, refusal: Refusal, now: float) -> None:
        """Refuse the retries of a message that was promised to nobody."""
        for retry in self._client_retries.not_kept(first):
            self.counters.refused_pdus[refusal.reason] += 1
            self._answer_retry(retry, first.client_id, refusal.status, now)

    def _answer_retry(self, retry: Retry, client_id: ClientId, status: int, now: float) -> None:
        client = retry.client
        account = client.account.settings
        self.counters.submits[account.name, account.lane, status] += 1
        self.counters.submit_response_s[account.name].add(now - retry.arrived_at)
        client.admission.answered(retry.octets)
        if client.session.state is not State.CLOSED:
            octets = response(retry.command_id, retry.sequence_number, status, client_id + b"\0")
            client.session.respond(octets)
            self._turn.write(client)

    def unbound(self, client: Client, now: float) -> None:
        """A client's bind has ended: it may not have seen its last answers."""
        self._client_retries.unbound(client, now)

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
        self.decided(client, message, status, now)
        session = client.session
        if session.state is not State.CLOSED:
            body = message.client_id + b"\0"
            tlvs = b""
            if session.interface_version >= v.VERSION_5_0:
                tlvs = self.tlvs(client, JOURNAL_DOWN if status else None, now)
                body += tlvs
            session.respond(response(message.command_id, sequence_number, status, body, tlvs))

    def decided(self, client: Client, message: Message, status: int, now: float) -> None:
        """Count what a message that was let in is answered."""
        message.origin = None
        message.answered_at = now
        account, counters = message.account, self.counters
        counters.submits[account, message.lane, status] += 1
        counters.submit_response_s[account].add(now - message.accepted_at)
        client.admission.answered(message.size)
        self._turn.write(client)  # Also where nothing is written yet: what is held may go on.

    def answer_all(self, client: Client, octets: bytes) -> None:
        """Write the answer to a submit_multi."""
        if client.session.state is not State.CLOSED:
            client.session.respond(octets)
            self._turn.write(client)

    def tlvs(self, client: Client, refusal: Refusal | None, now: float) -> bytes:
        """Return what a client of version 5.0 reads beside the status of its submit.

        How full its window, its rate and its room are, in percent, and why it was refused.
        """
        percent = round(100 * client.admission.used(now))
        if refusal is not None and refusal.status in _SENDS_TOO_MUCH:
            percent = 100
        octets = tlv(v.CONGESTION_STATE, bytes((percent,)))
        if refusal is not None:
            why = refusal.why or refusal.reason.replace("_", " ")
            octets += tlv(v.ADDITIONAL_STATUS_INFO_TEXT, why.encode("ascii", "replace") + b"\0")
        return octets

    def _not_accepted(
        self, one: Candidate | None, client: Client, pdu: Pdu, refusal: Refusal, now: float
    ) -> None:
        """Refuse what the policy of its account, if it has one, has let pass."""
        if one is not None:
            one.refused()
        self._not_taken(client, pdu, refusal, now)

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
        session, whole = client.session, pdu.request
        # Else it is our doing, or has its price: for each that is so refused another is taken.
        if refusal.status != v.ESME_RSYSERR and refusal is not CONGESTED:
            session.useless += 1
        if whole is not None:
            assert isinstance(whole, MultiOrigin)
            whole.not_accepted(Sm(pdu).destination_octets, refusal, now)
            return
        tlvs = b""
        if session.interface_version >= v.VERSION_5_0:
            tlvs = self.tlvs(client, refusal, now)
        number = pdu.sequence_number
        session.respond(response(pdu.command_id, number, refusal.status, b"", tlvs))
        self._turn.write(client)

    def refuse_list(self, client: Client, pdu: Pdu, now: float) -> None:
        """Refuse one name of a submit_multi that is no number: there are no distribution lists."""
        self._refuse(client, pdu, DISTRIBUTION_LIST, now)

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
            if pdu.command_id == v.SUBMIT_MULTI:  # It could not be read.
                raise BodyError("", refusal.status)
        except BodyError:
            source = destination = ""
            came = submitted(client.address, client.bind_type, 0, 0, "")
        else:
            source = sm.source_octets[2:-1].decode("latin-1")
            destination = sm.destination_octets[2:-1].decode("latin-1")
            came = submitted(client.address, client.bind_type, sm.data_coding, 1, refusal.rule)
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


class RememberedOrigin:
    """The same of a message whose retries are recognised; those wait with it."""

    __slots__ = ("_intake", "_origin", "_remembered")

    def __init__(self, origin: Origin | None, remembered: Remembered, intake: Intake) -> None:
        self._origin = origin
        self._remembered = remembered
        self._intake = intake

    def accepted(self, message: Message, now: float) -> None:
        """Answer ESME_ROK, also to those who have sent it again meanwhile."""
        if self._origin is not None:
            self._origin.accepted(message, now)
        self._intake.first_kept(self._remembered, now)

    def refused(self, message: Message, refusal: Refusal, now: float) -> None:
        """Answer with the status of the refusal, also to those."""
        if self._origin is not None:
            self._origin.refused(message, refusal, now)
        self._intake.first_not_kept(self._remembered, refusal, now)


class MultiOrigin:
    """A client's bind that waits for the submit_multi_resp: the origin of a message per number."""

    __slots__ = (
        "_accepted",
        "_client",
        "_intake",
        "_left",
        "_multi",
        "_next",
        "_refusal",
        "_unsuccess",
        "message_id",
    )

    def __init__(self, client: Client, multi: SubmitMulti, intake: Intake) -> None:
        self._client = client
        self._multi = multi
        self._intake = intake
        self._next = 0
        """How many of its numbers have been dealt with."""
        self._left = len(multi.destinations)
        """Of how many it is not decided yet whether they are accepted."""
        self._accepted: list[Message] = []
        self._refusal: Refusal | None = None
        """Why all that were refused were refused, as far as that is the same."""
        self._unsuccess: list[tuple[bytes, int]] = []
        """The addresses that were refused, and the status of each."""
        self.message_id = ClientId(b"")
        """The id of all its messages: that of the first; empty before."""

    @property
    def is_in(self) -> bool:
        """Whether all its numbers have been dealt with; some may be held or unanswered."""
        return self._next == len(self._multi.destinations)

    def go_on(self, most: int, now: float, take: Callable[[Pdu, float], None]) -> int:
        """Deal with so many numbers at most; return how many fewer there were.

        `take` has a submit_sm let in, or refused.
        """
        multi, intake, client = self._multi, self._intake, self._client
        numbers = multi.destinations[self._next : self._next + most]
        self._next += len(numbers)
        for octets, is_list in numbers:
            pdu = multi.submit_sm(octets)
            pdu.request = self
            if is_list:
                intake.refuse_list(client, pdu, now)
            else:
                take(pdu, now)
        return most - len(numbers)

    def id_of_all(self, client_id: ClientId) -> ClientId:
        """Return the id for one more message, which has been given this one."""
        if not self.message_id:
            self.message_id = client_id
        return self.message_id

    def accepted(self, message: Message, now: float) -> None:
        """Note that the journal has a message; the answer waits for the others."""
        self._intake.decided(self._client, message, v.ESME_ROK, now)
        self._accepted.append(message)
        if self._left > 1:  # Until the client has the id, a receipt must not tell it.
            message.hold_receipt = True
            message.answered_at = now + LONGEST_HOLD_S
        self._one_is_decided(now)

    def refused(self, message: Message, refusal: Refusal, now: float) -> None:
        """Note that the journal has not got a message."""
        pdu = Pdu(message.command_id, 0, self._multi.sequence_number, message.octets)
        self._intake.count_refusal(self._client, pdu, refusal, now)
        self._intake.decided(self._client, message, refusal.status, now)
        self.not_accepted(message.destination_octets, refusal, now)

    def not_accepted(self, destination_octets: bytes, refusal: Refusal, now: float) -> None:
        """Note that a number was refused, which has been counted."""
        is_same = self._refusal is None or self._refusal == refusal
        self._refusal = refusal if is_same else SEVERAL_REASONS
        self._unsuccess.append((destination_octets, refusal.status))
        self._one_is_decided(now)

    def _one_is_decided(self, now: float) -> None:
        self._left -= 1
        if self._left == 0:
            self._answer(now)

    def _answer(self, now: float) -> None:
        """Tell the client of all its numbers."""
        client = self._client
        session = client.session
        holds = session.state is not State.BOUND_TRX
        for message in self._accepted:
            message.hold_receipt = holds
            message.answered_at = now
        status, refusal = v.ESME_ROK, None
        if not self._accepted:
            statuses = {code for _, code in self._unsuccess}
            status = statuses.pop() if len(statuses) == 1 else v.ESME_RSUBMITFAIL
            refusal = self._refusal
        message_id = self.message_id if self._accepted else b""
        tlvs = b""
        if session.interface_version >= v.VERSION_5_0:
            tlvs = self._intake.tlvs(client, refusal, now)
        number = self._multi.sequence_number
        octets = submit_multi_response(number, status, message_id, self._unsuccess, tlvs)
        self._intake.answer_all(client, octets)


def wanted(registered_delivery: int, session: Session) -> int:
    """Return the registered_delivery that a client asked for.

    3 means successes only since 5.0; before, it was reserved, and a client that sends it all the
    same wants to hear how it ended.
    """
    if registered_delivery & 3 == 3 and session.interface_version < v.VERSION_5_0:
        return registered_delivery & ~3 | 1
    return registered_delivery
