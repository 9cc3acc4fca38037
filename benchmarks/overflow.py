"""A burst of one-time passwords that its operator cannot take in time: how long until all are out.

Their route names two operators of one bind each. The first lane overflows after 2 s by default, so
both take what waits. Each simulated operator throttles whatever comes above its rate.
"""

import argparse
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import stand
from benchmarks.processes import number
from benchmarks.results import Result
from benchmarks.urgent import waits_s
from simulators.counting import summary_ms

SUMMARY: Final = "1,830 otp messages at once for two operators of 40/s, the second one idle"
COUNT: Final = 1830
RATE: Final = 40
OUT_S: Final = 26.0
"""2 s of the first operator alone, and 22 s of both; of the first alone it is 46 s."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--count", type=int, help="messages (default: 1830, quick: 200)")


def run(given: argparse.Namespace) -> Result:
    """Submit all at once, and wait until they are out."""
    count: int = given.count or (200 if given.quick else COUNT)
    result = Result("overflow", {"count": count, "rate": RATE, "operators": 2, "journal": "sqlite"})
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        options = ("--operator-rate", f"{RATE}/s", "--latency", "20ms", "--receipt-delay", "100ms")
        ports = [stand.operator(stack, *options).port for _ in range(2)]
        router = stand.router(stack, _configuration(*ports), folder)
        router.until_rates_are_free(2)
        burst = ("--count", str(count), "--window", "5000", "--wait-receipts", "120s")
        client = stand.client(stack, router.port, *burst, system_id="otp")
        seen = stand.totals_of(client)
        stand.well(client, seen)
        waited_s = waits_s(router.child, "otp", count)
        sent = router.samples()
        result.numbers = {
            "out_after_s": round(max(waited_s), 3),
            "wait_ms": summary_ms(waited_s),
            "sent_by_operator": sent.by("operator", "sends_total", status="ESME_ROK"),
            "throttled": sent.sum("sends_total", status="ESME_RTHROTTLED"),
            "response_ms": seen["response_ms"],
        }
    out_s = number(result.numbers, "out_after_s")
    result.at_most("the last one is out, in seconds", out_s, OUT_S)
    throttled = number(result.numbers, "throttled")
    result.at_most("messages above an operator's rate", throttled, 0)
    return result


def _configuration(first: int, second: int) -> dict[str, object]:
    """Two operators, the first before the second, and nothing written about overflowing."""

    def with_operator(port: int) -> dict[str, object]:
        return stand.configuration(
            port,
            binds=1,
            rate=f"{RATE}/s",
            bind_window=RATE,
            lanes=("bulk", "otp"),
            messages_logged="100%",
            journal="sqlite",
        )

    configuration, other = with_operator(first), with_operator(second)
    operators, others = configuration["operators"], other["operators"]
    assert isinstance(operators, dict)
    assert isinstance(others, dict)
    operators["other"] = others["op"]
    operators["other"]["binds"][0]["name"] = "other-1"
    configuration["routes"] = [{"destination": "", "to": ["op", "other"]}]
    return configuration
