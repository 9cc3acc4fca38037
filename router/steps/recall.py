"""What operators took and only the journal remembers: found again when a receipt asks for it.

A receipt whose message is not in memory waits, unanswered, until the journal has been asked; those
of one turn ask together. What is found is taken back into memory, and the receipt goes its ordinary
way. What has waited for its receipt for too long is searched for, a piece at a time.

Rule: a reading may be older than what has happened since. So there is one reading at a time, and
what was settled and not kept when it began, or is settled while it lasts, is over.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from router.enqueue.journal import BEGINNING, Journal, JournalError, PendingReceipt, Place
from router.steps.clocks import Clocks
from router.steps.commits import Commits
from router.steps.former_names import FormerNames
from router.steps.peers import Arrival
from router.steps.pending_receipts import PendingReceipts
from router.steps.turn import Turn
from router.terms.capacity import Capacity
from router.terms.message import Message
from router.terms.names import OperatorId, OperatorName, RouterId
from router.terms.outcome import TEMPORARY

PIECE: Final = 2000
"""Attempts that the journal looks at in one go for those that have waited too long."""
PIECES_PER_SWEEP: Final = 5
"""So 5,000,000 are looked through in less than ten minutes, and it takes little of a core."""
SHORTEST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 600.0
"""Between two searches; in between, the hundredth part of the wait for a receipt."""


class Recall:
    """Receipts that ask the journal, and its search for attempts that have waited too long."""

    __slots__ = (
        "_asking",
        "_capacity",
        "_clocks",
        "_commits",
        "_ended",
        "_former",
        "_found",
        "_in_question",
        "_journal",
        "_over",
        "_pending",
        "_renamed",
        "_search_at",
        "_search_from",
        "_taken_back",
        "_to_search",
        "_turn",
        "readings",
    )

    def __init__(
        self,
        journal: Journal,
        pending: PendingReceipts,
        commits: Commits,
        clocks: Clocks,
        turn: Turn,
        capacity: Capacity,
        former: FormerNames,
        *,
        found: Callable[[Arrival, float], None],
        taken_back: Callable[[Message], None],
        ended: Callable[[Message], None],
    ) -> None:
        """A reading ends later than the call that began it, so its end is told to callbacks.

        `found` hears of a receipt when the journal has told what it knows, `taken_back` of a
        message that is in memory again, `ended` of one whose receipt is not waited for any longer.
        """
        self._journal: Final = journal
        self._pending: Final = pending
        self._commits: Final = commits
        self._clocks: Final = clocks
        self._turn: Final = turn
        self._capacity: Final = capacity
        self._former: Final = former
        self._found: Final = found
        self._taken_back: Final = taken_back
        self._ended: Final = ended
        self._asking: dict[OperatorName, list[tuple[OperatorId, Arrival]]] = {}
        """Receipts whose message is not in memory, until the journal can be asked."""
        self._in_question: Counter[tuple[OperatorName, OperatorId]] = Counter()
        """Those and the ones for which the journal has been asked, by id."""
        self.readings = 0
        """How many readings of the journal are under way."""
        self._over: set[RouterId] = set()
        """Messages that are settled, though the reading that is under way may not see it."""
        self._renamed: list[tuple[OperatorName, OperatorName]] = []
        """What operators were called, and are called now, since the readings under way began."""
        self._to_search: list[OperatorName] = []
        self._search_from = BEGINNING
        self._search_at = clocks.now()

    def settled(self, message: Message) -> None:
        """Know, while a reading is under way, that a message is over, whatever that shows of it."""
        self._over.add(message.router_id)

    def is_over(self, message: Message) -> bool:
        """Whether a message that the reading under way has found has been settled since."""
        return message.router_id in self._over

    def rename(self, was: OperatorName, now: OperatorName) -> None:
        """Know an operator by its new name; readings that are under way may bring the old one."""
        if was in self._asking:
            self._asking[now] = self._asking.pop(was)
        for name, operator_id in [key for key in self._in_question if key[0] == was]:
            self._in_question[now, operator_id] = self._in_question.pop((name, operator_id))
        self._to_search = [now if name == was else name for name in self._to_search]
        if self.readings:
            self._renamed.append((was, now))

    def _called_now(self, name: OperatorName) -> OperatorName:
        for was, now in self._renamed:
            if name == was:
                name = now
        return name

    def _with_names_of_now(self, attempts: list[PendingReceipt]) -> None:
        for one in attempts:
            message = one.message
            message.account = self._former.of_today(message.account)
            if self._renamed:
                one.operator = self._called_now(one.operator)
                if message.operator is not None:
                    message.operator = self._called_now(message.operator)

    # A receipt asks.

    def asks_for(self, operator: OperatorName) -> bool:
        """Whether a receipt of an operator waits for the journal."""
        return any(name == operator for name, _ in self._in_question)

    def must_ask(self, came: Arrival, operator_id: OperatorId, message: Message | None) -> bool:
        """Whether the journal may know better whose receipt this is."""
        operator = came.peer.bind.operator.name
        if message is None or (operator, operator_id) in self._in_question:
            return bool(operator_id)
        correlator = self._pending.correlators[operator]
        if correlator.per_message and message.group is not None:  # Other parts may be there.
            return True
        return not correlator.is_sure(message, came.sm)

    def ask(self, came: Arrival, operator_id: OperatorId) -> None:
        """Have the journal asked when this turn ends."""
        if self._in_question.total() >= self._capacity.receipts_asking:
            came.reply().send(TEMPORARY.status, self._turn)
            return
        name = came.peer.bind.operator.name
        self._in_question[name, operator_id] += 1
        self._asking.setdefault(name, []).append((operator_id, came))
        self._turn.end_soon()

    def ask_journal(self) -> None:
        """Ask for all receipts that wait, once what was asked before is answered."""
        if not self._asking or self.readings:
            return
        asking, self._asking = self._asking, {}
        for name, arrivals in asking.items():
            forms = self._pending.correlators[name].forms
            ids = {
                one: None
                for _, came in arrivals
                for octets in (came.receipt.operator_id, came.receipt.other_id)
                if octets
                for one in forms(octets)
            }
            self._begin_reading()
            self._journal.recall(name, list(ids), partial(self._recalled, name, arrivals))

    def _recalled(
        self,
        name: OperatorName,
        arrivals: list[tuple[OperatorId, Arrival]],
        attempts: list[PendingReceipt],
        error: JournalError | None,
    ) -> None:
        """The journal has told what it knows: the receipts go on."""
        name = self._called_now(name)
        self._with_names_of_now(attempts)
        for message, of_message in reversed(by_message(attempts)):  # The oldest of an id last.
            if self._pending.in_memory(message, of_message) is None:
                self._take_back(message, of_message)
        self._end_reading()
        now = self._clocks.now()
        for operator_id, came in arrivals:
            self._in_question[name, operator_id] -= 1
            if not self._in_question[name, operator_id]:
                del self._in_question[name, operator_id]
            if error is None:
                self._found(came, now)
            else:
                came.reply().send(TEMPORARY.status, self._turn)

    def _begin_reading(self) -> None:
        if not self.readings:
            batches = self._commits.unseen()
            self._over = {one.message.router_id for batch in batches for one in batch.settled}
        self.readings += 1

    def _end_reading(self) -> None:
        self.readings -= 1
        if not self.readings:
            self._renamed.clear()
        self._turn.end_soon()  # Others may wait to ask.

    def _take_back(self, message: Message, attempts: list[PendingReceipt]) -> None:
        if message.router_id not in self._over:
            self._pending.take_back(message, attempts)
            self._taken_back(message)

    # What has waited for too long.

    def search_overdue(self, now: float) -> None:
        """Have the journal look for attempts that have waited too long; call this once a second."""
        if self.readings or not self._commits.up:
            return
        correlators = self._pending.correlators
        if not self._to_search and now >= self._search_at:
            self._to_search = [
                name for name, one in correlators.items() if one.behind or not one.is_in_order
            ]
            waits = (correlators[name].wait_s for name in self._to_search)
            pause_s = min(waits, default=0.0) / 100
            self._search_at = now + max(SHORTEST_PAUSE_S, min(LONGEST_PAUSE_S, pause_s))
        if self._to_search:
            self._search(PIECES_PER_SWEEP)

    def _search(self, pieces: int) -> None:
        """Look at so many pieces of one operator's attempts, unless a receipt wants to ask."""
        name = self._to_search[0]
        if name not in self._pending.correlators:  # The configuration has it no more.
            self._to_search.pop(0)
            self._search_from = BEGINNING
            return

        def found(
            attempts: list[PendingReceipt], place: Place | None, error: JournalError | None
        ) -> None:
            self._with_names_of_now(attempts)
            if error is None:
                for message, of_message in by_message(attempts):
                    self._too_late(message, of_message)
                self._search_from = place or BEGINNING
                if place is None:
                    self._to_search.pop(0)
            self._end_reading()
            if error is None and pieces > 1 and self._to_search and not self._asking:
                self._search(pieces - 1)

        wait_s = self._pending.correlators[name].wait_s
        before_utc = self._clocks.utc_for(wait_s) - wait_s
        self._begin_reading()
        self._journal.fetch_sent(name, before_utc, self._search_from, PIECE, found)

    def _too_late(self, message: Message, attempts: list[PendingReceipt]) -> None:
        """Give up those of a message's attempts that have waited for too long."""
        if message.router_id in self._over:
            return
        correlators = self._pending.correlators
        known = [(correlators[o.operator], o) for o in attempts if o.operator in correlators]
        awaited = [(correlator, one) for correlator, one in known if one.failure is None]
        utc_for = self._clocks.utc_for
        overdue = [(c, one) for c, one in awaited if c.is_overdue(one.at_utc, utc_for(c.wait_s))]
        in_memory = self._pending.in_memory(message, attempts)
        if in_memory is None:
            if awaited and not overdue:
                return  # One has failed, and another may still do better.
            self._take_back(message, attempts)
            in_memory = message
        for correlator, one in overdue:
            if correlator.awaits(one.operator_id, message.router_id) is in_memory:
                correlator.close(one.operator_id, in_memory)
                self._ended(in_memory)


def by_message(attempts: Iterable[PendingReceipt]) -> list[tuple[Message, list[PendingReceipt]]]:
    """Return each message, and its attempts in their order."""
    found: dict[RouterId, tuple[Message, list[PendingReceipt]]] = {}
    for one in attempts:
        message = one.message
        found.setdefault(message.router_id, (message, []))[1].append(one)
    return list(found.values())
