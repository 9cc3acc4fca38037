"""A plan: which operators may carry a message, best first, shared by all messages decided alike.

Equal plans are one object: a queue is found by its plan, and a plan costs a message no memory.
"""

from typing import Final

from router.terms.names import OperatorName


class Plan:
    """Candidates in order. Made by `Plans` only; compared by identity."""

    __slots__ = ("candidates", "stays")

    def __init__(self, candidates: tuple[OperatorName, ...], *, stays: bool = False) -> None:
        self.candidates: Final = candidates
        self.stays: Final = stays
        """Whether the message waits for the first candidate as long as that is bound, even if it
        cannot send now."""

    def __repr__(self) -> str:
        return f"<Plan {' > '.join(self.candidates)}>"


class Plans:
    """All plans, by their candidates."""

    def __init__(self) -> None:
        self._plans: dict[tuple[OperatorName, ...], Plan] = {}
        self._requeued: dict[tuple[OperatorName, ...], Plan] = {}
        self._staying: dict[tuple[OperatorName, ...], Plan] = {}

    def of(self, candidates: tuple[OperatorName, ...]) -> Plan:
        """Return the plan with these candidates."""
        plan = self._plans.get(candidates)
        # In one step, because threads of the journal call this too.
        return self._plans.setdefault(candidates, Plan(candidates)) if plan is None else plan

    def requeued(self, plan: Plan) -> Plan:
        """Return a plan with the same candidates and a queue of its own, unknown to the journal.

        A message that comes back late belongs before messages of its queue that only the journal
        has. In a queue of its own it goes first: of two queues the one with the older message does.
        """
        return self._requeued.setdefault(plan.candidates, Plan(plan.candidates))

    def staying(self, operator: OperatorName, plan: Plan) -> Plan:
        """Return a plan for a message that this operator may have: others only if it is down.

        Like a requeued plan this one has a queue of its own, unknown to the journal.
        """
        others = tuple(name for name in plan.candidates if name != operator)
        candidates = (operator, *others)
        return self._staying.setdefault(candidates, Plan(candidates, stays=True))

    def without(self, plan: Plan, operator: OperatorName) -> Plan | None:
        """Return the plan without an operator that was tried; None if no candidate is left."""
        left = tuple(name for name in plan.candidates if name != operator)
        return self.of(left) if left else None
