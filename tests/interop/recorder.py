"""Everything that passes on the router's SMPP connections, written down, and read by tshark.

`router` starts the real one with a relay before each of its listeners and before each operator. A
relay hands on octets as they come, and how a connection ends; it connects from the address that
connected to it. No privilege to capture is needed, and what is recorded are the octets themselves
and not what the router says of them.

In the capture the router is ROUTER, whoever is at the other end CLIENT or OPERATOR, and the SMPP
port PORT: those of loopback differ from run to run. TLS cannot be read and is left out.
"""

import re
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock, Thread
from typing import Final

from benchmarks import stand
from benchmarks.processes import DEADLINE_S
from router.smpp.pdu import HEADER_OCTETS
from router.wiring.pcap import Pcap

TSHARK: Final = shutil.which("tshark")
ROUTER, CLIENT, OPERATOR = "192.0.2.1", "192.0.2.2", "192.0.2.3"
PORT: Final = 2775
MOST_SHOWN: Final = 5
"""Malformed packets, with their octets."""
_FIRST_PORT: Final = 10_000
_TLS_RECORDS: Final = (b"\x15\x03", b"\x16\x03")
"""An alert and a handshake: how all that a TLS server writes begins."""
_OPERATOR: Final = re.compile(r'(address: "127\.0\.0\.1:)([1-9]\d*)"')
_MALFORMED_GROUP: Final = 0x07000000
_ERROR: Final = 0x00800000
"""Of Wireshark's expert information: the group, and from which severity on a packet is wrong."""
_COLUMNS: Final = (
    *("frame.number", "smpp.command_id", "_ws.malformed", "_ws.short", "_ws.unreassembled"),
    *("_ws.expert.group", "_ws.expert.severity", "_ws.expert.message"),
)


@dataclass
class Connection:
    """One connection of the router's, and what passed."""

    peer: str
    """CLIENT or OPERATOR."""
    chunks: list[tuple[float, bool, bytes]] = field(default_factory=list)
    """When (UTC), whether the router wrote it, and what."""

    @property
    def written(self) -> bytes:
        """All that the router wrote."""
        return b"".join(octets for _, is_routers, octets in self.chunks if is_routers)

    def pdus(self) -> Iterator[tuple[float, bool, bytes]]:
        """The same PDU by PDU, each when its last octet came; and what is left of either side.

        One that came in pieces would be counted twice: tshark shows the piece as well.
        """
        rests = {True: b"", False: b""}
        at_utc = 0.0
        for at_utc, is_routers, octets in self.chunks:
            whole, rests[is_routers] = split(rests[is_routers] + octets)
            for pdu in whole:
                yield at_utc, is_routers, pdu
        for is_routers, rest in rests.items():
            yield at_utc, is_routers, rest

    @property
    def is_tls(self) -> bool:
        """Whether what the router wrote is TLS."""
        return self.written.startswith(_TLS_RECORDS)


class Recording:
    """All connections of one test."""

    def __init__(self) -> None:
        self.connections: list[Connection] = []

    @property
    def in_the_clear(self) -> list[Connection]:
        """Those that can be read."""
        return [one for one in self.connections if not one.is_tls]

    def write(self, path: Path) -> None:
        """Write a capture of what is in the clear."""
        with path.open("wb") as file:
            pcap = Pcap(file)
            for number, one in enumerate(self.in_the_clear, _FIRST_PORT):
                here, there = (ROUTER, number), (one.peer, PORT)
                if one.peer == CLIENT:
                    here, there = (ROUTER, PORT), (one.peer, number)
                for at_utc, is_routers, octets in one.pdus():
                    pcap.write(at_utc, *((here, there) if is_routers else (there, here)), octets)


_recordings: Final[list[Recording]] = []
"""What `recording` has begun, the present one last."""


@contextmanager
def recording() -> Iterator[Recording]:
    """Record what routers do that `router` starts within the `with` block."""
    _recordings.append(Recording())
    try:
        yield _recordings[-1]
    finally:
        _recordings.pop()


def router(stack: ExitStack, configuration: str, folder: Path) -> stand.Router:
    """Start a router, as `stand.router` does, and record it; its ports are those of relays."""
    if not _recordings:
        return stand.router(stack, configuration, folder)
    kept = _recordings[-1]

    def through(operator: re.Match[str]) -> str:
        return f'{operator[1]}{_Relay(stack, int(operator[2]), kept, OPERATOR).port}"'

    started = stand.router(stack, _OPERATOR.sub(through, configuration), folder)
    relays = [_Relay(stack, port, kept, CLIENT) for port in started.ports]
    return replace(started, ports=[relay.port for relay in relays])


class _Relay:
    """Listens, and hands all that comes on to another port of loopback, and back."""

    def __init__(self, stack: ExitStack, to: int, kept: Recording, peer: str) -> None:
        self._to, self._kept, self._peer = to, kept, peer
        self._lock = Lock()
        self._is_over = False
        self._open: set[socket.socket] = set()
        self._threads: list[Thread] = []
        self._listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.port: int = self._listener.getsockname()[1]
        self._accepts = self._run(self._accept)
        stack.callback(self._end)

    def _run(self, does: object, *arguments: object) -> Thread:
        thread = Thread(target=does, args=arguments, daemon=True)  # type: ignore[arg-type]
        thread.start()
        return thread

    def _accept(self) -> None:
        with suppress(OSError):  # The listener is shut down.
            while True:
                near, (host, _) = self._listener.accept()
                self._threads.append(self._run(self._carry, near, host))

    def _carry(self, near: socket.socket, host: str) -> None:
        with near:
            try:
                far = socket.create_connection(
                    ("127.0.0.1", self._to), DEADLINE_S, source_address=(host, 0)
                )
            except OSError:
                _reset(near)
                return
            with far:
                self._between(near, far)

    def _between(self, near: socket.socket, far: socket.socket) -> None:
        one, both = Connection(self._peer), (near, far)
        with self._lock:
            if self._is_over:
                return
            self._open.update(both)
            self._kept.connections.append(one)
        for each in both:
            each.settimeout(None)
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        is_client = self._peer == CLIENT
        other = self._run(self._pump, far, near, one, is_client)
        self._pump(near, far, one, not is_client)
        other.join()
        with self._lock:
            self._open.difference_update(both)

    def _pump(
        self, source: socket.socket, sink: socket.socket, one: Connection, is_routers: bool
    ) -> None:
        try:
            while octets := source.recv(65_536):
                with self._lock:
                    one.chunks.append((time.time(), is_routers, octets))
                sink.sendall(octets)
            sink.shutdown(socket.SHUT_WR)
        except OSError:  # It was cut; so the other side is.
            for each in (source, sink):
                _reset(each)
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def _end(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepts.join()
        with self._lock:
            self._is_over = True
            for each in self._open:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()


def _reset(one: socket.socket) -> None:
    """Have it end with a reset when it is closed."""
    with suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


# Reading.


def split(octets: bytes) -> tuple[list[bytes], bytes]:
    """Return the PDUs that these are by their command_length, and what is left behind them."""
    found, at = [], 0
    while at < len(octets):
        length = int.from_bytes(octets[at : at + 4], "big")
        if length < HEADER_OCTETS or at + length > len(octets):
            break
        found.append(octets[at : at + length])
        at += length
    return found, octets[at:]


@dataclass(frozen=True)
class Reading:
    """What tshark made of what the router wrote."""

    pdus: int
    wrong: list[str]
    """What is malformed, each with its octets."""


def read(recording: Recording, path: Path) -> Reading:
    """Write the capture there and have tshark read it.

    Wrong is what tshark's dissector cannot read to the end, or calls malformed or an error; a PDU
    that it did not take for one; and what is cut short. A TLV or a command that it has no name for
    is none of these.
    """
    recording.write(path)
    rows = _dissected(path, f"ip.src == {ROUTER}")
    found_wrong = [row for row in rows if any(row[2:5]) or _is_wrong(row[5], row[6])]
    wrong = [
        f"frame {row[0]} ({row[1]}): {row[7] or 'malformed'}\n{_octets_of(path, row[0])}"
        for row in found_wrong[:MOST_SHOWN]
    ]
    if len(found_wrong) > MOST_SHOWN:
        wrong.append(f"and {len(found_wrong) - MOST_SHOWN} more in {path}")
    counted = 0
    for one in recording.in_the_clear:
        whole, rest = split(one.written)
        counted += len(whole)
        if rest:
            wrong.append(f"behind {len(whole)} PDUs to {one.peer}: no PDU\n{rest.hex()}")
    found = sum(len(row[1].split("|")) for row in rows if row[1])
    if found != counted and not wrong:
        wrong.append(f"tshark has read {found} of {counted} PDUs")
    return Reading(counted, wrong)


def _dissected(path: Path, wanted: str) -> list[list[str]]:
    assert TSHARK is not None
    command = [
        *(TSHARK, "-n", "-r", str(path), "-d", f"tcp.port=={PORT},smpp", "-Y", wanted),
        *("-o", "tcp.check_checksum:TRUE", "-T", "fields"),
        *("-E", "separator=/t", "-E", "aggregator=|"),
        *(part for column in _COLUMNS for part in ("-e", column)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


def _is_wrong(groups: str, severities: str) -> bool:
    return any(int(group) == _MALFORMED_GROUP for group in filter(None, groups.split("|"))) or any(
        int(severity) >= _ERROR for severity in filter(None, severities.split("|"))
    )


def _octets_of(path: Path, frame: str) -> str:
    assert TSHARK is not None
    command = [TSHARK, "-r", str(path), "-Y", f"frame.number == {frame}", "-x"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
