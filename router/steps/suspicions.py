"""A session fell, or a message was not answered: who is to blame, and who tries next.

Rule 1: what was in flight when the operator's side ended a session is suspect, and goes alone from
then on (`forward/suspects.py`) until an operator answers it. What is in doubt by our own doing (a
drain, a restart, a crash), or because it was not answered in time, is no suspect.

Rule 2: a message is charged when it was alone in flight on a session that had answered something,
and that falls. A session that had answered nothing is the operator's fault and costs no message a
try; nor, beyond the first, does one of an operator that has answered no other message meanwhile.

Rule 3: a message with which sessions fall again and again waits aside, longer each time. It fails
when it was charged `CHARGES` times and `FALLS` sessions fell with it, or when it ends a session of
another operator, which has answered others meanwhile. Else the operator may be at fault, and the
message goes on for `LONGEST_S`.

Rule 4: a message that was not answered in time, on a session that lives, ends no sessions. It says
something about its operator once, unless most that was written after it is answered; the next times
it waits aside. Others go before it, or beside it, while a breaker lets one message through at a
time: it does not decide whether the breaker opens again.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from router.enqueue.lanes import Lanes
from router.forward.pool import Attempt, Bind, Operator, OperatorEvent
from router.smpp.pdu import Pdu, Sm
from router.steps.expiry import Expiry
from router.steps.outcomes import Outcomes
from router.steps.turn import Turn
from router.terms.limits import Rate
from router.terms.line_limit import LineLimit
from router.terms.message import Message
from router.terms.names import OperatorName
from router.terms.outcome import Outcome
from router.terms.states import HOLDS_ROOM, IN_FLIGHT, QUEUE
from router.terms.suspicion import Suspicion

AGAIN_S: Final = 5.0
"""How long a message waits aside with which two sessions have fallen. After the first it goes at
once: that may be chance, because where messages are few a session often falls with one in flight.
"""
ASIDE_S: Final = 30.0
"""How long after the third session, or after two times without an answer in time; then doubled."""
LONGEST_ASIDE_S: Final = 600.0
CHARGES: Final = 3
FALLS: Final = 5
"""So the last two tries are 30 and 60 s apart: what else is unwell may be over by then."""
LINES: Final = Rate(20, 600.0)
"""How many messages of an account that are not answered the log names."""
LONGEST_S: Final = 3600.0
"""How long a message is suspect at most, when no other one is answered."""


class Suspicions:
    """What is held against messages that were in flight when something went wrong."""

    __slots__ = ("_expiry", "_lanes", "_lines", "_outcomes", "_suspects", "_turn", "_urgency")

    def __init__(self, lanes: Lanes, outcomes: Outcomes, expiry: Expiry, turn: Turn) -> None:
        self._lanes: Final = lanes
        self._lines: Final = LineLimit(LINES)
        self._outcomes: Final = outcomes
        self._expiry: Final = expiry
        self._turn: Final = turn
        self._urgency: Final = {name: place for place, name in enumerate(lanes.settings)}
        self._suspects: set[Message] = set()
        """All suspects, and some that are so no more."""

    # A session fell.

    def fell(self, attempts: list[Attempt], now: float, *, had_answered: bool) -> None:
        """Suspect what was in flight; charge it if it was alone."""
        for attempt in attempts:
            message, operator = attempt.message, attempt.bind.operator
            if message.state is not IN_FLIGHT:
                continue
            if message.suspicion is None:
                message.suspicion = Suspicion(now)
            suspicion = message.suspicion
            suspicion.since = now
            suspicion.at(operator.name, operator.answered)
            self._suspects.add(message)
            if had_answered and len(attempts) == 1:
                operator.suspects.fell_alone(message, attempt.bind, operator.answered)

    def go_on(self, message: Message, operator: Operator, now: float, *, by_operator: bool) -> None:
        """Have a suspect, which its lane sends again, wait for its trial; or end it.

        `by_operator` is whether the operator's side has ended the session.
        """
        suspicion = message.suspicion
        assert suspicion is not None
        if not by_operator:
            self._try_next(message, operator, now)
            return
        is_over = now - suspicion.first_at >= LONGEST_S or _is_guilty(suspicion)
        wait_s = 0.0 if is_over else _aside_s(max(suspicion.charges, suspicion.falls_in_a_row))
        if is_over or suspicion.falls > 1:  # The first may be chance.
            self._tell(message, operator, "failed" if is_over else "again", wait_s)
        if is_over:
            reason = "the operator ended the session each time"
            self._outcomes.give_up(message, Outcome.FAILED, reason, 0)
        elif wait_s:
            self._lanes.delays.delay(message, now + wait_s)
        else:
            self._try_next(message, operator, now)

    def _try_next(self, message: Message, operator: Operator, now: float) -> None:
        """Have a suspect wait for the same operator, or in its lane where another can take it."""
        names = message.plan.candidates
        others = any(self._lanes.is_available(name) for name in names if name != operator.name)
        if operator.name in names and (operator.is_up or not others):
            message.enter(QUEUE)
            operator.suspect(message, self._urgency[message.lane], now)
            self._turn.dispatch(operator.name)
        else:
            self._turn.dispatch_all(self._lanes.put_first(message))

    @staticmethod
    def _tell(message: Message, operator: Operator, why: str, wait_s: float) -> None:
        """Have the log say with which message sessions fell."""
        assert message.suspicion is not None
        about = {"falls": message.suspicion.falls, **_about(message)}
        operator.events.append(
            OperatorEvent("suspected", None, why=why, rest_s=wait_s, about=about)
        )

    # No answer came in time.

    def timed_out(self, message: Message, operator: Operator, now: float) -> None:
        """Have a message that its lane sends again wait: first of all, or aside."""
        message.suspicion = None
        if message.timeouts < 2:
            self._turn.dispatch_all(self._lanes.put_first(message))
            return
        wait_s = min(ASIDE_S * 2.0 ** (message.timeouts - 2), LONGEST_ASIDE_S)
        self._lanes.delays.delay(message, now + wait_s)
        if message.timeouts == 2 and (more := self._lines.take(message.account, now)) is not None:
            about = {**_about(message), **more}
            operator.events.append(OperatorEvent("unanswered", None, rest_s=wait_s, about=about))

    # An operator pulls it.

    def holds(self, operator: Operator, bind: Bind, message: Message, now: float) -> bool:
        """Return whether a message in doubt must not go on this bind now; then it waits apart."""
        urgency = self._urgency[message.lane]
        if message.suspicion is not None:
            operator.suspect(message, urgency, now)
        elif operator.circuit.is_probing(bind):
            operator.held.add(message, urgency)
        else:
            return False
        return True

    # Time, and what is shown.

    def sweep(self, operators: Iterable[Operator], now_utc: float) -> None:
        """End what waits apart and whose validity has passed; call this once a second."""
        for operator in operators:
            if operator.held.waiting or operator.suspects.waiting:
                self._expiry.end(operator.held.expire(now_utc))
                self._expiry.end(operator.suspects.expire(now_utc))
        if self._suspects:
            self._suspects = {one for one in self._suspects if _is_suspect(one)}

    def by_operator(self) -> Counter[OperatorName]:
        """Return how many messages are suspect, by the operator whose session fell last."""
        suspects = [one for one in self._suspects if _is_suspect(one)]
        return Counter(one.operator for one in suspects if one.operator is not None)


def _about(message: Message) -> dict[str, str | int | float]:
    """Return which message it is: nothing of its text, enough to ask about it."""
    sm = Sm(Pdu(message.command_id, 0, 0, message.octets))
    return {
        "id": message.client_id.decode("latin-1"),
        "account": message.account,
        "octets": len(sm.message),
        "data_coding": sm.data_coding,
        "esm_class": sm.esm_class,
        "tlvs": " ".join(f"{tag:#06x}" for tag, _ in sm.tlvs()),
    }


def _is_suspect(message: Message) -> bool:
    return message.suspicion is not None and message.state in HOLDS_ROOM


def _is_guilty(suspicion: Suspicion) -> bool:
    """Return whether it was the message, and not an operator."""
    if suspicion.ends_others:
        return True
    return suspicion.charges >= CHARGES and suspicion.falls >= FALLS


def _aside_s(falls: int) -> float:
    """Return how long a message waits aside with which so many sessions have fallen."""
    if falls < 2:
        return 0.0
    return AGAIN_S if falls == 2 else min(ASIDE_S * 2.0 ** (falls - 3), LONGEST_ASIDE_S)
