"""Reads the journal's file: each method reads over the connection that it is handed.

Used by the reading thread, and by the writing thread for the recovery. What is read becomes new
objects, which only the loop has. A row that is none is added to `damaged`, and the others go on.
"""

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from operator import attrgetter

from router.enqueue import row_reader
from router.enqueue.journal import (
    Backlog,
    Called,
    Damaged,
    Held,
    LookedUp,
    PendingReceipt,
    Place,
    Recovered,
    Wanted,
    Weights,
    take_up_doubt,
)
from router.enqueue.names import Names, Renamed, Span
from router.enqueue.row_reader import DamageError
from router.enqueue.row_writer import Queues, Statement
from router.enqueue.schema import Row
from router.terms.message import Delivery, Message
from router.terms.names import AccountName, LaneName, OperatorId, OperatorName, RouterId
from router.terms.plan import Plan
from router.terms.queue_key import QueueKey


class Reader:
    """Turns rows into messages, attempts and deliveries."""

    def __init__(
        self,
        queues: Queues,
        names: Names,
        plan_of: Callable[[tuple[OperatorName, ...]], Plan],
        clock_utc: Callable[[], float],
    ) -> None:
        self._queues = queues
        self._names = names
        self._plan_of = plan_of
        self._clock_utc = clock_utc
        self._written: dict[int, tuple[int, OperatorName]] = {}
        """How far an earlier process has written each queue, and to which operator last."""
        self._recovered: dict[int, QueueKey] = {}
        """The queue of each number that had messages when the journal was recovered."""
        self._marks: dict[int, bool] = {}
        """Whether an earlier process may have written a message, for messages with a mark."""

    def read_names(
        self, database: sqlite3.Connection
    ) -> tuple[tuple[Renamed, ...], tuple[Renamed, ...]]:
        """Return which rows bear another name than their owner: as noted, and as they still are.

        Queues are kept for ever, and so are their names.
        """
        noted = [
            Renamed(what, Span(*span), now)
            for what, *span, now in database.execute(row_reader.RENAMED)
        ]
        is_there = row_reader.IS_IN_SPAN
        found = tuple(
            one
            for one in noted
            if one.what not in is_there
            or database.execute(is_there[one.what], one.span).fetchone() is not None
        )
        # The same object, if none has gone: then the file has them as they are.
        return (found, found) if len(found) == len(noted) else (tuple(noted), found)

    def read_queues(self, database: sqlite3.Connection) -> None:
        """Read which queues there are, and what an earlier process may have written."""
        for number, account, lane, plan, router_id, operator in database.execute(row_reader.QUEUES):
            self._queues.found(number, AccountName(account), LaneName(lane), plan)
            if router_id is not None:
                self._written[number] = router_id, OperatorName(operator)
        for router_id, is_written in database.execute(row_reader.MARKS):
            self._marks[router_id] = bool(is_written)

    def recovered(self, database: sqlite3.Connection, damaged: list[Damaged]) -> Recovered:
        """See `Journal.recover`."""
        recovered = Recovered()
        backlogs: Counter[QueueKey] = Counter()
        counts = dict(database.execute(row_reader.BACKLOGS).fetchall())
        for number, account, lane, plan, *_ in database.execute(row_reader.QUEUES):
            if number in counts:
                key = QueueKey(
                    self._plan(plan),
                    self._queues.lane_of(LaneName(lane)),
                    self._queues.account_of(account, number),
                )
                self._recovered[number] = key
                backlogs[key] += counts.pop(number)
        for number in counts:
            for (router_id,) in database.execute(row_reader.IN_QUEUE, (number,)):
                damaged.append(Damaged("message", router_id, "its queue is not known"))
        recovered.waiting = [Backlog(queue, count) for queue, count in backlogs.items()]
        sent = dict(database.execute(row_reader.SENT_BY_OPERATOR).fetchall())
        for operator in self._names.concerned("sent"):
            sent[operator] = sum(
                database.execute(row_reader.SENT_IN_SPAN, span).fetchone()[0]
                for span in self._names.spans("sent", operator)
            )
        recovered.sent = {OperatorName(name): count for name, count in sent.items() if count}
        held = {
            name: Held(*numbers) for name, *numbers in database.execute(row_reader.HELD_BY_ACCOUNT)
        }
        held |= {name: self._held_by(name, database) for name in self._names.concerned("delivery")}
        recovered.held = {AccountName(name): one for name, one in held.items() if one.count}
        for row in database.execute(row_reader.ORPHANS):
            try:
                orphan = row_reader.to_orphan(row)
            except DamageError as error:
                damaged.append(Damaged("orphan", row[0], str(error)))
            else:
                now = self._names.now("orphan", orphan.operator, orphan.kept_as)
                orphan.operator = OperatorName(now)
                recovered.orphans.append(orphan)
        for row in database.execute(row_reader.STARTED):
            try:
                started = row_reader.to_started(row, self._plan(str(row[-1])))
            except DamageError as error:
                damaged.append(Damaged("started", row[0], str(error)))
            else:
                started.account = self._queues.account_of(started.account, started.queue)
                recovered.started.append(started)
        recovered.started.reverse()
        for row in database.execute(row_reader.UNSEEN_ANSWERS):
            try:
                unseen, queue = row_reader.to_unseen_answer(row)
            except DamageError as error:
                damaged.append(Damaged("unseen_answer", row[0], str(error)))
            else:
                unseen.account = self._queues.account_of(unseen.account, queue)
                recovered.unseen_answers.append(unseen)
        (recovered.known_utc,) = database.execute(row_reader.KNOWN_UTC).fetchone()
        return recovered

    def _held_by(self, account: str, database: sqlite3.Connection) -> Held:
        """Return what waits for an account, under whichever names it was written."""
        found = [
            Held(*numbers)
            for span in self._names.spans("delivery", account)
            for numbers in database.execute(row_reader.HELD_IN_SPAN, span)
            if numbers[0]
        ]
        return Held(
            sum([one.count for one in found]),
            min((one.first for one in found), default=0),
            max((one.last for one in found), default=0),
        )

    def weighed(self, database: sqlite3.Connection) -> Weights:
        """See `Journal.weigh`."""
        waiting: Counter[QueueKey] = Counter()
        for number, octets in database.execute(row_reader.WAITING_OCTETS):
            if number in self._recovered:
                waiting[self._recovered[number]] += octets
        held = dict(database.execute(row_reader.HELD_OCTETS).fetchall())
        for account in self._names.concerned("delivery"):
            held[account] = sum(
                int(database.execute(row_reader.OCTETS_IN_SPAN, span).fetchone()[0])
                for span in self._names.spans("delivery", account)
            )
        return Weights(dict(waiting), {name: octets for name, octets in held.items() if octets})

    def next_of_queue(
        self,
        wanted: Wanted,
        numbers: Sequence[int],
        database: sqlite3.Connection,
        damaged: list[Damaged],
    ) -> list[Message]:
        """See `Journal.fetch`; under these numbers."""
        messages: list[Message] = []
        for number in numbers:
            messages += self._next_of_number(number, wanted, database, damaged)
        messages.sort(key=attrgetter("router_id"))  # They may come from several queues of the file.
        return _until_octets(messages[: wanted.count], wanted.octets)

    def _next_of_number(
        self, number: int, wanted: Wanted, database: sqlite3.Connection, damaged: list[Damaged]
    ) -> list[Message]:
        """Return as many as are wanted: with fewer there would seem to be no more."""
        messages: list[Message] = []
        after: int = wanted.after
        octets = 0
        while len(messages) < wanted.count and octets < wanted.octets:
            key = number, after, wanted.count
            read = 0
            for row in database.execute(row_reader.NEXT_OF_QUEUE, key):
                read += 1
                after = row[0]
                try:
                    message = self._aged(row_reader.to_message(row, number, wanted.queue))
                except DamageError as error:
                    damaged.append(
                        row_reader.damaged_message(row, number, wanted.queue, str(error))
                    )
                else:
                    self._doubt(message)
                    messages.append(message)
                    octets += message.size
                    if octets >= wanted.octets:
                        break
            if read < wanted.count:
                break
        return messages

    def _doubt(self, message: Message) -> None:
        """Put a message in doubt if an earlier process may have written it to an operator."""
        written, operator = self._written.get(message.row.queue, (0, None))
        take_up_doubt(message, self._marks.get(message.router_id), written, operator)

    def looked_up(
        self, router_ids: Collection[RouterId], called: Called, database: sqlite3.Connection
    ) -> LookedUp:
        """See `Journal.look_up`. Damaged rows are passed over: whoever fetches them says so."""
        found = LookedUp()
        if called:
            router_ids = {*router_ids}
            for statement in row_reader.called(called):
                router_ids.update(RouterId(one) for (one,) in database.execute(*statement))
        for statement in row_reader.waiting(router_ids):
            found.waiting += self._messages(database.execute(*statement))
        sent = self._parsed(database, row_reader.sent(router_ids))
        found.sent = self._attempts(sent, database, [])
        return found

    def searched(
        self,
        account: AccountName,
        numbers: Collection[int],
        destination: bytes,
        after: Place,
        count: int,
        most: int,
        database: sqlite3.Connection,
    ) -> tuple[list[Message], Place | None]:
        """See `Journal.search`; under these numbers of queues.

        Damaged rows are passed over, as in `looked_up`.
        """
        last, size = database.execute(row_reader.WAITING_PIECE, (after, count)).fetchone()
        if not size:
            return [], None
        rows = database.execute(row_reader.WAITING_FOR, (after, last, destination))
        of_account = (row for row in rows if row[-4] in numbers)  # Before they cost a reading.
        messages: list[Message] = []
        for one in self._messages(of_account):
            if one.account == account and one.destination_octets.endswith(destination):
                messages.append(one)
                if len(messages) >= most:
                    return messages, one.router_id
        return messages, last if size == count else None

    def _messages(self, rows: Iterable[Row]) -> Iterator[Message]:
        for row in rows:
            number, account, lane, plan = row[-4:]
            assert isinstance(number, int)
            queue = QueueKey(
                self._plan(str(plan)),
                self._queues.lane_of(LaneName(str(lane))),
                self._queues.account_of(str(account), number),
            )
            with suppress(DamageError):
                message = self._aged(row_reader.to_message(row[:-4], number, queue))
                self._doubt(message)
                yield message

    def held(
        self,
        account: AccountName,
        spans: Sequence[Span],
        after: int,
        count: int,
        octets: int,
        database: sqlite3.Connection,
        damaged: list[Damaged],
    ) -> list[Delivery]:
        """See `Journal.fetch_held`; in these rows."""
        deliveries: list[Delivery] = []
        for span in spans:
            deliveries += self._held_in(span, account, after, count, octets, database, damaged)
        deliveries.sort(key=attrgetter("kept_as"))
        for place, delivery in enumerate(deliveries[:count], 1):
            octets -= len(delivery.octets)
            if octets <= 0:
                return deliveries[:place]
        return deliveries[:count]

    def _held_in(
        self,
        span: Span,
        account: AccountName,
        after: int,
        count: int,
        octets: int,
        database: sqlite3.Connection,
        damaged: list[Damaged],
    ) -> list[Delivery]:
        deliveries: list[Delivery] = []
        after = max(after, span.after)
        while len(deliveries) < count and octets > 0:
            read = 0
            key = span.written, after, span.until, count
            for row in database.execute(row_reader.HELD, key):
                read += 1
                after = row[0]
                try:
                    delivery = row_reader.to_delivery(row)
                except DamageError as error:
                    size = row_reader.size_of(row[5])
                    damaged.append(
                        Damaged("delivery", row[0], str(error), account=account, octets=size)
                    )
                else:
                    delivery.account = account
                    deliveries.append(delivery)
                    octets -= len(delivery.octets)
                    if octets <= 0:
                        break
            if read < count:
                break
        return deliveries[:count]

    def recalled(
        self,
        spans: Sequence[Span],
        operator_ids: Sequence[OperatorId],
        database: sqlite3.Connection,
        damaged: list[Damaged],
    ) -> list[PendingReceipt]:
        """See `Journal.recall`; in these rows."""
        found = _Found()
        for span in spans:
            found.add(self._parsed(database, row_reader.recall(span, operator_ids)))
        wholes = {one.message.group.number for one in found.attempts.values() if one.message.group}
        for span in spans:
            found.add(self._parsed(database, row_reader.other_parts(span, wholes)))
        return self._attempts(found, database, damaged)

    def sent(
        self,
        spans: Sequence[Span],
        before_utc: float,
        after: Place,
        count: int,
        database: sqlite3.Connection,
        damaged: list[Damaged],
    ) -> tuple[list[PendingReceipt], Place | None]:
        """See `Journal.fetch_sent`; in these rows."""
        last, size, oldest_utc = database.execute(row_reader.PIECE, (after, count)).fetchone()
        if not size:
            return [], None
        keys = [
            (span.written, max(after, span.after), min(last, span.until), before_utc)
            for span in spans
        ]
        found = self._parsed(database, [(row_reader.SENT, key) for key in keys])
        attempts = self._attempts(found, database, damaged)
        if size < count:
            return attempts, None
        if oldest_utc < before_utc:
            return attempts, last
        # The attempts that follow are younger: only those that have failed are wanted.
        (failed,) = database.execute(row_reader.NEXT_FAILED, (last,)).fetchone()
        return attempts, None if failed is None else failed - 1

    def _parsed(self, database: sqlite3.Connection, statements: Iterable[Statement]) -> "_Found":
        """Return the attempts that these statements select, and the rows that are none."""
        found = _Found()
        for text, values in statements:
            for row in database.execute(text, values).fetchall():
                number, *_, lane, plan = row
                queue = row[6] if isinstance(row[6], int) else 0
                lane = self._queues.lane_of(LaneName(str(lane)))
                parts = self._plan(str(plan)), lane
                one: PendingReceipt | Damaged
                try:
                    one = found.attempts[number] = row_reader.to_pending(row, *parts)
                except DamageError as error:
                    one = row_reader.damaged_attempt(row, *parts, str(error))
                    found.damaged[number] = one
                if self._names.renamed:
                    self._give_names_of_today(one, number, queue)
        return found

    def _give_names_of_today(self, one: PendingReceipt | Damaged, number: int, queue: int) -> None:
        if one.operator is not None:
            one.operator = OperatorName(self._names.now("sent", one.operator, number))
        if one.message is not None:
            one.message.account = self._queues.account_of(one.message.account, queue)
            one.message.operator = one.operator
        if isinstance(one, Damaged) and one.message is not None:
            one.account = one.message.account

    def _attempts(
        self, found: "_Found", database: sqlite3.Connection, damaged: list[Damaged]
    ) -> list[PendingReceipt]:
        """Return these attempts and all others of their messages, in the order of their times.

        A message of which another attempt is whole goes on with that.
        """
        found.add(self._parsed(database, row_reader.others(found.sent_again())))
        messages: dict[RouterId, Message] = {}
        ordered = sorted(found.attempts.values(), key=attrgetter("at_utc"))
        for pending in ordered:
            first = messages.setdefault(pending.message.router_id, self._aged(pending.message))
            first.writes = max(first.writes, pending.message.writes)
            first.row.attempts += (pending.kept_as,)
            first.row.taken_utc = pending.at_utc
            first.row.tries_before = pending.message.row.tries_before  # The last has all of them.
            first.operator = pending.operator
            pending.message = first
        for one in found.damaged.values():
            message = one.message
            if (
                message is not None
                and messages.setdefault(message.router_id, message) is not message
            ):
                one.message = None
        damaged += found.damaged.values()
        return ordered

    def _aged(self, message: Message) -> Message:
        """Set when the message was accepted, on the monotonic clock of this process."""
        age_s = max(0.0, self._clock_utc() - message.accepted_utc)
        message.accepted_at = message.waits_since = time.monotonic() - age_s
        return message

    def _plan(self, written: str) -> Plan:
        return self._plan_of(tuple(OperatorName(name) for name in written.split(",")))


class _Found:
    """Rows of `sent`, by number."""

    def __init__(self) -> None:
        self.attempts: dict[int, PendingReceipt] = {}
        self.damaged: dict[int, Damaged] = {}

    def add(self, more: "_Found") -> None:
        """Take in those that are not here yet."""
        self.attempts = more.attempts | self.attempts
        self.damaged = more.damaged | self.damaged

    def sent_again(self) -> Collection[int]:
        """Return the messages that may have other attempts."""
        again = {a.message.router_id for a in self.attempts.values() if a.message.writes != 1}
        return again | {d.message.router_id for d in self.damaged.values() if d.message is not None}


def _until_octets(messages: list[Message], octets: int) -> list[Message]:
    """Return the first messages, as far as they have so many octets."""
    for count, message in enumerate(messages, 1):
        octets -= message.size
        if octets <= 0:
            return messages[:count]
    return messages
