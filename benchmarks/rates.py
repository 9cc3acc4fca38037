"""How exactly rates are kept, and how much of them is used: rates, binds and round trips.

What counts is what the simulated operator sees arrive: it accepts everything, and counts. Each case
is run with the machine as it is, and with every core kept busy.
"""

import argparse
from contextlib import ExitStack
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from benchmarks import stand
from benchmarks.campaign import busy_cores
from benchmarks.processes import number
from benchmarks.results import Result

SUMMARY: Final = "use of the rate and the busiest second: 5 to 2,000/s, 1 to 200 binds, 1 to 500 ms"
LEAST_USE: Final = 99.5
FEWEST: Final = 60
"""Messages of a bind. Until its round trip is known, after eight answers, it goes a little slower;
with fewer messages that would be most of what is measured."""


class Case(NamedTuple):
    """One row of the table."""

    rate: int
    """Of each bind, per second."""
    binds: int
    round_trip_ms: int

    @property
    def name(self) -> str:
        """As the table has it."""
        return f"{self.binds} x {self.rate}/s, {self.round_trip_ms} ms"

    @property
    def window(self) -> int:
        """Twice what is under way at this rate."""
        return max(10, ceil(2 * self.rate * self.round_trip_ms / 1000))


CASES: Final = (
    Case(10, 1, 20),
    Case(50, 3, 1),
    Case(50, 3, 500),
    Case(100, 2, 100),
    Case(500, 2, 20),
    Case(2000, 1, 5),
    Case(5, 200, 20),
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--seconds", type=float, help="of each case (default: 5, quick: 2)")


def run(given: argparse.Namespace) -> Result:
    """Measure."""
    seconds: float = given.seconds or (2.0 if given.quick else 5.0)
    result = Result("rates", {"seconds": seconds, "cases": [case.name for case in CASES]})
    for name, keep_busy in (("idle", False), ("busy", True)):
        rows: dict[str, object] = {}
        for case in CASES:
            with ExitStack() as stack:
                if keep_busy:
                    stack.enter_context(busy_cores())
                rows[case.name] = row = _measured(stack, case, seconds)
            result.at_most(f"{name}: {case.name}: busiest second", row["busiest"], case.rate)
            if not keep_busy:
                result.at_least(f"{name}: {case.name}: use in %", row["use_percent"], LEAST_USE)
        result.numbers[name] = rows
    return result


def _measured(stack: ExitStack, case: Case, seconds: float) -> dict[str, float]:
    folder = Path(stack.enter_context(TemporaryDirectory()))
    options = ("--latency", f"{case.round_trip_ms}ms", "--receipts", "none:1")
    operator = stand.operator(stack, *options)
    configuration = stand.configuration(
        operator.port, binds=case.binds, rate=f"{case.rate}/s", bind_window=case.window
    )
    router = stand.router(stack, configuration, folder)
    router.until_bound(case.binds)
    count = case.binds * max(FEWEST, int(case.rate * seconds))
    client = stand.client(
        stack,
        router.port,
        *("--count", str(count), "--window", "2000", "--registered-delivery", "0"),
    )
    stand.well(client, stand.totals_of(client))
    router.until_sent(count)
    binds = operator.totals()["binds"]
    assert isinstance(binds, list)
    submits = sum(number(bind, "submits") for bind in binds)
    first = min(number(bind, "first_submit_s") for bind in binds)
    last = max(number(bind, "last_submit_s") for bind in binds)
    # The first message of each bind is where its time begins.
    used = (submits - case.binds) / (case.binds * case.rate) / (last - first)
    return {
        "busiest": max(number(bind, "busiest_second") for bind in binds),
        "use_percent": round(100 * used, 2),
    }
