"""What many slow, silent or hasty clients cost a good one, and the router's memory.

One client sends at a steady rate, and its answers are timed, while a crowd (crowds.py) of another
account does what the name of the scenario says. Message n is due at n / rate after the start and
its time counts from there.
"""

import argparse
import signal
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from benchmarks import stand
from benchmarks.idle import SPARE_FILES, Idle, may_open
from benchmarks.processes import Child, number, until
from benchmarks.results import Result

SUMMARY: Final = "a good client's answers, and memory, beside slow readers, silent peers and storms"
RATE_PER_S: Final = 200
RESPONSE_S: Final = 5
"""Short, so that peers that say nothing are found out while we look."""
STALL_S: Final = 0.01
MOST_P99_MS: Final = 25.0
MOST_STALLS_PERCENT: Final = 2.0
"""Beats of the loop that come later than `STALL_S`, more than with nobody else: on a machine that
is shared some do."""
MOST_COMERS_MB: Final = 10.0
"""What memory may grow by in the second half of those who come and go. Before, what is kept of
clients, ids and receipts fills up, once."""
MOST_BIND_MS: Final = 2000.0
"""The longest that one of a storm may wait for its answer, p99: many clients wait for 5 s."""
COME_AND_GO_S: Final = 7200.0
"""After which the benchmark gives up on those who come and go."""


class Scenario(NamedTuple):
    """A crowd, and what it may cost."""

    name: str
    kind: str
    clients: int
    quick: int
    """Its number where the benchmark is only tried."""
    grown_mb: float
    """By how much memory may grow at most."""


SCENARIOS: Final = (
    Scenario("slow readers", "unread", 50, 10, 120.0),
    Scenario("octet by octet", "drip", 1_000, 50, 31.5),
    Scenario("octet by octet, bound", "drip-bound", 1_000, 50, 31.5),
    Scenario("mute", "mute", 1_000, 50, 31.5),
    Scenario("half-open", "gone", 1_000, 50, 31.5),
    Scenario("storm", "storm", 1_000, 100, 31.5),
    Scenario("idle", "idle", 10_000, 200, 200.0),
    Scenario("come and go", "comers", 1_000_000, 500, 200.0),
)
"""A slow reader has a megabyte of answers at most in the router, and a bind some 5 KB."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--seconds", type=int, help="of each scenario (default: 20, quick: 3)")
    parser.add_argument("--only", help=f"one of: {', '.join(one.name for one in SCENARIOS)}")
    parser.add_argument("--count", type=int, help="clients of the crowd, with --only")


def run(given: argparse.Namespace) -> Result:
    """Measure without a crowd, and with each."""
    seconds: int = given.seconds or (3 if given.quick else 20)
    scenarios = [one for one in SCENARIOS if given.only in (None, one.name)]
    counts = {
        one.name: (given.only and given.count) or (one.quick if given.quick else one.clients)
        for one in scenarios
    }
    settings = {"seconds": seconds, "rate_per_s": RATE_PER_S, "crowds": counts}
    result = Result("connections", settings | {"response_timeout_s": RESPONSE_S})
    together = [counts[one.name] for one in scenarios if one.kind != "comers"]
    may_open(max([0, *together]) + SPARE_FILES)
    alone = result.numbers["none"] = beside(None, 0, seconds)
    usual = number(alone, "stalls_percent")
    for one in scenarios:
        found = result.numbers[one.name] = beside(one, counts[one.name], seconds)
        print(f"  {one.name}: {found}", flush=True)
        p99_ms = number(found, "response_ms", "p99")
        result.at_most(f"{one.name}: p99 of the other's answers, ms", p99_ms, MOST_P99_MS)
        more = round(number(found, "stalls_percent") - usual, 2)
        limit = MOST_STALLS_PERCENT
        result.at_most(f"{one.name}: stalls of the loop more than alone, %", more, limit)
        grown_mb = number(found, "grown_mb")
        result.at_most(f"{one.name}: growth of memory, MB", grown_mb, one.grown_mb)
        _judge(result, one, counts[one.name], found)
    return result


def _judge(result: Result, one: Scenario, count: int, found: dict[str, object]) -> None:
    """Ask what is special about a scenario."""
    if one.kind == "storm":
        result.at_most("storm: binds refused", number(found, "crowd", "refused"), 0)
        slowest_ms = number(found, "crowd", "bind_ms", "p99")
        result.at_most("storm: p99 of the binds' answers, ms", slowest_ms, MOST_BIND_MS)
    elif one.kind == "comers":
        result.at_least("come and go: connections", number(found, "crowd", "connections"), count)
        result.at_most("come and go: refused", number(found, "crowd", "refused"), 0)
        later_mb = number(found, "grown_later_mb")
        result.at_most("come and go: growth in the second half, MB", later_mb, MOST_COMERS_MB)
    elif one.kind == "gone":
        result.at_most("half-open: binds that are left", number(found, "binds_left"), 0)
    elif one.kind == "idle":
        result.at_least("idle: binds at the end", number(found, "binds_left"), count)


def beside(one: Scenario | None, count: int, seconds: int) -> dict[str, object]:
    """Return how a good client fares beside a crowd, and how much memory that takes."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        operator = stand.operator(stack, "--latency", "0ms", "--receipt-delay", "0ms")
        configuration = stand.configuration(operator.port, journal="sqlite")
        configuration["session"] = {
            "enquire_link": f"{RESPONSE_S}s",
            "response_timeout": f"{RESPONSE_S}s",
        }
        accounts = configuration["accounts"]
        assert isinstance(accounts, dict)
        for name in ("crowd", "idle"):
            # What most people have: the usual windows.
            accounts[name] = {
                "password": stand.PASSWORD,
                "lane": "bulk",
                "max_binds": min(max(20, count), 10_000),
                "allow_from": ["127.0.0.0/8"],
            }
        router = stand.router(stack, configuration, folder)
        router.until_bound(2)
        before_bytes = router.child.resident_bytes()
        beats = _beats(router)
        crowd = None
        if one is not None and one.kind == "idle":
            stack.enter_context(Idle(router.port, count))
        elif one is not None:
            crowd = _crowd(stack, one, count, router.port)
        client = stand.client(
            stack,
            router.port,
            *("--window", "2000", "--rate", f"{RATE_PER_S}/s"),
            *("--count", str(RATE_PER_S * seconds)),
        )
        seen = stand.totals_of(client)
        found: dict[str, object] = {
            "response_ms": seen["response_ms"],
            # How late the client itself was: the part of the above that is not the router's.
            "send_lag_ms": seen["send_lag_ms"],
            "refused": seen["refused"],
            **_stalls(beats, _beats(router)),
        }
        if crowd is not None and one is not None:
            found |= _end_of(crowd, one, count, router)
        elif one is not None:
            found["binds_left"] = _bound(router, "idle")
        found["grown_mb"] = round((router.child.peak_bytes() - before_bytes) / 1e6, 1)
        return found


def _crowd(stack: ExitStack, one: Scenario, count: int, port: int) -> Child:
    arguments = ["-m", "benchmarks.crowds", one.kind, "--to", f"127.0.0.1:{port}"]
    arguments += ["--count", str(count), "--password", stand.PASSWORD]
    crowd = stack.enter_context(Child("crowd", arguments))
    crowd.event("crowd", within_s=stand.CLIENT_S)
    return crowd


def _end_of(crowd: Child, one: Scenario, count: int, router: stand.Router) -> dict[str, object]:
    """Wait until the crowd has done what it does; return what it has seen."""
    found: dict[str, object] = {}
    if one.kind == "storm":
        crowd.event("bound")
    elif one.kind == "gone":  # Its sockets stay open: it is asked, and given up.
        until("all are given up", lambda: not _bound(router), within_s=10 * RESPONSE_S)
    if one.kind == "comers":
        tenths_mb: list[float] = []

        def is_done() -> bool:
            if len(crowd.events("came")) > len(tenths_mb):
                tenths_mb.append(round(router.child.resident_bytes() / 1e6, 1))
            return bool(crowd.events("totals"))

        until("all have come and gone", is_done, within_s=COME_AND_GO_S)
        found["resident_mb_by_tenth"] = tenths_mb
        found["grown_later_mb"] = round(tenths_mb[-1] - tenths_mb[len(tenths_mb) // 2], 1)
        until("all are gone", lambda: not _bound(router))
    found["binds_left"] = _bound(router)
    if one.kind != "comers":
        crowd.signal(signal.SIGTERM)
    totals = crowd.event("totals")
    found["crowd"] = {key: value for key, value in totals.items() if key != "event"}
    return found


def _bound(router: stand.Router, account: str = "crowd") -> int:
    return int(router.samples().sum("client_binds", account=account))


def _beats(router: stand.Router) -> tuple[int, int]:
    """Return how often the loop has beaten so far, and how often later than `STALL_S`."""
    samples, name = router.samples(), "loop_lag_seconds_bucket"
    every = int(samples.sum(name, le="+Inf"))
    return every, every - int(samples.sum(name, le=str(STALL_S)))


def _stalls(before: tuple[int, int], after: tuple[int, int]) -> dict[str, float]:
    beats, late = after[0] - before[0], after[1] - before[1]
    return {"beats": beats, "stalls": late, "stalls_percent": round(100 * late / max(1, beats), 2)}
