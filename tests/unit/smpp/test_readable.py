"""router/smpp/readable.py: the text of a message, whatever its data_coding says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Framer, Sm
from router.smpp.readable import text_in

PART = b"\5\0\3\x07\2\1"


def sm(message: bytes, data_coding: int = 0, esm_class: int = 0, tlvs: bytes = b"") -> Sm:
    octets = p.sm(
        v.SUBMIT_SM,
        1,
        destination=(1, 1, b"372"),
        short_message=message,
        data_coding=data_coding,
        esm_class=esm_class,
        tlvs=tlvs,
    )
    return Sm(Framer(2**20).feed(octets)[0])


@pytest.mark.parametrize(
    ("message", "data_coding", "text"),
    [
        (b"Tere\x1be\x00", 0x00, "Tere€@"),
        (b"\x1b\x01x\x1b", 0x00, "£x"),
        (b"T\xe4na", 0x00, "Täna"),
        (b"@", 0x03, "@"),
        (b"T\xe4", 0x01, "Tä"),
        (b"\x00T\x00\xe4", 0x08, "Tä"),
        (b"\x00T", 0x18, "T"),
        (b"\x00T", 0xE0, "T"),
        (b"\x00", 0xD0, "@"),
        (b"\x00", 0x11, "@"),
        (b"\x00", 0x99, "@"),
        (b"\x00", 0xF1, "@"),
        (b"\xd2\xde\xe2", 0x06, "вот"),
        (b"\x82\xa0", 0x05, "あ"),
        (b"\xb0\xa1", 0x0E, "가"),
        (b"\xff\xff", 0x0E, "\ufffd\ufffd"),
        (b"data", 0x04, None),
        (b"data", 0x02, None),
        (b"data", 0xF5, None),
        (b"data", 0x15, None),
        (b"", 0x00, ""),
    ],
)
def test_text_is_what_a_telephone_shows(message: bytes, data_coding: int, text: str | None) -> None:
    assert text_in(sm(message, data_coding)) == text


def test_data_coding_0_is_what_the_account_says() -> None:
    assert text_in(sm(b"@"), is_latin_1=True) == "@"
    assert text_in(sm(b"@")) == "¡"
    assert text_in(sm(b"@", 0x10), is_latin_1=True) == "¡"


def test_header_is_no_text_and_a_port_makes_all_of_it_data() -> None:
    assert text_in(sm(PART + b"Tere", esm_class=0x40)) == "Tere"
    assert text_in(sm(b"\6\5\4\x0b\x84\x23\xf0Tere", esm_class=0x40)) is None
    assert text_in(sm(b"\4\4\2\1\1Tere", esm_class=0x40)) is None
    assert text_in(sm(b"\xff\0Tere", esm_class=0x40)) == ""
    assert text_in(sm(b"Tere", tlvs=p.tlv(0x020B, b"\0\1"))) is None


def test_payload_is_read_like_a_short_message() -> None:
    assert text_in(sm(b"", tlvs=p.tlv(v.MESSAGE_PAYLOAD, b"Tere"))) == "Tere"


@given(st.binary(max_size=254), st.integers(0, 255), st.integers(0, 255), st.booleans())
def test_no_octets_cannot_be_read(
    octets: bytes, data_coding: int, esm_class: int, is_latin_1: bool
) -> None:
    text = text_in(sm(octets, data_coding, esm_class), is_latin_1=is_latin_1)
    assert text is None or len(text) <= len(octets)
