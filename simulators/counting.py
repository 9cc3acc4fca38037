"""What is counted and timed: the busiest second, an allowance, what is due when, percentiles.

Time is an argument in monotonic seconds. Arrivals that were read at once have one time and are
counted at once, so that a count costs per read and not per message.
"""

from collections import deque
from collections.abc import Sequence
from heapq import heappop, heappush
from math import ceil
from typing import Final, Generic, TypeVar

from router.terms.limits import Rate

T = TypeVar("T")

NEVER: Final = float("inf")


class SlidingSecond:
    """How many arrived in the busiest second, wherever that second begins.

    Two arrivals exactly one second apart are not in the same second.
    """

    __slots__ = ("_inside", "_seen", "busiest")

    def __init__(self) -> None:
        self.busiest = 0
        self._inside = 0
        self._seen: deque[tuple[float, int]] = deque()

    def add(self, now: float, count: int) -> None:
        """`count` arrived at `now`."""
        seen = self._seen
        seen.append((now, count))
        inside = self._inside + count
        begins = now - 1.0
        while seen[0][0] <= begins:
            inside -= seen.popleft()[1]
        self._inside = inside
        if inside > self.busiest:
            self.busiest = inside


class Allowance:
    """At most the rate's count taken in any of its sliding spans of time; strictly, no burst."""

    __slots__ = ("_count", "_per_s", "_taken")

    def __init__(self, rate: Rate) -> None:
        self._count = rate.count
        self._per_s = rate.per_s
        self._taken: deque[float] = deque(maxlen=rate.count)

    def has_room(self, now: float) -> bool:
        """Return whether one more may be taken."""
        taken = self._taken
        return len(taken) < self._count or now - taken[0] >= self._per_s

    def take(self, now: float) -> None:
        """One more was taken; the one that is `count` before it no longer matters."""
        self._taken.append(now)


class Schedule(Generic[T]):
    """What is due when, in ticks: a bucket per tick, so that many at once cost as little as one.

    A heap of single items costs 15 comparisons for each of 30,000 receipts on their way.
    """

    __slots__ = ("_buckets", "_count", "_per_s", "_ticks")

    def __init__(self, tick_s: float) -> None:
        self._per_s = 1.0 / tick_s
        self._buckets: dict[int, list[T]] = {}
        self._ticks: list[int] = []
        self._count = 0

    def add(self, due_at: float, item: T) -> None:
        """`item` is due at `due_at`, or up to a tick later."""
        tick = ceil(due_at * self._per_s)
        bucket = self._buckets.get(tick)
        if bucket is None:
            self._buckets[tick] = [item]
            heappush(self._ticks, tick)
        else:
            bucket.append(item)
        self._count += 1

    def due(self, now: float) -> list[T]:
        """Remove and return what is due, the earliest first."""
        ticks = self._ticks
        last = now * self._per_s
        found: list[T] = []
        while ticks and ticks[0] <= last:
            found += self._buckets.pop(heappop(ticks))
        self._count -= len(found)
        return found

    def next_at(self) -> float:
        """Return when something is due next."""
        return self._ticks[0] / self._per_s if self._ticks else NEVER

    def __len__(self) -> int:
        return self._count


class Weighted(Generic[T]):
    """One of several, by weight. The caller brings the chance: a number from 0 up to 1."""

    __slots__ = ("_bounds", "_last", "_only")

    def __init__(self, weights: Sequence[tuple[T, float]]) -> None:
        whole = sum(weight for _, weight in weights)
        bounds: list[tuple[float, T]] = []
        below = 0.0
        for item, weight in weights:
            below += weight / whole
            bounds.append((below, item))
        self._bounds = bounds
        self._last = next(item for item, weight in reversed(weights) if weight)
        self._only = sum(1 for _, weight in weights if weight) == 1

    @property
    def certain(self) -> bool:
        """Whether there is no choice."""
        return self._only

    def pick(self, chance: float) -> T:
        """Return the one that `chance` falls on."""
        for bound, item in self._bounds:
            if chance < bound:
                return item
        return self._last  # The sum of the parts may miss 1 by a rounding.


def percentile(ascending: Sequence[float], percent: float) -> float:
    """The smallest value that at least so many percent do not exceed; 0 where there is none."""
    if not ascending:
        return 0.0
    # Rounded before: 99.9 % of 1,000 is 999 and not, by a float's doing, 1,000.
    return ascending[max(0, ceil(round(len(ascending) * percent / 100.0, 6)) - 1)]


def summary_ms(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p99, p99.9 and the largest, in milliseconds."""
    ascending = sorted(seconds)
    return {
        "p50": round(percentile(ascending, 50.0) * 1000, 3),
        "p99": round(percentile(ascending, 99.0) * 1000, 3),
        "p99.9": round(percentile(ascending, 99.9) * 1000, 3),
        "max": round(ascending[-1] * 1000, 3) if ascending else 0.0,
    }
