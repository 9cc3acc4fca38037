"""`smpp-router find` and `export`: what became of messages.

`find` asks the running router, which masks all numbers but that which is asked for: whoever can
reach its port may ask. With `--config` the files are read here: whoever may read them may see all.
"""

import argparse
import csv
import json
import math
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from datetime import time as clock_time
from pathlib import Path
from typing import Final, cast

from router.settings.load import SettingsError, load
from router.settings.units import NotUnderstoodError, duration
from router.telemetry import records_schema as schema
from router.telemetry.findings import Answer, Question, SearchError
from router.telemetry.log import printable
from router.telemetry.records import path_of, read_only
from router.telemetry.search import search
from router.terms.settings import Settings
from router.wiring.find_view import events_of, lines_of

WELL, NOT_WELL = 0, 1
ASK_S: Final = 100.0
BEFORE_S: Final = 60.0
AFTER_S: Final = 120.0
"""Around the time that somebody names, which is that of a watch."""
MOST: Final = 20
ROWS_AT_ONCE: Final = 5_000
CLOCKS_S: Final = 3600.0
"""By so much the times of records may be out of order: clocks are corrected."""

Add = Callable[[str, str, Callable[[argparse.Namespace], int]], argparse.ArgumentParser]


def add_commands(add: Add, url: Callable[[str], str], default_url: str) -> None:
    """Add the commands to the parser."""
    find = add("find", "show what became of a message, or of messages", _find)
    find.add_argument("what", metavar="NUMBER|ID", nargs="?", type=_asked_for)
    find.add_argument(
        "--at", metavar="TIME", type=moment,
        help="submitted about then: 14:03, or 2026-11-29T14:03, by this machine's clock",
    )  # fmt: skip
    find.add_argument("--account", default="", metavar="A", help="only messages of this account")
    find.add_argument(
        "--operator-id", metavar="ID", type=_asked_for,
        help="the id that an operator gave, in any form",
    )  # fmt: skip
    find.add_argument(
        "--reason",
        default="",
        metavar="WORD",
        help="only what was refused, or ended, for that",
    )
    find.add_argument(
        "--most", default=MOST, metavar="N", type=_count, help=f"show so many; default: {MOST}"
    )
    find.add_argument(
        "--config", metavar="CONFIG", type=Path,
        help="read the files of this configuration's router, instead of asking it",
    )  # fmt: skip
    find.add_argument("--url", type=url, default=default_url,
                      help=f"where the router takes commands; default: {default_url}")  # fmt: skip
    find.add_argument("--json", action="store_true", help="print the result as one JSON document")
    export = add("export", "print records as CSV, or as JSON lines", _export)
    export.add_argument("config", metavar="CONFIG", type=Path, help="a file, or a folder")
    export.add_argument(
        "--since", metavar="TIME", type=_since,
        help="submitted then or later: 24h (ago), 2026-11-29, or 2026-11-29T14:03",
    )  # fmt: skip
    export.add_argument("--until", metavar="TIME", type=_since, help="submitted before then")
    export.add_argument("--account", default="", metavar="A", help="only messages of this account")
    export.add_argument(
        "--format", choices=["csv", "jsonl"], default="csv", help="default: csv, with a header"
    )
    export.add_argument(
        "--quality", action="store_true",
        help="how well operators delivered instead, by day, country and lane",
    )  # fmt: skip


# What can be written on the command line.


def _asked_for(text: str) -> str:
    text = text.strip()
    if not text or any(one > "\xff" for one in text) or len(text) > 65:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor an id")
    return text


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= 10_000):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 10000")
    return int(text)


def moment(text: str) -> float:
    """Return seconds since 1970 of a time by this machine's clock; without a day, the last one."""
    now = datetime.now().astimezone()
    try:
        if "-" not in text:
            day = datetime.combine(now.date(), clock_time.fromisoformat(text))
            if day.astimezone() > now:
                day -= timedelta(days=1)  # Before the zone: days of 23 and 25 hours are days.
            return day.astimezone().timestamp()
        return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone().timestamp()
    except ValueError:
        what = f"{text!r} is no time such as 14:03 or 2026-11-29T14:03"
        raise argparse.ArgumentTypeError(what) from None


def _since(text: str) -> float:
    try:
        return time.time() - duration(text)
    except NotUnderstoodError:
        return moment(text)


# find.


def _find(arguments: argparse.Namespace) -> int:
    at = arguments.at
    question = Question(
        what=arguments.what or "",
        operator_id=arguments.operator_id or "",
        account=arguments.account,
        reason=arguments.reason,
        most=arguments.most,
        **({} if at is None else {"from_utc": at - BEFORE_S, "until_utc": at + AFTER_S}),
    )
    if not any((question.what, question.operator_id, question.account, question.reason)):
        arguments.parser.error("a number, an id, --operator-id, --account or --reason is wanted")
    answer = _asked(arguments, question) if arguments.config is None else _read(arguments, question)
    if answer is None:
        return NOT_WELL
    if arguments.json:
        told = [{**one, "events": events_of(one)} for one in answer["found"]]
        print(json.dumps({**answer, "found": told}, indent=2))
    else:
        for line in lines_of(answer, None):
            print(printable(line))
    return WELL if answer["found"] and not answer["lacks"] else NOT_WELL


def _asked(arguments: argparse.Namespace, question: Question) -> Answer | None:
    from router.wiring.remote import NoAnswerError, ask

    posted = {key: value for key, value in question._asdict().items() if value != float("inf")}
    try:
        return cast(Answer, json.loads(ask(arguments.url, "/v1/find", posted, wait_s=ASK_S)))
    except NoAnswerError as error:
        _tell(f"{error}; --config CONFIG reads the files without it")
        return None


def _read(arguments: argparse.Namespace, question: Question) -> Answer | None:
    journal = _journal(arguments.config)
    if journal is None:
        return None
    settings, path = journal
    records = path_of(path) if settings.records.keep_s else None
    try:
        return search(question, records, path)
    except SearchError as error:
        _tell(str(error))
        return None


def _journal(config: Path) -> tuple[Settings, Path] | None:
    try:
        settings = load(config, os.environ)
    except SettingsError as error:
        _tell(str(error))
        return None
    url = settings.journal.url
    if url == "memory:":
        _tell(f"{config}: journal.url is memory:, which keeps nothing")
        return None
    return settings, Path(url.removeprefix("sqlite:///")).resolve()


# export.


def _export(arguments: argparse.Namespace) -> int:
    if arguments.quality and arguments.account:
        arguments.parser.error("--quality is of operators: it does not go with --account")
    found = _journal(arguments.config)
    if found is None:
        return NOT_WELL
    path = path_of(found[1])
    if not path.is_file():
        _tell(f"{path}: there is no such file; has the router run, with records.keep above 0s?")
        return NOT_WELL
    try:
        if arguments.quality:
            names, rows = schema.QUALITY, _quality(path, arguments.since, arguments.until)
        else:
            rows = _rows(path, arguments.since, arguments.until, arguments.account)
            names = schema.NAMES
        if arguments.format == "csv":
            table = csv.writer(sys.stdout, lineterminator="\n")
            table.writerow(names)
            table.writerows(rows)
        else:
            for row in rows:
                print(json.dumps(dict(zip(names, row, strict=True))))
    except sqlite3.Error as error:
        _tell(f"{path}: cannot be read: {error}")
        return NOT_WELL
    return WELL


_EXPORTED: Final = {"client_id": "coalesce(client_id, router_id)"}


def _rows(
    path: Path, since: float | None, until: float | None, account: str
) -> Iterator[tuple[object, ...]]:
    """Yield records in the order in which they ended, a few thousand at a time.

    No reading is so long that the router could not empty its log of changes.
    """
    where, values = "", list[object]()
    for condition, value in (
        ("+accepted_utc >= ?", since),  # Not by an index: the pieces are by number.
        ("+accepted_utc < ?", until),
        ("+account = ?", account or None),
    ):
        if value is not None:
            where += f" AND {condition}"
            values.append(value)
    columns = ", ".join(_EXPORTED.get(name, name) for name in schema.NAMES)
    with closing(read_only(path)) as database:
        (last,) = database.execute("SELECT max(number) FROM record").fetchone()
        (first,) = database.execute("SELECT min(number) FROM record").fetchone()
        begin = _number_at(database, first or 1, last or 0, since)
        for after in range(begin - 1, last or 0, ROWS_AT_ONCE):
            yield from database.execute(
                f"SELECT {columns} FROM record WHERE number > ? AND number <= ?{where}"
                " ORDER BY number",
                (after, after + ROWS_AT_ONCE, *values),
            ).fetchall()


def _number_at(database: sqlite3.Connection, first: int, last: int, since: float | None) -> int:
    """Return the number of a record before which none ended at this time or later, about.

    What was submitted since then ended since then, and records are numbered as they end.
    """
    while since is not None and last - first > ROWS_AT_ONCE:
        middle = (first + last) // 2
        row = database.execute(
            "SELECT settled_utc FROM record WHERE number >= ? ORDER BY number LIMIT 1", (middle,)
        ).fetchone()
        if row is None or row[0] >= since - CLOCKS_S:
            last = middle
        else:
            first = middle
    return first


def _quality(path: Path, since: float | None, until: float | None) -> Iterator[tuple[object, ...]]:
    first = 0 if since is None else int(since // 86_400)
    last = 2**31 if until is None else math.ceil(until / 86_400) - 1
    with closing(read_only(path)) as database:
        yield from database.execute(schema.EXPORT_QUALITY, (first, last))


def _tell(message: str) -> None:
    print(message, file=sys.stderr)
