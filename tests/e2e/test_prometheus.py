"""config/prometheus and config/grafana, in Prometheus itself: each rule and query."""

import json
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from benchmarks import stand
from benchmarks.processes import DEADLINE_S, ROOT, Child, as_document, until
from tests.e2e.scene import Peer, configuration
from tests.unit.telemetry.test_files import SELECTOR, expressions, panels

PROMETHEUS: Final = shutil.which("prometheus")
PROMTOOL: Final = shutil.which("promtool")
ALERTS: Final = ROOT / "config" / "prometheus" / "alerts.yml"
MESSAGES: Final = 60
VARIABLES: Final = {
    "$__rate_interval": "1m",
    "$instance": ".*",
    "$operator": ".*",
    "$account": ".*",
}
"""What Grafana puts into a query; the rest of a panel is Grafana's business."""

needs_prometheus = pytest.mark.skipif(PROMETHEUS is None, reason="needs prometheus (Debian)")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="needs promtool (Debian: prometheus)")


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it in the root of the repository."""
    assert PROMTOOL is not None
    return subprocess.run(
        [PROMTOOL, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=10 * DEADLINE_S,
    )


@needs_promtool
def test_rules_are_rules() -> None:
    done = promtool("check", "rules", str(ALERTS))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.long
@needs_promtool
@pytest.mark.parametrize(
    "file",
    sorted((ROOT / "tests" / "prometheus").glob("*.yml")),
    ids=lambda file: file.name,
)
def test_alerts_fire_when_they_should_and_only_then(file: Path) -> None:
    done = promtool("test", "rules", str(file))
    assert done.returncode == 0, done.stdout + done.stderr


class Prometheus:
    """A Prometheus that scrapes a router twice a second, with our rules."""

    def __init__(self, stack: ExitStack, router: stand.Router, folder: Path) -> None:
        assert PROMETHEUS is not None
        path = folder / "prometheus.json"
        scraped = {"job_name": "smpp", "static_configs": [{"targets": [router.telemetry]}]}
        timing = {"scrape_interval": "500ms", "scrape_timeout": "500ms"}
        settings = {
            "global": {**timing, "evaluation_interval": "500ms"},
            "rule_files": [str(ALERTS)],
            "scrape_configs": [scraped],
        }
        path.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML.
        arguments = [
            f"--config.file={path}",
            f"--storage.tsdb.path={folder / 'data'}",
            "--web.listen-address=127.0.0.1:0",
            "--log.format=json",
        ]
        self.child = stack.enter_context(Child("prometheus", arguments, python=(PROMETHEUS,)))
        self.address = self.child.hear("where it listens", _listens)
        until("it is ready", self._is_ready)

    def _is_ready(self) -> bool | None:
        try:
            with urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=DEADLINE_S):
                return True
        except urllib.error.URLError:
            return None

    def ask(self, path: str, **parameters: str) -> object:
        """Return the `data` of its answer; what it objects to is an error."""
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=DEADLINE_S) as answer:
                document = json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from error
        assert document["status"] == "success"
        assert not document.get("warnings")
        return document["data"]

    def values(self, expression: str) -> list[float]:
        """Return what an expression has now."""
        data = self.ask("query", query=expression)
        assert isinstance(data, dict)
        return [float(one["value"][1]) for one in data["result"]]

    def until_it_has(self, expression: str) -> None:
        """Wait until an expression has a value."""
        until(f"there is {expression}", lambda: self.values(expression) or None)


def _listens(line: str) -> str | None:
    document = as_document(line)
    if document is None or document.get("msg") != "Listening on":
        return None
    return str(document["address"])


@pytest.fixture(scope="module")
def prometheus(shared: ExitStack, tmp_path_factory: pytest.TempPathFactory) -> Prometheus:
    """It has scraped a router with some traffic."""
    folder = tmp_path_factory.mktemp("router")
    operator = stand.operator(shared, "--receipt-delay", "10ms")
    durable = ('url: "memory:"', 'url: "sqlite:///journal.db"')
    router = stand.router(shared, configuration(operator.port, durable), folder)
    found = Prometheus(shared, router, tmp_path_factory.mktemp("prometheus"))
    router.until_bound(3)
    with Peer(router.port) as client:
        client.bind("bank")
        for count in (MESSAGES, 2 * MESSAGES):  # A counter that first appears has not increased.
            for number in range(MESSAGES):
                client.submit(f"372555{number:05}", registered_delivery=1)
                client.submit("Telia")  # Refused.
            client.hears_all(count)
            scraped = f"min_over_time(smpp_router_receipts_too_fast_total[2s]) >= {count}"
            found.until_it_has(scraped)
    return found


def for_prometheus(expression: str) -> str:
    """An expression as Grafana sends it."""
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    assert "$" not in expression
    return expression


@pytest.mark.long
@needs_prometheus
def test_every_query_of_the_dashboard_and_every_rule_is_answered(prometheus: Prometheus) -> None:
    asked = sorted(set(expressions()))
    assert len(asked) > 100
    for expression in asked:
        if ", " in expression and SELECTOR.fullmatch(expression.partition(",")[0]):
            continue  # The inside of label_values(), which Grafana asks otherwise.
        prometheus.ask("query", query=for_prometheus(expression))


@pytest.mark.long
@needs_prometheus
def test_names_in_queries_are_those_that_the_router_exports(prometheus: Prometheus) -> None:
    known = prometheus.ask("metadata")
    assert isinstance(known, dict)
    families = {name.removesuffix("_total") for name in known}
    unknown = {
        name
        for expression in expressions()
        for name, _ in SELECTOR.findall(expression)
        if name != "up"
        and not {name, name.removesuffix("_total"), name.rpartition("_")[0]} & families
    }
    assert unknown == set()


@pytest.mark.long
@needs_prometheus
def test_rules_are_evaluated_without_an_error(prometheus: Prometheus) -> None:
    def evaluated() -> list[dict[str, object]] | None:
        data = prometheus.ask("rules")
        assert isinstance(data, dict)
        (group,) = data["groups"]
        rules: list[dict[str, object]] = group["rules"]
        return None if any(rule["health"] == "unknown" for rule in rules) else rules

    rules = until("all rules are evaluated", evaluated)
    assert {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"} == {}


@pytest.mark.long
@needs_prometheus
@pytest.mark.parametrize(
    ("title", "wanted"),
    [
        ("Use of the contract", 1),
        ("Delivered share", 1),
        ("Top refusals", 1),
        ("Numbers that can be reached", 1),
        ("Free space of the journal", 1),
    ],
)
def test_panel_shows_what_happened(prometheus: Prometheus, title: str, wanted: int) -> None:
    (panel,) = (one for one in panels() if one["title"] == title)
    targets = panel["targets"]
    assert isinstance(targets, list)
    values = prometheus.values(for_prometheus(targets[0]["expr"]))
    assert len(values) == wanted
    assert values[0] > 0.0
