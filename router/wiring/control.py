"""What is answered over HTTP, on two listeners: one for metrics, one for commands.

`telemetry.listen`, any address:

    /metrics     for Prometheus
    /healthz     200 while the event loop lives
    /readyz      200 while submits are taken, whether or not an operator is up

`control.listen`, loopback only:

    /v1/status   what `smpp-router status` shows
    /v1/drain    POST {"what": "OPERATOR[/BIND]"}: send nothing more on it
    /v1/resume   the same, to undo that
    /v1/clock    POST {"what": "believe"}: end a doubt about the wall clock
    /v1/reload   POST {"partly": false}: follow the configuration as it is now in its files
    /v1/trace    POST: what passes on connections, as it passes (`trace_stream.py`)
    /v1/queue/cancel  POST: cancel what waits (`queue_orders.py`)
    and the questions of `questions.py`

They ask the loop. Whoever can reach their port can command the router. A browser on this
machine can, for any web page that it shows, also for one whose name was made to stand for 127.0.0.1
(DNS rebinding). So a request must name us in `Host`, and neither come from another page (`Origin`,
`Sec-Fetch-Site`) nor be of a type that pages may send without asking: a command is JSON.
"""

import json
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol, TypeVar, cast

from prometheus_client import make_wsgi_app

from router.telemetry.document import Snapshot
from router.telemetry.log import LogLines
from router.telemetry.metrics import registry
from router.telemetry.running import Running
from router.telemetry.status import described, not_ready, observed
from router.telemetry.trace import Trace
from router.terms.settings import Address
from router.wiring.callers import user_at
from router.wiring.drains import UnknownNameError, set_drained
from router.wiring.gently import gently
from router.wiring.http_server import CONNECTION, LONGEST_S, HttpServer, Refusals
from router.wiring.questions import PATHS, SEARCH, SLOW_S, Questions
from router.wiring.queue_orders import QUEUE_CANCEL, QueueOrders
from router.wiring.reload import Reloaded
from router.wiring.remote import UNKNOWN_NAME
from router.wiring.trace_stream import (
    GRACE_S,
    MOST_FOR_S,
    TRACE,
    BusyError,
    ForbiddenError,
    Traceable,
    asked_by,
    begin,
    stream,
)
from router.wiring.wall_clock import believe_clock

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

LOOP_DEAD_S: Final = 5.0
"""How long the loop may show no sign of life. It beats ten times a second; a busy machine may delay
a beat, but not for this long."""
ANSWER_S: Final = 2.0
"""How long to wait for the loop before the answer is 503."""
FRESH_S: Final = 0.25
"""Age up to which a status is shown again, so that many requests cost the loop no more than one."""
MOST_COMMAND_OCTETS: Final = 4096
MOST_QUESTION_OCTETS: Final = 131_072
"""A question may have a text of 10,000 characters, each up to 12 octets of JSON."""
MOST_SHOWN: Final = 100
"""Characters of a foreign name that the log shows."""
HEALTH: Final = frozenset({"/healthz", "/readyz"})
"""What places are kept for: a scraper that hangs must not have the router restarted."""

RELOAD: Final = "/v1/reload"
RELOAD_S: Final = 300.0
"""How long a reload may take before the answer is that it goes on."""
MOST_WAITING: Final = 4
"""Reloads that wait at once; so many searches, and so many other questions. They hold places of the
server, and a disk that hangs lets all of them wait."""
URGENT: Final = frozenset({"/v1/status", "/v1/drain", "/v1/resume"})
"""What places are kept for: it must not wait for people who ask for something slow."""
NOT_STORED: Final = ("Cache-Control", "no-store")
_STATUS_OF: Final = {"refused": 503, "failed": 500, "rejected": 409, "needs_restart": 409}
"""The HTTP status by what came of a reload; 200 for all else."""

Made = TypeVar("Made")


class Reloads(Protocol):
    """What follows another configuration. Called in the loop."""

    def ask(self, answer: "Future[Reloaded] | None" = None, *, partly: bool = False) -> None:
        """Reload; `answer` gets the result."""


class Commanded(Traceable, Protocol):
    """The running router, as commands see it."""

    @property
    def reloader(self) -> Reloads:
        """What follows another configuration."""


class TelemetrySite:
    """The answers on `telemetry.listen`, as a WSGI application. Called in threads of the server."""

    def __init__(self, app: Running) -> None:
        self._app: Final = app
        self._metrics: Final = make_wsgi_app(
            registry(app, lambda: LogLines.lost), disable_compression=True
        )
        self._scraping = threading.Lock()

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer one request."""
        answer = {"/metrics": None, "/healthz": self._health, "/readyz": self._readiness}
        path = environ["PATH_INFO"]
        if path not in answer:
            what = f"{_nothing_but(answer)}; /v1/status and commands are served on control.listen"
            return _json(start_response, 404, {"error": what})
        if environ["REQUEST_METHOD"] != "GET":
            return _other_method(start_response, "GET")
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


class ControlSite:
    """The answers on `control.listen`, as a WSGI application. Called in threads of the server."""

    def __init__(
        self,
        app: Commanded,
        here: Address,
        refusals: Refusals,
        *,
        answer_s: float = ANSWER_S,
        reload_s: float = RELOAD_S,
    ) -> None:
        """`here` is where the server listens, with the port that the kernel has chosen."""
        self._app: Final = app
        self._hosts: Final = own_hosts(here)
        self._refusals: Final = refusals
        self._answer_s: Final = answer_s
        self._questions: Final = Questions(app, self._asked)
        self._orders: Final = QueueOrders(app, self._asked)
        self._reload_s: Final = reload_s
        rest = threading.BoundedSemaphore(MOST_WAITING)
        self._places: Final = dict.fromkeys(PATHS, rest) | {
            path: threading.BoundedSemaphore(MOST_WAITING)
            for path in (RELOAD, SEARCH, QUEUE_CANCEL)
        }
        """What may still wait, by path."""
        self._asking = threading.Lock()
        self._last: Snapshot | None = None
        self._last_at = 0.0

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer one request."""
        foreign = self._foreign(environ)
        if foreign is not None:
            status, error = foreign
            return _json(start_response, status, {"error": error})
        command: dict[str, Callable[[str], object]] = {
            "/v1/drain": lambda what: set_drained(self._app, what, drained=True),
            "/v1/resume": lambda what: set_drained(self._app, what, drained=False),
            "/v1/clock": self._set_clock,
        }
        path = environ["PATH_INFO"]
        questions = self._questions.by_path
        single = ("/v1/status", RELOAD, TRACE, QUEUE_CANCEL)
        if path not in single and path not in command and path not in questions:
            error = _nothing_but(("/v1/status", *command, *single[1:], *questions))
            return _json(start_response, 404, {"error": error})
        method = "GET" if path == "/v1/status" else "POST"
        if environ["REQUEST_METHOD"] != method:
            return _other_method(start_response, method)
        if path == TRACE:
            return self._trace(environ, start_response)
        if path in command:
            status, document = self._command(environ, command[path])
        elif path in self._places:
            status, document = self._slow(environ, path)
        else:
            status, document = self._from_loop(self._fresh_status)
        return _json(start_response, status, document)

    def _foreign(self, environ: "WSGIEnvironment") -> tuple[int, str] | None:
        """Count a request that a web page may have sent; return how to refuse it."""
        host = environ.get("HTTP_HOST", "")
        if host.lower() not in self._hosts:
            self._refusals.note("foreign_host", host=host[:MOST_SHOWN])
            known = ", ".join(sorted(self._hosts))
            return 421, f"Host has to be one of {known}: a web page must not command the router"
        origin = environ.get("HTTP_ORIGIN")
        site = environ.get("HTTP_SEC_FETCH_SITE", "none")
        own = origin is None or origin.lower() in {f"http://{host}" for host in self._hosts}
        if own and site in ("none", "same-origin"):
            return None
        self._refusals.note("foreign_origin", origin=(origin or "")[:MOST_SHOWN])
        return (
            403,
            "sent by a web page of another origin, which must not command the router",
        )

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

    def _slow(self, environ: "WSGIEnvironment", path: str) -> tuple[int, object]:
        """Answer what may take long, unless too many wait for that already."""
        place = self._places[path]
        if not place.acquire(blocking=False):
            self._refusals.note("too_many", at_once=MOST_WAITING)
            return 503, {"error": f"{MOST_WAITING} others wait already; ask again later"}
        try:
            if path == QUEUE_CANCEL:
                return self._order(environ)
            return self._reload(environ) if path == RELOAD else self._question(environ, path)
        finally:
            place.release()

    def _question(self, environ: "WSGIEnvironment", path: str) -> tuple[int, object]:
        try:
            return self._questions.answer(path, _posted(environ, MOST_QUESTION_OCTETS))
        except ValueError as error:
            return 400, {"error": str(error)}
        except UnknownNameError as error:
            return UNKNOWN_NAME, {"error": str(error)}

    def _order(self, environ: "WSGIEnvironment") -> tuple[int, object]:
        connection = environ.get(CONNECTION)
        user = None if connection is None else user_at(connection)
        try:
            return self._orders.answer(_posted(environ, MOST_QUESTION_OCTETS), user)
        except ValueError as error:
            return 400, {"error": str(error)}
        except UnknownNameError as error:
            return UNKNOWN_NAME, {"error": str(error)}
        finally:
            self._last = None

    def _asked(self, make: Callable[[], object]) -> tuple[int, object]:
        """Make a call in the loop's thread; return its result with 200, or why there is none."""
        return self._from_loop(lambda: self._ask(make))

    def _trace(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Begin a trace, and answer with its lines."""
        app, connection = self._app, environ.get(CONNECTION)
        try:
            asked = asked_by(app, _posted(environ), connection, self._refusals)
            status, found = self._from_loop(lambda: self._ask(lambda: begin(app, asked)))
        except ValueError as error:
            return _json(start_response, 400, {"error": str(error)})
        except ForbiddenError as error:
            return _json(start_response, 403, {"error": str(error)})
        except UnknownNameError as error:
            return _json(start_response, UNKNOWN_NAME, {"error": str(error)})
        except BusyError as error:
            return _json(start_response, 503, {"error": str(error)})
        if status != 200:
            return _json(start_response, status, found)
        trace, notes = cast("tuple[Trace, list[str]]", found)
        start_response("200 OK", [("Content-Type", "application/x-ndjson"), NOT_STORED])
        wait_at_most = (lambda _: None) if connection is None else connection.settimeout
        return stream(app, asked, trace, notes, wait_at_most)

    def _reload(self, environ: "WSGIEnvironment") -> tuple[int, object]:
        try:
            posted = _posted(environ)
            partly = posted.pop("partly", False)
            if not isinstance(partly, bool) or posted:
                raise ValueError('a reload is like {} or {"partly": true}')
        except ValueError as error:
            return 400, {"error": str(error)}
        answer: Future[Reloaded] = Future()
        reloader = self._app.reloader
        try:
            self._app.loop.call_soon_threadsafe(lambda: reloader.ask(answer, partly=partly))
            told = answer.result(self._reload_s)
        except TimeoutError:
            what = f"the reload takes longer than {self._reload_s:g} s, and goes on; the log says "
            return 503, {"error": f"{what}what comes of it"}
        except RuntimeError:  # The loop is closed already.
            return 503, {"error": "the router is stopping"}
        finally:
            self._last = None
        return _STATUS_OF.get(told["result"], 200), {**told, "error": told["reason"]}

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
            seen = self._ask(lambda: observed(self._app))
            self._last = last = gently(lambda: described(seen))
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
    what = _posted(environ).get("what")
    if not isinstance(what, str):
        raise ValueError('a command is like {"what": "OPERATOR"} or {"what": "OPERATOR/BIND"}')
    return what


def _posted(environ: "WSGIEnvironment", most: int = MOST_COMMAND_OCTETS) -> dict[str, object]:
    """Return what was posted. Raises ValueError that says what is wrong."""
    if environ.get("CONTENT_TYPE", "").partition(";")[0].strip() != "application/json":
        raise ValueError("a command is JSON: Content-Type: application/json")
    try:
        length = int(environ.get("CONTENT_LENGTH") or 0)
    except ValueError:
        length = -1
    if not 0 < length <= most:
        raise ValueError(f"a command has from 1 to {most} octets")
    try:
        octets = environ["wsgi.input"].read(length)
    except TimeoutError:  # The peer is there, and waits for our answer.
        octets = b""
    if len(octets) < length:
        raise ValueError(f"Content-Length is {length}, and fewer octets came")
    try:
        document = json.loads(octets)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ValueError("a command is a JSON object")
    return document


def own_hosts(here: Address) -> frozenset[str]:
    """Return what a request to this address has as its `Host`, in small letters."""
    names = (here.host, "localhost", "127.0.0.1", "::1")
    return frozenset(str(Address(host=name.lower(), port=here.port)) for name in names)


def _nothing_but(paths: Iterable[str]) -> str:
    return f"there is nothing here; try {', '.join(paths)}"


def _other_method(start_response: "StartResponse", method: str) -> list[bytes]:
    return _json(start_response, 405, {"error": f"only {method} is answered"}, allow=method)


def _json(
    start_response: "StartResponse", status: int, document: object, allow: str | None = None
) -> list[bytes]:
    body = json.dumps(document, allow_nan=False).encode() + b"\n"
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        NOT_STORED,
    ]
    if allow is not None:
        headers.append(("Allow", allow))
    start_response(f"{status} {HTTPStatus(status).phrase}", headers)
    return [body]


def http_servers(app: Commanded) -> tuple[HttpServer, HttpServer]:
    """Return the servers of `telemetry.listen` and `control.listen`, which do not listen yet."""
    refusals = Refusals(app.journey.counters.http_refused)
    return telemetry_server(app, refusals), control_server(app, refusals)


def telemetry_server(
    app: Running, refusals: Refusals, *, longest_s: float = LONGEST_S
) -> HttpServer:
    """Return the server of `telemetry.listen`."""
    return HttpServer(
        "telemetry.listen",
        app.settings.telemetry.listen,
        lambda _: TelemetrySite(app),
        refusals,
        kept_for=HEALTH,
        longest_s=longest_s,
    )


def control_server(app: Commanded, refusals: Refusals) -> HttpServer:
    """Return the server of `control.listen`."""
    return HttpServer(
        "control.listen",
        app.settings.control_listen,
        lambda here: ControlSite(app, here, refusals),
        refusals,
        kept_for=URGENT,
        slow={RELOAD: RELOAD_S, TRACE: MOST_FOR_S + GRACE_S, **dict.fromkeys(PATHS, SLOW_S)},
    )
