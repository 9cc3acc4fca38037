"""The parts of one long message, which all go to one operator.

Rule 1: while a part is in flight at an operator, the other parts go to that operator or wait,
because the operator may take the part. Once an operator has taken a part, the choice is final
(`fixed`).

Rule 2: before that the message may fail over as a whole: after an operator has refused a part, so
that the next operator is tried, no other part is sent to the first one (`left`). The message cannot
fail over while a part is in doubt at an operator and is sent there again (`held`): the operator may
have that part.

Rule 3: no part waits for a part that has not come, nor for a part that is refused for good.

Rule 4: once a part was refused before it was accepted (`refused`), no other part is sent.
"""

from typing import TYPE_CHECKING

from router.terms.names import AccountName, OperatorName, RouterId
from router.terms.plan import Plan

if TYPE_CHECKING:
    from router.terms.message import Message


class Group:
    """One long message: where its parts are, and where they may go."""

    __slots__ = (
        "before",
        "bind",
        "came",
        "expected",
        "first_at",
        "fixed",
        "held",
        "in_flight",
        "kept_as",
        "latest_at",
        "left",
        "members",
        "number",
        "operator",
        "parked",
        "plan",
        "receipted",
        "reference",
        "refused",
        "taken",
        "total",
        "touched_at",
    )

    def __init__(self, plan: Plan, total: int, at: float = 0.0, reference: int = 0) -> None:
        """`at` is when its first part was accepted."""
        self.plan = plan
        """The plan of the first part, which the other parts get too."""
        self.total = total
        self.reference = reference
        """The client's number of it, as `Part` has it; 0 where it is not known."""
        self.came: dict[int, int] = {}
        """The checksum of the text of each part that has come, by its number."""
        self.first_at = at
        self.latest_at = at
        """When its first and its latest part were accepted, in monotonic seconds."""
        self.touched_at = at
        """When a part last came or was fetched."""
        self.before: Group | None = None
        """The message that used the same reference before this one."""
        self.operator: OperatorName | None = None
        """The operator that has parts: in flight, taken, or in doubt."""
        self.fixed = False
        """Whether that operator has taken a part, so that the others go there too."""
        self.taken = 0
        """How many parts that operator has taken."""
        self.kept_as = 0
        """Its number in the journal; 0 until the journal is asked to keep it."""
        self.held = 0
        """The number of parts that the operator may have taken and that are to be sent there
        again."""
        self.in_flight = 0
        """The number of parts that the operator has not answered."""
        self.left: tuple[OperatorName, ...] = ()
        """Operators that refused a part in a way that sends the message to another operator."""
        self.parked: list[tuple[Message, int]] = []
        """Parts that wait for those in flight, each with the status that refused it; 0 for a part
        that no operator has refused."""
        self.bind: object = None
        """The bind on which the last part was written; preferred for the next if it has a slot."""
        self.expected = 0
        """Parts whose receipt is waited for in memory, where each part has one of its own."""
        self.receipted = 0
        """Parts whose final receipt has come, where each part has one of its own."""
        self.number = 0
        """Where one receipt is that of all parts: the router_id of the one that was taken first."""
        self.members: list[RouterId] = []
        """The parts that were accepted or fetched, as far as this process knows."""
        self.refused = ""
        """Why a part was refused, so that the others are not sent; empty if none was."""

    @property
    def is_complete(self) -> bool:
        """Whether all parts have come."""
        return len(self.came) == self.total

    def may_take(self, operator: OperatorName) -> bool:
        """Return whether a part may be written to this operator now."""
        if self.refused:
            return False
        if self.operator is None:
            return operator not in self.left
        return self.operator == operator

    def written(self, operator: OperatorName, bind: object, *, in_doubt: bool = False) -> None:
        """Note that a part is written, perhaps for the second time."""
        self.operator = operator
        self.in_flight += 1
        if in_doubt and self.held:
            self.held -= 1
        self.bind = bind

    def accepted_by(self, operator: OperatorName) -> None:
        """Note that an operator took a part; perhaps late, when others go to another operator."""
        if self.operator is None or not (self.fixed or self.in_flight):
            self.operator = operator
        if self.operator == operator:
            self.fixed = True
            self.taken += 1

    def attempt_ended(self) -> None:
        """Note that a part is in flight no longer. If it was taken, call `accepted_by` first."""
        self.in_flight -= 1
        if not (self.in_flight or self.fixed or self.held):
            self.operator = None

    def hold(self, operator: OperatorName) -> None:
        """Note that a part is in doubt at an operator and is to be sent there again."""
        if self.operator is None:
            self.operator = operator
        if self.operator == operator:
            self.held += 1

    def is_bound_to(self, operator: OperatorName) -> bool:
        """Return whether this operator has taken a part, or may have and is asked again."""
        return self.operator == operator and (self.fixed or self.held > 0)

    def exclude(self, operator: OperatorName) -> None:
        """Send no further part to this operator: the message fails over."""
        if operator not in self.left:
            self.left = (*self.left, operator)

    def rename(self, was: OperatorName, now: OperatorName) -> None:
        """Know an operator by its new name."""
        if self.operator == was:
            self.operator = now
        self.left = tuple(now if name == was else name for name in self.left)

    def unparked(self) -> "list[tuple[Message, int]]":
        """Remove and return the parked parts, if no part is in flight any longer."""
        if self.in_flight or not self.parked:
            return []
        parked, self.parked = self.parked, []
        return parked


class Started:
    """A long message of which an operator has taken parts, as it is now: for a later process."""

    __slots__ = (
        "account",
        "came",
        "destination_octets",
        "first_utc",
        "group",
        "is_new",
        "latest_utc",
        "number",
        "operator",
        "part_of",
        "plan",
        "queue",
        "reference",
        "source_octets",
        "taken",
        "total",
    )

    def __init__(
        self,
        *,
        account: AccountName,
        source_octets: bytes,
        destination_octets: bytes,
        reference: int,
        total: int,
        plan: Plan,
        queue: int,
        operator: OperatorName,
        taken: int,
        came: dict[int, int],
        part_of: int,
        first_utc: float,
        latest_utc: float,
        number: int = 0,
        group: Group | None = None,
    ) -> None:
        """See the fields of the same names of `Group`."""
        self.account = account
        self.source_octets = source_octets
        self.destination_octets = destination_octets
        self.reference = reference
        self.total = total
        self.plan = plan
        self.queue = queue
        """The number of a queue with this account and plan in the journal."""
        self.operator = operator
        self.taken = taken
        self.came = came
        self.part_of = part_of
        """The number of the group where one receipt is that of all parts; 0 elsewhere."""
        self.first_utc = first_utc
        self.latest_utc = latest_utc
        """When its first and its latest part were accepted."""
        self.number = number
        """Its number in the journal; 0 until the journal is asked to keep it."""
        self.group = group
        """Whose state this is; None where it comes from the journal."""
        self.is_new = False
        """Whether the journal has not been asked to keep an earlier state."""

    @property
    def is_over(self) -> bool:
        """Whether the operator has taken all parts: nothing need be known any more."""
        return self.taken >= self.total

    def numbered(self, next_number: int) -> int:
        """Give it the number of its group, the next one if that has none; return the next one."""
        group = self.group
        assert group is not None
        if not group.kept_as:
            group.kept_as = next_number
            self.is_new = True
            next_number += 1
        self.number = group.kept_as
        return next_number


def started(
    group: Group, operator: OperatorName, message: "Message", now: float, now_utc: float
) -> Started:
    """Return the state of the message's group, of which this operator has just taken a part."""
    return Started(
        account=message.account,
        source_octets=message.source_octets,
        destination_octets=message.destination_octets,
        reference=group.reference,
        total=group.total,
        plan=group.plan,
        queue=message.row.queue,
        operator=operator,
        taken=group.taken,
        came=dict(group.came),
        part_of=group.number,
        first_utc=now_utc - (now - group.first_at),
        latest_utc=now_utc - (now - group.latest_at),
        group=group,
    )
