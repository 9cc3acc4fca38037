"""The rules of the house that a program can check: who may import whom, and what stays pure.

Every check takes a path and a text, so that it can be shown a violation; `broken_rules_in` takes a
tree and asks them all. A rule that is in the way is changed here, with its reason, not worked
around where it pinches.
"""

import ast
import io
import os
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from router.telemetry.core import PARTS

STAGES: Final = ("accept", "check", "decide", "enqueue", "forward", "report")
"""The folders of a message's journey; they sort in its order and never import each other."""

LAYERS: Final = {
    "terms": 0,
    "smpp": 1,
    **dict.fromkeys(STAGES, 2),
    "steps": 3,
    "journey": 4,
    **{"settings": 5, "telemetry": 5, "wiring": 6},
}
"""A part of router/ imports only from parts with a smaller number, and from itself."""

OUTSIDE: Final = frozenset({"benchmarks", "simulators", "tests"})
"""These use the router; the router does not know that they exist."""

PURE: Final = frozenset(PARTS)
"""Handed bytes and `now`, these say what to do; that is what lets tests run 72 hours at once."""

SHELLS: Final = {
    "router/accept/server.py": "owns the listeners and the clients' connections",
    "router/enqueue/lock_file.py": "locks the journal, and remembers how far it was committed",
    "router/enqueue/rescue.py": "reads a damaged journal, and makes a new one",
    "router/enqueue/retention.py": "deletes old rows of the journal's file",
    "router/enqueue/sqlite.py": "owns the journal's thread, which writes and reads",
    "router/enqueue/sqlite_file.py": "locks and opens the journal's file",
    "router/enqueue/sqlite_read.py": "reads the journal's file, and knows how old that is",
    "router/forward/bind.py": "owns the connection of one bind",
    "router/forward/outbind.py": "owns the connections of operators that call us",
}
"""The files of the stages that do what the pure ones decide. Keep the list short."""

SPEAKS_AIOSMPPLIB: Final = frozenset({"router/smpp/vocabulary.py", "router/smpp/text.py"})
"""Its enumerations and its text codecs, wrapped once; the rest of the core knows ours."""

SPEAKS_PHONENUMBERS: Final = frozenset({"router/check/country.py", "router/check/numbering.py"})
"""A numbering plan is a table: the library reads no clock, no network, and no file but its own."""

IMPURE: Final = frozenset(
    {
        *("asyncio", "concurrent", "ctypes", "http", "importlib", "logging", "multiprocessing"),
        *("os", "random", "secrets", "select", "selectors", "shutil", "signal", "socket"),
        *("sqlite3", "ssl", "subprocess", "tempfile", "threading", "time", "urllib", "uuid"),
    }
)
"""Clock, chance, disk, network, threads, log, in the standard library. All else outside it too."""

MOST_OWN_FIELDS: Final = 12
"""Of a step. What is handed to its constructor does not count: that is another's."""

IMPURE_CALLS: Final = frozenset({"__import__", "breakpoint", "input", "open", "print"})
"""Built in, so no import gives them away."""

OLDEST_FIRST: Final = "router/terms/oldest_first.py"
"""The one file that may look for the oldest entry of a mapping; all others ask it."""

CLOCK_CALLS: Final = frozenset({"now", "today", "utcnow"})
"""Of datetime and date. That a time zone is named where one matters is ruff's business (DTZ)."""

NOT_IN_UNIT_TESTS: Final = frozenset({"http", "multiprocessing", "socket", "ssl", "subprocess"})
"""A unit test that needs one of these is an e2e test."""

MACHINE_PATH: Final = re.compile(rb"/work" + rb"/|/tmp" + rb"/v\b")
"""Where somebody once built this; on every other machine such a path leads nowhere."""

DOCUMENT: Final = re.compile(r"[\w./-]*\w\.md\b")
"""A document that a comment or a docstring sends its reader to."""


def broken_rules_in(root: Path) -> list[str]:
    """Every violation in the tree at `root`, each with its file, most with a line."""
    found: list[str] = []
    steps: dict[str, set[str]] = {}
    files = frozenset(files_in(root))
    for file in sorted(files):
        path = file.relative_to(root).as_posix()
        octets = file.read_bytes()
        if path.startswith("router/steps/") and file.suffix == ".py":
            steps[file.stem] = _steps_imported(path, octets.decode())
        found += machine_paths(path, octets)
        if file.suffix == ".py":
            found += broken_rules(path, octets.decode())
            found += missing_documents(path, octets.decode(), root, files)
            if path.startswith(("router/", "simulators/")):
                found += _folder_without_package(file, path, files)
    return found + _circle_of(steps)


def files_in(root: Path) -> list[Path]:
    """The files that the rules judge: those that git tracks, staged ones included.

    A developer's untracked notes and trials break no rule until they are added. Where `root` is no
    checkout (a source distribution), or git does not answer, all files that could be committed.
    """
    tracked = _tracked(root)
    return list(_files(root)) if tracked is None else tracked


def broken_rules(path: str, source: str) -> list[str]:
    """What the Python text `source` would break if it stood at `path`."""
    try:
        tree = ast.parse(source, filename=path)
    except SyntaxError as error:
        return [f"{path}:{error.lineno}: does not parse: {error.msg}"]
    found = [*_docstring(tree), *_package(path, tree)]
    parts = PurePosixPath(path).with_suffix("").parts
    if parts[0] == "router":
        found += _arrows(parts, tree)
        if is_pure(path):
            found += _purity(path, tree)
        if path != "router/terms/message.py":
            found += _states(tree)
        if path != OLDEST_FIRST:
            found += _oldest(tree)
        if parts[1] == "steps" or parts == ("router", "journey"):
            found += _step(tree, most_fields=None if parts[1] == "journey" else MOST_OWN_FIELDS)
    elif parts[:2] == ("tests", "unit"):
        found += _unit_test(tree)
    return [f"{path}:{line}: {says}" for line, says in sorted(found)]


def machine_paths(path: str, octets: bytes) -> list[str]:
    """Paths of one machine in a file of any kind."""
    found = []
    for hit in MACHINE_PATH.finditer(octets):
        line = octets.count(b"\n", 0, hit.start()) + 1
        found.append(f"{path}:{line}: a path of one machine: {hit[0].decode()}")
    return found


def missing_documents(path: str, source: str, root: Path, files: frozenset[Path]) -> list[str]:
    """Documents that comments and docstrings of the Python text name and that are not there.

    A document may be named from the root or by the end of its path.
    """
    if ".md" not in source:
        return []
    there = {f"/{file.relative_to(root).as_posix()}" for file in files if file.suffix == ".md"}
    return [
        f"{path}:{line}: names {name}, which is not in this repository"
        for line, text in _prose(source)
        for name in DOCUMENT.findall(text)
        if not any(one.endswith(f"/{name}") for one in there)
    ]


def is_pure(path: str) -> bool:
    """Whether the file at `path` must do without clock, chance, disk and network."""
    parts = PurePosixPath(path).with_suffix("").parts
    return parts[0] == "router" and parts[1] in PURE and path not in SHELLS


Finding = tuple[int, str]
"""A line and what is wrong there."""


def _tracked(root: Path) -> list[Path] | None:
    """What git tracks below `root`; None where `root` is not the top of a checkout.

    Only the top counts: a source distribution unpacked inside another project's checkout would
    be judged by that project's list.
    """
    if not (root / ".git").exists():  # A file in a worktree, a folder elsewhere.
        return None
    # In a hook git names its own repository and index in the environment; `root` may be another.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    command = ("git", "-C", str(root), "ls-files", "-z")
    try:
        done = subprocess.run(command, env=environment, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):  # No git here, or a checkout of another user.
        return None
    paths = [root / os.fsdecode(name) for name in done.stdout.split(b"\0") if name]
    return [path for path in paths if path.is_file()]  # Not those that are deleted by now.


def _files(root: Path) -> Iterator[Path]:
    """Every file that could be committed: only two hidden folders, nothing that a tool made."""
    for entry in root.iterdir():
        if entry.is_dir():
            made = entry.name in {"__pycache__", "build", "dist"}
            if entry.name in {".ci", ".github"} or not (made or entry.name.startswith(".")):
                yield from _files(entry)
        # In a worktree .git is a file.
        elif entry.name != ".git" and not entry.name.endswith((".db", ".db-wal", ".db-shm")):
            yield entry


def _docstring(tree: ast.Module) -> Iterator[Finding]:
    if not ast.get_docstring(tree):
        yield 1, "no docstring: its first line says what the file is for"


def _prose(source: str) -> Iterator[Finding]:
    """Every comment and every string that is a statement, with the line where it begins."""
    begins = True
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT or (begins and token.type == tokenize.STRING):
                yield token.start[0], token.string
            if token.type not in (tokenize.COMMENT, tokenize.NL):
                begins = token.type in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
    except (tokenize.TokenError, SyntaxError):  # Told by `broken_rules`.
        return


def _package(path: str, tree: ast.Module) -> Iterator[Finding]:
    if PurePosixPath(path).name == "__init__.py" and len(tree.body) > 1:
        line = tree.body[1].lineno
        yield line, "a package's __init__.py holds its docstring and nothing else"


def _folder_without_package(file: Path, path: str, files: frozenset[Path]) -> list[str]:
    if file.parent / "__init__.py" in files:
        return []
    return [f"{path}:1: its folder has no __init__.py to say what the folder is for"]


def _arrows(parts: tuple[str, ...], tree: ast.Module) -> Iterator[Finding]:
    """The arrows between the parts of router/, and none that lead out of it."""
    here = parts[1]
    if here == "__init__":
        return
    if here not in LAYERS:
        yield 1, f"router/{here} has no place in the layers: give it one in tests/house_rules.py"
        return
    for line, module in _imports(parts, tree):
        top, _, rest = module.partition(".")
        there = rest.partition(".")[0]
        if top in OUTSIDE:
            yield line, f"router never imports {top}"
        elif top != "router" or there == here:
            continue
        elif there in STAGES and here in STAGES:
            yield line, f"{here} imports {there}: stages meet only in the journey"
        elif there not in LAYERS or LAYERS[there] >= LAYERS[here]:
            yield line, f"{here} imports {module}: the arrow points the other way"


def _purity(path: str, tree: ast.Module) -> Iterator[Finding]:
    parts = PurePosixPath(path).with_suffix("").parts
    for line, module in _imports(parts, tree):
        top = module.partition(".")[0]
        if top == "aiosmpplib" and path in SPEAKS_AIOSMPPLIB:
            continue
        if top == "phonenumbers" and path in SPEAKS_PHONENUMBERS:
            continue
        if top in IMPURE:
            yield line, f"a pure file imports {top}: time, chance and I/O are handed in"
        elif top != "router" and top not in sys.stdlib_module_names:
            yield line, f"a pure file imports {top}: only the standard library"
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        match node.func:
            case ast.Name(id=name) if name in IMPURE_CALLS:
                yield node.lineno, f"a pure file calls {name}()"
            case ast.Attribute(attr=name) if name in CLOCK_CALLS and _is_calendar(node.func.value):
                yield node.lineno, f"a pure file reads a clock: {ast.unparse(node.func)}()"


def _step(tree: ast.Module, most_fields: int | None) -> Iterator[Finding]:
    """What makes a step a plain object that owns its state; the journey only builds them."""
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(name=name, bases=bases):
                is_protocol = any(ast.unparse(base) == "Protocol" for base in bases)
                for base in () if is_protocol else bases:
                    yield node.lineno, f"{name} inherits from {ast.unparse(base)}: compose"
                own = _own_fields(node)
                if most_fields is not None and len(own) > most_fields:
                    yield node.lineno, f"{name} has {len(own)} fields of its own: it is several"
            case ast.Raise(exc=ast.expr() as exc) if "NotImplementedError" in ast.unparse(exc):
                yield node.lineno, "raises NotImplementedError: hand in what is missing"
            case ast.Attribute(value=value, attr=attr) if attr.startswith("_"):
                whose = ast.unparse(value)
                if not attr.startswith("__") and whose not in {"self", "cls"}:
                    yield node.lineno, f"{whose}.{attr} is another object's: ask for a verb"


def _states(tree: ast.Module) -> Iterator[Finding]:
    """A message's doubt and mark are set by events, in one file; its state too."""
    for node in ast.walk(tree):
        for target in node.targets if isinstance(node, ast.Assign) else ():
            if ast.unparse(target) in {"message.state", "message.mark", "message.in_doubt"}:
                yield (
                    target.lineno,
                    f"{ast.unparse(target)} is set by an event: `enter`, `set_mark`",
                )


def _oldest(tree: ast.Module) -> Iterator[Finding]:
    """The oldest entry of a mapping: a plain dict walks there over all that were deleted before."""
    use = "`OldestFirst` of terms/oldest_first.py; of what never changes, `first, *_ = ...`"
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        match node.func, [*node.args, *(keyword.value for keyword in node.keywords)]:
            case ast.Name(id="next"), [ast.Call(func=made), *_] if ast.unparse(made).rpartition(
                "."
            )[2] in {"iter", "__iter__"}:
                yield node.lineno, f"{ast.unparse(node)} walks over deleted entries: {use}"
            case ast.Attribute(attr="popitem"), [last] if ast.unparse(last) != "True":
                yield node.lineno, f"{ast.unparse(node)} takes the oldest entry: {use}"
            case _:
                pass


def _own_fields(step: ast.ClassDef) -> set[str]:
    """The fields that `__init__` makes; what it was handed is a reference to another's."""
    own: set[str] = set()
    for method in step.body:
        if not (isinstance(method, ast.FunctionDef) and method.name == "__init__"):
            continue
        arguments = [*method.args.args, *method.args.kwonlyargs]
        handed_in = {argument.arg for argument in arguments}
        for node in ast.walk(method):
            if isinstance(node, ast.Assign):
                targets = node.targets
            elif isinstance(node, ast.AnnAssign):
                targets = [node.target]
            else:
                continue
            if isinstance(node.value, ast.Name) and node.value.id in handed_in:
                continue
            own |= {one.attr for one in targets if isinstance(one, ast.Attribute)}
    return own


def _steps_imported(path: str, source: str) -> set[str]:
    """The other steps that the step at `path` imports."""
    parts = PurePosixPath(path).with_suffix("").parts
    try:
        tree = ast.parse(source)
    except SyntaxError:  # Told by `broken_rules`.
        return set()
    modules = [module.split(".") for _, module in _imports(parts, tree)]
    return {names[2] for names in modules if names[:2] == ["router", "steps"] and len(names) > 2}


def _circle_of(steps: dict[str, set[str]]) -> list[str]:
    """The first circle among the steps, if there is one."""

    def way_back(to: str, way: tuple[str, ...]) -> tuple[str, ...] | None:
        for step in sorted(steps.get(way[-1], ())):
            if step == to:
                return (*way, step)
            if step not in way and (found := way_back(to, (*way, step))) is not None:
                return found
        return None

    for step in steps:
        circle = way_back(step, (step,))
        if circle is not None:
            first = circle.index(min(circle))
            turned = (*circle[first:-1], *circle[:first], circle[first])
            return [f"router/steps:1: steps import each other: {' -> '.join(turned)}"]
    return []


def _is_calendar(value: ast.expr) -> bool:
    return ast.unparse(value) in {"datetime", "date", "datetime.datetime", "datetime.date"}


def _unit_test(tree: ast.Module) -> Iterator[Finding]:
    for line, module in _imports(("tests", "unit", ""), tree):
        top = module.partition(".")[0]
        if top in NOT_IN_UNIT_TESTS:
            yield line, f"a unit test imports {top}: no port and no process there"
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        # sleep(0) only gives up the loop's turn.
        if called.rpartition(".")[2] == "sleep" and [ast.unparse(a) for a in node.args] != ["0"]:
            yield node.lineno, f"a unit test sleeps: {ast.unparse(node)}"


def _imports(parts: tuple[str, ...], tree: ast.Module) -> Iterator[Finding]:
    """Every imported name in full, wherever the import stands; what a type needs counts too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = list(parts[: len(parts) - node.level]) if node.level else []
            for alias in node.names:
                yield node.lineno, ".".join([*base, *filter(None, [node.module]), alias.name])
