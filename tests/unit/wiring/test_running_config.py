"""router/wiring/running_config.py: which configuration runs, and whether its files are that."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from router.settings.load import load
from router.terms.settings import Settings
from router.wiring.running_config import DIFFER, RunningConfig
from tests.unit.settings.configurations import SMALL, changed

FASTER = changed(SMALL, ("rate: 50/s", "rate: 80/s"))
FAULTY = changed(SMALL, ("rate: 50/s", "rate: 50"))


class Files:
    """The files of a configuration, and how often they were read."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "router.yaml"
        self.write(SMALL)
        self.readings = 0
        self.meanwhile: Callable[[], None] = lambda: None
        self.config = RunningConfig(load(self.path, {}), self.read, lambda: 1e9 + self.readings)

    def write(self, text: str) -> None:
        self.path.write_text(text, encoding="utf-8")

    def read(self) -> Settings:
        self.readings += 1
        settings = load(self.path, {})
        self.meanwhile()
        return settings

    def look(self) -> str:
        asyncio.run(self.config.look())
        return self.config.stale


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_unchanged_files_are_not_read(files: Files) -> None:
    assert files.look() == files.look() == ""
    assert files.readings == 0


def test_files_that_differ_are_read_once_until_they_change_again(files: Files) -> None:
    files.write(FASTER)
    assert files.look() == files.look() == DIFFER
    assert files.readings == 1
    files.write(SMALL)
    assert files.look() == files.look() == ""
    assert files.readings == 2


def test_files_that_only_look_changed_are_what_runs(files: Files) -> None:
    files.write(f"# A comment.\n{SMALL}")
    assert files.look() == ""
    assert files.readings == 1


def test_password_that_changed_counts_although_the_hash_is_the_same(files: Files) -> None:
    files.write(changed(SMALL, ("password: b,", "password: c,")))
    assert files.look() == DIFFER
    assert "b," not in files.config.stale


def test_faulty_files_are_stale_with_the_first_mistake(files: Files) -> None:
    files.write(FAULTY)
    assert files.look().startswith("the files have 1 mistake now: ")
    assert "rate" in files.look()
    assert files.readings == 1
    files.path.unlink()
    assert "cannot be read" in files.look()
    files.write(SMALL)
    assert files.look() == ""


def test_error_of_ours_while_they_are_read_is_told_and_ends_nothing(files: Files) -> None:
    def broken() -> None:
        raise RecursionError

    files.write(FASTER)
    files.meanwhile = broken
    assert files.look().startswith("RecursionError while the files were read")
    files.meanwhile = lambda: None
    assert files.look() == DIFFER


def test_what_was_applied_is_what_runs_since_then(files: Files) -> None:
    files.write(FASTER)
    first, since_utc = files.config.digest, files.config.since_utc
    assert files.look() == DIFFER
    files.config.applied(load(files.path, {}))
    assert files.config.digest != first
    assert files.config.since_utc > since_utc
    assert files.config.stale == files.look() == ""
    assert files.readings == 1


def test_files_that_were_followed_in_part_are_stale_until_they_change(files: Files) -> None:
    files.write(FASTER)
    files.config.applied(load(files.path, {}), is_part=True)
    assert files.config.stale == files.look() == DIFFER
    assert files.readings == 0


def test_look_that_a_reload_has_overtaken_says_nothing(files: Files) -> None:
    files.write(FASTER)
    files.meanwhile = lambda: files.config.applied(load(files.path, {}))
    assert files.look() == ""


def test_log_says_when_it_begins_and_when_it_ends(files: Files) -> None:
    with capture_logs() as lines:
        for text in (SMALL, FASTER, FASTER, FAULTY, SMALL):
            files.write(text)
            files.look()
    events = [line["event"] for line in lines]
    assert events == ["config.outdated", "config.outdated", "config.matched"]
    assert lines[0]["why"] == DIFFER
    assert {line["config"] for line in lines} == {files.config.digest}
