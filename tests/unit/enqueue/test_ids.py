"""router/enqueue/ids.py: ids increase, end with the node, and are reserved before use."""

from collections.abc import Callable

import pytest

from router.enqueue.ids import FEW, PER_BLOCK, Ids, client_id_of
from router.enqueue.journal import JournalError
from router.enqueue.memory import MemoryJournal
from router.terms.names import RouterId

FIRST = 5_000_000
FULL = JournalError("no space left on device")


class Blocks:
    """Ids, and a journal whose turn comes when a test says so."""

    def __init__(self, node: int = 7) -> None:
        self.turns: list[Callable[[], None]] = []
        self.journal = MemoryJournal(self.turns.append, FIRST)
        self.ids = Ids(self.journal, node)

    def turn(self) -> None:
        """The journal answers what it was asked."""
        turns = self.turns[:]
        self.turns.clear()
        for call in turns:
            call()

    def take(self, count: int) -> list[int]:
        """So many ids, each of which there is."""
        taken = [self.ids.take() for _ in range(count)]
        assert None not in taken
        return [one for one in taken if one is not None]


def ready() -> Blocks:
    blocks = Blocks()
    blocks.ids.reserve()
    blocks.turn()
    return blocks


def test_no_id_is_given_before_the_journal_has_reserved_it() -> None:
    blocks = Blocks()
    assert blocks.ids.take() is None
    assert blocks.ids.take() is None
    assert blocks.journal.pending == 1
    blocks.turn()
    assert blocks.ids.take() == FIRST * 100 + 7


@pytest.mark.parametrize("node", [0, 7, 99])
def test_ids_increase_and_end_with_the_node(node: int) -> None:
    blocks = Blocks(node)
    blocks.ids.reserve()
    blocks.turn()
    assert blocks.take(3) == [(FIRST + number) * 100 + node for number in range(3)]


def test_next_block_is_asked_for_once_and_before_it_is_needed() -> None:
    blocks = ready()
    blocks.take(PER_BLOCK - FEW)
    assert blocks.journal.pending == 0
    blocks.take(FEW)
    assert blocks.journal.pending == 1
    assert blocks.ids.take() is None


def test_ids_go_on_in_the_next_block_without_a_gap_or_a_repetition() -> None:
    blocks = ready()
    first = blocks.take(PER_BLOCK - 5)
    blocks.turn()
    assert blocks.journal.pending == 0
    numbers = first + blocks.take(10)
    assert numbers == [(FIRST + number) * 100 + 7 for number in range(PER_BLOCK + 5)]


def test_ids_of_two_processes_with_one_journal_are_not_the_same() -> None:
    blocks = ready()
    before = blocks.take(10)
    blocks.ids = Ids(blocks.journal, 7)
    blocks.ids.reserve()
    blocks.turn()
    assert blocks.take(1)[0] > before[-1]
    assert blocks.take(1)[0] == (FIRST + PER_BLOCK + 1) * 100 + 7


def test_no_id_is_given_while_the_journal_fails_and_it_is_asked_again() -> None:
    blocks = Blocks()
    blocks.journal.failing = FULL
    for _ in range(3):
        assert blocks.ids.take() is None
        assert blocks.journal.pending == 1
        blocks.turn()
    blocks.journal.failing = None
    assert blocks.ids.take() is None
    blocks.turn()
    assert blocks.take(2) == [FIRST * 100 + 7, (FIRST + 1) * 100 + 7]


def test_reserved_ids_are_given_although_the_journal_fails() -> None:
    blocks = ready()
    blocks.journal.failing = FULL
    for _ in range(PER_BLOCK // 1000):
        blocks.take(1000)
        blocks.turn()
    assert blocks.ids.take() is None


def test_who_asks_for_a_block_hears_whether_it_is_there() -> None:
    blocks = Blocks()
    heard: list[JournalError | None] = []
    blocks.journal.failing = FULL
    blocks.ids.reserve(heard.append)
    assert heard == []
    blocks.turn()
    blocks.journal.failing = None
    blocks.ids.reserve(heard.append)
    blocks.turn()
    assert heard == [FULL, None]


def test_client_sees_our_id_or_eight_characters() -> None:
    assert client_id_of(RouterId(91_234_567_890_107), "decimal") == b"91234567890107"
    assert client_id_of(RouterId(1007), "hex8") == b"0000000A"


def test_ids_of_eight_characters_follow_each_other_and_begin_anew() -> None:
    last = RouterId(0xFFFF_FFFF * 100 + 7)
    assert client_id_of(last, "hex8") == b"FFFFFFFF"
    assert client_id_of(RouterId(last + 100), "hex8") == b"00000000"
    many = {
        client_id_of(RouterId(number * 100 + 7), "hex8") for number in range(10**9, 10**9 + 999)
    }
    assert len(many) == 999
