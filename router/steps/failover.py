"""A message goes on to another operator, or is in doubt: the policies, also for long messages.

The parts of a long message take one operator together (`terms/group.py` has the rules): a part may
have to wait for those in flight, and follows where they went.
"""

from typing import Final

from router.enqueue.lanes import Lanes
from router.forward.pool import Operator
from router.steps.outcomes import Outcomes
from router.steps.pending_receipts import PendingReceipts
from router.steps.turn import Turn
from router.terms.counters import Counters
from router.terms.group import Group
from router.terms.message import Message
from router.terms.names import OperatorName
from router.terms.outcome import Outcome
from router.terms.plan import Plan, Plans
from router.terms.queue_key import REQUEUED, STAYING
from router.terms.states import PARK, PARKED

MOST_TIMEOUTS: Final = 5
"""A message that was so often not answered in time may be on as many telephones: no more."""


class Failover:
    """Decides where a message goes that its operator did not take, or may have taken."""

    __slots__ = ("_counters", "_lanes", "_outcomes", "_pending", "_plans", "_turn")

    def __init__(
        self,
        lanes: Lanes,
        plans: Plans,
        pending: PendingReceipts,
        outcomes: Outcomes,
        counters: Counters,
        turn: Turn,
    ) -> None:
        self._lanes: Final = lanes
        self._plans: Final = plans
        self._pending: Final = pending
        self._outcomes: Final = outcomes
        self._counters: Final = counters
        self._turn: Final = turn

    def has_another(self, message: Message, operator: OperatorName) -> bool:
        """Whether the plan names another operator."""
        return self._plans.without(message.plan, operator) is not None

    def go_elsewhere(self, operator: Operator, message: Message, status: int) -> None:
        """Send a message on to its next candidate; all parts of a long message or none."""
        group = message.group
        plan = self._plans.without(message.plan, operator.name)
        if plan is None:
            reason = "refused by every operator"
            self._outcomes.give_up(message, Outcome.FAILED, reason, status)
            return
        if group is not None:
            if group.in_flight and not group.fixed:
                message.enter(PARK)
                group.parked.append((message, status))
                return
            if group.is_bound_to(operator.name):
                reason = "refused by the operator that has its other parts"
                self._outcomes.give_up(message, Outcome.FAILED, reason, status)
                return
            group.exclude(operator.name)
        message.reroute(plan)
        message.retries = 0
        self._turn.dispatch_all(self._lanes.put_first(message))

    def doubted(self, message: Message, operator: OperatorName) -> bool:
        """Follow the lane's policy for a message that this operator may have taken.

        Return whether the message still waits to be sent; perhaps under another plan: elsewhere,
        or to the same operator, though a better one may have come and even if it must wait.
        """
        action = self._lanes.settings[message.lane].in_doubt
        self._counters.in_doubt[operator, action] += 1
        message.times_in_doubt += 1
        self._pending.may_be_taken_twice(message)
        if action == "fail" or message.timeouts > MOST_TIMEOUTS:
            self._outcomes.give_up(message, Outcome.FAILED, "no answer from the operator", 0)
            return False
        self.reroute_doubted(message, operator)
        message.doubt()
        return True

    def reroute_doubted(self, message: Message, operator: OperatorName) -> None:
        """Have a message that this operator may have wait where its lane wants it to go."""
        group = message.group
        if self._lanes.settings[message.lane].in_doubt == "elsewhere":
            plan = self._plans.without(message.plan, operator)
            if plan is not None:
                message.reroute(plan)
                if group is not None:
                    group.exclude(operator)
                    if group.operator is not None:
                        message.group = None  # The others stay where they are; this one goes.
        elif operator in message.plan.candidates:  # Else the configuration has it no more.
            message.reroute(self._plans.led_by(operator, message.plan), STAYING)
            if group is not None:
                group.hold(operator)

    # The parts of a long message.

    def rejected(self, operator: Operator, messages: list[Message]) -> None:
        """Find another way for parts that this operator must not take.

        Other parts are at another operator, or have left this one.
        """
        for message in messages:
            group = message.group
            assert group is not None
            if group.refused:
                self._outcomes.give_up(message, Outcome.REJECTED, group.refused, 0)
                continue
            if message.queue_kind is STAYING:
                if operator.name == message.plan.candidates[0]:
                    if message.in_doubt:
                        message.group = None  # It may have this one, whoever has the others.
                elif not (group.fixed or group.in_flight):
                    group.operator = None  # Who may have parts is down: nobody waits for it.
                    group.held = 0
            if message.group is None or group.may_take(operator.name):
                self._turn.dispatch_all(self._lanes.put_back(message))
                continue
            if group.in_flight and not group.fixed:
                message.enter(PARK)
                group.parked.append((message, 0))
                continue
            plan: Plan | None = None
            kind = REQUEUED
            if group.operator is None:
                plan = self._plans.without(message.plan, operator.name)
                # Then each of its operators has refused a part, and one of them this one.
                if plan is None and message.writes and not message.in_doubt:
                    reason = "refused, or its other parts, by every operator"
                    self._outcomes.give_up(message, Outcome.FAILED, reason, 0)
                    continue
            elif group.operator in message.plan.candidates:
                plan = self._plans.of((group.operator,))
                if not group.fixed:
                    plan, kind = self._plans.led_by(group.operator, message.plan), STAYING
            if plan is None:  # It may go nowhere else: decided in an earlier process, or anew.
                message.group = None
                plan = message.plan
                if message.queue_kind is STAYING:
                    kind = STAYING
            message.reroute(plan, kind)
            self._turn.dispatch_all(self._lanes.put_back(message))

    def unpark(self, group: Group, operator: Operator) -> None:
        """Let parts go on that have waited for those in flight."""
        for message, status in reversed(group.unparked()):  # Put first, so the oldest must be last.
            if message.state is not PARKED:
                continue  # A late answer has told that it was sent after all.
            if status:
                self.go_elsewhere(operator, message, status)
            else:
                self._turn.dispatch_all(self._lanes.put_back(message))
