"""Live through seeds again: one is told line by line, of several only those that break a promise.

python -m tests.simulation SEED
python -m tests.simulation FIRST LAST
"""

import sys

from tests.simulation.simulation import simulate


def main(arguments: list[str]) -> int:
    """Return 1 if a promise was broken."""
    if len(arguments) == 1:
        result = simulate(int(arguments[0]), print)
        print(result)
        return int(result.broken is not None)
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    found = 0
    first, last = map(int, arguments)
    for seed in range(first, last + 1):
        result = simulate(seed)
        if result.broken is not None:
            found += 1
            print(f"seed {seed}: {result.broken}", flush=True)
    print(f"{found} of {last - first + 1} seeds break a promise")
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
