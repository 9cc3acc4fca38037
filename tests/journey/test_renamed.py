"""journey.py: what waits for an account or operator is handed over when that is renamed."""

from dataclasses import replace

from router.smpp import vocabulary as v
from router.terms.capacity import Capacity
from router.terms.names import AccountName
from router.terms.outcome import Outcome
from tests.doubles import Client, Router, World, with_lane, with_operator
from tests.journey.scenes import connected, renamed, submitted

NO_MEMORY = Capacity(pending_receipts=0, outbox_deliveries=1, outbox_away=1, queue_messages=2)


def restarted_as(router: Router, *, operator: str = "", account: str = "") -> Router:
    """A new process, whose configuration has these under another name."""
    router.settings = renamed(router.settings, operator=operator, account=account)
    return router.restarted()


def nothing_is_left(router: Router) -> None:
    """Neither place, row nor delivery; and no message has ended twice."""
    numbers = [settlement.message.router_id for settlement in router.settled]
    assert len(set(numbers)) == len(numbers)
    journey, journal = router.journey, router.journal
    for name in router.settings.accounts:
        assert (journey.rooms.taken(name), journey.rooms.octets(name)) == (0, 0)
    assert not any((journal.messages, journal.attempts, journal.held))
    assert all(len(outbox) == 0 for outbox in journey.deliveries.outboxes.values())
    assert journey.left_waiting == 0


def test_receipts_that_an_operator_owes_come_under_its_new_name(
    world: World, router: Router
) -> None:
    telia, client = connected(router)
    submitted(router, telia, client, 3)
    again = restarted_as(router, operator="telia")
    assert again.journey.taken_up["receipts_expected"] == 3
    assert again.journey.left_waiting == 0
    back, client = again.operator("telia2"), again.client()
    back.ids = telia.ids
    back.report_all()
    world.run(2.0)
    assert len(client.receipts) == 3
    assert again.outcomes == [Outcome.DELIVERED] * 3
    nothing_is_left(again)


def test_receipts_that_never_come_are_given_up_under_the_new_name(
    world: World, router: Router
) -> None:
    router.adopt(with_operator(router.settings, "telia", receipt_wait_s=50.0))
    telia, client = connected(router)
    submitted(router, telia, client, 2)
    again = restarted_as(router, operator="telia")
    again.client()
    world.run(60.0)
    assert again.outcomes == [Outcome.UNKNOWN] * 2


def test_what_waits_for_a_renamed_operator_follows_the_new_routes(
    world: World, router: Router
) -> None:
    client = router.client()
    for number in range(5):
        client.submit(text=b"%d" % number, registered_delivery=0)
    world.run(1.0)
    again = restarted_as(router, operator="telia")
    back = again.operator("telia2")
    world.run(2.0)
    assert back.texts() == [b"%d" % number for number in range(5)]
    nothing_is_left(again)


def test_what_a_renamed_operator_may_have_goes_elsewhere_where_the_lane_says_so(
    world: World, router: Router
) -> None:
    router.adopt(with_lane(router.settings, "otp", in_doubt="elsewhere"))
    telia, client = connected(router, status=None)
    submitted(router, telia, client, 1, registered_delivery=0)
    world.run(0.5)
    again = restarted_as(router, operator="telia")
    back, elisa = again.operator("telia2"), again.operator("elisa")
    world.run(3.0)
    assert (len(back.submits), len(elisa.submits)) == (0, 1)


def test_queue_and_outbox_of_an_account_are_handed_over(world: World, router: Router) -> None:
    telia, client = connected(router)
    submitted(router, telia, client, 3)
    client.far.drop()
    telia.report_all()
    world.run(1.0)
    again = restarted_as(router, account="bank")
    assert again.journey.taken_up["deliveries"] == 3
    assert again.journey.left_waiting == 0
    back = again.client(b"bank2", b"secret01")
    world.run(2.0)
    assert len(back.receipts) == 3
    nothing_is_left(again)


def test_messages_that_wait_take_the_room_of_the_account_s_new_name(
    world: World, router: Router
) -> None:
    client = router.client()
    for _ in range(5):
        client.submit()
    world.run(1.0)
    again = restarted_as(router, account="bank")
    assert again.journey.rooms.taken(AccountName("bank2")) == 5
    assert again.journey.rooms.taken(AccountName("bank")) == 0
    back, telia = again.client(b"bank2", b"secret01"), again.operator("telia")
    world.run(2.0)
    telia.report_all()
    world.run(2.0)
    assert len(back.receipts) == 5
    nothing_is_left(again)


def test_both_are_renamed_and_little_is_in_memory(world: World, router: Router) -> None:
    telia, client = connected(router)
    submitted(router, telia, client, 10)
    telia.far.drop()
    for _ in range(10):
        client.submit()
    world.run(1.0)
    router.capacity = NO_MEMORY
    again = restarted_as(router, operator="telia", account="bank")
    back, client = again.operator("telia2"), again.client(b"bank2", b"secret01")
    back.ids = dict(telia.ids)
    back.next_id = telia.next_id
    world.run(3.0)
    assert len(back.submits) == 10
    back.report_all()
    world.run(20.0)
    assert len(client.receipts) == 20
    nothing_is_left(again)


def test_who_has_another_name_binds_by_it(world: World, router: Router) -> None:
    again = restarted_as(router, account="bank")
    stranger = Client(world, again)
    number = stranger.bind(b"bank", b"secret01")
    world.run(5.0)
    assert stranger.status_of(number) == v.ESME_RINVPASWD
    assert again.client(b"bank2", b"secret01").link.account.name == "bank2"


def test_a_former_name_under_which_nothing_waits_says_nothing(world: World, router: Router) -> None:
    accounts = {
        name: replace(one, formerly=AccountName(f"old-{name}"))
        for name, one in router.settings.accounts.items()
    }
    router.settings = replace(router.settings, accounts=accounts)
    again = router.restarted()
    telia, client = connected(again)
    submitted(again, telia, client, 2)
    telia.report_all()
    world.run(1.0)
    assert len(client.receipts) == 2
    nothing_is_left(again)
