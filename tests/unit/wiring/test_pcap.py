"""router/wiring/pcap.py: packets that add up to what was sent, with checksums that are right."""

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.wiring.pcap import SEGMENT_OCTETS, End, Pcap

V4: tuple[End, End] = (("192.0.2.1", 40000), ("192.0.2.9", 2775))
V6: tuple[End, End] = (("2001:db8::1", 40000), ("fe80::1%eth0", 2775))


def packets(octets: bytes) -> list[tuple[float, bytes]]:
    """Time and octets of each packet in a file, to its last octet."""
    assert octets[:24] == struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 101)
    found, at = [], 24
    while at < len(octets):
        second, micro, length, whole = struct.unpack_from("<IIII", octets, at)
        assert length == whole
        found.append((second + micro / 1e6, octets[at + 16 : at + 16 + length]))
        at += 16 + length
    assert at == len(octets)
    return found


def checksum_is_right(octets: bytes) -> bool:
    octets += bytes(len(octets) % 2)
    total: int = sum(struct.unpack(f">{len(octets) // 2}H", octets))
    return total % 0xFFFF == 0


def split(packet: bytes) -> tuple[bytes, bytes, bytes]:
    """Addresses, the header of TCP, and what it carries; lengths and checksums are looked at."""
    if packet[0] >> 4 == 4:
        head, segment = packet[:20], packet[20:]
        assert struct.unpack_from(">H", head, 2)[0] == len(packet)
        assert checksum_is_right(head)
        ends = head[12:20]
    else:
        head, segment = packet[:40], packet[40:]
        assert struct.unpack_from(">H", head, 4)[0] == len(segment)
        ends = head[8:40]
    assert checksum_is_right(ends + struct.pack(">II", len(segment), 6) + segment)
    return ends, segment[:20], segment[20:]


@pytest.mark.parametrize("ends", [V4, V6, (V4[0], V6[0]), (("", 0), V6[0])])
def test_packets_have_addresses_ports_and_time(ends: tuple[End, End]) -> None:
    file = io.BytesIO()
    pcap = Pcap(file)
    pcap.write(1_800_000_000.123456, *ends, b"request")
    ((at, packet),) = packets(file.getvalue())
    _, tcp, carried = split(packet)
    assert at == pytest.approx(1_800_000_000.123456, abs=1e-6)
    assert struct.unpack_from(">HHII", tcp) == (ends[0][1], ends[1][1], 1, 1)
    assert carried == b"request"


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4000)), max_size=8))
def test_each_direction_adds_up_and_no_segment_is_too_long(said: list[tuple[bool, int]]) -> None:
    file = io.BytesIO()
    pcap = Pcap(file)
    sent: dict[int, bytes] = {40000: b"", 2775: b""}
    for is_client, length in said:
        sender, receiver = V4 if is_client else V4[::-1]
        octets = bytes((length % 251,)) * length
        sent[sender[1]] += octets
        pcap.write(1.0, sender, receiver, octets)
    pcap.end(2.0, *V4)
    heard: dict[int, bytes] = {40000: b"", 2775: b""}
    for _, packet in packets(file.getvalue()):
        _, tcp, carried = split(packet)
        port, other, number, acknowledged = struct.unpack_from(">HHII", tcp)
        assert len(carried) <= SEGMENT_OCTETS
        assert number == 1 + len(heard[port])
        heard[port] += carried
        ends = bool(tcp[13] & 1) and port == V4[1][1]  # The other end's end counts as one.
        assert acknowledged == 1 + len(heard[other]) + ends
    assert heard == sent


def test_connection_that_is_over_begins_anew() -> None:
    file = io.BytesIO()
    pcap = Pcap(file)
    pcap.write(1.0, *V4, b"one")
    pcap.end(1.0, *V4)
    pcap.write(1.0, *V4, b"two")
    (_, packet) = packets(file.getvalue())[-1]
    assert struct.unpack_from(">I", split(packet)[1], 4)[0] == 1


def test_numbers_begin_again_behind_the_last_one() -> None:
    file = io.BytesIO()
    pcap = Pcap(file)
    pcap.write(1.0, *V4, b"x")
    pcap._next.by_key[V4][V4[0]] = 0xFFFF_FFFE
    pcap.write(1.0, *V4, b"four")
    pcap.write(1.0, *V4, b"x")
    numbers = [struct.unpack_from(">I", split(one)[1], 4)[0] for _, one in packets(file.getvalue())]
    assert numbers == [1, 0xFFFF_FFFE, 2]
