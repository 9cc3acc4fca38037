"""The journal's file: one daemon at a time, a schema that we know, errors that say what to do."""

import fcntl
import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from router.enqueue import row_writer, schema
from router.enqueue.journal import JournalError, first_number_at
from router.enqueue.lock_file import Mark, in_use, refuse_unless_regular
from router.enqueue.row_reader import COMMITS, KNOWN_UTC, WAITS

WAL: Final = "-wal"
"""What SQLite adds to the file's name for its log."""
_OF_SQLITE: Final = "", WAL, "-shm", "-journal"
"""What stands behind the name of each file that SQLite opens."""
_LONGEST_AWAY_S: Final = 60 * 86_400.0
"""Longest stop that is possible at all: beyond it the wall clock is wrong."""
_BUSY_S: Final = 5.0
"""How long to wait for the write lock of another program, such as the `sqlite3` shell."""
_STATEMENTS: Final = 256
"""How many statements are kept compiled: ten sizes of a dozen kinds, and those that read."""
_CHECKPOINT_PAGES: Final = 4000
"""Pages in the WAL after which a commit copies it into the file: 16 MB; the default is 4."""
_LONGEST_WAL_BYTES: Final = 64 * 2**20
"""A WAL that grew beyond this, because of a long reading, is cut back to this."""
_SPARE_PAGES: Final = 4096
"""Pages of the file that may stay free for the next backlog: 16 MB."""
_PAGES_AT_ONCE: Final = 100
"""Pages given back to the file system at a time: about 10 ms, which a commit may have to wait."""
_HAS_COMMITS: Final = "SELECT count(*) FROM pragma_table_info('meta') WHERE name = 'commits'"
_HAS_OUR_TABLES: Final = (
    "SELECT count(*) FROM sqlite_master"
    " WHERE type = 'table' AND name IN ('message', 'delivery', 'meta')"
)
_DUMP_ADVICE: Final = "move it away, and make a journal of it: `smpp-router rescue FROM TO`"
_MAY_WE: Final = "may we write the file and its folder?"
_RESCUE_ADVICE: Final = (
    "stop the router, move all files of the journal away, and make a new one of what can be read:"
    ' `smpp-router rescue FROM TO` ("Rescue" in systemd/README.md)'
)
_ADVICE: Final = {
    sqlite3.SQLITE_NOTADB: "another file has this name; move it away, or change journal.url",
    sqlite3.SQLITE_CORRUPT: _RESCUE_ADVICE,
    sqlite3.SQLITE_READONLY: _MAY_WE,
    sqlite3.SQLITE_CANTOPEN: _MAY_WE,
    sqlite3.SQLITE_BUSY: "another program has it open for writing; end that one",
    sqlite3.SQLITE_FULL: "the disk has no room left",
    sqlite3.SQLITE_IOERR: "is the disk well?",
}
"""What to do about an error, by SQLite's primary code."""

_NOTHING: Final[dict[None, None]] = {}
# Before Python 3.12, `sqlite3` asks how to adapt each value but int, float and str, and takes the
# answer "not at all" for an exception inside: 0.2 to 0.3 us for each None, bool and bytes. These
# adapters hand back what they are given, in half the time; written in C, so that no frame is made.
sqlite3.register_adapter(bytes, bytes.__bytes__)
sqlite3.register_adapter(bool, int)
sqlite3.register_adapter(type(None), _NOTHING.get)


class JournalLostError(JournalError):
    """The journal is not all there."""


def missing(path: Path, mark: Mark) -> str:
    """Return what of the journal's commits is not in the file, for people; empty if all are.

    Changes nothing, so that what is found can still be put right: SQLite deletes the WAL of a file
    that is empty, and copies one that was cut. Nor does it make a WAL, in whose place nobody could
    put the one that was rescued. Raises JournalError.
    """
    try:
        if not path.stat().st_size:
            return f"it is empty, and had {mark.commit} commits" if mark.commit else ""
    except FileNotFoundError:
        return f"there is none, and it had {mark.commit} commits" if mark.commit else ""
    except OSError as error:
        raise explained(path, error) from error
    try:
        # Without a WAL, SQLite would make one; an immutable file has none. We hold the lock.
        is_whole = not any(Path(f"{path}{suffix}").exists() for suffix in (WAL, "-journal"))
        how = "mode=ro&immutable=1" if is_whole else "mode=ro"
        with closing(sqlite3.connect(f"{path.as_uri()}?{how}", uri=True)) as database:
            (has_commits,) = database.execute(_HAS_COMMITS).fetchone()
            (commits,) = database.execute(COMMITS).fetchone() if has_commits else (0,)
            if commits < mark.commit:
                return f"it ends with commit {commits}, and had {mark.commit}"
            is_last = commits == mark.commit and mark.message
            if is_last and database.execute(WAITS, (mark.message,)).fetchone() is None:
                return f"message {mark.message}, the last that it had accepted, is not there"
    except sqlite3.Error as error:
        raise explained(path, error) from error
    return ""


def hold(path: Path) -> int:
    """Lock the file itself, and make it if there is none: two names may mean one file.

    It holds texts: only its owner may read it. The descriptor must be open before SQLite opens the
    file and until SQLite has closed it: to close any descriptor of a file frees the locks of
    `fcntl` that SQLite has. These locks, of `flock`, are others.
    """
    for suffix in _OF_SQLITE:
        refuse_unless_regular(Path(f"{path}{suffix}"))
    try:
        held = _descriptor_of(path)
    except OSError as error:
        raise JournalError(f"{path}: {error.strerror}; {_MAY_WE}") from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        raise in_use(path, "under another name of the file") from None
    return held


def _descriptor_of(path: Path) -> int:
    try:
        return os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except PermissionError:  # What may only be read is refused later, with the reason.
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def connect(path: Path) -> sqlite3.Connection:
    """Connect to a file that exists."""
    database = sqlite3.connect(
        f"{path.as_uri()}?mode=rw",
        uri=True,
        timeout=_BUSY_S,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_STATEMENTS,
    )
    try:
        database.execute("PRAGMA synchronous = FULL")
        database.execute("PRAGMA secure_delete = FAST")  # Texts do not stay where it costs nothing.
        database.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        database.execute(f"PRAGMA journal_size_limit = {_LONGEST_WAL_BYTES}")
    except BaseException:
        database.close()
        raise
    return database


def opened(path: Path, first_number: int, commits: int = 0) -> sqlite3.Connection:
    """Open the file, and make its tables if it is new; raise JournalError if it cannot be used.

    The number of its next commit is above `commits`.
    """
    try:
        _keep_private(path)
        database = connect(path)
    except (OSError, sqlite3.Error) as error:
        raise explained(path, error) from error
    try:
        _prepare(path, database, first_number, commits)
    except Exception as error:
        database.close()
        raise explained(path, error) from error
    return database


def _keep_private(path: Path) -> None:
    """Make the file if there is none. It holds texts: only its owner may read it.

    SQLite gives the WAL the same rights. A file of another owner stays as it is.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    for suffix in ("", WAL, "-shm"):  # Those of an earlier version, or of another umask.
        with suppress(FileNotFoundError, PermissionError):
            os.chmod(f"{path}{suffix}", 0o600)


def _prepare(path: Path, database: sqlite3.Connection, first_number: int, commits: int) -> None:
    """Make or migrate the tables, and test that the file can be written.

    Raises JournalError, or the error of SQLite.
    """
    (version,) = database.execute("PRAGMA user_version").fetchone()
    (application_id,) = database.execute("PRAGMA application_id").fetchone()
    (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application_id != schema.APPLICATION_ID:
        if not application_id and database.execute(_HAS_OUR_TABLES).fetchone() == (3,):
            raise JournalError(
                f"{path}: it has the tables of a journal, and not its application_id, as a dump"
                f" loses it; {_DUMP_ADVICE}"
            )
        advice = "name another file in journal.url"
        raise JournalError(f"{path}: this is the database of another program; {advice}")
    if version > schema.VERSION:
        raise JournalError(
            f"{path}: written by a newer version (schema {version}, this one reads"
            f" {schema.VERSION}); run that version"
        )
    if not tables:
        database.execute("PRAGMA auto_vacuum = INCREMENTAL")
    (mode,) = database.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        advice = "put the journal on a local disk"
        raise JournalError(f"{path}: this file system does not let SQLite share memory; {advice}")
    database.execute("BEGIN IMMEDIATE")
    if version == schema.VERSION:
        # A write, so that a file that may only be read is found now and not much later.
        database.execute(row_writer.GO_ON, (_least_number(database, first_number), commits))
    else:
        for statement in schema.statements_from(version if tables else 0):
            database.execute(statement)
        if tables:
            database.execute(row_writer.GO_ON, (_least_number(database, first_number), commits))
        else:
            database.execute("INSERT INTO meta VALUES (?, 0.0, ?)", (first_number, commits + 1))
        mark_as_ours(database, schema.VERSION)
    database.execute("COMMIT")


def mark_as_ours(database: sqlite3.Connection, version: int) -> None:
    """Write into the file that it is a journal, and of which version its tables are."""
    database.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
    database.execute(f"PRAGMA user_version = {version}")


def _least_number(database: sqlite3.Connection, first_number: int) -> int:
    """Return the least number for new ids; 0 if the file may go on with its own.

    A file that was restored from a copy must not give ids that were given after the copy was made.
    The number at which a new file would begin now is beyond those, unless the clock is wrong.
    """
    (known_utc,) = database.execute(KNOWN_UTC).fetchone()
    return first_number if first_number <= first_number_at(known_utc + _LONGEST_AWAY_S) else 0


def tidied(database: sqlite3.Connection) -> bool:
    """Give a few free pages back, or else copy the WAL; return whether there is more to do."""
    (free,) = database.execute("PRAGMA freelist_count").fetchone()
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    # Pages move to where others were free: where most are, each moves about once.
    if free > _SPARE_PAGES and free > pages // 2:
        # All of a script is run without the interpreter; execute() would take one page.
        database.executescript(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})")
        return True
    database.execute("PRAGMA wal_checkpoint(PASSIVE)")
    return False


def free_octets(path: Path) -> int:
    """Return how much more the file may hold: the space of its disk, and pages that are free in it.

    Those count only while the disk has room for SQLite's log, by which they are written. Raises
    OSError or sqlite3.Error.
    """
    disk = os.statvfs(path.parent)
    on_disk = disk.f_bavail * disk.f_frsize
    if on_disk < _LONGEST_WAL_BYTES:
        return on_disk
    with closing(connect(path)) as database:
        (free,) = database.execute("PRAGMA freelist_count").fetchone()
        (page_size,) = database.execute("PRAGMA page_size").fetchone()
    return on_disk + int(free) * int(page_size)


def explained(path: Path, cause: Exception) -> JournalError:
    """Return an error that says what happened, where, and what to do about it."""
    if isinstance(cause, JournalError):
        return cause
    if not isinstance(cause, sqlite3.Error):
        return JournalError(f"{path}: {type(cause).__name__}: {cause}")
    advice = _ADVICE.get(code_of(cause))
    return JournalError(f"{path}: {cause}" + (f"; {advice}" if advice else ""))


def code_of(cause: Exception) -> int:
    """Return SQLite's primary error code; 0 for an error that is not of SQLite."""
    code: int = getattr(cause, "sqlite_errorcode", 0)
    return code & 0xFF
