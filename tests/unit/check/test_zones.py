"""router/check/zones.py: the table is what the newest database of time zones says."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from router.check.zones import ZONES

STEPS = 2 * 366
"""Twice a day for a year: no change of clocks is shorter."""


@cache
def clock(zone: str) -> tuple[timedelta | None, ...]:
    """What the zone's clocks are ahead of UTC, over a year."""
    begin = datetime(2026, 6, 1, tzinfo=UTC)
    times = (begin + timedelta(hours=12 * step) for step in range(STEPS))
    return tuple(time.astimezone(ZoneInfo(zone)).utcoffset() for time in times)


def test_country_has_its_zone_where_all_its_clocks_agree() -> None:
    by_country = defaultdict[str, list[str]](list)
    table = files("tzdata").joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8")
    for line in table.splitlines():
        if not line.startswith("#"):
            country, _, zone, *_ = line.split("\t")
            by_country[country].append(zone)
    alike = {
        country: zones[0]
        for country, zones in by_country.items()
        if len(set(map(clock, zones))) == 1
    }
    assert alike == ZONES


def test_countries_of_several_clocks_have_none() -> None:
    assert not {"US", "CA", "RU", "BR", "AU", "ES", "PT"} & ZONES.keys()
    assert (ZONES["EE"], ZONES["DE"]) == ("Europe/Tallinn", "Europe/Berlin")
