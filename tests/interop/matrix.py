"""The interop matrix: which library, in which version and role, has been seen to do what.

Each test of this folder says what it shows, with a mark for each library that takes part:

    @pytest.mark.shows("node-smpp", "client", "transceiver", "receipts")

At the end of a run the matrix of what was run is printed, with what was skipped and why, and what
tshark has read. `--interop-matrix docs/interop.md` writes it as a page as well. A feature counts
where every test passed that says so. This is a plugin of pytest, loaded by tests/conftest.py: with
several processes only the one that starts the others prints.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from importlib import metadata
from pathlib import Path
from typing import Final

import pytest

from benchmarks.processes import ROOT
from tests.interop.scripts import PEERS

MARK: Final = "shows"
READ: Final = "read_by_tshark"
"""The property of a test that tells how many PDUs of the router's tshark has read after it."""
OPTION: Final = "--interop-matrix"
PAGE: Final = ROOT / "docs" / "interop.md"
ROLES: Final = ("client", "operator", "proxy", "parser")
"""What a library is to the router; a parser only reads what another client was sent."""


def _of_package(name: str, folder: str | None = None) -> Callable[[], str | None]:
    """A Python package, of this environment or in a folder of `make peers`."""

    def version() -> str | None:
        where = sys.path if folder is None else [str(PEERS / folder)]
        found = list(metadata.distributions(name=name, path=where))
        return found[0].version if found else None

    return version


def _of_node(name: str) -> Callable[[], str | None]:
    """A package of npm."""

    def version() -> str | None:
        path = PEERS / "node" / "node_modules" / name / "package.json"
        return str(json.loads(path.read_bytes())["version"]) if path.exists() else None

    return version


def _of_program(*command: str) -> Callable[[], str | None]:
    """A program that prints its version."""

    def version() -> str | None:
        program = shutil.which(command[0]) or shutil.which(command[0], path="/usr/sbin")
        if program is None:
            return None
        done = subprocess.run(
            [program, *command[1:]], capture_output=True, text=True, check=False, timeout=60
        )
        found = re.search(r"\d+(?:\.\d+)+", done.stdout + done.stderr)
        return None if found is None else found[0]

    return version


LIBRARIES: Final[dict[str, Callable[[], str | None]]] = {
    "aiosmpplib": _of_package("aiosmpplib"),
    "HAProxy": _of_program("haproxy", "-v"),
    "Jasmin": _of_package("jasmin", "jasmin"),
    "Kannel": _of_program("bearerbox", "--version"),
    "node-smpp": _of_node("smpp"),
    "php-smpp's pattern, in PHP": _of_program("php", "--version"),
    "rusmppyc": _of_package("rusmppyc", "rusmppyc"),
    "smpp.twisted3": _of_package("smpp.twisted3", "twisted"),
    "smpp34": _of_package("smpp34"),
    "smpplib": _of_package("smpplib"),
    "smppy": _of_package("smppy", "smppy"),
}
"""The libraries that a mark may name, and how the version of each is found."""


class Outcome(IntEnum):
    """How a test went; the highest of its phases and examples counts."""

    SKIPPED = 0
    PASSED = 1
    FAILED = 2


_OUTCOMES: Final = {"passed": Outcome.PASSED, "failed": Outcome.FAILED, "skipped": Outcome.SKIPPED}


@dataclass
class Row:
    """What is known of one library in one role."""

    features: dict[str, Outcome] = field(default_factory=dict)
    """By feature, the highest outcome of a test that shows it."""
    tests: dict[str, Outcome] = field(default_factory=dict)
    """By test (file::function), the highest outcome of its examples."""
    reasons: dict[str, str] = field(default_factory=dict)
    """Why a test was skipped."""


@dataclass
class Matrix:
    """All rows of a run."""

    rows: dict[tuple[str, str], Row] = field(default_factory=dict)
    """By library and role."""
    pdus: int = 0
    read: int = 0
    """How many tests' captures tshark has read, with so many PDUs of the router's."""
    unread: int = 0
    """Tests after which it could not."""

    def add(self, test: str, shown: Sequence[Sequence[str]], outcome: Outcome, reason: str) -> None:
        """Note one example of a test, which has ended."""
        for library, role, *features in shown:
            row = self.rows.setdefault((library, role), Row())
            row.tests[test] = max(row.tests.get(test, outcome), outcome)
            if reason:
                row.reasons[test] = reason
            for feature in features:
                row.features[feature] = max(row.features.get(feature, outcome), outcome)

    def table(self) -> Iterator[tuple[str, str, str, str]]:
        """Yield library, version, role and features that were seen, sorted."""
        for (library, role), row in sorted(self.rows.items(), key=_by_name):
            seen = [name for name, outcome in row.features.items() if outcome == Outcome.PASSED]
            failed = [name for name, outcome in row.features.items() if outcome == Outcome.FAILED]
            told = sorted(seen, key=str.lower)
            if failed:
                told.append(f"FAILED: {' and '.join(failed)}")
            words = ", ".join(told)
            yield library, LIBRARIES[library]() or "not there", role, words or "-"

    def left_out(self) -> Iterator[tuple[str, str, str]]:
        """Yield library, test and reason of what was skipped."""
        for (library, _), row in sorted(self.rows.items(), key=_by_name):
            for test, reason in sorted(row.reasons.items()):
                yield library, test, reason

    def tshark(self) -> str:
        """What tshark has read, in a sentence."""
        if self.unread:
            return f"tshark is not there: what the router wrote in {self.unread} tests is not read."
        return (
            f"tshark has read {self.pdus} PDUs that the router wrote in {self.read} tests; "
            "a test in which one is malformed fails."
        )

    def page(self) -> Iterator[str]:
        """Yield the lines of docs/interop.md."""
        yield "# Interoperation"
        yield ""
        yield "Clients, operators and proxies that others wrote, and what each has been seen to do"
        yield "with the router. Written by `make interop`, from the tests that passed; do not edit."
        yield "Each run of `tests/interop` prints the table. A version is that of the package that"
        yield "the tests found."
        yield ""
        yield "The role is what the library is to the router: a client of it, an operator behind"
        yield "it, a proxy before it, or a parser of the receipts that another client was sent."
        yield ""
        yield "| library | version | role | features |"
        yield "|---|---|---|---|"
        for cells in self.table():
            yield f"| {' | '.join(cells)} |"
        yield ""
        yield "## What the router wrote meanwhile"
        yield ""
        yield f"{self.tshark()} TLS cannot be read and is left out."
        yield ""
        yield "## Left out"
        yield ""
        skipped = [f"- {library}: `{test}`: {why}" for library, test, why in self.left_out()]
        yield from skipped or ["Nothing: all peers were there."]
        yield ""
        yield "## The tests"
        yield ""
        yield "| library | role | test |"
        yield "|---|---|---|"
        for (library, role), row in sorted(self.rows.items(), key=_by_name):
            for test in sorted(row.tests):
                yield f"| {library} | {role} | `{test}` |"


def _by_name(item: tuple[tuple[str, str], Row]) -> tuple[str, str]:
    (library, role), _ = item
    return library.lower(), role


class Plugin:
    """Gathers the rows from the reports of the tests, whichever process ran them."""

    def __init__(self) -> None:
        self.matrix = Matrix()
        self._outcomes: dict[str, Outcome] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Have each report carry what its test shows."""
        for item in items:
            marks = list(item.iter_markers(MARK))
            if not marks:
                continue
            for mark in marks:
                library, role, *_ = mark.args
                if library not in LIBRARIES or role not in ROLES:
                    raise pytest.UsageError(f"{item.nodeid} shows an unknown {library!r}, {role!r}")
            item.user_properties.append((MARK, [list(mark.args) for mark in marks]))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note how a phase of a test went."""
        told = dict(report.user_properties)
        shown = told.get(MARK)
        if not isinstance(shown, list):
            return
        outcome = _OUTCOMES[report.outcome]
        reason = ""
        if isinstance(report.longrepr, tuple):
            reason = str(report.longrepr[2]).removeprefix("Skipped: ")
        name = report.nodeid
        # The set-up of a test that is skipped within has passed.
        if report.when == "setup" and outcome == Outcome.PASSED:
            return
        if report.when == "teardown":
            if self._outcomes.pop(name, Outcome.SKIPPED) == Outcome.PASSED:
                pdus = told.get(READ)
                self.matrix.read += pdus is not None
                self.matrix.unread += pdus is None
                self.matrix.pdus += int(str(pdus or 0))
            if outcome != Outcome.FAILED:
                return
        else:
            self._outcomes[name] = outcome
        self.matrix.add(name.partition("[")[0], shown, outcome, reason)


_KEY: Final = pytest.StashKey[Plugin]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the page's path."""
    parser.addoption(OPTION, metavar="PATH", help="write the interop matrix there, as a page")


def pytest_configure(config: pytest.Config) -> None:
    """Begin to gather."""
    plugin = config.stash[_KEY] = Plugin()
    config.pluginmanager.register(plugin)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the matrix, and write the page if that is asked for."""
    matrix = config.stash[_KEY].matrix
    if not matrix.rows:
        return
    rows = [("library", "version", "role", "features"), *matrix.table()]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    terminalreporter.section("interop")
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        terminalreporter.write_line("  ".join([*cells, row[3]]))
    terminalreporter.write_line(matrix.tshark())
    reasons: dict[tuple[str, str], int] = {}
    for library, _, why in matrix.left_out():
        reasons[library, why] = reasons.get((library, why), 0) + 1
    for (library, why), count in reasons.items():
        terminalreporter.write_line(f"skipped: {library}: {why} (tests: {count})")
    path = config.getoption(OPTION)
    if path is not None:
        Path(path).write_text("\n".join([*matrix.page(), ""]), encoding="utf-8")
        terminalreporter.write_line(f"written: {path}")
