"""The route table: which operators may take a message, in which order.

Among the prefixes that have a rule whose other conditions hold the longest wins; at equal length
the first such rule. A number is looked up once per length of prefix that the table has, longest
first, so 100,000 prefixes cost a message no more than ten.

A rule with weights has one plan for each operator that may come first. Which of them a message gets
goes by credit: each message gives every operator its weight, and the one that has most pays the sum
of all weights. That keeps the proportions in any stretch of messages, not only on average, and does
not let many small weights come all at once.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from router.smpp.pdu import Sm
from router.terms.names import AccountName, LaneName
from router.terms.outcome import NO_ROUTE, Refusal
from router.terms.plan import Plan, Plans
from router.terms.settings import LaneSettings, RouteSettings


class Rule:
    """One route, ready to decide."""

    __slots__ = ("_credits", "_plans", "_total", "account", "lane", "refusal", "settings")

    def __init__(
        self, settings: RouteSettings, plans: Plans, lanes: Mapping[LaneName, int]
    ) -> None:
        self.settings: Final = settings
        self.account: Final = settings.account
        self.lane: Final = None if settings.lane is None else lanes[settings.lane]
        self.refusal: Final = (
            None if settings.refuse is None else Refusal("refused_by_route", settings.refuse)
        )
        self._plans: list[Plan] = []
        self._total = sum(settings.weights)
        self._credits = [0] * len(settings.weights)
        if settings.weights:
            for first in settings.to:
                by_weight = sorted(
                    (name for name in settings.to if name != first),
                    key=lambda name: -settings.weights[settings.to.index(name)],
                )
                self._plans.append(plans.of((first, *by_weight)))
        elif settings.to:
            self._plans.append(plans.of(settings.to))

    def why_not(self, account: AccountName, sm: Sm) -> str | None:
        """Which condition does not hold, for people; None if all hold."""
        rule = self.settings
        if rule.account is not None and rule.account != account:
            return f"is for account {rule.account}"
        if rule.sender is not None and rule.sender.encode("latin-1") != sm.source[2]:
            return f"is for sender {rule.sender}"
        if rule.priority is not None and rule.priority != sm.priority_flag:
            return f"is for priority_flag {rule.priority}"
        if rule.service_type is not None and rule.service_type.encode("latin-1") != sm.service_type:
            return f"is for service_type {rule.service_type}"
        return None

    def next_plan(self) -> Plan:
        """The plan of the next message that takes this rule."""
        if len(self._plans) == 1:
            return self._plans[0]
        credits = [
            credit + weight
            for credit, weight in zip(self._credits, self.settings.weights, strict=True)
        ]
        place = credits.index(max(credits))
        credits[place] -= self._total
        self._credits = credits
        return self._plans[place]


class RouteTable:
    """All rules, by prefix."""

    def __init__(
        self, routes: Sequence[RouteSettings], plans: Plans, lanes: Sequence[LaneSettings]
    ) -> None:
        places = {lane.name: place for place, lane in enumerate(lanes)}
        self._by_prefix: dict[str, list[Rule]] = {}
        for route in routes:
            self._by_prefix.setdefault(route.destination, []).append(Rule(route, plans, places))
        self._lengths = sorted({len(prefix) for prefix in self._by_prefix}, reverse=True)

    def decide(self, number: str, account: AccountName, sm: Sm) -> Rule | Refusal:
        """The rule that wins; a rule may refuse, too."""
        by_prefix = self._by_prefix
        for length in self._lengths:
            rules = by_prefix.get(number[:length])
            if rules is None or length > len(number):
                continue
            for rule in rules:
                only_for = rule.account
                if only_for is not None and only_for != account:
                    continue
                if rule.why_not(account, sm) is None:
                    return rule if rule.refusal is None else rule.refusal
        return NO_ROUTE

    def explain(self, number: str, account: AccountName, sm: Sm) -> list[tuple[Rule, str | None]]:
        """Every rule whose prefix fits, longest first, and why it lost; None for the winner."""
        verdicts: list[tuple[Rule, str | None]] = []
        won = False
        for length in self._lengths:
            if length > len(number):
                continue
            for rule in self._by_prefix.get(number[:length], ()):
                why = rule.why_not(account, sm)
                if why is None and won:
                    why = "stands behind the winner"
                verdicts.append((rule, why))
                won = won or why is None
        return verdicts
