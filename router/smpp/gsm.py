"""The GSM alphabet by tables: octets to text and back, one septet in each octet.

Source: 3GPP TS 23.038, 6.2.1 (alphabet and extension); SMPP v3.4, 5.2.19 (data_coding).
"""

from codecs import charmap_decode
from typing import Final

from router.smpp.text import ESCAPE, gsm_alphabet

ESCAPED: Final = chr(ESCAPE)
_BASIC, _BEHIND = gsm_alphabet()
_SEPTETS: Final[dict[int, str]] = {
    **{ord(character): chr(septet) for septet, character in _BASIC.items()},
    **{ord(character): f"{ESCAPED}{chr(septet)}" for septet, character in _BEHIND.items()},
}
CHARACTERS: Final = frozenset(map(chr, _SEPTETS))
"""All characters of the alphabet and its extension."""
EXTENSION: Final = "".join(sorted(_BEHIND.values()))
"""The characters that take two septets."""
SAME_IN_LATIN_1: Final = frozenset(
    character for septet, character in _BASIC.items() if ord(character) == septet
)
"""The characters whose septet is their octet in Latin-1 (and ASCII) too."""
READ: Final = "".join(
    ESCAPED if octet == ESCAPE else _BASIC.get(octet, chr(octet)) for octet in range(0x100)
)
"""What each octet is to a reader that must not fail. Octets that are no septets are Latin-1, which
is what some clients send with data_coding 0."""

_LATIN_1_WITHIN: Final = bytes(sorted(ord(one) for one in CHARACTERS if one <= "\xff"))
_EXTENSION_IN_LATIN_1: Final = bytes(ord(one) for one in EXTENSION if one <= "\xff")
_OF_PAIR: Final = {chr(septet): character for septet, character in _BEHIND.items()}


def text_of_gsm(octets: bytes) -> str | None:
    """Return the text of septets that have an octet each; None if it is none."""
    if not octets.isascii():
        return None
    first, *others = octets.decode("ascii").split(ESCAPED)
    text = first.translate(_BASIC)
    for other in others:
        character = _BEHIND.get(ord(other[0])) if other else None
        if character is None:
            return None
        text += character + other[1:].translate(_BASIC)
    return text


def read_gsm(octets: bytes) -> str:
    """Return what a reader sees of septets that have an octet each; never fails.

    An escape before what the extension does not have reads as that septet without it, which is what
    telephones show.
    """
    text = charmap_decode(octets, "replace", READ)[0]
    if ESCAPED not in text:
        return text
    pairs = octets.decode("latin-1").split(ESCAPED)
    read = [charmap_decode(pairs[0].encode("latin-1"), "replace", READ)[0]]
    for other in pairs[1:]:
        character = _OF_PAIR.get(other[:1])
        if character is not None:
            read.append(character)
            other = other[1:]
        read.append(charmap_decode(other.encode("latin-1"), "replace", READ)[0])
    return "".join(read)


def gsm_of_text(text: str) -> bytes | None:
    """Return a text as septets with an octet each; None if the alphabet lacks a character."""
    return text.translate(_SEPTETS).encode("ascii") if CHARACTERS.issuperset(text) else None


def septets_of(text: str) -> int:
    """Return how many septets a text takes; -1 if the alphabet lacks one of its characters."""
    try:
        octets = text.encode("latin-1")
    except UnicodeEncodeError:
        if not CHARACTERS.issuperset(text):
            return -1
        return len(text) + sum(map(text.count, EXTENSION))
    if octets.translate(None, _LATIN_1_WITHIN):
        return -1
    return 2 * len(octets) - len(octets.translate(None, _EXTENSION_IN_LATIN_1))
