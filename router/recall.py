"""What operators took and only the journal remembers: found again when a receipt asks for it.

The latest attempts are in memory (`report/correlate.py`), up to a number (`Capacity`); others are
left to the journal. A receipt whose message is not in memory waits, unanswered, until the journal
has been asked; those of one turn ask together. What is found is taken back into memory, and the
receipt goes its ordinary way.

Rule 1: a message is one object. What is in memory already is never taken back beside itself.

Rule 2: a reading may be older than what has happened since. So there is one reading at a time, and
what was settled and not kept when it began, or is settled while it lasts, is over.
"""

from collections.abc import Iterable
from functools import partial
from typing import Final

from router.enqueue.journal import BEGINNING, Attempt, JournalError, Place
from router.homecoming import Homecoming
from router.report import receipts
from router.stations import NEVER, Arrival, reply_to
from router.terms.clock import SMALL_S
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


class Recall(Homecoming):
    """The acts between a receipt and a message that is not in memory."""

    def _receipt(self, came: Arrival, now: float, *, asked: bool = False) -> None:
        """Find its message; `asked` is whether the journal has told what it knows."""
        raise NotImplementedError

    def _never_receipted(self, message: Message) -> None:
        """One of its attempts is not waited for any longer."""
        raise NotImplementedError

    def _tell_withheld(self, message: Message) -> None:
        """End it, if none of its attempts is open."""
        raise NotImplementedError

    # A receipt asks.

    def _must_ask(self, came: Arrival, operator_id: OperatorId, message: Message | None) -> bool:
        """Whether the journal may know better whose receipt this is."""
        operator = came.peer.bind.operator.name
        if message is None or (operator, operator_id) in self._in_question:
            return bool(operator_id)
        return not self.correlators[operator].is_sure(message, came.sm.source_octets)

    def _ask(self, came: Arrival, operator_id: OperatorId) -> None:
        """Have the journal asked when this turn ends."""
        if self._in_question.total() >= self.capacity.receipts_asking:
            self._reply(reply_to(came), TEMPORARY.status)
            return
        name = came.peer.bind.operator.name
        self._in_question[name, operator_id] += 1
        self._asking.setdefault(name, []).append((operator_id, came))
        self._end_turn_soon()

    def _ask_journal(self) -> None:
        """Ask for all receipts that wait, once what was asked before is answered."""
        if not self._asking or self._readings:
            return
        asking, self._asking = self._asking, {}
        for name, arrivals in asking.items():
            forms = self.correlators[name].forms
            ids = {one: None for _, came in arrivals for one in forms(came.receipt.operator_id)}
            self._begin_reading()
            self.journal.recall(name, list(ids), partial(self._recalled, name, arrivals))

    def _recalled(
        self,
        name: OperatorName,
        arrivals: list[tuple[OperatorId, Arrival]],
        attempts: list[Attempt],
        error: JournalError | None,
    ) -> None:
        """The journal has told what it knows: now their receipts go on."""
        for message, of_message in by_message(attempts):
            if self._in_memory(message, of_message) is None:
                self._take_back(message, of_message)
        self._end_reading()
        now = self.clock()
        for operator_id, came in arrivals:
            self._in_question[name, operator_id] -= 1
            if not self._in_question[name, operator_id]:
                del self._in_question[name, operator_id]
            if error is None:
                self._receipt(came, now, asked=True)
            else:
                self._reply(reply_to(came), TEMPORARY.status)

    # What the journal has told.

    def _begin_reading(self) -> None:
        if not self._readings:
            batches = (self._settles, *self._under_way, *self._unsafe)
            self._over = {one.message.router_id for batch in batches for one in batch.settled}
        self._readings += 1

    def _end_reading(self) -> None:
        self._readings -= 1
        self._end_turn_soon()  # Others may wait to ask.

    def _in_memory(self, message: Message, attempts: list[Attempt]) -> Message | None:
        """The same message as it is in memory."""
        router_id = message.router_id
        found = self._doubted.get(router_id)
        for one in attempts:
            if found is None and (correlator := self.correlators.get(one.operator)) is not None:
                found = correlator.awaits(one.operator_id, router_id)
        return found

    def _take_back(self, message: Message, attempts: list[Attempt]) -> None:
        """A message that an operator took is in memory again, with all its attempts."""
        router_id = message.router_id
        if router_id in self._over:
            return
        message.operator = attempts[-1].operator
        if len(attempts) > 1 or attempts[0].failure is not None:
            message.doubts = 1
            self._doubted[router_id] = message
        for one in reversed(attempts):  # The oldest last: of those with one id it goes first.
            correlator = self.correlators.get(one.operator)
            if correlator is None:
                continue  # Who is in this configuration no more will not report.
            if one.failure is None:
                message.attempts += 1
                correlator.take_back(one.operator_id, message, one.at_utc)
            else:
                correlator.behind -= 1
                self._withheld[router_id] = receipts.failure_of(one.failure)
        self._tell_withheld(message)

    # What is left to the journal, and waits there for too long.

    def _leave_to_journal(self) -> None:
        """Forget the oldest attempts where there are too many, if the journal has them."""
        in_memory = {name: one.in_memory for name, one in self.correlators.items()}
        excess = sum(in_memory.values()) - self.capacity.pending_receipts
        if excess <= 0:
            return
        batches = (self._settles, *self._under_way, *self._unsafe)
        unkept = min((one.attempted[0].at_utc for one in batches if one.attempted), default=NEVER)
        # What was noted later may bear an earlier time, by as much as the clock is corrected.
        before_utc = unkept - SMALL_S
        for name in sorted(in_memory, key=lambda name: -in_memory[name]):
            share = -(-excess * in_memory[name] // sum(in_memory.values()))
            self.correlators[name].leave_to_journal(share, before_utc)

    def _search_overdue(self, now: float) -> None:
        """Have the journal look for attempts that have waited for too long."""
        if self._readings or not self.journal_up:
            return
        if not self._to_search and now >= self._search_at:
            self._to_search = [
                name for name, one in self.correlators.items() if one.behind or not one.is_in_order
            ]
            waits = (self.settings.operators[name].receipt_wait_s for name in self._to_search)
            pause_s = min(waits, default=0.0) / 100
            self._search_at = now + max(SHORTEST_PAUSE_S, min(LONGEST_PAUSE_S, pause_s))
        if self._to_search:
            self._search(PIECES_PER_SWEEP)

    def _search(self, pieces: int) -> None:
        """So many pieces of one operator's attempts, unless a receipt wants to ask."""
        name = self._to_search[0]

        def found(attempts: list[Attempt], place: Place | None, error: JournalError | None) -> None:
            if error is None:
                now_utc = self.clock_utc()
                for message, of_message in by_message(attempts):
                    self._too_late(message, of_message, now_utc)
                self._search_from = place or BEGINNING
                if place is None:
                    self._to_search.pop(0)
            self._end_reading()
            if error is None and pieces > 1 and self._to_search and not self._asking:
                self._search(pieces - 1)

        before_utc = self.clock_utc() - self.settings.operators[name].receipt_wait_s
        self._begin_reading()
        self.journal.fetch_sent(name, before_utc, self._search_from, PIECE, found)

    def _too_late(self, message: Message, attempts: list[Attempt], now_utc: float) -> None:
        """Give up those of a message's attempts that have waited for too long."""
        if message.router_id in self._over:
            return
        known = [
            (self.correlators[o.operator], o) for o in attempts if o.operator in self.correlators
        ]
        awaited = [(correlator, one) for correlator, one in known if one.failure is None]
        overdue = [(c, one) for c, one in awaited if c.is_overdue(one.at_utc, now_utc)]
        in_memory = self._in_memory(message, attempts)
        if in_memory is None:
            if awaited and not overdue:
                return  # One has failed, and another may still do better.
            self._take_back(message, attempts)
            in_memory = message
        for correlator, one in overdue:
            if correlator.awaits(one.operator_id, message.router_id) is in_memory:
                correlator.close(one.operator_id, in_memory)
                self._never_receipted(in_memory)


def by_message(attempts: Iterable[Attempt]) -> list[tuple[Message, list[Attempt]]]:
    """Each message, and its attempts in their order."""
    found: dict[RouterId, tuple[Message, list[Attempt]]] = {}
    for one in attempts:
        message = one.message
        found.setdefault(message.router_id, (message, []))[1].append(one)
    return list(found.values())
