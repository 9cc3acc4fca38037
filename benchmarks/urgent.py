"""An urgent message behind a campaign: how long until it is written to the operator.

The router's own line about each message says how long it waited (`queue_s`: from its acceptance to
the write), so the client, the operator and their hops are not in it.
"""

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from benchmarks import stand
from benchmarks.processes import Child, number, until
from benchmarks.results import Result
from simulators.counting import summary_ms

SUMMARY: Final = "otp messages while 100,000 bulk messages wait, on 1 and 3 binds of 50/s"
RATE: Final = 50
STEP_MS: Final = 5
LAST_STEP: Final = 10
"""The waits that are longer than so many steps are counted together."""
LEAST_USE: Final = 99.5
P99_MS: Final = 25.0
"""The next free slot of one bind is 20 ms away, and little more where answers are late. Of several
binds the next slot is nearer, and a lane that has its share while nothing more urgent waits goes
before no urgent message: so the bound is the same for each case."""


class Case(NamedTuple):
    """One row of the result."""

    binds: int
    share: int
    """The share of the operator's rate that the lower lane keeps, in per cent."""
    otp: int
    """Urgent messages."""
    otp_rate: str
    """No whole number a second: rates count in seconds, and one otp a second would always find the
    same moment of it."""

    @property
    def name(self) -> str:
        """As the result has it."""
        binds = f"{self.binds} bind" + ("s" if self.binds > 1 else "")
        return binds + (f", bulk {self.share}%" if self.share else "")


CASES: Final = (
    Case(1, 0, 1000, "73/10s"),
    Case(1, 5, 400, "73/10s"),
    Case(3, 5, 1000, "219/10s"),
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--count", type=int, help="bulk messages (default: 100000, quick: 2000)")
    parser.add_argument(
        "--otp", type=int, help="otp messages of each case (default: 400 to 1000, quick: 30)"
    )


def run(given: argparse.Namespace) -> Result:
    """Measure each case."""
    count: int = given.count or (2000 if given.quick else 100_000)
    asked: int | None = given.otp or (30 if given.quick else None)
    cases = [case._replace(otp=asked or case.otp) for case in CASES]
    settings: dict[str, object] = {"bulk": count, "rate": RATE}
    settings["otp"] = {case.name: f"{case.otp} at {case.otp_rate}" for case in cases}
    result = Result("urgent", settings)
    for case in cases:
        with ExitStack() as stack:
            numbers = _case(stack, count, case)
        result.numbers[case.name] = numbers
        p99_ms = number(numbers, "otp_wait_ms", "p99")
        result.at_most(f"{case.name}: otp accepted to written, p99 in ms", p99_ms, P99_MS)
        used = number(numbers, "use_percent")
        result.at_least(f"{case.name}: use of the rate by bulk and otp in %", used, LEAST_USE)
        behind = number(numbers, "bulk_still_waiting")
        result.at_least(f"{case.name}: bulk messages still waiting at the end", behind, 1)
    return result


def _case(stack: ExitStack, count: int, case: Case) -> dict[str, object]:
    folder = Path(stack.enter_context(TemporaryDirectory()))
    operator = stand.operator(stack, "--latency", "20ms", "--receipt-delay", "100ms")
    configuration = stand.configuration(
        operator.port,
        binds=case.binds,
        rate=f"{RATE}/s",
        bind_window=20,
        lanes=("bulk", "otp"),
        messages_logged="100%",
    )
    if case.share:
        configuration["lanes"] = [{"name": "otp"}, {"name": "bulk", "min_share": f"{case.share}%"}]
    router = stand.router(stack, configuration, folder)
    router.until_rates_are_free(case.binds)
    # It is ended when the others have been served: a day would not be enough for its receipts.
    stand.client(stack, router.port, "--count", str(count), "--window", "2000")
    until(
        "all bulk messages accepted",
        lambda: router.samples().sum("submits_total", lane="bulk") >= count,
        stand.CLIENT_S,
    )
    before, began_at = _answered(router)
    options = ["--count", str(case.otp), "--rate", case.otp_rate, "--sender", "OTP"]
    otp = stand.client(stack, router.port, *options, system_id="otp")
    seen = stand.totals_of(otp)
    stand.well(otp, seen)
    after, ended_at = _answered(router)
    waited_s = waits_s(router.child, "otp", case.otp)
    used = (after - before) / (case.binds * RATE) / (ended_at - began_at)
    return {
        "otp_wait_ms": summary_ms(waited_s),
        "otp_waits": spread_out(waited_s),
        "otp_response_ms": seen["response_ms"],
        "use_percent": round(100 * used, 2),
        "bulk_sent_meanwhile": after - before - case.otp,
        "bulk_still_waiting": router.samples().sum("queue_messages", lane="bulk"),
    }


def _answered(router: stand.Router) -> tuple[float, float]:
    """Return how many messages the operator has taken, and the time of that."""
    taken = router.samples().sum("sends_total", status="ESME_ROK")
    return taken, time.monotonic()


def waits_s(router: Child, lane: str, count: int) -> list[float]:
    """Return the times from acceptance to the operator, of all messages of a lane."""

    def told() -> list[float] | None:
        lines = [line for line in router.events("message.settled") if line["lane"] == lane]
        return [number(line, "queue_s") for line in lines] if len(lines) >= count else None

    return until(f"{count} lines about {lane}", told)


def spread_out(waited_s: Sequence[float]) -> dict[str, int]:
    """Return how many waits ended within each step of `STEP_MS`, by where the step ends."""
    counts = Counter(min(int(wait_s * 1000 // STEP_MS), LAST_STEP) for wait_s in waited_s)
    names = [*(f"{(step + 1) * STEP_MS} ms" for step in range(LAST_STEP)), "more"]
    return {names[step]: counts[step] for step in range(max(counts) + 1)}
