"""Auto-replace: a text that a few characters make UCS-2 goes in the GSM alphabet, in fewer parts.

A text that does not become GSM 7-bit as a whole, or has no fewer parts then, stays as it came. So
does a part of a long message, whose client has cut the text already, and what is addressed to a
port.

data_coding 0 means to an operator what its `data_coding_0` says, and the router writes it anew only
where account and operator both say something (`smpp/recode.py`). Where an operator that may get the
message would read some octets otherwise, only characters are written whose octets mean the same in
the GSM alphabet and in Latin-1; a text with others stays UCS-2. No text reads otherwise.
"""

from collections.abc import Iterable
from typing import Final

from router.check.policy import Candidate, Note
from router.smpp.gsm import SAME_IN_LATIN_1, gsm_of_text
from router.smpp.length import ALONE_UNITS, cut_ucs_2, parts_of
from router.smpp.pdu import Pdu, Sm
from router.smpp.readable import told_in
from router.smpp.recode import DEFAULT, UCS_2, with_message
from router.smpp.replacing import replaced
from router.smpp.segments import SAR_MSG_REF_NUM, SAR_SEGMENT_SEQNUM, SAR_TOTAL_SEGMENTS
from router.smpp.text import UDHI
from router.terms.outcome import Refusal
from router.terms.settings import Alphabet, Replace

_OF_PARTS: Final = frozenset({SAR_MSG_REF_NUM, SAR_TOTAL_SEGMENTS, SAR_SEGMENT_SEQNUM})


class DefaultAlphabet:
    """How a text of the router is written with data_coding 0, so that every operator reads it."""

    __slots__ = ("_is_latin_1", "_only_same")

    def __init__(self, account: Alphabet | None, operators: Iterable[Alphabet | None]) -> None:
        """What data_coding 0 means to the account, and to the operators that may get the text."""
        came = account or "gsm"
        self._is_latin_1: Final = came == "latin-1"
        self._only_same: Final = any(
            (one or "gsm") != came and (one is None or account is None) for one in operators
        )

    def octets_of(self, text: str) -> bytes | None:
        """Return a text as octets; None where an operator may read it otherwise."""
        if self._only_same and not SAME_IN_LATIN_1.issuperset(text):
            return None
        if not self._is_latin_1:
            return gsm_of_text(text)
        return text.encode("latin-1") if not text or max(text) <= "\xff" else None


def is_one_text(sm: Sm) -> bool:
    """Return whether a PDU is a whole message, and its text may be written anew."""
    if sm.esm_class & UDHI:
        return False
    if sm.tlvs_at == len(sm.octets):
        return True
    return told_in(sm) is not None and _OF_PARTS.isdisjoint(tag for tag, _ in sm.tlvs())


def rewritten(sm: Sm, message: bytes, data_coding: int) -> Sm:
    """Return the PDU with another text, where the text was."""
    octets = sm.octets
    command_id = int.from_bytes(octets[4:8], "big")
    number = int.from_bytes(octets[12:16], "big")
    return Sm(Pdu(command_id, 0, number, with_message(sm, command_id, message, data_coding)))


class ReplaceText:
    """Auto-replace for one account."""

    __slots__ = ("_alphabet", "_replace", "name")

    def __init__(self, replace: Replace, alphabet: DefaultAlphabet) -> None:
        self.name = "text"
        self._replace: Final[Replace] = replace
        self._alphabet: Final = alphabet

    def judge(self, one: Candidate, now_utc: float) -> Refusal | None:
        """Write a UCS-2 text in the GSM alphabet, if it has fewer parts then. Refuses nothing."""
        sm = one.sm
        if sm.data_coding != UCS_2:
            return None
        octets = sm.message
        if len(octets) <= 2 * ALONE_UNITS or len(octets) % 2 or not is_one_text(sm):
            return None
        try:
            text = octets.decode("utf-16-be")
        except UnicodeDecodeError:
            return None
        other = replaced(text, self._replace)
        if other is None:
            return None
        before, (_, after) = cut_ucs_2(octets)[0], parts_of(other)
        written = self._alphabet.octets_of(other) if after < before else None
        if written is None:
            return None
        one.sm = rewritten(sm, written, DEFAULT)
        words = f"replaced ({self._replace}): {before} parts become {after}"
        one.notes.append(Note(self.name, "changed", words))
        return None
