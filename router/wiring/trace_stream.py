"""A trace over HTTP: `POST /v1/trace`, answered by a line of JSON for each thing that is seen.

    {"account": A | "operator": O | "bind": B | "peer": ADDRESS, "to": NUMBER, "for_s": 60,
     "reveal": false}

The first line is `began`, the last one `over`; in between come `pdu`, `octets` (that are no PDU),
`ended` (a connection), and each second in which nothing was seen a `nothing`. So a reader
notices a router that is gone, and the router a reader that is gone. A reader that is slow is waited
for in its own thread; what finds no room meanwhile is left out, and `dropped` of the next line.

Only users that `control.reveal` names are shown texts and whole numbers, and the log tells.
"""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from ipaddress import ip_address
from typing import Final, NamedTuple, Protocol

import structlog

from router.check.number import routing_key
from router.settings.mistakes import listed, nearest
from router.telemetry.running import Running
from router.telemetry.trace import (
    MOST_TRACES,
    TooManyTracesError,
    Trace,
    Traces,
    Wanted,
    plain,
)
from router.wiring.callers import user_at
from router.wiring.drains import UnknownNameError
from router.wiring.http_server import Refusals

TRACE: Final = "/v1/trace"
MOST_FOR_S: Final = 3600.0
FOR_S: Final = 60.0
GRACE_S: Final = 5.0
"""How long the last lines may take."""
LOOK_EVERY_S: Final = 0.05
BEAT_S: Final = 1.0
AT_ONCE: Final = 50
REST_S: Final = 0.001
"""After so many lines the thread rests: it shares the interpreter with the loop."""
KINDS: Final = ("account", "operator", "bind", "peer")

log = structlog.get_logger()


class Traceable(Running, Protocol):
    """The running router, as a trace sees it."""

    @property
    def traces(self) -> Traces:
        """All traces."""


class ForbiddenError(Exception):
    """Not for this user; the text says why."""


class BusyError(Exception):
    """As many traces as there may be run already."""


class Asked(NamedTuple):
    """What somebody wants to see."""

    wanted: Wanted
    for_s: float
    reveals: bool
    user: str | None
    """Who asks, as the kernel knows it."""


def asked_by(
    app: Traceable, posted: dict[str, object], connection: socket.socket | None, refusals: Refusals
) -> Asked:
    """Return what was asked for. Raises ValueError, or ForbiddenError."""
    of = {name: value for name, value in posted.items() if value is not None}
    reveals, for_s, to = of.pop("reveal", False), of.pop("for_s", FOR_S), of.pop("to", None)
    named = {name: of.pop(name) for name in KINDS if name in of}
    if of:
        raise ValueError(f"a trace has no {', '.join(sorted(map(repr, of)))}")
    if len(named) > 1 or not (named or to):
        raise ValueError(
            f"a trace is of one {', '.join(KINDS[:-1])} or {KINDS[-1]}, or to a number"
        )
    if not all(isinstance(name, str) for name in named.values()):
        raise ValueError("a name is a text")
    if not isinstance(for_s, int | float) or not 0 < for_s <= MOST_FOR_S:
        raise ValueError(f"a trace lasts up to {MOST_FOR_S:g} s")
    if not isinstance(reveals, bool):
        raise ValueError('"reveal" is true or false')
    wanted = Wanted(**{name: str(value) for name, value in named.items()})
    if wanted.peer is not None:
        wanted = wanted._replace(peer=plain(str(ip_address(wanted.peer))))
    if wanted.bind is not None and "/" in wanted.bind:
        operator, _, bind = wanted.bind.partition("/")
        wanted = wanted._replace(operator=operator, bind=bind)
    if to is not None:
        wanted = wanted._replace(number=_number(to))
    user = None if connection is None else user_at(connection)
    if reveals and not _may_reveal(app, user):
        refusals.note("reveal", user=user)
        raise ForbiddenError(
            f"control.reveal names {_listed(app)}, and not {user or 'a user that is not known'}: "
            "nothing is revealed"
        )
    return Asked(wanted, float(for_s), reveals, user)


def _number(to: object) -> str:
    number = routing_key(to.encode("latin-1", "replace")) if isinstance(to, str) else None
    if number is None:
        raise ValueError(f"{to!r} is no number")
    return number


def _may_reveal(app: Traceable, user: str | None) -> bool:
    return user is not None and user in app.settings.control.reveal


def _listed(app: Traceable) -> str:
    return ", ".join(app.settings.control.reveal) or "nobody"


def begin(app: Traceable, asked: Asked) -> tuple[Trace, list[str]]:
    """Begin a trace, in the loop; return it, and what its reader should know.

    Raises UnknownNameError, or BusyError.
    """
    wanted, notes = asked.wanted, []
    operators = {str(name): one for name, one in app.journey.operators.items()}
    if wanted.operator is not None and wanted.operator not in operators:
        raise UnknownNameError(_unknown("operator", wanted.operator, list(operators)))
    if wanted.bind is not None:
        of = [operators[wanted.operator]] if wanted.operator is not None else operators.values()
        names = [str(bind.settings.name) for operator in of for bind in operator.binds]
        if wanted.bind not in names:
            raise UnknownNameError(_unknown("bind", wanted.bind, names))
    accounts = [str(name) for name in app.settings.accounts]
    if wanted.account is not None and wanted.account not in accounts:
        unknown = _unknown("account", wanted.account, accounts)
        notes.append(f"{unknown}; bind requests with that system_id are shown")
    try:
        return app.traces.begin(wanted), notes
    except TooManyTracesError:
        raise BusyError(f"{MOST_TRACES} traces run already, or the router stops") from None


def _unknown(what: str, name: str, known: list[str]) -> str:
    meant = nearest(name, known)
    question = f"did you mean {meant!r}? " if meant else ""
    return f"there is no {what} {name!r}; {question}{listed(f'{what}s', known)}"


def stream(
    app: Traceable,
    asked: Asked,
    trace: Trace,
    notes: list[str],
    wait_at_most: Callable[[float], object] = lambda _: None,
) -> Iterator[bytes]:
    """Yield the lines of a trace until its time is over. Runs in the thread of the request.

    `wait_at_most` sets how long the next lines may take to be read.
    """
    until = time.monotonic() + asked.for_s
    words = {key: value for key, value in asked.wanted._asdict().items() if value is not None}
    told = {**words, "user": asked.user, "for_s": asked.for_s}
    if asked.reveals:  # Before anything is: it is the record.
        log.warning("trace.revealed", **told)
    else:
        log.info("trace.began", **told)
    why = "the reader is gone"
    try:
        wait_at_most(asked.for_s + GRACE_S)
        yield _line({"event": "began", "reveals": asked.reveals, "notes": notes})
        beat_at = time.monotonic() + BEAT_S
        while True:
            now = time.monotonic()
            over = _over(app, asked, trace, now - until)
            if over:
                trace.is_over = True  # What is there already is still told.
            wait_at_most(max(0.0, until - now) + GRACE_S)
            items = trace.take(AT_ONCE)
            if items:
                beat_at = now + BEAT_S
                yield b"".join(_line(one.told(reveals=asked.reveals)) for one in items)
                time.sleep(REST_S)
            elif over:
                break
            elif now >= beat_at:
                beat_at = now + BEAT_S
                yield _line({"event": "nothing"})
            else:
                time.sleep(min(LOOK_EVERY_S, max(0.0, until - now)))
            if now > until + GRACE_S:
                break
        why = over or "the reader is too slow"
        yield _line({"event": "over", "why": why, "seen": trace.seen, "dropped": trace.dropped})
    finally:
        with suppress(RuntimeError):  # The loop is closed already.
            app.loop.call_soon_threadsafe(lambda: app.traces.end(trace))
        log.info("trace.ended", **told, why=why, seen=trace.seen, dropped=trace.dropped)


def _over(app: Traceable, asked: Asked, trace: Trace, late_s: float) -> str:
    """Return why a trace is over; empty while it goes on."""
    if late_s >= 0.0:
        return "its time is over"
    if asked.reveals and not _may_reveal(app, asked.user):
        return "control.reveal has changed"
    return "the router stops" if trace.is_over else ""


def _line(document: dict[str, object]) -> bytes:
    return json.dumps(document).encode() + b"\n"
