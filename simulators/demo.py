"""`make demo`: a campaign of 1,000 over three binds of 50/s, and whether the promises held.

Starts a simulated operator, the router and a simulated client, each a process of its own on ports
that the kernel chooses; prints what happened; ends what it started. Exit status 0 only if every
promise held: all accepted, all sent once, all receipts back, in the time that the rate allows, and
no bind ever above its rate in any sliding second.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar, cast

import yaml
from rich.console import Console
from rich.table import Table

from router.terms.limits import Rate
from simulators import units
from simulators.units import UnitError

T = TypeVar("T")
Totals = dict[str, object]
"""The one line of JSON that a simulator says at its end."""

ROOT: Final = Path(__file__).resolve().parents[1]
ACCOUNT: Final = ("demo", "secret01")
READY_S: Final = 20.0
"""How long the router may take to listen and to bind; it takes less than a second."""
STOP_S: Final = 10.0
"""How long a process may take to end when asked to; then it is killed."""
TOLERANCE: Final = 1.0125
"""Of the time that the rate alone would take: 6.75 s where that is 6.67 s."""
LONGEST_LINE: Final = 2**22


class DemoError(Exception):
    """The demonstration could not run; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """What is shown."""

    count: int
    binds: int
    rate: Rate
    busy: bool
    """Whether a busy process runs on every core."""

    @property
    def longest_s(self) -> float:
        """How long it may take from the first submit_sm to the last."""
        return self.count / (self.binds * self.rate.per_second) * TOLERANCE


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise, what was measured, and what was promised."""

    says: str
    measured: str
    bound: str
    kept: bool


class Child:
    """A process that was started here, and is ended here."""

    def __init__(
        self, name: str, process: asyncio.subprocess.Process, words: asyncio.StreamReader
    ) -> None:
        self.name = name
        self.process = process
        self.log: deque[str] = deque(maxlen=20)
        """The last lines that it said."""
        self._words = words

    async def event(self) -> dict[str, object]:
        """Return the next line that is JSON. Raises DemoError where the process ends instead."""
        while octets := await self._words.readline():
            text = octets.decode("utf-8", "replace").rstrip()
            self.log.append(text)
            try:
                found = json.loads(text)
            except ValueError:
                continue  # Words for people.
            if isinstance(found, dict):
                return cast(dict[str, object], found)
        raise DemoError(f"{self.name} has ended: " + ("\n".join(self.log) or "without a word"))

    async def keep_reading(self) -> None:
        """Read on, so that the process does not have to wait for us."""
        while octets := await self._words.readline():
            self.log.append(octets.decode("utf-8", "replace").rstrip())

    async def stop(self) -> None:
        """Ask it to end; do not ask twice."""
        if self.process.returncode is not None:
            return
        self.process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


@asynccontextmanager
async def child(name: str, *command: str, logs: bool = False) -> AsyncIterator[Child]:
    """Start `python` with these arguments; end it, whatever happens.

    What it says is read from its standard output, of one that `logs` from its standard error.
    """
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    pipe, none = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        stdin=none,
        stdout=none if logs else pipe,
        stderr=pipe if logs else asyncio.subprocess.STDOUT,
        limit=LONGEST_LINE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
    )
    words = process.stderr if logs else process.stdout
    assert words is not None
    started = Child(name, process, words)
    try:
        yield started
    finally:
        await started.stop()


def configuration(campaign: Campaign, operator_port: int) -> dict[str, object]:
    """Return the router's settings; the shape is that of config/router.yaml."""
    binds = [
        {
            "name": f"sim-{number}",
            "address": f"127.0.0.1:{operator_port}",
            "system_id": "agg1",
            "password": "pw1",
            "type": "transceiver",
            "rate": str(campaign.rate),
            "window": 20,
        }
        for number in range(1, campaign.binds + 1)
    ]
    name, password = ACCOUNT
    return {
        "listen": [{"address": "127.0.0.1:0"}],
        "journal": {"url": "sqlite:///router.db"},
        "telemetry": {"listen": "127.0.0.1:0", "log": {"format": "json", "level": "info"}},
        "lanes": [{"name": "campaign"}],
        "accounts": {name: {"password": password, "lane": "campaign", "window": 100}},
        "operators": {"sim": {"binds": binds}},
        "routes": [{"destination": "", "to": ["sim"]}],
    }


async def run(campaign: Campaign, say: Console) -> tuple[Totals, Totals]:
    """Run it; return the totals of the operator and of the client. Raises DemoError."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="smpp-demo-")))
        status = stack.enter_context(say.status("starting a simulated operator"))
        operator = await enter(child("the operator", *_operator_command(campaign)))
        port = (await _within(operator.event(), operator))["port"]
        status.update("starting the router")
        file = folder / "router.yaml"
        file.write_text(yaml.safe_dump(configuration(campaign, cast(int, port))))
        command = ("-m", "router.wiring.cli", "run", str(file))
        router = await enter(child("the router", *command, logs=True))
        address = await _within(_ready(router, campaign.binds), router)
        reading = asyncio.create_task(router.keep_reading())
        stack.callback(reading.cancel)
        for number in range((os.cpu_count() or 1) if campaign.busy else 0):
            await enter(child(f"busy process {number}", "-c", "while True: pass"))
        status.update(f"{campaign.count:,} messages through {campaign.binds} binds")
        client = await _client_totals(campaign, address)
        if client["well"] is not True:
            say.print("The router's last words:", *router.log, sep="\n", markup=False)
        await router.stop()
        with suppress(ProcessLookupError):  # It ended by itself; its totals say how far it came.
            operator.process.terminate()
        return await _within(operator.event(), operator), client


def _operator_command(campaign: Campaign) -> tuple[str, ...]:
    return (
        *("-m", "simulators.cli", "operator", "--port", "0"),
        *("--binds-rate", str(campaign.rate), "--latency", "20ms"),
        *("--receipts", "delivered:98,failed:2", "--receipt-delay", "100ms..1s"),
    )


async def _ready(router: Child, binds: int) -> str:
    """Return the router's address, when it listens and all its binds are up."""
    address = None
    bound: set[object] = set()
    while address is None or len(bound) < binds:
        event = await router.event()
        if event.get("event") == "router.listening":
            address = str(event["address"])
        elif event.get("event") == "bind.bound":
            bound.add(event.get("bind", len(bound)))
    return address


async def _client_totals(campaign: Campaign, address: str) -> Totals:
    """Run the client to its end; a campaign that did not go well has totals too."""
    name, password = ACCOUNT
    longest_s = round(campaign.longest_s * 2 + 30)
    command = (
        *("-m", "simulators.cli", "client", "--to", address),
        *("--system-id", name, "--password", password),
        *("--count", str(campaign.count), "--window", "100"),
        *("--wait-receipts", f"{longest_s}s", "--response-timeout", f"{longest_s}s"),
    )
    async with child("the client", *command) as client:
        return await _within(client.event(), client, longest_s + READY_S)


async def _within(waiting: Awaitable[T], who: Child, wait_s: float = READY_S) -> T:
    """Wait for a process, but not for ever."""
    try:
        async with asyncio.timeout(wait_s):
            return await waiting
    except TimeoutError:
        last = "\n".join([*who.log][-5:]) or "nothing"
        raise DemoError(f"{who.name} was waited for {wait_s:.0f} s; it said: {last}") from None


def promises(campaign: Campaign, operator: Totals, client: Totals) -> list[Promise]:
    """Return what was promised, against what was counted on both sides of the router."""
    count = f"{campaign.count:,}"
    sent, repeated = cast(int, operator["distinct"]), cast(int, operator["repeated"])
    accepted, receipted = cast(int, client["accepted"]), cast(int, client["receipted"])
    wrong = sum(cast(int, client[key]) for key in ("missing", "unknown", "conflicting"))
    span_s = cast(float, operator["span_s"])
    busiest = max((bind["busiest_second"] for bind in _binds(operator)), default=0)
    most = campaign.rate.count
    return [
        Promise("accepted by the router", f"{accepted:,}", count, accepted == campaign.count),
        Promise(
            "sent to the operator, none twice",
            f"{sent:,}" + (f" and {repeated:,} again" if repeated else ""),
            count,
            sent == campaign.count and repeated == 0,
        ),
        Promise(
            "receipts back, each to its message",
            f"{receipted:,}",
            count,
            receipted == campaign.count and wrong == 0,
        ),
        Promise(
            "first to last submit_sm at the operator",
            f"{span_s:.3f} s",
            f"at most {campaign.longest_s:.2f} s",
            span_s <= campaign.longest_s,
        ),
        Promise(
            "busiest sliding second on any bind",
            f"{busiest}",
            f"at most {most}",
            busiest <= most,
        ),
    ]


def _binds(operator: Totals) -> list[dict[str, float]]:
    """Return those that were sent anything."""
    binds = cast(list[dict[str, float]], operator["binds"])
    return [bind for bind in binds if bind["submits"]]


def show(campaign: Campaign, kept: list[Promise], operator: Totals, client: Totals) -> None:
    """Print it for people."""
    console = Console()
    cores = f", with all {os.cpu_count()} cores busy" if campaign.busy else ""
    console.print(
        f"\n{campaign.count:,} messages from one client through the router to one operator, "
        f"over {campaign.binds} binds of {campaign.rate}{cores}.\n",
        soft_wrap=True,
    )
    binds = Table("bind", "submit_sm", "busiest second", "first", "last", title="At the operator")
    for column in binds.columns[1:]:
        column.justify = "right"
    first_s = min((bind["first_submit_s"] for bind in _binds(operator)), default=0.0)
    for bind in _binds(operator):
        binds.add_row(
            f"{bind['number']}",
            f"{bind['submits']:,}",
            f"{bind['busiest_second']}",
            f"{bind['first_submit_s'] - first_s:.3f} s",
            f"{bind['last_submit_s'] - first_s:.3f} s",
        )
    console.print(binds)
    table = Table("", "measured", "promised", "", title="What was promised")
    table.columns[1].justify = table.columns[2].justify = "right"
    for promise in kept:
        mark = "[green]kept[/]" if promise.kept else "[bold red]BROKEN[/]"
        table.add_row(promise.says, promise.measured, promise.bound, mark)
    console.print(table)
    states = cast(dict[str, int], client["receipts"])
    response, receipt = (cast(dict[str, float], client[k]) for k in ("response_ms", "receipt_ms"))
    console.print(
        "Receipts: " + ", ".join(f"{n:,} {name}" for name, n in states.items()) + ".\n"
        f"The client waited {response['p50']:g} ms for its answers (median; "
        f"99 of 100 came within {response['p99']:g} ms), and up to "
        f"{receipt['max'] / 1000:.1f} s for receipts,\n"
        "most of it in the queue: the campaign is larger than the rate.\n",
        highlight=False,
        soft_wrap=True,
    )


def main() -> int:
    """Run the demonstration; return the exit status."""
    given = _arguments()
    campaign = Campaign(count=given.count, binds=given.binds, rate=given.rate, busy=given.busy)
    try:
        operator, client = asyncio.run(_until_terminated(campaign))
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("demo: interrupted; everything it started has ended", file=sys.stderr)
        return 1
    kept = promises(campaign, operator, client)
    well = all(promise.kept for promise in kept)
    if given.json:
        found = [
            {"promise": p.says, "measured": p.measured, "bound": p.bound, "kept": p.kept}
            for p in kept
        ]
        document = {"well": well, "promises": found, "operator": operator, "client": client}
        print(json.dumps(document))
    else:
        show(campaign, kept, operator, client)
    return 0 if well else 1


async def _until_terminated(campaign: Campaign) -> tuple[Totals, Totals]:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await run(campaign, Console(stderr=True))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m simulators.demo",
        description="A campaign through the router, and whether it kept what it promises.",
    )
    parser.add_argument("--count", type=_whole, default=1000, help="messages (default: 1000)")
    parser.add_argument("--binds", type=_whole, default=3, help="to the operator (default: 3)")
    parser.add_argument("--rate", type=_rate, default=Rate(50, 1.0), help="of each (default: 50/s)")
    parser.add_argument("--busy", action="store_true", help="with a busy process on every core")
    parser.add_argument("--json", action="store_true", help="one JSON document, for machines")
    return parser.parse_args()


def _whole(text: str) -> int:
    try:
        return units.count(text)
    except UnitError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _rate(text: str) -> Rate:
    try:
        return units.rate(text)
    except UnitError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


if __name__ == "__main__":
    sys.exit(main())
