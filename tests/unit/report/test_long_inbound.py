"""router/report/long_inbound.py: parts of a subscriber's long message find each other and wait."""

import pytest

from router.report.long_inbound import KNOWN_S, WAITS_S, LongInbound, LongInbounds
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu, Sm
from router.smpp.segments import Part
from router.terms.capacity import Capacity
from router.terms.names import OperatorName
from tests.unit.messages import BANK, ELISA, SHOP, TELIA

FIRST, SECOND, THIRD = Part(7, 3, 1), Part(7, 3, 2), Part(7, 3, 3)
LITTLE = Capacity(inbound_waiting=3, long_inbound=10)


def sm(text: bytes = b"text", source: bytes = b"37255512345", to: bytes = b"12302") -> Sm:
    octets = p.sm(
        v.DELIVER_SM, 7, source=(1, 1, source), destination=(3, 0, to), short_message=text
    )
    return Sm(Pdu(v.DELIVER_SM, 0, 7, octets))


def messages() -> LongInbounds[str]:
    return LongInbounds(LITTLE)


def waits(
    long: LongInbounds[str],
    held: str,
    part: Part = SECOND,
    now: float = 0.0,
    operator: OperatorName = TELIA,
) -> LongInbound[str] | None:
    """A part comes and waits, with its name as its text; return the message that is overdue."""
    message = long.join(operator, sm(held.encode()), part, now)
    return long.wait(message, part.number, held, now)


def test_parts_of_one_message_find_each_other() -> None:
    long = messages()
    message = long.join(TELIA, sm(b"one"), FIRST, 0.0)
    message.decide(BANK)
    assert long.join(TELIA, sm(b"two"), SECOND, 1.0) is message
    assert long.join(TELIA, sm(b"three"), THIRD, 2.0) is message
    assert (message.is_decided, message.account) == (True, BANK)
    assert len(long) == 1


@pytest.mark.parametrize(
    ("operator", "other", "part"),
    [
        (ELISA, sm(), SECOND),
        (TELIA, sm(source=b"37255512346"), SECOND),
        (TELIA, sm(to=b"12303"), SECOND),
        (TELIA, sm(), Part(8, 3, 2)),
        (TELIA, sm(), Part(7, 4, 2)),
    ],
)
def test_part_of_another_message_is_not_taken_for_one_of_this(
    operator: OperatorName, other: Sm, part: Part
) -> None:
    long = messages()
    message = long.join(TELIA, sm(), FIRST, 0.0)
    assert long.join(operator, other, part, 0.0) is not message


def test_part_that_comes_again_belongs_to_the_old_message_however_complete_it_is() -> None:
    long = messages()
    message = long.join(TELIA, sm(b"one"), Part(7, 2, 1), 0.0)
    long.join(TELIA, sm(b"two"), Part(7, 2, 2), 0.0)
    assert long.join(TELIA, sm(b"two"), Part(7, 2, 2), 60.0) is message
    assert long.join(TELIA, sm(b"one"), Part(7, 2, 1), 60.0) is message


@pytest.mark.parametrize("part", [FIRST, SECOND])
def test_part_number_that_came_with_another_text_begins_a_new_message(part: Part) -> None:
    long = messages()
    old = long.join(TELIA, sm(b"old"), part, 0.0)
    new = long.join(TELIA, sm(b"new"), part, 1.0)
    assert new is not old
    assert long.join(TELIA, sm(b"more"), THIRD, 2.0) is new


def test_message_is_known_for_ten_minutes_after_its_latest_part() -> None:
    long = messages()
    message = long.join(TELIA, sm(b"one"), FIRST, 0.0)
    assert long.join(TELIA, sm(b"two"), SECOND, 500.0) is message
    assert long.join(TELIA, sm(b"three"), THIRD, 500.0 + KNOWN_S) is message
    assert long.join(TELIA, sm(b"three"), THIRD, 500.1 + 2 * KNOWN_S) is not message


def test_no_more_messages_are_known_than_may_be_and_the_oldest_go_first() -> None:
    long = messages()
    first = [long.join(TELIA, sm(), Part(number, 2, 1), 0.0) for number in range(10)]
    long.join(TELIA, sm(b"two"), Part(0, 2, 2), 1.0)
    long.join(TELIA, sm(), Part(10, 2, 1), 2.0)
    assert len(long) == 10
    assert long.join(TELIA, sm(b"two"), Part(0, 2, 2), 3.0) is first[0]
    assert long.join(TELIA, sm(b"two"), Part(1, 2, 2), 3.0) is not first[1]
    long.join(TELIA, sm(), Part(99, 2, 1), 3.1 + KNOWN_S)
    assert len(long) == 1


def test_parts_that_wait_are_taken_in_the_order_of_their_numbers_once() -> None:
    long = messages()
    waits(long, "three", THIRD)
    waits(long, "two", SECOND, 1.0)
    assert long.waiting_of(TELIA) == 2
    message = long.join(TELIA, sm(b"one"), FIRST, 2.0)
    assert long.take(message) == ["two", "three"]
    assert long.take(message) == []
    assert long.waiting_of(TELIA) == 0
    assert long.due(10.0) == []


def test_message_is_due_when_its_first_part_to_come_has_waited_long_enough() -> None:
    long = messages()
    waits(long, "three", THIRD, 1.0)
    waits(long, "two", SECOND, 2.0)
    waits(long, "other", Part(8, 3, 2), 3.0)
    assert long.due_at == 1.0 + WAITS_S
    assert long.due(5.9) == []
    (message,) = long.due(6.0)
    assert long.take(message) == ["two", "three"]
    assert long.due_at == 3.0 + WAITS_S
    (other,) = long.due(8.0)
    assert long.take(other) == ["other"]
    assert long.due_at == float("inf")


def test_more_parts_than_may_wait_end_the_wait_of_the_oldest_message_of_their_operator() -> None:
    long = messages()
    waits(long, "elisa's", operator=ELISA)
    assert waits(long, "a2", SECOND) is None
    assert waits(long, "b2", Part(8, 3, 2)) is None
    assert waits(long, "a3", THIRD) is None
    overdue = waits(long, "c2", Part(9, 3, 2))
    assert overdue is not None
    assert long.take(overdue) == ["a2", "a3"]
    assert (long.waiting_of(TELIA), long.waiting_of(ELISA)) == (2, 1)
    assert waits(long, "d2", Part(10, 3, 2)) is None


def test_what_waited_on_a_lost_session_is_forgotten_and_may_come_again() -> None:
    long = messages()
    waits(long, "lost two", SECOND)
    waits(long, "kept three", THIRD, 1.0)
    waits(long, "lost other", Part(8, 3, 2), 1.0)
    long.lose(lambda held: held.startswith("lost"))
    assert long.waiting_of(TELIA) == 1
    waits(long, "lost two", SECOND, 2.0)
    assert long.due(5.0) == []  # The oldest of those that are left came a second later.
    (message,) = long.due(6.0)
    assert long.take(message) == ["lost two", "kept three"]
    assert long.due(100.0) == []


def test_message_that_is_forgotten_is_new_when_it_comes_again() -> None:
    long = messages()
    message = long.join(TELIA, sm(), SECOND, 0.0)
    message.decide(SHOP)
    newer = long.join(TELIA, sm(b"new"), SECOND, 0.0)
    long.forget(message)  # It is not known any more, as its reference is used again.
    assert long.join(TELIA, sm(), FIRST, 0.0) is newer
    long.forget(newer)
    assert long.join(TELIA, sm(), FIRST, 0.0) is not newer
