"""router/enqueue/lanes.py: other operators pull what has waited too long for a slot of the first.

How fast a backlog goes then, under any load: tests/property/test_overflow.py.
"""

from collections.abc import Mapping, Sequence

from router.enqueue.lanes import LOOK_EVERY_S, Lanes
from router.enqueue.ramp_up import RampUp
from router.terms.message import Message
from router.terms.names import LaneName, OperatorName
from router.terms.plan import Plan, Plans
from router.terms.queue_key import REQUEUED, STAYING, QueueKey
from router.terms.settings import AccountSettings, LaneSettings
from router.terms.states import ACCEPTING, QUEUE, WRITE
from tests.unit.messages import BANK, BULK, OTP, SHOP
from tests.unit.messages import message as new_message

NEVER = float("inf")
A, B, C, D = (OperatorName(name) for name in "abcd")
PLANS = Plans()
AB, ABC, ABCD = PLANS.of((A, B)), PLANS.of((A, B, C)), PLANS.of((A, B, C, D))
LANES = (LaneSettings(name=OTP, failover_after_s=2.0), LaneSettings(name=BULK))
ACCOUNTS = {
    name: AccountSettings(name=name, passwords=("x",), lane=OTP, weight=1) for name in (BANK, SHOP)
}


def lanes_of(
    *up: OperatorName,
    settings: Sequence[LaneSettings] = LANES,
    ramps_s: Mapping[OperatorName, float] | None = None,
) -> Lanes:
    lanes = Lanes(settings, ACCOUNTS, RampUp(ramps_s or {}, 0.0))
    for operator in up:
        lanes.set_available(operator, True, 0.0)
    return lanes


def message(
    number: int, at: float = 0.0, plan: Plan = AB, lane: LaneName = OTP, *, sends: int = 0
) -> Message:
    """A message that was accepted then."""
    one = new_message(number, plan=plan, lane=lane)
    one.accepted_at = one.waits_since = at
    one.writes = sends
    return one


def pull(lanes: Lanes, operator: OperatorName) -> int | None:
    """The number of the message that the operator is given now."""
    one = lanes.pull(operator, 0.0, [])
    return None if one is None else one.router_id


def in_hand(one: Message) -> Message:
    """The message as an operator has it that has not answered."""
    if one.state is ACCEPTING:
        one.enter(QUEUE)
    one.enter(WRITE)
    one.writes += 1
    return one


# When.


def test_other_operator_pulls_when_the_first_message_has_waited_long_enough() -> None:
    lanes = lanes_of(A, B)
    assert lanes.put(message(1, 10.0)) == (A,)
    assert lanes.wake_at() == 12.0
    assert list(lanes.wake(11.999)) == []
    assert pull(lanes, B) is None
    assert list(lanes.wake(12.0)) == [B]
    assert pull(lanes, B) == 1


def test_the_nearest_of_several_pulls_first_and_the_last_when_the_time_is_over() -> None:
    lanes = lanes_of(A, B, C, D)
    for number in range(9):
        lanes.put(message(number, 100.0, ABCD))
    told = []
    while (at := lanes.wake_at()) < NEVER:
        told.append((round(at, 3), sorted(lanes.wake(at))))
    assert told == [(101.867, [B]), (101.933, [B, C]), (102.0, [B, C, D])]
    assert [pull(lanes, one) for one in (D, C, B, A)] == [0, 1, 2, 3]


def test_helper_takes_no_message_that_has_not_waited_so_long_itself() -> None:
    lanes = lanes_of(A, B)
    lanes.put(message(1, 10.0))
    lanes.put(message(2, 10.5))
    assert list(lanes.wake(12.0)) == [B]
    assert pull(lanes, B) == 1
    assert pull(lanes, B) is None
    assert lanes.wake_at() == 12.5
    assert list(lanes.wake(12.5)) == [B]
    assert pull(lanes, B) == 2


def test_small_excess_goes_to_the_nearest_only() -> None:
    lanes = lanes_of(A, B, C)
    taken = {A: 0, B: 0, C: 0}
    lanes.put(message(0, 0.0, ABC))
    for tick in range(1, 4000):  # 100 each second come, A takes 50 and B as many as it gets.
        now = tick / 100
        lanes.put(message(tick, now, ABC))
        told = set(lanes.wake(now)) if now >= lanes.wake_at() else set()
        if tick % 2:
            taken[A] += pull(lanes, A) is not None
        for operator in sorted(told, reverse=True):  # Even if the far one is asked first.
            while pull(lanes, operator) is not None:
                taken[operator] += 1
    assert taken[C] == 0
    assert taken[B] > 1800


def test_queues_are_looked_through_no_more_often_than_need_be() -> None:
    lanes = lanes_of(A, B)
    for number in range(100):
        lanes.put(message(number, 10.0 + number / 1000))
    looks = 0
    while (at := lanes.wake_at()) < NEVER:
        looks += 1
        for operator in lanes.wake(at):
            while pull(lanes, operator) is not None:
                pass
    assert looks <= 1 + 0.1 / LOOK_EVERY_S + 1


def test_lane_without_the_setting_wakes_nobody() -> None:
    lanes = lanes_of(A, B)
    lanes.put(message(1, lane=BULK))
    assert lanes.wake_at() == NEVER
    assert list(lanes.wake(1e6)) == []
    assert pull(lanes, B) is None


def test_plan_with_one_operator_wakes_nobody() -> None:
    lanes = lanes_of(A, B)
    lanes.put(message(1, plan=PLANS.of((A,))))
    assert lanes.wake_at() == NEVER


def test_queue_that_was_helped_and_emptied_is_helped_again_only_after_the_time() -> None:
    lanes = lanes_of(A, B)
    lanes.put(message(1))
    assert list(lanes.wake(2.0)) == [B]
    assert pull(lanes, A) == 1
    lanes.put(message(2, 3.0))
    assert pull(lanes, B) is None
    assert list(lanes.wake(lanes.wake_at())) == [B]
    assert pull(lanes, B) == 2


# Who.


def test_operator_that_comes_up_meanwhile_helps_at_once() -> None:
    lanes = lanes_of(A)
    lanes.put(message(1))
    assert lanes.wake_at() == NEVER
    assert lanes.set_available(B, True, 5.0) == {B}
    assert pull(lanes, B) == 1


def test_operator_that_is_down_is_not_among_the_others() -> None:
    lanes = lanes_of(A, C)
    lanes.put(message(1, plan=ABC))
    assert lanes.wake_at() == 2.0
    assert list(lanes.wake(2.0)) == [C]
    lanes.set_available(C, False, 2.1)
    assert pull(lanes, C) is None
    assert pull(lanes, A) == 1


def test_message_that_its_operator_may_have_is_pulled_by_no_other_while_that_is_up() -> None:
    lanes = lanes_of(A, B)
    lanes.set_up(A, True)
    one = in_hand(message(1))
    one.reroute(AB, STAYING)
    one.doubt()
    lanes.put_first(one)
    assert lanes.wake_at() == NEVER
    assert list(lanes.wake(9.0)) == []
    assert pull(lanes, B) is None
    lanes.set_up(A, False)
    lanes.set_available(A, False, 9.0)
    assert pull(lanes, B) == 1


def test_helpers_that_are_done_with_one_account_leave_the_turn_to_others() -> None:
    lanes = lanes_of(A, B)
    lanes.put(message(1))
    other = message(2, 0.0, PLANS.of((B,)))
    other.account = SHOP
    lanes.put(other)
    list(lanes.wake(2.0))
    assert [pull(lanes, B), pull(lanes, B), pull(lanes, B)] == [2, 1, None]


def test_operator_that_is_passed_over_for_a_while_still_helps() -> None:
    single = (LaneSettings(name=OTP, failover_after_s=2.0),)
    lanes = lanes_of(B, settings=single, ramps_s={A: 30.0})
    lanes.set_available(A, True, 100.0)
    list(lanes.wake(100.5))  # Passed over for most of each second: it has just come back.
    lanes.put(message(1, 100.5))
    assert pull(lanes, A) is None
    list(lanes.wake(102.5))
    assert pull(lanes, A) == 1


# What counts.


def test_delay_that_an_operator_asked_for_is_no_waiting() -> None:
    lanes = lanes_of(A, B)
    lanes.delays.delay(in_hand(message(1)), 30.0)
    assert list(lanes.wake(30.0)) == [A]
    assert pull(lanes, B) is None
    assert lanes.wake_at() == 32.0
    assert list(lanes.wake(32.0)) == [B]
    assert pull(lanes, B) == 1


def test_delay_for_want_of_a_slot_is_waiting() -> None:
    lanes = lanes_of(A, B)
    lanes.delays.delay(in_hand(message(1)), 3.0, counts=True)
    assert set(lanes.wake(3.0)) == {A, B}
    assert pull(lanes, B) == 1


def test_message_whose_delay_ends_early_waits_from_then() -> None:
    lanes = lanes_of(A, B, C)
    one = in_hand(message(1, plan=ABC))
    one.operator = A
    lanes.delays.delay(one, 30.0)
    lanes.set_available(A, False, 10.0)
    assert lanes.release_delayed(A, 10.0) == {B}
    assert lanes.wake_at() == 12.0
    assert list(lanes.wake(12.0)) == [C]


def test_delayed_message_hides_no_other_that_has_waited_long_enough() -> None:
    lanes = lanes_of(A, B)
    lanes.put(message(1))
    lanes.put(message(2))
    assert pull(lanes, A) == 1
    late = message(1)
    lanes.delays.delay(in_hand(late), 2.0)
    assert set(lanes.wake(2.0)) == {A, B}
    assert late.queue_kind is REQUEUED
    assert pull(lanes, B) == 2
    assert pull(lanes, B) is None
    assert pull(lanes, A) == 1


def test_message_that_comes_back_keeps_its_age() -> None:
    lanes = lanes_of(A, B)
    assert lanes.put_first(in_hand_and_back(message(1), lanes)) == (A,)
    assert lanes.wake_at() == 2.0
    assert list(lanes.wake(2.0)) == [B]


def in_hand_and_back(one: Message, lanes: Lanes) -> Message:
    """A message that its operator has not taken."""
    lanes.put(one)
    assert pull(lanes, A) == one.router_id
    return in_hand(one)


def test_message_that_comes_back_may_be_helped_with_before_those_that_came_later() -> None:
    lanes = lanes_of(A, B)
    old = in_hand_and_back(message(1, 5.0), lanes)
    list(lanes.wake(9.0))
    lanes.put(message(2, 9.5))
    assert lanes.wake_at() == 11.5
    lanes.put_first(old)
    assert set(lanes.wake(lanes.wake_at())) == {B}
    assert [pull(lanes, B), pull(lanes, B)] == [1, None]


def test_young_message_before_old_ones_does_not_hide_how_long_they_have_waited() -> None:
    lanes = lanes_of(A, B)
    young = in_hand_and_back(message(1, 1.9), lanes)
    lanes.put(message(2))
    list(lanes.wake(2.0))
    assert set(lanes.put_first(young)) == {A, B}
    assert [pull(lanes, B), pull(lanes, B)] == [1, 2]
    assert young.accepted_at == 1.9


def test_scheduled_message_waits_from_its_time() -> None:
    lanes = lanes_of(A, B)
    one = message(1)
    one.not_before_utc = one.accepted_utc + 100.0
    lanes.put(one)
    assert list(lanes.wake(2.0)) == []
    assert lanes.wake_at() == NEVER
    assert lanes.begin(one.not_before_utc) == {A}
    assert lanes.wake_at() == 102.0


# The journal.


def test_messages_that_the_journal_brings_are_helped_with() -> None:
    lanes = lanes_of(A, B)
    lanes.restore(QueueKey(AB, OTP, BANK), 2)
    (queue,) = lanes.needs_fetch
    assert list(lanes.wake(5.0)) == []
    assert lanes.fetched(queue, [message(1), message(2)]) == (A,)
    assert lanes.wake_at() <= 5.0 + LOOK_EVERY_S
    assert list(lanes.wake(5.1)) == [B]
    assert pull(lanes, B) == 1


def test_helper_is_told_when_the_journal_brings_more() -> None:
    lanes = lanes_of(A, B)
    lanes.put(message(1))
    lanes.restore(QueueKey(AB, OTP, BANK), 1)
    (queue,) = lanes.needs_fetch
    list(lanes.wake(2.0))
    assert [pull(lanes, B), pull(lanes, B)] == [1, None]
    assert lanes.fetched(queue, [message(2)]) == (A, B)
    assert pull(lanes, B) == 2


# Another configuration.


def test_shorter_time_is_followed_by_what_waits() -> None:
    lanes = lanes_of(A, B)
    lanes.put(message(1))
    shorter = (LaneSettings(name=OTP, failover_after_s=1.0), LANES[1])
    assert lanes.adopt(shorter, ACCOUNTS, {}, 1.5) == {B}
    assert pull(lanes, B) == 1


def test_longer_time_is_followed_by_what_waits() -> None:
    lanes = lanes_of(A, B)
    lanes.put(message(1))
    longer = (LaneSettings(name=OTP, failover_after_s=5.0), LANES[1])
    assert lanes.adopt(longer, ACCOUNTS, {}, 1.5) == set()
    assert list(lanes.wake(2.0)) == []
    assert lanes.wake_at() == 5.0


def test_lane_that_overflows_no_more_wakes_nobody_for_long() -> None:
    lanes = lanes_of(A, B)
    lanes.put(message(1))
    lanes.adopt((LaneSettings(name=OTP), LANES[1]), ACCOUNTS, {}, 1.0)
    assert list(lanes.wake(2.0)) == []
    assert lanes.wake_at() == NEVER
