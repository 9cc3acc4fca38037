"""Bugs to be planted into the router, to see that the simulation finds each of them.

Each is a small, believable mistake: the line that somebody forgot, moved or got the wrong way
round. `python -m tests.simulation planted` tells which seed finds which.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from operator import attrgetter
from pathlib import Path

from tests.simulation import (
    planted_adopt,
    planted_between,
    planted_home,
    planted_memory,
    planted_out,
    planted_requests,
    planted_time,
)
from tests.simulation.planting import BUGS, planted
from tests.simulation.simulation import Result, simulate

__all__ = [
    "BUGS",
    "first_to_find",
    "planted",
    "planted_adopt",
    "planted_between",
    "planted_home",
    "planted_memory",
    "planted_out",
    "planted_requests",
    "planted_time",
    "quickest_to_find",
    "write_seeds",
]

DECORATED = re.compile(r"^@bug\(seed=\d+\)\ndef (?P<name>\w+)\(", re.MULTILINE)


def first_to_find(name: str, seeds: Iterable[int]) -> Result | None:
    """Return what the first of these seeds that finds the bug has shown."""
    with planted(name):
        return next(_finds(seeds), None)


def quickest_to_find(name: str, seeds: range, beyond: int) -> Result | None:
    """Return the shortest history that finds the bug, of the first and so many seeds beyond it."""
    first = first_to_find(name, seeds)
    if first is None:
        return None
    with planted(name):
        others = _finds(range(first.seed + 1, first.seed + 1 + beyond))
        return min((first, *others), key=attrgetter("events"))


def _finds(seeds: Iterable[int]) -> Iterator[Result]:
    results = (simulate(seed) for seed in seeds)
    return (one for one in results if one.broken is not None)


def with_seeds(text: str, seeds: Mapping[str, int]) -> str:
    """Return a file of planted bugs with these seeds in the decorators; others stay."""

    def decorated(found: re.Match[str]) -> str:
        seed = seeds.get(found["name"])
        return found[0] if seed is None else f"@bug(seed={seed})\ndef {found['name']}("

    return DECORATED.sub(decorated, text)


def write_seeds(seeds: Mapping[str, int]) -> None:
    """Write, into the files of this folder, the seed that finds each of these bugs."""
    for path in sorted(Path(__file__).parent.glob("planted_*.py")):
        before = path.read_text()
        if (after := with_seeds(before, seeds)) != before:
            path.write_text(after)
