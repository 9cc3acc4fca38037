"""The simulated client on aiosmpplib's own ESME: `smpp-simulator client --engine aiosmpplib`.

It submits and checks as the raw client does, but what it puts on the wire and makes of the answers
is the work of others: where the two disagree, one of them is wrong. A few hundred messages a
second; a password has at most 8 characters there.
"""

import asyncio
import logging
import time
from contextlib import suppress
from random import Random
from typing import Final

from aiosmpplib import (
    ESME,
    NPI,
    TON,
    AbstractBroker,
    AbstractHook,
    AbstractRetryTimer,
    BindMode,
    BindReceiverResp,
    BindTransceiverResp,
    BindTransmitterResp,
    DeliverSm,
    GenericNack,
    PhoneNumber,
    SmppMessage,
    SubmitSm,
    SubmitSmResp,
)

from router.smpp import receipt
from router.smpp import vocabulary as v
from router.smpp.pdu import BodyError, Framer, Pdu, Sm
from simulators.client import INTERRUPTED, ClientError, ClientSettings
from simulators.counting import NEVER
from simulators.esme import LONGEST_PDU_OCTETS
from simulators.ledger import Ledger, Notice
from simulators.loops import stop_on_signals
from simulators.messages import Messages, new_run, sender_address

LOOK_EVERY_S: Final = 0.02
"""How often it is asked whether all is said; this engine is no instrument for microseconds."""
BIND_S: Final = 10.0
UNBIND_S: Final = 2.0
LONGEST_PASSWORD: Final = 8

_MODES: Final = {
    "transceiver": (BindMode.TRANSCEIVER,),
    "transmitter": (BindMode.TRANSMITTER,),
    "receiver": (BindMode.RECEIVER,),
    "pair": (BindMode.TRANSMITTER, BindMode.RECEIVER),
}
_BIND_ANSWERS: Final = (BindTransceiverResp, BindTransmitterResp, BindReceiverResp)


class Run:
    """What the binds of a run share."""

    def __init__(self, settings: ClientSettings) -> None:
        rng = Random(settings.seed)
        self.settings = settings
        self.messages = Messages(settings.messages, new_run(rng), rng)
        self.ledger = Ledger(self.messages.sender_octets, settings.messages.registered_delivery)
        self.count = 2**62 if settings.esme.count is None else settings.esme.count
        self.began_at = NEVER
        self.last_sent_at = self.last_heard_at = 0.0
        self.failure: str | None = None

    def due_at(self) -> float:
        """Return when the next message should go."""
        rate = self.settings.esme.rate
        if rate is None:
            return self.began_at
        return self.began_at + self.ledger.submitted / rate.per_second

    def submitting(self, now: float) -> bool:
        """Return whether there is more to submit."""
        duration_s = self.settings.esme.duration_s
        over = duration_s is not None and now >= self.began_at + duration_s
        return not over and self.ledger.submitted < self.count

    def finished(self, now: float) -> bool:
        """Return whether nothing more is to come, or nothing more is waited for."""
        ledger, esme = self.ledger, self.settings.esme
        if self.submitting(now):
            return False
        waited_s = now - max(self.last_sent_at, self.began_at)
        if ledger.unsettled:
            return waited_s >= esme.response_timeout_s
        if not ledger.asked or (ledger.asked_always and ledger.missing == 0):
            return True
        return waited_s >= esme.wait_receipts_s

    def next_message(self, now: float) -> SubmitSm:
        """Return the next message, noted as sent."""
        index, due_at = self.ledger.submitted, self.due_at()
        number = self.messages.number(index)
        settings = self.settings.messages
        ton, npi, sender = sender_address(settings.sender)
        message = SubmitSm(
            short_message=self.messages.text(index),
            source=PhoneNumber(sender.decode(), TON(ton), NPI(npi)),
            destination=PhoneNumber(number.decode(), TON.INTERNATIONAL, NPI.ISDN),
            service_type=settings.service_type,
            priority_flag=settings.priority_flag,
            registered_delivery=settings.registered_delivery,
            log_id=str(index),
        )
        self.ledger.sent(number, due_at if self.settings.esme.rate else now, now)
        self.last_sent_at = now
        return message


class Bind(AbstractBroker, AbstractHook, AbstractRetryTimer):
    """What aiosmpplib asks of us for one bind: messages, ears, and patience."""

    def __init__(self, run: Run, *, transmits: bool) -> None:
        self._run = run
        self._transmits = transmits
        self._by_sequence: dict[int, int] = {}
        """Our messages in flight: aiosmpplib's matching is checked against it."""
        self._room = asyncio.Event()
        self.bound = asyncio.Event()
        self._pause_s = 0.0
        self.last_error = _LastError()
        self._refused = ""

    # The broker: what is to be sent.

    async def enqueue(self, message: SmppMessage) -> None:
        """Do not queue: messages are made when there is room for them."""
        raise NotImplementedError

    async def dequeue(self) -> SmppMessage:
        """Return the next message, when it is due and the window has room."""
        if not self._transmits:  # aiosmpplib asks a receiver too, and drops what it is given.
            await asyncio.Event().wait()
        run = self._run
        while True:
            now = time.monotonic()
            if run.due_at() > now or not run.submitting(now):
                await asyncio.sleep(min(max(run.due_at() - now, 0.001), LOOK_EVERY_S))
            elif len(self._by_sequence) >= run.settings.esme.window:
                self._room.clear()
                await self._room.wait()
            else:
                return run.next_message(now)

    # The hook: what goes out and comes in.

    async def sending(self, smpp_message: SmppMessage, pdu: bytes, client_id: str) -> None:
        """Note under which number a message goes."""
        if isinstance(smpp_message, SubmitSm):
            self._by_sequence[smpp_message.sequence_num] = int(smpp_message.log_id)

    async def received(self, smpp_message: SmppMessage | None, pdu: bytes, client_id: str) -> None:
        """Check what came."""
        now = self._run.last_heard_at = time.monotonic()
        if isinstance(smpp_message, SubmitSmResp | GenericNack):
            self._answered(smpp_message, now)
        elif isinstance(smpp_message, DeliverSm):
            self._delivered(smpp_message, pdu, now)
        elif isinstance(smpp_message, _BIND_ANSWERS):
            if smpp_message.command_status == 0:
                self.bound.set()
            else:
                self._refused = f"the bind was refused with {smpp_message.command_status.name}"
        elif smpp_message is None:
            self._unreadable(Framer(LONGEST_PDU_OCTETS).feed(pdu)[0])

    async def send_error(self, smpp_message: SmppMessage, error: Exception, client_id: str) -> None:
        """A message could not be sent, or its answer is overdue."""
        self._by_sequence.pop(smpp_message.sequence_num, None)
        if isinstance(smpp_message, SubmitSm):
            self._run.ledger.gave_up(int(smpp_message.log_id))
        self._room.set()

    def _unreadable(self, pdu: Pdu) -> None:
        if pdu.command_id & ~v.RESPONSE in v.BINDS:  # A refusal without a body is legal.
            self._refused = f"the bind was refused with {v.status_name(pdu.command_status)}"
        else:
            self._run.ledger.garbled(f"aiosmpplib cannot read {pdu.octets.hex()}")

    def _answered(self, answer: SubmitSmResp | GenericNack, now: float) -> None:
        index = self._by_sequence.pop(answer.sequence_num, None)
        self._room.set()
        if index is None:
            self._run.ledger.garbled("an answer to no message in flight")
            return
        status, message_id = int(answer.command_status), b""
        if isinstance(answer, SubmitSmResp):
            message_id = answer.message_id.encode()
            if answer.log_id != str(index):
                self._run.ledger.garbled(
                    f"aiosmpplib took the answer to message {index} for that to {answer.log_id}"
                )
        self._run.ledger.answered(index, status, message_id, now)

    def _delivered(self, message: DeliverSm, pdu: bytes, now: float) -> None:
        ledger = self._run.ledger
        try:
            sm = Sm(Framer(LONGEST_PDU_OCTETS).feed(pdu)[0])
        except BodyError as error:
            ledger.garbled(f"deliver_sm: {error}")
            return
        read = receipt.recognise(sm)
        final = sm.esm_class & receipt.RECEIPT_BITS != receipt.ESM_INTERMEDIATE
        if final and (read is None) is message.is_receipt():
            ledger.garbled(f"a receipt for one reader and none for the other: {pdu.hex()}")
        elif read is None:
            ledger.inbound += 1
        else:
            theirs = str(message.parse_receipt().get("id", "")).encode()
            # To aiosmpplib an intermediate notification is no receipt: it does not read it.
            if final and theirs != read.operator_id:
                ledger.garbled(f"aiosmpplib reads the id {theirs!r} and we {read.operator_id!r}")
            ledger.receipt(
                Notice(
                    read.operator_id,
                    read.state,
                    final,
                    sm.source_octets,
                    sm.destination_octets,
                    now,
                )
            )

    # The retry timer: after a bind failed or was lost.

    async def wait(self) -> None:
        """Wait and try again, or end the run."""
        self.bound.clear()
        self._by_sequence.clear()  # What was in flight stays unanswered.
        self._room.set()
        if not self._run.settings.reconnect:
            self._run.failure = f"aiosmpplib: {self._refused or self.last_error.says}"
            await asyncio.Event().wait()  # Until the run is over.
        self._pause_s = min(max(self._pause_s * 2, 0.25), 5.0)
        await asyncio.sleep(self._pause_s)

    def reset(self) -> None:
        """The bind is there."""
        self._pause_s = 0.0

    def next_delay(self) -> float:
        """Return the text for aiosmpplib's log."""
        return self._pause_s


class _LastError(logging.Handler):
    """Keeps the last thing that aiosmpplib complained about."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.says = "the other side closed the connection"

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the sentence; what follows the arrows is for machines."""
        self.says = record.getMessage().partition(" >>> ")[0]


async def run(settings: ClientSettings) -> dict[str, object]:
    """Run the client once; return its totals. Raises ClientError if it cannot begin."""
    if len(settings.esme.password) > LONGEST_PASSWORD:
        raise ClientError(f"aiosmpplib takes passwords of at most {LONGEST_PASSWORD} characters")
    the_run, ended = Run(settings), asyncio.Event()
    stop_on_signals(ended)
    cpu_began_s = time.process_time()
    esmes: list[ESME] = []
    binds: list[Bind] = []
    for mode in _MODES[settings.esme.bind_type] * settings.esme.binds:
        bind = Bind(the_run, transmits=mode is not BindMode.RECEIVER)
        binds.append(bind)
        esmes.append(_esme(settings, mode, bind))
    tasks = [asyncio.create_task(esme.start()) for esme in esmes]
    try:
        await _bound(the_run, binds, ended)
        if ended.is_set():
            raise ClientError(INTERRUPTED)
        the_run.began_at = time.monotonic()
        while not (the_run.failure or the_run.finished(time.monotonic()) or ended.is_set()):
            await _pause(ended)
        with suppress(TimeoutError):
            async with asyncio.timeout(UNBIND_S):
                await asyncio.gather(*(esme.stop() for esme in esmes))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    the_run.ledger.gave_up_all()
    return _totals(the_run, time.process_time() - cpu_began_s)


def _esme(settings: ClientSettings, mode: BindMode, bind: Bind) -> ESME:
    return ESME(
        smsc_host=settings.host,
        smsc_port=settings.port,
        system_id=settings.esme.system_id,
        password=settings.esme.password,
        bind_mode=mode,
        log_level=logging.ERROR,
        log_handler=bind.last_error,
        hook=bind,
        broker=bind,
        retry_timer=bind,
    )


async def _bound(the_run: Run, binds: list[Bind], ended: asyncio.Event) -> None:
    """Wait until all are bound. Raises ClientError."""
    began_at = time.monotonic()
    while not all(bind.bound.is_set() for bind in binds) and not ended.is_set():
        if the_run.failure:
            raise ClientError(the_run.failure)
        if time.monotonic() > began_at + BIND_S and not the_run.settings.reconnect:
            raise ClientError(f"aiosmpplib did not bind within {BIND_S:g} s")
        await _pause(ended)


async def _pause(ended: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(LOOK_EVERY_S):
            await ended.wait()
    except TimeoutError:
        pass


def _totals(the_run: Run, cpu_s: float) -> dict[str, object]:
    ledger = the_run.ledger
    span_s = max(the_run.last_heard_at, the_run.last_sent_at) - the_run.began_at
    totals = ledger.totals()
    return totals | {
        "well": totals["well"] is True and the_run.failure is None,
        "failure": the_run.failure,
        "engine": "aiosmpplib",
        "duration_s": round(span_s, 6),
        "submit_span_s": round(the_run.last_sent_at - the_run.began_at, 6),
        "rate_per_s": round(ledger.accepted / span_s, 1) if span_s > 0 else None,
        "cpu_s": round(cpu_s, 3),
        "cpu_us_per_message": round(cpu_s / max(ledger.submitted, 1) * 1e6, 1),
    }
