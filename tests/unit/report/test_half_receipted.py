"""router/report/half_receipted.py: one receipt for all parts is told from one that is late."""

from router.report.half_receipted import FEWEST, LASTS_S, MOST, PATIENCE_S, HalfReceipted
from router.terms.group import Group
from tests.unit.messages import TO_TELIA

APART_S = LASTS_S / (FEWEST - 1)
"""So many seconds lie between messages of which the last completes the pattern."""


def group(expected: int = 1) -> Group:
    """A long message after the receipt of one part: so many others have none."""
    one = Group(TO_TELIA, 3)
    one.expected = expected
    return one


def after(count: int, apart_s: float, expected: int = 1) -> HalfReceipted:
    """So many messages with the receipt of one part, and enough time for the others."""
    half = HalfReceipted()
    for number in range(count):
        half.came(group(expected), number * apart_s)
    half.look(count * apart_s + PATIENCE_S)
    return half


def test_many_messages_over_some_time_are_a_pattern() -> None:
    half = after(FEWEST, APART_S)
    assert (half.count, half.is_pattern) == (FEWEST, True)


def test_fewer_messages_or_all_at_once_are_none() -> None:
    for half in (after(FEWEST - 1, APART_S * 2), after(10 * FEWEST, APART_S / 20)):
        assert not half.is_pattern
    assert half.count == 10 * FEWEST


def test_parts_that_expect_no_receipt_are_none() -> None:
    half = after(FEWEST, APART_S, expected=0)
    assert (half.count, half.is_pattern) == (0, False)


def test_other_parts_have_their_time() -> None:
    half, one = HalfReceipted(), group()
    half.came(one, 10.0)
    half.look(10.0 + PATIENCE_S - 0.1)
    assert half.count == 0
    half.came(one, 10.0 + PATIENCE_S - 0.1)
    half.look(10.0 + PATIENCE_S)
    assert half.count == 0


def test_receipts_of_two_parts_begin_the_count_anew_even_if_late() -> None:
    half, late = HalfReceipted(), group()
    half.came(late, 0.0)
    for number in range(1, FEWEST - 1):
        half.came(group(), number * APART_S)
    half.look(FEWEST * APART_S + PATIENCE_S)
    half.came(late, FEWEST * APART_S + PATIENCE_S)
    at_s = 2 * FEWEST * APART_S + PATIENCE_S
    for number in range(FEWEST - 1):
        half.came(group(), at_s + number * APART_S * 2)
    half.look(2 * at_s + 2 * LASTS_S)
    assert not half.is_pattern
    half.came(group(), 3 * at_s + 2 * LASTS_S)
    half.look(4 * at_s + 2 * LASTS_S)
    assert half.is_pattern
    one = group()
    half.came(one, 5 * at_s)
    half.came(one, 5 * at_s)
    assert not half.is_pattern


def test_of_many_messages_at_once_some_are_watched() -> None:
    assert after(MOST + 5, 0.0).count == MOST
