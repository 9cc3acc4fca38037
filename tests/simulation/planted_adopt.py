"""Bugs of another configuration: what it leaves behind, forgets, or lets go beyond the contract."""

from router.forward.pace import Pace
from router.report.correlate import Correlator
from router.steps.backlog import Backlog
from router.steps.deliveries import Deliveries
from router.steps.hand_over import HandOver
from router.steps.pending_receipts import PendingReceipts
from router.terms.limits import Rate
from router.terms.names import OperatorName
from tests.simulation.planting import Patch, bug


@bug(seed=0)
def another_rate_begins_with_unused_slots() -> list[Patch]:
    """A second across the change holds as much as both rates together."""

    def anew(self: Pace, rate: Rate, now: float) -> None:
        fresh = Pace(rate, now)
        self.pacer, self.adaptive = fresh.pacer, fresh.adaptive  # type: ignore[misc]

    return [(Pace, "adopt", anew)]


@bug(seed=0)
def what_waits_for_an_operator_that_is_gone_stays_there() -> list[Patch]:
    """Nobody decides about it again."""
    return [(Backlog, "decide_again", lambda self, now: None)]


@bug(seed=0)
def an_account_that_is_gone_is_forgotten_with_what_it_is_owed() -> list[Patch]:
    """Its outbox goes when its last client does."""

    def forget(self: Deliveries) -> None:
        for name in [name for name in self.outboxes if name not in self._accounts]:
            if not (self.outboxes[name].receivers or self.outboxes[name].is_read):
                del self.outboxes[name]
                self._needs_fetch.pop(name)

    return [(Deliveries, "_forget_gone", forget)]


@bug(seed=0)
def a_renamed_operator_owes_nothing() -> list[Patch]:
    """Its receipts come under a name that nobody knows them by."""
    rename = PendingReceipts.rename

    def forgets(self: PendingReceipts, was: OperatorName, now: OperatorName) -> None:
        rename(self, was, now)
        correlator = self.correlators[now]
        self.correlators[now] = Correlator(correlator._forms, correlator.wait_s)

    return [(PendingReceipts, "rename", forgets)]


@bug(seed=0)
def a_renamed_operator_begins_with_unused_slots() -> list[Patch]:
    """As if it were another one."""
    rename = HandOver.rename

    def fresh(self: HandOver, was: OperatorName, now: OperatorName) -> None:
        rename(self, was, now)
        for bind in self._operators[now].binds:
            if bind.pace is not None:
                bind.pace = Pace(bind.pace.pacer.rate, 0.0)

    return [(HandOver, "rename", fresh)]
