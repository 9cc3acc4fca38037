"""Lists of values that stand in files: one value a line, or a column of a CSV file.

Every line that is wrong is a mistake of its own, up to a bound. No mistake quotes a line: the file
may be another one than was meant, and not everybody who reads the mistakes may read the file.
"""

import csv
import io
import re
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
_AROUND_DIGITS: Final = re.compile(r"[ \t\xa0().\-]")
_QUOTED: Final = re.compile(r'"[^"]*"')
_LETTER: Final = re.compile(r"[^\W\d_]")
_DIGIT: Final = re.compile(r"\d")


def values_in(spot: Spot, parse: Callable[[str], str]) -> tuple[str, ...]:
    """Return the values of the file that a spot names, each once; note what is wrong with it.

    `parse` raises NotUnderstoodError.
    """

    def values(text: str) -> Iterator[tuple[int, str]]:
        for number, line in enumerate(io.StringIO(text, newline=None), 1):
            value = line.partition(f" {COMMENT}")[0].strip()
            if value and not value.startswith(COMMENT):
                yield number, value

    # Not by the file alone: lists of two kinds may have one file.
    kind = f"\0{parse.__name__}"
    return _once(spot, kind, lambda: _parsed(spot, values(_text_of(spot)), parse, "value"))


def prefixes_in(spot: Spot, column: str) -> tuple[str, ...]:
    """Return the prefixes in a column of the CSV file that a spot names, each once.

    `column` is a number from 1, or a word of the heading.
    """

    def read() -> tuple[str, ...]:
        return _parsed(spot, _cells(spot, _text_of(spot), column), _prefix, "prefix")

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


def _cells(spot: Spot, text: str, column: str) -> Iterator[tuple[int, str]]:
    """Yield the lines and cells of a column of a CSV text, without its heading."""
    first = _QUOTED.sub("", next(filter(_is_row, io.StringIO(text)), ""))
    delimiter = max(DELIMITERS, key=first.count)
    # Strict: a quote without its partner would swallow the rest of the file.
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    at = int(column) - 1 if column.isdecimal() else None
    is_first = True
    while True:
        try:
            row = next(rows, None)
        except csv.Error as error:
            _note(spot, rows.line_num, f"is no CSV: {error}")
            raise RefusedError from error
        if row is None:
            return
        if not any(map(str.strip, row)) or row[0].lstrip().startswith(COMMENT):
            continue
        names = [cell.strip() for cell in row]
        if at is None:
            folded = [name.casefold() for name in names]
            if column.casefold() not in folded:
                spot.refuse("the heading of the file has no such column")
            at = folded.index(column.casefold())
        else:
            cell = names[at] if at < len(names) else ""
            if not (is_first and _LETTER.search(cell) and not _DIGIT.search(cell)):
                yield rows.line_num, cell
        is_first = False


def _is_row(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith(COMMENT)


def _prefix(written: str) -> str:
    """Return a prefix as operators write it: with `+`, `00`, spaces or dashes, or without."""
    digits = _AROUND_DIGITS.sub("", written).removeprefix("+")
    if digits.startswith("00"):
        digits = digits[2:]
    if not digits:
        raise NotUnderstoodError("there is no prefix in this column")
    return prefix(digits)


def _parsed(
    spot: Spot,
    values: Iterable[tuple[int, str]],
    parse: Callable[[str], str],
    what: str,
) -> tuple[str, ...]:
    """Return parsed values, each once, or note the lines that are wrong."""
    found: dict[str, None] = {}
    wrong = 0
    for line, value in values:
        try:
            found[parse(value)] = None
        except NotUnderstoodError as error:
            wrong += 1
            if wrong <= MOST_LINES_NAMED:
                _note(spot, line, error.message)
    if wrong > MOST_LINES_NAMED:
        _note(spot, 0, f"{wrong - MOST_LINES_NAMED} more lines are wrong")
    if wrong:
        raise RefusedError
    if not found:
        spot.refuse(f"the file holds no {what}")
    return tuple(found)


def _note(spot: Spot, line: int, message: str) -> None:
    """Note a mistake in the file that a spot names."""
    node = spot.node
    assert isinstance(node, Scalar)
    # A name from the environment is not shown.
    shown = node.text if "${" in node.text else str(spot.reading.folder / node.text)
    spot.reading.mistakes.append(Mistake(shown, line, 0, spot.path, message))


def _text_of(spot: Spot) -> str:
    """Return the text of the file that a spot names."""
    path = spot.reading.folder / spot.text()
    # Before it is read: a change meanwhile is seen later.
    spot.reading.files[path] = SeenFile(stamp_of(path))
    octets = _octets_of(spot, path)
    if octets[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    else:
        try:
            return octets.decode("utf-8-sig")
        except UnicodeDecodeError:
            encoding = "latin-1"  # As a spreadsheet may write it. What is wanted here is ASCII.
    return octets.decode(encoding, "replace")


def _octets_of(spot: Spot, path: Path) -> bytes:
    try:
        # Only regular files: reading a pipe might wait for ever, and a device might not end.
        if path.exists() and not path.is_file():
            spot.refuse("this is no regular file")
        with path.open("rb") as file:
            octets = file.read(LARGEST_BYTES + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "no such file"
        spot.refuse(f"the file cannot be read: {why}")
    if len(octets) > LARGEST_BYTES:
        spot.refuse(f"the file is larger than {LARGEST_BYTES // 1024**2} MiB: no list is")
    return octets
