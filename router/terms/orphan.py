"""A receipt whose message is not known yet: the operator was faster with it than with its answer.

Or its message is another system's, which shares the operator's account with this one.
"""

from router.terms.names import OperatorId, OperatorName


class Orphan:
    """One receipt that waits for a submit_sm_resp with its id; the journal has it, too."""

    __slots__ = (
        "at_utc",
        "kept_as",
        "octets",
        "operator",
        "operator_id",
        "other_id",
        "source_octets",
    )

    def __init__(
        self,
        operator: OperatorName,
        operator_id: OperatorId,
        source_octets: bytes,
        octets: bytes,
        at_utc: float,
        kept_as: int = 0,
    ) -> None:
        self.operator = operator
        self.operator_id = operator_id
        """The operator's message id in canonical form (`report/correlate.py`)."""
        self.source_octets = source_octets
        """TON, NPI, address and NUL of its source: the number of its message."""
        self.octets = octets
        """The deliver_sm or data_sm as it came."""
        self.at_utc = at_utc
        """When it came."""
        self.kept_as = kept_as
        """Its number in the journal; 0 until the journal is asked to keep it."""
        self.other_id: OperatorId | None = None
        """The id in its text, where that in its TLV is another; not in the journal beside the
        octets."""
