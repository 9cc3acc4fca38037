"""Binding anew: at which of the operator's hosts, and after what wait."""

from typing import Final

from router.forward.pool import Bind
from router.smpp import vocabulary as v
from router.terms.settings import Address, ReconnectSettings

CREDENTIALS: Final = frozenset({v.ESME_RINVPASWD, v.ESME_RINVSYSID, v.ESME_RINVSYSTYP})
"""Refusals that the next attempt will meet again. ESME_RALYBND and ESME_RBINDFAIL are not among
them: those are said of too many binds too, and a session that we have lost ends there some day."""
LASTED_S: Final = 10.0
"""A bind that held for so long makes the waits begin anew."""


class ConnectionAttempts:
    """The attempts to bind of one configured bind. Chance is handed in."""

    def __init__(self, bind: Bind) -> None:
        self._bind = bind
        self._place = 0
        self._unreachable = 0

    @property
    def address(self) -> Address:
        """Where to connect to next."""
        addresses = self._bind.settings.addresses
        return addresses[self._place % len(addresses)]

    def unreachable(self) -> bool:
        """Nobody is there; return whether another host is to be tried at once."""
        self._place += 1
        self._unreachable += 1
        if self._unreachable < len(self._bind.settings.addresses):
            return True
        self._unreachable = 0
        return False

    def connected(self) -> None:
        """Somebody is."""
        self._unreachable = 0

    def wait_s(
        self, *, was_bound: bool, status: int | None, retired: bool, lasted_s: float, spread: float
    ) -> float:
        """How long to wait after an attempt, or a session, that has ended.

        `status` refused the bind; `spread` is random in 0..1. Who was bound goes back to where it
        was, who was refused tries the next host. After the orderly end of a session that had lived
        its life there is nothing to wait for.
        """
        bind = self._bind
        if status is not None:
            self._place += 1
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
    """How long to wait before the next attempt to bind; `spread` is random in 0..1.

    Twice as long after each failure, between half and the whole of that. After refused credentials
    ten times the longest: an operator may block an address that keeps trying.
    """
    if refused:
        return reconnect.longest_s * 10 * (0.5 + spread / 2)
    wait_s = min(reconnect.longest_s, reconnect.first_s * 2.0 ** min(failures, 16))
    return wait_s * (0.5 + spread / 2)
