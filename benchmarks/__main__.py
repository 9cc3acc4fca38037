"""`python -m benchmarks`: run one benchmark or all, show the numbers, keep them, judge the bounds.

Exit status: 0 every bound holds, 1 one does not or a run failed, 2 wrong usage.
"""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks import (
    adaptive,
    arrivals,
    attacked,
    backlog,
    campaign,
    connections,
    failover,
    fair,
    faults,
    homecoming,
    idle,
    kill,
    latency,
    memory,
    outstanding,
    overflow,
    overload,
    pairs,
    policy,
    prefixes,
    rates,
    records,
    reload,
    restart,
    routes,
    soak,
    throughput,
    urgent,
    variants,
    where,
    wire,
)
from benchmarks.machine import CORES, core
from benchmarks.processes import ChildError
from benchmarks.results import RESULTS, Result
from router.telemetry.core import COMPILED, DEMAND, INTERPRETED


class Benchmark(NamedTuple):
    """One benchmark."""

    summary: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], Result]


BENCHMARKS: Final = {
    module.__name__.rpartition(".")[2]: Benchmark(module.SUMMARY, module.arguments, module.run)
    for module in (
        campaign,
        throughput,
        variants,
        where,
        soak,
        faults,
        latency,
        routes,
        prefixes,
        policy,
        wire,
        urgent,
        overflow,
        backlog,
        outstanding,
        overload,
        homecoming,
        rates,
        arrivals,
        adaptive,
        attacked,
        connections,
        idle,
        records,
        memory,
        kill,
        reload,
        restart,
        failover,
        fair,
        pairs,
    )
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for; return the exit status."""
    said = list(sys.argv[1:] if arguments is None else arguments)
    chosen = next((word for word in said if word in BENCHMARKS), None)
    names = list(BENCHMARKS) if chosen is None else [chosen]
    # All are parsed before any is run: a word that one of them does not know is known at once.
    asked = {name: _parser(name, alone=chosen is not None).parse_args(said) for name in names}
    if any(given.list for given in asked.values()):
        for name, benchmark in BENCHMARKS.items():
            print(f"{name:<12} {benchmark.summary}")
        return 0
    return max([_run(name, given) for name, given in asked.items()])


def _parser(name: str, *, alone: bool) -> argparse.ArgumentParser:
    """Return the common options, and those of one benchmark."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Runs all benchmarks, or one. Options of one benchmark: NAME --help.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "name", nargs="?", choices=BENCHMARKS, metavar="NAME", help=", ".join(BENCHMARKS)
    )
    parser.add_argument("--list", action="store_true", help="list the benchmarks")
    parser.add_argument(
        "--quick", action="store_true", help="fewer messages; the result is not kept"
    )
    parser.add_argument(
        "--results", type=Path, metavar="DIR", help=f"where results go (default: {RESULTS.name}/)"
    )
    parser.add_argument(
        "--core",
        choices=(INTERPRETED, COMPILED),
        default=os.environ.get(DEMAND, INTERPRETED),
        help="which the router runs; `make compiled` makes the other (default: %(default)s)",
    )
    if alone:
        BENCHMARKS[name].arguments(parser)
    else:  # Where all run, each takes its own options as they are by default.
        own = argparse.ArgumentParser(add_help=False)
        BENCHMARKS[name].arguments(own)
        parser.set_defaults(**vars(own.parse_args([])))
    return parser


def _run(name: str, given: argparse.Namespace) -> int:
    print(f"{name} ...", file=sys.stderr)
    os.environ[DEMAND] = given.core
    CORES.clear()
    try:
        result = BENCHMARKS[name].run(given)
        if core() != given.core:
            raise ChildError(f"measured the {core()} core, not the {given.core} one")
        if given.core != INTERPRETED:
            result.name += f"-{given.core}"
    except ChildError as error:
        print(f"benchmarks: {name}: {error}", file=sys.stderr)
        return 1
    result.print()
    if given.results is not None or not (given.quick or result.settings.get("profile")):
        print(f"  kept in {result.save(given.results or RESULTS)}", file=sys.stderr)
    # Bounds are for the whole size: a quick run only shows that everything runs.
    return 0 if result.well or given.quick else 1


if __name__ == "__main__":
    # So that a benchmark that is told to end has time to end its children.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main())
