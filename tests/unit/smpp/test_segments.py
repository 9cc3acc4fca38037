"""router/smpp/segments.py: which part of which message, in each of the ways that clients say it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu, Sm
from router.smpp.segments import Part, part_of
from router.smpp.text import UDHI

SHORT = b"\x00\x03\x2a\x03\x02"
"""The element with an 8-bit reference: 42, part 2 of 3."""
LONG = b"\x08\x04\x01\x2a\x03\x02"
PORTS = b"\x05\x04\x0b\x84\x23\xf0"
SHIFT = b"\x24\x01\x01"
OF_LONG = (1 << 16) + 0x012A
OF_SAR = (2 << 16) + 0x012A
SAR = p.tlv(0x020C, b"\x01\x2a") + p.tlv(0x020E, b"\x03") + p.tlv(0x020F, b"\x02")


def sm_of(message: bytes, esm_class: int = UDHI, tlvs: bytes = b"") -> Sm:
    octets = p.sm(
        v.SUBMIT_SM,
        0,
        destination=(1, 1, b"372"),
        esm_class=esm_class,
        short_message=message,
        tlvs=tlvs,
    )
    return Sm(Pdu(v.SUBMIT_SM, 0, 0, octets))


def in_data_sm(tlvs: bytes, esm_class: int = UDHI) -> Sm:
    body = b"\0" + p.address(0, 0, b"") + p.address(1, 1, b"372") + bytes((esm_class, 0, 0)) + tlvs
    return Sm(Pdu(v.DATA_SM, 0, 0, p.build(v.DATA_SM, 0, 0, body)))


def with_header(*elements: bytes) -> bytes:
    header = b"".join(elements)
    return bytes((len(header),)) + header + b"text"


@pytest.mark.parametrize(
    ("elements", "part"),
    [
        ([SHORT], Part(42, 3, 2)),
        ([LONG], Part(OF_LONG, 3, 2)),
        ([PORTS, SHORT], Part(42, 3, 2)),
        ([SHIFT, PORTS, LONG], Part(OF_LONG, 3, 2)),
        ([SHORT, PORTS], Part(42, 3, 2)),
        ([PORTS], None),
        ([], None),
        ([b"\x00\x03\x2a\x01\x01"], None),
        ([b"\x00\x03\x2a\x03\x00"], None),
        ([b"\x00\x03\x2a\x03\x04"], None),
        ([b"\x00\x03\x2a\x00\x00"], None),
        ([b"\x00\x02\x2a\x03"], None),
        ([b"\x08\x03\x2a\x03\x02"], None),
        ([b"\x00\x09\x2a\x03\x02"], None),
        ([b"\x00\x03\x2a\xff\xff"], Part(42, 255, 255)),
    ],
)
def test_element_is_found_wherever_it_stands(elements: list[bytes], part: Part | None) -> None:
    message = with_header(*elements)
    assert part_of(sm_of(message)) == part
    assert part_of(sm_of(message, UDHI | 0x03)) == part
    assert part_of(sm_of(b"", tlvs=p.tlv(v.MESSAGE_PAYLOAD, message))) == part
    assert part_of(in_data_sm(p.tlv(v.MESSAGE_PAYLOAD, message))) == part


def test_without_its_bit_in_esm_class_there_is_no_header() -> None:
    assert part_of(sm_of(with_header(SHORT), 0x03)) is None


def test_header_that_ends_too_early_is_none() -> None:
    whole = with_header(SHORT)
    assert part_of(sm_of(whole[:5])) is None
    assert part_of(sm_of(b"")) is None
    assert part_of(sm_of(b"\x05")) is None


def test_sar_tlvs_say_it_too() -> None:
    assert part_of(sm_of(b"text", 0, SAR)) == Part(OF_SAR, 3, 2)
    assert part_of(in_data_sm(p.tlv(0x1400, b"x") + SAR, 0)) == Part(OF_SAR, 3, 2)


@pytest.mark.parametrize(
    "tlvs",
    [
        SAR[:6],
        SAR[6:],
        SAR.replace(b"\x02\x0c\x00\x02\x01\x2a", b"\x02\x0c\x00\x01\x2a"),
        SAR[:-1] + b"\x04",
        SAR[:-1] + b"\x00",
        p.tlv(0x0424, b"text"),
    ],
)
def test_sar_tlvs_that_make_no_sense_are_none(tlvs: bytes) -> None:
    assert part_of(sm_of(b"", 0, tlvs)) is None


def test_header_goes_before_tlvs() -> None:
    assert part_of(sm_of(with_header(SHORT), UDHI, SAR)) == Part(42, 3, 2)
    assert part_of(sm_of(with_header(PORTS), UDHI, SAR)) == Part(OF_SAR, 3, 2)


ELEMENT = st.tuples(
    st.integers(0, 255).filter(lambda one: one not in (0, 8)), st.binary(max_size=8)
).map(lambda one: bytes((one[0], len(one[1]))) + one[1])


@given(
    st.lists(ELEMENT, max_size=5),
    st.lists(ELEMENT, max_size=5),
    st.integers(0, 0xFFFF),
    st.integers(2, 255),
    st.data(),
)
def test_any_elements_may_stand_around_it(
    before: list[bytes], after: list[bytes], reference: int, total: int, data: st.DataObject
) -> None:
    number = data.draw(st.integers(1, total))
    if reference < 256:
        one, expected = bytes((0, 3, reference, total, number)), reference
    else:
        one = b"\x08\x04" + reference.to_bytes(2, "big") + bytes((total, number))
        expected = (1 << 16) + reference
    assert part_of(sm_of(with_header(*before, one, *after))) == Part(expected, total, number)


@given(st.binary(max_size=60), st.integers(0, 255), st.binary(max_size=12))
def test_no_octets_break_it(message: bytes, esm_class: int, value: bytes) -> None:
    part = part_of(sm_of(message, esm_class, p.tlv(0x020C, value) + SAR[6:]))
    assert part is None or 1 <= part.number <= part.total <= 255
