"""router/smpp/requests.py: query_sm, cancel_sm and replace_sm, and the message that they change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import BodyError, Pdu, Sm
from router.smpp.requests import (
    CancelSm,
    QuerySm,
    ReplaceSm,
    cancel_sm,
    cannot_be_replaced,
    has_address,
    is_from,
    query_sm_resp,
    replaced,
)

SOURCE = p.address(5, 0, b"BANK")
NUMBER = p.address(1, 1, b"37255512345")
TEXTS = st.binary(max_size=64).map(lambda octets: octets.replace(b"\0", b"."))


def request(command_id: int, body: bytes) -> Pdu:
    return Pdu(command_id, 0, 7, p.build(command_id, 0, 7, body))


def submit(**fields: object) -> Sm:
    octets = p.sm(v.SUBMIT_SM, 0, destination=(1, 1, b"37255512345"), **fields)  # type: ignore[arg-type]
    return Sm(Pdu(v.SUBMIT_SM, 0, 0, octets))


def replacing(
    text: bytes = b"new", schedule: bytes = b"", validity: bytes = b"", registered: int = 1
) -> ReplaceSm:
    body = b"4711\0" + SOURCE + schedule + b"\0" + validity + b"\0"
    return ReplaceSm(request(v.REPLACE_SM, body + bytes((registered, 9, len(text))) + text))


@given(TEXTS, TEXTS.map(lambda text: text[:20]), st.integers(0, 255))
def test_fields_are_read_as_they_were_written(message_id: bytes, text: bytes, ton: int) -> None:
    address = p.address(ton, 1, text)
    cancel = CancelSm(
        Pdu(v.CANCEL_SM, 0, 0, cancel_sm(b"CMT", message_id or b"1", address, NUMBER))
    )
    assert (cancel.service_type, cancel.message_id) == (b"CMT", message_id or b"1")
    assert (cancel.source_octets, cancel.destination_octets) == (address, NUMBER)
    if message_id:
        query = QuerySm(request(v.QUERY_SM, message_id + b"\0" + address))
        assert (query.message_id, query.source_octets) == (message_id, address)


@given(st.sampled_from([QuerySm, CancelSm, ReplaceSm]), st.binary(max_size=200))
def test_whatever_comes_is_read_or_refused(
    of: type[QuerySm] | type[CancelSm] | type[ReplaceSm], body: bytes
) -> None:
    why: BodyError | None = None
    try:
        of(request(v.QUERY_SM, body))
    except BodyError as error:
        why = error
    assert why is None or (why.status and str(why))


def test_octets_behind_the_last_field_are_passed_over() -> None:
    query = QuerySm(request(v.QUERY_SM, b"4711\0" + SOURCE + p.tlv(0x1400, b"x")))
    assert query.message_id == b"4711"


@pytest.mark.parametrize(
    ("asked", "source", "is_it"),
    [
        (SOURCE, SOURCE, True),
        (p.address(0, 0, b"BANK"), SOURCE, True),
        (p.address(0, 0, b""), SOURCE, True),
        (p.address(5, 0, b"SHOP"), SOURCE, False),
        (SOURCE, p.address(0, 0, b""), False),
    ],
)
def test_source_is_compared_by_its_address(asked: bytes, source: bytes, is_it: bool) -> None:
    assert is_from(asked, source) is is_it
    assert has_address(asked) is (asked[2:] != b"\0")


@given(
    st.binary(max_size=254),
    st.binary(max_size=254),
    st.sampled_from([b"", b"000000000100000R"]),
    st.sampled_from([b"", b"270115080000000+"]),
    st.sampled_from([b"", p.tlv(0x1400, b"tag"), p.tlv(0x020A, b"\0\1") + p.tlv(0x1401, b"")]),
    st.integers(0, 255),
)
def test_only_what_a_replace_sm_has_is_changed(
    before: bytes, after: bytes, schedule: bytes, validity: bytes, tlvs: bytes, registered: int
) -> None:
    sm = submit(
        source=(5, 0, b"BANK"),
        short_message=before,
        service_type=b"CMT",
        esm_class=0,
        protocol_id=3,
        priority_flag=2,
        schedule_delivery_time=b"000000000200000R",
        validity_period=b"000000000300000R",
        registered_delivery=1,
        replace_if_present_flag=1,
        data_coding=8,
        sm_default_msg_id=4,
        tlvs=tlvs,
    )
    assert cannot_be_replaced(sm) == ""
    octets = replaced(sm, replacing(after, schedule, validity, registered))
    assert octets == p.sm(
        v.SUBMIT_SM,
        0,
        source=(5, 0, b"BANK"),
        destination=(1, 1, b"37255512345"),
        short_message=after,
        service_type=b"CMT",
        esm_class=0,
        protocol_id=3,
        priority_flag=2,
        schedule_delivery_time=schedule or b"000000000200000R",
        validity_period=validity or b"000000000300000R",
        registered_delivery=registered,
        replace_if_present_flag=1,
        data_coding=8,
        sm_default_msg_id=9,
        tlvs=tlvs,
    )


def test_message_without_a_short_message_of_its_own_cannot_be_replaced() -> None:
    assert "message_payload" in cannot_be_replaced(submit(tlvs=p.tlv(v.MESSAGE_PAYLOAD, b"text")))
    assert "user data header" in cannot_be_replaced(
        submit(short_message=b"\5\0\3\1\2\1part", esm_class=0x40)
    )
    body = b"\0" + SOURCE + NUMBER + b"\0\0\0"
    data = Sm(Pdu(v.DATA_SM, 0, 0, p.build(v.DATA_SM, 0, 0, body)))
    assert "data_sm" in cannot_be_replaced(data)


def test_answer_to_a_query_has_its_four_fields() -> None:
    octets = query_sm_resp(7, b"4711", b"270115080000000+", 2, 0)
    assert octets[:16] == p.build(v.QUERY_SM | v.RESPONSE, 0, 7, octets[16:])[:16]
    assert octets[16:] == b"4711\x00270115080000000+\0\2\0"
