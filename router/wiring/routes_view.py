"""`smpp-router routes`: who may carry what, and for whom; and what is refused before that.

Every rule is told once, as it was written. A rule for a prefix comes after those for longer ones
that begin with it, as they are tried; rules for one prefix come in their order. A rule that can
never win, because at each of its prefixes one without conditions stands before it, is told as such;
where certain numbers are asked for, it is left out.
"""

from collections.abc import Iterator, Sequence
from typing import TypedDict

from router.decide.prefixes import prefixes_of
from router.decide.words import hours_in_short
from router.settings.rule_words import conditions_of, does_of, place_of
from router.terms.names import AccountName
from router.terms.settings import RefuseSettings, RouteSettings, Settings


class ToldRule(TypedDict):
    """What routes and rules that refuse have in common."""

    place: str
    """`file:line`."""
    destination: list[str]
    """Prefixes; `""` is every number."""
    prefixes: list[str]
    """Groups of prefixes, by name."""
    account: list[str]
    """Empty: for every account; so for the other conditions."""
    sender: list[str]
    sender_files: list[str]
    service_type: list[str]
    country: list[str]
    network: list[str]
    hours: str
    """With days and time zone."""
    conditions: str
    """All of them in words."""
    does: str


class ToldRefusal(ToldRule):
    """One rule under `refuse`."""

    lane: list[str]
    status: int
    reason: str


class ToldRoute(ToldRule):
    """One route."""

    priority: int | None
    operators: list[str]
    """In the order in which they are tried, or those that share; empty where the rule refuses."""
    weights: list[int]
    refuse: int | None
    in_lane: list[str]
    lane: str | None
    """That the rule gives its messages."""
    never: bool
    """Whether other rules for its prefixes always win."""


def refusals_of(
    settings: Settings, to: str = "", account: AccountName | None = None
) -> list[ToldRefusal]:
    """Return the rules that may refuse numbers which begin with `to`, of one account or of all."""
    found: list[ToldRefusal] = []
    for rule in settings.refuse:
        prefixes = prefixes_of(rule, settings.prefixes) or ("",)
        is_asked_for = any(_overlap(prefix, to) for prefix in prefixes)
        if is_asked_for and _is_for(rule, account):
            found.append(
                ToldRefusal(
                    **_told(rule), lane=list(rule.lane), status=rule.status, reason=rule.reason
                )
            )
    return found


def routes_of(
    settings: Settings, to: str = "", account: AccountName | None = None
) -> list[ToldRoute]:
    """Return the routes for numbers that begin with `to`, and for one account or for all.

    A shorter prefix may take such a number only while no longer one, which all of them have, has a
    rule without other conditions.
    """
    at_prefix: dict[str, list[int]] = {}
    for number, route in enumerate(settings.routes):
        if _is_for(route, account):
            for prefix in prefixes_of(route, settings.prefixes):
                if _overlap(prefix, to):
                    at_prefix.setdefault(prefix, []).append(number)
    reached: dict[int, bool] = {}
    """Whether a rule wins somewhere, in the order in which they are told."""
    is_taken = False
    for prefix in sorted(at_prefix, key=lambda prefix: f"{prefix}~"):  # "~" is above all digits.
        is_of_all = to.startswith(prefix)
        if is_of_all and is_taken:
            continue
        is_taken_here = False
        for number in at_prefix[prefix]:
            reached[number] = reached.get(number, False) or not is_taken_here
            is_taken_here |= takes_all(settings.routes[number], account)
        is_taken |= is_of_all and is_taken_here
    return [
        _told_route(settings.routes[number], never=not wins)
        for number, wins in reached.items()
        if wins or not to
    ]


def _overlap(prefix: str, to: str) -> bool:
    """Whether a number may begin with both."""
    return prefix.startswith(to) or to.startswith(prefix)


def _is_for(rule: RouteSettings | RefuseSettings, account: AccountName | None) -> bool:
    return account is None or not rule.account or account in rule.account


def takes_all(route: RouteSettings, account: AccountName | None) -> bool:
    """Whether a rule holds for every message to its prefixes, of this account or of all."""
    of_account = not route.account or account in route.account if account else not route.account
    others = (
        *(route.sender, route.sender_files, route.service_type, route.hours, route.days),
        *(route.country, route.network, route.in_lane),
    )
    return of_account and route.priority is None and not any(others)


def _told(rule: RouteSettings | RefuseSettings) -> ToldRule:
    return ToldRule(
        place=place_of(rule),
        destination=list(rule.destination),
        prefixes=list(rule.groups),
        account=list(rule.account),
        sender=list(rule.sender),
        sender_files=[file.file for file in rule.sender_files],
        service_type=list(rule.service_type),
        country=list(rule.country),
        network=list(rule.network),
        hours=hours_in_short(rule),
        conditions=conditions_of(rule),
        does=does_of(rule),
    )


def _told_route(route: RouteSettings, *, never: bool) -> ToldRoute:
    return ToldRoute(
        **_told(route),
        priority=route.priority,
        operators=list(route.to),
        weights=list(route.weights),
        refuse=route.refuse,
        in_lane=list(route.in_lane),
        lane=route.lane,
        never=never,
    )


def lines_of(refusals: Sequence[ToldRefusal], routes: Sequence[ToldRoute]) -> Iterator[str]:
    """Yield the rules for people, in columns: first those that refuse, as they are asked first."""
    rules: list[ToldRule] = [*refusals, *routes]
    widths = [max((len(one[key]) for one in rules), default=0) for key in ("place", "conditions")]
    for one in rules:
        line = f"{one['place']:<{widths[0]}}  {one['conditions']:<{widths[1]}}  {one['does']}"
        never = one.get("never", False)
        yield f"{line} (never: a rule before it always wins)" if never else line
