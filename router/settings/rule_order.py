"""Which routes compete, so that their order says something: those that have a prefix in common."""

from collections.abc import Iterable, Set

from router.decide.prefixes import Groups, prefixes_of
from router.terms.settings import RouteSettings


def has_one_prefix(rule: RouteSettings) -> bool:
    """Whether a rule has one prefix only, as most of a hundred thousand have."""
    return len(rule.destination) == 1 and not rule.groups


def listed_prefixes(rules: Iterable[RouteSettings], groups: Groups) -> Set[str]:
    """Return the prefixes of all rules that have several."""
    several = [rule for rule in rules if rule.groups or len(rule.destination) != 1]
    return {prefix for rule in several for prefix in prefixes_of(rule, groups)}


def competes_at(rule: RouteSettings, listed: Set[str]) -> str | None:
    """Return the one prefix at which a rule competes with others; None: at several.

    Of rules that compete at several the order is taken to count among all.
    """
    prefix = rule.destination[0] if rule.destination else ""
    return None if not has_one_prefix(rule) or prefix in listed else prefix
