"""Stand-ins used by tests: an operator's and a client's end of a connection, and what they send."""

import struct
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from router.accept.server import ClientLink
from router.forward.bind import OperatorLink
from router.forward.pool import Bind
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.link import Link, Transport
from router.smpp.pdu import Framer, Pdu
from tests.loop import MemoryTransport, World

if TYPE_CHECKING:
    from tests.doubles import Router


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
        self.link = OperatorLink(router, router.journey, bind, router.settings.session)
        self.far = FarEnd(world, self.link)
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

    def report_all(self) -> None:
        """Send the receipt of all that was taken, in that order."""
        for operator_id in self.ids:
            self.report(operator_id)

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


def submit_multi(
    number: int,
    destinations: Sequence[bytes],
    *,
    count: int | None = None,
    flags: bytes = b"",
    service_type: bytes = b"",
    **fields: object,
) -> bytes:
    """A submit_multi to these numbers; `count` and `flags` (2 is a list's name) may lie."""
    one = p.sm(v.SUBMIT_SM, number, destination=(0, 0, b""), **fields)  # type: ignore[arg-type]
    before, after = service_type + b"\0" + p.address(5, 0, b"BANK"), one[16 + 1 + 3 + 3 :]
    flags = flags or b"\1" * len(destinations)
    of = [
        bytes((flag,)) + (destination + b"\0" if flag == 2 else p.address(1, 1, destination))
        for flag, destination in zip(flags, destinations, strict=True)
    ]
    body = before + bytes((len(of) if count is None else count,)) + b"".join(of) + after
    return p.build(v.SUBMIT_MULTI, 0, number, body)


def unsuccess_of(pdu: Pdu) -> list[tuple[int, int, bytes, int]]:
    """TON, NPI, address and status of each number that a submit_multi_resp says was refused."""
    at = pdu.octets.index(0, 16) + 1
    count, at = pdu.octets[at], at + 1
    found = []
    for _ in range(count):
        end = pdu.octets.index(0, at + 2)
        status = int.from_bytes(pdu.octets[end + 1 : end + 5], "big")
        found.append((pdu.octets[at], pdu.octets[at + 1], pdu.octets[at + 2 : end], status))
        at = end + 5
    return found


def tlvs_behind(pdu: Pdu, at: int) -> dict[int, bytes]:
    """The TLVs of an answer, from this octet on."""
    found = {}
    octets = pdu.octets
    while at < len(octets):
        tag, length = struct.unpack_from(">HH", octets, at)
        found[tag] = octets[at + 4 : at + 4 + length]
        at += 4 + length
    return found


class Client:
    """A client's end of one connection."""

    def __init__(
        self,
        world: World,
        router: "Router",
        host: str = "127.0.0.1",
        shown: Collection[str] = (),
    ) -> None:
        """`shown` are the names of its certificate."""
        self.world = world
        self.link = ClientLink(router, router.journey, router.accounts, router.settings.session)
        self.link.shown = lambda _: shown
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
        source: tuple[int, int, bytes] = (5, 0, b"BANK"),
        **fields: object,
    ) -> int:
        """Submit one message; return the sequence_number."""
        number = self.far.next_sequence()
        self.far.send(
            p.sm(
                v.SUBMIT_SM,
                number,
                source=source,
                destination=(1, 1, destination),
                short_message=text,
                registered_delivery=registered_delivery,
                **fields,  # type: ignore[arg-type]
            )
        )
        return number

    def submit_to_all(
        self,
        destinations: Sequence[bytes],
        text: bytes = b"hello",
        registered_delivery: int = 1,
        **fields: object,
    ) -> int:
        """Submit one message to many numbers; return the sequence_number."""
        number = self.far.next_sequence()
        self.far.send(
            submit_multi(
                number,
                destinations,
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
