"""The running router: builds the parts, starts them in order, stops them in reverse order.

Start: the journal tells what an earlier process left; then clients may come; binds to operators
come up by themselves. Stop: no new binds and submits; what is in flight is answered; unbind; leave.
"""

import asyncio
import gc
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, cast

import structlog

from router.accept.accounts import Accounts
from router.accept.server import ClientLink, in_thread
from router.enqueue.journal import Damaged, Journal, JournalError, first_number_at
from router.enqueue.memory import MemoryJournal
from router.enqueue.retention import Records
from router.enqueue.sqlite import SqliteJournal
from router.enqueue.sqlite_file import JournalLostError, free_octets
from router.journey import Journey
from router.smpp.link import NOTES_LOGGED, Link, Timer, Unacknowledged
from router.smpp.reading import ReadingLine
from router.smpp.states import State
from router.steps.querying import no_records
from router.telemetry.account_events import FullQueues, log_congestion, log_refusals
from router.telemetry.account_quality import AccountQuality
from router.telemetry.core import interpreter, running
from router.telemetry.log import MessageLog
from router.telemetry.operator_events import log_operator_events
from router.telemetry.record_lookup import RecordLookup
from router.telemetry.records import Recorder, path_of, privacy_of
from router.telemetry.status import cure_of
from router.telemetry.trace import Ends, Traces
from router.telemetry.traffic import Traffic
from router.terms.counters import Counters
from router.terms.line_limit import LineLimit
from router.terms.settings import Address, JournalSettings, ListenSettings, Settings
from router.wiring.activation import listening, matched, passed, serve
from router.wiring.connectors import Connectors
from router.wiring.control import http_servers
from router.wiring.door import Door
from router.wiring.http_server import HttpServer
from router.wiring.reload import Reloader
from router.wiring.running_config import RunningConfig
from router.wiring.stop import Stop
from router.wiring.systemd import notify, starting, stopping_within, watchdog_s
from router.wiring.tls import Certificate, about, loaded
from router.wiring.unacknowledged import has_hung_up, unacknowledged
from router.wiring.wall_clock import is_synchronised

GARBAGE: Final = (10_000, 20, 50)
"""Thresholds of the garbage collector. A message is a dozen objects without cycles: to look for
cycles after every 700 new objects, as is Python's default, costs a tenth of the time and finds
none."""
SWITCH_S: Final = 0.005
"""How long the loop may keep the interpreter's lock while another thread waits for it: as Python
has it. The loop gives it away in each turn."""
BUSY_SWITCH_S: Final = 0.0001
"""The same while connections wait in line. A commit takes the lock some twenty times: beside a
loop that is always busy it would last 0.1 s and more. At all times it would cost each message
6 % more."""
LAG_EVERY_S: Final = 0.1
UNBOUND: Final = frozenset({State.OPEN, State.BINDING})
SPACE_EVERY_S: Final = 1.0
"""How often the free space of the journal's disk is looked at."""
DAYS_EVERY_S: Final = 60.0
"""How often the records are told what was delivered."""
UNREADABLE_EVERY_S: Final = 60.0
"""How often the log says that the journal cannot be read."""

log = structlog.get_logger()


class App:
    """One router process."""

    def __init__(
        self,
        settings: Settings,
        reread: Callable[[], Settings],
        *,
        tidy: Callable[[], object] = lambda: None,
        accept_loss: bool = False,
    ) -> None:
        """`reread` loads the configuration again, for a reload; it raises SettingsError.

        `tidy` is called once a minute, in the thread of reloads.

        `accept_loss`: start although the journal is not all there.
        """
        self.settings = settings
        """The configuration in force."""
        self.config: Final = RunningConfig(settings, reread, tidy=tidy)
        self.reloader: Final = Reloader(self, reread)
        self._accept_loss = accept_loss
        self.started_at = self.clock()
        self.ready = False
        """Whether clients are served."""
        self.stopping = False
        self.listeners: list[str] = []
        self.beat_at = self.started_at
        """When the loop last showed that it lives."""
        self.traffic: Final = Traffic()
        self.clients: set[ClientLink] = set()
        self._passed: list[int | None] = []
        """The descriptor of each listener whose socket systemd has opened."""
        self.reading: Final = ReadingLine(
            self._read_later,
            self.clock,
            lambda: self.journey.commits.behind(),
            self._share_core,
        )
        self._full_queues = FullQueues()
        self.account_quality: Final = AccountQuality()
        self._damaged_to_log = LineLimit(NOTES_LOGGED)
        self.traces: Final = Traces(self, time.time)
        """Who sees what passes on connections."""
        self.certificates: list[Certificate | None] = []
        """The certificate of each listener, None where it has none."""
        self.message_log: Final = MessageLog(settings.telemetry.log)
        self._servers: list[asyncio.Server | Door] = []
        self._timer: asyncio.TimerHandle | None = None
        self._armed_for = float("inf")
        self._is_asked_to_stop = asyncio.Event()
        self._stop: Stop | None = None

    journey: Journey
    recorder: Recorder | None = None
    """What keeps records; None where none are kept."""
    lookup: RecordLookup | None = None
    """What finds the record of one message; None where none are kept."""
    accounts: Accounts
    connectors: Connectors

    # The host of the links.

    def clock(self) -> float:
        """Return monotonic seconds of now; the loop's time is that of the turn's beginning."""
        return time.monotonic()

    def write_soon(self, link: Link) -> None:
        """Have the link's octets written when this turn ends."""
        self.journey.write_soon(link)

    def call_later(self, delay_s: float, call: Callable[[], None]) -> Timer:
        """Run `call` after a delay."""
        return self.loop.call_later(delay_s, call)

    def unacknowledged(self, link: Link) -> Unacknowledged | None:
        """Return what the peer's system has not acknowledged; None where that is not known."""
        if link.transport is None:
            return None
        return unacknowledged(cast("asyncio.Transport", link.transport))

    def has_hung_up(self, link: Link) -> bool:
        """Return whether the peer has closed the connection; False where that is not known."""
        if link.transport is None:
            return False
        return has_hung_up(cast("asyncio.Transport", link.transport))

    def connected(self, link: Link) -> None:
        """Note that a link has its transport; nothing was read or written yet."""
        self.traces.connected(link)

    def disconnected(self, link: Link, exc: Exception | None) -> None:
        """Note that the transport of a link is gone."""
        self.traces.disconnected(link, exc)

    # The host of the traces.

    def soon(self, call: Callable[[], None]) -> None:
        """Run `call` in a later turn."""
        self.loop.call_soon(call)

    def ends_of(self, link: Link) -> Ends:
        """Return the two ends of a connection."""
        transport = cast("asyncio.Transport", link.transport)
        names = [transport.get_extra_info(name) or ("", 0) for name in ("peername", "sockname")]
        (peer, here) = [(str(name[0]), int(name[1])) for name in names]
        if isinstance(link, ClientLink):
            peer = link.peer_host, link.peer_port  # Behind a proxy it is another.
        return Ends(peer, here, transport.get_extra_info("ssl_object") is not None)

    # Life.

    def _share_core(self) -> None:
        """Let the journal's thread go on at once while connections wait in line."""
        sys.setswitchinterval(SWITCH_S if self.reading.is_empty else BUSY_SWITCH_S)

    def run(self) -> int:
        """Run until a signal ends it; return the exit status."""
        import uvloop  # Not at import time: `check` and `explain` need no event loop.

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            try:
                return runner.run(self.main())
            finally:  # Before the loop closes: the process has yet to end, with its own status.
                signal.signal(signal.SIGHUP, signal.SIG_IGN)

    async def main(self) -> int:
        """Start everything in order, serve, and stop everything."""
        self.loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            self.loop.add_signal_handler(number, self._on_stop)
        # Not by the loop: when that closes, SIGHUP would end the process for a moment.
        signal.signal(signal.SIGHUP, self._on_hangup)
        with starting():
            servers = await self._started()
        if servers is None:
            return 1
        telemetry, control = servers
        async with asyncio.TaskGroup() as tasks:
            self.connectors.start(tasks.create_task)
            self.reloader.start(tasks.create_task)
            watches = [tasks.create_task(one) for one in (self._watch_space(), self.config.watch())]
            gc.collect()
            gc.set_threshold(*GARBAGE)
            sys.setswitchinterval(SWITCH_S)
            gc.freeze()  # Settings and routes stay: never search them for cycles.
            self.ready = True
            notify("READY=1")
            log.info(
                "router.ready",
                listeners=self.listeners,
                telemetry=telemetry.address,
                control=control.address,
                config=self.config.digest,
                core=running(),
                python=interpreter(),
            )
            await self._is_asked_to_stop.wait()
            stop = self._begin_stop(servers)
            await stop.run()
            self._tell_left_behind()
            self.traces.close()
            self.connectors.cancel()
            self.reloader.cancel()
            for watch in watches:
                watch.cancel()
        log.info("router.stopped")
        stop.is_over()
        return 0

    def _on_hangup(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.reloader.ask)

    async def _started(self) -> tuple[HttpServer, HttpServer] | None:
        """Open journal and ports, and recover; return the HTTP servers, or None after a failure."""
        try:
            self.journal = self._open_journal()
        except JournalLostError as error:
            log.error("journal.lost", error=str(error), accepted=False)
            return None
        except JournalError as error:
            log.error("journal.failed", error=str(error))
            return None
        self.journey = Journey(
            self.settings,
            journal=self.journal,
            clock=time.monotonic,
            clock_utc=time.time,
            later=self._later,
            settled=self.message_log,
            journal_changed=_log_journal,
            clock_changed=_log_clock,
            is_synchronised=is_synchronised,
            set_aside=self._set_aside,
            look_up_records=no_records if self.lookup is None else self.lookup.look_up,
        )
        if isinstance(self.journal, SqliteJournal):
            self._tell_of(self.journal)
        secret = os.urandom(32)
        self.accounts = Accounts(
            self.settings.accounts, secret, self.clock(), in_thread, self.settings.session
        )
        self.connectors = Connectors(self, self.settings.session)
        self._beat()
        servers = http_servers(self)
        try:
            self._passed = matched(
                [listen.address for listen in self.settings.listen],
                passed(os.environ, os.getpid()),
            )
            for server in servers:  # Before the recovery, which may be long: /readyz answers.
                server.start()
            failure = await self._recovered()
            if failure is not None:
                log.error("journal.failed", error=str(failure))
                return None
            await self.connectors.listen(self.settings)
            await self._listen()
            if self.recorder is not None:
                self.recorder.start()
        except OSError as error:
            log.error("router.not_started", error=error.strerror or str(error))
            return None
        return servers

    def _open_journal(self) -> Journal:
        """Recover what an earlier process left. Raises JournalError."""
        settings = self.settings.journal
        first_number = first_number_at(time.time())
        if settings.url == "memory:":
            log.warning("journal.not_durable", meaning="a stop loses what waits")
            return MemoryJournal(self.loop.call_soon, first_number)
        path = _path_of(settings)
        keep_s = self.settings.records.keep_s
        progress = Records() if keep_s else None
        journal = SqliteJournal(
            path,
            soon=self.loop.call_soon_threadsafe,
            plan_of=lambda candidates: self.journey.plans.of(candidates),
            lanes=[lane.name for lane in self.settings.lanes],
            commit_every_s=settings.commit_every_s,
            settle_every_s=settings.settle_every_s,
            keep_records_s=settings.keep_records_s,
            clock_utc=lambda: self.journey.clocks.utc(),
            first_number=first_number,
            committed=self._committed,
            unreadable=self._unreadable,
            damaged=lambda rows: self.journey.damage.found(rows),
            records=progress,
            accept_loss=self._accept_loss,
        )
        records = None if progress is None else path_of(path)
        if journal.keeps_records:
            self.lookup = RecordLookup(
                records, path, self.loop.call_soon_threadsafe, self._unreadable
            )
        if progress is not None:
            self.recorder = Recorder(
                path,
                progress,
                keep_s,
                privacy_of(self.settings),
                clock=self.clock,
                clock_utc=lambda: self.journey.clocks.utc(),
            )
        return journal

    def _tell_of(self, journal: SqliteJournal) -> None:
        """Log what is strange about the journal that was found, and count a loss."""
        if journal.missing and journal.was_closed:
            log.warning("journal.replaced", meaning=journal.missing)
        elif journal.missing:
            self.journey.counters.journal_lost = 1
            log.error("journal.lost", error=journal.missing, accepted=True)
        elif journal.is_unmarked:
            path = str(_path_of(self.settings.journal))
            log.warning("journal.unmarked", path=path, cure=_UNMARKED_CURE)

    def _committed(self, took_s: float, accepted: int) -> None:
        counters = self.journey.counters
        counters.commit_s.add(took_s)
        self.journey.commits.times.took(took_s, self.clock())
        if accepted:
            counters.batch_messages.add(accepted)

    def _unreadable(self, error: JournalError) -> None:
        """Count a failed read of the journal. Readers retry without end: log once a minute."""
        self.journey.counters.journal_read_failures += 1
        if self.clock() >= self._unreadable_at:
            self._unreadable_at = self.clock() + UNREADABLE_EVERY_S
            log.error("journal.unreadable", error=str(error))

    _unreadable_at = 0.0

    def _set_aside(self, row: Damaged) -> None:
        """Log a damaged row. There may be very many: the table has all of them."""
        more = self._damaged_to_log.take("", self.clock())
        if more is not None:
            about = {"was_in": row.table, "key": row.number, "why": row.why}
            log.error("journal.set_aside", **about, cure=_SET_ASIDE_CURE, **more)

    async def _watch_space(self) -> None:
        """Tell the journey how much space the journal has left, for ever."""
        journal, commits = self.settings.journal, self.journey.commits
        if journal.url == "memory:":
            return
        path = _path_of(journal)
        while True:
            try:
                free = await asyncio.to_thread(free_octets, path)
            except (OSError, sqlite3.Error):
                pass  # The next commit says what is wrong. What was known last stays true.
            else:
                if commits.found_space(free, journal.keep_free_bytes):
                    _log_space(free, journal.keep_free_bytes, is_short=commits.is_short_of_space)
            await asyncio.sleep(SPACE_EVERY_S)

    async def _recovered(self) -> JournalError | None:
        done: asyncio.Future[JournalError | None] = self.loop.create_future()
        started_at = self.clock()
        self.journey.start(done.set_result)
        error = await done
        taken_up = {what: count for what, count in self.journey.taken_up.items() if count}
        if taken_up:
            took_s = round(self.clock() - started_at, 3)
            log.info("journal.recovered", took_s=took_s, **taken_up)
        return error

    async def _listen(self) -> None:
        """Open the ports for clients. Raises OSError that names the setting."""
        for number, listen in enumerate(self.settings.listen):
            address, opened = listen.address, self._passed[number]
            certificate = self._certificate(listen, f"listen[{number}].tls")
            try:
                if certificate is None and listen.proxy is None:
                    server: asyncio.Server | Door = await serve(self.client, address, opened)
                else:
                    sockets = await listening(address, opened)
                    server = Door(self, number, sockets, certificate)
            except OSError as error:
                raise about(error, f"listen[{number}].address: {address}") from error
            self._servers.append(server)
            is_passed, is_tls = opened is not None, listen.tls is not None
            for one in server.sockets:
                shown = _shown(one.getsockname())
                self.listeners.append(shown)
                log.info("router.listening", address=shown, tls=is_tls, passed=is_passed)
            if self._hands_over and not is_passed:
                log.warning("router.not_handed_over", address=str(address))

    def _certificate(self, listen: ListenSettings, path: str) -> Certificate | None:
        """Read the certificate of a listener. Raises OSError that names the setting."""
        certificate = None
        if listen.tls is not None:
            try:
                certificate = Certificate(loaded(listen.tls))
            except OSError as error:
                raise about(error, path) from error
        self.certificates.append(certificate)
        return certificate

    @property
    def counters(self) -> Counters:
        """The counters of the journey."""
        return self.journey.counters

    def client(self) -> ClientLink:
        """Return what deals with a new client."""
        link = ClientLink(self, self.journey, self.accounts, self.settings.session)
        link.on_begun = self._client_begun  # Not earlier: a TLS handshake may still fail.
        link.on_ended = self.clients.discard
        return link

    def _client_begun(self, link: ClientLink) -> None:
        self.clients.add(link)
        if link.settings is not self.settings.session:  # There was a reload during the handshake.
            link.adopt(self.settings.session)
        if self.stopping:
            self._leave_to_next(link)

    def _leave_to_next(self, link: ClientLink) -> None:
        """Close a connection without a bind if the next process would accept another one."""
        if self._hands_over and link.session.state in UNBOUND:
            link.session.close()
            self.write_soon(link)

    @property
    def _hands_over(self) -> bool:
        """Whether sockets outlive this process."""
        return any(number is not None for number in self._passed)

    # Turns and time.

    def _read_later(self, delay_s: float, call: Callable[[], None]) -> None:
        if delay_s:
            self.loop.call_later(delay_s, call)
        else:
            self.loop.call_soon(call)

    def _later(self, call: Callable[[], None]) -> None:
        """Run `call` in a later turn, and then arm the timer for the next thing that is due."""
        self.loop.call_soon(self._turn, call)

    def _turn(self, call: Callable[[], None]) -> None:
        call()
        commits = self.journey.commits
        self.reading.turn_ended(commits.accepting, is_slow=commits.times.are_long)
        self._arm()

    def _arm(self) -> None:
        wake_at = self.journey.wake_at()
        if wake_at < self._armed_for:
            if self._timer is not None:
                self._timer.cancel()
            self._armed_for = wake_at
            self._timer = self.loop.call_later(max(0.0, wake_at - self.clock()), self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._armed_for = float("inf")
        self.journey.wake(self.clock())
        self._arm()

    def _beat(self) -> None:
        """Note that the loop is alive, and how late this call came."""
        now = self.clock()
        late_s = now - self.beat_at - LAG_EVERY_S
        if late_s > -LAG_EVERY_S:
            self.journey.counters.loop_lag_s.add(max(0.0, late_s))
        self.beat_at = now
        log_operator_events(self.journey.operators.values())
        self._full_queues.log(self.journey.rooms, now)
        refusals = self.journey.intake.refusals
        log_refusals(refusals, now)
        log_congestion(self.journey.intake.congestion, now)
        counters = self.journey.counters
        self.account_quality.look(self.accounts.by_name, counters, refusals, now)
        if now >= self._days_at:
            self._days_at = now + DAYS_EVERY_S
            self._keep_days()
        self.traffic.sample(counters, now)
        every_s = watchdog_s()
        if every_s is not None and now >= self._watchdog_at:
            self._watchdog_at = now + every_s / 3
            notify("WATCHDOG=1")
        self.loop.call_later(LAG_EVERY_S, self._beat)

    _watchdog_at = 0.0
    _days_at = 0.0

    def _keep_days(self) -> None:
        """Have the records know how well operators have delivered since the last call."""
        if self.recorder is not None:
            self.recorder.add(self.journey.quality.take_days())

    # Signals.

    def _on_stop(self) -> None:
        if self.stopping:
            log.warning("router.stop_repeated")
            if self._stop is not None:
                self._stop.hurry()
        self.stopping = True
        self._is_asked_to_stop.set()

    def _begin_stop(self, servers: Sequence[HttpServer]) -> Stop:
        """Take no new binds and submits; return what brings the rest to its end."""
        within_s = self.settings.stop_within_s
        stopping_within(within_s)
        self._stop = Stop(
            self.journey, self.connectors, self.clients, servers, self.clock, within_s,
            recorder=self.recorder, lookup=self.lookup,
        )  # fmt: skip
        self.journey.intake.draining = True
        self.ready = False
        for server in self._servers:
            server.close()
        log.info("router.draining", clients=len(self.clients), within_s=within_s)
        for link in list(self.clients):
            self._leave_to_next(link)
        return self._stop

    def _tell_left_behind(self) -> None:
        rooms = self.journey.rooms
        left = rooms.taken_by_all
        held = sum(len(outbox) for outbox in self.journey.deliveries.outboxes.values())
        if left or held:
            log.warning("router.left_behind", messages=left, deliveries=held)


def _shown(sockname: tuple[str, int]) -> str:
    host, port = sockname[:2]
    return str(Address(host=host, port=port))


def _path_of(journal: JournalSettings) -> Path:
    return Path(journal.url.removeprefix("sqlite:///")).resolve()


_UNMARKED_CURE: Final = (
    "find out who removed its .lock; from now on there is one (systemd/README.md, journal.unmarked)"
)
_SET_ASIDE_CURE: Final = (
    "test disk and memory; the row is in the table set_aside (systemd/README.md, journal.set_aside)"
)


def _log_journal(error: JournalError | None) -> None:
    if error is None:
        log.info("journal.back")
    else:
        log.error("journal.failed", error=str(error))


def _log_space(free: int, keep_free: int, *, is_short: bool) -> None:
    if is_short:
        log.error("journal.space_low", free_octets=free, keep_free=keep_free)
    else:
        log.info("journal.space_back", free_octets=free, keep_free=keep_free)


def _log_clock(ahead_s: float) -> None:
    if ahead_s:
        log.error("clock.doubted", ahead_s=round(ahead_s, 3), cure=cure_of(ahead_s))
    else:
        log.info("clock.believed")
