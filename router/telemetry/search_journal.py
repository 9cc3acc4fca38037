"""The search in the journal: what waits, what is out, and what is over and no record yet."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from router.enqueue import schema as journal_schema
from router.enqueue.names import Names, Renamed, Span
from router.smpp.pdu import BodyError, Pdu, Sm
from router.telemetry import records_schema as schema
from router.telemetry.findings import (
    OUT,
    WAITING,
    Findings,
    Found,
    SearchError,
    Value,
    conditions,
    marks,
    octets_of,
    told,
)

PIECE_ROWS: Final = 20_000
"""Rows that one statement looks at."""
MOST_IN_OUTBOX: Final = 100
"""Messages whose receipts are looked for among all that wait for clients."""
_LAST: Final = 2**63 - 1
_RENAMED: Final = "SELECT what, written, after, until, now FROM renamed WHERE what = 'queue'"

Bound = Value | bytes
"""A value of a statement."""


def in_journal(database: sqlite3.Connection, findings: Findings) -> None:
    """Add what the journal's tables have. Raises sqlite3.Error or SearchError."""
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version != journal_schema.VERSION:
        raise SearchError(
            f"the journal is of version {version}, and this program reads {journal_schema.VERSION};"
            " a router of this version brings it there when it starts"
        )
    names = Names()
    rows = database.execute(_RENAMED)
    names.renamed = tuple(Renamed(what, Span(*span), now) for what, *span, now in rows)
    question = findings.question
    if not question.reason:  # What is not over has none.
        if question.what or not question.operator_id:
            _waiting(database, findings, names)
        _out(database, findings, names)
    _over(database, findings)
    _in_outbox(database, findings)


def _pieces(
    database: sqlite3.Connection, findings: Findings, table: str, key: str, after: int = 0
) -> Iterator[tuple[int, int]]:
    """Yield the bounds of pieces of a table, the newest first; no more than has to be seen."""
    before, had = _LAST, len(findings)
    while len(findings) - had <= findings.question.most:
        (first, last) = database.execute(
            f"SELECT min({key}), max({key}) FROM (SELECT {key} FROM {table}"
            f" WHERE {key} > ? AND {key} < ? ORDER BY {key} DESC LIMIT ?)",
            (after, before, PIECE_ROWS),
        ).fetchone()
        if first is None:
            return
        if findings.is_late():
            raise SearchError("it takes too long")
        yield first, last
        before = first


def _is_wanted(findings: Findings, row: sqlite3.Row, account: str) -> bool:
    """Whether a row that is not over is of the account and the time."""
    question = findings.question
    if question.account and account != question.account:
        return False
    accepted_utc = row["accepted_utc"]
    return isinstance(accepted_utc, float) and (
        question.from_utc <= accepted_utc < question.until_utc
    )


def _not_over_of(
    database: sqlite3.Connection,
    findings: Findings,
    names: Names,
    of: tuple[str, str],
    where: str,
    values: Sequence[Bound],
    add: Callable[[Findings, sqlite3.Row, str], None],
) -> None:
    """Look through a table of messages that are not over, and its key; `add` takes what may do."""
    table, key = of
    account = findings.question.account
    of_account: tuple[Bound, ...] = ()
    if account and not names.renamed:  # Else the rows may have another name of it.
        where, of_account = f"{where} AND account = ?", (account,)
    for first, last in _pieces(database, findings, table, key):
        had = len(findings)
        rows = database.execute(
            f"SELECT {table}.*, account, lane, plan FROM {table} JOIN queue ON queue = queue.number"
            f" WHERE {table}.{key} BETWEEN ? AND ? AND {where} ORDER BY {table}.{key} DESC",
            (first, last, *values, *of_account),
        )
        for row in rows:
            now = names.now("queue", row["account"], row["queue"])
            if _is_wanted(findings, row, now):
                add(findings, row, now)
            if len(findings) - had > findings.question.most:
                break


def _waiting(database: sqlite3.Connection, findings: Findings, names: Names) -> None:
    asked, what = findings.names, findings.question.what
    where, values = "1", list[Bound]()
    if what:
        ids = asked.router_ids
        where = f"(instr(octets, ?) OR router_id IN {marks(ids)} OR client_id = ?)"
        values = [octets_of(asked.digits or what), *ids, octets_of(what)]
    _not_over_of(database, findings, names, ("message", "router_id"), where, values, _add_waiting)


def _add_waiting(findings: Findings, row: sqlite3.Row, account: str) -> None:
    octets, asked = row["octets"], findings.names
    try:
        sm = Sm(Pdu(int.from_bytes(octets[4:8], "big"), 0, 0, octets))
    except (BodyError, TypeError):
        return  # The router sets it aside when it reads it, and says so.
    destination = _address(sm.destination_octets)
    found = _not_over(row, WAITING, account)
    is_meant = asked.is_number(destination) or found["client_id"] in asked.ids
    if findings.question.what and not (is_meant or row["router_id"] in asked.router_ids):
        return  # The digits stand elsewhere in it.
    found |= {
        "source": _address(sm.source_octets),
        "destination": destination,
        "waits_for": row["plan"],
        "expires_utc": row["expires_utc"],
    }
    findings.add(found)


def _out(database: sqlite3.Connection, findings: Findings, names: Names) -> None:
    asked, what = findings.names, findings.question.what
    operator_ids = [octets_of(one) for one in asked.operator_ids]
    where, values = "1", list[Bound]()
    if what:
        where = (
            f"(instr(destination, ?) OR router_id IN {marks(asked.router_ids)}"
            f" OR client_id = ? OR operator_id IN {marks(operator_ids)})"
        )
        number = octets_of(asked.digits or what)
        values = [number, *asked.router_ids, octets_of(what), *operator_ids]
    elif findings.question.operator_id:
        where, values = f"operator_id IN {marks(operator_ids)}", [*operator_ids]
    _not_over_of(database, findings, names, ("sent", "number"), where, values, _add_out)


def _add_out(findings: Findings, row: sqlite3.Row, account: str) -> None:
    asked = findings.names
    destination, operator_id = _address(row["destination"]), row["operator_id"]
    found = _not_over(row, OUT, account)
    is_meant = asked.is_number(destination) or found["client_id"] in asked.ids
    is_meant |= row["router_id"] in asked.router_ids
    is_meant |= operator_id.decode("latin-1") in asked.operator_ids
    if findings.question.what and not is_meant:
        return  # It is a part of a longer number.
    tries = row["tries"]
    found |= {
        "source": _address(row["source"]),
        "destination": destination,
        "operator": row["operator"],
        "operator_id": operator_id.decode("latin-1"),
        "sends": row["sends"],
        "tries": f"[{tries}]" if tries else None,
        "taken_utc": row["at_utc"],
    }
    findings.add(found)


def _over(database: sqlite3.Connection, findings: Findings) -> None:
    """Look at the rows that are not among the records: those of the last second, or all."""
    question, asked = findings.question, findings.names
    columns = ", ".join(
        f"{one.source.format(number='destination')} AS {one.name}" for one in schema.COLUMNS
    )
    where, values = "1", list[Value]()
    if question.what:
        where = (
            f"(destination IN {marks(asked.numbers)} OR client_id IN {marks(asked.ids)}"
            f" OR router_id IN {marks(asked.router_ids)}"
            f" OR operator_id IN {marks(asked.operator_ids)})"
        )
        values = [*asked.numbers, *asked.ids, *asked.router_ids, *asked.operator_ids]
    elif question.operator_id:
        where, values = f"operator_id IN {marks(asked.operator_ids)}", [*asked.operator_ids]
    more, of_more = conditions(question, by_account=False)
    for first, last in _pieces(database, findings, "record", "number", findings.moved):
        rows = database.execute(
            f"SELECT number, {columns} FROM record WHERE number BETWEEN ? AND ?"
            f" AND {where}{more} ORDER BY number DESC LIMIT ?",
            (first, last, *values, *of_more, question.most + 1),
        )
        for row in rows:
            findings.add(told(row, "journal", 0))


def _in_outbox(database: sqlite3.Connection, findings: Findings) -> None:
    """Note whose final receipt waits for its client."""
    unacknowledged = {
        one["router_id"]: one
        for one in findings.every()
        if one["router_id"] is not None
        and one["acknowledged_utc"] is None
        and one["outcome"] not in (WAITING, OUT)
    }
    if not unacknowledged or len(unacknowledged) > MOST_IN_OUTBOX:
        return
    for first, last in _pieces(database, findings, "delivery", "number"):
        for (router_id,) in database.execute(
            "SELECT router_id FROM delivery WHERE number BETWEEN ? AND ? AND final"
            f" AND router_id IN {marks(unacknowledged)}",
            (first, last, *unacknowledged),
        ):
            unacknowledged[router_id]["receipt_waits"] = 1


def _not_over(row: sqlite3.Row, outcome: str, account: str) -> Found:
    """Return what the rows of messages that are not over have in common."""
    client_id, router_id = row["client_id"], row["router_id"]
    found: Found = dict.fromkeys(schema.NAMES)
    found |= {
        "router_id": router_id,
        "client_id": str(router_id) if client_id is None else client_id.decode("latin-1"),
        "account": account,
        "lane": row["lane"],
        "outcome": outcome,
        "accepted_utc": row["accepted_utc"],
        "at": f"{outcome} {router_id}",
        "from": "journal",
        "may_be": 0,
    }
    try:
        address, bind_type, data_coding, parts, route = json.loads(str(row["submitted"]))
    except (ValueError, TypeError):
        return found  # Of an earlier version.
    return found | {
        "client_address": address,
        "bind_type": bind_type,
        "data_coding": data_coding,
        "parts": parts,
        "route": route,
    }


def _address(octets: object) -> str:
    """Return the address in TON, NPI, address and NUL."""
    return octets[2:-1].decode("latin-1") if isinstance(octets, bytes) else ""
