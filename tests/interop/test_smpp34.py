"""The router between a client and an operator on smpp34, which others wrote, in Rust.

Both ends share no octet of code with the router: what they agree on is SMPP.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import ExitStack
from pathlib import Path
from typing import Final, TypeVar

import smpp34
from smpp34 import DeliverSmEvent, Esme, SubmitSmEvent, Tlv

from benchmarks import stand
from benchmarks.processes import DEADLINE_S
from benchmarks.stand import Router
from router.smpp import vocabulary as v
from tests.e2e.scene import PASSWORD, configuration, free_port

T = TypeVar("T")
BINDS = 3
MESSAGES = 50
VENDOR: Final = Tlv(0x1401, b"\xff\0 \x80")
REFUSED: Final = "37255599999"


class Smsc:
    """An operator: takes messages, and delivers a receipt for each over any of its binds."""

    def __init__(self, port: int) -> None:
        self.server = smpp34.Server("127.0.0.1", port, system_id="rust")
        self.submits: list[SubmitSmEvent] = []
        self.refused_receipts = 0
        self._binds: list[Esme] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        while True:
            event = await self.server.next()
            if isinstance(event, Esme):
                self._binds.append(event)
            elif isinstance(event, SubmitSmEvent):
                if event.destination_addr == REFUSED:
                    event.reject(v.ESME_RINVDSTADR)
                    continue
                self.submits.append(event)
                event.accept(f"R{len(self.submits)}")
                task = asyncio.create_task(self._receipt(event, f"R{len(self.submits)}"))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _receipt(self, submit: SubmitSmEvent, message_id: str) -> None:
        bind = self._binds[len(self.submits) % len(self._binds)]
        answer = await bind.deliver_sm(
            submit.source_addr,
            f"id:{message_id} sub:001 dlvrd:001 submit date:2611260129 "
            "done date:2611260130 stat:DELIVRD err:000 text:".encode(),
            source_addr=submit.destination_addr,
            source_addr_ton=submit.dest_addr_ton,
            source_addr_npi=submit.dest_addr_npi,
            dest_addr_ton=submit.source_addr_ton,
            dest_addr_npi=submit.source_addr_npi,
            esm_class=4,
        )
        self.refused_receipts += not answer.is_success


async def between(stack: ExitStack, folder: Path) -> tuple[Smsc, Router]:
    """An operator that serves, and a router with its binds up."""
    port = free_port(stack)  # Its server does not tell which one the kernel chose.
    smsc = Smsc(port)
    await smsc.server.start()
    serving = asyncio.create_task(smsc.serve())
    stack.callback(serving.cancel)
    router = await asyncio.to_thread(stand.router, stack, configuration(port), folder)
    await asyncio.to_thread(router.until_bound, BINDS)
    return smsc, router


async def bound(router: Router, bind_type: str = "TRX") -> smpp34.Smsc:
    client = smpp34.Client("127.0.0.1", router.port, "bank", PASSWORD, bind_type=bind_type)
    return await client.connect()


async def heard(session: smpp34.Smsc) -> DeliverSmEvent:
    event = await session.next()
    assert isinstance(event, DeliverSmEvent)
    return event


def run(coroutine: Coroutine[object, object, T]) -> T:
    """Run it to its end, which must come."""
    return asyncio.run(asyncio.wait_for(coroutine, DEADLINE_S))


def text_of(n: int) -> bytes:
    return b"\0\x1b\xff text %d" % n


def test_every_message_goes_there_as_it_is_and_its_receipt_comes_back(
    stack: ExitStack, tmp_path: Path
) -> None:
    async def campaign() -> None:
        smsc, router = await between(stack, tmp_path)
        session = await bound(router)
        answers = await asyncio.gather(
            *(
                session.submit_sm(
                    f"372555{n:05d}",
                    text_of(n),
                    source_addr="BANK",
                    source_addr_ton=5,
                    dest_addr_ton=1,
                    dest_addr_npi=1,
                    data_coding=0xF5,
                    registered_delivery=1,
                    tlvs=[VENDOR],
                )
                for n in range(MESSAGES)
            )
        )
        receipts = [await heard(session) for _ in range(MESSAGES)]
        await session.unbind()

        assert all(answer.is_success for answer in answers)
        assert sorted(submit.short_message for submit in smsc.submits) == sorted(
            map(text_of, range(MESSAGES))
        )
        for submit in smsc.submits:
            assert [(tlv.tag, tlv.value) for tlv in submit.tlvs] == [(VENDOR.tag, VENDOR.value)]
            assert (submit.data_coding, submit.source_addr_ton) == (0xF5, 5)
        assert smsc.refused_receipts == 0
        assert sorted(
            (receipt.short_message.split()[0][3:].decode(), receipt.source_addr)
            for receipt in receipts
        ) == sorted((answer.message_id, f"372555{n:05d}") for n, answer in enumerate(answers))

    run(campaign())


def test_message_that_the_operator_refuses_gets_a_receipt_from_the_router(
    stack: ExitStack, tmp_path: Path
) -> None:
    async def refused() -> None:
        _, router = await between(stack, tmp_path)
        transmitter, receiver = await bound(router, "TX"), await bound(router, "RX")
        answer = await transmitter.submit_sm(
            REFUSED, b"hello", source_addr="BANK", registered_delivery=1
        )
        receipt = await heard(receiver)
        await transmitter.unbind()
        await receiver.unbind()

        assert answer.is_success
        assert f"id:{answer.message_id} ".encode() in receipt.short_message
        assert b"stat:UNDELIV" in receipt.short_message
        states = [tlv.value for tlv in receipt.tlvs if tlv.tag == v.MESSAGE_STATE]
        assert states == [b"\5"]

    run(refused())
