"""Whose queue is full: one subscriber's, or the operator's?

ESME_RMSGQFUL says either. When many different numbers in a row are refused with it, and nothing is
taken in between, it is the operator that is full: then the bind has to wait, and not the messages.
"""

from typing import Final

MANY_NUMBERS: Final = 5
"""In a row. A campaign meets one telephone in a hundred that is off and full: not five of them with
no other in between."""


class QueueFullDetector:
    """The numbers that an operator refused as full since it last took a message."""

    __slots__ = ("numbers",)

    def __init__(self) -> None:
        self.numbers: set[bytes] = set()
        """Empty while all is well, which is all that a message is asked for; never large."""

    def refused(self, number: bytes) -> bool:
        """Note one; return whether it is the operator that is full."""
        if len(self.numbers) < MANY_NUMBERS:
            self.numbers.add(number)
        return len(self.numbers) >= MANY_NUMBERS
