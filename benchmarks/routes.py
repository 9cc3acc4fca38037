"""What a routing decision costs, by the size of the route table and by what rules ask for.

A number is looked up once per length of prefix that the table has under its first digits, so for
tables of different size to be comparable, the lengths must be equal, and which of them win. Every
table here has as many prefixes of five digits as of six and so on to nine, and contains the smaller
ones.

Two kinds of traffic, because they answer two questions. The same numbers, all to prefixes of the
smallest table: does it cost more that there are more rules? This has the bound, in microseconds: a
message costs the router some forty of them in all. And numbers that go to every prefix equally
often, in no order: then each decision fetches another rule from memory, as no processor's cache
holds a hundred thousand of them. No traffic is that even; real traffic is between the two.

Then what lists cost, for the same numbers: a table of one rule for a group of ten thousand prefixes
against one of as many rules; the same rule by day and another by night; and ten thousand senders
that are refused before any route, in one rule and in as many. All of it together has the bound.
"""

import argparse
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import cycle, islice
from typing import Final
from zoneinfo import ZoneInfo

from benchmarks.results import Result
from benchmarks.timing import fastest_us
from router.decide.hours import DAYS
from router.decide.refuse import RefusingRules
from router.decide.table import RouteTable, Rule, Up
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Framer, Sm
from router.terms.names import AccountName, GroupName, LaneName, OperatorName
from router.terms.plan import Plans
from router.terms.settings import DaySpan, PrefixGroup, RefuseSettings, RouteSettings

SUMMARY: Final = "us per routing decision with 100,000 prefixes, groups, hours, refused senders"
SIZES: Final = (10, 1_000, 100_000)
LENGTHS: Final = (5, 6, 7, 8, 9)
MOST_MORE_US: Final = 0.4
"""A hundredth of what a message costs."""
LISTED: Final = 10_000
"""Prefixes of the group, and senders that are refused."""
MOST_FOR_LISTS_US: Final = 0.5
SENDERS: Final = 100
"""Different senders of the messages, none of them refused."""
DIGITS: Final = 12
ACCOUNT: Final = AccountName("load")
LANE: Final = LaneName("bulk")
OPERATORS: Final = (OperatorName("telia"), OperatorName("elisa"))
ZONE: Final = ZoneInfo("Europe/Tallinn")
WORKDAYS: Final = DAYS[:5]
NOW_UTC: Final = 1.7e9


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--count", type=int, help="decisions a round (default: 100000)")


def run(given: argparse.Namespace) -> Result:
    """Measure all tables in turns."""
    count: int = given.count or (20_000 if given.quick else 100_000)
    result = Result(
        "routes",
        {
            "prefixes": list(SIZES),
            "lengths": list(LENGTHS),
            "numbers": count,
            "listed": LISTED,
            "senders": SENDERS,
        },
    )
    rng = random.Random(1)
    written = prefixes(SIZES[-1], rng)
    tables = {size: _table(written[:size]) for size in SIZES}
    same = _numbers(written[: SIZES[0]], count, rng)
    calls = {f"same {size}": _deciding(table, same) for size, table in tables.items()}
    for size, table in tables.items():
        calls[f"even {size}"] = _deciding(table, _numbers(written[:size], count, rng))
    costs_us = fastest_us(calls, count)
    for kind, name in (("same", "same_numbers"), ("even", "every_prefix_equally")):
        by_size = {size: costs_us[f"{kind} {size}"] for size in SIZES}
        ratio = round(by_size[SIZES[-1]] / by_size[SIZES[0]], 3)
        result.numbers[name] = {f"us at {size}": us for size, us in by_size.items()} | {
            "ratio": ratio
        }
        if kind == "same":
            more_us = round(by_size[SIZES[-1]] - by_size[SIZES[0]], 3)
            result.at_most(
                f"us more with {SIZES[-1]} prefixes than with {SIZES[0]}", more_us, MOST_MORE_US
            )
    _measure_lists(result, written[:LISTED], same)
    return result


def _measure_lists(result: Result, group: Sequence[str], numbers: Sequence[str]) -> None:
    """Compare decisions with lists and hours to those of as many plain rules."""
    near = GroupName("near")
    groups = {near: PrefixGroup(file="", prefixes=tuple(group))}
    one = RouteSettings(destination=(), groups=(near,), to=OPERATORS)
    by_day = replace(one, hours=(DaySpan(8 * 60, 20 * 60),), days=WORKDAYS, zone=ZONE)
    bad = [f"Bad{number}" + "*" * (number % 2) for number in range(LISTED)]
    in_one = [RefuseSettings(sender=tuple(bad))]
    plain = _table(group)
    in_a_group = RouteTable([one], Plans(), Up(), groups)
    with_hours = RouteTable([by_day, one], Plans(), Up(), groups)
    refused = RefusingRules(in_one, groups)
    apart = RefusingRules([RefuseSettings(sender=(sender,)) for sender in bad], groups)
    costs_us = fastest_us(
        {
            "plain rules": _taking(plain, None, numbers),
            "a group": _taking(in_a_group, None, numbers),
            "a group by day and by night": _taking(with_hours, None, numbers),
            "plain rules, senders refused in one rule": _taking(plain, refused, numbers),
            "plain rules, senders refused in as many": _taking(plain, apart, numbers),
            "all of it": _taking(with_hours, refused, numbers),
        },
        len(numbers),
    )
    result.numbers["lists"] = dict(costs_us)
    result.at_most(
        f"us more with a group of {LISTED} prefixes than with as many rules",
        round(costs_us["a group"] - costs_us["plain rules"], 3),
        MOST_MORE_US / 4,
    )
    result.at_most(
        f"us more with a group, hours and {LISTED} refused senders",
        round(costs_us["all of it"] - costs_us["plain rules"], 3),
        MOST_FOR_LISTS_US,
    )


def _taking(
    table: RouteTable, refusing: RefusingRules | None, numbers: Sequence[str]
) -> Callable[[], object]:
    """Decide all numbers, as `steps/intake.py` does: first whether they are refused."""
    messages = []
    for number in range(SENDERS):
        source = 5, 0, f"Sender{number}".encode()
        to = 1, 1, b"37255500001"
        octets = p.sm(v.SUBMIT_SM, 1, source=source, destination=to, short_message=b"hello")
        messages.append(Sm(Framer(len(octets)).feed(octets)[0]))
    asked = list(zip(numbers, cycle(messages)))
    decide = table.decide

    def call() -> None:
        for number, sm in asked:
            if refusing is not None:
                refusing.refusal(number, ACCOUNT, LANE, sm, NOW_UTC)
            decide(number, ACCOUNT, LANE, sm, NOW_UTC)

    call()
    return call


def prefixes(size: int, rng: random.Random) -> list[str]:
    """Different prefixes; any first ones of them have equal shares of all lengths."""
    by_length = [
        map(str, rng.sample(range(10 ** (length - 1), 10**length), size // len(LENGTHS)))
        for length in LENGTHS
    ]
    return [prefix for group in zip(*by_length, strict=True) for prefix in group]


def _table(written: Sequence[str]) -> RouteTable:
    routes = [RouteSettings(destination=(prefix,), to=OPERATORS) for prefix in written]
    return RouteTable(routes, Plans(), Up())


def _numbers(written: Sequence[str], count: int, rng: random.Random) -> list[str]:
    """Numbers behind each of the prefixes equally often, in no order."""
    numbers = [
        prefix + "".join(rng.choices("0123456789", k=DIGITS - len(prefix)))
        for prefix in islice(cycle(written), count)
    ]
    rng.shuffle(numbers)
    # Copied in this order, so that the numbers themselves stand in memory as they are used.
    return [number[:1] + number[1:] for number in numbers]


def _deciding(table: RouteTable, numbers: Sequence[str]) -> Callable[[], object]:
    """Decide all numbers by this table."""
    octets = p.sm(v.SUBMIT_SM, 1, destination=(1, 1, b"37255500001"), short_message=b"hello")
    sm = Sm(Framer(len(octets)).feed(octets)[0])
    decide = table.decide
    assert all(isinstance(decide(number, ACCOUNT, LANE, sm, NOW_UTC), Rule) for number in numbers)

    def call() -> None:
        for number in numbers:
            decide(number, ACCOUNT, LANE, sm, NOW_UTC)

    return call
