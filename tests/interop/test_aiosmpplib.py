"""A client on aiosmpplib's own ESME, as the simulated client runs it, against the real router."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks import stand
from tests.e2e.scene import configuration
from tests.interop import recorder

BINDS = 3
COUNT = 40


def bound(stack: ExitStack, folder: Path) -> stand.Router:
    operator = stand.operator(stack, "--receipt-delay", "10ms")
    router = recorder.router(stack, configuration(operator.port), folder)
    router.until_bound(BINDS)
    return router


@pytest.mark.shows("aiosmpplib", "client", "submit", "receipts", "unbind")
@pytest.mark.parametrize(
    "bind_type",
    [
        pytest.param("transceiver", marks=pytest.mark.shows("aiosmpplib", "client", "transceiver")),
        pytest.param(
            "pair", marks=pytest.mark.shows("aiosmpplib", "client", "transmitter and receiver")
        ),
    ],
)
def test_client_gets_the_receipt_of_each_message(
    stack: ExitStack, tmp_path: Path, bind_type: str
) -> None:
    router = bound(stack, tmp_path)
    options = ("--engine", "aiosmpplib", "--count", str(COUNT), "--bind-type", bind_type)
    client = stand.client(stack, router.port, *options, system_id="bank")

    totals = stand.totals_of(client)

    stand.well(client, totals)
    assert totals["accepted"] == totals["receipted"] == COUNT


@pytest.mark.shows("aiosmpplib", "client", "refused bind")
def test_client_is_told_that_its_bind_is_refused(stack: ExitStack, tmp_path: Path) -> None:
    router = bound(stack, tmp_path)
    options = ("--engine", "aiosmpplib", "--password", "wrong")
    client = stand.client(stack, router.port, *options, system_id="bank")

    assert client.ends() == 1
    assert any("ESME_RINVPASWD" in line for line in client.lines), client.lines
