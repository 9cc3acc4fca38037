"""The country of a number, by the numbering plan of libphonenumber: two dictionary look-ups.

The library takes 10 us for a number, as long as a fifth of a message's way. So it is asked once for
a head of digits and a length, and what it said is kept. Most country codes are one country's, and
the head is the code. Of the others, such as 1, five digits more decide (of all numbers that
tests/unit/check/test_country.py draws); where the library knows no number with such a head, the
code's main country counts.

A number that was written without its country code is taken for one of another country, as it is
when it is routed.
"""

from typing import Final

from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    REGION_CODE_FOR_NON_GEO_ENTITY,
    NumberParseException,
    parse,
    region_code_for_number,
)

from router.check.number import routing_key
from router.terms.latest import Latest
from router.terms.names import NO_COUNTRY

SHORTEST_DIGITS: Final = 7
"""Shorter are short codes; the shortest numbers (Niue, Saint Helena) have 7 with their code."""
DECIDING_DIGITS: Final = 5
"""So many behind a code that several countries share say whose the number is."""
MOST_HEADS: Final = 50_000
"""Heads that are kept, at most twice as many for a while: some 20 MB. +1 has most, some 40,000."""
_LONGEST_CODE: Final = 3
COUNTRIES: Final = frozenset(
    country
    for countries in COUNTRY_CODE_TO_REGION_CODE.values()
    for country in countries
    if country != REGION_CODE_FOR_NON_GEO_ENTITY
)
"""All countries that have a numbering plan, by their code (ISO 3166)."""


def _codes() -> tuple[dict[bytes, str], dict[bytes, int]]:
    """Return countries by the first three digits, and lengths of codes that several share."""
    alone: dict[bytes, str] = {}
    shared: dict[bytes, int] = {}
    for code, countries in COUNTRY_CODE_TO_REGION_CODE.items():
        digits = str(code)
        free = _LONGEST_CODE - len(digits)
        for number in range(10**free):
            first = (digits + str(number).zfill(free) if free else digits).encode()
            if len(countries) > 1:
                shared[first] = len(digits)
            else:
                is_none = countries[0] == REGION_CODE_FOR_NON_GEO_ENTITY
                alone[first] = NO_COUNTRY if is_none else countries[0]
    return alone, shared


_ALONE, _SHARED = _codes()


class Countries:
    """Countries by number. One for the process: it keeps what it has learnt."""

    __slots__ = ("_alone", "_heads", "_shared")

    def __init__(self) -> None:
        self._alone: Final = _ALONE
        self._shared: Final = _SHARED
        self._heads: Final[Latest[tuple[bytes, int], str]] = Latest(MOST_HEADS)
        # What the library reads and compiles at first takes some milliseconds for a code: not when
        # a message waits. It knows no such numbers, so that it looks at all countries of the code.
        for code, countries in COUNTRY_CODE_TO_REGION_CODE.items():
            if len(countries) > 1:
                self._asked(b"%d00000000" % code, len(str(code)))

    def of(self, address_octets: bytes) -> str:
        """Return the country (ISO 3166) of an address (TON, NPI, number, NUL), or NO_COUNTRY."""
        country = self._alone.get(address_octets[2:5])
        if country is not None and len(address_octets) >= SHORTEST_DIGITS + 3:
            return country
        return self._by_head(address_octets[2:-1])

    def _by_head(self, digits: bytes) -> str:
        if digits.startswith(b"+"):  # As many write it: no need to look for more.
            digits = digits[1:]
        if not digits.isdigit() or digits.startswith(b"00"):
            key = routing_key(digits)
            if key is None:
                return NO_COUNTRY
            digits = key.encode()
        length = len(digits)
        if length < SHORTEST_DIGITS:
            return NO_COUNTRY
        first = digits[:_LONGEST_CODE]
        code_digits = self._shared.get(first)
        if code_digits is None:
            return self._alone.get(first, NO_COUNTRY)
        head = digits[: code_digits + DECIDING_DIGITS], length
        country = self._heads.get(head)
        if country is None:
            country = self._asked(digits, code_digits)
            self._heads.put(head, country)
        return country

    def _asked(self, digits: bytes, code_digits: int) -> str:
        """Return what the library says; of a number that it does not know, the main country."""
        try:
            country = region_code_for_number(parse(f"+{digits.decode()}"))
        except NumberParseException:  # Too short or too long for any.
            country = None
        return country or COUNTRY_CODE_TO_REGION_CODE[int(digits[:code_digits])][0]
