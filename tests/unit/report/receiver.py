"""A client's bind that deliver_sm go to: a real session, and the client's answers by hand."""

from collections.abc import Iterable
from itertools import count
from typing import Final

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu, Sm
from router.smpp.session import Session, Timers
from router.smpp.states import Side, State
from router.terms.message import Delivery
from tests.unit.smpp.conversation import pdus_in, session_in

RESPONSE_S: Final = 10.0
_PORTS: Final = count(40000)
_TIMERS: Final = Timers(bind_s=5.0, enquire_link_s=1e9, response_s=RESPONSE_S)


class ClientBind:
    """One bind of a client, and what the client has read on it and not answered."""

    def __init__(self, version: int = v.VERSION_3_4, now: float = 0.0) -> None:
        self.session: Session = session_in(State.BOUND_TRX, Side.MC, _TIMERS, now)
        self.session.interface_version = version
        self.receives = True
        self.to_write = False
        self.address = f"127.0.0.1:{next(_PORTS)}"

    @property
    def is_receiving(self) -> bool:
        """As a client's connection says it."""
        return self.receives

    @property
    def unanswered(self) -> int:
        """As a client's connection says it."""
        return len(self.session.unanswered)

    def has_room(self, window: int) -> bool:
        """As a client's connection says it."""
        return self.receives and len(self.session.unanswered) < window

    def notify(self, octets: bytes) -> bool:
        return False

    def give(self, delivery: Delivery, now: float) -> None:
        """The delivery is in flight."""
        self.session.request(delivery.octets, delivery, now)

    def flush(self) -> None:
        """Whoever pumps has to do it."""
        raise AssertionError("an outbox does not write")

    def read(self) -> list[Pdu]:
        """What the client now reads."""
        return pdus_in(self.session.take_octets())

    def texts(self) -> list[bytes]:
        """The texts of what the client now reads."""
        return [Sm(pdu).message for pdu in self.read()]

    def answer(self, sequence_number: int, status: int, now: float) -> tuple[Delivery, int, bool]:
        """The client answers; return whose answer that is, its status, and whether it is late."""
        late = sequence_number not in self.session.unanswered
        octets = p.response(v.DELIVER_SM, sequence_number, status, b"\0")
        (pdu,) = self.session.receive(octets, now)
        assert isinstance(pdu.request, Delivery)
        return pdu.request, pdu.command_status, late

    def overdue(self, now: float) -> list[Delivery]:
        """What the client has not answered in time."""
        return deliveries(self.session.wake(now))

    def lose(self) -> list[Delivery]:
        """The bind is gone; return what was unanswered on it."""
        return deliveries(self.session.close())


def deliveries(whose: Iterable[object]) -> list[Delivery]:
    """The same objects, which a session knows nothing about, as what they are."""
    found = [one for one in whose if isinstance(one, Delivery)]
    assert len(found) == len(list(whose))
    return found
