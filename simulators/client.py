"""The simulated client on its sockets: `smpp-simulator client`.

Binds, submits, counts and checks; says its totals as one line of JSON at the end.
"""

import asyncio
import json
import os
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final, cast

from router.smpp import vocabulary as v
from router.smpp.states import State
from simulators.counting import NEVER
from simulators.esme import COMMANDS, ClientLink, Esme, EsmeSettings
from simulators.ledger import Ledger
from simulators.loops import Alarm, stop_on_signals
from simulators.messages import Messages, MessageSettings, new_run
from simulators.receipts import times_text

BIND_S: Final = 10.0
"""How long a connection and the answer to its bind request may take."""
FIRST_PAUSE_S: Final = 0.25
LONGEST_PAUSE_S: Final = 5.0
"""Between attempts to bind again; each is twice the one before."""
GIVE_UP_S: Final = 60.0
"""The run ends after this time without any bind, with --reconnect."""
UNBIND_S: Final = 2.0
"""How long an answer to unbind is waited for."""
INTERRUPTED: Final = "interrupted before it was bound"


class ClientError(Exception):
    """The run could not begin or go on; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """What a run of the client needs to know."""

    host: str
    port: int
    esme: EsmeSettings
    messages: MessageSettings
    reconnect: bool = False
    seed: int | None = None
    tls: Path | None = None
    """Certificates to trust, PEM: with them the client speaks TLS."""
    progress: int | None = None
    """Say after so many messages how many are done."""
    receipt_times: Path | None = None
    """Where to write at the end when each receipt came."""


class Client:
    """Owns the connections and the timer; all else is decided in Esme."""

    def __init__(self, settings: ClientSettings, ended: asyncio.Event) -> None:
        rng = Random(settings.seed)
        messages = Messages(settings.messages, new_run(rng), rng)
        ledger = Ledger(messages.sender_octets, settings.messages.registered_delivery)
        self.esme = Esme(settings.esme, messages, ledger, rng)
        self.failure: str | None = None
        """Why the run ended before its time."""
        self._settings = settings
        self._tls = (
            None if settings.tls is None else ssl.create_default_context(cafile=settings.tls)
        )
        self._progress_at = settings.progress
        self._loop = asyncio.get_running_loop()
        self._alarm = Alarm(self._wake, self.esme.wake_at)
        self._connections: dict[ClientLink, Connection] = {}
        self._attempts: set[asyncio.Task[None]] = set()
        self._bindless_since: float | None = None
        self._flush_is_due = False
        self._ended = ended
        """Set by a signal, by a failure, or when nothing more is to come."""
        self._first_bound = asyncio.Event()
        self._all_gone = asyncio.Event()

    async def run(self) -> None:
        """Bind, submit, and wait for what is to come; then unbind. Raises ClientError."""
        began = self._loop.create_task(self._start())
        ended = self._loop.create_task(self._ended.wait())
        try:
            await asyncio.wait({began, ended}, return_when=asyncio.FIRST_COMPLETED)
            if began.done():
                began.result()
                self.esme.begin(time.monotonic())
                self.later(time.monotonic())
                await ended
        finally:
            for task in (began, ended, *self._attempts):
                task.cancel()
            await self._finish()

    async def _start(self) -> None:
        """Bind all; with --reconnect one is enough to begin with. Raises ClientError."""
        esme = self._settings.esme
        for command_id in COMMANDS[esme.bind_type] * esme.binds:
            self._bind(command_id, pause_s=0.0)
        if self._settings.reconnect:
            await self._first_bound.wait()
        else:
            await asyncio.gather(*self._attempts)

    def _bind(self, command_id: int, pause_s: float) -> None:
        attempt = self._loop.create_task(self._connect(command_id, pause_s))
        self._attempts.add(attempt)
        attempt.add_done_callback(self._attempts.discard)

    async def _connect(self, command_id: int, pause_s: float) -> None:
        """Bind one; with --reconnect as long as it takes."""
        while True:
            await asyncio.sleep(pause_s)
            says = await self._attempt(command_id)
            if says is None:
                self._bindless_since = None
                self._first_bound.set()
                return
            if not self._settings.reconnect:
                raise ClientError(says)
            self._look_for_binds(time.monotonic(), says)
            pause_s = min(max(pause_s * 2, FIRST_PAUSE_S), LONGEST_PAUSE_S)

    async def _attempt(self, command_id: int) -> str | None:
        """Bind one, once; return what went wrong."""
        host, port = self._settings.host, self._settings.port
        name = v.command_name(command_id)
        try:
            async with asyncio.timeout(BIND_S):
                _, connection = await self._loop.create_connection(
                    lambda: Connection(self, command_id), host, port, ssl=self._tls
                )
                await connection.decided.wait()
        except TimeoutError:
            return f"{host}:{port} did not answer {name} within {BIND_S:g} s"
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            return f"cannot connect to {host}:{port}: {reason}"
        link = connection.link
        if link.bound:
            return None
        if link.refused is not None:
            return f"{host}:{port} refused {name} with {v.status_name(link.refused)}"
        return f"{host}:{port} closed the connection instead of answering {name}"

    async def _finish(self) -> None:
        """Unbind, and close what the other side does not."""
        now = time.monotonic()
        self.esme.unbind(now)
        self._flush()
        with suppress(TimeoutError):
            async with asyncio.timeout(UNBIND_S if self._connections else 0.0):
                await self._all_gone.wait()
        self._alarm.stop()
        for connection in [*self._connections.values()]:
            connection.transport.abort()
        await asyncio.sleep(0)  # The loop tells the connections.

    def joined(self, connection: "Connection", command_id: int) -> ClientLink:
        """Bind on a new connection."""
        now = time.monotonic()
        link = self.esme.connect(command_id, now)
        self._connections[link] = connection
        self.later(now)
        return link

    def left(self, link: ClientLink) -> None:
        """A connection has ended."""
        now = time.monotonic()
        del self._connections[link]
        self.esme.lost(link, now)
        self.later(now)
        if not self._connections:
            self._all_gone.set()
        if self._ended.is_set() or not link.bound:
            return
        if self._settings.reconnect:
            self._bind(link.command_id, FIRST_PAUSE_S)
            self._look_for_binds(now, "all binds are lost")
        elif not self._connections:
            self._fail("the other side closed the last bind")

    def _look_for_binds(self, now: float, says: str) -> None:
        """End the run if the other side does not come back."""
        if any(link.bound for link in self._connections):
            self._bindless_since = None
        elif self._bindless_since is None:
            self._bindless_since = now
        elif now - self._bindless_since >= GIVE_UP_S:
            self._fail(f"no bind for {GIVE_UP_S:g} s: {says}")

    def _fail(self, says: str) -> None:
        self.failure = says
        self._ended.set()

    def later(self, now: float) -> None:
        """Write at the end of this turn, once for all that it read; and look at the clock."""
        self._alarm.set(now)
        if not self._flush_is_due:
            self._flush_is_due = True
            self._loop.call_soon(self._flush)

    def _wake(self, now: float) -> None:
        self.esme.wake(now)
        self._flush()

    def _flush(self) -> None:
        self._flush_is_due = False
        touched = self.esme.touched
        while touched:
            connection = self._connections.get(touched.pop())
            if connection is not None:
                connection.write()
        if self._progress_at is not None and self.esme.ledger.settled >= self._progress_at:
            self._say_progress(self.esme.ledger.settled)
        if self.esme.finished(time.monotonic()):
            self._ended.set()

    def _say_progress(self, messages: int) -> None:
        """Once for all steps that this turn has passed."""
        every = self._settings.progress
        assert every is not None
        self._progress_at = (messages // every + 1) * every
        print(json.dumps({"event": "progress", "messages": messages}), flush=True)


class Connection(asyncio.Protocol):
    """One connection of the client."""

    transport: asyncio.Transport
    link: ClientLink

    def __init__(self, client: Client, command_id: int) -> None:
        self._client = client
        self._command_id = command_id
        self.decided = asyncio.Event()
        """Set when it is known whether the bind succeeded."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The other side is there."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it.
        self.link = self._client.joined(self, self._command_id)

    def data_received(self, data: bytes) -> None:
        """Octets were read: their time of arrival is now, once for all of them."""
        now = time.monotonic()
        self._client.esme.arrived(self.link, data, now)
        self._client.later(now)
        if not self.decided.is_set() and (self.link.bound or self.link.refused is not None):
            self.decided.set()
            if self.link.refused is not None:
                self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection has ended, on either side."""
        self.decided.set()
        self._client.left(self.link)

    def write(self) -> None:
        """Write what the session has to say; end the connection where it is to end."""
        octets = self.link.session.take_octets()
        if octets:
            self.transport.write(octets)
        if self.link.session.state is State.CLOSED:
            self.transport.close()


async def run(settings: ClientSettings) -> dict[str, object]:
    """Run the client once; return its totals. Raises ClientError if it cannot begin."""
    ended = asyncio.Event()
    stop_on_signals(ended)
    client = Client(settings, ended)
    cpu_began_s = time.process_time()
    await client.run()
    client.esme.ledger.gave_up_all()  # After a signal; otherwise there is nothing to give up.
    cpu_s = time.process_time() - cpu_began_s
    esme, ledger = client.esme, client.esme.ledger
    if esme.began_at == NEVER or (client.failure is not None and not ledger.submitted):
        raise ClientError(client.failure or INTERRUPTED)
    span_s = max(esme.last_heard_at, esme.last_sent_at) - esme.began_at
    totals = ledger.totals()
    if settings.receipt_times is not None:
        text = times_text(ledger.receipt_times())
        settings.receipt_times.write_text(text, encoding="utf-8")
    return totals | {
        "well": totals["well"] is True and client.failure is None,
        "failure": client.failure,
        "duration_s": round(span_s, 6),
        "submit_span_s": round(esme.last_sent_at - esme.began_at, 6),
        "rate_per_s": round(ledger.accepted / span_s, 1) if span_s > 0 else None,
        "cpu_s": round(cpu_s, 3),
        "cpu_us_per_message": round(cpu_s / ledger.submitted * 1e6, 1)
        if ledger.submitted
        else None,
    }
