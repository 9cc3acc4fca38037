"""Draining and resuming binds by command: `smpp-router drain OPERATOR[/BIND]`, and `resume`.

A drained bind sends no more messages; what it has in flight is answered, and its operator's other
binds, or the next operators of each route, take over. It stays bound, because receipts for what it
has sent come on it: an operator that finds nobody bound may drop them. A drain lasts until it is
undone or the process ends. Called in the loop's thread.
"""

from typing import TypedDict

import structlog

from router.forward.pool import Bind
from router.settings.mistakes import listed, nearest
from router.telemetry.running import Running

log = structlog.get_logger()


class Drained(TypedDict):
    """The result for one bind."""

    operator: str
    bind: str
    drained: bool
    changed: bool
    """Whether the command has changed anything."""
    in_flight: int


class Drains(TypedDict):
    """The answer to a command."""

    binds: list[Drained]


class UnknownNameError(Exception):
    """There is no such operator or bind; the text lists those that exist."""


def set_drained(app: Running, what: str, *, drained: bool) -> Drains:
    """Drain or resume an operator or a bind (`OPERATOR/BIND`). Raises UnknownNameError."""
    return Drains(binds=[_set(app, bind, drained=drained) for bind in _named(app, what)])


def _named(app: Running, what: str) -> list[Bind]:
    name, _, bind_name = what.partition("/")
    operators = {str(one): operator for one, operator in app.journey.operators.items()}
    if name not in operators:
        raise UnknownNameError(_unknown("operator", name, list(operators)))
    sending = {
        str(bind.settings.name): bind for bind in operators[name].binds if bind.pace is not None
    }
    if "/" not in what:
        if not sending:
            raise UnknownNameError(f"all binds of {name} are receivers, and send nothing")
        return list(sending.values())
    if bind_name in sending:
        return [sending[bind_name]]
    if any(bind.settings.name == bind_name for bind in operators[name].binds):
        raise UnknownNameError(f"{what} is a receiver, and sends nothing")
    raise UnknownNameError(_unknown(f"bind of {name}", bind_name, list(sending)))


def _unknown(what: str, name: str, known: list[str]) -> str:
    meant = nearest(name, known)
    question = f"did you mean {meant!r}? " if meant else ""
    plural = what.replace(" ", "s ", 1) if " " in what else f"{what}s"
    return f"there is no {what} {name!r}; {question}{listed(plural, known)}"


def _set(app: Running, bind: Bind, *, drained: bool) -> Drained:
    operator, settings = bind.operator, bind.settings
    changed = bind.drained != drained
    if changed:
        operator.drain(bind, drained=drained)
        app.journey.availability.changed(bind)
        if drained:
            in_flight = bind.in_use
            log.info(
                "bind.drained", operator=operator.name, bind=settings.name, in_flight=in_flight
            )
        else:
            log.info("bind.resumed", operator=operator.name, bind=settings.name)
    return Drained(
        operator=operator.name,
        bind=settings.name,
        drained=drained,
        changed=changed,
        in_flight=bind.in_use,
    )
