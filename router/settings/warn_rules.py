"""Warnings about rules: those that never hold, or not where somebody may think that they do.

What cannot be told quickly of very many rules is not told: a warning is a help, and no proof.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Final

from router.decide.conditions import ANY_END, lanes_of, senders_of
from router.decide.hours import minutes_of
from router.decide.prefixes import Groups, prefixes_of
from router.settings.mistakes import Mistake, item_path, key_path, mistake_at
from router.terms.settings import Place, RefuseSettings, RouteSettings, Settings

MOST_NAMED: Final = 3
"""Rules that a warning names."""
MOST_LISTS: Final = 100
"""Rules with lists, of those that stand before another, that are compared with that one."""
MOST_VALUES: Final = 1_000
"""Values of a list that are compared one by one."""
MOST_LONGER: Final = 200_000
"""Rules for longer prefixes that are looked at for all routes that refuse."""

Rule = RouteSettings | RefuseSettings
Wanted = tuple[frozenset[str], ...]
"""The values of each condition of a rule but its hours; empty: any."""


def rule_warnings(settings: Settings) -> Iterator[Mistake]:
    """Yield the warnings about routes, rules that refuse, and groups of prefixes."""
    yield from _taken_routes(settings.routes, settings.prefixes)
    yield from _overridden(settings.routes, settings.prefixes)
    yield from _taken_refusals(settings.refuse, settings.prefixes)
    yield from _unused_groups(settings)
    yield from _short_among_long(settings)
    yield from _empty_files(settings)
    kinds: dict[str, Sequence[Rule]] = {"refuse": settings.refuse, "routes": settings.routes}
    for key, rules in kinds.items():
        for number, rule in enumerate(rules):
            if (rule.hours or rule.days) and rule.zone is None:
                what = "its hours and days are counted in UTC: write the zone of the place, or UTC"
                yield _of(key, number, rule, what)


def _of(key: str, number: int, rule: Rule, what: str) -> Mistake:
    return mistake_at(Place(rule.file, rule.line), item_path(key, number), what)


def _named(key: str, number: int, rules: Sequence[Rule]) -> str:
    rule = rules[number]
    return f"{item_path(key, number)} ({Place(rule.file, rule.line)})"


def _several(key: str, numbers: Sequence[int], rules: Sequence[Rule]) -> str:
    named = [_named(key, one, rules) for one in numbers[:MOST_NAMED]]
    more = len(numbers) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def _wanted(rule: Rule) -> Wanted:
    """Return the conditions of a rule but its destination and hours."""
    priority: list[str] = []
    senders = frozenset(senders_of(rule))
    if isinstance(rule, RefuseSettings):
        senders = frozenset(map(str.casefold, senders))
    elif rule.priority is not None:
        priority = [str(rule.priority)]
    return (
        senders,
        *map(frozenset, (rule.account, priority, rule.service_type, lanes_of(rule))),
        *map(frozenset, (rule.country, rule.network)),
    )


def _covers(first: Wanted, other: Wanted) -> bool:
    """Whether the first conditions hold wherever the others do."""
    return _cover_senders(first[0], other[0]) and all(
        not wide or (narrow and narrow <= wide)
        for wide, narrow in zip(first[1:], other[1:], strict=True)
    )


def _cover_senders(wide: frozenset[str], narrow: frozenset[str]) -> bool:
    if not wide or (narrow and narrow <= wide):
        return True
    if not narrow or len(narrow) > MOST_VALUES:
        return False
    begins = tuple(one.removesuffix(ANY_END) for one in wide if one.endswith(ANY_END))
    return all(one in wide or one.startswith(begins) for one in narrow)


def _may_meet(one: Wanted, other: Wanted) -> bool:
    """Whether some message may fulfil both conditions."""
    senders, others = one[0], other[0]
    has_patterns = any(sender.endswith(ANY_END) for sender in (*senders, *others))
    meet = not senders or not others or has_patterns or not senders.isdisjoint(others)
    return meet and all(
        not left or not right or not left.isdisjoint(right)
        for left, right in zip(one[1:], other[1:], strict=True)
    )


class _Before:
    """The rules that stand before another one, and may take its messages."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules: Final = rules
        self._single: Final[dict[Wanted, list[int]]] = {}
        """By conditions, those in which each has one value or any."""
        self._lists: Final[list[tuple[Wanted, int]]] = []

    def add(self, number: int, wanted: Wanted) -> None:
        """Let a rule stand before all that are asked about later."""
        has_pattern = any(one.endswith(ANY_END) for one in wanted[0])
        if has_pattern or any(len(values) > 1 for values in wanted):
            self._lists.append((wanted, number))
        else:
            self._single.setdefault(wanted, []).append(number)

    def taking_all(self, number: int, wanted: Wanted) -> list[int]:
        """Return the rules that together take all messages of one that stands behind them."""
        choices = ((frozenset[str](), values) if values else (values,) for values in wanted)
        found = [one for key in product(*choices) for one in self._single.get(key, ())]
        found += [one for other, one in self._lists[:MOST_LISTS] if _covers(other, wanted)]
        rule, of_hours = self._rules[number], 0
        takers: list[int] = []
        for one in sorted(found):
            other = self._rules[one]
            if not (other.hours or other.days):
                return [one]
            if (rule.hours or rule.days) and str(other.zone) != str(rule.zone):
                continue
            of_hours |= minutes_of(other.hours, other.days)
            takers.append(one)
            if not minutes_of(rule.hours, rule.days) & ~of_hours:
                return takers
        return []


def _taken_routes(routes: Sequence[RouteSettings], groups: Groups) -> Iterator[Mistake]:
    """Warn of routes of which others, at the same prefixes, take the messages first."""
    first: dict[str, int] = {}
    several: dict[str, list[int]] = {}
    """The rules of the prefixes that have more than one; of 100,000 few have."""
    for number, route in enumerate(routes):
        for prefix in prefixes_of(route, groups) if route.groups else route.destination:
            before = first.setdefault(prefix, number)
            if before != number:
                several.setdefault(prefix, [before]).append(number)
    # A group has many prefixes with the same rules: those are looked at once.
    alike: dict[tuple[int, ...], list[str]] = {}
    for prefix, of_prefix in several.items():
        alike.setdefault(tuple(of_prefix), []).append(prefix)
    taken: dict[int, dict[str, Sequence[int]]] = {}
    """By rule, the prefixes at which it gets nothing, and the rules that take it."""
    wanted = {number: _wanted(routes[number]) for numbers in alike for number in numbers}
    for numbers, prefixes in alike.items():
        earlier = _Before(routes)
        for number in numbers:
            takers = earlier.taking_all(number, wanted[number])
            if takers:
                taken.setdefault(number, {}).update(dict.fromkeys(prefixes, takers))
            earlier.add(number, wanted[number])
    for number, at in sorted(taken.items()):
        every = len(prefixes_of(routes[number], groups))
        prefix, *_ = at
        takers = sorted({one for some in at.values() for one in some})
        named = _several("routes", takers, routes)
        takes, has = ("take", "have") if len(takers) > 1 else ("takes", "has")
        if len(at) == every:
            what = (
                f"this rule can never match: {named} {has} the same destination and {takes} all of"
                " its messages first"
            )
        else:
            what = (
                f"at {len(at)} of its {every} prefixes, such as {prefix}, {named} {takes} all of"
                " its messages first"
            )
        yield _of("routes", number, routes[number], what)


def _overridden(routes: Sequence[RouteSettings], groups: Groups) -> Iterator[Mistake]:
    """Warn of routes that refuse, where routes for longer prefixes take the messages."""
    refusing = [
        (number, route)
        for number, route in enumerate(routes)
        # One for all numbers, without conditions, is for what no other rule takes.
        if route.refuse is not None and (any(_wanted(route)) or prefixes_of(route, groups) != ("",))
    ]
    if not refusing:
        return
    sending = sorted(
        (prefix, number)
        for number, route in enumerate(routes)
        if route.refuse is None
        for prefix in prefixes_of(route, groups)
    )
    left = MOST_LONGER
    for number, route in refusing:
        wanted = _wanted(route)
        longer: set[int] = set()
        for prefix in prefixes_of(route, groups):
            for other in _longer(sending, prefix):
                left -= 1
                if left < 0:
                    return
                if other not in longer and _may_meet(wanted, _wanted(routes[other])):
                    longer.add(other)
        if longer:
            rules = "1 longer rule" if len(longer) == 1 else f"{len(longer)} longer rules"
            what = (
                f"overridden by {rules}, such as {_named('routes', min(longer), routes)}: what a"
                " rule for a longer prefix takes is not refused; a rule under `refuse`, at the top,"
                " is asked before all routes"
            )
            yield _of("routes", number, route, what)


def _longer(sending: Sequence[tuple[str, int]], prefix: str) -> Iterator[int]:
    """Yield the rules for prefixes that begin with this one and are longer."""
    for at in range(bisect_left(sending, (prefix, -1)), len(sending)):
        other, number = sending[at]
        if not other.startswith(prefix):
            return
        if other != prefix:
            yield number


def _taken_refusals(rules: Sequence[RefuseSettings], groups: Groups) -> Iterator[Mistake]:
    """Warn of rules under `refuse` of which earlier ones take all messages."""
    before = _Before(rules)
    at_prefix: dict[str, _Before] = {}
    for number, rule in enumerate(rules):
        wanted = _wanted(rule)
        prefixes = prefixes_of(rule, groups)
        takers = before.taking_all(number, wanted)
        if not takers and 0 < len(prefixes) <= MOST_VALUES:
            of_each = [_takers_at(at_prefix, one, number, wanted) for one in prefixes]
            takers = sorted({one for some in of_each for one in some}) if all(of_each) else []
        if takers:
            named = _several("refuse", takers, rules)
            takes = "takes" if len(takers) == 1 else "take"
            what = f"this rule can never match: {named} {takes} all of its messages first"
            yield _of("refuse", number, rule, what)
        if "" in prefixes or not prefixes:
            before.add(number, wanted)
        for prefix in prefixes:
            at_prefix.setdefault(prefix, _Before(rules)).add(number, wanted)


def _takers_at(
    at_prefix: Mapping[str, _Before], prefix: str, number: int, wanted: Wanted
) -> list[int]:
    """Return the rules for a prefix, or for a beginning of it, that take all messages of one."""
    for length in range(len(prefix) + 1):
        before = at_prefix.get(prefix[:length])
        takers = [] if before is None else before.taking_all(number, wanted)
        if takers:
            return takers
    return []


def _unused_groups(settings: Settings) -> Iterator[Mistake]:
    rules: list[Rule] = [*settings.refuse, *settings.routes]
    used = {name for rule in rules for name in rule.groups}
    for name in settings.prefixes:
        if name not in used:
            path = key_path("prefixes", name)
            places = settings.places
            place = places.get(f"{path}.file", places.get("prefixes", Place("")))
            yield mistake_at(place, path, "no rule names this group")


def _short_among_long(settings: Settings) -> Iterator[Mistake]:
    """Warn of groups with prefixes of one or two digits beside much longer ones."""
    for name, group in settings.prefixes.items():
        short = [prefix for prefix in group.prefixes if len(prefix) <= 2]
        if short and any(len(prefix) >= 4 for prefix in group.prefixes):
            path = key_path("prefixes", name)
            places = settings.places
            place = places.get(f"{path}.file", places.get("prefixes", Place("")))
            more = f" (and {len(short) - MOST_NAMED} more)" if len(short) > MOST_NAMED else ""
            what = (
                f"has {', '.join(short[:MOST_NAMED])}{more} beside prefixes of four digits and"
                " more: is that a price or a total? It takes every number that begins so"
            )
            yield mistake_at(place, path, what)


def _empty_files(settings: Settings) -> Iterator[Mistake]:
    """Warn of files of senders that have become empty."""
    kinds: dict[str, Sequence[Rule]] = {"refuse": settings.refuse, "routes": settings.routes}
    for key, rules in kinds.items():
        for number, rule in enumerate(rules):
            if all(file.values for file in rule.sender_files):
                continue
            what = "a file of its senders holds none"
            if not rule.sender and not any(file.values for file in rule.sender_files):
                what += ", and there are no others: this rule holds for nobody"
            yield _of(key, number, rule, what)
