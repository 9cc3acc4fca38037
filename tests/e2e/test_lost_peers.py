"""Operators and clients that are killed, as the kernel or a person kills them, and come again."""

import signal
from contextlib import ExitStack
from pathlib import Path

from benchmarks import stand
from benchmarks.processes import number, until
from benchmarks.stand import Router
from router.smpp import receipt as r
from router.smpp import vocabulary as v
from tests.e2e.scene import Peer, configuration, free_port

BINDS = 3


def test_operator_that_is_killed_and_comes_again_gets_everything(
    stack: ExitStack, tmp_path: Path
) -> None:
    port = free_port(stack)
    behaviour = ("--latency", "50ms", "--receipt-delay", "10ms")
    first = stand.operator(stack, *behaviour, port=port)
    router = stand.router(stack, configuration(port), tmp_path)
    router.until_bound(BINDS)
    # No receipts: those that the killed process owed are gone with it.
    client = stand.client(
        stack,
        router.port,
        *("--count", "400", "--rate", "200/s", "--registered-delivery", "0"),
        system_id="bank",
    )
    until("some are sent", lambda: router.samples().sum("sends_total", status="ESME_ROK") >= 50)

    first.child.kill()
    until("the binds are down", lambda: router.samples().sum("bind_up") == 0)
    second = stand.operator(stack, *behaviour, port=port)

    totals = stand.totals_of(client)
    stand.well(client, totals)
    router.until_bound(BINDS)
    until("all are sent", lambda: outcomes(router, "bank") == {"sent": 400})
    now = router.samples()
    assert now.sum("queue_messages") == 0
    lost = now.sum("sends_total", status="lost")
    assert now.sum("in_doubt_total", action="resend") == now.sum("repeated_total") == lost
    sent_to_second = number(second.totals(), "distinct")
    assert now.sum("sends_total", status="ESME_ROK") == 400
    assert 0 < sent_to_second < 400


def test_receipts_come_back_over_binds_that_were_lost_in_between(
    stack: ExitStack, tmp_path: Path
) -> None:
    # Each bind is cut with its window in flight, again and again, but never before it had answers.
    operator = stand.operator(
        stack, "--receipt-delay", "10ms..500ms", "--disconnect-every", "60", "--latency", "5ms"
    )
    text = configuration(operator.port, ("window: 50", "window: 20"))
    router = stand.router(stack, text, tmp_path)
    router.until_bound(BINDS)

    client = stand.client(stack, router.port, "--count", "300", system_id="bank")

    totals = stand.totals_of(client)
    stand.well(client, totals)
    assert totals["duplicates"] == 0
    lost = router.samples().sum("sends_total", status="lost")
    seen = operator.totals()
    assert number(seen, "distinct") == 300
    assert number(seen, "repeated") <= lost
    binds = seen["binds"]
    assert isinstance(binds, list)
    assert len(binds) > BINDS  # Some were cut, and came again.


def test_client_that_is_killed_and_binds_again_gets_the_rest(
    stack: ExitStack, tmp_path: Path
) -> None:
    operator = stand.operator(stack, "--receipt-delay", "10ms..2s")
    router = stand.router(stack, configuration(operator.port), tmp_path)
    router.until_bound(BINDS)
    # It refuses every other receipt for now, so some are left whenever it is killed.
    client = stand.client(
        stack,
        router.port,
        *("--count", "200", "--deliver-status", "ESME_RMSGQFUL:60%"),
        system_id="bank",
    )
    until("all are accepted", lambda: router.samples().sum("submits_total") == 200)
    until("it has some receipts", lambda: acknowledged(router) >= 10)

    client.signal(signal.SIGSTOP)  # So that it leaves others behind that it has not answered.
    until("all receipts are here", lambda: router.samples().sum("receipts_total") == 200)
    client.kill()

    until("the bind is gone", lambda: router.samples().sum("client_binds", account="bank") == 0)
    rest = router.samples().sum("outbox_messages", account="bank")
    assert 0 < rest == 200 - acknowledged(router)
    with Peer(router.port) as again:
        assert again.bind("bank").command_status == v.ESME_ROK
        receipts = [r.recognise(sm) for sm in again.hears_all(int(rest))]
        until("all acknowledged", lambda: router.samples().sum("outbox_messages") == 0)
    assert len({one.operator_id for one in receipts if one is not None}) == rest
    assert acknowledged(router) == 200
    assert outcomes(router, "bank") == {"delivered": 200}


def test_operator_that_hangs_up_at_one_message_gets_all_others(
    stack: ExitStack, tmp_path: Path
) -> None:
    operator = stand.operator(
        stack,
        *("--hang-up-at", "POISON", "--latency", "5ms", "--receipt-delay", "10ms"),
        *("--orphans", "50/s", "--deliver-window", "10"),
    )
    router = stand.router(stack, configuration(operator.port), tmp_path)
    router.until_bound(BINDS)
    shop = stack.enter_context(Peer(router.port))
    assert shop.bind("shop").command_status == v.ESME_ROK
    assert shop.submit("37255512345", b"a POISON").command_status == v.ESME_ROK

    client = stand.client(stack, router.port, "--count", "300", "--rate", "200/s", system_id="bank")

    totals = stand.totals_of(client)
    stand.well(client, totals)
    assert totals["duplicates"] == 0
    assert outcomes(router, "bank") == {"delivered": 300}
    assert outcomes(router, "shop") == {}
    assert router.samples().sum("suspects") == 1
    until("receipts of others wait", lambda: router.samples().sum("receipts_orphaned") > 0)


def outcomes(router: Router, account: str) -> dict[str, float]:
    """Where its messages ended."""
    return router.samples().by("outcome", "outcomes_total", account=account)


def acknowledged(router: Router) -> float:
    """Receipts that clients have."""
    return router.samples().sum("deliveries_total", result="acknowledged")
