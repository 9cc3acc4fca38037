"""Connections of clients: one object per connection, from the first octet to the last."""

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple, Protocol

import structlog

from router.accept.accounts import Account, Accounts, neighbourhood
from router.accept.admission import Admission
from router.accept.checks import AT_ONCE, Check
from router.accept.guesses import Block
from router.accept.places import Waiting
from router.accept.rooms import Rooms
from router.smpp import vocabulary as v
from router.smpp.downgrade import without_tlvs
from router.smpp.link import IN_DEBT, IN_JUDGEMENT, TAKES_NONE, Host, Link, Timer, Transport
from router.smpp.pdu import BindRequest, BodyError, Pdu
from router.smpp.reading import LATE_OF, LIST_OCTETS, OTHERS, URGENT
from router.smpp.session import Note, Session, Timers
from router.smpp.states import BOUND, Side, State
from router.terms.counters import Counters
from router.terms.limits import TokenBucket
from router.terms.message import Delivery
from router.terms.names import AccountName
from router.terms.outcome import (
    BIND_WHILE_DRAINING,
    TOO_MANY_BINDS,
    TOO_MANY_CHECKS,
    WRONG_CREDENTIALS,
    Refusal,
)
from router.terms.settings import SessionSettings

BIND_TYPES: Final = {
    v.BIND_TRANSMITTER: "transmitter",
    v.BIND_RECEIVER: "receiver",
    v.BIND_TRANSCEIVER: "transceiver",
}
_GUESSES: Final = frozenset({"wrong_credentials", "foreign_address", "wrong_certificate"})
"""Reasons of refusals for which an address is blocked in the end: it may be guessing."""
_SLOWED: Final = _GUESSES | {"too_many_checks", "blocked"}
"""Reasons of refusals that come later and later."""
_RECEIVING: Final = frozenset({State.BOUND_RX, State.BOUND_TRX})

log = structlog.get_logger()


_THREADS: Final = ThreadPoolExecutor(AT_ONCE, "password")
"""Of their own: in those of the loop, names of hosts are looked up meanwhile."""


def in_thread(work: Callable[[], bool], done: Callable[[bool], None]) -> None:
    """Do the work in a thread for passwords; call with the result in the loop's."""

    def over(task: asyncio.Future[bool]) -> None:
        done(task.exception() is None and task.result())
        task.result()  # Raises what went wrong, for the log.

    asyncio.get_running_loop().run_in_executor(_THREADS, work).add_done_callback(over)


class Several(Protocol):
    """A submit_multi on its way in, one number after the other."""

    @property
    def is_in(self) -> bool:
        """Whether all its numbers have been dealt with."""

    def go_on(self, most: int, now: float, take: Callable[[Pdu, float], None]) -> int:
        """Deal with so many numbers at most; return how many fewer there were.

        `take` has a submit_sm let in, or refused.
        """


class Intake(Protocol):
    """The step that takes clients' messages in."""

    @property
    def draining(self) -> bool:
        """Whether the router is about to stop and takes no more messages."""

    @property
    def counters(self) -> Counters:
        """The counters of the router."""

    @property
    def rooms(self) -> Rooms:
        """The room of all accounts."""

    def is_urgent(self, account: Account) -> bool:
        """Whether an account's messages go into the most urgent of several lanes."""

    def submitted(
        self, client: "ClientLink", pdu: Pdu, now: float, *, may_wait: bool = True
    ) -> None:
        """Deal with a submit_sm or data_sm that came in, and may be held for a moment."""

    def came_late(self, client: "ClientLink", pdu: Pdu, now: float) -> None:
        """Deal with a submit_sm or data_sm that has waited too long until it was looked at."""

    def several(self, client: "ClientLink", pdu: Pdu, now: float) -> Several | None:
        """Return the way in of a submit_multi; None if it cannot be read and was refused."""

    def release(self, client: "ClientLink", now: float) -> None:
        """Deal with held PDUs that may be held no longer."""

    def unbound(self, client: "ClientLink", now: float) -> None:
        """Note that a client's bind has ended."""


class Deliveries(Protocol):
    """The step that brings clients their receipts and inbound messages."""

    def bound(self, client: "ClientLink") -> None:
        """Note that a client has bound."""

    def unbound(self, client: "ClientLink") -> None:
        """Note that a client's bind has ended."""

    def acknowledged(self, client: "ClientLink", pdu: Pdu, now: float) -> None:
        """Deal with the answer to a deliver_sm."""

    def unacknowledged(self, account: AccountName, overdue: list[Delivery], now: float) -> None:
        """Deal with deliver_sm that were not answered in time."""

    def undelivered(self, account: AccountName, lost: list[Delivery]) -> None:
        """Deal with deliver_sm that were unanswered when the bind was lost."""

    def reads_again(self, client: "ClientLink") -> None:
        """Note that a client which did not read its data reads again."""


class ClientRequests(Protocol):
    """The step that answers what clients ask about messages that they submitted."""

    def came(self, client: "ClientLink", pdu: Pdu, now: float) -> None:
        """Deal with a query_sm, cancel_sm or replace_sm."""


class Steps(Protocol):
    """The steps that a client's connection reports to."""

    @property
    def intake(self) -> Intake:
        """The step that takes messages in."""

    @property
    def deliveries(self) -> Deliveries:
        """The step that brings receipts and inbound messages."""

    @property
    def client_requests(self) -> ClientRequests:
        """The step that answers what clients ask about their messages."""


def timers_of(settings: SessionSettings) -> Timers:
    """Return the timers of a session with a client."""
    return Timers(
        bind_s=settings.bind_timeout_s,
        enquire_link_s=settings.enquire_link_s,
        response_s=settings.response_timeout_s,
        inactivity_s=settings.inactivity_s,
    )


class Caller(NamedTuple):
    """Who is at the other end of a connection that was looked at before it became a client's."""

    host: str
    """The client's numeric address, and"""
    port: int
    place: Waiting | None = None
    """Who holds the place that the connection has."""
    via: str = ""
    """The address of the proxy that passes the connection on; empty without one."""


class ClientLink(Link):
    """One connection of a client."""

    account: Account
    """The account of the client, once the client is bound."""
    admission: Admission
    """The admission of the client's submit_sm, once the client is bound."""

    def __init__(
        self, host: Host, steps: Steps, accounts: Accounts, settings: SessionSettings
    ) -> None:
        session = Session(Side.MC, timers_of(settings), settings.max_pdu_bytes, host.clock())
        super().__init__(session, host)
        self.on_begun: Callable[[ClientLink], None] = lambda _: None
        """Called when the connection is established; over TLS, after the handshake."""
        self.on_ended: Callable[[ClientLink], None] = lambda _: None
        """Called when the connection is over."""
        self.peer_host = ""
        self.peer_port = 0
        self.address = ""
        """The peer's address and port."""
        self.bind_type = ""
        self.bound_at = 0.0
        """When the client bound."""
        self._intake: Final = steps.intake
        self._deliveries: Final = steps.deliveries
        self._client_requests: Final = steps.client_requests
        self._accounts = accounts
        self.settings = settings
        """The settings of all sessions, as this one follows them."""
        self.caller: Caller | None = None
        """Who it is, where more is known than the transport's address; set before it connects."""
        self.shown: Callable[[Transport], Collection[str]] = lambda _: ()
        """Returns the names of the certificate that the client has shown, and was verified."""
        self._shown: Collection[str] = ()
        self._bound_from: tuple[str, AccountName] | None = None
        """While it is bound: as whose bind from where that counts."""
        self._late = 0
        """Messages that came late since the last such that was taken."""
        self._asked_at = 0.0
        """When the bind request came."""
        self._check: Check | None = None
        """The check of the client's password, while it waits or is under way."""
        self._delay: Timer | None = None
        self._put_off: Final[deque[Pdu]] = deque()
        """Every submit_multi that waits, and the other submits behind the first: in their order."""
        self._several: Several | None = None
        """The submit_multi that is on its way in."""
        self._log = log

    def adopt(self, settings: SessionSettings) -> None:
        """Follow other settings of all sessions."""
        self.settings = settings
        self.session.adopt(timers_of(settings), settings.max_pdu_bytes)
        self.host.write_soon(self)  # `flush` arms the timer anew.

    def unbind(self, now: float) -> None:
        """Ask the client to end the session, once what it has submitted is answered or soon."""
        if self.session.state in BOUND:
            self.session.unbind(now)
            self.host.write_soon(self)

    def reads_until(self, now: float) -> float:
        """Return until when the client's system is known to have taken what was written to it.

        `now`, unless octets wait for an acknowledgement: then when the last one came.
        """
        waits = self.host.unacknowledged(self)
        return now if waits is None or not waits.octets else now - waits.since_s

    # Called by outboxes.

    @property
    def is_receiving(self) -> bool:
        """Whether it may be given deliveries at all, and reads what it is sent."""
        return self.writable and self.session.state in _RECEIVING

    @property
    def unanswered(self) -> int:
        """How many deliver_sm the client has not answered."""
        return len(self.session.unanswered)

    def has_room(self, window: int) -> bool:
        """Return whether one more deliver_sm can be written, with at most `window` unanswered."""
        session = self.session
        return len(session.unanswered) < window and self.writable and session.state in _RECEIVING

    def give(self, delivery: Delivery, now: float) -> None:
        """Write a deliver_sm in a form that the client's SMPP version knows."""
        octets = delivery.octets
        if self.session.interface_version < v.VERSION_3_4:
            octets = without_tlvs(octets)
        self.session.request(octets, delivery, now)

    def notify(self, octets: bytes) -> bool:
        """Write an alert_notification, if the client may receive, reads, and its version has it."""
        session = self.session
        if not self.writable or session.state not in _RECEIVING:
            return False
        if session.interface_version < v.VERSION_3_4:
            return False
        session.notify(octets)
        return True

    # Called by the transport and the session.

    def resume_writing(self) -> None:
        """Go on writing: the client reads again, and can be given what waits for it."""
        super().resume_writing()
        if self.bind_type:
            self._deliveries.reads_again(self)

    def connection_made(self, transport: Transport) -> None:
        """Note the client's address."""
        self.on_begun(self)
        caller, via = self.caller, {}
        if caller is None:
            peername = transport.get_extra_info("peername")
            if peername is None:  # The peer was gone before this call.
                transport.abort()
                peername = ("", 0)
            self.peer_host, self.peer_port = peername[:2]
        else:
            self.peer_host, self.peer_port = caller.host, caller.port
            via = {"via": caller.via} if caller.via else {}
        self.address = f"{self.peer_host}:{self.peer_port}"
        self.owner = f"from {self.peer_host}"  # No name of an account has a blank.
        self._shown = self.shown(transport)
        self._log = log.bind(client=self.address, **via)
        super().connection_made(transport)

    def started(self, now: float) -> None:
        """Wait for a bind request; close at once if too many connections have not bound."""
        before = None if self.caller is None else self.caller.place
        if before is not None:
            here = neighbourhood(self.peer_host)
            if not self._accounts.places.hand_over(here, before, self):
                self.session.close()  # It gave way a moment ago, and was counted then.
                return
        elif (refused := self._accounts.takes(self.peer_host, self, now)) is not None:
            self._intake.counters.failed_binds[refused] += 1
            self.session.close()
            return
        late_s = self._accounts.reads_late_s(self.peer_host, now)
        if late_s:
            self.stop_reading(IN_DEBT)
            self._delay = self.host.call_later(late_s, self._read_at_last)

    def _read_at_last(self) -> None:
        self._delay = None
        self.read_again(IN_DEBT)

    def give_way(self) -> None:
        """Close: another connection of the same address needs the place."""
        self._intake.counters.failed_binds["too_many_connections"] += 1
        self.session.close()
        self.host.write_soon(self)

    def arrived(self, pdu: Pdu, now: float) -> None:
        """Deal with one PDU that the session hands on."""
        command_id = pdu.command_id
        if command_id == v.SUBMIT_SM or command_id == v.DATA_SM:
            if self.has_put_off:
                self._put_off.append(pdu)
            elif self.lateness:
                self._came_late(pdu, now)
            else:
                self._intake.submitted(self, pdu, now)
        elif command_id & v.RESPONSE:
            self._deliveries.acknowledged(self, pdu, now)
        elif command_id == v.SUBMIT_MULTI:
            self._put_off.append(pdu)
            self.has_put_off = True
        elif command_id in v.BINDS:
            self._judge_bind(pdu, now)
        else:
            self._client_requests.came(self, pdu, now)

    def go_on(self, most: int, now: float) -> int:
        """Deal with submits that were put off; each number of a submit_multi counts as one PDU."""
        while most > 0 and self.has_put_off:
            if self._several is not None:
                most = self._several.go_on(most, now, self._take)
                if self._several.is_in:
                    self._several = None
            elif self._put_off:
                pdu = self._put_off.popleft()
                most -= 1
                if pdu.command_id == v.SUBMIT_MULTI:
                    most -= len(pdu.octets) // LIST_OCTETS
                    self._several = self._intake.several(self, pdu, now)
                else:
                    self._take(pdu, now)
            self.has_put_off = self._several is not None or bool(self._put_off)
        return most

    def _take(self, pdu: Pdu, now: float) -> None:
        if self.lateness:
            self._came_late(pdu, now)
        else:
            self._intake.submitted(self, pdu, now)

    def _came_late(self, pdu: Pdu, now: float) -> None:
        """Have one of `LATE_OF` messages taken that are late, the last of them."""
        self._late = (self._late + 1) % LATE_OF
        if self._late or self.lateness == TAKES_NONE:
            self._intake.came_late(self, pdu, now)
        else:
            self._intake.submitted(self, pdu, now, may_wait=False)

    def overdue(self, whose: list[object], now: float) -> None:
        """Hand on deliver_sm that were not answered in time."""
        deliveries = [one for one in whose if isinstance(one, Delivery)]
        self._deliveries.unacknowledged(self.account.name, deliveries, now)

    def ended(self, lost: list[object], now: float) -> None:
        """Let go of all that the connection held."""
        self.on_ended(self)
        self._put_off.clear()
        self._several = None
        self.has_put_off = False
        if self._bound_from is None:
            self._accounts.places.leave(neighbourhood(self.peer_host), self)
        else:
            self._accounts.places.unbind(self._bound_from[0])
            self._accounts.guesses.unbound(*self._bound_from, now)
        if self._check is not None:
            self._accounts.checks.leave(self._check)
        if self._delay is not None:
            self._delay.cancel()
        if not self.bind_type:
            more = self._may_log("client.disconnected")
            if more is not None:
                self._log.debug("client.disconnected", **more)
            return
        self.account.binds.remove(self)
        held = self.admission.forget()
        more = self._may_log("client.unbound", self.account.name)
        if more is not None:
            self._log.info(
                "client.unbound",
                asked=self.session.peer_has_unbound,
                held=held,
                undelivered=len(lost),
                **more,
            )
        self._intake.unbound(self, now)
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
            elif note.event == "bind.flooded":
                self._intake.counters.failed_binds["flooded"] += 1
                self._accounts.flooded(self.peer_host, self.host.clock())
            self.tell(note)

    def tell(self, note: Note) -> None:
        """Log a note of a step, which has counted it already."""
        account = self.account.name if self.bind_type else None
        more = self._may_log(note.event, account, is_note=True)
        if more is not None:
            self._log.warning(note.event, **note.words(), **more)

    def _may_log(
        self, event: str, account: str | None = None, *, is_note: bool = False
    ) -> dict[str, int] | None:
        """Return what the line adds of those that were left out; None if it is left out itself.

        Before a bind the lines of an address are counted together, after it those of the account:
        who connects anew for every line, or binds anew, must not fill the log.
        """
        now = self.host.clock()
        if account is None:
            limit, key = self._accounts.lines_of_address, neighbourhood(self.peer_host)
        else:
            limit, key = self._accounts.lines_of_account, account
        key = f"{event} {key}"
        if is_note and not self.may_log_note():
            limit.suppress(key, now)
            return None
        return limit.take(key, now)

    def budget(self) -> TokenBucket | None:
        """Return that of the account, for all its binds; one that is not bound has none to pay."""
        return self.account.useless if self.bind_type else None

    def find_place(self, *, is_bound: bool = False) -> None:
        """Note owner and rank: an account may have another lane since the last time."""
        if is_bound or self.bind_type:
            self.owner = self.account.name
            self.rank = URGENT if self._intake.is_urgent(self.account) else OTHERS

    def wake_at(self) -> float:
        """Return when a held PDU is tried again."""
        return self.admission.wake_at() if self.bind_type else float("inf")

    def wake(self, now: float) -> None:
        """Try held PDUs again."""
        self._intake.release(self, now)

    # Binding.

    def _judge_bind(self, pdu: Pdu, now: float) -> None:
        """Accept or refuse a bind request, unless a hash has to be checked first."""
        self._asked_at = now
        try:
            request = BindRequest(pdu)
        except BodyError as error:
            self._refuse(Refusal("malformed", error.status), b"", now)
            return
        if self._intake.draining:
            self._refuse(BIND_WHILE_DRAINING, request.system_id, now)
            return
        self._judge_credentials(request, now)

    def _judge_credentials(self, request: BindRequest, now: float) -> None:
        """Check name, address, password and limit by the configuration in force, in this order.

        Until a hash has been checked nothing more is read from the connection.
        """
        account, refusal = self._judged(request)
        known = False if account is None else self._accounts.knows(account, request.password)
        if account is not None and known:
            self._accept_within_limit(account, request, now)
        elif known is None or self._accounts.hides_refusals(self.peer_host):
            self.stop_reading(IN_JUDGEMENT)
            wait_s = self._accounts.owes(self.peer_host, now)
            if wait_s:
                self._delay = self.host.call_later(wait_s, lambda: self._wait_for_check(request))
            else:
                self._wait_for_check(request)
        else:
            self._refuse(refusal, request.system_id, now)

    def _judged(self, request: BindRequest) -> tuple[Account | None, Refusal]:
        """Return the account that may bind from here; and what to answer if it does not."""
        now = self.host.clock()
        account = self._accounts.judge(request.system_id, self.peer_host, now, self._shown)
        if isinstance(account, Refusal):
            return None, account
        return account, WRONG_CREDENTIALS

    def _wait_for_check(self, request: BindRequest) -> None:
        """Stand in line until a hash may be computed."""
        self._delay = None
        name = request.system_id.decode("latin-1")
        here = neighbourhood(self.peer_host)
        check = Check(name, here, lambda: self._check_password(check, request))
        if self._accounts.checks.join(check):
            self._check = check
            self._accounts.checks.begin_due()
        else:
            self.read_again(IN_JUDGEMENT)
            self._refuse(TOO_MANY_CHECKS, request.system_id, self.host.clock())
            self.host.write_soon(self)

    def _check_password(self, check: Check, request: BindRequest) -> None:
        """Compute the hash, unless meanwhile another bind has shown that the password is right."""
        account, refusal = self._judged(request)
        known = False if account is None else self._accounts.knows(account, request.password)
        settings = None if account is None else account.settings
        of = account if known is None else None

        def done(right: bool) -> None:
            self._accounts.checks.over(check)
            self._check = None
            if self.session.state is State.BINDING:
                self.read_again(IN_JUDGEMENT)
                now = self.host.clock()
                if account and settings and not self._accounts.is_current(account, settings):
                    # A new configuration has come meanwhile: what was judged by the old is void.
                    self._judge_credentials(request, now)
                elif account is not None and right:
                    self._accounts.proved(account, request.password)
                    self._accept_within_limit(account, request, now)
                else:
                    self._refuse(refusal, request.system_id, now)
                self.host.write_soon(self)
            self._accounts.checks.begin_due()

        if known:
            done(True)
        else:
            self._accounts.prove(of, request.password, done)

    def _accept_within_limit(self, account: Account, request: BindRequest, now: float) -> None:
        """Accept a bind whose password was right, or have the silent ones asked to make room."""
        if account.is_full:
            in_doubt = account.doubt_binds(now)
            self._refuse(TOO_MANY_BINDS, request.system_id, now, account.name, asked=in_doubt)
        else:
            self._accept(account, request, now)

    def _accept(self, account: Account, request: BindRequest, now: float) -> None:
        here = neighbourhood(self.peer_host)
        self._bound_from = here, account.name
        self._accounts.places.bound(here, self)
        self._accounts.guesses.bound(here, account.name)
        version = _version(request.interface_version)
        self.account = account
        self.admission = Admission(account, self._intake.rooms)
        account.binds.append(self)
        self.find_place(is_bound=True)
        behind = self.session.accept_bind(self.settings.system_id.encode(), version, now)
        # Ask the request, not the state: an unbind behind it may have ended the session already.
        self.bind_type = BIND_TYPES[request.command_id]
        self.bound_at = now
        self._log = self._log.bind(account=account.name)
        more = self._may_log("client.bound", account.name)
        if more is not None:
            self._log.info("client.bound", type=self.bind_type, version=f"0x{version:02X}", **more)
        self._deliveries.bound(self)
        for pdu in behind:
            self.arrived(pdu, now)
        if self.has_put_off:
            self.wait_in_line()

    def _refuse(
        self,
        refusal: Refusal,
        system_id: bytes,
        now: float,
        account: str | None = None,
        **told: int,
    ) -> None:
        """Refuse a bind; after a growing wait if the client may be guessing passwords.

        `account` is the one whose password the client knows.
        """
        self._intake.counters.failed_binds[refusal.reason] += 1
        self._accounts.refused(self.peer_host, system_id, refusal.why or refusal.reason, now)
        wait_s = 0.0
        if refusal.reason in _GUESSES:
            for block in self._accounts.guessed(self.peer_host, system_id, now):
                self._tell_block(block, now)
        if refusal.reason in _SLOWED:
            answer_at = self._asked_at + self._accounts.failed(self.peer_host, system_id, now)
            wait_s = max(0.0, answer_at - now)
        more = self._may_log("client.bind_refused", account)
        if more is not None:
            self._log.warning(
                "client.bind_refused",
                system_id=system_id[:64].decode("latin-1"),
                reason=refusal.reason,
                **({"why": refusal.why} if refusal.why else {}),
                status=v.status_name(refusal.status),
                answered_after_s=round(now - self._asked_at + wait_s, 3),
                **told,
                **more,
            )
        if wait_s:
            self._delay = self.host.call_later(wait_s, lambda: self._refuse_now(refusal))
        else:
            self._refuse_now(refusal)

    def _tell_block(self, block: Block, now: float) -> None:
        """Log that an address is blocked, or would be if its account were not known there."""
        more = self._may_log("client.spared" if block.spares else "client.blocked")
        if more is None:
            return
        about = {} if block.system_id is None else {"system_id": block.system_id[:64]}
        counted = {"failures": block.failures, **more}
        if block.spares:
            self._log.warning("client.spared", address=block.host, **about, **counted)
        else:
            for_s = round(block.until - now, 3)
            self._log.warning("client.blocked", address=block.host, **about, for_s=for_s, **counted)

    def _refuse_now(self, refusal: Refusal) -> None:
        self._delay = None
        if self.session.state is State.BINDING:
            self.session.refuse_bind(self.settings.system_id.encode(), refusal.status)
            self.host.write_soon(self)


def _version(interface_version: int) -> int:
    """Return 3.3 or 5.0 if the client says so; any other value, even 0 or nonsense, means 3.4."""
    if interface_version in (v.VERSION_3_3, v.VERSION_5_0):
        return interface_version
    return v.VERSION_3_4
