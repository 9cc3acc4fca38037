"""Alphabets, segments and user data headers: what a message's octets mean to a person.

The router relays octets; it reads text only where a setting asks for it (the keyword of an inbound
message, `explain`), with aiosmpplib's codecs.

Source: SMPP v3.4, 5.2.19 (data_coding); 3GPP TS 23.038 (alphabets), 23.040 9.2.3.24 (UDH).
"""

from typing import Final

from aiosmpplib import GSM7BitCodec

_GSM: Final = GSM7BitCodec()

UDHI: Final = 0x40
"""esm_class bit: the message begins with a user data header."""


def without_udh(message: bytes, esm_class: int) -> bytes:
    """The message without its user data header."""
    if esm_class & UDHI and message:
        return message[message[0] + 1 :]
    return message


def decode(octets: bytes, data_coding: int) -> str:
    """The text, with U+FFFD for what cannot be read; never raises."""
    if data_coding in (0x08, 0x18, 0x19, 0x1A, 0x1B):
        return octets.decode("utf-16-be", errors="replace")
    if data_coding in (0x00, 0xF0, 0xF1, 0xF2, 0xF3, 0x10, 0x11, 0x12, 0x13):
        return str(_GSM.decode(octets, "replace")[0])
    return octets.decode("latin-1")


def segments_of(text: str) -> tuple[str, int]:
    """Alphabet (`GSM 7-bit` or `UCS-2`) and how many segments a client makes of the text.

    160 or 153 septets, 70 or 67 UCS-2 units: 140 octets, less 6 for the header of a part.
    """
    if GSM7BitCodec.is_gsm_text(text):
        units = len(_GSM.encode(text)[0])
        return "GSM 7-bit", 1 if units <= 160 else -(-units // 153)
    units = len(text.encode("utf-16-be")) // 2
    return "UCS-2", 1 if units <= 70 else -(-units // 67)
