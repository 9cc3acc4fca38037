"""Warnings: what is allowed in a configuration, but is probably a mistake.

`smpp-router check` shows these beside the mistakes; the router starts all the same.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Final, TypeVar

from router.accept.passwords import is_hash
from router.forward.window import needed
from router.report.inbound import keyword_of
from router.settings.mistakes import Mistake, item_path, key_path, mistake_at, warning_at
from router.settings.warn_binds import bind_warnings
from router.settings.warn_inbound import inbound_warnings
from router.settings.warn_limits import limit_warnings
from router.settings.warn_places import place_warnings
from router.settings.warn_routes import route_warnings
from router.settings.warn_rules import rule_warnings
from router.settings.warn_senders import sender_warnings
from router.settings.warn_texts import text_warnings
from router.terms.names import OperatorName
from router.terms.settings import (
    AccountSettings,
    BindSettings,
    InboundSettings,
    OperatorSettings,
    Place,
    Settings,
)

LONGEST_PASSWORD: Final = 8
"""Octets of a password: its field in a bind request has 9, with the NUL (SMPP v3.4, 4.1.1)."""

ASSUMED_ROUND_TRIP_S: Final = 0.1
"""Round trip that a warning assumes, to an operator abroad; `status` uses the measured one."""

Rule = TypeVar("Rule")


def warnings(settings: Settings) -> list[Mistake]:
    """Return all warnings, in the order of the files."""
    found = [
        *_journal(settings),
        *_accounts(settings.accounts.values(), settings.places),
        *_certificates(settings),
        *_operators(settings.operators.values(), settings.places),
        *bind_warnings(settings.operators.values(), settings.places),
        *rule_warnings(settings),
        *sender_warnings(settings),
        *limit_warnings(settings),
        *route_warnings(settings),
        *place_warnings(settings),
        *_inbound(settings.inbound, settings.operators, settings.places),
        *inbound_warnings(settings.inbound, settings.places),
        *text_warnings(settings),
    ]
    return sorted(found, key=lambda warning: warning.place)


def _journal(settings: Settings) -> Iterator[Mistake]:
    if settings.journal.url == "memory:":
        yield warning_at(settings.places, "journal.url", "keeps nothing: for trials only")


def _accounts(
    accounts: Iterable[AccountSettings], places: Mapping[str, Place]
) -> Iterator[Mistake]:
    for account in accounts:
        path = key_path("accounts", account.name)
        clear = [word for word in account.passwords if not is_hash(word)]
        if any(len(word) > LONGEST_PASSWORD for word in clear):
            yield warning_at(places, f"{path}.password", _too_long("many clients cannot send it"))
        if any(network.prefixlen == 0 for network in account.allow_from):
            yield warning_at(
                places, f"{path}.allow_from", "everybody may try to bind from anywhere"
            )


def _certificates(settings: Settings) -> Iterator[Mistake]:
    asks = any(listen.tls is not None and listen.tls.client_ca for listen in settings.listen)
    for account in settings.accounts.values():
        if account.certificates and not asks:
            path = f"{key_path('accounts', account.name)}.certificate"
            what = "no listener has a client_ca, so no client is asked for one: it cannot bind"
            yield warning_at(settings.places, path, what)
    for number, listen in enumerate(settings.listen):
        if listen.proxy is not None and any(not one.prefixlen for one in listen.proxy.proxies):
            path = f"{item_path('listen', number)}.proxy.from"
            yield warning_at(settings.places, path, "everybody may claim to be any address")


def _operators(
    operators: Iterable[OperatorSettings], places: Mapping[str, Place]
) -> Iterator[Mistake]:
    for operator in operators:
        path = key_path("operators", operator.name)
        yield from _operator_rate(operator, f"{path}.rate", places)
        if not _receives(operator):
            what = "none of its binds receives: no receipt and no subscriber's message can come"
            yield warning_at(places, f"{path}.binds", what)
        for index, bind in enumerate(operator.binds):
            yield from _bind(bind, item_path(f"{path}.binds", index), places)


def _receives(operator: OperatorSettings) -> bool:
    return any(bind.type != "transmitter" for bind in operator.binds)


def _operator_rate(
    operator: OperatorSettings, path: str, places: Mapping[str, Place]
) -> Iterator[Mistake]:
    rates = [bind.rate for bind in operator.binds if bind.type != "receiver" and bind.rate]
    together = sum(rate.per_second for rate in rates)
    if operator.rate is None:
        return
    if not rates:
        yield warning_at(
            places, path, "no bind of this operator sends, so there is nothing to limit"
        )
    elif operator.rate.per_second > together * (1 + 1e-9):
        what = f"{operator.rate} is more than its binds carry together ({together:g}/s)"
        yield warning_at(places, path, what)


def _bind(bind: BindSettings, path: str, places: Mapping[str, Place]) -> Iterator[Mistake]:
    if len(bind.password) > LONGEST_PASSWORD:
        yield warning_at(places, f"{path}.password", _too_long("the operator may refuse it"))
    if bind.type != "receiver" and bind.rate and bind.window is not None:
        least = needed(bind.rate, ASSUMED_ROUND_TRIP_S)
        if bind.window < least:
            ms = f"{ASSUMED_ROUND_TRIP_S * 1000:.0f} ms"
            what = (
                f"{bind.window} at once carry {bind.window / ASSUMED_ROUND_TRIP_S:g}/s at a round "
                f"trip of {ms} ({bind.window} / {ASSUMED_ROUND_TRIP_S:g} s), less than the rate of "
                f"{bind.rate}; {least} would do, or `auto`"
            )
            yield warning_at(places, f"{path}.window", what)
    if bind.type == "receiver" and bind.rate:
        yield warning_at(
            places, f"{path}.rate", "a receiver sends no messages, so its rate says nothing"
        )


def _too_long(consequence: str) -> str:
    return f"is longer than {LONGEST_PASSWORD} characters, which SMPP allows; {consequence}"


def _inbound(
    rules: Sequence[InboundSettings],
    operators: Mapping[OperatorName, OperatorSettings],
    places: Mapping[str, Place],
) -> Iterator[Mistake]:
    why_not = {
        index: f"{item_path('inbound', earlier)} takes all of its messages first"
        for index, earlier in _never_reached(enumerate(rules), _inbound_conditions)
    } | {
        index: f"no bind of {rule.operator} receives"
        for index, rule in enumerate(rules)
        if rule.operator is not None and not _receives(operators[rule.operator])
    }
    for index, why in why_not.items():
        path = item_path("inbound", index)
        place = places.get(key_path(path, "to"), Place(""))
        what = f"this rule can never match: {why}"
        yield mistake_at(Place(place.file, place.line), path, what)


def _inbound_conditions(rule: InboundSettings) -> tuple[Hashable, list[tuple[str, Hashable]]]:
    return None, [
        (name, wanted)
        for name, wanted in (
            ("operator", rule.operator),
            ("destination", rule.destination),
            ("keyword", keyword_of(rule)),
        )
        if wanted is not None
    ]


def _never_reached(
    rules: Iterable[tuple[int, Rule]],
    conditions: Callable[[Rule], tuple[Hashable, list[tuple[str, Hashable]]]],
) -> Iterator[tuple[int, int]]:
    """Yield the index of each rule that an earlier one covers, and that one's index.

    A rule covers another if its conditions are some of the other's. There are at most four, so
    looking for each of the 16 sets is quicker than comparing 100,000 rules with each other.
    """
    first_with: dict[Hashable, int] = {}
    for index, rule in rules:
        group, wanted = conditions(rule)
        sets = (some for count in range(len(wanted) + 1) for some in combinations(wanted, count))
        earlier = [first_with[group, some] for some in sets if (group, some) in first_with]
        if earlier:
            yield index, min(earlier)
        first_with.setdefault((group, tuple(wanted)), index)
