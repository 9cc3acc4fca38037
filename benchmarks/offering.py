"""A process that offers a router messages: several accounts at once, whatever the answers do.

    python -m benchmarks.offering --to HOST:PORT --password B --seconds 10 NAME:RATE:WINDOW ...

Each account has one bind. With a rate the loop is open: a message is sent when it is due, and one
that the window or the socket has no room for is not sent later but counted as kept back, as by
a client whose own queue is elsewhere. With a rate of 0 the window is kept full. Times of answers
count from the call that sent the message, so what waits in the sockets is in them.

Messages are built before, and little is done for each: the load must not be what is measured.
Receipts are acknowledged; each message that was accepted must have one. It prints a line of JSON
for each second and one at the end.
"""

import argparse
import json
import selectors
import signal
import socket
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from struct import Struct
from typing import Final

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from simulators.counting import summary_ms

READ_OCTETS: Final = 262_144
BEAT_S: Final = 0.002
"""How often what is due is sent."""
RECEIPTS_S: Final = 120.0
"""How long receipts are waited for."""
_HEADER: Final = Struct(">IIII")
_SUBMIT: Final = (
    b"\0\x05\x00%b\0\x01\x0137255500000\0" + bytes(3) + b"\0\0\x01\0\0\0" + b"\x05Tere!"
)


@dataclass(slots=True)
class Offer:
    """One account and its bind."""

    name: str
    rate: float
    window: int
    socket: socket.socket
    body: bytes
    offered: int = 0
    kept_back: int = 0
    sequence: int = 1
    unsent: bytes = b""
    unread: bytes = b""
    waiting: dict[int, float] = field(default_factory=dict)
    """When each message was sent that is not answered, by sequence_number."""
    statuses: Counter[int] = field(default_factory=Counter)
    accepted_s: list[float] = field(default_factory=list)
    refused_s: list[float] = field(default_factory=list)
    receipt_s: list[float] = field(default_factory=list)
    """From the sending of a message to its receipt."""
    sent_at: dict[bytes, float] = field(default_factory=dict)
    """When each message was sent that has no receipt, by message_id."""
    early: int = 0
    """Receipts that came for no message that is known."""

    def offer(self, elapsed_s: float, now: float) -> None:
        """Send what is due."""
        room = 0 if self.unsent else self.window - len(self.waiting)
        if self.rate:
            due = int(elapsed_s * self.rate) - self.offered
            self.offered += due
            self.kept_back += max(0, due - room)
            room = min(room, due)
        if room <= 0:
            return
        body, length = self.body, 16 + len(self.body)
        parts = [self.unsent]
        for sequence in range(self.sequence + 1, self.sequence + 1 + room):
            parts.append(_HEADER.pack(length, v.SUBMIT_SM, 0, sequence))
            parts.append(body)
            self.waiting[sequence] = now
        self.sequence += room
        self.write(b"".join(parts))

    def write(self, octets: bytes) -> None:
        """Send, or keep what the socket does not take."""
        try:
            self.unsent = octets[self.socket.send(octets) :] if octets else b""
        except BlockingIOError:
            self.unsent = octets

    def read(self, now: float) -> None:
        """Take answers and receipts. Ends the process if the router has closed the connection."""
        octets = self.socket.recv(READ_OCTETS)
        if not octets:
            sys.exit(f"{self.name}: the router closed the connection")
        octets = self.unread + octets
        at, end = 0, len(octets)
        answers: list[bytes] = []
        while end - at >= 16:
            length, command, status, sequence = _HEADER.unpack_from(octets, at)
            if end - at < length:
                break
            if command == v.SUBMIT_SM_RESP:
                sent = self.waiting.pop(sequence)
                self.statuses[status] += 1
                if status:
                    self.refused_s.append(now - sent)
                else:
                    self.accepted_s.append(now - sent)
                    self.sent_at[octets[at + 16 : at + length - 1]] = sent
            elif command == v.DELIVER_SM:
                answers.append(_HEADER.pack(17, v.DELIVER_SM_RESP, 0, sequence) + b"\0")
                start = octets.index(b"id:", at) + 3
                sent_at = self.sent_at.pop(octets[start : octets.index(b" ", start)], None)
                if sent_at is None:
                    self.early += 1
                else:
                    self.receipt_s.append(now - sent_at)
            elif command == v.ENQUIRE_LINK:
                answers.append(_HEADER.pack(16, v.ENQUIRE_LINK_RESP, 0, sequence))
            at += length
        self.unread = octets[at:]
        if answers:
            self.write(self.unsent + b"".join(answers))

    def totals(self, seconds: float) -> dict[str, object]:
        """What was offered, and what became of it."""
        return {
            "offered_per_s": round(self.offered / seconds, 1),
            "kept_back_per_s": round(self.kept_back / seconds, 1),
            "accepted_per_s": round(self.statuses[0] / seconds, 1),
            "statuses": {v.status_name(one): count for one, count in self.statuses.items()},
            "accepted_ms": summary_ms(self.accepted_s),
            "refused_ms": summary_ms(self.refused_s),
            "receipt_ms": summary_ms(self.receipt_s),
            "without_receipt": len(self.sent_at),
            "unanswered": len(self.waiting),
            "unknown_receipts": self.early,
        }


def _bound(given: argparse.Namespace, asked: str) -> Offer:
    name, rate, window = asked.split(":")
    host, _, port = given.to.rpartition(":")
    one = socket.create_connection((host, int(port)))
    names = {"system_id": name.encode(), "password": given.password.encode()}
    one.sendall(p.bind(v.BIND_TRANSCEIVER, 1, **names))
    answer = one.recv(READ_OCTETS)
    if len(answer) < 16 or _HEADER.unpack_from(answer)[2]:
        sys.exit(f"{name}: the bind was refused")
    one.setblocking(False)
    return Offer(name, float(rate), int(window), one, _SUBMIT % name.encode())


def main() -> None:
    """Offer for a time, wait for what is due, and say what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--to", required=True, help="host:port of the router")
    parser.add_argument("--password", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("accounts", nargs="+", metavar="NAME:RATE:WINDOW")
    given = parser.parse_args()
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(1))
    offers = [_bound(given, asked) for asked in given.accounts]
    selector = selectors.DefaultSelector()
    for one in offers:
        selector.register(one.socket, selectors.EVENT_READ, one)
    print(json.dumps({"event": "offering"}), flush=True)
    began = time.monotonic()
    told, before = 1.0, [0] * len(offers)
    while True:
        now = time.monotonic()
        elapsed_s = now - began
        over = elapsed_s >= given.seconds
        for one in offers:
            if one.unsent:
                one.write(one.unsent)
            if not over:
                one.offer(elapsed_s, now)
        if elapsed_s >= told:
            accepted = [one.statuses[0] for one in offers]
            rates = {o.name: a - b for o, a, b in zip(offers, accepted, before, strict=True)}
            waits = sum(len(one.waiting) for one in offers)
            print(json.dumps({"event": "second", "accepted": rates, "waiting": waits}), flush=True)
            told, before = told + 1.0, accepted
        is_done = over and not any(one.waiting or one.sent_at for one in offers)
        if is_done or ended or elapsed_s > given.seconds + RECEIPTS_S:
            break
        for key, _ in selector.select(BEAT_S):
            key.data.read(time.monotonic())
    took_s = time.monotonic() - began
    found = {one.name: one.totals(given.seconds) for one in offers}
    print(json.dumps({"event": "totals", "took_s": round(took_s, 3), "accounts": found}))


if __name__ == "__main__":
    main()
