"""Statuses, refusals, what to do after a status, and the outcomes of messages.

A refusal is an ordinary value and has the status that the peer is answered. An operator's status is
judged in one function, which takes a plain int: operators send statuses that are in no list.

Sources: SMPP v3.4, 5.1.3; what real clients do with a status (Kannel gives up a bind for ever on
0x0E, 0x0F and 0x53 and retries a message only after 0x58, 0x14, 0x64 and 0x08).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from router.terms.settings import StatusAction


class Outcome(IntEnum):
    """How a message ended; every accepted message gets exactly one outcome."""

    DELIVERED = 0
    FAILED = 1
    """The operator or the network reported a failure, or the router gave the message up."""
    EXPIRED = 2
    REJECTED = 3
    SENT = 4
    """The operator took the message, and no receipt was asked for."""
    UNKNOWN = 5
    """A receipt was asked for, and none came."""


# For code that every message runs: before Python 3.12 a member of an enum costs five globals.
DELIVERED: Final = Outcome.DELIVERED
ENDED_SENT: Final = Outcome.SENT


class Evidence(IntEnum):
    """Whose word an outcome is, and what it tells of the operator and of the number."""

    NONE = 0
    """The router's own: it tells nothing of an operator."""
    OPERATOR = 1
    """The operator's: a receipt, or a refusal for good."""
    UNREACHABLE = 2
    """The operator's, which says that the number cannot be reached by anybody."""
    TOO_FAST = 3
    """A receipt of delivery that came faster than a telephone can have answered."""
    SILENCE = 4
    """A receipt was asked for, and none came."""


NO_EVIDENCE: Final = Evidence.NONE
WRONG_NUMBER: Final = 0x0B
"""The status with which an operator says that there is no such number: ESME_RINVDSTADR. Not
ESME_RINVDSTTON, which says that we write it wrong."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is refused, and the command_status of the answer."""

    reason: str
    """A word for counters and logs, from a bounded set."""
    status: int
    why: str = ""
    """What the log says of it; empty: nothing."""
    rule: str = field(default="", compare=False)
    """The rule that refuses it, in words, for its record; empty where none does."""


WRONG_CREDENTIALS: Final = Refusal("wrong_credentials", 0x0E, "the password is wrong")
UNKNOWN_NAME: Final = Refusal("wrong_credentials", 0x0E, "no account has this system_id")
"""As a wrong password, for who asks and in numbers that others see: ESME_RINVSYSID would tell which
names exist."""
FOREIGN_ADDRESS: Final = Refusal("foreign_address", 0x0E, "not in allow_from of the account")
"""As a wrong password: another status would tell which names exist."""
NO_CERTIFICATE: Final = Refusal("wrong_certificate", 0x0E, "no certificate was shown")
WRONG_CERTIFICATE: Final = Refusal(
    "wrong_certificate", 0x0E, "the certificate has none of the names of the account"
)
"""As a wrong password."""
BLOCKED: Final = Refusal("blocked", 0x0E, "too many binds from there have failed")
"""As a wrong password: who guesses on does not learn that nothing is compared any more."""
TOO_MANY_CHECKS: Final = Refusal("too_many_checks", 0x0D)
"""The password was not looked at, because too many others wait for that: whatever the name, so that
it tells nothing of it. A client with a thousand binds hears it after a restart, and 0x0E would make
Kannel give up for ever."""
TOO_MANY_BINDS: Final = Refusal("too_many_binds", 0x0D)
"""Never 0x05 (already bound), which Kannel takes for success."""
BIND_WHILE_DRAINING: Final = Refusal("draining", 0x0D)
"""Whoever asks, so that it tells nothing of a name; 0x0E would make good clients give up."""

DRAINING: Final = Refusal("draining", 0x08)
THROTTLED: Final = Refusal("throttled", 0x58)
QUEUE_FULL: Final = Refusal("queue_full", 0x14)
JOURNAL_BEHIND: Final = Refusal("journal_behind", 0x58)
"""The account submits faster than the disk writes."""
CONGESTED: Final = Refusal("congested", 0x58)
"""More comes than the router can take, of all clients or of this one, and it has waited too long.
Clients send again after a while what was throttled."""
JOURNAL_DOWN: Final = Refusal("journal_down", 0x08)
OUTBOX_FULL: Final = Refusal("outbox_full", 0x14)
"""The client does not fetch its receipts, and asks for more."""
DISK_NEARLY_FULL: Final = Refusal("disk_nearly_full", 0x14)
NO_ROUTE: Final = Refusal("no_route", 0x0B)
WRONG_DESTINATION: Final = Refusal("wrong_destination", 0x0B)
NO_SUCH_NUMBER: Final = Refusal("invalid_number", 0x0B, "no numbering plan has the number")
FIXED_LINE: Final = Refusal("invalid_number", 0x0B, "the number is a fixed line")
PREMIUM_NUMBER: Final = Refusal("invalid_number", 0x0B, "the number is a premium one")
UNKNOWN_LINE: Final = Refusal("invalid_number", 0x0B, "the plan does not tell the kind of line")
"""One word for what `numbers.refuse` of an account refuses: the number is what is wrong."""
COUNTRY_NOT_ALLOWED: Final = Refusal(
    "country_not_allowed", 0x0B, "the account does not send to this country"
)
DISTRIBUTION_LIST: Final = Refusal("distribution_list", 0x34)
"""To a submit_multi that names a list of numbers: the router has none, so no name is valid."""
SENDER_NOT_ALLOWED: Final = "sender_not_allowed"
"""The reason of refusals because of the sender."""
WRONG_SENDER: Final = 0x0A
"""Their status: ESME_RINVSRCADR."""
NOT_CARRIED: Final = Refusal(
    SENDER_NOT_ALLOWED, WRONG_SENDER, "no operator of the route lets the sender through"
)
UNREADABLE_SCHEDULE: Final = Refusal("wrong_schedule", 0x61, "no time that can be read")
SCHEDULE_TOO_FAR: Final = Refusal("wrong_schedule", 0x61, "more than a year ahead")
UNREADABLE_VALIDITY: Final = Refusal("wrong_validity", 0x62, "no time that can be read")
VALIDITY_IS_OVER: Final = Refusal("wrong_validity", 0x62, "over before it can be sent")
TEMPORARY: Final = Refusal("journal_down", 0x64)
"""To an operator whose deliver_sm cannot be kept now: the operator sends it again later."""
OUTBOX_NEARLY_FULL: Final = Refusal("outbox_full", 0x64)
INBOUND_BEHIND: Final = Refusal("journal_behind", 0x64)
NO_SPACE_FOR_INBOUND: Final = Refusal("disk_nearly_full", 0x64)
"""To an operator, for a subscriber's message that there is no room for now. 0x64 is what a
deliver_sm_resp has for this; 0x14 is the SMSC's word for a queue of its own."""
CANCELLED: Final = "cancelled"
"""The reason of an outcome that a client, or whoever runs the router, wanted."""
NOT_FOR_US: Final = Refusal("unrouted", 0x65)
"""To an operator, for a subscriber's message that is for no account."""

REFUSED_BY_ROUTE: Final = "refused_by_route"
REFUSED_BY_RULE: Final = "refused_by_rule"
"""The reason of a rule under `refuse` that says no other."""
_OF_SUBMITS: Final = (
    *(DRAINING, THROTTLED, QUEUE_FULL, JOURNAL_BEHIND, CONGESTED, JOURNAL_DOWN, OUTBOX_FULL),
    *(DISK_NEARLY_FULL, NO_ROUTE, WRONG_DESTINATION, DISTRIBUTION_LIST, UNREADABLE_SCHEDULE),
    *(UNREADABLE_VALIDITY, WRONG_CREDENTIALS, FOREIGN_ADDRESS, NO_CERTIFICATE, BLOCKED),
    *(TOO_MANY_CHECKS, TOO_MANY_BINDS, NOT_FOR_US),
)
OWN_REASONS: Final = frozenset(
    {*(one.reason for one in _OF_SUBMITS), "malformed", "several", REFUSED_BY_ROUTE}
)
"""The router's own words for why something is refused. Rules under `refuse` have others."""


def is_as_configured(reason: str) -> bool:
    """Whether a refusal for this reason is what a rule was written for, and no trouble."""
    return reason == REFUSED_BY_ROUTE or reason not in OWN_REASONS


TEMPORARY_FOR_CLIENTS: Final = frozenset({0x08, 0x14, 0x58, 0x64})
"""Statuses of a deliver_sm_resp after which the same deliver_sm is tried again."""

_INVALID_COMMAND_ID: Final = 0x03
_MESSAGE_QUEUE_FULL: Final = 0x14
_THROTTLED: Final = 0x58
_OTHER_ROUTES: Final = 99
_FAIL: Final = StatusAction(do="fail")
OTHERWISE: Final = StatusAction(do="next", times=1)
"""For a status that is in no list: one other operator is tried."""
_NEXT: Final = StatusAction(do="next", times=_OTHER_ROUTES)
_REBIND: Final = StatusAction(do="rebind")
_SYSTEM_ERROR: Final = StatusAction(do="retry", after_s=30.0, times=2, then="next")

DEFAULT_ACTIONS: Final[Mapping[int, StatusAction]] = (
    dict.fromkeys(
        (
            *(0x01, 0x02, 0x03, 0x06, 0x07, 0x0B, 0x15, *range(0x33, 0x45), 0x50, 0x51),
            *(0x54, 0x55, 0x61, 0x62, 0x63, 0x65, 0x66, *range(0xC0, 0xC5), 0x104),
        ),
        _FAIL,
    )
    | dict.fromkeys((0x0A, 0x48, 0x49, 0x45, 0xFE, 0xFF), OTHERWISE)
    | dict.fromkeys((0x22, *range(0x100, 0x104)), _NEXT)
    | dict.fromkeys((0x04, 0x05, 0x0D, 0x0E, 0x0F, 0x53), _REBIND)
    | dict.fromkeys((0x08, 0x64), _SYSTEM_ERROR)
    | {
        0x58: StatusAction(do="pause", for_s=1.0),
        0x14: StatusAction(do="retry", after_s=30.0, times=3, then="next"),
    }
)
"""What a status means unless the operator's settings say otherwise. After a status that is in no
list, one other operator is tried, and then the message fails."""


WRONG_SET_UP: Final = frozenset({*range(0xC0, 0xC5), 0x04, 0x05, 0x0D, 0x0E, 0x0F, 0x53, 0x03})
"""Statuses that say less about the message than about how the router is set up at the operator: a
TLV that is required, a bind that is unknown, a PDU that is not served. They are logged, for
people."""


def judge(
    status: int,
    over_default: Mapping[int, StatusAction],
    *,
    is_full: bool = False,
    is_data_sm: bool = False,
) -> StatusAction:
    """Return what to do after an operator answered `status`, which is not ESME_ROK.

    `is_full` is whether ESME_RMSGQFUL came for many numbers in a row; `is_data_sm` is whether the
    request was a data_sm, which some operators do not serve.
    """
    action = over_default.get(status)
    if action is not None:
        return action
    if is_full and status == _MESSAGE_QUEUE_FULL:
        status = _THROTTLED
    if is_data_sm and status == _INVALID_COMMAND_ID:
        return _NEXT
    return DEFAULT_ACTIONS.get(status, OTHERWISE)


class JournalError(Exception):
    """The journal could not make a batch safe; nothing of it may be acknowledged."""
