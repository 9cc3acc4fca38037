"""simulators/: the client against the operator, as processes, without a router between them."""

import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks import stand
from benchmarks.certificates import OPENSSL, self_signed
from benchmarks.processes import number


def test_both_ends_agree_on_every_message(stack: ExitStack) -> None:
    operator = stand.operator(
        stack, "--receipt-delay", "10ms..100ms", "--receipts", "delivered:8,failed:2"
    )
    client = stand.client(stack, operator.port, "--count", "300", "--binds", "2")
    totals = stand.totals_of(client)
    stand.well(client, totals)
    seen = operator.totals()
    assert totals["accepted"] == totals["receipted"] == 300
    assert seen["submits"] == seen["distinct"] == number(seen, "receipts", "acked") == 300
    binds = seen["binds"]
    assert isinstance(binds, list)
    assert [bind["bind"] for bind in binds] == ["load/1", "load/2"]
    assert sum(bind["submits"] for bind in binds) == 300


@pytest.mark.skipif(OPENSSL is None, reason="needs openssl to make a certificate")
def test_client_speaks_tls_and_says_how_far_it_is_and_when_receipts_came(
    stack: ExitStack, tmp_path: Path
) -> None:
    certificate = self_signed(tmp_path)
    sent, came = tmp_path / "sent", tmp_path / "came"
    operator = stand.operator(
        stack,
        *("--certificate", str(certificate), "--key", str(certificate.with_suffix(".key"))),
        *("--receipt-delay", "10ms", "--receipt-times", str(sent)),
    )
    client = stand.client(
        stack,
        operator.port,
        *("--count", "300", "--tls", str(certificate), "--progress", "100"),
        *("--receipt-times", str(came), "--destination", "3{14}"),
    )
    stand.well(client, stand.totals_of(client))
    operator.totals()
    steps = [number(said, "messages") for said in client.events("progress")]
    assert steps[-1] == 300
    assert len({step // 100 for step in steps}) == len(steps)
    delays_s = stand.receipt_delays_s(sent, came)
    assert len(delays_s) == 300
    assert min(delays_s) > 0


def test_client_faster_than_the_rate_is_throttled_and_the_rest_is_well(stack: ExitStack) -> None:
    operator = stand.operator(stack, "--binds-rate", "50/s", "--receipt-delay", "10ms")
    client = stand.client(stack, operator.port, "--count", "120")
    totals = stand.totals_of(client)
    seen = operator.totals()
    assert totals["refused"] == {"ESME_RTHROTTLED": seen["throttled"]}
    assert totals["receipted"] == totals["accepted"] == seen["accepted"]
    assert number(seen, "accepted") < 120
    assert number(seen, "busiest_second") > 50


def test_client_binds_again_when_it_is_cut_off_and_submits_nothing_twice(stack: ExitStack) -> None:
    operator = stand.operator(
        stack, "--disconnect-every", "40", "--latency", "20ms", "--receipt-delay", "10ms"
    )
    options = ("--count", "200", "--window", "10", "--reconnect", "--response-timeout", "2s")
    client = stand.client(stack, operator.port, *options, "--wait-receipts", "5s")
    totals = stand.totals_of(client)
    seen = operator.totals()
    assert number(totals, "unanswered") > 0
    assert number(totals, "accepted") + number(totals, "unanswered") == 200
    assert totals["missing"] == totals["unknown"] == seen["repeated"] == 0
    assert totals["well"] is False
    assert client.ends() == 1


@pytest.mark.parametrize("engine", ["raw", "aiosmpplib"])
def test_refused_bind_is_told_in_one_line(stack: ExitStack, engine: str) -> None:
    operator = stand.operator(stack, "--system-id", "somebody")
    client = stand.client(stack, operator.port, "--engine", engine)
    assert client.ends() == 1
    (line,) = client.lines
    assert "refused" in line
    assert "ESME_RINVSYSID" in line


@pytest.mark.parametrize(("asked_for", "intermediate"), [("1", 0), ("17", 120)])
def test_client_that_others_wrote_passes_the_same_checks(
    stack: ExitStack, asked_for: str, intermediate: int
) -> None:
    options = ("--count", "120", "--registered-delivery", asked_for)  # More than its window.
    operator = stand.operator(stack, "--latency", "1ms..5ms", "--receipt-delay", "10ms..100ms")
    client = stand.client(
        stack, operator.port, "--engine", "aiosmpplib", *options, "--bind-type", "pair"
    )
    totals = stand.totals_of(client)
    stand.well(client, totals)
    assert totals["receipted"] == 120
    assert totals["intermediate"] == intermediate


def test_signal_ends_a_client_whatever_it_waits_for(stack: ExitStack) -> None:
    silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    client = stand.client(stack, silent.getsockname()[1])
    stack.enter_context(silent.accept()[0])
    assert client.stop() == 1
    assert client.lines == ["smpp-simulator: interrupted before it was bound"]
