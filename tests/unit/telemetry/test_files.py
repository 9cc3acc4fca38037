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

CONFIG: Final = Path(__file__).parents[3] / "config"
SELECTOR: Final = re.compile(r"\b((?:smpp_router|process)_\w+)(?:\{([^}]*)\})?")
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


EXPORTED: Final = exported()


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
