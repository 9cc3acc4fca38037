"""Connections to operators: connect, bind, and do so again when the session has ended."""

import asyncio
import random
import socket
import ssl
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final, Protocol, cast

import structlog

from router.forward.arrival import ACKNOWLEDGED_S
from router.forward.pool import NEVER, Asked, Attempt, Bind
from router.forward.reconnect import CONNECT_S, ConnectionAttempts
from router.forward.suspects import PROVEN_S
from router.smpp import vocabulary as v
from router.smpp.downgrade import submit_without_tlvs
from router.smpp.link import NOT_WRITABLE, Host, Link
from router.smpp.pdu import Pdu, message_id_of
from router.smpp.reading import OPERATORS, OPERATORS_STEP_PDUS, USELESS, USELESS_BURST
from router.smpp.session import Note, Session, Timers
from router.smpp.states import BOUND, Side, State
from router.terms.certificate import expires_utc
from router.terms.counters import Counters
from router.terms.limits import TokenBucket
from router.terms.settings import (
    Address,
    BindSettings,
    OperatorTlsSettings,
    SessionSettings,
)

COMMANDS: Final = {
    "transmitter": v.BIND_TRANSMITTER,
    "receiver": v.BIND_RECEIVER,
    "transceiver": v.BIND_TRANSCEIVER,
}
SENDING: Final = frozenset({State.BOUND_TX, State.BOUND_TRX})
"""States of a session in which submit_sm may be sent."""
RETIRES_S: Final = 2.0
"""The longest wait of a retiring bind until all that its operator has delivered is answered."""
EXPLAINING_NOTES: Final = frozenset({"framing.lost", "bind.timed_out", "bind.flooded"})
"""Events of a session that say why it was not bound."""
LOOK_AFTER_S: Final = ACKNOWLEDGED_S - 0.005
"""When to look whether the operator's system has acknowledged a message: once it would have. A look
much later could tell only of acknowledgements since then."""
MOST_ANSWERS_UNREAD_OCTETS: Final = 100_000
"""Octets of answers, some 6,000, that are written to an operator that does not read, beyond those
that the transport takes; after them nothing more is read of it."""
LONGEST_WHY: Final = 200
"""Characters that are kept of what the system says of a connection that fails."""
AWAY_S: Final = 1.0
"""The time after which a bind that may retire checks again whether another one is away."""

log = structlog.get_logger()


class Answers(Protocol):
    """The step that decides what an answer, or none, means for a message."""

    def answered(self, attempt: Attempt, status: int, operator_id: bytes, now: float) -> None:
        """Deal with the operator's answer to one attempt."""

    def overdue(self, attempts: list[Attempt], now: float) -> None:
        """Deal with attempts that were not answered in time."""

    def lost(
        self, attempts: list[Attempt], now: float, *, by_operator: bool, had_answered: bool
    ) -> None:
        """Deal with attempts that will not be answered, because their session is over."""


class Receipts(Protocol):
    """The step that takes what operators deliver."""

    @property
    def counters(self) -> Counters:
        """The counters of the router."""

    def reported(self, peer: "OperatorLink", pdu: Pdu, now: float) -> None:
        """Deal with a request of the operator: a receipt or a message."""

    def lost(self, peer: "OperatorLink") -> None:
        """Forget what waits for an answer on a session that is over."""


class Availability(Protocol):
    """The step that knows which operators may send."""

    def came_up(self, peer: "OperatorLink", now: float) -> None:
        """Note that the bind is bound."""

    def went_down(self, bind: Bind, now: float) -> None:
        """Note that the bind is lost."""

    def proven(self, bind: Bind, now: float) -> None:
        """Note that the operator answers on the bind."""

    def changed(self, bind: Bind) -> None:
        """Note that the bind may send again, or no longer."""


class Steps(Protocol):
    """The steps that are told what happens on a bind."""

    @property
    def answers(self) -> Answers:
        """The step that decides what an answer, or none, means for a message."""

    @property
    def receipts(self) -> Receipts:
        """The step that takes what operators deliver."""

    @property
    def availability(self) -> Availability:
        """The step that knows which operators may send."""


class OperatorLink(Link):
    """One connection to an operator."""

    def __init__(self, host: Host, steps: Steps, bind: Bind, settings: SessionSettings) -> None:
        timers = _timers(bind, settings)
        super().__init__(Session(Side.ESME, timers, settings.max_pdu_bytes, host.clock()), host)
        self.bind: Final = bind
        self.settings = settings
        """The settings of all sessions, as this one follows them."""
        self.bound_with: Final = bind.settings
        """The settings of the bind when the connection was made."""
        self.on_ended: Callable[[], None] = lambda: None
        """The call to make when the session is over."""
        self.refused_status: int | None = None
        """The command_status with which the operator refused the bind request."""
        self.was_bound = False
        self.retired = False
        """Whether the session was ended in good order, to be bound anew at once."""
        self._answers: Final = steps.answers
        self._receipts: Final = steps.receipts
        self._availability: Final = steps.availability
        self._is_explained = False
        """Whether the log already says why the bind was not bound."""
        self._retires_since = NEVER
        self._retire_at = NEVER
        self._asked_to_end = False
        self.step_pdus = OPERATORS_STEP_PDUS
        self._unread_at = 0
        """What was written when the operator was found not to read."""
        self.rank = OPERATORS
        self.owner = bind.settings.name
        self._useless: Final = TokenBucket(USELESS, USELESS_BURST, host.clock())
        self._log = log.bind(operator=bind.operator.name, bind=bind.settings.name)

    def started(self, now: float) -> None:
        """Send the bind request: the connection is there."""
        settings = self.bound_with
        self.session.bind(
            COMMANDS[settings.type],
            system_id=settings.system_id.encode(),
            password=settings.password.encode(),
            system_type=settings.system_type.encode(),
            interface_version=settings.interface_version,
            address_range=(settings.addr_ton, settings.addr_npi, settings.address_range.encode()),
        )

    def arrived(self, pdu: Pdu, now: float) -> None:
        """Hand a PDU to the step that deals with it."""
        if pdu.request is not None:
            status = pdu.command_status
            if status == v.ESME_ROK and pdu.command_id == v.GENERIC_NACK:
                status = v.ESME_RUNKNOWNERR
            request = pdu.request
            if isinstance(request, Attempt):
                operator_id = b"" if status else message_id_of(pdu)
                self._answers.answered(request, status, operator_id, now)
            else:
                assert isinstance(request, Asked)
                if pdu.sent_at:  # Else it was told before that no answer came.
                    request.done(status)
        elif not pdu.command_id & v.RESPONSE:
            self._receipts.reported(self, pdu, now)
        elif self.was_bound:  # The answer to our enquire_link.
            self._availability.proven(self.bind, now)
        elif pdu.command_status == v.ESME_ROK and pdu.command_id != v.GENERIC_NACK:
            # Not asked of the state: an unbind in the same octets may have ended the session.
            self.was_bound = True
            self._log.info("bind.bound", type=self.bind.settings.type)
            self._availability.came_up(self, now)
            self._retire_at = self.bind.lifetime.may_end_at
        else:
            self.refused_status = pdu.command_status
            self.bind.trouble = v.status_name(pdu.command_status)
            self._is_explained = True
            if self._is_news(self.bind.trouble):
                self._log.warning("bind.refused", status=self.bind.trouble)
            self.session.close()

    @property
    def can_send(self) -> bool:
        """Whether submit_sm may be sent on the session now."""
        return self.session.state in SENDING

    @property
    def is_bound(self) -> bool:
        """Whether the session is bound as any type."""
        return self.session.state in BOUND

    @property
    def state_name(self) -> str:
        """The state of the session in lower case, for the status document."""
        return self.session.state.name.lower()

    @property
    def has_answered(self) -> bool:
        """Whether the operator has answered anything since it accepted the bind."""
        return self.session.has_answered

    def enquire(self) -> None:
        """Ask whether the operator answers; `Availability.proven` hears that it does."""
        self.session.enquire()
        self.host.write_soon(self)

    def write(self, octets: bytes, attempt: Attempt, now: float) -> None:
        """Write a message; the answer comes back with this attempt."""
        if self.session.interface_version < v.VERSION_3_4:
            octets = submit_without_tlvs(octets)
        self.session.request(octets, attempt, now)

    def ask(self, octets: bytes, asked: Asked, now: float) -> bool:
        """Write another request, whose answer is told to `asked`."""
        self.session.request(octets, asked, now)
        self.host.write_soon(self)
        return True

    def overdue(self, whose: list[object], now: float) -> None:
        """Report messages whose answer is overdue: they are in doubt."""
        self._answers.overdue([one for one in whose if isinstance(one, Attempt)], now)
        _tell_unanswered(whose)

    def ended(self, lost: list[object], now: float) -> None:
        """Report the end of the session: messages in flight are in doubt."""
        if self.was_bound:
            attempts = [one for one in lost if isinstance(one, Attempt)]
            if self._asked_to_end and not attempts:
                self._log.info("bind.unbound")
            else:
                by_operator = self.session.peer_has_unbound
                self.bind.trouble = "unbound" if by_operator else "lost"
                self._log.warning("bind.lost", unbound=by_operator, in_flight=len(attempts))
            has_lasted = now - self.bind.changed_at >= PROVEN_S
            # First, so that messages that are sent again find only the binds that are left.
            self._availability.went_down(self.bind, now)
            self._receipts.lost(self)
            self._answers.lost(
                attempts,
                now,
                by_operator=not (self._asked_to_end or self.session.has_timed_out),
                had_answered=self.session.has_answered or has_lasted,
            )
            _tell_unanswered(lost)
        elif not self._asked_to_end and self.refused_status is None:
            self.bind.trouble = "unanswered"
            if not self._is_explained and self._is_news(self.bind.trouble):
                self._log.warning("bind.unanswered")
        self.on_ended()

    def budget(self) -> TokenBucket:
        """Return what the operator may still send on this connection that is of no use."""
        return self._useless

    def noted(self) -> None:
        """Count all notes, log the first few."""
        notes, self.session.notes = self.session.notes, []
        for note in notes:
            self._receipts.counters.refused_pdus[note.event] += 1
            if self.was_bound or self._explains(note):
                self.tell(note)

    def _explains(self, note: Note) -> bool:
        """Return whether a note of a session that is not bound is news."""
        if note.event in EXPLAINING_NOTES:
            self._is_explained = True
            return self._is_news(note.event)
        return self._is_news("noted", f"{self.bind.path} {note.event}")

    def _is_news(self, state: str, place: str = "") -> bool:
        bind = self.bind
        return bind.troubles.is_news(place or bind.path, state, self.host.clock())

    def tell(self, note: Note) -> None:
        """Log a note that is already counted; of many, only the first few."""
        if self.may_log_note():
            self._log.warning(note.event, **note.words())

    def flush(self) -> None:
        """Write the octets of the session, and note when they left."""
        bind = self.bind
        batch = bind.batch
        acknowledged = bind.round_trip.acknowledged
        watches = batch is not None and bind.watches_acknowledgements
        if watches or acknowledged.is_noted:
            # Before the write, which is what the system would tell about after it.
            self._look_at_acknowledgements()
        if batch is None:
            super().flush()
            if not self.writable:
                self._pile_up()
            return
        # Before the write: it may wake the peer on this core, which answers before a look at the
        # clock after it. One round trip that is too short costs rate until it is forgotten.
        batch.left_at = self.host.clock()
        bind.batch = None
        super().flush()
        if watches and acknowledged.is_told:
            acknowledged.wrote(self.written_octets, batch.left_at)
            acknowledged.look = self._look_at_acknowledgements
            self.host.call_later(LOOK_AFTER_S, self._look_at_acknowledgements)
        else:
            acknowledged.forget()

    def _look_at_acknowledgements(self) -> None:
        """Note what has left, and what the operator's system has acknowledged, if that is known."""
        # By now a later session may have the bind.
        unknown = self.host.unacknowledged(self) if self.bind.peer is self else None
        if unknown is not None:
            now = self.host.clock()
            self.bind.round_trip.acknowledged.has(
                position=self.written_octets - unknown.octets,
                at=now - unknown.since_s,
                left_at=now - unknown.sent_since_s,
            )

    def pause_writing(self) -> None:
        """Send no message more: the operator does not read.

        What it answers is still read, since that may be what it waits for.
        """
        self.writable = False
        self._unread_at = self.written_octets

    def resume_writing(self) -> None:
        """Send again: the operator reads."""
        self.writable = True
        self.read_again(NOT_WRITABLE)
        self._availability.changed(self.bind)

    def _pile_up(self) -> None:
        """Stop reading an operator that goes on delivering and never reads our answers.

        It may be silent then, as far as the session knows: it is asked whether it lives.
        """
        if self.written_octets - self._unread_at > MOST_ANSWERS_UNREAD_OCTETS:
            self.stop_reading(NOT_WRITABLE)

    def adopt(self, settings: SessionSettings | None = None) -> None:
        """Follow the timers of the bind's settings, or those of all sessions."""
        if settings is not None:
            self.settings = settings
        self.session.adopt(_timers(self.bind, self.settings), self.settings.max_pdu_bytes)
        self._retire_at = self.bind.lifetime.may_end_at
        self.host.write_soon(self)  # `flush` arms the timer anew.

    def leave(self) -> None:
        """End the session: unbind if it is bound, close it if it is not; once is enough."""
        self._asked_to_end = True
        if self.session.state in BOUND:
            self.rebind()
        elif self.session.state not in (State.UNBINDING, State.CLOSED):
            self.session.close()
            self.host.write_soon(self)

    # The end of a session's life, where the operator has set one.

    def wake_at(self) -> float:
        """Return when the end of the session's life is next to be seen to."""
        bind = self.bind
        if not self.was_bound or self.retired:
            return NEVER
        if self._retires_since == NEVER:
            return 0.0 if bind.retires else self._retire_at
        if bind.in_use:
            return NEVER  # The last answer, or its time-out, wakes the link.
        return 0.0 if self.session.owed == 0 else self._retires_since + RETIRES_S

    def wake(self, now: float) -> None:
        """Retire when the lifetime is over; unbind when everything is answered."""
        bind = self.bind
        if self._retires_since == NEVER:
            if not bind.operator.retire(bind, now):  # Another one is away.
                must_at = bind.lifetime.must_end_at
                self._retire_at = must_at if now < must_at < now + AWAY_S else now + AWAY_S
                return
            self._retires_since = now
            self._log.info("bind.retires", in_flight=bind.in_use)
            self._availability.changed(bind)
        if self.wake_at() <= now:
            self.retired = True
            self.rebind()

    def retire(self) -> None:
        """End the session when all is answered: its bind has settings that need another."""
        self.bind.retires = True
        self.bind.update_window()
        self.host.write_soon(self)  # `flush` arms the timer anew.

    def rebind(self) -> None:
        """Unbind; the connector then binds again."""
        if self.session.state in BOUND:
            self._asked_to_end = True
            self.session.unbind(self.host.clock())
            self.host.write_soon(self)
            self._availability.changed(self.bind)


class BindConnector:
    """Keeps one configured bind bound until it is stopped. Owns one task."""

    def __init__(self, host: Host, steps: Steps, bind: Bind, settings: SessionSettings) -> None:
        self._host = host
        self._steps: Final = steps
        self._bind = bind
        bind.next_attempt_at = NEVER
        self._settings = settings
        self._attempts = ConnectionAttempts(bind)
        self._link: OperatorLink | None = None
        self._stopping = False
        self._log = log.bind(operator=bind.operator.name, bind=bind.settings.name)

    async def run(self) -> None:
        """Connect and bind, again and again, until `stop_binding` or cancellation."""
        while not self._stopping:
            started_at = self._host.clock()
            self._bind.next_attempt_at = NEVER
            link = await self._attempt()
            if self._stopping:
                return
            wait_s = self._attempts.wait_s(
                was_bound=link is not None and link.was_bound,
                status=None if link is None else link.refused_status,
                retired=link is not None and link.retired,
                lasted_s=self._host.clock() - started_at,
                spread=random.random(),
            )
            if wait_s:
                bind = self._bind
                if bind.troubles.has_news:
                    bind.troubles.has_news = False
                    self._log.info("bind.waits", wait_s=round(wait_s, 3), failures=bind.failures)
                bind.next_attempt_at = self._host.clock() + wait_s
                await asyncio.sleep(wait_s)

    async def _attempt(self) -> OperatorLink | None:
        """Return the link of one session when it is over; None if no host could be reached."""
        attempts = self._attempts
        while self._bind.settings.addresses:  # Else the operator calls, from now on.
            host = attempts.address
            for number in attempts.in_turn(await self._look_up(host)):
                if self._stopping:
                    return None
                attempts.tries(number)
                link = OperatorLink(self._host, self._steps, self._bind, self._settings)
                over = asyncio.Event()
                link.on_ended = over.set
                self._bind.address = _shown(host, number)
                if await self._connects(link, host, number):
                    attempts.connected()
                    self._link = link
                    if link.settings is not self._settings:  # They have changed meanwhile.
                        link.adopt(self._settings)
                    await over.wait()
                    self._link = None
                    return link
            if not attempts.unreachable() or self._stopping:
                break
        return None

    async def _look_up(self, host: Address) -> list[str]:
        """Return the IP addresses that a host stands for now; none if the look-up fails.

        A resolver asks one name server after the other, and has more time than one address.
        """
        if _is_number(host.host):
            return [host.host]
        source = self._bind.settings.source_address
        family = socket.AF_UNSPEC
        if source is not None:  # An address of the other kind cannot be reached from it.
            family = socket.AF_INET6 if ":" in source else socket.AF_INET
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._settings.response_timeout_s):
                found = await loop.getaddrinfo(
                    host.host, host.port, family=family, type=socket.SOCK_STREAM
                )
        except (OSError, TimeoutError) as error:
            self._bind.address = str(host)
            self._tell_unreachable(error)
            return []
        return [str(sockaddr[0]) for *_, sockaddr in found]

    async def _connects(self, link: OperatorLink, host: Address, number: str) -> bool:
        """Connect to one address of a host; return whether that was possible."""
        settings = self._bind.settings
        source, tls = settings.source_address, settings.tls
        try:
            # Certificates are read each time too: they are replaced while the router runs. In a
            # thread, because reading and parsing them takes a while.
            context = None
            if tls is not None:
                context, expires = await asyncio.to_thread(_context, tls)
                self._bind.certificate_expires_utc = expires
            async with asyncio.timeout(CONNECT_S):
                await asyncio.get_running_loop().create_connection(
                    lambda: cast("asyncio.Protocol", link),
                    number,
                    host.port,
                    ssl=context,
                    server_hostname=None if tls is None else tls.server_name or host.host,
                    local_addr=None if source is None else (source, 0),
                )
        except (OSError, TimeoutError) as error:
            self._tell_unreachable(error)
            return False
        return True

    def _tell_unreachable(self, error: Exception) -> None:
        bind, why = self._bind, str(error) or "no answer in time"
        bind.trouble = "unreachable"
        said = error.strerror if isinstance(error, OSError) else None
        bind.unreachable_why = (said or why)[:LONGEST_WHY]
        if bind.troubles.is_news(bind.path, why, self._host.clock()):
            self._log.warning("bind.unreachable", address=bind.address, error=why)

    def adopt(self, settings: SessionSettings) -> None:
        """Follow other settings of all sessions."""
        self._settings = settings
        if self._link is not None:
            self._link.adopt(settings)

    def stop_binding(self) -> None:
        """Do not bind again once the session has ended."""
        self._stopping = True

    def retire(self) -> None:
        """End the session in good order, when all is answered, and bind again at once."""
        if self._link is not None:
            self._link.retire()

    def unbind(self) -> None:
        """Ask the operator to end the session, and do not bind again."""
        self.stop_binding()
        if self._link is not None:
            self._link.leave()

    @property
    def is_over(self) -> bool:
        """Whether there is no connection."""
        return self._link is None

    @property
    def is_stopping(self) -> bool:
        """Whether it will not bind again."""
        return self._stopping

    @property
    def is_unbinding(self) -> bool:
        """Whether the session is about to end, as one side has asked."""
        return self._link is not None and self._link.session.state is State.UNBINDING

    @property
    def bound_with(self) -> BindSettings | None:
        """The settings with which the operator has accepted the bind; None while it is down."""
        link = self._link
        return None if link is None or not link.is_bound else link.bound_with


def _timers(bind: Bind, settings: SessionSettings) -> Timers:
    return Timers(
        bind_s=settings.response_timeout_s,
        enquire_link_s=bind.settings.enquire_link_s or settings.enquire_link_s,
        response_s=settings.response_timeout_s,
    )


def _is_number(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _shown(host: Address, number: str) -> str:
    return str(host) if number == host.host else f"{host} ({number})"


def _context(tls: OperatorTlsSettings) -> tuple[ssl.SSLContext, float | None]:
    """Return the TLS context, and when our certificate in it expires, if there is one.

    Raises OSError, of which ssl.SSLError is a kind.
    """
    context = ssl.create_default_context(cafile=tls.ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.certificate is not None:
        context.load_cert_chain(tls.certificate, tls.key)
        return context, expires_utc(tls.certificate.read_bytes())
    return context, None


def _tell_unanswered(requests: list[object]) -> None:
    for one in requests:
        if isinstance(one, Asked):
            one.done(None)
