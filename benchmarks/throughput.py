"""Messages per second, and what one costs the router's process from the first to the last.

The client keeps its windows full, the operator answers and sends its receipts at once: whoever is
slowest decides, which on a machine of two cores may be a simulator. So the cost per message says
more than the rate. It must not grow: the last slice of a run is compared with the second.
"""

import argparse
import pstats
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Final

from benchmarks import stand
from benchmarks.load import WARM_UP, Case, Measured, measure
from benchmarks.processes import ROOT, Child, ChildError
from benchmarks.results import Result, spread

SUMMARY: Final = "messages per second, and CPU of the router per message, slice by slice"
COUNT: Final = 250_000
SLICE: Final = 50_000
FEWEST_SLICES: Final = 5
LAST_TO_SECOND: Final = 1.1
"""A slice of a run whose cost per message is flat."""
RATES_PER_S: Final = {"memory": 10_000.0, "sqlite": 8_000.0}
COSTS_US: Final = {"memory": 45.0, "sqlite": 60.0}
PROVIDER: Final = 1.25
"""What a message may cost with everything on, to what it costs with nothing."""
SHOWN: Final = 25


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    case_arguments(parser)
    parser.add_argument("--repeat", type=int, metavar="N", help="runs (default: 3, quick: 1)")
    parser.add_argument(
        "--as-provider",
        action="store_true",
        help="with all that a provider has on: records, a trace of a number, a scrape a second;"
        " each run beside one without",
    )
    parser.add_argument(
        "--profile",
        action="store_true",
        help="run the router under cProfile and show where the time goes; bounds do not count",
    )


def case_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what is sent."""
    parser.add_argument("--count", type=int, help="messages (default: 250000, quick: 20000)")
    parser.add_argument("--window", type=int, default=100, help="of each client bind; default 100")
    parser.add_argument("--journal", choices=stand.JOURNALS, default="memory")
    parser.add_argument("--receipts", choices=("yes", "no"), default="yes", help="default: yes")
    parser.add_argument(
        "--binds", type=int, default=1, help="of the client, and of the operator; default 1"
    )


def case_of(given: argparse.Namespace) -> Case:
    """Return what these options ask for."""
    return Case(
        journal=given.journal,
        receipts=given.receipts == "yes",
        client_binds=given.binds,
        operator_binds=given.binds,
        window=given.window,
    )


def run(given: argparse.Namespace) -> Result:
    """Measure, as often as asked for."""
    count: int = given.count or (20_000 if given.quick else COUNT)
    repeat: int = given.repeat or (1 if given.quick or given.profile else 3)
    case = case_of(given)
    if given.as_provider:
        return _as_provider(replace(case, journal="sqlite"), count, repeat)
    each = min(SLICE, max(1, count // FEWEST_SLICES))
    settings = {"count": count, "slice": each, "runs": repeat, "profile": given.profile}
    journal = "" if case.journal == "memory" else f"-{case.journal}"
    result = Result(f"throughput{journal}{case.suffix}", {**case.settings(), **settings})
    with TemporaryDirectory() as folder:
        profile = Path(folder) / "profile" if given.profile else None
        runs = [measure(case, count, each, profile=profile) for _ in range(repeat)]
        if profile is not None:
            show_profile(profile, count + WARM_UP)
    slices = list(zip(*(one.slices_us for one in runs), strict=False))
    if len(slices) < FEWEST_SLICES:
        raise ChildError(f"{count} messages are too few for {FEWEST_SLICES} slices")
    grown = [one.slices_us[-1] / one.slices_us[1] for one in runs]
    result.numbers = {
        **{key: spread([one.numbers[key] for one in runs]) for key in runs[0].numbers},
        "slice_us": {
            str((place + 1) * each): spread(costs_us, 2) for place, costs_us in enumerate(slices)
        },
        "last_to_second": spread(grown, 3),
    }
    if not given.profile:
        _judge(result, case, runs, median(grown))
    return result


def _as_provider(case: Case, count: int, repeat: int) -> Result:
    """Measure with and without what a provider has on, one after the other."""
    result = Result("throughput-as-provider", {**case.settings(), "count": count, "pairs": repeat})
    ratios, bare_us, provider_us, rates = [], [], [], []
    for place in range(repeat):
        costs = {}
        for provides in (True, False) if place % 2 else (False, True):
            with ExitStack() as stack:
                began = partial(_provide, stack) if provides else _nothing
                measured = measure(replace(case, records=provides), count, count, began=began)
            costs[provides] = measured.numbers
        bare_us.append(costs[False]["router_us"])
        provider_us.append(costs[True]["router_us"])
        rates.append(costs[True]["rate_per_s"] / costs[False]["rate_per_s"])
        ratios.append(provider_us[-1] / bare_us[-1])
        print(f"  {bare_us[-1]:.1f} us bare, x {ratios[-1]:.3f} as a provider", flush=True)
    result.numbers = {
        "bare_us": spread(bare_us),
        "provider_us": spread(provider_us),
        "ratio": spread(ratios, 3),
        "rate": spread(rates, 3),
    }
    result.at_most("cost as a provider to the bare cost", round(median(ratios), 3), PROVIDER)
    return result


def _nothing(_: stand.Router) -> None:
    """Do nothing beside a bare run."""


def _provide(stack: ExitStack, router: stand.Router) -> None:
    """Trace a number that has no messages, and scrape once a second, until the stack ends."""
    url = ("--url", f"http://{router.control}")
    trace = ["-m", "router.wiring.cli", "trace", "--to", "99955512345", "--for", "1h", *url]
    stack.enter_context(Child("trace", trace))
    ended = Event()

    def scrapes() -> None:
        with suppress(OSError):  # The run is over, and with it the router.
            while not ended.wait(1.0):
                router.http("/metrics")

    thread = Thread(target=scrapes, daemon=True)
    thread.start()
    stack.callback(thread.join, 5.0)
    stack.callback(ended.set)


def _judge(result: Result, case: Case, runs: Sequence[Measured], grown: float) -> None:
    rate_per_s = median(one.numbers["rate_per_s"] for one in runs)
    result.at_least("messages per second", rate_per_s, RATES_PER_S[case.journal])
    router_us = median(one.numbers["router_us"] for one in runs)
    result.at_most("router us per message", router_us, COSTS_US[case.journal])
    result.at_most("cost of the last slice to the second", round(grown, 3), LAST_TO_SECOND)


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
