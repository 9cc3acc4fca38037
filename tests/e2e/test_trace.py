"""`smpp-router trace` against a router with an operator and clients, over TLS too."""

import json
import os
import pwd
import shutil
import signal
import ssl
import subprocess
import sys
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

import pytest

from benchmarks import stand
from benchmarks.certificates import OPENSSL, self_signed
from benchmarks.processes import DEADLINE_S, ROOT, until
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.telemetry.trace import MOST_OCTETS, MOST_TRACES
from tests.e2e.scene import PASSWORD, Peer, configuration, smpp_router, written

ME: Final = pwd.getpwuid(os.geteuid()).pw_name
REVEAL: Final = f"control: {{reveal: [{ME}]}}"
NUMBER, TEXT = "37255512345", b"Your code is 482913"
TSHARK: Final = shutil.which("tshark")
MANY: Final = 60_000
"""Octets of a long message."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("router")


@pytest.fixture(scope="module")
def router(shared: ExitStack, folder: Path) -> stand.Router:
    operator = stand.operator(shared, "--receipt-delay", "10ms")
    tls = ""
    if OPENSSL is not None:
        self_signed(folder)
        tls = ', {address: "127.0.0.1:0", tls: {certificate: server.crt, key: server.key}}'
    text = configuration(
        operator.port,
        ('listen: [{address: "127.0.0.1:0"}]', f'listen: [{{address: "127.0.0.1:0"}}{tls}]'),
        ("lanes:", f"{REVEAL}\nlanes:"),
    )
    router = stand.router(shared, text, folder)
    router.until_bound(3)
    return router


class Tracing:
    """A command that traces, until its `with` block is left."""

    def __init__(self, stack: ExitStack, router: stand.Router, *arguments: str) -> None:
        before = began(router)
        url = f"http://{router.control}"
        command = [sys.executable, "-m", "router.wiring.cli", "trace", "--url", url, *arguments]
        self.process = stack.enter_context(
            subprocess.Popen(
                command,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # What a shell starts in the background ignores it, and all that starts from there.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        )
        stack.callback(self.process.kill)
        until("it has begun", lambda: began(router) > before or None)

    def lines(self) -> list[str]:
        """What it has printed, when it has ended well."""
        out, error = self.process.communicate(timeout=DEADLINE_S)
        assert self.process.returncode == 0, error.decode()
        return out.decode().splitlines()

    def pdus(self) -> list[dict[str, object]]:
        """The same with --json."""
        return [one for one in map(json.loads, self.lines()) if one["event"] == "pdu"]


def began(router: stand.Router) -> int:
    """How many traces have begun."""
    lines = router.child.lines
    return sum('"trace.began"' in line or '"trace.revealed"' in line for line in lines)


def ended(router: stand.Router) -> int:
    return sum('"trace.ended"' in line for line in router.child.lines)


def test_account_is_traced_from_its_bind_to_its_receipt_and_masked(
    router: stand.Router, stack: ExitStack
) -> None:
    tracing = Tracing(stack, router, "--account", "bank", "--count", "8")
    with Peer(router.port) as other, Peer(router.port) as wrong, Peer(router.port) as client:
        other.bind("shop")
        other.submit("37255500000")
        assert wrong.bind("bank", "guess").command_status == v.ESME_RINVPASWD
        client.bind("bank")
        client.submit(NUMBER, TEXT, registered_delivery=1)
        client.hears_all(1)
        told = "\n".join(tracing.lines())
    assert "?bank/" in told
    assert "bind_transceiver_resp #1 ESME_RINVPASWD" in told
    assert "submit_sm #2 from=TEST to=37255****** data_coding=0x00" in told
    assert "stat:DELIVRD" in told
    for private in ("guess", PASSWORD, NUMBER, "482913", "shop", "55500000"):
        assert private not in told


def test_number_is_traced_to_the_operator_and_back_by_two_at_once(
    router: stand.Router, stack: ExitStack
) -> None:
    of_all = Tracing(stack, router, "--to", "+372 555 12345", "--json", "--count", "8")
    of_binds = Tracing(
        stack, router, "--operator", "telia", "--to", NUMBER, "--json", "--count", "4"
    )
    with Peer(router.port) as client:
        client.bind("bank")
        client.submit("37255500000", registered_delivery=1)
        client.submit(f"00{NUMBER}", registered_delivery=1)
        client.hears_all(2)
        found, at_operator = of_all.pdus(), of_binds.pdus()
    commands = ("submit_sm", "submit_sm_resp", "deliver_sm", "deliver_sm_resp")
    assert sorted(str(one["command"]) for one in found) == sorted(commands * 2)
    assert [one["command"] for one in at_operator] == list(commands)
    assert {one["operator"] for one in at_operator} == {"telia"}
    assert at_operator == [one for one in found if one["operator"]]


@pytest.mark.skipif(OPENSSL is None, reason="needs openssl to make a certificate")
def test_tls_is_traced_in_the_clear_and_revealed_to_who_may_which_the_log_tells(
    router: stand.Router, folder: Path, stack: ExitStack
) -> None:
    tracing = Tracing(stack, router, "--account", "shop", "--reveal", "--json", "--count", "4")
    context = ssl.create_default_context(cafile=folder / "server.crt")
    with Peer(router.ports[1], context) as client:
        client.bind("shop")
        client.submit(NUMBER, TEXT)
        bind, _, submit, _ = tracing.pdus()
    assert (bind["tls"], submit["tls"]) == (True, True)
    assert (submit["text"], NUMBER.encode().hex() in str(submit["octets"])) == (TEXT.decode(), True)
    assert PASSWORD.encode().hex() not in str(bind["octets"])
    (record,) = (json.loads(one) for one in router.child.lines if '"trace.revealed"' in one)
    assert (record["level"], record["account"], record["user"]) == ("warning", "shop", ME)


def test_nobody_is_shown_more_than_the_configuration_allows(
    stack: ExitStack, tmp_path: Path
) -> None:
    operator = stand.operator(stack)
    router = stand.router(stack, configuration(operator.port), tmp_path)
    url = f"http://{router.control}"
    refused = smpp_router("trace", "--account", "bank", "--reveal", "--url", url)
    assert refused.returncode == 1
    assert f"control.reveal names nobody, and not {ME}: nothing is revealed" in refused.stderr
    assert began(router) == 0
    assert any('"control.refused"' in line for line in router.child.lines)
    # It is followed by a reload, also while a trace goes on.
    text = (tmp_path / "router.yaml").read_text(encoding="utf-8")
    written(tmp_path, f"{text}\n{REVEAL}\n")
    assert smpp_router("reload", "--url", url).returncode == 0
    tracing = Tracing(stack, router, "--account", "bank", "--reveal")
    written(tmp_path, text)
    assert smpp_router("reload", "--url", url).returncode == 0
    tracing.lines()
    until("the end is told", lambda: ended(router) or None)
    assert any("control.reveal has changed" in line for line in router.child.lines)


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        ([], 2, "one of --account"),
        (["--account", "bank", "--operator", "telia"], 2, "not allowed with"),
        (["--operator", "tela"], 2, "did you mean 'telia'?"),
        (["--bind", "telia/t9"], 2, "there is no bind 't9'"),
        (["--bind", "elisa/t1"], 2, "there is no operator 'elisa'"),
        (["--to", "bank"], 1, "'bank' is no number"),
        (["--to", "372", "--for", "60"], 2, "argument --for"),
        (["--to", "372", "--for", "2h"], 1, "up to 3600 s"),
        (["--peer", "localhost"], 1, "IPv4 or IPv6"),
        (["--account", "bnk", "--for", "100ms"], 0, "did you mean 'bank'?"),
        (["--account", "bank", "--for", "100ms"], 0, "its time is over: 0 PDUs"),
        (["--account", "bank", "--pcap", "/nowhere/x"], 1, "No such file"),
    ],
)
def test_question_that_cannot_be_answered_is_told_so(
    router: stand.Router, arguments: list[str], status: int, says: str
) -> None:
    found = smpp_router("trace", "--url", f"http://{router.control}", *arguments)
    assert (found.returncode, says in found.stderr) == (status, True), found.stderr


def read_slowly(stack: ExitStack, router: stand.Router, question: str) -> HTTPConnection:
    """Ask for a trace, and read nothing."""
    host, _, port = router.control.rpartition(":")
    before = began(router)
    connection = HTTPConnection(host, int(port), timeout=DEADLINE_S)
    stack.callback(connection.close)
    connection.request("POST", "/v1/trace", question, {"Content-Type": "application/json"})
    until("it has begun", lambda: began(router) > before or None)
    return connection


def test_reader_that_stands_still_loses_pdus_and_holds_up_nobody(
    router: stand.Router, stack: ExitStack
) -> None:
    slow = read_slowly(stack, router, '{"account": "bank", "for_s": 60}')
    before = ended(router)
    with Peer(router.port) as client:
        client.bind("bank")
        body = b"\0" + p.address(1, 1, b"1") * 2 + bytes(3) + b"\0\0" + bytes(5)
        payload = body + p.tlv(v.MESSAGE_PAYLOAD, bytes(MANY))
        # Twice what the kernel and the router keep for a reader.
        for _ in range(4 * MOST_OCTETS // MANY):
            client.request(v.SUBMIT_SM, payload)
            client.hears(v.SUBMIT_SM_RESP)
        with slow.getresponse() as answer:
            dropped = 0
            while not dropped:
                dropped = int(json.loads(answer.readline()).get("dropped", 0))
                client.request(v.ENQUIRE_LINK)
    slow.close()
    until("the router notices that it is gone", lambda: ended(router) > before or None)


def test_so_many_traces_and_no_more_and_a_place_is_free_when_a_reader_has_gone(
    router: stand.Router, stack: ExitStack
) -> None:
    before = ended(router)
    readers = [
        read_slowly(stack, router, '{"account": "bank", "for_s": 60}') for _ in range(MOST_TRACES)
    ]
    url = f"http://{router.control}"
    refused = smpp_router("trace", "--url", url, "--account", "bank")
    assert refused.returncode == 1
    assert f"{MOST_TRACES} traces run already" in refused.stderr
    for one in readers:
        one.close()
    until("all are gone", lambda: ended(router) >= before + MOST_TRACES or None)
    assert smpp_router("trace", "--url", url, "--to", "1", "--for", "1ms").returncode == 0


def test_ctrl_c_ends_it_well(router: stand.Router, stack: ExitStack) -> None:
    before = ended(router)
    tracing = Tracing(stack, router, "--account", "bank", "--pcap", "-")
    with Peer(router.port) as client:
        client.bind("bank")
        assert tracing.process.stdout is not None
        magic = tracing.process.stdout.read(4)
        tracing.process.send_signal(signal.SIGINT)
        tracing.process.communicate(timeout=DEADLINE_S)
    assert (tracing.process.returncode, magic) == (0, b"\xd4\xc3\xb2\xa1")
    until("the router notices", lambda: ended(router) > before or None)


@pytest.mark.skipif(TSHARK is None, reason="needs tshark: Debian's package of that name")
def test_wireshark_reads_the_capture(
    router: stand.Router, stack: ExitStack, tmp_path: Path
) -> None:
    file = tmp_path / "trace.pcap"
    tracing = Tracing(stack, router, "--account", "bank", "--count", "6", "--pcap", str(file))
    with Peer(router.port) as client:
        client.bind("bank")
        client.submit(NUMBER, TEXT)
        # Longer than many segments.
        body = b"\0" + p.address(1, 1, NUMBER.encode()) * 2 + bytes(3) + b"\0\0" + bytes(5)
        client.request(v.SUBMIT_SM, body + p.tlv(v.MESSAGE_PAYLOAD, b"x" * MANY))
        client.hears(v.SUBMIT_SM_RESP)
        tracing.lines()
    assert file.stat().st_mode & 0o777 == 0o600
    assert TSHARK is not None
    columns = ("smpp.command_id", "smpp.destination_addr", "smpp.password", "tcp.analysis.flags")
    read = subprocess.run(
        [
            *(TSHARK, "-r", str(file), "-d", f"tcp.port=={router.port},smpp", "-Y", "smpp"),
            *("-o", "tcp.check_checksum:TRUE", "-T", "fields", "-E", "separator=;"),
            *(part for column in columns for part in ("-e", column)),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [line.split(";") for line in read.stdout.splitlines()]
    assert [int(row[0], 16) for row in rows] == [
        v.BIND_TRANSCEIVER,
        v.BIND_TRANSCEIVER | v.RESPONSE,
        v.SUBMIT_SM,
        v.SUBMIT_SM_RESP,
        v.SUBMIT_SM,
        v.SUBMIT_SM_RESP,
    ]
    assert [row[1] for row in rows] == ["", "", "37255******", "", "37255******", ""]
    assert rows[0][2] == "*" * len(PASSWORD)
    assert all(not row[3] for row in rows)
    octets = file.read_bytes()
    assert PASSWORD.encode() not in octets
    assert NUMBER.encode() not in octets
