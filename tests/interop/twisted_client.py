"""A client on smpp.twisted3: PORT PASSWORD "NUMBER TEXT" ...

What it says is in scripts.py.
"""

import json
import sys

from smpp.pdu.error import SMPPTransactionError
from smpp.pdu.operations import SubmitSM
from smpp.pdu.pdu_types import (
    PDU,
    AddrTon,
    DataCoding,
    DataCodingDefault,
    RegisteredDelivery,
    RegisteredDeliveryReceipt,
)
from smpp.twisted.client import SMPPClientTransceiver
from smpp.twisted.config import SMPPClientConfig
from smpp.twisted.protocol import SMPPClientProtocol
from twisted.internet import defer, task

FINAL_RECEIPT = RegisteredDelivery(RegisteredDeliveryReceipt.SMSC_DELIVERY_RECEIPT_REQUESTED)
UCS2 = DataCoding(schemeData=DataCodingDefault.UCS2)


def say(event: str, **facts: object) -> None:
    print(json.dumps({"event": event, **facts}), flush=True)


async def submit(session: SMPPClientProtocol, number: str, text: str) -> bool:
    """Return whether it was taken."""
    message = SubmitSM(
        source_addr="BANK",
        source_addr_ton=AddrTon.ALPHANUMERIC,
        destination_addr=number,
        data_coding=UCS2,
        short_message=text.encode("utf-16-be"),
        registered_delivery=FINAL_RECEIPT,
    )
    try:
        done = await session.sendDataRequest(message)
    except SMPPTransactionError as refused:
        say("answer", number=number, status=refused.response.status.name)
        return False
    answer = done.response
    message_id = answer.params["message_id"].decode()
    say("answer", number=number, status=answer.status.name, id=message_id)
    return True


async def main(port: str, password: str, *messages: str) -> None:
    receipts = defer.DeferredQueue()

    def received(_: object, sm: PDU) -> None:
        receipts.put(sm.params)

    config = SMPPClientConfig(host="127.0.0.1", port=int(port), username="bank", password=password)
    try:
        session = await SMPPClientTransceiver(config, received).connectAndBind()
    except SMPPTransactionError as refused:
        say("bind", status=refused.response.status.name)
        return
    say("bind", status="ESME_ROK")
    taken = [await submit(session, *message.split(" ", 1)) for message in messages]
    for _ in range(sum(taken)):
        receipt = await receipts.get()
        say(
            "receipt",
            number=receipt["source_addr"].decode(),
            id=receipt["receipted_message_id"].decode(),
            state=receipt["message_state"].name,
            text=receipt["short_message"].decode(),
        )
    await session.unbindAndDisconnect()
    say("unbind", status="ESME_ROK")


task.react(lambda _: defer.ensureDeferred(main(*sys.argv[1:])))
