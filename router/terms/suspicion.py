"""What speaks against one message: sessions to operators have fallen while it was in flight."""

from router.terms.names import OperatorName


class Suspicion:
    """The case of one message; made when a session first falls with it (`steps/suspicions.py`)."""

    __slots__ = (
        "answered_before",
        "charges",
        "falls",
        "falls_in_a_row",
        "first_at",
        "operator",
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
        self.operator: OperatorName | None = None
        """The operator of the session that fell last."""
        self.answered_before = 0
        """How many messages this operator had answered when a session of it first fell with it."""
