"""Mistakes in a configuration: what is wrong, where, and what was probably meant.

Rule: no mistake ever quotes the value of a secret, so none quotes a value that came from the
environment or from a file, and none quotes any part of a password.
"""

import difflib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from router.terms.settings import Place, SeenFile

CLOSE_ENOUGH: Final = 0.5
"""Least similarity of two words (difflib's ratio): "to" and "tp" just reach it, and words that have
nothing in common seldom do."""
_SIMPLE: Final = re.compile(r"[\w-]+")
_SHOWN: Final = re.compile(r"[\w.-]{1,40}")
"""Keys that are shown although nobody knows them. What else stands before a colon may be anything,
where the file is not the router's own: a line of /etc/shadow, of which this shows nothing."""
LISTED_AT_MOST: Final = 20
"""Names that a message lists at most: a thousand would be no help."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake; as text `file:line:column: path: message; did you mean 'x'?`."""

    file: str
    line: int
    """The line, from 1; 0 if the mistake has none."""
    column: int
    path: str
    """The path in the configuration, for instance `operators.telia.binds[0].window`."""
    message: str
    suggestion: str | None = None
    """What to write instead, as it would stand in the file."""
    known: str = ""
    """The possible values, for instance `known keys are a, b`."""

    @property
    def place(self) -> Place:
        """File, line and column as one value: the order in which mistakes are shown."""
        return Place(self.file, self.line, self.column)

    def __str__(self) -> str:
        text = ": ".join(filter(None, [str(self.place), self.path, self.message]))
        if self.suggestion is not None:
            text += f"; did you mean '{self.suggestion}'?"
        if self.known:
            text += (" " if self.suggestion is not None else "; ") + self.known
        return text


class SettingsError(Exception):
    """A configuration that cannot be used, with every mistake that was found in it."""

    def __init__(
        self,
        mistakes: Iterable[Mistake],
        files: Mapping[Path, SeenFile] = MappingProxyType({}),
        left_out: int = 0,
    ) -> None:
        """`files` are those that were read, or looked for: until one changes, this stays so.

        `left_out` is how many more mistakes there are than are told.
        """
        self.files: Final = files
        self.left_out: Final = left_out
        self.mistakes: list[Mistake] = sorted(mistakes, key=lambda mistake: mistake.place)
        super().__init__("\n".join(map(str, self.mistakes)))

    @property
    def count(self) -> int:
        """How many mistakes there are, with those that are not told."""
        return len(self.mistakes) + self.left_out


def mistake_at(
    place: Place, path: str, message: str, suggestion: str | None = None, known: str = ""
) -> Mistake:
    """Return a mistake at a place."""
    return Mistake(place.file, place.line, place.column, path, message, suggestion, known)


def warning_at(places: Mapping[str, Place], path: str, message: str) -> Mistake:
    """Return a warning at the place of a path; settings made without a file have no places."""
    return mistake_at(places.get(path, Place("")), path, message)


def nearest(word: str, known: Iterable[str], likelier: Collection[str] = frozenset()) -> str | None:
    """Return the known word that was probably meant, in whatever case it was written.

    One slip is nearer than whatever difflib likes better (`fer` is `for`, not `after`), and there
    the likelier word wins: `rane` is `rate`, but `lane` where a lane is missing.
    """
    folded = word.casefold()
    matcher = difflib.SequenceMatcher(b=folded)
    best, nearness = None, (False, False, CLOSE_ENOUGH)
    for name in known:
        one_off = _one_slip_off(folded, name.casefold())
        matcher.set_seq1(name.casefold())
        # Counting letters is faster than comparing words, and there may be 10,000 accounts.
        if matcher.quick_ratio() >= CLOSE_ENOUGH:
            here = (one_off, one_off and name in likelier, matcher.ratio())
            if here > nearness or (best is None and here == nearness):
                best, nearness = name, here
    return best


def _one_slip_off(one: str, other: str) -> bool:
    """Return whether one slip of the fingers makes one word the other.

    That is one letter changed, added or left out, or two neighbours swapped (`teila`, `telia`).
    """
    shorter, longer = sorted((one, other), key=len)
    if len(longer) - len(shorter) > 1:
        return False
    pairs = enumerate(zip(shorter, longer, strict=False))
    at = next((index for index, (a, b) in pairs if a != b), len(shorter))
    if longer[at + 1 :] == shorter[at + len(shorter) - len(longer) + 1 :]:
        return True
    swapped = shorter[:at] + shorter[at : at + 2][::-1] + shorter[at + 2 :]
    return swapped == longer


def listed(what: str, names: Sequence[str]) -> str:
    """Return the possible words, as in `known keys are a, b`."""
    if not names:
        return f"there are no {what}"
    more = f" and {len(names) - LISTED_AT_MOST} more" if len(names) > LISTED_AT_MOST else ""
    return f"known {what} are {', '.join(names[:LISTED_AT_MOST])}{more}"


def written_twice(first: Place) -> str:
    """Return the message about a second value of one key."""
    return f"is written twice; the first is at {first}"


def is_shown(key: str) -> bool:
    """Whether a message may show a key that is none of ours."""
    return _SHOWN.fullmatch(key) is not None


def key_path(parent: str, key: str) -> str:
    """Return the path of a key of a mapping."""
    if not _SIMPLE.fullmatch(key):
        return f"{parent}[{key!r}]"
    return f"{parent}.{key}" if parent else key


def item_path(parent: str, index: int) -> str:
    """Return the path of an item of a list."""
    return f"{parent}[{index}]"
