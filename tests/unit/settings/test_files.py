"""router/settings/files.py, and which files the settings remember: whatever changes is seen."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from router.settings.files import stamp_of
from router.settings.load import WHOLE_AFTER_S, SettingsError, load, load_whole
from router.terms.settings import Settings
from tests.unit.settings.configurations import SMALL, changed

WITH_FILES: Final = changed(
    SMALL,
    ("password: b,", "password: {file: secret},"),
    ('"127.0.0.1:0"', '"127.0.0.1:0", tls: {certificate: c.pem, key: k.pem}'),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("a.yaml", WITH_FILES), ("secret", "s3cret"), ("c.pem", "C"), ("k.pem", "")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def is_unchanged(settings: Settings | SettingsError) -> bool:
    return all(stamp_of(path) == one.stamp for path, one in settings.files.items())


def test_settings_know_what_they_were_read_from_and_what_they_name(folder: Path) -> None:
    files = load(folder, {}).files
    names = ("", "a.yaml", "secret", "c.pem", "k.pem")
    assert set(files) == {folder / name for name in names}
    digests = {path.name for path, one in files.items() if one.digest}
    assert digests == {"c.pem", "k.pem"}, "a secret is never told, nor anything made of it"


def test_what_is_read_again_unchanged_is_seen_to_be_unchanged(folder: Path) -> None:
    settings = load(folder, {})
    (folder / "notes.txt").write_text("no configuration", encoding="utf-8")
    for name in (".a.yaml.swp", ".b.yaml"):
        (folder / name).write_text("an editor's", encoding="utf-8")
    assert is_unchanged(settings)


@pytest.mark.parametrize("name", ["a.yaml", "secret", "c.pem", "b.yaml", "b.yml"])
def test_change_of_any_file_is_seen(name: str, folder: Path) -> None:
    settings = load(folder, {})
    (folder / name).write_text("# other", encoding="utf-8")
    assert not is_unchanged(settings)


def test_file_of_the_same_size_and_time_is_seen(folder: Path) -> None:
    settings = load(folder, {})
    old = folder / "c.pem"
    new = folder / "new"
    new.write_text("D", encoding="utf-8")
    os.utime(new, ns=(old.stat().st_atime_ns, old.stat().st_mtime_ns))
    new.rename(old)
    assert not is_unchanged(settings)


def test_missing_file_that_comes_is_seen_although_the_configuration_was_faulty(
    folder: Path,
) -> None:
    (folder / "k.pem").unlink()
    with pytest.raises(SettingsError) as raised:
        load(folder, {})
    assert is_unchanged(raised.value)
    (folder / "k.pem").write_text("", encoding="utf-8")
    assert not is_unchanged(raised.value)


def test_file_that_is_gone_has_no_stamp(tmp_path: Path) -> None:
    assert stamp_of(tmp_path / "none") is None
    assert stamp_of(tmp_path / "a\0b") is None


class Meanwhile(dict[str, str]):
    """An environment; whoever asks for a variable finds that something has been done."""

    def __init__(self, do: Callable[[], object]) -> None:
        super().__init__(PASSWORD="b")
        self._do: Final = do

    def get(self, key: str, default: object = None) -> Any:  # noqa: ANN401 - as that of a dict
        self._do()
        return super().get(key, default)


def more(file: Path) -> None:
    """Write more of it: something that changes nothing."""
    with file.open("a", encoding="utf-8") as written:
        written.write("# More.\n")


def test_file_that_is_written_to_while_it_is_read_is_a_mistake(folder: Path) -> None:
    file = folder / "a.yaml"
    text = changed(WITH_FILES, ("password: {file: secret}", 'password: "${PASSWORD}"'))
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as error:
        load(folder, Meanwhile(lambda: more(file)))
    (mistake,) = error.value.mistakes
    assert mistake.file == str(file)
    assert "was written to while it was read" in mistake.message


def test_young_file_is_looked_at_again_before_it_is_taken_to_be_whole(folder: Path) -> None:
    waits: list[float] = []
    assert load_whole(folder, {}, waits.append) == load(folder, {})
    (wait_s,) = waits
    assert 0 < wait_s <= WHOLE_AFTER_S
    with pytest.raises(SettingsError, match="was written to while it was read"):
        load_whole(folder, {}, lambda _: more(folder / "a.yaml"))


def test_nobody_waits_for_files_that_are_older(folder: Path) -> None:
    for file in folder.iterdir():
        os.utime(file, (1e9, 1e9))
    waits: list[float] = []
    load_whole(folder, {}, waits.append)
    assert waits == []


def test_file_of_the_future_is_not_waited_for_until_then(folder: Path) -> None:
    os.utime(folder / "a.yaml", (4e9, 4e9))
    waits: list[float] = []
    load_whole(folder, {}, waits.append)
    assert waits == [WHOLE_AFTER_S]
