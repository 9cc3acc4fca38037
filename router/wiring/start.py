"""Where the process begins: before the program is imported, which takes half a second.

A SIGHUP would end a process that has no handler for it yet. The router sets one when its loop runs,
and until then it is to outlive those that ask it to reload what it is about to read.
"""

import signal
import sys


def main() -> int:
    """Run one command; return its exit status. Wrong usage exits with 2."""
    if sys.argv[1:2] == ["run"]:  # All other commands end with their terminal.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    from router.wiring import cli

    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
