"""An operator that silently takes less than it has contracted for a minute, and then all again.

Its binds are contracted at 50/s. For a while it accepts 20/s on each and answers ESME_RTHROTTLED to
the rest. What counts is how many messages it refuses, how much of what it takes is used, how long
it is until the full rate is back, and that nothing is lost or repeated.
"""

import argparse
import json
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import stand
from benchmarks.processes import number, until
from benchmarks.results import Result
from benchmarks.stand import Router

SUMMARY: Final = "an operator that lowers its limit from 50/s to 20/s for a minute"
BINDS: Final = 2
RATE: Final = 50
LOWERED: Final = 20
BEFORE_S: Final = 5
LOOK_EVERY_S: Final = 0.25
RECOVERED_S: Final = 45.0
"""A bind stays under what was refused for ten seconds, and regains a twentieth a second."""
MOST_REFUSED: Final = 60
"""Of each bind: some at first, and then one or two every ten seconds or so."""
LEAST_USE: Final = 70.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--lowered", type=int, help="seconds (default: 60, quick: 15)")


def run(given: argparse.Namespace) -> Result:
    """Measure."""
    lowered_s: int = given.lowered or (15 if given.quick else 60)
    result = Result("adaptive", {"binds": BINDS, "rate": RATE, "to": LOWERED, "for_s": lowered_s})
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        scenario = folder / "scenario.yaml"
        scenario.write_text(json.dumps(_story(lowered_s)), encoding="utf-8")
        operator = stand.operator(stack, "--scenario", str(scenario))
        configuration = stand.configuration(
            operator.port, binds=BINDS, rate=f"{RATE}/s", bind_window=20
        )
        router = stand.router(stack, configuration, folder)
        router.until_bound(BINDS)
        count = BINDS * (RATE * (BEFORE_S + int(RECOVERED_S)) + LOWERED * lowered_s)
        client = stand.client(
            stack,
            router.port,
            *("--count", str(count), "--window", "2000", "--registered-delivery", "0"),
        )
        until("it begins", lambda: _taken(router) > 0)
        began_at = time.monotonic()
        _at(began_at + BEFORE_S + 1.0)  # The last second of the full rate counts for a second.
        taken = _taken(router)
        _at(began_at + BEFORE_S + lowered_s)
        taken = _taken(router) - taken
        raised_at = time.monotonic()
        recovery_s = until(
            "the full rate", lambda: _recovered_s(router, raised_at), within_s=4 * RECOVERED_S
        )
        throttled = router.samples().sum("sends_total", status="ESME_RTHROTTLED")
        stand.well(client, stand.totals_of(client))
        router.until_sent(count)
        totals = operator.totals()
    result.numbers = {
        "refused": throttled,
        "use_percent": round(100 * taken / (BINDS * LOWERED * (lowered_s - 1)), 1),
        "recovery_s": round(recovery_s, 2),
        "sent": totals["distinct"],
        "repeated": totals["repeated"],
    }
    result.at_most("refused", throttled, BINDS * MOST_REFUSED * max(1.0, lowered_s / 60))
    result.at_least("use in % of what it takes", number(result.numbers, "use_percent"), LEAST_USE)
    result.at_most("seconds until the full rate is back", recovery_s, RECOVERED_S)
    result.at_least("sent", number(totals, "distinct"), count)
    result.at_most("repeated", number(totals, "repeated"), 0)
    return result


def _story(lowered_s: int) -> dict[str, object]:
    return {
        "clock": "submit",
        "latency": "20ms",
        "phases": [
            {"at": f"{BEFORE_S}s", "binds_rate": f"{LOWERED}/s"},
            {"at": f"{BEFORE_S + lowered_s}s", "binds_rate": "off"},
        ],
    }


def _taken(router: Router) -> float:
    return router.samples().sum("sends_total", status="ESME_ROK")


def _recovered_s(router: Router, raised_at: float) -> float | None:
    """Return how long it took, once both binds may send at their full rate again."""
    at = time.monotonic()
    if router.samples().sum("bind_rate_limit") >= BINDS * RATE:
        return at - raised_at
    time.sleep(LOOK_EVERY_S)
    return None


def _at(when: float) -> None:
    time.sleep(max(0.0, when - time.monotonic()))
