"""A client on smpp.twisted3 that asks about its messages: PORT PASSWORD STEP ...

Its steps, and what it says, are those of node_requests.js; but this library encodes neither a
replace_sm nor a message_payload.
"""

import json
import sys

from smpp.pdu.error import SMPPTransactionError
from smpp.pdu.operations import CancelSM, QuerySM, SubmitSM
from smpp.pdu.pdu_types import (
    PDU,
    AddrNpi,
    AddrTon,
    RegisteredDelivery,
    RegisteredDeliveryReceipt,
)
from smpp.twisted.client import SMPPClientTransmitter
from smpp.twisted.config import SMPPClientConfig
from twisted.internet import defer, task

SOURCE = {
    "source_addr": "BANK",
    "source_addr_ton": AddrTon.ALPHANUMERIC,
    "source_addr_npi": AddrNpi.UNKNOWN,
}
FINAL_RECEIPT = RegisteredDelivery(RegisteredDeliveryReceipt.SMSC_DELIVERY_RECEIPT_REQUESTED)


def say(event: str, **facts: object) -> None:
    print(json.dumps({"event": event, **facts}), flush=True)


def asked(kind: str, one: str, text: str) -> PDU:
    """The request of a step about a number or an id."""
    to = {"destination_addr": one, "registered_delivery": FINAL_RECEIPT}
    if kind == "submit":
        return SubmitSM(**SOURCE, **to, short_message=text.encode())
    if kind == "query":
        return QuerySM(**SOURCE, message_id=one)
    return CancelSM(**SOURCE, message_id=one)


async def main(port: str, password: str, *steps: str) -> None:
    config = SMPPClientConfig(host="127.0.0.1", port=int(port), username="bank", password=password)
    session = await SMPPClientTransmitter(config).connectAndBind()
    ids: list[str] = []
    for step in steps:
        kind, one, *words = step.split(" ", 2)
        request = asked(kind, ids[int(one)] if one.startswith("-") else one, "".join(words))
        try:
            answer = (await session.sendDataRequest(request)).response
        except SMPPTransactionError as refused:
            answer = refused.response
        fields = answer.params
        facts = {"step": kind, "status": answer.status.name}
        ids.append((fields.get("message_id") or b"").decode())
        if ids[-1]:
            facts["id"] = ids[-1]
        if "message_state" in fields:
            facts["state"] = fields["message_state"].name
            facts["is_dated"] = bool(fields["final_date"])
            facts["error_code"] = fields["error_code"] or 0  # It reads 0 as None.
        say("answer", **facts)
    await session.unbindAndDisconnect()
    say("unbind")


task.react(lambda _: defer.ensureDeferred(main(*sys.argv[1:])))
