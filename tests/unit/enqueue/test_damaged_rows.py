"""A row that is none, or not the one that was written, is set aside, and the others go on."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.enqueue import checksums, row_reader
from router.enqueue.journal import Changes, Wanted
from router.enqueue.row_writer import TABLES
from router.enqueue.sqlite import SqliteJournal
from router.terms.names import OperatorId, RouterId
from router.terms.orphan import Orphan
from router.terms.queue_key import QueueKey
from tests.unit.enqueue.test_sqlite_file import of_version_5
from tests.unit.enqueue.turns import Turns, attempt, changes, rows_of, started
from tests.unit.messages import BANK, ELISA, OTP, TELIA, TO_TELIA, delivery, message


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "router.db"


@pytest.fixture
def turns() -> Turns:
    return Turns()


@pytest.fixture
def journal(path: Path, turns: Turns) -> Iterator[SqliteJournal]:
    """Five messages that wait and five that were sent, five deliveries and orphans."""
    journal = turns.open(path)
    waiting, sent = [message(n) for n in range(1, 6)], [message(n) for n in range(11, 16)]
    unseen = [(one, b"fingerprint") for one in waiting]
    assert turns.keep(journal, changes(accepted=[*waiting, *sent], unseen=unseen)) is None
    orphans = [Orphan(TELIA, OperatorId(b"%d" % n), b"\1\0012\0", b"x", 5.0) for n in range(5)]
    held = [delivery(n) for n in range(21, 26)]
    long = [started(n, taken=1) for n in range(1, 6)]
    batch = changes(taken=[attempt(one) for one in sent], held=held, orphaned=orphans, started=long)
    assert turns.keep(journal, batch) is None
    yield journal
    turns.close(journal)


def spoil(path: Path, table: str, key: int, column: str, to: str) -> None:
    """Change one value; `to` is SQL."""
    (name, *_) = TABLES[table]
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"UPDATE {table} SET {column} = {to} WHERE {name} = ?", (key,))


def waiting_in(journal: SqliteJournal, turns: Turns) -> list[int]:
    return [one.router_id for one in turns.waiting(journal)]


def sent_in(journal: SqliteJournal, turns: Turns) -> list[int]:
    return [one.kept_as for one in turns.sent(journal)]


def held_in(journal: SqliteJournal, turns: Turns) -> list[int]:
    return [one.kept_as for one in turns.held(journal)]


def orphans_in(journal: SqliteJournal, turns: Turns) -> list[int]:
    return [one.kept_as for one in turns.recovered(journal).orphans]


def started_in(journal: SqliteJournal, turns: Turns) -> list[int]:
    return [one.number for one in turns.recovered(journal).started]


def unseen_in(journal: SqliteJournal, turns: Turns) -> list[int]:
    return [one.router_id for one in turns.recovered(journal).unseen_answers]


READERS: dict[str, Callable[[SqliteJournal, Turns], list[int]]] = {
    "message": waiting_in,
    "sent": sent_in,
    "delivery": held_in,
    "orphan": orphans_in,
    "started": started_in,
    "unseen_answer": unseen_in,
}
SPOILT = [
    ("message", "octets", "'text'"),
    ("message", "octets", "x''"),
    ("message", "octets", "substr(octets, 1, 20)"),
    ("message", "octets", "CAST(replace(octets, x'54657265', x'55657265') AS BLOB)"),
    ("message", "client_id", "x'3939'"),
    ("message", "client_id", "'text'"),
    ("message", "registered_delivery", "registered_delivery + 1"),
    ("message", "registered_delivery", "x'00'"),
    ("message", "hold_receipt", "1"),
    ("message", "accepted_utc", "accepted_utc + 1"),
    ("message", "expires_utc", "'never'"),
    ("message", "not_before_utc", "7.0"),
    ("message", "checksum", "checksum + 1"),
    ("message", "checksum", "'text'"),
    ("sent", "at_utc", "6.0"),
    ("sent", "router_id", "99"),
    ("sent", "router_id", "'text'"),
    ("sent", "sends", "'text'"),
    ("sent", "part_of", "'text'"),
    ("sent", "queue", "77"),
    ("sent", "registered_delivery", "2"),
    ("sent", "source", "x'00'"),
    ("sent", "operator_id", "x'00'"),
    ("sent", "checksum", "checksum + 1"),
    ("delivery", "router_id", "99"),
    ("delivery", "octets", "'text'"),
    ("delivery", "octets", "x'00'"),
    ("delivery", "final", "0"),
    ("orphan", "octets", "x'00'"),
    ("orphan", "source", "'text'"),
    ("orphan", "operator", "'elisa'"),
    ("started", "operator", "'elisa'"),
    ("started", "queue", "77"),
    ("started", "came", "'text'"),
    ("started", "taken", "2"),
    ("started", "checksum", "checksum + 1"),
    ("unseen_answer", "queue", "77"),
    ("unseen_answer", "client_id", "x'39'"),
    ("unseen_answer", "client_id", "'text'"),
    ("unseen_answer", "accepted_utc", "accepted_utc + 1"),
    ("unseen_answer", "fingerprint", "x'00'"),
    ("unseen_answer", "fingerprint", "'text'"),
    ("unseen_answer", "checksum", "checksum + 1"),
]
SAMPLE = {"message": 3, "sent": 3, "delivery": 3, "orphan": 3, "started": 3, "unseen_answer": 3}


@pytest.mark.parametrize(("table", "column", "to"), SPOILT)
def test_damaged_row_is_told_once_and_the_others_are_read(
    path: Path, turns: Turns, journal: SqliteJournal, table: str, column: str, to: str
) -> None:
    read = READERS[table]
    whole = read(journal, turns)
    spoil(path, table, 3, column, to)

    assert read(journal, turns) == [one for one in whole if one != 3]
    assert read(journal, turns) == [one for one in whole if one != 3]

    (damaged,) = turns.damaged
    assert (damaged.table, damaged.number) == (table, 3)
    assert damaged.why


@pytest.mark.parametrize("table", list(TABLES))
def test_row_is_set_aside_as_it_is_and_found_no_more(
    path: Path, turns: Turns, journal: SqliteJournal, table: str
) -> None:
    columns = ", ".join(TABLES[table])
    spoil(path, table, 3, "checksum", "7")
    with closing(sqlite3.connect(path)) as database:
        before = database.execute(f"SELECT {columns} FROM {table}").fetchall()
    READERS[table](journal, turns)
    batch = Changes()
    batch.set_aside += turns.damaged
    batch.set_aside[0].at_utc = 5.0

    assert turns.keep(journal, batch) is None
    assert turns.keep(journal, batch) is None  # As after a failure that was none.

    assert rows_of(path, table) == 4
    with closing(sqlite3.connect(path)) as database, database:
        ((at_utc, was_in, key, why, row),) = database.execute(
            "SELECT at_utc, was_in, key, why, row FROM set_aside"
        ).fetchall()
        assert (at_utc, was_in, key, why) == (5.0, table, 3, "the checksum is another")
        database.execute(f"INSERT INTO {table} ({columns}) VALUES ({row})")  # A person can.
        after = database.execute(f"SELECT {columns} FROM {table}").fetchall()
    assert sorted(after) == sorted(before)


def test_what_can_be_read_of_a_message_is_told(
    path: Path, turns: Turns, journal: SqliteJournal
) -> None:
    spoil(path, "message", 2, "accepted_utc", "accepted_utc + 1")
    spoil(path, "message", 3, "octets", "x'00'")
    turns.waiting(journal)

    readable, torn = [one.message for one in turns.damaged]

    assert readable is not None
    assert readable.source_octets == message(2).source_octets
    assert readable.destination_octets == message(2).destination_octets
    assert (readable.client_id, readable.account, readable.lane) == (b"2", BANK, OTP)
    assert readable.registered_delivery == 1
    assert torn is not None
    assert (torn.client_id, torn.account) == (b"3", BANK)
    assert torn.registered_delivery == 0  # Whom should a receipt be from?


def test_settled_message_and_its_row_set_aside_are_one_commit(
    path: Path, turns: Turns, journal: SqliteJournal
) -> None:
    spoil(path, "message", 2, "checksum", "7")
    spoil(path, "sent", 2, "checksum", "7")
    turns.waiting(journal)
    turns.sent(journal)
    ended = [one.message for one in turns.damaged if one.message is not None]
    batch = changes(settled=ended)
    batch.set_aside += turns.damaged

    assert turns.keep(journal, batch) is None

    assert [rows_of(path, table) for table in ("message", "sent")] == [4, 4]
    assert [rows_of(path, table) for table in ("set_aside", "record")] == [2, 2]


def test_so_many_damaged_rows_that_a_piece_has_no_other_end_no_queue(
    path: Path, turns: Turns, journal: SqliteJournal
) -> None:
    for number in (1, 2, 3):
        spoil(path, "message", number, "checksum", "7")
        spoil(path, "delivery", number, "checksum", "7")

    wanted = Wanted(QueueKey(TO_TELIA, OTP, BANK), RouterId(0), 2)
    assert [one.router_id for one in turns.waiting(journal, wanted)] == [4, 5]
    assert [one.kept_as for one in turns.held(journal, 0, 2)] == [4, 5]


def test_message_goes_on_with_the_attempt_that_is_whole(
    path: Path, turns: Turns, journal: SqliteJournal
) -> None:
    twice = message(30)
    assert turns.keep(journal, changes(accepted=[twice])) is None
    twice.writes = 2
    taken = [attempt(twice, TELIA, b"t"), attempt(twice, ELISA, b"e")]
    assert turns.keep(journal, changes(taken=taken)) is None
    spoil(path, "sent", taken[0].kept_as, "checksum", "7")

    (whole,) = turns.recalled(journal, b"t")

    assert (whole.operator, whole.message.router_id) == (ELISA, 30)
    (damaged,) = turns.damaged
    assert damaged.message is None


def test_message_both_of_whose_attempts_are_damaged_ends_once(
    path: Path, turns: Turns, journal: SqliteJournal
) -> None:
    twice = message(30)
    assert turns.keep(journal, changes(accepted=[twice])) is None
    twice.writes = 2
    taken = [attempt(twice, TELIA, b"t"), attempt(twice, ELISA, b"e")]
    assert turns.keep(journal, changes(taken=taken)) is None
    for one in taken:
        spoil(path, "sent", one.kept_as, "checksum", "7")

    assert turns.recalled(journal, b"t") == []

    ended = [one.message for one in turns.damaged if one.message is not None]
    assert [one.router_id for one in ended] == [30]


def test_receipt_that_asks_for_a_damaged_attempt_finds_the_others(
    path: Path, turns: Turns, journal: SqliteJournal
) -> None:
    spoil(path, "sent", 1, "part_of", "'text'")
    spoil(path, "sent", 2, "router_id", "'text'")

    found = turns.recalled(journal, b"id-11", b"id-12", b"id-13")

    assert [one.message.router_id for one in found] == [13]
    assert sorted(one.number for one in turns.damaged) == [1, 2]


def test_message_of_no_queue_is_found_at_the_start(path: Path, turns: Turns) -> None:
    journal = turns.open(path)
    assert turns.keep(journal, changes(accepted=[message(1), message(2)])) is None
    spoil(path, "message", 2, "queue", "77")

    (backlog,) = turns.recovered(journal).waiting

    assert backlog.count == 1
    (damaged,) = turns.damaged
    assert (damaged.table, damaged.number, damaged.message) == ("message", 2, None)
    turns.close(journal)


def test_rows_of_an_earlier_version_are_not_checked(path: Path, turns: Turns) -> None:
    journal = turns.open(path)
    taken = message(2)
    assert turns.keep(journal, changes(accepted=[message(1), taken])) is None
    sent = changes(taken=[attempt(taken)], held=[delivery(3)])
    assert turns.keep(journal, sent) is None
    turns.close(journal)
    with closing(sqlite3.connect(path)) as database, database:
        of_version_5(database)

    journal = turns.open(path)
    assert turns.keep(journal, changes(accepted=[message(4)])) is None

    assert waiting_in(journal, turns) == [1, 4]
    assert len(turns.sent(journal)) == len(turns.held(journal)) == 1
    assert not turns.damaged
    turns.close(journal)
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT checksum IS NULL FROM message").fetchall()
    assert rows == [(1,), (0,)]


def test_failure_that_an_operator_tells_later_damages_nothing(
    turns: Turns, journal: SqliteJournal
) -> None:
    twice = message(30)
    assert turns.keep(journal, changes(accepted=[twice])) is None
    one = attempt(twice, TELIA, b"t")
    assert turns.keep(journal, changes(taken=[one])) is None
    one.failure = b"failed"
    assert turns.keep(journal, changes(taken=[one])) is None

    (again,) = turns.recalled(journal, b"t")

    assert again.failure == b"failed"
    assert not turns.damaged


def test_checksums_are_those_of_the_files() -> None:
    """They are in files that others have: another form would set all of their rows aside."""
    assert checksums.of_message(1, 2, None, 1, 0, 1.5, None, 0.0, b"octets") == 0x44DE392E
    assert checksums.of_message(1, 2, b"id", 1, 1, 1.5, 2.5, 3.0, b"octets") == 0x9B6C486B
    assert checksums.of_attempt(
        1, "telia", b"id", 1.5, 2, 3, None, 1, 0, 1, 2.5, b"\1\0011\0", b"\1\0012\0", None
    ) == 0x7864629F  # fmt: skip
    assert checksums.of_delivery(1, "bank", 2, 1.5, 1, b"octets") == 0x714557B4
    assert checksums.of_started(
        1, 2, "telia", b"\1\0011\0", b"\1\0012\0", 3, 4, 5, b"\1came", 6, 1.5, 2.5
    ) == 0xE79DABF1  # fmt: skip
    assert checksums.of_orphan(1, "telia", b"id", 1.5, b"\1\0011\0", b"octets") == 0x2CFF2900


@given(st.integers(min_value=0))
def test_every_flipped_bit_of_a_message_is_found(bit: int) -> None:
    one = message(5)
    checksum = checksums.of_message(5, 1, None, 1, 0, 2.0, None, 0.0, one.octets)
    octets = bytearray(one.octets)
    octets[bit // 8 % len(octets)] ^= 1 << bit % 8

    with pytest.raises(row_reader.DamageError):
        row_reader.to_message(
            (5, None, 1, 0, 2.0, None, 0.0, bytes(octets), checksum, None),
            1,
            QueueKey(TO_TELIA, OTP, BANK),
        )
