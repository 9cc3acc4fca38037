"""router/decide/segments.py: the parts of a long message find each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide.segments import FORGOTTEN_AFTER_S, Groups
from router.smpp.segments import Part
from router.terms.capacity import Capacity
from router.terms.group import Group
from router.terms.names import AccountName
from router.terms.plan import Plan
from tests.unit.messages import BANK, SHOP, TO_ELISA, TO_TELIA, message

FROM, TO = b"\x05\x00BANK\x00", b"\x01\x01372\x00"


def to_telia() -> Plan:
    return TO_TELIA


def never() -> Plan:
    raise AssertionError("the plan is decided once")


class Joined:
    """Groups, and the usual message."""

    def __init__(self, capacity: Capacity = Capacity()) -> None:
        self.groups = Groups(capacity=capacity)

    def join(
        self,
        number: int = 1,
        *,
        reference: int = 7,
        total: int = 3,
        account: AccountName = BANK,
        source: bytes = FROM,
        destination: bytes = TO,
        now: float = 0.0,
    ) -> Group:
        part = Part(reference, total, number)
        return self.groups.join(account, source, destination, part, to_telia, now)


def test_first_part_decides_the_plan_of_all() -> None:
    groups = Groups()
    one = groups.join(BANK, FROM, TO, Part(7, 3, 2), lambda: TO_ELISA, 0.0)
    assert one.plan is TO_ELISA
    assert groups.join(BANK, FROM, TO, Part(7, 3, 1), never, 1.0) is one
    assert groups.join(BANK, FROM, TO, Part(7, 3, 3), never, 2.0) is one


@pytest.mark.parametrize(
    "other",
    [
        {"reference": 8},
        {"total": 4},
        {"account": SHOP},
        {"source": b"\x05\x00SHOP\x00"},
        {"destination": b"\x01\x01373\x00"},
    ],
)
def test_what_differs_in_one_of_them_is_another_message(other: dict[str, object]) -> None:
    joined = Joined()
    one = joined.join(1)
    assert joined.join(2, **other) is not one  # type: ignore[arg-type]
    assert joined.join(2) is one


def test_part_that_comes_twice_belongs_to_a_message_that_lacks_one() -> None:
    joined = Joined()
    one = joined.join(1)
    assert joined.join(1) is one
    assert joined.join(2) is one
    assert joined.join(2) is one
    assert joined.join(3) is one


def test_after_the_last_part_the_reference_is_free() -> None:
    joined = Joined()
    one, *_ = [joined.join(number) for number in (3, 1, 2)]
    another = joined.join(3)
    assert another is not one
    assert joined.join(1) is another


def test_part_that_was_not_accepted_is_still_awaited() -> None:
    joined = Joined()
    one = joined.join(1, total=2)
    last = message(2)
    last.source_octets, last.destination_octets = FROM, TO
    assert joined.join(2, total=2) is one
    joined.groups.leave(last, Part(7, 2, 2))
    joined.groups.leave(message(3), Part(7, 2, 2))  # Nobody knows it.
    assert joined.join(2, total=2) is one


def test_reference_is_free_when_none_has_come_for_long() -> None:
    joined = Joined()
    one = joined.join(1)
    assert joined.join(2, now=FORGOTTEN_AFTER_S) is one
    assert joined.join(3, now=2 * FORGOTTEN_AFTER_S + 1.0) is not one


def test_old_ones_are_forgotten_while_new_ones_come() -> None:
    joined = Joined()
    for reference in range(100):
        joined.join(1, reference=reference)
    for reference in range(200, 260):
        joined.join(1, reference=reference, now=FORGOTTEN_AFTER_S + 1.0)
    assert len(joined.groups) == 60


def test_no_more_are_kept_than_there_is_room_for() -> None:
    joined = Joined(Capacity(long_messages=10))
    ones = [joined.join(1, reference=reference) for reference in range(12)]
    assert len(joined.groups) == 10
    assert joined.join(2, reference=11) is ones[11]
    assert joined.join(2, reference=0) is not ones[0]
    assert len(joined.groups) == 10


def test_fetched_part_finds_the_others_though_all_have_come() -> None:
    joined = Joined()
    fetched = message(2)
    fetched.source_octets, fetched.destination_octets = FROM, TO
    one, *_ = [joined.join(number) for number in (1, 2, 3)]
    assert joined.groups.rejoin(fetched, Part(7, 3, 2), 5000.0) is one


def test_fetched_part_of_a_forgotten_message_begins_it_anew() -> None:
    fetched, sibling = message(1, plan=TO_ELISA), message(2)
    groups = Groups()
    one = groups.rejoin(fetched, Part(7, 3, 1), 0.0)
    assert one.plan is TO_ELISA
    assert groups.rejoin(sibling, Part(7, 3, 2), 0.0) is one


@given(st.permutations([(reference, n) for reference in range(4) for n in (1, 2, 3)]))
def test_any_order_of_parts_makes_the_same_messages(parts: list[tuple[int, int]]) -> None:
    joined = Joined()
    found: dict[int, set[int]] = {}
    for reference, number in parts:
        found.setdefault(reference, set()).add(id(joined.join(number, reference=reference)))
    assert all(len(ids) == 1 for ids in found.values())
    assert len(set().union(*found.values())) == 4
