"""Reconnecting a bind: to which host of the operator, and after what wait."""

from typing import Final

from router.forward.pool import Bind
from router.smpp import vocabulary as v
from router.terms.settings import Address, ReconnectSettings

CREDENTIALS: Final = frozenset({v.ESME_RINVPASWD, v.ESME_RINVSYSID, v.ESME_RINVSYSTYP})
"""Refusals that the next attempt would meet again. ESME_RALYBND and ESME_RBINDFAIL are not among
them: operators also answer those when there are too many binds, and a session that the router has
lost ends at the operator some time later."""
LASTED_S: Final = 10.0
"""A session that lasted longer than this resets the waits to the first one."""


class ConnectionAttempts:
    """The connection attempts of one configured bind. Random numbers are handed in."""

    def __init__(self, bind: Bind) -> None:
        self._bind = bind
        self._host_number = 0
        self._unreachable = 0

    @property
    def address(self) -> Address:
        """The host to connect to next."""
        addresses = self._bind.settings.addresses
        return addresses[self._host_number % len(addresses)]

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

    def wait_s(
        self, *, was_bound: bool, status: int | None, retired: bool, lasted_s: float, spread: float
    ) -> float:
        """Return how long to wait after an attempt, or a session, that has ended.

        `status` is the refusal of the bind, if there was one; `spread` is random in 0..1. A bind
        that was bound connects to the same host again; a bind that was refused tries the next
        host. There is no wait after a session that ended because its lifetime was over.
        """
        bind = self._bind
        if status is not None:
            self._host_number += 1
        if lasted_s > LASTED_S:
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
