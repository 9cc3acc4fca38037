"""Peers that others wrote, each a script beside this file that runs in a process of its own.

Their packages exclude each other, or need node, so `make peers` installs each in a folder of its
own; a test whose peer is not there is skipped. A script says what happens to it, as its library
reads it: a line of JSON for each `event`, with statuses and states by their names in SMPP.

A client is given a port, the password of `bank`, and messages ("NUMBER TEXT"). It binds as a
transceiver, submits each and asks for a final receipt, and unbinds when all have theirs:
`bind` {status}, `answer` {number, status, id}, `receipt` {number, id, state, text}, `unbind`.
One that can submit to many numbers at once takes "NUMBER,NUMBER,@LIST TEXT" as well; its `answer`
has `refused`, a list of number and status.

An operator is given the password that it wants and a number that it refuses. It answers each
message that it takes with a receipt and with a message from the subscriber:
`listening` {port}, `bind` {status}, `submit` {number, text}, `delivered` {kind, number, status}.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest
from _pytest.mark.structures import ParameterSet

from benchmarks.processes import ROOT, Child

PEERS: Final = Path(os.environ.get("SMPP_ROUTER_PEERS", ROOT / ".venv-peers"))
_LIBRARIES: Final = {
    "node": "node-smpp",
    "rusmppyc": "rusmppyc",
    "smppy": "smppy",
    "twisted": "smpp.twisted3",
}
"""What the matrix calls the library of a script, by the beginning of its name."""
HERE: Final = Path(__file__).parent


def start(stack: ExitStack, script: str, *arguments: str) -> Child:
    """Start a script, for example `node_client.js`; skip the test where it cannot run."""
    peer = script.partition("_")[0]
    if peer == "node" and shutil.which("node") is None:
        pytest.skip("node is not installed")
    folder = PEERS / peer
    if not (folder / ".ready").exists():
        pytest.skip(f"`make peers` has not installed {peer} in {PEERS.name}/")
    command = [str(HERE / script), *arguments]
    if peer == "node":
        modules = {"NODE_PATH": str(folder / "node_modules")}
        return stack.enter_context(Child(script, command, modules, python=("node",)))
    return stack.enter_context(Child(script, command, tree=folder))


def each(scripts: Sequence[str], role: str, *features: str) -> list[ParameterSet]:
    """Return each script as an example of a test, which shows this of the script's library."""

    def shows(script: str) -> pytest.MarkDecorator:
        return pytest.mark.shows(_LIBRARIES[script.partition("_")[0]], role, *features)

    return [pytest.param(script, marks=shows(script)) for script in scripts]


def said(events: Sequence[Mapping[str, object]], *keys: str) -> list[tuple[object, ...]]:
    """Return these facts of each event, sorted: what is at once has no order."""
    return sorted((tuple(event.get(key) for key in keys) for event in events), key=repr)
