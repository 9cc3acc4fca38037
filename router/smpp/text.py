"""Alphabets, words and user data headers: how octets become a text that people read.

The router relays octets; it reads text only where a setting asks for it (the keyword of an inbound
message, `explain`), with aiosmpplib's codecs.

Source: SMPP v3.4, 5.2.19 (data_coding); 3GPP TS 23.038 (alphabets), 23.040 9.2.3.24 (UDH).
"""

from typing import Final, Literal
from unicodedata import category, combining, normalize

from aiosmpplib import GSM7BitCodec

_GSM: Final = GSM7BitCodec()

PIECE: Final = 100
"""Characters of a text that are put into a normal form at once."""
MOST_MARKS: Final = 30
"""Marks by which a piece may be longer; what people write has three on a letter."""
UDHI: Final = 0x40
"""esm_class bit: the message begins with a user data header."""

ESCAPE: Final = 0x1B
"""The septet of the GSM alphabet before those of its extension."""


def gsm_alphabet() -> tuple[dict[int, str], dict[int, str]]:
    """Return the characters of the GSM alphabet, and those behind an escape, by septet."""
    septets = [septet for septet in range(0x80) if septet != ESCAPE]
    basic = {septet: str(_GSM.decode(bytes((septet,)))[0]) for septet in septets}
    behind = {septet: str(_GSM.decode(bytes((ESCAPE, septet)))[0]) for septet in septets}
    # The codec has a no-break space for what the extension does not have.
    return basic, {septet: one for septet, one in behind.items() if one != "\u00a0"}


def normalised(form: Literal["NFC", "NFKC"], text: str) -> str:
    """Return a text in a normal form of Unicode, in a time that does not grow with its square.

    Marks are sorted one by one: thirty thousand behind one letter would take seconds. So a long
    text is taken in pieces, which do not begin with a mark unless there are too many.
    """
    if len(text) <= PIECE:
        return normalize(form, text)
    pieces: list[str] = []
    at = 0
    while at < len(text):
        end = at + PIECE
        longest = end + MOST_MARKS
        while end < min(longest, len(text)) and _joins(text[end]):
            end += 1
        pieces.append(normalize(form, text[at:end]))
        at = end
    return "".join(pieces)


def _joins(character: str) -> bool:
    """Return whether a character may be one with what stands before it."""
    return category(character)[0] == "M" or "\u1160" <= character <= "\u11ff"  # Also jamo.


def without_udh(message: bytes, esm_class: int) -> bytes:
    """Return the message without its user data header."""
    if esm_class & UDHI and message:
        return message[message[0] + 1 :]
    return message


def decode(octets: bytes, data_coding: int) -> str:
    """Return the text; never raises.

    What cannot be read is U+FFFD in UCS-2, and a question mark or a no-break space in GSM 7-bit.
    """
    if data_coding in (0x08, 0x18, 0x19, 0x1A, 0x1B):
        return octets.decode("utf-16-be", errors="replace")
    if data_coding in (0x00, 0xF0, 0xF1, 0xF2, 0xF3, 0x10, 0x11, 0x12, 0x13):
        return str(_GSM.decode(octets, "replace")[0])
    return octets.decode("latin-1")


_WITHIN_WORDS: Final = frozenset("&'_\u2019")
"""Punctuation that does not end a word when it stands in one; hyphens and dashes do not either."""


def first_word(text: str) -> str:
    """Return the first word without punctuation, case and accents; empty without a word.

    What people type around a keyword is not meant: "BANK,", "bank!", "Bänk", "bank,now" and
    "(bank)" all begin with `bank`. A word has letters and digits, in compatibility decomposition
    (NFKD) without combining marks. White space ends it, and so does punctuation unless it often
    stands in a word ("E-POST" is `epost`, "C&A" is `ca`). A text without letters and digits begins
    with all that stands before its first white space: "?" may be a keyword.
    """
    word = ""
    for character in text:
        for one in normalize("NFKD", character):
            kind = category(one)
            if kind[0] in "LN" or (kind[0] == "M" and not combining(one)):
                word += one
            elif word and (
                one.isspace() or (kind[0] in "PS" and kind != "Pd" and one not in _WITHIN_WORDS)
            ):
                return word.casefold()
    return word.casefold() or "".join(text.split(maxsplit=1)[:1])
