"""A router whose journal is slow: each commit takes a time by itself, and one for each row.

    SLOW_COMMIT_MS=20 SLOW_ROW_US=500 python benchmarks/slow_journal.py run CONFIG

As a disk that writes so many octets a second: larger commits do not make it faster. The connection
of the journal's thread sleeps after what it has written; all else is the router as it is.
"""

import os
import sqlite3
import sys
import threading
import time
from functools import partial
from typing import Final

from router.wiring import cli

COMMIT_S: Final = float(os.environ.get("SLOW_COMMIT_MS", "0")) / 1e3
ROW_S: Final = float(os.environ.get("SLOW_ROW_US", "0")) / 1e6
JOURNAL: Final = "journal"
"""The name of the thread that writes."""


class Slow(sqlite3.Connection):
    """A connection that takes its time to commit."""

    _paid = 0
    """Rows for which time was taken."""

    def execute(self, *statement: object) -> sqlite3.Cursor:
        """Execute, and sleep if that was the end of a transaction."""
        cursor = super().execute(*statement)  # type: ignore[arg-type]
        rows = self.total_changes - self._paid
        if rows and not self.in_transaction and threading.current_thread().name == JOURNAL:
            self._paid += rows
            time.sleep(COMMIT_S + rows * ROW_S)
        return cursor


if __name__ == "__main__":
    sqlite3.connect = partial(sqlite3.connect, factory=Slow)  # type: ignore[assignment]
    sys.exit(cli.main())
