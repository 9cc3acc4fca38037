"""What accounts are called now that had another name when a reading of the journal began.

A reading may last, and brings the names of its beginning. Bounded by the accounts that were renamed
since the router started; a name that somebody has again is no former one.
"""

from collections.abc import Iterable

from router.terms.names import AccountName


class FormerNames:
    """The names of today, by former name."""

    __slots__ = ("_now",)

    def __init__(self) -> None:
        self._now: dict[AccountName, AccountName] = {}

    def rename(self, was: AccountName, now: AccountName) -> None:
        """Know an account by another name."""
        self._now = {name: now if last == was else last for name, last in self._now.items()}
        self._now[was] = now

    def adopt(self, accounts: Iterable[AccountName]) -> None:
        """Know that these are the names of accounts of today."""
        for name in accounts:
            self._now.pop(name, None)

    def of_today(self, name: AccountName) -> AccountName:
        """Return what the account with this name is called now."""
        return self._now.get(name, name)
