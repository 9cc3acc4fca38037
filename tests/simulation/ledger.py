"""What the world outside the router knows of each message: who said what, and when.

Clients, operators and the disk write here; `promises.py` compares.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from router.smpp.pdu import Framer, Sm, relay_with
from router.smpp.receipt import State
from router.terms.names import AccountName, LaneName, OperatorName
from tests.simulation.disk import DeliveryRow, SettledRow

if TYPE_CHECKING:
    from tests.simulation.timekeeping import Stamp
    from tests.simulation.world import Connection

NEVER = float("inf")


def sm_of(octets: bytes) -> Sm:
    """The view over a whole submit_sm or data_sm."""
    return Sm(Framer(len(octets)).feed(octets)[0])


def body_of(octets: bytes) -> bytes:
    """What is the same of a message wherever it is seen: all but its header and its times."""
    sm = sm_of(octets)
    if not sm.schedule_delivery_time and not sm.validity_period:
        return octets[16:]
    return relay_with(sm, 0, schedule_delivery_time=b"", validity_period=b"")[16:]


@dataclass(slots=True, eq=False)
class Long:
    """A long message that a client sends in parts."""

    reference: int
    total: int
    destination: bytes
    priority: int
    """All parts go in one lane."""
    parts: list["Submitted"] = field(default_factory=list)
    """Those that there are so far."""


@dataclass(slots=True, eq=False)
class Version:
    """What a client wants a message to be instead."""

    body: bytes
    is_durable: bool = False
    """The router's disk has it."""
    status: int | None = None
    """What the router has answered."""


@dataclass(slots=True, eq=False)
class Submitted:
    """A submit_sm or data_sm that a client has sent."""

    number: int
    account: AccountName
    lane: LaneName
    octets: bytes
    source: bytes
    """TON, NPI, address and NUL."""
    destination: bytes
    registered_delivery: int
    validity_s: float
    """How long it may wait, by its own period or its lane's."""
    schedule_s: float = 0.0
    """How long the router must wait before it sends it."""
    router_id: int | None = None
    """Once the disk has it."""
    candidates: tuple[OperatorName, ...] = ()
    accepted: "Stamp" = field(init=False)
    """When, once the disk has it."""
    accepted_at: float = -NEVER
    """By the loop's clock."""
    expires_utc: float = NEVER
    not_before_utc: float = 0.0
    """Both by the router's time."""
    by_transmitter: bool = False
    """Its receipts come over another connection."""
    answer: int | None = None
    """The status that the router answered."""
    answered_in: int = -1
    """The life of the router that answered."""
    writings: list["Writing"] = field(default_factory=list)
    taken: list["Taken"] = field(default_factory=list)
    settled: SettledRow | None = None
    settled_in: int = -1
    """The life of the router that settled it."""
    finals: int = 0
    """Final receipts that the disk has ever held."""
    long: Long | None = None
    """What it is a part of."""
    text: bytes = b""
    """With its user data header."""
    versions: list[Version] = field(default_factory=list)
    """What else it is to be, in the order in which its client asked."""
    promised: int = 0
    """How many of these it is, or has gone beyond: that was answered with ESME_ROK."""
    cancel_asked: bool = False
    is_cancelled: bool = False
    """A cancel_sm that was about it alone was answered with ESME_ROK."""

    @property
    def name(self) -> str:
        """How a person finds it in the trace."""
        known = "" if self.router_id is None else f" (id {self.router_id // 100})"
        return f"#{self.number}{known}"


@dataclass(slots=True, eq=False)
class Writing:
    """The router wrote a message to an operator."""

    message: Submitted
    operator: OperatorName
    connection: "Connection"
    life: int
    at: float
    status: int | None = None
    """What the router has heard in answer."""
    heard_at: float = NEVER
    heard: "Stamp" = field(init=False)
    """When, once it has heard."""


@dataclass(slots=True, eq=False)
class Taken:
    """An operator took a message under an id of its own."""

    message: Submitted
    writing: Writing
    operator: OperatorName
    key: bytes
    """Its id as the router keeps it; empty where the operator gave none."""
    id_in_answer: bytes
    id_in_receipts: bytes
    is_durable: bool = False
    """The router's disk knows it."""
    finals_sent: list[State] = field(default_factory=list)
    final_heard_at: float = NEVER
    first_final: State | None = None
    """Which one was heard first. Final states are sticky: what comes later changes nothing."""
    final_acknowledged_in: int = -1
    """The life of the router that acknowledged a final receipt."""

    def is_known(self, life: int, at: float) -> bool:
        """Whether the router, in this life of it, knew this attempt at that time."""
        if self.writing.life == life:
            return self.writing.status == 0 and self.writing.heard_at < at
        return self.is_durable


@dataclass(slots=True, eq=False)
class Inbound:
    """A message that a subscriber sent."""

    text: bytes
    sent: int = 0
    """How often an operator has sent it to the router."""
    held: int = 0
    """How often the disk has been told to keep it."""


@dataclass(slots=True, eq=False)
class Held:
    """All deliveries to an account that are alike to the last octet; most are one."""

    account: AccountName
    rows: dict[int, DeliveryRow] = field(default_factory=dict)
    """Those on the disk."""
    ever: int = 0
    written: int = 0
    answers_heard: int = 0
    """Final answers of the client, in this life of the router."""
    removed: int = 0
    """Rows removed for such an answer, in this life."""
