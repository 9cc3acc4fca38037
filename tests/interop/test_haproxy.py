"""HAProxy as the proxy: it writes the header, checks our health, and passes TLS on untouched."""

import shutil
import socket
import ssl
import subprocess
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from benchmarks.certificates import OPENSSL, self_signed
from benchmarks.processes import until
from router.smpp import vocabulary as v
from tests.e2e.scene import Peer, changed, configuration, free_port, until_logged
from tests.interop import recorder

HAPROXY: Final = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
PROXY: Final = "127.0.0.5"
"""Where HAProxy connects from; clients connect to it from elsewhere."""
CLIENT: Final = "127.0.0.7"
LISTEN: Final = f"""\
listen:
  - {{address: "127.0.0.1:0", proxy: {{from: [{PROXY}]}}}}
  - address: "127.0.0.1:0"
    proxy: {{from: [{PROXY}]}}
    tls: {{certificate: server.crt, key: server.key}}"""
CONFIGURATION: Final = """\
global
  maxconn 100
  unix-bind mode 600
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
"""
PASSED_ON: Final = """\
listen to-{port}
  bind 127.0.0.1:{front}
  source {proxy}
  server router 127.0.0.1:{port} {send} check inter 100ms
"""

pytestmark = pytest.mark.skipif(
    HAPROXY is None or OPENSSL is None, reason="needs haproxy and openssl (Debian packages)"
)


class Scene:
    """A router with two listeners behind HAProxy."""

    def __init__(self, stack: ExitStack, folder: Path, send: str = "send-proxy-v2") -> None:
        self.certificate = self_signed(folder)
        text = changed(configuration(1), ('listen: [{address: "127.0.0.1:0"}]', LISTEN))
        allowed = f"bank: {{allow_from: [{CLIENT}], password"
        self.router = recorder.router(stack, changed(text, ("bank: {password", allowed)), folder)
        self.fronts = [free_port(stack) for _ in self.router.ports]
        lines = [
            PASSED_ON.format(port=port, front=front, proxy=PROXY, send=send)
            for port, front in zip(self.router.ports, self.fronts, strict=True)
        ]
        path = folder / "haproxy.cfg"
        path.write_text(CONFIGURATION + "".join(lines), encoding="utf-8")
        assert HAPROXY is not None
        proxy = stack.enter_context(
            subprocess.Popen(
                [HAPROXY, "-f", str(path), "-db"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
        stack.callback(proxy.kill)
        for front in self.fronts:
            until("HAProxy listens", partial(_listens, front))

    def refused(self, reason: str) -> float:
        """How many connections were not let in for this reason."""
        return self.router.samples().sum("failed_binds_total", reason=reason)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


@pytest.mark.shows(
    *("HAProxy", "proxy", "PROXY protocol v2", "PROXY protocol v2 with TLVs", "TLS passed on"),
    "health checks",
)
@pytest.mark.parametrize("send", ["send-proxy-v2", "send-proxy-v2-ssl-cn"])
def test_client_behind_haproxy_is_known_by_its_own_address(
    stack: ExitStack, tmp_path: Path, send: str
) -> None:
    scene = Scene(stack, tmp_path, send)
    context = ssl.create_default_context(cafile=scene.certificate)
    for front, tls in zip(scene.fronts, (None, context), strict=True):
        with Peer(front, tls, CLIENT) as client:
            assert client.bind("bank").command_status == v.ESME_ROK
            here = f"{CLIENT}:{client.socket.getsockname()[1]}"
            until_logged(scene.router.child, "client.bound", client=here, via=PROXY)
    with Peer(scene.fronts[0], source="127.0.0.8") as stranger:
        assert stranger.bind("bank").command_status == v.ESME_RINVPASWD
    assert scene.refused("foreign_address") == 1
    assert scene.refused("proxy_header") == 0  # Its health checks have been no failures.


@pytest.mark.shows("HAProxy", "proxy", "PROXY protocol v1 refused")
def test_haproxy_that_sends_version_1_is_refused_and_told_what_to_write(
    stack: ExitStack, tmp_path: Path
) -> None:
    scene = Scene(stack, tmp_path, "send-proxy")
    with Peer(scene.fronts[0], source=CLIENT) as client:
        assert client.is_closed() == []
    assert scene.refused("proxy_header") > 0
    until_logged(scene.router.child, "client.not_passed_on", error="send-proxy-v2")
