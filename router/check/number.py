"""The routing key of a phone number: E.164 digits, whatever the client wrote around them.

The key decides the route; the wire keeps what the client wrote.
"""

from typing import Final

LONGEST_DIGITS: Final = 20
"""E.164 has 15; the wire has room for 20, and some networks use them."""
_PUNCTUATION: Final = b" -().+"


def routing_key(address: bytes) -> str | None:
    """Return the digits without `+`, leading `00` or punctuation; None if it is no number."""
    digits = address
    if not digits.isdigit():
        digits = address.translate(None, _PUNCTUATION)
        if not digits.isdigit() or address.rfind(b"+") > 0:
            return None
    if digits.startswith(b"00"):
        digits = digits[2:]
    return digits.decode() if 0 < len(digits) <= LONGEST_DIGITS else None
