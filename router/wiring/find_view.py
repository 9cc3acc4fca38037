"""`smpp-router find`: what became of messages, as a few lines each, in the order of time."""

import json
from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import Final

from router.smpp.vocabulary import status_name
from router.telemetry.findings import OUT, WAITING, Answer, Found, Value

Event = tuple[float, str]
"""When something happened, in seconds since 1970, and what."""

_OUTCOMES: Final = {
    WAITING: "waits for an operator, or is in flight",
    OUT: "an operator has it, no final receipt yet",
    "sent": "sent (no receipt was asked for)",
    "unknown": "unknown (an operator took it, and has not said what became of it)",
}
_RAN_OUT: Final = {
    "timeout": "not answered in time: in doubt",
    "lost": "the connection was lost: in doubt",
}


def events_of(found: Found) -> list[Event]:
    """Return what happened to a message, in the order of time, as far as it is known."""
    events = sorted(_events(found), key=lambda event: event[0])
    return events


def _events(found: Found) -> Iterator[Event]:
    accepted = _utc(found["accepted_utc"])
    came = f"submitted by {found['account']}"
    if found["client_address"]:
        came += f" from {found['client_address']} ({found['bind_type']})"
    yield accepted, came
    if found["outcome"] == "refused":
        status = int(found["status"] or 0)
        yield accepted, f"refused with {status_name(status)}: {found['reason']}"
        if found["left_out"]:
            yield accepted, f"{found['left_out']} others just before it were counted, not recorded"
        return
    answered = found["answered_ms"]
    if isinstance(answered, int):
        yield accepted + answered / 1000, f"answered ESME_ROK after {answered} ms"
    yield from _tries(found, accepted)
    if found["receipt_state"]:
        code = f" err:{found['receipt_error']}" if found["receipt_error"] else ""
        network = f", network_error_code {found['network_error']}" if found["network_error"] else ""
        date = f", done {found['receipt_date']}" if found["receipt_date"] else ""
        yield _utc(found["settled_utc"]), f"receipt {found['receipt_state']}{code}{network}{date}"
    elif found["settled_utc"] is not None:
        why = f": {found['reason']}" if found["reason"] else ""
        yield _utc(found["settled_utc"]), f"over{why}"
    if found["acknowledged_utc"] is not None:
        yield _utc(found["acknowledged_utc"]), "the client has acknowledged the receipt"


def _tries(found: Found, accepted: float) -> Iterator[Event]:
    """Yield each writing and how it ended; what is no list of writings is shown as it is."""
    tries = found["tries"]
    if tries is None:
        if found["operator"]:
            taken = found["taken_utc"] or found["settled_utc"] or found["accepted_utc"]
            name = f" as {found['operator_id']}" if found["operator_id"] else ""
            yield _utc(taken), f"{found['operator']} took it{name}"
        return
    try:
        for operator, bind, written, ended, status, *more in json.loads(str(tries)):
            operator_id, in_doubt, *sender = more
            under = f", under sender {sender[0]}" if sender else ""
            yield accepted + written / 1000, f"written to {operator}, on {bind}{under}"
            at = accepted + ended / 1000
            late = ", late: it was in doubt" if in_doubt else ""
            if status == 0:
                name = f" as {operator_id}" if operator_id else ""
                yield at, f"{operator} took it{name}{late}"
            elif isinstance(status, int):
                yield at, f"{operator} refused it with {status_name(status)}{late}"
            else:
                yield at, _RAN_OUT.get(status, str(status))
    except (ValueError, TypeError):
        yield accepted, f"written: {tries}"


def lines_of(answer: Answer, zone: tzinfo | None) -> Iterator[str]:
    """Yield an answer in lines; times are those of the zone, or of this machine."""
    found = answer["found"]
    if not found:
        yield "nothing was found"
    if answer["more"]:
        yield f"the newest {len(found)} of more: narrow it down, or ask for more with --most"
    for one in found:
        yield ""
        yield _head(one, zone)
        for at, what in events_of(one):
            yield f"    {_time(at, zone)}  {what}"
        yield from (f"    {line}" for line in _state(one, zone))
    if answer["lacks"]:
        yield ""
    for lack in answer["lacks"]:
        yield f"not all is known: {lack}"


def _head(one: Found, zone: tzinfo | None) -> str:
    at = datetime.fromtimestamp(_utc(one["accepted_utc"]), zone).astimezone(zone)
    outcome = str(one["outcome"])
    words = [f"{at:%Y-%m-%d %H:%M:%S %Z}", f"{one['source'] or '(no sender)'} -> "
             f"{one['destination'] or '(no number)'}"]  # fmt: skip
    words.append(outcome if outcome not in (WAITING, OUT) else _OUTCOMES[outcome])
    if one["client_id"]:
        words.append(f"id {one['client_id']}")
    if one["client_id"] != str(one["router_id"]) and one["router_id"]:
        words.append(f"router's id {one['router_id']}")
    if one["may_be"]:
        words.append("the number is masked: it may be another")
    return "  ".join(words)


def _state(one: Found, zone: tzinfo | None) -> Iterator[str]:
    about = [f"lane {one['lane']}"]
    if one["route"]:
        about.append(f"rule {one['route']}")
    if one["data_coding"]:
        about.append(f"data_coding {one['data_coding']}")
    if isinstance(one["parts"], int) and one["parts"] > 1:
        about.append(f"part of a message of {one['parts']}")
    yield "; ".join(about)
    if one["outcome"] == WAITING:
        yield f"for {str(one.get('waits_for')).replace(',', ', then ')}{_until(one, zone)}"
    if one.get("receipt_waits"):
        yield "its receipt waits for the client"
    if str(one["outcome"]) in ("sent", "unknown"):
        yield _OUTCOMES[str(one["outcome"])]


def _until(one: Found, zone: tzinfo | None) -> str:
    expires = one.get("expires_utc")
    return f"; valid until {_time(expires, zone)}" if isinstance(expires, float) else ""


def _utc(value: Value) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _time(at: float, zone: tzinfo | None) -> str:
    moment = datetime.fromtimestamp(at, zone).astimezone(zone)
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}"
