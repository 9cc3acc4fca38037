"""Client systems that do not behave: they flood, hang up, come back, and answer as they like.

What a client has submitted it does not submit again: a message that was never answered may be on
its way or not, and whatever the router has made of it must be right.
"""

from collections import deque
from dataclasses import dataclass, field
from random import Random

from router.accept.server import ClientLink
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu
from router.terms.settings import BindType, Settings
from tests.simulation.ledger import NEVER, Held, Long, Submitted
from tests.simulation.life import Life
from tests.simulation.promises import Promises
from tests.simulation.requests import Asker, Kind, Request
from tests.simulation.scenario import NO_ROUTE, PREFIXES, ClientMood
from tests.simulation.world import Connection, Loop, garbage

COMMANDS: dict[BindType, int] = {
    "transmitter": v.BIND_TRANSMITTER,
    "receiver": v.BIND_RECEIVER,
    "transceiver": v.BIND_TRANSCEIVER,
}
REQUESTS_ANSWERED = (v.QUERY_SM | v.RESPONSE, v.CANCEL_SM | v.RESPONSE, v.REPLACE_SM | v.RESPONSE)
MOST_REFUSALS = 3
"""Of one deliver_sm. A client that refuses for ever is asked for ever."""


@dataclass(slots=True, eq=False)
class Port:
    """One connection of a client's, which it makes again and again."""

    type: BindType
    visit: "Visit | None" = None


@dataclass(slots=True, eq=False)
class Visit:
    """One of these connections, from a client's side; see `FarEnd`."""

    client: "Client"
    port: Port
    connection: Connection
    is_bound: bool = False
    sequence: int = 1
    submitted: dict[int, Submitted] = field(default_factory=dict)
    """Not answered, by sequence_number."""
    asked: dict[int, tuple[Request, list[Kind]]] = field(default_factory=dict)
    """Questions that are not answered, with what is to be asked then, by sequence_number."""
    given: dict[int, Held] = field(default_factory=dict)
    """deliver_sm that the router has written, by sequence_number."""

    def wrote(self, pdu: Pdu) -> None:
        """See `FarEnd`."""
        self.client.wrote(self, pdu)

    def arrived(self, pdu: Pdu) -> None:
        """See `FarEnd`."""
        self.client.arrived(self, pdu)

    def lost(self) -> None:
        """See `FarEnd`."""
        self.client.lost(self)


class Client:
    """One client system, with all its binds."""

    def __init__(
        self, loop: Loop, promises: Promises, settings: Settings, mood: ClientMood
    ) -> None:
        self.loop = loop
        self.rng = loop.rng
        self.promises = promises
        self.all_settings = settings
        self.settings = settings.accounts[mood.account]
        self.mood = mood
        self.calm = False
        """It behaves."""
        self.process: Life | None = None
        self.ports = [Port(port) for port in mood.ports]
        self.todo: deque[Submitted] = deque()
        self._asker = Asker(self, Random(f"{mood.asks} {mood.account}"), mood.asks)
        self._refused: dict[bytes, int] = {}
        self._long: Long | None = None
        """The long message whose parts are made just now."""

    def plan(self, first_number: int, lasts_s: float) -> None:
        """Spread the messages over the time, some of them in bursts."""
        rng = self.rng
        burst_at = rng.random() * lasts_s
        for number in range(first_number, first_number + self.mood.messages):
            at = rng.random() * lasts_s
            if rng.random() < 0.4:
                at = burst_at
            message = self._message(number)
            self.loop.after(at, lambda m=message: self._wants(m))  # type: ignore[misc]

    def behave(self) -> None:
        """From now on; with one bind that can do everything, if need be."""
        self.calm = True
        if "transceiver" not in self.mood.ports:
            port = Port("transceiver")
            self.ports.append(port)
            self._connect(port)
        for port in self.ports:
            if port.visit is not None and port.visit.connection.is_silent:
                port.visit.connection.hang_up()

    @property
    def is_content(self) -> bool:
        """Whether it has submitted all it wanted to, and has been answered."""
        visits = [port.visit for port in self.ports if port.visit is not None]
        return not self.todo and not any(visit.submitted for visit in visits)

    def serve(self, process: Life) -> None:
        """A router is there to connect to."""
        self.process = process
        for port in self.ports:
            self._connect(port)

    # Connections.

    def _connect(self, port: Port) -> None:
        process = self.process
        if port.visit is not None or process is None or not process.alive:
            return
        link = ClientLink(process, process.journey, process.accounts, self.all_settings.session)
        connection = Connection(process, link, self.mood.way_s)
        port.visit = visit = Visit(self, port, connection)
        connection.open(visit)
        wrong = not self.calm and self.rng.random() < self.mood.wrong_passwords
        connection.send(
            p.bind(
                COMMANDS[port.type],
                1,
                system_id=self.promises.called(self.mood.account).encode(),
                password=b"guessed" if wrong else b"secret",
                interface_version=v.VERSION_3_3 if self.mood.is_old else v.VERSION_3_4,
            )
        )
        if self.mood.stays_s < 1e6 and not self.calm:
            stays_s = self.rng.expovariate(1.0 / self.mood.stays_s)
            self.loop.after(stays_s, lambda: self._leave(visit))

    def _leave(self, visit: Visit) -> None:
        """End a connection, in one way or another."""
        connection = visit.connection
        if self.calm or not connection.is_open:
            return
        match self.rng.randrange(4):
            case 0:
                connection.hang_up()
            case 1 if visit.is_bound:
                visit.sequence += 1
                visit.is_bound = False
                connection.send(p.build(v.UNBIND, 0, visit.sequence))
            case 2:
                connection.go_silent()
                self.loop.after(3.0, connection.hang_up)
            case _:
                connection.cut()

    def lost(self, visit: Visit) -> None:
        """A connection is gone; its submits may be lost or not."""
        port = visit.port
        if port.visit is visit:
            port.visit = None
        self._asker.lost(visit)
        away_s = 0.1 if self.calm else self.rng.expovariate(1.0 / self.mood.away_s)
        self.loop.after(away_s, lambda: self._connect(port))

    # What the router says.

    def wrote(self, visit: Visit, pdu: Pdu) -> None:
        """The router has written this."""
        command_id = pdu.command_id
        if command_id in (v.SUBMIT_SM_RESP, v.DATA_SM_RESP):
            message = visit.submitted.get(pdu.sequence_number)
            if message is not None:
                if self.loop.telling:
                    status = pdu.command_status
                    self.loop.tell(f"router    answers {message.name} with 0x{status:02X}")
                self.promises.answered(message, pdu)
        elif command_id in REQUESTS_ANSWERED:
            if (asked := visit.asked.get(pdu.sequence_number)) is not None:
                request, _ = asked
                status, name = pdu.command_status, request.message.name
                self.loop.tell(f"router    answers {request.kind} {name} with 0x{status:02X}")
                self.promises.request_answered(request, pdu)
        elif command_id == v.DELIVER_SM:
            if self.loop.telling:
                self.loop.tell(f"router    gives {self.mood.account} {pdu.octets[16:90]!r}")
            link = visit.connection.link
            held = self.promises.delivery_written(self.mood.account, link, pdu)
            visit.given[pdu.sequence_number] = held

    def arrived(self, visit: Visit, pdu: Pdu) -> None:
        """Something has come from the router."""
        connection = visit.connection
        command_id = pdu.command_id
        if command_id in (v.SUBMIT_SM_RESP, v.DATA_SM_RESP):
            message = visit.submitted.pop(pdu.sequence_number, None)
            if message is not None and not pdu.command_status and self.mood.asks:
                self._asker.told(message)
            self._pump()
        elif command_id in REQUESTS_ANSWERED:
            self._asker.answered(visit, pdu)
        elif command_id == v.DELIVER_SM:
            self._judge(visit, pdu)
        elif command_id & v.RESPONSE:
            if command_id & ~v.RESPONSE in v.BINDS:
                visit.is_bound = pdu.command_status == 0
                self._pump()
            elif command_id == v.UNBIND_RESP:
                connection.hang_up()
        else:
            connection.send(p.response(command_id, pdu.sequence_number))
            if command_id == v.UNBIND:
                connection.hang_up()

    def _judge(self, visit: Visit, pdu: Pdu) -> None:
        """A receipt or a subscriber's message: take it, or make trouble."""
        held = visit.given.get(pdu.sequence_number)
        assert held is not None
        connection, mood, rng = visit.connection, self.mood, self.rng
        status, answer_s = 0, 0.0
        body = pdu.octets[16:]
        if not self.calm and self._refused.get(body, 0) < MOST_REFUSALS:
            chance = rng.random()
            if (chance := chance - mood.slow) < 0.0:
                answer_s = rng.random()
            elif (chance := chance - mood.late) < 0.0:
                answer_s = self.all_settings.session.response_timeout_s * rng.uniform(0.9, 2.5)
                self._refused[body] = self._refused.get(body, 0) + 1
            elif (chance := chance - mood.refuses) < 0.0:
                status = rng.choice((0x08, 0x14, 0x58, 0x64))
                self._refused[body] = self._refused.get(body, 0) + 1
            elif (chance := chance - mood.rejects) < 0.0:
                status = 0x65
            elif (chance := chance - mood.silent) < 0.0:
                self._refused[body] = self._refused.get(body, 0) + 1
                return
        octets = p.response(pdu.command_id, pdu.sequence_number, status, b"\0")

        def heard() -> None:
            if self.loop.telling:
                self.loop.tell(f"router    hears 0x{status:02X} for {body[:74]!r}")
            self.promises.delivery_answered(held, status)

        if answer_s:
            self.loop.after(answer_s, lambda: connection.send(octets, heard))
        else:
            connection.send(octets, heard)

    # Messages.

    def _message(self, number: int) -> Submitted:
        rng = self.rng
        settings = self.all_settings
        long = self._long_message(number)
        destination = rng.choice(PREFIXES) + b"%07d" % number
        if rng.random() < 0.02:
            destination = NO_ROUTE
        priority = 3 if rng.random() < 0.2 else 0
        esm_class, header, tlvs = 0, b"", b""
        if long is not None:
            destination, priority = long.destination, long.priority
            esm_class, header, tlvs = _part(long, len(long.parts) + 1)
        period_s = rng.choice((3, 15)) if rng.random() < 0.1 else 0
        schedules = self.mood.schedules
        schedule_s = rng.randint(1, 8) if schedules and rng.random() < schedules else 0
        if schedule_s and period_s:
            period_s = 15
        registered = rng.choice((0, 1, 1, 1, 2, 17, 17, 3, 16))
        text = header + b"%b message %d" % (self.mood.account.encode(), number)
        source, to = (5, 0, b"BANK"), (1, 1, destination)
        if rng.random() < 0.05 and not priority:
            period_s = schedule_s = 0
            fields = bytes((esm_class, registered, 0))
            payload = p.tlv(v.MESSAGE_PAYLOAD, text) + tlvs
            body = b"\0" + p.address(*source) + p.address(*to) + fields + payload
            octets = p.build(v.DATA_SM, 0, 0, body)
        else:
            octets = p.sm(
                v.SUBMIT_SM,
                0,
                source=source,
                destination=to,
                esm_class=esm_class,
                priority_flag=priority,
                schedule_delivery_time=b"0000000000%02d000R" % schedule_s if schedule_s else b"",
                validity_period=b"0000000000%02d000R" % period_s if period_s else b"",
                registered_delivery=registered,
                short_message=text,
                tlvs=tlvs,
            )
        lane = self.settings.lane_by_priority.get(priority, self.settings.lane)
        if self.settings.schedule_delivery_time != "honour":
            schedule_s = 0
        of_lane_s = next(one.validity_s for one in settings.lanes if one.name == lane)
        message = Submitted(
            number,
            self.mood.account,
            lane,
            octets,
            p.address(*source),
            p.address(*to),
            registered,
            float(period_s) or (NEVER if of_lane_s is None else schedule_s + of_lane_s),
            schedule_s,
            long=long,
            text=text,
        )
        if long is not None:
            long.parts.append(message)
        return message

    def _long_message(self, number: int) -> Long | None:
        """The long message that this is to be a part of, if any."""
        rng, long = self.rng, self._long
        if long is not None and len(long.parts) < long.total:
            return long
        self._long = None
        if rng.random() < 0.1:
            to = rng.choice(PREFIXES) + b"%07d" % number
            priority = 3 if rng.random() < 0.2 else 0
            self._long = Long(rng.randrange(300), rng.randint(2, 4), to, priority)
        return self._long

    def _wants(self, message: Submitted) -> None:
        self.todo.append(message)
        self._pump()

    def _pump(self) -> None:
        """Submit what there is on binds that have room."""
        window = self.settings.window if self.calm else self.mood.window
        able = [
            port.visit
            for port in self.ports
            if port.type != "receiver"
            and port.visit is not None
            and port.visit.is_bound
            and len(port.visit.submitted) < window
        ]
        while self.todo and able:
            visit = self.rng.choice(able)
            self._submit(visit, self.todo.popleft())
            if len(visit.submitted) >= window:
                able.remove(visit)

    def _submit(self, visit: Visit, message: Submitted) -> None:
        if not self.calm and self.rng.random() < self.mood.garbage:
            visit.sequence += 1
            visit.connection.send(garbage(self.rng, visit.sequence))
        if not self.calm and self.rng.random() < self.mood.halts:
            visit.connection.halt(self.rng.uniform(0.1, 3.0))
        visit.sequence += 1
        visit.submitted[visit.sequence] = message
        message.by_transmitter = visit.port.type == "transmitter"
        self.promises.submitted(message)
        if self.loop.telling:
            self.loop.tell(f"{self.mood.account:9} submits {message.name}")
        visit.connection.send(p.relay(message.octets, visit.sequence))
        if self.mood.asks:
            self._asker.submitted(message)


def _part(long: Long, number: int) -> tuple[int, bytes, bytes]:
    """esm_class, user data header and TLVs of a part; clients have several ways to say it."""
    numbers = bytes((long.total, number))
    match long.reference:
        case reference if reference > 280:
            tlvs = p.tlv(0x020C, reference.to_bytes(2, "big"))
            return 0, b"", tlvs + p.tlv(0x020E, numbers[:1]) + p.tlv(0x020F, numbers[1:])
        case reference if reference > 255:
            return 0x40, b"\x06\x08\x04" + reference.to_bytes(2, "big") + numbers, b""
        case reference:
            ports = b"\x05\x04\x00\x01\x00\x02" if reference % 2 else b""
            header = ports + b"\x00\x03" + bytes((reference,)) + numbers
            return 0x40, bytes((len(header),)) + header, b""
