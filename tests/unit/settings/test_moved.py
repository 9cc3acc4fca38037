"""router/settings/moved.py: a copy of a configuration in another folder says the same."""

from pathlib import Path
from typing import Final

from router.settings.difference import difference
from router.settings.load import load
from router.settings.moved import moved
from router.terms.settings import Settings
from tests.unit.settings.configurations import CONTRACT, changed

TELIA: Final = 'telia-3, address: "127.0.0.1:27751", system_id: agg1, password: pw1,'
WITH_FILES: Final = changed(
    CONTRACT,
    ('  - {address: "127.0.0.1:2775"}', '  - {address: "127.0.0.1:2775", tls: {certificate: '
     'tls/c.pem, key: tls/k.pem}}'),
    (TELIA, f"{TELIA} tls: {{ca: tls/c.pem}},"),
)  # fmt: skip


def copied(folder: Path, text: str = WITH_FILES, certificate: str = "the chain") -> Settings:
    (folder / "tls").mkdir(parents=True)
    (folder / "router.yaml").write_text(text, encoding="utf-8")
    (folder / "tls" / "c.pem").write_text(certificate, encoding="utf-8")
    (folder / "tls" / "k.pem").touch()
    return load(folder, {})


def test_copy_in_another_folder_is_no_difference(tmp_path: Path) -> None:
    one, two = copied(tmp_path / "one"), copied(tmp_path / "two")
    assert one != two
    assert not difference(one, two)
    assert one.digest == two.digest
    assert moved(one, two.folder) == two
    assert moved(one, two.folder).files.keys() == two.files.keys()
    assert moved(one, one.folder) is one


def test_other_content_under_the_same_name_is_one(tmp_path: Path) -> None:
    one = copied(tmp_path / "one")
    two = copied(tmp_path / "two", certificate="another chain")
    found = difference(one, two)
    assert [str(change) for change in found.changes] == [f"file {tmp_path}/one/tls/c.pem: changed"]
    assert one.digest != two.digest


def test_path_outside_of_the_folder_stays(tmp_path: Path) -> None:
    outside = tmp_path / "router.db"
    text = changed(WITH_FILES, ("sqlite:///router.db  ", f"sqlite:///{outside}  "))
    one, two = copied(tmp_path / "one", text), copied(tmp_path / "two", text)
    assert moved(one, two.folder).journal.url == f"sqlite:///{outside}"
    assert not difference(one, two)
    found = difference(one, copied(tmp_path / "three"))
    assert [change.path for change in found.changes] == ["journal.url"]
