"""An urgent message behind a campaign: how long until it is written to the operator.

The router's own line about each message says how long it waited (`queue_s`: from its acceptance to
the write), so the client, the operator and their hops are not in it.
"""

import argparse
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import stand
from benchmarks.processes import Child, number, until
from benchmarks.results import Result
from simulators import units
from simulators.counting import summary_ms

SUMMARY: Final = "otp messages while 2,000 bulk messages wait on 3 binds of 50/s"
BINDS: Final = 3
RATE: Final = 50
OTP_RATE: Final = "37/10s"
"""No whole number a second: rates count in seconds, and one otp a second would always find the same
moment of it."""
SPARE_S: Final = 2.0
"""The urgent ones end so long before the others: whoever meets an empty lane proves nothing."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--count", type=int, help="bulk messages (default: 2000, quick: 900)")
    parser.add_argument("--rate", default=OTP_RATE, help="of otp messages (default: %(default)s)")


def run(given: argparse.Namespace) -> Result:
    """Measure."""
    count: int = given.count or (900 if given.quick else 2000)
    urgent = int((count / (BINDS * RATE) - SPARE_S) * units.rate(given.rate).per_second)
    settings: dict[str, object] = {"bulk": count, "otp": urgent, "otp_rate": given.rate}
    result = Result("urgent", settings | {"binds": BINDS, "rate": RATE})
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        operator = stand.operator(stack, "--latency", "20ms", "--receipt-delay", "100ms")
        configuration = stand.configuration(
            operator.port,
            binds=BINDS,
            rate=f"{RATE}/s",
            bind_window=20,
            lanes=("bulk", "otp"),
            messages_logged="100%",
        )
        router = stand.router(stack, configuration, folder)
        router.until_bound(BINDS)
        bulk = stand.client(stack, router.port, "--count", str(count), "--window", str(count))
        until(
            "all bulk messages accepted",
            lambda: router.samples().sum("submits_total", lane="bulk") >= count,
        )
        options = ["--count", str(urgent), "--rate", given.rate, "--sender", "OTP"]
        otp = stand.client(stack, router.port, *options, system_id="otp")
        seen = stand.totals_of(otp)
        stand.well(otp, seen)
        behind = router.samples().sum("queue_messages", lane="bulk")
        stand.well(bulk, stand.totals_of(bulk))
        result.numbers = {
            "otp_wait_ms": _waits_ms(router.child, "otp", urgent),
            "bulk_wait_ms": _waits_ms(router.child, "bulk", count),
            "otp_response_ms": seen["response_ms"],
            "bulk_still_waiting": behind,
        }
    result.at_least("bulk messages still waiting at the end", behind, 1)
    result.at_least("otp messages receipted", number(seen, "receipted"), urgent)
    return result


def _waits_ms(router: Child, lane: str, count: int) -> dict[str, float]:
    """From acceptance to the operator, of all messages of a lane."""

    def waits_s() -> list[float] | None:
        lines = [line for line in router.events("message.settled") if line["lane"] == lane]
        return [number(line, "queue_s") for line in lines] if len(lines) >= count else None

    return summary_ms(until(f"{count} lines about {lane}", waits_s))
