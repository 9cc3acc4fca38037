"""A client on python-smpplib, which blocks and reads one PDU at a time, against the real router."""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from smpplib import consts, gsm
from smpplib.client import Client
from smpplib.exceptions import PDUError

from benchmarks import stand
from benchmarks.processes import DEADLINE_S
from benchmarks.stand import Operator, Router
from tests.e2e.scene import PASSWORD, configuration
from tests.interop import recorder

BINDS = 3
LONG = "Hello € [42] " * 18
"""Two parts of GSM 7-bit, with letters that take two septets."""


class Ears:
    """A bound client, and all that it hears."""

    def __init__(self, stack: ExitStack, router: Router, bind: str = "transceiver") -> None:
        self.client = Client("127.0.0.1", router.port, DEADLINE_S, allow_unknown_opt_params=True)
        self.answers: dict[int, str] = {}
        """message_id by sequence number."""
        self.receipts: list[Any] = []
        self.deliver_status = consts.SMPP_ESME_ROK
        self.client.set_message_sent_handler(self._sent)
        self.client.set_message_received_handler(self._received)
        self.client.connect()
        stack.callback(self.client.disconnect)
        getattr(self.client, f"bind_{bind}")(system_id="bank", password=PASSWORD)

    def _sent(self, pdu: Any) -> None:  # noqa: ANN401
        self.answers[pdu.sequence] = pdu.message_id.decode()

    def _received(self, pdu: Any) -> int:  # noqa: ANN401
        self.receipts.append(pdu)
        return int(self.deliver_status)

    def submit(self, text: str) -> int:
        """Submit a text in as many parts as it takes; return how many."""
        parts, data_coding, esm_class = gsm.make_parts(text)
        for part in parts:
            self.client.send_message(
                source_addr_ton=consts.SMPP_TON_ALNUM,
                source_addr="BANK",
                dest_addr_ton=consts.SMPP_TON_INTL,
                dest_addr_npi=consts.SMPP_NPI_ISDN,
                destination_addr="37255512345",
                short_message=part,
                data_coding=data_coding,
                esm_class=esm_class,
                registered_delivery=True,
            )
        return len(parts)

    def until(self, answers: int = 0, receipts: int = 0) -> None:
        """Read until so much has come."""
        give_up_at = time.monotonic() + DEADLINE_S
        while len(self.answers) < answers or len(self.receipts) < receipts:
            assert time.monotonic() < give_up_at
            self.client.read_once()

    def leave(self) -> None:
        assert self.client.unbind().command == "unbind_resp"
        self.client.state = consts.SMPP_CLIENT_STATE_OPEN  # Else it warns that it is bound.


@pytest.fixture
def operator(stack: ExitStack) -> Operator:
    return stand.operator(stack, "--receipt-delay", "10ms")


@pytest.fixture
def router(stack: ExitStack, operator: Operator, tmp_path: Path) -> Router:
    router = recorder.router(stack, configuration(operator.port), tmp_path)
    router.until_bound(BINDS)
    return router


@pytest.mark.shows(
    *("smpplib", "client", "transceiver", "submit", "long texts", "GSM 7-bit", "UCS-2", "receipts"),
    "unbind",
)
def test_long_and_cyrillic_texts_are_answered_and_receipted(
    stack: ExitStack, router: Router
) -> None:
    ears = Ears(stack, router)

    parts = ears.submit(LONG) + ears.submit("Привет")
    ears.until(answers=parts, receipts=parts)
    ears.leave()

    assert parts == 3
    ids = set(ears.answers.values())
    assert {pdu.receipted_message_id.decode() for pdu in ears.receipts} == ids
    for pdu in ears.receipts:
        assert pdu.esm_class == 0x04
        assert pdu.message_state == consts.SMPP_MESSAGE_STATE_DELIVERED
        assert pdu.short_message.startswith(b"id:%b sub:001 " % pdu.receipted_message_id)
        assert (pdu.source_addr, pdu.destination_addr) == (b"37255512345", b"BANK")


@pytest.mark.shows("smpplib", "client", "transmitter and receiver", "receipts")
def test_receipts_come_to_the_receiver_of_a_pair(stack: ExitStack, router: Router) -> None:
    receiver = Ears(stack, router, "receiver")
    transmitter = Ears(stack, router, "transmitter")

    transmitter.submit("hello")
    transmitter.until(answers=1)
    receiver.until(receipts=1)
    receiver.leave()
    transmitter.leave()

    (message_id,) = transmitter.answers.values()
    (receipt,) = receiver.receipts
    assert receipt.receipted_message_id.decode() == message_id


@pytest.mark.shows("smpplib", "client", "refused receipt")
def test_receipt_that_is_refused_for_now_comes_again(stack: ExitStack, router: Router) -> None:
    ears = Ears(stack, router)
    ears.deliver_status = consts.SMPP_ESME_RMSGQFUL

    ears.submit("hello")
    ears.until(receipts=1)
    ears.deliver_status = consts.SMPP_ESME_ROK
    ears.until(receipts=2)
    ears.leave()

    first, again = ears.receipts
    assert first.short_message == again.short_message


@pytest.mark.shows("smpplib", "client", "refused bind")
@pytest.mark.parametrize(
    ("system_id", "password"), [("bank", "wrong"), ("nobody", PASSWORD), ("bank", "")]
)
def test_wrong_credentials_are_told(
    stack: ExitStack, router: Router, system_id: str, password: str
) -> None:
    client = Client("127.0.0.1", router.port, DEADLINE_S, allow_unknown_opt_params=True)
    client.connect()
    stack.callback(client.disconnect)

    with pytest.raises(PDUError) as refused:
        client.bind_transceiver(system_id=system_id, password=password)

    assert refused.value.args[1] == consts.SMPP_ESME_RINVPASWD
