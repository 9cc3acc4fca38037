"""router/smpp/recode.py: text between two meanings of data_coding 0, and no character is lost."""

import pytest

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.gsm import gsm_of_text, text_of_gsm
from router.smpp.pdu import Pdu, Sm
from router.smpp.recode import recoded
from router.terms.settings import Alphabet

GSM_LETTERS = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà^{}\\[~]|€\f"
PART = b"\5\0\3\x07\2\1"
LONG_PART = b"\6\x08\4\1\7\2\1"
PORTS = b"\6\5\4\x0b\x84\x23\xf0"
TURKISH = b"\3\x24\1\1"


def submit(
    message: bytes, data_coding: int = 0, esm_class: int = 0, tlvs: bytes = b"", kind: int = 0
) -> bytes:
    return p.sm(
        kind or v.SUBMIT_SM,
        9,
        source=(5, 0, b"BANK"),
        destination=(1, 1, b"37255512345"),
        service_type=b"OTP",
        validity_period=b"000002000000000R",
        registered_delivery=1,
        sm_default_msg_id=7,
        data_coding=data_coding,
        esm_class=esm_class,
        short_message=message,
        tlvs=tlvs,
    )


def written(octets: bytes, came: Alphabet, command_id: int = v.SUBMIT_SM) -> tuple[Sm, str | None]:
    goes: Alphabet = "latin-1" if came == "gsm" else "gsm"
    new, result = recoded(command_id, octets, came, goes)
    assert int.from_bytes(new[:4], "big") == len(new)
    assert new[4:16] == octets[4:16]
    return Sm(Pdu(command_id, 0, 0, new)), result


@pytest.mark.parametrize("text", [GSM_LETTERS, "Tere", "€", "[]", ""])
def test_septets_are_read_as_they_are_written(text: str) -> None:
    septets = gsm_of_text(text)
    assert septets is not None
    assert text_of_gsm(septets) == text


@pytest.mark.parametrize("octets", [b"\x80", b"\x1b", b"a\x1b", b"\x1bA", b"\x1b\x1b"])
def test_what_is_no_gsm_text_is_not_guessed(octets: bytes) -> None:
    assert text_of_gsm(octets) is None
    sm, result = written(submit(octets), "gsm")
    assert (sm.data_coding, sm.short_message, result) == (0, octets, "as_it_came")


@pytest.mark.parametrize("text", ["ç", "õ", "\0", "Ω€ą"])
def test_what_gsm_lacks_is_not_written_in_it(text: str) -> None:
    assert gsm_of_text(text) is None


@pytest.mark.parametrize(
    ("came", "message", "data_coding", "goes", "result"),
    [
        ("gsm", b"\x7fre\x00", 0, "àre@".encode("latin-1"), "recoded"),
        ("gsm", b"a\x1b(b", 0, b"a{b", "recoded"),
        ("gsm", b"5 \x1be", 8, "5 €".encode("utf-16-be"), "ucs_2"),
        ("gsm", b"\x10", 8, "Δ".encode("utf-16-be"), "ucs_2"),
        ("latin-1", b"@\xe0", 0, b"\x00\x7f", "recoded"),
        ("latin-1", b"[x]", 0, b"\x1b<x\x1b>", "recoded"),
        ("latin-1", b"\xf5", 3, b"\xf5", "latin_1"),
        ("latin-1", b"[" * 80, 0, b"\x1b<" * 80, "recoded"),
        ("latin-1", b"[" * 81, 3, b"[" * 81, "latin_1"),
        ("latin-1", b"[" + b"a" * 159, 3, b"[" + b"a" * 159, "latin_1"),
        ("latin-1", b"a" * 254, 0, b"a" * 254, "recoded"),
        ("latin-1", b"a" * 255, 0, b"a" * 255, "recoded"),
    ],
)
def test_a_text_is_written_anew(
    came: Alphabet, message: bytes, data_coding: int, goes: bytes, result: str
) -> None:
    octets = submit(message, tlvs=p.tlv(0x1400, b"\0"))
    sm, told = written(octets, came)
    assert (sm.data_coding, sm.short_message, told) == (data_coding, goes, result)
    assert sm.tlv(0x1400) == b"\0"
    before = Sm(Pdu(v.SUBMIT_SM, 0, 0, octets))
    assert (
        sm.octets[16 : sm.short_message_at - 3] == before.octets[16 : before.short_message_at - 3]
    )
    assert sm.octets[sm.short_message_at - 2] == 7


@pytest.mark.parametrize("header", [PART, LONG_PART])
def test_of_a_part_only_the_text_behind_its_header_changes(header: bytes) -> None:
    sm, result = written(submit(header + b"\x00\x1b(", esm_class=0x40), "gsm")
    assert (sm.data_coding, sm.short_message, result) == (0, header + b"@{", "recoded")
    sm, result = written(submit(header + b"\xe0@", esm_class=0x43), "latin-1")
    assert (sm.data_coding, sm.short_message, result) == (0, header + b"\x7f\x00", "recoded")


def test_a_part_stays_one_part() -> None:
    room = 153
    full = submit(PART + b"[" + b"a" * (room - 2), esm_class=0x40)
    sm, result = written(full, "latin-1")
    assert (sm.data_coding, result) == (0, "recoded")
    over = submit(PART + b"[" + b"a" * (room - 1), esm_class=0x40)
    sm, result = written(over, "latin-1")
    assert (sm.data_coding, result) == (3, "latin_1")
    sm, result = written(submit(PART + b"\x10" * 67, esm_class=0x40), "gsm")
    assert (sm.data_coding, len(sm.short_message), result) == (8, 140, "ucs_2")
    sm, result = written(submit(PART + b"\x10" * 68, esm_class=0x40), "gsm")
    assert (sm.data_coding, result) == (0, "as_it_came")
    sar = p.tlv(0x020C, b"\0\7") + p.tlv(0x020E, b"\2") + p.tlv(0x020F, b"\1")
    sm, result = written(submit(b"\x10" * 71, tlvs=sar), "gsm")
    assert (sm.data_coding, result) == (0, "as_it_came")


@pytest.mark.parametrize(
    ("message", "data_coding", "esm_class", "tlvs"),
    [
        (b"\xe0", 1, 0, b""),
        (b"\xe0", 3, 0, b""),
        (b"\0\xe0", 8, 0, b""),
        (b"\xe0", 4, 0, b""),
        (b"\xe0", 0xF0, 0, b""),
        (b"", 0, 0, b""),
        (PORTS + b"\xe0", 0, 0x40, b""),
        (TURKISH + b"\xe0", 0, 0x40, b""),
        (PART, 0, 0x40, b""),
        (b"\x09\xe0", 0, 0x40, b""),
        (b"\5\0\4\7\2\1\xe0", 0, 0x40, b""),
        (b"\xe0", 0, 0, p.tlv(0x020A, b"\1\2")),
        (b"\xe0", 0, 0, p.tlv(0x020B, b"\1\2")),
    ],
)
@pytest.mark.parametrize("came", ["gsm", "latin-1"])
def test_what_is_no_text_with_data_coding_0_is_not_touched(
    message: bytes, data_coding: int, esm_class: int, tlvs: bytes, came: Alphabet
) -> None:
    octets = submit(message, data_coding, esm_class, tlvs)
    goes: Alphabet = "latin-1" if came == "gsm" else "gsm"
    assert recoded(v.SUBMIT_SM, octets, came, goes) == (octets, None)


def test_a_payload_stays_a_payload() -> None:
    tlvs = p.tlv(0x1400, b"a") + p.tlv(v.MESSAGE_PAYLOAD, b"\x00" * 300) + p.tlv(0x1401, b"b")
    sm, result = written(submit(b"", tlvs=tlvs), "gsm")
    assert (sm.data_coding, sm.short_message, result) == (0, b"", "recoded")
    assert list(sm.tlvs()) == [(0x1400, b"a"), (v.MESSAGE_PAYLOAD, b"@" * 300), (0x1401, b"b")]


def test_a_text_that_is_too_long_in_ucs_2_moves_into_the_payload() -> None:
    sm, result = written(submit(b"\x10" * 127), "gsm")
    assert (len(sm.short_message), result) == (254, "ucs_2")
    sm, result = written(submit(b"\x10" * 128, tlvs=p.tlv(0x1400, b"a")), "gsm")
    assert (sm.data_coding, sm.short_message, result) == (8, b"", "ucs_2")
    assert sm.message == ("Δ" * 128).encode("utf-16-be")
    assert sm.tlv(0x1400) == b"a"


def test_a_data_sm_is_written_alike() -> None:
    body = b"\0\5\0BANK\0\1\x0137255512345\0\0\1\0" + p.tlv(v.MESSAGE_PAYLOAD, b"@\xf5")
    octets = p.build(v.DATA_SM, 0, 9, body)
    sm, result = written(octets, "latin-1", v.DATA_SM)
    assert (sm.data_coding, sm.message, result) == (3, b"@\xf5", "latin_1")
    assert sm.registered_delivery == 1
