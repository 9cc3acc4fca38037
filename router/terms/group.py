"""The parts of one long message, which take one operator together.

Rule 1: while a part is in flight at an operator the others go there or nowhere: it may take that
one. When it has taken one, that is settled for good (`fixed`).

Rule 2: before that the message may fail over as a whole: what one operator has refused, so that the
next is to be asked, no other part is sent to (`left`). Not while a part is in doubt and goes there
again (`held`): that one cannot follow.

Rule 3: no part waits for one that has not come, nor for one that is refused for good.
"""

from typing import TYPE_CHECKING

from router.terms.names import OperatorName
from router.terms.plan import Plan

if TYPE_CHECKING:
    from router.terms.message import Message


class Group:
    """One long message: where its parts are, and where they may go."""

    __slots__ = (
        "bind",
        "fixed",
        "held",
        "in_flight",
        "left",
        "missing",
        "operator",
        "parked",
        "plan",
        "touched_at",
    )

    def __init__(self, plan: Plan, total: int) -> None:
        self.plan = plan
        """What its first part was given; the others get the same."""
        self.missing = (1 << total) - 1
        """A bit for each part that has not come."""
        self.touched_at = 0.0
        """When the last of them came."""
        self.operator: OperatorName | None = None
        """Who has parts of it: in flight, taken, or in doubt."""
        self.fixed = False
        """It has taken one: the others go there too."""
        self.held = 0
        """Parts that it may have taken, and that wait to be sent there again."""
        self.in_flight = 0
        """Parts that this operator has not answered."""
        self.left: tuple[OperatorName, ...] = ()
        """Who has refused a part in a way that sends the message elsewhere."""
        self.parked: list[tuple[Message, int]] = []
        """Parts that wait for those in flight, with the status that refused them; 0 for one that
        nobody has refused."""
        self.bind: object = None
        """Where the last part was written: the others go there too if it has a slot."""

    def may_take(self, operator: OperatorName) -> bool:
        """Whether a part may be written to this operator now."""
        if self.operator is None:
            return operator not in self.left
        return self.operator == operator

    def written(self, operator: OperatorName, bind: object, *, in_doubt: bool = False) -> None:
        """A part is written, perhaps for the second time."""
        self.operator = operator
        self.in_flight += 1
        if in_doubt and self.held:
            self.held -= 1
        self.bind = bind

    def accepted_by(self, operator: OperatorName) -> None:
        """An operator took a part; late, perhaps, when others are on their way elsewhere."""
        if self.operator is None or not (self.fixed or self.in_flight):
            self.operator = operator
        self.fixed = self.fixed or self.operator == operator

    def attempt_ended(self) -> None:
        """A part is in flight no more. `accepted_by` comes first where it was taken."""
        self.in_flight -= 1
        if not (self.in_flight or self.fixed or self.held):
            self.operator = None

    def hold(self, operator: OperatorName) -> None:
        """A part is in doubt there, and goes there again: it may have been taken."""
        if self.operator is None:
            self.operator = operator
        if self.operator == operator:
            self.held += 1

    def is_bound_to(self, operator: OperatorName) -> bool:
        """Whether this operator has taken a part, or may have and is asked again."""
        return self.operator == operator and (self.fixed or self.held > 0)

    def exclude(self, operator: OperatorName) -> None:
        """The message goes elsewhere: what is not sent yet follows."""
        if operator not in self.left:
            self.left = (*self.left, operator)

    def unparked(self) -> "list[tuple[Message, int]]":
        """Remove and return the parts that need not wait any more."""
        if self.in_flight or not self.parked:
            return []
        parked, self.parked = self.parked, []
        return parked
