"""Three times the load that the router can carry: what it accepts, and how it fares by itself.

The router is held down, so that the load client can offer that much: to a part of a core (it is
stopped and continued fifty times a second, as a container with a limit is), or by a journal that
takes its time for each row, or by operators that take little. First its best rate is found in a
closed loop. Then it is offered, one after the other: its best; three times that, most of it by one
account; three times that, by all alike; and half of its best.
"""

import argparse
import json
import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Final, Literal

from benchmarks import stand
from benchmarks.processes import ROOT, Child, ChildError, number, router_python
from benchmarks.results import Result

SUMMARY: Final = "three times the load that it can carry: processor, journal or lanes"
Way = Literal["processor", "journal", "lanes"]
WAYS: Final[tuple[Way, ...]] = ("processor", "journal", "lanes")
"""What it is short of."""
TIMES: Final = 3.0
SECONDS: Final = 15
QUICK_SECONDS: Final = 2
SHARE: Final = 25
PERIOD_S: Final = 0.02
"""In each the router runs once, for its share."""
SLOW_JOURNAL: Final = {"SLOW_COMMIT_MS": "5", "SLOW_ROW_US": "150"}
LANES_RATE: Final = 250
"""Of each of two binds."""
LANES_QUEUE: Final = 500
"""Messages of one account that may wait: that much is one second of all lanes."""
URGENT: Final = "otp"
GREEDY: Final = "greedy"
FAIR: Final = ("fair1", "fair2", "fair3")
BULK: Final = (GREEDY, *FAIR)
URGENT_PART: Final = 0.05
"""Of the best rate, in each phase."""
FAIR_PART: Final = 0.15
"""The same, of each of the others that keep to their share beside a greedy one."""
CLOSED_WINDOW: Final = 25
"""Of each account in the closed loop: enough to keep the router busy, and its answers prompt."""
WINDOW: Final = 1000
"""Of each account where more is offered: ten times the default, so that much waits unread."""
OPERATOR_WINDOW: Final = 100
PHASES: Final = ("best", "one greedy", "all alike", "half")

LEAST_SHARE: Final = 0.9
MOST_TIMES: Final = 2.0
NOISE_MS: Final = 10.0
"""Twice a time that is shorter is the machine's doing."""
MOST_P99_MS: Final = 3000.0
"""Of answers to what was accepted: clients give up after 2 s (jSMPP), 10 s and more."""
LEAST_FAIR: Final = 0.98
"""The part of what an account offers that keeps to its share which is accepted."""
LEAST_ALIKE: Final = 0.8
"""What the account with the least accepted has, where all offer alike, of the one with the most."""
MOST_GROWN_MB: Final = 64.0
MOST_RECOVERY_S: Final = 5.0
PROMPT_MS: Final = 250.0
"""It has recovered when 90 % of the answers to what is sent in a second are as prompt as that, or
take at most twice as long as 99 % at its best rate."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--seconds", type=int, help=f"of each phase (default: {SECONDS}, quick: 2)")
    parser.add_argument("--share", type=int, default=SHARE, help="of a core in %%; default 25")
    parser.add_argument("--only", choices=WAYS, help="hold it down in this way only")


def run(given: argparse.Namespace) -> Result:
    """Measure in each way."""
    seconds: int = given.seconds or (QUICK_SECONDS if given.quick else SECONDS)
    ways = (given.only,) if given.only else WAYS
    settings: dict[str, object] = {
        "seconds": seconds, "ways": list(ways), "share_percent": given.share,
        "slow_journal": SLOW_JOURNAL, "lanes_rate": 2 * LANES_RATE, "times": TIMES,
        "window": WINDOW,
    }  # fmt: skip
    result = Result("overload", settings)
    for way in ways:
        found = result.numbers[way] = under(way, seconds, given.share / 100)
        print(f"  {way}: {json.dumps(found)}", flush=True)
        judge(result, way, found)
    return result


def judge(result: Result, way: Way, found: Mapping[str, object]) -> None:
    """Add the bounds of one way to the result."""
    for phase in PHASES[1:3]:
        share = number(found, phase, "share_of_best")
        result.at_least(f"{way}, {phase}: accepted, of its best", share, LEAST_SHARE)
        p99_ms = number(found, phase, "accepted_p99_ms")
        result.at_most(f"{way}, {phase}: p99 of answers, ms", p99_ms, MOST_P99_MS)
        for what in ("urgent_answer_p99_ms", "urgent_receipt_p99_ms"):
            times = number(found, phase, what) / max(NOISE_MS, number(found, "best", what))
            result.at_most(f"{way}, {phase}: {what}, times that at 1x", round(times, 2), MOST_TIMES)
    fair = number(found, PHASES[1], "least_of_offered")
    result.at_least(f"{way}: accepted of who keeps to its share", fair, LEAST_FAIR)
    alike = number(found, PHASES[2], "least_to_most")
    result.at_least(f"{way}: least to most where all offer alike", alike, LEAST_ALIKE)
    result.at_most(f"{way}: growth of memory, MB", number(found, "grown_mb"), MOST_GROWN_MB)
    result.at_most(f"{way}: seconds to recover", number(found, "recovered_s"), MOST_RECOVERY_S)
    for what in ("without_receipt", "unanswered", "unknown_receipts"):
        result.at_most(f"{way}: {what}", number(found, what), 0)


def under(way: Way, seconds: int, share: float) -> dict[str, object]:
    """Return what was found with the router held down in one way."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        operator = stand.operator(stack, "--latency", "0ms", "--receipt-delay", "0ms")
        if way == "journal":
            slow = stand.Program(
                python=router_python(),
                script=ROOT / "benchmarks" / "slow_journal.py",
                environment=SLOW_JOURNAL,
            )
            stack.enter_context(stand.started_from(slow))
        router = stand.router(stack, _configuration(way, operator.port), folder)
        router.until_rates_are_free(2)
        if way == "processor":
            stack.enter_context(held(router.child, share))
        closed = {"seconds": seconds, "rates": {**dict.fromkeys(BULK, 0), URGENT: 10}}
        # Twice: until all that fills is full, more is accepted than goes out.
        best = _offered(stack, router, CLOSED_WINDOW, [closed, closed])
        best_per_s = _sum(best, 1, "accepted_per_s")
        before_bytes = router.child.resident_bytes()
        urgent_per_s = URGENT_PART * best_per_s
        fair_per_s = FAIR_PART * best_per_s

        def alike(times: float) -> dict[str, float]:
            each = (times * best_per_s - urgent_per_s) / len(BULK)
            return {**dict.fromkeys(BULK, each), URGENT: urgent_per_s}

        greedy_per_s = TIMES * best_per_s - urgent_per_s - len(FAIR) * fair_per_s
        greedy = {**dict.fromkeys(FAIR, fair_per_s), GREEDY: greedy_per_s, URGENT: urgent_per_s}
        # Apart, so that what one leaves behind is in no other; but for the recovery.
        phases = [
            [{"seconds": seconds, "rates": alike(1.0)}],
            [{"seconds": seconds, "rates": greedy}],
            [{"seconds": one, "rates": alike(x)} for one, x in ((seconds, TIMES), (seconds, 0.5))],
        ]
        runs = [_offered(stack, router, WINDOW, one) for one in phases]
        samples = router.samples()
        grown_mb = (router.child.peak_bytes() - before_bytes) / 1e6
        status = json.loads(router.http("/v1/status"))
    parts = [*((run, 0) for run in runs), (runs[-1], 1)]
    found: dict[str, object] = {"best_per_s": round(best_per_s, 1)}
    for name, (run, place) in zip(PHASES, parts, strict=True):
        found[name] = _of_phase(run, place, best_per_s)
    slow_ms = _phase(runs[-1], 1)["slow_ms"]
    limit_ms = max(PROMPT_MS, MOST_TIMES * number(found, "best", "accepted_p99_ms"))
    assert isinstance(slow_ms, list)
    late = [second + 1 for second, ms in enumerate(slow_ms) if ms > limit_ms]
    return found | {
        "recovered_s": late[-1] if late else 0,
        "grown_mb": round(grown_mb, 1),
        "refused": samples.by("reason", "refused_total"),
        "congestion": status["congestion"],
        **{
            what: sum(number(one, what) for one in (best, *runs))
            for what in ("without_receipt", "unanswered", "unknown_receipts")
        },
    }


def _configuration(way: Way, operator_port: int) -> dict[str, object]:
    configuration = stand.configuration(
        operator_port,
        binds=2,
        rate=f"{LANES_RATE}/s" if way == "lanes" else "20000/s",
        bind_window=OPERATOR_WINDOW,
        lanes=("bulk", URGENT),
        journal="sqlite",
    )
    accounts = configuration["accounts"]
    assert isinstance(accounts, dict)
    bulk = accounts.pop("load")
    if way == "lanes":
        bulk = {**bulk, "queue": LANES_QUEUE}
    accounts.update(dict.fromkeys(BULK, bulk))
    return configuration


@contextmanager
def held(child: Child, share: float) -> Iterator[None]:
    """Let a process run for a part of the time only, within the `with` block."""
    is_over = Event()

    def hold() -> None:
        with suppress(ProcessLookupError):
            while not is_over.is_set():
                os.kill(child.pid, signal.SIGCONT)
                time.sleep(PERIOD_S * share)
                os.kill(child.pid, signal.SIGSTOP)
                time.sleep(PERIOD_S * (1 - share))
            os.kill(child.pid, signal.SIGCONT)

    thread = Thread(target=hold, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _offered(
    stack: ExitStack, router: stand.Router, window: int, phases: list[dict[str, object]]
) -> dict[str, object]:
    """Offer these phases; return what came of them. Raises ChildError."""
    arguments = ["--to", f"127.0.0.1:{router.port}", "--password", stand.PASSWORD]
    arguments += ["--window", str(window)]
    for phase in phases:
        arguments += ["--phase", json.dumps(phase)]
    child = stack.enter_context(Child("offering", ["-m", "benchmarks.offering", *arguments]))
    if child.ends(stand.CLIENT_S):
        raise child.failed("did not", "offer to the end")
    return child.event("totals")


def _phase(run: Mapping[str, object], place: int) -> dict[str, object]:
    phases = run["phases"]
    assert isinstance(phases, list)
    phase = phases[place]
    assert isinstance(phase, dict)
    return phase


def _sum(run: Mapping[str, object], place: int, what: str) -> float:
    accounts = _phase(run, place)["accounts"]
    assert isinstance(accounts, dict)
    return sum(number(one, what) for one in accounts.values())


def _of_phase(run: Mapping[str, object], place: int, best_per_s: float) -> dict[str, object]:
    """Return what one phase has shown."""
    accounts = _phase(run, place)["accounts"]
    assert isinstance(accounts, dict)
    accepted = {name: number(one, "accepted_per_s") for name, one in accounts.items()}
    offered = {name: number(one, "offered_per_s") for name, one in accounts.items()}
    if not accepted[URGENT]:
        raise ChildError("nothing urgent was accepted")
    return {
        "share_of_best": round(sum(accepted.values()) / best_per_s, 3),
        "offered_per_s": offered,
        "accepted_per_s": accepted,
        "statuses": _sums(accounts),
        "accepted_p99_ms": max(number(one, "accepted_ms", "p99") for one in accounts.values()),
        "urgent_answer_p99_ms": number(accounts, URGENT, "accepted_ms", "p99"),
        "urgent_receipt_p99_ms": number(accounts, URGENT, "receipt_ms", "p99"),
        "fair_p99_ms": max(number(accounts, name, "accepted_ms", "p99") for name in FAIR),
        "least_of_offered": round(min(accepted[name] / offered[name] for name in FAIR), 3),
        "least_to_most": round(
            min(accepted[name] for name in BULK) / max(1.0, *(accepted[name] for name in BULK)), 3
        ),
    }


def _sums(accounts: Mapping[str, Mapping[str, object]]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for one in accounts.values():
        statuses = one["statuses"]
        assert isinstance(statuses, dict)
        for status, count in statuses.items():
            sums[status] = sums.get(status, 0) + count
    return sums
