"""An urgent message behind a campaign: how long until it is written to the operator.

The router's own line about each message says how long it waited (`queue_s`: from its acceptance to
the write), so the client, the operator and their hops are not in it.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import stand
from benchmarks.processes import Child, number, until
from benchmarks.results import Result
from simulators import units
from simulators.counting import summary_ms

SUMMARY: Final = "otp messages while 100,000 bulk messages wait, on 1 and 3 binds of 50/s"
RATE: Final = 50
STEP_MS: Final = 10
OTP_RATE: Final = "37/10s"
"""No whole number a second: rates count in seconds, and one otp a second would always find the same
moment of it."""
LANES: Final = {"1 bind": (1, 0), "1 bind, bulk 5%": (1, 5), "3 binds, bulk 5%": (3, 5)}
"""Binds, and the share of an operator's rate that the lower lane keeps, in per cent."""
P99_MS: Final = 60.0
"""The next free slot of one bind is 20 ms away at most; one that keeps a share may go before."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--count", type=int, help="bulk messages (default: 100000, quick: 2000)")
    parser.add_argument("--rate", default=OTP_RATE, help="of otp messages (default: %(default)s)")
    parser.add_argument("--seconds", type=int, help="of otp in each case (default: 27, quick: 5)")


def run(given: argparse.Namespace) -> Result:
    """Measure each case."""
    count: int = given.count or (2000 if given.quick else 100_000)
    seconds: int = given.seconds or (5 if given.quick else 27)
    urgent = int(seconds * units.rate(given.rate).per_second)
    settings: dict[str, object] = {"bulk": count, "otp": urgent, "otp_rate": given.rate}
    result = Result("urgent", settings | {"rate": RATE})
    for name, (binds, share) in LANES.items():
        with ExitStack() as stack:
            numbers = _case(stack, count, urgent, given.rate, binds, share)
        result.numbers[name] = numbers
        p99_ms = number(numbers, "otp_wait_ms", "p99")
        result.at_most(f"{name}: otp accepted to written, p99 in ms", p99_ms, P99_MS)
        behind = number(numbers, "bulk_still_waiting")
        result.at_least(f"{name}: bulk messages still waiting at the end", behind, 1)
        sent = number(numbers, "bulk_sent_meanwhile")
        result.at_least(f"{name}: bulk messages sent meanwhile", sent, 1)
    return result


def _case(
    stack: ExitStack, count: int, urgent: int, rate: str, binds: int, share: int
) -> dict[str, object]:
    folder = Path(stack.enter_context(TemporaryDirectory()))
    operator = stand.operator(stack, "--latency", "20ms", "--receipt-delay", "100ms")
    configuration = stand.configuration(
        operator.port,
        binds=binds,
        rate=f"{RATE}/s",
        bind_window=20,
        lanes=("bulk", "otp"),
        messages_logged="100%",
    )
    if share:
        configuration["lanes"] = [{"name": "otp"}, {"name": "bulk", "min_share": f"{share}%"}]
    router = stand.router(stack, configuration, folder)
    router.until_rates_are_free(binds)
    # It is ended when the others have been served: a day would not be enough for its receipts.
    stand.client(stack, router.port, "--count", str(count), "--window", "5000")
    until(
        "all bulk messages accepted",
        lambda: router.samples().sum("submits_total", lane="bulk") >= count,
        stand.CLIENT_S,
    )
    before = _sent(router.child, "bulk")
    options = ["--count", str(urgent), "--rate", rate, "--sender", "OTP"]
    otp = stand.client(stack, router.port, *options, system_id="otp")
    seen = stand.totals_of(otp)
    stand.well(otp, seen)
    waits_s = _waits_s(router.child, "otp", urgent)
    return {
        "otp_wait_ms": summary_ms(waits_s),
        "otp_waits": spread_out(waits_s),
        "otp_response_ms": seen["response_ms"],
        "bulk_sent_meanwhile": _sent(router.child, "bulk") - before,
        "bulk_still_waiting": router.samples().sum("queue_messages", lane="bulk"),
    }


def _sent(router: Child, lane: str) -> int:
    return len([line for line in router.events("message.settled") if line["lane"] == lane])


def _waits_s(router: Child, lane: str, count: int) -> list[float]:
    """Return the times from acceptance to the operator, of all messages of a lane."""

    def waits_s() -> list[float] | None:
        lines = [line for line in router.events("message.settled") if line["lane"] == lane]
        return [number(line, "queue_s") for line in lines] if len(lines) >= count else None

    return until(f"{count} lines about {lane}", waits_s)


def spread_out(waits_s: Sequence[float]) -> dict[str, int]:
    """Return how many waits ended within each step of `STEP_MS`, by where the step ends."""
    counts = Counter(int(wait_s * 1000 // STEP_MS) for wait_s in waits_s)
    return {f"{(step + 1) * STEP_MS} ms": counts[step] for step in range(max(counts) + 1)}
