"""A small HTTP server in threads of its own, so that it answers for a loop that stands still.

What peers can use up is bounded: so many connections at once, so long for each. A few places are
kept for paths that must be answered whoever else is connected: who asks for something else there is
refused, and who asks for nothing gives way to the next.
"""

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from contextlib import suppress
from http import HTTPStatus
from socketserver import TCPServer, ThreadingMixIn
from typing import IO, TYPE_CHECKING, Final, cast
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler, WSGIServer

import structlog

from router.telemetry.metrics import items
from router.terms.settings import Address

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

MOST_PEERS: Final = 16
"""Connections at the same time. A scraper, two health checks and some people are five."""
FREED_WITHIN_S: Final = 0.05
"""How long a connection is kept waiting for a place that is about to be free."""
KEPT_PEERS: Final = 2
"""Places among them that are kept, where a server keeps any."""
SILENCE_S: Final = 5.0
"""How long to wait for the next octets of a request."""
LONGEST_S: Final = 10.0
"""How long one connection may take, so that a peer which sends an octet every four seconds ends."""
LONGEST_LINE: Final = 8192
CONNECTION: Final = "smpp_router.connection"
"""In the environ of a request: its socket, for answers that go on for long."""
TELL_EVERY_S: Final = 60.0
"""How often the log says that something is refused, for each reason; all of it is counted."""

_Request = socket.socket | tuple[bytes, socket.socket]
"""The type of requests in socketserver; with TCP always a socket."""
Site = Callable[["WSGIEnvironment", "StartResponse"], Iterable[bytes]]

log = structlog.get_logger()


class Refusals:
    """Counts what is refused to HTTP peers, and says so in the log. For any thread."""

    def __init__(self, counted: MutableMapping[str, int]) -> None:
        """`counted` has the number by reason."""
        self._counted: Final = counted
        self._told_at: Final[dict[str, float]] = {}
        self._one_at_a_time: Final = threading.Lock()

    def note(self, reason: str, **more: object) -> None:
        """Count one; `more` stands in the log."""
        now = time.monotonic()
        with self._one_at_a_time:
            self._counted[reason] += 1
            tell = now - self._told_at.get(reason, float("-inf")) > TELL_EVERY_S
            if tell:
                self._told_at[reason] = now
        if tell:
            log.warning("control.refused", reason=reason, **more)


class HttpServer:
    """One listener: `start` opens the port, `stop` closes it."""

    def __init__(
        self,
        key: str,
        listen: Address,
        site_at: Callable[[Address], Site],
        refusals: Refusals,
        *,
        kept_for: frozenset[str] = frozenset(),
        longest_s: float = LONGEST_S,
        slow: Mapping[str, float] = {},
    ) -> None:
        """`key` is the setting that `listen` is from; `site_at` makes the WSGI application.

        `kept_for` are the paths that places are kept for, `slow` those whose answer may take so
        many seconds more than others.
        """
        self.address = ""
        """The address that the server listens on, as host:port, once it does."""
        self._key: Final = key
        self._listen: Final = listen
        self._site_at: Final = site_at
        self._refusals: Final = refusals
        self._kept_for: Final = kept_for
        self._longest_s: Final = longest_s
        self._slow: Final = slow
        self._server: _Server | None = None

    def start(self) -> None:
        """Open the port and begin to serve. Raises OSError that names the setting."""
        try:
            server = _Server(
                self._listen, self._refusals, self._kept_for, self._longest_s, self._slow
            )
        except OSError as error:
            what = f"{self._key}: {self._listen}: {error.strerror or error}"
            raise OSError(error.errno, what) from error
        self._server = server
        host, port = server.socket.getsockname()[:2]
        self.address = str(Address(host=host, port=port))
        server.site = self._site_at(Address(host=self._listen.host, port=port))
        threading.Thread(target=server.serve_forever, name=self._key, daemon=True).start()

    def stop(self) -> None:
        """Close the port; requests under way are still answered. Takes up to half a second."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class _Answer(ServerHandler):
    """Runs the application for one request."""

    server_software = "smpp-router"

    def log_exception(self, exc_info: "OptExcInfo") -> None:
        """Log an error of the router, answered with 500. A slow or lost peer is no error."""
        if not isinstance(exc_info[1], OSError):
            log.error("control.failed", exc_info=exc_info)


class _Handler(WSGIRequestHandler):
    """One connection with one request, which is not logged."""

    timeout = SILENCE_S

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing to standard error."""

    def handle(self) -> None:
        """Answer the request, unless the peer is too slow or gone."""
        server = self.server
        assert isinstance(server, _Server)
        try:
            self.raw_requestline = self.rfile.readline(LONGEST_LINE + 1)
            if len(self.raw_requestline) > LONGEST_LINE:
                self.requestline = self.request_version = self.command = ""
                self.send_error(HTTPStatus.REQUEST_URI_TOO_LONG)
            elif self.parse_request():
                if not server.may_answer(self.request, self.path.partition("?")[0]):
                    self.send_error(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections")
                    return
                out = cast("IO[bytes]", self.wfile)
                environ = {**self.get_environ(), CONNECTION: self.connection}
                answer = _Answer(cast("IO[bytes]", self.rfile), out, sys.stderr, environ)
                answer.request_handler = self  # type: ignore[attr-defined]  # Required by `answer`.
                answer.run(server.site)
        except OSError:
            self.close_connection = True


class _Server(ThreadingMixIn, WSGIServer):
    """A thread for each of a bounded number of peers, for a bounded time."""

    daemon_threads = True
    request_queue_size = 64

    site: Site

    def __init__(
        self,
        listen: Address,
        refusals: Refusals,
        kept_for: frozenset[str],
        longest_s: float,
        slow: Mapping[str, float],
    ) -> None:
        if ":" in listen.host:
            self.address_family = socket.AF_INET6
        self._refusals: Final = refusals
        self._kept_for: Final = kept_for
        self._longest_s: Final = longest_s
        self._slow: Final = slow
        self._since: Final[dict[_Request, float]] = {}
        """The connections that have a thread, and when each began."""
        self._kept: Final[dict[_Request, bool]] = {}
        """Those among them in a kept place, oldest first, and whether each has said what it wants:
        one of the paths that the place is for."""
        super().__init__((listen.host, listen.port), _Handler)

    def server_bind(self) -> None:
        """Bind without looking up the host's name, which may take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.socket.getsockname()[:2]
        self.setup_environ()

    def process_request(self, request: _Request, client_address: object) -> None:
        """Take a connection, if there is a place for it."""
        kept = KEPT_PEERS if self._kept_for else 0
        if len(self._since) - len(self._kept) >= MOST_PEERS - kept:
            if not self._makes_room(kept):
                # First counted: who sees the end of its connection finds it counted.
                self._refusals.note("too_many", at_once=MOST_PEERS)
                self.shutdown_request(request)
                return
            self._kept[request] = False
        self._since[request] = time.monotonic()
        super().process_request(request, client_address)

    def _makes_room(self, kept: int) -> bool:
        """Return whether a kept place is free; the oldest that has asked for nothing gives way."""
        if len(self._kept) < kept:
            return True
        silent = next((one for one, has_asked in items(self._kept) if not has_asked), None)
        if silent is None:
            # Who has its answer asks again before the thread that gave it has freed the place.
            ends_at = time.monotonic() + FREED_WITHIN_S
            while len(self._kept) >= kept and time.monotonic() < ends_at:
                time.sleep(FREED_WITHIN_S / 10)
            return len(self._kept) < kept
        self._forget(silent)
        _end(silent)
        return True

    def may_answer(self, request: _Request, path: str) -> bool:
        """Return whether this path is served to this connection, in the place that it has."""
        if request not in self._kept:
            if path in self._slow:
                self._since[request] += self._slow[path]
            return True
        if path in self._kept_for:
            self._kept[request] = True
            return True
        self._refusals.note("too_many", at_once=MOST_PEERS)
        return False

    def _forget(self, request: _Request) -> None:
        self._since.pop(request, None)
        self._kept.pop(request, None)

    def process_request_thread(self, request: _Request, client_address: object) -> None:
        """Answer, and free the place."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._forget(request)

    def service_actions(self) -> None:
        """End connections that take too long. Called twice a second and after each connection."""
        now = time.monotonic()
        for request, since in items(self._since):
            if now - since > self._longest_s:
                _end(request)

    def handle_error(self, request: _Request, client_address: object) -> None:
        """Log an error of the router instead of printing it."""
        self._forget(request)
        log.error("control.failed", exc_info=sys.exc_info())


def _end(request: _Request) -> None:
    if isinstance(request, socket.socket):
        with suppress(OSError):  # The connection has just ended by itself.
            request.shutdown(socket.SHUT_RDWR)
