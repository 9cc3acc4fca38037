"""Warnings of where routes lead: to less than accounts may send, and to which operators never.

And whether they lead there in time: a lane whose messages are soon of no use needs a way out when
an operator is slow.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Final

from router.decide.words import in_short
from router.settings.mistakes import Mistake, item_path, key_path, mistake_at, warning_at
from router.settings.units import show_duration
from router.terms.names import AccountName, LaneName, OperatorName
from router.terms.settings import (
    AccountSettings,
    LaneSettings,
    OperatorSettings,
    Place,
    RouteSettings,
    Settings,
)

SOON_S: Final = 600.0
"""Below this validity, messages are of the kind that somebody waits for, such as passwords."""
SHOWN_OPERATORS: Final = 5
"""Operators whose figures a warning has."""
_EQUAL: Final = 1 + 1e-9
"""For sums of rates, which are fractions: three times 20/min is 1/s."""


def route_warnings(settings: Settings) -> Iterator[Mistake]:
    """Yield the warnings of accounts, operators and lanes that follow from the routes."""
    yield from _unused_operators(settings)
    yield from _never_in_lane(settings)
    yield from _rates(settings)
    yield from _lanes(settings)


# Operators.


def _unused_operators(settings: Settings) -> Iterator[Mistake]:
    used = {name for route in settings.routes for name in route.to}
    # One that is only there to receive says so by its binds, or by a rule.
    used |= {rule.operator for rule in settings.inbound if rule.operator is not None}
    for name, operator in settings.operators.items():
        if name not in used and _sends(operator):
            path = key_path("operators", name)
            place = settings.places.get(f"{path}.binds", Place(""))
            what = (
                "no route leads to this operator, so it carries nothing; if it is there to receive,"
                " make its binds receivers or name it in a rule of `inbound`"
            )
            yield mistake_at(Place(place.file, place.line), path, what)


def _sends(operator: OperatorSettings) -> bool:
    return any(bind.type != "receiver" for bind in operator.binds)


def _carries(operator: OperatorSettings) -> float:
    """Return how many messages a second the operator takes at most."""
    rates = [bind.rate for bind in operator.binds if bind.type != "receiver" and bind.rate]
    together = sum(rate.per_second for rate in rates)
    return together if operator.rate is None else min(together, operator.rate.per_second)


# Accounts.


def _rates(settings: Settings) -> Iterator[Mistake]:
    """Find accounts that may send more than all operators that routes give them to can take."""
    for_all: set[OperatorName] = set()
    for_one: dict[AccountName, set[OperatorName]] = defaultdict(set)
    for route in settings.routes:
        for account in route.account:
            for_one[account].update(route.to)
        if not route.account:
            for_all.update(route.to)
    carries = {name: _carries(operator) for name, operator in settings.operators.items()}
    for account, one in settings.accounts.items():
        theirs = for_all | for_one.get(account, set())
        each = {name: rate for name, rate in carries.items() if name in theirs}
        # Without any, the messages of the account are refused, and none has to wait.
        if one.rate is not None and each and one.rate.per_second > sum(each.values()) * _EQUAL:
            path = f"{key_path('accounts', account)}.rate"
            yield warning_at(settings.places, path, _too_much(one, one.rate.per_second, each))


def _too_much(
    account: AccountSettings, per_second: float, each: Mapping[OperatorName, float]
) -> str:
    together = sum(each.values())
    figures = [f"{name} {rate:g}/s" for name, rate in each.items()]
    if len(figures) > SHOWN_OPERATORS:
        figures[SHOWN_OPERATORS:] = [f"{len(figures) - SHOWN_OPERATORS} more"]
    return (
        f"{account.rate} is more than the operators of its routes carry together ({together:g}/s: "
        f"{', '.join(figures)}); what is more waits in its queue of {account.queue}, which at this "
        f"rate is full after {_about(account.queue / (per_second - together))}; then the client "
        "hears ESME_RMSGQFUL"
    )


def _about(seconds: float) -> str:
    """Return a time that is worked out and not written, without figures that say nothing."""
    for unit_s in (3600, 60):
        if seconds >= 2 * unit_s:
            return show_duration(round(seconds / unit_s) * unit_s)
    return show_duration(max(1, round(seconds)))


# Lanes.


def _lanes(settings: Settings) -> Iterator[Mistake]:
    """Find lanes below the first whose messages wait for one operator until they are of no use."""
    for number, lane in enumerate(settings.lanes):
        if number == 0 or lane.validity_s is None or lane.validity_s >= SOON_S:
            continue
        path = f"{item_path('lanes', number)}.validity"
        soon = f"its messages are of use for {show_duration(lane.validity_s)} only"
        if lane.failover_after_s is None:
            what = f"{soon}, and wait for one operator, however slow it is: give it failover_after"
            yield warning_at(settings.places, path, what)
        routes = _routes_of(lane, settings)
        alone = [(index, route) for index, route in routes if len(route.to) == 1]
        if alone:
            index, route = alone[0]
            at = f" ({Place(route.file, route.line)})" if route.file else ""
            have = "has" if len(alone) == 1 else "have"
            what = (
                f"{soon}, and {len(alone)} of its {len(routes)} routes {have} no second operator, "
                f"such as {item_path('routes', index)}{at}"
            )
            yield warning_at(settings.places, path, what)


def _never_in_lane(settings: Settings) -> Iterator[Mistake]:
    """Find routes for a lane that none of their messages has before a route is chosen."""
    every = tuple(settings.accounts)

    @cache
    def lanes_by(
        names: tuple[AccountName, ...], priority: int | None, service_types: tuple[str, ...]
    ) -> frozenset[LaneName]:
        accounts = (settings.accounts[name] for name in names)
        return frozenset(
            one for account in accounts for one in _lanes_by(account, priority, service_types)
        )

    for index, route in enumerate(settings.routes):
        if not route.in_lane:
            continue
        found = lanes_by(route.account or every, route.priority, route.service_type)
        if found.isdisjoint(route.in_lane):
            what = (
                "this rule can never match: none of its messages is in lane "
                f"{in_short(route.in_lane)} before a route is chosen"
            )
            yield mistake_at(Place(route.file, route.line), item_path("routes", index), what)


def _routes_of(lane: LaneSettings, settings: Settings) -> Sequence[tuple[int, RouteSettings]]:
    """Return the routes that messages of the lane may take; one that refuses is none."""
    every = tuple(settings.accounts)

    # Many routes ask for the same, and there may be as many accounts.
    @cache
    def lanes_by(
        names: tuple[AccountName, ...], priority: int | None, service_types: tuple[str, ...]
    ) -> frozenset[LaneName]:
        accounts = (settings.accounts[name] for name in names if name in settings.accounts)
        return frozenset(
            one for account in accounts for one in _lanes_by(account, priority, service_types)
        )

    def lanes_of(route: RouteSettings) -> frozenset[LaneName]:
        if route.lane is not None:
            return frozenset({route.lane})
        lanes = lanes_by(route.account or every, route.priority, route.service_type)
        return lanes.intersection(route.in_lane) if route.in_lane else lanes

    return [
        (index, route)
        for index, route in enumerate(settings.routes)
        if route.to and lane.name in lanes_of(route)
    ]


def _lanes_by(
    account: AccountSettings, priority: int | None, service_types: tuple[str, ...]
) -> Iterator[LaneName]:
    """Yield the lanes that messages of the account with this flag and these types may have."""
    by_type, by_priority = account.lane_by_service_type, account.lane_by_priority
    types = service_types or tuple(by_type)
    yield from (lane for word, lane in by_type.items() if word in types)
    if service_types and all(word in by_type for word in service_types):
        return
    yield from (lane for flag, lane in by_priority.items() if priority in (None, flag))
    if priority is None or priority not in by_priority:
        yield account.lane
