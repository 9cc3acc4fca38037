"""The text of a message for a reader that looks for something in it, whatever its data_coding is.

Reading never fails: what cannot be read is U+FFFD. Data for programs is no text: binary data, and
what is addressed to ports. What a user data header or its TLVs say of parts is in `segments.py`.

Source: SMPP v3.4, 5.2.19 (data_coding); 3GPP TS 23.038, 4 (the same values as a data coding scheme,
where SMPP reserves them); 23.040, 9.2.3.24 (user data header).
"""

from typing import Final, Literal

from router.smpp.gsm import read_gsm
from router.smpp.pdu import Sm
from router.smpp.recode import DESTINATION_PORT, SOURCE_PORT
from router.smpp.text import UDHI

Kind = Literal["gsm", "latin-1", "ucs-2", "other", "data"]
"""How the octets of a text are to be read; `data` are none."""

_NAMED: Final[dict[int, Kind]] = {
    0x01: "latin-1",
    0x02: "data",
    0x03: "latin-1",
    0x04: "data",
    0x05: "other",
    0x06: "other",
    0x07: "other",
    0x08: "ucs-2",
    0x09: "data",
    0x0A: "other",
    0x0D: "other",
    0x0E: "other",
}
_CODECS: Final = {
    0x05: "shift_jis",
    0x06: "iso8859_5",
    0x07: "iso8859_8",
    0x0A: "iso2022_jp",
    0x0D: "iso2022_jp_1",
    0x0E: "euc_kr",
}
_PORTS: Final = (0x04, 0x05)
"""Elements of a header that address a program, by ports of 8 and of 16 bits."""


def _kind_of(data_coding: int) -> Kind:
    if data_coding < 0x10:
        return _NAMED.get(data_coding, "gsm")
    if data_coding >= 0xF0:
        return "data" if data_coding & 0x04 else "gsm"
    if data_coding >= 0xC0:
        return "ucs-2" if data_coding >= 0xE0 else "gsm"
    if data_coding >= 0x80:
        return "gsm"
    kinds: tuple[Kind, ...] = ("gsm", "data", "ucs-2", "gsm")
    return kinds[data_coding >> 2 & 3]


KINDS: Final[tuple[Kind, ...]] = tuple(map(_kind_of, range(0x100)))
"""How a text is read, by data_coding; 0 is the GSM alphabet unless the account says otherwise."""


def told_in(sm: Sm) -> bytes | None:
    """Return the octets behind the user data header; None of what is addressed to a port."""
    octets = sm.message
    if sm.tlvs_at != len(sm.octets):
        tlvs = sm.tlvs_by_tag()
        if SOURCE_PORT in tlvs or DESTINATION_PORT in tlvs:
            return None
    if not sm.esm_class & UDHI or not octets:
        return octets
    end, at = 1 + octets[0], 1
    while at + 2 <= end <= len(octets):
        if octets[at] in _PORTS:
            return None
        at += 2 + octets[at + 1]
    return octets[end:]


def read(octets: bytes, kind: Kind, data_coding: int) -> str:
    """Return the text of octets of this kind."""
    if kind == "gsm":
        return read_gsm(octets)
    if kind == "ucs-2":
        return octets.decode("utf-16-be", "replace")
    if kind == "other":
        return octets.decode(_CODECS[data_coding], "replace")
    return octets.decode("latin-1")


def text_in(sm: Sm, *, is_latin_1: bool = False) -> str | None:
    """Return the text of a message without its user data header; None if it has none to read.

    `is_latin_1` is whether data_coding 0 means Latin-1 to the client.
    """
    data_coding = sm.data_coding
    kind: Kind = "latin-1" if is_latin_1 and not data_coding else KINDS[data_coding]
    if kind == "data":
        return None
    octets = told_in(sm)
    return None if octets is None else read(octets, kind, data_coding)
