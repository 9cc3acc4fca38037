"""The place of a number: one or two look-ups by its first digits and its length.

A place is kept for all numbers of one length that begin with the digits which decide, by the
numbering plan and by the files of networks; so it is what the library says of each of them. Six
digits decide about nearly all mobile numbers. Where they do not, what is kept under them is how
many do, and the place stands under that many.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from router.check.inland import InlandNumbers
from router.check.numbering import PLAN, SHORTEST_DIGITS, Code, place_by_library
from router.terms.place import NOWHERE, Place
from router.terms.prefix_lengths import Lengths, lengths_by_head

FIRST_DIGITS: Final = 6
"""Digits that are looked up first."""
MOST_HEADS: Final = 100_000
"""Some 20 MB of heads; twice that with those before."""
LONGEST_NUMBER: Final = 20
"""As long as a routing key can be."""
NONE: Final[Mapping[str, str]] = MappingProxyType({})


class Split:
    """The places of numbers that begin alike and are of several networks."""

    __slots__ = ("_lengths", "_networks", "_places", "_plain")

    def __init__(self, plain: Place, lengths: Lengths, networks: Mapping[str, str]) -> None:
        self._plain: Final = plain
        self._lengths: Final = lengths
        """Of prefixes that are longer than what the numbers have in common, longest first."""
        self._networks: Final = networks
        self._places: Final[dict[str, Place]] = {}
        """By network."""

    def of(self, number: str) -> Place:
        """Return the place of one of them."""
        for length in self._lengths:
            network = self._networks.get(number[:length])
            if network is not None:
                place = self._places.get(network)
                if place is None:
                    place = self._places[network] = self._plain._replace(network=network)
                return place
        return self._plain


Found = Place | Split | int
"""What is kept under a head: the place, or how many digits decide."""


class Places:
    """Places by routing key. It keeps what it has learnt; threads may share it."""

    __slots__ = (
        "_before",
        "_count",
        "_inland",
        "_lengths_under",
        "_most",
        "_now",
        "_same",
        "_short",
        "_splits",
        "networks",
        "zones",
    )

    def __init__(
        self,
        networks: Mapping[str, str] = NONE,
        zones: Mapping[str, str] = NONE,
        most: int = MOST_HEADS,
    ) -> None:
        """`networks` are MCCMNC by prefix; `zones` are time zones by country, over the plan's.

        `most` heads are kept of those that came last, and as many of those before.
        """
        self._most: Final = most
        self.networks: Final = networks
        self.zones: Final = zones
        self._lengths_under, self._short = lengths_by_head(networks, FIRST_DIGITS)
        self._same: Final[dict[Place, Place]] = {}
        """Each place once: there are few, and many heads have the same."""
        self._splits: Final[dict[tuple[Place, Lengths], Split]] = {}
        self._inland: Final[dict[str, InlandNumbers]] = {}
        # By length, then by head: a key of both would cost as much as the look-up.
        self._now = _no_heads()
        self._before = _no_heads()
        self._count = 0

    def inland(self, country: str) -> InlandNumbers:
        """Return the numbers inside a country, for all accounts that write such numbers."""
        return self._inland.setdefault(country, InlandNumbers(country))

    @property
    def heads(self) -> int:
        """Return how many are kept."""
        return sum(map(len, (*self._now, *self._before)))

    def of(self, number: str) -> Place:
        """Return the place of a number in E.164 digits."""
        try:
            heads = self._now[len(number)]
        except IndexError:  # No routing key is so long.
            return NOWHERE
        found = heads.get(number[:FIRST_DIGITS])
        if isinstance(found, Place):
            return found
        if isinstance(found, int):
            found = heads.get(number[:found])
            if isinstance(found, Place):
                return found
        if isinstance(found, Split):
            return found.of(number)
        return self._missed(number)

    def _missed(self, number: str) -> Place:
        """Return the place of a number with a new head, and keep it."""
        length = len(number)
        is_number = length >= SHORTEST_DIGITS and number.isascii() and number.isdigit()
        code = PLAN.code_of(number) if is_number else None
        if code is None:
            return NOWHERE
        before = self._before[length]
        head = number[:FIRST_DIGITS]
        found = before.get(head)
        if found is None:
            behind = len(code.digits)
            depth = behind + code.depth(head[behind:], length - behind)
            found = depth if depth > FIRST_DIGITS else self._asked(number, FIRST_DIGITS, code)
        self._keep(length, head, found)
        if isinstance(found, int):
            head = number[:found]
            deeper = before.get(head) or self._asked(number, found, code)
            self._keep(length, head, deeper)
            found = deeper
        if isinstance(found, Split):
            return found.of(number)
        assert isinstance(found, Place)
        return found

    def _asked(self, number: str, depth: int, code: Code) -> Place | Split:
        """Return what is so of all numbers that have this length and these first digits."""
        place = place_by_library(number, code)
        zone = self.zones.get(place.country)
        if zone is not None:
            place = place._replace(zone=zone)
        deeper: list[int] = []
        for length in self._lengths_under.get(number[:FIRST_DIGITS], self._short):
            if length > depth:
                deeper.append(length)
                continue
            network = self.networks.get(number[:length])
            if network is not None:
                place = place._replace(network=network)
                break
        place = self._same.setdefault(place, place)
        if not deeper:
            return place
        lengths = tuple(deeper)
        return self._splits.setdefault((place, lengths), Split(place, lengths, self.networks))

    def _keep(self, length: int, head: str, found: Found) -> None:
        self._now[length][head] = found
        self._count += 1
        if self._count > self._most:
            self._before, self._now, self._count = self._now, _no_heads(), 0


def _no_heads() -> tuple[dict[str, Found], ...]:
    return tuple({} for _ in range(LONGEST_NUMBER + 1))
