"""What the numbering plans of libphonenumber say of a number, and how many of its digits say it.

The library takes 20 us for a number, as long as a third of a message's way. So whoever asks keeps
the answer for all numbers that have the deciding digits and the length alike; which digits decide
is worked out from the patterns of the plan (`pattern.py`), and not tried.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    REGION_CODE_FOR_NON_GEO_ENTITY,
    NumberParseException,
    PhoneMetadata,
    PhoneNumberType,
    is_valid_number,
    national_significant_number,
    number_type,
    parse,
    region_code_for_number,
)
from phonenumbers.timezone import UNKNOWN_TIMEZONE, time_zones_for_number
from phonenumbers.tzdata import TIMEZONE_DATA

from router.check.pattern import Named, PatternError, Row, fits, rows_of
from router.check.zones import ZONES
from router.terms.names import NO_COUNTRY
from router.terms.place import NOWHERE, LineKind, Place

_CODE_OF: Final = {
    country: str(code)
    for code, countries in COUNTRY_CODE_TO_REGION_CODE.items()
    for country in countries
    if country != REGION_CODE_FOR_NON_GEO_ENTITY
}
_CODES: Final = frozenset(map(str, COUNTRY_CODE_TO_REGION_CODE))
COUNTRIES: Final = frozenset(_CODE_OF)
"""All that have numbers, by ISO 3166; and XK, AC and TA, which have theirs by custom."""
SHORTEST_DIGITS: Final = 7
"""Shorter are short codes; the shortest numbers (Niue, Saint Helena) have 7 with their code."""
LONGEST_CODE: Final = 3
_KINDS: Final[Mapping[int, LineKind]] = {
    PhoneNumberType.MOBILE: "mobile",
    PhoneNumberType.FIXED_LINE: "fixed",
    PhoneNumberType.FIXED_LINE_OR_MOBILE: "fixed_or_mobile",
    PhoneNumberType.PREMIUM_RATE: "premium",
    PhoneNumberType.UNKNOWN: "unknown",
}
_PATTERNS: Final = (
    *("general_desc", "fixed_line", "mobile", "premium_rate", "toll_free", "shared_cost", "voip"),
    *("personal_number", "pager", "uan", "voicemail"),
)
"""What the library asks of a number to tell its kind."""
_START_DIGITS: Final = 2
"""Rows are kept by so many first digits: a country has up to 1,500."""


class Code:
    """One country code: the countries that have it, and how many digits decide behind it."""

    __slots__ = ("_by_start", "_is_read", "_trunks", "countries", "digits", "rows")

    def __init__(self, code: int) -> None:
        self.digits: Final = str(code)
        self.countries: Final = COUNTRY_CODE_TO_REGION_CODE[code]
        self._is_read = True
        self._trunks: Final[dict[str, _Trunk]] = {}
        """What is dialled before national numbers, by country."""
        rows: set[Named] = set()
        try:
            for country in self.countries:
                rows.update(self._rows(code, country))
        except PatternError:
            self._is_read = False
        if any(country not in ZONES for country in self.countries):
            rows.update(self._rows_of_zones())
        self.rows: Final = sorted(rows)
        self._by_start: Final[dict[tuple[str, int], list[Row]]] = {}

    def _rows(self, code: int, country: str) -> Iterator[Named]:
        plan = PhoneMetadata.metadata_for_region_or_calling_code(code, country)
        if plan is None:
            return
        for kind in _PATTERNS:
            about = getattr(plan, kind)
            if about is not None and about.national_number_pattern:
                yield from rows_of(about.national_number_pattern)
        for row in rows_of(plan.leading_digits or ""):
            yield Named(0, row.wants)  # Whatever follows.
        self._trunks[country] = _Trunk(plan)

    def _rows_of_zones(self) -> Iterator[Named]:
        for prefix in TIMEZONE_DATA:
            if prefix.startswith(self.digits):
                yield Named(0, tuple(1 << int(digit) for digit in prefix[len(self.digits) :]))

    def depth(self, head: str, length: int) -> int:
        """Return how many digits decide, of numbers behind the code that begin so.

        All of this length; of `head` as many are given as are looked at first.
        """
        return self._depth_with_trunk(head, length, self.countries[0])

    def depth_inside(self, head: str, length: int, country: str) -> int:
        """Return the same of numbers as they are dialled inside a country."""
        trunk = self._trunks.get(country)
        if trunk is None or head.startswith(self.digits) or trunk.may_lead_abroad(head):
            return length
        return self._depth_with_trunk(head, length, country)

    def _depth_with_trunk(self, head: str, length: int, country: str) -> int:
        trunk = self._trunks.get(country)
        if trunk is None or not self._is_read:
            return length
        found = self._deepest(head, length)
        for row in trunk.rows:
            # The library leaves a trunk prefix out, even behind the country code.
            if row.digits <= length and fits(row.wants, head):
                if trunk.is_rewritten:
                    return length
                behind = self._deepest(head[row.digits :], length - row.digits)
                found = max(found, len(row.wants), row.digits + behind)
        return min(found, length)

    def _deepest(self, head: str, length: int) -> int:
        """Return how many digits are looked at by the rows that numbers may have which begin so."""
        for wants in self._rows_for(head[:_START_DIGITS], length):
            if fits(wants, head):
                return len(wants)
        return 0

    def _rows_for(self, start: str, length: int) -> Sequence[Row]:
        """Return what the rows want that may begin so: those first that want most digits."""
        found = self._by_start.get((start, length))
        if found is None:
            fitting = [
                row.wants
                for row in self.rows
                if row.digits in (0, length) and fits(row.wants, start)
            ]
            found = self._by_start[start, length] = sorted(set(fitting), key=lambda row: -len(row))
        return found


class _Trunk:
    """What is dialled before the numbers of a country inside it, and to leave it."""

    __slots__ = ("_abroad", "is_rewritten", "rows")

    def __init__(self, plan: PhoneMetadata) -> None:
        prefix, abroad = plan.national_prefix_for_parsing, plan.international_prefix
        self.rows: Final = [row for row in rows_of(prefix or "") if row.digits]
        self.is_rewritten: Final = plan.national_prefix_transform_rule is not None
        """Whether more is changed of a number than that they are left out."""
        self._abroad: Final = [row for row in rows_of(abroad or "") if row.digits]

    def may_lead_abroad(self, head: str) -> bool:
        """Whether a number that begins so may be one with the prefix for other countries."""
        return any(fits(row.wants, head) for row in self._abroad)


class NumberingPlan:
    """The plans of all country codes, each read when its first number comes."""

    __slots__ = ("_codes",)

    def __init__(self) -> None:
        self._codes: Final[dict[str, Code]] = {}

    def read_all(self) -> None:
        """Read all plans, which takes a quarter of a second: before any message waits."""
        for code in _CODES:
            self.code_of(code)

    def code_of(self, number: str) -> Code | None:
        """Return the country code that a number begins with; None if it has none."""
        for length in range(1, LONGEST_CODE + 1):
            digits = number[:length]
            code = self._codes.get(digits)
            if code is None and digits in _CODES:
                code = self._codes[digits] = Code(int(digits))
            if code is not None:
                return code
        return None

    def code_of_country(self, country: str) -> Code:
        """Return the code that a country's numbers begin with."""
        code = self.code_of(_CODE_OF[country])
        assert code is not None
        return code


PLAN: Final = NumberingPlan()
"""The one of the process: what it has read never changes."""


def place_by_library(number: str, code: Code) -> Place:
    """Return what the library says of a number; its network is in no plan.

    A number that no plan has is of the main country of its code.
    """
    if len(number) < SHORTEST_DIGITS:
        return NOWHERE
    try:
        found = parse(f"+{number}")
    except NumberParseException:  # Too short or too long for any.
        country = code.countries[0]
        zone = ZONES.get(country, "")
        return Place(_named(country), "", "unknown", is_valid=False, zone=zone)
    country = region_code_for_number(found) or code.countries[0]
    kind = _KINDS.get(number_type(found), "other")
    is_valid = kind != "unknown"
    zone = ZONES.get(country, "")
    if not zone and is_valid:
        zone = _only(time_zones_for_number(found))
    return Place(_named(country), "", kind, is_valid=is_valid, zone=zone)


def inside_country(number: str, country: str) -> str:
    """Return digits as they are dialled inside a country with its code; empty if they are none.

    That is, if they are no valid number there.
    """
    try:
        found = parse(number, country)
    except NumberParseException:
        return ""
    code = _CODE_OF[country]
    if str(found.country_code) != code or not is_valid_number(found):
        return ""
    return f"{code}{national_significant_number(found)}"


def _named(country: str) -> str:
    return NO_COUNTRY if country == REGION_CODE_FOR_NON_GEO_ENTITY else country


def _only(zones: Iterable[str]) -> str:
    """Return the zone if there is but one; else nobody knows which."""
    first, *others = zones
    return "" if others or first == UNKNOWN_TIMEZONE else first
