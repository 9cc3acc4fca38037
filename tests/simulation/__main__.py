"""Live through seeds again: one is told line by line, of several only those that break a promise.

python -m tests.simulation SEED
python -m tests.simulation FIRST LAST
python -m tests.simulation planted         how many seeds it takes to find each planted bug
"""

import sys

from tests.simulation.planted import BUGS, planted
from tests.simulation.simulation import simulate

ENOUGH_SEEDS = 1000


def main(arguments: list[str]) -> int:
    """Return 1 if a promise was broken, or a planted bug was not found."""
    match arguments:
        case ["planted"]:
            return tell_planted()
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


def tell_planted() -> int:
    """Plant one after the other."""
    missed = 0
    for name in BUGS:
        with planted(name):
            results = (simulate(seed) for seed in range(ENOUGH_SEEDS))
            found = next((one for one in results if one.broken is not None), None)
        missed += found is None
        says = "not found" if found is None else f"seed {found.seed}: {found.broken}"
        print(f"{name}: {says}", flush=True)
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
