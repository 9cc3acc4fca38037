"""tests/house_rules.py, which files it judges: in a checkout those that git tracks, and no other.

Here and not in tests/unit, because it needs the git program.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.house_rules import broken_rules_in, files_in

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
WRONG = "no docstring\n"
"""The text of a Python file that does not parse."""


def git(folder: Path, *arguments: str) -> None:
    """Run git on the repository in `folder`, whatever repository this test was started from."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    subprocess.run(("git", "-C", folder, *arguments), env=environment, check=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with one tracked package that keeps every rule."""
    git(tmp_path, "init", "--quiet")
    (tmp_path / "simulators").mkdir()
    (tmp_path / "simulators/__init__.py").write_text('"""A package."""\n', encoding="utf-8")
    git(tmp_path, "add", ".")
    return tmp_path


def test_untracked_file_is_not_judged_until_it_is_staged(checkout: Path) -> None:
    (checkout / "simulators/trial.py").write_text(WRONG, encoding="utf-8")
    assert broken_rules_in(checkout) == []
    git(checkout, "add", "simulators/trial.py")
    (says,) = broken_rules_in(checkout)
    assert says.startswith("simulators/trial.py:1: does not parse")


def test_package_that_is_not_tracked_is_missing(checkout: Path) -> None:
    git(checkout, "rm", "--quiet", "--cached", "simulators/__init__.py")
    (checkout / "simulators/cli.py").write_text('"""A command."""\n', encoding="utf-8")
    git(checkout, "add", "simulators/cli.py")
    (says,) = broken_rules_in(checkout)
    assert "its folder has no __init__.py" in says


def test_tracked_file_that_has_been_deleted_is_passed_over(checkout: Path) -> None:
    (checkout / "simulators/__init__.py").unlink()
    assert files_in(checkout) == []


def test_file_with_any_name_and_in_a_hidden_folder_is_judged(checkout: Path) -> None:
    (checkout / ".github").mkdir()
    for name in (".github/check.yml", "näme with\nline end.md"):
        (checkout / name).write_text("run /wor" + "k/main\n", encoding="utf-8")
    git(checkout, "add", ".")
    assert len(broken_rules_in(checkout)) == 2


def test_hook_of_another_repository_does_not_change_what_is_judged(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (checkout / "untracked.md").write_text("", encoding="utf-8")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", "elsewhere/index")
    assert files_in(checkout) == [checkout / "simulators/__init__.py"]


def test_folder_inside_a_checkout_is_walked(checkout: Path) -> None:
    (checkout / "simulators/trial.py").write_text(WRONG, encoding="utf-8")
    assert {file.name for file in files_in(checkout / "simulators")} == {"__init__.py", "trial.py"}
