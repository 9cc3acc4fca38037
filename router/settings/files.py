"""How a file of a configuration looks from outside, so that an unchanged one need not be read."""

import stat
from pathlib import Path

from router.terms.settings import Stamp


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
