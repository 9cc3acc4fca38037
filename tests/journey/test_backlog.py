"""router/enqueue/lanes.py with a journal behind: more waits than is kept in memory."""

from pathlib import Path

from router.smpp import pdu as p
from router.terms.capacity import Capacity
from router.terms.outcome import Outcome
from tests.doubles import Router, World, contract_settings
from tests.journey.scenes import connected

LITTLE = Capacity(queue_messages=20, queue_refill_below=10)


def test_a_backlog_goes_out_whole_and_in_order(world: World, tmp_path: Path) -> None:
    router = Router(world, contract_settings(tmp_path), capacity=LITTLE)
    client = router.client()
    for burst in range(5):
        for n in range(60):
            client.submit(text=b"%d" % (burst * 60 + n), registered_delivery=0)
        world.run(0.1)
    (queue,) = router.journey.lanes.queues()
    assert len(queue.messages) == 20
    assert len(queue) == 300
    telia = router.operator("telia")
    world.run(10.0)
    texts = [int(p.Sm(pdu).short_message) for _, pdu in telia.submits]
    assert texts == list(range(300))
    assert {settlement.outcome for settlement in router.settled} == {Outcome.SENT}
    assert router.journey.rooms.taken(client.link.account.name) == 0
    assert len(queue) == 0


def test_what_comes_while_messages_are_being_fetched_stays_behind_them(
    world: World, tmp_path: Path
) -> None:
    router = Router(world, contract_settings(tmp_path), capacity=LITTLE)
    telia, client = connected(router)
    for n in range(400):
        client.submit(text=b"%d" % n, registered_delivery=0)
        world.run(0.011)
    world.run(10.0)
    assert [int(p.Sm(pdu).short_message) for _, pdu in telia.submits] == list(range(400))


def test_a_restarted_router_fetches_what_the_one_before_left(world: World, tmp_path: Path) -> None:
    settings = contract_settings(tmp_path)
    before = Router(world, settings, capacity=LITTLE)
    client = before.client()
    for n in range(80):
        client.submit(text=b"%d" % n, registered_delivery=0)
    world.run(0.1)
    client.far.drop()
    world.run(1.0)
    after = Router(world, settings, before.journal, capacity=LITTLE)
    assert after.journey.taken_up["messages"] == 80
    telia = after.operator("telia")
    world.run(5.0)
    assert [int(p.Sm(pdu).short_message) for _, pdu in telia.submits] == list(range(80))
    assert not before.journal.messages
    assert after.journey.rooms.taken(client.link.account.name) == 0
