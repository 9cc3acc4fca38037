"""Stand-ins used by tests: a loop with a manual clock, transports in memory, an operator, a client.

Written once, named, and as strict as what they stand for: a transport hands octets over in a later
turn, a closed one hands over nothing, and nothing happens unless `World` is told to run.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from heapq import heappop, heappush
from pathlib import Path

from router.accept.accounts import Accounts
from router.accept.server import ClientLink
from router.enqueue.journal import JournalError, Settlement, first_number_at
from router.enqueue.memory import MemoryJournal
from router.forward.bind import OperatorLink
from router.forward.pool import Bind
from router.journey import Journey
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.link import Link, Transport
from router.smpp.pdu import Framer, Pdu
from router.terms.names import AccountName, LaneName, OperatorName
from router.terms.outcome import Outcome
from router.terms.settings import Settings, StatusAction
from router.wiring.config.load import load

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

    def coast(self, seconds: float) -> None:
        """Let a long time pass in steps: what is due on the way is done a little late."""
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + 20.0)
            self.settle()


class Disk:
    """When the memory journal gets to its work: at once, after a while, or when it is let go on."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.delay_s = 0.0
        self.is_stuck = False
        self._kept_waiting: list[Callable[[], None]] = []

    def __call__(self, call: Callable[[], None]) -> None:
        if self.is_stuck:
            self._kept_waiting.append(call)
        elif self.delay_s:
            self.world.call_later(self.delay_s, call)
        else:
            self.world.soon(call)

    def go_on(self) -> None:
        """Be stuck no more."""
        self.is_stuck = False
        waiting, self._kept_waiting = self._kept_waiting, []
        for call in waiting:
            self.world.soon(call)


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
        transport: Transport = self.transport
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

    def __init__(
        self,
        world: World,
        router: "Router",
        bind: Bind,
        bind_status: int = 0,
        status: int | None = 0,
    ) -> None:
        self.world = world
        self.bind = bind
        self.bind_status = bind_status
        self.status: Callable[[Pdu], int | None] = lambda _: status
        """Status of the answer; None for silence."""
        self.latency_s = 0.02
        self.next_id = 1
        self.id_form: Callable[[int], bytes] = lambda number: b"%d" % number
        """How an id is written in a submit_sm_resp; receipts write it in decimal."""
        self.submits: list[tuple[float, Pdu]] = []
        self.ids: dict[bytes, Pdu] = {}
        """What was taken, by the id that its receipts carry."""
        link = OperatorLink(router, router.journey, bind, router.settings.session)
        self.far = FarEnd(world, link)
        router.far_ends.append(self.far)
        self.far.on_pdu = self._on_pdu

    def _on_pdu(self, pdu: Pdu) -> None:
        if pdu.command_id in v.BINDS:
            body = b"SMSC\0"
            answer = p.response(pdu.command_id, pdu.sequence_number, self.bind_status, body)
            self.far.send(answer)
        elif pdu.command_id in (v.SUBMIT_SM, v.DATA_SM):
            self.submits.append((self.world.now, pdu))
            status = self.status(pdu)
            if status is not None:
                self.world.call_later(self.latency_s, lambda: self.answer(pdu, status))
        elif not pdu.command_id & v.RESPONSE:
            self.far.send(p.response(pdu.command_id, pdu.sequence_number))

    def answer(self, pdu: Pdu, status: int = 0) -> None:
        """Answer a submit_sm; its receipts carry the newest of `ids`."""
        operator_id = b"%d" % self.next_id
        body = self.id_form(self.next_id) + b"\0"
        self.next_id += 1
        if status == 0:
            self.ids[operator_id] = pdu
        self.far.send(p.response(pdu.command_id, pdu.sequence_number, status, body))

    def texts(self) -> list[bytes]:
        """The texts that arrived, in their order."""
        return [p.Sm(pdu).short_message for _, pdu in self.submits]

    def report(
        self,
        operator_id: bytes,
        state: bytes = b"DELIVRD",
        esm_class: int = 4,
        over: "Operator | None" = None,
    ) -> int:
        """Send a receipt, perhaps over another bind; return its sequence_number."""
        sm = p.Sm(self.ids[operator_id])
        return (over or self).deliver(
            receipt_text(operator_id, state),
            source=sm.destination,
            destination=sm.source,
            esm_class=esm_class,
        )

    def deliver(
        self,
        text: bytes = b"",
        source: tuple[int, int, bytes] = (1, 1, b"37255512345"),
        destination: tuple[int, int, bytes] = (5, 0, b"BANK"),
        esm_class: int = 0,
        tlvs: bytes = b"",
        data_coding: int = 0,
    ) -> int:
        """Send a deliver_sm; return its sequence_number."""
        number = self.far.next_sequence()
        octets = p.sm(
            v.DELIVER_SM,
            number,
            source=source,
            destination=destination,
            esm_class=esm_class,
            data_coding=data_coding,
            short_message=text,
            tlvs=tlvs,
        )
        self.far.send(octets)
        return number

    def answer_to(self, number: int) -> int | None:
        """The status with which the router answered a deliver_sm or data_sm; None for silence."""
        for _, pdu in self.far.received:
            if pdu.command_id in (v.DELIVER_SM_RESP, v.DATA_SM_RESP):  # noqa: SIM102
                if pdu.sequence_number == number:
                    return pdu.command_status
        return None


def receipt_text(operator_id: bytes, state: bytes, err: bytes = b"000") -> bytes:
    """The text of an ordinary receipt."""
    return (
        b"id:%b sub:001 dlvrd:001 submit date:2701150800 done date:2701150801 "
        b"stat:%b err:%b text:" % (operator_id, state, err)
    )


def data_sm(
    number: int,
    *,
    source: tuple[int, int, bytes],
    destination: tuple[int, int, bytes],
    esm_class: int = 0,
    registered_delivery: int = 0,
    data_coding: int = 0,
    tlvs: bytes = b"",
) -> bytes:
    """A data_sm, which `router/smpp/pdu.py` only passes on."""
    fields = bytes((esm_class, registered_delivery, data_coding))
    body = b"\0" + p.address(*source) + p.address(*destination) + fields + tlvs
    return p.build(v.DATA_SM, 0, number, body)


class Client:
    """A client's end of one connection."""

    def __init__(self, world: World, router: "Router", host: str = "127.0.0.1") -> None:
        self.world = world
        self.link = ClientLink(router, router.journey, router.accounts, router.settings.session)
        self.far = FarEnd(world, self.link, host)
        router.far_ends.append(self.far)
        self.far.on_pdu = self._on_pdu
        self.answers: dict[int, Pdu] = {}
        self.answered_at: dict[int, float] = {}
        self.receipts: list[Pdu] = []
        self.receipts_at: list[float] = []
        self.deliver_status: Callable[[Pdu], int | None] = lambda _: 0

    def _on_pdu(self, pdu: Pdu) -> None:
        if pdu.command_id & v.RESPONSE:
            self.answers[pdu.sequence_number] = pdu
            self.answered_at[pdu.sequence_number] = self.world.now
        elif pdu.command_id == v.DELIVER_SM:
            self.receipts.append(pdu)
            self.receipts_at.append(self.world.now)
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

    def id_of(self, number: int) -> bytes:
        """The message_id with which a submit_sm was answered."""
        return p.message_id_of(self.answers[number])

    def receipt_texts(self) -> list[bytes]:
        """The texts of all receipts that came."""
        return [p.Sm(pdu).short_message for pdu in self.receipts]


class Router:
    """The whole router without sockets: the journey, its host, and what tests look at."""

    def __init__(
        self,
        world: World,
        settings: Settings,
        journal: MemoryJournal | None = None,
        *,
        warm: bool = True,
    ) -> None:
        self.world = world
        self.settings = settings
        self.clock = world.clock
        self.is_dead = False
        self.far_ends: list[FarEnd] = []
        self.settled: list[Settlement] = []
        self.disk = Disk(world)
        self.journal = journal or MemoryJournal(self.disk, first_number_at(world.clock_utc()))
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
        # A rate begins as if it had just been used: after 1.1 s each has all its slots.
        world.run(1.1 if warm else 0.0)
        assert started == [None]

    def write_soon(self, link: Link) -> None:
        self.journey.write_soon(link)

    def call_later(self, delay_s: float, call: Callable[[], None]) -> ManualTimer:
        return self.world.call_later(delay_s, lambda: None if self.is_dead else call())

    def _later(self, call: Callable[[], None]) -> None:
        def turn() -> None:
            if not self.is_dead:
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
        if self.is_dead:
            return
        self._armed_for = float("inf")
        self._timer = None
        self.journey.wake(self.world.now)
        self._arm()

    def operator(
        self, name: str, place: int = 0, bind_status: int = 0, status: int | None = 0
    ) -> Operator:
        """Connect the far end of one bind, and let it bind; `status` is its answer to submits."""
        operator = self.journey.operators[OperatorName(name)]
        far = Operator(self.world, self, operator.binds[place], bind_status, status)
        if operator.settings.message_id.response == "hex":
            far.id_form = lambda number: b"%x" % number
        self.world.settle()
        return far

    def client(
        self,
        system_id: bytes = b"bank",
        password: bytes = b"secret01",
        command_id: int = v.BIND_TRANSCEIVER,
        version: int = v.VERSION_3_4,
    ) -> Client:
        """A client that is bound."""
        client = Client(self.world, self)
        number = client.bind(system_id, password, command_id, version)
        self.world.settle()
        assert client.status_of(number) == 0
        return client

    def restarted(self) -> "Router":
        """A new process with the journal of this one, which is dead and neither hears nor acts."""
        self.is_dead = True
        for far in self.far_ends:
            far.transport.is_closed = far.closed = True
        for message in self.journal.messages.values():
            message.attempts = 0  # The memory journal keeps the very objects of the dead one.
        return Router(self.world, self.settings, self.journal)

    # What tests ask.

    @property
    def outcomes(self) -> list[Outcome]:
        """How the messages that are settled have ended, in that order."""
        return [settlement.outcome for settlement in self.settled]

    @property
    def accepted(self) -> int:
        """How many submit_sm were answered with ESME_ROK."""
        submits = self.journey.counters.submits
        return sum(count for (_, _, status), count in submits.items() if status == 0)

    def room_taken(self, account: str = "bank") -> int:
        """Messages that wait, or have a place where they could."""
        return self.journey.lanes.waiting_of(AccountName(account))

    def assert_all_is_over(self) -> None:
        """Each accepted message has one outcome; no room, record or delivery is left behind."""
        outcomes = self.journey.counters.outcomes
        assert sum(outcomes.values()) == self.accepted == len(self.settled)
        numbers = [settlement.message.router_id for settlement in self.settled]
        assert len(set(numbers)) == len(numbers)
        assert [self.room_taken(name) for name in self.settings.accounts] == [0, 0]
        assert not self.journal.messages
        assert not self.journal.attempts
        assert not self.journal.held
        assert all(len(outbox) == 0 for outbox in self.journey.outboxes.values())
        assert all(operator.in_flight == 0 for operator in self.journey.operators.values())


FULL_DISK = JournalError("no space left on device")


def with_account(settings: Settings, account: str, **changed: object) -> Settings:
    """The same settings with some of one account's changed."""
    name = AccountName(account)
    one = replace(settings.accounts[name], **changed)  # type: ignore[arg-type]
    return replace(settings, accounts={**settings.accounts, name: one})


def with_operator(settings: Settings, operator: str, **changed: object) -> Settings:
    """The same settings with some of one operator's changed."""
    name = OperatorName(operator)
    one = replace(settings.operators[name], **changed)  # type: ignore[arg-type]
    return replace(settings, operators={**settings.operators, name: one})


def with_action(settings: Settings, operator: str, status: int, action: StatusAction) -> Settings:
    """The same settings with another action for one status of an operator."""
    on_status = settings.operators[OperatorName(operator)].on_status
    return with_operator(settings, operator, on_status={**on_status, status: action})


def with_lane(settings: Settings, lane: str, **changed: object) -> Settings:
    """The same settings with some of one lane's changed."""
    lanes = tuple(
        replace(one, **changed) if one.name == LaneName(lane) else one  # type: ignore[arg-type]
        for one in settings.lanes
    )
    return replace(settings, lanes=lanes)


def contract_settings(folder: Path, changes: Callable[[str], str] = lambda text: text) -> Settings:
    """The contract's configuration, with a few words replaced."""
    text = (Path(__file__).parent / "contract" / "router.yaml").read_text()
    file = folder / "router.yaml"
    file.write_text(changes(text))
    return load(file, {})
