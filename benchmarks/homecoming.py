"""A client that was away for a day binds again: the rate of its receipts, and the effect on others.

The journal's file is written here as the router would have left it. Another client submits at a
steady rate all the time, first alone and then while the receipts go out; the one that comes home is
a socket of this process that acknowledges whatever it reads.
"""

import argparse
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Final

from benchmarks import stand
from benchmarks.outstanding import DESTINATION, FIRST, SOURCE
from benchmarks.processes import DEADLINE_S, ChildError, number
from benchmarks.results import Result
from router.enqueue.sqlite_file import opened
from router.smpp import pdu as p
from router.smpp import receipt as r
from router.smpp import vocabulary as v
from router.smpp.pdu import Framer

SUMMARY: Final = "a client binds to 100,000 waiting receipts: their rate, and the effect on others"
RATE_PER_S: Final = 500
"""Of the other client."""
P99_MS: Final = 50.0
LONGEST_PDU: Final = 1000


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--count", type=int, help="receipts (default: 100000, quick: 10000)")
    parser.add_argument("--seconds", type=int, help="alone (default: 10, quick: 2)")


def run(given: argparse.Namespace) -> Result:
    """Write the file, start, measure alone, come home, measure again."""
    count: int = given.count or (10_000 if given.quick else 100_000)
    seconds: int = given.seconds or (2 if given.quick else 10)
    settings = {"count": count, "other_rate_per_s": RATE_PER_S, "journal": "sqlite"}
    result = Result(f"homecoming-{given.count}" if given.count else "homecoming", settings)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        _fill(folder / "router.db", count)
        operator = stand.operator(stack, "--latency", "5ms", "--receipt-delay", "50ms..500ms")
        configuration = stand.configuration(operator.port, journal="sqlite")
        accounts = configuration["accounts"]
        assert isinstance(accounts, dict)
        accounts["away"] = accounts["load"] | {"deliver_window": 100}
        router = stand.router(stack, configuration, folder)
        router.until_bound(2)
        resident_mb = {"waiting": round(router.child.resident_bytes() / 1e6, 1)}
        alone = _other(stack, router, seconds)
        home = Home(router.port, count)
        home.start()
        meanwhile = _other(stack, router, max(2, count // 20_000))
        home.join(stand.CLIENT_S)
        resident_mb["end"] = round(router.child.resident_bytes() / 1e6, 1)
        left = router.samples().sum("outbox_messages", account="away")
    if home.error is not None or home.count != count or left:
        raise ChildError(f"{home.count} of {count} came home, {left:.0f} wait: {home.error}")
    result.numbers = {
        "resident_mb": resident_mb,
        "receipts_per_s": round(count / home.took_s),
        "took_s": round(home.took_s, 2),
        "other_response_ms": {"alone": alone, "meanwhile": meanwhile},
    }
    result.at_most(
        "p99 of the other client's answers meanwhile, in ms", number(meanwhile, "p99"), P99_MS
    )
    return result


def _fill(path: Path, count: int) -> None:
    """Receipts that the router has kept for a client that was away."""
    now_utc = time.time()

    def rows() -> Iterator[tuple[object, ...]]:
        for place in range(count):
            octets = r.deliver_sm(
                client_id=b"%d" % (FIRST + place),
                state=r.State.DELIVERED,
                err=b"000",
                submitted=b"2701150800",
                done=b"2701150801",
                source_octets=p.address(*DESTINATION),
                destination_octets=p.address(*SOURCE),
                tlvs=True,
            )
            yield place + 1, "away", FIRST + place, now_utc - 60.0, 1, octets

    with closing(opened(path, FIRST + count)) as database:
        database.execute("BEGIN")
        database.executemany("INSERT INTO delivery VALUES (?, ?, ?, ?, ?, ?, NULL)", rows())
        database.execute("COMMIT")


def _other(stack: ExitStack, router: stand.Router, seconds: int) -> dict[str, float]:
    """Return what the other client sees for so long."""
    client = stand.client(
        stack,
        router.port,
        *("--binds", "2", "--window", "2000", "--rate", f"{RATE_PER_S}/s"),
        *("--count", str(RATE_PER_S * seconds)),
    )
    seen = stand.totals_of(client)
    stand.well(client, seen)
    return {name: number(seen, "response_ms", name) for name in ("p50", "p99")}


class Home(Thread):
    """The client that was away: it reads and acknowledges until it has all."""

    def __init__(self, port: int, expected: int) -> None:
        super().__init__(daemon=True)
        self.count = 0
        self.took_s = 0.0
        self.error: Exception | None = None
        self._port = port
        self._expected = expected

    def run(self) -> None:
        """Bind, and take all there is."""
        try:
            self._take_all()
        except OSError as error:
            self.error = error

    def _take_all(self) -> None:
        with socket.create_connection(("127.0.0.1", self._port), DEADLINE_S) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            bind = p.bind(
                v.BIND_TRANSCEIVER, 1, system_id=b"away", password=stand.PASSWORD.encode()
            )
            connection.sendall(bind)
            began_at = time.monotonic()
            framer = Framer(LONGEST_PDU)
            while self.count < self._expected:
                octets = connection.recv(65_536)
                if not octets:
                    raise ConnectionError("the router has hung up")
                answers = []
                for pdu in framer.feed(octets):
                    if not pdu.command_id & v.RESPONSE:
                        body = b"\0" if pdu.command_id == v.DELIVER_SM else b""
                        self.count += pdu.command_id == v.DELIVER_SM
                        answer = p.response(pdu.command_id, pdu.sequence_number, 0, body)
                        answers.append(answer)
                connection.sendall(b"".join(answers))
            self.took_s = time.monotonic() - began_at
            time.sleep(1.0)  # Its last acknowledgements are read, and kept.
