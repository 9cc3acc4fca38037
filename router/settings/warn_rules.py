"""Warnings about rules: those that never hold, or not where somebody may think that they do.

What cannot be told quickly of very many rules is not told: a warning is a help, and no proof.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from itertools import product
from typing import Final

from router.decide.conditions import lanes_of, senders_of
from router.decide.hours import minutes_of
from router.decide.prefixes import Groups, prefixes_of
from router.settings.mistakes import Mistake, item_path, key_path, mistake_at
from router.settings.sender_sets import SenderSet, SenderSets
from router.terms.settings import Place, RefuseSettings, RouteSettings, Settings

MOST_NAMED: Final = 3
"""Rules that a warning names."""
MOST_LISTS: Final = 100
"""Rules with lists, of those that stand before another, that are compared with that one."""
MOST_VALUES: Final = 1_000
"""Prefixes of a rule that are looked at one by one."""
MOST_LONGER: Final = 200_000
"""Rules for longer prefixes that are looked at for all routes that refuse."""

EVERY_MINUTE: Final = minutes_of((), ())
Rule = RouteSettings | RefuseSettings


def rule_warnings(settings: Settings) -> Iterator[Mistake]:
    """Yield the warnings about routes, rules that refuse, and groups of prefixes."""
    yield from _taken_routes(settings.routes, settings.prefixes)
    yield from _overridden(settings.routes, settings.prefixes)
    yield from _taken_refusals(settings.refuse, settings.prefixes)
    yield from _unused_groups(settings)
    yield from _short_among_long(settings)
    yield from _empty_files(settings)
    yield from _only_signs(settings.refuse)
    kinds: dict[str, Sequence[Rule]] = {"refuse": settings.refuse, "routes": settings.routes}
    for key, rules in kinds.items():
        for number, rule in enumerate(rules):
            has_hours = rule.zone is None and (rule.hours or rule.days)
            if has_hours and minutes_of(rule.hours, rule.days) != EVERY_MINUTE:
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


class Wanted:
    """What one rule asks for, beside its destination."""

    __slots__ = ("minutes", "others", "senders", "zone")

    def __init__(self, rule: Rule, sets: SenderSets) -> None:
        priority: list[str] = []
        if isinstance(rule, RouteSettings) and rule.priority is not None:
            priority = [str(rule.priority)]
        self.senders: Final = sets.of(rule)
        others = (rule.account, priority, rule.service_type, lanes_of(rule))
        self.others: Final = tuple(map(frozenset, (*others, rule.country, rule.network)))
        """The values of its other conditions; empty: any."""
        has_hours = bool(rule.hours or rule.days)
        self.minutes: Final = minutes_of(rule.hours, rule.days) if has_hours else EVERY_MINUTE
        """Of a week, as bits."""
        self.zone: Final = str(rule.zone or UTC)

    @property
    def is_always(self) -> bool:
        """Whether the rule holds at every hour."""
        return self.minutes == EVERY_MINUTE

    @property
    def has_conditions(self) -> bool:
        """Whether it asks for anything but hours."""
        return not self.senders.is_any or any(self.others)

    @property
    def has_lists(self) -> bool:
        """Whether a condition has several values."""
        return not self.senders.is_single or any(len(values) > 1 for values in self.others)

    def covers(self, other: "Wanted") -> bool:
        """Whether all holds wherever all of the other holds, but for the hours."""
        return self.senders.has_all_of(other.senders) and all(
            not wide or (narrow and narrow <= wide)
            for wide, narrow in zip(self.others, other.others, strict=True)
        )

    def may_meet(self, other: "Wanted") -> bool:
        """Whether some message may fulfil both."""
        same_zone = self.zone == other.zone or self.is_always or other.is_always
        return (
            (not same_zone or bool(self.minutes & other.minutes))
            and self.senders.may_meet(other.senders)
            and all(
                not left or not right or not left.isdisjoint(right)
                for left, right in zip(self.others, other.others, strict=True)
            )
        )


_Key = tuple[SenderSet | None, tuple[frozenset[str], ...]]


class _Before:
    """The rules that stand before another one, and may take its messages."""

    def __init__(self, wanted: Mapping[int, Wanted]) -> None:
        self._wanted: Final = wanted
        self._single: Final[dict[_Key, list[int]]] = {}
        """By conditions, those in which each has one value or any."""
        self._lists: Final[list[int]] = []

    def add(self, number: int) -> None:
        """Let a rule stand before all that are asked about later."""
        wanted = self._wanted[number]
        if wanted.senders.is_nobody:
            return
        if wanted.has_lists:
            self._lists.append(number)
        else:
            senders = None if wanted.senders.is_any else wanted.senders
            self._single.setdefault((senders, wanted.others), []).append(number)

    def taking_all(self, number: int) -> list[int]:
        """Return the rules that together take all messages of one that stands behind them."""
        wanted = self._wanted[number]
        if wanted.senders.is_nobody:
            return []
        choices = [(frozenset[str](), values) if values else (values,) for values in wanted.others]
        senders = (None,) if wanted.senders.is_any else (None, wanted.senders)
        keys = product(senders, product(*choices))
        found = [one for key in keys for one in self._single.get(key, ())]
        lists = self._lists[:MOST_LISTS]
        found += [one for one in lists if self._wanted[one].covers(wanted)]
        minutes: dict[str, int] = {}
        takers: dict[str, list[int]] = {}
        """By zone: minutes of different zones do not add up."""
        for one in sorted(found):
            other = self._wanted[one]
            if other.is_always:
                return [one]
            if wanted.is_always or other.zone == wanted.zone:
                zone = other.zone
                minutes[zone] = minutes.get(zone, 0) | other.minutes
                takers.setdefault(zone, []).append(one)
                if not wanted.minutes & ~minutes[zone]:
                    return takers[zone]
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
    sets = SenderSets()
    wanted = {number: Wanted(routes[number], sets) for numbers in alike for number in numbers}
    for numbers, prefixes in alike.items():
        earlier = _Before(wanted)
        for number in numbers:
            takers = earlier.taking_all(number)
            if takers:
                taken.setdefault(number, {}).update(dict.fromkeys(prefixes, takers))
            earlier.add(number)
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
    if all(route.refuse is None for route in routes):
        return
    sets = SenderSets()
    wanted_of: dict[int, Wanted] = {}

    def wanted(number: int) -> Wanted:
        if number not in wanted_of:
            wanted_of[number] = Wanted(routes[number], sets)
        return wanted_of[number]

    refusing = [
        (number, route)
        for number, route in enumerate(routes)
        # One for all numbers, without conditions, is for what no other rule takes.
        if route.refuse is not None
        and (wanted(number).has_conditions or prefixes_of(route, groups) != ("",))
    ]
    sending = sorted(
        (prefix, number)
        for number, route in enumerate(routes)
        if route.refuse is None
        for prefix in prefixes_of(route, groups)
    )
    left = MOST_LONGER
    for number, route in refusing:
        longer: set[int] = set()
        for prefix in prefixes_of(route, groups):
            for other in _longer(sending, prefix):
                left -= 1
                if left < 0:
                    return
                if other not in longer and wanted(number).may_meet(wanted(other)):
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
    sets = SenderSets()
    wanted = {number: Wanted(rule, sets) for number, rule in enumerate(rules)}
    before = _Before(wanted)
    at_prefix: dict[str, _Before] = {}
    for number, rule in enumerate(rules):
        prefixes = prefixes_of(rule, groups)
        takers = before.taking_all(number)
        if not takers and 0 < len(prefixes) <= MOST_VALUES:
            of_each = [_takers_at(at_prefix, one, number) for one in prefixes]
            takers = sorted({one for some in of_each for one in some}) if all(of_each) else []
        if takers:
            named = _several("refuse", takers, rules)
            takes = "takes" if len(takers) == 1 else "take"
            what = f"this rule can never match: {named} {takes} all of its messages first"
            yield _of("refuse", number, rule, what)
        if "" in prefixes or not prefixes:
            before.add(number)
        for prefix in prefixes if len(prefixes) <= MOST_VALUES else ():
            at_prefix.setdefault(prefix, _Before(wanted)).add(number)


def _takers_at(at_prefix: Mapping[str, _Before], prefix: str, number: int) -> list[int]:
    """Return the rules for a prefix, or for a beginning of it, that take all messages of one."""
    for length in range(len(prefix) + 1):
        before = at_prefix.get(prefix[:length])
        takers = [] if before is None else before.taking_all(number)
        if takers:
            return takers
    return []


def _only_signs(rules: Sequence[RefuseSettings]) -> Iterator[Mistake]:
    """Warn of patterns that are nothing but what numbers are compared without."""
    for number, rule in enumerate(rules):
        for sender in senders_of(rule):
            if sender in ("+*", "00*", "+00*"):
                what = f"{sender} is no sender's: numbers are compared without + and 00"
                yield _of("refuse", number, rule, what)


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
