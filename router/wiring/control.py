"""Metrics, health and status over HTTP, in threads of their own so as not to delay the loop.

    /metrics     for Prometheus
    /healthz     200 while the event loop lives
    /readyz      200 while clients are served, whether or not an operator is up
    /v1/status   what `smpp-router status` shows
    /v1/drain    POST {"what": "OPERATOR[/BIND]"}: send nothing more on it
    /v1/resume   the same, to undo that
    /v1/clock    POST {"what": "believe"}: end a doubt about the wall clock

The last four ask the loop. Whoever can reach the port can command the router, so it is on loopback
only; and a command has to be JSON, which a web page cannot have a browser send here.

A loop that stands still is answered for too: that is what the thread is for. What peers can use up
is bounded: so many connections at once, so long for each.
"""

import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from http import HTTPStatus
from socketserver import TCPServer, ThreadingMixIn
from typing import IO, TYPE_CHECKING, Final, TypeVar, cast
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler, WSGIServer

import structlog
from prometheus_client import make_wsgi_app

from router.telemetry.log import LogLines
from router.telemetry.metrics import items, registry
from router.telemetry.status import Running, Snapshot, not_ready, snapshot
from router.terms.settings import Address
from router.wiring.drains import UnknownNameError, set_drained
from router.wiring.remote import UNKNOWN_NAME
from router.wiring.wall_clock import believe_clock

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

LOOP_DEAD_S: Final = 5.0
"""How long the loop may show no sign of life. It beats ten times a second; a busy machine may delay
a beat, but not for this long."""
ANSWER_S: Final = 2.0
"""How long to wait for the loop before the answer is 503."""
FRESH_S: Final = 0.25
"""Age up to which a status is shown again, so that many requests cost the loop no more than one."""
MOST_PEERS: Final = 16
"""Connections at the same time. A scraper, two health checks and some people are five."""
SILENCE_S: Final = 5.0
"""How long to wait for the next octets of a request."""
LONGEST_S: Final = 10.0
"""How long one connection may take, so that a peer which sends an octet every four seconds ends."""
LONGEST_LINE: Final = 8192
MOST_COMMAND_OCTETS: Final = 4096
TELL_EVERY_S: Final = 60.0

Made = TypeVar("Made")
_Request = socket.socket | tuple[bytes, socket.socket]
"""The type of requests in socketserver; with TCP always a socket."""

log = structlog.get_logger()


class Site:
    """The answers, as a WSGI application. Called in the threads of the server."""

    def __init__(self, app: Running, *, answer_s: float = ANSWER_S) -> None:
        self._app: Final = app
        self._answer_s: Final = answer_s
        self._metrics: Final = make_wsgi_app(
            registry(app, lambda: LogLines.lost), disable_compression=True
        )
        self._scraping = threading.Lock()
        self._asking = threading.Lock()
        self._last: Snapshot | None = None
        self._last_at = 0.0

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer one request."""
        answer = {
            "/metrics": None,
            "/healthz": self._health,
            "/readyz": self._readiness,
            "/v1/status": self._status,
        }
        command: dict[str, Callable[[str], object]] = {
            "/v1/drain": lambda what: set_drained(self._app, what, drained=True),
            "/v1/resume": lambda what: set_drained(self._app, what, drained=False),
            "/v1/clock": self._set_clock,
        }
        path = environ["PATH_INFO"]
        if path not in answer and path not in command:
            known = ", ".join((*answer, *command))
            return _json(start_response, 404, {"error": f"there is nothing here; try {known}"})
        method = "POST" if path in command else "GET"
        if environ["REQUEST_METHOD"] != method:
            what = {"error": f"only {method} is answered"}
            return _json(start_response, 405, what, allow=method)
        if path in command:
            status, document = self._command(environ, command[path])
            return _json(start_response, status, document)
        make = answer[path]
        if make is None:
            # One scrape at a time: each reads all metrics and shares the interpreter with the loop.
            with self._scraping:
                return cast("Iterable[bytes]", self._metrics(environ, start_response))
        status, document = make()
        return _json(start_response, status, document)

    def _health(self) -> tuple[int, object]:
        silent_s = self._app.clock() - self._app.beat_at
        if silent_s < LOOP_DEAD_S:
            return 200, {"healthy": True}
        reason = f"the event loop has not turned for {silent_s:.1f} s"
        return 503, {"healthy": False, "reason": reason}

    def _readiness(self) -> tuple[int, object]:
        reason = not_ready(self._app)
        if reason is None:
            return 200, {"ready": True}
        return 503, {"ready": False, "reason": reason}

    def _status(self) -> tuple[int, object]:
        return self._from_loop(self._fresh_status)

    def _set_clock(self, what: str) -> object:
        if what != "believe":
            raise UnknownNameError(f"a clock can be told to `believe`, not {what!r}")
        return believe_clock(self._app)

    def _command(
        self, environ: "WSGIEnvironment", command: Callable[[str], object]
    ) -> tuple[int, object]:
        try:
            what = _named(environ)
        except ValueError as error:
            return 400, {"error": str(error)}
        try:
            return self._from_loop(lambda: self._ask(lambda: command(what)))
        except UnknownNameError as error:
            return UNKNOWN_NAME, {"error": str(error)}
        finally:
            self._last = None  # The next status must show the effect of the command.

    def _from_loop(self, ask: Callable[[], object]) -> tuple[int, object]:
        try:
            return 200, ask()
        except TimeoutError:
            return 503, {"error": f"the event loop did not answer within {self._answer_s:g} s"}
        except RuntimeError:  # The loop is closed already.
            return 503, {"error": "the router is stopping"}

    def _fresh_status(self) -> Snapshot:
        """Return the status. Raises TimeoutError, or RuntimeError when the router ends."""
        if not self._asking.acquire(timeout=self._answer_s):
            raise TimeoutError
        try:
            last = self._last
            if last is not None and time.monotonic() - self._last_at < FRESH_S:
                return last
            self._last = last = self._ask(lambda: snapshot(self._app))
            self._last_at = time.monotonic()
            return last
        finally:
            self._asking.release()

    def _ask(self, make: Callable[[], Made]) -> Made:
        """Return the result of a call in the loop's thread. Raises as it and `_fresh_status` do."""
        answer: Future[Made] = Future()
        self._app.loop.call_soon_threadsafe(lambda: _fulfil(answer, make))
        try:
            return answer.result(self._answer_s)
        except TimeoutError:
            if answer.cancel():  # Then it surely never runs, as the answer will say.
                raise
            return answer.result(self._answer_s)


def _fulfil(answer: "Future[Made]", make: Callable[[], Made]) -> None:
    """Run the call. An exception goes to the thread that waits, not to the loop."""
    if not answer.set_running_or_notify_cancel():
        return
    try:
        answer.set_result(make())
    except BaseException as error:  # noqa: BLE001 - The thread that waits raises it again.
        answer.set_exception(error)


def _named(environ: "WSGIEnvironment") -> str:
    """Return the name in a command. Raises ValueError that says what is wrong."""
    if environ.get("CONTENT_TYPE", "").partition(";")[0].strip() != "application/json":
        raise ValueError("a command is JSON: Content-Type: application/json")
    try:
        length = int(environ.get("CONTENT_LENGTH") or 0)
    except ValueError:
        length = -1
    if not 0 < length <= MOST_COMMAND_OCTETS:
        raise ValueError(f"a command has from 1 to {MOST_COMMAND_OCTETS} octets")
    try:
        document = json.loads(environ["wsgi.input"].read(length))
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or not isinstance(what := document.get("what"), str):
        raise ValueError('a command is like {"what": "OPERATOR"} or {"what": "OPERATOR/BIND"}')
    return what


def _json(
    start_response: "StartResponse", status: int, document: object, allow: str | None = None
) -> list[bytes]:
    body = json.dumps(document, allow_nan=False).encode() + b"\n"
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
    ]
    if allow is not None:
        headers.append(("Allow", allow))
    start_response(f"{status} {HTTPStatus(status).phrase}", headers)
    return [body]


class Control:
    """The server: `start` opens the port, `stop` closes it."""

    def __init__(self, app: Running, *, longest_s: float = LONGEST_S) -> None:
        self.address = ""
        """The address that the server listens on, as host:port, once it does."""
        self._app: Final = app
        self._longest_s: Final = longest_s
        self._server: _Server | None = None

    def start(self) -> None:
        """Open the port and begin to serve. Raises OSError that names the setting."""
        listen = self._app.settings.telemetry.listen
        try:
            self._server = _Server(listen, Site(self._app), self._longest_s)
        except OSError as error:
            what = f"telemetry.listen: {listen}: {error.strerror or error}"
            raise OSError(error.errno, what) from error
        host, port = self._server.socket.getsockname()[:2]
        self.address = str(Address(host=host, port=port))
        threading.Thread(target=self._server.serve_forever, name="control", daemon=True).start()

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
                out = cast("IO[bytes]", self.wfile)
                answer = _Answer(cast("IO[bytes]", self.rfile), out, sys.stderr, self.get_environ())
                answer.request_handler = self  # type: ignore[attr-defined]  # Required by `answer`.
                answer.run(server.site)
        except OSError:
            self.close_connection = True


class _Server(ThreadingMixIn, WSGIServer):
    """A thread for each of a bounded number of peers, for a bounded time."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, listen: Address, site: Site, longest_s: float) -> None:
        if ":" in listen.host:
            self.address_family = socket.AF_INET6
        self.site: Final = site
        self._longest_s: Final = longest_s
        self._since: Final[dict[_Request, float]] = {}
        """The connections that have a thread, and when each began."""
        self._told_at = float("-inf")
        super().__init__((listen.host, listen.port), _Handler)

    def server_bind(self) -> None:
        """Bind without looking up the host's name, which may take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.socket.getsockname()[:2]
        self.setup_environ()

    def process_request(self, request: _Request, client_address: object) -> None:
        """Take a connection, if there is a place for it."""
        now = time.monotonic()
        if len(self._since) < MOST_PEERS:
            self._since[request] = now
            super().process_request(request, client_address)
            return
        self.shutdown_request(request)
        if now - self._told_at > TELL_EVERY_S:
            self._told_at = now
            log.warning("control.refused", at_once=MOST_PEERS)

    def process_request_thread(self, request: _Request, client_address: object) -> None:
        """Answer, and free the place."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._since.pop(request, None)

    def service_actions(self) -> None:
        """End connections that take too long. Called twice a second and after each connection."""
        now = time.monotonic()
        for request, since in items(self._since):
            if now - since > self._longest_s and isinstance(request, socket.socket):
                with suppress(OSError):  # The connection has just ended by itself.
                    request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: _Request, client_address: object) -> None:
        """Log an error of the router instead of printing it."""
        self._since.pop(request, None)
        log.error("control.failed", exc_info=sys.exc_info())
