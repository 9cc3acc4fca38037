"""Which operators of a route let the sender of a message through: the others are left out.

That is decided once, when the message is accepted, as the route is: what waits keeps its operators,
whatever a reload or the end of a day changes in their lists, unless it is decided anew. Operators
that send under another sender instead carry every message (`smpp/senders.py`).
"""

from collections.abc import Iterable, Mapping
from typing import Final

from router.smpp.senders import FOREVER, SenderRules, entries_of
from router.terms.latest import Latest
from router.terms.names import OperatorName
from router.terms.plan import Plan, Plans
from router.terms.settings import OperatorSettings

MOST_SOURCES: Final = 10_000
"""Senders whose operators are remembered, and twice as many for a while: some 4 MB. Whoever has a
new one for each message pays for the look-up, 2 us for each operator with rules."""

Ends = Mapping[OperatorName, float]
"""Until when operators let a sender through, of those that do not do so for ever."""


class SendersOfOperators:
    """What operators let through that leave the rest to others."""

    __slots__ = ("_ends", "_plans", "_rules")

    def __init__(self, rules: Mapping[OperatorName, SenderRules], plans: Plans) -> None:
        self._rules: Final = rules
        self._plans: Final = plans
        self._ends: Final[Latest[bytes, Ends]] = Latest(MOST_SOURCES)

    def any_takes(self, operators: Iterable[OperatorName], source: bytes, now_utc: float) -> bool:
        """Whether one of these operators lets a source address through."""
        ends = self._ends_of(source)
        return not ends or any(now_utc < ends.get(name, FOREVER) for name in operators)

    def plan(self, plan: Plan, source: bytes, now_utc: float) -> Plan | None:
        """Return the plan without operators that do not let a source address through.

        None if no operator is left.
        """
        ends = self._ends_of(source)
        if not ends:
            return plan
        names = plan.candidates
        left = tuple(name for name in names if now_utc < ends.get(name, FOREVER))
        if len(left) == len(names):
            return plan
        return self._plans.of(left) if left else None

    def why_not(self, operator: OperatorName, source: bytes, now_utc: float) -> str:
        """Return in words why an operator does not let a sender through; empty if it does."""
        rules = self._rules.get(operator)
        return "" if rules is None else rules.why_not(source, now_utc)

    def _ends_of(self, source: bytes) -> Ends:
        ends = self._ends.get(source)
        if ends is None:
            every = {name: rules.until_utc(source) for name, rules in self._rules.items()}
            ends = {name: until_utc for name, until_utc in every.items() if until_utc < FOREVER}
            self._ends.put(source, ends)
        return ends


def senders_of_operators(
    operators: Mapping[OperatorName, OperatorSettings], plans: Plans
) -> SendersOfOperators | None:
    """Return what operators let through; None where none leaves any sender to others."""
    rules = {
        name: SenderRules(senders.kinds, entries_of(senders))
        for name, one in operators.items()
        if (senders := one.senders) is not None and senders.otherwise is None
    }
    return SendersOfOperators(rules, plans) if rules else None
