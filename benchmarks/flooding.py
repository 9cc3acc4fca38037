"""A process that floods a router: as many PDUs as its sockets take, on several connections at once.

    python -m benchmarks.flooding client enquire_link --to HOST:PORT --system-id A --password B
    python -m benchmarks.flooding stranger submit_sm --to HOST:PORT
    python -m benchmarks.flooding operator deliver_sm

A `client` binds first; a `stranger` never does, and connects again as soon as it is cut off; an
`operator` prints its port, accepts binds, and floods each. Answers are read and thrown away, so
that nothing but the router slows the flood. Ended by SIGTERM, it prints how much it has sent.
"""

import argparse
import json
import os
import selectors
import signal
import socket
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.receipt import State, deliver_sm

AT_ONCE_OCTETS: Final = 262_144
"""Octets handed to a socket together."""
READ_OCTETS: Final = 1_000_000
UNKNOWN: Final = 0x0000_0099
_WAITS: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


_SUBMIT_SM: Final = (
    b"\0\x05\x00FLOOD\0\x01\x0137255500000\0" + bytes(3) + b"\0\0\x01\0\0\0" + b"\x05Tere!"
)
_RECEIPT: Final = deliver_sm(
    client_id=b"no such id",
    state=State.DELIVERED,
    err=b"000",
    submitted=b"2611290800",
    done=b"2611290800",
    source_octets=b"\x01\x0137255500000\0",
    destination_octets=b"\x05\x00FLOOD\0",
    tlvs=True,
)
KINDS: Final = {
    "enquire_link": p.build(v.ENQUIRE_LINK, 0, 7),
    "unknown": p.build(UNKNOWN, 0, 7),
    "unasked": p.response(v.SUBMIT_SM, 7, body=b"1\0"),
    "malformed": p.build(v.SUBMIT_SM, 0, 7, _SUBMIT_SM[:-1]),
    "submit_sm": p.build(v.SUBMIT_SM, 0, 7, _SUBMIT_SM),
    "deliver_sm": p.relay(_RECEIPT, 7),
}
"""One PDU of each kind of flood; of a malformed one the text is shorter than it says."""


@dataclass
class Flood:
    """One connection that floods."""

    socket: socket.socket
    octets: bytes
    at: int = 0
    sent: int = 0

    def go_on(self) -> bool:
        """Send and read what the socket takes and has; return whether it is still there."""
        try:
            for _ in range(4):
                count = self.socket.send(memoryview(self.octets)[self.at :])
                self.sent += count
                self.at = (self.at + count) % len(self.octets)
        except _WAITS:
            pass
        except OSError:
            return False
        try:
            return bool(self.socket.recv(READ_OCTETS))
        except _WAITS:
            return True
        except OSError:
            return False


class Flooding:
    """All connections of the process."""

    def __init__(self, kind: str) -> None:
        pdu = KINDS[kind]
        self.octets = pdu * (AT_ONCE_OCTETS // len(pdu))
        self.pdu_octets = len(pdu)
        self.sent = 0
        self.selector = selectors.DefaultSelector()
        self.is_over = False

    def floods(self, one: socket.socket, again: Callable[[], None] | None = None) -> None:
        """Flood a connection; call `again` when it is cut off."""
        one.setblocking(False)
        events = selectors.EVENT_READ | selectors.EVENT_WRITE
        self.selector.register(one, events, (Flood(one, self.octets), again))

    def run(self) -> None:
        """Flood until the process is told to end."""
        while not self.is_over:
            for key, _ in self.selector.select(timeout=0.1):
                what, again = key.data
                if isinstance(what, Flood):
                    sent = what.sent
                    stays = what.go_on()
                    self.sent += what.sent - sent
                    if stays:
                        continue
                    self.selector.unregister(what.socket)
                    what.socket.close()
                    if again is not None:
                        again()
                else:
                    what()

    def end(self) -> None:
        """End at the next opportunity."""
        self.is_over = True


def _connected(given: argparse.Namespace) -> socket.socket:
    host, _, port = given.to.rpartition(":")
    one = socket.create_connection((host, int(port)))
    if given.tls is None:
        return one
    context = ssl.create_default_context(cafile=given.tls)
    return context.wrap_socket(one, server_hostname="localhost")


def _client(given: argparse.Namespace, flooding: Flooding) -> None:
    one = _connected(given)
    names = {"system_id": given.system_id.encode(), "password": given.password.encode()}
    one.sendall(p.bind(v.BIND_TRANSCEIVER, 1, **names))
    if not one.recv(READ_OCTETS):
        sys.exit("the bind was refused")
    flooding.floods(one)


def _stranger(given: argparse.Namespace, flooding: Flooding) -> None:
    def connect() -> None:
        try:
            flooding.floods(_connected(given), connect)
        except OSError:
            connect()

    connect()


def _operator(flooding: Flooding) -> int:
    door = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        one, _ = door.accept()
        (request,) = p.Framer(1000).feed(one.recv(1000))
        one.sendall(p.bind_response(request.command_id, 1, 0, b"flood"))
        flooding.floods(one)

    flooding.selector.register(door, selectors.EVENT_READ, (accept, None))
    port: int = door.getsockname()[1]
    return port


def main() -> None:
    """Flood until SIGTERM."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("who", choices=["client", "stranger", "operator"])
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--to", help="host:port of the router")
    parser.add_argument("--tls", help="the certificate that is trusted")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--system-id", default="flood")
    parser.add_argument("--password", default="")
    given = parser.parse_args()
    os.nice(19)  # It takes what its sockets take, and no core from those who are measured.
    flooding = Flooding(given.kind)
    signal.signal(signal.SIGTERM, lambda *_: flooding.end())
    port = 0
    if given.who == "operator":
        port = _operator(flooding)
    else:
        for _ in range(given.connections):
            (_client if given.who == "client" else _stranger)(given, flooding)
    print(json.dumps({"event": "flooding", "port": port}), flush=True)
    flooding.run()
    pdus = flooding.sent // flooding.pdu_octets
    print(json.dumps({"event": "totals", "pdus": pdus, "octets": flooding.sent}), flush=True)


if __name__ == "__main__":
    main()
