"""Configurations that the tests of `router/settings/` start from, and what is said of them.

`CONTRACT` is the file that must be accepted as it is. A test changes a few characters of it, so
that what it says about lines and columns can be looked up there.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest

from router.settings.environment import Environment
from router.settings.load import Mistake, SettingsError, load
from router.settings.parts import Part
from router.terms.settings import Settings

CONTRACT_FILE: Final = Path(__file__).parents[2] / "contract" / "router.yaml"
CONTRACT: Final = CONTRACT_FILE.read_text(encoding="utf-8")

SMALL: Final = """\
listen: [{address: "127.0.0.1:0"}]
journal: {url: "memory:"}
lanes: [{name: urgent}, {name: slow}]
accounts:
  bank: {password: secret01, lane: urgent}
operators:
  telia:
    binds: [{name: t1, address: "127.0.0.1:1", system_id: a, password: b, rate: 50/s}]
routes: [{destination: "", to: [telia]}]
"""


def with_its_comments(file: Path) -> str:
    """The text of an example, and what it shows in comments, as if that were meant."""
    text = file.read_text(encoding="utf-8")
    if file.name == "operators.yaml":
        above, line, below = text.partition("# What other operators ask for")
        assert line
        text = above + re.sub(r"(?m)^#(?=  )", "", below.partition("\n")[2])
    return text


def every_part(part: Part[object]) -> Iterator[Part[object]]:
    """A part of the configuration, and every part below it."""
    yield part
    for reader in part.readers.values():
        if reader.part:
            yield from every_part(reader.part)


def changed(text: str, *changes: tuple[str, str]) -> str:
    """The text with each old part, which must be there once, replaced by the new."""
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def loaded(
    text: str, environment: Environment | None = None, folder: Path | None = None
) -> Settings:
    """The settings of one file with this text, `router.yaml` in the folder or in a new one."""
    with TemporaryDirectory() as new_folder:
        path = (folder or Path(new_folder)) / "router.yaml"
        path.write_text(text, encoding="utf-8")
        return load(path, environment or {})


def mistakes(
    text: str, environment: Environment | None = None, folder: Path | None = None
) -> list[Mistake]:
    """Everything that is wrong with one file with this text."""
    with pytest.raises(SettingsError) as raised:
        loaded(text, environment, folder)
    assert raised.value.mistakes
    return raised.value.mistakes


def the_mistake(
    text: str, environment: Environment | None = None, folder: Path | None = None
) -> Mistake:
    """The one thing that is wrong with one file with this text."""
    found = mistakes(text, environment, folder)
    assert len(found) == 1, [str(mistake) for mistake in found]
    return found[0]


def line_and_column(text: str, part: str | int) -> tuple[int, int]:
    """Where a part of the text, which must be there once, or an offset stands."""
    if isinstance(part, str):
        assert text.count(part) == 1, part
        part = text.index(part)
    before = text[:part]
    return before.count("\n") + 1, part - (before.rfind("\n") + 1) + 1
