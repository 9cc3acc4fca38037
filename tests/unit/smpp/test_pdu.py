"""router/smpp/pdu.py: where PDUs begin and end, what a body says, and what is wrong with one."""

import struct

import pytest

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import BodyError, Framer, Pdu, Sm

LONGEST_OCTETS = 300
TLVS = p.tlv(0x0204, b"\x00\x2a") + p.tlv(0x1401, b"") + p.tlv(0x0204, b"\xff\xfe")
SUBMIT = p.sm(
    v.SUBMIT_SM,
    7,
    source=(5, 0, b"MESSENTE"),
    destination=(1, 9, b"3725550001"),
    short_message=b"\x05\x00\x03\x2a\x02\x01Tere",
    service_type=b"WAP",
    esm_class=0x43,
    protocol_id=0x3F,
    priority_flag=3,
    schedule_delivery_time=b"251122170000000+",
    validity_period=b"000001000000000R",
    registered_delivery=0x11,
    replace_if_present_flag=1,
    data_coding=0xF5,
    sm_default_msg_id=9,
    tlvs=TLVS,
)
DATA = p.build(
    v.DATA_SM,
    0,
    8,
    b"USSD\0"
    + p.address(1, 1, b"3725550001")
    + p.address(6, 14, b"http://a.example/0123456789")
    + bytes((0x04, 0x01, 0x08))
    + p.tlv(v.MESSAGE_PAYLOAD, b"T\0e\0"),
)


def framed(octets: bytes) -> Pdu:
    """The PDU whose octets these are; command_length is made to fit."""
    (pdu,) = Framer(70_000).feed(struct.pack(">I", len(octets)) + octets[4:])
    return pdu


def fault_of(octets: bytes) -> int:
    """The status with which the body is refused."""
    with pytest.raises(BodyError) as caught:
        Sm(framed(octets))
    return caught.value.status


# The framer. Any split of any bytes: tests/property/test_wire.py.


def test_pdus_are_cut_at_their_lengths_whatever_lies_behind() -> None:
    octets = SUBMIT + DATA + SUBMIT[:20]
    framer = Framer(LONGEST_OCTETS)
    first, second = framer.feed(octets)
    assert (first.command_id, first.sequence_number, first.octets) == (v.SUBMIT_SM, 7, SUBMIT)
    assert (second.command_id, second.sequence_number, second.octets) == (v.DATA_SM, 8, DATA)
    assert [pdu.octets for pdu in framer.feed(SUBMIT[20:])] == [SUBMIT]
    assert framer.lost_at_sequence is None


@pytest.mark.parametrize("length", [16, 17, LONGEST_OCTETS])
def test_lengths_from_a_header_to_the_limit_are_good(length: int) -> None:
    octets = p.build(v.ENQUIRE_LINK, 0, 1, bytes(length - 16))
    framer = Framer(LONGEST_OCTETS)
    assert [pdu.octets for pdu in framer.feed(octets)] == [octets]


@pytest.mark.parametrize("length", [0, 4, 15, LONGEST_OCTETS + 1, 0x7FFFFFFF, 0xFFFFFFFF])
def test_bad_length_is_judged_with_its_fourth_octet(length: int) -> None:
    framer = Framer(LONGEST_OCTETS)
    octets = struct.pack(">I", length)
    assert framer.feed(octets[:3]) == []
    assert framer.lost_at_sequence is None
    assert framer.feed(octets[3:]) == []
    assert framer.lost_at_sequence == 0


@pytest.mark.parametrize("there", range(16))
@pytest.mark.parametrize("length", [16, LONGEST_OCTETS])
def test_good_length_waits_for_the_rest_of_the_header(length: int, there: int) -> None:
    framer = Framer(LONGEST_OCTETS)
    octets = p.build(v.ENQUIRE_LINK, 0, 1, bytes(length - 16))
    assert framer.feed(octets[:there]) == []
    assert framer.lost_at_sequence is None
    assert [pdu.octets for pdu in framer.feed(octets[there:])] == [octets]


@pytest.mark.parametrize("length", [15, LONGEST_OCTETS + 1])
def test_bad_length_is_answered_with_the_sequence_number_that_came_along(length: int) -> None:
    framer = Framer(LONGEST_OCTETS)
    bad = struct.pack(">IIII", length, v.SUBMIT_SM, 0, 0xDEADBEEF)
    assert [pdu.octets for pdu in framer.feed(DATA + bad + DATA)] == [DATA]
    assert framer.lost_at_sequence == 0xDEADBEEF


@pytest.mark.parametrize("there", [4, 15])
def test_after_the_loss_nothing_is_read(there: int) -> None:
    framer = Framer(LONGEST_OCTETS)
    framer.feed(bytes(there))
    assert framer.feed(SUBMIT) == []
    assert framer.lost_at_sequence == 0


def test_pdu_says_what_it_is_but_not_what_is_in_it() -> None:
    assert repr(framed(SUBMIT)) == f"<submit_sm status=0x0 sequence=7 octets={len(SUBMIT)}>"


# The view.


def test_view_reads_every_field_of_a_submit_sm() -> None:
    sm = Sm(framed(SUBMIT))
    assert sm.service_type == b"WAP"
    assert sm.source == (5, 0, b"MESSENTE")
    assert sm.source_octets == b"\5\0MESSENTE\0"
    assert sm.destination == (1, 9, b"3725550001")
    assert sm.destination_addr == b"3725550001"
    assert sm.destination_octets == b"\1\0113725550001\0"
    assert (sm.esm_class, sm.priority_flag) == (0x43, 3)
    assert sm.schedule_delivery_time == b"251122170000000+"
    assert sm.validity_period == b"000001000000000R"
    assert (sm.registered_delivery, sm.data_coding) == (0x11, 0xF5)
    assert sm.short_message == sm.message == b"\x05\x00\x03\x2a\x02\x01Tere"
    assert list(sm.tlvs()) == [(0x0204, b"\x00\x2a"), (0x1401, b""), (0x0204, b"\xff\xfe")]


def test_view_reads_every_field_of_a_data_sm() -> None:
    sm = Sm(framed(DATA))
    assert sm.service_type == b"USSD"
    assert sm.source == (1, 1, b"3725550001")
    assert sm.destination == (6, 14, b"http://a.example/0123456789")
    assert (sm.esm_class, sm.registered_delivery, sm.data_coding) == (4, 1, 8)
    assert (sm.priority_flag, sm.schedule_delivery_time, sm.validity_period) == (0, b"", b"")
    assert sm.short_message == b""
    assert sm.message == b"T\0e\0"


@pytest.mark.parametrize("schedule", [b"", b"251122170000000+"])
@pytest.mark.parametrize("validity", [b"", b"0", b"000001000000000R"])
def test_each_time_is_read_whatever_the_other(schedule: bytes, validity: bytes) -> None:
    octets = p.sm(
        v.DELIVER_SM,
        1,
        destination=(0, 0, b"1"),
        schedule_delivery_time=schedule,
        validity_period=validity,
    )
    sm = Sm(framed(octets))
    assert (sm.schedule_delivery_time, sm.validity_period) == (schedule, validity)


def test_first_of_repeated_tlvs_is_the_one() -> None:
    sm = Sm(framed(SUBMIT))
    assert sm.tlv(0x0204) == b"\x00\x2a"
    assert sm.tlv(0x1401) == b""
    assert sm.tlv(0x1402) is None


@pytest.mark.parametrize("length", [255, 256, 0x1234, 65_535])
def test_long_tlv_is_read_to_its_end(length: int) -> None:
    tlvs = p.tlv(v.MESSAGE_PAYLOAD, b"x" * length) + p.tlv(0x1401, b"behind")
    sm = Sm(framed(p.sm(v.SUBMIT_SM, 1, destination=(0, 0, b"1"), tlvs=tlvs)))
    assert list(sm.tlvs()) == [(v.MESSAGE_PAYLOAD, b"x" * length), (0x1401, b"behind")]


def test_message_is_the_payload_only_where_short_message_is_empty() -> None:
    payload = p.tlv(v.MESSAGE_PAYLOAD, b"long")
    both = p.sm(v.SUBMIT_SM, 1, destination=(0, 0, b"1"), short_message=b"short", tlvs=payload)
    neither = p.sm(v.SUBMIT_SM, 1, destination=(0, 0, b"1"))
    assert Sm(framed(both)).message == b"short"
    assert Sm(framed(neither)).message == b""


# What is wrong with a body.


def test_submit_sm_cut_at_any_octet_is_refused_with_what_is_missing() -> None:
    message_at = SUBMIT.index(b"\x05\x00\x03")
    tlvs_at = len(SUBMIT) - len(TLVS)
    whole = {tlvs_at, tlvs_at + 6, tlvs_at + 10, len(SUBMIT)}
    for end in range(16, len(SUBMIT) + 1):
        cut = SUBMIT[:end]
        if end in whole:
            assert len(list(Sm(framed(cut)).tlvs())) == sorted(whole).index(end)
        elif end < message_at:
            assert fault_of(cut) == v.ESME_RINVCMDLEN, end
        elif end < tlvs_at:
            assert fault_of(cut) == v.ESME_RINVMSGLEN, end
        elif end - 3 <= (last := max(one for one in whole if one < end)):
            assert Sm(framed(cut)).octets == framed(SUBMIT[:last]).octets
        else:
            assert fault_of(cut) == v.ESME_RINVOPTPARSTREAM, end


def test_data_sm_cut_at_any_octet_is_refused_with_what_is_missing() -> None:
    tlvs_at = DATA.index(b"\x04\x24")
    for end in range(16, len(DATA)):
        if tlvs_at <= end <= tlvs_at + 3:
            assert Sm(framed(DATA[:end])).octets == framed(DATA[:tlvs_at]).octets
        else:
            status = v.ESME_RINVCMDLEN if end < tlvs_at else v.ESME_RINVOPTPARSTREAM
            assert fault_of(DATA[:end]) == status, end


def submit_with(**fields: object) -> bytes:
    """A submit_sm with one field that a test is about."""
    return p.sm(v.SUBMIT_SM, 1, **{"destination": (1, 1, b"3725550001"), **fields})  # type: ignore[arg-type]


TOO_LONG = {
    "service_type": (submit_with(service_type=b"x" * 6), v.ESME_RINVSERTYP),
    "source_addr": (submit_with(source=(5, 0, b"x" * 21)), v.ESME_RINVSRCADR),
    "destination_addr": (submit_with(destination=(1, 1, b"1" * 21)), v.ESME_RINVDSTADR),
    "schedule": (submit_with(schedule_delivery_time=b"1" * 17), v.ESME_RINVSCHED),
    "validity": (submit_with(validity_period=b"1" * 17), v.ESME_RINVEXPIRY),
}


@pytest.mark.parametrize(("octets", "status"), TOO_LONG.values(), ids=TOO_LONG)
def test_field_without_its_nul_is_refused_by_name(octets: bytes, status: int) -> None:
    assert fault_of(octets) == status


@pytest.mark.parametrize(("octets", "status"), TOO_LONG.values(), ids=TOO_LONG)
def test_field_is_too_long_with_its_last_octet_and_too_short_before(
    octets: bytes, status: int
) -> None:
    """What is the fault where a body ends inside a field: a missing NUL, or missing octets?"""
    ends = [end for end in range(16, len(octets) + 1) if fault_of(octets[:end]) == status]
    assert ends == list(range(ends[0], len(octets) + 1))
    filling = octets[ends[0] - 1]
    longest = {
        v.ESME_RINVSERTYP: 6,
        v.ESME_RINVSRCADR: 21,
        v.ESME_RINVDSTADR: 21,
        v.ESME_RINVSCHED: 17,
        v.ESME_RINVEXPIRY: 17,
    }[status]
    assert octets[: ends[0]].endswith(bytes((filling,)) * longest)
    assert octets[ends[0] - longest - 1] != filling
    assert fault_of(octets[: ends[0] - 1]) == v.ESME_RINVCMDLEN


@pytest.mark.parametrize(
    "fields",
    [
        {"service_type": b"x" * 5},
        {"source": (5, 0, b"x" * 20)},
        {"destination": (1, 1, b"1" * 20)},
        {"schedule_delivery_time": b"1" * 16},
        {"validity_period": b"1" * 16},
        {"short_message": b"x" * 255},
    ],
)
def test_field_of_its_full_length_is_good(fields: dict[str, object]) -> None:
    octets = submit_with(**fields)
    assert p.relay_with(Sm(framed(octets)), 1) == octets


@pytest.mark.parametrize(("length", "good"), [(64, True), (65, False)])
@pytest.mark.parametrize("which", ["source", "destination"])
def test_addresses_of_a_data_sm_have_64_octets(which: str, length: int, good: bool) -> None:
    addresses = {"source": b"1", "destination": b"2"} | {which: b"x" * length}
    octets = p.build(
        v.DATA_SM,
        0,
        1,
        b"\0" + b"".join(p.address(1, 1, digits) for digits in addresses.values()) + b"\0\0\0",
    )
    if good:
        assert Sm(framed(octets)).source[2] == addresses["source"]
    else:
        status = v.ESME_RINVSRCADR if which == "source" else v.ESME_RINVDSTADR
        assert fault_of(octets) == status


def test_sm_length_beyond_the_pdu_is_refused() -> None:
    octets = bytearray(submit_with(short_message=b"Tere"))
    octets[-5] = 5
    assert fault_of(bytes(octets)) == v.ESME_RINVMSGLEN


@pytest.mark.parametrize(
    "tail",
    [b"\4\x24\0\1", b"\4\x24\xff\xff" + bytes(0xFFFE), TLVS + b"\4\x24\0\1"],
    ids=["no value", "value too short", "behind good ones"],
)
def test_tlv_longer_than_the_pdu_is_refused(tail: bytes) -> None:
    assert fault_of(submit_with(short_message=b"Tere", tlvs=tail)) == v.ESME_RINVOPTPARSTREAM


@pytest.mark.parametrize("surplus", [b"\0", b"\0\0", b"\0\0\0", b"\4\x24\0"])
@pytest.mark.parametrize("tlvs", [b"", TLVS], ids=["short_message", "TLVs"])
@pytest.mark.parametrize("tolerant", [False, True])
def test_what_is_too_short_for_a_tlv_is_left_out(
    surplus: bytes, tlvs: bytes, *, tolerant: bool
) -> None:
    """php-smpp sends a NUL behind the short_message."""
    sound = submit_with(short_message=b"Tere", tlvs=tlvs)
    sm = Sm(framed(submit_with(short_message=b"Tere", tlvs=tlvs + surplus)), tolerant=tolerant)
    assert sm.octets == sound
    assert p.relay_with(sm, 1) == sound


def deliver_with(command: int = v.DELIVER_SM, **fields: bytes) -> bytes:
    """A deliver_sm or data_sm whose fields may be too long."""
    written = {
        "service_type": b"WAP",
        "source": b"3725550001",
        "destination": b"12302",
        "schedule": b"",
        "validity": b"",
    } | fields
    service_type, source, destination, schedule, validity = written.values()
    body = service_type + b"\0" + p.address(1, 1, source) + p.address(3, 0, destination)
    if command == v.DATA_SM:
        return p.build(command, 0, 9, body + b"\4\0\3" + TLVS)
    times = schedule + b"\0" + validity + b"\0"
    return p.build(command, 0, 9, body + b"\4\0\0" + times + b"\0\0\3\0\4Tere" + TLVS)


@pytest.mark.parametrize("command", [v.DELIVER_SM, v.DATA_SM])
@pytest.mark.parametrize(
    ("field", "longest"),
    [
        ("service_type", 5),
        ("source", 20),
        ("destination", 20),
        ("schedule", 16),
        ("validity", 16),
    ],
)
@pytest.mark.parametrize("more", [1, 2, 10, 300])
def test_field_that_is_too_long_is_cut_to_what_fits(
    command: int, field: str, longest: int, more: int
) -> None:
    if command == v.DATA_SM:
        longest = {"source": 64, "destination": 64}.get(field, longest)
    octets = deliver_with(command, **{field: b"7" * (longest + more)})
    cut = p.with_fields_cut(framed(octets))
    assert (cut.command_id, cut.command_status, cut.sequence_number) == (command, 0, 9)
    assert cut.octets == deliver_with(command, **{field: b"7" * longest})
    assert list(Sm(cut).tlvs()) == list(Sm(framed(deliver_with(command))).tlvs())


def test_fields_that_fit_are_not_cut() -> None:
    for octets in (SUBMIT, DATA, deliver_with()):
        assert p.with_fields_cut(framed(octets)).octets == framed(octets).octets


def test_field_without_any_nul_cannot_be_cut() -> None:
    head = deliver_with()[:16]
    with pytest.raises(BodyError) as caught:
        p.with_fields_cut(framed(head + b"smscsim"))
    assert caught.value.status == v.ESME_RINVCMDLEN


# What leaves again.


def test_relay_writes_sequence_number_and_status_and_nothing_else() -> None:
    came = SUBMIT[:8] + b"\0\0\0\1" + SUBMIT[12:]
    assert p.relay(came, 0x7FFFFFFF) == SUBMIT[:12] + b"\x7f\xff\xff\xff" + SUBMIT[16:]


def test_relay_with_changes_what_it_was_told_and_nothing_else() -> None:
    changed = p.relay_with(
        Sm(framed(SUBMIT)),
        99,
        source=(3, 0, b"12302"),
        destination=(1, 1, b"358401234567"),
        schedule_delivery_time=b"",
        validity_period=b"000000000500000R",
        short_message=b"x" * 255,
    )
    expected = SUBMIT.replace(b"251122170000000+\x00000001000000000R", b"\x00000000000500000R")
    expected = expected.replace(b"\5\0MESSENTE\0", b"\3\0" + b"12302\0")
    expected = expected.replace(b"\1\0113725550001\0", b"\1\1" + b"358401234567\0")
    expected = expected.replace(b"\x0a\x05\x00\x03\x2a\x02\x01Tere", b"\xff" + b"x" * 255)
    assert changed[16:] == expected[16:]
    (pdu,) = Framer(1000).feed(changed)
    assert (pdu.command_id, pdu.command_status, pdu.sequence_number) == (v.SUBMIT_SM, 0, 99)


@pytest.mark.parametrize("field", ["short_message", "validity_period", "schedule_delivery_time"])
def test_data_sm_cannot_be_given_what_it_has_no_field_for(field: str) -> None:
    with pytest.raises(ValueError, match="a data_sm has neither"):
        p.relay_with(Sm(framed(DATA)), 1, **{field: b"Tere"})  # type: ignore[arg-type]


def test_short_message_over_255_octets_is_an_error_of_ours() -> None:
    with pytest.raises(ValueError, match="range"):
        p.relay_with(Sm(framed(SUBMIT)), 1, short_message=b"x" * 256)


def test_data_sm_becomes_the_deliver_sm_that_says_the_same() -> None:
    data = DATA.replace(b"http://a.example/0123456789", b"12302")
    came = Sm(framed(data))
    pdu = framed(p.deliver_sm_from_data_sm(came))
    assert (pdu.command_id, pdu.command_status, pdu.sequence_number) == (v.DELIVER_SM, 0, 0)
    sm = Sm(pdu)
    assert sm.service_type == came.service_type
    assert sm.source == came.source
    assert sm.destination == came.destination
    assert (sm.esm_class, sm.registered_delivery, sm.data_coding) == (4, 1, 8)
    assert (sm.priority_flag, sm.schedule_delivery_time, sm.validity_period) == (0, b"", b"")
    assert sm.short_message == came.message != b""
    assert list(sm.tlvs()) == [one for one in came.tlvs() if one[0] != v.MESSAGE_PAYLOAD]


@pytest.mark.parametrize(
    ("octets", "short"), [(0, 0), (1, 1), (254, 254), (255, 0), (256, 0), (60_000, 0)]
)
def test_data_sm_becomes_a_short_message_where_it_fits(octets: int, short: int) -> None:
    before, payload = p.tlv(0x1400, b"a"), p.tlv(v.MESSAGE_PAYLOAD, b"x" * octets)
    fields = p.address(1, 1, b"372555") + p.address(3, 0, b"12302") + bytes((0x40, 0, 8))
    body = b"\0" + fields + before + payload + before
    sm = Sm(framed(p.deliver_sm_from_data_sm(Sm(framed(p.build(v.DATA_SM, 0, 7, body))))))
    assert sm.esm_class == 0x40  # A UDH is moved with the text.
    assert sm.short_message == b"x" * short
    assert sm.octets[sm.tlvs_at :] == before + (b"" if short else payload) + before


def test_short_message_has_no_message_payload_beside_it() -> None:
    fields = p.address(1, 1, b"372555") + p.address(3, 0, b"12302") + bytes((0, 0, 8))
    twice = p.tlv(v.MESSAGE_PAYLOAD, b"first") + p.tlv(v.MESSAGE_PAYLOAD, b"second")
    came = Sm(framed(p.build(v.DATA_SM, 0, 7, b"\0" + fields + twice)))
    sm = Sm(framed(p.deliver_sm_from_data_sm(came)))
    assert (sm.message, list(sm.tlvs())) == (came.message, []) == (b"first", [])


@pytest.mark.parametrize("command_id", [v.DELIVER_SM, v.DATA_SM])
def test_failure_ends_with_the_empty_message_id_that_its_readers_look_for(command_id: int) -> None:
    failed = p.response(command_id, 7, v.ESME_RX_T_APPN)
    assert failed == struct.pack(">IIII", 17, command_id | v.RESPONSE, v.ESME_RX_T_APPN, 7) + b"\0"
    assert p.response(command_id, 7, v.ESME_RX_T_APPN, b"id\0") == failed


def test_failure_carries_no_body() -> None:
    good = p.response(v.SUBMIT_SM, 7, 0, b"id\0")
    assert good == struct.pack(">IIII", 19, v.SUBMIT_SM_RESP, 0, 7) + b"id\0"
    failed = p.response(v.SUBMIT_SM, 7, v.ESME_RTHROTTLED, b"id\0")
    assert failed == struct.pack(">IIII", 16, v.SUBMIT_SM_RESP, v.ESME_RTHROTTLED, 7)


@pytest.mark.parametrize(
    ("status", "body", "message_id"),
    [
        (0, b"31060CC2\0", b"31060CC2"),
        (0, b"31060CC2", b"31060CC2"),
        (0, b"31060CC2\0" + TLVS, b"31060CC2"),
        (0, b"\0", b""),
        (0, b"", b""),
        (8, b"31060CC2\0", b"31060CC2"),
    ],
)
def test_message_id_is_read_with_and_without_its_nul(
    status: int, body: bytes, message_id: bytes
) -> None:
    assert p.message_id_of(framed(p.build(v.SUBMIT_SM_RESP, status, 1, body))) == message_id


# Binding.


@pytest.mark.parametrize("version", [0x00, 0x33, 0x34, 0x50, 0xFF])
def test_bind_request_is_read_as_it_was_built(version: int) -> None:
    octets = p.bind(
        v.BIND_RECEIVER,
        5,
        system_id=b"bank",
        password=b"secret01",
        system_type=b"OTP",
        interface_version=version,
    )
    request = p.BindRequest(framed(octets))
    assert (
        request.system_id,
        request.password,
        request.system_type,
        request.interface_version,
    ) == (
        b"bank",
        b"secret01",
        b"OTP",
        version,
    )


def test_bind_request_may_end_after_its_version() -> None:
    body = b"bank\0secret01\0\0\x34"
    assert p.BindRequest(framed(p.build(v.BIND_RECEIVER, 0, 1, body))).interface_version == 0x34


@pytest.mark.parametrize("end", range(len(b"bank\0secret01\0OTP\0")))
def test_bind_request_that_ends_earlier_is_refused(end: int) -> None:
    octets = p.build(v.BIND_RECEIVER, 0, 1, b"bank\0secret01\0OTP\0"[:end])
    with pytest.raises(BodyError) as caught:
        p.BindRequest(framed(octets))
    assert caught.value.status == v.ESME_RINVCMDLEN


@pytest.mark.parametrize("at", range(3))
def test_bind_request_has_fields_of_at_most_64_octets(at: int) -> None:
    def bind(length: int) -> Pdu:
        fields = [b"", b"", b""]
        fields[at] = b"x" * length
        body = b"\0".join(fields) + b"\0\x34\0\0\0"
        return framed(p.build(v.BIND_TRANSMITTER, 0, 1, body))

    request = p.BindRequest(bind(64))
    assert len(request.system_id + request.password + request.system_type) == 64
    with pytest.raises(BodyError) as caught:
        p.BindRequest(bind(65))
    assert caught.value.status == v.ESME_RINVPASWD


@pytest.mark.parametrize("tail", [b"\x04\x23\x00\x03\x00\x00", b"\x04\x23\x00\x09"])
def test_a_tolerant_view_leaves_out_a_tlv_that_is_longer_than_the_pdu(tail: bytes) -> None:
    sound = p.sm(
        v.DELIVER_SM,
        7,
        destination=(1, 1, b"372"),
        short_message=b"text",
        tlvs=p.tlv(v.RECEIPTED_MESSAGE_ID, b"41\0"),
    )
    octets = (len(sound) + len(tail)).to_bytes(4, "big") + sound[4:] + tail
    (pdu,) = p.Framer(1000).feed(octets)
    view = p.Sm(pdu, tolerant=True)
    assert view.octets == sound
    assert list(view.tlvs()) == [(v.RECEIPTED_MESSAGE_ID, b"41\0")]
    with pytest.raises(p.BodyError):
        p.Sm(pdu)


@pytest.mark.parametrize("command_id", [v.SUBMIT_SM, v.DELIVER_SM, v.DATA_SM])
def test_tlvs_beyond_a_number_are_refused_or_left_out(command_id: int) -> None:
    body = b"\0\x01\x01372\0\x01\x01372\0" + bytes(3 if command_id == v.DATA_SM else 10)
    for count in (p.MOST_TLVS, p.MOST_TLVS + 1):
        octets = p.build(command_id, 0, 7, body + p.tlv(0x1400, b"") * count)
        pdu = Pdu(command_id, 0, 7, octets)
        assert len(list(Sm(pdu, tolerant=True).tlvs())) == p.MOST_TLVS
        if count == p.MOST_TLVS:
            assert Sm(pdu).octets == octets
        else:
            with pytest.raises(BodyError) as caught:
                Sm(pdu)
            assert caught.value.status == v.ESME_RINVOPTPARSTREAM
            assert len(Sm(pdu, tolerant=True).octets) == len(octets) - 4


def test_address_fits_into_a_deliver_sm() -> None:
    usual, longest = p.address(1, 1, b"9" * 19), p.address(1, 1, b"9" * 20)
    assert (p.fitting(usual), p.fitting(longest)) == (usual, longest)
    assert p.fitting(p.address(5, 0, b"9" * 64)) == p.address(5, 0, b"9" * 20)
