"""The journal on SQLite: what a commit has confirmed survives `kill -9` and power loss.

One file in WAL mode with synchronous=FULL, one writer thread. The loop never waits for the disk:
batches go to the thread through a queue, and their `done` comes back with the loop's next turn
after the commit. Urgent batches (clients wait) are committed as soon as the thread is free, all
that are there in one transaction: under load the batches grow by themselves. The others wait for
company for `settle_every` at most.

Rows are written by statements of many rows each: one statement lets the interpreter go while
SQLite works, a loop over rows would hold it.

On disk:

    message   accepted and not settled: what routing and receipts need, and the PDU as it came
    attempt   an operator took it, under which id, when
    delivery  a receipt or inbound message that its account has not acknowledged
    meta      the next number of an id block

Fails: any error of SQLite's fails all batches of its transaction, and those that were asked for
before the loop heard of it, because they may follow from them; then the journal goes on. Diagnoses:
another process has the file (`<file>.lock` is locked), a newer version wrote it, it is no database.
"""

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

from router.enqueue.journal import (
    Attempt,
    Backlog,
    Changes,
    Done,
    Fetched,
    JournalError,
    Recovered,
    Wanted,
)
from router.terms.message import Delivery, Message
from router.terms.names import AccountName, ClientId, LaneName, OperatorId, OperatorName, RouterId
from router.terms.plan import Plan

VERSION: Final = 1
"""PRAGMA user_version of the files that this code reads and writes."""
_SCHEMA: Final = """
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
    source BLOB NOT NULL,           -- TON, NPI, address, NUL
    destination BLOB NOT NULL,
    octets BLOB NOT NULL            -- the PDU as it came
);
CREATE TABLE attempt (
    router_id INTEGER NOT NULL,
    operator TEXT NOT NULL,
    operator_id BLOB NOT NULL,
    at_utc REAL NOT NULL,
    PRIMARY KEY (router_id, operator, operator_id)
) WITHOUT ROWID;
CREATE TABLE delivery (
    number INTEGER PRIMARY KEY,
    router_id INTEGER NOT NULL,
    account TEXT NOT NULL,
    made_utc REAL NOT NULL,
    final INTEGER NOT NULL,
    octets BLOB NOT NULL
);
CREATE TABLE meta (next_number INTEGER NOT NULL);
"""
_WAITS: Final = "NOT EXISTS (SELECT 1 FROM attempt WHERE attempt.router_id = message.router_id)"
_BACKLOGS: Final = (
    f"SELECT plan, lane, account, count(*) FROM message WHERE {_WAITS} GROUP BY 1, 2, 3"
)
_NEXT_OF_QUEUE: Final = (
    "SELECT * FROM message WHERE router_id > ? AND account = ? AND lane = ? AND plan = ?"
    f" AND {_WAITS} ORDER BY router_id LIMIT ?"
)
_SENT: Final = (
    "SELECT message.*, operator, operator_id, at_utc FROM message JOIN attempt USING (router_id)"
    " ORDER BY at_utc"
)
_ROWS_PER_STATEMENT: Final = 256
"""Beyond this a longer statement gains nothing; 13 columns stay far under SQLite's 32,766."""
_CHECKPOINT_PAGES: Final = 4000
_NEVER: Final = float("inf")


@dataclass(slots=True)
class _Work:
    """One thing the thread is asked to do."""

    changes: Changes | None
    done: Done | None
    urgent: bool
    asked_at: float
    call: Callable[[sqlite3.Connection], Callable[[], None]] | None = None
    """Instead of changes: run this, then what it returns in the loop."""
    failed: Callable[[JournalError], None] | None = None
    failures: int = 0
    """How many the loop knew of when it asked."""


class SqliteJournal:
    """See `Journal`. `soon` runs a call in the loop's thread, from any thread."""

    def __init__(
        self,
        path: Path,
        *,
        soon: Callable[[Callable[[], None]], object],
        plan_of: Callable[[tuple[OperatorName, ...]], Plan],
        lanes: Sequence[LaneName],
        settle_every_s: float,
        first_number: int,
        committed: Callable[[float, int], None],
    ) -> None:
        """Open or make the file; raises JournalError with what to do about it.

        `first_number` starts the ids of a new file. `committed` is told, in the loop's thread, how
        long each commit took and how many messages it accepted.
        """
        self._path = path
        self._soon = soon
        self._plan_of = plan_of
        self._lanes = {name: place for place, name in enumerate(lanes)}
        self._lane_names = list(lanes)
        self._settle_every_s = settle_every_s
        self._committed = committed
        self._work: SimpleQueue[_Work | None] = SimpleQueue()
        self.pending = 0
        """Operations that are not done yet."""
        self._lock = _lock(path)
        self._database = _open(path, first_number)
        self._next_delivery: int = self._database.execute(
            "SELECT coalesce(max(number), 0) + 1 FROM delivery"
        ).fetchone()[0]
        self._reads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal-reads")
        self._failures_told = 0
        self._failure: tuple[int, JournalError] | None = None
        """How many the loop knew of before the last one, and that one."""
        self._closed: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    # The interface; called in the loop's thread.

    def commit(self, changes: Changes, done: Done, *, urgent: bool) -> None:
        """See `Journal`."""
        for delivery in changes.held:
            delivery.kept_as = self._next_delivery
            self._next_delivery += 1
        self._ask(_Work(changes, done, urgent, time.monotonic()))

    def reserve_ids(self, count: int, done: Callable[[int, JournalError | None], None]) -> None:
        """See `Journal`. The end of the block is on disk before any of it is used."""

        def reserve(database: sqlite3.Connection) -> Callable[[], None]:
            (first,) = database.execute("SELECT next_number FROM meta").fetchone()
            database.execute("UPDATE meta SET next_number = ?", (first + count,))
            return lambda: done(first, None)

        self._call(reserve, lambda error: done(0, error))

    def fetch(self, wanted: Wanted, done: Fetched) -> None:
        """See `Journal`. Read over a connection of its own: a commit never waits for it."""
        self.pending += 1
        self._reads.submit(self._fetch, wanted, done)

    def _fetch(self, wanted: Wanted, done: Fetched) -> None:
        messages: list[Message] = []
        error: JournalError | None = None
        key = (wanted.after, wanted.account, self._lane_names[wanted.lane], _written(wanted.plan))
        try:
            with closing(sqlite3.connect(self._path)) as database:
                rows = database.execute(_NEXT_OF_QUEUE, (*key, wanted.count))
                messages = [self._message(row) for row in rows]
        except sqlite3.Error as cause:
            error = JournalError(f"{self._path}: {cause}")

        def tell() -> None:
            self.pending -= 1
            done(messages, error)

        self._soon(tell)

    def recover(self, done: Callable[[Recovered, JournalError | None], None]) -> None:
        """See `Journal`."""

        def read(database: sqlite3.Connection) -> Callable[[], None]:
            found = self._read(database)
            return lambda: done(found, None)

        self._call(read, lambda error: done(Recovered(), error))

    def close(self, done: Callable[[], None]) -> None:
        """See `Journal`."""

        def finished() -> None:
            self._thread.join()
            self._reads.shutdown()
            self._database.close()
            os.close(self._lock)
            done()

        self._closed = finished
        self._work.put(None)

    def _call(
        self,
        call: Callable[[sqlite3.Connection], Callable[[], None]],
        failed: Callable[[JournalError], None],
    ) -> None:
        self._ask(_Work(None, None, True, time.monotonic(), call, failed))

    def _ask(self, work: _Work) -> None:
        self.pending += 1
        work.failures = self._failures_told
        self._work.put(work)

    # The thread.

    def _run(self) -> None:
        """Gather, commit, tell the loop; until `None` comes."""
        waiting: list[_Work] = []
        while True:
            batch, stop = self._gather(waiting)
            batch = self._without_followers(batch)
            if batch:
                self._transact(batch)
            if stop:
                self._soon(self._closed)
                return

    def _gather(self, waiting: list[_Work]) -> tuple[list[_Work], bool]:
        """What goes into the next transaction; the rest stays in `waiting`."""
        while True:
            due_at = waiting[0].asked_at + self._settle_every_s if waiting else _NEVER
            timeout_s = None if due_at == _NEVER else max(0.0, due_at - time.monotonic())
            urgent: list[_Work] = []
            try:
                work = self._work.get(timeout=timeout_s)
                while True:
                    if work is None:
                        return urgent + waiting, True
                    (urgent if work.urgent else waiting).append(work)
                    work = self._work.get_nowait()
            except Empty:
                pass
            if waiting and waiting[0].asked_at + self._settle_every_s <= time.monotonic():
                batch = urgent + waiting
                waiting.clear()
                return batch, False
            if urgent:
                return urgent, False

    def _without_followers(self, batch: list[_Work]) -> list[_Work]:
        """Fail what was asked for before the loop heard of the last failure; return the others."""
        if self._failure is None:
            return batch
        known_before, error = self._failure
        followers = [work for work in batch if work.failures <= known_before]
        if followers:
            self._soon(lambda: self._tell(followers, [], error, 0.0))
        return [work for work in batch if work.failures > known_before]

    def _transact(self, batch: list[_Work]) -> None:
        """One transaction; then the loop hears how it ended, once for the whole batch."""
        started_at = time.monotonic()
        replies: list[Callable[[], None]] = []
        error: JournalError | None = None
        database = self._database
        try:
            database.execute("BEGIN IMMEDIATE")
            changes = [work.changes for work in batch if work.changes is not None]
            _write(database, changes, self._lane_names)
            replies += [work.call(database) for work in batch if work.call is not None]
            database.execute("COMMIT")
        except (sqlite3.Error, OSError) as cause:
            error = JournalError(f"{self._path}: {cause}")
            if database.in_transaction:
                try:
                    database.execute("ROLLBACK")
                except sqlite3.Error as worse:
                    error = JournalError(f"{self._path}: {cause}; then {worse}")
            self._failure = max(work.failures for work in batch), error
        took_s = time.monotonic() - started_at
        self._soon(lambda: self._tell(batch, replies, error, took_s))

    def _tell(
        self,
        batch: list[_Work],
        replies: list[Callable[[], None]],
        error: JournalError | None,
        took_s: float,
    ) -> None:
        """In the loop's thread: the batch is safe, or none of it is."""
        self.pending -= len(batch)
        accepted = sum(len(work.changes.accepted) for work in batch if work.changes is not None)
        if error is None:
            self._committed(took_s, accepted)
        else:
            self._failures_told += 1
        for work in batch:
            if work.done is not None and work.changes is not None:
                work.done(work.changes, error)
            elif error is not None and work.failed is not None:
                work.failed(error)
        for reply in replies:
            if error is None:
                reply()

    # Reading.

    def _read(self, database: sqlite3.Connection) -> Recovered:
        found = Recovered()
        # What waits in a lane that is no more goes on in the least urgent one.
        names = ",".join("?" * len(self._lane_names))
        least_urgent = self._lane_names[-1]
        database.execute(
            f"UPDATE message SET lane = ? WHERE lane NOT IN ({names})",
            (least_urgent, *self._lane_names),
        )
        for plan, lane, account, count in database.execute(_BACKLOGS):
            queue = self._plan(plan), self._lane(lane), AccountName(account)
            found.waiting.append(Backlog(*queue, count))
        messages: dict[int, Message] = {}
        for *row, operator, operator_id, at_utc in database.execute(_SENT):
            message = self._message(tuple(row))
            message = messages.setdefault(message.router_id, message)
            attempt = Attempt(message, OperatorName(operator), OperatorId(operator_id), at_utc)
            found.sent.append(attempt)
        for number, router_id, account, made_utc, final, octets in database.execute(
            "SELECT number, router_id, account, made_utc, final, octets FROM delivery ORDER BY 1"
        ):
            delivery = Delivery(
                router_id=RouterId(router_id),
                account=AccountName(account),
                octets=octets,
                made_utc=made_utc,
                final=bool(final),
            )
            delivery.kept_as = number
            found.held.append(delivery)
        return found

    def _message(self, row: tuple[object, ...]) -> Message:
        (router_id, client_id, account, lane, plan, command_id, registered, hold) = row[:8]
        (accepted_utc, expires_utc, source, destination, octets) = row[8:]
        assert isinstance(router_id, int)
        assert isinstance(command_id, int)
        assert isinstance(registered, int)
        assert isinstance(accepted_utc, float)
        assert isinstance(client_id, bytes)
        assert isinstance(source, bytes)
        assert isinstance(destination, bytes)
        assert isinstance(octets, bytes)
        return Message(
            router_id=RouterId(router_id),
            client_id=ClientId(client_id),
            account=AccountName(str(account)),
            lane=self._lane(str(lane)),
            plan=self._plan(str(plan)),
            command_id=command_id,
            octets=octets,
            source_octets=source,
            destination_octets=destination,
            registered_delivery=registered,
            accepted_at=time.monotonic() - max(0.0, time.time() - accepted_utc),
            accepted_utc=accepted_utc,
            expires_utc=expires_utc if isinstance(expires_utc, float) else _NEVER,
            hold_receipt=bool(hold),
        )

    def _plan(self, written: str) -> Plan:
        return self._plan_of(tuple(OperatorName(name) for name in written.split(",")))

    def _lane(self, name: str) -> int:
        return self._lanes[LaneName(name)]


def _written(plan: Plan) -> str:
    return ",".join(plan.candidates)


def _write(
    database: sqlite3.Connection, changes: Sequence[Changes], lanes: Sequence[LaneName]
) -> None:
    """All rows of several batches, in the order of a message's life."""
    settled = {s.message.router_id for one in changes for s in one.settled}
    _insert(
        database,
        "message",
        13,
        (
            (
                m.router_id,
                m.client_id,
                m.account,
                lanes[m.lane],
                _written(m.plan),
                m.command_id,
                m.registered_delivery,
                m.hold_receipt,
                m.accepted_utc,
                None if m.expires_utc == _NEVER else m.expires_utc,
                m.source_octets,
                m.destination_octets,
                m.octets,
            )
            for one in changes
            for m in one.accepted
        ),
    )
    # An attempt whose message is settled in the same transaction need never be written.
    _insert(
        database,
        "attempt",
        4,
        (
            (a.message.router_id, a.operator, a.operator_id, a.at_utc)
            for one in changes
            for a in one.attempted
            if a.message.router_id not in settled
        ),
    )
    _insert(
        database,
        "delivery",
        6,
        (
            (d.kept_as, d.router_id, d.account, d.made_utc, d.final, d.octets)
            for one in changes
            for d in one.held
        ),
    )
    _delete(database, "message", "router_id", settled)
    _delete(database, "attempt", "router_id", settled)
    _delete(
        database, "delivery", "number", {d.kept_as for one in changes for d in one.acknowledged}
    )


def _insert(
    database: sqlite3.Connection, table: str, columns: int, rows: Iterable[tuple[object, ...]]
) -> None:
    """Insert rows, many per statement. `table` is one of ours."""
    every = list(rows)
    one = "(" + ",".join("?" * columns) + ")"
    for at in range(0, len(every), _ROWS_PER_STATEMENT):
        part = every[at : at + _ROWS_PER_STATEMENT]
        values = [value for row in part for value in row]
        places = ",".join([one] * len(part))
        database.execute(f"INSERT OR REPLACE INTO {table} VALUES {places}", values)


def _delete(database: sqlite3.Connection, table: str, column: str, keys: AbstractSet[int]) -> None:
    """Delete rows by key, many per statement."""
    every = sorted(keys)
    for at in range(0, len(every), _ROWS_PER_STATEMENT):
        part = every[at : at + _ROWS_PER_STATEMENT]
        places = ",".join("?" * len(part))
        database.execute(f"DELETE FROM {table} WHERE {column} IN ({places})", part)


def _lock(path: Path) -> int:
    """One daemon per journal. The kernel frees the lock with the process, however that ends."""
    try:
        lock = os.open(f"{path}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise JournalError(f"{path}.lock: {error.strerror}; may we write this folder?") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise JournalError(f"{path}: another router uses this journal") from None
    return lock


def _open(path: Path, first_number: int) -> sqlite3.Connection:
    """Open the file, make its tables where it is new, refuse what we cannot read."""
    try:
        database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version == 0:
            database.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION};")
            database.execute("INSERT INTO meta VALUES (?)", (first_number,))
            database.execute("COMMIT")
        elif version > VERSION:
            raise JournalError(
                f"{path}: written by a newer version (schema {version}, this one reads {VERSION});"
                " run that version"
            )
    except sqlite3.Error as error:
        raise JournalError(f"{path}: {error}") from error
    return database
