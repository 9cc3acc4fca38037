"""How well operators deliver: of their last outcomes per country and lane, and of each day.

    outcomes      what the operator said of a message, or did not say though it was asked to
    deliverable   those that it does not call unreachable: the number is no fault of the operator
    delivered     those that it calls delivered, of the deliverable ones
    time          from a message's acceptance to its receipt of delivery

What the router ended by itself (a validity that passed in a queue, a doubt) says nothing of an
operator, and neither does a message whose client asked for no receipt, or for one of failure alone.

A receipt of delivery that came faster than a telephone can answer counts as delivered, for the
operator says so, and apart, because it is hardly true; its time is left out.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from router.terms.message import FINAL_BITS, Message
from router.terms.names import NO_COUNTRY, LaneName, OperatorName
from router.terms.outcome import DELIVERED, Evidence, Outcome

LAST: Final = 1_000
"""So many outcomes of an operator, country and lane are looked at: one in a hundred is seen."""
ENOUGH: Final = 50
"""A share of fewer outcomes is not told: one more or less would be worth more than 2 %."""
MOST_CELLS: Final = 2_000
"""Operators, countries and lanes that are counted apart, some 3 KiB each. Those that come later
count as of no country."""
MOST_DAYS: Final = 2
"""Days that wait for somebody to take them; older ones are forgotten."""
TOO_FAST_S: Final = 0.5
"""From the writing of a message to its receipt. Before the answer of a telephone come the question
where it is (0.1 s or more), paging, for which it wakes each 0.64 to 2.56 s, and the radio. One that
is in use can be that fast, but not most. Not from the operator's answer: some answer when they have
delivered."""
DAY_S: Final = 86_400.0

BOUNDS_S: Final[tuple[float, ...]] = tuple(0.1 * 2.0 ** (step / 3) for step in range(64))
"""Of the time to a receipt: three for each doubling, from 0.1 s to 2.4 days."""

# How an outcome is counted; those above DELIVERED_AT are delivered, by the place of their time.
_NOTHING: Final = 0  # A place of the window that is not used yet.
_UNREACHABLE: Final = 1
_FAILED: Final = 2
_SILENT: Final = 3
_TOO_FAST: Final = 4
_DELIVERED_AT: Final = 5
_KINDS: Final = _DELIVERED_AT + len(BOUNDS_S) + 1

_LAST_NUMBER: Final = LAST - 1
_place: Final = bisect_left

Key = tuple[OperatorName, str, LaneName]
"""Operator, country, lane."""


class Sums:
    """What was counted of outcomes. Sums of several operators, countries or lanes can be added."""

    __slots__ = ("delivered", "never_receipted", "outcomes", "times", "too_fast", "unreachable")

    def __init__(self, counts: list[int]) -> None:
        """`counts` are by kind, as a cell has them."""
        times = counts[_DELIVERED_AT:]
        self.times: Final = times
        """Receipts of delivery by time: under each of BOUNDS_S, and beyond."""
        self.too_fast: Final = counts[_TOO_FAST]
        self.unreachable: Final = counts[_UNREACHABLE]
        self.never_receipted: Final = counts[_SILENT]
        """They were to have a receipt, and have none."""
        self.delivered: Final = sum(times) + counts[_TOO_FAST]
        self.outcomes: Final = (
            self.delivered + counts[_UNREACHABLE] + counts[_FAILED] + counts[_SILENT]
        )

    @property
    def deliverable(self) -> int:
        """How many could be delivered."""
        return self.outcomes - self.unreachable

    @property
    def deliverable_share(self) -> float | None:
        """Deliverable of all; None without any."""
        return self.deliverable / self.outcomes if self.outcomes else None

    @property
    def delivered_share(self) -> float | None:
        """Delivered of the deliverable; None without any."""
        return self.delivered / self.deliverable if self.deliverable else None

    @property
    def never_receipted_share(self) -> float | None:
        """Never receipted of the deliverable; None without any."""
        return self.never_receipted / self.deliverable if self.deliverable else None

    @property
    def too_fast_share(self) -> float | None:
        """Too fast of the delivered; None without any."""
        return self.too_fast / self.delivered if self.delivered else None

    def within_s(self, share: float) -> float | None:
        """Return the time within which this share was delivered, in seconds; None without any."""
        return within_s(self.times, share)


def within_s(times: Sequence[int], share: float) -> float | None:
    """Return the time within which this share of receipts came, in seconds; None without any.

    `times` are counts as `Sums.times` has them. Right to a quarter: it lies somewhere between two
    of BOUNDS_S.
    """
    wanted = share * sum(times)
    if not wanted:
        return None
    low_s, before = 0.0, 0
    for bound_s, count in zip(BOUNDS_S, times, strict=False):
        if before + count >= wanted:
            return low_s + (bound_s - low_s) * (wanted - before) / count
        low_s, before = bound_s, before + count
    return low_s


class DaySums:
    """One day of one operator, country and lane. Two of the same day are added up."""

    __slots__ = ("country", "day", "lane", "operator", "sums")

    def __init__(self, day: int, key: Key, sums: Sums) -> None:
        self.day: Final = day
        """Days since the first of 1970, UTC."""
        self.operator, self.country, self.lane = key
        self.sums: Final = sums


class _Cell:
    """The last outcomes of one operator, country and lane, and those of today."""

    __slots__ = ("at", "counts", "last", "latest_at", "today")

    def __init__(self) -> None:
        self.last: Final = bytearray(LAST)
        """How each was counted, in a ring."""
        self.at = 0
        """The oldest of them."""
        self.counts: Final = [LAST] + [0] * (_KINDS - 1)
        """Of `last`, by kind."""
        self.today: list[int] = [0] * _KINDS
        self.latest_at = 0.0
        """When the latest was counted."""


class Quality:
    """The outcomes of all operators."""

    __slots__ = ("_cells", "_country_of", "_day", "_day_ends_utc", "_ended")

    def __init__(self, country_of: Callable[[bytes], str]) -> None:
        """`country_of` tells the country of an address (TON, NPI, number, NUL)."""
        self._country_of: Final = country_of
        self._cells: Final[dict[Key, _Cell]] = {}
        self._day = 0
        self._day_ends_utc = 0.0
        self._ended: list[DaySums] = []
        """Of days that are over, until they are taken."""

    def count(
        self,
        message: Message,
        outcome: Outcome,
        evidence: Evidence,
        at_utc: float,
        now: float,
        destination: bytes = b"",
    ) -> None:
        """Count an outcome for which there is evidence.

        `destination` is that of the message, where its client has not written the country code.
        """
        if message.operator is None or message.registered_delivery & FINAL_BITS != 1:
            return
        if outcome is DELIVERED:
            if evidence is _FAST:
                kind = _TOO_FAST
            else:
                kind = _DELIVERED_AT + _place(BOUNDS_S, now - message.accepted_at)
        elif evidence is _NO_NUMBER:
            kind = _UNREACHABLE
        else:
            kind = _SILENT if evidence is _SILENCE else _FAILED
        if at_utc >= self._day_ends_utc:
            self._begin_day(at_utc)
        destination = destination or message.destination_octets
        key = message.operator, self._country_of(destination), message.lane
        cell = self._cells.get(key)
        if cell is None:
            cell = self._new_cell(key)
        last, at, counts = cell.last, cell.at, cell.counts
        counts[last[at]] -= 1
        counts[kind] += 1
        last[at] = kind
        cell.at = at + 1 if at < _LAST_NUMBER else 0
        cell.today[kind] += 1
        cell.latest_at = now

    def _new_cell(self, key: Key) -> _Cell:
        """Return the cell of what was not counted yet; that of no country if there are too many."""
        if len(self._cells) >= MOST_CELLS:
            key = key[0], NO_COUNTRY, key[2]
        return self._cells.setdefault(key, _Cell())

    # Of the last outcomes.

    def by_lane(self) -> dict[Key, Sums]:
        """Return the last outcomes by operator, country and lane. For any thread."""
        return {key: Sums(cell.counts.copy()) for key, cell in self._cells.copy().items()}

    def by_country(self) -> dict[tuple[OperatorName, str], Sums]:
        """Return the last outcomes by operator and country. For any thread."""
        cells = self._cells.copy().items()
        return _added(((key[0], key[1]), cell.counts.copy()) for key, cell in cells)

    def by_operator(self) -> dict[OperatorName, Sums]:
        """Return the last outcomes by operator. For any thread."""
        cells = self._cells.copy().items()
        found = _added(((key[0], ""), cell.counts.copy()) for key, cell in cells)
        return {name: sums for (name, _), sums in found.items()}

    def latest(self) -> dict[OperatorName, float]:
        """Return when the latest outcome of each operator was counted. For any thread."""
        found: dict[OperatorName, float] = {}
        for key, cell in self._cells.copy().items():
            found[key[0]] = max(cell.latest_at, found.get(key[0], 0.0))
        return found

    # Of each day.

    def take_days(self) -> list[DaySums]:
        """Return what was counted since the last call, by day, and begin anew.

        For records: call it every minute or so, and add to what the day has. In the loop's thread.
        """
        taken = self._ended
        self._ended = []
        self._take_today(taken)
        return taken

    def _begin_day(self, at_utc: float) -> None:
        self._take_today(self._ended)
        self._day = int(at_utc // DAY_S)
        self._day_ends_utc = (self._day + 1) * DAY_S
        self._ended = [one for one in self._ended if one.day >= self._day - MOST_DAYS]

    def _take_today(self, taken: list[DaySums]) -> None:
        for key, cell in self._cells.items():
            if any(cell.today):
                taken.append(DaySums(self._day, key, Sums(cell.today)))
                cell.today = [0] * _KINDS

    # Operators come and go.

    def rename(self, was: OperatorName, now: OperatorName) -> None:
        """Count an operator's outcomes under its new name."""
        self._take_today(self._ended)
        for key in [key for key in self._cells if key[0] == was]:
            self._cells[now, key[1], key[2]] = self._cells.pop(key)

    def forget(self, operator: OperatorName) -> None:
        """Forget an operator that is gone; its day is not over."""
        self._take_today(self._ended)
        for key in [key for key in self._cells if key[0] == operator]:
            del self._cells[key]


def _added(
    counted: Iterable[tuple[tuple[OperatorName, str], list[int]]],
) -> dict[tuple[OperatorName, str], Sums]:
    """Return the sums of those that have the same key."""
    sums: dict[tuple[OperatorName, str], list[int]] = {}
    for key, counts in counted:
        before = sums.get(key)
        sums[key] = counts if before is None else [a + b for a, b in zip(before, counts)]  # noqa: B905 - Both are by kind.
    return {key: Sums(counts) for key, counts in sums.items()}


# Before Python 3.12 a member of an enum costs five globals.
_FAST: Final = Evidence.TOO_FAST
_NO_NUMBER: Final = Evidence.UNREACHABLE
_SILENCE: Final = Evidence.SILENCE
