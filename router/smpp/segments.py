"""Finds out which part of which long message a PDU is.

Two ways to say so: an information element of the user data header, wherever it stands among others,
with a reference of 8 or 16 bits; or the three SAR TLVs. What makes no sense is no part: it travels
as it came, like everything else.

Source: 3GPP TS 23.040, 9.2.3.24.1 and 9.2.3.24.8 (concatenation); SMPP v3.4, 5.3.2.22 to 5.3.2.24.
"""

from typing import Final, NamedTuple

from router.smpp.pdu import Sm
from router.smpp.text import UDHI

SAR_MSG_REF_NUM: Final = 0x020C
SAR_TOTAL_SEGMENTS: Final = 0x020E
SAR_SEGMENT_SEQNUM: Final = 0x020F
_SHORT_REFERENCE: Final = 0x00
_LONG_REFERENCE: Final = 0x08
_LONG: Final = 1 << 16
_SAR: Final = 2 << 16
"""Offsets that keep references of 8 bits, of 16 bits and of a TLV apart: the same number in two of
these forms means two messages."""


class Part(NamedTuple):
    """One part of a long message."""

    reference: int
    """The client's number of the whole message."""
    total: int
    """The number of parts: 2 to 255."""
    number: int
    """The number of this part, from 1."""


def part_of(sm: Sm) -> Part | None:
    """Return which part a PDU is; None for a message of one part."""
    if sm.esm_class & UDHI and (part := _by_header(sm.message)) is not None:
        return part
    return None if sm.tlvs_at == len(sm.octets) else _by_tlvs(sm)


def _by_header(message: bytes) -> Part | None:
    """Find the part by an element of the user data header, which begins the message."""
    end = 1 + message[0] if message else 0
    if end > len(message):
        return None
    at = 1
    while at + 2 <= end:
        element, length = message[at], message[at + 1]
        value_at = at + 2
        at = value_at + length
        if at > end:
            return None
        if element == _SHORT_REFERENCE and length == 3:
            reference, total, number = message[value_at:at]
        elif element == _LONG_REFERENCE and length == 4:
            high, low, total, number = message[value_at:at]
            reference = _LONG | high << 8 | low
        else:
            continue
        return _checked(reference, total, number)
    return None


def _by_tlvs(sm: Sm) -> Part | None:
    found = sm.tlvs_by_tag()
    reference = found.get(SAR_MSG_REF_NUM, b"")
    total = found.get(SAR_TOTAL_SEGMENTS, b"")
    number = found.get(SAR_SEGMENT_SEQNUM, b"")
    if len(reference) != 2 or len(total) != 1 or len(number) != 1:
        return None
    return _checked(_SAR | int.from_bytes(reference, "big"), total[0], number[0])


def _checked(reference: int, total: int, number: int) -> Part | None:
    """Return the part; None if there is only one part, or its number is out of range."""
    return Part(reference, total, number) if 1 <= number <= total and total > 1 else None
