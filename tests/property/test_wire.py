"""router/smpp/pdu.py against an obvious parser and aiosmpplib, for any bytes and any split.

What "any split" can mean for the framer: the PDUs are the same, and whether and where framing is
lost is the same. The sequence number of the loss cannot be, because a bad command_length is judged
with its fourth octet, often before the sequence number has arrived: it is the header's where the
sixteen octets of the header came no later than the octets that completed the length, and 0 where
they did not.
"""

import struct
from dataclasses import dataclass, replace
from typing import Final

import pytest
from aiosmpplib import (
    NPI,
    TON,
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    DeliverSm,
    EnquireLink,
    OptionalParam,
    PhoneNumber,
    SmppMessage,
    SubmitSm,
)
from aiosmpplib.protocol import MESSAGE_TYPE_MAP
from hypothesis import given
from hypothesis import strategies as st

from router.smpp import pdu as p
from router.smpp import text
from router.smpp import vocabulary as v
from router.smpp.pdu import BodyError, Framer, Pdu, Sm, SubmitMulti

LONGEST_OCTETS: Final = 120


def framed(octets: bytes) -> Pdu:
    (pdu,) = Framer(200_000).feed(octets)
    return pdu


# The framer.


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Good PDUs, then perhaps one with a bad length, and octets behind."""
    bodies = draw(st.lists(st.binary(max_size=40), max_size=5))
    octets = b"".join(p.build(v.SUBMIT_SM, 0, number, body) for number, body in enumerate(bodies))
    bad = st.integers(0, 15) | st.integers(LONGEST_OCTETS + 1, 0xFFFFFFFF)
    return (
        octets
        + draw(st.just(b"") | bad.map(lambda n: struct.pack(">I", n)))
        + draw(st.binary(max_size=60))
    )


@st.composite
def pieces(draw: st.DrawFn) -> list[bytes]:
    """A stream, split anyhow; empty pieces too."""
    octets = draw(streams() | st.binary(max_size=200))
    cuts = sorted(draw(st.lists(st.integers(0, len(octets)), max_size=12)))
    return [octets[a:b] for a, b in zip([0, *cuts], [*cuts, len(octets)], strict=True)]


def obvious_frames(fed: list[bytes]) -> tuple[list[bytes], int | None]:
    """The PDUs and the sequence number of the loss: a walk over all octets at once."""
    octets, at = b"".join(fed), 0
    pdus: list[bytes] = []
    while at + 4 <= len(octets):
        (length,) = struct.unpack_from(">I", octets, at)
        if not 16 <= length <= LONGEST_OCTETS:
            arrived = 0
            for piece in fed:
                arrived += len(piece)
                if arrived >= at + 4:
                    break
            header_came_too = arrived >= at + 16
            return pdus, struct.unpack_from(">I", octets, at + 12)[0] if header_came_too else 0
        if at + length > len(octets):
            break
        pdus.append(octets[at : at + length])
        at += length
    return pdus, None


@given(pieces())
def test_any_split_gives_the_same_pdus_and_the_same_loss(fed: list[bytes]) -> None:
    framer = Framer(LONGEST_OCTETS)
    pdus = [pdu for piece in fed for pdu in framer.feed(piece)]
    expected, lost_at_sequence = obvious_frames(fed)
    assert [pdu.octets for pdu in pdus] == expected
    assert framer.lost_at_sequence == lost_at_sequence
    for pdu in pdus:
        header = struct.unpack_from(">III", pdu.octets, 4)
        assert (pdu.command_id, pdu.command_status, pdu.sequence_number) == header


@given(pieces())
def test_loss_is_told_with_the_octet_that_shows_it(fed: list[bytes]) -> None:
    framer, octets = Framer(LONGEST_OCTETS), b"".join(fed)
    for end in range(1, len(octets) + 1):
        framer.feed(octets[end - 1 : end])
        _, lost_at_sequence = obvious_frames([octets[at : at + 1] for at in range(end)])
        assert framer.lost_at_sequence == lost_at_sequence


# The view.

SINGLE = st.integers(0, 255)
"""TON, NPI, data_coding, esm_class and the like: with values that no list has."""


def c_octets(longest: int) -> st.SearchStrategy[bytes]:
    """A C-octet string without its NUL."""
    return st.binary(max_size=longest).map(lambda octets: octets.replace(b"\0", b"\x01"))


@dataclass(frozen=True)
class Fields:
    """Everything in a body, in its order. A data_sm has None where it has no such field."""

    service_type: bytes
    source: tuple[int, int, bytes]
    destination: tuple[int, int, bytes]
    esm_class: int
    protocol_id: int | None
    priority_flag: int | None
    schedule_delivery_time: bytes | None
    validity_period: bytes | None
    registered_delivery: int
    replace_if_present_flag: int | None
    data_coding: int
    sm_default_msg_id: int | None
    short_message: bytes | None
    tlvs: tuple[tuple[int, bytes], ...]

    def octets(self, command_id: int) -> bytes:
        """The PDU with these fields, as the tables of SMPP v3.4 (4.4.1, 4.7.1) list them."""
        parts: list[bytes] = [self.service_type, b"\0"]
        for ton, npi, digits in (self.source, self.destination):
            parts += [bytes([ton]), bytes([npi]), digits, b"\0"]
        single = (self.esm_class, self.protocol_id, self.priority_flag)
        parts += [bytes([octet]) for octet in single if octet is not None]
        for time in (self.schedule_delivery_time, self.validity_period):
            parts += [time, b"\0"] if time is not None else []
        single = (self.registered_delivery, self.replace_if_present_flag, self.data_coding)
        parts += [
            bytes([octet]) for octet in (*single, self.sm_default_msg_id) if octet is not None
        ]
        if self.short_message is not None:
            parts += [bytes([len(self.short_message)]), self.short_message]
        for tag, value in self.tlvs:
            parts += [struct.pack(">H", tag), struct.pack(">H", len(value)), value]
        body = b"".join(parts)
        return struct.pack(">IIII", 16 + len(body), command_id, 0, 1) + body


class Cursor:
    """Reads one field after the other; ValueError where there is none."""

    def __init__(self, octets: bytes) -> None:
        self.octets = octets
        self.at = 16

    def single(self) -> int:
        return self.some(1)[0]

    def some(self, count: int) -> bytes:
        some = self.octets[self.at : self.at + count]
        if len(some) < count:
            raise ValueError("too short")
        self.at += count
        return some

    def c_octets(self, longest_with_nul: int) -> bytes:
        found = b""
        while (octet := self.some(1)) != b"\0":
            found += octet
            if len(found) == longest_with_nul:
                raise ValueError("too long")
        return found

    def address(self, longest_with_nul: int) -> tuple[int, int, bytes]:
        return self.single(), self.single(), self.c_octets(longest_with_nul)


def obvious_fields(octets: bytes) -> Fields:
    """The fields of a submit_sm, deliver_sm or data_sm, or ValueError."""
    data_sm = octets[4:8] == struct.pack(">I", v.DATA_SM)
    c = Cursor(octets)
    longest = 65 if data_sm else 21
    fields = Fields(
        service_type=c.c_octets(6),
        source=c.address(longest),
        destination=c.address(longest),
        esm_class=c.single(),
        protocol_id=None if data_sm else c.single(),
        priority_flag=None if data_sm else c.single(),
        schedule_delivery_time=None if data_sm else c.c_octets(17),
        validity_period=None if data_sm else c.c_octets(17),
        registered_delivery=c.single(),
        replace_if_present_flag=None if data_sm else c.single(),
        data_coding=c.single(),
        sm_default_msg_id=None if data_sm else c.single(),
        short_message=None if data_sm else c.some(c.single()),
        tlvs=(),
    )
    tlvs = []
    while c.at + 4 <= len(octets):  # Fewer than a TLV's head are surplus, as some clients send.
        tag, length = struct.unpack(">HH", c.some(4))
        tlvs.append((tag, c.some(length)))
    return replace(fields, tlvs=tuple(tlvs))


def seen(sm: Sm, data_sm: bool) -> dict[str, object]:
    """What the view says of the fields that it has."""
    fields: dict[str, object] = {
        "service_type": sm.service_type,
        "source": sm.source,
        "destination": sm.destination,
        "esm_class": sm.esm_class,
        "registered_delivery": sm.registered_delivery,
        "data_coding": sm.data_coding,
        "tlvs": tuple(sm.tlvs()),
    }
    if not data_sm:
        fields |= {
            "priority_flag": sm.priority_flag,
            "schedule_delivery_time": sm.schedule_delivery_time,
            "validity_period": sm.validity_period,
            "short_message": sm.short_message,
        }
    return fields


CODES = st.integers(0, 0xFFFFFFFF)
TAGS = st.sampled_from([v.MESSAGE_PAYLOAD, v.SOURCE_PORT, v.RECEIPTED_MESSAGE_ID, 0x1401, 0x6964])
LONG = st.sampled_from([255, 256, 1000]).map(bytes)
TLVS = st.lists(st.tuples(TAGS | st.integers(0, 0xFFFF), st.binary(max_size=30) | LONG), max_size=5)
"""Known and unknown, empty, repeated, in any order."""

COMMANDS = st.sampled_from([v.SUBMIT_SM, v.DELIVER_SM, v.DATA_SM])


@st.composite
def bodies(draw: st.DrawFn) -> tuple[int, Fields]:
    """A command and everything that its body may hold."""
    command_id = draw(COMMANDS)
    data_sm = command_id == v.DATA_SM
    addresses = st.tuples(SINGLE, SINGLE, c_octets(64 if data_sm else 20))
    fields = Fields(
        service_type=draw(c_octets(5)),
        source=draw(addresses),
        destination=draw(addresses),
        esm_class=draw(SINGLE),
        protocol_id=None if data_sm else draw(SINGLE),
        priority_flag=None if data_sm else draw(SINGLE),
        schedule_delivery_time=None if data_sm else draw(st.just(b"") | c_octets(16)),
        validity_period=None if data_sm else draw(st.just(b"") | c_octets(16)),
        registered_delivery=draw(SINGLE),
        replace_if_present_flag=None if data_sm else draw(SINGLE),
        data_coding=draw(SINGLE),
        sm_default_msg_id=None if data_sm else draw(SINGLE),
        short_message=None if data_sm else draw(st.binary(max_size=255)),
        tlvs=tuple(draw(TLVS)),
    )
    return command_id, fields


@given(bodies())
def test_view_reads_what_was_written(body: tuple[int, Fields]) -> None:
    command_id, fields = body
    octets = fields.octets(command_id)
    assert obvious_fields(octets) == fields
    sm = Sm(framed(octets))
    for name, value in seen(sm, command_id == v.DATA_SM).items():
        assert value == getattr(fields, name), name
    assert sm.destination_addr == fields.destination[2]
    assert sm.source_octets == p.address(*fields.source)
    assert sm.destination_octets == p.address(*fields.destination)
    first = dict(reversed(fields.tlvs))
    assert {tag: sm.tlv(tag) for tag in first} == first
    assert sm.message == (fields.short_message or first.get(v.MESSAGE_PAYLOAD, b""))


@given(bodies().filter(lambda body: body[0] != v.DATA_SM))
def test_builder_writes_what_the_specification_lists(body: tuple[int, Fields]) -> None:
    command_id, fields = body
    built = p.sm(
        command_id,
        1,
        service_type=fields.service_type,
        source=fields.source,
        destination=fields.destination,
        esm_class=fields.esm_class,
        protocol_id=fields.protocol_id or 0,
        priority_flag=fields.priority_flag or 0,
        schedule_delivery_time=fields.schedule_delivery_time or b"",
        validity_period=fields.validity_period or b"",
        registered_delivery=fields.registered_delivery,
        replace_if_present_flag=fields.replace_if_present_flag or 0,
        data_coding=fields.data_coding,
        sm_default_msg_id=fields.sm_default_msg_id or 0,
        short_message=fields.short_message or b"",
        tlvs=b"".join(p.tlv(tag, value) for tag, value in fields.tlvs),
    )
    assert built == fields.octets(command_id)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Any octets behind a good header; or a good PDU with some octets put in, changed or cut."""
    command_id, fields = draw(bodies())
    if draw(st.booleans()):
        body = draw(st.binary(max_size=100))
    else:
        body = fields.octets(command_id)[16:]
        for _ in range(draw(st.integers(0, 3))):
            at = draw(st.integers(0, len(body)))
            cut = draw(st.integers(0, 3))
            body = body[:at] + draw(st.binary(max_size=3)) + body[at + cut :]
        body = body[: draw(st.integers(0, len(body)) | st.just(len(body)))]
    return p.build(command_id, 0, 1, body)


@given(damaged())
def test_view_refuses_what_the_obvious_parser_refuses_and_nothing_else(octets: bytes) -> None:
    try:
        fields = obvious_fields(octets)
    except ValueError:
        fields = None
    if fields is None:
        with pytest.raises(BodyError) as caught:
            Sm(framed(octets))
        assert v.status_name(caught.value.status).startswith("ESME_RINV")
        return
    sm = Sm(framed(octets))
    for name, value in seen(sm, framed(octets).command_id == v.DATA_SM).items():
        assert value == getattr(fields, name), name


# submit_multi: the same fields, but for a list where the destination stands.

LISTED = st.lists(
    st.tuples(st.just(1), SINGLE, SINGLE, c_octets(20))
    | st.tuples(st.just(2), st.just(0), st.just(0), c_octets(20)),
    min_size=1,
    max_size=254,
)
"""dest_flag, TON, NPI and address; TON and NPI of a distribution list read as 0."""


def listed(destinations: list[tuple[int, int, int, bytes]]) -> bytes:
    """number_of_dests and the list, as the specification has it."""
    parts = [
        bytes((flag,)) + (b"" if flag == 2 else bytes((ton, npi))) + address + b"\0"
        for flag, ton, npi, address in destinations
    ]
    return bytes((len(parts),)) + b"".join(parts)


def multi_of(fields: Fields, destinations: bytes) -> bytes:
    """A submit_multi with these fields and this list."""
    octets = fields.octets(v.SUBMIT_SM)
    before = fields.service_type + b"\0" + p.address(*fields.source)
    after = octets[16 + len(before) + len(p.address(*fields.destination)) :]
    return p.build(v.SUBMIT_MULTI, 0, 1, before + destinations + after)


SUBMITS = bodies().filter(lambda body: body[0] == v.SUBMIT_SM).map(lambda body: body[1])


@given(SUBMITS, LISTED)
def test_each_number_of_a_submit_multi_gets_the_submit_sm_that_says_the_same(
    fields: Fields, destinations: list[tuple[int, int, int, bytes]]
) -> None:
    multi = SubmitMulti(framed(multi_of(fields, listed(destinations))))
    for (octets, is_list), to in zip(multi.destinations, destinations, strict=True):
        flag, ton, npi, address = to
        assert (octets, is_list) == (p.address(ton, npi, address), flag == 2)
        one = replace(fields, destination=(ton, npi, address))
        assert multi.submit_sm(octets).octets == one.octets(v.SUBMIT_SM)
        Sm(multi.submit_sm(octets))


def obvious_list(body: bytes, most: int) -> list[tuple[bytes, bool]]:
    """The destinations of a submit_multi, or ValueError."""
    c = Cursor(b"\0" * 16 + body)
    c.c_octets(6)
    c.address(21)
    count = c.single()
    if not 1 <= count <= most:
        raise ValueError("number_of_dests")
    found = []
    for _ in range(count):
        flag = c.single()
        if flag == 1:
            found.append((p.address(*c.address(21)), False))
        elif flag == 2:
            found.append((p.address(0, 0, c.c_octets(21)), True))
        else:
            raise ValueError("dest_flag")
    return found


@given(SUBMITS, LISTED, st.data(), st.sampled_from([254, 255]))
def test_a_damaged_submit_multi_is_refused_where_the_obvious_parser_refuses_it(
    fields: Fields, destinations: list[tuple[int, int, int, bytes]], data: st.DataObject, most: int
) -> None:
    body = multi_of(fields, listed(destinations[:5]))[16:]
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, min(len(body), 60)))
        body = body[:at] + data.draw(st.binary(max_size=3)) + body[at + data.draw(SINGLE) % 4 :]
    body = body[: data.draw(st.integers(0, len(body)) | st.just(len(body)))]
    try:
        expected = obvious_list(body, most)
    except ValueError:
        with pytest.raises(BodyError) as caught:
            SubmitMulti(framed(p.build(v.SUBMIT_MULTI, 0, 1, body)), most)
        assert v.status_name(caught.value.status).startswith("ESME_RINV")
        return
    multi = SubmitMulti(framed(p.build(v.SUBMIT_MULTI, 0, 1, body)), most)
    assert multi.destinations == expected


@given(c_octets(64), st.lists(st.tuples(SINGLE, SINGLE, c_octets(20), CODES), max_size=255), TLVS)
def test_submit_multi_resp_has_what_the_specification_lists(
    message_id: bytes,
    refused: list[tuple[int, int, bytes, int]],
    tlvs: list[tuple[int, bytes]],
) -> None:
    given_ = [(p.address(ton, npi, one), status) for ton, npi, one, status in refused]
    extra = b"".join(p.tlv(tag, value) for tag, value in tlvs)
    octets = p.submit_multi_response(7, 0x45, message_id, given_, extra)
    c = Cursor(octets)
    assert octets[:16] == struct.pack(">IIII", len(octets), 0x80000021, 0x45, 7)
    assert c.c_octets(65) == message_id
    read = [(*c.address(21), int.from_bytes(c.some(4), "big")) for _ in range(c.single())]
    assert read == refused
    assert octets[c.at :] == extra


@given(st.binary(max_size=200))
def test_esme_addr_of_any_octets_is_some_of_them_or_refused(body: bytes) -> None:
    try:
        address = p.esme_addr_of(framed(p.build(v.ALERT_NOTIFICATION, 0, 1, body)))
    except BodyError:
        return
    assert address + b"\0" in body
    assert b"\0" not in address


@given(st.sampled_from(sorted(v.BINDS)), st.binary(max_size=80))
def test_bind_request_of_any_octets_is_read_or_refused(command_id: int, body: bytes) -> None:
    pdu = framed(p.build(command_id, 0, 1, body))
    try:
        request = p.BindRequest(pdu)
    except BodyError:
        return
    read = b"\0".join((request.system_id, request.password, request.system_type, b""))
    assert body.startswith(read + bytes((request.interface_version,)))
    assert b"\0" not in request.system_id + request.password + request.system_type


@given(st.binary(max_size=80), st.integers(0, 0xFFFFFFFF))
def test_message_id_of_any_octets_is_some_of_them(body: bytes, status: int) -> None:
    message_id = p.message_id_of(framed(p.build(v.SUBMIT_SM_RESP, status, 1, body)))
    assert body.startswith(message_id)
    assert b"\0" not in message_id


# What leaves again.

SEQUENCES = st.integers(0, 0xFFFFFFFF)


@given(bodies(), SEQUENCES, SEQUENCES)
def test_relay_changes_the_header_only(
    body: tuple[int, Fields], status: int, sequence_number: int
) -> None:
    command_id, fields = body
    came = fields.octets(command_id)
    came = came[:8] + struct.pack(">I", status) + came[12:]
    left = p.relay(came, sequence_number)
    assert left[16:] == came[16:]
    assert struct.unpack(">IIII", left[:16]) == (len(came), command_id, 0, sequence_number)


@given(
    bodies(),
    SEQUENCES,
    st.none() | st.tuples(SINGLE, SINGLE, c_octets(20)),
    st.none() | st.tuples(SINGLE, SINGLE, c_octets(20)),
    st.none() | c_octets(16),
    st.none() | c_octets(16),
    st.none() | st.binary(max_size=255),
)
def test_relay_with_changes_what_it_was_told_and_nothing_else(
    body: tuple[int, Fields],
    sequence_number: int,
    source: tuple[int, int, bytes] | None,
    destination: tuple[int, int, bytes] | None,
    schedule: bytes | None,
    validity: bytes | None,
    short_message: bytes | None,
) -> None:
    command_id, fields = body
    if command_id == v.DATA_SM:
        schedule = validity = short_message = None
    left = p.relay_with(
        Sm(framed(fields.octets(command_id))),
        sequence_number,
        source=source,
        destination=destination,
        schedule_delivery_time=schedule,
        validity_period=validity,
        short_message=short_message,
    )
    told = replace(
        fields,
        source=fields.source if source is None else source,
        destination=fields.destination if destination is None else destination,
        schedule_delivery_time=fields.schedule_delivery_time if schedule is None else schedule,
        validity_period=fields.validity_period if validity is None else validity,
        short_message=fields.short_message if short_message is None else short_message,
    )
    assert left == p.relay(told.octets(command_id), sequence_number)


@given(bodies())
def test_data_sm_as_deliver_sm_keeps_all_it_has(body: tuple[int, Fields]) -> None:
    _, fields = body
    data_sm = replace(
        fields,
        protocol_id=None,
        priority_flag=None,
        schedule_delivery_time=None,
        validity_period=None,
        replace_if_present_flag=None,
        sm_default_msg_id=None,
        short_message=None,
    )
    deliver_sm = replace(
        fields,
        protocol_id=0,
        priority_flag=0,
        schedule_delivery_time=b"",
        validity_period=b"",
        replace_if_present_flag=0,
        sm_default_msg_id=0,
        short_message=b"",
    )
    came = Sm(framed(data_sm.octets(v.DATA_SM)))
    if 0 < len(came.message) <= 254:
        moved = [one for one in fields.tlvs if one[0] != v.MESSAGE_PAYLOAD]
        deliver_sm = replace(deliver_sm, short_message=came.message, tlvs=tuple(moved))
    assert p.deliver_sm_from_data_sm(came) == p.relay(deliver_sm.octets(v.DELIVER_SM), 0)


# An independent peer, on what both can do.

PRINTABLE = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
WORDS = st.text(PRINTABLE, max_size=20)
NUMBERS = st.builds(
    PhoneNumber,
    st.text("0123456789", min_size=1, max_size=15),
    st.sampled_from(TON),
    st.sampled_from(NPI),
)
OPTIONAL = st.builds(
    OptionalParam, st.sampled_from([v.RECEIPTED_MESSAGE_ID, 0x1401]), WORDS.filter(bool)
) | st.builds(OptionalParam, st.just(0x0204), st.integers(0, 0xFFFF))
GSM_TEXT = st.text("abc XYZ@£é{€}", min_size=1, max_size=60)


@st.composite
def theirs(draw: st.DrawFn) -> SubmitSm:
    """A submit_sm or deliver_sm of aiosmpplib's."""
    make = draw(st.sampled_from([SubmitSm, DeliverSm]))
    return make(
        sequence_num=draw(st.integers(1, 0x7FFFFFFF)),
        short_message=draw(GSM_TEXT | st.text("жőß漢", min_size=1, max_size=60)),
        source=draw(NUMBERS),
        destination=draw(NUMBERS),
        service_type=draw(WORDS)[:5],
        esm_class=draw(SINGLE) & 0x3F,  # It takes the octets of a UDH apart.
        protocol_id=draw(SINGLE),
        priority_flag=draw(SINGLE),
        registered_delivery=draw(SINGLE),
        replace_if_present_flag=draw(SINGLE),
        sm_default_msg_id=draw(SINGLE),
        optional_params=draw(st.lists(OPTIONAL, max_size=3)),
    )


def their_reading(octets: bytes) -> SmppMessage:
    """What aiosmpplib makes of a PDU."""
    header = SmppMessage.parse_header(octets)
    return MESSAGE_TYPE_MAP[header.smpp_command].from_pdu(octets, header, "gsm0338")


@given(theirs())
def test_view_reads_what_aiosmpplib_writes(message: SubmitSm) -> None:
    pdu = framed(message.pdu())
    assert pdu.command_id == message.smpp_command
    assert pdu.sequence_number == message.sequence_num
    sm = Sm(pdu)
    assert sm.service_type == message.service_type.encode()
    for address, number in ((sm.source, message.source), (sm.destination, message.destination)):
        assert address == (number.ton, number.npi, number.number.encode())
    assert (sm.esm_class, sm.priority_flag) == (message.esm_class, message.priority_flag)
    assert sm.registered_delivery == message.registered_delivery
    assert sm.short_message == message.smpp_encode(message.short_message)
    assert text.decode(sm.short_message, sm.data_coding) == message.short_message
    tlvs = b"".join(param.tlv for param in message.optional_params or [])
    assert b"".join(p.tlv(tag, value) for tag, value in sm.tlvs()) == tlvs


@given(theirs())
def test_aiosmpplib_reads_what_the_builder_writes(message: SubmitSm) -> None:
    sent = Sm(framed(message.pdu()))
    built = p.sm(
        message.smpp_command,
        message.sequence_num,
        source=sent.source,
        destination=sent.destination,
        short_message=sent.short_message,
        service_type=sent.service_type,
        esm_class=message.esm_class,
        protocol_id=message.protocol_id,
        priority_flag=message.priority_flag,
        registered_delivery=message.registered_delivery,
        replace_if_present_flag=message.replace_if_present_flag,
        data_coding=sent.data_coding,
        sm_default_msg_id=message.sm_default_msg_id,
        tlvs=b"".join(p.tlv(tag, value) for tag, value in sent.tlvs()),
    )
    assert built == message.pdu()
    assert their_reading(p.relay(built, 9)) == replace(
        message, sequence_num=9, encoding="ucs2" if sent.data_coding == 8 else None
    )


@given(
    st.sampled_from([BindReceiver, BindTransmitter, BindTransceiver]),
    WORDS,
    WORDS,
    WORDS,
    st.sampled_from([0x33, 0x34, 0x50]),
)
def test_both_write_and_read_the_same_bind_requests(
    make: type[BindTransceiver], system_id: str, password: str, system_type: str, version: int
) -> None:
    message = make(
        sequence_num=5,
        system_id=system_id[:15],
        password=password[:8],
        system_type=system_type[:12],
        interface_version=version,
    )
    built = p.bind(
        message.smpp_command,
        5,
        system_id=message.system_id.encode(),
        password=message.password.encode(),
        system_type=message.system_type.encode(),
        interface_version=version,
    )
    assert built == message.pdu()
    assert their_reading(built) == message
    request = p.BindRequest(framed(message.pdu()))
    assert (
        request.system_id.decode(),
        request.password.decode(),
        request.system_type.decode(),
    ) == (
        message.system_id,
        message.password,
        message.system_type,
    )
    assert request.interface_version == version


@given(st.integers(1, 0x7FFFFFFF))
def test_both_write_the_same_enquire_link(sequence_number: int) -> None:
    message = EnquireLink(sequence_num=sequence_number)
    assert p.build(v.ENQUIRE_LINK, 0, sequence_number) == message.pdu()
    assert their_reading(p.response(v.ENQUIRE_LINK, sequence_number)).smpp_command == (
        v.ENQUIRE_LINK_RESP
    )
