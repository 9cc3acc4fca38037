"""A client on rusmppyc, of version 5.0 and in Rust: PORT PASSWORD "NUMBER TEXT" ...

What it says is in scripts.py.
"""

import asyncio
import json
import os
import re
import sys

from rusmppyc import (
    Client,
    CommandId,
    DataCoding,
    Event,
    Events,
    MCDeliveryReceipt,
    RegisteredDelivery,
    Ton,
)
from rusmppyc.exceptions import RusmppycException

FINAL_RECEIPT = RegisteredDelivery(
    MCDeliveryReceipt.McDeliveryReceiptRequestedWhereFinalDeliveryOutcomeIsSuccessOrFailure()
)


def say(event: str, **facts: object) -> None:
    print(json.dumps({"event": event, **facts}), flush=True)


def status_of(refused: RusmppycException) -> str:
    """Return the status that its text tells: `... status: EsmeRinvpaswd, ...`."""
    found = re.search(r"status: Esme(\w+)", str(refused))
    return f"ESME_{found[1].upper()}" if found else str(refused)


async def submit(client: Client, number: str, text: str) -> bool:
    """Return whether it was taken."""
    try:
        answer = await client.submit_sm(
            source_addr="BANK",
            source_addr_ton=Ton.Alphanumeric(),
            destination_addr=number,
            data_coding=DataCoding.Ucs2(),
            short_message=text.encode("utf-16-be"),
            registered_delivery=FINAL_RECEIPT,
        )
    except RusmppycException as refused:
        say("answer", number=number, status=status_of(refused))
        return False
    say("answer", number=number, status="ESME_ROK", id=written(answer.message_id))
    return True


def written(field: list[int] | bytes) -> str:
    """Return a C-octet string without its NUL."""
    return bytes(field).rstrip(b"\0").decode()


async def receipts(client: Client, events: Events, due: int) -> None:
    """Say so many receipts."""
    while due:
        event = await anext(events)
        assert isinstance(event, Event.Incoming), event
        (command,) = event
        assert isinstance(command.id, CommandId.DeliverSm), command
        (sm,) = command.pdu
        tlvs = {str(tlv.tag): tlv.value for tlv in sm.tlvs}
        (receipted_id,) = tlvs["ReceiptedMessageId"]
        (state,) = tlvs["MessageState"]
        say(
            "receipt",
            number=written(sm.source_addr),
            id=written(receipted_id),
            state=str(state).upper(),
            text=bytes(sm.short_message).decode(),
        )
        await client.deliver_sm_resp(command.sequence_number, "")
        due -= 1


async def main(port: str, password: str, *messages: str) -> None:
    client, events = await Client.connect(f"smpp://127.0.0.1:{port}")
    try:
        await client.bind_transceiver(system_id="bank", password=password)
    except RusmppycException as refused:
        say("bind", status=status_of(refused))
        return
    say("bind", status="ESME_ROK")
    taken = [await submit(client, *message.split(" ", 1)) for message in messages]
    await receipts(client, events, sum(taken))
    await client.unbind()
    say("unbind", status="ESME_ROK")
    await client.closed()


asyncio.run(main(*sys.argv[1:]))
# Its threads outlive the loop, and abort the process when they meet an interpreter that ends.
os._exit(0)
