"""The signature that some countries want in a text: who sends it, at its begin or end.

Where it is missing it is added to a message of one PDU, if it still fits: a text that goes on a
telephone as one part stays one, a short_message has at most 254 octets, and the alphabet stays. It
is never added to a part of a long message, whose client has cut the text already. There `start` is
looked for in the first part, `end` in the last; a part that is shorter than the signature has to be
a piece of it.

Case and white space around do not matter. A message without text has none to sign.
"""

from collections.abc import Mapping
from typing import Final, Literal

from router.check.parts import parts_in
from router.check.policy import Candidate, Note
from router.check.replace import DefaultAlphabet, is_one_text, rewritten
from router.smpp.pdu import LONGEST_SHORT_MESSAGE_OCTETS, Sm
from router.smpp.readable import KINDS, text_in
from router.smpp.segments import part_of
from router.smpp.text import UDHI
from router.terms.outcome import Refusal

Where = Literal["start", "end"]
LONGEST_PAYLOAD_OCTETS: Final = 0xFFFF
ASCII: Final = 1
"""The data_coding whose octets are read as Latin-1, and are ASCII."""
MISSING: Final = Refusal("signature_missing", 0x45, "the country asks for a signature")
DOES_NOT_FIT: Final = Refusal("signature_missing", 0x45, "the signature does not fit")


class Signature:
    """The signature of one account, in the countries that ask for one."""

    __slots__ = ("_alphabet", "_countries", "_folded", "_is_latin_1", "_signature", "name")

    def __init__(
        self,
        signature: str | None,
        countries: Mapping[str, Where],
        alphabet: DefaultAlphabet,
        *,
        is_latin_1: bool,
    ) -> None:
        """`countries` are those that ask for one; an account without one cannot send there."""
        self.name = "signature"
        self._signature: Final = signature
        self._folded: Final = "" if signature is None else signature.strip().casefold()
        self._countries: Final = countries
        self._alphabet: Final = alphabet
        self._is_latin_1: Final = is_latin_1

    def judge(self, one: Candidate, now_utc: float) -> Refusal | None:
        """Add the signature to a text that must have it and has not, or refuse the text."""
        where = self._countries.get(one.place.country)
        if where is None:
            return None
        sm = one.sm
        text = text_in(sm, is_latin_1=self._is_latin_1)
        if not text:
            return None
        signature = self._signature
        if signature is None:
            return MISSING
        part = None
        if sm.esm_class & UDHI or sm.tlvs_at != len(sm.octets):
            part = part_of(sm)
        if part is not None:
            looked_at = 1 if where == "start" else part.total
            if part.number != looked_at or self._stands_in(text, where, is_piece=True):
                return None
            return MISSING
        if self._stands_in(text, where, is_piece=False):
            return None
        if not is_one_text(sm):
            return MISSING
        signed = self._signed(sm, text, signature, where)
        if signed is None:
            return DOES_NOT_FIT
        one.sm = signed
        one.notes.append(Note(self.name, "changed", f"added at the {where}"))
        return None

    def _stands_in(self, text: str, where: Where, *, is_piece: bool) -> bool:
        """Return whether the signature, or in a short part a piece of it, stands where it must."""
        folded, signature = text.strip().casefold(), self._folded
        if where == "start":
            return folded.startswith(signature) or (is_piece and signature.startswith(folded))
        return folded.endswith(signature) or (is_piece and signature.endswith(folded))

    def _signed(self, sm: Sm, text: str, signature: str, where: Where) -> Sm | None:
        """Return the PDU with the signature added; None if it does not fit."""
        if where == "start":
            added, is_apart = signature, text[:1].isspace()
            added = added if is_apart else f"{added} "
        else:
            added, is_apart = signature, text[-1:].isspace()
            added = added if is_apart else f" {added}"
        octets = self._octets_of(added, sm.data_coding)
        if octets is None:
            return None
        told = sm.message
        message = octets + told if where == "start" else told + octets
        is_short = bool(sm.short_message)
        if len(message) > (LONGEST_SHORT_MESSAGE_OCTETS if is_short else LONGEST_PAYLOAD_OCTETS):
            return None
        signed = rewritten(sm, message, sm.data_coding)
        grows = self._parts_in(signed) > self._parts_in(sm) == 1
        return None if is_short and grows else signed

    def _parts_in(self, sm: Sm) -> int:
        return parts_in(sm, is_latin_1=self._is_latin_1)

    def _octets_of(self, text: str, data_coding: int) -> bytes | None:
        """Return a text in the alphabet of the message; None if that lacks a character."""
        kind = KINDS[data_coding]
        if kind == "gsm":
            return self._alphabet.octets_of(text)
        if kind == "ucs-2":
            return text.encode("utf-16-be")
        if kind == "latin-1" and max(text) <= ("\x7f" if data_coding == ASCII else "\xff"):
            return text.encode("latin-1")
        return None
