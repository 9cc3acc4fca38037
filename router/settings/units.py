"""Durations, rates, sizes, percents and addresses as people write them: `30s`, `50/s`, `64KiB`.

A bare number where a unit belongs is refused: 30 may be seconds to one and milliseconds to the
next. No message quotes what was written, because that may have come from the environment.
"""

import re
from decimal import Decimal
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

from router.settings.mistakes import nearest
from router.smpp.vocabulary import ESME_ROK, STATUS_BY_NAME
from router.terms.limits import Rate
from router.terms.settings import Address

MOST_PER_UNIT: Final = 1_000_000
"""Largest rate: no SMPP link carries more in a second, so more is a typing mistake."""

_NUMBER: Final = r"[0-9]{1,12}(?:\.[0-9]{1,9})?"
_SECONDS: Final = {
    **{"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60)},
    **{"h": Decimal(3_600), "d": Decimal(86_400)},
}
_RATE_UNITS: Final = {"s": 1.0, "min": 60.0, "h": 3600.0}
_OCTETS: Final = {
    **{"B": 1, "kB": 1_000, "KiB": 1_024, "MB": 1_000_000, "MiB": 1_048_576},
    **{"GB": 1_000_000_000, "GiB": 1_073_741_824},
}
_MEANT: Final = {
    **{"msec": "ms", "sec": "s", "secs": "s", "second": "s", "seconds": "s", "S": "s"},
    **{"min": "m", "mins": "m", "minute": "m", "minutes": "m", "H": "h", "hr": "h", "hour": "h"},
    **{"hours": "h", "day": "d", "days": "d", "D": "d", "MS": "ms", "milliseconds": "ms"},
}
_MEANT_OCTETS: Final = {
    **{"b": "B", "bytes": "B", "byte": "B", "octets": "B", "k": "KiB", "K": "KiB", "KB": "KiB"},
    **{"kb": "kB", "kib": "KiB", "M": "MiB", "mb": "MB", "mib": "MiB", "m": "MiB"},
    **{"G": "GiB", "g": "GiB", "gb": "GB", "gib": "GiB"},
}
_DIGITS: Final = re.compile(r"[0-9]+")
_HEXADECIMAL: Final = re.compile(r"0[xX][0-9A-Fa-f]{1,8}")
_HOST_NAME: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.(?!-)[A-Za-z0-9_-]{1,63})*\.?")


DURATION: Final = rf"{_NUMBER}\s*(?:{'|'.join(_SECONDS)})"
RATE: Final = rf"[0-9]{{1,9}}\s*/\s*(?:{'|'.join(_RATE_UNITS)})"
SPACED_RATE: Final = rf"{RATE}|[0-9]{{1,9}}\s*/\s*{DURATION}"
SIZE: Final = rf"{_NUMBER}\s*(?:{'|'.join(_OCTETS)})"
PERCENT: Final = rf"{_NUMBER}\s*%"
ADDRESS: Final = r".+:[0-9]{1,5}"
"""Patterns for the JSON Schema: they hold for all that the functions below take, and for more."""


class NotUnderstoodError(ValueError):
    """A text that is no value of its kind, with what was probably meant."""

    def __init__(self, message: str, suggestion: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.suggestion = suggestion


def duration(text: str) -> float:
    """Return seconds: `2ms`, `30s`, `5m`, `72h`, `1d`."""
    number, unit = _split(text)
    if unit in _SECONDS and number:
        return float(Decimal(number) * _SECONDS[unit])
    meant = _MEANT.get(unit, "s") if number else None
    wanted = "a duration is a number with a unit (ms, s, m, h or d), for example 30s"
    raise NotUnderstoodError(wanted, f"{number}{meant}" if meant else None)


def rate(text: str) -> Rate:
    """Return a rate: `50/s`, `1/min`, `10/h`."""
    count, slash, unit = (part.strip() for part in text.partition("/"))
    wanted = "a rate is a whole number per s, min or h, for example 50/s"
    if not _DIGITS.fullmatch(count) or len(count) > 9:
        raise NotUnderstoodError(wanted)
    if unit not in _RATE_UNITS:
        meant = {"s": "s", "m": "min", "h": "h"}.get(_MEANT.get(unit, unit))
        raise NotUnderstoodError(wanted, f"{count}/{meant or 's'}" if meant or not slash else None)
    if not 1 <= int(count) <= MOST_PER_UNIT:
        raise NotUnderstoodError(f"a rate is at least 1 and at most {MOST_PER_UNIT:,} per unit")
    return Rate(int(count), _RATE_UNITS[unit])


def spaced_rate(text: str) -> Rate:
    """Return a rate over any span of time: `1/10s`, `3/1h`, and all that `rate` reads."""
    count, _, span = (part.strip() for part in text.partition("/"))
    if not span[:1].isdigit():
        return rate(text)
    wanted = "so many per span of time are wanted here, for example 1/10s"
    if not _DIGITS.fullmatch(count) or not 1 <= int(count) <= MOST_PER_UNIT:
        raise NotUnderstoodError(wanted)
    return Rate(int(count), duration(span))


def size(text: str) -> int:
    """Return octets: `70000B`, `64KiB`, `1MiB`, `1GiB`, `1kB`, `1MB`, `1GB`."""
    number, unit = _split(text)
    if unit in _OCTETS and number:
        octets = Decimal(number) * _OCTETS[unit]
        if octets == int(octets):
            return int(octets)
    meant = _MEANT_OCTETS.get(unit, "B") if number and unit not in _OCTETS else None
    wanted = "a size is a number of B, kB, KiB, MB, MiB, GB or GiB, for example 70000B"
    raise NotUnderstoodError(wanted, f"{number}{meant}" if meant else None)


def percent(text: str) -> float:
    """Return a share: `20%` is 0.2."""
    number, unit = _split(text)
    if number and unit == "%":
        if Decimal(number) <= 100:
            return float(Decimal(number) / 100)
        raise NotUnderstoodError("a share is at most 100%")
    meant = number if number and not unit else None
    if meant and "." in meant and Decimal(meant) <= 1:
        meant = f"{(Decimal(meant) * 100).normalize():f}"
    wanted = "a share is a number from 0% to 100%, for example 20%"
    raise NotUnderstoodError(wanted, f"{meant}%" if meant else None)


def whole(text: str) -> int:
    """Return a whole number; `100_000` is one too."""
    digits = text.replace("_", "") if re.fullmatch(r"[0-9][0-9_]*", text) else text
    if re.fullmatch(r"-?[0-9]{1,15}", digits):
        return int(digits)
    raise NotUnderstoodError("a whole number is wanted here")


def truth(text: str) -> bool:
    """Return a truth: `true` or `false`."""
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    meant = {"yes": "true", "on": "true", "1": "true", "no": "false", "off": "false", "0": "false"}
    raise NotUnderstoodError("true or false is wanted here", meant.get(text.lower()))


def status(text: str) -> int:
    """Return a command_status other than success: a name, or a number such as 0x400 or 1024."""
    value = STATUS_BY_NAME.get(text)
    if value is None and _HEXADECIMAL.fullmatch(text):
        value = int(text, 16)
    if value is None and _DIGITS.fullmatch(text) and len(text) <= 10:
        value = int(text)
    if value is None:
        meant = nearest(text, list(STATUS_BY_NAME))
        raise NotUnderstoodError(
            "a status is a name such as ESME_RTHROTTLED, or a number such as 0x00000400", meant
        )
    if value == ESME_ROK:
        raise NotUnderstoodError("ESME_ROK is success and cannot stand here")
    if value > 0xFFFFFFFF:
        raise NotUnderstoodError("a status has 32 bits: it is at most 0xFFFFFFFF")
    return value


def version(text: str) -> int:
    """Return an interface_version: 3.3, 3.4 or 5.0, or as the number that is sent (0x34)."""
    names = {"3.3": 0x33, "3.4": 0x34, "5.0": 0x50, "0x33": 0x33, "0x34": 0x34, "0x50": 0x50}
    if text.lower() in names:
        return names[text.lower()]
    raise NotUnderstoodError("a version of SMPP is 3.3, 3.4 or 5.0", {"5": "5.0"}.get(text))


def address(text: str) -> Address:
    """Return an address: `host:port`; an IPv6 host is in brackets."""
    wanted = "an address is host:port, for example 127.0.0.1:2775"
    host, colon, port = text.rpartition(":")
    if not colon and _DIGITS.fullmatch(text) and len(text) <= 5:
        raise NotUnderstoodError(wanted, f"127.0.0.1:{text}")
    if not colon or not host or not _DIGITS.fullmatch(port):
        raise NotUnderstoodError(wanted)
    if len(port) > 5 or int(port) > 65_535:
        raise NotUnderstoodError("a port is at most 65535")
    if ":" in host and not host.startswith("["):
        meant = f"[{host}]:{port}" if _ip(host) else None
        raise NotUnderstoodError("an IPv6 address stands in brackets, as in [::1]:2775", meant)
    return Address(host=_host(host), port=int(port))


def network(text: str) -> IPv4Network | IPv6Network:
    """Return a network: `10.0.0.0/8`, `2001:db8::/32`, or one address."""
    wanted = "a network is an address with a prefix length, for example 10.0.0.0/8"
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        meant = str(ip_network(text, strict=False))
    except ValueError:
        raise NotUnderstoodError(wanted) from None
    raise NotUnderstoodError(
        "the address has bits set beyond the prefix length, so the network is unclear", meant
    )


def prefix(text: str) -> str:
    """Return the beginning of a normalised number: digits only, or nothing for every number."""
    if text.endswith("*") and (text == "*" or _DIGITS.fullmatch(text[:-1])):
        wanted = "a destination takes all numbers that begin so: * stands for nothing here"
        raise NotUnderstoodError(wanted, text[:-1])
    if text and (not _DIGITS.fullmatch(text) or text.startswith("00")):
        bare = re.sub(r"[\s().-]", "", text).removeprefix("+")
        if bare.startswith("00"):
            bare = bare.lstrip("0")
        wanted = "a destination is the digits of the international number, without + or 00"
        raise NotUnderstoodError(wanted, bare if _DIGITS.fullmatch(bare) else None)
    if len(text) > 20:
        raise NotUnderstoodError("a number in SMPP has at most 20 digits")
    return text


def show_duration(seconds: float) -> str:
    """Return the value as people write it."""
    for unit in ("h", "m", "s"):
        if seconds and not Decimal(str(seconds)) % _SECONDS[unit]:
            return f"{Decimal(str(seconds)) / _SECONDS[unit]:.0f}{unit}"
    return f"{seconds * 1000:.12g}ms" if seconds < 1 else f"{seconds:.12g}s"


def show_size(octets: int) -> str:
    """Return the value as people write it."""
    for unit in ("GiB", "MiB", "KiB"):
        if octets and not octets % _OCTETS[unit]:
            return f"{octets // _OCTETS[unit]}{unit}"
    return f"{octets}B"


def show_percent(share: float) -> str:
    """Return the value as people write it."""
    return f"{share * 100:g}%"


def _split(text: str) -> tuple[str, str]:
    """Return a number and its unit; the number is empty where there is none."""
    found = re.fullmatch(rf"({_NUMBER})\s*([A-Za-z%]*)", text)
    return (found[1], found[2]) if found else ("", text)


def _ip(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _host(text: str) -> str:
    if text.startswith("["):
        if text.endswith("]") and isinstance(_ip(text[1:-1]), IPv6Address):
            return text[1:-1]
        raise NotUnderstoodError("what stands in brackets is no IPv6 address")
    looks_like_ip = re.fullmatch(r"[0-9.]+", text)
    if _ip(text) or (not looks_like_ip and _HOST_NAME.fullmatch(text) and len(text) <= 253):
        return text
    raise NotUnderstoodError("the host is neither an address nor a name")
