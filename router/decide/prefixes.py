"""Prefixes of numbers and senders: which a rule has, and which lengths of them are worth a look.

A word is looked up once for each length of prefix that there is under its first characters, longest
first, so 100,000 prefixes take no more steps than ten. In a large table each of those steps is a
walk to memory of its own.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import AnyStr, Final, cast

from router.terms.names import GroupName
from router.terms.settings import PrefixGroup, RefuseSettings, RouteSettings

HEAD_DIGITS: Final = 5
"""Digits of the country and the first ones of the network; few prefixes are shorter."""

Lengths = tuple[int, ...]
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


def lengths_by_head(
    prefixes: Collection[AnyStr], head: int
) -> tuple[Mapping[AnyStr, Lengths], Lengths]:
    """Return the lengths of prefix by the first `head` characters, longest first; and the others'.

    Under a head that is not there only prefixes may fit that are shorter than a head.
    """
    lengths: list[int] = sorted({len(prefix) for prefix in prefixes}, reverse=True)
    short: Lengths = tuple(length for length in lengths if length < head)
    short_bits = sum(1 << length for length in short)
    sets: dict[AnyStr, int] = {}
    """The lengths under each head, as bits."""
    for prefix in prefixes:
        if len(prefix) >= head:
            # Where it compiles, mypy does not see that a part of a word is of its type.
            begin = cast(AnyStr, prefix[:head])  # type: ignore[redundant-cast, unused-ignore]
            sets[begin] = sets.get(begin, short_bits) | 1 << len(prefix)
    return _lengths_of(sets, lengths), short


def _lengths_of(sets: Mapping[AnyStr, int], lengths: Sequence[int]) -> Mapping[AnyStr, Lengths]:
    """Return the lengths for each set of bits; equal ones are one object."""
    same = {bits: tuple(one for one in lengths if bits >> one & 1) for bits in set(sets.values())}
    return {begin: same[bits] for begin, bits in sets.items()}
