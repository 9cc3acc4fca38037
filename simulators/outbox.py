"""What waits at a simulated operator for one client system: receipts and subscribers' messages.

They go out on any receiving bind of the system_id, as far as each bind's window allows, and stay
while there is none. What a lost bind had not acknowledged goes back to the front, in its order.
"""

from collections import Counter, deque
from typing import Final

from router.smpp import vocabulary as v
from router.smpp.session import Session
from router.smpp.states import State
from simulators.behaviour import ReceiptBind
from simulators.counting import Allowance, SlidingSecond

TEMPORARY: Final = frozenset({v.ESME_RSYSERR, v.ESME_RMSGQFUL, v.ESME_RTHROTTLED, v.ESME_RX_T_APPN})
"""Answers to a deliver_sm after which it is sent again."""

RUN: Final = 16
"""How many deliver_sm that are due at once go to one bind before it is the next one's turn: each
bind then has one longer write and not many short ones."""


class Link:
    """One connection of a client to the operator."""

    __slots__ = (
        "accepted",
        "allowance",
        "cut",
        "first_at",
        "last_at",
        "number",
        "outbox",
        "receipts",
        "remote_port",
        "repeated",
        "second",
        "session",
        "submits",
        "system_id",
        "throttled",
    )

    def __init__(self, session: Session, remote_port: int) -> None:
        self.session = session
        self.remote_port = remote_port
        self.number = 0
        """In order of binding, from 1; 0 until then."""
        self.system_id = ""
        self.outbox: Outbox | None = None
        """Where it may receive from; None for a transmitter."""
        self.cut = False
        """Whether the connection is to be cut without another word."""
        self.allowance: Allowance | None = None
        self.second = SlidingSecond()
        self.submits = 0
        self.accepted = 0
        self.repeated = 0
        """Of those, the messages that had been taken before, on any bind."""
        self.throttled = 0
        self.receipts = 0
        """deliver_sm acknowledged."""
        self.first_at = 0.0
        self.last_at = 0.0


class Delivery:
    """One deliver_sm on its way to a client."""

    __slots__ = ("inbound", "is_over", "octets", "outbox", "submitter")

    def __init__(
        self, octets: bytes, outbox: "Outbox", submitter: Link | None, *, inbound: bool
    ) -> None:
        self.octets = octets
        self.outbox = outbox
        self.submitter = submitter
        """The bind that submitted the message; None for a subscriber's message."""
        self.inbound = inbound
        self.is_over = False
        """The client has it or does not want it. An answer may come when it has been sent again."""


class Outbox:
    """The deliver_sm of one system_id."""

    __slots__ = ("_turn", "links", "log", "sent", "system_id", "touched", "waiting")

    def __init__(
        self, system_id: str, touched: set[Link], log: list[tuple[bytes, float]] | None = None
    ) -> None:
        self.system_id = system_id
        self.links: list[Link] = []
        """The binds that receive."""
        self.waiting: deque[Delivery] = deque()
        self.sent: Counter[bool] = Counter()
        """deliver_sm written, by whether they were inbound messages; again counts again."""
        self.log = log
        """The octets of each deliver_sm and when they were sent, if anybody wants to know."""
        self.touched = touched
        """Binds with something to write, of all systems."""
        self._turn = 0

    def add(self, link: Link) -> None:
        """A bind that may receive."""
        link.outbox = self
        self.links.append(link)

    def remove(self, link: Link) -> None:
        """It may receive no more; what it has not acknowledged is `put_back` when it is gone."""
        link.outbox = None
        self.links.remove(link)

    def put_back(self, deliveries: list[Delivery]) -> None:
        """These were not acknowledged: they go first."""
        self.waiting.extendleft(reversed(deliveries))

    def pump(self, window: int, which: ReceiptBind, now: float) -> None:
        """Send what the binds have room for."""
        waiting = self.waiting
        at_most = RUN if which == "any" else 1
        while waiting:
            link = self._choose(waiting[0], window, which)
            if link is None:
                return
            session = link.session
            for _ in range(min(at_most, len(waiting), window - len(session.unanswered))):
                delivery = waiting.popleft()
                session.request(delivery.octets, delivery, now)
                self.sent[delivery.inbound] += 1
                if self.log is not None:
                    self.log.append((delivery.octets, now))
            self.touched.add(link)

    def _choose(self, delivery: Delivery, window: int, which: ReceiptBind) -> Link | None:
        links = self.links
        submitter = delivery.submitter
        if which != "any" and submitter is not None:
            if which == "other":
                # A system with one bind gets its receipts there all the same.
                links = [link for link in links if link is not submitter] or links
            elif submitter in links:
                links = [submitter]
        for _ in links:
            self._turn += 1
            link = links[self._turn % len(links)]
            if len(link.session.unanswered) < window and link.session.state is not State.CLOSED:
                return link
        return None
