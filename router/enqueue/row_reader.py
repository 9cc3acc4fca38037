"""How the journal's rows are read back: queries, and rows that become messages and deliveries.

A row that the router cannot have written raises ValueError with the row's number.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final

from router.enqueue.journal import PendingReceipt
from router.enqueue.row_writer import MOST_ROWS, Row, Statement, Value, room_for
from router.smpp.pdu import BodyError, Pdu, Sm
from router.terms.group import Group
from router.terms.message import Delivery, Message
from router.terms.names import AccountName, ClientId, LaneName, OperatorId, OperatorName, RouterId
from router.terms.plan import Plan
from router.terms.queue_key import QueueKey
from router.terms.states import TAKE

QUEUES: Final = (
    "SELECT number, account, lane, plan, router_id, operator"
    " FROM queue LEFT JOIN written ON queue = number ORDER BY number"
)
KNOWN_UTC: Final = "SELECT known_utc FROM meta"
MARKS: Final = "SELECT router_id, written FROM mark"
NUMBERS: Final = (
    "SELECT (SELECT max(number) FROM sent), (SELECT max(number) FROM delivery),"
    " (SELECT max(number) FROM record), (SELECT max(number) FROM orphan)"
)
"""The highest number in each of the tables."""
ORPHANS: Final = (
    "SELECT operator, operator_id, source, octets, at_utc, number FROM orphan ORDER BY number"
)
BACKLOGS: Final = "SELECT queue, count(*) FROM message GROUP BY queue"
WAITING_OCTETS: Final = "SELECT queue, sum(length(octets)) FROM message GROUP BY queue"
HELD_OCTETS: Final = "SELECT account, sum(length(octets)) FROM delivery GROUP BY account"
SENT_BY_OPERATOR: Final = "SELECT operator, count(*) FROM sent GROUP BY operator"
HELD_BY_ACCOUNT: Final = (
    "SELECT account, count(*), min(number), max(number) FROM delivery GROUP BY account"
)
NEXT_OF_QUEUE: Final = (
    "SELECT router_id, client_id, registered_delivery, hold_receipt, accepted_utc, expires_utc,"
    " not_before_utc, octets FROM message WHERE queue = ? AND router_id > ?"
    " ORDER BY router_id LIMIT ?"
)
HELD: Final = (
    "SELECT number, account, router_id, made_utc, final, octets FROM delivery"
    " WHERE account = ? AND number > ? ORDER BY number LIMIT ?"
)
_SENT: Final = "SELECT sent.*, account, lane, plan FROM sent JOIN queue ON queue = queue.number"
PIECE: Final = (
    "SELECT max(number), count(*), min(at_utc) FROM"
    " (SELECT number, at_utc FROM sent WHERE number > ? ORDER BY number LIMIT ?)"
)
"""Where a piece of so many attempts ends, its size, and the time of its oldest attempt."""
SENT: Final = (
    f"{_SENT} WHERE sent.number > ? AND sent.number <= ? AND operator = ?"
    " AND (at_utc < ? OR failure NOT NULL)"
)
"""The attempts in a piece that are old enough or have failed."""
NEXT_FAILED: Final = "SELECT min(number) FROM sent WHERE failure NOT NULL AND number > ?"
_NEVER: Final = float("inf")


def recall(operator: OperatorName, operator_ids: Sequence[OperatorId]) -> Iterator[Statement]:
    """Yield statements that select what the operator took under these ids."""
    for at in range(0, len(operator_ids), MOST_ROWS):
        part = list(operator_ids[at : at + MOST_ROWS])
        room = room_for(len(part))
        yield _recall_text(room), [operator, *part, *part[-1:] * (room - len(part))]


@cache
def _recall_text(room: int) -> str:
    return f"{_SENT} WHERE operator = ? AND operator_id IN ({','.join('?' * room)})"


def other_parts(operator: OperatorName, found: Sequence[Row]) -> Iterator[Statement]:
    """Yield statements that select what the operator took of the same long messages."""
    wholes = sorted({int(row[14]) for row in found if row[14] is not None})
    for at in range(0, len(wholes), MOST_ROWS):
        part = wholes[at : at + MOST_ROWS]
        room = room_for(len(part))
        yield _parts_text(room), [operator, *part, *part[-1:] * (room - len(part))]


@cache
def _parts_text(room: int) -> str:
    return f"{_SENT} WHERE operator = ? AND part_of IN ({','.join('?' * room)})"


def others(found: Sequence[Row]) -> Iterator[Statement]:
    """Yield statements that select all attempts of the messages that were sent more than once."""
    again = sorted({int(row[5] or 0) for row in found if row[10] != 1})
    for at in range(0, len(again), MOST_ROWS):
        part = again[at : at + MOST_ROWS]
        room = room_for(len(part))
        yield _others_text(room), part + part[-1:] * (room - len(part))


@cache
def _others_text(room: int) -> str:
    return f"{_SENT} WHERE sends > 1 AND router_id IN ({','.join('?' * room)})"


def to_message(row: Row, number: int, queue: QueueKey) -> Message:
    """Make a message of a row of `NEXT_OF_QUEUE`; the caller sets `accepted_at`."""
    router_id, client_id, registered, hold, accepted_utc, expires_utc, not_before, octets = row
    if not (
        isinstance(router_id, int)
        and isinstance(registered, int)
        and isinstance(accepted_utc, float)
        and isinstance(not_before, float)
        and isinstance(octets, bytes)
    ):
        raise ValueError(f"message {router_id!r} is no message")
    try:
        command_id = int.from_bytes(octets[4:8], "big")
        sm = Sm(Pdu(command_id, 0, 0, octets))
    except BodyError as error:
        raise ValueError(f"message {router_id!r} is no message: {error}") from error
    message = Message(
        router_id=RouterId(router_id),
        client_id=_client_id(router_id, client_id),
        account=queue.account,
        lane=queue.lane,
        plan=queue.plan,
        command_id=command_id,
        octets=octets,
        source_octets=sm.source_octets,
        destination_octets=sm.destination_octets,
        registered_delivery=registered,
        accepted_at=0.0,
        accepted_utc=accepted_utc,
        expires_utc=expires_utc if isinstance(expires_utc, float) else _NEVER,
        not_before_utc=not_before,
        hold_receipt=bool(hold),
    )
    message.row.queue = number
    return message


def to_pending(row: Row, plan: Plan, lane: LaneName) -> PendingReceipt:
    """Make an attempt of a row of `SENT` or `recall`, with a message of its own."""
    (number, operator, operator_id, at_utc, failure, router_id, queue) = row[:7]
    (client_id, registered, hold, sends, accepted_utc, source, destination) = row[7:14]
    part_of, account = row[14:16]
    if not (
        isinstance(number, int)
        and isinstance(operator, str)
        and isinstance(operator_id, bytes)
        and isinstance(at_utc, float)
        and isinstance(router_id, int)
        and isinstance(queue, int)
        and isinstance(registered, int)
        and isinstance(sends, int)
        and isinstance(accepted_utc, float)
        and isinstance(source, bytes)
        and isinstance(destination, bytes)
        and isinstance(account, str)
    ):
        raise ValueError(f"attempt {number!r} is no attempt")
    message = Message(
        router_id=RouterId(router_id),
        client_id=_client_id(router_id, client_id),
        account=AccountName(account),
        lane=lane,
        plan=plan,
        command_id=0,
        octets=b"",
        source_octets=source,
        destination_octets=destination,
        registered_delivery=registered,
        accepted_at=0.0,
        accepted_utc=accepted_utc,
        expires_utc=_NEVER,
        hold_receipt=bool(hold),
    )
    if isinstance(part_of, int):
        message.group = Group(plan, 0)
        message.group.number = part_of
    message.row.queue = queue
    message.enter(TAKE)
    message.writes = sends
    pending = PendingReceipt(message, OperatorName(operator), OperatorId(operator_id), at_utc)
    pending.kept_as = number
    pending.failure = failure if isinstance(failure, bytes) else None
    return pending


def _client_id(router_id: int, written: Value) -> ClientId:
    return ClientId(written if isinstance(written, bytes) else b"%d" % router_id)


def to_delivery(row: Row) -> Delivery:
    """Make a delivery of a row of `HELD`."""
    number, account, router_id, made_utc, final, octets = row
    if not (
        isinstance(number, int)
        and isinstance(router_id, int)
        and isinstance(account, str)
        and isinstance(made_utc, float)
        and isinstance(octets, bytes)
    ):
        raise ValueError(f"delivery {number!r} is no delivery")
    delivery = Delivery(
        router_id=RouterId(router_id),
        account=AccountName(account),
        octets=octets,
        made_utc=made_utc,
        final=bool(final),
    )
    delivery.kept_as = number
    return delivery
