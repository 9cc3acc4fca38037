"""How the journal's rows are read back: queries, and rows that become messages and deliveries.

A row that the router cannot have written, or that is not the one it wrote, raises DamageError.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cache
from typing import Final

from router.enqueue import checksums
from router.enqueue.journal import CALLED_WITHIN, Called, Damaged, PendingReceipt
from router.enqueue.names import Span
from router.enqueue.row_writer import MOST_ROWS, Statement, room_for
from router.enqueue.schema import Row, Value
from router.smpp.pdu import BodyError, Pdu, Sm
from router.terms.group import Group, Started
from router.terms.message import Delivery, Message
from router.terms.names import AccountName, ClientId, LaneName, OperatorId, OperatorName, RouterId
from router.terms.orphan import Orphan
from router.terms.plan import Plan
from router.terms.queue_key import QueueKey
from router.terms.states import TAKE
from router.terms.unseen import UnseenAnswer

QUEUES: Final = (
    "SELECT number, account, lane, plan, router_id, operator"
    " FROM queue LEFT JOIN written ON queue = number ORDER BY number"
)
COMMITS: Final = "SELECT commits FROM meta"
WAITS: Final = "SELECT 1 FROM message WHERE router_id = ?"
KNOWN_UTC: Final = "SELECT known_utc FROM meta"
MARKS: Final = "SELECT router_id, written FROM mark"
NUMBERS: Final = (
    "SELECT (SELECT max(number) FROM sent), (SELECT max(number) FROM delivery),"
    " (SELECT max(number) FROM record), (SELECT max(number) FROM orphan),"
    " (SELECT max(number) FROM started), (SELECT max(number) FROM acknowledged)"
)
"""The highest number in each of the tables."""
ORPHANS: Final = (
    "SELECT number, operator, operator_id, at_utc, source, octets, checksum FROM orphan"
    " ORDER BY number"
)
MOST_STARTED: Final = 50_000
"""As many as are kept in memory (`Capacity.long_messages`)."""
STARTED: Final = (
    "SELECT started.*, account, plan FROM started LEFT JOIN queue ON queue = queue.number"
    f" ORDER BY started.number DESC LIMIT {MOST_STARTED}"
)
UNSEEN_ANSWERS: Final = (
    "SELECT unseen_answer.*, account FROM unseen_answer LEFT JOIN queue ON queue = queue.number"
    " ORDER BY router_id"
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
    " not_before_utc, octets, checksum, submitted FROM message WHERE queue = ? AND router_id > ?"
    " ORDER BY router_id LIMIT ?"
)
_WAITING: Final = (
    "SELECT router_id, client_id, registered_delivery, hold_receipt, accepted_utc, expires_utc,"
    " not_before_utc, octets, checksum, submitted, queue, account, lane, plan"
    " FROM message JOIN queue ON queue = queue.number"
)
WAITING_PIECE: Final = (
    "SELECT max(router_id), count(*) FROM"
    " (SELECT router_id FROM message WHERE router_id > ? ORDER BY router_id LIMIT ?)"
)
"""Where a piece of so many messages ends, and its size."""
WAITING_FOR: Final = (
    f"{_WAITING} WHERE message.router_id > ? AND message.router_id <= ? AND instr(octets, ?)"
    " ORDER BY message.router_id"
)
"""The messages in a piece whose PDU has these octets somewhere."""
HELD: Final = (
    "SELECT number, account, router_id, made_utc, final, octets, checksum, bind FROM delivery"
    " WHERE account = ? AND number > ? AND number <= ? ORDER BY number LIMIT ?"
)
SENT_IN_SPAN: Final = "SELECT count(*) FROM sent WHERE operator = ? AND number > ? AND number <= ?"
HELD_IN_SPAN: Final = (
    "SELECT count(*), min(number), max(number) FROM delivery"
    " WHERE account = ? AND number > ? AND number <= ?"
)
OCTETS_IN_SPAN: Final = (
    "SELECT total(length(octets)) FROM delivery WHERE account = ? AND number > ? AND number <= ?"
)
RENAMED: Final = (
    "SELECT what, written, after, until, now FROM renamed ORDER BY what, written, after"
)
IS_IN_SPAN: Final = {
    "sent": "SELECT 1 FROM sent WHERE operator = ? AND number > ? AND number <= ? LIMIT 1",
    "orphan": "SELECT 1 FROM orphan WHERE operator = ? AND number > ? AND number <= ? LIMIT 1",
    "delivery": "SELECT 1 FROM delivery WHERE account = ? AND number > ? AND number <= ? LIMIT 1",
}
"""Whether a table still has rows under a name that was another's."""
IN_QUEUE: Final = "SELECT router_id FROM message WHERE queue = ?"
_SENT: Final = (
    "SELECT sent.*, account, lane, plan FROM sent LEFT JOIN queue ON queue = queue.number"
)
PIECE: Final = (
    "SELECT max(number), count(*), min(at_utc) FROM"
    " (SELECT number, at_utc FROM sent WHERE number > ? ORDER BY number LIMIT ?)"
)
"""Where a piece of so many attempts ends, its size, and the time of its oldest attempt."""
SENT: Final = (
    f"{_SENT} WHERE operator = ? AND sent.number > ? AND sent.number <= ?"
    " AND (at_utc < ? OR failure NOT NULL)"
)
"""The attempts in a piece that are old enough or have failed."""
NEXT_FAILED: Final = "SELECT min(number) FROM sent WHERE failure NOT NULL AND number > ?"
_NEVER: Final = float("inf")
_NO_ADDRESS: Final = b"\0\0\0"
"""TON, NPI, address and NUL where there is none."""


_CHECKSUM: Final = "the checksum is another"


class DamageError(Exception):
    """A row that the router cannot have written, or that is not the one it wrote."""


def recall(span: Span, operator_ids: Sequence[OperatorId]) -> Iterator[Statement]:
    """Yield statements that select, of these rows, what was taken under these ids."""
    for at in range(0, len(operator_ids), MOST_ROWS):
        part = list(operator_ids[at : at + MOST_ROWS])
        room = room_for(len(part))
        yield _in_span_text("operator_id", room), [*span, *part, *part[-1:] * (room - len(part))]


def other_parts(span: Span, wholes: Collection[int]) -> Iterator[Statement]:
    """Yield statements that select, of these rows, what was taken of these long messages."""
    every = sorted(wholes)
    for at in range(0, len(every), MOST_ROWS):
        part = every[at : at + MOST_ROWS]
        room = room_for(len(part))
        yield _in_span_text("part_of", room), [*span, *part, *part[-1:] * (room - len(part))]


@cache
def _in_span_text(column: str, room: int) -> str:
    return (
        f"{_SENT} WHERE operator = ? AND sent.number > ? AND sent.number <= ?"
        f" AND {column} IN ({','.join('?' * room)})"
    )


def others(router_ids: Collection[int]) -> Iterator[Statement]:
    """Yield statements that select all attempts of those of these that were sent repeatedly."""
    return _by_router_id(_others_text, router_ids)


@cache
def _others_text(room: int) -> str:
    return f"{_SENT} WHERE sends > 1 AND router_id IN ({','.join('?' * room)})"


def waiting(router_ids: Collection[int]) -> Iterator[Statement]:
    """Yield statements that select the messages of these ids that wait."""
    return _by_router_id(_waiting_text, router_ids)


def sent(router_ids: Collection[int]) -> Iterator[Statement]:
    """Yield statements that select all attempts of these messages."""
    return _by_router_id(_sent_text, router_ids)


def called(by: Called) -> Iterator[Statement]:
    """Yield statements that select the ids of messages that came in one PDU with these."""
    for first, client_ids in by.items():
        key: list[Value] = [first, first + CALLED_WITHIN, *client_ids]
        for table in ("message", "sent"):
            yield _called_text(table, len(client_ids)), key


@cache
def _called_text(table: str, count: int) -> str:
    return (
        f"SELECT router_id FROM {table} WHERE router_id > ? AND router_id <= ?"
        f" AND client_id IN ({','.join('?' * count)})"
    )


def _by_router_id(
    text_for: Callable[[int], str], router_ids: Collection[int]
) -> Iterator[Statement]:
    every = sorted(router_ids)
    for at in range(0, len(every), MOST_ROWS):
        part = every[at : at + MOST_ROWS]
        room = room_for(len(part))
        yield text_for(room), part + part[-1:] * (room - len(part))


@cache
def _waiting_text(room: int) -> str:
    return f"{_WAITING} WHERE router_id IN ({','.join('?' * room)})"


@cache
def _sent_text(room: int) -> str:
    return f"{_SENT} WHERE router_id IN ({','.join('?' * room)})"


def to_message(row: Row, number: int, queue: QueueKey) -> Message:
    """Make a message of a row of `NEXT_OF_QUEUE`; the caller sets `accepted_at`."""
    router_id, client_id, registered, hold, accepted_utc, expires_utc, not_before = row[:7]
    octets, checksum, submitted = row[7:]
    if not (
        isinstance(router_id, int)
        and isinstance(client_id, bytes | None)
        and isinstance(registered, int)
        and isinstance(hold, int)
        and isinstance(accepted_utc, float)
        and isinstance(expires_utc, float | None)
        and isinstance(not_before, float)
        and isinstance(octets, bytes)
    ):
        raise DamageError("a value of another type")
    if checksum is not None and checksum != checksums.of_message(
        router_id, number, client_id, registered, hold, accepted_utc, expires_utc, not_before,
        octets,
    ):  # fmt: skip
        raise DamageError(_CHECKSUM)
    try:
        command_id = int.from_bytes(octets[4:8], "big")
        sm = Sm(Pdu(command_id, 0, 0, octets))
    except BodyError as error:
        raise DamageError(f"no message: {error}") from error
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
        expires_utc=_NEVER if expires_utc is None else expires_utc,
        not_before_utc=not_before,
        hold_receipt=bool(hold),
        submitted=_text(submitted),
    )
    message.row.queue = number
    return message


def damaged_message(row: Row, number: int, queue: QueueKey, why: str) -> Damaged:
    """Return what can be read of a row of `NEXT_OF_QUEUE` that is no message."""
    router_id, client_id, registered, hold, accepted_utc, *_, octets, _, _ = row
    assert isinstance(router_id, int)  # It is the key of the table.
    source = destination = _NO_ADDRESS
    wanted = 0
    if isinstance(octets, bytes) and isinstance(registered, int):
        try:
            sm = Sm(Pdu(int.from_bytes(octets[4:8], "big"), 0, 0, octets))
            source, destination, wanted = sm.source_octets, sm.destination_octets, registered
        except BodyError:
            pass  # Nobody can be told whose it was.
    message = Message(
        router_id=RouterId(router_id),
        client_id=_client_id(router_id, client_id),
        account=queue.account,
        lane=queue.lane,
        plan=queue.plan,
        command_id=0,
        octets=b"",
        source_octets=source,
        destination_octets=destination,
        registered_delivery=wanted,
        accepted_at=0.0,
        accepted_utc=accepted_utc if isinstance(accepted_utc, float) else 0.0,
        expires_utc=_NEVER,
        hold_receipt=bool(hold),
    )
    message.size = size_of(octets)
    message.row.queue = number
    return Damaged("message", router_id, why, message=message, account=queue.account)


def size_of(octets: Value) -> int:
    """Return how many octets SQLite says that a damaged value has."""
    if octets is None:
        return 0
    return len(octets if isinstance(octets, bytes) else str(octets))


def to_pending(row: Row, plan: Plan, lane: LaneName) -> PendingReceipt:
    """Make an attempt of a row of `SENT` or `recall`, with a message of its own."""
    (number, operator, operator_id, at_utc, failure, router_id, queue) = row[:7]
    (client_id, registered, hold, sends, accepted_utc, source, destination) = row[7:14]
    part_of, checksum, submitted, tries, account = row[14:19]
    if not (
        isinstance(number, int)
        and isinstance(operator, str)
        and isinstance(operator_id, bytes)
        and isinstance(at_utc, float)
        and isinstance(failure, bytes | None)
        and isinstance(router_id, int)
        and isinstance(queue, int)
        and isinstance(client_id, bytes | None)
        and isinstance(registered, int)
        and isinstance(hold, int)
        and isinstance(sends, int)
        and isinstance(accepted_utc, float)
        and isinstance(source, bytes)
        and isinstance(destination, bytes)
        and isinstance(part_of, int | None)
    ):
        raise DamageError("a value of another type")
    if checksum is not None and checksum != checksums.of_attempt(
        number, operator, operator_id, at_utc, router_id, queue, client_id, registered, hold, sends,
        accepted_utc, source, destination, part_of,
    ):  # fmt: skip
        raise DamageError(_CHECKSUM)
    if not isinstance(account, str):
        raise DamageError("its queue is not known")
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
        submitted=_text(submitted),
    )
    message.row.tries_before = _text(tries)
    if part_of is not None:
        message.group = Group(plan, 0)
        message.group.number = part_of
    message.row.queue = queue
    message.enter(TAKE)
    message.writes = sends
    pending = PendingReceipt(message, OperatorName(operator), OperatorId(operator_id), at_utc)
    pending.kept_as = number
    pending.failure = failure
    return pending


def damaged_attempt(row: Row, plan: Plan, lane: LaneName, why: str) -> Damaged:
    """Return what can be read of a row of `SENT` or `recall` that is no attempt.

    Its message is known where its id, its account and its addresses are.
    """
    (number, operator, *_, router_id, queue, client_id, registered, hold, _, accepted_utc) = row[
        :12
    ]
    source, destination, _, _, _, _, account = row[12:19]
    assert isinstance(number, int)  # It is the key of the table.
    damaged = Damaged("sent", number, why)
    if isinstance(operator, str):
        damaged.operator = OperatorName(operator)
    if not (
        isinstance(router_id, int)
        and isinstance(registered, int)
        and isinstance(source, bytes)
        and isinstance(destination, bytes)
        and isinstance(account, str)
    ):
        return damaged
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
        accepted_utc=accepted_utc if isinstance(accepted_utc, float) else 0.0,
        expires_utc=_NEVER,
        hold_receipt=bool(hold),
    )
    message.row.queue = queue if isinstance(queue, int) else 0
    message.row.attempts = (number,)
    message.enter(TAKE)
    message.operator = damaged.operator
    damaged.message, damaged.account = message, message.account
    return damaged


def _text(value: Value) -> str:
    """Return what a record says beside the rest; a value of another kind does no harm."""
    return value if isinstance(value, str) else ""


def _client_id(router_id: int, written: Value) -> ClientId:
    return ClientId(written if isinstance(written, bytes) else b"%d" % router_id)


def to_delivery(row: Row) -> Delivery:
    """Make a delivery of a row of `HELD`."""
    number, account, router_id, made_utc, final, octets, checksum, bind = row
    if not (
        isinstance(number, int)
        and isinstance(router_id, int)
        and isinstance(account, str)
        and isinstance(made_utc, float)
        and isinstance(final, int)
        and isinstance(octets, bytes)
    ):
        raise DamageError("a value of another type")
    if checksum is not None and checksum != checksums.of_delivery(
        number, account, router_id, made_utc, final, octets
    ):
        raise DamageError(_CHECKSUM)
    delivery = Delivery(
        router_id=RouterId(router_id),
        account=AccountName(account),
        octets=octets,
        made_utc=made_utc,
        final=bool(final),
        bind=_text(bind),
    )
    delivery.kept_as = number
    return delivery


def to_orphan(row: Row) -> Orphan:
    """Make an orphan of a row of `ORPHANS`."""
    number, operator, operator_id, at_utc, source, octets, checksum = row
    if not (
        isinstance(number, int)
        and isinstance(operator, str)
        and isinstance(operator_id, bytes)
        and isinstance(at_utc, float)
        and isinstance(source, bytes)
        and isinstance(octets, bytes)
    ):
        raise DamageError("a value of another type")
    if checksum is not None and checksum != checksums.of_orphan(
        number, operator, operator_id, at_utc, source, octets
    ):
        raise DamageError(_CHECKSUM)
    return Orphan(OperatorName(operator), OperatorId(operator_id), source, octets, at_utc, number)


def to_started(row: Row, plan: Plan) -> Started:
    """Make a long message of a row of `STARTED`."""
    (number, queue, operator, source, destination, reference, total, taken, came) = row[:9]
    part_of, first_utc, latest_utc, checksum, account = row[9:14]
    if not (
        isinstance(number, int)
        and isinstance(queue, int)
        and isinstance(operator, str)
        and isinstance(source, bytes)
        and isinstance(destination, bytes)
        and isinstance(reference, int)
        and isinstance(total, int)
        and isinstance(taken, int)
        and isinstance(came, bytes)
        and isinstance(part_of, int)
        and isinstance(first_utc, float)
        and isinstance(latest_utc, float)
    ):
        raise DamageError("a value of another type")
    if checksum is not None and checksum != checksums.of_started(
        number, queue, operator, source, destination, reference, total, taken, came, part_of,
        first_utc, latest_utc,
    ):  # fmt: skip
        raise DamageError(_CHECKSUM)
    if not isinstance(account, str):
        raise DamageError("its queue is not known")
    texts = {
        came[at]: int.from_bytes(came[at + 1 : at + 5], "big") for at in range(0, len(came), 5)
    }
    return Started(
        account=AccountName(account),
        source_octets=source,
        destination_octets=destination,
        reference=reference,
        total=total,
        plan=plan,
        queue=queue,
        operator=OperatorName(operator),
        taken=taken,
        came=texts,
        part_of=part_of,
        first_utc=first_utc,
        latest_utc=latest_utc,
        number=number,
    )


def to_unseen_answer(row: Row) -> tuple[UnseenAnswer, int]:
    """Make what is known of a submit of a row of `UNSEEN_ANSWERS`; with it its queue's number."""
    router_id, queue, client_id, accepted_utc, fingerprint, checksum, account = row
    if not (
        isinstance(router_id, int)
        and isinstance(queue, int)
        and (client_id is None or isinstance(client_id, bytes))
        and isinstance(accepted_utc, float)
        and isinstance(fingerprint, bytes)
    ):
        raise DamageError("a value of another type")
    if checksum is not None and checksum != checksums.of_unseen_answer(
        router_id, queue, client_id, accepted_utc, fingerprint
    ):
        raise DamageError(_CHECKSUM)
    if not isinstance(account, str):
        raise DamageError("its queue is not known")
    of = AccountName(account), RouterId(router_id), _client_id(router_id, client_id)
    return UnseenAnswer(*of, fingerprint, accepted_utc), queue
