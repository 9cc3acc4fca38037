"""router/wiring/what_if.py: what moves when the same traffic meets another route table."""

import json
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide.table import RouteTable, Rule, Up
from router.smpp.pdu import Framer, Sm, sm
from router.smpp.vocabulary import SUBMIT_SM
from router.terms.names import AccountName, LaneName, OperatorName
from router.terms.plan import Plans
from router.terms.settings import RouteSettings, Settings
from router.wiring.cli import main
from router.wiring.traffic import Traffic
from router.wiring.what_if import Plan, Table, lines_of, plan_of
from tests.unit.settings.configurations import CONTRACT, changed, loaded

OLD: Final = loaded(CONTRACT)
RULE: Final = '{destination: "372", to: [telia, elisa]}'
TRAFFIC: Final = (
    Traffic("bank", "+37255512345", lane="otp", messages=100),
    Traffic("bank", "358401234", lane="otp", messages=10),
    Traffic("shop", "3725123456", lane="bulk", messages=1000),
    Traffic("shop", "3581999000", messages=7),
    Traffic("shop", "49123", messages=3),
    Traffic("gone", "372", messages=2),
)


def with_rule(rule: str) -> Settings:
    return loaded(changed(CONTRACT, (RULE, rule)))


def plan(new: Settings, *rows: Traffic) -> Plan:
    return plan_of(new, OLD, rows or TRAFFIC)


def carried(found: Plan) -> dict[str, tuple[float, float]]:
    return {one["operator"]: (one["before"], one["after"]) for one in found["operators"]}


def text_of(found: Plan) -> str:
    return "\n".join(lines_of(found))


def test_same_configuration_moves_nothing() -> None:
    found = plan(OLD)
    assert (found["messages"], found["moved"], found["moves"]) == (1122, 0, [])
    assert carried(found) == {"elisa": (310, 310), "telia": (800, 800)}
    assert (found["refused_before"], found["refused_after"]) == (12, 12)


def test_other_operator_is_told_with_the_prefix_the_lane_and_the_messages() -> None:
    found = plan(with_rule('{destination: "372", to: [elisa]}'))
    (move,) = found["moves"]
    assert move == {
        "prefix_before": "372",
        "prefix": "372",
        "lane_before": "otp",
        "lane": "otp",
        "before": [{"operator": "telia", "share": 1.0}, {"operator": "elisa", "share": 0.0}],
        "after": [{"operator": "elisa", "share": 1.0}],
        "messages": 100,
        "moved": 100.0,
    }
    assert carried(found) == {"elisa": (310, 410), "telia": (800, 700)}
    assert found["operators"][0]["lanes"] == {"bulk": [300.0, 300.0], "otp": [10.0, 110.0]}
    text = text_of(found)
    assert "100 move (8.91%)" in text
    assert "372, lane otp: telia, then elisa -> elisa" in text


def test_what_was_renamed_is_the_same() -> None:
    text = CONTRACT.replace("telia", "telia2").replace("bank", "bank2")
    text = text.replace("  telia2:\n", "  telia2:\n    formerly: telia\n", 1)
    new = loaded(text.replace("  bank2: ", "  bank2:\n    formerly: bank ", 1))
    by_now = Traffic("bank2", "+37255512345", lane="otp", messages=5)

    found = plan(new, *TRAFFIC, by_now)

    assert (found["moved"], found["other_order"], found["moves"]) == (0, 0, [])
    assert carried(found) == {"elisa": (310, 310), "telia2": (805, 805)}
    assert (found["refused_before"], found["refused_after"]) == (12, 12)


def test_weights_count_as_shares() -> None:
    found = plan(with_rule('{destination: "372", to: {elisa: 1, telia: 3}}'))
    assert found["moved"] == 25
    assert found["moves"][0]["after"][0] == {"operator": "telia", "share": 0.75}
    assert "telia, then elisa -> telia 75%, elisa 25%" in text_of(found)


def test_refusal_is_a_move_and_counted_before_and_after() -> None:
    found = plan(with_rule('{destination: "372", refuse: ESME_RINVDSTADR}'))
    assert (found["refused_before"], found["refused_after"], found["moved"]) == (12, 112, 100)
    assert "372, lane otp -> none: telia, then elisa -> refused: ESME_RINVDSTADR" in text_of(found)


def test_other_lane_is_a_move_although_the_operator_is_the_same() -> None:
    found = plan(with_rule(RULE.replace("}", ", lane: alert}")))
    (move,) = found["moves"]
    assert (move["lane_before"], move["lane"], move["moved"]) == ("otp", "alert", 100)


def test_lane_of_a_record_is_kept_unless_it_was_that_of_the_rule() -> None:
    urgent = with_rule(RULE.replace("}", ", lane: otp}"))
    row = Traffic("shop", "37211", lane="otp", messages=1)
    (back,) = plan_of(OLD, urgent, [row])["moves"]
    assert (back["lane_before"], back["lane"]) == ("otp", "bulk")
    assert plan_of(OLD, OLD, [row])["operators"][0]["lanes"] == {"otp": [0.0, 0.0]}


def test_other_stand_in_moves_nothing_and_is_counted() -> None:
    found = plan(with_rule('{destination: "372", to: [telia]}'))
    assert (found["moved"], found["moves"], found["other_order"]) == (0, [], 100)
    assert "100 keep their operator and get others behind it" in text_of(found)


def test_rule_with_a_longer_prefix_is_told_with_both_prefixes() -> None:
    found = plan(with_rule(f'{RULE}\n  - {{destination: "37255", to: [elisa]}}'))
    (move,) = found["moves"]
    assert (move["prefix_before"], move["prefix"]) == ("372", "37255")
    assert "372 -> 37255, lane otp" in text_of(found)


def test_account_that_is_gone_is_refused_after() -> None:
    accounts = {name: one for name, one in OLD.accounts.items() if name != "bank"}
    routes = tuple(one for one in OLD.routes if "bank" not in one.account)
    found = plan(
        Settings(
            listen=OLD.listen, journal=OLD.journal, lanes=OLD.lanes, accounts=accounts,
            operators=OLD.operators, routes=routes,
        )
    )  # fmt: skip
    assert found["refused_after"] - found["refused_before"] == 110
    assert "refused: unknown_account" in text_of(found)


def test_what_records_do_not_say_is_counted() -> None:
    new = with_rule(f'{RULE}\n  - {{destination: "358", priority: 3, to: [telia]}}')
    rows = (
        Traffic("bank", "358401234", messages=5, accepted_utc=1.7e9),
        Traffic("bank", "372401234", messages=4, accepted_utc=1.7e9 + 60),
    )
    found = plan(new, *rows)
    assert found["guessed"] == 5
    text = text_of(found)
    assert "9 messages, accepted from 2023-11-14 22:13 to 2023-11-14 22:14 UTC" in text
    assert "5 could take a rule by priority_flag or service_type" in text
    asked = plan(new, Traffic("bank", "358401234", priority=3, messages=5))
    assert (asked["guessed"], asked["moves"][0]["after"][0]["operator"]) == (0, "telia")


def test_nothing_is_no_share_of_nothing() -> None:
    found = plan_of(OLD, OLD, [])
    assert (found["messages"], found["first_utc"]) == (0, None)
    assert "0 move (0%)" in text_of(found)


# Rules that refuse, and hours.

NIGHT = 1_700_000_000.0 // 86_400 * 86_400
"""Midnight, UTC."""


def with_top(rules: str) -> Settings:
    return loaded(changed(CONTRACT, ("routes:\n", rules + "routes:\n")))


def test_what_a_new_rule_refuses_is_told_with_its_reason() -> None:
    new = with_top("refuse: [{sender: CASINO*, reason: gambling}]\n")
    found = plan(
        new,
        Traffic("bank", "37255512345", sender="casino1", messages=4),
        Traffic("bank", "37255512345", sender="Bank", messages=6),
    )
    assert (found["refused_before"], found["refused_after"], found["moved"]) == (0, 4, 4)
    moved = "372 -> under refuse, lane otp -> none: telia, then elisa -> refused: gambling"
    assert moved in text_of(found)


def test_hours_are_those_at_which_a_message_was_accepted() -> None:
    new = with_top("refuse: [{hours: 21:00-08:00, zone: UTC, reason: night}]\n")
    rows = [
        Traffic("bank", "37255512345", accepted_utc=NIGHT + hour * 3600.0) for hour in range(24)
    ]
    assert plan(new, *rows)["refused_after"] == 11


def test_messages_without_a_time_count_as_outside_of_hours() -> None:
    new = with_top("refuse: [{hours: 21:00-08:00, zone: UTC}]\n")
    found = plan(new, Traffic("bank", "37255512345", messages=3))
    assert (found["refused_after"], found["without_time"]) == (0, 3)
    assert "3 have no time, and could take a rule for some hours" in text_of(found)


def test_group_of_prefixes_is_one_rule() -> None:
    text = changed(
        CONTRACT,
        ("routes:\n", 'prefixes: {near: ["37255", "37256"]}\nroutes:\n'
         "  - {destination: {prefixes: near}, to: [elisa]}\n"),
    )  # fmt: skip
    rows = [Traffic("bank", f"3725{digit}12345") for digit in range(4, 8)]
    (move,) = plan(loaded(text), *rows)["moves"]
    assert (move["prefix"], move["messages"]) == ("prefixes near", 2)


# As the router decides.

RULES = st.builds(
    RouteSettings,
    destination=st.sampled_from([("",), ("1",), ("12", "2"), ("123",), ("2",)]),
    account=st.sampled_from([(), (AccountName("bank"),), (AccountName("shop"),)]),
    sender=st.sampled_from([(), ("Shop",), ("Sh*",)]),
    priority=st.sampled_from([None, 1]),
    to=st.sampled_from([(OperatorName("telia"),), (OperatorName("elisa"),)]),
    lane=st.sampled_from([None, LaneName("otp")]),
)


@given(
    st.lists(RULES, max_size=8),
    st.sampled_from(["1", "12", "123", "1234", "2", "3"]),
    st.sampled_from([AccountName("bank"), AccountName("shop")]),
    st.sampled_from(["", "Shop"]),
    st.sampled_from([0, 1]),
)
def test_winner_is_that_of_the_route_table(
    rules: list[RouteSettings], number: str, account: AccountName, sender: str, priority: int
) -> None:
    message = _message(sender, priority)
    asked = number, account, LaneName("otp"), message, 0.0
    found = _table(rules).winner(*asked)
    decided = RouteTable(rules, Plans(), Up()).decide(*asked)
    assert (found is None) == (not isinstance(decided, Rule))
    if found is not None and isinstance(decided, Rule):
        assert (found.to, found.lane) == (decided.settings.to, decided.lane)
        assert number.startswith(found.destination)


def _table(rules: list[RouteSettings]) -> Table:
    return Table(
        Settings(
            listen=(), journal=OLD.journal, lanes=OLD.lanes, accounts={}, operators={},
            routes=tuple(rules),
        ),
        with_hours=True,
    )  # fmt: skip


def _message(sender: str, priority: int) -> Sm:
    octets = sm(
        SUBMIT_SM, 1, source=(5, 0, sender.encode()), destination=(1, 1, b"1"), short_message=b"",
        priority_flag=priority,
    )  # fmt: skip
    return Sm(Framer(1000).feed(octets)[0])


# The command.


def test_plan_reads_csv_and_prints_what_moves(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    old, new, traffic = tmp_path / "old.yaml", tmp_path / "new.yaml", tmp_path / "traffic.csv"
    old.write_text(CONTRACT, encoding="utf-8")
    rule = '{destination: "372", to: [elisa]}'
    new.write_text(changed(CONTRACT, (RULE, rule)), encoding="utf-8")
    traffic.write_text("account,to,count\nbank,37255,40\n", encoding="utf-8")
    arguments = ["plan", str(new), "--against", str(old), "--traffic", str(traffic)]
    assert main(arguments) == 0
    assert "          40           40  372, lane otp: telia" in capsys.readouterr().out
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["moved"] == 40
    traffic.write_text("account,count\nbank,40\n", encoding="utf-8")
    assert main(arguments) == 1
    output = capsys.readouterr()
    assert (output.out, "no column 'to'" in output.err) == ("", True)


# Places and policies.


def with_keys(bank: str = "", routes: str = "") -> Settings:
    text = changed(CONTRACT, ("routes:\n", f"routes:\n{routes}"))
    if bank:
        text = changed(text, ("    max_binds: 4\n", f"    max_binds: 4\n    {bank}\n"))
    return loaded(text)


def test_what_a_new_policy_would_refuse_is_told() -> None:
    new = with_keys("countries: [EE]")
    found = plan(new)
    assert (found["refused_before"], found["refused_after"]) == (12, 22)
    (move,) = found["moves"]
    assert (move["prefix"], move["messages"]) == ("by the account's policy", 10)
    assert move["after"] == [{"operator": "refused: country_not_allowed", "share": 1.0}]


def test_national_number_takes_the_route_of_its_country() -> None:
    row = Traffic("bank", "55512345", lane="otp", messages=5)
    found = plan(with_keys("numbers: {country: EE}"), row)
    assert (found["refused_before"], found["refused_after"]) == (5, 0)
    assert carried(found)["telia"] == (0, 5)


def test_route_by_country_takes_its_numbers() -> None:
    found = plan(with_keys(routes='  - {destination: "", country: GB, to: [elisa]}\n'), *TRAFFIC,
                 Traffic("bank", "447400123456", messages=4))  # fmt: skip
    assert found["moved"] == 4
    assert carried(found)["elisa"] == (310, 314)


def test_lane_that_a_message_came_in_is_that_of_its_record() -> None:
    route = '  - {destination: "3725", account: shop, in_lane: alert, to: [elisa]}\n'
    rows = [
        Traffic("shop", "3725123456", lane="bulk", messages=20),
        Traffic("shop", "3725123456", lane="alert", messages=3),
        Traffic("shop", "3725123456", lane="otp", messages=7),  # From a route: it came in `bulk`.
    ]
    found = plan(with_keys(routes=route), *rows)
    before, after = carried(found)["elisa"]
    assert (before, after) == pytest.approx((9.0, 27 * 0.3 + 3))
