"""Clients that are bound and say nothing: what they cost in memory and in processor time.

Each is a socket of this process that binds as a transceiver and from then on only answers
enquire_link. Whether anybody notices shows a campaign that goes through at the same time.
"""

import argparse
import resource
import selectors
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Final

from benchmarks import stand
from benchmarks.processes import ChildError, number
from benchmarks.results import Result
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Framer

SUMMARY: Final = "10,000 idle client binds: memory, processor time, and the effect on others"
BINDS: Final = 10_000
FEWEST_BINDS: Final = 2_000
ENQUIRE_LINK_S: Final = 5
"""Short, so that all of them are asked for a sign of life several times while we look."""
WATCHED_S: Final = 15.0
CAMPAIGN: Final = 2_000
MOST_MB: Final = {FEWEST_BINDS: 150.0, BINDS: 300.0}
SPARE_FILES: Final = 200
"""Descriptors that a process needs for other things."""
AT_ONCE: Final = 200
"""Binds that are begun before their answers are read: fewer than a listener's backlog."""
LONGEST_PDU: Final = 1000


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--binds", type=int, help=f"default: {BINDS}, quick: {FEWEST_BINDS}")


def run(given: argparse.Namespace) -> Result:
    """Bind, watch, submit."""
    binds: int = given.binds or (FEWEST_BINDS if given.quick else BINDS)
    may_open(binds + SPARE_FILES)
    settings: dict[str, object] = {"binds": binds, "enquire_link_s": ENQUIRE_LINK_S}
    result = Result("idle", settings | {"watched_s": WATCHED_S, "campaign": CAMPAIGN})
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        operator = stand.operator(stack, "--latency", "5ms", "--receipt-delay", "50ms")
        configuration = stand.configuration(operator.port)
        configuration["session"] = {"enquire_link": f"{ENQUIRE_LINK_S}s"}
        accounts = configuration["accounts"]
        assert isinstance(accounts, dict)
        accounts["idle"] = accounts["load"] | {"max_binds": binds}
        router = stand.router(stack, configuration, folder)
        router.until_bound(2)
        resident_mb = router.child.resident_bytes() / 1e6
        began_at = time.monotonic()
        idle = stack.enter_context(Idle(router.port, binds))
        bound_s = time.monotonic() - began_at
        meter = stand.Meter(router.child)
        time.sleep(WATCHED_S)
        cost = meter.cost(1)
        client = stand.client(stack, router.port, "--count", str(CAMPAIGN), "--rate", "500/s")
        seen = stand.totals_of(client)
        stand.well(client, seen)
        still_bound = router.samples().sum("client_binds", account="idle")
        result.numbers = {
            "bound_per_s": round(binds / bound_s),
            "resident_before_mb": round(resident_mb, 1),
            "resident_mb": cost.resident_mb,
            "kb_per_bind": round((cost.resident_mb - resident_mb) * 1000 / binds, 1),
            "core_used": round(cost.both_us / 1e6 / WATCHED_S, 3),
            "enquire_links_answered": idle.answered,
            "response_ms": seen["response_ms"],
        }
    result.at_least("binds at the end", still_bound, binds)
    result.at_least("messages of the campaign receipted", number(seen, "receipted"), CAMPAIGN)
    if binds in MOST_MB:
        result.at_most("resident MB", cost.resident_mb, MOST_MB[binds])
    return result


def may_open(files: int) -> None:
    """Let this process and its children open so many. Raises ChildError if they may not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < files:
        if hard != resource.RLIM_INFINITY and hard < files:
            raise ChildError(f"{files} open files are needed, and the limit (ulimit -n) is {hard}")
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))


class Idle:
    """Bound sockets, and a thread that answers the PDUs on them."""

    def __init__(self, port: int, binds: int) -> None:
        self.answered = 0
        self._port = port
        self._binds = binds
        self._selector = selectors.DefaultSelector()
        self._sockets: list[socket.socket] = []
        self._over = Event()
        self._thread = Thread(target=self._answer, daemon=True)

    def __enter__(self) -> "Idle":
        for at in range(0, self._binds, AT_ONCE):
            self._bind(min(AT_ONCE, self._binds - at))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        for one in self._sockets:
            one.close()

    def _bind(self, count: int) -> None:
        password = stand.PASSWORD.encode()
        request = p.bind(v.BIND_TRANSCEIVER, 1, system_id=b"idle", password=password)
        new = [socket.create_connection(("127.0.0.1", self._port)) for _ in range(count)]
        self._sockets += new
        for one in new:
            one.sendall(request)
        for one in new:
            framer = Framer(LONGEST_PDU)
            (answer,) = framer.feed(one.recv(LONGEST_PDU))
            if answer.command_status:
                raise ChildError(f"a bind was refused: {v.status_name(answer.command_status)}")
            one.setblocking(False)
            self._selector.register(one, selectors.EVENT_READ, framer)

    def _answer(self) -> None:
        while not self._over.is_set():
            for key, _ in self._selector.select(timeout=0.1):
                one = key.fileobj
                assert isinstance(one, socket.socket)
                octets = one.recv(LONGEST_PDU)
                if not octets:  # The router counts those that are left.
                    self._selector.unregister(one)
                for pdu in key.data.feed(octets):
                    one.sendall(p.response(pdu.command_id, pdu.sequence_number))
                    self.answered += 1
