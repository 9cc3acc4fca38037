"""Two operators under load: one is killed and comes back, the other begins to fail and recovers.

A client submits steadily to a route that names both. What was acknowledged must reach an operator
and its receipt the client; what is sent twice was in doubt when its operator was killed.
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

SUMMARY: Final = "two operators of 3 binds: one is killed, one answers ESME_RSYSERR, under load"
BINDS: Final = 3
BIND_RATE: Final = 100
RATE: Final = 200
"""Of the client: what either of them carries alone."""
SECONDS: Final = 80
FULL_RATE: Final = 0.9
SPAN_S: Final = 1.0
"""A rate is that of the last second."""
LOOK_EVERY_S: Final = 0.05
RECEIPTS_S: Final = 90.0
"""A message that is tried again after half a minute, and again, ends within that."""
RECOVERED_S: Final = 10.0
"""Until messages go out at full rate again: the breaker needs failures to open."""
SCENARIO: Final = """\
story: It begins to refuse everything, and recovers.
latency: 20ms
receipt_delay: 50ms..500ms
phases:
  - {{at: {fails_at:g}s, status: {{ESME_RSYSERR: 100%}}}}
  - {{at: {well_at:g}s, status: {{ESME_RSYSERR: 0%}}}}
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--rate", type=int, default=RATE, help="of the client; default %(default)s")
    parser.add_argument("--seconds", type=int, help="of load (default: 80, quick: 40)")


def run(given: argparse.Namespace) -> Result:
    """Run: all is well, one operator is killed, it is back, the other one fails."""
    seconds: int = given.seconds or (SECONDS // 2 if given.quick else SECONDS)
    step_s = seconds / 8
    rate: int = given.rate
    settings: dict[str, object] = {"rate": rate, "seconds": seconds, "binds": BINDS}
    result = Result("failover", settings | {"bind_rate": BIND_RATE, "journal": "sqlite"})
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        options = ("--latency", "20ms", "--receipt-delay", "50ms..500ms")
        killed = stand.operator(stack, *options)
        scenario = folder / "fails.yaml"
        scenario.write_text(SCENARIO.format(fails_at=5 * step_s, well_at=6 * step_s))
        failing = stand.operator(stack, "--scenario", str(scenario))
        began_at = time.monotonic()
        router = stand.router(stack, _configuration(killed.port, failing.port), folder)
        router.until_bound(2 * BINDS)
        client = stand.client(
            stack,
            router.port,
            *("--binds", "2", "--window", "500", "--rate", f"{rate}/s"),
            *("--duration", f"{seconds:g}s", "--wait-receipts", f"{RECEIPTS_S:g}s"),
            *("--destination", "3{14}"),  # So many digits that no two are the same.
        )
        watch = _Watch(router, rate)
        watch.until(began_at + step_s)
        killed_at = time.monotonic()
        killed.child.kill()
        watch.until(began_at + 3 * step_s)
        back = stand.operator(stack, *options, port=killed.port)
        watch.until(began_at + 5 * step_s)
        fails_at = time.monotonic()
        watch.until(began_at + seconds)
        seen = stand.totals_of(client)
        samples = router.samples()
        counted = [back.totals(), failing.totals()]
        in_doubt = samples.sum("in_doubt_total")
        repeated = samples.sum("repeated_total")
        result.numbers = {
            "accepted": number(seen, "accepted"),
            "receipted": number(seen, "receipted"),
            "refused": seen["refused"],
            "in_doubt": in_doubt,
            "repeated": repeated,
            "repeated_at_operators": sum(number(one, "repeated") for one in counted),
            "sent_by_operator": samples.by("operator", "sends_total"),
            "answers": samples.by("status", "sends_total"),
            "to_full_rate_s": {
                "killed": watch.full_rate_after(killed_at) - killed_at,
                "failing": watch.full_rate_after(fails_at) - fails_at,
            },
            "longest_below_full_rate_s": watch.longest_below(),
        }
    lost = number(result.numbers, "accepted") - number(result.numbers, "receipted")
    result.at_most("accepted and never receipted", lost, 0)
    result.at_most("receipts wrong", sum(number(seen, it) for it in ("unknown", "mismatched")), 0)
    result.at_most("sent again beyond those in doubt", repeated - in_doubt, 0)
    for what in ("killed", "failing"):
        took_s = number(result.numbers, "to_full_rate_s", what)
        result.at_most(f"{what}: seconds to full rate", round(took_s, 3), RECOVERED_S)
    return result


def _configuration(first: int, second: int) -> dict[str, object]:
    """Two operators, the first before the second; everything is kept on the disk."""
    configuration = stand.configuration(
        first, binds=BINDS, rate=f"{BIND_RATE}/s", bind_window=50, journal="sqlite"
    )
    other = stand.configuration(second, binds=BINDS, rate=f"{BIND_RATE}/s", bind_window=50)
    operators, others = configuration["operators"], other["operators"]
    assert isinstance(operators, dict)
    assert isinstance(others, dict)
    for bind in others["op"]["binds"]:
        bind["name"] = bind["name"].replace("op", "other")
    for one in (*operators.values(), *others.values()):
        one["reconnect"] = {"first": "500ms", "longest": "2s"}
        one["receipt_wait"] = "20s"  # What a killed operator had taken it never reports.
    operators["other"] = others["op"]
    configuration["routes"] = [{"destination": "", "to": {"op": 50, "other": 50}}]
    return configuration


class _Watch:
    """How many messages operators have taken, looked at again and again."""

    def __init__(self, router: stand.Router, rate: int) -> None:
        self._router = router
        self._rate = rate
        self._taken: list[tuple[float, float]] = []

    def until(self, end_at: float) -> None:
        """Look until then."""
        while time.monotonic() < end_at:
            taken = self._router.samples().sum("sends_total", status="ESME_ROK")
            self._taken.append((time.monotonic(), taken))
            time.sleep(LOOK_EVERY_S)

    def _rates(self) -> list[tuple[float, float]]:
        """At each look: what was taken in the second before, per second."""
        rates: list[tuple[float, float]] = []
        first = 0
        for at, taken in self._taken:
            while self._taken[first + 1][0] < at - SPAN_S:
                first += 1
            before_at, before = self._taken[first]
            if at - before_at >= SPAN_S:
                rates.append((at, (taken - before) / (at - before_at)))
        return rates

    def full_rate_after(self, at: float) -> float:
        """When messages went out at full rate again, after they had not or a second had passed."""
        after = [(when, rate) for when, rate in self._rates() if when > at + SPAN_S]
        full = [when for when, rate in after if rate >= FULL_RATE * self._rate]
        return full[0] if full else float("inf")

    def longest_below(self) -> float:
        """Return the longest time for which they did not, from the first time that they did."""
        longest_s, since = 0.0, None
        for at, rate in self._rates():
            if rate >= FULL_RATE * self._rate:
                since = at
            elif since is not None:
                longest_s = max(longest_s, at - since)
        return round(longest_s, 3)
