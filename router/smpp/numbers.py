"""How addresses are written in the PDUs to one operator, where `numbers` of its settings says so.

A client writes a number as it likes, and a receipt that it gets has the number as it wrote it; only
what goes over the operator's wire is written anew, each time that a message is written there. The
same address is always written alike, so that the parts of a long message stay together, and so that
a receipt with the address that the operator knows finds its message.
"""

from collections.abc import Callable
from typing import Final

from router.smpp.pdu import HEADER_OCTETS, LONGEST_ADDRESS, Pdu, Sm, address, build, relay_with
from router.terms.latest import Latest
from router.terms.message import Message
from router.terms.names import AccountName
from router.terms.settings import NumberForm, NumberKind, NumberSettings, TonNpi

TON_NATIONAL: Final = 2
TON_ALPHANUMERIC: Final = 5
TONS_OF_SHORT_NUMBERS: Final = (3, 6)
"""Network specific and abbreviated (3.4, 5.2.5)."""
SHORTEST_NUMBER: Final = 7
"""Digits; what is shorter is a short code. The shortest numbers have seven with their country's."""
REMEMBERED: Final = 10_000
"""Addresses whose form is remembered: senders, and numbers that are soon written to again."""
_PUNCTUATION: Final = b" -().+"
_NUMBERS: Final[dict[NumberKind, TonNpi]] = {
    "international": TonNpi(1, 1),
    "national": TonNpi(2, 1),
}
"""What a number has whose form was changed, where `ton_npi` does not say it."""


def digits_of(number: bytes) -> bytes | None:
    """Return a number without `+`, leading `00` or punctuation; None if it is no number."""
    digits = number
    if not digits.isdigit():
        digits = number.translate(None, _PUNCTUATION)
        if not digits.isdigit() or number.rfind(b"+") > 0:
            return None
    return digits[2:] if digits.startswith(b"00") else digits


Inland = Callable[[AccountName, bytes], bytes]
"""Returns the digits, with the country code, of a destination (TON, NPI, number, NUL) that the
router reads as a national number of its account; empty of all others."""


def no_inland(account: AccountName, destination: bytes) -> bytes:
    """Read no number as a national one."""
    return b""


def readdressed(message: Message, octets: bytes, addresses: bytes) -> bytes:
    """Return the PDU of a message with another source and destination, as they stand in a PDU."""
    old = message.source_octets + message.destination_octets
    if addresses == old:
        return octets
    begin = octets.index(0, HEADER_OCTETS) + 1
    body = octets[HEADER_OCTETS:begin] + addresses + octets[begin + len(old) :]
    return build(message.command_id, 0, 0, body)


class WireNumbers:
    """The forms of numbers with one operator."""

    __slots__ = ("_country", "_form", "_inland", "_prefix", "_ton_npi", "_written")

    def __init__(self, settings: NumberSettings, inland: Inland = no_inland) -> None:
        self._inland: Final = inland
        self._form: Final[NumberForm] = settings.normalise
        self._country: Final = settings.country_code.encode()
        self._prefix: Final = settings.national_prefix.encode()
        usual = {} if self._form == "as_it_came" else _NUMBERS
        self._ton_npi: Final[dict[NumberKind, TonNpi]] = {**usual, **settings.ton_npi}
        self._written: Final[Latest[bytes, bytes]] = Latest(REMEMBERED)

    def written(self, octets: bytes) -> bytes:
        """Return an address (TON, NPI, number, NUL) as this operator wants it.

        One that would be too long so stays as it is.
        """
        written = self._written.get(octets)
        if written is None:
            written = self._write(octets)
            self._written.put(octets, written)
        return written

    def destination(self, message: Message) -> bytes:
        """Return the destination of a message as this operator wants it.

        A national number of its account would be taken for one of another country here, or of the
        operator's own: it is written as the number that it was routed by. Where the operator wants
        numbers as they came, it keeps its digits, and is national.
        """
        octets = message.destination_octets
        inland = self._inland(message.account, octets)
        if not inland:
            return self.written(octets)
        if self._form != "as_it_came":
            return self.written(address(*_NUMBERS["international"], inland))
        ton_npi = self._ton_npi.get("national")
        return octets if ton_npi is None else address(*ton_npi, octets[2:-1])

    def _write(self, octets: bytes) -> bytes:
        number = octets[2:-1]
        kind, digits = self._kind_of(octets)
        if kind is None:
            return octets
        form = self._form
        if digits and form != "as_it_came" and (kind == "international" or self._country):
            if kind == "national":
                kind, digits = "international", self._from_abroad(digits)
            number = digits
            if form == "plus":
                number = b"+" + digits
            elif form == "00":
                number = b"00" + digits
            elif form == "national" and digits.startswith(self._country):
                inland = self._prefix + digits[len(self._country) :]
                # Else it would read as a short code, or as a number of another country.
                if len(inland) >= SHORTEST_NUMBER and not inland.startswith(b"00"):
                    kind, number = "national", inland
        if len(number) > LONGEST_ADDRESS:
            return octets
        ton_npi = self._ton_npi.get(kind)
        ton, npi = (octets[0], octets[1]) if ton_npi is None else ton_npi
        return address(ton, npi, number)

    def read(self, octets: bytes) -> bytes:
        """Return an address of this operator's with its number as digits with a country code.

        One that is no number, or that has no other form here, stays as it is.
        """
        kind, digits = self._kind_of(octets)
        if self._form == "as_it_came" or not digits or kind in ("short", "alphanumeric"):
            return octets
        if kind == "national":
            if not self._country:
                return octets
            digits = self._from_abroad(digits)
        if digits == octets[2:-1] or len(digits) > LONGEST_ADDRESS:
            return octets
        return address(*_NUMBERS["international"], digits)

    def _kind_of(self, octets: bytes) -> tuple[NumberKind | None, bytes]:
        """Return what an address is, and its digits; None and nothing for one that is empty."""
        ton, number = octets[0], octets[2:-1]
        if not number:
            return None, b""
        digits = None if ton == TON_ALPHANUMERIC else digits_of(number)
        if digits is None:
            return "alphanumeric", b""
        if number.startswith((b"+", b"00")):
            return "international", digits
        if ton in TONS_OF_SHORT_NUMBERS or len(digits) < SHORTEST_NUMBER:
            return "short", b""
        if ton == TON_NATIONAL or digits.startswith(b"0"):
            return "national", digits
        return "international", digits

    def _from_abroad(self, digits: bytes) -> bytes:
        """Return a national number with its country code."""
        return self._country + digits.removeprefix(self._prefix)

    def outgoing(self, message: Message, octets: bytes, source: bytes | None = None) -> bytes:
        """Return the PDU of a message with its addresses as this operator wants them.

        `source` is the one under which it goes out, if that is not its own.
        """
        source = message.source_octets if source is None else source
        new = self.written(source) + self.destination(message)
        return readdressed(message, octets, new)

    def incoming(self, pdu: Pdu, sm: Sm) -> tuple[Pdu, Sm]:
        """Return a subscriber's message with its numbers as digits with a country code."""
        source, destination = self.read(sm.source_octets), self.read(sm.destination_octets)
        if source == sm.source_octets and destination == sm.destination_octets:
            return pdu, sm
        octets = relay_with(
            sm,
            pdu.sequence_number,
            source=(source[0], source[1], source[2:-1]),
            destination=(destination[0], destination[1], destination[2:-1]),
        )
        pdu = Pdu(pdu.command_id, pdu.command_status, pdu.sequence_number, octets)
        return pdu, Sm(pdu, tolerant=True)
