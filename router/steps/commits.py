"""Batches of changes on their way to the journal: what must be kept, and what of it is not safe.

Rule 1: what clients wait for goes at once (`accepts`), the rest may wait a little (`settles`).

Rule 2: what a failed batch would have promised is promised to nobody; what has *happened* is told
the journal again, before anything that may follow from it.

Rule 3: a reading of the journal may not show a batch that is under way: `unseen` names them.
"""

from collections.abc import Callable
from typing import Final

from router.enqueue.commit_times import CommitTimes
from router.enqueue.journal import Changes, Done, Journal
from router.steps.turn import Turn
from router.terms.names import RouterId
from router.terms.outcome import JournalError

NEVER: Final = float("inf")
RETRY_S: Final = 1.0
"""How long after a failed commit the journal is tried again."""
TELL_TIME_EVERY_S: Final = 60.0
"""The journal is told what time it is: a later process compares it with its wall clock."""


class Commits:
    """Every batch from its first change until the journal has answered for it."""

    __slots__ = (
        "_accepts_under_way",
        "_changed",
        "_journal",
        "_kept",
        "_retry_at",
        "_tell_time_at",
        "_turn",
        "_under_way",
        "_unsafe",
        "accepting",
        "accepting_octets",
        "accepts",
        "free_octets",
        "is_short_of_space",
        "settles",
        "times",
        "up",
    )

    def __init__(
        self,
        journal: Journal,
        turn: Turn,
        now: float,
        *,
        kept: Done,
        changed: Callable[[JournalError | None], None],
    ) -> None:
        """`kept` hears of every batch; `changed` of the first failure, and None of its end."""
        self._journal: Final = journal
        self._turn: Final = turn
        self._kept: Final = kept
        self._changed: Final = changed
        self.accepts = Changes()
        """Messages that clients have submitted and wait to be told about."""
        self.accepting = 0
        """Messages that the journal was told to accept, and has not answered for."""
        self.accepting_octets = 0
        """All their octets."""
        self.settles = Changes()
        """What has happened to messages and deliveries since the last batch."""
        self.up = True
        """False from a commit that failed until one that succeeds."""
        self.free_octets: int | None = None
        """The space that is left for the journal; None while it is not known, or has no end."""
        self.is_short_of_space = False
        """Whether only receipts are taken, so that what was accepted can be brought to its end."""
        self._accepts_under_way: list[Changes] = []
        """Batches of `accepts` that the journal has not answered for."""
        self._under_way: list[Changes] = []
        """Batches of `settles` that the journal has not answered for."""
        self._unsafe: list[Changes] = []
        """Batches that failed, and are told again."""
        self._retry_at = NEVER
        self._tell_time_at = now
        self.times: Final = CommitTimes(now)
        """How long commits take."""

    @property
    def has_unkept(self) -> bool:
        """Whether something has happened that is not safe in the journal yet."""
        return bool(self._journal.pending or self.accepts or self.settles or self._unsafe)

    def flush(self) -> None:
        """Hand the journal what this turn has brought."""
        if self.accepts.accepted:
            accepts, self.accepts = self.accepts, Changes()
            self.accepting += len(accepts.accepted)
            self.accepting_octets += accepts.accepted_octets
            self._accepts_under_way.append(accepts)
            self._journal.commit(accepts, self._accepts_landed, urgent=True)
        if self.settles and self.up:  # Else it would overtake what is told again.
            settles, self.settles = self.settles, Changes()
            self._keep(settles, urgent=False)

    def found_space(self, octets: int, keep_free: int) -> bool:
        """Note how much space the journal has left; return whether it has become short, or ended.

        A tenth more than `keep_free` ends it, so that it does not come and go with every message.
        """
        self.free_octets = octets
        was_short = self.is_short_of_space
        self.is_short_of_space = octets < (keep_free * 1.1 if was_short else keep_free)
        return self.is_short_of_space != was_short

    def commit_marks(self, marks: Changes, done: Done) -> None:
        """Have marks made safe at once; `done` hands the batch on to `answered`."""
        self._journal.commit(marks, done, urgent=True)

    def answered(self, changes: Changes, error: JournalError | None) -> None:
        """Tell that the journal has answered for a batch."""
        self._kept(changes, error)

    def unseen(self) -> tuple[Changes, ...]:
        """Return the batches that a reading of the journal may not show."""
        return self.settles, *self._under_way, *self._unsafe

    def every(self) -> tuple[Changes, ...]:
        """Return all batches that the journal has not answered for, or has not been handed."""
        return self.accepts, *self._accepts_under_way, *self.unseen()

    def unconfirmed(self) -> set[RouterId]:
        """Return the messages that the journal was told to accept, and has not answered for.

        A reading may show them already, though no lane has them and no client was answered.
        """
        return {one.router_id for batch in self._accepts_under_way for one in batch.accepted}

    def _keep(self, changes: Changes, *, urgent: bool) -> None:
        self._under_way.append(changes)
        self._journal.commit(changes, self._has_landed, urgent=urgent)

    def _accepts_landed(self, changes: Changes, error: JournalError | None) -> None:
        self._accepts_under_way.remove(changes)
        self.accepting -= len(changes.accepted)
        self.accepting_octets -= changes.accepted_octets
        self._kept(changes, error)

    def _has_landed(self, changes: Changes, error: JournalError | None) -> None:
        self._under_way.remove(changes)
        self._kept(changes, error)

    def behind(self) -> tuple[int, int, bool]:
        """Return how many messages the journal was told to accept, their octets, and `is_slow`."""
        return self.accepting, self.accepting_octets, self.is_slow

    @property
    def is_slow(self) -> bool:
        """Whether messages are accepted, and the last commit took too long to add to the next.

        What operators bring goes on, and would keep clients out as long as it does.
        """
        return self.times.are_long and self.accepting > 0

    # How commits went.

    def succeeded(self) -> bool:
        """Return whether the journal had failed before: then every operator may send again."""
        if self.up:
            return False
        self.up = True
        self._changed(None)
        if self._unsafe:  # First, because what comes now may follow from it.
            self._retry()
        return True

    def failed(self, error: JournalError, now: float) -> None:
        """A commit has failed: nothing is accepted until one succeeds."""
        if self.up:
            self.up = False
            self._changed(error)
        self._retry_at = now + RETRY_S

    def tell_again(self, changes: Changes) -> None:
        """Keep a batch that failed, without what it would have promised, until it is safe."""
        if changes:
            self._unsafe.append(changes)

    def _retry(self) -> None:
        """Tell the journal again what it failed to keep; with nothing to tell, ask it."""
        self._retry_at = NEVER
        unsafe, self._unsafe = self._unsafe, []
        for changes in unsafe or [Changes()]:
            self._keep(changes, urgent=True)

    # Time.

    def tell_time(self, now: float, now_utc: float) -> None:
        """Have the journal know what time it is, once a minute."""
        if now >= self._tell_time_at:
            self._tell_time_at = now + TELL_TIME_EVERY_S
            self.settles.at_utc = now_utc
            self._turn.end_soon()

    def wake_at(self) -> float:
        """Return when `wake` is next needed."""
        return self._retry_at

    def wake(self, now: float) -> None:
        """Try the journal again when it is time to."""
        if now >= self._retry_at:
            self._retry()
