"""First in, first out, by key: to find the oldest entry costs the same, whatever was deleted.

A plain dict keeps the order too, but its oldest entry is found by walking over all that were
deleted in front of it; a queue that loses its oldest again and again pays for each of them again
and again. An OrderedDict is linked and does not walk, at the price of dearer writes.
"""

from collections import OrderedDict
from typing import Final, Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class OldestFirst(Generic[Key, Value]):
    """Entries by key, in the order of their last `put`."""

    __slots__ = ("_most", "by_key")

    def __init__(self, most: int | None = None) -> None:
        """With `most`, keep that many: `put` forgets the entry that was put longest ago."""
        self._most: Final = most
        self.by_key: Final[OrderedDict[Key, Value]] = OrderedDict()
        """The entries, oldest first, for code that runs for every message: a method of ours costs
        as much again as what it does. An assignment to a key that is there keeps its place, and
        none looks at `most`."""

    def __len__(self) -> int:
        return len(self.by_key)

    def __contains__(self, key: Key) -> bool:
        return key in self.by_key

    def get(self, key: Key) -> Value | None:
        """Return the value of this key; None without one."""
        return self.by_key.get(key)

    def put(self, key: Key, value: Value) -> None:
        """Set the value of this key, as the newest entry."""
        by_key = self.by_key
        by_key[key] = value
        by_key.move_to_end(key)
        if self._most is not None and len(by_key) > self._most:
            by_key.popitem(last=False)

    def pop(self, key: Key) -> Value | None:
        """Remove this key; return its value, None without one."""
        return self.by_key.pop(key, None)

    def clear(self) -> None:
        """Remove all."""
        self.by_key.clear()

    def oldest(self) -> tuple[Key, Value] | None:
        """Return the entry that was put longest ago; None where there is none."""
        return next(iter(self.by_key.items()), None)

    def take_oldest(self) -> tuple[Key, Value]:
        """Remove and return the entry that was put longest ago; KeyError where there is none."""
        return self.by_key.popitem(last=False)
