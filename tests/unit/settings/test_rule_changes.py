"""router/settings/rule_changes.py: which rule was added, removed, changed or moved."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.settings.rule_changes import (
    MOST_TOLD,
    RuleChange,
    inbound_changes,
    refuse_changes,
    route_changes,
)
from router.terms.names import AccountName, LaneName, OperatorName
from router.terms.settings import InboundSettings, ListFile, RefuseSettings, RouteSettings

TELIA, ELISA = OperatorName("telia"), OperatorName("elisa")
ANY = RouteSettings(destination=("",), to=(TELIA,), file="r.yaml", line=1)
TALLINN = RouteSettings(destination=("372",), to=(TELIA, ELISA), file="r.yaml", line=2)
SHOP = RouteSettings(
    destination=("372",), account=(AccountName("shop"),), to=(ELISA,), file="r.yaml", line=3
)
BANK = RouteSettings(
    destination=("372",), account=(AccountName("bank"),), to=(ELISA,), file="r.yaml", line=4
)


def told(old: Sequence[RouteSettings], new: Sequence[RouteSettings]) -> list[tuple[str, str, str]]:
    return [(one.kind, one.before, one.after) for one in route_changes(old, new)]


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ([ANY], [ANY, TALLINN], [("added", "", "to telia, elisa")]),
        ([ANY, TALLINN], [TALLINN], [("removed", "to telia", "")]),
        ([ANY, TALLINN], [TALLINN, ANY], []),
        ([SHOP, TALLINN], [TALLINN, SHOP], [("moved", "place 2", "place 1")]),
        ([SHOP, BANK, TALLINN], [TALLINN, SHOP, BANK], [("moved", "place 3", "place 1")]),
        ([SHOP, SHOP], [SHOP], [("removed", "to elisa", "")]),
        ([BANK, SHOP, TALLINN], [SHOP, TALLINN], [("removed", "to elisa", "")]),
    ],
)
def test_each_rule_is_told_by_itself(
    old: list[RouteSettings], new: list[RouteSettings], changes: list[tuple[str, str, str]]
) -> None:
    assert told(old, new) == changes


def test_rule_is_known_by_its_conditions_and_told_with_its_place_of_now() -> None:
    lane = RouteSettings(
        destination=("372",), account=(AccountName("shop"),), to=(TELIA, ELISA), weights=(3, 1),
        lane=LaneName("bulk"), file="s.yaml", line=9,
    )  # fmt: skip
    assert route_changes([SHOP], [lane]) == [
        RuleChange(
            "routes[destination 372; account shop]",
            "changed",
            "to elisa",
            "to telia 3, elisa 1; lane bulk",
            "s.yaml:9",
        )
    ]


def test_order_of_all_inbound_rules_counts() -> None:
    one = InboundSettings(to=AccountName("shop"), destination="12302", keyword="STOP")
    two = InboundSettings(to=AccountName("bank"), operator=TELIA)
    (change,) = inbound_changes([one, two], [two, one])
    assert change.kind == "moved"
    assert change.path == "inbound[destination any; operator telia]"


def test_of_very_many_only_the_first_are_told() -> None:
    many = [RouteSettings(destination=(str(number),), to=(TELIA,)) for number in range(100, 200)]
    *first, last = route_changes([ANY], many)
    assert len(first) == MOST_TOLD
    assert [first[0].kind, first[1].kind] == ["removed", "added"]
    assert last == RuleChange("routes", "more", "", "81 added", "")


class Counted(str):
    """A condition that counts how often it is compared."""

    compared = 0

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def test_many_rules_with_one_condition_are_not_compared_each_with_each() -> None:
    Counted.compared = 0
    rules = [replace(TALLINN, service_type=(Counted("x"),), line=line) for line in range(1_000)]
    rules_of_after = [replace(rule, service_type=(Counted("x"),), to=(TELIA,)) for rule in rules]
    assert len(route_changes(rules, rules_of_after)) == MOST_TOLD + 1
    assert Counted.compared < 100 * len(rules)


@given(st.permutations(range(7)))
def test_no_more_rules_are_told_as_moved_than_must_be(order: list[int]) -> None:
    rules = [InboundSettings(to=AccountName("shop"), destination=str(at)) for at in range(7)]
    found = inbound_changes(rules, [rules[at] for at in order])
    rising = max(
        len(some)
        for size in range(8)
        for some in combinations(order, size)
        if list(some) == sorted(some)
    )
    assert [one.kind for one in found] == ["moved"] * (7 - rising)
    moved = {one.path for one in found}
    stay = [at for at in order if f"inbound[destination {at}]" not in moved]
    assert stay == sorted(stay)


RULES = st.lists(
    st.builds(
        RouteSettings,
        destination=st.sampled_from([("",), ("1",)]),
        account=st.sampled_from([(), (AccountName("a"),), (AccountName("b"),)]),
        to=st.sampled_from([(TELIA,), (ELISA,)]),
    ),
    max_size=8,
)


@given(RULES, RULES)
def test_nothing_is_told_only_if_every_prefix_has_its_rules_in_order(
    old: list[RouteSettings], new: list[RouteSettings]
) -> None:
    same = all(
        [one for one in old if prefix in one.destination]
        == [one for one in new if prefix in one.destination]
        for prefix in ("", "1")
    )
    assert (not route_changes(old, new)) == same


# Lists, groups and rules that refuse.


def test_rule_with_a_list_is_known_by_all_of_it() -> None:
    one = RouteSettings(destination=("370", "371"), account=(AccountName("shop"),), to=(TELIA,))
    other = replace(one, to=(ELISA,))
    (change,) = route_changes([one], [other])
    assert change.path == "routes[destination 370, 371; account shop]"
    assert (change.before, change.after) == ("to telia", "to elisa")
    more = replace(one, destination=("370", "371", "372"))
    assert [kind for kind, *_ in told([one], [more])] == ["removed", "added"]


def test_order_of_rules_counts_where_a_list_shares_a_prefix() -> None:
    listed = RouteSettings(destination=("370", "371"), to=(TELIA,))
    single = RouteSettings(destination=("371",), to=(ELISA,))
    far = RouteSettings(destination=("46",), to=(ELISA,))
    assert [one.kind for one in route_changes([listed, single], [single, listed])] == ["moved"]
    assert route_changes([listed, far], [far, listed]) == []


def test_rule_whose_file_has_other_lines_has_changed() -> None:
    def rule(*senders: str) -> RefuseSettings:
        return RefuseSettings(sender_files=(ListFile(file="bad.txt", values=senders),))

    (change,) = refuse_changes([rule("A")], [rule("A", "B")])
    assert (change.path, change.kind) == ("refuse[sender in bad.txt]", "changed")
    assert refuse_changes([rule("A")], [rule("A")]) == []


def test_rules_that_refuse_are_told_with_what_they_say() -> None:
    casino = RefuseSettings(sender=("CASINO*",), reason="gambling")
    night = RefuseSettings(days=("sat",), zone=UTC)
    found = refuse_changes([casino], [night, replace(casino, status=0x0A)])
    assert [(one.path, one.kind, one.before, one.after) for one in found] == [
        (
            "refuse[sender CASINO*]", "changed", "refuse ESME_RSUBMITFAIL (gambling)",
            "refuse ESME_RINVSRCADR (gambling)",
        ),
        ("refuse[hours sat UTC]", "added", "", "refuse ESME_RSUBMITFAIL (refused_by_rule)"),
    ]  # fmt: skip
    assert [one.kind for one in refuse_changes([casino, night], [night, casino])] == ["moved"]


def test_rules_are_known_by_country_network_and_lane() -> None:
    rules = [
        TALLINN,
        replace(TALLINN, country=("EE",)),
        replace(TALLINN, network=("24801",)),
        replace(TALLINN, in_lane=(LaneName("otp"),)),
    ]
    for old, new in combinations(rules, 2):
        assert [kind for kind, _, _ in told([old], [new])] == ["removed", "added"] or [
            kind for kind, _, _ in told([old], [new])
        ] == ["added", "removed"]
    (gone, _) = route_changes([rules[1]], [rules[2]])
    assert "country EE" in gone.path
    assert refuse_changes([RefuseSettings(country=("EE",))], [RefuseSettings(country=("FI",))])
