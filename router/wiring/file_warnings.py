"""Warnings about files as they are on the disk: the journal's, and those with passwords.

They hold for the user who looks: whoever runs `smpp-router check`, or the running router where that
one is asked. So they depend on more than the settings, and stand apart from `settings/warn.py`.
No message names a file whose name may come from the environment.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from router.settings.mistakes import Mistake, mistake_at
from router.terms.settings import JournalSettings, Place, Settings
from router.wiring.callers import name_of

_NO_START: Final = "the router would not start"
_BESIDE: Final = (".lock", "-wal", "-shm")
"""What stands behind the journal's name in the names of the files beside it."""


def file_warnings(settings: Settings) -> list[Mistake]:
    """Return what is probably wrong with the files that a configuration names or consists of."""
    found = [*_open_passwords(settings)]
    trouble = _trouble(settings.journal, name_of(os.geteuid()))
    if trouble:
        place = settings.places.get("journal.url", Place(""))
        found.append(mistake_at(place, "journal.url", trouble))
    return found


def _trouble(journal: JournalSettings, user: str) -> str:
    """Return why this user cannot open the journal; empty if nothing is to be seen.

    Root may write everything, but on a disk that is read-only, so root hears of little.
    """
    if journal.url == "memory:":
        return ""
    try:
        # SQLite has its own files beside what a link leads to.
        file = Path(journal.url.removeprefix("sqlite:///")).resolve()
        if not stat.S_ISDIR(file.parent.stat().st_mode):
            return f"its folder is no folder: {_NO_START}"
        if not _may(file.parent, os.W_OK | os.X_OK):
            return f"user {user} cannot write its folder: {_NO_START} as this user"
        for suffix in ("", *_BESIDE):
            one = Path(f"{file}{suffix}")
            if not one.exists():
                continue  # It is made when it is needed.
            what = f"its {suffix}" if suffix else "it"
            if not one.is_file():
                return f"{what} is no regular file: {_NO_START}"
            if not _may(one, os.R_OK | os.W_OK):
                return f"user {user} cannot write {what}: {_NO_START} as this user"
    except (FileNotFoundError, NotADirectoryError):
        return "its folder is not there, and the router does not make it"
    except PermissionError:
        return f"user {user} cannot get to its folder: {_NO_START} as this user"
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: links in a circle.
        return f"it cannot be looked at ({getattr(error, 'strerror', None) or error})"
    return ""


def _may(path: Path, how: int) -> bool:
    return os.access(path, how, effective_ids=os.access in os.supports_effective_ids)


def _open_passwords(settings: Settings) -> Iterator[Mistake]:
    for file, seen in settings.files.items():
        mode = _mode_for_all(file) if seen.passwords else None
        if mode is None:
            continue
        (place, path), *_ = seen.passwords.items()
        others = f"others may read this file (mode {mode:04o})"
        if Path(place.file).absolute() != file:
            what = f"{others}, which holds a password in clear text; `chmod o-r` keeps them out"
            yield mistake_at(place, f"{path}.file", what)
            continue
        count = len(seen.passwords)
        holds = "a password" if count == 1 else f"{count} passwords"
        what = (
            f"{others}, and it holds {holds} in clear text, the first in line {place.line}; "
            "`chmod o-r` keeps them out, or take passwords from ${NAME} or {file: path}"
        )
        if any(one.startswith("accounts") for one in seen.passwords.values()):
            what += "; of accounts the output of `smpp-router hash-password` is enough"
        yield mistake_at(Place(place.file), "", what)


def _mode_for_all(path: Path) -> int | None:
    """Return the mode of a file that every user may read; None of one that is kept from some.

    A folder that others may not pass through keeps them out, whatever the modes of its files:
    /etc/smpp-router is such a folder, as a rule, and so is the home of a user.
    """
    try:
        file = path.resolve()
        mode = stat.S_IMODE(file.stat().st_mode)
        reached = all(one.stat().st_mode & stat.S_IXOTH for one in file.parents)
    except (OSError, RuntimeError):
        return None
    return mode if mode & stat.S_IROTH and reached else None
