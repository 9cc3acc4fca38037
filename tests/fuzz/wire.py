"""Targets over single functions: any octets are read, or refused as they should be.

Each takes one input and raises if something that must hold does not. What is asked is more than
that nothing crashes: what is passed on is what came, what we write we can read, and another reader
that does it the obvious way finds the same.
"""

from typing import Final

from router.check.country import Countries
from router.check.number import LONGEST_DIGITS, routing_key
from router.report.id_forms import canonical, other_forms
from router.report.inbound import FIRST_WORD_OCTETS
from router.report.receipts import failure_octets, failure_of
from router.smpp import pdu as p
from router.smpp import receipt as r
from router.smpp import text as t
from router.smpp import times
from router.smpp import vocabulary as v
from router.smpp.downgrade import without_tlvs
from router.smpp.length import parts_of
from router.smpp.pdu import BodyError, Framer, Pdu, Sm
from router.smpp.segments import SAR_MSG_REF_NUM, SAR_SEGMENT_SEQNUM, SAR_TOTAL_SEGMENTS, part_of
from router.telemetry.pdu_fields import elements, fields, masked
from router.terms.settings import IdForm
from tests.fuzz.octets import Octets, in_pieces
from tests.property.test_wire import obvious_fields, seen

LONGEST: Final = 70_000
MESSAGES: Final = (v.SUBMIT_SM, v.DELIVER_SM, v.DATA_SM)
REFUSALS: Final = frozenset(
    {
        *(v.ESME_RINVCMDLEN, v.ESME_RINVSERTYP, v.ESME_RINVSRCADR, v.ESME_RINVDSTADR),
        *(v.ESME_RINVSCHED, v.ESME_RINVEXPIRY, v.ESME_RINVMSGLEN, v.ESME_RINVOPTPARSTREAM),
    }
)
HEAD: Final = b"\0\x05\0BANK\0\x01\x01372\0"
"""What stands before esm_class, where a target is about something else."""


def framed(octets: bytes) -> Pdu:
    """The only PDU in these octets, which the router has written."""
    framer = Framer(LONGEST)
    (pdu,) = framer.feed(octets)
    assert framer.lost_at_sequence is None
    assert framer.rest == b""
    return pdu


def framer(octets: bytes) -> None:
    """However a stream is cut, the same PDUs come of it, and the same loss."""
    choices = Octets(octets)
    longest = choices.one_of((16, 20, 60, 1000))
    sizes = [choices.number(), choices.number()]
    most = 1 + choices.number() % 4
    stream = choices.rest()
    whole = Framer(longest)
    pdus = whole.feed(stream)
    assert not whole.has_more
    pieces = Framer(longest)
    got: list[Pdu] = []
    for piece in in_pieces(stream, sizes):
        got += pieces.feed(piece, most)
        while pieces.has_more and choices.number() % 2:
            got += pieces.feed(b"", most)
    while pieces.has_more:
        got += pieces.feed(b"", most)
    assert [one.octets for one in got] == [one.octets for one in pdus]
    whole_lost, pieces_lost = whole.lost_at_sequence, pieces.lost_at_sequence
    assert (whole_lost is None) == (pieces_lost is None)
    assert whole_lost == pieces_lost or 0 in (whole_lost, pieces_lost)
    for one in pdus:
        assert 16 <= len(one.octets) <= longest
        assert framed(one.octets).command_id == one.command_id
    read = b"".join(one.octets for one in pdus)
    lost = whole.lost_octets
    assert stream.startswith(read + (lost or whole.rest))
    if whole_lost is None:
        assert read + whole.rest == stream == b"".join(one.octets for one in got) + pieces.rest
        assert not pieces.rest or len(pieces.rest) < longest
    p.looks_like(lost)


def view(octets: bytes) -> None:
    """The view finds what the obvious parser finds; what leaves is what came."""
    choices = Octets(octets)
    command_id = choices.one_of(MESSAGES)
    pdu = Pdu(command_id, 0, 7, p.build(command_id, 0, 7, choices.rest()))
    try:
        told = obvious_fields(pdu.octets)
    except ValueError:
        told = None
    try:
        sm = Sm(pdu)
    except BodyError as error:
        assert told is None or len(told.tlvs) > p.MOST_TLVS
        assert error.status in REFUSALS
        _damaged(pdu)
        return
    assert told is not None
    assert len(told.tlvs) <= p.MOST_TLVS
    is_data_sm = command_id == v.DATA_SM
    for name, value in seen(sm, is_data_sm).items():
        assert value == getattr(told, name), name
    assert sm.octets == Sm(pdu, tolerant=True).octets
    _is_passed_on(sm, is_data_sm=is_data_sm)


def _damaged(pdu: Pdu) -> None:
    """What is read of a message that is damaged is passed on in good order."""
    for cuts in (False, True):
        try:
            sm = Sm(p.with_fields_cut(pdu) if cuts else pdu, tolerant=True)
        except BodyError as error:
            assert error.status in REFUSALS
            continue
        _is_passed_on(sm, is_data_sm=pdu.command_id == v.DATA_SM)
        assert Sm(framed(p.relay(sm.octets, 7))).octets == p.relay(sm.octets, 7)


def _is_passed_on(sm: Sm, *, is_data_sm: bool) -> None:
    octets = sm.octets
    left = p.relay(octets, 9)
    assert left[:8] == octets[:8]
    assert left[16:] == octets[16:]
    assert p.relay_with(sm, 9) == left
    assert p.relay_with(sm, 9, source=sm.source, destination=sm.destination) == left
    again = Sm(framed(left))
    assert again.tlvs_at == sm.tlvs_at
    if is_data_sm:
        text = sm.message
        made = Sm(framed(p.deliver_sm_from_data_sm(sm)))
        assert made.message == text
        for was, now in ((sm.source, made.source), (sm.destination, made.destination)):
            assert now == (*was[:2], was[2][:20])
        return
    same = p.relay_with(
        sm,
        9,
        schedule_delivery_time=sm.schedule_delivery_time,
        validity_period=sm.validity_period,
        short_message=sm.short_message,
    )
    assert same == left
    changed = Sm(framed(p.relay_with(sm, 9, validity_period=b"", short_message=b"other")))
    assert (changed.short_message, changed.validity_period) == (b"other", b"")
    assert list(changed.tlvs()) == list(sm.tlvs())
    built = p.sm(
        int.from_bytes(octets[4:8], "big"),
        9,
        source=sm.source,
        destination=sm.destination,
        short_message=sm.short_message,
        service_type=sm.service_type,
        esm_class=sm.esm_class,
        priority_flag=sm.priority_flag,
        schedule_delivery_time=sm.schedule_delivery_time,
        validity_period=sm.validity_period,
        registered_delivery=sm.registered_delivery,
        data_coding=sm.data_coding,
        tlvs=b"".join(p.tlv(tag, value) for tag, value in sm.tlvs()),
    )
    assert len(built) == len(left)
    old = Sm(framed(without_tlvs(left)))
    assert old.message == sm.message
    assert len(sm.message) > p.LONGEST_SHORT_MESSAGE_OCTETS or not list(old.tlvs())


def tlvs(octets: bytes) -> None:
    """TLVs are found in their order; a tail that is none is left out or refused."""
    fixed = HEAD + bytes(9) + b"\0"
    pdu = framed(p.build(v.DELIVER_SM, 0, 7, fixed + octets))
    found: list[tuple[int, bytes]] = []
    rest = octets
    while len(rest) >= 4:
        length = int.from_bytes(rest[2:4], "big")
        if len(rest) < 4 + length:
            break
        found.append((int.from_bytes(rest[:2], "big"), rest[4 : 4 + length]))
        rest = rest[4 + length :]
    try:
        sm = Sm(pdu)
    except BodyError as error:
        assert error.status == v.ESME_RINVOPTPARSTREAM
        assert len(rest) >= 4 or len(found) > p.MOST_TLVS
        sm = Sm(pdu, tolerant=True)
    else:
        assert len(rest) < 4
    found = found[: p.MOST_TLVS]
    assert list(sm.tlvs()) == found
    assert sm.tlvs_by_tag() == dict(found)
    for tag, _ in found:
        assert sm.tlv(tag) == next(value for other, value in found if other == tag)
    assert sm.tlv(0xBEEF) == dict(reversed(found)).get(0xBEEF)
    assert sm.octets[sm.tlvs_at :] == b"".join(p.tlv(tag, value) for tag, value in found)


def binds(octets: bytes) -> None:
    """Bind requests and answers of any octets are read or refused; names are bounded."""
    choices = Octets(octets)
    command_id = int.from_bytes(choices.next(4), "big")
    status = int.from_bytes(choices.next(4), "big")
    body = choices.rest()
    pdu = framed(p.build(command_id, status, 7, body))
    message_id = p.message_id_of(pdu)
    assert body.startswith(message_id)
    assert len(message_id) <= p.LONGEST_ID_OCTETS
    assert b"\0" not in message_id
    assert len(v.command_name(command_id)) < 40
    assert len(v.status_name(status)) < 40
    assert repr(pdu)
    answer = framed(p.response(command_id, 7, status, body))
    assert answer.command_id == command_id | v.RESPONSE
    for form in IDS:
        known = canonical(form)(message_id)
        assert 0 < len(known) <= max(p.LONGEST_ID_OCTETS, 80)
        assert canonical(form)(b" " + message_id.upper() + b" \n") == known or form != "text"
    assert len(list(other_forms(message_id))) < 12
    try:
        request = p.BindRequest(pdu)
    except BodyError as error:
        assert error.status in (v.ESME_RINVCMDLEN, v.ESME_RINVPASWD)
        return
    words = (request.system_id, request.password, request.system_type)
    read = b"\0".join((*words, bytes((request.interface_version,))))
    assert body.startswith(read)
    again = p.bind(
        v.BIND_TRANSCEIVER,
        7,
        system_id=request.system_id,
        password=request.password,
        system_type=request.system_type,
        interface_version=request.interface_version,
    )
    same = p.BindRequest(framed(again))
    assert (same.system_id, same.password, same.system_type) == words


IDS: Final[tuple[IdForm, ...]] = ("text", "decimal", "hex")


def shown(octets: bytes) -> None:
    """Whatever a traced PDU is: its fields cover it, and masking keeps its length."""
    found = fields(octets)
    at = min(p.HEADER_OCTETS, len(octets))
    for one in found:
        assert at <= one.at <= one.end <= len(octets)
        at = one.end
    assert at == len(octets) or octets[at:] == b"\0" or not found
    for reveals in (False, True):
        hidden = masked(octets, reveals=reveals)
        assert len(hidden) == len(octets)
        assert masked(hidden, reveals=reveals)[:16] == octets[:16]


def receipt_text(octets: bytes) -> None:
    """A text is read within bounds, and what we make of it reads the same again."""
    _holds(r.read_text(octets))
    for begin in (b"", b"id:1 stat:"):
        sm = Sm(framed(p.build(v.DELIVER_SM, 0, 7, _body(4, (begin + octets)[:255]))))
        receipt = r.recognise(sm)
        assert receipt is not None
        _holds(receipt)
        in_text = r.in_text(sm)
        if in_text is not None:
            _holds(in_text)
            assert in_text.operator_id
            assert in_text.state is not None


def receipt(octets: bytes) -> None:
    """A receipt of text and TLVs is recognised within bounds, marked or not."""
    choices = Octets(octets)
    esm_class = choices.number()
    text = choices.some()
    pdu = framed(p.build(v.DELIVER_SM, 0, 7, _body(esm_class, text) + choices.rest()))
    try:
        sm = Sm(pdu, tolerant=True)
    except BodyError:
        return
    found = r.recognise(sm)
    if found is None:
        assert not esm_class & r.RECEIPT_BITS
        return
    _holds(found)
    once = (found.operator_id, found.other_id)
    assert not found.other_id or found.other_id != found.operator_id
    found.swap_ids()
    found.swap_ids()
    assert (found.operator_id, found.other_id) == once
    state = r.State.UNKNOWN if found.state is None else found.state
    kept, state_kept = failure_of(failure_octets(found, state))
    assert state_kept is state
    assert (kept.network_error_code or b"") == (found.network_error_code or b"")


def _body(esm_class: int, text: bytes) -> bytes:
    return HEAD + bytes((esm_class, *bytes(8), len(text))) + text


def _holds(one: r.Receipt) -> None:
    """Nothing in a receipt is long, and what the client gets of it is read as it was meant."""
    assert len(one.operator_id) <= p.LONGEST_ID_OCTETS
    assert len(one.other_id) <= p.LONGEST_ID_OCTETS
    assert len(one.err) <= r.LONGEST_ERR
    assert len(one.network_error_code or b"") <= r.LONGEST_ERR
    assert one.done == b"" or (len(one.done) == 10 and one.done.isdigit())
    state = r.State.UNKNOWN if one.state is None else one.state
    octets = r.deliver_sm(
        client_id=b"101712345678901",
        state=state,
        err=one.err,
        submitted=b"2701150800",
        done=one.done or b"2701150801",
        source_octets=b"\x01\x01372\0",
        destination_octets=b"\x05\0BANK\0",
        tlvs=True,
        network_error_code=one.network_error_code,
    )
    sm = Sm(framed(octets))
    again = r.recognise(sm)
    assert again is not None
    assert (again.operator_id, again.other_id) == (b"101712345678901", b"")
    assert again.state is state
    assert again.done == (one.done or b"2701150801")
    assert len(again.err) == 3
    assert again.err.isdigit()
    assert (again.network_error_code or b"") == (one.network_error_code or b"")
    read = r.read_text(sm.short_message)
    assert (read.operator_id, read.state, read.err) == (again.operator_id, state, again.err)


def udh(octets: bytes) -> None:
    """A user data header is found as its elements say, or is none."""
    sm = Sm(framed(p.build(v.SUBMIT_SM, 0, 7, _body(t.UDHI, octets[:255]))))
    message = sm.message
    part = part_of(sm)
    found = elements(message, t.UDHI)
    wanted = None
    for element, at, end in found or []:
        value = message[at:end]
        if element in (0, 8) and len(value) == 3 + element // 8:
            total, number = value[-2:]
            wanted = (total, number) if 1 <= number <= total > 1 else None
            break
    if found is not None:
        assert (part and (part.total, part.number)) == wanted
    text = t.without_udh(message, t.UDHI)
    assert message.endswith(text)
    assert t.without_udh(message, 0) == message


def segments(octets: bytes) -> None:
    """A part is one of several; TLVs say it in one way only."""
    choices = Octets(octets)
    esm_class = choices.number()
    text = choices.some(140)
    pdu = framed(p.build(v.SUBMIT_SM, 0, 7, _body(esm_class, text) + choices.rest()))
    try:
        sm = Sm(pdu, tolerant=True)
    except BodyError:
        return
    part = part_of(sm)
    if part is None:
        return
    assert 2 <= part.total <= 255
    assert 1 <= part.number <= part.total
    assert 0 <= part.reference < 3 << 16
    if part.reference >> 16 == 2:
        found = sm.tlvs_by_tag()
        sar = (SAR_MSG_REF_NUM, SAR_TOTAL_SEGMENTS, SAR_SEGMENT_SEQNUM)
        numbers = [int.from_bytes(found[tag], "big") for tag in sar]
        assert numbers == [part.reference & 0xFFFF, part.total, part.number]
    else:
        assert esm_class & t.UDHI
    assert part_of(Sm(framed(p.relay(sm.octets, 9)))) == part


def time(octets: bytes) -> None:
    """A time is read or not; what we write of it is read as the same."""
    choices = Octets(octets)
    now_utc = 1_800_000_000.0 + choices.number() * 86_400
    word = choices.rest()
    for one in (word, times.in_full(word)):
        found = times.time_utc(one, now_utc)
        if found is None:
            continue
        assert len(one) == 16
        if times.is_relative(one):
            assert 0 <= found - now_utc <= 110 * 366 * 86_400  # 99 months and days too.
            if found - now_utc >= 1:
                again = times.time_utc(times.relative(found - now_utc), 0.0)
                assert again == found - now_utc or found - now_utc >= 99 * 365 * 86_400
        else:
            assert 946_000_000 - 86_400 < found < 4_102_444_800 + 86_400
    assert times.in_full(times.in_full(word)) == times.in_full(word)
    key = routing_key(word)
    assert key is None or (key.isdigit() and len(key) <= LONGEST_DIGITS)
    assert len(COUNTRIES.of(b"\x01\x01" + word.replace(b"\0", b"") + b"\0")) <= 5


COUNTRIES: Final = Countries()


def text(octets: bytes) -> None:
    """Any octets are a text in any alphabet, with a first word that is one."""
    choices = Octets(octets)
    data_coding = choices.number()
    said = t.decode(choices.rest()[:FIRST_WORD_OCTETS], data_coding)
    word = t.first_word(said)
    assert not any(one.isspace() for one in word) or not word.strip()
    alphabet, parts = parts_of(said)
    assert alphabet in ("GSM 7-bit", "UCS-2")
    assert 1 <= parts <= 1 + len(said) // 30
