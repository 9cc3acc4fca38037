"""What the stages ask of the journal, whatever keeps it: a batch is safe, or nothing of it is.

Every operation completes in a later turn of the loop, may be slow and may fail. A stage adds what
it wants kept to the turn's `Changes`; nothing that depends on it happens before `done` is called
with them. What is in the router's memory is a cache of the journal.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from router.terms.message import Delivery, Message
from router.terms.names import AccountName, OperatorId, OperatorName, RouterId
from router.terms.outcome import JournalError, Outcome
from router.terms.queue_key import QueueKey
from router.terms.states import Mark, MarkEvent

__all__ = [
    "BEGINNING",
    "Backlog",
    "Changes",
    "Done",
    "Fetched",
    "Held",
    "HeldFetched",
    "Journal",
    "JournalError",
    "PendingReceipt",
    "Place",
    "Recalled",
    "Recovered",
    "SentFetched",
    "Settlement",
    "Wanted",
    "is_with_operator",
    "take_up_doubt",
]


@dataclass(slots=True)
class PendingReceipt:
    """An operator took a message: a receipt under its id will be this message's."""

    message: Message
    operator: OperatorName
    operator_id: OperatorId
    at_utc: float
    failure: bytes | None = None
    """What the operator has said in the end, where another attempt may still end better. Such an
    attempt is told a second time, and takes the place of the first."""
    kept_as: int = 0
    """Its number in the journal, once it is there."""


@dataclass(slots=True)
class Settlement:
    """A message has its outcome; this is its final record."""

    message: Message
    outcome: Outcome
    at_utc: float
    reason: str = ""
    """A word for the log where the router, not the operator, decided."""
    kept_as: int = 0
    """The number of its record in the journal."""


class Changes:
    """One batch: made safe together, or not at all."""

    __slots__ = (
        "accepted",
        "acknowledged",
        "at_utc",
        "held",
        "marked",
        "replies",
        "settled",
        "taken",
        "unmarked",
        "written",
    )

    def __init__(self) -> None:
        self.accepted: list[Message] = []
        """Messages that clients submitted; they wait to be told."""
        self.taken: list[PendingReceipt] = []
        self.held: list[Delivery] = []
        """Receipts and inbound messages for clients, kept until acknowledged."""
        self.acknowledged: list[Delivery] = []
        """Deliveries that their client has, or that have ended otherwise."""
        self.settled: list[Settlement] = []
        self.marked: list[Message] = []
        """These may be with an operator, whatever is said of their queue; or are about to be."""
        self.unmarked: list[Message] = []
        """These are not with an operator, though their queue may have been written beyond them."""
        self.written: dict[int, Message] = {}
        """The newest message of each queue, by `kept_in`, that was written to an operator: after a
        crash those up to it that nobody took are in doubt. Not one that was scheduled, which goes
        before its turn: that is marked."""
        self.at_utc = 0.0
        """The time, for a process that starts while the wall clock is wrong; 0 says nothing."""
        self.replies: list[object] = []
        """Whom to answer when this is safe. Not the journal's business: it travels along."""

    def __bool__(self) -> bool:
        return bool(
            self.accepted
            or self.settled
            or self.taken
            or self.held
            or self.acknowledged
            or self.replies
            or self.marked
            or self.unmarked
            or self.written
            or self.at_utc
        )


@dataclass(slots=True)
class Backlog:
    """How many messages of one queue wait in the journal: no operator has taken them."""

    queue: QueueKey
    count: int


@dataclass(slots=True)
class Held:
    """How many deliveries wait for one account, and the numbers (`kept_as`) they lie between."""

    count: int
    first: int
    last: int


@dataclass(slots=True)
class Recovered:
    """What a journal holds when the router starts: how much. All of it is fetched later."""

    waiting: list[Backlog] = field(default_factory=list)
    """No operator has taken them: `fetch`."""
    sent: dict[OperatorName, int] = field(default_factory=dict)
    """Attempts by operator, whose receipts may come: `fetch_sent`, `recall`."""
    held: dict[AccountName, Held] = field(default_factory=dict)
    """Not acknowledged by their client: `fetch_held`."""
    known_utc: float = 0.0
    """The last time that a process knew, to about a minute; 0 where none has told."""


Done = Callable[[Changes, JournalError | None], None]


@dataclass(slots=True)
class Wanted:
    """The next `count` messages of one queue after this id."""

    queue: QueueKey
    after: RouterId
    count: int


Fetched = Callable[[list[Message], JournalError | None], None]
Recalled = Callable[[list[PendingReceipt], JournalError | None], None]
HeldFetched = Callable[[list[Delivery], JournalError | None], None]

Place = int
"""Where a reading of attempts goes on; the journal's business."""
BEGINNING: Final[Place] = 0
SentFetched = Callable[[list[PendingReceipt], Place | None, JournalError | None], None]

_IDS_PER_SECOND: Final = 10_000
_EPOCH_UTC: Final = 1_704_067_200
"""2024-01-01. With two digits for the node, numbers that start here have 15 digits until 2055."""


def first_number_at(now_utc: float) -> int:
    """Where a journal that remembers no ids begins: not where an earlier one has been.

    10,000 for every second since the epoch, so that a lost or forgetful journal repeats an id only
    after more than that rate on the average of its whole life.
    """
    return int((now_utc - _EPOCH_UTC) * _IDS_PER_SECOND)


def is_with_operator(mark: Mark) -> bool:
    """Whether a mark says that its message may be with an operator."""
    return mark is Mark.MARKING or mark is Mark.MARKED


def take_up_doubt(
    message: Message, marked: bool | None, written: int, operator: OperatorName | None
) -> None:
    """Give a message that waits the doubt in which an earlier process left it.

    `marked` is the message's own mark, None where it has none; then it counts whether its queue was
    `written` as far, to this operator. For every journal's `fetch`.
    """
    if marked is not None:
        message.set_mark(MarkEvent.ASK if marked else MarkEvent.CLEAR)
    else:
        marked = message.router_id <= written and not message.not_before_utc
    if marked:
        message.doubt()
        message.writes = 1
        message.operator = operator


class Journal(Protocol):
    """The operations. Callbacks run in the loop's thread, in a later turn than the call."""

    def commit(self, changes: Changes, done: Done, *, urgent: bool) -> None:
        """Make the batch safe, then call `done(changes, error)`.

        `urgent` batches (clients wait for them) share a commit for `commit_every` at most, the
        others for `settle_every`. Batches are applied in the order of the calls, but an urgent one
        may overtake others. When one fails, so do those that were asked for before that was told:
        they may follow from it.
        """

    def reserve_ids(self, count: int, done: Callable[[int, JournalError | None], None]) -> None:
        """Reserve `count` numbers that nobody had before; `done(first, error)`."""

    def fetch(self, wanted: Wanted, done: Fetched) -> None:
        """Return the next messages of one queue that wait, in order; fewer if there are no more.

        They are made anew. What an earlier process may have written to an operator is `in_doubt`,
        counts as sent once, and its `operator` is the one that the queue was written to last.
        """

    def fetch_held(self, account: AccountName, after: int, count: int, done: HeldFetched) -> None:
        """Return the next deliveries of one account after this `kept_as`, oldest first.

        They are made anew: a delivery that is in memory as well comes a second time.
        """

    def recall(
        self, operator: OperatorName, operator_ids: Sequence[OperatorId], done: Recalled
    ) -> None:
        """Return the attempts that the operator took under these ids, in canonical form.

        And all others of their messages, in the order of `at_utc`. A message is made anew, without
        its text; there is one object for all its attempts.
        """

    def fetch_sent(
        self, operator: OperatorName, before_utc: float, after: Place, count: int, done: SentFetched
    ) -> None:
        """Return attempts that the operator took before `before_utc`, or that have failed.

        And all others of their messages, as `recall` does. `done(attempts, place, error)`: it goes
        on at that place, after a piece of `count` (of all operators) that may be empty; None is the
        end, or what follows is younger.
        """

    def recover(self, done: Callable[[Recovered, JournalError | None], None]) -> None:
        """Return what an earlier process left. Called once, before anything else."""

    def close(self, done: Callable[[], None]) -> None:
        """Finish what was asked for, then call `done`."""

    @property
    def pending(self) -> int:
        """Batches that are not safe yet."""
