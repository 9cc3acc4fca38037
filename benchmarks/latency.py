"""From submit_sm to submit_sm_resp, and from receipt to receipt, at a rate that does not wait.

Message n is due at n / rate after the start and its latency counts from there, so a router that
stalls cannot hide it by making the client wait. The operator answers and sends its receipts at
once; a receipt's time counts from its sending by the operator, on the clock that all processes of
a machine share.
"""

import argparse
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import stand
from benchmarks.load import WARM_UP
from benchmarks.processes import number
from benchmarks.results import Result
from simulators.counting import summary_ms

SUMMARY: Final = "submit_sm to submit_sm_resp, and receipt to receipt, at 2,000/s and 5,000/s"
RATES_PER_S: Final = (2_000, 5_000)
BINDS: Final = 4
MOST: Final[dict[str, dict[tuple[str, ...], float]]] = {
    "memory": {("response_ms", "p99"): 15.0},
    "sqlite": {
        ("response_ms", "p50"): 1.4,
        ("response_ms", "p99"): 3.0,
        ("receipt_ms", "p50"): 4.5,
        ("receipt_ms", "p99"): 7.0,
        ("router_us",): 240.0,
    },
}
"""At the first rate."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--journal", choices=stand.JOURNALS, default="memory")
    parser.add_argument("--seconds", type=int, help="at each rate (default: 10, quick: 2)")
    parser.add_argument(
        "--binds", type=int, default=BINDS, help=f"of client and of operator; default {BINDS}"
    )


def run(given: argparse.Namespace) -> Result:
    """Measure at each rate, each with a router of its own."""
    seconds: int = given.seconds or (2 if given.quick else 10)
    journal: str = given.journal
    settings = {"rates_per_s": list(RATES_PER_S), "seconds": seconds, "binds": given.binds}
    result = Result(
        "latency" if journal == "memory" else f"latency-{journal}",
        {**settings, "journal": journal},
    )
    for rate_per_s in RATES_PER_S:
        result.numbers[f"{rate_per_s}/s"] = _at(rate_per_s, seconds, journal, given.binds)
    for path, limit in MOST[journal].items():
        what = f"{' '.join(path)} at {RATES_PER_S[0]}/s"
        result.at_most(what, number(result.numbers, f"{RATES_PER_S[0]}/s", *path), limit)
    return result


def _at(rate_per_s: int, seconds: int, journal: str, binds: int) -> dict[str, object]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        sent, came, warm = (folder / name for name in ("sent", "came", "warm"))
        operator = stand.operator(
            stack, *("--latency", "0ms", "--receipt-delay", "0ms", "--receipt-times", str(sent))
        )
        configuration = stand.configuration(operator.port, binds=binds, journal=journal)
        router = stand.router(stack, configuration, folder)
        router.until_bound(binds)
        # So many digits that no two numbers are the same: receipts are known by theirs.
        options = ["--binds", str(binds), "--destination", "3{14}"]
        warm_up = stand.client(
            stack, router.port, *options, "--count", str(WARM_UP), "--receipt-times", str(warm)
        )
        stand.well(warm_up, stand.totals_of(warm_up))
        meter = stand.Meter(router.child)
        client = stand.client(
            stack,
            router.port,
            *(*options, "--window", "5000", "--rate", f"{rate_per_s}/s"),
            *("--count", str(rate_per_s * seconds), "--receipt-times", str(came)),
        )
        seen = stand.totals_of(client)
        cost = meter.cost(rate_per_s * seconds)
        stand.well(client, seen)
        operator.totals()
        delays_s = stand.receipt_delays_s(sent, warm, came)[WARM_UP:]
    return {
        "response_ms": seen["response_ms"],
        # How late the client itself was: the part of the above that is not the router's.
        "send_lag_ms": seen["send_lag_ms"],
        "receipt_ms": summary_ms(delays_s),
        "router_us": cost.both_us,
    }
