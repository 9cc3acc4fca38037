"""Two commits in turns: the router's CPU per message now, against what it was.

A shared machine changes its speed from minute to minute, so the two run one after the other, again
and again, and each pair gives one ratio. Their median is the result; the spread tells what it is
worth. Against HEAD, with nothing changed, it tells what the comparison itself is worth.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import stand
from benchmarks.processes import ROOT, ChildError, number
from benchmarks.results import Result, spread

SUMMARY: Final = "CPU of the router per message, this tree and another commit in turns"
MOST_RATIO: Final = 1.03
"""Of a change that was not to cost anything."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--against", default="HEAD", metavar="COMMIT", help="default: HEAD")
    parser.add_argument("--pairs", type=int, help="default: 10, quick: 1")
    parser.add_argument("--count", type=int, help="messages (default: 250000, quick: 5000)")
    parser.add_argument("--journal", choices=stand.JOURNALS, default="memory")


def run(given: argparse.Namespace) -> Result:
    """Measure each pair; the order within a pair changes from pair to pair."""
    count: int = given.count or (5_000 if given.quick else 250_000)
    pairs: int = given.pairs or (1 if given.quick else 10)
    ours, theirs, ratios = [], [], []
    with _tree(given.against) as other:
        for place in range(pairs):
            trees = (ROOT, other) if place % 2 else (other, ROOT)
            costs = {tree: _router_us(tree, given.journal, count) for tree in trees}
            ours.append(costs[ROOT])
            theirs.append(costs[other])
            ratios.append(costs[ROOT] / costs[other])
            print(f"  {costs[ROOT]:.1f} us / {costs[other]:.1f} us = {ratios[-1]:.3f}", flush=True)
        commit = _git("rev-parse", "--short", "HEAD", cwd=other)
    result = Result(
        f"pairs-{given.journal}",
        {"against": commit, "pairs": pairs, "count": count, "journal": given.journal},
    )
    result.numbers = {
        "router_us": spread(ours),
        "against_router_us": spread(theirs),
        "percent": spread([100.0 * ratio for ratio in ratios]),
    }
    result.at_most("median of the ratios", median(ratios), MOST_RATIO)
    return result


def _router_us(tree: Path, journal: str, count: int) -> float:
    """Run the throughput benchmark of a tree in that tree, with this interpreter."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks", "throughput", "--results", folder]
        done = subprocess.run(
            [*command, "--journal", journal, "--count", str(count)],
            cwd=tree,
            env={**os.environ, "PYTHONPATH": str(tree)},
            capture_output=True,
            text=True,
            check=False,
        )
        files = list(Path(folder).glob("*.json"))
        if not files:  # That a rate falls short of its bound is no failure here.
            raise ChildError(f"throughput in {tree.name} failed:\n{done.stdout}{done.stderr}")
        found = json.loads(files[0].read_text(encoding="utf-8"))
    return number(found["numbers"]["router_us"], "median")


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
