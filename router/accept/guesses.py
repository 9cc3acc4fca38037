"""Failed binds: they are answered later and later, and have their address blocked for a while.

Who guesses is an address and, behind it, a system_id. Never does what one address fails at keep
another one out: all that is counted for a block is counted by address.

Two clients may share an address, that of a proxy or of their office, and one of them may guess.
So a block is for one system_id first, and an account that has bound from an address lately is not
blocked there at all: its guesses are slowed only. Nor is it blocked where the configuration says
that it belongs, also after a start, when nobody has bound yet. An address as a whole is blocked
where no account has bound from it lately, and never if it is exempt, because the configuration
knows it.

What has no account is counted and blocked as what has one: a block tells nobody which names exist.
"""

from collections.abc import Set
from typing import Final, NamedTuple

from router.terms.names import AccountName
from router.terms.oldest_first import OldestFirst
from router.terms.settings import FailedBindsSettings

SLOWEST_S: Final = 1.0
"""Longest wait before a refusal is answered, so that a client with a wrong password hears the
refusal: some wait two seconds for the answer to a bind, and then report that none came."""
FORGET_S: Final = 300.0
"""How long a failed bind slows the next ones."""
PROVEN_S: Final = 86_400.0
"""How long an account that has bound from an address is known to belong there, beyond its last
bind: clients that come once a day are."""
_MOST_REMEMBERED: Final = 10_000
"""Addresses and system_ids whose failures are remembered: an attacker must not fill the memory."""


class Block(NamedTuple):
    """An address whose binds are refused for a while."""

    host: str
    """The address; with IPv6 the network of one line."""
    system_id: str | None
    """For which system_id; None: the address as a whole."""
    failures: int
    """Failed binds that led to it."""
    until: float
    spares: bool = False
    """Whether the account is known there, so that nothing is blocked and its guesses are only
    slowed."""


class _Failed(NamedTuple):
    """Failed binds of one address."""

    times: int
    since: float


Key = tuple[str, str | None]
"""An address, and a system_id; None for all of the address."""


class Guesses:
    """What has failed lately, who is blocked for it, and who is known where."""

    __slots__ = ("_bound", "_counts", "_failures", "_known", "blocked", "blocks", "settings")

    def __init__(self, settings: FailedBindsSettings | None) -> None:
        self.settings = settings
        """When an address is blocked; None: never."""
        self.blocked: Final[OldestFirst[Key, Block]] = OldestFirst(_MOST_REMEMBERED)
        """Blocks, those that are over included until they are asked for."""
        self.blocks: Final = {"address": 0, "system_id": 0}
        """Blocks since the start: of whole addresses, and of one system_id."""
        self._failures: Final[OldestFirst[str, tuple[int, float]]] = OldestFirst(_MOST_REMEMBERED)
        """By `host H` or `system_id S`: how many, and when the last was."""
        self._counts: Final[OldestFirst[Key, _Failed]] = OldestFirst(_MOST_REMEMBERED)
        self._bound: Final[dict[Key, int]] = {}
        """Binds there are."""
        self._known: Final[OldestFirst[Key, float]] = OldestFirst(_MOST_REMEMBERED)
        """When an account last ended a bind from there. Only who knows a password gets in here."""

    def adopt(self, settings: FailedBindsSettings | None) -> None:
        """Follow other settings. Blocks last as long as was said; without settings all end."""
        self.settings = settings
        if settings is None:
            self._counts.clear()
            self.blocked.clear()

    # Who belongs where.

    def bound(self, host: str, name: AccountName) -> None:
        """Note that an account has bound from an address: it is forgiven what failed before."""
        for key in ((host, name), (host, None)):
            self._bound[key] = self._bound.get(key, 0) + 1
        self._counts.pop((host, name))

    def unbound(self, host: str, name: AccountName, now: float) -> None:
        """Note that such a bind has ended."""
        for key in ((host, name), (host, None)):
            left = self._bound[key] - 1
            if left:
                self._bound[key] = left
            else:
                del self._bound[key]
                self._known.put(key, now)

    def knows(self, host: str, name: str | None, now: float) -> bool:
        """Return whether the account, or any account, has bound from there lately."""
        key = host, name
        if key in self._bound:
            return True
        at = self._known.get(key)
        return at is not None and now - at <= PROVEN_S

    # Slower and slower.

    def owes(self, host: str, now: float) -> float:
        """Return how long an address waits before a hash is computed for it, in seconds."""
        count, at = self._failures.get(f"host {host}") or (0, now)
        return 0.0 if now - at > FORGET_S else _wait_s(count)

    def slowed(self, host: str, system_id: str, now: float) -> float:
        """Count a failed bind; return how long after its request it is refused, in seconds."""
        waits = 0.0
        for key in (f"host {host}", f"system_id {system_id}"):
            count, at = self._failures.get(key) or (0, now)
            count = 1 if now - at > FORGET_S else count + 1
            self._failures.put(key, (count, now))
            waits = max(waits, _wait_s(count))
        return waits

    # Blocked.

    def failed(
        self, host: str, system_id: str, now: float, *, exempt: bool, is_own: bool = False
    ) -> list[Block]:
        """Count a bind that may have been a guess; return the blocks that begin with it.

        `exempt`: the address is not blocked as a whole. `is_own`: the configuration says that it is
        the account's own, so that the account is not blocked there either.
        """
        settings = self.settings
        if settings is None or not host:
            return []
        begun: list[Block] = []
        for name, most in ((system_id, settings.system_id), (None, settings.address)):
            key = host, name
            before = self._counts.get(key)
            if before is None or now - before.since > settings.within_s:
                before = _Failed(0, now)
            count = before.times + 1
            if count < most:
                self._counts.put(key, _Failed(count, before.since))
                continue
            self._counts.pop(key)
            spares = self.knows(host, name, now) or (exempt if name is None else is_own)
            block = Block(host, name, count, now + settings.for_s, spares)
            if not spares:
                self.blocked.put(key, block)
                self.blocks["address" if name is None else "system_id"] += 1
            if name is not None or not spares:
                begun.append(block)
        return begun

    def is_blocked(self, host: str, name: str | None, now: float) -> bool:
        """Return whether binds from there with this system_id, or all of them, are refused now."""
        block = self.blocked.get((host, name))
        if block is None:
            return False
        if now < block.until:
            return True
        self.blocked.pop((host, name))
        return False

    def forgive(self, names: Set[AccountName]) -> None:
        """Lift what stands against accounts: their password, or from where they bind, is new."""
        for entries in (self.blocked, self._counts):
            for key in [key for key in entries.by_key if key[1] in names]:
                entries.pop(key)

    def lift(self, host: str) -> None:
        """Lift the block of an address as a whole."""
        self.blocked.pop((host, None))


def _wait_s(failures: int) -> float:
    return min(SLOWEST_S, 0.25 * 2.0 ** min(failures - 1, 10)) if failures else 0.0
