"""A simulated client without its sockets: octets and `now` in, octets out through each session.

Without a rate the loop is closed: each answer makes room for the next message in its bind's window.
With a rate the loop is open: message n is due at n / rate after the start, whatever the answers
do, and its latency counts from there; a system that stalls cannot hide it by making us wait.
"""

from dataclasses import dataclass
from math import ceil
from random import Random
from typing import Final, Literal

from router.smpp import pdu as p
from router.smpp import receipt
from router.smpp import vocabulary as v
from router.smpp.pdu import BodyError, Pdu, Sm
from router.smpp.session import Session, Timers
from router.smpp.states import BOUND, Side, State
from router.terms.limits import Rate
from simulators.counting import NEVER, Weighted
from simulators.ledger import Ledger, Notice
from simulators.messages import Messages

LONGEST_PDU_OCTETS: Final = 70_000
SESSIONS_EVERY_S: Final = 0.25
"""How often sessions look at their timers: those are of seconds."""
SLACK_S: Final = 0.0005
"""What is due so soon is due now: loops wake by the millisecond."""
SHORTEST_BEAT_S: Final = 0.002
"""A rate above 500/s comes in beats of 2 ms, with the messages of a beat due together: a timer for
each would cost more than the message."""
RUN: Final = 16
"""How many messages that are due at once go to one bind before it is the next one's turn: each
bind then has one longer write and not many short ones."""

BindType = Literal["transceiver", "transmitter", "receiver", "pair"]
COMMANDS: Final[dict[str, tuple[int, ...]]] = {
    "transceiver": (v.BIND_TRANSCEIVER,),
    "transmitter": (v.BIND_TRANSMITTER,),
    "receiver": (v.BIND_RECEIVER,),
    "pair": (v.BIND_TRANSMITTER, v.BIND_RECEIVER),
}
"""`pair` is what clients of the old school do: a transmitter and a receiver for each bind."""

_ANSWERS: Final = frozenset({v.SUBMIT_SM_RESP, v.GENERIC_NACK})
_BIND_ANSWERS: Final = frozenset(command | v.RESPONSE for command in v.BINDS)
_TRANSMITS: Final = frozenset({State.BOUND_TX, State.BOUND_TRX})


@dataclass(frozen=True, slots=True, kw_only=True)
class EsmeSettings:
    """How a client binds and submits."""

    system_id: str
    password: str
    accounts: int = 1
    """With more than one, binds log in as system_id with 1, 2, ... behind it, in turns."""
    interface_version: int = v.VERSION_3_4
    binds: int = 1
    bind_type: BindType = "transceiver"
    window: int = 50
    """submit_sm unanswered on one bind."""
    count: int | None = 1000
    """Messages; None is as many as go into the duration."""
    rate: Rate | None = None
    """Over all binds; None is as fast as answers come."""
    duration_s: float | None = None
    """Nothing more is submitted after that."""
    response_timeout_s: float = 30.0
    wait_receipts_s: float = 30.0
    """How long after the last answer receipts are waited for."""
    deliver_status: tuple[tuple[int, float], ...] = ()
    """Share of deliver_sm that the client refuses with a command_status."""


class ClientLink:
    """One bind of the client, or what was one."""

    __slots__ = ("bound", "command_id", "refused", "session", "transmits")

    def __init__(self, session: Session, command_id: int) -> None:
        self.session = session
        self.command_id = command_id
        self.transmits = command_id != v.BIND_RECEIVER
        self.bound = False
        self.refused: int | None = None
        """The command_status that refused the bind."""


class Esme:
    """One client system with its binds."""

    def __init__(
        self, settings: EsmeSettings, messages: Messages, ledger: Ledger, rng: Random
    ) -> None:
        self.settings = settings
        self.ledger = ledger
        self.touched: set[ClientLink] = set()
        """Binds with something to write or to close; the shell empties this set."""
        self.links: list[ClientLink] = []
        self._connected = 0
        self.began_at = NEVER
        self.last_sent_at = 0.0
        self.last_heard_at = 0.0
        self._messages = messages
        self._rng = rng
        self._count = 2**62 if settings.count is None else settings.count
        self._timers = Timers(
            bind_s=10.0, enquire_link_s=30.0, response_s=settings.response_timeout_s
        )
        self._sessions_at = 0.0
        rate = settings.rate
        self._beat_s = max(SHORTEST_BEAT_S, 1.0 / rate.per_second) if rate else 0.0
        self._per_beat = self._beat_s * rate.per_second if rate else 0.0
        self._turn = 0
        rest = max(1.0 - sum(part for _, part in settings.deliver_status), 0.0)
        self._deliver_status = Weighted([(v.ESME_ROK, rest), *settings.deliver_status])

    # Binds.

    def connect(self, command_id: int, now: float) -> ClientLink:
        """Bind on a new connection."""
        link = ClientLink(Session(Side.ESME, self._timers, LONGEST_PDU_OCTETS, now), command_id)
        system_id, accounts = self.settings.system_id, self.settings.accounts
        if accounts > 1:
            system_id = f"{system_id}{self._connected % accounts + 1}"
        self._connected += 1
        link.session.bind(
            command_id,
            system_id=system_id.encode(),
            password=self.settings.password.encode(),
            interface_version=self.settings.interface_version,
        )
        self.links.append(link)
        self.touched.add(link)
        return link

    def lost(self, link: ClientLink, now: float) -> None:
        """A connection has ended: what it had not answered stays unanswered."""
        self.links.remove(link)
        self._give_up(link.session.close())
        self._take_notes(link)
        self._pump(now)

    def _give_up(self, lost: list[object]) -> None:
        for index in lost:
            if isinstance(index, int):
                self.ledger.gave_up(index)

    def unbind(self, now: float) -> None:
        """All is said."""
        for link in self.links:
            if link.session.state in BOUND:
                link.session.unbind(now)
                self.touched.add(link)

    # What comes in.

    def arrived(self, link: ClientLink, octets: bytes, now: float) -> None:
        """These octets were read at `now`."""
        ledger = self.ledger
        for pdu in link.session.receive(octets, now):
            command_id = pdu.command_id
            if command_id in _ANSWERS and isinstance(pdu.request, int):
                status = pdu.command_status
                if command_id == v.GENERIC_NACK and status == v.ESME_ROK:
                    status = v.ESME_RUNKNOWNERR  # Whatever it is, the message was not taken.
                message_id = p.message_id_of(pdu) if status == v.ESME_ROK else b""
                ledger.answered(pdu.request, status, message_id, now)
            elif command_id in _BIND_ANSWERS:
                link.bound = pdu.command_status == v.ESME_ROK
                link.refused = None if link.bound else pdu.command_status
            elif command_id == v.GENERIC_NACK:
                link.refused = pdu.command_status  # It was our bind request.
            elif command_id != v.ALERT_NOTIFICATION:
                self._delivered(link, pdu, now)
        self.last_heard_at = now
        self.touched.add(link)
        if link.session.notes:
            self._take_notes(link)
        self._pump(now)

    def _take_notes(self, link: ClientLink) -> None:
        notes, link.session.notes = link.session.notes, []
        self.ledger.noted(notes)

    def _delivered(self, link: ClientLink, pdu: Pdu, now: float) -> None:
        sequence_number = pdu.sequence_number
        chance = self._deliver_status
        status = chance.pick(0.0 if chance.certain else self._rng.random())
        link.session.respond(p.response(pdu.command_id, sequence_number, status, b"\0"))
        if status != v.ESME_ROK:
            return  # It comes again, or not: that is the other side's affair.
        try:
            sm = Sm(pdu)
        except BodyError as error:
            self.ledger.garbled(f"deliver_sm: {error}")
            return
        read = receipt.recognise(sm)
        if read is None:
            self.ledger.inbound += 1
            return
        final = sm.esm_class & receipt.RECEIPT_BITS != receipt.ESM_INTERMEDIATE
        self.ledger.receipt(
            Notice(
                read.operator_id, read.state, final, sm.source_octets, sm.destination_octets, now
            )
        )

    # What goes out.

    def begin(self, now: float) -> None:
        """Submit from now on."""
        self.began_at = self.last_heard_at = now
        self._pump(now)

    def end(self) -> None:
        """Submit no more."""
        self._count = self.ledger.submitted

    def _pump(self, now: float) -> None:
        """Send what is due and what the windows have room for."""
        ledger = self.ledger
        due = min(self._count, self._due(now)) - ledger.submitted
        if due <= 0:
            return
        links = [link for link in self.links if link.session.state in _TRANSMITS]
        each = max(RUN, -(-due // len(links))) if links else 0
        self._turn += 1
        while due > 0:
            before = due
            for turn in range(len(links)):
                link = links[(self._turn + turn) % len(links)]
                room = self.settings.window - len(link.session.unanswered)
                due -= self._submit(link, min(room, each, due), now)
                if not due:
                    break
            if due == before:
                return  # The windows are full: answers make room.

    def _submit(self, link: ClientLink, count: int, now: float) -> int:
        if count <= 0:
            return 0
        ledger, build, request = self.ledger, self._messages.build, link.session.request
        first, due_at = ledger.submitted, now
        for index in range(first, first + count):
            octets, number = build(index)
            if self._per_beat:
                due_at = min(self._due_at(index), now)
            ledger.sent(number, due_at, now)
            request(octets, index, now)
        self.last_sent_at = now
        self.touched.add(link)
        return count

    def _due(self, now: float) -> int:
        """Return how many should have gone by now."""
        if now < self.began_at:
            return 0
        elapsed_s = now + SLACK_S - self.began_at
        duration_s = self.settings.duration_s
        if duration_s is not None and elapsed_s >= duration_s:
            self.end()
        if not self._per_beat:
            return self._count
        return int(round((int(elapsed_s / self._beat_s) + 1) * self._per_beat, 6))

    def _due_at(self, index: int) -> float:
        """Return when the message of this number should go."""
        beat = ceil(round((index + 1) / self._per_beat, 6)) - 1
        return self.began_at + beat * self._beat_s

    # Time.

    @property
    def submitting(self) -> bool:
        """Whether there is more to submit."""
        return self.ledger.submitted < self._count

    def finished(self, now: float) -> bool:
        """Return whether nothing more is to come, or nothing more is waited for."""
        if self.began_at == NEVER or self.submitting or self.ledger.unsettled:
            return False
        waited_s = now - max(self.last_sent_at, self.began_at)
        if self.ledger.asked_always and self.ledger.missing == 0:
            return True
        return waited_s >= self.settings.wait_receipts_s or not self.ledger.asked

    def wake_at(self) -> float:
        """Return when `wake` is next needed."""
        if not self._per_beat or not self.submitting:
            return self._sessions_at
        return min(self._sessions_at, self._due_at(self.ledger.submitted))

    def wake(self, now: float) -> None:
        """Do what is due."""
        if now >= self._sessions_at:
            self._sessions_at = now + SESSIONS_EVERY_S
            for link in self.links:
                if link.session.wake_at() <= now:
                    self._give_up(link.session.wake(now))
                    self.touched.add(link)
        self._pump(now)
