"""The router between a client and an operator on smpp34, which others wrote, in Rust.

Both ends share no octet of code with the router: what they agree on is SMPP.
"""

import asyncio
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest
import smpp34
from smpp34 import DeliverSmEvent, Tlv

from benchmarks.stand import Router
from router.smpp import vocabulary as v
from tests.e2e.scene import PASSWORD
from tests.interop.rust_operator import REFUSED, between, run

MESSAGES = 50
VENDOR: Final = Tlv(0x1401, b"\xff\0 \x80")


async def bound(router: Router, bind_type: str = "TRX") -> smpp34.Smsc:
    client = smpp34.Client("127.0.0.1", router.port, "bank", PASSWORD, bind_type=bind_type)
    return await client.connect()


async def heard(session: smpp34.Smsc) -> DeliverSmEvent:
    event = await session.next()
    assert isinstance(event, DeliverSmEvent)
    return event


def text_of(n: int) -> bytes:
    return b"\0\x1b\xff text %d" % n


@pytest.mark.shows(
    *("smpp34", "client", "transceiver", "submit", "receipts", "vendor's TLV", "data_coding 0xF5"),
    "unbind",
)
@pytest.mark.shows("smpp34", "operator", "submit", "receipts", "vendor's TLV", "data_coding 0xF5")
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


@pytest.mark.shows("smpp34", "client", "transmitter and receiver", "submit", "receipts")
@pytest.mark.shows("smpp34", "operator", "refused submit")
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
