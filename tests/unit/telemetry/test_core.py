"""router/telemetry/core.py: which modules are compiled, and whether they run."""

from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import ModuleType

import pytest

import router
from router.telemetry.core import COMPILED, INTERPRETED, PARTS, modules, refusal, running, told
from tests.house_rules import LAYERS, SHELLS, is_pure

HERE = Path(router.__file__).parent
LINKS = {"router/accept/server.py", "router/forward/bind.py", "router/forward/outbind.py"}


def loaded(name: str, suffix: str) -> ModuleType:
    """A module as if it had been loaded from such a file."""
    module = ModuleType(name)
    module.__file__ = f"/somewhere/{name}{suffix}"
    return module


def test_every_part_below_the_settings_belongs_to_the_core() -> None:
    assert set(PARTS) == {part for part, layer in LAYERS.items() if layer < LAYERS["settings"]}


def test_all_that_is_pure_is_compiled_and_the_links_and_nothing_else() -> None:
    files = {file.relative_to(HERE.parent).as_posix() for file in HERE.rglob("*.py")}
    expected = {file for file in files if is_pure(file) and not file.endswith("__init__.py")}
    core = {file.relative_to(HERE.parent).as_posix() for _, file in modules(HERE)}
    assert core == expected | LINKS
    assert set(SHELLS) - core == {file for file in SHELLS if file.startswith("router/enqueue/")}


def test_one_module_that_is_interpreted_is_named() -> None:
    extension = EXTENSION_SUFFIXES[0]
    one, other = loaded("one", extension), loaded("other", extension)
    assert told({"one": one, "other": other}) == COMPILED
    assert told({"one": one, "other": loaded("other", ".py")}) == "mixed: other interpreted"
    assert told({"one": loaded("one", ".py"), "other": loaded("other", ".py")}) == INTERPRETED


def test_core_that_runs_is_refused_only_where_the_other_is_demanded() -> None:
    other = COMPILED if running() == INTERPRETED else INTERPRETED
    assert refusal(None) is refusal("") is refusal(running()) is None
    assert refusal(other) == f"SMPP_ROUTER_CORE={other}, but the core is {running()}"


@pytest.mark.parametrize("wrong", ["fast", "Compiled", "1"])
def test_word_that_names_no_core_is_refused(wrong: str) -> None:
    assert refusal(wrong) == f"SMPP_ROUTER_CORE={wrong}: it says `compiled` or `interpreted`"
