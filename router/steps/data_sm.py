"""Which operators do not serve data_sm: their answers tell, and others are asked first.

A data_sm leaves as a data_sm: it is made a submit_sm nowhere. What an operator has answered is
remembered for an hour, then one data_sm tries it again. Not in the journal: after a restart one is
enough to learn it anew. What waited already when an operator was found out tries it as planned.
"""

from typing import Final

from router.forward.pool import Operator, OperatorEvent
from router.terms.names import OperatorName
from router.terms.plan import Plan, Plans

NO_DATA_SM_S: Final = 3600.0
"""How long it is remembered. The operator may serve data_sm some day."""


class DataSm:
    """The operators that were found not to serve data_sm."""

    __slots__ = ("_plans", "until")

    def __init__(self, plans: Plans) -> None:
        self._plans: Final = plans
        self.until: Final[dict[OperatorName, float]] = {}
        """Until when each of them is asked last; those of the past may still be there."""

    def not_served(self, operator: Operator, now: float) -> None:
        """Note that an operator has refused a data_sm because it does not know it."""
        if not self.is_refused_by(operator.name, now):
            operator.events.append(OperatorEvent("data_sm", None, rest_s=NO_DATA_SM_S))
        self.until[operator.name] = now + NO_DATA_SM_S

    def served(self, operator: OperatorName) -> None:
        """Note that an operator has taken a data_sm."""
        self.until.pop(operator, None)

    def is_refused_by(self, operator: OperatorName, now: float) -> bool:
        """Return whether an operator is known not to serve data_sm."""
        return now < self.until.get(operator, 0.0)

    def plan(self, plan: Plan, now: float) -> Plan:
        """Return the plan for a data_sm: without those that do not serve it, if any others are."""
        left = plan
        for name in plan.candidates:
            if self.is_refused_by(name, now):
                without = self._plans.without(left, name)
                if without is None:
                    return plan
                left = without
        return left
