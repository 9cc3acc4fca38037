"""Makes the client's receipt of the operator's: which states are final, which were asked for.

If the router gives a message up, it makes a receipt itself and says so in the receipt's text;
clients that read only the fields see an ordinary receipt.
"""

from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Final, NamedTuple

from router.smpp import receipt as r
from router.smpp.receipt import Receipt, State
from router.terms.message import FINAL_BITS, INTERMEDIATE_BIT, Delivery, Message
from router.terms.names import ClientId
from router.terms.outcome import CANCELLED, DELIVERED, Evidence, Outcome
from router.terms.record import bind_in
from router.terms.settings import Dialect, OperatorSettings

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
"""The outcome of a message by the final state of its receipt."""

_STATES: Final = {
    Outcome.FAILED: State.UNDELIVERABLE,
    Outcome.EXPIRED: State.EXPIRED,
    Outcome.REJECTED: State.REJECTED,
    Outcome.UNKNOWN: State.UNKNOWN,
}
AFTER_RESPONSE_S: Final = 1.0
"""How long a receipt waits after its submit_sm_resp when the client has a transmitter and a
receiver. The client reads them in two threads: a receipt right behind the submit_sm_resp may be
read first, and Kannel would lose it."""
MADE_HERE: Final = b"made by smpp-router: "
"""The beginning of the text of a receipt that no operator sent."""
MOST_IN_ERR: Final = 999
"""The largest status that err's three digits hold."""
AHEAD_S: Final = 60.0
"""By so much an operator's done date may lie ahead of its receipt: clocks differ by seconds. A time
zone that is wrong makes 15 minutes at least."""
_SMPP_ERROR: Final = b"\x07"
"""The network type of a network_error_code that is a command_status (SMPP v5.0, 4.8.4.42)."""
# Before Python 3.12 a member of an enum costs five globals.
_OPERATOR: Final = Evidence.OPERATOR
_UNREACHABLE: Final = Evidence.UNREACHABLE
_ACCEPTED: Final = State.ACCEPTED
_UNKNOWN: Final = State.UNKNOWN


_IN_3_4: Final = {
    State.SCHEDULED: State.ENROUTE,
    State.SKIPPED: State.UNDELIVERABLE,
}
"""States that SMPP v3.4 has no number and no word for, and what comes closest there."""


class Told(NamedTuple):
    """How the receipts of a message are written where its account has a dialect of its own."""

    dialect: Dialect
    client_id: ClientId
    """The message's id as receipts have it, which may be written otherwise in its response."""


def is_final(state: State, operator: OperatorSettings) -> bool:
    """Return whether no further receipt follows this state from this operator."""
    if state is _ACCEPTED:
        return operator.accepted_is_final
    if state is _UNKNOWN:
        return operator.unknown_is_final
    return state in r.FINAL


def asked_for(message: Message, state: State, *, final: bool) -> bool:
    """Return whether registered_delivery asks for a receipt with this state."""
    if not final:
        return bool(message.registered_delivery & INTERMEDIATE_BIT)
    wanted = message.registered_delivery & FINAL_BITS
    if wanted in (2, 3):
        success = OUTCOMES.get(state) is DELIVERED
        return success == (wanted == 3)
    return wanted == 1


def not_before(message: Message, hold_s: float | None = None) -> float:
    """Return when a receipt may go out at the earliest, in monotonic seconds; 0 is at once.

    `hold_s` is the account's own wait after the submit_sm_resp, if it has one.
    """
    if hold_s is None:
        hold_s = AFTER_RESPONSE_S if message.hold_receipt else 0.0
    if not hold_s:
        return 0.0
    # The journal keeps when a message was accepted, and not when that was answered.
    return max(message.answered_at, message.accepted_at) + hold_s


def wants_any(message: Message) -> bool:
    """Return whether the client asked for any receipt of the message."""
    return bool(message.registered_delivery & (FINAL_BITS | INTERMEDIATE_BIT))


def wants_success(message: Message) -> bool:
    """Return whether the client asked for a receipt of success; silence is then no success."""
    return message.registered_delivery & FINAL_BITS in (1, 3)


def from_operator(
    message: Message,
    receipt: Receipt,
    state: State,
    *,
    final: bool,
    now_utc: float,
    told: Told | None = None,
) -> Delivery:
    """Make the client's receipt: error of the operator's, id, dates and format of the router.

    `told` is how the client's system wants it, where that is not as usual.
    """
    if told is None:
        submitted, done = _minute(message.accepted_utc), receipt.told_done or _minute(now_utc)
        octets = r.deliver_sm(
            client_id=message.client_id,
            state=state,
            err=receipt.err or b"000",
            submitted=submitted,
            done=done if done > submitted else submitted,  # The clock may have been put back.
            source_octets=message.destination_octets,
            destination_octets=message.source_octets,
            tlvs=True,
            network_error_code=receipt.network_error_code,
            final=final,
        )
    else:
        done_utc = now_utc
        if receipt.told_done:
            done_utc = _in_utc(receipt.told_done, UTC)[0]
        octets = _as_told(
            message,
            told,
            state,
            receipt.err or b"000",
            done_utc,
            receipt.network_error_code,
            final=final,
        )
    return Delivery(
        router_id=message.router_id,
        account=message.account,
        octets=octets,
        made_utc=now_utc,
        final=final,
        not_before=not_before(message, None if told is None else told.dialect.hold_s)
        if message.hold_receipt or told is not None
        else 0.0,
        bind=bind_in(message.submitted),
    )


def made_by_router(
    message: Message,
    outcome: Outcome,
    reason: str,
    status: int,
    *,
    now_utc: float,
    told: Told | None = None,
) -> Delivery:
    """Make the receipt of a message given up; `status` is the operator's last answer, or 0.

    A status that err has no room for stands in the text and, if it has 16 bits, in
    network_error_code. `told` is how the client's system wants it, where that is not as usual.
    """
    err, code, state = b"%03d" % status, None, state_of(outcome, reason)
    if status > MOST_IN_ERR:
        err, reason = r.ERR_IN_TEXT, f"{reason} (0x{status:08X})"
        code = _SMPP_ERROR + status.to_bytes(2, "big") if status <= 0xFFFF else None
    text = MADE_HERE + reason.encode()
    if told is None:
        octets = r.deliver_sm(
            client_id=message.client_id,
            state=state,
            err=err,
            submitted=_minute(message.accepted_utc),
            done=_minute(now_utc),
            source_octets=message.destination_octets,
            destination_octets=message.source_octets,
            tlvs=True,
            network_error_code=code,
            text=text,
        )
    else:
        octets = _as_told(message, told, state, err, now_utc, code, text=text)
    return Delivery(
        router_id=message.router_id,
        account=message.account,
        octets=octets,
        made_utc=now_utc,
        not_before=not_before(message, None if told is None else told.dialect.hold_s),
        bind=bind_in(message.submitted),
    )


def _as_told(
    message: Message,
    told: Told,
    state: State,
    err: bytes,
    done_utc: float,
    network_error_code: bytes | None,
    *,
    final: bool = True,
    text: bytes = b"",
) -> bytes:
    """Return a receipt in the dialect of the client's system."""
    dialect, client_id = told
    if dialect.states == "3.4":
        state = _IN_3_4.get(state, state)
    submitted_utc = message.accepted_utc
    written = r.write_text_as(
        dialect.text,
        client_id,
        state,
        err,
        _date(submitted_utc, dialect),
        _date(max(done_utc, submitted_utc), dialect),
        text,
    )
    as_final = final or dialect.intermediate == "0x04"
    return r.receipt_as(
        data_sm=dialect.receipts_as == "data_sm",
        client_id=client_id,
        state=state,
        source_octets=message.destination_octets,
        destination_octets=message.source_octets,
        esm_class=r.ESM_RECEIPT if as_final else r.ESM_INTERMEDIATE,
        text=written,
        tlvs=dialect.tlvs,
        network_error_code=network_error_code,
    )


def _date(utc: float, dialect: Dialect) -> bytes:
    """Return a date of a receipt's text, as the client's system reads it."""
    zone, is_minute = dialect.time_zone, dialect.date_digits == 10
    if zone is None and is_minute:
        return _minute(utc)
    form = "%y%m%d%H%M" if is_minute else "%y%m%d%H%M%S"
    return datetime.fromtimestamp(utc, zone or UTC).strftime(form).encode()


def failure_octets(receipt: Receipt, state: State) -> bytes:
    """Return a receipt that is not passed on yet, as the journal keeps it."""
    err = receipt.err.replace(b"\0", b"")
    code = receipt.network_error_code or b""
    return b"\0".join((b"%d" % state, err, receipt.told_done, code))


def failure_of(octets: bytes) -> tuple[Receipt, State]:
    """Return what `failure_octets` has written."""
    number, err, done, network_error_code = octets.split(b"\0", 3)
    state = State(int(number))
    receipt = Receipt(b"", state, err, b"", network_error_code or None)
    receipt.told_done = done
    return receipt, state


def evidence_of(receipt: Receipt, state: State, operator: OperatorSettings | None) -> Evidence:
    """Return what an operator's final receipt tells of it, and of the number."""
    outcome = OUTCOMES[state]
    if outcome is DELIVERED or operator is None or not operator.undeliverable:
        return _OPERATOR
    err = receipt.err
    if not err.strip(b"0"):
        err = _map_error(receipt.network_error_code)
    return _UNREACHABLE if _bare(err) in _bare_codes(operator.undeliverable) else _OPERATOR


def _map_error(network_error_code: bytes | None) -> bytes:
    """Return the error of a GSM network as digits; empty if the TLV has none."""
    if network_error_code is None or len(network_error_code) != 3:
        return b""
    return b"%d" % int.from_bytes(network_error_code[1:]) if network_error_code[0] == 3 else b""


def _bare(err: bytes) -> bytes:
    return err.lstrip(b"0").upper()


@lru_cache(maxsize=256)
def _bare_codes(codes: tuple[str, ...]) -> frozenset[bytes]:
    """Return what an operator's receipts of numbers that cannot be reached say, without zeros."""
    return frozenset(_bare(code.encode()) for code in codes)


def state_of(outcome: Outcome, reason: str) -> State:
    """Return the state for a receipt that the router makes."""
    return State.DELETED if reason == CANCELLED else _STATES[outcome]


def done_date(
    receipt: Receipt, zone: tzinfo | None, *, submitted_utc: float, came_utc: float
) -> bytes:
    """Return the done date for the client: the operator's, where that can be, or when it came.

    `zone` is that of the operator's dates. A date that is off by hours, for the operator's clock or
    its zone is wrong, would say that the message was delivered before it was sent.
    """
    if zone is not None and receipt.done:
        for done_utc in _in_utc(receipt.done, zone):
            if submitted_utc // 60.0 * 60.0 <= done_utc <= came_utc + AHEAD_S:
                return _minute(done_utc)
    return _minute(came_utc)


@lru_cache(maxsize=1024)
def _in_utc(date: bytes, zone: tzinfo) -> tuple[float, ...]:
    """Return the Unix times that a date YYMMDDhhmm of a zone may mean, the latest first.

    Two in the hour that comes again when summer ends; none for a day that the month does not have.
    """
    year, month, day, hour, minute = (int(date[at : at + 2]) for at in range(0, 10, 2))
    try:
        local = datetime(2000 + year, month, day, hour, minute, tzinfo=zone)
    except ValueError:
        return ()
    first, second = local.timestamp(), local.replace(fold=1).timestamp()
    return (first,) if first == second else (max(first, second), min(first, second))


_minutes: dict[float, bytes] = {}


def _minute(utc: float) -> bytes:
    """Return YYMMDDhhmm in UTC; cached, because most receipts share a few minutes."""
    minute = utc // 60.0
    text = _minutes.get(minute)
    if text is None:
        if len(_minutes) > 1000:
            _minutes.clear()
        text = datetime.fromtimestamp(minute * 60.0, UTC).strftime("%y%m%d%H%M").encode()
        _minutes[minute] = text
    return text
