"""Restarts under load: who is refused, what is the longest gap, is anything lost or sent twice?

Once with sockets that outlive the process, and once without. And how long does a stop take at
worst, with an operator that is silent, or with a journal that cannot write?

Probes are clients that have one message on the way: each submits again what was refused for now,
binds again when its bind is ended, and never waits before it does. So they see the whole gap.
"""

import argparse
import resource
import select
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Final

from benchmarks import stand
from benchmarks.processes import Child, ChildError, number, until
from benchmarks.results import Result, spread
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Framer, Pdu
from simulators.messages import token

SUMMARY: Final = "restarts under load: refused connections, the longest gap, lost, sent twice"
PROBES: Final = 20
LATENCY: Final = "200ms"
BINDS: Final = 2
UP_S: Final = 3.0
"""Between a start and the next stop."""
CYCLE_S: Final = 5.0
"""Of a stop, a start and some time between: the client submits for so long for each restart."""
LONGEST_GAP_S: Final = 3.0
STOP_WITHIN_S: Final = 20.0
"""The default of `stop_within`."""
NOTHING_WRITTEN_S: Final = 5.0
"""The longest stop where the journal cannot write."""
RECEIPTS_S: Final = 60.0
SILENCE_S: Final = 10.0
"""How long a probe waits for an answer."""
PAUSE_S: Final = 0.01
"""After a refusal."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--restarts", type=int, metavar="N", help="default: 10, quick: 1")
    parser.add_argument("--rate", type=int, default=500, help="of the client, per second")
    parser.add_argument(
        "--latency", default=LATENCY, metavar="TIME", help=f"of the operator; default {LATENCY}"
    )


def run(given: argparse.Namespace) -> Result:
    """Restart, stop, and count."""
    restarts: int = given.restarts or (1 if given.quick else 10)
    settings: dict[str, object] = {
        "restarts": restarts,
        "client_rate_per_s": given.rate,
        "latency": given.latency,
        "operator_binds": BINDS,
        "probes": PROBES,
        "journal": "sqlite",
    }
    result = Result("restart", settings)
    numbers = result.numbers
    for name, is_passed in (("passed_sockets", True), ("own_sockets", False)):
        numbers[name] = seen = _restarts(restarts, given.rate, given.latency, is_passed=is_passed)
        for what in ("never_delivered", "receipts_missing", "wrong", "repeated"):
            result.at_most(f"{name}: {what}", number(seen, what), 0)
    result.at_most("refused connections", number(numbers, "passed_sockets", "refused"), 0)
    gap_s = number(numbers, "passed_sockets", "gap_s", "max")
    result.at_most("longest gap, seconds", gap_s, LONGEST_GAP_S)
    numbers["stop_s"] = {
        "silent_operator": _stop_s(writes=True),
        "journal_cannot_write": _stop_s(writes=False),
    }
    silent_s = number(numbers, "stop_s", "silent_operator")
    result.at_most("stop with a silent operator, seconds", silent_s, STOP_WITHIN_S)
    unwritten_s = number(numbers, "stop_s", "journal_cannot_write")
    result.at_most("the same, and the journal cannot write", unwritten_s, NOTHING_WRITTEN_S)
    return result


# Restarts.


@dataclass(frozen=True, slots=True)
class _Restart:
    """One restart, in monotonic seconds."""

    asked_at: float
    ended_at: float
    ready_at: float


def _restarts(count: int, rate: int, latency: str, *, is_passed: bool) -> dict[str, object]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        operator = stand.operator(stack, "--latency", latency, "--receipt-delay", "50ms..1s")
        listens = stand.listening(stack)
        port: int = listens.getsockname()[1]
        if not is_passed:
            listens.close()
        sockets = [listens] if is_passed else []
        configuration = stand.configuration(
            operator.port, binds=BINDS, lanes=["bulk", "probe"], journal="sqlite"
        )
        configuration["listen"] = [{"address": f"127.0.0.1:{port}"}]
        accounts = configuration["accounts"]
        assert isinstance(accounts, dict)
        accounts["probe"]["max_binds"] = PROBES
        router = stand.router(stack, configuration, folder, sockets=sockets)
        router.until_rates_are_free(BINDS)
        client = stand.client(
            stack,
            port,
            *("--binds", "2", "--window", "500", "--reconnect", "--rate", f"{rate}/s"),
            *("--duration", f"{count * CYCLE_S:g}s", "--wait-receipts", f"{RECEIPTS_S:g}s"),
            *("--destination", "3{14}"),  # So many digits that no two are the same.
        )
        probes = [_Probe(port, place) for place in range(PROBES)]
        for probe in probes:
            stack.callback(probe.end)
            probe.start()
        until("messages are answered", lambda: all(probe.answered_at for probe in probes) or None)
        done: list[_Restart] = []
        for _ in range(count):
            time.sleep(UP_S)
            asked_at = time.monotonic()
            router.child.signal(signal.SIGTERM)
            if router.child.ends() != 0:
                raise router.child.failed("did not", "stop in good order")
            ended_at = time.monotonic()
            router = stand.router(stack, configuration, folder, sockets=sockets)
            done.append(_Restart(asked_at, ended_at, time.monotonic()))
        time.sleep(UP_S)
        for probe in probes:
            probe.end()
        return _numbers(client, operator, router, probes, done)


def _numbers(
    client: Child,
    operator: stand.Operator,
    router: stand.Router,
    probes: "Sequence[_Probe]",
    restarts: Sequence[_Restart],
) -> dict[str, object]:
    seen = stand.totals_of(client)
    accepted = number(seen, "accepted") + sum(len(probe.answered_at) for probe in probes)

    def is_done() -> bool:
        return router.samples().sum("account_queue_messages") == 0

    until("all is sent", is_done)
    counted = operator.totals()
    # Some were taken whose answer the client never heard.
    of_unanswered = number(seen, "receipts_of_unanswered")
    gaps_s = [max(probe.gap_s(one) for probe in probes) for one in restarts]
    return {
        "refused": sum(probe.refused for probe in probes),
        "refused_binds": sum(probe.refused_binds for probe in probes),
        "unanswered": number(seen, "unanswered") + sum(probe.unanswered for probe in probes),
        "gap_s": spread(gaps_s, 3),
        "stop_s": spread([one.ended_at - one.asked_at for one in restarts], 3),
        "start_s": spread([one.ready_at - one.ended_at for one in restarts], 3),
        "accepted": accepted,
        "at_operator": counted["distinct"],
        "never_delivered": max(0.0, accepted - (number(counted, "distinct") - of_unanswered)),
        "receipts_missing": seen["missing"],
        "wrong": sum(
            number(seen, fault)
            for fault in ("unknown", "mismatched", "conflicting", "unreadable", "same_id")
        ),
        "repeated": counted["repeated"],
    }


@dataclass(slots=True)
class _Probe:
    """A client with one message on the way, in a thread of its own."""

    port: int
    place: int
    refused: int = 0
    """Connections."""
    refused_binds: int = 0
    unanswered: int = 0
    answered_at: list[float] = field(default_factory=list)
    """When ESME_ROK came, in monotonic seconds."""
    _ends: Event = field(default_factory=Event)
    _thread: Thread = field(init=False)
    _sequence: int = 0

    def start(self) -> None:
        """Begin."""
        self._thread = Thread(target=self._run, name=f"probe {self.place}", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Submit no more."""
        self._ends.set()
        self._thread.join()

    def gap_s(self, restart: _Restart) -> float:
        """Return the longest time without an answer around this restart."""
        longest_s = 0.0
        for before, after in zip(self.answered_at, self.answered_at[1:], strict=False):
            if after > restart.asked_at and before < restart.ready_at:
                longest_s = max(longest_s, after - before)
        return longest_s

    def _run(self) -> None:
        while not self._ends.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self.port), SILENCE_S) as connection:
                    self._serve(connection)
            except ConnectionRefusedError:
                self.refused += 1
                time.sleep(PAUSE_S)
            except OSError:  # Ended by the other side; `_serve` has counted what that left.
                time.sleep(PAUSE_S)

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        session = _Session(connection)
        bind = p.bind(v.BIND_TRANSMITTER, 1, system_id=b"probe", password=stand.PASSWORD.encode())
        answer = session.ask(bind, 1)
        if answer is None:
            return
        if answer.command_status != v.ESME_ROK:
            self.refused_binds += 1
            return
        while not (self._ends.is_set() or session.is_ending):
            self._sequence += 1
            number = b"9%04d%09d" % (self.place, len(self.answered_at))
            octets = p.sm(
                v.SUBMIT_SM,
                self._sequence + 1,
                source=(5, 0, b"PROBE"),
                destination=(1, 1, number),
                short_message=token(f"pr{self.place:02}", len(self.answered_at)),
            )
            answer = None
            try:
                answer = session.ask(octets, self._sequence + 1)
            finally:
                self.unanswered += answer is None
            if answer is None:
                return
            if answer.command_status == v.ESME_ROK:
                self.answered_at.append(time.monotonic())
            session.rest(PAUSE_S)


class _Session:
    """A session of a probe on a socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket: Final = connection
        self._framer: Final = Framer(70_000)
        self.is_ending = False
        """Whether the other side has asked for the end."""

    def ask(self, octets: bytes, sequence_number: int) -> Pdu | None:
        """Send a request; return its answer, or None where the connection ends without one."""
        self._socket.sendall(octets)
        while came := self._socket.recv(65_536):
            answer = self._read(came, sequence_number)
            if answer is not None:
                return answer
        return None

    def rest(self, for_s: float) -> None:
        """Ask nothing for a while, unless the other side asks for the end."""
        ready, _, _ = select.select([self._socket], [], [], for_s)
        if ready:
            came = self._socket.recv(65_536)
            self._read(came, 0)
            self.is_ending = self.is_ending or not came

    def _read(self, octets: bytes, sequence_number: int) -> Pdu | None:
        answer = None
        for pdu in self._framer.feed(octets):
            if pdu.command_id == v.UNBIND:
                self._socket.sendall(p.response(v.UNBIND, pdu.sequence_number))
                self.is_ending = True
            elif pdu.command_id & v.RESPONSE and pdu.sequence_number == sequence_number:
                answer = pdu
        return answer


# Stops.


def _stop_s(*, writes: bool) -> float:
    """Return how long a stop takes with an operator that answers nothing."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        operator = stand.operator(stack, "--silent", "100%")
        configuration: Mapping[str, object] = stand.configuration(operator.port, journal="sqlite")
        router = stand.router(stack, configuration, folder)
        router.until_rates_are_free(BINDS)
        stand.client(
            stack, router.port, *("--count", "1000000000", "--rate", "100/s", "--reconnect")
        )
        until("in flight", lambda: router.samples().sum("bind_window_in_use") > 10 or None)
        if not writes:
            limits = (0, resource.RLIM_INFINITY)
            resource.prlimit(router.child.pid, resource.RLIMIT_FSIZE, limits)
            router.child.event("journal.failed")
        asked_at = time.monotonic()
        router.child.signal(signal.SIGTERM)
        if router.child.ends() != 0:
            raise ChildError("the router had to be ended by force")
        return round(time.monotonic() - asked_at, 3)
