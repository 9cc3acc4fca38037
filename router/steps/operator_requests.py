"""What the router asks operators about messages that they have: cancel_sm, where they take it."""

from collections.abc import Callable, Mapping
from typing import Final

from router.enqueue.journal import PendingReceipt
from router.forward.pool import Asked, Operator
from router.smpp import vocabulary as v
from router.smpp.requests import cancel_sm
from router.terms.names import OperatorName
from router.terms.record import last_id


class OperatorRequests:
    """Asks on a bind that can send, and hands the answer on."""

    __slots__ = ("_operators",)

    def __init__(self, operators: Mapping[OperatorName, Operator]) -> None:
        self._operators: Final = operators

    def cancel(self, pending: PendingReceipt, now: float, answer: Callable[[int], None]) -> None:
        """Ask the operator to cancel a message that it took; `answer` gets the status for a client.

        ESME_RCANCELFAIL where the operator takes no cancel_sm, cannot be asked now, or says no. If
        it says yes, its receipt ends the message.
        """
        operator = self._operators.get(pending.operator)
        if operator is None or not operator.settings.cancel_sm:
            answer(v.ESME_RCANCELFAIL)
            return
        message = pending.message
        source, destination = message.source_octets, message.destination_octets
        numbers, replacement = operator.numbers, operator.replacement
        if replacement is not None and replacement.is_for(source, pending.at_utc):
            source = replacement.octets
        if numbers is not None:  # As its submit_sm had them.
            source, destination = numbers.written(source), numbers.destination(message)
        operator_id = last_id(message.row.tries_before) or pending.operator_id
        octets = cancel_sm(b"", operator_id, source, destination)

        def done(status: int | None) -> None:
            answer(v.ESME_ROK if status == v.ESME_ROK else v.ESME_RCANCELFAIL)

        if not operator.ask(octets, Asked(done), now):
            answer(v.ESME_RCANCELFAIL)
