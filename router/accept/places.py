"""How many connections there may be that have not bound, of all addresses and of each one.

An address may have no more of them than there are places left: one alone takes half of all places,
a second one half of what is left, and so on, so that a newcomer always finds one. An address that
has its share gets no further place, but its connection that is there longest makes room for the new
one: a client needs its place for one round trip, and somebody who shares its address and holds
places for as long as they last does not keep it out. Once a dozen addresses have taken all places,
a newcomer that an account allows has that of the oldest connection of the address with the most.

Addresses that no account allows have few places in all, whoever they are.
"""

from collections.abc import Callable
from typing import Final, Protocol

from router.terms.oldest_first import OldestFirst

MOST_UNBOUND: Final = 2000
"""Connections that have not bound, at most; each lives for `bind_timeout`. Further connections are
closed at once."""
MOST_STRANGERS: Final = 200
"""Unbound connections above which a connection from an address that no account allows is closed at
once. The places up to MOST_UNBOUND are kept for clients, however many strangers connect."""


class Waiting(Protocol):
    """A connection that has not bound."""

    def give_way(self) -> None:
        """Close: another one needs the place. It is free already."""


class _Address:
    """The connections of one address."""

    __slots__ = ("bound", "unbound")

    def __init__(self) -> None:
        self.unbound: Final[OldestFirst[Waiting, None]] = OldestFirst()
        self.bound = 0


class Places:
    """The connections of all addresses."""

    __slots__ = ("_by_count", "_of", "most", "most_unbound", "unbound")

    def __init__(self, most_unbound: int, most: int | None) -> None:
        self.most_unbound = most_unbound
        """Connections of one address that have not bound, at most."""
        self.most = most
        """Connections of one address, bound or not, at most; None: without a limit."""
        self.unbound = 0
        """Connections that have not bound, of all addresses."""
        self._of: Final[dict[str, _Address]] = {}
        self._by_count: Final[dict[int, OldestFirst[str, None]]] = {}
        """The addresses that have so many unbound connections. The numbers are few: sixty different
        ones have MOST_UNBOUND connections together."""

    def take(self, host: str, who: Waiting, is_allowed: Callable[[], bool]) -> bool:
        """Give a new connection a place; return False if there is none for it.

        `is_allowed` tells whether any account may bind from there; it is asked where that matters.
        """
        of = self._of.get(host)
        own = 0 if of is None else len(of.unbound)
        most = MOST_STRANGERS
        if own >= most - self.unbound and is_allowed():
            most = MOST_UNBOUND
        is_over = of is not None and self.most is not None and own + of.bound >= self.most
        gives: str | None = None
        if is_over or own >= min(self.most_unbound, most - self.unbound):
            if own:
                gives = host
            elif is_over or most < MOST_UNBOUND:
                return False
            else:
                first = self._by_count[max(self._by_count)].oldest()
                gives = None if first is None else first[0]
        oldest = None if gives is None else self._oldest_of(gives)
        if of is None or host not in self._of:
            of = self._of[host] = _Address()
        of.unbound.put(who, None)  # Before the other one hears of it, and leaves.
        self._counted(host, len(of.unbound) - 1, len(of.unbound))
        self.unbound += 1
        if oldest is not None:
            oldest.give_way()
        return True

    def _oldest_of(self, host: str) -> Waiting:
        """Take the place of the oldest connection of an address."""
        of = self._of[host]
        first = of.unbound.oldest()
        assert first is not None  # Who has none is not asked to give way.
        oldest, _ = first
        self._free(host, of, oldest)
        self._forget(host, of)
        return oldest

    def hand_over(self, host: str, before: Waiting, after: Waiting) -> bool:
        """Give the place of one to another; return False if it has none any more."""
        of = self._of.get(host)
        if of is None or before not in of.unbound:
            return False
        of.unbound.pop(before)
        of.unbound.put(after, None)
        return True

    def leave(self, host: str, who: Waiting) -> None:
        """Free the place of a connection that has not bound, if it still has one."""
        of = self._of.get(host)
        if of is not None and who in of.unbound:
            self._free(host, of, who)
            self._forget(host, of)

    def bound(self, host: str, who: Waiting) -> None:
        """Note that a connection has bound: it needs no place any more."""
        self._of.setdefault(host, _Address()).bound += 1
        self.leave(host, who)

    def unbind(self, host: str) -> None:
        """Note that a connection that had bound is over."""
        of = self._of[host]
        of.bound -= 1
        self._forget(host, of)

    def _free(self, host: str, of: _Address, who: Waiting) -> None:
        of.unbound.pop(who)
        self._counted(host, len(of.unbound) + 1, len(of.unbound))
        self.unbound -= 1

    def _counted(self, host: str, before: int, now: int) -> None:
        """Note that the unbound connections of an address are more, or fewer, than before."""
        if before:
            hosts = self._by_count[before]
            hosts.pop(host)
            if not hosts:
                del self._by_count[before]
        if now:
            self._by_count.setdefault(now, OldestFirst()).put(host, None)

    def _forget(self, host: str, of: _Address) -> None:
        if not of.unbound and not of.bound:
            del self._of[host]
