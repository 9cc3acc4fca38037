"""A client that is killed before it has read its answers sends again: each message is one."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from benchmarks import stand
from benchmarks.processes import DEADLINE_S, ROOT, until
from router.smpp import pdu as p
from tests.e2e.scene import Peer, configuration

NUMBERS: Final = [f"372555{number:05}" for number in range(20)]
KILLED: Final = """
import os, signal, socket, sys
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from tests.e2e.scene import Peer

client = Peer(int(sys.argv[1]))
client.bind("bank")
for place, number in enumerate(sys.argv[2:], 100):
    client.send(
        p.sm(v.SUBMIT_SM, place, source=(5, 0, b"TEST"), destination=(1, 1, number.encode()),
             short_message=b"hello")
    )
client.socket.recv(1, socket.MSG_PEEK)
os.kill(os.getpid(), signal.SIGKILL)
"""
"""It dies as soon as there is an answer to read."""


def submitted(port: int, stack: ExitStack) -> list[bytes]:
    """Submit to each number, on a session that stays; return the ids."""
    client = stack.enter_context(Peer(port))
    client.bind("bank")
    answers = [client.submit(number, b"hello") for number in NUMBERS]
    assert all(answer.command_status == 0 for answer in answers)
    return [p.message_id_of(answer) for answer in answers]


def test_client_that_was_killed_sends_again_and_so_after_the_router_was(
    stack: ExitStack, tmp_path: Path
) -> None:
    operator = stand.operator(stack)
    text = configuration(
        operator.port,
        ('url: "memory:"', "url: sqlite:///router.db"),
        ("bank: {password: secret01,", "bank: {password: secret01, retries: true,"),
    )
    router = stand.router(stack, text, tmp_path)

    def count(name: str, **labels: str) -> float:
        return router.samples().sum(name, account="bank", **labels)

    subprocess.run(
        [sys.executable, "-c", KILLED, str(router.port), *NUMBERS],
        cwd=ROOT,
        check=False,
        timeout=DEADLINE_S,
    )
    router.child.event("client.unbound")

    ids = submitted(router.port, stack)
    assert len(set(ids)) == len(NUMBERS)
    recognised = count("retries_recognised_total")
    assert recognised >= 1
    assert count("submits_total", status="ESME_ROK") == len(NUMBERS) + recognised
    until(
        "each is sent, once",
        lambda: router.samples().sum("outcomes_total") == len(NUMBERS),
    )

    router.child.kill()
    router = stand.router(stack, text, tmp_path)
    assert submitted(router.port, stack) == ids
    assert count("retries_recognised_total") == len(NUMBERS)
    assert operator.totals()["submits"] == len(NUMBERS)
