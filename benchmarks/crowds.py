"""A process that is many clients of one router, each slow, silent or gone again at once.

    python -m benchmarks.crowds unread --to HOST:PORT --count 50 --password SECRET
    python -m benchmarks.crowds comers --to HOST:PORT --count 1000000 --password SECRET

- `unread` bind and submit as fast as they can, and never read an answer or a receipt;
- `drip` send their bind request an octet a second, and connect anew when they are cut off;
- `drip-bound` bind, and then send a submit_sm an octet a second;
- `mute` connect and say nothing, and connect anew when they are cut off;
- `gone` bind and then neither read nor write: as hosts that have vanished without a word;
- `storm` all bind within a second, and tell how long the answers took;
- `comers` connect, bind, submit, unbind and close, so many times in all, some at once.

It prints a line of JSON when its clients are there (`crowd`), and at SIGTERM, or when it is done,
one with what they have seen (`totals`). Source addresses of 127.0.0.0/8 take turns, since an
address has 28,000 ports and a closed connection keeps its port for a minute.
"""

import argparse
import errno
import json
import os
import selectors
import signal
import socket
import time
from collections.abc import Iterator
from typing import Final

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Framer

KINDS: Final = ("unread", "drip", "drip-bound", "mute", "gone", "storm", "comers")
SOURCES: Final = 16
"""Addresses that connections come from."""
AT_ONCE: Final = 50
"""Of `comers`, connections at the same time."""
DRIP_S: Final = 1.0
STORM_S: Final = 1.0
SMALL_BUFFER_OCTETS: Final = 4096
LONGEST_PDU: Final = 1000
READ_OCTETS: Final = 65_536
_WAITS: Final = (BlockingIOError,)
_SUBMIT_SM: Final = p.sm(
    v.SUBMIT_SM,
    2,
    source=(5, 0, b"CROWD"),
    destination=(1, 1, b"37255500000"),
    registered_delivery=1,
    short_message=b"Tere!",
)


class Crowd:
    """The clients of one process."""

    def __init__(self, given: argparse.Namespace) -> None:
        host, _, port = given.to.rpartition(":")
        self._to: Final = host, int(port)
        names = {"system_id": given.system_id.encode(), "password": given.password.encode()}
        self._bind: Final = p.bind(v.BIND_TRANSCEIVER, 1, **names)
        self._count: Final[int] = given.count
        self._connections = 0
        self.seen: Final = {"connections": 0, "cut_off": 0, "refused": 0, "octets": 0}
        self.waits_ms: Final[list[float]] = []
        """How long each was until its bind was answered."""
        self.is_over = False
        self._kept: Final[list[socket.socket]] = []
        """What stays open to the end."""

    def connected(self, *, small: bool = False, waits: bool = True) -> socket.socket:
        """Return a new connection; without `waits` one that is perhaps not there yet."""
        one = socket.socket()
        if small:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER_OCTETS)
        # Chosen when it connects, so that a port serves for every address of the other end.
        one.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
        one.bind((f"127.0.1.{1 + self._connections % SOURCES}", 0))
        self._connections += 1
        self.seen["connections"] += 1
        one.setblocking(waits)
        if one.connect_ex(self._to) not in (0, errno.EINPROGRESS):
            raise OSError("it does not listen")
        return one

    def bound(self, *, small: bool = False) -> socket.socket:
        """Return a new connection that is bound, or was refused."""
        one = self.connected(small=small)
        one.sendall(self._bind)
        answer = Framer(LONGEST_PDU).feed(one.recv(LONGEST_PDU))
        if not answer or answer[0].command_status:
            self.seen["refused"] += 1
        one.setblocking(False)
        return one

    # What the kinds do.

    def unread(self) -> None:
        """Submit and never read."""
        selector = selectors.DefaultSelector()
        octets = _SUBMIT_SM * 100
        for _ in range(self._count):
            selector.register(self.bound(small=True), selectors.EVENT_WRITE, [0])
        self._tell()
        while not self.is_over:
            for key, _ in selector.select(timeout=0.1):
                one, at = key.fileobj, key.data
                assert isinstance(one, socket.socket)
                try:
                    sent = one.send(octets[at[0] :])
                    at[0] = (at[0] + sent) % len(octets)
                    self.seen["octets"] += sent
                except _WAITS:
                    pass
                except OSError:
                    self.seen["cut_off"] += 1
                    selector.unregister(one)
                    one.close()

    def drip(self, *, is_bound: bool) -> None:
        """Send an octet a second on each connection."""
        octets = _SUBMIT_SM if is_bound else self._bind
        new = self.bound if is_bound else self.connected
        everyone = [(new(), [0]) for _ in range(self._count)]
        self._tell()
        for at, _ in self._each_second(len(everyone)):
            one, sent = everyone[at]
            if self._is_there(one):
                sent[0] += self._sent(one, octets[sent[0] : sent[0] + 1])
                sent[0] %= len(octets)
            else:
                everyone[at] = new(), [0]

    def mute(self) -> None:
        """Connect, and again when cut off."""
        everyone = [self.connected() for _ in range(self._count)]
        self._tell()
        for at, _ in self._each_second(len(everyone)):
            if not self._is_there(everyone[at]):
                everyone[at] = self.connected()

    def gone(self) -> None:
        """Bind and do nothing more."""
        everyone = [self.bound() for _ in range(self._count)]
        self._tell()
        while not self.is_over:
            time.sleep(0.05)
        self.seen["connections"] = len(everyone)

    def storm(self) -> None:
        """Have all bind within a second."""
        selector = selectors.DefaultSelector()
        began_at = time.monotonic()
        self._tell()
        began, answered = 0, 0
        while answered < self._count and not self.is_over:
            now = time.monotonic()
            while began < min(self._count, (now - began_at) * self._count / STORM_S):
                one = self.connected(waits=False)
                due_at = began_at + began * STORM_S / self._count
                selector.register(one, selectors.EVENT_WRITE, due_at)
                began += 1
            for key, events in selector.select(timeout=0.001):
                one = key.fileobj  # type: ignore[assignment]
                if events & selectors.EVENT_WRITE:
                    self._sent(one, self._bind)
                    selector.modify(one, selectors.EVENT_READ, key.data)
                    continue
                try:
                    answer = Framer(LONGEST_PDU).feed(one.recv(LONGEST_PDU))
                except OSError:
                    answer = []
                if not answer or answer[0].command_status:
                    self.seen["refused"] += 1
                self.waits_ms.append((time.monotonic() - key.data) * 1000)
                selector.unregister(one)
                self._kept.append(one)
                answered += 1
        print(json.dumps({"event": "bound", "within_s": time.monotonic() - began_at}), flush=True)
        while not self.is_over:
            time.sleep(0.05)

    def comers(self) -> None:
        """Come, submit once and go, one after the other on each of some places."""
        selector = selectors.DefaultSelector()
        self._tell()
        left = self._count
        for _ in range(min(AT_ONCE, left)):
            self._come(selector)
            left -= 1
        told = 0
        while selector.get_map() and not self.is_over:
            for key, events in selector.select(timeout=0.1):
                one, framer = key.fileobj, key.data
                assert isinstance(one, socket.socket)
                if events & selectors.EVENT_WRITE:
                    selector.modify(one, selectors.EVENT_READ, framer)
                    self._sent(one, self._bind + _SUBMIT_SM + p.build(v.UNBIND, 0, 3))
                elif not self._goes_on(one, framer):
                    selector.unregister(one)
                    one.close()
                    if left:
                        self._come(selector)
                        left -= 1
            gone = self._count - left
            if gone - told >= max(1, self._count // 10):
                told = gone
                print(json.dumps({"event": "came", "connections": gone}), flush=True)

    def _come(self, selector: selectors.BaseSelector) -> None:
        selector.register(self.connected(waits=False), selectors.EVENT_WRITE, Framer(LONGEST_PDU))

    def _goes_on(self, one: socket.socket, framer: Framer) -> bool:
        """Read; return whether more is to come. Answers receipts, so that nothing is left over."""
        try:
            octets = one.recv(READ_OCTETS)
        except _WAITS:
            return True
        except OSError:
            self.seen["cut_off"] += 1
            return False
        for pdu in framer.feed(octets):
            if pdu.command_id in (v.DELIVER_SM, v.ENQUIRE_LINK):
                self._sent(one, p.response(pdu.command_id, pdu.sequence_number, body=b""))
            elif pdu.command_id == v.UNBIND_RESP:
                return False
            elif pdu.command_status:
                self.seen["refused"] += 1
        if not octets:
            self.seen["cut_off"] += 1
        return bool(octets)

    # How they do it.

    def _tell(self) -> None:
        print(json.dumps({"event": "crowd", **self.seen}), flush=True)

    def _each_second(self, count: int) -> Iterator[tuple[int, float]]:
        """Yield the place of each in turn, evenly over a second, until it is over."""
        began_at = time.monotonic()
        turn = 0
        while not self.is_over:
            due_at = began_at + turn * DRIP_S / count
            wait_s = due_at - time.monotonic()
            if wait_s > 0:
                time.sleep(min(wait_s, 0.05))
                continue
            yield turn % count, due_at
            turn += 1

    def _is_there(self, one: socket.socket) -> bool:
        """Read and throw away; return whether the connection is there."""
        one.setblocking(False)
        try:
            if one.recv(READ_OCTETS):
                return True
        except _WAITS:
            return True
        except OSError:
            pass
        self.seen["cut_off"] += 1
        one.close()
        return False

    def _sent(self, one: socket.socket, octets: bytes) -> int:
        try:
            sent = one.send(octets)
        except OSError:
            return 0
        self.seen["octets"] += sent
        return sent


_BIND_ADDRESS_NO_PORT: Final = 24
"""IP_BIND_ADDRESS_NO_PORT of Linux, which the module socket does not have."""


def main() -> None:
    """Be a crowd until SIGTERM, or until all have come and gone."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--to", required=True, help="host:port of the router")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--system-id", default="crowd")
    parser.add_argument("--password", default="")
    given = parser.parse_args()
    os.nice(19)  # It takes what is left, and no core from those who are measured.
    crowd = Crowd(given)

    def end(*_: object) -> None:
        crowd.is_over = True

    signal.signal(signal.SIGTERM, end)
    match given.kind:
        case "unread":
            crowd.unread()
        case "drip":
            crowd.drip(is_bound=False)
        case "drip-bound":
            crowd.drip(is_bound=True)
        case "mute":
            crowd.mute()
        case "gone":
            crowd.gone()
        case "storm":
            crowd.storm()
        case _:
            crowd.comers()
    waits = sorted(crowd.waits_ms)
    more = {}
    if waits:
        more["bind_ms"] = {
            "p50": round(waits[len(waits) // 2], 2),
            "p99": round(waits[len(waits) * 99 // 100], 2),
            "max": round(waits[-1], 2),
        }
    print(json.dumps({"event": "totals", **crowd.seen, **more}), flush=True)


if __name__ == "__main__":
    main()
