"""router/decide/segments.py: the parts of a long message find each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide.segments import KEPT_S, LIVES_S, Groups
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
        text: bytes = b"",
        now: float = 0.0,
    ) -> Group:
        part = Part(reference, total, number)
        text = text or b"text %d" % number
        return self.groups.join(account, source, destination, part, text, to_telia, now)

    def rejoin(self, number: int = 1, *, text: bytes = b"", at: float, now: float) -> Group:
        fetched = message(number, plan=TO_ELISA)
        fetched.source_octets, fetched.destination_octets = FROM, TO
        fetched.accepted_at = at
        text = text or b"text %d" % number
        return self.groups.rejoin(fetched, Part(7, 3, number), text, now)


def test_first_part_decides_the_plan_of_all() -> None:
    groups = Groups()
    one = groups.join(BANK, FROM, TO, Part(7, 3, 2), b"2", lambda: TO_ELISA, 0.0)
    assert one.plan is TO_ELISA
    assert groups.join(BANK, FROM, TO, Part(7, 3, 1), b"1", never, 1.0) is one
    assert groups.join(BANK, FROM, TO, Part(7, 3, 3), b"3", never, 2.0) is one


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


def test_part_that_is_sent_again_belongs_to_the_message_that_has_it() -> None:
    joined = Joined()
    one = joined.join(1)
    assert joined.join(1) is one
    assert [joined.join(number) for number in (2, 2, 3)] == [one] * 3


def test_part_number_that_has_come_with_another_text_begins_a_message() -> None:
    joined = Joined()
    old = joined.join(1)
    new = joined.join(1, text=b"another")
    assert new is not old
    assert [joined.join(number, text=b"more") for number in (2, 3)] == [new] * 2


def test_part_of_the_message_before_that_is_sent_again_belongs_to_that() -> None:
    joined = Joined()
    old = joined.join(1)
    new = joined.join(1, text=b"another")
    assert joined.join(1) is old
    assert joined.join(2) is new
    third = joined.join(1, text=b"a third")
    assert joined.join(1, text=b"another") is new
    assert joined.join(1) not in (old, new, third)  # Only the one before the latest is known.


def test_after_the_last_part_the_reference_is_free() -> None:
    joined = Joined()
    one, *_ = [joined.join(number) for number in (3, 1, 2)]
    another = joined.join(3)
    assert another is not one
    assert joined.join(1) is another


def test_reference_is_free_when_none_has_come_for_a_minute() -> None:
    joined = Joined()
    one = joined.join(1)
    assert joined.join(2, now=LIVES_S) is one
    assert joined.join(2, now=2 * LIVES_S) is one  # A client that is still at it.
    assert joined.join(3, now=3 * LIVES_S + 1.0) is not one


def test_old_ones_are_forgotten_while_new_ones_come() -> None:
    joined = Joined()
    for reference in range(100):
        joined.join(1, reference=reference)
    for reference in range(200, 260):
        joined.join(1, reference=reference, now=KEPT_S + 1.0)
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
    one, *_ = [joined.join(number) for number in (1, 2, 3)]
    assert joined.rejoin(2, at=0.0, now=5000.0) is one
    assert joined.join(2, text=b"another", now=5001.0) is not one
    assert joined.rejoin(2, at=0.0, now=5002.0) is one


def test_fetched_part_of_a_forgotten_message_begins_it_anew() -> None:
    joined = Joined()
    one = joined.rejoin(1, at=0.0, now=100.0)
    assert one.plan is TO_ELISA
    assert joined.rejoin(2, at=1.0, now=300.0) is one


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("apart_s", [1.0, LIVES_S + 1.0])
def test_fetched_parts_of_two_messages_are_told_apart(backwards: bool, apart_s: float) -> None:
    """One lacks a part. Queues are read oldest first, or taken up newest first."""
    numbers = (1, 2, 3) if apart_s < LIVES_S else (3, 1, 2)
    kept = [(1, b"", 0.0), (2, b"", 0.0)]
    kept += [(number, b"new %d" % number, apart_s) for number in numbers]
    joined = Joined()
    found: dict[float, set[Group]] = {}
    for number, text, at in reversed(kept) if backwards else kept:
        found.setdefault(at, set()).add(joined.rejoin(number, text=text, at=at, now=1000.0))
    (old,), (new,) = found[0.0], found[apart_s]
    assert old is not new


def test_part_that_comes_after_a_restart_joins_those_that_were_fetched() -> None:
    joined = Joined()
    one = joined.rejoin(1, at=-20.0, now=0.0)
    assert joined.join(2, now=30.0) is one
    assert joined.join(3, now=30.0 + LIVES_S + 1.0) is not one


def test_fetched_part_of_an_old_message_does_not_catch_what_comes_now() -> None:
    joined = Joined()
    new = joined.join(1, now=1000.0)
    old = joined.rejoin(1, text=b"old", at=10.0, now=1001.0)
    assert joined.join(2, now=1002.0) is new
    assert joined.rejoin(2, text=b"old", at=10.0, now=1003.0) is old


@given(st.permutations([(reference, n) for reference in range(4) for n in (1, 2, 3)]))
def test_any_order_of_parts_makes_the_same_messages(parts: list[tuple[int, int]]) -> None:
    joined = Joined()
    found: dict[int, set[int]] = {}
    for reference, number in parts:
        found.setdefault(reference, set()).add(id(joined.join(number, reference=reference)))
    assert all(len(ids) == 1 for ids in found.values())
    assert len(set().union(*found.values())) == 4
