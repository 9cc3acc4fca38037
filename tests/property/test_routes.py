"""router/decide/table.py: any table decides as somebody would who reads all rules one by one."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from itertools import accumulate
from typing import Final, NamedTuple, TypeVar

from hypothesis import event, example, given
from hypothesis import strategies as st

from router.decide.hours import DAYS
from router.decide.prefixes import Groups
from router.decide.refuse import RefusingRules
from router.decide.table import RouteTable, Rule, Up
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu, Sm
from router.terms.names import AccountName, GroupName, LaneName, OperatorName
from router.terms.outcome import NO_ROUTE, Refusal
from router.terms.place import Place
from router.terms.plan import Plans
from router.terms.prefix_lengths import HEAD_DIGITS
from router.terms.settings import Day, ListFile, PrefixGroup, RefuseSettings, RouteSettings

T = TypeVar("T", bound=str)

# Few digits and few values, so that prefixes are nested and conditions hold about as often as not.
DIGITS: Final = "01"
ACCOUNTS: Final = tuple(AccountName(name) for name in ("bank", "shop"))
SENDERS: Final = ("Bank", "Shop", "Shopping", "SHOP", "S", "Ärpank", "äRPANK")
PATTERNS: Final = ("Bank", "Shop", "Shop*", "sh*", "S*", "Shoppi*", "Är*", "äRPANK")
GROUPS: Final = tuple(GroupName(name) for name in ("near", "far"))
PRIORITIES: Final = (0, 3)
SERVICE_TYPES: Final = ("", "OTP")
LANES: Final = (LaneName("otp"), LaneName("bulk"))
COUNTRIES: Final = ("EE", "FI")
NETWORKS: Final = ("24801", "24802")
STRETCH: Final = 1000
WITHIN: Final = STRETCH // 100

# Prefixes and numbers around the length at which the table looks at the first digits as a whole.
STEM: Final = "011010100"
stems: Final = st.sampled_from([0, 0, 2, HEAD_DIGITS - 1, HEAD_DIGITS, HEAD_DIGITS + 2]).map(
    lambda digits: STEM[:digits]
)
prefixes: Final = st.builds(str.__add__, stems, st.text(DIGITS, max_size=3))
destinations: Final = st.tuples(prefixes) | st.lists(prefixes, max_size=4, unique=True).map(tuple)
group_names: Final = st.lists(st.sampled_from(GROUPS), max_size=2, unique=True).map(tuple)
groups: Final = st.fixed_dictionaries(
    {
        name: st.builds(
            PrefixGroup,
            file=st.just(""),
            prefixes=st.lists(prefixes, min_size=1, max_size=4, unique=True).map(tuple),
        )
        for name in GROUPS
    }
)


def some(values: Collection[T], at_least: int = 0) -> st.SearchStrategy[tuple[T, ...]]:
    """None of them, so that the condition is not there, or one, or two."""
    one = st.sampled_from(sorted(values))
    return st.lists(one, min_size=at_least, max_size=2, unique=True).map(tuple)


# A rule for the senders of an empty file is for nobody.
sender_files: Final = st.just(()) | st.tuples(
    st.builds(ListFile, file=st.just("f"), values=some(PATTERNS))
)
routes: Final = st.builds(
    RouteSettings,
    destination=destinations,
    groups=group_names,
    account=some(ACCOUNTS),
    sender=some(PATTERNS),
    sender_files=sender_files,
    priority=st.none() | st.sampled_from(PRIORITIES),
    service_type=some(SERVICE_TYPES),
    country=some(COUNTRIES),
    network=some(NETWORKS),
    in_lane=some(LANES),
    days=some(DAYS),
    lane=st.none() | st.sampled_from(LANES),
    # Many, so that few routes share a rule: then a wrong prefix is seen.
    to=st.tuples(st.sampled_from([OperatorName(f"o{number}") for number in range(20)])),
)
refusals: Final = st.builds(
    RouteSettings,
    destination=destinations,
    account=some(ACCOUNTS),
    refuse=st.integers(1, 0xFFFF),
)
refusing: Final = st.builds(
    RefuseSettings,
    destination=st.just(()) | destinations,
    groups=group_names,
    account=some(ACCOUNTS),
    sender=some(PATTERNS),
    sender_files=sender_files,
    service_type=some(SERVICE_TYPES),
    country=some(COUNTRIES),
    network=some(NETWORKS),
    lane=some(LANES),
    days=some(DAYS),
)


class Sent(NamedTuple):
    """What rules look at."""

    number: str
    account: AccountName
    sender: str
    priority: int
    service_type: str
    lane: LaneName
    day: Day
    country: str
    network: str

    @property
    def at_utc(self) -> float:
        """Noon of that day, which is in the second week of 1970: it began on a Monday."""
        return (4 + 7 + DAYS.index(self.day)) * 86_400.0 + 43_200.0

    @property
    def sm(self) -> Sm:
        """The PDU."""
        octets = p.sm(
            v.SUBMIT_SM,
            1,
            source=(5, 0, self.sender.encode("latin-1")),
            destination=(1, 1, self.number.encode()),
            priority_flag=self.priority,
            service_type=self.service_type.encode(),
        )
        return Sm(Pdu(v.SUBMIT_SM, 0, 1, octets))

    @property
    def asked(self) -> tuple[str, AccountName, LaneName, Sm, float, Place]:
        """What tables are asked with."""
        place = Place(self.country, self.network, "mobile", is_valid=True, zone="")
        return self.number, self.account, self.lane, self.sm, self.at_utc, place


messages: Final = st.builds(
    Sent,
    number=st.builds(str.__add__, stems, st.text(DIGITS, min_size=1, max_size=4)),
    account=st.sampled_from(ACCOUNTS),
    sender=st.sampled_from(SENDERS),
    priority=st.sampled_from(PRIORITIES),
    service_type=st.sampled_from(SERVICE_TYPES),
    lane=st.sampled_from(LANES),
    day=st.sampled_from(DAYS),
    country=st.sampled_from(COUNTRIES),
    network=st.sampled_from(("", *NETWORKS)),
)


ANYTHING: Final = Sent("46", ACCOUNTS[0], "Bank", 0, "", LANES[0], "mon", "EE", "")


def fitting(rule: RouteSettings | RefuseSettings, named: Groups, number: str) -> list[str]:
    """The prefixes of a rule that a number has."""
    written = [*rule.destination, *(p for name in rule.groups for p in named[name].prefixes)]
    return [prefix for prefix in written if number.startswith(prefix)]


def has_sender(patterns: Iterable[str], sender: str) -> bool:
    """Whether a sender is one of these, or begins as one that ends with a star does."""
    return any(
        sender.startswith(one[:-1]) if one.endswith("*") else sender == one for one in patterns
    )


def folded(patterns: Iterable[str]) -> list[str]:
    return [one.lower() for one in patterns]


def others_hold(rule: RouteSettings | RefuseSettings, message: Sent) -> bool:
    """Whether the conditions beside the destination hold, as config/README.md tells them."""
    senders = [*rule.sender, *(one for file in rule.sender_files for one in file.values)]
    of_any = not rule.sender and not rule.sender_files
    if isinstance(rule, RouteSettings):
        own = rule.priority in (None, message.priority)
        own &= of_any or has_sender(senders, message.sender)
        own &= not rule.in_lane or message.lane in rule.in_lane
    else:
        own = not rule.lane or message.lane in rule.lane
        own &= of_any or has_sender(folded(senders), message.sender.lower())
    return (
        own
        and (not rule.account or message.account in rule.account)
        and (not rule.service_type or message.service_type in rule.service_type)
        and (not rule.country or message.country in rule.country)
        and (not rule.network or message.network in rule.network)
        and (not rule.days or message.day in rule.days)
    )


def scanned(table: list[RouteSettings], named: Groups, message: Sent) -> RouteSettings | None:
    """The winner: `max` keeps the first of equals."""
    lengths = {
        number: max(map(len, found))
        for number, route in enumerate(table)
        if others_hold(route, message) and (found := fitting(route, named, message.number))
    }
    winner = max(lengths, key=lambda number: lengths[number], default=None)
    return None if winner is None else table[winner]


@given(
    written=st.lists(routes | refusals, max_size=40),
    named=groups,
    sent=st.lists(messages, min_size=1, max_size=20),
)
def test_longest_prefix_that_holds_wins_and_the_first_of_equals(
    written: list[RouteSettings], named: Groups, sent: list[Sent]
) -> None:
    table = RouteTable(written, Plans(), Up(), named)
    for message in sent:
        wanted = scanned(written, named, message)
        found = table.decide(*message.asked)
        if wanted is None:
            event("no route")
            assert found is NO_ROUTE
        elif wanted.refuse is not None:
            event("refused")
            assert found == Refusal("refused_by_route", wanted.refuse)
        else:
            event("routed")
            assert isinstance(found, Rule)
            # Routes that differ in nothing but the prefixes share a rule.
            same = replace(found.settings, destination=wanted.destination, groups=wanted.groups)
            assert same == wanted
        told = table.explain(*message.asked)
        assert [route for route, why in told if why is None] == [wanted] * (wanted is not None)
        fits = {id(one): fitting(one, named, message.number) for one in written}
        lengths = [max(map(len, fits[id(route)])) for route, _ in told]
        assert lengths == sorted(lengths, reverse=True)
        told_of = sorted(id(route) for route, _ in told)
        assert told_of == sorted(id(one) for one in written if fits[id(one)])


@given(
    written=st.lists(refusing, max_size=30),
    named=groups,
    sent=st.lists(messages, min_size=1, max_size=20),
)
def test_first_rule_that_holds_refuses(
    written: list[RefuseSettings], named: Groups, sent: list[Sent]
) -> None:
    # Each has its own word, so that the wrong rule is seen.
    written = [replace(rule, reason=f"rule-{number}") for number, rule in enumerate(written)]
    rules = RefusingRules(written, named)
    for message in sent:
        holding = [
            rule
            for rule in written
            if others_hold(rule, message)
            and (not (rule.destination or rule.groups) or fitting(rule, named, message.number))
        ]
        event("refused" if holding else "not refused")
        found = rules.refusal(*message.asked)
        wanted = Refusal(holding[0].reason, holding[0].status) if holding else None
        assert found == wanted
        told = rules.explain(*message.asked)
        assert [rule for rule, why in told if why is None] == holding[:1]


@given(
    weights=st.lists(st.integers(1, 100), min_size=2, max_size=6),
    changes=st.lists(st.tuples(st.integers(0, 63), st.integers(0, 300)), max_size=6),
    up=st.integers(1, 63),
)
def test_whoever_comes_and_goes_those_that_are_up_share_by_weight(
    weights: list[int], changes: list[tuple[int, int]], up: int
) -> None:
    names = tuple(OperatorName(f"operator{place}") for place in range(len(weights)))
    route = RouteSettings(destination=("",), to=names, weights=tuple(weights))
    operators_up = Up()
    table = RouteTable([route], Plans(), operators_up)
    rule = table.decide(*ANYTHING.asked)
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
    route = RouteSettings(destination=("",), to=names, weights=tuple(weights))
    table = RouteTable([route], Plans(), Up())
    rule = table.decide(*ANYTHING.asked)
    assert isinstance(rule, Rule)
    firsts = [rule.next_plan().candidates[0] for _ in range(before + 2 * STRETCH)][before:]
    for name, weight in zip(names, weights, strict=True):
        so_far = [0, *accumulate(first == name for first in firsts)]
        share = STRETCH * weight / sum(weights)
        counts = [end - start for start, end in zip(so_far, so_far[STRETCH:], strict=False)]
        assert max(counts) - share <= WITHIN
        assert share - min(counts) <= WITHIN
