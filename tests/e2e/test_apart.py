"""router/settings/apart.py: settings that another process has read are those that we would read."""

import os
import pickle
import resource
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest

from router.settings import apart
from router.settings.apart import Reader, ReaderError
from router.settings.load import SettingsError, load
from router.terms.settings import Settings
from tests.unit.settings.configurations import CONTRACT

MANY_FILES = 4096


def parts_of(settings: Settings) -> list[object]:
    return [*settings.routes, *settings.accounts.values(), *settings.operators.values()]


@pytest.fixture
def reader() -> Iterator[Reader]:
    with closing(Reader()) as one:
        yield one


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "router.yaml"
    file.write_text(CONTRACT, encoding="utf-8")
    return file


def _process_of(reader: Reader) -> int:
    process = reader._process
    assert process is not None
    return process.pid


def test_settings_are_those_that_we_would_read(reader: Reader, path: Path) -> None:
    ours = load(path, os.environ)
    theirs = reader.read(path, os.environ)
    assert theirs == ours
    for name in "places", "files", "digest", "folder":
        assert getattr(theirs, name) == getattr(ours, name)


def test_one_process_reads_what_is_asked_for_one_after_the_other(
    reader: Reader, path: Path
) -> None:
    before = reader.read(path, os.environ)
    process = _process_of(reader)
    path.write_text(CONTRACT + "stop_within: 7s\n", encoding="utf-8")
    after = reader.read(path, os.environ)
    assert (before.stop_within_s, after.stop_within_s) == (20.0, 7.0)
    assert _process_of(reader) == process


def test_what_stays_the_same_is_the_same_object_and_what_changes_is_not(
    reader: Reader, path: Path
) -> None:
    before = reader.read(path, os.environ)
    for old, new in (
        ("window: 20", "window: 21"),  # Of one account.
        ("routes:", "\nroutes:"),  # The lines of the routes.
        ("to: [telia, elisa]", "to: [elisa, telia]"),
    ):
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        after = reader.read(path, os.environ)
        ours = load(path, os.environ)
        for part, was, is_now in zip(
            parts_of(ours), parts_of(before), parts_of(after), strict=True
        ):
            stays = pickle.dumps(part) == pickle.dumps(was)
            assert pickle.dumps(is_now) == pickle.dumps(part)
            assert (is_now is was) == stays
        assert after == ours
        before = after


def test_mistakes_between_two_readings_change_nothing(reader: Reader, path: Path) -> None:
    before = reader.read(path, os.environ)
    text = path.read_text(encoding="utf-8")
    path.write_text(text + "nothing: 1\n", encoding="utf-8")
    with pytest.raises(SettingsError):
        reader.read(path, os.environ)
    path.write_text(text, encoding="utf-8")
    after = reader.read(path, os.environ)
    assert all(a is b for a, b in zip(parts_of(before), parts_of(after), strict=True))


def test_mistakes_and_files_are_those_that_we_would_find(reader: Reader, tmp_path: Path) -> None:
    file = tmp_path / "router.yaml"
    file.write_text("acounts: {}\n", encoding="utf-8")
    with pytest.raises(SettingsError) as ours:
        load(file, os.environ)
    with pytest.raises(SettingsError) as theirs:
        reader.read(file, os.environ)
    assert theirs.value.mistakes == ours.value.mistakes
    assert theirs.value.files == ours.value.files


def test_of_very_many_mistakes_the_first_are_sent_and_the_others_counted(
    reader: Reader, path: Path
) -> None:
    route = '  - {destination: "358", to: [elisa]'
    assert route in CONTRACT
    faulty = (f'  - {{destination: "{number}", to: [x]}}\n' for number in range(10_000, 11_500))
    path.write_text(CONTRACT.replace(route, "".join(faulty) + route), encoding="utf-8")
    with pytest.raises(SettingsError) as ours:
        load(path, os.environ)
    with pytest.raises(SettingsError) as theirs:
        reader.read(path, os.environ)
    assert theirs.value.mistakes == ours.value.mistakes[: apart.MOST_MISTAKES]
    assert theirs.value.count == ours.value.count == 1_500


def test_process_that_has_ended_is_started_again(reader: Reader, path: Path) -> None:
    reader.read(path, os.environ)
    process = _process_of(reader)
    os.kill(process, signal.SIGKILL)
    reader.read(path, os.environ)
    assert _process_of(reader) != process


def test_process_for_which_there_is_no_time_is_replaced(
    reader: Reader, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader.read(path, os.environ)
    assert os.sched_getscheduler(_process_of(reader)) == os.SCHED_IDLE
    monkeypatch.setattr(apart, "PATIENCE_S", 0.0)
    assert reader.read(path, os.environ) == load(path, os.environ)
    assert os.sched_getscheduler(_process_of(reader)) == os.SCHED_OTHER


def test_process_that_never_answers_is_told(
    reader: Reader, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "PATIENCE_S", 0.0)
    monkeypatch.setattr(apart, "LONGEST_S", 0.0)
    with pytest.raises(ReaderError, match="within 0 s"):
        reader.read(path, os.environ)
    assert reader._process is None


def test_router_with_a_thousand_connections_reads_as_well(reader: Reader, path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] < MANY_FILES:
        pytest.skip(f"this process may open {before[1]} files at most")
    resource.setrlimit(resource.RLIMIT_NOFILE, (MANY_FILES, before[1]))
    taken = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        assert reader.read(path, os.environ) == load(path, os.environ)
    finally:
        for one in taken:
            os.close(one)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_process_that_has_ended_is_not_kept(reader: Reader, path: Path) -> None:
    reader.read(path, os.environ)
    reader.tidy()
    process = reader._process
    assert process is not None
    assert process.stdin is not None
    process.stdin.close()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    reader.tidy()
    assert reader._process is None
    assert reader._last is None


def test_error_of_ours_is_told_with_its_trace_and_ends_nothing(reader: Reader, path: Path) -> None:
    with pytest.raises(ReaderError) as told:
        reader.read(cast("Path", "no path, which is an error of ours"), os.environ)
    assert "AttributeError" in told.value.trace
    reader.read(path, os.environ)


def test_other_version_reads_nothing(
    reader: Reader, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "MADE_OF", b"of something else")
    with pytest.raises(ReaderError, match="restart it"):
        reader.read(path, os.environ)


@pytest.mark.parametrize(
    ("program", "why"), [("/bin/true", "ended, with status 0"), ("/nowhere", "No such file")]
)
def test_process_that_cannot_be_is_told(
    program: str, why: str, reader: Reader, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "_OURS", Path(program))
    with pytest.raises(ReaderError, match=why):
        reader.read(path, os.environ)


def test_process_ends_with_the_one_that_asks(reader: Reader, path: Path) -> None:
    reader.read(path, os.environ)
    process = reader._process
    assert process is not None
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait() == 0


def test_reading_that_goes_on_ends_when_the_reader_is_closed(path: Path) -> None:
    reader = Reader()
    reader.read(path, os.environ)
    process = _process_of(reader)
    os.kill(process, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(reader.read, path, os.environ)
        reader.close()
        with pytest.raises(ReaderError, match="the router ends"):
            reading.result()
    assert reader._process is None
