"""Warnings of rules for subscribers' messages that take more than was probably meant.

A rule that can never match is told in `warn.py`. Here an earlier rule takes only a part of its
messages: all that come from one operator.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from heapq import merge

from router.report.inbound import keyword_of
from router.settings.mistakes import Mistake, item_path, key_path, mistake_at
from router.terms.settings import InboundSettings, Place

_Conditions = tuple[str | None, str | None, str | None]
"""Operator, destination and keyword of a rule, as they are compared."""


def inbound_warnings(
    rules: Sequence[InboundSettings], places: Mapping[str, Place]
) -> Iterator[Mistake]:
    """Yield a warning for each rule without keyword that stands before one with, by mistake.

    It takes all messages to a number from one operator; the other is for the same number, or for
    every number, and from there gets none.
    """
    conditions = [(rule.operator, rule.destination, keyword_of(rule)) for rule in rules]
    behind = _with_keyword(conditions)
    before: set[_Conditions] = set()
    for index, (operator, destination, keyword) in enumerate(conditions):
        is_taken = _is_taken((operator, destination, keyword), before)
        if keyword is None and operator is not None and not is_taken:
            for other in _after(index, behind, destination):
                whose, number, word = conditions[other]
                is_part = whose in (None, operator) and (whose, number) != (operator, destination)
                # Where the keyword has a rule before, nothing is missed; nor by the same account.
                is_had = _is_taken((operator, destination, word), before)
                if is_part and not is_had and rules[other].to != rules[index].to:
                    yield _warning(index, other, conditions[index], places)
                    break
        before.add((operator, destination, keyword))


def _with_keyword(conditions: Sequence[_Conditions]) -> Mapping[str | None, Sequence[int]]:
    """Return the rules with a keyword, by destination, without those that can never match."""
    found: dict[str | None, list[int]] = defaultdict(list)
    before: set[_Conditions] = set()
    for index, one in enumerate(conditions):
        if one[2] is not None and not _is_taken(one, before):
            found[one[1]].append(index)
        before.add(one)
    return found


def _is_taken(one: _Conditions, before: Set[_Conditions]) -> bool:
    """Return whether one of these rules takes all that this one could."""
    operator, destination, keyword = one
    return any(
        (whose, number, word) in before
        for whose in {None, operator}
        for number in {None, destination}
        for word in {None, keyword}
    )


def _after(
    index: int, behind: Mapping[str | None, Sequence[int]], destination: str | None
) -> Iterator[int]:
    """Return the rules behind this one for its number and for every number, in their order."""
    several = (behind.get(number, ()) for number in {destination, None})
    return merge(*(rules[bisect_right(rules, index) :] for rules in several))


def _warning(
    index: int, other: int, conditions: _Conditions, places: Mapping[str, Place]
) -> Mistake:
    path, later = item_path("inbound", index), item_path("inbound", other)
    at, there = (places.get(key_path(one, "to"), Place("")) for one in (path, later))
    operator, destination, _ = conditions
    taken = "all messages" if destination is None else "all messages to its number"
    where = f" ({Place(there.file, there.line)})" if there.file else ""
    what = (
        f"it takes {taken} from {operator}, so {later}{where} never gets one from there, whatever "
        "its keyword; put this rule behind that one"
    )
    return mistake_at(Place(at.file, at.line), path, what)
