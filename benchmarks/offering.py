r"""A process that offers a router messages: several accounts at once, whatever the answers do.

    python -m benchmarks.offering --to HOST:PORT --password B --window 100 \
        --phase '{"seconds": 5, "rates": {"bank": 100, "shop": 0}}' --phase ...

Each account has one bind, and one phase follows the other on it. With a rate the loop is open: a
message is sent when it is due, and one that the window or the socket has no room for is not sent
later but counted as kept back, as by a client whose own queue is elsewhere. With a rate of 0 the
window is kept full. Times of answers count from the call that sent the message, so what waits in
the sockets is in them.

Messages are built before, and little is done for each: the load must not be what is measured.
Receipts are acknowledged; each message that was accepted must have one. At the end it prints one
line of JSON.
"""

import argparse
import json
import selectors
import socket
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from struct import Struct
from typing import Final

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from simulators.counting import percentile, summary_ms

READ_OCTETS: Final = 262_144
BEAT_S: Final = 0.002
"""How often what is due is sent."""
SLOW_PERCENT: Final = 90.0
"""The percentile of the answers of one second that is told."""
RECEIPTS_S: Final = 120.0
"""How long receipts are waited for."""
_HEADER: Final = Struct(">IIII")
_SUBMIT: Final = (
    b"\0\x05\x00%b\0\x01\x0137255500000\0" + bytes(3) + b"\0\0\x01\0\0\0" + b"\x05Tere!"
)


@dataclass(slots=True)
class Part:
    """What one account has offered in one phase, and what became of it."""

    rate: float
    offered: int = 0
    kept_back: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    accepted_s: list[float] = field(default_factory=list)
    refused_s: list[float] = field(default_factory=list)
    receipt_s: list[float] = field(default_factory=list)
    """From the sending of a message to its receipt."""

    def totals(self, seconds: float) -> dict[str, object]:
        """As JSON has it."""
        return {
            "offered_per_s": round(self.offered / seconds, 1),
            "kept_back_per_s": round(self.kept_back / seconds, 1),
            "accepted_per_s": round(self.statuses[0] / seconds, 1),
            "statuses": {v.status_name(one): count for one, count in self.statuses.items()},
            "accepted_ms": summary_ms(self.accepted_s),
            "refused_ms": summary_ms(self.refused_s),
            "receipt_ms": summary_ms(self.receipt_s),
        }


@dataclass(slots=True)
class Phase:
    """Some seconds in which each account has a rate."""

    seconds: float
    rates: dict[str, float]
    parts: dict[str, Part] = field(default_factory=dict)
    began: float = 0.0
    answers_s: list[list[float]] = field(default_factory=list)
    """How long answers took, of what was sent in each second."""

    def answered(self, sent: float, took_s: float) -> None:
        """Note how long the answer to a message of this phase took."""
        second = int(sent - self.began)
        while len(self.answers_s) <= second:
            self.answers_s.append([])
        self.answers_s[second].append(took_s)

    def totals(self) -> dict[str, object]:
        """As JSON has it."""
        slow = [percentile(sorted(one), SLOW_PERCENT) for one in self.answers_s]
        return {
            "accounts": {name: part.totals(self.seconds) for name, part in self.parts.items()},
            "slow_ms": [round(one * 1000, 1) for one in slow],
        }


@dataclass(slots=True)
class Offer:
    """One account and its bind."""

    name: str
    window: int
    socket: socket.socket
    body: bytes
    phase: Phase
    part: Part
    sequence: int = 1
    unsent: bytes = b""
    unread: bytes = b""
    waiting: dict[int, tuple[float, Phase, Part]] = field(default_factory=dict)
    """When each message was sent that is not answered, by sequence_number."""
    sent: dict[bytes, tuple[float, Part]] = field(default_factory=dict)
    """When each message was sent that has no receipt, by message_id."""
    unknown_receipts: int = 0
    """Receipts that came for no message that is known."""

    def begin(self, phase: Phase, now: float) -> None:
        """Begin a phase."""
        phase.began = now
        self.phase = phase
        self.part = phase.parts[self.name] = Part(phase.rates.get(self.name, -1.0))

    def offer(self, now: float) -> None:
        """Send what is due."""
        part = self.part
        room = 0 if self.unsent else self.window - len(self.waiting)
        if part.rate:
            due = int((now - self.phase.began) * max(0.0, part.rate)) - part.offered
            part.offered += due
            part.kept_back += max(0, due - room)
            room = min(room, due)
        if room <= 0:
            return
        body, length, about = self.body, 16 + len(self.body), (now, self.phase, part)
        parts = []
        for sequence in range(self.sequence + 1, self.sequence + 1 + room):
            parts.append(_HEADER.pack(length, v.SUBMIT_SM, 0, sequence))
            parts.append(body)
            self.waiting[sequence] = about
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
        while end - at >= _HEADER.size:
            length, command, status, sequence = _HEADER.unpack_from(octets, at)
            if end - at < length:
                break
            if command == v.SUBMIT_SM_RESP:
                self._answered(sequence, status, octets[at + 16 : at + length - 1], now)
            elif command == v.DELIVER_SM:
                answers.append(_HEADER.pack(17, v.DELIVER_SM_RESP, 0, sequence) + b"\0")
                start = octets.index(b"id:", at) + 3
                self._receipt(octets[start : octets.index(b" ", start)], now)
            elif command == v.ENQUIRE_LINK:
                answers.append(_HEADER.pack(16, v.ENQUIRE_LINK_RESP, 0, sequence))
            at += length
        self.unread = octets[at:]
        if answers:
            self.write(self.unsent + b"".join(answers))

    def _answered(self, sequence: int, status: int, message_id: bytes, now: float) -> None:
        sent, phase, part = self.waiting.pop(sequence)
        part.statuses[status] += 1
        phase.answered(sent, now - sent)
        if status:
            part.refused_s.append(now - sent)
        else:
            part.accepted_s.append(now - sent)
            self.sent[message_id] = sent, part

    def _receipt(self, message_id: bytes, now: float) -> None:
        about = self.sent.pop(message_id, None)
        if about is None:
            self.unknown_receipts += 1
        else:
            about[1].receipt_s.append(now - about[0])


def _bound(given: argparse.Namespace, name: str, phase: Phase) -> Offer:
    host, _, port = given.to.rpartition(":")
    one = socket.create_connection((host, int(port)))
    names = {"system_id": name.encode(), "password": given.password.encode()}
    one.sendall(p.bind(v.BIND_TRANSCEIVER, 1, **names))
    answer = one.recv(READ_OCTETS)
    if len(answer) < _HEADER.size or _HEADER.unpack_from(answer)[2]:
        sys.exit(f"{name}: the bind was refused")
    one.setblocking(False)
    return Offer(name, given.window, one, _SUBMIT % name.encode(), phase, Part(0.0))


def _phase(text: str) -> Phase:
    return Phase(**json.loads(text))


def main() -> None:
    """Offer, phase after phase; wait for what is due, and say what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--to", required=True, help="host:port of the router")
    parser.add_argument("--password", required=True)
    parser.add_argument("--window", type=int, default=100, help="of each account's bind")
    parser.add_argument("--phase", type=_phase, action="append", required=True, metavar="JSON")
    given = parser.parse_args()
    phases: list[Phase] = given.phase
    names = list(dict.fromkeys(name for phase in phases for name in phase.rates))
    offers = [_bound(given, name, phases[0]) for name in names]
    selector = selectors.DefaultSelector()
    for one in offers:
        selector.register(one.socket, selectors.EVENT_READ, one)

    def turn() -> None:
        for one in offers:
            if one.unsent:
                one.write(one.unsent)
        for key, _ in selector.select(BEAT_S):
            key.data.read(time.monotonic())

    for phase in phases:
        now = time.monotonic()
        for one in offers:
            one.begin(phase, now)
        print(json.dumps({"event": "phase"}), flush=True)
        while (now := time.monotonic()) < phase.began + phase.seconds:
            for one in offers:
                one.offer(now)
            turn()
    give_up_at = time.monotonic() + RECEIPTS_S
    while any(one.waiting or one.sent for one in offers) and time.monotonic() < give_up_at:
        turn()
    totals = {
        "event": "totals",
        "phases": [phase.totals() for phase in phases],
        "without_receipt": sum(len(one.sent) for one in offers),
        "unanswered": sum(len(one.waiting) for one in offers),
        "unknown_receipts": sum(one.unknown_receipts for one in offers),
    }
    print(json.dumps(totals), flush=True)


if __name__ == "__main__":
    main()
