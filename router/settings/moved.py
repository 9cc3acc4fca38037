"""A configuration as it would be in another folder: what is named relative to it moves along."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Final, TypeVar, cast

from router.terms.settings import Settings

SQLITE: Final = "sqlite:///"

Value = TypeVar("Value")


def moved(settings: Settings, folder: Path) -> Settings:
    """Return the settings with each path inside their folder as one inside another folder."""
    here = settings.folder
    if here == folder:
        return settings
    url = settings.journal.url
    if url.startswith(SQLITE):
        url = f"{SQLITE}{_path(Path(url.removeprefix(SQLITE)), here, folder)}"
    return replace(
        settings,
        journal=replace(settings.journal, url=url),
        listen=_moved(settings.listen, here, folder),
        operators=_moved(settings.operators, here, folder),
        files={_path(path, here, folder): seen for path, seen in settings.files.items()},
        folder=folder,
    )


def _moved(value: Value, here: Path, there: Path) -> Value:
    if isinstance(value, Path):
        return cast("Value", _path(value, here, there))
    if isinstance(value, Mapping):
        return cast("Value", {key: _moved(part, here, there) for key, part in value.items()})
    if isinstance(value, tuple):
        return cast("Value", tuple(_moved(part, here, there) for part in value))
    if is_dataclass(value) and not isinstance(value, type):
        parts = {one.name: getattr(value, one.name) for one in fields(value)}
        found = {name: _moved(part, here, there) for name, part in parts.items()}
        others = {name: part for name, part in found.items() if part is not parts[name]}
        return cast("Value", replace(value, **others)) if others else value
    return value


def _path(path: Path, here: Path, there: Path) -> Path:
    return there / path.relative_to(here) if path.is_relative_to(here) else path
