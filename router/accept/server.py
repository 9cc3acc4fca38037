"""Clients connect here: one object per connection, from the first octet to the last."""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from router.accept.accounts import Account, Accounts
from router.accept.admission import Admission
from router.accept.rooms import Rooms
from router.smpp import vocabulary as v
from router.smpp.downgrade import without_tlvs
from router.smpp.link import Host, Link, Timer, Transport
from router.smpp.pdu import BindRequest, BodyError, Pdu
from router.smpp.session import Note, Session, Timers
from router.smpp.states import Side, State
from router.terms.counters import Counters
from router.terms.message import Delivery
from router.terms.names import AccountName
from router.terms.outcome import BIND_WHILE_DRAINING, WRONG_CREDENTIALS, Refusal
from router.terms.settings import SessionSettings

BIND_TYPES: Final = {
    v.BIND_TRANSMITTER: "transmitter",
    v.BIND_RECEIVER: "receiver",
    v.BIND_TRANSCEIVER: "transceiver",
}
_RECEIVING: Final = frozenset({State.BOUND_RX, State.BOUND_TRX})

log = structlog.get_logger()


class Intake(Protocol):
    """Where clients' messages go in."""

    @property
    def draining(self) -> bool:
        """Whether the router is about to stop."""

    @property
    def counters(self) -> Counters:
        """What is counted."""

    @property
    def rooms(self) -> Rooms:
        """How many messages accounts may have waiting."""

    def submitted(self, client: "ClientLink", pdu: Pdu, now: float) -> None:
        """A submit_sm or data_sm came in."""

    def release(self, client: "ClientLink", now: float) -> None:
        """Some held PDUs may go on."""


class Deliveries(Protocol):
    """What waits for clients."""

    def bound(self, client: "ClientLink") -> None:
        """A client has bound."""

    def unbound(self, client: "ClientLink") -> None:
        """A client's bind is gone."""

    def acknowledged(self, client: "ClientLink", pdu: Pdu, now: float) -> None:
        """A deliver_sm was answered."""

    def unacknowledged(self, account: AccountName, overdue: list[Delivery], now: float) -> None:
        """These were not answered in time."""

    def undelivered(self, account: AccountName, lost: list[Delivery]) -> None:
        """These were unanswered when the bind was lost."""

    def reads_again(self, client: "ClientLink") -> None:
        """A client that did not keep up with reading does so now."""


class Steps(Protocol):
    """The steps that hear of what happens on a client's bind."""

    @property
    def intake(self) -> Intake:
        """Where messages go in."""

    @property
    def deliveries(self) -> Deliveries:
        """What waits for clients."""


def timers_of(settings: SessionSettings) -> Timers:
    """A client's session's timers."""
    return Timers(
        bind_s=settings.bind_timeout_s,
        enquire_link_s=settings.enquire_link_s,
        response_s=settings.response_timeout_s,
        inactivity_s=settings.inactivity_s,
    )


class ClientLink(Link):
    """One client's connection."""

    account: Account
    """Once it is bound."""
    admission: Admission

    def __init__(
        self, host: Host, steps: Steps, accounts: Accounts, settings: SessionSettings
    ) -> None:
        session = Session(Side.MC, timers_of(settings), settings.max_pdu_bytes, host.clock())
        super().__init__(session, host)
        self.on_begun: Callable[[ClientLink], None] = lambda _: None
        """Called when the connection is there, over TLS when that is agreed upon."""
        self.on_ended: Callable[[ClientLink], None] = lambda _: None
        """Called when the connection is over."""
        self.peer_host = ""
        self.bind_type = ""
        self._intake: Final = steps.intake
        self._deliveries: Final = steps.deliveries
        self._accounts = accounts
        self._settings = settings
        self._counts_as_unbound = False
        self._task: asyncio.Task[bool] | None = None
        self._delay: Timer | None = None
        self._log = log

    # What outboxes ask.

    def has_room(self, window: int) -> bool:
        """Whether one more deliver_sm can be written, with so many unanswered at the most."""
        session = self.session
        return len(session.unanswered) < window and self.writable and session.state in _RECEIVING

    def give(self, delivery: Delivery, now: float) -> None:
        """Write a deliver_sm, as a client of this version can read it."""
        octets = delivery.octets
        if self.session.interface_version < v.VERSION_3_4:
            octets = without_tlvs(octets)
        self.session.request(octets, delivery, now)

    # What the transport and the session tell.

    def resume_writing(self) -> None:
        """It reads again: it can be given what waits for it."""
        super().resume_writing()
        if self.bind_type:
            self._deliveries.reads_again(self)

    def connection_made(self, transport: Transport) -> None:
        """Note who it is."""
        self.on_begun(self)
        peername = transport.get_extra_info("peername")
        if peername is None:  # It was gone before we came to it.
            transport.abort()
            peername = ("", 0)
        self.peer_host, port = peername[:2]
        self._log = log.bind(client=f"{self.peer_host}:{port}")
        super().connection_made(transport)

    def started(self, now: float) -> None:
        """Connected: its bind is next. Too many that only connect are not listened to."""
        if not self._accounts.may_connect(self.peer_host):
            self._intake.counters.failed_binds["too_many_connections"] += 1
            self.session.close()
            return
        self._accounts.unbound += 1
        self._counts_as_unbound = True

    def _binds_or_ends(self) -> None:
        if self._counts_as_unbound:
            self._counts_as_unbound = False
            self._accounts.unbound -= 1

    def arrived(self, pdu: Pdu, now: float) -> None:
        """One PDU that is ours to deal with."""
        command_id = pdu.command_id
        if command_id == v.SUBMIT_SM or command_id == v.DATA_SM:
            self._intake.submitted(self, pdu, now)
        elif command_id & v.RESPONSE:
            self._deliveries.acknowledged(self, pdu, now)
        else:
            self._judge_bind(pdu, now)

    def overdue(self, whose: list[object], now: float) -> None:
        """deliver_sm without an answer."""
        deliveries = [one for one in whose if isinstance(one, Delivery)]
        self._deliveries.unacknowledged(self.account.name, deliveries, now)

    def ended(self, lost: list[object], now: float) -> None:
        """The connection is over."""
        self.on_ended(self)
        self._binds_or_ends()
        if self._task is not None:
            self._task.cancel()
        if self._delay is not None:
            self._delay.cancel()
        if not self.bind_type:
            self._log.debug("client.disconnected")
            return
        self.account.binds.remove(self)
        held = self.admission.forget()
        self._log.info(
            "client.unbound",
            asked=self.session.peer_has_unbound,
            held=held,
            undelivered=len(lost),
        )
        self._deliveries.unbound(self)
        deliveries = [one for one in lost if isinstance(one, Delivery)]
        self._deliveries.undelivered(self.account.name, deliveries)

    def noted(self) -> None:
        """Count all notes, log the first few."""
        notes, self.session.notes = self.session.notes, []
        for note in notes:
            self._intake.counters.refused_pdus[note.event] += 1
            if note.event == "bind.timed_out":
                self._intake.counters.failed_binds["timed_out"] += 1
            self.tell(note)

    def tell(self, note: Note) -> None:
        """Log what the session could not see; whoever tells it counts it."""
        if self.may_log_note():
            self._log.warning(note.event, **note.words())

    def wake_at(self, now: float) -> float:
        """When a held PDU is looked at again."""
        return self.admission.wake_at() if self.bind_type else float("inf")

    def wake(self, now: float) -> None:
        """Held PDUs may go on."""
        self._intake.release(self, now)

    # Binding.

    def _judge_bind(self, pdu: Pdu, now: float) -> None:
        """Who is it? A hash is checked in a thread; meanwhile nothing more is read."""
        try:
            request = BindRequest(pdu)
        except BodyError as error:
            self._refuse(Refusal("malformed", error.status), b"", now)
            return
        if self._intake.draining:
            self._refuse(BIND_WHILE_DRAINING, request.system_id, now)
            return
        account = self._accounts.judge(request.system_id, self.peer_host)
        if isinstance(account, Refusal):
            self._refuse(account, request.system_id, now)
            return
        known = self._accounts.knows(account, request.password)
        if known is None:
            account.binding += 1
            self._set_reading(False)
            self._task = asyncio.create_task(
                asyncio.to_thread(self._accounts.prove, account, request.password)
            )
            self._task.add_done_callback(lambda task: self._proved(task, account, request))
        elif known:
            self._accept(account, request, now)
        else:
            self._refuse(WRONG_CREDENTIALS, request.system_id, now)

    def _proved(self, task: asyncio.Task[bool], account: Account, request: BindRequest) -> None:
        account.binding -= 1
        self._task = None
        if task.cancelled() or self.session.state is not State.BINDING:
            return
        self._set_reading(True)
        now = self.host.clock()
        if task.result():
            self._accounts.proved(account, request.password)
            self._accept(account, request, now)
        else:
            self._refuse(WRONG_CREDENTIALS, request.system_id, now)
        self.host.write_soon(self)

    def _accept(self, account: Account, request: BindRequest, now: float) -> None:
        self._binds_or_ends()
        version = _version(request.interface_version)
        self.account = account
        self.admission = Admission(account, self._intake.rooms)
        account.binds.append(self)
        behind = self.session.accept_bind(self._settings.system_id.encode(), version, now)
        # By the request, not by the state: an unbind behind it may have ended the session already.
        self.bind_type = BIND_TYPES[request.command_id]
        self._log = self._log.bind(account=account.name)
        self._log.info("client.bound", type=self.bind_type, version=f"0x{version:02X}")
        self._deliveries.bound(self)
        for pdu in behind:
            self.arrived(pdu, now)

    def _refuse(self, refusal: Refusal, system_id: bytes, now: float) -> None:
        """Answer, later and later where somebody may be guessing."""
        self._intake.counters.failed_binds[refusal.reason] += 1
        wait_s = 0.0
        if refusal.reason in ("wrong_credentials", "foreign_address"):
            wait_s = self._accounts.failed(self.peer_host, system_id, now)
        self._log.warning(
            "client.bind_refused",
            system_id=system_id[:64].decode("latin-1"),
            reason=refusal.reason,
            status=v.status_name(refusal.status),
            answered_after_s=wait_s,
        )
        if wait_s:
            self._delay = self.host.call_later(wait_s, lambda: self._refuse_now(refusal))
        else:
            self._refuse_now(refusal)

    def _refuse_now(self, refusal: Refusal) -> None:
        self._delay = None
        if self.session.state is State.BINDING:
            self.session.refuse_bind(refusal.status)
            self.host.write_soon(self)


def _version(interface_version: int) -> int:
    """3.3 and 5.0 as they are; whatever else is sent, zero and nonsense included, is 3.4."""
    if interface_version in (v.VERSION_3_3, v.VERSION_5_0):
        return interface_version
    return v.VERSION_3_4
