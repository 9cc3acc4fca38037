"""Ready-made dialects, tried against the software that they are for.

The real router, smpp34's operator behind it, and the library's own code as the client: it finds
the message that a receipt is about in its own way.
"""

import asyncio
import base64
import json
import re
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.processes import DEADLINE_S, Child
from router.smpp import vocabulary as v
from router.smpp.pdu import Sm, message_id_of
from tests.e2e.scene import PASSWORD, Peer
from tests.interop import scripts
from tests.interop.kannel import BUFFERED, DELIVERED, EXPIRED, FAILED, SENT, Kannel
from tests.interop.rust_operator import REFUSED, between, run
from tests.interop.scripts import said

WORDS = {
    "37255510001": ("ENROUTE", "DELIVRD"),
    "37255510002": ("UNDELIV",),
    "37255510003": ("EXPIRED",),
    "37255510004": ("SKIPPED",),
    REFUSED: (),
}
"""The numbers, and what the operator reports of them."""


def dialect(name: str) -> tuple[str, str]:
    """The change of the configuration that gives `bank` this dialect."""
    return ("bank: {", f"bank: {{dialect: {name}, ")


@pytest.mark.shows(
    *("Kannel", "client", "dialect kannel", "transceiver", "transmitter and receiver", "receipts"),
    *("intermediate notifications", "ids in hex", "ids of 8 characters"),
)
@pytest.mark.shows("smpp34", "operator", "submit", "receipts")
@pytest.mark.parametrize(
    ("words", "settings", "transceiver"),
    [
        ("kannel", "", True),
        ("kannel", "", False),
        ("{like: kannel, message_id: {response: hex, receipt: decimal}}", "msg-id-type = 1", True),
        ("{like: kannel, message_id: {response: decimal, receipt: hex}}", "msg-id-type = 2", True),
        ("{like: kannel, message_id: hex8, date_digits: 12, intermediate: 0x04}", "", True),
    ],
)
def test_kannel_finds_the_message_of_each_receipt(
    stack: ExitStack, tmp_path: Path, words: str, settings: str, *, transceiver: bool
) -> None:
    async def campaign() -> Kannel:
        smsc, router = await between(stack, tmp_path, dialect(words))
        smsc.words |= WORDS

        def through_kannel() -> Kannel:
            kannel = Kannel(
                stack, tmp_path, router.port, transceiver=transceiver, settings=settings
            )
            for number in WORDS:
                kannel.send(number)
            kannel.until(2 * len(WORDS) + 1)
            return kannel

        return await asyncio.to_thread(through_kannel)

    kannel = run(campaign())
    told: dict[str, set[int]] = {}
    for call in kannel.calls:
        told.setdefault(call["number"], set()).add(int(call["kind"]))
        if int(call["kind"]) != SENT:
            assert re.match(r"id:\S+ sub:001 dlvrd:00[01] submit date:\d", call["text"])
    assert told == {
        "37255510001": {SENT, BUFFERED, DELIVERED},
        "37255510002": {SENT, FAILED},
        "37255510003": {SENT, EXPIRED},
        "37255510004": {SENT, FAILED},
        REFUSED: {SENT, FAILED},
    }


@pytest.mark.shows("Jasmin", "parser", "dialect jasmin", "receipts", "intermediate notifications")
@pytest.mark.shows("smpp.twisted3", "client", "transceiver", "submit", "intermediate notifications")
@pytest.mark.shows("smpp34", "operator", "submit", "receipts")
def test_jasmins_parser_reads_each_receipt(stack: ExitStack, tmp_path: Path) -> None:
    async def campaign() -> Child:
        smsc, router = await between(stack, tmp_path, dialect("jasmin"))
        smsc.words |= WORDS
        count = str(len(WORDS) + 1)
        client = scripts.start(stack, "jasmin_client.py", str(router.port), PASSWORD, count, *WORDS)
        assert await asyncio.to_thread(client.ends) == 0, client.lines
        return client

    client = run(campaign())
    ids = {one["number"]: one["id"] for one in client.events("answer")}
    receipts = client.events("receipt")
    assert said(receipts, "number", "state", "id") == sorted(
        (number, state, ids[number])
        for number, state in [
            ("37255510001", "UNKNOWN"),  # ENROUTE.
            ("37255510001", "DELIVRD"),
            ("37255510002", "UNDELIV"),
            ("37255510003", "EXPIRED"),
            ("37255510004", "UNDELIV"),
            (REFUSED, "UNDELIV"),
        ]
    )
    for receipt in receipts:
        assert re.fullmatch(r"\d{10}", str(receipt["submitted"]))
        assert re.fullmatch(r"\d{10}", str(receipt["done"]))
        assert receipt["err"] == ("011" if receipt["number"] == REFUSED else "000")


PHP_SMPP = r"""
$pattern = '/^id:([^ ]+) sub:(\d{1,3}) dlvrd:(\d{3}) submit date:(\d{10,12}) done date:(\d{10,12}) '
  . 'stat:([A-Z ]{7}) err:(\d{2,3}) text:(.*)$/si';
while (($line = fgets(STDIN)) !== false) {
  $found = [];
  preg_match($pattern, base64_decode($line), $found);
  echo json_encode($found), "\n";
}
"""
"""The pattern that php-smpp reads receipts with, in PHP's own engine."""


@pytest.mark.shows(
    *("php-smpp's pattern, in PHP", "parser", "dialect php-smpp", "receipts"),
    "intermediate notifications",
)
@pytest.mark.shows("smpp34", "operator", "submit", "receipts")
def test_php_smpps_pattern_reads_each_receipt(stack: ExitStack, tmp_path: Path) -> None:
    if shutil.which("php") is None:
        pytest.skip("PHP is not installed")

    async def campaign() -> tuple[dict[bytes, bytes], list[Sm]]:
        smsc, router = await between(stack, tmp_path, dialect("php-smpp"))
        smsc.words |= WORDS

        def as_php_smpp() -> tuple[dict[bytes, bytes], list[Sm]]:
            sends, reads = (stack.enter_context(Peer(router.port)) for _ in range(2))
            sends.bind("bank", command_id=v.BIND_TRANSMITTER)
            reads.bind("bank", command_id=v.BIND_RECEIVER)
            ids = {
                number.encode(): message_id_of(sends.submit(number, registered_delivery=0x11))
                for number in WORDS
            }
            return ids, reads.hears_all(len(WORDS) + 1)

        return await asyncio.to_thread(as_php_smpp)

    ids, receipts = run(campaign())
    lines = b"".join(base64.b64encode(sm.short_message) + b"\n" for sm in receipts)
    done = subprocess.run(
        ["php", "-r", PHP_SMPP], input=lines, capture_output=True, check=True, timeout=DEADLINE_S
    )
    read = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted((found[6], found[1]) for found in read) == sorted(
        (state, ids[number.encode()].decode())
        for number, state in [
            ("37255510001", "ENROUTE"),
            ("37255510001", "DELIVRD"),
            ("37255510002", "UNDELIV"),
            ("37255510003", "EXPIRED"),
            ("37255510004", "SKIPPED"),
            (REFUSED, "UNDELIV"),
        ]
    )
    assert all(sm.esm_class & 0x04 for sm in receipts)
