"""router/forward/pool.py: a bind asks its channel for little, and no SMPP session is among that."""

from router.forward.adapting import SLOW_S
from router.forward.pool import Asked, Attempt
from router.smpp.session import Note
from tests.unit.forward.test_pool import FIRST_AT, START, bind_settings, message, operator_of


class OtherService:
    """A service that takes messages without a session."""

    def __init__(self) -> None:
        self.taken: list[Attempt] = []
        self.can_send = True
        self.is_bound = True
        self.has_answered = True
        self.state_name = "ready"
        self.to_write = False
        self.writable = True

    def flush(self) -> None:
        """Nothing is kept back."""

    def write(self, octets: bytes, attempt: Attempt, now: float) -> None:
        self.taken.append(attempt)

    def ask(self, octets: bytes, asked: Asked, now: float) -> bool:
        return False

    def enquire(self) -> None:
        """It has answered before."""

    def tell(self, note: Note) -> None:
        """There is no log."""

    def rebind(self) -> None:
        """There is no session."""

    def adopt(self) -> None:
        """There are no timers."""


def test_service_without_a_session_takes_messages_within_rate_and_window() -> None:
    operator = operator_of(bind_settings(window=2))
    (bind,) = operator.binds
    service = OtherService()
    operator.came_up(bind, service, START)
    assert (operator.is_available, operator.is_up) == (True, True)
    for now in (FIRST_AT, FIRST_AT + 0.1):
        assert operator.ready_bind(now) is bind
        operator.send(bind, message(), b"text", now)
    assert (bind.in_use, operator.ready_bind(FIRST_AT + 1)) == (2, None)
    operator.attempt_ended(service.taken[0], FIRST_AT + 1, answered=True)
    assert (bind.in_use, operator.ready_bind(FIRST_AT + 1)) == (1, bind)


def test_service_that_cannot_send_is_not_available() -> None:
    operator = operator_of(bind_settings())
    (bind,) = operator.binds
    service = OtherService()
    operator.came_up(bind, service, START)
    service.can_send = False
    assert (operator.is_available, operator.is_up, bind.sends) == (False, False, False)


def test_service_that_does_not_answer_slows_its_bind() -> None:
    operator = operator_of(bind_settings())
    (bind,) = operator.binds
    operator.came_up(bind, OtherService(), START)
    operator.send(bind, message(), b"text", FIRST_AT)
    operator.tick(FIRST_AT + 2 * SLOW_S)
    assert not operator.events  # One message may be the fault of that message.
    second_at = FIRST_AT + 2 * SLOW_S
    operator.send(bind, message(), b"text", second_at)
    operator.tick(second_at + SLOW_S)
    assert not operator.events
    operator.tick(second_at + SLOW_S + 0.1)
    assert [event.why for event in operator.events] == ["slow answers"]


def test_what_was_in_flight_is_not_in_use_on_the_next_session() -> None:
    operator = operator_of(bind_settings())
    (bind,) = operator.binds
    service = OtherService()
    operator.came_up(bind, service, START)
    operator.send(bind, message(), b"text", FIRST_AT)
    operator.went_down(bind, FIRST_AT)
    assert (bind.in_use, operator.in_flight) == (0, 1)
    operator.came_up(bind, OtherService(), FIRST_AT)
    operator.send(bind, message(), b"text", FIRST_AT + 0.5)
    operator.attempt_ended(service.taken[0], FIRST_AT + 1, answered=False)
    assert (bind.in_use, operator.in_flight) == (1, 1)
