"""Rows in columns, for terminals: nothing of a name is ever cut, however narrow they are.

Where the columns do not fit, those that are worth least are left out; then the one that may wrap
does; then what stands behind the first column goes on a line below it. Everything is escaped: a
peer may have chosen it.
"""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from rich.cells import cell_len
from rich.text import Text

from router.telemetry.log import printable

GOOD, BAD, DIM, BOLD = "green", "bold red", "dim", "bold"
GAP: Final = "  "
WRAPPED: Final = 32
"""Before the column that wraps gets fewer characters than that, others are left out."""
LEAST_WRAPPED: Final = 12
"""Characters that it gets at least."""


class Column(NamedTuple):
    """One column; its title is the first line."""

    title: str
    spare: int = 0
    """Those with the largest number are left out first; 0: never."""
    is_right: bool = True
    wraps: bool = False
    """Whether its texts may take several lines; at most one column may."""


class Cell(NamedTuple):
    """One text and its style."""

    text: str
    style: str = ""


EMPTY: Final = Cell("")


def cell(text: object, style: str = "") -> Cell:
    """Return what may be shown of a text."""
    return Cell(printable(str(text)), style)


class Table:
    """Columns, as wide as these rows need them, in a terminal of this width."""

    def __init__(
        self, columns: Sequence[Column], rows: Iterable[Sequence[Cell]], width: int
    ) -> None:
        longest = [cell_len(column.title) for column in columns]
        is_used = [not column.spare for column in columns]
        for row in rows:
            for number, one in enumerate(row):
                longest[number] = max(longest[number], cell_len(one.text))
                is_used[number] = is_used[number] or bool(one.text)
        self._columns: Final = columns
        self._width: Final = width
        self._longest = longest
        self._shown = [number for number in range(len(columns)) if is_used[number]]
        self._is_stacked = False
        beside = list(self._longest), list(self._shown)
        self._shrink()
        if self._needed(LEAST_WRAPPED) > width:
            # A line of its own for the first leaves room for what it left none for.
            self._longest, self._shown = beside
            self._is_stacked = True
            self._shrink()

    def _shrink(self) -> None:
        while self._needed(WRAPPED) > self._width:
            spare = [number for number in self._shown if self._columns[number].spare]
            if not spare:
                break
            self._shown.remove(max(spare, key=lambda number: self._columns[number].spare))
        for number in self._shown:
            if self._columns[number].wraps:
                room = self._longest[number] - max(0, self._wanted() - self._width)
                self._longest[number] = max(min(LEAST_WRAPPED, self._longest[number]), room)

    def _lengths(self) -> Iterator[tuple[int, int]]:
        """Yield the number and the length of each column beside each other."""
        for number in self._shown:
            if number or not self._is_stacked:
                yield number, self._longest[number]

    def _wanted(self) -> int:
        return sum(length + len(GAP) for _, length in self._lengths()) - len(GAP)

    def _needed(self, wrapped: int) -> int:
        """Return the width that is needed if the column that wraps has so much."""
        return self._wanted() - sum(
            max(0, length - wrapped)
            for number, length in self._lengths()
            if self._columns[number].wraps
        )

    def header(self) -> list[Text]:
        """Return the titles."""
        return self.lines([Cell(column.title, BOLD) for column in self._columns])

    def lines(self, row: Sequence[Cell]) -> list[Text]:
        """Return the lines of one row."""
        found: list[Text] = []
        if self._is_stacked:
            found += folded(row[0], self._width)
        parts = {
            number: folded(row[number], length if self._columns[number].wraps else 10**6)
            for number, length in self._lengths()
        }
        for place in range(max(map(len, parts.values()), default=0)):
            line = Text(GAP if self._is_stacked else "")
            for number, length in self._lengths():
                part = parts[number][place] if place < len(parts[number]) else Text()
                pad = " " * (length - part.cell_len)
                is_right = self._columns[number].is_right
                line.append_text(Text.assemble(pad, part) if is_right else Text.assemble(part, pad))
                line.append(GAP)
            line.rstrip()
            found.append(line)
        return found


def folded(one: Cell, width: int) -> list[Text]:
    """Return a text in lines; a word is broken only where it is longer than a line."""
    lines = textwrap.wrap(one.text, max(1, width), break_on_hyphens=False) or [""]
    return [Text(line, style=one.style) for line in lines]


def paragraph(
    text: str, width: int, style: str = "", indent: str = "", first: str = ""
) -> list[Text]:
    """Return a text of several words in lines that fit; those after the first are indented."""
    lines = textwrap.wrap(
        printable(text),
        max(len(indent) + 1, width),
        initial_indent=first,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )
    return [Text(line, style=style) for line in lines]
