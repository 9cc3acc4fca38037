"""How many messages each account may have waiting: its room, which has this one owner.

A place is taken before a message is written to the journal, and given back when an operator has
taken the message, when it is settled, or when it is not accepted after all.
"""

from collections.abc import Mapping

from router.terms.names import AccountName
from router.terms.settings import AccountSettings


class Rooms:
    """The places of all accounts."""

    __slots__ = ("_accounts", "_taken")

    def __init__(self, accounts: Mapping[AccountName, AccountSettings]) -> None:
        self._accounts = accounts
        self._taken: dict[AccountName, int] = dict.fromkeys(accounts, 0)

    def take(self, account: AccountName) -> bool:
        """Reserve a place for one more message of this account, if there is one."""
        taken = self._taken[account]
        if taken >= self._accounts[account].queue:
            return False
        self._taken[account] = taken + 1
        return True

    def give(self, account: AccountName) -> None:
        """Give back a place: a message of this account waits no more."""
        self._taken[account] -= 1

    def restore(self, account: AccountName, count: int) -> None:
        """Take the places of messages that an earlier process left, even beyond the limit."""
        self._taken[account] += count

    def taken(self, account: AccountName) -> int:
        """Return how many places the account has taken."""
        return self._taken[account]
