"""The digest of a configuration: a short name for what it says, equal wherever it says the same.

It is made of the settings as they were read and of the content of the files that they name. It does
not depend on the order and the names of files, on comments and places, on the order of accounts,
operators and rules for different prefixes (as far as rules have one prefix each), on the folder, or
on whether a default is written.

Values of secrets are not in it, and so it is no help to guess one; two configurations that differ
in nothing but a password have the same digest. `difference` tells them apart.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import Final

from router.decide.prefixes import Groups
from router.settings.moved import moved
from router.settings.rule_order import competes_at, listed_prefixes
from router.terms.settings import RefuseSettings, RouteSettings, SeenFile, Settings

DIGITS: Final = 12
"""Hexadecimal digits of the digest: 48 bits, to be compared by people and to label a metric."""

_said: Final = attrgetter(
    *(one.name for one in fields(RouteSettings) if one.compare and one.name != "destination")
)
_refused: Final = attrgetter(*(one.name for one in fields(RefuseSettings) if one.compare))


def digest_of(settings: Settings) -> str:
    """Return the digest of a configuration."""
    found = hashlib.sha256()
    for line in canonical(settings):
        found.update(line.encode() + b"\n")
    return found.hexdigest()[:DIGITS]


def canonical(settings: Settings) -> Iterator[str]:
    """Yield what a configuration says in one form, a line for each value, without secrets."""
    here = moved(settings, Path())
    yield from _lines("", replace(here, routes=(), refuse=()), here.files)
    yield f"routes: {len(settings.routes)}"
    words: dict[tuple[object, ...], str] = {}
    """What routes say: of a hundred thousand most differ in nothing but the prefix."""
    for rule in _in_order(settings.routes, settings.prefixes):
        said = _said(rule)
        if said not in words:
            words[said] = repr(said)
        yield f"{rule.destination} {words[said]}"
    yield from map(repr, map(_refused, settings.refuse))


def _in_order(routes: Sequence[RouteSettings], groups: Groups) -> Sequence[RouteSettings]:
    """Return routes so that the order of those that do not compete does not count."""
    listed = listed_prefixes(routes, groups)
    if not listed:
        return sorted(routes, key=attrgetter("destination"))

    def order(rule: RouteSettings) -> tuple[bool, str]:
        prefix = competes_at(rule, listed)
        return prefix is None, prefix or ""

    return sorted(routes, key=order)


def _lines(path: str, value: object, files: Mapping[Path, SeenFile]) -> Iterator[str]:
    if is_dataclass(value) and type(value).__str__ is object.__str__:
        for one in fields(value):
            if one.compare and one.repr:  # A secret is never shown.
                yield from _lines(f"{path}.{one.name}", getattr(value, one.name), files)
    elif isinstance(value, Mapping):
        for key in sorted(value):
            yield from _lines(f"{path}.{key!r}", value[key], files)
    elif isinstance(value, tuple):
        yield f"{path}: {len(value)}"
        for number, part in enumerate(value):
            yield from _lines(f"{path}[{number}]", part, files)
    elif isinstance(value, Path):
        yield f"{path}: {files[value].digest if value in files else value}"
    else:
        yield f"{path}: {value if is_dataclass(value) else _plain(value)}"


def _plain(value: object) -> str:
    """Return a value without parts: text in quotes, so that none looks like another value."""
    return repr(value) if isinstance(value, str | int | float | None) else str(value)
