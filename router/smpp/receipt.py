"""A delivery receipt: from the texts and TLVs that operators send, to the one that clients read.

Reading is tolerant: fields in any order and case, missing, without blanks, with dates of 10 to 15
digits, or TLVs alone. Writing is strict: the eight fields that every client library's pattern
wants. The text of the message is never read for fields (a subscriber could forge an id there) and
never repeated (it is private).

Source: SMPP v3.4, 5.3.2.12, 5.3.2.35 (TLVs), appendix B (text), and what the field makes of it.
"""

import re
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


RECEIPT_BITS: Final = 0x3C
"""esm_class of a deliver_sm: receipt, acknowledgements, intermediate notification (3.4, 5.2.12)."""
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

_WORDS: Final = {
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
_STATES: Final = {word: state for state, word in _WORDS.items()} | {
    b"BUFFRED": State.ENROUTE,
    b"BUFFERD": State.ENROUTE,
    b"ACKED": State.ENROUTE,
    b"FAILED": State.UNDELIVERABLE,
    b"DND_REJECTED": State.REJECTED,
}

_USUAL: Final = re.compile(
    rb"id:(\S+) sub:\d+ dlvrd:\d+ submit date:(\d+) done date:(\d+) stat:(\S+) err:(\S+)"
)
_LABELS: Final = rb"id|sub|dlvrd|submit ?date|done ?date|stat|err"
_LABELLED: Final = re.compile(
    # Behind a field without a value comes the next label, which is not its value.
    rb"(?i)(?<![a-z])(%b):(?: ?(?!(?:%b):)(\S*))?" % (_LABELS, _LABELS)
)
_TEXT: Final = re.compile(rb"(?i)(?:^|\s)text:")
_DATE: Final = re.compile(rb"\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])([01]\d|2[0-3])[0-5]\d")


class Receipt:
    """An operator's report on one message."""

    __slots__ = ("done", "err", "network_error_code", "operator_id", "state")

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
        self.state = state
        """The state; None if the operator's word for it is not known."""
        self.err = err
        """The error code; empty if there is none."""
        self.done = done
        """The done date as YYMMDDhhmm; empty if there is none."""
        self.network_error_code = network_error_code
        """The TLV network_error_code, as it came."""


def recognise(sm: Sm) -> Receipt | None:
    """Return the receipt that this deliver_sm or data_sm carries; None if it carries none.

    receipted_message_id alone proves nothing: some operators put it on subscribers' messages. A
    marked receipt in which no id can be found comes back with an empty one.
    """
    marked = sm.esm_class & RECEIPT_BITS
    usual = _USUAL.match(sm.octets, sm.short_message_at, sm.tlvs_at) if marked else None
    if usual is not None:
        operator_id, _, done, word, err = usual.groups()
        receipt = Receipt(operator_id, _STATES.get(word.upper()), err, _date(done), None)
        if sm.tlvs_at == len(sm.octets):
            return receipt
        tlvs = sm.tlvs_by_tag()
    else:
        tlvs = sm.tlvs_by_tag()
        if not marked and not (v.RECEIPTED_MESSAGE_ID in tlvs and v.MESSAGE_STATE in tlvs):
            return None
        receipt = read_text(sm.short_message or tlvs.get(v.MESSAGE_PAYLOAD, b""))
    # The TLVs are the operator's machine speaking, the text may be for eyes: they win.
    id_tlv = tlvs.get(v.RECEIPTED_MESSAGE_ID, b"").rstrip(b"\0")
    if id_tlv:
        receipt.operator_id = id_tlv
    state_tlv = tlvs.get(v.MESSAGE_STATE)
    if state_tlv and (state := _STATE_BY_NUMBER.get(state_tlv[-1])) is not None:
        receipt.state = state
    receipt.network_error_code = tlvs.get(v.NETWORK_ERROR_CODE)
    return receipt


_DELIVERED: Final = State.DELIVERED
_STATE_BY_NUMBER: Final = {int(state): state for state in State}


def read_text(text: bytes) -> Receipt:
    """Read the fields that a text has; a missing id is empty."""
    cut = _TEXT.search(text)
    if cut is not None:
        text = text[: cut.start()]
    fields: dict[bytes, bytes] = {}
    for label, value in _LABELLED.findall(text):
        fields.setdefault(label.lower().replace(b" ", b""), value)
    word = fields.get(b"stat", b"").upper()
    if not word:  # Some operators leave the label out and write the bare word.
        word = next((part for part in text.upper().split() if part in _STATES), b"")
    return Receipt(
        fields.get(b"id", b"").strip(b"\0"),
        _STATES.get(word),
        fields.get(b"err", b""),
        _date(fields.get(b"donedate", b"")),
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

    err is three digits, as some clients' patterns want it: a code of other characters is 000, a
    longer one is cut.
    """
    delivered = b"001" if state is _DELIVERED else b"000"
    return b"id:%b sub:001 dlvrd:%b submit date:%b done date:%b stat:%b err:%b text:" % (
        client_id,
        delivered,
        submitted,
        done,
        _WORDS[state],
        err if len(err) == 3 and err.isdigit() else _three_digits(err),
    )


def _three_digits(err: bytes) -> bytes:
    return err.lstrip(b"0")[:3].rjust(3, b"0") if err.isdigit() else b"000"


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

    `tlvs` only for clients that bound with 3.4 or newer. The id there ends with NUL: Kannel loses
    its place in the PDU without.
    """
    text = write_text(client_id, state, err, submitted, done) + text
    esm_class = ESM_RECEIPT if final else ESM_INTERMEDIATE
    tail = b""
    if tlvs:
        tail = (
            p.tlv(v.RECEIPTED_MESSAGE_ID, client_id + b"\0")
            + _STATE_TLV[state]
            + (p.tlv(v.NETWORK_ERROR_CODE, network_error_code) if network_error_code else b"")
        )
    body = b"\0%b%b%c\0\0\0\0\0\0\0\0%c%b%b" % (
        source_octets,
        destination_octets,
        esm_class,
        len(text),
        text,
        tail,
    )
    return p.build(v.DELIVER_SM, 0, 0, body)


_STATE_TLV: Final = {state: p.tlv(v.MESSAGE_STATE, bytes((state,))) for state in State}
