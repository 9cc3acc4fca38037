"""The routing key of a phone number: E.164 digits, whatever the client wrote around them.

The key decides the route; the wire keeps what the client wrote.
"""

from typing import Final

from router.smpp.numbers import digits_of

LONGEST_DIGITS: Final = 20
"""E.164 has 15; the wire has room for 20, and some networks use them."""


def routing_key(address: bytes) -> str | None:
    """Return the digits without `+`, leading `00` or punctuation; None if it is no number."""
    digits = digits_of(address)
    if digits is None or not 0 < len(digits) <= LONGEST_DIGITS:
        return None
    return digits.decode()
