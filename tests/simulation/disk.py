"""A disk that forgets what was not synced, and a journal on it.

Rows are what `router/enqueue/sqlite.py` writes, copied field by field when the transaction commits:
what the router changes in its objects later, or had not handed over, is not there after a crash.
Transactions are gathered as there: urgent batches at once, the others after `settle_every`.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from random import Random
from typing import Final, NamedTuple, Protocol, TypeVar

from router.enqueue.journal import (
    CALLED_WITHIN,
    NOT_CALLED,
    Backlog,
    Called,
    Changes,
    Done,
    Fetched,
    Held,
    HeldFetched,
    JournalError,
    LookedUp,
    LookedUpDone,
    PendingReceipt,
    Place,
    Recalled,
    Recovered,
    Renames,
    Replaced,
    Searched,
    SentFetched,
    Settlement,
    Wanted,
    Weighed,
    Weights,
    is_with_operator,
    take_up_doubt,
)
from router.terms.group import Group, Started
from router.terms.message import Delivery, Message
from router.terms.names import AccountName, ClientId, LaneName, OperatorId, OperatorName, RouterId
from router.terms.orphan import Orphan
from router.terms.plan import Plan
from router.terms.queue_key import QueueKey
from router.terms.states import TAKE
from router.terms.unseen import UnseenAnswer
from tests.simulation.world import Event, Loop, Process

_Found = TypeVar("_Found")
_Row = TypeVar("_Row", "MessageRow", "DeliveryRow")
FULL = JournalError("no space left on device")


Queue = tuple[tuple[OperatorName, ...], LaneName, AccountName]


class MessageRow(NamedTuple):
    """A message that was accepted and is not settled."""

    router_id: RouterId
    client_id: ClientId
    account: AccountName
    lane: LaneName
    candidates: tuple[OperatorName, ...]
    command_id: int
    registered_delivery: int
    hold_receipt: bool
    accepted_utc: float
    expires_utc: float
    not_before_utc: float
    source_octets: bytes
    destination_octets: bytes
    octets: bytes


class AttemptRow(NamedTuple):
    """An operator took a message."""

    router_id: RouterId
    operator: OperatorName
    operator_id: OperatorId
    at_utc: float
    failure: bytes | None
    number: int
    sends: int
    part_of: int


class DeliveryRow(NamedTuple):
    """A receipt or a subscriber's message for an account."""

    number: int
    router_id: RouterId
    account: AccountName
    made_utc: float
    final: bool
    octets: bytes
    bind: str


class UnseenRow(NamedTuple):
    """A submit whose answer the client may not have seen."""

    account: AccountName
    router_id: RouterId
    client_id: ClientId
    fingerprint: bytes
    accepted_utc: float


class SettledRow(NamedTuple):
    """How a message ended; what a log would show."""

    router_id: RouterId
    outcome: int
    at_utc: float
    reason: str


class OrphanRow(NamedTuple):
    """A receipt whose message was not known."""

    operator: OperatorName
    operator_id: OperatorId
    source_octets: bytes
    octets: bytes
    at_utc: float
    number: int


@dataclass(slots=True)
class Transaction:
    """What one commit changes, in the order of a message's life."""

    accepted: list[MessageRow] = field(default_factory=list)
    unseen: list[UnseenRow] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)
    taken: list[AttemptRow] = field(default_factory=list)
    held: list[DeliveryRow] = field(default_factory=list)
    settled: list[SettledRow] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)
    replaced: list[Replaced] = field(default_factory=list)
    orphaned: list[OrphanRow] = field(default_factory=list)
    claimed: list[int] = field(default_factory=list)
    started: list[Started] = field(default_factory=list)
    marks: list[tuple[int, bool]] = field(default_factory=list)
    written: list[tuple[int, RouterId, OperatorName | None]] = field(default_factory=list)
    at_utc: float = 0.0


class Watcher(Protocol):
    """Who judges what is written."""

    def committed(self, transaction: Transaction) -> None:
        """This is about to be on the disk; what is there still shows what was before."""


class Disk:
    """What survives."""

    def __init__(self, loop: Loop, first_number: int) -> None:
        self.loop = loop
        self.rng: Random = loop.rng
        self.watcher: Watcher
        self.messages: dict[int, MessageRow] = {}
        self.attempts: dict[tuple[int, OperatorName, OperatorId], AttemptRow] = {}
        self.deliveries: dict[int, DeliveryRow] = {}
        self.orphans: dict[int, OrphanRow] = {}
        self.started: dict[int, Started] = {}
        self.unseen: dict[int, UnseenRow] = {}
        self.marks: dict[int, bool] = {}
        self.written: dict[int, tuple[int, OperatorName | None]] = {}
        """The newest message of each queue that was written to an operator, and to whom."""
        self.queues: dict[Queue, int] = {}
        """Their numbers. They are on the disk before anything that names them."""
        self.known_utc = 0.0
        self.next_number = first_number
        self.is_full = False
        self.slowness_s = 0.002
        """How long a commit takes, more or less."""
        self.hiccups = 0.0
        """Share of transactions that fail although the disk is not full."""
        self.crash_on_commit: Callable[[], bool] = lambda: False
        """Asked after a commit and before anybody hears of it; True if the router died there."""

    def commit_s(self) -> float:
        """How long the next commit takes."""
        rng = self.rng
        return self.slowness_s * (0.3 + rng.random()) * (30.0 if rng.random() < 0.02 else 1.0)

    def apply(self, transaction: Transaction) -> None:
        """Make it so."""
        self.watcher.committed(transaction)
        for message in transaction.accepted:
            self.messages[message.router_id] = message
        for replaced in transaction.replaced:
            row = self.messages.get(replaced.message.router_id)
            if row is not None:
                self.messages[row.router_id] = row._replace(
                    octets=replaced.octets,
                    registered_delivery=replaced.registered_delivery,
                    expires_utc=replaced.expires_utc,
                    not_before_utc=replaced.not_before_utc,
                )
        self.unseen.update((row.router_id, row) for row in transaction.unseen)
        for router_id in transaction.seen:
            self.unseen.pop(RouterId(router_id), None)
        for pending in transaction.taken:
            known = self.attempts.get(pending[:3])
            if known is not None and pending.failure is not None:
                pending = known._replace(failure=pending.failure)
            self.attempts[pending[:3]] = pending
        for delivery in transaction.held:
            self.deliveries[delivery.number] = delivery
        for number, router_id, operator in transaction.written:
            if router_id > self.written.get(number, (0, None))[0]:
                self.written[number] = router_id, operator
        self.known_utc = transaction.at_utc or self.known_utc
        self.marks.update(transaction.marks)
        for pending in transaction.taken:
            self.marks.pop(pending.router_id, None)
        settled = {row.router_id for row in transaction.settled}
        for router_id in settled:
            self.messages.pop(router_id, None)
            self.marks.pop(router_id, None)
        if settled:
            self.attempts = {k: row for k, row in self.attempts.items() if k[0] not in settled}
        for number in transaction.acknowledged:
            self.deliveries.pop(number, None)
        self.orphans.update((orphan.number, orphan) for orphan in transaction.orphaned)
        for number in transaction.claimed:
            self.orphans.pop(number, None)
        for one in transaction.started:
            self.started[one.number] = one
            if one.is_over:
                del self.started[one.number]

    def rename(self, renames: Renames) -> None:
        """Give all that is kept its new name."""
        accounts, operators = renames

        def account(name: AccountName) -> AccountName:
            return accounts.get(name, name)

        def operator(name: OperatorName) -> OperatorName:
            return operators.get(name, name)

        self.messages = {
            key: row._replace(account=account(row.account)) for key, row in self.messages.items()
        }
        attempts = [row._replace(operator=operator(row.operator)) for row in self.attempts.values()]
        self.attempts = {row[:3]: row for row in attempts}
        self.deliveries = {
            key: row._replace(account=account(row.account)) for key, row in self.deliveries.items()
        }
        self.orphans = {
            key: row._replace(operator=operator(row.operator)) for key, row in self.orphans.items()
        }
        self.unseen = {
            key: row._replace(account=account(row.account)) for key, row in self.unseen.items()
        }
        for one in self.started.values():
            one.account = account(one.account)
        self.queues = {
            (plan, lane, account(name)): number
            for (plan, lane, name), number in self.queues.items()
        }
        self.written = {
            key: (router_id, name and operator(name))
            for key, (router_id, name) in self.written.items()
        }

    def has_attempt(self, router_id: int) -> bool:
        """Whether an operator took it, as far as the disk knows."""
        return any(key[0] == router_id for key in self.attempts)

    @property
    def knows_the_time(self) -> bool:
        """Whether a router that starts goes by what the last one knew."""
        return bool(self.known_utc and (self.messages or self.deliveries))

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits for anything."""
        kept = self.messages, self.attempts, self.deliveries, self.marks, self.orphans
        return not any(kept)


@dataclass(slots=True)
class _Work:
    """One thing the journal is asked to do; `call` instead of changes."""

    changes: Changes | None
    done: Done | None
    urgent: bool
    asked_at: float
    call: Callable[[JournalError | None], Callable[[], None]] | None = None
    failures: int = 0
    """How many the router knew of when it asked."""


class SimulatedJournal:
    """See `Journal`. One per life of the router, on the disk that they share."""

    keeps_records: Final = True

    def __init__(
        self,
        disk: Disk,
        process: Process,
        plan_of: Callable[[tuple[OperatorName, ...]], Plan],
        clock_utc: Callable[[], float],
    ) -> None:
        """`clock_utc` is the router's time, as `router/wiring/app.py` hands it in."""
        self._clock_utc = clock_utc
        self.disk = disk
        self.process = process
        self.settle_every_s = 0.05
        self.pending = 0
        self._plan_of = plan_of
        self._urgent: list[_Work] = []
        self._others: list[_Work] = []
        self._failures_told = 0
        self._failed_at = -1
        self._busy = False
        self._due: Event | None = None
        self._next_delivery = max(disk.deliveries, default=0) + 1
        self._next_attempt = max((row.number for row in disk.attempts.values()), default=0) + 1
        self._next_orphan = max(disk.orphans, default=0) + 1
        self._next_started = max(disk.started, default=0) + 1
        self._written_before = dict(disk.written)
        self._marks_before = dict(disk.marks)
        self._weights = Weights()
        self._renames: list[Renames] = []
        """In the order in which they came."""

    # The interface.

    def commit(self, changes: Changes, done: Done, *, urgent: bool) -> None:
        """See `Journal`."""
        for delivery in changes.held:
            delivery.kept_as = self._next_delivery
            self._next_delivery += 1
        for orphan in changes.orphaned:
            orphan.kept_as = self._next_orphan
            self._next_orphan += 1
        for one in changes.started:
            self._next_started = one.numbered(self._next_started)
        for pending in changes.taken:
            if pending.failure is None and not pending.kept_as:
                pending.kept_as = self._next_attempt
                pending.message.row.attempts += (self._next_attempt,)
                self._next_attempt += 1
        for message in changes.accepted:
            queue = message.plan.candidates, message.lane, message.account
            message.row.queue = self.disk.queues.setdefault(queue, len(self.disk.queues) + 1)
        self._ask(_Work(changes, done, urgent, self.process.clock()))

    def reserve_ids(self, count: int, done: Callable[[int, JournalError | None], None]) -> None:
        """See `Journal`."""

        def reserve(error: JournalError | None) -> Callable[[], None]:
            first = self.disk.next_number
            if error is None:
                self.disk.next_number = first + count
            return lambda: done(first if error is None else 0, error)

        self._ask(_Work(None, None, True, self.process.clock(), reserve))

    def fetch(self, wanted: Wanted, done: Fetched) -> None:
        """See `Journal`."""
        plan, lane, account, _ = wanted.queue
        asked = len(self._renames)

        def read() -> list[Message]:
            queue = plan.candidates, lane, self._renamed_since(asked, account)
            taken = {key[0] for key in self.disk.attempts}
            rows = sorted(
                row
                for row in self.disk.messages.values()
                if row.router_id > wanted.after
                and (row.candidates, row.lane, row.account) == queue
                and row.router_id not in taken
            )
            return [
                self._waiting(row, queue) for row in _until(rows[: wanted.count], wanted.octets)
            ]

        self._read(read, lambda found, error: done(found or [], error))

    def look_up(
        self, router_ids: Collection[RouterId], done: LookedUpDone, *, called: Called = NOT_CALLED
    ) -> None:
        """See `Journal`."""

        def is_asked(row: MessageRow) -> bool:
            return row.router_id in router_ids or any(
                first < row.router_id <= first + CALLED_WITHIN and row.client_id in client_ids
                for first, client_ids in called.items()
            )

        def read() -> LookedUp:
            taken = {key[0] for key in self.disk.attempts}
            rows = [row for row in self.disk.messages.values() if is_asked(row)]
            return LookedUp(
                [self._waiting(row, _queue(row)) for row in rows if row.router_id not in taken],
                self._with_others(row.router_id for row in rows if row.router_id in taken),
            )

        self._read(read, lambda found, error: done(found or LookedUp(), error))

    def search(
        self,
        account: AccountName,
        destination: bytes,
        after: Place,
        count: int,
        done: Searched,
        *,
        most: int = 2**60,
    ) -> None:
        """See `Journal`. In pieces of three, so that there are several."""
        asked = len(self._renames)

        def read() -> tuple[list[Message], Place | None]:
            taken = {key[0] for key in self.disk.attempts}
            rows = sorted(row for row in self.disk.messages.values() if row.router_id > after)
            piece = rows[: min(count, most, 3)]
            name = self._renamed_since(asked, account)
            found = [
                self._waiting(row, _queue(row))
                for row in piece
                if row.router_id not in taken
                and row.account == name
                and row.destination_octets.endswith(destination)
            ]
            return found, piece[-1].router_id if piece else None

        self._read(read, lambda found, error: done(*(found or ([], None)), error))

    def fetch_held(
        self, account: AccountName, after: int, count: int, octets: int, done: HeldFetched
    ) -> None:
        """See `Journal`."""
        asked = len(self._renames)

        def read() -> list[Delivery]:
            kept = sorted(self.disk.deliveries.items())
            name = self._renamed_since(asked, account)
            wanted = [row for number, row in kept if row.account == name and number > after]
            return [_delivery(row) for row in _until(wanted[:count], octets)]

        self._read(read, lambda found, error: done(found or [], error))

    def recall(
        self, operator: OperatorName, operator_ids: Sequence[OperatorId], done: Recalled
    ) -> None:
        """See `Journal`."""
        asked = len(self._renames)

        def read() -> list[PendingReceipt]:
            name = self._operator_since(asked, operator)
            of_operator = [row for row in self.disk.attempts.values() if row.operator == name]
            found = [row for row in of_operator if row.operator_id in operator_ids]
            wholes = {row.part_of for row in found if row.part_of}
            found += [row for row in of_operator if row.part_of in wholes]
            return self._with_others(row.router_id for row in found)

        self._read(read, lambda found, error: done(found or [], error))

    def fetch_sent(
        self, operator: OperatorName, before_utc: float, after: Place, count: int, done: SentFetched
    ) -> None:
        """See `Journal`. In pieces of three, so that there are several."""
        asked = len(self._renames)

        def read() -> tuple[list[PendingReceipt], Place | None]:
            rows = sorted(self.disk.attempts.values(), key=attrgetter("number"))
            piece = [row for row in rows if row.number > after][: min(count, 3)]
            found = self._with_others(
                row.router_id
                for row in piece
                if row.operator == self._operator_since(asked, operator)
                and (row.at_utc < before_utc or row.failure is not None)
            )
            return found, piece[-1].number if piece else None

        def tell(
            found: tuple[list[PendingReceipt], Place | None] | None, error: JournalError | None
        ) -> None:
            done(*(found or ([], None)), error)

        self._read(read, tell)

    def _with_others(self, router_ids: Iterable[RouterId]) -> list[PendingReceipt]:
        """All attempts of these messages, one object for each."""
        wanted = set(router_ids)
        messages = {number: self._message(self.disk.messages[number]) for number in wanted}
        for message in messages.values():
            message.enter(TAKE)
            message.octets = b""
        rows = [row for row in self.disk.attempts.values() if row.router_id in wanted]
        attempts: list[PendingReceipt] = []
        for row in sorted(rows, key=attrgetter("at_utc")):
            message = messages[row.router_id]
            message.writes = max(message.writes, row.sends)
            message.row.attempts += (row.number,)
            message.operator = row.operator
            if row.part_of:
                message.group = Group(message.plan, 0)
                message.group.number = row.part_of
            attempts.append(PendingReceipt(message, *row[1:6]))
        # The index that finds the others has only messages that were sent more than once.
        assert all(row.sends > 1 for row in rows if len(messages[row.router_id].row.attempts) > 1)
        return attempts

    def _waiting(self, row: MessageRow, queue: Queue) -> Message:
        """One that waits; it may be in doubt what an earlier life did with it."""
        message = self._message(row)
        message.row.queue = self.disk.queues[queue]
        written, operator = self._written_before.get(message.row.queue, (0, None))
        take_up_doubt(message, self._marks_before.get(row.router_id), written, operator)
        return message

    def _read(
        self,
        read: Callable[[], _Found],
        tell: Callable[[_Found | None, JournalError | None], None],
    ) -> None:
        """A reader of its own: it waits for no commit and sees what is committed."""
        self.pending += 1
        loop, disk = self.disk.loop, self.disk

        def run() -> None:
            found = read()
            error = FULL if disk.hiccups and disk.rng.random() < disk.hiccups else None
            told_at = loop.now + disk.rng.random() * 0.002
            loop.at(told_at, lambda: answer(found, error), self.process)

        def answer(found: _Found, error: JournalError | None) -> None:
            self.pending -= 1
            tell(None if error else found, error)

        loop.at(loop.now + disk.commit_s() / 2, run, self.process)

    def recover(self, done: Callable[[Recovered, JournalError | None], None]) -> None:
        """See `Journal`."""

        def read(error: JournalError | None) -> Callable[[], None]:
            found = self._recovered() if error is None else Recovered()

            def tell() -> None:
                self.process.is_recovered = error is None
                done(found, error)

            return tell

        self._ask(_Work(None, None, True, self.process.clock(), read))

    def weigh(self, done: Weighed) -> None:
        """See `Journal`."""
        at = self.disk.loop.now + 3 * self.disk.slowness_s
        self.disk.loop.at(at, lambda: done(self._weights, None), self.process)

    def close(self, done: Callable[[], None]) -> None:
        """See `Journal`."""
        self._urgent += self._others
        self._others = []
        self._ask(_Work(None, None, True, self.process.clock(), lambda _: done))

    def rename(self, renames: Renames) -> None:
        """See `Journal`. At once: whoever starts after a crash would rename again."""
        self._renames.append(renames)
        self.disk.rename(renames)
        operators = renames.operators
        self._written_before = {
            key: (router_id, name and operators.get(name, name))
            for key, (router_id, name) in self._written_before.items()
        }

    def _renamed_since(self, asked: int, account: AccountName) -> AccountName:
        """What an account is called now that was called so after so many renamings."""
        for renames in self._renames[asked:]:
            account = renames.accounts.get(account, account)
        return account

    def _operator_since(self, asked: int, operator: OperatorName) -> OperatorName:
        for renames in self._renames[asked:]:
            operator = renames.operators.get(operator, operator)
        return operator

    # The writer.

    def _ask(self, work: _Work) -> None:
        self.pending += 1
        work.failures = self._failures_told
        (self._urgent if work.urgent else self._others).append(work)
        self._look()

    def _look(self) -> None:
        """Begin a transaction if one is due.

        What was asked for before the loop heard of a failure fails too: it may follow from it.
        """
        if self._busy:
            return
        now = self.process.clock()
        due_at = self._others[0].asked_at + self.settle_every_s if self._others else now
        batch: list[_Work] = []
        if self._urgent:
            batch, self._urgent = self._urgent, []
        if self._others and due_at <= now:
            batch, self._others = batch + self._others, []
        followers = [work for work in batch if work.failures <= self._failed_at]
        if followers:
            batch = [work for work in batch if work.failures > self._failed_at]
            calls = [work.call(FULL) for work in followers if work.call is not None]
            self.disk.loop.at(now, lambda: self._tell(followers, calls, FULL), self.process)
        if batch:
            self._busy = True
            at = now + self.disk.commit_s()
            self.disk.loop.at(at, lambda: self._transact(batch), self.process)
        elif self._others:
            if self._due is not None:
                self._due.cancel()
            self._due = self.disk.loop.at(due_at, self._look, self.process)

    def _transact(self, batch: list[_Work]) -> None:
        """Commit, in the disk's time; the loop hears of it a little later."""
        disk = self.disk
        transaction = self._rows([work.changes for work in batch if work.changes is not None])
        error: JournalError | None = None
        if disk.is_full or (disk.hiccups and disk.rng.random() < disk.hiccups):
            error = FULL
            self._failed_at = max(work.failures for work in batch)
        else:
            disk.apply(transaction)
        calls = [work.call(error) for work in batch if work.call is not None]
        if disk.loop.telling:
            disk.loop.tell(f"disk      {'FAILED' if error else _described(transaction)}")
        if disk.crash_on_commit():
            return
        late_s = 0.03 if disk.rng.random() < 0.1 else 0.001
        told_at = disk.loop.now + disk.rng.random() * late_s
        disk.loop.at(told_at, lambda: self._committed(batch, calls, error), self.process)

    def _committed(
        self, batch: list[_Work], calls: list[Callable[[], None]], error: JournalError | None
    ) -> None:
        self._busy = False
        self._tell(batch, calls, error)
        self._look()

    def _tell(
        self, batch: list[_Work], calls: list[Callable[[], None]], error: JournalError | None
    ) -> None:
        self.pending -= len(batch)
        if error is not None:
            self._failures_told += 1
        for work in batch:
            if work.done is not None and work.changes is not None:
                work.done(work.changes, error)
        for call in calls:
            call()

    def _rows(self, batches: list[Changes]) -> Transaction:
        """Copies of all that these batches hold now."""
        settled = [row for one in batches for row in map(_settled_row, one.settled)]
        gone = {row.router_id for row in settled}
        return Transaction(
            accepted=[_message_row(m) for one in batches for m in one.accepted],
            unseen=[_unseen_row(*pair) for one in batches for pair in one.unseen_answers],
            seen=[router_id for one in batches for router_id in one.seen_answers],
            taken=[
                _attempt_row(a)
                for one in batches
                for a in one.taken
                if a.message.router_id not in gone
            ],
            held=[_delivery_row(d) for one in batches for d in one.held],
            settled=settled,
            replaced=[one for batch in batches for one in batch.replaced],
            acknowledged=[d.kept_as for one in batches for d in one.acknowledged],
            orphaned=[_orphan_row(orphan) for one in batches for orphan in one.orphaned],
            claimed=[orphan.kept_as for one in batches for orphan in one.claimed],
            started=[started for one in batches for started in one.started],
            marks=[
                (message.router_id, is_with_operator(message.mark))
                for one in batches
                for message in (*one.marked, *one.unmarked)
            ],
            written=[
                (queue, message.router_id, message.operator)
                for one in batches
                for queue, message in one.written.items()
            ],
            at_utc=max((one.at_utc for one in batches), default=0.0),
        )

    # Reading.

    def _recovered(self) -> Recovered:
        disk = self.disk
        found = Recovered(known_utc=disk.known_utc)
        waiting: Counter[Queue] = Counter()
        octets: Counter[Queue] = Counter()
        for row in sorted(disk.messages.values()):
            if not disk.has_attempt(row.router_id):
                waiting[row.candidates, row.lane, row.account] += 1
                octets[row.candidates, row.lane, row.account] += len(row.octets)
        self._weights = Weights()
        for (candidates, lane, account), count in waiting.items():
            key = QueueKey(self._plan_of(candidates), lane, account)
            found.waiting.append(Backlog(key, count))
            self._weights.waiting[key] = octets[candidates, lane, account]
        found.sent = dict(Counter(row.operator for row in disk.attempts.values()))
        for number, kept in sorted(disk.deliveries.items()):
            held = found.held.setdefault(kept.account, Held(0, number, number))
            held.count += 1
            held.last = number
            weight = self._weights.held.get(kept.account, 0) + len(kept.octets)
            self._weights.held[kept.account] = weight
        found.orphans = [Orphan(*row) for _, row in sorted(disk.orphans.items())]
        found.unseen_answers = [UnseenAnswer(*row) for _, row in sorted(disk.unseen.items())]
        found.started = [
            _started_anew(one, self._plan_of(one.plan.candidates))
            for _, one in sorted(disk.started.items())
        ]
        return found

    def _message(self, row: MessageRow) -> Message:
        age_s = max(0.0, self._clock_utc() - row.accepted_utc)
        return Message(
            router_id=row.router_id,
            client_id=row.client_id,
            account=row.account,
            lane=row.lane,
            plan=self._plan_of(row.candidates),
            command_id=row.command_id,
            octets=row.octets,
            source_octets=row.source_octets,
            destination_octets=row.destination_octets,
            registered_delivery=row.registered_delivery,
            accepted_at=self.process.clock() - age_s,
            accepted_utc=row.accepted_utc,
            expires_utc=row.expires_utc,
            not_before_utc=row.not_before_utc,
            hold_receipt=row.hold_receipt,
        )


def _message_row(message: Message) -> MessageRow:
    return MessageRow(
        message.router_id,
        message.client_id,
        message.account,
        message.lane,
        message.plan.candidates,
        message.command_id,
        message.registered_delivery,
        message.hold_receipt,
        message.accepted_utc,
        message.expires_utc,
        message.not_before_utc,
        message.source_octets,
        message.destination_octets,
        message.octets,
    )


def _queue(row: MessageRow) -> Queue:
    return row.candidates, row.lane, row.account


def _unseen_row(message: Message, fingerprint: bytes) -> UnseenRow:
    return UnseenRow(
        message.account,
        message.router_id,
        message.client_id,
        fingerprint,
        message.accepted_utc,
    )


def _attempt_row(pending: PendingReceipt) -> AttemptRow:
    return AttemptRow(
        pending.message.router_id,
        pending.operator,
        pending.operator_id,
        pending.at_utc,
        pending.failure,
        pending.kept_as,
        pending.message.writes,
        0 if pending.message.group is None else pending.message.group.number,
    )


def _delivery_row(delivery: Delivery) -> DeliveryRow:
    return DeliveryRow(
        delivery.kept_as,
        delivery.router_id,
        delivery.account,
        delivery.made_utc,
        delivery.final,
        delivery.octets,
        delivery.bind,
    )


def _delivery(row: DeliveryRow) -> Delivery:
    delivery = Delivery(
        router_id=row.router_id,
        account=row.account,
        octets=row.octets,
        made_utc=row.made_utc,
        final=row.final,
        bind=row.bind,
    )
    delivery.kept_as = row.number
    return delivery


def _started_anew(one: Started, plan: Plan) -> Started:
    """The same as a journal on disk would read it, with a plan of this process."""
    return Started(
        account=one.account,
        source_octets=one.source_octets,
        destination_octets=one.destination_octets,
        reference=one.reference,
        total=one.total,
        plan=plan,
        queue=one.queue,
        operator=one.operator,
        taken=one.taken,
        came=one.came,
        part_of=one.part_of,
        first_utc=one.first_utc,
        latest_utc=one.latest_utc,
        number=one.number,
    )


def _orphan_row(orphan: Orphan) -> OrphanRow:
    return OrphanRow(
        orphan.operator,
        orphan.operator_id,
        orphan.source_octets,
        orphan.octets,
        orphan.at_utc,
        orphan.kept_as,
    )


def _settled_row(settlement: Settlement) -> SettledRow:
    return SettledRow(
        settlement.message.router_id, settlement.outcome, settlement.at_utc, settlement.reason
    )


def _described(transaction: Transaction) -> str:
    parts = (
        f"accepted {[row.router_id // 100 for row in transaction.accepted]}",
        f"taken {[row.router_id // 100 for row in transaction.taken]}",
        f"held {[(row.number, row.router_id // 100) for row in transaction.held]}",
        f"replaced {[row.message.router_id // 100 for row in transaction.replaced]}",
        f"settled {[row.router_id // 100 for row in transaction.settled]}",
        f"handed over {transaction.acknowledged}",
        f"orphaned {[row.operator_id for row in transaction.orphaned]}",
        f"claimed {transaction.claimed}",
    )
    return "commits " + ", ".join(part for part in parts if not part.endswith("[]"))


def _until(rows: list[_Row], octets: int) -> list[_Row]:
    """The first rows, as far as they have so many octets."""
    for count, row in enumerate(rows, 1):
        octets -= len(row.octets)
        if octets <= 0:
            return rows[:count]
    return rows
