"""The file beside the journal: which process has it, and what that process has committed.

    4242               the process, for people and for a second router that tries
    open 17 901 1a2b   whether the journal was closed, the last commit and message, a checksum

Rule: a mark is written after its commit is on disk. So it is never ahead of the journal, and a
journal that is behind its mark has lost something. It is written without a sync: a killed process
leaves the newest one; a power cut leaves one that is at most `SYNC_EVERY_S` older.
"""

import fcntl
import os
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from router.enqueue.journal import JournalError

SYNC_EVERY_S: Final = 1.0
"""How often the mark is synced while commits come. A sync for each would double their cost."""
_PID_OCTETS: Final = 20
_MARK_OCTETS: Final = 64
"""Both lines have a fixed length: a mark is replaced by one write in place."""
_STATES: Final = {b"open": False, b"shut": True}
_WORDS: Final = 4


class Mark(NamedTuple):
    """How far a journal had been committed."""

    commit: int
    """The number of the last commit that did more than accept messages; 0 for none."""
    message: int = 0
    """A message that was accepted in the last commit after that one; 0 for none."""
    is_closed: bool = False
    """Whether the process has closed the journal in good order."""


class LockFile:
    """A lock on the journal, for the life of this object, and the mark in it.

    The kernel frees the lock when the process ends.
    """

    def __init__(self, journal: Path) -> None:
        """Raises JournalError where another process has the lock, or there can be no file."""
        name = f"{journal}.lock"
        refuse_unless_regular(Path(name))
        try:
            self._file = os.open(name, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            advice = "is there such a folder, and may we write it?"
            raise JournalError(f"{name}: {error.strerror}; {advice}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            said = os.read(self._file, _PID_OCTETS).decode("ascii", "replace").split()
            os.close(self._file)
            raise in_use(journal, f"process {said[0] if said else 'unknown'}") from None
        self.found: Final = _mark_in(os.pread(self._file, _MARK_OCTETS, _PID_OCTETS))
        """The mark of an earlier process; None if there is none that can be read."""
        self._is_synced = True
        self._synced_at = 0.0
        with suppress(OSError):  # Only for the message of a second router that tries.
            os.pwrite(self._file, b"%-*d\n" % (_PID_OCTETS - 1, os.getpid()), 0)

    def write(self, mark: Mark) -> None:
        """Replace the mark by that of a commit that is on disk."""
        word = b"shut" if mark.is_closed else b"open"
        text = b"%s %d %d" % (word, mark.commit, mark.message)
        line = b"%s %08x" % (text, zlib.crc32(text))
        # Where that fails the mark of an earlier commit stays, which is as true.
        with suppress(OSError):
            os.pwrite(self._file, line.ljust(_MARK_OCTETS - 1) + b"\n", _PID_OCTETS)
        self._is_synced = False

    def sync(self, now: float) -> None:
        """Sync the mark if there is a new one and the last sync is `SYNC_EVERY_S` ago."""
        if not self._is_synced and now >= self._synced_at + SYNC_EVERY_S:
            self.sync_at_once()
            self._synced_at = now

    def sync_at_once(self) -> None:
        """Sync the mark."""
        with suppress(OSError):  # The disk has an older mark then, which is as true.
            os.fdatasync(self._file)
        self._is_synced = True

    def close(self) -> None:
        """Free the lock."""
        os.close(self._file)


def refuse_unless_regular(path: Path) -> None:
    """Raise JournalError for what is there and is no regular file: a pipe, for example, hangs."""
    try:
        if path.exists() and not path.is_file():
            advice = "move it away, or name another file in journal.url"
            raise JournalError(f"{path}: this is no regular file; {advice}")
    except OSError as error:
        raise JournalError(f"{path}: {error.strerror}; may we read its folder?") from error


def in_use(journal: Path, who: str) -> JournalError:
    """Return the error for a journal that another process has."""
    return JournalError(
        f"{journal}: another router ({who}) uses this journal; end that one, or give"
        " this one a journal of its own"
    )


def _mark_in(line: bytes) -> Mark | None:
    words = line.split()
    if len(words) != _WORDS or words[0] not in _STATES:
        return None
    text, _, checksum = line.rstrip().rpartition(b" ")
    if checksum != b"%08x" % zlib.crc32(text):
        return None
    return Mark(int(words[1]), int(words[2]), _STATES[words[0]])
