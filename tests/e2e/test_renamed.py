"""What waits goes to whom it belongs to after a restart, or a reload, under other names."""

from contextlib import ExitStack
from pathlib import Path

from benchmarks import stand
from benchmarks.processes import until
from router.smpp import vocabulary as v
from router.wiring.reload_view import reload
from tests.e2e.scene import Peer, changed, configuration

BINDS = 3
MESSAGES = 5
NEW_NAMES = (
    ("  telia:\n", "  telia2:\n    formerly: telia\n"),
    ("to: [telia]", "to: [telia2]"),
    ("  bank: {", "  bank2: {formerly: bank, "),
)


def test_receipts_and_what_waits_come_under_the_new_names(stack: ExitStack, tmp_path: Path) -> None:
    operator = stand.operator(stack, "--receipt-delay", "500ms..1s")
    text = configuration(operator.port, ('url: "memory:"', "url: sqlite:///router.db"))
    router = stand.router(stack, text, tmp_path)
    router.until_bound(BINDS)
    with Peer(router.port) as client:
        client.bind("bank")
        for number in range(MESSAGES):
            answer = client.submit(f"3725550000{number}", registered_delivery=1)
            assert answer.command_status == 0
    until("all are sent", lambda: router.samples().sum("sends_total") == MESSAGES)
    router.child.kill()

    router = stand.router(stack, changed(text, *NEW_NAMES), tmp_path)

    router.until_bound(BINDS)
    with Peer(router.port) as client:
        client.bind("bank2")
        client.hears_all(MESSAGES)
    with Peer(router.port) as stranger:
        assert stranger.bind("bank").command_status != 0


def test_a_reload_hands_an_account_over_and_the_journal_knows(
    stack: ExitStack, tmp_path: Path
) -> None:
    operator = stand.operator(stack, "--receipt-delay", "2s..3s")
    text = configuration(operator.port, ('url: "memory:"', "url: sqlite:///router.db"))
    router = stand.router(stack, text, tmp_path)
    router.until_bound(BINDS)
    now = changed(text, ("  bank: {", "  bank2: {formerly: bank, "))
    with Peer(router.port) as client:
        client.bind("bank")
        for number in range(MESSAGES):
            answer = client.submit(f"3725550000{number}", registered_delivery=1)
            assert answer.command_status == 0
        (tmp_path / "router.yaml").write_text(now, encoding="utf-8")

        told = reload(f"http://{router.control}", partly=False)

        assert told.lines == [
            "accounts.bank2: formerly bank; its queue and outbox are handed over,"
            " its clients bind anew",
            "applied",
        ]
        client.hears(v.UNBIND)
        heard = len(client.delivered)
    with Peer(router.port) as stranger:
        assert stranger.bind("bank").command_status != 0
    with Peer(router.port) as client:
        client.bind("bank2")
        assert client.submit("37255500009", registered_delivery=1).command_status == 0
        heard += len(client.delivered)
    router.child.kill()

    router = stand.router(stack, changed(now, ("formerly: bank, ", "")), tmp_path)

    router.until_bound(BINDS)
    with Peer(router.port) as client:
        client.bind("bank2")
        client.hears_all(MESSAGES + 1 - heard)


def test_of_what_is_renamed_nothing_is_said_to_stay(stack: ExitStack, tmp_path: Path) -> None:
    operator = stand.operator(stack, "--receipt-delay", "60s")
    text = configuration(operator.port)
    router = stand.router(stack, text, tmp_path)
    router.until_bound(BINDS)
    with Peer(router.port) as client:
        client.bind("bank")
        assert client.submit("37255500000", registered_delivery=1).command_status == 0
        until("it is sent", lambda: router.samples().sum("receipts_outstanding") == 1)
        (tmp_path / "router.yaml").write_text(changed(text, *NEW_NAMES), encoding="utf-8")
        told = reload(f"http://{router.control}", partly=False)
    assert told.document["result"] == "applied"
    stays = told.document["stays"]
    assert isinstance(stays, list)
    assert not [one for one in stays if "stay" in one], stays
    assert router.samples().sum("receipts_outstanding", operator="telia2") == 1


def test_a_name_that_still_has_a_bind_is_another_s_only_after_a_restart(
    stack: ExitStack, tmp_path: Path
) -> None:
    operator = stand.operator(stack)
    text = configuration(operator.port)
    router = stand.router(stack, text, tmp_path)
    router.until_bound(BINDS)
    shop = text[text.index("  shop: ") : text.index("operators:")]
    without_shop = changed(text, (shop, ""))
    now = changed(without_shop, ("  bank: {", "  shop: {formerly: bank, "))
    with Peer(router.port) as client:
        client.bind("shop")
        results = []
        for given, partly in (
            *((without_shop, False), (now, False), (now, True)),
            *((now, False), (now, True)),
        ):
            (tmp_path / "router.yaml").write_text(given, encoding="utf-8")
            results.append(reload(f"http://{router.control}", partly=partly))
    _, whole, part, *again = results
    assert [one.document["result"] for one in (whole, part)] == ["needs_restart", "partly"]
    for one in again:
        assert one.document["result"] == "needs_restart", "it is not forgotten"
        assert one.document["needs_restart"] == ["accounts.shop.formerly"]
    assert whole.document["needs_restart"] == ["accounts.shop.formerly"]
    assert "accounts.shop.formerly: only a restart applies this" in whole.refusal
    assert part.lines[0].startswith("accounts.shop: formerly bank; ")
    assert part.lines[0].endswith("(after a restart)")
