"""Which configuration runs, what its files would change, and what becomes of a message now."""

import json
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks import stand
from benchmarks.processes import until
from router.settings.load import load
from router.wiring.cli import main
from tests.e2e.scene import changed, configuration

SECRET = "Zq7wV9kP"
COUNT = 20
"""Messages that the journal has a record of."""


def test_router_tells_what_runs_and_what_another_configuration_would_change(
    stack: ExitStack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    telia = stand.operator(stack, "--receipt-delay", "10ms..20ms")
    journal = ('url: "memory:"', 'url: "sqlite:///router.db"')
    router = stand.router(stack, configuration(telia.port, journal), tmp_path)
    config = tmp_path / "router.yaml"
    router.until_bound(3)
    url = ("--url", f"http://{router.control}")

    def said(*arguments: str | Path) -> str:
        assert main([str(one) for one in arguments]) == 0
        return capsys.readouterr().out

    digest = load(config, {}).digest
    assert router.child.event("router.ready")["config"] == digest
    assert router.samples().sum("config_info", hash=digest) == 1
    assert f"configuration {digest} since " in said("status", *url)

    # A route of its own for Estonia, and a rate that is not the same.
    new = tmp_path / "new" / "router.yaml"
    new.parent.mkdir()
    old_routes = 'routes: [{destination: "", to: [telia]}]'
    new_routes = old_routes.replace("[{", '[{destination: "3725", refuse: ESME_RINVDSTADR}, {')
    text = config.read_text(encoding="utf-8")
    text = changed(text, (old_routes, new_routes), ('"sqlite:///', '"sqlite:///../'))
    new.write_text(text.replace("rate: 500/s", "rate: 400/s", 1), encoding="utf-8")
    for path in (tmp_path, new.parent, new):
        path.chmod(0o755)  # The router reads for others only what everybody may.
    difference = json.loads(said("check", new, "--against-running", *url, "--json"))["against"]
    words = [change["text"] for change in difference["changes"]]
    assert [one for one in words if "journal" not in one] == [
        "operators.telia.binds.t1.rate: 500/s -> 400/s",
        f"routes[destination 3725]: added: refuse ESME_RINVDSTADR ({new}:16)",
    ]

    question = ("explain", "--running", *url, "--account", "bank", "--to", "37255512345")
    assert "carries    telia\n" in said(*question)
    said("drain", "telia", *url)
    told = said(*question)
    assert "now        telia: t1 drained, t2 drained, t3 drained; nothing waits there" in told
    assert "carries    nobody: it would wait" in told
    said("resume", "telia", *url)
    assert f"{config}:" in said("routes", "--running", *url, "--to", "3725", "--account", "shop")

    client = stand.client(
        stack, router.port, "--count", str(COUNT), "--destination", "3725{7}", system_id="bank"
    )
    client.ends()
    until("all settled", lambda: router.samples().sum("outcomes_total") == COUNT or None)

    def planned() -> dict[str, object] | None:
        """The last records are written a moment after the clients have their receipts."""
        arguments = (
            "plan",
            new,
            "--against",
            config,
            "--traffic",
            tmp_path / "router.db",
            "--json",
        )
        found = json.loads(said(*arguments))
        return found if found["messages"] == COUNT else None

    plan = until("all recorded", planned)
    assert (plan["moved"], plan["refused_before"], plan["refused_after"]) == (COUNT, 0, COUNT)
    assert router.samples().sum("config_stale") == 0


def test_router_tells_nothing_of_its_environment_to_who_writes_a_file(
    stack: ExitStack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    telia = stand.operator(stack)
    own = configuration(
        telia.port,
        ("bind_timeout: 2s", 'bind_timeout: 2s, system_id: "${NAME}"'),
        ("password: secret01", 'password: "${BANK_PASSWORD}"'),
    )
    environment = {"BANK_PASSWORD": SECRET, "NAME": "here"}
    router = stand.router(stack, own, tmp_path, environment=environment)
    new = tmp_path / "new" / "router.yaml"
    new.parent.mkdir()

    def check(path: Path, text: str) -> tuple[int, str]:
        path.write_text(text, encoding="utf-8")
        for one in (tmp_path, new.parent, new):
            one.chmod(0o755)  # The router reads for others only what everybody may.
        url = f"http://{router.control}"
        status = main(["check", str(path), "--against-running", "--url", url])
        return status, capsys.readouterr().out

    for variable in ("${BANK_PASSWORD}", "${NAME}"):
        status, said = check(new, changed(own, ("${NAME}", variable)))
        assert status == 1
        assert said.startswith(f"{new}:2:")
        assert "variables of its environment for passwords only" in said
        assert SECRET not in said
    status, said = check(new, changed(own, ("${NAME}", "there")))
    assert (status, "session.system_id: here -> there" in said) == (0, True)
    status, said = check(tmp_path / "router.yaml", own)
    assert (status, "session" in said) == (0, False)


@pytest.mark.long  # The files are looked at once a minute.
def test_files_that_are_not_what_runs_are_told_within_a_minute(
    stack: ExitStack, tmp_path: Path
) -> None:
    telia = stand.operator(stack)
    router = stand.router(stack, configuration(telia.port), tmp_path)
    config = tmp_path / "router.yaml"
    text = config.read_text(encoding="utf-8")

    config.write_text(text.replace("rate: 500/s", "rate: 400/s", 1), encoding="utf-8")
    until("stale", lambda: router.samples().sum("config_stale") or None, within_s=90.0)
    assert json.loads(router.http("/v1/status"))["config"]["why"].startswith("the files differ")
    assert router.child.event("config.outdated")
