"""What waits in the journal goes to whom it belongs to after a restart under other names."""

from contextlib import ExitStack
from pathlib import Path

from benchmarks import stand
from benchmarks.processes import until
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
