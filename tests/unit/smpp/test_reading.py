"""router/smpp/reading.py: who has sent much waits in line, which has a share of each turn."""

from collections import deque
from collections.abc import Callable
from itertools import pairwise
from typing import Final

import pytest

from router.smpp.reading import (
    AT_LEAST_EVERY_S,
    AT_ONCE_PDUS,
    BEHIND_MESSAGES,
    BEHIND_OCTETS,
    BEHIND_S,
    MUCH_BEHIND,
    OPERATORS,
    OTHERS,
    SHARE_S,
    TOGETHER_S,
    URGENT,
    ReadingLine,
)


class Turns:
    """Turns of a loop, made when a test says so, and a clock that peers move."""

    def __init__(self) -> None:
        self.now = 100.0
        self.calls: Final[deque[Callable[[], None]]] = deque()
        self.served: list[str] = []
        self.delays_s: list[float] = []
        self.behind = 0, 0, False
        self.changes: list[bool] = []
        """Whether the line was empty, each time when that had changed."""
        self.line = ReadingLine(
            self._later,
            lambda: self.now,
            lambda: self.behind,
            lambda: self.changes.append(self.line.is_empty),
        )

    def _later(self, delay_s: float, call: Callable[[], None]) -> None:
        self.delays_s.append(delay_s)
        self.calls.append(call)

    def turn(self) -> str:
        """Make one turn; return who was served in it."""
        self.served.clear()
        for _ in range(len(self.calls)):
            self.calls.popleft()()
        return "".join(self.served)


class Peer:
    """A connection with something to deal with so many times, each of which takes a while."""

    def __init__(
        self,
        turns: Turns,
        name: str,
        times: int,
        takes_s: float = 0.0,
        *,
        rank: int = OTHERS,
        owner: str | None = None,
    ) -> None:
        self.turns, self.name, self.times, self.takes_s = turns, name, times, takes_s
        self.rank = rank
        self.owner = name if owner is None else owner
        self.gives_up = 0
        turns.line.wait(self)

    def read_on(self) -> bool:
        self.turns.served.append(self.name)
        self.turns.now += self.takes_s
        self.times -= 1
        return self.times > 0

    def give_up(self) -> bool:
        self.gives_up += 1
        return self.times > 0


def test_line_is_served_in_turns_until_all_is_dealt_with() -> None:
    turns = Turns()
    for name, times in ("a", 3), ("b", 1), ("c", 2):
        Peer(turns, name, times)
    assert [turns.turn(), turns.turn()] == ["abcaca", ""]
    assert turns.changes == [False, True]


@pytest.mark.parametrize("more", [(1, 0), (0, 1)], ids=["messages", "octets"])
def test_line_waits_while_the_journal_has_much_that_clients_wait_for(more: tuple[int, int]) -> None:
    turns = Turns()
    Peer(turns, "a", 20)
    turns.behind = BEHIND_MESSAGES + more[0], BEHIND_OCTETS + more[1], False
    assert [turns.turn(), turns.turn()] == ["", ""]
    assert not turns.line.is_empty
    turns.behind = BEHIND_MESSAGES, BEHIND_OCTETS, False
    assert turns.turn() == "a" * 20
    assert turns.delays_s == [0.0, BEHIND_S, BEHIND_S]


def test_nobody_is_served_in_the_turn_in_which_it_came() -> None:
    turns = Turns()
    Peer(turns, "a", 1)
    assert turns.served == []


def test_line_has_its_share_of_a_turn_and_the_next_go_first_in_the_next() -> None:
    turns = Turns()
    for name in "abc":
        Peer(turns, name, 3, takes_s=0.6 * SHARE_S)
    assert [turns.turn() for _ in range(6)] == ["ab", "ca", "bc", "ab", "c", ""]


def test_one_that_takes_longer_than_the_share_is_served_all_the_same() -> None:
    turns = Turns()
    for name in "ab":
        Peer(turns, name, 2, takes_s=5 * SHARE_S)
    assert [turns.turn() for _ in range(5)] == ["a", "b", "a", "b", ""]


def test_one_that_comes_while_the_line_is_served_comes_last() -> None:
    turns = Turns()

    class Bringer(Peer):
        def read_on(self) -> bool:
            if self.times == 2:
                Peer(turns, "b", 1)
            return super().read_on()

    Bringer(turns, "a", 2)
    assert [turns.turn(), turns.turn()] == ["aba", ""]
    assert not turns.calls


def test_it_is_known_whether_somebody_waits() -> None:
    turns = Turns()
    assert turns.line.is_empty
    Peer(turns, "a", 2, takes_s=SHARE_S)
    assert not turns.line.is_empty
    turns.turn()
    assert (len(turns.line), turns.line.is_empty) == (1, False)
    turns.turn()
    assert (len(turns.line), turns.line.is_empty) == (0, True)


class Timers:
    """Timers that are due at one moment, each of which takes a while to deal with."""

    def __init__(self, turns: Turns, count: int, takes_s: float) -> None:
        self.turns, self.takes_s = turns, takes_s
        self.woken: list[int] = []
        for number in range(count):
            turns.line.wake(lambda number=number: self.is_woken(number))  # type: ignore[misc]

    def is_woken(self, number: int) -> None:
        self.turns.now += self.takes_s
        self.woken.append(number)


def test_timers_that_are_due_together_have_a_share_of_each_turn() -> None:
    turns = Turns()
    timers = Timers(turns, 1000, SHARE_S / 10)
    counts = [len(timers.woken)]
    while turns.calls:
        turns.turn()
        counts.append(len(timers.woken))
    assert timers.woken == list(range(1000))
    assert all(9 <= after - before <= 11 for before, after in pairwise([0, *counts]))
    assert turns.delays_s == [0.0] * (len(counts) - 1)


def test_timer_that_is_due_alone_is_dealt_with_at_once() -> None:
    turns = Turns()
    for _ in range(100):
        timers = Timers(turns, 1, SHARE_S)
        assert timers.woken == [0]
        turns.now += 2 * TOGETHER_S
    assert not turns.calls


def test_timer_comes_behind_those_that_wait_already() -> None:
    turns = Turns()
    first = Timers(turns, 3, SHARE_S)
    turns.now += 1.0
    second = Timers(turns, 1, 0.0)
    assert (first.woken, second.woken) == ([0], [])
    turns.turn()
    turns.turn()
    turns.turn()
    assert (first.woken, second.woken) == ([0, 1, 2], [0])
    assert not turns.calls


def test_timer_that_fails_does_not_hold_up_the_others() -> None:
    turns = Turns()
    first = Timers(turns, 2, SHARE_S)
    turns.line.wake(lambda: first.woken.append(1 // 0))
    last = Timers(turns, 1, 0.0)
    turns.turn()
    with pytest.raises(ZeroDivisionError):
        turns.turn()
    turns.turn()
    assert (first.woken, last.woken) == ([0, 1], [0])


# Ranks and owners.


def test_ranks_have_turns_so_that_many_of_one_do_not_outweigh_few_of_another() -> None:
    turns = Turns()
    for name in "abcd":
        Peer(turns, name, 2)
    Peer(turns, "U", 3, rank=URGENT)
    Peer(turns, "O", 3, rank=OPERATORS)
    assert turns.turn() == "OUaOUbOUcdabcd"


def test_rank_whose_turn_it_is_goes_first_in_the_next_turn() -> None:
    turns = Turns()
    for name, rank in ("O", OPERATORS), ("U", URGENT), ("a", OTHERS):
        Peer(turns, name, 2, takes_s=SHARE_S, rank=rank)
    assert [turns.turn() for _ in range(6)] == ["O", "U", "a", "O", "U", "a"]


def test_connections_of_one_owner_share_its_turns() -> None:
    turns = Turns()
    for name in "abc":
        Peer(turns, name, 2, owner="many")
    Peer(turns, "z", 4, owner="one")
    assert len(turns.line) == 4
    assert turns.turn() == "azbzczazbc"
    assert len(turns.line) == 0


@pytest.mark.parametrize(
    ("messages", "octets", "is_slow"),
    [(BEHIND_MESSAGES + 1, 0, False), (0, BEHIND_OCTETS + 1, False), (0, 0, True)],
)
def test_while_the_journal_is_behind_only_operators_and_urgent_ones_are_served(
    messages: int, octets: int, *, is_slow: bool
) -> None:
    turns = Turns()
    Peer(turns, "O", 2, rank=OPERATORS)
    Peer(turns, "a", 1)
    for name in "UV":
        Peer(turns, name, 2, rank=URGENT)
    turns.behind = messages, octets, is_slow
    assert [turns.turn() for _ in range(3)] == ["OUV", "OUV", ""]
    turns.behind = 0, 0, False
    assert turns.turn() == "a"


@pytest.mark.parametrize("more", [(1, 0), (0, 1)], ids=["messages", "octets"])
def test_while_it_is_much_behind_nobody_is_served_however_long(more: tuple[int, int]) -> None:
    turns = Turns()
    Peer(turns, "O", 1, rank=OPERATORS)
    Peer(turns, "U", 1, rank=URGENT)
    most = BEHIND_MESSAGES * MUCH_BEHIND, BEHIND_OCTETS * MUCH_BEHIND
    turns.behind = most[0] + more[0], most[1] + more[1], False
    turns.now += 2 * AT_LEAST_EVERY_S
    assert turns.turn() == ""
    turns.behind = *most, False
    assert turns.turn() == "OU"


def test_while_the_journal_stays_behind_others_are_served_now_and_then() -> None:
    turns = Turns()
    Peer(turns, "a", 9, takes_s=SHARE_S)
    turns.behind = 0, 0, True
    served = []
    for _ in range(5):
        served.append(turns.turn())
        turns.now += 0.6 * AT_LEAST_EVERY_S
    assert served == ["", "", "a", "", "a"]
    turns.behind = 0, BEHIND_OCTETS + 1, False
    turns.now += 2 * AT_LEAST_EVERY_S
    assert turns.turn() == ""


class Faulty(Peer):
    """A connection at which something goes wrong."""

    def read_on(self) -> bool:
        raise RuntimeError(self.name)

    def give_up(self) -> bool:
        raise RuntimeError(self.name)


@pytest.mark.parametrize("is_behind", [False, True])
def test_connection_that_fails_does_not_hold_up_the_others(*, is_behind: bool) -> None:
    turns = Turns()
    Faulty(turns, "F", 1)
    Peer(turns, "a", 1)
    turns.behind = 0, 0, is_behind
    with pytest.raises(RuntimeError):
        turns.turn()
    assert len(turns.line) == 1
    turns.behind = 0, 0, False
    assert turns.turn() == "a"
    assert turns.line.is_empty


def test_while_the_journal_is_behind_others_give_up_what_is_late_one_in_each_turn() -> None:
    turns = Turns()
    peers = [Peer(turns, name, 1) for name in "ab"]
    urgent = Peer(turns, "U", 9, rank=URGENT)
    turns.behind = 0, 0, True
    for _ in range(3):
        turns.turn()
    assert [one.gives_up for one in (*peers, urgent)] == [2, 1, 0]
    assert len(turns.line) == 3


@pytest.mark.parametrize(
    ("uncommitted", "is_slow", "left"),
    [
        (0, False, AT_ONCE_PDUS),
        (100, False, AT_ONCE_PDUS - 400),
        (AT_ONCE_PDUS, False, -3 * AT_ONCE_PDUS),
        (0, True, 0),
    ],
)
def test_less_is_dealt_with_at_once_while_the_journal_has_more(
    uncommitted: int, left: int, *, is_slow: bool
) -> None:
    turns = Turns()
    turns.line.left = 7
    turns.line.turn_ended(uncommitted, is_slow=is_slow)
    assert turns.line.left == left


def test_line_that_is_served_begins_a_new_turn() -> None:
    turns = Turns()
    turns.line.left = 0
    Peer(turns, "a", 1)
    turns.turn()
    assert turns.line.left == AT_ONCE_PDUS
