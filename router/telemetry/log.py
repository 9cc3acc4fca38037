"""The log: which events there are, how a line looks, and the one line of each message.

Rule 1: an event is `noun.past_verb` and stands in `EVENTS`; everything else is a key with its unit.
Rule 2: no line has a message's text or a password, and a number only masked.
Rule 3: a log that cannot be written loses lines, which are counted, and never a message.

`python -m router.telemetry.log docs/LOGS.md` writes the page about it. Metrics: `metrics.py`.
"""

import logging
import select
import sys
from io import UnsupportedOperation
from pathlib import Path
from typing import ClassVar, Final, Literal, NamedTuple, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from router.enqueue.journal import Settlement
from router.telemetry.metrics import Exporter
from router.terms.settings import LogSettings, Settings

__all__ = ["EVENTS", "Exporter", "LogLines", "MessageLog", "configure_log", "log_page", "masked"]

Level = Literal["debug", "info", "warning", "error"]
LEVELS: Final[dict[Level, str]] = {
    "error": "Somebody should get up.",
    "warning": "A peer, the disk or a configuration misbehaved, and the router coped.",
    "info": "A state changed, or a journey ended.",
    "debug": "What only a developer wants to read.",
}


class Event(NamedTuple):
    """One event of the log."""

    level: Level
    meaning: str


_BY_LEVEL: Final[dict[Level, dict[str, str]]] = {
    "error": {
        "clock.doubted": "The wall clock jumped `ahead_s`: nothing expires by it until confirmed.",
        "config.mistake": "One thing that is wrong with the configuration that SIGHUP had read.",
        "control.failed": "A request over HTTP met a mistake of ours; the router goes on.",
        "journal.failed": "The journal cannot be read or written; nothing is accepted meanwhile.",
        "journal.unreadable": "A part of the journal cannot be read: what is there waits.",
        "router.not_started": "A port or a certificate cannot be used: the router ends.",
    },
    "warning": {
        "bind.flooded": "Too much came behind a bind request before it was judged; session over.",
        "bind.lost": "A bind to an operator is lost; `in_flight` messages are in doubt.",
        "bind.refused": "An operator refused our bind request.",
        "bind.slowed": "Its operator does not keep up: less is sent, and by and by more again.",
        "bind.timed_out": "No bind request, or no answer to ours, came in time; session over.",
        "bind.unanswered": "An operator hung up instead of answering our bind request.",
        "bind.unreachable": "No connection to an operator came about.",
        "breaker.opened": "Too much fails on a bind, or on all: nothing is sent for `rest_s`.",
        "client.bind_refused": "A client was not let in.",
        "client.not_secured": "A TLS handshake failed; `error` is the library's word for it.",
        "config.reread": "SIGHUP: the configuration was read again, with this `result`.",
        "config.warned": "The configuration holds something that is probably not meant.",
        "control.refused": "Too many HTTP connections at once: some were closed unread.",
        "delivery.refused": "A client refused a receipt or a subscriber's message for good.",
        "framing.lost": "A command_length that cannot be; session over.",
        "inbound.refused": "A subscriber's message that no rule wants, or that must come again.",
        "journal.not_durable": "What waits is lost when the process ends.",
        "link.dead": "An enquire_link was not answered in time; session over.",
        "message.objected": "An operator refuses messages for how we are set up with it: `status`.",
        "nack.received": "A generic_nack that answers nothing of ours.",
        "outbind.refused": "Somebody called us as an operator and is none that we expect.",
        "pdu.refused": "A request that is not served, or not in this state of the session.",
        "pdu.unknown": "A command_id that no version of SMPP has.",
        "python.said": "Python or a library logged this; the line has the level that it chose.",
        "receipt.unmatched": "A receipt of no message that is known; `message_id` as it came.",
        "receipt.unreadable": "A receipt that does not say how its message fared.",
        "response.late": "An answer after its request was given up; it is still used.",
        "response.mismatched": "An answer to another kind of request than that of its number.",
        "response.unasked": "An answer to nothing that was asked.",
        "router.left_behind": "What still waited when the router stopped.",
        "router.stop_repeated": "A second signal: the router stops at once.",
        "session.idle": "A client asked for nothing during `inactivity`, and is unbound.",
        "unbind.timed_out": "Our unbind was not answered in time; session over.",
    },
    "info": {
        "bind.bound": "A bind to an operator is up.",
        "bind.drained": "Nothing more is sent on it, by command; `in_flight` is still answered.",
        "bind.retires": "Its session has lived the life that its operator grants: bound anew soon.",
        "bind.resumed": "Messages are sent on it again, by command.",
        "bind.waits": "The next attempt to bind follows after `wait_s`.",
        "bind.unbound": "A bind to an operator has ended as we asked.",
        "breaker.closed": "It works again.",
        "clock.believed": "The wall clock is right again, or its new time is confirmed.",
        "client.bound": "A client has bound.",
        "client.unbound": "A client is gone; it will send `held` again, we will `undelivered`.",
        "config.unchanged": "SIGHUP: the configuration is the one that runs.",
        "journal.back": "The journal can be written again: traffic goes on.",
        "journal.recovered": "What an earlier process left has been taken up.",
        "message.settled": "A message's journey has ended. Sampled: `telemetry.log.messages`.",
        "router.draining": "A stop was asked for: no new binds and submits.",
        "router.listening": "Clients can connect to `address`.",
        "router.ready": "Clients are served; `telemetry` is where metrics and status are.",
        "router.stopped": "The last line of a process that ended as it was asked to.",
    },
    "debug": {
        "client.disconnected": "A connection ended that had not bound.",
    },
}

EVENTS: Final = {
    name: Event(level, meaning)
    for name, level, meaning in sorted(
        (name, level, meaning)
        for level, events in _BY_LEVEL.items()
        for name, meaning in events.items()
    )
}
"""Every event, in the order of their names."""

SETTLED_KEYS: Final = {
    "router_id": "our id of the message",
    "client_id": "the id that its client knows",
    "account": "whose it is",
    "lane": "in which lane it waited",
    "operator": "who was tried last; not there if nobody was",
    "outcome": "delivered, failed, expired, rejected, sent or unknown",
    "reason": "why the router ended it; not there if the operator did",
    "sends": "how often it was written to an operator",
    "doubts": "how often that was in doubt, where it was; before a crash at most once",
    "queue_s": "from its acceptance to its last writing",
    "operator_s": "from there to its outcome: the operator's answer, and a receipt if asked for",
    "total_s": "from its acceptance to its outcome",
}
"""The keys of `message.settled`. Without a writing, and after a restart, not all are known."""

SECRET_KEYS: Final = frozenset({"octets", "password", "passwords", "short_message", "text"})
NUMBER_KEYS: Final = frozenset({"destination", "number", "sender", "source"})
SHOWN_DIGITS: Final = 5
"""The country and most of an operator's prefix: enough to see the route, too little to call."""


PATIENCE_MS: Final = 20
"""How long the first line that finds no room waits for it: as a busy machine delays a reader."""


class LogLines:
    """Writes lines to a stream, one `write` each. Lines that it does not take are counted.

    A pipe or socket whose reader stands still fills up, and a write would then wait as long as the
    reader does, and every message with it. So each line first asks whether there is room. A reader
    that is only slow is waited for once; while it stays behind, lines are lost at once.
    """

    lost: ClassVar[int] = 0
    """Since the process began, over all loggers."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._patience_ms = PATIENCE_MS

    def msg(self, line: str) -> None:
        """Write one line. A reader that is gone, or a full disk, must not stop a message."""
        try:
            if not self._has_room():
                LogLines.lost += 1
                return
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):  # ValueError: the stream is closed.
            LogLines.lost += 1

    def _has_room(self) -> bool:
        try:
            number = self._stream.fileno()
        except UnsupportedOperation:  # In memory.
            return True
        # Of its own each time: two threads may not share one.
        asked = select.poll()
        asked.register(number, select.POLLOUT)
        has_room = bool(asked.poll(self._patience_ms))
        self._patience_ms = PATIENCE_MS if has_room else 0
        return has_room

    debug = info = warning = error = critical = msg


class _FromLogging(logging.Handler):
    """Has what asyncio and libraries log come out like everything else."""

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one record on."""
        level = min(max(record.levelno // 10 * 10, logging.DEBUG), logging.ERROR)
        said, exc_info = record.getMessage(), record.exc_info
        structlog.get_logger().log(
            level, "python.said", logger=record.name, said=said, exc_info=exc_info
        )


def configure_log(settings: LogSettings, stream: TextIO) -> None:
    """Set structlog up for the whole process, and Python's own logging to go through it."""
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    processors: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        without_secrets,
    ]
    if settings.format == "json":
        # Tracebacks as text: the structured ones hold local variables, and so passwords.
        processors += [
            structlog.processors.format_exc_info,
            what_first,
            structlog.processors.JSONRenderer(),
        ]
    else:
        plain = structlog.dev.plain_traceback
        colours = stream.isatty()
        processors.append(structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=plain))
    lines = LogLines(stream)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_FromLogging()], level=logging.WARNING, force=True)


def what_first(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Begin every line alike, so that people can read one below the other."""
    heads = {head: event.pop(head) for head in ("timestamp", "level", "event")}
    return {**heads, **event}


def without_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Mask what a log must never hold, should a line ever be given it."""
    for key in event.keys() & SECRET_KEYS:
        event[key] = "***"
    for key in event.keys() & NUMBER_KEYS:
        event[key] = masked(event[key])
    return event


def masked(number: object) -> str:
    """A phone number of which the first digits are left."""
    text = number.decode("latin-1") if isinstance(number, bytes) else str(number)
    return text[:SHOWN_DIGITS] + "*" * len(text[SHOWN_DIGITS:])


class MessageLog:
    """Writes `message.settled` for the configured share of messages.

    Which ones is decided by their id, so that the same are chosen whoever asks, and evenly.
    """

    __slots__ = ("_below", "_log")

    def __init__(self, settings: Settings) -> None:
        log_settings = settings.telemetry.log
        writes = log_settings.level in ("debug", "info")
        self._below: Final = round(log_settings.messages * 2**32) if writes else 0
        self._log: Final = structlog.get_logger().bind()

    def __call__(self, settlement: Settlement) -> None:
        """Write the line of a message that has just reached its outcome, if it is chosen."""
        if not self._below:
            return
        # Knuth's multiplicative hash: ids that follow each other are spread over the 32 bits.
        if settlement.message.router_id // 100 * 2654435769 & 0xFFFFFFFF < self._below:
            self._write(settlement)

    def _write(self, settlement: Settlement) -> None:
        message = settlement.message
        total_s = max(0.0, settlement.at_utc - message.accepted_utc)
        line: dict[str, object] = {
            "router_id": message.router_id,
            "client_id": message.client_id.decode("latin-1"),
            "account": message.account,
            "lane": message.lane,
            "outcome": settlement.outcome.name.lower(),
            "sends": message.writes,
            "total_s": round(total_s, 6),
        }
        if message.operator is not None:
            line["operator"] = message.operator
        if message.times_in_doubt:
            line["doubts"] = message.times_in_doubt
        if settlement.reason:
            line["reason"] = settlement.reason
        queue_s = message.sent_at - message.accepted_at
        if message.writes and queue_s >= 0:
            line["queue_s"] = round(queue_s, 6)
            line["operator_s"] = round(max(0.0, total_s - queue_s), 6)
        self._log.info("message.settled", **line)


def log_page() -> str:
    """The page about the log, `docs/LOGS.md`."""
    events = "".join(f"| `{name}` | {level} | {text} |\n" for name, (level, text) in EVENTS.items())
    levels = "".join(f"| {level} | {text} |\n" for level, text in LEVELS.items())
    settled = "".join(f"| `{key}` | {text} |\n" for key, text in SETTLED_KEYS.items())
    return f"""\
# The log

<!-- Written by `python -m router.telemetry.log docs/LOGS.md`, not by hand. -->

One line per event on standard error, as JSON or for eyes (`telemetry.log.format`). Each begins with
`timestamp` (UTC), `level` and `event`; what else it has is named with its unit: `_s` is seconds. A
line about a session has its `client` (address) and `account`, or its `operator` and `bind`.
`status` is a command_status by name, `reason` one of a few words that metrics use too, `error` what
the system or a library said, and `meaning` a sentence for people.

No line holds a message's text or a password; of a phone number only the first digits are left.
Lines that standard error does not take are lost, and counted in
`smpp_router_log_lines_lost_total`.

| level | says |
|---|---|
{levels}
## Events

What one peer does wrong again and again is logged 20 times per connection, and then twice a minute
at most; all of it is counted, in `smpp_router_refused_pdus_total` and in the metrics of receipts,
inbound messages and deliveries.

| event | level | meaning |
|---|---|---|
{events}
## The keys of `message.settled`

| key | meaning |
|---|---|
{settled}"""


def main() -> None:
    """Write the page that is named on the command line."""
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m router.telemetry.log docs/LOGS.md")
    Path(sys.argv[1]).write_text(log_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
