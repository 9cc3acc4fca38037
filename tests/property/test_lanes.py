"""router/enqueue/lanes.py: whatever happens in whatever order, the right message goes next, once.

The queues are put through any sequence of what journey.py does with them, beside a model that keeps
plain lists and looks through all of them. Shares and turns are measured under a steady load.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import cycle, pairwise
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from router.accept.rooms import Rooms
from router.enqueue.lanes import Lanes
from router.smpp import vocabulary as v
from router.terms.message import Message
from router.terms.names import AccountName, ClientId, LaneName, OperatorName, RouterId
from router.terms.plan import Plan, Plans
from router.terms.queue_key import QueueKey
from router.terms.settings import AccountSettings, LaneSettings
from router.terms.states import SETTLE, TAKE, WAITS, WRITE, MessageEvent

NEVER: Final = float("inf")
A, B = OperatorName("a"), OperatorName("b")
PLANS: Final = Plans()
PLAN_LIST: Final = [PLANS.of(plan) for plan in [(A,), (B,), (A, B), (B, A)]]
LANES: Final = (
    LaneSettings(name=LaneName("otp")),
    LaneSettings(name=LaneName("alert"), min_share=0.3),
    LaneSettings(name=LaneName("bulk"), min_share=0.2),
    LaneSettings(name=LaneName("leftovers")),
)
NAMES: Final = [lane.name for lane in LANES]


def account_of(name: str, queue: int = 1000, weight: int = 1) -> AccountSettings:
    return AccountSettings(
        name=AccountName(name),
        passwords=("x",),
        lane=LANES[0].name,
        queue=queue,
        weight=weight,
    )


ACCOUNTS: Final = {
    one.name: one for one in (account_of("bank", queue=8), account_of("shop", weight=3))
}
BANK, SHOP = ACCOUNTS


def _rank(one: Message) -> tuple[bool, int]:
    """What was sent before goes first; then the oldest."""
    return not one.writes, one.router_id


def message(
    number: int, name: AccountName, lane: LaneName, plan: Plan, expires_utc: float = NEVER
) -> Message:
    return Message(
        router_id=RouterId(number),
        client_id=ClientId(b"%d" % number),
        account=name,
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
    )


LANE = st.sampled_from([NAMES[0]] * 5 + NAMES)
PLAN = st.sampled_from([PLAN_LIST[0], *PLAN_LIST])
ACCOUNT = st.sampled_from([SHOP, SHOP, SHOP, BANK])


@dataclass
class ModelQueue:
    """One queue as two plain lists."""

    plan: Plan
    lane: LaneName
    account: AccountName
    memory: list[Message] = field(default_factory=list)
    journal: list[Message] = field(default_factory=list)


Step = Callable[["Observed"], None]


class Observed:
    """The lanes beside a model, and everything that may happen to messages that wait."""

    def __init__(self) -> None:
        self.rooms = Rooms(ACCOUNTS)
        self.lanes = Lanes(LANES, ACCOUNTS)
        self.queues: dict[tuple[Plan, LaneName, AccountName], ModelQueue] = {}
        self.delayed: list[tuple[float, Message]] = []
        self.in_hand: list[Message] = []
        self.up: set[OperatorName] = set()
        self.lower_before = dict.fromkeys((A, B), False)
        self.room = dict.fromkeys(ACCOUNTS, 0)
        self.ended: set[int] = set()
        self.now = 1000.0
        self.now_utc = 5000.0
        self.next_id = 1

    # The model.

    def queue(self, plan: Plan, lane: LaneName, name: AccountName) -> ModelQueue:
        key = (plan, lane, name)
        return self.queues.setdefault(key, ModelQueue(*key))

    def home(self, plan: Plan) -> OperatorName | None:
        return next((name for name in plan.candidates if name in self.up), None)

    def consumers(self, plan: Plan) -> tuple[OperatorName, ...]:
        home = self.home(plan)
        return () if home is None else (home,)

    def live(self, one: Message) -> bool:
        return one.state in WAITS and one.expires_utc > self.now_utc

    def may_go(self, operator: OperatorName) -> dict[LaneName, dict[AccountName, list[Message]]]:
        """By lane and account: what this operator may be given now; only one of each list's first.

        What was sent before goes first; else the oldest, unless one that may be older is not here.
        """
        found: dict[LaneName, dict[AccountName, list[Message]]] = {}
        for lane in NAMES:
            for name in ACCOUNTS:
                ours = [
                    queue
                    for queue in self.queues.values()
                    if (queue.lane, queue.account) == (lane, name)
                    and self.home(queue.plan) == operator
                ]
                fronts = [
                    next(filter(self.live, queue.memory))
                    if any(map(self.live, queue.memory))
                    else None
                    for queue in ours
                ]
                again = [one for one in fronts if one is not None and one.writes]
                fetching = any(
                    front is None and queue.journal
                    for queue, front in zip(ours, fronts, strict=True)
                )
                first = [one for one in fronts if one is not None]
                if again:
                    found.setdefault(lane, {})[name] = again
                elif first and not fetching:
                    oldest = min(first, key=lambda one: one.router_id)
                    found.setdefault(lane, {})[name] = [oldest]
        return found

    def never_sent(self, operator: OperatorName, lane: LaneName, name: AccountName) -> list[int]:
        """What waits for its first transmission, wherever it is."""
        return [
            one.router_id
            for queue in self.queues.values()
            if (queue.lane, queue.account) == (lane, name) and self.home(queue.plan) == operator
            for one in queue.memory + queue.journal
            if not one.writes and one.expires_utc > self.now_utc
        ]

    def forget(self, one: Message) -> None:
        """It waits nowhere any more."""
        for queue in self.queues.values():
            if one in queue.memory:
                queue.memory.remove(one)
        self.delayed = [entry for entry in self.delayed if entry[1] is not one]

    def end(self, one: Message, event: MessageEvent) -> None:
        """It needs no room any more: sent, or given up."""
        assert one.router_id not in self.ended
        self.ended.add(one.router_id)
        one.enter(event)
        self.rooms.give(one.account, one.size)
        self.room[one.account] -= 1

    # What happens.

    def an_earlier_process_left(self, left: list[tuple[Plan, LaneName, AccountName, int]]) -> None:
        for plan, lane, name, count in left:
            queue = self.queue(plan, lane, name)
            for _ in range(count):
                expires_utc = NEVER if count % 2 else self.now_utc + 10.0
                queue.journal.append(message(self.next_id, name, lane, plan, expires_utc))
                self.next_id += 1
            self.room[name] += count
            self.lanes.restore(QueueKey(plan, lane, name), count)
            self.rooms.restore(name, count, 0)

    def accept(
        self, name: AccountName, lane: LaneName, plan: Plan, validity_s: float, count: int
    ) -> None:
        for _ in range(count):
            has_room = self.room[name] < ACCOUNTS[name].queue
            assert self.rooms.take(name, 0) == has_room
            if not has_room:
                return
            self.room[name] += 1
            one = message(self.next_id, name, lane, plan, self.now_utc + validity_s)
            self.next_id += 1
            queue = self.queue(plan, lane, name)
            (queue.journal if queue.journal else queue.memory).append(one)
            assert self.lanes.put(one) == self.consumers(plan)

    def pull(self, operator: OperatorName, count: int) -> None:
        for _ in range(count):
            self.pull_one(operator)

    def pull_one(self, operator: OperatorName) -> Message | None:
        expired: list[Message] = []
        may_go = self.may_go(operator) if operator in self.up else {}
        one = self.lanes.pull(operator, self.now_utc, expired)
        for gone in expired:
            assert gone.expires_utc <= self.now_utc
            assert self.home(gone.plan) == operator
            self.forget(gone)
            self.end(gone, SETTLE)
        if one is None:
            assert not may_go
            return None
        assert self.live(one)
        queue = self.queue(one.plan, one.lane, one.account)
        assert one is next(filter(self.live, queue.memory))
        # The model waits for the journal a little more often than need be.
        is_lower = bool(may_go) and one.lane != next(iter(may_go))
        if is_lower:
            assert LANES[NAMES.index(one.lane)].min_share
            assert not self.lower_before[operator]
        self.lower_before[operator] = is_lower
        if not one.writes:  # The first transmission: in the order of acceptance, over all plans.
            assert one.router_id == min(self.never_sent(operator, one.lane, one.account))
            assert not any(other.writes for other in may_go.get(one.lane, {}).get(one.account, []))
        self.forget(one)
        one.enter(WRITE)
        one.writes += 1
        self.in_hand.append(one)
        return one

    def operators_answer(
        self, fates: list[str], plan: Plan, wait_s: float, late: list[bool]
    ) -> None:
        """And late answers come for some of those that were to be sent again."""
        in_hand, self.in_hand = self.in_hand, []
        again: list[Message] = []
        for one, how in zip(reversed(in_hand), cycle(fates), strict=False):
            if how == "later":
                self.delayed.append((self.now + wait_s, one))
                self.lanes.delays.delay(one, self.now + wait_s)
                again.append(one)
            elif how in ("first", "elsewhere"):
                if how == "elsewhere":
                    one.plan = plan
                self.queue(one.plan, one.lane, one.account).memory.insert(0, one)
                assert self.lanes.put_first(one) == self.consumers(one.plan)
                again.append(one)
            else:
                self.end(one, TAKE if how == "sent" else SETTLE)
        for one, is_late in zip(again, late, strict=False):
            if is_late:
                self.forget(one)
                self.end(one, TAKE)

    def time_passes(self, seconds: float, sweep: bool) -> None:
        self.now += seconds
        self.now_utc += seconds
        self.lanes_due()
        if sweep:
            expired = self.lanes.expire(self.now_utc)
            waiting = [one for queue in self.queues.values() for one in queue.memory]
            waiting += [one for _, one in self.delayed]
            expected = [one for one in waiting if one.expires_utc <= self.now_utc]
            assert sorted(map(id, expired)) == sorted(map(id, expected))
            for one in expired:
                self.forget(one)
                self.end(one, SETTLE)

    def lanes_due(self) -> None:
        waits = [one for at, one in self.delayed if at <= self.now]
        homes = list(self.lanes.wake(self.now))
        assert self.lanes.wake_at() > self.now
        for one in waits:  # Each in its order among those that are sent again.
            self.forget(one)
            memory = self.queue(one.plan, one.lane, one.account).memory
            behind = (k for k, other in enumerate(memory) if _rank(other) > _rank(one))
            memory.insert(next(behind, len(memory)), one)
        assert set(homes) == {self.home(one.plan) for one in waits} - {None}

    def the_journal_answers(self, fails: bool, queues: int, most: int) -> None:
        to_fetch, self.lanes.needs_fetch = (
            self.lanes.needs_fetch[:queues],
            self.lanes.needs_fetch[queues:],
        )
        for queue in to_fetch:
            if fails:
                self.lanes.not_fetched(queue)
                continue
            model = self.queue(queue.plan, queue.lane, queue.account)
            known = [one for one in model.journal if one.router_id > queue.last_id]
            assert known == model.journal
            found, model.journal = known[:most], known[most:]
            model.memory += found
            assert self.lanes.fetched(queue, found) == self.consumers(queue.plan)

    def an_operator_comes_or_goes(self, operator: OperatorName) -> None:
        before = {name: self.may_go(name) for name in self.up}
        self.up ^= {operator}
        gained = self.lanes.set_available(operator, operator in self.up, self.now)
        assert gained <= self.up
        for name in self.up:
            may_go = self.may_go(name)
            if any(
                not set(map(id, ones))
                <= set(map(id, before.get(name, {}).get(lane, {}).get(who, [])))
                for lane, accounts in may_go.items()
                for who, ones in accounts.items()
            ):
                assert name in gained, "it is not told that there is something to pull"
        assert self.lanes.set_available(operator, operator in self.up, self.now) == set()
        assert self.lanes.is_available(operator) == (operator in self.up)

    # What always holds.

    def check(self) -> None:
        self.room_is_counted()
        self.nothing_is_lost()

    def room_is_counted(self) -> None:
        for name, account in ACCOUNTS.items():
            assert self.rooms.taken(name) == self.room[name] >= 0
            assert self.room[name] <= max(account.queue, 24)

    def nothing_is_lost(self) -> None:
        waiting = {
            (queue.plan, queue.lane, queue.account): len(queue.memory) + len(queue.journal)
            for queue in self.queues.values()
        }
        for queue in self.lanes.queues():
            assert queue.octets == sum(one.size for one in queue.messages)
            dead = sum(one.state not in WAITS for one in queue.messages)
            expected = waiting.pop((queue.plan, queue.lane, queue.account), 0)
            assert len(queue) - dead == expected
            assert queue.home == self.home(queue.plan)
        assert not any(waiting.values())
        assert self.lanes.delays.delayed() >= len(self.delayed)

    def finish(self) -> None:
        """In the end everything goes out, whatever has happened before."""
        for operator in {A, B} - self.up:
            self.an_operator_comes_or_goes(operator)
        self.now += 1000.0
        self.lanes_due()
        for _ in range(1000):
            self.the_journal_answers(fails=False, queues=9, most=3)
            if (
                not any(self.pull_one(operator) for operator in (A, B))
                and not self.lanes.needs_fetch
            ):
                break
        for one in self.in_hand:
            self.end(one, TAKE)
        assert self.ended == set(range(1, self.next_id))
        assert set(self.room.values()) == {0}


def step(what: Callable[..., None], **with_what: SearchStrategy[Any]) -> SearchStrategy[Step]:
    return st.fixed_dictionaries(with_what).map(lambda drawn: lambda life: what(life, **drawn))


OPERATOR = st.sampled_from([A, A, B])
STEPS = st.one_of(
    *[
        step(
            Observed.accept,
            name=ACCOUNT,
            lane=LANE,
            plan=PLAN,
            validity_s=st.sampled_from([NEVER, 10.0, 10.0, 30.0]),
            count=st.integers(1, 3),
        )
    ]
    * 3,
    *[step(Observed.pull, operator=OPERATOR, count=st.integers(1, 4))] * 2,
    *[
        step(
            Observed.operators_answer,
            fates=st.lists(
                st.sampled_from(["sent", "failed", "first", "elsewhere", "later"]), min_size=1
            ),
            plan=PLAN,
            wait_s=st.sampled_from([1.0, 10.0]),
            late=st.lists(st.booleans(), max_size=4),
        )
    ]
    * 2,
    step(Observed.time_passes, seconds=st.sampled_from([0.5, 1.0, 10.0]), sweep=st.booleans()),
    step(
        Observed.the_journal_answers,
        fails=st.sampled_from([False, False, True]),
        queues=st.integers(1, 2),
        most=st.integers(1, 3),
    ),
    step(Observed.an_operator_comes_or_goes, operator=OPERATOR),
)
BACKLOGS = st.lists(
    st.tuples(PLAN, LANE, ACCOUNT, st.integers(1, 4)),
    max_size=6,
    unique_by=lambda entry: entry[:3],
)


@given(BACKLOGS, st.lists(STEPS, min_size=30, max_size=100))
def test_right_message_goes_next_whatever_has_happened(
    backlogs: list[tuple[Plan, LaneName, AccountName, int]], steps: list[Step]
) -> None:
    life = Observed()
    life.an_earlier_process_left(backlogs)
    for one in steps:
        one(life)
        life.check()
    life.finish()


def full(lanes: tuple[LaneSettings, ...], accounts: list[AccountSettings], each: int) -> Lanes:
    """Lanes with so much work of every account in every lane, for one operator."""
    found = Lanes(lanes, {one.name: one for one in accounts})
    found.set_available(A, True, 0.0)
    number = 0
    for _ in range(each):
        for lane in lanes:
            for one in accounts:
                number += 1
                found.put(message(number, one.name, lane.name, PLAN_LIST[number % 2 * 2]))
    return found


def pulled(lanes: Lanes, count: int) -> list[Message]:
    found = [lanes.pull(A, 0.0, []) for _ in range(count)]
    return [one for one in found if one is not None]


SHARES = st.lists(
    st.sampled_from([0.0, 0.01, 0.05, 0.1, 0.2, 0.25, 0.5]), min_size=1, max_size=3
).filter(lambda shares: sum(shares) <= 0.5)


@given(SHARES, st.integers(1, 3))
def test_lower_lanes_keep_their_shares_in_every_stretch_and_never_go_twice_in_a_row(
    shares: list[float], accounts: int
) -> None:
    lower = [
        LaneSettings(name=LaneName(str(place)), min_share=share)
        for place, share in enumerate(shares, 1)
    ]
    lanes = full(
        (LaneSettings(name=LaneName("0")), *lower),
        [account_of(str(place)) for place in range(accounts)],
        300 // accounts,
    )
    order = [int(one.lane) for one in pulled(lanes, 300)]
    assert len(order) == 300
    assert all(min(pair) == 0 for pair in pairwise(order))
    for lane, share in enumerate(shares, 1):
        for begin in range(0, 300, 7):
            for length in (10, 20, 100, 300 - begin):
                stretch = order[begin : begin + length]
                assert stretch.count(lane) >= int(share * len(stretch) + 1e-9) - 1
                assert stretch.count(lane) <= share * len(stretch) + 2


@given(st.lists(st.integers(1, 5), min_size=1, max_size=5), st.sampled_from(NAMES[:3]))
def test_accounts_take_turns_by_weight_in_every_stretch(weights: list[int], lane: LaneName) -> None:
    accounts = [account_of(str(place), weight=weight) for place, weight in enumerate(weights)]
    lanes = Lanes(LANES, {one.name: one for one in accounts})
    lanes.set_available(A, True, 0.0)
    for number in range(100 * len(accounts)):
        lanes.put(message(number, accounts[number % len(accounts)].name, lane, PLAN_LIST[0]))
    round_of_all = sum(weights)
    order = [one.account for one in pulled(lanes, 20 * len(accounts))]
    for begin in range(len(order) - round_of_all + 1):
        stretch = order[begin : begin + round_of_all]
        assert [stretch.count(one.name) for one in accounts] == weights


@given(st.lists(st.sampled_from([BANK, SHOP, AccountName("new")]), min_size=1, max_size=60))
def test_account_with_work_waits_for_one_turn_of_the_others_at_most(
    arrivals: list[AccountName],
) -> None:
    accounts = {**ACCOUNTS, AccountName("new"): account_of("new", weight=2)}
    lanes = Lanes(LANES, accounts)
    lanes.set_available(A, True, 0.0)
    waited = dict.fromkeys(accounts, 0)
    waiting = dict.fromkeys(accounts, 0)
    for number, name in enumerate(arrivals):
        for more in range(3):
            lanes.put(message(number * 3 + more, name, NAMES[0], PLAN_LIST[0]))
            waiting[name] += 1
        for one in pulled(lanes, 2):
            waiting[one.account] -= 1
            for other in accounts:
                is_next = other != one.account and waiting[other]
                waited[other] = waited[other] + 1 if is_next else 0
                longest = sum(accounts[name].weight for name in accounts if name != other)
                assert waited[other] <= longest
