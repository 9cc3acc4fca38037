"""A listener behind a proxy: the client's address is the one in the header, for all that asks.

The proxy is 127.0.0.5. Clients behind it are where no packet comes from: 203.0.113.0/24.
"""

import json
import socket
import ssl
import time
from contextlib import ExitStack, suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import pytest

from benchmarks import stand
from benchmarks.certificates import OPENSSL, self_signed
from benchmarks.processes import DEADLINE_S, until
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from tests.e2e.scene import (
    Peer,
    changed,
    configuration,
    smpp_router,
    until_logged,
    written,
)

PROXY: Final = "127.0.0.5"
BANK_AT, STRANGER_AT = "203.0.113.7", "203.0.113.66"
SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
PLAIN: Final = 'listen: [{address: "127.0.0.1:0"}]'
BEHIND: Final = f"""\
listen:
  - {{address: "127.0.0.1:0", proxy: {{from: [{PROXY}]}}}}"""
WITH_TLS: Final = f"""
  - address: "127.0.0.1:0"
    proxy: {{from: [{PROXY}/32]}}
    tls: {{certificate: server.crt, key: server.key}}"""
CLEAR, TLS = 0, 1

needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="needs openssl for a certificate")


def header(host: str, port: int = 4000, tlvs: bytes = b"", command: int = 0x21) -> bytes:
    """The header of a connection from there."""
    address = ip_address(host)
    here = ip_address("127.0.0.1" if address.version == 4 else "::1")
    body = address.packed + here.packed + port.to_bytes(2) + (2775).to_bytes(2) + tlvs
    family = 0x11 if address.version == 4 else 0x21
    return SIGNATURE + bytes((command, family)) + len(body).to_bytes(2) + body


LOCAL: Final = SIGNATURE + b"\x20\0\0\0"


def text(*changes: tuple[str, str]) -> str:
    """A bank that binds from one address behind the proxy, and a shop from this machine."""
    listen = BEHIND if OPENSSL is None else BEHIND + WITH_TLS
    bank = "bank: {allow_from: [203.0.113.7, '2001:db8::7'], password"
    return configuration(1, (PLAIN, listen), ("bank: {password", bank), *changes)


SMALL: Final = configuration(
    1, (PLAIN, BEHIND), ("bank: {password", "bank: {allow_from: [203.0.113.7], password")
)
"""The same without TLS."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    here = tmp_path_factory.mktemp("proxy")
    if OPENSSL is not None:
        self_signed(here)
    return here


@pytest.fixture(scope="module")
def router(shared: ExitStack, folder: Path) -> stand.Router:
    return stand.router(shared, text(), folder)


def refused(router: stand.Router, reason: str = "proxy_header") -> float:
    return router.samples().sum("failed_binds_total", reason=reason)


def bind(name: bytes = b"bank", password: bytes = b"secret01") -> bytes:
    return p.bind(v.BIND_TRANSCEIVER, 1, system_id=name, password=password)


ANSWER: Final = v.BIND_TRANSCEIVER | v.RESPONSE


@pytest.mark.parametrize("at", [BANK_AT, "2001:db8::7", f"::ffff:{BANK_AT}"])
@pytest.mark.parametrize("tlvs", [b"", b"\x01\x00\x02h2" + b"\x04\x00\x80" + bytes(128)])
def test_client_behind_the_proxy_is_where_the_header_says(
    router: stand.Router, at: str, tlvs: bytes
) -> None:
    with Peer(router.ports[CLEAR], source=PROXY, first=header(at, tlvs=tlvs)) as client:
        assert client.bind("bank").command_status == v.ESME_ROK
        shown = f"{at.removeprefix('::ffff:')}:4000"
        until_logged(router.child, "client.bound", client=shown, via=PROXY)


def test_what_comes_behind_the_header_in_the_same_segment_is_not_lost(
    router: stand.Router,
) -> None:
    submit = p.sm(
        v.SUBMIT_SM, 2, source=(5, 0, b"T"), destination=(1, 1, b"37255500001"), short_message=b"x"
    )
    with Peer(router.ports[CLEAR], source=PROXY, first=header(BANK_AT) + bind() + submit) as client:
        assert client.hears(ANSWER).command_status == v.ESME_ROK
        assert client.hears(v.SUBMIT_SM_RESP).command_status == v.ESME_ROK


def test_header_that_comes_octet_by_octet_is_read(router: stand.Router) -> None:
    with Peer(router.ports[CLEAR], source=PROXY) as client:
        for octet in header(BANK_AT, tlvs=b"\x04\x00\x02\0\0"):
            client.send(bytes((octet,)))
        assert client.bind("bank").command_status == v.ESME_ROK


@needs_openssl
def test_header_comes_before_tls(router: stand.Router, folder: Path) -> None:
    context = ssl.create_default_context(cafile=folder / "server.crt")
    with Peer(router.ports[TLS], context, PROXY, header(BANK_AT, port=4001)) as client:
        assert client.bind("bank").command_status == v.ESME_ROK
    until_logged(router.child, "client.bound", client=f"{BANK_AT}:4001", via=PROXY)


@needs_openssl
def test_first_octets_of_tls_in_the_same_segment_are_not_lost(
    router: stand.Router, folder: Path
) -> None:
    context = ssl.create_default_context(cafile=folder / "server.crt")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    with Peer(router.ports[TLS], source=PROXY, first=header(BANK_AT) + outgoing.read()) as client:
        client.socket.settimeout(DEADLINE_S)
        while True:
            incoming.write(client.socket.recv(65_536))
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                continue
            break
        tls.write(bind())
        client.send(outgoing.read())
        answer = b""
        while not answer:
            try:
                answer = tls.read(100)
            except ssl.SSLWantReadError:
                incoming.write(client.socket.recv(65_536))
    assert answer[4:12] == ANSWER.to_bytes(4) + bytes(4)


@needs_openssl
def test_tls_that_fails_behind_the_proxy_is_told_of_the_client(router: stand.Router) -> None:
    first = header(STRANGER_AT) + b"GET / HTTP/1.1\r\n\r\n"
    with Peer(router.ports[TLS], source=PROXY, first=first) as one:
        assert one.is_closed() == []
    client = f"{STRANGER_AT}:4000"
    until_logged(router.child, "client.not_secured", client=client, via=PROXY)


def test_allow_list_sees_the_address_of_the_client(router: stand.Router) -> None:
    for name in ("bank", "shop"):
        with Peer(router.ports[CLEAR], source=PROXY, first=header(STRANGER_AT)) as client:
            assert client.bind(name).command_status == v.ESME_RINVPASWD
    failed = router.samples().sum("failed_binds_total", reason="foreign_address")
    assert failed == 2


@pytest.mark.parametrize(
    ("first", "why"),
    [
        (bind(), "no header of the PROXY protocol"),
        (b"\x16\x03\x01\x02\0\1\0", "TLS without a header before it"),
        (b"PROXY TCP4 203.0.113.7 127.0.0.1 4000 2775\r\n", "a header of version 1"),
        (b"GET / HTTP/1.1\r\n\r\n", "no header"),
        (SIGNATURE + b"\x21\x00\0\0", "family 0x00"),
        (SIGNATURE + b"\x21\x31\0\xd8" + bytes(216), "family 0x31"),
        (SIGNATURE + b"\x21\x12\0\x0c" + bytes(12), "family 0x12"),
        (SIGNATURE + b"\x22\x11\0\x0c" + bytes(12), "unknown command 2"),
        (SIGNATURE + b"\x21\x11\0\x0b" + bytes(11), "too short"),
        (SIGNATURE + b"\x21\x11\xff\xff" + bytes(100), "65535 octets"),
    ],
    ids=["none", "TLS", "v1", "HTTP", "UNSPEC", "UNIX", "UDP", "command", "short", "long"],
)
def test_proxy_without_a_good_header_is_closed_counted_and_told(
    router: stand.Router, first: bytes, why: str
) -> None:
    before = refused(router)
    with Peer(router.ports[CLEAR], source=PROXY, first=first) as client:
        assert client.is_closed() == []
    assert refused(router) == before + 1
    until_logged(router.child, "client.not_passed_on", error=why, client=f"{PROXY}:")


def test_header_that_ends_in_its_middle_or_never_comes_whole_is_refused(
    router: stand.Router,
) -> None:
    before = refused(router)
    with Peer(router.ports[CLEAR], source=PROXY, first=header(BANK_AT)[:20]) as client:
        client.socket.shutdown(socket.SHUT_WR)
        assert client.is_closed() == []
    with Peer(router.ports[CLEAR], source=PROXY, first=SIGNATURE[:7]) as client:
        assert client.is_closed() == []  # After bind_timeout.
    assert refused(router) == before + 2
    for error in ("a header that ends in its middle", "no whole header came in time"):
        until_logged(router.child, "client.not_passed_on", error=error)


def test_slow_header_does_not_hold_its_place_for_ever(router: stand.Router) -> None:
    before = refused(router)
    with Peer(router.ports[CLEAR], source=PROXY) as client, suppress(OSError):  # Closed at last.
        for octet in header(BANK_AT, tlvs=bytes(1000)):
            client.send(bytes((octet,)))
            time.sleep(0.05)  # The whole of it would take 50 s, and bind_timeout is 2 s.
        pytest.fail("all of it was read")
    assert refused(router) == before + 1


@pytest.mark.parametrize("first", [header(BANK_AT), b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n"])
def test_header_from_an_address_that_is_no_proxy_is_refused(
    router: stand.Router, first: bytes
) -> None:
    before = refused(router)
    with Peer(router.ports[CLEAR], first=first) as client:
        assert client.is_closed() == []
    assert refused(router) == before + 1
    until_logged(router.child, "client.not_passed_on", error="proxy.from", client="127.0.0.1:")


@needs_openssl
def test_who_is_no_proxy_connects_as_ever(router: stand.Router, folder: Path) -> None:
    context = ssl.create_default_context(cafile=folder / "server.crt")
    for number, tls in ((CLEAR, None), (TLS, context)):
        with Peer(router.ports[number], tls) as client:
            assert client.bind("shop").command_status == v.ESME_ROK


def test_silent_client_that_is_no_proxy_is_closed_after_bind_timeout(
    router: stand.Router,
) -> None:
    before = refused(router, "timed_out")
    with Peer(router.ports[CLEAR]) as client:
        assert client.is_closed() == []
    assert refused(router, "timed_out") == before + 1


def test_health_checks_of_the_proxy_are_served_and_are_no_failure(router: stand.Router) -> None:
    before = router.samples().by("reason", "failed_binds_total")
    with Peer(router.ports[CLEAR], source=PROXY, first=LOCAL) as check:
        check.request(v.ENQUIRE_LINK)
        assert check.hears(v.ENQUIRE_LINK | v.RESPONSE).command_status == v.ESME_ROK
    Peer(router.ports[CLEAR], source=PROXY).socket.close()  # It only looks whether we listen.
    with Peer(router.ports[CLEAR], source=PROXY, first=LOCAL) as check:
        assert check.bind("shop").command_status == v.ESME_ROK  # From where the proxy is.
        until_logged(router.child, "client.bound", client=_address(check))
    assert router.samples().by("reason", "failed_binds_total") == before


def _address(peer: Peer) -> str:
    host, port = peer.socket.getsockname()
    return f"{host}:{port}"


def test_blocks_and_limits_are_of_the_client_and_not_of_the_proxy(
    stack: ExitStack, tmp_path: Path
) -> None:
    session = "session: {failed_binds: {system_id: 3, address: 4}, unbound_per_address: 2, "
    router = stand.router(stack, changed(SMALL, ("session: {", session)), tmp_path)

    def client(at: str) -> Peer:
        return stack.enter_context(Peer(router.port, source=PROXY, first=header(at)))

    for name in ("bank", "bank", "bank", "other"):
        with Peer(router.port, source=PROXY, first=header(STRANGER_AT)) as guesser:
            assert guesser.bind(name, "wrong").command_status == v.ESME_RINVPASWD
    assert client(STRANGER_AT).is_closed() == []
    assert refused(router, "blocked") == 1
    until("they are told", lambda: len(router.child.events("client.blocked")) == 2)
    told = [line["address"] for line in router.child.events("client.blocked")]
    assert told == [STRANGER_AT, STRANGER_AT]
    status = json.loads(router.http("/v1/status"))["blocked"]
    assert [(one["address"], one["system_id"]) for one in status] == [
        (STRANGER_AT, None),
        (STRANGER_AT, "bank"),
    ]

    assert client(BANK_AT).bind("bank").command_status == v.ESME_ROK
    crowd = [client("203.0.113.20") for _ in range(3)]
    assert crowd[0].is_closed() == []
    assert client(BANK_AT).bind("bank").command_status == v.ESME_ROK
    assert refused(router, "too_many_connections") == 1


def test_addresses_of_the_proxies_are_followed(stack: ExitStack, tmp_path: Path) -> None:
    router = stand.router(stack, SMALL, tmp_path)
    old = stack.enter_context(Peer(router.port, source=PROXY, first=header(BANK_AT)))
    assert old.bind("bank").command_status == v.ESME_ROK
    written(tmp_path, changed(SMALL, (PROXY, "127.0.0.9")))
    done = smpp_router("reload", "--url", f"http://{router.control}")
    assert "listen[0].proxy.from: 127.0.0.5/32 -> 127.0.0.9/32" in done.stdout
    assert done.returncode == 0
    with Peer(router.port, source="127.0.0.9", first=header(BANK_AT)) as client:
        assert client.bind("bank").command_status == v.ESME_ROK
    with Peer(router.port, source=PROXY, first=header(BANK_AT)) as client:
        assert client.is_closed() == []
    assert old.submit("37255500001").command_status == v.ESME_ROK
    written(tmp_path, changed(SMALL, (BEHIND, PLAIN)))
    done = smpp_router("reload", "--url", f"http://{router.control}")
    assert "listen[0].proxy: only a restart" in done.stdout + done.stderr


def test_who_waits_at_the_door_does_not_hold_up_a_stop(stack: ExitStack, tmp_path: Path) -> None:
    router = stand.router(stack, configuration(1, (PLAIN, BEHIND)), tmp_path)
    for first in (SIGNATURE, b""):
        stack.enter_context(Peer(router.port, source=PROXY, first=first))
    stack.enter_context(Peer(router.port))
    assert router.child.stop() == 0
    assert not router.child.events("python.said")
