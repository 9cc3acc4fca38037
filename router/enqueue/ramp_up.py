"""An operator that is available again gets its traffic back bit by bit.

While the operator was away, others have carried its messages. When it comes back it may fail again
at once, or be slow with the traffic that it has missed. So it is skipped for a part of each second,
and that part shrinks to nothing: over as long as it was away, and no longer than its `ramp`.

A part of the time, not of the messages: so the operator that has stood in goes on at its own rate
in the meantime, and no message that is queued has to be counted or moved.
"""

from collections.abc import Mapping
from typing import Final

from router.terms.names import OperatorName

_NEVER: Final = float("inf")
PERIOD_S: Final = 1.0
FIRST_SHARE: Final = 0.1
"""Of the first period: enough for some answers, which show whether the operator is well."""
BLIP_S: Final = 5.0
"""An operator that was away for less has lost a connection and is as able as before; and when the
router starts, not all operators are bound at the same moment."""


class _Ramp:
    """The ramp of one operator that has come back."""

    __slots__ = ("away_s", "began_at", "is_on", "lasts_s", "periods", "switches_at")

    def __init__(self, now: float, away_s: float, ramp_s: float) -> None:
        self.away_s = away_s
        self.began_at = now
        self.lasts_s = min(away_s, ramp_s)
        self.periods = 0
        self.is_on = True
        self.switches_at = now + FIRST_SHARE * PERIOD_S

    @property
    def is_over(self) -> bool:
        """Whether the operator has all its traffic back."""
        return self.periods * PERIOD_S >= self.lasts_s

    def switch(self) -> None:
        """Go on to the next phase: the operator is skipped now, or its next period begins."""
        self.is_on = not self.is_on
        period_at = self.began_at + self.periods * PERIOD_S
        if not self.is_on:
            self.periods += 1
            self.switches_at = period_at + PERIOD_S
        else:
            share = max(FIRST_SHARE, self.periods * PERIOD_S / self.lasts_s)
            self.switches_at = period_at + share * PERIOD_S


class RampUp:
    """Which operators have just come back, and which of them are skipped now."""

    def __init__(self, ramps_s: Mapping[OperatorName, float], now: float) -> None:
        self._ramps_s = ramps_s
        self._started_at = now
        self._away_since: dict[OperatorName, float] = {}
        self._here: set[OperatorName] = set()
        self.ramping: dict[OperatorName, _Ramp] = {}
        """The ramps of operators that do not have all their traffic back."""
        self._broken_off: dict[OperatorName, _Ramp] = {}
        """The ramps of operators that are away again: after a blip they go on."""
        self.skipped: set[OperatorName] = set()
        """The operators that get no messages in this part of their period."""
        self._wake_at = _NEVER

    def __contains__(self, operator: object) -> bool:
        """Whether the operator is available, and not only tried."""
        return operator in self._here

    def adopt(self, ramps_s: Mapping[OperatorName, float]) -> list[OperatorName]:
        """Adopt the ramps of another configuration, also for operators that are coming back.

        Return the operators that have all their traffic back because of that.
        """
        self._ramps_s = ramps_s
        for ramps in (self.ramping, self._broken_off):
            for operator, one in ramps.items():
                one.lasts_s = min(one.away_s, ramps_s.get(operator, 0.0))
        over = [operator for operator, one in self.ramping.items() if one.is_over]
        for operator in over:
            del self.ramping[operator]
            self.skipped.discard(operator)
        self._broken_off = {name: one for name, one in self._broken_off.items() if not one.is_over}
        self._set_wake_at()
        return over

    def rename(self, was: OperatorName, now: OperatorName) -> None:
        """Know an operator by its new name: it was not away because of that."""
        if was in self._here:
            self._here.remove(was)
            self._here.add(now)
        if was in self._away_since:
            self._away_since[now] = self._away_since.pop(was)
        for ramps in (self.ramping, self._broken_off):
            if was in ramps:
                ramps[now] = ramps.pop(was)
        if was in self.skipped:
            self.skipped.remove(was)
            self.skipped.add(now)

    def _set_wake_at(self) -> None:
        self._wake_at = min((one.switches_at for one in self.ramping.values()), default=_NEVER)

    def went_away(self, operator: OperatorName, now: float) -> None:
        """Note that an operator is not available."""
        if operator in self._here:
            self._here.remove(operator)
            self._away_since[operator] = now
        one = self.ramping.pop(operator, None)
        if one is not None:
            self._broken_off[operator] = one
        self.skipped.discard(operator)

    def came_back(self, operator: OperatorName, now: float) -> None:
        """Note that an operator is available again. A half-open breaker does not count."""
        self._here.add(operator)
        away_s = now - self._away_since.get(operator, self._started_at)
        ramp_s = self._ramps_s.get(operator, 0.0)
        one = self._broken_off.pop(operator, None)
        if away_s >= BLIP_S:
            one = _Ramp(now, away_s, ramp_s) if ramp_s > 0.0 else None
        if one is not None:
            self.ramping[operator] = one
            self._wake_at = min(self._wake_at, one.switches_at)
            if not one.is_on:
                self.skipped.add(operator)

    def wake_at(self) -> float:
        """Return when `wake` is next needed."""
        return self._wake_at

    def wake(self, now: float) -> list[OperatorName]:
        """Return the operators that are skipped now and were not, or the other way round."""
        if now < self._wake_at:
            return []
        turned: list[OperatorName] = []
        for operator, one in list(self.ramping.items()):
            if one.switches_at > now:
                continue
            turned.append(operator)
            while one.switches_at <= now:
                one.switch()
            if one.is_over:
                del self.ramping[operator]
            (self.skipped.discard if one.is_on else self.skipped.add)(operator)
            if operator not in self.ramping:
                self.skipped.discard(operator)
        self._set_wake_at()
        return turned
