"""`smpp-router queue` with the real process: what is cancelled stays so, whatever happens then."""

import getpass
import json
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks import stand
from benchmarks.processes import as_document, until
from benchmarks.stand import Router
from router.wiring.cli import main
from tests.e2e.scene import Peer, configuration, free_port

JOURNAL = ('url: "memory:"', 'url: "sqlite:///router.db"')
BINDS = 3
NUMBERS = [f"3725551{number:04}" for number in range(25)]


def submitted(client: Peer) -> list[str]:
    """One message to each number, with a receipt asked for; their ids."""
    answers = [client.submit(number, registered_delivery=1) for number in NUMBERS]
    assert {one.command_status for one in answers} == {0}
    return [one.octets[16:-1].decode() for one in answers]


def queue(router: Router, *arguments: str) -> int:
    return main(["queue", *arguments, "--url", f"http://{router.control}"])


def told_by(router: Router) -> list[dict[str, object]]:
    """What the log has of orders."""
    documents = [as_document(line) for line in router.child.lines]
    return [one for one in documents if one and str(one.get("event")).startswith("queue.")]


def reasons(folder: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, tuple[str, str]]:
    """Outcome and reason of what is over, by number."""
    capsys.readouterr()
    assert main(["export", str(folder / "router.yaml"), "--format", "jsonl"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return {one["destination"]: (one["outcome"], one["reason"]) for one in records}


def test_cancelled_is_cancelled_though_the_router_is_killed_right_then(
    stack: ExitStack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port(stack)
    text = configuration(port, JOURNAL)
    router = stand.router(stack, text, tmp_path)
    with Peer(router.port) as client:
        client.bind("bank")
        ids = submitted(client)
        with Peer(router.port) as shop:
            shop.bind("shop")
            assert shop.submit(NUMBERS[0], b"of the shop").command_status == 0

        assert queue(router, "list", "--json") == 0
        waits = json.loads(capsys.readouterr().out)["queues"]
        assert [(one["account"], one["messages"], one["nowhere"]) for one in waits] == [
            ("bank", 25, 25),
            ("shop", 1, 1),
        ]
        assert queue(router, "cancel", "--account", "bank", "--dry-run", "--json") == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["cancelled"], told["dry_run"], told["over"]) == (25, True, True)
        assert queue(router, "cancel", ids[0], "4711", "--reason", "a mistake") == 1
        out = capsys.readouterr().out.splitlines()
        assert out == [
            f"{ids[0]}: cancelled",
            "4711: no such message waits: it is over, or there was none",
            "1 message cancelled",
        ]
        to = ("--to", f"+{NUMBERS[1]}")
        assert queue(router, "cancel", "--account", "bank", *to, "--from", "TEST") == 0
        assert capsys.readouterr().out == "1 message cancelled\n"
        assert queue(router, "cancel", "--account", "bank") == 0
        router.child.kill()
        assert capsys.readouterr().out == "23 messages cancelled\n"

    said = until("the log is read", lambda: events if len(events := told_by(router)) == 5 else None)
    names = [str(one["event"]).removeprefix("queue.") for one in said]
    assert names == ["cancelled", "cancel_began", "cancelled", "cancel_began", "cancelled"]
    single, _, to_number, began, whole = said
    assert (single["ids"], single["cancelled"], single["reason"]) == (2, 1, "a mistake")
    about = [to_number[name] for name in ("account", "to", "sender", "cancelled")]
    assert about == ["bank", "37255******", "TEST", 1]
    assert (began["account"], whole["account"], whole["cancelled"]) == ("bank", "bank", 23)
    assert {one["user"] for one in said} == {getpass.getuser()}

    operator = stand.operator(stack, "--receipt-delay", "10ms..20ms", port=port)
    router = stand.router(stack, text, tmp_path)
    router.until_bound(BINDS)
    with Peer(router.port) as client:
        client.bind("bank")
        receipts = client.hears_all(25)
        assert all(b" stat:DELETED err:000 " in one.short_message for one in receipts)
    router.until_sent(1)
    until("nothing waits", lambda: router.samples().sum("outbox_messages") == 0 or None)
    router.child.stop()
    assert operator.totals()["accepted"] == 1
    told_of = reasons(tmp_path, capsys)
    assert [told_of[number] for number in NUMBERS[1:]] == [("rejected", "cancelled")] * 24


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "either one ID or more, or --account"),
        (("1", "--account", "bank"), "either one ID or more, or --account"),
        (("1", "--to", "37255512345"), "--to and --from say which messages of --account"),
        (("--account", "bank", "--to", "nobody"), "'nobody' is no number"),
        (("--account", "bank", "--from", "€"), "cannot stand in a field of SMPP"),
        (("ä",), "is no id"),
        (("1" * 65,), "is no id"),
        (("1", "--reason", "x" * 201), "more than 200 characters"),
        (("1", "--url", "nowhere"), "is no URL"),
    ],
)
def test_wrong_order_is_told(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["queue", "cancel", *arguments])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_unknown_account_and_a_router_that_is_not_there(
    stack: ExitStack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    router = stand.router(stack, configuration(1), tmp_path)
    with pytest.raises(SystemExit) as ended:
        queue(router, "cancel", "--account", "bnak")
    assert ended.value.code == 2
    assert "did you mean 'bank'?" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        queue(router, "list", "--account", "bnak")
    assert ended.value.code == 2
    assert queue(router, "cancel", "--account", "bank") == 0
    assert capsys.readouterr().out.endswith("0 messages cancelled\n")
    router.child.stop()
    assert queue(router, "cancel", "--account", "bank") == 1
    assert queue(router, "list") == 1
    assert "is the router running" in capsys.readouterr().err
