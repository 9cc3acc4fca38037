"""A router that is killed with -9 under load has kept its promises, and goes on where it was."""

from contextlib import ExitStack
from pathlib import Path

from benchmarks import stand
from benchmarks.processes import number, until
from tests.e2e.scene import Peer, configuration, free_port, smpp_router

BINDS = 3
MESSAGES = 300


def test_nothing_that_was_acknowledged_is_lost_with_the_process(
    stack: ExitStack, tmp_path: Path
) -> None:
    port = free_port(stack)
    operator = stand.operator(stack, "--latency", "20ms", "--receipt-delay", "10ms..1s")
    text = configuration(
        operator.port,
        ('listen: [{address: "127.0.0.1:0"}]', f'listen: [{{address: "127.0.0.1:{port}"}}]'),
        ('url: "memory:"', "url: sqlite:///router.db"),
        ("rate: 500/s", "rate: 50/s"),  # Slower than the client, so that messages wait.
    )
    router = stand.router(stack, text, tmp_path)
    router.until_bound(BINDS)
    client = stand.client(
        stack,
        port,
        *("--count", str(MESSAGES), "--rate", "250/s", "--binds", "2", "--reconnect"),
        system_id="bank",
    )
    until("receipts come back", lambda: router.samples().sum("deliveries_total") >= 20)

    router.child.kill()
    router = stand.router(stack, text, tmp_path)

    totals = stand.totals_of(client)
    accepted = number(totals, "accepted")
    assert accepted + number(totals, "unanswered") == MESSAGES
    assert accepted == totals["receipted"]
    for fault in ("missing", "unknown", "mismatched", "conflicting", "unreadable", "same_id"):
        assert totals[fault] == 0, totals
    seen = operator.totals()
    assert number(seen, "distinct") >= accepted
    # What the killed process had just sent counts too: three binds of 50/s.
    assert number(seen, "busiest_second") <= BINDS * 50


def test_loss_after_a_kill_stops_the_start_until_somebody_accepts_it(
    stack: ExitStack, tmp_path: Path
) -> None:
    text = configuration(1, ('url: "memory:"', "url: sqlite:///router.db"))
    router = stand.router(stack, text, tmp_path)
    with Peer(router.port) as client:
        client.bind("bank")
        assert client.submit("37255500001").command_status == 0
    router.child.kill()
    (tmp_path / "router.db-wal").unlink()

    ended = smpp_router("run", str(tmp_path / "router.yaml"))

    assert ended.returncode == 1
    assert '"journal.lost"' in ended.stderr
    assert "--accept-loss" in ended.stderr
    router = stand.router(stack, text, tmp_path, options=["--accept-loss"])
    assert router.child.event("journal.lost")["accepted"] is True
    assert router.samples().sum("journal_lost") == 1
