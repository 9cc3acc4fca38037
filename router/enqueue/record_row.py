"""What the journal writes of a message that is over, and of a submit that was refused.

The rows stay until `records.db` has them (`telemetry/records.py`), and for `keep_records`. What a
text says is told by `terms/record.py`.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from router.enqueue.journal import Settlement
from router.enqueue.schema import Row
from router.smpp.receipt import WORDS, Receipt, State
from router.terms.message import Delivery, Message
from router.terms.outcome import Outcome
from router.terms.record import Refused, tries_text

COLUMNS: Final = 21
MOST_OCTETS: Final = 32
"""Of an error code: SMPP's have three, and an operator may write what it likes."""
REFUSED: Final = "refused"
"""The outcome of a submit of which no message was made."""
_OUTCOMES: Final = [outcome.name.lower() for outcome in sorted(Outcome)]


def of_settlement(settlement: Settlement, client_id: bytes | None) -> Row:
    """Return the row of a message's end; `client_id` is None where it is the router_id."""
    message, receipt = settlement.message, settlement.receipt
    tries = message.tries
    operator_id = tries[-1][5] if tries else b""
    answered_at = message.answered_at
    return (
        settlement.kept_as,
        message.router_id,
        None if client_id is None else client_id.decode("latin-1"),
        message.account,
        message.lane,
        message.operator,
        _OUTCOMES[settlement.outcome],
        settlement.reason or None,
        message.source_octets[2:-1].decode("latin-1"),
        message.destination_octets[2:-1].decode("latin-1"),
        message.writes,
        len(message.row.attempts),
        message.accepted_utc,
        message.row.taken_utc or None,
        settlement.at_utc,
        message.submitted or None,
        round((answered_at - _came_at(message)) * 1000) if answered_at else None,
        tries_of(message),
        operator_id.decode("latin-1") if operator_id else None,
        None if receipt is None else _of_receipt(receipt),
        0,
    )


def _came_at(message: Message) -> float:
    """Return when a message was accepted; that of a scheduled one counts from its time on."""
    if message.not_before_utc and message.writes:
        return message.accepted_at - max(0.0, message.not_before_utc - message.accepted_utc)
    return message.accepted_at


def tries_of(message: Message) -> str | None:
    """Return what is written of a message's tries; None if there were none."""
    tries, row = message.tries, message.row
    if tries is not row.written_tries:
        now = tries_text(tries, _came_at(message))
        row.tries = f"{row.tries_before},{now}" if row.tries_before else now
        row.written_tries = tries
    return row.tries or row.tries_before or None


def of_refused(refused: Refused) -> Row:
    """Return the row of a submit that was refused: it has no router_id.

    For attempts it has how many others have no row.
    """
    at_utc = refused.at_utc
    return (
        refused.kept_as, 0, None, refused.account, refused.lane, None, REFUSED, refused.reason,
        refused.source, refused.destination, 0, refused.left_out, at_utc, None, at_utc,
        refused.submitted, None, None, None, None, refused.status,
    )  # fmt: skip


def of_acknowledged(number: int, at_utc: float, deliveries: Sequence[Delivery]) -> Row | None:
    """Return one row for all final receipts that clients have acknowledged; None for none."""
    router_ids = [one.router_id for one in deliveries if one.is_acknowledged and one.final]
    return (number, at_utc, str(router_ids)) if router_ids else None


def _of_receipt(receipt: Receipt) -> str:
    network = receipt.network_error_code
    return _receipt(
        receipt.state, receipt.err[:MOST_OCTETS], network and network[:MOST_OCTETS], receipt.done
    )


@lru_cache(maxsize=1024)  # Most receipts of a minute say the same.
def _receipt(state: State | None, err: bytes, network_error_code: bytes | None, done: bytes) -> str:
    said = (
        None if state is None else WORDS[state].decode("ascii"),
        err.decode("latin-1") or None,
        network_error_code.hex() if network_error_code else None,
        done.decode("latin-1") or None,
    )
    return json.dumps(said, separators=(",", ":"))
