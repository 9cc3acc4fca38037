"""Who may bind: system_id, password, address, and how many at once.

Every check fails closed. A client does not learn whether its system_id or its password was wrong,
and without the password it does not learn how many are bound.
The limit comes last. A host that vanished without a word leaves its binds behind, and its client,
which comes from another host or after a restart, must not be locked out by them until the ordinary
enquire_link finds them dead. So when the limit refuses a bind whose password was right, the binds
of that account that are silent are asked whether they live (`Session.doubt`). Those that do not
answer are closed: the client is refused meanwhile, and gets in at its next try, at most 5 s after
its first. Which of the binds of a pair or a group has gone need not be known: all are asked.
Failed attempts are answered after growing waits, per address and per system_id: guessing becomes
slow, while a client with one mistyped password hears of it soon.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final, Protocol

from router.accept import passwords
from router.terms.limits import TokenBucket
from router.terms.names import AccountName
from router.terms.oldest_first import OldestFirst
from router.terms.outcome import FOREIGN_ADDRESS, WRONG_CREDENTIALS, Refusal
from router.terms.settings import AccountSettings

SLOWEST_S: Final = 1.0
"""Longest wait before a refusal is answered, so that a client with a wrong password hears the
refusal: some wait two seconds for the answer to a bind, and then report that none came."""
FORGET_S: Final = 300.0
"""How long a failed bind counts."""
MOST_UNBOUND: Final = 2000
"""Connections that have not bound, at most; each lives for `bind_timeout`. Further connections are
closed at once."""
MOST_STRANGERS: Final = 200
"""Unbound connections above which a connection from an address that no account allows is closed at
once. The places up to MOST_UNBOUND are kept for clients, however many strangers connect."""
_MOST_REMEMBERED: Final = 10_000
"""Addresses and system_ids whose failures are remembered: an attacker must not fill the memory."""


class Bound(Protocol):
    """What an account knows of a client's bind."""

    @property
    def bind_type(self) -> str:
        """The type: transmitter, receiver or transceiver."""

    def doubt(self, now: float) -> bool:
        """Have a silent client asked whether it lives; return whether its place may come free."""


class Account:
    """One client system at run time: its settings, its binds, and what its rate still allows."""

    __slots__ = ("binding", "binds", "bucket", "name", "settings", "unanswered_octets")

    def __init__(self, settings: AccountSettings, now: float) -> None:
        self.settings = settings
        self.name = settings.name
        self.binds: list[Bound] = []
        self.binding = 0
        """Bind requests whose hash a thread is checking; they count as binds."""
        self.unanswered_octets = 0
        """Octets of submits that were let in and are not answered: the journal does not have them
        yet, and memory does."""
        self.bucket: TokenBucket | None = None
        """What the rate still allows; None for an account without a rate."""
        self.adopt(settings, now)

    def adopt(self, settings: AccountSettings, now: float) -> None:
        """Follow new settings. Binds stay, even if they are more than `max_binds` now."""
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
    def is_full(self) -> bool:
        """Whether the limit lets no further client bind."""
        return len(self.binds) + self.binding >= self.settings.max_binds

    @property
    def may_check_hash(self) -> bool:
        """Whether a thread may check one more hash: one for each place, or one for them all."""
        return self.binding < max(1, self.settings.max_binds - len(self.binds))

    def doubt_binds(self, now: float) -> int:
        """Have the silent ones asked whether they live; return how many may give way."""
        return sum([bind.doubt(now) for bind in self.binds])

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
        self._failures: Final[OldestFirst[str, tuple[int, float]]] = OldestFirst(_MOST_REMEMBERED)
        self.adopt(accounts, now)

    def adopt(self, accounts: Mapping[AccountName, AccountSettings], now: float) -> None:
        """Follow a new configuration: who may bind, from where, with which password.

        Binds stay, whatever changes. An account that is gone takes no new binds: the client is
        answered as one with an unknown system_id. If the account comes back before the last of its
        binds has left, those binds count again.
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
        """Return whether the router listens to one more connection that has not bound."""
        if self.unbound < MOST_STRANGERS:
            return True
        return self.unbound < MOST_UNBOUND and bool(host) and _is_in(host, self._networks)

    def judge(self, system_id: bytes, host: str) -> Account | Refusal:
        """Check name and address, not the password nor the limit. `host` is numeric."""
        account = self.by_name.get(AccountName(system_id.decode("latin-1")))
        if account is None or not host:
            return WRONG_CREDENTIALS
        if not _is_in(host, account.settings.allow_from):
            return FOREIGN_ADDRESS
        return account

    def knows(self, account: Account, password: bytes) -> bool | None:
        """Return whether the password is right; None if `prove` must tell, in a thread."""
        proof = self._proof(password)
        proven = self._proven.get(account.name)
        if proven is not None and hmac.compare_digest(proven, proof):
            return True
        clear = [one for one in account.settings.passwords if not passwords.is_hash(one)]
        # Compare with each password, so that the time taken does not show which one nearly fits.
        if True in [passwords.verify(one, password) for one in clear]:
            return True
        return None if len(clear) < len(account.settings.passwords) else False

    def prove(self, account: Account, password: bytes) -> bool:
        """Return whether a hash fits. Takes tens of milliseconds: run it in a thread."""
        hashes = [one for one in account.settings.passwords if passwords.is_hash(one)]
        return True in [passwords.verify(one, password) for one in hashes]

    def is_current(self, account: Account, settings: AccountSettings) -> bool:
        """Return whether the account may still bind, and `settings` are still those in force."""
        return self.by_name.get(account.name) is account and account.settings == settings

    def proved(self, account: Account, password: bytes) -> None:
        """Remember that the password was right, so that the next bind with it costs no hash."""
        self._proven[account.name] = self._proof(password)

    def _proof(self, password: bytes) -> bytes:
        """Return what is kept instead of a password: useless without the secret of this process."""
        return hmac.digest(self._secret, password, hashlib.sha256)

    def failed(self, host: str, system_id: bytes, now: float) -> float:
        """Count a failed bind; return how long to wait before the refusal, in seconds."""
        waits = 0.0
        for key in (f"host {host}", f"system_id {system_id.decode('latin-1')}"):
            count, at = self._failures.get(key) or (0, now)
            count = 1 if now - at > FORGET_S else count + 1
            self._failures.put(key, (count, now))
            waits = max(waits, min(SLOWEST_S, 0.25 * 2.0 ** min(count - 1, 10)))
        return waits


def _is_in(host: str, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    """Return whether a numeric address is in one of the networks."""
    address = ip_address(host.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in networks)
