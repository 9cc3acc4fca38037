"""What became of a message: the answer is looked up in the records and in the journal's tables.

The files are only read, over connections of its own, in pieces that are short: no reading is so
long that the journal's log could not be emptied. What has a number, an id or an account is found by
an index of the records (`search_records.py`); of the journal, which has none for it, every row is
looked at (`search_journal.py`).
"""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from router.telemetry.findings import Answer, Findings, Question, SearchError
from router.telemetry.records import ASIDE, read_only
from router.telemetry.search_journal import in_journal
from router.telemetry.search_records import in_records

LONGEST_S: Final = 30.0
_LOOKS_EVERY: Final = 100_000
"""Steps of SQLite between two looks at the clock: a millisecond or so."""


def search(
    question: Question,
    records: Path | None,
    journal: Path | None,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> Answer:
    """Look in all places; what one of them cannot tell is said in `lacks`. Raises SearchError."""
    if not (question.is_named or question.account or question.reason):
        raise SearchError("a number, an id, an account or a reason is wanted")
    ends_at = clock() + LONGEST_S
    findings = Findings(question, lambda: clock() > ends_at)
    if records is not None:
        _read(records, in_records, findings)
        for aside in sorted(records.parent.glob(f"{records.name}{ASIDE}*[0-9]")):
            findings.lacks.append(f"{aside}: records that were damaged, and are not looked at")
    if journal is not None:
        _read(journal, in_journal, findings)
    return findings.answer()


def _read(
    path: Path, read: Callable[[sqlite3.Connection, Findings], None], findings: Findings
) -> None:
    """Read one file."""
    if not path.is_file():
        findings.lacks.append(f"{path}: there is no such file")
        return
    try:
        with closing(read_only(path)) as database:
            database.row_factory = sqlite3.Row
            database.set_progress_handler(findings.is_late, _LOOKS_EVERY)
            read(database, findings)
    except (sqlite3.Error, SearchError) as error:
        if findings.is_late():
            findings.lacks.append(f"{path}: not all was looked at within {LONGEST_S:g} s")
        else:
            findings.lacks.append(f"{path}: cannot be read: {error}")
