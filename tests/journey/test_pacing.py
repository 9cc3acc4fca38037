"""router/forward/pool.py, router/journey.py: never above a rate or a window, and hardly below.

Counted where the messages arrive, over each bind and over each operator.
"""

from dataclasses import replace
from itertools import pairwise

import pytest

from router.smpp import vocabulary as v
from router.smpp.link import Link, Unacknowledged
from router.terms.limits import Rate
from router.terms.names import OperatorName
from router.terms.outcome import Outcome
from router.terms.settings import Settings
from tests.doubles import START, Operator, Router, World, with_operator
from tests.journey.scenes import connected

FINNISH = b"358401234567"


def times(*operators: Operator) -> list[float]:
    """When submit_sm arrived, over these binds together."""
    return sorted(at for operator in operators for at, _ in operator.submits)


def busiest(arrivals: list[float], seconds: float = 1.0) -> int:
    """The most arrivals in any sliding span of so many seconds."""
    most = first = 0
    for last, at in enumerate(arrivals):
        while arrivals[first] <= at - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def flood(router: Router, count: int, destination: bytes = b"37255512345") -> None:
    client = router.client()
    for _ in range(count):
        client.submit(destination, registered_delivery=0)


@pytest.mark.parametrize("latency_s", [0.001, 0.02, 0.15])
def test_a_bind_is_never_above_its_rate(world: World, router: Router, latency_s: float) -> None:
    telia = router.operator("telia")
    telia.latency_s = latency_s
    flood(router, 300)
    world.run(8.0)
    arrivals = times(telia)
    assert len(arrivals) == 300
    assert busiest(arrivals) <= 50
    assert arrivals[-1] - arrivals[0] < 300 / 50 + 0.1


def test_peer_that_is_served_before_the_write_returns_does_not_shorten_the_round_trip(
    world: World, router: Router
) -> None:
    """On a busy machine a write wakes its peer, and the writer goes on some milliseconds later."""
    telia = router.operator("telia")
    transport = telia.far.transport

    def write_and_lose_the_core(data: bytes) -> None:
        transport.to(data)
        world.now += 0.005

    transport.write = write_and_lose_the_core  # type: ignore[method-assign]
    flood(router, 20)
    world.run(3.0)
    assert len(telia.submits) == 20
    assert telia.bind.round_trip.smallest_s == pytest.approx(telia.latency_s)


def test_elisa_gets_80_in_a_second_over_both_of_her_binds(world: World, router: Router) -> None:
    one, two = router.operator("elisa", 0), router.operator("elisa", 1)
    flood(router, 400, FINNISH)
    world.run(8.0)
    assert len(times(one, two)) == 400
    assert busiest(times(one, two)) <= 80
    assert busiest(times(one)) <= 50
    assert busiest(times(two)) <= 50
    assert times(one, two)[-1] - times(one, two)[0] < 400 / 80 + 0.1
    router.assert_all_is_over()


def test_one_bind_of_elisa_alone_gets_no_more_than_its_own_rate(
    world: World, router: Router
) -> None:
    one = router.operator("elisa", 0)
    flood(router, 150, FINNISH)
    world.run(5.0)
    assert len(times(one)) == 150
    assert busiest(times(one)) <= 50


def test_a_receiver_is_never_sent_to(world: World, router: Router) -> None:
    receiver = router.operator("elisa", 2)
    flood(router, 10, FINNISH)
    world.run(5.0)
    assert receiver.submits == []
    assert router.room_taken() == 10
    one = router.operator("elisa", 0)
    world.run(1.0)
    assert len(one.submits) == 10
    assert receiver.submits == []


def test_an_operator_that_only_receives_is_passed_over(world: World, router: Router) -> None:
    router.operator("elisa", 2)
    telia = router.operator("telia")
    shop = router.client(b"shop", b"secret02")
    for _ in range(10):
        shop.submit(registered_delivery=0)  # By weight three of them would be elisa's.
    world.run(1.0)
    assert len(telia.submits) == 10


def test_a_rate_holds_across_reconnects(world: World, router: Router) -> None:
    lives = [router.operator("telia")]
    flood(router, 400)
    for _ in range(12):
        world.run(0.33)
        lives[-1].far.drop()
        lives.append(router.operator("telia"))
    world.run(8.0)
    assert len(times(*lives)) >= 400
    assert busiest(times(*lives)) <= 50
    router.assert_all_is_over()


def test_a_rate_of_an_operator_holds_while_its_binds_come_and_go(
    world: World, router: Router
) -> None:
    lives = [router.operator("elisa", 0), router.operator("elisa", 1)]
    flood(router, 400, FINNISH)
    for n in range(12):
        world.run(0.21)
        lives[-2].far.drop()
        lives.append(router.operator("elisa", n % 2))
    world.run(8.0)
    assert busiest(times(*lives)) <= 80
    router.assert_all_is_over()


def test_a_rate_per_minute_is_kept(world: World, contract: Settings) -> None:
    router = Router(world, with_operator(contract, "elisa", rate=Rate(6, 60.0)))
    world.run(60.0)
    one = router.operator("elisa", 0)
    flood(router, 20, FINNISH)
    world.run(240.0)
    assert len(times(one)) == 20
    assert busiest(times(one), 60.0) <= 6


def test_a_router_that_has_just_started_does_not_know_what_was_sent_before(
    world: World, contract: Settings
) -> None:
    router = Router(world, contract, warm=False)
    telia = router.operator("telia")
    flood(router, 100)
    world.run(3.0)
    assert times(telia)[0] >= START + 1.0


def test_no_more_are_unanswered_than_the_window_allows(world: World, router: Router) -> None:
    telia = router.operator("telia", status=None)
    flood(router, 100)
    world.run(5.0)
    assert len(telia.submits) == 20
    for _, pdu in telia.submits[:5]:
        telia.answer(pdu)
    world.run(1.0)
    assert len(telia.submits) == 25


def test_the_window_is_used_as_answers_come(world: World, router: Router) -> None:
    telia = router.operator("telia")
    telia.latency_s = 2.0  # 20 in 2 s: the window is the limit, not the rate.
    flood(router, 100)
    world.run(10.5)
    assert len(telia.submits) == 100
    assert busiest(times(telia), 1.99) <= 20


def test_enquire_link_flows_both_ways_whatever_is_sent(world: World, router: Router) -> None:
    telia = router.operator("telia", status=None)
    flood(router, 100)
    world.run(29.0)
    telia.far.send(b"\0\0\0\x10\0\0\0\x15\0\0\0\0\0\0\0\x63")
    world.run(0.1)
    assert [pdu.sequence_number for pdu in telia.far.pdus(v.ENQUIRE_LINK_RESP)] == [0x63]
    world.run(60.0)
    assert telia.far.pdus(v.ENQUIRE_LINK)
    assert not telia.far.closed


def test_throttling_never_raises_the_rate(world: World, router: Router) -> None:
    telia = router.operator("telia")
    calls = iter(range(10_000))
    telia.status = lambda _: v.ESME_RTHROTTLED if next(calls) % 9 == 0 else 0
    flood(router, 150)
    world.run(60.0)
    assert router.outcomes == [Outcome.SENT] * 150
    assert busiest(times(telia)) <= 50
    router.assert_all_is_over()


def test_an_urgent_message_takes_the_next_slot(world: World, router: Router) -> None:
    telia = router.operator("telia")
    shop, bank = router.client(b"shop", b"secret02"), router.client()
    for _ in range(40):
        shop.submit(b"3721234567", registered_delivery=0)
    world.run(0.3)
    for n in range(5):
        since = world.now
        bank.submit(text=b"otp %d" % n, registered_delivery=0)
        world.run(0.05)
        ((at, _),) = [one for one in telia.submits if b"otp %d" % n in one[1].octets]
        assert at - since <= 0.0211


def test_an_urgent_message_finds_room_in_a_window_that_bulk_has_filled(
    world: World, router: Router
) -> None:
    telia = router.operator("telia", status=None)
    shop, bank = router.client(b"shop", b"secret02"), router.client()
    for _ in range(40):
        shop.submit(b"3721234567", registered_delivery=0)
    world.run(3.0)
    assert len(telia.submits) == 18
    for n in range(3):
        bank.submit(text=b"otp %d" % n, registered_delivery=0)
    world.run(1.0)
    assert [text for text in telia.texts() if text != b"hello"] == [b"otp 0", b"otp 1"]
    assert telia.bind.in_use == telia.bind.settings.window == 20


def test_a_bind_that_is_not_read_is_not_written_to(world: World, router: Router) -> None:
    stuck, other = router.operator("telia", 0), router.operator("telia", 1)
    stuck.far.link.pause_writing()
    flood(router, 100)
    world.run(3.0)
    assert stuck.submits == []
    assert len(other.submits) == 100
    stuck.far.link.resume_writing()
    flood(router, 100)
    world.run(2.0)
    assert len(stuck.submits) > 30


def test_a_number_that_is_sent_to_too_often_holds_up_nobody(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_operator(contract, "telia", destination_rate=Rate(1, 10.0)))
    telia, client = connected(router)
    for n in range(4):
        client.submit(b"37255500000", text=b"same %d" % n, registered_delivery=0)
    for n in range(40):
        client.submit(b"372555%05d" % (n + 1), registered_delivery=0)
    world.run(2.0)
    assert len(telia.submits) == 41
    world.run(40.0)
    same = [at for at, pdu in telia.submits if b"same" in pdu.octets]
    assert [text for text in telia.texts() if text != b"hello"] == [
        b"same %d" % n for n in range(4)
    ]
    assert all(later - first >= 10.0 for first, later in pairwise(same))
    assert same[-1] - same[0] < 31.0
    router.assert_all_is_over()


# Answers that come too late to show when messages arrived.


def slow(world: World, contract: Settings) -> tuple[Router, Operator]:
    """An operator that takes 3 s for an answer; by the end of this the router knows it."""
    binds = contract.operators[OperatorName("telia")].binds
    binds = tuple(replace(bind, window=300) for bind in binds)
    router = Router(world, with_operator(contract, "telia", binds=binds))
    telia = router.operator("telia")
    telia.latency_s = 3.0
    router.tells = lambda link: Unacknowledged(0, 0.0, 0.0)
    flood(router, 700)
    world.run(10.0)
    return router, telia


def test_answers_that_take_longer_than_the_unit_cost_a_fortieth_of_the_rate(
    world: World, contract: Settings
) -> None:
    _, telia = slow(world, contract)
    begin = world.now
    world.run(4.0)
    arrivals = times(telia)
    assert busiest(arrivals) <= 50
    assert sum(at > begin for at in arrivals) / 200 == pytest.approx(1 / 1.025, abs=0.01)


def test_messages_that_the_network_has_lost_arrive_later_and_hold_their_slots_until_then(
    world: World, contract: Settings
) -> None:
    router, telia = slow(world, contract)
    lost_from, again_at = world.now + 0.5, world.now + 1.4
    transport = telia.far.transport

    def arrives_at(written_at: float) -> float:
        return max(written_at, again_at) if written_at >= lost_from else written_at

    def tells(link: Link) -> Unacknowledged:
        assert link is telia.far.link
        missing = [data for at, data in transport.written if arrives_at(at) > world.now]
        had = [arrives_at(at) for at, _ in transport.written if arrives_at(at) <= world.now]
        since_s = world.now - transport.written[-1][0]
        return Unacknowledged(sum(map(len, missing)), world.now - max(had), since_s)

    router.tells = tells
    world.run(4.0)
    arrivals = [arrives_at(at) for at in times(telia)]
    assert len(arrivals) > 450
    assert busiest(arrivals) <= 50


def test_operator_that_answers_soon_again_is_paced_by_its_answers(
    world: World, contract: Settings
) -> None:
    router, telia = slow(world, contract)
    assert telia.bind.round_trip.acknowledged.is_noted
    telia.latency_s = 0.02
    flood(router, 3000)
    world.run(40.0)
    assert not telia.bind.round_trip.acknowledged.is_noted
    assert busiest(times(telia)) <= 50


def test_system_tells_nothing_of_a_session_that_is_over(world: World, contract: Settings) -> None:
    router, telia = slow(world, contract)
    world.run(0.01)
    assert telia.bind.round_trip.acknowledged.is_noted
    old = telia.far.link
    asked: list[Link] = []

    def tells(link: Link) -> Unacknowledged:
        asked.append(link)
        return Unacknowledged(0, 0.0, 0.0)

    router.tells = tells
    telia.far.drop()
    router.operator("telia")
    world.run(0.5)
    assert old not in asked
