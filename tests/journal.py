"""Stand-ins used by tests: the memory journal, watched, held up and broken as a test says."""

from collections.abc import Callable, Sequence
from typing import Final

from router.enqueue.journal import (
    Changes,
    Done,
    Fetched,
    HeldFetched,
    JournalError,
    Recalled,
    Wanted,
    first_number_at,
)
from router.enqueue.memory import MemoryJournal
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
        self.marks: Final = kept.marks
        self.reserve_ids: Final = kept.reserve_ids
        self.fetch_sent: Final = kept.fetch_sent
        self.recover: Final = kept.recover
        self.weigh: Final = kept.weigh
        self.close: Final = kept.close
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
        self._stuck: list[Callable[[], None]] = []

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
            self._kept.fetch(wanted, done)

    def fetch_held(
        self, account: AccountName, after: int, count: int, octets: int, done: HeldFetched
    ) -> None:
        """See `Journal`."""
        self.held_read.append((self._world.now, account))
        self._kept.fetch_held(account, after, count, octets, done)

    def recall(
        self, operator: OperatorName, operator_ids: Sequence[OperatorId], done: Recalled
    ) -> None:
        """See `Journal`."""
        self.recalls.append(len(operator_ids))
        self._kept.recall(operator, operator_ids, done)
