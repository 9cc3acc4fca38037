"""The reading of captures itself: what is malformed is found, and what is only unknown is not."""

import time
from pathlib import Path

import pytest

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from tests.interop import recorder

pytestmark = pytest.mark.skipif(recorder.TSHARK is None, reason="needs tshark")

OK = v.ESME_ROK


def response(command_id: int, body: bytes) -> bytes:
    return p.build(command_id | v.RESPONSE, OK, 7, body)


def delivery(tlvs: bytes = b"") -> bytes:
    addresses = {"source": (1, 1, b"37255512345"), "destination": (5, 0, b"BANK")}
    return p.sm(v.DELIVER_SM, 7, **addresses, short_message=b"hello", tlvs=tlvs)  # type: ignore[arg-type]


def with_length(octets: bytes, change: int) -> bytes:
    """The same with another sm_length."""
    at = octets.index(b"\x05hello")
    return octets[:at] + bytes((octets[at] + change,)) + octets[at + 1 :]


def reading(folder: Path, *writes: bytes, peer: str = recorder.CLIENT) -> recorder.Reading:
    """What is read of a router that has written this."""
    one = recorder.Connection(peer, [(time.time(), True, octets) for octets in writes])
    one.chunks.insert(0, (time.time(), False, b"what the peer says is not judged"))
    recording = recorder.Recording()
    recording.connections.append(one)
    return recorder.read(recording, folder / "planted.pcap")


@pytest.mark.parametrize(
    "octets",
    [
        delivery(b"\x14\x01\x00\x09\xff"),  # A TLV with a longer length than there is.
        delivery(b"\x14\x01\x00"),
        delivery(p.tlv(v.MESSAGE_STATE, b"\2\0")),  # Of one octet, it says two.
        with_length(delivery(), -1),
        with_length(delivery(), 40),
        response(v.SUBMIT_SM, b"4711"),  # Without its NUL.
        response(v.QUERY_SM, b"4711\0\0"),
        response(v.SUBMIT_MULTI, b"4711\0\2\1\x01372\0\0\0\0\x0b"),  # One of two.
        delivery()[:-3],
        delivery() + b"\0\0",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ],
)
def test_what_is_malformed_is_found_between_what_is_not(tmp_path: Path, octets: bytes) -> None:
    assert len(reading(tmp_path, delivery() + octets).wrong) == 1


def test_what_is_only_unknown_to_tshark_is_not_malformed(tmp_path: Path) -> None:
    writes = [
        response(v.BIND_TRANSCEIVER, b"router\0" + p.tlv(v.SC_INTERFACE_VERSION, b"\x50")),
        response(v.SUBMIT_SM, b"4711\0" + p.tlv(v.CONGESTION_STATE, b"\x63")),
        response(v.QUERY_SM, b"4711\0\0\2\0"),
        p.response(v.SUBMIT_SM, 7, v.ESME_RINVDSTADR),
        p.response(v.SUBMIT_SM, 7, 0x00000421, b"\0"),
        delivery(p.tlv(0x1401, b"\xff\x00") + p.tlv(0x3FFF, b"")),
        delivery(p.tlv(v.MESSAGE_PAYLOAD, b"x" * 5_000)),
    ]
    for peer in (recorder.CLIENT, recorder.OPERATOR):
        assert reading(tmp_path, *writes, peer=peer) == recorder.Reading(len(writes), [])
    octets = b"".join(writes)
    cut = [octets[at : at + 7] for at in range(0, len(octets), 7)]
    assert reading(tmp_path, *cut) == recorder.Reading(len(writes), [])


def test_tls_is_not_read(tmp_path: Path) -> None:
    assert reading(tmp_path, b"\x16\x03\x03\x00\x05hello") == recorder.Reading(0, [])
