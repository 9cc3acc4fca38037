"""router/telemetry/log.py: the table of events, how lines look, and the line of each message."""

import ast
import dataclasses
import io
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
import structlog

from router.enqueue.journal import Settlement
from router.telemetry import recent
from router.telemetry.log import (
    EVENTS,
    LEVELS,
    SETTLED_KEYS,
    LogLines,
    MessageLog,
    configure_log,
    log_page,
    masked,
)
from router.telemetry.recent import Recent
from router.terms.message import Message
from router.terms.names import RouterId
from router.terms.outcome import UNKNOWN_NAME, WRONG_CREDENTIALS, Outcome
from router.terms.settings import LogSettings, Settings
from tests.unit.telemetry.running import BULK, SHOP, STARTED_AT, TELIA, FakeRouter

ROOT = Path(__file__).parents[3]
NOTES = {"_note", "_end"}
"""Methods of a session whose first argument becomes the event of a warning."""


@pytest.fixture(autouse=True)
def _leave_no_trace() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    Recent.clear()
    yield
    Recent.clear()
    structlog.reset_defaults()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def written(settings: LogSettings, *, broken: bool = False) -> io.StringIO:
    """Set the log up; return what it writes to."""
    stream = io.StringIO()
    configure_log(settings, stream)
    if broken:
        stream.close()
    return stream


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


# The table.


def events_in(source: str) -> Iterator[tuple[str, str]]:
    """Event and level of every log call, and of every note of a session or a stage."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(
                func=ast.Attribute(value=owner, attr=method),
                args=[ast.Constant(value=str(event)), *_],
            ):
                if method in NOTES:
                    yield event, "warning"
                elif method in LEVELS and ast.unparse(owner).endswith("log"):
                    yield event, method
            case ast.Call(func=ast.Name(id="Note"), args=[ast.Constant(value=str(event)), *_]):
                yield event, "warning"
            case ast.Call(func=ast.Attribute(attr="log"), args=[_, ast.Constant(value=str(event))]):
                yield event, EVENTS[event].level
            case _:
                pass


def events_used() -> set[tuple[str, str]]:
    return {
        found
        for file in (ROOT / "router").rglob("*.py")
        for found in events_in(file.read_text(encoding="utf-8"))
    }


def test_every_event_of_the_code_is_in_the_table_with_its_level() -> None:
    told = {(name, event.level) for name, event in EVENTS.items()}
    assert events_used() - told == set()


def test_no_event_is_in_the_table_that_the_code_no_longer_has() -> None:
    assert set(EVENTS) - {name for name, _ in events_used()} == set()


def test_events_are_found_in_calls_and_in_notes() -> None:
    source = 'self._log.info("a.b")\nlog.error("c.d", x=1)\nself._note("e.f")\nother.info("g.h")'
    source += '\npeer.tell(Note("i.j", 5))'
    assert set(events_in(source)) == {
        ("a.b", "info"),
        ("c.d", "error"),
        ("e.f", "warning"),
        ("i.j", "warning"),
    }


def test_event_is_a_noun_and_what_happened_to_it() -> None:
    assert [
        name for name in EVENTS if not name.replace("_", "").replace(".", "", 1).isalpha()
    ] == []
    assert all(name.count(".") == 1 for name in EVENTS)


def test_page_about_the_log_is_what_the_table_says() -> None:
    page = (ROOT / "docs" / "LOGS.md").read_text(encoding="utf-8")
    assert page == log_page(), "python -m router.telemetry.log docs/LOGS.md writes it anew"


# How a line looks.


def test_line_of_json_has_event_level_and_a_time_in_utc() -> None:
    stream = written(LogSettings())
    structlog.get_logger().info("router.ready", listeners=["a:1"])
    (line,) = lines(stream)
    assert str(line.pop("timestamp")).endswith("Z")
    assert line == {"event": "router.ready", "level": "info", "listeners": ["a:1"]}


def test_line_below_the_level_is_not_written() -> None:
    stream = written(LogSettings(level="warning"))
    structlog.get_logger().info("router.ready")
    structlog.get_logger().warning("link.dead")
    assert [line["event"] for line in lines(stream)] == ["link.dead"]


def test_line_of_json_begins_with_when_how_bad_and_what() -> None:
    stream = written(LogSettings())
    structlog.get_logger().bind(operator="telia").warning("bind.lost", in_flight=3)
    (line,) = lines(stream)
    assert list(line) == ["timestamp", "level", "event", "operator", "in_flight"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_line_has_its_priority_where_systemds_journal_reads_it(
    form: Literal["json", "console"], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "log"
    with file.open("w", encoding="utf-8") as stream:
        found = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        configure_log(LogSettings(format=form, level="debug"), stream)
        for level in ("debug", "info", "warning", "error"):
            structlog.get_logger().log(getattr(logging, level.upper()), "router.ready")
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino + 1}")
        configure_log(LogSettings(format=form), stream)
        structlog.get_logger().error("router.ready")
    *ours, another = file.read_text(encoding="utf-8").splitlines()
    assert [line[:3] for line in ours] == ["<7>", "<6>", "<4>", "<3>"]
    assert not another.startswith("<")


def test_latest_lines_are_kept_without_secrets_and_without_those_of_messages() -> None:
    written(LogSettings())
    logger = structlog.get_logger()
    logger.debug("client.disconnected")
    logger.info("message.settled", router_id=1)
    logger.warning("bind.lost", operator="telia", number="37255512345", left=float("inf"))
    logger.warning("client.bind_refused", system_id="my password", reason="wrong_credentials")
    known = {"reason": WRONG_CREDENTIALS.reason, "why": WRONG_CREDENTIALS.why}
    logger.warning("client.bind_refused", system_id="bank", **known)
    unknown = {"reason": UNKNOWN_NAME.reason, "why": UNKNOWN_NAME.why}
    logger.warning("client.bind_refused", system_id="my password", **unknown)
    logger.info("router.ready", why="x" * 400)
    lost, refused, of_bank, of_nobody, ready = Recent.lines()
    assert of_bank["system_id"] == "bank"
    assert "system_id" not in of_nobody
    assert str(lost.pop("timestamp")).endswith("Z")
    assert lost == {
        "level": "warning", "event": "bind.lost", "operator": "telia", "number": "37255******",
        "left": "inf",
    }  # fmt: skip
    assert "system_id" not in refused
    assert len(str(ready["why"])) == recent.LONGEST


def test_warnings_are_not_pushed_out_by_other_lines() -> None:
    written(LogSettings())
    logger = structlog.get_logger()
    logger.error("journal.failed")
    for number in range(recent.MOST + 1):
        logger.info("client.bound", number_of_it=number)
    first, second, *_ = Recent.lines()
    assert (first["event"], second["number_of_it"]) == ("journal.failed", 1)
    assert len(Recent.lines()) == 1 + recent.MOST


def test_line_for_eyes_is_no_json() -> None:
    stream = written(LogSettings(format="console"))
    structlog.get_logger().info("router.ready", listeners=2)
    assert "router.ready" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


HOSTILE = [
    "\x1b[2J\x1b]0;title\x07",
    "a\r\nb\x00\x08",
    "\x7f",
    "\x9b31m\x85",
    "\u202egnp\u2066x\u200f\u061c",
    "a\u2028b\u2029",
    "\ud800",
]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("format_", ["console", "json"])
def test_what_a_terminal_obeys_is_escaped_in_every_value(
    format_: Literal["console", "json"], value: str
) -> None:
    stream = written(LogSettings(format=format_))
    log = structlog.get_logger().bind(client=value)
    log.warning(
        "client.bind_refused",
        system_id=value,
        listeners=[value],
        octet=value.encode("utf-8", "surrogatepass"),
    )
    try:
        raise ValueError(value)
    except ValueError:
        log.exception("control.failed")
    shown = stream.getvalue()
    assert shown.count("client.bind_refused") == 1
    assert [one for one in shown if not one.isprintable() and one != "\n"] == []
    assert len(shown.splitlines()) == len(shown.split("\n")) - 1
    if format_ == "json":
        assert [line["system_id"] for line in lines(stream) if "system_id" in line] == [value]
        assert len(shown.splitlines()) == 2


def test_what_can_be_printed_is_shown_as_it_came() -> None:
    stream = written(LogSettings(format="console"))
    structlog.get_logger().warning("client.bind_refused", system_id="tõru-ß\\x-中文")
    assert "system_id=tõru-ß\\x-中文\n" in stream.getvalue()


def test_traceback_for_eyes_keeps_its_lines() -> None:
    stream = written(LogSettings(format="console"))
    try:
        raise ValueError("x")
    except ValueError:
        structlog.get_logger().error("control.failed", exc_info=True)
    assert "\nTraceback (most recent call last):\n  File " in stream.getvalue()
    assert "\nValueError: x" in stream.getvalue()


@pytest.mark.parametrize("key", ["password", "short_message", "text", "octets"])
def test_secret_that_is_given_to_a_line_is_not_in_it(key: str) -> None:
    stream = written(LogSettings())
    structlog.get_logger().info("client.bound", **{key: "s3cret"})
    assert "s3cret" not in stream.getvalue()


def test_how_many_octets_there_are_is_no_secret() -> None:
    stream = written(LogSettings())
    structlog.get_logger().info("message.suspected", octets=140)
    (line,) = lines(stream)
    assert line["octets"] == 140


def test_number_in_a_line_keeps_its_first_digits_only() -> None:
    stream = written(LogSettings())
    structlog.get_logger().info("client.bound", destination="37255512345", number=b"3725")
    (line,) = lines(stream)
    assert (line["destination"], line["number"]) == ("37255******", "3725")
    assert masked("") == ""


@pytest.mark.parametrize("settings", [LogSettings(), LogSettings(format="console")])
def test_traceback_shows_no_local_variables(settings: LogSettings) -> None:
    stream = written(settings)

    def fail(password: str) -> None:
        raise ValueError(len(password))

    try:
        fail("s3cret" + "!")
    except ValueError:
        structlog.get_logger().error("control.failed", exc_info=True)
    assert "ValueError: 7" in stream.getvalue()
    assert "s3cret!" not in stream.getvalue()


def test_line_that_the_stream_does_not_take_is_counted_and_nobody_is_disturbed() -> None:
    written(LogSettings(), broken=True)
    lost = LogLines.lost
    structlog.get_logger().error("journal.failed")
    assert LogLines.lost == lost + 1


def test_reader_that_stands_still_loses_lines_and_stops_nobody() -> None:
    reading, writing = os.pipe()
    with open(reading, encoding="utf-8") as reader, open(writing, "w", encoding="utf-8") as stream:
        configure_log(LogSettings(), stream)
        log, lost = structlog.get_logger(), LogLines.lost
        for number in range(1000):  # A pipe holds 64 KiB.
            log.info("bind.waits", failures=number, meaning="x" * 100)
        assert LogLines.lost > lost

        os.set_blocking(reading, False)
        kept = reader.read().splitlines()
        assert len(kept) == 1000 - (LogLines.lost - lost)
        log.info("bind.waits", meaning="now there is room")
        assert "now there is room" in reader.read()


def test_what_libraries_log_comes_out_like_everything_else() -> None:
    stream = written(LogSettings())
    logging.getLogger("asyncio").error("Task %s was destroyed", "x")
    (line,) = lines(stream)
    assert (line["event"], line["level"]) == ("python.said", "error")
    assert (line["logger"], line["said"]) == ("asyncio", "Task x was destroyed")


# The line of a message.


def with_share(settings: Settings, messages: float, level: str = "info") -> Settings:
    log = LogSettings(messages=messages, level=level)  # type: ignore[arg-type]
    telemetry = dataclasses.replace(settings.telemetry, log=log)
    return dataclasses.replace(settings, telemetry=telemetry)


def settled(settlement: Settlement, router: FakeRouter) -> list[dict[str, object]]:
    """What the message log writes of it."""
    stream = written(LogSettings())
    MessageLog(with_share(router.settings, 1.0).telemetry.log)(settlement)
    found = lines(stream)
    for line in found:
        del line["timestamp"]
    return found


def sent(message: Message, sent_after_s: float) -> Message:
    message.operator, message.writes = TELIA, 2
    message.sent_at = message.accepted_at + sent_after_s
    return message


def test_line_of_a_message_has_its_names_and_the_delay_of_each_stage() -> None:
    router = FakeRouter()
    message = sent(router.message(SHOP, BULK, age_s=3.0), 1.25)
    assert settled(Settlement(message, Outcome.DELIVERED, 1.8e9), router) == [
        {
            "event": "message.settled",
            "level": "info",
            "router_id": message.router_id,
            "client_id": str(message.router_id),
            "account": "shop",
            "lane": "bulk",
            "operator": "telia",
            "outcome": "delivered",
            "sends": 2,
            "queue_s": 1.25,
            "operator_s": 1.75,
            "total_s": 3.0,
        }
    ]


def test_line_of_a_message_that_was_never_written_knows_no_operator() -> None:
    router = FakeRouter()
    settlement = Settlement(router.message(age_s=300.0), Outcome.EXPIRED, 1.8e9, "too old")
    (line,) = settled(settlement, router)
    assert {"operator", "queue_s", "operator_s"} & line.keys() == set()
    assert (line["reason"], line["total_s"], line["sends"]) == ("too old", 300.0, 0)


def test_delays_that_a_restart_has_made_unknown_are_left_out() -> None:
    router = FakeRouter()
    message = router.message(age_s=3.0)
    message.operator, message.writes, message.sent_at = TELIA, 1, 0.0
    (line,) = settled(Settlement(message, Outcome.DELIVERED, 1.8e9), router)
    assert {"queue_s", "operator_s"} & line.keys() == set()


def test_keys_of_the_line_are_those_of_the_page() -> None:
    router = FakeRouter()
    message = sent(router.message(), 0.0)
    message.times_in_doubt = 1
    (line,) = settled(Settlement(message, Outcome.FAILED, 1.8e9, "why"), router)
    assert line.keys() - {"event", "level"} == SETTLED_KEYS.keys()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 1.0])
def test_share_of_messages_that_get_their_line_is_what_the_settings_say(share: float) -> None:
    router = FakeRouter()
    stream = written(LogSettings())
    write = MessageLog(with_share(router.settings, share).telemetry.log)
    message = router.message()
    for number in range(2_000):
        message.router_id = RouterId(184_467_440_737 + number * 100 + 7)
        write(Settlement(message, Outcome.SENT, 1.8e9))
    assert stream.getvalue().count("message.settled") == pytest.approx(2_000 * share, abs=2)


def test_message_has_no_line_where_the_level_is_above_it() -> None:
    router = FakeRouter()
    stream = written(LogSettings(level="warning"))
    MessageLog(with_share(router.settings, 1.0, "warning").telemetry.log)(
        Settlement(router.message(), Outcome.SENT, STARTED_AT)
    )
    assert stream.getvalue() == ""
