"""Binds to operators come and go, do well or fail: who may send, and who stands in.

A bind, or an operator, of which nothing but failures comes is left alone for a while, and others
take over; one whose operator does not keep up is slowed (`forward/breaker.py`, `adapting.py`).
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Final

from router.decide.table import Up
from router.enqueue.lanes import Lanes
from router.forward.pool import Bind, BindChanges, Operator
from router.smpp import vocabulary as v
from router.steps.clocks import Clocks
from router.steps.peers import OperatorPeer
from router.steps.turn import Turn
from router.terms.message import Message
from router.terms.names import OperatorName
from router.terms.queue_key import STAYING
from router.terms.settings import OperatorSettings, StatusAction


class Availability:
    """Asks operators how they are, and tells the lanes and the routes."""

    __slots__ = ("_clocks", "_lanes", "_make", "_operators", "_turn", "_up")

    def __init__(
        self,
        operators: dict[OperatorName, Operator],
        make: Callable[[OperatorSettings, float], Operator],
        lanes: Lanes,
        up: Up,
        clocks: Clocks,
        turn: Turn,
    ) -> None:
        self._operators: Final = operators
        self._make: Final = make
        self._lanes: Final = lanes
        self._up: Final = up
        self._clocks: Final = clocks
        self._turn: Final = turn

    def adopt(
        self,
        operators: Mapping[OperatorName, OperatorSettings],
        now: float,
        renamed: Collection[OperatorName] = (),
    ) -> dict[OperatorName, BindChanges]:
        """Follow a new configuration; return what has become of the binds of each operator.

        An operator that is gone sends nothing more. What it has in flight is still answered, and
        its receivers bring receipts, until `forget`. Of one that was renamed all binds are bound
        anew.
        """
        changes: dict[OperatorName, BindChanges] = {}
        for name, settings in operators.items():
            operator = self._operators.get(name)
            if operator is None:
                operator = self._make(settings, now)
                self._operators[name] = operator
                changes[name] = BindChanges(operator.binds, (), ())
            elif operator.is_leaving:
                # It comes back. Those that have been unbound already are to be bound again.
                new = operator.adopt(settings, now)
                unbound = tuple(bind for bind in operator.binds if bind.peer is None)
                changes[name] = replace(new, added=unbound)
            else:
                changes[name] = operator.adopt(settings, now)
            if name in renamed:
                known = tuple(bind for bind in operator.binds if bind not in changes[name].added)
                changes[name] = replace(changes[name], renewed=known)
            self._all_changed(operator)
        for name, operator in self._operators.items():
            if name not in operators and not operator.is_leaving:
                changes[name] = operator.leave()
                self._all_changed(operator)
        return changes

    def left(self) -> list[OperatorName]:
        """Return the operators that are gone and no longer bound."""
        return [name for name, one in self._operators.items() if one.is_leaving and one.is_unbound]

    def forget(self, operator: OperatorName) -> None:
        """Forget an operator that is gone and owes nothing any more."""
        del self._operators[operator]

    def came_up(self, peer: OperatorPeer, now: float) -> None:
        """A bind to an operator is bound."""
        bind = peer.bind
        if self._operators.get(bind.operator.name) is not bind.operator:
            peer.rebind()  # It was forgotten while this was connecting.
            return
        bind.operator.came_up(bind, peer, now)
        self.changed(bind)

    def went_down(self, bind: Bind, now: float) -> None:
        """A bind to an operator is lost."""
        bind.operator.went_down(bind, now)
        self.changed(bind)

    def proven(self, bind: Bind, now: float) -> None:
        """An operator has answered on this bind, which may have waited for that."""
        if bind.operator.proven(bind, now):
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
        lanes, name = self._lanes, operator.name
        self._turn.operators.update(lanes.set_available(name, available, now, tried=tried))
        self._turn.operators.update(lanes.set_takes_trial(name, operator.takes_trial))
        self._up.become(lanes.available)

    # How well they do.

    def succeeded(self, bind: Bind) -> None:
        """A message was taken, and before that some were not."""
        if bind.operator.succeeded(bind):
            self._all_changed(bind.operator)

    def refused(
        self, bind: Bind, message: Message, status: int, action: StatusAction, now: float
    ) -> bool:
        """A message was not taken. Was it too soon, or is the operator unwell?

        Return whether a pause, if that is the action, is for the whole bind. With ESME_RTHROTTLED
        it is when more than a few are throttled; any other status says that the bind must rest.
        """
        operator = bind.operator
        if status == v.ESME_RTHROTTLED:
            return operator.throttled(bind, message.sent_at, now)
        if action.do == "pause":
            operator.refused(bind, message.sent_at, now)
        elif operator.is_failure(status):
            self.failed(bind, now)
        return True

    def failed(self, bind: Bind, now: float) -> None:
        """The operator has failed to take a message, for a reason that is not the message's."""
        operator = bind.operator
        if operator.failed(bind, now):
            self._all_changed(operator)
            if not operator.is_available:
                self._turn.operators.update(self._lanes.release_delayed(operator.name, now))

    def tick(self, now: float) -> None:
        """Do what is due for all operators; call this once a second."""
        for operator in self._operators.values():
            if operator.tick(now):
                self._all_changed(operator)
            if not operator.is_available:
                self._give_back(operator)

    def _give_back(self, operator: Operator) -> None:
        """Have what waits apart wait in the lanes, where another operator may take it.

        Of an operator that is up and takes nothing, only what it need not have already (STAYING).
        """
        lanes, is_up = self._lanes, operator.is_up

        def may_leave(message: Message) -> bool:
            if operator.is_leaving:
                return True
            others = any(map(lanes.is_available, message.plan.candidates))
            return others and (message.queue_kind is not STAYING or not is_up)

        for message in [*operator.suspects.leave(may_leave), *operator.held.leave(may_leave)]:
            self._turn.dispatch_all(lanes.put_back(message))

    def _all_changed(self, operator: Operator) -> None:
        for bind in operator.binds:
            self.changed(bind)

    def another_may(self, operator: Operator, message: Message) -> bool:
        """Whether this operator can take nothing now, and another one of the plan can."""
        may_leave = message.queue_kind is not STAYING and not operator.is_available
        return may_leave and any(
            name != operator.name and self._lanes.is_available(name)
            for name in message.plan.candidates
        )
