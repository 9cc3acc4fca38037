"""The place in a configuration that is being read: its text, items and keys, or its mistakes.

A reader (`parts.py`) turns one node of the YAML into a value, or notes why not and raises
`RefusedError`. A part or list catches that and reads on, so that one look shows every mistake.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NoReturn

from router.settings.environment import Environment, Withheld
from router.settings.mistakes import Mistake, item_path, key_path, mistake_at
from router.settings.places import Broken, Entry, Node, Scalar, Sequence, Table, Twin
from router.terms.settings import Place, SeenFile

_SUBSTITUTION: Final = re.compile(r"\$\$\{|\$\{([^}]*)\}|\$\{")
_VARIABLE: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:(:-)(.*))?", re.DOTALL)
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class RefusedError(Exception):
    """There is no value that can be read; the mistake is noted already."""


@dataclass(slots=True)
class Reading:
    """What is common to all nodes while one configuration is read."""

    folder: Path
    """The folder at which relative paths start."""
    environment: Environment = field(repr=False)
    mistakes: list[Mistake] = field(default_factory=list)
    names: dict[str, list[str] | None] = field(default_factory=dict)
    """The names of lanes, accounts and operators. None for a broken list: then any reference may be
    right, and none is reported."""
    taken: dict[tuple[str, str], tuple[str, Place]] = field(default_factory=dict)
    """The path and place of each name that must be unique, such as that of a bind."""
    receive_only: set[str] = field(default_factory=set)
    """Operators that no bind can send to."""
    places: dict[str, Place] = field(default_factory=dict)
    lists: dict[tuple[str, str], tuple[str, ...] | None] = field(default_factory=dict)
    """The values of files with lists, by file and column; None for one with mistakes."""
    files: dict[Path, SeenFile] = field(default_factory=dict)
    """What was read, or could not be read, so that a change is seen by a look at its stamp."""
    noted: set[tuple[Place, str | None, str, str]] = field(default_factory=set)
    """Each mistake: its place, the key if it is about a key, the message, the possible values."""

    @property
    def is_for_others(self) -> bool:
        """Whether somebody is told of the configuration who may not know all that is read."""
        return isinstance(self.environment, Withheld)

    def variable(self, name: str, *, is_secret: bool) -> str | None:
        """Return what a variable is replaced by in a value; None if it is not set, or withheld."""
        if not isinstance(self.environment, Withheld):
            return self.environment.get(name)
        return self.environment.stand_ins.get(name) if is_secret else None


@dataclass(frozen=True, slots=True)
class Spot:
    """One node and its path."""

    node: Node
    path: str
    reading: Reading

    def note(
        self,
        message: str,
        suggestion: str | None = None,
        known: str = "",
        *,
        at: Place | None = None,
        key: str | None = None,
    ) -> None:
        """Note a mistake at this node, or at one key of this mapping.

        What an anchor names is read again for each alias, and its mistake is noted the first time.
        """
        if isinstance(self.node, Scalar) and "${" in self.node.text:
            suggestion = None  # A suggestion would show a value of the environment.
        path = self.path if key is None else key_path(self.path, key)
        place = at or self.node.place
        # The path is another for each alias, and so may be the suggestion: it depends on what else
        # is written beside a merge key.
        what = (place, key, message, known)
        if what in self.reading.noted:
            return
        self.reading.noted.add(what)
        self.reading.mistakes.append(mistake_at(place, path, message, suggestion, known))

    def refuse(self, message: str, suggestion: str | None = None, known: str = "") -> NoReturn:
        """Note a mistake, and give up this node."""
        self.note(message, suggestion, known)
        raise RefusedError

    def text(self, *, is_secret: bool = False) -> str:
        """Return the text of a value, with variables of the environment replaced.

        Say `is_secret` only of what is never shown, nor what depends on it.
        """
        if not isinstance(self.node, Scalar):
            self._refuse_kind("one value")
        if self.node.is_nothing:
            self._refuse_kind("one value")
        text = self._expanded(self.node.text, is_secret)
        if _CONTROL.search(text):
            self.refuse("the value holds an end of line or another character that is no text")
        return text

    @property
    def is_secret_written_here(self) -> bool:
        """Whether nothing of a secret comes from the environment; defaults are written here."""
        text = self.node.text if isinstance(self.node, Scalar) else ""
        variables = (_VARIABLE.fullmatch(found[1] or "") for found in _SUBSTITUTION.finditer(text))
        return not any(one and self.reading.variable(one[1], is_secret=True) for one in variables)

    def nodes(self) -> list[Node]:
        """Return the nodes of a list."""
        if not isinstance(self.node, Sequence):
            self._refuse_kind("a list")
        return self.node.items

    def items(self) -> list["Spot"]:
        """Return the items of a list."""
        return [self.item(index, node) for index, node in enumerate(self.nodes())]

    def item(self, index: int, node: Node) -> "Spot":
        """Return an item of a list, by its place there."""
        return Spot(node, item_path(self.path, index), self.reading)

    def entries(self) -> dict[str, Entry]:
        """Return the keys of a mapping with their values."""
        if not isinstance(self.node, Table):
            self._refuse_kind("a mapping (key: value)")
        return self.node.entries

    def child(self, entry: Entry) -> "Spot":
        """Return the value of a key."""
        return Spot(entry.value, key_path(self.path, entry.key.text), self.reading)

    def _refuse_kind(self, wanted: str) -> NoReturn:
        match self.node:
            case Broken() | Twin():
                raise RefusedError
            case Scalar(is_nothing=True):
                self.refuse(f"has no value: write {wanted}, or leave the key out")
            case Scalar():
                self.refuse(f"{wanted} is wanted here, not one value")
            case Sequence():
                self.refuse(f"{wanted} is wanted here, not a list")
            case Table():
                self.refuse(f"{wanted} is wanted here, not a mapping")

    def _expanded(self, text: str, is_secret: bool) -> str:
        """Replace `${NAME}` and `${NAME:-default}`; `$${` is a dollar and a brace."""
        if "${" not in text:
            return text
        found = list(_SUBSTITUTION.finditer(text))
        replaced = (self._substitute(one, is_secret) for one in found)
        values = [value for value in replaced if value is not None]
        if len(values) < len(found):
            raise RefusedError
        in_turn = iter(values)
        return _SUBSTITUTION.sub(lambda _: next(in_turn), text)

    def _substitute(self, found: re.Match[str], is_secret: bool) -> str | None:
        """Return the value of a variable; None, with a mistake noted, if it has none."""
        if found[0] == "$${":
            return "${"
        variable = _VARIABLE.fullmatch(found[1]) if found[1] is not None else None
        if variable is None:
            self.note(
                "what follows ${ is no variable: write ${NAME} or ${NAME:-default}, "
                "or $${ for the characters themselves"
            )
            return None
        name, has_default, default = variable.groups()
        value = self.reading.variable(name, is_secret=is_secret)
        if has_default:
            return value or str(default)  # As in a shell, an empty variable counts as missing.
        if value is None and self.reading.is_for_others and not is_secret:
            # Whether it is set makes no difference, and is not told.
            self.note(
                "in files that it does not run, the router takes variables of its environment for "
                "passwords only; compare with --against instead"
            )
        elif value is None:
            self.note(
                f"the environment variable {name} is not set; set it, or write a default as in "
                f"${{{name}:-default}}"
            )
        return value
