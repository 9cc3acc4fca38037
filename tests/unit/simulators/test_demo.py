"""simulators/demo.py: what counts as a kept promise. The demonstration itself is an e2e test."""

import pytest
import yaml

from router.terms.limits import Rate
from simulators.demo import Campaign, configuration, promises

CAMPAIGN = Campaign(count=1000, binds=3, rate=Rate(50, 1.0), busy=False)


def _totals() -> tuple[dict[str, object], dict[str, object]]:
    bind = {"submits": 333, "busiest_second": 50}
    operator: dict[str, object] = {
        "distinct": 1000,
        "repeated": 0,
        "span_s": 6.7,
        "binds": [bind, bind, bind | {"submits": 0, "busiest_second": 0}],
    }
    client: dict[str, object] = {
        "accepted": 1000,
        "receipted": 1000,
        "missing": 0,
        "unknown": 0,
        "conflicting": 0,
    }
    return operator, client


def test_campaign_of_1000_over_three_binds_of_50_may_take_6_75_seconds() -> None:
    assert CAMPAIGN.longest_s == pytest.approx(6.75)
    operator, client = _totals()
    assert all(promise.kept for promise in promises(CAMPAIGN, operator, client))


@pytest.mark.parametrize(
    ("side", "key", "value"),
    [
        (0, "distinct", 999),
        (0, "repeated", 1),
        (0, "span_s", 6.751),
        (0, "binds", [{"submits": 334, "busiest_second": 51}]),
        (1, "accepted", 999),
        (1, "receipted", 999),
        (1, "missing", 1),
        (1, "unknown", 1),
        (1, "conflicting", 1),
    ],
)
def test_one_count_out_of_bounds_breaks_a_promise(side: int, key: str, value: object) -> None:
    totals = _totals()
    totals[side][key] = value
    assert not all(promise.kept for promise in promises(CAMPAIGN, *totals))


def test_configuration_names_each_bind_once_and_carries_units() -> None:
    made = yaml.safe_load(yaml.safe_dump(configuration(CAMPAIGN, 4711)))
    binds = made["operators"]["sim"]["binds"]
    assert [bind["name"] for bind in binds] == ["sim-1", "sim-2", "sim-3"]
    assert {(bind["rate"], bind["address"]) for bind in binds} == {("50/s", "127.0.0.1:4711")}
