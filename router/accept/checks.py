"""The line in which password checks wait for a thread, where a hash has to be computed.

1. A few checks are under way at once, and one at most for each system_id and for each address: who
   guesses the passwords of one account takes no threads from the clients of others.
2. Addresses take turns, and the checks of one address are begun oldest first, past those whose
   system_id has one under way: a client waits for one check of each other address, not for all.
3. The line is bounded, for each address and in all. Whoever finds it full is refused.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from router.terms.oldest_first import OldestFirst

AT_ONCE: Final = 2
"""Checks under way. Each keeps one core busy for tens of milliseconds."""
MOST_OF_ADDRESS: Final = 100
"""Checks of one address that wait: ten accounts with ten binds each that all come back at once. Of
those with the same password only the first is computed."""
MOST_WAITING: Final = 1000
"""Checks that wait, of all addresses: with two threads, half a minute of work."""


class Check:
    """One password that is to be compared with a hash."""

    __slots__ = ("begin", "host", "system_id")

    def __init__(self, system_id: str, host: str, begin: Callable[[], None]) -> None:
        """`begin` is called when it is the turn of the check."""
        self.system_id = system_id
        self.host = host
        self.begin = begin


class Checks:
    """The line, and what is under way."""

    __slots__ = ("_lines", "_under_way", "_waiting")

    def __init__(self) -> None:
        self._lines: Final[OldestFirst[str, deque[Check]]] = OldestFirst()
        """Checks that wait, by address; the address whose turn was longest ago comes first."""
        self._waiting = 0
        self._under_way: list[Check] = []

    def __len__(self) -> int:
        return self._waiting

    def join(self, check: Check) -> bool:
        """Put a check at the end of the line; return False if there is no room for it."""
        line = self._lines.get(check.host)
        if self._waiting >= MOST_WAITING or (line and len(line) >= MOST_OF_ADDRESS):
            return False
        if line is None:
            self._lines.put(check.host, deque((check,)))
        else:
            line.append(check)
        self._waiting += 1
        return True

    def leave(self, check: Check) -> None:
        """Forget a check that waits; one that is under way goes on."""
        line = self._lines.get(check.host)
        if line and check in line:
            self._take(check, line)

    def over(self, check: Check) -> None:
        """Note that a check which was begun has ended: now it is the turn of other addresses."""
        self._under_way.remove(check)
        line = self._lines.get(check.host)
        if line:
            self._lines.put(check.host, line)

    def begin_due(self) -> None:
        """Begin every check that may be under way now."""
        while (check := self._next()) is not None:
            self._under_way.append(check)
            check.begin()

    def _next(self) -> Check | None:
        """Take the check whose turn it is out of the line."""
        if len(self._under_way) >= AT_ONCE:
            return None
        hosts = [one.host for one in self._under_way]
        names = [one.system_id for one in self._under_way]
        for host, line in self._lines.by_key.items():
            if host not in hosts:
                for check in line:
                    if check.system_id not in names:
                        self._take(check, line)
                        return check
        return None

    def _take(self, check: Check, line: deque[Check]) -> None:
        line.remove(check)
        self._waiting -= 1
        if not line:
            self._lines.pop(check.host)
