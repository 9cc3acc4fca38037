"""Child processes: started, listened to, measured, and ended whatever happens.

Benchmarks and end-to-end tests start routers and simulators with this. Nothing here waits for a
time: it waits for a line, an exit or a number, and a deadline only says when to give up.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Thread
from typing import Final, Self, TypeVar

from router.telemetry.core import COMPILED, DEMAND

T = TypeVar("T")

ROOT: Final = Path(__file__).resolve().parents[1]
COMPILED_PYTHON: Final = ROOT / ".venv-compiled" / "bin" / "python"
"""Of the environment where `make compiled` installs the router."""
DEADLINE_S: Final = 60.0
"""How long to wait for what takes a second on an idle machine: all cores may be busy."""
LOOK_EVERY_S: Final = 0.02
"""How often `until` asks."""
_PASS_SOCKETS: Final = """
import fcntl, json, os, sys
given, command = json.loads(sys.argv[1]), sys.argv[2:]
apart = [fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 100) for number in given]
for place, number in enumerate(apart):
    os.dup2(number, 3 + place)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(apart))}
os.closerange(3 + len(apart), 100)
os.execv(command[0], command)
"""
"""What runs first in a child with sockets: their numbers are fixed, and LISTEN_PID is its own."""
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


class ChildError(Exception):
    """A child did not do in time what it was started for; says what it said last."""


@dataclass(frozen=True, slots=True)
class Cpu:
    """Processor time of a process since it began."""

    user_s: float
    system_s: float

    def __sub__(self, before: "Cpu") -> "Cpu":
        return Cpu(self.user_s - before.user_s, self.system_s - before.system_s)

    @property
    def both_s(self) -> float:
        """User and system."""
        return self.user_s + self.system_s


class Child:
    """One child process; leaving its `with` block ends it, by force if need be."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        environment: Mapping[str, str] | None = None,
        *,
        python: Sequence[str] = (sys.executable,),
        tree: Path = ROOT,
        sockets: Sequence[socket.socket] = (),
    ) -> None:
        """Start `python arguments`, whose packages are first looked for in `tree`.

        It is handed listening sockets as systemd hands them over (sd_listen_fds(3)).
        """
        self.name: Final = name
        self.lines: Final[list[str]] = []
        """What it has written, to standard output and standard error."""
        self._news = Condition()
        self._silent = False
        numbers = [one.fileno() for one in sockets]
        command = [*python, *arguments]
        if sockets:  # Isolated and without `site` Python starts in a moment.
            command = [python[0], "-IS", "-c", _PASS_SOCKETS, json.dumps(numbers), *command]
        self._process = subprocess.Popen(
            command,
            pass_fds=numbers,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, **(environment or {}), **packages_from(tree)},
        )
        self._listener = Thread(target=self._listen, daemon=True)
        self._listener.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._listener.join()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            for line in output:
                with self._news:
                    self.lines.append(line.rstrip("\n"))
                    self._news.notify_all()
        with self._news:
            self._silent = True
            self._news.notify_all()

    # What it says.

    def hear(self, what: str, find: Callable[[str], T | None], within_s: float = DEADLINE_S) -> T:
        """Return what `find` makes of the first line that it returns something for.

        Raises ChildError if the child ends, or the time does, without such a line.
        """
        give_up_at = time.monotonic() + within_s
        at = 0
        with self._news:
            while True:
                for line in self.lines[at:]:
                    found = find(line)
                    if found is not None:
                        return found
                at = len(self.lines)
                left_s = give_up_at - time.monotonic()
                if self._silent or left_s <= 0:
                    raise self.failed("ended without" if self._silent else "did not say", what)
                self._news.wait(left_s)

    def event(self, name: str, within_s: float = DEADLINE_S) -> dict[str, object]:
        """Return the first line of JSON with this `event`."""

        def find(line: str) -> dict[str, object] | None:
            document = as_document(line)
            return document if document is not None and document.get("event") == name else None

        return self.hear(name, find, within_s)

    def events(self, name: str) -> list[dict[str, object]]:
        """Return all lines of JSON with this `event`, so far."""
        with self._news:
            documents = [as_document(line) for line in self.lines]
        return [found for found in documents if found is not None and found.get("event") == name]

    def failed(self, verb: str, what: str) -> ChildError:
        """Return the error that says what this child did or did not, and what it said last."""
        said = "\n".join(f"    {line}" for line in self.lines[-15:]) or "    nothing"
        return ChildError(f"{self.name} {verb} {what}; what it said last:\n{said}")

    # Its end.

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it as a power failure would."""
        self._process.kill()
        self._process.wait()
        self._listener.join()

    def ends(self, within_s: float = DEADLINE_S) -> int:
        """Wait until it has ended by itself; return its exit status. Raises ChildError."""
        try:
            status = self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise self.failed("did not", f"end within {within_s:g} s") from None
        self._listener.join()
        return status

    def stop(self, within_s: float = DEADLINE_S) -> int:
        """Ask it to end; return its exit status. Raises ChildError."""
        self._process.terminate()
        return self.ends(within_s)

    # What it costs.

    def cpu(self) -> Cpu:
        """Its processor time up to now, in steps of the kernel's clock (usually 10 ms)."""
        stat = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8")
        fields = stat.rpartition(")")[2].split()  # The name before may hold blanks.
        return Cpu(int(fields[11]) / _TICKS_PER_S, int(fields[12]) / _TICKS_PER_S)

    def loop_cpu(self) -> Cpu:
        """That of its main thread alone, in which a router has its loop."""
        stat = Path(f"/proc/{self.pid}/task/{self.pid}/stat").read_text(encoding="utf-8")
        fields = stat.rpartition(")")[2].split()
        return Cpu(int(fields[11]) / _TICKS_PER_S, int(fields[12]) / _TICKS_PER_S)

    def resident_bytes(self) -> int:
        """Return how much memory it holds at this moment."""
        return self._memory_bytes("VmRSS")

    def peak_bytes(self) -> int:
        """Return the most memory that it has held at once."""
        return self._memory_bytes("VmHWM")

    def _memory_bytes(self, name: str) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        line = next(line for line in status.splitlines() if line.startswith(f"{name}:"))
        return int(line.split()[1]) * 1024


def packages_from(tree: Path) -> dict[str, str]:
    """Return the environment in which Python looks for packages in `tree` first.

    Without PYTHONSAFEPATH the current folder would come before it.
    """
    path = os.pathsep.join(filter(None, [str(tree), os.environ.get("PYTHONPATH")]))
    return {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"}


def router_python() -> Sequence[str]:
    """Return what runs the router: this interpreter, with the sources of this tree.

    Where the compiled core is demanded, that of the environment where it is installed. Raises
    ChildError if that is another interpreter: the two could not be compared.
    """
    if os.environ.get(DEMAND) != COMPILED or not COMPILED_PYTHON.exists():
        return (sys.executable,)
    if COMPILED_PYTHON.resolve() != Path(sys.executable).resolve():
        raise ChildError(f"{COMPILED_PYTHON} is another interpreter than {sys.executable}")
    # Isolated: the router of this tree must not stand before the installed one.
    return (str(COMPILED_PYTHON), "-I")


def as_document(line: str) -> dict[str, object] | None:
    """Return the JSON object that a line is; None for any other line."""
    if not line.startswith("{"):
        return None
    try:
        document = json.loads(line)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def number(document: object, *path: str) -> float:
    """Return a number inside a JSON document. Raises KeyError if there is none."""
    for key in path:
        if not isinstance(document, dict) or key not in document:
            raise KeyError(".".join(path))
        document = document[key]
    if isinstance(document, bool) or not isinstance(document, int | float):
        raise KeyError(f"{'.'.join(path)} is {document!r}, which is no number")
    return document


def until(what: str, ask: Callable[[], T | None], within_s: float = DEADLINE_S) -> T:
    """Ask until there is an answer that is not None or False; return it. Raises ChildError."""
    give_up_at = time.monotonic() + within_s
    while True:
        answer = ask()
        if answer is not None and answer is not False:
            return answer
        if time.monotonic() >= give_up_at:
            raise ChildError(f"waited {within_s:g} s in vain: {what}")
        time.sleep(LOOK_EVERY_S)
