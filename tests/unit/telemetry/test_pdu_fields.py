"""router/telemetry/pdu_fields.py: what is private never survives, and every length does."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu
from router.telemetry.pdu_fields import Kind, elements, fields, masked, without_content
from router.telemetry.trace import _system_id

PASSWORD, TEXT, NUMBER = b"Secr3t!x", b"Your code is 482913", b"37255512345"
ID, DATE = b"0A1B-2", b"2611291745"
RECEIPT = (
    b"id:%b sub:001 dlvrd:001 submit date:%b done date:%b stat:DELIVRD err:000 text:Your code"
    % (ID, DATE, DATE)
)
PORTS = b"\x05\x04\x0b\x84\x23\xf0"
PART = b"\x00\x03\x07\x02\x01"


def sm(command_id: int = v.SUBMIT_SM, **changed: object) -> bytes:
    """A message to NUMBER with TEXT."""
    asked: dict[str, object] = {
        "source": (5, 0, b"SHOPPING"),
        "destination": (1, 1, NUMBER),
        "short_message": TEXT,
        **changed,
    }
    return p.sm(command_id, 7, **asked)  # type: ignore[arg-type]


def text_of(octets: bytes) -> bytes:
    """The short_message."""
    (found,) = (one for one in fields(octets) if one.kind is Kind.TEXT)
    return octets[found.at : found.end]


def named(octets: bytes) -> dict[str, bytes]:
    return {one.name: octets[one.at : one.end] for one in fields(octets)}


# What stands where.


def test_every_field_of_a_message_is_found() -> None:
    octets = sm(
        service_type=b"VMA", esm_class=3, data_coding=8, tlvs=p.tlv(0x0204, b"\0\1") + p.tlv(9, b"")
    )
    found = named(octets)
    assert found["service_type"] == b"VMA"
    assert found["source_addr"] == b"SHOPPING"
    assert found["destination_addr"] == NUMBER
    assert (found["esm_class"], found["data_coding"]) == (b"\3", b"\x08")
    assert found["short_message"] == TEXT
    assert found["user_message_reference"] == b"\0\1"
    assert found["0x0009"] == b""
    assert "unreadable" not in found


@pytest.mark.parametrize("command_id", sorted(v.BINDS))
def test_bind_and_its_answer_are_read(command_id: int) -> None:
    octets = p.bind(command_id, 1, system_id=b"bank", password=PASSWORD, system_type=b"x")
    assert named(octets)["system_id"] == b"bank"
    assert "unreadable" not in named(octets)
    answer = p.bind_response(command_id, 1, 0, b"me", p.tlv(v.SC_INTERFACE_VERSION, b"\x34"))
    assert named(answer) == {"system_id": b"me", "sc_interface_version": b"\x34"}


def test_addresses_of_submit_multi_and_its_answer_are_found() -> None:
    one = b"\1" + p.address(1, 1, NUMBER)
    dests = b"\3" + one + b"\2friends\0" + one
    tail = bytes(3) + b"\0\0" + bytes(4) + bytes((len(TEXT),)) + TEXT
    body = b"\0" + p.address(0, 0, b"") + dests + tail
    octets = p.build(v.SUBMIT_MULTI, 0, 1, body)
    found = named(octets)
    assert (found["destination_addr_1"], found["dl_name_2"]) == (NUMBER, b"friends")
    assert (found["short_message"], "unreadable" in found) == (TEXT, False)
    assert NUMBER not in masked(octets)
    refused = b"id\0\1" + p.address(1, 1, NUMBER) + b"\0\0\0\x0b"
    answer = p.build(v.SUBMIT_MULTI | v.RESPONSE, 0, 1, refused)
    assert named(answer)["error_status_code_1"] == b"\0\0\0\x0b"
    assert NUMBER not in masked(answer)


@pytest.mark.parametrize(
    "octets",
    [
        p.build(v.SUBMIT_SM, 0, 1, b"\0\1"),
        p.build(v.SUBMIT_SM, 0, 1, b"without an end"),
        p.build(0x999, 0, 1, TEXT),
        sm() + b"\0",
        sm(tlvs=b"\4\x24\xff\xff" + TEXT),
        p.build(v.BIND_RECEIVER, 0, 1, b"bank\0" + PASSWORD),
        p.build(v.ENQUIRE_LINK, 0, 1, TEXT),
    ],
)
def test_what_cannot_be_read_is_one_field_and_overwritten(octets: bytes) -> None:
    *_, last = fields(octets)
    assert (last.name, last.end) == ("unreadable", len(octets))
    told = masked(octets)
    assert told[last.at :] == b"*" * (len(octets) - last.at)


@pytest.mark.parametrize("status", [0, 8])
def test_answer_without_a_body_or_without_a_nul_is_no_fault(status: int) -> None:
    assert fields(p.build(v.SUBMIT_SM_RESP, status, 1)) == []
    assert named(p.build(v.SUBMIT_SM_RESP, status, 1, b"4711")) == {"message_id": b"4711"}


# What is overwritten.


def test_numbers_keep_five_digits_and_senders_five_letters_as_in_the_log() -> None:
    found = named(masked(sm()))
    assert found["destination_addr"] == b"37255******"
    assert found["source_addr"] == b"SHOPP***"
    assert found["short_message"] == b"*" * len(TEXT)
    assert named(masked(sm(destination=(0, 1, b"12345"))))["destination_addr"] == b"12345"


@pytest.mark.parametrize("reveals", [False, True])
@pytest.mark.parametrize("command_id", [*sorted(v.BINDS), v.OUTBIND])
def test_password_is_never_shown(command_id: int, *, reveals: bool) -> None:
    octets = p.bind(command_id, 1, system_id=b"bank", password=PASSWORD)
    for cut in (0, 5, 9):
        whole = octets[: len(octets) - cut]
        told = masked(whole, reveals=reveals)
        assert PASSWORD[:3] not in told
        assert b"bank\0" in told
        assert len(told) == len(whole)


def test_revealed_is_all_but_passwords() -> None:
    octets = sm(tlvs=p.tlv(0x1400, b"vendor"))
    assert masked(octets, reveals=True) == octets


def test_header_of_a_part_is_kept_and_its_text_is_not() -> None:
    udh = bytes((len(PART + PORTS),)) + PART + PORTS
    told = text_of(masked(sm(esm_class=0x40, short_message=udh + TEXT)))
    assert told == udh + b"*" * len(TEXT)


def test_element_that_could_hold_anything_is_overwritten_and_its_length_is_not() -> None:
    value = b"+37255512345"
    udh = b"\x22" + bytes((len(value),)) + value
    told = text_of(masked(sm(esm_class=0x40, short_message=bytes((len(udh),)) + udh)))
    assert told == bytes((len(udh), 0x22, len(value))) + b"*" * len(value)


@pytest.mark.parametrize("message", [b"", b"\xff" + TEXT, b"\x03\0\x09a" + TEXT, b"\1\0" + TEXT])
def test_header_that_is_none_is_overwritten_with_the_text(message: bytes) -> None:
    assert elements(message, 0x40) is None
    told = text_of(masked(sm(esm_class=0x40, short_message=message)))
    assert told == b"*" * len(message)


@pytest.mark.parametrize("payload", [False, True])
@pytest.mark.parametrize("command_id", [v.DELIVER_SM, v.DATA_SM])
def test_receipt_keeps_what_it_is_about_and_not_the_text(command_id: int, *, payload: bool) -> None:
    if command_id == v.DATA_SM or payload:
        head = sm(command_id, short_message=b"")[16:]
        if command_id == v.DATA_SM:
            head = b"\0" + p.address(1, 1, NUMBER) + p.address(5, 0, b"X") + b"\4\0\0"
        else:
            head = sm(command_id, esm_class=4, short_message=b"")[16:]
        octets = p.build(command_id, 0, 1, head + p.tlv(v.MESSAGE_PAYLOAD, RECEIPT))
    else:
        octets = sm(command_id, esm_class=4, short_message=RECEIPT)
    told = masked(octets)
    kept, _, text = RECEIPT.partition(b"text:")
    assert kept + b"text:" + b"*" * len(text) in told


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (b'{"id":"a-1","stat":"DELIVRD"}', b'{"id":"a-1","stat":"DELIVRD"*'),
        (b"id:1 stat:DELIVRD msisdn:37255512345", b"id:1 stat:DELIVRD" + b"*" * 19),
        (b"id:1,37255512345,stat:EXPIRED", b"id:1,***********,stat:EXPIRED"),
        (b"Hello id you, 37255512345", b"*" * 25),
        (b"err:482913 id:7", b"********** id:7"),
        (b"id:%b text:x" % (b"9" * 70), b"*" * 80),
        (b"text:id:5 stat:DELIVRD", b"*" * 22),
        (b"done date:37255512345 id:7", b"**** **************** id:7"),
        (b"done date:37255512345x id:7", b"**** ***************** id:7"),
    ],
)
def test_of_a_receipt_only_what_is_known_is_kept(text: bytes, kept: bytes) -> None:
    assert text_of(masked(sm(v.DELIVER_SM, esm_class=4, short_message=text))) == kept


@pytest.mark.parametrize("esm_class", [0, 0x08, 0x40])
def test_subscriber_that_writes_a_receipt_is_overwritten(esm_class: int) -> None:
    octets = sm(v.DELIVER_SM, esm_class=esm_class, short_message=RECEIPT)
    assert text_of(masked(octets)) == b"*" * len(RECEIPT)
    assert text_of(masked(sm(esm_class=4, short_message=RECEIPT))) == b"*" * len(RECEIPT)


@pytest.mark.parametrize(
    ("tag", "value", "kept"),
    [
        (v.RECEIPTED_MESSAGE_ID, ID + b"\0", True),
        (v.RECEIPTED_MESSAGE_ID, b"1" * 66, False),
        (v.MESSAGE_STATE, b"\2", True),
        (v.MESSAGE_STATE, NUMBER, False),
        (0x020C, b"\0\1", True),
        (0x0381, b"\1\1\1" + NUMBER, False),
        (0x0202, b"\x80" + NUMBER, False),
        (0x0203, b"\x80" + NUMBER, False),
        (v.MESSAGE_PAYLOAD, TEXT, False),
        (0x1400, b"\1", False),
        (0x0303, b"\0Ann", False),
    ],
)
def test_tlv_is_kept_where_it_is_a_number_of_its_length(
    tag: int, value: bytes, *, kept: bool
) -> None:
    # A client has no receipts, and may write anything there.
    command_id = v.DELIVER_SM if tag == v.RECEIPTED_MESSAGE_ID else v.SUBMIT_SM
    told = masked(sm(command_id, tlvs=p.tlv(tag, value)))
    assert told.endswith(p.tlv(tag, value if kept else b"*" * len(value)))


def test_what_stands_for_an_id_where_there_is_none_is_overwritten() -> None:
    told = masked(sm(tlvs=p.tlv(v.RECEIPTED_MESSAGE_ID, TEXT)))
    assert told.endswith(p.tlv(v.RECEIPTED_MESSAGE_ID, b"*" * len(TEXT)))
    assert TEXT not in masked(p.build(v.DELIVER_SM | v.RESPONSE, 0, 1, TEXT + b"\0"))
    assert b"4711" in masked(p.build(v.SUBMIT_SM | v.RESPONSE, 0, 1, b"4711\0"))


def test_field_of_a_receipt_is_kept_once() -> None:
    text = b"id:1 sub:001 dlvrd:001 stat:DELIVRD err:000 txt:x id:46798765432 stat:SECRET"
    told = masked(sm(v.DELIVER_SM, esm_class=4, short_message=text))
    assert b"stat:DELIVRD" in told
    assert b"46798765432" not in told
    assert b"SECRET" not in told


@pytest.mark.parametrize(
    ("written", "shown"),
    [(b"000010000000000R", b"000010000000000R"), (NUMBER + b"12345", b"37255" + b"*" * 11)],
)
def test_time_is_kept_only_where_it_is_one(written: bytes, shown: bytes) -> None:
    assert named(masked(sm(validity_period=written)))["validity_period"] == shown


def test_what_is_no_pdu_is_overwritten_whole() -> None:
    assert without_content(b"GET /") == b"*****"


# Any octets.

COMMANDS = sorted(
    {
        *(one | answer for one in (*v.BINDS, v.SUBMIT_SM, v.DELIVER_SM, v.DATA_SM, v.OUTBIND)
          for answer in (0, v.RESPONSE)),
        *(v.SUBMIT_MULTI, v.SUBMIT_MULTI | v.RESPONSE, v.QUERY_SM, v.QUERY_SM | v.RESPONSE),
        *(v.CANCEL_SM, v.REPLACE_SM, v.ALERT_NOTIFICATION, v.GENERIC_NACK, v.ENQUIRE_LINK, 0x999),
    }
)  # fmt: skip
PIECES = st.one_of(
    st.binary(max_size=30),
    st.sampled_from([b"\0", NUMBER, RECEIPT, p.tlv(0x424, TEXT), b"\4\x24", b"id:", b"\xff"]),
)
BODIES = st.lists(PIECES, max_size=20).map(b"".join)


@given(st.one_of(st.binary(max_size=80), st.builds(p.build, st.sampled_from(COMMANDS), st.just(0),
       st.just(1), BODIES)), st.booleans())  # fmt: skip
def test_any_octets_keep_length_and_header_and_never_raise(octets: bytes, reveals: bool) -> None:
    told = masked(octets, reveals=reveals)
    assert len(told) == len(octets)
    assert told[:16] == octets[:16]
    found = fields(octets)
    ends = [min(16, len(octets))]
    for one in found:
        assert ends[-1] <= one.at <= one.end <= len(octets)
        ends.append(one.end)
    assert fields(told)[-1:] == found[-1:]


DIGITS = st.text("0123456789", min_size=6, max_size=20).map(str.encode)


@given(
    st.sampled_from([v.SUBMIT_SM, v.DELIVER_SM]),
    DIGITS,
    DIGITS,
    st.binary(max_size=255),
    st.integers(0, 255),
    st.binary(max_size=60),
)
def test_no_digit_of_a_number_behind_the_fifth_is_left_nor_a_text(
    command_id: int, source: bytes, destination: bytes, text: bytes, esm_class: int, tail: bytes
) -> None:
    octets = sm(
        command_id,
        source=(1, 1, source),
        destination=(1, 1, destination),
        short_message=text,
        esm_class=esm_class,
        tlvs=tail,
    )
    told = named(masked(octets))
    for name, was in (("source_addr", source), ("destination_addr", destination)):
        assert told[name] == was[:5] + b"*" * (len(was) - 5)
    if not esm_class & 0x40 and (command_id == v.SUBMIT_SM or not esm_class & 0x24):
        assert told["short_message"] == b"*" * len(text)
    for one in re.findall(rb"[0-9]{6,}", told.get("unreadable", b"")):
        raise AssertionError(one)


def test_system_id_without_an_end_is_nobodys() -> None:
    body = b"bank            PWHEMLIS     " + b"\x34"
    assert _system_id(Pdu(v.BIND_TRANSCEIVER, 0, 1, p.build(v.BIND_TRANSCEIVER, 0, 1, body))) == ""
    body = b"bank\0pw"
    faulty = Pdu(v.BIND_TRANSCEIVER, 0, 1, p.build(v.BIND_TRANSCEIVER, 0, 1, body))
    assert _system_id(faulty) == "bank"
