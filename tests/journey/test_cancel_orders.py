"""router/steps/cancel_orders.py: a person cancels single messages, or all that waits."""

from dataclasses import replace

import pytest

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.receipt import State
from router.steps.cancel_orders import CANNOT_BE_WRITTEN, MOST_ORDERS, MOST_UNSAFE, Order, Wanted
from router.terms.capacity import Capacity
from router.terms.message import Message
from router.terms.names import AccountName
from router.terms.outcome import Outcome
from router.terms.settings import ClientIdForm, MessageIdForms, Settings
from tests.doubles import Client, Router, World, with_account
from tests.journal import FULL_DISK
from tests.journey.scenes import connected, nothing_is_left, taken, unanswered

BANK = AccountName("bank")
ALL = Wanted(account=BANK)


def ordered(router: Router, wanted: Wanted, for_s: float = 5.0) -> Order:
    """An order that has ended within the time."""
    over: list[Order] = []
    order = router.journey.cancel_orders.begin(wanted, over.append)
    assert order is not None
    assert not over
    router.world.run(for_s)
    assert over == [order]
    assert order.is_over
    assert router.journey.cancel_orders.under_way == []
    return order


def waiting(router: Router, count: int) -> tuple[Client, list[int]]:
    """Messages of the bank for which no operator is bound."""
    client = router.client()
    numbers = []
    for one in range(count):
        numbers.append(client.submit(text=b"m%d" % one))
        if one % 200 == 199:
            router.world.run(1.0)
    router.world.run(1.0)
    return client, numbers


@pytest.fixture
def small() -> Capacity:
    """Room for two messages of a queue in memory."""
    return Capacity(queue_messages=2, queue_refill_below=1, queue_fetch=2)


@pytest.mark.parametrize("is_small", [False, True])
def test_all_that_an_account_has_waiting_is_cancelled_in_pieces(
    world: World, contract: Settings, small: Capacity, is_small: bool
) -> None:
    router = Router(world, contract, capacity=small if is_small else Capacity())
    client, numbers = waiting(router, 350)
    shop = router.client(b"shop", b"secret02")
    shop.submit(text=b"of the shop")
    world.run(0.2)
    order = ordered(router, ALL)
    assert (order.cancelled, order.with_operator, order.not_kept, order.why) == (350, 0, 0, "")
    assert router.outcomes == [Outcome.REJECTED] * 350
    assert {one.reason for one in router.settled} == {"cancelled"}
    world.run(2.0)
    assert len(client.receipts) == len(numbers)
    assert b" stat:DELETED " in p.Sm(client.receipts[0]).short_message
    assert p.Sm(client.receipts[0]).tlv(v.MESSAGE_STATE) == bytes((State.DELETED,))
    telia = router.operator("telia")
    world.run(2.0)
    assert telia.texts() == [b"of the shop"]
    assert all(len(queue) == 0 for queue in router.journey.lanes.queues())


def test_no_more_is_cancelled_than_the_journal_keeps_up_with(world: World, router: Router) -> None:
    waiting(router, MOST_UNSAFE + 350)
    router.journal.writes_are_stuck = True
    over: list[Order] = []
    order = router.journey.cancel_orders.begin(ALL, over.append)
    assert order is not None
    world.run(5.0)
    assert (order.cancelled, order.unsafe, over) == (0, MOST_UNSAFE, [])
    router.journal.go_on()
    world.run(5.0)
    assert over == [order]
    assert order.cancelled == MOST_UNSAFE + 350


def test_what_is_cancelled_is_over_for_the_next_process(world: World, router: Router) -> None:
    waiting(router, 20)
    order = ordered(router, ALL, 0.5)
    assert order.cancelled == 20
    again = router.restarted()
    telia = again.operator("telia")
    world.run(1.0)
    assert telia.submits == []


def test_what_comes_later_is_not_cancelled(world: World, router: Router) -> None:
    client, _ = waiting(router, 150)
    order = router.journey.cancel_orders.begin(ALL, lambda _: None)
    assert order is not None
    client.submit(text=b"later")
    world.run(5.0)
    assert order.cancelled == 150
    telia = router.operator("telia")
    world.run(1.0)
    assert telia.texts() == [b"later"]


def test_what_an_operator_has_or_may_have_is_counted(world: World, router: Router) -> None:
    telia, client, _, _ = unanswered(router)
    telia.far.drop()  # It is in doubt.
    world.run(0.1)
    order = ordered(router, ALL, 1.0)
    assert (order.cancelled, order.with_operator) == (0, 1)
    assert router.outcomes == []
    assert client.receipts == []


@pytest.mark.parametrize(
    ("fields", "cancelled"),
    [
        ({"number": "37255512345"}, 3),
        ({"number": "37255512346"}, 1),
        ({"number": "5512345"}, 0),
        ({"sender": b"BANK"}, 4),
        ({"sender": b"bank"}, 0),
        ({"sender": b"BANK", "number": "37255512346"}, 1),
    ],
)
def test_number_and_sender_say_which(
    world: World, router: Router, fields: dict[str, object], cancelled: int
) -> None:
    client, _ = waiting(router, 2)
    client.submit(b"+372 5551 2345")
    client.submit(b"37255512346")
    world.run(0.2)
    order = ordered(router, Wanted(account=BANK, **fields))  # type: ignore[arg-type]
    assert order.cancelled == cancelled
    assert len(router.outcomes) == cancelled


def test_dry_run_counts_and_changes_nothing(world: World, router: Router) -> None:
    client, numbers = waiting(router, 5)
    order = ordered(router, replace(ALL, is_dry_run=True))
    assert order.cancelled == 5
    ids = (client.id_of(numbers[0]), b"4711")
    order = ordered(router, Wanted(ids, is_dry_run=True))
    assert (order.cancelled, order.fates) == (1, {ids[0]: "cancelled", b"4711": "not_found"})
    assert router.outcomes == []
    telia = router.operator("telia")
    world.run(1.0)
    telia.report_all()
    world.run(1.0)
    nothing_is_left(router)


@pytest.mark.parametrize("form", ["decimal", "hex", "uuid", "hex8"])
def test_single_messages_by_any_id_of_theirs(
    world: World, contract: Settings, form: ClientIdForm
) -> None:
    router = Router(
        world,
        with_account(contract, "bank", message_id=MessageIdForms(response=form, receipt=form)),
    )
    client, numbers = waiting(router, 12)
    ids = tuple(client.id_of(one) for one in numbers[:6])
    own = tuple(b"%d" % one.router_id for one in sorted_messages(router)[6:8])
    order = ordered(router, Wanted((*ids, *own, ids[0].lower(), b"nonsense", b"")))
    assert order.cancelled == 8
    assert [order.fates[one] for one in (*ids, *own)] == ["cancelled"] * 8
    assert (order.fates[b"nonsense"], order.fates[b""]) == ("not_found", "not_found")
    telia = router.operator("telia")
    world.run(1.0)
    assert telia.texts() == [b"m8", b"m9", b"m10", b"m11"]


def sorted_messages(router: Router) -> list[Message]:
    return [router.journal.messages[number] for number in sorted(router.journal.messages)]


def test_single_message_that_an_operator_took(world: World, router: Router) -> None:
    telia, client, (number,) = taken(router)
    order = ordered(router, Wanted((client.id_of(number),)))
    assert (order.cancelled, order.with_operator) == (0, 1)
    assert order.fates == {client.id_of(number): "with_operator"}
    telia.report_all()
    world.run(1.0)
    assert router.outcomes == [Outcome.DELIVERED]


def test_journal_that_fails_ends_the_order_and_says_what_is_not_kept(
    world: World, router: Router
) -> None:
    client, _ = waiting(router, 250)
    router.journal.writes_are_stuck = True
    over: list[Order] = []
    order = router.journey.cancel_orders.begin(ALL, over.append)
    assert order is not None
    world.run(1.0)
    assert order.unsafe == 250
    router.journal.failing = FULL_DISK
    router.journal.go_on()
    world.run(1.0)
    assert over == [order]
    assert (order.cancelled, order.not_kept, order.why) == (0, 250, CANNOT_BE_WRITTEN)
    later = ordered(router, ALL, 0.5)
    assert "the journal cannot be" in later.why
    router.journal.failing = None
    world.run(5.0)
    assert len(router.outcomes) == 250  # The journal was told again.
    assert len(client.receipts) == 250


def test_order_is_stopped(world: World, router: Router) -> None:
    waiting(router, MOST_UNSAFE + 350)
    router.journal.writes_are_stuck = True
    over: list[Order] = []
    order = router.journey.cancel_orders.begin(ALL, over.append)
    assert order is not None
    world.run(2.0)
    order.is_stopped = True
    router.journal.go_on()
    world.run(2.0)
    assert over == [order]
    assert (order.cancelled, order.why) == (MOST_UNSAFE, "it was stopped")


def test_so_many_orders_at_once(world: World, router: Router) -> None:
    waiting(router, 3)
    begun = [router.journey.cancel_orders.begin(ALL, lambda _: None) for _ in range(5)]
    assert [one is not None for one in begun] == [True] * MOST_ORDERS + [False]
    world.run(1.0)
    assert sum(one.cancelled for one in begun if one is not None) == 3
    assert len(router.outcomes) == 3


def test_traffic_goes_on_meanwhile(world: World, router: Router) -> None:
    telia, client = connected(router)
    for one in range(300):
        client.submit(text=b"m%d" % one)
    world.run(0.05)
    order = ordered(router, ALL, 20.0)
    telia.report_all()
    world.run(2.0)
    assert order.cancelled + len(telia.submits) == 300
    assert order.with_operator <= len(telia.submits)
    assert len(set(telia.texts())) == len(telia.texts())
    nothing_is_left(router)
