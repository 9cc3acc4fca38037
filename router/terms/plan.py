"""A plan: which operators may carry a message, best first, shared by all messages decided alike.

Equal plans are one object, so that a queue can be found by it and a message pays no memory for it.
"""

from typing import Final

from router.terms.names import OperatorName


class Plan:
    """Candidates in order. Made by `Plans` only; compared by identity."""

    __slots__ = ("candidates", "stays")

    def __init__(self, candidates: tuple[OperatorName, ...], *, stays: bool = False) -> None:
        self.candidates: Final = candidates
        self.stays: Final = stays
        """It waits for the first while that is bound at all, whether or not it sends just now."""

    def __repr__(self) -> str:
        return f"<Plan {' > '.join(self.candidates)}>"


class Plans:
    """All plans there are, by value."""

    def __init__(self) -> None:
        self._plans: dict[tuple[OperatorName, ...], Plan] = {}
        self._requeued: dict[tuple[OperatorName, ...], Plan] = {}
        self._staying: dict[tuple[OperatorName, ...], Plan] = {}

    def of(self, candidates: tuple[OperatorName, ...]) -> Plan:
        """The plan with these candidates."""
        plan = self._plans.get(candidates)
        # In one step, because the journal's threads ask too.
        return self._plans.setdefault(candidates, Plan(candidates)) if plan is None else plan

    def requeued(self, plan: Plan) -> Plan:
        """A plan with the same candidates and a queue of its own, which the journal knows not of.

        What comes late to a queue belongs before others of it that only the journal has; between
        two queues the older message goes first.
        """
        return self._requeued.setdefault(plan.candidates, Plan(plan.candidates))

    def staying(self, operator: OperatorName, plan: Plan) -> Plan:
        """The plan for a message that this operator may have: the others only if it is down.

        Like one that is put aside it has a queue that the journal knows not of.
        """
        others = tuple(name for name in plan.candidates if name != operator)
        candidates = (operator, *others)
        return self._staying.setdefault(candidates, Plan(candidates, stays=True))

    def without(self, plan: Plan, operator: OperatorName) -> Plan | None:
        """The plan that is left when an operator has been tried; None if nobody is."""
        left = tuple(name for name in plan.candidates if name != operator)
        return self.of(left) if left else None
