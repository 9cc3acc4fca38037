"""Fuzzes the targets one after the other, and shows what was done: `make fuzz TIME=60`.

    python -m tests.fuzz --time 60                    all targets, 60 s together
    python -m tests.fuzz --time 60 pair router        two of them
    python -m tests.fuzz --time 600 --keep            keep the inputs that took new ways
    python -m tests.fuzz replay pair FILE ...         give a target these inputs
    python -m tests.fuzz add pair FILE ...            keep these inputs, which the tests replay

A finding ends its target. The input is written to `.fuzz/TARGET/`, and shown with what it broke.

Exit status: 0 nothing was found, 1 something was, 2 wrong usage or no atheris.
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from router.telemetry.core import INTERPRETED, running
from tests.fuzz.targets import TARGETS, corpus, keep

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = ROOT / ".fuzz"
"""What a run leaves behind; not part of the repository."""
MOST_MB: Final = 1000
"""Memory of one target: more is a finding."""
MOST_S: Final = 10
"""Time of one input: more is a finding."""
TOLD_LINES: Final = 40
LEAST_S: Final = 1

_RUNS: Final = re.compile(r"stat::number_of_executed_units: (\d+)")
_RUNS_SO_FAR: Final = re.compile(r"^#(\d+)", re.MULTILINE)
_RAISED: Final = "Uncaught Python exception"
_PER_S: Final = re.compile(r"stat::average_exec_per_sec: +(\d+)")
_PEAK: Final = re.compile(r"stat::peak_rss_mb: +(\d+)")
_COVERED: Final = re.compile(r"cov: (\d+) ft: (\d+) corp: (\d+)")


@dataclass(frozen=True, slots=True)
class Ran:
    """What was done with one target."""

    name: str
    runs: int
    runs_per_s: int
    edges: int
    """Places in the sources of the router that were reached, as libFuzzer counts them."""
    ways: int
    """Those, and how often each in one input."""
    inputs: int
    peak_mb: int
    findings: tuple[Path, ...]
    """The files of the inputs that broke something; none where libFuzzer could not write it."""
    has_found: bool
    said: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for; return the exit status."""
    said = list(sys.argv[1:] if arguments is None else arguments)
    if said[:1] == ["replay"] or said[:1] == ["add"]:
        return _with_files(said)
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", allow_abbrev=False)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--time", type=float, default=60.0, help="seconds, all targets together")
    parser.add_argument("--runs", type=int, help="at most so many inputs of each target")
    parser.add_argument("--keep", action="store_true", help="keep what took new ways")
    given = parser.parse_args(said)
    names = given.targets or list(TARGETS)
    unknown = [name for name in names if name not in TARGETS]
    if unknown:
        parser.error(f"no target is called {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    if find_spec("atheris") is None:
        print("tests.fuzz: atheris is not installed: `make fuzz` installs it", file=sys.stderr)
        return 2
    if running() != INTERPRETED:
        print("tests.fuzz: a compiled core shows no coverage: run the sources", file=sys.stderr)
        return 2
    share_s = given.time / sum(TARGETS[name].share for name in names)
    columns = ("target", "executions", "per s", "edges", "ways", "inputs", "MB")
    print("{:<14}{:>12}{:>9}{:>7}{:>7}{:>8}{:>6}".format(*columns))
    done = []
    for name in names:
        seconds = max(LEAST_S, round(share_s * TARGETS[name].share))
        one = fuzz(name, seconds, given.runs, keeps=given.keep)
        done.append(one)
        print(
            f"{name:<14}{one.runs:>12,}{one.runs_per_s:>9,}{one.edges:>7}"
            f"{one.ways:>7}{one.inputs:>8}{one.peak_mb:>6}",
            flush=True,
        )
        for path in one.findings:
            print(f"  FOUND {path.relative_to(ROOT)}: {path.read_bytes()[:200].hex()}")
        if one.has_found:
            print("\n".join(f"    {line}" for line in one.said.splitlines()[-TOLD_LINES:]))
    found = sum(one.has_found for one in done)
    print(f"{sum(one.runs for one in done):,} executions, {found} findings")
    return 1 if found else 0


def fuzz(name: str, seconds: int, runs: int | None = None, *, keeps: bool = False) -> Ran:
    """Fuzz one target for so long, from its corpus on."""
    folder = FOLDER / name
    seeds, grown, found = (folder / part for part in ("seeds", "grown", "found"))
    for one in (seeds, grown):
        shutil.rmtree(one, ignore_errors=True)
    for one in (seeds, grown, found):
        one.mkdir(parents=True, exist_ok=True)
    before = set(found.iterdir())
    for place, octets in enumerate(corpus(name)):
        (seeds / f"{place:05}").write_bytes(octets)
    said = _engine(
        name,
        f"-max_total_time={seconds}",
        *([] if runs is None else [f"-runs={runs}"]),
        f"-artifact_prefix={found}/",
        *_LIMITS,
        f"-max_len={TARGETS[name].longest}",
        str(grown),
        str(seeds),
    )
    covered = _COVERED.findall(said) or [("0", "0", "0")]
    findings = tuple(sorted(set(found.iterdir()) - before))
    has_found = bool(findings) or _RAISED in said
    if not _RUNS.findall(said) and not has_found:
        raise SystemExit(f"tests.fuzz: {name} has not run:\n{said}")
    if keeps and not has_found:
        _minimise(name, grown, seeds)
    edges, ways, inputs = map(int, covered[-1])

    def told(what: re.Pattern[str]) -> int:
        return int((what.findall(said) or ["0"])[-1])

    return Ran(
        name,
        told(_RUNS) or told(_RUNS_SO_FAR),
        told(_PER_S),
        edges,
        ways,
        inputs,
        told(_PEAK),
        findings,
        has_found,
        said,
    )


_LIMITS: Final = (f"-rss_limit_mb={MOST_MB}", f"-timeout={MOST_S}", "-print_final_stats=1")


def _minimise(name: str, *folders: Path) -> None:
    """Keep the fewest inputs that take all ways."""
    merged = FOLDER / name / "merged"
    shutil.rmtree(merged, ignore_errors=True)
    merged.mkdir()
    longest = f"-max_len={TARGETS[name].longest}"
    said = _engine(name, "-merge=1", *_LIMITS, longest, str(merged), *map(str, folders))
    inputs = [file.read_bytes() for file in merged.iterdir()]
    if not inputs:
        raise SystemExit(f"tests.fuzz: the corpus of {name} was not minimised:\n{said}")
    keep(name, inputs)


def _engine(name: str, *options: str) -> str:
    """Run one target; return what was said."""
    command = [sys.executable, "-m", "tests.fuzz.engine", name]
    again = FOLDER / name / "again"
    again.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n', encoding="utf-8")
    again.chmod(0o700)
    done = subprocess.run(
        [*command, *options],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0", "FUZZ_AGAIN": str(again)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    return done.stdout


def _with_files(said: Sequence[str]) -> int:
    verb, name, *files = [*said, ""] if len(said) < 2 else said
    if name not in TARGETS or not files:
        print(f"usage: python -m tests.fuzz {verb} TARGET FILE ...", file=sys.stderr)
        return 2
    inputs = [Path(file).read_bytes() for file in files]
    if verb == "add":
        keep(name, [*corpus(name), *inputs])
        return 0
    for octets in inputs:
        TARGETS[name].check(octets)  # A finding is a traceback, and exit status 1.
    print(f"{len(inputs)} inputs, nothing found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
