"""router/forward/arrival.py: what the systems of both ends know of a message's octets."""

from math import inf

import pytest

from router.forward.arrival import ACKNOWLEDGED_S, Acknowledged, RoundTrip


def noted(*written: float) -> Acknowledged:
    """Messages that were written at these times, of one octet each."""
    acknowledged = Acknowledged()
    for place, at in enumerate(written):
        acknowledged.wrote(place + 1, at)
    return acknowledged


def test_message_that_is_acknowledged_soon_arrived_when_it_left() -> None:
    acknowledged = noted(10.0)
    acknowledged.has(position=1, at=10.0 + ACKNOWLEDGED_S, left_at=10.0)
    assert acknowledged.arrived_at(10.0) == 10.0
    assert acknowledged.arrived_at(9.99) == 9.99  # Written before positions were noted.


def test_message_that_left_late_arrived_late() -> None:
    acknowledged = noted(10.0)
    acknowledged.has(position=0, at=0.0, left_at=10.03)
    acknowledged.has(position=1, at=10.05, left_at=10.04)  # Others left since then.
    assert acknowledged.arrived_at(10.0) == 10.03


def test_message_that_is_acknowledged_late_arrived_then_at_the_latest() -> None:
    acknowledged = noted(10.0, 10.02)
    acknowledged.has(position=0, at=0.0, left_at=10.02)
    acknowledged.has(position=2, at=10.3, left_at=10.02)
    assert acknowledged.arrived_at(10.0) == 10.3
    assert acknowledged.arrived_at(10.02) == 10.3


def test_message_whose_octets_are_not_all_acknowledged_may_not_have_arrived() -> None:
    acknowledged = noted(10.0, 11.0)
    acknowledged.has(position=1, at=11.1, left_at=11.0)
    assert acknowledged.arrived_at(11.0) == inf
    acknowledged.look = lambda: acknowledged.has(2, 11.01, 11.0)
    assert acknowledged.arrived_at(11.0) == 11.0


@pytest.mark.parametrize("written_at", [9.0, 10.5, 12.0])
def test_nothing_is_known_of_a_message_that_nobody_noted(written_at: float) -> None:
    acknowledged = noted(10.0, 10.4)
    if written_at == 12.0:
        acknowledged.forget()
        assert not acknowledged.is_noted
        acknowledged.wrote(7, 13.0)
    assert acknowledged.arrived_at(written_at) == written_at


def test_a_message_has_the_place_of_the_octets_that_it_was_written_with() -> None:
    acknowledged = noted(10.001, 10.4)  # The turn that began at 10.0 wrote at 10.001.
    acknowledged.has(position=1, at=10.02, left_at=10.4)
    assert acknowledged.arrived_at(10.0) == 10.0
    assert acknowledged.arrived_at(10.39) == inf


def test_positions_are_remembered_within_bounds() -> None:
    acknowledged = Acknowledged()
    for place in range(20_000):
        acknowledged.has(place, place / 100 + 0.001, place / 100)
        acknowledged.wrote(place + 1, (place + 1) / 100)
    assert len(acknowledged._written_at) < 10_000
    acknowledged.has(20_000, 200.001, 200.0)
    assert acknowledged.arrived_at(199.9) == 199.9
    assert acknowledged.arrived_at(1.0) == 1.0


def test_answers_are_counted_though_few_of_their_times_are_remembered() -> None:
    round_trip = RoundTrip()
    for place in range(20_000):
        assert round_trip.answered == place
        round_trip.add_sample(0.01, place / 100)
    assert len(round_trip._answers) < 10_000
