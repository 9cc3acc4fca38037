"""Half an hour at 2,000/s, with a fault in 3 % of what the operator does: nothing refused or lost.

The operator refuses messages for a while, loses messages and answers, answers with generic_nack,
sends receipts twice or before the answer, and cuts its connections. The client counts a receipt for
each message that it was told is accepted: none may be missing, and none may tell another end.
"""

import argparse
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import stand
from benchmarks.processes import number
from benchmarks.results import Result

SUMMARY: Final = "30 minutes at 2,000/s with 3 % faults: what is refused, lost, or told twice"
MINUTES: Final = 30.0
QUICK_MINUTES: Final = 1.0
RATE: Final = 2000
BINDS: Final = 4
BIND_RATE: Final = 750
"""A half more than is needed: messages that are sent again take their part."""
CUT_EVERY: Final = 20_000
"""Messages on a bind after which its connection is cut: each 40 s."""
FAULTS: Final = {
    "--status": "ESME_RSYSERR:0.5%,ESME_RMSGQFUL:0.4%,ESME_RTHROTTLED:0.2%",
    "--nack": "0.3%",
    "--answer-lost": "0.4%",
    "--silent": "0.2%",
    "--receipt-first": "0.5%",
    "--receipts-twice": "0.5%",
}
SLICES: Final = 10
GROWN: Final = 1.1
LAST_RECEIPT_S: Final = 300.0
"""How long the client waits for the last receipts: those of messages that the operator has lost."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--minutes", type=float, help="how long; default 30, quick: 1")
    parser.add_argument("--rate", type=int, default=RATE, help="messages a second; default 2000")


def run(given: argparse.Namespace) -> Result:
    """Send, look at what it costs ten times, and count at the end."""
    minutes: float = given.minutes or (QUICK_MINUTES if given.quick else MINUTES)
    rate: int = given.rate
    count = round(rate * minutes * 60.0)
    bind_rate = BIND_RATE * rate // RATE
    settings: dict[str, object] = {
        "minutes": minutes, "rate": rate, "count": count, "binds": BINDS, "bind_rate": bind_rate,
        "faults": FAULTS, "cut_every": CUT_EVERY,
    }  # fmt: skip
    slices: list[dict[str, float]] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        operator = stand.operator(
            stack, "--latency", "20ms..60ms", "--receipt-delay", "100ms..2s",
            "--disconnect-every", str(CUT_EVERY),
            *(part for fault in FAULTS.items() for part in fault),
        )  # fmt: skip
        configuration = stand.configuration(
            operator.port, binds=BINDS, rate=f"{bind_rate}/s", journal="sqlite"
        )
        router = stand.router(stack, configuration, folder)
        router.until_rates_are_free(BINDS)
        client = stand.client(
            stack, router.port, "--binds", "2", "--window", "2000", "--rate", f"{rate}/s",
            "--count", str(count), "--wait-receipts", f"{LAST_RECEIPT_S:g}s",
        )  # fmt: skip
        for _ in range(SLICES):
            meter, before = stand.Meter(router.child), _submitted(router)
            time.sleep(minutes * 60.0 / SLICES)
            messages = _submitted(router) - before
            cost = meter.cost(max(1, round(messages)))
            slices.append({"router_us": cost.both_us, "resident_mb": cost.resident_mb})
            print(f"  {messages:,.0f}: {slices[-1]}", flush=True)
        seen = stand.totals_of(client, minutes * 60.0 + LAST_RECEIPT_S)
        samples = router.samples()
    accepted = samples.sum("submits_total", status="ESME_ROK")
    outcomes = samples.by("outcome", "outcomes_total")
    result = Result("faults", settings)
    result.numbers = {
        "slices": slices,
        "client": seen,
        "submits": samples.by("status", "submits_total"),
        "sends": samples.by("status", "sends_total"),
        "outcomes": outcomes,
        "last_to_second": round(slices[-1]["router_us"] / slices[1]["router_us"], 3),
    }
    result.at_most("messages refused", samples.sum("submits_total") - accepted, 0)
    result.at_most("accepted without an outcome", accepted - sum(outcomes.values()), 0)
    result.at_most("more outcomes than accepted", sum(outcomes.values()) - accepted, 0)
    for what in ("missing", "unanswered", "unknown", "conflicting", "mismatched", "unreadable"):
        result.at_most(f"client: {what}", number(seen, what), 0)
    grown = number(result.numbers, "last_to_second")
    result.at_most("cost of the last tenth to the second", grown, GROWN)
    return result


def _submitted(router: stand.Router) -> float:
    return router.samples().sum("submits_total")
