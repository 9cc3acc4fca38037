"""Kannel as a client: its bearerbox is bound to the router, its smsbox takes messages over HTTP.

Kannel finds the message that a receipt is about by its id, and tells the sender: it calls the URL
that came with the message. Those calls are what a test sees.
"""

import shutil
import urllib.parse
import urllib.request
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Condition, Thread
from typing import Final

import pytest

from benchmarks.processes import DEADLINE_S, Child
from tests.e2e.scene import PASSWORD, free_port

SENT: Final = 8
BUFFERED: Final = 4
FAILED: Final = 2
EXPIRED: Final = 32 | FAILED
DELIVERED: Final = 1
ALL: Final = SENT | BUFFERED | FAILED | DELIVERED | 16
"""What Kannel's `dlr-mask` is made of, and what its calls say."""

_CONFIGURATION: Final = """\
group = core
admin-port = {admin}
admin-interface = 127.0.0.1
admin-password = unused
smsbox-port = {boxes}
smsbox-interface = 127.0.0.1
box-allow-ip = 127.0.0.1
log-level = 0

{smscs}
group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {http}
sendsms-interface = 127.0.0.1
log-level = 0

group = sendsms-user
username = us
password = unused
"""

_SMSC: Final = """\
group = smsc
smsc = smpp
smsc-id = router
host = 127.0.0.1
{settings}
smsc-username = bank
smsc-password = {password}
system-type = ""
interface-version = 34

"""


class Call(dict[str, str]):
    """The arguments of one call of Kannel's: `kind`, `id`, `number`, `text`."""


class Kannel:
    """A running Kannel, and the calls that it has made."""

    def __init__(
        self, stack: ExitStack, folder: Path, router_port: int, *, transceiver: bool, settings: str
    ) -> None:
        """Start it; `settings` are more lines of its SMSC's."""
        if shutil.which("bearerbox") is None:
            pytest.skip("Kannel is not installed")
        self.calls: list[Call] = []
        self._news = Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        Thread(target=self._server.serve_forever, daemon=True).start()
        stack.callback(self._server.server_close)
        stack.callback(self._server.shutdown)
        self._port = free_port(stack)
        ports = [f"port = {router_port}\ntransceiver-mode = true"]
        if not transceiver:
            ports = [f"port = {router_port}", f"receive-port = {router_port}"]
        each = ["\n".join(filter(None, (mode, settings))) for mode in ports]
        path = folder / "kannel.conf"
        path.write_text(
            _CONFIGURATION.format(
                admin=free_port(stack),
                boxes=free_port(stack),
                http=self._port,
                smscs="".join(_SMSC.format(settings=one, password=PASSWORD) for one in each),
            ),
            encoding="utf-8",
        )
        # Before its heartbeat the smsbox takes messages for a bearerbox that it does not know yet.
        for box, ready in (("bearerbox", "entering mainloop"), ("smsbox", "heartbeat_thread")):
            child = stack.enter_context(Child(box, [str(path)], python=(box,)))
            child.hear(ready, lambda line, ready=ready: line if ready in line else None)  # type: ignore[misc]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        kannel = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = urllib.parse.parse_qs(
                    self.path.partition("?")[2], keep_blank_values=True, strict_parsing=True
                )
                with kannel._news:
                    kannel.calls.append(Call({key: of[0] for key, of in query.items()}))
                    kannel._news.notify_all()
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def send(self, number: str, text: str = "hello") -> None:
        """Have a message sent, and all that becomes of it told."""
        there = (
            f"http://127.0.0.1:{self._server.server_port}/?kind=%d&id=%F&number={number}&text=%A"
        )
        query = {
            "username": "us",
            "password": "unused",
            "from": "BANK",
            "to": number,
            "text": text,
            "dlr-mask": str(ALL),
            "dlr-url": there,
        }
        url = f"http://127.0.0.1:{self._port}/cgi-bin/sendsms?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=DEADLINE_S) as answer:
            assert answer.status == 202, answer.read()

    def until(self, calls: int) -> list[Call]:
        """Wait until so many calls have come; return them."""
        with self._news:
            assert self._news.wait_for(lambda: len(self.calls) >= calls, DEADLINE_S), self.calls
            return list(self.calls)
