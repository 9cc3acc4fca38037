"""router/forward/breaker.py: when one opens, rests, tries and closes."""

from router.forward.breaker import Breaker, BreakerState
from router.terms.settings import BreakerSettings

SETTINGS = BreakerSettings(failures=3, of=5, rest_s=10.0, longest_s=25.0)
CLOSED, OPEN, PROBING = BreakerState


def fail(breaker: Breaker, times: int, now: float = 100.0) -> list[bool]:
    return [breaker.failed(now) for _ in range(times)]


def test_breaker_opens_with_the_last_of_so_many_failures() -> None:
    breaker = Breaker(SETTINGS)
    assert fail(breaker, 2) == [False, False]
    assert (breaker.state, breaker.is_troubled) == (CLOSED, True)
    assert breaker.failed(100.0)
    assert (breaker.state, breaker.until, breaker.opened) == (OPEN, 110.0, 1)


def test_failures_count_among_so_many_answers_only() -> None:
    breaker = Breaker(SETTINGS)
    for _ in range(20):
        breaker.failed(100.0)
        for _ in range(2):
            assert not breaker.succeeded()
    assert breaker.state is CLOSED
    for _ in range(5):
        breaker.succeeded()
    assert not breaker.is_troubled


def test_breaker_that_is_open_learns_nothing_from_what_was_under_way() -> None:
    breaker = Breaker(SETTINGS)
    fail(breaker, 3)
    assert not breaker.succeeded()
    assert not breaker.failed(105.0)
    assert (breaker.state, breaker.until, breaker.opened) == (OPEN, 110.0, 1)


def test_when_its_rest_is_over_a_success_closes_it() -> None:
    breaker = Breaker(SETTINGS)
    fail(breaker, 3)
    assert not breaker.tick(109.9)
    assert breaker.tick(110.0)
    assert not breaker.tick(111.0)
    assert breaker.state is PROBING
    assert breaker.succeeded()
    assert (breaker.state, breaker.is_troubled, breaker.until) == (CLOSED, False, float("inf"))


def test_each_try_that_fails_makes_the_rest_longer_up_to_the_longest() -> None:
    breaker = Breaker(SETTINGS)
    fail(breaker, 3)
    now, rests = 100.0, []
    for _ in range(4):
        rests.append(breaker.until - now)
        now = breaker.until
        assert breaker.tick(now)
        assert breaker.failed(now)
    assert rests == [10.0, 20.0, 25.0, 25.0]
    assert breaker.opened == 5
    breaker.tick(now + 25.0)
    breaker.succeeded()
    fail(breaker, 3, 500.0)
    assert breaker.until == 510.0  # It begins anew.


def test_breaker_without_settings_never_opens() -> None:
    breaker = Breaker(None)
    assert fail(breaker, 1000) == [False] * 1000
    assert not breaker.succeeded()
    assert (breaker.state, breaker.is_troubled, breaker.is_open) == (CLOSED, False, False)
