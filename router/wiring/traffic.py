"""Traffic to replay: the records of a journal, or a CSV file; read while the router runs.

A journal is only read, in pieces: no reading of it is so long that its log could not be emptied.
Records have no text, no priority_flag and no service_type, and only messages that have ended have
a record.
"""

import csv
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from router.smpp.length import parts_of

COLUMNS: Final = ("account", "to", "from", "text", "lane", "priority", "service_type", "count")
"""Of a CSV file. The first two must be there, and a header that names what is."""
NEEDED: Final = COLUMNS[:2]
LONGEST: Final = {"to": 20, "from": 20, "service_type": 5}
"""Octets of a field of SMPP."""
MOST_COUNT: Final = 10**12
ROWS_AT_ONCE: Final = 10_000
_SQLITE: Final = b"SQLite format 3\0"
_RECORDS: Final = """
    SELECT number, account, lane, source, destination, accepted_utc
    FROM record WHERE number > ? AND outcome <> 'refused' ORDER BY number LIMIT ?
"""


class TrafficError(Exception):
    """The file cannot be used; the text says where and why."""


class Traffic(NamedTuple):
    """Messages that are alike."""

    account: str
    to: str
    sender: str = ""
    lane: str | None = None
    """The lane that the messages were in; None: that of their account."""
    priority: int = 0
    service_type: str = ""
    messages: int = 1
    """How many; each part of a long text is one."""
    accepted_utc: float | None = None


def traffic_of(path: Path) -> Iterator[Traffic]:
    """Yield what a file holds. Raises TrafficError, also after the first row."""
    try:
        if path.exists() and not path.is_file():
            raise TrafficError(f"{path}: this is no regular file")
        with path.open("rb") as file:
            is_journal = file.read(len(_SQLITE)) == _SQLITE
    except OSError as error:
        raise TrafficError(f"{path}: cannot be read: {error.strerror}") from error
    return _of_journal(path.resolve()) if is_journal else _of_csv(path)


def _of_journal(path: Path) -> Iterator[Traffic]:
    # Without a log beside it nobody has the file open. SQLite would make one, to read it.
    how = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "immutable=1"
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?{how}", uri=True, timeout=5.0)) as database:
            last = -(2**63)
            while rows := database.execute(_RECORDS, (last, ROWS_AT_ONCE)).fetchall():
                for _, account, lane, source, destination, accepted_utc in rows:
                    yield Traffic(
                        account, destination, source, lane, accepted_utc=float(accepted_utc)
                    )
                last = rows[-1][0]
    except (sqlite3.Error, ValueError) as error:
        raise TrafficError(f"{path}: its records cannot be read: {error}") from error


def _of_csv(path: Path) -> Iterator[Traffic]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, strict=True)
            header = [name.strip() for name in next(rows, [])]
            _check(header, path)
            for row in rows:
                if row:  # An empty line is none.
                    yield _row(header, row, f"{path}:{rows.line_num}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TrafficError(f"{path}: cannot be read as CSV in UTF-8: {error}") from error


def _check(header: list[str], path: Path) -> None:
    wrong = [name for name in header if name not in COLUMNS or header.count(name) > 1]
    lacking = [name for name in NEEDED if name not in header]
    if wrong or lacking:
        what = f"no column {lacking[0]!r}" if lacking else f"{wrong[0]!r} is no column, or is twice"
        known = ", ".join(COLUMNS)
        raise TrafficError(f"{path}:1: {what}; a header names some of {known}")


def _row(header: list[str], row: list[str], place: str) -> Traffic:
    if len(row) != len(header):
        raise TrafficError(f"{place}: {len(row)} values for {len(header)} columns")
    said = dict(zip(header, row, strict=True))
    for name, value in said.items():
        is_wrong = any(one == "\0" or one > "\xff" for one in value)
        if name in LONGEST and (is_wrong or len(value) > LONGEST[name]):
            raise TrafficError(f"{place}: {name} {value!r} cannot stand in a field of SMPP")
    parts = parts_of(said["text"])[1] if said.get("text") else 1
    return Traffic(
        said["account"],
        said["to"],
        said.get("from", ""),
        said.get("lane") or None,
        _number(said, "priority", 0, 255, place),
        said.get("service_type", ""),
        max(parts, 1) * _number(said, "count", 1, MOST_COUNT, place),
    )


def _number(said: Mapping[str, str], name: str, default: int, most: int, place: str) -> int:
    text = said.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 13 and int(text) <= most):
        raise TrafficError(f"{place}: {name} {text!r} is no number from 0 to {most}")
    return int(text)
