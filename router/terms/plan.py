"""A plan: which operators may carry a message, best first, shared by all messages decided alike.

Equal plans are one object: a queue is found by its plan, and a plan costs a message no memory.
"""

from typing import Final

from router.terms.names import OperatorName


class Plan:
    """Candidates in order. Made by `Plans` only; compared by identity."""

    __slots__ = ("candidates",)

    def __init__(self, candidates: tuple[OperatorName, ...]) -> None:
        self.candidates: Final = candidates

    def __repr__(self) -> str:
        return f"<Plan {' > '.join(self.candidates)}>"


class Plans:
    """All plans, by their candidates."""

    def __init__(self) -> None:
        self._plans: dict[tuple[OperatorName, ...], Plan] = {}

    def of(self, candidates: tuple[OperatorName, ...]) -> Plan:
        """Return the plan with these candidates."""
        plan = self._plans.get(candidates)
        # In one step, because threads of the journal call this too.
        return self._plans.setdefault(candidates, Plan(candidates)) if plan is None else plan

    def led_by(self, operator: OperatorName, plan: Plan) -> Plan:
        """The plan with this operator first, and the others in their order."""
        return self.of((operator, *(name for name in plan.candidates if name != operator)))

    def without(self, plan: Plan, operator: OperatorName) -> Plan | None:
        """Return the plan without an operator that was tried; None if no candidate is left."""
        left = tuple(name for name in plan.candidates if name != operator)
        return self.of(left) if left else None
