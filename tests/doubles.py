"""Stand-ins used by tests: a loop with a manual clock, transports in memory, an operator, a client.

Written once, named, and as strict as what they stand for: a transport hands octets over in a later
turn, a closed one hands over nothing, and nothing happens unless `World` is told to run.
"""

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from pathlib import Path

from router.accept.accounts import Accounts
from router.accept.server import ClientLink
from router.enqueue.journal import Settlement
from router.enqueue.memory import MemoryJournal
from router.forward.bind import OperatorLink
from router.forward.pool import Bind
from router.journey import Journey
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.link import Link, Transport
from router.smpp.pdu import Framer, Pdu
from router.terms.settings import Settings
from router.wiring.config import load

START = 1000.0
START_UTC = 1_800_000_000.0


class ManualTimer:
    """One call that was asked for."""

    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        self.call = None


class World:
    """A loop whose time moves only when it is told to."""

    def __init__(self) -> None:
        self.now = START
        self.utc_offset = START_UTC - START
        self._soon: deque[Callable[[], None]] = deque()
        self._timers: list[tuple[float, int, ManualTimer]] = []
        self._order = 0

    def clock(self) -> float:
        return self.now

    def clock_utc(self) -> float:
        return self.now + self.utc_offset

    def soon(self, call: Callable[[], None]) -> None:
        self._soon.append(call)

    def call_later(self, delay_s: float, call: Callable[[], None]) -> ManualTimer:
        timer = ManualTimer(call)
        self._order += 1
        heappush(self._timers, (self.now + delay_s, self._order, timer))
        return timer

    def settle(self) -> None:
        """Run turns until nothing is left to do at this moment."""
        for _ in range(100_000):
            while self._timers and self._timers[0][0] <= self.now:
                timer = heappop(self._timers)[2]
                if timer.call is not None:
                    self._soon.append(timer.call)
            if not self._soon:
                return
            for _ in range(len(self._soon)):
                self._soon.popleft()()
        raise AssertionError("the loop never comes to rest")

    def run(self, seconds: float) -> None:
        """Let time pass, stopping at every timer on the way."""
        until = self.now + seconds
        self.settle()
        while self._timers and self._timers[0][0] <= until:
            self.now = max(self.now, self._timers[0][0])
            self.settle()
        self.now = until
        self.settle()


class MemoryTransport:
    """One end of a connection; what is written arrives at `to` after `delay_s`."""

    def __init__(self, world: World, host: str = "127.0.0.1") -> None:
        self.world = world
        self.host = host
        self.to: Callable[[bytes], None] = lambda _: None
        self.on_closed: Callable[[], None] = lambda: None
        self.delay_s = 0.0
        self.is_closed = False
        self.reading = True
        self.written: list[tuple[float, bytes]] = []

    def write(self, data: bytes) -> None:
        if self.is_closed:
            return
        self.written.append((self.world.now, data))
        if self.delay_s:
            self.world.call_later(self.delay_s, lambda: self.to(data))
        else:
            self.world.soon(lambda: self.to(data))

    def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self.world.soon(self.on_closed)

    abort = close

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def get_extra_info(self, name: str) -> tuple[str, int]:
        assert name == "peername"
        return self.host, 40000

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass


class FarEnd:
    """The other end of one of the router's connections: reads PDUs, sends what a test tells it."""

    def __init__(self, world: World, link: Link, host: str = "127.0.0.1") -> None:
        self.world = world
        self.link = link
        self.transport = MemoryTransport(world, host)
        self.transport.to = self._receive
        self.transport.on_closed = self._closed
        self.framer = Framer(100_000)
        self.received: list[tuple[float, Pdu]] = []
        self.closed = False
        self.on_pdu: Callable[[Pdu], None] = lambda _: None
        self._sequence = 0
        self._sent: list[bytes] = []
        transport: Transport = self.transport  # type: ignore[assignment]
        link.connection_made(transport)

    def next_sequence(self) -> int:
        self._sequence += 1
        return self._sequence

    def send(self, octets: bytes) -> None:
        """Hand octets to the router, in a later turn."""
        self.world.soon(lambda: None if self.closed else self.link.data_received(octets))

    def drop(self) -> None:
        """Cut the connection."""
        if not self.transport.is_closed:
            self.transport.is_closed = True
            self._closed()

    def _receive(self, octets: bytes) -> None:
        for pdu in self.framer.feed(octets):
            self.received.append((self.world.now, pdu))
            self.on_pdu(pdu)

    def _closed(self) -> None:
        if not self.closed:
            self.closed = True
            self.link.connection_lost(None)

    def pdus(self, command_id: int) -> list[Pdu]:
        """What came of one kind."""
        return [pdu for _, pdu in self.received if pdu.command_id == command_id]


class Operator:
    """An operator's end of one bind: answers as told, receipts as told."""

    def __init__(self, world: World, router: "Router", bind: Bind) -> None:
        self.world = world
        self.bind = bind
        self.status: Callable[[Pdu], int | None] = lambda _: 0
        """Status of the answer; None for silence."""
        self.latency_s = 0.02
        self.next_id = 1
        self.submits: list[tuple[float, Pdu]] = []
        self.ids: dict[bytes, Pdu] = {}
        link = OperatorLink(router, router.journey, bind, router.settings.session)
        self.far = FarEnd(world, link)
        self.far.on_pdu = self._on_pdu

    def _on_pdu(self, pdu: Pdu) -> None:
        if pdu.command_id in v.BINDS:
            self.far.send(p.response(pdu.command_id, pdu.sequence_number, body=b"SMSC\0"))
        elif pdu.command_id in (v.SUBMIT_SM, v.DATA_SM):
            self.submits.append((self.world.now, pdu))
            status = self.status(pdu)
            if status is not None:
                self.world.call_later(self.latency_s, lambda: self.answer(pdu, status))
        elif pdu.command_id == v.ENQUIRE_LINK:
            self.far.send(p.response(pdu.command_id, pdu.sequence_number))
        elif pdu.command_id == v.UNBIND:
            self.far.send(p.response(pdu.command_id, pdu.sequence_number))

    def answer(self, pdu: Pdu, status: int = 0) -> bytes:
        """Answer a submit_sm; return the id it was given."""
        operator_id = b"%d" % self.next_id
        self.next_id += 1
        self.ids[operator_id] = pdu
        body = operator_id + b"\0"
        self.far.send(p.response(pdu.command_id, pdu.sequence_number, status, body))
        return operator_id

    def report(self, operator_id: bytes, state: bytes = b"DELIVRD", esm_class: int = 4) -> int:
        """Send a receipt; return its sequence_number."""
        sm = p.Sm(self.ids[operator_id])
        text = (
            b"id:%b sub:001 dlvrd:001 submit date:2701150800 done date:2701150801 "
            b"stat:%b err:000 text:" % (operator_id, state)
        )
        number = self.far.next_sequence()
        octets = p.sm(
            v.DELIVER_SM,
            number,
            source=sm.destination,
            destination=sm.source,
            esm_class=esm_class,
            short_message=text,
        )
        self.far.send(octets)
        return number


class Client:
    """A client's end of one connection."""

    def __init__(self, world: World, router: "Router", host: str = "127.0.0.1") -> None:
        self.world = world
        self.link = ClientLink(router, router.journey, router.accounts, router.settings.session)
        self.far = FarEnd(world, self.link, host)
        self.far.on_pdu = self._on_pdu
        self.answers: dict[int, Pdu] = {}
        self.receipts: list[Pdu] = []
        self.deliver_status: Callable[[Pdu], int | None] = lambda _: 0

    def _on_pdu(self, pdu: Pdu) -> None:
        if pdu.command_id & v.RESPONSE:
            self.answers[pdu.sequence_number] = pdu
        elif pdu.command_id == v.DELIVER_SM:
            self.receipts.append(pdu)
            status = self.deliver_status(pdu)
            if status is not None:
                answer = p.response(pdu.command_id, pdu.sequence_number, status, b"\0")
                self.far.send(answer)
        else:
            self.far.send(p.response(pdu.command_id, pdu.sequence_number))

    def bind(
        self,
        system_id: bytes = b"bank",
        password: bytes = b"secret01",
        command_id: int = v.BIND_TRANSCEIVER,
        version: int = v.VERSION_3_4,
    ) -> int:
        """Ask to be bound; return the sequence_number."""
        number = self.far.next_sequence()
        self.far.send(
            p.bind(
                command_id,
                number,
                system_id=system_id,
                password=password,
                interface_version=version,
            )
        )
        return number

    def submit(
        self,
        destination: bytes = b"37255512345",
        text: bytes = b"hello",
        registered_delivery: int = 1,
        **fields: object,
    ) -> int:
        """Submit one message; return the sequence_number."""
        number = self.far.next_sequence()
        self.far.send(
            p.sm(
                v.SUBMIT_SM,
                number,
                source=(5, 0, b"BANK"),
                destination=(1, 1, destination),
                short_message=text,
                registered_delivery=registered_delivery,
                **fields,  # type: ignore[arg-type]
            )
        )
        return number

    def status_of(self, number: int) -> int | None:
        """How a request was answered; None if it was not."""
        answer = self.answers.get(number)
        return None if answer is None else answer.command_status

    def receipt_texts(self) -> list[bytes]:
        """The texts of all receipts that came."""
        return [p.Sm(pdu).short_message for pdu in self.receipts]


class Router:
    """The whole router without sockets: the journey, its host, and what tests look at."""

    def __init__(self, world: World, settings: Settings) -> None:
        self.world = world
        self.settings = settings
        self.clock = world.clock
        self.call_later = world.call_later
        self.settled: list[Settlement] = []
        self.journal = MemoryJournal(world.soon, world.clock_utc())
        self.accounts = Accounts(settings.accounts, b"secret", world.now)
        self._timer: ManualTimer | None = None
        self._armed_for = float("inf")
        self.journey = Journey(
            settings,
            journal=self.journal,
            clock=world.clock,
            clock_utc=world.clock_utc,
            later=self._later,
            settled=self.settled.append,
        )
        started: list[object] = []
        self.journey.start(started.append)
        world.settle()
        assert started == [None]

    def write_soon(self, link: Link) -> None:
        self.journey.write_soon(link)

    def _later(self, call: Callable[[], None]) -> None:
        def turn() -> None:
            call()
            self._arm()

        self.world.soon(turn)

    def _arm(self) -> None:
        wake_at = self.journey.wake_at()
        if wake_at < self._armed_for:
            if self._timer is not None:
                self._timer.cancel()
            self._armed_for = wake_at
            self._timer = self.world.call_later(max(0.0, wake_at - self.world.now), self._wake)

    def _wake(self) -> None:
        self._armed_for = float("inf")
        self._timer = None
        self.journey.wake(self.world.now)
        self._arm()

    def operator(self, name: str, place: int = 0) -> Operator:
        """Connect the far end of one bind, and let it bind."""
        operator = next(o for o in self.journey.operators.values() if o.name == name)
        far = Operator(self.world, self, operator.binds[place])
        self.world.settle()
        return far

    def client(self, system_id: bytes = b"bank", password: bytes = b"secret01") -> Client:
        """A client that is bound."""
        client = Client(self.world, self)
        number = client.bind(system_id, password)
        self.world.settle()
        assert client.status_of(number) == 0
        return client


def contract_settings(folder: Path, changes: Callable[[str], str] = lambda text: text) -> Settings:
    """The contract's configuration, with a few words replaced."""
    text = (Path(__file__).parent / "contract" / "router.yaml").read_text()
    file = folder / "router.yaml"
    file.write_text(changes(text))
    return load(file, {})
