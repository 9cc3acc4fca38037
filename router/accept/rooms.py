"""Room: how many messages of each account wait, and how many may (`queue`). Counted only here.

A place is taken before a message is written to the journal, and given back when an operator has
taken the message, when the message is settled, or when it is not accepted after all.
"""

from collections.abc import Mapping
from typing import Final

from router.terms.names import AccountName
from router.terms.settings import AccountSettings


class Rooms:
    """The places of all accounts, taken and free."""

    __slots__ = ("_limits", "_taken")

    def __init__(self, accounts: Mapping[AccountName, AccountSettings]) -> None:
        self._limits: Final[dict[AccountName, int]] = {}
        self._taken: dict[AccountName, int] = {}
        self.adopt(accounts)

    def adopt(self, accounts: Mapping[AccountName, AccountSettings]) -> None:
        """Follow a new configuration; no place that is taken is lost or given twice.

        An account with more messages than its new limit keeps them, and gets no more places until
        there are fewer. An account that is gone keeps its count while it has messages, and its
        limit for good: its last binds may still submit. A limit is a few octets.
        """
        self._limits.update((name, one.queue) for name, one in accounts.items())
        waiting = {name: count for name, count in self._taken.items() if count}
        self._taken = dict.fromkeys(accounts, 0) | waiting

    def take(self, account: AccountName) -> bool:
        """Take a place for one more message of this account; return False if none is free."""
        taken = self._taken.get(account, 0)
        if taken >= self._limits[account]:
            return False
        self._taken[account] = taken + 1
        return True

    def give(self, account: AccountName) -> None:
        """Give back a place: a message of this account waits no longer."""
        self._taken[account] -= 1

    def restore(self, account: AccountName, count: int) -> None:
        """Take the places of messages that an earlier process left, even beyond the limit."""
        self._taken[account] = self.taken(account) + count

    def taken(self, account: AccountName) -> int:
        """Return how many places the account has taken; 0 for one that is not known."""
        return self._taken.get(account, 0)
