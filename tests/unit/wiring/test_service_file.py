"""systemd/smpp-router.service and .socket: what they name exists, and a reload fails visibly."""

from pathlib import Path, PurePosixPath

import pytest

from router.settings.load import load
from router.settings.units import duration
from router.wiring.cli import main

ROOT = Path(__file__).parents[3]
SERVICE = ROOT / "systemd" / "smpp-router.service"
SOCKET = ROOT / "systemd" / "smpp-router.socket"


def test_sockets_are_those_of_the_configuration_that_is_installed_with_them() -> None:
    settings = load(ROOT / "config", {})
    lines = SOCKET.read_text(encoding="utf-8").splitlines()
    sockets = [line.removeprefix("ListenStream=") for line in lines if "ListenStream=" in line]
    assert sockets == [str(listen.address) for listen in settings.listen]
    assert "Accept=no" in lines


def test_systemd_waits_longer_than_a_stop_takes_by_default() -> None:
    (line,) = [one for one in SERVICE.read_text().splitlines() if one.startswith("TimeoutStopSec=")]
    assert duration(line.removeprefix("TimeoutStopSec=")) > load(ROOT / "config", {}).stop_within_s


def commands(key: str) -> list[list[str]]:
    """The words of every command that stands under `key`."""
    lines = SERVICE.read_text(encoding="utf-8").splitlines()
    return [line.removeprefix(f"{key}=").split() for line in lines if line.startswith(f"{key}=")]


@pytest.mark.parametrize("key", ["ExecStart", "ExecReload"])
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
