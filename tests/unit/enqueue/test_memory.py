"""router/enqueue/memory.py: the twin answers a turn's questions together, and forgets what ended.

What it does as every journal does is in `test_journal.py`.
"""

from collections.abc import Callable

from router.enqueue.journal import JournalError
from router.enqueue.memory import MemoryJournal
from tests.unit.enqueue.turns import changes
from tests.unit.messages import message

FULL = JournalError("no space left on device")


class Twin:
    """A journal whose turn comes when a test says so."""

    def __init__(self) -> None:
        self.turns: list[Callable[[], None]] = []
        self.journal = MemoryJournal(self.turns.append, 1000)
        self.errors: list[JournalError | None] = []

    def turn(self) -> None:
        """Have it do what it was asked before this."""
        turns = self.turns[:]
        self.turns.clear()
        for call in turns:
            call()

    def accept(self, number: int) -> None:
        """Ask for one batch."""
        batch = changes(accepted=[message(number)])
        self.journal.commit(batch, lambda _, error: self.errors.append(error), urgent=True)

    def settle(self, number: int) -> None:
        """Ask for the end of one message."""
        batch = changes(settled=[message(number)])
        self.journal.commit(batch, lambda _, error: self.errors.append(error), urgent=False)


def test_what_is_asked_in_one_turn_is_answered_in_one_later_turn() -> None:
    twin = Twin()
    for number in range(3):
        twin.accept(number)
    twin.journal.close(lambda: None)
    assert (twin.errors, twin.journal.messages, twin.journal.pending) == ([], {}, 4)
    assert len(twin.turns) == 1
    twin.turn()
    assert (len(twin.errors), twin.journal.pending, twin.turns) == (3, 0, [])
    assert list(twin.journal.messages) == [0, 1, 2]


def test_failure_of_the_turn_counts_not_that_of_the_call() -> None:
    twin = Twin()
    twin.journal.failing = FULL
    twin.accept(1)
    twin.journal.failing = None
    twin.turn()
    assert twin.errors == [None]


def test_queue_of_settled_messages_does_not_grow() -> None:
    twin = Twin()
    for number in range(100):
        twin.accept(number)
        twin.settle(number)
    twin.turn()
    (queue,) = twin.journal._queues.values()
    assert len(queue) <= 1
