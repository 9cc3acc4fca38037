"""PDUs as a capture that Wireshark reads: classic pcap, raw IP packets, TCP made up around them.

The octets are what passed in the clear, also where the wire had TLS. Addresses, ports and times are
those of the connection. Numbers of TCP begin at 1 for each direction and count what is written
here: what a trace left out leaves no gap. A PDU longer than a segment is split, as TCP does.

Source: libpcap, pcap-savefile(5); LINKTYPE_RAW; RFC 791, 8200, 9293, 1071.
"""

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import IO, Final

from router.terms.oldest_first import OldestFirst

SEGMENT_OCTETS: Final = 1440
"""Of TCP in one packet, as on an Ethernet with IPv6."""
MOST_CONNECTIONS: Final = 10_000
"""Whose numbers are remembered; one that was forgotten begins at 1 again."""
_LINKTYPE_RAW: Final = 101
_TCP: Final = 6
_ACK, _PUSH, _FIN = 0x10, 0x08, 0x01
_FILE: Final = struct.Struct("<IHHiIII")
_PACKET: Final = struct.Struct("<IIII")
_TCP_HEADER: Final = struct.Struct(">HHIIBBHHH")

End = tuple[str, int]


class Pcap:
    """A capture that is written to a file."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file: Final = file
        self._next: Final[OldestFirst[tuple[End, End], dict[End, int]]] = OldestFirst(
            MOST_CONNECTIONS
        )
        """By connection, the number of the next octet of each end."""
        file.write(_FILE.pack(0xA1B2C3D4, 2, 4, 0, 0, 262_144, _LINKTYPE_RAW))

    def write(self, at_utc: float, sender: End, receiver: End, octets: bytes) -> None:
        """Write what one end of a connection sent to the other."""
        for at in range(0, len(octets), SEGMENT_OCTETS):
            self._segment(at_utc, sender, receiver, _ACK | _PUSH, octets[at : at + SEGMENT_OCTETS])

    def end(self, at_utc: float, sender: End, receiver: End) -> None:
        """Write that the connection is over, and forget it."""
        self._segment(at_utc, sender, receiver, _ACK | _FIN, b"")
        self._segment(at_utc, receiver, sender, _ACK | _FIN, b"")
        self._next.pop(_connection(sender, receiver))

    def _segment(
        self, at_utc: float, sender: End, receiver: End, flags: int, octets: bytes
    ) -> None:
        key = _connection(sender, receiver)
        numbers = self._next.get(key) or {sender: 1, receiver: 1}
        self._next.put(key, numbers)
        packet = _packet(sender, receiver, numbers[sender], numbers.get(receiver, 1), flags, octets)
        count = len(octets) + (flags & _FIN)
        numbers[sender] = (numbers[sender] + count) & 0xFFFF_FFFF
        at_us = round(at_utc * 1e6)
        length = len(packet)
        self._file.write(_PACKET.pack(*divmod(at_us, 1_000_000), length, length) + packet)


def _connection(sender: End, receiver: End) -> tuple[End, End]:
    return (sender, receiver) if sender <= receiver else (receiver, sender)


def _packet(
    sender: End, receiver: End, number: int, acknowledged: int, flags: int, octets: bytes
) -> bytes:
    source, destination = _address(sender[0]), _address(receiver[0])
    if source.version != destination.version:  # One of them was gone, and is not known.
        source, destination = _mapped(source), _mapped(destination)
    ports = sender[1] & 0xFFFF, receiver[1] & 0xFFFF
    length = _TCP_HEADER.size + len(octets)
    pseudo = source.packed + destination.packed + struct.pack(">II", length, _TCP)

    def tcp(checksum: int) -> bytes:
        window = 0xFFFF
        return _TCP_HEADER.pack(*ports, number, acknowledged, 5 << 4, flags, window, checksum, 0)

    segment = tcp(_checksum(pseudo + tcp(0) + octets)) + octets
    ends = source.packed + destination.packed
    if source.version == 6:
        return struct.pack(">IHBB", 6 << 28, length, _TCP, 64) + ends + segment

    def ip(checksum: int) -> bytes:
        return struct.pack(">BBHIBBH", 0x45, 0, 20 + length, 0, 64, _TCP, checksum) + ends

    return ip(_checksum(ip(0))) + segment


def _address(host: str) -> IPv4Address | IPv6Address:
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        return IPv4Address(0)


def _mapped(address: IPv4Address | IPv6Address) -> IPv6Address:
    if isinstance(address, IPv6Address):
        return address
    return IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)


def _checksum(octets: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    if len(octets) % 2:
        octets += b"\0"
    total: int = sum(struct.unpack(f">{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
