"""router/smpp/downgrade.py: what a client or an operator of version 3.3 is sent, without TLVs."""

from typing import Final

import pytest

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.downgrade import submit_without_tlvs, without_tlvs
from router.smpp.pdu import LONGEST_SHORT_MESSAGE_OCTETS, Pdu, Sm
from router.smpp.receipt import State, deliver_sm
from tests.peers import data_sm


def plain(octets: bytes) -> Sm:
    return Sm(Pdu(v.DELIVER_SM, 0, 0, without_tlvs(octets)))


def test_receipt_without_tlvs_is_the_same_text() -> None:
    fields = {
        "client_id": b"12300",
        "err": b"000",
        "submitted": b"2701150800",
        "done": b"2701150801",
        "source_octets": p.address(1, 1, b"372555"),
        "destination_octets": p.address(5, 0, b"BANK"),
    }
    made = [
        deliver_sm(state=State.DELIVERED, tlvs=tlvs, **fields)  # type: ignore[arg-type]
        for tlvs in (True, False)
    ]
    assert without_tlvs(made[0]) == made[1] == without_tlvs(made[1])


def in_payload(text: bytes) -> bytes:
    return p.sm(v.DELIVER_SM, 0, destination=(5, 0, b"BANK"), tlvs=p.tlv(v.MESSAGE_PAYLOAD, text))


@pytest.mark.parametrize("octets", [1, LONGEST_SHORT_MESSAGE_OCTETS])
def test_text_in_the_message_payload_moves_into_the_short_message(octets: int) -> None:
    sm = plain(in_payload(b"x" * octets))
    assert (sm.short_message, list(sm.tlvs())) == (b"x" * octets, [])
    assert sm.destination == (5, 0, b"BANK")


def test_text_that_no_short_message_can_hold_stays_where_it_is() -> None:
    octets = in_payload(b"x" * (LONGEST_SHORT_MESSAGE_OCTETS + 1))
    assert without_tlvs(octets) == octets


# To an operator.

TO: Final = (1, 1, b"37255512345")
VENDORS: Final = p.tlv(0x1400, b"vendor")


def submit(text: bytes = b"", tlvs: bytes = VENDORS, esm_class: int = 0) -> bytes:
    return p.sm(
        v.SUBMIT_SM,
        0,
        destination=TO,
        short_message=text,
        tlvs=tlvs,
        esm_class=esm_class,
        validity_period=b"000001000000000R",
        registered_delivery=1,
        data_coding=8,
    )


def in_two(text: bytes, tlvs: bytes = b"") -> bytes:
    """The text as the first of two parts, by SAR TLVs."""
    sar = p.tlv(0x020C, b"\0\7") + p.tlv(0x020E, b"\2") + p.tlv(0x020F, b"\1")
    return submit(text, sar + tlvs)


@pytest.mark.parametrize("text", [b"", b"x", b"x" * LONGEST_SHORT_MESSAGE_OCTETS])
def test_submit_sm_to_an_operator_has_all_but_its_tlvs(text: bytes) -> None:
    assert submit_without_tlvs(submit(text)) == submit(text, b"")
    payload = p.tlv(v.MESSAGE_PAYLOAD, text)
    assert submit_without_tlvs(submit(b"", VENDORS + payload)) == submit(text, b"")


def test_part_by_its_header_loses_its_tlvs_too() -> None:
    text = b"\x05\x00\x03\x07\x02\x01hello"
    assert submit_without_tlvs(submit(text, esm_class=0x40)) == submit(text, b"", 0x40)


@pytest.mark.parametrize(
    "octets",
    [
        in_two(b"hello", VENDORS),
        submit(b"", p.tlv(v.MESSAGE_PAYLOAD, b"x" * (LONGEST_SHORT_MESSAGE_OCTETS + 1))),
        data_sm(0, source=TO, destination=TO, tlvs=VENDORS),
    ],
)
def test_what_would_say_something_else_without_tlvs_keeps_them(octets: bytes) -> None:
    assert submit_without_tlvs(octets) == octets
