"""router/forward/validity.py: what an operator is told of a message's validity."""

import pytest

from router.forward.validity import with_what_remains
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu, Sm
from router.terms.message import Message
from tests.unit.messages import ACCEPTED_UTC, message

TLVS = p.tlv(0x1401, b"\xff\xfe")


def lasting(period: bytes, schedule: bytes = b"") -> Message:
    """A message that may wait for five minutes."""
    one = message()
    one.expires_utc = ACCEPTED_UTC + 300.0
    one.octets = p.sm(
        v.SUBMIT_SM,
        7,
        destination=(1, 1, b"37255512345"),
        schedule_delivery_time=schedule,
        validity_period=period,
        short_message=b"Tere",
        tlvs=TLVS,
    )
    return one


@pytest.mark.parametrize(
    ("waited_s", "period"),
    [
        (0.0, b"000000000500000R"),
        (0.5, b"000000000459000R"),
        (60.0, b"000000000400000R"),
        (299.5, b"000000000001000R"),
    ],
)
def test_relative_period_is_shorter_by_what_was_waited(waited_s: float, period: bytes) -> None:
    one = lasting(b"000000000500000R", b"000000000100000R")
    octets = with_what_remains(one, ACCEPTED_UTC + waited_s)
    assert octets[16:] == lasting(period, b"000000000100000R").octets[16:]


@pytest.mark.parametrize("period", [b"", b"270115080500000+", b"270115080500000-"])
def test_any_other_period_is_as_it_came(period: bytes) -> None:
    one = lasting(period)
    assert with_what_remains(one, ACCEPTED_UTC + 60.0) is one.octets


def test_data_sm_has_no_period() -> None:
    one = lasting(b"")
    body = b"\0" + p.address(1, 1, b"1") + p.address(1, 1, b"2") + bytes(3) + TLVS
    one.command_id, one.octets = v.DATA_SM, p.build(v.DATA_SM, 0, 7, body)
    assert Sm(Pdu(v.DATA_SM, 0, 7, one.octets)).validity_period == b""
    assert with_what_remains(one, ACCEPTED_UTC + 60.0) is one.octets
