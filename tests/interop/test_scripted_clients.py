"""Clients on node-smpp, rusmppyc and smpp.twisted3, against the real router and smpp34's operator.

What each script does and says is in scripts.py.
"""

import asyncio
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.processes import Child
from tests.e2e.scene import PASSWORD, configuration, free_port
from tests.interop import recorder, scripts
from tests.interop.rust_operator import REFUSED, Smsc, between, run
from tests.interop.scripts import said

CLIENTS = ["node_client.js", "rusmppyc_client.py", "twisted_client.py"]
TAKEN = "37255512345"
NO_NUMBER = "no-number"


@pytest.mark.shows("smpp34", "operator", "submit", "receipts")
@pytest.mark.parametrize(
    "script",
    scripts.each(
        *(CLIENTS, "client", "transceiver", "submit", "UCS-2", "receipts", "refused submit"),
        "unbind",
    ),
)
def test_client_reads_answers_receipts_and_a_refused_submit(
    stack: ExitStack, tmp_path: Path, script: str
) -> None:
    async def campaign() -> tuple[Smsc, Child]:
        smsc, router = await between(stack, tmp_path)
        messages = [f"{TAKEN} Привет", f"{REFUSED} Привет", f"{NO_NUMBER} Привет"]
        client = scripts.start(stack, script, str(router.port), PASSWORD, *messages)
        assert await asyncio.to_thread(client.ends) == 0, client.lines
        return smsc, client

    smsc, client = run(campaign())

    (submit,) = smsc.submits
    assert (submit.destination_addr, submit.data_coding) == (TAKEN, 8)
    assert submit.short_message.decode("utf-16-be") == "Привет"
    assert smsc.refused_receipts == 0
    assert said(client.events("bind"), "status") == [("ESME_ROK",)]
    answers = client.events("answer")
    assert said(answers, "number", "status") == [
        (TAKEN, "ESME_ROK"),
        (REFUSED, "ESME_ROK"),
        (NO_NUMBER, "ESME_RINVDSTADR"),
    ]
    ids = {answer["number"]: answer.get("id") for answer in answers}
    assert said(client.events("receipt"), "number", "id", "state") == [
        (TAKEN, ids[TAKEN], "DELIVERED"),
        (REFUSED, ids[REFUSED], "UNDELIVERABLE"),
    ]
    for receipt in client.events("receipt"):
        assert str(receipt["text"]).startswith(f"id:{receipt['id']} sub:001 ")
    assert len(client.events("unbind")) == 1


@pytest.mark.shows("node-smpp", "client", "submit_multi", "UCS-2", "receipts")
@pytest.mark.shows("smpp34", "operator", "submit", "receipts")
def test_client_submits_to_many_numbers_at_once(stack: ExitStack, tmp_path: Path) -> None:
    other, unknown = "37255512346", "none-either"

    async def campaign() -> tuple[Smsc, Child]:
        smsc, router = await between(stack, tmp_path)
        messages = [f"{TAKEN},{unknown},@friends,{other} Привет", f"{NO_NUMBER},{unknown} Привет"]
        client = scripts.start(stack, "node_client.js", str(router.port), PASSWORD, *messages)
        assert await asyncio.to_thread(client.ends) == 0, client.lines
        return smsc, client

    smsc, client = run(campaign())

    assert sorted(submit.destination_addr for submit in smsc.submits) == [TAKEN, other]
    some, none = client.events("answer")
    assert some["status"] == "ESME_ROK"
    assert some["refused"] == [
        [unknown, "ESME_RINVDSTADR"],
        ["friends", "ESME_RINVDLNAME"],
    ]
    assert none["status"] == "ESME_RINVDSTADR"
    assert none["refused"] == [[NO_NUMBER, "ESME_RINVDSTADR"], [unknown, "ESME_RINVDSTADR"]]
    assert said(client.events("receipt"), "number", "id", "state") == [
        (TAKEN, some["id"], "DELIVERED"),
        (other, some["id"], "DELIVERED"),
    ]
    assert len(client.events("unbind")) == 1


@pytest.mark.parametrize("script", scripts.each(CLIENTS, "client", "refused bind"))
def test_client_reads_a_refused_bind(stack: ExitStack, tmp_path: Path, script: str) -> None:
    router = recorder.router(stack, configuration(free_port(stack)), tmp_path)

    client = scripts.start(stack, script, str(router.port), "wrong", f"{TAKEN} hello")

    assert client.ends() == 0, client.lines
    assert said(client.events("bind"), "status") == [("ESME_RINVPASWD",)]
    assert client.events("answer") == []
