"""The header of the PROXY protocol, version 2: whose connection a load balancer passes on.

`octets_to_come` is asked with what has come so far, and only so many octets are read then: not one
of those behind the header, which belong to TLS or SMPP. Garbage is recognised by its first octets
that are none of a header, so nobody has to wait for the rest of it.

TLVs (the name that a client asked for, the checksum and others) are passed over unread.

Source: The PROXY protocol, Versions 1 & 2 (haproxy.org, proxy-protocol.txt), 2.2.
"""

from ipaddress import IPv4Address, IPv6Address
from typing import Final, NamedTuple

SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
"""How each header begins."""
HEAD_OCTETS: Final = 16
"""The signature, version and command, family, and the length of the rest."""
MOST_OCTETS: Final = 2048
"""Octets behind the head: addresses and TLVs. Proxies send less than 600, even with the names of a
client's certificate."""
FIRST_OCTETS: Final = (SIGNATURE[:1], b"P")
"""With these begin headers of version 2 and 1, and neither SMPP nor TLS."""
_V1: Final = b"PROXY "
_TLS: Final = b"\x16\x03"
_VERSION: Final = 2
_LOCAL: Final = 0
_PROXY: Final = 1
_TCP4: Final = 0x11
_TCP6: Final = 0x21
_TCP4_OCTETS: Final = 12
_TCP6_OCTETS: Final = 36


class HeaderError(Exception):
    """A connection that does not begin as it must; the text says how, for the log."""


class Origin(NamedTuple):
    """Where a client is."""

    host: str
    """Numeric; an IPv4 address that was mapped into IPv6 as what it is."""
    port: int


def octets_to_come(begun: bytes) -> int:
    """Return how many octets have to be read before this can be asked again; 0: it is whole.

    Raises HeaderError as soon as it cannot become a header that is taken.
    """
    if not SIGNATURE.startswith(begun[: len(SIGNATURE)]):
        raise HeaderError(_instead(begun))
    if len(begun) < HEAD_OCTETS:
        return HEAD_OCTETS - len(begun)
    _check_head(begun)
    length = int.from_bytes(begun[14:16])
    if length > MOST_OCTETS:
        raise HeaderError(f"a header of {length} octets; at most {MOST_OCTETS} are taken")
    return HEAD_OCTETS + length - len(begun)


def origin_of(header: bytes) -> Origin | None:
    """Return where the client is; None for a connection of the proxy itself, a health check.

    `header` is whole. Raises HeaderError if it names no address.
    """
    command, family = _check_head(header)
    if command == _LOCAL:
        return None
    body = header[HEAD_OCTETS:]
    if family == _TCP4:
        if len(body) < _TCP4_OCTETS:
            raise HeaderError("a header that is too short for its addresses")
        return Origin(str(IPv4Address(body[:4])), int.from_bytes(body[8:10]))
    if len(body) < _TCP6_OCTETS:
        raise HeaderError("a header that is too short for its addresses")
    address = IPv6Address(body[:16])
    return Origin(str(address.ipv4_mapped or address), int.from_bytes(body[32:34]))


def _check_head(begun: bytes) -> tuple[int, int]:
    """Return the command and the family. Raises HeaderError for those that are not taken."""
    version, command, family = begun[12] >> 4, begun[12] & 0x0F, begun[13]
    if version != _VERSION:
        raise HeaderError(f"a header of version {version}; it has to be 2")
    if command not in (_LOCAL, _PROXY):
        raise HeaderError(f"a header with the unknown command {command}")
    if command == _PROXY and family not in (_TCP4, _TCP6):
        raise HeaderError(f"a header with the family 0x{family:02X}, which is not TCP over IP")
    return command, family


def _instead(begun: bytes) -> str:
    """Say what came instead of a header."""
    if begun.startswith(_V1[: len(begun)]):
        return "a header of version 1; have the proxy send version 2 (haproxy: send-proxy-v2)"
    if begun.startswith(_TLS[: len(begun)]):
        return "TLS without a header before it"
    return "no header of the PROXY protocol"
