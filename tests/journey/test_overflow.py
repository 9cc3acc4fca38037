"""router/enqueue/lanes.py: urgent messages that wait too long go to whichever operator has a slot.

`failover_after` of the first lane is 2 s where nothing is written, as in the configuration here.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace

import pytest

from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu
from router.terms.capacity import Capacity
from router.terms.limits import Rate
from router.terms.names import OperatorName
from router.terms.outcome import Outcome
from router.terms.settings import Settings, StatusAction
from tests.doubles import Operator, Router, World, with_action, with_lane, with_operator
from tests.journey.scenes import connected_to_both

AFTER_S = 2.0
RATE = 40
COUNT = 1830
"""As many one-time passwords once waited for 45 s, while the second operator had nothing to do."""


def of_40(settings: Settings) -> Settings:
    """The same settings, each operator with one bind of 40/s."""
    for name in ("telia", "elisa"):
        (bind, *_) = settings.operators[OperatorName(name)].binds
        settings = with_operator(settings, name, binds=(replace(bind, rate=Rate(RATE, 1.0)),))
    return settings


def submitted_at_once(router: Router, count: int = COUNT) -> float:
    """Have the bank submit so many; return when."""
    client, before = router.client(), router.accepted
    for n in range(count):
        client.submit(text=b"%d" % n, registered_delivery=0)
        if n % 50 == 49:  # Within its window.
            router.world.settle()
    router.world.settle()
    assert router.accepted - before == count
    return router.world.now


def waits(began_at: float, operators: Iterable[Operator]) -> dict[int, float]:
    """How long each message had waited when an operator took it, by its place among all."""
    found = {}
    for operator in operators:
        for (at, _), text in zip(operator.submits, operator.texts(), strict=True):
            found[int(text)] = at - began_at
    return found


def busiest_second(operator: Operator) -> int:
    """How many came within a second, at most."""
    within: deque[float] = deque()
    most = 0
    for at, _ in operator.submits:
        within.append(at)
        while within[0] <= at - 1.0:
            within.popleft()
        most = max(most, len(within))
    return most


class Limit:
    """Answers ESME_RTHROTTLED to what comes above a rate."""

    def __init__(self, rate: int, world: World) -> None:
        self._rate = rate
        self._world = world
        self._taken: deque[float] = deque()

    def __call__(self, pdu: Pdu) -> int:
        """Return the status of the answer."""
        while self._taken and self._taken[0] <= self._world.now - 1.0:
            self._taken.popleft()
        if len(self._taken) >= self._rate:
            return v.ESME_RTHROTTLED
        self._taken.append(self._world.now)
        return v.ESME_ROK


# As many as come at once.


def test_one_time_passwords_are_out_as_fast_as_all_operators_take_them(
    world: World, contract: Settings
) -> None:
    router = Router(world, of_40(contract))
    telia, elisa, _ = connected_to_both(router)
    began_at = submitted_at_once(router)
    world.run(26.0)
    waited = waits(began_at, (telia, elisa))
    assert len(telia.submits) + len(elisa.submits) == len(waited) == COUNT
    assert router.outcomes == [Outcome.SENT] * COUNT
    assert min(waits(began_at, (elisa,)).values()) >= AFTER_S
    for place in range(COUNT):
        assert waited[place] <= AFTER_S + 1.1 * (place + 1) / (2 * RATE)
    assert max(map(busiest_second, (telia, elisa))) <= RATE
    router.assert_all_is_over()


def test_one_time_passwords_of_an_operator_that_throttles_are_out_in_time(
    world: World, contract: Settings
) -> None:
    router = Router(world, of_40(contract))
    telia, elisa, _ = connected_to_both(router)
    taken = 10
    telia.status = Limit(taken, world)
    submitted_at_once(router, 500)
    world.run(AFTER_S + 1.1 * 500 / (taken + RATE))
    assert router.outcomes == [Outcome.SENT] * 500
    assert max(map(busiest_second, (telia, elisa))) <= RATE
    router.assert_all_is_over()


def test_one_time_passwords_go_before_the_campaign_of_the_other_operator(
    world: World, contract: Settings
) -> None:
    router = Router(world, of_40(contract))
    telia, elisa, _ = connected_to_both(router)
    shop = router.client(b"shop", b"secret02")
    for _ in range(500):
        shop.submit(b"358401234567", text=b"-1", registered_delivery=0)  # Only elisa carries it.
    world.run(5.0)
    began_at = submitted_at_once(router, 400)
    world.run(AFTER_S + 1.1 * 400 / (RATE + 0.95 * RATE))  # Bulk has a share of 5 %.
    waited = waits(began_at, (telia, elisa))
    assert set(range(400)) <= waited.keys()


def test_small_burst_stays_with_its_operator(world: World, contract: Settings) -> None:
    router = Router(world, of_40(contract))
    telia, elisa, _ = connected_to_both(router)
    submitted_at_once(router, 2 * RATE)
    world.run(5.0)
    assert (len(telia.submits), len(elisa.submits)) == (2 * RATE, 0)


def test_operator_that_comes_up_helps_at_once(world: World, contract: Settings) -> None:
    router = Router(world, of_40(contract))
    telia = router.operator("telia")
    submitted_at_once(router, 400)
    world.run(5.0)
    elisa = router.operator("elisa")
    world.run(0.1)
    assert elisa.submits
    world.run(3.0)
    assert len(telia.submits) + len(elisa.submits) == 400


@pytest.mark.parametrize("in_doubt", ["resend", "elsewhere", "fail"])
def test_backlog_that_is_mostly_in_the_journal_goes_as_fast(
    world: World, contract: Settings, in_doubt: str
) -> None:
    little = Capacity(queue_messages=20, queue_refill_below=10)
    settings = with_lane(of_40(contract), "otp", in_doubt=in_doubt)
    router = Router(world, settings, capacity=little)
    telia, elisa, _ = connected_to_both(router)
    submitted_at_once(router, 600)
    world.run(AFTER_S + 1.1 * 600 / (2 * RATE))
    assert len(telia.submits) + len(elisa.submits) == 600
    router.assert_all_is_over()


# What does not go elsewhere.


def test_campaign_waits_for_its_operator(world: World, contract: Settings) -> None:
    router = Router(world, of_40(contract))
    telia, elisa, client = connected_to_both(router, account=b"shop")
    for _ in range(200):
        client.submit(b"37211111111", registered_delivery=0)
    world.run(8.0)
    assert (len(telia.submits), len(elisa.submits)) == (200, 0)


def test_nothing_goes_to_another_operator_where_that_is_off(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_lane(of_40(contract), "otp", failover_after_s=None))
    telia, elisa, _ = connected_to_both(router)
    submitted_at_once(router, 200)
    world.run(8.0)
    assert (len(telia.submits), len(elisa.submits)) == (200, 0)


def test_message_that_its_operator_wants_later_goes_there_again(
    world: World, contract: Settings
) -> None:
    later = StatusAction(do="retry", after_s=30.0, times=3)
    router = Router(world, with_action(of_40(contract), "telia", 0x400, later))
    telia, elisa, _ = connected_to_both(router)
    answers = iter([0x400, 0x400])
    telia.status = lambda _: next(answers, v.ESME_ROK)
    submitted_at_once(router, 1)
    for _ in range(2):
        world.run(29.9)
        submitted_at_once(router, RATE)  # So it waits for a slot when its delay is over.
        world.run(2.0)
    world.run(3.0)
    assert (len(telia.submits), len(elisa.submits)) == (3 + 2 * RATE, 0)
    router.assert_all_is_over()


def test_message_whose_number_may_not_have_another_yet_waits_for_its_operator(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_operator(contract, "telia", destination_rate=Rate(1, 10.0)))
    telia, elisa, _ = connected_to_both(router)
    submitted_at_once(router, 3)
    world.run(25.0)
    assert [int(at - telia.submits[0][0]) for at, _ in telia.submits] == [0, 10, 20]
    assert elisa.submits == []


def test_what_is_wanted_later_does_not_keep_others_from_going_elsewhere(
    world: World, contract: Settings
) -> None:
    later = StatusAction(do="retry", after_s=2.0, times=100)
    router = Router(world, with_action(of_40(contract), "telia", 0x400, later))
    telia, elisa, _ = connected_to_both(router)
    telia.status = lambda pdu: 0x400 if pdu.sequence_number % 2 else v.ESME_ROK
    submitted_at_once(router, 400)
    world.run(AFTER_S + 1.1 * 400 / (1.5 * RATE))
    assert len(set(telia.texts()) | set(elisa.texts())) == 400


# A restart.


def test_what_an_earlier_process_left_waits_from_the_start(
    world: World, contract: Settings
) -> None:
    router = Router(world, of_40(contract))
    submitted_at_once(router, 200)
    world.run(60.0)
    router = router.restarted()
    telia, elisa = router.operator("telia"), router.operator("elisa")
    world.run(0.5)
    assert len(telia.submits) > 0
    assert elisa.submits == []
    world.run(3.0)
    assert len(telia.submits) + len(elisa.submits) == 200
