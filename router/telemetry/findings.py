"""A question about messages, and what has been found of its answer so far."""

import sqlite3
from collections.abc import Callable, Collection
from typing import Final, NamedTuple, TypedDict

from router.check.number import routing_key
from router.telemetry import records_schema as schema

MOST_FOUND: Final = 10_000
"""More than anybody reads."""
WAITING, OUT = "waiting", "out"
"""What stands for an outcome while there is none: no operator has taken the message; one has, and
its receipt is awaited."""
NEVER: Final = float("inf")

_RANKS: Final = {WAITING: 0, OUT: 1}
_OVER: Final = 2

Value = int | float | str | None
Found = dict[str, Value]
"""One message or refused submit, by the names of `records_schema.COLUMNS`, and:

    from           where it was found: `records`, `journal`
    at             what it is known by there
    may_be         1 where its number is masked, and may be another's
    waits_for      the operators that may take it, where it waits; and `expires_utc`
    receipt_waits  1 where the client has not taken its receipt yet
"""


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
    until_utc: float = NEVER
    """before this one."""
    most: int = 20
    """The newest, if there are more."""

    @property
    def is_named(self) -> bool:
        """Whether a number or an id is asked for."""
        return bool(self.what or self.operator_id)


class Answer(TypedDict):
    """What was found, oldest first, and what the answer lacks."""

    found: list[Found]
    more: bool
    """Whether there are older ones."""
    lacks: list[str]
    """In words: what could not be read, or was not looked at."""


class SearchError(Exception):
    """The question cannot be answered at all; the text says why."""


class Names:
    """The number and the ids of a question, in all forms that they may be written in."""

    def __init__(self, question: Question) -> None:
        what = question.what
        self.digits: Final = routing_key(octets_of(what)) or ""
        forms = (what, self.digits, f"+{self.digits}", f"00{self.digits}")
        self.numbers: Final = _distinct(forms if self.digits else (what,))
        self.ids: Final = _distinct((what,))
        """Of clients, who write them as the router has."""
        self.router_ids: Final = [int(what)] if what.isdecimal() and len(what) < 19 else []
        self.operator_ids: Final = forms_of(question.operator_id or what)

    def is_number(self, number: str) -> bool:
        """Return whether this number is the one of the question."""
        if number in self.numbers:
            return True
        return bool(self.digits) and routing_key(octets_of(number)) == self.digits


class Findings:
    """What a search has found so far."""

    def __init__(self, question: Question, is_late: Callable[[], bool]) -> None:
        self.question: Final = question
        self.names: Final = Names(question)
        self.is_late: Final = is_late
        self.lacks: Final[list[str]] = []
        self.moved = 0
        """The last row of the journal that is among the records."""
        self._certain: Final[dict[tuple[str, Value], Found]] = {}
        self._doubtful: Final[dict[tuple[str, Value], Found]] = {}

    def add(self, found: Found) -> None:
        """Take one in; of what is known of a message in two places, what is more."""
        router_id = found["router_id"]
        # A refused submit has no id; one message may be on its way from one file to the other.
        key = ("id", router_id) if router_id else ("refused", found["at"])
        kind = self._doubtful if found["may_be"] else self._certain
        before = kind.get(key)
        if before is None or _rank(before) < _rank(found):
            kind[key] = found

    def __len__(self) -> int:
        """How many there are that are certain."""
        return len(self._certain)

    def every(self) -> Collection[Found]:
        """Return those that are certain."""
        return self._certain.values()

    def answer(self) -> Answer:
        """Return the newest; what may only be meant where there is room for it."""
        most = min(self.question.most, MOST_FOUND)
        certain = sorted(self._certain.values(), key=_accepted)
        doubtful = sorted(self._doubtful.values(), key=_accepted)
        told = certain[-most:]
        if len(told) < most:
            told += doubtful[len(told) - most :]
        more = len(certain) + len(doubtful) > len(told)
        return {"found": sorted(told, key=_accepted), "more": more, "lacks": self.lacks}


def is_asked(what: str, number: str) -> bool:
    """Whether a number is the one that was asked for, in whatever form it is written."""
    return bool(what) and Names(Question(what)).is_number(number)


def told(row: sqlite3.Row, source: str, may_be: int) -> Found:
    """Return a record as it was found."""
    found: Found = {name: row[name] for name in schema.NAMES}
    if found["client_id"] is None and found["router_id"] is not None:
        found["client_id"] = str(found["router_id"])
    return found | {"at": f"{source} {row['number']}", "from": source, "may_be": may_be}


def conditions(question: Question, *, by_account: bool) -> tuple[str, list[Value]]:
    """Return in SQL what else has to hold of a record, and the values.

    Not `by_account`, SQLite is kept from the index of accounts (`+`): the number finds fewer.
    """
    plus = "" if by_account else "+"
    where, values = "", list[Value]()
    if question.account:
        where += f" AND {plus}account = ?"
        values.append(question.account)
    if question.reason:
        where += " AND reason = ?"
        values.append(question.reason)
    if question.from_utc:
        where += f" AND {plus}accepted_utc >= ?"
        values.append(question.from_utc)
    if question.until_utc != NEVER:
        where += f" AND {plus}accepted_utc < ?"
        values.append(question.until_utc)
    return where, values


def marks(values: Collection[object]) -> str:
    """Return a place for each value, in brackets; with none, a list that nothing is in."""
    return f"({', '.join('?' * len(values))})"


def octets_of(text: str) -> bytes:
    """Return a text as a field of SMPP has it."""
    return text.encode("latin-1", "replace")


def forms_of(operator_id: str) -> tuple[str, ...]:
    """Return the forms of an operator's id: decimal here, hexadecimal there, with zeros or not."""
    text = operator_id.strip()
    forms = [text, text.lower(), text.upper(), text.lstrip("0")]
    if len(text) < 40 and text and all(one in "0123456789abcdefABCDEF" for one in text):
        if text.isdecimal():
            forms += _of_number(int(text))
        forms += _of_number(int(text, 16))
    return _distinct(forms)


def _of_number(number: int) -> tuple[str, ...]:
    written = f"{number:x}", f"{number:08x}"
    return str(number), f"{number:010d}", *written, *(one.upper() for one in written)


def _distinct(forms: Collection[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, forms)))


def _rank(found: Found) -> int:
    return _RANKS.get(str(found["outcome"]), _OVER)


def _accepted(found: Found) -> float:
    accepted_utc = found["accepted_utc"]
    return accepted_utc if isinstance(accepted_utc, float) else 0.0
