"""What differs between two lists of rules, rule by rule, as who manages routes wants to read it.

A rule is known by its conditions: the rule for `destination 372; account shop` of before is the one
of after, wherever the two stand. So a rule is added, removed, or changed in what it does; or it is
moved, where its order counts: among routes with one prefix, among those with several, and among all
rules of another kind.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from datetime import UTC
from itertools import islice
from typing import Final, Literal, NamedTuple, TypeVar

from router.decide.prefixes import EMPTY, Groups
from router.settings.rule_order import competes_at, listed_prefixes
from router.settings.rule_words import conditions_of, does_of, place_of
from router.terms.settings import InboundSettings, RefuseSettings, RouteSettings

MOST_TOLD: Final = 20
"""Rules that are told one by one; how many more there are is told of the others."""

Kind = Literal["added", "removed", "renamed", "changed", "moved", "more"]
Rule = TypeVar("Rule", RouteSettings, RefuseSettings, InboundSettings)
Key = tuple[Hashable, Hashable, int]
"""The group of a rule, in which the order counts; its conditions; which one of those alike."""
Places = tuple[int, int]
"""Of before and after."""


class RuleChange(NamedTuple):
    """One rule that is not as it was; the fields are those of `difference.Change`."""

    path: str
    kind: Kind
    before: str
    after: str
    place: str
    """Where the rule stands; where it stood, if it is gone."""


def route_changes(
    old: Sequence[RouteSettings],
    new: Sequence[RouteSettings],
    groups_before: Groups = EMPTY,
    groups: Groups = EMPTY,
) -> list[RuleChange]:
    """Compare two route tables. Where only rules for different prefixes moved, nothing differs."""
    listed = listed_prefixes(old, groups_before) | listed_prefixes(new, groups)

    def by_place(rules: Sequence[RouteSettings]) -> dict[str | None, list[RouteSettings]]:
        found: dict[str | None, list[RouteSettings]] = {}
        for rule in rules:
            found.setdefault(competes_at(rule, listed), []).append(rule)
        return found

    # Of a hundred thousand prefixes most are as they were, and each is looked at by itself.
    before, after = by_place(old), by_place(new)
    differ = {one for one in {**before, **after} if before.get(one) != after.get(one)}
    old, new = (
        [one for one in rules if competes_at(one, listed) in differ] for rules in (old, new)
    )

    def group_of(rule: RouteSettings) -> tuple[Hashable, Hashable]:
        return competes_at(rule, listed), (rule.priority, rule.in_lane, *_of_rule(rule))

    return _told("routes", _keyed(old, group_of), _keyed(new, group_of), place_of)


def refuse_changes(
    old: Sequence[RefuseSettings], new: Sequence[RefuseSettings]
) -> list[RuleChange]:
    """Compare two lists of rules that refuse, of which the first that holds decides."""

    def group_of(rule: RefuseSettings) -> tuple[Hashable, Hashable]:
        return "", (rule.lane, *_of_rule(rule))

    return _told("refuse", _keyed(old, group_of), _keyed(new, group_of), place_of)


def inbound_changes(
    old: Sequence[InboundSettings],
    new: Sequence[InboundSettings],
    places: Callable[[InboundSettings], str] = lambda _: "",
) -> list[RuleChange]:
    """Compare two lists of inbound rules, of which the first that holds decides.

    They do not know where they stand: `places` does.
    """

    def group_of(rule: InboundSettings) -> tuple[Hashable, Hashable]:
        return "", (rule.operator, rule.destination, rule.keyword)

    return _told("inbound", _keyed(old, group_of), _keyed(new, group_of), places)


def _of_rule(rule: RouteSettings | RefuseSettings) -> tuple[Hashable, ...]:
    """Return what routes and rules that refuse are known by: files by their names."""
    files = tuple(file.file for file in rule.sender_files)
    return (
        *(rule.destination, rule.groups, rule.account, rule.sender, files, rule.service_type),
        *(rule.country, rule.network),
        *(rule.hours, frozenset(rule.days), str(rule.zone or UTC)),
    )


def _keyed(
    rules: Sequence[Rule], group_of: Callable[[Rule], tuple[Hashable, Hashable]]
) -> dict[Key, Rule]:
    """Return the rules by what they are known by, in their order."""
    found: dict[Key, Rule] = {}
    alike: Counter[tuple[Hashable, Hashable]] = Counter()
    """How many there are of each group and conditions; only the first of those can ever win."""
    for rule in rules:
        group, conditions = group_of(rule)
        found[group, conditions, alike[group, conditions]] = rule
        alike[group, conditions] += 1
    return found


def _told(
    path: str,
    old: Mapping[Key, Rule],
    new: Mapping[Key, Rule],
    places: Callable[[Rule], str],
) -> list[RuleChange]:
    moved = _moved(old, new)
    changes = _changes(old, new, moved)
    found = [
        _in_words(path, kind, old.get(key), new.get(key), moved.get(key), places)
        for kind, key in islice(changes, MOST_TOLD)
    ]
    more = Counter(kind for kind, _ in changes)
    if more:
        kinds = ", ".join(f"{count} {kind}" for kind, count in more.items())
        found.append(RuleChange(path, "more", "", kinds, ""))
    return found


def _changes(
    old: Mapping[Key, Rule], new: Mapping[Key, Rule], moved: Mapping[Key, Places]
) -> Iterator[tuple[Kind, Key]]:
    for key in {**old, **new}:
        if key not in old:
            yield "added", key
        elif key not in new:
            yield "removed", key
        else:
            if old[key] != new[key]:
                yield "changed", key
            if key in moved:
                yield "moved", key


def _in_words(
    path: str,
    kind: Kind,
    before: Rule | None,
    after: Rule | None,
    moved: Places | None,
    places: Callable[[Rule], str],
) -> RuleChange:
    rule = before if after is None else after
    assert rule is not None
    if kind == "moved" and moved is not None:
        was, now = (f"place {place}" for place in moved)
    else:
        was, now = ("" if one is None else does_of(one) for one in (before, after))
    return RuleChange(f"{path}[{conditions_of(rule)}]", kind, was, now, places(rule))


def _moved(old: Mapping[Key, Rule], new: Mapping[Key, Rule]) -> dict[Key, Places]:
    """Return the fewest rules that have moved in their groups: the places of before and after.

    Places count from 1 among the rules of the group that there were before and are after.
    """
    before, after = _by_group(old, new), _by_group(new, old)
    moved: dict[Key, Places] = {}
    for group, keys in before.items():
        now = after[group]
        if keys != now:
            at = {key: place for place, key in enumerate(keys)}
            stay = set(_longest_rising([at[key] for key in now]))
            for place, key in enumerate(now, 1):
                if at[key] not in stay:
                    moved[key] = at[key] + 1, place
    return moved


def _by_group(rules: Mapping[Key, Rule], others: Mapping[Key, Rule]) -> dict[Hashable, list[Key]]:
    """Return the keys that both have, in the order of the first, by group."""
    found: dict[Hashable, list[Key]] = {}
    for key in rules:
        if key in others:
            found.setdefault(key[0], []).append(key)
    return found


def _longest_rising(numbers: Sequence[int]) -> list[int]:
    """Return a longest selection, in order, in which each number is above the one before."""
    ends: list[int] = []
    """The least end of a selection of each length."""
    lengths = []
    for number in numbers:
        length = bisect_left(ends, number)
        ends[length : length + 1] = [number]
        lengths.append(length)
    wanted = len(ends) - 1
    found = []
    for number, length in zip(reversed(numbers), reversed(lengths), strict=True):
        if length == wanted:
            found.append(number)
            wanted -= 1
    return found
