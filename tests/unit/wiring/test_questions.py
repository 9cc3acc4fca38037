"""router/wiring/questions.py: what the running router answers, and what it does not tell."""

import json
from pathlib import Path
from typing import cast

import pytest

from router.settings.load import load
from router.wiring.checking import Examined, lines_of
from router.wiring.questions import not_for_everybody, own_name
from router.wiring.running_config import RunningConfig
from tests.unit.settings.configurations import CONTRACT, changed, loaded
from tests.unit.telemetry.running import TELIA, FakeRouter
from tests.unit.wiring.test_control import command, control_of

SECRET = "Zq7wV9kP"
FASTER = ("commit_every: 2ms", "commit_every: 5ms")


def asked(router: FakeRouter, where: str, **question: object) -> tuple[int, dict[str, object]]:
    return command(control_of(router), where, json.dumps(question).encode())


def written(path: Path, text: str, mode: int = 0o644) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


@pytest.fixture
def router() -> FakeRouter:
    found = FakeRouter()
    found.bring_up(TELIA)
    return found


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "router.yaml"
    path.write_text(changed(CONTRACT, FASTER), encoding="utf-8")
    path.chmod(0o644)
    return path


def test_configuration_is_read_and_compared_with_what_runs(
    router: FakeRouter, config: Path
) -> None:
    status, found = asked(router, "/v1/compare", path=str(config))
    assert (status, found["ok"]) == (200, True)
    against = found["against"]
    assert isinstance(against, dict)
    assert against["hash"] == router.settings.digest
    assert "journal.commit_every: 2ms -> 5ms" in [one["text"] for one in against["changes"]]
    assert found["read_by"]


def test_what_was_applied_last_is_what_runs(router: FakeRouter, config: Path) -> None:
    applied = load(config, {})
    router.config = RunningConfig(applied, lambda: applied)
    _, found = asked(router, "/v1/compare", path=str(config))
    against = found["against"]
    assert isinstance(against, dict)
    assert (against["hash"], against["changes"]) == (applied.digest, [])


def test_faulty_configuration_is_told_as_check_does(router: FakeRouter, config: Path) -> None:
    config.write_text(changed(CONTRACT, ("commit_every: 2ms", "commit: 2ms")), encoding="utf-8")
    status, found = asked(router, "/v1/compare", path=str(config))
    mistakes = found["mistakes"]
    assert isinstance(mistakes, list)
    assert (status, found["ok"], found["against"], len(mistakes)) == (200, False, None, 1)


def test_file_that_the_router_cannot_read_is_a_mistake(router: FakeRouter, tmp_path: Path) -> None:
    status, found = asked(router, "/v1/compare", path=str(tmp_path / "none.yaml"))
    assert (status, found["ok"]) == (200, False)
    assert "cannot be read: no such file" in str(found["mistakes"]).lower()


def test_nothing_is_read_for_a_command_that_not_everybody_may_read(
    router: FakeRouter, config: Path
) -> None:
    config.chmod(0o640)
    for path in (config, config.parent):
        status, found = asked(router, "/v1/compare", path=str(path))
        assert status == 403
        assert str(config) in str(found["error"])
        assert "--against CONFIG2" in str(found["error"])


def test_configuration_that_runs_is_read_whoever_may_read_it(tmp_path: Path) -> None:
    settings = loaded(CONTRACT, folder=tmp_path)
    (tmp_path / "router.yaml").chmod(0o600)
    assert not_for_everybody(tmp_path / "router.yaml", settings) is None
    assert not_for_everybody(tmp_path, settings) is None
    (tmp_path / "other.yaml").touch(mode=0o600)
    assert not_for_everybody(tmp_path, settings) == tmp_path / "other.yaml"


def test_whether_a_password_is_right_is_told_only_of_the_files_that_run(tmp_path: Path) -> None:
    own, guess = tmp_path / "own" / "router.yaml", tmp_path / "guess" / "router.yaml"
    for path in (own, guess):
        path.parent.mkdir()
        path.write_text(CONTRACT, encoding="utf-8")
    router = FakeRouter()
    router.config = RunningConfig(load(own, {}), lambda: load(own, {}))
    another = changed(
        CONTRACT,
        ("${BANK_PASSWORD:-secret01}", "another1"),
        ("name: telia-3,", "name: telia-3, system_type: VMA,"),
        FASTER,
    )
    told = ["journal.commit_every", "operators.telia.binds.telia-3.system_type"]
    for path in (own, guess):
        path.write_text(another, encoding="utf-8")
        path.chmod(0o644)

    def changes(path: Path) -> list[str]:
        against = asked(router, "/v1/compare", path=str(path))[1]["against"]
        assert isinstance(against, dict)
        return [one["path"] for one in against["changes"]]

    assert sorted(changes(own)) == sorted([*told, "accounts.bank.passwords"])
    assert changes(guess) == told
    assert changes(own.parent) == told, "it may hold other files"
    _, found = asked(router, "/v1/compare", path=str(guess))
    assert "passwords were not compared" in "\n".join(lines_of(cast("Examined", found)))


def test_values_of_the_environment_are_told_nobody(
    router: FakeRouter, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELIA_PASSWORD", SECRET)
    everywhere = (
        ("system_id: smpp-router ", "system_id: '${TELIA_PASSWORD}' "),
        ("sqlite:///router.db", "sqlite:///${TELIA_PASSWORD}"),
        ('name: telia-3, address: "127.0.0.1', 'name: telia-3, address: "${TELIA_PASSWORD}'),
        ("keyword: MESSENTE", "keyword: '${TELIA_PASSWORD}'"),
    )
    config.write_text(changed(CONTRACT, *everywhere), encoding="utf-8")
    status, found = asked(router, "/v1/compare", path=str(config))
    assert status == 200
    assert SECRET not in json.dumps(found)
    mistakes = cast("list[dict[str, str]]", found["mistakes"])
    assert len(mistakes) == len(everywhere)
    assert {one["message"] for one in mistakes} == {
        "in files that it does not run, the router takes variables of its environment for passwords"
        " only; compare with --against instead"
    }


def test_files_that_run_are_read_with_the_environment_and_by_the_name_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELIA", SECRET)
    text = changed(CONTRACT, ("system_id: smpp-router", "system_id: '${TELIA}'"))
    own, link = written(tmp_path / "own.yaml", text), tmp_path / "link.yaml"
    link.symlink_to(own)
    settings, router = load(own, {"TELIA": SECRET}), FakeRouter()
    router.config = RunningConfig(settings, lambda: settings)
    written(own, changed(text, ("rate: 80/s", "rate: 90/s")))
    against = asked(router, "/v1/compare", path=str(link))[1]["against"]
    assert isinstance(against, dict)
    assert [one["text"] for one in against["changes"]] == ["operators.elisa.rate: 80/s -> 90/s"]

    written(own, "listen: 1\n")
    _, found = asked(router, "/v1/compare", path=str(link))
    mistakes = cast("list[dict[str, str]]", found["mistakes"])
    assert {one["file"] for one in mistakes} == {str(own)}, "the link may lead elsewhere by now"


def test_file_that_the_configuration_only_names_is_none_of_its_own(tmp_path: Path) -> None:
    own, named = tmp_path / "own.yaml", written(tmp_path / "list", "1\n")
    settings = load(written(own, CONTRACT + "prefixes: {x: {file: list}}\n"), {})
    assert {own, named} == set(settings.files)
    assert own_name(own, settings) == own
    assert own_name(named, settings) is None
    assert own_name(tmp_path / "no\0name", settings) is None


def test_content_of_a_file_that_is_named_is_not_in_the_answer(
    router: FakeRouter, config: Path
) -> None:
    """The digest of the configuration would be enough to try out what may stand in the file."""
    tls = 'listen:\n  - {address: "127.0.0.1:2775", tls: {certificate: secret, key: secret}}'
    config.write_text(changed(CONTRACT, ('listen:\n  - {address: "127.0.0.1:2775"}', tls)))
    answers = []
    for secret in (SECRET, "another1"):
        written(config.parent / "secret", secret, 0o600)
        answers.append(asked(router, "/v1/compare", path=str(config)))
    assert answers[0] == answers[1]
    assert (answers[0][1]["ok"], answers[0][1]["hash"]) == (True, None)


def test_of_groups_in_files_is_told_only_how_many_prefixes_there_are(tmp_path: Path) -> None:
    own, other = tmp_path / "own", tmp_path / "other"
    for folder, prefixes in ((own, "3725\n3726\n"), (other, "3725\n")):
        folder.mkdir()
        written(folder / "list", prefixes)
        groups = f'prefixes: {{x: {{file: list}}, y: ["{len(prefixes)}"]}}\n'
        written(folder / "router.yaml", CONTRACT + groups)
    settings, router = load(own / "router.yaml", {}), FakeRouter()
    router.config = RunningConfig(settings, lambda: settings)
    against = asked(router, "/v1/compare", path=str(other / "router.yaml"))[1]["against"]
    assert isinstance(against, dict)
    assert [one["text"] for one in against["changes"]] == [
        "prefixes.x.prefixes: 2 of them -> 1 of them",
        "prefixes.y.prefixes: 1 of them -> 1 (+1 -1)",
    ]


def test_relative_path_means_nothing_to_the_router(router: FakeRouter) -> None:
    assert asked(router, "/v1/compare", path="config")[0] == 400


def test_message_is_explained_by_what_runs_and_how_it_is_now(router: FakeRouter) -> None:
    status, found = asked(router, "/v1/explain", account="bank", to="37255512345")
    now = found["now"]
    assert isinstance(now, dict)
    assert (status, found["accepted"], found["number"]) == (200, True, "37255512345")
    assert now["carriers"] == [{"operator": "telia", "share": 1.0}]
    lines = found["lines"]
    assert isinstance(lines, list)
    assert lines[-1] == ["carries", "telia"]


def test_message_that_is_refused_is_explained_without_asking_the_loop(router: FakeRouter) -> None:
    router.loop.answers = False
    status, found = asked(router, "/v1/explain", account="bank", to="3581999000")
    assert (status, found["accepted"], found["now"]) == (200, False, None)


def test_loop_that_does_not_answer_is_503(router: FakeRouter) -> None:
    router.loop.answers = False
    site = control_of(router, answer_s=0.01)
    body = b'{"account": "bank", "to": "372555"}'
    assert command(site, "/v1/explain", body)[0] == 503
    router.loop.closed = True
    assert command(site, "/v1/explain", body) == (503, {"error": "the router is stopping"})


def test_rules_are_those_that_run(router: FakeRouter) -> None:
    status, found = asked(router, "/v1/routes", to="358")
    routes = found["routes"]
    assert isinstance(routes, list)
    assert (status, found["of"]) == (200, 4)
    assert [one["destination"] for one in routes] == [["3581999"], ["358"]]
    assert len(asked(router, "/v1/routes")[1]["routes"]) == 4  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "question", "status"),
    [
        ("/v1/explain", {"account": "bnak", "to": "372"}, 422),
        ("/v1/routes", {"account": "bnak"}, 422),
        ("/v1/explain", {"account": "bank"}, 400),
        ("/v1/explain", {"account": "bank", "to": 372}, 400),
        ("/v1/explain", {"account": "bank", "to": "372", "priority": 256}, 400),
        ("/v1/explain", {"account": "bank", "to": "372", "at_utc": 1e300}, 400),
        ("/v1/explain", {"account": "bank", "to": "372", "at_utc": "now"}, 400),
        ("/v1/explain", {"account": "bank", "to": "Ж"}, 400),
        ("/v1/explain", {"account": "bank", "to": "3\0"}, 400),
        ("/v1/compare", {}, 400),
        ("/v1/routes", {"to": []}, 400),
    ],
)
def test_question_that_is_none_is_refused(
    router: FakeRouter, path: str, question: dict[str, object], status: int
) -> None:
    found, document = asked(router, path, **question)
    assert (found, list(document)) == (status, ["error"])


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"372"'])
def test_question_is_an_object_of_json(router: FakeRouter, body: bytes) -> None:
    assert command(control_of(router), "/v1/routes", body)[0] == 400


def test_settings_of_an_operator_or_account_are_told_without_passwords(router: FakeRouter) -> None:
    status, found = asked(router, "/v1/settings", operator="telia")
    assert status == 200
    assert cast("dict[str, dict[str, str]]", found["binds"])["telia-1"]["rate"] == "50/s"
    status, of_account = asked(router, "/v1/settings", account="shop")
    assert (status, of_account["binds"]) == (200, {})
    assert "pw1" not in f"{found}{of_account}"
    assert "secret" not in f"{found}{of_account}"
    assert asked(router, "/v1/settings", account="nobody")[0] == 422
    assert asked(router, "/v1/settings", operator="gone")[1] == {"settings": {}, "binds": {}}
    assert asked(router, "/v1/settings", operator=7)[0] == 400
