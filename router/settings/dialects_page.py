"""Writes the table in `docs/dialects.md`: `python -m router.settings.dialects_page FILE`.

What a ready-made dialect sets, and why, stands in `terms/dialects.py`; the page cannot say
something else as long as it is written anew after a change, and a test sees to that.
"""

import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Final

from router.settings.difference import shown
from router.settings.parts import key_of
from router.terms.dialects import READY, WHY
from router.terms.settings import Dialect, MessageIdForms

BEGINS: Final = (
    "<!-- The dialects: written by `python -m router.settings.dialects_page`, not by hand. -->"
)
ENDS: Final = "<!-- The end of what is written by the program. -->"


def page_with_table(page: str) -> str:
    """Return the page with its table written anew. Raises SystemExit if it has no place for it."""
    head, begins, rest = page.partition(BEGINS)
    _, ends, tail = rest.partition(ENDS)
    if not begins or not ends:
        raise SystemExit(f"the page needs the lines {BEGINS!r} and {ENDS!r}")
    return f"{head}{BEGINS}\n\n{''.join(_rows())}\n{ENDS}{tail}"


def _rows() -> Iterator[str]:
    yield "| dialect | key | value | why |\n|---|---|---|---|\n"
    for name in READY:
        said = points_of(READY[name])
        if not said:
            yield f"| `{name}` |  |  | As every other key says by default. |\n"
        for key, value in said.items():
            yield f"| `{name}` | `{key}` | `{value}` | {WHY[name][key]} |\n"


def points_of(dialect: Dialect) -> dict[str, str]:
    """Return what a dialect sets otherwise than `standard`, by key, as it could be written."""
    standard, said = READY["standard"], {}
    for one in fields(Dialect):
        value = getattr(dialect, one.name)
        if one.name == "like" or value == getattr(standard, one.name):
            continue
        if isinstance(value, MessageIdForms):
            said[one.name] = f"{{response: {value.response}, receipt: {value.receipt}}}"
        else:
            said[key_of(one.name)] = shown(one, value)
    return said


def main() -> None:
    """Write the table of the page that is named on the command line."""
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m router.settings.dialects_page docs/dialects.md")
    path = Path(sys.argv[1])
    path.write_text(page_with_table(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
