"""simulators/scenario.py, and the scenarios that come along."""

from pathlib import Path

import pytest

from simulators import cli, scenario
from simulators.ids import IdForms
from simulators.scenario import Event, ScenarioError
from simulators.units import Span


def _mistakes(text: str) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        scenario.read(text, "s.yaml")
    return caught.value.mistakes


def test_phase_changes_what_it_names_and_keeps_the_rest() -> None:
    read = scenario.read(
        """
        latency: 20ms
        ids: hex
        phases:
          - {at: 5s, silent: 10%}
          - {at: 9s, latency: 1s..2s}
        """,
        "s.yaml",
    )
    first, second, third = (phase.behaviour for phase in read.phases)
    assert [phase.at_s for phase in read.phases] == [0.0, 5.0, 9.0]
    assert (first.silent, second.silent, third.silent) == (0.0, 0.1, 0.1)
    assert (second.latency, third.latency) == (Span(0.02, 0.02), Span(1.0, 2.0))
    assert third.ids == IdForms("hex", "decimal")


def test_flag_goes_over_the_start_and_a_phase_over_both() -> None:
    text = "{latency: 20ms, silent: 1%, phases: [{at: 5s, latency: 1s}]}"
    read = scenario.read(text, "s.yaml", {"latency": Span(0.5, 0.5)})
    assert [phase.behaviour.latency.longest_s for phase in read.phases] == [0.5, 1.0]
    assert {phase.behaviour.silent for phase in read.phases} == {0.01}


def test_events_happen_in_the_order_of_their_times() -> None:
    text = "events: [{at: 9s, do: unbind}, {at: 2s, do: disconnect, binds: [1, 3]}]"
    events = scenario.read(text, "s.yaml").events
    assert events == (Event(2.0, "disconnect", (1, 3)), Event(9.0, "unbind", None))


def test_unknown_key_is_refused_with_the_nearest_and_with_all_there_are() -> None:
    (mistake,) = _mistakes("latncy: 20ms")
    assert mistake.startswith("s.yaml: latncy: unknown key; did you mean 'latency'?")
    assert "binds_rate" in mistake
    assert "phases" in mistake


def test_all_mistakes_are_told_at_once_each_with_its_path() -> None:
    mistakes = _mistakes(
        """
        latency: 20
        clock: noon
        receipts: {deliverd: 1}
        phases:
          - {at: 5s, silent: 200%}
          - {at: 3s, bogus: 1}
          - {silent: 1%}
        events:
          - {at: 1s, do: explode, binds: 3, what: x}
        """
    )
    paths = [mistake.removeprefix("s.yaml: ").partition(":")[0] for mistake in mistakes]
    assert sorted(paths) == sorted(
        [
            "latency",
            "clock",
            "receipts",
            "phases[0].silent",
            "phases[1].at",
            "phases[1].bogus",
            "phases[2]",
            "phases[2].at",
            "events[0].do",
            "events[0].binds",
            "events[0].what",
        ]
    )


@pytest.mark.parametrize(
    "text",
    ["latency: 1s\nlatency: 2s", "[1, 2]", "latency: {", "phases: {at: 1s}", "{[a]: 1}", "7"],
)
def test_text_that_is_no_scenario_is_refused_and_not_a_crash(text: str) -> None:
    assert _mistakes(text)


def test_empty_file_is_an_operator_at_its_best() -> None:
    assert scenario.read("", "s.yaml") == scenario.Scenario()


@pytest.mark.parametrize("path", sorted(cli.SCENARIOS.glob("*.yaml")), ids=lambda path: path.stem)
def test_scenario_that_comes_along_is_valid_and_says_what_it_is(path: Path) -> None:
    read = scenario.read(path.read_text(encoding="utf-8"), path.name)
    assert read.story.strip()
