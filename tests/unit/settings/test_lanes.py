"""router/settings/keys.py: the default of the first lane, and how it is turned off."""

import pytest

from tests.unit.settings.configurations import SMALL, changed, loaded, the_mistake

LANES = "lanes: [{name: urgent}, {name: slow}]"


def after_s(lanes: str, **environment: str) -> list[float | None]:
    """The `failover_after` of each lane of a configuration with these."""
    settings = loaded(changed(SMALL, (LANES, lanes)), environment)
    return [lane.failover_after_s for lane in settings.lanes]


@pytest.mark.parametrize(
    ("lanes", "expected"),
    [
        (LANES, [2.0, None]),
        ("lanes: [{name: urgent}]", [2.0]),
        ("lanes: [{name: urgent, failover_after: false}, {name: slow}]", [None, None]),
        ("lanes: [{name: urgent, failover_after: FALSE}, {name: slow}]", [None, None]),
        ("lanes: [{name: urgent, failover_after: 300ms}, {name: slow}]", [0.3, None]),
        ("lanes: [{name: urgent}, {name: slow, failover_after: 1h}]", [2.0, 3600.0]),
        ("lanes: [{name: urgent}, {name: slow, failover_after: false}]", [2.0, None]),
    ],
)
def test_only_the_first_lane_overflows_where_nothing_is_written(
    lanes: str, expected: list[float | None]
) -> None:
    assert after_s(lanes) == expected


@pytest.mark.parametrize(
    ("lanes", "expected"),
    [
        ("lanes: [&l {name: urgent}, {<<: *l, name: slow}]", [2.0, None]),
        ("lanes: [&l {name: urgent, failover_after: 5s}, {<<: *l, name: slow}]", [5.0, 5.0]),
        (
            "lanes: [&l {name: urgent, failover_after: false}, {<<: *l, name: slow}]",
            [None, None],
        ),
        (
            "lanes: [{<<: &l {failover_after: false}, name: urgent}, {<<: *l, name: slow}]",
            [None, None],
        ),
    ],
)
def test_what_a_lane_takes_from_another_is_as_if_it_were_written_there(
    lanes: str, expected: list[float | None]
) -> None:
    assert after_s(lanes) == expected


def test_environment_may_turn_it_off() -> None:
    lanes = "lanes: [{name: urgent, failover_after: '${AFTER:-2s}'}, {name: slow}]"
    assert after_s(lanes) == [2.0, None]
    assert after_s(lanes, AFTER="false") == [None, None]


@pytest.mark.parametrize(
    ("written", "suggestion"),
    [("2", "2s"), ("true", None), ("0s", None), ("~", None), ("[2s]", None)],
)
def test_what_is_neither_is_refused(written: str, suggestion: str | None) -> None:
    lanes = f"lanes: [{{name: urgent, failover_after: {written}}}, {{name: slow}}]"
    mistake = the_mistake(changed(SMALL, (LANES, lanes)))
    assert (mistake.path, mistake.suggestion) == ("lanes[0].failover_after", suggestion)


def test_key_that_is_misspelt_is_told_and_no_default_stands_for_it() -> None:
    lanes = "lanes: [{name: urgent, failover_aftr: false}, {name: slow}]"
    mistake = the_mistake(changed(SMALL, (LANES, lanes)))
    assert mistake.suggestion == "failover_after"
