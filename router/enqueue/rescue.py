"""Rescues what can be read of a damaged journal into a new file.

The rows of each table are read from its first key on and from its last key back, each time to the
first page that cannot be read. What lies between is asked for one by one: the keys that an index of
the table still knows, or else all numbers, where they are not too many. Values are copied as they
are: a row whose checksum is wrong is set aside by the router, when it reads it.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, NamedTuple

from router.enqueue import schema
from router.enqueue.journal import JournalError
from router.enqueue.sqlite_file import code_of, connect, explained, hold, mark_as_ours

_AT_ONCE: Final = 500
"""Rows that are copied by one statement."""
_MOST_TRIED: Final = 20_000
"""Keys that are tried without knowing that there are such rows: about a second."""
_NO_KEY: Final = 2**63
_UNREADABLE: Final = frozenset(
    {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOTADB}
)
_INDEXES: Final = {
    "message": ("message_by_queue", "queue"),
    "sent": ("sent_by_id", "operator"),
    "delivery": ("delivery_by_account", "account"),
}
"""An index that has every row of its table, and so all of its keys; and its first column."""


class Rescued(NamedTuple):
    """What became of one table."""

    table: str
    rows: int
    lost: int
    """Rows that are known to have been there, and cannot be read."""
    is_whole: bool
    """Whether all of the table could be read; if not, more may be lost than is known."""


def rescue(source: Path, target: Path, first_number: int) -> list[Rescued]:
    """Make the journal `target` of what can be read of `source`, which is only read.

    `first_number` starts the ids where the old file no longer knows them. Raises JournalError: then
    there is no target.
    """
    source, target = source.resolve(), target.resolve()
    if not source.is_file():
        raise JournalError(f"{source}: there is no such file")
    if target.exists() or Path(f"{target}-wal").exists():
        raise JournalError(f"{target}: this exists; move it away with its -wal, or name another")
    part = Path(f"{target}.part")
    held = hold(source)
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        if os.geteuid() == 0:  # The router, which is not root, must be able to open it.
            owner = source.stat()
            os.chown(part, owner.st_uid, owner.st_gid)
        with closing(connect(part)) as database:
            told = list(_rescued(database, source, first_number))
        _keep(part, target)
    except (OSError, sqlite3.Error, JournalError) as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise JournalError(f"{error.filename or target}: {error.strerror}") from error
        is_full = code_of(error) == sqlite3.SQLITE_FULL
        raise explained(target if is_full else source, error) from error
    finally:
        os.close(held)
    return told


def _keep(part: Path, target: Path) -> None:
    """Give the file its name once all of it is on disk: half a journal must not look like one."""
    for path in (part, target.parent):
        number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(number)
            if path is part:
                os.link(part, target)  # Not rename: a router that starts may have made one.
                part.unlink()
        finally:
            os.close(number)


def _rescued(database: sqlite3.Connection, source: Path, first_number: int) -> Iterator[Rescued]:
    # With a schema that may be written, SQLite also opens a file that is shorter than it says.
    database.execute("PRAGMA writable_schema = ON")
    database.execute("PRAGMA auto_vacuum = INCREMENTAL")
    database.execute("PRAGMA journal_mode = MEMORY")
    database.execute("PRAGMA synchronous = OFF")  # It is synced at the end.
    database.execute("ATTACH ? AS old", (f"{source.as_uri()}?mode=ro",))
    (version,) = database.execute("PRAGMA old.user_version").fetchone()
    if version > schema.VERSION:
        raise JournalError(
            f"{source}: written by a newer version (schema {version}); rescue it with that version"
        )
    there = dict(database.execute("SELECT name, sql FROM old.sqlite_master WHERE sql != ''"))
    if "message" not in there and "meta" not in there:
        raise JournalError(f"{source}: this is no journal, or its list of tables is damaged")
    is_older = 0 < version < schema.VERSION  # The router brings it to this version later.
    for statement in there.values() if is_older else schema.statements_from(0):
        database.execute(statement)
    tables = database.execute(
        "SELECT name FROM main.sqlite_master WHERE type = 'table' ORDER BY name"
    )
    for (table,) in tables.fetchall():
        yield _Table(database, table).rescued() if table in there else Rescued(table, 0, 0, False)
    if database.execute("SELECT 1 FROM main.meta").fetchone() is None:
        database.execute(
            "INSERT INTO main.meta (next_number, known_utc) VALUES (?, 0.0)", (first_number,)
        )
    mark_as_ours(database, version if is_older else schema.VERSION)


class _Table:
    """One table, from the old file to the new one."""

    def __init__(self, database: sqlite3.Connection, name: str) -> None:
        self._database: Final = database
        self._name: Final = name
        self._met = 0
        """Rows whose keys were read."""
        self._lost = 0
        self._is_whole = True
        self._is_cut = False
        """Whether the last reading of keys has met a page that cannot be read."""

    def rescued(self) -> Rescued:
        """Copy what can be read; return how much that was."""
        keys = self._database.execute(
            "SELECT name FROM pragma_table_info(?) WHERE pk ORDER BY pk", (self._name,)
        )
        names = [name for (name,) in keys]
        if names == ["name"] or len(names) > 1:  # A small one, WITHOUT ROWID.
            self._copy_by_place(", ".join(names), ", ".join(f"{name} DESC" for name in names))
        else:
            self._copy_by_key()
        return Rescued(self._name, self._rows(), self._lost, self._is_whole and not self._lost)

    def _rows(self) -> int:
        (rows,) = self._database.execute(f"SELECT count(*) FROM main.{self._name}").fetchone()
        return int(rows)

    def _copy_by_place(self, *orders: str) -> None:
        for order in orders:
            place = 0
            while True:
                row = f"ORDER BY {order} LIMIT 1 OFFSET ?"
                try:
                    (more,) = self._database.execute(
                        f"SELECT count(*) FROM (SELECT 1 FROM old.{self._name} {row})", (place,)
                    ).fetchone()
                    self._copy(row, place)
                except sqlite3.Error as error:
                    self._note(error)
                    break
                if not more:
                    return
                place += 1

    def _copy_by_key(self) -> None:
        first = max(self._copied(self._keys("ORDER BY rowid")), default=0)
        if not self._is_cut:
            self._lost = self._met - self._rows()
            return
        last = min(self._copied(self._keys("ORDER BY rowid DESC")), default=_NO_KEY)
        known: set[int] = set()
        if self._name in _INDEXES:
            self._is_cut = False
            index, column = _INDEXES[self._name]
            for order in (column, f"{column} DESC"):
                known.update(self._keys(f"INDEXED BY {index} ORDER BY {order}"))
        for _ in self._copied(sorted(key for key in known if first < key < last)):
            pass
        self._lost = max(0, self._met - self._rows())
        if self._is_cut:  # Whether there are such rows is not known.
            most = min(last, first + _MOST_TRIED)
            for _ in self._copied(key for key in range(first + 1, most) if key not in known):
                pass

    def _keys(self, order: str) -> Iterator[int]:
        """Yield keys to the first page that cannot be read; note whether there is one."""
        try:
            for (key,) in self._database.execute(f"SELECT rowid FROM old.{self._name} {order}"):
                yield key
        except sqlite3.Error as error:
            self._note(error)
            self._is_cut = True

    def _copied(self, keys: Iterable[int]) -> Iterator[int]:
        """Copy the rows with these keys; yield each key, also that of a row that cannot be read."""
        batch: list[int] = []
        for key in keys:
            batch.append(key)
            if len(batch) == _AT_ONCE:
                self._copy_batch(batch)
                yield from batch
                batch = []
        self._copy_batch(batch)
        yield from batch

    def _copy_batch(self, keys: list[int]) -> None:
        if not keys:
            return
        self._met += len(keys)
        try:  # What else is between them is wanted, too.
            self._copy("WHERE rowid BETWEEN ? AND ?", min(keys), max(keys))
            return
        except sqlite3.Error as error:
            self._note(error)
        for key in keys:
            try:
                self._copy("WHERE rowid = ?", key)
            except sqlite3.Error as error:
                self._note(error)

    def _copy(self, which: str, *values: int) -> None:
        rows = f"SELECT * FROM old.{self._name} {which}"
        self._database.execute(f"INSERT OR IGNORE INTO main.{self._name} {rows}", values)

    def _note(self, error: sqlite3.Error) -> None:
        if code_of(error) not in _UNREADABLE:
            raise error
        self._is_whole = False
