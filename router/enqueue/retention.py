"""How long the journal keeps records: for `keep_records`, and until another file has them.

Rule 1: a busy journal deletes at most twice as many rows as it writes, so that they become fewer
and no commit takes long.

Rule 2: the newest row of a table stays, so that its numbers do not begin again at 1: by its number
it is known which rows another file has.
"""

import sqlite3
from collections.abc import Callable
from typing import Final

from router.enqueue.row_writer import MOST_ROWS

LONGEST_UNMOVED_S: Final = 7 * 86_400.0
"""How long beyond `keep_records` a record waits for `records.db`: a week in which somebody can mend
that file, and after which the journal must not grow on."""
MOST_ACKNOWLEDGED: Final = 64
"""Rows of `acknowledged`, each of one commit, that are deleted at a time."""
_ALL: Final = 2**63 - 1
_OLD_RECORDS: Final = (
    "DELETE FROM record WHERE number IN (SELECT number FROM record ORDER BY number LIMIT ?)"
    " AND settled_utc < ? AND number <= ?"
)
_OLD_BUT_LAST: Final = f"{_OLD_RECORDS} AND number < (SELECT max(number) FROM record)"
_OLDEST_RECORD: Final = "SELECT settled_utc FROM record ORDER BY number LIMIT 1"
_OLD_ACKNOWLEDGED: Final = (
    "DELETE FROM acknowledged"
    " WHERE number IN (SELECT number FROM acknowledged ORDER BY number LIMIT ?)"
    " AND (number <= ? OR at_utc < ?) AND number < (SELECT max(number) FROM acknowledged)"
)


class Records:
    """How far another thread has moved the journal's records, and what was lost of them."""

    __slots__ = ("last", "last_acknowledged", "lost", "moved", "moved_acknowledged")

    def __init__(self) -> None:
        self.last = 0
        """The number of the last record in the journal, and"""
        self.last_acknowledged = 0
        """of the last row of `acknowledged`, when it was opened."""
        self.moved = 0
        """The number of the last record that is elsewhere, too, and"""
        self.moved_acknowledged = 0
        """of the last row of `acknowledged`. Only their mover sets these two."""
        self.lost = 0
        """Records that have waited in vain."""

    def found(self, last: int, last_acknowledged: int) -> None:
        """Note what the journal had when it was opened."""
        self.last, self.last_acknowledged = last, last_acknowledged


class Retention:
    """What the journal may delete. Called in the thread that writes it."""

    def __init__(
        self, keep_s: float, records: Records | None, clock_utc: Callable[[], float]
    ) -> None:
        """With `records`, another file gets them first."""
        self._keep_s: Final = keep_s
        self._records: Final = records
        self._clock_utc: Final = clock_utc
        self._oldest_utc = -float("inf")
        """No record is older; not known before the first time that records are deleted."""
        self._gone_acknowledged = 0
        """Up to this number rows of `acknowledged` were deleted, or looked at."""

    @property
    def keeps(self) -> bool:
        """Whether records are written at all."""
        return self._keep_s > 0 or self._records is not None

    def forget(self, database: sqlite3.Connection, most: int) -> bool:
        """Delete a few rows that were kept for long enough; return whether there may be more."""
        more = self._forget_acknowledged(database)
        if not most:
            return more
        now_utc, records = self._clock_utc(), self._records
        before_utc = now_utc - self._keep_s
        if self._oldest_utc >= before_utc:
            return more
        most = min(most, MOST_ROWS)
        if records is None:
            went = database.execute(_OLD_RECORDS, (most, before_utc, _ALL)).rowcount
        else:
            went = database.execute(_OLD_BUT_LAST, (most, before_utc, records.moved)).rowcount
            unmoved_utc = before_utc - LONGEST_UNMOVED_S
            if self._oldest_utc < unmoved_utc:
                lost = database.execute(_OLD_BUT_LAST, (most, unmoved_utc, _ALL)).rowcount
                records.lost += lost
                went += lost
                values = MOST_ACKNOWLEDGED, 0, unmoved_utc
                went += database.execute(_OLD_ACKNOWLEDGED, values).rowcount
        oldest = database.execute(_OLDEST_RECORD).fetchone()
        # With none at all: those that this process writes are younger than now.
        self._oldest_utc = now_utc if oldest is None else oldest[0]
        return more or (went > 0 and self._oldest_utc < before_utc)

    def _forget_acknowledged(self, database: sqlite3.Connection) -> bool:
        records = self._records
        if records is None or self._gone_acknowledged >= records.moved_acknowledged:
            return False
        moved = records.moved_acknowledged
        values = MOST_ACKNOWLEDGED, moved, -float("inf")
        if database.execute(_OLD_ACKNOWLEDGED, values).rowcount == MOST_ACKNOWLEDGED:
            return True
        self._gone_acknowledged = moved
        return False
