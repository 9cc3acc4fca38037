"""Logs when the queue of an account is full, and when that is over: once each, for all messages."""

from typing import Final

import structlog

from router.accept.rooms import Rooms
from router.terms.names import AccountName

QUIET_S: Final = 60.0
"""It is over when nothing has been refused for so long, and there is room."""

log = structlog.get_logger()


class _Full:
    """A queue that is full, or was lately."""

    __slots__ = ("refused", "refused_at", "since")

    def __init__(self, now: float) -> None:
        self.since: Final = now
        self.refused_at = now
        self.refused = 0


class FullQueues:
    """The accounts whose queues are full."""

    def __init__(self) -> None:
        self._full: Final[dict[AccountName, _Full]] = {}

    def log(self, rooms: Rooms, now: float) -> None:
        """Log what is full since the last call, and what is no longer."""
        for account, count in rooms.refused.items():
            full = self._full.get(account)
            if full is None:
                full = self._full[account] = _Full(now)
                what = "octets" if rooms.is_full_of_octets(account) else "messages"
                waits = {"messages": rooms.taken(account), "octets": rooms.octets(account)}
                log.warning("account.queue_full", account=account, full_of=what, **waits)
            full.refused += count
            full.refused_at = now
        rooms.refused.clear()
        over = [
            account
            for account, full in self._full.items()
            if now - full.refused_at >= QUIET_S and rooms.share(account) < 1.0
        ]
        for account in over:
            full = self._full.pop(account)
            lasted_s = round(full.refused_at - full.since, 1)
            log.info("account.queue_back", account=account, refused=full.refused, lasted_s=lasted_s)
