"""How the journal's rows are written: batches of changes as a few statements. Runs none of them.

The tables are in `schema.py`; how rows are read back, in `row_reader.py`.

Rule 1: a batch is at most one statement per table and kind (for up to 512 rows): one statement
releases the interpreter's lock while SQLite works, a loop over rows would take it again and again.

Rule 2: a statement has room for a power of two of rows, and rows that are not needed are zeros. So
there are few different statements, and SQLite has each of them compiled already.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Final

from router.enqueue import checksums, record_row
from router.enqueue.journal import (
    Changes,
    Damaged,
    PendingReceipt,
    Replaced,
    Settlement,
    is_with_operator,
)
from router.enqueue.names import Names, Renamed
from router.enqueue.schema import Row, Value
from router.terms.group import Started
from router.terms.message import Delivery, Message
from router.terms.names import AccountName, LaneName
from router.terms.orphan import Orphan
from router.terms.outcome import Outcome
from router.terms.plan import Plan
from router.terms.queue_key import QueueKey
from router.terms.states import Mark

UNMARKED: Final = Mark.UNMARKED
PROBE: Final = "UPDATE meta SET next_number = next_number + 1"
"""Fails if nothing can be written, and costs a number. It has to change something: SQLite does not
write what stays the same."""
GO_ON: Final = (
    "UPDATE meta SET next_number = max(next_number + 1, ?), commits = max(commits, ?) + 1"
)
"""A probe for the start, which also lets no id be given before this one, and no commit have the
number of an earlier one."""
COUNT_COMMIT: Final = "UPDATE meta SET commits = ?"
_KNOWN_UTC: Final = "UPDATE meta SET known_utc = ?"

_FAILED: Final = (
    "UPDATE sent SET failure = ? WHERE operator = ? AND operator_id = ? AND router_id = ?"
)
"""A statement for each: few messages are sent twice, and of those few attempts fail."""
_REPLACED: Final = (
    "UPDATE message SET octets = ?, registered_delivery = ?, expires_utc = ?, not_before_utc = ?,"
    " checksum = ? WHERE router_id = ?"
)
"""A statement for each, too: few messages are replaced."""
STARTED_FOR_S: Final = 3600.0
"""How long a long message is kept of which parts do not come: further ones come within a minute,
and those that wait follow the route of all in any case."""
_OLD_STARTED: Final = (
    "DELETE FROM started WHERE number IN (SELECT number FROM started ORDER BY number LIMIT ?)"
    " AND latest_utc < ?"
)
MOST_ROWS: Final = 512
"""Rows of one statement: with 21 columns that is far below SQLite's 32,766 values."""
_NEVER: Final = float("inf")
_BY_NUMBER: Final = sorted(Outcome)
_OUTCOMES: Final = [outcome.name.lower() for outcome in _BY_NUMBER]

_COLUMNS: Final = {
    "queue": 4,
    "written": 3,
    "message": 11,
    "mark": 2,
    "sent": 18,
    "delivery": 8,
    "orphan": 7,
    "started": 13,
    "unseen_answer": 6,
    "record": record_row.COLUMNS,
    "acknowledged": 3,
    "account": 7,
    "renamed": 5,
}
TABLES: Final = {
    "message": (
        *("router_id", "queue", "client_id", "registered_delivery", "hold_receipt"),
        *("accepted_utc", "expires_utc", "not_before_utc", "octets", "checksum"),
        "submitted",
    ),
    "sent": (
        *("number", "operator", "operator_id", "at_utc", "failure", "router_id", "queue"),
        *("client_id", "registered_delivery", "hold_receipt", "sends", "accepted_utc", "source"),
        *("destination", "part_of", "checksum", "submitted", "tries"),
    ),
    "delivery": (
        *("number", "account", "router_id", "made_utc", "final", "octets", "checksum"),
        "bind",
    ),
    "orphan": ("number", "operator", "operator_id", "at_utc", "source", "octets", "checksum"),
    "started": (
        *("number", "queue", "operator", "source", "destination", "reference", "total", "taken"),
        *("came", "part_of", "first_utc", "latest_utc", "checksum"),
    ),
    "unseen_answer": (
        *("router_id", "queue", "client_id", "accepted_utc", "fingerprint", "checksum"),
    ),
}
"""The columns of the tables whose rows are checked; the key is the first."""
_AGAIN: Final = {
    # After a failure that was none, rows are written again and replace those that are there. Never
    # a message or a delivery: one whose number is taken must fail, not replace what was promised.
    "sent": "OR REPLACE ",
    "record": "OR REPLACE ",
    "acknowledged": "OR REPLACE ",
    "started": "OR REPLACE ",
    "queue": "OR IGNORE ",
    "mark": "OR REPLACE ",
}
_ON_CONFLICT: Final = {
    "written": " ON CONFLICT (queue) DO UPDATE SET router_id = excluded.router_id,"
    " operator = excluded.operator WHERE excluded.router_id > router_id",
    "account": " ON CONFLICT (name) DO UPDATE SET "
    + ", ".join(f"{name} = {name} + excluded.{name}" for name in _OUTCOMES),
}

_ACCEPT: Final = (
    "INSERT INTO message ",
    "INSERT OR IGNORE INTO queue ",
    "INSERT INTO unseen_answer ",
)

_NO_LOCK: Final = nullcontext()

Statement = tuple[str, Sequence[Value]]


class Queues:
    """The numbers of the queues, by plan, lane and account.

    A lane that the configuration has no more is read as the least urgent lane, and an account by
    its name of today; so one queue of the router may be several in the file. New messages go to the
    first of them.
    """

    def __init__(
        self,
        lanes: Sequence[LaneName],
        names: Names,
        lock: AbstractContextManager[object] = _NO_LOCK,
    ) -> None:
        """With a `lock`, one thread may number queues while another renames them, and asks."""
        self._names: Final = names
        self._lock: Final = lock
        self._lanes: Final = {name: name for name in lanes}
        self._least_urgent: Final = lanes[-1]
        self.last = 0
        self._by_value: dict[tuple[AccountName, LaneName, str], list[int]] = {}
        self._numbers: dict[tuple[Plan, LaneName, AccountName], int] = {}
        """Numbers of queues that messages were written to: found without a text of the plan."""
        self._unsafe: dict[int, Row] = {}
        """New queues whose transaction has not succeeded yet."""

    def found(self, number: int, account: AccountName, lane: LaneName, plan: str) -> None:
        """Note a queue that is in the file."""
        account = self.account_of(account, number)
        numbers = self._by_value.setdefault((account, self.lane_of(lane), plan), [])
        numbers.insert(0 if lane in self._lanes else len(numbers), number)
        self.last = max(self.last, number)

    def account_of(self, written: str, number: int) -> AccountName:
        """Return the account that a queue of this number has today."""
        return AccountName(self._names.now("queue", written, number))

    def lane_of(self, written: LaneName) -> LaneName:
        """Return the lane that a name in the file stands for."""
        return self._lanes.get(written, self._least_urgent)

    def numbers_of(self, queue: QueueKey) -> tuple[int, ...]:
        """Return the numbers under which the file has messages of this queue."""
        with self._lock:
            found = self._by_value.get((queue.account, queue.lane, of_plan(queue.plan)), ())
            return tuple(found)

    def of_account(self, account: AccountName) -> frozenset[int]:
        """Return the numbers under which the file has messages of this account."""
        with self._lock:
            found = (n for (name, _, _), n in self._by_value.items() if name == account)
            return frozenset(number for numbers in found for number in numbers)

    def number_of(self, message: Message) -> int:
        """Return the number of the queue that this message is written to, perhaps a new one."""
        number = self._numbers.get((message.plan, message.lane, message.account))
        if number is not None:
            return number
        with self._lock:  # Else its account may be renamed meanwhile.
            key = message.plan, message.lane, message.account
            number = self._numbers[key] = self._number_of_new(*key)
        return number

    def rename(self, accounts: Mapping[AccountName, AccountName]) -> None:
        """Let the queues of these accounts be those of the accounts that they are called now."""
        with self._lock:
            for was, now in accounts.items():
                self._names.rename("queue", was, now, self.last)
            before, self._by_value, self._numbers = self._by_value, {}, {}
            for (account, lane, plan), numbers in before.items():
                value = accounts.get(account, account), lane, plan
                self._by_value.setdefault(value, []).extend(numbers)

    def _number_of_new(self, plan: Plan, lane: LaneName, account: AccountName) -> int:
        value = account, lane, of_plan(plan)
        numbers = self._by_value.get(value)
        if numbers is None:
            self.last += 1
            numbers = self._by_value[value] = [self.last]
            self._unsafe[self.last] = (self.last, *value)
        return numbers[0]

    def unsafe(self) -> list[Row]:
        """Return the rows of queues that the file may not have."""
        return list(self._unsafe.values())

    def are_safe(self) -> None:
        """Note that the file has all queues."""
        self._unsafe.clear()


def statements(
    changes: Sequence[Changes],
    queues: Queues,
    *,
    keeps_records: bool = True,
    acknowledged: Row | None = None,
) -> list[Statement]:
    """Return the statements for several batches, in the order of a message's life.

    `acknowledged` is the row that says which final receipts clients have.
    """
    accepted = [_of_message(m, queues.number_of(m)) for one in changes for m in one.accepted]
    unseen = [_of_unseen(*pair) for one in changes for pair in one.unseen_answers]
    settlements = [s for one in changes for s in one.settled]
    over = {s.message.router_id for s in settlements}
    attempted = [a for one in changes for a in one.taken if a.failure is None]
    failed = [a for one in changes for a in one.taken if a.failure is not None]
    waits_no_more = {a.message.router_id for a in attempted}
    ended: list[int] = []
    for settlement in settlements:
        if settlement.message.row.attempts:
            ended += settlement.message.row.attempts
        else:
            waits_no_more.add(settlement.message.router_id)
    marks = {
        m.router_id: is_with_operator(m.mark)
        for one in changes
        for m in (*one.marked, *one.unmarked)
    }
    unmarked = {a.message.router_id for a in attempted if a.message.mark is not UNMARKED}
    unmarked |= {s.message.router_id for s in settlements if s.message.mark is not UNMARKED}
    # An attempt whose message is settled in the same transaction need never be written.
    elided = {a.kept_as for a in attempted if a.message.router_id in over}
    if elided:
        ended = [number for number in ended if number not in elided]
    claimed = {orphan.kept_as for one in changes for orphan in one.claimed}
    orphans = [o for one in changes for o in one.orphaned if o.kept_as not in claimed]
    claimed -= {orphan.kept_as for one in changes for orphan in one.orphaned}
    known_utc = max((one.at_utc for one in changes), default=0.0)
    return [
        *(((_KNOWN_UTC, (known_utc,)),) if known_utc else ()),
        *(statement for one in changes for row in one.set_aside for statement in _set_aside(row)),
        *_insert("queue", queues.unsafe()),
        *_insert("message", accepted),
        *((_REPLACED, _of_replaced(one)) for batch in changes for one in batch.replaced),
        *_insert("unseen_answer", unseen),
        *_insert("mark", list(marks.items())),
        *_insert("sent", [_of_attempt(a) for a in attempted if a.kept_as not in elided]),
        *((_FAILED, _of_failure(a)) for a in failed if a.message.router_id not in over),
        *_insert("delivery", [_of_delivery(d) for one in changes for d in one.held]),
        *_insert("orphan", [_of_orphan(orphan) for orphan in orphans]),
        *_started([one for batch in changes for one in batch.started]),
        *(_records(changes, settlements) if keeps_records else ()),
        *_insert("acknowledged", [] if acknowledged is None else [acknowledged]),
        *_insert("written", _written(changes)),
        *_insert("account", _counted(settlements)),
        *delete("message", "router_id", waits_no_more),
        *delete("mark", "router_id", unmarked),
        *delete("sent", "number", ended),
        *delete("orphan", "number", claimed),
        *delete("delivery", "number", [d.kept_as for one in changes for d in one.acknowledged]),
        *delete("unseen_answer", "router_id", [n for one in changes for n in one.seen_answers]),
    ]


def of_renamed(renamed: Sequence[Renamed]) -> list[Statement]:
    """Return the statements after which the file has these, and no others."""
    rows: list[Row] = [(one.what, *one.span, one.now) for one in renamed]
    return [
        ("DELETE FROM renamed", ()),
        *_insert("renamed", rows),
    ]


def only_accept(statements: Sequence[Statement]) -> bool:
    """Return whether these do nothing but accept messages."""
    return all(text.startswith(_ACCEPT) for text, _ in statements)


def of_plan(plan: Plan) -> str:
    """Return a plan as it is written."""
    return ",".join(plan.candidates)


def _of_client_id(message: Message) -> bytes | None:
    return None if message.client_id == b"%d" % message.router_id else message.client_id


def _of_message(message: Message, queue: int) -> Row:
    message.row.queue = queue
    row = (
        message.router_id,
        queue,
        _of_client_id(message),
        message.registered_delivery,
        message.hold_receipt,
        message.accepted_utc,
        None if message.expires_utc == _NEVER else message.expires_utc,
        message.not_before_utc,
        message.octets,
    )
    return *row, checksums.of_message(*row), message.submitted or None


def _of_replaced(replaced: Replaced) -> Row:
    message = replaced.message
    expires_utc = None if replaced.expires_utc == _NEVER else replaced.expires_utc
    checksum = checksums.of_message(
        message.router_id,
        message.row.queue,
        _of_client_id(message),
        replaced.registered_delivery,
        message.hold_receipt,
        message.accepted_utc,
        expires_utc,
        replaced.not_before_utc,
        replaced.octets,
    )
    return (
        replaced.octets,
        replaced.registered_delivery,
        expires_utc,
        replaced.not_before_utc,
        checksum,
        message.router_id,
    )


def _of_unseen(message: Message, fingerprint: bytes) -> Row:
    row = (
        message.router_id,
        message.row.queue,
        _of_client_id(message),
        message.accepted_utc,
        fingerprint,
    )
    return *row, checksums.of_unseen_answer(*row)


def _of_attempt(pending: PendingReceipt) -> Row:
    message = pending.message
    group = message.group
    row = (
        pending.kept_as,
        pending.operator,
        pending.operator_id,
        pending.at_utc,
        message.router_id,
        message.row.queue,
        _of_client_id(message),
        message.registered_delivery,
        message.hold_receipt,
        message.writes,
        message.accepted_utc,
        message.source_octets,
        message.destination_octets,
        group.number or None if group is not None else None,
    )
    about = message.submitted or None, record_row.tries_of(message)
    return *row[:4], None, *row[4:], checksums.of_attempt(*row), *about


def _of_failure(pending: PendingReceipt) -> Row:
    return pending.failure, pending.operator, pending.operator_id, pending.message.router_id


def _of_delivery(delivery: Delivery) -> Row:
    row = (
        delivery.kept_as,
        delivery.account,
        delivery.router_id,
        delivery.made_utc,
        delivery.final,
        delivery.octets,
    )
    return *row, checksums.of_delivery(*row), delivery.bind or None


def _of_orphan(orphan: Orphan) -> Row:
    row = (
        orphan.kept_as,
        orphan.operator,
        orphan.operator_id,
        orphan.at_utc,
        orphan.source_octets,
        orphan.octets,
    )
    return *row, checksums.of_orphan(*row)


def _started(every: Sequence[Started]) -> Iterator[Statement]:
    """Yield statements that keep the last state of each long message, until all has been taken."""
    if not every:
        return
    last = {one.number: one for one in every}
    new = {one.number for one in every if one.is_new}
    unfinished = [one for one in last.values() if not one.is_over]
    if unfinished:
        yield from _insert("started", [_of_started(one) for one in unfinished])
        before_utc = max(one.latest_utc for one in unfinished) - STARTED_FOR_S
        yield _OLD_STARTED, (min(2 * len(unfinished), MOST_ROWS), before_utc)
    yield from delete("started", "number", [n for n in last if last[n].is_over and n not in new])


def _of_started(one: Started) -> Row:
    came = b"".join(
        number.to_bytes(1, "big") + text.to_bytes(4, "big") for number, text in one.came.items()
    )
    row = (
        one.number,
        one.queue,
        one.operator,
        one.source_octets,
        one.destination_octets,
        one.reference,
        one.total,
        one.taken,
        came,
        one.part_of,
        one.first_utc,
        one.latest_utc,
    )
    return *row, checksums.of_started(*row)


def _set_aside(row: Damaged) -> Iterator[Statement]:
    """Yield statements that move a row out of the way; none for one that is gone already."""
    columns = TABLES[row.table]
    key, *_ = columns
    values = " || ',' || ".join(f"quote({name})" for name in columns)
    yield (
        f"INSERT INTO set_aside SELECT NULL, ?, '{row.table}', {key}, ?, {values}"
        f" FROM {row.table} WHERE {key} = ?",
        (row.at_utc, row.why, row.number),
    )
    yield f"DELETE FROM {row.table} WHERE {key} = ?", (row.number,)
    if row.table == "message":
        yield "DELETE FROM mark WHERE router_id = ?", (row.number,)


def _records(changes: Sequence[Changes], settlements: Sequence[Settlement]) -> Iterator[Statement]:
    rows = [record_row.of_settlement(s, _of_client_id(s.message)) for s in settlements]
    rows += [record_row.of_refused(one) for batch in changes for one in batch.refused]
    return _insert("record", rows)


def _written(changes: Sequence[Changes]) -> list[Row]:
    """Return how far each queue was written: its newest message."""
    newest: dict[int, Message] = {}
    for one in changes:
        newest |= one.written
    return [(queue, m.router_id, m.operator or "") for queue, m in newest.items()]


def _counted(settlements: Sequence[Settlement]) -> list[Row]:
    """Return what is to be added to the counts of each account."""
    settled = Counter((s.message.account, s.outcome) for s in settlements)
    return [
        (account, *(settled[account, outcome] for outcome in _BY_NUMBER))
        for account in {account for account, _ in settled}
    ]


def _insert(table: str, rows: Sequence[Row]) -> Iterator[Statement]:
    """Yield statements that insert rows."""
    for at in range(0, len(rows), MOST_ROWS):
        part = rows[at : at + MOST_ROWS]
        room = room_for(len(part))
        values = [value for row in part for value in row]
        values += [0] * (_COLUMNS[table] * (room - len(part)))
        yield _insert_text(table, room), values


def delete(table: str, column: str, keys: Collection[int]) -> Iterator[Statement]:
    """Yield statements that delete rows by key, whether or not the rows exist."""
    every = sorted(set(keys))
    if len(every) > 1 and every[-1] - every[0] == len(every) - 1:  # None between is another's.
        yield f"DELETE FROM {table} WHERE {column} BETWEEN ? AND ?", (every[0], every[-1])
        return
    for at in range(0, len(every), MOST_ROWS):
        part = every[at : at + MOST_ROWS]
        room = room_for(len(part))
        yield _delete_text(table, column, room), part + part[-1:] * (room - len(part))


def room_for(count: int) -> int:
    """Return the smallest power of two that is not less."""
    return 1 << (count - 1).bit_length()


@cache
def _insert_text(table: str, room: int) -> str:
    row = f"({','.join('?' * _COLUMNS[table])})"
    return (
        f"INSERT {_AGAIN.get(table, '')}INTO {table}"
        f" SELECT * FROM (VALUES {','.join([row] * room)}) WHERE column1 <> 0"
        f"{_ON_CONFLICT.get(table, '')}"
    )


@cache
def _delete_text(table: str, column: str, room: int) -> str:
    return f"DELETE FROM {table} WHERE {column} IN ({','.join('?' * room)})"
