"""The way on: what an operator's answer means for its message, or that none will come.

It is sent; or it goes again, later or elsewhere; or it is given up. `terms/outcome.py` judges the
status, the lane says what becomes of a message that is in doubt.
"""

from collections.abc import Iterable
from typing import Final

from router.decide.table import Rule
from router.enqueue.journal import Attempt
from router.forward.pool import Flight, Operator
from router.homeward import Homeward
from router.report import receipts
from router.report.correlate import EARLY_WAIT_S
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu, Sm, message_id_of
from router.smpp.segments import part_of
from router.smpp.session import Note
from router.stations import OperatorPeer
from router.terms.group import Group
from router.terms.message import Message, Stage
from router.terms.names import AccountName
from router.terms.outcome import WRONG_SET_UP, Outcome, judge
from router.terms.plan import Plan
from router.terms.settings import StatusAction

THROTTLED_FOR_S: Final = 1200.0
"""A message that is throttled when it is so old goes to the next operator."""
MOST_DOUBTS: Final = 5
"""A message that was written so often and never answered may be on as many telephones: no more."""
MOST_REBINDS: Final = 3
"""A message for which binds were bound anew so often waits aside: perhaps it is the message's
fault, and those behind it would never go."""
REBINDS_AGAIN_S: Final = 30.0
"""For so long, and twice as long each time."""
MOST_DOUBLED: Final = 5


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
        group = message.group
        if group is not None:
            if status == v.ESME_ROK:
                group.took(name)
            if not late:
                group.landed()
        if status == v.ESME_ROK:
            if operator.circuit.is_troubled and not late:
                self._took(bind)
            if operator.fullness.numbers:
                operator.fullness.numbers.clear()
            self._sent(operator, message, message_id_of(pdu), now)
        elif not late and message.stage is Stage.IN_FLIGHT:
            action = self._judge(peer, message, status)
            self._refused(bind, message, status, action, now)
            self._go_on(peer, message, action, status, now)
        else:
            self._tell_withheld(message)
        if group is not None:
            self._unpark(group, operator)

    def _judge(self, peer: OperatorPeer, message: Message, status: int) -> StatusAction:
        """What an answer other than ESME_ROK means."""
        operator = peer.bind.operator
        if status in WRONG_SET_UP:
            peer.tell(Note("message.objected", message.command_id, status))
        number = message.destination_octets
        return judge(
            status,
            operator.settings.on_status,
            is_full=status == v.ESME_RMSGQFUL and operator.fullness.refused(number),
            is_data_sm=message.command_id == v.DATA_SM,
        )

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
        if message.is_marked:
            self._note_not_written(message)
        match action.do:
            case "pause" if self._throttled_for_long(bind.operator, message, now):
                self._go_elsewhere(bind.operator, message, status)
            case "pause":
                bind.operator.rest(bind, now + action.for_s)
                self._wants_pump(self.lanes.put_back(message))  # First, and in their order.
            case "rebind":
                message.retries += 1
                if message.retries <= MOST_REBINDS:
                    self._wants_pump(self.lanes.put_first(message))
                else:
                    times = min(message.retries - MOST_REBINDS, MOST_DOUBLED)
                    self.lanes.put_later(message, now + REBINDS_AGAIN_S * 2.0 ** (times - 1))
                peer.rebind()
            case "retry" if self._another_may(bind.operator, message):
                self._wants_pump(self.lanes.put_first(message))
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

    def _throttled_for_long(self, operator: Operator, message: Message, now: float) -> bool:
        """Whether another operator may have it: one that throttles is no failure, for a while."""
        is_old = now - message.accepted_at > THROTTLED_FOR_S
        return is_old and self.plans.without(message.plan, operator.name) is not None

    def _go_elsewhere(self, operator: Operator, message: Message, status: int) -> None:
        """On to the next candidate of its plan; all parts of a long message or none."""
        group = message.group
        plan = self.plans.without(message.plan, operator.name)
        if plan is None:
            self._give_up(message, Outcome.FAILED, "refused by every operator", status)
            return
        if group is not None:
            if group.in_flight and not group.fixed:
                message.stage = Stage.WAITING
                group.parked.append((message, status))
                return
            if group.is_bound_to(operator.name):
                reason = "refused by the operator that has its other parts"
                self._give_up(message, Outcome.FAILED, reason, status)
                return
            group.leave(operator.name)
        message.plan = plan
        message.retries = 0
        self._wants_pump(self.lanes.put_first(message))

    def doubted(self, flights: Iterable[Flight], why: str, now: float) -> None:
        """No answer will come: the bind is lost, or the time is up. Each lane has its policy."""
        landed: list[tuple[Group, Operator]] = []
        for flight in reversed(list(flights)):  # Put back first, so the oldest must come last.
            operator, message = flight.bind.operator, flight.message
            operator.landed(flight, now, answered=False)
            if message.group is not None:
                message.group.landed()
                landed.append((message.group, operator))
            self._wants_pump(operator.name)  # Its window has room, whatever becomes of this one.
            self.counters.sends[operator.name, flight.bind.settings.name, why] += 1
            if why == "timeout":  # It may have been taken; and then a receipt may come first.
                operator.late_until = now + EARLY_WAIT_S
            if why == "timeout" or operator.circuit.is_probing(flight.bind.place):
                self._failed(flight.bind, now)
            if message.stage is not Stage.IN_FLIGHT:
                self._tell_withheld(message)
                continue
            action = self.settings.lanes[message.lane].in_doubt
            self.counters.in_doubt[operator.name, action] += 1
            message.doubts += 1
            self._doubted[message.router_id] = message
            if action == "fail" or message.doubts > MOST_DOUBTS:
                self._give_up(message, Outcome.FAILED, "no answer from the operator", 0)
                continue
            if action == "elsewhere":
                plan = self.plans.without(message.plan, operator.name)
                message.plan = plan or message.plan
                if message.group is not None and plan is not None:
                    message.group.leave(operator.name)
                    if message.group.operator is not None:
                        message.group = None  # The others stay where they are; this one goes.
            else:  # To the same one, though a better one may have come, and even if it must wait.
                message.plan = self.plans.staying(operator.name, message.plan)
                if message.group is not None:
                    message.group.hold(operator.name)
            message.in_doubt = True
            self._wants_pump(self.lanes.put_first(message))
        for group, operator in landed:
            self._unpark(group, operator)

    # The parts of a long message go together.

    def _group_of(self, account: AccountName, sm: Sm, rule: Rule, now: float) -> Group | None:
        """The long message that this is a part of; None where it is whole in itself."""
        part = part_of(sm)
        if part is None:
            return None
        addresses = sm.source_octets, sm.destination_octets
        return self.groups.join(account, *addresses, part, rule.next_plan, now)

    def _leave_group(self, message: Message) -> None:
        """It is not accepted after all."""
        part = None if message.group is None else part_of(_sm_of(message))
        if part is not None:
            self.groups.leave(message, part)

    def _rejoin_group(self, message: Message) -> None:
        """It was fetched from the journal, which does not know who belongs together."""
        part = part_of(_sm_of(message))
        if part is not None:
            message.group = self.groups.rejoin(message, part, self.clock())

    def _turn_away(self, operator: Operator) -> None:
        """This operator must not take a part: others are at another one, or have left this one."""
        turned_away, self._turned_away = self._turned_away, []
        for message in turned_away:
            group = message.group
            assert group is not None
            if message.plan.stays:
                if operator.name == message.plan.candidates[0]:
                    if message.in_doubt:
                        message.group = None  # It may have this one, whoever has the others.
                elif not (group.fixed or group.in_flight):
                    group.operator = None  # Who may have parts is down: nobody waits for it.
                    group.held = 0
            if message.group is None or group.may_take(operator.name):
                self._wants_pump(self.lanes.put_back(message))
                continue
            if group.in_flight and not group.fixed:
                group.parked.append((message, 0))
                continue
            plan: Plan | None = None
            if group.operator is None:
                plan = self.plans.without(message.plan, operator.name)
                # Then each of its operators has refused a part, and one of them this one.
                if plan is None and message.sends and not message.in_doubt:
                    reason = "refused, or its other parts, by every operator"
                    self._give_up(message, Outcome.FAILED, reason, 0)
                    continue
            elif group.operator in message.plan.candidates:
                plan = self.plans.of((group.operator,))
                if not group.fixed:
                    plan = self.plans.staying(group.operator, message.plan)
            if plan is None:  # It may go nowhere else: decided in an earlier process, or anew.
                message.group = None
                plan = message.plan
            message.plan = plan if plan.stays else self.plans.aside(plan)
            self._wants_pump(self.lanes.put_back(message))

    def _unpark(self, group: Group, operator: Operator) -> None:
        """Nothing is in flight any more: what waited for that goes on."""
        for message, status in reversed(group.unparked()):  # Put first, so the oldest must be last.
            if message.stage is not Stage.WAITING:
                continue  # A late answer has told that it was sent after all.
            if status:
                self._go_elsewhere(operator, message, status)
            else:
                self._wants_pump(self.lanes.put_back(message))


def _sm_of(message: Message) -> Sm:
    return Sm(Pdu(message.command_id, 0, 0, message.octets))
