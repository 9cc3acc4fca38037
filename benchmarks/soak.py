"""Millions of messages through one router, at full speed: does anything grow?

They come in tenths, each from a client of its own, so that nothing is under way when memory and
files are looked at. The journal keeps records of what became of messages for `keep_records` (72 h
unless configured), far longer than this lasts: its file grows by their records, and must not grow
by more.
"""

import argparse
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import stand
from benchmarks.load import WARM_UP, Case, client_options, start
from benchmarks.processes import number
from benchmarks.results import Result

SUMMARY: Final = "10,000,000 messages: growth of memory, of the file and of the cost per message"
COUNT: Final = 10_000_000
SLICES: Final = 10
FEWEST_SLICES: Final = 3
MINUTES: Final = 60.0
SLICE_S: Final = 3600.0
"""How long one tenth may take."""
GROWN: Final = 1.05
CASE: Final = Case(journal="sqlite")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--count", type=int, help="messages (default: 10000000, quick: 20000)")
    parser.add_argument(
        "--minutes",
        type=float,
        default=MINUTES,
        help="no tenth of the messages is begun after this time, but three are sent in any case "
        "(default: 60)",
    )


def run(given: argparse.Namespace) -> Result:
    """Send tenth after tenth, and look after each."""
    each = (given.count or (20_000 if given.quick else COUNT)) // SLICES
    settings = {**CASE.settings(), "slice": each, "minutes": given.minutes}
    slices: list[dict[str, float]] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        operator = stand.operator(stack, "--latency", "0ms", "--receipt-delay", "0ms")
        router = start(stack, CASE, operator.port, folder)
        _send(stack, router, folder, WARM_UP)
        began_at = time.monotonic()
        ends_at = began_at + given.minutes * 60.0
        while len(slices) < SLICES and (len(slices) < FEWEST_SLICES or time.monotonic() < ends_at):
            slices.append(_send(stack, router, folder, each))
            shown = "  ".join(f"{name} {value:,.1f}" for name, value in slices[-1].items())
            print(f"  {len(slices) * each:,}: {shown}", flush=True)
        took_s = time.monotonic() - began_at
    result = Result("soak", {**settings, "count": each * len(slices)})
    files_mb = [one["file_mb"] for one in slices]
    recorded = each * (len(slices) - 2)
    result.numbers = {
        "minutes": round(took_s / 60.0, 1),
        "after": {str((place + 1) * each): one for place, one in enumerate(slices)},
        # Of records that are kept for keep_records, for messages that nothing is left to do for.
        "file_octets_per_message": round((files_mb[-1] - files_mb[1]) * 1e6 / recorded, 1),
        "last_to_second": {
            name: round(slices[-1][name] / slices[1][name], 3)
            for name in ("resident_mb", "router_us")
        },
    }
    grown = number(result.numbers, "last_to_second", "resident_mb")
    result.at_most("resident memory at the end to that after the second tenth", grown, GROWN)
    return result


def _send(stack: ExitStack, router: stand.Router, folder: Path, count: int) -> dict[str, float]:
    """Have one client submit so many and wait for all receipts; then look."""
    meter = stand.Meter(router.child)
    client = stand.client(stack, router.port, *client_options(CASE, folder), "--count", str(count))
    seen = stand.totals_of(client, SLICE_S)
    cost = meter.cost(count)
    stand.well(client, seen)
    files = list(folder.glob("router.db*"))
    return {
        "rate_per_s": number(seen, "rate_per_s"),
        "router_us": cost.both_us,
        "resident_mb": cost.resident_mb,
        "file_mb": round(sum(file.stat().st_size for file in files) / 1e6, 3),
        "wal_mb": round(
            sum(file.stat().st_size for file in files if file.name.endswith("-wal")) / 1e6, 3
        ),
    }
