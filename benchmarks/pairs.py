"""Two commits in turns: the router's CPU per message now, against what it was.

A shared machine changes its speed from minute to minute, so the two run one after the other, again
and again, and each pair gives one ratio. Their median is the result; the spread tells what it is
worth. The other commit gives its router; client, operator and harness are this tree's for both.
Against HEAD, with nothing changed, it tells what the comparison itself is worth; with
`--core compiled`, which is for this tree only, what the compiled core gives.
"""

import argparse
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import stand, throughput
from benchmarks.load import Case, measure
from benchmarks.processes import ROOT, ChildError
from benchmarks.results import Result, spread
from router.telemetry.core import DEMAND, INTERPRETED

SUMMARY: Final = "CPU of the router per message, this tree's and another commit's in turns"
MOST_PERCENT: Final = 103.0
"""Of a change that was not to cost anything."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--against", default="HEAD", metavar="COMMIT", help="default: HEAD")
    parser.add_argument("--pairs", type=int, help="default: 10, quick: 1")
    parser.add_argument(
        "--most", type=float, default=MOST_PERCENT, metavar="PERCENT",
        help="bound of the cost, of that of the other commit (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--least-rate", type=float, default=0.0, metavar="PERCENT",
        help="bound of the rate, of that of the other commit (default: none)",
    )  # fmt: skip
    throughput.case_arguments(parser)


def run(given: argparse.Namespace) -> Result:
    """Measure each pair; the order within a pair changes from pair to pair."""
    count: int = given.count or (5_000 if given.quick else throughput.COUNT)
    pairs: int = given.pairs or (1 if given.quick else 10)
    case = throughput.case_of(given)
    ours, theirs, us_ratios, rate_ratios = [], [], [], []
    with _tree(given.against) as other:
        for place in range(pairs):
            if place % 2:
                this, that = _numbers(case, count), _numbers(case, count, other)
            else:
                that, this = _numbers(case, count, other), _numbers(case, count)
            ours.append(this["router_us"])
            theirs.append(that["router_us"])
            us_ratios.append(ours[-1] / theirs[-1])
            rate_ratios.append(this["rate_per_s"] / that["rate_per_s"])
            print(
                f"  {ours[-1]:.1f} us / {theirs[-1]:.1f} us = {us_ratios[-1]:.3f}, "
                f"rate x {rate_ratios[-1]:.3f}",
                flush=True,
            )
        commit = _git("rev-parse", "--short", "HEAD", cwd=other)
    result = Result(
        f"pairs-{case.journal}{case.suffix}",
        {"against": commit, "pairs": pairs, "count": count, **case.settings()},
    )
    result.numbers = {
        "router_us": spread(ours),
        "against_router_us": spread(theirs),
        "percent": spread([100.0 * ratio for ratio in us_ratios]),
        "rate_percent": spread([100.0 * ratio for ratio in rate_ratios]),
        "percent_of_each_pair": [round(100.0 * ratio, 1) for ratio in us_ratios],
        "rate_percent_of_each_pair": [round(100.0 * ratio, 1) for ratio in rate_ratios],
    }
    result.at_most("cost in % of the other's, median", 100.0 * median(us_ratios), given.most)
    if given.least_rate:
        rate = 100.0 * median(rate_ratios)
        result.at_least("rate in % of the other's, median", rate, given.least_rate)
    return result


def _numbers(case: Case, count: int, tree: Path | None = None) -> dict[str, float]:
    """Measure once: the router of that tree, interpreted, or else this one's."""
    if tree is None:
        return measure(case, count, count).numbers
    with stand.started_from(stand.Program(tree, environment={DEMAND: INTERPRETED})):
        return measure(case, count, count).numbers


@contextmanager
def _tree(commit: str) -> Iterator[Path]:
    """The files of a commit, in a folder of their own."""
    with TemporaryDirectory() as folder:
        tree = Path(folder) / "other"
        _git("worktree", "add", "--detach", str(tree), commit, cwd=ROOT)
        try:
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree), cwd=ROOT)


def _git(*arguments: str, cwd: Path) -> str:
    done = subprocess.run(["git", *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ChildError(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip()
