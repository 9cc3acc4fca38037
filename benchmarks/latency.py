"""From submit_sm to submit_sm_resp at a rate that does not wait for answers.

Message n is due at n / rate after the start and its latency counts from there, so a router that
stalls cannot hide it by making the client wait. Receipts come back meanwhile.
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

SUMMARY: Final = "submit_sm to submit_sm_resp at 2,000/s and 5,000/s"
RATES_PER_S: Final = (2_000, 5_000)
P99_MS: Final = 15.0
"""At the first rate."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--journal", choices=stand.JOURNALS, default="memory")
    parser.add_argument("--seconds", type=int, help="at each rate (default: 10, quick: 2)")


def run(given: argparse.Namespace) -> Result:
    """Measure at each rate, with one router for all."""
    seconds: int = given.seconds or (2 if given.quick else 10)
    journal: str = given.journal
    result = Result(
        "latency" if journal == "memory" else f"latency-{journal}",
        {"rates_per_s": list(RATES_PER_S), "seconds": seconds, "binds": 2, "journal": journal},
    )
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        operator = stand.operator(stack, "--latency", "5ms", "--receipt-delay", "50ms..500ms")
        configuration = stand.configuration(operator.port, journal=journal)
        router = stand.router(stack, configuration, folder)
        router.until_bound(2)
        warm_up = stand.client(stack, router.port, "--count", str(WARM_UP))
        stand.well(warm_up, stand.totals_of(warm_up))
        for rate_per_s in RATES_PER_S:
            result.numbers[f"{rate_per_s}/s"] = _at(stack, router, rate_per_s, seconds)
    p99_ms = number(result.numbers, f"{RATES_PER_S[0]}/s", "response_ms", "p99")
    result.at_most(f"p99 at {RATES_PER_S[0]}/s in ms", p99_ms, P99_MS)
    return result


def _at(stack: ExitStack, router: stand.Router, rate_per_s: int, seconds: int) -> dict[str, object]:
    meter = stand.Meter(router.child)
    client = stand.client(
        stack,
        router.port,
        *("--binds", "2", "--window", "5000", "--rate", f"{rate_per_s}/s"),
        *("--count", str(rate_per_s * seconds)),
    )
    seen = stand.totals_of(client)
    cost = meter.cost(rate_per_s * seconds)
    stand.well(client, seen)
    return {
        "response_ms": seen["response_ms"],
        # How late the client itself was: the part of the above that is not the router's.
        "send_lag_ms": seen["send_lag_ms"],
        "receipt_ms": seen["receipt_ms"],
        "router_us": cost.both_us,
    }
