"""Clients of SMPP 3.3, 3.4 and 5.0, each hearing what its version has, and one over TLS."""

import asyncio
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.certificates import OPENSSL, self_signed
from benchmarks.processes import Child
from router.smpp import vocabulary as v
from tests.e2e.scene import PASSWORD
from tests.interop import scripts
from tests.interop.rust_operator import Smsc, between, run
from tests.interop.scripts import said

NUMBER = "37255512345"
LISTEN = 'listen: [{address: "127.0.0.1:0"}]'
TLS = 'listen: [{address: "127.0.0.1:0", tls: {certificate: server.crt, key: server.key}}]'
PARTS = [bytes((0x05, 0, 3, 7, 2, n)) + text for n, text in ((1, b"first"), (2, b"second"))]


def lives(
    stack: ExitStack, folder: Path, version: int, bind: str, certificate: Path | None = None
) -> tuple[Smsc, Child]:
    """What a client of this version, and the operator, have seen."""
    changes = [] if certificate is None else [(LISTEN, TLS)]

    async def campaign() -> tuple[Smsc, Child]:
        smsc, router = await between(stack, folder, *changes)
        scheme, rest = ("smpp", []) if certificate is None else ("ssmpp", [str(certificate)])
        url = f"{scheme}://127.0.0.1:{router.port}"
        arguments = (url, PASSWORD, str(version), bind, NUMBER, *rest)
        client = scripts.start(stack, "node_versions.js", *arguments)
        assert await asyncio.to_thread(client.ends) == 0, client.lines
        return smsc, client

    return run(campaign())


def well(smsc: Smsc, client: Child, binds: int) -> None:
    """Raises AssertionError unless all was taken, receipted and answered."""
    # The operator's binds are several, so the parts come in either order.
    assert sorted(submit.short_message for submit in smsc.submits) == PARTS
    assert [submit.esm_class for submit in smsc.submits] == [0x40] * 2
    assert said(client.events("alive"), "status") == [("ESME_ROK",)]
    assert said(client.events("answer"), "status") == [("ESME_ROK",)] * 2
    assert said(client.events("receipt"), "id") == said(client.events("answer"), "id")
    assert len(client.events("unbind")) == binds


USUAL = ("node-smpp", "client", "enquire_link", "submit", "long texts", "receipts", "unbind")


@pytest.mark.shows(*USUAL, "SMPP 3.3", "transmitter and receiver")
@pytest.mark.shows("smpp34", "operator", "submit", "long texts", "receipts")
def test_client_of_3_3_is_told_nothing_in_tlvs(stack: ExitStack, tmp_path: Path) -> None:
    smsc, client = lives(stack, tmp_path, v.VERSION_3_3, "pair")
    well(smsc, client, 2)
    assert said(client.events("bound"), "status", "version") == [("ESME_ROK", None)] * 2
    assert said(client.events("receipt"), "named") == [(None,)] * 2
    assert said(client.events("answer"), "congestion") == [(None,)] * 2


@pytest.mark.shows(*USUAL, "transceiver")
@pytest.mark.shows("smpp34", "operator", "submit", "long texts", "receipts")
@pytest.mark.parametrize(
    ("version", "is_told"),
    [
        (v.VERSION_3_4, False),
        pytest.param(
            v.VERSION_5_0, True, marks=pytest.mark.shows("node-smpp", "client", "SMPP 5.0")
        ),
    ],
)
def test_client_is_told_the_version_and_one_of_5_0_the_congestion(
    stack: ExitStack, tmp_path: Path, version: int, *, is_told: bool
) -> None:
    smsc, client = lives(stack, tmp_path, version, "transceiver")
    well(smsc, client, 1)
    assert said(client.events("bound"), "status", "version") == [("ESME_ROK", version)]
    assert said(client.events("receipt"), "named") == said(client.events("answer"), "id")
    congestions = [one.get("congestion") for one in client.events("answer")]
    assert [one is not None for one in congestions] == [is_told] * 2


@pytest.mark.shows(*USUAL, "TLS", "transceiver")
@pytest.mark.shows("smpp34", "operator", "submit", "long texts", "receipts")
@pytest.mark.skipif(OPENSSL is None, reason="needs openssl to make a certificate")
def test_client_over_tls_is_served_alike(stack: ExitStack, tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    smsc, client = lives(stack, tmp_path, v.VERSION_3_4, "transceiver", certificate)
    well(smsc, client, 1)
