"""What differs between two configurations, in words; and what of it needs a restart.

Accounts, operators and binds are compared by name, so that one that only moved in its file is the
same; routes and inbound rules by their conditions, and by their order where that counts. A file
that is named counts as changed if its content is another. No secret is told.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, fields, is_dataclass, replace
from itertools import zip_longest
from typing import Final, TypeVar

from router.settings.mistakes import item_path
from router.settings.moved import moved
from router.settings.rule_changes import (
    Kind,
    RuleChange,
    inbound_changes,
    refuse_changes,
    route_changes,
)
from router.settings.units import show_duration, show_percent, show_size
from router.terms.settings import (
    AccountSettings,
    BindSettings,
    LaneSettings,
    ListenSettings,
    OperatorSettings,
    Place,
    PrefixGroup,
    Settings,
)

NEEDS_RESTART: Final = ("listen", "journal", "node", "telemetry.listen", "control.listen")
"""Keys that only a new process follows, with all that is under them, but for the certificates of a
listener and the addresses of its proxies. Beside them: whether there are records; the names and the
order of `lanes`, because the queues on disk are told apart by them; and `formerly` where an
operator or account is there already under its new name, because both have messages."""
LEFT: Final = "what is left under that name is handed over"
HANDED_OVER: Final = "its queue and outbox are handed over, its clients bind anew"

MOST_SHOWN: Final = 20
"""Values of a list that are shown; of more, how many there are."""
_KEYS: Final = {"certificates": "certificate", "only_files": "only", "proxies": "from"}
Name = TypeVar("Name")

NO_KEYS: Final = frozenset({"name", "file", "line", "places", "files", "folder", "digest"})
"""Fields that are no keys of the file, or are the name under which a part is compared."""
_SHOWN: Final[tuple[tuple[str, Callable[[float], str]], ...]] = (
    ("_s", show_duration),
    ("_bytes", lambda octets: show_size(int(octets))),
    ("_share", show_percent),
)


_OFF: Final = frozenset({"failover_after_s"})
"""Fields that are None where `false` is written."""


@dataclass(frozen=True, slots=True)
class Change:
    """One key, or one part with a name, that is not as it was."""

    path: str
    """As in messages about a configuration: `operators.telia.binds.telia-3.rate`."""
    kind: Kind
    before: str = ""
    """What was written, in a word; of a part that was renamed, its name; empty for one that
    appeared, and for a secret."""
    after: str = ""
    place: str = ""
    """`file:line` of a route."""

    def __str__(self) -> str:
        at = f" ({self.place})" if self.place else ""
        return f"{self._words()}{at}"

    def _words(self) -> str:
        if self.kind == "more":
            return f"{self.path}: and more: {self.after}"
        if self.kind == "moved":
            return f"{self.path}: moved: {self.before} -> {self.after}"
        if self.kind == "renamed":
            handed_over = f"; {HANDED_OVER}" if self.path.startswith("accounts.") else ""
            return f"{self.path}: formerly {self.before}{handed_over}"
        if self.kind != "changed":
            does = self.before or self.after
            return ": ".join(filter(None, (self.path, self.kind, does)))
        if self.before == self.after:  # A secret, or something that has no short form.
            return f"{self.path}: changed"
        return f"{self.path}: {self.before} -> {self.after}"


@dataclass(frozen=True, slots=True)
class Difference:
    """All that differs, in the order of the settings."""

    changes: tuple[Change, ...]
    needs_restart: tuple[str, ...]
    """The keys among them that a running router cannot follow; empty where it can follow all."""

    def __bool__(self) -> bool:
        return bool(self.changes)


def difference(old: Settings, new: Settings) -> Difference:
    """Compare two configurations, each valid in itself, as if the new one stood in the old's place.

    So a copy in another folder, whose certificates and journal are named relative to it, is equal.
    """
    new = moved(new, old.folder)
    changes = (*_parts("", old, new), *_contents(old, new))
    restart = [
        change.path
        for change in changes
        if any(change.path == key or change.path.startswith((f"{key}.", f"{key}["))
               for key in NEEDS_RESTART)
        and not is_certificate(change.path)
    ]  # fmt: skip
    restart += [
        one.path
        for one in changes
        if one.path.endswith(".formerly") and one.kind == "changed" and one.after != "none"
    ]
    if bool(old.records.keep_s) != bool(new.records.keep_s):
        restart.append("records.keep")
    if [lane.name for lane in old.lanes] != [lane.name for lane in new.lanes]:
        restart.append("lanes")
    return Difference(changes, tuple(restart))


def without_lists(found: Difference, old: Settings, new: Settings) -> Difference:
    """Return a difference that tells only how many prefixes there are in groups that have a file.

    Not everybody who may ask for the difference may read such a file.
    """
    groups = {
        f"prefixes.{name}.prefixes": (group, new.prefixes[name])
        for name, group in old.prefixes.items()
        if name in new.prefixes and (group.file or new.prefixes[name].file)
    }

    def counted(change: Change) -> Change:
        if change.path not in groups:
            return change
        before, after = (f"{len(group.prefixes)} of them" for group in groups[change.path])
        return replace(change, before=before, after=after)

    return replace(found, changes=tuple(map(counted, found.changes)))


def _contents(old: Settings, new: Settings) -> Iterator[Change]:
    """Compare the contents of the files that both name, such as certificates."""
    for file, before in old.files.items():
        after = new.files.get(file)
        if after is not None and before.digest and after.digest and before.digest != after.digest:
            yield Change(f"file {file}", "changed")


def is_certificate(path: str) -> bool:
    """Return whether a path is of what a listener follows: certificates, and its proxies."""
    return path.startswith("listen[") and (".tls." in path or path.endswith(".proxy.from"))


def _parts(path: str, old: object, new: object) -> Iterator[Change]:
    """Compare two of one dataclass, key by key."""
    for one in fields(old):  # type: ignore[arg-type]
        if one.name not in NO_KEYS:
            before, after = getattr(old, one.name), getattr(new, one.name)
            if before == after:
                continue
            if isinstance(old, Settings) and isinstance(new, Settings) and one.name in _RULES:
                yield from (Change(*found) for found in _RULES[one.name](old, new))
            else:
                yield from _values(one, f"{path}{_key_of(one)}", before, after)


def _routes(old: Settings, new: Settings) -> list[RuleChange]:
    """Compare routes; one that only names an operator or account as it is called now is equal."""
    operators = new_names(old.operators, new.operators)
    accounts = new_names(old.accounts, new.accounts)
    routes = old.routes
    if operators or accounts:
        routes = tuple(
            replace(
                rule,
                to=tuple(operators.get(name, name) for name in rule.to),
                account=tuple(accounts.get(name, name) for name in rule.account),
            )
            for rule in routes
        )
    return route_changes(routes, new.routes, old.prefixes, new.prefixes)


def _refuse(old: Settings, new: Settings) -> list[RuleChange]:
    accounts = new_names(old.accounts, new.accounts)
    rules = [
        replace(rule, account=tuple(accounts.get(name, name) for name in rule.account))
        for rule in old.refuse
    ]
    return refuse_changes(rules, new.refuse)


def _inbound(old: Settings, new: Settings) -> list[RuleChange]:
    operators = new_names(old.operators, new.operators)
    accounts = new_names(old.accounts, new.accounts)
    rules = tuple(
        replace(
            rule,
            to=accounts.get(rule.to, rule.to),
            operator=None if rule.operator is None else operators.get(rule.operator, rule.operator),
        )
        for rule in old.inbound
    )
    at: dict[int, str] = {}
    for one, places in ((rules, old.places), (new.inbound, new.places)):
        for number, rule in enumerate(one):
            place = places.get(f"{item_path('inbound', number)}.to")
            at[id(rule)] = "" if place is None else str(Place(place.file, place.line))
    return inbound_changes(rules, new.inbound, lambda rule: at[id(rule)])


def new_names(before: Mapping[Name, object], after: Mapping[Name, object]) -> dict[Name, Name]:
    """Return what is called otherwise now, by its former name."""
    found: dict[Name, Name] = {}
    for name, part in after.items():
        was = getattr(part, "formerly", None)
        if was is not None and name not in before and was in before and was not in after:
            found[was] = name
    return found


_RULES: Final = {"routes": _routes, "refuse": _refuse, "inbound": _inbound}
"""Lists that are compared rule by rule, by their key."""


def _values(one: "Field[object]", path: str, before: object, after: object) -> Iterator[Change]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from _named(one, path, before, after)
    elif one.name == "listen" and isinstance(before, tuple) and isinstance(after, tuple):
        yield from _listeners(before, after)
    elif _has_names(before) and _has_names(after):
        assert isinstance(before, Sequence)
        assert isinstance(after, Sequence)
        old = {part.name: part for part in before}
        new = {part.name: part for part in after}
        yield from _named(one, path, old, new)
        if set(old) == set(new) and list(old) != list(new):
            yield Change(path, "changed", ", ".join(old), ", ".join(new))
    elif isinstance(before, PrefixGroup) and isinstance(after, PrefixGroup):
        yield from _parts(f"{path}.", before, replace(after, prefixes=before.prefixes))
        yield from _prefixes(f"{path}.prefixes", before, after)
    elif is_part(before) and type(before) is type(after):
        yield from _parts(f"{path}.", before, after)
    elif not one.repr:
        yield Change(path, "changed")
    else:
        yield Change(path, "changed", shown(one, before), shown(one, after))


def _prefixes(path: str, before: PrefixGroup, after: PrefixGroup) -> Iterator[Change]:
    old, new = {*before.prefixes}, {*after.prefixes}
    if old != new:
        more = f"{len(new)} (+{len(new - old)} -{len(old - new)})"
        yield Change(path, "changed", f"{len(old)} of them", more)


def _listeners(
    before: tuple[ListenSettings, ...], after: tuple[ListenSettings, ...]
) -> Iterator[Change]:
    for number, (old, new) in enumerate(zip_longest(before, after)):
        path = f"listen[{number}]"
        if old is None or new is None:
            yield Change(path, "added" if old is None else "removed")
        elif old.address != new.address:  # Another listener, whatever else of it is as it was.
            yield Change(path, "changed", str(old.address), str(new.address))
        elif old != new:
            yield from _parts(f"{path}.", old, new)


def _named(
    one: "Field[object]",
    path: str,
    before: Mapping[object, object],
    after: Mapping[object, object],
) -> Iterator[Change]:
    renamed = {name: was for was, name in new_names(before, after).items()}
    for name in {**before, **after}:
        here = f"{path}.{name}"
        if name in renamed:
            was, part = renamed[name], after[name]
            assert isinstance(part, AccountSettings | OperatorSettings)
            yield Change(here, "renamed", str(was))
            former = replace(before[was], formerly=part.formerly)  # type: ignore[type-var]
            yield from _parts(f"{here}.", former, part)
        elif name in renamed.values():
            pass  # Told where its new name is.
        elif name not in after:
            yield Change(here, "removed")
        elif name not in before:
            was = getattr(after[name], "formerly", None)  # Removed by an earlier change.
            gone = "" if was is None or was in after else f"formerly {was}; {LEFT}"
            yield Change(here, "added", "", gone)
        elif before[name] != after[name]:
            yield from _values(one, here, before[name], after[name])


def _has_names(value: object) -> bool:
    return isinstance(value, tuple) and all(
        isinstance(part, BindSettings | LaneSettings) for part in value
    )


def is_part(value: object) -> bool:
    """Whether a value is compared key by key: a part of the file, and no rate or address."""
    return is_dataclass(value) and type(value).__str__ is object.__str__


def _key_of(one: "Field[object]") -> str:
    """The key in the file: a field without its unit."""
    if one.name in _KEYS:
        return _KEYS[one.name]
    for suffix in ("_s", "_bytes"):
        if one.name.endswith(suffix) and not one.name.endswith("_per_s"):
            return one.name.removesuffix(suffix)
    return one.name


def shown(one: "Field[object]", value: object) -> str:
    """A value as it could be written, where that is short; else how many parts it has."""
    if value is None:
        return "false" if one.name in _OFF else "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        if any(is_dataclass(part) and is_part(part) for part in value):
            return f"{len(value)} of them"
        if len(value) > MOST_SHOWN:
            return f"{len(value)} of them"
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, int | float):
        for suffix, show in _SHOWN:
            if one.name.endswith(suffix):
                return show(value)
    return str(value) if not is_part(value) else "set"
