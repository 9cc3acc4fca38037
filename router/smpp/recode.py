"""data_coding 0 with another meaning: text between the GSM alphabet and Latin-1.

The specification leaves to each SMSC what data_coding 0 means. Where the settings say what it means
on both sides, and it is not the same, the text is written anew. No character is lost: one that the
other alphabet does not have takes the whole text to Latin-1 with data_coding 3, or to UCS-2 with
data_coding 8. What cannot be sent so either, and what is no text, stays as it came.

Source: SMPP v3.4, 5.2.19 (data_coding); 3GPP TS 23.038, 6.2.1 (alphabet); 23.040, 9.2.3.24 (UDH).
"""

from typing import Final, Literal

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.gsm import gsm_of_text, text_of_gsm
from router.smpp.pdu import LONGEST_SHORT_MESSAGE_OCTETS, Pdu, Sm
from router.smpp.segments import part_of
from router.smpp.text import UDHI
from router.terms.settings import Alphabet

Recoded = Literal["recoded", "latin_1", "ucs_2", "as_it_came"]
"""What has become of a text: as data_coding 0, 3 or 8, or nothing."""
DEFAULT: Final = 0
LATIN_1: Final = 3
UCS_2: Final = 8
SEGMENT_OCTETS: Final = 140
SEGMENT_SEPTETS: Final = 160
SOURCE_PORT: Final = 0x020A
DESTINATION_PORT: Final = 0x020B
_CONCATENATION: Final = (0x00, 0x08)
"""The elements of a header that say nothing of what stands behind it. With ports it is for a
program, and with a shift table it is in another alphabet."""


def recoded(
    command_id: int, octets: bytes, came: Alphabet, goes: Alphabet
) -> tuple[bytes, Recoded | None]:
    """Return a message whose data_coding 0 is one alphabet for one to whom it is another.

    `octets` is a whole submit_sm, deliver_sm or data_sm. Return it as it is, and None, where it is
    no text with data_coding 0. The sequence_number stays.
    """
    sm = Sm(Pdu(command_id, 0, 0, octets), tolerant=True)
    message = sm.message
    header = _header_of(sm, message)
    if sm.data_coding != DEFAULT or header is None or len(message) == len(header):
        return octets, None
    told = message[len(header) :]
    text = text_of_gsm(told) if came == "gsm" else told.decode("latin-1")
    if text is None:
        return octets, "as_it_came"
    if goes == "gsm":
        septets = gsm_of_text(text)
        if septets is not None and _fits(len(header), len(told), len(septets)):
            return with_message(sm, command_id, header + septets, DEFAULT), "recoded"
        return with_message(sm, command_id, message, LATIN_1), "latin_1"
    if max(text) <= "\xff":
        return with_message(sm, command_id, header + text.encode("latin-1"), DEFAULT), "recoded"
    units = header + text.encode("utf-16-be")
    is_part = bool(header) or part_of(sm) is not None
    if is_part and len(units) > SEGMENT_OCTETS:
        return octets, "as_it_came"
    return with_message(sm, command_id, units, UCS_2), "ucs_2"


def _header_of(sm: Sm, message: bytes) -> bytes | None:
    """Return the user data header, which may be empty; None if no text stands behind it."""
    if sm.tlvs_at != len(sm.octets):
        tlvs = sm.tlvs_by_tag()
        if SOURCE_PORT in tlvs or DESTINATION_PORT in tlvs:
            return None
    if not sm.esm_class & UDHI or not message:
        return b""
    end, at = 1 + message[0], 1
    if end > len(message):
        return None
    while at + 2 <= end:
        if message[at] not in _CONCATENATION:
            return None
        at += 2 + message[at + 1]
    return message[:end] if at == end else None


def _fits(header: int, before: int, septets: int) -> bool:
    """Return whether a text that grows by its escapes still goes as it would have gone."""
    room = (SEGMENT_OCTETS - header) * 8 // 7 if header else SEGMENT_SEPTETS
    return septets <= max(before, room)


def with_message(sm: Sm, command_id: int, message: bytes, data_coding: int) -> bytes:
    """Return the message with another text, where it was, and another data_coding.

    One that is too long for a short_message moves into message_payload.
    """
    octets, at, tlvs_at = sm.octets, sm.short_message_at, sm.tlvs_at
    tlvs = octets[tlvs_at:]
    if command_id == v.DATA_SM:
        head = octets[p.HEADER_OCTETS : at - 1] + bytes((data_coding,))
        tlvs = _with_payload(sm, message)
    else:
        head = octets[p.HEADER_OCTETS : at - 3] + bytes((data_coding, octets[at - 2]))
        if at == tlvs_at:
            head += b"\0"
            tlvs = _with_payload(sm, message)
        elif len(message) > max(LONGEST_SHORT_MESSAGE_OCTETS, tlvs_at - at):
            head += b"\0"
            tlvs += p.tlv(v.MESSAGE_PAYLOAD, message)
        else:
            head += bytes((len(message),)) + message
    return p.build(command_id, 0, int.from_bytes(octets[12:16], "big"), head + tlvs)


def _with_payload(sm: Sm, message: bytes) -> bytes:
    """Return the TLVs with another message_payload in the place of the first."""
    parts: list[bytes] = []
    is_new = True
    for tag, value in sm.tlvs():
        if tag == v.MESSAGE_PAYLOAD and is_new:
            is_new = False
            parts.append(p.tlv(tag, message))
        else:
            parts.append(p.tlv(tag, value))
    return b"".join(parts)
