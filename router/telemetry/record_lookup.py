"""How messages ended, by their ids, for query_sm.

Read in a thread of its own, one question at a time, from the records and from what the journal has
that is not there yet.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Final

from router.steps.querying import RecordsFound
from router.telemetry.records import read_only
from router.terms.names import AccountName, ClientId, RouterId
from router.terms.outcome import JournalError
from router.terms.record import Recorded

MOST_UNMOVED: Final = 100_000
"""Rows of the journal that are looked through, the newest: those of the last second as a rule, and
of a few seconds where no file of records is kept."""
_COLUMNS: Final = (
    "router_id, client_id, account, source, outcome, reason, {state}, {error}, settled_utc"
)
_RECORDS: Final = _COLUMNS.format(state="receipt_state", error="receipt_error")
_JOURNAL: Final = _COLUMNS.format(
    state="json_extract(receipt, '$[0]')", error="json_extract(receipt, '$[1]')"
)


class RecordLookup:
    """Reads single records."""

    def __init__(
        self,
        records: Path | None,
        journal: Path,
        soon: Callable[[Callable[[], None]], object],
        unreadable: Callable[[JournalError], None],
    ) -> None:
        """`records` is None where no file of them is kept; `soon` runs a call in the loop.

        `unreadable` hears in the loop why a file could not be read.
        """
        self._records: Final = records
        self._journal: Final = journal
        self._soon: Final = soon
        self._unreadable: Final = unreadable
        self._thread: Final = ThreadPoolExecutor(1, "record-lookup")

    def look_up(self, router_ids: Sequence[RouterId], done: RecordsFound) -> None:
        """Find the records of these messages; `done` is called in the loop."""

        def read() -> None:
            try:
                found = list(self._found(router_ids))
            except Exception as cause:  # noqa: BLE001 - Whatever it is, a client waits for an answer.
                error = JournalError(f"records of single messages: {cause}")
                self._soon(lambda: failed(error))
            else:
                self._soon(lambda: done(found))

        def failed(error: JournalError) -> None:
            self._unreadable(error)
            done(None)

        self._thread.submit(read)

    def close(self) -> None:
        """Read no more; what waits for an answer gets none."""
        self._thread.shutdown(cancel_futures=True)

    def _found(self, router_ids: Sequence[RouterId]) -> Iterator[Recorded]:
        if self._records is None or not self._records.is_file():
            yield from self._in_journal(router_ids, 0)
            return
        with closing(read_only(self._records)) as database:
            (moved,) = database.execute("SELECT record FROM moved").fetchone()
            # The journal first: what is moved meanwhile, and deleted there, is in the records then.
            yield from self._in_journal(router_ids, moved)
            rows = database.execute(
                f"SELECT {_RECORDS} FROM record WHERE router_id IN {_marks(router_ids)}", router_ids
            )
            yield from map(_recorded, rows)

    def _in_journal(self, router_ids: Sequence[RouterId], moved: int) -> Iterator[Recorded]:
        """Find records that stand behind this number."""
        with closing(read_only(self._journal)) as database:
            (last,) = database.execute("SELECT max(number) FROM record").fetchone()
            after = max(moved, (last or 0) - MOST_UNMOVED)
            rows = database.execute(
                f"SELECT {_JOURNAL} FROM record"
                f" WHERE number > ? AND router_id IN {_marks(router_ids)}",
                (after, *router_ids),
            )
            yield from map(_recorded, rows)


def _marks(router_ids: Sequence[RouterId]) -> str:
    return f"({','.join('?' * len(router_ids))})"


def _recorded(row: sqlite3.Row | tuple[object, ...]) -> Recorded:
    router_id, client_id, account, source, outcome, reason, state, error, settled_utc = row
    assert isinstance(router_id, int)
    assert isinstance(settled_utc, float)
    return Recorded(
        RouterId(router_id),
        ClientId(b"%d" % router_id if client_id is None else str(client_id).encode("latin-1")),
        AccountName(str(account)),
        str(source),
        str(outcome),
        str(reason or ""),
        str(state or ""),
        str(error or ""),
        settled_utc,
    )
