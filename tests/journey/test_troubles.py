"""steps/availability.py, answers.py: operators that do not keep up, and operators that fail."""

import pytest

from router.smpp import vocabulary as v
from router.terms.names import OperatorName
from router.terms.outcome import Outcome
from router.terms.settings import Settings, StatusAction
from tests.doubles import Operator, Router, World, with_account, with_lane, with_operator

TELIA = OperatorName("telia")


def flood(router: Router, count: int) -> None:
    client = router.client()
    for _ in range(count):
        client.submit(registered_delivery=0)


def limited(world: World, operator: Operator, per_second: int) -> list[float]:
    """An operator that takes so many in any second; return the times of what it refuses."""
    taken: list[float] = []
    refused: list[float] = []

    def judge(_: object) -> int:
        if len([at for at in taken if at > world.now - 1.0]) < per_second:
            taken.append(world.now)
            return 0
        refused.append(world.now)
        return v.ESME_RTHROTTLED

    operator.status = judge
    return refused


# An operator that does not keep up.


def test_operator_that_has_lowered_its_limit_refuses_a_few_and_takes_most_of_it(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_account(contract, "bank", window=10_000, rate=None, burst=None))
    telia = router.operator("telia")
    refused = limited(world, telia, 20)
    flood(router, 3000)
    world.run(60.0)
    assert len(refused) < 40
    taken = len(telia.submits) - len(refused)
    assert taken > 0.7 * 20 * 60
    assert router.outcomes == [Outcome.SENT] * taken
    telia.status = lambda _: 0
    world.run(30.0)
    before = len(telia.submits)
    world.run(10.0)
    assert len(telia.submits) - before in (499, 500, 501)  # It has its whole rate again.


def test_refused_messages_use_up_no_retries_and_fail_not(world: World, contract: Settings) -> None:
    times_one = {v.ESME_RSYSERR: StatusAction(do="retry", times=1, then="fail")}
    router = Router(world, with_operator(contract, "telia", on_status=times_one))
    telia = router.operator("telia")
    answers = iter([v.ESME_RTHROTTLED] * 30)
    telia.status = lambda _: next(answers, 0)
    flood(router, 1)
    world.run(120.0)
    assert router.outcomes == [Outcome.SENT]
    router.assert_all_is_over()


def test_refused_messages_go_first_and_in_their_order(world: World, router: Router) -> None:
    telia = router.operator("telia")
    telia.latency_s = 0.3
    client = router.client()
    for n in range(60):
        client.submit(text=b"%02d" % n, registered_delivery=0)
    answers = iter([v.ESME_RTHROTTLED] * 5)
    telia.status = lambda _: next(answers, 0)
    world.run(60.0)
    texts = telia.texts()
    assert texts[:5] == [b"%02d" % n for n in range(5)]  # All of them are refused.
    again = texts.index(b"00", 1)
    assert texts[again : again + 5] == texts[:5]
    assert sorted(texts[5:]) == [b"%02d" % n for n in range(60)]
    router.assert_all_is_over()


def test_silence_slows_the_bind_too(world: World, router: Router) -> None:
    telia = router.operator("telia")
    flood(router, 2000)
    world.run(5.0)
    assert telia.bind.per_second(world.now) == 50.0
    telia.status = lambda _: None
    world.run(10.0)
    assert telia.bind.per_second(world.now) < 50.0
    assert router.journey.operators[TELIA].events[0].why == "slow answers"


def test_operator_that_is_slow_all_the_time_is_not_slowed(world: World, router: Router) -> None:
    telia = router.operator("telia")
    telia.latency_s = 2.0
    flood(router, 500)
    world.run(40.0)
    assert telia.bind.per_second(world.now) == 50.0


# An operator that fails.


@pytest.mark.parametrize("status", [v.ESME_RSYSERR, v.ESME_RX_T_APPN])
def test_operator_that_fails_is_left_alone_and_the_next_takes_over(
    world: World, router: Router, status: int
) -> None:
    telia, elisa = router.operator("telia"), router.operator("elisa")
    telia.status = lambda _: status
    flood(router, 60)
    world.run(9.0)
    assert 5 <= len(telia.submits) < 20
    assert not router.journey.operators[TELIA].is_available
    assert len(elisa.submits) == 60  # Those that were refused first do not wait for their retry.
    assert router.outcomes == [Outcome.SENT] * 60
    router.assert_all_is_over()


def test_one_message_at_a_time_tries_whether_it_works_again(world: World, router: Router) -> None:
    telia = router.operator("telia")
    telia.status = lambda _: v.ESME_RSYSERR
    flood(router, 30)
    world.run(5.0)
    at_first = len(telia.submits)
    world.run(25.0)  # Rests of 10 and of 20 s.
    assert len(telia.submits) == at_first + 1
    telia.status = lambda _: 0
    world.run(60.0)
    assert router.outcomes == [Outcome.SENT] * 30
    assert telia.bind.window == telia.bind.settings.window
    router.assert_all_is_over()


def test_others_do_not_wait_for_the_one_that_tries(world: World, contract: Settings) -> None:
    router = Router(world, with_lane(contract, "otp", in_doubt="elsewhere"))
    telia, elisa = router.operator("telia", status=None), router.operator("elisa")
    flood(router, 20)
    world.run(31.0)  # All of them time out, and telia is left alone.
    assert (len(telia.submits), len(elisa.submits)) == (20, 20)
    client = router.client()
    answers = []
    for _ in range(20):
        client.submit(registered_delivery=0)
        world.run(1.0)
        answers.append(len(elisa.submits))
    assert len(telia.submits) == 21
    assert answers[-1] == 39  # One is with telia; nobody else has waited.


def test_bind_that_fails_among_good_ones_is_left_alone_alone(world: World, router: Router) -> None:
    bad, good = router.operator("telia", 0), router.operator("telia", 1)
    bad.status = lambda _: v.ESME_RSYSERR
    flood(router, 200)
    world.run(200.0)
    assert 5 <= len(bad.submits) < 25
    assert router.journey.operators[TELIA].is_available
    assert len(good.submits) == 200
    assert router.outcomes == [Outcome.SENT] * 200
    router.assert_all_is_over()


def test_what_may_be_at_an_operator_that_fails_waits_for_it(world: World, router: Router) -> None:
    telia, elisa = router.operator("telia", status=None), router.operator("elisa")
    flood(router, 10)
    world.run(45.0)  # In doubt, with `in_doubt: resend`, and telia is left alone.
    assert not router.journey.operators[TELIA].is_available
    assert elisa.submits == []
    telia.status = lambda _: 0
    world.run(60.0)  # The one that tries is not answered either; the next one is.
    assert (len(telia.submits), len(elisa.submits)) == (21, 0)
    assert router.outcomes == [Outcome.SENT] * 10
    router.assert_all_is_over()


def test_faults_of_messages_are_no_faults_of_the_operator(world: World, router: Router) -> None:
    telia = router.operator("telia")
    telia.status = lambda _: v.ESME_RINVDSTADR
    flood(router, 100)
    world.run(10.0)
    assert router.outcomes == [Outcome.FAILED] * 100
    assert router.journey.operators[TELIA].is_available
    router.assert_all_is_over()


def test_breaker_can_be_left_out(world: World, contract: Settings) -> None:
    router = Router(world, with_operator(contract, "telia", breaker=None))
    telia = router.operator("telia")
    telia.status = lambda _: v.ESME_RSYSERR
    flood(router, 60)
    world.run(2.0)
    assert len(telia.submits) == 60
