"""router/enqueue/delays.py: each message leaves at its moment, once, and not before."""

import pytest

from router.enqueue.delays import Delays
from router.terms.message import Message
from router.terms.states import QUEUE, SCHEDULED, SETTLE, TAKE, MessageEvent
from tests.unit.messages import ACCEPTED_UTC, message, pulled

NEVER = float("inf")


def scheduled(number: int, not_before_utc: float) -> Message:
    one = message(number)
    one.not_before_utc = not_before_utc
    return one


def delays_of(**until: float) -> Delays:
    """Messages by number (`m1=30.0`), each delayed until then."""
    delays = Delays()
    for name, at in until.items():
        delays.delay(pulled(message(int(name[1:]))), at)
    return delays


def ids(messages: list[Message]) -> list[int]:
    return [one.router_id for one in messages]


def test_delayed_messages_leave_when_their_moment_has_come() -> None:
    delays = delays_of(m1=30.0, m2=20.0, m3=30.0)
    assert (delays.delayed(), delays.wake_at()) == (3, 20.0)
    assert ids(list(delays.wake(19.9))) == []
    assert ids(list(delays.wake(20.0))) == [2]
    assert (delays.delayed(), delays.wake_at()) == (2, 30.0)
    assert ids(list(delays.wake(99.0))) == [1, 3]
    assert (delays.delayed(), delays.wake_at()) == (0, NEVER)


@pytest.mark.parametrize("event", [TAKE, SETTLE])
def test_message_that_a_late_answer_has_ended_does_not_leave(event: MessageEvent) -> None:
    delays = Delays()
    one = pulled(message(1))
    delays.delay(one, 30.0)
    one.enter(event)
    assert delays.release(lambda _: True) == []
    assert list(delays.wake(30.0)) == []
    assert delays.delayed() == 0


def test_messages_that_may_leave_are_released_and_the_others_keep_their_moments() -> None:
    delays = delays_of(m1=10.0, m2=20.0, m3=30.0, m4=40.0)
    assert ids(delays.release(lambda one: one.router_id in (1, 3))) == [1, 3]
    assert delays.release(lambda one: False) == []
    assert (delays.delayed(), delays.wake_at()) == (2, 20.0)
    assert ids(list(delays.wake(99.0))) == [2, 4]


def test_validity_ends_while_a_message_is_delayed() -> None:
    delays = Delays()
    for number, expires_utc in enumerate([50.0, NEVER, 40.0]):
        one = pulled(message(number))
        one.expires_utc = expires_utc
        delays.delay(one, 99.0 - number)
    assert delays.expire(39.9) == []
    assert sorted(ids(delays.expire(50.0))) == [0, 2]
    assert (delays.delayed(), delays.wake_at()) == (1, 98.0)


def test_scheduled_messages_begin_in_the_order_of_their_times() -> None:
    delays = Delays()
    for number, at in ((3, 50.0), (1, 50.0), (2, 40.0), (4, 60.0)):
        delays.schedule(scheduled(number, at))
    assert delays.begin(39.9) == []
    assert delays.scheduled() == 4
    due = delays.begin(50.0)
    assert ids(due) == [2, 1, 3]
    assert {one.state for one in due} == {SCHEDULED}
    assert delays.scheduled() == 1


@pytest.mark.parametrize(("later_s", "waited_from"), [(50.0, 50.0), (0.0, 0.0), (-7.0, 0.0)])
def test_waiting_time_begins_with_the_schedule(later_s: float, waited_from: float) -> None:
    delays = Delays()
    delays.schedule(scheduled(1, ACCEPTED_UTC + later_s))
    (one,) = delays.begin(ACCEPTED_UTC + 60.0)
    assert one.accepted_at == waited_from
    one.enter(QUEUE)
