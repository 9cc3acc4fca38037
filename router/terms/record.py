"""What the record of a message, or of a submit that was refused, says beside its outcome.

Texts are JSON arrays: SQLite takes them apart where the records are kept, and no row of the journal
needs a column for each of their values.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from router.terms.names import AccountName, ClientId, LaneName, OperatorName, RouterId

Try = tuple[OperatorName, str, float, float, int | str, bytes, bool, str]
"""One writing to an operator that is over: operator, bind, when it was written and when it ended
(monotonic), the command_status or why none came (`timeout`, `lost`), the operator's id, whether
the message was in doubt by it, perhaps until a late answer, and the sender under which it went out,
empty where that was its own."""

MOST_TRIES: Final = 16
"""Of a message that is tried for days the first and the latest are kept."""
_FIRST: Final = 4


def with_try(tries: tuple[Try, ...], one: Try) -> tuple[Try, ...]:
    """Return the writings of a message with one more; a late answer ends the one that it is to."""
    for place, before in enumerate(tries):
        if before[:3] == one[:3]:
            return (*tries[:place], (*one[:6], True, one[7]), *tries[place + 1 :])
    if len(tries) < MOST_TRIES:
        return (*tries, one)
    return (*tries[:_FIRST], *tries[_FIRST + 1 :], one)


@lru_cache(maxsize=65536)  # Messages of one bind share it: a million that wait need one.
def submitted(client: str, bind_type: str, data_coding: int, parts: int, route: str) -> str:
    """Return how a message came: address and port, bind type, its text's form, and its rule.

    `parts` are those of the long message that it is a part of; 1 for one that is whole.
    """
    return json.dumps([client, bind_type, data_coding, parts, route], separators=(",", ":"))


@lru_cache(maxsize=65536)
def bind_in(submitted: str) -> str:
    """Return the address and port of the bind that submitted the message; empty if not known."""
    return submitted[2 : submitted.index('"', 2)] if submitted.startswith('["') else ""


def tries_text(tries: Sequence[Try], accepted_at: float) -> str:
    """Return writings as `[operator, bind, written, ended, status, id, in doubt]`.

    The times are whole milliseconds after the message was accepted; a doubt is 1, or else 0. The
    sender stands behind it where it was not the message's own.
    """
    return ",".join(
        [
            f'["{operator}","{bind}",{(written - accepted_at) * 1000:.0f},'
            f"{(ended - accepted_at) * 1000:.0f},{_status(status)},{_id(operator_id)},"
            f"{in_doubt:d}{_sender(sender)}]"
            for operator, bind, written, ended, status, operator_id, in_doubt, sender in tries
        ]
    )


def _sender(sender: str) -> str:
    return f",{json.dumps(sender)}" if sender else ""


def _status(status: int | str) -> str:
    return f'"{status}"' if isinstance(status, str) else str(status)


def _id(operator_id: bytes) -> str:
    if operator_id.isalnum():
        return f'"{operator_id.decode("ascii")}"'
    return json.dumps(operator_id.decode("latin-1")) if operator_id else "null"


def last_id(tries: str) -> bytes:
    """Return the id that an operator gave in the last of the written tries; empty for none."""
    try:
        operator_id = json.loads(f"[{tries}]")[-1][5]
    except (ValueError, LookupError):
        return b""
    return operator_id.encode("latin-1", "replace") if isinstance(operator_id, str) else b""


class Recorded(NamedTuple):
    """What a record says of how a message ended."""

    router_id: RouterId
    client_id: ClientId
    account: AccountName
    source: str
    outcome: str
    reason: str
    receipt_state: str
    """The operator's last word, such as `DELIVRD`; empty where it said nothing."""
    receipt_error: str
    """`err` of that receipt."""
    settled_utc: float


class Refused:
    """A submit that was refused: no message was made of it."""

    __slots__ = (
        "account",
        "at_utc",
        "destination",
        "kept_as",
        "lane",
        "left_out",
        "reason",
        "source",
        "status",
        "submitted",
    )

    def __init__(
        self,
        account: AccountName,
        lane: LaneName,
        source: str,
        destination: str,
        submitted: str,
        reason: str,
        status: int,
        at_utc: float,
        left_out: int,
    ) -> None:
        self.account = account
        self.lane = lane
        self.source = source
        self.destination = destination
        self.submitted = submitted
        self.reason = reason
        self.status = status
        """The command_status that the client was answered."""
        self.at_utc = at_utc
        self.left_out = left_out
        """Refusals of the account, since the last one with a record, that have none."""
        self.kept_as = 0
        """The number of its record in the journal."""
