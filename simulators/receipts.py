"""Whether a message gets a receipt, which one, and how the simulated operator writes it.

Source: SMPP v3.4, 5.2.17 (registered_delivery); v5.0 for its value 3.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from router.smpp import pdu as p
from router.smpp import receipt
from router.smpp import vocabulary as v
from router.smpp.pdu import Sm
from router.smpp.receipt import State
from simulators.behaviour import ReceiptForm, ReceiptText

INTERMEDIATE: Final = 0x10
"""registered_delivery bit: intermediate notifications too."""
ANY: Final = 0x13
"""registered_delivery bits that ask for anything from an operator."""

ERR: Final[dict[State, bytes]] = {
    State.EXPIRED: b"027",
    State.DELETED: b"029",
    State.UNDELIVERABLE: b"011",
    State.UNKNOWN: b"099",
    State.REJECTED: b"088",
    State.SKIPPED: b"040",
}
"""err of a receipt; 000 for all others."""

_FIELD: Final = re.compile(rb"(id|sub|dlvrd|submit date|done date|stat|err):(\S*)")


def wanted(registered_delivery: int, state: State) -> bool:
    """Return whether the client asked for a final receipt of this state."""
    asked = registered_delivery & 3
    if asked == 2:
        return state is not State.DELIVERED
    if asked == 3:
        return state is State.DELIVERED
    return asked == 1


def write(
    sm: Sm,
    receipt_id: bytes,
    state: State,
    *,
    form: ReceiptForm,
    text: ReceiptText = "usual",
    in_tlv: bytes = b"",
    final: bool,
    submitted: bytes,
    done: bytes,
) -> bytes:
    """Return the deliver_sm for this submit_sm, sequence_number 0. Dates are YYMMDDhhmm.

    With `in_tlv` it has the usual text and TLVs, and this is the id in these.
    """
    esm_class = receipt.ESM_RECEIPT if final else receipt.ESM_INTERMEDIATE
    tlvs = b""
    if in_tlv or form != "text":
        tlvs = p.tlv(v.RECEIPTED_MESSAGE_ID, (in_tlv or receipt_id) + b"\0")
        tlvs += p.tlv(v.MESSAGE_STATE, bytes((state,)))
    if form == "tlvs" and not in_tlv:
        body = b"\0%b%b%c%b%b" % (
            sm.destination_octets,
            sm.source_octets,
            esm_class,
            bytes(9),
            tlvs,
        )
        return p.build(v.DELIVER_SM, 0, 0, body)
    err = ERR.get(state, b"000")
    if text == "usual" and not in_tlv:  # By far the most, so nothing is written twice for it.
        return receipt.deliver_sm(
            client_id=receipt_id,
            state=state,
            err=err,
            submitted=submitted,
            done=done,
            source_octets=sm.destination_octets,
            destination_octets=sm.source_octets,
            tlvs=form == "both",
            final=final,
        )
    usual = receipt.write_text(receipt_id, state, err, submitted, done)
    short_message, data_coding = in_other_words(usual, state, "usual" if in_tlv else text)
    return p.sm(
        v.DELIVER_SM,
        0,
        source=sm.destination,
        destination=sm.source,
        esm_class=esm_class,
        short_message=short_message,
        data_coding=data_coding,
        tlvs=tlvs,
    )


def in_other_words(usual: bytes, state: State, text: ReceiptText) -> tuple[bytes, int]:
    """Return the usual text of a receipt, written in another way, and its data_coding."""
    fields = dict(_FIELD.findall(usual))
    if text == "full":
        fields[b"stat"] = state.name.encode()
    elif text == "0x":
        fields[b"id"] = b"0x" + fields[b"id"]
    elif text == "quotes":
        fields = {label: b'"%b"' % value for label, value in fields.items()}
    elif text == "reversed":
        fields = dict(reversed(fields.items()))
    between = {"commas": b", ", "bars": b"|"}.get(text, b" ")
    written = between.join(b"%b:%b" % field for field in (*fields.items(), (b"text", b"")))
    if text == "lower":
        return written.lower(), 0
    if text == "ucs2":
        return written.decode().encode("utf-16-be"), 8
    return (packed(written) if text == "packed" else written), 0


def packed(septets: bytes) -> bytes:
    """Return GSM 7-bit with eight septets in seven octets (3GPP TS 23.038, 6.1.2.1)."""
    whole = sum(septet << 7 * place for place, septet in enumerate(septets))
    return whole.to_bytes((len(septets) * 7 + 7) // 8, "little")


def source_of(octets: bytes) -> bytes:
    """Return the digits of the source address of a deliver_sm: the number that a message went to.

    They are behind the header, service_type, and the type and plan of the number.
    """
    begins = octets.index(b"\0", p.HEADER_OCTETS) + 3
    return octets[begins : octets.index(b"\0", begins)]


def times_text(times: Iterable[tuple[bytes, float]]) -> str:
    """One line for each receipt: the number that the message went to, and monotonic seconds."""
    return "".join(f"{number.decode()} {at:.6f}\n" for number, at in times)


class Dates:
    """YYMMDDhhmm of a monotonic time; a minute is written once."""

    __slots__ = ("_minute", "_offset_s", "_written")

    def __init__(self, now: float, now_utc: float) -> None:
        self._offset_s = now_utc - now
        self._minute = -1
        self._written = b""

    def at(self, now: float) -> bytes:
        """Return the date in UTC."""
        minute = int((now + self._offset_s) // 60)
        if minute != self._minute:
            self._minute = minute
            date = datetime.fromtimestamp(minute * 60, UTC)
            self._written = date.strftime("%y%m%d%H%M").encode()
        return self._written
