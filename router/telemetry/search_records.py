"""The search in the file of records: where an index leads."""

import sqlite3
from collections.abc import Iterator, Sequence

from router.telemetry import records_schema as schema
from router.telemetry.findings import Findings, SearchError, Value, conditions, marks, told
from router.telemetry.records import hashed, masked


def in_records(database: sqlite3.Connection, findings: Findings) -> None:
    """Add what is among the records. Raises sqlite3.Error or SearchError."""
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version != schema.VERSION:
        raise SearchError(f"it is of version {version}, and this program knows {schema.VERSION}")
    (findings.moved,) = database.execute("SELECT record FROM moved").fetchone()
    (last,) = database.execute("SELECT max(number) FROM record").fetchone()
    (first,) = database.execute("SELECT min(number) FROM record").fetchone()
    if last is None:
        return
    parts = range(last >> schema.PART_BITS, (first >> schema.PART_BITS) - 1, -1)
    if findings.question.is_named:
        _by_name(database, findings, parts)
    elif findings.question.account:
        _by_account(database, findings)
    else:
        _by_reason(database, findings, parts)


def _by_name(database: sqlite3.Connection, findings: Findings, parts: range) -> None:
    """Look for numbers and ids, in one part of the table after the other, newest first."""
    question, names = findings.question, findings.names
    _take(database, findings, "router_id IN", names.router_ids)
    others = "number IN (SELECT number FROM other_id WHERE operator_id IN"
    _take(database, findings, others, names.operator_ids, end=")")
    in_part = list(_in_part(database, findings))
    for part in parts:
        for where, values, may_be in in_part:
            _take(database, findings, where, values, (part,), may_be=may_be)
        if len(findings) > question.most:
            return  # What is in older parts was over before.


def _in_part(
    database: sqlite3.Connection, findings: Findings
) -> Iterator[tuple[str, Sequence[Value], int]]:
    """Yield what is looked for in each part: the column, the values, and whether they are doubtful.

    A number that is hashed is so with the key of its day; one that is masked may be another's.
    """
    names = findings.names
    if findings.question.what:
        keys = database.execute("SELECT key FROM day_key").fetchall() if names.digits else ()
        numbers = [*names.numbers, *(hashed(names.digits, key) for (key,) in keys)]
        doubtful = [one for one in map(masked, names.numbers) if names.digits]
        yield f"{schema.PART} = ? AND destination IN", numbers, 0
        yield f"{schema.PART} = ? AND destination IN", doubtful, 1
        yield f"{schema.PART} = ? AND client_id IN", names.ids, 0
    yield f"{schema.PART} = ? AND operator_id IN", names.operator_ids, 0


def _take(
    database: sqlite3.Connection,
    findings: Findings,
    where: str,
    values: Sequence[Value],
    first: Sequence[Value] = (),
    *,
    may_be: int = 0,
    end: str = "",
) -> None:
    if not values:
        return
    more, of_more = conditions(findings.question, by_account=False)
    rows = database.execute(
        f"SELECT * FROM record WHERE {where} {marks(values)}{end}{more}"
        " ORDER BY number DESC LIMIT ?",
        (*first, *values, *of_more, findings.question.most + 1),
    )
    for row in rows:
        findings.add(told(row, "records", may_be))


def _by_account(database: sqlite3.Connection, findings: Findings) -> None:
    where, values = conditions(findings.question, by_account=True)
    rows = database.execute(
        f"SELECT * FROM record WHERE 1{where} ORDER BY accepted_utc DESC LIMIT ?",
        (*values, findings.question.most + 1),
    )
    for row in rows:
        findings.add(told(row, "records", 0))


def _by_reason(database: sqlite3.Connection, findings: Findings, parts: range) -> None:
    """Walk from the newest on, part by part, as far as the limit or the time goes."""
    where, values = conditions(findings.question, by_account=False)
    for part in parts:
        first = part << schema.PART_BITS
        rows = database.execute(
            f"SELECT * FROM record WHERE number >= ? AND number < ?{where}"
            " ORDER BY number DESC LIMIT ?",
            (first, first + (1 << schema.PART_BITS), *values, findings.question.most + 1),
        )
        for row in rows:
            findings.add(told(row, "records", 0))
        if len(findings) > findings.question.most:
            return
