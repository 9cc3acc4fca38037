"""router/journey.py, router/forward/pool.py: what is refused goes again, elsewhere, or ends."""

from collections.abc import Callable

import pytest

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu, Sm
from router.smpp.states import State
from router.terms.names import OperatorName
from router.terms.outcome import Outcome
from router.terms.settings import Settings, StatusAction
from tests.doubles import Router, World, with_action, with_lane
from tests.journey.scenes import connected, connected_to_both, taken
from tests.peers import Operator

FINNISH = b"358401234567"
"""Only elisa carries it."""


def first(status: int, times: int = 1) -> Callable[[Pdu], int]:
    """Answer this status so many times, and then ESME_ROK."""
    left = [status] * times
    return lambda _: left.pop() if left else v.ESME_ROK


# Which operator takes it.


def test_the_first_of_the_plan_takes_it(world: World, router: Router) -> None:
    elisa, telia = router.operator("elisa"), router.operator("telia")
    router.client().submit()
    world.run(1.0)
    assert len(telia.submits) == 1
    assert elisa.submits == []


def test_an_operator_that_is_down_is_passed_over(world: World, router: Router) -> None:
    elisa, client = connected(router, "elisa")
    client.submit(registered_delivery=0)
    world.run(1.0)
    assert len(elisa.submits) == 1
    assert router.outcomes == [Outcome.SENT]


def test_what_waits_changes_hands_when_its_operator_goes(world: World, router: Router) -> None:
    telia, elisa, client = connected_to_both(router)
    for n in range(200):
        client.submit(text=b"%d" % n, registered_delivery=0)
    world.run(1.0)
    sent = len(telia.submits)
    assert 40 <= sent <= 60
    telia.far.drop()
    world.run(6.0)
    assert len(telia.submits) == sent
    assert len(elisa.submits) >= 200 - sent
    assert set(telia.texts()) | set(elisa.texts()) == {b"%d" % n for n in range(200)}
    router.assert_all_is_over()


def test_what_waits_returns_to_an_operator_that_is_back(world: World, contract: Settings) -> None:
    router = Router(world, with_lane(contract, "otp", failover_after_s=None))
    elisa, client = connected(router, "elisa")
    for _ in range(200):
        client.submit(registered_delivery=0)
    world.run(1.0)
    assert 40 <= len(elisa.submits) <= 60
    telia = router.operator("telia")
    before = len(elisa.submits)
    world.run(5.0)
    assert len(elisa.submits) == before
    assert len(telia.submits) == 200 - before
    router.assert_all_is_over()


def test_the_oldest_of_an_account_goes_first_whichever_way_it_was_routed(
    world: World, router: Router
) -> None:
    elisa, client = connected(router, "elisa")
    for n in range(60):
        destination = FINNISH if n % 3 else b"37255512345"
        client.submit(destination, text=b"%d" % n, registered_delivery=0)
    world.run(3.0)
    assert elisa.texts() == [b"%d" % n for n in range(60)]


def test_what_no_operator_can_take_waits_for_one(world: World, router: Router) -> None:
    client = router.client()
    numbers = [client.submit() for _ in range(10)]
    world.run(60.0)
    assert {client.status_of(number) for number in numbers} == {v.ESME_ROK}
    assert router.room_taken() == 10
    telia = router.operator("telia")
    world.run(1.0)
    assert len(telia.submits) == 10
    assert router.room_taken() == 0


def test_weights_share_and_the_other_one_takes_over(world: World, router: Router) -> None:
    telia, elisa, client = connected_to_both(router, account=b"shop")
    for _ in range(50):
        client.submit(registered_delivery=0)
    world.run(3.0)
    assert (len(telia.submits), len(elisa.submits)) == (35, 15)
    elisa.far.drop()
    world.run(0.1)
    for _ in range(50):
        client.submit(registered_delivery=0)
    world.run(3.0)
    assert len(telia.submits) == 85
    router.assert_all_is_over()


# What a status means: the default table.

FAIL = (0x01, 0x02, 0x03, 0x06, 0x07, 0x0B, 0x15, 0x33, 0x44, 0x50, 0x61, 0x65, 0x66, 0xC3, 0x104)
NEXT = (0x0A, 0x22, 0x45, 0x48, 0xFE, 0xFF, 0x100, 0x4FF, 0x401, 0x00010000, 0xFFFFFFFF)
AGAIN_LATER = (0x08, 0x14, 0x64)
REBIND = (0x04, 0x05, 0x0D, 0x0E, 0x0F, 0x53)


@pytest.mark.parametrize("status", FAIL)
def test_what_is_the_messages_own_fault_is_tried_nowhere_else(
    world: World, router: Router, status: int
) -> None:
    telia, elisa, client = connected_to_both(router, status=status)
    client.submit()
    world.run(1.0)
    assert len(telia.submits) == 1
    assert elisa.submits == []
    assert router.outcomes == [Outcome.FAILED]
    router.assert_all_is_over()


@pytest.mark.parametrize("status", NEXT)
def test_what_another_operator_may_take_is_tried_there(
    world: World, router: Router, status: int
) -> None:
    telia, elisa, client = connected_to_both(router, status=status)
    client.submit(registered_delivery=0)
    world.run(1.0)
    assert len(telia.submits) == len(elisa.submits) == 1
    assert telia.submits[0][1].octets[16:] == elisa.submits[0][1].octets[16:]
    assert router.outcomes == [Outcome.SENT]
    router.assert_all_is_over()


@pytest.mark.parametrize("status", NEXT)
def test_what_the_last_operator_refuses_has_failed(
    world: World, router: Router, status: int
) -> None:
    telia, elisa = router.operator("telia"), router.operator("elisa")
    telia.status = elisa.status = lambda _: status
    client = router.client()
    client.submit()
    world.run(1.0)
    assert len(telia.submits) == len(elisa.submits) == 1
    assert router.outcomes == [Outcome.FAILED]
    assert len(client.receipts) == 1
    router.assert_all_is_over()


@pytest.mark.parametrize("status", AGAIN_LATER)
def test_a_temporary_refusal_is_tried_again_after_30_s(
    world: World, router: Router, status: int
) -> None:
    telia, elisa = router.operator("telia"), router.operator("elisa")
    telia.status = first(status)
    client = router.client()
    client.submit(registered_delivery=0)
    world.run(29.0)
    assert len(telia.submits) == 1
    world.run(2.0)
    assert len(telia.submits) == 2
    assert elisa.submits == []
    assert router.outcomes == [Outcome.SENT]
    router.assert_all_is_over()


@pytest.mark.parametrize(("status", "retries"), [(0x08, 2), (0x64, 2), (0x14, 3)])
def test_a_temporary_refusal_that_lasts_goes_to_the_next_operator(
    world: World, router: Router, status: int, retries: int
) -> None:
    telia, elisa, client = connected_to_both(router, status=status)
    client.submit(registered_delivery=0)
    world.run(30.0 * retries + 5.0)
    assert len(telia.submits) == retries + 1
    assert len(elisa.submits) == 1
    assert router.outcomes == [Outcome.SENT]
    router.assert_all_is_over()


def test_a_message_that_waits_for_its_retry_stands_in_nobodys_way(
    world: World, router: Router
) -> None:
    telia = router.operator("telia")
    telia.status = first(v.ESME_RMSGQFUL)
    client = router.client()
    for n in range(10):
        client.submit(text=b"%d" % n, registered_delivery=0)
    world.run(5.0)
    assert len(telia.submits) == 10
    assert router.room_taken() == 1
    world.run(30.0)
    assert telia.texts()[-1] == b"0"
    router.assert_all_is_over()


def test_a_throttled_bind_rests_and_its_messages_go_first(world: World, router: Router) -> None:
    telia = router.operator("telia")
    answers = iter([v.ESME_RTHROTTLED] * 3)
    telia.status = lambda _: next(answers, v.ESME_ROK)
    client = router.client()
    for n in range(100):
        client.submit(text=b"%d" % n, registered_delivery=0)
    world.run(0.5)
    throttled_at = telia.submits[2][0] + telia.latency_s
    world.run(4.0)
    times = [at for at, _ in telia.submits]
    assert not [at for at in times if throttled_at < at < throttled_at + 1.0]
    after = [text for at, text in zip(times, telia.texts(), strict=True) if at > throttled_at]
    assert after[:3] == [b"0", b"1", b"2"]
    assert len(times) == 103
    router.assert_all_is_over()


def test_a_throttled_bind_does_not_make_the_others_rest(world: World, router: Router) -> None:
    throttled, other = router.operator("telia", 0), router.operator("telia", 1)
    throttled.status = lambda _: v.ESME_RTHROTTLED
    client = router.client()
    for _ in range(100):
        client.submit(registered_delivery=0)
    world.run(4.0)
    assert len(other.submits) == 100
    assert len(throttled.submits) < 20
    router.assert_all_is_over()


@pytest.mark.parametrize("status", REBIND)
def test_a_fault_of_the_bind_is_mended_by_binding_anew(
    world: World, router: Router, status: int
) -> None:
    telia = router.operator("telia")
    telia.status = first(status)
    client = router.client()
    client.submit(registered_delivery=0)
    world.run(1.0)
    assert telia.far.closed
    assert telia.far.pdus(v.UNBIND)
    assert router.outcomes == []
    again = router.operator("telia")
    world.run(1.0)
    assert len(again.submits) == 1
    assert router.outcomes == [Outcome.SENT]
    router.assert_all_is_over()


def test_after_a_fault_of_the_bind_another_bind_takes_the_message(
    world: World, router: Router
) -> None:
    bad, good = router.operator("telia", 0), router.operator("telia", 1)
    bad.status = lambda _: v.ESME_RINVBNDSTS
    client = router.client()
    for _ in range(40):
        client.submit(registered_delivery=0)
    world.run(2.0)
    assert bad.far.closed
    assert router.outcomes == [Outcome.SENT] * 40
    assert len(good.submits) == 40
    router.assert_all_is_over()


def test_a_message_that_makes_every_bind_bind_anew_does_not_hold_up_those_behind_it(
    world: World, router: Router
) -> None:
    client = router.client()
    for n in range(100):
        client.submit(text=b"%d" % n, registered_delivery=0)
    bind = router.journey.operators[OperatorName("telia")].binds[0]
    sessions: list[Operator] = []
    for _ in range(5):
        telia = Operator(world, router, bind)
        telia.status = lambda pdu: v.ESME_RALYBND if Sm(pdu).short_message == b"0" else v.ESME_ROK
        sessions.append(telia)
        world.run(3.0)
    assert sum(one.texts().count(b"0") for one in sessions) == 4
    assert router.outcomes == [Outcome.SENT] * 99
    assert not sessions[-1].far.closed
    world.run(35.0)
    assert sessions[-1].texts()[-1] == b"0"
    assert router.room_taken() == 1


# What a status means: elisa's own table.


def test_elisas_full_queue_is_tried_five_times_and_then_elsewhere(
    world: World, router: Router
) -> None:
    elisa = router.operator("elisa")
    elisa.status = lambda _: v.ESME_RMSGQFUL
    client = router.client(b"shop", b"secret02")
    client.submit(registered_delivery=1)
    world.run(149.0)
    assert len(elisa.submits) == 5
    world.run(2.0)
    assert len(elisa.submits) == 6
    world.run(100.0)
    assert len(elisa.submits) == 6
    telia = router.operator("telia")
    world.run(1.0)
    assert len(telia.submits) == 1


def test_elisas_full_queue_without_another_operator_ends_the_message(
    world: World, router: Router
) -> None:
    elisa = router.operator("elisa")
    elisa.status = lambda _: v.ESME_RMSGQFUL
    client = router.client()
    client.submit(FINNISH)
    world.run(155.0)
    assert len(elisa.submits) == 6
    assert router.outcomes == [Outcome.FAILED]
    assert b"stat:UNDELIV err:020 " in client.receipt_texts()[0]
    router.assert_all_is_over()


def test_elisas_throttling_makes_her_bind_rest_for_a_second(world: World, router: Router) -> None:
    elisa = router.operator("elisa")
    elisa.status = first(v.ESME_RTHROTTLED)
    client = router.client()
    client.submit(FINNISH, registered_delivery=0)
    world.run(3.0)
    (first_at, _), (second_at, _) = elisa.submits
    assert second_at - first_at - elisa.latency_s == pytest.approx(1.0)
    assert router.outcomes == [Outcome.SENT]


def test_elisas_0x400_goes_to_the_next_operator(world: World, router: Router) -> None:
    telia, elisa = router.operator("telia"), router.operator("elisa")
    telia.far.drop()
    elisa.status = lambda _: 0x400
    client = router.client()
    client.submit()
    world.run(1.0)
    assert len(elisa.submits) == 1
    assert router.outcomes == []  # It waits for telia, who has not refused it.
    telia = router.operator("telia")
    world.run(1.0)
    assert len(telia.submits) == 1


@pytest.mark.parametrize(
    ("action", "sends", "outcome"),
    [
        (StatusAction(do="fail"), 1, Outcome.FAILED),
        (StatusAction(do="retry", after_s=5.0, times=2, then="fail"), 3, Outcome.FAILED),
        (StatusAction(do="retry", after_s=5.0, times=2, then="next"), 3, Outcome.FAILED),
        (StatusAction(do="next", times=5), 1, Outcome.FAILED),
    ],
)
def test_an_action_of_the_configuration_goes_before_the_default(
    world: World, contract: Settings, action: StatusAction, sends: int, outcome: Outcome
) -> None:
    router = Router(world, with_action(contract, "elisa", v.ESME_RSYSERR, action))
    elisa = router.operator("elisa")
    elisa.status = lambda _: v.ESME_RSYSERR
    client = router.client()
    client.submit(FINNISH)
    world.run(20.0)
    assert len(elisa.submits) == sends
    assert router.outcomes == [outcome]
    router.assert_all_is_over()


def test_a_pause_of_the_configuration_slows_the_bind_as_throttling_does(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_action(contract, "elisa", 0x400, StatusAction(do="pause")))
    elisa = router.operator("elisa")
    elisa.status = first(0x400)
    router.client().submit(FINNISH, registered_delivery=0)
    world.run(1.5)
    assert elisa.bind.per_second(world.now) < 40.0
    world.run(1.0)
    assert router.outcomes == [Outcome.SENT]


def test_a_rebind_of_the_configuration_is_one(world: World, contract: Settings) -> None:
    router = Router(world, with_action(contract, "elisa", 0x400, StatusAction(do="rebind")))
    elisa = router.operator("elisa")
    elisa.status = first(0x400)
    client = router.client()
    client.submit(FINNISH, registered_delivery=0)
    world.run(1.0)
    assert elisa.far.closed
    again = router.operator("elisa")
    world.run(1.0)
    assert len(again.submits) == 1
    router.assert_all_is_over()


def test_each_operator_grants_its_own_retries(world: World, router: Router) -> None:
    telia, elisa = router.operator("telia"), router.operator("elisa")
    telia.status = elisa.status = lambda _: v.ESME_RMSGQFUL
    client = router.client()
    client.submit(validity_period=b"000001000000000R")
    world.run(300.0)
    assert len(telia.submits) == 4  # Three retries by the default table,
    assert len(elisa.submits) == 6  # five by elisa's own.
    assert router.outcomes == [Outcome.FAILED]
    router.assert_all_is_over()


def test_a_retry_goes_to_whoever_is_there_when_its_operator_is_gone(
    world: World, router: Router
) -> None:
    telia, client = connected(router, status=v.ESME_RSYSERR)
    client.submit(registered_delivery=0)
    world.run(10.0)
    telia.far.drop()
    elisa = router.operator("elisa")
    world.run(25.0)
    assert len(elisa.submits) == 1
    router.assert_all_is_over()


# Odd answers.


def test_a_generic_nack_with_our_sequence_number_is_an_answer(world: World, router: Router) -> None:
    telia, elisa, client = connected_to_both(router, status=None)
    client.submit()
    world.run(0.1)
    number = telia.submits[0][1].sequence_number
    telia.far.send(p.build(v.GENERIC_NACK, v.ESME_RINVCMDID, number))
    world.run(1.0)
    assert router.outcomes == [Outcome.FAILED]
    assert elisa.submits == []
    assert telia.bind.in_use == 0
    router.assert_all_is_over()


def test_a_generic_nack_with_status_0_is_no_success(world: World, router: Router) -> None:
    telia, elisa, client = connected_to_both(router, status=None)
    client.submit(registered_delivery=0)
    world.run(0.1)
    telia.far.send(p.build(v.GENERIC_NACK, 0, telia.submits[0][1].sequence_number))
    world.run(1.0)
    assert len(elisa.submits) == 1
    router.assert_all_is_over()


def test_a_generic_nack_for_nothing_of_ours_changes_nothing(world: World, router: Router) -> None:
    telia, client = connected(router, status=None)
    client.submit(registered_delivery=0)
    world.run(0.1)
    telia.far.send(p.build(v.GENERIC_NACK, v.ESME_RINVCMDLEN, 0))
    telia.far.send(p.build(v.GENERIC_NACK, v.ESME_RINVCMDLEN, 4711))
    world.run(1.0)
    assert not telia.far.closed
    assert telia.bind.in_use == 1
    telia.answer(telia.submits[0][1])
    world.run(1.0)
    assert router.outcomes == [Outcome.SENT]


def test_an_answer_to_nothing_changes_nothing(world: World, router: Router) -> None:
    telia, _, _ = taken(router)
    (_, pdu) = telia.submits[0]
    telia.answer(pdu)  # A second answer to the same request.
    telia.far.send(p.response(v.SUBMIT_SM, 4711, 0, b"77\0"))
    world.run(1.0)
    assert not telia.far.closed
    assert router.journey.counters.refused_pdus["response.unasked"] == 2
    telia.report(b"1")
    world.run(1.0)
    assert router.outcomes == [Outcome.DELIVERED]
    router.assert_all_is_over()


def test_a_refusal_with_a_body_is_a_refusal(world: World, router: Router) -> None:
    telia, client = connected(router, status=None)
    client.submit()
    world.run(0.1)
    number = telia.submits[0][1].sequence_number
    telia.far.send(p.build(v.SUBMIT_SM | v.RESPONSE, v.ESME_RINVDSTADR, number, b"99\0"))
    world.run(1.0)
    assert router.outcomes == [Outcome.FAILED]


def test_a_message_id_without_its_nul_is_read(world: World, router: Router) -> None:
    telia, client = connected(router, status=None)
    client.submit()
    world.run(0.1)
    (_, pdu) = telia.submits[0]
    telia.far.send(p.response(v.SUBMIT_SM, pdu.sequence_number, 0, b"a-b.1"))
    world.run(0.1)
    telia.ids[b"a-b.1"] = pdu
    telia.report(b"a-b.1")
    world.run(1.0)
    assert router.outcomes == [Outcome.DELIVERED]


def test_sends_are_counted_by_what_the_operator_answered(world: World, router: Router) -> None:
    telia, elisa, client = connected_to_both(router, status=0x4FF)
    client.submit()
    world.run(1.0)
    sends = router.journey.counters.sends
    assert sends[telia.bind.operator.name, telia.bind.settings.name, 0x4FF] == 1
    assert sends[elisa.bind.operator.name, elisa.bind.settings.name, 0] == 1
    assert sum(sends.values()) == 2


def test_an_unbind_of_the_operator_leaves_nothing_behind(world: World, router: Router) -> None:
    telia, client = connected(router)
    for _ in range(30):
        client.submit(registered_delivery=0)
    world.run(0.1)
    telia.far.send(p.build(v.UNBIND, 0, 99))
    world.run(0.5)
    assert telia.far.closed
    assert [pdu.sequence_number for pdu in telia.far.pdus(v.UNBIND_RESP)] == [99]
    assert telia.bind.peer is None
    again = router.operator("telia")
    world.run(3.0)
    assert set(telia.texts() + again.texts()) == {b"hello"}
    assert router.outcomes == [Outcome.SENT] * 30
    assert again.far.link.session.state is State.BOUND_TRX
    router.assert_all_is_over()


def test_a_bind_that_is_refused_takes_no_messages(world: World, router: Router) -> None:
    telia = router.operator("telia", bind_status=v.ESME_RBINDFAIL)
    client = router.client()
    client.submit(registered_delivery=0)
    world.run(1.0)
    assert telia.far.closed
    assert telia.submits == []
    assert router.room_taken() == 1
