"""router/enqueue/rows.py: few statements, each of them known, for as many rows as there are."""

import sqlite3
from dataclasses import replace

import pytest

from router.enqueue import rows
from router.terms.names import LaneName
from router.terms.plan import Plans
from tests.unit.enqueue.turns import LANES, attempt, changes
from tests.unit.messages import ELISA, TELIA, TO_ELISA, TO_TELIA, delivery, message

SIZES = (1, 2, 3, 4, 5, 31, 32, 33, 511, 512, 513, 1300)


@pytest.fixture
def database() -> sqlite3.Connection:
    """A new one, in memory."""
    found = sqlite3.connect(":memory:", isolation_level=None)
    found.executescript(rows.SCHEMA)
    return found


def run(database: sqlite3.Connection, statements: list[rows.Statement]) -> None:
    for text, values in statements:
        database.execute(text, values)


def count(database: sqlite3.Connection, table: str) -> int:
    (found,) = database.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert isinstance(found, int)
    return found


@pytest.mark.parametrize("size", SIZES)
def test_every_row_of_a_batch_is_written_and_no_other(
    size: int, database: sqlite3.Connection
) -> None:
    messages = [message(number) for number in range(1, size + 1)]
    deliveries = [delivery(number) for number in range(1, size + 1)]
    for one in deliveries:
        one.kept_as = one.router_id
    batch = changes(accepted=messages, attempted=map(attempt, messages), held=deliveries)

    run(database, rows.statements([batch], LANES))

    assert [count(database, table) for table in ("message", "attempt", "delivery")] == [size] * 3
    numbers = [number for (number,) in database.execute("SELECT router_id FROM message")]
    assert numbers == list(range(1, size + 1))


@pytest.mark.parametrize("size", SIZES)
def test_every_row_that_ends_is_deleted_and_no_other(
    size: int, database: sqlite3.Connection
) -> None:
    messages = [message(number) for number in range(1, size + 2)]
    deliveries = [delivery(number) for number in range(1, size + 2)]
    for one in deliveries:
        one.kept_as = one.router_id
    batch = changes(accepted=messages, attempted=map(attempt, messages), held=deliveries)
    run(database, rows.statements([batch], LANES))

    run(database, rows.statements([changes(settled=messages[1:])], LANES))
    run(database, rows.statements([changes(acknowledged=deliveries[:-1])], LANES))

    assert database.execute("SELECT router_id FROM message").fetchall() == [(1,)]
    assert database.execute("SELECT router_id FROM attempt").fetchall() == [(1,)]
    assert database.execute("SELECT number FROM delivery").fetchall() == [(size + 1,)]


def test_batches_share_one_statement_per_table_and_kind() -> None:
    batches = [
        changes(
            accepted=[message(number)],
            attempted=[attempt(message(number + 1000))],
            held=[delivery(number)],
            settled=[message(number + 2000)],
            acknowledged=[delivery(number)],
        )
        for number in range(1, 101)
    ]

    assert len(rows.statements(batches, LANES)) == 6


def test_there_are_few_different_statements() -> None:
    texts = {
        text
        for size in range(1, rows.MOST_ROWS + 1)
        for text, _ in rows.statements(
            [changes(accepted=[message(number) for number in range(size)])], LANES
        )
    }

    assert len(texts) == 10  # 1, 2, 4 ... 512: less than what sqlite3 keeps compiled.


def test_what_a_delete_has_to_spare_deletes_nothing_else(database: sqlite3.Connection) -> None:
    run(database, list(rows.delete("message", "router_id", set())))
    assert not list(rows.delete("message", "router_id", set()))
    ((text, values),) = rows.delete("message", "router_id", {7, 5, 9})
    assert text.count("?") == len(values) == 4
    assert set(values) == {5, 7, 9}


def test_attempt_of_a_message_that_is_settled_along_with_it_is_not_written() -> None:
    one, other = message(1), message(2)

    batch = [changes(attempted=[attempt(one), attempt(other)]), changes(settled=[one])]
    texts = rows.statements(batch, LANES)

    ((_, values),) = [found for found in texts if "INTO attempt" in found[0]]
    assert values == [2, "telia", b"id-2", 5.0, None]


def test_row_that_lacks_something_is_refused_and_not_left_out(
    database: sqlite3.Connection,
) -> None:
    (statement,) = rows.statements([changes(accepted=[message(1), message(2)])], LANES)
    text, values = statement
    damaged = [None if value == b"2" else value for value in values]

    with pytest.raises(sqlite3.IntegrityError):
        database.execute(text, damaged)


def test_number_that_is_taken_replaces_nothing(database: sqlite3.Connection) -> None:
    held = delivery(100)
    held.kept_as = 7
    run(database, rows.statements([changes(accepted=[message(100)], held=[held])], LANES))

    with pytest.raises(sqlite3.IntegrityError):
        run(database, rows.statements([changes(accepted=[message(100)])], LANES))
    with pytest.raises(sqlite3.IntegrityError):
        run(database, rows.statements([changes(held=[held])], LANES))


def test_attempt_that_is_told_again_is_written_once(database: sqlite3.Connection) -> None:
    one = message(1)
    run(database, rows.statements([changes(accepted=[one])], LANES))
    for _ in range(2):
        run(database, rows.statements([changes(attempted=[attempt(one)])], LANES))

    assert count(database, "attempt") == 1


def test_attempts_at_two_operators_are_two(database: sqlite3.Connection) -> None:
    one = message(1, plan=TO_ELISA)
    batch = changes(accepted=[one], attempted=[attempt(one), attempt(one, ELISA)])

    run(database, rows.statements([batch], LANES))

    found = database.execute(rows.SENT, (0, 1, TELIA, 9.0)).fetchall()
    assert {row[-4] for row in found} == {TELIA, ELISA}


def test_attempt_that_has_failed_takes_its_own_place_and_is_found_at_any_age(
    database: sqlite3.Connection,
) -> None:
    one = message(1)
    failed = replace(attempt(one), failure=b"5")
    run(
        database,
        rows.statements([changes(accepted=[one], attempted=[attempt(one), failed])], LANES),
    )
    found = database.execute(rows.SENT, (0, 1, TELIA, 0.0)).fetchall()
    assert [rows.to_attempt(one, row[-4:]) for row in found] == [failed]


def test_message_comes_back_as_it_went(database: sqlite3.Connection) -> None:
    one = message(100, lane=1, plan=TO_ELISA, registered_delivery=17)
    one.hold_receipt = True
    one.expires_utc = one.accepted_utc + 300.25
    one.not_before_utc = one.accepted_utc + 60.25
    run(database, rows.statements([changes(accepted=[one])], LANES))

    row = database.execute("SELECT * FROM message").fetchone()
    plan = Plans().of((ELISA, TELIA))
    found = rows.to_message(row, plan, 1, 1000.0, one.accepted_utc + 60.0)

    assert row[3:5] == ("alert", "elisa,telia")
    assert found.plan is plan
    assert found.lane == 1
    assert found.accepted_at == 940.0  # A minute ago, on the clock of this process.
    for name in (
        *("router_id", "client_id", "account", "command_id", "octets", "source_octets"),
        *("destination_octets", "registered_delivery", "accepted_utc", "expires_utc"),
        *("not_before_utc", "hold_receipt"),
    ):
        assert getattr(found, name) == getattr(one, name), name


def test_message_without_validity_has_none_afterwards(database: sqlite3.Connection) -> None:
    run(database, rows.statements([changes(accepted=[message(100)])], LANES))

    row = database.execute("SELECT * FROM message").fetchone()

    assert row[9:11] == (None, None)
    found = rows.to_message(row, TO_TELIA, 0, 0.0, 0.0)
    assert (found.expires_utc, found.not_before_utc) == (float("inf"), 0.0)


def test_message_from_the_future_is_not_older_than_this_process(
    database: sqlite3.Connection,
) -> None:
    one = message(100)
    run(database, rows.statements([changes(accepted=[one])], LANES))
    row = database.execute("SELECT * FROM message").fetchone()

    assert rows.to_message(row, TO_TELIA, 0, 1000.0, one.accepted_utc - 60.0).accepted_at == 1000.0


def test_delivery_comes_back_as_it_went(database: sqlite3.Connection) -> None:
    one = delivery(100)
    one.kept_as = 7
    one.final = False
    run(database, rows.statements([changes(held=[one])], LANES))

    found = rows.to_delivery(database.execute(rows.HELD, ("bank", 6, 1)).fetchone())

    for name in ("router_id", "account", "octets", "made_utc", "final", "kept_as"):
        assert getattr(found, name) == getattr(one, name), name
    assert found.not_before == 0.0
    assert found.tries == 0


def test_row_that_nobody_here_has_written_is_named(database: sqlite3.Connection) -> None:
    run(database, rows.statements([changes(accepted=[message(100)])], LANES))
    database.execute("UPDATE message SET octets = 'text'")
    row = database.execute("SELECT * FROM message").fetchone()
    with pytest.raises(ValueError, match="message 100"):
        rows.to_message(row, TO_TELIA, 0, 0.0, 0.0)
    with pytest.raises(ValueError, match="delivery 7"):
        rows.to_delivery((7, 100, "bank", 0.0, 1, None))


def test_lane_is_written_by_name() -> None:
    lanes = [LaneName("first"), LaneName("second")]

    ((_, values),) = rows.statements([changes(accepted=[message(1, lane=1)])], lanes)

    assert values[3] == "second"
