"""A PDU in words: a line for people, a document for programs. Pure.

What is masked in the octets is masked here: nothing is known but the octets. A password is never
told, and a text only where `reveals` says that the octets have it.
"""

from collections.abc import Iterator
from typing import Final

from router.smpp import vocabulary as v
from router.smpp.receipt import RECEIPT_BITS
from router.smpp.text import UDHI, decode, without_udh
from router.telemetry.log import printable
from router.telemetry.pdu_fields import Field, Kind, elements, fields, number_in, tag_name

_USUAL: Final = frozenset({(1, 1), (5, 0)})
"""TON and NPI of international numbers and of names, which go without saying."""
_ADDRESSES: Final = (
    ("from", "source_addr_ton", "source_addr_npi", "source_addr"),
    ("to", "dest_addr_ton", "dest_addr_npi", "destination_addr"),
)
_IN_HEXADECIMAL: Final = frozenset({"esm_class", "data_coding", "interface_version"})
_WHERE_NOT_ZERO: Final = (
    *("esm_class", "protocol_id", "priority_flag", "registered_delivery"),
    *("replace_if_present_flag", "sm_default_msg_id"),
)
_MESSAGES: Final = frozenset({v.SUBMIT_SM, v.DELIVER_SM, v.DATA_SM, v.SUBMIT_MULTI})
_MOST_IN_LINE: Final = 40
"""Octets of a TLV's value, and TLVs, that a line shows."""


def header(octets: bytes) -> tuple[int, int, int]:
    """Return command_id, command_status and sequence_number; 0 for what is not there."""
    whole = octets[4:16].ljust(12, b"\0")
    command_id, status, number = (int.from_bytes(whole[at : at + 4], "big") for at in (0, 4, 8))
    return command_id, status, number


def line_of(octets: bytes, *, reveals: bool = False) -> str:
    """Return a PDU for people: command, sequence_number, status and the fields that matter."""
    command_id, status, number = header(octets)
    words = [v.command_name(command_id), f"#{number}"]
    if status:
        words.append(_status(status))
    found = fields(octets)
    words += _words(octets, command_id, found, reveals=reveals)
    return " ".join(words)


def document_of(octets: bytes, *, reveals: bool = False) -> dict[str, object]:
    """Return a PDU for programs: everything that is in the octets, and the octets."""
    command_id, status, number = header(octets)
    found = fields(octets)
    esm_class = number_in(octets, found, "esm_class")
    told: dict[str, object] = {}
    tlvs: list[dict[str, object]] = []
    for one in found:
        value = octets[one.at : one.end]
        match one.kind:
            case Kind.NUMBER:
                told[one.name] = int.from_bytes(value, "big")
            case Kind.TLV:
                tlvs.append({"tag": f"0x{one.tag:04X}", "name": one.name, "value": value.hex()})
            case Kind.TEXT | Kind.UNREADABLE:
                told[one.name] = value.hex()
            case Kind.PASSWORD:
                told[one.name] = "***"
            case _:
                told[one.name] = value.decode("latin-1")
    document: dict[str, object] = {
        "command": v.command_name(command_id),
        "command_id": command_id,
        "status": _status(status),
        "command_status": status,
        "sequence_number": number,
        "fields": told,
        "tlvs": tlvs,
        "octets": octets.hex(),
    }
    text = _text_of(octets, found)
    if text is not None:
        if esm_class & UDHI:
            document["udh"] = _udh(text, esm_class)
        if reveals:
            coding = number_in(octets, found, "data_coding")
            document["text"] = decode(without_udh(text, esm_class), coding)
    return document


def _status(status: int) -> str:
    name = v.status_name(status)
    return f"0x{status:08X}" if name == "other" else name


def _words(octets: bytes, command_id: int, found: list[Field], *, reveals: bool) -> Iterator[str]:
    values = {one.name: octets[one.at : one.end] for one in found if one.kind is not Kind.TLV}
    is_message = command_id in _MESSAGES
    for name in ("system_id", "system_type"):
        if values.get(name):
            yield f"{name}={_shown(values[name])}"
    if "interface_version" in values:
        yield f"version=0x{values['interface_version'].hex()}"
    for name in ("address_range", "esme_addr"):
        if values.get(name):
            yield f"{name}={_shown(values[name])}"
    if values.get("message_id"):
        yield f"message_id={_shown(values['message_id'])}"
    for word, ton, npi, address in _ADDRESSES:
        if address in values:
            kind = values[ton][0], values[npi][0]
            unusual = "" if kind in _USUAL else f"({kind[0]}/{kind[1]})"
            yield f"{word}={_shown(values[address])}{unusual}"
    if "number_of_dests" in values:
        yield f"to={values['number_of_dests'][0]} addresses"
    if values.get("service_type"):
        yield f"service_type={_shown(values['service_type'])}"
    if is_message and "data_coding" in values:
        yield f"data_coding=0x{values['data_coding'].hex()}"
    for name in _WHERE_NOT_ZERO:
        number = int.from_bytes(values.get(name, b""), "big")
        if number:
            yield f"{name}=0x{number:02x}" if name in _IN_HEXADECIMAL else f"{name}={number}"
    for name in ("schedule_delivery_time", "validity_period", "final_date"):
        if values.get(name):
            yield f"{name}={_shown(values[name])}"
    yield from _text_words(octets, command_id, found, reveals=reveals)
    yield from _tlv_words(octets, [one for one in found if one.kind is Kind.TLV])
    for one in found:
        if one.kind is Kind.UNREADABLE:
            length = one.end - one.at
            yield f"unreadable: {length} octets" if length else "unreadable: ends too early"


def _text_of(octets: bytes, found: list[Field]) -> bytes | None:
    """Return the short_message, or the message_payload if that is empty; None without both."""
    text = None
    for one in found:
        if not text and (one.kind is Kind.TEXT or one.tag == v.MESSAGE_PAYLOAD):
            text = octets[one.at : one.end]
    return text


def _text_words(
    octets: bytes, command_id: int, found: list[Field], *, reveals: bool
) -> Iterator[str]:
    text = _text_of(octets, found)
    if text is None:
        return
    esm_class = number_in(octets, found, "esm_class")
    if esm_class & UDHI:
        yield f"udh={_udh(text, esm_class)}"
    message = without_udh(text, esm_class)
    delivers = command_id in (v.DELIVER_SM, v.DATA_SM)
    if delivers and esm_class & RECEIPT_BITS and message.strip(b"*"):
        yield f'receipt="{_shown(message)}"'
    elif reveals:
        coding = number_in(octets, found, "data_coding")
        yield f'text="{printable(decode(message, coding))}"'
    else:
        yield f"text={len(message)} octets"


def _udh(text: bytes, esm_class: int) -> str:
    """Return a user data header in words."""
    found = elements(text, esm_class)
    if found is None:
        return "unreadable"
    words = []
    for element, begin, end in found:
        value = text[begin:end]
        if element in (0x00, 0x08) and len(value) == (3, 4)[element == 0x08]:
            *reference, total, number = value
            words.append(f"part {number}/{total} of {int.from_bytes(bytes(reference), 'big')}")
        else:
            words.append(f"0x{element:02x}({len(value)})")
    return ",".join(words) or "empty"


def _tlv_words(octets: bytes, found: list[Field]) -> Iterator[str]:
    for one in found[:_MOST_IN_LINE]:
        value = octets[one.at : one.end]
        if one.tag == v.RECEIPTED_MESSAGE_ID:
            yield f"{one.name}={_shown(value.rstrip(bytes(1)))}"
        elif one.tag == v.MESSAGE_PAYLOAD or len(value) > 4 or value.strip(b"*") != value:
            yield f"{tag_name(one.tag)}({len(value)})"
        else:
            yield f"{one.name}=0x{value.hex()}"
    if len(found) > _MOST_IN_LINE:
        yield f"and {len(found) - _MOST_IN_LINE} TLVs more"


def _shown(value: bytes) -> str:
    return printable(value.decode("latin-1"))
