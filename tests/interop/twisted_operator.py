"""An operator on smpp.twisted3. What it does and says is in scripts.py."""

import json
import sys

from smpp.pdu.error import SMPPTransactionError
from smpp.pdu.operations import DeliverSM
from smpp.pdu.pdu_types import PDU, CommandStatus, EsmClass, EsmClassMode, EsmClassType
from smpp.pdu.sm_encoding import SMStringEncoder
from smpp.twisted.config import SMPPServerConfig
from smpp.twisted.protocol import DataHandlerResponse, SMPPServerProtocol
from smpp.twisted.server import SMPPServerFactory
from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet import defer, reactor

PLAIN = EsmClass(EsmClassMode.DEFAULT, EsmClassType.DEFAULT)
RECEIPT = EsmClass(EsmClassMode.DEFAULT, EsmClassType.SMSC_DELIVERY_RECEIPT)


def say(event: str, **facts: object) -> None:
    print(json.dumps({"event": event, **facts}), flush=True)


class Door:
    """Who may bind: a portal of twisted.cred, as the factory asks it."""

    def __init__(self, password: str) -> None:
        self._password = password

    def login(self, credentials: UsernamePassword, *_: object) -> tuple[None, None, None]:
        well = credentials.password == self._password
        say("bind", status="ESME_ROK" if well else "ESME_RINVPASWD")
        if not well:
            raise UnauthorizedLogin
        return None, None, None


class Operator:
    """Takes messages, and answers each with a receipt and a subscriber's message."""

    def __init__(self, refused: str) -> None:
        self._refused = refused.encode()
        self._taken = 0

    def received(self, _: str, session: SMPPServerProtocol, sm: PDU) -> object:
        number = sm.params["destination_addr"]
        if number == self._refused:
            return CommandStatus.ESME_RINVDSTADR
        self._taken += 1
        message_id = f"T{self._taken}"
        say("submit", number=number.decode(), text=SMStringEncoder().decodeSM(sm).unicode)
        receipt = (
            f"id:{message_id} sub:001 dlvrd:001 submit date:2611260129 done date:2611260130 "
            "stat:DELIVRD err:000 text:"
        )
        for deliver in (
            self._deliver(session, sm, "receipt", RECEIPT, receipt),
            self._deliver(session, sm, "message", PLAIN, "hello"),
        ):
            reactor.callLater(0, defer.ensureDeferred, deliver)
        return DataHandlerResponse(CommandStatus.ESME_ROK, message_id=message_id)

    async def _deliver(
        self, session: SMPPServerProtocol, submitted: PDU, kind: str, esm_class: EsmClass, text: str
    ) -> None:
        fields = submitted.params
        message = DeliverSM(
            source_addr=fields["destination_addr"],
            source_addr_ton=fields["dest_addr_ton"],
            source_addr_npi=fields["dest_addr_npi"],
            destination_addr=fields["source_addr"],
            dest_addr_ton=fields["source_addr_ton"],
            dest_addr_npi=fields["source_addr_npi"],
            esm_class=esm_class,
            short_message=text.encode(),
        )
        try:
            status = (await session.sendDataRequest(message)).response.status
        except SMPPTransactionError as refused:
            status = refused.response.status
        number = fields["destination_addr"].decode()
        say("delivered", kind=kind, number=number, status=status.name)


password, refused = sys.argv[1:]
config = SMPPServerConfig(msgHandler=Operator(refused).received, systems={"a": {"max_bindings": 9}})
port = reactor.listenTCP(0, SMPPServerFactory(config, Door(password)), interface="127.0.0.1")
say("listening", port=port.getHost().port)
reactor.run()
