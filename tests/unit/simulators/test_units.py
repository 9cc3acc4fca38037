"""simulators/units.py."""

import pytest

from simulators import units
from simulators.units import UnitError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("20ms", 0.02),
        ("2s", 2.0),
        ("1.5s", 1.5),
        ("5min", 300.0),
        ("5m", 300.0),
        ("250us", 0.00025),
    ],
)
def test_duration_carries_its_unit(text: str, seconds: float) -> None:
    assert units.duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize("value", ["20", 20, "", "ms", "-1s", "2 weeks", None, "1s..2s"])
def test_duration_without_unit_is_refused(value: object) -> None:
    with pytest.raises(UnitError):
        units.duration_s(value)


def test_span_is_anything_between_its_bounds() -> None:
    span = units.span("100ms..2s")
    assert (span.at(0.0), span.at(0.5)) == pytest.approx((0.1, 1.05))
    assert not span.fixed
    assert units.span("20ms").fixed


def test_span_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(UnitError, match="before"):
        units.span("2s..100ms")


@pytest.mark.parametrize("value", ["50", "0/s", "50/0s", "x/s", 50, "-1/s"])
def test_rate_that_lets_nothing_pass_or_has_no_unit_is_refused(value: object) -> None:
    with pytest.raises(UnitError):
        units.rate(value)


def test_rate_counts_per_its_unit() -> None:
    assert units.rate("100/min").per_second == pytest.approx(100 / 60)
    assert str(units.rate("50/s")) == "50/s"


@pytest.mark.parametrize("value", ["101%", "1", 0.01, "-1%"])
def test_share_is_a_percentage_of_at_most_100(value: object) -> None:
    with pytest.raises(UnitError):
        units.share(value)
    assert units.share("0.5%") == pytest.approx(0.005)


def test_status_is_a_name_or_any_number() -> None:
    assert units.status("ESME_RSYSERR") == 8
    assert units.status("0x400") == units.status(1024) == 1024
    with pytest.raises(UnitError):
        units.status("ESME_RSYSER")
    with pytest.raises(UnitError):
        units.status(True)


def test_list_of_the_command_line_reads_as_the_mapping_of_a_file() -> None:
    assert units.pairs("a:1,b:2%") == [("a", "1"), ("b", "2%")]
    assert units.pairs({"a": 1}) == [("a", 1)]
    with pytest.raises(UnitError):
        units.pairs("a")
