"""A simulated operator without its sockets: octets and `now` in, octets out through each session.

It answers after its latency and with its own ids, throttles strictly, sends receipts, and
misbehaves as its scenario says. The owner of the connections

- calls `connected`, then `arrived` with what was read and when, and `lost` at the end,
- after each of these and after `wake` writes what the `touched` links have to say,
- cuts a link whose `cut` is set, and closes one whose session is CLOSED,
- calls `wake` when `wake_at` has passed.

Every submit_sm and data_sm that arrives counts, throttled or not: that is what an operator sees.
"""

from collections.abc import Sequence
from math import ceil
from random import Random
from typing import Final, NamedTuple

from router.smpp import pdu as p
from router.smpp import states
from router.smpp import vocabulary as v
from router.smpp.pdu import BindRequest, BodyError, Pdu, Sm
from router.smpp.receipt import State as Message
from router.smpp.session import Session, Timers
from router.smpp.states import Side, State
from simulators import receipts
from simulators.behaviour import Behaviour
from simulators.counting import NEVER, Allowance, Schedule
from simulators.ids import LARGEST, SMALLEST, MessageIds
from simulators.messages import number_pattern, sender_address
from simulators.mood import ANSWER_LOST, NACK, SILENT, TAKE, Mood
from simulators.outbox import TEMPORARY, Delivery, Link, Outbox
from simulators.scenario import Agenda, Event, Phase, Scenario
from simulators.tally import Delivered, Tally

TIMERS: Final = Timers(bind_s=30.0, enquire_link_s=30.0, response_s=30.0)
LONGEST_PDU_OCTETS: Final = 70_000
SESSIONS_EVERY_S: Final = 0.25
"""How often sessions look at their timers: those are of 30 s, so a quarter second is exact."""
SLACK_S: Final = 0.0005
FIRST_ORPHAN: Final = 90_000_000_000
"""Ids of receipts for which no message was submitted here: far beyond those that are given."""
"""What is due so soon is due now: loops wake by the millisecond, some a little early."""
AFTER_ITS_RECEIPT_S: Final = 0.05
"""An answer that is to come after its receipt comes at least so much later."""

_REFUSALS: Final = {
    v.QUERY_SM: v.ESME_RQUERYFAIL,
    v.CANCEL_SM: v.ESME_RCANCELFAIL,
    v.REPLACE_SM: v.ESME_RREPLACEFAIL,
}
"""How what is asked about a message is refused."""
_DELIVERED: Final = frozenset({v.DELIVER_SM | v.RESPONSE, v.DATA_SM | v.RESPONSE, v.GENERIC_NACK})
_SUBMITS: Final = frozenset({v.SUBMIT_SM, v.DATA_SM})


class Planned(NamedTuple):
    """A final receipt that goes out later."""

    delivery: Delivery
    sm: Sm
    receipt_id: bytes
    due_at: float


class Smsc:
    """One operator with all its clients."""

    def __init__(
        self,
        scenario: Scenario,
        rng: Random,
        *,
        now: float,
        now_utc: float,
        system_id: str | None = None,
        password: str | None = None,
        log: list[tuple[bytes, float]] | None = None,
    ) -> None:
        """Keep in `log` the octets of each deliver_sm and when they were sent."""
        self.touched: set[Link] = set()
        """Links with something to write, to cut or to close; the shell empties this set."""
        self.bound: list[Link] = []
        """All that ever were, in order of binding."""
        self.outboxes: dict[str, Outbox] = {}
        self.tally = Tally(now)
        self._rng = rng
        self._login = (system_id, password)
        self._log = log
        self._ids = MessageIds(rng.randrange(SMALLEST, LARGEST))
        self._before: tuple[bytes, bytes, bytes] | None = None
        """The number of the message taken last, and its id in its response and in its receipt."""
        self._dates = receipts.Dates(now, now_utc)
        self._planned: dict[bytes, Planned] = {}
        """The final receipt of each message by its id, where a cancel_sm may change it."""
        self._links: set[Link] = set()
        self._binds: Schedule[tuple[Link, BindRequest, int]] = Schedule(0.001)
        # Finer than what waits long: the latency of an answer is what clients measure.
        self._answers: Schedule[tuple[Link, list[bytes]]] = Schedule(0.0001)
        self._batch: list[bytes] = []
        """Answers to what was read at once, all due at one time."""
        self._began_at = now
        self._deliveries: Schedule[Delivery] = Schedule(0.002)
        self._sessions_at = now + SESSIONS_EVERY_S
        self._agenda = Agenda(scenario, now)
        self._allowance: Allowance | None = None
        self._inbound_at = NEVER
        self._orphans_at = NEVER
        self._orphans = FIRST_ORPHAN
        self._mood = Mood(Behaviour(), rng)
        self._behave(scenario.phases[0].behaviour, now)

    # Connections.

    def connected(self, remote_port: int, now: float) -> Link:
        """Begin a session with a client that has connected."""
        link = Link(Session(Side.MC, TIMERS, LONGEST_PDU_OCTETS, now), remote_port)
        self._links.add(link)
        return link

    def lost(self, link: Link, now: float) -> None:
        """Note that a connection has ended, on either side."""
        self._links.discard(link)
        outbox = link.outbox or self.outboxes.get(link.system_id)
        self._not_receiving(link)
        if outbox is not None:
            self._put_back(outbox, link.session.close(), now)
        self._take_notes(link)

    def _take_notes(self, link: Link) -> None:
        notes, link.session.notes = link.session.notes, []
        self.tally.notes.update(note.event for note in notes)

    def arrived(self, link: Link, octets: bytes, now: float) -> None:
        """These octets were read at `now`."""
        self._handle(link, link.session.receive(octets, now), now)
        if link.session.notes:
            self._take_notes(link)
        self.touched.add(link)

    def _handle(self, link: Link, pdus: list[Pdu], now: float) -> None:
        submits: list[Pdu] = []
        for pdu in pdus:
            command_id = pdu.command_id
            if command_id in _DELIVERED:
                self._acknowledged(link, pdu, now)
            elif command_id in states.BOUND_BY:
                self._bind_asked(link, pdu, now)
            elif command_id in _REFUSALS:
                self._asked(link, pdu, now)
            elif command_id in _SUBMITS:
                submits.append(pdu)
            else:  # It is served by routers, and not by this.
                nack = p.build(v.GENERIC_NACK, v.ESME_RINVCMDID, pdu.sequence_number)
                link.session.respond(nack)
        if submits:
            self._submitted(link, submits, now)
        if link.outbox is not None:
            if link.session.state not in states.BOUND:
                self._not_receiving(link)
            elif link.outbox.waiting:
                self._pump(link.outbox, now)

    def _not_receiving(self, link: Link) -> None:
        if link.outbox is not None:
            link.outbox.remove(link)

    def _pump(self, outbox: Outbox, now: float) -> None:
        behaviour = self._mood.behaviour
        outbox.pump(behaviour.deliver_window, behaviour.receipt_bind, now)

    def _put_back(self, outbox: Outbox, lost: list[object], now: float) -> None:
        deliveries = [delivery for delivery in lost if isinstance(delivery, Delivery)]
        for delivery in deliveries:
            self._counts_of(delivery).unacknowledged += 1
        outbox.put_back(deliveries)
        self._pump(outbox, now)

    # Binding.

    def _bind_asked(self, link: Link, pdu: Pdu, now: float) -> None:
        try:
            request = BindRequest(pdu)
        except BodyError as error:
            link.session.refuse_bind(b"simulator", error.status)
            return
        wait_s = self._mood.behaviour.bind_latency.at(self._rng.random())
        if wait_s:
            self._binds.add(now + wait_s, (link, request, pdu.command_id))
        else:
            self._answer_bind(link, request, pdu.command_id, now)

    def _answer_bind(self, link: Link, request: BindRequest, command_id: int, now: float) -> None:
        if link.session.state is not State.BINDING:
            return  # The client did not wait for it.
        self.touched.add(link)
        status = self._bind_verdict(request)
        if status:
            link.session.refuse_bind(b"simulator", status)
            return
        link.system_id = request.system_id.decode("latin-1")
        self.bound.append(link)
        link.number = len(self.bound)
        if self._mood.behaviour.binds_rate is not None:
            link.allowance = Allowance(self._mood.behaviour.binds_rate)
        self._agenda.begin("bind", now)
        version = request.interface_version
        if version not in (v.VERSION_3_3, v.VERSION_5_0):
            version = v.VERSION_3_4
        held = link.session.accept_bind(b"simulator", version, now)
        if command_id != v.BIND_TRANSMITTER:
            outbox = self.outboxes.get(link.system_id)
            if outbox is None:
                outbox = self.outboxes[link.system_id] = Outbox(
                    link.system_id, self.touched, self._log
                )
            outbox.add(link)
        self._handle(link, held, now)

    def _bind_verdict(self, request: BindRequest) -> int:
        system_id, password = self._login
        if system_id is not None and request.system_id != system_id.encode():
            return v.ESME_RINVSYSID
        if password is not None and request.password != password.encode():
            return v.ESME_RINVPASWD
        return self._mood.bind_status()

    # Messages in.

    def _submitted(self, link: Link, pdus: Sequence[Pdu], now: float) -> None:
        count = len(pdus)
        self._agenda.begin("submit", now)
        self.tally.arrived(link, count, now)
        answer = self._answer
        for pdu in pdus:
            answer(link, pdu, now)
            if link.cut:  # What lies behind is not read, and nothing before it is answered.
                break
        if self._batch:
            due_at = self._goes_out_at(now + self._mood.behaviour.latency.shortest_s)
            self._answers.add(due_at, (link, self._batch))
            self._batch = []
        every = self._mood.behaviour.disconnect_every
        if every is not None and link.submits // every > (link.submits - count) // every:
            link.cut = True

    def _answer(self, link: Link, pdu: Pdu, now: float) -> None:
        """Judge one submit_sm or data_sm, and have it answered in its time."""
        try:
            sm = Sm(pdu)
        except BodyError as error:
            self._refuse(link, pdu, error.status, now)
            return
        allowance, all_binds = link.allowance, self._allowance
        if (allowance is not None and not allowance.has_room(now)) or (
            all_binds is not None and not all_binds.has_room(now)
        ):
            link.throttled += 1
            self._refuse(link, pdu, v.ESME_RTHROTTLED, now)
            return
        behaviour = self._mood.behaviour
        if behaviour.hang_up_at and behaviour.hang_up_at in sm.message:
            link.cut = True
            self.touched.add(link)
            return
        fate = TAKE if self._mood.calm else self._mood.fate(sm.destination_addr)
        if behaviour.silent_at and behaviour.silent_at in sm.message:
            fate = SILENT
        if fate > 0:
            self._refuse(link, pdu, fate, now)
        elif fate == SILENT:
            self.tally.silent += 1
            link.session.respond(b"")  # Nothing, but the session no longer owes it.
        elif fate == NACK:
            self.tally.nacked += 1
            status = self._mood.behaviour.nack_status
            self._reply(link, p.build(v.GENERIC_NACK, status, pdu.sequence_number), now)
        else:
            if allowance is not None:
                allowance.take(now)
            if all_binds is not None:
                all_binds.take(now)
            self._take(link, pdu, sm, fate, now)

    def _take(self, link: Link, pdu: Pdu, sm: Sm, fate: int, now: float) -> None:
        self.tally.took(link, sm)
        in_response, in_receipt = self._ids.take(self._mood.behaviour.ids)
        in_tlv = b""
        if self._mood.mixes_ids:
            in_response, in_receipt, in_tlv = self._mixed(sm, in_response, in_receipt)
        not_before = now
        if sm.registered_delivery & receipts.ANY:
            not_before = self._plan_receipts(link, sm, in_response, in_receipt, in_tlv, now)
        if fate == ANSWER_LOST:
            self.tally.answers_lost += 1
            link.session.respond(b"")
            return
        self.tally.statuses[0] += 1
        body = in_response + b"\0"
        octets = p.build(pdu.command_id | v.RESPONSE, 0, pdu.sequence_number, body)
        self._reply(link, octets, now, not_before)

    def _asked(self, link: Link, pdu: Pdu, now: float) -> None:
        """Refuse a query_sm, cancel_sm or replace_sm; or grant a cancel_sm."""
        self.tally.asked += 1
        status = _REFUSALS[pdu.command_id]
        if pdu.command_id == v.CANCEL_SM and self._mood.grants_cancel():
            message_id = pdu.octets[16:].split(b"\0", 2)[1]
            planned = self._planned.pop(message_id, None)
            if planned is not None and now < planned.due_at:
                self._cancel(link, planned, now)
                status = v.ESME_ROK
        link.session.respond(p.response(pdu.command_id, pdu.sequence_number, status))

    def _cancel(self, link: Link, planned: Planned, now: float) -> None:
        """Send a receipt that says DELETED now, and not the one that was planned."""
        was = planned.delivery
        was.is_over = True
        self.tally.receipts.due -= 1
        octets = self._receipt(link, planned.sm, planned.receipt_id, b"", Message.DELETED, now, now)
        self._deliver(Delivery(octets, was.outbox, was.submitter, inbound=False), now)

    def _mixed(self, sm: Sm, in_response: bytes, in_receipt: bytes) -> tuple[bytes, bytes, bytes]:
        """Return the ids of a message, and the TLV's where it is that of the message before."""
        before, self._before = self._before, (sm.destination_addr, in_response, in_receipt)
        if before is None or before[0] == sm.destination_addr:
            return in_response, in_receipt, b""
        if self._mood.reuses_id():
            self._before = None  # No third message has to do with this id.
            return before[1], before[2], b""
        return in_response, in_receipt, before[2] if self._mood.crosses_id() else b""

    def _refuse(self, link: Link, pdu: Pdu, status: int, now: float) -> None:
        self.tally.statuses[status] += 1
        self._reply(link, p.response(pdu.command_id, pdu.sequence_number, status), now)

    def _reply(self, link: Link, octets: bytes, now: float, not_before: float = 0.0) -> None:
        latency = self._mood.behaviour.latency
        if latency.fixed and latency.shortest_s > max(not_before - now, 0.0):
            self._batch.append(octets)
            return
        due_at = self._goes_out_at(max(now + self._mood.latency_s(), not_before))
        if due_at > now:
            self._answers.add(due_at, (link, [octets]))
        else:
            link.session.respond(octets)

    def _goes_out_at(self, ready_at: float) -> float:
        """Return when an answer that is ready then goes out: at once, or with the next batch."""
        every_s = self._mood.behaviour.answers_every
        if not every_s:
            return ready_at
        return self._began_at + ceil((ready_at - self._began_at) / every_s) * every_s

    # Messages out.

    def _plan_receipts(
        self, link: Link, sm: Sm, message_id: bytes, receipt_id: bytes, in_tlv: bytes, now: float
    ) -> float:
        """Have the receipts sent in their time; return when the answer may go out."""
        mood, requested = self._mood, sm.registered_delivery
        outbox = self.outboxes.get(link.system_id)
        if outbox is None:  # Bound as a transmitter only, so far.
            outbox = self.outboxes[link.system_id] = Outbox(link.system_id, self.touched, self._log)
        first = mood.receipt_first()
        wait_s = 0.0 if first else mood.receipt_wait_s()
        state = mood.receipt_state(sm.destination_addr)
        if requested & receipts.INTERMEDIATE:
            half_at = now + wait_s / 2
            notice = self._receipt(link, sm, receipt_id, in_tlv, Message.ENROUTE, now, half_at)
            self._deliver(Delivery(notice, outbox, link, inbound=False), half_at)
        if state is None:
            self.tally.receipts_withheld += 1
        elif receipts.wanted(requested, state):
            octets = self._receipt(link, sm, receipt_id, in_tlv, state, now, now + wait_s)
            for _ in range(2 if mood.receipt_twice() else 1):
                delivery = Delivery(octets, outbox, link, inbound=False)
                self._deliver(delivery, now + wait_s)
                if mood.behaviour.cancel_sm:
                    self._planned[message_id] = Planned(delivery, sm, receipt_id, now + wait_s)
        return now + AFTER_ITS_RECEIPT_S if first else now

    def _receipt(
        self,
        link: Link,
        sm: Sm,
        receipt_id: bytes,
        in_tlv: bytes,
        state: Message,
        now: float,
        done_at: float,
    ) -> bytes:
        old = link.session.interface_version < v.VERSION_3_4
        return receipts.write(
            sm,
            receipt_id,
            state,
            form="text" if old else self._mood.behaviour.receipt_form,
            text=self._mood.receipt_text(),
            in_tlv=b"" if old else in_tlv,
            final=state is not Message.ENROUTE,
            submitted=self._dates.at(now),
            done=self._dates.at(done_at),
        )

    def _deliver(self, delivery: Delivery, due_at: float) -> None:
        self.tally.receipts.due += 1
        self._deliveries.add(due_at, delivery)

    def _acknowledged(self, link: Link, pdu: Pdu, now: float) -> None:
        delivery = pdu.request
        if not isinstance(delivery, Delivery):
            return
        if delivery.is_over:
            return
        counts = self._counts_of(delivery)
        status = pdu.command_status
        if status == v.ESME_ROK and pdu.command_id != v.GENERIC_NACK:
            link.receipts += not delivery.inbound
            counts.acked += 1
            delivery.is_over = True
            return
        counts.refused[status] += 1
        if status not in TEMPORARY:
            counts.refused_for_good += 1
            delivery.is_over = True
        elif pdu.sent_at:  # Else it came so late that it has been sent again.
            wait_s = self._mood.behaviour.receipt_retry.at(self._rng.random())
            self._deliveries.add(now + wait_s, delivery)

    def _counts_of(self, delivery: Delivery) -> Delivered:
        return self.tally.inbound if delivery.inbound else self.tally.receipts

    def _send_inbound(self, now: float) -> None:
        inbound = self._mood.behaviour.inbound
        assert inbound is not None
        source = number_pattern(inbound.source)
        while self._inbound_at <= now:
            self._inbound_at += 1.0 / inbound.rate.per_second
            boxes = [box for box in self.outboxes.values() if box.links]
            if not boxes:
                continue  # No bind to send it on: a subscriber's message is not kept here.
            self.tally.inbound.due += 1
            box = boxes[self.tally.inbound.due % len(boxes)]
            octets = p.sm(
                v.DELIVER_SM,
                0,
                source=sender_address(source.number(self._rng)),
                destination=sender_address(inbound.destination),
                short_message=inbound.text,
                data_coding=inbound.data_coding,
            )
            box.waiting.append(Delivery(octets, box, None, inbound=True))
            self._pump(box, now)

    def _send_orphans(self, now: float) -> None:
        """Send receipts of messages that another system has submitted, or nobody."""
        rate = self._mood.behaviour.orphans
        assert rate is not None
        while self._orphans_at <= now:
            self._orphans_at += 1.0 / rate.per_second
            boxes = [box for box in self.outboxes.values() if box.links]
            if not boxes:
                continue
            self._orphans += 1
            self.tally.inbound.due += 1
            box = boxes[self._orphans % len(boxes)]
            minute = self._dates.at(now)
            octets = p.sm(
                v.DELIVER_SM,
                0,
                source=(1, 1, b"%d" % self._orphans),
                destination=(5, 0, b"OTHER"),
                esm_class=4,
                short_message=b"id:%d sub:001 dlvrd:001 submit date:%b done date:%b "
                b"stat:DELIVRD err:000 text:" % (self._orphans, minute, minute),
            )
            box.waiting.append(Delivery(octets, box, None, inbound=True))
            self._pump(box, now)

    # Time.

    def wake_at(self) -> float:
        """Return when `wake` is next needed."""
        return min(
            self._answers.next_at(),
            self._deliveries.next_at(),
            self._binds.next_at(),
            self._agenda.next_at(),
            self._sessions_at,
            self._inbound_at,
            self._orphans_at,
        )

    def wake(self, now: float) -> None:
        """Do what is due."""
        soon = now + SLACK_S
        for entry in self._agenda.due(soon) if self._agenda.next_at() <= soon else ():
            self._happen(entry, now)
        for link, request, command_id in self._binds.due(soon):
            self._answer_bind(link, request, command_id, now)
        for link, answers in self._answers.due(soon):
            if link.session.state is not State.CLOSED:
                for octets in answers:
                    link.session.respond(octets)
                self.touched.add(link)
        for delivery in (due := self._deliveries.due(soon)):
            if not delivery.is_over:
                delivery.outbox.waiting.append(delivery)
        for outbox in {delivery.outbox for delivery in due}:
            self._pump(outbox, now)
        if self._inbound_at <= soon:
            self._send_inbound(soon)
        if self._orphans_at <= soon:
            self._send_orphans(soon)
        if self._sessions_at <= now:
            self._wake_sessions(now)

    def _wake_sessions(self, now: float) -> None:
        self._sessions_at = now + SESSIONS_EVERY_S
        for link in self._links:
            if link.session.wake_at() > now:
                continue
            overdue = link.session.wake(now)
            if overdue:
                self._put_back(self.outboxes[link.system_id], overdue, now)
            self.touched.add(link)

    # The scenario.

    def _happen(self, entry: Phase | Event, now: float) -> None:
        if isinstance(entry, Phase):
            self._behave(entry.behaviour, now)
            return
        for link in [*self._links]:
            if link.number and (entry.binds is None or link.number in entry.binds):
                if entry.do == "disconnect":
                    link.cut = True
                elif link.session.state in states.BOUND:
                    self._not_receiving(link)
                    link.session.unbind(now)
                self.touched.add(link)

    def _behave(self, behaviour: Behaviour, now: float) -> None:
        before = self._mood.behaviour
        self._mood = Mood(behaviour, self._rng)
        if (rate := behaviour.binds_rate) != before.binds_rate:
            for link in self._links:
                link.allowance = Allowance(rate) if rate and link.number else None
        if (rate := behaviour.operator_rate) != before.operator_rate:
            self._allowance = Allowance(rate) if rate else None
        if behaviour.inbound != before.inbound:
            self._inbound_at = NEVER if behaviour.inbound is None else now
        if behaviour.orphans != before.orphans:
            self._orphans_at = NEVER if behaviour.orphans is None else now

    def read_pause_s(self) -> float:
        """Return how long a connection rests after each read."""
        pause = self._mood.behaviour.read_pause
        return 0.0 if pause is None else pause.at(self._rng.random())

    def totals(self) -> dict[str, object]:
        """Return what there is to say at the end."""
        return self.tally.totals(self.bound, self.outboxes.values())
