"""How exactly a rate is kept where answers tell little: in batches, at random times, late, stalled.

What counts is when octets reached the operator's machine, which its kernel stamps, and when the
operator read them. All operators are served at the same time, each over one bind.
"""

import argparse
import json
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from benchmarks import stand
from benchmarks.campaign import busy_cores
from benchmarks.processes import Child
from benchmarks.results import Result

SUMMARY: Final = "rates where answers tell little, counted as the operator's kernel stamps them"
RATE: Final = 50
WINDOW: Final = 400


class Case(NamedTuple):
    """One operator."""

    manner: str
    """As `benchmarks.stamped` reads it."""
    least_percent: float
    """The use of the rate, once the operator is known."""
    is_kept: bool = True
    """Whether the operator never reads more than the rate either: no stall is too long for that."""


CASES: Final = (
    Case("steady:20ms", 99.5),
    Case("steady:20ms,stalls:300ms", 0.0),
    Case("batches:500ms", 95.0),
    Case("batches:1s", 95.0),
    Case("batches:1s,stalls:25ms", 95.0),
    Case("random:20ms..60ms", 97.0),
    Case("random:10ms..90ms,stalls:25ms", 97.0),
    Case("random:50ms..250ms,stalls:300ms", 0.0, is_kept=False),
    Case("steady:1s,stalls:25ms", 97.0),
    Case("steady:3s,stalls:25ms", 97.0),
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--seconds", type=float, help="of work (default: 60, quick: 20)")


def run(given: argparse.Namespace) -> Result:
    """Measure."""
    seconds: float = given.seconds or (20.0 if given.quick else 60.0)
    settings: dict[str, object] = {"seconds": seconds, "rate": RATE, "window": WINDOW}
    result = Result("arrivals", settings)
    for name, keep_busy in (("idle", False), ("busy", True)):
        with ExitStack() as stack:
            if keep_busy:
                stack.enter_context(busy_cores())
            rows = _measured(stack, seconds)
        for case in CASES:
            row = rows[case.manner]
            result.at_most(f"{name}: {case.manner}: busiest second", row["at_host"], RATE)
            if case.is_kept:
                result.at_most(f"{name}: {case.manner}: read in a second", row["read"], RATE)
            if not keep_busy and not given.quick:
                what = f"{name}: {case.manner}: use in %"
                result.at_least(what, row["use_percent"], case.least_percent)
        result.numbers[name] = rows
    return result


def _configuration(ports: list[int]) -> dict[str, object]:
    configuration = stand.configuration(ports[0], binds=1, rate=f"{RATE}/s", bind_window=WINDOW)
    operators = configuration["operators"]
    assert isinstance(operators, dict)
    text = json.dumps(operators.pop("op"))
    for place, port in enumerate(ports):
        one = json.loads(text.replace(f":{ports[0]}", f":{port}").replace("op-1", f"op-{place}"))
        operators[f"op{place}"] = one
    configuration["routes"] = [
        {"destination": f"37{place}", "to": [f"op{place}"]} for place in range(len(ports))
    ]
    return configuration


def _measured(stack: ExitStack, seconds: float) -> dict[str, dict[str, float]]:
    folder = Path(stack.enter_context(TemporaryDirectory()))
    command = ["-m", "benchmarks.stamped", *(case.manner for case in CASES)]
    operators = stand.Operator(stack.enter_context(Child("operators", command)), 0)
    ports = operators.child.event("listening")["ports"]
    assert isinstance(ports, list)
    router = stand.router(stack, _configuration(ports), folder)
    router.until_bound(len(CASES))
    count = int(seconds * RATE * len(CASES))
    client = stand.client(
        stack,
        router.port,
        *("--count", str(count), "--window", "2000", "--registered-delivery", "0"),
        *("--destination", "37{9}"),
    )
    stand.well(client, stand.totals_of(client))
    router.until_sent(count)
    times = operators.totals()["operators"]
    assert isinstance(times, list)
    return {
        case.manner: _row(one["arrived"], one["read"])
        for case, one in zip(CASES, times, strict=True)
    }


def _row(arrived: list[float], read: list[float]) -> dict[str, float]:
    """What one operator has counted; the use is that of its second half."""
    begin = len(arrived) // 2
    half = arrived[begin:]
    return {
        "messages": len(arrived),
        "at_host": _busiest(arrived),
        "read": _busiest(read),
        "use_percent": round(100 * (len(half) - 1) / RATE / (half[-1] - half[0]), 2),
        "whole_percent": round(100 * (len(arrived) - 1) / RATE / (arrived[-1] - arrived[0]), 2),
        "longest_step_ms": round(1000 * max(after - at for at, after in pairwise(half)), 1),
    }


def _busiest(times: list[float]) -> int:
    """The most in any second; of two that are exactly a second apart, one is in it."""
    in_order = sorted(times)
    most = first = 0
    for place, at in enumerate(in_order):
        while in_order[first] <= at - 1.0:
            first += 1
        most = max(most, place - first + 1)
    return most
