"""A process of operators that knows when octets reached its machine: the kernel stamps them.

Each operator has a port, a way to answer, and perhaps stalls: times in which it reads nothing and
answers nothing. A stall is only reckoned, while the octets are still taken from the socket, so that
each message keeps its own stamp: what arrives in a stall counts as read when the stall is over.

    python -m benchmarks.stamped steady:1s batches:500ms random:20ms..60ms,stalls:300ms

It prints the ports, and when it is ended the times of each operator, as JSON.
"""

import json
import selectors
import signal
import socket
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from math import floor
from random import Random
from typing import Final

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from simulators import units
from simulators.counting import NEVER

SO_TIMESTAMPNS: Final = 35
"""Linux; Python has no name for it."""
_HEADER: Final = struct.Struct(">IIII")
_TIMESPEC: Final = struct.Struct("@qq")
_NUMBERS: Final = count()
STALL_EVERY_S: Final = 3.0
"""The average time between two stalls."""


@dataclass
class Manner:
    """How one operator answers; times in seconds."""

    answers: units.Span = field(default_factory=lambda: units.Span(0.0, 0.0))
    """How long an answer takes."""
    batch_s: float = 0.0
    """Answers go out together, once in this time; 0: each when it is ready."""
    stalls_s: float = 0.0
    """The longest stall; 0: none."""

    @classmethod
    def read(cls, text: str) -> "Manner":
        """Read an argument of the command. Raises ValueError."""
        manner = cls()
        for part in text.split(","):
            what, _, value = part.partition(":")
            if what in ("steady", "random"):
                manner.answers = units.span(value)
            elif what == "batches":
                manner.batch_s = units.duration_s(value)
            elif what == "stalls":
                manner.stalls_s = units.duration_s(value)
            else:
                raise ValueError(f"{part!r} is none of steady, random, batches, stalls")
        return manner


def _stalls(longest_s: float, begins_at: float) -> Iterator[tuple[float, float]]:
    """The beginning and the end of each stall; the last one never comes."""
    random, at = Random(1), begins_at
    while longest_s:
        at += random.expovariate(1 / STALL_EVERY_S)
        ends_at = at + random.uniform(0.0, longest_s)
        yield at, ends_at
        at = ends_at
    yield NEVER, NEVER


@dataclass
class Operator:
    """One operator: it answers every submit_sm with ESME_ROK, in its manner."""

    manner: Manner
    begins_at: float
    arrived: list[float] = field(default_factory=list)
    """When the octets of each submit_sm reached this machine."""
    read: list[float] = field(default_factory=list)
    """When the operator read them."""
    random: Random = field(default_factory=lambda: Random(2))

    def __post_init__(self) -> None:
        self._stalls = _stalls(self.manner.stalls_s, self.begins_at)
        self._stall = next(self._stalls)
        self._later: list[tuple[float, float]] = []

    def took(self, at: float) -> float:
        """Note a message that arrived; return when it is answered."""
        manner = self.manner
        read_at = self._awake(at)
        self.arrived.append(at)
        self.read.append(read_at)
        answered_at = read_at + manner.answers.at(self.random.random())
        if manner.batch_s:
            answered_at = manner.batch_s * (floor(answered_at / manner.batch_s) + 1)
        return answered_at

    def _awake(self, at: float) -> float:
        """Return the end of the stall that this is in, if it is in one."""
        while self._stall[1] <= at:
            self._stall = next(self._stalls)
        return self._stall[1] if self._stall[0] <= at else at

    def may_answer(self, at: float) -> bool:
        """Whether the operator is not stalled."""
        return self._awake(at) == at

    def totals(self) -> dict[str, object]:
        """The times, in the order of arrival."""
        return {"arrived": self.arrived, "read": self.read}


class Connection:
    """One bind to one operator, read PDU by PDU: each has the stamp of its last octets."""

    def __init__(self, connection: socket.socket, operator: Operator) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket = connection
        self.operator = operator
        self._octets = b""
        self._ids = 0

    def read(self, answers: list[tuple[float, int, "Connection", bytes]]) -> bool:
        """Take what has come; return whether there may be more to come."""
        while True:
            missing = _HEADER.size - len(self._octets)
            if missing <= 0:
                missing = _HEADER.unpack_from(self._octets)[0] - len(self._octets)
            try:
                octets, ancillary, *_ = self.socket.recvmsg(missing, 64)
            except BlockingIOError:
                return True
            if not octets:
                return False
            self._octets += octets
            whole = len(self._octets) >= _HEADER.size
            if whole and len(self._octets) == _HEADER.unpack_from(self._octets)[0]:
                self._answer(ancillary, answers)
                self._octets = b""

    def _answer(
        self,
        ancillary: Sequence[tuple[int, int, bytes]],
        answers: list[tuple[float, int, "Connection", bytes]],
    ) -> None:
        _, command_id, _, number = _HEADER.unpack_from(self._octets)
        if command_id & v.RESPONSE:
            return
        if command_id == v.SUBMIT_SM:
            self._ids += 1
            octets = p.response(command_id, number, body=b"%d\0" % self._ids)
            answer_at = self.operator.took(_stamp(ancillary))
            heappush(answers, (answer_at, next(_NUMBERS), self, octets))
        elif command_id in (v.BIND_TRANSCEIVER, v.BIND_TRANSMITTER, v.BIND_RECEIVER):
            self.write(p.bind_response(command_id, number, v.ESME_ROK, b"stamped"))
        else:
            self.write(p.response(command_id, number))

    def write(self, octets: bytes) -> None:
        """Send at once: what waits for a reader fits into the socket's buffer."""
        self.socket.send(octets)


def _stamp(ancillary: Sequence[tuple[int, int, bytes]]) -> float:
    """Return the kernel's time of arrival, seconds of the wall clock."""
    for level, kind, octets in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = _TIMESPEC.unpack(octets)
            return float(seconds + nanoseconds / 1e9)
    raise OSError("the kernel does not stamp what arrives")


def serve(manners: Sequence[Manner]) -> list[Operator]:
    """Serve until SIGTERM; return the operators."""
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    selector = selectors.DefaultSelector()
    operators = [Operator(manner, time.time()) for manner in manners]
    ports = []
    for operator in operators:
        listener = socket.create_server(("127.0.0.1", 0))
        ports.append(listener.getsockname()[1])
        selector.register(listener, selectors.EVENT_READ, operator)
    print(json.dumps({"event": "listening", "ports": ports}), flush=True)
    answers: list[tuple[float, int, Connection, bytes]] = []
    while not ended:
        wait_s = max(0.0, answers[0][0] - time.time()) if answers else 0.2
        for key, _ in selector.select(min(wait_s, 0.2)):
            if isinstance(key.data, Operator):
                assert isinstance(key.fileobj, socket.socket)
                connection = Connection(key.fileobj.accept()[0], key.data)
                selector.register(connection.socket, selectors.EVENT_READ, connection)
            elif not key.data.read(answers):
                selector.unregister(key.fileobj)
                key.data.socket.close()
        _answer_due(answers)
    return operators


def _answer_due(answers: list[tuple[float, int, Connection, bytes]]) -> None:
    stalled = []
    now = time.time()
    while answers and answers[0][0] <= now:
        due = heappop(answers)
        if not due[2].operator.may_answer(now):
            stalled.append((now + 0.001, *due[1:]))
        elif due[2].socket.fileno() >= 0:
            due[2].write(due[3])
    for one in stalled:
        heappush(answers, one)


def main() -> None:
    """Run the command."""
    operators = serve([Manner.read(argument) for argument in sys.argv[1:]])
    print(json.dumps({"event": "totals", "operators": [one.totals() for one in operators]}))


if __name__ == "__main__":
    main()
