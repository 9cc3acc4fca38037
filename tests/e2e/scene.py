"""What the end-to-end tests share: a configuration, and a peer on a raw socket.

The peer speaks through `router.smpp.pdu` but keeps no session: it can be rude, slow and wrong. All
waits end with an event; a deadline only says when to give up.
"""

import os
import socket
import ssl
import subprocess
import sys
import time
from collections import deque
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

from benchmarks.processes import DEADLINE_S, ROOT, Child, until
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Framer, Pdu, Sm

PASSWORD: Final = "secret01"
CONTRACT: Final = ROOT / "tests" / "contract" / "router.yaml"

CONFIGURATION: Final = """\
listen: [{address: "127.0.0.1:0"}]
session: {bind_timeout: 2s}
journal: {url: "memory:"}
telemetry: {listen: "127.0.0.1:0", log: {messages: 0%}}
lanes: [{name: bulk}]
accounts:
  bank: {password: secret01, lane: bulk, window: 1000, deliver_window: 100, max_binds: 20}
  shop: {password: secret01, lane: bulk, window: 1000, deliver_window: 100, max_binds: 20}
operators:
  telia:
    reconnect: {first: 100ms, longest: 500ms}
    binds:
      - {name: t1, address: "HOST:PORT", system_id: a, password: b, rate: 500/s, window: 50}
      - {name: t2, address: "HOST:PORT", system_id: a, password: b, rate: 500/s, window: 50}
      - {name: t3, address: "HOST:PORT", system_id: a, password: b, rate: 500/s, window: 50}
routes: [{destination: "", to: [telia]}]
"""
"""One operator with three fast binds, two accounts, and nothing that lasts."""


def changed(text: str, *changes: tuple[str, str]) -> str:
    """The text with each old part replaced; one that is not there is a mistake of the test."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


def configuration(operator_port: int, *changes: tuple[str, str]) -> str:
    """`CONFIGURATION` for an operator that listens there, changed."""
    return changed(CONFIGURATION, ("HOST:PORT", f"127.0.0.1:{operator_port}"), *changes)


def smpp_router(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of `smpp-router` that ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "router.wiring.cli", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )


class Peer:
    """A client on a raw socket; leaving its `with` block closes it."""

    def __init__(
        self,
        port: int,
        tls: ssl.SSLContext | None = None,
        source: str = "127.0.0.1",
        first: bytes = b"",
    ) -> None:
        """`first` goes before all else, as the header of a proxy does."""
        here = (source, 0)
        self.socket: socket.socket = socket.create_connection(
            ("127.0.0.1", port), DEADLINE_S, source_address=here
        )
        self.socket.sendall(first)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.delivered: list[Sm] = []
        """deliver_sm so far; each was acknowledged when it was read."""
        self._framer = Framer(70_000)
        self._read: deque[Pdu] = deque()
        self._sequence = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, octets: bytes) -> None:
        """Say anything."""
        self.socket.sendall(octets)

    def request(self, command_id: int, body: bytes = b"") -> int:
        """Send a request; return its sequence_number."""
        self._sequence += 1
        self.send(p.build(command_id, 0, self._sequence, body))
        return self._sequence

    def bind(
        self, system_id: str, password: str = PASSWORD, command_id: int = v.BIND_TRANSCEIVER
    ) -> Pdu:
        """Ask to be bound; return the answer."""
        self._sequence += 1
        name, secret = system_id.encode(), password.encode()
        self.send(p.bind(command_id, self._sequence, system_id=name, password=secret))
        return self.hears(command_id | v.RESPONSE)

    def submit(
        self,
        destination: str,
        text: bytes = b"hello",
        *,
        source: bytes = b"TEST",
        data_coding: int = 0,
        priority_flag: int = 0,
        registered_delivery: int = 0,
    ) -> Pdu:
        """Submit one message; return the answer."""
        self._sequence += 1
        octets = p.sm(
            v.SUBMIT_SM,
            self._sequence,
            source=(5, 0, source),
            destination=(1, 1, destination.encode()),
            short_message=text,
            data_coding=data_coding,
            registered_delivery=registered_delivery,
            priority_flag=priority_flag,
        )
        self.send(octets)
        return self.hears(v.SUBMIT_SM_RESP)

    def hears(self, command_id: int, within_s: float = DEADLINE_S) -> Pdu:
        """Read until this comes; what comes before is acknowledged as a client would."""
        give_up_at = time.monotonic() + within_s
        while True:
            pdu = self._next(give_up_at)
            assert pdu is not None, f"closed instead of saying {v.command_name(command_id)}"
            if pdu.command_id == command_id:
                return pdu

    def hears_all(self, count: int, within_s: float = DEADLINE_S) -> list[Sm]:
        """Read until so many deliver_sm have come in all; return them."""
        give_up_at = time.monotonic() + within_s
        while len(self.delivered) < count:
            assert self._next(give_up_at) is not None, f"closed after {len(self.delivered)}"
        return self.delivered

    def is_closed(self, within_s: float = DEADLINE_S) -> list[Pdu]:
        """Read until the other side closes; return what it said before."""
        give_up_at = time.monotonic() + within_s
        said: list[Pdu] = []
        while (pdu := self._next(give_up_at)) is not None:
            said.append(pdu)
        return said

    def drop(self) -> None:
        """Be gone without a word, as a process that was killed."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def _next(self, give_up_at: float) -> Pdu | None:
        """The next PDU; None when the other side has closed."""
        while not self._read:
            left_s = give_up_at - time.monotonic()
            assert left_s > 0, "waited in vain"
            self.socket.settimeout(left_s)
            try:
                octets = self.socket.recv(65536)
            except ConnectionError:
                return None
            if not octets:
                return None
            self._read += self._framer.feed(octets)
        pdu = self._read.popleft()
        if pdu.command_id == v.DELIVER_SM:
            self.delivered.append(Sm(pdu))
            self.send(p.response(v.DELIVER_SM, pdu.sequence_number, 0, b"\0"))
        elif pdu.command_id == v.ENQUIRE_LINK:
            self.send(p.response(v.ENQUIRE_LINK, pdu.sequence_number))
        return pdu


def until_logged(child: Child, event: str, **fields: str) -> None:
    """Wait for a line with this event, each of whose fields holds these words."""

    def is_there() -> bool:
        return any(
            all(words in str(line.get(key)) for key, words in fields.items())
            for line in child.events(event)
        )

    until(f"{event} with {fields} in the log", is_there)


def free_port(stack: ExitStack) -> int:
    """A port for a server that starts later, and again.

    It is held until the stack ends, or another process could be given it in between. Servers set
    SO_REUSEADDR, and so may listen on a port that is held in the same way.
    """
    holder = stack.enter_context(socket.socket())
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    port: int = holder.getsockname()[1]
    return port


def written(folder: Path, text: str) -> Path:
    """A configuration file with this text."""
    path = folder / "router.yaml"
    path.write_text(text, encoding="utf-8")
    return path
