"""journey.py, steps: another configuration is followed without a dropped bind or a lost message."""

from dataclasses import replace

import pytest

from router.smpp import vocabulary as v
from router.terms.limits import Rate
from router.terms.names import AccountName, BindName, OperatorName
from router.terms.outcome import Outcome
from router.terms.settings import RouteSettings, Settings
from tests.doubles import (
    Client,
    Operator,
    Router,
    World,
    with_account,
    with_lane,
    with_operator,
    without_account,
    without_operator,
)
from tests.journey.scenes import connected, connected_to_both, submitted

TELIA, ELISA = OperatorName("telia"), OperatorName("elisa")


def with_rate(settings: Settings, rate: Rate) -> Settings:
    """Another rate for each of telia's binds."""
    binds = tuple(replace(one, rate=rate) for one in settings.operators[TELIA].binds)
    return with_operator(settings, "telia", binds=binds)


def nothing_is_left(router: Router) -> None:
    """Each accepted message has one outcome, and neither place, row nor delivery is left."""
    outcomes = router.journey.counters.outcomes
    assert sum(outcomes.values()) == router.accepted == len(router.settled)
    assert not router.journal.messages
    assert not router.journal.attempts
    assert not router.journal.held
    assert router.journey.left_waiting == 0


def let_go(router: Router, operator: Operator) -> None:
    """Unbind a bind that the router is done with, as it will by itself."""
    assert router.journey.is_done_with(operator.bind)
    operator.far.drop()
    router.world.run(2.0)


def test_what_did_not_change_is_not_touched(world: World, router: Router) -> None:
    telia, elisa, client = connected_to_both(router)
    submitted(router, telia, client, 3)
    before = dict(router.journey.operators)
    changes = router.adopt(replace(router.settings))
    assert not any(one.added or one.renewed or one.removed for one in changes.values())
    assert router.journey.operators == before
    assert not any(far.closed for far in (telia.far, elisa.far, client.far))
    submitted(router, telia, client, 3)
    telia.report_all()
    world.run(1.0)
    assert len(client.receipts) == 6
    router.assert_all_is_over()


@pytest.mark.parametrize(("before", "after"), [(50, 10), (10, 50)])
def test_rate_changes_in_place_and_no_second_holds_more(
    world: World, contract: Settings, before: int, after: int
) -> None:
    router = Router(world, with_rate(contract, Rate(before, 1.0)))
    telia, client = connected(router)
    for _ in range(300):
        client.submit(registered_delivery=0)
    world.run(2.5)
    changed_at = world.now
    router.adopt(with_rate(contract, Rate(after, 1.0)))
    world.run(3.5)
    times = [at for at, _ in telia.submits]

    def most_in_a_second(times: list[float]) -> int:
        return max(sum(0.0 <= at - first < 1.0 for at in times) for first in times)

    assert most_in_a_second(times) <= max(before, after)
    assert most_in_a_second([at for at in times if at > changed_at + 0.1]) <= after
    assert len([at for at in times if at > changed_at + 1.1]) >= 2 * after
    assert not telia.far.closed


def test_operator_that_is_gone_drains_and_what_waits_follows_the_new_routes(
    world: World, router: Router
) -> None:
    telia, elisa, client = connected_to_both(router)
    for number in range(300):
        client.submit(text=b"%d" % number)
    world.run(1.0)
    sent = len(telia.submits)
    changes = router.adopt(without_operator(router.settings, "telia"))
    assert [bind.settings.name for bind in changes[TELIA].removed] == [
        "telia-1", "telia-2", "telia-3",
    ]  # fmt: skip
    world.run(10.0)
    assert len(telia.submits) == sent
    assert len(elisa.submits) == 300 - sent
    assert not telia.far.closed  # Its receipts are yet to come.
    telia.report_all()
    elisa.report_all()
    world.run(3.0)
    assert len(client.receipts) == 300
    let_go(router, telia)
    assert TELIA not in router.journey.operators  # Nothing is owed.
    assert TELIA not in router.journey.pending.correlators
    router.assert_all_is_over()


def test_what_is_in_flight_at_an_operator_that_is_gone_is_still_answered(
    world: World, router: Router
) -> None:
    telia, client = connected(router, status=None)
    submitted(router, telia, client, 3)
    router.adopt(without_operator(router.settings, "telia"))
    world.run(5.0)
    for _, pdu in list(telia.submits):
        telia.answer(pdu)
    world.run(1.0)
    telia.report_all()
    world.run(2.0)
    assert router.outcomes == [Outcome.DELIVERED] * 3
    let_go(router, telia)
    assert TELIA not in router.journey.operators
    nothing_is_left(router)


def test_what_an_operator_that_is_gone_may_have_goes_to_those_there_are(
    world: World, router: Router
) -> None:
    telia, elisa, client = connected_to_both(router, status=None)
    submitted(router, telia, client, 2, registered_delivery=0)
    router.adopt(without_operator(router.settings, "telia"))
    telia.far.drop()
    world.run(3.0)
    assert len(elisa.submits) == 2
    assert router.outcomes == [Outcome.SENT] * 2
    nothing_is_left(router)


def test_operator_that_comes_back_goes_on_where_it_was(
    world: World, router: Router, contract: Settings
) -> None:
    telia, client = connected(router)
    submitted(router, telia, client, 2)
    router.adopt(without_operator(contract, "telia"))
    client.submit()  # Only elisa may take it, which is down.
    world.run(2.0)
    assert len(telia.submits) == 2
    router.adopt(contract)
    submitted(router, telia, client, 1)
    router.operator("elisa")
    world.run(2.0)
    telia.report_all()
    world.run(1.0)
    assert router.outcomes.count(Outcome.DELIVERED) == 3


def test_message_that_no_rule_wants_waits_until_one_does(
    world: World, router: Router, contract: Settings
) -> None:
    client = router.client()
    for _ in range(5):
        client.submit(registered_delivery=0)
    world.run(1.0)
    nowhere = replace(
        without_operator(contract, "telia"),
        routes=(RouteSettings(destination=("1",), to=(ELISA,)),),
    )
    router.adopt(nowhere)
    world.run(100.0)
    assert router.room_taken() == 5
    assert router.outcomes == []
    router.adopt(contract)
    telia = router.operator("telia")
    world.run(100.0)
    assert len(telia.submits) == 5
    router.assert_all_is_over()


def test_bind_that_is_gone_sends_nothing_more_and_a_new_one_does(
    world: World, router: Router, contract: Settings
) -> None:
    first = router.operator("telia", 0)
    client = router.client()
    one, *others = contract.operators[TELIA].binds
    fewer = with_operator(contract, "telia", binds=tuple(others))
    (removed,) = router.adopt(fewer)[TELIA].removed
    assert removed.settings.name == one.name
    client.submit(registered_delivery=0)
    world.run(2.0)
    assert first.submits == []
    new = replace(one, name=BindName("telia-9"))
    (added,) = router.adopt(with_operator(contract, "telia", binds=(*others, new)))[TELIA].added
    assert added.settings.name == "telia-9"
    ninth = router.operator("telia", 2)
    world.run(2.0)
    assert len(ninth.submits) == 1


def test_other_credentials_renew_one_session_and_another_window_does_not(
    router: Router, contract: Settings
) -> None:
    first, second, third = contract.operators[TELIA].binds
    binds = (replace(first, password="other"), replace(second, window=5), third)
    changes = router.adopt(with_operator(contract, "telia", binds=binds))
    assert [bind.settings.name for bind in changes[TELIA].renewed] == [first.name]
    assert changes[TELIA].added == changes[TELIA].removed == ()


def test_new_account_binds_and_one_that_is_gone_runs_dry(
    world: World, router: Router, contract: Settings
) -> None:
    telia, client = connected(router)
    submitted(router, telia, client, 2)
    router.adopt(without_account(contract, "bank"))
    assert router.client(b"shop", b"secret02").link.account.name == "shop"
    stranger = Client(world, router)
    number = stranger.bind(b"bank", b"secret01")
    world.run(5.0)
    assert stranger.status_of(number) == v.ESME_RINVPASWD
    telia.report_all()
    world.run(2.0)
    assert len(client.receipts) == 2  # Its bind has stayed.
    client.far.drop()
    world.run(3.0)
    assert AccountName("bank") not in router.journey.deliveries.outboxes
    nothing_is_left(router)
    router.adopt(contract)
    again = router.client()
    submitted(router, telia, again, 1, registered_delivery=0)


def test_receipts_of_an_account_that_is_away_and_gone_wait_for_it(
    world: World, router: Router, contract: Settings
) -> None:
    telia, client = connected(router)
    submitted(router, telia, client, 3)
    client.far.drop()
    router.adopt(without_account(contract, "bank"))
    world.run(5.0)
    telia.report_all()
    world.run(5.0)
    router.adopt(contract)
    back = router.client()
    world.run(5.0)
    assert len(back.receipts) == 3
    router.assert_all_is_over()


def test_lane_has_other_values_from_now_on(
    world: World, router: Router, contract: Settings
) -> None:
    telia, elisa, client = connected_to_both(router, status=None)
    submitted(router, telia, client, 1, registered_delivery=0)
    router.adopt(with_lane(contract, "otp", in_doubt="fail"))
    telia.far.drop()
    world.run(2.0)
    assert router.outcomes == [Outcome.FAILED]
    assert elisa.submits == []


def test_lane_that_fails_from_now_on_is_not_held_up_by_what_was_marked_before(
    world: World, contract: Settings
) -> None:
    honouring = with_account(contract, "bank", schedule_delivery_time="honour")
    router = Router(world, honouring)
    telia, client = connected(router, status=v.ESME_RTHROTTLED)
    client.submit(schedule_delivery_time=b"000000000005000R", registered_delivery=0)
    world.run(6.5)  # It has been written, out of its turn, and refused for now.
    assert len(telia.submits) >= 1
    router.adopt(with_lane(honouring, "otp", in_doubt="fail"))
    client.submit(registered_delivery=0)
    telia.status = lambda _: 0
    world.run(5.0)
    assert router.outcomes == [Outcome.SENT] * 2
    router.assert_all_is_over()


def test_account_has_less_room_and_keeps_what_it_has(
    world: World, router: Router, contract: Settings
) -> None:
    client = router.client()
    for _ in range(10):
        client.submit(registered_delivery=0)
    world.run(1.0)
    router.adopt(with_account(contract, "bank", queue=5))
    number = client.submit()
    world.run(2.0)
    assert client.status_of(number) == v.ESME_RMSGQFUL
    assert router.room_taken() == 10
    telia = router.operator("telia")
    world.run(2.0)
    assert len(telia.submits) == 10
    router.assert_all_is_over()


def test_what_a_restart_did_not_know_of_is_taken_up_when_the_configuration_has_it_again(
    world: World, contract: Settings
) -> None:
    router = Router(world, contract)
    telia, client = connected(router)
    submitted(router, telia, client, 2)
    shop = router.client(b"shop", b"secret02")
    submitted(router, telia, shop, 1)
    shop.far.drop()
    first, second, third = telia.ids
    telia.report(third)
    world.run(1.0)
    telia.far.drop()
    router.settings = without_account(without_operator(contract, "telia"), "shop")
    again = router.restarted()
    assert again.journey.left_waiting == 3
    assert {lacks.split()[0] for lacks, _ in again.journey.left()} <= {"account", "operator"}
    again.adopt(contract)
    assert again.journey.left_waiting == 0
    back = again.operator("telia")
    back.ids = telia.ids
    bank, shop = again.client(), again.client(b"shop", b"secret02")
    world.run(1.0)
    for operator_id in (first, second):
        back.report(operator_id)
    world.run(2.0)
    assert (len(bank.receipts), len(shop.receipts)) == (2, 1)
    journal = again.journal
    assert not any((journal.messages, journal.attempts, journal.held))
