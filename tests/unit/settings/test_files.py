"""router/settings/files.py, and which files the settings remember: whatever changes is seen."""

import os
from pathlib import Path
from typing import Final

import pytest

from router.settings.files import stamp_of
from router.settings.load import SettingsError, load
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
