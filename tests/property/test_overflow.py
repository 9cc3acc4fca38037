"""router/enqueue/lanes.py: no operator stands idle while a message waits too long that it may take.

Operators are played through on a clock that jumps from one event to the next: each pulls when it
has a slot and was told that there is something, as the dispatcher does. What they hold back, ask
for later or refuse is drawn, and so are their rates, their coming and going, and the routes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from router.enqueue.lanes import LOOK_EVERY_S, SOONER, Lanes
from router.smpp import vocabulary as v
from router.terms.message import Message
from router.terms.names import AccountName, ClientId, LaneName, OperatorName, RouterId
from router.terms.plan import Plan, Plans
from router.terms.settings import AccountSettings, LaneSettings
from router.terms.states import SETTLE, TAKE, WRITE

NEVER: Final = float("inf")
A_HAIR_S: Final = 1e-6
OTP, BULK = LaneName("otp"), LaneName("bulk")
NAMES: Final = [OperatorName(name) for name in "abcd"]
PLANS: Final = Plans()
PLAN_LIST: Final = [
    PLANS.of(tuple(map(OperatorName, candidates)))
    for candidates in ("a", "ab", "ba", "abc", "cab", "abcd", "dcba")
]
ACCOUNTS: Final = {
    AccountName(name): AccountSettings(
        name=AccountName(name), passwords=("x",), lane=OTP, weight=weight
    )
    for name, weight in (("bank", 1), ("shop", 3))
}
BANK, SHOP = ACCOUNTS


@dataclass
class Far:
    """One operator: a slot comes again in the time that its rate says."""

    name: OperatorName
    rate: float
    is_up: bool = True
    is_told: bool = False
    """Whether it looks for something at its next slot."""
    free_at: float = 0.0


@dataclass
class Observed:
    """The lanes between clients and operators, and what has waited how long."""

    after_s: float
    rates: list[float]
    now: float = 1000.0
    waiting: dict[RouterId, Message] = field(default_factory=dict)
    waits: dict[RouterId, float] = field(default_factory=dict)
    """How long a message had waited for a slot when an operator took it."""
    fates: Callable[[Message], str] = lambda _: "sent"

    def __post_init__(self) -> None:
        lanes = (LaneSettings(name=OTP, failover_after_s=self.after_s), LaneSettings(name=BULK))
        self.lanes = Lanes(lanes, ACCOUNTS)
        self.operators = {
            name: Far(name, rate) for name, rate in zip(NAMES, self.rates, strict=False)
        }
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0
        self._last_id = 0
        for name in self.operators:
            self.lanes.set_available(name, True, self.now)

    def at(self, when: float, call: Callable[[], None]) -> None:
        """Have something happen then."""
        self._order += 1
        heappush(self._events, (when, self._order, call))

    def accept(self, plan: Plan, account: AccountName, count: int) -> None:
        """Messages of one account come."""
        for _ in range(count):
            self._last_id += 1
            one = Message(
                router_id=RouterId(self._last_id),
                client_id=ClientId(b""),
                account=account,
                lane=OTP,
                plan=plan,
                command_id=v.SUBMIT_SM,
                octets=b"",
                source_octets=b"",
                destination_octets=b"",
                registered_delivery=0,
                accepted_at=self.now,
                accepted_utc=self.now,
                expires_utc=NEVER,
            )
            self.waiting[one.router_id] = one
            self._tell(self.lanes.put(one))

    def turn(self, name: OperatorName) -> None:
        """An operator goes, or comes."""
        operator = self.operators[name]
        operator.is_up = not operator.is_up
        self._tell(self.lanes.set_available(name, operator.is_up, self.now))

    def run(self, until: float = NEVER) -> None:
        """Let time pass, until nothing happens any more."""
        while True:
            slots = [one.free_at for one in self.operators.values() if one.is_told]
            then = min([self.lanes.wake_at(), *slots, *(at for at, _, _ in self._events[:1])])
            if then > until or then == NEVER:
                return
            self.now = max(self.now, then)
            if self.lanes.wake_at() <= self.now:
                self._tell(self.lanes.wake(self.now))
            while self._events and self._events[0][0] <= self.now:
                heappop(self._events)[2]()
            for operator in self.operators.values():
                while operator.is_told and operator.free_at <= self.now:
                    self._pull(operator)
            if self.lanes.wake_at() > self.now:
                self._look_for_idleness()

    def _tell(self, names: object) -> None:
        for name in names:  # type: ignore[attr-defined]
            self.operators[name].is_told = True

    def _pull(self, operator: Far) -> None:
        one = self.lanes.pull(operator.name, 0.0, [])
        if one is None:
            operator.is_told = False
            return
        assert operator.is_up
        assert operator.name in one.plan.candidates
        up = [name for name in one.plan.candidates if self.operators[name].is_up]
        waited_s = self.now - one.waits_since
        if operator.name != up[0]:
            assert waited_s >= self.after_s * (1 - SOONER) - A_HAIR_S
        operator.free_at = self.now + 1 / operator.rate
        del self.waiting[one.router_id]
        self.waits[one.router_id] = waited_s
        one.enter(WRITE)
        one.writes += 1
        fate = self.fates(one)
        if fate == "later":
            self.lanes.delays.delay(one, self.now + 1.0)
            self.at(self.now + 1.0, lambda: self.waiting.update({one.router_id: one}))
        elif fate == "again":
            self.waiting[one.router_id] = one
            self._tell(self.lanes.put_first(one))
        else:
            one.enter(TAKE)
            one.enter(SETTLE)

    def _look_for_idleness(self) -> None:
        """No operator has a slot and no work, while a message has waited for too long."""
        too_long_s = self.after_s + LOOK_EVERY_S + A_HAIR_S
        for operator in self.operators.values():
            if operator.is_up and operator.free_at <= self.now:
                for one in self.waiting.values():
                    if operator.name in one.plan.candidates:
                        assert self.now - one.waits_since <= too_long_s, (operator, one)


@given(
    after_s=st.sampled_from([0.01, 0.3, 2.0]),
    rates=st.lists(st.sampled_from([1.0, 7.0, 40.0, 200.0]), min_size=1, max_size=4),
    backlog=st.integers(1, 400),
)
def test_backlog_is_out_as_fast_as_all_operators_together(
    after_s: float, rates: list[float], backlog: int
) -> None:
    seen = Observed(after_s, rates)
    began_at = seen.now
    seen.accept(PLANS.of(tuple(NAMES[: len(rates)])), BANK, backlog)
    seen.run()
    assert len(seen.waits) == backlog
    # The last of each may have to wait for the slowest operator's slot.
    bound_s = after_s + 1.1 * backlog / sum(rates) + 1 / min(rates) + LOOK_EVERY_S
    assert seen.now - began_at <= bound_s
    assert max(seen.waits.values()) <= bound_s


BURST = st.tuples(
    st.floats(0.0, 6.0),
    st.sampled_from(PLAN_LIST),
    st.sampled_from([BANK, SHOP]),
    st.integers(1, 40),
)


@given(
    after_s=st.sampled_from([0.05, 0.5, 2.0]),
    rates=st.lists(st.sampled_from([1.0, 7.0, 40.0]), min_size=4, max_size=4),
    bursts=st.lists(BURST, min_size=1, max_size=6),
    turns=st.lists(st.tuples(st.floats(0.0, 8.0), st.sampled_from(NAMES)), max_size=6),
    fates=st.lists(st.sampled_from(["sent", "sent", "later", "again"]), min_size=1, max_size=12),
)
def test_no_operator_is_idle_while_a_message_waits_too_long(
    after_s: float,
    rates: list[float],
    bursts: list[tuple[float, Plan, AccountName, int]],
    turns: list[tuple[float, OperatorName]],
    fates: list[str],
) -> None:
    def fate(one: Message) -> str:
        return fates[(one.router_id + one.writes) % len(fates)] if one.writes < 3 else "sent"

    seen = Observed(after_s, rates, fates=fate)
    for wait_s, plan, account, count in bursts:
        seen.at(seen.now + wait_s, lambda p=plan, a=account, n=count: seen.accept(p, a, n))  # type: ignore[misc]
    for wait_s, name in turns:
        seen.at(seen.now + wait_s, lambda one=name: seen.turn(one))  # type: ignore[misc]
    seen.run(seen.now + 10.0)
    for operator in seen.operators.values():
        if not operator.is_up:
            seen.turn(operator.name)
    seen.run()
    assert not seen.waiting
