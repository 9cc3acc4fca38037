"""simulators/receipts.py: how the texts of receipts are written."""

import pytest

from router.smpp.receipt import State
from simulators.behaviour import ReceiptText
from simulators.receipts import in_other_words, packed

USUAL = (
    b"id:7F sub:001 dlvrd:000 submit date:2611290801 done date:2611290802 "
    b"stat:UNDELIV err:011 text:"
)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("usual", USUAL),
        ("full", USUAL.replace(b"UNDELIV", b"UNDELIVERABLE")),
        ("lower", USUAL.lower()),
        (
            "commas",
            b"id:7F, sub:001, dlvrd:000, submit date:2611290801, done date:2611290802, "
            b"stat:UNDELIV, err:011, text:",
        ),
        (
            "bars",
            b"id:7F|sub:001|dlvrd:000|submit date:2611290801|done date:2611290802|"
            b"stat:UNDELIV|err:011|text:",
        ),
        (
            "quotes",
            b'id:"7F" sub:"001" dlvrd:"000" submit date:"2611290801" done date:"2611290802" '
            b'stat:"UNDELIV" err:"011" text:',
        ),
        ("0x", USUAL.replace(b"7F", b"0x7F")),
        (
            "reversed",
            b"err:011 stat:UNDELIV done date:2611290802 submit date:2611290801 dlvrd:000 sub:001 "
            b"id:7F text:",
        ),
        ("packed", packed(USUAL)),
    ],
)
def test_text_is_written_as_told(text: ReceiptText, written: bytes) -> None:
    assert in_other_words(USUAL, State.UNDELIVERABLE, text) == (written, 0)


def test_ucs2_has_its_data_coding() -> None:
    found = in_other_words(USUAL, State.UNDELIVERABLE, "ucs2")
    assert found == (USUAL.decode().encode("utf-16-be"), 8)


def test_eight_characters_are_packed_into_seven_octets() -> None:
    assert packed(b"hellohello") == bytes.fromhex("E8329BFD4697D9EC37")
