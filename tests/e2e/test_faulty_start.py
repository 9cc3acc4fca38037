"""What a person sees who has made a mistake: in a configuration, or about a port."""

import json
import socket
from pathlib import Path

import pytest

from tests.e2e.scene import configuration, smpp_router, written

FAULTY = """\
listen: [{address: "127.0.0.1:0"}]
session: {bind_timeout: 2}
journal: {url: "memory:"}
telemetry: {listen: "127.0.0.1:0", logs: {}}
lanes: [{name: bulk, min_share: much}]
accounts:
  bank: {password: secret01, lane: bulg}
  shop: {password: "${SET_NOWHERE}", lane: bulk}
operators:
  telia:
    reconnect: {longest: soon}
    binds:
      - {name: t1, address: "127.0.0.1:1", system_id: a, password: b}
      - {name: t2, address: "127.0.0.1:1", system_id: a, password: b, rate: 5/s, window: many}
routes:
  - {destination: "372", to: [tella]}
  - {destination: "358", refuse: ESME_NOT_KNOWN}
"""
MISTAKES = {
    "session.bind_timeout": 2,
    "telemetry.logs": 4,
    "lanes[0].min_share": 5,
    "accounts.bank.lane": 7,
    "accounts.shop.password": 8,
    "operators.telia.reconnect.longest": 11,
    "operators.telia.binds[0].rate": 13,
    "operators.telia.binds[1].window": 14,
    "routes[0].to[0]": 16,
    "routes[1].refuse": 17,
}
"""All ten by their path, and the line that each stands in."""


def test_check_shows_all_ten_mistakes_each_with_its_place(tmp_path: Path) -> None:
    path = written(tmp_path, FAULTY)

    ended = smpp_router("check", str(path))

    assert ended.returncode == 1
    lines = ended.stdout.splitlines()
    assert len(lines) == len(MISTAKES) == 10
    for (mistake, line_number), line in zip(MISTAKES.items(), lines, strict=True):
        place, _, said = line.partition(": ")
        assert place.startswith(f"{path}:{line_number}:")
        assert said.startswith(f"{mistake}: ")
    assert "10 mistakes" in ended.stderr


def test_check_says_the_same_to_machines(tmp_path: Path) -> None:
    ended = smpp_router("check", "--json", str(written(tmp_path, FAULTY)))

    assert ended.returncode == 1
    document = json.loads(ended.stdout)
    assert document["ok"] is False
    assert {one["path"]: one["line"] for one in document["mistakes"]} == MISTAKES


def test_run_does_not_start_with_mistakes_and_shows_them_all(tmp_path: Path) -> None:
    ended = smpp_router("run", str(written(tmp_path, FAULTY)))

    assert ended.returncode == 1
    assert ended.stdout == ""
    for mistake in MISTAKES:
        assert f": {mistake}: " in ended.stderr
    assert "Traceback" not in ended.stderr


def test_check_is_content_with_a_good_one(tmp_path: Path) -> None:
    ended = smpp_router("check", str(written(tmp_path, configuration(1))))

    assert ended.returncode == 0, ended.stderr


LISTEN = 'listen: [{address: "127.0.0.1:0"}]'


@pytest.mark.parametrize(
    ("wanted", "path"),
    [(LISTEN, "listen[0].address"), ('telemetry: {listen: "127.0.0.1:0"', "telemetry.listen")],
)
def test_port_in_use_is_one_clear_line(wanted: str, path: str, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        text = configuration(1, (wanted, wanted.replace(":0", f":{port}")))

        ended = smpp_router("run", str(written(tmp_path, text)))

    assert ended.returncode == 1
    said = [line for line in ended.stderr.splitlines() if port in line]
    assert len(said) == 1
    assert f"{path}: 127.0.0.1:{port}: " in said[0]
    assert "already in use" in said[0].lower()
    assert "Traceback" not in ended.stderr


def test_certificate_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_text("hello", encoding="utf-8")
    tls = LISTEN.replace("}]", ", tls: {certificate: a.pem, key: a.pem}}]")

    ended = smpp_router("run", str(written(tmp_path, configuration(1, (LISTEN, tls)))))

    assert ended.returncode == 1
    assert f"listen[0].tls: {tmp_path / 'a.pem'} and " in ended.stderr
    assert "Traceback" not in ended.stderr
