"""What was committed and is not in the file any more is found at the start, and said."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from router.enqueue.journal import JournalError
from router.enqueue.sqlite_file import JournalLostError
from tests.unit.enqueue.test_sqlite import full
from tests.unit.enqueue.test_sqlite_file import of_version_5
from tests.unit.enqueue.turns import Turns, attempt, changes, rows_of
from tests.unit.messages import delivery, message

SUFFIXES = ("", "-wal", ".lock")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "router.db"


@pytest.fixture
def turns() -> Turns:
    return Turns()


def copied(path: Path, folder: str) -> Path:
    """Copy the journal as a kill of its process at this moment would leave it."""
    copy = path.parent / folder / path.name
    copy.parent.mkdir()
    for suffix in SUFFIXES:
        shutil.copy(f"{path}{suffix}", f"{copy}{suffix}")
    return copy


def killed(path: Path, turns: Turns) -> Path:
    """A journal whose process was killed: most of it is in the WAL."""
    journal = turns.open(path)
    for number in range(1, 20):
        assert turns.keep(journal, changes(accepted=[message(number)])) is None
    assert turns.keep(journal, changes(settled=[message(1)])) is None
    for number in range(20, 40):
        assert turns.keep(journal, changes(accepted=[message(number)])) is None
    copy = copied(path, "killed")
    turns.close(journal)
    return copy


def wal_of(path: Path) -> Path:
    return path.with_name("router.db-wal")


def without_wal(path: Path) -> None:
    wal_of(path).unlink()


def with_half_a_wal(path: Path) -> None:
    os.truncate(wal_of(path), wal_of(path).stat().st_size // 2)


def without_the_last_commit(path: Path) -> None:
    os.truncate(wal_of(path), wal_of(path).stat().st_size - 1)


def without_file(path: Path) -> None:
    path.unlink()


def without_anything(path: Path) -> None:
    path.unlink()
    wal_of(path).unlink()


def empty(path: Path) -> None:
    os.truncate(path, 0)


LOSSES = [
    without_wal,
    with_half_a_wal,
    without_the_last_commit,
    without_file,
    without_anything,
    empty,
]


@pytest.mark.parametrize("lose", LOSSES)
def test_journal_that_lost_something_after_a_kill_does_not_start(
    path: Path, turns: Turns, lose: Callable[[Path], None]
) -> None:
    path = killed(path, turns)
    lose(path)
    left = {one.name: one.stat().st_size for one in path.parent.iterdir()}

    for _ in range(2):  # Also not a second time.
        with pytest.raises(JournalLostError, match="--accept-loss") as refused:
            turns.open(path)
        assert str(path) in str(refused.value)

    found = {one.name: one.stat().st_size for one in path.parent.iterdir()}
    found.pop("router.db-shm", None)  # SQLite makes it beside a WAL, and says nothing with it.
    assert found == left


@pytest.mark.parametrize("lose", LOSSES)
def test_loss_that_is_accepted_is_told_once_and_ids_go_on(
    path: Path, turns: Turns, lose: Callable[[Path], None]
) -> None:
    path = killed(path, turns)
    lose(path)

    journal = turns.open(path, accept_loss=True)

    assert journal.missing
    assert not journal.was_closed
    assert turns.keep(journal, changes(accepted=[message(100)])) is None
    again = copied(path, "again")
    turns.close(journal)
    journal = turns.open(again)
    assert not journal.missing
    turns.close(journal)


@pytest.mark.parametrize("last", ["accepted", "settled", "reserved", "failed"])
def test_killed_journal_that_is_whole_starts(path: Path, turns: Turns, last: str) -> None:
    journal = turns.open(path)
    assert turns.keep(journal, changes(accepted=[message(1), message(2)])) is None
    if last == "settled":
        assert turns.keep(journal, changes(settled=[message(2)])) is None
    elif last == "reserved":
        turns.reserve(journal, 10)
    elif last == "failed":
        with full(journal):
            told = changes(held=[delivery(number) for number in range(1, 1000)])
            assert turns.keep(journal, told) is not None
        assert turns.keep(journal, changes(accepted=[message(3)])) is None
    path = copied(path, "killed")
    turns.close(journal)

    journal = turns.open(path)

    assert not journal.missing
    assert not journal.is_unmarked
    turns.close(journal)


def test_loss_of_a_commit_that_only_settled_is_found(path: Path, turns: Turns) -> None:
    journal = turns.open(path)
    assert turns.keep(journal, changes(accepted=[message(1)])) is None
    before = copied(path, "before")
    assert turns.keep(journal, changes(taken=[attempt(message(1))])) is None
    after = copied(path, "after")
    turns.close(journal)
    for suffix in ("", "-wal"):  # An older copy.
        shutil.copy(f"{before}{suffix}", f"{after}{suffix}")

    with pytest.raises(JournalLostError, match="ends with commit"):
        turns.open(after)


def test_wal_that_is_put_back_makes_it_whole(path: Path, turns: Turns) -> None:
    path = killed(path, turns)
    wal_of(path).rename(path.with_name("away"))
    with pytest.raises(JournalLostError):
        turns.open(path)
    path.with_name("away").rename(wal_of(path))

    journal = turns.open(path)

    assert not journal.missing
    turns.close(journal)
    assert rows_of(path, "message") == 38


def test_older_file_of_an_earlier_schema_is_older(path: Path, turns: Turns) -> None:
    path = killed(path, turns)
    turns.close(turns.open(path))
    lock = path.with_name("router.db.lock").read_bytes().replace(b"shut", b"open")
    with closing(sqlite3.connect(path)) as database:
        of_version_5(database)

    journal = turns.open(path)  # The last process had closed it.
    assert "ends with commit 0" in journal.missing
    turns.close(journal)
    assert lock != path.with_name("router.db.lock").read_bytes()


def test_journal_that_was_closed_may_be_replaced_by_whoever_wants_to(
    path: Path, turns: Turns
) -> None:
    turns.close(turns.open(path))
    path.unlink()

    journal = turns.open(path)

    assert journal.missing
    assert journal.was_closed
    turns.close(journal)
    journal = turns.open(path)
    assert not journal.missing
    turns.close(journal)


def test_journal_that_went_away_while_in_use_was_not_closed(path: Path, turns: Turns) -> None:
    journal = turns.open(path)
    assert turns.keep(journal, changes(accepted=[message(1)])) is None
    path.unlink()
    turns.close(journal)

    with pytest.raises(JournalLostError):
        turns.open(path)


@pytest.mark.parametrize("text", [None, b"", b"4711\n", b"open 1 2", bytes(200), b"\xff" * 84])
def test_journal_without_a_mark_starts_and_is_named(
    path: Path, turns: Turns, text: bytes | None
) -> None:
    path = killed(path, turns)
    lock = path.with_name("router.db.lock")
    if text is None:
        lock.unlink()
    else:
        lock.write_bytes(text)

    journal = turns.open(path)

    assert journal.is_unmarked
    assert not journal.missing
    turns.close(journal)


def test_flipped_bit_in_the_mark_is_no_mark(path: Path, turns: Turns) -> None:
    path = killed(path, turns)
    lock = path.with_name("router.db.lock")
    octets = bytearray(lock.read_bytes())
    octets[octets.index(b"open ") + 5] ^= 1
    lock.write_bytes(octets)

    journal = turns.open(path)

    assert journal.is_unmarked
    turns.close(journal)


def test_first_start_is_no_loss(path: Path, turns: Turns) -> None:
    journal = turns.open(path)

    assert not journal.missing
    assert not journal.is_unmarked
    turns.close(journal)


def test_hard_link_is_the_same_journal(path: Path, turns: Turns) -> None:
    journal = turns.open(path)
    other = path.parent / "elsewhere" / "other.db"
    other.parent.mkdir()
    other.hardlink_to(path)

    with pytest.raises(JournalError, match=r"another router \(under another name"):
        turns.open(other)

    with closing(sqlite3.connect(path)) as database:  # What SQLite has locked is locked still.
        database.execute("BEGIN IMMEDIATE")
        database.execute("ROLLBACK")
    assert turns.keep(journal, changes(accepted=[message(1)])) is None
    turns.close(journal)
    turns.close(turns.open(other))


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal", ".lock"])
def test_pipe_is_no_journal(path: Path, turns: Turns, suffix: str) -> None:
    os.mkfifo(f"{path}{suffix}")

    with pytest.raises(JournalError, match=f"router.db{suffix}: this is no regular file"):
        turns.open(path)
