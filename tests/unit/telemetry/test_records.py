"""router/telemetry/records.py: every record comes from the journal once, whatever breaks."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from router.enqueue.journal import Changes, Settlement
from router.enqueue.retention import LONGEST_UNMOVED_S
from router.report.quality import BOUNDS_S, DaySums, Sums
from router.smpp.receipt import Receipt, State
from router.telemetry import records as the_records
from router.telemetry import records_schema as schema
from router.telemetry.findings import Question
from router.telemetry.records import hashed, masked
from router.telemetry.search import search
from router.terms.names import AccountName
from router.terms.outcome import Outcome
from router.terms.record import MOST_TRIES, Refused, Try, submitted, tries_text, with_try
from router.terms.settings import Privacy
from router.wiring.cli import main
from tests.unit.enqueue.turns import attempt, changes, rows_of
from tests.unit.messages import ACCEPTED_UTC, BANK, OTP, SHOP, TELIA, delivery, message
from tests.unit.settings.configurations import SMALL
from tests.unit.telemetry.desk import Desk

CAME = submitted("192.0.2.1:4000", "transceiver", 8, 2, "372, account bank")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.close()


def test_record_says_all_that_is_known_of_a_message(desk: Desk) -> None:
    one = message(7)
    one.submitted = CAME
    one.answered_at = 0.004
    one.operator, one.writes = TELIA, 2
    one.tries = (
        (TELIA, "telia-1", 1.0, 61.0, "timeout", b"", True, ""),
        (TELIA, "telia-2", 61.5, 61.75, 0, b'a"b', False, ""),
    )
    receipt = Receipt(b'a"b', State.UNDELIVERABLE, b"011", b"2701150801", b"\3\0\x0b")
    desk.settle(one, receipt=receipt)
    desk.recorder.turn()

    (row,) = desk.rows("*")
    assert dict(zip(("number", *schema.NAMES), row, strict=True)) == {
        "number": 1,
        "router_id": 7,
        "client_id": None,
        "account": "bank",
        "client_address": "192.0.2.1:4000",
        "bind_type": "transceiver",
        "lane": "otp",
        "source": "BANK",
        "destination": "37255512345",
        "data_coding": 8,
        "parts": 2,
        "route": "372, account bank",
        "outcome": "delivered",
        "reason": None,
        "status": 0,
        "left_out": None,
        "operator": "telia",
        "operator_id": 'a"b',
        "sends": 2,
        "tries": '[["telia","telia-1",1000,61000,"timeout",null,1],'
        '["telia","telia-2",61500,61750,0,"a\\"b",0]]',
        "receipt_state": "UNDELIV",
        "receipt_error": "011",
        "network_error": "03000b",
        "receipt_date": "2701150801",
        "accepted_utc": ACCEPTED_UTC,
        "answered_ms": 4,
        "taken_utc": None,
        "settled_utc": ACCEPTED_UTC,
        "acknowledged_utc": None,
    }


def test_refused_submit_has_a_record(desk: Desk) -> None:
    batch = Changes()
    batch.refused.append(Refused(BANK, OTP, "BANK", "371", CAME, "no_route", 0x0B, ACCEPTED_UTC, 3))
    assert desk.turns.keep(desk.journal, batch) is None
    desk.recorder.turn()
    columns = "router_id, account, destination, outcome, reason, status, left_out, client_address"
    assert desk.rows(columns) == [
        (None, "bank", "371", "refused", "no_route", 11, 3, "192.0.2.1:4000")
    ]


def test_every_record_comes_once_whenever_the_process_is_killed(desk: Desk) -> None:
    for number in range(1, 6):
        desk.settle(message(number))
        desk.recorder.turn()
        desk.progress.moved = 0  # A process that knows nothing of it.
        assert desk.recorder._database is not None
        desk.recorder._database.close()
        desk.turns.close(desk.journal)
        desk.open()
        desk.recorder.turn()
    assert desk.rows() == [(number,) for number in range(1, 6)]


def test_record_stays_in_the_journal_until_it_has_been_moved(desk: Desk) -> None:
    desk.close()
    desk.open(keep_records_s=0.0)
    desk.settle(message(1))
    desk.turns.now_utc += 10.0
    desk.settle(message(2))
    assert rows_of(desk.path, "record") == 2
    desk.recorder.turn()
    desk.turns.now_utc += 10.0
    desk.settle(message(3))
    assert rows_of(desk.path, "record") == 1
    desk.recorder.turn()
    assert desk.rows() == [(1,), (2,), (3,)]
    assert not desk.progress.lost


def test_record_that_can_be_moved_nowhere_is_lost_at_last_and_counted(desk: Desk) -> None:
    desk.settle(message(1))
    desk.turns.now_utc += LONGEST_UNMOVED_S + 3600.0 + 1.0
    desk.settle(message(2))  # Only now is it known how old the oldest is.
    desk.settle(message(3))
    assert desk.progress.lost == 1
    assert desk.recorder.state()["lost"] == 1


def test_acknowledgement_is_added_to_its_record_before_and_after_that_was_moved(desk: Desk) -> None:
    for number, moves_between in ((1, False), (2, True), (3, True)):
        one, receipt = message(number), delivery(number)
        desk.settle(one)
        assert desk.turns.keep(desk.journal, changes(held=[receipt])) is None
        if moves_between:
            desk.recorder.turn()
        desk.turns.now_utc += 5.0
        receipt.is_acknowledged = number != 3
        assert desk.turns.keep(desk.journal, changes(acknowledged=[receipt])) is None
    desk.recorder.turn()

    assert desk.rows("router_id, acknowledged_utc") == [
        (1, ACCEPTED_UTC + 5.0),
        (2, ACCEPTED_UTC + 10.0),
        (3, None),  # It was too old, or the client refused it.
    ]
    desk.turns.now_utc += 7200.0
    desk.settle(message(4))
    desk.settle(message(5))
    assert rows_of(desk.path, "acknowledged") == 1  # Else numbers would begin anew.


def test_intermediate_receipt_is_no_acknowledgement_of_the_final_one(desk: Desk) -> None:
    desk.settle(message(1))
    told = delivery(1, final=False)
    told.is_acknowledged = True
    assert desk.turns.keep(desk.journal, changes(acknowledged=[told])) is None
    desk.recorder.turn()
    assert desk.rows("acknowledged_utc") == [(None,)]


def test_all_ids_of_a_message_that_was_taken_twice_are_known(desk: Desk) -> None:
    one = message(1)
    one.writes = 2
    one.tries = (
        (TELIA, "a", 0.0, 1.0, 0, b"first", False, ""),
        (TELIA, "a", 2.0, 3.0, 0, b"last", False, ""),
    )
    desk.settle(one)
    desk.recorder.turn()
    assert desk.rows("operator_id") == [("last",)]
    with closing(sqlite3.connect(desk.records)) as database:
        assert set(database.execute("SELECT operator_id FROM other_id")) == {("first",), ("last",)}


def test_tries_of_an_earlier_process_are_kept(desk: Desk) -> None:
    one = message(1)
    one.submitted, one.writes = CAME, 1
    one.tries = ((TELIA, "telia-1", 1.0, 2.0, 0, b"id-1", False, ""),)
    accepted = changes(accepted=[one], taken=[attempt(one)])
    assert desk.turns.keep(desk.journal, accepted) is None
    desk.close()
    desk.open()
    (again,) = desk.turns.sent(desk.journal)
    batch = Changes()
    batch.settled.append(Settlement(again.message, Outcome.DELIVERED, ACCEPTED_UTC))
    assert desk.turns.keep(desk.journal, batch) is None
    desk.recorder.turn()
    assert desk.rows("client_address, operator_id, tries") == [
        ("192.0.2.1:4000", "id-1", '[["telia","telia-1",1000,2000,0,"id-1",0]]')
    ]


def test_numbers_are_masked_or_hashed_where_an_account_wants_it(desk: Desk) -> None:
    desk.recorder.adopt(desk.keep_s, {BANK: Privacy(numbers="mask"), SHOP: Privacy(numbers="hash")})
    desk.settle(message(1), message(2, account=SHOP), message(3, account=AccountName("other")))
    desk.recorder.turn()
    with closing(sqlite3.connect(desk.records)) as database:
        ((_, key),) = database.execute("SELECT * FROM day_key").fetchall()
    assert desk.rows("destination") == [
        ("3725551****",),
        (hashed("+37255512345", key),),
        ("37255512345",),
    ]
    assert "55512345" not in hashed("37255512345", key)
    assert hashed("0037255512345", key) == hashed("37255512345", key) != hashed("37255512346", key)
    assert masked("+37255512345") == "+3725551****"
    assert [masked(one) for one in ("112", "+5551234", "555123")] == ["***", "+555****", "55****"]


def test_old_records_go_and_those_of_an_account_earlier(desk: Desk) -> None:
    desk.recorder.adopt(100.0, {SHOP: Privacy(records_s=10.0)})
    desk.settle(message(1), message(2, account=SHOP))
    desk.recorder.turn()
    desk.turns.now_utc += 50.0
    desk.now += 100.0
    desk.recorder.turn()
    assert desk.rows() == [(1,)]
    desk.turns.now_utc += 60.0
    desk.now += 100.0
    desk.recorder.turn()
    assert desk.rows() == []


def test_damaged_file_is_set_aside_and_a_new_one_has_what_the_journal_has(desk: Desk) -> None:
    desk.settle(message(1))
    desk.recorder.turn()
    assert desk.recorder._database is not None
    desk.recorder._database.close()
    desk.recorder._database = None
    desk.records.write_bytes(b"\0" * 8192)
    desk.settle(message(2))
    with capture_logs() as logs:
        desk.recorder.turn()  # Meets it.
        desk.recorder.turn()
    assert [line["event"] for line in logs] == ["records.damaged", "records.back"]
    assert Path(logs[0]["kept_as"]).stat().st_size == 8192
    assert desk.rows() == [(1,), (2,)]
    answer = search(Question("1"), desk.records, desk.path)
    assert [one["router_id"] for one in answer["found"]] == [1]
    assert answer["lacks"] == [
        f"{logs[0]['kept_as']}: records that were damaged, and are not looked at"
    ]


def test_database_of_another_program_is_left_alone_and_traffic_goes_on(desk: Desk) -> None:
    with closing(sqlite3.connect(desk.records)) as database:
        database.execute("CREATE TABLE theirs (a)")
    with capture_logs() as logs:
        desk.recorder.turn()
        desk.recorder.turn()
    assert [line["event"] for line in logs] == ["records.failed"]
    assert "another program" in desk.recorder.state()["failure"]
    desk.settle(message(1))
    desk.records.unlink()
    with capture_logs() as logs:
        desk.recorder.turn()
    assert [line["event"] for line in logs] == ["records.back"]
    assert desk.rows() == [(1,)]
    assert not desk.recorder.state()["failure"]


def test_journal_that_was_put_back_from_a_copy_goes_on(desk: Desk, tmp_path: Path) -> None:
    desk.settle(message(1))
    desk.close()
    copy = desk.path.read_bytes()
    desk.open()
    desk.settle(message(2), message(3))
    desk.recorder.turn()
    desk.close()
    desk.path.write_bytes(copy)
    Path(f"{desk.path}.lock").unlink()
    desk.open()
    desk.settle(message(4))
    desk.recorder.turn()
    assert desk.rows() == [(1,), (2,), (3,), (4,)]


def test_row_that_is_no_json_stops_nobody(desk: Desk) -> None:
    desk.settle(message(1), message(2))
    with closing(sqlite3.connect(desk.path)) as database, database:
        database.execute("UPDATE record SET submitted = '[1,', tries = '{' WHERE number = 1")
        database.execute("UPDATE record SET submitted = ? WHERE number = 2", (CAME,))
    desk.recorder.turn()
    assert desk.rows("router_id, client_address, tries") == [
        (1, None, None),
        (2, "192.0.2.1:4000", None),
    ]


def test_much_is_moved_in_pieces(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(the_records, "ROWS_AT_ONCE", 2)
    desk.settle(*(message(number) for number in range(1, 6)))
    desk.recorder.turn()
    assert len(desk.rows()) == 5
    desk.recorder.turn()
    assert len(desk.rows()) == 5


def test_tries_are_bounded_and_the_first_and_last_stay() -> None:
    tries: tuple[Try, ...] = ()
    for number in range(100):
        tries = with_try(tries, (TELIA, "a", float(number), float(number), 8, b"", False, ""))
    assert len(tries) == MOST_TRIES
    assert [one[2] for one in tries[:4]] == [0.0, 1.0, 2.0, 3.0]
    assert tries[-1][2] == 99.0
    assert tries_text(tries[:1], 0.0) == '["telia","a",0,0,8,null,0]'
    under = (*tries[0][:7], '1"2')
    assert tries_text((under,), 0.0) == '["telia","a",0,0,8,null,0,"1\\"2"]'


def test_page_has_the_columns_as_they_are() -> None:
    page = Path(__file__).parents[3] / "docs" / "records.md"
    rows = [f"| `{one.name}` | {one.type} | {one.means} |" for one in schema.COLUMNS]
    assert "\n".join(rows) in page.read_text(encoding="utf-8")


def test_days_of_quality_are_added_up(desk: Desk) -> None:
    day = int(ACCEPTED_UTC // 86_400)
    for _ in range(2):
        counts = [0] * (5 + len(BOUNDS_S) + 1)
        counts[1:5] = [1, 2, 3, 4]
        counts[5 + 6] = 10
        desk.recorder.add([DaySums(day, (TELIA, "EE", OTP), Sums(counts))])
        desk.recorder.turn()
    with closing(sqlite3.connect(desk.records)) as database:
        (row,) = database.execute("SELECT * FROM quality").fetchall()
        assert row[:9] == (day, "telia", "EE", "otp", 40, 2, 28, 6, 8)
        assert BOUNDS_S[5] < row[9] < row[10] <= BOUNDS_S[6]
        (told,) = database.execute(schema.EXPORT_QUALITY, (day, day)).fetchall()
    assert told[0] == "2027-01-15"
    assert len(told) == len(schema.QUALITY)
    desk.turns.now_utc += desk.keep_s + 86_400.0
    desk.now += 100.0
    desk.recorder.turn()
    with closing(sqlite3.connect(desk.records)) as database:
        assert database.execute("SELECT count(*) FROM quality").fetchone() == (0,)


def test_late_answer_ends_the_try_that_it_is_to() -> None:
    first: Try = (TELIA, "a", 1.0, 61.0, "timeout", b"", True, "")
    other: Try = (TELIA, "b", 62.0, 63.0, 8, b"", False, "")
    late: Try = (TELIA, "a", 1.0, 70.0, 0, b"id", True, "")
    assert with_try((first, other), late) == (late, other)


def test_times_of_a_scheduled_message_count_from_its_submit(desk: Desk) -> None:
    one = message(1)
    one.not_before_utc = ACCEPTED_UTC + 6.0
    one.answered_at = 0.004
    one.accepted_at, one.writes = 6.0, 1  # As `Delays.begin` leaves it.
    one.tries = ((TELIA, "a", 6.5, 7.0, 0, b"id", False, ""),)
    desk.settle(one)
    desk.recorder.turn()
    assert desk.rows("answered_ms, tries") == [(4, '[["telia","a",6500,7000,0,"id",0]]')]


def test_error_code_of_any_length_is_cut(desk: Desk) -> None:
    desk.settle(
        message(1), receipt=Receipt(b"1", State.UNDELIVERABLE, b"9" * 60_000, b"", b"\1" * 60_000)
    )
    desk.recorder.turn()
    assert desk.rows("length(receipt_error), length(network_error)") == [(32, 64)]


def test_acknowledgements_go_a_few_at_a_time(desk: Desk) -> None:
    for number in range(1, 201):
        receipt = delivery(number)
        receipt.is_acknowledged = True
        assert desk.turns.keep(desk.journal, changes(held=[receipt])) is None
        assert desk.turns.keep(desk.journal, changes(acknowledged=[receipt])) is None
    assert rows_of(desk.path, "acknowledged") == 200
    desk.recorder.turn()
    left = []
    for number in range(4):
        desk.settle(message(1000 + number))
        left.append(rows_of(desk.path, "acknowledged"))
    assert left == [136, 72, 8, 1]


@pytest.mark.parametrize("moved", ["file", "log"])
def test_file_that_is_removed_is_missed_and_made_anew(desk: Desk, moved: str) -> None:
    desk.settle(message(1))
    desk.recorder.turn()
    name = str(desk.records) if moved == "file" else f"{desk.records}-wal"
    Path(name).rename(f"{name}.gone")
    desk.settle(message(2))
    with capture_logs() as logs:
        desk.recorder.turn()
        assert "removed or renamed" in desk.recorder.state()["failure"]
        desk.recorder.turn()
    assert [line["event"] for line in logs] == ["records.failed", "records.back"]
    assert (2,) in desk.rows()
    assert moved == "log" or desk.rows() == [(1,), (2,)]


def test_numbers_never_begin_anew_and_nothing_is_taken_for_moved(desk: Desk) -> None:
    desk.close()
    desk.open(keep_records_s=0.0)
    desk.settle(*(message(number) for number in range(1, 12)))
    desk.recorder.turn()
    desk.turns.now_utc += 10.0
    desk.settle(message(12))
    desk.close()
    for number in (21, 22, 31):
        desk.open(keep_records_s=0.0)
        desk.turns.now_utc += 10.0
        desk.settle(message(number))
        if number == 31:
            desk.recorder.turn()
        desk.close()
    desk.open()
    assert desk.rows()[-4:] == [(12,), (21,), (22,), (31,)]
    assert desk.progress.lost == 0


def damage(journal: Path, table: str) -> None:
    """Write over a page of a table in the middle."""
    with closing(sqlite3.connect(journal)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        pages = database.execute(
            "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path", (table,)
        ).fetchall()
        (size,) = database.execute("PRAGMA page_size").fetchone()
    page = pages[len(pages) // 2][0]
    with journal.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)


def test_damaged_records_of_the_journal_are_passed_over_and_the_file_stays(desk: Desk) -> None:
    desk.settle(message(9999))
    desk.recorder.turn()
    desk.settle(*(message(number) for number in range(1, 301)))
    desk.close()
    try:
        damage(desk.path, "record")
    except sqlite3.OperationalError:
        pytest.skip("this SQLite has no dbstat")
    desk.open()
    with capture_logs() as logs:
        for _ in range(40):
            desk.recorder.turn()
    assert "records.damaged" not in {line["event"] for line in logs}
    assert logs[-1]["event"] == "records.back"
    found = {number for (number,) in desk.rows()}
    assert {1, 300, 9999} <= found
    assert 0 < desk.progress.lost <= 2 * (301 - len(found))
    assert not list(desk.records.parent.glob("*damaged*"))


def test_rows_with_wrong_values_stop_nobody(desk: Desk) -> None:
    desk.recorder.adopt(desk.keep_s, {BANK: Privacy(numbers="hash")})
    receipt = delivery(2)
    receipt.is_acknowledged = True
    desk.settle(message(1), message(2))
    assert desk.turns.keep(desk.journal, changes(held=[receipt])) is None
    assert desk.turns.keep(desk.journal, changes(acknowledged=[receipt])) is None
    with closing(sqlite3.connect(desk.path)) as database, database:
        database.execute("UPDATE record SET settled_utc = 'abc' WHERE number = 1")
        database.execute("UPDATE record SET destination = x'00' WHERE number = 2")
        database.execute("UPDATE acknowledged SET router_ids = '[1,'")
    desk.recorder.turn()
    assert desk.recorder.state()["failure"] == ""
    assert desk.rows("router_id, destination") == [(1, "3725551****"), (2, "?")]


def test_file_that_says_nothing_of_what_it_has_is_refused(desk: Desk) -> None:
    desk.recorder.turn()
    desk.close()
    with closing(sqlite3.connect(desk.records)) as database, database:
        database.execute("DELETE FROM moved")
    desk.open()
    desk.recorder.turn()
    assert "move it away" in desk.recorder.state()["failure"]


def test_full_file_forgets_what_is_too_old_before_it_takes_more(desk: Desk) -> None:
    desk.settle(*(message(number) for number in range(1, 401)))
    desk.recorder.turn()
    database = desk.recorder._database
    assert database is not None
    (pages,) = database.execute("PRAGMA main.page_count").fetchone()
    database.execute(f"PRAGMA main.max_page_count = {pages}")
    desk.settle(*(message(number) for number in range(1001, 1401)))
    desk.recorder.turn()
    assert "full" in desk.recorder.state()["failure"]
    desk.recorder.adopt(1.0, {})
    desk.turns.now_utc += 10.0
    desk.now += 100.0
    desk.recorder.turn()
    assert desk.recorder.state()["failure"] == ""


@pytest.mark.parametrize("restarts", [False, True])
def test_numbers_of_an_account_that_has_left_stay_private(desk: Desk, restarts: bool) -> None:
    desk.recorder.adopt(desk.keep_s, {SHOP: Privacy(numbers="mask", records_s=10.0)})
    desk.recorder.turn()
    if restarts:
        desk.close()
        desk.open()
    desk.recorder.adopt(desk.keep_s, {BANK: Privacy()})
    desk.settle(message(1, account=SHOP), message(2))
    desk.recorder.turn()
    assert desk.rows("destination") == [("3725551****",), ("37255512345",)]
    desk.turns.now_utc += 20.0
    desk.now += 100.0
    desk.recorder.turn()
    assert desk.rows() == [(2,)]
    desk.recorder.adopt(desk.keep_s, {SHOP: Privacy()})  # It is back, and wants nothing of it.
    desk.settle(message(3, account=SHOP))
    desk.recorder.turn()
    assert desk.rows("destination")[-1] == ("37255512345",)


def test_id_of_a_message_that_is_forgotten_is_nobody_elses(desk: Desk) -> None:
    one = message(1)
    one.writes = 2
    one.tries = (
        (TELIA, "a", 0.0, 1.0, 0, b"first", False, ""),
        (TELIA, "a", 2.0, 3.0, 0, b"x", False, ""),
    )
    desk.settle(one)
    desk.recorder.turn()
    desk.turns.now_utc += desk.keep_s + 1.0
    desk.now += 100.0
    desk.recorder.turn()
    desk.settle(message(77))
    desk.recorder.turn()
    assert search(Question(operator_id="first"), desk.records, desk.path)["found"] == []


def test_line_of_duckdb_on_the_page_makes_parquet_of_an_export(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    duckdb = pytest.importorskip("duckdb", reason="DuckDB is not installed")
    desk.settle(message(1), message(2, destination=b"+37255500002"))
    desk.recorder.turn()
    folder = desk.path.parent
    (folder / "router.yaml").write_text(SMALL.replace("memory:", "sqlite:///journal.db"))
    assert main(["export", str(folder / "router.yaml")]) == 0
    (folder / "bank.csv").write_text(capsys.readouterr().out)
    page = (Path(__file__).parents[3] / "docs" / "records.md").read_text(encoding="utf-8")
    (line,) = re.findall(r'^duckdb -c "(.*)"$', page, re.MULTILINE)
    monkeypatch.chdir(folder)
    duckdb.sql(line)
    rows = duckdb.sql("SELECT router_id, account, accepted_utc FROM 'bank.parquet'").fetchall()
    assert rows == [(1, "bank", ACCEPTED_UTC), (2, "bank", ACCEPTED_UTC)]
