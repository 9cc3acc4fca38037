"""simulators/cli.py: what is understood and what is refused, before anything is started."""

import pytest

from router.terms.limits import Rate
from simulators import cli
from simulators.scenario import Scenario, ScenarioError

CLIENT = ["client", "--to", "h:1", "--system-id", "a", "--password", "b"]


def _scenario(*arguments: str) -> Scenario:
    return cli._scenario(cli._parser().parse_args(["operator", "--port", "0", *arguments]))


def test_option_goes_over_the_scenario_and_off_is_an_option_too() -> None:
    calm = _scenario("--scenario", "calm")
    assert calm.phases[0].behaviour.binds_rate == Rate(50, 1.0)
    for text, rate in (("80/s", Rate(80, 1.0)), ("off", None)):
        read = _scenario("--scenario", "calm.yaml", "--binds-rate", text)
        assert read.phases[0].behaviour.binds_rate == rate
        assert read.phases[0].behaviour.receipts == calm.phases[0].behaviour.receipts


@pytest.mark.parametrize(
    "arguments",
    [
        ["operator"],
        ["operator", "--port", "0", "--latency", "20"],
        ["operator", "--port", "0", "--scenario", "no-such-story"],
        ["operator", "--port", "0", "--silent", "60%", "--nack", "50%"],
        ["client", "--to", "127.0.0.1", "--system-id", "a", "--password", "b"],
        ["client", "--to", "127.0.0.1:1", "--system-id", "a", "--password", "b", "--count", "-1"],
        ["client", "--to", "h:1", "--system-id", "a", "--password", "b", "--rate", "50"],
        ["operator", "--port", "65536"],
        ["operator", "--port", "-1"],
        ["operator", "--port", "0", "--inbound", f"rate:1/s,text:{'x' * 255}"],
        [*CLIENT, "--registered-delivery", "256"],
        [*CLIENT, "--registered-delivery=-1"],
        [*CLIENT, "--interface-version", "0x134"],
        [*CLIENT, "--priority", "many"],
        [*CLIENT, "--engine", "aiosmpplib", "--interface-version", "0x33"],
        [*CLIENT, "--engine", "aiosmpplib", "--validity", "000001000000000R"],
        [*CLIENT, "--engine", "aiosmpplib", "--deliver-status", "ESME_RMSGQFUL:5%"],
        [*CLIENT, "--engine", "aiosmpplib", "--accounts", "2"],
        [*CLIENT, "--segments", "0"],
        [*CLIENT, "--segments", "256"],
    ],
)
def test_wrong_usage_ends_with_2_and_says_why(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = cli.main(arguments)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else -1
    assert status == 2
    assert capsys.readouterr().err


def test_scenario_that_does_not_exist_is_told_with_those_that_do() -> None:
    with pytest.raises(ScenarioError, match=r"calm, .*rough-day"):
        _scenario("--scenario", "nope")


def test_what_is_wrong_is_silent_where_all_is_well() -> None:
    totals: dict[str, object] = {
        "unanswered": 0,
        "missing": 0,
        "unknown": 0,
        "mismatched": 0,
        "conflicting": 0,
        "unreadable": 0,
        "same_id": 0,
        "unasked": 0,
        "against_protocol": 0,
        "failure": None,
        "refused": {},
        "faults": [],
    }
    assert cli.what_is_wrong(totals) == []
    assert cli.what_is_wrong(totals | {"missing": 3}) == ["3 messages have no final receipt"]
