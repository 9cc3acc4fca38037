"""Prefixes of numbers: which a rule has, those of its groups too."""

from collections.abc import Mapping
from typing import Final

from router.terms.names import GroupName
from router.terms.settings import PrefixGroup, RefuseSettings, RouteSettings

Groups = Mapping[GroupName, PrefixGroup]
EMPTY: Final[Groups] = {}


def prefixes_of(rule: RouteSettings | RefuseSettings, groups: Groups) -> tuple[str, ...]:
    """Return the prefixes of a rule, those of its groups too, each once."""
    if not rule.groups:
        return rule.destination
    found = dict.fromkeys(rule.destination)
    for name in rule.groups:
        found.update(dict.fromkeys(groups[name].prefixes))
    return tuple(found)


def longest_prefix(rule: RouteSettings | RefuseSettings, number: str, groups: Groups) -> str | None:
    """Return the longest prefix of a rule that a number begins with; None if it has none."""
    lists = [rule.destination, *(groups[name].prefixes for name in rule.groups)]
    fitting = [one for some in lists if number.startswith(some) for one in some]
    return max(filter(number.startswith, fitting), key=len, default=None)
