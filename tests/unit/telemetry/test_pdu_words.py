"""router/telemetry/pdu_words.py: a PDU as a line and as a document, of what is in its octets."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.telemetry.pdu_fields import masked
from router.telemetry.pdu_words import document_of, line_of
from tests.unit.telemetry.test_pdu_fields import BODIES, COMMANDS, NUMBER, PASSWORD, RECEIPT, sm


@pytest.mark.parametrize(
    ("octets", "line"),
    [
        (p.build(v.ENQUIRE_LINK, 0, 9), "enquire_link #9"),
        (p.response(v.SUBMIT_SM, 9, 0x58), "submit_sm_resp #9 ESME_RTHROTTLED"),
        (p.response(v.SUBMIT_SM, 9, 0, b"4711\0"), "submit_sm_resp #9 message_id=4711"),
        (p.response(v.DELIVER_SM, 9, 0, b"\0"), "deliver_sm_resp #9"),
        (p.response(v.SUBMIT_SM, 9, 0x7777), "submit_sm_resp #9 0x00007777"),
        (p.build(0x999, 0, 1, b"abc"), "0x00000999 #1 unreadable: 3 octets"),
        (p.build(v.SUBMIT_SM, 0, 1), "submit_sm #1 unreadable: ends too early"),
        (
            p.bind(v.BIND_RECEIVER, 1, system_id=b"bank", password=PASSWORD),
            "bind_receiver #1 system_id=bank version=0x34",
        ),
        (
            sm(source=(5, 0, b"SHOP"), short_message=b"Tere"),
            "submit_sm #7 from=SHOP to=37255****** data_coding=0x00 text=4 octets",
        ),
        (
            sm(
                source=(0, 1, b"1234"),
                destination=(1, 1, b"1"),
                esm_class=0x40,
                short_message=b"\5\0\3\x11\3\2Tere",
                data_coding=8,
                registered_delivery=1,
                tlvs=p.tlv(0x204, b"\0\1") + p.tlv(0x1400, b"secret"),
            ),
            "submit_sm #7 from=1234(0/1) to=1 data_coding=0x08 esm_class=0x40 registered_delivery=1"
            " udh=part 2/3 of 17 text=4 octets user_message_reference=0x0001 0x1400(6)",
        ),
        (
            sm(v.DELIVER_SM, destination=(5, 0, b"X"), esm_class=4, short_message=RECEIPT),
            'deliver_sm #7 from=SHOPP*** to=X data_coding=0x00 esm_class=0x04 receipt="id:0A1B-2'
            " sub:001 dlvrd:001 submit date:2611291745 done date:2611291745 stat:DELIVRD err:000"
            ' text:*********"',
        ),
    ],
)
def test_line_has_what_matters(octets: bytes, line: str) -> None:
    assert line_of(masked(octets)) == line


def test_line_shows_a_text_only_where_it_is_revealed() -> None:
    octets = sm(short_message="Tere õhtust\n".encode("utf-16-be"), data_coding=8)
    assert line_of(octets, reveals=True).endswith(
        'to=37255512345 data_coding=0x08 text="Tere õhtust\\n"'
    )
    assert line_of(octets).endswith(" text=24 octets")


def test_line_of_many_tlvs_has_an_end() -> None:
    line = line_of(sm(tlvs=p.tlv(0x1400, b"") * 1000))
    assert line.endswith("and 960 TLVs more")


def test_document_has_everything_but_a_password() -> None:
    octets = sm(tlvs=p.tlv(v.MESSAGE_STATE, b"\2"))
    document = document_of(octets, reveals=True)
    assert document["octets"] == octets.hex()
    assert (document["command"], document["status"]) == ("submit_sm", "ESME_ROK")
    assert document["tlvs"] == [{"tag": "0x0427", "name": "message_state", "value": "02"}]
    assert document["text"] == "Your code is 482913"
    fields = document["fields"]
    assert isinstance(fields, dict)
    assert fields["destination_addr"] == NUMBER.decode()
    bind = masked(p.bind(v.BIND_RECEIVER, 1, system_id=b"bank", password=PASSWORD), reveals=True)
    fields = document_of(bind)["fields"]
    assert isinstance(fields, dict)
    assert fields["password"] == "***"
    assert "text" not in document_of(octets)


@given(
    st.one_of(
        st.binary(max_size=80),
        st.builds(p.build, st.sampled_from(COMMANDS), st.just(0), st.just(1), BODIES),
    )
)
def test_any_octets_have_one_printable_line_and_a_document(octets: bytes) -> None:
    for reveals in (False, True):
        line = line_of(octets, reveals=reveals)
        assert line.isprintable()
        json.dumps(document_of(octets, reveals=reveals), allow_nan=False)
