"""router/smpp/times.py: the times of SMPP as Unix times, and back."""

from datetime import UTC, datetime
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.smpp.times import in_full, is_relative, relative, time_utc

NOW: Final = 1_800_000_000.25
MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR


def noon(day: int = 29, hour: int = 12, minute: int = 0) -> float:
    """Unix time around noon of the leap day of 2028."""
    return datetime(2028, 2, day, hour, minute, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("period", "end"),
    [
        (b"280229120000000+", noon()),
        (b"280229120000000-", noon()),
        # Four quarter hours ahead of UTC: noon there is eleven o'clock in UTC.
        (b"280229120000004+", noon(hour=11)),
        (b"280229120000004-", noon(hour=13)),
        (b"280229120000022+", noon(hour=6, minute=30)),
        (b"280229120000023+", noon(hour=6, minute=15)),
        (b"280229120000014-", noon(hour=15, minute=30)),
        (b"280229120000048+", noon(hour=0)),
        (b"280228120000048-", noon(hour=0)),
        (b"280229003000004+", noon(day=28, hour=23, minute=30)),
    ],
)
def test_absolute_time_counts_its_quarter_hours_from_utc(period: bytes, end: float) -> None:
    assert time_utc(period, NOW) == end


def test_absolute_time_is_the_same_whatever_time_it_is() -> None:
    assert time_utc(b"280229120000000+", 0.0) == time_utc(b"280229120000000+", NOW)


def test_absolute_time_may_be_past() -> None:
    end = time_utc(b"000101000000000+", NOW)
    assert end == datetime(2000, 1, 1, tzinfo=UTC).timestamp()


def test_tenths_of_a_second_change_nothing() -> None:
    assert time_utc(b"280229120000900+", NOW) == noon()
    assert time_utc(b"000000000001900R", NOW) == NOW + 1


@pytest.mark.parametrize(
    ("period", "wait_s"),
    [
        (b"000000000000000R", 0),
        (b"000000000001000R", 1),
        (b"000000000500000R", 5 * MINUTE),
        (b"000000020000000R", 2 * HOUR),
        (b"000003000000000R", 3 * DAY),
        (b"000100000000000R", 30 * DAY),
        (b"010000000000000R", 365 * DAY),
        (b"020304050607000R", (2 * 365 + 3 * 30 + 4) * DAY + 5 * HOUR + 6 * MINUTE + 7),
        # More of a unit than a calendar has: what is meant is clear.
        (b"000000720000000R", 72 * HOUR),
        (b"000000009000000R", 90 * MINUTE),
    ],
)
def test_relative_time_counts_from_now(period: bytes, wait_s: int) -> None:
    assert time_utc(period, NOW) == NOW + wait_s


@pytest.mark.parametrize(
    "period",
    [
        b"",
        b"R",
        b"28022912000000+",
        b"2802291200000000+",
        b"280229120000000",
        b"280229120000000Z",
        b"280229120000000r",
        b"280229120000000\xff",
        b"28022912000000a+",
        b"2802291200 0000+",
        b"-80229120000000+",
        b"2802291200.0000+",
        b"00000012000000xR",
        b"+280229120000000",
    ],
)
def test_malformed_time_is_not_guessed_at(period: bytes) -> None:
    assert time_utc(period, NOW) is None


@pytest.mark.parametrize(
    "period",
    [
        b"270229120000000+",
        b"281301000000000+",
        b"280001000000000+",
        b"280100000000000+",
        b"280132000000000+",
        b"280101240000000+",
        b"280101006000000+",
        b"280101000060000+",
        b"000000000000000+",
        b"280229120000049+",
        b"280229120000099-",
    ],
)
def test_absolute_time_that_no_calendar_has_is_not_guessed_at(period: bytes) -> None:
    assert time_utc(period, NOW) is None


@pytest.mark.parametrize(
    "time",
    [b"280229120000-00", b"280229120000+00", b"280229120000", b"2802291200", b"280229120000000+"],
)
def test_form_that_is_in_use_is_written_as_smpp_has_it(time: bytes) -> None:
    assert in_full(time) == b"280229120000000+"
    assert time_utc(in_full(time), NOW) == noon()


@pytest.mark.parametrize(
    "time",
    [b"", b"R", b"tomorrow", b"2802291200000", b"280229120000-01", b"28022912000a", b"00000500R"],
)
def test_other_forms_stay_as_they_are(time: bytes) -> None:
    assert in_full(time) == time
    assert time_utc(time, NOW) is None


@pytest.mark.parametrize(
    ("seconds", "time"),
    [
        (300, b"000000000500000R"),
        (300.99, b"000000000500000R"),
        (1, b"000000000001000R"),
        (0.2, b"000000000001000R"),
        (-5.0, b"000000000001000R"),
        (72 * HOUR, b"000003000000000R"),
        (30 * DAY - 1, b"000029235959000R"),
        (30 * DAY, b"000100000000000R"),
        (364 * DAY, b"001204000000000R"),
        (365 * DAY + HOUR, b"010000010000000R"),
        (200 * 365 * DAY, b"990000000000000R"),
    ],
)
def test_relative_time_is_written_in_whole_seconds_and_never_as_nothing(
    seconds: float, time: bytes
) -> None:
    assert relative(seconds) == time


@given(st.integers(1, 36_000 * DAY))
def test_relative_time_is_read_as_it_was_written(seconds: int) -> None:
    assert time_utc(relative(seconds), 0.0) == seconds


def test_only_the_last_letter_makes_a_time_relative() -> None:
    assert is_relative(b"000000000500000R")
    assert not is_relative(b"280229120000000+")
    assert not is_relative(b"280229120000000-")
