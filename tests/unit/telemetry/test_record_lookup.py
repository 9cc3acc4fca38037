"""router/telemetry/record_lookup.py: how a message ended, from the records or the journal."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from router.enqueue.journal import Settlement
from router.enqueue.retention import Records
from router.smpp.receipt import Receipt, State
from router.telemetry import record_lookup, records
from router.telemetry.record_lookup import RecordLookup
from router.telemetry.records import Recorder, path_of
from router.terms.names import RouterId
from router.terms.outcome import JournalError, Outcome
from router.terms.record import Recorded
from tests.unit.enqueue.turns import Turns, changes
from tests.unit.messages import ACCEPTED_UTC, BANK, message

DONE_UTC = ACCEPTED_UTC + 5.0


class Desk:
    """A journal, its records, and who looks them up."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "router.db"
        self.turns = Turns()
        progress = Records()
        self.journal = self.turns.open(self.path, records=progress)
        self.recorder = Recorder(
            self.path, progress, 1e9, {}, clock=lambda: 0.0, clock_utc=lambda: DONE_UTC
        )
        self.errors: list[JournalError] = []
        self.lookup = RecordLookup(
            path_of(self.path), self.path, self.turns.soon, self.errors.append
        )

    def settle(self, *settlements: Settlement) -> None:
        """Have these messages accepted, and over."""
        one = changes(accepted=[settlement.message for settlement in settlements])
        one.settled += settlements
        assert self.turns.keep(self.journal, one) is None

    def found(self, *router_ids: int) -> Sequence[Recorded] | None:
        """What is known of these."""
        heard: list[Sequence[Recorded] | None] = []
        self.lookup.look_up([RouterId(one) for one in router_ids], heard.append)
        self.turns.until(lambda: heard)
        return heard[0]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    one = Desk(tmp_path)
    yield one
    one.lookup.close()
    one.turns.close(one.journal)


def test_record_is_found_before_and_after_it_is_moved(desk: Desk) -> None:
    receipt = Receipt(b"id", State.DELIVERED, b"034", b"2701150800", None)
    desk.settle(
        Settlement(message(1), Outcome.DELIVERED, DONE_UTC, receipt=receipt),
        Settlement(message(2), Outcome.REJECTED, DONE_UTC, "cancelled"),
        Settlement(message(3), Outcome.SENT, DONE_UTC),
    )
    expected = [
        Recorded(RouterId(1), message(1).client_id, BANK, "BANK", "delivered", "", "DELIVRD",
                 "034", DONE_UTC),
        Recorded(RouterId(2), message(2).client_id, BANK, "BANK", "rejected", "cancelled", "", "",
                 DONE_UTC),
    ]  # fmt: skip
    assert desk.found(1, 2, 99) == expected
    desk.recorder.turn()
    assert desk.found(1, 2, 99) == expected
    assert desk.found(99) == []


def test_record_is_found_that_is_moved_between_the_two_readings(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.settle(Settlement(message(1), Outcome.SENT, DONE_UTC))
    desk.recorder.turn()  # The file is there.
    desk.settle(Settlement(message(2), Outcome.SENT, DONE_UTC))

    def read_only(path: Path) -> sqlite3.Connection:
        if path == desk.path:
            desk.recorder.turn()
            with closing(sqlite3.connect(path)) as journal, journal:
                journal.execute("UPDATE record SET router_id = 99")  # As good as deleted.
        return records.read_only(path)

    monkeypatch.setattr(record_lookup, "read_only", read_only)
    found = desk.found(2)
    assert found is not None
    assert [one.router_id for one in found] == [2]


def test_file_that_cannot_be_read_is_told(desk: Desk) -> None:
    assert desk.found(1) == []  # There is none yet.
    path_of(desk.path).write_bytes(b"nonsense" * 1000)
    assert desk.found(1) is None
    (error,) = desk.errors
    assert "records" in str(error)
