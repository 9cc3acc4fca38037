"""The message itself, and what is sent back about it: one object from the first octet to the last.

A message is built once, when its submit_sm is taken in, and changed in place; what must outlive the
process is what the journal is told of it.
"""

from typing import TYPE_CHECKING, Final, Protocol

from router.terms.group import Group
from router.terms.names import AccountName, ClientId, LaneName, OperatorName, RouterId
from router.terms.plan import Plan
from router.terms.queue_key import ORDINARY, QueueKind
from router.terms.states import (
    ACCEPTING,
    DOUBT,
    ENDS_DOUBT,
    Mark,
    MarkEvent,
    MessageEvent,
    mark_after,
    state_after,
)

if TYPE_CHECKING:
    from router.terms.outcome import Refusal

UNMARKED: Final = Mark.UNMARKED
FINAL_BITS: Final = 0x03
"""registered_delivery: 0 none, 1 every final outcome, 2 failures, 3 successes (3.4, 5.2.17)."""
INTERMEDIATE_BIT: Final = 0x10
"""registered_delivery: intermediate notifications too."""


class JournalRow:
    """What only the journal knows of a message, and asks it for."""

    __slots__ = ("attempts", "queue", "taken_utc")

    def __init__(self) -> None:
        self.queue = 0
        """The number of its queue in the journal, once it is there."""
        self.attempts: tuple[int, ...] = ()
        """The numbers of its attempts in the journal."""
        self.taken_utc = 0.0
        """When an operator took it last; 0 if none did."""


class Origin(Protocol):
    """What submitted a message, and waits for its answer: an SMPP bind."""

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
        "source_octets",
        "state",
        "times_in_doubt",
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
    ) -> None:
        self.router_id = router_id
        self.client_id = client_id
        self.account = account
        self.lane = lane
        self.plan = plan
        """Which operators may take the message. Changed by `reroute`."""
        self.queue_kind = ORDINARY
        """The kind of queue that it waits in."""
        self.command_id = command_id
        self.octets = octets
        """The PDU as it came; empty once an operator has taken it."""
        self.source_octets = source_octets
        self.destination_octets = destination_octets
        """TON, NPI, address and NUL, for the receipt."""
        self.registered_delivery = registered_delivery
        self.accepted_at = accepted_at
        self.accepted_utc = accepted_utc
        self.expires_utc = expires_utc
        """When its validity ends; infinity where it has none."""
        self.not_before_utc = not_before_utc
        """When its client wants it sent, where the router sees to that; 0 is at once."""
        self.origin = origin
        """What submitted it, until that has been answered."""
        self.answered_at = 0.0
        """When that was."""
        self.hold_receipt = hold_receipt
        """It came over a transmitter: its receipts go out on another connection and may overtake
        the submit_sm_resp there."""
        self.group = group
        """The long message that it is a part of."""
        self.state = ACCEPTING
        """Set by `enter`."""
        self.operator: OperatorName | None = None
        """Who was tried last."""
        self.pending_receipts = 0
        """Attempts that an operator took and that have no final receipt yet."""
        self.times_in_doubt = 0
        """How often it was in doubt."""
        self.in_flight = 0
        """Attempts that are written and neither answered nor given up."""
        self.writes = 0
        """How often it was written to an operator."""
        self.retries = 0
        """How often its operator has asked for a retry."""
        self.failovers = 0
        """How often it went on to another operator because of a status."""
        self.sent_at = 0.0
        """When it was written last."""
        self.in_doubt = False
        """It was written and never answered; to send it now may be to send it twice."""
        self.mark = UNMARKED
        """What the journal has been told of it alone, whatever its queue. Set by `set_mark`."""
        self.row = JournalRow()

    def enter(self, event: MessageEvent) -> None:
        """Go on to the state that follows from an event (`terms/states.py`)."""
        self.state = state_after(self.state, event)
        if self.in_doubt and event in ENDS_DOUBT:
            self.in_doubt = False

    def doubt(self) -> None:
        """Know that a writing will not be answered: an operator may have the message."""
        self.enter(DOUBT)
        self.in_doubt = True

    def reroute(self, plan: Plan, kind: QueueKind = ORDINARY) -> None:
        """Follow this plan from now on, in a queue of this kind."""
        self.plan = plan
        self.queue_kind = kind

    def set_mark(self, event: MarkEvent) -> None:
        """Go on to the mark that follows from an event (`terms/states.py`)."""
        self.mark = mark_after(self.mark, event)

    @property
    def is_open(self) -> bool:
        """Whether an attempt may still end well: one that was taken, or one that is in flight."""
        return self.pending_receipts > 0 or self.in_flight > 0

    def __repr__(self) -> str:
        return f"<Message {self.router_id} {self.account} {self.state.name}>"


class Delivery:
    """A deliver_sm for a client, kept until the client has acknowledged it."""

    __slots__ = (
        "account",
        "final",
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
    ) -> None:
        self.router_id = router_id
        """The message that it is about; for a subscriber's message, its own number."""
        self.account = account
        self.octets = octets
        """The deliver_sm with all its TLVs, sequence_number 0."""
        self.made_utc = made_utc
        self.final = final
        self.not_before = not_before
        """Monotonic: it is not sent before."""
        self.tries = 0
        self.was_silent = False
        """Its client has once not answered in time, and may do so yet."""
        self.is_over = False
        """Its client has it, or never will."""
        self.kept_as = 0
        """Its number in the journal, once it is there."""
