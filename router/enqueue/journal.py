"""The journal's operations, whatever stores it: a batch of changes is safe, or nothing of it is.

Every operation completes in a later turn of the loop, may be slow and may fail. A step adds what is
to be kept to the turn's `Changes`; nothing that depends on a change happens before `done` is called
with its batch. What is in the router's memory is a cache of the journal.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from router.smpp.receipt import Receipt
from router.terms.group import Started
from router.terms.message import Delivery, Message
from router.terms.names import AccountName, ClientId, OperatorId, OperatorName, RouterId
from router.terms.orphan import Orphan
from router.terms.outcome import NO_EVIDENCE, Evidence, JournalError, Outcome
from router.terms.queue_key import QueueKey
from router.terms.record import Refused
from router.terms.states import Mark, MarkEvent
from router.terms.unseen import UnseenAnswer

__all__ = [
    "BEGINNING",
    "CALLED_WITHIN",
    "NOT_CALLED",
    "Backlog",
    "Called",
    "Changes",
    "Damaged",
    "DamagedFound",
    "Done",
    "Fetched",
    "Held",
    "HeldFetched",
    "Journal",
    "JournalError",
    "LookedUp",
    "PendingReceipt",
    "Place",
    "Recalled",
    "Recovered",
    "Renames",
    "Replaced",
    "Searched",
    "SentFetched",
    "Settlement",
    "Wanted",
    "Weights",
    "is_with_operator",
    "take_up_doubt",
]


# Of these two, every message makes one: a dataclass's constructor would stay interpreted.


class PendingReceipt:
    """An operator took a message: a receipt under its id will be this message's."""

    __slots__ = ("at_utc", "failure", "kept_as", "message", "operator", "operator_id")

    def __init__(
        self,
        message: Message,
        operator: OperatorName,
        operator_id: OperatorId,
        at_utc: float,
        failure: bytes | None = None,
        kept_as: int = 0,
    ) -> None:
        self.message = message
        self.operator = operator
        self.operator_id = operator_id
        self.at_utc = at_utc
        self.failure = failure
        """The operator's final receipt of a failure, if another attempt may still end better. Such
        an attempt is committed a second time, and replaces the first."""
        self.kept_as = kept_as
        """The attempt's number in the journal, once the journal has it."""


class Damaged:
    """A row of the journal that is none, or not the one that was written."""

    __slots__ = ("account", "at_utc", "message", "number", "octets", "operator", "table", "why")

    def __init__(
        self,
        table: str,
        number: int,
        why: str,
        *,
        message: Message | None = None,
        account: AccountName | None = None,
        operator: OperatorName | None = None,
        octets: int = 0,
    ) -> None:
        self.table = table
        self.number = number
        """Its key: the router_id in `message`, elsewhere a number of its own."""
        self.why = why
        self.message = message
        """The message that ends with it, as far as that can be read: it asks for no receipt where
        its addresses cannot. None where it is not known, or goes on."""
        self.account = account
        """Whose delivery it is."""
        self.operator = operator
        """Who took the message."""
        self.octets = octets
        """How many octets a delivery has."""
        self.at_utc = 0.0
        """When it was set aside."""


class Settlement:
    """The final record of a message, which has its outcome."""

    __slots__ = ("at_utc", "evidence", "kept_as", "message", "outcome", "reason", "receipt")

    def __init__(
        self,
        message: Message,
        outcome: Outcome,
        at_utc: float,
        reason: str = "",
        receipt: Receipt | None = None,
        evidence: Evidence = NO_EVIDENCE,
    ) -> None:
        self.message = message
        self.outcome = outcome
        self.at_utc = at_utc
        self.reason = reason
        """A word for the log where the router, not the operator, decided."""
        self.receipt = receipt
        """What the operator said in the end; None where nothing was said or asked."""
        self.kept_as = 0
        """The number of its record in the journal."""
        self.evidence = evidence
        """Whose word the outcome is; not kept in the journal."""


class Replaced:
    """What a message that waits is from now on, as its client wants it."""

    __slots__ = ("expires_utc", "message", "not_before_utc", "octets", "registered_delivery")

    def __init__(self, message: Message) -> None:
        self.message = message
        # Of this moment: when an operator has taken the message it has no text any more.
        self.octets = message.octets
        self.registered_delivery = message.registered_delivery
        self.expires_utc = message.expires_utc
        self.not_before_utc = message.not_before_utc


class Changes:
    """One batch: made safe together, or not at all."""

    __slots__ = (
        "accepted",
        "accepted_octets",
        "acknowledged",
        "at_utc",
        "claimed",
        "held",
        "marked",
        "orphaned",
        "promised",
        "refused",
        "replaced",
        "replies",
        "seen_answers",
        "set_aside",
        "settled",
        "started",
        "taken",
        "unmarked",
        "unseen_answers",
        "written",
    )

    def __init__(self) -> None:
        self.accepted: list[Message] = []
        """Messages of clients that wait for their submit_sm_resp."""
        self.accepted_octets = 0
        """All their octets."""
        self.unseen_answers: list[tuple[Message, bytes]] = []
        """Those of them that the client may send again without having seen the answer, each with
        its fingerprint: kept, beside the messages themselves, until `seen_answers` has them."""
        self.seen_answers: list[RouterId] = []
        """Messages whose submit is not looked for any more when one comes."""
        self.taken: list[PendingReceipt] = []
        self.held: list[Delivery] = []
        """Receipts and inbound messages for clients, kept until acknowledged."""
        self.acknowledged: list[Delivery] = []
        """Deliveries that their client has, or that have ended otherwise."""
        self.orphaned: list[Orphan] = []
        """Receipts whose message is not known; kept for the time in which it may become known."""
        self.claimed: list[Orphan] = []
        """Those whose message has become known, or will not become known any more."""
        self.settled: list[Settlement] = []
        self.replaced: list[Replaced] = []
        """What messages are to be that wait, instead of what they were accepted as."""
        self.refused: list[Refused] = []
        """Submits that were refused, for their records alone."""
        self.started: list[Started] = []
        """Long messages of which an operator has taken parts, each as it then was; kept while
        that operator has not taken all."""
        self.set_aside: list[Damaged] = []
        """Rows that cannot be used: they are moved where people find them."""
        self.marked: list[Message] = []
        """Messages that may be with an operator, or are about to be, wherever their queue is."""
        self.unmarked: list[Message] = []
        """Messages that are not with an operator, though their queue was written beyond them."""
        self.written: dict[int, Message] = {}
        """The newest message of each queue, by the queue's number, that was written to an operator:
        after a crash the messages up to that one which no operator took are in doubt. Scheduled
        messages go before their turn; they are marked instead."""
        self.at_utc = 0.0
        """The time, for a process that starts while the wall clock is wrong; 0 says nothing."""
        self.replies: list[object] = []
        """The answers to send when the batch is safe. The journal does not look at them."""
        self.promised: list[Callable[[bool], None]] = []
        """Who is told whether the batch is safe: other answers depend on it."""

    def rows(self) -> int:
        """Return about how many rows of a table it takes to keep this."""
        return (
            len(self.accepted)
            + len(self.taken)
            + len(self.held)
            + len(self.acknowledged)
            + len(self.settled)
            + len(self.orphaned)
            + len(self.claimed)
            + len(self.started)
            + len(self.refused)
            + len(self.replaced)
            + len(self.unseen_answers)
            + len(self.seen_answers)
        )

    def __bool__(self) -> bool:
        return bool(
            self.accepted
            or self.settled
            or self.taken
            or self.held
            or self.acknowledged
            or self.orphaned
            or self.claimed
            or self.set_aside
            or self.started
            or self.refused
            or self.replaced
            or self.seen_answers
            or self.replies
            or self.promised
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
    octets: int = 0
    """The octets of their PDUs, once they are weighed."""


@dataclass(slots=True)
class Held:
    """How many deliveries wait for one account, and the numbers (`kept_as`) they lie between."""

    count: int
    first: int
    last: int
    octets: int = 0
    """The octets of their PDUs, once they are weighed."""


@dataclass(slots=True)
class Recovered:
    """What a journal holds when the router starts: how much. All of it is fetched later."""

    waiting: list[Backlog] = field(default_factory=list)
    """Messages that no operator has taken, by queue: `fetch`."""
    sent: dict[OperatorName, int] = field(default_factory=dict)
    """Attempts whose receipts may come, by operator: `fetch_sent`, `recall`."""
    held: dict[AccountName, Held] = field(default_factory=dict)
    """Deliveries that their client has not acknowledged: `fetch_held`."""
    orphans: list[Orphan] = field(default_factory=list)
    """Receipts whose message was not known, in the order in which they came."""
    started: list[Started] = field(default_factory=list)
    """Long messages of which an operator took parts, in the order of their beginnings."""
    unseen_answers: list[UnseenAnswer] = field(default_factory=list)
    """Submits whose answer the client may not have seen, in the order of their messages."""
    known_utc: float = 0.0
    """The last time that a process knew, to about a minute; 0 where none has told."""


@dataclass(slots=True)
class Weights:
    """The octets of all PDUs that waited when the journal was recovered."""

    waiting: dict[QueueKey, int] = field(default_factory=dict)
    held: dict[AccountName, int] = field(default_factory=dict)


class Renames(NamedTuple):
    """What accounts and operators are called now, by what they were called before."""

    accounts: Mapping[AccountName, AccountName]
    operators: Mapping[OperatorName, OperatorName]


Done = Callable[[Changes, JournalError | None], None]
DamagedFound = Callable[[Sequence[Damaged]], None]
"""Hears of damaged rows that a reading has met, before what else that has found; once of each."""


@dataclass(slots=True)
class Wanted:
    """The next `count` messages of one queue after this id."""

    queue: QueueKey
    after: RouterId
    count: int
    octets: int = 2**60
    """No more messages follow when those returned have so many octets."""


@dataclass(slots=True)
class LookedUp:
    """What the journal has of messages that are not over."""

    waiting: list[Message] = field(default_factory=list)
    """No operator has taken these, as far as is written: they wait, or are out and not answered."""
    sent: list[PendingReceipt] = field(default_factory=list)
    """What operators took: their receipts may come."""


Fetched = Callable[[list[Message], JournalError | None], None]
LookedUpDone = Callable[[LookedUp, JournalError | None], None]
Recalled = Callable[[list[PendingReceipt], JournalError | None], None]
Weighed = Callable[[Weights, JournalError | None], None]
HeldFetched = Callable[[list[Delivery], JournalError | None], None]

Place = int
"""Where a reading of attempts goes on; only the journal knows what the number means."""
Called = Mapping[RouterId, Sequence[ClientId]]
"""Ids of messages, and by each what clients may call those that came with it in one PDU."""
NOT_CALLED: Final[Called] = {}
CALLED_WITHIN: Final = 500_000
"""How far behind the id of a message those are: some 5,000 messages of others may come between."""
BEGINNING: Final[Place] = 0
SentFetched = Callable[[list[PendingReceipt], Place | None, JournalError | None], None]
Searched = Callable[[list[Message], Place | None, JournalError | None], None]

_WITH_OPERATOR: Final = frozenset({Mark.MARKING, Mark.MARKED})
_IDS_PER_SECOND: Final = 10_000
_EPOCH_UTC: Final = 1_704_067_200
"""2024-01-01. With two digits for the node, numbers that start here have 15 digits until 2055."""


def first_number_at(now_utc: float) -> int:
    """Return the first number of a new journal: beyond those of an earlier journal that was lost.

    10,000 for every second since the epoch. An id is repeated only if the lost journal gave more
    than that on the average of its whole life.
    """
    return int((now_utc - _EPOCH_UTC) * _IDS_PER_SECOND)


def is_with_operator(mark: Mark) -> bool:
    """Return whether a mark says that its message may be with an operator."""
    return mark in _WITH_OPERATOR


def take_up_doubt(
    message: Message, marked: bool | None, written: int, operator: OperatorName | None
) -> None:
    """Put a message that was fetched in doubt if an earlier process may have written it.

    `marked` is the message's own mark. If that is None, the message may have been written if its
    queue was `written` as far as the message or farther; `operator` is the last one it was written
    to. For every journal's `fetch`.
    """
    if marked is not None:
        message.set_mark(MarkEvent.ASK if marked else MarkEvent.CLEAR)
        if marked:
            message.set_mark(MarkEvent.KEEP)
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

        An `urgent` batch (clients wait for it) waits `commit_every` at most to share a commit, any
        other batch `settle_every`. Batches are applied in the order of the calls, but an urgent one
        may overtake others. When a batch fails, the batches that were handed in before the failure
        was told fail too: they may follow from it.
        """

    def reserve_ids(self, count: int, done: Callable[[int, JournalError | None], None]) -> None:
        """Reserve `count` numbers that were never given before; `done(first, error)`."""

    def fetch(self, wanted: Wanted, done: Fetched) -> None:
        """Return the next messages of one queue that wait, in order; fewer if there are no more.

        The messages are new objects. A message that an earlier process may have written to an
        operator is `in_doubt`, counts as written once, and its `operator` is the one that its queue
        was written to last.
        """

    def look_up(
        self, router_ids: Collection[RouterId], done: LookedUpDone, *, called: Called = NOT_CALLED
    ) -> None:
        """Return what is kept of these messages, by their ids; nothing of those that are over.

        By `called` also later ones: those of a submit_multi share the id of the first of them.
        Messages are new objects, as for `fetch`: what is in memory already comes a second time.
        """

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
        """Return what an account has waiting for destinations that end so, in order.

        A destination is TON, NPI, address and NUL; empty octets stand for all. One call looks at
        `count` messages of all accounts, and ends when it has found `most`; the next goes on at the
        place that it brings, until that is None.
        """

    def fetch_held(
        self, account: AccountName, after: int, count: int, octets: int, done: HeldFetched
    ) -> None:
        """Return the next deliveries of one account after this `kept_as`, oldest first.

        No more follow when those returned have so many octets.

        The deliveries are new objects: one that is in memory already comes a second time.
        """

    def recall(
        self, operator: OperatorName, operator_ids: Sequence[OperatorId], done: Recalled
    ) -> None:
        """Return the attempts that the operator took under these ids, in canonical form.

        With them come those of the other parts of their messages, where one receipt tells of all
        parts; and all other attempts of all of these, in the order of `at_utc`. A message is a new
        object without its text, and the same object for all its attempts.
        """

    def fetch_sent(
        self, operator: OperatorName, before_utc: float, after: Place, count: int, done: SentFetched
    ) -> None:
        """Return attempts that the operator took before `before_utc`, or that have failed.

        With them come all other attempts of their messages, as for `recall`. One call reads `count`
        attempts of all operators, perhaps none of this one. `done(attempts, place, error)`: the
        next call goes on at that place; None if there are no more, or only younger ones.
        """

    def recover(self, done: Callable[[Recovered, JournalError | None], None]) -> None:
        """Return what an earlier process left. Called once, before anything else."""

    def rename(self, renames: Renames) -> None:
        """Hand over all that is kept under the old names; the new ones may have things already.

        At once, for whatever is asked from now on, `recover` included; and in the file with the
        next commit. What was asked before may still bring old names. An old name may be another's
        from now on.
        """

    def weigh(self, done: Weighed) -> None:
        """Return the octets of what waited when `recover` was called. Called once, after it.

        Not part of the recovery: every row has to be looked at, a second for a million. Meanwhile
        all other operations go on, and what they change is not in the answer.
        """

    def close(self, done: Callable[[], None]) -> None:
        """Finish what was asked for, then call `done`."""

    @property
    def keeps_records(self) -> bool:
        """Whether records are kept of messages that are over, and of refused submits."""

    @property
    def pending(self) -> int:
        """How many operations are not done yet."""
