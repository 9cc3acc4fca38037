"""router/accept/proxy_header.py: what is a header, where it ends, and whom it names."""

from ipaddress import IPv4Address, IPv6Address
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.accept.proxy_header import (
    HEAD_OCTETS,
    MOST_OCTETS,
    SIGNATURE,
    HeaderError,
    Origin,
    octets_to_come,
    origin_of,
)

IPV4: Final = IPv4Address("203.0.113.7").packed + IPv4Address("10.0.0.1").packed
IPV6: Final = IPv6Address("2001:db8::7").packed + IPv6Address("2001:db8::1").packed
PORTS: Final = (40_000).to_bytes(2) + (2775).to_bytes(2)


def header(
    body: bytes = IPV4 + PORTS, family: int = 0x11, command: int = 0x21, length: int | None = None
) -> bytes:
    """A header as proxies write it; `length` as it is told, if not as it is."""
    told = len(body) if length is None else length
    return SIGNATURE + bytes((command, family)) + told.to_bytes(2) + body


def read(octets: bytes, at_once: int = 1_000_000) -> tuple[bytes, bytes]:
    """What is read of a connection as a header, and what is left; so many octets come at once.

    Raises HeaderError; EOFError where it ends before its end.
    """
    begun = b""
    while to_come := octets_to_come(begun):
        more = octets[len(begun) : len(begun) + min(to_come, at_once)]
        if not more:
            raise EOFError
        begun += more
    return begun, octets[len(begun) :]


def refusal(octets: bytes) -> str:
    """Why it is none."""
    with pytest.raises(HeaderError) as found:
        origin_of(read(octets)[0])
    return str(found.value)


@pytest.mark.parametrize(
    ("octets", "origin"),
    [
        (header(), Origin("203.0.113.7", 40_000)),
        (header(IPV6 + PORTS, 0x21), Origin("2001:db8::7", 40_000)),
        (
            header(IPv6Address("::ffff:203.0.113.7").packed + IPV6[16:] + PORTS, 0x21),
            Origin("203.0.113.7", 40_000),
        ),
        (header(IPV4 + PORTS + b"\x02\x00\x04bank"), Origin("203.0.113.7", 40_000)),  # A TLV.
        (header(IPV4 + PORTS + b"\xff" * 500), Origin("203.0.113.7", 40_000)),  # None is read.
        (header(b"", 0x00, 0x20), None),
        (header(IPV4 + PORTS, 0x11, 0x20), None),
        (header(b"\0" * 216, 0x31, 0x20), None),
    ],
    ids=["IPv4", "IPv6", "mapped", "TLV", "broken TLV", "LOCAL", "LOCAL IPv4", "LOCAL UNIX"],
)
def test_header_names_who_is_behind_the_proxy(octets: bytes, origin: Origin | None) -> None:
    found, left = read(octets + b"SMPP or TLS")
    assert (found, left) == (octets, b"SMPP or TLS")
    assert origin_of(found) == origin


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"PROXY TCP4 203.0.113.7 10.0.0.1 40000 2775\r\n", "version 1"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "TLS without a header"),
        (b"\0\0\0\x2f\0\0\0\x09", "no header"),
        (b"GET / HTTP/1.1\r\n", "no header"),
        (SIGNATURE[:11] + b"\r", "no header"),
        (header(command=0x11), "version 1"),
        (header(command=0x31), "version 3"),
        (header(command=0x2F), "unknown command 15"),
        (header(b"", 0x00), "family 0x00"),
        (header(b"\0" * 216, 0x31), "family 0x31"),
        (header(family=0x12), "family 0x12"),
        (header(family=0x22), "family 0x22"),
        (header(length=MOST_OCTETS + 1), f"{MOST_OCTETS + 1} octets"),
        (header(length=0xFFFF), "65535 octets"),
        (header(IPV4 + PORTS[:3]), "too short"),
        (header(IPV4 + PORTS, 0x21), "too short"),
        (header(b""), "too short"),
    ],
)
def test_what_is_no_header_is_told_as_what_it_is(octets: bytes, why: str) -> None:
    assert why in refusal(octets)


@pytest.mark.parametrize("octets", [b"P", b"\x16", b"\0", SIGNATURE[:5] + b"x"])
def test_garbage_is_recognised_before_a_head_has_come(octets: bytes) -> None:
    with pytest.raises(HeaderError):
        octets_to_come(octets)


@given(st.integers(1, 60), st.binary(max_size=300))
def test_header_ends_where_it_ends_however_it_comes(at_once: int, behind: bytes) -> None:
    octets = header(IPV6 + PORTS + b"\x04\x00\x02\0\0", 0x21)
    assert read(octets + behind, at_once) == (octets, behind)


@given(st.binary(max_size=100) | st.binary(max_size=100).map(lambda more: SIGNATURE + more))
def test_any_octets_are_a_header_or_are_refused_and_none_behind_it_is_read(octets: bytes) -> None:
    try:
        found, left = read(octets)
        origin = origin_of(found)
    except (HeaderError, EOFError):
        return
    assert found + left == octets
    assert len(found) == HEAD_OCTETS + int.from_bytes(octets[14:16])
    assert origin is None or 0 <= origin.port <= 0xFFFF
