"""tests/house_rules.py: the tree keeps every rule, and every rule notices when it is broken."""

from pathlib import Path

import pytest

from tests.house_rules import SHELLS, broken_rules, broken_rules_in, is_pure, machine_paths

ROOT = Path(__file__).parents[2]


def broken(path: str, code: str) -> list[str]:
    """What `code`, under a docstring, would break at `path`."""
    return broken_rules(path, f'"""A planted file."""\n{code}\n')


def test_tree_keeps_every_rule() -> None:
    assert broken_rules_in(ROOT) == []


def test_walk_reads_every_folder_but_what_tools_made(tmp_path: Path) -> None:
    folders = ("router/smpp", "tests/unit", ".ci", ".github", "router/__pycache__", ".venv/lib")
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "__init__.py").write_text("import socket\n", encoding="utf-8")
    # A path that is told of wherever else it stands.
    (tmp_path / ".git").write_text("gitdir: /wor" + "k/main/.git/worktrees/w\n", encoding="utf-8")
    named = {says.partition(":")[0] for says in broken_rules_in(tmp_path)}
    judged = (".ci", ".github", "router/smpp", "tests/unit")
    assert named == {f"{folder}/__init__.py" for folder in judged}


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("router/terms/message.py", "from router.smpp import pdu"),
        ("router/smpp/session.py", "from router.check import policy"),
        ("router/smpp/session.py", "import router.journey"),
        ("router/decide/choose.py", "from router.journey import Journey"),
        ("router/journey.py", "from router.settings.load import load"),
        ("router/enqueue/sqlite.py", "from router.wiring import telemetry"),
        ("router/report/outbox.py", "from ..wiring import telemetry"),
        ("router/report/outbox.py", "def late() -> None:\n    from router import wiring"),
    ],
)
def test_arrow_that_points_back_is_noticed(path: str, code: str) -> None:
    (says,) = broken(path, code)
    assert "the arrow points the other way" in says


@pytest.mark.parametrize(
    "code",
    [
        "from router.decide.choose import Plan",
        "from router import decide",
        "from ..decide import choose",
        "import router.decide.choose as c",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from router.decide import choose",
    ],
)
def test_stage_that_imports_a_stage_is_noticed(code: str) -> None:
    (says,) = broken("router/forward/pool.py", code)
    assert "stages meet only in the journey" in says


@pytest.mark.parametrize("outside", ["simulators.operator", "tests.doubles", "benchmarks.micro"])
def test_router_that_imports_its_users_is_noticed(outside: str) -> None:
    (says,) = broken("router/wiring/app.py", f"import {outside}")
    assert "router never imports" in says


def test_part_of_the_router_without_a_layer_is_noticed() -> None:
    (says,) = broken("router/helpers.py", "")
    assert "no place in the layers" in says


@pytest.mark.parametrize(
    "module",
    [
        *("asyncio", "socket", "ssl", "time", "os", "random", "threading", "logging"),
        *("structlog", "prometheus_client", "yaml", "sqlite3", "uvloop", "aiosmpplib", "cattrs"),
    ],
)
@pytest.mark.parametrize(
    "path",
    ["router/terms/limits.py", "router/smpp/pdu.py", "router/check/x.py", "router/report/x.py"],
)
def test_impure_import_in_a_pure_file_is_noticed(path: str, module: str) -> None:
    (says,) = broken(path, f"import {module}")
    assert f"a pure file imports {module}" in says


@pytest.mark.parametrize(
    "code",
    [
        "from time import monotonic",
        "from os.path import join",
        "def f() -> None:\n    import random",
        "import asyncio as a",
        "open('file')",
        "print('seen')",
        "import datetime\nnow = datetime.datetime.now(datetime.UTC)",
        "from datetime import date\ntoday = date.today()",
    ],
)
def test_no_disguise_of_impurity_goes_unnoticed(code: str) -> None:
    assert len(broken("router/decide/choose.py", code)) == 1


def test_shell_may_do_io_but_keeps_the_arrows() -> None:
    assert (
        broken("router/accept/server.py", "import asyncio\nfrom router.smpp import session") == []
    )
    assert len(broken("router/accept/server.py", "from router.check import policy")) == 1


def test_named_shell_that_has_become_pure_is_off_the_list() -> None:
    written = [path for path in SHELLS if (ROOT / path).exists()]
    # Judged as its neighbours are, a shell must have something to hide.
    sources = {path: (ROOT / path).read_text(encoding="utf-8") for path in written}
    assert [
        path
        for path, source in sources.items()
        if not broken_rules(str(Path(path).with_name("as_a_pure_file.py")), source)
    ] == []


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("router/smpp/vocabulary.py", "import aiosmpplib"),
        ("router/smpp/text.py", "from aiosmpplib.codec import SmppCodec"),
        ("router/smpp/session.py", "from router.terms.limits import Rate\nfrom . import pdu"),
        ("router/check/policy.py", "import re\nfrom router.smpp import pdu"),
        ("router/check/policy.py", "def late(hours: Hours) -> bool:\n    return hours.now()"),
        ("router/journey.py", "from router.accept import accounts\nfrom router.steps import turn"),
        ("router/wiring/app.py", "import uvloop\nfrom router.forward.bind import Bind"),
        ("simulators/operator.py", "import time\nfrom router.smpp import session"),
        ("tests/e2e/test_drain.py", "import socket\nimport time\ntime.sleep(0.01)"),
    ],
)
def test_what_the_rules_allow_is_not_complained_about(path: str, code: str) -> None:
    assert broken(path, code) == []


def test_pure_is_every_stage_but_the_named_shells() -> None:
    assert is_pure("router/forward/pool.py")
    assert not is_pure("router/forward/bind.py")
    assert is_pure("router/journey.py")
    assert is_pure("router/steps/turn.py")
    assert not is_pure("router/wiring/app.py")


@pytest.mark.parametrize("path", ["router/accept/__init__.py", "simulators/__init__.py"])
def test_package_that_holds_more_than_its_docstring_is_noticed(path: str) -> None:
    assert broken(path, "") == []
    (says,) = broken(path, "VERSION = 1")
    assert "docstring and nothing else" in says


def test_folder_without_a_package_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "simulators").mkdir()
    (tmp_path / "simulators" / "cli.py").write_text('"""A command."""\n', encoding="utf-8")
    (says,) = broken_rules_in(tmp_path)
    assert "simulators/cli.py:1: its folder has no __init__.py" in says


@pytest.mark.parametrize(
    "path", ["router/terms/names.py", "benchmarks/x.py", "tests/unit/test_x.py"]
)
def test_module_without_a_docstring_is_noticed(path: str) -> None:
    (says,) = broken_rules(path, "x = 1\n")
    assert "no docstring" in says


def test_file_that_does_not_parse_is_named() -> None:
    (says,) = broken("router/check/policy.py", "def f(:")
    assert says.startswith("router/check/policy.py:2: does not parse")


@pytest.mark.parametrize(
    "code", ["import socket", "from subprocess import run", "import time\ntime.sleep(0.1)"]
)
def test_unit_test_with_a_port_a_process_or_a_sleep_is_noticed(code: str) -> None:
    assert len(broken("tests/unit/smpp/test_pdu.py", code)) == 1


def test_giving_up_a_turn_of_the_loop_is_no_sleep() -> None:
    assert (
        broken("tests/unit/test_x.py", "import asyncio\nasync def f():\n  await asyncio.sleep(0)")
        == []
    )


@pytest.mark.parametrize("folder", ["/work" + "/main", "/tmp" + "/v/bin/python", "/tmp" + "/v"])
def test_path_of_one_machine_is_noticed_in_any_file(folder: str, tmp_path: Path) -> None:
    assert machine_paths("docs/x.md", f"first\nrun {folder} now\n".encode()) != []
    (tmp_path / "Makefile").write_text(f"first\nrun {folder} now\n", encoding="utf-8")
    (says,) = broken_rules_in(tmp_path)
    assert says.startswith("Makefile:2: a path of one machine")


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ('"""As docs/x.md says."""', []),
        ('"""As x.md says, and README.md."""', []),
        ('"""As DESIGN.md says."""', [1]),
        ('"""X."""\nA = 1\n"""As docs/other.md\nsays."""', [3]),
        ('"""X."""\n\nA = 1  # See other/x.md.', [3]),
        ('"""X."""\n\nA = "y.md"\nb("z.md", """w.md""")', []),
        ('"""X."""\n\ndef f():\n    """See y.md."""', [4]),
        ('"""X."""\n\nclass C:\n    a = 1\n    """See y.md."""\n    b = 2\n    # z.md', [5, 7]),
    ],
)
def test_document_that_is_not_there_is_noticed_where_a_reader_is_sent_to_it(
    code: str, lines: list[int], tmp_path: Path
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "x.md").touch()
    (tmp_path / "README.md").touch()
    (tmp_path / "x.py").write_text(code, encoding="utf-8")
    found = [one for one in broken_rules_in(tmp_path) if "not in this repository" in one]
    assert [int(one.split(":")[1]) for one in found] == lines


def test_other_absolute_paths_are_fine() -> None:
    assert (
        machine_paths("systemd/README.md", b"/etc/smpp-router /var/lib /tmp/value /network/") == []
    )


# Steps.


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("class A:\n    pass\nclass B(A):\n    pass", "B inherits from A"),
        ("from router.steps.turn import Turn\nclass B(Turn):\n    pass", "B inherits from Turn"),
        (
            "from router.enqueue.lanes import Lanes\nclass B(Lanes):\n    pass",
            "B inherits from Lanes",
        ),
        ("def fill() -> None:\n    raise NotImplementedError", "raises NotImplementedError"),
        ("def fill() -> None:\n    raise NotImplementedError('no')", "raises NotImplementedError"),
        ("def peek(turn: Turn) -> None:\n    turn._peers.clear()", "turn._peers is another"),
        (
            "class A:\n    def f(self) -> None:\n        self._turn._peers = []",
            "self._turn._peers is another",
        ),
        (
            "class A:\n    def __init__(self, turn: Turn) -> None:\n        self._turn = turn\n"
            + "".join(f"        self.own_{number}: int = {number}\n" for number in range(13)),
            "A has 13 fields of its own",
        ),
    ],
)
def test_step_that_is_no_plain_object_is_noticed(code: str, says: str) -> None:
    (said,) = broken("router/steps/planted.py", code)
    assert says in said


@pytest.mark.parametrize(
    "code",
    [
        "from typing import Protocol\nclass A(Protocol):\n    pass",
        "from typing import Protocol\nclass A(Receiver, Protocol):\n    pass",
        "class A:\n    def f(self) -> None:\n        self._turn.write(self._peer)",
        "class A:\n    @classmethod\n    def of(cls) -> None:\n        cls._made()",
        "class A:\n"
        "    def __init__(self, "
        + ", ".join(f"one_{number}: int" for number in range(13))
        + ") -> None:\n"
        + "".join(f"        self._one_{number} = one_{number}\n" for number in range(13)),
    ],
)
def test_plain_step_is_not_complained_about(code: str) -> None:
    assert broken("router/steps/planted.py", code) == []


@pytest.mark.parametrize(
    "code", ["message.state = SENT", "message.mark = MARKED", "message.in_doubt = True"]
)
def test_state_of_a_message_that_is_assigned_is_noticed(code: str) -> None:
    (said,) = broken("router/enqueue/lanes.py", code)
    assert "is set by an event" in said
    assert broken("router/terms/message.py", code) == []


def test_steps_that_import_each_other_in_a_circle_are_noticed(tmp_path: Path) -> None:
    steps = tmp_path / "router" / "steps"
    steps.mkdir(parents=True)
    for folder in (steps, steps.parent):
        (folder / "__init__.py").write_text('"""A folder."""\n', encoding="utf-8")
    for name, other in (("one", "two"), ("two", "three"), ("three", "one"), ("four", "one")):
        text = f'"""A step."""\nfrom router.steps import {other}\n'
        (steps / f"{name}.py").write_text(text, encoding="utf-8")
    (says,) = broken_rules_in(tmp_path)
    assert "steps import each other: one -> two -> three -> one" in says


# The oldest entry.


@pytest.mark.parametrize(
    "code",
    [
        "oldest = next(iter(d))",
        "oldest = next(iter(d), None)",
        "oldest = next(iter(self.d.items()))",
        "oldest = next(iter(self.d.values()))",
        "oldest = next(iter(self.d.keys()), None)",
        "del d[next(iter(d))]",
        "d.pop(next(iter(d)))",
        "oldest = next(d.__iter__())",
        "self.d.popitem(last=False)",
        "self.d.popitem(False)",
        "def f(last: bool) -> None:\n    d.popitem(last=last)",
    ],
)
@pytest.mark.parametrize("path", ["router/smpp/session.py", "router/wiring/app.py"])
def test_search_for_the_oldest_entry_is_noticed(path: str, code: str) -> None:
    (says,) = broken(path, code)
    assert "`OldestFirst` of terms/oldest_first.py" in says
    assert broken("router/terms/oldest_first.py", code) == []
    assert broken("tests/unit/test_x.py", code) == []


@pytest.mark.parametrize(
    "code",
    [
        "first, *_ = d.values()",
        "found = next((one for one in d if one.fits), None)",
        "lines = iter(text)\nfirst = next(lines)",
        "newest = d.popitem()",
        "newest = d.popitem(last=True)",
        "oldest = queue.popleft()",
    ],
)
def test_other_ways_into_a_collection_are_not_complained_about(code: str) -> None:
    assert broken("router/decide/segments.py", code) == []
