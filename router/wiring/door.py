"""The door of a listener with TLS, or behind a proxy: who it is comes before what it says.

A connection is refused for its address (blocked, or too many of them) before anything is computed
for it. Behind a proxy it begins with a header, which says where the client is; of the socket not
one octet more than the header is read, so that TLS, or SMPP, finds its own first octet as the next.
Then comes the handshake, with the certificate that is in force at that moment, in a context of its
own: nobody resumes a session that an earlier certificate, or an earlier authority, has begun.

One task for each connection that is not a client's yet, for `bind_timeout` at most each for header
and handshake.
"""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from typing import Final, Protocol, cast

import structlog

from router.accept.accounts import Accounts, is_in, neighbourhood
from router.accept.places import MOST_UNBOUND
from router.accept.proxy_header import FIRST_OCTETS, HeaderError, octets_to_come, origin_of
from router.accept.server import Caller, ClientLink
from router.terms.counters import Counters
from router.terms.settings import ListenSettings, Settings
from router.wiring.tls import Certificate, shown_names

ACCEPTED_AT_ONCE: Final = 100
"""Connections that are accepted in one turn; the others wait in the kernel."""
REST_S: Final = 1.0
"""How long nothing is accepted after the system had no descriptor left."""
_NO_MORE: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

log = structlog.get_logger()


class House(Protocol):
    """The router, as a door sees it."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """Its event loop."""

    @property
    def settings(self) -> Settings:
        """The configuration in force."""

    @property
    def accounts(self) -> Accounts:
        """Who may connect."""

    @property
    def counters(self) -> Counters:
        """The counters of the router."""

    def clock(self) -> float:
        """Return monotonic seconds."""

    def client(self) -> ClientLink:
        """Return what deals with a new client."""


class Arrival:
    """A connection that is not a client's yet."""

    def __init__(self, accepted: socket.socket, host: str, port: int) -> None:
        self.socket: Final = accepted
        self.host = host
        """The client's numeric address, once it is known; until then the proxy's."""
        self.port = port
        self.via = ""
        """The address of the proxy that passes it on; empty without one."""
        self.is_handed_on = False
        """Whether its socket is a transport's."""
        self.task: asyncio.Task[None] | None = None
        self.gave_way: Callable[[], None] = lambda: None

    def give_way(self) -> None:
        """Close: another connection of the same address needs the place."""
        self.gave_way()
        if self.task is not None:
            self.task.cancel()


class Door:
    """One listener whose connections are looked at before they are clients'."""

    def __init__(
        self, house: House, number: int, sockets: list[socket.socket], tls: Certificate | None
    ) -> None:
        """Accept connections of `sockets`, which listen; `number` is that of the listener."""
        self.sockets: Final = sockets
        self._house: Final = house
        self._number: Final = number
        self._certificate: Final = tls
        self._at_work: Final[set[asyncio.Task[None]]] = set()
        self._nameless = 0
        """Connections of proxies whose header has not come."""
        self._is_closed = False
        for one in sockets:
            house.loop.add_reader(one.fileno(), self._accept, one)

    def close(self) -> None:
        """Accept no more; what was accepted goes on."""
        self._is_closed = True
        for one in self.sockets:
            self._house.loop.remove_reader(one.fileno())
            one.close()

    @property
    def _listen(self) -> ListenSettings:
        """Its settings in force."""
        return self._house.settings.listen[self._number]

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                accepted, peer = listening.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno not in _NO_MORE:
                    continue  # That one connection was gone again.
                log.error("router.not_accepting", error=error.strerror or str(error))
                self._house.loop.remove_reader(listening.fileno())
                self._house.loop.call_later(REST_S, self._accept_again, listening)
                return
            accepted.setblocking(False)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._let_in(Arrival(accepted, peer[0], peer[1]))

    def _accept_again(self, listening: socket.socket) -> None:
        if not self._is_closed:
            self._house.loop.add_reader(listening.fileno(), self._accept, listening)

    def _let_in(self, arrival: Arrival) -> None:
        """Begin to look at a connection."""
        proxy = self._listen.proxy
        is_proxy = proxy is not None and is_in(arrival.host, proxy.proxies)
        if is_proxy and self._nameless >= MOST_UNBOUND:
            self._refused("too_many_connections")
        elif is_proxy or self._has_place(arrival):
            arrival.task = task = self._house.loop.create_task(self._look_at(arrival, is_proxy))
            self._at_work.add(task)
            task.add_done_callback(lambda _: self._looked_at(arrival))
            return
        arrival.socket.close()

    def _has_place(self, arrival: Arrival) -> bool:
        """Take a place for the client's address; return whether there was one."""
        house = self._house
        arrival.gave_way = lambda: self._refused("too_many_connections")
        why_not = house.accounts.takes(arrival.host, arrival, house.clock())
        if why_not is not None:
            self._refused(why_not)
        return why_not is None

    def _refused(self, reason: str) -> None:
        self._house.counters.failed_binds[reason] += 1

    async def _look_at(self, arrival: Arrival, is_proxy: bool) -> None:
        """Find out who it is, and hand the connection to what deals with clients."""
        wait_s = self._house.settings.session.bind_timeout_s
        try:
            if is_proxy:
                goes_on = await self._is_passed_on(arrival, wait_s)
            else:
                goes_on = self._listen.proxy is None or await self._is_direct(arrival, wait_s)
            if goes_on:
                await self._hand_on(arrival, wait_s)
        except HeaderError as error:
            self._refused("proxy_header")
            told = self._told("client.not_passed_on", arrival)
            if told is not None:
                log.warning("client.not_passed_on", error=str(error), **told)
        except ssl.SSLError as error:
            self._refused("tls")
            told = self._told("client.not_secured", arrival)
            if told is not None:
                why = error.reason or type(error).__name__
                log.warning("client.not_secured", error=why, **told)
        except (TimeoutError, ConnectionAbortedError):  # The second is the loop's, of a handshake.
            self._refused("timed_out")
        except OSError:
            pass  # It has hung up.

    def _looked_at(self, arrival: Arrival) -> None:
        """Let go of what a connection has. Its task may have been cancelled before it began."""
        if arrival.task is not None:
            self._at_work.discard(arrival.task)
            arrival.task = None
        if not arrival.is_handed_on:
            arrival.socket.close()
        here = neighbourhood(arrival.host)
        self._house.accounts.places.leave(here, arrival)  # If it still has one.

    def _told(self, event: str, arrival: Arrival) -> dict[str, object] | None:
        """Return who a line is about; None if it is left out."""
        limit = self._house.accounts.lines_of_address
        more = limit.take(f"{event} {neighbourhood(arrival.host)}", self._house.clock())
        if more is None:
            return None
        via = {"via": arrival.via} if arrival.via else {}
        return {"client": f"{arrival.host}:{arrival.port}", **via, **more}

    async def _is_passed_on(self, arrival: Arrival, wait_s: float) -> bool:
        """Read the header of a proxy; return whether the connection goes on.

        Raises HeaderError, OSError.
        """
        self._nameless += 1
        try:
            async with asyncio.timeout(wait_s):
                header = await self._header(arrival.socket)
        except TimeoutError:
            raise HeaderError("no whole header came in time") from None
        finally:
            self._nameless -= 1
        if not header:  # The proxy only looks whether somebody listens.
            return False
        origin = origin_of(header)
        if origin is not None:
            arrival.via = arrival.host
            arrival.host, arrival.port = origin
        return self._has_place(arrival)

    async def _header(self, proxy: socket.socket) -> bytes:
        """Read a header, and nothing behind it; empty if the proxy has closed before it.

        Raises HeaderError, OSError.
        """
        header = b""
        while to_come := octets_to_come(header):
            more = await self._house.loop.sock_recv(proxy, to_come)
            if not more and header:
                raise HeaderError("a header that ends in its middle")
            if not more:
                break
            header += more
        return header

    async def _is_direct(self, arrival: Arrival, wait_s: float) -> bool:
        """Look at the first octet of who is no proxy, and leave it where it is.

        Return whether the connection goes on. Raises HeaderError, OSError.
        """
        first: asyncio.Future[None] = self._house.loop.create_future()
        number = arrival.socket.fileno()
        self._house.loop.add_reader(number, _come, first)
        try:
            async with asyncio.timeout(wait_s):
                await first
        finally:
            self._house.loop.remove_reader(number)
        octet = arrival.socket.recv(1, socket.MSG_PEEK)
        if octet in FIRST_OCTETS:
            raise HeaderError("a header from an address that proxy.from does not have")
        return bool(octet)

    async def _hand_on(self, arrival: Arrival, wait_s: float) -> None:
        """Make the connection a client's, with TLS after its handshake. Raises OSError."""
        loop, certificate = self._house.loop, self._certificate

        def client() -> asyncio.Protocol:
            link = self._house.client()
            link.caller = Caller(arrival.host, arrival.port, arrival, arrival.via)
            if certificate is not None:
                link.shown = shown_names
            return cast("asyncio.Protocol", link)

        arrival.is_handed_on = True
        if certificate is None:
            await loop.connect_accepted_socket(client, arrival.socket)
        else:
            await loop.connect_accepted_socket(
                client,
                arrival.socket,
                ssl=certificate.now.context,
                ssl_handshake_timeout=wait_s,
            )


def _come(first: asyncio.Future[None]) -> None:
    """Note that an octet can be read."""
    if not first.done():
        first.set_result(None)
