"""Notices an operator that sends one receipt for a whole long message, and not one for each part.

Then all parts but one wait for a receipt that never comes, unless `receipts.per` says `message`. A
part whose receipt is late looks the same; so the same must happen again and again, for a while, and
no long message may get the receipts of two parts in between.
"""

from collections import deque
from typing import Final

from router.terms.group import Group

PATIENCE_S: Final = 60.0
"""How long after the receipt of one part those of the others may come: a phone that gets one part
gets the next within seconds."""
FEWEST: Final = 10
"""So many long messages in a row, with the receipt of one part each, are no accident ..."""
LASTS_S: Final = 300.0
"""... if so much time lies between the first and the last: when an operator's receipts stop for a
while, those of many messages stop in between two parts."""
MOST: Final = 1000
"""Long messages that are watched at the same time; of more, these are a sample."""


class HalfReceipted:
    """Long messages of one operator of which one part has its receipt."""

    __slots__ = ("_in_a_row", "_since_utc", "_waits", "count", "is_pattern", "is_told")

    def __init__(self) -> None:
        self.count = 0
        """Long messages of which only one part had a receipt in time."""
        self.is_pattern = False
        """Whether the operator seems to send one receipt for all parts."""
        self.is_told = False
        """Whether the log has been told so."""
        self._in_a_row = 0
        self._since_utc = 0.0
        """When the receipt came that was the first of those in a row."""
        self._waits: Final[deque[tuple[float, Group]]] = deque()
        """Messages whose first receipt has come, and when."""

    def came(self, group: Group, now_utc: float) -> None:
        """Note that the final receipt of a part has come."""
        group.receipted += 1
        if group.receipted > 1:
            self._in_a_row = 0
            self.is_pattern = False
        elif len(self._waits) < MOST:
            self._waits.append((now_utc, group))

    def look(self, now_utc: float) -> None:
        """Judge the messages whose other parts have had their time."""
        waits = self._waits
        while waits and waits[0][0] + PATIENCE_S <= now_utc:
            at_utc, group = waits.popleft()
            if group.receipted > 1 or not group.expected:
                continue
            self.count += 1
            if not self._in_a_row:
                self._since_utc = at_utc
            self._in_a_row += 1
            if self._in_a_row >= FEWEST and at_utc - self._since_utc >= LASTS_S:
                self.is_pattern = True
