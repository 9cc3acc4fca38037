"""Reads settings from YAML: one file, or a folder whose `*.yaml` files are read as one.

All mistakes are found at once, each with its file, line, column and path. In a folder, `accounts`,
`countries`, `operators` and `prefixes` may be spread over files, because their keys are names; so
may `listen`, `networks`, `refuse`, `routes` and `inbound`, which are then taken in the order of the
file names. Every other key stands in one file: in which order would the lanes be urgent?

Which keys there are stands in `keys.py`, how values are written in `values.py`.
"""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from router.settings.conditions import GROUP
from router.settings.digest import digest_of
from router.settings.environment import Environment
from router.settings.files import changed_since, stamp_of, youngest_s
from router.settings.keys import ROUTES_ALIKE, SETTINGS
from router.settings.mistakes import Mistake, SettingsError, mistake_at, written_twice
from router.settings.parts import key_of
from router.settings.places import (
    Alike,
    Broken,
    Entry,
    Node,
    Scalar,
    Sequence,
    Table,
    read_table,
)
from router.settings.reading import Reading, RefusedError, Spot
from router.settings.warn import warnings
from router.terms.settings import Place, SeenFile, Settings

__all__ = ["Mistake", "SettingsError", "load", "load_whole", "warnings", "without_collector"]

BY_NAME: Final = ("accounts", "countries", "operators", "prefixes", "screens")
"""Keys of several files are joined name by name."""
BY_ORDER: Final = ("inbound", "listen", "networks", "refuse", "routes")
"""Keys of several files are joined in the order of the files."""

WHOLE_AFTER_S: Final = 1.0
"""How long after it was written to a file is taken to be whole. Most programs write a file at
once; one that rests for longer has to write another file, and rename that."""


def load(path: Path, environment: Environment, *, alike: Alike | None = ROUTES_ALIKE) -> Settings:
    """Return the settings in a file or folder. Raises SettingsError with all mistakes.

    Without `alike` every route is read by itself, which is slower and gives the same.
    """
    with without_collector():
        if alike is not None:
            with suppress(SettingsError):
                return _load(path, environment, alike)
        # Twins do not know their columns: read everything again to say where the mistakes are.
        return _load(path, environment, None)


def load_whole(
    path: Path, environment: Environment, wait: Callable[[float], object] = time.sleep
) -> Settings:
    """Return the settings as `load` does, once nobody has written to their files for a moment.

    So a file that a program is still writing is a mistake, as far as a look at it can tell.
    """
    settings = load(path, environment)
    missing_s = WHOLE_AFTER_S - youngest_s(settings.files.values(), time.time())
    if missing_s > 0:
        wait(min(missing_s, WHOLE_AFTER_S))
        changed = changed_since(settings.files)
        if changed:
            raise SettingsError(map(_written_meanwhile, changed), settings.files)
    return settings


def _written_meanwhile(path: Path) -> Mistake:
    what = "was written to while it was read; try again when it is whole"
    return Mistake(str(path), 0, 0, "", what)


@contextmanager
def without_collector() -> Iterator[None]:
    """Do not look for cycles meanwhile.

    A hundred thousand routes can be two million objects. To search them again and again, while they
    are built, would take a third of the time and find none.
    """
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collected:
            gc.enable()


def _load(path: Path, environment: Environment, alike: Alike | None) -> Settings:
    mistakes: list[Mistake] = []
    # Stamps come before what they stand for: what changes meanwhile is then seen to have changed.
    seen = {path.absolute(): SeenFile(stamp_of(path), is_configuration=True)}
    folder, files = _files(path, mistakes)
    for file in files:
        seen[file.absolute()] = SeenFile(stamp_of(file), is_configuration=True)
    tables = [read_table(file, mistakes, alike=alike) for file in files]
    root = _joined([table for table in tables if table], _root_place(path, files), mistakes)
    names = _names(root)
    if None in tables or not files:
        # A missing or unknown name may be in the file that could not be read.
        names = {}
        for field in SETTINGS.required:
            place = Place(str(path))
            unread = Entry(Scalar(place, key_of(field)), Broken(place))
            root.entries.setdefault(key_of(field), unread)
    reading = Reading(folder.absolute(), environment, mistakes, names, files=seen)
    settings = None
    with suppress(RefusedError):
        settings = SETTINGS.read(Spot(root, "", reading))
    # A part of a file may be as good YAML as the whole is.
    mistakes += map(_written_meanwhile, changed_since(seen))
    if mistakes or settings is None:
        raise SettingsError(mistakes, seen)
    return replace(settings, digest=digest_of(settings))


def _files(path: Path, mistakes: list[Mistake]) -> tuple[Path, list[Path]]:
    """Return where relative paths start, and what is to be read."""
    try:
        if not path.is_dir():
            return path.parent, [path]
        entries = sorted(file for file in path.iterdir() if not file.name.startswith("."))
    except OSError as error:
        mistakes.append(Mistake(str(path), 0, 0, "", f"cannot be read: {error.strerror}"))
        return path, []
    files = [file for file in entries if file.suffix == ".yaml" and not file.is_dir()]
    for file in entries:
        if file.suffix == ".yml":
            what = "is not read, because its name does not end in .yaml; rename it or move it away"
            mistakes.append(Mistake(str(file), 0, 0, "", what, f"{file.stem}.yaml"))
    if not files:
        mistakes.append(Mistake(str(path), 0, 0, "", "holds no *.yaml file"))
    return path, files


def _root_place(path: Path, files: list[Path]) -> Place:
    """Return the place for the message that a key is missing."""
    return Place(str(path), 1, 1) if files == [path] else Place(str(path))


def _joined(tables: list[Table], place: Place, mistakes: list[Mistake]) -> Table:
    """Return the tables of several files as one."""
    root = Table(place)
    for table in tables:
        for key, entry in table.entries.items():
            first = root.entries.get(key)
            if first is None:
                root.entries[key] = entry
            elif key in BY_NAME or key in BY_ORDER:
                value = _joined_value(key, first.value, entry.value, mistakes)
                root.entries[key] = Entry(first.key, value)
            else:
                what = written_twice(first.key.place)
                mistakes.append(mistake_at(entry.key.place, key, what))
                # Either of the two may be meant, so neither must lead to further mistakes.
                root.entries[key] = Entry(first.key, Broken(first.key.place))
    return root


def _joined_value(key: str, first: Node, more: Node, mistakes: list[Mistake]) -> Node:
    """Return the values of one key in two files as one value."""
    match first, more:
        case Sequence(), Sequence() if key in BY_ORDER:
            return Sequence(first.place, [*first.items, *more.items])
        case Table(), Table() if key in BY_NAME:
            joined = Table(first.place, dict(first.entries))
            for name, entry in more.entries.items():
                kept = joined.entries.setdefault(name, entry)
                if kept is not entry:
                    what = written_twice(kept.key.place)
                    mistakes.append(mistake_at(entry.key.place, f"{key}.{name}", what))
            return joined
        case Broken(), _:
            return first
        case _, Broken():
            return more
        case _:
            pass
    wanted = "a mapping (key: value)" if key in BY_NAME else "a list"
    mistakes += [
        mistake_at(node.place, key, f"{wanted} is wanted here")
        for node in (first, more)
        if not isinstance(node, Table if key in BY_NAME else Sequence)
    ]
    return Broken(first.place)


def _names(root: Table) -> dict[str, list[str] | None]:
    """Return the names that may be referred to, before anything else is read.

    A lane, account or operator that has a mistake in itself is still there to be named.
    """
    names: dict[str, list[str] | None] = {"lane": _lane_names(root)}
    kinds = (
        ("accounts", "account"),
        ("operators", "operator"),
        ("prefixes", GROUP),
        ("screens", "screen"),
    )
    for key, what in kinds:
        entry = root.entries.get(key)
        value = entry.value if entry else None
        names[what] = list(value.entries) if isinstance(value, Table) else None
        if entry is None and what in (GROUP, "screen"):
            names[what] = []  # Nobody has to have groups or screens.
    return names


def _lane_names(root: Table) -> list[str] | None:
    """Return the names of the lanes; None if the name of one cannot be read."""
    entry = root.entries.get("lanes")
    if entry is None or not isinstance(entry.value, Sequence):
        return None
    names = []
    for lane in entry.value.items:
        name = lane.entries.get("name") if isinstance(lane, Table) else None
        if name is None or not isinstance(name.value, Scalar) or "${" in name.value.text:
            return None
        names.append(name.value.text)
    return names
