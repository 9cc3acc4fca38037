"""What became of a message: the answer is looked up in the records and in the journal's tables.

The files are only read, over connections of its own, in pieces that are short: no reading is so
long that the journal's log could not be emptied. What has a number, an id or an account is found by
an index of the records; of the journal, which has none for it, every row is looked at.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple, TypedDict

from router.check.number import routing_key
from router.smpp.pdu import BodyError, Pdu, Sm
from router.telemetry import records_schema as schema
from router.telemetry.records import ASIDE, hashed, masked, read_only

PIECE_ROWS: Final = 20_000
"""Rows of the journal that one statement looks at."""
LONGEST_S: Final = 30.0
MOST_FOUND: Final = 10_000
"""More than anybody reads; of one piece, too."""
WAITING, OUT = "waiting", "out"
"""What stands for an outcome while there is none: no operator has taken the message; one has, and
its receipt is awaited."""

_LAST: Final = 2**63 - 1
_NEVER: Final = float("inf")
Value = int | float | str | None
Found = dict[str, Value]
"""One message or refused submit, by the names of `records_schema.COLUMNS`, and `source`: where it
was found (`records`, `journal`); `may_be`: 1 where its number is masked, and may be another's;
`expires_utc` and `waits_for`, of one that waits; `receipt_waits`: 1 where the client has not taken
its receipt yet."""


class Question(NamedTuple):
    """What is looked for: everything that is given has to hold."""

    what: str = ""
    """A number, in any form, or an id: the client's, the router's, or an operator's."""
    operator_id: str = ""
    account: str = ""
    reason: str = ""
    """Why it was refused, or ended: the word of `refused_total` and of records."""
    from_utc: float = 0.0
    """It was submitted at this time, or later, and"""
    until_utc: float = _NEVER
    """before this one."""
    most: int = 20
    """The newest, if there are more."""


class Answer(TypedDict):
    """What was found, oldest first, and what the answer lacks."""

    found: list[Found]
    more: bool
    """Whether there are older ones."""
    lacks: list[str]
    """In words: what could not be read, or was not looked at."""


class SearchError(Exception):
    """The question cannot be answered at all; the text says why."""


def search(
    question: Question,
    records: Path | None,
    journal: Path | None,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> Answer:
    """Look in all places; what one of them cannot tell is said in `lacks`. Raises SearchError."""
    if not (question.what or question.operator_id or question.account or question.reason):
        raise SearchError("a number, an id, an account or a reason is wanted")
    looked = _Search(question, clock() + LONGEST_S, clock)
    if records is not None:
        looked.read(records, looked.in_records)
        for aside in sorted(records.parent.glob(f"{records.name}{ASIDE}*[0-9]")):
            looked.lacks.append(f"{aside}: records that were damaged, and are not looked at")
    if journal is not None:
        looked.read(journal, lambda database: looked.in_journal(database, records))
    return looked.answer()


def is_asked(what: str, number: str) -> bool:
    """Whether a number is the one that was asked for, in whatever form it is written."""
    asked = routing_key(_octets(what))
    return what == number or (asked is not None and routing_key(_octets(number)) == asked)


class _Search:
    """One search."""

    def __init__(self, question: Question, ends_at: float, clock: Callable[[], float]) -> None:
        self._question: Final = question
        self._ends_at: Final = ends_at
        self._clock: Final = clock
        self._found: dict[tuple[str, Value], Found] = {}
        self.lacks: list[str] = []
        self._moved = 0
        """The last row of the journal that is among the records."""
        what = question.what
        digits = routing_key(_octets(what)) if what else None
        self._digits: Final = digits or ""
        self._octets: Final = _octets(digits or what)
        numbers = (what, digits, f"+{digits}", f"00{digits}") if digits else (what,)
        self._numbers: Final = tuple(dict.fromkeys(one for one in numbers if one))
        self._ids: Final = _ids(what) if what else ()
        self._router_ids: Final = [
            int(one) for one in self._ids if one.isdecimal() and len(one) < 19
        ]
        self._operator_ids: Final = _ids(question.operator_id or what)

    def read(self, path: Path, read: Callable[[sqlite3.Connection], None]) -> None:
        """Read one file."""
        if not path.is_file():
            self.lacks.append(f"{path}: there is no such file")
            return
        try:
            with closing(read_only(path)) as database:
                database.row_factory = sqlite3.Row
                database.set_progress_handler(self._is_late, 100_000)
                read(database)
        except sqlite3.Error as error:
            if self._is_late():
                self.lacks.append(f"{path}: not all was looked at within {LONGEST_S:g} s")
            else:
                self.lacks.append(f"{path}: cannot be read: {error}")

    def _is_late(self) -> bool:
        return self._clock() > self._ends_at

    def answer(self) -> Answer:
        """Return what was found."""
        found = sorted(self._found.values(), key=_accepted)
        most = min(self._question.most, MOST_FOUND)
        return {"found": found[-most:], "more": len(found) > most, "lacks": self.lacks}

    def _add(self, found: Found) -> None:
        router_id = found["router_id"]
        # A refused submit has no id; one message may be on its way from one file to the other.
        key = ("id", router_id) if router_id else (f"refused {found['account']}", found["at"])
        before = self._found.get(key)
        if before is None or before["outcome"] in (WAITING, OUT):
            self._found[key] = found

    # Records.

    def in_records(self, database: sqlite3.Connection) -> None:
        """Look where an index leads, in one part of the table after the other, newest first."""
        question = self._question
        (self._moved,) = database.execute("SELECT record FROM moved").fetchone()
        (last,) = database.execute("SELECT max(number) FROM record").fetchone()
        (first,) = database.execute("SELECT min(number) FROM record").fetchone()
        if last is None:
            return
        if not (question.what or question.operator_id):
            self._by_account(database)
            return
        self._take(database, "router_id IN", (), self._router_ids, 0)
        others = "number IN (SELECT number FROM other_id WHERE operator_id IN"
        self._take(database, others, (), self._operator_ids, 0, end=")")
        keys = database.execute("SELECT key FROM day_key").fetchall()
        certain = [*self._numbers, *(hashed(self._digits, key) for (key,) in keys if self._digits)]
        doubtful = [one for one in map(masked, self._numbers) if "*" in one] if self._digits else []
        wheres: list[tuple[str, Sequence[Value], int]] = []
        if question.what:
            wheres.append((f"{schema.PART} = ? AND destination IN", certain, 0))
            wheres.append((f"{schema.PART} = ? AND destination IN", doubtful, 1))
            wheres.append((f"{schema.PART} = ? AND client_id IN", self._ids, 0))
        wheres.append((f"{schema.PART} = ? AND operator_id IN", self._operator_ids, 0))
        for part in range(last >> schema.PART_BITS, (first >> schema.PART_BITS) - 1, -1):
            for where, values, may_be in wheres:
                self._take(database, where, (part,), values, may_be)
            if len(self._found) > question.most:
                return  # What is in older parts was settled before.

    def _take(
        self,
        database: sqlite3.Connection,
        where: str,
        first: Sequence[Value],
        values: Sequence[Value],
        may_be: int,
        end: str = "",
    ) -> None:
        if not values:
            return
        conditions, more = self._conditions()
        rows = database.execute(
            f"SELECT * FROM record WHERE {where} {_marks(values)}{end}{conditions}"
            " ORDER BY number DESC LIMIT ?",
            (*first, *values, *more, self._question.most + 1),
        )
        for row in rows:
            self._add(_told(row, "records", may_be))

    def _by_account(self, database: sqlite3.Connection) -> None:
        question = self._question
        conditions, more = self._conditions()
        # Without an account this is a walk from the newest on, as far as the time or the limit go.
        order = "accepted_utc" if question.account else "number"
        rows = database.execute(
            f"SELECT * FROM record WHERE 1{conditions} ORDER BY {order} DESC LIMIT ?",
            (*more, question.most + 1),
        )
        for row in rows:
            self._add(_told(row, "records", 0))

    def _conditions(self) -> tuple[str, list[Value]]:
        question = self._question
        conditions, values = "", list[Value]()
        if question.account:
            conditions += " AND account = ?"
            values.append(question.account)
        if question.reason:
            conditions += " AND reason = ?"
            values.append(question.reason)
        if question.from_utc:
            conditions += " AND accepted_utc >= ?"
            values.append(question.from_utc)
        if question.until_utc != _NEVER:
            conditions += " AND accepted_utc < ?"
            values.append(question.until_utc)
        return conditions, values

    # The journal.

    def in_journal(self, database: sqlite3.Connection, records: Path | None) -> None:
        """Look at what waits, at what is out, and at what is over and not among the records yet."""
        question = self._question
        if not question.reason:  # What is not over has none.
            if question.what or not question.operator_id:
                self._waiting(database)
            self._out(database)
        self._over(database)
        self._in_outbox(database)

    def _pieces(
        self, database: sqlite3.Connection, table: str, key: str, after: int = 0
    ) -> Iterator[tuple[int, int]]:
        """Yield the bounds of pieces of a table, the newest first; no more than has to be seen."""
        before, had = _LAST, len(self._found)
        while len(self._found) - had <= self._question.most:
            (first, last) = database.execute(
                f"SELECT min({key}), max({key}) FROM (SELECT {key} FROM {table}"
                f" WHERE {key} > ? AND {key} < ? ORDER BY {key} DESC LIMIT ?)",
                (after, before, PIECE_ROWS),
            ).fetchone()
            if first is None:
                return
            if self._is_late():
                raise sqlite3.OperationalError("it takes too long")
            yield first, last
            before = first

    def _waiting(self, database: sqlite3.Connection) -> None:
        where, values = "1", list[Value | bytes]()
        if self._question.what:
            where = (
                f"(instr(octets, ?) OR router_id IN {_marks(self._router_ids)} OR client_id = ?)"
            )
            values = [self._octets, *self._router_ids, _octets(self._question.what)]
        for first, last in self._pieces(database, "message", "router_id"):
            rows = database.execute(
                f"SELECT message.*, account, lane, plan FROM message JOIN queue"
                f" ON queue = queue.number WHERE router_id BETWEEN ? AND ? AND {where}"
                f"{self._of_time()} ORDER BY router_id DESC LIMIT ?",
                (first, last, *values, *self._time_values(), MOST_FOUND),
            )
            for row in rows:
                self._add_waiting(row)

    def _add_waiting(self, row: sqlite3.Row) -> None:
        octets = row["octets"]
        try:
            sm = Sm(Pdu(int.from_bytes(octets[4:8], "big"), 0, 0, octets))
        except (BodyError, TypeError):
            return  # The router sets it aside when it reads it, and says so.
        destination = _address(sm.destination_octets)
        found = _blank(row, WAITING)
        is_meant = self._is_meant(destination) or found["client_id"] in self._ids
        if self._question.what and not (is_meant or row["router_id"] in self._router_ids):
            return  # The digits stand elsewhere in it.
        found |= {
            "source": _address(sm.source_octets),
            "destination": destination,
            "waits_for": row["plan"],
            "expires_utc": row["expires_utc"],
        }
        self._add(found)

    def _is_meant(self, destination: str) -> bool:
        if destination in self._numbers:
            return True
        return bool(self._digits) and routing_key(destination.encode("latin-1")) == self._digits

    def _of_time(self) -> str:
        return " AND accepted_utc >= ? AND accepted_utc < ?" + (
            " AND account = ?" if self._question.account else ""
        )

    def _time_values(self) -> list[Value]:
        question = self._question
        values: list[Value] = [question.from_utc, min(question.until_utc, 1e12)]
        return [*values, question.account] if question.account else values

    def _out(self, database: sqlite3.Connection) -> None:
        operator_ids = [_octets(one) for one in self._operator_ids]
        where, values = "1", list[Value | bytes]()
        if self._question.what:
            where = (
                f"(instr(destination, ?) OR router_id IN {_marks(self._router_ids)}"
                f" OR client_id = ? OR operator_id IN {_marks(operator_ids)})"
            )
            values = [self._octets, *self._router_ids, _octets(self._question.what), *operator_ids]
        elif self._question.operator_id:
            where, values = f"operator_id IN {_marks(operator_ids)}", [*operator_ids]
        for first, last in self._pieces(database, "sent", "number"):
            rows = database.execute(
                "SELECT sent.*, account, lane, plan FROM sent JOIN queue ON queue = queue.number"
                f" WHERE sent.number BETWEEN ? AND ? AND {where}{self._of_time()}"
                " ORDER BY sent.number DESC LIMIT ?",
                (first, last, *values, *self._time_values(), MOST_FOUND),
            )
            for row in rows:
                self._add_out(row)

    def _add_out(self, row: sqlite3.Row) -> None:
        destination, operator_id = _address(row["destination"]), row["operator_id"]
        found = _blank(row, OUT)
        is_meant = self._is_meant(destination) or found["client_id"] in self._ids
        is_meant |= row["router_id"] in self._router_ids
        is_meant |= operator_id.decode("latin-1") in self._operator_ids
        if self._question.what and not is_meant:
            return  # It is a part of a longer number.
        tries = row["tries"]
        found |= {
            "source": _address(row["source"]),
            "destination": destination,
            "operator": row["operator"],
            "operator_id": operator_id.decode("latin-1"),
            "sends": row["sends"],
            "tries": f"[{tries}]" if tries else None,
            "taken_utc": row["at_utc"],
        }
        self._add(found)

    def _over(self, database: sqlite3.Connection) -> None:
        """Look at the rows that are not among the records: those of the last second, or all."""
        sources = ", ".join(
            f"{one.source.format(number='destination')} AS {one.name}" for one in schema.COLUMNS
        )
        question = self._question
        where, values = "1", list[Value]()
        conditions, more = self._conditions()
        if question.what:
            where = (
                f"(destination IN {_marks(self._numbers)} OR client_id IN {_marks(self._ids)}"
                f" OR router_id IN {_marks(self._router_ids)}"
                f" OR operator_id IN {_marks(self._operator_ids)})"
            )
            values = [*self._numbers, *self._ids, *self._router_ids, *self._operator_ids]
        elif question.operator_id:
            where, values = f"operator_id IN {_marks(self._operator_ids)}", [*self._operator_ids]
        for first, last in self._pieces(database, "record", "number", self._moved):
            rows = database.execute(
                f"SELECT number, {sources} FROM record WHERE number BETWEEN ? AND ?"
                f" AND {where}{conditions} ORDER BY number DESC LIMIT ?",
                (first, last, *values, *more, MOST_FOUND),
            )
            for row in rows:
                self._add(_told(row, "journal", 0))

    def _in_outbox(self, database: sqlite3.Connection) -> None:
        """Note whose final receipt waits for its client."""
        waits = {
            one["router_id"]: one
            for one in self._found.values()
            if one["router_id"] is not None
            and one["acknowledged_utc"] is None
            and one["outcome"] not in (WAITING, OUT)
        }
        if not waits or len(waits) > 100:  # A walk over all that waits, for some.
            return
        for first, last in self._pieces(database, "delivery", "number"):
            for (router_id,) in database.execute(
                "SELECT router_id FROM delivery WHERE number BETWEEN ? AND ? AND final"
                f" AND router_id IN {_marks(waits)}",
                (first, last, *waits),
            ):
                waits[router_id]["receipt_waits"] = 1


def _marks(values: Collection[object]) -> str:
    """Return a place for each value, in brackets; with none, a list that nothing is in."""
    return f"({', '.join('?' * len(values))})"


def _is_whole(text: str) -> bool:
    """Whether a text is a number that SQLite has room for."""
    return text.isascii() and text.isdecimal() and len(text) < 19


def _octets(text: str) -> bytes:
    return text.encode("latin-1", "replace")


def _ids(what: str) -> tuple[str, ...]:
    """Return the forms of an id: operators write one as decimal here and hexadecimal there."""
    what = what.strip()
    forms = [what, what.lower(), what.upper()]
    if what.isdigit() and len(what) < 40:
        forms += [f"{int(what):x}", f"{int(what):X}", f"{int(what):08x}", f"{int(what):08X}"]
    elif len(what) < 40 and all(one in "0123456789abcdefABCDEF" for one in what):
        forms.append(str(int(what, 16)) if what else "")
    return tuple(dict.fromkeys(filter(None, forms)))


def _accepted(found: Found) -> float:
    accepted_utc = found["accepted_utc"]
    return accepted_utc if isinstance(accepted_utc, float) else 0.0


def _told(row: sqlite3.Row, source: str, may_be: int) -> Found:
    found: Found = {name: row[name] for name in schema.NAMES}
    if found["client_id"] is None and found["router_id"] is not None:
        found["client_id"] = str(found["router_id"])
    return found | {"at": f"{source} {row['number']}", "from": source, "may_be": may_be}


def _blank(row: sqlite3.Row, outcome: str) -> Found:
    """Return what the journal's rows of a message that is not over have in common."""
    found: Found = dict.fromkeys(schema.NAMES)
    client_id = row["client_id"]
    router_id = row["router_id"]
    found |= {
        "router_id": router_id,
        "client_id": str(router_id) if client_id is None else client_id.decode("latin-1"),
        "account": row["account"],
        "lane": row["lane"],
        "outcome": outcome,
        "accepted_utc": row["accepted_utc"],
        "at": f"{outcome} {router_id}",
        "from": "journal",
        "may_be": 0,
    }
    return found | _came(row["submitted"])


def _came(submitted: object) -> Found:
    """Return how a message came, of what the journal has of that."""
    try:
        address, bind_type, data_coding, parts, route = json.loads(str(submitted))
    except (ValueError, TypeError):
        return {}
    return {
        "client_address": address,
        "bind_type": bind_type,
        "data_coding": data_coding,
        "parts": parts,
        "route": route,
    }


def _address(octets: object) -> str:
    """Return the address in TON, NPI, address and NUL."""
    return octets[2:-1].decode("latin-1") if isinstance(octets, bytes) else ""
