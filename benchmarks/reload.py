"""A changed configuration every second, under load: what is lost, dropped, late or too fast.

The same load runs twice, on two routers: one is left alone, the other reloads. Each configuration
differs from the one before in the rate of every bind, in the order of the routes, and in whether
there is one account and one operator more. That operator is bound, and no message is for it. Now
and then the file is first half written, and then faulty: both must be refused, with all mistakes,
and change nothing.

With `--prefixes` one more router has so many routes; it reloads a few times under the same load.
"""

import argparse
import json
import random
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import stand
from benchmarks.processes import ChildError, number
from benchmarks.results import Result
from benchmarks.routes import prefixes
from router.wiring.reload_view import reload
from simulators.counting import summary_ms

SUMMARY: Final = "a changed configuration every second under 2,000/s for five minutes"
RATE_PER_S: Final = 2_000
BINDS: Final = 4
SLOW_PER_S: Final = 520
FAST_PER_S: Final = 560
"""Of each bind; together a little more than the load, so that rates are what limits it now and
then."""
ACCOUNTS: Final = 100
ROUTES: Final = 1_000
MANY_ROUTES: Final = 100_000
FAULTY_EVERY: Final = 10
"""Steps before one of which the file is faulty."""
MISTAKES: Final = 2
"""Of the faulty file."""
MOST_MORE_MS: Final = 10.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--seconds", type=int, help="of load (default: 300, quick: 5)")
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two reloads")
    parser.add_argument(
        "--prefixes", type=int, help=f"of the other case (default: {MANY_ROUTES}, quick: 2000)"
    )


def run(given: argparse.Namespace) -> Result:
    """Run the load without reloads, with them, and with few of a large configuration."""
    seconds: int = given.seconds or (5 if given.quick else 300)
    many: int = given.prefixes or (2_000 if given.quick else MANY_ROUTES)
    settings = {"seconds": seconds, "rate_per_s": RATE_PER_S, "every_s": given.every,
                "accounts": ACCOUNTS, "routes": ROUTES, "prefixes": many}  # fmt: skip
    result = Result("reload", settings)
    alone = _under_load(seconds, ROUTES, every_s=None)
    reloads = _under_load(seconds, ROUTES, every_s=given.every)
    result.numbers = {"alone": alone, "reloads": reloads}
    short = min(seconds, 60)
    result.numbers[f"{many} prefixes"] = _under_load(short, many, every_s=short / 3)
    for name, numbers in list(result.numbers.items()):
        for what in ("lost", "repeated", "dropped"):
            result.at_most(f"{name}: {what}", number(numbers, what), 0)
        faulty = number(numbers, "faulty") - number(numbers, "faulty_refused")
        result.at_most(f"{name}: faulty files that were not refused", faulty, 0)
        busiest = number(numbers, "busiest_second")
        rate_per_s = SLOW_PER_S if name == "alone" else FAST_PER_S
        result.at_most(f"{name}: busiest second of a bind", busiest, rate_per_s)
    more_ms = number(reloads, "response_ms", "p99") - number(alone, "response_ms", "p99")
    result.at_most("ms more until the answer (p99) with reloads", round(more_ms, 1), MOST_MORE_MS)
    result.at_least("reloads that were applied", number(reloads, "applied"), seconds / 3)
    return result


def _under_load(seconds: int, routes: int, every_s: float | None) -> dict[str, object]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        quick = ("--latency", "5ms", "--receipt-delay", "50ms")
        operator, other = stand.operator(stack, *quick), stand.operator(stack, *quick)
        written = prefixes(routes, random.Random(1))
        router = stand.router(stack, _configuration(0, operator.port, other.port, written), folder)
        router.until_rates_are_free(BINDS)
        client = stand.client(
            stack,
            router.port,
            *("--binds", "4", "--window", "5000", "--destination", "3{14}"),
            *("--rate", f"{RATE_PER_S}/s", "--count", str(RATE_PER_S * seconds)),
        )
        results: Counter[str] = Counter()
        faults: Counter[str] = Counter()
        took_s: list[float] = []
        next_at = time.monotonic()
        for step in count(1) if every_s is not None else ():
            next_at += every_s or 0.0
            parts = _configuration(step, operator.port, other.port, written)
            if step % FAULTY_EVERY == FAULTY_EVERY - 1:
                faults.update(_refused(router, folder, parts))
            _write(folder, json.dumps(parts))
            time.sleep(max(0.0, next_at - time.monotonic()))
            if not client.running:
                break
            told = reload(f"http://{router.control}", partly=False)
            results[str(told.document["result"])] += 1
            took_s.append(number(told.document, "took_s"))
        seen = stand.totals_of(client)
        stand.well(client, seen)
        dropped = _dropped(router)
        late = _late_percent(router)
        sent = operator.totals()
    if set(results) - {"applied"}:
        raise ChildError(f"not every reload was applied: {dict(results)}")
    accepted = number(seen, "accepted")
    return {
        "accepted": accepted,
        "lost": accepted - number(seen, "receipted"),
        "repeated": number(sent, "repeated"),
        "dropped": dropped,
        "busiest_second": max(_busiest(sent)),
        "applied": results["applied"],
        "faulty": faults.total(),
        "faulty_refused": faults["refused"],
        "reload_ms": summary_ms(took_s) if took_s else {},
        "response_ms": seen["response_ms"],
        "send_lag_ms": seen["send_lag_ms"],
        "loop_late_percent": late,
    }


def _configuration(step: int, port: int, other: int, written: list[str]) -> dict[str, object]:
    """The configuration of one step."""
    odd = step % 2
    parts = stand.configuration(
        port,
        binds=BINDS,
        rate=f"{FAST_PER_S if odd else SLOW_PER_S}/s",
        bind_window=200,
        journal="sqlite",
    )
    accounts, operators = parts["accounts"], parts["operators"]
    assert isinstance(accounts, dict)
    assert isinstance(operators, dict)
    accounts |= {f"a{at}": stand.account() for at in range(ACCOUNTS - 1 + odd)}
    if odd:
        bind = operators["op"]["binds"][0]
        operators["other"] = {
            "binds": [bind | {"name": "other-1", "address": f"127.0.0.1:{other}"}]
        }
    routes = [{"destination": digits, "to": ["op"]} for digits in written]
    turned = routes[step % len(routes) :] + routes[: step % len(routes)]
    parts["routes"] = [*turned, {"destination": "", "to": ["op"]}]
    return parts


def _refused(router: stand.Router, folder: Path, parts: Mapping[str, object]) -> list[str]:
    """Reload a file that is half written, and one with mistakes; return what came of each."""
    routes = parts["routes"]
    assert isinstance(routes, list)
    text = json.dumps(parts)
    wrong = {**parts, "routes": [*routes, {"destination": "99", "to": ["nobody"]}], "stop_with": 1}
    runs = json.loads(router.http("/v1/status"))["config"]["hash"]
    found = []
    for said, least in ((text[: len(text) // 2], 1), (json.dumps(wrong), MISTAKES)):
        _write(folder, said)
        told = reload(f"http://{router.control}", partly=False).document
        mistakes = told["mistakes"]
        assert isinstance(mistakes, list)
        well = told["result"] == "rejected" and len(mistakes) >= least
        well &= json.loads(router.http("/v1/status"))["config"]["hash"] == runs
        found.append("refused" if well else "not refused")
    return found


def _write(folder: Path, text: str) -> None:
    """Put a configuration in the place of the one before, as an editor does."""
    new = folder / "router.yaml.new"
    new.write_text(text, encoding="utf-8")
    new.replace(folder / "router.yaml")


def _dropped(router: stand.Router) -> int:
    """Return how many sessions ended that had no reason to: those of `op`, and those of clients.

    The client unbinds in the end, as often as it has bound.
    """
    ended = [*router.child.events("bind.lost"), *router.child.events("bind.unbound")]
    clients = len(router.child.events("client.bound"))
    return sum(line["operator"] == "op" for line in ended) + clients - BINDS


def _busiest(totals: Mapping[str, object]) -> list[float]:
    binds = totals["binds"]
    assert isinstance(binds, list)
    return [number(one, "busiest_second") for one in binds]


def _late_percent(router: stand.Router) -> float:
    """Return the share of the loop's beats that came more than 50 ms late, in per cent."""
    samples = router.samples()
    name = "loop_lag_seconds_bucket"
    all_of_them = samples.sum(name, le="+Inf")
    in_time = samples.sum(name, le="0.05")
    return round(100 * (1 - in_time / all_of_them), 2)
