"""Reads settings in a process of its own, for a process that has other things to do.

To read a configuration takes a tenth of a second of the interpreter, and several seconds with a
hundred thousand prefixes; a thread would take them from the loop. What comes back is the settings,
pickled: to make them again takes a fifth of the time of reading them. Within a minute of the last
reading, a route, an account or an operator that is as it was is not sent again but told by its
number; it stays the same object, so that it is equal at a glance.

The process starts with the first reading and ends when it was not asked for a minute. It may be of
another version of this program than ours, put in its place meanwhile: then it may read other keys,
and its settings may be other objects, so nothing is read.

    ours -> reader   a path and an environment
    reader -> ours   what it is made of, and an outcome
    both ways        8 octets with the length, and a pickle
"""

import hashlib
import os
import pickle
import select
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from io import BytesIO
from operator import attrgetter
from pathlib import Path
from struct import Struct
from types import FunctionType
from typing import IO, Any, Final

import yaml

from router.settings.environment import Environment, Withheld
from router.settings.load import load_whole, without_collector
from router.settings.mistakes import Mistake, SettingsError
from router.terms.settings import (
    AccountSettings,
    OperatorSettings,
    RouteSettings,
    SeenFile,
    Settings,
)

IDLE_S: Final = 60.0
"""How long a reader waits for the next path. What it has read it would keep for ever."""
PATIENCE_S: Final = 20.0
"""How long a reader may take that has only the processor's time that nobody else wants. Where there
is none, another one takes its part."""
LONGEST_S: Final = 200.0
"""How long that one may take: a dead network drive must not hold up all later reloads."""
NICE: Final = 15
"""How small that part is: a tenth of what a process usually has, or less."""
LET_GO: Final = 500
"""Routes of settings that are freed at once: less than a millisecond."""
MOST_MISTAKES: Final = 1_000
"""Mistakes that are sent; the others are counted. One typo of a program that writes the file can be
one in each of a hundred thousand routes, and more than these nobody reads."""
_LENGTH: Final = Struct("<Q")
_HERE: Final = Path(__file__).resolve().parent
_OURS: Final = Path(sys.executable).parent.resolve() / Path(sys.executable).name
"""Our interpreter, also when a link to its folder has been turned to another version."""


def _made_of() -> bytes:
    """Return a digest of this program, and of what else reading depends on."""
    versions = f"{sys.implementation.cache_tag} {yaml.__version__}"
    found = hashlib.sha256(versions.encode())
    for file in sorted(_HERE.parent.rglob("*")):
        if file.suffix in (".py", ".so"):
            found.update(str(file.relative_to(_HERE.parent)).encode())
            found.update(file.read_bytes())
    return found.digest()


MADE_OF: Final = _made_of()
"""What we are made of, found when this is imported: the files may be others later."""


Runs = list[range | list[RouteSettings]]
"""Routes: the numbers of those that were there the last time, and new ones."""
_Refused = tuple[list[Mistake], Mapping[Path, SeenFile], int]
_Outcome = tuple[Settings, Runs] | _Refused | str
"""Settings, their routes apart; mistakes, the files they are in, and how many more there are; or
the trace of an error of ours."""


def let_go(left: list[Settings]) -> None:
    """Forget the settings in a list, which nobody else needs, a few routes at a time.

    The interpreter lets no other thread run while it frees a hundred thousand of them at once.
    """
    routes = list(left.pop().routes) if left else []
    while routes:
        del routes[-LET_GO:]
        time.sleep(0)


class ReaderError(Exception):
    """The settings could not be read, through no fault of their files."""

    def __init__(self, why: str, trace: str = "") -> None:
        """`trace` is that of an error of ours, in the other process."""
        super().__init__(why)
        self.trace: Final = trace
        if trace:
            self.add_note(trace)


class Reader:
    """Reads settings in another process. For any thread; one reading at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._last: Settings | None = None
        """What the process has sent last."""
        self._one_at_a_time: Final = threading.Lock()
        self._is_closed = False

    def read(self, path: Path, environment: Environment) -> Settings:
        """Return the settings in a file or folder. Raises SettingsError, or ReaderError."""
        if not isinstance(environment, Withheld):
            environment = dict(environment)  # That of a process is no plain mapping.
        asked = pickle.dumps((path, environment))
        with self._one_at_a_time:
            try:
                outcome = self._outcome(asked)
            except BaseException:  # It may have more to say, and believe that we have it all.
                self._end()
                raise
            match outcome:
                case Settings() as settings, runs:
                    settings = _joined(settings, runs, self._last)
                    self._keep(settings)
                    return settings
                case str():
                    what = "an error of the router; `smpp-router check` shows it, too"
                    raise ReaderError(what, trace=outcome)
                case mistakes, files, left_out:
                    raise SettingsError(mistakes, files, left_out)

    def close(self) -> None:
        """End the process, and read no more: a reading that goes on in another thread fails."""
        self._is_closed = True
        process = self._process
        if process is not None:
            process.kill()
        with self._one_at_a_time:
            self._end()

    def tidy(self) -> None:
        """Let go of a process that has ended, and of what it had sent."""
        with self._one_at_a_time:
            if self._process is not None and self._process.poll() is not None:
                self._end()

    def _outcome(self, asked: bytes) -> _Outcome:
        unpickler = _Unpickler(BytesIO(self._answered(asked)), _parts_of(self._last))
        with without_collector():
            outcome: _Outcome = unpickler.load()
        return outcome

    def _keep(self, settings: Settings | None) -> None:
        left = [] if self._last is None else [self._last]
        self._last = settings
        let_go(left)

    def _end(self) -> None:
        process, self._process = self._process, None
        self._keep(None)
        if process is not None:
            process.kill()
            process.wait()
            for pipe in _pipes(process):
                with suppress(OSError):
                    pipe.close()

    def _start(self, *, is_idle: bool) -> None:
        """Start a process, in the place of another."""
        self._end()
        where = str(_HERE.parent.parent)
        paths = os.pathsep.join(filter(None, (where, os.environ.get("PYTHONPATH"))))
        try:
            self._process = subprocess.Popen(  # All of it is ours.
                # Without -P a module in the working folder would go before ours.
                [_OURS, "-P", "-c", f"from {__name__} import main; main(is_idle={is_idle})"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": paths},
                # So that Ctrl-C is for the router alone. No session of its own: the kernel shares
                # the processor among sessions first, and then being nice is no help.
                process_group=0,
            )
        except OSError as error:
            what = f"{_OURS}: {error.strerror}"
            raise ReaderError(f"no process could be started to read the files: {what}") from error
        if self._is_closed:  # Looked at when there is one: `close` ends those that it finds.
            self._end()
            raise ReaderError("the router ends")

    def _answered(self, asked: bytes) -> bytes:
        """Ask the process that is there; else a new one; else one that takes its part.

        Raises ReaderError where none answers.
        """
        try:
            if self._process is not None:
                with suppress(_EndedError):  # It has waited long enough, as a rule.
                    return self._ask(asked, PATIENCE_S)
            self._start(is_idle=True)
            return self._ask(asked, PATIENCE_S)
        except TimeoutError:
            self._start(is_idle=False)
        try:
            return self._ask(asked, LONGEST_S)
        except TimeoutError as error:
            what = f"the files could not be read within {LONGEST_S:g} s; is their disk well?"
            raise ReaderError(what) from error

    def _ask(self, asked: bytes, within_s: float) -> bytes:
        """Ask the process. Raises _EndedError where it ends before it answers, and TimeoutError."""
        assert self._process is not None
        questions, answers = _pipes(self._process)
        until = time.monotonic() + within_s
        try:
            _write(questions, asked)
            made_of = _read_until(answers.fileno(), until)
            if made_of != MADE_OF:
                raise ReaderError(
                    "the program's files have changed since the router was started; restart it"
                )
            return _read_until(answers.fileno(), until)
        except (EOFError, BrokenPipeError) as error:
            raise _EndedError(self._process.wait()) from error


class _EndedError(ReaderError):
    """The process has ended before it had answered."""

    def __init__(self, status: int) -> None:
        how = f"killed by signal {-status}" if status < 0 else f"with status {status}"
        why = "; is there memory for it?" if status == -signal.SIGKILL else ""
        super().__init__(f"the process that reads the configuration ended, {how}{why}")


def _parts_of(settings: Settings | None) -> list[object]:
    """Return what is told by its number where it stays the same, but routes."""
    if settings is None:
        return []
    return [*settings.accounts.values(), *settings.operators.values()]


def _joined(settings: Settings, runs: Runs, last: Settings | None) -> Settings:
    """Return the settings with their routes."""
    routes: list[RouteSettings] = []
    for run in runs:
        if isinstance(run, range):
            assert last is not None
            routes += last.routes[run.start : run.stop]
        else:
            routes += run
    return replace(settings, routes=tuple(routes))


class _Unpickler(pickle.Unpickler):
    """Makes settings of what our own process has written."""

    def __init__(self, file: BytesIO, parts: list[object]) -> None:
        super().__init__(file)
        self._parts: Final = parts

    def find_class(self, module: str, name: str) -> object:
        """Return what a name in a pickle stands for."""
        if (module, name) == (__name__, _part.__name__):
            return self._parts.__getitem__
        return super().find_class(module, name)


def _part(number: int) -> object:
    """Stand, in a pickle, for the part of this number."""
    raise NotImplementedError(number)


def _made(kind: type, values: Mapping[str, object]) -> object:
    """Make an object of a class that knows no other way, because it is frozen and compiled."""
    return kind(**values)


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


def _write(pipe: IO[bytes], octets: bytes) -> None:
    pipe.write(_LENGTH.pack(len(octets)))
    pipe.write(octets)
    pipe.flush()


def _read_until(pipe: int, until: float) -> bytes:
    """Return what the other end has written. Raises TimeoutError, or EOFError if it has ended."""
    (length,) = _LENGTH.unpack(_octets_until(pipe, _LENGTH.size, until))
    return _octets_until(pipe, length, until)


def _octets_until(pipe: int, count: int, until: float) -> bytes:
    found = bytearray()
    asked = select.poll()  # Not `select.select`: a router of a thousand binds has higher numbers.
    asked.register(pipe, select.POLLIN)
    while len(found) < count:
        if not asked.poll(max(0.0, until - time.monotonic()) * 1000):
            raise TimeoutError
        octets = os.read(pipe, count - len(found))
        if not octets:
            raise EOFError
        found += octets
    return bytes(found)


# The reader.


class _Pickler(pickle.Pickler):
    """Writes settings as what differs from others."""

    def __init__(self, file: BytesIO, known: Mapping[bytes, int]) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._known: Final = known

    def reducer_override(self, obj: object) -> Any:
        """Return how to make a part that is known, and what a compiled class is made of."""
        if isinstance(obj, AccountSettings | OperatorSettings) and self._known:
            number = self._known.get(_written(obj, {}))
            if number is not None:
                return _part, (number,)
        # That of a compiled class sets attributes, which a frozen one refuses.
        set_state = getattr(type(obj), "__setstate__", None)
        if is_dataclass(obj) and not isinstance(obj, type) and type(set_state) is not FunctionType:
            return _made, (type(obj), {one.name: getattr(obj, one.name) for one in fields(obj)})
        return NotImplemented


def _written(value: object, known: Mapping[bytes, int]) -> bytes:
    file = BytesIO()
    _Pickler(file, known).dump(value)
    return file.getvalue()


class _Last:
    """What was sent last, as the numbers of its parts."""

    def __init__(self, settings: Settings | None) -> None:
        routes = () if settings is None else settings.routes
        self._routes: Final = {_said_by(one): number for number, one in enumerate(routes)}
        self._parts: Final = {
            _written(one, {}): number for number, one in enumerate(_parts_of(settings))
        }

    def write(self, outcome: _Outcome) -> bytes:
        """Return an outcome as it is sent."""
        return _written(outcome, self._parts)

    def runs(self, routes: Sequence[RouteSettings]) -> Runs:
        """Return routes as what they were."""
        runs: Runs = []
        for route in routes:
            number = self._routes.get(_said_by(route))
            last = runs[-1] if runs else None
            if number is None:
                if isinstance(last, list):
                    last.append(route)
                else:
                    runs.append([route])
            elif isinstance(last, range) and last.stop == number:
                runs[-1] = range(last.start, number + 1)
            else:
                runs.append(range(number, number + 1))
        return runs


def _refused(error: SettingsError) -> _Refused:
    told = error.mistakes[:MOST_MISTAKES]
    return told, error.files, error.count - len(told)


_said_by: Final = attrgetter(*(one.name for one in fields(RouteSettings)))


def main(*, is_idle: bool) -> None:
    """Read what is asked for, until nothing is."""
    with suppress(OSError):  # Where that is not allowed it takes what it gets.
        os.nice(NICE)
    if is_idle and hasattr(os, "SCHED_IDLE"):  # Only Linux has it.
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    with suppress(OSError):  # Where memory ends, it is this process that ends, and not the router.
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    last = _Last(None)
    while True:
        try:
            asked = _read_until(questions.fileno(), time.monotonic() + IDLE_S)
        except (TimeoutError, EOFError):
            return
        path, environment = pickle.loads(asked)
        settings = None
        outcome: _Outcome
        try:
            settings = load_whole(path, environment)
        except SettingsError as error:
            outcome = _refused(error)
        except Exception:  # noqa: BLE001 - Whoever has asked tells it.
            outcome = traceback.format_exc()
        else:
            outcome = replace(settings, routes=()), last.runs(settings.routes)
        answer = last.write(outcome)
        try:
            _write(answers, MADE_OF)
            _write(answers, answer)
        except BrokenPipeError:  # Nobody wants to know any more, not even what cannot be flushed.
            os._exit(0)
        if settings is not None:
            last = _Last(settings)
