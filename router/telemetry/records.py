"""Moves what the journal says of messages that are over into `records.db`, in a thread of its own.

The journal keeps a row until it is here (`enqueue/sqlite.py`, `Records`), so nothing is missing
after a crash; what has been moved is noted in the same transaction, so nothing comes twice. The
rows go from file to file inside SQLite, a few thousand at a time: no row becomes an object of
Python, and the interpreter's lock is free meanwhile.

Fails: traffic goes on whatever happens here. A file that is full or cannot be written is tried
again; the journal's rows wait. One that is damaged is set aside under another name, and a new one
begins with what the journal still has.
"""

import hashlib
import hmac
import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

import structlog

from router.check.number import routing_key
from router.enqueue.sqlite import Records
from router.report.quality import DaySums, within_s
from router.telemetry import records_schema as schema
from router.telemetry.document import RecordsStatus
from router.terms.names import AccountName
from router.terms.settings import Privacy, Settings

log = structlog.get_logger()

EVERY_S: Final = 1.0
"""How often rows are moved."""
AGAIN_S: Final = 10.0
"""After a failure."""
STOP_S: Final = 3.0
ROWS_AT_ONCE: Final = 5_000
PRUNE_ROWS: Final = 5_000
PRUNE_EVERY_S: Final = 60.0
SUFFIX: Final = ".records.db"
ASIDE: Final = ".damaged-"
"""Behind the name of a file that is damaged stands this, and when that was found."""
_BUSY_S: Final = 5.0
_CACHE_KIB: Final = 32_768
"""The last part of the table and of its indexes stays in memory."""
_MASKED_FROM: Final = 7
"""Digits of a number that a mask leaves: country and network."""
_DAY_S: Final = 86_400
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class RecordsError(Exception):
    """The file cannot be used; the text says where, why, and what to do."""


def path_of(journal: Path) -> Path:
    """Return where the records of a journal are."""
    return journal.with_suffix(SUFFIX)


def privacy_of(settings: Settings) -> dict[AccountName, Privacy]:
    """Return what each account keeps of the people that it writes to."""
    return {name: account.privacy for name, account in settings.accounts.items()}


class Recorder:
    """The thread, and the file that it alone writes."""

    def __init__(
        self,
        journal: Path,
        progress: Records,
        keep_s: float,
        privacy: Mapping[AccountName, Privacy],
        *,
        clock: Callable[[], float],
        clock_utc: Callable[[], float],
    ) -> None:
        """`progress` is shared with the journal. Clocks may be asked by any thread."""
        self._journal: Final = journal
        self.path: Final = path_of(journal)
        self._progress: Final = progress
        self._keep_s = keep_s
        self._privacy = dict(privacy)
        self._clock: Final = clock
        self._clock_utc: Final = clock_utc
        self._database: sqlite3.Connection | None = None
        self._failure = ""
        self._caught_up_at = clock()
        self._prune_at = clock()
        self._keys: dict[int, bytes] = {}
        self._days: Final[SimpleQueue[DaySums]] = SimpleQueue()
        self._ended: Final = threading.Event()
        self._thread: Final = threading.Thread(target=self._run, name="records", daemon=True)

    def start(self) -> None:
        """Begin to move rows."""
        self._thread.start()

    def stop(self) -> None:
        """Move what is there, and close the file; before the journal is closed.

        A disk that hangs is not waited for: the next process moves the rest.
        """
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(STOP_S)

    def adopt(self, keep_s: float, privacy: Mapping[AccountName, Privacy]) -> None:
        """Follow other settings from the next rows on."""
        self._keep_s, self._privacy = keep_s, dict(privacy)

    def add(self, days: Iterable[DaySums]) -> None:
        """Add to how well operators delivered on a day. For any thread."""
        for one in days:
            self._days.put(one)

    def state(self) -> RecordsStatus:
        """Return how the records are. For any thread."""
        octets = 0
        for name in (self.path, f"{self.path}-wal"):
            with suppress(OSError):
                octets += os.stat(name).st_size
        behind_s = max(0.0, self._clock() - self._caught_up_at)
        return RecordsStatus(
            path=str(self.path),
            octets=octets,
            behind_s=behind_s,
            failure=self._failure,
            lost=self._progress.lost,
        )

    # The thread.

    def _run(self) -> None:
        self.turn()
        while not self._ended.wait(AGAIN_S if self._failure else EVERY_S):
            self.turn()
        self.turn()
        if self._database is not None:
            self._database.close()

    def turn(self) -> None:
        """Move all that there is, and forget some of what is too old."""
        try:
            database = self._opened()
            began_at = self._clock()
            while self._move(database):
                # As long as that has taken: an earlier version may have left very much, and clients
                # wait for the disk, too.
                if self._ended.wait(self._clock() - began_at):
                    return
                began_at = self._clock()
            self._add_days(database)
            self._caught_up_at = self._clock()
            if self._clock() >= self._prune_at and not self._prune(database):
                self._prune_at = self._clock() + PRUNE_EVERY_S
        except (sqlite3.Error, OSError, RecordsError) as error:
            self._failed(error)
        else:
            if self._failure:
                self._failure = ""
                log.info("records.back", path=str(self.path))

    def _failed(self, error: Exception) -> None:
        database, self._database = self._database, None
        if database is not None:
            with suppress(sqlite3.Error):
                database.close()
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _DAMAGED and self._set_aside(error):
            return
        text = str(error) if isinstance(error, RecordsError) else f"{self.path}: {error}"
        if not self._failure:
            log.error("records.failed", error=text)
        self._failure = text

    def _set_aside(self, error: Exception) -> bool:
        """Give a damaged file another name; return False if it is not ours, or that fails too."""
        aside = self.path.with_name(f"{self.path.name}{ASIDE}{int(self._clock_utc())}")
        try:
            if not is_ours(self.path):
                return False
            for suffix in ("-wal", "-shm"):
                with suppress(FileNotFoundError):
                    os.rename(f"{self.path}{suffix}", f"{aside}{suffix}")
            os.rename(self.path, aside)
        except OSError:
            return False
        log.error("records.damaged", error=f"{self.path}: {error}", kept_as=str(aside))
        return True

    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            database = opened(self.path, self._journal)
            try:
                moved, acknowledged = database.execute("SELECT * FROM moved").fetchone()
                # A journal that was put back from a copy, or is another, counts anew.
                progress = self._progress
                if not (progress.moved or progress.moved_acknowledged):
                    moved = min(moved, progress.last)
                    acknowledged = min(acknowledged, progress.last_acknowledged)
                    database.execute("UPDATE moved SET record = ?, acknowledged = ?",
                                     (moved, acknowledged))  # fmt: skip
                database.create_function("private", 3, self._private, deterministic=True)
                self._keys = dict(database.execute("SELECT day, key FROM day_key").fetchall())
            except BaseException:
                database.close()
                raise
            self._note(moved, acknowledged)
            self._database = database
        return self._database

    def _note(self, moved: int, acknowledged: int) -> None:
        self._progress.moved, self._progress.moved_acknowledged = moved, acknowledged

    def _move(self, database: sqlite3.Connection) -> bool:
        """Move the next rows; return whether there are more."""
        moved, acknowledged = self._progress.moved, self._progress.moved_acknowledged
        database.execute("BEGIN IMMEDIATE")
        try:
            last, count = database.execute(schema.NEXT, (moved, ROWS_AT_ONCE)).fetchone()
            if count:
                self._insert(database, moved, last)
                moved = last
            is_all = count < ROWS_AT_ONCE
            if is_all:  # Else a receipt may be acknowledged whose message is not here yet.
                found = database.execute("SELECT max(number) FROM journal.acknowledged").fetchone()
                if (found[0] or 0) > acknowledged:
                    database.execute(schema.ACKNOWLEDGE, (acknowledged, found[0]))
                    acknowledged = found[0]
                elif not count:
                    database.execute("ROLLBACK")
                    return False
            database.execute("UPDATE moved SET record = ?, acknowledged = ?", (moved, acknowledged))
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:
                with suppress(sqlite3.Error):
                    database.execute("ROLLBACK")
            raise
        self._note(moved, acknowledged)
        return not is_all

    def _insert(self, database: sqlite3.Connection, after: int, last: int) -> None:
        number = "destination"
        private = [name for name, one in self._privacy.items() if one.numbers != "keep"]
        if private:
            names = ", ".join(f"'{name}'" for name in map(_quoted, private))
            number = (
                f"CASE WHEN account IN ({names})"
                " THEN private(account, destination, accepted_utc) ELSE destination END"
            )
        try:
            database.execute(schema.move(number), (after, last))
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
                raise
            database.execute(schema.move(number, doubts=True), (after, last))
        database.execute(schema.OTHER_IDS, (after, last))
        for day, key in self._keys.items():
            database.execute("INSERT OR IGNORE INTO day_key VALUES (?, ?)", (day, key))

    def _private(self, account: str, number: str, utc: float) -> str:
        """Return a number as the records of this account have it. Called by SQLite."""
        privacy = self._privacy.get(AccountName(account))
        if privacy is None or privacy.numbers == "keep":
            return number
        if privacy.numbers == "mask":
            return masked(number)
        day = int(utc // _DAY_S)
        key = self._keys.get(day)
        if key is None:
            key = self._keys[day] = os.urandom(32)
        return hashed(number, key)

    def _add_days(self, database: sqlite3.Connection) -> None:
        taken: list[DaySums] = []
        with suppress(Empty):
            while True:
                taken.append(self._days.get_nowait())
        if not taken:
            return
        database.execute("BEGIN IMMEDIATE")
        try:
            for one in taken:
                _add_day(database, one)
            database.execute("COMMIT")
        except BaseException:
            self.add(taken)
            if database.in_transaction:
                with suppress(sqlite3.Error):
                    database.execute("ROLLBACK")
            raise

    # What is too old.

    def _prune(self, database: sqlite3.Connection) -> bool:
        """Delete a few records that are too old; return whether there may be more."""
        now_utc = self._clock_utc()
        before_utc = now_utc - self._keep_s
        gone = database.execute(
            "DELETE FROM record WHERE number IN (SELECT number FROM record ORDER BY number LIMIT ?)"
            " AND settled_utc < ?",
            (PRUNE_ROWS, before_utc),
        ).rowcount
        more = gone == PRUNE_ROWS
        for account, privacy in self._privacy.items():
            if privacy.records_s is not None:
                before = now_utc - privacy.records_s
                of_account = database.execute(
                    "DELETE FROM record WHERE number IN (SELECT number FROM record"
                    " WHERE account = ? AND accepted_utc < ? LIMIT ?)",
                    (account, before, PRUNE_ROWS),
                ).rowcount
                gone += of_account
                more |= of_account == PRUNE_ROWS
        if gone:
            database.execute("DELETE FROM other_id WHERE number < (SELECT min(number) FROM record)")
            database.executescript("PRAGMA incremental_vacuum(200)")
        last_day = int(before_utc // _DAY_S)
        database.execute("DELETE FROM quality WHERE day < ?", (last_day,))
        database.execute("DELETE FROM day_key WHERE day < ?", (last_day,))
        self._keys = {day: key for day, key in self._keys.items() if day >= last_day}
        return more


def _add_day(database: sqlite3.Connection, one: DaySums) -> None:
    """Add what was counted to the row of its day."""
    key = one.day, one.operator, one.country, one.lane
    sums = one.sums
    row = database.execute(schema.DAY, key).fetchone()
    counts = [
        sums.outcomes, sums.unreachable, sums.delivered, sums.never_receipted, sums.too_fast
    ]  # fmt: skip
    times = sums.times
    if row is not None:
        counts = [here + there for here, there in zip(counts, row[:-1], strict=True)]
        before = json.loads(row[-1])
        times = [here + there for here, there in zip(times, before, strict=True)]
    quantiles = within_s(times, 0.5), within_s(times, 0.95)
    database.execute(schema.SET_DAY, (*key, *counts, *quantiles, json.dumps(times)))


def masked(number: str) -> str:
    """Return a number without the digits by which somebody is known; its length stays."""
    start = _MASKED_FROM + number.startswith("+")
    return number[:start] + "*" * (len(number) - start)


def hashed(number: str, key: bytes) -> str:
    """Return what stands for a number, in whatever form, on the day of this key."""
    digits = routing_key(number.encode("latin-1")) or number
    return f"#{hmac.new(key, digits.encode(), hashlib.sha256).hexdigest()[:24]}"


def _quoted(name: str) -> str:
    return name.replace("'", "''")


def read_only(path: Path) -> sqlite3.Connection:
    """Open a file that the router may have open, too; one that nobody has stays as it is.

    To read it, SQLite would make a log beside one without.
    """
    is_open = path.with_name(f"{path.name}-wal").exists()
    how = "mode=ro" if is_open else "mode=ro&immutable=1"
    return sqlite3.connect(f"{path.resolve().as_uri()}?{how}", uri=True, timeout=_BUSY_S)


def is_ours(path: Path) -> bool:
    """Whether a file has the mark of records in its first page, even if the rest is damaged."""
    with path.open("rb") as file:
        head = file.read(100)
    is_sqlite = head.startswith(b"SQLite format 3\0")
    return not is_sqlite or int.from_bytes(head[68:72], "big") == schema.APPLICATION_ID


def opened(path: Path, journal: Path) -> sqlite3.Connection:
    """Open the file, with the journal to read beside it; raise RecordsError if it is another's."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))  # It has numbers.
    database = sqlite3.connect(
        f"{path.as_uri()}?mode=rw",
        uri=True,
        timeout=_BUSY_S,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        (application_id,) = database.execute("PRAGMA application_id").fetchone()
        (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and application_id != schema.APPLICATION_ID:
            raise RecordsError(f"{path}: this is the database of another program; move it away")
        if version > schema.VERSION:
            raise RecordsError(
                f"{path}: written by a newer version (schema {version}, this one knows"
                f" {schema.VERSION}); run that version, or move the file away"
            )
        if not tables:
            database.execute("PRAGMA auto_vacuum = INCREMENTAL")
        database.execute("PRAGMA journal_mode = WAL")
        # What a power cut takes from here is still in the journal only if that knows: FULL.
        database.execute("PRAGMA synchronous = FULL")
        database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        database.execute("PRAGMA wal_autocheckpoint = 4000")
        if not tables:
            database.execute("BEGIN IMMEDIATE")
            for statement in schema.SCHEMA:
                database.execute(statement)
            database.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
            database.execute(f"PRAGMA user_version = {schema.VERSION}")
            database.execute("COMMIT")
        database.execute("ATTACH ? AS journal", (f"{journal.as_uri()}?mode=ro",))
    except BaseException:
        database.close()
        raise
    return database
