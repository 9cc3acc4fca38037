"""Numbers as they are dialled inside a country, without its code."""

from typing import Final

from router.check.numbering import PLAN, SHORTEST_DIGITS, inside_country
from router.terms.latest import Latest

FIRST_DIGITS: Final = 4
"""Digits that are looked up first: fewer than of a place, because the country code is missing."""
MOST_HEADS: Final = 50_000
"""Heads of one country that are kept; at most twice as many."""


class InlandNumbers:
    """Numbers as they are dialled inside one country. It keeps what it has learnt."""

    __slots__ = ("_country", "_heads", "code")

    def __init__(self, country: str) -> None:
        self._country: Final = country
        self.code: Final = PLAN.code_of_country(country)
        self._heads: Final[Latest[tuple[str, int], str | int]] = Latest(MOST_HEADS)
        """By first digits and length: what they are with the country code, empty if the number is
        none inside the country; or how many digits decide."""

    def international(self, number: str) -> str:
        """Return the number with its country code; empty if it is none inside the country."""
        length = len(number)
        depth = FIRST_DIGITS
        found = self._heads.get((number[:depth], length))
        if isinstance(found, int):
            depth = found
            found = self._heads.get((number[:depth], length))
        if found == "":
            return ""
        if isinstance(found, str):
            return f"{found}{number[depth:]}"
        return self._missed(number)

    def _missed(self, number: str) -> str:
        """Return what a number with a new head is, and keep it."""
        length = len(number)
        if length < SHORTEST_DIGITS:
            return ""
        depth = self.code.depth_inside(number[:FIRST_DIGITS], length, self._country)
        if depth > FIRST_DIGITS:
            self._heads.put((number[:FIRST_DIGITS], length), depth)
        else:
            depth = FIRST_DIGITS
        found, rest = inside_country(number, self._country), number[depth:]
        if found.endswith(rest) or not found:  # Else nothing is known of others; never seen.
            self._heads.put((number[:depth], length), found[: len(found) - len(rest)])
        return found
