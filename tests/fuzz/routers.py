"""The target that is a whole router: a hostile client and a hostile operator beside good ones.

The bank and telia do everything right. The shop's connection and elisa's send what the input says,
while the clock moves. Whatever that is: no exception leaves the router, what it writes is well
formed, nothing that it keeps of the hostile is without a bound, and each message of the bank is
accepted at once, reaches telia once and unchanged, and gets its one receipt.
"""

import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Final

from structlog.testing import capture_logs

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu, Sm
from router.smpp.receipt import RECEIPT_BITS
from router.smpp.session import MOST_HELD_OCTETS, MOST_LATE
from router.terms.capacity import Capacity
from router.terms.names import OperatorName
from router.terms.settings import Settings
from tests.doubles import Client, Operator, Router, World, contract_settings
from tests.fuzz.octets import Octets, in_pieces
from tests.fuzz.sessions import COMMANDS
from tests.peers import FarEnd, receipt_text

MOST_STEPS: Final = 25
SPANS_S: Final = (0.001, 0.02, 0.3, 1.0, 5.0, 31.0, 61.0)
STATUSES: Final = (0, v.ESME_RTHROTTLED, v.ESME_RSYSERR, v.ESME_RINVDSTADR, 0x400, 0xFFFFFFFF)
NUMBERS: Final = (b"37255512345", b"+372 555 1", b"35850111", b"3581999", b"12302", b"", b"BANK")
BODIES: Final = (b"", b"\0", b"0A\0", b"a\0", b"10\0", b"0xFFFFFFFF\0", b"id with blanks\0")
IDS: Final = (b"1", b"10", b"0000000010", b"a", b"-1", b"999", b"")
STATES: Final = (b"DELIVRD", b"UNDELIV", b"ACCEPTD", b"ENROUTE", b"NONSENSE", b"")
CAPACITY: Final = Capacity(
    queue_messages=8,
    queue_refill_below=4,
    queue_fetch=4,
    pending_receipts=8,
    receipts_asking=8,
    orphans=8,
    orphan_octets=4000,
    ids_remembered=8,
    outbox_deliveries=8,
    outbox_refill_below=4,
    outbox_away=4,
    outbox_fetch=4,
    outbox_retrying=4,
    long_messages=8,
    inbound_waiting=4,
    long_inbound=8,
)
"""Small, so that a few messages are too many."""
SERVED_S: Final = 4.0
"""In which the bank's message is with telia, behind what others have sent there."""


@lru_cache(maxsize=1)
def _settings() -> Settings:
    with tempfile.TemporaryDirectory() as folder:
        return contract_settings(Path(folder))


class Scene:
    """The router, the two who do right, and the two who do not."""

    def __init__(self) -> None:
        self.world = World()
        self.router = Router(self.world, _settings(), capacity=CAPACITY)
        self.telia = self.router.operator("telia")
        self.bank = self.router.client()
        self.submitted: list[int] = []
        self.reports: dict[bytes, int] = {}
        """Of telia's ids, the sequence_number of the receipt."""
        self.ends: list[Client | Operator] = []
        """Who was hostile; the last two still are."""
        self.shop = self._new_shop()
        self.elisa = self._new_elisa()

    def _new_shop(self) -> Client:
        shop = Client(self.world, self.router)
        shop.far.on_pdu = lambda _: None  # It answers only as the input says.
        self.ends.append(shop)
        return shop

    def _new_elisa(self) -> Operator:
        operator = self.router.journey.operators[OperatorName("elisa")]
        elisa = Operator(self.world, self.router, operator.binds[0])
        elisa.far.on_pdu = lambda _: None
        self.ends.append(elisa)
        return elisa

    # Who does right.

    def bank_submits(self) -> None:
        """Have the bank submit; it is answered, and telia has the message, soon."""
        before = len(self.telia.submits)
        self.submitted.append(self.bank.submit(text=b"code %d" % len(self.submitted)))
        self.world.run(SERVED_S)
        assert self.bank.status_of(self.submitted[-1]) == v.ESME_ROK
        sent = [Sm(pdu) for _, pdu in self.telia.submits[before:]]
        (mine,) = [sm for sm in sent if sm.source == (5, 0, b"BANK")]
        assert mine.short_message == b"code %d" % (len(self.submitted) - 1)

    def telia_reports(self) -> None:
        """Have telia report all that it has taken of the bank; what was refused, once more."""
        for operator_id, pdu in self.telia.ids.items():
            number = self.reports.get(operator_id)
            is_due = number is None or self.telia.answer_to(number)
            if is_due and Sm(pdu).source == (5, 0, b"BANK"):
                self.reports[operator_id] = self.telia.report(operator_id)

    # Who does not.

    def hostile(self, choices: Octets) -> tuple[FarEnd, bool]:
        """Return the end that acts now, and whether it is the client's."""
        is_client = choices.number() % 2 == 0
        return (self.shop.far if is_client else self.elisa.far), is_client

    def come_again(self) -> None:
        """Have those who were cut off connect anew."""
        if self.shop.far.closed:
            self.shop = self._new_shop()
        if self.elisa.far.closed and self.elisa.bind.peer is None:
            self.elisa = self._new_elisa()

    # What holds.

    def check(self) -> None:
        """Nobody who does right has noticed; nothing is out of bounds."""
        assert not self.bank.far.closed
        assert not self.telia.far.closed
        for end in self.ends:
            session = end.link.session
            assert len(session.unanswered) <= 20
            assert len(session._late) <= MOST_LATE
            assert session._held_octets <= MOST_HELD_OCTETS + session.longest_pdu_octets
            assert end.far.framer.lost_at_sequence is None, "what the router writes is no PDU"
            assert end.far.framer.rest == b"", "the router has written half a PDU"
        journey = self.router.journey
        for correlator in journey.pending.correlators.values():
            assert correlator.orphans <= CAPACITY.orphans
            assert correlator.in_memory <= 2 * CAPACITY.pending_receipts

    def check_written(self) -> None:
        """What the hostile were sent is in the language, and refusals are counted."""
        refused = 0
        for end in self.ends:
            for _, pdu in end.far.received:
                assert pdu.command_status in v.STATUS_NAMES
                if pdu.command_id in (v.SUBMIT_SM, v.DELIVER_SM, v.DATA_SM):
                    Sm(pdu)
                elif pdu.command_id == v.SUBMIT_SM_RESP and not pdu.command_status:
                    assert p.message_id_of(pdu)
                refused += pdu.command_status != v.ESME_ROK
        counters = self.router.journey.counters
        bad_submits = sum(n for (_, _, status), n in counters.submits.items() if status)
        counted = sum(counters.refused_pdus.values()) + sum(counters.failed_binds.values())
        counted += bad_submits + sum(counters.inbound.values())
        counted += sum(n for (_, _, status), n in counters.client_requests.items() if status)
        assert bool(refused) <= bool(counted)

    def finish(self) -> None:
        """Let the hostile go; all that the bank was promised is kept."""
        self.bank_submits()
        for _ in range(1 + len(self.submitted) // 4):
            self.world.run(1.0)
            self.telia_reports()
        self.world.run(2.0)
        for end in (self.shop, self.elisa):
            end.far.drop()
        self.world.run(1.0)
        self.check()
        self.check_written()
        ids = [self.bank.id_of(number) for number in self.submitted]
        assert len(set(ids)) == len(ids)
        # Beside what elisa's subscribers have written to the bank, which may look like a receipt.
        receipts = [sm for sm in map(Sm, self.bank.receipts) if sm.esm_class & RECEIPT_BITS]
        told = [sm.short_message.split(b" ")[0] for sm in receipts]
        assert sorted(told) == sorted(b"id:" + one for one in ids)
        assert all(b"stat:DELIVRD" in sm.short_message for sm in receipts)
        self._accounts_for_all()

    def _accounts_for_all(self) -> None:
        """Each message that was accepted is over, waits, or is waited for."""
        over = [one.message.router_id for one in self.router.settled]
        assert len(set(over)) == len(over)
        assert self.router.accepted == len({*over, *self.router.journal.messages})


def _sm(choices: Octets, is_client: bool) -> bytes:
    command_id = choices.one_of((v.SUBMIT_SM if is_client else v.DELIVER_SM, v.DATA_SM))
    number = choices.number()
    source = (choices.number(), choices.number(), choices.one_of(NUMBERS))
    destination = (choices.number(), choices.number(), choices.one_of(NUMBERS))
    esm_class, wanted, data_coding = choices.number(), choices.number(), choices.number()
    text = choices.some()
    if choices.number() % 2 and not is_client:
        text = receipt_text(choices.one_of(IDS), choices.one_of(STATES)) + text[:100]
    if command_id == v.DATA_SM:
        body = b"\0" + p.address(*source) + p.address(*destination)
        body += bytes((esm_class, wanted, data_coding)) + p.tlv(v.MESSAGE_PAYLOAD, text)
        return p.build(command_id, 0, number, body + choices.some())
    return p.sm(
        command_id,
        number,
        source=source,
        destination=destination,
        esm_class=esm_class,
        registered_delivery=wanted,
        data_coding=data_coding,
        priority_flag=choices.number() % 5,
        validity_period=choices.some(20).replace(b"\0", b""),
        short_message=text,
        tlvs=choices.some(),
    )


def _answer(far: FarEnd, choices: Octets) -> bytes:
    """An answer, right or wrong, to something that the router has asked."""
    asked = [pdu for _, pdu in far.received if not pdu.command_id & v.RESPONSE]
    if not asked:
        return b""
    request: Pdu = asked[-1 - choices.number() % len(asked)]
    right = (request.command_id | v.RESPONSE,) * 6
    command_id = choices.one_of((*right, v.GENERIC_NACK, v.DATA_SM_RESP))
    body = choices.one_of(BODIES) + (choices.some() if choices.number() % 4 == 0 else b"")
    return p.build(command_id, choices.one_of(STATUSES), request.sequence_number, body)


def _speaks(scene: Scene, choices: Octets) -> None:
    far, is_client = scene.hostile(choices)
    said = b""
    for _ in range(1 + choices.number() % 3):
        match choices.number() % 6:
            case 0 | 1:
                said += _sm(choices, is_client)
            case 2:
                said += _answer(far, choices)
            case 3:
                command_id = choices.one_of(COMMANDS)
                said += p.build(command_id, 0, choices.number(), choices.some(60))
            case 4:
                said += choices.some()
            case _:
                said += _bind(choices) if is_client else _answer(far, choices)
    sizes = (255,) if choices.number() % 2 else (1 + choices.number() % 60, choices.number())
    for piece in in_pieces(said, sizes):
        far.send(piece)
    scene.world.settle()


def _bind(choices: Octets) -> bytes:
    password = choices.one_of((b"secret02", b"secret02", b"secret02", b"secret01", b""))
    return p.bind(
        choices.one_of((v.BIND_TRANSCEIVER, v.BIND_TRANSMITTER, v.BIND_RECEIVER)),
        1,
        system_id=b"shop",
        password=password,
        interface_version=choices.one_of((0x34, 0x33, 0x50, 0)),
    )


def router(octets: bytes) -> None:
    """A whole router, for some minutes of its own time."""
    choices = Octets(octets)
    with capture_logs() as logs:
        scene = Scene()
        if choices.number() % 4:  # Most lives begin bound.
            scene.shop.bind(b"shop", b"secret02")
            bind = scene.elisa.far
            scene.world.settle()
            (request,) = bind.received
            bind.send(p.response(request[1].command_id, request[1].sequence_number, 0, b"e\0"))
            scene.world.settle()
        for _ in range(MOST_STEPS):
            if choices.is_over:
                break
            _happens(scene, choices)
            scene.check()
        scene.finish()
    assert "secret0" not in str(logs)


def _happens(scene: Scene, choices: Octets) -> None:
    match choices.number() % 12:
        case 0:
            scene.world.run(choices.one_of(SPANS_S))
        case 1:
            scene.bank_submits()
        case 2:
            scene.telia_reports()
        case 3:
            scene.hostile(choices)[0].drop()
            scene.world.settle()
        case 4:
            scene.come_again()
            scene.world.settle()
        case 5:
            far, _ = scene.hostile(choices)
            if not far.closed:
                far.link.pause_writing() if far.link.writable else far.link.resume_writing()
        case _:
            _speaks(scene, choices)
