"""What speaks against one message: sessions to operators have fallen while it was in flight."""

from router.terms.names import OperatorName


class Suspicion:
    """The case of one message; made when a session first falls with it (`steps/suspicions.py`)."""

    __slots__ = (
        "answered_before",
        "bind",
        "charges",
        "ends_others",
        "falls",
        "falls_in_a_row",
        "first_at",
        "operator",
        "operators",
        "since",
    )

    def __init__(self, since: float) -> None:
        self.since = since
        """When a session last fell with it, in monotonic seconds."""
        self.first_at = since
        """When a session first fell with it."""
        self.falls = 0
        """Sessions that have answered something, and fell when it alone was in flight."""
        self.falls_in_a_row = 0
        """Those of the last falls of its operator's sessions with one message in flight."""
        self.charges = 0
        """The falls that are held against it, and not against the operator."""
        self.ends_others = False
        """Whether a session of a second operator fell with it alone, which had answered others."""
        self.bind: object = None
        """The bind whose session fell last with it alone."""
        self.operator: OperatorName | None = None
        """The operator that it waits for, or whose session fell last."""
        self.operators = 0
        """How many operators it has been suspect at."""
        self.answered_before = 0
        """How many messages this operator had answered when it came there, or was charged last."""

    def at(self, operator: OperatorName, answered: int) -> None:
        """Note at which operator it is suspect, and how many messages that has answered."""
        if operator != self.operator:
            self.operator = operator
            self.operators += 1
            self.answered_before = answered
