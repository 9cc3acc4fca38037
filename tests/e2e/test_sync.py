"""ESME_ROK is a promise: the kernel has confirmed the bytes to be on disk before it is written.

Seen from outside, in the system calls of the running router; without strace there is nothing to see
and the tests are skipped.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from benchmarks import stand
from benchmarks.processes import Child
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from tests.e2e.scene import Peer, configuration, written

CALLS: Final = "write,writev,sendto,sendmsg,pwrite64,fsync,fdatasync"
START: Final = "import os, sys; os.execvp('strace', sys.argv[1:])"
BEGUN: Final = re.compile(r"(\d+) +(\w+)\(\d+<([^>]*)>(.*)")
RESUMED: Final = re.compile(r"(\d+) +<\.\.\. (\w+) resumed>.*")
HEX: Final = re.compile(r"\\x([0-9a-f]{2})")


@pytest.fixture(scope="module", autouse=True)
def _strace() -> None:
    """Not everywhere there is one, and not everywhere it may look."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    tried = subprocess.run([strace, "-qq", "-o", os.devnull, "true"], check=False)
    if tried.returncode:
        pytest.skip("strace may not trace here")


@dataclass
class Call:
    """One system call that writes or syncs."""

    name: str
    path: str
    octets: bytes
    began: int
    """Line of the trace."""
    ended: int


class Trace:
    """What a process wrote and synced, in order."""

    def __init__(self, path: Path) -> None:
        self.calls: list[Call] = []
        unfinished: dict[str, Call] = {}
        for number, line in enumerate(path.read_text(encoding="latin-1").splitlines()):
            if (begun := BEGUN.match(line)) is not None:
                thread, name, file, rest = begun.groups()
                octets = bytes.fromhex("".join(HEX.findall(rest)))
                file = bytes.fromhex("".join(HEX.findall(file))).decode()
                call = Call(name, file, octets, number, number)
                if line.endswith("<unfinished ...>"):
                    unfinished[thread] = call
                else:
                    assert " = -1 " not in line or "EAGAIN" in line, line
                self.calls.append(call)
            elif (resumed := RESUMED.match(line)) is not None:
                unfinished.pop(resumed[1]).ended = number

    def on_disk(self, octets: bytes) -> int:
        """The line where a sync of the WAL has ended that came after these were written to it."""
        wal = [call for call in self.calls if call.path.endswith(".db-wal")]
        kept = next(call for call in wal if octets in call.octets)
        return next(call.ended for call in wal if "sync" in call.name and call.began > kept.ended)

    def said(self, octets: bytes) -> int:
        """The line where something with these octets begins to be written to a socket."""
        return next(
            call.began
            for call in self.calls
            if call.path.startswith("socket:") and octets in call.octets
        )


@pytest.fixture
def scene(stack: ExitStack, tmp_path: Path) -> Iterator["Scene"]:
    """A router under strace, and its operator."""
    operator = stand.operator(stack, "--latency", "5ms", "--receipt-delay", "20ms")
    text = configuration(operator.port, ('url: "memory:"', "url: sqlite:///router.db"))
    trace = tmp_path / "trace"
    strace = ["strace", "-f", "-y", "-xx", "-s", "6000", "-e", f"trace={CALLS}", "-o", str(trace)]
    router = [sys.executable, "-m", "router.wiring.cli", "run", str(written(tmp_path, text))]
    child = stack.enter_context(Child("router under strace", ["-c", START, *strace, *router]))
    ready = child.event("router.ready")
    pid = int((tmp_path / "router.db.lock").read_text().split()[0])
    listeners = ready["listeners"]
    assert isinstance(listeners, list)
    yield Scene(child, int(str(listeners[0]).rpartition(":")[2]), pid, trace)
    with suppress(ProcessLookupError):  # It would outlive the strace that is ended next.
        os.kill(pid, signal.SIGKILL)


@dataclass
class Scene:
    """Who is there."""

    strace: Child
    port: int
    pid: int
    trace: Path

    def stopped(self) -> Trace:
        """End the router, and read what it did."""
        os.kill(self.pid, signal.SIGTERM)
        assert self.strace.ends() == 0
        return Trace(self.trace)


def answer_to(command_id: int, sequence_number: int) -> bytes:
    """The header, from the command_id on, of ESME_ROK to a request."""
    return p.response(command_id, sequence_number)[4:16]


def test_message_is_on_disk_before_its_client_hears_so(scene: Scene) -> None:
    numbers = [f"3725550000{number}" for number in range(5)]
    with Peer(scene.port) as client:
        client.bind("bank")
        sequence_numbers = [client.submit(number).sequence_number for number in numbers]

    trace = scene.stopped()

    for number, sequence_number in zip(numbers, sequence_numbers, strict=True):
        answer = answer_to(v.SUBMIT_SM, sequence_number)
        assert trace.on_disk(number.encode()) < trace.said(answer)


def test_receipt_is_on_disk_before_its_operator_hears_so(scene: Scene) -> None:
    with Peer(scene.port) as client:
        client.bind("bank")
        client_id = p.message_id_of(client.submit("37255500001", registered_delivery=1))
        client.hears_all(1)

    trace = scene.stopped()

    # The operator's first deliver_sm; the client's answer to ours is read, not written.
    assert trace.on_disk(b"id:" + client_id) < trace.said(answer_to(v.DELIVER_SM, 1))
