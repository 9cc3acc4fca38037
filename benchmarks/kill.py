"""`kill -9` under load, again and again: is anything lost, what is sent twice, when does it go on?

One operator and one client outlive all kills; the client binds again and submits nothing twice. The
router is started anew on the same journal each time.
"""

import argparse
import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import stand
from benchmarks.processes import ChildError, number, until
from benchmarks.results import Result, spread
from router.telemetry.records import path_of
from simulators.units import duration_s

SUMMARY: Final = "kill -9 under load, 50 times: messages and receipts lost, messages sent twice"
BINDS: Final = 2
BIND_WINDOW: Final = 50
SETTLE_EVERY_S: Final = 0.05
"""The default of journal.settle_every: what was answered so lately may be sent again."""
LATENCY: Final = "20ms"
REPEATED_AT_ONCE: Final = 5.0
"""Messages sent twice per kill, at the median, where the operator answers at once."""
LONGEST_UP_S: Final = 1.5
"""Between a start and the next kill, where nothing is waited for."""
CYCLE_S: Final = 3.0
"""Of a kill, a start and some time between: the client submits for so long for each kill."""
FULL_RATE: Final = 0.9
LOOK_EVERY_S: Final = 0.1
FULL_RATE_WITHIN_S: Final = 20.0
RECEIPTS_S: Final = 60.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--kills", type=int, metavar="N", help="default: 50, quick: 3")
    parser.add_argument("--rate", type=int, default=1000, help="of the client, per second")
    parser.add_argument(
        "--latency", default=LATENCY, metavar="TIME", help=f"of the operator; default {LATENCY}"
    )
    parser.add_argument("--seed", type=int, default=0, help="the same moments again, more or less")


def run(given: argparse.Namespace) -> Result:
    """Kill, and count."""
    kills: int = given.kills or (3 if given.quick else 50)
    rate: int = given.rate
    settings: dict[str, object] = {"kills": kills, "client_rate_per_s": rate, "seed": given.seed}
    settings |= {
        "latency": given.latency,
        "operator_binds": BINDS,
        "bind_window": BIND_WINDOW,
        "journal": "sqlite",
    }
    result = Result("kill" if given.latency == LATENCY else f"kill-{given.latency}", settings)
    at_once = duration_s(given.latency) == 0.0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        operator = stand.operator(stack, "--latency", given.latency, "--receipt-delay", "50ms..1s")
        configuration = stand.configuration(
            operator.port, binds=BINDS, bind_window=BIND_WINDOW, journal="sqlite"
        )
        victim = _Victim(stack, configuration, folder)
        victim.start()
        configuration["listen"] = [{"address": f"127.0.0.1:{victim.router.port}"}]
        client = stand.client(
            stack,
            victim.router.port,
            *("--binds", "2", "--window", "500", "--reconnect", "--rate", f"{rate}/s"),
            *("--duration", f"{kills * CYCLE_S:g}s", "--wait-receipts", f"{RECEIPTS_S:g}s"),
            *("--destination", "3{14}"),  # So many digits that no two are the same.
        )
        random = Random(given.seed)
        victim.until_full_rate(rate)
        for kill in range(kills):
            # One at a random moment of its start, the next when all is as it was before.
            if kill % 2:
                victim.until_full_rate(rate)
            time.sleep(random.random() * LONGEST_UP_S)
            victim.kill()
            victim.start()
        seen = stand.totals_of(client)
        victim.until_all_is_over()
        victim.router.child.stop()
        counted = operator.totals()
        result.numbers = _numbers(seen, counted, victim, kills) | _records(folder, counted)
    _judge(result, kills, rate, at_once=at_once)
    return result


@dataclass(slots=True)
class _Start:
    """One start of the router; times are monotonic."""

    began_at: float
    ready_at: float
    full_rate_at: float | None = None


@dataclass(slots=True)
class _Victim:
    """The router, which is started and killed."""

    stack: ExitStack
    configuration: Mapping[str, object]
    folder: Path
    starts: list[_Start] = field(default_factory=list)
    router: stand.Router = field(init=False)

    def start(self) -> None:
        """Start it, and wait until it serves clients."""
        began_at = time.monotonic()
        self.router = stand.router(self.stack, self.configuration, self.folder)
        self.starts.append(_Start(began_at, time.monotonic()))

    def kill(self) -> None:
        """Give it no time to do anything."""
        if not self.router.child.running:
            raise self.router.child.failed("ended before", "it was killed")
        self.router.child.kill()

    def until_full_rate(self, rate: int) -> None:
        """Wait until messages go out as fast as they come in."""
        before, before_at = self._sent(), time.monotonic()

        def full() -> bool:
            nonlocal before, before_at
            sent, now = self._sent(), time.monotonic()
            if now - before_at < LOOK_EVERY_S:
                return False
            per_s = (sent - before) / (now - before_at)
            before, before_at = sent, now
            return per_s >= rate * FULL_RATE

        until("messages going out at full rate", full, FULL_RATE_WITHIN_S)
        self.starts[-1].full_rate_at = time.monotonic()

    def until_all_is_over(self) -> None:
        """Wait for what the client has heard nothing of, though it was accepted or sent."""

        def is_over() -> bool:
            samples = self.router.samples()
            return not (samples.sum("queue_messages") or samples.sum("receipts_outstanding"))

        until("all messages being over", is_over, RECEIPTS_S)

    def _sent(self) -> float:
        if not self.router.child.running:
            raise ChildError("the router has ended by itself")
        return self.router.samples().sum("sends_total")


def _numbers(
    seen: Mapping[str, object], counted: Mapping[str, object], victim: _Victim, kills: int
) -> dict[str, object]:
    accepted, of_unanswered = number(seen, "accepted"), number(seen, "receipts_of_unanswered")
    repeated = number(counted, "repeated")
    restarts = victim.starts[1:]
    first_out_s = [_first_out_at(counted, start) - start.began_at for start in restarts]
    full_rate_s = [
        start.full_rate_at - start.began_at for start in restarts if start.full_rate_at is not None
    ]
    return {
        "kills": kills,
        "accepted": accepted,
        # The client never heard what became of these; some were taken, and receipted all the same.
        "unanswered": seen["unanswered"],
        "receipts_of_unanswered": of_unanswered,
        "at_operator": counted["distinct"],
        # Whatever the operator has is the client's business: answered, or not answered any more.
        "never_delivered": max(0.0, accepted - (number(counted, "distinct") - of_unanswered)),
        "receipts_missing": seen["missing"],
        "receipts": seen["receipts"],
        "receipts_twice": seen["duplicates"],
        "wrong": sum(
            number(seen, fault)
            for fault in ("unknown", "mismatched", "conflicting", "unreadable", "same_id")
        ),
        "refused": seen["refused"],
        "repeated": repeated,
        "repeated_per_kill": {
            **spread(repeated_by_kill(counted, [start.began_at for start in restarts])),
            "mean": round(repeated / kills, 2),
        },
        "ready_s": spread([start.ready_at - start.began_at for start in restarts], 3),
        "first_message_out_s": spread(first_out_s, 3),
        "full_rate_s": spread(full_rate_s, 3) if full_rate_s else "not measured",
    }


def _records(folder: Path, counted: Mapping[str, object]) -> dict[str, float]:
    """Of the messages that the operator has, each to a number of its own: those without a record.

    A message that was accepted and whose process was killed before it answered has one, too.
    """
    with closing(sqlite3.connect(path_of(folder / "router.db"))) as database:
        rows, numbers = database.execute(
            "SELECT count(*), count(DISTINCT destination) FROM record WHERE outcome <> 'refused'"
        ).fetchone()
    return {
        "records_missing": number(counted, "distinct") - numbers,
        "records_twice": rows - numbers,
    }


def _first_out_at(counted: Mapping[str, object], start: _Start) -> float:
    """When the first message after this start came to the operator, on its clock, which is ours."""
    binds = counted["binds"]
    assert isinstance(binds, list)
    origin = number(counted, "started_monotonic_s")
    arrivals = [
        origin + number(bind, "first_submit_s")
        for bind in binds
        if bind["first_submit_s"] is not None
    ]
    return min((at for at in arrivals if at > start.began_at), default=float("inf"))


def repeated_by_kill(counted: Mapping[str, object], began_at: Sequence[float]) -> list[float]:
    """Messages that came again on the binds of each start; the kill is the one before it.

    `began_at` are the starts that follow kills, ascending, in monotonic seconds. What a kill
    leaves in doubt may also come again only after the next one.
    """
    binds = counted["binds"]
    assert isinstance(binds, list)
    origin = number(counted, "started_monotonic_s")
    repeated = [0.0 for _ in began_at]
    for bind in binds:
        if bind["repeated"]:
            at = origin + number(bind, "first_submit_s")
            place = sum(began < at for began in began_at) - 1
            if place < 0:
                raise ChildError("messages were sent twice before the router was killed")
            repeated[place] += number(bind, "repeated")
    return repeated


def _judge(result: Result, kills: int, rate: int, *, at_once: bool) -> None:
    numbers = result.numbers
    result.at_most("acknowledged and never delivered", number(numbers, "never_delivered"), 0)
    result.at_most("receipts missing", number(numbers, "receipts_missing"), 0)
    result.at_most("receipts wrong, ids given twice", number(numbers, "wrong"), 0)
    result.at_most("records missing", number(numbers, "records_missing"), 0)
    result.at_most("records twice", number(numbers, "records_twice"), 0)
    if at_once:
        median = number(numbers, "repeated_per_kill", "median")
        result.at_most("sent twice per kill, at the median", median, REPEATED_AT_ONCE)
        return
    # What was in flight, and the answers that no commit has seen.
    forgotten = BINDS * BIND_WINDOW + rate * SETTLE_EVERY_S
    result.at_most("sent twice per kill", number(numbers, "repeated") / kills, forgotten)
