"""Messages per second with receipts for all, and what one costs the router's process.

The client keeps its windows full, the operator answers and sends its receipts at once: whoever is
slowest decides, which on a machine of two cores may be a simulator. So the cost per message says
more than the rate.
"""

import argparse
import pstats
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import stand
from benchmarks.processes import ROOT, number
from benchmarks.results import Result, spread

SUMMARY: Final = "messages per second, and CPU of the router per message, with receipts"
RATES_PER_S: Final = {"memory": 10_000.0, "sqlite": 8_000.0}
COSTS_US: Final = {"memory": 45.0, "sqlite": 60.0}
BINDS: Final = 2
WARM_UP: Final = 2_000
"""Before the measured messages: rates have their slots free, and the code has been run."""
SHOWN: Final = 25


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--count", type=int, help="messages (default: 100000, quick: 20000)")
    parser.add_argument("--window", type=int, default=100, help="of each client bind; default 100")
    parser.add_argument("--journal", choices=stand.JOURNALS, default="memory")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="so many runs")
    parser.add_argument(
        "--profile",
        action="store_true",
        help="run the router under cProfile and show where the time goes; bounds do not count",
    )


def run(given: argparse.Namespace) -> Result:
    """Measure, as often as asked for."""
    count: int = given.count or (20_000 if given.quick else 100_000)
    journal: str = given.journal
    result = Result(
        "throughput" if journal == "memory" else f"throughput-{journal}",
        {
            "count": count,
            "client_binds": BINDS,
            "client_window": given.window,
            "operator_binds": BINDS,
            "journal": journal,
            "message_log": "0%",
            "profile": given.profile,
        },
    )
    runs = [_run(count, given.window, journal, given.profile) for _ in range(given.repeat)]
    result.numbers = {key: spread([one[key] for one in runs]) for key in runs[0]}
    result.settings["runs"] = given.repeat
    if not given.profile:
        rate_per_s = median(one["rate_per_s"] for one in runs)
        result.at_least("messages per second", rate_per_s, RATES_PER_S[journal])
        router_us = median(one["router_us"] for one in runs)
        result.at_most("router us per message", router_us, COSTS_US[journal])
    return result


def _run(count: int, window: int, journal: str, profile: bool) -> dict[str, float]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        operator = stand.operator(stack, "--latency", "0ms", "--receipt-delay", "0ms")
        profile_path = folder / "profile" if profile else None
        configuration = stand.configuration(operator.port, binds=BINDS, journal=journal)
        router = stand.router(stack, configuration, folder, profile=profile_path)
        router.until_bound(BINDS)
        options = ["--binds", str(BINDS), "--window", str(window)]
        warm_up = stand.client(stack, router.port, *options, "--count", str(WARM_UP))
        stand.well(warm_up, stand.totals_of(warm_up))
        meter, operator_meter = stand.Meter(router.child), stand.Meter(operator.child)
        client = stand.client(stack, router.port, *options, "--count", str(count))
        seen = stand.totals_of(client)
        cost, operator_cost = meter.cost(count), operator_meter.cost(count)
        stand.well(client, seen)
        router.child.stop()
        if profile_path is not None:
            show_profile(profile_path, count + WARM_UP)
        return {
            "rate_per_s": number(seen, "rate_per_s"),
            "router_us": cost.both_us,
            "router_user_us": cost.user_us,
            "router_system_us": cost.system_us,
            "router_resident_mb": cost.resident_mb,
            "router_grown_mb": cost.grown_mb,
            "client_us": number(seen, "cpu_us_per_message"),
            "operator_us": operator_cost.both_us,
        }


def show_profile(path: Path, messages: int) -> None:
    """Print where the time of the loop's thread went, by file and by function, in us per message.

    cProfile makes calls dearer than they are: what calls much looks worse than it is. Starting up
    is in it too, and the loop itself (asyncio/runners.py), which is mostly waiting.
    """
    entries: list[tuple[str, int, str, int, float]] = [
        (file, line, function, calls, own_s)
        for (file, line, function), (_, calls, own_s, *_) in _statistics(path).items()
    ]
    by_file: defaultdict[str, float] = defaultdict(float)
    for file, _, _, _, own_s in entries:
        by_file[_short(file)] += own_s
    print("\n  us per message under cProfile, by file")
    for name, own_s in sorted(by_file.items(), key=lambda item: -item[1])[:SHOWN]:
        print(f"  {own_s / messages * 1e6:8.2f}  {name}")
    print("\n  by function (us, calls per message)")
    for file, line, function, calls, own_s in sorted(entries, key=lambda e: -e[4])[:SHOWN]:
        place = f"{_short(file)}:{line}" if line else _short(file)
        print(f"  {own_s / messages * 1e6:8.2f} {calls / messages:7.2f}  {place} {function}")


def _statistics(path: Path) -> dict[tuple[str, int, str], tuple[int, int, float, float, object]]:
    statistics = pstats.Stats(str(path))
    found: dict[tuple[str, int, str], tuple[int, int, float, float, object]] = vars(statistics)[
        "stats"
    ]
    return found


def _short(file: str) -> str:
    """Return a path from the repository or from site-packages on; `~` is written in C."""
    if file == "~":
        return "(in C)"
    if file.startswith(f"{ROOT}/router"):
        return file.removeprefix(f"{ROOT}/")
    return "/".join(Path(file).parts[-2:])
