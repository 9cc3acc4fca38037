"""What an operator's answer means for its message, or that none will come.

The message is sent; or it goes again, later or elsewhere; or it is given up. The operator's table
of statuses judges the answer, the lane says what becomes of a message that is in doubt.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from router.accept.rooms import Rooms
from router.enqueue.journal import PendingReceipt
from router.enqueue.lanes import Lanes
from router.forward.pool import Attempt, Bind, Operator
from router.report import receipts
from router.report.correlate import ORPHAN_S
from router.smpp import vocabulary as v
from router.smpp.session import Note
from router.steps.availability import Availability
from router.steps.clocks import Clocks
from router.steps.commits import Commits
from router.steps.data_sm import DataSm
from router.steps.failover import Failover
from router.steps.marks import Marks
from router.steps.outcomes import Outcomes
from router.steps.pending_receipts import PendingReceipts
from router.steps.receipts import Receipts
from router.steps.rules import Rulebook
from router.steps.suspicions import Suspicions
from router.steps.turn import Turn
from router.terms.counters import Counters
from router.terms.group import Group, started
from router.terms.message import Message
from router.terms.names import OperatorId
from router.terms.outcome import ENDED_SENT, WRONG_SET_UP, Outcome, judge
from router.terms.record import Try, with_try
from router.terms.settings import StatusAction
from router.terms.states import IN_FLIGHT, SENT, SETTLED, TAKE, Mark

MARKED: Final = Mark.MARKED

THROTTLED_FOR_S: Final = 1200.0
"""A message that is throttled when it is so old goes to the next operator."""
MOST_REBINDS: Final = 3
"""A message for which binds were bound anew so often waits aside: perhaps it is the message's
fault, and those behind it would never go."""
REBINDS_AGAIN_S: Final = 30.0
"""For so long, and twice as long each time."""
MOST_DOUBLED: Final = 5


NO_ACTIONS: Final[Mapping[int, StatusAction]] = {}
"""Of an operator that the configuration has no more: the default table counts."""


class Answers:
    """From an operator's answer to what follows from it."""

    __slots__ = (
        "_availability",
        "_clocks",
        "_commits",
        "_counters",
        "_data_sm",
        "_failover",
        "_lanes",
        "_marks",
        "_outcomes",
        "_pending",
        "_receipts",
        "_rooms",
        "_rulebook",
        "_suspicions",
        "_turn",
    )

    def __init__(
        self,
        availability: Availability,
        failover: Failover,
        suspicions: Suspicions,
        marks: Marks,
        receipts: Receipts,
        outcomes: Outcomes,
        pending: PendingReceipts,
        commits: Commits,
        rooms: Rooms,
        lanes: Lanes,
        rulebook: Rulebook,
        data_sm: DataSm,
        counters: Counters,
        clocks: Clocks,
        turn: Turn,
    ) -> None:
        self._availability: Final = availability
        self._failover: Final = failover
        self._suspicions: Final = suspicions
        self._marks: Final = marks
        self._receipts: Final = receipts
        self._outcomes: Final = outcomes
        self._pending: Final = pending
        self._commits: Final = commits
        self._rooms: Final = rooms
        self._lanes: Final = lanes
        self._rulebook: Final = rulebook
        self._data_sm: Final = data_sm
        self._counters: Final = counters
        self._clocks: Final = clocks
        self._turn: Final = turn

    def answered(self, attempt: Attempt, status: int, operator_id: bytes, now: float) -> None:
        """An operator has answered one writing of a message, perhaps too late.

        `operator_id` is the operator's message id as it came; empty where there was none.
        """
        bind, message = attempt.bind, attempt.message
        operator = bind.operator
        name = operator.name
        late = attempt.over
        one: Try = (
            name, bind.settings.name, attempt.sent_at, now, status, operator_id, late,
            attempt.sender,
        )  # fmt: skip
        tries = message.tries
        message.tries = with_try(tries, one) if tries else (one,)
        if not late:
            operator.attempt_ended(attempt, now, answered=True)
            counters = self._counters
            counters.operator_response_s[name].add(now - attempt.sent_at)
            countable = min(status, v.OTHER_STATUS)  # An operator may invent as many as it likes.
            counters.sends[name, bind.settings.name, countable] += 1
            self._turn.dispatch(name)
            message.suspicion = None
        group = message.group
        if group is not None:
            if status == v.ESME_ROK:
                group.accepted_by(name)
            if not late:
                group.attempt_ended()
        if status == v.ESME_ROK:
            if operator.circuit.is_troubled and not late:
                self._availability.succeeded(bind)
            if operator.queue_full.numbers:
                operator.queue_full.numbers.clear()
            if self._data_sm.until and message.command_id == v.DATA_SM:
                self._data_sm.served(name)
            self._sent(operator, message, operator_id, now)
        elif not late and message.state is IN_FLIGHT:
            action = self._judge(bind, message, status, now)
            rests = self._availability.refused(bind, message, status, action, now)
            self._go_on(bind, message, action, status, now, rests=rests)
        else:
            self._receipts.tell_withheld(message)
        if group is not None:
            if status == v.ESME_ROK and group.operator == name:
                now_utc = self._clocks.steady.at(now)
                self._commits.settles.started.append(started(group, name, message, now, now_utc))
            self._failover.unpark(group, operator)

    def _judge(self, bind: Bind, message: Message, status: int, now: float) -> StatusAction:
        """What an answer other than ESME_ROK means."""
        operator = bind.operator
        if status == v.ESME_RINVCMDID and message.command_id == v.DATA_SM:
            self._data_sm.not_served(operator, now)
        if status in WRONG_SET_UP and bind.peer is not None:
            bind.peer.tell(Note("message.objected", message.command_id, status))
        number = message.destination_octets
        return judge(
            status,
            self._rulebook.rules.statuses.get(operator.name, NO_ACTIONS),
            is_full=status == v.ESME_RMSGQFUL and operator.queue_full.refused(number),
            is_data_sm=message.command_id == v.DATA_SM,
        )

    def _sent(self, operator: Operator, message: Message, octets: bytes, now: float) -> None:
        """An operator took the message under this id."""
        correlator = self._pending.correlators[operator.name]
        operator_id = correlator.of_response(octets)
        now_utc = self._clocks.steady.at(now)
        if message.state is SETTLED:  # By the receipt of another attempt.
            return
        if message.state is not SENT:
            self._rooms.give(message.account, message.size)
        message.enter(TAKE)
        message.operator = operator.name
        if not receipts.wants_any(message):
            if octets:
                correlator.wants_none(operator_id, message)
                if correlator.orphans:
                    self._claim_unwanted(operator, operator_id, message, now)
            self._outcomes.settle(message, ENDED_SENT, now_utc)
            return
        if not octets:
            if not message.is_open:  # Else the receipt of another attempt will tell.
                self._receipts.end_untold(message, "the operator gave no message id")
            return
        message.octets = b""
        message.pending_receipts += 1
        pending = PendingReceipt(message, operator.name, operator_id, now_utc)
        self._commits.settles.taken.append(pending)
        for orphan in correlator.expect(operator_id, message, now_utc):
            self._receipts.claim(orphan, operator, now)
        if correlator.per_message and message.group is not None:
            self._receipts.tell_part(operator, operator_id, message, now)

    def _claim_unwanted(
        self, operator: Operator, operator_id: OperatorId, message: Message, now: float
    ) -> None:
        """Take the orphans of a message that wants no receipt: they may tell of other parts."""
        correlator = self._pending.correlators[operator.name]
        for orphan in correlator.claimed(operator_id, message):
            if correlator.per_message and message.group is not None:
                self._receipts.claim(orphan, operator, now)
            else:
                self._commits.settles.claimed.append(orphan)

    def _go_on(
        self,
        bind: Bind,
        message: Message,
        action: StatusAction,
        status: int,
        now: float,
        *,
        rests: bool,
    ) -> None:
        """The operator did not take the message, and the rules say what that means.

        `rests` is whether a pause is for the whole bind, and not for the message alone.
        """
        operator, lanes, turn = bind.operator, self._lanes, self._turn
        if message.mark is MARKED:
            self._marks.not_written(message)
        match action.do:
            case "pause" if self._throttled_for_long(operator, message, now):
                self._failover.go_elsewhere(operator, message, status)
            case "pause" if not rests:  # For want of a slot, which another operator may have.
                lanes.delays.delay(message, now + action.for_s, counts=True)
            case "pause":
                operator.rest(bind, now + action.for_s)
                turn.dispatch_all(lanes.put_back(message))  # First, and in their order.
            case "rebind":
                message.retries += 1
                if message.retries <= MOST_REBINDS:
                    turn.dispatch_all(lanes.put_first(message))
                else:
                    times = min(message.retries - MOST_REBINDS, MOST_DOUBLED)
                    lanes.delays.delay(message, now + REBINDS_AGAIN_S * 2.0 ** (times - 1))
                if bind.peer is not None:
                    bind.peer.rebind()
            case "retry" if self._availability.another_may(operator, message):
                turn.dispatch_all(lanes.put_first(message))
            case "retry" if message.retries < action.times:
                message.retries += 1
                lanes.delays.delay(message, now + action.after_s)
            case "retry" if action.then == "next":
                self._failover.go_elsewhere(operator, message, status)
            case "next" if message.failovers < action.times:
                message.failovers += 1
                self._failover.go_elsewhere(operator, message, status)
            case _:
                reason = "refused by the operator"
                self._outcomes.give_up(message, Outcome.FAILED, reason, status)

    def _throttled_for_long(self, operator: Operator, message: Message, now: float) -> bool:
        """Whether another operator may have it: one that throttles is no failure, for a while."""
        is_old = now - message.accepted_at > THROTTLED_FOR_S
        return is_old and self._failover.has_another(message, operator.name)

    def overdue(self, attempts: Iterable[Attempt], now: float) -> None:
        """No answer has come in time."""
        self._doubted(attempts, "timeout", now, by_operator=False)

    def lost(
        self, attempts: list[Attempt], now: float, *, by_operator: bool, had_answered: bool
    ) -> None:
        """No answer will come: the session is over.

        `by_operator` is whether the operator's side has ended it, `had_answered` whether it had
        answered anything.
        """
        if by_operator:
            self._suspicions.fell(attempts, now, had_answered=had_answered)
        self._doubted(attempts, "lost", now, by_operator=by_operator)

    def _doubted(
        self, attempts: Iterable[Attempt], why: str, now: float, *, by_operator: bool
    ) -> None:
        """Each lane says what becomes of a message in doubt."""
        landed: list[tuple[Group, Operator]] = []
        for attempt in reversed(list(attempts)):  # Put back first, so the oldest must come last.
            bind, message = attempt.bind, attempt.message
            operator, circuit = bind.operator, bind.operator.circuit
            is_timeout = why == "timeout"
            if is_timeout:
                tells_of_operator = operator.is_silent(attempt)
            else:
                tells_of_operator = circuit.is_probing(bind)
            operator.attempt_ended(attempt, now, answered=False)
            if message.group is not None:
                message.group.attempt_ended()
                landed.append((message.group, operator))
            self._turn.dispatch(operator.name)  # Its window has room, whatever becomes of this one.
            one: Try = (
                operator.name, bind.settings.name, attempt.sent_at, now, why, b"", True,
                attempt.sender,
            )  # fmt: skip
            message.tries = with_try(message.tries, one)
            self._counters.sends[operator.name, bind.settings.name, why] += 1
            if is_timeout:  # It may have been taken; and then a receipt may come first.
                operator.late_until = now + ORPHAN_S
                if message.timeouts and circuit.is_tried(bind):
                    circuit.silent_again(now)
                message.timeouts += 1
            if tells_of_operator:
                self._availability.failed(bind, now)
            if message.state is not IN_FLIGHT:
                self._receipts.tell_withheld(message)
            elif self._failover.doubted(message, operator.name):
                if is_timeout:
                    self._suspicions.timed_out(message, operator, now)
                elif message.suspicion is not None:
                    self._suspicions.go_on(message, operator, now, by_operator=by_operator)
                else:
                    self._turn.dispatch_all(self._lanes.put_first(message))
        for group, operator in landed:
            self._failover.unpark(group, operator)
