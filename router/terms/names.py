"""Types of names and numbers, so that mypy refuses the mix-ups that would lose receipts."""

from typing import Final, NewType

AccountName = NewType("AccountName", str)
"""A client's system_id."""
OperatorName = NewType("OperatorName", str)
NOBODY: Final = OperatorName("none")
"""The operator, in metrics and status, of messages that no operator which is up may take."""
BindName = NewType("BindName", str)
"""One of our binds to an operator; unique over all operators."""
LaneName = NewType("LaneName", str)
GroupName = NewType("GroupName", str)
"""A group of prefixes."""
ScreenName = NewType("ScreenName", str)
"""What texts are looked through for."""
NO_COUNTRY: Final = "other"
"""The country, in metrics and status, of numbers that are no country's: short codes, satellites,
numbers that no plan has."""

RouterId = NewType("RouterId", int)
"""Our id of a message: decimal, at most 15 digits, increasing; the last two are the node."""
ClientId = NewType("ClientId", bytes)
"""The id of a message as its client sees it, without NUL."""
OperatorId = NewType("OperatorId", bytes)
"""An operator's message id in canonical form: comparable between response and receipt."""
