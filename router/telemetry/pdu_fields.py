"""What stands where in a PDU, and the same PDU without what is nobody else's business.

`fields` finds all fields of any octets: what cannot be read is one field of its own, and nothing
raises. `masked` overwrites, and keeps every length:

- passwords, always;
- of addresses all behind the first five octets, as the log does (`log.masked`);
- texts, but for the elements of a user data header that tell of parts and alphabets, and for the
  fields of a receipt: id, counts, dates, state and error;
- TLVs, but for those that are numbers of a specified length, and ids;
- whatever this file does not know.

A field is kept because it is known to be harmless; all else is overwritten. Pure.

Source: SMPP v3.4, chapters 4 (PDUs) and 5 (fields); 3GPP TS 23.040, 9.2.3.24 (UDH).
"""

import re
from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Final, NamedTuple

from router.smpp import vocabulary as v
from router.smpp.pdu import HEADER_OCTETS
from router.smpp.receipt import RECEIPT_BITS
from router.smpp.text import UDHI
from router.telemetry.log import SHOWN_DIGITS

LONGEST_ID: Final = 65
"""Octets of a message_id, with its NUL if there is one."""
_LONGEST_WORDS: Final = {"service_type": 5, "system_type": 12, "system_id": 64}
"""What of them is kept: as long as they may be, and of a system_id as much as the log shows."""
_OVER: Final = b"*"


class Kind(IntEnum):
    """How a field is read, and what is kept of it."""

    NUMBER = 0
    """Kept."""
    WORD = 1
    """A name or code that is no subscriber's: its beginning is kept."""
    TIME = 2
    """Kept where it is a time; else as an address."""
    ADDRESS = 3
    """The first five octets are kept."""
    ID = 4
    """A message_id: kept."""
    PASSWORD = 5
    """Overwritten."""
    TEXT = 6
    """Overwritten, but for what `_mask_text` keeps."""
    TLV = 7
    """By its tag."""
    UNREADABLE = 8
    """What stands where nothing is known to stand: overwritten."""


class Field(NamedTuple):
    """One field, without the NUL behind it or the length in front of it."""

    name: str
    kind: Kind
    at: int
    end: int
    tag: int = 0


_NUMBER, _WORD, _TIME, _ADDRESS, _ID = Kind.NUMBER, Kind.WORD, Kind.TIME, Kind.ADDRESS, Kind.ID

Layout = tuple[tuple[str, Kind], ...]

_SOURCE: Final[Layout] = (
    ("source_addr_ton", _NUMBER),
    ("source_addr_npi", _NUMBER),
    ("source_addr", _ADDRESS),
)
_DESTINATION: Final[Layout] = (
    ("dest_addr_ton", _NUMBER),
    ("dest_addr_npi", _NUMBER),
    ("destination_addr", _ADDRESS),
)
_TIMES: Final[Layout] = (("schedule_delivery_time", _TIME), ("validity_period", _TIME))
_TEXT: Final[Layout] = (("sm_default_msg_id", _NUMBER), ("short_message", Kind.TEXT))
_TLVS: Final[Layout] = (("tlvs", Kind.TLV),)
_SERVICE_TYPE: Final[Layout] = (("service_type", _WORD),)
_HEAD: Final[Layout] = (
    ("esm_class", _NUMBER),
    ("protocol_id", _NUMBER),
    ("priority_flag", _NUMBER),
    *_TIMES,
    ("registered_delivery", _NUMBER),
    ("replace_if_present_flag", _NUMBER),
    ("data_coding", _NUMBER),
    *_TEXT,
    *_TLVS,
)
_SM: Final[Layout] = (*_SERVICE_TYPE, *_SOURCE, *_DESTINATION, *_HEAD)
_BIND: Final[Layout] = (
    ("system_id", _WORD),
    ("password", Kind.PASSWORD),
    ("system_type", _WORD),
    ("interface_version", _NUMBER),
    ("addr_ton", _NUMBER),
    ("addr_npi", _NUMBER),
    ("address_range", _ADDRESS),
)
_BIND_RESP: Final[Layout] = (("system_id", _WORD), *_TLVS)
_SM_RESP: Final[Layout] = (("message_id", _ID), *_TLVS)

_LAYOUTS: Final[Mapping[int, Layout]] = {
    **dict.fromkeys(v.BINDS, _BIND),
    **dict.fromkeys((one | v.RESPONSE for one in v.BINDS), _BIND_RESP),
    v.OUTBIND: _BIND[:2],
    v.SUBMIT_SM: _SM,
    v.DELIVER_SM: _SM,
    v.SUBMIT_SM_RESP: _SM_RESP,
    v.DELIVER_SM_RESP: _SM_RESP,
    v.DATA_SM: (
        *_SERVICE_TYPE,
        *_SOURCE,
        *_DESTINATION,
        ("esm_class", _NUMBER),
        ("registered_delivery", _NUMBER),
        ("data_coding", _NUMBER),
        *_TLVS,
    ),
    v.DATA_SM_RESP: _SM_RESP,
    v.SUBMIT_MULTI: (*_SERVICE_TYPE, *_SOURCE, ("number_of_dests", _ADDRESS), *_HEAD),
    v.SUBMIT_MULTI | v.RESPONSE: (("message_id", _ID), ("no_unsuccess", _ADDRESS), *_TLVS),
    v.QUERY_SM: (("message_id", _ID), *_SOURCE),
    v.QUERY_SM | v.RESPONSE: (
        ("message_id", _ID),
        ("final_date", _TIME),
        ("message_state", _NUMBER),
        ("error_code", _NUMBER),
    ),
    v.CANCEL_SM: (*_SERVICE_TYPE, ("message_id", _ID), *_SOURCE, *_DESTINATION),
    v.REPLACE_SM: (
        ("message_id", _ID),
        *_SOURCE,
        *_TIMES,
        ("registered_delivery", _NUMBER),
        *_TEXT,
        *_TLVS,
    ),
    v.ALERT_NOTIFICATION: (
        *_SOURCE,
        ("esme_addr_ton", _NUMBER),
        ("esme_addr_npi", _NUMBER),
        ("esme_addr", _ADDRESS),
        *_TLVS,
    ),
}
"""The bodies that are known, by command_id. Any other body is empty or unreadable."""
_LISTS: Final = frozenset({"number_of_dests", "no_unsuccess"})
"""Fields that say how many addresses follow."""
_HAS_PASSWORD: Final = v.BINDS | {v.OUTBIND}

_TAGS: Final[Mapping[int, tuple[str, tuple[int, ...]]]] = {
    0x0005: ("dest_addr_subunit", (1,)),
    0x0006: ("dest_network_type", (1,)),
    0x0007: ("dest_bearer_type", (1,)),
    0x0008: ("dest_telematics_id", (2,)),
    0x000D: ("source_addr_subunit", (1,)),
    0x000E: ("source_network_type", (1,)),
    0x000F: ("source_bearer_type", (1,)),
    0x0010: ("source_telematics_id", (1,)),
    0x0017: ("qos_time_to_live", (4,)),
    0x0019: ("payload_type", (1,)),
    0x001D: ("additional_status_info_text", ()),
    v.RECEIPTED_MESSAGE_ID: ("receipted_message_id", tuple(range(1, LONGEST_ID + 1))),
    0x0030: ("ms_msg_wait_facilities", (1,)),
    0x0201: ("privacy_indicator", (1,)),
    0x0202: ("source_subaddress", ()),
    0x0203: ("dest_subaddress", ()),
    0x0204: ("user_message_reference", (2,)),
    0x0205: ("user_response_code", (1,)),
    v.SOURCE_PORT: ("source_port", (2,)),
    0x020B: ("destination_port", (2,)),
    0x020C: ("sar_msg_ref_num", (2,)),
    0x020D: ("language_indicator", (1,)),
    0x020E: ("sar_total_segments", (1,)),
    0x020F: ("sar_segment_seqnum", (1,)),
    v.SC_INTERFACE_VERSION: ("sc_interface_version", (1,)),
    0x0302: ("callback_num_pres_ind", (1,)),
    0x0303: ("callback_num_atag", ()),
    0x0304: ("number_of_messages", (1,)),
    0x0381: ("callback_num", ()),
    0x0420: ("dpf_result", (1,)),
    0x0421: ("set_dpf", (1,)),
    0x0422: ("ms_availability_status", (1,)),
    v.NETWORK_ERROR_CODE: ("network_error_code", (3,)),
    v.MESSAGE_PAYLOAD: ("message_payload", ()),
    0x0425: ("delivery_failure_reason", (1,)),
    0x0426: ("more_messages_to_send", (1,)),
    v.MESSAGE_STATE: ("message_state", (1,)),
    0x0428: ("congestion_state", (1,)),
    0x0501: ("ussd_service_op", (1,)),
    0x1201: ("display_time", (1,)),
    0x1203: ("sms_signal", (2,)),
    0x1204: ("ms_validity", (1,)),
    0x130C: ("alert_on_message_delivery", (0, 1)),
    0x1380: ("its_reply_type", (1,)),
    0x1383: ("its_session_info", (2,)),
}
"""TLVs by tag: the name, and the lengths with which a value is kept. Another length could hold
anything, a number too."""

_ELEMENTS: Final = frozenset({(0x00, 3), (0x08, 4), (0x04, 2), (0x05, 4), (0x24, 1), (0x25, 1)})
"""Elements of a user data header that are kept, with their lengths: parts, ports, alphabets."""

_A_TIME: Final = re.compile(rb"[0-9]{15}[-+R]")
_IN_RECEIPT: Final = re.compile(
    rb"(?i)(?<![a-z0-9_])[\"']?(?:"
    rb"id%(is)b[0-9A-Za-z.+/=_-]{1,65}"
    rb"|(?:sub|dlvrd)%(is)b[0-9]{1,3}"
    rb"|(?:submit|done)[ _]?date%(is)b(?:20)?[0-9]{2}(?:0[0-9]|1[0-2])[0-3][0-9]"
    rb"[0-2][0-9][0-5][0-9](?:[0-9]{2,3})?"
    rb"|stat%(is)b[A-Za-z_]{1,16}"
    rb"|err%(is)b[0-9A-Za-z]{1,5}"
    rb")(?![0-9A-Za-z.+/=_:-])[\"']?" % {b"is": rb"[\"']?[ \t]?[:=][ \t]?[\"']?"}
)
_LABEL: Final = re.compile(rb"[A-Za-z]+")
_TEXT_LABEL: Final = re.compile(rb"(?i)(?<![a-z0-9_])text[\"']?[ \t]?[:=]")
_BETWEEN: Final = frozenset(b" ,;|\t\r\n{}&")


# What stands where.


class _EndsEarlyError(Exception):
    """The body ends before its last field."""


class _Walk:
    """Reads the fields of one body, one after the other."""

    def __init__(self, octets: bytes, at: int) -> None:
        self.octets = octets
        self.at = at
        self.found: list[Field] = []

    def read(self, name: str, kind: Kind) -> None:
        """Read one field. Raises _EndsEarlyError."""
        if name in _LISTS:
            self._read_addresses(name)
        elif kind is Kind.TLV:
            self._read_tlvs()
        elif kind is Kind.NUMBER:
            self._add(name, kind, 1)
        elif kind is Kind.TEXT:
            length = self._add("sm_length", Kind.NUMBER, 1)
            self._add(name, kind, length)
        else:
            self._read_string(name, kind)

    def _add(self, name: str, kind: Kind, length: int) -> int:
        """Note a field of so many octets; return it as a number."""
        at, end = self.at, self.at + length
        if end > len(self.octets):
            raise _EndsEarlyError
        self.found.append(Field(name, kind, at, end))
        self.at = end
        return int.from_bytes(self.octets[at:end], "big") if kind is Kind.NUMBER else 0

    def _read_string(self, name: str, kind: Kind) -> None:
        end = self.octets.find(0, self.at)
        if end < 0:
            # Some peers leave out the NUL of a message_id; another field without one is no field.
            end = len(self.octets)
            if kind is not Kind.ID or not 0 < end - self.at < LONGEST_ID:
                raise _EndsEarlyError
            self._add(name, kind, end - self.at)
            return
        self._add(name, kind, end - self.at)
        self.at += 1

    def _read_addresses(self, name: str) -> None:
        for number in range(1, 1 + self._add(name, Kind.NUMBER, 1)):
            if name == "number_of_dests" and self._add("dest_flag", Kind.NUMBER, 1) == 2:
                self._read_string(f"dl_name_{number}", Kind.ADDRESS)
                continue
            for part, kind in _DESTINATION:
                self.read(f"{part}_{number}", kind)
            if name == "no_unsuccess":
                self._add(f"error_status_code_{number}", Kind.NUMBER, 4)

    def _read_tlvs(self) -> None:
        octets = self.octets
        while len(octets) - self.at >= 4:
            tag = octets[self.at] << 8 | octets[self.at + 1]
            at = self.at + 4
            end = at + (octets[self.at + 2] << 8 | octets[self.at + 3])
            if end > len(octets):
                return
            self.found.append(Field(tag_name(tag), Kind.TLV, at, end, tag))
            self.at = end


def tag_name(tag: int) -> str:
    """Return the specification's word for a TLV, or its tag where there is none."""
    return _TAGS[tag][0] if tag in _TAGS else f"0x{tag:04X}"


def command_of(octets: bytes) -> int:
    """Return the command_id; 0 where it is not there."""
    return int.from_bytes(octets[4:8], "big") if len(octets) >= 8 else 0


def fields(octets: bytes) -> list[Field]:
    """Return the fields of a PDU's body in their order; what cannot be read stands at the end.

    A last field `unreadable` is there if the body ends too early too, then perhaps without octets.
    """
    walk = _Walk(octets, min(HEADER_OCTETS, len(octets)))
    command_id = command_of(octets)
    is_whole = len(octets) >= HEADER_OCTETS
    if command_id & v.RESPONSE and len(octets) <= HEADER_OCTETS:
        return []  # Many answers that refuse have no body.
    try:
        for name, kind in _LAYOUTS.get(command_id, ()):
            if command_id & v.RESPONSE and walk.at == len(octets):
                break
            walk.read(name, kind)
    except _EndsEarlyError:
        is_whole = False
    if walk.at < len(octets) or not is_whole:
        walk.found.append(Field("unreadable", Kind.UNREADABLE, walk.at, len(octets)))
    return walk.found


def number_in(octets: bytes, found: list[Field], name: str) -> int:
    """Return the number in the first field with this name; 0 without one."""
    for one in found:
        if one.name == name and one.kind is Kind.NUMBER:
            return int.from_bytes(octets[one.at : one.end], "big")
    return 0


def elements(message: bytes, esm_class: int) -> list[tuple[int, int, int]] | None:
    """Return element, begin and end of each value of the user data header that begins a message.

    Empty where there is none; None where it is no header.
    """
    if not esm_class & UDHI:
        return []
    end = 1 + message[0] if message else 0
    if not message or end > len(message):
        return None
    found: list[tuple[int, int, int]] = []
    at = 1
    while at < end:
        if at + 2 > end or (value_end := at + 2 + message[at + 1]) > end:
            return None
        found.append((message[at], at + 2, value_end))
        at = value_end
    return found


# What is overwritten.


def masked(octets: bytes, *, reveals: bool = False) -> bytes:
    """Return a PDU of the same length in which what is private is overwritten with asterisks.

    `reveals` keeps everything, but for PDUs that have a password: those are masked all the same.
    """
    if reveals and command_of(octets) not in _HAS_PASSWORD:
        return octets
    found = fields(octets)
    esm_class = number_in(octets, found, "esm_class")
    delivers = command_of(octets) in (v.DELIVER_SM, v.DATA_SM)
    is_receipt = delivers and bool(esm_class & RECEIPT_BITS)
    # Clients write receipts of nothing, and answer with no id: what stands there is anything.
    has_ids = command_of(octets) != v.DELIVER_SM | v.RESPONSE
    out = bytearray(octets)
    for one in found:
        is_text = one.kind is Kind.TEXT or one.tag == v.MESSAGE_PAYLOAD
        if is_text:
            value = _mask_text(octets[one.at : one.end], esm_class, is_receipt=is_receipt)
            out[one.at : one.end] = value
        else:
            is_id = one.kind is Kind.ID or one.tag == v.RECEIPTED_MESSAGE_ID
            is_foreign = not (has_ids if one.kind is Kind.ID else delivers)
            kept = 0 if is_id and is_foreign else _kept(one, octets)
            out[one.at + kept : one.end] = _OVER * (one.end - one.at - kept)
    return bytes(out)


def without_content(octets: bytes) -> bytes:
    """Return octets that are no PDU, all of them overwritten."""
    return _OVER * len(octets)


def _kept(one: Field, octets: bytes) -> int:
    """Return how many octets of a field are kept, from its beginning."""
    length = one.end - one.at
    match one.kind:
        case Kind.NUMBER:
            return length
        case Kind.WORD:
            return min(length, _LONGEST_WORDS[one.name])
        case Kind.ID:
            return min(length, LONGEST_ID)
        case Kind.TIME if _A_TIME.fullmatch(octets, one.at, one.end):
            return length
        case Kind.TIME | Kind.ADDRESS:
            return min(length, SHOWN_DIGITS)
        case Kind.TLV if length in _TAGS.get(one.tag, ("", ()))[1]:
            return length
        case _:
            return 0


def _mask_text(text: bytes, esm_class: int, *, is_receipt: bool) -> bytes:
    """Return a text of which only what the head of this file names is left."""
    out = bytearray(_OVER * len(text))
    header = elements(text, esm_class)
    if header is None:
        return bytes(out)
    at = 0
    if header:
        at = 1 + text[0]
        out[:at] = text[:at]
        for element, begin, end in header:
            if (element, end - begin) not in _ELEMENTS:
                out[begin:end] = _OVER * (end - begin)
    elif esm_class & UDHI:
        at = 1
        out[:1] = text[:1]
    if is_receipt:
        for begin, end in _spans_of_receipt(text, at):
            out[begin:end] = text[begin:end]
    return bytes(out)


def _spans_of_receipt(text: bytes, at: int) -> Iterator[tuple[int, int]]:
    """Yield where the fields of a receipt stand, what is between them, and the label `text:`."""
    label = _TEXT_LABEL.search(text, at)
    end = len(text) if label is None else label.start()
    last = at
    labels: set[bytes] = set()
    for one in _IN_RECEIPT.finditer(text, at, end):
        found = _LABEL.search(one[0])
        if found is None or found[0].lower() in labels:
            continue  # A second one is of no receipt.
        labels.add(found[0].lower())
        yield one.span()
        for between in range(last, one.start()):
            if text[between] in _BETWEEN:
                yield between, between + 1
        last = one.end()
    if label is not None and last > at:
        yield label.span()
        if text[label.start() - 1] in _BETWEEN:
            yield label.start() - 1, label.start()
