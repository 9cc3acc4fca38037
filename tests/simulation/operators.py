"""Operators that keep their word badly: far ends of the router's binds, with a memory of their own.

An operator outlives the router: what it took it has taken, and its receipts come to whoever is
bound. It counts every submit_sm when it arrives.
"""

from dataclasses import dataclass, field
from zlib import crc32

from router.forward.bind import OperatorLink
from router.forward.pool import Bind
from router.smpp import pdu as p
from router.smpp import receipt as r
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu
from router.smpp.receipt import State
from router.terms.names import BindName
from router.terms.settings import IdForm, MessageIdSettings, OperatorSettings, Settings
from tests.simulation.ledger import NEVER, Inbound, Taken, Writing
from tests.simulation.promises import Promises
from tests.simulation.records import is_final
from tests.simulation.scenario import SHORT_CODE, OperatorMood
from tests.simulation.world import Connection, Event, Loop, Process, garbage

_WORDS = {
    State.DELIVERED: b"DELIVRD",
    State.ACCEPTED: b"ACCEPTD",
    State.EXPIRED: b"EXPIRED",
    State.REJECTED: b"REJECTD",
    State.UNKNOWN: b"UNKNOWN",
    State.UNDELIVERABLE: b"UNDELIV",
    State.ENROUTE: b"ENROUTE",
}


@dataclass(slots=True, eq=False)
class Due:
    """A deliver_sm that the operator owes: a receipt, or a subscriber's message."""

    octets: bytes
    taken: Taken | None = None
    state: State = State.UNKNOWN
    inbound: Inbound | None = None
    is_done: bool = False
    sent: int = 0
    """How often."""
    heard_at: float = NEVER
    """When the router heard it last."""


@dataclass(slots=True, eq=False)
class Session:
    """One connection, from an operator's side; see `FarEnd`."""

    operator: "Operator"
    bind: BindName
    connection: Connection
    command_id: int = 0
    """With which it is bound; 0 while it is not."""
    sequence: int = 0
    writings: dict[int, Writing] = field(default_factory=dict)
    """What the router wrote, by sequence_number."""
    delivered: dict[int, Due] = field(default_factory=dict)
    """deliver_sm that are not answered."""

    def wrote(self, pdu: Pdu) -> None:
        """See `FarEnd`."""
        self.operator.wrote(self, pdu)

    def arrived(self, pdu: Pdu) -> None:
        """See `FarEnd`."""
        self.operator.arrived(self, pdu)

    def lost(self) -> None:
        """See `FarEnd`."""
        self.operator.lost(self)


class Operator:
    """One operator."""

    def __init__(
        self, loop: Loop, promises: Promises, settings: Settings, mood: OperatorMood
    ) -> None:
        self.loop = loop
        self.rng = loop.rng
        self.promises = promises
        self.settings: OperatorSettings = settings.operators[mood.name]
        self.session_settings = settings.session
        self.mood = mood
        self.calm = False
        """It behaves."""
        self.is_down = False
        self.sessions: dict[Session, None] = {}
        self.owed: dict[Due, None] = {}
        """deliver_sm that no ESME_ROK has been seen for."""
        self._number = 700_000_000
        self._outage: Event | None = None
        for n in range(mood.subscribers):
            text = b"mo %b %d" % (mood.name.encode(), n)
            promises.inbound[text] = Inbound(text)
            self.loop.after(self.rng.random() * 20.0, lambda t=text: self._subscriber(t))  # type: ignore[misc]
        if mood.stays_s < 1e6:
            self._plan_outage()

    def behave(self) -> None:
        """From now on."""
        self.calm = True
        self.is_down = False
        self.mood.spikes = 0.0
        for session in self.sessions:
            session.connection.spike_share = 0.0

    # Connections.

    def connect(self, process: Process, bind: Bind, link: OperatorLink) -> bool:
        """A router connects; False if nobody listens."""
        if self.is_down:
            return False
        connection = Connection(process, link, self.mood.way_s)
        connection.spike_share = self.mood.spikes
        session = Session(self, bind.settings.name, connection)
        self.sessions[session] = None
        connection.open(session)
        return True

    def _plan_outage(self) -> None:
        delay_s = self.rng.expovariate(1.0 / self.mood.stays_s)
        self._outage = self.loop.after(delay_s, self._break_down)

    def _break_down(self) -> None:
        """Lose one connection or all, for a while."""
        if self.calm:
            return
        rng = self.rng
        sessions = list(self.sessions)
        if rng.random() < 0.4:
            self.is_down = True
            self.loop.after(rng.expovariate(1.0 / self.mood.away_s), self._come_back)
        else:
            sessions = sessions[:1]
        for session in sessions:
            match rng.randrange(4):
                case 0:
                    session.connection.hang_up()
                case 1:
                    session.connection.go_silent()
                case 2 if session.command_id:
                    session.sequence += 1
                    session.connection.send(p.build(v.UNBIND, 0, session.sequence))
                case _:
                    session.connection.cut()
        self._plan_outage()

    def _come_back(self) -> None:
        self.is_down = False

    def lost(self, session: Session) -> None:
        """A connection is gone, and with it what is not answered."""
        self.sessions.pop(session, None)
        session.command_id = 0
        unanswered, session.delivered = session.delivered, {}
        for due in unanswered.values():
            self._again(due)

    # What the router says.

    def wrote(self, session: Session, pdu: Pdu) -> None:
        """The router has written this."""
        if pdu.command_id in (v.SUBMIT_SM, v.DATA_SM):
            writing = self.promises.sent(self.mood.name, session.connection, pdu)
            session.writings[pdu.sequence_number] = writing
            if self.loop.telling:
                self.loop.tell(f"router    writes {writing.message.name} to {session.bind}")
        elif pdu.command_id in (v.DELIVER_SM_RESP, v.DATA_SM_RESP):
            due = session.delivered.get(pdu.sequence_number)
            if due is None:
                return
            if self.loop.telling:
                self.loop.tell(f"router    answers {_said(due)} with 0x{pdu.command_status:02X}")
            if pdu.command_status == 0:
                if due.taken is not None:
                    self.promises.receipt_acknowledged(due.taken, due.state, due.heard_at)
                elif due.inbound is not None:
                    self.promises.inbound_acknowledged(due.inbound)

    def arrived(self, session: Session, pdu: Pdu) -> None:
        """Something has come from the router."""
        command_id = pdu.command_id
        if command_id in (v.SUBMIT_SM, v.DATA_SM):
            writing = session.writings[pdu.sequence_number]
            if self.loop.telling:
                self.loop.tell(f"{session.bind:9} counts {writing.message.name}")
            self.promises.arrived(self.mood.name, session.bind)
            self._judge(session, writing, pdu)
        elif command_id in v.BINDS:
            self._judge_bind(session, pdu)
        elif command_id in (v.DELIVER_SM_RESP, v.DATA_SM_RESP):
            due = session.delivered.pop(pdu.sequence_number, None)
            if due is None or due.is_done:
                return
            if pdu.command_status == 0:
                due.is_done = True
                self.owed.pop(due, None)
            else:
                self._again(due)
        elif command_id == v.UNBIND:
            session.connection.send(p.response(command_id, pdu.sequence_number))
            session.connection.hang_up()
        elif command_id == v.UNBIND_RESP:
            session.connection.hang_up()
        elif not command_id & v.RESPONSE:
            session.connection.send(p.response(command_id, pdu.sequence_number))

    def _judge_bind(self, session: Session, pdu: Pdu) -> None:
        if not self.calm and self.rng.random() < self.mood.refuses_binds:
            if self.rng.random() < 0.3:
                return  # The router must not wait for ever.
            status = self.rng.choice((0x0D, 0x08, 0x0D, 0x05))
            session.connection.send(p.response(pdu.command_id, pdu.sequence_number, status))
            return
        session.command_id = pdu.command_id
        body = b"SMSC\0"
        session.connection.send(p.response(pdu.command_id, pdu.sequence_number, 0, body))

    # Messages.

    def _judge(self, session: Session, writing: Writing, pdu: Pdu) -> None:
        """Take it or not, answer or not."""
        mood, rng = self.mood, self.rng
        answer_s = mood.steady_s
        if mood.ponders_s:
            answer_s += rng.random() * mood.ponders_s
        if self.calm:
            self._take(session, writing, pdu, answer_s)
            return
        if rng.random() < mood.garbage:
            session.sequence += 1
            session.connection.send(garbage(rng, session.sequence))
        if rng.random() < mood.halts:
            session.connection.halt(rng.uniform(0.1, 1.2))
        if crc32(writing.message.name.encode()) % 1000 < mood.chokes * 1000:
            session.connection.hang_up()
            return
        chance = rng.random()
        for share, status in mood.statuses:
            chance -= share
            if chance < 0.0:
                self._answer(session, writing, pdu, status, None, answer_s)
                return
        for share, what in (
            (mood.silent_taken, "take"),
            (mood.silent_lost, "lose"),
            (mood.late, "late"),
            (mood.hangs_up, "hang up"),
        ):
            chance -= share
            if chance < 0.0:
                if what == "take":
                    self._take(session, writing, pdu, NEVER)
                elif what == "late":
                    late_s = self.session_settings.response_timeout_s * rng.uniform(0.9, 2.0)
                    self._take(session, writing, pdu, late_s)
                elif what == "hang up":
                    if rng.random() < 0.5:
                        self._take(session, writing, pdu, 0.0)
                    session.connection.hang_up()
                return
        self._take(session, writing, pdu, answer_s)

    def _take(self, session: Session, writing: Writing, pdu: Pdu, answer_s: float) -> None:
        self._number += 1
        number = self._number
        forms = self.settings.message_id or MessageIdSettings()
        no_id = not self.calm and self.rng.random() < self.mood.no_id
        taken = Taken(
            writing.message,
            writing,
            self.mood.name,
            key=b"" if no_id else b"%d" % number,
            id_in_answer=b"" if no_id else _written(number, forms.response),
            id_in_receipts=_written(number, forms.receipt),
        )
        self.promises.took(taken)
        early = not self.calm and self.rng.random() < self.mood.receipts_early
        if early and answer_s < NEVER:
            answer_s += self.rng.random()
        if answer_s < NEVER:
            self._answer(session, writing, pdu, 0, taken, answer_s)
        if writing.message.registered_delivery:
            self._owe_receipts(taken, 0.0 if early else min(answer_s, 10.0))

    def _answer(
        self,
        session: Session,
        writing: Writing,
        pdu: Pdu,
        status: int,
        taken: Taken | None,
        answer_s: float,
    ) -> None:
        body = b"" if taken is None else taken.id_in_answer + b"\0"
        octets = p.response(pdu.command_id, pdu.sequence_number, status, body)
        if status and self.rng.random() < 0.05:
            octets = p.build(v.GENERIC_NACK, status, pdu.sequence_number)

        def heard() -> None:
            if self.loop.telling:
                name = writing.message.name
                self.loop.tell(f"router    hears 0x{status:02X} for {name} from {session.bind}")
            self.promises.answer_heard(writing, status)

        self.loop.after(answer_s, lambda: session.connection.send(octets, heard))

    # Receipts and subscribers' messages.

    def _owe_receipts(self, taken: Taken, not_before_s: float) -> None:
        rng, mood = self.rng, self.mood
        message = taken.message
        if rng.random() < mood.receipts_never:
            return
        at_s = not_before_s + rng.expovariate(1.0 / mood.receipt_s)
        states = [State.DELIVERED]
        if rng.random() < mood.fails:
            states = [rng.choice((State.UNDELIVERABLE, State.EXPIRED, State.REJECTED))]
        elif message.registered_delivery & 3 == 2:
            return  # Only failures were asked for.
        if rng.random() < 0.15:
            states.insert(0, rng.choice((State.ACCEPTED, State.UNKNOWN)))
        if message.registered_delivery & 0x10 and rng.random() < 0.7:
            states.insert(0, State.ENROUTE)
        if rng.random() < mood.receipts_twice:
            states.append(states[-1])
        for state in states:
            self._owe(Due(self._receipt(taken, state), taken, state), at_s)
            if is_final(state, self.settings) and rng.random() < 0.8:
                if rng.random() < mood.receipts_twice:
                    self._owe(Due(self._receipt(taken, state), taken, state), at_s)
                return
            at_s += rng.expovariate(2.0)

    def _receipt(self, taken: Taken, state: State) -> bytes:
        message = taken.message
        word = _WORDS[state]
        if self.rng.random() < 0.2:
            word = word.lower()
        text = (
            b"id:%b sub:001 dlvrd:001 submit date:2701150800 done date:2701150801 stat:%b err:000 "
            b"text:" % (taken.id_in_receipts, word)
        )
        tlvs = b""
        if self.rng.random() < 0.2:
            tlvs = p.tlv(v.RECEIPTED_MESSAGE_ID, taken.id_in_receipts + b"\0")
            tlvs += p.tlv(v.MESSAGE_STATE, bytes((state,)))
        body = b"\0%b%b%c\0\0\0\0\0\0\0\0%c%b%b" % (
            message.destination,
            message.source,
            r.ESM_INTERMEDIATE if state is State.ENROUTE else r.ESM_RECEIPT,
            len(text),
            text,
            tlvs,
        )
        return p.build(v.DELIVER_SM, 0, 0, body)

    def _subscriber(self, text: bytes) -> None:
        octets = p.sm(
            v.DELIVER_SM,
            0,
            source=(1, 1, b"37255512345"),
            destination=(3, 0, SHORT_CODE.encode()),
            short_message=text,
        )
        self._owe(Due(octets, inbound=self.promises.inbound[text]), 0.0)

    def _owe(self, due: Due, at_s: float) -> None:
        self.owed[due] = None
        self.loop.after(at_s, lambda: self._send(due))

    def _send(self, due: Due) -> None:
        """Over any connection that can."""
        if due.is_done:
            return
        able = [one for one in self.sessions if one.command_id and not one.connection.is_silent]
        if not able:
            self.loop.after(0.5, lambda: self._send(due))
            return
        session = self.rng.choice(able)
        session.sequence += 1
        number = session.sequence
        session.delivered[number] = due
        due.sent += 1
        if due.taken is not None and is_final(due.state, self.settings):
            due.taken.finals_sent.append(due.state)
        if due.inbound is not None:
            due.inbound.sent += 1
        session.connection.send(p.relay(due.octets, number), lambda: self._heard(due))
        patience_s = self.mood.patience_s
        self.loop.after(patience_s, lambda: self._lose_patience(session, number))

    def _heard(self, due: Due) -> None:
        if self.loop.telling:
            self.loop.tell(f"router    hears {_said(due)}")
        due.heard_at = self.loop.now
        taken = due.taken
        if taken is not None and is_final(due.state, self.settings):
            taken.final_heard_at = min(taken.final_heard_at, self.loop.now)
            taken.first_final = taken.first_final or due.state

    def _lose_patience(self, session: Session, number: int) -> None:
        due = session.delivered.pop(number, None)
        if due is not None:
            self._again(due)

    def _again(self, due: Due) -> None:
        if not due.is_done:
            self.loop.after(self.rng.uniform(0.5, 2.0), lambda: self._send(due))


def _written(number: int, form: IdForm) -> bytes:
    return b"%x" % number if form == "hex" else b"%d" % number


def _said(due: Due) -> str:
    if due.taken is None:
        return "a subscriber's message"
    return f"{due.state.name} of {due.taken.message.name} from {due.taken.operator}"
