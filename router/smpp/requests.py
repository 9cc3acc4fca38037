"""query_sm, cancel_sm and replace_sm: what they ask of a message that was submitted before.

Source: SMPP v3.4, 4.8 (query_sm), 4.9 (cancel_sm), 4.10 (replace_sm) and 5.2 (lengths of fields).
"""

from typing import Final

from router.smpp import vocabulary as v
from router.smpp.pdu import (
    HEADER_OCTETS,
    LONGEST_ADDRESS,
    BodyError,
    Pdu,
    Sm,
    build,
    relay_with,
    response,
)
from router.smpp.text import UDHI

LONGEST_ID_OCTETS: Final = 64
LONGEST_SERVICE_TYPE_OCTETS: Final = 5
_TIME_OCTETS: Final = 16
_WITHOUT_ADDRESS: Final = b"\0"


class _Fields:
    """Reads the fields of a body, one after the other. Raises BodyError where it ends too early."""

    def __init__(self, pdu: Pdu) -> None:
        self._octets = pdu.octets
        self._at = HEADER_OCTETS

    def text(self, longest: int, name: str, status: int) -> bytes:
        """Return a field that ends with a NUL, without that."""
        end = self._octets.find(0, self._at)
        if end < 0:
            raise BodyError(f"{name} has no end", v.ESME_RINVCMDLEN)
        field = self._octets[self._at : end]
        if len(field) > longest:
            raise BodyError(f"{name} is longer than {longest} octets", status)
        self._at = end + 1
        return field

    def octet(self, name: str) -> int:
        """Return a field of one octet."""
        if self._at >= len(self._octets):
            raise BodyError(f"it ends before {name}", v.ESME_RINVCMDLEN)
        self._at += 1
        return self._octets[self._at - 1]

    def address(self, name: str, status: int) -> bytes:
        """Return TON, NPI, address and NUL."""
        kind = bytes((self.octet(f"{name}_ton"), self.octet(f"{name}_npi")))
        return kind + self.text(LONGEST_ADDRESS, name, status) + b"\0"

    def counted(self, name: str) -> bytes:
        """Return a field whose length stands before it."""
        length = self.octet("sm_length")
        field = self._octets[self._at : self._at + length]
        if len(field) < length:
            raise BodyError(f"{name} is shorter than its length", v.ESME_RINVMSGLEN)
        self._at += length
        return field


class QuerySm:
    """A query_sm. Raises BodyError."""

    __slots__ = ("message_id", "source_octets")

    def __init__(self, pdu: Pdu) -> None:
        fields = _Fields(pdu)
        self.message_id: Final = _message_id(fields)
        self.source_octets: Final = fields.address("source_addr", v.ESME_RINVSRCADR)
        if not self.message_id:
            raise BodyError("the message_id is empty", v.ESME_RINVMSGID)


class CancelSm:
    """A cancel_sm: of one message by its message_id, or of all to a number. Raises BodyError."""

    __slots__ = ("destination_octets", "message_id", "service_type", "source_octets")

    def __init__(self, pdu: Pdu) -> None:
        fields = _Fields(pdu)
        longest = LONGEST_SERVICE_TYPE_OCTETS
        self.service_type: Final = fields.text(longest, "service_type", v.ESME_RINVSERTYP)
        self.message_id: Final = _message_id(fields)
        self.source_octets: Final = fields.address("source_addr", v.ESME_RINVSRCADR)
        self.destination_octets: Final = fields.address("destination_addr", v.ESME_RINVDSTADR)
        if not self.message_id and not has_address(self.destination_octets):
            what = "neither message_id nor destination_addr says which message is meant"
            raise BodyError(what, v.ESME_RINVMSGID)


class ReplaceSm:
    """A replace_sm. Raises BodyError."""

    __slots__ = (
        "message_id",
        "registered_delivery",
        "schedule_delivery_time",
        "short_message",
        "sm_default_msg_id",
        "source_octets",
        "validity_period",
    )

    def __init__(self, pdu: Pdu) -> None:
        fields = _Fields(pdu)
        self.message_id: Final = _message_id(fields)
        self.source_octets: Final = fields.address("source_addr", v.ESME_RINVSRCADR)
        self.schedule_delivery_time: Final = fields.text(
            _TIME_OCTETS, "schedule_delivery_time", v.ESME_RINVSCHED
        )
        self.validity_period: Final = fields.text(
            _TIME_OCTETS, "validity_period", v.ESME_RINVEXPIRY
        )
        self.registered_delivery: Final = fields.octet("registered_delivery")
        self.sm_default_msg_id: Final = fields.octet("sm_default_msg_id")
        self.short_message: Final = fields.counted("short_message")
        if not self.message_id:
            raise BodyError("the message_id is empty", v.ESME_RINVMSGID)


def _message_id(fields: _Fields) -> bytes:
    return fields.text(LONGEST_ID_OCTETS, "message_id", v.ESME_RINVMSGID)


def has_address(octets: bytes) -> bool:
    """Return whether TON, NPI, address and NUL have an address."""
    return octets[2:] != _WITHOUT_ADDRESS


def is_from(asked: bytes, source_octets: bytes) -> bool:
    """Return whether a request names the source of a message, by its address; or leaves it out.

    TON and NPI do not count: some clients leave them 0 where the submit_sm had others.
    """
    return not has_address(asked) or asked[2:] == source_octets[2:]


def cannot_be_replaced(sm: Sm) -> str:
    """Return why a message can have no other short_message; empty if it can."""
    if sm.octets[4:8] == v.DATA_SM.to_bytes(4, "big"):
        return "a data_sm has no short_message"
    if sm.esm_class & UDHI:
        return "it has a user data header, perhaps as a part of a long message"
    if any(tag == v.MESSAGE_PAYLOAD for tag, _ in sm.tlvs()):
        return "its text is in message_payload"
    return ""


def replaced(sm: Sm, by: ReplaceSm) -> bytes:
    """Return a submit_sm with what a replace_sm has; empty times leave what the message has.

    Source: 3.4, 4.10.1. Its registered_delivery and sm_default_msg_id are the new ones; the
    data_coding stays, because a replace_sm has none.
    """
    octets = bytearray(
        relay_with(
            sm,
            0,
            schedule_delivery_time=by.schedule_delivery_time or None,
            validity_period=by.validity_period or None,
            short_message=by.short_message,
        )
    )
    with_times = Sm(Pdu(v.SUBMIT_SM, 0, 0, bytes(octets)))
    at = with_times.short_message_at - 5
    octets[at] = by.registered_delivery
    octets[at + 3] = by.sm_default_msg_id
    return bytes(octets)


def query_sm_resp(
    sequence_number: int, message_id: bytes, final_date: bytes, state: int, error_code: int
) -> bytes:
    """Return the answer to a query_sm; `final_date` is empty while the state is not final."""
    body = message_id + b"\0" + final_date + b"\0" + bytes((state, error_code))
    return response(v.QUERY_SM, sequence_number, body=body)


def cancel_sm(
    service_type: bytes, message_id: bytes, source_octets: bytes, destination_octets: bytes
) -> bytes:
    """Return a cancel_sm of one message, sequence_number 0."""
    body = service_type + b"\0" + message_id + b"\0" + source_octets + destination_octets
    return build(v.CANCEL_SM, 0, 0, body)
