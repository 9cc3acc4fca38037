"""From an operator's word to the client's receipt: which state is final, who asked, what it says.

A receipt that the router makes because it had to give up says so in its text; clients that read
only the fields see an ordinary one.
"""

from datetime import UTC, datetime
from typing import Final

from router.smpp import receipt as r
from router.smpp.receipt import Receipt, State
from router.terms.message import FINAL_BITS, INTERMEDIATE_BIT, Delivery, Message
from router.terms.outcome import Outcome
from router.terms.settings import OperatorSettings

OUTCOMES: Final = {
    State.DELIVERED: Outcome.DELIVERED,
    State.EXPIRED: Outcome.EXPIRED,
    State.DELETED: Outcome.FAILED,
    State.UNDELIVERABLE: Outcome.FAILED,
    State.REJECTED: Outcome.REJECTED,
    State.SKIPPED: Outcome.FAILED,
    State.ACCEPTED: Outcome.DELIVERED,
    State.UNKNOWN: Outcome.UNKNOWN,
}
"""What a final state makes of the message."""

_STATES: Final = {
    Outcome.FAILED: State.UNDELIVERABLE,
    Outcome.EXPIRED: State.EXPIRED,
    Outcome.REJECTED: State.REJECTED,
    Outcome.UNKNOWN: State.UNKNOWN,
}
AFTER_RESPONSE_S: Final = 1.0
"""A client with a transmitter and a receiver reads them in different threads: a receipt that comes
right behind its submit_sm_resp may be read before it, and is lost on Kannel."""
MADE_HERE: Final = b"made by smpp-router: "
"""How the text of a receipt begins that no operator sent."""


def is_final(state: State, operator: OperatorSettings) -> bool:
    """Whether a message in this state hears no more from this operator."""
    if state is State.ACCEPTED:
        return operator.accepted_is_final
    if state is State.UNKNOWN:
        return operator.unknown_is_final
    return state in r.FINAL


def asked_for(message: Message, state: State, *, final: bool) -> bool:
    """Whether the client wants to hear of this (registered_delivery)."""
    if not final:
        return bool(message.registered_delivery & INTERMEDIATE_BIT)
    wanted = message.registered_delivery & FINAL_BITS
    if wanted in (2, 3):
        success = OUTCOMES.get(state) is Outcome.DELIVERED
        return success == (wanted == 3)
    return wanted == 1


def not_before(message: Message) -> float:
    """When a receipt may go out at the earliest, in monotonic seconds; 0 is at once."""
    if not message.hold_receipt:
        return 0.0
    # A message that was fetched from the journal knows only when it was accepted.
    return max(message.answered_at, message.accepted_at) + AFTER_RESPONSE_S


def wants_any(message: Message) -> bool:
    """Whether the client asked to hear anything of it."""
    return bool(message.registered_delivery & (FINAL_BITS | INTERMEDIATE_BIT))


def wants_success(message: Message) -> bool:
    """Whether the client asked to hear of success, so that silence leaves it in the dark."""
    return message.registered_delivery & FINAL_BITS in (1, 3)


def from_operator(
    message: Message,
    receipt: Receipt,
    state: State,
    *,
    final: bool,
    now_utc: float,
    not_before: float,
) -> Delivery:
    """The operator's word for the client: its error and date, our ids and format."""
    octets = r.deliver_sm(
        client_id=message.client_id,
        state=state,
        err=receipt.err or b"000",
        submitted=_minute(message.accepted_utc),
        done=receipt.done or _minute(now_utc),
        source_octets=message.destination_octets,
        destination_octets=message.source_octets,
        tlvs=True,
        network_error_code=receipt.network_error_code,
        final=final,
    )
    return _delivery(message, octets, now_utc, final, not_before)


def made_by_router(
    message: Message,
    outcome: Outcome,
    reason: str,
    status: int,
    *,
    now_utc: float,
    not_before: float,
) -> Delivery:
    """The receipt of a message that the router gave up; `status` is the operator's last, or 0."""
    octets = r.deliver_sm(
        client_id=message.client_id,
        state=_STATES[outcome],
        err=b"%03d" % status if status < 1000 else b"000",
        submitted=_minute(message.accepted_utc),
        done=_minute(now_utc),
        source_octets=message.destination_octets,
        destination_octets=message.source_octets,
        tlvs=True,
        text=MADE_HERE + reason.encode(),
    )
    return _delivery(message, octets, now_utc, True, not_before)


def failure_octets(receipt: Receipt, state: State) -> bytes:
    """An operator's word that is not passed on yet, as the journal keeps it."""
    err = receipt.err.replace(b"\0", b"")
    return b"\0".join((b"%d" % state, err, receipt.done, receipt.network_error_code or b""))


def failure_of(octets: bytes) -> tuple[Receipt, State]:
    """The same, read again."""
    number, err, done, network_error_code = octets.split(b"\0", 3)
    state = State(int(number))
    return Receipt(b"", state, err, done, network_error_code or None), state


def state_of(outcome: Outcome) -> State:
    """The state of a receipt that the router makes."""
    return _STATES[outcome]


def _delivery(
    message: Message, octets: bytes, now_utc: float, final: bool, not_before: float
) -> Delivery:
    return Delivery(
        router_id=message.router_id,
        account=message.account,
        octets=octets,
        made_utc=now_utc,
        final=final,
        not_before=not_before,
    )


_minutes: dict[int, bytes] = {}


def _minute(utc: float) -> bytes:
    """YYMMDDhhmm, UTC. The last few are remembered: most receipts are of the same minutes."""
    minute = int(utc // 60)
    text = _minutes.get(minute)
    if text is None:
        if len(_minutes) > 1000:
            _minutes.clear()
        text = datetime.fromtimestamp(minute * 60, UTC).strftime("%y%m%d%H%M").encode()
        _minutes[minute] = text
    return text
