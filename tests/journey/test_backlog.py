"""router/enqueue/lanes.py with a journal behind: more waits than is kept in memory."""

from pathlib import Path

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.terms.capacity import Capacity
from router.terms.outcome import Outcome
from tests.doubles import Router, World, contract_settings, with_account, without_account
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
    assert after.journey.rooms.octets(client.link.account.name) == 0


def test_octets_that_an_earlier_process_left_take_room(world: World, tmp_path: Path) -> None:
    settings = with_account(contract_settings(tmp_path), "bank", queue_size_bytes=1000)
    before = Router(world, settings)
    client = before.client()
    numbers = [client.submit(text=b"x" * 100) for _ in range(20)]
    world.run(3.0)
    told = [client.status_of(number) for number in numbers]
    assert set(told) == {v.ESME_ROK, v.ESME_RMSGQFUL}
    accepted = told.count(v.ESME_ROK)
    octets = before.journey.rooms.octets(client.link.account.name)
    assert octets >= 1000
    after = before.restarted()
    assert after.journey.rooms.octets(client.link.account.name) == octets
    again = after.client()
    refused = again.submit()
    world.run(3.0)
    assert again.status_of(refused) == v.ESME_RMSGQFUL
    telia = after.operator("telia")
    world.run(3.0)
    assert len(telia.submits) == accepted
    assert after.journey.rooms.octets(client.link.account.name) == 0
    taken = again.submit()
    world.run(1.0)
    assert again.status_of(taken) == v.ESME_ROK


def test_as_many_octets_are_given_back_as_were_taken(world: World, tmp_path: Path) -> None:
    settings = with_account(
        contract_settings(tmp_path), "bank", schedule_delivery_time="honour", rate=None
    )
    router = Router(world, settings, capacity=LITTLE)
    client = router.client()
    for n in range(60):
        # The journal has it without its schedule, and without what is no field.
        client.submit(text=b"%d" % n, schedule_delivery_time=b"000000000002000R")
    client.submit(b"no number")
    world.run(0.5)
    octets = sum(len(one.octets) for one in router.journal.messages.values())
    assert len(router.journal.messages) == 60
    assert router.journey.rooms.octets(client.link.account.name) == octets
    router.operator("telia")
    world.run(5.0)
    assert router.journey.rooms.octets(client.link.account.name) == 0


def test_octets_of_an_account_that_comes_back_take_room(world: World, tmp_path: Path) -> None:
    settings = contract_settings(tmp_path)
    router = Router(world, settings)
    client = router.client()
    for _ in range(3):
        client.submit()
    world.run(1.0)
    bank = client.link.account.name
    octets = router.journey.rooms.octets(bank)
    router.settings = without_account(settings, "bank")
    after = router.restarted()
    assert after.journey.rooms.octets(bank) == 0
    after.adopt(settings)
    assert (after.journey.rooms.taken(bank), after.journey.rooms.octets(bank)) == (3, octets)


def test_large_messages_wait_in_the_journal_beyond_so_many_octets(
    world: World, tmp_path: Path
) -> None:
    capacity = Capacity(queue_octets=20_000)
    settings = with_account(contract_settings(tmp_path), "bank", rate=None, window=1000)
    router = Router(world, settings, capacity=capacity)
    client = router.client()
    for n in range(200):
        payload = p.tlv(v.MESSAGE_PAYLOAD, b"%d" % n + b" " * 3_000)
        client.submit(text=b"", tlvs=payload, registered_delivery=0)
        if n % 20 == 0:
            world.run(0.1)
    world.run(1.0)
    (queue,) = router.journey.lanes.queues()
    assert (len(queue), len(queue.messages)) == (200, 7)
    telia = router.operator("telia")
    most = 0
    for _ in range(1000):
        world.run(0.01)
        most = max(most, sum(len(message.octets) for message in queue.messages))
    assert most < 1.5 * 20_000 + 2 * 3_100
    texts = [int(p.Sm(pdu).tlv(v.MESSAGE_PAYLOAD) or b"") for _, pdu in telia.submits]
    assert texts == list(range(200))
    assert router.journey.rooms.octets(client.link.account.name) == 0
    assert queue.octets == 0
