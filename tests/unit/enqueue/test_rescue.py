"""router/enqueue/rescue.py: what can be read of a damaged journal, in a new one."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from router.enqueue import schema
from router.enqueue.journal import JournalError
from router.enqueue.rescue import Rescued, rescue
from tests.unit.enqueue.test_sqlite_file import of_version_6
from tests.unit.enqueue.turns import Turns, attempt, changes, rows_of
from tests.unit.messages import delivery, message

PAGE_OCTETS = 4096
MESSAGES = 3000
FIRST_NUMBER = 5_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "router.db"


@pytest.fixture
def rescued(tmp_path: Path) -> Path:
    return tmp_path / "rescued.db"


@pytest.fixture
def turns() -> Turns:
    return Turns()


@pytest.fixture
def journal(turns: Turns, path: Path) -> Path:
    """A file with rows in several tables, on many pages."""
    opened = turns.open(path)
    accepted = [message(number) for number in range(1, MESSAGES + 1)]
    assert turns.keep(opened, changes(accepted=accepted)) is None
    sent = [attempt(one) for one in accepted[:1000]]
    assert turns.keep(opened, changes(taken=sent)) is None
    held = [delivery(number) for number in range(1, 501)]
    assert turns.keep(opened, changes(held=held)) is None
    turns.close(opened)
    path.with_name("router.db.lock").unlink()
    return path


def of(told: list[Rescued], table: str) -> Rescued:
    (one,) = [one for one in told if one.table == table]
    return one


def leaves_of(path: Path, table: str) -> list[int]:
    """The numbers of the pages that hold the rows of a table, in the order of their keys."""
    with closing(sqlite3.connect(path)) as database:
        (root,) = database.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)
        ).fetchone()
    octets = path.read_bytes()
    return _leaves(octets, root)


def _leaves(octets: bytes, page: int) -> list[int]:
    start = (page - 1) * PAGE_OCTETS
    one = octets[start : start + PAGE_OCTETS]
    if one[0] == 13:
        return [page]
    assert one[0] == 5
    count = int.from_bytes(one[3:5], "big")
    cells = [int.from_bytes(one[12 + 2 * at : 14 + 2 * at], "big") for at in range(count)]
    children = [int.from_bytes(one[cell : cell + 4], "big") for cell in cells]
    children.append(int.from_bytes(one[8:12], "big"))
    return [leaf for child in children for leaf in _leaves(octets, child)]


def destroy(path: Path, *pages: int) -> None:
    with path.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * PAGE_OCTETS)
            file.write(b"\xff" * PAGE_OCTETS)


def test_sound_journal_is_copied_whole_and_opens(
    journal: Path, rescued: Path, turns: Turns
) -> None:
    before = journal.read_bytes()

    told = rescue(journal, rescued, FIRST_NUMBER)

    assert of(told, "message") == Rescued("message", 2000, 0, True)
    assert of(told, "sent") == Rescued("sent", 1000, 0, True)
    assert of(told, "delivery") == Rescued("delivery", 500, 0, True)
    assert all(one.is_whole for one in told)
    assert journal.read_bytes() == before
    for table in ("message", "sent", "delivery", "queue", "meta"):
        with closing(sqlite3.connect(journal)) as old, closing(sqlite3.connect(rescued)) as new:
            rows = f"SELECT * FROM {table}"
            assert old.execute(rows).fetchall() == new.execute(rows).fetchall()
    assert rescued.stat().st_mode & 0o777 == 0o600
    turns.close(turns.open(rescued))


def test_what_is_only_in_the_wal_is_rescued_too(journal: Path, rescued: Path) -> None:
    with closing(sqlite3.connect(journal)) as database:
        database.execute("INSERT INTO record SELECT 7, 7, NULL, 'a', 'b', NULL, 'c', NULL, 'd',"
                         " 'e', 1, 1, 1.0, NULL, 2.0, NULL, NULL, NULL, NULL, NULL, 0")  # fmt: skip
        database.commit()
        copied = journal.with_name("copied.db")
        copied.write_bytes(journal.read_bytes())
        wal = journal.with_name("router.db-wal").read_bytes()
        assert wal
        copied.with_name("copied.db-wal").write_bytes(wal)

    assert of(rescue(copied, rescued, FIRST_NUMBER), "record").rows == 1


def test_rows_on_sound_pages_between_damaged_ones_are_rescued(
    journal: Path, rescued: Path, turns: Turns
) -> None:
    leaves = leaves_of(journal, "message")
    assert len(leaves) > 20
    destroy(journal, leaves[2], leaves[10], leaves[-3])

    told = of(rescue(journal, rescued, FIRST_NUMBER), "message")

    assert not told.is_whole
    assert told.rows + told.lost == 2000
    assert 0 < told.lost < 2000 * 5 // len(leaves)
    with closing(sqlite3.connect(rescued)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    turns.close(turns.open(rescued))


def test_rows_are_rescued_where_no_index_knows_them(journal: Path, rescued: Path) -> None:
    with closing(sqlite3.connect(journal)) as database, database:
        row = "NULL, 7, NULL, 'bank', 'otp', NULL, 'sent', NULL, 'd', 'e', 1, 1, 1.0, NULL, 2.0"
        row += ", NULL, NULL, NULL, NULL, NULL, 0"
        database.executemany(f"INSERT INTO record VALUES ({row})", [()] * 2000)
    leaves = leaves_of(journal, "record")
    assert len(leaves) > 10
    destroy(journal, leaves[2], leaves[-3])

    told = of(rescue(journal, rescued, FIRST_NUMBER), "record")

    assert told.lost == 0  # Not known.
    assert not told.is_whole
    assert 2000 * (1 - 4 / len(leaves)) < told.rows < 2000


def test_row_that_no_journal_can_hold_is_told_as_lost(journal: Path, rescued: Path) -> None:
    with closing(sqlite3.connect(journal)) as database:
        database.executescript(
            """PRAGMA writable_schema = ON;
            UPDATE sqlite_master SET sql = replace(sql, 'octets BLOB NOT NULL', 'octets BLOB');
            PRAGMA writable_schema = RESET;
            UPDATE delivery SET octets = NULL WHERE number = 7"""
        )

    assert of(rescue(journal, rescued, FIRST_NUMBER), "delivery") == Rescued(
        "delivery", 499, 1, False
    )


def test_file_that_was_cut_short_becomes_a_journal_that_opens(
    journal: Path, rescued: Path, turns: Turns
) -> None:
    os.truncate(journal, journal.stat().st_size * 2 // 3)

    told = rescue(journal, rescued, FIRST_NUMBER)

    assert not all(one.is_whole for one in told)
    assert of(told, "message").rows > 0
    turns.close(turns.open(rescued))
    with closing(sqlite3.connect(rescued)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)
        assert database.execute("PRAGMA application_id").fetchone() == (schema.APPLICATION_ID,)
        assert database.execute("PRAGMA auto_vacuum").fetchone() == (2,)


def test_damaged_small_tables_do_not_keep_the_journal_from_starting(
    journal: Path, rescued: Path, turns: Turns
) -> None:
    with closing(sqlite3.connect(journal)) as database:
        roots = database.execute(
            "SELECT rootpage FROM sqlite_master WHERE name IN ('meta', 'account')"
        ).fetchall()
    destroy(journal, *(root for (root,) in roots))

    told = rescue(journal, rescued, FIRST_NUMBER)

    assert of(told, "account") == Rescued("account", 0, 0, False)
    assert of(told, "message").rows == 2000
    with closing(sqlite3.connect(rescued)) as database:
        assert database.execute("SELECT next_number FROM meta").fetchall() == [(FIRST_NUMBER,)]
    turns.close(turns.open(rescued))


def test_dump_that_lost_its_marks_is_refused_with_what_to_do(
    journal: Path, rescued: Path, turns: Turns
) -> None:
    dumped = journal.with_name("dumped.db")
    with closing(sqlite3.connect(journal)) as old, closing(sqlite3.connect(dumped)) as new:
        new.executescript("\n".join(old.iterdump()))

    with pytest.raises(JournalError, match="smpp-router rescue"):
        turns.open(dumped)

    assert of(rescue(dumped, rescued, FIRST_NUMBER), "message").rows == 2000
    turns.close(turns.open(rescued))


def test_journal_of_an_earlier_version_is_brought_to_this_one_by_the_start(
    journal: Path, rescued: Path, turns: Turns
) -> None:
    with closing(sqlite3.connect(journal)) as database:
        of_version_6(database)

    told = rescue(journal, rescued, FIRST_NUMBER)

    assert {one.table for one in told}.isdisjoint({"started", "renamed"})
    turns.close(turns.open(rescued))
    assert rows_of(rescued, "message") == 2000
    assert rows_of(rescued, "started") == 0


def test_nothing_is_made_where_there_is_nothing_to_rescue(
    journal: Path, rescued: Path, tmp_path: Path, turns: Turns
) -> None:
    text = tmp_path / "text.db"
    text.write_bytes(b"no database" * 1000)
    songs = tmp_path / "songs.db"
    with closing(sqlite3.connect(songs)) as database:
        database.execute("CREATE TABLE song (title TEXT)")
    newer = tmp_path / "newer.db"
    with closing(sqlite3.connect(newer)) as database:
        database.executescript(f"CREATE TABLE meta (a); PRAGMA user_version = {schema.VERSION + 1}")
    cases = {
        tmp_path / "none.db": "no such file",
        text: "not a database",
        songs: "no journal",
        newer: "newer version",
    }
    for source, why in cases.items():
        with pytest.raises(JournalError, match=why) as refused:
            rescue(source, rescued, FIRST_NUMBER)
        assert str(source) in str(refused.value)

    running = turns.open(journal)
    with pytest.raises(JournalError, match="another router"):
        rescue(journal, rescued, FIRST_NUMBER)
    turns.close(running)
    assert not list(tmp_path.glob("rescued*"))
    assert not (tmp_path / "none.db").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_file_that_root_has_rescued_is_of_the_owner_of_the_damaged_one(
    journal: Path, rescued: Path
) -> None:
    os.chown(journal, 4711, 4712)
    rescue(journal, rescued, FIRST_NUMBER)
    found = rescued.stat()
    assert (found.st_uid, found.st_gid) == (4711, 4712)


def test_folder_that_is_not_there_is_named(journal: Path, tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"nowhere/router\.db\.part: No such file"):
        rescue(journal, tmp_path / "nowhere" / "router.db", FIRST_NUMBER)


def test_file_that_exists_is_not_overwritten(journal: Path) -> None:
    octets = journal.read_bytes()

    with pytest.raises(JournalError, match="exists"):
        rescue(journal, journal, FIRST_NUMBER)

    assert journal.read_bytes() == octets
