"""router/accept/admission.py: sessions of one account at their gates, woken when they ask to be.

What happens at each step, and that nothing leaks: tests/unit/accept/test_admission.py.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from router.accept.accounts import Account
from router.accept.admission import LONGEST_HOLD_S, MOST_HELD, Admission
from router.accept.rooms import Rooms
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu
from router.terms.limits import Rate
from router.terms.names import AccountName, LaneName
from router.terms.outcome import QUEUE_FULL, THROTTLED, Refusal
from router.terms.settings import AccountSettings

HAIR_S: Final = 1e-6
"""What rounding may add to a wait or to a rate."""
MOST_LOOKS: Final = 60
"""In a second: room is looked for every 20 ms, and each answer and token calls for a look."""


class Places(Rooms):
    """An account's places in the queues."""

    def __init__(self, free: int) -> None:
        super().__init__({})
        self.free = free

    def take(self, account: AccountName, octets: int) -> bool:
        if self.free == 0:
            return False
        self.free -= 1
        return True

    def give(self, account: AccountName, octets: int) -> None:
        self.free += 1


class Gates:
    """The sessions, a clock, and what became of every PDU."""

    def __init__(self, rate: Rate | None, burst: int, window: int, places: int) -> None:
        self.now = 1000.0
        settings = AccountSettings(
            name=AccountName("bank"),
            passwords=("x",),
            lane=LaneName("otp"),
            rate=rate,
            burst=burst,
            window=window,
        )
        self.settings = settings
        self.places = places
        self.rooms = Places(places)
        self.account = Account(settings, self.now)
        self.sessions = [Admission(self.account, self.rooms) for _ in range(2)]
        self.arrived_at: dict[int, float] = {}
        self.fates: list[dict[int, Refusal | None]] = [{}, {}]
        self.inside: list[deque[int]] = [deque(), deque()]
        self.let_in_at: list[float] = []
        self.waiting = 0
        """Messages that wait for an operator."""

    def submit(self, session: int, count: int) -> None:
        for _ in range(count):
            number = len(self.arrived_at)
            self.arrived_at[number] = self.now
            verdict = self.sessions[session].judge(Pdu(v.SUBMIT_SM, 0, number, b"x"), self.now)
            if verdict is True:
                self.fate(session, number, None)
            elif isinstance(verdict, Refusal):  # At once, only if no more can be held.
                assert self.sessions[session].held == MOST_HELD
                self.fate(session, number, verdict)

    def fate(self, session: int, number: int, refusal: Refusal | None) -> None:
        assert number not in self.fates[session]
        self.fates[session][number] = refusal
        if refusal is None:
            self.inside[session].append(number)
            self.let_in_at.append(self.now)
            assert len(self.inside[session]) <= self.settings.window
        else:
            assert refusal in (THROTTLED, QUEUE_FULL)

    def answer(self, session: int, count: int, *, goes_on: bool) -> None:
        """The journal has some, or they are refused; then their room is free at once."""
        for _ in range(min(count, len(self.inside[session]))):
            self.inside[session].popleft()
            if goes_on:
                self.waiting += 1
            else:
                self.rooms.give(self.settings.name, 1)
            self.sessions[session].answered(1)

    def give_room(self, count: int) -> None:
        """An operator has taken some."""
        for _ in range(min(count, self.waiting)):
            self.waiting -= 1
            self.rooms.give(self.settings.name, 1)

    def wait(self, seconds: float) -> None:
        """Time passes; whoever asks to be woken is."""
        end = self.now + seconds
        looks = 0
        while (at := min(gate.wake_at() for gate in self.sessions)) <= end:
            self.now = max(self.now, at)
            for session, gate in enumerate(self.sessions):
                if gate.wake_at() <= self.now:
                    looks += 1
                    self.release(session)
                    assert gate.wake_at() > self.now, "it would be woken again at once"
        self.now = end
        assert looks <= MOST_LOOKS * (seconds + 1) + 2 * len(self.arrived_at)

    def release(self, session: int) -> None:
        for pdu, refusal, arrived_at in self.sessions[session].wake(self.now):
            number = pdu.sequence_number
            assert abs(arrived_at - self.arrived_at[number]) < HAIR_S
            assert self.now - arrived_at <= LONGEST_HOLD_S + HAIR_S
            if refusal is not None:
                assert self.now - arrived_at >= LONGEST_HOLD_S - HAIR_S
            self.fate(session, number, refusal)

    def check(self) -> None:
        for session, gate in enumerate(self.sessions):
            assert list(self.fates[session]) == sorted(self.fates[session])
            assert gate.held <= MOST_HELD
        assert self.account.unanswered_octets == sum(map(len, self.inside))
        assert self.rooms.free + self.waiting + sum(map(len, self.inside)) == self.places
        rate, times = self.settings.rate, self.let_in_at
        if rate is not None and self.settings.burst is not None:
            for first in range(len(times)):
                for last in range(first, len(times)):
                    most = self.settings.burst + rate.per_second * (times[last] - times[first])
                    assert last - first + 1 <= most + HAIR_S * rate.count


Step = Callable[[Gates], None]
SESSION = st.integers(0, 1)
COUNT = st.integers(1, 6)


def submits(session: int, count: int) -> Step:
    return lambda gates: gates.submit(session, count)


def answers(session: int, count: int, goes_on: bool) -> Step:
    return lambda gates: gates.answer(session, count, goes_on=goes_on)


def gives_room(count: int) -> Step:
    return lambda gates: gates.give_room(count)


def waits(seconds: float) -> Step:
    return lambda gates: gates.wait(seconds)


STEPS: st.SearchStrategy[Step] = st.one_of(
    st.builds(submits, SESSION, COUNT),
    st.builds(submits, SESSION, COUNT),
    st.builds(answers, SESSION, COUNT, st.booleans()),
    st.builds(gives_room, COUNT),
    st.builds(waits, st.sampled_from([0.0, 0.01, 0.3, 1.0, 2.5])),
)


@given(
    st.none() | st.sampled_from([Rate(1, 1.0), Rate(3, 1.0), Rate(50, 1.0), Rate(7, 60.0)]),
    st.integers(1, 4),
    st.integers(1, 5),
    st.integers(0, 8),
    st.lists(STEPS, min_size=10, max_size=40),
)
def test_whoever_is_held_hears_within_a_second_in_order_and_within_every_limit(
    rate: Rate | None, burst: int, window: int, places: int, steps: list[Step]
) -> None:
    gates = Gates(rate, burst, window, places)
    for step in steps:
        step(gates)
        gates.check()
    gates.wait(LONGEST_HOLD_S)
    gates.check()
    heard = sum(len(fates) for fates in gates.fates)
    assert heard == len(gates.arrived_at), "somebody is held for ever"
