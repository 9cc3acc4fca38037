"""router/forward/pool.py: many binds of one operator that begin together, in a router that is busy.

A turn of the loop takes the longer the more it writes, the operator counts one message after the
other, and answers are read when the loop comes to it. So binds wait for each other, at the same
moments, and what is late because of that must not be taken for the way.
"""

from collections import defaultdict
from heapq import heappop, heappush
from random import Random

import pytest

from router.forward.pool import Attempt, Bind, Operator
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.session import Session
from router.terms.limits import Rate
from router.terms.names import BindName, OperatorName
from router.terms.settings import Address, BindSettings, OperatorSettings
from tests.unit.forward.test_pool import come_up, message

START = 100.0
WRITE_S = 0.000_04
"""What one message costs the router: to pull and to write."""
COUNT_S = 0.000_03
"""What one costs the operator."""
READ_S = 0.000_05
WAY_S = 0.000_1
LATENCY_S = 0.02


class Busy:
    """A router with one operator, and always something to send."""

    def __init__(self, rate: Rate, binds: int, random: Random) -> None:
        settings = tuple(
            BindSettings(
                name=BindName(f"b-{n}"),
                addresses=(Address(host="smsc", port=2775),),
                system_id="agg",
                password="pw",
                rate=rate,
                window=100,
            )
            for n in range(binds)
        )
        self.operator = Operator(OperatorSettings(name=OperatorName("o"), binds=settings), START)
        self.random = random
        self.sessions: dict[Bind, Session] = {}
        for bind in self.operator.binds:
            bind.address = "smsc:2775"
            self.sessions[bind] = come_up(bind, START)
        self.arrivals: defaultdict[Bind, list[float]] = defaultdict(list)
        self._answers: list[tuple[float, int, Attempt, int]] = []
        self._order = 0
        self._counts_until = START

    def run(self, seconds: float) -> None:
        now = START + 1.1  # Each slot of each rate is free by then.
        while now < START + 1.1 + seconds:
            now = self._turn(now)

    def _turn(self, now: float) -> float:
        """One turn of the loop that begins now; return when the next one does."""
        took_s = 0.0
        while self._answers and self._answers[0][0] <= now:
            _, _, attempt, number = heappop(self._answers)
            self._hear(attempt, number, now)
            took_s += READ_S
        written: list[Attempt] = []
        while (bind := self.operator.ready_bind(now)) is not None:
            one = message()
            self.operator.send(bind, one, one.octets, now)
            newest = next(reversed(self.sessions[bind].unanswered.values()))[1]
            assert isinstance(newest, Attempt)
            written.append(newest)
            took_s += WRITE_S
        after = now + took_s
        for attempt in written:
            self._leave(attempt, after)
        next_at = min(self.operator.ready_at, self._answers[0][0] if self._answers else 1e9)
        return max(after, next_at) + self.random.uniform(0.0, 0.000_3)

    def _hear(self, attempt: Attempt, number: int, now: float) -> None:
        bind = attempt.bind
        octets = p.response(v.SUBMIT_SM, number, body=b"1\0")
        self.sessions[bind].receive(octets, now)
        self.operator.attempt_ended(attempt, now, answered=True)

    def _leave(self, attempt: Attempt, now: float) -> None:
        attempt.batch.left_at = now
        attempt.bind.batch = None
        self._counts_until = arrived_at = max(self._counts_until, now + WAY_S) + COUNT_S
        self.arrivals[attempt.bind].append(arrived_at)
        (number,) = (
            n for n, one in self.sessions[attempt.bind].unanswered.items() if one[1] is attempt
        )
        self._order += 1
        answered_at = arrived_at + LATENCY_S + WAY_S
        heappush(self._answers, (answered_at, self._order, attempt, number))


@pytest.mark.parametrize("seed", range(3))
def test_no_bind_is_above_its_rate_although_all_wait_for_each_other(seed: int) -> None:
    busy = Busy(Rate(5, 1.0), 200, Random(seed))
    busy.run(5.0)
    for times in busy.arrivals.values():
        assert len(times) > 20
        assert all(later - first >= 1.0 for first, later in zip(times, times[5:], strict=False))
