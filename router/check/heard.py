"""Parts of long messages that have come a moment ago, so that a text is read over their borders.

The parts of a long message come as messages of their own, perhaps out of order and over several
binds. Of each the text is kept, or its begin and its end where it is long, for a minute after the
latest one, or until all have come. A new part is read together with its neighbours, as far as they
are known. What touches a border behind which nothing is known yet is left open, and is decided when
the neighbour comes.

A reference is used again. A part number that has come already begins a new message, unless its text
is that of the part that came: then a client sends it again.

Once a part was refused for what the text says, further parts of that message are refused too.
"""

from typing import Final
from zlib import crc32

from router.smpp.segments import Part
from router.terms.names import AccountName
from router.terms.oldest_first import OldestFirst

KEPT: Final = 160
"""Characters of either end of a part: all of a part of a usual text."""
LIVES_S: Final = 60.0
"""How long after its latest part a message is remembered, as in `decide/segments.py`."""
MOST_PARTS: Final = 50_000
"""Parts of all accounts that are remembered, some 30 MB: those of a minute at 800/s that lack
others. Of more the message whose latest part is oldest is forgotten."""

Key = tuple[AccountName, bytes, bytes, int, int]
"""The account, the addresses, reference and total."""


class _Text:
    """The text of a part, as far as it is kept."""

    __slots__ = ("begin", "checksum", "end")

    def __init__(self, text: str, checksum: int) -> None:
        self.checksum: Final = checksum
        self.begin: Final = text[:KEPT]
        self.end: Final = text[-KEPT:] if len(text) > KEPT else self.begin

    @property
    def is_whole(self) -> bool:
        """Whether the text is no longer than what is kept of either end."""
        return self.begin is self.end


class Heard:
    """A long message of which parts have come."""

    __slots__ = ("caught_by", "texts", "touched_utc")

    def __init__(self) -> None:
        self.texts: Final[dict[int, _Text]] = {}
        self.caught_by = ""
        """The screen that refused a part; empty if none has."""
        self.touched_utc = 0.0

    def before(self, number: int) -> tuple[str, bool]:
        """Return the end of what stands before a part, and whether more may stand before that."""
        text, at = "", number - 1
        while at and len(text) < KEPT:
            one = self.texts.get(at)
            if one is None:
                return text, True
            text = one.end + text
            if not one.is_whole:
                return text, True
            at -= 1
        return text, at > 0

    def behind(self, number: int, total: int) -> tuple[str, bool]:
        """Return the begin of what stands behind a part, and whether more may stand behind that."""
        text, at = "", number + 1
        while at <= total and len(text) < KEPT:
            one = self.texts.get(at)
            if one is None:
                return text, True
            text += one.begin
            if not one.is_whole:
                return text, True
            at += 1
        return text, at <= total


class HeardParts:
    """The long messages of all accounts of which parts have come; it outlives a reload."""

    __slots__ = ("_by_key", "_most", "_parts")

    def __init__(self, most_parts: int = MOST_PARTS) -> None:
        self._by_key: Final[OldestFirst[Key, Heard]] = OldestFirst()
        self._most: Final = most_parts
        self._parts = 0

    def __len__(self) -> int:
        return self._parts

    def of(self, key: Key, part: Part, text: str, now_utc: float) -> Heard:
        """Return the message that a part belongs to; a new one if none is known."""
        heard = self._by_key.get(key)
        if heard is None or not abs(now_utc - heard.touched_utc) <= LIVES_S:
            return Heard()
        came = heard.texts.get(part.number)
        return heard if came is None or came.checksum == _checksum(text) else Heard()

    def keep(self, key: Key, part: Part, text: str, heard: Heard, now_utc: float) -> None:
        """Remember a part of this message, and forget what is too old or too much."""
        by_key = self._by_key
        before = by_key.get(key)
        if before is not None and before is not heard:
            self._parts -= len(before.texts)
        self._parts -= len(heard.texts) if before is heard else 0
        heard.texts[part.number] = _Text(text, _checksum(text))
        heard.touched_utc = now_utc
        if len(heard.texts) == part.total and not heard.caught_by:
            by_key.pop(key)
        else:
            by_key.put(key, heard)
            self._parts += len(heard.texts)
        # For each that comes two may go, so old ones go faster than new ones come.
        for _ in range(2):
            oldest = by_key.oldest()
            if oldest is None or not (
                self._parts > self._most or abs(now_utc - oldest[1].touched_utc) > LIVES_S
            ):
                break
            self._parts -= len(by_key.take_oldest()[1].texts)


def _checksum(text: str) -> int:
    return crc32(text.encode("utf-16-be", "surrogatepass"))
