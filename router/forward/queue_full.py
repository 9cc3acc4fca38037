"""ESME_RMSGQFUL: whether the queue of one subscriber is full, or that of the operator.

The status can mean both. When the operator refuses many different numbers in a row with it and
takes no message in between, the operator's own queue is full: the bind has to wait, and not the
messages.
"""

from typing import Final

MANY_NUMBERS: Final = 5
"""Different numbers in a row. In a campaign one telephone in a hundred is off and has a full queue:
five of them do not follow each other."""


class QueueFullDetector:
    """The numbers that an operator refused as full since it last took a message."""

    __slots__ = ("numbers",)

    def __init__(self) -> None:
        self.numbers: set[bytes] = set()
        """Refused numbers, at most `MANY_NUMBERS`. Usually empty: each success checks only that."""

    def refused(self, number: bytes) -> bool:
        """Note a refused number; return whether the operator itself is full."""
        if len(self.numbers) < MANY_NUMBERS:
            self.numbers.add(number)
        return len(self.numbers) >= MANY_NUMBERS
