"""router/enqueue/{rows,found}.py: few statements, each known, and what is read is what was kept."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from router.enqueue import row_reader, row_writer, schema
from router.enqueue.journal import Changes, Settlement
from router.enqueue.names import LAST, Names, Span
from router.enqueue.row_reader import DamageError
from router.smpp import pdu as p
from router.terms.names import ClientId, LaneName
from router.terms.outcome import Outcome
from router.terms.queue_key import QueueKey
from router.terms.states import ACCEPTING, SENT, Mark
from tests.unit.enqueue.turns import LANES, attempt, changes, started, told_again
from tests.unit.messages import (
    ALERT,
    BANK,
    BULK,
    ELISA,
    OTP,
    SHOP,
    TELIA,
    TO_ELISA,
    TO_TELIA,
    delivery,
    message,
)

SIZES = (1, 2, 3, 4, 5, 31, 32, 33, 511, 512, 513, 1300)
TABLES = ("message", "sent", "delivery", "record")


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    """A new one, in memory."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as new:
        new.executescript(schema.SCHEMA)
        yield new


@pytest.fixture
def queues() -> row_writer.Queues:
    """None so far."""
    return row_writer.Queues(LANES, Names())


def run(database: sqlite3.Connection, statements: list[row_writer.Statement]) -> None:
    for text, values in statements:
        database.execute(text, values)


def numbered(one: Changes) -> Changes:
    """The same as the journal numbers it: by router_id here."""
    for held in one.held:
        held.kept_as = held.router_id
    for taken in one.taken:
        if not taken.kept_as:
            taken.kept_as = taken.message.router_id
            taken.message.row.attempts += (taken.kept_as,)
            taken.message.row.taken_utc = taken.at_utc
    for settlement in one.settled:
        settlement.kept_as = settlement.message.router_id
    return one


def counts(database: sqlite3.Connection) -> list[int]:
    """How many rows the tables have."""
    return [database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES]


# Written.


@pytest.mark.parametrize("size", SIZES)
def test_every_row_of_a_batch_is_written_and_no_other(
    size: int, database: sqlite3.Connection, queues: row_writer.Queues
) -> None:
    messages = [message(number) for number in range(1, size + 1)]
    deliveries = [delivery(number) for number in range(1, size + 1)]

    run(database, row_writer.statements([numbered(changes(accepted=messages))], queues))
    assert counts(database) == [size, 0, 0, 0]
    taken = numbered(changes(taken=map(attempt, messages), held=deliveries))
    run(database, row_writer.statements([taken], queues))
    assert counts(database) == [0, size, size, 0]  # What was taken waits no more.
    run(database, row_writer.statements([numbered(changes(settled=messages))], queues))
    assert counts(database) == [0, 0, size, size]
    run(database, row_writer.statements([changes(acknowledged=deliveries)], queues))
    assert counts(database) == [0, 0, 0, size]


def test_long_message_whose_other_parts_do_not_come_is_forgotten_after_others_have(
    database: sqlite3.Connection, queues: row_writer.Queues
) -> None:
    times = (5.0, 6.0, 4.0 + row_writer.STARTED_FOR_S, 5.5 + row_writer.STARTED_FOR_S)
    for number, latest_utc in enumerate(times, 1):
        one = started(number, taken=1, latest_utc=latest_utc)
        one.numbered(number)
        run(database, row_writer.statements([changes(started=[one])], queues))
    assert database.execute("SELECT number FROM started").fetchall() == [(2,), (3,), (4,)]


@pytest.mark.parametrize("size", SIZES)
def test_every_row_that_ends_is_deleted_and_no_other(
    size: int, database: sqlite3.Connection, queues: row_writer.Queues
) -> None:
    messages = [message(number) for number in range(1, 2 * size + 2)]
    deliveries = [delivery(number) for number in range(1, size + 2)]
    batch = changes(accepted=messages, held=deliveries, taken=map(attempt, messages[1::2]))
    run(database, row_writer.statements([numbered(batch)], queues))
    assert counts(database) == [size + 1, size, size + 1, 0]

    run(database, row_writer.statements([numbered(changes(settled=messages[1:]))], queues))
    run(database, row_writer.statements([changes(acknowledged=deliveries[:-1])], queues))

    assert database.execute("SELECT router_id FROM message").fetchall() == [(1,)]
    assert database.execute("SELECT router_id FROM sent").fetchall() == []
    assert database.execute("SELECT number FROM delivery").fetchall() == [(size + 1,)]


def test_batches_share_one_statement_per_table_and_kind(queues: row_writer.Queues) -> None:
    batches = []
    for number in range(1, 101):
        taken, over, marked = (message(number + more) for more in (1000, 2000, 3000))
        batch = changes(
            accepted=[message(number)],
            taken=[attempt(taken)],
            held=[delivery(number)],
            settled=[over],
            acknowledged=[delivery(number)],
        )
        over.row.attempts = (number,)
        batch.marked.append(marked)
        over.mark = marked.mark = Mark.MARKING
        batch.written[number % 3] = marked
        batches.append(batch)

    assert len(row_writer.statements(batches, queues)) == 12


def test_there_are_few_different_statements(queues: row_writer.Queues) -> None:
    texts = {
        text
        for size in range(1, row_writer.MOST_ROWS + 1)
        for text, _ in row_writer.statements(
            [changes(accepted=[message(number) for number in range(size)])], queues
        )
        if "INTO message" in text
    }

    assert len(texts) == 10  # 1, 2, 4 ... 512: less than what sqlite3 keeps compiled.


def test_what_a_delete_has_to_spare_deletes_nothing_else(database: sqlite3.Connection) -> None:
    run(database, list(row_writer.delete("message", "router_id", [])))
    assert not list(row_writer.delete("message", "router_id", []))
    ((text, values),) = row_writer.delete("message", "router_id", {7, 5, 9})
    assert text.count("?") == len(values) == 4
    assert set(values) == {5, 7, 9}


@pytest.mark.parametrize("keys", [[3], [4, 5], [5, 4, 6], [2, 4], [2, 2, 4], [9, 10, 11], [1, 8]])
def test_delete_takes_the_rows_it_is_told_and_no_others(
    database: sqlite3.Connection, queues: row_writer.Queues, keys: list[int]
) -> None:
    accepted = [message(number) for number in range(1, 9)]
    run(database, row_writer.statements([changes(accepted=accepted)], queues))

    run(database, list(row_writer.delete("message", "router_id", keys)))

    left = {number for (number,) in database.execute("SELECT router_id FROM message")}
    assert left == set(range(1, 9)) - set(keys)


def test_to_accept_is_one_statement(
    database: sqlite3.Connection, queues: row_writer.Queues
) -> None:
    run(database, row_writer.statements([changes(accepted=[message(1)])], queues))
    queues.are_safe()

    assert len(row_writer.statements([changes(accepted=[message(2)])], queues)) == 1


def test_to_accept_what_may_come_again_is_two_and_no_more_than_that(
    queues: row_writer.Queues,
) -> None:
    row_writer.statements([changes(accepted=[message(1)])], queues)
    queues.are_safe()
    one = message(2)
    statements = row_writer.statements([changes(accepted=[one], unseen=[(one, b"f")])], queues)

    assert len(statements) == 2
    assert row_writer.only_accept(statements)


def test_message_with_a_quick_receipt_costs_a_row_in_and_a_row_out(
    queues: row_writer.Queues,
) -> None:
    one, other = message(1), message(2)
    batch = [changes(taken=[attempt(one), attempt(other)]), changes(settled=[one])]
    written = row_writer.statements([numbered(changes(taken=batch[0].taken)), batch[1]], queues)

    ((_, values),) = [found for found in written if "INTO sent" in found[0]]
    assert values[:4] == [2, "telia", b"id-2", 5.0]
    assert not [text for text, _ in written if "DELETE FROM sent" in text]
    ((_, gone),) = [found for found in written if "DELETE FROM message" in found[0]]
    assert list(gone) == [1, 2]


def test_row_that_lacks_something_is_refused_and_not_left_out(
    database: sqlite3.Connection, queues: row_writer.Queues
) -> None:
    statements = row_writer.statements([changes(accepted=[message(1), message(2)])], queues)
    ((text, values),) = [found for found in statements if "INTO message" in found[0]]
    damaged = [None if value == message(2).octets else value for value in values]

    with pytest.raises(sqlite3.IntegrityError):
        database.execute(text, damaged)


def test_number_that_is_taken_replaces_nothing(
    database: sqlite3.Connection, queues: row_writer.Queues
) -> None:
    batch = numbered(changes(accepted=[message(100)], held=[delivery(100)]))
    run(database, row_writer.statements([batch], queues))

    with pytest.raises(sqlite3.IntegrityError):
        run(database, row_writer.statements([changes(accepted=[message(100)])], queues))
    with pytest.raises(sqlite3.IntegrityError):
        run(database, row_writer.statements([changes(held=batch.held)], queues))


def test_what_is_told_again_is_written_once(
    database: sqlite3.Connection, queues: row_writer.Queues
) -> None:
    one, other = message(1), message(2)
    run(database, row_writer.statements([changes(accepted=[one, other])], queues))
    batch = numbered(changes(taken=[attempt(one)], settled=[other]))
    for _ in range(2):
        run(database, row_writer.statements([batch], queues))

    assert counts(database) == [0, 1, 0, 1]


def test_attempt_that_has_failed_takes_its_own_place_and_is_found_at_any_age(
    database: sqlite3.Connection, queues: row_writer.Queues
) -> None:
    one = message(1)
    first = numbered(changes(accepted=[one], taken=[attempt(one)]))
    failed = told_again(first.taken[0], b"5")
    run(database, row_writer.statements([first, changes(taken=[failed])], queues))

    (row,) = database.execute(row_reader.SENT, (TELIA, 0, 1, 0.0))
    again = row_reader.to_pending(row, TO_TELIA, OTP)
    assert (again.failure, again.kept_as, again.at_utc) == (b"5", 1, 5.0)
    assert database.execute(row_reader.NEXT_FAILED, (0,)).fetchone() == (1,)


def test_queue_is_written_once_and_shared_by_what_is_decided_alike(
    database: sqlite3.Connection, queues: row_writer.Queues
) -> None:
    for number in range(1, 7):
        one = message(number, plan=(TO_TELIA, TO_ELISA)[number % 2], lane=LANES[number % 3])
        statements = row_writer.statements([changes(accepted=[one])], queues)
        run(database, statements)
        queues.are_safe()

    found_queues = database.execute("SELECT number, account, lane, plan FROM queue").fetchall()
    assert len(found_queues) == 6
    one = message(7, plan=TO_ELISA, lane=ALERT)
    run(database, row_writer.statements([changes(accepted=[one])], queues))
    assert (one.row.queue, "bank", "alert", "elisa,telia") in found_queues
    assert queues.numbers_of(QueueKey(TO_ELISA, ALERT, BANK)) == (one.row.queue,)
    assert queues.numbers_of(QueueKey(TO_ELISA, ALERT, SHOP)) == ()


def test_queue_of_a_transaction_that_failed_is_written_with_the_next(
    queues: row_writer.Queues,
) -> None:
    for number in (1, 2):
        statements = row_writer.statements([changes(accepted=[message(number)])], queues)
        assert [text for text, _ in statements if "INTO queue" in text]
    queues.are_safe()
    statements = row_writer.statements([changes(accepted=[message(3)])], queues)
    assert not [text for text, _ in statements if "INTO queue" in text]


def test_lane_that_is_no_more_is_read_as_the_last(queues: row_writer.Queues) -> None:
    queues.found(3, BANK, LaneName("gone"), "telia")
    queues.found(5, BANK, BULK, "telia")
    queues.found(4, BANK, OTP, "telia")

    assert queues.numbers_of(QueueKey(TO_TELIA, BULK, BANK)) == (5, 3)
    assert queues.numbers_of(QueueKey(TO_TELIA, OTP, BANK)) == (4,)
    assert queues.number_of(message(1, lane=BULK)) == 5
    assert queues.number_of(message(1, lane=ALERT)) == 6


def test_how_far_a_queue_was_written_never_goes_back(
    database: sqlite3.Connection, queues: row_writer.Queues
) -> None:
    newest = message(9)
    newest.operator = TELIA
    older = message(5)
    older.operator = ELISA
    other = message(7)
    other.operator = ELISA
    first, second = changes(), changes()
    first.written[1] = newest
    second.written |= {1: older, 2: other}
    run(database, row_writer.statements([first], queues))
    run(database, row_writer.statements([second], queues))

    assert database.execute("SELECT * FROM written").fetchall() == [
        (1, 9, "telia"),
        (2, 7, "elisa"),
    ]


def test_mark_goes_with_the_message_that_it_is_about(
    database: sqlite3.Connection, queues: row_writer.Queues
) -> None:
    taken, over, back, left = (message(number) for number in (1, 2, 3, 4))
    batch = changes(accepted=[taken, over, back, left])
    batch.marked += [taken, over, back]
    batch.unmarked.append(left)
    for one in batch.marked:
        one.mark = Mark.MARKING
    left.mark = Mark.CLEARED
    run(database, row_writer.statements([batch], queues))
    assert database.execute(row_reader.MARKS).fetchall() == [(1, 1), (2, 1), (3, 1), (4, 0)]
    batch = numbered(changes(taken=[attempt(taken)], settled=[over]))
    back.mark, left.mark = Mark.CLEARED, Mark.MARKING
    batch.unmarked.append(back)
    batch.marked.append(left)
    run(database, row_writer.statements([batch], queues))

    assert database.execute(row_reader.MARKS).fetchall() == [(3, 0), (4, 1)]


def test_record_says_how_it_ended_and_not_what_it_said(
    database: sqlite3.Connection, queues: row_writer.Queues
) -> None:
    one = message(100, lane=ALERT, plan=TO_ELISA)
    one.operator = TELIA
    one.writes = 2
    batch = changes(accepted=[one], taken=[attempt(one, ELISA), attempt(one)])
    run(database, row_writer.statements([numbered(batch)], queues))
    over = Settlement(one, Outcome.UNKNOWN, 9.5, "no receipt came")
    over.kept_as = 7
    ended = changes()
    ended.settled.append(over)
    run(database, row_writer.statements([ended], queues))

    row = database.execute("SELECT * FROM record").fetchone()
    assert row == (
        *(7, 100, None, "bank", "alert", "telia", "unknown", "no receipt came", "BANK"),
        *("37255512345", 2, 2, one.accepted_utc, 5.0, 9.5),
        *(None, None, None, None, None, 0),
    )


def test_no_record_is_kept_where_none_is_wanted(queues: row_writer.Queues) -> None:
    batch = changes(settled=[message(1)])
    texts = [text for text, _ in row_writer.statements([batch], queues, keeps_records=False)]
    assert not [text for text in texts if "record" in text]


def test_accounts_are_counted_in_the_same_transaction(
    database: sqlite3.Connection, queues: row_writer.Queues
) -> None:
    messages = [message(number, account=(BANK, SHOP)[number % 2]) for number in range(1, 8)]
    for one in messages:
        run(database, row_writer.statements([changes(accepted=[one])], queues))
    batch = numbered(changes(settled=messages[:4]))
    batch.settled[0].outcome = Outcome.EXPIRED
    run(database, row_writer.statements([batch], queues))

    assert database.execute("SELECT * FROM account ORDER BY name").fetchall() == [
        ("bank", 2, 0, 0, 0, 0, 0),
        ("shop", 1, 0, 1, 0, 0, 0),
    ]


# Read.


def test_message_comes_back_as_it_went(
    database: sqlite3.Connection, queues: row_writer.Queues
) -> None:
    one = message(100, lane=ALERT, plan=TO_ELISA, registered_delivery=17)
    one.client_id = ClientId(b"A7")
    one.hold_receipt = True
    one.expires_utc = one.accepted_utc + 300.25
    one.not_before_utc = one.accepted_utc + 60.5
    run(database, row_writer.statements([changes(accepted=[one])], queues))

    row = database.execute(row_reader.NEXT_OF_QUEUE, (one.row.queue, 0, 10)).fetchone()
    again = row_reader.to_message(row, one.row.queue, QueueKey(TO_ELISA, ALERT, BANK))

    for name in (
        *("router_id", "client_id", "account", "lane", "plan", "command_id", "octets"),
        *("source_octets", "destination_octets", "registered_delivery", "accepted_utc"),
        *("expires_utc", "not_before_utc", "hold_receipt"),
    ):
        assert getattr(again, name) == getattr(one, name), name
    assert again.row.queue == one.row.queue
    assert again.state is ACCEPTING


def test_message_without_validity_has_none_afterwards(
    database: sqlite3.Connection, queues: row_writer.Queues
) -> None:
    one = message(100)
    run(database, row_writer.statements([changes(accepted=[one])], queues))

    row = database.execute(row_reader.NEXT_OF_QUEUE, (one.row.queue, 0, 10)).fetchone()

    assert row[1] is None
    again = row_reader.to_message(row, one.row.queue, QueueKey(TO_TELIA, OTP, BANK))
    assert (again.expires_utc, again.client_id) == (float("inf"), b"100")


def test_attempt_comes_back_with_its_message_and_without_the_text(
    database: sqlite3.Connection, queues: row_writer.Queues
) -> None:
    one = message(100, lane=ALERT, plan=TO_ELISA, registered_delivery=17)
    one.hold_receipt = True
    one.writes = 3
    batch = changes(accepted=[one], taken=[attempt(one, ELISA)])
    run(database, row_writer.statements([numbered(batch)], queues))

    ((text, values),) = row_reader.recall(Span(ELISA, 0, LAST), [batch.taken[0].operator_id])
    (row,) = database.execute(text, values)
    again = row_reader.to_pending(row, TO_ELISA, ALERT)

    assert (again.operator, again.operator_id, again.at_utc) == (ELISA, b"id-100", 5.0)
    assert (again.kept_as, again.message.octets, again.message.state) == (100, b"", SENT)
    for name in (
        *("router_id", "client_id", "account", "lane", "plan", "source_octets", "writes"),
        *("destination_octets", "registered_delivery", "accepted_utc", "hold_receipt"),
    ):
        assert getattr(again.message, name) == getattr(one, name), name


def test_delivery_comes_back_as_it_went(
    database: sqlite3.Connection, queues: row_writer.Queues
) -> None:
    one = delivery(100)
    one.kept_as = 7
    one.final = False
    one.bind = "127.0.0.1:2776"
    run(database, row_writer.statements([changes(held=[one])], queues))

    again = row_reader.to_delivery(
        database.execute(row_reader.HELD, ("bank", 6, LAST, 1)).fetchone()
    )

    for name in ("router_id", "account", "octets", "made_utc", "final", "kept_as", "bind"):
        assert getattr(again, name) == getattr(one, name), name
    assert again.not_before == 0.0
    assert again.tries == 0


@pytest.mark.parametrize(
    "octets", ["text", p.build(4, 0, 0, b"no end"), b""], ids=["text", "torn", "empty"]
)
def test_row_that_nobody_here_has_written_is_named(octets: object) -> None:
    row = (100, None, 1, 0, 1.0, None, 0.0, octets, None, None)
    with pytest.raises(DamageError, match=r"no message|another type"):
        row_reader.to_message(row, 1, QueueKey(TO_TELIA, OTP, BANK))  # type: ignore[arg-type]
    with pytest.raises(DamageError, match="another type"):
        row_reader.to_delivery((7, "bank", 100, 0.0, 1, None, None, None))
    with pytest.raises(DamageError, match="another type"):
        row_reader.to_pending((7, *[None] * 20), TO_TELIA, OTP)
    with pytest.raises(DamageError, match="another type"):
        row_reader.to_orphan((7, *[None] * 6))
    with pytest.raises(DamageError, match="another type"):
        row_reader.to_unseen_answer((7, *[None] * 6))


@pytest.mark.parametrize(
    ("query", "values"),
    [
        (row_reader.NEXT_OF_QUEUE, (1, 0, 10)),
        (row_reader.HELD, ("bank", 0, LAST, 10)),
        (row_reader.BACKLOGS, ()),
        (row_reader.SENT, ("telia", 0, 1000, 1.0)),
        (row_reader.NEXT_FAILED, (0,)),
        (row_writer._FAILED, (b"", "telia", b"", 1)),
        *row_reader.recall(Span(TELIA, 0, LAST), [attempt(message(1)).operator_id] * 3),
        *row_reader.others({5}),
        *row_reader.other_parts(Span(TELIA, 0, LAST), {5}),
        *row_writer.delete("message", "router_id", {1, 2, 3}),
        *row_writer.delete("sent", "number", {1, 2, 3}),
        *row_writer.delete("delivery", "number", {1, 2, 3}),
    ],
)
def test_nothing_steps_over_what_it_does_not_want(
    query: str, values: schema.Row, database: sqlite3.Connection
) -> None:
    """Whatever is asked often is found by a key or in an index, and needs no sorting."""
    plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {query}", values)]
    for step in plan:
        assert "SCAN" not in step or "COVERING INDEX message_by_queue" in step, plan
        assert "TEMP B-TREE" not in step, plan
