"""router/telemetry/search.py: what became of a message is found, wherever it is now."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC
from pathlib import Path

import pytest

from router.enqueue.journal import Changes, Renames, Settlement
from router.enqueue.schema import VERSION
from router.telemetry import records_schema as schema
from router.telemetry import search_journal as the_search
from router.telemetry.findings import (
    Answer,
    Found,
    Question,
    SearchError,
    conditions,
    forms_of,
)
from router.telemetry.search import search
from router.terms.message import Message
from router.terms.names import AccountName, ClientId
from router.terms.outcome import Outcome
from router.terms.record import Refused, submitted
from router.terms.settings import Privacy
from router.wiring.find_view import events_of, lines_of
from tests.unit.enqueue.turns import attempt, changes
from tests.unit.messages import ACCEPTED_UTC, BANK, ELISA, OTP, SHOP, TELIA, delivery, message
from tests.unit.telemetry.desk import Desk

CAME = submitted("192.0.2.1:4000", "transceiver", 0, 1, "372")
NEVER = float("inf")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    desk.recorder.turn()
    yield desk
    desk.close()


def to(number: int, destination: bytes = b"37255512345", **about: object) -> Message:
    one = message(number, destination=destination, **about)  # type: ignore[arg-type]
    one.submitted = CAME
    one.accepted_utc = ACCEPTED_UTC + number
    return one


def asked(desk: Desk, what: str = "", **about: object) -> list[Found]:
    answer = answered(desk, what, **about)
    assert answer["lacks"] == []
    return answer["found"]


def answered(desk: Desk, what: str = "", **about: object) -> Answer:
    return search(Question(what, **about), desk.records, desk.path)  # type: ignore[arg-type]


def ids(found: list[Found]) -> list[object]:
    return [one["router_id"] for one in found]


def test_number_is_found_wherever_its_messages_are(desk: Desk) -> None:
    moved, over, out, waits = to(1), to(2), to(3), to(4)
    desk.settle(moved, to(9, b"37255599999"))
    desk.recorder.turn()
    desk.settle(over)
    taken = changes(accepted=[out, waits], taken=[attempt(out)])
    assert desk.turns.keep(desk.journal, taken) is None

    found = asked(desk, "37255512345")
    assert [(one["router_id"], one["outcome"], one["from"]) for one in found] == [
        (1, "delivered", "records"),
        (2, "delivered", "journal"),
        (3, "out", "journal"),
        (4, "waiting", "journal"),
    ]
    assert {one["destination"] for one in found} == {"37255512345"}
    assert {one["client_address"] for one in found} == {"192.0.2.1:4000"}
    assert found[3]["waits_for"] == "telia"


@pytest.mark.parametrize("written", [b"37255512345", b"+37255512345", b"0037255512345"])
@pytest.mark.parametrize("what", ["37255512345", "+372 555 12345", "0037255512345"])
def test_number_is_found_in_any_form(desk: Desk, written: bytes, what: str) -> None:
    desk.settle(to(1, written))
    desk.recorder.turn()
    desk.settle(to(2, written))
    waits, out = to(3, written), to(4, written)
    taken = changes(accepted=[waits, out], taken=[attempt(out)])
    assert desk.turns.keep(desk.journal, taken) is None
    assert ids(asked(desk, what)) == [1, 2, 3, 4]


def test_part_of_a_number_or_digits_in_a_text_are_no_number(desk: Desk) -> None:
    waits, out = to(3), to(4)
    waits.octets = waits.octets.replace(b"Tere", b"5551")
    taken = changes(accepted=[waits, out], taken=[attempt(out)])
    assert desk.turns.keep(desk.journal, taken) is None
    desk.settle(to(1))
    desk.recorder.turn()
    assert asked(desk, "5551") == []
    assert asked(desk, "372555") == []


def test_id_is_found_in_any_form(desk: Desk) -> None:
    one, other, again = to(1), to(2), to(3)
    one.client_id = ClientId(b"0000abcd")
    one.writes = again.writes = 2
    one.tries = (
        (TELIA, "a", 0.0, 1.0, 0, b"1000", False, ""),
        (TELIA, "a", 2.0, 3.0, 0, b"255", False, ""),
    )
    for moves in (True, False):
        desk.settle(*((one, other) if moves else (again,)))
        if moves:
            desk.recorder.turn()
    assert ids(asked(desk, "0000abcd")) == [1]
    assert ids(asked(desk, "2")) == [2]
    assert ids(asked(desk, "3")) == [3]
    for operator_id in ("255", "ff", "000000FF", "1000", "3e8", "0000000255", "00ff"):
        assert ids(asked(desk, operator_id=operator_id)) == [1], operator_id
        assert 1 in ids(asked(desk, operator_id)), operator_id
    out = to(5)
    taken = changes(accepted=[out], taken=[attempt(out)])
    assert desk.turns.keep(desk.journal, taken) is None
    assert ids(asked(desk, operator_id="id-5")) == [5]
    assert asked(desk, operator_id="nothing") == []


def test_account_time_and_reason_narrow_it_down(desk: Desk) -> None:
    desk.settle(to(1), to(2, account=SHOP), to(3))
    batch = Changes()
    for reason in ("no_route", "queue_full"):
        batch.refused.append(
            Refused(BANK, OTP, "BANK", "37255512345", CAME, reason, 0x0B, ACCEPTED_UTC + 4, 0)
        )
    assert desk.turns.keep(desk.journal, batch) is None
    for moves in (False, True):
        if moves:
            desk.recorder.turn()
        assert ids(asked(desk, account="shop")) == [2]
        assert ids(asked(desk, "37255512345", account="bank")) == [1, 3, None, None]
        window = {"from_utc": ACCEPTED_UTC + 2, "until_utc": ACCEPTED_UTC + 4}
        assert ids(asked(desk, "37255512345", **window)) == [2, 3]
        (refused,) = asked(desk, reason="no_route")
        assert (refused["outcome"], refused["status"]) == ("refused", 0x0B)
        assert len(asked(desk, account="bank", reason="queue_full")) == 1


def test_the_newest_are_shown_and_that_there_are_more(desk: Desk) -> None:
    desk.settle(*(to(number) for number in range(1, 6)))
    desk.recorder.turn()
    waiting = [to(number) for number in range(6, 9)]
    assert desk.turns.keep(desk.journal, changes(accepted=waiting)) is None
    for what in ({"what": "37255512345"}, {"account": "bank"}):
        answer = answered(desk, **what, most=2)
        assert (ids(answer["found"]), answer["more"]) == ([7, 8], True)
        answer = answered(desk, **what, most=8)
        assert (len(answer["found"]), answer["more"]) == (8, False)


def test_number_is_looked_for_in_every_part_of_the_records(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.settle(*(to(number) for number in (1, 2, 3)))
    desk.recorder.turn()
    with closing(sqlite3.connect(desk.records)) as database, database:
        database.execute("UPDATE record SET number = number << 18")
    assert ids(asked(desk, "37255512345")) == [1, 2, 3]
    monkeypatch.setattr(the_search, "PIECE_ROWS", 2)
    waiting = [to(number) for number in range(4, 11)]
    assert desk.turns.keep(desk.journal, changes(accepted=waiting)) is None
    assert len(asked(desk, "37255512345")) == 10


def test_hashed_number_is_found_and_a_masked_one_may_be_meant(desk: Desk) -> None:
    privacy = {BANK: Privacy(numbers="mask"), SHOP: Privacy(numbers="hash")}
    desk.recorder.adopt(desk.keep_s, privacy)
    desk.settle(to(1), to(2, account=SHOP))
    desk.recorder.turn()
    found = asked(desk, "+37255512345")
    assert [(one["router_id"], one["may_be"]) for one in found] == [(1, 1), (2, 0)]
    assert found[0]["destination"] == "3725551****"
    (other,) = asked(desk, "37255519999")
    assert (other["router_id"], other["may_be"]) == (1, 1)
    assert "may be another" in "\n".join(lines_of(answered(desk, "37255519999"), UTC))


def test_receipt_that_waits_for_its_client_is_told(desk: Desk) -> None:
    desk.settle(to(1), to(2))
    assert desk.turns.keep(desk.journal, changes(held=[delivery(1)])) is None
    desk.recorder.turn()
    first, second = asked(desk, "37255512345")
    assert first.get("receipt_waits") == 1
    assert "receipt_waits" not in second


def test_without_records_the_journal_is_looked_at_alone(desk: Desk) -> None:
    desk.settle(to(1))
    desk.recorder.turn()
    assert ids(search(Question("37255512345"), None, desk.path)["found"]) == [1]


def test_what_cannot_be_read_is_told_and_the_rest_is_found(desk: Desk, tmp_path: Path) -> None:
    desk.settle(to(1))
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(b"no database" * 500)
    for records, why in ((damaged, "cannot be read"), (tmp_path / "none", "there is no such file")):
        answer = search(Question("37255512345"), records, desk.path)
        assert ids(answer["found"]) == [1]
        (lack,) = answer["lacks"]
        assert str(records) in lack
        assert why in lack
        assert "not all is known" in "\n".join(lines_of(answer, UTC))


def test_search_that_takes_too_long_ends_and_says_so(desk: Desk) -> None:
    desk.settle(*(to(number) for number in range(1, 4)))
    times = iter([0.0, *([1e9] * 1000)])
    answer = search(Question("37255512345"), None, desk.path, clock=lambda: next(times))
    assert answer["lacks"] == [f"{desk.path}: not all was looked at within 30 s"]


def test_question_about_everything_is_refused(desk: Desk) -> None:
    with pytest.raises(SearchError, match="is wanted"):
        answered(desk)


def test_story_is_told_in_the_order_of_time(desk: Desk) -> None:
    one = to(1)
    one.answered_at, one.writes, one.operator = 0.004, 2, TELIA
    one.tries = (
        (TELIA, "telia-1", 1.0, 1.5, 0x58, b"", False, ""),
        (TELIA, "telia-2", 2.0, 2.25, 0, b"id-1", False, "12302"),
    )
    desk.settle(one)
    (found,) = asked(desk, "37255512345")
    told = [(round(at - ACCEPTED_UTC - 1, 3), what) for at, what in events_of(found)]
    assert told == [
        (-1.0, "over"),  # The test's clock has settled it before it came.
        (0.0, "submitted by bank from 192.0.2.1:4000 (transceiver)"),
        (0.004, "answered ESME_ROK after 4 ms"),
        (1.0, "written to telia, on telia-1"),
        (1.5, "telia refused it with ESME_RTHROTTLED"),
        (2.0, "written to telia, on telia-2, under sender 12302"),
        (2.25, "telia took it as id-1"),
    ]


def test_columns_have_each_one_name() -> None:
    assert len(set(schema.NAMES)) == len(schema.NAMES)


def test_restarted_router_knows_what_an_earlier_one_has_sent(desk: Desk) -> None:
    batch = Changes()
    one = to(1)
    assert desk.turns.keep(desk.journal, changes(accepted=[one], taken=[attempt(one)])) is None
    desk.close()
    desk.open()
    (again,) = desk.turns.sent(desk.journal)
    over = Settlement(again.message, Outcome.UNKNOWN, ACCEPTED_UTC, "no receipt came")
    batch.settled.append(over)
    assert desk.turns.keep(desk.journal, batch) is None
    (found,) = asked(desk, "37255512345")
    assert found["client_address"] == "192.0.2.1:4000"
    assert "no receipt came" in "\n".join(lines_of(answered(desk, "1"), UTC))


@pytest.mark.parametrize("written", ["255", "0000000255", "ff", "00ff", "000000FF"])
@pytest.mark.parametrize("asked_for", ["255", "0000000255", "ff", "000000FF"])
def test_operator_id_is_found_with_zeros_or_without(written: str, asked_for: str) -> None:
    assert written in forms_of(asked_for) or written == "00ff"


def test_word_of_hexadecimal_digits_is_no_router_id(desk: Desk) -> None:
    desk.settle(to(0xABC))
    desk.recorder.turn()
    assert asked(desk, "abc") == []
    assert asked(desk, "\u00b2") == []  # It is a digit to Python, and no number.


def test_certain_ones_come_before_those_that_may_be_meant(desk: Desk) -> None:
    desk.recorder.adopt(desk.keep_s, {BANK: Privacy(numbers="mask")})
    desk.settle(to(1, account=SHOP), *(to(number) for number in range(2, 12)))
    desk.recorder.turn()
    answer = answered(desk, "37255512345", most=5)
    assert [one["may_be"] for one in answer["found"]] == [0, 1, 1, 1, 1]
    assert answer["more"]


def test_latest_attempt_of_a_message_that_two_have_is_told(desk: Desk) -> None:
    one = to(1)
    assert desk.turns.keep(desk.journal, changes(accepted=[one], taken=[attempt(one)])) is None
    one.writes = 2
    again = changes(taken=[attempt(one, ELISA)])
    assert desk.turns.keep(desk.journal, again) is None
    (found,) = asked(desk, "37255512345")
    assert (found["operator"], found["sends"]) == ("elisa", 2)


def test_message_that_waits_is_found_by_the_account_name_of_today(desk: Desk) -> None:
    waits = to(1)
    assert desk.turns.keep(desk.journal, changes(accepted=[waits])) is None
    desk.journal.rename(Renames({BANK: AccountName("bank2")}, {}))
    assert desk.turns.keep(desk.journal, changes(accepted=[to(2, account=SHOP)])) is None
    (found,) = asked(desk, account="bank2")
    assert (found["router_id"], found["account"]) == (1, "bank2")
    assert asked(desk, account="bank") == []


def test_few_that_are_meant_are_found_among_many_that_look_alike(desk: Desk) -> None:
    many = [to(number, b"9%04d11299" % number) for number in range(1000, 1060)]
    assert desk.turns.keep(desk.journal, changes(accepted=[to(1, b"112"), *many])) is None
    assert ids(asked(desk, "112", most=3)) == [1]


def test_journal_of_an_earlier_version_is_told(desk: Desk) -> None:
    desk.settle(to(1))
    desk.recorder.turn()
    desk.close()
    with closing(sqlite3.connect(desk.path)) as database, database:
        database.execute("PRAGMA user_version = 7")
    answer = answered(desk, "37255512345")
    with closing(sqlite3.connect(desk.path)) as database, database:
        database.execute(f"PRAGMA user_version = {VERSION}")
    desk.open()
    assert ids(answer["found"]) == [1]
    (lack,) = answer["lacks"]
    assert "version 7" in lack


def test_number_with_account_and_time_is_looked_for_by_the_number(desk: Desk) -> None:
    desk.settle(to(1))
    desk.recorder.turn()
    question = Question("1", account="bank", from_utc=1.0, until_utc=2.0)
    where, values = conditions(question, by_account=False)
    with closing(sqlite3.connect(desk.records)) as database:
        plan = database.execute(
            f"EXPLAIN QUERY PLAN SELECT * FROM record WHERE {schema.PART} = 0 AND destination = 'x'"
            + where,
            values,
        ).fetchall()
    assert "record_by_destination" in str(plan)
