"""router/smpp/receipt.py: what operators write is read, and what clients read is written."""

import re
from dataclasses import dataclass

import pytest

from router.smpp import pdu as p
from router.smpp import receipt as r
from router.smpp import vocabulary as v
from router.smpp.pdu import Framer, Sm
from router.smpp.receipt import Receipt, State
from tests.unit.messages import values

USUAL = (
    b"id:0123456789 sub:001 dlvrd:001 submit date:2511221700 done date:2511221705"
    b" stat:DELIVRD err:000 text:Tere"
)
DONE = b"2511221705"


def carried(
    text: bytes = b"", *, esm_class: int = 4, tlvs: bytes = b"", command: int = v.DELIVER_SM
) -> Sm:
    """The deliver_sm or data_sm of an operator with this text and these TLVs."""
    if command == v.DATA_SM:
        addresses = p.address(1, 1, b"3725550001") + p.address(3, 0, b"12302")
        octets = p.build(v.DATA_SM, 0, 1, b"\0" + addresses + bytes((esm_class, 0, 0)) + tlvs)
    else:
        octets = p.sm(
            v.DELIVER_SM,
            1,
            source=(1, 1, b"3725550001"),
            destination=(3, 0, b"12302"),
            short_message=text,
            esm_class=esm_class,
            tlvs=tlvs,
        )
    (pdu,) = Framer(70_000).feed(octets)
    return Sm(pdu)


def recognised(text: bytes = b"", *, esm_class: int = 4, tlvs: bytes = b"") -> Receipt:
    receipt = r.recognise(carried(text, esm_class=esm_class, tlvs=tlvs))
    assert receipt is not None
    return receipt


# What operators write.


@dataclass
class Said:
    """What a text says, where it is not the usual."""

    text: bytes
    operator_id: bytes = b"0123456789"
    state: State | None = State.DELIVERED
    err: bytes = b"000"
    done: bytes = DONE


def usual_but(old: bytes, new: bytes) -> bytes:
    assert old in USUAL
    return USUAL.replace(old, new)


def packed(text: bytes) -> bytes:
    """GSM 7-bit as on the air: eight septets in seven octets."""
    bits = sum(octet << 7 * place for place, octet in enumerate(text))
    return bits.to_bytes((len(text) * 7 + 7) // 8, "little")


def joined(separator: bytes) -> bytes:
    return re.sub(rb" (?!date)", separator, USUAL)


VARIANTS = {
    "as in the specification": Said(USUAL),
    "one digit of err": Said(usual_but(b"err:000", b"err:0"), err=b"0"),
    "four digits of err": Said(usual_but(b"err:000", b"err:0032"), err=b"0032"),
    "err is a word": Said(usual_but(b"err:000", b"err:nul"), err=b"nul"),
    "err with signs": Said(usual_but(b"err:000", b"err:EC_42-1"), err=b"EC_42-1"),
    "id with signs": Said(usual_but(b"0123456789", b"a@b#c*"), operator_id=b"a@b#c*"),
    "no err": Said(usual_but(b" err:000", b""), err=b""),
    "Text:": Said(usual_but(b"text:", b"Text:")),
    "labels in capitals": Said(usual_but(b"text:Tere", b"").upper() + b"TEXT:Tere"),
    "stat in small letters": Said(usual_but(b"DELIVRD", b"delivrd")),
    "no sub and dlvrd": Said(
        b"id:1526758174 submit date:1701240904 done date:1701240904 stat:DELIVRD err:000 text:hi",
        operator_id=b"1526758174",
        done=b"1701240904",
    ),
    "no text": Said(usual_but(b" text:Tere", b"")),
    "no label stat": Said(
        b"id:0123456789 sub:001 dlvrd:001 submit date:180903120811 done date:180903120816"
        b" DELIVRD err:000 Text:",
        done=b"1809031208",
    ),
    "no blank in labels, zero date": Said(
        b"id:0118Z-0122I-2309U-57DGB sub:000 dlvrd:000 submitdate:180122230957"
        b" donedate:000000000000 stat:REJECTD err:375 text:",
        operator_id=b"0118Z-0122I-2309U-57DGB",
        state=State.REJECTED,
        err=b"375",
        done=b"",
    ),
    "seconds": Said(usual_but(b"done date:2511221705", b"done date:251122170559")),
    "with the century": Said(usual_but(b"done date:2511221705", b"done date:202511221705")),
    "century and seconds": Said(usual_but(b"done date:2511221705", b"done date:20251122170559")),
    "date with zone": Said(usual_but(b"done date:2511221705", b"done date:251122170559912+")),
    "date with signs": Said(usual_but(b"done date:2511221705", b"done date:25/11/22-17:05")),
    "date with a blank": Said(usual_but(b"date:2511221705", b"date:2025-11-22 17:05:59")),
    "short date with a blank": Said(usual_but(b"date:2511221705", b"date:25/11/22 17:05")),
    "zeros of ten": Said(usual_but(b"done date:2511221705", b"done date:0000000000"), done=b""),
    "month 13": Said(usual_but(b"done date:2511221705", b"done date:2513221705"), done=b""),
    "day 32": Said(usual_but(b"done date:2511221705", b"done date:2511321705"), done=b""),
    "day 0": Said(usual_but(b"done date:2511221705", b"done date:2511001705"), done=b""),
    "hour 24": Said(usual_but(b"done date:2511221705", b"done date:2511222405"), done=b""),
    "minute 60": Said(usual_but(b"done date:2511221705", b"done date:2511221760"), done=b""),
    "half a date": Said(usual_but(b"done date:2511221705", b"done date:25112217"), done=b""),
    "other order": Said(
        b"stat:DELIVRD err:000 done date:2511221705 id:0123456789 submit date:2511221700"
    ),
    "blanks behind labels": Said(
        b"id: 0123456789 sub: 001 dlvrd: 001 submit date: 2511221700 done date: 2511221705"
        b" stat: DELIVRD err: 000 text:"
    ),
    "empty fields": Said(
        b"id:0123456789 sub: dlvrd: submit date: done date:2511221705 stat:DELIVRD err: text:",
        err=b"",
    ),
    "empty id": Said(usual_but(b"id:0123456789", b"id:"), operator_id=b""),
    "line ends": Said(USUAL.replace(b" s", b"\r\ns").replace(b" d", b"\nd", 1)),
    "id that is a uuid": Said(
        usual_but(b"0123456789", b"a0b1c2d3-e4f5-4678-9abc-def012345678"),
        operator_id=b"a0b1c2d3-e4f5-4678-9abc-def012345678",
    ),
    "id with a NUL": Said(
        b"id:31060CC2\0 submit date:2511221700 done date:2511221705 stat:DELIVRD err:000",
        operator_id=b"31060CC2",
    ),
    "unknown word": Said(usual_but(b"DELIVRD", b"TELEPORTED"), state=None),
    "unknown word, unusual text": Said(
        b"id:0123456789 done date:2511221705 stat:TELEPORTED err:000", state=None
    ),
    "no state at all": Said(b"id:0123456789 done date:2511221705 err:000", state=None),
    "id in the text": Said(usual_but(b"text:Tere", b"text: id:666 stat:UNDELIV err:042")),
    "only a text": Said(
        b"text:id:666 stat:DELIVRD", operator_id=b"", state=None, err=b"", done=b""
    ),
    "a word that ends like a label": Said(
        b"paid:666 id:0123456789 done date:2511221705 stat:DELIVRD err:000"
    ),
    "labels twice": Said(
        b"id:0123456789 done date:2511221705 stat:DELIVRD err:000 id:666 err:001 stat:UNDELIV"
    ),
    "nothing": Said(b"", operator_id=b"", state=None, err=b"", done=b""),
    "UCS-2": Said(USUAL.decode().encode("utf-16-be")),
    "UCS-2 in the other order": Said(USUAL.decode().encode("utf-16-le")),
    "UCS-2 with a mark": Said(USUAL.decode().encode("utf-16")),
    "GSM 7-bit, packed": Said(packed(USUAL)),
    "commas": Said(joined(b",")),
    "semicolons and blanks": Said(joined(b"; ")),
    "bars": Said(b"|".join((b"id:0123456789", b"done date:2511221705|stat:DELIVRD|err:000|text:"))),
    "equal signs": Said(b"id=0123456789&done_date=2511221705&stat=DELIVRD&err=000&text=id=666"),
    "blanks around colons": Said(
        b"id : 0123456789 done date : 2511221705 stat : DELIVRD err : 000"
    ),
    "double quotes": Said(
        b'id:"0123456789" sub:"001" done date:"2511221705" stat:"DELIVRD" err:"000" text:"Tere"'
    ),
    "double quotes in the usual order": Said(
        b'id:"0123456789" sub:001 dlvrd:001 submit date:2511221700 done date:2511221705'
        b' stat:"DELIVRD" err:"000"'
    ),
    "single quotes": Said(b"id:'0123456789' done date:'2511221705' stat:'DELIVRD' err:'000'"),
    "labels in quotes": Said(
        b'{"id":"0123456789","done date":"2511221705","stat":"DELIVRD","err":"000","text":"id:6"}'
    ),
    "date with a blank, in quotes": Said(
        b'id:"0123456789" done date:"2025-11-22 17:05:59" stat:"DELIVRD" err:"000"'
    ),
    "base64": Said(usual_but(b"0123456789", b"ab+/cd=="), operator_id=b"ab+/cd=="),
    "0x": Said(usual_but(b"0123456789", b"0x39F99DD5"), operator_id=b"0x39F99DD5"),
    "negative": Said(usual_but(b"0123456789", b"-1294967296"), operator_id=b"-1294967296"),
    "word in full": Said(usual_but(b"DELIVRD", b"Delivered")),
    "word in full and commas": Said(b"stat:Delivered,id:0123456789,done date:2511221705,err:000"),
    "prose with an id": Said(
        b"id:0123456789 done date:2511221705 err:000 delivered", state=State.DELIVERED
    ),
    "prose": Said(b"It could not be DELIVERED", operator_id=b"", state=None, err=b"", done=b""),
    "id in a text behind a comma": Said(
        b"id:0123456789,done date:2511221705,stat:DELIVRD,err:000,text:x stat:UNDELIV err:042"
    ),
    "not for machines": Said(
        b"Your message has arrived.", operator_id=b"", state=None, err=b"", done=b""
    ),
    "no ascii": Said(USUAL + b" \x1b\x65\xff\x00"),
}


@pytest.mark.parametrize("said", VARIANTS.values(), ids=VARIANTS)
def test_text_is_read_as_it_is_meant(said: Said) -> None:
    expected = values(Receipt(said.operator_id, said.state, said.err, said.done, None))
    assert values(recognised(said.text)) == expected


@pytest.mark.parametrize("said", VARIANTS.values(), ids=VARIANTS)
def test_text_is_read_the_same_from_message_payload(said: Said) -> None:
    tlvs = p.tlv(v.MESSAGE_PAYLOAD, said.text)
    for command in (v.DELIVER_SM, v.DATA_SM):
        receipt = r.recognise(carried(tlvs=tlvs, command=command))
        expected = Receipt(said.operator_id, said.state, said.err, said.done, None)
        assert values(receipt) == values(expected)


@pytest.mark.parametrize(
    ("word", "state"),
    [
        (b"SCHEDLD", State.SCHEDULED),
        (b"ENROUTE", State.ENROUTE),
        (b"BUFFRED", State.ENROUTE),
        (b"BUFFERD", State.ENROUTE),
        (b"ACKED", State.ENROUTE),
        (b"DELIVRD", State.DELIVERED),
        (b"EXPIRED", State.EXPIRED),
        (b"DELETED", State.DELETED),
        (b"UNDELIV", State.UNDELIVERABLE),
        (b"FAILED", State.UNDELIVERABLE),
        (b"ACCEPTD", State.ACCEPTED),
        (b"UNKNOWN", State.UNKNOWN),
        (b"REJECTD", State.REJECTED),
        (b"DND_REJECTED", State.REJECTED),
        (b"SKIPPED", State.SKIPPED),
        (b"SCHEDULED", State.SCHEDULED),
        (b"BUFFERED", State.ENROUTE),
        (b"DELIVERED", State.DELIVERED),
        (b"UNDELIVERABLE", State.UNDELIVERABLE),
        (b"UNDELIVERED", State.UNDELIVERABLE),
        (b"UNDELIVRD", State.UNDELIVERABLE),
        (b"ACCEPTED", State.ACCEPTED),
        (b"REJECTED", State.REJECTED),
    ],
)
def test_every_word_in_use_has_its_state(word: bytes, state: State) -> None:
    for written in (word, word.lower(), word.title()):
        assert recognised(usual_but(b"DELIVRD", written)).state is state
        assert (
            recognised(usual_but(b"sub:001 dlvrd:001 ", b"").replace(b"DELIVRD", written)).state
            is state
        )
        assert recognised(usual_but(b"stat:DELIVRD", written)).state is state


@pytest.mark.parametrize("number", range(256))
def test_every_message_state_has_its_state_or_none(number: int) -> None:
    tlvs = p.tlv(v.RECEIPTED_MESSAGE_ID, b"1\0") + p.tlv(v.MESSAGE_STATE, bytes((number,)))
    receipt = recognised(esm_class=0, tlvs=tlvs)
    assert receipt.state == (State(number) if number <= 9 else None)


# Is it a receipt at all?

ID_TLV = p.tlv(v.RECEIPTED_MESSAGE_ID, b"31060CC2\0")
STATE_TLV = p.tlv(v.MESSAGE_STATE, b"\x05")


@pytest.mark.parametrize("esm_class", [0x04, 0x06, 0x20, 0x44, 0x84])
def test_esm_class_marks_a_receipt(esm_class: int) -> None:
    assert recognised(USUAL, esm_class=esm_class).operator_id == b"0123456789"


@pytest.mark.parametrize("esm_class", [0x00, 0x03, 0x08, 0x10, 0x18, 0x40, 0x80, 0xC3])
@pytest.mark.parametrize("tlvs", [b"", ID_TLV, STATE_TLV])
def test_nothing_else_does_but_both_tlvs(esm_class: int, tlvs: bytes) -> None:
    """Some operators put receipted_message_id on subscribers' messages."""
    assert r.recognise(carried(USUAL, esm_class=esm_class, tlvs=tlvs)) is None
    assert r.recognise(carried(USUAL, esm_class=esm_class, tlvs=ID_TLV + STATE_TLV)) is not None


@pytest.mark.parametrize(
    "text",
    [
        USUAL,
        b"stat:REJECTED,id:5",
        b'{"id":"5","stat":"EXPIRED"}',
        b" ID: 5 Stat: Delivered",
        b"id:5 DELIVRD",
    ],
)
@pytest.mark.parametrize("command", [v.DELIVER_SM, v.DATA_SM])
def test_text_that_begins_with_a_field_and_has_id_and_state_reads_like_a_receipt(
    text: bytes, command: int
) -> None:
    tlvs = b"" if command == v.DELIVER_SM else p.tlv(v.MESSAGE_PAYLOAD, text)
    sm = carried(text, esm_class=0, tlvs=tlvs, command=command)
    assert values(r.in_text(sm)) == values(r.read_text(text))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"id:5",
        b"stat:DELIVRD",
        b"id: stat:DELIVRD",
        b"id:5 stat:TELEPORTED",
        b"hello id:5 stat:DELIVRD",
        b"identity:5 stat:DELIVRD",
        b"text:id:5 stat:DELIVRD",
    ],
)
def test_other_text_does_not_read_like_a_receipt(text: bytes) -> None:
    assert r.in_text(carried(text, esm_class=0)) is None


def test_text_reads_like_a_receipt_in_the_operators_own_words() -> None:
    sm = carried(b"id:5 stat:TELEPORTED", esm_class=0)
    receipt = r.in_text(sm, {b"TELEPORTED": State.DELIVERED})
    assert receipt is not None
    assert receipt.state is State.DELIVERED


def test_number_is_an_operators_word_only_behind_its_label() -> None:
    words = {b"0": State.DELIVERED}
    assert r.read_text(b"id:5 stat:0 err:1", words).state is State.DELIVERED
    assert r.read_text(b"id:5 sub: 0 err: 0", words).state is None


def test_tlvs_alone_are_a_receipt() -> None:
    receipt = recognised(esm_class=0, tlvs=STATE_TLV + ID_TLV)
    assert values(receipt) == values(Receipt(b"31060CC2", State.UNDELIVERABLE, b"", b"", None))


# Text and TLVs together.


@pytest.mark.parametrize("text", [USUAL, usual_but(b"sub:001 ", b"")], ids=["usual", "unusual"])
def test_tlvs_win_over_the_text(text: bytes) -> None:
    receipt = recognised(text, tlvs=ID_TLV + STATE_TLV)
    expected = Receipt(b"31060CC2", State.UNDELIVERABLE, b"000", DONE, None)
    expected.other_id = b"0123456789"
    assert values(receipt) == values(expected)
    receipt.swap_ids()
    assert (receipt.operator_id, receipt.other_id) == (b"0123456789", b"31060CC2")


def test_there_is_no_other_id_where_tlv_and_text_agree_or_one_is_missing() -> None:
    id_tlv = p.tlv(v.RECEIPTED_MESSAGE_ID, b"0123456789\0")
    for receipt in (recognised(USUAL, tlvs=id_tlv), recognised(USUAL), recognised(tlvs=ID_TLV)):
        assert receipt.other_id == b""


@pytest.mark.parametrize(
    ("value", "operator_id"),
    [
        (b"31060CC2", b"31060CC2"),
        (b"31060CC2\0", b"31060CC2"),
        (b"31060CC2\0\0\0", b"31060CC2"),
        (b"\0", b"0123456789"),
        (b"", b"0123456789"),
    ],
)
def test_id_tlv_has_a_nul_or_none_or_nothing(value: bytes, operator_id: bytes) -> None:
    tlvs = p.tlv(v.RECEIPTED_MESSAGE_ID, value)
    assert recognised(USUAL, tlvs=tlvs).operator_id == operator_id


@pytest.mark.parametrize(
    ("value", "state"),
    [
        (b"\x02", State.DELIVERED),
        (b"\x00\x00\x00\x02", State.DELIVERED),
        (b"\x00", State.SCHEDULED),
        (b"\x2a", State.EXPIRED),
        (b"", State.EXPIRED),
    ],
)
def test_state_tlv_counts_where_it_names_a_state(value: bytes, state: State) -> None:
    text = usual_but(b"DELIVRD", b"EXPIRED")
    assert recognised(text, tlvs=p.tlv(v.MESSAGE_STATE, value)).state is state


@pytest.mark.parametrize("value", [b"\x03\x00\x14", b"020", b"", b"\x03"])
def test_network_error_code_is_kept_as_it_came(value: bytes) -> None:
    """Two octets behind a type; some operators send three digits in ASCII."""
    tlvs = p.tlv(v.NETWORK_ERROR_CODE, value)
    assert recognised(USUAL, tlvs=tlvs).network_error_code == value


def test_text_ends_where_the_tlvs_begin() -> None:
    """Without `text:` the last field is followed by octets of a TLV that are no white space."""
    text = usual_but(b" text:Tere", b"")
    assert recognised(text, tlvs=p.tlv(0x1401, b"x")).err == b"000"
    cut = text.removesuffix(b"000")
    assert recognised(cut, tlvs=p.tlv(0x3030, b"x")).err == b""


def test_id_in_the_message_of_a_subscriber_is_not_read() -> None:
    """The text field of a receipt repeats what a subscriber, or our client, wrote."""
    forged = usual_but(b"text:Tere", b"text:x id:666 sub:001 dlvrd:001 stat:UNDELIV err:001")
    usual = values(recognised(USUAL))
    assert values(recognised(forged)) == usual
    assert values(recognised(forged.replace(b"sub:001 ", b"", 1))) == usual


# What clients read.

CLIENT_PATTERNS = {
    "php-smpp": rb"^id:([^ ]+) sub:(\d{1,3}) dlvrd:(\d{3}) submit date:(\d{10,12})"
    rb" done date:(\d{10,12}) stat:([A-Z]{7}) err:(\d{2,3}) text:(.*)$",
    "vumi": rb"id:(\S{,65}) .*?sub:.{3} dlvrd:.{3} submit date:\d* done date:\d*"
    rb" stat:[A-Z]{5,7} .*?text:.{,20}",
    "cloudhopper": rb"(?i)^id:(\S+) sub:\d+ dlvrd:\d+ submit date:\d{10} done date:\d{10}"
    rb" stat:[A-Z]+ err:.{1,3} text:",
    "kannel": rb"^id:(\S+) sub:-?\d+ dlvrd:-?\d+ submit date:\d{1,12} done date:\d{1,12}"
    rb" stat:\S{1,10} err:\S{1,3} ?[Tt]ext:",
}


@pytest.mark.parametrize("pattern", CLIENT_PATTERNS.values(), ids=CLIENT_PATTERNS)
@pytest.mark.parametrize("err", [b"000", b"0", b"", b"75", b"0032", b"1234", b"nul", b"\0\xff "])
@pytest.mark.parametrize("state", State)
def test_what_is_written_fits_the_patterns_of_clients(
    state: State, err: bytes, pattern: bytes
) -> None:
    text = r.write_text(b"123456789012345", state, err, b"2511221700", DONE)
    match = re.search(pattern, text)
    assert match is not None
    assert match[1] == b"123456789012345"


@pytest.mark.parametrize(
    ("err", "written"),
    [
        (b"000", b"000"),
        (b"", b"000"),
        (b"0", b"000"),
        (b"75", b"075"),
        (b"954", b"954"),
        (b"0000", b"000"),
        (b"0032", b"032"),
        (b"nul", b"000"),
        (b"NULL", b"000"),
        (b"0x0000", b"000"),
        (b"\xb2\xb3\xb9", b"000"),
    ],
)
def test_err_is_three_digits(err: bytes, written: bytes) -> None:
    text = r.write_text(b"1", State.UNDELIVERABLE, err, b"2511221700", DONE)
    assert text.endswith(b" err:" + written + b" text:")


@pytest.mark.parametrize("err", [b"1234", b"001234", b"0x45B", b"-1", b"E05", b"EC_UNKNOWN", b"x"])
def test_err_that_does_not_fit_is_told_whole_and_never_as_another(err: bytes) -> None:
    text = r.write_text(b"1", State.UNDELIVERABLE, err, b"2511221700", DONE)
    assert text.endswith(b" err:999 text:error " + err)


def test_err_of_any_length_leaves_room_in_a_short_message() -> None:
    text = r.write_text(b"1" * 15, State.DELIVERED, b"7\0\xff" * 5000, b"2511221700", DONE)
    assert text.endswith(b" err:999 text:error " + b"7" * 100 + b"...")
    assert len(text) < p.LONGEST_SHORT_MESSAGE_OCTETS


@pytest.mark.parametrize("state", State)
def test_dlvrd_counts_only_what_was_delivered(state: State) -> None:
    text = r.write_text(b"1", state, b"000", b"2511221700", DONE)
    delivered = b"001" if state is State.DELIVERED else b"000"
    assert b" sub:001 dlvrd:" + delivered + b" " in text


def written(
    *, state: State = State.DELIVERED, tlvs: bool = True, final: bool = True, text: bytes = b""
) -> Sm:
    octets = r.deliver_sm(
        client_id=b"123456789012345",
        state=state,
        err=b"042",
        submitted=b"2511221700",
        done=DONE,
        source_octets=p.address(1, 1, b"3725550001"),
        destination_octets=p.address(5, 0, b"MESSENTE"),
        tlvs=tlvs,
        network_error_code=b"\x03\x00\x2a",
        final=final,
        text=text,
    )
    (pdu,) = Framer(1000).feed(octets)
    assert (pdu.command_id, pdu.command_status, pdu.sequence_number) == (v.DELIVER_SM, 0, 0)
    return Sm(pdu)


@pytest.mark.parametrize("tlvs", [True, False])
@pytest.mark.parametrize("state", State)
def test_what_is_written_is_read_back(state: State, tlvs: bool) -> None:
    sm = written(state=state, tlvs=tlvs)
    code = b"\x03\x00\x2a" if tlvs else None
    expected = Receipt(b"123456789012345", state, b"042", DONE, code)
    assert values(r.recognise(sm)) == values(expected)


def test_deliver_sm_of_a_receipt_says_nothing_but_the_receipt() -> None:
    sm = written()
    assert sm.octets == p.sm(
        v.DELIVER_SM,
        0,
        source=(1, 1, b"3725550001"),
        destination=(5, 0, b"MESSENTE"),
        short_message=r.write_text(
            b"123456789012345", State.DELIVERED, b"042", b"2511221700", DONE
        ),
        esm_class=0x04,
        tlvs=p.tlv(v.RECEIPTED_MESSAGE_ID, b"123456789012345\0")
        + p.tlv(v.MESSAGE_STATE, b"\x02")
        + p.tlv(v.NETWORK_ERROR_CODE, b"\x03\x00\x2a"),
    )


def test_old_clients_get_no_tlvs() -> None:
    assert list(written(tlvs=False).tlvs()) == []


def test_network_error_code_is_left_out_where_there_is_none() -> None:
    octets = r.deliver_sm(
        client_id=b"1",
        state=State.EXPIRED,
        err=b"",
        submitted=b"2511221700",
        done=DONE,
        source_octets=p.address(0, 0, b""),
        destination_octets=p.address(0, 0, b""),
        tlvs=True,
    )
    (pdu,) = Framer(1000).feed(octets)
    assert Sm(pdu).tlv(v.NETWORK_ERROR_CODE) is None


def test_intermediate_receipt_is_marked_as_one() -> None:
    assert written(final=False).esm_class == 0x20
    assert written(final=True).esm_class == 0x04


def test_text_that_is_added_stands_last() -> None:
    sm = written(text=b"made by smpp-router: expired")
    assert sm.short_message.endswith(b" err:042 text:made by smpp-router: expired")
    assert values(r.recognise(sm)) == values(r.recognise(written()))


def test_final_states_are_not_intermediate() -> None:
    assert not r.FINAL & {State.SCHEDULED, State.ENROUTE}
    assert {State.DELIVERED, State.EXPIRED, State.UNDELIVERABLE, State.REJECTED} <= r.FINAL


def test_fields_stand_in_the_first_octets_of_a_long_text() -> None:
    at = r.LONGEST_TEXT_OCTETS - len(b"id:1 stat:DELIVRD")
    seen = r.read_text(b" " * at + b"id:1 stat:DELIVRD err:7")
    assert (seen.operator_id, seen.state, seen.err) == (b"1", State.DELIVERED, b"")
    for wide in (False, True):
        text = b" " * (at + 100) + b"id:1 stat:DELIVRD"
        payload = text.decode().encode("utf-16-be") if wide else text
        found = r.recognise(carried(tlvs=p.tlv(v.MESSAGE_PAYLOAD, payload)))
        assert found is not None
        assert found.operator_id == b""


def test_what_is_kept_of_a_receipt_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    dates: list[bytes] = []
    monkeypatch.setattr(r, "_date", dates.append)
    text = b"id:%b done date:%b stat:DELIVRD err:%b" % (b"1" * 1000, b"2" * 1000, b"3" * 1000)
    seen = r.read_text(text)
    assert (len(seen.operator_id), len(seen.err)) == (p.LONGEST_ID_OCTETS, r.LONGEST_ERR)
    assert [len(date) for date in dates] == [32]


@pytest.mark.parametrize(
    ("octets", "kept"), [(3, True), (255, True), (256, False), (60_000, False)]
)
def test_network_error_code_without_end_is_none(octets: int, kept: bool) -> None:
    tlvs = p.tlv(v.NETWORK_ERROR_CODE, bytes(octets)) + p.tlv(v.RECEIPTED_MESSAGE_ID, b"1")
    found = r.recognise(carried(tlvs=tlvs))
    assert found is not None
    assert found.network_error_code == (bytes(octets) if kept else None)
