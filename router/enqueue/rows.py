"""What the journal writes and how it reads it back: tables, statements, rows. Runs nothing.

    message   accepted and not settled: what routing and receipts need, and the PDU as it came
    attempt   an operator took it, under which id, when
    delivery  a receipt or inbound message that its account has not acknowledged
    meta      the next number of an id block

Rule 1: a batch is at most one statement per table and kind (for up to 512 rows): one statement lets
the interpreter go while SQLite works, a loop over rows would take it again and again.

Rule 2: a statement has room for a power of two of rows, and what is not needed stays empty. So
there are few different ones, and SQLite has each of them compiled already.
"""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from functools import cache
from typing import Final

from router.enqueue.journal import Attempt, Changes
from router.terms.message import Delivery, Message
from router.terms.names import (
    AccountName,
    ClientId,
    LaneName,
    OperatorId,
    OperatorName,
    RouterId,
)
from router.terms.plan import Plan

VERSION: Final = 1
"""PRAGMA user_version of the files that this code reads and writes."""
APPLICATION_ID: Final = 0x534D5052
"""PRAGMA application_id: `SMPR`. Another program's database is not written into."""
SCHEMA: Final = """
CREATE TABLE message (
    router_id INTEGER PRIMARY KEY,
    client_id BLOB NOT NULL,
    account TEXT NOT NULL,
    lane TEXT NOT NULL,
    plan TEXT NOT NULL,             -- operators in order, by commas
    command_id INTEGER NOT NULL,
    registered_delivery INTEGER NOT NULL,
    hold_receipt INTEGER NOT NULL,
    accepted_utc REAL NOT NULL,
    expires_utc REAL,
    not_before_utc REAL,            -- when its client has scheduled it
    source BLOB NOT NULL,           -- TON, NPI, address, NUL
    destination BLOB NOT NULL,
    octets BLOB NOT NULL            -- the PDU as it came
);
CREATE TABLE attempt (
    router_id INTEGER NOT NULL,
    operator TEXT NOT NULL,
    operator_id BLOB NOT NULL,
    at_utc REAL NOT NULL,
    failure BLOB,                   -- what the operator said in the end, while others may do better
    PRIMARY KEY (router_id, operator, operator_id)
) WITHOUT ROWID;
CREATE INDEX attempt_by_id ON attempt (operator, operator_id);
CREATE TABLE delivery (
    number INTEGER PRIMARY KEY,
    router_id INTEGER NOT NULL,
    account TEXT NOT NULL,
    made_utc REAL NOT NULL,
    final INTEGER NOT NULL,
    octets BLOB NOT NULL
);
CREATE INDEX delivery_by_account ON delivery (account, number);
CREATE TABLE meta (next_number INTEGER NOT NULL);
"""
_COLUMNS: Final = {"message": 14, "attempt": 5, "delivery": 6}

_WAITS: Final = "NOT EXISTS (SELECT 1 FROM attempt WHERE attempt.router_id = message.router_id)"
BACKLOGS: Final = (
    f"SELECT plan, lane, account, count(*) FROM message WHERE {_WAITS} GROUP BY 1, 2, 3"
)
NEXT_OF_QUEUE: Final = (
    "SELECT * FROM message WHERE router_id > ? AND account = ? AND lane = ? AND plan = ?"
    f" AND {_WAITS} ORDER BY router_id LIMIT ?"
)
SENT_BY_OPERATOR: Final = "SELECT operator, count(*) FROM attempt GROUP BY operator"
HELD_BY_ACCOUNT: Final = (
    "SELECT account, count(*), min(number), max(number) FROM delivery GROUP BY account"
)
_WITH_OTHERS: Final = (
    "SELECT message.*, operator, operator_id, at_utc, failure"
    " FROM message JOIN attempt USING (router_id) WHERE router_id IN ({}) ORDER BY at_utc"
)
SENT: Final = _WITH_OTHERS.format(
    "SELECT router_id FROM attempt WHERE router_id > ? AND router_id <= ?"
    " AND operator = ? AND (at_utc < ? OR failure NOT NULL)"
)
"""The attempts in a piece that are old enough or have failed, and all others of their messages."""
PIECE: Final = (
    "SELECT max(router_id), count(*) FROM"
    " (SELECT router_id FROM attempt WHERE router_id > ? ORDER BY router_id LIMIT ?)"
)
"""Where a piece of so many attempts ends."""
HELD: Final = (
    "SELECT number, router_id, account, made_utc, final, octets FROM delivery"
    " WHERE account = ? AND number > ? ORDER BY number LIMIT ?"
)
PROBE: Final = "UPDATE meta SET next_number = next_number + 1"
"""Fails where nothing can be written, and else costs a number. What changes nothing, SQLite does
not write."""

MOST_ROWS: Final = 512
"""Of a statement: 14 columns of each stay far under SQLite's 32,766 values."""
_NEVER: Final = float("inf")

Value = int | float | str | bytes | None
Row = tuple[Value, ...]
Statement = tuple[str, Sequence[Value]]


# Written.


def statements(changes: Sequence[Changes], lanes: Sequence[LaneName]) -> list[Statement]:
    """All that several batches change, in the order of a message's life."""
    settled = {s.message.router_id for one in changes for s in one.settled}
    acknowledged = {d.kept_as for one in changes for d in one.acknowledged}
    accepted = [_of_message(m, lanes[m.lane]) for one in changes for m in one.accepted]
    # An attempt whose message is settled in the same transaction need never be written.
    attempted: list[Row] = [
        (a.message.router_id, a.operator, a.operator_id, a.at_utc, a.failure)
        for one in changes
        for a in one.attempted
        if a.message.router_id not in settled
    ]
    held: list[Row] = [
        (d.kept_as, d.router_id, d.account, d.made_utc, d.final, d.octets)
        for one in changes
        for d in one.held
    ]
    return [
        *_insert("message", accepted),
        *_insert("attempt", attempted),
        *_insert("delivery", held),
        *delete("message", "router_id", settled),
        *delete("attempt", "router_id", settled),
        *delete("delivery", "number", acknowledged),
    ]


def _of_message(message: Message, lane: LaneName) -> Row:
    return (
        message.router_id,
        message.client_id,
        message.account,
        lane,
        of_plan(message.plan),
        message.command_id,
        message.registered_delivery,
        message.hold_receipt,
        message.accepted_utc,
        None if message.expires_utc == _NEVER else message.expires_utc,
        message.not_before_utc or None,
        message.source_octets,
        message.destination_octets,
        message.octets,
    )


def of_plan(plan: Plan) -> str:
    """A plan as it is written."""
    return ",".join(plan.candidates)


def _insert(table: str, rows: Sequence[Row]) -> Iterator[Statement]:
    """Insert rows."""
    for at in range(0, len(rows), MOST_ROWS):
        part = rows[at : at + MOST_ROWS]
        room = _room_for(len(part))
        values = [value for row in part for value in row]
        values += [None] * (_COLUMNS[table] * (room - len(part)))
        yield _insert_text(table, room), values


def delete(table: str, column: str, keys: AbstractSet[int]) -> Iterator[Statement]:
    """Delete rows by key, whether or not they are there."""
    every = sorted(keys)
    for at in range(0, len(every), MOST_ROWS):
        part = every[at : at + MOST_ROWS]
        room = _room_for(len(part))
        yield _delete_text(table, column, room), part + part[-1:] * (room - len(part))


def _room_for(count: int) -> int:
    """The smallest power of two that is enough."""
    return 1 << (count - 1).bit_length()


@cache
def _insert_text(table: str, room: int) -> str:
    # An attempt may be told again, after a failure that was none. Never a message or a delivery:
    # one with a number that is taken must fail, not take the place of what was promised.
    verb = "INSERT OR REPLACE" if table == "attempt" else "INSERT"
    row = f"({','.join('?' * _COLUMNS[table])})"
    rows = ",".join([row] * room)
    return f"{verb} INTO {table} SELECT * FROM (VALUES {rows}) WHERE column1 NOT NULL"


@cache
def _delete_text(table: str, column: str, room: int) -> str:
    return f"DELETE FROM {table} WHERE {column} IN ({','.join('?' * room)})"


# Read.


def recall(operator: OperatorName, operator_ids: Sequence[OperatorId]) -> Iterator[Statement]:
    """What the operator took under these ids, and all attempts of those messages."""
    for at in range(0, len(operator_ids), MOST_ROWS):
        part = list(operator_ids[at : at + MOST_ROWS])
        room = _room_for(len(part))
        yield _recall_text(room), [operator, *part, *part[-1:] * (room - len(part))]


@cache
def _recall_text(room: int) -> str:
    return _WITH_OTHERS.format(
        "SELECT router_id FROM attempt WHERE operator = ?"
        f" AND operator_id IN ({','.join('?' * room)})"
    )


def to_message(row: Row, plan: Plan, lane: int, now: float, now_utc: float) -> Message:
    """A row of `message`. Raises ValueError for one that nobody here has written."""
    (router_id, client_id, account, _, _, command_id, registered, hold) = row[:8]
    (accepted_utc, expires_utc, not_before_utc, source, destination, octets) = row[8:]
    if not (
        isinstance(router_id, int)
        and isinstance(client_id, bytes)
        and isinstance(account, str)
        and isinstance(command_id, int)
        and isinstance(registered, int)
        and isinstance(accepted_utc, float)
        and isinstance(source, bytes)
        and isinstance(destination, bytes)
        and isinstance(octets, bytes)
    ):
        raise ValueError(f"message {router_id!r} is no message")
    return Message(
        router_id=RouterId(router_id),
        client_id=ClientId(client_id),
        account=AccountName(account),
        lane=lane,
        plan=plan,
        command_id=command_id,
        octets=octets,
        source_octets=source,
        destination_octets=destination,
        registered_delivery=registered,
        accepted_at=now - max(0.0, now_utc - accepted_utc),
        accepted_utc=accepted_utc,
        expires_utc=expires_utc if isinstance(expires_utc, float) else _NEVER,
        not_before_utc=not_before_utc if isinstance(not_before_utc, float) else 0.0,
        hold_receipt=bool(hold),
    )


def to_attempt(message: Message, row: Row) -> Attempt:
    """What `attempt` says of a message. Raises ValueError for one that nobody here has written."""
    operator, operator_id, at_utc, failure = row
    if not (
        isinstance(operator, str)
        and isinstance(operator_id, bytes)
        and isinstance(at_utc, float)
        and isinstance(failure, bytes | None)
    ):
        raise ValueError(f"message {message.router_id} has an attempt that is none")
    return Attempt(message, OperatorName(operator), OperatorId(operator_id), at_utc, failure)


def to_delivery(row: Row) -> Delivery:
    """A row of `HELD`. Raises ValueError for one that nobody here has written."""
    number, router_id, account, made_utc, final, octets = row
    if not (
        isinstance(number, int)
        and isinstance(router_id, int)
        and isinstance(account, str)
        and isinstance(made_utc, float)
        and isinstance(octets, bytes)
    ):
        raise ValueError(f"delivery {number!r} is no delivery")
    delivery = Delivery(
        router_id=RouterId(router_id),
        account=AccountName(account),
        octets=octets,
        made_utc=made_utc,
        final=bool(final),
    )
    delivery.kept_as = number
    return delivery
