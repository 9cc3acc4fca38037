"""Where a message is that somebody asks about: in memory, in the journal, with an operator.

Whoever asks names the message by its number, or all messages of an account to a destination. The
journal is asked first, since it has every message that is not over; then memory, in the moment of
the answer, for what has happened since. Readings are small and follow each other, so that what
operators and lanes ask the journal for goes in between.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Final

from router.enqueue.feed import Queue
from router.enqueue.ids import ids_of
from router.enqueue.journal import (
    NOT_CALLED,
    Called,
    Journal,
    JournalError,
    LookedUp,
    PendingReceipt,
    Place,
)
from router.enqueue.lanes import Lanes
from router.steps.amendments import Amendments
from router.steps.commits import Commits
from router.steps.former_names import FormerNames
from router.terms.message import Message
from router.terms.names import AccountName, RouterId
from router.terms.queue_key import QueueKey
from router.terms.states import WAITS

MOST_AT_ONCE: Final = 20
"""Messages that are looked up at once: for each account of them its messages in memory are looked
through, some thousands."""
PIECE_ROWS: Final = 5_000
"""Messages that one reading looks at: a few milliseconds."""


@dataclass(slots=True)
class Waiting:
    """A message that waits and that no operator can have."""

    message: Message
    """The object that waits; of one that only the journal has, a new one."""
    is_in_memory: bool
    queue: Queue | None = None
    """Where only the journal has it, its queue. None where it is in memory, or where this
    configuration lacks an operator of its plan."""


@dataclass(slots=True)
class Found:
    """What is known of the messages that were asked for; nothing of those that are over.

    Nor of those that are about to be accepted: no client was answered for them, and no lane has
    them, though a reading may show them.
    """

    waiting: dict[RouterId, Waiting] = field(default_factory=dict)
    out: dict[RouterId, Message] = field(default_factory=dict)
    """Messages that an operator has or may have, though the journal does not know that it took
    them; also those that ended a moment ago."""
    sent: dict[RouterId, list[PendingReceipt]] = field(default_factory=dict)
    """What operators took: all attempts of each message, in the order of their times."""
    error: JournalError | None = None
    """Why the journal could not tell."""


Done = Callable[[Found], None]
PieceDone = Callable[[Found, Place | None], None]
"""Hears what a reading found, and where the next one goes on; None: there is no more."""


@dataclass(frozen=True, slots=True)
class _Question:
    """A question about single messages."""

    router_ids: tuple[RouterId, ...]
    called: Called
    done: Done

    def is_about(self, message: Message) -> bool:
        """Whether a message that was found is one of those asked for."""
        return message.router_id in self.router_ids or any(
            message.client_id in client_ids for client_ids in self.called.values()
        )


@dataclass(frozen=True, slots=True)
class _Piece:
    """A question about the next few of what an account has waiting."""

    account: AccountName
    destination: bytes
    place: Place
    most: int
    done: PieceDone


class Whereabouts:
    """Questions to the journal about single messages."""

    __slots__ = (
        "_amendments",
        "_asked",
        "_begun",
        "_commits",
        "_ended",
        "_former",
        "_is_reading",
        "_is_untouched",
        "_journal",
        "_lanes",
        "_pieces",
    )

    def __init__(
        self,
        journal: Journal,
        lanes: Lanes,
        commits: Commits,
        amendments: Amendments,
        former: FormerNames,
        *,
        is_untouched: Callable[[QueueKey, RouterId], bool],
    ) -> None:
        """`is_untouched` says whether a message waits for an operator that is in no configuration.

        Then it is in no lane, and was not read yet.
        """
        self._journal: Final = journal
        self._lanes: Final = lanes
        self._commits: Final = commits
        self._amendments: Final = amendments
        self._former: Final = former
        self._is_untouched: Final = is_untouched
        self._asked: Final[deque[_Question]] = deque()
        self._pieces: Final[deque[_Piece]] = deque()
        self._is_reading = False
        self._begun = 0
        self._ended = 0

    def look_up(
        self, router_ids: Sequence[RouterId], done: Done, *, with_others: bool = False
    ) -> None:
        """Find these messages, and then call `done`, in a later turn.

        `with_others`: also those that came in one submit_multi with one of these, as its first.
        """
        called = {one: tuple(ids_of(one)) for one in router_ids} if with_others else NOT_CALLED
        self._asked.append(_Question(tuple(router_ids), called, done))

    def next_of(
        self, account: AccountName, destination: bytes, place: Place, most: int, done: PieceDone
    ) -> None:
        """Find the next few that an account has waiting for destinations that end so.

        Empty octets stand for all destinations. `done` is called in a later turn.
        """
        self._pieces.append(_Piece(account, destination, place, most, done))

    def ask_journal(self) -> None:
        """Begin the next reading, if there is anything to read; call this once per turn.

        Clients go first, but for every third reading.
        """
        if self._is_reading or not (self._asked or self._pieces):
            return
        self._is_reading = True
        self._begun += 1
        takes_piece = self._begun % 3 == 0 or not self._asked
        if self._pieces and takes_piece:
            piece = self._pieces.popleft()
            self._journal.search(
                self._former.of_today(piece.account),
                piece.destination,
                piece.place,
                PIECE_ROWS,
                partial(self._found_piece, piece),
                most=piece.most,
            )
        else:
            questions = [self._asked.popleft()]
            count = len(questions[0].router_ids)
            while self._asked and count + len(self._asked[0].router_ids) <= MOST_AT_ONCE:
                questions.append(self._asked.popleft())
                count += len(questions[-1].router_ids)
            wanted = {router_id for one in questions for router_id in one.router_ids}
            called = dict(chain.from_iterable(one.called.items() for one in questions))
            self._journal.look_up(wanted, partial(self._looked_up, questions), called=called)

    def sweep(self) -> None:
        """Forget changes that every reading shows; call this once a second."""
        if self._amendments:
            self._amendments.sweep(self._commits.every(), self._begun, self._ended)

    def _read(self) -> None:
        self._is_reading = False
        self._ended += 1

    def _looked_up(
        self,
        questions: list[_Question],
        looked_up: LookedUp,
        error: JournalError | None,
    ) -> None:
        self._read()
        for question in questions:
            # For each anew: what the one before has led to may have changed it.
            found = self._judged(filter(question.is_about, looked_up.waiting))
            found.error = error
            for pending in looked_up.sent:
                if question.is_about(pending.message):
                    found.sent.setdefault(pending.message.router_id, []).append(pending)
            question.done(found)
        self.ask_journal()

    def _found_piece(
        self,
        piece: _Piece,
        messages: list[Message],
        place: Place | None,
        error: JournalError | None,
    ) -> None:
        self._read()
        found = self._judged(messages)
        found.error = error
        piece.done(found, place)
        self.ask_journal()

    def _judged(self, messages: Iterable[Message]) -> Found:
        """Return where messages are now that the journal has as waiting."""
        found = Found()
        unconfirmed = self._commits.unconfirmed()
        rows, _ = self._amendments.applied([m for m in messages if m.router_id not in unconfirmed])
        by_account: dict[AccountName, list[Message]] = {}
        for row in rows:
            row.account = self._former.of_today(row.account)
            by_account.setdefault(row.account, []).append(row)
        for account, of_account in by_account.items():
            here = self._lanes.find(account, {row.router_id for row in of_account})
            for row in of_account:
                live = here.get(row.router_id)
                if live is not None:
                    if live.state in WAITS and not (live.in_doubt or live.in_flight):
                        found.waiting[row.router_id] = Waiting(live, is_in_memory=True)
                    else:
                        found.out[row.router_id] = live
                elif row.in_doubt:
                    found.out[row.router_id] = row
                else:
                    self._judge_unread(row, found)
        return found

    def _judge_unread(self, row: Message, found: Found) -> None:
        key = QueueKey(row.plan, row.lane, row.account)
        queue = self._lanes.behind(key, row.router_id)
        if queue is not None or self._is_untouched(key, row.router_id):
            found.waiting[row.router_id] = Waiting(row, is_in_memory=False, queue=queue)
        else:
            found.out[row.router_id] = row
