"""A million queued while every operator is down: what it does to the rate, the memory, a restart.

Filled in slices of equal size, so the rate with empty lanes can be compared with the last one, and
the memory of the first million with that of a further one. Then the router is killed and started on
the same journal, with the operator up: how long until the first message is out?
"""

import argparse
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Final, Self

from benchmarks import stand
from benchmarks.processes import number
from benchmarks.results import Result

SUMMARY: Final = "a million messages queued: accept rate, memory, time to the first message out"
BINDS: Final = 2
SLICES: Final = 10
FIRST_MILLION_MB: Final = 300.0
FURTHER_MILLION_MB: Final = 20.0
RATE_SHARE: Final = 0.8
FIRST_OUT_S: Final = 10.0
LAG_S: Final = 0.005
LOOK_EVERY_S: Final = 0.05
DRAINED: Final = 20_000
"""Messages that go out while the lag of the loop is watched after the restart."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--count", type=int, help="messages (default: 1000000, quick: 20000)")
    parser.add_argument("--window", type=int, default=200, help="of each client bind; default 200")


def run(given: argparse.Namespace) -> Result:
    """Fill, kill, start, and see the first one out."""
    count: int = given.count or (20_000 if given.quick else 1_000_000)
    each = count // SLICES
    settings = {"count": each * SLICES, "slices": SLICES, "client_binds": BINDS}
    result = Result("backlog", {**settings, "client_window": given.window, "journal": "sqlite"})
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        port = stand.free_port()
        configuration = stand.configuration(port, binds=BINDS, journal="sqlite")
        accounts = configuration["accounts"]
        assert isinstance(accounts, dict)
        accounts["load"]["queue"] = 100_000_000
        router = stand.router(stack, configuration, folder)
        empty_mb = router.child.resident_bytes() / 1e6
        machine = stack.enter_context(_Machine())
        slices = [_fill(stack, router, each, given.window) for _ in range(SLICES)]
        lag = _lag_s(router)
        file_mb = sum(file.stat().st_size for file in folder.glob("router.db*")) / 1e6
        router.child.kill()
        result.numbers = {
            "rate_per_s": _first_and_last(slices, "rate_per_s"),
            "router_us": _first_and_last(slices, "router_us"),
            "resident_mb": {
                "empty": round(empty_mb, 1),
                "first_slice": slices[0]["resident_mb"],
                "full": slices[-1]["resident_mb"],
                "grown_per_million": _per_million(slices, each),
            },
            "file_mb": round(file_mb, 1),
            "loop_lag_s": lag,
            "machine_lag_s": machine.lateness_s(),
            "restart": _restart(stack, configuration, folder, port),
        }
    _judge(result)
    return result


def _fill(stack: ExitStack, router: stand.Router, count: int, window: int) -> dict[str, float]:
    """Return one client that submits so many and leaves."""
    meter = stand.Meter(router.child)
    client = stand.client(
        stack,
        router.port,
        *("--binds", str(BINDS), "--window", str(window), "--count", str(count)),
        *("--registered-delivery", "0", "--wait-receipts", "0s"),
    )
    seen = stand.totals_of(client)
    cost = meter.cost(count)
    stand.well(client, seen)
    return {
        "rate_per_s": number(seen, "rate_per_s"),
        "router_us": cost.both_us,
        "client_us": number(seen, "cpu_us_per_message"),
        "resident_mb": cost.resident_mb,
    }


def _first_and_last(slices: list[dict[str, float]], key: str) -> dict[str, float]:
    """The medians of the first three slices and of the last three: one alone may meet anything."""
    values = [one[key] for one in slices]
    return {"first": median(values[:3]), "last": median(values[-3:])}


class _Machine:
    """Sleeps and measures how late it wakes: a delay of the machine, not of the router."""

    def __init__(self) -> None:
        self._late_s: list[float] = []
        self._ends = Event()
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            due_at = time.monotonic() + LOOK_EVERY_S
            if self._ends.wait(LOOK_EVERY_S):
                return
            self._late_s.append(time.monotonic() - due_at)

    def lateness_s(self) -> dict[str, float]:
        """So far."""
        late_s = sorted(self._late_s)
        places = {"p50": len(late_s) // 2, "p99": len(late_s) * 99 // 100}
        return {name: round(late_s[place], 4) for name, place in places.items()}


def _per_million(slices: list[dict[str, float]], each: int) -> float:
    """From the middle on: before that every queue fills its part of the memory."""
    half = len(slices) // 2
    grown_mb = slices[-1]["resident_mb"] - slices[half - 1]["resident_mb"]
    return round(grown_mb / (each * (len(slices) - half)) * 1e6, 1)


def _restart(
    stack: ExitStack, configuration: Mapping[str, object], folder: Path, port: int
) -> dict[str, object]:
    """Start the operator and the router; return how long the first message took, and the rest."""
    operator = stand.operator(stack, "--latency", "0ms", port=port)
    began_at = time.monotonic()
    router = stand.router(stack, configuration, folder)
    ready_s = time.monotonic() - began_at
    recovered = router.child.event("journal.recovered")
    router.until_bound(BINDS)
    meter = stand.Meter(router.child)
    while router.samples().sum("sends_total") < DRAINED:
        time.sleep(0.05)
        if router.samples().sum("queue_messages") == 0:
            break
    cost = meter.cost(1)
    lag = _lag_s(router)
    router.child.kill()
    counted = operator.totals()
    binds = counted["binds"]
    assert isinstance(binds, list)
    started_s = number(counted, "started_monotonic_s")
    first_s = min(number(bind, "first_submit_s") for bind in binds if bind["submits"])
    return {
        "ready_s": round(ready_s, 3),
        "recovered_s": recovered["took_s"],
        "messages": recovered["messages"],
        "first_message_out_s": round(started_s + first_s - began_at, 3),
        "resident_mb": cost.resident_mb,
        "loop_lag_s": lag,
    }


def _lag_s(router: stand.Router) -> dict[str, float]:
    """Return the bounds under which half and 99 of 100 wake-ups of the loop were late."""
    samples = router.samples()
    counts = {
        float(dict(labels)["le"]): count
        for (name, labels), count in samples.values.items()
        if name == f"{stand.PREFIX}loop_lag_seconds_bucket"
    }
    every = max(counts.values())
    return {
        name: min(bound for bound, count in counts.items() if count >= share * every)
        for name, share in (("p50", 0.5), ("p99", 0.99))
    }


def _judge(result: Result) -> None:
    numbers = result.numbers
    rate = number(numbers, "rate_per_s", "last") / number(numbers, "rate_per_s", "first")
    result.at_least("accept rate, full against empty", round(rate, 3), RATE_SHARE)
    result.at_most("resident MB, full", number(numbers, "resident_mb", "full"), FIRST_MILLION_MB)
    grown_mb = number(numbers, "resident_mb", "grown_per_million")
    result.at_most("resident MB per further million", grown_mb, FURTHER_MILLION_MB)
    first_out_s = number(numbers, "restart", "first_message_out_s")
    result.at_most("seconds to the first message out", first_out_s, FIRST_OUT_S)
    result.at_most("loop lag p99 in s, filling", number(numbers, "loop_lag_s", "p99"), LAG_S)
    lag_s = number(numbers, "restart", "loop_lag_s", "p99")
    result.at_most("loop lag p99 in s, after the restart", lag_s, LAG_S)
