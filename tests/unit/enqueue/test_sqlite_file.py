"""router/enqueue/sqlite_file.py: one daemon at a time, a known schema, errors that help."""

import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from router.enqueue import schema
from router.enqueue.journal import (
    Backlog,
    Held,
    JournalError,
    Recovered,
    Renames,
    first_number_at,
)
from router.enqueue.sqlite import SqliteJournal
from router.enqueue.sqlite_file import connect, free_octets, tidied
from router.terms.group import Group
from router.terms.names import OperatorId
from router.terms.orphan import Orphan
from router.terms.queue_key import QueueKey
from tests.unit.enqueue.turns import Turns, attempt, changes, rows_of, started
from tests.unit.messages import BANK, ELISA, OTP, SHOP, TELIA, TO_TELIA, delivery, message


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "router.db"


@pytest.fixture
def turns() -> Turns:
    return Turns()


def filled(turns: Turns, path: Path, messages: int = 200) -> None:
    """A journal that somebody has used and closed."""
    journal = turns.open(path)
    accepted = [message(number) for number in range(1, messages + 1)]
    assert turns.keep(journal, changes(accepted=accepted)) is None
    turns.close(journal)


def why_not(turns: Turns, path: Path) -> str:
    """What it says instead of opening."""
    with pytest.raises(JournalError) as refused:
        turns.open(path)
    said = str(refused.value)
    assert str(path) in said
    assert "\n" not in said
    return said


def test_new_journal_is_made_where_there_is_none(path: Path, turns: Turns) -> None:
    journal = turns.open(path)
    turns.close(journal)

    assert rows_of(path, "message") == 0
    with closing(sqlite3.connect(path)) as database:
        asked = {
            name: database.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("user_version", "application_id", "journal_mode", "auto_vacuum")
        }
    assert asked == {
        "user_version": schema.VERSION,
        "application_id": schema.APPLICATION_ID,
        "journal_mode": "wal",
        "auto_vacuum": 2,
    }


@pytest.mark.parametrize("is_there", [False, True])
def test_only_its_owner_may_read_it_whatever_the_umask(
    path: Path, turns: Turns, *, is_there: bool
) -> None:
    before = os.umask(0)
    try:
        if is_there:
            path.touch(0o644)
        journal = turns.open(path)
        assert turns.keep(journal, changes(accepted=[message(1)])) is None
    finally:
        os.umask(before)

    modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()}
    assert modes == dict.fromkeys(
        ["router.db", "router.db-wal", "router.db-shm", "router.db.lock"], 0o600
    )
    turns.close(journal)


@pytest.mark.parametrize(("days", "is_believed"), [(30, True), (300, False)])
def test_copy_that_is_put_back_repeats_no_id_that_was_given_since(
    path: Path, turns: Turns, days: int, *, is_believed: bool
) -> None:
    copied_utc, now_utc = 1.8e9, 1.8e9 + days * 86_400
    journal = turns.open(path, first_number=first_number_at(copied_utc))
    told = changes()
    told.at_utc = copied_utc
    assert turns.keep(journal, told) is None
    turns.close(journal)

    journal = turns.open(path, first_number=first_number_at(now_utc))

    first = turns.reserve(journal, 1)
    turns.close(journal)
    assert (first >= first_number_at(now_utc)) == is_believed
    assert first > first_number_at(copied_utc)


@pytest.mark.parametrize("value", [None, True, False, b"", b"\0\xff", 0, 1.5, "", "\u20ac"])
def test_values_come_back_as_they_went(path: Path, turns: Turns, value: object) -> None:
    turns.close(turns.open(path))
    with closing(connect(path)) as database:
        (found,) = database.execute("SELECT ?", (value,)).fetchone()

    assert found == value
    assert type(found) is (int if isinstance(value, bool) else type(value))


def test_commits_are_synced(path: Path, turns: Turns) -> None:
    journal = turns.open(path)
    asked: list[int] = []

    def ask(database: sqlite3.Connection) -> None:
        asked.extend(database.execute("PRAGMA synchronous").fetchone())

    assert journal._database is not None
    ask(journal._database)
    assert asked == [2]
    turns.close(journal)


def test_second_daemon_is_told_who_has_the_journal(path: Path, turns: Turns) -> None:
    journal = turns.open(path)

    said = why_not(turns, path)

    assert f"another router (process {os.getpid()})" in said
    turns.close(journal)
    turns.close(turns.open(path))


def test_other_name_of_the_same_journal_is_the_same_journal(
    tmp_path: Path, path: Path, turns: Turns
) -> None:
    (tmp_path / "linked.db").symlink_to(path)
    journal = turns.open(tmp_path / "linked.db")

    assert "another router" in why_not(turns, path)
    turns.close(journal)


def test_lock_that_a_dead_daemon_left_is_no_lock(path: Path, turns: Turns) -> None:
    path.with_name("router.db.lock").write_text("4194304\n")

    turns.close(turns.open(path))


def test_missing_folder_is_named(tmp_path: Path, turns: Turns) -> None:
    said = why_not(turns, tmp_path / "nowhere" / "router.db")

    assert "No such file or directory" in said
    assert "folder" in said


def test_folder_is_no_journal(tmp_path: Path, turns: Turns) -> None:
    (tmp_path / "router.db").mkdir()

    assert "no regular file" in why_not(turns, tmp_path / "router.db")


def test_file_that_is_no_database_is_left_alone(path: Path, turns: Turns) -> None:
    text = b"this is somebody's letter, and long enough for a header\n" * 100
    path.write_bytes(text)

    said = why_not(turns, path)

    assert "not a database" in said
    assert "journal.url" in said
    assert path.read_bytes() == text


def test_database_of_another_program_is_left_alone(path: Path, turns: Turns) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE song (title TEXT)")
    octets = path.read_bytes()

    assert "another program" in why_not(turns, path)

    assert path.read_bytes() == octets


def test_newer_version_is_refused_and_left_alone(path: Path, turns: Turns) -> None:
    filled(turns, path)
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {schema.VERSION + 1}")

    said = why_not(turns, path)

    assert f"schema {schema.VERSION + 1}" in said
    assert "newer version" in said
    assert rows_of(path, "message") == 200


def test_refused_journal_is_not_held(path: Path, turns: Turns) -> None:
    filled(turns, path)
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 99")
        why_not(turns, path)
        database.execute(f"PRAGMA user_version = {schema.VERSION}")

    turns.close(turns.open(path))


def test_empty_file_becomes_a_journal(path: Path, turns: Turns) -> None:
    path.touch()

    filled(turns, path)

    assert rows_of(path, "message") == 200


def test_tables_that_are_not_all_there_are_found_at_once(path: Path, turns: Turns) -> None:
    filled(turns, path)
    with closing(sqlite3.connect(path)) as database:
        database.execute("DROP TABLE delivery")

    assert "no such table: delivery" in why_not(turns, path)


@pytest.mark.parametrize(
    ("what", "ask"),
    [
        ("message_by_queue", Turns.recovered),  # It only counts.
        ("message", Turns.waiting),
        ("sent", Turns.sent),
        ("delivery", Turns.held),
    ],
)
def test_damage_is_found_by_what_reads_it(
    what: str, ask: Callable[[Turns, SqliteJournal], object], path: Path, turns: Turns
) -> None:
    filled(turns, path)
    with closing(sqlite3.connect(path)) as database:
        (page,) = database.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = ?", (what,)
        ).fetchone()
    with path.open("r+b") as file:
        file.seek(4096 * (page - 1))
        file.write(b"\xa5" * 4096)

    try:
        journal = turns.open(path)
    except JournalError as refused:
        assert what in ("sent", "delivery")  # Their last numbers are needed at once.
        said = str(refused)
    else:
        with pytest.raises(JournalError) as raised:
            ask(turns, journal)
        said = str(raised.value)
        turns.close(journal)
    assert str(path) in said
    assert "malformed" in said
    assert "smpp-router rescue" in said


VERSION_1 = """
CREATE TABLE message (
    router_id INTEGER PRIMARY KEY, client_id BLOB NOT NULL, account TEXT NOT NULL,
    lane TEXT NOT NULL, plan TEXT NOT NULL, command_id INTEGER NOT NULL,
    registered_delivery INTEGER NOT NULL, hold_receipt INTEGER NOT NULL,
    accepted_utc REAL NOT NULL, expires_utc REAL, source BLOB NOT NULL,
    destination BLOB NOT NULL, octets BLOB NOT NULL
);
CREATE TABLE attempt (
    router_id INTEGER NOT NULL, operator TEXT NOT NULL, operator_id BLOB NOT NULL,
    at_utc REAL NOT NULL, PRIMARY KEY (router_id, operator, operator_id)
) WITHOUT ROWID;
CREATE TABLE delivery (
    number INTEGER PRIMARY KEY, router_id INTEGER NOT NULL, account TEXT NOT NULL,
    made_utc REAL NOT NULL, final INTEGER NOT NULL, octets BLOB NOT NULL
);
CREATE TABLE meta (next_number INTEGER NOT NULL);
INSERT INTO meta VALUES (4711);
"""


def of_version_1(path: Path) -> None:
    """Two messages that wait, one that two operators took, a delivery."""
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript("PRAGMA journal_mode = WAL;" + VERSION_1)
        for number, plan in ((1, "telia"), (2, "telia"), (3, "elisa,telia")):
            one = message(number)
            database.execute(
                "INSERT INTO message VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    *(number, one.client_id, "bank", "otp", plan, 4, 1, 0, one.accepted_utc, None),
                    *(one.source_octets, one.destination_octets, one.octets),
                ),
            )
        database.execute("INSERT INTO attempt VALUES (3, 'elisa', x'3131', 8.0)")
        database.execute("INSERT INTO attempt VALUES (3, 'telia', x'3232', 7.0)")
        kept = delivery(5)
        database.execute("INSERT INTO delivery VALUES (9, 5, 'bank', 1.0, 1, ?)", (kept.octets,))
        database.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        database.execute("PRAGMA user_version = 1")


def test_file_of_version_1_becomes_one_of_this_with_all_that_it_holds(
    path: Path, turns: Turns
) -> None:
    of_version_1(path)
    journal = turns.open(path)

    assert turns.recovered(journal) == Recovered(
        [Backlog(QueueKey(TO_TELIA, OTP, BANK), 2)], {ELISA: 1, TELIA: 1}, {BANK: Held(1, 9, 9)}
    )
    one, two = turns.waiting(journal)
    assert (one.router_id, two.router_id, one.octets) == (1, 2, message(1).octets)
    assert (one.client_id, one.in_doubt) == (b"1", False)
    first, second = turns.recalled(journal, b"11", operator=ELISA)
    assert (first.operator, second.operator) == (TELIA, ELISA)
    assert first.message.client_id == b"3"
    assert [held.octets for held in turns.held(journal)] == [delivery(5).octets]
    assert turns.reserve(journal, 1) == 4711 + 1  # The probe of the start costs a number.
    assert turns.keep(journal, changes(settled=[one, two, first.message])) is None
    turns.close(journal)
    for table in ("message", "sent"):
        assert rows_of(path, table) == 0
    turns.close(turns.open(path))


NEW_IN_8 = {
    "message": ["submitted"],
    "sent": ["submitted", "tries"],
    "record": ["submitted", "answered_ms", "tries", "operator_id", "receipt", "status"],
}


def without_parts(database: sqlite3.Connection) -> None:
    """Take from a file what is new in version 5."""
    database.execute("DROP INDEX sent_parts")
    database.execute("ALTER TABLE sent DROP COLUMN part_of")
    of_version_5(database)


def of_version_8(database: sqlite3.Connection) -> None:
    database.execute("DROP INDEX sent_by_router_id")
    database.execute("CREATE INDEX sent_again ON sent (router_id) WHERE sends > 1")
    database.execute("ALTER TABLE delivery DROP COLUMN bind")
    database.execute("DROP TABLE unseen_answer")
    database.execute("PRAGMA user_version = 8")


def of_version_7(database: sqlite3.Connection) -> None:
    of_version_8(database)
    for table, columns in NEW_IN_8.items():
        for column in columns:
            database.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    database.execute("DROP TABLE acknowledged")
    database.execute("PRAGMA user_version = 7")


def of_version_6(database: sqlite3.Connection) -> None:
    of_version_7(database)
    database.execute("DROP TABLE started")
    database.execute("DROP TABLE renamed")
    database.execute("CREATE UNIQUE INDEX alike ON queue (account, lane, plan)")
    database.execute("PRAGMA user_version = 6")


def of_version_5(database: sqlite3.Connection) -> None:
    of_version_6(database)
    database.execute("ALTER TABLE meta DROP COLUMN commits")
    for table in ("message", "sent", "delivery", "orphan"):
        database.execute(f"ALTER TABLE {table} DROP COLUMN checksum")
    database.execute("DROP TABLE set_aside")
    database.execute("PRAGMA user_version = 5")


def test_file_of_version_8_keeps_deliveries_and_has_a_place_for_unseen_answers(
    path: Path, turns: Turns
) -> None:
    journal = turns.open(path)
    assert turns.keep(journal, changes(held=[delivery(1)])) is None
    turns.close(journal)
    with closing(sqlite3.connect(path)) as database, database:
        of_version_8(database)
    journal = turns.open(path)
    one = message(1)
    assert turns.keep(journal, changes(accepted=[one], unseen=[(one, b"f")])) is None
    (held,) = turns.held(journal)
    assert (held.octets, held.bind) == (delivery(1).octets, "")
    turns.close(journal)
    assert rows_of(path, "unseen_answer") == 1


def test_file_of_version_6_has_a_place_for_long_messages(path: Path, turns: Turns) -> None:
    turns.close(turns.open(path))
    with closing(sqlite3.connect(path)) as database, database:
        of_version_6(database)
    journal = turns.open(path)
    assert turns.keep(journal, changes(accepted=[message(1)])) is None
    assert turns.keep(journal, changes(started=[started(1, taken=1)])) is None
    turns.close(journal)
    assert rows_of(path, "started") == 1


def test_file_of_version_4_keeps_what_was_sent_and_has_a_place_for_parts(
    path: Path, turns: Turns
) -> None:
    journal = turns.open(path)
    one, other = message(1), message(2)
    assert turns.keep(journal, changes(accepted=[one, other])) is None
    assert turns.keep(journal, changes(taken=[attempt(one)])) is None
    turns.close(journal)
    with closing(sqlite3.connect(path)) as database, database:
        without_parts(database)
        database.execute("PRAGMA user_version = 4")

    journal = turns.open(path)
    other.group = Group(TO_TELIA, 2)
    other.group.number = 2
    assert turns.keep(journal, changes(taken=[attempt(other)])) is None
    (first,) = turns.recalled(journal, b"id-1")
    (second,) = turns.recalled(journal, b"id-2")
    turns.close(journal)

    assert first.message.group is None
    assert second.message.group is not None
    assert second.message.group.number == 2


def test_file_of_version_3_has_a_place_for_orphans(path: Path, turns: Turns) -> None:
    turns.close(turns.open(path))
    with closing(sqlite3.connect(path)) as database, database:
        without_parts(database)
        database.execute("DROP TABLE orphan")
        database.execute("PRAGMA user_version = 3")
    journal = turns.open(path)
    orphan = Orphan(TELIA, OperatorId(b"1"), b"\1\1372\0", b"pdu", 5.0)
    assert turns.keep(journal, changes(orphaned=[orphan])) is None
    turns.close(journal)
    assert rows_of(path, "orphan") == 1


def test_file_of_version_2_keeps_what_it_has_counted(path: Path, turns: Turns) -> None:
    turns.close(turns.open(path))
    with closing(sqlite3.connect(path)) as database, database:
        without_parts(database)
        database.execute("DROP TABLE account")
        database.execute("DROP TABLE orphan")
        database.execute(
            "CREATE TABLE account (name TEXT PRIMARY KEY, accepted INTEGER NOT NULL, delivered"
            " INTEGER NOT NULL, failed INTEGER NOT NULL, expired INTEGER NOT NULL, rejected INTEGER"
            " NOT NULL, sent INTEGER NOT NULL, unknown INTEGER NOT NULL) WITHOUT ROWID"
        )
        database.execute("INSERT INTO account VALUES ('bank', 9, 1, 2, 3, 0, 0, 1)")
        database.execute("PRAGMA user_version = 2")

    journal = turns.open(path)
    one = message(1)
    assert turns.keep(journal, changes(accepted=[one])) is None
    assert turns.keep(journal, changes(settled=[one])) is None
    turns.close(journal)

    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT * FROM account").fetchall() == [("bank", 2, 2, 3, 0, 0, 1)]


def test_file_of_version_6_may_have_two_queues_that_are_alike(path: Path, turns: Turns) -> None:
    filled(turns, path, messages=3)
    with closing(sqlite3.connect(path)) as database, database:
        of_version_6(database)
    journal = turns.open(path)
    journal.rename(Renames({BANK: SHOP}, {}))
    assert turns.keep(journal, changes(accepted=[message(4)])) is None
    turns.close(journal)
    assert turns.recovered(turns.open(path)).waiting == [
        Backlog(QueueKey(TO_TELIA, OTP, SHOP), 3),
        Backlog(QueueKey(TO_TELIA, OTP, BANK), 1),
    ]


# Renamed.


def spans_in(path: Path) -> list[tuple[str, str, int, int, str]]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT * FROM renamed").fetchall()


def test_a_router_that_starts_again_and_again_notes_it_once(path: Path, turns: Turns) -> None:
    journal = turns.open(path)
    assert turns.keep(journal, changes(accepted=[message(1)], taken=[attempt(message(1))])) is None
    for number in range(2, 6):
        turns.close(journal)
        journal = turns.open(path)
        journal.rename(Renames({}, {TELIA: ELISA}))
        one = message(number)
        assert turns.keep(journal, changes(accepted=[one], taken=[attempt(one, ELISA)])) is None
    turns.close(journal)
    assert spans_in(path) == [("sent", "telia", 0, 4, "elisa")]


def test_what_nothing_is_left_of_is_forgotten_and_its_name_is_another_s(
    path: Path, turns: Turns
) -> None:
    journal = turns.open(path)
    one, two = message(1), message(2)
    assert turns.keep(journal, changes(accepted=[one, two])) is None
    assert turns.keep(journal, changes(taken=[attempt(one), attempt(two)])) is None
    journal.rename(Renames({}, {TELIA: ELISA}))
    assert turns.keep(journal, changes(settled=[one, two])) is None
    turns.close(journal)
    assert spans_in(path)
    journal = turns.open(path)
    three = message(3)  # The table is empty: its numbers begin again.
    assert turns.keep(journal, changes(accepted=[three])) is None
    assert turns.keep(journal, changes(taken=[attempt(three)])) is None
    turns.close(journal)
    assert spans_in(path) == []
    journal = turns.open(path)
    assert turns.recovered(journal).sent == {TELIA: 1}
    turns.close(journal)


def test_numbers_go_on_after_those_that_bear_an_old_name(path: Path, turns: Turns) -> None:
    journal = turns.open(path)
    every = [message(1), message(2), message(3)]
    assert turns.keep(journal, changes(accepted=every)) is None
    assert turns.keep(journal, changes(taken=[attempt(one) for one in every])) is None
    journal.rename(Renames({}, {TELIA: ELISA}))
    assert turns.keep(journal, changes(settled=every[1:])) is None
    turns.close(journal)
    journal = turns.open(path)
    four = message(4)
    assert turns.keep(journal, changes(accepted=[four])) is None
    assert turns.keep(journal, changes(taken=[attempt(four)])) is None
    assert turns.recovered(journal).sent == {TELIA: 1, ELISA: 1}
    turns.close(journal)


def test_a_renaming_that_could_not_be_written_is_written_with_the_next(
    path: Path, turns: Turns
) -> None:
    journal = turns.open(path)
    one = message(1)
    assert turns.keep(journal, changes(accepted=[one])) is None
    assert turns.keep(journal, changes(taken=[attempt(one)])) is None
    away = path.with_name("away.db")
    path.rename(away)
    journal.rename(Renames({}, {TELIA: ELISA}))
    assert turns.keep(journal, changes(accepted=[message(2)])) is not None
    away.rename(path)
    assert turns.keep(journal, changes(accepted=[message(3)])) is None
    turns.close(journal)
    assert spans_in(path) == [("sent", "telia", 0, 1, "elisa")]


def test_copy_of_version_2_that_is_put_back_repeats_no_id_that_was_given_since(
    path: Path, turns: Turns
) -> None:
    copied_utc, now_utc = 1.8e9, 1.8e9 + 3600.0
    journal = turns.open(path, first_number=first_number_at(copied_utc))
    told = changes()
    told.at_utc = copied_utc
    assert turns.keep(journal, told) is None
    turns.close(journal)
    with closing(sqlite3.connect(path)) as database, database:
        without_parts(database)
        database.execute("DROP TABLE orphan")
        database.execute("ALTER TABLE account ADD COLUMN accepted INTEGER NOT NULL DEFAULT 0")
        database.execute("PRAGMA user_version = 2")

    journal = turns.open(path, first_number=first_number_at(now_utc))

    assert turns.reserve(journal, 1) >= first_number_at(now_utc)
    turns.close(journal)


def test_file_of_version_1_stays_what_it_is_where_that_fails(path: Path, turns: Turns) -> None:
    of_version_1(path)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("INSERT INTO delivery VALUES (1, 1, 'bank', 'never', 1, x'00')")
        database.execute("CREATE TABLE record (something)")

    assert "record already exists" in why_not(turns, path)

    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (1,)
    assert rows_of(path, "message") == 3


@pytest.mark.long
def test_writer_that_does_not_end_is_named_for_what_it_is(path: Path, turns: Turns) -> None:
    filled(turns, path)
    with closing(sqlite3.connect(path, isolation_level=None)) as shell:
        shell.execute("BEGIN IMMEDIATE")

        said = why_not(turns, path)

    assert "locked" in said
    assert "another program" in said


def free_pages(path: Path, turns: Turns, octets: int) -> sqlite3.Connection:
    """A journal after a backlog of so much that is settled, but for one message at its end."""
    journal = turns.open(path)
    backlog = [message(number) for number in range(1, octets // 60_000 + 2)]
    for one in backlog:
        one.octets = bytes(60_000)
    assert turns.keep(journal, changes(accepted=backlog)) is None
    assert turns.keep(journal, changes(settled=backlog[:-1])) is None
    turns.close(journal)
    return sqlite3.connect(path, isolation_level=None)


def test_file_shrinks_after_a_backlog_and_keeps_what_is_left(path: Path, turns: Turns) -> None:
    with closing(free_pages(path, turns, 24_000_000)) as database:
        most = path.stat().st_size
        rounds = 1
        while tidied(database):
            rounds += 1

        assert path.stat().st_size < most * 0.75
        assert rounds > 10  # Each is short: a commit may have to wait for it.
        assert database.execute("SELECT length(octets) FROM message").fetchall() == [(60_000,)]
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert not tidied(database)


def test_room_for_the_next_backlog_is_kept(path: Path, turns: Turns) -> None:
    with closing(free_pages(path, turns, 8_000_000)) as database:
        most = path.stat().st_size

        assert not tidied(database)

        assert path.stat().st_size == most


def test_tidying_up_brings_the_wal_into_the_file(path: Path, turns: Turns) -> None:
    copy = path.with_name("copy.db")
    journal = turns.open(path)
    turns.keep(journal, changes(accepted=[message(1)]))
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        assert not tidied(database)

    copy.write_bytes(path.read_bytes())

    assert rows_of(copy, "message") == 1
    turns.close(journal)


def closed_to_us(path: Path, mode: int) -> None:
    """May only be read."""
    path.chmod(mode)
    if os.access(path, os.W_OK):
        pytest.skip("root may write everything")


def test_file_that_may_only_be_read_is_refused(path: Path, turns: Turns) -> None:
    filled(turns, path)
    closed_to_us(path, 0o400)

    assert "may we write" in why_not(turns, path)


def test_folder_that_may_only_be_read_is_refused(tmp_path: Path, turns: Turns) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    closed_to_us(folder, 0o500)

    assert "may we write" in why_not(turns, folder / "router.db")


def test_folder_that_has_become_closed_to_us_is_refused(tmp_path: Path, turns: Turns) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    filled(turns, folder / "router.db")
    closed_to_us(folder, 0o500)

    assert "may we write" in why_not(turns, folder / "router.db")


def space(monkeypatch: pytest.MonkeyPatch, octets: int) -> None:
    """Have the disk say that so much is free."""
    real = os.statvfs

    def statvfs(path: Path) -> os.statvfs_result:
        found = list(real(path))
        found[1], found[4] = 1, octets  # f_frsize, f_bavail
        return os.statvfs_result(found)

    monkeypatch.setattr(os, "statvfs", statvfs)


def test_free_space_is_that_of_the_disk_and_that_inside_the_file(
    path: Path, turns: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(turns, path)
    with closing(connect(path)) as database:
        database.execute("DELETE FROM message")
        (free,) = database.execute("PRAGMA freelist_count").fetchone()
    assert free
    space(monkeypatch, 10**9)
    assert free_octets(path) == 10**9 + free * 4096
    space(monkeypatch, 10**6)  # Too little for the log by which those pages would be written.
    assert free_octets(path) == 10**6


def test_file_of_version_8_finds_what_was_sent_by_its_number(path: Path, turns: Turns) -> None:
    journal = turns.open(path)
    one = message(1)
    assert turns.keep(journal, changes(accepted=[one], taken=[attempt(one)])) is None
    turns.close(journal)
    with closing(sqlite3.connect(path)) as database, database:
        of_version_8(database)
    journal = turns.open(path)
    assert [found.operator_id for found in turns.looked_up(journal, 1).sent] == [b"id-1"]
    turns.close(journal)
    with closing(sqlite3.connect(path)) as database:
        names = {name for (name,) in database.execute("SELECT name FROM sqlite_schema")}
    assert "sent_by_router_id" in names
    assert "sent_again" not in names
