"""Whether a message gets a receipt, which one, and how the simulated operator writes it.

Source: SMPP v3.4, 5.2.17 (registered_delivery); v5.0 for its value 3.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from router.smpp import pdu as p
from router.smpp import receipt
from router.smpp import vocabulary as v
from router.smpp.pdu import Sm
from router.smpp.receipt import State
from simulators.behaviour import ReceiptForm

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
    final: bool,
    submitted: bytes,
    done: bytes,
) -> bytes:
    """Return the deliver_sm for this submit_sm, sequence_number 0. Dates are YYMMDDhhmm."""
    if form == "tlvs":
        esm_class = receipt.ESM_RECEIPT if final else receipt.ESM_INTERMEDIATE
        body = b"\0%b%b%c%b%b%b" % (
            sm.destination_octets,
            sm.source_octets,
            esm_class,
            bytes(9),
            p.tlv(v.RECEIPTED_MESSAGE_ID, receipt_id + b"\0"),
            p.tlv(v.MESSAGE_STATE, bytes((state,))),
        )
        return p.build(v.DELIVER_SM, 0, 0, body)
    return receipt.deliver_sm(
        client_id=receipt_id,
        state=state,
        err=ERR.get(state, b"000"),
        submitted=submitted,
        done=done,
        source_octets=sm.destination_octets,
        destination_octets=sm.source_octets,
        tlvs=form == "both",
        final=final,
    )


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
