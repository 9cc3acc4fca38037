"""The far ends as the steps see them: clients' binds, operators' binds, and what they sent."""

from typing import Final, Protocol

from router.accept.accounts import Account
from router.accept.admission import Admission
from router.forward.pool import Bind, Channel
from router.report.outbox import Receiver
from router.smpp.pdu import Pdu, Sm, response
from router.smpp.receipt import Receipt
from router.smpp.session import Note, Peer
from router.smpp.states import State
from router.steps.turn import Turn
from router.terms.message import Delivery
from router.terms.names import OperatorName
from router.terms.orphan import Orphan


class Client(Receiver, Peer, Protocol):
    """A client's bind."""

    @property
    def account(self) -> Account:
        """The account that it is bound for."""

    @property
    def admission(self) -> Admission:
        """The gate of its submits."""

    @property
    def address(self) -> str:
        """Where it connects from: an address and a port."""

    @property
    def bind_type(self) -> str:
        """`transmitter`, `receiver` or `transceiver`."""

    def reads_until(self, now: float) -> float:
        """Return until when its system is known to have taken what was written to it.

        `now`, unless octets wait for an acknowledgement: then when the last one came.
        """

    def tell(self, note: Note) -> None:
        """Log a note that is counted already."""


class OperatorPeer(Channel, Peer, Protocol):
    """A bind to an operator, as it is connected now."""

    @property
    def bind(self) -> Bind:
        """The configured bind."""


class Reply:
    """An operator's request that is answered when a batch is safe."""

    __slots__ = ("brought", "command_id", "inbound_of", "orphan", "peer", "sequence_number")

    def __init__(self, peer: Peer, command_id: int, sequence_number: int) -> None:
        self.peer: Final = peer
        self.command_id: Final = command_id
        self.sequence_number: Final = sequence_number
        self.brought: tuple[Delivery, ...] = ()
        """What the request brought for clients, and brings again if it is answered to come
        again."""
        self.inbound_of: OperatorName | None = None
        """The operator whose subscriber's message it is."""
        self.orphan: Orphan | None = None
        """The receipt that it is, where its message is not known."""

    def send(self, status: int, turn: Turn) -> None:
        """Answer: its deliver_sm is safe, or it must come again."""
        session = self.peer.session
        if session.state is not State.CLOSED:
            session.respond(response(self.command_id, self.sequence_number, status, b"\0"))
            turn.write(self.peer)


class FromSubscriber:
    """A subscriber's message as it came; a part of a long one may wait for the first part."""

    __slots__ = ("command_id", "peer", "sequence_number", "sm")

    def __init__(self, peer: OperatorPeer, pdu: Pdu, sm: Sm) -> None:
        self.peer: Final = peer
        self.command_id: Final = pdu.command_id
        self.sequence_number: Final = pdu.sequence_number
        self.sm: Final = sm

    def reply(self) -> Reply:
        """Return the answer that this message waits for."""
        return Reply(self.peer, self.command_id, self.sequence_number)


class Arrival:
    """A receipt as it came; the journal may have to be asked for its message."""

    __slots__ = ("is_marked", "pdu", "peer", "receipt", "sm")

    def __init__(
        self, peer: OperatorPeer, pdu: Pdu, sm: Sm, receipt: Receipt, *, is_marked: bool = True
    ) -> None:
        self.peer: Final = peer
        self.pdu: Final = pdu
        self.sm: Final = sm
        self.receipt: Final = receipt
        self.is_marked: Final = is_marked
        """Whether the operator says that it is one; else only the text reads like one."""

    def reply(self) -> Reply:
        """Return the answer that this receipt waits for."""
        return Reply(self.peer, self.pdu.command_id, self.pdu.sequence_number)
