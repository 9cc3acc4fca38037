"""Texts in the form in which they are searched: what looks alike is alike.

Case goes, and so do compatibility forms (NFKC: full width, mathematical letters, ligatures),
invisible characters, and the marks that are put over and through letters where no letter has them.
Letters of other scripts that look like Latin ones are those: Cyrillic a, p and y are `a`, `p` and
`y`. Since case goes, a letter counts by its capital or its small form: capital and small Greek eta
are both `h`. Digits stay digits. Everything else ends a word, and is a space.

A script that is written without spaces has no whole words; of it every letter stands for itself.

Folding a folded text changes nothing.
"""

import re
from codecs import charmap_build, charmap_decode, charmap_encode
from collections.abc import Iterable
from typing import Final
from unicodedata import category, digit, normalize

from router.smpp.gsm import ESCAPED, READ
from router.smpp.text import normalised

MOST_KNOWN: Final = 10_000
"""Characters whose folded form is kept, some 2 MB: those of several languages."""

MOST_NEW: Final = 1_000
"""Characters that one text may teach: two milliseconds. What has more is not written by people."""

_ALIKE: Final = {
    "a": "\u0430\u03b1\u03ac\u0251\u1d00\u13aa\ua4ee",
    "b": "\u0432\u044c\u03b2\u0299\u13f4\u15af\ua4d0\u0185",
    "c": "\u0441\u03f2\u1d04\u13df\ua4da\u2ca5",
    "d": "\u0501\u1d05\u13a0\ua4d3",
    "e": "\u0435\u0451\u03b5\u03ad\u1d07\u13ac\ua4f0\u212e",
    "f": "\ua730\ua4dd\u0192",
    "g": "\u0261\u0262\u13c0\ua4d6\u0581",
    "h": "\u043d\u04bb\u03b7\u03ae\u029c\u13bb\ua4e7\u0570\u2c8f",
    "i": "\u0456\u0457\u03b9\u03af\u03ca\u0390\u0131\u026a\u0269\u13a5\ua4f2",
    "j": "\u0458\u0237\u1d0a\u13ab\ua4d9\u03f3",
    "k": "\u043a\u03ba\u1d0b\u13e6\ua4d7\u2c95",
    "l": "\u04cf\u029f\u13de\ua4e1\u0196",
    "m": "\u043c\u03bc\u1d0d\u13b7\ua4df\u2c99",
    "n": "\u043f\u03bd\u0274\ua4e0\u0578\u2c9b",
    "o": "\u043e\u03bf\u03cc\u1d0f\ua4f3\u0585\u2c9f",
    "p": "\u0440\u03c1\u1d18\u13e2\ua4d1\u2ca3",
    "q": "\u051b\u0566",
    "r": "\u0433\u0280\u13d2\ua4e3",
    "s": "\u0455\ua731\u13da\ua4e2",
    "t": "\u0442\u03c4\u1d1b\u13a2\ua4d4",
    "u": "\u1d1c\u057d\ua4f4",
    "v": "\u0475\u1d20\u13d9\ua4e6",
    "w": "\u051d\u1d21\u13b3\ua4ea\u0461",
    "x": "\u0445\u03c7\ua4eb\u2cad",
    "y": "\u0443\u03c5\u03cd\u03cb\u03b0\u028f\u13bd\ua4ec",
    "z": "\u03b6\u1d22\u13c3\ua4dc",
    # An accent goes with the small letters that Greek capitals have without.
    "\u03c9": "\u03ce",
}
"""Small letters, and capitals of scripts without small ones, by the Latin letter they look like."""
_LATIN: Final = "abcdefghijklmnopqrstuvwxyz"
_SQUARED: Final = (0x1F130, 0x1F150, 0x1F170, 0x1F1E6)
"""Where letters in circles and squares begin, and those of which flags are made."""

_INVISIBLE: Final = (
    *(range(0x00AD, 0x00AE), range(0x034F, 0x0350), range(0x061C, 0x061D)),
    *(range(0x115F, 0x1161), range(0x17B4, 0x17B6), range(0x180B, 0x1810)),
    *(range(0x200B, 0x2010), range(0x202A, 0x202F), range(0x2060, 0x2070)),
    *(range(0x3164, 0x3165), range(0xFE00, 0xFE10), range(0xFEFF, 0xFF00)),
    *(range(0xFFA0, 0xFFA1), range(0xFFF0, 0xFFFC), range(0x1BCA0, 0x1BCA4)),
    *(range(0x1D173, 0x1D17B), range(0xE0000, 0xE1000)),
)
"""What Unicode lets a screen ignore (Default_Ignorable_Code_Point), and anchors of notes."""
INVISIBLE: Final = re.compile(
    "[\0-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"
    + "".join(f"{chr(one.start)}-{chr(one.stop - 1)}" for one in _INVISIBLE)
    + "]"
)
_BLANK: Final = "\u2800"
"""A sign without a dot: category So, and a blank to who reads."""
_MARKS: Final = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_MARK: Final = re.compile(f"[{_MARKS}]")
"""Marks for letters of any script, but for what NFKC has made one letter of."""
_ALONE: Final = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u3100-\u312f"
    "\u31a0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua48f\uac00-\ud7af\uf900-\ufaff"
    "\U00020000-\U0003ffff])"
)
"""Letters of scripts without spaces between words, or (Korean) with endings on them."""


def _alike() -> dict[str, str]:
    found = {other: latin for latin, others in _ALIKE.items() for other in others}
    for begin in _SQUARED:
        found |= {chr(begin + at): letter for at, letter in enumerate(_LATIN)}
    return found


_LATIN_LOOK: Final = _alike()
_LOOKS: Final = {ord(other): latin for other, latin in _LATIN_LOOK.items()}
_NO_WORD: Final = re.compile(
    "[^\\w\u0300-\U0010ffff]|[_\u2000-\u2bff\u3000-\u303f\ufe10-\ufe1f\ufe30-\ufe6f\ufff0-\uffff]"
)
"""What ends a word, where not every character is looked up: most of what is no letter or mark."""


def _form(character: str) -> str:
    """Return what a character is folded to, by itself."""
    if INVISIBLE.match(character):
        return ""
    form = normalize("NFKC", character).casefold()
    return "".join(_kept(_LATIN_LOOK.get(one, one)) for one in form)


def _kept(character: str) -> str:
    """Return a letter, digit or mark; a space for what ends a word."""
    if INVISIBLE.match(character):
        return ""
    kind = category(character)
    if kind == "Nd":
        return str(digit(character))
    return character if kind[0] in "LNM" else " "


class _Forms:
    """Characters and their folded forms, as far as they were met."""

    __slots__ = ("by_code", "characters")

    def __init__(self) -> None:
        self.by_code: dict[int, str] = {}
        self.characters: set[str] = set()

    def learn(self, text: str) -> bool:
        """Make sure that each character of a text is known; False if too many are not."""
        new = set(text).difference(self.characters)
        if not new:
            return True
        if len(new) > MOST_NEW:
            return False
        if len(self.characters) + len(new) > MOST_KNOWN:
            self.by_code.clear()
            self.characters.clear()
            new = set(text)
        for one in new:
            self.by_code[ord(one)] = _form(one)
        self.characters |= new
        return True


_FORMS: Final = _Forms()


def _octet(character: str) -> str:
    """Return the one character that an octet is folded to; ESCAPED if there is none."""
    form = _form(character)
    return form if len(form) == 1 and not _ALONE.match(form) else ESCAPED


LATIN_1_FORMS: Final = "".join(_octet(chr(octet)) for octet in range(0x100))
"""What each octet of Latin-1 is folded to. ESCAPED: more than one character, or none."""
GSM_FORMS: Final = "".join(
    ESCAPED if one == ESCAPED else LATIN_1_FORMS[ord(one)] if one <= "\xff" else _octet(one)
    for one in READ
)
"""What each septet is folded to. ESCAPED: what follows says it, or as above."""


def folded_octets(octets: bytes, forms: str) -> str | None:
    """Return octets folded, by one of the two tables; None if that needs more than a table."""
    text = charmap_decode(octets, "replace", forms)[0]
    return None if ESCAPED in text else text


_SHARED: Final = (
    "".join(map(chr, (0, 10, 13, *range(0x20, 0x7F)))) + "\u2013\u2019\u201c\u201d\u2026"
)
_EASTERN: Final = (
    *(range(0x401, 0x402), range(0x404, 0x405), range(0x406, 0x408), range(0x40E, 0x40F)),
    *(range(0x410, 0x450), range(0x451, 0x452), range(0x454, 0x455), range(0x456, 0x458)),
    *(range(0x45E, 0x45F), range(0x490, 0x492), range(0x2116, 0x2117), range(0x386, 0x387)),
    *(range(0x388, 0x38B), range(0x38C, 0x38D), range(0x38E, 0x390), range(0x391, 0x3A2)),
    *(range(0x3A3, 0x3AA), range(0x3AC, 0x3B0), range(0x3B1, 0x3CF)),
)
"""Cyrillic and Greek of today."""
_WESTERN: Final = (
    *(range(0xC0, 0x108), range(0x10C, 0x114), range(0x116, 0x11C), range(0x11E, 0x120)),
    *(range(0x122, 0x124), range(0x12A, 0x12C), range(0x12E, 0x132), range(0x136, 0x138)),
    *(range(0x139, 0x13F), range(0x141, 0x149), range(0x150, 0x156), range(0x158, 0x15C)),
    *(range(0x15E, 0x166), range(0x16A, 0x16C), range(0x16E, 0x174), range(0x178, 0x17F)),
    range(0x218, 0x21C),
)
"""Latin of the languages of Europe."""


def _page(letters: Iterable[Iterable[int]]) -> str:
    """Return the characters of a table; what is not used of it is no character."""
    page = _SHARED + "".join(chr(code) for codes in letters for code in codes)
    assert len(page) <= 0x100
    return page.ljust(0x100, "\ufffe")


_PAGES: Final = tuple(
    (charmap_build(page), "".join(map(_octet, page))) for page in (_page(_EASTERN), _page(_WESTERN))
)
"""Tables for the scripts of most texts: ten times as fast as what follows for all others."""


def fold(text: str) -> str:
    """Return a text in the form in which it is searched; a space wherever a word ends."""
    try:
        found = folded_octets(text.encode("latin-1"), LATIN_1_FORMS)
        if found is not None:
            return found
    except UnicodeEncodeError:
        for page, page_forms in _PAGES:
            try:
                found = folded_octets(charmap_encode(text, "strict", page)[0], page_forms)
            except UnicodeEncodeError:
                continue
            if found is not None:
                return found
    forms = _FORMS
    if not forms.learn(text):
        return _ALONE.sub(r" \1 ", _folded_in_bulk(text))
    text = text.translate(forms.by_code)
    # Letter and mark may be one letter, and that may have another form.
    for _ in range(4):
        other = normalised("NFC", text)
        if other == text and not _MARK.search(text):
            break
        if not forms.learn(other):
            return _ALONE.sub(r" \1 ", _folded_in_bulk(other))
        other = other.translate(forms.by_code)
        text = _MARK.sub("", text) if other == text else other
    return _ALONE.sub(r" \1 ", text)


def _folded_in_bulk(text: str) -> str:
    """Return a text folded as the tables would, but for digits of other scripts."""
    text = normalised("NFKC", INVISIBLE.sub("", text)).casefold().translate(_LOOKS)
    return _NO_WORD.sub(" ", _MARK.sub("", INVISIBLE.sub("", text)))
