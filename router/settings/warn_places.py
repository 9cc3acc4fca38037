"""Warnings about countries and networks: rules and accounts that never meet.

And about numbers that go out in a form that an operator may not understand.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from typing import Final

from router.check.numbering import LONGEST_CODE, PLAN
from router.decide.prefixes import prefixes_of
from router.decide.words import in_short
from router.settings.mistakes import Mistake, item_path, key_path, mistake_at, warning_at
from router.terms.names import AccountName, OperatorName
from router.terms.settings import (
    AccountSettings,
    Place,
    RefuseSettings,
    RouteSettings,
    Settings,
)

MOST_PREFIXES: Final = 1_000
"""Prefixes of a rule that are looked at."""

Rule = RouteSettings | RefuseSettings
_Where = tuple[str, tuple[str, ...]]
"""The first digits of a prefix, and the countries that a route asks for."""
_Operators = dict[AccountName | None, dict[_Where, dict[OperatorName, None]]]
"""Those of routes by account, None for every account."""


def place_warnings(settings: Settings) -> Iterator[Mistake]:
    """Yield the warnings about what the place of a number decides."""
    yield from _network_files(settings)
    known = {network for file in settings.networks for network in file.networks.values()}
    kinds: dict[str, tuple[Rule, ...]] = {"refuse": settings.refuse, "routes": settings.routes}
    for key, rules in kinds.items():
        for number, rule in enumerate(rules):
            # Of a hundred thousand rules few ask for a place.
            if rule.country or rule.network:
                for what in _of_rule(rule, settings, known):
                    yield mistake_at(Place(rule.file, rule.line), item_path(key, number), what)
    reach = _Reach(settings)
    for name, account in settings.accounts.items():
        yield from _of_account(name, account, settings, reach)


# Networks.


def _network_files(settings: Settings) -> Iterator[Mistake]:
    if not settings.networks:
        return
    rules: tuple[Rule, ...] = (*settings.refuse, *settings.routes)
    if not any(rule.network for rule in rules):
        what = "no rule asks for a network, so these files say nothing"
        yield warning_at(settings.places, "networks", what)
    seen: dict[str, tuple[str, str]] = {}
    """By prefix, the network and the file that say it last."""
    for number, file in enumerate(settings.networks):
        other: Counter[str] = Counter()
        examples: dict[str, str] = {}
        for prefix, network in file.networks.items():
            before, where = seen.get(prefix, (network, ""))
            if before != network:
                other[where] += 1
                examples.setdefault(where, prefix)
            seen[prefix] = network, file.file
        for where, count in other.items():
            prefixes = "1 prefix" if count == 1 else f"{count} prefixes"
            has = "has" if count == 1 else "have"
            what = (
                f"{prefixes}, such as {examples[where]}, {has} another network in {where}: "
                "this file wins, because it stands behind that one"
            )
            place = settings.places.get("networks", Place(""))
            yield mistake_at(place, item_path("networks", number), what)


# Rules.


def _of_rule(rule: Rule, settings: Settings, known: Collection[str]) -> Iterator[str]:
    unknown = [network for network in rule.network if network not in known]
    if unknown:
        never = ": this rule can never match" if len(unknown) == len(rule.network) else ""
        yield f"no file under `networks` has a number of network {in_short(unknown)}{never}"
    if not rule.country:
        return
    prefixes = prefixes_of(rule, settings.prefixes)
    if prefixes and len(prefixes) <= MOST_PREFIXES:
        elsewhere = [one for one in rule.country if not _may_begin(one, prefixes)]
        if len(elsewhere) == len(rule.country):
            yield (
                f"this rule can never match: no number of {in_short(elsewhere)} begins with its"
                " destination"
            )
            return
    accounts = [settings.accounts[name] for name in rule.account or settings.accounts]
    allowed = {country for account in accounts for country in account.countries}
    if accounts and all(account.countries for account in accounts):
        closed = [country for country in rule.country if country not in allowed]
        if closed:
            yield f"no account that it is for may send to {in_short(closed)} (`countries`)"


def _may_begin(country: str, prefixes: Collection[str]) -> bool:
    """Whether numbers of a country may begin with one of these prefixes."""
    code = PLAN.code_of_country(country).digits
    return any(one.startswith(code) or code.startswith(one) for one in prefixes)


# Accounts.


class _Reach:
    """Where routes lead, by account. A hundred thousand routes lead to a few places."""

    def __init__(self, settings: Settings) -> None:
        self._operators: Final[_Operators] = {None: {}}
        for route in settings.routes:
            if not route.to:
                continue
            begins = {one[:LONGEST_CODE] for one in prefixes_of(route, settings.prefixes)}
            for account in route.account or (None,):
                of_account = self._operators.setdefault(account, {})
                for begin in begins:
                    where = begin, route.country
                    of_account.setdefault(where, {}).update(dict.fromkeys(route.to))
        self._found: Final[dict[tuple[AccountName | None, str], list[OperatorName]]] = {}

    def operators(self, account: AccountName, country: str) -> list[OperatorName]:
        """Return the operators by which an account may send to a country."""
        own = account if account in self._operators else None
        found = self._found.get((own, country))
        if found is None:
            names: dict[OperatorName, None] = {}
            for key in dict.fromkeys((None, own)):
                for (begin, countries), operators in self._operators[key].items():
                    is_there = not countries or country in countries
                    if is_there and _may_begin(country, (begin,)):
                        names.update(operators)
            found = self._found[own, country] = list(names)
        return found


def _of_account(
    name: AccountName, account: AccountSettings, settings: Settings, reach: _Reach
) -> Iterator[Mistake]:
    path = key_path("accounts", name)
    unreached = [one for one in account.countries if not reach.operators(name, one)]
    if unreached:
        what = f"no route of the account leads to {in_short(unreached)}"
        yield warning_at(settings.places, f"{path}.countries", what)
    country = account.numbers.country
    if not country:
        return
    if account.countries and country not in account.countries:
        what = f"the account may not send to {country} (`countries`)"
        yield warning_at(settings.places, f"{path}.numbers.country", what)
    plain = [
        one
        for one in reach.operators(name, country)
        if (numbers := settings.operators[one].numbers) is None or numbers.normalise == "as_it_came"
    ]
    if plain:
        what = (
            f"what is read as a number of {country} goes to {in_short(plain)} without its country"
            " code, as the client writes it: give the operator numbers.normalise, unless it takes"
            " such numbers"
        )
        yield warning_at(settings.places, f"{path}.numbers.country", what)
