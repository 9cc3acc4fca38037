"""Moves what the journal says of messages that are over into `records.db`, in a thread of its own.

The journal keeps a row until it is here (`enqueue/retention.py`), so nothing is missing after a
crash; what has been moved is noted in the same transaction, so nothing comes twice. The rows go
from file to file inside SQLite, a few thousand at a time: no row becomes an object of Python, and
the interpreter's lock is free meanwhile.

Fails: traffic goes on whatever happens here. A file that is full or cannot be written is tried
again; the journal's rows wait. One that is damaged is set aside under another name, and one that is
removed is missed: a new one begins with what the journal still has. Damaged rows of the journal are
passed over, and counted as lost.
"""

import hashlib
import hmac
import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

import structlog

from router.check.number import routing_key
from router.enqueue.retention import Records
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
"""A disk that hangs is not waited for at the end."""
ROWS_AT_ONCE: Final = 5_000
MOST_PASSED: Final = 2**20
"""Damaged rows of the journal that are passed over at a time."""
ACKNOWLEDGED_AT_ONCE: Final = 100
"""Rows of `acknowledged`, each of one commit with up to some hundred receipts."""
PRUNE_ROWS: Final = 5_000
PRUNE_EVERY_S: Final = 60.0
SET_ASIDE_EVERY_S: Final = 3600.0
"""A disk that damages one file after the other must not be filled by them."""
SUFFIX: Final = ".records.db"
ASIDE: Final = ".damaged-"
"""Behind the name of a file that is damaged stands this, and when that was found."""
_BUSY_S: Final = 5.0
_CACHE_KIB: Final = 32_768
"""The last part of the table and of its indexes stays in memory."""
_MASKED_FROM: Final = 7
"""Digits of a number that a mask leaves at most: country and network."""
_MASKED: Final = 4
"""Digits that it covers at least."""
_DAY_S: Final = 86_400
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_HEADER: Final = b"SQLite format 3\0"


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
        self._settings = dict(privacy)
        """As the configuration has it."""
        self._privacy: dict[AccountName, Privacy] = {}
        """The same, and that of accounts that it has no more, as the file knows it."""
        self._is_private_known = False
        """Whether the file has `_settings`."""
        self._clock: Final = clock
        self._clock_utc: Final = clock_utc
        self._database: sqlite3.Connection | None = None
        self._inodes = (0, 0)
        self._failure = ""
        self._caught_up_at = clock()
        self._prune_at = clock()
        self._set_aside_at = -SET_ASIDE_EVERY_S
        self._at_once = ROWS_AT_ONCE
        self._failed_at = 0.0
        self._is_new = True
        """Whether nothing is known of the file but what was read before it was opened."""
        self._keys: dict[int, bytes] = {}
        self._days: Final[SimpleQueue[DaySums]] = SimpleQueue()
        self._ended: Final = threading.Event()
        self._thread: Final = threading.Thread(target=self._run, name="records", daemon=True)
        self._note(*_moved(self.path), is_first=True)

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
        self._keep_s, self._settings = keep_s, dict(privacy)
        self._is_private_known = False

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
        self._close()

    def turn(self) -> None:
        """Move all that there is, and forget some of what is too old."""
        try:
            database = self._opened()
            # Not for longer than a turn: the journal's log may be another one by the next.
            database.execute("ATTACH ? AS journal", (f"{self._journal.as_uri()}?mode=ro",))
            try:
                self._work(database)
            finally:
                with suppress(sqlite3.Error):
                    database.execute("DETACH journal")
        except Exception as error:  # noqa: BLE001 - Whatever it is, the next turn tries again.
            self._failed(error)
        else:
            if self._failure and self._caught_up_at >= self._failed_at:
                self._failure = ""
                log.info("records.back", path=str(self.path))

    def _work(self, database: sqlite3.Connection) -> None:
        if self._clock() >= self._prune_at and not self._prune(database):  # First: it makes room.
            self._prune_at = self._clock() + PRUNE_EVERY_S
        self._know_privacy(database)
        began_at = self._clock()
        while self._move(database):
            # As long as that has taken: an earlier version may have left very much, and clients
            # wait for the disk, too.
            if self._ended.wait(self._clock() - began_at):
                return
            began_at = self._clock()
        self._add_days(database)
        self._caught_up_at = self._clock()

    def _close(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            with suppress(sqlite3.Error):
                database.close()

    # Failures.

    def _failed(self, error: Exception) -> None:
        self._close()
        self._failed_at = self._clock()
        text = str(error) if isinstance(error, RecordsError) else f"{self.path}: {error}"
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
            passed = self._pass_over()
            if passed is not None:
                text = passed
            elif self._set_aside(error):
                return
        if not self._failure:
            log.error("records.failed", error=text)
        self._failure = text

    def _pass_over(self) -> str | None:
        """Go on behind rows of the journal that cannot be read; return what that was, or None.

        Fewer rows at a time first, so that those before them are moved. None: the journal can be
        read, so the damage is not there.
        """
        moved = self._progress.moved
        with closing(read_only(self._journal)) as journal:
            if _can_be_read(journal, moved, self._at_once):
                return None
            if self._at_once > 1:
                self._at_once = max(1, self._at_once // 8)
                return f"{self._journal}: has damaged records"
            step = 1
            while not _can_be_read(journal, moved + step, 0):
                step *= 2
                if step > MOST_PASSED:
                    return f"{self._journal}: its records cannot be read"
        with closing(opened(self.path)) as database:
            database.execute("UPDATE moved SET record = ?", (moved + step,))
        self._progress.moved += step
        self._progress.lost += step
        return f"{self._journal}: {step} records there, or fewer, are damaged, and lost"

    def _set_aside(self, error: Exception) -> bool:
        """Give a damaged file another name; return False where that is not for us to do."""
        if self._clock() < self._set_aside_at + SET_ASIDE_EVERY_S:
            return False
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
        self._set_aside_at = self._clock()
        self._failure = f"{self.path}: was damaged, and is set aside as {aside.name}"
        log.error("records.damaged", error=f"{self.path}: {error}", kept_as=str(aside))
        return True

    # The file.

    def _opened(self) -> sqlite3.Connection:
        if self._database is not None and self._inodes != self._inodes_now():
            self._close()
            raise RecordsError(
                f"{self.path}: removed or renamed while in use; what was written last may be"
                " missing there. A new one begins with what the journal still has"
            )
        if self._database is None:
            database = opened(self.path)
            try:
                row = database.execute("SELECT * FROM moved").fetchone()
                if row is None:
                    raise RecordsError(f"{self.path}: it does not say what it has; move it away")
                database.create_function("private", 3, self._private, deterministic=True)
                self._keys = dict(database.execute("SELECT day, key FROM day_key").fetchall())
                self._is_private_known = False
                self._note(*row)
                moved = self._progress.moved, self._progress.moved_acknowledged
                database.execute("UPDATE moved SET record = ?, acknowledged = ?", moved)
            except BaseException:
                database.close()
                raise
            self._database = database
            self._inodes = self._inodes_now()
        return self._database

    def _inodes_now(self) -> tuple[int, int]:
        found = []
        for name in (self.path, f"{self.path}-wal"):
            try:
                found.append(os.stat(name).st_ino)
            except OSError:
                found.append(0)
        return found[0], found[1]

    def _note(self, moved: int, acknowledged: int, *, is_first: bool = False) -> None:
        """Tell the journal what is here. One that was put back from a copy counts anew."""
        progress = self._progress
        if self._is_new:
            moved = min(moved, progress.last)
            acknowledged = min(acknowledged, progress.last_acknowledged)
        self._is_new = is_first and self._is_new
        progress.moved, progress.moved_acknowledged = moved, acknowledged

    # Rows.

    def _move(self, database: sqlite3.Connection) -> bool:
        """Move the next rows, and who has acknowledged what; return whether there are more."""
        progress, at_once = self._progress, self._at_once
        moved, acknowledged = progress.moved, progress.moved_acknowledged
        with _transaction(database):  # In it the journal stays as it was at the first reading.
            last, count = database.execute(schema.NEXT, (moved, at_once)).fetchone()
            if count:
                self._insert(database, moved, last)
                moved = last
            more = bool(count == at_once)
            if not more:  # Else a receipt may be acknowledged whose message is not here yet.
                values = acknowledged, ACKNOWLEDGED_AT_ONCE
                last, count = database.execute(schema.NEXT_ACKNOWLEDGED, values).fetchone()
                if count:
                    database.execute(schema.ACKNOWLEDGE, (acknowledged, last))
                    acknowledged = last
                more = bool(count == ACKNOWLEDGED_AT_ONCE)
            if (moved, acknowledged) != (progress.moved, progress.moved_acknowledged):
                values = moved, acknowledged
                database.execute("UPDATE moved SET record = ?, acknowledged = ?", values)
        progress.moved, progress.moved_acknowledged = moved, acknowledged
        self._at_once = min(ROWS_AT_ONCE, 2 * at_once)
        return more

    def _insert(self, database: sqlite3.Connection, after: int, last: int) -> None:
        number = "destination"
        private = [name for name, one in self._privacy.items() if one.numbers != "keep"]
        if private:
            names = ", ".join(f"'{name}'" for name in map(_quoted, private))
            number = (
                f"CASE WHEN account IN ({names})"
                " THEN private(account, destination, settled_utc) ELSE destination END"
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

    def _add_days(self, database: sqlite3.Connection) -> None:
        taken: list[DaySums] = []
        with suppress(Empty):
            while True:
                taken.append(self._days.get_nowait())
        if not taken:
            return
        try:
            with _transaction(database):
                for one in taken:
                    _add_day(database, one)
        except BaseException:
            self.add(taken)
            raise

    # Who is kept from being known.

    def _know_privacy(self, database: sqlite3.Connection) -> None:
        """Have the file know what accounts want; for those that leave, it remembers."""
        if self._is_private_known:
            return
        settings = self._settings
        with _transaction(database):
            for name, one in settings.items():
                if one == Privacy():
                    database.execute("DELETE FROM privacy WHERE account = ?", (name,))
                else:
                    row = name, one.numbers, one.records_s
                    database.execute("INSERT OR REPLACE INTO privacy VALUES (?, ?, ?)", row)
        rows = database.execute("SELECT account, numbers, records_s FROM privacy")
        self._privacy = {
            AccountName(name): Privacy(numbers=numbers, records_s=records_s)
            for name, numbers, records_s in rows
        }
        self._is_private_known = settings is self._settings

    def _private(self, account: object, number: object, utc: object) -> str:
        """Return a number as the records of this account have it. Called by SQLite."""
        privacy = self._privacy.get(AccountName(str(account)), Privacy(numbers="mask"))
        if not isinstance(number, str):
            return "?"
        if privacy.numbers == "mask" or not isinstance(utc, float):
            return masked(number)
        day = int(utc // _DAY_S)
        key = self._keys.get(day)
        if key is None:
            key = self._keys[day] = os.urandom(32)
        return hashed(number, key)

    # What is too old.

    def _prune(self, database: sqlite3.Connection) -> bool:
        """Delete a few records that are too old; return whether there may be more."""
        now_utc = self._clock_utc()
        before_utc = now_utc - self._keep_s
        last_day = int(before_utc // _DAY_S)
        gone = database.execute(schema.OLD, (PRUNE_ROWS, before_utc)).rowcount
        more = gone == PRUNE_ROWS
        for account, privacy in self._privacy.items():
            if privacy.records_s is not None:
                before = now_utc - privacy.records_s
                values = account, before, PRUNE_ROWS
                of_account = database.execute(schema.OLD_OF_ACCOUNT, values).rowcount
                gone += of_account
                more |= of_account == PRUNE_ROWS
        if gone:
            database.execute(schema.OLD_OTHER_IDS)
            database.executescript("PRAGMA main.incremental_vacuum(200)")
        database.execute("DELETE FROM day_key WHERE day < ?", (last_day,))
        database.execute("DELETE FROM quality WHERE day < ?", (last_day,))
        self._keys = {day: key for day, key in self._keys.items() if day >= last_day}
        return more


@contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    """Keep all that is written within, or nothing."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            with suppress(sqlite3.Error):
                database.execute("ROLLBACK")
        raise


def _can_be_read(journal: sqlite3.Connection, after: int, count: int) -> bool:
    try:  # The copying looks at the row behind the last one, too.
        journal.execute(schema.PIECE, (after, count + 1)).fetchall()
    except sqlite3.DatabaseError:
        return False
    return True


def _moved(path: Path) -> tuple[int, int]:
    """Return how far a file has been filled; 0 where that cannot be read yet."""
    with suppress(sqlite3.Error), closing(read_only(path)) as database:
        row = database.execute("SELECT record, acknowledged FROM moved").fetchone()
        if row is not None:
            return int(row[0]), int(row[1])
    return 0, 0


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
    digits = len(number.lstrip("+"))
    shown = len(number) - digits + max(0, min(_MASKED_FROM, digits - _MASKED))
    return number[:shown] + "*" * (len(number) - shown)


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
    """Whether a file is one of records, even if it is damaged: by its mark, or it is but zeros."""
    with path.open("rb") as file:
        head = file.read(100)
    if head.startswith(_HEADER):
        return int.from_bytes(head[68:72], "big") == schema.APPLICATION_ID
    return not any(head)


def opened(path: Path) -> sqlite3.Connection:
    """Open the file, and make it if there is none; raise RecordsError if it is another's."""
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
    except BaseException:
        database.close()
        raise
    return database
