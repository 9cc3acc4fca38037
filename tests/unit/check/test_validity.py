"""router/check/validity.py: until when a validity_period lets a message wait."""

from datetime import UTC, datetime
from typing import Final

import pytest

from router.check.validity import ends_utc

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
    assert ends_utc(period, NOW) == end


def test_absolute_time_is_the_same_whatever_time_it_is() -> None:
    assert ends_utc(b"280229120000000+", 0.0) == ends_utc(b"280229120000000+", NOW)


def test_absolute_time_may_be_past() -> None:
    end = ends_utc(b"000101000000000+", NOW)
    assert end == datetime(2000, 1, 1, tzinfo=UTC).timestamp()


def test_tenths_of_a_second_change_nothing() -> None:
    assert ends_utc(b"280229120000900+", NOW) == noon()
    assert ends_utc(b"000000000001900R", NOW) == NOW + 1


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
    assert ends_utc(period, NOW) == NOW + wait_s


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
    assert ends_utc(period, NOW) is None


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
    assert ends_utc(period, NOW) is None
