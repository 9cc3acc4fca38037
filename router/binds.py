"""Binds to operators: may they send, and do they do well?

A bind, or an operator, of which nothing but failures comes is left alone for a while, and others
take over; one whose operator does not keep up is slowed (`forward/breaker.py`, `adapting.py`).
"""

from router.forward.pool import Bind, Operator
from router.smpp import vocabulary as v
from router.stations import Stations
from router.terms.message import Message
from router.terms.names import OperatorName
from router.terms.settings import StatusAction


class Binds(Stations):
    """The acts that follow from how binds are."""

    def availability_changed(self, bind: Bind) -> None:
        """This bind may send again, or no more."""
        operator = bind.operator
        now = self.clock()
        operator.offer(bind, now)
        self._to_pump.update(self.lanes.set_up(operator.name, operator.is_up))
        self._set_available(operator, now)
        self._to_pump.add(operator.name)
        self._end_turn_soon()

    def _set_available(self, operator: Operator, now: float) -> None:
        available, tried = operator.is_available, operator.is_tried
        gained = self.lanes.set_available(operator.name, available, now, tried=tried)
        self._to_pump.update(gained)
        self.routes.set_up(self.lanes.available)

    def pump(self, operator: OperatorName) -> None:
        """This operator's binds may be able to send something now."""
        self._wants_pump(operator)

    # How well they do.

    def _took(self, bind: Bind) -> None:
        """A message was taken, and before that some were not."""
        if bind.operator.succeeded(bind):
            self._all_changed(bind.operator)

    def _refused(
        self, bind: Bind, message: Message, status: int, action: StatusAction, now: float
    ) -> None:
        """A message was not taken. Was it too soon, or is the operator unwell?"""
        operator = bind.operator
        if action.do == "pause" or status == v.ESME_RTHROTTLED:
            operator.throttled(bind, message.sent_at, now)
        elif operator.is_failure(status):
            self._failed(bind, now)

    def _failed(self, bind: Bind, now: float) -> None:
        """It is the operator that fails, and not the message."""
        operator = bind.operator
        if operator.failed(bind, now):
            self._all_changed(operator)
            if not operator.is_available:
                self._to_pump.update(self.lanes.hurry(operator.name))

    def _look_after_binds(self, now: float) -> None:
        """Once a second or so."""
        for operator in self.operators.values():
            if operator.look(now):
                self._all_changed(operator)

    def _all_changed(self, operator: Operator) -> None:
        for bind in operator.binds:
            self.availability_changed(bind)

    def _another_may(self, operator: Operator, message: Message) -> bool:
        """Whether this operator can take nothing now, and another one of the plan can."""
        may_leave = not (message.plan.stays or operator.is_available)
        return may_leave and any(
            name != operator.name and self.lanes.is_available(name)
            for name in message.plan.candidates
        )
