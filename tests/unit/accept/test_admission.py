"""router/accept/admission.py: let in, held for a moment, or refused; and nothing leaks."""

from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.accept.accounts import Account
from router.accept.admission import (
    LONGEST_HOLD_S,
    MOST_HELD,
    MOST_HELD_OCTETS,
    MOST_UNANSWERED_OCTETS,
    NEVER,
    Admission,
)
from router.accept.rooms import Rooms
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu
from router.terms.limits import Rate
from router.terms.names import AccountName, LaneName
from router.terms.outcome import JOURNAL_BEHIND, QUEUE_FULL, THROTTLED, Refusal
from router.terms.settings import AccountSettings

NOW: Final = 1000.0
HAIR_S: Final = 1e-6


class Places(Rooms):
    """Where messages wait; knows how many places are free."""

    def __init__(self, free: int) -> None:
        super().__init__({})
        self.free = free

    def take(self, account: AccountName, octets: int) -> bool:
        assert account == "bank"
        if not self.free:
            return False
        self.free -= 1
        return True

    def give(self, account: AccountName, octets: int) -> None:
        assert account == "bank"
        self.free += 1


class Gate:
    """An account with one session, and what has become of its PDUs."""

    def __init__(
        self,
        rate: Rate | None = None,
        burst: int | None = None,
        window: int = 100,
        room: int = 10_000,
    ) -> None:
        settings = AccountSettings(
            name=AccountName("bank"),
            passwords=("secret01",),
            lane=LaneName("urgent"),
            rate=rate,
            burst=burst,
            window=window,
        )
        self.account = Account(settings, NOW)
        self.places = Places(room)
        self.admission = Admission(self.account, self.places)

    def judge(self, number: int, now: float = NOW, octets: int = 60) -> Refusal | bool | None:
        return self.admission.judge(pdu(number, octets), now)

    def release(self, now: float) -> list[tuple[int, Refusal | None]]:
        """Sequence numbers and what they were told."""
        released = self.admission.wake(now)
        return [(one.sequence_number, refusal) for one, refusal, _ in released]


def pdu(number: int, octets: int = 60) -> Pdu:
    return Pdu(v.SUBMIT_SM, 0, number, bytes(octets))


def full_window() -> Gate:
    """PDU 1 is in and fills the window."""
    gate = Gate(window=1)
    assert gate.judge(1) is True
    return gate


def no_room() -> Gate:
    return Gate(room=0)


def spent_rate() -> Gate:
    """PDU 1 is in; the next token is there in a minute."""
    gate = Gate(rate=Rate(1, 60.0))
    assert gate.judge(1) is True
    return gate


def test_account_without_rate_is_let_in_up_to_its_window() -> None:
    gate = Gate(window=3)
    assert [gate.judge(number) for number in range(1, 5)] == [True, True, True, None]


def test_burst_goes_in_at_once() -> None:
    gate = Gate(rate=Rate(10, 1.0), burst=4)
    assert [gate.judge(number) for number in range(1, 7)] == [True] * 4 + [None] * 2
    assert gate.admission.held == 2


def test_burst_is_one_unit_of_the_rate_where_nothing_is_said() -> None:
    gate = Gate(rate=Rate(3, 1.0))
    assert [gate.judge(number) for number in range(1, 5)] == [True, True, True, None]


def test_what_is_over_the_rate_goes_in_later_in_its_order_and_at_the_rate() -> None:
    gate = Gate(rate=Rate(10, 1.0), burst=1)
    for number in range(1, 7):
        gate.judge(number)
    went: list[tuple[int, float]] = []
    while gate.admission.held:
        at = gate.admission.wake_at()
        released = gate.release(at)
        assert released, "called in vain"
        assert all(refusal is None for _, refusal in released)
        went += [(number, at) for number, _ in released]
    assert [number for number, _ in went] == [2, 3, 4, 5, 6]
    assert [at - NOW for _, at in went] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5], abs=HAIR_S)
    assert gate.admission.wake_at() == NEVER


def test_nobody_overtakes_what_is_held() -> None:
    gate = full_window()
    assert gate.judge(2) is None
    gate.admission.answered(60)
    assert gate.judge(3) is None
    assert gate.release(NOW) == [(2, None)]
    gate.admission.answered(60)
    assert gate.release(NOW) == [(3, None)]
    assert gate.judge(4) is None


@pytest.mark.parametrize(
    ("gate", "refusal", "status"),
    [
        pytest.param(full_window, THROTTLED, 0x58, id="window"),
        pytest.param(no_room, QUEUE_FULL, 0x14, id="room"),
        pytest.param(spent_rate, THROTTLED, 0x58, id="rate"),
    ],
)
def test_held_pdu_is_refused_after_a_second_with_what_stands_against_it(
    gate: Callable[[], Gate], refusal: Refusal, status: int
) -> None:
    stopped = gate()
    assert stopped.judge(2) is None
    assert stopped.release(NOW + LONGEST_HOLD_S - HAIR_S) == []
    assert stopped.admission.wake_at() <= NOW + LONGEST_HOLD_S
    assert stopped.release(NOW + LONGEST_HOLD_S) == [(2, refusal)]
    assert refusal.status == status
    assert stopped.admission.held == 0
    assert stopped.admission.wake_at() == NEVER


def test_nobody_is_held_for_longer_than_a_second() -> None:
    assert LONGEST_HOLD_S == 1.0


def test_each_pdu_has_its_own_second() -> None:
    gate = spent_rate()
    gate.judge(2, NOW)
    gate.judge(3, NOW + 0.4)
    assert gate.release(NOW + 1.0) == [(2, THROTTLED)]
    assert gate.admission.wake_at() == pytest.approx(NOW + 1.4)
    assert gate.release(NOW + 1.4) == [(3, THROTTLED)]


def test_pdu_that_can_go_in_at_its_last_moment_goes_in() -> None:
    gate = full_window()
    gate.judge(2)
    gate.admission.answered(60)
    assert gate.release(NOW + 5.0) == [(2, None)]


def test_arrival_of_a_held_pdu_is_told() -> None:
    gate = full_window()
    gate.judge(2, NOW + 0.25)
    gate.admission.answered(60)
    assert [at for _, _, at in gate.admission.wake(NOW + 0.5)] == pytest.approx([NOW + 0.25])


# When to look again.


def test_answer_calls_for_a_look_at_once() -> None:
    gate = full_window()
    gate.judge(2)
    assert gate.admission.wake_at() == NOW + LONGEST_HOLD_S
    gate.admission.answered(60)
    assert gate.admission.wake_at() <= NOW
    assert gate.release(NOW) == [(2, None)]


def test_answer_calls_for_no_look_if_nothing_is_held() -> None:
    gate = full_window()
    gate.admission.answered(60)
    assert gate.admission.wake_at() == NEVER


def test_room_is_looked_for_often() -> None:
    gate = no_room()
    gate.judge(1)
    assert NOW < gate.admission.wake_at() <= NOW + 0.05
    gate.places.free = 1
    assert gate.release(gate.admission.wake_at()) == [(1, None)]


# What is taken and given back.


def test_full_window_takes_neither_room_nor_token() -> None:
    gate = Gate(rate=Rate(2, 60.0), window=1)
    assert gate.judge(1) is True
    free = gate.places.free
    gate.judge(2)
    gate.release(NOW)
    assert gate.places.free == free
    gate.admission.answered(60)
    assert gate.release(NOW) == [(2, None)]


def test_spent_rate_takes_no_room_and_no_place_in_the_window() -> None:
    gate = Gate(rate=Rate(1, 0.5), window=2, room=2)
    assert gate.judge(1) is True
    assert gate.judge(2) is None
    assert gate.release(NOW + 0.1) == []
    assert gate.places.free == 1
    assert gate.release(NOW + 0.6) == [(2, None)]
    assert gate.places.free == 0


def test_want_of_room_takes_no_token() -> None:
    gate = Gate(rate=Rate(1, 60.0), room=0)
    gate.judge(1)
    gate.release(NOW + 0.1)
    gate.places.free = 1
    assert gate.release(NOW + 0.2) == [(1, None)]


def test_refused_pdu_has_nothing_of_the_window_or_of_the_room() -> None:
    gate = Gate(rate=Rate(1, 10.0), window=2, room=2)
    gate.judge(1)
    gate.judge(2)
    assert gate.release(NOW + 1.0) == [(2, THROTTLED)]
    assert gate.places.free == 1
    assert gate.judge(3, NOW + 10.1) is True


def test_sessions_of_one_account_share_its_rate_and_not_its_window() -> None:
    gate = Gate(rate=Rate(3, 60.0), window=2)
    other = Admission(gate.account, gate.places)
    assert [gate.judge(number) for number in (1, 2)] == [True, True]
    assert other.judge(pdu(1), NOW) is True
    assert other.judge(pdu(2), NOW) is None


# Bounds.


def test_no_more_than_a_bounded_number_is_held() -> None:
    gate = full_window()
    assert [gate.judge(number, octets=20) for number in range(MOST_HELD)] == [None] * MOST_HELD
    assert gate.judge(0, octets=20) is THROTTLED
    assert gate.admission.held == MOST_HELD


def test_no_more_than_a_bounded_number_of_octets_is_held() -> None:
    gate = full_window()
    assert gate.judge(2, octets=MOST_HELD_OCTETS - 60) is None
    assert gate.judge(3, octets=61) is THROTTLED
    assert gate.judge(4, octets=60) is None
    assert gate.judge(5, octets=16) is THROTTLED


def test_pdu_that_is_too_long_to_be_held_hears_what_stands_against_it() -> None:
    gate = no_room()
    assert gate.judge(1, octets=MOST_HELD_OCTETS + 1) is QUEUE_FULL
    assert gate.admission.held == 0


def test_octets_of_what_is_no_longer_held_are_free() -> None:
    gate = full_window()
    for number in range(3):
        at = NOW + 10.0 * number
        assert gate.judge(number, at, octets=MOST_HELD_OCTETS) is None
        assert gate.release(at + LONGEST_HOLD_S) == [(number, THROTTLED)]


def test_forgotten_pdus_are_counted_and_gone() -> None:
    gate = full_window()
    free = gate.places.free
    gate.judge(2, octets=MOST_HELD_OCTETS - 60)
    gate.judge(3)
    assert gate.admission.forget() == 2
    assert gate.admission.held == 0
    assert gate.admission.wake_at() == NEVER
    assert gate.release(NOW + 10.0) == []
    assert gate.places.free == free
    assert gate.admission.forget() == 0
    assert gate.judge(4, octets=MOST_HELD_OCTETS) is None


# Whatever happens.

HAPPENS: Final = st.one_of(
    st.just("submit"), st.just("answer"), st.just("leave"), st.floats(0.001, 0.7)
)


@given(
    happens=st.lists(HAPPENS, max_size=60),
    window=st.integers(1, 4),
    room=st.integers(1, 5),
    rate=st.none() | st.builds(Rate, st.integers(1, 20), st.just(1.0)),
    burst=st.integers(1, 3),
)
def test_room_window_and_tokens_balance_and_order_holds_whatever_happens(
    happens: list[str | float], window: int, room: int, rate: Rate | None, burst: int
) -> None:
    gate = Gate(rate, burst, window, room)
    now, unanswered, waiting, number = NOW, 0, 0, 0
    let_in: list[int] = []
    told: list[int] = []
    arrived: dict[int, float] = {}
    for event in [*happens, 2.0]:
        new: list[int] = []
        if event == "submit":
            number += 1
            arrived[number] = now
            verdict = gate.judge(number, now)
            assert verdict is None or verdict is True
            new = [number] if verdict else []
            told += new
        elif event == "answer" and unanswered:
            gate.admission.answered(60)
            unanswered -= 1
        elif event == "leave" and waiting:  # A message has gone to an operator.
            gate.places.give(AccountName("bank"), 60)
            waiting -= 1
        elif isinstance(event, float):
            now += event
        if gate.admission.wake_at() <= now:
            for one, refusal in gate.release(now):
                told.append(one)
                if refusal is None:
                    new.append(one)
                else:
                    assert now - arrived[one] >= LONGEST_HOLD_S
        let_in += new
        unanswered += len(new)
        waiting += len(new)
        assert unanswered <= window
        assert gate.places.free == room - waiting >= 0
        if rate is not None:
            assert len(let_in) <= burst + (now - NOW) * rate.per_second + HAIR_S
    assert told == list(range(1, number + 1))
    assert gate.admission.held == 0


# A new configuration.


@pytest.mark.parametrize(
    ("before", "after", "let_in"),
    [
        ({"window": 1}, {"window": 3}, [True, True, None]),
        ({"window": 3}, {"window": 1}, [None]),
        ({"rate": Rate(1, 60.0)}, {}, [True, True]),
        ({"rate": Rate(1, 60.0)}, {"rate": Rate(1, 60.0), "burst": 9}, [None]),
        ({}, {"rate": Rate(2, 60.0)}, [True, True, None]),
    ],
)
def test_session_follows_new_settings_of_its_account(
    before: dict[str, Any], after: dict[str, Any], let_in: list[bool | None]
) -> None:
    gate = Gate(**before)
    assert gate.judge(0) is True
    gate.account.adopt(Gate(**after).account.settings, NOW)
    assert [gate.judge(number) for number in range(1, len(let_in) + 1)] == let_in


@pytest.mark.parametrize("after", [{}, {"rate": Rate(9, 1.0)}, {"window": 9}])
def test_what_is_held_goes_by_new_settings_within_its_second(after: dict[str, Any]) -> None:
    gate = Gate(rate=Rate(1, 60.0), window=1) if "window" not in after else Gate(window=1)
    assert gate.judge(0) is True
    gate.admission.answered(60)
    if "window" in after:
        assert gate.judge(8) is True
    assert gate.judge(1) is None
    gate.account.adopt(Gate(**after).account.settings, NOW)
    assert gate.admission.wake_at() <= NOW + LONGEST_HOLD_S
    assert gate.release(gate.admission.wake_at()) == [(1, None)]


# What the journal does not have yet.


def test_octets_that_are_not_answered_are_limited_over_all_sessions_of_an_account() -> None:
    gate = Gate(window=1000)
    other = Admission(gate.account, gate.places)
    large = MOST_UNANSWERED_OCTETS // 4
    assert [gate.judge(number, octets=large) for number in range(4)] == [True] * 4
    assert other.judge(pdu(4), NOW) is None
    assert gate.places.free == 10_000 - 4
    gate.admission.answered(large)
    ((held, refusal, _),) = other.wake(other.wake_at())
    assert (held.sequence_number, refusal) == (4, None)
    assert other.wake_at() == NEVER


def test_a_disk_that_is_behind_for_long_is_told_as_such() -> None:
    gate = Gate()
    assert gate.judge(1, octets=MOST_UNANSWERED_OCTETS) is True
    assert gate.judge(2) is None
    late = NOW + LONGEST_HOLD_S
    assert gate.release(late) == [(2, JOURNAL_BEHIND)]
    gate.admission.answered(MOST_UNANSWERED_OCTETS)
    assert gate.judge(3, late) is True


def test_what_is_kept_with_other_octets_is_answered_with_those() -> None:
    gate = Gate()
    assert gate.judge(1, octets=100) is True
    gate.admission.resize(-40)
    gate.admission.answered(60)
    assert gate.account.unanswered_octets == 0


def test_what_may_not_be_held_is_refused_at_once_and_leaves_nothing() -> None:
    gate = Gate(window=1)
    one, other = pdu(1, 60), pdu(2, 60)
    assert gate.admission.judge(one, NOW, may_hold=False) is True
    assert gate.admission.judge(other, NOW, may_hold=False) is THROTTLED
    assert (gate.admission.held, gate.admission.wake_at()) == (0, NEVER)
    gate.admission.answered(60)
    assert gate.admission.judge(other, NOW, may_hold=False) is True
