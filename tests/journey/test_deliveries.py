"""steps/deliveries.py, report/outbox.py: what only the journal holds reaches its client.

In order, paced, without what it has had already, and without hurting others.
"""

from dataclasses import replace
from itertools import pairwise

import pytest

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.terms.capacity import Capacity
from router.terms.names import AccountName
from router.terms.settings import Settings
from tests.doubles import FULL_DISK, Client, Operator, Router, World, with_account
from tests.journey.scenes import connected

BANK = AccountName("bank")
COUNT = 60
LATER = v.ESME_RX_T_APPN


LITTLE = Capacity(
    outbox_deliveries=6,
    outbox_refill_below=3,
    outbox_away=2,
    outbox_fetch=4,
    outbox_retrying=2,
    outbox_per_turn=5,
)


@pytest.fixture
def capacity() -> Capacity:
    """So little that most deliveries are only in the journal."""
    return LITTLE


def held(world: World, router: Router, count: int = COUNT, account: bytes = b"bank") -> Operator:
    """So many receipts wait for a client that is away."""
    telia = router.operator("telia")
    telia.next_id += router.accepted  # Its ids go on where they were.
    client = router.client(account, b"secret01" if account == b"bank" else b"secret02")
    for _ in range(count):
        client.submit()
    world.run(6.0)
    client.far.drop()
    world.settle()
    for operator_id in list(telia.ids)[-count:]:
        telia.report(operator_id)
        world.settle()
    world.run(1.0)
    outbox = router.journey.deliveries.outboxes[AccountName(account.decode())]
    assert len(outbox) == count
    assert outbox.ahead > 0
    return telia


def told(client: Client) -> list[bytes]:
    """The ids in the receipts, in their order."""
    return [text.partition(b" ")[0] for text in client.receipt_texts()]


def test_a_client_that_was_away_gets_its_receipts_in_their_order(
    world: World, router: Router
) -> None:
    held(world, router)
    assert len(router.journey.deliveries.outboxes[BANK].waiting) <= 2
    back = router.client()
    world.run(2.0)
    assert len(set(told(back))) == len(told(back)) == COUNT
    assert told(back) == sorted(told(back))
    router.assert_all_is_over()


def test_a_restart_changes_nothing_of_that(world: World, router: Router) -> None:
    held(world, router)
    again = router.restarted()
    outbox = again.journey.deliveries.outboxes[BANK]
    assert len(outbox) == COUNT
    assert again.journey.taken_up["deliveries"] == COUNT
    world.run(2.0)
    assert len(outbox.waiting) <= LITTLE.outbox_fetch  # Enough to know how old they are.
    back = again.client()
    world.run(2.0)
    assert len(told(back)) == COUNT
    assert told(back) == sorted(told(back))
    assert not again.journal.held


def test_new_receipts_stand_behind_those_that_only_the_journal_has(
    world: World, router: Router
) -> None:
    telia = held(world, router)
    back = router.client()
    back.deliver_status = lambda _: None
    world.settle()
    back.submit()
    world.run(1.1)
    telia.report(b"%d" % (COUNT + 1))
    world.run(0.5)
    back.deliver_status = lambda _: 0
    for pdu in back.receipts:
        back.far.send(p.response(pdu.command_id, pdu.sequence_number, 0, b"\0"))
    world.run(40.0)
    ids = list(dict.fromkeys(told(back)))
    assert len(ids) == COUNT + 1
    assert ids == sorted(ids)
    router.assert_all_is_over()


def test_what_is_refused_for_now_holds_up_no_other_and_is_not_forgotten(
    world: World, router: Router
) -> None:
    held(world, router)
    back = router.client()
    stubborn: set[bytes] = set()

    def refuses_half(pdu: p.Pdu) -> int:
        text = p.Sm(pdu).short_message
        if int(text.partition(b" ")[0].removeprefix(b"id:")) // 100 % 2:
            stubborn.add(text)
            return LATER
        return 0

    back.deliver_status = refuses_half
    world.run(2.0)
    outbox = router.journey.deliveries.outboxes[BANK]
    assert len(outbox) == len(stubborn) > COUNT // 3
    assert outbox.passed == len(stubborn) - LITTLE.outbox_retrying
    assert len(outbox.waiting) == 0
    back.deliver_status = lambda _: 0
    world.run(400.0)
    router.assert_all_is_over()


def test_order_is_kept_for_one_message_even_if_the_journal_has_to_remember_it(
    world: World, router: Router
) -> None:
    telia, client = connected(router)
    for _ in range(10):
        client.submit(registered_delivery=17)
    world.run(2.0)
    client.deliver_status = lambda _: LATER
    for operator_id in telia.ids:
        telia.report(operator_id, b"ENROUTE", esm_class=0x20)
    world.run(2.0)
    assert router.journey.deliveries.outboxes[BANK].passed > 0
    telia.report_all()
    world.run(2.0)
    client.receipts.clear()
    client.deliver_status = lambda _: 0
    world.run(700.0)
    told_of: dict[bytes, list[bytes]] = {}
    for text in client.receipt_texts():
        state = text.partition(b" stat:")[2][:7]
        told_of.setdefault(text.partition(b" ")[0], []).append(state)
    assert list(told_of.values()) == [[b"ENROUTE", b"DELIVRD"]] * 10
    router.assert_all_is_over()


def test_what_is_too_old_ends_in_the_journal_too_and_is_counted(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_account(contract, "bank", outbox_s=100.0), capacity=LITTLE)
    held(world, router)
    world.run(110.0)
    assert router.journey.counters.deliveries[BANK, "too_old"] == COUNT
    router.assert_all_is_over()


def test_a_journal_that_cannot_be_read_is_read_again(world: World, router: Router) -> None:
    held(world, router)
    back = router.client()
    world.settle()
    router.journal.failing = FULL_DISK
    world.run(3.0)
    assert len(told(back)) < COUNT
    router.journal.failing = None
    world.run(10.0)
    assert len(set(told(back))) == COUNT
    router.assert_all_is_over()


def test_the_journal_is_read_at_a_bounded_pace_and_accounts_take_turns(
    world: World, contract: Settings
) -> None:
    router = Router(world, contract, capacity=replace(LITTLE, deliveries_read_per_s=20))
    held(world, router)
    held(world, router, account=b"shop")
    read = router.journal.held_read
    clients = [router.client(), router.client(b"shop", b"secret02")]
    world.run(1.9)
    assert all(later[0] - before[0] >= 0.2 - 1e-9 for before, later in pairwise(read))
    assert {account for _, account in read[:3]} == {"bank", "shop"}
    assert len({account for _, account in read[-2:]}) == 2
    assert all(10 <= len(client.receipts) <= 30 for client in clients)
    world.run(10.0)
    assert [len(client.receipts) for client in clients] == [COUNT, COUNT]


def test_a_long_row_does_not_take_the_turn_of_others(world: World, contract: Settings) -> None:
    capacity = replace(LITTLE, outbox_deliveries=1000, outbox_away=1000)
    router = Router(world, contract, capacity=capacity)
    telia, client = connected(router)
    for _ in range(15):
        client.submit()
    world.run(2.0)
    client.far.drop()
    telia.report_all()
    world.run(2.0)
    back = router.client()
    world.settle()
    assert max(map(deliveries_in, back.far.transport.written)) == LITTLE.outbox_per_turn
    world.run(0.1)
    assert len(back.receipts) == 15


def deliveries_in(written: tuple[float, bytes]) -> int:
    """How many deliver_sm were written at once."""
    return sum(pdu.command_id == v.DELIVER_SM for pdu in p.Framer(100_000).feed(written[1]))
