"""router/decide/table.py: which rule wins, whom it names, and what is said of the others.

Any table and any weights: tests/property/test_routes.py.
"""

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import Final

import pytest

from router.decide.table import RouteTable, Rule, Up
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu, Sm
from router.terms.names import AccountName, LaneName, OperatorName
from router.terms.outcome import NO_ROUTE, Refusal
from router.terms.plan import Plans
from router.terms.settings import RouteSettings

A, B, C, D = (OperatorName(name) for name in "abcd")
BANK, SHOP = AccountName("bank"), AccountName("shop")
NUMBER: Final = "46701234567"
LANE: Final = LaneName("bulk")
NOW: Final = 1.7e9


def submit_sm(sender: bytes = b"Bank", priority: int = 0, service_type: bytes = b"") -> Sm:
    octets = p.sm(
        v.SUBMIT_SM,
        1,
        source=(5, 0, sender),
        destination=(1, 1, NUMBER.encode()),
        priority_flag=priority,
        service_type=service_type,
    )
    return Sm(Pdu(v.SUBMIT_SM, 0, 1, octets))


SM: Final = submit_sm()


def to(destination: str, *operators: OperatorName) -> RouteSettings:
    """A route to these operators, or to one of its own, so that it shares its rule with none."""
    own = OperatorName(f"of {destination}")
    return RouteSettings(destination=(destination,), to=operators or (own,))


def shared(*weights: int) -> RouteSettings:
    names = tuple(OperatorName(name) for name in "abcdefgh"[: len(weights)])
    return RouteSettings(destination=("",), to=names, weights=weights)


def table_of(*routes: RouteSettings, up: Up | None = None) -> RouteTable:
    return RouteTable(routes, Plans(), up or Up())


def winner(
    table: RouteTable, number: str = NUMBER, account: AccountName = BANK, sm: Sm = SM
) -> RouteSettings | Refusal:
    """What the rule that wins says, or the refusal."""
    found = table.decide(number, account, LANE, sm, NOW)
    return found.settings if isinstance(found, Rule) else found


def the_rule(*routes: RouteSettings, up: Up | None = None) -> Rule:
    found = table_of(*routes, up=up).decide(NUMBER, BANK, LANE, SM, NOW)
    assert isinstance(found, Rule)
    return found


# Prefixes.


def test_longest_prefix_wins_wherever_it_stands() -> None:
    routes = [to(""), to("4670"), to("46"), to("47"), to("467")]
    for order in (routes, routes[::-1]):
        table = table_of(*order)
        numbers = ("46701", "4670", "46709", "467", "4671", "46", "461", "4", "48", "47")
        wanted = ["4670", "4670", "4670", "467", "467", "46", "46", "", "", "47"]
        found = [winner(table, number) for number in numbers]
        assert [one.destination[0] for one in found if isinstance(one, RouteSettings)] == wanted


def test_long_prefixes_win_over_short_ones_and_leave_them_the_rest() -> None:
    table = table_of(to("46"), to("46701"), to("4670123"), to("46702345"), to(NUMBER))
    numbers = (NUMBER, NUMBER[:-1], "467012", "4670123", "46702345", "4670234", "46703", "4670")
    wanted = [NUMBER, "4670123", "46701", "4670123", "46702345", "46", "46", "46"]
    found = [winner(table, number) for number in numbers]
    assert [one.destination[0] for one in found if isinstance(one, RouteSettings)] == wanted


def test_first_of_equal_prefixes_wins() -> None:
    first, second = to("46", A), to("46", B)
    assert winner(table_of(first, second)) is first
    assert winner(table_of(second, first)) is second


def test_number_shorter_than_a_prefix_does_not_take_it() -> None:
    assert winner(table_of(to("4670")), "467") is NO_ROUTE


def test_number_may_be_the_whole_prefix() -> None:
    route = to(NUMBER)
    assert winner(table_of(route)) is route


def test_number_that_no_prefix_fits_has_no_route() -> None:
    assert winner(table_of(to("47"), to("1"))) is NO_ROUTE
    assert NO_ROUTE.status == 0x0B


def test_empty_table_has_no_route() -> None:
    assert winner(table_of()) is NO_ROUTE


# Conditions.


@pytest.mark.parametrize(
    ("route", "fits", "others", "says"),
    [
        (
            RouteSettings(destination=("46",), sender=("Bank",), to=(A,)),
            submit_sm(b"Bank"),
            [submit_sm(b"bank"), submit_sm(b"Ban"), submit_sm(b"Bank "), submit_sm(b"")],
            "is for sender Bank",
        ),
        (
            RouteSettings(destination=("46",), priority=0, to=(A,)),
            submit_sm(priority=0),
            [submit_sm(priority=1), submit_sm(priority=255)],
            "is for priority_flag 0",
        ),
        (
            RouteSettings(destination=("46",), service_type=("OTP",), to=(A,)),
            submit_sm(service_type=b"OTP"),
            [submit_sm(service_type=b""), submit_sm(service_type=b"otp")],
            "is for service_type OTP",
        ),
        (
            RouteSettings(destination=("46",), service_type=("",), to=(A,)),
            submit_sm(service_type=b""),
            [submit_sm(service_type=b"OTP")],
            'is for service_type ""',
        ),
    ],
)
def test_rule_wins_only_where_its_condition_holds(
    route: RouteSettings, fits: Sm, others: list[Sm], says: str
) -> None:
    table = table_of(route)
    assert winner(table, sm=fits) is route
    for other in others:
        assert winner(table, sm=other) is NO_ROUTE
        assert [why for _, why in table.explain(NUMBER, BANK, LANE, other, NOW)] == [says]


def test_rule_of_one_account_is_for_no_other() -> None:
    route = RouteSettings(destination=("46",), account=(BANK,), to=(A,))
    table = table_of(route)
    assert winner(table, account=BANK) is route
    assert winner(table, account=SHOP) is NO_ROUTE
    assert [why for _, why in table.explain(NUMBER, SHOP, LANE, SM, NOW)] == ["is for account bank"]


def test_all_conditions_of_a_rule_must_hold() -> None:
    route = RouteSettings(
        destination=("46",),
        account=(BANK,),
        sender=("Bank",),
        priority=1,
        service_type=("OTP",),
        to=(A,),
    )
    table = table_of(route)
    assert winner(table, sm=submit_sm(b"Bank", 1, b"OTP")) is route
    for sm in (submit_sm(b"B", 1, b"OTP"), submit_sm(b"Bank", 2, b"OTP"), submit_sm(b"Bank", 1)):
        assert winner(table, sm=sm) is NO_ROUTE
    assert winner(table, account=SHOP, sm=submit_sm(b"Bank", 1, b"OTP")) is NO_ROUTE


def test_rule_whose_condition_fails_leaves_it_to_the_next_and_then_to_shorter_prefixes() -> None:
    narrow = RouteSettings(destination=("4670",), account=(SHOP,), to=(A,))
    beside = RouteSettings(destination=("4670",), priority=3, to=(B,))
    wide = to("46", C)
    table = table_of(narrow, beside, wide)
    assert winner(table, account=SHOP) is narrow
    assert winner(table, sm=submit_sm(priority=3)) is beside
    assert winner(table) is wide


# Refusing rules and lanes.


def test_rule_may_refuse_with_its_own_status() -> None:
    table = table_of(to("46"), RouteSettings(destination=("4670",), refuse=0x33))
    assert winner(table) == Refusal("refused_by_route", 0x33)
    assert isinstance(winner(table, "4680"), RouteSettings)


def test_refusal_of_another_account_refuses_nobody_else() -> None:
    route = to("46")
    table = table_of(RouteSettings(destination=("4670",), account=(SHOP,), refuse=0x33), route)
    assert winner(table) is route
    assert winner(table, account=SHOP) == Refusal("refused_by_route", 0x33)


def test_rule_may_name_the_lane() -> None:
    bulk = LaneName("bulk")
    assert the_rule(RouteSettings(destination=("",), to=(A,), lane=bulk)).lane == bulk


def test_rule_that_names_no_lane_leaves_it_to_the_account() -> None:
    assert the_rule(to("")).lane is None


# Plans.


def test_list_is_one_plan_in_its_order() -> None:
    rule = the_rule(to("", B, A, C))
    assert {rule.next_plan().candidates for _ in range(10)} == {(B, A, C)}


def test_rules_with_equal_operators_share_one_plan() -> None:
    table = table_of(to("46", A, B), to("47", A, B))
    found = [table.decide(number, BANK, LANE, SM, NOW) for number in ("46", "47")]
    plans = [rule.next_plan() for rule in found if isinstance(rule, Rule)]
    assert len(plans) == 2
    assert plans[0] is plans[1]


def test_each_operator_of_a_share_comes_first_and_the_others_stand_in_by_weight() -> None:
    rule = the_rule(shared(20, 50, 30))
    plans = Counter(rule.next_plan().candidates for _ in range(1000))
    assert sum(plans[A, *others] for others in ((B, C), (C, B))) == 200
    assert plans[A, B, C] == 125
    assert plans[B, C, A] == 300
    assert plans[C, B, A] == pytest.approx(300 * 5 / 7, abs=1)


def test_others_than_the_first_two_follow_by_weight() -> None:
    rule = the_rule(shared(1, 1, 5, 9))
    found = {rule.next_plan().candidates for _ in range(1000)}
    assert len(found) == 12
    assert all(plan[2:] == (D, C) for plan in found if set(plan[:2]) == {A, B})


def test_who_is_down_gets_no_share_and_the_others_keep_their_proportions() -> None:
    up = Up()
    rule = the_rule(shared(50, 30, 20), up=up)
    up.become({B, C})
    firsts = Counter(rule.next_plan().candidates[0] for _ in range(500))
    assert firsts == {B: 300, C: 200}
    up.become({A, B, C})
    firsts = Counter(rule.next_plan().candidates[0] for _ in range(100))
    assert firsts == {A: 50, B: 30, C: 20}  # Nothing is made up for.


def test_where_all_are_down_the_weights_are_those_of_the_route() -> None:
    up = Up()
    rule = the_rule(shared(50, 30, 20), up=up)
    for names in ({B}, set(), {D}):
        up.become(names)
        if B not in names:
            firsts = Counter(rule.next_plan().candidates[0] for _ in range(100))
            assert firsts == {A: 50, B: 30, C: 20}


def test_new_table_knows_from_its_first_message_who_is_up() -> None:
    up = Up()
    up.become({B, C})
    before, after = (the_rule(shared(50, 30, 20), up=up) for _ in range(2))
    for rule in (after, before):  # Both follow, whichever is in force.
        firsts = Counter(rule.next_plan().candidates[0] for _ in range(50))
        assert firsts == {B: 30, C: 20}
    up.become({A})
    assert {rule.next_plan().candidates[0] for rule in (before, after) for _ in range(9)} == {A}


def test_shares_are_exact_after_as_many_messages_as_the_weights_are_together() -> None:
    rule = the_rule(shared(70, 20, 10))
    for _ in range(3):
        firsts = Counter(rule.next_plan().candidates[0] for _ in range(100))
        assert firsts == {A: 70, B: 20, C: 10}


def test_equal_weights_take_turns() -> None:
    rule = the_rule(shared(5, 5, 5))
    firsts = [rule.next_plan().candidates[0] for _ in range(6)]
    assert firsts == [A, B, C, A, B, C]


def test_small_weights_do_not_come_all_at_once() -> None:
    rule = the_rule(shared(60, 1, 1, 1, 1, 1))
    firsts = [rule.next_plan().candidates[0] for _ in range(650)]
    small = [place for place, name in enumerate(firsts) if name != A]
    assert len(small) == 50
    assert min(later - one for one, later in pairwise(small)) > 5


def test_single_operator_with_a_weight_gets_everything() -> None:
    rule = the_rule(shared(7))
    assert {rule.next_plan().candidates for _ in range(5)} == {(A,)}


def test_two_rules_with_weights_count_apart() -> None:
    routes = [
        RouteSettings(destination=(destination,), to=(A, B), weights=(1, 1))
        for destination in ("46", "47")
    ]
    table = table_of(*routes)
    firsts: dict[str, list[str]] = {"46": [], "47": []}
    for _ in range(4):
        for number, names in firsts.items():
            rule = table.decide(number, BANK, LANE, SM, NOW)
            assert isinstance(rule, Rule)
            names.append(rule.next_plan().candidates[0])
    assert firsts == {"46": [A, B, A, B], "47": [A, B, A, B]}


def test_routes_that_differ_in_prefix_and_place_only_share_a_rule() -> None:
    first = RouteSettings(destination=("46",), to=(A, B), line=1, file="a.yaml")
    table = table_of(
        first,
        replace(first, destination=("47",), line=2),
        replace(first, destination=("48",), file="b.yaml"),
        replace(first, destination=("49",), to=(A, C)),
        replace(first, destination=("50",), account=(BANK,)),
        replace(first, destination=("51",), lane=LaneName("bulk")),
    )
    rules = [
        table.decide(number, BANK, LANE, SM, NOW) for number in ("46", "47", "48", "49", "50", "51")
    ]
    assert rules[0] is rules[1] is rules[2]
    assert len({id(rule) for rule in rules}) == 4


# Explaining.


def test_every_rule_that_fits_the_number_is_explained_longest_first() -> None:
    narrow = RouteSettings(destination=("4670",), account=(SHOP,), to=(A,))
    wins, behind = to("467", A), to("467", B)
    wide = RouteSettings(destination=("",), priority=3, to=(C,))
    shorter = to("", C)
    table = table_of(wide, shorter, wins, to("47"), narrow, behind, to(NUMBER + "8"))
    told = table.explain(NUMBER, BANK, LANE, SM, NOW)
    assert told == [
        (narrow, "is for account shop"),
        (wins, None),
        (behind, "stands behind the winner"),
        (wide, "is for priority_flag 3"),
        (shorter, "has a shorter prefix"),
    ]


def test_refusing_rule_is_explained_as_the_winner_it_is() -> None:
    refuses = RouteSettings(destination=("46",), refuse=0x33)
    told = table_of(to("", A), refuses).explain(NUMBER, BANK, LANE, SM, NOW)
    assert told == [
        (refuses, None),
        (to("", A), "has a shorter prefix"),
    ]


def test_explaining_takes_no_turn() -> None:
    table = table_of(shared(1, 1))
    rule = table.decide(NUMBER, BANK, LANE, SM, NOW)
    assert isinstance(rule, Rule)
    firsts = []
    for _ in range(4):
        table.explain(NUMBER, BANK, LANE, SM, NOW)
        firsts.append(rule.next_plan().candidates[0])
    assert firsts == [A, B, A, B]


def test_nothing_is_explained_where_no_prefix_fits() -> None:
    assert table_of(to("47")).explain(NUMBER, BANK, LANE, SM, NOW) == []
