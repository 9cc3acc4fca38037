"""The first check: reads the number of a message, finds its place, and refuses by both.

An account with `numbers.country` may write numbers as they are dialled inside that country. Such a
number is read as one of the country only if it is no valid international one: else its first digits
would be taken for another country's code, and the message sent there. What is valid both ways
stays international, and is counted. What begins with `+` or `00` is international, whatever it is.

What is so read is the routing key. The message keeps what the client wrote.
"""

from collections.abc import Mapping
from typing import Final

from router.check.places import Places
from router.check.policy import Candidate, Note
from router.terms.outcome import (
    COUNTRY_NOT_ALLOWED,
    FIXED_LINE,
    NO_SUCH_NUMBER,
    PREMIUM_NUMBER,
    UNKNOWN_LINE,
    Refusal,
)
from router.terms.place import LineKind, Place
from router.terms.settings import AccountSettings, UnwantedNumber

NUMBER: Final = "number"
"""The name of the check."""
_ABROAD: Final = (b"+", b"00")
"""What an international number begins with."""
_BETWEEN: Final = b" -()."
_REFUSALS: Final[Mapping[LineKind, tuple[UnwantedNumber, Refusal]]] = {
    "fixed": ("fixed", FIXED_LINE),
    "premium": ("premium", PREMIUM_NUMBER),
    "fixed_or_mobile": ("unknown_kind", UNKNOWN_LINE),
    "unknown": ("unknown_kind", UNKNOWN_LINE),
}


class NumberCheck:
    """The numbers that one account writes to."""

    __slots__ = ("_changed", "_counted", "_countries", "_inland", "_places", "_refused", "name")

    def __init__(self, account: AccountSettings, places: Places) -> None:
        self.name: Final = NUMBER
        country = account.numbers.country
        self._places: Final = places
        self._inland: Final = places.inland(country) if country else None
        self._changed: Final = Note(NUMBER, "changed", f"read as a national number of {country}")
        self._counted: Final = Note(
            NUMBER, "counted", f"would be a national number of {country}, too"
        )
        self._countries: Final = frozenset(account.countries)
        unwanted = account.numbers.refuse
        refused: dict[LineKind, Refusal] = {
            kind: refusal for kind, (word, refusal) in _REFUSALS.items() if word in unwanted
        }
        if "invalid" in unwanted:
            refused["unknown"] = NO_SUCH_NUMBER
        self._refused: Final = refused

    def judge(self, one: Candidate, now_utc: float) -> Refusal | None:
        """Read the number of a message and find its place; return why it is refused, if it is."""
        address = one.sm.destination_addr if self._inland is not None else b""
        one.number, one.place, refusal, note = self.find(one.number, address)
        if note is not None:
            one.notes.append(note)
        return refusal

    def find(self, number: str, address: bytes) -> tuple[str, Place, Refusal | None, Note | None]:
        """Return how a number is read, its place, why it is refused, and what is to be told.

        `address` is how the client wrote it.
        """
        place, note = self._places.of(number), None
        if self._inland is not None:
            inland = self._inland_of(number, address, place)
            if inland and place.is_valid:
                note = self._counted
            elif inland:
                number, place, note = inland, self._places.of(inland), self._changed
        refusal = self._refused.get(place.kind)
        if refusal is None and self._countries and place.country not in self._countries:
            refusal = COUNTRY_NOT_ALLOWED
        return number, place, refusal, note

    def read(self, number: str, address: bytes) -> str:
        """Return the routing key of an address as it is read for this account."""
        place = self._places.of(number)
        inland = self._inland_of(number, address, place)
        return inland if inland and not place.is_valid else number

    def _inland_of(self, number: str, address: bytes, place: Place) -> str:
        """Return another number that an address is, too, inside the country; else nothing."""
        inland = self._inland
        # With its code it is a number of the country both ways.
        if inland is None or (place.is_valid and number.startswith(inland.code.digits)):
            return ""
        found = inland.international(number)
        if not found or found == number or address.translate(None, _BETWEEN).startswith(_ABROAD):
            return ""
        return found
