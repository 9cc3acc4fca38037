"""Live through seeds again: one is told line by line, of several only those that break a promise.

python -m tests.simulation SEED
python -m tests.simulation FIRST LAST
python -m tests.simulation digest FIRST LAST    a hash of each whole life, to compare cores
python -m tests.simulation planted          a seed that finds each planted bug, and soon
python -m tests.simulation planted --write  the same, and written to the decorators
"""

import os
import sys
from hashlib import sha256

from router.telemetry.core import DEMAND, refusal
from tests.simulation.planted import BUGS, quickest_to_find, write_seeds
from tests.simulation.simulation import simulate

ENOUGH_SEEDS = 1000
CHOICE = 12
"""Of so many seeds beyond the first that finds a bug one may be shorter."""


def main(arguments: list[str]) -> int:
    """Return 1 if a promise was broken, or a planted bug was not found."""
    match arguments:
        case ["digest", first, last]:
            return tell_digests(range(int(first), int(last) + 1))
        case ["planted"]:
            return tell_planted(write=False)
        case ["planted", "--write"]:
            return tell_planted(write=True)
        case [seed]:
            result = simulate(int(seed), print)
            print(result)
            return int(result.broken is not None)
        case [first, last]:
            return tell_broken(range(int(first), int(last) + 1))
        case _:
            print(__doc__, file=sys.stderr)
            return 2


def tell_broken(seeds: range) -> int:
    """Live through them all."""
    found = 0
    for seed in seeds:
        result = simulate(seed)
        if result.broken is not None:
            found += 1
            print(f"seed {seed}: {result.broken}", flush=True)
    print(f"{found} of {len(seeds)} seeds break a promise")
    return int(found > 0)


def tell_digests(seeds: range) -> int:
    """Print a hash of every line of each life and of its result: the same in every core."""
    wrong = refusal(os.environ.get(DEMAND))
    if wrong is not None:
        raise SystemExit(wrong)
    for seed in seeds:
        lines: list[str] = []
        result = simulate(seed, lines.append)
        told = sha256("\n".join([*lines, repr(result)]).encode())
        print(f"{seed} {told.hexdigest()} {len(lines)} lines", flush=True)
    return 0


def tell_planted(*, write: bool) -> int:
    """Plant one after the other, and find it."""
    seeds: dict[str, int] = {}
    for name, bug in BUGS.items():
        found = quickest_to_find(name, range(ENOUGH_SEEDS), CHOICE)
        if found is None:
            print(f"{name}: not found", flush=True)
            continue
        seeds[name] = found.seed
        was = "" if found.seed == bug.seed else f" (was {bug.seed})"
        print(f"{name}: seed {found.seed}{was}: {found.broken}", flush=True)
    if write:
        write_seeds(seeds)
    return int(len(seeds) < len(BUGS))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
