"""A client on smpp.twisted3 with Jasmin's parser of receipts: PORT PASSWORD RECEIPTS NUMBER ...

It submits a message to each number, asks for all receipts, and reads so many. It says `answer`
{number, id} and `receipt` {number, id, state, submitted, done, err}; both ids as Jasmin compares
them.
"""

import json
import sys

from jasmin.protocols.smpp.operations import SMPPOperationFactory
from smpp.pdu.operations import SubmitSM
from smpp.pdu.pdu_types import (
    PDU,
    AddrTon,
    RegisteredDelivery,
    RegisteredDeliveryReceipt,
)
from smpp.twisted.client import SMPPClientTransceiver
from smpp.twisted.config import SMPPClientConfig
from twisted.internet import defer, task

ALL_RECEIPTS = RegisteredDelivery(
    RegisteredDeliveryReceipt.SMSC_DELIVERY_RECEIPT_REQUESTED, [], intermediateNotification=True
)


def say(event: str, **facts: object) -> None:
    print(json.dumps({"event": event, **facts}), flush=True)


def compared(message_id: object) -> str:
    """An id as Jasmin looks it up: in capitals, without zeros in front."""
    text = message_id.decode() if isinstance(message_id, bytes) else str(message_id)
    return text.upper().lstrip("0")


async def main(port: str, password: str, receipts: str, *numbers: str) -> None:
    read = defer.DeferredQueue()
    parser = SMPPOperationFactory()

    def received(_: object, sm: PDU) -> None:
        read.put((sm.params["source_addr"], parser.isDeliveryReceipt(sm)))

    config = SMPPClientConfig(host="127.0.0.1", port=int(port), username="bank", password=password)
    session = await SMPPClientTransceiver(config, received).connectAndBind()
    for number in numbers:
        message = SubmitSM(
            source_addr="BANK",
            source_addr_ton=AddrTon.ALPHANUMERIC,
            destination_addr=number,
            short_message=b"hello",
            registered_delivery=ALL_RECEIPTS,
        )
        answer = (await session.sendDataRequest(message)).response
        say("answer", number=number, id=compared(answer.params["message_id"]))
    for _ in range(int(receipts)):
        number, receipt = await read.get()
        say(
            "receipt",
            number=number.decode(),
            id=compared(receipt["id"]),
            state=receipt["stat"],
            submitted=receipt["sdate"],
            done=receipt["ddate"],
            err=receipt["err"],
        )
    await session.unbindAndDisconnect()


task.react(lambda _: defer.ensureDeferred(main(*sys.argv[1:])))
