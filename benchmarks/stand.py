"""The test stand: a simulated operator, the router and a simulated client, on ports of loopback.

The kernel chooses every port. The caller hands in an ExitStack; leaving the stack ends
what was started, in the opposite order.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.machine import CORES
from benchmarks.processes import (
    DEADLINE_S,
    ROOT,
    Child,
    ChildError,
    Cpu,
    as_document,
    packages_from,
    router_python,
    until,
)

CLIENT_S: Final = 600.0
"""How long a client may take: a campaign of a million messages at 2,000/s."""
PREFIX: Final = "smpp_router_"
RATES_FREE_S: Final = 1.1
"""After the start of a router whose rates are per second."""


@dataclass(frozen=True, slots=True)
class Operator:
    """A simulated operator that listens."""

    child: Child
    port: int

    def totals(self) -> dict[str, object]:
        """End it, and return what it has counted."""
        self.child.signal(signal.SIGTERM)
        totals = self.child.event("totals")
        self.child.ends()
        return totals


def operator(stack: ExitStack, *options: str, port: int = 0) -> Operator:
    """Start a simulated operator; `options` are those of `smpp-simulator operator`."""
    arguments = ["-m", "simulators.cli", "operator", "--port", str(port), *options]
    child = stack.enter_context(Child("operator", arguments))
    listening = child.event("listening")
    port_now = listening["port"]
    assert isinstance(port_now, int)
    return Operator(child, port_now)


@dataclass(frozen=True, slots=True)
class Program:
    """What `router` starts."""

    tree: Path = ROOT
    """Where its package is."""
    python: Sequence[str] = (sys.executable,)
    module: str = "router.wiring.cli"
    script: Path | None = None
    """A file to run instead of the module: an isolated interpreter finds no module of this tree."""
    environment: Mapping[str, str] = field(default_factory=dict)

    def check(self) -> None:
        """Raises ChildError if the package would come from elsewhere."""
        done = subprocess.run(
            [*self.python, "-c", "import router; print(router.__file__)"],
            env={**os.environ, **self.environment, **packages_from(self.tree)},
            capture_output=True,
            text=True,
            check=False,
        )
        found = Path(done.stdout.strip()).resolve()
        if found.parent != (self.tree / "router").resolve():
            raise ChildError(f"the router is not that of {self.tree}: {found}\n{done.stderr}")


_programs: Final[list[Program]] = []
"""What `started_from` has named, the present one last."""


@contextmanager
def started_from(program: Program) -> Iterator[None]:
    """Have `router` start this one, within the `with` block."""
    program.check()
    _programs.append(program)
    try:
        yield
    finally:
        _programs.pop()


@dataclass(frozen=True, slots=True)
class Samples:
    """What /metrics said at one moment."""

    values: dict[tuple[str, frozenset[tuple[str, str]]], float]

    def sum(self, name: str, **labels: str) -> float:
        """The sum of a metric over all labels that are not given; 0 where it has no sample."""
        wanted = set(labels.items())
        return sum(
            value
            for (found, at), value in self.values.items()
            if found == PREFIX + name and wanted <= at
        )

    def by(self, label: str, name: str, **labels: str) -> dict[str, float]:
        """Return the sum for each value of one label, without values that are 0."""
        values = sorted(
            {
                value
                for found, at in self.values
                if found == PREFIX + name
                for key, value in at
                if key == label
            }
        )
        sums = {value: self.sum(name, **labels, **{label: value}) for value in values}
        return {value: count for value, count in sums.items() if count}


@dataclass(frozen=True, slots=True)
class Router:
    """A router that serves clients."""

    child: Child
    ports: Sequence[int]
    """Of its listeners, in the order of its configuration."""
    telemetry: str
    """host:port of its metrics."""
    control: str
    """host:port of its status and commands."""

    @property
    def port(self) -> int:
        """Of its first listener."""
        return self.ports[0]

    def http(self, path: str) -> str:
        """Return what it answers over HTTP."""
        where = self.control if path.startswith("/v1/") else self.telemetry
        with urllib.request.urlopen(f"http://{where}{path}", timeout=DEADLINE_S) as answer:
            text: str = answer.read().decode()
            return text

    def samples(self) -> Samples:
        """Return what /metrics says now."""
        return Samples(
            {
                (sample.name, frozenset(sample.labels.items())): sample.value
                for family in text_string_to_metric_families(self.http("/metrics"))
                for sample in family.samples
            }
        )

    def until_bound(self, binds: int) -> None:
        """Wait until so many binds to operators are up."""
        until(f"{binds} binds up", lambda: self.samples().sum("bind_up") == binds or None)

    def until_rates_are_free(self, binds: int) -> None:
        """Wait until so many binds are up and may send: rates begin as if they had been used."""
        self.until_bound(binds)
        time.sleep(RATES_FREE_S)

    def until_sent(self, count: int) -> None:
        """Wait until operators have taken so many messages."""
        until(
            f"{count} messages sent",
            lambda: self.samples().sum("sends_total", status="ESME_ROK") >= count or None,
            within_s=CLIENT_S,
        )


def router(
    stack: ExitStack,
    configuration: Mapping[str, object] | str,
    folder: Path,
    *,
    profile: Path | None = None,
    environment: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
    sockets: Sequence[socket.socket] = (),
) -> Router:
    """Start the router with this configuration, given as YAML or as what YAML says.

    `options` are those of `smpp-router run`. With `profile` it runs under cProfile, which writes
    there when the router ends. `sockets` are handed over to it, as systemd does.
    """
    path = folder / "router.yaml"
    # JSON is YAML.
    text = configuration if isinstance(configuration, str) else json.dumps(configuration, indent=1)
    path.write_text(text, encoding="utf-8")
    program = _programs[-1] if _programs else Program(python=router_python())
    main = ["-m", program.module] if program.script is None else [str(program.script)]
    command = [*main, "run", *options, str(path)]
    if profile is not None:
        command = ["-m", "cProfile", "-o", str(profile), *command]
    child = stack.enter_context(
        Child(
            "router",
            command,
            {**program.environment, **(environment or {})},
            python=program.python,
            tree=program.tree,
            sockets=sockets,
        )
    )
    ready = child.event("router.ready")
    if program.tree == ROOT:
        CORES.add(str(ready["core"]))
    listeners = ready["listeners"]
    assert isinstance(listeners, list)
    ports = [int(str(address).rpartition(":")[2]) for address in listeners]
    telemetry = str(ready["telemetry"]).removeprefix("http://").rstrip("/")
    # A router of before it had a listener for control serves all on one.
    return Router(child, ports, telemetry, str(ready.get("control", telemetry)))


def listening(stack: ExitStack) -> socket.socket:
    """Return a socket that listens for clients while routers come and go, as one of systemd's."""
    return stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1024))


def client(stack: ExitStack, port: int, *options: str, system_id: str = "load") -> Child:
    """Start a simulated client; `options` are those of `smpp-simulator client`."""
    to = ["--to", f"127.0.0.1:{port}", "--system-id", system_id]
    if "--password" not in options:
        to += ["--password", PASSWORD]
    arguments = ["-m", "simulators.cli", "client", *to, *options]
    return stack.enter_context(Child(f"client {system_id}", arguments))


def totals_of(child: Child, within_s: float = CLIENT_S) -> dict[str, object]:
    """Wait until a client has ended; return its totals. Raises ChildError if it has none."""
    child.ends(within_s)
    documents = [as_document(line) for line in child.lines]
    found = [d for d in documents if d is not None and d.get("event") == "totals"]
    if not found:
        raise child.failed("ended without", "its totals")
    return found[-1]


def well(child: Child, totals: Mapping[str, object]) -> None:
    """Raises ChildError unless all was answered and every receipt came."""
    if totals["well"] is not True or totals["refused"]:
        raise child.failed("was not", "well served")


def receipt_delays_s(sent: Path, *came: Path) -> list[float]:
    """From the operator's sending of each receipt to a client's having it, in seconds.

    From what they have written with --receipt-times; they share the machine's monotonic clock.
    In the order of sending. Raises ChildError if numbers are not distinct, or if the clients
    have not seen what the operator has sent.
    """
    sent_at = _times(sent)
    came_at = {number: at for one in came for number, at in _times(one).items()}
    if sent_at.keys() != came_at.keys():
        raise ChildError(f"{len(sent_at)} receipts were sent and {len(came_at)} came")
    return [came_at[number] - at for number, at in sent_at.items()]


def _times(path: Path) -> dict[str, float]:
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    times = {number: float(at) for number, at in lines}
    if len(times) != len(lines):
        raise ChildError(f"{path.name}: several receipts for one number")
    return times


def free_port() -> int:
    """Return a free port, for an operator that comes later."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


# Configurations.

PASSWORD: Final = "secret01"
JOURNALS: Final = {"memory": "memory:", "sqlite": "sqlite:///router.db"}
"""Nothing is kept; or it is, on the disk that holds temporary files."""


def account(lane: str = "bulk") -> dict[str, object]:
    """Return the settings of an account whose limits are in nobody's way."""
    return {
        "password": PASSWORD,
        "lane": lane,
        "window": 10_000,
        "deliver_window": 1000,
        "max_binds": 20,
        "queue": 1_000_000,
    }


def configuration(
    operator_port: int,
    *,
    binds: int = 2,
    rate: str = "20000/s",
    bind_window: int = 1000,
    lanes: Sequence[str] = ("bulk",),
    messages_logged: str = "0%",
    journal: str = "memory",
) -> dict[str, object]:
    """One operator with equal binds, one account `load` (and one per further lane, so named).

    Nothing but the operator's rate and windows is in the way of a message.
    """
    accounts = {name: account(lane) for lane, name in zip(lanes, ["load", *lanes[1:]], strict=True)}
    return {
        "listen": [{"address": "127.0.0.1:0"}],
        "journal": {"url": JOURNALS[journal]},
        "telemetry": {
            "listen": "127.0.0.1:0",
            "log": {"format": "json", "level": "info", "messages": messages_logged},
        },
        "lanes": [{"name": lane} for lane in sorted(lanes, key=lambda lane: lane != "otp")],
        "accounts": accounts,
        "operators": {
            "op": {
                "binds": [
                    {
                        "name": f"op-{bind + 1}",
                        "address": f"127.0.0.1:{operator_port}",
                        "system_id": "aggregator",
                        "password": "secret02",
                        "rate": rate,
                        "window": bind_window,
                    }
                    for bind in range(binds)
                ]
            }
        },
        "routes": [{"destination": "", "to": ["op"]}],
    }


# What the router costs.


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process used while something was measured."""

    user_us: float
    """Per message."""
    system_us: float
    resident_mb: float
    """At the end."""
    grown_mb: float
    """Growth since the beginning."""

    @property
    def both_us(self) -> float:
        """User and system."""
        return round(self.user_us + self.system_us, 2)

    def document(self) -> dict[str, float]:
        """As JSON has it."""
        return {
            "user_us": self.user_us,
            "system_us": self.system_us,
            "both_us": self.both_us,
            "resident_mb": self.resident_mb,
            "grown_mb": self.grown_mb,
        }


class Meter:
    """Reads a child's processor time and memory at the beginning and at the end of a span."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self._cpu: Cpu = child.cpu()
        self._resident_bytes = child.resident_bytes()

    def cost(self, messages: int) -> Cost:
        """Return what was used since, by message. Raises ChildError if the child has ended."""
        if not self._child.running:
            raise ChildError(f"{self._child.name} has ended while it was measured")
        used = self._child.cpu() - self._cpu
        resident_bytes = self._child.resident_bytes()
        return Cost(
            user_us=round(used.user_s / messages * 1e6, 2),
            system_us=round(used.system_s / messages * 1e6, 2),
            resident_mb=round(resident_bytes / 1e6, 1),
            grown_mb=round((resident_bytes - self._resident_bytes) / 1e6, 1),
        )
