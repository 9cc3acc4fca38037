"""Receipts go back to the bind that submitted their messages, as long as it takes them."""

import pytest

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.terms.capacity import Capacity
from router.terms.settings import Settings
from tests.doubles import Client, Router, World, with_account
from tests.journey.scenes import restarted_with


@pytest.fixture
def contract(contract: Settings) -> Settings:
    return with_account(contract, "bank", deliver_window=2)


def sent(router: Router, client: Client, count: int = 1) -> list[bytes]:
    """Have so many messages of this client accepted and sent; return their ids."""
    numbers = [client.submit() for _ in range(count)]
    router.world.run(1.0)
    return [client.id_of(number) for number in numbers]


def heard(client: Client) -> list[bytes]:
    """The ids of the receipts that came, in their order."""
    return [text.split(b" ")[0].removeprefix(b"id:") for text in client.receipt_texts()]


def test_each_bind_gets_its_own(world: World, router: Router) -> None:
    telia = router.operator("telia")
    one, two, three = (router.client() for _ in range(3))
    ids = [sent(router, client, 4) for client in (two, one, two)]
    telia.report_all()
    world.run(1.0)
    assert (heard(one), heard(two), heard(three)) == (ids[1], ids[0] + ids[2], [])
    router.assert_all_is_over()


def test_bind_that_is_gone_leaves_its_own_to_others(world: World, router: Router) -> None:
    telia = router.operator("telia")
    one, two = router.client(), router.client()
    ids = sent(router, one, 4)
    one.deliver_status = lambda _: None
    telia.report_all()
    world.run(1.0)
    assert (heard(one), heard(two)) == (ids[:2], [])
    one.far.drop()
    world.run(1.0)
    assert heard(two) == ids
    router.assert_all_is_over()


def test_bind_that_answers_nothing_holds_its_own_for_seconds_and_no_others(
    world: World, router: Router
) -> None:
    telia = router.operator("telia")
    one, two = router.client(), router.client()
    ids, other = sent(router, one, 4), sent(router, two)
    one.deliver_status = lambda _: None
    telia.report_all()
    world.run(9.0)
    assert (heard(one), heard(two)) == (ids[:2], other)
    world.run(2.0)
    assert heard(two) == other + ids[2:]


def test_bind_that_reads_nothing_leaves_its_own_to_others(world: World, router: Router) -> None:
    telia = router.operator("telia")
    one, two = router.client(), router.client()
    ids = sent(router, one, 2)
    one.link.pause_writing()
    telia.report_all()
    world.run(1.0)
    assert (heard(one), heard(two)) == ([], ids)


def test_receipts_of_a_transmitter_go_to_the_receiver_with_the_fewest_unanswered(
    world: World, router: Router
) -> None:
    telia = router.operator("telia")
    one = router.client(command_id=v.BIND_TRANSMITTER)
    receivers = [router.client(command_id=v.BIND_RECEIVER) for _ in range(2)]
    receivers[0].deliver_status = lambda _: None
    sent(router, one, 3)
    for operator_id in telia.ids:
        telia.report(operator_id)
        world.run(1.0)
    assert [len(heard(client)) for client in receivers] == [1, 2]
    assert heard(one) == []


def test_receipts_that_were_left_to_the_journal_find_their_bind(
    world: World, contract: Settings
) -> None:
    router = Router(
        world,
        contract,
        capacity=Capacity(outbox_deliveries=2, outbox_refill_below=1, outbox_fetch=2),
    )
    telia = router.operator("telia")
    one, two = router.client(), router.client()
    one.deliver_status = two.deliver_status = lambda _: None
    clients = [one, two, one, two, one, two, two, two, one, one]
    ids = [(client, *sent(router, client)) for client in clients]
    telia.report_all()
    world.run(1.0)
    assert router.journey.deliveries.outboxes[one.link.account.name].ahead > 0

    for client in (one, two):
        client.deliver_status = lambda _: 0
        for pdu in client.receipts:
            client.far.send(p.response(pdu.command_id, pdu.sequence_number, 0, b"\0"))
    world.run(5.0)
    for client in (one, two):
        assert heard(client) == [message_id for of, message_id in ids if of is client]


def test_after_a_restart_any_bind_will_do(world: World, router: Router) -> None:
    telia = router.operator("telia")
    one = router.client()
    ids = sent(router, one, 2)
    again, telia = restarted_with(router, telia)
    back, other = again.client(), again.client()
    telia.report_all()
    world.run(1.0)
    assert sorted(heard(back) + heard(other)) == sorted(ids)
    assert len(heard(back)) == len(heard(other)) == 1
