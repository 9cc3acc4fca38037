"""Logs what accounts have to hear of: a full queue, a congestion, and what was refused.

A queue that is full is logged once, and once when that is over; so is a congestion. Of submits
that are refused to one account for one reason the first is logged at once, and those after it once
a minute, as a number.
"""

from typing import Final

import structlog

from router.accept.congestion import Congestion
from router.accept.refusals import Refusals
from router.accept.rooms import Rooms
from router.smpp.vocabulary import status_name
from router.terms.names import AccountName
from router.terms.outcome import DRAINING

QUIET_S: Final = 60.0
"""It is over when nothing has been refused for so long, and there is room."""

TOLD_EVERY_S: Final = 60.0
"""How often the log says how many submits were refused to an account for one reason."""
LINES_AT_ONCE: Final = 20
"""Lines about refusals that are written in one turn: when the journal fails, all are refused."""

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


def log_congestion(congestion: Congestion, now: float) -> None:
    """Log the beginning of a congestion, and its end."""
    if not congestion.is_on:
        return
    if not congestion.is_told:
        congestion.is_told = True
        log.warning("router.congested")
    if congestion.is_calm(now):
        congestion.is_on = False
        log.info(
            "router.kept_up",
            refused=congestion.count,
            lasted_s=round(congestion.last_at - congestion.since, 1),
        )


def log_refusals(refusals: Refusals, now: float) -> None:
    """Log what was refused and has not been told, as often as it may be.

    What is refused because the router stops says nothing of an account, and is not logged.
    """
    due = [
        (key, one)
        for key, one in refusals.untold.items()
        if now - one.told_at >= TOLD_EVERY_S or one.reason == DRAINING.reason
    ]
    for key, one in due[:LINES_AT_ONCE]:
        if one.reason != DRAINING.reason:
            log.warning(
                "submit.refused",
                account=one.account,
                reason=one.reason,
                status=status_name(one.status),
                count=one.count - one.told,
                client=one.client,
                prefix=one.prefix,
            )
        one.told, one.told_at = one.count, now
        del refusals.untold[key]
