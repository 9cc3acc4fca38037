"""router/enqueue/lanes.py: another configuration changes values, and no message loses its place."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from router.enqueue.lanes import Lanes
from router.enqueue.ramp_up import RampUp
from router.terms.message import Message
from router.terms.names import AccountName, LaneName, OperatorName
from router.terms.plan import Plan
from router.terms.queue_key import QueueKey
from router.terms.settings import AccountSettings, LaneSettings
from router.terms.states import MarkEvent
from tests.unit.messages import (
    ACCEPTED_UTC,
    ALERT,
    BANK,
    BULK,
    ELISA,
    OTP,
    PLANS,
    SHOP,
    TELIA,
    TO_TELIA,
    message,
)

TELIA_FIRST = PLANS.of((TELIA, ELISA))
LANES = (
    LaneSettings(name=OTP),
    LaneSettings(name=ALERT, min_share=0.25),
    LaneSettings(name=BULK),
)
NEW = AccountName("new")


def accounts_of(**weights: int) -> dict[AccountName, AccountSettings]:
    return {
        AccountName(name): AccountSettings(
            name=AccountName(name), passwords=("x",), lane=OTP, weight=weight
        )
        for name, weight in weights.items()
    }


ACCOUNTS = accounts_of(bank=3, shop=2)


def lanes_of(*up: OperatorName) -> Lanes:
    lanes = Lanes(LANES, ACCOUNTS)
    for operator in up or (TELIA,):
        lanes.set_available(operator, True, 0.0)
    return lanes


def lanes_with(lane: LaneName, **changed: object) -> tuple[LaneSettings, ...]:
    return tuple(
        replace(one, **changed) if one.name == lane else one  # type: ignore[arg-type]
        for one in LANES
    )


def filled(
    lanes: Lanes, each: int, *accounts: AccountName, lane: LaneName = OTP, plan: Plan = TO_TELIA
) -> None:
    for number in range(each):
        for account in accounts or (BANK, SHOP):
            lanes.put(message(number, account=account, lane=lane, plan=plan))


def adopted(
    lanes: Lanes,
    settings: tuple[LaneSettings, ...] = LANES,
    accounts: dict[AccountName, AccountSettings] = ACCOUNTS,
    now: float = 0.0,
) -> set[OperatorName]:
    return lanes.adopt(settings, accounts, {}, now)


def pulled(lanes: Lanes, count: int, operator: OperatorName = TELIA) -> list[Message]:
    found = [lanes.pull(operator, ACCEPTED_UTC, []) for _ in range(count)]
    return [one for one in found if one is not None]


def accounts_in(messages: Iterable[Message]) -> str:
    """The first letters of their accounts, in order."""
    return "".join(one.account[0] for one in messages)


# Nothing that matters.


@pytest.mark.parametrize("after", range(12))
def test_same_values_change_no_turn_no_credit_and_no_order(after: int) -> None:
    ours, others = lanes_of(), lanes_of()
    for lanes in (ours, others):
        filled(lanes, 10)
        filled(lanes, 10, BANK, lane=ALERT)
    for lanes in (ours, others):
        pulled(lanes, after)
    assert adopted(ours, tuple(map(replace, LANES)), dict(ACCOUNTS)) == set()
    expected = [(one.router_id, one.account, one.lane) for one in pulled(others, 30)]
    assert [(one.router_id, one.account, one.lane) for one in pulled(ours, 30)] == expected


def test_lanes_of_other_names_are_a_mistake_of_ours() -> None:
    with pytest.raises(AssertionError):
        adopted(lanes_of(), LANES[:2])


# Weights.


@pytest.mark.parametrize(
    ("taken", "bank", "shop", "then"),
    [
        (0, 3, 2, "bbbssbbbss"),
        (0, 1, 1, "bsbsbsbsbs"),
        (1, 4, 2, "bbbssbbbbs"),  # One of four has gone.
        (2, 3, 5, "bsssssbbbs"),
        (2, 2, 1, "sbbsbbsbbs"),  # Its turn is over.
        (2, 1, 1, "sbsbsbsbsb"),
        (4, 3, 3, "ssbbbsssbb"),  # The second account has begun its turn.
        (4, 3, 1, "bbbsbbbsbb"),
    ],
)
def test_weight_counts_what_the_account_has_sent_in_its_turn(
    taken: int, bank: int, shop: int, then: str
) -> None:
    lanes = lanes_of()
    filled(lanes, 20)
    assert accounts_in(pulled(lanes, taken)) == "bbbss"[:taken]
    assert adopted(lanes, accounts=accounts_of(bank=bank, shop=shop)) == set()
    assert accounts_in(pulled(lanes, 10)) == then


def test_weight_of_an_account_with_nothing_to_send_is_that_of_its_next_turn() -> None:
    lanes = lanes_of()
    filled(lanes, 1, SHOP)
    assert accounts_in(pulled(lanes, 2)) == "s"
    adopted(lanes, accounts=accounts_of(bank=3, shop=1))
    filled(lanes, 5, BANK)
    for number in range(100, 105):
        lanes.put(message(number, account=SHOP))
    assert accounts_in(pulled(lanes, 8)) == "bbbsbbss"  # The bank has no more.


# Accounts.


def test_new_account_gets_turns_of_its_weight() -> None:
    lanes = lanes_of()
    filled(lanes, 9, BANK)
    assert adopted(lanes, accounts=ACCOUNTS | accounts_of(new=2)) == set()
    filled(lanes, 9, NEW)
    assert accounts_in(pulled(lanes, 10)) == "bbbnnbbbnn"


def test_account_that_is_gone_keeps_its_queues_and_its_weight_until_they_are_empty() -> None:
    lanes = lanes_of()
    filled(lanes, 5)
    lanes.restore(QueueKey(TELIA_FIRST, BULK, SHOP), 1)
    only_bank = accounts_of(bank=1)
    assert adopted(lanes, accounts=only_bank) == set()
    assert accounts_in(pulled(lanes, 6)) == "bssbss"
    one = pulled(lanes, 2)[-1]
    assert one.account == SHOP
    lanes.put_first(one)  # It comes back from its operator, also into a queue that is new,
    other = message(99, account=SHOP, plan=TELIA_FIRST)
    assert lanes.put_first(other) == (TELIA,)  # and to an operator that had none of its messages.
    lanes.set_available(ELISA, True, 0.0)
    lanes.set_available(TELIA, False, 0.0)
    assert pulled(lanes, 2, ELISA) == [other]
    (queue,) = [queue for queue in lanes.needs_fetch if queue.account == SHOP]
    late = message(50, account=SHOP, lane=BULK, plan=TELIA_FIRST)
    assert lanes.fetched(queue, [late]) == (ELISA,)
    assert pulled(lanes, 2, ELISA) == [late]


def test_account_that_comes_back_has_its_new_weight() -> None:
    lanes = lanes_of()
    filled(lanes, 9)
    adopted(lanes, accounts=accounts_of(bank=3))
    adopted(lanes, accounts=accounts_of(bank=3, shop=1))
    assert accounts_in(pulled(lanes, 8)) == "bbbsbbbs"


# Shares.


def alerts_in(messages: Iterable[Message]) -> list[int]:
    return [place for place, one in enumerate(messages) if one.lane == ALERT]


@pytest.mark.parametrize(
    ("share", "places"),
    [
        (0.25, [1, 5, 9, 13, 17]),  # Two of the four that it takes were before.
        (0.5, [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]),
        (0.1, [5, 15]),
        (0.0, []),
    ],
)
def test_share_of_a_lane_grows_from_the_credit_that_it_has(share: float, places: list[int]) -> None:
    lanes = lanes_of()
    for lane in (OTP, ALERT):
        filled(lanes, 20, lane=lane)
    assert alerts_in(pulled(lanes, 6)) == [3]
    assert adopted(lanes, lanes_with(ALERT, min_share=share)) == set()
    assert alerts_in(pulled(lanes, 20)) == places


def test_lane_without_a_share_saves_up_no_credit_for_the_next() -> None:
    lanes = lanes_of()
    for lane in (OTP, ALERT):
        filled(lanes, 20, lane=lane)
    pulled(lanes, 3)
    adopted(lanes, lanes_with(ALERT, min_share=0.0))
    adopted(lanes)
    assert alerts_in(pulled(lanes, 5)) == [3]


def test_operator_that_has_had_nothing_yet_has_the_new_shares() -> None:
    lanes = lanes_of()
    adopted(lanes, lanes_with(ALERT, min_share=0.5))
    for lane in (OTP, ALERT):
        filled(lanes, 20, lane=lane)
    assert alerts_in(pulled(lanes, 6)) == [1, 3, 5]


# What is in doubt.


def test_lane_that_must_fail_what_is_in_doubt_has_its_messages_marked_from_now_on() -> None:
    lanes = lanes_of(TELIA, ELISA)
    filled(lanes, 3, BANK, lane=BULK)
    pulled(lanes, 1)
    assert not lanes.needs_marks
    assert adopted(lanes, lanes_with(BULK, in_doubt="fail")) == {TELIA}
    assert lanes.needs_marks
    assert pulled(lanes, 1) == []
    waiting = lanes.next_to_mark(TELIA, 9)
    assert [one.router_id for one in waiting] == [1, 2]
    for event in (MarkEvent.ASK, MarkEvent.KEEP):
        waiting[0].set_mark(event)
    assert pulled(lanes, 2) == waiting[:1]


def test_lane_that_may_send_again_waits_for_no_mark_any_more() -> None:
    lanes = lanes_of()
    adopted(lanes, lanes_with(BULK, in_doubt="fail"))
    filled(lanes, 2, BANK, lane=BULK)
    assert pulled(lanes, 1) == []
    assert adopted(lanes) == {TELIA}
    assert not lanes.needs_marks
    assert lanes.next_to_mark(TELIA, 9) == []
    assert len(pulled(lanes, 2)) == 2


def test_other_lanes_gain_nothing_from_marks() -> None:
    lanes = lanes_of()
    filled(lanes, 2)
    assert adopted(lanes, lanes_with(BULK, in_doubt="fail")) == set()


# Failover of what waits.


def test_operator_may_help_as_soon_as_the_lane_says_so() -> None:
    lanes = lanes_of(TELIA, ELISA)
    filled(lanes, 2, BANK, plan=TELIA_FIRST)
    assert adopted(lanes, lanes_with(OTP, failover_after_s=10.0), now=9.9) == set()
    assert adopted(lanes, lanes_with(OTP, failover_after_s=5.0), now=9.9) == {ELISA}
    assert len(pulled(lanes, 1, ELISA)) == 1


def test_operator_helps_no_more_when_the_lane_does_not_say_so() -> None:
    lanes = lanes_of(TELIA, ELISA)
    filled(lanes, 2, BANK, plan=TELIA_FIRST)
    adopted(lanes, lanes_with(OTP, failover_after_s=5.0), now=9.9)
    assert adopted(lanes, now=9.9) == set()
    assert pulled(lanes, 1, ELISA) == []
    assert len(pulled(lanes, 2)) == 2


# Ramps.


def test_operator_whose_ramp_is_taken_away_has_its_queues_at_once() -> None:
    ramp_up = RampUp({TELIA: 30.0}, 0.0)
    lanes = Lanes(LANES, ACCOUNTS, ramp_up)
    lanes.set_available(ELISA, True, 0.0)
    filled(lanes, 2, BANK, lane=BULK, plan=TELIA_FIRST)
    lanes.set_available(TELIA, True, 100.0)
    list(lanes.wake(100.5))
    assert pulled(lanes, 1) == []  # Skipped.
    assert lanes.adopt(LANES, ACCOUNTS, {TELIA: 0.0}, 100.6) == {TELIA, ELISA}
    assert ramp_up.ramping == {}
    assert len(pulled(lanes, 2)) == 2
