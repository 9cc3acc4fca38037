"""router/wiring/traffic.py: what is read, and how what cannot be is told."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from router.enqueue.schema import SCHEMA
from router.wiring.traffic import ROWS_AT_ONCE, Traffic, TrafficError, traffic_of


def read(tmp_path: Path, text: str | bytes) -> list[Traffic]:
    path = tmp_path / "traffic.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(traffic_of(path))


def test_columns_may_stand_in_any_order_and_most_may_be_left_out(tmp_path: Path) -> None:
    assert read(tmp_path, "to,account\n372,bank\n") == [Traffic("bank", "372")]
    everything = "account,to,from,lane,priority,service_type,count\r\nb,37,Shop,otp,3,WAP,12\r\n"
    assert read(tmp_path, everything) == [Traffic("b", "37", "Shop", "otp", 3, "WAP", 12)]
    empty = "account,to,from,lane,priority,service_type,count\nb,37,,,,,\n\n"
    assert read(tmp_path, empty) == [Traffic("b", "37")]


def test_each_part_of_a_long_text_is_a_message(tmp_path: Path) -> None:
    rows = read(tmp_path, f"account,to,text,count\nb,37,{'x' * 161},10\nb,37,,3\n")
    assert [row.messages for row in rows] == [20, 3]


def test_mark_at_the_beginning_and_spaces_in_the_header_are_no_matter(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbfaccount, to\nb,37\n") == [Traffic("b", "37")]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", ":1: no column 'account'"),
        ("account\nb\n", ":1: no column 'to'"),
        ("account,to,cuont\nb,37,1\n", ":1: 'cuont' is no column"),
        ("account,to,to\nb,37,1\n", ":1: 'to' is no column, or is twice"),
        ("account,to\nb\n", ":2: 1 values for 2 columns"),
        ("account,to,count\nb,37,-1\n", ":2: count '-1' is no number"),
        ("account,to,count\nb,37,1\nb,37,x\n", ":3: count 'x' is no number"),
        ("account,to,priority\nb,37,256\n", ":2: priority '256' is no number"),
        ("account,to\nb,Ж\n", ":2: to 'Ж' cannot stand"),
        ("account,to,from\nb,37,abcdefghijklmnopqrstu\n", ":2: from"),
        (b"account,to\nb,\xff\n", "cannot be read as CSV in UTF-8"),
        ('account,to\n"b,37\n', "cannot be read as CSV in UTF-8"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str | bytes, says: str) -> None:
    with pytest.raises(TrafficError) as raised:
        read(tmp_path, text)
    assert str(raised.value).startswith(str(tmp_path / "traffic.csv"))
    assert says in str(raised.value)


def test_file_that_is_not_there_or_is_none_is_told(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(TrafficError):
            list(traffic_of(path))


# A journal.


def journal(path: Path, rows: int) -> sqlite3.Connection:
    """A journal that is open, as a router has it."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA wal_autocheckpoint = 0")
    database.executescript(SCHEMA)
    row = (1, None, "bank", "otp", "telia", "delivered", None, "Shop", "+372", 1, 1, 1e9, None, 1e9)
    new = None, None, None, None, None, 0
    values = ((number + 1, *row, *new) for number in range(rows))
    database.execute("BEGIN")
    database.executemany(f"INSERT INTO record VALUES ({','.join('?' * 21)})", values)
    database.execute("COMMIT")
    return database


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_records_are_read_while_a_router_has_the_journal_open(tmp_path: Path) -> None:
    path = tmp_path / "router.db"
    with closing(journal(path, rows=2 * ROWS_AT_ONCE + 1)) as database:
        assert path.stat().st_size < 100_000, "all of it is in the log"
        traffic = traffic_of(path)
        first = next(traffic)
        assert first == Traffic("bank", "+372", "Shop", "otp", accepted_utc=1e9)
        is_busy, *_ = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert not is_busy, "a reading stands in the way of the log's end"
        assert len(list(traffic)) == 2 * ROWS_AT_ONCE


def test_journal_that_nobody_has_open_is_read_and_nothing_is_left_beside_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "router.db"
    journal(path, rows=3).close()
    before = path.read_bytes()
    assert names(tmp_path) == {"router.db"}
    traffic = traffic_of(path)
    next(traffic)
    assert names(tmp_path) == {"router.db"}
    assert len(list(traffic)) == 2
    assert path.read_bytes() == before


def test_file_of_sqlite_without_records_is_told(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE other (number INTEGER)")
    with pytest.raises(TrafficError, match="its records cannot be read: no such table: record"):
        list(traffic_of(path))
