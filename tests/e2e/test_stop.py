"""A stop drains: what was promised is sent or counted, and nobody is left without a word.

The journal is the one that keeps nothing, so that what was left behind can be counted exactly;
where another process goes on, it is on disk.
"""

import resource
import signal
import socket
import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from benchmarks import stand
from benchmarks.processes import number, until
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from tests.e2e.scene import Peer, configuration

NEVER_ANSWERS = ("bind_timeout: 2s", "bind_timeout: 2s, response_timeout: 10m")
"""No time-out ends what a silent operator has in flight."""


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
    text = configuration(operator.port, NEVER_ANSWERS) + "stop_within: 10m\n"
    router = stand.router(stack, text, tmp_path)
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

        assert router.child.ends() == 0
    assert router.child.events("router.stop_repeated")
    assert left_behind(router) == 5


@pytest.mark.long
def test_what_a_silent_operator_has_is_in_doubt_for_the_next_process(
    stack: ExitStack, tmp_path: Path
) -> None:
    """It is sent again where the lane says so, and fails where it does not."""
    silent = stand.operator(stack, "--silent", "100%")
    text = configuration(
        silent.port,
        NEVER_ANSWERS,
        ('url: "memory:"', 'url: "sqlite:///router.db"'),
        ("lanes: [{name: bulk}]", "lanes: [{name: otp, in_doubt: fail}, {name: bulk}]"),
        ("shop: {password: secret01, lane: bulk", "shop: {password: secret01, lane: otp"),
    )
    text += "stop_within: 1s\n"
    first = stand.router(stack, text, tmp_path)
    first.until_bound(3)
    with Peer(first.port) as bank, Peer(first.port) as shop:
        bank.bind("bank")
        shop.bind("shop")
        for client in (bank, shop):
            assert client.submit("37255500001").command_status == v.ESME_ROK
        until("in flight", lambda: first.samples().sum("bind_window_in_use") == 2)

        assert first.child.stop() == 0

    answers = stand.operator(stack, "--latency", "0ms")
    text = text.replace(f"127.0.0.1:{silent.port}", f"127.0.0.1:{answers.port}")
    again = stand.router(stack, text, tmp_path)
    until("it is sent again", lambda: again.samples().sum("outcomes_total") == 1)
    assert again.child.stop() == 0
    assert answers.totals()["submits"] == 1
    with closing(sqlite3.connect(tmp_path / "router.db")) as database:
        ended = database.execute("SELECT account, outcome, sends FROM record").fetchall()
    assert sorted(ended) == [("bank", "sent", 2), ("shop", "failed", 1)]


def test_process_ends_although_a_commit_does_not(stack: ExitStack, tmp_path: Path) -> None:
    """Another program has the journal's file; the next process finds what was promised."""
    operator = stand.operator(stack, "--latency", "0ms")
    away = (f"127.0.0.1:{operator.port}", "127.0.0.1:1")
    on_disk = ('url: "memory:"', 'url: "sqlite:///router.db"')
    text = configuration(operator.port, on_disk) + "stop_within: 1s\n"
    router = stand.router(stack, text.replace(*away), tmp_path)
    with Peer(router.port) as client:
        client.bind("bank")
        assert client.submit("37255500001").command_status == v.ESME_ROK
        with closing(sqlite3.connect(tmp_path / "router.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            client.send(p.sm(v.SUBMIT_SM, 9, destination=(1, 1, b"37255500002")))
            until("a commit waits", lambda: router.samples().sum("journal_pending"))

            assert router.child.stop() == 1

            other.execute("ROLLBACK")
        assert not [one for one in client.is_closed() if one.command_id == v.SUBMIT_SM_RESP]
    assert router.child.event("router.stop_forced")["waits_for"] == "journal"
    again = stand.router(stack, text, tmp_path)
    until("what was promised is sent", lambda: again.samples().sum("outcomes_total") == 1)
    assert again.child.stop() == 0
    assert not again.child.events("router.stop_forced")
    assert operator.totals()["submits"] == 1


@pytest.mark.long
def test_a_journal_that_cannot_write_is_not_waited_for(stack: ExitStack, tmp_path: Path) -> None:
    operator = stand.operator(stack, "--silent", "100%")
    on_disk = ('url: "memory:"', 'url: "sqlite:///router.db"')
    text = configuration(operator.port, on_disk, NEVER_ANSWERS) + "stop_within: 10m\n"
    router = stand.router(stack, text, tmp_path)
    router.until_bound(3)
    with Peer(router.port) as client:
        client.bind("bank")
        assert client.submit("37255500001").command_status == v.ESME_ROK
        until("in flight", lambda: router.samples().sum("bind_window_in_use") == 1)
        resource.prlimit(router.child.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        assert client.submit("37255500001").command_status != v.ESME_ROK
        router.child.event("journal.failed")

        assert router.child.stop() == 0
