"""Stand-ins used by tests: the memory journal, watched, held up and broken as a test says."""

from collections.abc import Callable, Sequence
from typing import Final

from router.enqueue.journal import (
    Changes,
    Damaged,
    DamagedFound,
    Done,
    Fetched,
    HeldFetched,
    JournalError,
    PendingReceipt,
    Place,
    Recalled,
    SentFetched,
    Wanted,
    first_number_at,
)
from router.enqueue.memory import MemoryJournal
from router.terms.message import Delivery, Message
from router.terms.names import AccountName, OperatorId, OperatorName
from tests.loop import World

FULL_DISK = JournalError("no space left on device")


class WatchedJournal:
    """A journal that reads and writes apart, as one with two threads does, before a memory one."""

    def __init__(self, world: World, later: Callable[[Callable[[], None]], object]) -> None:
        self._kept = kept = MemoryJournal(later, first_number_at(world.clock_utc()))
        self._world = world
        self.messages: Final = kept.messages
        self.attempts: Final = kept.attempts
        self.held: Final = kept.held
        self.orphans: Final = kept.orphans
        self.started: Final = kept.started
        self.unseen_answers: Final = kept.unseen_answers
        self.marks: Final = kept.marks
        self.reserve_ids: Final = kept.reserve_ids
        self.recover: Final = kept.recover
        self.rename: Final = kept.rename
        self.weigh: Final = kept.weigh
        self.close: Final = kept.close
        self.look_up: Final = kept.look_up
        self.search: Final = kept.search
        self.recalls: list[int] = []
        """How many ids each question of the receipts was about."""
        self.held_read: list[tuple[float, AccountName]] = []
        """When deliveries were read, and for which account."""
        self.fetches_to_fail = 0
        """So many of the next fetches fail, though what is written is kept."""
        self.accepts_told_after_s = 0.0
        """How long after it is kept the router hears of a batch with accepted messages."""
        self.writes_are_stuck = False
        """Whether batches wait until `go_on`, while readings are answered."""
        self.damaged: set[tuple[str, int]] = set()
        """Rows that are none: the tables, and the keys there."""
        self.tell_damaged: DamagedFound = lambda _: None
        self._told: set[tuple[str, int]] = set()
        self._stuck: list[Callable[[], None]] = []

    @property
    def keeps_records(self) -> bool:
        """As the one behind it."""
        return bool(self._kept.keeps_records)

    @property
    def failing(self) -> JournalError | None:
        """Set it to make every operation fail."""
        return self._kept.failing

    @failing.setter
    def failing(self, error: JournalError | None) -> None:
        self._kept.failing = error

    @property
    def pending(self) -> int:
        """How many operations are not done yet."""
        return self._kept.pending

    def commit(self, changes: Changes, done: Done, *, urgent: bool) -> None:
        """See `Journal`."""

        def told_late(kept: Changes, error: JournalError | None) -> None:
            self._world.call_later(self.accepts_told_after_s, lambda: done(kept, error))

        late = bool(self.accepts_told_after_s and changes.accepted)
        if self.writes_are_stuck:
            self._stuck.append(lambda: self._kept.commit(changes, done, urgent=urgent))
        else:
            self._kept.commit(changes, told_late if late else done, urgent=urgent)

    def go_on(self) -> None:
        """Write what has waited, and let nothing wait any more."""
        self.writes_are_stuck = False
        stuck, self._stuck = self._stuck, []
        for call in stuck:
            call()

    def fetch(self, wanted: Wanted, done: Fetched) -> None:
        """See `Journal`."""
        if self.fetches_to_fail:
            self.fetches_to_fail -= 1
            self._world.soon(lambda: done([], FULL_DISK))
        else:

            def found(messages: list[Message], error: JournalError | None) -> None:
                rows = [Damaged("message", m.router_id, "spoilt", message=m) for m in messages]
                spoilt = self._spoilt(rows)
                done([m for m in messages if m.router_id not in spoilt], error)

            self._kept.fetch(wanted, found)

    def fetch_held(
        self, account: AccountName, after: int, count: int, octets: int, done: HeldFetched
    ) -> None:
        """See `Journal`."""
        self.held_read.append((self._world.now, account))

        def found(deliveries: list[Delivery], error: JournalError | None) -> None:
            rows = [
                Damaged("delivery", d.kept_as, "spoilt", account=account, octets=len(d.octets))
                for d in deliveries
            ]
            spoilt = self._spoilt(rows)
            done([d for d in deliveries if d.kept_as not in spoilt], error)

        self._kept.fetch_held(account, after, count, octets, found)

    def recall(
        self, operator: OperatorName, operator_ids: Sequence[OperatorId], done: Recalled
    ) -> None:
        """See `Journal`."""
        self.recalls.append(len(operator_ids))

        def found(attempts: list[PendingReceipt], error: JournalError | None) -> None:
            done(self._whole(attempts), error)

        self._kept.recall(operator, operator_ids, found)

    def fetch_sent(
        self, operator: OperatorName, before_utc: float, after: Place, count: int, done: SentFetched
    ) -> None:
        """See `Journal`."""

        def found(
            attempts: list[PendingReceipt], place: Place | None, error: JournalError | None
        ) -> None:
            done(self._whole(attempts), place, error)

        self._kept.fetch_sent(operator, before_utc, after, count, found)

    def _whole(self, attempts: list[PendingReceipt]) -> list[PendingReceipt]:
        rows = [
            Damaged("sent", a.kept_as, "spoilt", message=a.message, operator=a.operator)
            for a in attempts
        ]
        spoilt = self._spoilt(rows)
        return [a for a in attempts if a.kept_as not in spoilt]

    def _spoilt(self, rows: list[Damaged]) -> set[int]:
        """Tell of damaged rows that have not been told of; return the numbers of all of them."""
        spoilt = [one for one in rows if (one.table, one.number) in self.damaged]
        new = [one for one in spoilt if (one.table, one.number) not in self._told]
        self._told.update((one.table, one.number) for one in new)
        if new:
            self.tell_damaged(new)
        return {one.number for one in spoilt}
