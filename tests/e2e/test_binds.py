"""Binds as operators want them: hosts in turn, TLS, our address, short lives, calls from them."""

import asyncio
import json
import socket
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from benchmarks import stand
from benchmarks.certificates import OPENSSL, self_signed
from benchmarks.processes import number, until
from benchmarks.stand import Router
from router.forward.bind import BindConnector
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.link import NOTES_LOGGED
from router.telemetry.core import INTERPRETED, running
from router.terms.certificate import expires_utc
from router.terms.names import OperatorName
from router.terms.settings import Address, ReconnectSettings
from tests.doubles import Router as InProcess
from tests.doubles import World, contract_settings
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


def test_status_says_why_a_bind_is_down_and_when_it_is_tried_again(
    stack: ExitStack, tmp_path: Path
) -> None:
    router = stand.router(stack, one_bind(f'address: "127.0.0.1:{free_port(stack)}"'), tmp_path)

    def waiting() -> dict[str, object] | None:
        (operator, *_) = json.loads(router.http("/v1/status"))["operators"]
        bind: dict[str, object] = operator["binds"][0]
        return None if bind["next_attempt_s"] is None else bind

    bind = until("a bind waits to be tried again", waiting)
    assert (bind["trouble"], bind["why"]) == ("unreachable", "Connection refused")


def test_host_that_is_not_there_costs_no_wait(stack: ExitStack, tmp_path: Path) -> None:
    operator = stand.operator(stack)
    hosts = f'address: ["127.0.0.1:{free_port(stack)}", "127.0.0.1:{operator.port}"]'
    router = stand.router(stack, one_bind(hosts), tmp_path)
    router.until_bound(1)
    assert len(router.child.events("bind.unreachable")) == 1
    assert router.child.events("bind.waits") == []
    assert f'"address": "127.0.0.1:{operator.port}"' in router.http("/v1/status")


@pytest.mark.long  # A silent address has five seconds.
def test_silent_host_does_not_use_up_the_time_of_the_next(stack: ExitStack, tmp_path: Path) -> None:
    operator = stand.operator(stack)
    silent = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
    address = silent.getsockname()
    stack.enter_context(socket.create_connection(address))  # No more has room: Linux says nothing.
    hosts = f'address: ["127.0.0.1:{address[1]}", "127.0.0.1:{operator.port}"]'
    text = changed(one_bind(hosts), ("bind_timeout: 2s", "bind_timeout: 2s, response_timeout: 2m"))
    router = stand.router(stack, text, tmp_path)
    router.until_bound(1)
    (said,) = router.child.events("bind.unreachable")
    assert said["error"] == "no answer in time"


INTERPRETED_ONLY = pytest.mark.skipif(
    running() != INTERPRETED, reason="a test's class cannot inherit from a compiled one"
)


class Resolved(BindConnector):
    """A bind to a name that stands for two addresses; nobody listens at the first."""

    async def _look_up(self, host: Address) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]


def connector(
    kind: type[BindConnector], folder: Path, host: str, port: int, source: str = ""
) -> BindConnector:
    """One that keeps the first bind of the contract, there."""
    router = InProcess(World(), contract_settings(folder))
    bind = router.journey.operators[OperatorName("telia")].binds[0]
    addresses = (Address(host=host, port=port),)
    bind.settings = replace(bind.settings, addresses=addresses, source_address=source or None)
    return kind(router, router.journey, bind, router.settings.session)


@INTERPRETED_ONLY
def test_addresses_of_a_name_are_tried_in_turn(tmp_path: Path) -> None:
    def hangs_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def attempt() -> tuple[str, int]:
        async with await asyncio.start_server(hangs_up, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            keeper = connector(Resolved, tmp_path, "smsc.example", port)
            assert await keeper._attempt() is not None
            return keeper._bind.address, port

    with capture_logs() as lines:
        address, port = asyncio.run(attempt())
    assert address == f"smsc.example:{port} (127.0.0.1)"
    told = [(line["event"], line.get("address")) for line in lines]
    there = f"smsc.example:{port} (127.0.0.2)"
    assert told == [("bind.unreachable", there), ("bind.unanswered", None)]


class Failing(BindConnector):
    """A bind to an operator that is away, given up at the fifth attempt."""

    async def _look_up(self, host: Address) -> list[str]:
        if self._bind.failures == 4:
            self.stop_binding()
        return await super()._look_up(host)


@INTERPRETED_ONLY
def test_operator_that_is_away_is_told_of_once(stack: ExitStack, tmp_path: Path) -> None:
    keeper = connector(Failing, tmp_path, "127.0.0.1", free_port(stack))
    operator = keeper._bind.operator
    reconnect = ReconnectSettings(first_s=0.001, longest_s=0.001)
    operator.settings = replace(operator.settings, reconnect=reconnect)
    with capture_logs() as lines:
        asyncio.run(keeper.run())
    assert [line["event"] for line in lines] == ["bind.unreachable", "bind.waits"]
    assert keeper._bind.failures == 4


@pytest.mark.parametrize(
    ("host", "source", "found"),
    [
        ("127.1", "", ["127.0.0.1"]),  # A name for the resolver, which asks nobody for it.
        ("127.1", "127.0.0.77", ["127.0.0.1"]),
        ("127.1", "::1", []),
        ("::1", "127.0.0.77", ["::1"]),  # As it is written; to connect will fail.
    ],
)
def test_name_is_looked_up_for_addresses_that_ours_can_reach(
    tmp_path: Path, host: str, source: str, found: list[str]
) -> None:
    keeper = connector(BindConnector, tmp_path, host, 2775, source)
    with capture_logs() as lines:
        for _ in range(2):
            assert asyncio.run(keeper._look_up(Address(host=host, port=2775))) == found
    told = [(line["event"], line["address"]) for line in lines]
    assert told == ([] if found else [("bind.unreachable", "127.1:2775")])


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
    ours = f"certificate: {certificate.name}, key: {key.name}"
    tls = f"{{ca: {certificate.name}, {ours}}}"
    text = one_bind(f'address: "localhost:{operator.port}", tls: {tls}')
    router = stand.router(stack, text, tmp_path)
    router.until_bound(1)
    campaign(stack, router, 100)
    assert router.samples().by("use", "certificate_expires_utc") == {
        "operators.telia": expires_utc(certificate.read_bytes())
    }


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
