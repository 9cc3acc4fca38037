"""router/journey.py: a bind that is drained by command loses nothing and repeats nothing."""

from dataclasses import replace

import pytest

from router.smpp import vocabulary as v
from router.terms.names import BindName, OperatorName
from router.terms.outcome import Outcome
from router.terms.settings import Settings
from tests.doubles import Router, World, with_operator
from tests.journey.scenes import connected_to_both

TELIA = OperatorName("telia")


def drain(router: Router, operator: str, *places: int, drained: bool = True) -> None:
    """As the command does it."""
    one = router.journey.operators[OperatorName(operator)]
    for place in places:
        one.drain(one.binds[place], drained=drained)
        router.journey.availability.changed(one.binds[place])


def test_traffic_goes_over_the_other_binds(world: World, router: Router) -> None:
    drained, other = router.operator("telia", 0), router.operator("telia", 1)
    drain(router, "telia", 0)
    client = router.client()
    for _ in range(40):
        client.submit(registered_delivery=0)
    world.run(2.0)
    assert (len(drained.submits), len(other.submits)) == (0, 40)
    router.assert_all_is_over()


def test_traffic_goes_to_the_next_operator_and_comes_back(world: World, router: Router) -> None:
    telia, elisa, client = connected_to_both(router)
    for _ in range(60):
        client.submit(registered_delivery=0)
    world.run(0.5)
    before = len(telia.submits)
    assert 0 < before < 60
    drain(router, "telia", 0)
    world.run(2.0)
    assert (len(telia.submits), len(elisa.submits)) == (before, 60 - before)
    drain(router, "telia", 0, drained=False)
    client.submit(registered_delivery=0)
    world.run(1.0)
    assert len(telia.submits) == before + 1
    assert sorted(telia.texts() + elisa.texts()) == [b"hello"] * 61
    assert router.journey.counters.repeated == {}
    router.assert_all_is_over()


def test_what_is_in_flight_is_answered_and_receipts_still_come(
    world: World, router: Router
) -> None:
    telia = router.operator("telia")
    telia.latency_s = 0.5
    client = router.client()
    number = client.submit()
    world.run(0.1)
    drain(router, "telia", 0)
    world.run(1.0)
    assert (len(telia.submits), telia.bind.in_use, telia.far.closed) == (1, 0, False)
    report = telia.report(b"1")
    world.run(1.0)
    assert telia.answer_to(report) == v.ESME_ROK
    assert len(client.receipts) == 1
    assert client.status_of(number) == 0
    assert router.outcomes == [Outcome.DELIVERED]
    router.assert_all_is_over()


def test_without_another_operator_messages_wait_until_it_is_resumed(
    world: World, router: Router
) -> None:
    telia = router.operator("telia")
    drain(router, "telia", 0)
    client = router.client()
    for n in range(10):
        client.submit(text=b"%d" % n, registered_delivery=0)
    world.run(60.0)
    assert telia.submits == []
    assert router.room_taken() == 10
    drain(router, "telia", 0, drained=False)
    world.run(1.0)
    assert telia.texts() == [b"%d" % n for n in range(10)]
    router.assert_all_is_over()


def test_what_a_drained_bind_refuses_for_now_goes_elsewhere(world: World, router: Router) -> None:
    telia, elisa = router.operator("telia"), router.operator("elisa")
    telia.status = lambda _: v.ESME_RTHROTTLED
    telia.latency_s = 0.5
    client = router.client()
    client.submit(registered_delivery=0)
    world.run(0.1)
    drain(router, "telia", 0)
    world.run(3.0)
    assert (len(telia.submits), len(elisa.submits)) == (1, 1)
    router.assert_all_is_over()


def test_bind_that_is_lost_while_drained_comes_back_drained(world: World, router: Router) -> None:
    telia = router.operator("telia")
    drain(router, "telia", 0)
    telia.far.drop()
    again = router.operator("telia")
    client = router.client()
    client.submit(registered_delivery=0)
    world.run(5.0)
    assert again.submits == []
    assert router.room_taken() == 1


@pytest.mark.parametrize("places", [(0, 1), (0,)], ids=["operator", "bind"])
def test_new_bind_of_an_operator_that_is_drained_begins_drained(
    router: Router, contract: Settings, places: tuple[int, ...]
) -> None:
    binds = contract.operators[OperatorName("telia")].binds
    sending = [place for place, one in enumerate(binds) if one.rate is not None]
    drain(router, "telia", *(sending if places == (0, 1) else sending[:1]))
    renamed = replace(binds[sending[0]], name=BindName("telia-9"))
    others = tuple(one for one in binds if one is not binds[sending[0]])
    changed = with_operator(contract, "telia", binds=(*others, renamed))
    (added,) = router.adopt(changed)[OperatorName("telia")].added
    assert added.drained == (places == (0, 1))
