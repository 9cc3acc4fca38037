"""systemd/smpp-router.service: its commands exist, and a reload that fails says so."""

from pathlib import Path, PurePosixPath

import pytest

from router.wiring.cli import main

SERVICE = Path(__file__).parents[3] / "systemd" / "smpp-router.service"


def commands(key: str) -> list[list[str]]:
    """The words of every command that stands under `key`."""
    lines = SERVICE.read_text(encoding="utf-8").splitlines()
    return [line.removeprefix(f"{key}=").split() for line in lines if line.startswith(f"{key}=")]


@pytest.mark.parametrize("key", ["ExecStartPre", "ExecStart", "ExecReload"])
def test_every_command_is_one_of_the_installed_version(
    key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ((program, command, *_),) = commands(key)
    assert PurePosixPath(program) == PurePosixPath("/opt/smpp-router/current/bin/smpp-router")
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert f"usage: smpp-router {command}" in capsys.readouterr().out


def test_reload_fails_and_says_why_where_no_router_answers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ((_, *arguments),) = commands("ExecReload")
    assert main([*arguments, "--url", "http://127.0.0.1:1"]) == 1
    assert "is the router running" in capsys.readouterr().err
