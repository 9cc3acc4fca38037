"""Room: how much of each account waits, and how much may (`queue`, `queue_size`).

Counted only here. A place is taken before a message is written to the journal, and given back when
an operator has taken the message, when the message is settled, or when it is not accepted after
all. With the place go the octets of the message (`Message.size`): as many are given back as were
taken.
"""

from collections.abc import Mapping
from typing import Final

from router.terms.names import AccountName
from router.terms.settings import AccountSettings


class Room:
    """The places and octets of one account, taken and allowed."""

    __slots__ = ("count", "most", "most_octets", "octets")

    def __init__(self) -> None:
        self.count = 0
        self.octets = 0
        self.most = 0
        self.most_octets = 0


class Rooms:
    """The rooms of all accounts."""

    __slots__ = ("_rooms", "refused")

    def __init__(self, accounts: Mapping[AccountName, AccountSettings]) -> None:
        self._rooms: Final[dict[AccountName, Room]] = {}
        self.refused: Final[dict[AccountName, int]] = {}
        """Messages that were refused because there was no room, since somebody has cleared this."""
        self.adopt(accounts)

    def adopt(self, accounts: Mapping[AccountName, AccountSettings]) -> None:
        """Follow a new configuration; no place that is taken is lost or given twice.

        An account with more messages than its new limit keeps them, and gets no more places until
        there are fewer. The room of an account that is gone stays: its last binds may still submit.
        """
        for name, one in accounts.items():
            room = self._of(name)
            room.most = one.queue
            room.most_octets = one.queue_size_bytes

    def rename(self, was: AccountName, now: AccountName) -> None:
        """Let what an account has taken be taken by it under another name."""
        room, before = self._rooms.pop(was), self._rooms.get(now)
        if before is not None:  # Of one that is gone; the journal may still count its octets.
            room.count += before.count
            room.octets += before.octets
        self._rooms[now] = room
        refused = self.refused.pop(was, 0)
        if refused:
            self.refused[now] = self.refused.get(now, 0) + refused

    def take(self, account: AccountName, octets: int) -> bool:
        """Take a place for a message of so many octets; return False if there is no room.

        The last message may be larger than the octets that are left: else a large one might never
        find enough of them, because smaller ones always come first.
        """
        room = self._rooms[account]
        if room.count >= room.most or room.octets >= room.most_octets:
            return False
        room.count += 1
        room.octets += octets
        return True

    def give(self, account: AccountName, octets: int) -> None:
        """Give back a place and its octets: a message of this account waits no longer."""
        room = self._rooms[account]
        room.count -= 1
        room.octets -= octets

    def refuse(self, account: AccountName) -> None:
        """Note that a message was refused because there is no room for it."""
        self.refused[account] = self.refused.get(account, 0) + 1

    def is_full_of_octets(self, account: AccountName) -> bool:
        """Whether it is not messages that fill the room of an account that is full, but octets."""
        room = self._rooms[account]
        return room.count < room.most

    def restore(self, account: AccountName, count: int, octets: int) -> None:
        """Take the room of messages that an earlier process left, even beyond the limits."""
        room = self._of(account)
        room.count += count
        room.octets += octets

    def taken(self, account: AccountName) -> int:
        """Return how many places the account has taken; 0 for one that is not known."""
        room = self._rooms.get(account)
        return 0 if room is None else room.count

    @property
    def taken_by_all(self) -> int:
        """How many places are taken, also by accounts that the configuration has no more."""
        return sum(room.count for room in self._rooms.values())

    def octets(self, account: AccountName) -> int:
        """Return how many octets the account has taken; 0 for one that is not known.

        While the journal still counts those of an earlier process, they are missing: then it may be
        less than nothing.
        """
        room = self._rooms.get(account)
        return 0 if room is None else room.octets

    def share(self, account: AccountName) -> float:
        """Return the share of its room that the account has taken: of places or octets, the larger.

        0 for an account that is not known.
        """
        room = self._rooms.get(account)
        if room is None or not (room.most and room.most_octets):
            return 0.0
        return max(room.count / room.most, room.octets / room.most_octets)

    def _of(self, account: AccountName) -> Room:
        return self._rooms.setdefault(account, Room())
