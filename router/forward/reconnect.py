"""Reconnecting a bind: to which host and address of the operator, and after what wait.

The hosts of the settings are tried in turn. A host that is a name is looked up for each attempt,
since operators move, and stands for several addresses, IPv6 and IPv4: each is tried, with a time of
its own, and none is tried a second time before all others were.
"""

from collections.abc import Iterable
from typing import Final

from router.forward.pool import Bind
from router.smpp import vocabulary as v
from router.terms.oldest_first import OldestFirst
from router.terms.settings import Address, ReconnectSettings

CREDENTIALS: Final = frozenset({v.ESME_RINVPASWD, v.ESME_RINVSYSID, v.ESME_RINVSYSTYP})
"""Refusals that the next attempt would meet again. ESME_RALYBND and ESME_RBINDFAIL are not among
them: operators also answer those when there are too many binds, and a session that the router has
lost ends at the operator some time later."""
CONNECT_S: Final = 5.0
"""How long one address has to accept a connection, TLS included. One that is silent must not use up
the time of the others."""
MOST_TRIED: Final = 100
"""Addresses that are remembered as tried: a name may stand for others at each look-up."""
LASTED_S: Final = 10.0
"""A session that lasted longer than this resets the waits to the first one."""


class ConnectionAttempts:
    """The connection attempts of one configured bind. Random numbers are handed in."""

    def __init__(self, bind: Bind) -> None:
        self._bind = bind
        self._host_number = 0
        self._unreachable = 0
        self._is_connected = False
        self._number = ""
        """The address that was tried last; IP addresses are called numbers here."""
        self._good = ""
        """The address of the last session, if nothing else was tried since."""
        self._tries = 0
        self._tried: Final[OldestFirst[tuple[Address, str], int]] = OldestFirst(MOST_TRIED)
        """Which try was the last of an address of a host."""

    @property
    def address(self) -> Address:
        """The host to connect to next."""
        addresses = self._bind.settings.addresses
        return addresses[self._host_number % len(addresses)]

    def in_turn(self, numbers: Iterable[str]) -> list[str]:
        """Return what the host stands for now, each once, in the order in which to try it.

        The address of the last session is first, then those that were never tried, then the one
        that was tried longest ago. A resolver may give them in another order each time.
        """
        host, good = self.address, self._good
        return sorted(
            dict.fromkeys(numbers),
            key=lambda number: -1 if number == good else self._tried.get((host, number)) or 0,
        )

    def tries(self, number: str) -> None:
        """Note that this address of the host is tried now."""
        self._number, self._good = number, ""
        self._tries += 1
        self._tried.put((self.address, number), self._tries)

    def unreachable(self) -> bool:
        """Note that the host could not be reached; return whether to try the next host at once."""
        self._host_number += 1
        self._unreachable += 1
        if self._unreachable < len(self._bind.settings.addresses):
            return True
        self._unreachable = 0
        return False

    def connected(self) -> None:
        """Note that a host accepted the connection: forget how many did not."""
        self._unreachable = 0
        self._is_connected = True

    def wait_s(
        self, *, was_bound: bool, status: int | None, retired: bool, lasted_s: float, spread: float
    ) -> float:
        """Return how long to wait after an attempt, or a session, that has ended.

        `status` is the refusal of the bind, if there was one; `spread` is random in 0..1. A bind
        that was bound connects to the same address again; one that was refused or not answered
        tries the next host, and the next address of that. There is no wait after a session that
        ended because its lifetime was over.
        """
        bind = self._bind
        if was_bound:
            self._good = self._number
        elif self._is_connected:  # Else `unreachable` has gone on already.
            self._host_number += 1
        self._is_connected = False
        if was_bound and lasted_s > LASTED_S:  # Hosts that say nothing use up time, too.
            bind.failures = 0
        if retired and was_bound:
            return 0.0
        refused = status in CREDENTIALS
        reconnect = bind.operator.settings.reconnect
        wait_s = reconnect_wait_s(reconnect, bind.failures, refused=refused, spread=spread)
        bind.failures += 1
        return wait_s


def reconnect_wait_s(
    reconnect: ReconnectSettings, failures: int, *, refused: bool, spread: float
) -> float:
    """Return how long to wait before the next attempt to bind; `spread` is random in 0..1.

    The wait doubles after each failure; a random part of its second half is taken off. After
    refused credentials the wait is based on ten times the longest: an operator may block an address
    that keeps trying.
    """
    if refused:
        return reconnect.longest_s * 10 * (0.5 + spread / 2)
    wait_s = min(reconnect.longest_s, reconnect.first_s * 2.0 ** min(failures, 16))
    return wait_s * (0.5 + spread / 2)
