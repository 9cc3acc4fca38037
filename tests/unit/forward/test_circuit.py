"""router/forward/circuit.py: the breaker of all binds together, and what each bind may send."""

from dataclasses import dataclass, field

from router.forward.breaker import Breaker, BreakerState
from router.forward.circuit import UNLIMITED, Circuit
from router.terms.settings import BreakerSettings

SETTINGS = BreakerSettings(failures=3, of=5, rest_s=10.0, longest_s=20.0)


@dataclass(eq=False)
class Bind:
    """A bind, as far as breakers go."""

    breaker: Breaker = field(default_factory=lambda: Breaker(SETTINGS))


class Scene:
    """A circuit of so many binds."""

    def __init__(self, count: int, *, opened: bool = False) -> None:
        self.binds = tuple(Bind() for _ in range(count))
        self.circuit = Circuit(SETTINGS, self.binds)
        if opened:  # Every bind has failed once, and nothing was taken.
            for bind in self.binds:
                self.circuit.failed(bind, self.binds, 100.0)
            assert self.circuit.whole.state is BreakerState.OPEN

    def failed(self, number: int, now: float = 100.0) -> list[Breaker]:
        """One has failed on this bind; all could send."""
        return self.circuit.failed(self.binds[number], self.binds, now)

    def succeeded(self, number: int) -> list[Breaker]:
        """One was taken on this bind."""
        return self.circuit.succeeded(self.binds[number])

    def tick(self, *able: int, now: float) -> bool:
        """Time passes; these binds could send."""
        return self.circuit.tick([self.binds[number] for number in able], now)

    @property
    def most(self) -> list[int]:
        """How many messages each bind may have unanswered."""
        return [self.circuit.most_unanswered(bind) for bind in self.binds]


def test_all_is_well_at_first() -> None:
    scene = Scene(3)
    assert (scene.most, scene.circuit.is_troubled) == ([UNLIMITED] * 3, False)


def test_bind_that_fails_is_left_alone_and_the_others_go_on() -> None:
    scene = Scene(3)
    told = [scene.failed(1) for _ in range(9)]
    assert told == [[], [], [scene.binds[1].breaker], *[[]] * 6]
    assert scene.most == [UNLIMITED, 0, UNLIMITED]


def test_when_every_bind_fails_and_none_takes_anything_all_are_left_alone() -> None:
    scene = Scene(3)
    assert scene.failed(0) == []
    assert scene.failed(1) == []
    assert scene.failed(2) == [scene.circuit.whole]
    assert scene.most == [0, 0, 0]


def test_one_success_in_between_and_they_are_not() -> None:
    scene = Scene(3)
    scene.failed(0)
    scene.failed(1)
    scene.succeeded(0)
    assert scene.failed(2) == []
    assert scene.circuit.is_troubled


def test_bind_that_has_not_failed_since_a_success_keeps_the_others_going() -> None:
    scene = Scene(2)
    scene.failed(0)
    scene.succeeded(0)
    for _ in range(9):
        scene.failed(1)
    assert scene.circuit.whole.state is BreakerState.CLOSED
    assert scene.most == [UNLIMITED, 0]


def test_binds_that_cannot_send_need_not_have_failed() -> None:
    scene = Scene(3)
    bind = scene.binds[2]
    for _ in range(2):
        scene.circuit.failed(bind, (bind,), 100.0)
    assert scene.circuit.whole in scene.circuit.failed(bind, (bind,), 100.0)


def test_one_bind_tries_for_all() -> None:
    scene = Scene(3, opened=True)
    circuit = scene.circuit
    assert not scene.tick(0, 1, 2, now=109.0)
    assert scene.tick(1, 2, now=110.0)
    assert (scene.most, circuit.probe) == ([0, 1, 0], scene.binds[1])
    assert [circuit.is_probing(bind) for bind in scene.binds] == [False, True, False]
    assert scene.succeeded(1) == [circuit.whole]
    assert (scene.most, circuit.is_troubled) == ([UNLIMITED] * 3, True)
    for number in range(3):
        for _ in range(5):
            scene.succeeded(number)
    assert not circuit.is_troubled


def test_when_the_try_fails_all_rest_for_longer() -> None:
    scene = Scene(3, opened=True)
    scene.tick(0, 1, 2, now=110.0)
    assert scene.failed(0, 111.0) == [scene.circuit.whole]
    assert (scene.most, scene.circuit.whole.until) == ([0, 0, 0], 131.0)


def test_when_the_bind_that_tries_is_lost_another_one_tries() -> None:
    scene = Scene(3, opened=True)
    scene.tick(0, 1, 2, now=110.0)
    assert scene.most == [1, 0, 0]
    assert scene.tick(1, 2, now=111.0)
    assert scene.most == [0, 1, 0]
    assert not scene.tick(now=112.0)
    assert scene.most == [0, 0, 0]
    assert scene.tick(2, now=113.0)
    assert scene.most == [0, 0, 1]


def test_bind_with_its_own_fault_does_not_try_for_all() -> None:
    scene = Scene(2)
    for now in (100.0, 101.0, 105.0):
        scene.failed(0, now)
    assert scene.failed(1, 105.0) == [scene.circuit.whole]
    scene.binds[0].breaker.until = 200.0
    assert scene.tick(0, 1, now=115.0)
    assert scene.most == [0, 1]


def test_operator_without_a_breaker_is_never_left_alone() -> None:
    bind = Bind(Breaker(None))
    circuit = Circuit(None, (bind,))
    for _ in range(100):
        assert circuit.failed(bind, (bind,), 100.0) == []
    assert circuit.most_unanswered(bind) == UNLIMITED
