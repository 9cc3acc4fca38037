"""router/decide/table.py: any table decides as somebody would who reads all rules one by one."""

from dataclasses import replace
from itertools import accumulate
from typing import Final

from hypothesis import event, example, given
from hypothesis import strategies as st

from router.decide.table import HEAD_DIGITS, RouteTable, Rule, Up
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu, Sm
from router.terms.names import AccountName, LaneName, OperatorName
from router.terms.outcome import NO_ROUTE, Refusal
from router.terms.plan import Plans
from router.terms.settings import RouteSettings

# Few digits and few values, so that prefixes are nested and conditions hold about as often as not.
DIGITS: Final = "01"
ACCOUNTS: Final = tuple(AccountName(name) for name in ("bank", "shop"))
SENDERS: Final = ("Bank", "Shop")
PRIORITIES: Final = (0, 3)
SERVICE_TYPES: Final = ("", "OTP")
LANES: Final = [LaneName("otp"), LaneName("bulk")]
STRETCH: Final = 1000
WITHIN: Final = STRETCH // 100

# Prefixes and numbers around the length at which the table looks at the first digits as a whole.
STEM: Final = "011010100"
stems: Final = st.sampled_from([0, 0, 2, HEAD_DIGITS - 1, HEAD_DIGITS, HEAD_DIGITS + 2]).map(
    lambda digits: STEM[:digits]
)
prefixes: Final = st.builds(str.__add__, stems, st.text(DIGITS, max_size=3))
routes: Final = st.builds(
    RouteSettings,
    destination=prefixes,
    account=st.none() | st.sampled_from(ACCOUNTS),
    sender=st.none() | st.sampled_from(SENDERS),
    priority=st.none() | st.sampled_from(PRIORITIES),
    service_type=st.none() | st.sampled_from(SERVICE_TYPES),
    lane=st.none() | st.sampled_from(LANES),
    # Many, so that few routes share a rule: then a wrong prefix is seen.
    to=st.tuples(st.sampled_from([OperatorName(f"o{number}") for number in range(20)])),
)
refusals: Final = st.builds(
    RouteSettings,
    destination=prefixes,
    account=st.none() | st.sampled_from(ACCOUNTS),
    refuse=st.integers(1, 0xFFFF),
)
messages: Final = st.tuples(
    st.builds(str.__add__, stems, st.text(DIGITS, min_size=1, max_size=4)),
    st.sampled_from(ACCOUNTS),
    st.sampled_from(SENDERS),
    st.sampled_from(PRIORITIES),
    st.sampled_from(SERVICE_TYPES),
)


def holds(route: RouteSettings, message: tuple[str, AccountName, str, int, str]) -> bool:
    """Whether the rule's prefix fits and its conditions hold, as config/README.md tells it."""
    number, account, sender, priority, service_type = message
    return (
        number.startswith(route.destination)
        and route.account in (None, account)
        and route.sender in (None, sender)
        and route.priority in (None, priority)
        and route.service_type in (None, service_type)
    )


def scanned(
    table: list[RouteSettings], message: tuple[str, AccountName, str, int, str]
) -> RouteSettings | None:
    """The winner: `max` keeps the first of equals."""
    holding = [route for route in table if holds(route, message)]
    return max(holding, key=lambda route: len(route.destination), default=None)


def submit_sm(message: tuple[str, AccountName, str, int, str]) -> Sm:
    number, _, sender, priority, service_type = message
    octets = p.sm(
        v.SUBMIT_SM,
        1,
        source=(5, 0, sender.encode()),
        destination=(1, 1, number.encode()),
        priority_flag=priority,
        service_type=service_type.encode(),
    )
    return Sm(Pdu(v.SUBMIT_SM, 0, 1, octets))


@given(
    written=st.lists(routes | refusals, max_size=40),
    sent=st.lists(messages, min_size=1, max_size=20),
)
def test_longest_prefix_that_holds_wins_and_the_first_of_equals(
    written: list[RouteSettings], sent: list[tuple[str, AccountName, str, int, str]]
) -> None:
    table = RouteTable(written, Plans(), Up())
    for message in sent:
        number, account, *_ = message
        sm = submit_sm(message)
        wanted = scanned(written, message)
        found = table.decide(number, account, sm)
        if wanted is None:
            event("no route")
            assert found is NO_ROUTE
        elif wanted.refuse is not None:
            event("refused")
            assert found == Refusal("refused_by_route", wanted.refuse)
        else:
            event("routed")
            assert isinstance(found, Rule)
            # Routes that differ in nothing but the prefix share a rule.
            assert replace(found.settings, destination=wanted.destination) == wanted
        told = table.explain(number, account, sm)
        assert [route for route, why in told if why is None] == [wanted] * (wanted is not None)
        lengths = [len(route.destination) for route, _ in told]
        assert lengths == sorted(lengths, reverse=True)
        fitting = [route for route in written if number.startswith(route.destination)]
        assert sorted(id(route) for route, _ in told) == sorted(map(id, fitting))


@given(
    weights=st.lists(st.integers(1, 100), min_size=2, max_size=6),
    changes=st.lists(st.tuples(st.integers(0, 63), st.integers(0, 300)), max_size=6),
    up=st.integers(1, 63),
)
def test_whoever_comes_and_goes_those_that_are_up_share_by_weight(
    weights: list[int], changes: list[tuple[int, int]], up: int
) -> None:
    names = tuple(OperatorName(f"operator{place}") for place in range(len(weights)))
    route = RouteSettings(destination="", to=names, weights=tuple(weights))
    operators_up = Up()
    table = RouteTable([route], Plans(), operators_up)
    rule = table.decide("46", ACCOUNTS[0], submit_sm(("46", ACCOUNTS[0], "Bank", 0, "")))
    assert isinstance(rule, Rule)
    plans: list[tuple[OperatorName, ...]] = []
    for bits, messages in [*changes, (up, STRETCH)]:
        operators_up.become({name for place, name in enumerate(names) if bits >> place & 1})
        plans = [rule.next_plan().candidates for _ in range(messages)]
    assert all(sorted(plan) == sorted(names) for plan in plans)
    firsts = [plan[0] for plan in plans]
    shares = {n: w for n, w in zip(names, weights, strict=True) if up >> names.index(n) & 1}
    shares = shares or dict(zip(names, weights, strict=True))
    for name in names:
        share = STRETCH * shares.get(name, 0) / sum(shares.values())
        assert abs(firsts.count(name) - share) <= WITHIN


@example(weights=[1000] + [1] * 29, before=0)
@example(weights=[1] * 12 + [1_000_000], before=0)
@example(weights=[1, 1_000_000], before=0)
@given(
    weights=st.lists(st.integers(1, 100) | st.integers(1, 1_000_000), min_size=2, max_size=12),
    before=st.integers(0, 997),
)
def test_weights_are_kept_within_one_percent_over_any_stretch_of_a_thousand(
    weights: list[int], before: int
) -> None:
    names = tuple(OperatorName(f"operator{place}") for place in range(len(weights)))
    route = RouteSettings(destination="", to=names, weights=tuple(weights))
    table = RouteTable([route], Plans(), Up())
    rule = table.decide("46", ACCOUNTS[0], submit_sm(("46", ACCOUNTS[0], "Bank", 0, "")))
    assert isinstance(rule, Rule)
    firsts = [rule.next_plan().candidates[0] for _ in range(before + 2 * STRETCH)][before:]
    for name, weight in zip(names, weights, strict=True):
        so_far = [0, *accumulate(first == name for first in firsts)]
        share = STRETCH * weight / sum(weights)
        counts = [end - start for start, end in zip(so_far, so_far[STRETCH:], strict=False)]
        assert max(counts) - share <= WITHIN
        assert share - min(counts) <= WITHIN
