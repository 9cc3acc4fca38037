"""Rules that refuse, and lists in files, with the real process: a reload follows a file's lines."""

import json
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks import stand
from benchmarks.processes import until
from router.wiring.cli import main
from tests.e2e.scene import Peer, configuration

RULES = """\
prefixes: {premium: {file: lists/premium.csv, column: Prefix}}
refuse:
  - {sender: {file: lists/bad.txt}, account: [bank], reason: gambling}
routes:
  - {destination: {prefixes: premium}, refuse: ESME_RINVDSTADR}
  - {destination: "", to: [telia]}
"""
ROUTES = 'routes: [{destination: "", to: [telia]}]\n'
SENDER = b"Casino77"
PREMIUM = "37290012345"


def test_lines_of_a_list_are_followed_by_a_reload(
    stack: ExitStack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lists = tmp_path / "lists"
    lists.mkdir()
    bad, premium = lists / "bad.txt", lists / "premium.csv"
    bad.write_text("# who was reported\nCASINO*\n")
    premium.write_text("Name;Prefix\nKazino;+372 900\n")
    telia = stand.operator(stack)
    journal = ('url: "memory:"', 'url: "sqlite:///router.db"')
    router = stand.router(stack, configuration(telia.port, journal, (ROUTES, RULES)), tmp_path)
    router.until_bound(3)
    url = ("--url", f"http://{router.control}")

    def said(status: int, *arguments: str | Path) -> str:
        assert main([str(one) for one in arguments]) == status
        return capsys.readouterr().out

    with Peer(router.port) as bank, Peer(router.port) as shop:
        bank.bind("bank")
        shop.bind("shop")
        assert bank.submit("37255512345", source=SENDER).command_status == 0x45
        assert shop.submit("37255512345", source=SENDER).command_status == 0
        assert shop.submit(PREMIUM).command_status == 0x0B
        assert router.samples().sum("refused_pdus_total", reason="gambling") == 1
        told = said(1, "explain", "--running", *url, "--account", "bank", "--to", "372555",
                    "--from", "casino")  # fmt: skip
        assert "account bank; sender in lists/bad.txt; refuse ESME_RSUBMITFAIL (gambling)" in told

        bad.write_text("Lotto*\n")
        premium.write_text("Name;Prefix\nKazino;372901\nLotto;00372 902\n")
        changes = said(0, "check", tmp_path / "router.yaml", "--against-running", *url)
        assert "prefixes.premium" in changes
        assert "refuse[account bank; sender in lists/bad.txt]: changed" in changes
        said(0, "reload", *url)
        assert bank.submit("37255512345", source=SENDER).command_status == 0
        assert bank.submit("37255512345", source=b"LOTTO").command_status == 0x45
        assert shop.submit(PREMIUM).command_status == 0

        premium.write_text("Name;Prefix\nKazino;372901\nLotto;lotto\n*;*\n")
        assert main(["reload", *url]) == 1
        answer = capsys.readouterr()
        assert f"{premium}:3: prefixes.premium.file: " in answer.err + answer.out
        assert f"{premium}:4: prefixes.premium.file: " in answer.err + answer.out
        assert bank.submit("37255512345", source=b"LOTTO").command_status == 0x45

    def recorded() -> list[dict[str, object]] | None:
        main(["find", "--reason", "gambling", *url, "--json"])
        found: list[dict[str, object]] = json.loads(capsys.readouterr().out)["found"]
        return found if len(found) == 3 else None

    found = until("the refusals are recorded", recorded)
    assert {one["account"] for one in found} == {"bank"}
    account = said(0, "status", "--account", "bank", *url)  # What a rule refuses is no trouble.
    assert "gambling  ESME_RSUBMITFAIL" in account
