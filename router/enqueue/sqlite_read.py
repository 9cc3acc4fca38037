"""Reads the journal's file: each method reads over the connection that it is handed.

Used by the reading thread, and by the writing thread for the recovery. What is read becomes new
objects, which only the loop has. A row that is none is added to `damaged`, and the others go on.
"""

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from operator import attrgetter

from router.enqueue import row_reader
from router.enqueue.journal import (
    Backlog,
    Damaged,
    Held,
    PendingReceipt,
    Place,
    Recovered,
    Wanted,
    Weights,
    take_up_doubt,
)
from router.enqueue.row_reader import DamageError
from router.enqueue.row_writer import Queues, Statement
from router.terms.message import Delivery, Message
from router.terms.names import AccountName, LaneName, OperatorId, OperatorName, RouterId
from router.terms.plan import Plan
from router.terms.queue_key import QueueKey


class Reader:
    """Turns rows into messages, attempts and deliveries."""

    def __init__(
        self,
        queues: Queues,
        plan_of: Callable[[tuple[OperatorName, ...]], Plan],
        clock_utc: Callable[[], float],
    ) -> None:
        self._queues = queues
        self._plan_of = plan_of
        self._clock_utc = clock_utc
        self._written: dict[int, tuple[int, OperatorName]] = {}
        """How far an earlier process has written each queue, and to which operator last."""
        self._recovered: dict[int, QueueKey] = {}
        """The queue of each number that had messages when the journal was recovered."""
        self._marks: dict[int, bool] = {}
        """Whether an earlier process may have written a message, for messages with a mark."""

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
                known = self._queues.lane_of(LaneName(lane))
                key = QueueKey(self._plan(plan), known, AccountName(account))
                self._recovered[number] = key
                backlogs[key] += counts.pop(number)
        for number in counts:
            for (router_id,) in database.execute(row_reader.IN_QUEUE, (number,)):
                damaged.append(Damaged("message", router_id, "its queue is not known"))
        recovered.waiting = [Backlog(queue, count) for queue, count in backlogs.items()]
        for operator, count in database.execute(row_reader.SENT_BY_OPERATOR):
            recovered.sent[OperatorName(operator)] = count
        for account, *numbers in database.execute(row_reader.HELD_BY_ACCOUNT):
            recovered.held[AccountName(account)] = Held(*numbers)
        for row in database.execute(row_reader.ORPHANS):
            try:
                recovered.orphans.append(row_reader.to_orphan(row))
            except DamageError as error:
                damaged.append(Damaged("orphan", row[0], str(error)))
        for row in database.execute(row_reader.STARTED):
            try:
                recovered.started.append(row_reader.to_started(row, self._plan(str(row[-1]))))
            except DamageError as error:
                damaged.append(Damaged("started", row[0], str(error)))
        recovered.started.reverse()
        (recovered.known_utc,) = database.execute(row_reader.KNOWN_UTC).fetchone()
        return recovered

    def weighed(self, database: sqlite3.Connection) -> Weights:
        """See `Journal.weigh`."""
        waiting: Counter[QueueKey] = Counter()
        for number, octets in database.execute(row_reader.WAITING_OCTETS):
            if number in self._recovered:
                waiting[self._recovered[number]] += octets
        held = dict(database.execute(row_reader.HELD_OCTETS).fetchall())
        return Weights(dict(waiting), held)

    def next_of_queue(
        self, wanted: Wanted, database: sqlite3.Connection, damaged: list[Damaged]
    ) -> list[Message]:
        """See `Journal.fetch`."""
        messages: list[Message] = []
        for number in self._queues.numbers_of(wanted.queue):
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

    def held(
        self,
        account: AccountName,
        after: int,
        count: int,
        octets: int,
        database: sqlite3.Connection,
        damaged: list[Damaged],
    ) -> list[Delivery]:
        """See `Journal.fetch_held`."""
        deliveries: list[Delivery] = []
        while len(deliveries) < count and octets > 0:
            read = 0
            for row in database.execute(row_reader.HELD, (account, after, count)):
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
                    deliveries.append(delivery)
                    octets -= len(delivery.octets)
                    if octets <= 0:
                        break
            if read < count:
                break
        return deliveries[:count]

    def recalled(
        self,
        operator: OperatorName,
        operator_ids: Sequence[OperatorId],
        database: sqlite3.Connection,
        damaged: list[Damaged],
    ) -> list[PendingReceipt]:
        """See `Journal.recall`."""
        found = self._parsed(database, row_reader.recall(operator, operator_ids))
        wholes = {one.message.group.number for one in found.attempts.values() if one.message.group}
        found.add(self._parsed(database, row_reader.other_parts(operator, wholes)))
        return self._attempts(found, database, damaged)

    def sent(
        self,
        operator: OperatorName,
        before_utc: float,
        after: Place,
        count: int,
        database: sqlite3.Connection,
        damaged: list[Damaged],
    ) -> tuple[list[PendingReceipt], Place | None]:
        """See `Journal.fetch_sent`."""
        last, size, oldest_utc = database.execute(row_reader.PIECE, (after, count)).fetchone()
        if not size:
            return [], None
        key = after, last, operator, before_utc
        found = self._parsed(database, [(row_reader.SENT, key)])
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
                parts = self._plan(str(plan)), self._queues.lane_of(LaneName(str(lane)))
                try:
                    found.attempts[number] = row_reader.to_pending(row, *parts)
                except DamageError as error:
                    found.damaged[number] = row_reader.damaged_attempt(row, *parts, str(error))
        return found

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
        message.accepted_at = time.monotonic() - age_s
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
