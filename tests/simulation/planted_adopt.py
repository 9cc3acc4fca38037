"""Bugs of another configuration: what it leaves behind, forgets, or lets go beyond the contract."""

from router.forward.pace import Pace
from router.report.correlate import Correlator
from router.steps.commits import Commits
from router.steps.hand_over import HandOver
from router.steps.pending_receipts import PendingReceipts
from router.terms.names import OperatorName
from tests.simulation.planting import Patch, bug


@bug(seed=209)
def a_renamed_operator_owes_nothing() -> list[Patch]:
    """Its receipts come under a name that nobody knows them by."""
    rename = PendingReceipts.rename

    def forgets(self: PendingReceipts, was: OperatorName, now: OperatorName) -> None:
        rename(self, was, now)
        correlator = self.correlators[now]
        self.correlators[now] = Correlator(correlator._forms, correlator.wait_s)

    return [(PendingReceipts, "rename", forgets)]


@bug(seed=720)
def a_renamed_operator_begins_with_unused_slots() -> list[Patch]:
    """As if it were another one."""
    rename = HandOver.rename

    def fresh(self: HandOver, was: OperatorName, now: OperatorName) -> None:
        rename(self, was, now)
        for bind in self._operators[now].binds:
            if bind.pace is not None:
                bind.pace = Pace(bind.pace.pacer.rate, 0.0)

    return [(HandOver, "rename", fresh)]


@bug(seed=12)
def an_operator_that_is_gone_owes_nothing() -> list[Patch]:
    """It is forgotten as soon as it is unbound, and unbound at once."""
    return [(PendingReceipts, "owes", lambda self, operator: False)]


@bug(seed=224)
def a_renamed_account_loses_what_is_under_way() -> list[Patch]:
    """What the journal has not answered for is of nobody when it has."""
    return [(Commits, "every", lambda self: ())]


@bug(seed=229)
def a_renamed_account_is_owed_nothing() -> list[Patch]:
    """Its receipts come, and are for the old name."""
    return [(PendingReceipts, "messages", lambda self: iter(()))]
