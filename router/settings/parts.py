"""What a configuration is made of: parts with known keys, lists and mappings of those, references.

Every key has a reader. Which keys there are, and how each is written, stands in `keys.py`.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import Final, Generic, TypeVar

from router.settings.mistakes import key_path, listed, nearest, written_twice
from router.settings.places import Entry
from router.settings.reading import RefusedError, Spot
from router.settings.units import NotUnderstoodError
from router.terms.settings import Place

T = TypeVar("T")
K = TypeVar("K", str, int)
T_co = TypeVar("T_co", covariant=True)

KEYS_APART: Final = {"addresses": "address", "passwords": "password"}
"""Fields whose key is more than the name without its unit."""


@dataclass(frozen=True, slots=True)
class Reader(Generic[T_co]):
    """How one kind of value is read."""

    kind: str
    """The one word for it in `config/README.md`."""
    read: Callable[[Spot], T_co]
    allowed: str = ""
    """What may be written, as the reference says it."""
    part: "Part[object] | None" = None
    """The keys below, where it is a mapping with known keys."""


@dataclass(slots=True)
class Found:
    """What was found of a part, before it is built."""

    entries: Mapping[str, Entry]
    values: dict[str, object]
    """By field; a value that cannot be read is not there."""
    meant: set[str]
    """Keys that were probably meant by unknown ones: not to be called missing as well."""

    def lacks(self, key: str) -> bool:
        """Whether the key is neither written nor meant."""
        return key not in self.entries and key not in self.meant


def _no_more_to_say(_spot: Spot, _found: Found) -> None:
    """Most parts have no rule between their keys."""


@dataclass(frozen=True, slots=True)
class Part(Generic[T_co]):
    """One mapping with known keys, which becomes one object of settings."""

    settings: Callable[..., T_co]
    """The class that it becomes."""
    readers: Mapping[str, Reader[object]]
    """By field, in the order of the file's description; fields that are no keys are not here."""
    finish: Callable[[Spot, Found], None] = _no_more_to_say
    """The rules between the keys: notes mistakes, and may complete the values."""

    @property
    def required(self) -> frozenset[str]:
        """The fields that must be written."""
        return _without_default(self.settings) & self.readers.keys()

    @property
    def reader(self) -> Reader[T_co]:
        """What reads it where nothing but the file is needed."""
        return Reader("mapping", self.read, part=self)

    def read(self, spot: Spot, **given: object) -> T_co:
        """Build the settings, or note everything that is wrong with them."""
        entries = spot.entries()
        by_key = {key_of(name): name for name in self.readers}
        missing = {key_of(name) for name in self.required} - entries.keys()
        found = Found(entries, dict(given), _unknown_keys(spot, list(by_key), missing))
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
                spot.note("is missing and must be written", key=key_of(name))
        _remember_places(spot)
        self.finish(spot, found)
        if refused:
            raise RefusedError
        return self.settings(**found.values)


@cache
def _without_default(settings: Callable[..., object]) -> frozenset[str]:
    return frozenset(
        each.name
        for each in fields(settings)  # type: ignore[arg-type]  # Every part's is a dataclass.
        if each.default is MISSING and each.default_factory is MISSING
    )


@cache
def key_of(name: str) -> str:
    """The key of a field: its name without its unit."""
    return KEYS_APART.get(name) or name.removesuffix("_s").removesuffix("_bytes")


def _unknown_keys(spot: Spot, known: list[str], missing: set[str]) -> set[str]:
    """Note the unknown keys; returns those that were probably meant."""
    entries = spot.entries()
    meant = set()
    for key in entries.keys() - set(known):
        guess = nearest(key, known, likelier=missing or set(known) - entries.keys())
        place = entries[key].key.place
        spot.note("unknown key", guess, listed("keys", known), at=place, key=key)
        if guess:
            meant.add(guess)
    return meant


def _remember_places(spot: Spot) -> None:
    # A hundred thousand routes would be most of the memory of a router; they know their line.
    if not spot.path.startswith("routes["):
        for key, entry in spot.entries().items():
            spot.reading.places[key_path(spot.path, key)] = entry.value.place


def scalar(kind: str, parse: Callable[[str], T], allowed: str = "") -> Reader[T]:
    """A reader of one value by a function of `units.py`."""

    def read(spot: Spot) -> T:
        text = spot.text()
        try:
            return parse(text)
        except NotUnderstoodError as wrong:
            spot.refuse(wrong.message, wrong.suggestion)

    return Reader(kind, read, allowed)


def listing(reader: Reader[T], at_least: int = 1) -> Reader[tuple[T, ...]]:
    """A reader of a list."""

    def read(spot: Spot) -> tuple[T, ...]:
        spots = spot.items()
        if len(spots) < at_least:
            spot.refuse("the list is empty: it needs at least one item")
        return tuple(read_all(spots, reader.read))

    kind = "list" if reader.part else f"list of {reader.kind}"
    return Reader(kind, read, reader.allowed, reader.part)


def read_all(spots: list[Spot], read: Callable[[Spot], T]) -> list[T]:
    """Every value, or every mistake."""
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
    """A reader of a mapping whose keys are data: numbers, names, statuses."""

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

    return Reader(
        "mapping", read, f"{key.allowed or key.kind} → {value.allowed or 'see below'}", value.part
    )


def named(part: Part[T], name: Reader[str]) -> Reader[dict[str, T]]:
    """A reader of a mapping whose keys are the names of its values."""

    def read(spot: Spot) -> dict[str, T]:
        if not spot.entries():
            spot.refuse("the mapping is empty: it needs at least one key")
        return read_pairs(
            spot,
            lambda entry: name.read(key_spot(spot, entry)),
            lambda child, key: part.read(child, name=key),
        )

    return Reader("mapping", read, f"name ({name.allowed}) → see below", part)


def read_pairs(
    spot: Spot, read_key: Callable[[Entry], K], read_value: Callable[[Spot, str], T]
) -> dict[K, T]:
    """Every key and value of a mapping, or every mistake in both."""
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
    """A key, to be read as a value is; nothing is taken from the environment for it."""
    here = Spot(entry.key, key_path(spot.path, entry.key.text), spot.reading)
    if "${" in entry.key.text:
        here.refuse("a key takes nothing from the environment")
    return here


def unique(what: str, reader: Reader[str]) -> Reader[str]:
    """A reader of a name that may be given once in the whole configuration."""

    def read(spot: Spot) -> str:
        name = reader.read(spot)
        take(spot, what, name)
        return name

    return Reader(reader.kind, read, reader.allowed)


def take(spot: Spot, what: str, name: str) -> None:
    """Refuse a name that another part has taken."""
    here = (spot.path, spot.node.place)
    path, place = spot.reading.taken.setdefault((what, name), here)
    if path != spot.path:
        spot.refuse(f"another {what} has this already: {path} at {place}")


def reference(what: str) -> Reader[str]:
    """A reader of the name of a lane, an account or an operator that there is."""

    def read(spot: Spot) -> str:
        name = spot.text()
        names = spot.reading.names.get(what)
        if names is not None and name not in names:
            spot.refuse(f"unknown {what}", nearest(name, names), listed(f"{what}s", names))
        return name

    return Reader(what, read, f"the name of an {what}" if what[0] in "ao" else f"a {what}'s name")
