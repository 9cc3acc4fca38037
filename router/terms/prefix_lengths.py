"""Which lengths of prefix are worth a look for a word: those that there are under its beginning.

A word is looked up once for each of them, longest first, so 100,000 prefixes take no more steps
than ten. In a large table each of those steps is a walk to memory of its own.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import AnyStr, Final, cast

HEAD_DIGITS: Final = 5
"""Digits of the country and the first ones of the network; few prefixes are shorter."""

Lengths = tuple[int, ...]


def lengths_by_head(
    prefixes: Collection[AnyStr], head: int
) -> tuple[Mapping[AnyStr, Lengths], Lengths]:
    """Return the lengths of prefix by the first `head` characters, longest first; and the others'.

    Under a head that is not there only prefixes may fit that are shorter than a head.
    """
    lengths: list[int] = sorted({len(prefix) for prefix in prefixes}, reverse=True)
    short: Lengths = tuple(length for length in lengths if length < head)
    short_bits = sum(1 << length for length in short)
    sets: dict[AnyStr, int] = {}
    """The lengths under each head, as bits."""
    for prefix in prefixes:
        if len(prefix) >= head:
            # Where it compiles, mypy does not see that a part of a word is of its type.
            begin = cast(AnyStr, prefix[:head])  # type: ignore[redundant-cast, unused-ignore]
            sets[begin] = sets.get(begin, short_bits) | 1 << len(prefix)
    return _lengths_of(sets, lengths), short


def _lengths_of(sets: Mapping[AnyStr, int], lengths: Sequence[int]) -> Mapping[AnyStr, Lengths]:
    """Return the lengths for each set of bits; equal ones are one object."""
    same = {bits: tuple(one for one in lengths if bits >> one & 1) for bits in set(sets.values())}
    return {begin: same[bits] for begin, bits in sets.items()}
