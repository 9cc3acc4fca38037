"""The whole way, as processes, and metrics that agree with the operator and with the client."""

from contextlib import ExitStack

import pytest

from benchmarks import stand
from benchmarks.processes import number, until
from benchmarks.stand import Operator, Router
from tests.e2e.scene import configuration

BINDS = 3


@pytest.fixture(scope="module")
def operator(shared: ExitStack) -> Operator:
    return stand.operator(
        shared,
        *("--binds-rate", "1000/s", "--latency", "5ms", "--receipt-delay", "10ms..100ms"),
        *("--receipts", "delivered:80,failed:15,expired:5"),
    )


@pytest.fixture(scope="module")
def router(
    shared: ExitStack, operator: Operator, tmp_path_factory: pytest.TempPathFactory
) -> Router:
    folder = tmp_path_factory.mktemp("router")
    router = stand.router(shared, configuration(operator.port), folder)
    router.until_bound(BINDS)
    return router


def test_client_that_others_wrote_gets_all_its_receipts(router: Router, stack: ExitStack) -> None:
    client = stand.client(
        stack,
        router.port,
        *("--engine", "aiosmpplib", "--count", "60", "--binds", "2"),
        system_id="shop",
    )

    totals = stand.totals_of(client)

    stand.well(client, totals)
    assert totals["accepted"] == totals["receipted"] == 60


def test_every_receipt_comes_back_and_metrics_agree_with_both_ends(
    router: Router, operator: Operator, stack: ExitStack
) -> None:
    before = router.samples()
    client = stand.client(stack, router.port, "--count", "200", "--binds", "2", system_id="bank")

    totals = stand.totals_of(client)

    stand.well(client, totals)
    assert totals["accepted"] == totals["receipted"] == 200
    until("all acknowledged", lambda: router.samples().sum("outbox_messages") == 0)
    now = router.samples()
    states = totals["receipts"]
    assert isinstance(states, dict)
    assert now.by("status", "submits_total", account="bank") == {"ESME_ROK": 200}
    assert now.sum("deliveries_total", account="bank", result="acknowledged") == 200
    outcomes = now.by("outcome", "outcomes_total", account="bank")
    assert outcomes == {
        "delivered": states["delivered"],
        "failed": states["undeliverable"],
        "expired": states["expired"],
    }
    for state, count in states.items():
        earlier = before.sum("receipts_total", state=state)
        assert now.sum("receipts_total", state=state) - earlier == count
    assert now.sum("queue_messages") == now.sum("receipts_outstanding") == 0
    assert now.sum("receipts_unmatched_total") == now.sum("repeated_total") == 0
    assert now.sum("queue_wait_seconds_count") == now.sum("sends_total")
    assert now.sum("delivery_seconds_count") == now.sum("outcomes_total")

    sends = now.by("bind", "sends_total", status="ESME_ROK")
    receipts = now.sum("receipts_total")
    seen = operator.totals()
    binds = seen["binds"]
    assert isinstance(binds, list)
    assert sorted(sends.values()) == sorted(bind["accepted"] for bind in binds)
    assert receipts == number(seen, "receipts", "acked") == number(seen, "receipts", "due")
    assert seen["repeated"] == seen["throttled"] == 0
