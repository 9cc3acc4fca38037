"""`smpp-router routes`: who may carry what, and for whom.

A prefix comes after the longer ones that begin with it, as they are tried; rules for one prefix
come in their order. A rule that can never win, because one without conditions stands before it, is
told as such; where certain numbers are asked for, it is left out.
"""

from collections.abc import Iterator, Sequence
from typing import TypedDict

from router.settings.rule_words import conditions_of, does_of, place_of
from router.terms.names import AccountName
from router.terms.settings import RouteSettings, Settings


class ToldRoute(TypedDict):
    """One rule."""

    place: str
    """`file:line`."""
    destination: str
    account: str | None
    """None: for every account."""
    sender: str | None
    priority: int | None
    service_type: str | None
    operators: list[str]
    """In the order in which they are tried, or those that share; empty where the rule refuses."""
    weights: list[int]
    refuse: int | None
    lane: str | None
    never: bool
    """Whether another rule for this prefix always wins."""
    conditions: str
    does: str


def routes_of(
    settings: Settings, to: str = "", account: AccountName | None = None
) -> list[ToldRoute]:
    """Return the rules for numbers that begin with `to`, and for one account or for all.

    A shorter prefix may take such a number only while no longer one, which all of them have, has a
    rule without other conditions.
    """
    groups: dict[str, list[RouteSettings]] = {}
    for route in settings.routes:
        if account is None or route.account in (None, account):
            groups.setdefault(route.destination, []).append(route)
    found: list[ToldRoute] = []
    is_taken = False
    for prefix in sorted(groups, key=lambda prefix: f"{prefix}~"):  # "~" is above all digits.
        is_of_all = to.startswith(prefix)
        if prefix.startswith(to) or (is_of_all and not is_taken):
            rules = _told(groups[prefix], account)
            found += [rule for rule in rules if not (to and rule["never"])]
            is_taken |= is_of_all and any(takes_all(rule, account) for rule in groups[prefix])
    return found


def takes_all(route: RouteSettings, account: AccountName | None) -> bool:
    """Whether a rule holds for every message to its prefix, of this account or of all."""
    others = (route.sender, route.priority, route.service_type)
    return route.account in (None, account) and all(one is None for one in others)


def _told(routes: Sequence[RouteSettings], account: AccountName | None) -> list[ToldRoute]:
    told = []
    never = False
    for route in routes:
        told.append(
            ToldRoute(
                place=place_of(route),
                destination=route.destination,
                account=route.account,
                sender=route.sender,
                priority=route.priority,
                service_type=route.service_type,
                operators=list(route.to),
                weights=list(route.weights),
                refuse=route.refuse,
                lane=route.lane,
                never=never,
                conditions=conditions_of(route),
                does=does_of(route),
            )
        )
        never |= takes_all(route, account)
    return told


def lines_of(routes: Sequence[ToldRoute]) -> Iterator[str]:
    """Yield the rules for people, in columns."""
    widths = [max((len(one[key]) for one in routes), default=0) for key in ("place", "conditions")]
    for one in routes:
        line = f"{one['place']:<{widths[0]}}  {one['conditions']:<{widths[1]}}  {one['does']}"
        yield f"{line} (never: a rule before it always wins)" if one["never"] else line
