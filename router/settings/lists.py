"""Lists of values that stand in files: one value a line, or a column of a CSV file.

Every line that is wrong is a mistake of its own, up to a bound. No mistake quotes a line: the file
may be another one than was meant, and not everybody who reads the mistakes may read the file.
"""

import csv
import io
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from router.settings.files import stamp_of
from router.settings.mistakes import Mistake
from router.settings.places import Scalar
from router.settings.reading import RefusedError, Spot
from router.settings.units import NotUnderstoodError, prefix
from router.terms.settings import SeenFile

LARGEST_BYTES: Final = 64 * 1024 * 1024
"""Of a file: a million prefixes with a few words beside each. What is larger is another file."""
MOST_LINES_NAMED: Final = 20
"""Of one file with mistakes; of the others is told how many they are."""
COMMENT: Final = "#"
DELIMITERS: Final = ",;\t|"
LAST_OF_HEADING: Final = 10
"""The last line that may belong to a heading of several."""
_LOOKED_AT: Final = 200
"""Octets of a file that tell whether every second one is NUL."""
_SPACES: Final = " \xa0\u202f"
"""A space, and the two between digits that do not let a line end there."""
_SPACE: Final = re.compile(f"[{_SPACES}]")
_LINE_COMMENT: Final = re.compile(rf"\s{COMMENT}")
_NO_SENDER: Final = re.compile("[\";,\x00-\x1f\x7f-\x9f]|^'.*'$")
_NAMES_DELIMITER: Final = re.compile(rf'"?sep=([{DELIMITERS}])"?[ \t]*(?=[\r\n]|$)', re.I)
_QUOTED: Final = re.compile(r'"[^"]*"')
_LETTER: Final = re.compile(r"[^\W\d_]")
_PREFIX: Final = re.compile(rf"(?:\+|00)([0-9{_SPACES}]+)|([0-9]+)")
_RANGE: Final = re.compile(rf"[0-9][{_SPACES}]*[-\u2010-\u2015\u2212]")
_DECIMAL: Final = re.compile(r"[0-9]*[.,][0-9]+(?:E[-+]?[0-9]+)?|[0-9]+E[-+]?[0-9]+", re.I)


def senders_in(spot: Spot, parse: Callable[[str], str]) -> tuple[str, ...]:
    """Return the senders of the file that a spot names, each once; note what is wrong with it.

    There may be none. `parse` raises NotUnderstoodError.
    """

    def parsed(_: int, value: str) -> str:
        if _NO_SENDER.search(value):
            raise NotUnderstoodError(
                "there is one sender in each line, and nothing beside it: no quotes, commas, "
                "semicolons, tabs or other control characters"
            )
        return parse(value)

    # Not by the file alone: lists of two kinds may have one file.
    kind = f"\0{parse.__name__}"
    return _once(spot, kind, lambda: _parsed(spot, _lines(_text_of(spot)), parsed))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the values of a text with one in each line, with their lines."""
    for number, line in enumerate(io.StringIO(text, newline=None), 1):
        # A control character at the end is no white space: it is a mistake.
        value = _LINE_COMMENT.split(line, 1)[0].strip(f"\t\n{_SPACES}")
        if value and not value.startswith(COMMENT):
            yield number, value


def texts_in(spot: Spot, parse: Callable[[str], str], what: str) -> tuple[str, ...]:
    """Return the texts of any language in the file that a spot names, one in each line, each once.

    The file is in UTF-8, or in UTF-16 with a mark: what another encoding means cannot be told.
    `parse` raises NotUnderstoodError.
    """

    def read() -> tuple[str, ...]:
        lines = _lines(_text_of(spot, is_text=True))
        found = _parsed(spot, lines, lambda _, value: parse(value))
        if not found:
            spot.refuse(f"the file holds no {what}")
        return found

    return _once(spot, f"\0{what}", read)


def prefixes_in(spot: Spot, column: str) -> tuple[str, ...]:
    """Return the prefixes in a column of the CSV file that a spot names, each once.

    `column` is a number from 1, or a word of the heading.
    """

    def read() -> tuple[str, ...]:
        found = _parsed(spot, _cells(spot, _text_of(spot), column), parsed_prefix)
        if not found:
            # A rule without prefixes is for every number.
            spot.refuse("the file holds no prefix")
        return found

    return _once(spot, column, read)


def _once(spot: Spot, column: str, read: Callable[[], tuple[str, ...]]) -> tuple[str, ...]:
    """Read a file that several rules may name, and note its mistakes, once."""
    lists, key = spot.reading.lists, (spot.text(), column)
    if key not in lists:
        lists[key] = None
        lists[key] = read()
    found = lists[key]
    if found is None:
        raise RefusedError
    return found


def rows_in(spot: Spot) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines and cells of the CSV file that a spot names, its heading among them."""
    yield from _rows(spot, _text_of(spot))


def _rows(spot: Spot, text: str) -> Iterator[tuple[int, list[str]]]:
    if named := _NAMES_DELIMITER.match(text):
        delimiter = named[1]
        text = text[named.end() :]  # The end of the line stays, for the numbers of the others.
    else:
        first = _QUOTED.sub("", next(filter(_is_row, io.StringIO(text)), ""))
        delimiter = max(DELIMITERS, key=first.count)
    # Strict: a quote without its partner would swallow the rest of the file.
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        begin = rows.line_num + 1
        try:
            row = next(rows, None)
        except csv.Error as error:
            is_open = rows.line_num > begin or "unexpected end" in str(error)
            why = "a quote opens here and is not closed" if is_open else error
            _note(spot, begin, f"is no CSV: {why}")
            raise RefusedError from error
        if row is None:
            return
        if not any(map(str.strip, row)) or row[0].lstrip().startswith(COMMENT):
            continue
        yield begin, [cell.strip() for cell in row]


def _cells(spot: Spot, text: str, column: str) -> Iterator[tuple[int, str]]:
    """Yield the lines and cells of a column of a CSV text, without its heading."""
    at = int(column) - 1 if column.isdecimal() else None
    is_first = True
    for line, cells in _rows(spot, text):
        if at is None:
            folded = [cell.casefold() for cell in cells]
            if column.casefold() not in folded:
                spot.refuse("the heading of the file has no such column")
            if folded.count(column.casefold()) > 1:
                spot.refuse("the heading of the file has this column twice: write its number")
            at = folded.index(column.casefold())
        else:
            cell = cells[at] if at < len(cells) else ""
            if not (is_first and is_heading(cell)):
                yield line, cell
        is_first = False


def is_heading(cell: str) -> bool:
    """Whether a cell of the first row is a name, such as `E.164`.

    What begins as a number does is none, though a spreadsheet may have put a letter in: `3.7E+05`.
    """
    return bool(_LETTER.search(cell)) and cell[0] not in "+0123456789"


def _is_row(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith(COMMENT)


def parsed_prefix(line: int, written: str) -> str:
    """Return a prefix as operators write it: digits, or `+` or `00`, digits and spaces.

    Of anything else the digits would be another prefix than was meant: of a range, or of a price.
    """
    if not written:
        raise NotUnderstoodError("there is no prefix in this column")
    found = _PREFIX.fullmatch(written)
    digits = (found[2] or _SPACE.sub("", found[1])) if found else ""
    if digits and not digits.startswith("00"):
        return prefix(digits)
    raise NotUnderstoodError(_why_no_prefix(line, written))


def _why_no_prefix(line: int, written: str) -> str:
    if _DECIMAL.fullmatch(written):
        return "this is a decimal number: a price, or a number that a spreadsheet has changed"
    if _RANGE.search(written):
        return "this may be a range: write its prefixes one by one, without a dash"
    if "\n" in written or "\r" in written:
        return "a quote opens here and is closed in another line"
    why = (
        "a prefix is written in digits; + or 00 may stand before them, and only then spaces "
        "between them"
    )
    if line <= LAST_OF_HEADING and _LETTER.search(written):
        why += f"; if this is a heading, begin its line with {COMMENT}: one row is passed over"
    return why


def _parsed(
    spot: Spot,
    values: Iterable[tuple[int, str]],
    parse: Callable[[int, str], str],
) -> tuple[str, ...]:
    """Return parsed values, each once, or note the lines that are wrong."""
    found: dict[str, None] = {}
    wrong = WrongLines(spot)
    for line, value in values:
        try:
            found[parse(line, value)] = None
        except NotUnderstoodError as error:
            wrong.add(line, error.message)
    wrong.end()
    return tuple(sorted(found))  # In which order they stand says nothing.


class WrongLines:
    """The lines of one file that are wrong: each is a mistake, up to a bound."""

    def __init__(self, spot: Spot) -> None:
        self._spot: Final = spot
        self._count = 0

    def add(self, line: int, message: str) -> None:
        """Note what is wrong with a line."""
        self._count += 1
        if self._count <= MOST_LINES_NAMED:
            _note(self._spot, line, message)

    def end(self) -> None:
        """Raise RefusedError if any line was wrong."""
        if self._count > MOST_LINES_NAMED:
            _note(self._spot, 0, f"{self._count - MOST_LINES_NAMED} more lines are wrong")
        if self._count:
            raise RefusedError


def _note(spot: Spot, line: int, message: str) -> None:
    """Note a mistake in the file that a spot names."""
    node = spot.node
    assert isinstance(node, Scalar)
    # A name from the environment is not shown.
    shown = node.text if "${" in node.text else str(spot.reading.folder / node.text)
    spot.reading.mistakes.append(Mistake(shown, line, 0, spot.path, message))


def _text_of(spot: Spot, *, is_text: bool = False) -> str:
    """Return the text of the file that a spot names; `is_text`: not only ASCII is wanted."""
    path = spot.reading.folder / spot.text()
    # Before it is read: a change meanwhile is seen later.
    spot.reading.files[path] = SeenFile(stamp_of(path))
    octets = _octets_of(spot, path)
    begin = octets[:_LOOKED_AT]
    if len(begin) > 1 and not (any(begin[::2]) and any(begin[1::2])):
        spot.refuse("the file is UTF-16 without a mark of its byte order: save it as UTF-8")
    if octets[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    else:
        try:
            return octets.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            if is_text:
                line = octets.count(b"\n", 0, error.start) + 1
                _note(spot, line, "is not in UTF-8: save the file in that encoding")
                raise RefusedError from None
            encoding = "latin-1"  # As a spreadsheet may write it.
    return octets.decode(encoding, "replace")


def _octets_of(spot: Spot, path: Path) -> bytes:
    try:
        # Only regular files: reading a pipe might wait for ever, and a device might not end.
        if path.exists() and not path.is_file():
            spot.refuse("this is no regular file")
        with path.open("rb") as file:
            # Which lines are wrong, which columns there are and which rules come first would tell
            # what stands in it.
            is_open = os.fstat(file.fileno()).st_mode & stat.S_IROTH
            if spot.reading.is_for_others and not is_open:
                spot.refuse(
                    "not every user of this machine may read this file, but every user may ask the "
                    "router to read it; compare with --against instead"
                )
            octets = file.read(LARGEST_BYTES + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "no such file"
        spot.refuse(f"the file cannot be read: {why}")
    if len(octets) > LARGEST_BYTES:
        spot.refuse(f"the file is larger than {LARGEST_BYTES // 1024**2} MiB: no list is")
    return octets
