"""router/smpp/downgrade.py: a deliver_sm for a client of version 3.3, which knows no TLVs."""

import pytest

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.downgrade import without_tlvs
from router.smpp.pdu import LONGEST_SHORT_MESSAGE_OCTETS, Pdu, Sm
from router.smpp.receipt import State, deliver_sm


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
