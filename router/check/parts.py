"""How many parts a message has on telephones, and whether these are too many.

A text of one PDU is cut by the operator, as a client would cut it. A PDU that is a part of a longer
message says how many there are.
"""

from typing import Final

from router.check.policy import Candidate
from router.smpp.length import cut_septets, cut_ucs_2, parts_of
from router.smpp.pdu import Sm
from router.smpp.readable import KINDS
from router.smpp.segments import part_of
from router.smpp.text import UDHI
from router.terms.outcome import Refusal

ALONE_OCTETS: Final = 140
JOINED_OCTETS: Final = 134
"""Of data that is no text; the header of a part has six."""
ALWAYS_ONE: Final = 70
"""Octets that fit into one part in whatever alphabet they are and may have to be written."""


def parts_in(sm: Sm, *, is_latin_1: bool = False) -> int:
    """Return how many parts the message has that a PDU is, or is a part of.

    `is_latin_1` is whether data_coding 0 means Latin-1 to the client.
    """
    if sm.esm_class & UDHI or sm.tlvs_at != len(sm.octets):
        part = part_of(sm)
        if part is not None:
            return part.total
    octets = sm.message
    if len(octets) <= ALWAYS_ONE:
        return 1
    kind = KINDS[sm.data_coding]
    if sm.esm_class & UDHI or kind == "data" or kind == "other":
        return 1 if len(octets) <= ALONE_OCTETS else -(-len(octets) // JOINED_OCTETS)
    if kind == "ucs-2":
        return cut_ucs_2(octets)[0]
    if kind == "latin-1" or (is_latin_1 and not sm.data_coding):
        return parts_of(octets.decode("latin-1"))[1]  # Telephones have no Latin-1.
    return cut_septets(octets)[0]


class MostParts:
    """The most parts of a message of one account."""

    __slots__ = ("_is_latin_1", "_most", "_refusal", "name")

    def __init__(self, most: int, *, is_latin_1: bool) -> None:
        self.name = "parts"
        self._most: Final = most
        self._is_latin_1: Final = is_latin_1
        self._refusal: Final = Refusal("too_long", 0x01, f"more than {most} parts")

    def judge(self, one: Candidate, now_utc: float) -> Refusal | None:
        """Refuse a message with more parts than the account may send."""
        sm = one.sm
        end = sm.tlvs_at
        is_short = end - sm.short_message_at <= ALWAYS_ONE
        if is_short and end == len(sm.octets) and not sm.esm_class & UDHI:
            return None  # As most are: nothing more need be looked at.
        return self._refusal if parts_in(sm, is_latin_1=self._is_latin_1) > self._most else None
