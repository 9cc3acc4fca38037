"""How the octets of one input become the choices that a target needs, in the order they stand."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Octets:
    """An input, read from its beginning; behind its end stand zeros."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0

    @property
    def is_over(self) -> bool:
        """Whether all of it is read."""
        return self._at >= len(self._octets)

    def number(self) -> int:
        """Read one octet."""
        at = self._at
        self._at = at + 1
        return self._octets[at] if at < len(self._octets) else 0

    def one_of(self, choices: Sequence[T]) -> T:
        """Read an octet that chooses."""
        return choices[self.number() % len(choices)]

    def some(self, most: int = 255) -> bytes:
        """Read a length, and so many octets; perhaps fewer, at the end."""
        return self.next(min(self.number(), most))

    def next(self, length: int) -> bytes:
        """Read so many octets; perhaps fewer, at the end."""
        at = self._at
        self._at = at + length
        return self._octets[at : at + length]

    def rest(self) -> bytes:
        """Read all that is left."""
        return self.next(len(self._octets))


def in_pieces(octets: bytes, sizes: Sequence[int]) -> list[bytes]:
    """Cut a stream into pieces of these sizes in turn, none empty."""
    pieces: list[bytes] = []
    at = 0
    while at < len(octets):
        size = max(1, sizes[len(pieces) % len(sizes)])
        pieces.append(octets[at : at + size])
        at += size
    return pieces
