"""router/enqueue/lanes.py, router/journey.py: a backlog that only the journal has comes to its end.

It expires although it is not in memory, survives a journal that cannot be read for a while, and
holds up nothing else of its account.
"""

import pytest

from router.smpp import vocabulary as v
from router.terms.capacity import Capacity
from router.terms.names import LaneName
from router.terms.outcome import Outcome
from router.terms.queue_key import QueueKey
from router.terms.settings import Settings
from tests.doubles import FULL_DISK, Client, Router, World, with_lane


@pytest.fixture
def capacity() -> Capacity:
    """So little that most of a backlog is only in the journal."""
    return Capacity(queue_messages=20, queue_refill_below=10)


def submit(router: Router, client: Client, count: int, destination: bytes, start: int = 0) -> None:
    for n in range(start, start + count):
        client.submit(destination, text=b"%d" % n, registered_delivery=0)
        if n % 50 == 49:
            router.world.run(0.01)
    router.world.run(0.1)


ESTONIAN, FINNISH = b"37255512345", b"358401234567"


@pytest.mark.parametrize("failures", [0, 5])
def test_a_backlog_expires_although_it_is_not_in_memory(
    world: World, contract: Settings, capacity: Capacity, failures: int
) -> None:
    router = Router(world, with_lane(contract, "otp", validity_s=60.0), capacity=capacity)
    client = router.client()
    submit(router, client, 200, ESTONIAN)
    router.journal.fetches_to_fail = failures
    world.run(100.0)
    assert router.outcomes == [Outcome.EXPIRED] * 200
    router.assert_all_is_over()


def test_what_follows_an_expired_backlog_is_sent(
    world: World, contract: Settings, capacity: Capacity
) -> None:
    router = Router(world, with_lane(contract, "otp", validity_s=60.0), capacity=capacity)
    client = router.client()
    submit(router, client, 100, ESTONIAN)
    world.run(40.0)
    submit(router, client, 50, ESTONIAN, start=100)
    world.run(40.0)
    telia = router.operator("telia")
    world.run(5.0)
    assert telia.texts() == [b"%d" % n for n in range(100, 150)]
    router.assert_all_is_over()


def test_a_backlog_outlives_a_journal_that_cannot_be_read_for_a_while(
    world: World, router: Router
) -> None:
    client = router.client()
    submit(router, client, 200, ESTONIAN)
    telia = router.operator("telia")
    world.run(0.2)
    router.journal.failing = FULL_DISK
    world.run(5.0)
    router.journal.failing = None
    world.run(10.0)
    assert len(telia.submits) == 200
    router.assert_all_is_over()


def test_a_read_that_fails_is_tried_again_although_nothing_else_happens(
    world: World, router: Router
) -> None:
    client = router.client()
    submit(router, client, 100, ESTONIAN)
    router.journal.fetches_to_fail = 3
    telia = router.operator("telia")
    world.run(20.0)
    assert telia.texts() == [b"%d" % n for n in range(100)]
    router.assert_all_is_over()


def test_a_queue_that_was_miscounted_holds_up_no_other_of_its_account(
    world: World, router: Router
) -> None:
    client = router.client()
    elisa = router.operator("elisa")
    plan = router.journey.plans.of(tuple(router.settings.operators))
    account = client.link.account.name
    submit(router, client, 50, FINNISH)
    assert 0 < len(elisa.submits) < 50
    # The journal knows of none of them.
    router.journey.lanes.restore(QueueKey(plan, LaneName("otp"), account), 5)
    world.run(5.0)
    assert len(elisa.submits) == 50


@pytest.mark.parametrize("told_after_s", [0.0, 0.5, 10.0])
def test_what_is_fetched_before_the_router_hears_that_it_is_kept_is_sent_once(
    world: World, router: Router, told_after_s: float
) -> None:
    client = router.client()
    submit(router, client, 60, ESTONIAN)
    # A journal that reads in one thread and writes in another may tell of the reading first.
    router.journal.accepts_told_after_s = told_after_s
    numbers = [client.submit(text=b"last", registered_delivery=0) for _ in range(5)]
    world.settle()
    telia = router.operator("telia")
    world.run(20.0)
    assert {client.status_of(number) for number in numbers} == {v.ESME_ROK}
    assert telia.texts().count(b"last") == 5
    assert len(telia.submits) == 65
    router.assert_all_is_over()


def test_what_moves_to_another_operator_is_not_fetched_again(
    world: World, contract: Settings, capacity: Capacity
) -> None:
    router = Router(world, with_lane(contract, "otp", failover_after_s=None), capacity=capacity)
    client = router.client()
    submit(router, client, 100, ESTONIAN)
    telia, elisa = router.operator("telia"), router.operator("elisa")
    telia.status = lambda pdu: 0x4FF if pdu.sequence_number % 3 else 0
    world.run(10.0)
    assert len(telia.submits) == 100
    assert sorted(int(text) for text in elisa.texts() + telia.texts()) == sorted(
        [*range(100), *(int(text) for text in elisa.texts())]
    )
    assert len(elisa.submits) == len(set(elisa.texts()))
    router.assert_all_is_over()


def test_a_backlog_changes_hands_when_its_operator_goes(world: World, router: Router) -> None:
    client = router.client()
    submit(router, client, 200, ESTONIAN)
    telia = router.operator("telia")
    world.run(1.0)
    telia.far.drop()
    elisa = router.operator("elisa")
    world.run(10.0)
    assert set(telia.texts() + elisa.texts()) == {b"%d" % n for n in range(200)}
    router.assert_all_is_over()
