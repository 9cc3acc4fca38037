"""The way on: what an operator's answer means for its message, or that none will come.

It is sent; or it goes again, later or elsewhere; or it is given up. `terms/outcome.py` judges the
status, the lane says what becomes of a message that is in doubt.
"""

from collections.abc import Iterable
from typing import Final

from router.enqueue.journal import Attempt
from router.forward.pool import Flight, Operator
from router.homeward import Homeward
from router.report import receipts
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu, message_id_of
from router.stations import OperatorPeer
from router.terms.message import Message, Stage
from router.terms.outcome import Outcome, judge
from router.terms.settings import StatusAction

MOST_DOUBTS: Final = 5
"""A message that was written so often and never answered may be on as many telephones: no more."""


class Onward(Homeward):
    """The acts from an operator's answer to what follows from it."""

    # The operator has answered.

    def answered(self, peer: OperatorPeer, pdu: Pdu, now: float) -> None:
        """A submit_sm_resp, data_sm_resp or generic_nack to one of our messages."""
        flight = pdu.request
        assert isinstance(flight, Flight)
        bind, message = flight.bind, flight.message
        operator = bind.operator
        name = operator.name
        status = pdu.command_status
        if status == v.ESME_ROK and pdu.command_id == v.GENERIC_NACK:
            status = v.ESME_RUNKNOWNERR
        late = flight.over
        if not late:
            operator.landed(flight, now, answered=True)
            self.counters.operator_response_s[name].add(now - flight.sent_at)
            countable = min(status, v.OTHER_STATUS)  # An operator may invent as many as it likes.
            self.counters.sends[name, bind.settings.name, countable] += 1
            self._to_pump.add(name)
            if not self._turn_ends:
                self._end_turn_soon()
        if status == v.ESME_ROK:
            self._sent(operator, message, message_id_of(pdu), now)
        elif not late and message.stage is Stage.IN_FLIGHT:
            action = judge(status, operator.settings.on_status)
            self._go_on(peer, message, action, status, now)
        else:
            self._tell_withheld(message)

    def _sent(self, operator: Operator, message: Message, octets: bytes, now: float) -> None:
        """An operator took it."""
        correlator = self.correlators[operator.name]
        operator_id = correlator.of_response(octets)
        now_utc = self.wall.at(now)
        if message.stage is Stage.SETTLED:  # By the receipt of another attempt.
            return
        if message.stage is not Stage.SENT:
            self.lanes.give_room(message.account)
        message.stage = Stage.SENT
        message.operator = operator.name
        if not receipts.wants_any(message):
            self._settle(message, Outcome.SENT, now_utc)
            return
        if not octets:
            if not self._is_open(message):  # Else the receipt of another attempt will tell.
                self._end_untold(message, "the operator gave no message id")
            return
        message.octets = b""
        message.attempts += 1
        self._settles.attempted.append(Attempt(message, operator.name, operator_id, now_utc))
        for early in correlator.expect(operator_id, message, now_utc):
            self._receipt(early, now)

    def _go_on(
        self, peer: OperatorPeer, message: Message, action: StatusAction, status: int, now: float
    ) -> None:
        """The operator did not take it, and its settings say what that means."""
        bind = peer.bind
        match action.do:
            case "pause":
                bind.operator.rest(bind, now + action.for_s)
                self._wants_pump(self.lanes.put_first(message))
            case "rebind":
                self._wants_pump(self.lanes.put_first(message))
                peer.rebind()
            case "retry" if message.retries < action.times:
                message.retries += 1
                self.lanes.put_later(message, now + action.after_s)
            case "retry" if action.then == "next":
                self._go_elsewhere(bind.operator, message, status)
            case "next" if message.moves < action.times:
                message.moves += 1
                self._go_elsewhere(bind.operator, message, status)
            case _:
                self._give_up(message, Outcome.FAILED, "refused by the operator", status)

    def _go_elsewhere(self, operator: Operator, message: Message, status: int) -> None:
        """On to the next candidate of its plan."""
        plan = self.plans.without(message.plan, operator.name)
        if plan is None:
            self._give_up(message, Outcome.FAILED, "refused by every operator", status)
            return
        message.plan = plan
        message.retries = 0
        self._wants_pump(self.lanes.put_first(message))

    def doubted(self, flights: Iterable[Flight], why: str, now: float) -> None:
        """No answer will come: the bind is lost, or the time is up. Each lane has its policy."""
        for flight in reversed(list(flights)):  # Put back first, so the oldest must come last.
            operator, message = flight.bind.operator, flight.message
            operator.landed(flight, now, answered=False)
            self._wants_pump(operator.name)  # Its window has room, whatever becomes of this one.
            self.counters.sends[operator.name, flight.bind.settings.name, why] += 1
            if message.stage is not Stage.IN_FLIGHT:
                self._tell_withheld(message)
                continue
            action = self.settings.lanes[message.lane].in_doubt
            self.counters.in_doubt[operator.name, action] += 1
            message.doubts += 1
            if action == "fail" or message.doubts > MOST_DOUBTS:
                self._give_up(message, Outcome.FAILED, "no answer from the operator", 0)
                continue
            if action == "elsewhere":
                plan = self.plans.without(message.plan, operator.name)
                message.plan = plan or message.plan
            else:  # To the same one, though a better one may have come.
                message.plan = self.plans.first(operator.name, message.plan)
            message.in_doubt = True
            self._wants_pump(self.lanes.put_first(message))
