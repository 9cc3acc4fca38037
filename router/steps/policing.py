"""Judges messages by the policy of their account, and counts what became of them."""

from typing import Final

from router.check.policy import RULES, Candidate, Policy
from router.steps.rules import Rules
from router.terms.counters import Counters
from router.terms.outcome import Refusal


class Policing:
    """The pass through an account's checks, with the rules under `refuse` where they belong."""

    __slots__ = ("_counters",)

    def __init__(self, counters: Counters) -> None:
        self._counters: Final = counters

    def judge(self, policy: Policy, rules: Rules, one: Candidate, now_utc: float) -> Refusal | None:
        """Return why a message is refused; None if all let it pass, perhaps changed."""
        counters = self._counters
        counters.judged[policy.word] += 1
        by, refusal = RULES, None
        found = policy.read_number(one, now_utc)
        if found is None:
            if policy.number is None and rules.ask_place:
                one.place = rules.places.of(one.number)
            if rules.refuse is not None:
                refusal = rules.refuse.refusal(
                    one.number, one.account.name, one.lane, one.sm, now_utc, one.place
                )
            if refusal is None and policy.checks:
                found = policy.judge(one, now_utc)
        if found is not None:
            by, refusal = found[0].name, found[1]
        for note in one.notes:
            counters.policy_notes[one.account.name, note.check, note.result] += 1
        if refusal is not None:
            counters.policy_refusals[policy.word, by] += 1
        return refusal
