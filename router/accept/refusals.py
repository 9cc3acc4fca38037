"""What was refused to which account, by reason: how often, and what the latest was.

Bounded by the accounts there have been and the reasons there are: each keeps a number and a few
words, however many submits are refused. The first digits of a number and no more are among them.
"""

from typing import Final

from router.smpp.pdu import BodyError, Pdu, Sm
from router.smpp.vocabulary import SUBMIT_MULTI
from router.terms.limits import Rate, TokenBucket
from router.terms.names import AccountName
from router.terms.outcome import Refusal

RECORDED: Final = Rate(20, 1.0)
"""Refused submits of one account that have records of their own; others are counted."""
RECORDED_AT_ONCE: Final = 200
"""As many of one burst."""
PREFIX_DIGITS: Final = 5
"""Digits of the country and the first ones of the network: nobody is known by them."""


class Refused:
    """The submits of one account that were refused for one reason."""

    __slots__ = (
        "account",
        "client",
        "count",
        "last_utc",
        "prefix",
        "reason",
        "status",
        "told",
        "told_at",
    )

    def __init__(self, account: AccountName, reason: str) -> None:
        self.account: Final = account
        self.reason: Final = reason
        self.count = 0
        self.last_utc = 0.0
        self.status = 0
        """The command_status that the latest was answered."""
        self.client = ""
        """An example: the address and port that one of them came from, and"""
        self.prefix = ""
        """the first digits of its number; empty if there are none."""
        self.told = 0
        """How many of them were told. Whoever tells them sets it, and when that was."""
        self.told_at = -float("inf")


class _Recorded:
    """The submits of one account of which records may be kept."""

    __slots__ = ("bucket", "left_out")

    def __init__(self, now: float) -> None:
        self.bucket: Final = TokenBucket(RECORDED, RECORDED_AT_ONCE, now)
        self.left_out = 0


class Refusals:
    """All that was refused since the start."""

    __slots__ = ("_of", "_records", "keeps_records", "untold")

    def __init__(self) -> None:
        self._of: Final[dict[AccountName, dict[str, Refused]]] = {}
        """By account and reason."""
        self.keeps_records = False
        """Whether refused submits may have records at all."""
        self._records: Final[dict[AccountName, _Recorded]] = {}
        self.untold: Final[dict[tuple[AccountName, str], Refused]] = {}
        """Those of which there are more than were told. Whoever tells them takes them out."""

    def add(
        self, account: AccountName, client: str, pdu: Pdu, refusal: Refusal, now_utc: float
    ) -> None:
        """Count a submit that is refused."""
        reason = refusal.reason
        of_account = self._of.setdefault(account, {})
        one = of_account.get(reason)
        if one is None:
            one = of_account[reason] = Refused(account, reason)
        one.count += 1
        one.last_utc = now_utc
        one.status = refusal.status
        key = account, reason
        if key not in self.untold:
            self.untold[key] = one
            one.client, one.prefix = client, prefix_of(pdu)

    def may_record(self, account: AccountName, now: float) -> int | None:
        """Return how many were left out since the last one that has a record; None: this one too.

        A client that is refused at full speed must not fill the disk.
        """
        if not self.keeps_records:
            return None
        recorded = self._records.get(account)
        if recorded is None:
            recorded = self._records[account] = _Recorded(now)
        if not recorded.bucket.take(now):
            recorded.left_out += 1
            return None
        left_out, recorded.left_out = recorded.left_out, 0
        return left_out

    def counts(self) -> dict[tuple[AccountName, str], int]:
        """Return how many were refused, by account and reason. For any thread."""
        return {
            (account, reason): one.count
            for account, reasons in self._of.copy().items()
            for reason, one in reasons.copy().items()
        }

    def of(self, account: AccountName) -> list[Refused]:
        """Return what was refused to an account, the latest first. For any thread."""
        found = self._of.get(account, {}).copy().values()
        return sorted(found, key=lambda one: -one.last_utc)


def prefix_of(pdu: Pdu) -> str:
    """Return the first digits of a submit's number; empty if it has none that can be read."""
    if pdu.command_id == SUBMIT_MULTI:  # It could not be read; else each of its numbers is here.
        return ""
    try:
        _, _, address = Sm(pdu).destination
    except BodyError:
        return ""
    digits = address.decode("latin-1").removeprefix("+")[:PREFIX_DIGITS]
    return digits if digits.isascii() and digits.isdecimal() else ""
