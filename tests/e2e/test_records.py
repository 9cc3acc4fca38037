"""What became of a message is found: in a running router, and in the files of one that is down."""

import csv
import io
import json
import os
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks import stand
from benchmarks.processes import until
from router.telemetry.records import path_of
from router.telemetry.records_schema import NAMES
from router.wiring.cli import main
from tests.e2e.scene import Peer, configuration, smpp_router

JOURNAL = ('url: "memory:"', 'url: "sqlite:///router.db"')
ONLY_ESTONIA = ('[{destination: "", to', '[{destination: "372", to')
COUNT = 30


def test_support_finds_every_message_and_every_refusal(
    stack: ExitStack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    telia = stand.operator(stack, "--receipt-delay", "10ms..20ms")
    router = stand.router(stack, configuration(telia.port, JOURNAL, ONLY_ESTONIA), tmp_path)
    router.until_bound(3)
    client = stand.client(
        stack, router.port, "--count", str(COUNT), "--destination", "3725{7}", system_id="bank"
    )
    client.ends()
    with Peer(router.port) as peer:
        peer.bind("shop")
        taken = peer.submit("37255512345", source=b"\x1b[31mRED", registered_delivery=1)
        refused = peer.submit("4915112345678")
        assert (taken.command_status, refused.command_status) == (0, 0x0B)
        assert len(peer.hears_all(1)) == 1
    url = ("--url", f"http://{router.control}")

    def found(*what: str) -> list[dict[str, object]]:
        main(["find", *what, *url, "--json"])
        answer = json.loads(capsys.readouterr().out)
        assert answer["lacks"] == []
        documents: list[dict[str, object]] = answer["found"]
        return documents

    def acknowledged() -> dict[str, object] | None:
        one, *others = found("+372 5551 2345")
        assert not others
        return one if one["acknowledged_utc"] is not None else None

    one = until("the acknowledgement is recorded", acknowledged)
    assert (one["account"], one["outcome"], one["operator"]) == ("shop", "delivered", "telia")
    assert one["receipt_state"] == "DELIVRD"
    client_id = taken.octets[16:-1].decode()
    assert one["client_id"] == client_id
    masked = {**one, "destination": "37255******"}  # It was not asked for.
    assert found(client_id) == found("--operator-id", str(one["operator_id"])) == [masked]
    (no_route,) = found("--reason", "no_route")
    assert (no_route["status"], no_route["destination"]) == (0x0B, "49151********")
    assert [each["destination"] for each in found("4915112345678")] == ["4915112345678"]
    assert {str(each["destination"])[5:] for each in found("--account", "bank")} == {"******"}
    assert main(["find", "37255512345", *url]) == 0
    told = capsys.readouterr().out
    assert "the client has acknowledged the receipt" in told
    assert "\\x1b[31mRED" in told  # What a client writes obeys no terminal.
    assert main(["find", "37299999999", *url]) == 1
    assert "nothing was found" in capsys.readouterr().out

    config = str(tmp_path / "router.yaml")
    router.child.stop()
    assert main(["export", config, "--quality"]) == 0
    (quality,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    day = quality["day"]
    assert main(["export", config, "--quality", "--until", f"{day}T00:00:00+00:00"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    about = [quality[name] for name in ("operator", "country", "lane", "outcomes", "delivered")]
    assert about == ["telia", "EE", "bulk", str(COUNT + 1), str(COUNT + 1)]
    assert main(["find", "37255512345", *url]) == 1
    assert "--config CONFIG reads the files" in capsys.readouterr().err
    assert main(["find", "--account", "bank", "--config", config, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (len(answer["found"]), answer["more"]) == (20, True)
    assert "*" not in str(answer["found"][0]["destination"])
    assert path_of(tmp_path / "router.db").stat().st_mode & 0o777 == 0o600

    assert main(["export", config, "--since", "1h"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert tuple(rows[0]) == NAMES
    counted = Counter((row["account"], row["outcome"]) for row in rows)
    assert counted == {
        ("bank", "delivered"): COUNT,
        ("shop", "delivered"): 1,
        ("shop", "refused"): 1,
    }
    assert main(["export", config, "--account", "shop", "--format", "jsonl"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["outcome"] for line in lines] == ["refused", "delivered"]
    assert main(["export", config, "--until", "2020-01-01"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_traffic_goes_on_without_a_file_of_records_and_nothing_is_missing_afterwards(
    stack: ExitStack, tmp_path: Path
) -> None:
    telia = stand.operator(stack, "--receipt-delay", "10ms..20ms")
    records = path_of(tmp_path / "router.db")
    records.mkdir()
    router = stand.router(stack, configuration(telia.port, JOURNAL), tmp_path)
    router.until_bound(3)
    failed = router.child.event("records.failed")
    assert str(records) in str(failed["error"])
    client = stand.client(stack, router.port, "--count", str(COUNT), system_id="bank")
    client.ends()
    stand.well(client, stand.totals_of(client))
    status = json.loads(router.http("/v1/status"))
    assert any("records cannot be written" in one["what"] for one in status["problems"])
    records.rmdir()
    until("records are written", lambda: router.samples().sum("records_octets") or None)

    def recorded() -> bool:
        done = smpp_router("export", str(tmp_path / "router.yaml"))
        return done.stdout.count("delivered") == COUNT

    until("all are recorded", lambda: recorded() or None)
    router.child.stop()


def test_where_records_are_not_wanted_there_is_no_file(stack: ExitStack, tmp_path: Path) -> None:
    telia = stand.operator(stack)
    none = ('sqlite:///router.db"}', 'sqlite:///router.db", keep_records: 0s}')
    router = stand.router(stack, configuration(telia.port, JOURNAL, none), tmp_path)
    router.until_bound(3)
    client = stand.client(stack, router.port, "--count", "1", system_id="bank")
    client.ends()
    router.child.stop()
    assert not path_of(tmp_path / "router.db").exists()
    assert os.listdir(tmp_path)


@pytest.mark.parametrize(
    "arguments",
    [
        ("find",),
        ("find", ""),
        ("find", "1", "--at", "yesterday"),
        ("find", "1", "--most", "0"),
        ("export",),
        ("export", "router.yaml", "--quality", "--account", "bank"),
        ("export", "router.yaml", "--since", "often"),
    ],
)
def test_wrong_question_is_told(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err
