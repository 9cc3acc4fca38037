"""router/wiring/checking.py, and `smpp-router check --against`: what would change, in words."""

import json
from pathlib import Path
from typing import Final

import pytest

from router.settings.load import load
from router.wiring.checking import examine, lines_of, total_of
from router.wiring.cli import main
from tests.unit.settings.configurations import CONTRACT, changed

Capture = pytest.CaptureFixture[str]
CHANGES: Final = (
    ('{destination: "358", to: [elisa]}', '{destination: "358", to: [telia]}'),
    ("commit_every: 2ms", "commit_every: 5ms"),
    ("${BANK_PASSWORD:-secret01}", "another1"),
)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return written(tmp_path / "old.yaml", CONTRACT)


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return written(tmp_path / "new.yaml", changed(CONTRACT, *CHANGES))


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def said(capsys: Capture, *arguments: str | Path) -> tuple[int, str, str]:
    status = main([str(argument) for argument in arguments])
    output = capsys.readouterr()
    return status, output.out, output.err


def test_check_against_another_configuration_tells_what_it_would_change(
    capsys: Capture, old: Path, new: Path
) -> None:
    status, out, err = said(capsys, "check", new, "--against", old)
    assert status == 0
    assert out.splitlines()[-4:] == [
        "journal.commit_every: 2ms -> 5ms",
        "accounts.bank.passwords: changed",
        f"routes[destination 358]: to elisa -> to telia ({new}:83)",
        "needs a restart: journal.commit_every",
    ]
    assert err.endswith(", 3 changes\n")
    assert "another1" not in out
    assert "secret01" not in out


def test_check_against_the_same_says_that_nothing_would_change(capsys: Capture, old: Path) -> None:
    status, out, err = said(capsys, "check", old, "--against", old)
    assert (status, "->" in out) == (0, False)
    assert err.endswith(", 0 changes\n")


def test_difference_as_json_has_its_parts_and_the_words(
    capsys: Capture, old: Path, new: Path
) -> None:
    status, out, _ = said(capsys, "check", new, "--against", old, "--json")
    document = json.loads(out)
    against = document["against"]
    assert (status, document["ok"], document["mistakes"]) == (0, True, [])
    assert document["hash"] == load(new, {}).digest != against["hash"] == load(old, {}).digest
    assert against["needs_restart"] == ["journal.commit_every"]
    assert against["changes"][2] == {
        "path": "routes[destination 358]",
        "kind": "changed",
        "before": "to elisa",
        "after": "to telia",
        "place": f"{new}:83",
        "text": f"routes[destination 358]: to elisa -> to telia ({new}:83)",
    }


def test_faulty_configuration_is_not_compared(capsys: Capture, old: Path, tmp_path: Path) -> None:
    faulty = written(tmp_path / "faulty.yaml", changed(CONTRACT, ("commit_every: 2ms", "c: 2")))
    status, out, err = said(capsys, "check", faulty, "--against", old)
    assert (status, out.count("\n")) == (1, 1)
    assert err == f"{faulty}: 1 mistake, 0 warnings\n"
    status, out, err = said(capsys, "check", old, "--against", faulty)
    assert (status, out) == (1, "")
    assert err.endswith(f"{faulty}: 1 mistake\n")
    assert examine(faulty, {}, load(old, {}))["against"] is None


def test_more_rules_than_are_told_are_counted(old: Path, tmp_path: Path) -> None:
    rules = "".join(f'\n  - {{destination: "{n}", to: [elisa]}}' for n in range(400, 430))
    one = '  - {destination: "358", to: [elisa]}'
    many = written(tmp_path / "many.yaml", changed(CONTRACT, (one, one + rules)))
    found = examine(many, {}, load(old, {}))
    assert total_of(found).endswith("more than 20 changes")
    assert list(lines_of(found))[-1] == "routes: and more: 10 added"


def test_router_and_files_cannot_be_compared_with_at_once(capsys: Capture, old: Path) -> None:
    with pytest.raises(SystemExit):
        main(["check", str(old), "--against", str(old), "--against-running"])
    assert "not allowed with" in capsys.readouterr().err
