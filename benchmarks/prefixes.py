"""What a large route table costs a router: memory, and the time until it serves clients.

Routers are started in turns, one with few prefixes and one with many, from configurations that
differ in nothing else. Both numbers count from what a person would do: write the file, start the
process, wait for `router.ready`; so Python's own start is in both, and the difference is the table.
"""

import argparse
import json
import random
import time
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import stand
from benchmarks.results import Result, spread
from benchmarks.routes import prefixes

SUMMARY: Final = "memory and start of a router with 100,000 prefixes, against one with 10"
FEW: Final = 10
MANY: Final = 100_000
QUICK: Final = 5_000
MOST_MORE_MB: Final = 60.0
MOST_MORE_S: Final = 2.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--count", type=int, help=f"prefixes (default: {MANY}, quick: {QUICK})")
    parser.add_argument("--repeat", type=int, help="starts of each (default: 3, quick: 1)")


def run(given: argparse.Namespace) -> Result:
    """Start both in turns."""
    many: int = given.count or (QUICK if given.quick else MANY)
    repeat: int = given.repeat or (1 if given.quick else 3)
    result = Result("prefixes", {"prefixes": [FEW, many], "repeat": repeat})
    written = prefixes(many, random.Random(1))
    found: dict[str, dict[int, list[float]]] = {}
    with ExitStack() as stack:
        port = stand.operator(stack).port
        texts = {size: _text(port, written[:size]) for size in (FEW, many)}
        for _ in range(repeat):
            for size, text in texts.items():
                for name, value in _start(text).items():
                    found.setdefault(name, {}).setdefault(size, []).append(value)
    more = {}
    for name, by_size in found.items():
        result.numbers[name] = {
            f"with {size}": spread(values, 2) for size, values in by_size.items()
        }
        more[name] = round(median(by_size[many]) - median(by_size[FEW]), 2)
    result.numbers["more"] = more
    result.at_most("MB more when it is ready", more["resident_mb"], MOST_MORE_MB)
    result.at_most("MB more at its peak", more["peak_mb"], MOST_MORE_MB)
    result.at_most("s more until it is ready", more["ready_s"], MOST_MORE_S)
    return result


def _text(port: int, destinations: Sequence[str]) -> str:
    """Return a configuration as people write it: a line for each route, to operators in turn."""
    parts = stand.configuration(port)
    operators = parts["operators"]
    assert isinstance(operators, dict)
    bind = operators["op"]["binds"][0]
    operators["other"] = {"binds": [bind | {"name": "other-1"}]}
    del parts["routes"]
    lines = [f"{key}: {json.dumps(value)}" for key, value in parts.items()]
    carriers = cycle(("[op]", "[other]", "[op, other]", "[other, op]"))
    routes = (f'  - {{destination: "{digits}", to: {to}}}'
              for digits, to in zip(destinations, carriers, strict=False))  # fmt: skip
    return "\n".join([*lines, "routes:", *routes, ""])


def _start(text: str) -> dict[str, float]:
    """Start a router, and end it when it is ready."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        began_at = time.monotonic()
        router = stand.router(stack, text, folder)
        ready_s = time.monotonic() - began_at
        cost = {
            "ready_s": ready_s,
            "cpu_s": router.child.cpu().both_s,
            "resident_mb": router.child.resident_bytes() / 1e6,
            "peak_mb": router.child.peak_bytes() / 1e6,
        }
        router.child.stop()
    return cost
