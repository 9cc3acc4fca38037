"""Writes the tables of keys in `config/README.md`: `python -m router.settings.reference FILE`.

What a key means is the text below its field in `terms/settings.py`, how it is written is said by
its reader in `keys.py`. So the page cannot say something else than the program does, as
long as it is written anew after a change; a test sees to that.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from router.settings import units
from router.settings.declared import texts_of
from router.settings.keys import SETTINGS
from router.settings.parts import Part, Reader, defaults_of, key_of
from router.smpp.vocabulary import status_name

BEGINS: Final = "<!-- The keys: written by `python -m router.settings.reference`, not by hand. -->"
"""The line after which the page is written anew."""

_SHOW: Final[dict[str, Callable[[float], str]]] = {
    "duration": units.show_duration,
    "percent": units.show_percent,
    "size": lambda octets: units.show_size(int(octets)),
    "status": lambda number: status_name(int(number)),
    "version": lambda number: f"{int(number) >> 4}.{int(number) & 15}",
}


def page_with_keys(page: str) -> str:
    """Return the page with its tables written anew."""
    head, found, _ = page.partition(BEGINS)
    if not found:
        raise SystemExit(f"the page has no line {BEGINS!r} to write the keys after")
    return head + BEGINS + "\n" + "".join(_sections("", SETTINGS))


def _sections(path: str, part: Part[object]) -> Iterator[str]:
    """Yield the table of a part, then those of the parts below it."""
    told = texts_of(part.settings)
    yield f"\n## {f'`{path}`' if path else 'Top level'}\n\n{told['']}\n\n"
    yield "| key | written as | default | meaning |\n|---|---|---|---|\n"
    for name, reader in part.readers.items():
        cells = (f"`{key_of(name)}`", written(reader), default(part, name, reader), told[name])
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"
    for name, reader in part.readers.items():
        if reader.part:
            below = f"{path}.{key_of(name)}" if path else key_of(name)
            yield from _sections(below + _each(reader), reader.part)


def _each(reader: Reader[object]) -> str:
    """Return how paths name one of many, as in mistakes."""
    if reader.kind == "list":
        return "[]"
    return ".NAME" if reader.allowed and reader.kind == "mapping" else ""


def written(reader: Reader[object]) -> str:
    """Return how a value is written."""
    return f"{reader.kind}: {reader.allowed}" if reader.allowed else reader.kind


def default(part: Part[object], name: str, reader: Reader[object]) -> str:
    """Return the default of a key; empty if it is not one value."""
    if name in part.required:
        return "**required**"
    value = defaults_of(part.settings)[name]
    if value is None or value == ():
        return ""
    if reader.part:
        return "see below"
    if isinstance(value, int | float) and reader.kind in _SHOW:
        return f"`{_SHOW[reader.kind](value)}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        shown = map(status_name, value) if "status" in reader.kind else value
        return ", ".join(f"`{item}`" for item in shown)
    return f"`{value}`" if value != "" else '`""`'


def main() -> None:
    """Write the tables of the page that is named on the command line."""
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m router.settings.reference config/README.md")
    path = Path(sys.argv[1])
    path.write_text(page_with_keys(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
