"""Under which names rows of the journal were written, and whose they are today.

Rows keep the name of the account or operator that they were written under: to write a million of
them anew, with their checksums, would take many seconds. When one is renamed, its rows are its own
up to the last number that there was then. So a name may come back as another's: its rows have
higher numbers.

Whole tuples are replaced, so that threads may read here while the loop renames.
"""

from collections.abc import Iterable, Iterator
from typing import Final, Literal, NamedTuple

What = Literal["sent", "orphan", "delivery", "queue"]
"""A table whose rows bear a name: of an operator in the first two, of an account in the others. The
plan of a queue keeps its names: what waits is decided anew, by the routes of today."""
LAST: Final = 2**62
"""Beyond every number."""


class Span(NamedTuple):
    """Rows that were written under one name: those with higher numbers than `after`, to `until`."""

    written: str
    after: int
    until: int

    def has(self, written: str, number: int) -> bool:
        """Whether a row is one of these."""
        return written == self.written and self.after < number <= self.until


class Renamed(NamedTuple):
    """Rows that were written under another name than their owner has today."""

    what: What
    span: Span
    now: str


class Names:
    """The names of all rows."""

    def __init__(self, renamed: Iterable[Renamed] = ()) -> None:
        self.renamed: tuple[Renamed, ...] = tuple(renamed)
        """In the order of their numbers, where several are of one name."""

    def rename(self, what: What, was: str, now: str, last: int) -> None:
        """Let all rows of `was`, the last of which has this number, be those of `now`."""
        renamed = [one._replace(now=now) if _is(one, what, was) else one for one in self.renamed]
        own = self._own(what, was)
        if own.after < last:
            renamed.append(Renamed(what, own._replace(until=last), now))
        self.renamed = tuple(_joined(renamed))

    def _own(self, what: What, name: str) -> Span:
        """The rows under a name that are not accounted for: those of whoever has it today."""
        named = [one.span for one in self.renamed if (one.what, one.span.written) == (what, name)]
        return Span(name, max((span.until for span in named), default=0), LAST)

    def spans(self, what: What, name: str) -> tuple[Span, ...]:
        """Return which rows are those of a name today."""
        others = [one.span for one in self.renamed if _is(one, what, name)]
        return self._own(what, name), *others

    def now(self, what: What, written: str, number: int) -> str:
        """Return the name that the owner of a row has today."""
        for one in self.renamed:
            if one.what == what and one.span.has(written, number):
                return one.now
        return written

    def last(self, what: What) -> int:
        """Return the last number of any row that bears another name than its owner."""
        return max((one.span.until for one in self.renamed if one.what == what), default=0)

    def concerned(self, what: What) -> list[str]:
        """Return the names whose rows are not just those that were written under them."""
        every = [one for one in self.renamed if one.what == what]
        return list(dict.fromkeys(name for one in every for name in (one.span.written, one.now)))


def _is(one: Renamed, what: What, name: str) -> bool:
    return one.what == what and one.now == name


def _joined(renamed: Iterable[Renamed]) -> Iterator[Renamed]:
    """Yield the same rows in as few spans as there can be: a router may start a thousand times."""
    open_ends: dict[tuple[What, str], Renamed] = {}
    for one in renamed:
        key = one.what, one.span.written
        before = open_ends.get(key)
        if before is not None and (before.now, before.span.until) == (one.now, one.span.after):
            one = one._replace(span=one.span._replace(after=before.span.after))
        elif before is not None:
            yield before
        open_ends[key] = one
    yield from open_ends.values()
