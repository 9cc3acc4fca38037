"""Characters that the GSM alphabet lacks, replaced by what reads the same with it.

Two ways. `punctuation` replaces quotation marks, dashes, spaces, dots and the like, which word
processors put in unasked: nobody sees a difference. `full` also replaces letters by their base
letter (`š` by `s`), Greek ones by the capitals that the alphabet has, and signs by letters (`№` by
`No.`).

All or nothing: a text of which one character stays foreign is not touched. What could be read
otherwise without its form has no replacement: raised digits (`10²` is not `102`), fractions (`1½`),
marks that turn the direction of a text, letters of other scripts.

Source: 3GPP TS 23.038, 6.2.1 (alphabet); the Unicode Character Database (what base letters are).
"""

from typing import Final

from router.smpp.gsm import CHARACTERS, septets_of
from router.smpp.text import normalised
from router.terms.settings import Replace

MODES: Final[tuple[Replace, ...]] = ("punctuation", "full")
"""The ways to replace, each of which replaces what the one before does, and more."""

_PUNCTUATION: Final = {
    "'": "\u2018\u2019\u201a\u201b\u2032\u2035\u2039\u203a\u00b4`"
    "\u02b9\u02bb\u02bc\u02bd\u02c8\uff07\uff40",
    '"': "\u201c\u201d\u201e\u201f\u2033\u2036\u00ab\u00bb\u02ba\u301d\u301e\u301f\uff02",
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2043\ufe58\ufe63\uff0d",
    " ": "\t\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f"
    "\u205f\u3000",
    "": "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufe0e\ufe0f\ufeff",
    "\n": "\u0085\u2028\u2029",
    ".": "\u2024\u3002\uff0e\uff61",
    "..": "\u2025",
    "...": "\u2026",
    # Also the middle dot, which begins the items of lists: as a stop it would change a number.
    "*": "\u00b7\u2022\u2023\u2219\u22c5\u25aa\u25ab\u25cf\u25e6\u2217\u204e\uff0a",
    "/": "\u2044\u2215\uff0f",
    "~": "\u02dc\u223c\uff5e",
    "^": "\u02c6\uff3e",
    "|": "\u00a6\uff5c",
    "!": "\uff01",
    "?": "\uff1f",
    ",": "\u3001\uff0c",
    ":": "\u2236\uff1a",
    ";": "\u037e\uff1b",
    "(": "\uff08",
    ")": "\uff09",
    "%": "\uff05",
    "+": "\uff0b",
    "=": "\uff1d",
    "_": "\uff3f",
    "!!": "\u203c",
    "??": "\u2047",
    "?!": "\u2048",
    "!?": "\u2049",
}
"""What stands for which characters. Without those that join or end nothing visible."""

_LETTERS: Final = {
    "A": "ÀÁÂÃĀĂĄǍǠȀȂȦḀẠẢẤẦẨẪẬẮẰẲẴẶ",
    "a": "áâãāăąǎǡȁȃȧḁạảấầẩẫậắằẳẵặ",
    "Ä": "Ǟ",
    "ä": "ǟ",
    "Å": "Ǻ\u212b",
    "å": "ǻ",
    "Æ": "ǢǼ",
    "æ": "ǣǽ",
    "B": "ḂḄḆ",
    "b": "ḃḅḇ",
    "C": "ĆĈĊČ",
    "Ç": "Ḉ",
    "c": "çćĉċčḉ",
    "D": "ĎḊḌḎḐḒĐ",
    "d": "ďḋḍḏḑḓđ",
    "E": "ÈÊËĒĔĖĘĚȄȆȨḔḖḘḚḜẸẺẼẾỀỂỄỆƏ",
    "e": "êëēĕėęěȅȇȩḕḗḙḛḝẹẻẽếềểễệə",
    "F": "Ḟ",
    "f": "ḟ",
    "G": "ĜĞĠĢǦǴḠǤ",
    "g": "ĝğġģǧǵḡǥ",
    "H": "ĤȞḢḤḦḨḪĦ",
    "h": "ĥȟḣḥḧḩḫẖħ",
    "I": "ÌÍÎÏĨĪĬĮİǏȈȊḬḮỈỊ",
    "i": "íîïĩīĭįǐȉȋḭḯỉịı",
    "J": "Ĵ",
    "j": "ĵǰ",
    "K": "ĶǨḰḲḴ\u212a",
    "k": "ķǩḱḳḵ",
    "L": "ĹĻĽḶḸḺḼŁ",
    "l": "ĺļľḷḹḻḽł",
    "M": "ḾṀṂ",
    "m": "ḿṁṃ",
    "N": "ŃŅŇǸṄṆṈṊ",
    "n": "ńņňǹṅṇṉṋ",
    "O": "ÒÓÔÕŌŎƠǑǪǬȌȎȬȮȰṌṎṐṒỌỎỐỒỔỖỘỚỜỞỠỢ",
    "o": "óôõōŏơǒǫǭȍȏȭȯȱṍṏṑṓọỏốồổỗộớờởỡợ",
    "Ö": "ŐȪ",
    "ö": "őȫ",
    "Ø": "Ǿ",
    "ø": "ǿ",
    "P": "ṔṖ",
    "p": "ṕṗ",
    "R": "ŔŖŘȐȒṘṚṜṞ",
    "r": "ŕŗřȑȓṙṛṝṟ",
    "S": "ŚŜŞŠȘṠṢṤṦṨ",
    "s": "śŝşšșṡṣṥṧṩſẛ",
    "T": "ŢŤȚṪṬṮṰŦ",
    "t": "ţťțṫṭṯṱẗŧ",
    "U": "ÙÚÛŨŪŬŮŲƯǓȔȖṲṴṶṸṺỤỦỨỪỬỮỰ",
    "u": "úûũūŭůųưǔȕȗṳṵṷṹṻụủứừửữự",
    "Ü": "ŰǕǗǙǛ",
    "ü": "űǖǘǚǜ",
    "V": "ṼṾ",
    "v": "ṽṿ",
    "W": "ŴẀẂẄẆẈ",
    "w": "ŵẁẃẅẇẉẘ",
    "X": "ẊẌ",
    "x": "ẋẍ",
    "Y": "ÝŶŸȲẎỲỴỶỸ",
    "y": "ýÿŷȳẏẙỳỵỷỹ",
    "Z": "ŹŻŽẐẒẔ",
    "z": "źżžẑẓẕ",
    # Letters that are two in writing.
    "OE": "Œ",
    "oe": "œ",
    "IJ": "Ĳ",
    "ij": "ĳ",
    "DZ": "ǱǄ",
    "Dz": "ǲǅ",
    "dz": "ǳǆ",
    "LJ": "Ǉ",
    "Lj": "ǈ",
    "lj": "ǉ",
    "NJ": "Ǌ",
    "Nj": "ǋ",
    "nj": "ǌ",
    "Th": "Þ",
    "th": "þ",
    "Dh": "Ð",
    "dh": "ð",
    "'n": "ŉ",
    "SS": "ẞ",
    "ff": "\ufb00",
    "fi": "\ufb01",
    "fl": "\ufb02",
    "ffi": "\ufb03",
    "ffl": "\ufb04",
}
"""Which letters have which base letter. Of two marks the one that the alphabet has stays."""
_GREEK: Final = {
    "A": "αάΑΆ",
    "B": "βΒ",
    "Γ": "γ",  # noqa: RUF001
    "Δ": "δ\u2206",
    "E": "εέΕΈ",
    "Z": "ζΖ",
    "H": "ηήΗΉ",
    "Θ": "θ",
    "I": "ιίϊΐΙΊΪ",
    "K": "κΚ",
    "Λ": "λ",
    "M": "μΜ",
    "N": "νΝ",  # noqa: RUF001
    "Ξ": "ξ",
    "O": "οόΟΌ",
    "Π": "π",
    "P": "ρΡ",  # noqa: RUF001
    "Σ": "σς",
    "T": "τΤ",
    "Y": "υύϋΰΥΎΫ",
    "Φ": "φ",
    "X": "χΧ",
    "Ψ": "ψ",
    "Ω": "ωώΏ\u2126",
}
"""Greek is written in capitals in GSM 7-bit, without accents as all capitals are; those that look
like Latin ones are those."""
_SIGNS: Final = {
    "(c)": "©",
    "(R)": "®",
    "TM": "™",
    "No.": "№",
    "x": "×",  # noqa: RUF001
    "+/-": "±",
    "<=": "≤",
    ">=": "≥",
    "->": "→",
    "<-": "←",
    "=>": "⇒",
    "AMD": "֏",
    "AZN": "₼",
    "GEL": "₾",
    "GHS": "₵",
    "ILS": "₪",
    "INR": "₹",
    "KZT": "₸",
    "MNT": "₮",
    "NGN": "₦",
    "PHP": "₱",
    "PYG": "₲",
    "RUB": "₽",
    "THB": "฿",
    "TRY": "₺",
    "UAH": "₴",
    "VND": "₫",
}
_FULL_WIDTH: Final = range(0xFF01, 0xFF5F)
_FULL_WIDTH_LESS: Final = 0xFEE0


def _table(*parts: dict[str, str]) -> dict[int, str]:
    """Return what stands for each character, by its code point."""
    return {ord(one): goes for part in parts for goes, came in part.items() for one in came}


_TABLES: Final[dict[Replace, dict[int, str]]] = {
    "none": {},
    "punctuation": _table(_PUNCTUATION),
    "full": {
        **{code: chr(code - _FULL_WIDTH_LESS) for code in _FULL_WIDTH},
        **_table(_PUNCTUATION, _LETTERS, _GREEK, _SIGNS),
    },
}


def table_of(mode: Replace) -> dict[int, str]:
    """Return what stands for each character that is replaced, by its code point."""
    return dict(_TABLES[mode])


def replaced(text: str, mode: Replace) -> str | None:
    """Return a text that reads the same, all in the GSM alphabet; None if there is none."""
    # First: a letter and its mark may have come apart.
    text = normalised("NFC", text).translate(_TABLES[mode])
    return None if septets_of(text) < 0 else text


def foreign_in(text: str) -> list[str]:
    """Return the characters that the GSM alphabet lacks, each once, as they first stand there."""
    return [one for one in dict.fromkeys(text) if one not in CHARACTERS]
