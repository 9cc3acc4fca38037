"""The checksum of a row: what of it would make another message, attempt, delivery or the like.

A CRC-32 over the values as they are written, and as SQLite hands them back. Not over what changes
later: the failure of an attempt. The form is that of the files: it must never change.
"""

from struct import Struct
from typing import Final
from zlib import crc32

_MESSAGE: Final = Struct("<qqqqddd").pack
_ATTEMPT: Final = Struct("<qdqqqqqdq").pack
_DELIVERY: Final = Struct("<qqdq").pack
_ORPHAN: Final = Struct("<qd").pack
_STARTED: Final = Struct("<qqqqqqdd").pack
_UNSEEN: Final = Struct("<qqd").pack
_NEVER: Final = float("inf")


def of_message(
    router_id: int,
    queue: int,
    client_id: bytes | None,
    registered_delivery: int,
    hold_receipt: int,
    accepted_utc: float,
    expires_utc: float | None,
    not_before_utc: float,
    octets: bytes,
) -> int:
    """Return the checksum of a row of `message`; `struct.error` where no number has its size."""
    until = _NEVER if expires_utc is None else expires_utc
    numbers = _MESSAGE(
        router_id, queue, registered_delivery, hold_receipt, accepted_utc, until, not_before_utc
    )
    return crc32(numbers + octets if client_id is None else numbers + client_id + octets)


def of_attempt(
    number: int,
    operator: str,
    operator_id: bytes,
    at_utc: float,
    router_id: int,
    queue: int,
    client_id: bytes | None,
    registered_delivery: int,
    hold_receipt: int,
    sends: int,
    accepted_utc: float,
    source: bytes,
    destination: bytes,
    part_of: int | None,
) -> int:
    """Return the checksum of a row of `sent`, without its failure."""
    numbers = _ATTEMPT(
        number, at_utc, router_id, queue, registered_delivery, hold_receipt, sends, accepted_utc,
        part_of or 0,
    )  # fmt: skip
    texts = operator.encode(), operator_id, client_id or b"", source, destination
    return crc32(b"\0".join(texts), crc32(numbers))


def of_delivery(
    number: int, account: str, router_id: int, made_utc: float, final: int, octets: bytes
) -> int:
    """Return the checksum of a row of `delivery`."""
    numbers = _DELIVERY(number, router_id, made_utc, final)
    return crc32(octets, crc32(numbers + account.encode()))


def of_orphan(
    number: int, operator: str, operator_id: bytes, at_utc: float, source: bytes, octets: bytes
) -> int:
    """Return the checksum of a row of `orphan`."""
    texts = operator.encode(), operator_id, source, octets
    return crc32(b"\0".join(texts), crc32(_ORPHAN(number, at_utc)))


def of_started(
    number: int,
    queue: int,
    operator: str,
    source: bytes,
    destination: bytes,
    reference: int,
    total: int,
    taken: int,
    came: bytes,
    part_of: int,
    first_utc: float,
    latest_utc: float,
) -> int:
    """Return the checksum of a row of `started`."""
    numbers = _STARTED(number, queue, reference, total, taken, part_of, first_utc, latest_utc)
    return crc32(b"\0".join((operator.encode(), source, destination, came)), crc32(numbers))


def of_unseen_answer(
    router_id: int, queue: int, client_id: bytes | None, accepted_utc: float, fingerprint: bytes
) -> int:
    """Return the checksum of a row of `unseen_answer`."""
    numbers = _UNSEEN(router_id, queue, accepted_utc)
    return crc32(b"\0".join((client_id or b"", fingerprint)), crc32(numbers))
