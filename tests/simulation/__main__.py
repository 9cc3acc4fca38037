"""Replay one seed and tell what happened: `python -m tests.simulation SEED [LINES]`."""

import sys

from tests.simulation.simulation import simulate


def main() -> int:
    """Return 1 if a promise was broken."""
    seed = int(sys.argv[1])
    lines: list[str] = []
    result = simulate(seed, lines.append)
    last = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    print("\n".join(lines[-last:]))
    print(result)
    return 0 if result.broken is None else 1


if __name__ == "__main__":
    sys.exit(main())
