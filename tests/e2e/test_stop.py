"""A stop drains: what was promised is sent or counted, and nobody is left without a word.

The journal is the one that keeps nothing, so that what was left behind can be counted exactly.
"""

import signal
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks import stand
from benchmarks.processes import number, until
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from tests.e2e.scene import Peer, configuration

AT_ONCE_S = 25.0
"""Less than the half minute for which a drain waits for answers."""


def left_behind(router: stand.Router) -> float:
    """Messages that the router's log counts as left behind."""
    return sum(number(line, "messages") for line in router.child.events("router.left_behind"))


def test_what_was_promised_is_sent_or_counted_as_left_behind(
    stack: ExitStack, tmp_path: Path
) -> None:
    # The client is faster than the operator, so messages wait; each answer takes a second, so the
    # drain has something to wait for.
    operator = stand.operator(stack, "--latency", "1s", "--receipt-delay", "10ms..2s")
    text = configuration(
        operator.port,
        ("bind_timeout: 2s", "bind_timeout: 2m"),
        ("rate: 500/s", "rate: 50/s"),
        ("window: 50", "window: 20"),
    )
    router = stand.router(stack, text, tmp_path)
    router.until_bound(3)
    unbound = stack.enter_context(Peer(router.port))
    bound = stack.enter_context(Peer(router.port))  # Connected later, so `unbound` is known too.
    assert bound.bind("shop").command_status == v.ESME_ROK
    load = stand.client(
        stack,
        router.port,
        *("--binds", "2", "--rate", "200/s", "--count", "100000", "--wait-receipts", "0ms"),
        system_id="bank",
    )
    until("messages are answered", lambda: router.samples().sum("sends_total") >= 20)

    router.child.signal(signal.SIGTERM)
    router.child.event("router.draining")

    assert unbound.bind("bank").command_status == v.ESME_RBINDFAIL
    assert bound.submit("37255500001").command_status == v.ESME_RSYSERR
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", router.port))
    unbind = bound.hears(v.UNBIND)
    bound.send(p.response(v.UNBIND, unbind.sequence_number))
    bound.is_closed()
    assert router.child.ends() == 0
    totals = stand.totals_of(load)
    seen = operator.totals()
    promised = number(totals, "accepted")
    assert number(totals, "refused", "ESME_RSYSERR") > 0  # It went on while the router drained.
    assert seen["repeated"] == 0
    assert 0 < left_behind(router) == promised - number(seen, "distinct")
    assert router.child.events("router.stopped")


def test_second_signal_stops_at_once(stack: ExitStack, tmp_path: Path) -> None:
    operator = stand.operator(stack, "--silent", "100%")
    router = stand.router(stack, configuration(operator.port), tmp_path)
    router.until_bound(3)
    with Peer(router.port) as client:
        client.bind("bank")
        for _ in range(5):
            assert client.submit("37255500001").command_status == v.ESME_ROK
        until("in flight", lambda: router.samples().sum("bind_window_in_use") == 5)
        router.child.signal(signal.SIGTERM)
        router.child.event("router.draining")
        assert router.child.running

        router.child.signal(signal.SIGTERM)

        assert router.child.ends(AT_ONCE_S) == 0
    assert router.child.events("router.stop_repeated")
    assert left_behind(router) == 5
