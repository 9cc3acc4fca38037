"""router/enqueue/{memory,sqlite}.py: the twins agree; whatever is cut off, batches are whole."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from router.enqueue.journal import (
    BEGINNING,
    Changes,
    PendingReceipt,
    Recovered,
    Settlement,
    Wanted,
)
from router.enqueue.memory import MemoryJournal
from router.enqueue.sqlite import SqliteJournal
from router.terms.message import Delivery, Message
from router.terms.names import OperatorId, OperatorName, RouterId
from router.terms.queue_key import QueueKey
from tests.unit.enqueue.turns import Turns, attempt, changes, told_again
from tests.unit.messages import (
    ALERT,
    BANK,
    ELISA,
    OTP,
    SHOP,
    TELIA,
    TO_ELISA,
    TO_TELIA,
    delivery,
    message,
)

QUEUES = [
    (TO_TELIA, OTP, BANK),
    (TO_TELIA, ALERT, BANK),
    (TO_TELIA, OTP, SHOP),
    (TO_ELISA, OTP, BANK),
]

Script = list[list[tuple[str, int]]]
"""Batches of what happens: a word, and a number that chooses to what."""

SCRIPTS = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from(["accept", "attempt", "fail", "settle", "hold", "acknowledge"]),
            st.integers(0, 1000),
        ),
        min_size=1,
        max_size=8,
    ),
    min_size=1,
    max_size=12,
)

SETTLE_EVERY_S = st.sampled_from([0.0, 0.002, 0.02])


@dataclass
class Life:
    """What may happen next: only what is safe is settled, taken or acknowledged."""

    next_number: int = 1
    open: list[Message] = field(default_factory=list)
    held: list[Delivery] = field(default_factory=list)
    taken: list[PendingReceipt] = field(default_factory=list)

    def batch(self, happenings: list[tuple[str, int]]) -> Changes:
        """The changes of one turn of a loop."""
        one = changes()
        for word, choice in happenings:
            match word:
                case "accept":
                    plan, lane, account = QUEUES[choice % len(QUEUES)]
                    number = self.next_number
                    self.next_number += 1
                    accepted = message(number, plan=plan, lane=lane, account=account)
                    accepted.not_before_utc = float(choice % 3)
                    one.accepted.append(accepted)
                case "attempt" if self.open:
                    taken = self.open[choice % len(self.open)]
                    operator = (TELIA, ELISA)[choice % 2]
                    number = self.next_number
                    self.next_number += 1
                    taken_as = b"id-%d" % number
                    taken.writes = 2  # Else there is no second attempt.
                    one.taken.append(attempt(taken, operator, taken_as, float(number)))
                case "fail" if self.taken:
                    failed = self.taken.pop(choice % len(self.taken))
                    if failed.message in self.open:
                        one.taken.append(told_again(failed, b"%d" % choice))
                case "settle" if self.open:
                    ended = self.open.pop(choice % len(self.open))
                    one.settled += changes(settled=[ended]).settled
                case "hold":
                    one.held.append(delivery(self.next_number))
                    self.next_number += 1
                case "acknowledge" if self.held:
                    one.acknowledged.append(self.held.pop(choice % len(self.held)))
        return one

    def done(self, one: Changes) -> None:
        """It is safe: its messages and deliveries live on."""
        settled = {settlement.message.router_id for settlement in one.settled}
        self.open += [m for m in one.accepted if m.router_id not in settled]
        self.held += one.held
        self.taken += [a for a in one.taken if a.failure is None]


# The twins.


@dataclass
class Twins:
    """Both journals, told the same."""

    turns: Turns
    path: Path

    def __post_init__(self) -> None:
        self.memory = MemoryJournal(self.turns.soon, 1)
        self.sqlite = self.turns.open(self.path)
        self._message_of: dict[int, Message] = {}
        self._delivery_of: dict[Delivery, Delivery] = {}

    def keep(self, one: Changes) -> None:
        """Commit to both."""
        heard: list[object] = []
        self.memory.commit(self._apart(one), lambda *_: heard.append(1), urgent=True)
        self.turns.until(lambda: heard)
        assert self.turns.keep(self.sqlite, one) is None

    def _apart(self, one: Changes) -> Changes:
        """The same with objects of its own, because each journal numbers them."""
        other = Changes()
        self._message_of |= {kept.router_id: copy(kept) for kept in one.accepted}
        self._delivery_of |= {kept: copy(kept) for kept in one.held}
        other.accepted = [self._message_of[kept.router_id] for kept in one.accepted]
        for taken in one.taken:
            message = self._message_of[taken.message.router_id]
            message.writes = taken.message.writes
            other.taken.append(told_again(taken, taken.failure, message))
        for over in one.settled:
            message = self._message_of[over.message.router_id]
            settled = Settlement(message, over.outcome, over.at_utc, over.reason)
            settled.kept_as = over.kept_as
            other.settled.append(settled)
        other.held = [self._delivery_of[kept] for kept in one.held]
        other.acknowledged = [self._delivery_of[kept] for kept in one.acknowledged]
        return other

    def reopen(self) -> None:
        """The file has to go on alone, in a new process."""
        self.turns.close(self.sqlite)
        self.sqlite = self.turns.open(self.path)

    def sent(
        self, operator: OperatorName, count: int
    ) -> tuple[list[PendingReceipt], list[PendingReceipt]]:
        """What an operator took, as each tells it; ours in pieces, so some may come twice."""
        heard: list[list[PendingReceipt]] = []
        infinity = float("inf")
        self.memory.fetch_sent(
            operator, infinity, BEGINNING, count, lambda found, *_: heard.append(found)
        )
        self.turns.until(lambda: heard)
        return heard[0], self.turns.sent(self.sqlite, operator, count=count)

    def recalled(
        self, operator_ids: list[OperatorId]
    ) -> tuple[list[PendingReceipt], list[PendingReceipt]]:
        """What an operator took under these ids."""
        heard: list[list[PendingReceipt]] = []
        self.memory.recall(TELIA, operator_ids, lambda found, _: heard.append(found))
        self.turns.until(lambda: heard)
        return heard[0], self.turns.recalled(self.sqlite, *operator_ids)

    def held(self, after: int, count: int) -> tuple[list[Delivery], list[Delivery]]:
        """The next deliveries."""
        heard: list[list[Delivery]] = []
        self.memory.fetch_held(BANK, after, count, 10**6, lambda found, _: heard.append(found))
        self.turns.until(lambda: heard)
        return heard[0], self.turns.held(self.sqlite, after, count)

    def recovered(self) -> tuple[Recovered, Recovered]:
        """What each holds."""
        heard: list[Recovered] = []
        self.memory.recover(lambda found, _: heard.append(found))
        self.turns.until(lambda: heard)
        return heard[0], self.turns.recovered(self.sqlite)

    def waiting(self, wanted: Wanted) -> tuple[list[Message], list[Message]]:
        """What each has in a queue."""
        heard: list[list[Message]] = []
        self.memory.fetch(wanted, lambda found, _: heard.append(found))
        self.turns.until(lambda: heard)
        return heard[0], self.turns.waiting(self.sqlite, wanted)


@contextmanager
def folder() -> Iterator[Path]:
    """For one example."""
    with TemporaryDirectory() as found:
        yield Path(found)


def summary(found: Recovered) -> tuple[object, ...]:
    """What there is to compare."""
    backlogs = {b.queue: b.count for b in found.waiting if b.count}
    return backlogs, found.sent, {name: held.count for name, held in found.held.items()}


def attempts_of(found: list[PendingReceipt]) -> dict[tuple[object, ...], tuple[object, ...]]:
    """What there is to compare of attempts."""
    return {
        (a.message.router_id, a.operator, a.operator_id, a.at_utc, a.failure): described(
            [a.message]
        )[0]
        for a in found
    }


def described(messages: list[Message]) -> list[tuple[object, ...]]:
    """Every field that outlives a process; but for what only matters to one that waits."""
    return [
        (
            *(m.router_id, m.client_id, m.account, m.lane, m.plan.candidates, m.writes),
            *(m.octets, m.source_octets, m.destination_octets, m.registered_delivery),
            *(m.accepted_utc, m.not_before_utc, m.hold_receipt, m.in_doubt, m.operator),
            len(m.row.attempts),
        )
        for m in messages
    ]


@given(script=SCRIPTS, reopened_after=st.sets(st.integers(0, 11)), count=st.integers(1, 5))
def test_twins_agree_whatever_they_are_told(
    script: Script, reopened_after: set[int], count: int
) -> None:
    with folder() as at:
        turns = Turns()
        twins = Twins(turns, at / "router.db")
        life = Life()
        for step, happenings in enumerate(script):
            one = life.batch(happenings)
            twins.keep(one)
            life.done(one)
            if step in reopened_after:
                twins.reopen()
        memory, sqlite = twins.recovered()
        assert summary(memory) == summary(sqlite)
        for queue in QUEUES:
            after = RouterId(0)
            for _ in range(3):
                ours, theirs = twins.waiting(Wanted(QueueKey(*queue), after, count))
                assert described(ours) == described(theirs)
                after = ours[-1].router_id if ours else after
        for operator in (TELIA, ELISA):
            mine, others = twins.sent(operator, count)
            assert attempts_of(mine) == attempts_of(others)
        numbers = [OperatorId(b"id-%d" % number) for number in range(1, life.next_number, 3)]
        mine, others = twins.recalled(numbers)
        assert attempts_of(mine) == attempts_of(others)
        place = (0, 0)
        for _ in range(3):
            kept, as_kept = twins.held(place[0], count)[0], twins.held(place[1], count)[1]
            fields = [
                [(d.router_id, d.account, d.octets, d.made_utc, d.final) for d in found]
                for found in (kept, as_kept)
            ]
            assert fields[0] == fields[1]
            if kept:
                place = kept[-1].kept_as, as_kept[-1].kept_as
        turns.close(twins.sqlite)


# What is cut off.


State = tuple[frozenset[int], frozenset[tuple[int, str, bytes]], frozenset[int]]
"""Messages that wait, attempts and deliveries."""


def after_each(done: list[Changes]) -> list[State]:
    """What is there before the first batch and after each, if batches are whole and in order."""
    messages: set[int] = set()
    attempts: set[tuple[int, str, bytes]] = set()
    deliveries: set[int] = set()
    states: list[State] = [(frozenset(), frozenset(), frozenset())]
    for one in done:
        settled = {settlement.message.router_id for settlement in one.settled}
        messages |= {m.router_id for m in one.accepted}
        messages -= settled
        attempts |= {(a.message.router_id, a.operator, a.operator_id) for a in one.taken}
        messages -= {a.message.router_id for a in one.taken}  # They wait no more.
        attempts = {found for found in attempts if found[0] not in settled}
        deliveries |= {d.kept_as for d in one.held}
        deliveries -= {d.kept_as for d in one.acknowledged}
        states.append((frozenset(messages), frozenset(attempts), frozenset(deliveries)))
    return states


def state_of(path: Path) -> State:
    """What a router finds that is started on this file."""
    turns = Turns()
    turns.close(turns.open(path))
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA quick_check").fetchall() == [("ok",)]
        messages = database.execute("SELECT router_id FROM message").fetchall()
        attempts = database.execute("SELECT router_id, operator, operator_id FROM sent")
        deliveries = database.execute("SELECT number FROM delivery").fetchall()
        return (
            frozenset(number for (number,) in messages),
            frozenset(attempts.fetchall()),
            frozenset(number for (number,) in deliveries),
        )


@dataclass
class Cut:
    """The files as they were at one moment."""

    path: Path
    done_before: int


class Power:
    """Copies the files of a journal while it is at work, as a power failure would leave them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wal = path.with_name(f"{path.name}-wal")
        self.cuts: list[Cut] = []

    def cut(self, done_before: int) -> None:
        """A copy of now.

        Not of an instant: the WAL is copied last, because what is in the file already is in it
        too, unless it has begun anew meanwhile; then this is no moment that there ever was.
        """
        to = self._path.with_name(f"cut-{len(self.cuts)}.db")
        while True:
            before = self._salt()
            shutil.copyfile(self._path, to)
            shutil.copyfile(self._wal, to.with_name(f"{to.name}-wal"))
            if before == self._salt():
                break
        self.cuts.append(Cut(to, done_before))

    def _salt(self) -> bytes:
        with self._wal.open("rb") as file:
            return file.read(32)[16:24]


def run(
    script: Script, cut_after: set[int], settle_every_s: float, at: Path
) -> tuple[Power, Turns]:
    """Commit all without waiting for each, and cut here and there."""
    turns = Turns()
    path = at / "router.db"
    journal: SqliteJournal = turns.open(path, settle_every_s=settle_every_s)
    power = Power(path)
    life = Life()
    told = 0
    for step, happenings in enumerate(script):
        one = life.batch(happenings)
        # As the journey does: only those are urgent who overtake nothing that they follow from.
        journal.commit(changes(accepted=one.accepted), turns.heard, urgent=True)
        one.accepted = []
        journal.commit(one, turns.heard, urgent=False)
        if step in cut_after:
            power.cut(len(turns.done))
        turns.turn()
        for safe in turns.done[told:]:
            life.done(safe)
        told = len(turns.done)
    turns.until(lambda: journal.pending == 0)
    power.cut(len(turns.done))
    turns.close(journal)
    return power, turns


@given(
    script=SCRIPTS,
    cut_after=st.sets(st.integers(0, 11), max_size=4),
    settle_every_s=SETTLE_EVERY_S,
)
def test_batch_that_was_done_before_the_cut_is_there_whole_and_none_is_in_part(
    script: Script, cut_after: set[int], settle_every_s: float
) -> None:
    with folder() as at:
        power, turns = run(script, cut_after, settle_every_s, at)
        assert not turns.failed
        states = after_each(turns.done)
        for cut in power.cuts:
            assert state_of(cut.path) in states[cut.done_before :]


@given(script=SCRIPTS, settle_every_s=SETTLE_EVERY_S, share=st.floats(0.0, 1.0))
def test_wal_that_ends_anywhere_holds_whole_batches_only(
    script: Script, settle_every_s: float, share: float
) -> None:
    with folder() as at:
        power, turns = run(script, set(), settle_every_s, at)
        (cut,) = power.cuts
        wal = cut.path.with_name(f"{cut.path.name}-wal")
        os.truncate(wal, int(wal.stat().st_size * share))

        assert state_of(cut.path) in after_each(turns.done)
