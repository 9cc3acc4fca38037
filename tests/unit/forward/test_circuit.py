"""router/forward/circuit.py: the breaker of all binds together, and what each bind may send."""

from router.forward.breaker import BreakerState
from router.forward.circuit import UNLIMITED, Circuit
from router.terms.settings import BreakerSettings

SETTINGS = BreakerSettings(failures=3, of=5, rest_s=10.0, longest_s=20.0)
ALL = (0, 1, 2)


def most(circuit: Circuit) -> list[int]:
    return [circuit.most_unanswered(place) for place in range(len(circuit.binds))]


def opened(circuit: Circuit) -> Circuit:
    """Every bind has failed once, and nothing was taken."""
    for place in ALL:
        circuit.failed(place, ALL, 100.0)
    assert circuit.whole.state is BreakerState.OPEN
    return circuit


def test_all_is_well_at_first() -> None:
    circuit = Circuit(SETTINGS, 3)
    assert (most(circuit), circuit.is_troubled) == ([UNLIMITED] * 3, False)


def test_bind_that_fails_is_left_alone_and_the_others_go_on() -> None:
    circuit = Circuit(SETTINGS, 3)
    told = [circuit.failed(1, ALL, 100.0) for _ in range(9)]
    assert told == [[], [], [circuit.binds[1]], *[[]] * 6]
    assert most(circuit) == [UNLIMITED, 0, UNLIMITED]


def test_when_every_bind_fails_and_none_takes_anything_all_are_left_alone() -> None:
    circuit = Circuit(SETTINGS, 3)
    assert circuit.failed(0, ALL, 100.0) == []
    assert circuit.failed(1, ALL, 100.0) == []
    assert circuit.failed(2, ALL, 100.0) == [circuit.whole]
    assert most(circuit) == [0, 0, 0]


def test_one_success_in_between_and_they_are_not() -> None:
    circuit = Circuit(SETTINGS, 3)
    circuit.failed(0, ALL, 100.0)
    circuit.failed(1, ALL, 100.0)
    circuit.succeeded(0)
    assert circuit.failed(2, ALL, 100.0) == []
    assert circuit.is_troubled


def test_bind_that_has_not_failed_since_a_success_keeps_the_others_going() -> None:
    circuit = Circuit(SETTINGS, 2)
    circuit.failed(0, (0, 1), 100.0)
    circuit.succeeded(0)
    for _ in range(9):
        circuit.failed(1, (0, 1), 100.0)
    assert circuit.whole.state is BreakerState.CLOSED
    assert most(circuit) == [UNLIMITED, 0]


def test_binds_that_cannot_send_need_not_have_failed() -> None:
    circuit = Circuit(SETTINGS, 3)
    for _ in range(2):
        circuit.failed(2, (2,), 100.0)
    assert circuit.whole in circuit.failed(2, (2,), 100.0)


def test_one_bind_tries_for_all() -> None:
    circuit = opened(Circuit(SETTINGS, 3))
    assert not circuit.look(ALL, 109.0)
    assert circuit.look((1, 2), 110.0)
    assert (most(circuit), circuit.probe) == ([0, 1, 0], 1)
    assert [circuit.is_probing(place) for place in ALL] == [False, True, False]
    assert circuit.succeeded(1) == [circuit.whole]
    assert (most(circuit), circuit.is_troubled) == ([UNLIMITED] * 3, True)
    for place in ALL:
        for _ in range(5):
            circuit.succeeded(place)
    assert not circuit.is_troubled


def test_when_the_try_fails_all_rest_for_longer() -> None:
    circuit = opened(Circuit(SETTINGS, 3))
    circuit.look(ALL, 110.0)
    assert circuit.failed(0, ALL, 111.0) == [circuit.whole]
    assert (most(circuit), circuit.whole.until) == ([0, 0, 0], 131.0)


def test_when_the_bind_that_tries_is_lost_another_one_tries() -> None:
    circuit = opened(Circuit(SETTINGS, 3))
    circuit.look(ALL, 110.0)
    assert most(circuit) == [1, 0, 0]
    assert circuit.look((1, 2), 111.0)
    assert most(circuit) == [0, 1, 0]
    assert not circuit.look((), 112.0)
    assert most(circuit) == [0, 0, 0]
    assert circuit.look((2,), 113.0)
    assert most(circuit) == [0, 0, 1]


def test_bind_with_its_own_fault_does_not_try_for_all() -> None:
    circuit = Circuit(SETTINGS, 2)
    for now in (100.0, 101.0, 105.0):
        circuit.failed(0, (0, 1), now)
    assert circuit.failed(1, (0, 1), 105.0) == [circuit.whole]
    circuit.binds[0].until = 200.0
    assert circuit.look((0, 1), 115.0)
    assert most(circuit) == [0, 1]


def test_operator_without_a_breaker_is_never_left_alone() -> None:
    circuit = Circuit(None, 1)
    for _ in range(100):
        assert circuit.failed(0, (0,), 100.0) == []
    assert most(circuit) == [UNLIMITED]
