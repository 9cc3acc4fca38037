"""The loop's side of a journal on SQLite: runs what threads hand over, and remembers it."""

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

from router.enqueue.journal import (
    BEGINNING,
    Changes,
    Damaged,
    Journal,
    JournalError,
    LookedUp,
    PendingReceipt,
    Place,
    Recovered,
    Replaced,
    Settlement,
    Wanted,
    Weights,
)
from router.enqueue.retention import Records
from router.enqueue.sqlite import SqliteJournal
from router.terms.group import Group, Started
from router.terms.message import Delivery, Message
from router.terms.names import AccountName, LaneName, OperatorId, OperatorName, RouterId
from router.terms.orphan import Orphan
from router.terms.outcome import Outcome
from router.terms.queue_key import QueueKey
from tests.unit.messages import ALERT, BANK, BULK, OTP, PLANS, TELIA, TO_TELIA

DEADLINE_S: Final = 60.0
"""When a test gives up: the disk may be busy with something else."""
LANES: Final = (OTP, ALERT, BULK)


def attempt(
    message: Message, operator: OperatorName = TELIA, operator_id: bytes = b"", at_utc: float = 5.0
) -> PendingReceipt:
    """An operator took it, under this id or its own."""
    written = operator_id or b"id-%d" % message.router_id
    return PendingReceipt(message, operator, OperatorId(written), at_utc)


def started(
    reference: int, *, taken: int, of: Group | None = None, latest_utc: float = 6.0
) -> Started:
    """The operator has taken so many of three parts, of which two have come, in queue 1."""
    group = of or Group(TO_TELIA, 3, reference=reference)
    return Started(
        account=BANK,
        source_octets=b"\5\0BANK\0",
        destination_octets=b"\1\1372\0",
        reference=reference,
        total=3,
        plan=TO_TELIA,
        queue=1,
        operator=TELIA,
        taken=taken,
        came={1: 0xFFFF_FFFF, 255: 7},
        part_of=9,
        first_utc=5.0,
        latest_utc=latest_utc,
        group=group,
    )


def told_again(
    one: PendingReceipt, failure: bytes | None, message: Message | None = None
) -> PendingReceipt:
    """The same attempt, of this or another object of its message."""
    return PendingReceipt(
        message or one.message, one.operator, one.operator_id, one.at_utc, failure, one.kept_as
    )


def changes(
    *,
    accepted: Iterable[Message] = (),
    taken: Iterable[PendingReceipt] = (),
    held: Iterable[Delivery] = (),
    acknowledged: Iterable[Delivery] = (),
    settled: Iterable[Message] = (),
    orphaned: Iterable[Orphan] = (),
    claimed: Iterable[Orphan] = (),
    started: Iterable[Started] = (),
    replaced: Iterable[Message] = (),
    unseen: Iterable[tuple[Message, bytes]] = (),
    seen: Iterable[int] = (),
) -> Changes:
    """One batch."""
    one = Changes()
    one.orphaned += orphaned
    one.claimed += claimed
    one.started += started
    one.replaced += map(Replaced, replaced)
    one.unseen_answers += unseen
    one.seen_answers += map(RouterId, seen)
    one.accepted += accepted
    one.taken += taken
    one.held += held
    one.acknowledged += acknowledged
    one.settled += [Settlement(message, Outcome.DELIVERED, 9.0) for message in settled]
    return one


class Turns:
    """Stands for the loop: `soon` is called by the journal's threads, the rest by the test."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self.done: list[Changes] = []
        """What is safe, in that order."""
        self.failed: list[tuple[Changes, JournalError]] = []
        self.now_utc = 0.0
        self.damaged: list[Damaged] = []
        """Rows that readings have met and that are none."""
        self.commits: list[int] = []
        """How many messages each accepted."""

    def soon(self, call: Callable[[], None]) -> None:
        """Run this in a later turn."""
        self._calls.put(call)

    def until(self, reached: Callable[[], object]) -> None:
        """Run turns until it is reached."""
        while not reached():
            try:
                self._calls.get(timeout=DEADLINE_S)()
            except Empty:
                raise AssertionError("the journal says no more") from None

    def turn(self) -> None:
        """Run what is there, and wait for nothing."""
        while not self._calls.empty():
            self._calls.get_nowait()()

    def heard(self, changes: Changes, error: JournalError | None) -> None:
        """A `done` that remembers."""
        if error is None:
            self.done.append(changes)
        else:
            self.failed.append((changes, error))

    def committed(self, took_s: float, accepted: int) -> None:
        """What the journal tells of each commit."""
        assert took_s >= 0.0
        self.commits.append(accepted)

    # A journal, and what one asks it.

    def open(
        self,
        path: Path,
        *,
        commit_every_s: float = 0.0,
        settle_every_s: float = 0.0,
        first_number: int = 1,
        lanes: tuple[LaneName, ...] = LANES,
        keep_records_s: float = 3600.0,
        records: Records | None = None,
        accept_loss: bool = False,
    ) -> SqliteJournal:
        """Open or make this one."""
        return SqliteJournal(
            path,
            soon=self.soon,
            plan_of=PLANS.of,
            lanes=lanes,
            commit_every_s=commit_every_s,
            settle_every_s=settle_every_s,
            first_number=first_number,
            committed=self.committed,
            damaged=self.damaged.extend,
            clock_utc=lambda: self.now_utc,
            keep_records_s=keep_records_s,
            records=records,
            accept_loss=accept_loss,
        )

    def close(self, journal: Journal) -> None:
        """Close it, and wait for that."""
        closed: list[bool] = []
        journal.close(lambda: closed.append(True))
        self.until(lambda: closed)

    def keep(self, journal: Journal, changes: Changes) -> JournalError | None:
        """Commit, and wait for it; return the error."""
        heard: list[JournalError | None] = []
        journal.commit(changes, lambda _, error: heard.append(error), urgent=True)
        self.until(lambda: heard)
        return heard[0]

    def recovered(self, journal: Journal) -> Recovered:
        """What it holds. Raises JournalError."""
        heard: list[tuple[Recovered, JournalError | None]] = []
        journal.recover(lambda found, error: heard.append((found, error)))
        self.until(lambda: heard)
        found, error = heard[0]
        if error is not None:
            raise error
        return found

    def weighed(self, journal: Journal) -> Weights:
        """The octets of what was recovered. Raises JournalError."""
        heard: list[tuple[Weights, JournalError | None]] = []
        journal.weigh(lambda found, error: heard.append((found, error)))
        self.until(lambda: heard)
        found, error = heard[0]
        if error is not None:
            raise error
        return found

    def waiting(self, journal: Journal, wanted: Wanted | None = None) -> list[Message]:
        """The next messages of a queue: by default all of the bank's to telia. Raises it too."""
        heard: list[tuple[list[Message], JournalError | None]] = []
        wanted = wanted or Wanted(QueueKey(TO_TELIA, OTP, BANK), RouterId(0), 1000)
        journal.fetch(wanted, lambda messages, error: heard.append((messages, error)))
        self.until(lambda: heard)
        messages, error = heard[0]
        if error is not None:
            raise error
        return messages

    def sent(
        self,
        journal: Journal,
        operator: OperatorName = TELIA,
        before_utc: float = float("inf"),
        count: int = 1000,
    ) -> list[PendingReceipt]:
        """All attempts that this operator took before, read in pieces. Raises JournalError."""
        found: list[PendingReceipt] = []
        heard: list[tuple[Place | None, JournalError | None]] = [(BEGINNING, None)]

        def piece(
            attempts: list[PendingReceipt], place: Place | None, error: JournalError | None
        ) -> None:
            found.extend(attempts)
            heard.append((place, error))

        while (after := heard.pop()[0]) is not None:
            journal.fetch_sent(operator, before_utc, after, count, piece)
            self.until(lambda: heard)
            if heard[0][1] is not None:
                raise heard[0][1]
        return found

    def recalled(
        self, journal: Journal, *operator_ids: bytes, operator: OperatorName = TELIA
    ) -> list[PendingReceipt]:
        """What the operator took under these ids. Raises JournalError."""
        heard: list[tuple[list[PendingReceipt], JournalError | None]] = []
        ids = [OperatorId(one) for one in operator_ids]
        journal.recall(operator, ids, lambda *answer: heard.append(answer))
        self.until(lambda: heard)
        attempts, error = heard[0]
        if error is not None:
            raise error
        return attempts

    def held(
        self,
        journal: Journal,
        after: int = 0,
        count: int = 1000,
        account: AccountName = BANK,
        octets: int = 2**60,
    ) -> list[Delivery]:
        """The next deliveries of one account. Raises JournalError."""
        heard: list[tuple[list[Delivery], JournalError | None]] = []
        journal.fetch_held(account, after, count, octets, lambda *answer: heard.append(answer))
        self.until(lambda: heard)
        deliveries, error = heard[0]
        if error is not None:
            raise error
        return deliveries

    def looked_up(self, journal: Journal, *router_ids: int) -> LookedUp:
        """What is kept of these messages. Raises JournalError."""
        heard: list[tuple[LookedUp, JournalError | None]] = []
        wanted = [RouterId(one) for one in router_ids]
        journal.look_up(wanted, lambda *answer: heard.append(answer))
        self.until(lambda: heard)
        found, error = heard[0]
        if error is not None:
            raise error
        return found

    def searched(
        self,
        journal: Journal,
        account: AccountName,
        destination: bytes,
        count: int,
        most: int = 2**60,
    ) -> list[Message]:
        """What waits for a destination, searched in pieces of `count`. Raises JournalError."""
        found: list[Message] = []
        heard: list[tuple[Place | None, JournalError | None]] = [(BEGINNING, None)]

        def piece(messages: list[Message], place: Place | None, error: JournalError | None) -> None:
            found.extend(messages)
            heard.append((place, error))

        while (after := heard.pop()[0]) is not None:
            before = len(found)
            journal.search(account, destination, after, count, piece, most=most)
            self.until(lambda: heard)
            assert len(found) - before <= most
            if heard[0][1] is not None:
                raise heard[0][1]
        return found

    def reserve(self, journal: Journal, count: int) -> int:
        """The first of so many numbers. Raises JournalError."""
        heard: list[tuple[int, JournalError | None]] = []
        journal.reserve_ids(count, lambda first, error: heard.append((first, error)))
        self.until(lambda: heard)
        first, error = heard[0]
        if error is not None:
            raise error
        return first


def rows_of(path: Path, table: str) -> int:
    """How many a table has, as somebody else sees it."""
    with closing(sqlite3.connect(path)) as database:
        (count,) = database.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert isinstance(count, int)
    return count
