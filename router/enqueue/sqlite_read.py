"""Reads the journal's file: each method reads over the connection that it is handed.

Used by the reading thread, and by the writing thread for the recovery. What is read becomes new
objects, which only the loop has.
"""

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Sequence
from operator import attrgetter

from router.enqueue import row_reader
from router.enqueue.journal import (
    Backlog,
    Held,
    PendingReceipt,
    Place,
    Recovered,
    Wanted,
    Weights,
    take_up_doubt,
)
from router.enqueue.row_writer import Queues, Row
from router.terms.message import Delivery, Message
from router.terms.names import AccountName, LaneName, OperatorId, OperatorName, RouterId
from router.terms.orphan import Orphan
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

    def recovered(self, database: sqlite3.Connection) -> Recovered:
        """See `Journal.recover`."""
        recovered = Recovered()
        backlogs: Counter[QueueKey] = Counter()
        counts = dict(database.execute(row_reader.BACKLOGS).fetchall())
        for number, account, lane, plan, *_ in database.execute(row_reader.QUEUES):
            if number in counts:
                known = self._queues.lane_of(LaneName(lane))
                key = QueueKey(self._plan(plan), known, AccountName(account))
                self._recovered[number] = key
                backlogs[key] += counts[number]
        recovered.waiting = [Backlog(queue, count) for queue, count in backlogs.items()]
        for operator, count in database.execute(row_reader.SENT_BY_OPERATOR):
            recovered.sent[OperatorName(operator)] = count
        for account, *numbers in database.execute(row_reader.HELD_BY_ACCOUNT):
            recovered.held[AccountName(account)] = Held(*numbers)
        for operator, operator_id, *others in database.execute(row_reader.ORPHANS):
            orphan = Orphan(OperatorName(operator), OperatorId(operator_id), *others)
            recovered.orphans.append(orphan)
        (recovered.known_utc,) = database.execute(row_reader.KNOWN_UTC).fetchone()
        return recovered

    def weighed(self, database: sqlite3.Connection) -> Weights:
        """See `Journal.weigh`."""
        waiting: Counter[QueueKey] = Counter()
        for number, octets in database.execute(row_reader.WAITING_OCTETS):
            waiting[self._recovered[number]] += octets
        held = dict(database.execute(row_reader.HELD_OCTETS).fetchall())
        return Weights(dict(waiting), held)

    def next_of_queue(self, wanted: Wanted, database: sqlite3.Connection) -> list[Message]:
        """See `Journal.fetch`."""
        messages: list[Message] = []
        for number in self._queues.numbers_of(wanted.queue):
            key = number, wanted.after, wanted.count
            octets = 0
            for row in database.execute(row_reader.NEXT_OF_QUEUE, key):
                message = self._aged(row_reader.to_message(row, number, wanted.queue))
                self._doubt(message)
                messages.append(message)
                octets += message.size
                if octets >= wanted.octets:
                    break
        messages.sort(key=attrgetter("router_id"))  # They may come from several queues of the file.
        return _until_octets(messages[: wanted.count], wanted.octets)

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
    ) -> list[Delivery]:
        """See `Journal.fetch_held`."""
        deliveries: list[Delivery] = []
        for row in database.execute(row_reader.HELD, (account, after, count)):
            delivery = row_reader.to_delivery(row)
            deliveries.append(delivery)
            octets -= len(delivery.octets)
            if octets <= 0:
                break
        return deliveries

    def recalled(
        self,
        operator: OperatorName,
        operator_ids: Sequence[OperatorId],
        database: sqlite3.Connection,
    ) -> list[PendingReceipt]:
        """See `Journal.recall`."""
        rows: list[Row] = []
        for text, values in row_reader.recall(operator, operator_ids):
            rows += database.execute(text, values)
        for text, values in row_reader.other_parts(operator, rows):
            rows += database.execute(text, values).fetchall()
        return self._attempts(rows, database)

    def sent(
        self,
        operator: OperatorName,
        before_utc: float,
        after: Place,
        count: int,
        database: sqlite3.Connection,
    ) -> tuple[list[PendingReceipt], Place | None]:
        """See `Journal.fetch_sent`."""
        last, size, oldest_utc = database.execute(row_reader.PIECE, (after, count)).fetchone()
        if not size:
            return [], None
        key = after, last, operator, before_utc
        attempts = self._attempts(database.execute(row_reader.SENT, key).fetchall(), database)
        if size < count:
            return attempts, None
        if oldest_utc < before_utc:
            return attempts, last
        # The attempts that follow are younger: only those that have failed are wanted.
        (failed,) = database.execute(row_reader.NEXT_FAILED, (last,)).fetchone()
        return attempts, None if failed is None else failed - 1

    def _attempts(self, rows: list[Row], database: sqlite3.Connection) -> list[PendingReceipt]:
        """Return the attempts of these rows, and all others of their messages."""
        for text, values in row_reader.others(rows):
            rows += database.execute(text, values).fetchall()
        attempts: dict[int, PendingReceipt] = {}
        messages: dict[RouterId, Message] = {}
        for row in rows:
            *_, lane, plan = row
            pending = row_reader.to_pending(
                row, self._plan(str(plan)), self._queues.lane_of(LaneName(str(lane)))
            )
            attempts.setdefault(pending.kept_as, pending)
        ordered = sorted(attempts.values(), key=attrgetter("at_utc"))
        for pending in ordered:
            first = messages.setdefault(pending.message.router_id, self._aged(pending.message))
            first.writes = max(first.writes, pending.message.writes)
            first.row.attempts += (pending.kept_as,)
            first.row.taken_utc = pending.at_utc
            first.operator = pending.operator
            pending.message = first
        return ordered

    def _aged(self, message: Message) -> Message:
        """Set when the message was accepted, on the monotonic clock of this process."""
        age_s = max(0.0, self._clock_utc() - message.accepted_utc)
        message.accepted_at = time.monotonic() - age_s
        return message

    def _plan(self, written: str) -> Plan:
        return self._plan_of(tuple(OperatorName(name) for name in written.split(",")))


def _until_octets(messages: list[Message], octets: int) -> list[Message]:
    """Return the first messages, as far as they have so many octets."""
    for count, message in enumerate(messages, 1):
        octets -= message.size
        if octets <= 0:
            return messages[:count]
    return messages
