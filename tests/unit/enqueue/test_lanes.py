"""router/enqueue/lanes.py: which message an operator is given next, and what stays waiting.

Any order of anything, shares and turns under load: tests/property/test_lanes.py.
"""

import pytest

from router.enqueue.feed import Queue
from router.enqueue.lanes import Lanes
from router.smpp import vocabulary as v
from router.terms.capacity import Capacity
from router.terms.message import Message
from router.terms.names import AccountName, ClientId, LaneName, OperatorName, RouterId
from router.terms.plan import Plan, Plans
from router.terms.queue_key import ORDINARY, REQUEUED, STAYING, QueueKey, QueueKind
from router.terms.settings import AccountSettings, LaneSettings
from router.terms.states import QUEUE, SENT, SETTLE, SETTLED, TAKE, MessageEvent

NEVER = float("inf")
TELIA, ELISA = OperatorName("telia"), OperatorName("elisa")
BANK, SHOP = AccountName("bank"), AccountName("shop")
PLANS = Plans()
ONLY_TELIA, TELIA_FIRST, ELISA_FIRST = (
    PLANS.of(candidates) for candidates in [(TELIA,), (TELIA, ELISA), (ELISA, TELIA)]
)
OTP, ALERT, BULK = LaneName("otp"), LaneName("alert"), LaneName("bulk")
LANES = (
    LaneSettings(name=OTP),
    LaneSettings(name=ALERT, min_share=0.25),
    LaneSettings(name=BULK, min_share=0.1),
)
MOST, FEW = 200, 100
LITTLE = Capacity(queue_messages=MOST, queue_refill_below=FEW)
"""A tenth of the usual."""


def lanes_of(up: tuple[OperatorName, ...] = (TELIA,), queue: int = 10_000) -> Lanes:
    accounts = {
        name: AccountSettings(
            name=name, passwords=("x",), lane=LANES[0].name, queue=queue, weight=weight
        )
        for name, weight in ((BANK, 1), (SHOP, 2))
    }
    lanes = Lanes(LANES, accounts, capacity=LITTLE)
    for operator in up:
        lanes.set_available(operator, True, 0.0)
    return lanes


def message(
    number: int,
    plan: Plan = ONLY_TELIA,
    lane: LaneName = OTP,
    account: AccountName = BANK,
    *,
    expires_utc: float = NEVER,
    not_before_utc: float = 0.0,
    sends: int = 0,
    kind: QueueKind = ORDINARY,
) -> Message:
    one = Message(
        router_id=RouterId(number),
        client_id=ClientId(b"%d" % number),
        account=account,
        lane=lane,
        plan=plan,
        command_id=v.SUBMIT_SM,
        octets=b"",
        source_octets=b"",
        destination_octets=b"",
        registered_delivery=0,
        accepted_at=0.0,
        accepted_utc=0.0,
        expires_utc=expires_utc,
        not_before_utc=not_before_utc,
    )
    one.writes = sends
    one.queue_kind = kind
    return one


def taken_off(one: Message) -> Message:
    """The message as an operator has pulled it from its lane."""
    one.enter(QUEUE)
    return one


def pulled(lanes: Lanes, operator: OperatorName = TELIA, count: int = 100) -> list[int]:
    """The ids of the next messages, until there are no more."""
    ids: list[int] = []
    while len(ids) < count and (one := lanes.pull(operator, 0.0, [])) is not None:
        ids.append(one.router_id)
    return ids


# Who goes next.


def test_nobody_is_pulled_by_an_operator_that_never_came() -> None:
    lanes = lanes_of(up=())
    assert lanes.put(message(1)) == ()
    assert pulled(lanes) == []


def test_put_tells_the_best_available_candidate() -> None:
    lanes = lanes_of(up=(ELISA,))
    assert lanes.put(message(1, TELIA_FIRST)) == (ELISA,)
    assert lanes.put(message(2, ONLY_TELIA)) == ()
    lanes.set_available(TELIA, True, 0.0)
    assert lanes.put(message(3, TELIA_FIRST)) == (TELIA,)


def test_most_urgent_lane_goes_first() -> None:
    lanes = lanes_of()
    for number, lane in enumerate([BULK, ALERT, OTP, ALERT, OTP]):
        lanes.put(message(number, lane=lane))
    assert pulled(lanes) == [2, 4, 1, 3, 0]


def test_lower_lane_gets_its_share_while_urgent_ones_wait() -> None:
    lanes = lanes_of()
    for number in range(40):
        lanes.put(message(number, lane=OTP))
        lanes.put(message(1000 + number, lane=ALERT))
    places = [place for place, number in enumerate(pulled(lanes, count=40)) if number >= 1000]
    assert places == list(range(3, 40, 4))


def test_lane_without_a_share_waits_until_the_others_are_empty() -> None:
    lanes = Lanes(
        [LaneSettings(name=OTP), LaneSettings(name=BULK)],
        {BANK: AccountSettings(name=BANK, passwords=("x",), lane=OTP)},
    )
    lanes.set_available(TELIA, True, 0.0)
    for number in range(200):
        lanes.put(message(number, lane=BULK if number < 100 else OTP))
    assert pulled(lanes, count=200) == [*range(100, 200), *range(100)]


def test_share_is_not_saved_up_while_there_is_no_work() -> None:
    lanes = lanes_of()
    for number in range(40):
        lanes.put(message(number, lane=OTP))
    pulled(lanes, count=20)
    for number in range(10):
        lanes.put(message(1000 + number, lane=ALERT))
    assert [number < 1000 for number in pulled(lanes, count=4)] == [True, True, True, False]


def test_lane_that_has_its_share_while_nothing_more_urgent_waits_is_owed_nothing() -> None:
    lanes = lanes_of()
    for number in range(100):
        lanes.put(message(1000 + number, lane=ALERT))
    for number in range(30):
        lanes.put(message(number, lane=OTP))
        assert pulled(lanes, count=3) == [number, *(1000 + 2 * number + place for place in (0, 1))]


def test_share_that_could_not_be_used_is_not_saved_up_for_long() -> None:
    lanes = Lanes(
        [LANES[0], *(LaneSettings(name=name, min_share=0.5) for name in (ALERT, BULK))],
        {BANK: AccountSettings(name=BANK, passwords=("x",), lane=OTP)},
    )
    lanes.set_available(TELIA, True, 0.0)
    for number in range(200):
        for place, lane in enumerate((OTP, ALERT, BULK)):
            lanes.put(message(1000 * place + number, lane=lane))
    order = pulled(lanes, count=100)
    assert sum(number < 1000 for number in order) == 50  # At least every second one.
    assert abs(sum(1000 <= number < 2000 for number in order) - 25) <= 1


def test_message_that_went_to_the_only_operator_waits_for_it_to_come_back() -> None:
    lanes = lanes_of()
    lanes.put(message(1))
    assert lanes.set_available(TELIA, False, 0.0) == set()
    assert pulled(lanes) == []
    assert lanes.put(message(2)) == ()
    assert lanes.set_available(TELIA, True, 0.0) == {TELIA}
    assert pulled(lanes) == [1, 2]


def test_expired_messages_use_up_no_share_and_no_turn() -> None:
    lanes = lanes_of()
    for number in range(20):
        lanes.put(message(number, lane=OTP))
        lanes.put(message(1000 + number, lane=ALERT, expires_utc=50.0 if number < 9 else NEVER))
    expired: list[Message] = []
    order: list[int] = []
    for _ in range(8):
        one = lanes.pull(TELIA, 100.0, expired)
        assert one is not None
        order.append(one.router_id)
    assert len(expired) == 9
    assert [place for place, number in enumerate(order) if number >= 1000] == [3, 7]


def test_after_a_lower_message_an_urgent_one_goes_even_if_one_has_expired_between() -> None:
    lanes = lanes_of()
    for number in range(40):
        lanes.put(message(1000 + number, lane=ALERT))
        lanes.put(message(2000 + number, lane=BULK))
    for number in range(40):
        lanes.put(message(number, expires_utc=50.0 if number % 2 else NEVER))
    lower_before = False
    for _ in range(30):
        one = lanes.pull(TELIA, 100.0, [])
        assert one is not None
        is_lower = one.lane != OTP and any(
            waiting.expires_utc > 100.0
            for queue in lanes.queues()
            if queue.lane == OTP
            for waiting in queue.messages
        )
        assert not (is_lower and lower_before)
        lower_before = is_lower


def test_accounts_take_turns_by_weight() -> None:
    lanes = lanes_of()
    for number in range(10):
        lanes.put(message(number, account=BANK))
        lanes.put(message(100 + number, account=SHOP))
    assert pulled(lanes, count=9) == [0, 100, 101, 1, 102, 103, 2, 104, 105]


def test_account_that_comes_back_gets_a_whole_turn() -> None:
    lanes = lanes_of()
    lanes.put(message(1, account=SHOP))
    assert pulled(lanes) == [1]
    for number in (2, 3, 4):
        lanes.put(message(number, account=SHOP))
    lanes.put(message(5, account=BANK))
    assert pulled(lanes) == [2, 3, 5, 4]


def test_one_account_goes_in_order_over_all_its_plans() -> None:
    lanes = lanes_of()
    for number in range(6):
        lanes.put(message(number, [ONLY_TELIA, TELIA_FIRST, ELISA_FIRST][number % 3]))
    assert pulled(lanes) == [0, 1, 2, 3, 4, 5]


def test_message_that_is_sent_again_goes_first_and_hides_no_older_one() -> None:
    lanes = lanes_of()
    lanes.put(message(3, TELIA_FIRST))
    lanes.put(message(5, ONLY_TELIA))
    lanes.put_first(message(10, TELIA_FIRST, sends=1))  # It came over from another operator.
    assert pulled(lanes) == [10, 3, 5]


def test_message_that_came_back_late_waits_before_younger_ones_that_only_the_journal_has() -> None:
    lanes = lanes_of()
    lanes.restore(QueueKey(ONLY_TELIA, OTP, BANK), 1)
    lanes.put_back(message(5, kind=REQUEUED))
    assert pulled(lanes) == []  # What is being fetched may be older.
    lanes.fetched(to_fetch(lanes), [message(7)])
    assert pulled(lanes) == [5, 7]


# Later.


def test_message_that_waits_to_be_tried_again_holds_up_no_other() -> None:
    lanes = lanes_of()
    lanes.delays.delay(taken_off(message(1)), 30.0)
    lanes.put(message(2))
    assert pulled(lanes) == [2]
    assert (lanes.delays.delayed(), lanes.wake_at()) == (1, 30.0)
    assert list(lanes.wake(29.9)) == []
    assert list(lanes.wake(30.0)) == [TELIA]
    assert (lanes.delays.delayed(), lanes.wake_at()) == (0, NEVER)
    assert pulled(lanes) == [1]


def test_what_is_tried_again_goes_first_in_the_order_in_which_it_came() -> None:
    lanes = lanes_of()
    for number in (1, 2, 3):
        lanes.delays.delay(taken_off(message(number, sends=1)), 30.0 + number)
    lanes.put(message(4))
    for now in (31.0, 32.0, 33.0):
        assert list(lanes.wake(now)) == [TELIA]
    assert pulled(lanes) == [1, 2, 3, 4]


def test_nobody_is_told_of_what_is_due_while_no_operator_can_take_it() -> None:
    lanes = lanes_of(up=())
    lanes.delays.delay(taken_off(message(1)), 30.0)
    assert list(lanes.wake(30.0)) == []
    assert lanes.set_available(TELIA, True, 0.0) == {TELIA}
    assert pulled(lanes) == [1]


@pytest.mark.parametrize("event", [TAKE, SETTLE])
def test_message_that_a_late_answer_has_ended_is_not_sent_again(event: MessageEvent) -> None:
    lanes = lanes_of()
    waits, later = message(1, sends=1), message(2, sends=1)
    lanes.put_first(waits)
    lanes.delays.delay(taken_off(later), 30.0)
    for one in (waits, later):
        one.enter(event)
    assert list(lanes.wake(30.0)) == []
    assert pulled(lanes) == []
    assert {waits.state, later.state} == {SENT if event is TAKE else SETTLED}


# Schedule.


def test_message_that_is_scheduled_waits_apart_and_then_goes_first() -> None:
    lanes = lanes_of()
    lanes.put(message(1, not_before_utc=50.0))
    lanes.put(message(2))
    lanes.put(message(3, not_before_utc=50.0))
    assert pulled(lanes, count=1) == [2]
    lanes.put(message(4))
    assert lanes.begin(49.9) == set()
    assert lanes.delays.scheduled() == 2
    assert lanes.begin(50.0) == {TELIA}
    assert lanes.delays.scheduled() == 0
    assert pulled(lanes) == [1, 3, 4]


def test_what_begins_hides_no_older_message() -> None:
    lanes = lanes_of()
    lanes.put(message(1, ONLY_TELIA))
    lanes.put(message(2, TELIA_FIRST))
    lanes.put(message(3, ONLY_TELIA, not_before_utc=50.0))
    lanes.begin(50.0)
    assert pulled(lanes) == [3, 1, 2]


def test_nobody_is_told_of_what_begins_while_no_operator_can_take_it() -> None:
    lanes = lanes_of(up=())
    assert lanes.put(message(1, not_before_utc=50.0)) == ()
    assert lanes.begin(60.0) == set()
    assert lanes.set_available(TELIA, True, 0.0) == {TELIA}
    assert pulled(lanes) == [1]


def test_what_is_scheduled_is_fetched_like_all_else_and_holds_up_no_other() -> None:
    lanes = lanes_of()
    lanes.restore(QueueKey(ONLY_TELIA, OTP, BANK), 4)
    queue = to_fetch(lanes)
    lanes.fetched(queue, [message(1, not_before_utc=50.0), message(2, not_before_utc=50.0)])
    assert (lanes.delays.scheduled(), len(queue)) == (2, 2)
    lanes.fetched(to_fetch(lanes), [message(3, not_before_utc=50.0), message(4)])
    assert queue.last_id == 4
    assert pulled(lanes) == [4]
    lanes.begin(50.0)
    assert pulled(lanes) == [1, 2, 3]


def test_what_is_scheduled_stays_behind_what_only_the_journal_has() -> None:
    lanes = lanes_of()
    lanes.restore(QueueKey(ONLY_TELIA, OTP, BANK), 1)
    lanes.put(message(2, not_before_utc=50.0))
    (queue,) = lanes.queues()
    assert (lanes.delays.scheduled(), queue.behind) == (0, 2)
    lanes.fetched(to_fetch(lanes), [message(1), message(2, not_before_utc=50.0)])
    assert (lanes.delays.scheduled(), queue.behind) == (1, 0)


def test_scheduled_message_that_was_fetched_before_the_journal_had_told_of_it_goes_once() -> None:
    lanes = lanes_of()
    lanes.restore(QueueKey(ONLY_TELIA, OTP, BANK), 1)
    lanes.fetched(to_fetch(lanes), [message(1), message(2, not_before_utc=50.0)])
    lanes.put(message(2, not_before_utc=50.0))
    lanes.begin(50.0)
    assert pulled(lanes) == [2, 1]


# Validity.


def test_validity_ends_in_the_lane_and_in_the_waiting_room() -> None:
    lanes = lanes_of()
    queued, kept, later = message(1, expires_utc=50.0), message(2), message(3, expires_utc=50.0)
    lanes.put(queued)
    lanes.put(kept)
    lanes.delays.delay(taken_off(later), 99.0)
    lanes.delays.delay(taken_off(message(4)), 99.0)
    assert lanes.expire(49.9) == []
    assert lanes.expire(50.0) == [queued, later]
    assert lanes.expire(1000.0) == []
    assert pulled(lanes) == [2]
    assert list(lanes.wake(99.0)) == [TELIA]
    assert pulled(lanes) == [4]


def test_message_that_has_left_is_not_missed_by_the_sweep() -> None:
    lanes = lanes_of()
    lanes.put(message(1, expires_utc=50.0))
    lanes.put(message(2, expires_utc=70.0))
    assert pulled(lanes, count=1) == [1]
    assert lanes.expire(60.0) == []
    (gone,) = lanes.expire(70.0)
    assert gone.router_id == 2


def test_sweep_does_not_report_what_has_ended_otherwise() -> None:
    lanes = lanes_of()
    one = message(1, expires_utc=50.0)
    lanes.put(one)
    one.enter(SETTLE)
    assert lanes.expire(60.0) == []


# Operators come and go.


def test_messages_change_hands_when_operators_come_and_go() -> None:
    lanes = lanes_of()
    for number in range(4):
        lanes.put(message(number, TELIA_FIRST))
    assert pulled(lanes, count=1) == [0]
    assert lanes.set_available(ELISA, True, 0.0) == set()  # Telia is the better one, and up.
    assert pulled(lanes, ELISA) == []
    assert lanes.set_available(TELIA, False, 0.0) == {ELISA}
    assert pulled(lanes, ELISA, count=1) == [1]
    assert pulled(lanes) == []
    assert TELIA in lanes.set_available(TELIA, True, 0.0)
    assert pulled(lanes) == [2, 3]
    assert lanes.is_available(TELIA)


def test_operator_that_is_up_already_gains_nothing() -> None:
    lanes = lanes_of()
    lanes.put(message(1))
    assert lanes.set_available(TELIA, True, 0.0) == set()
    assert pulled(lanes) == [1]


def test_order_is_kept_when_queues_meet_at_another_operator() -> None:
    lanes = lanes_of(up=(TELIA, ELISA))
    for number in range(6):
        lanes.put(message(number, TELIA_FIRST if number % 2 else ELISA_FIRST))
    lanes.set_available(TELIA, False, 0.0)
    assert pulled(lanes, ELISA) == [0, 1, 2, 3, 4, 5]


# What only the journal has.


def to_fetch(lanes: Lanes) -> Queue:
    """The one queue that needs messages; it is taken off, as who fetches does."""
    (queue,) = lanes.needs_fetch
    lanes.needs_fetch = []
    return queue


def test_queue_keeps_its_first_messages_and_fetches_the_others_in_time() -> None:
    lanes = lanes_of()
    for number in range(1, MOST + 6):
        lanes.put(message(number))
    (queue,) = lanes.queues()
    assert (len(queue.messages), queue.behind, len(queue)) == (
        MOST,
        5,
        MOST + 5,
    )
    assert lanes.needs_fetch == []
    dry = MOST - FEW
    assert pulled(lanes, count=dry) == list(range(1, dry + 1))
    assert lanes.needs_fetch == []
    assert pulled(lanes, count=2) == [dry + 1, dry + 2]
    assert to_fetch(lanes) is queue  # Once, not with each message.
    assert queue.last_id == MOST
    lanes.put(message(MOST + 6))  # Behind the others, though there would be room.
    assert queue.behind == 6
    assert lanes.fetched(queue, [message(MOST + n) for n in range(1, 7)]) == (TELIA,)
    assert queue.behind == 0
    assert pulled(lanes, count=9999) == list(range(dry + 3, MOST + 7))
    assert lanes.needs_fetch == []
    assert Capacity().queue_fetch <= Capacity().queue_messages


def test_what_an_earlier_process_left_is_fetched() -> None:
    lanes = lanes_of(queue=3)
    lanes.restore(QueueKey(ONLY_TELIA, OTP, BANK), 5)
    queue = to_fetch(lanes)
    assert pulled(lanes) == []
    assert lanes.fetched(queue, [message(1), message(2)]) == (TELIA,)
    assert to_fetch(lanes) is queue
    assert pulled(lanes, count=2) == [1, 2]
    lanes.fetched(queue, [message(n) for n in (3, 4, 5)])
    assert pulled(lanes) == [3, 4, 5]


def test_validity_of_what_has_been_fetched_ends_too() -> None:
    lanes = lanes_of()
    lanes.restore(QueueKey(ONLY_TELIA, OTP, BANK), 2)
    lanes.fetched(to_fetch(lanes), [message(1, expires_utc=50.0), message(2, expires_utc=70.0)])
    assert [one.router_id for one in lanes.expire(60.0)] == [1]
    assert pulled(lanes) == [2]


def test_queue_is_fetched_for_again_when_the_journal_fails() -> None:
    lanes = lanes_of()
    lanes.restore(QueueKey(ONLY_TELIA, OTP, BANK), 1)
    queue = to_fetch(lanes)
    lanes.not_fetched(queue)
    assert to_fetch(lanes) is queue


def test_newer_message_of_an_account_does_not_overtake_one_that_is_being_fetched() -> None:
    lanes = lanes_of()
    lanes.restore(QueueKey(ONLY_TELIA, OTP, BANK), 1)
    queue = to_fetch(lanes)
    lanes.put(message(2, TELIA_FIRST))
    assert pulled(lanes) == []
    lanes.fetched(queue, [message(1)])
    assert pulled(lanes) == [1, 2]


def test_what_is_sent_again_need_not_wait_for_what_is_being_fetched() -> None:
    lanes = lanes_of()
    lanes.restore(QueueKey(ONLY_TELIA, OTP, BANK), 1)
    lanes.put_first(message(9, TELIA_FIRST, sends=1))
    assert pulled(lanes) == [9]


def test_message_that_was_fetched_before_the_journal_had_told_of_it_goes_once() -> None:
    lanes = lanes_of()
    lanes.restore(QueueKey(ONLY_TELIA, OTP, BANK), 1)
    queue = to_fetch(lanes)
    lanes.fetched(queue, [message(1), message(2)])
    assert lanes.put(message(2)) == (TELIA,)
    assert len(queue) == 2
    assert pulled(lanes) == [1, 2]
    lanes.put(message(3))
    assert pulled(lanes) == [3]


def test_what_is_yet_to_be_counted_is_not_asked_for_again() -> None:
    lanes = lanes_of()
    lanes.restore(QueueKey(ONLY_TELIA, OTP, BANK), 1)
    queue = to_fetch(lanes)
    lanes.fetched(queue, [message(1), message(2), message(3)])
    assert (queue.behind, lanes.needs_fetch) == (-2, [])
    assert pulled(lanes) == [1, 2, 3]
    assert len(queue) == 0
    for number in (2, 3, 4):  # Asked now, the journal would bring 4, which comes here as well.
        lanes.put(message(number))
        assert lanes.needs_fetch == []
    assert pulled(lanes) == [4]


def test_what_comes_while_the_journal_has_nothing_to_bring_is_not_forgotten() -> None:
    lanes = lanes_of()
    lanes.restore(QueueKey(ONLY_TELIA, OTP, BANK), 2)
    queue = to_fetch(lanes)
    lanes.put(message(3))  # Committed after the reading began.
    lanes.fetched(queue, [])
    assert to_fetch(lanes) is queue
    lanes.fetched(queue, [message(3)])
    assert pulled(lanes) == [3]


def test_account_does_not_wait_for_ever_for_what_the_journal_does_not_have() -> None:
    lanes = lanes_of()
    lanes.restore(QueueKey(ONLY_TELIA, OTP, BANK), 1)
    queue = to_fetch(lanes)
    lanes.put(message(2, TELIA_FIRST))
    assert pulled(lanes) == []
    assert lanes.fetched(queue, []) == (TELIA,)
    assert len(queue) == 0
    assert pulled(lanes) == [2]


def test_account_goes_on_when_the_queue_that_it_waited_for_changes_hands() -> None:
    lanes = lanes_of()
    lanes.restore(QueueKey(ELISA_FIRST, OTP, BANK), 1)
    lanes.put(message(2, ONLY_TELIA))
    assert pulled(lanes) == []
    assert TELIA in lanes.set_available(
        ELISA, True, 0.0
    )  # There the older one will be fetched for.
    assert pulled(lanes) == [2]


def test_queue_whose_messages_have_all_expired_fetches_the_next() -> None:
    lanes = lanes_of()
    for number in range(MOST + 1):
        lanes.put(message(number, expires_utc=50.0))
    assert lanes.needs_fetch == []
    assert len(lanes.expire(60.0)) == MOST
    queue = to_fetch(lanes)
    assert len(queue) == 1
    lanes.fetched(queue, [message(MOST)])
    assert pulled(lanes) == [MOST]


# Only the most urgent, and who waits for whom.


def test_only_the_most_urgent_lane_is_pulled_from_if_that_is_asked() -> None:
    lanes = lanes_of()
    lanes.put(message(100, lane=BULK))
    lanes.put(message(200, lane=ALERT))
    assert lanes.pull(TELIA, 0.0, [], only_urgent=True) is None
    lanes.put(message(300, lane=OTP))
    one = lanes.pull(TELIA, 0.0, [], only_urgent=True)
    assert one is not None
    assert one.router_id == 300
    assert lanes.pull(TELIA, 0.0, [], only_urgent=True) is None
    assert pulled(lanes) == [200, 100]


def test_message_that_an_operator_may_have_waits_for_it_while_it_is_up() -> None:
    lanes = lanes_of((TELIA, ELISA))
    lanes.set_up(TELIA, True)
    lanes.set_available(TELIA, False, 0.0)
    lanes.put_first(message(100, TELIA_FIRST, kind=STAYING))
    lanes.put_first(message(200, TELIA_FIRST))
    assert pulled(lanes, ELISA) == [200]
    lanes.set_available(TELIA, True, 0.0)
    assert pulled(lanes, TELIA) == [100]


def test_when_it_goes_down_the_next_operator_has_the_message() -> None:
    lanes = lanes_of((TELIA, ELISA))
    lanes.set_up(TELIA, True)
    lanes.put_first(message(100, TELIA_FIRST, kind=STAYING))
    lanes.set_available(TELIA, False, 0.0)
    assert pulled(lanes, ELISA) == []
    assert lanes.set_up(TELIA, False) == {ELISA}
    assert pulled(lanes, ELISA) == [100]


def test_what_waits_to_be_tried_again_leaves_an_operator_that_can_take_nothing() -> None:
    lanes = lanes_of((TELIA, ELISA))
    plans = {100: TELIA_FIRST, 200: TELIA_FIRST, 300: ONLY_TELIA, 400: TELIA_FIRST}
    for number, plan in plans.items():
        one = message(number, plan, sends=1, kind=STAYING if number == 400 else ORDINARY)
        one.operator = TELIA
        lanes.delays.delay(taken_off(one), 130.0)
    elsewhere = message(500, TELIA_FIRST, sends=1)
    elsewhere.operator = ELISA
    lanes.delays.delay(taken_off(elsewhere), 130.0)
    lanes.set_available(TELIA, False, 0.0)
    assert lanes.release_delayed(TELIA, 100.0) == {ELISA}
    assert pulled(lanes, ELISA) == [100, 200]
    assert lanes.delays.delayed() == 3
    assert lanes.release_delayed(TELIA, 100.0) == set()


# Cancelled, where only the journal has it.


@pytest.mark.parametrize(
    ("brings", "cancelled"), [((3,), ()), ((3,), (RouterId(1), RouterId(2))), ((), ())]
)
def test_what_is_cancelled_behind_a_queue_is_subtracted_once(
    brings: tuple[int, ...], cancelled: tuple[RouterId, ...]
) -> None:
    """Whether a reading brings the others, brings what is cancelled too, or brings nothing."""
    lanes = lanes_of()
    key = QueueKey(ONLY_TELIA, OTP, BANK)
    lanes.restore(key, 3)
    queue = to_fetch(lanes)
    assert lanes.behind(key, RouterId(1)) is queue
    for _ in range(3 - len(brings)):
        lanes.cancel_behind(queue)
    assert len(queue) == len(brings)
    lanes.fetched(queue, [message(number) for number in brings], cancelled=cancelled)
    assert queue.behind == 0
    assert len(queue) == len(brings)
    assert lanes.behind(key, RouterId(3)) is (None if brings else queue)


def test_message_in_memory_is_found_and_leaves_wherever_it_is() -> None:
    lanes = lanes_of()
    lanes.put(message(1))
    lanes.put(message(2))
    lanes.put(message(3, account=SHOP))
    lanes.put(message(4, not_before_utc=100.0))
    ids = [RouterId(number) for number in range(1, 5)]
    found = lanes.find(BANK, ids)
    assert sorted(found) == [1, 2, 4]
    for one in found.values():
        lanes.withdraw(one)
    assert lanes.find(BANK, ids) == {}
    assert [len(queue) for queue in lanes.queues() if queue.account == BANK] == [0]
