"""Binds as operators want them: hosts in turn, TLS, our address, short lives, calls from them."""

import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks import stand
from benchmarks.certificates import OPENSSL, self_signed
from benchmarks.processes import number, until
from benchmarks.stand import Router
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.link import NOTES_LOGGED
from tests.e2e.scene import CONFIGURATION, changed, configuration, free_port

ONE_BIND = """\
      - {name: t1, ADDRESS, system_id: a, password: b, rate: 500/s, window: 50}
"""


def one_bind(address: str) -> str:
    """`CONFIGURATION` with a single bind that is there."""
    first = CONFIGURATION.index("      - {name: t1")
    last = CONFIGURATION.index("routes:")
    text = CONFIGURATION[:first] + changed(ONE_BIND, ("ADDRESS", address)) + CONFIGURATION[last:]
    assert text.count("name: t") == 1
    return text


def campaign(stack: ExitStack, router: Router, count: int) -> None:
    """All are sent, and all receipts come."""
    totals = stand.totals_of(
        stand.client(stack, router.port, "--count", str(count), system_id="bank")
    )
    assert (totals["accepted"], totals["receipted"]) == (count, count)


def test_host_that_is_not_there_costs_no_wait(stack: ExitStack, tmp_path: Path) -> None:
    operator = stand.operator(stack)
    hosts = f'address: ["127.0.0.1:{free_port(stack)}", "127.0.0.1:{operator.port}"]'
    router = stand.router(stack, one_bind(hosts), tmp_path)
    router.until_bound(1)
    assert len(router.child.events("bind.unreachable")) == 1
    assert router.child.events("bind.waits") == []
    assert f'"address": "127.0.0.1:{operator.port}"' in router.http("/v1/status")


def test_bind_comes_from_the_address_that_is_ours_there(stack: ExitStack, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f'address: "127.0.0.1:{server.getsockname()[1]}", source_address: 127.0.0.77'
        stand.router(stack, one_bind(address), tmp_path)
        connection, (host, _) = server.accept()
        connection.close()
    assert host == "127.0.0.77"


@pytest.mark.skipif(OPENSSL is None, reason="needs openssl to make a certificate")
def test_messages_go_over_tls(stack: ExitStack, tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    key = certificate.with_suffix(".key")
    operator = stand.operator(stack, "--certificate", str(certificate), "--key", str(key))
    text = one_bind(f'address: "localhost:{operator.port}", tls: {{ca: {certificate.name}}}')
    router = stand.router(stack, text, tmp_path)
    router.until_bound(1)
    campaign(stack, router, 100)


@pytest.mark.skipif(OPENSSL is None, reason="needs openssl to make a certificate")
@pytest.mark.parametrize(
    ("tls", "binds"),
    [
        ("true", 0),  # The system does not trust it.
        ("{ca: server.crt, server_name: elsewhere}", 0),
        ("{server_name: localhost, ca: server.crt}", 1),
        ("{verify: false}", 1),
    ],
)
def test_certificate_is_looked_at_unless_that_is_written(
    stack: ExitStack, tmp_path: Path, tls: str, binds: int
) -> None:
    certificate = self_signed(tmp_path)
    key = certificate.with_suffix(".key")
    operator = stand.operator(stack, "--certificate", str(certificate), "--key", str(key))
    text = one_bind(f'address: "127.0.0.1:{operator.port}", tls: {tls}')
    router = stand.router(stack, text, tmp_path)
    if binds:
        router.until_bound(binds)
    else:
        said = router.child.event("bind.unreachable")
        assert "certificate verify failed" in str(said["error"])


def test_sessions_end_in_good_order_before_the_operator_cuts_them(
    stack: ExitStack, tmp_path: Path
) -> None:
    # It cuts a session at the 61st message; nobody gets so far, so nothing is lost or repeated.
    operator = stand.operator(stack, "--disconnect-every", "61", "--latency", "20ms")
    text = configuration(operator.port, ("window: 50", "window: 20, max_messages: 60"))
    router = stand.router(stack, text, tmp_path)
    router.until_bound(3)
    campaign(stack, router, 900)
    samples = router.samples()
    assert samples.sum("sends_total", status="lost") == 0
    assert samples.sum("repeated_total") == 0
    assert len(router.child.events("bind.retires")) >= 900 // 60 - 3
    assert router.child.events("bind.lost") == []
    seen = operator.totals()
    assert (number(seen, "distinct"), number(seen, "repeated")) == (900, 0)
    binds = seen["binds"]
    assert isinstance(binds, list)
    assert max(number(bind, "submits") for bind in binds) <= 60


# An operator that calls us.


def outbind_at(port: int) -> str:
    login = f'listen: "127.0.0.1:{port}", system_id: smsc, password: theirs'
    return one_bind(f"outbind: {{{login}}}")


def test_operator_that_calls_is_bound_and_carries_messages(
    stack: ExitStack, tmp_path: Path
) -> None:
    port = free_port(stack)
    router = stand.router(stack, outbind_at(port), tmp_path)
    operator = stand.operator(
        stack, "--call", f"127.0.0.1:{port}", "--call-as", "smsc:theirs", "--latency", "5ms"
    )
    router.until_bound(1)
    campaign(stack, router, 100)
    operator.child.kill()
    until("it is gone", lambda: router.samples().sum("bind_up") == 0)
    stand.operator(stack, "--call", f"127.0.0.1:{port}", "--call-as", "smsc:theirs")
    router.until_bound(1)
    campaign(stack, router, 100)


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (p.build(v.OUTBIND, 0, 1, b"smsc\0wrong\0"), "wrong_credentials"),
        (p.build(v.OUTBIND, 0, 1, b"else\0theirs\0"), "wrong_credentials"),
        (p.build(v.OUTBIND, 0, 1, b"smsc"), "malformed"),
        (p.build(v.ENQUIRE_LINK, 0, 1), "malformed"),
        (b"GET / HTTP/1.1\r\n\r\n", "malformed"),
        (p.build(v.OUTBIND, 0, 1, b"s" * 500 + b"\0\0"), "malformed"),
        (b"\0\0\0\x20", "timed_out"),
    ],
)
def test_caller_that_is_not_expected_is_refused(
    shared: ExitStack, called: tuple[Router, int], octets: bytes, reason: str
) -> None:
    router, port = called
    before = len(router.child.events("outbind.refused"))
    with socket.create_connection(("127.0.0.1", port)) as caller:
        caller.sendall(octets)
        assert caller.recv(100) == b""
    until("it is told", lambda: len(router.child.events("outbind.refused")) > before)
    assert router.child.events("outbind.refused")[-1]["reason"] == reason
    assert router.samples().sum("bind_up") == 0


@pytest.fixture(scope="module")
def called(shared: ExitStack, tmp_path_factory: pytest.TempPathFactory) -> tuple[Router, int]:
    port = free_port(shared)
    text = changed(outbind_at(port), ("bind_timeout: 2s", "bind_timeout: 300ms"))
    return stand.router(shared, text, tmp_path_factory.mktemp("called")), port


def test_callers_that_are_not_expected_are_counted_and_do_not_fill_the_log(
    stack: ExitStack, tmp_path: Path
) -> None:
    port = free_port(stack)
    router = stand.router(stack, outbind_at(port), tmp_path)
    for _ in range(NOTES_LOGGED.count + 10):
        with socket.create_connection(("127.0.0.1", port)) as caller:
            caller.sendall(p.build(v.ENQUIRE_LINK, 0, 1))
            assert caller.recv(100) == b""
    refused = router.samples().sum("refused_pdus_total", reason="outbind.refused")
    assert refused == NOTES_LOGGED.count + 10
    assert len(router.child.events("outbind.refused")) == NOTES_LOGGED.count


def test_second_caller_with_the_same_name_is_refused(stack: ExitStack, tmp_path: Path) -> None:
    port = free_port(stack)
    router = stand.router(stack, outbind_at(port), tmp_path)
    outbind = p.build(v.OUTBIND, 0, 1, b"smsc\0theirs\0")
    with socket.create_connection(("127.0.0.1", port)) as first:
        first.sendall(outbind)
        (request,) = p.Framer(1000).feed(first.recv(1000))
        assert request.command_id == v.BIND_TRANSCEIVER
        with socket.create_connection(("127.0.0.1", port)) as second:
            second.sendall(outbind)
            assert second.recv(100) == b""
        first.sendall(p.response(v.BIND_TRANSCEIVER, request.sequence_number, 0, b"smsc\0"))
        router.until_bound(1)
