"""router/forward/destinations.py: when a number may be sent to again.

Any delays, in any order: tests/property/test_destinations.py.
"""

import pytest

from router.forward.destinations import UNANSWERED_S, Destinations
from router.forward.pacing import MARGIN_S
from router.terms.capacity import Capacity
from router.terms.limits import Rate
from router.terms.names import RouterId

ONE, OTHER = b"\1\1372551\0", b"\1\1372552\0"
TEN_S = Rate(1, 10.0)


def near(at: float) -> object:
    return pytest.approx(at, abs=1e-9)


def sent(made: Destinations, number: bytes, now: float, answered_at: float | None = None) -> None:
    made.sent(number, now)
    if answered_at is not None:
        made.attempt_ended(number, now, answered_at)


def test_number_may_be_sent_to_again_one_unit_after_the_answer() -> None:
    made = Destinations(TEN_S)
    assert made.ask(ONE, RouterId(1), 100.0) == 100.0
    sent(made, ONE, 100.0, 100.5)
    assert made.ask(ONE, RouterId(2), 101.0) == near(110.5 + MARGIN_S)
    assert made.ask(OTHER, RouterId(3), 101.0) == 101.0


def test_message_that_waited_goes_when_its_time_has_come() -> None:
    made = Destinations(TEN_S)
    sent(made, ONE, 100.0, 100.0)
    at = made.ask(ONE, RouterId(2), 101.0)
    assert at is not None
    assert made.ask(ONE, RouterId(2), at) == at
    assert len(made) == 0


def test_those_for_one_number_keep_their_order_and_their_distance() -> None:
    made = Destinations(TEN_S)
    sent(made, ONE, 100.0, 100.0)
    times = [made.ask(ONE, RouterId(n), 101.0) for n in range(2, 5)]
    unit_s = 10.0 + MARGIN_S
    assert times == [near(100.0 + n * unit_s) for n in (1, 2, 3)]
    assert made.ask(ONE, RouterId(9), 111.0) == near(100.0 + 4 * unit_s)  # It does not go before.
    assert made.ask(ONE, RouterId(2), 111.0) == 111.0


def test_number_whose_last_message_is_unanswered_is_asked_for_again_soon() -> None:
    made = Destinations(TEN_S)
    sent(made, ONE, 100.0)
    at = made.ask(ONE, RouterId(2), 101.0)
    assert at == near(110.0 + MARGIN_S)
    assert made.ask(ONE, RouterId(2), 111.0) == near(111.0 + UNANSWERED_S)
    made.attempt_ended(ONE, 100.0, 115.0)
    assert made.ask(ONE, RouterId(2), 116.0) == near(125.0 + MARGIN_S)


def test_several_may_go_in_one_unit_where_the_rate_says_so() -> None:
    made = Destinations(Rate(2, 60.0))
    for now in (100.0, 110.0):
        assert made.ask(ONE, RouterId(int(now)), now) == now
        sent(made, ONE, now, now)
    assert made.ask(ONE, RouterId(3), 120.0) == near(160.0 + MARGIN_S)
    assert made.ask(ONE, RouterId(4), 120.0) == near(160.0 + MARGIN_S)
    assert made.ask(ONE, RouterId(5), 120.0) == near(220.0 + 2 * MARGIN_S)


def test_message_that_does_not_come_when_due_holds_nobody_up_for_ever() -> None:
    made = Destinations(TEN_S)
    sent(made, ONE, 100.0, 100.0)
    made.ask(ONE, RouterId(2), 101.0)  # It expires, for instance.
    assert made.ask(ONE, RouterId(3), 101.0) == near(120.0 + 2 * MARGIN_S)
    assert made.ask(ONE, RouterId(3), 121.0) == near(131.0)
    assert made.ask(ONE, RouterId(3), 132.0) == 132.0
    assert len(made) == 0


def test_no_more_than_so_many_wait_aside() -> None:
    made = Destinations(TEN_S, capacity=Capacity(messages_aside=2))
    sent(made, ONE, 100.0, 100.0)
    assert made.ask(ONE, RouterId(2), 101.0) is not None
    assert made.ask(ONE, RouterId(3), 101.0) is not None
    assert made.ask(ONE, RouterId(4), 101.0) is None
    assert made.ask(OTHER, RouterId(5), 101.0) == 101.0


def test_no_more_than_so_many_numbers_are_remembered() -> None:
    made = Destinations(TEN_S, capacity=Capacity(numbers_remembered=3))
    for n in range(10):
        made.sent(b"%d" % n, 100.0)
    assert len(made._sent) == 3
    assert made.ask(b"0", RouterId(1), 100.0) == 100.0


def test_numbers_are_forgotten_when_they_may_be_sent_to_anyway() -> None:
    made = Destinations(TEN_S)
    sent(made, ONE, 100.0, 100.0)
    sent(made, OTHER, 105.0, 105.0)
    made.forget_old(110.9)
    assert len(made._sent) == 2
    made.forget_old(111.1)
    assert list(made._sent.by_key) == [OTHER]


def test_number_whose_message_is_unanswered_is_not_forgotten() -> None:
    made = Destinations(TEN_S)
    sent(made, ONE, 100.0)
    made.forget_old(125.0)
    assert made.ask(ONE, RouterId(2), 125.0) == near(125.0 + UNANSWERED_S)
