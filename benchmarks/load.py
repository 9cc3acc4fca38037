"""One client, the router and one operator, as fast as they go: what a message costs the router.

The client keeps its windows full, the operator answers at once. The router's processor time is read
each time that the client says that another slice of its messages is done, so a cost that grows
with the number of messages shows.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import stand
from benchmarks.certificates import self_signed
from benchmarks.processes import as_document, number

WARM_UP: Final = 2_000
"""Before the measured messages: rates have their slots free, and the code has been run."""
RATE_PER_S: Final = 250_000
"""Of all operator's binds together: more than any router sends, so that it is in nobody's way.
Pacing remembers the messages of a second, some 18 MB at this rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is sent, and through what."""

    journal: str = "memory"
    receipts: bool = True
    """Whether the client asks for them."""
    client_binds: int = 1
    operator_binds: int = 1
    window: int = 100
    """Of each client bind."""
    accounts: int = 1
    """They share the client's binds."""
    receipt_delay: str = "0ms"
    tls: bool = False
    """Between client and router."""
    segments: int = 1
    """Of each long message; every one counts as a message."""
    records: bool = True
    """Whether the router keeps records, where its journal is on disk."""

    @property
    def suffix(self) -> str:
        """Receipts and binds, for the name of a result; empty with receipts and one bind each."""
        binds = f"-{self.client_binds}x{self.operator_binds}"
        return ("" if self.receipts else "-noreceipts") + ("" if binds == "-1x1" else binds)

    def settings(self) -> dict[str, object]:
        """As a result names them."""
        return {
            "client_binds": self.client_binds,
            "client_window": self.window,
            "operator_binds": self.operator_binds,
            "journal": self.journal,
            "receipts": self.receipts,
            "message_log": "0%",
        }


@dataclass(frozen=True, slots=True)
class Measured:
    """One run."""

    numbers: dict[str, float]
    slices_us: list[float]
    """Processor time of the router per message, slice by slice; the first is the coldest."""


def measure(
    case: Case,
    count: int,
    each: int,
    *,
    profile: Path | None = None,
    began: Callable[[stand.Router], None] = lambda _: None,
) -> Measured:
    """Send `count` messages, in slices of `each`. Raises ChildError unless all goes well.

    `began` is called when the measured messages are about to come.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        operator = stand.operator(stack, "--latency", "0ms", "--receipt-delay", case.receipt_delay)
        router = start(stack, case, operator.port, folder, profile)
        options = client_options(case, folder)
        warm_up = stand.client(stack, router.port, *options, "--count", str(WARM_UP))
        stand.well(warm_up, stand.totals_of(warm_up))
        began(router)
        loop_s = router.child.loop_cpu().both_s
        meter, operator_meter = stand.Meter(router.child), stand.Meter(operator.child)
        client = stand.client(
            stack, router.port, *options, "--count", str(count), "--progress", str(each)
        )
        costs_us = slices_us(
            lambda end: client.hear(f"{end} messages done", _reaches(end), stand.CLIENT_S),
            lambda: router.child.cpu().both_s,
            count,
            each,
        )
        seen = stand.totals_of(client)
        cost, operator_cost = meter.cost(count), operator_meter.cost(count)
        loop_s = router.child.loop_cpu().both_s - loop_s
        stand.well(client, seen)
        router.child.stop()
    numbers = {
        "rate_per_s": number(seen, "rate_per_s"),
        "router_us": cost.both_us,
        "router_user_us": cost.user_us,
        "router_system_us": cost.system_us,
        "router_loop_us": round(loop_s / count * 1e6, 2),
        "router_resident_mb": cost.resident_mb,
        "router_grown_mb": cost.grown_mb,
        "client_us": number(seen, "cpu_us_per_message"),
        "operator_us": operator_cost.both_us,
    }
    return Measured(numbers, costs_us)


def start(
    stack: ExitStack, case: Case, operator_port: int, folder: Path, profile: Path | None = None
) -> stand.Router:
    """Start a router that is ready for this case."""
    configuration = stand.configuration(
        operator_port,
        binds=case.operator_binds,
        rate=f"{RATE_PER_S // case.operator_binds}/s",
        journal=case.journal,
    )
    if not case.records:
        configuration["records"] = {"keep": "0s"}
    account = {**stand.account(), "max_binds": case.client_binds + 1}
    names = (
        [f"load{place + 1}" for place in range(case.accounts)] if case.accounts > 1 else ["load"]
    )
    configuration["accounts"] = dict.fromkeys(names, account)
    if case.tls:
        certificate = self_signed(folder)
        tls = {"certificate": str(certificate), "key": str(certificate.with_suffix(".key"))}
        configuration["listen"] = [{"address": "127.0.0.1:0", "tls": tls}]
    router = stand.router(stack, configuration, folder, profile=profile)
    router.until_bound(case.operator_binds)
    return router


def client_options(case: Case, folder: Path) -> list[str]:
    """Return what a simulated client of this case is told, but for the number of messages."""
    options = ["--binds", str(case.client_binds), "--window", str(case.window)]
    options += ["--accounts", str(case.accounts), "--segments", str(case.segments)]
    if not case.receipts:
        options += ["--registered-delivery", "0", "--wait-receipts", "0s"]
    if case.tls:
        options += ["--tls", str(folder / "server.crt")]
    return options


def slices_us(
    reach: Callable[[int], float], cpu_s: Callable[[], float], count: int, each: int
) -> list[float]:
    """Return the processor time per message of each slice of `each` messages.

    `reach` waits until so many messages are done, and returns how many are.
    """
    slices: list[float] = []
    done, used_s = 0.0, cpu_s()
    for end in range(each, count + 1, each):
        done_now, used_now_s = reach(end), cpu_s()
        if done_now > done:
            slices.append(round((used_now_s - used_s) / (done_now - done) * 1e6, 2))
        done, used_s = done_now, used_now_s
    return slices


def _reaches(end: int) -> Callable[[str], float | None]:
    """Find the first line of a client that says that so many messages are done, or more."""

    def find(line: str) -> float | None:
        said = as_document(line)
        if said is None or said.get("event") != "progress":
            return None
        done = number(said, "messages")
        return done if done >= end else None

    return find
