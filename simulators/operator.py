"""The simulated operator on its sockets: `smpp-simulator operator`.

Says `{"event": "listening", ...}` on standard output when clients can connect, and its totals as
one more line of JSON at its end (SIGTERM, SIGINT, or after --duration).
"""

import asyncio
import json
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final, cast

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.states import State
from router.terms.settings import Address
from simulators.loops import Alarm, stop_on_signals
from simulators.outbox import Link
from simulators.receipts import source_of, times_text
from simulators.scenario import Scenario
from simulators.smsc import Smsc


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorSettings:
    """Where an operator listens, and whom it lets in."""

    host: str = "127.0.0.1"
    port: int = 0
    """0 lets the kernel choose."""
    scenario: Scenario
    seed: int | None = None
    duration_s: float | None = None
    """None is until a signal."""
    system_id: str | None = None
    """The only one that may bind; None lets everybody in."""
    password: str | None = None
    certificate: Path | None = None
    """The certificate, PEM; with it and its key the operator speaks TLS."""
    key: Path | None = None
    calls: Address | None = None
    """Where to connect to, say outbind and be bound to."""
    calls_as: tuple[str, str] = ("", "")
    """The system_id and the password in its outbind."""
    receipt_times: Path | None = None
    """Where to write at the end when each receipt was sent."""


CALL_AGAIN_S: Final = 0.2


class Operator:
    """Owns the listener, the connections and the timer; all else is decided in Smsc."""

    def __init__(self, settings: OperatorSettings) -> None:
        now = time.monotonic()
        self.log: list[tuple[bytes, float]] | None = [] if settings.receipt_times else None
        self.smsc = Smsc(
            settings.scenario,
            Random(settings.seed),
            now=now,
            now_utc=time.time(),
            system_id=settings.system_id,
            password=settings.password,
            log=self.log,
        )
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._alarm = Alarm(self._wake, self.smsc.wake_at)
        self._connections: dict[Link, Connection] = {}
        self._flush_is_due = False
        self._server: asyncio.Server | None = None
        self._calls: asyncio.Task[None] | None = None

    async def start(self) -> int:
        """Listen; return the port. Raises OSError."""
        settings = self._settings
        context = None
        if settings.certificate is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(settings.certificate, settings.key)
        self._server = await self._loop.create_server(
            lambda: Connection(self), settings.host, settings.port, ssl=context
        )
        if settings.calls is not None:
            self._calls = asyncio.create_task(self._call(settings.calls))
        self._alarm.set(time.monotonic())
        port = self._server.sockets[0].getsockname()[1]
        assert isinstance(port, int)
        return port

    async def stop(self) -> None:
        """Listen no more and cut what is connected."""
        self._alarm.stop()
        if self._calls is not None:
            self._calls.cancel()
        if self._server is not None:
            self._server.close()
        for connection in [*self._connections.values()]:
            connection.transport.abort()
        await asyncio.sleep(0)  # The loop tells the connections.

    async def _call(self, to: Address) -> None:
        """Connect and say outbind, and again when that is over."""
        while True:
            over = asyncio.Event()
            with suppress(OSError):
                await self._loop.create_connection(
                    lambda over=over: Connection(self, over, self._settings.calls_as),  # type: ignore[misc]
                    to.host,
                    to.port,
                )
                await over.wait()
            await asyncio.sleep(CALL_AGAIN_S)

    def joined(self, link: Link, connection: "Connection") -> None:
        """A client has connected."""
        self._connections[link] = connection
        self.later(time.monotonic())

    def left(self, link: Link) -> None:
        """A connection has ended."""
        now = time.monotonic()
        del self._connections[link]
        self.smsc.lost(link, now)
        self.later(now)

    def later(self, now: float) -> None:
        """Write at the end of this turn, once for all that it read; and look at the clock."""
        self._alarm.set(now)
        if not self._flush_is_due:
            self._flush_is_due = True
            self._loop.call_soon(self._flush)

    def _wake(self, now: float) -> None:
        self.smsc.wake(now)
        self._flush()

    def _flush(self) -> None:
        self._flush_is_due = False
        touched = self.smsc.touched
        while touched:
            link = touched.pop()
            connection = self._connections.get(link)
            if connection is not None:
                connection.write()


class Connection(asyncio.Protocol):
    """One client's connection."""

    transport: asyncio.Transport
    link: Link

    def __init__(
        self,
        operator: Operator,
        over: asyncio.Event | None = None,
        outbind: tuple[str, str] | None = None,
    ) -> None:
        """With `outbind` it is the operator that has connected; `over` is set at the end."""
        self._over = over
        self._outbind = outbind
        self._operator = operator
        self._smsc = operator.smsc

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it.
        remote_port: int = self.transport.get_extra_info("peername")[1]
        self.link = self._smsc.connected(remote_port, time.monotonic())
        self._operator.joined(self.link, self)
        if self._outbind is not None:
            body = b"".join(word.encode() + b"\0" for word in self._outbind)
            self.transport.write(p.build(v.OUTBIND, 0, 1, body))

    def data_received(self, data: bytes) -> None:
        """Octets were read: their time of arrival is now, once for all of them."""
        now = time.monotonic()
        self._smsc.arrived(self.link, data, now)
        self._operator.later(now)
        pause_s = self._smsc.read_pause_s()
        if pause_s:
            self.transport.pause_reading()
            asyncio.get_running_loop().call_later(pause_s, self._read_on)

    def _read_on(self) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection has ended, on either side."""
        self._operator.left(self.link)
        if self._over is not None:
            self._over.set()

    def write(self) -> None:
        """Write what the session has to say; end the connection where it is to end."""
        octets = self.link.session.take_octets()
        if self.link.cut:
            self.transport.abort()
            return
        if octets:
            self.transport.write(octets)
        if self.link.session.state is State.CLOSED:
            self.transport.close()


async def operate(settings: OperatorSettings) -> dict[str, object]:
    """Be an operator until it ends; return its totals. Raises OSError where it cannot listen."""
    operator = Operator(settings)
    port = await operator.start()
    print(json.dumps({"event": "listening", "host": settings.host, "port": port}), flush=True)
    cpu_began_s = time.process_time()
    stop = asyncio.Event()
    stop_on_signals(stop)
    try:
        async with asyncio.timeout(settings.duration_s):
            await stop.wait()
    except TimeoutError:
        pass  # The duration is over.
    cpu_s = time.process_time() - cpu_began_s
    totals = operator.smsc.totals()
    await operator.stop()
    if settings.receipt_times is not None and operator.log is not None:
        sent = ((source_of(octets), at) for octets, at in operator.log)
        settings.receipt_times.write_text(times_text(sent), encoding="utf-8")
    submits = operator.smsc.tally.submits
    return totals | {
        "port": port,
        "cpu_s": round(cpu_s, 3),
        "cpu_us_per_submit": round(cpu_s / submits * 1e6, 1) if submits else None,
    }
