"""Two operators under load: one is killed and comes back, the other begins to fail and recovers.

A client submits steadily to a route that names both. What was acknowledged must reach an operator
and its receipt the client; what is sent twice was in doubt when its operator was killed.
"""

import argparse
from typing import Final

SUMMARY: Final = "two operators of 3 binds: one is killed, one answers ESME_RSYSERR, under load"
BINDS: Final = 3
BIND_RATE: Final = 100
RATE: Final = 200
"""Of the client: what either of them carries alone."""
SECONDS: Final = 60
QUICK_SECONDS: Final = 30
FULL_RATE: Final = 0.95
SPAN_S: Final = 1.0
"""A rate is that of the last second."""
LOOK_EVERY_S: Final = 0.05
RECEIPTS_S: Final = 90.0
"""A message that was refused twice, or is tried again after half a minute, ends within that."""
SCENARIO: Final = """\
story: It begins to refuse everything, and recovers.
latency: 20ms
receipt_delay: 50ms..500ms
events:
  - {{at: {fails_at}s, do: change, status: {{ESME_RSYSERR: 100%}}}}
  - {{at: {well_at}s, do: change, status: {{ESME_RSYSERR: 0%}}}}
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--rate", type=int, default=RATE, help="of the client; default %(default)s")
    parser.add_argument("--seconds", type=int, help="of load (default: 60, quick: 30)")
