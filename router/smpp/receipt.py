"""A delivery receipt: from the texts and TLVs that operators send, to the one that clients read.

Reading is tolerant: fields in any order and case, missing, without blanks, joined by commas and the
like, in quotes, states in words of any length, dates of 10 to 15 digits, or TLVs alone. Writing is
strict: the eight fields that every client library's pattern wants. The text of the message is never
read for fields (a subscriber could forge an id there) and never repeated (it is private).

Source: SMPP v3.4, 5.3.2.12, 5.3.2.35 (TLVs), appendix B (text), and what the field makes of it.
"""

import re
from collections.abc import Mapping
from enum import IntEnum
from functools import lru_cache
from typing import Final

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Sm


class State(IntEnum):
    """message_state (SMPP v5.0, 4.8.4.37)."""

    SCHEDULED = 0
    ENROUTE = 1
    DELIVERED = 2
    EXPIRED = 3
    DELETED = 4
    UNDELIVERABLE = 5
    ACCEPTED = 6
    UNKNOWN = 7
    REJECTED = 8
    SKIPPED = 9


RECEIPT_BITS: Final = 0x24
"""esm_class of a deliver_sm: receipt, intermediate notification (3.4, 5.2.12). The bits beside them
are for what subscribers write: acknowledgements (0x08, 0x10)."""
ESM_RECEIPT: Final = 0x04
ESM_INTERMEDIATE: Final = 0x20

FINAL: Final = frozenset(
    {
        State.DELIVERED,
        State.EXPIRED,
        State.DELETED,
        State.UNDELIVERABLE,
        State.REJECTED,
        State.SKIPPED,
    }
)
"""States after which nothing more is said of a message. ACCEPTD and UNKNOWN are final only if the
operator's settings say so."""

WORDS: Final = {
    State.SCHEDULED: b"SCHEDLD",
    State.ENROUTE: b"ENROUTE",
    State.DELIVERED: b"DELIVRD",
    State.EXPIRED: b"EXPIRED",
    State.DELETED: b"DELETED",
    State.UNDELIVERABLE: b"UNDELIV",
    State.ACCEPTED: b"ACCEPTD",
    State.UNKNOWN: b"UNKNOWN",
    State.REJECTED: b"REJECTD",
    State.SKIPPED: b"SKIPPED",
}
"""The words for states in the texts of receipts (3.4, appendix B)."""
_STATES: Final = {word: state for state, word in WORDS.items()} | {
    b"BUFFRED": State.ENROUTE,
    b"BUFFERD": State.ENROUTE,
    b"ACKED": State.ENROUTE,
    b"FAILED": State.UNDELIVERABLE,
    b"DND_REJECTED": State.REJECTED,
}
"""By the word, in capitals. These mean a state wherever they stand."""
_IN_FULL: Final = {
    b"SCHEDULED": State.SCHEDULED,
    b"BUFFERED": State.ENROUTE,
    b"DELIVERED": State.DELIVERED,
    b"UNDELIVERABLE": State.UNDELIVERABLE,
    b"UNDELIVERED": State.UNDELIVERABLE,
    b"UNDELIVRD": State.UNDELIVERABLE,
    b"ACCEPTED": State.ACCEPTED,
    b"REJECTED": State.REJECTED,
}
"""Words that people use too: they mean a state behind `stat:`, and alone only beside an id."""
STATES: Final = _STATES | _IN_FULL
"""The states by all words for them, in capitals."""

_USUAL: Final = re.compile(
    # An id or a word with other characters is for the patterns below.
    rb"id:([0-9A-Za-z.+/=:_-]+)(?: sub:\d+ dlvrd:\d+)? submit date:\d+ done date:(\d+)"
    rb" stat:([A-Za-z_]+) err:([^ \t\r\n\f\v\"',;|]+)"
)
_LABELS: Final = rb"id|sub|dlvrd|submit[ _]?date|done[ _]?date|stat|err"
_IS: Final = rb"[\"']?[ \t]?[:=]"  # Between a label, which may stand in quotes, and its value.
_LABELLED: Final = re.compile(
    # Behind a field without a value comes the next label, which is not its value.
    rb"(?i)(?<![a-z])(%b)%b[ \t]?(?!(?:%b)%b)(?:\"([^\"]*)|'([^']*)|(%b|[^\s\"',;|&}]*))"
    % (_LABELS, _IS, _LABELS, _IS, rb"\d\d[\d./-]*\d \d\d:\d\d(?::\d\d)?")  # A date and a time.
)
_BEGIN: Final = re.compile(rb"(?i)[\s\"'{(]*(?:%b)%b" % (_LABELS, _IS))
_TEXT: Final = re.compile(rb"(?i)(?<![a-z0-9_])text%b" % _IS)
_BLANK: Final = re.compile(rb"[ _]")
_BETWEEN: Final = re.compile(rb"[\s\"',;|&]+")
_DATE: Final = re.compile(rb"\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])([01]\d|2[0-3])[0-5]\d")


LONGEST_ERR: Final = 255
"""Octets of an error code, in the text or in network_error_code, that are read: the TLV has 3."""
LONGEST_TEXT_OCTETS: Final = 4096
"""Octets of a text in which fields are looked for: a message_payload may have 65,535, and to read
all of those would keep everybody waiting."""
_LONGEST_DATE: Final = 32
"""Octets of a date in any form; dates are cached."""


class Receipt:
    """An operator's report on one message."""

    __slots__ = (
        "done",
        "err",
        "network_error_code",
        "operator_id",
        "other_id",
        "state",
        "told_done",
    )

    def __init__(
        self,
        operator_id: bytes,
        state: State | None,
        err: bytes,
        done: bytes,
        network_error_code: bytes | None,
    ) -> None:
        self.operator_id = operator_id
        """The message id as the operator writes it."""
        self.other_id = b""
        """The id in the text, where that in the TLV is another; else empty."""
        self.state = state
        """The state; None if the operator's word for it is not known."""
        self.err = err
        """The error code; empty if there is none."""
        self.done = done
        """The done date as YYMMDDhhmm, by the operator's clock; empty if there is none."""
        self.told_done = b""
        """The done date that the client is told, in UTC; empty where that is when it is told."""
        self.network_error_code = network_error_code
        """The TLV network_error_code, as it came."""

    def swap_ids(self) -> None:
        """Mean the message by the other of the two ids."""
        self.operator_id, self.other_id = self.other_id, self.operator_id


def recognise(sm: Sm, states: Mapping[bytes, State] = STATES) -> Receipt | None:
    """Return the receipt that this deliver_sm or data_sm carries; None if it carries none.

    `states` are the states by the operator's words for them, in capitals. receipted_message_id
    alone proves nothing: some operators put it on subscribers' messages. A marked receipt in which
    no id can be found comes back with an empty one.
    """
    marked = sm.esm_class & RECEIPT_BITS
    usual = _USUAL.match(sm.octets, sm.short_message_at, sm.tlvs_at) if marked else None
    if usual is not None:
        operator_id, done, word, err = usual.groups()
        receipt = Receipt(operator_id, states.get(word.upper()), err, _date(done), None)
        if sm.tlvs_at == len(sm.octets):
            return receipt
        tlvs = sm.tlvs_by_tag()
    else:
        tlvs = sm.tlvs_by_tag()
        if not marked and not (v.RECEIPTED_MESSAGE_ID in tlvs and v.MESSAGE_STATE in tlvs):
            return None
        message = sm.short_message or tlvs.get(v.MESSAGE_PAYLOAD, b"")
        receipt = read_text(_as_ascii(message), states)
        if not receipt.operator_id and v.RECEIPTED_MESSAGE_ID not in tlvs:
            unpacked = read_text(_unpacked(message[: p.LONGEST_SHORT_MESSAGE_OCTETS]), states)
            receipt = unpacked if unpacked.operator_id else receipt
    # The TLVs are the operator's machine speaking, the text may be for eyes: they win. Which id is
    # known only who knows the messages can tell.
    id_tlv = tlvs.get(v.RECEIPTED_MESSAGE_ID, b"")[: p.LONGEST_ID_OCTETS].rstrip(b"\0")
    if id_tlv and id_tlv != receipt.operator_id:
        receipt.other_id, receipt.operator_id = receipt.operator_id, id_tlv
    state_tlv = tlvs.get(v.MESSAGE_STATE)
    if state_tlv and (state := _STATE_BY_NUMBER.get(state_tlv[-1])) is not None:
        receipt.state = state
    network_error_code = tlvs.get(v.NETWORK_ERROR_CODE)
    if network_error_code is not None and len(network_error_code) <= LONGEST_ERR:
        receipt.network_error_code = network_error_code
    return receipt


def _as_ascii(message: bytes) -> bytes:
    """Return a text without the NULs that UCS-2 has beside each octet of ASCII, in either order."""
    message = message[: 2 * LONGEST_TEXT_OCTETS]
    return message.replace(b"\0", b"") if b"\0" in message[:4] else message


def _unpacked(message: bytes) -> bytes:
    """Return the septets of GSM 7-bit as some operators pack them, eight in seven octets."""
    packed = int.from_bytes(message, "little")
    return bytes([packed >> 7 * place & 0x7F for place in range(len(message) * 8 // 7)])


def in_text(sm: Sm, states: Mapping[bytes, State] = STATES) -> Receipt | None:
    """Return what reads like a receipt in a message that is not marked as one; None if nothing.

    It begins with a field, and has an id and a state. A subscriber can write such a text, too.
    """
    message = _as_ascii(sm.message)
    if _BEGIN.match(message) is None:
        return None
    receipt = read_text(message, states)
    return receipt if receipt.operator_id and receipt.state is not None else None


_DELIVERED: Final = State.DELIVERED
_STATE_BY_NUMBER: Final = {int(state): state for state in State}


def read_text(text: bytes, states: Mapping[bytes, State] = STATES) -> Receipt:
    """Read the fields that a text has; a missing id is empty."""
    text = text[:LONGEST_TEXT_OCTETS]
    cut = _TEXT.search(text)
    if cut is not None:
        text = text[: cut.start()]
    fields: dict[bytes, bytes] = {}
    for label, in_double, in_single, bare in _LABELLED.findall(text):
        value = (in_double or in_single or bare).strip()
        fields.setdefault(_BLANK.sub(b"", label.lower()), value)
    operator_id = fields.get(b"id", b"").strip(b"\0")[: p.LONGEST_ID_OCTETS]
    word = fields.get(b"stat", b"").upper()
    if not word:  # Some operators leave the label out and write the bare word.
        words = states if operator_id else _STATES
        parts = _BETWEEN.split(text.upper())
        word = next((part for part in parts if part in words and not part.isdigit()), b"")
    return Receipt(
        operator_id,
        states.get(word),
        fields.get(b"err", b"")[:LONGEST_ERR],
        _date(fields.get(b"donedate", b"")[:_LONGEST_DATE]),
        None,
    )


@lru_cache(maxsize=4096)  # Most receipts of a minute have the same one.
def _date(digits: bytes) -> bytes:
    """YYMMDDhhmm of any of the forms in use; empty for none, zeros or nonsense.

    What follows the minutes is dropped: seconds, tenths and the time zone of `251122170059912+`.
    Twelve digits and more that begin with 20 have the century, unless they are of the year 2020.
    """
    if len(digits) != 10 or not digits.isdigit():
        digits = b"".join(re.findall(rb"\d", digits)) if digits else b""
        if len(digits) >= 12 and digits.startswith(b"20"):
            digits = digits[2:]
        digits = digits[:10]
    return digits if _DATE.fullmatch(digits) else b""


def write_text(client_id: bytes, state: State, err: bytes, submitted: bytes, done: bytes) -> bytes:
    """Return the text that clients read; dates are YYMMDDhhmm.

    err is three digits, as some clients' patterns want it. A code that does not fit is 999 there,
    and stands whole behind `text:`.
    """
    told = b""
    if len(err) != 3 or not err.isdigit():
        err, told = _three_digits(err)
    delivered = b"001" if state is _DELIVERED else b"000"
    return b"id:%b sub:001 dlvrd:%b submit date:%b done date:%b stat:%b err:%b text:%b" % (
        client_id,
        delivered,
        submitted,
        done,
        WORDS[state],
        err,
        told,
    )


@lru_cache(maxsize=256)
def _layout(template: str) -> bytes:
    """Return a template, whose fields stand in braces, as a format of octets."""
    parts = _FIELD.split(template.replace("%", "%%"))
    parts[1::2] = [f"%({field})b" for field in parts[1::2]]
    return "".join(parts).encode("ascii")


_FIELD: Final = re.compile(r"\{([a-z_]+)\}")
FIELDS: Final = ("id", "sub", "dlvrd", "submit_date", "done_date", "stat", "err", "text")
"""What can be put into a template of `write_text_as`."""


def write_text_as(
    template: str,
    client_id: bytes,
    state: State,
    err: bytes,
    submitted: bytes,
    done: bytes,
    told: bytes,
) -> bytes:
    """Return a receipt's text in a layout of the client's own, short enough for a short_message.

    `template` has some of FIELDS in braces, each once, and no other braces; `told` is put in for
    `{text}`, behind the code that err has no room for, and is cut where it is too long. The dates
    are put in as they are.
    """
    if len(err) != 3 or not err.isdigit():
        err, code = _three_digits(err)
        told = code + told
    layout = _layout(template)
    fields = {
        b"id": client_id,
        b"sub": b"001",
        b"dlvrd": b"001" if state is _DELIVERED else b"000",
        b"submit_date": submitted,
        b"done_date": done,
        b"stat": WORDS[state],
        b"err": err,
        b"text": told,
    }
    text: bytes = layout % fields
    over = len(text) - p.LONGEST_SHORT_MESSAGE_OCTETS
    if over > 0:
        fields[b"text"] = told[: max(len(told) - over, 0)]
        text = layout % fields
    return text


def _three_digits(err: bytes) -> tuple[bytes, bytes]:
    """Return an error code as three digits, and what the text says of it."""
    code = bytes(octet for octet in err if 0x20 < octet < 0x7F)
    if code.lower() in _NO_ERROR or not code.lower().removeprefix(b"0x").strip(b"0"):
        return b"000", b""
    digits = code.lstrip(b"0")
    if digits.isdigit() and len(digits) <= 3:
        return digits.rjust(3, b"0"), b""
    if len(code) > _LONGEST_CODE:
        code = code[:_LONGEST_CODE] + b"..."
    return ERR_IN_TEXT, b"error " + code


_NO_ERROR: Final = (b"nul", b"null", b"none", b"nil", b"n/a")
_LONGEST_CODE: Final = 100
"""Characters of a code in the text, so that it fits into a short_message."""
ERR_IN_TEXT: Final = b"999"
"""The err of a receipt whose code has no room there; the text has it."""


def deliver_sm(
    *,
    client_id: bytes,
    state: State,
    err: bytes,
    submitted: bytes,
    done: bytes,
    source_octets: bytes,
    destination_octets: bytes,
    tlvs: bool,
    network_error_code: bytes | None = None,
    final: bool = True,
    text: bytes = b"",
) -> bytes:
    """Return the deliver_sm of a receipt, with sequence_number 0 and the addresses as given.

    They may be those of a data_sm: of longer ones than fit the beginning is there.

    `tlvs` only for clients that bound with 3.4 or newer. The id there ends with NUL: Kannel loses
    its place in the PDU without.
    """
    text = write_text(client_id, state, err, submitted, done) + text
    esm_class = ESM_RECEIPT if final else ESM_INTERMEDIATE
    tail = _tlvs(client_id, state, network_error_code) if tlvs else b""
    return _deliver_sm(source_octets, destination_octets, esm_class, text, tail)


def receipt_as(
    *,
    data_sm: bool,
    client_id: bytes,
    state: State,
    source_octets: bytes,
    destination_octets: bytes,
    esm_class: int,
    text: bytes,
    tlvs: bool,
    network_error_code: bytes | None = None,
) -> bytes:
    """Return a receipt with this text as deliver_sm, or as data_sm with the text in a TLV."""
    tail = _tlvs(client_id, state, network_error_code) if tlvs else b""
    if not data_sm:
        return _deliver_sm(source_octets, destination_octets, esm_class, text, tail)
    body = b"\0%b%b%c\0\0%b%b" % (
        source_octets,
        destination_octets,
        esm_class,
        p.tlv(v.MESSAGE_PAYLOAD, text),
        tail,
    )
    return p.build(v.DATA_SM, 0, 0, body)


def _tlvs(client_id: bytes, state: State, network_error_code: bytes | None) -> bytes:
    code = p.tlv(v.NETWORK_ERROR_CODE, network_error_code) if network_error_code else b""
    return p.tlv(v.RECEIPTED_MESSAGE_ID, client_id + b"\0") + _STATE_TLV[state] + code


def _deliver_sm(
    source: bytes, destination: bytes, esm_class: int, text: bytes, tlvs: bytes
) -> bytes:
    body = b"\0%b%b%c\0\0\0\0\0\0\0\0%c%b%b" % (
        p.fitting(source),
        p.fitting(destination),
        esm_class,
        len(text),
        text,
        tlvs,
    )
    return p.build(v.DELIVER_SM, 0, 0, body)


_STATE_TLV: Final = {state: p.tlv(v.MESSAGE_STATE, bytes((state,))) for state in State}
