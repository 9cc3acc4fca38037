"""A journal and what keeps its records, for tests that make their turns."""

import sqlite3
from contextlib import closing
from pathlib import Path

from router.enqueue.journal import Settlement
from router.enqueue.retention import Records
from router.enqueue.sqlite import SqliteJournal
from router.smpp.receipt import Receipt
from router.telemetry.records import Recorder, path_of
from router.terms.message import Message
from router.terms.names import AccountName
from router.terms.outcome import Outcome
from router.terms.settings import Privacy
from tests.unit.enqueue.turns import Turns, changes
from tests.unit.messages import ACCEPTED_UTC


class Desk:
    """A journal and its recorder, whose turns the test makes."""

    def __init__(self, folder: Path) -> None:
        self.turns = Turns()
        self.turns.now_utc = ACCEPTED_UTC
        self.path = folder / "journal.db"
        self.records = path_of(self.path)
        self.privacy: dict[AccountName, Privacy] = {}
        self.keep_s = 30 * 86_400.0
        self.now = 0.0
        self.progress = Records()
        self.journal: SqliteJournal
        self.recorder: Recorder
        self.open()

    def open(self, *, keep_records_s: float = 3600.0) -> None:
        """Begin as a process does."""
        self.progress = Records()
        self.journal = self.turns.open(
            self.path, keep_records_s=keep_records_s, records=self.progress
        )
        self.recorder = Recorder(
            self.path,
            self.progress,
            self.keep_s,
            self.privacy,
            clock=lambda: self.now,
            clock_utc=lambda: self.turns.now_utc,
        )

    def close(self) -> None:
        """End in good order: the recorder first."""
        self.recorder.stop()
        if self.recorder._database is not None:
            self.recorder._database.close()
        self.turns.close(self.journal)

    def settle(self, *messages: Message, receipt: Receipt | None = None) -> None:
        """Have the journal keep that these are over."""
        batch = changes(accepted=messages)
        batch.settled += [
            Settlement(one, Outcome.DELIVERED, self.turns.now_utc, receipt=receipt)
            for one in messages
        ]
        assert self.turns.keep(self.journal, batch) is None

    def rows(
        self, columns: str = "router_id", path: Path | None = None
    ) -> list[tuple[object, ...]]:
        """What the file has, as somebody else sees it."""
        with closing(sqlite3.connect(path or self.records)) as database:
            return database.execute(f"SELECT {columns} FROM record ORDER BY number").fetchall()
