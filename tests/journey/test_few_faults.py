"""forward/adapting.py, pool.py: a few lost answers, a few throttled messages, cost what they are.

Each operator here has all the load that it is contracted for, and a little more.
"""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import replace

import pytest

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu
from router.terms.limits import Rate
from router.terms.names import BindName, OperatorName
from router.terms.outcome import Outcome
from router.terms.settings import Settings, StatusAction
from tests.doubles import Client, Operator, Router, World, with_account, with_action, with_operator

TELIA = OperatorName("telia")
SILENT = b"37255599999"
TIMEOUT_S = 5.0
"""Short, so that a test is: as many answers are overdue as are lost, all the while."""


def loaded(
    world: World, contract: Settings, per_second: int, window: int | None, binds: int = 1
) -> tuple[Router, list[Operator], Client]:
    """A router whose telia has so many binds, each with this rate and window, and a client."""
    settings = with_account(contract, "bank", window=10_000, rate=None, burst=None)
    settings = replace(settings, session=replace(settings.session, response_timeout_s=TIMEOUT_S))
    (first, *_) = settings.operators[TELIA].binds
    each = replace(first, rate=Rate(per_second, 1.0), window=window)
    named = tuple(replace(each, name=BindName(f"telia-{n}")) for n in range(binds))
    router = Router(world, with_operator(settings, "telia", binds=named))
    return router, [router.operator("telia", n) for n in range(binds)], router.client()


def by_chance(share: float, otherwise: int | None) -> Callable[[Pdu], int | None]:
    """Answers of which this share is another one."""
    rng = random.Random(7)
    return lambda _: otherwise if rng.random() < share else 0


def flood(world: World, client: Client, per_second: int, seconds: int) -> None:
    for _ in range(seconds):
        for _ in range(per_second + per_second // 20):
            client.submit(registered_delivery=0)
        world.run(1.0)


def sent(router: Router) -> int:
    return router.outcomes.count(Outcome.SENT)


def assert_nobody_is_slowed(router: Router) -> None:
    operator = router.journey.operators[TELIA]
    assert not [one for one in operator.events if one.what in ("slowed", "opened")]
    assert all(bind.per_second(router.world.now) == 500.0 for bind in operator.binds)


# Answers that never come.


@pytest.mark.parametrize("window", [None, 40])
def test_a_number_that_is_never_answered_costs_the_others_nothing(
    world: World, contract: Settings, window: int | None
) -> None:
    router, (telia,), client = loaded(world, contract, 500, window)
    telia.status = lambda pdu: None if p.Sm(pdu).destination_addr == SILENT else 0
    for _ in range(5):
        client.submit(SILENT, registered_delivery=0)
        flood(world, client, 500, 4)
    assert sent(router) >= 0.99 * 20 * 500
    assert_nobody_is_slowed(router)


def test_an_auto_window_has_room_beside_lost_answers(world: World, contract: Settings) -> None:
    router, (telia,), client = loaded(world, contract, 500, None)
    flood(world, client, 500, 2)
    before = telia.bind.window
    telia.status = by_chance(0.02, None)
    flood(world, client, 500, 10)
    assert telia.bind.passed >= 0.01 * 500 * TIMEOUT_S
    assert telia.bind.window == before + telia.bind.passed
    assert len(telia.submits) >= 0.999 * 12 * 500
    assert_nobody_is_slowed(router)
    telia.status = lambda _: 0
    flood(world, client, 500, 7)
    assert telia.bind.window == before


def test_lost_answers_cost_a_wide_window_nothing_else(world: World, contract: Settings) -> None:
    router, (telia,), client = loaded(world, contract, 500, 60)
    telia.status = by_chance(0.007, None)
    flood(world, client, 500, 15)
    assert telia.bind.in_use > 10
    assert sent(router) >= 0.98 * 15 * 500
    assert_nobody_is_slowed(router)


def test_a_window_of_the_settings_is_the_most_that_is_unanswered_though_answers_are_lost(
    world: World, contract: Settings
) -> None:
    router, (telia,), client = loaded(world, contract, 500, 20)
    most = 0

    def judge(_: object) -> int | None:
        nonlocal most
        most = max(most, telia.bind.in_use)
        return None if len(telia.submits) % 25 == 0 else 0

    telia.status = judge
    flood(world, client, 500, 4)
    assert most == 20
    assert sent(router) < 0.9 * 4 * 500  # That is the price.


@pytest.mark.parametrize("latency_s", [5.0, 9.0])
def test_answers_that_all_come_late_are_slow(
    world: World, contract: Settings, latency_s: float
) -> None:
    settings = with_account(contract, "bank", window=10_000, rate=None, burst=None)
    router = Router(world, settings)
    telia, client = router.operator("telia"), router.client()
    flood(world, client, 50, 5)
    telia.latency_s = latency_s
    flood(world, client, 50, 12)
    assert telia.bind.per_second(world.now) < 50.0
    assert router.journey.operators[TELIA].events[0].why == "slow answers"


# Throttled by chance.


@pytest.mark.parametrize(("share", "least"), [(0.002, 0.98), (0.015, 0.96)])
def test_a_fast_bind_that_is_throttled_by_chance_keeps_its_rate(
    world: World, contract: Settings, share: float, least: float
) -> None:
    router, (telia,), client = loaded(world, contract, 500, None)
    telia.status = by_chance(share, v.ESME_RTHROTTLED)
    flood(world, client, 500, 20)
    assert sent(router) >= least * 20 * 500
    assert_nobody_is_slowed(router)


@pytest.mark.parametrize(("share", "least"), [(0.002, 0.97), (0.015, 0.93)])
def test_binds_that_are_throttled_by_chance_keep_most_of_their_rates(
    world: World, contract: Settings, share: float, least: float
) -> None:
    router, binds, client = loaded(world, contract, 50, None, binds=9)
    answer = by_chance(share, v.ESME_RTHROTTLED)
    for bind in binds:
        bind.status = answer
    flood(world, client, 450, 40)
    assert sent(router) >= least * 40 * 450


def test_a_fast_bind_finds_a_limit_that_is_lowered_a_little(
    world: World, contract: Settings
) -> None:
    router, (telia,), client = loaded(world, contract, 500, None)
    flood(world, client, 500, 2)
    taken: deque[float] = deque(maxlen=400)
    refused: list[float] = []

    def judge(_: object) -> int:
        if len(taken) < 400 or taken[0] <= world.now - 1.0:
            taken.append(world.now)
            return v.ESME_ROK
        refused.append(world.now)
        return v.ESME_RTHROTTLED

    telia.status = judge
    before = sent(router)
    flood(world, client, 500, 20)
    assert sent(router) - before > 0.7 * 400 * 20
    assert len(refused) < 0.02 * 400 * 20
    in_this_second = [at for at in refused if at < refused[0] + 1.0]
    assert 0.05 * 500 <= len(in_this_second) < 0.1 * 500  # Then it rests.


def test_only_the_message_waits_that_is_throttled_alone(world: World, router: Router) -> None:
    telia, client = router.operator("telia"), router.client()
    for n in range(250):
        client.submit(text=b"%d" % n, registered_delivery=0)
    telia.status = lambda _: v.ESME_RTHROTTLED if len(telia.submits) == 100 else 0
    world.run(2.0)
    before = len(telia.submits)
    world.run(2.0)
    assert len(telia.submits) - before == 100  # No slot was left out.
    world.run(2.0)
    text = telia.texts()[99]
    throttled_at, again_at = [at for at, pdu in telia.submits if p.Sm(pdu).short_message == text]
    assert 1.0 <= again_at - throttled_at - telia.latency_s < 1.03  # The next slot after a second.
    router.assert_all_is_over()


def test_the_bind_rests_at_once_after_another_status_that_is_configured_to_pause_it(
    world: World, contract: Settings
) -> None:
    pause = StatusAction(do="pause", for_s=2.0)
    router = Router(world, with_action(contract, "telia", 0x400, pause))
    telia, client = router.operator("telia"), router.client()
    for _ in range(50):
        client.submit(registered_delivery=0)
    telia.status = lambda _: 0x400 if len(telia.submits) == 1 else 0
    world.run(telia.latency_s)
    before = len(telia.submits)
    world.run(1.9)
    assert len(telia.submits) == before < 50
    world.run(5.0)
    assert len(telia.submits) == 51
