"""router/wiring/file_warnings.py: what the files of a configuration are like on the disk."""

import os
import pwd
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest

from router.accept.passwords import hash_password
from router.settings.load import Mistake, load
from router.terms.settings import JournalSettings, Settings
from router.wiring.checking import examine, lines_of
from router.wiring.file_warnings import file_warnings
from tests.unit.settings.configurations import CONTRACT, SMALL, changed, loaded

NOBODY: Final = 65534
ON_DISK: Final = changed(SMALL, ("memory:", "sqlite:///data/r.db"))
NO_PASSWORDS: Final = changed(SMALL, ("secret01", "'${A}'"), ("password: b", "password: '${B}'"))
SECRETS: Final = {"A": "Zq7wV9kA", "B": "Zq7wV9kB"}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user can get to."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        if not all(one.stat().st_mode & 0o001 for one in folder.parents):
            pytest.skip("temporary files are kept from other users here")
        yield folder


@pytest.fixture
def user() -> Iterator[str]:
    """Somebody who may not write everything, as whom the test goes on."""
    if os.geteuid():
        yield pwd.getpwuid(os.geteuid()).pw_name
        return
    os.seteuid(NOBODY)
    yield pwd.getpwuid(NOBODY).pw_name
    os.seteuid(0)


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def with_journal(path: Path | str) -> Settings:
    settings = loaded(changed(SMALL, ("memory:", "sqlite:///r.db")))
    return replace(settings, journal=JournalSettings(url=f"sqlite:///{path}"))


def of_journal(path: Path | str) -> list[str]:
    """What is said of a journal with this path."""
    return [one.message for one in file_warnings(with_journal(path))]


# The journal.


def test_journal_in_memory_and_one_that_can_be_made_are_no_warning(folder: Path) -> None:
    path = written(folder / "router.yaml", SMALL)
    assert file_warnings(load(path, {})) == []
    written(path, ON_DISK)
    (folder / "data").mkdir()
    assert file_warnings(load(path, {})) == []
    for name in ("r.db", "r.db-wal", "r.db-shm", "r.db.lock"):
        (folder / "data" / name).touch()
    assert file_warnings(load(path, {})) == []


def test_journal_whose_folder_is_not_there_is_a_warning_at_its_place(folder: Path) -> None:
    path = written(folder / "router.yaml", ON_DISK)
    (warning,) = file_warnings(load(path, {}))
    assert str(warning) == (
        f"{path}:2:16: journal.url: its folder is not there, and the router does not make it"
    )


def test_name_of_a_journal_is_not_told_for_it_may_be_a_secret(folder: Path) -> None:
    text = changed(SMALL, ("memory:", "sqlite:///${A}/r.db"))
    (warning,) = file_warnings(load(written(folder / "router.yaml", text), SECRETS))
    assert SECRETS["A"] not in str(warning)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("file/r.db", "its folder is no folder"),
        ("file/deeper/r.db", "its folder is not there"),
        ("r.db", "it is no regular file"),
        ("wal.db", "its -wal is no regular file"),
        ("pipe", "it is no regular file"),
        ("x" * 300, "it cannot be looked at (File name too long)"),
        ("x" * 254, "it cannot be looked at (File name too long)"),
        ("loop/r.db", "it cannot be looked at"),
    ],
)
def test_journal_that_can_be_no_file_is_a_warning(folder: Path, name: str, says: str) -> None:
    (folder / "file").touch()
    (folder / "r.db").mkdir()
    (folder / "wal.db-wal").mkdir()
    os.mkfifo(folder / "pipe")
    (folder / "loop").symlink_to(folder / "loop")
    (warning,) = of_journal(folder / name)
    assert says in warning


def test_link_of_a_journal_is_followed(folder: Path) -> None:
    (folder / "r.db").symlink_to(folder / "there" / "r.db")
    (warning,) = of_journal(folder / "r.db")
    assert "its folder is not there" in warning
    (folder / "there").mkdir()
    assert of_journal(folder / "r.db") == []
    (folder / "there" / "r.db-wal").mkdir()
    (warning,) = of_journal(folder / "r.db")
    assert "its -wal is no regular file" in warning


@pytest.mark.parametrize(
    ("name", "mode", "says"),
    [
        (".", 0o555, "cannot write its folder"),
        (".", 0o444, "cannot write its folder"),
        ("..", 0o600, "cannot get to its folder"),
        ("r.db", 0o444, "cannot write it:"),
        ("r.db.lock", 0o444, "cannot write its .lock:"),
        ("r.db-wal", 0o444, "cannot write its -wal:"),
        ("r.db-shm", 0o200, "cannot write its -shm:"),
    ],
)
def test_what_the_user_who_checks_cannot_write_is_told_with_the_user(
    folder: Path, request: pytest.FixtureRequest, name: str, mode: int, says: str
) -> None:
    data = folder / "above" / "data"
    data.mkdir(parents=True)
    (data / "r.db").touch()
    (data / "r.db").chmod(0o666)
    data.chmod(0o777)
    (data / name).touch()
    (data / name).chmod(mode)
    settings = with_journal(data / "r.db")
    user = request.getfixturevalue("user")  # From here on.
    (warning,) = file_warnings(settings)
    assert warning.path == "journal.url"
    assert warning.message.startswith(f"user {user} {says}")
    assert warning.message.endswith(": the router would not start as this user")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may write everything")
def test_root_may_write_what_others_may_not(folder: Path) -> None:
    folder.chmod(0o555)
    written(folder / "r.db", "", 0o400)
    assert of_journal(folder / "r.db") == []


# Passwords.


def about(path: Path, environment: dict[str, str] | None = None) -> list[Mistake]:
    settings = load(path, environment or {})
    return file_warnings(replace(settings, journal=JournalSettings(url="memory:")))


def test_passwords_in_a_file_that_others_may_read_are_one_warning(folder: Path) -> None:
    path = written(folder / "router.yaml", CONTRACT, 0o644)
    (warning,) = about(path)
    assert (warning.file, warning.line, warning.path) == (str(path), 0, "")
    assert warning.message == (
        "others may read this file (mode 0644), and it holds 8 passwords in clear text, the first "
        "in line 35; `chmod o-r` keeps them out, or take passwords from ${NAME} or {file: path}; "
        "of accounts the output of `smpp-router hash-password` is enough"
    )
    for secret in ("secret01", "secret02", "pw1", "pw2"):
        assert secret not in str(warning)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o660, 0o666 & ~0o004])
def test_file_that_others_may_not_read_may_hold_passwords(folder: Path, mode: int) -> None:
    assert about(written(folder / "router.yaml", CONTRACT, mode)) == []


def test_folder_that_is_closed_to_others_keeps_its_files_from_them(folder: Path) -> None:
    inner = folder / "closed" / "inner"
    inner.mkdir(parents=True)
    path = written(inner / "router.yaml", CONTRACT, 0o644)
    assert len(about(path)) == 1
    inner.parent.chmod(0o750)
    assert about(path) == []
    # Whoever knows the name of a file needs not be able to list the folder.
    inner.parent.chmod(0o711)
    assert len(about(path)) == 1


def test_link_into_a_closed_folder_opens_nothing(folder: Path) -> None:
    (folder / "closed").mkdir(0o700)
    written(folder / "closed" / "router.yaml", CONTRACT, 0o644)
    (folder / "router.yaml").symlink_to(folder / "closed" / "router.yaml")
    assert about(folder / "router.yaml") == []


def count_of(text: str, environment: dict[str, str] | None = None) -> int:
    """How many passwords in clear text a file with this text holds."""
    return sum(len(seen.passwords) for seen in loaded(text, environment).files.values())


@pytest.mark.parametrize(
    ("written", "environment", "count"),
    [
        ("clear", {}, 1),
        ("'${A}'", {"A": "x"}, 0),
        ("'${A:-clear}'", {}, 1),
        ("'${A:-clear}'", {"A": ""}, 1),
        ("'${A:-clear}'", {"A": "x"}, 0),
        ("'${A:-}${C:-clear}'", {}, 1),
        ("'clear-${A}'", {"A": "x"}, 0),
        ("'$${A}'", {"A": "x"}, 1),
        ("[one, two, '${A}']", {"A": "x"}, 2),
        ("[&p one, *p]", {}, 1),
        (f"'{hash_password(b'secret', bytes(16))}'", {}, 0),
        (f"[clear, '{hash_password(b'secret', bytes(16))}']", {}, 1),
    ],
)
def test_password_counts_where_it_stands_in_the_file_itself(
    written: str, environment: dict[str, str], count: int
) -> None:
    text = changed(NO_PASSWORDS, ("password: '${A}'", f"password: {written}"))
    assert count_of(text, {"B": "x", **environment}) == count


def test_passwords_of_operators_count_and_what_an_anchor_names_counts_once() -> None:
    outbind = 'outbind: {listen: "127.0.0.1:0", system_id: x, password: b1}'
    binds = f"[&t {{name: t1, {outbind}, system_id: a, password: b2, rate: 1/s}}"
    binds += "".join(f", {{<<: *t, name: t{number}}}" for number in range(2, 32)) + "]"
    text = (
        NO_PASSWORDS[: NO_PASSWORDS.index("    binds: ")]
        + f"    binds: {binds}\n"
        + NO_PASSWORDS[NO_PASSWORDS.index("routes: ") :]
    )
    assert count_of(text, SECRETS) == 2
    assert count_of(changed(text, ("password: b2", "password: ''")), SECRETS) == 1
    assert count_of(changed(text, ("password: b2", "password: '${B}'")), SECRETS) == 1


def test_file_with_one_password_of_an_operator_has_no_advice_for_accounts(folder: Path) -> None:
    text = changed(SMALL, ("secret01", "'${A}'"))
    (warning,) = about(written(folder / "router.yaml", text, 0o604), SECRETS)
    assert warning.message.startswith(
        "others may read this file (mode 0604), and it holds a password in clear text, the first"
    )
    assert "hash-password" not in warning.message


def test_each_file_of_a_folder_has_its_own_warning(folder: Path) -> None:
    parts = NO_PASSWORDS.partition("accounts:")
    middle = changed("".join(parts[1:]), ("'${A}'", "secret01")).partition("operators:")
    written(folder / "a.yaml", parts[0], 0o644)
    written(folder / "b.yaml", middle[0], 0o644)
    written(folder / "c.yaml", changed("".join(middle[1:]), ("${B}", "b")), 0o600)
    assert [one.file for one in about(folder)] == [str(folder / "b.yaml")]


@pytest.mark.parametrize("hashed", [False, True])
def test_file_for_a_secret_that_others_may_read_is_a_warning_where_it_is_named(
    folder: Path, hashed: bool
) -> None:
    secret = hash_password(b"secret", bytes(16)) if hashed else "Zq7wV9kA"
    written(folder / "Zq7wV9kB", secret, 0o644)
    text = changed(NO_PASSWORDS, ("password: '${A}'", "password: [{file: '${B}'}, {file: '${B}'}]"))
    path = written(folder / "router.yaml", text, 0o644)
    found = about(path, SECRETS)
    assert [str(one) for one in found] == [
        f"{path}:5:28: accounts.bank.password[0].file: others may read this file (mode 0644), "
        "which holds a password in clear text; `chmod o-r` keeps them out"
    ] * (not hashed)
    (folder / "Zq7wV9kB").chmod(0o640)
    assert about(path, SECRETS) == []


def test_settings_without_files_give_no_warning() -> None:
    made = replace(loaded(SMALL), files={}, places={}, folder=Path())
    assert file_warnings(made) == []
    journal = JournalSettings(url="sqlite:////no such/folder/r.db")
    (warning,) = file_warnings(replace(made, journal=journal))
    assert (warning.file, warning.path) == ("", "journal.url")


def test_file_that_is_gone_meanwhile_gives_no_warning(folder: Path) -> None:
    path = written(folder / "router.yaml", CONTRACT, 0o644)
    settings: Settings = load(path, {})
    path.unlink()
    assert file_warnings(settings) == []


# In the command.


def test_check_shows_both_in_the_order_of_the_files(folder: Path) -> None:
    path = written(folder / "router.yaml", ON_DISK, 0o644)
    lines = list(lines_of(examine(path, {})))
    assert [line.split(": ")[:2] for line in lines] == [
        [str(path), "warning"],
        [f"{path}:2:16", "warning"],
    ]
