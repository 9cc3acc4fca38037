"""The log: its events, the form of a line, and the one line of each message.

Rule 1: an event is `noun.past_verb` and stands in `EVENTS`; everything else is a key with its unit.
Rule 2: no line has a message's text or a password, and a subscriber's number only masked.
Rule 3: a log that cannot be written loses lines, which are counted, and never a message.

`python -m router.telemetry.log docs/LOGS.md` writes the page about it. Metrics: `metrics.py`.
"""

import logging
import os
import select
import sys
from io import StringIO, UnsupportedOperation
from pathlib import Path
from typing import ClassVar, Final, Literal, NamedTuple, TextIO

import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

from router.enqueue.journal import Settlement
from router.telemetry.metrics import Exporter
from router.telemetry.recent import Recent
from router.terms.settings import LogSettings

__all__ = [
    "EVENTS",
    "Exporter",
    "LogLines",
    "MessageLog",
    "adopt_log",
    "configure_log",
    "log_page",
    "masked",
]

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
        "clock.doubted": "The wall clock is `ahead_s` off, not followed; `cure` says what to do.",
        "config.failed": "An error in the router while it read or followed a configuration.",
        "config.mistake": "A mistake in the configuration that was read for a reload.",
        "control.failed": "An error in the router while it answered over HTTP; it goes on.",
        "journal.failed": "The journal cannot be read or written; nothing is accepted meanwhile.",
        "journal.lost": "The journal lacks what was accepted; started only if `accepted`.",
        "journal.set_aside": "A damaged row was set aside; a message in it is unknown. See `cure`.",
        "journal.unreadable": "A part of the journal cannot be read: messages there wait.",
        "journal.space_low": "The disk is nearly full: only receipts are taken (`keep_free`).",
        "records.damaged": "The file of records is set aside; a new one has what the journal had.",
        "records.failed": "Records cannot be written; the journal keeps them for a week.",
        "router.stop_forced": "What `waits_for` was not done within `stop_within`: cut short.",
        "router.not_accepting": "The system has no descriptor left: clients wait; tried anew.",
        "router.not_started": "A port or a certificate cannot be used: the router ends.",
    },
    "warning": {
        "account.delivery_fell": "Fewer of its messages are delivered than usual: see `share`.",
        "account.queue_full": "Its messages are refused (0x14): `full_of` messages, or of octets.",
        "account.refusals_rose": "More of its submits are refused than usual: see `share`.",
        "alert.dropped": "An alert_notification for no account, or one that has no bind for it.",
        "bind.awaited": "It does not come up with new settings: `waiting` keep their session.",
        "bind.flooded": "Too much came before a bind request was answered; session over.",
        "bind.lost": "A bind to an operator is lost; `in_flight` messages are in doubt.",
        "bind.refused": "An operator refused our bind request.",
        "bind.slowed": "The operator does not keep up: less is sent, and then slowly more.",
        "bind.timed_out": "No bind request, or no answer to ours, came in time; session over.",
        "bind.unanswered": "An operator closed the connection without a bind response.",
        "bind.unreachable": "No connection to an operator could be made: host and IP `address`.",
        "operator.lacks_data_sm": "Others are asked first to take data_sm, for `again_after_s`.",
        "breaker.opened": "Too much fails on a bind, or on all: nothing is sent for `rest_s`.",
        "client.bind_refused": "A client's bind was refused; so many silent ones are `asked`.",
        "client.blocked": "Too many binds failed: an `address` (with one `system_id`) is refused.",
        "client.not_passed_on": "No good header of a proxy, or one from elsewhere; `error`.",
        "client.not_secured": "A TLS handshake failed; `error` comes from the library.",
        "client.spared": "As `client.blocked`, but the account binds from there: only slowed.",
        "config.outdated": "The files are not what runs any more; `why`. Looked at once a minute.",
        "config.refused": "No reload now: the router starts or stops.",
        "config.reread": "A reload has changed nothing: the `result` says why.",
        "config.warned": "The configuration has something that is probably a mistake.",
        "control.refused": "Over HTTP: too many, a web page, no right to reveal; see `reason`.",
        "delivery.refused": "A client refused a receipt or a subscriber's message for good.",
        "framing.lost": "An impossible command_length. It `looks_like` TLS, HTTP, PROXY or SSH.",
        "inbound.refused": "No account for a subscriber's message, or it must come again.",
        "journal.not_durable": "The journal keeps nothing: what waits is lost at the end.",
        "journal.replaced": "Not the journal that was closed, but a new or an older one.",
        "journal.unmarked": "Nothing tells how far the journal was committed; see `cure`.",
        "link.dead": "An enquire_link was not answered in time; session over.",
        "link.gave_way": "Silent, and not answering when another needed its place; session over.",
        "message.suspected": "Sessions fell with it; `then` says whether it goes again or failed.",
        "message.unanswered": "No answer in time, twice: it waits aside for `wait_s`, then longer.",
        "message.objected": "A `status` that shows that the router is set up wrong at an operator.",
        "nack.received": "A generic_nack that answers no request of ours.",
        "outbind.refused": "A caller that is no known operator, or whose bind has a connection.",
        "peer.slowed": "It sent too much that is no message, and is read as it has paid for it.",
        "pdu.refused": "A request that the router cannot read or does not serve; `why` says more.",
        "pdu.unknown": "A command_id that no version of SMPP has.",
        "python.said": "Python or a library logged this; the line has the level that it chose.",
        "receipt.ids_learnt": "The forms of an operator's ids are now known; see `why`.",
        "receipt.parts_missed": "Long messages get one receipt, not one for each part; see `why`.",
        "receipt.unmatched": "A receipt for no known message; `message_id` as it came.",
        "receipt.unreadable": "A receipt without a state that the router knows.",
        "response.late": "An answer after its request had timed out; it is still used.",
        "response.mismatched": "An answer of another kind than the request with its number.",
        "response.unasked": "An answer to no request of ours.",
        "router.congested": "More comes than it can take: what waits too long is refused (0x58).",
        "router.left_behind": "What still waited when the router stopped.",
        "router.not_handed_over": "No socket from systemd, as others have: a restart refuses here.",
        "router.stop_repeated": "A second signal: the router stops at once.",
        "session.idle": "A client sent no request during `inactivity`, and is unbound.",
        "submit.recognised": "A client sent one again without having seen the answer: see `why`.",
        "submit.refused": "So many submits of an account: the first at once, then each minute.",
        "trace.revealed": "A `user` is shown texts and whole numbers; `control.reveal` allows it.",
        "unbind.timed_out": "Our unbind was not answered in time; session over.",
    },
    "info": {
        "account.delivery_back": "Again `share` is near the `usual`, or has been so for a day.",
        "account.queue_back": "There is room, and nothing was refused for a minute; see `refused`.",
        "account.refusals_back": "Again `share` is near the `usual`, or has been so for a day.",
        "bind.bound": "A bind to an operator is up.",
        "bind.drained": "By command nothing more is sent on the bind; `in_flight` may be answered.",
        "bind.renewed": "No bind of the operator waits for another one any more.",
        "bind.retires": "The session has reached its limit, or has new settings: it binds again.",
        "bind.resumed": "By command, messages are sent on the bind again.",
        "bind.waits": "The next attempt to bind comes after `wait_s`.",
        "bind.unbound": "A bind to an operator has ended, as the router asked.",
        "breaker.closed": "The bind or operator works again.",
        "clock.believed": "The wall clock is right again, or its time is confirmed.",
        "client.bound": "A client has bound.",
        "client.unbound": "A bind of a client has ended; the client must send `held` again.",
        "config.changed": "A reload: one key that is not as it was; at most 100 lines.",
        "config.matched": "The files are what runs again.",
        "config.reloaded": "A reload is applied: so many changes, and what stays for a while.",
        "config.unchanged": "A reload: the configuration is the one in force.",
        "records.back": "Records are written again; `status` has how many were lost, if any.",
        "journal.back": "The journal can be written again: traffic goes on.",
        "journal.space_back": "The disk has enough space again: submits are taken.",
        "journal.recovered": "Messages of an earlier process have been taken up.",
        "message.settled": "A message has ended. Sampled: `telemetry.log.messages`.",
        "router.kept_up": "For 10 s nothing was refused because of a congestion; see `refused`.",
        "queue.cancel_began": "By order of a `user` all that an account has waiting is cancelled.",
        "queue.cancelled": "An order of a `user` has ended; `why` is there where not all was done.",
        "router.draining": "The router is stopping: no new binds and submits.",
        "router.listening": "Clients can connect to `address`, which systemd has `passed` or not.",
        "router.ready": "Clients are served; metrics at `telemetry`, commands at `control`.",
        "trace.began": "A `user` is shown what passes on connections, masked, for `for_s`.",
        "trace.ended": "A trace is over, and `why`; so many PDUs were `seen`, and left out.",
        "router.stopped": "The last line of a process that has stopped in good order.",
    },
    "debug": {
        "client.disconnected": "A connection without a bind has ended.",
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
    "router_id": "the router's id of the message",
    "client_id": "the id that the client got",
    "account": "the account of the message",
    "lane": "the lane of the message",
    "operator": "the operator that was tried last; missing if none was",
    "outcome": "delivered, failed, expired, rejected, sent or unknown",
    "reason": "why the router ended the message; missing if the operator did",
    "sends": "how often the message was written to an operator",
    "doubts": "how often the message was in doubt, if it was; at most 1 from before a crash",
    "queue_s": "from when it came to the last writing",
    "operator_s": "from the last writing to the outcome: answer, and receipt if asked for",
    "total_s": "from when it came to the outcome",
}
"""The keys of `message.settled`. Some are unknown after a restart or if nothing was written."""

SECRET_KEYS: Final = frozenset({"octets", "password", "passwords", "short_message", "text"})
NUMBER_KEYS: Final = frozenset({"destination", "number", "sender", "source"})
SHOWN_DIGITS: Final = 5
"""Digits of a number that are shown: enough to see the route, not enough to call the subscriber."""


PATIENCE_MS: Final = 20
"""How long the first line that finds no room waits, since a busy machine may delay the reader."""


class LogLines:
    """Writes lines to a stream, one `write` each. Lines that the stream does not take are counted.

    A pipe or socket whose reader stands still fills up, and a write would then wait as long as the
    reader does, and every message with it. So each line first asks whether there is room. A reader
    that is only slow is waited for once; while it stays behind, lines are lost at once.
    """

    lost: ClassVar[int] = 0
    """Lines lost since the process began, over all loggers."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._patience_ms = PATIENCE_MS

    def msg(self, line: str) -> None:
        """Write one line; a reader that is gone or a full disk must not stop a message."""
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
        except UnsupportedOperation:  # A stream in memory.
            return True
        # Of its own each time: two threads may not share one.
        asked = select.poll()
        asked.register(number, select.POLLOUT)
        has_room = bool(asked.poll(self._patience_ms))
        self._patience_ms = PATIENCE_MS if has_room else 0
        return has_room

    debug = info = warning = error = critical = msg


class _FromLogging(logging.Handler):
    """Passes what asyncio and libraries log on to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one record on."""
        level = min(max(record.levelno // 10 * 10, logging.DEBUG), logging.ERROR)
        said, exc_info = record.getMessage(), record.exc_info
        structlog.get_logger().log(
            level, "python.said", logger=record.name, said=said, exc_info=exc_info
        )


class _Form:
    """What is written, in which form. Loggers keep what they were made with; this may change."""

    lowest = logging.INFO
    """The level from which on lines are written."""
    last: tuple[Processor, ...] = ()
    """The steps that turn an event into a line, replaced as one."""

    @classmethod
    def drop(cls, _logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        """Drop what is below the lowest level."""
        if _LEVEL_OF[method] < cls.lowest:
            raise structlog.DropEvent
        return event

    @classmethod
    def write(cls, logger: WrappedLogger, method: str, event: EventDict) -> str:
        """Return the line."""
        line: object = event
        for step in cls.last:
            line = step(logger, method, line)  # type: ignore[arg-type]
        return str(line)


_PRIORITIES: Final = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""Those of syslog, by which `journalctl -p` selects."""
_LEVEL_OF: Final = {name.lower(): number for name, number in logging.getLevelNamesMapping().items()}


def adopt_log(settings: LogSettings, stream: TextIO) -> None:
    """Follow other settings of the log, from the next line on."""
    processors: list[Processor] = []
    if settings.format == "json":
        # Tracebacks as text: the structured ones hold local variables, and so passwords.
        processors += [
            structlog.processors.format_exc_info,
            what_first,
            structlog.processors.JSONRenderer(),  # ASCII without controls.
        ]
    else:
        colours = stream.isatty()
        processors += [
            printable_values,
            structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=_printable_traceback),
        ]
    if is_journald(stream):
        processors.append(with_priority)
    _Form.last = tuple(processors)
    _Form.lowest = _LEVEL_OF[settings.level]


def configure_log(settings: LogSettings, stream: TextIO) -> None:
    """Set up structlog for the whole process; Python's own logging goes through structlog too."""
    adopt_log(settings, stream)
    lines = LogLines(stream)
    structlog.configure(
        processors=[
            _Form.drop,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            without_secrets,
            Recent.keep,
            _Form.write,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_FromLogging()], level=logging.WARNING, force=True)


def is_journald(stream: TextIO) -> bool:
    """Return whether systemd's journal reads the stream: it says so in the environment."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):  # ValueError: a stream in memory, or one that is closed.
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def with_priority(_logger: WrappedLogger, method: str, line: object) -> str:
    """Put the priority before each line, as journald takes it off again; see sd-daemon(3)."""
    priority = _PRIORITIES[method]
    return "\n".join(f"<{priority}>{one}" for one in str(line).split("\n"))


def what_first(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put the keys that every line has first, so that people can compare lines."""
    heads = {head: event.pop(head) for head in ("timestamp", "level", "event")}
    return {**heads, **event}


def printable(text: str) -> str:
    """Escape what a terminal does not show but obeys: controls, and marks that turn the text."""
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


def printable_values(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Escape all values, which may come from a peer; what is no text is shown as by `repr`."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = printable(value)
    return event


def _printable_traceback(stream: TextIO, exc_info: ExcInfo) -> None:
    """Write a traceback; the text of an exception may come from a peer."""
    written = StringIO()
    structlog.dev.plain_traceback(written, exc_info)
    stream.write("\n".join(map(printable, written.getvalue().split("\n"))))


def without_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Mask keys that a log must never contain, in case a line has them."""
    for key in event.keys() & SECRET_KEYS:
        if not isinstance(event[key], int):  # Of octets, how many they are.
            event[key] = "***"
    for key in event.keys() & NUMBER_KEYS:
        event[key] = masked(event[key])
    return event


def masked(number: object) -> str:
    """Return a phone number with all but the first digits masked."""
    text = number.decode("latin-1") if isinstance(number, bytes) else str(number)
    return text[:SHOWN_DIGITS] + "*" * len(text[SHOWN_DIGITS:])


class MessageLog:
    """Writes `message.settled` for the configured share of messages.

    Which ones is decided by their id, so that the same are chosen whoever asks, and evenly.
    """

    __slots__ = ("_below", "_log")

    def __init__(self, settings: LogSettings) -> None:
        self._below = 0
        self._log: Final = structlog.get_logger().bind()
        self.adopt(settings)

    def adopt(self, settings: LogSettings) -> None:
        """Follow another share, and another level."""
        writes = settings.level in ("debug", "info")
        self._below = round(settings.messages * 2**32) if writes else 0

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
            line["queue_s"] = round(min(queue_s, total_s), 6)  # The wall clock may have been put.
            line["operator_s"] = round(max(0.0, total_s - queue_s), 6)
        self._log.info("message.settled", **line)


def log_page() -> str:
    """Return the page about the log, `docs/LOGS.md`."""
    events = "".join(f"| `{name}` | {level} | {text} |\n" for name, (level, text) in EVENTS.items())
    levels = "".join(f"| {level} | {text} |\n" for level, text in LEVELS.items())
    settled = "".join(f"| `{key}` | {text} |\n" for key, text in SETTLED_KEYS.items())
    return f"""\
# The log

<!-- Written by `python -m router.telemetry.log docs/LOGS.md`, not by hand. -->

One line per event on standard error, as JSON or for eyes (`telemetry.log.format`). Each begins with
`timestamp` (UTC), `level` and `event`; what else it has is named with its unit: `_s` is seconds. A
line about a session has its `client` (address; behind a proxy also `via`, that of the proxy) and
`account`, or its `operator` and `bind`. `status` is a command_status by name, `reason` one of a few
words that metrics use too, `error` what the system or a library said, and `meaning` a sentence for
people.

No line holds a message's text or a password; of a subscriber's number only the first digits are
left. Lines that standard error does not take are lost, and counted in
`smpp_router_log_lines_lost_total`.

| level | says |
|---|---|
{levels}
## Events

What one peer does wrong again and again is logged 20 times per connection, and then twice a minute
at most. So is each event of all connections from one address that have not bound (with IPv6, from
one /64), also of those whose TLS handshake or proxy header was wrong. Each event of an account's
binds is logged 100 times, and then ten times a minute. `suppressed` on a line is how many like it
were left out before. With `console` what cannot be printed is escaped. All of it is counted, in
`smpp_router_refused_pdus_total`, `smpp_router_failed_binds_total` and in the metrics of receipts,
inbound messages and deliveries. What keeps a bind to an operator down is logged, for each address,
when it changes, and then every ten minutes; `failures` counts all attempts since the last session.

| event | level | meaning |
|---|---|---|
{events}
## The keys of `message.settled`

| key | meaning |
|---|---|
{settled}"""


def main() -> None:
    """Write the page to the file that is named on the command line."""
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m router.telemetry.log docs/LOGS.md")
    Path(sys.argv[1]).write_text(log_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
