"""The message, and the deliveries that report on it.

A message is one object, built when its submit_sm is taken in and changed in place. Of it only what
the journal is told outlives the process.
"""

from typing import TYPE_CHECKING, Final, Protocol

from router.terms.group import Group
from router.terms.names import AccountName, ClientId, LaneName, OperatorName, RouterId
from router.terms.plan import Plan
from router.terms.queue_key import ORDINARY, QueueKind
from router.terms.record import Try
from router.terms.states import (
    ACCEPTING,
    DOUBT,
    ENDS_DOUBT,
    NEXT,
    ImpossibleEventError,
    Mark,
    MarkEvent,
    MessageEvent,
    mark_after,
)
from router.terms.suspicion import Suspicion

if TYPE_CHECKING:
    from router.terms.outcome import Refusal

UNMARKED: Final = Mark.UNMARKED
FINAL_BITS: Final = 0x03
"""registered_delivery: 0 none, 1 every final outcome, 2 failures, 3 successes (3.4, 5.2.17)."""
INTERMEDIATE_BIT: Final = 0x10
"""registered_delivery: intermediate notifications too."""


class JournalRow:
    """The journal's own notes on a message; only the journal reads and writes them."""

    __slots__ = ("attempts", "queue", "taken_utc", "tries", "tries_before", "written_tries")

    def __init__(self) -> None:
        self.queue = 0
        """The number of the message's queue in the journal; 0 until the journal has it."""
        self.attempts: tuple[int, ...] = ()
        """The numbers of the message's attempts in the journal."""
        self.taken_utc = 0.0
        """When an operator last took the message; 0 if none did."""
        self.tries_before = ""
        """What an earlier process wrote of the message's tries."""
        self.tries = ""
        """What was written of them last, and"""
        self.written_tries: tuple[Try, ...] = ()
        """which those were."""


class Origin(Protocol):
    """The sender of a message, which waits for an answer: an SMPP bind of a client."""

    def accepted(self, message: "Message", now: float) -> None:
        """The journal has the message: answer that it is accepted."""

    def refused(self, message: "Message", refusal: "Refusal", now: float) -> None:
        """The message was let in and is not accepted after all: answer why."""


class Message:
    """One submit_sm or data_sm on its way."""

    __slots__ = (
        "accepted_at",
        "accepted_utc",
        "account",
        "answered_at",
        "client_id",
        "command_id",
        "destination_octets",
        "expires_utc",
        "failovers",
        "group",
        "hold_receipt",
        "in_doubt",
        "in_flight",
        "lane",
        "mark",
        "not_before_utc",
        "octets",
        "operator",
        "origin",
        "pending_receipts",
        "plan",
        "queue_kind",
        "registered_delivery",
        "retries",
        "router_id",
        "row",
        "sent_at",
        "size",
        "source_octets",
        "state",
        "submitted",
        "suspicion",
        "timeouts",
        "times_in_doubt",
        "tries",
        "waits_since",
        "writes",
    )

    def __init__(
        self,
        *,
        router_id: RouterId,
        client_id: ClientId,
        account: AccountName,
        lane: LaneName,
        plan: Plan,
        command_id: int,
        octets: bytes,
        source_octets: bytes,
        destination_octets: bytes,
        registered_delivery: int,
        accepted_at: float,
        accepted_utc: float,
        expires_utc: float,
        not_before_utc: float = 0.0,
        origin: Origin | None = None,
        hold_receipt: bool = False,
        group: Group | None = None,
        submitted: str = "",
    ) -> None:
        self.router_id = router_id
        self.client_id = client_id
        self.account = account
        self.lane = lane
        self.plan = plan
        """Which operators may take the message. Changed by `reroute`."""
        self.queue_kind = ORDINARY
        """The kind of queue that it waits in."""
        self.waits_since = accepted_at
        """Since when the message, or one that it was put before, has waited for a slot of an
        operator. A delay that an operator has asked for does not count."""
        self.command_id = command_id
        self.octets = octets
        """The PDU as it came; empty once an operator has taken it."""
        self.size = len(octets)
        """The octets of room that the message takes: those of its PDU, also when an operator has
        taken it."""
        self.source_octets = source_octets
        self.destination_octets = destination_octets
        """TON, NPI, address and NUL, for the receipt."""
        self.registered_delivery = registered_delivery
        self.accepted_at = accepted_at
        self.accepted_utc = accepted_utc
        self.expires_utc = expires_utc
        """When the validity ends; infinity without one."""
        self.not_before_utc = not_before_utc
        """The schedule that the router has to keep; 0 is at once."""
        self.origin = origin
        """The sender, until it has been answered."""
        self.answered_at = 0.0
        """When the submit_sm was answered."""
        self.hold_receipt = hold_receipt
        """Whether receipts must wait a moment: the message came on a transmitter, so its receipts
        go out on another connection and may overtake the submit_sm_resp."""
        self.group = group
        """The long message that this message is a part of."""
        self.submitted = submitted
        """How it came, for its record (`terms/record.py`); empty where that is not known."""
        self.tries: tuple[Try, ...] = ()
        """The writings to operators that are over, in order."""
        self.state = ACCEPTING
        """Where the message is; changed by `enter` only."""
        self.operator: OperatorName | None = None
        """The operator that was tried last."""
        self.pending_receipts = 0
        """Attempts that an operator took and that have no final receipt yet."""
        self.times_in_doubt = 0
        """How often the message was in doubt."""
        self.timeouts = 0
        """How often it was not answered in time."""
        self.suspicion: Suspicion | None = None
        """Why it may be the message that ends sessions; None once an operator has answered it."""
        self.in_flight = 0
        """Attempts that are written and neither answered nor given up."""
        self.writes = 0
        """How often the message was written to an operator."""
        self.retries = 0
        """How often a status of the operator led to a retry there."""
        self.failovers = 0
        """How often a status sent the message to another operator."""
        self.sent_at = 0.0
        """When the message was last written."""
        self.in_doubt = False
        """Whether the message was written and never answered: an operator may have it, and sending
        it may send it twice."""
        self.mark = UNMARKED
        """What the journal has been told of this message alone; changed by `set_mark` only."""
        self.row = JournalRow()

    def enter(self, event: MessageEvent) -> None:
        """Change to the state that follows from an event (`terms/states.py`)."""
        after = NEXT[self.state][event]  # Not by a call: four events of each message come here.
        if after is None:
            raise ImpossibleEventError(self.state, event)
        self.state = after
        if self.in_doubt and event in ENDS_DOUBT:
            self.in_doubt = False

    def doubt(self) -> None:
        """Note that an attempt will not be answered: an operator may have the message."""
        self.enter(DOUBT)
        self.in_doubt = True

    def reroute(self, plan: Plan, kind: QueueKind = ORDINARY) -> None:
        """Follow this plan from now on, in a queue of this kind."""
        self.plan = plan
        self.queue_kind = kind

    def set_mark(self, event: MarkEvent) -> None:
        """Change to the mark that follows from an event (`terms/states.py`)."""
        self.mark = mark_after(self.mark, event)

    @property
    def is_open(self) -> bool:
        """Whether an attempt may still end well: its receipt is awaited, or it is in flight."""
        return self.pending_receipts > 0 or self.in_flight > 0

    def __repr__(self) -> str:
        return f"<Message {self.router_id} {self.account} {self.state.name}>"


class Delivery:
    """A deliver_sm for a client, kept until the client has acknowledged it."""

    __slots__ = (
        "account",
        "bind",
        "final",
        "is_acknowledged",
        "is_over",
        "kept_as",
        "made_utc",
        "not_before",
        "octets",
        "router_id",
        "tries",
        "was_silent",
    )

    def __init__(
        self,
        *,
        router_id: RouterId,
        account: AccountName,
        octets: bytes,
        made_utc: float,
        final: bool = True,
        not_before: float = 0.0,
        bind: str = "",
    ) -> None:
        self.router_id = router_id
        """The message that a receipt is about; for a subscriber's message, its own number, which
        the parts of a long one share."""
        self.account = account
        self.octets = octets
        """The deliver_sm with all its TLVs, sequence_number 0."""
        self.made_utc = made_utc
        self.final = final
        """Whether no more deliveries of the message come; a part of a subscriber's long message is
        never known to be the last."""
        self.not_before = not_before
        """When the delivery may be sent at the earliest, in monotonic seconds."""
        self.bind = bind
        """The address and port of the bind that submitted the message; empty where none did, or
        that is not known."""
        self.tries = 0
        self.is_acknowledged = False
        """Whether the client has it, and said so."""
        self.was_silent = False
        """Whether the client has once not answered in time, and may still answer."""
        self.is_over = False
        """Whether the delivery has ended: acknowledged, refused for good, or too old."""
        self.kept_as = 0
        """The delivery's number in the journal; 0 until the journal has it."""
