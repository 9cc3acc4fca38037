"""Durations, rates, shares and lists as people write them: `20ms`, `100ms..2s`, `50/s`, `1%`.

A number without its unit is refused here as it is in the router's configuration: 20 what?
"""

import re
from dataclasses import dataclass
from typing import Final

from router.smpp import vocabulary as v
from router.terms.limits import Rate

_SECONDS: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(us|ms|s|min|m|h)")
_RATE: Final = re.compile(r"(\d+)/(\d*)\s*(ms|s|min|m|h)")
_SHARE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*%")


class UnitError(ValueError):
    """A value that cannot be read; says what would be."""


@dataclass(frozen=True, slots=True)
class Span:
    """A wait: always the same, or anything between two bounds."""

    shortest_s: float
    longest_s: float

    def at(self, chance: float) -> float:
        """Return the wait that `chance`, from 0 up to 1, falls on."""
        return self.shortest_s + (self.longest_s - self.shortest_s) * chance

    @property
    def fixed(self) -> bool:
        """Whether it is always the same."""
        return self.shortest_s == self.longest_s


def duration_s(value: object) -> float:
    """`20ms`, `2s`, `5min` in seconds."""
    found = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise UnitError(f"{value!r} is no duration; write for example 20ms, 2s or 5min")
    return float(found[1]) * _SECONDS[found[2]]


def span(value: object) -> Span:
    """`20ms`, or `100ms..2s` for anything between."""
    if not isinstance(value, str) or ".." not in value:
        wait_s = duration_s(value)
        return Span(wait_s, wait_s)
    shortest, _, longest = value.partition("..")
    result = Span(duration_s(shortest), duration_s(longest))
    if result.shortest_s > result.longest_s:
        raise UnitError(f"{value!r} ends before it begins")
    return result


def rate(value: object) -> Rate:
    """`50/s`, `100/min`; more than none."""
    found = _RATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise UnitError(f"{value!r} is no rate; write for example 50/s or 100/min")
    if int(found[1]) == 0 or found[2] == "0":
        raise UnitError(f"{value!r} would let nothing pass")
    return Rate(int(found[1]), int(found[2] or 1) * _SECONDS[found[3]])


def share(value: object) -> float:
    """`1%` as 0.01."""
    found = _SHARE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise UnitError(f"{value!r} is no share; write for example 1% or 0.5%")
    result = float(found[1]) / 100.0
    if result > 1.0:
        raise UnitError(f"{value!r} is more than 100%")
    return result


def status(value: object) -> int:
    """`ESME_RSYSERR`, `0x400` or 1024 as a number."""
    if isinstance(value, str):
        known = v.STATUS_BY_NAME.get(value)
        if known is not None:
            return known
        try:
            value = int(value, 0)
        except ValueError:
            value = None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 0xFFFF_FFFF:
        raise UnitError(
            "no such command_status; write its name, for example ESME_RSYSERR, or its number"
        )
    return value


def count(value: object) -> int:
    """Return a whole number above 0."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UnitError(f"{value!r} is no whole number above 0")
    return value


def pairs(value: object) -> list[tuple[str, object]]:
    """`a:1,b:2` of a command line, or the mapping that YAML makes of it."""
    if isinstance(value, dict):
        return [(str(key), found) for key, found in value.items()]
    if not isinstance(value, str):
        raise UnitError(f"{value!r} is no list of key:value")
    result: list[tuple[str, object]] = []
    for part in value.split(","):
        key, colon, rest = part.strip().partition(":")
        if not (key and colon and rest):
            raise UnitError(f"{part.strip()!r} is no key:value")
        result.append((key.strip(), rest.strip()))
    return result
