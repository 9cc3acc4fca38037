"""Configurations that a router is given at any step, one after the other, and the first one again.

Names: what is renamed gets a 2 at its end, so that whoever looks from outside knows it again.
"""

from collections.abc import Set
from dataclasses import replace
from random import Random
from typing import TypeVar

from router.terms.limits import Rate
from router.terms.names import BindName
from router.terms.settings import (
    BindSettings,
    InDoubt,
    OperatorSettings,
    RouteSettings,
    Settings,
)

Name = TypeVar("Name", bound=str)

LAST_STEP = 3000
"""Few routers live for more steps before everybody behaves."""


def first_name(name: Name) -> Name:
    """What an account or operator is called in the first configuration."""
    return type(name)(name.rstrip("2"))


def both_names(name: Name) -> tuple[Name, Name]:
    """What an account or operator can be called."""
    return name, type(name)(f"{name}2")


def with_first_names(settings: Settings) -> Settings:
    """The same configuration, if nothing had ever been renamed."""
    return _called(settings, frozenset(), says_so=False)


def changed_again(rng: Random, first: Settings, now: Settings) -> Settings:
    """Another configuration: the present one, or the first, with a few changes.

    Perhaps one of its accounts and operators has another name. Each says what it could have been
    called before, whether or not it was.
    """
    second = {name for name in (*now.operators, *now.accounts) if name != first_name(name)}
    settings = first if rng.random() < 0.2 else with_first_names(now)
    for change in rng.sample(_CHANGES, rng.randint(1, 4)):
        settings = change(rng, settings, first)
    settings = _without_what_is_gone(rng, settings, first)
    if rng.random() < 0.5:
        one = rng.choice([*settings.operators, *settings.accounts])
        second ^= {type(one)(f"{one}2")}
    return _called(settings, frozenset(map(first_name, second)), says_so=True)


def at_last(first: Settings) -> Settings:
    """The first configuration again, with its names."""
    return _called(first, frozenset(), says_so=True)


# What changes.


def _rates(rng: Random, settings: Settings, _: Settings) -> Settings:
    name = rng.choice(list(settings.operators))
    factor = rng.choice((0.5, 2.0))

    def rate_of(rate: Rate | None) -> Rate | None:
        return None if rate is None else Rate(max(1, int(rate.count * factor)), rate.per_s)

    operator = settings.operators[name]
    binds = tuple(replace(bind, rate=rate_of(bind.rate)) for bind in operator.binds)
    return _with(settings, replace(operator, binds=binds, rate=rate_of(operator.rate)))


def _windows(rng: Random, settings: Settings, _: Settings) -> Settings:
    operator = rng.choice(list(settings.operators.values()))
    binds = tuple(replace(bind, window=rng.choice((1, 4, 12))) for bind in operator.binds)
    return _with(settings, replace(operator, binds=binds))


def _account_limits(rng: Random, settings: Settings, _: Settings) -> Settings:
    account = rng.choice(list(settings.accounts.values()))
    changed = replace(
        account,
        queue=rng.choice((account.queue, 5, 30, 1000)),
        weight=rng.randint(1, 3),
        deliver_window=rng.choice((account.deliver_window, 1, 20)),
        max_binds=rng.choice((4, 4, 1)),
    )
    return replace(settings, accounts={**settings.accounts, account.name: changed})


def _account_less(rng: Random, settings: Settings, _: Settings) -> Settings:
    """Not the one that subscribers write to: a message that is sent again would be another's."""
    others = [name for name in settings.accounts if name != settings.inbound[0].to]
    if not others:
        return settings
    gone = rng.choice(others)
    accounts = {name: one for name, one in settings.accounts.items() if name != gone}
    return replace(settings, accounts=accounts)


def _accounts_back(_: Random, settings: Settings, first: Settings) -> Settings:
    return replace(settings, accounts={**first.accounts, **settings.accounts})


def _operator_less(rng: Random, settings: Settings, _: Settings) -> Settings:
    operators = dict(settings.operators)
    if len(operators) > 1:
        del operators[rng.choice(list(operators))]
    return replace(settings, operators=operators)


def _operators_back(_: Random, settings: Settings, first: Settings) -> Settings:
    return replace(settings, operators={**first.operators, **settings.operators})


def _bind_less(rng: Random, settings: Settings, _: Settings) -> Settings:
    operator = rng.choice(list(settings.operators.values()))
    able = [bind for bind in operator.binds if bind.rate is not None]
    if len(able) < 2:
        return settings
    gone = rng.choice(able)
    return _with(
        settings, replace(operator, binds=tuple(one for one in operator.binds if one is not gone))
    )


def _bind_more(rng: Random, settings: Settings, _: Settings) -> Settings:
    operator = rng.choice(list(settings.operators.values()))
    like = next(bind for bind in operator.binds if bind.rate is not None)
    name = BindName(f"{operator.name}-more")
    if any(bind.name == name for bind in operator.binds):
        return settings
    more = replace(like, name=name, type="transceiver")
    return _with(settings, replace(operator, binds=(*operator.binds, more)))


def _bind_renewed(rng: Random, settings: Settings, _: Settings) -> Settings:
    operator = rng.choice(list(settings.operators.values()))
    renewed = rng.choice(operator.binds)

    def turned(bind: BindSettings) -> BindSettings:
        return replace(bind, password="pw" if bind.password != "pw" else "other")

    binds = tuple(turned(one) if one is renewed else one for one in operator.binds)
    return _with(settings, replace(operator, binds=binds))


def _lane_values(rng: Random, settings: Settings, _: Settings) -> Settings:
    def policy(now: InDoubt) -> InDoubt:
        return rng.choice((now, now, "resend", "elsewhere", "fail"))

    lanes = tuple(
        replace(
            lane,
            min_share=rng.choice((0.0, 0.1, 0.4)) if place else 0.0,
            failover_after_s=rng.choice((None, 1.0, 4.0)),
            in_doubt=policy(lane.in_doubt),
        )
        for place, lane in enumerate(settings.lanes)
    )
    return replace(settings, lanes=lanes)


def _routes_turned(rng: Random, settings: Settings, _: Settings) -> Settings:
    routes = []
    for route in settings.routes:
        to = tuple(rng.sample(route.to, len(route.to)))
        weights = tuple(rng.randint(1, 5) for _ in to) if route.weights else ()
        routes.append(replace(route, to=to, weights=weights))
    return replace(settings, routes=tuple(routes))


_CHANGES = (
    *(_rates, _windows, _account_limits, _account_less, _accounts_back, _operator_less),
    *(_operators_back, _bind_less, _bind_more, _bind_renewed, _lane_values, _routes_turned),
)


def _with(settings: Settings, operator: OperatorSettings) -> Settings:
    return replace(settings, operators={**settings.operators, operator.name: operator})


def _without_what_is_gone(rng: Random, settings: Settings, first: Settings) -> Settings:
    """The rules name only what there is; and what is there again has its rules again."""
    names = list(settings.operators)
    order = {(route.destination, route.account): route for route in settings.routes}
    routes: list[RouteSettings] = []
    for as_first in first.routes:
        if not settings.accounts.keys() >= {*as_first.account}:
            continue
        route = order.get((as_first.destination, as_first.account), as_first)
        to = tuple(name for name in route.to if name in names) or (rng.choice(names),)
        weights = route.weights if len(to) == len(route.weights) else (1,) * len(to)
        routes.append(replace(route, to=to, weights=weights if route.weights else ()))
    return replace(settings, routes=tuple(routes), inbound=first.inbound)


# Names.


def _called(settings: Settings, second: Set[str], *, says_so: bool) -> Settings:
    """These settings with second names for these, by first name, and first names for the others."""

    def name_of(name: Name) -> Name:
        base = first_name(name)
        return type(name)(f"{base}2") if base in second else base

    def other(name: Name) -> Name | None:
        base = first_name(name)
        return None if not says_so else base if base in second else type(name)(f"{base}2")

    return replace(
        settings,
        operators={
            name_of(name): replace(one, name=name_of(name), formerly=other(name))
            for name, one in settings.operators.items()
        },
        accounts={
            name_of(name): replace(one, name=name_of(name), formerly=other(name))
            for name, one in settings.accounts.items()
        },
        routes=tuple(
            replace(
                route,
                to=tuple(name_of(name) for name in route.to),
                account=tuple(name_of(name) for name in route.account),
            )
            for route in settings.routes
        ),
        inbound=tuple(
            replace(
                rule,
                to=name_of(rule.to),
                operator=None if rule.operator is None else name_of(rule.operator),
            )
            for rule in settings.inbound
        ),
    )
