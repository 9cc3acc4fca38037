"""router/steps/damage.py: what the journal cannot read ends its message, and holds up no other."""

import pytest

from router.enqueue.journal import Damaged
from router.smpp import pdu as p
from router.terms.capacity import Capacity
from router.terms.names import AccountName, OperatorName
from router.terms.outcome import Outcome
from router.terms.settings import Settings
from tests.doubles import FULL_DISK, Router, World, with_operator, without_operator
from tests.journey.scenes import taken

BANK, TELIA = AccountName("bank"), OperatorName("telia")
LITTLE = Capacity(queue_messages=20, queue_refill_below=10, pending_receipts=0)


@pytest.fixture
def capacity() -> Capacity:
    """Nearly everything is in the journal only."""
    return LITTLE


def left_waiting(world: World, router: Router, count: int) -> list[int]:
    """A client has submitted so many messages, and the router was killed; return their ids."""
    client = router.client()
    for n in range(count):
        client.submit(text=b"%d" % n)
    world.run(0.1)
    return sorted(router.journal.messages)


@pytest.mark.parametrize("places", [[3], [0, 1, 50], [79], list(range(20, 60))])
def test_damaged_messages_end_as_unknown_and_the_others_go(
    world: World, router: Router, places: list[int]
) -> None:
    ids = left_waiting(world, router, 80)
    router.journal.damaged = {("message", ids[place]) for place in places}

    router = router.restarted()
    telia, client = router.operator("telia"), router.client()
    world.run(5.0)
    telia.report_all()
    world.run(5.0)

    texts = [int(p.Sm(pdu).short_message) for _, pdu in telia.submits]
    assert texts == [n for n in range(80) if n not in places]
    assert router.outcomes.count(Outcome.UNKNOWN) == len(places)
    assert router.outcomes.count(Outcome.DELIVERED) == 80 - len(places)
    unknown = [text for text in client.receipt_texts() if b"stat:UNKNOWN" in text]
    assert len(unknown) == len(places)
    assert all(b"damaged in the journal" in text for text in unknown)
    assert len(client.receipt_texts()) == 80
    assert router.journey.counters.rows_set_aside == {"message": len(places)}
    assert router.room_taken() == 0
    assert not router.journal.messages
    assert not router.journal.attempts
    assert not router.journal.held


def test_damaged_message_of_an_operator_that_is_gone_gives_its_room_back_once(
    world: World, router: Router, contract: Settings
) -> None:
    ids = left_waiting(world, router, 10)
    router.journal.damaged = {("message", ids[4])}
    router.is_dead = True

    router = Router(world, without_operator(contract, "telia"), router.journal, capacity=LITTLE)
    router.operator("elisa")
    world.run(10.0)

    assert router.journey.counters.rows_set_aside == {"message": 1}
    waiting = [one for one in router.journal.messages if one not in router.journal.attempts]
    assert router.room_taken() == len(waiting)


@pytest.mark.parametrize("asks", [True, False])
def test_damaged_attempt_ends_its_message_and_the_others_get_their_receipts(
    world: World, contract: Settings, *, asks: bool
) -> None:
    router = Router(world, with_operator(contract, "telia", receipt_wait_s=60.0), capacity=LITTLE)
    telia, client, _ = taken(router, 3)
    world.run(3.0)
    correlator = router.journey.pending.correlators[TELIA]
    assert (correlator.behind, correlator.in_memory) == (3, 0)
    (second,) = (one.kept_as for one in router.journal.attempts[sorted(router.journal.attempts)[1]])
    router.journal.damaged = {("sent", second)}

    if asks:
        telia.report_all()
    world.run(100.0)

    others = Outcome.DELIVERED if asks else Outcome.UNKNOWN
    assert sorted(router.outcomes) == sorted([others, others, Outcome.UNKNOWN])
    assert len(client.receipt_texts()) == 3
    assert len(correlator) == 0
    assert router.journey.counters.rows_set_aside == {"sent": 1}


def test_attempt_in_memory_is_right_and_is_written_anew(world: World, contract: Settings) -> None:
    router = Router(world, contract)
    telia, client, _ = taken(router)
    world.run(1.0)
    ((attempt,),) = router.journal.attempts.values()
    damaged = Damaged("sent", attempt.kept_as, "spoilt", message=attempt.message, operator=TELIA)
    router.journey.damage.found([damaged])

    (again,) = router.journey.commits.settles.taken
    assert router.journey.commits.settles.set_aside == [damaged]
    assert (again.kept_as, again.at_utc) == (attempt.kept_as, attempt.at_utc)
    assert (again.operator, again.operator_id) == (TELIA, attempt.operator_id)
    world.run(1.0)
    assert router.outcomes == []
    telia.report_all()
    world.run(1.0)
    assert router.outcomes == [Outcome.DELIVERED]
    assert len(client.receipt_texts()) == 1
    router.assert_all_is_over()


def test_message_that_is_settled_and_whose_row_is_still_there_ends_once(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_operator(contract, "telia", receipt_wait_s=60.0), capacity=LITTLE)
    telia, client, _ = taken(router, 2)
    world.run(50.0)
    row = router.journal.attempts[min(router.journal.attempts)][0].kept_as
    router.journal.writes_are_stuck = True
    telia.report(b"1")
    world.run(0.5)
    router.journal.damaged = {("sent", row)}
    world.run(30.0)  # What is overdue is searched for.
    assert router.journey.counters.rows_set_aside == {"sent": 1}

    router.journal.go_on()
    world.run(5.0)

    assert sorted(router.outcomes) == [Outcome.DELIVERED, Outcome.UNKNOWN]
    assert len(client.receipt_texts()) == 2


def test_damaged_delivery_is_passed_over(world: World, router: Router) -> None:
    telia, client, _ = taken(router, 30)
    client.far.drop()
    telia.report_all()
    world.run(10.0)
    held = sorted(router.journal.held)
    router.journal.damaged = {("delivery", held[7]), ("delivery", held[29])}

    router = router.restarted()
    client = router.client()
    world.run(5.0)

    assert len(client.receipt_texts()) == 28
    assert len(router.journey.deliveries.outboxes[BANK]) == 0
    assert router.journey.counters.rows_set_aside == {"delivery": 2}


def test_what_is_set_aside_is_told_again_after_a_failed_commit(
    world: World, router: Router
) -> None:
    ids = left_waiting(world, router, 5)
    router.journal.damaged = {("message", ids[2])}
    router = router.restarted()
    router.journal.failing = FULL_DISK
    world.run(0.1)
    router.journal.failing = None
    router.operator("telia")
    world.run(5.0)

    assert router.outcomes.count(Outcome.UNKNOWN) == 1
    assert ids[2] not in router.journal.messages
