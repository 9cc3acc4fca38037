"""The journal on SQLite: what a commit has confirmed survives `kill -9` and power loss.

One file in WAL mode with synchronous=FULL, one writer thread. The loop never waits for the disk:
batches go to the thread through an inbox, and their `done` is called in the loop's next turn after
the commit. Urgent batches (clients wait) are committed as soon as the last commit is over, and
other batches go with them; under load commits begin `commit_every` apart, and other batches wait
`settle_every` at most (`group_commit.py`).

What is on disk: `router/enqueue/schema.py`.

Fails: any error fails all batches of its transaction, and those that were asked for before the loop
heard of it, because they may follow from them; then the journal goes on, over a new connection
where the file itself was the trouble. Diagnoses: another process has the file (`<file>.lock` is
locked), a newer version wrote it, it is another program's, it is no database, it is damaged, it
cannot be written, it was removed while in use, it lacks what an earlier process had committed
(`lock_file.py`).

Not checked at the start: every page (`PRAGMA quick_check`), which takes 4 ms per MB. The recovery
reads what matters anyway.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from router.enqueue import record_row, row_writer, schema
from router.enqueue.group_commit import GroupCommit
from router.enqueue.inbox import Inbox
from router.enqueue.journal import (
    NOT_CALLED,
    Called,
    Changes,
    Damaged,
    DamagedFound,
    Done,
    Fetched,
    HeldFetched,
    JournalError,
    LookedUp,
    LookedUpDone,
    Place,
    Recalled,
    Recovered,
    Renames,
    Searched,
    SentFetched,
    Wanted,
    Weighed,
    Weights,
)
from router.enqueue.lock_file import LockFile, Mark
from router.enqueue.names import Names, Renamed
from router.enqueue.retention import Records, Retention
from router.enqueue.row_reader import COMMITS, KNOWN_UTC, NUMBERS
from router.enqueue.sqlite_file import (
    WAL,
    JournalLostError,
    code_of,
    connect,
    explained,
    hold,
    missing,
    opened,
    tidied,
)
from router.enqueue.sqlite_read import Reader
from router.terms.names import AccountName, LaneName, OperatorId, OperatorName, RouterId
from router.terms.plan import Plan

_TIDY_AFTER_S: Final = 1.0
"""After a commit, when the thread has nothing else to do."""
_TIDY_AGAIN_S: Final = 0.1
_NEW_CONNECTION_AFTER: Final = frozenset(
    {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CANTOPEN}
)
_NEVER: Final = float("inf")
_NOT_WRITTEN: Final = 0, None
_LOST_ADVICE: Final = (
    "put back the file and its -wal as they were, or, to give up what is missing, start once with"
    " `smpp-router run --accept-loss`"
)

_Found = TypeVar("_Found")
_Call = Callable[[sqlite3.Connection], Callable[[], None]]


@dataclass(slots=True)
class _Work:
    """One operation for the writing thread."""

    changes: Changes | None
    done: Done | None
    asked_at: float
    call: _Call | None = None
    """Instead of changes: a call for the thread; what it returns is called in the loop."""
    failed: Callable[[JournalError], None] | None = None
    failures: int = 0
    """How many failures the loop knew of when it asked."""


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
        unreadable: Callable[[JournalError], None] = lambda _: None,
        damaged: DamagedFound = lambda _: None,
        clock_utc: Callable[[], float] = time.time,
        commit_every_s: float = 0.002,
        keep_records_s: float = 72 * 3600.0,
        records: Records | None = None,
        accept_loss: bool = False,
    ) -> None:
        """Open or make the file; raises JournalError with what to do about it.

        Where an earlier process did not end in good order, and the file lacks what that process had
        committed, that is a JournalLostError, unless `accept_loss`.

        `first_number` starts the ids of a new file. `committed` is told, in the loop's thread, how
        long each commit took and how many messages it accepted. `clock_utc` may be asked by any
        thread, when the loop runs. With `records`, a record stays until it is there
        (`retention.py`). `unreadable` is called for every reading that failed,
        `damaged` for every one that has met rows that are none.
        """
        self._path = path.resolve()  # One lock, whatever name the file is opened by.
        self._soon = soon
        self._clock_utc = clock_utc
        self._records = records
        self._retention = Retention(keep_records_s, records, clock_utc)
        self._names = Names()
        self._names_kept: tuple[Renamed, ...] = ()
        """The names that the file has."""
        self._queues = row_writer.Queues(lanes, self._names, threading.Lock())
        self._reader = Reader(self._queues, self._names, plan_of, clock_utc)
        self._pace = GroupCommit(commit_every_s, settle_every_s)
        self._committed = committed
        self._unreadable = unreadable
        self._damaged = damaged
        self._told_damaged: set[tuple[str, int]] = set()
        """Rows that the loop has been told of: until they are set aside they are met again."""
        self._inbox: Inbox[_Work] = Inbox()
        self.pending = 0
        """How many operations are not done yet."""
        self._lock = LockFile(self._path)
        self.missing = ""
        """What the file lacks of what an earlier process had committed, for people."""
        self.is_unmarked = self._lock.found is None and self._path.exists()
        """Whether nothing said how far the file had been committed."""
        mark = self._lock.found or Mark(0)
        self.was_closed = mark.is_closed
        """Whether an earlier process had closed the journal in good order."""
        database = None
        self._held = -1
        try:
            if self._path.exists():
                self._held = hold(self._path)
            if self._lock.found is not None:
                self.missing = missing(self._path, mark)
            if self.missing and not (mark.is_closed or accept_loss):
                raise JournalLostError(f"{self._path}: {self.missing}; {_LOST_ADVICE}")
            if self._held < 0:
                self._held = hold(self._path)
            database = opened(self._path, first_number, mark.commit)
            (self._last_counted,) = database.execute(COMMITS).fetchone()
            last = database.execute(NUMBERS).fetchone()
            self._names_kept, self._names.renamed = self._reader.read_names(database)
            self._reader.read_queues(database)
            self._files = self._inodes()
        except Exception as cause:
            if database is not None:
                database.close()
            if self._held >= 0:
                os.close(self._held)
            self._lock.close()
            raise explained(self._path, cause) from cause
        self._last_tried: int = self._last_counted
        """The number of the last commit that was counted, and of the last that was to be. One that
        failed may yet be in the file: no other has its number."""
        self._lock.write(Mark(self._last_counted))
        self._lock.sync_at_once()
        numbers = [one or 0 for one in last]
        self._last_attempt, self._last_delivery, self._last_record, self._last_orphan = numbers[:4]
        self._next_started = numbers[4] + 1
        self._last_acknowledged = numbers[5]
        if records is not None:
            records.found(self._last_record, self._last_acknowledged)
        # A table begins again at 1 when it is empty; a name that was another's must not.
        self._last_attempt = max(self._last_attempt, self._names.last("sent"))
        self._last_delivery = max(self._last_delivery, self._names.last("delivery"))
        self._last_orphan = max(self._last_orphan, self._names.last("orphan"))
        self._database: sqlite3.Connection | None = database
        """None after trouble with the file, until the next transaction."""
        self._reads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal-reads")
        self._before: sqlite3.Connection | None = None
        """Reads the file as it was when it was recovered, until that is weighed."""
        self._weighing: threading.Thread | None = None
        self._failures_told = 0
        self._failure: tuple[int, JournalError] | None = None
        """How many failures the loop knew of before the last failure, and that one's error."""
        self._doubtful: tuple[set[int], set[int]] = set(), set()
        """Messages and deliveries of transactions that failed and may yet be in the file."""
        self._tidy_at = _NEVER
        self._closed: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    @property
    def keeps_records(self) -> bool:
        """See `Journal`."""
        return self._retention.keeps

    # The interface; called in the loop's thread.

    def commit(self, changes: Changes, done: Done, *, urgent: bool) -> None:
        """See `Journal`."""
        for delivery in changes.held:
            self._last_delivery += 1
            delivery.kept_as = self._last_delivery
        for attempt in changes.taken:
            if attempt.failure is None and not attempt.kept_as:
                self._last_attempt += 1
                attempt.kept_as = self._last_attempt
                attempt.message.row.attempts += (self._last_attempt,)
                attempt.message.row.taken_utc = attempt.at_utc
        for orphan in changes.orphaned:
            self._last_orphan += 1
            orphan.kept_as = self._last_orphan
        for one in changes.started:
            self._next_started = one.numbered(self._next_started)
        for settlement in changes.settled:
            self._last_record += 1
            settlement.kept_as = self._last_record
        for refused in changes.refused:
            self._last_record += 1
            refused.kept_as = self._last_record
        self._ask(_Work(changes, done, time.monotonic()), urgent=urgent)

    def reserve_ids(self, count: int, done: Callable[[int, JournalError | None], None]) -> None:
        """See `Journal`. The end of the block is on disk before any of it is used."""

        def reserve(database: sqlite3.Connection) -> Callable[[], None]:
            (first,) = database.execute("SELECT next_number FROM meta").fetchone()
            database.execute("UPDATE meta SET next_number = ?", (first + count,))
            return lambda: done(first, None)

        self._call(reserve, lambda error: done(0, error))

    def fetch(self, wanted: Wanted, done: Fetched) -> None:
        """See `Journal`."""
        self._read(
            partial(self._reader.next_of_queue, wanted, self._queues.numbers_of(wanted.queue)),
            lambda found, error: done(found or [], error),
        )

    def look_up(
        self, router_ids: Collection[RouterId], done: LookedUpDone, *, called: Called = NOT_CALLED
    ) -> None:
        """See `Journal`."""
        self._read(
            lambda database, _: self._reader.looked_up(router_ids, called, database),
            lambda found, error: done(found or LookedUp(), error),
        )

    def search(
        self,
        account: AccountName,
        destination: bytes,
        after: Place,
        count: int,
        done: Searched,
        *,
        most: int = 2**60,
    ) -> None:
        """See `Journal`."""
        numbers = self._queues.of_account(account)
        self._read(
            lambda database, _: self._reader.searched(
                account, numbers, destination, after, count, most, database
            ),
            lambda found, error: done(*(found or ([], None)), error),
        )

    def fetch_held(
        self, account: AccountName, after: int, count: int, octets: int, done: HeldFetched
    ) -> None:
        """See `Journal`."""
        self._read(
            partial(
                self._reader.held,
                account,
                self._names.spans("delivery", account),
                after,
                count,
                octets,
            ),
            lambda found, error: done(found or [], error),
        )

    def recall(
        self, operator: OperatorName, operator_ids: Sequence[OperatorId], done: Recalled
    ) -> None:
        """See `Journal`."""
        self._read(
            partial(self._reader.recalled, self._names.spans("sent", operator), operator_ids),
            lambda found, error: done(found or [], error),
        )

    def fetch_sent(
        self, operator: OperatorName, before_utc: float, after: Place, count: int, done: SentFetched
    ) -> None:
        """See `Journal`."""
        self._read(
            partial(
                self._reader.sent, self._names.spans("sent", operator), before_utc, after, count
            ),
            lambda found, error: done(*(found or ([], None)), error),
        )

    def _read(
        self,
        read: Callable[[sqlite3.Connection, list[Damaged]], _Found],
        tell: Callable[[_Found | None, JournalError | None], None],
    ) -> None:
        """Read over a separate connection, for which no commit waits, and `tell` the result."""

        def run() -> None:
            found: _Found | None = None
            error: JournalError | None = None
            damaged: list[Damaged] = []
            try:
                with closing(connect(self._path)) as database:
                    found = read(database, damaged)
            except Exception as cause:  # noqa: BLE001 - Whatever it is, the loop must be told.
                error = explained(self._path, cause)
            self._soon(lambda: told(found, damaged, error))

        def told(found: _Found | None, damaged: list[Damaged], error: JournalError | None) -> None:
            self.pending -= 1
            self._tell_damaged(damaged)
            if error is not None:
                self._unreadable(error)
            tell(found, error)

        self.pending += 1
        self._reads.submit(run)

    def rename(self, renames: Renames) -> None:
        """See `Journal`. Rows stay as they are: `names.py`."""
        names = self._names
        for was, now in renames.accounts.items():
            names.rename("delivery", was, now, self._last_delivery)
        for of_operator, now_called in renames.operators.items():
            names.rename("sent", of_operator, now_called, self._last_attempt)
            names.rename("orphan", of_operator, now_called, self._last_orphan)
        self._queues.rename(renames.accounts)

    def recover(self, done: Callable[[Recovered, JournalError | None], None]) -> None:
        """See `Journal`."""

        def read(database: sqlite3.Connection) -> Callable[[], None]:
            damaged: list[Damaged] = []
            recovered = self._reader.recovered(database, damaged)
            self._before = before = connect(self._path)
            before.execute("BEGIN")
            before.execute(KNOWN_UTC).fetchone()  # From here on it sees no changes.

            def tell() -> None:
                self._tell_damaged(damaged)
                done(recovered, None)

            return tell

        self._call(read, lambda error: done(Recovered(), error))

    def _tell_damaged(self, damaged: list[Damaged]) -> None:
        new = [one for one in damaged if (one.table, one.number) not in self._told_damaged]
        if new:
            self._told_damaged.update((one.table, one.number) for one in new)
            self._damaged(new)

    def weigh(self, done: Weighed) -> None:
        """See `Journal`. In a thread of its own: no reading waits for it."""
        before = self._before
        assert before is not None

        def run() -> None:
            weights = Weights()
            error: JournalError | None = None
            try:
                with closing(before):
                    weights = self._reader.weighed(before)
            except Exception as cause:  # noqa: BLE001 - Whatever it is, the loop must be told.
                if code_of(cause) == sqlite3.SQLITE_INTERRUPT:  # By `close`.
                    return
                error = explained(self._path, cause)
            self._soon(lambda: told(weights, error))

        def told(weights: Weights, error: JournalError | None) -> None:
            if error is not None:
                self._unreadable(error)
            done(weights, error)

        self._weighing = threading.Thread(target=run, name="journal-weighs", daemon=True)
        self._weighing.start()

    def close(self, done: Callable[[], None]) -> None:
        """See `Journal`."""

        def finished() -> None:
            self._thread.join()
            self._reads.shutdown()
            if self._weighing is not None:
                self._weighing.join()
            elif self._before is not None:
                self._before.close()
            done()

        if self._weighing is not None and self._before is not None:
            with suppress(sqlite3.ProgrammingError):  # It has weighed all, and is closed.
                self._before.interrupt()
        self._closed = finished
        self._inbox.close()

    def _call(self, call: _Call, failed: Callable[[JournalError], None]) -> None:
        self._ask(_Work(None, None, time.monotonic(), call, failed), urgent=True)

    def _ask(self, work: _Work, *, urgent: bool) -> None:
        self.pending += 1
        work.failures = self._failures_told
        self._inbox.add(work, urgent=urgent)

    # The thread.

    def _run(self) -> None:
        """Gather, commit, tell the loop; until `close`."""
        while not self._inbox.ended:
            batch = self._without_followers(self._gather())
            if batch:
                self._transact(batch)
            elif time.monotonic() >= self._tidy_at:
                self._tidy()
        if self._database is not None:
            self._database.close()  # Not in the loop: the last one copies the WAL into the file.
            if self._inodes() == (self._files[0], 0):
                self._lock.write(Mark(self._last_counted, is_closed=True))
        self._lock.sync_at_once()
        os.close(self._held)
        self._lock.close()
        self._soon(self._closed)

    def _gather(self) -> list[_Work]:
        """Return what goes into the next transaction; nothing when it is time to tidy."""
        inbox, pace = self._inbox, self._pace
        while True:
            until = min(pace.alone_at(inbox.oldest_asked_at()), self._tidy_at)
            timeout_s = None if until == _NEVER else max(0.0, until - time.monotonic())
            urgent = inbox.urgent(timeout_s)
            wait_s = pace.urgent_at() - time.monotonic()
            if urgent and wait_s > 0 and not inbox.ended:
                time.sleep(wait_s)
                urgent += inbox.urgent(0.0)
            now = time.monotonic()
            goes_at = pace.rides_along_at if urgent else pace.alone_at
            if inbox.ended or goes_at(inbox.oldest_asked_at()) <= now:
                return urgent + inbox.rest()
            if urgent or now >= self._tidy_at:
                return urgent

    def _without_followers(self, batch: list[_Work]) -> list[_Work]:
        """Return the work of a batch that does not follow from the last failure; fail the rest.

        Work follows if the loop asked for it before it was told of the failure.
        """
        if self._failure is None:
            return batch
        known_before, error = self._failure
        followers = [work for work in batch if work.failures <= known_before]
        if followers:
            self._soon(lambda: self._tell(followers, [], error, 0.0))
        return [work for work in batch if work.failures > known_before]

    def _transact(self, batch: list[_Work]) -> None:
        """Run one transaction, and tell the loop how it ended, once for the whole batch."""
        started_at = time.monotonic()
        changes = [work.changes for work in batch if work.changes is not None]
        self._pace.began(started_at, sum(one.rows() for one in changes))
        replies: list[Callable[[], None]] = []
        error: JournalError | None = None
        try:
            calls = [work.call for work in batch if work.call is not None]
            replies = self._apply(changes, calls)
        except Exception as cause:  # noqa: BLE001 - Whatever it is, nothing of it is safe.
            error = explained(self._path, cause)
            self._failure = max(work.failures for work in batch), error
            self._recover_from(cause, changes)
        took_s = time.monotonic() - started_at
        self._tidy_at = min(self._tidy_at, started_at + _TIDY_AFTER_S)
        self._soon(lambda: self._tell(batch, replies, error, took_s))
        self._lock.sync(time.monotonic())  # The next commit waits for it, once a second.

    def _apply(
        self, changes: Sequence[Changes], calls: Sequence[_Call]
    ) -> list[Callable[[], None]]:
        """Write the changes and run the calls; return when all of it is safe."""
        database = self._connection()
        statements = row_writer.statements(
            changes,
            self._queues,
            keeps_records=self._retention.keeps,
            acknowledged=None if self._records is None else self._acknowledged(changes),
        )
        renamed = self._names.renamed
        if renamed is not self._names_kept:
            statements += row_writer.of_renamed(renamed)
        statements += row_writer.delete("message", "router_id", self._doubtful[0])
        statements += row_writer.delete("unseen_answer", "router_id", self._doubtful[0])
        statements += row_writer.delete("delivery", "number", self._doubtful[1])
        accepted = max((m.router_id for one in changes for m in one.accepted), default=0)
        accepts = accepted and not calls and row_writer.only_accept(statements)
        if not accepts:
            self._last_tried += 1
        if accepts and len(statements) == 1:
            database.execute(*statements[0])  # A transaction of its own.
            replies = []
        else:
            database.execute("BEGIN IMMEDIATE")
            for text, values in statements:
                database.execute(text, values)
            replies = [call(database) for call in calls]
            settled = sum(len(one.settled) + len(one.refused) for one in changes)
            self._retention.forget(database, 2 * settled)
            if not statements and not calls:
                database.execute(row_writer.PROBE)
            if not accepts:
                database.execute(row_writer.COUNT_COMMIT, (self._last_tried,))
            database.execute("COMMIT")
        if not accepts:
            self._last_counted = self._last_tried
        self._lock.write(Mark(self._last_counted, accepted if accepts else 0))
        self._doubtful = set(), set()
        self._names_kept = renamed
        self._queues.are_safe()
        return replies

    def _acknowledged(self, changes: Sequence[Changes]) -> schema.Row | None:
        deliveries = [one for batch in changes for one in batch.acknowledged]
        if not deliveries:
            return None
        self._last_acknowledged += 1
        number, now_utc = self._last_acknowledged, self._clock_utc()
        return record_row.of_acknowledged(number, now_utc, deliveries)

    def _connection(self) -> sqlite3.Connection:
        """The connection, made anew after trouble with the file."""
        file, wal = self._inodes()
        if file != self._files[0]:
            # This connection is the last access to the file.
            advice = f"put it back; or, before you stop this, copy it from /proc/{os.getpid()}/fd"
            raise JournalError(f"{self._path}: removed while in use; {advice}")
        if self._database is None:
            database = connect(self._path)
            database.execute(NUMBERS)  # A connection opens the WAL when it reads.
            self._database = database
            self._files = self._inodes()
        elif wal != self._files[1]:
            self._save_from_wal(self._database)
        return self._database

    def _inodes(self) -> tuple[int, int]:
        """Return the inodes at the names of the file and of its WAL; 0 if there is none."""
        found = []
        for path in (self._path, f"{self._path}{WAL}"):
            try:
                found.append(os.stat(path).st_ino)
            except FileNotFoundError:
                found.append(0)
        return found[0], found[1]

    def _save_from_wal(self, database: sqlite3.Connection) -> None:
        """Copy a WAL that was removed into the file: only this connection can still read it."""
        what = f"{self._path}{WAL}: removed while in use"
        (busy, *_) = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise JournalError(f"{what}; what it held is saved when nobody reads")
        self._database = None
        database.close()
        raise JournalError(f"{what}; what it held has been saved")

    def _recover_from(self, cause: Exception, changes: Sequence[Changes]) -> None:
        """Roll the transaction back, and close a connection that cannot be trusted."""
        database = self._database
        if database is None:
            return
        if code_of(cause) not in _NEW_CONNECTION_AFTER:
            try:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                return
            except sqlite3.Error:
                pass  # Then this connection cannot be trusted either.
        # A new connection believes what is complete in the WAL; that may be the transaction that
        # was told to have failed.
        self._doubtful[0].update(m.router_id for one in changes for m in one.accepted)
        self._doubtful[1].update(d.kept_as for one in changes for d in one.held)
        self._database = None
        database.close()

    def _tell(
        self,
        batch: list[_Work],
        replies: list[Callable[[], None]],
        error: JournalError | None,
        took_s: float,
    ) -> None:
        """Tell those who asked, in the loop's thread: the batch is safe, or none of it is."""
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

    def _tidy(self) -> None:
        """Tidy the file, a little at a time, while there is no other work."""
        self._tidy_at = _NEVER
        self._lock.sync(time.monotonic())
        try:
            database = self._connection()
            if self._retention.forget(database, row_writer.MOST_ROWS) or tidied(database):
                self._tidy_at = time.monotonic() + _TIDY_AGAIN_S
        except (sqlite3.Error, JournalError) as cause:
            self._recover_from(cause, [])  # The next commit says what is wrong, if it still is.
