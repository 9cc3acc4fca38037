"""Operators on node-smpp, smpp.twisted3 and smppy, behind the real router.

What each script does and says is in scripts.py. The router refuses what a subscriber sends to a
number without a rule. Two of these libraries need the empty message_id of such an answer: without
it smpp.twisted3 tears its session down, and smppy's reader breaks.
"""

from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.processes import Child, until
from benchmarks.stand import Router
from router.smpp import receipt
from router.smpp import vocabulary as v
from router.smpp.pdu import Sm
from router.smpp.receipt import State
from tests.e2e.scene import Peer, configuration
from tests.interop import recorder, scripts
from tests.interop.scripts import said

BINDS = 3
TAKEN, TAKEN_TOO, REFUSED = "37255512345", "37255512346", "37255599999"
OURS, NOT_OURS = b"12302", b"999"
INBOUND = 'inbound: [{destination: "12302", to: bank}]\n'
HELLO = "Привет"


def behind(stack: ExitStack, operator: Child, folder: Path) -> tuple[Router, Peer]:
    """A router whose binds to this operator are up, and a client that is bound."""
    port = operator.event("listening")["port"]
    assert isinstance(port, int)
    router = recorder.router(stack, configuration(port) + INBOUND, folder)
    router.until_bound(BINDS)
    peer = stack.enter_context(Peer(router.port))
    peer.bind("bank")
    return router, peer


def submit(peer: Peer, source: bytes, number: str) -> None:
    answer = peer.submit(
        number,
        HELLO.encode("utf-16-be"),
        source=source,
        data_coding=8,
        registered_delivery=1,
    )
    assert answer.command_status == v.ESME_ROK


def read(
    deliveries: list[Sm],
) -> tuple[list[tuple[bytes, State | None]], list[tuple[bytes, bytes]]]:
    """Return receipts and subscribers' messages, each with the number that it came from."""
    receipts, messages = [], []
    for sm in deliveries:
        found = receipt.recognise(sm)
        if found is None:
            messages.append((sm.source[2], sm.short_message))
        else:
            receipts.append((sm.source[2], found.state))
    return sorted(receipts), sorted(messages)


@pytest.mark.parametrize(
    "script",
    scripts.each(
        *(["node_operator.js", "twisted_operator.py"], "operator", "transceiver", "submit"),
        *("UCS-2", "receipts", "refused submit", "subscriber's messages"),
    ),
)
def test_operator_takes_messages_and_reads_the_answers_to_its_own(
    stack: ExitStack, tmp_path: Path, script: str
) -> None:
    operator = scripts.start(stack, script, "b", REFUSED)
    _, peer = behind(stack, operator, tmp_path)

    submit(peer, NOT_OURS, TAKEN)
    submit(peer, OURS, REFUSED)
    until("a refusal read", lambda: len(operator.events("delivered")) == 2)
    submit(peer, OURS, TAKEN_TOO)
    receipts, messages = read(peer.hears_all(4))
    until("all answers read", lambda: len(operator.events("delivered")) == 4)

    assert said(operator.events("submit"), "number", "text") == [(TAKEN, HELLO), (TAKEN_TOO, HELLO)]
    assert receipts == [
        (TAKEN.encode(), State.DELIVERED),
        (TAKEN_TOO.encode(), State.DELIVERED),
        (REFUSED.encode(), State.UNDELIVERABLE),
    ]
    assert messages == [(TAKEN_TOO.encode(), b"hello")]
    assert said(operator.events("delivered"), "number", "kind", "status") == [
        (TAKEN, "message", "ESME_RX_P_APPN"),
        (TAKEN, "receipt", "ESME_ROK"),
        (TAKEN_TOO, "message", "ESME_ROK"),
        (TAKEN_TOO, "receipt", "ESME_ROK"),
    ]
    # No session has ended in between.
    assert said(operator.events("bind"), "status") == [("ESME_ROK",)] * BINDS
    assert operator.events("error") == []


@pytest.mark.shows(
    *("smppy", "operator", "transceiver", "submit", "UCS-2", "subscriber's messages"),
    "no message_id",
)
def test_smppy_reads_answers_and_a_message_without_id_is_told_as_unknown(
    stack: ExitStack, tmp_path: Path
) -> None:
    operator = scripts.start(stack, "smppy_operator.py", "b")
    _, peer = behind(stack, operator, tmp_path)

    # One by one: it reads one PDU at a time, whatever came with it.
    for answered, (source, number) in enumerate([(NOT_OURS, TAKEN), (OURS, TAKEN_TOO)], 1):
        submit(peer, source, number)
        until("an answer read", lambda: len(operator.events("delivered")) == answered)  # noqa: B023
    receipts, messages = read(peer.hears_all(3))

    assert said(operator.events("submit"), "number", "text") == [(TAKEN, HELLO), (TAKEN_TOO, HELLO)]
    # It gives no ids, so nothing that it sent could be the receipt of a message.
    assert receipts == [(TAKEN.encode(), State.UNKNOWN), (TAKEN_TOO.encode(), State.UNKNOWN)]
    assert messages == [(TAKEN_TOO.encode(), b"hello")]
    assert operator.events("error") == []


@pytest.mark.parametrize(
    "script",
    scripts.each(
        ["node_operator.js", "twisted_operator.py", "smppy_operator.py"], "operator", "refused bind"
    ),
)
def test_operator_that_refuses_a_bind_is_understood(
    stack: ExitStack, tmp_path: Path, script: str
) -> None:
    arguments = ["other"] if script.startswith("smppy") else ["other", REFUSED]
    operator = scripts.start(stack, script, *arguments)
    port = operator.event("listening")["port"]
    assert isinstance(port, int)
    router = recorder.router(stack, configuration(port), tmp_path)

    refused = router.child.event("bind.refused")

    status = "ESME_RBINDFAIL" if script.startswith("smppy") else "ESME_RINVPASWD"
    assert refused["status"] == status
    assert operator.event("bind")["status"] == status
