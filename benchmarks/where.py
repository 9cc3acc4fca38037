"""Where the router's processor time goes: by thread and by part, in microseconds per message.

`perf` (Debian: linux-perf) looks a thousand times a second at which function runs. Of the compiled
core it sees each file, without what CPython does for it (mappings, memory, calls); of the
interpreted one only that CPython runs: which file that is `throughput --profile` tells.
"""

import argparse
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import stand, throughput
from benchmarks.load import measure
from benchmarks.processes import ChildError
from benchmarks.results import Result
from router.telemetry.core import PARTS

SUMMARY: Final = "by thread and part of the router, where its CPU goes (needs perf)"
PERF: Final = shutil.which("perf")
LOOKS_PER_S: Final = 999
LOOP: Final = "us in the loop's thread"
OTHERS: Final = "us in the journal's thread and others"
_FIELDS: Final = ("--field-separator=;", "--sort=pid,dso,sym", "--percent-limit=0")
"""perf's word `pid` means the number of the thread."""
LEAST: Final = 0.004
"""The smallest share that is shown."""
_OURS: Final = re.compile(rf"CPy(?:Def|Py|Gen)_((?:{'|'.join(PARTS)})___[a-z]\w*?|\w+?)___")
"""`CPyDef_commits___Commits___flush`: the file, with its folder where two have its name, and the
rest."""
_LINE: Final = re.compile(r"\s*([\d.]+)%\s*;\s*(\d+):[^;]*;\s*([^;]*?)\s*;\s*(.*?)\s*$")
"""Share, thread, library, symbol."""
_LIBRARIES: Final = {
    "kernel": "kernel",
    "sqlite": "SQLite and its binding",
    "uvloop": "uvloop",
    "__mypyc": "the core: what mypyc calls",
    "libcrypto": "TLS",
    "libssl": "TLS",
    "libpython": "CPython",
    "python3": "CPython",
    "libc": "C library",
    "vdso": "C library",
    "libpthread": "C library",
}
"""By a part of the library's name, the first that fits."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    throughput.case_arguments(parser)


def run(given: argparse.Namespace) -> Result:
    """Measure once, and look meanwhile."""
    if PERF is None:
        raise ChildError("perf is needed (Debian: apt-get install linux-perf)")
    count: int = given.count or (20_000 if given.quick else 100_000)
    case = throughput.case_of(given)
    with TemporaryDirectory() as folder:
        seen = Path(folder) / "perf.data"
        watchers: list[Watcher] = []
        measured = measure(
            case, count, count, began=lambda router: watchers.append(Watcher(router, seen))
        )
        parts = watchers[0].parts()
    router_us = measured.numbers["router_us"]
    result = Result(f"where-{case.journal}{case.suffix}", {"count": count, **case.settings()})
    result.numbers = {"router_us": router_us}
    for thread in (LOOP, OTHERS):
        shares = {part: share for (of, part), share in parts.items() if of == thread}
        result.numbers[thread] = {
            part: round(share * router_us, 2)
            for part, share in sorted(shares.items(), key=lambda one: -one[1])
            if share >= LEAST
        }
    return result


class Watcher:
    """`perf` that looks at a router until that ends."""

    def __init__(self, router: stand.Router, seen: Path) -> None:
        self._pid = router.child.pid
        self._seen = seen
        options = ["-e", "cpu-clock", "-F", str(LOOKS_PER_S), "--pid", str(self._pid)]
        self._perf = subprocess.Popen(
            [str(PERF), "record", "--quiet", *options, "--output", str(seen)]
        )

    def parts(self) -> dict[tuple[str, str], float]:
        """Return the share of each part, by thread; all together are 1. Raises ChildError."""
        self._perf.wait()
        done = subprocess.run(
            [str(PERF), "report", "--stdio", "--input", str(self._seen), *_FIELDS],
            capture_output=True,
            text=True,
            check=False,
        )
        found = shares(done.stdout.splitlines(), self._pid)
        if not found:
            raise ChildError(f"perf has seen nothing:\n{done.stderr}")
        return found


def shares(report: Iterable[str], loop: int) -> dict[tuple[str, str], float]:
    """Return the share of each part, by thread, from the lines of a report of perf.

    `loop` is the number of the thread that is called the loop.
    """
    found: defaultdict[tuple[str, str], float] = defaultdict(float)
    for line in report:
        match = _LINE.match(line)
        if match is not None:
            percent, thread, library, symbol = match.groups()
            of = LOOP if int(thread) == loop else OTHERS
            found[of, part_of(library, symbol)] += float(percent) / 100.0
    return found


def part_of(library: str, symbol: str) -> str:
    """Return which part of the router a function is."""
    ours = _OURS.search(symbol)
    if ours is not None:
        return f"core: {ours[1].replace('___', '.')}"
    return next((part for name, part in _LIBRARIES.items() if name in library), "other")
