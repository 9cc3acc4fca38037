"""router/enqueue/memory.py: the journal's twin answers later, in order, and forgets what ended."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from router.enqueue.journal import (
    BEGINNING,
    Attempt,
    Backlog,
    Changes,
    Held,
    Journal,
    JournalError,
    Place,
    Recovered,
    Settlement,
    Wanted,
)
from router.enqueue.memory import MemoryJournal
from router.terms.message import Delivery, Message
from router.terms.names import AccountName, OperatorId, OperatorName, RouterId
from router.terms.outcome import Outcome
from router.terms.plan import Plan
from router.terms.states import SENT
from tests.unit.messages import BANK, ELISA, SHOP, TELIA, TO_ELISA, TO_TELIA, delivery, message

FULL = JournalError("no space left on device")


@dataclass
class Kept:
    """A journal whose turn comes when a test says so, and what it has answered."""

    turns: list[Callable[[], None]] = field(default_factory=list)
    done: list[tuple[Changes, JournalError | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.journal = MemoryJournal(self.turns.append, 1000)

    def turn(self) -> None:
        """The journal does what it was asked before this."""
        turns = self.turns[:]
        self.turns.clear()
        for call in turns:
            call()

    def commit(
        self,
        *,
        accepted: tuple[Message, ...] = (),
        attempted: tuple[Message, ...] = (),
        held: tuple[Delivery, ...] = (),
        acknowledged: tuple[Delivery, ...] = (),
        settled: tuple[Message, ...] = (),
    ) -> Changes:
        """Ask for one batch."""
        changes = Changes()
        changes.accepted += accepted
        changes.attempted += map(attempt, attempted)
        changes.held += held
        changes.acknowledged += acknowledged
        changes.settled += [Settlement(one, Outcome.DELIVERED, 0.0) for one in settled]
        self.journal.commit(
            changes, lambda batch, error: self.done.append((batch, error)), urgent=True
        )
        return changes

    def fetched(
        self,
        after: int = -1,
        count: int = 1000,
        plan: Plan = TO_TELIA,
        lane: int = 0,
        account: AccountName = BANK,
    ) -> list[int]:
        """The ids of what a fetch brings."""
        answers: list[list[Message]] = []

        def done(messages: list[Message], error: JournalError | None) -> None:
            assert error is None
            answers.append(messages)

        self.journal.fetch(Wanted(plan, lane, account, RouterId(after), count), done)
        assert answers == []
        self.turn()
        (messages,) = answers
        return [int(one.router_id) for one in messages]

    def sent(self, operator: OperatorName = TELIA, before_utc: float = 1.0) -> list[Attempt]:
        """What an operator took."""
        answers: list[list[Attempt]] = []

        def done(found: list[Attempt], place: Place | None, error: JournalError | None) -> None:
            assert (place, error) == (None, None)
            answers.append(found)

        self.journal.fetch_sent(operator, before_utc, BEGINNING, 1000, done)
        assert answers == []
        self.turn()
        (found,) = answers
        return found

    def recalled(self, *operator_ids: bytes) -> list[Attempt]:
        """What it took under these ids."""
        answers: list[list[Attempt]] = []
        ids = [OperatorId(one) for one in operator_ids]
        self.journal.recall(TELIA, ids, lambda found, _: answers.append(found))
        assert answers == []
        self.turn()
        (found,) = answers
        return found

    def held(self, after: int = 0, count: int = 1000) -> list[int]:
        """Which deliveries are kept for the bank."""
        answers: list[list[Delivery]] = []
        self.journal.fetch_held(BANK, after, count, lambda found, _: answers.append(found))
        assert answers == []
        self.turn()
        (found,) = answers
        return [one.router_id for one in found]

    def recovered(self) -> Recovered:
        """What a new process finds."""
        answers: list[Recovered] = []

        def done(found: Recovered, error: JournalError | None) -> None:
            assert error is None
            answers.append(found)

        self.journal.recover(done)
        assert answers == []
        self.turn()
        (found,) = answers
        return found


def attempt(one: Message) -> Attempt:
    return Attempt(one, TELIA, OperatorId(b"%d" % one.router_id), 0.0)


def ones(*numbers: int) -> tuple[Message, ...]:
    return tuple(message(number) for number in numbers)


def test_twin_is_a_journal() -> None:
    journal: Journal = Kept().journal
    assert journal.pending == 0


# When it answers.


def test_nothing_is_done_in_the_turn_in_which_it_is_asked() -> None:
    kept = Kept()
    heard: list[str] = []
    kept.commit(accepted=ones(1))
    kept.journal.reserve_ids(10, lambda first, error: heard.append("ids"))
    kept.journal.fetch(Wanted(TO_TELIA, 0, BANK, RouterId(-1), 9), lambda *_: heard.append("fetch"))
    kept.journal.recover(lambda *_: heard.append("recover"))
    kept.journal.close(lambda: heard.append("close"))
    assert (kept.done, heard, kept.journal.messages, kept.journal.pending) == ([], [], {}, 5)
    assert len(kept.turns) == 1
    kept.turn()
    assert heard == ["ids", "fetch", "recover", "close"]
    assert kept.journal.pending == 0


def test_batches_are_done_in_the_order_of_the_calls() -> None:
    kept = Kept()
    batches = [kept.commit(accepted=ones(number)) for number in range(3)]
    kept.turn()
    assert [batch for batch, _ in kept.done] == batches
    assert list(kept.journal.messages) == [0, 1, 2]


def test_what_is_asked_while_it_answers_waits_for_another_turn() -> None:
    kept = Kept()
    heard: list[int] = []

    def once_more(first: int, _: JournalError | None) -> None:
        heard.append(first)
        kept.journal.reserve_ids(10, once_more)

    kept.journal.reserve_ids(10, once_more)
    for count in range(1, 4):
        kept.turn()
        assert len(heard) == count
    assert heard == [1000, 1010, 1020]


def test_close_comes_after_what_was_asked_before() -> None:
    kept = Kept()
    kept.commit(accepted=ones(1))
    closed: list[int] = []
    kept.journal.close(lambda: closed.append(len(kept.done)))
    kept.turn()
    assert closed == [1]


# When it fails.


def test_batch_that_fails_changes_nothing_and_may_be_told_again() -> None:
    kept = Kept()
    one, other = ones(1, 2)
    receipt = delivery(1)
    kept.commit(accepted=(one,), held=(receipt,))
    kept.turn()
    kept.journal.failing = FULL
    batch = kept.commit(
        accepted=(other,), attempted=(one,), settled=(one,), acknowledged=(receipt,)
    )
    kept.turn()
    assert kept.done[-1] == (batch, FULL)
    assert list(kept.journal.messages) == [1]
    assert kept.journal.attempts == {}
    assert list(kept.journal.held.values()) == [receipt]
    kept.journal.failing = None
    kept.commit(accepted=(other,))
    kept.turn()
    assert kept.done[-1][1] is None
    assert list(kept.journal.messages) == [1, 2]


def test_failure_of_the_turn_counts_not_that_of_the_call() -> None:
    kept = Kept()
    kept.journal.failing = FULL
    kept.commit(accepted=ones(1))
    kept.journal.failing = None
    kept.turn()
    assert kept.done[0][1] is None


def test_journal_that_fails_gives_out_no_numbers() -> None:
    kept = Kept()
    heard: list[tuple[int, JournalError | None]] = []
    kept.journal.failing = FULL
    kept.journal.reserve_ids(10, lambda *answer: heard.append(answer))
    kept.turn()
    kept.journal.failing = None
    kept.journal.reserve_ids(10, lambda *answer: heard.append(answer))
    kept.turn()
    assert heard == [(0, FULL), (1000, None)]


def test_journal_that_fails_hands_out_nothing_it_holds() -> None:
    kept = Kept()
    kept.commit(accepted=ones(1), held=(delivery(1),))
    kept.turn()
    kept.journal.failing = FULL
    heard: list[object] = []
    wanted = Wanted(TO_TELIA, 0, BANK, RouterId(-1), 9)
    kept.journal.fetch(wanted, lambda *answer: heard.append(answer))
    kept.journal.recover(lambda *answer: heard.append(answer))
    kept.turn()
    assert heard == [([], FULL), (Recovered(), FULL)]
    kept.journal.failing = None
    assert kept.fetched() == [1]


# Fetch.


def test_fetch_brings_the_next_messages_after_an_id() -> None:
    kept = Kept()
    kept.commit(accepted=ones(1, 2, 3, 4, 5))
    kept.turn()
    assert kept.fetched(count=2) == [1, 2]
    assert kept.fetched(after=2, count=2) == [3, 4]
    assert kept.fetched(after=4, count=2) == [5]
    assert kept.fetched(after=5, count=2) == []


@pytest.mark.parametrize(
    ("plan", "lane", "account", "numbers"),
    [
        (TO_TELIA, 0, BANK, [1, 5]),
        (TO_ELISA, 0, BANK, [2]),
        (TO_TELIA, 1, BANK, [3]),
        (TO_TELIA, 0, SHOP, [4]),
        (TO_ELISA, 1, SHOP, []),
    ],
)
def test_fetch_brings_only_what_is_in_its_queue(
    plan: Plan, lane: int, account: AccountName, numbers: list[int]
) -> None:
    kept = Kept()
    others = (message(2, plan=TO_ELISA), message(3, lane=1), message(4, account=SHOP), message(5))
    kept.commit(accepted=(message(1), *others))
    kept.turn()
    assert kept.fetched(plan=plan, lane=lane, account=account) == numbers


def test_fetch_leaves_out_what_was_taken_or_settled() -> None:
    kept = Kept()
    all_five = ones(1, 2, 3, 4, 5)
    kept.commit(accepted=all_five)
    kept.commit(attempted=all_five[1:2], settled=all_five[3:4])
    kept.turn()
    assert kept.fetched(count=2) == [1, 3]
    assert kept.fetched(after=3) == [5]


def test_queue_of_settled_messages_does_not_grow() -> None:
    kept = Kept()
    for number in range(100):
        (one,) = ones(number)
        kept.commit(accepted=(one,))
        kept.commit(settled=(one,))
    kept.turn()
    (queue,) = kept.journal._queues.values()
    assert len(queue) <= 1


# What a new process finds.


def test_new_process_finds_what_is_not_over() -> None:
    kept = Kept()
    one, taken, over, other = (*ones(1, 2, 3), message(4, account=SHOP))
    first, second, third = delivery(1), delivery(2), delivery(3)
    kept.commit(accepted=(one, taken, over, other), held=(first, second, third))
    kept.commit(attempted=(taken, over), settled=(over,), acknowledged=(second,))
    kept.turn()
    found = kept.recovered()
    assert found.waiting == [Backlog(TO_TELIA, 0, BANK, 1), Backlog(TO_TELIA, 0, SHOP, 1)]
    assert found.sent == {TELIA: 1}
    assert found.held == {BANK: Held(2, 1, 3)}
    assert kept.held() == [1, 3]
    assert (kept.held(count=1), kept.held(after=1), kept.held(after=3)) == ([1], [3], [])
    (sent,) = kept.sent()
    assert (sent.message.router_id, sent.operator_id) == (2, b"2")
    assert sent.message is not taken  # What happens to it is no business of the journal's.
    assert (sent.message.state, sent.message.octets) == (SENT, b"")
    assert kept.sent(ELISA) == kept.sent(before_utc=0.0) == []


def test_new_process_can_fetch_what_the_one_before_had_fetched() -> None:
    kept = Kept()
    kept.commit(accepted=ones(1, 2, 3))
    kept.turn()
    assert kept.fetched(count=2) == [1, 2]
    assert kept.fetched(after=2) == [3]
    assert kept.recovered().waiting == [Backlog(TO_TELIA, 0, BANK, 3)]
    assert kept.fetched() == [1, 2, 3]


def test_new_process_can_fetch_every_message_that_it_was_told_of() -> None:
    kept = Kept()
    moved, stays = ones(1, 2)
    kept.commit(accepted=(moved, stays, message(3, plan=TO_ELISA)))
    kept.turn()
    moved.plan = TO_ELISA
    counts = {backlog.plan: backlog.count for backlog in kept.recovered().waiting}
    assert counts == {TO_TELIA: 2, TO_ELISA: 1}  # It is kept where it was accepted to.
    assert kept.fetched(plan=TO_ELISA) == [3]
    assert kept.fetched(plan=TO_TELIA) == [1, 2]


def test_message_that_two_operators_took_is_found_twice_and_forgotten_at_once() -> None:
    kept = Kept()
    (one,) = ones(1)
    kept.commit(accepted=(one,))
    late, early = attempt(one), Attempt(one, ELISA, OperatorId(b"abc"), -1.0)
    changes = Changes()
    changes.attempted += [late, early]
    kept.journal.commit(changes, lambda *_: None, urgent=False)
    kept.turn()
    assert kept.recovered().sent == {TELIA: 1, ELISA: 1}
    for found in (kept.sent(), kept.sent(ELISA), kept.recalled(b"9", b"1")):
        assert [one.operator for one in found] == [ELISA, TELIA]
        assert found[0].message is found[1].message
    assert kept.recalled(b"abc") == []  # That is what another operator calls it.
    kept.commit(settled=(one,))
    kept.turn()
    assert kept.recalled(b"1") == kept.sent() == []
    assert kept.recovered() == Recovered()


def test_one_batch_may_hold_a_message_from_beginning_to_end() -> None:
    kept = Kept()
    (one,) = ones(1)
    receipt = delivery(1)
    kept.commit(
        accepted=(one,), attempted=(one,), settled=(one,), held=(receipt,), acknowledged=(receipt,)
    )
    kept.turn()
    assert kept.recovered() == Recovered()
    assert kept.fetched() == []
