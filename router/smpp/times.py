"""The times of SMPP, absolute and relative, as Unix times and back.

Source: SMPP v3.4, 7.1.1: YYMMDDhhmmsstnnp, where p is + or - (absolute, nn quarter hours from UTC)
or R (relative). A year has 365 days and a month 30 where the time is relative.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

_LENGTH: Final = 16
_MOST_QUARTER_HOURS: Final = 48
_DAYS_IN_YEAR: Final = 365
_DAYS_IN_MONTH: Final = 30
_DAY_S: Final = 86_400


def time_utc(time: bytes, now_utc: float) -> float | None:
    """Return a time of SMPP as a Unix time; None if it cannot be read."""
    if len(time) != _LENGTH or not (time[:15].isdigit() and time[15:] in (b"+", b"-", b"R")):
        return None
    year, month, day, hour, minute, second = (int(time[at : at + 2]) for at in range(0, 12, 2))
    if is_relative(time):
        days = year * _DAYS_IN_YEAR + month * _DAYS_IN_MONTH + day
        return now_utc + ((days * 24 + hour) * 60 + minute) * 60 + second
    quarter_hours = int(time[13:15])
    if quarter_hours > _MOST_QUARTER_HOURS:
        return None
    try:
        local = datetime(2000 + year, month, day, hour, minute, second, tzinfo=UTC)
        offset = timedelta(minutes=15 * quarter_hours)
        return (local - offset if time[15:] == b"+" else local + offset).timestamp()
    except (ValueError, OverflowError):
        return None


def in_full(time: bytes) -> bytes:
    """Return a time as SMPP has it, if it is in another form that is in use; else as it is.

    YYMMDDhhmmss-00, and 12 or 10 digits: in UTC, as the dates of receipts that the router writes.
    """
    if len(time) == _LENGTH:
        return time
    digits = time[:12] if time[12:] in (b"-00", b"+00") else time
    if len(digits) not in (10, 12) or not digits.isdigit():
        return time
    return digits.ljust(12, b"0") + b"000+"


def is_relative(time: bytes) -> bool:
    """Return whether a time is relative: it counts from when it is read."""
    return time[15:] == b"R"


def absolute(utc: float) -> bytes:
    """Write a Unix time as an absolute time in UTC."""
    return datetime.fromtimestamp(utc, UTC).strftime("%y%m%d%H%M%S000+").encode()


def relative(seconds: float) -> bytes:
    """Write a relative time in whole seconds, rounded down, at least 1: 0 means no period."""
    days, rest = divmod(max(1, int(seconds)), _DAY_S)
    years, days = divmod(days, _DAYS_IN_YEAR)
    months, days = divmod(days, _DAYS_IN_MONTH)
    return b"%02d%02d%02d%02d%02d%02d000R" % (
        *(min(years, 99), months, days),
        *(rest // 3600, rest // 60 % 60, rest % 60),
    )
