"""Building blocks of a configuration: parts with known keys, lists, mappings, references.

Every key has a reader, which also knows the JSON Schema of what it reads. Which keys there are, and
how each is written, stands in `keys.py`.
"""

import re
from collections.abc import Callable, Mapping, Set
from contextlib import suppress
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import cache
from typing import Final, Generic, TypeVar, cast

from router.settings.mistakes import is_shown, key_path, listed, nearest, written_twice
from router.settings.places import Entry, Sequence, Table, Twin
from router.settings.reading import RefusedError, Spot
from router.settings.units import NotUnderstoodError
from router.terms.settings import Place

T = TypeVar("T")
K = TypeVar("K", str, int)
T_co = TypeVar("T_co", covariant=True)

Schema = Mapping[str, object]
"""A JSON Schema, or a part of one."""

KEYS_APART: Final = {
    "addresses": "address",
    "certificates": "certificate",
    "passwords": "password",
    "proxies": "from",
}
"""Keys of fields whose key is not the field's name without its unit."""


@dataclass(frozen=True, slots=True)
class Reader(Generic[T_co]):
    """How one kind of value is read."""

    kind: str
    """The word for this kind of value in `config/README.md`."""
    read: Callable[[Spot], T_co]
    allowed: str = ""
    """What may be written, in words for the reference."""
    part: "Part[object] | None" = None
    """The part that this reads, if it is a mapping with known keys."""
    schema: Schema = field(default_factory=dict)
    """What may be written, as a JSON Schema that may allow more, but never less."""


def matching(pattern: str) -> Schema:
    """Return the schema of a value that the pattern takes, or that has `${NAME}` in it.

    To an editor `37` without quotes is a number and `true` a truth, whatever the pattern.
    """
    kinds = (("37", "number"), ("true", "boolean"))
    taken = [kind for example, kind in kinds if re.fullmatch(pattern, example)]
    return {"type": ["string", *taken], "pattern": rf"^(?:{pattern})$|\$\{{"}


@dataclass(slots=True)
class Found:
    """The values that were found of a part, before the part is built."""

    spot: Spot
    entries: Mapping[str, Entry]
    values: dict[str, object]
    """Values by field; a value that cannot be read is missing."""
    defaults: Mapping[str, object]
    """Defaults by field."""
    meant: set[str]
    """Keys that unknown keys were probably meant for; these are not reported as missing."""

    def lacks(self, key: str) -> bool:
        """Return whether the key is neither written nor meant."""
        return key not in self.entries and key not in self.meant

    def number(self, name: str) -> float:
        """Return the number in a field, or its default."""
        return cast(float, self.values.get(name, self.defaults[name]))

    def note(self, key: str, message: str) -> None:
        """Note a mistake at a key, which may be missing."""
        at = self.entries[key].key.place if key in self.entries else None
        self.spot.note(message, at=at, key=key)


@dataclass(frozen=True, slots=True)
class Part(Generic[T_co]):
    """One mapping with known keys, which becomes one object of settings."""

    settings: Callable[..., T_co]
    """The class of settings that the part is read into."""
    readers: Mapping[str, Reader[object]]
    """Readers by field, in the order of the reference; without fields that are no keys."""
    finish: Callable[[Found], None] | None = None
    """The rules between keys: a function that notes mistakes and may complete values."""

    @property
    def required(self) -> Set[str]:
        """The fields that must be written."""
        return self.readers.keys() - defaults_of(self.settings).keys()

    @property
    def reader(self) -> Reader[T_co]:
        """A reader of the part as a value of another part."""
        return Reader("mapping", self.read, part=self, schema=self.schema)

    @property
    def schema(self) -> Schema:
        """The schema of the part, by reference."""
        return {"$ref": f"#/$defs/{self.settings.__name__}"}

    def read(self, spot: Spot, **given: object) -> T_co:
        """Build the settings, or note everything that is wrong with them."""
        entries = spot.entries()
        by_key = {key_of(name): name for name in self.readers}
        missing = {key_of(name) for name in self.required} - entries.keys()
        meant = _unknown_keys(spot, list(by_key), missing)
        found = Found(spot, entries, dict(given), defaults_of(self.settings), meant)
        refused = bool(entries.keys() - by_key.keys())
        for key, name in by_key.items():
            if key in entries:
                try:
                    found.values[name] = self.readers[name].read(spot.child(entries[key]))
                except RefusedError:
                    refused = True
        for name in sorted(self.required - found.values.keys()):
            refused = True
            if found.lacks(key_of(name)):
                found.note(key_of(name), "is missing and must be written")
        _remember_places(spot)
        if self.finish:
            self.finish(found)
        if refused:
            raise RefusedError
        return self.settings(**found.values)


@cache
def defaults_of(settings: Callable[..., object]) -> Mapping[str, object]:
    """Return the default of every field that has one; None for one that is made anew each time."""
    return {
        each.name: None if each.default is MISSING else each.default
        for each in fields(settings)  # type: ignore[arg-type]  # The settings of every part are a dataclass.
        if each.default is not MISSING or each.default_factory is not MISSING
    }


@cache
def key_of(name: str) -> str:
    """Return the key of a field: its name without its unit."""
    return KEYS_APART.get(name) or name.removesuffix("_s").removesuffix("_bytes")


def _unknown_keys(spot: Spot, known: list[str], missing: set[str]) -> set[str]:
    """Note unknown keys; return the keys that were probably meant."""
    entries = spot.entries()
    meant = set()
    for key in entries.keys() - set(known):
        place = entries[key].key.place
        if not is_shown(key):
            spot.note("unknown key, which is not shown: it is no word", None, at=place)
            continue
        guess = nearest(key, known, likelier=missing or set(known) - entries.keys())
        spot.note("unknown key", guess, listed("keys", known), at=place, key=key)
        if guess:
            meant.add(guess)
    return meant


def _remember_places(spot: Spot) -> None:
    # The places of a hundred thousand rules would be most of a router's memory; they know their
    # line.
    if not spot.path.startswith(("refuse[", "routes[")):
        for key, entry in spot.entries().items():
            spot.reading.places[key_path(spot.path, key)] = entry.value.place


def scalar(kind: str, parse: Callable[[str], T], allowed: str, schema: str | Schema) -> Reader[T]:
    """Return a reader of one value by a function of `units.py`; a schema may be a pattern."""

    def read(spot: Spot) -> T:
        text = spot.text()
        try:
            return parse(text)
        except NotUnderstoodError as wrong:
            spot.refuse(wrong.message, wrong.suggestion)

    schema = matching(schema) if isinstance(schema, str) else schema
    return Reader(kind, read, allowed, schema=schema)


def listing(reader: Reader[T], at_least: int = 1) -> Reader[tuple[T, ...]]:
    """Return a reader of a list."""

    def read(spot: Spot) -> tuple[T, ...]:
        spots = spot.items()
        if len(spots) < at_least:
            spot.refuse("the list is empty: it needs at least one item")
        return tuple(read_all(spots, reader.read))

    kind = "list" if reader.part else f"list of {reader.kind}"
    schema = {"type": "array", "items": reader.schema, "minItems": at_least}
    return Reader(kind, read, reader.allowed, reader.part, schema)


def listing_with_twins(
    part: Part[T], twins_of: Callable[[T], Callable[[Twin], T]]
) -> Reader[tuple[T, ...]]:
    """Return a reader of a list, perhaps empty, in which items may be twins of earlier ones.

    `twins_of` returns for a value what makes others like it; that raises NotUnderstoodError.
    """

    def read(spot: Spot) -> tuple[T, ...]:
        makers: dict[int, Callable[[Twin], T]] = {}
        values = []
        nodes = spot.nodes()
        for index, node in enumerate(nodes):
            try:
                if not isinstance(node, Twin):
                    value = part.read(spot.item(index, node))
                    makers[id(node)] = twins_of(value)
                elif id(node.of) in makers:
                    value = makers[id(node.of)](node)
                else:
                    continue  # The item that this is a twin of was refused.
            except (RefusedError, NotUnderstoodError):
                continue
            values.append(value)
        if len(values) < len(nodes):
            raise RefusedError
        return tuple(values)

    return replace(listing(part.reader, at_least=0), read=read)


def one_or_list(reader: Reader[T], allowed: str, empty: str) -> Reader[tuple[T, ...]]:
    """Return a reader of one value, or of a list of such values."""

    def read(spot: Spot) -> tuple[T, ...]:
        if not isinstance(spot.node, Sequence):
            return (reader.read(spot),)
        if not spot.node.items:
            spot.refuse(empty)
        return tuple(read_all(spot.items(), reader.read))

    several = {"type": "array", "items": reader.schema, "minItems": 1}
    return Reader(reader.kind, read, allowed, schema={"anyOf": [reader.schema, several]})


def part_or_truth(part: Part[T], truth: Reader[bool]) -> Reader[T | None]:
    """Return a reader of a part, of `true` for one with its defaults, or of `false` for None."""

    def read(spot: Spot) -> T | None:
        if isinstance(spot.node, Table):
            return part.read(spot)
        return part.settings() if truth.read(spot) else None

    schema = {"anyOf": [truth.schema, part.schema]}
    return Reader("truth or mapping", read, part=part, schema=schema)


def part_or_word(part: Part[T], word: Reader[str], meant: Callable[[str], T]) -> Reader[T]:
    """Return a reader of a part, or of a word that stands for one."""

    def read(spot: Spot) -> T:
        if isinstance(spot.node, Table):
            return part.read(spot)
        return meant(word.read(spot))

    schema = {"anyOf": [word.schema, part.schema]}
    return Reader("word or mapping", read, word.allowed, part, schema)


def part_or_none(part: Part[T], word: str) -> Reader[T | None]:
    """Return a reader of a part, or of the word that stands for its absence, which is None."""

    def read(spot: Spot) -> T | None:
        if isinstance(spot.node, Table):
            return part.read(spot)
        if spot.text() != word:
            spot.refuse(f"{word} or a mapping is wanted here", word)
        return None

    schema = {"anyOf": [matching(re.escape(word)), part.schema]}
    return Reader("word or mapping", read, f"`{word}`", part, schema)


def read_all(spots: list[Spot], read: Callable[[Spot], T]) -> list[T]:
    """Return all values, or note all mistakes."""
    values = []
    for spot in spots:
        try:
            values.append(read(spot))
        except RefusedError:
            continue
    if len(values) < len(spots):
        raise RefusedError
    return values


def mapping(key: Reader[K], value: Reader[T]) -> Reader[dict[K, T]]:
    """Return a reader of a mapping whose keys are data: numbers, names, statuses."""

    def read_key(spot: Spot, entry: Entry, places: dict[K, Place]) -> K:
        here = key_spot(spot, entry)
        name = key.read(here)
        first = places.setdefault(name, entry.key.place)
        if first is not entry.key.place:  # 0x58 and ESME_RTHROTTLED, for instance.
            here.refuse(written_twice(first))
        return name

    def read(spot: Spot) -> dict[K, T]:
        places: dict[K, Place] = {}
        return read_pairs(
            spot, lambda entry: read_key(spot, entry, places), lambda child, _: value.read(child)
        )

    allowed = f"{key.allowed or key.kind} → {value.allowed or 'see below'}"
    return Reader("mapping", read, allowed, value.part, _schema_of_mapping(key, value.schema))


def named(part: Part[T], name: Reader[str]) -> Reader[dict[str, T]]:
    """Return a reader of a mapping whose keys are the names of its values."""

    def read(spot: Spot) -> dict[str, T]:
        if not spot.entries():
            spot.refuse("the mapping is empty: it needs at least one key")
        return read_pairs(
            spot,
            lambda entry: name.read(key_spot(spot, entry)),
            lambda child, key: part.read(child, name=key),
        )

    schema = _schema_of_mapping(name, part.schema)
    return Reader("mapping", read, f"name ({name.allowed}) → see below", part, schema)


def _schema_of_mapping(key: Reader[K], value: Schema) -> Schema:
    return {"type": "object", "propertyNames": key.schema, "additionalProperties": value}


def read_pairs(
    spot: Spot, read_key: Callable[[Entry], K], read_value: Callable[[Spot, str], T]
) -> dict[K, T]:
    """Return all keys and values of a mapping, or note all mistakes in both."""
    entries = spot.entries()
    values: dict[K, T] = {}
    for key, entry in entries.items():
        name: K | None = None
        with suppress(RefusedError):
            name = read_key(entry)
        with suppress(RefusedError):
            value = read_value(spot.child(entry), key)
            if name is not None:
                values[name] = value
    if len(values) < len(entries):
        raise RefusedError
    return values


def key_spot(spot: Spot, entry: Entry) -> Spot:
    """Return a key, to be read like a value, but without variables of the environment."""
    here = Spot(entry.key, key_path(spot.path, entry.key.text), spot.reading)
    if "${" in entry.key.text:
        here.refuse("a key takes nothing from the environment")
    return here


def unique(what: str, reader: Reader[str]) -> Reader[str]:
    """Return a reader of a name that may be given once in the whole configuration."""

    def read(spot: Spot) -> str:
        name = reader.read(spot)
        take(spot, what, name)
        return name

    return replace(reader, read=read)


def take(spot: Spot, what: str, name: str) -> None:
    """Refuse a name that another part has taken."""
    here = (spot.path, spot.node.place)
    path, place = spot.reading.taken.setdefault((what, name), here)
    if path != spot.path:
        spot.refuse(f"another {what} has this already: {path} at {place}")


def reference(what: str, *, in_list: bool = False) -> Reader[str]:
    """Return a reader of the name of an existing lane, account or operator.

    `in_list` says that a list of names may stand for one name.
    """
    instead = ": write a list" if in_list else ""

    def read(spot: Spot) -> str:
        name = spot.text()
        names = spot.reading.names.get(what)
        if names is not None and name not in names:
            if "*" in name:
                spot.refuse(f"the name of one {what} is wanted here, no pattern{instead}")
            spot.refuse(f"unknown {what}", nearest(name, names), listed(f"{what}s", names))
        return name

    allowed = f"the name of an {what}" if what[0] in "ao" else f"a {what}'s name"
    return Reader(what, read, allowed, schema=matching(".+"))


def former(what: str, name: Reader[str]) -> Reader[str]:
    """Return a reader of the name that an account or operator had before it was renamed."""

    def read(spot: Spot) -> str:
        was = name.read(spot)
        if was in (spot.reading.names.get(what) or ()):
            spot.refuse(
                f"the configuration still has the {what} {was}; what waits can be handed over only"
                " from one that it has no more"
            )
        path, place = spot.reading.taken.setdefault(
            (f"former {what}", was), (spot.path, spot.node.place)
        )
        if path != spot.path:
            spot.refuse(f"two cannot have been {was}: {path} at {place} has been it already")
        return was

    return replace(name, read=read)
