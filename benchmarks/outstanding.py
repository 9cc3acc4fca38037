"""Messages that wait for a receipt, most of them only on disk: memory, a restart, a match.

The journal's file is written here as the router would have left it, so that millions need no hour.
The operator is a socket of this process: it sends one receipt, waits for its answer, and sends the
next. The answer comes when all that follows is on disk; `settle_every` is 0 here, so that what is
left is the search, the commit and the way. A receipt of a message in memory is the measure.
"""

import argparse
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from random import Random
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import stand
from benchmarks.processes import DEADLINE_S, ChildError, number
from benchmarks.results import Result
from router.enqueue.sqlite_file import opened
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Framer, Pdu

SUMMARY: Final = "a million messages that wait for receipts: memory, restart, time to match one"
MOST_MB: Final = 400.0
ABOUT_A_MS: Final = 2.0
"""Between the receipt of an old message and that of one in memory, at the median."""
ASKED: Final = 1000
"""Receipts of each kind, in turns and one after the other; then as many old ones at once."""
WARM_UP: Final = 50
"""Of those that are not counted: what is done for the first time takes longer."""
FIRST: Final = 100_000_000_000
"""The number of the first message; the operator's id is the place in the row."""
DESTINATION: Final = (1, 1, b"37255512345")
SOURCE: Final = (5, 0, b"BANK")
LONGEST_PDU: Final = 1000


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--count", type=int, help="messages (default: 1000000, quick: 20000)")


def run(given: argparse.Namespace) -> Result:
    """Write the file, start, and report."""
    count: int = given.count or (20_000 if given.quick else 1_000_000)
    name = f"outstanding-{given.count}" if given.count else "outstanding"
    result = Result(name, {"count": count, "asked": ASKED, "journal": "sqlite"})
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        _fill(folder / "router.db", count)
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        configuration = stand.configuration(listener.getsockname()[1], binds=1, journal="sqlite")
        configuration["journal"] = {"url": stand.JOURNALS["sqlite"], "settle_every": "0ms"}
        accounts = configuration["accounts"]
        assert isinstance(accounts, dict)
        accounts["away"] = accounts["load"]
        began_at = time.monotonic()
        router = stand.router(stack, configuration, folder)
        ready_s = time.monotonic() - began_at
        resident_mb = {"ready": round(router.child.resident_bytes() / 1e6, 1)}
        operator = stack.enter_context(Smsc(listener))
        places = Random(1).sample(range(count), 2 * ASKED)
        old = [b"%d" % place for place in places]
        client = stand.client(
            stack, router.port, *("--count", str(ASKED), "--window", "50", "--wait-receipts", "60s")
        )
        recent = [operator.take() for _ in range(ASKED)]
        # In turns, because the machine and its disk are shared.
        times = [
            (operator.report(o), operator.report(r)) for o, r in zip(old, recent, strict=False)
        ]
        stand.well(client, stand.totals_of(client))
        old_s, recent_s = zip(*times[WARM_UP:], strict=True)
        numbers: dict[str, object] = {"old_ms": _shown(old_s), "recent_ms": _shown(recent_s)}
        meter = stand.Meter(router.child)
        numbers["together_per_s"] = round(operator.report_all(old[ASKED:]))
        together_us = meter.cost(ASKED).both_us
        outstanding = router.samples().sum("receipts_outstanding")
        resident_mb["end"] = round(router.child.resident_bytes() / 1e6, 1)
    if outstanding != count - 2 * ASKED:
        raise ChildError(f"{outstanding:.0f} messages wait for receipts, not {count - 2 * ASKED}")
    result.numbers = {
        "ready_s": round(ready_s, 2),
        "resident_mb": resident_mb,
        **numbers,
        "together_us": together_us,
    }
    slower_ms = number(numbers, "old_ms", "p50") - number(numbers, "recent_ms", "p50")
    result.at_most("resident MB", max(resident_mb.values()), MOST_MB)
    result.at_most("an old one slower by, in ms, at the median", round(slower_ms, 3), ABOUT_A_MS)
    return result


def _fill(path: Path, count: int) -> None:
    """What the router leaves of messages that an operator took."""
    source, destination = p.address(*SOURCE), p.address(*DESTINATION)
    now_utc = time.time()

    def rows() -> Iterator[tuple[object, ...]]:
        for place in range(count):
            taken = (place + 1, "op", b"%d" % place, now_utc - 60.0, None, FIRST + place, 1, None)
            yield *taken, 1, 0, 1, now_utc - 61.0, source, destination, None

    with closing(opened(path, FIRST + count)) as database:
        database.execute("BEGIN")
        database.execute("INSERT INTO queue VALUES (1, 'away', 'bulk', 'op')")
        database.executemany(f"INSERT INTO sent VALUES ({','.join('?' * 15)}, NULL)", rows())
        database.execute("COMMIT")


def _shown(times: Sequence[float]) -> dict[str, float]:
    """In milliseconds."""
    cuts = quantiles((one * 1e3 for one in times), n=100)
    return {"p50": round(cuts[49], 3), "p99": round(cuts[98], 3), "max": round(max(times) * 1e3, 3)}


class Smsc:
    """The operator's end of the one bind, in lock-step."""

    def __init__(self, listener: socket.socket) -> None:
        listener.settimeout(DEADLINE_S)
        self._socket, _ = listener.accept()
        self._socket.settimeout(DEADLINE_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._framer = Framer(LONGEST_PDU)
        self._read: list[Pdu] = []
        self._sequence = 0
        self._taken = 0
        bind = self._next(v.BIND_TRANSCEIVER)
        self._socket.sendall(p.response(bind.command_id, bind.sequence_number, 0, b"SMSC\0"))

    def __enter__(self) -> "Smsc":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _next(self, command_id: int) -> Pdu:
        """Return the next PDU of this kind; it answers every enquire_link on the way."""
        while True:
            while not self._read:
                octets = self._socket.recv(65_536)
                if not octets:
                    raise ChildError("the router has closed its bind")
                self._read = self._framer.feed(octets)
            pdu = self._read.pop(0)
            if pdu.command_id == command_id:
                return pdu
            if pdu.command_id == v.ENQUIRE_LINK:
                self._socket.sendall(p.response(pdu.command_id, pdu.sequence_number))

    def take(self) -> bytes:
        """Take the next submit_sm; return its id."""
        pdu = self._next(v.SUBMIT_SM)
        self._taken += 1
        operator_id = b"recent-%d" % self._taken
        answer = p.response(v.SUBMIT_SM, pdu.sequence_number, 0, operator_id + b"\0")
        self._socket.sendall(answer)
        return operator_id

    def _receipt(self, operator_id: bytes) -> bytes:
        self._sequence += 1
        text = (
            b"id:%b sub:001 dlvrd:001 submit date:2701150800 done date:2701150801 "
            b"stat:DELIVRD err:000 text:" % operator_id
        )
        return p.sm(
            v.DELIVER_SM,
            self._sequence,
            source=DESTINATION,
            destination=SOURCE,
            esm_class=4,
            short_message=text,
        )

    def report(self, operator_id: bytes) -> float:
        """Send a receipt, and wait for its answer; return how long that took."""
        octets = self._receipt(operator_id)
        sent_at = time.perf_counter()
        self._socket.sendall(octets)
        answer = self._next(v.DELIVER_SM | v.RESPONSE)
        took_s = time.perf_counter() - sent_at
        if answer.command_status:
            raise ChildError(f"a receipt was answered with 0x{answer.command_status:X}")
        return took_s

    def report_all(self, ids: list[bytes]) -> float:
        """Send all these receipts, then read the answers; return how many a second that is."""
        began_at = time.perf_counter()
        self._socket.sendall(b"".join(self._receipt(one) for one in ids))
        for _ in ids:
            if status := self._next(v.DELIVER_SM | v.RESPONSE).command_status:
                raise ChildError(f"a receipt was answered with 0x{status:X}")
        return len(ids) / (time.perf_counter() - began_at)
