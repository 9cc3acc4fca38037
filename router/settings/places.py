"""YAML in which every value knows its file, line and column.

The text of a value is kept as it was written: what it means (`0372`, `no`, `1:30`) is for the
place that it stands in to say, not for YAML to guess. The one exception is a plain `null`, `~`
or nothing at all, which is no value. Anchors, aliases and merge keys (`<<`) work; tags do not.

Built from the parser's events with a stack of our own: PyYAML's composer recurses, so that a
thousand brackets would end the process instead of naming the line.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import yaml

from router.settings.mistakes import (
    Mistake,
    is_shown,
    item_path,
    key_path,
    mistake_at,
    written_twice,
)
from router.terms.settings import Place

DEEPEST: Final = 30
"""Levels of nesting; a configuration has 6, and so many are a mistake or an attack."""

_TOO_DEEP: Final = f"lists and mappings are nested more than {DEEPEST} deep"
_NO_VALUE: Final = frozenset({"", "~", "null", "Null", "NULL"})
_NOT_TEXT: Final = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_LINE_END: Final = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_DIGITS: Final = re.compile("[0-9]+")
_MOST_EVENTS: Final = 100
"""Of an item that may be a twin; what is longer is seldom written a second time."""

FASTEST: Final[type[yaml.CSafeLoader] | type[yaml.SafeLoader]] = (
    yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
)
"""libyaml's parser where PyYAML was built with it: 100,000 routes are 1.2 million events."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value, as it was written."""

    place: Place
    text: str = field(repr=False)
    plain: bool = True
    """Whether the text has no quotes, so that `null` means no value."""

    @property
    def is_nothing(self) -> bool:
        """Whether the value of a key is missing."""
        return self.plain and self.text in _NO_VALUE


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    place: Place
    items: list["Node"] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Entry:
    """A key and its value."""

    key: Scalar
    value: "Node"


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping, by the text of its keys."""

    place: Place
    entries: dict[str, Entry] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Broken:
    """Stands for a value that cannot be read; the mistake is noted already."""

    place: Place


@dataclass(slots=True)
class Twin:
    """An item of a list that is written as an earlier one is, but for the digits of one value.

    A hundred thousand routes are a million values; as twins they are a hundred thousand texts. What
    it does not know is the columns of its values: whoever finds a mistake reads without twins.
    """

    of: Table
    text: str
    """The digits."""
    line: int

    @property
    def place(self) -> Place:
        """Its line."""
        return Place(self.of.place.file, self.line)


Node = Scalar | Sequence | Table | Broken | Twin


class Alike(NamedTuple):
    """Where to look for twins."""

    key: str
    """The key of a list, at the top of the file."""
    varying: str
    """The key that its items may differ in."""


def read_table(
    path: Path, mistakes: list[Mistake], loader: type | None = None, alike: Alike | None = None
) -> Table | None:
    """Return the mapping in a file; None, with at least one more mistake, if there is none.

    It has twins only where `alike` says that they are looked for.
    """
    file = str(path)
    try:
        if path.exists() and not path.is_file():  # A pipe may keep its reader waiting for ever.
            mistakes.append(Mistake(file, 0, 0, "", "cannot be read: this is no regular file"))
            return None
        octets = path.read_bytes()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else None
        mistakes.append(Mistake(file, 0, 0, "", f"cannot be read: {why or 'no such file'}"))
        return None
    try:
        text = octets.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        place = _place_in(octets[: error.start].decode(), error.start, file)
        mistakes.append(mistake_at(place, "", "is not UTF-8; save the file as UTF-8"))
        return None
    strange = _NOT_TEXT.search(text)
    if strange:
        place = _place_in(text, strange.start(), file)
        mistakes.append(mistake_at(place, "", f"the character U+{ord(strange[0]):04X} is no text"))
        return None
    del octets  # Megabytes, where there are many routes.
    root = _Composer(file, mistakes, alike).compose(text, loader or FASTEST)
    if root is None or isinstance(root, Table):
        return root
    if not isinstance(root, Broken):
        wanted = "a configuration is a mapping: keys such as listen: and accounts: at the top"
        mistakes.append(mistake_at(root.place, "", wanted))
    return None


def _place_in(text: str, offset: int, file: str) -> Place:
    """Return the line and column of an offset."""
    ends = [end.end() for end in _LINE_END.finditer(text, 0, offset)]
    return Place(file, len(ends) + 1, min(offset, len(text)) - (ends[-1] if ends else 0) + 1)


class _Mark(Protocol):
    """A position as both parsers of PyYAML give it; lines and columns count from 0."""

    line: int
    column: int
    index: int


class _StopError(Exception):
    """The rest of the file cannot be understood; the mistake is noted already."""


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come yet."""

    node: Sequence | Table
    key: Scalar | Broken | None = None
    merged: list[Table] = field(default_factory=list)


class _Composer:
    """Builds the nodes of one file from the parser's events."""

    def __init__(self, file: str, mistakes: list[Mistake], alike: Alike | None = None) -> None:
        self._file = file
        self._mistakes = mistakes
        self._alike = alike
        self._shapes: dict[tuple[object, ...], Table] = {}
        """The first item of each shape, while the anchors are what they are now."""
        self._anchors: dict[str, Node] = {}
        self._open: list[_Open] = []
        self._root: Node | None = None

    def compose(self, text: str, loader: type) -> Node | None:
        """Return the one document of the text; an empty text is an empty mapping."""
        try:
            events = _events(text, loader)
            for event in events:
                items = self._items_alike()
                if items is not None and isinstance(event, yaml.MappingStartEvent):
                    self._take_item(event, events, items)
                else:
                    self._take(event)
        except _StopError:
            return None
        except yaml.MarkedYAMLError as error:
            self._note_syntax(error, text)
            return None
        except (yaml.YAMLError, ValueError, OverflowError):
            # PyYAML's own scanner lets chr() fail on an escape such as "\U00110000".
            what = "is not YAML: it holds a character that there is not"
            self._note(Place(self._file), what, "")
            return None
        if self._root is None or (isinstance(self._root, Scalar) and self._root.is_nothing):
            return Table(Place(self._file, 1, 1))
        return self._root

    def _items_alike(self) -> list[Node] | None:
        """Return the list whose items may be alike, if it is the one that is being read."""
        if self._alike is None or len(self._open) != 2:
            return None
        above, inner = self._open
        is_wanted = isinstance(above.key, Scalar) and above.key.text == self._alike.key
        return inner.node.items if is_wanted and isinstance(inner.node, Sequence) else None

    def _take_item(
        self, first: yaml.MappingStartEvent, events: Iterator[yaml.Event], items: list[Node]
    ) -> None:
        """Read an item, or see that it is the twin of an earlier one."""
        taken: list[yaml.Event] = []
        shape, text = self._shape(taken, chain([first], events))
        of = self._shapes.get(shape) if text else None
        if of is not None:
            assert first.start_mark is not None  # Both parsers tell it.
            items.append(Twin(of, text, first.start_mark.line + 1))
            return
        for event in taken:
            self._take(event)
        if text and isinstance(items[-1], Table):
            self._shapes[shape] = items[-1]

    def _shape(
        self, taken: list[yaml.Event], events: Iterator[yaml.Event]
    ) -> tuple[tuple[object, ...], str]:
        """Return what an item says without the digits that may vary, and those digits.

        No digits: the item can have no twin. The events that were looked at are added to `taken`.
        """
        assert self._alike is not None
        shape: list[object] = []
        text = ""
        key: str | None = None
        is_key, depth = True, 0
        for event in islice(events, _MOST_EVENTS):
            taken.append(event)
            if isinstance(event, yaml.ScalarEvent):
                if event.anchor is not None or event.tag is not None:
                    break
                value: str | None = event.value
                if depth == 1:
                    if not is_key and key == self._alike.varying:
                        if not _DIGITS.fullmatch(event.value):
                            break
                        text, value = event.value, None
                    key, is_key = value, not is_key
                shape += (value, event.style)
            elif isinstance(event, yaml.CollectionStartEvent):
                if event.anchor is not None or event.tag is not None:
                    break
                depth += 1
                shape.append(type(event))
            elif isinstance(event, yaml.AliasEvent):
                if depth == 1:
                    key, is_key = None, not is_key
                shape += (yaml.AliasEvent, event.anchor)
            else:
                depth -= 1
                if depth == 0:
                    return tuple(shape), text
                if depth == 1:
                    key, is_key = None, not is_key
                shape.append(type(event))
        return (), ""

    def _take(self, event: yaml.Event) -> None:
        place = self._place(event.start_mark)
        match event:  # Scalars first: most events are scalars.
            case yaml.ScalarEvent():
                self._add(self._anchored(event, self._scalar(event, place)))
            case yaml.AliasEvent():
                self._add(self._aliased(event, place))
            case yaml.SequenceStartEvent():
                self._begin(event, Sequence(place))
            case yaml.MappingStartEvent():
                self._begin(event, Table(place))
            case yaml.CollectionEndEvent():
                self._end()
            case yaml.DocumentStartEvent() if self._root is not None:
                self._note(place, "a second document (---) begins here; a file holds one")
                raise _StopError
            case _:  # The ends of the document and of the stream need no action.
                pass

    def _scalar(self, event: yaml.ScalarEvent, place: Place) -> Scalar | Broken:
        if not self._tag_is_ours(event, place):
            return Broken(place)
        if _SURROGATE.search(event.value):
            self._note(place, "half of a surrogate pair is no text")
            return Broken(place)
        return Scalar(place, event.value, not event.style)

    def _begin(self, event: yaml.CollectionStartEvent, node: Sequence | Table) -> None:
        self._tag_is_ours(event, node.place)
        if len(self._open) == DEEPEST:
            self._note(node.place, _TOO_DEEP)
            raise _StopError
        self._anchored(event, node)
        self._open.append(_Open(node))

    def _end(self) -> None:
        ended = self._open.pop()
        if isinstance(ended.node, Table):
            for table in ended.merged:
                for key, entry in table.entries.items():
                    ended.node.entries.setdefault(key, entry)
        self._add(ended.node)

    def _add(self, node: Node) -> None:
        """Put a finished node where it belongs."""
        if not self._open:
            self._root = node
            return
        parent = self._open[-1]
        if isinstance(parent.node, Sequence):
            parent.node.items.append(node)
        elif parent.key is None:
            parent.key = self._as_key(node)
        else:
            key, parent.key = parent.key, None
            if isinstance(key, Scalar):
                self._put(parent, parent.node, Entry(key, node))

    def _put(self, parent: _Open, table: Table, entry: Entry) -> None:
        if entry.key.plain and entry.key.text == "<<":
            self._merge(parent, entry)
            return
        first = table.entries.setdefault(entry.key.text, entry)
        if first is not entry:
            path = self._path()
            # {a, a} without quotes may be meant as one password.
            if "password" not in path and is_shown(entry.key.text):
                path = key_path(path, entry.key.text)
            self._note(entry.key.place, written_twice(first.key.place), path)

    def _merge(self, parent: _Open, entry: Entry) -> None:
        value = entry.value
        for table in value.items if isinstance(value, Sequence) else [value]:
            if isinstance(table, Table):
                parent.merged.append(table)
            elif not isinstance(table, Broken):
                self._note(entry.key.place, "<< takes an alias of a mapping, or a list of those")

    def _as_key(self, node: Node) -> Scalar | Broken:
        if isinstance(node, Broken):
            return node
        if isinstance(node, Scalar) and (node.text or not node.plain):
            return node
        self._note(node.place, "a key is a word, and here is none; quote text that begins with {")
        return Broken(node.place)

    def _anchored(self, event: yaml.NodeEvent, node: Node) -> Node:
        if event.anchor is not None:
            self._anchors[event.anchor] = node
            self._shapes.clear()  # The same alias may mean something else from here on.
        return node

    def _aliased(self, event: yaml.AliasEvent, place: Place) -> Node:
        node = self._anchors.get(event.anchor or "")
        if node is None:
            # The name is not shown: it may be a password that begins with a star.
            self._note(place, "no anchor (&) has this alias's name; quote text that begins with *")
        elif any(node is outer.node for outer in self._open):
            self._note(place, "this alias stands inside of what it names")
        else:
            return node
        return Broken(place)

    def _tag_is_ours(
        self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, place: Place
    ) -> bool:
        if event.tag is None:
            return True
        self._note(place, "a tag (!) is not understood here; quote text that begins with !")
        return False

    def _note_syntax(self, error: yaml.MarkedYAMLError, text: str) -> None:
        mark = error.problem_mark or error.context_mark
        place = self._place(mark)
        problem = error.problem or error.context or "it cannot be parsed"
        if "nesting depth" in problem:  # libyaml has a limit of its own, and may look far ahead.
            self._note(place, _TOO_DEEP, "")
            return
        if "tag" in problem:
            problem = "a tag (!) is not understood here; quote text that begins with !"
        elif mark and text[mark.index : mark.index + 1] == "\t":
            problem = "a tab stands where only spaces may"
        elif any("${" in line for line in text.split("\n")[place.line - 1 : place.line]):
            problem += "; between { } or [ ] a value with ${ in it needs quotes"
        self._note(place, f"is not YAML: {problem}", "")

    def _note(self, place: Place, message: str, path: str | None = None) -> None:
        self._mistakes.append(mistake_at(place, self._path() if path is None else path, message))

    def _place(self, mark: _Mark | None) -> Place:
        return Place(self._file, mark.line + 1, mark.column + 1) if mark else Place(self._file)

    def _path(self) -> str:
        """Return the path of what is being read."""
        path = ""
        for outer in self._open:
            if isinstance(outer.node, Sequence):
                path = item_path(path, len(outer.node.items))
            elif isinstance(outer.key, Scalar):
                path = key_path(path, outer.key.text)
        return path


def _events(text: str, loader: type) -> Iterator[yaml.Event]:
    parser = loader(text)
    try:
        # As `yaml.parse` does, with one call for each event instead of two.
        yield from iter(parser.get_event, None)
    finally:
        parser.dispose()
