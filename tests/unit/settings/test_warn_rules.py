"""router/settings/warn_rules.py: rules that never hold, or not where somebody may think they do."""

from pathlib import Path
from tempfile import mkdtemp
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide.hours import DAYS
from router.decide.refuse import RefusingRules
from router.settings.load import load
from router.settings.mistakes import Mistake
from router.settings.warn_rules import rule_warnings
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu, Sm
from router.terms.names import AccountName, GroupName, LaneName, OperatorName
from router.terms.settings import (
    DaySpan,
    PrefixGroup,
    RefuseSettings,
    RouteSettings,
    Settings,
)
from tests.unit.settings.configurations import CONTRACT_FILE, SMALL, changed, loaded

ROUTES: Final = 'routes: [{destination: "", to: [telia]}]'
GOOD: Final = load(CONTRACT_FILE, {})
NEAR = GroupName("near")
LANE = LaneName("otp")


def told(*rules: str, before: str = "", folder: Path | None = None) -> list[Mistake]:
    lines = "".join(f"\n  - {{{rule}}}" for rule in rules)
    text = changed(SMALL, (ROUTES, f"{before}routes:{lines}"))
    return list(rule_warnings(loaded(text, folder=folder)))


def folder_with(name: str, text: str) -> Path:
    folder = Path(mkdtemp())
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def settings_with(
    *routes: RouteSettings,
    refuse: tuple[RefuseSettings, ...] = (),
    prefixes: dict[GroupName, PrefixGroup] | None = None,
) -> Settings:
    return Settings(
        listen=GOOD.listen, journal=GOOD.journal, lanes=GOOD.lanes, accounts=GOOD.accounts,
        operators=GOOD.operators, routes=routes, refuse=refuse, prefixes=prefixes or {},
    )  # fmt: skip


# Routes that are taken by others.


def test_route_whose_prefixes_others_take_one_by_one_can_never_match() -> None:
    (warning,) = told(
        'destination: "370", to: [telia]',
        'destination: ["371", "372"], to: [telia]',
        'destination: ["372", "370"], to: [telia]',
    )
    assert warning.path == "routes[2]"
    assert warning.message.startswith("this rule can never match: routes[0] (")
    assert ", routes[1] (" in warning.message


def test_route_that_loses_some_of_its_prefixes_says_how_many_and_to_whom() -> None:
    groups = 'prefixes: {near: ["370", "371", "372"], far: ["371", "372", "358", "46"]}\n'
    (warning,) = told(
        "destination: {prefixes: near}, to: [telia]",
        "destination: {prefixes: far}, to: [telia]",
        before=groups,
    )
    assert warning.path == "routes[1]"
    assert warning.message.startswith("at 2 of its 4 prefixes, such as 371, routes[0] (")


def test_overlapping_groups_for_different_accounts_are_no_warning() -> None:
    groups = 'prefixes: {near: ["370", "371"], far: ["371", "358"]}\n'
    assert not told(
        "destination: {prefixes: near}, account: bank, to: [telia]",
        "destination: {prefixes: far}, to: [telia]",
        before=groups,
    )


@pytest.mark.parametrize(
    ("first", "second", "is_covered"),
    [
        ("sender: A*", "sender: AB", True),
        ("sender: A*", "sender: [AB, A]", True),
        ("sender: A*", "sender: [AB, B]", False),
        ("sender: AB*", "sender: A*", False),
        ("sender: [A, B]", "sender: B", True),
        ("sender: [A, B]", "sender: B, priority: 1", True),
        ("sender: [A, B], priority: 1", "sender: B", False),
        ("account: bank", "account: [bank]", True),
        ("days: sat", "days: [sat, sun]", False),
        ("days: [sat, sun]", "days: sun, hours: 10:00-12:00", True),
        ("days: [sat, sun]", "days: sun, zone: Europe/Tallinn", False),
        ("hours: 08:00-20:00", "priority: 1", False),
        ("days: sat, zone: UTC", "days: sat", True),
    ],
)
def test_rule_is_covered_where_all_of_its_values_are(
    first: str, second: str, is_covered: bool
) -> None:
    found = told(
        f'destination: "1", {first}, to: [telia]', f'destination: "1", {second}, to: [telia]'
    )
    assert any("never match" in one.message for one in found) is is_covered


def test_hours_of_several_rules_together_may_be_all_that_another_has() -> None:
    found = told(
        'destination: "1", hours: 08:00-20:00, zone: UTC, to: [telia]',
        'destination: "1", hours: 20:00-08:00, zone: UTC, to: [telia]',
        'destination: "1", hours: 22:00-23:00, zone: UTC, account: bank, to: [telia]',
        'destination: "1", hours: 07:00-09:00, zone: UTC, to: [telia]',
    )
    assert [one.path for one in found] == ["routes[2]", "routes[3]"]
    assert "routes[1] (" in found[0].message
    assert "routes[0] (" in found[1].message
    assert "routes[1] (" in found[1].message


def test_hours_of_different_zones_do_not_add_up() -> None:
    assert not told(
        'destination: "1", hours: 08:00-20:00, zone: Europe/Tallinn, to: [telia]',
        'destination: "1", hours: 20:00-08:00, zone: America/New_York, to: [telia]',
        'destination: "1", to: [telia]',
    )


def test_hours_that_are_the_whole_week_need_no_zone() -> None:
    assert not told('destination: "1", hours: "00:00-24:00", to: [telia]')


def test_hours_without_a_zone_are_a_warning() -> None:
    (warning,) = told('destination: "", days: sat, to: [telia]')
    assert (warning.path, "counted in UTC" in warning.message) == ("routes[0]", True)
    assert not told('destination: "", days: sat, zone: UTC, to: [telia]')


# Routes that refuse, and are overridden.


def test_refusal_that_loses_to_longer_prefixes_is_a_warning_with_their_number() -> None:
    (warning,) = told(
        'destination: "", sender: CASINO, refuse: ESME_RSUBMITFAIL',
        'destination: "372", to: [telia]',
        'destination: ["3725", "3726"], to: [telia]',
        'destination: "358", refuse: ESME_RINVDSTADR',
    )
    assert warning.path == "routes[0]"
    assert warning.message.startswith("overridden by 2 longer rules, such as routes[1] (")
    assert "`refuse`, at the top" in warning.message


@pytest.mark.parametrize(
    ("refuses", "sends"),
    [
        ('destination: ""', 'destination: "372"'),  # What no other rule takes.
        ('destination: "37", sender: A', 'destination: "372", sender: B'),
        ('destination: "37", account: bank', 'destination: "38"'),
        (
            'destination: "37", hours: 10:00-11:00, zone: UTC',
            'destination: "372", hours: 12:00-13:00, zone: UTC',
        ),
        ('destination: "37", sender: A*', 'destination: "372", sender: [B*, C]'),
        ('destination: "372", account: bank', 'destination: "37"'),
        ('destination: "372", account: bank', 'destination: "372"'),
    ],
)
def test_refusal_that_no_longer_prefix_takes_messages_from_is_no_warning(
    refuses: str, sends: str
) -> None:
    assert not told(f"{refuses}, refuse: ESME_RSUBMITFAIL", f"{sends}, to: [telia]")


# Rules under `refuse`.


def test_refusing_rule_behind_a_more_general_one_is_a_warning() -> None:
    found = told(
        'destination: "", to: [telia]',
        before="""refuse:
  - {sender: CAS*, destination: "37"}
  - {sender: casino, destination: ["372", "371"], account: bank}
  - {sender: casino, destination: ["372", "381"]}
  - {destination: ""}
  - {lane: slow}
""",
    )
    assert [one.path for one in found] == ["refuse[1]", "refuse[4]"]
    assert "refuse[0] (" in found[0].message
    assert "refuse[3] (" in found[1].message


def test_senders_are_compared_as_rules_that_refuse_compare_them() -> None:
    found = told(
        'destination: "", to: [telia]',
        before="""refuse:
  - {sender: "+372*"}
  - {sender: "003725551"}
  - {sender: "3725552*"}
  - {sender: "00*"}
  - {sender: "0046*"}
  - {sender: {file: none.txt}}
  - {sender: Kasino}
""",
        folder=folder_with("none.txt", ""),
    )
    said = {(one.path, one.message.partition(":")[0]) for one in found}
    assert said >= {
        ("refuse[1]", "this rule can never match"),
        ("refuse[2]", "this rule can never match"),
        ("refuse[3]", "00* is no sender's"),
    }
    assert not {one for one in said if one[0] in ("refuse[4]", "refuse[6]")}


def test_group_that_no_rule_names_is_a_warning() -> None:
    (warning,) = told('destination: "", to: [telia]', before='prefixes: {near: ["370"]}\n')
    assert (warning.path, warning.message) == ("prefixes.near", "no rule names this group")


def test_prefix_of_two_digits_beside_long_ones_is_a_warning(tmp_path: Path) -> None:
    near = '["370", "1", "3725", "55", "3", "4", "5"]'
    whole = '["1", "44", "370"]'
    (tmp_path / "premium.csv").write_text("Telia;3725\nTotal;1\n")
    (tmp_path / "long.csv").write_text("3725\n372\n")
    found = told(
        "destination: {prefixes: [near, whole, long, premium]}, to: [telia]",
        before=f"prefixes:\n  near: {near}\n  whole: {whole}\n  long: {{file: long.csv}}\n"
        "  premium: {file: premium.csv, column: 2}\n",
        folder=tmp_path,
    )
    assert [one.path for one in found] == ["prefixes.near", "prefixes.premium"]
    assert found[0].message.startswith("has 1, 55, 3 (and 2 more) beside prefixes of four digits")
    assert "a price or a total" in found[1].message


def test_file_without_senders_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "none.txt").write_text("# nobody\n")
    (tmp_path / "some.txt").write_text("A\n")
    found = told(
        'destination: "372", sender: [{file: none.txt}, {file: some.txt}], to: [telia]',
        'destination: "371", sender: [B, {file: none.txt}], to: [telia]',
        'destination: "370", sender: {file: some.txt}, to: [telia]',
        before="refuse: [{account: bank, sender: {file: none.txt}}]\n",
        folder=tmp_path,
    )
    assert [(one.path, "for nobody" in one.message) for one in found] == [
        ("refuse[0]", True), ("routes[0]", False), ("routes[1]", False),
    ]  # fmt: skip
    assert "none.txt" not in str(found)


# Very many.


def test_ten_thousand_rules_with_lists_and_groups_are_looked_at_quickly() -> None:
    telia = (OperatorName("telia"),)
    group = PrefixGroup(file="", prefixes=tuple(str(n) for n in range(10_000, 20_000)))
    routes = [
        RouteSettings(
            destination=(), groups=(NEAR,), account=(AccountName(f"a{n}"), AccountName(f"b{n}")),
            to=telia,
        )
        for n in range(20)
    ]  # fmt: skip
    routes += [
        RouteSettings(destination=(str(n),), sender=(f"S{n}",), refuse=0x45)
        for n in range(100, 1_000)
    ]
    refuse = tuple(RefuseSettings(sender=(f"Bad{n:04}*",)) for n in range(10_000))
    found = list(rule_warnings(settings_with(*routes, refuse=refuse, prefixes={NEAR: group})))
    assert all("overridden" in one.message for one in found)


# As the rules decide.

SENDERS = ("A", "AB", "b")
values = st.sampled_from
refusing = st.builds(
    RefuseSettings,
    destination=st.lists(values(["", "3", "37"]), max_size=2, unique=True).map(tuple),
    account=st.lists(values([AccountName("a"), AccountName("b")]), max_size=1).map(tuple),
    sender=st.lists(values(["A", "a*", "AB", "b"]), max_size=2, unique=True).map(tuple),
    hours=st.sampled_from([(), (DaySpan(0, 720),), (DaySpan(720, 1440),)]),
)


def decided(rules: list[RefuseSettings]) -> set[int]:
    """The rules that refuse any of all messages."""
    named = [
        RefuseSettings(
            destination=one.destination, account=one.account, sender=one.sender, hours=one.hours,
            days=DAYS[:1] if one.hours else (), reason=f"rule-{number}",
        )
        for number, one in enumerate(rules)
    ]  # fmt: skip
    table = RefusingRules(named, {})
    found = set()
    for number in ("3", "37", "4"):
        for account in ("a", "b", "c"):
            for sender in (*SENDERS, "x"):
                source, to = (5, 0, sender.encode()), (1, 1, number.encode())
                octets = p.sm(v.SUBMIT_SM, 1, source=source, destination=to)
                sm = Sm(Pdu(v.SUBMIT_SM, 0, 1, octets))
                for hour in (6, 18, 30):
                    at = (4 * 24 + hour) * 3600.0
                    refusal = table.refusal(number, AccountName(account), LANE, sm, at)
                    if refusal is not None:
                        found.add(int(refusal.reason.removeprefix("rule-")))
    return found


@given(st.lists(refusing, max_size=6))
def test_no_rule_that_refuses_something_is_said_never_to_match(rules: list[RefuseSettings]) -> None:
    days = tuple(
        RefuseSettings(
            destination=one.destination, account=one.account, sender=one.sender, hours=one.hours,
            days=DAYS[:1] if one.hours else (),
        )
        for one in rules
    )  # fmt: skip
    found = rule_warnings(settings_with(refuse=days))
    never = {int(one.path[7:-1]) for one in found if "never match" in one.message}
    assert not never & decided(rules)
