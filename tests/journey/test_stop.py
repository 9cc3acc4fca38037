"""router/wiring/stop.py: how the time of a stop is shared, and that the process ends with it."""

from collections.abc import Callable
from queue import SimpleQueue

from router.terms.settings import Settings
from router.wiring.connectors import Connectors
from router.wiring.stop import DOWN_S, ENDED_S, NEVER, Budget, Stop
from tests.doubles import Router, World

DEADLINE_S = 60.0


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def stop_of(
    contract: Settings, clock: Clock, within_s: float, end_process: Callable[[int], object]
) -> Stop:
    router = Router(World(), contract)
    connectors = Connectors(router, contract.session)
    return Stop(router.journey, connectors, [], [], clock, within_s, end_process=end_process)


def test_a_wait_ends_with_its_share_or_its_own_time() -> None:
    budget = Budget(100.0, 20.0)
    assert budget.until(0.5, 100.0) == 110.0
    assert budget.until(0.5, 104.0, 1.0) == 105.0
    assert budget.until(0.5, 109.5, 1.0) == 110.0
    assert budget.ends_at == 120.0


def test_a_budget_that_was_shortened_ends_every_share_sooner_and_never_grows() -> None:
    budget = Budget(100.0, 20.0)
    budget.shorten(101.0, 4.0)
    assert budget.ends_at == 105.0
    assert budget.until(0.8, 101.0) == 104.0
    budget.shorten(102.0, 60.0)
    assert budget.ends_at == 105.0


def test_process_is_ended_when_the_time_is_over_and_something_is_waited_for(
    contract: Settings,
) -> None:
    clock, ended = Clock(), SimpleQueue[int]()
    stop_of(contract, clock, 20.0, ended.put)
    clock.now += 19.5
    assert ended.empty()
    clock.now += 0.5
    assert ended.get(timeout=DEADLINE_S) == 1


def test_second_signal_shortens_the_time(contract: Settings) -> None:
    clock = Clock()
    stop = stop_of(contract, clock, 600.0, lambda _: None)
    stop.hurry()
    assert stop.budget.ends_at < clock.now + DOWN_S
    stop.budget.shorten(clock.now, -NEVER)  # Ends its thread.


def test_threads_that_do_not_end_have_a_moment_when_all_is_done(
    contract: Settings,
) -> None:
    clock = Clock()
    stop = stop_of(contract, clock, 600.0, lambda _: None)
    stop.is_over()
    assert stop.budget.ends_at == clock.now + ENDED_S
    clock.now += ENDED_S
