"""router/settings/units.py: durations, rates, sizes, shares and addresses as written."""

from collections.abc import Callable
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.settings import units
from router.settings.mistakes import Mistake, SettingsError, listed, nearest
from router.settings.units import NotUnderstoodError
from router.terms.limits import Rate
from router.terms.settings import Address

Parser = Callable[[str], object]


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (units.duration, "2ms", 0.002),
        (units.duration, "30s", 30.0),
        (units.duration, "0.3s", 0.3),
        (units.duration, "5m", 300.0),
        (units.duration, "72h", 259_200.0),
        (units.duration, "1d", 86_400.0),
        (units.duration, "30 s", 30.0),
        (units.spaced_rate, "1/10s", Rate(1, 10.0)),
        (units.spaced_rate, "3/1h", Rate(3, 3600.0)),
        (units.spaced_rate, "20/min", Rate(20, 60.0)),
        (units.rate, "50/s", Rate(50, 1.0)),
        (units.rate, "5000/s", Rate(5_000, 1.0)),
        (units.rate, "1/min", Rate(1, 60.0)),
        (units.rate, "10 / h", Rate(10, 3_600.0)),
        (units.size, "70000B", 70_000),
        (units.size, "64KiB", 65_536),
        (units.size, "1.5kB", 1_500),
        (units.size, "2MiB", 2_097_152),
        (units.size, "1GiB", 1_073_741_824),
        (units.size, "1.5GB", 1_500_000_000),
        (units.percent, "20%", 0.2),
        (units.percent, "0%", 0.0),
        (units.percent, "100%", 1.0),
        (units.percent, "12.5%", 0.125),
        (units.whole, "100_000", 100_000),
        (units.whole, "0", 0),
        (units.truth, "true", True),
        (units.truth, "False", False),
        (units.status, "ESME_RTHROTTLED", 0x58),
        (units.status, "0x00000400", 0x400),
        (units.status, "1024", 0x400),
        (units.version, "3.3", 0x33),
        (units.version, "0x50", 0x50),
        (units.address, "127.0.0.1:2775", Address(host="127.0.0.1", port=2775)),
        (units.address, "[::1]:0", Address(host="::1", port=0)),
        (units.address, "smsc.example:65535", Address(host="smsc.example", port=65_535)),
        (units.network, "10.0.0.0/8", ip_network("10.0.0.0/8")),
        (units.network, "10.1.2.3", ip_network("10.1.2.3/32")),
        (units.network, "2001:db8::/32", ip_network("2001:db8::/32")),
        (units.prefix, "372", "372"),
        (units.prefix, "", ""),
    ],
)
def test_what_is_written_well_is_understood(parse: Parser, text: str, value: object) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text", "meant"),
    [
        (units.duration, "30", "30s"),
        (units.duration, "30sec", "30s"),
        (units.duration, "5min", "5m"),
        (units.duration, "2 days", "2d"),
        (units.duration, "-5s", None),
        (units.duration, "soon", None),
        (units.duration, "", None),
        (units.duration, "1h30m", None),
        (units.duration, "1e3s", None),
        (units.rate, "50", "50/s"),
        (units.rate, "50/sec", "50/s"),
        (units.rate, "50/m", "50/min"),
        (units.rate, "50/minute", "50/min"),
        (units.rate, "50/fortnight", None),
        (units.rate, "0/s", None),
        (units.rate, "-1/s", None),
        (units.rate, "0.5/s", None),
        (units.rate, "1000001/s", None),
        (units.rate, "/s", None),
        (units.rate, "9" * 5_000 + "/s", None),
        (units.size, "70000", "70000B"),
        (units.size, "64K", "64KiB"),
        (units.size, "1G", "1GiB"),
        (units.size, "64kb", "64kB"),
        (units.size, "0.5B", None),
        (units.size, "big", None),
        (units.percent, "20", "20%"),
        (units.percent, "0.2", "20%"),
        (units.percent, "0.125", "12.5%"),
        (units.percent, "101%", None),
        (units.percent, "20 percent", None),
        (units.whole, "1.0", None),
        (units.whole, "9" * 5_000, None),
        (units.whole, "ten", None),
        (units.truth, "yes", "true"),
        (units.truth, "off", "false"),
        (units.truth, "maybe", None),
        (units.status, "ESME_RTHROTLED", "ESME_RTHROTTLED"),
        (units.status, "esme_rthrottled", "ESME_RTHROTTLED"),
        (units.status, "ESME_ROK", None),
        (units.status, "0x0", None),
        (units.status, "4294967296", None),
        (units.status, "0x1FFFFFFFF", None),
        (units.version, "5", "5.0"),
        (units.version, "4.0", None),
        (units.address, "2775", "127.0.0.1:2775"),
        (units.address, "127.0.0.1", None),
        (units.address, "127.0.0.1:", None),
        (units.address, ":2775", None),
        (units.address, "127.0.0.1:65536", None),
        (units.address, "127.0.0.1:999999", None),
        (units.address, "127.0.0.256:1", None),
        (units.address, "::1:2775", "[::1]:2775"),
        (units.address, "a:b:1", None),
        (units.address, "[127.0.0.1]:1", None),
        (units.address, "[::1:1", None),
        (units.address, "-host:1", None),
        (units.address, "two words:1", None),
        (units.network, "10.1.2.3/8", "10.0.0.0/8"),
        (units.network, "everybody", None),
        (units.network, "10.0.0.0/33", None),
        (units.prefix, "+372", "372"),
        (units.prefix, "00372", "372"),
        (units.prefix, "372 5", "3725"),
        (units.prefix, "+00372", "372"),
        (units.prefix, "37x", None),
        (units.prefix, "372*", "372"),
        (units.prefix, "00", None),
        (units.prefix, "1" * 21, None),
    ],
)
def test_what_is_not_well_written_is_refused_with_what_was_meant(
    parse: Parser, text: str, meant: str | None
) -> None:
    with pytest.raises(NotUnderstoodError) as refused:
        parse(text)
    assert refused.value.suggestion == meant
    if meant is not None:
        parse(meant)


PARSERS = [
    *(units.duration, units.rate, units.size, units.percent, units.whole, units.truth),
    *(units.status, units.version, units.address, units.network, units.prefix),
]


@given(st.sampled_from(PARSERS), st.text(st.sampled_from("0123456789.:/%[]_-+xsmhdBKi e\u0663")))
def test_any_text_is_understood_or_refused(parse: Parser, text: str) -> None:
    try:
        parse(text)
    except NotUnderstoodError as refused:
        # Never what was written: it may have come from the environment.
        shown = refused.message
    else:
        shown = ""
    # Shorter texts may be a part of the examples that a message gives.
    assert len(text) < 15 or text not in shown


@given(st.integers(0, 10_000_000))
def test_a_duration_is_shown_as_it_can_be_written(milliseconds: int) -> None:
    seconds = units.duration(f"{milliseconds}ms")
    assert units.duration(units.show_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (units.show_duration(0.002), "2ms"),
        (units.show_duration(30.0), "30s"),
        (units.show_duration(300.0), "5m"),
        (units.show_duration(259_200.0), "72h"),
        (units.show_duration(0.0), "0ms"),
        (units.show_size(70_000), "70000B"),
        (units.show_size(65_536), "64KiB"),
        (units.show_size(2**30), "1GiB"),
        (units.show_percent(0.2), "20%"),
    ],
)
def test_values_are_shown_in_the_unit_that_a_person_would_choose(shown: str, text: str) -> None:
    assert shown == text


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("windows", ["window", "weight"], "window"),
        ("WINDOW", ["window", "weight"], "window"),
        ("fer", ["after", "for"], "for"),
        ("teila", ["teila-2", "telia"], "telia"),
        ("Ot", ["outbox", "to"], "to"),
        ("lsit", ["lasita", "list"], "list"),
        ("telia", ["telia-tx", "tleai"], "telia-tx"),
        ("to", ["tx"], "tx"),
        ("receipt-wait", ["receipt_wait", "reconnect"], "receipt_wait"),
        ("colour", ["window", "rate"], None),
        ("x", ["y"], None),
        ("x", [], None),
    ],
)
def test_the_nearest_word_is_the_one_that_was_meant(
    word: str, known: list[str], meant: str | None
) -> None:
    assert nearest(word, known) == meant
    assert nearest(word, known[::-1]) == meant


def test_of_two_words_equally_near_the_likelier_is_meant() -> None:
    assert nearest("rane", ["rate", "lane"], likelier={"lane"}) == "lane"
    assert nearest("rane", ["rate", "lane"], likelier={"rate"}) == "rate"


def test_a_long_list_of_names_is_cut() -> None:
    names = [f"account-{number}" for number in range(1_000)]
    assert listed("accounts", names).endswith("account-19 and 980 more")
    assert listed("accounts", []) == "there are no accounts"


def test_mistakes_are_shown_in_the_order_of_the_files() -> None:
    second = Mistake("a.yaml", 10, 1, "x", "wrong")
    first = Mistake("a.yaml", 9, 7, "y", "missing", "z", "known keys are z")
    folder = Mistake("a", 0, 0, "", "empty")
    assert str(SettingsError([second, folder, first])).splitlines() == [
        "a: empty",
        "a.yaml:9:7: y: missing; did you mean 'z'? known keys are z",
        "a.yaml:10:1: x: wrong",
    ]
