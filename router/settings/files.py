"""How a file of a configuration looks from outside, so that an unchanged one need not be read."""

import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from router.terms.settings import SeenFile, Stamp


def stamp_of(path: Path) -> Stamp:
    """Return what changes when a file does; of a folder the names of the files read in it.

    A folder has more than a configuration: its own time changes with each temporary file.
    """
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            names = (one.name for one in path.iterdir() if one.suffix in (".yaml", ".yml"))
            return tuple(sorted(name for name in names if not name.startswith(".")))
    except (OSError, ValueError):  # ValueError: a name that no file can have.
        return None
    # The time of the last change of the inode cannot be set back, as `cp -p` does with the other.
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def changed_since(seen: Mapping[Path, SeenFile]) -> list[Path]:
    """Return the files and folders that are not as they were."""
    return [path for path, one in seen.items() if stamp_of(path) != one.stamp]


def youngest_s(seen: Iterable[SeenFile], now_utc: float) -> float:
    """Return how long ago the last of these files was written to; below 0 where clocks differ.

    The name of a file may be new; its content is as old as it is.
    """
    youngest = float("inf")
    for one in seen:
        match one.stamp:
            case (_, _, int() as written_ns, _):
                youngest = min(youngest, now_utc - written_ns / 1e9)
            case _:
                pass  # A folder, or no file.
    return youngest
