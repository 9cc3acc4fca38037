"""A campaign through rate-limited binds: how long it takes, and the busiest second at the operator.

Run twice: with the machine as it is, and with every core kept busy by a process that only counts.
"""

import argparse
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import stand
from benchmarks.processes import Child, number, until
from benchmarks.results import Result

SUMMARY: Final = "1,000 messages over 3 binds of 50/s, idle and with every core busy"
SLACK: Final = 1.0125
"""What the demonstration's 6.75 s are over 1,000 / 150. The first second is worth a little more
than its rate: a bind that has rested may catch up a tenth of a second at once."""
RECEIPTS_S: Final = 60.0
BINDS: Final = 3


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--count", type=int, help="messages (default: 1000)")
    parser.add_argument("--binds", type=int, default=BINDS, help="default: 3")
    parser.add_argument("--rate", type=int, default=50, help="of each bind, per second; default 50")


def run(given: argparse.Namespace) -> Result:
    """Measure; the operator strictly refuses what is above the rate, and counts it."""
    count: int = given.count or (300 if given.quick else 1000)
    size = "" if given.binds == BINDS else f"-{given.binds}x{given.rate}"  # Kept beside it.
    settings: dict[str, object] = {"count": count, "binds": given.binds, "rate": given.rate}
    result = Result(f"campaign{size}", settings)
    for name, keep_busy in (("idle", False), ("busy", True)):
        with ExitStack() as stack:
            if keep_busy:
                stack.enter_context(busy_cores())
            numbers = _campaign(stack, count, given.binds, given.rate)
        result.numbers[name] = numbers
        for what in ("accepted", "at_operator", "receipted"):
            result.at_least(f"{name}: {what}", number(numbers, what), count)
        result.at_most(f"{name}: busiest second of a bind", number(numbers, "busiest"), given.rate)
    ideal_s = count / (given.binds * given.rate)
    span_s = number(result.numbers, "idle", "span_s")
    result.at_most("idle: span in seconds", span_s, round(ideal_s * SLACK, 4))
    return result


def _campaign(stack: ExitStack, count: int, binds: int, rate: int) -> dict[str, object]:
    folder = Path(stack.enter_context(TemporaryDirectory()))
    # The simulator accepts more than the contract: what the router sends is counted, not cut.
    options = ["--latency", "20ms", "--receipt-delay", "100ms..500ms"]
    operator = stand.operator(stack, *options)
    configuration = stand.configuration(
        operator.port, binds=binds, rate=f"{rate}/s", bind_window=max(20, rate)
    )
    router = stand.router(stack, configuration, folder)
    router.until_bound(binds)
    client = stand.client(
        stack,
        router.port,
        *("--binds", "2", "--window", "100", "--count", str(count)),
        *("--wait-receipts", f"{RECEIPTS_S + 2 * count / (binds * rate):g}s"),
    )
    seen = stand.totals_of(client)
    stand.well(client, seen)
    counted = operator.totals()
    span_s = number(counted, "span_s")
    per_bind = counted["binds"]
    assert isinstance(per_bind, list)
    return {
        "accepted": seen["accepted"],
        "at_operator": counted["distinct"],
        "repeated": counted["repeated"],
        "receipted": seen["receipted"],
        "span_s": span_s,
        "busiest": max(int(number(bind, "busiest_second")) for bind in per_bind),
        "busiest_by_bind": [bind["busiest_second"] for bind in per_bind],
    }


def _counts(hog: Child) -> bool:
    return hog.cpu().user_s > 0.1


@contextmanager
def busy_cores() -> Iterator[None]:
    """Keep every core busy, as if something else lived on the machine."""
    with ExitStack() as stack:
        hogs = [
            stack.enter_context(Child("busy loop", ["-c", "while True: pass"]))
            for _ in range(os.cpu_count() or 1)
        ]
        for hog in hogs:  # They count, and are not still starting.
            until("a busy loop", partial(_counts, hog))
        yield
