"""An operator has a free slot: pull from the lanes, write to a bind, within rate and window."""

from collections.abc import Callable, Mapping
from typing import Final

from router.enqueue.lanes import Lanes
from router.forward.pool import Bind, Operator
from router.forward.validity import with_what_remains
from router.smpp.numbers import readdressed
from router.smpp.recode import recoded
from router.steps.availability import Availability
from router.steps.clocks import Clocks
from router.steps.commits import NEVER
from router.steps.expiry import Expiry
from router.steps.failover import Failover
from router.steps.marks import Marks
from router.steps.rules import Rulebook
from router.steps.suspicions import Suspicions
from router.steps.turn import Turn
from router.terms.capacity import Capacity
from router.terms.counters import Counters
from router.terms.message import Message
from router.terms.names import OperatorName, RouterId
from router.terms.settings import Alphabet
from router.terms.states import WRITE

FULL_AGAIN_S: Final = 1.0
"""How soon an operator is looked at again for which too many messages wait for their number."""


class Dispatcher:
    """Has operators write what waits for them."""

    __slots__ = (
        "_availability",
        "_capacity",
        "_clocks",
        "_counters",
        "_expired",
        "_expiry",
        "_failover",
        "_is_new",
        "_lanes",
        "_marks",
        "_rejected",
        "_rulebook",
        "_suspicions",
        "_turn",
        "_wake_at",
        "operators",
    )

    def __init__(
        self,
        operators: Mapping[OperatorName, Operator],
        lanes: Lanes,
        availability: Availability,
        failover: Failover,
        suspicions: Suspicions,
        marks: Marks,
        expiry: Expiry,
        counters: Counters,
        clocks: Clocks,
        turn: Turn,
        capacity: Capacity,
        rulebook: Rulebook,
        *,
        is_new: Callable[[RouterId], bool],
    ) -> None:
        """`is_new` says of a message whether this process has accepted it."""
        self.operators: Final = operators
        self._lanes: Final = lanes
        self._availability: Final = availability
        self._failover: Final = failover
        self._suspicions: Final = suspicions
        self._marks: Final = marks
        self._expiry: Final = expiry
        self._counters: Final = counters
        self._clocks: Final = clocks
        self._turn: Final = turn
        self._capacity: Final = capacity
        self._rulebook: Final = rulebook
        self._is_new: Final = is_new
        self._wake_at = NEVER
        """When the first operator has a slot again; may be early, never late."""
        self._expired: list[Message] = []
        """Messages of this pass whose validity has passed."""
        self._rejected: list[Message] = []
        """Parts of long messages that must not go to the operator of this pass."""

    def try_all(self) -> None:
        """Have every operator offered what waits for it."""
        for name in self.operators:
            self._turn.dispatch(name)

    def pump(self, now: float) -> None:
        """Let this turn's operators send. What one rejects another may take."""
        turn = self._turn
        while turn.operators:
            for name in self._in_order():
                operator = self.operators.get(name)
                if operator is not None:  # Else it was forgotten since it was noted.
                    self._dispatch(operator, now)
                    self._wake_at = min(self._wake_at, operator.ready_at)

    def _in_order(self) -> list[OperatorName]:
        """Return who may have something to send; those that have just come back are last."""
        turn = self._turn
        names, turn.operators = turn.operators, set()
        order = sorted(names)  # A set has another order in every process.
        returning = self._lanes.ramp_up.ramping
        return sorted(order, key=returning.__contains__) if returning else order

    def _dispatch(self, operator: Operator, now: float) -> None:
        """Write to the operator's binds what the lanes have and the rates allow."""
        now_utc = self._clocks.steady.at(now)
        lanes, name, circuit, held = self._lanes, operator.name, operator.circuit, operator.held
        is_plain = operator.destinations is None and not self._clocks.steady.unsure_s
        while True:
            bind = operator.ready_bind(now)
            only_urgent = bind is None  # There may be room that is kept for those.
            if bind is None and (bind := operator.kept_bind(now)) is None:
                break
            message = None
            if held.waiting and not (only_urgent or circuit.is_probing(bind)):
                message = held.take(now_utc, self._expired)
            if message is None:
                message = lanes.pull(name, now_utc, self._expired, only_urgent=only_urgent)
            if message is None:
                if not only_urgent:
                    operator.ready_at = NEVER  # `put` or a mark tells when there is something.
                break
            if message.in_doubt and self._suspicions.holds(operator, bind, message, now):
                continue
            if is_plain and message.group is None:
                self._write(operator, bind, message, now, now_utc)
            elif not self._send_on(operator, bind, message, now, now_utc):
                break
        if held.waiting or operator.suspects.waiting or operator.is_trying:
            self._try_apart(operator, now, now_utc)
        self._after(operator, now)

    def _try_apart(self, operator: Operator, now: float, now_utc: float) -> None:
        """Write what waits apart from the lanes, which have nothing else for the binds concerned.

        Suspects go alone. Any message in doubt may try for a breaker, when no other one does.
        """
        suspects, held, expired = operator.suspects, operator.held, self._expired
        while suspects.waiting:
            bind = operator.bind_to_try(now)
            if bind is None and (bind := operator.bind_for_breaker(now)) is None:
                break
            message = suspects.take(now_utc, expired)
            if message is not None:
                self._send_on(operator, bind, message, now, now_utc)
        while held.waiting and (bind := operator.bind_for_breaker(now)) is not None:
            message = held.take(now_utc, expired)
            if message is not None:
                self._send_on(operator, bind, message, now, now_utc)
        if held.waiting and operator.circuit.again_at > now:
            operator.ready_at = min(operator.ready_at, operator.circuit.again_at)
        if suspects.waiting:
            operator.ready_at = min(operator.ready_at, suspects.ready_at)
        elif operator.end_trials(now):
            self._turn.dispatch(operator.name)

    def _send_on(
        self, operator: Operator, bind: Bind, message: Message, now: float, now_utc: float
    ) -> bool:
        """Write a message that was pulled, unless it has to wait; return False if all have to."""
        lanes, name = self._lanes, operator.name
        if self._clocks.steady.unsure_s and self._may_be_over(message, now):
            if lanes.delays.doubted() >= self._capacity.messages_doubted:
                lanes.put_first(message)
                operator.ready_at = now + FULL_AGAIN_S
                return False
            self._marks.not_written(message)
            lanes.delays.doubt(message)
            return True
        if operator.destinations is not None:
            number = operator.number_of(message)
            goes_at = operator.destinations.ask(number, message.router_id, now)
            if goes_at is None and not message.in_doubt:
                lanes.put_first(message)  # Too many wait aside; so do this one and all behind it.
                operator.ready_at = now + FULL_AGAIN_S
                return False
            if goes_at is None:  # Those in doubt are few: one more waits aside.
                goes_at = now + FULL_AGAIN_S
            if goes_at > now:
                self._marks.not_written(message)
                lanes.delays.delay(message, goes_at)
                return True
        if message.group is not None:
            if not message.group.may_take(name):
                self._marks.not_written(message)
                self._rejected.append(message)
                return True
            if message.suspicion is None:
                bind = operator.prefer(message.group.bind, bind, now)
            message.group.written(name, bind, in_doubt=message.in_doubt)
        self._write(operator, bind, message, now, now_utc)
        return True

    def _may_be_over(self, message: Message, now: float) -> bool:
        """Whether the doubted clock says that the validity of a message has passed.

        What this process has accepted was valid then, and the monotonic clock has counted since.
        """
        if message.expires_utc > self._clocks.steady.latest(now):
            return False
        return not self._is_new(message.router_id)

    def _write(
        self, operator: Operator, bind: Bind, message: Message, now: float, now_utc: float
    ) -> None:
        name = operator.name
        message.operator = name
        if message.writes == 0:
            self._counters.queue_wait_s[name, message.lane].add(now - message.accepted_at)
        if message.in_doubt:
            self._counters.repeated[name] += 1
        message.enter(WRITE)
        self._marks.written(message)
        message.writes += 1
        message.sent_at = now
        octets = message.octets
        if operator.settings.validity_period == "remaining" and message.expires_utc != NEVER:
            self._expiry.prolong(message)  # What a correction took remains, too.
            octets = with_what_remains(message, now_utc)
        if operator.settings.data_coding_0 is not None:
            octets = self._in_alphabet(operator.settings.data_coding_0, message, octets)
        source, sender = message.source_octets, ""
        if operator.replacement is not None and operator.replacement.is_for(source, now_utc):
            source, sender = operator.replacement.octets, operator.replacement.sender
            if operator.numbers is None:
                octets = readdressed(message, octets, source + message.destination_octets)
        if operator.numbers is not None:
            octets = operator.numbers.outgoing(message, octets, source)
        operator.send(bind, message, octets, now, sender)
        assert bind.peer is not None
        self._turn.write(bind.peer)

    def _in_alphabet(self, alphabet: Alphabet, message: Message, octets: bytes) -> bytes:
        """Return the PDU with its text as the operator reads data_coding 0."""
        account = self._rulebook.rules.accounts.get(message.account)
        came = None if account is None else account.data_coding_0
        if came is None or came == alphabet:
            return octets
        octets, result = recoded(message.command_id, octets, came, alphabet)
        if result is not None and message.operator is not None:
            self._counters.texts_recoded[message.operator, result] += 1
        return octets

    def _after(self, operator: Operator, now: float) -> None:
        """See to what this pass has left."""
        if self._expired:
            expired, self._expired = self._expired, []
            self._expiry.end(expired)
        if self._rejected:
            rejected, self._rejected = self._rejected, []
            self._failover.rejected(operator, rejected)
        if self._lanes.needs_marks:
            self._marks.mark_ahead(operator)
        if operator.circuit.is_troubled:  # One that only tries is not available meanwhile.
            self._availability.refresh(operator, now)

    def wake_at(self) -> float:
        """Return when `wake` is next needed."""
        return self._wake_at

    def wake(self, now: float) -> None:
        """Note the operators that have a slot again."""
        if now < self._wake_at:
            return
        self._wake_at = NEVER  # Set again when they have been dispatched to.
        for operator in self.operators.values():
            if operator.ready_at <= now:
                self._turn.dispatch(operator.name)
            else:
                self._wake_at = min(self._wake_at, operator.ready_at)
