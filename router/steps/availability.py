"""Binds to operators come and go, do well or fail: who may send, and who stands in.

A bind, or an operator, of which nothing but failures comes is left alone for a while, and others
take over; one whose operator does not keep up is slowed (`forward/breaker.py`, `adapting.py`).
"""

from collections.abc import Mapping
from typing import Final

from router.enqueue.lanes import Lanes
from router.forward.pool import Bind, Operator
from router.smpp import vocabulary as v
from router.steps.clocks import Clocks
from router.steps.peers import OperatorPeer
from router.steps.rules import Rulebook
from router.steps.turn import Turn
from router.terms.message import Message
from router.terms.names import OperatorName
from router.terms.settings import StatusAction


class Availability:
    """Asks operators how they are, and tells the lanes and the routes."""

    __slots__ = ("_clocks", "_lanes", "_operators", "_rulebook", "_turn")

    def __init__(
        self,
        operators: Mapping[OperatorName, Operator],
        lanes: Lanes,
        rulebook: Rulebook,
        clocks: Clocks,
        turn: Turn,
    ) -> None:
        self._operators: Final = operators
        self._lanes: Final = lanes
        self._rulebook: Final = rulebook
        self._clocks: Final = clocks
        self._turn: Final = turn

    def came_up(self, peer: OperatorPeer, now: float) -> None:
        """A bind to an operator is bound."""
        bind = peer.bind
        bind.operator.came_up(bind, peer, now)
        self.changed(bind)

    def went_down(self, bind: Bind, now: float) -> None:
        """A bind to an operator is lost."""
        bind.operator.went_down(bind, now)
        self.changed(bind)

    def changed(self, bind: Bind) -> None:
        """This bind may send again, or no more."""
        operator = bind.operator
        now = self._clocks.now()
        operator.offer(bind, now)
        self._turn.operators.update(self._lanes.set_up(operator.name, operator.is_up))
        self.refresh(operator, now)
        self._turn.dispatch(operator.name)

    def refresh(self, operator: Operator, now: float) -> None:
        """Tell lanes and routes whether the operator can take messages now."""
        available, tried = operator.is_available, operator.is_tried
        lanes = self._lanes
        gained = lanes.set_available(operator.name, available, now, tried=tried)
        self._turn.operators.update(gained)
        self._rulebook.rules.routes.set_up(lanes.available)

    # How well they do.

    def succeeded(self, bind: Bind) -> None:
        """A message was taken, and before that some were not."""
        if bind.operator.succeeded(bind):
            self._all_changed(bind.operator)

    def refused(
        self, bind: Bind, message: Message, status: int, action: StatusAction, now: float
    ) -> None:
        """A message was not taken. Was it too soon, or is the operator unwell?"""
        operator = bind.operator
        if action.do == "pause" or status == v.ESME_RTHROTTLED:
            operator.throttled(bind, message.sent_at, now)
        elif operator.is_failure(status):
            self.failed(bind, now)

    def failed(self, bind: Bind, now: float) -> None:
        """The operator has failed to take a message, for a reason that is not the message's."""
        operator = bind.operator
        if operator.failed(bind, now):
            self._all_changed(operator)
            if not operator.is_available:
                self._turn.operators.update(self._lanes.release_delayed(operator.name))

    def tick(self, now: float) -> None:
        """Do what is due for all operators; call this once a second."""
        for operator in self._operators.values():
            if operator.tick(now):
                self._all_changed(operator)

    def _all_changed(self, operator: Operator) -> None:
        for bind in operator.binds:
            self.changed(bind)

    def another_may(self, operator: Operator, message: Message) -> bool:
        """Whether this operator can take nothing now, and another one of the plan can."""
        may_leave = not (message.plan.stays or operator.is_available)
        return may_leave and any(
            name != operator.name and self._lanes.is_available(name)
            for name in message.plan.candidates
        )
