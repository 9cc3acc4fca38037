"""Who may bind: system_id, password, address, and how many at once.

Everything fails closed. Which of system_id and password was wrong is not told. Failed attempts are
answered later and later, per address and per system_id, so that guessing is slow and a mistyped
configuration is not.
"""

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final, Protocol

from router.accept import passwords
from router.terms.limits import TokenBucket
from router.terms.names import AccountName
from router.terms.outcome import FOREIGN_ADDRESS, TOO_MANY_BINDS, WRONG_CREDENTIALS, Refusal
from router.terms.settings import AccountSettings

SLOWEST_S: Final = 4.0
"""Shorter than the usual bind_timeout: a peer that is merely wrong shall hear so."""
FORGET_S: Final = 300.0
"""How long a failure counts."""
MOST_UNBOUND: Final = 2000
"""Connections that have not bound; each lives for `bind_timeout`. More are closed at once."""
MOST_STRANGERS: Final = 200
"""Where so many have not bound, those from addresses that no account allows are closed at once: the
other places are for clients, however many strangers only connect."""
_MOST_REMEMBERED: Final = 10_000
"""Addresses and names whose failures are remembered; an attacker must not grow our memory."""


class Bound(Protocol):
    """A client's bind, as its account knows it."""

    @property
    def bind_type(self) -> str:
        """transmitter, receiver or transceiver."""


class Account:
    """One client system while the router runs: its binds and what its rate still allows."""

    __slots__ = ("binding", "binds", "bucket", "name", "settings")

    def __init__(self, settings: AccountSettings, now: float) -> None:
        self.settings = settings
        self.name = settings.name
        self.binds: list[Bound] = []
        self.binding = 0
        """Binds whose password is being checked; they count too."""
        self.bucket: TokenBucket | None = None
        """What its rate still allows; None where it has no rate."""
        self.adopt(settings, now)

    def adopt(self, settings: AccountSettings, now: float) -> None:
        """Follow new settings; its binds stay, even if they are more than `max_binds` now."""
        self.settings = settings
        rate = settings.rate
        if rate is None:
            self.bucket = None
            return
        burst = rate.count if settings.burst is None else settings.burst
        if self.bucket is None:
            self.bucket = TokenBucket(rate, burst, now)
        else:
            self.bucket.adopt(rate, burst, now)

    @property
    def is_in_use(self) -> bool:
        """Whether a client is bound, or about to be."""
        return bool(self.binds) or self.binding > 0


class Accounts:
    """All accounts, and the memory of failed binds."""

    def __init__(
        self, accounts: Mapping[AccountName, AccountSettings], secret: bytes, now: float
    ) -> None:
        self.by_name: Final[dict[AccountName, Account]] = {}
        """The accounts that may bind."""
        self.unbound = 0
        """Connections that have not bound."""
        self._gone: dict[AccountName, Account] = {}
        """Accounts that may not bind any more and have binds from before."""
        self._networks: set[IPv4Network | IPv6Network] = set()
        """The networks of all accounts."""
        self._secret = secret
        self._proven: dict[AccountName, bytes] = {}
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self.adopt(accounts, now)

    def adopt(self, accounts: Mapping[AccountName, AccountSettings], now: float) -> None:
        """Follow a new configuration: who may bind, from where, with which password.

        Binds stay, whatever changes. An account that is gone takes no more of them, and a client
        that tries hears what an unknown system_id hears. Where it comes back before the last of
        its binds has left, those count again.
        """
        before = self._gone | self.by_name
        self.by_name.clear()
        for name, settings in accounts.items():
            account = before.pop(name, None)
            if account is None:
                account = Account(settings, now)
            else:
                if settings.passwords != account.settings.passwords:
                    self._proven.pop(name, None)
                account.adopt(settings, now)
            self.by_name[name] = account
        self._gone = {name: account for name, account in before.items() if account.is_in_use}
        for name in before:
            self._proven.pop(name, None)
        self._networks = {network for of in accounts.values() for network in of.allow_from}

    def may_connect(self, host: str) -> bool:
        """Whether one more connection that has not bound is listened to."""
        if self.unbound < MOST_STRANGERS:
            return True
        return self.unbound < MOST_UNBOUND and bool(host) and _is_in(host, self._networks)

    def judge(self, system_id: bytes, host: str) -> Account | Refusal:
        """Everything but the password. `host` is the client's numeric address."""
        account = self.by_name.get(AccountName(system_id.decode("latin-1")))
        if account is None or not host:
            return WRONG_CREDENTIALS
        if not _is_in(host, account.settings.allow_from):
            return FOREIGN_ADDRESS
        if len(account.binds) + account.binding >= account.settings.max_binds:
            return TOO_MANY_BINDS
        return account

    def knows(self, account: Account, password: bytes) -> bool | None:
        """Whether the password is right; None if that takes a thread (`prove`)."""
        proof = self._proof(password)
        proven = self._proven.get(account.name)
        if proven is not None and hmac.compare_digest(proven, proof):
            return True
        clear = [one for one in account.settings.passwords if not passwords.is_hash(one)]
        # Every one is compared, so that the time does not tell which of them is near.
        if True in [passwords.verify(one, password) for one in clear]:
            return True
        return None if len(clear) < len(account.settings.passwords) else False

    def prove(self, account: Account, password: bytes) -> bool:
        """Compare with the hashes. Takes tens of milliseconds: runs in a thread."""
        hashes = [one for one in account.settings.passwords if passwords.is_hash(one)]
        return True in [passwords.verify(one, password) for one in hashes]

    def is_current(self, account: Account, settings: AccountSettings) -> bool:
        """Whether the account may bind, and these are still its settings."""
        return self.by_name.get(account.name) is account and account.settings == settings

    def proved(self, account: Account, password: bytes) -> None:
        """Remember a peer that has proved itself, so that its next bind costs no hash."""
        self._proven[account.name] = self._proof(password)

    def _proof(self, password: bytes) -> bytes:
        """What is kept in memory is of no use without the secret of this process."""
        return hmac.digest(self._secret, password, hashlib.sha256)

    def failed(self, host: str, system_id: bytes, now: float) -> float:
        """Count a failure; return how long to wait before the answer, in seconds."""
        waits = 0.0
        for key in (f"host {host}", f"system_id {system_id.decode('latin-1')}"):
            count, at = self._failures.pop(key, (0, now))
            count = 1 if now - at > FORGET_S else count + 1
            self._failures[key] = count, now
            waits = max(waits, min(SLOWEST_S, 0.25 * 2.0 ** min(count - 1, 10)))
        while len(self._failures) > _MOST_REMEMBERED:
            self._failures.popitem(last=False)
        return waits


def _is_in(host: str, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    """Whether a numeric address is in one of the networks."""
    address = ip_address(host.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in networks)
