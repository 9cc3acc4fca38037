"""Who may bind: system_id, password, address, and how many at once.

Every check fails closed. Without the password nobody learns whether a system_id exists, may bind
from that address, or how many are bound: all of that is answered as a wrong password is, and, where
any account has a hash, after a hash was computed, for a name that nobody has as well. Only for an
address that no account allows none is ever computed: it hears the same whatever it says, and
strangers must not keep the threads busy.
The limit comes last. A host that vanished without a word leaves its binds behind, and its client,
which comes from another host or after a restart, must not be locked out by them until the ordinary
enquire_link finds them dead. So when the limit refuses a bind whose password was right, the binds
of that account that are silent are asked whether they live (`Session.doubt`). Those that do not
answer are closed: the client is refused meanwhile, and gets in at its next try, at most 5 s after
its first. Which of the binds of a pair or a group has gone need not be known: all are asked.
Failed attempts are answered after growing waits, per address and per system_id: guessing becomes
slow, while a client with one mistyped password hears of it soon. An address that has failed waits
before a hash is computed for it, so that guessing costs the guesser time, and the router none. Who
goes on is blocked for a while (guesses.py): whatever its password, it hears what a wrong one hears.
With IPv6 all addresses of one /64 count as one, for one line gets that many.
"""

import hashlib
import hmac
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from itertools import islice
from typing import Final, NamedTuple, Protocol

from router.accept import passwords
from router.accept.checks import Checks
from router.accept.guesses import Block, Guesses
from router.accept.places import Places, Waiting
from router.smpp.reading import USELESS, USELESS_BURST
from router.terms.limits import Rate, TokenBucket
from router.terms.line_limit import LineLimit
from router.terms.names import AccountName
from router.terms.oldest_first import OldestFirst
from router.terms.outcome import (
    BLOCKED,
    FOREIGN_ADDRESS,
    NO_CERTIFICATE,
    UNKNOWN_NAME,
    WRONG_CERTIFICATE,
    Refusal,
)
from router.terms.settings import AccountSettings, SessionSettings

LINES_OF_ADDRESS: Final = Rate(20, 600.0)
"""Lines of the log about connections from one address that have not bound, for each event."""
LINES_OF_ACCOUNT: Final = Rate(100, 600.0)
"""Lines about the binds of one account, for each event: those of a client that binds a hundred
times at once, and then ten a minute."""
FLOODED_S: Final = 60.0
"""How long connections from an address are read late, after one of them was cut off for what it
sent before a bind."""
READ_LATE_S: Final = 0.5
"""How much later: an attacker has twice as many connections a second as it keeps open at once. The
wait for the refusal of a wrong password comes on top, and both must fit into `bind_timeout`."""
NARROW_BITS: Final = {4: 8, 6: 80}
"""A network with at most so many bits that are not the network's names its addresses: they are
those of a client, and not of everybody. By IP version."""
_MOST_REMEMBERED: Final = 10_000
"""Addresses that have flooded which are remembered: an attacker must not fill the memory."""
_DEFAULTS: Final = SessionSettings()


Run = Callable[[Callable[[], bool], Callable[[bool], None]], None]
"""Does some work, perhaps in a thread, and calls with the result when it is done."""


def run_at_once(work: Callable[[], bool], done: Callable[[bool], None]) -> None:
    """Do the work here and now, where nobody waits meanwhile."""
    done(work())


class Bound(Protocol):
    """What an account knows of a client's bind."""

    @property
    def bind_type(self) -> str:
        """The type: transmitter, receiver or transceiver."""

    @property
    def address(self) -> str:
        """Where the client is: address and port."""

    @property
    def bound_at(self) -> float:
        """When it bound."""

    def unbind(self, now: float) -> None:
        """Ask the client to end the session; it may bind anew."""

    def doubt(self, now: float) -> bool:
        """Have a silent client asked whether it lives; return whether its place may come free."""


class RefusedBind(NamedTuple):
    """A bind that was refused."""

    at: float
    why: str
    host: str


class Account:
    """One client system at run time: its settings, its binds, and what its rate still allows."""

    __slots__ = (
        "binds",
        "binds_refused",
        "bucket",
        "last_refused",
        "name",
        "settings",
        "unanswered_octets",
        "useless",
    )

    def __init__(self, settings: AccountSettings, now: float) -> None:
        self.settings = settings
        self.name = settings.name
        self.binds: list[Bound] = []
        self.binds_refused = 0
        """Since the start, also of strangers who used the name."""
        self.last_refused: RefusedBind | None = None
        self.unanswered_octets = 0
        """Octets of submits that were let in and are not answered: the journal does not have them
        yet, and memory does."""
        self.bucket: TokenBucket | None = None
        """What the rate still allows; None for an account without a rate."""
        self.useless: Final = TokenBucket(USELESS, USELESS_BURST, now)
        """What its clients may still send that is of no use."""
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
        return len(self.binds) >= self.settings.max_binds

    def doubt_binds(self, now: float) -> int:
        """Have the silent ones asked whether they live; return how many may give way."""
        return sum([bind.doubt(now) for bind in self.binds])

    @property
    def is_in_use(self) -> bool:
        """Whether a client is bound."""
        return bool(self.binds)


class Accounts:
    """All accounts, and the memory of failed binds."""

    def __init__(
        self,
        accounts: Mapping[AccountName, AccountSettings],
        secret: bytes,
        now: float,
        run: Run = run_at_once,
        session: SessionSettings = _DEFAULTS,
    ) -> None:
        """`run` computes hashes."""
        self.run: Final = run
        self.checks: Final = Checks()
        """The passwords whose hashes are to be computed."""
        self.by_name: Final[dict[AccountName, Account]] = {}
        """The accounts that may bind."""
        self.lines_of_address: Final = LineLimit(LINES_OF_ADDRESS)
        self.lines_of_account: Final = LineLimit(LINES_OF_ACCOUNT)
        """Apart from those of addresses: no stranger can have a line about a client left out."""
        self.places: Final = Places(session.unbound_per_address, session.connections_per_address)
        """How many connections each address may have."""
        self.guesses: Final = Guesses(session.failed_binds)
        """Failed binds, and who is blocked for them."""
        self._gone: dict[AccountName, Account] = {}
        """Accounts that may not bind any more and have binds from before."""
        self._left: dict[AccountName, Account] = {}
        """The others that the configuration has had; what they have left is told by their names."""
        self._networks: dict[tuple[int, int], set[int]] = {}
        """The networks of all accounts, by IP version and by the number of bits that are not the
        network's: to look an address up costs the same for ten accounts and for ten thousand."""
        self._secret = secret
        self._decoys: list[str] = []
        """A hash that is computed for who is refused in any case; none where no account has one."""
        self._proven: dict[AccountName, bytes] = {}
        self._floods: Final[OldestFirst[str, float]] = OldestFirst(_MOST_REMEMBERED)
        """By address, when a connection was cut off for what it sent before a bind."""
        self.adopt(accounts, now)

    def adopt(self, accounts: Mapping[AccountName, AccountSettings], now: float) -> None:
        """Follow a new configuration: who may bind, from where, with which password.

        Binds stay, whatever changes. An account that is gone takes no new binds: the client is
        answered as one with an unknown system_id. If the account comes back before the last of its
        binds has left, those binds count again.
        """
        before = self._gone | self.by_name
        self.by_name.clear()
        forgiven: set[AccountName] = set()
        for name, settings in accounts.items():
            account = before.pop(name, None)
            if account is None:
                account = Account(settings, now)
                forgiven.add(name)
            else:
                was = account.settings
                if settings.passwords != was.passwords:
                    self._proven.pop(name, None)
                if (settings.passwords, settings.certificates, settings.allow_from) != (
                    was.passwords, was.certificates, was.allow_from
                ):  # fmt: skip
                    forgiven.add(name)
                account.adopt(settings, now)
            self.by_name[name] = account
        if forgiven:
            self.guesses.forgive(forgiven)
        self._gone = {name: account for name, account in before.items() if account.is_in_use}
        self._left |= before
        for name in (*accounts, *self._gone):
            self._left.pop(name, None)
        for name in before:
            self._proven.pop(name, None)
        self._networks = {}
        for network in {network for of in accounts.values() for network in of.allow_from}:
            bits = network.max_prefixlen - network.prefixlen
            networks = self._networks.setdefault((network.version, bits), set())
            networks.add(int(network.network_address) >> bits)
        hashes = (one for of in accounts.values() for one in _hashes_of(of))
        self._decoys = list(islice(hashes, 1))

    def gone(self) -> list[Account]:
        """Return those that the configuration has had, and has no more."""
        return [*self._gone.values(), *self._left.values()]

    def rename(self, was: AccountName, now: AccountName) -> list[Bound]:
        """Know an account by another name, which none has; before `adopt`.

        Return its binds. They are those of the new name, though they were made by the old one.
        """
        account = self.by_name.pop(was, None) or self._gone.pop(was, None)
        self._left.pop(was, None)
        if account is None:
            return []
        account.name = now
        self.by_name[now] = account
        proven = self._proven.pop(was, None)
        if proven is not None:
            self._proven[now] = proven
        return list(account.binds)

    def follow(self, session: SessionSettings) -> None:
        """Follow other settings of sessions. Connections that are there stay."""
        self.places.most_unbound = session.unbound_per_address
        self.places.most = session.connections_per_address
        self.guesses.adopt(session.failed_binds)

    @property
    def unbound(self) -> int:
        """Connections that have not bound."""
        return self.places.unbound

    def takes(self, host: str, who: Waiting, now: float) -> str | None:
        """Give a new connection a place; return why it gets none, in a word for counters."""
        here = neighbourhood(host)
        if self.guesses.is_blocked(here, None, now):
            if not self._is_exempt(host):
                return BLOCKED.reason
            self.guesses.lift(here)  # The configuration knows it now.
        if self.places.take(here, who, lambda: self._is_allowed(host)):
            return None
        return "too_many_connections"

    def _is_allowed(self, host: str, most_bits: int = 128) -> bool:
        """Return whether any account may bind from there, by a network of so many bits at most."""
        if not host:
            return False
        address = _address(host)
        number, version = int(address), address.version
        return any(
            of == version and bits <= most_bits and number >> bits in networks
            for (of, bits), networks in self._networks.items()
        )

    def _is_exempt(self, host: str) -> bool:
        """Return whether an address is never blocked as a whole: it is of this machine, or named.

        On this machine there may be a proxy or a tunnel through which all clients come.
        """
        if not host:
            return True
        address = _address(host)
        return address.is_loopback or self._is_allowed(host, NARROW_BITS[address.version])

    def flooded(self, host: str, now: float) -> None:
        """Note that a connection was cut off for what it sent before a bind."""
        self._floods.put(neighbourhood(host), now)

    def reads_late_s(self, host: str, now: float) -> float:
        """Return how long a new connection from this address waits before it is read, in seconds.

        Others behind the same address, that of a proxy for example, wait so long for their bind.
        """
        flooded_at = self._floods.get(neighbourhood(host))
        return 0.0 if flooded_at is None or now - flooded_at > FLOODED_S else READ_LATE_S

    def judge(
        self, system_id: bytes, host: str, now: float, shown: Collection[str] = ()
    ) -> Account | Refusal:
        """Check name, address and certificate, not the password nor the limit.

        `host` is numeric; `shown` are the names of the client's certificate, which was verified.
        """
        name = AccountName(system_id.decode("latin-1"))
        account = self.by_name.get(name)
        wanted = () if account is None else account.settings.certificates
        has_shown = any(one in shown for one in wanted)
        # Nobody can guess a certificate, so who shows the one that is wanted is not blocked.
        if not has_shown and self.guesses.is_blocked(neighbourhood(host), name, now):
            return BLOCKED
        if account is None or not host:
            return UNKNOWN_NAME
        if not is_in(host, account.settings.allow_from):
            return FOREIGN_ADDRESS
        if wanted and not has_shown:
            return WRONG_CERTIFICATE if shown else NO_CERTIFICATE
        return account

    def knows(self, account: Account, password: bytes) -> bool | None:
        """Return whether the password is right; None if a hash must tell."""
        proof = self._proof(password)
        proven = self._proven.get(account.name)
        if proven is not None and hmac.compare_digest(proven, proof):
            return True
        clear = [one for one in account.settings.passwords if not passwords.is_hash(one)]
        # Compare with each password, so that the time taken does not show which one nearly fits.
        if True in [passwords.verify(one, password) for one in clear]:
            return True
        return None if len(clear) < len(account.settings.passwords) else False

    def hides_refusals(self, host: str) -> bool:
        """Return whether who asks from there is refused only after a hash was computed."""
        return bool(self._decoys) and self._is_allowed(host)

    def prove(self, account: Account | None, password: bytes, done: Callable[[bool], None]) -> None:
        """Tell whether a hash of the account fits; without an account, take as long and say no."""
        hashes = self._decoys if account is None else _hashes_of(account.settings)

        def prove() -> bool:
            # All of them, so that the time taken does not show which one fits.
            fits = [passwords.verify(one, password) for one in hashes]
            return account is not None and True in fits

        self.run(prove, done)

    def is_current(self, account: Account, settings: AccountSettings) -> bool:
        """Return whether the account may still bind, and `settings` are still those in force."""
        return self.by_name.get(account.name) is account and account.settings == settings

    def proved(self, account: Account, password: bytes) -> None:
        """Remember that the password was right, so that the next bind with it costs no hash."""
        self._proven[account.name] = self._proof(password)

    def _proof(self, password: bytes) -> bytes:
        """Return what is kept instead of a password: useless without the secret of this process."""
        return hmac.digest(self._secret, password, hashlib.sha256)

    def owes(self, host: str, now: float) -> float:
        """Return how long an address waits before a hash is computed for it, in seconds."""
        return self.guesses.owes(neighbourhood(host), now)

    def refused(self, host: str, system_id: bytes, why: str, now: float) -> None:
        """Note that a bind was refused, where an account has that name."""
        account = self.by_name.get(AccountName(system_id.decode("latin-1")))
        if account is not None:
            account.binds_refused += 1
            account.last_refused = RefusedBind(now, why, host)

    def failed(self, host: str, system_id: bytes, now: float) -> float:
        """Count a failed bind; return how long after its request it is refused, in seconds."""
        return self.guesses.slowed(neighbourhood(host), system_id.decode("latin-1"), now)

    def guessed(self, host: str, system_id: bytes, now: float) -> list[Block]:
        """Count a bind that may have been a guess; return the blocks that begin with it."""
        here, name = neighbourhood(host), system_id.decode("latin-1")
        account = self.by_name.get(AccountName(name))
        is_own = account is not None and is_in(host, _narrow(account.settings.allow_from))
        return self.guesses.failed(here, name, now, exempt=self._is_exempt(host), is_own=is_own)


def neighbourhood(host: str) -> str:
    """Return what counts as one peer: an address, or with IPv6 the 64 bits that a line gets."""
    if ":" not in host:
        return host
    address = _address(host)
    return str(IPv6Address(int(address) >> 64 << 64) if address.version == 6 else address)


def _hashes_of(settings: AccountSettings) -> list[str]:
    return [one for one in settings.passwords if passwords.is_hash(one)]


def _narrow(
    networks: Iterable[IPv4Network | IPv6Network],
) -> Iterator[IPv4Network | IPv6Network]:
    """Yield the networks of so few addresses that they are those of one client."""
    for network in networks:
        if network.max_prefixlen - network.prefixlen <= NARROW_BITS[network.version]:
            yield network


def is_in(host: str, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    """Return whether a numeric address is in one of the networks."""
    address = _address(host)
    return any(address in network for network in networks)


def _address(host: str) -> IPv4Address | IPv6Address:
    """Return a numeric address; one of IPv4 that is mapped into IPv6 as what it is."""
    address = ip_address(host.partition("%")[0])
    mapped: IPv4Address | None = getattr(address, "ipv4_mapped", None)
    return mapped or address
