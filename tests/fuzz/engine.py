"""One target under atheris, in a process of its own: `python -m tests.fuzz.engine TARGET ...`.

What follows the name of the target is libFuzzer's: folders of inputs, and options. libFuzzer ends
the process, and prints what it has done. Only the router is watched for new ways, not the tests.

To minimise a corpus libFuzzer starts itself again, as the program that `AGAIN` names: it knows
nothing of modules.
"""

import os
import sys
from typing import Final

import atheris

AGAIN: Final = "FUZZ_AGAIN"


def main() -> None:
    """Fuzz one target."""
    name = sys.argv[1]
    with atheris.instrument_imports(include=["router"]):
        # Here, so that what it imports of the router is watched.
        from tests.fuzz.targets import TARGETS
    check = TARGETS[name].check
    check(b"")  # What is made once is made before memory is looked at.

    def one(octets: bytes) -> None:
        check(octets)

    atheris.Setup([os.environ.get(AGAIN, sys.argv[0]), *sys.argv[2:]], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
