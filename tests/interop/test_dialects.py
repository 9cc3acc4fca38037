"""Ready-made dialects, tried against the software that they are for.

The real router, smpp34's operator behind it, and the library's own code as the client: it finds
the message that a receipt is about in its own way.
"""

import asyncio
import re
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.kannel import BUFFERED, DELIVERED, EXPIRED, FAILED, SENT, Kannel
from tests.interop.rust_operator import REFUSED, between, run

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


@pytest.mark.parametrize(
    ("words", "settings", "transceiver"),
    [
        ("kannel", "", True),
        ("kannel", "", False),
        ("{like: kannel, message_id: {response: hex, receipt: decimal}}", "msg-id-type = 1", True),
        ("{like: kannel, message_id: {response: decimal, receipt: hex}}", "msg-id-type = 2", True),
        ("{like: kannel, message_id: hex, date_digits: 12}", "msg-id-type = 3", True),
        ("{like: kannel, message_id: uuid}", "", True),
        ("{like: kannel, message_id: hex8, intermediate: 0x04}", "", True),
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
