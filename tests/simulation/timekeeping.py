"""What the router takes the time for, seen from outside: whether it may, and what follows from it.

A router that starts while the wall clock is wrong goes on from the time that its journal knows, and
follows the wall clock when somebody vouches for it (docs/decisions/0018). So what it writes down
bears a time of its own, which `moment` turns into the loop's.
"""

from typing import NamedTuple

from router.steps.clocks import Clocks
from router.terms.clock import CONFIRM_S, LARGEST_S, LONGEST_STOP_S, SMALL_S
from tests.simulation.disk import Disk
from tests.simulation.ledger import Submitted
from tests.simulation.world import START, START_UTC, BrokenPromiseError, Loop

A_TRIFLE_S = 0.001
"""Unix times have no finer fractions than 1e-7 s; sums of them less."""
LOOKS_EVERY_S = 2.5
"""By then the router has looked at the wall clock, also after a stall."""


class Stamp(NamedTuple):
    """When something happened."""

    life: int
    at: float
    """By the loop's clock."""
    utc: float
    """By the router's time."""


class Timekeeping:
    """The router's time in one life after the other."""

    def __init__(self, loop: Loop, disk: Disk) -> None:
        self.loop = loop
        self.disk = disk
        self.life = 0
        self.is_believed_by_command = False
        """A person has just said that the wall clock is right."""
        self._errors: list[tuple[float, float]] = []
        """Since when, in this life, the router's time is wrong by how much."""
        self._is_unsure = False
        """The router does not know how long it stood still."""
        self._wall_error_s = 0.0
        """How wrong the wall clock was when this life began."""
        self._latest_utc: dict[int, float] = {}
        """By life, the latest time that it may have been while that was not known."""

    def begins(self, life: int) -> None:
        """A new life of the router."""
        self.life = life
        self._errors = []
        self._is_unsure = False
        self._wall_error_s = self.loop.wall_error_s

    # Whether it may.

    def look(self, clocks: Clocks) -> None:
        """Called after whatever can have changed the router's time."""
        error_s = clocks.utc() - self.loop.true_utc()
        if abs(error_s) < A_TRIFLE_S:
            error_s = 0.0
        if not self._errors:
            self._begin(error_s)
        elif abs(error_s - self._errors[-1][1]) > A_TRIFLE_S:
            self._change(error_s)
        self.is_believed_by_command = False
        if self._is_unsure:
            latest_utc = self._latest_utc.get(self.life, 0.0)
            self._latest_utc[self.life] = max(latest_utc, self.loop.wall())

    def _begin(self, error_s: float) -> None:
        """The router has read what the journal knows."""
        loop, disk = self.loop, self.disk
        expected_s = self._wall_error_s
        if disk.knows_the_time:
            stop_s = loop.true_utc() + expected_s - disk.known_utc
            if not -SMALL_S <= stop_s <= LONGEST_STOP_S and not loop.is_synchronised:
                expected_s = disk.known_utc - loop.true_utc()
                self._is_unsure = True
        if abs(error_s - expected_s) > A_TRIFLE_S:
            raise BrokenPromiseError(
                f"the router begins with a time that is {error_s} s wrong, not {expected_s}"
            )
        self._errors.append((loop.now, error_s))

    def _change(self, error_s: float) -> None:
        """The router's time has been put forward or back: by the wall clock, and for a reason."""
        loop = self.loop
        if abs(error_s - loop.wall_error_s) > A_TRIFLE_S:
            raise BrokenPromiseError(f"the router's time is {error_s} s wrong, as no clock is")
        ahead_s = error_s - self._errors[-1][1]
        is_vouched_for = (
            loop.is_synchronised
            or self.is_believed_by_command
            or -SMALL_S <= ahead_s <= (LONGEST_STOP_S if self._is_unsure else SMALL_S)
            or (abs(ahead_s) <= LARGEST_S and loop.now - loop.wall_set_at >= CONFIRM_S)
        )
        if not is_vouched_for:
            raise BrokenPromiseError(
                f"the router believes a clock that is {error_s} s wrong, and nobody vouches for it"
            )
        self._errors.append((loop.now, error_s))
        self._is_unsure = False

    @property
    def error_s(self) -> float:
        """How wrong the router's time is now."""
        return self._errors[-1][1] if self._errors else 0.0

    @property
    def is_steady(self) -> bool:
        """Whether the router's time was neither put forward nor back in this life."""
        return len(self._errors) < 2

    # What follows from it.

    def stamp(self) -> Stamp:
        """What time it is now."""
        return Stamp(self.life, self.loop.now, self.loop.true_utc() + self.error_s)

    def moment(self, utc: float) -> float:
        """Return when, by the loop's clock, it was this time by the router's, in this life.

        What is held at the gate while the clock is put right is given its arrival by the right one.
        """
        for since, error_s in reversed(self._errors):
            at = utc - error_s - START_UTC + START
            if since - A_TRIFLE_S <= at <= self.loop.now + A_TRIFLE_S:
                return at
        return utc - self.error_s - START_UTC + START

    def _error_at(self, at: float) -> float:
        """How wrong the router's time was at a moment of this life."""
        earlier = [error_s for since, error_s in self._errors if since <= at + A_TRIFLE_S]
        return earlier[-1] if earlier else self.error_s

    def waited_s(self, since: Stamp, at: float) -> float:
        """Return how long something has waited at this moment, as far as the router can know.

        No correction of the clock makes it longer.
        """
        if since.life == self.life:
            return at - since.at
        return at - START + START_UTC + self._errors[0][1] - since.utc

    def ends_at(self, message: Submitted, at: float) -> float:
        """Return when a message's validity ends, by the loop's clock, as it is known at a moment.

        What this process has accepted is judged by the monotonic clock; what an earlier one has
        accepted by the router's time. Where that is put back all may wait for so much longer.
        """
        if message.accepted.life != self.life:
            return message.expires_utc - self._error_at(at) - START_UTC + START
        ends_at = message.accepted.at + message.validity_s
        for (_, before_s), (since, after_s) in zip(self._errors, self._errors[1:], strict=False):
            by_s = after_s - before_s
            if message.accepted.at < since <= at + A_TRIFLE_S and by_s <= SMALL_S:
                ends_at -= by_s
        return ends_at

    def has_come(self, utc: float) -> bool:
        """Whether it was this time by the router's, in this life."""
        ends = [since for since, _ in self._errors[1:]]
        latest_utc = max(
            until - START + START_UTC + error_s
            for (_, error_s), until in zip(self._errors, [*ends, self.loop.now], strict=True)
        )
        return latest_utc >= utc - A_TRIFLE_S

    def has_lost_its_place(self, message: Submitted) -> bool:
        """Whether a message may have waited aside, or only a correction says that it is over."""
        return self.stamp().utc > message.expires_utc or any(
            life > message.accepted.life and message.expires_utc <= latest_utc + 1.0
            for life, latest_utc in self._latest_utc.items()
        )

    def may_be_over(self, message: Submitted) -> bool:
        """Whether only a clock that is not believed says that a message's validity has passed."""
        return (
            self._is_unsure
            and message.accepted.life != self.life
            and self.loop.now - self.loop.wall_set_at > LOOKS_EVERY_S
            and self.loop.wall() > message.expires_utc + 1.0
        )
