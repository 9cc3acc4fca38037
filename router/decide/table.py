"""The route table: which operators may take a message, in which order.

Among the prefixes that have a rule whose other conditions hold the longest wins; at equal length
the first such rule. A number's first digits tell which lengths of prefix there are under them, and
the number is looked up once for each length, longest first: 100,000 prefixes take no more steps
than ten.

A rule with weights has a plan for each pair of operators: one is the first candidate, the other
stands in for it. Which pair a message gets is decided by credit: each message gives every operator
its weight, and the operator that has most credit is chosen and pays the sum of all weights. That
keeps the proportions in any stretch of messages, not only on average, and spreads operators with
small weights. An operator that is down gets nothing: the others share by their weights, and an
operator that comes back is not compensated.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import fields
from operator import attrgetter
from typing import Final

from router.decide.conditions import Conditions, Senders, SendersKey, asks_place
from router.decide.prefixes import (
    EMPTY,
    Groups,
    longest_prefix,
    prefixes_of,
)
from router.decide.rule_index import RuleIndex
from router.decide.words import rule_in_short
from router.smpp.pdu import Sm
from router.terms.names import AccountName, LaneName, OperatorName
from router.terms.outcome import NO_ROUTE, REFUSED_BY_ROUTE, Refusal
from router.terms.place import NOWHERE, Place
from router.terms.plan import Plan, Plans
from router.terms.prefix_lengths import HEAD_DIGITS, lengths_by_head
from router.terms.settings import RouteSettings

Names = tuple[OperatorName, ...]
MOST_ASKED: Final = 8
"""Rules of one prefix that are asked one after the other; of more, an index says which."""
MORE: Final = " and others"
"""What the words of a rule end with that is that of several prefixes."""
_APART: Final = ("destination", "groups", "file", "line")
_said_by: Final = attrgetter(*(one.name for one in fields(RouteSettings) if one.name not in _APART))
"""What routes have in common that share a rule: all but the prefixes and the place in a file."""


class Up:
    """The operators that are up, as all route tables see them.

    A table is built for one configuration and never changes; which operators are up changes all the
    time, outlives every configuration, and so is no part of a table.
    """

    __slots__ = ("names",)

    def __init__(self) -> None:
        self.names: frozenset[OperatorName] = frozenset()

    def become(self, names: Set[OperatorName]) -> None:
        """Have these operators up, and no others: those get no share."""
        if names != self.names:  # Shares begin anew when this object is another one.
            self.names = frozenset(names)


class _Shares:
    """The rotation of operators by their weights."""

    __slots__ = ("_as_of", "_credits", "_names", "_total", "_up", "_weights", "_weights_now")

    def __init__(self, weights: Mapping[OperatorName, int], up: Up) -> None:
        self._names = tuple(weights)
        self._weights = weights
        self._up = up
        self._as_of: frozenset[OperatorName] | None = None
        self._weights_now: list[int] = []
        self._credits: list[int] = []
        self._total = 0

    def next(self) -> OperatorName:
        """Return the operator of the next message, and charge it."""
        if self._as_of is not self._up.names:
            self._begin_anew()
        credits = [
            credit + weight for credit, weight in zip(self._credits, self._weights_now, strict=True)
        ]
        place = credits.index(max(credits))
        credits[place] -= self._total
        self._credits = credits
        return self._names[place]

    def _begin_anew(self) -> None:
        """Share among the operators that are up now; if all are down, among all of the route."""
        self._as_of = up = self._up.names
        weights = [weight if name in up else 0 for name, weight in self._weights.items()]
        self._weights_now = weights if any(weights) else list(self._weights.values())
        self._total = sum(self._weights_now)
        # An operator that is down must never have the most credit.
        self._credits = [0 if weight else -self._total for weight in self._weights_now]


class _Turns:
    """The turns that messages of one route with weights take."""

    __slots__ = ("_firsts", "_plans", "_route", "_seconds", "_weighted")

    def __init__(self, route: RouteSettings, plans: Plans, up: Up) -> None:
        self._route = route
        self._plans = plans
        weights = dict(zip(route.to, route.weights, strict=True))
        self._firsts = _Shares(weights, up)
        self._seconds: dict[OperatorName, _Shares] = {}
        self._weighted: dict[Names, Plan] = {}
        """Plans by their first two operators."""
        for first in weights if len(weights) > 2 else ():
            others = {name: weight for name, weight in weights.items() if name != first}
            self._seconds[first] = _Shares(others, up)

    def next_plan(self) -> Plan:
        """Return the plan of the next message; it takes a turn."""
        first = self._firsts.next()
        chosen: Names = (first,)
        if self._seconds:
            chosen = first, self._seconds[first].next()
        plan = self._weighted.get(chosen)
        if plan is None:
            route = self._route
            others = sorted(
                (name for name in route.to if name not in chosen),
                key=lambda name: -route.weights[route.to.index(name)],
            )
            plan = self._weighted[chosen] = self._plans.of((*chosen, *others))
        return plan


class Rule:
    """What one route says, or many that differ in nothing but the prefixes, ready to decide."""

    __slots__ = (
        "_plan", "_plans", "_turns", "_up", "conditions", "lane", "refusal", "settings", "words",
    )  # fmt: skip

    def __init__(
        self, settings: RouteSettings, plans: Plans, up: Up, shared: dict[SendersKey, Senders]
    ) -> None:
        self.settings: Final = settings
        """The first of the routes."""
        self.lane: Final = settings.lane
        self.words = rule_in_short(settings)
        """For the records of messages that it decides about."""
        self.refusal: Final = (
            None
            if settings.refuse is None
            else Refusal(REFUSED_BY_ROUTE, settings.refuse, rule=self.words)
        )
        conditions = Conditions(settings, shared)
        self.conditions: Final = conditions if conditions else None
        """Which of the messages to its prefixes the rule is for; None: for all."""
        self._plan = plans.of(settings.to) if settings.to and not settings.weights else None
        self._plans = plans
        self._up = up
        self._turns: _Turns | None = None
        """Not before the first message: turns are large, and of many routes few have messages."""

    @property
    def verdict(self) -> "Rule | Refusal":
        """The decision for a message for which this rule wins."""
        return self if self.refusal is None else self.refusal

    def next_plan(self) -> Plan:
        """Return the plan of the next message; a rule with weights takes a turn for it."""
        if self._plan is not None:
            return self._plan
        if self._turns is None:
            self._turns = _Turns(self.settings, self._plans, self._up)
        return self._turns.next_plan()


class _Several:
    """The rules of one prefix, where they are many: few of them are for one message."""

    __slots__ = ("_index", "_rules")

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self._rules: Final = rules
        settings = [rule.settings for rule in rules]
        self._index: Final = RuleIndex(settings, [()] * len(rules), in_any_form=False)

    def asked(self, number: str, account: AccountName, sm: Sm) -> tuple[Rule, ...]:
        """Return the rules that are to be asked, in their order."""
        return tuple([self._rules[one] for one in self._index.found(number, account, sm)])


class RouteTable:
    """All rules, by prefix."""

    def __init__(
        self, routes: Sequence[RouteSettings], plans: Plans, up: Up, groups: Groups = EMPTY
    ) -> None:
        """`up` is shared by all tables, so that a new one is right from its first message."""
        self._routes = routes
        self._groups = groups
        # Most prefixes have one rule without other conditions: the look-up is then the decision,
        # and a large table costs one walk to memory instead of four.
        self._verdicts: dict[str, Rule | Refusal | tuple[Rule, ...] | _Several] = {}
        some: dict[str, list[Rule]] = {}
        """The rules of the prefixes whose first one has conditions."""
        common: dict[object, Rule] = {}
        shared: dict[SendersKey, Senders] = {}
        for route in routes:
            said = _said_by(route)
            rule = common.get(said)
            if rule is None:
                rule = Rule(route, plans, up, shared)
                if not route.weights:  # Of those each takes its turns alone.
                    common[said] = rule
            elif not rule.words.endswith(MORE):
                rule.words += MORE
            for prefix in prefixes_of(route, groups):
                if prefix in some:
                    some[prefix].append(rule)
                elif prefix not in self._verdicts:
                    if rule.conditions is not None:
                        some[prefix] = [rule]
                    else:
                        self._verdicts[prefix] = rule.verdict
        same: dict[tuple[Rule, ...], tuple[Rule, ...] | _Several] = {}
        for prefix, rules in some.items():  # Equal ones are one object: a group has many prefixes.
            key = tuple(rules)
            if key not in same:
                same[key] = key if len(key) <= MOST_ASKED else _Several(key)
            self._verdicts[prefix] = same[key]
        self._lengths_under, self._short = lengths_by_head(self._verdicts, HEAD_DIGITS)

    @property
    def asks_place(self) -> bool:
        """Whether a rule asks for the place of the number."""
        return any(asks_place(route) for route in self._routes)

    def decide(
        self,
        number: str,
        account: AccountName,
        lane: LaneName,
        sm: Sm,
        now_utc: float,
        place: Place = NOWHERE,
    ) -> Rule | Refusal:
        """Return the rule that wins, or its refusal, or `NO_ROUTE`.

        `lane` is that of the message before any route; `place` is needed where a rule asks for it.
        """
        verdicts = self._verdicts
        for length in self._lengths_under.get(number[:HEAD_DIGITS], self._short):
            found = verdicts.get(number[:length])
            if found is None:
                continue
            if isinstance(found, _Several):
                found = found.asked(number, account, sm)
            elif not isinstance(found, tuple):
                return found
            for rule in found:
                conditions = rule.conditions
                if conditions is None or conditions.hold(account, lane, sm, now_utc, place):
                    return rule.verdict
        return NO_ROUTE

    def explain(
        self,
        number: str,
        account: AccountName,
        lane: LaneName,
        sm: Sm,
        now_utc: float,
        place: Place = NOWHERE,
    ) -> list[tuple[RouteSettings, str | None]]:
        """Return every route that has a prefix of the number, and why it lost; None: it won.

        The one with the longest prefix comes first.
        """
        verdicts: list[tuple[RouteSettings, str | None]] = []
        won_by: int | None = None
        fitting: list[tuple[int, RouteSettings]] = []
        for route in self._routes:
            prefix = longest_prefix(route, number, self._groups)
            if prefix is not None:
                fitting.append((len(prefix), route))
        for length, route in sorted(fitting, key=lambda one: -one[0]):
            why = Conditions(route, {}).why_not(account, lane, sm, now_utc, place)
            if why is None and won_by is None:
                won_by = length
            elif why is None:
                why = "has a shorter prefix" if length != won_by else "stands behind the winner"
            verdicts.append((route, why))
        return verdicts
