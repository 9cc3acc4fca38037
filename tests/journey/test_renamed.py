"""journey.py: what waits for an account or operator is handed over when that is renamed."""

from collections.abc import Sequence
from dataclasses import replace

from router.enqueue.journal import Recalled
from router.smpp import vocabulary as v
from router.terms.capacity import Capacity
from router.terms.names import AccountName, OperatorId, OperatorName
from router.terms.outcome import Outcome
from tests.doubles import Client, Router, World, with_lane, with_operator, without_operator
from tests.journey.scenes import (
    connected,
    connected_to_both,
    nothing_is_left,
    renamed,
    submitted,
)

NO_MEMORY = Capacity(pending_receipts=0, outbox_deliveries=1, outbox_away=1, queue_messages=2)


def restarted_as(router: Router, *, operator: str = "", account: str = "") -> Router:
    """A new process, whose configuration has these under another name."""
    router.settings = renamed(router.settings, operator=operator, account=account)
    return router.restarted()


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


# While the router runs.


def reloaded_as(router: Router, *, operator: str = "", account: str = "") -> None:
    router.adopt(renamed(router.settings, operator=operator, account=account))


def test_a_living_operator_keeps_its_receipts_its_slots_and_what_is_in_flight(
    world: World, router: Router
) -> None:
    telia, client = connected(router)
    submitted(router, telia, client, 3)
    telia.status = lambda _: None
    submitted(router, telia, client, 2)
    changes = router.adopt(renamed(router.settings, operator="telia"))
    (name,) = [name for name, one in changes.items() if one.renewed]
    assert name == "telia2"
    assert "telia" not in router.journey.operators
    assert [bind.settings.name for bind in changes[name].renewed] == [
        "telia-1", "telia-2", "telia-3",
    ]  # fmt: skip
    assert router.journey.operators[name].in_flight == 2
    for _, pdu in list(telia.submits)[3:]:
        telia.answer(pdu)
    world.run(1.0)
    telia.far.drop()
    world.run(1.0)
    back = router.operator("telia2")
    back.ids = telia.ids
    back.report_all()
    world.run(2.0)
    assert len(client.receipts) == 5
    router.assert_all_is_over()


def test_what_waits_for_a_living_operator_goes_on_under_its_new_name(
    world: World, router: Router
) -> None:
    telia, client = connected(router)
    for number in range(300):
        client.submit(text=b"%d" % number, registered_delivery=0)
    world.run(1.0)
    reloaded_as(router, operator="telia")
    world.run(10.0)
    assert telia.texts() == [b"%d" % number for number in range(300)]
    times = [at for at, _ in telia.submits]
    assert max(sum(0.0 <= at - first < 1.0 for at in times) for first in times) <= 50
    router.assert_all_is_over()


def test_receipts_that_only_the_journal_knows_come_after_a_renaming(
    world: World, router: Router
) -> None:
    router.capacity = NO_MEMORY
    router = router.restarted()
    telia, client = connected(router)
    submitted(router, telia, client, 3)
    world.run(3.0)
    assert router.journey.pending.correlators[telia.bind.operator.name].behind == 3
    reloaded_as(router, operator="telia")
    telia.report_all()
    world.run(3.0)
    assert len(client.receipts) == 3
    nothing_is_left(router)


def test_a_receipt_that_asks_the_journal_while_it_is_renamed_is_found(
    world: World, router: Router
) -> None:
    router.capacity = NO_MEMORY
    router = router.restarted()
    telia, client = connected(router)
    submitted(router, telia, client, 2)
    world.run(3.0)
    recall = router.journal.recall
    asked: list[OperatorName] = []

    def recalled(operator: OperatorName, ids: Sequence[OperatorId], done: Recalled) -> None:
        recall(operator, ids, done)
        if not asked:
            world.soon(lambda: reloaded_as(router, operator="telia"))
        asked.append(operator)

    router.journal.recall = recalled  # type: ignore[assignment, method-assign]
    telia.report_all()
    world.run(3.0)
    assert asked[0] == "telia"
    assert len(client.receipts) == 2
    nothing_is_left(router)


def test_renamed_and_back_is_as_if_it_never_was(world: World, router: Router) -> None:
    first = router.settings
    telia, client = connected(router)
    submitted(router, telia, client, 3)
    reloaded_as(router, operator="telia")
    operators = {
        name: replace(one, formerly=telia.bind.operator.name) if name == "telia" else one
        for name, one in first.operators.items()
    }
    router.adopt(replace(first, operators=operators))
    assert "telia2" not in router.journey.operators
    submitted(router, telia, client, 2)
    telia.report_all()
    world.run(2.0)
    assert len(client.receipts) == 5
    router.assert_all_is_over()


def test_in_doubt_when_it_was_renamed_goes_where_the_lane_says(
    world: World, router: Router
) -> None:
    router.adopt(with_lane(router.settings, "otp", in_doubt="elsewhere"))
    telia, elisa, client = connected_to_both(router, status=None)
    submitted(router, telia, client, 2, registered_delivery=0)
    reloaded_as(router, operator="telia")
    telia.far.drop()
    back = router.operator("telia2")
    world.run(3.0)
    assert (len(back.submits), len(elisa.submits)) == (0, 2)
    router.assert_all_is_over()


def test_receipts_that_were_left_are_taken_up_by_an_operator_that_comes_by_another_name(
    world: World, router: Router
) -> None:
    telia, client = connected(router)
    submitted(router, telia, client, 2)
    with_both = router.settings
    router.settings = without_operator(with_both, "telia")
    again = router.restarted()
    assert again.journey.left_waiting == 2
    assert again.journey.left() == [("operator telia", 2)]
    again.adopt(renamed(with_both, operator="telia"))
    assert again.journey.left_waiting == 0
    back, client = again.operator("telia2"), again.client()
    back.ids = telia.ids
    back.report_all()
    world.run(2.0)
    assert len(client.receipts) == 2
    nothing_is_left(again)
