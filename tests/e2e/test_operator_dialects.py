"""Processes: an operator with hex ids and numbers of its own form; of the ids nobody says so."""

from contextlib import ExitStack
from pathlib import Path

from benchmarks import stand
from benchmarks.processes import until
from tests.e2e.scene import configuration

BINDS = 3


def test_receipts_find_their_messages_and_the_forms_of_ids_are_learnt(
    stack: ExitStack, tmp_path: Path
) -> None:
    operator = stand.operator(
        stack,
        *("--ids", "hex", "--binds-rate", "1000/s", "--receipt-delay", "10ms..100ms"),
    )
    changes = (
        "    reconnect:",
        "    numbers: {normalise: 00, ton_npi: {alphanumeric: 5/1}}\n    reconnect:",
    )
    router = stand.router(stack, configuration(operator.port, changes), tmp_path)
    router.until_bound(BINDS)
    client = stand.client(stack, router.port, "--count", "200", "--binds", "2", system_id="bank")

    totals = stand.totals_of(client)

    stand.well(client, totals)
    assert totals["accepted"] == totals["receipted"] == 200
    until("all acknowledged", lambda: router.samples().sum("outbox_messages") == 0)
    now = router.samples()
    forms = {"response": "hex", "receipt": "decimal"}
    assert now.sum("message_ids_learnt", operator="telia", **forms) == 1
    assert now.sum("receipts_unmatched_total") == now.sum("receipts_guessed_total") == 0
