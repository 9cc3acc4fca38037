"""How the conditions of a rule are written: values, lists, files, and groups of prefixes."""

from typing import Final, NamedTuple, TypeVar, cast

from router.settings import values as value
from router.settings.lists import prefixes_in, senders_in
from router.settings.parts import (
    Found,
    Part,
    Reader,
    Schema,
    listing,
    matching,
    one_or_list,
    read_all,
    reference,
)
from router.settings.places import Scalar, Sequence, Table
from router.settings.reading import Spot
from router.terms.names import GroupName
from router.terms.settings import ListFile, PrefixGroup

T = TypeVar("T")

GROUP: Final = "prefix group"
"""What messages call a group of prefixes."""


class Destinations(NamedTuple):
    """The value of `destination`: prefixes, and groups of them."""

    destination: tuple[str, ...]
    groups: tuple[GroupName, ...]


class Senders(NamedTuple):
    """The value of `sender`: what stands there, and files of more."""

    sender: tuple[str, ...]
    sender_files: tuple[ListFile, ...]


def _items(spot: Spot) -> list[Spot]:
    """Return the items of a list, or the one value that stands for such a list."""
    if not isinstance(spot.node, Sequence):
        return [spot]
    if not spot.node.items:
        spot.refuse("the list is empty: the rule would never hold")
    return spot.items()


def _each_once(spots: list[Spot], found: list[T]) -> list[T]:
    """Return values, or note which of them stand there twice."""
    seen: set[T] = set()
    for spot, one in zip(spots, found, strict=True):
        if one in seen:
            spot.note("this stands in the list already")
        seen.add(one)
    return found


def _only_key(spot: Spot, key: str, instead: str) -> Spot:
    """Return the value of the one key of a mapping."""
    if spot.entries().keys() != {key}:
        spot.refuse(f"{instead} or {{{key}: ...}} is wanted here")
    return spot.child(spot.entries()[key])


def _object(key: str, schema: Schema) -> Schema:
    return {
        "type": "object",
        "properties": {key: schema},
        "required": [key],
        "additionalProperties": False,
    }


def _or_list(*alternatives: Schema) -> Schema:
    one: Schema = {"anyOf": list(alternatives)}
    return {"anyOf": [*alternatives, {"type": "array", "items": one, "minItems": 1}]}


# Destinations.

_group: Final = reference(GROUP, in_list=True)
_groups: Final = one_or_list(_group, "", empty="the list of groups is empty: no number is in it")


def _read_destination(spot: Spot) -> str | tuple[GroupName, ...]:
    if isinstance(spot.node, Table):
        names = _groups.read(_only_key(spot, "prefixes", "a prefix"))
        return tuple(map(GroupName, names))
    return value.prefix.read(spot)


def _read_destinations(spot: Spot) -> Destinations:
    spots = _items(spot)
    found = _each_once(spots, read_all(spots, _read_destination))
    groups = dict.fromkeys(name for one in found if not isinstance(one, str) for name in one)
    return Destinations(tuple(one for one in found if isinstance(one, str)), tuple(groups))


destinations: Final = Reader(
    value.prefix.kind,
    _read_destinations,
    f"{value.prefix.allowed}; `{{prefixes: name}}`, or a list of those",
    schema=_or_list(value.prefix.schema, _object("prefixes", _groups.schema)),
)


# Senders.

_path: Final = matching(".+")


def _read_sender(spot: Spot) -> str | ListFile:
    if isinstance(spot.node, Table):
        file = _only_key(spot, "file", "a sender")
        return ListFile(file=file.text(), values=senders_in(file, value.parsed_sender))
    return value.sender.read(spot)


def _read_senders(spot: Spot) -> Senders:
    spots = _items(spot)
    found = _each_once(spots, read_all(spots, _read_sender))
    return Senders(
        tuple(one for one in found if isinstance(one, str)),
        tuple(one for one in found if not isinstance(one, str)),
    )


senders: Final = Reader(
    value.sender.kind,
    _read_senders,
    f"{value.sender.allowed}; `{{file: path}}`, or a list of those",
    schema=_or_list(value.sender.schema, _object("file", _path)),
)


# Names and words.


def any_of(reader: Reader[T]) -> Reader[tuple[T, ...]]:
    """Return a reader of one value of a condition, or of a list of them."""

    def read(spot: Spot) -> tuple[T, ...]:
        spots = _items(spot)
        return tuple(_each_once(spots, read_all(spots, reader.read)))

    schema = _or_list(reader.schema)
    return Reader(reader.kind, read, f"{reader.allowed}, or a list of those", schema=schema)


# Groups of prefixes.


def finish_group(found: Found) -> None:
    """Read the file of the group."""
    if "file" in found.values and ("column" in found.values or found.lacks("column")):
        column = cast(str, found.values.get("column", found.defaults["column"]))
        found.values["prefixes"] = prefixes_in(found.spot.child(found.entries["file"]), column)


def group_reader(part: Part[PrefixGroup]) -> Reader[PrefixGroup]:
    """Return the reader of a group: a list of prefixes, or the part with its file."""
    several = listing(value.digits)

    def read(spot: Spot) -> PrefixGroup:
        if isinstance(spot.node, Sequence):
            return PrefixGroup(file="", prefixes=tuple(dict.fromkeys(several.read(spot))))
        if isinstance(spot.node, Scalar):
            spot.refuse('a list of prefixes, such as ["372"], or {file: path} is wanted here')
        return part.read(spot)

    schema = {"anyOf": [several.schema, part.schema]}
    return Reader("list or mapping", read, "a list of prefixes", part, schema)


file_name: Final = Reader(
    "path", lambda spot: spot.text(), "relative to the configuration", schema=_path
)


# All of a rule.


def finish_conditions(found: Found) -> None:
    """Put prefixes and senders where rules have them, and the place of the rule beside them."""
    for key in ("destination", "sender"):
        read = found.values.get(key)
        if isinstance(read, Destinations | Senders):
            found.values.update(read._asdict())
    if "zone" in found.entries and found.lacks("hours") and found.lacks("days"):
        found.note("zone", "says nothing without hours or days beside it")
    place = found.spot.node.place
    found.values |= {"file": place.file, "line": place.line}
