"""The latest of many entries, where each costs no more than its place in a dictionary."""

from typing import Final, Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Latest(Generic[Key, Value]):
    """At least the `most` entries that were put last, and at most twice as many and one.

    They are forgotten by the thousand: to forget the oldest entry at each `put`, as `OldestFirst`
    does, costs as much again as the entry, and is needed only where the number has to be exact.
    """

    __slots__ = ("_before", "_most", "_now")

    def __init__(self, most: int) -> None:
        self._most: Final = most
        self._now: dict[Key, Value] = {}
        self._before: dict[Key, Value] = {}

    def put(self, key: Key, value: Value) -> None:
        """Set the value of this key, as the newest entry."""
        now = self._now
        now[key] = value
        if len(now) > self._most:
            # One that remembers nothing remembers not even this one.
            self._before, self._now = now if self._most else {}, {}

    def get(self, key: Key) -> Value | None:
        """Return the value of this key; None without one."""
        value = self._now.get(key)
        return self._before.get(key) if value is None else value

    def __contains__(self, key: Key) -> bool:
        return key in self._now or key in self._before
