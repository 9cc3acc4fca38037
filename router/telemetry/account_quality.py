"""Tells when an account's messages fare worse than usual: fewer delivered, or more refused.

Of each account two shares are followed: delivered of what could be delivered, and refused of what
was submitted. Each is known as it is now and as it usually is: over 500 and 5,000 events, or over
five minutes and a day where those had more; 500 events within one look are now, too. One that is
much worse is told once, and once when that is over; what has been so for a day is usual.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from math import exp
from typing import Final, Literal, NamedTuple

import structlog

from router.accept.refusals import Refusals
from router.terms.counters import Counters
from router.terms.names import AccountName
from router.terms.outcome import (
    CONGESTED,
    DELIVERED,
    DISK_NEARLY_FULL,
    DRAINING,
    ENDED_SENT,
    JOURNAL_DOWN,
    QUEUE_FULL,
    THROTTLED,
    is_as_configured,
)

LOOK_EVERY_S: Final = 10.0
NOW_EVENTS: Final = 500
"""With fewer, chance alone makes several points."""
NOW_S: Final = 300.0
USUAL_EVENTS: Final = 5_000
USUAL_S: Final = 86_400.0
FALLEN_BY: Final = 0.10
"""Of the delivered share: for one with 500 outcomes that is four times what chance does."""
RISEN_BY: Final = 0.05
"""Of the refused share."""
OVER_BELOW: Final = 0.5
"""It is over when it is worse by less than this part of the bound: one that lies at the bound is
not told again and again."""
LINES_AT_ONCE: Final = 20
"""Accounts that are told at one look: an operator that fails is felt by all. Others come next."""
TOLD_ELSEWHERE: Final = frozenset(
    {
        *(THROTTLED.reason, DRAINING.reason, QUEUE_FULL.reason, DISK_NEARLY_FULL.reason),
        *(JOURNAL_DOWN.reason, CONGESTED.reason),
    }
)
"""Reasons of refusals that are events of their own."""

log = structlog.get_logger()


class Watched:
    """A share that should not get worse."""

    __slots__ = ("_at", "_bound", "_hits", "_of", "now", "seen", "sign", "since", "usual")

    def __init__(self, worse: Literal[-1, 1], bound: float) -> None:
        """`worse` is the direction that is bad; beyond `bound` it is told."""
        self.sign: Final = worse
        self._bound: Final = bound
        self.now = 0.0
        self.usual = 0.0
        self.seen = 0
        """Events so far; of few nothing can be said."""
        self.since: float | None = None
        """Since when it has been worse than usual; None if it is not."""
        self._hits = self._of = 0
        self._at: float | None = None

    def add(self, hits: int, of: int, now: float) -> None:
        """Take in what has been counted since the start: so many of so many events."""
        new = of - self._of
        if new <= 0:
            return
        passed_s = now - self._at if self._at is not None else LOOK_EVERY_S
        share = (hits - self._hits) / new
        self._hits, self._of, self._at = hits, of, now
        self.seen += new
        first = new / self.seen  # Until there is enough, the mean of all.
        # A burst is as many events as are needed to tell, however soon they came.
        span_s = NOW_S if new < NOW_EVENTS else 0.0
        self.now += max(first, _weight(new, NOW_EVENTS, passed_s, span_s)) * (share - self.now)
        if self.since is None:
            weight = max(first, _weight(new, USUAL_EVENTS, passed_s, USUAL_S))
            self.usual += weight * (share - self.usual)

    @property
    def is_known(self) -> bool:
        """Whether enough was seen to speak of a share."""
        return self.seen >= NOW_EVENTS

    @property
    def worse_by(self) -> float:
        """By how much it is worse than usual."""
        return self.sign * (self.now - self.usual)

    def begins(self, now: float) -> bool:
        """Note that it is worse from now on; return whether it is, and was not before."""
        if self.since is None and self.is_known and self.worse_by > self._bound:
            self.since = now
            return True
        return False

    def ended(self, now: float) -> float | None:
        """Return for how long it was worse, if that is over: better again, or usual by now."""
        if self.since is None:
            return None
        lasted_s = now - self.since
        if self.worse_by >= OVER_BELOW * self._bound:
            if lasted_s <= USUAL_S:
                return None
            self.usual = self.now
        self.since = None
        return lasted_s


def _weight(new: int, events: int, passed_s: float, span_s: float) -> float:
    """Return the weight of what is new: the last `events`, or `span_s` where those were more."""
    weight = 1.0 - exp(-new / events)
    return min(weight, 1.0 - exp(-passed_s / span_s)) if span_s else weight


class Fares(NamedTuple):
    """How the messages of one account fare."""

    delivery: Watched
    """Delivered of what could be delivered."""
    refusals: Watched
    """Refused of what was submitted."""


class AccountQuality:
    """How the messages of each account fare."""

    def __init__(self) -> None:
        self._look_at = 0.0
        self.accounts: dict[AccountName, Fares] = {}
        """For other threads: replaced whole where accounts come or go."""

    def look(
        self, accounts: Iterable[AccountName], counters: Counters, refusals: Refusals, now: float
    ) -> None:
        """Follow the shares, and log what begins and what is over. Call it as often as you like."""
        if now < self._look_at:
            return
        self._look_at = now + LOOK_EVERY_S
        names = list(accounts)
        if names != list(self.accounts):
            self.accounts = {name: self.accounts.get(name) or _fresh() for name in names}
        delivered, deliverable = _delivered(counters)
        refused, submitted = _refused(counters, refusals)
        left = LINES_AT_ONCE
        for account, (delivery, refusal) in self.accounts.items():
            delivery.add(delivered[account], deliverable[account], now)
            refusal.add(refused[account], submitted[account], now)
            left -= _told_of_delivery(account, delivery, now, may_begin=left > 0)
            left -= _told_of_refusals(account, refusal, now, may_begin=left > 0)


def _fresh() -> Fares:
    return Fares(Watched(-1, FALLEN_BY), Watched(1, RISEN_BY))


def _told_of_delivery(account: AccountName, one: Watched, now: float, *, may_begin: bool) -> bool:
    """Log what has changed; return whether something began."""
    if may_begin and one.begins(now):
        log.warning("account.delivery_fell", account=account, **_shares(one))
        return True
    if lasted := _lasted(one, now):
        log.info("account.delivery_back", account=account, **lasted)
    return False


def _told_of_refusals(account: AccountName, one: Watched, now: float, *, may_begin: bool) -> bool:
    """Log what has changed; return whether something began."""
    if may_begin and one.begins(now):
        log.warning("account.refusals_rose", account=account, **_shares(one))
        return True
    if lasted := _lasted(one, now):
        log.info("account.refusals_back", account=account, **lasted)
    return False


def _shares(one: Watched) -> dict[str, float]:
    return {"share": round(one.now, 3), "usual": round(one.usual, 3)}


def _lasted(one: Watched, now: float) -> dict[str, float]:
    """Return what the log says of what is over; empty if nothing is."""
    told = _shares(one)
    lasted_s = one.ended(now)
    return {} if lasted_s is None else {**told, "lasted_s": round(lasted_s, 1)}


Counts = Mapping[AccountName, int]


def _delivered(counters: Counters) -> tuple[Counts, Counts]:
    """Return by account what was delivered, and what of it could be."""
    delivered: defaultdict[AccountName, int] = defaultdict(int)
    deliverable: defaultdict[AccountName, int] = defaultdict(int)
    for (account, outcome), count in counters.outcomes.items():
        if outcome is not ENDED_SENT:
            deliverable[account] += count
            if outcome is DELIVERED:
                delivered[account] = count
    for account, count in counters.unreachable.items():
        deliverable[account] -= count
    return delivered, deliverable


def _refused(counters: Counters, refusals: Refusals) -> tuple[Counts, Counts]:
    """Return by account what was refused, and what of it was submitted."""
    refused: defaultdict[AccountName, int] = defaultdict(int)
    submitted: defaultdict[AccountName, int] = defaultdict(int)
    for (account, reason), count in refusals.counts().items():
        if reason not in TOLD_ELSEWHERE and not is_as_configured(reason):
            refused[account] += count
    for (account, _, _), count in counters.submits.items():
        submitted[account] += count
    return refused, submitted
