"""config/prometheus/alerts.yml and config/grafana/dashboard.json: they ask for what there is."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import yaml

from router.settings.load import load
from router.telemetry.metrics import Exporter, registry
from tests.unit.telemetry.running import filled

ROOT: Final = Path(__file__).parents[3]
CONFIG: Final = ROOT / "config"
SELECTOR: Final = re.compile(r"\b((?:smpp_router|process)_\w+|up\b)(?:\{([^}]*)\})?")
MATCHER: Final = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')
BY: Final = re.compile(r"\b(?:by|on)\s*\(([^)]*)\)")
SCRAPED: Final = {"instance", "job", "le"}
"""Labels that Prometheus adds, and that of a bucket."""


def alerts() -> list[dict[str, object]]:
    text = (CONFIG / "prometheus" / "alerts.yml").read_text(encoding="utf-8")
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


def dashboard() -> dict[str, object]:
    found = json.loads((CONFIG / "grafana" / "dashboard.json").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def panels() -> list[dict[str, object]]:
    found = dashboard()["panels"]
    assert isinstance(found, list)
    return found


def expressions() -> Iterator[str]:
    yield from (str(alert["expr"]) for alert in alerts())
    for panel in panels():
        targets = panel.get("targets", [])
        assert isinstance(targets, list)
        yield from (target["expr"] for target in targets)
    yield from re.findall(r"label_values\((.*?)\)", json.dumps(dashboard()))


def exported() -> dict[str, set[str]]:
    """Every series and its labels."""
    router = filled()
    return {
        sample.name: set(sample.labels)
        for family in registry(router, lambda: 0).collect()
        for sample in family.samples
    }


EXPORTED: Final = exported() | {"up": {"instance", "job"}}
"""What Prometheus adds among them."""


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_expression_asks_for_series_and_labels_that_are_exported(expression: str) -> None:
    asked = SELECTOR.findall(expression)
    assert asked
    labels = set(SCRAPED)
    for name, matchers in asked:
        assert name in EXPORTED
        labels |= EXPORTED[name]
        assert {label for label, _ in MATCHER.findall(matchers)} <= EXPORTED[name] | SCRAPED
    grouped = {label.strip() for labels in BY.findall(expression) for label in labels.split(",")}
    assert grouped <= labels


def test_every_metric_of_the_router_is_on_the_dashboard() -> None:
    asked = {name for expression in expressions() for name, _ in SELECTOR.findall(expression)}
    unseen = [
        family.name
        for family in Exporter(filled(), lambda: 0).collect()
        if not asked & {sample.name for sample in family.samples}
    ]
    assert unseen == []


def test_lanes_that_alerts_name_are_in_the_configuration_beside_them() -> None:
    lanes = {lane.name for lane in load(CONFIG, {}).lanes}
    named = {
        lane
        for expression in expressions()
        for label, lane in MATCHER.findall(expression)
        if label == "lane"
    }
    assert named
    assert named <= lanes


RUNBOOKS: Final = "{{ $externalLabels.runbooks }}"
PROMTOOL_TESTS: Final = ROOT / "tests" / "prometheus"


def anchors(page: Path) -> set[str]:
    """The names that headings of a page have in links, as GitHub makes them."""
    found = set()
    for line in page.read_text(encoding="utf-8").splitlines():
        if re.match("#+ ", line):
            words = re.sub(r"[^\w\- ]", "", line.lstrip("# ").lower())
            found.add(words.replace(" ", "-"))
    return found


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_alert_leads_to_a_section_that_is_there(alert: dict[str, object]) -> None:
    told = alert["annotations"]
    assert isinstance(told, dict)
    url = told["runbook_url"]
    assert url.startswith(RUNBOOKS)
    page, _, anchor = url.removeprefix(RUNBOOKS).partition("#")
    assert anchor in anchors(ROOT / page)


def test_each_alert_has_one_name_and_a_test_by_promtool() -> None:
    names = [str(alert["alert"]) for alert in alerts()]
    assert len(set(names)) == len(names)
    tested: set[str] = set()
    for file in PROMTOOL_TESTS.glob("*.yml"):
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["tests"]:
            fires = [one for one in group.get("promql_expr_test", []) if one["exp_samples"]]
            quiet = [one for one in group.get("promql_expr_test", []) if not one["exp_samples"]]
            if fires and quiet:
                tested.add(group["name"].partition(":")[0])
    assert tested == set(names)


def test_healthy_series_are_all_that_alerts_ask_for() -> None:
    asked = {name for alert in alerts() for name, _ in SELECTOR.findall(str(alert["expr"]))}
    for file in PROMTOOL_TESTS.glob("*.yml"):
        first, *_ = yaml.safe_load(file.read_text(encoding="utf-8"))["tests"]
        assert first["name"] == "healthy"
        assert [one["exp_samples"] for one in first["promql_expr_test"]] == [[]]
        assert {one["series"].partition("{")[0] for one in first["input_series"]} >= asked


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_alert_says_how_urgent_it_is_and_what_to_do(alert: dict[str, object]) -> None:
    labels, told = alert["labels"], alert["annotations"]
    assert isinstance(labels, dict)
    assert isinstance(told, dict)
    assert labels["severity"] in ("page", "ticket")
    assert told["summary"]
    assert told["description"].endswith((".", "?"))


def test_panels_have_their_own_ids_and_do_not_overlap() -> None:
    ids = [panel["id"] for panel in panels()]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        assert isinstance(place, dict)
        cells = {
            (column, line)
            for column in range(place["x"], place["x"] + place["w"])
            for line in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken
        taken |= cells
