"""router/decide/hours.py: hours of a clock on the wall, over midnight and daylight saving.

Any hours, days and moments: as somebody would find who looks at such a clock.
"""

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from router.decide.hours import DAY_MIN, DAYS, Hours
from router.terms.settings import Day, DaySpan

TALLINN = ZoneInfo("Europe/Tallinn")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")  # Half an hour of daylight saving.
ZONES: list[tzinfo | None] = [None, TALLINN, LORD_HOWE, ZoneInfo("America/St_Johns")]


def span(written: str) -> DaySpan:
    begin, end = (int(one[:2]) * 60 + int(one[3:]) for one in written.split("-"))
    return DaySpan(begin, end)


def at(written: str, zone: tzinfo = TALLINN, fold: int = 0) -> float:
    return datetime.fromisoformat(written).replace(tzinfo=zone, fold=fold).timestamp()


def test_span_is_from_its_first_minute_to_the_one_before_its_end() -> None:
    hours = Hours([span("08:00-20:00")], [], TALLINN)
    held = [hours.hold(at(f"2026-07-01 {time}")) for time in
            ("07:59:59", "08:00:00", "19:59:59", "20:00:00", "00:00:00")]  # fmt: skip
    assert held == [False, True, True, False, False]


def test_span_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    hours = Hours([span("22:00-06:00")], ["fri"], TALLINN)
    moments = {
        "2026-11-27 05:00": False,  # Friday morning: of Thursday.
        "2026-11-27 22:00": True,
        "2026-11-28 05:59": True,
        "2026-11-28 06:00": False,
        "2026-11-28 23:00": False,
    }
    assert {moment: hours.hold(at(moment)) for moment in moments} == moments


def test_span_of_sunday_goes_on_in_monday() -> None:
    hours = Hours([span("22:00-06:00")], ["sun"], None)
    assert hours.hold(at("2026-11-30 05:59", UTC))
    assert not hours.hold(at("2026-11-29 05:59", UTC))


def test_days_without_hours_are_whole_days() -> None:
    hours = Hours([], ["sat", "sun"], TALLINN)
    moments = {"2026-11-27 23:59": False, "2026-11-28 00:00": True, "2026-11-29 23:59": True,
               "2026-11-30 00:00": False}  # fmt: skip
    assert {moment: hours.hold(at(moment)) for moment in moments} == moments


def test_span_up_to_24_ends_with_the_day() -> None:
    hours = Hours([span("20:00-24:00")], ["mon"], None)
    assert hours.hold(at("2026-11-30 23:59", UTC))
    assert not hours.hold(at("2026-12-01 00:00", UTC))


def test_zone_moves_with_daylight_saving() -> None:
    hours = Hours([span("08:00-20:00")], [], TALLINN)
    # 06:30 UTC is 08:30 in winter and 09:30 in summer; 05:30 UTC is 07:30 and 08:30.
    assert not hours.hold(at("2026-01-10 05:30", UTC))
    assert hours.hold(at("2026-07-10 05:30", UTC))


def test_hour_that_is_left_out_in_spring_never_comes() -> None:
    # On 2026-03-29 clocks in Tallinn go from 03:00 to 04:00.
    hours = Hours([span("03:15-03:45")], [], TALLINN)
    begin = at("2026-03-29 02:00")
    assert not any(hours.hold(begin + minute * 60) for minute in range(180))
    over = Hours([span("03:15-05:00")], [], TALLINN)
    held_min = sum(over.hold(begin + minute * 60) for minute in range(300))
    assert held_min == 60  # From 04:00, which follows 02:59, to 05:00.


def test_hour_that_comes_twice_in_autumn_counts_twice() -> None:
    # On 2026-10-25 clocks in Tallinn go from 04:00 back to 03:00.
    hours = Hours([span("03:15-03:45")], [], TALLINN)
    begin = at("2026-10-25 02:00")
    assert sum(hours.hold(begin + minute * 60) for minute in range(240)) == 60


def test_clock_that_is_set_back_is_followed() -> None:
    hours = Hours([span("08:00-20:00")], [], None)
    for moment, holds in (("19:59", True), ("20:01", False), ("19:59", True), ("08:00", True)):
        assert hours.hold(at(f"2026-11-30 {moment}", UTC)) is holds


@given(
    spans=st.lists(
        st.tuples(st.integers(0, DAY_MIN - 1), st.integers(0, DAY_MIN))
        .filter(lambda one: one[0] != one[1])
        .map(lambda one: DaySpan(*one)),
        max_size=3,
    ),
    days=st.lists(st.sampled_from(DAYS), max_size=4, unique=True),
    zone=st.sampled_from(ZONES),
    moments=st.lists(
        st.integers(int(at("2026-01-01 00:00")), int(at("2028-01-01 00:00"))), min_size=1
    ),
)
@example(spans=[DaySpan(1320, 360)], days=["sun"], zone=TALLINN, moments=[1795993200])
def test_rule_holds_when_a_clock_on_the_wall_says_so(
    spans: list[DaySpan], days: list[Day], zone: tzinfo | None, moments: list[int]
) -> None:
    hours = Hours(spans, days, zone)
    for moment in moments:
        local = datetime.fromtimestamp(moment, zone or UTC)
        today = DAYS[local.weekday()]
        yesterday = DAYS[(local - timedelta(days=1)).weekday()]
        minute = local.hour * 60 + local.minute
        wanted = any(
            (today in (days or DAYS) and begin <= minute < (end if end > begin else DAY_MIN))
            or (yesterday in (days or DAYS) and end < begin and minute < end)
            for begin, end in spans or [DaySpan(0, DAY_MIN)]
        )
        assert hours.hold(moment) is wanted


@pytest.mark.parametrize("written", ["08:00-20:00", "22:00-06:00", "00:00-24:00"])
def test_span_is_shown_as_it_is_written(written: str) -> None:
    assert str(span(written)) == written
