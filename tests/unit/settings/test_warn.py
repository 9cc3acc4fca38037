"""router/settings/warn.py: what is allowed, and probably not meant."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.accept.passwords import hash_password
from router.settings.load import load, warnings
from router.settings.mistakes import Mistake
from router.terms.names import AccountName, OperatorName
from router.terms.settings import InboundSettings, RouteSettings, Settings
from tests.unit.settings.configurations import CONTRACT_FILE, SMALL, changed, loaded

QUIET = changed(SMALL, ("memory:", "sqlite:///r.db"))


def the_warning(*changes: tuple[str, str]) -> Mistake:
    (warning,) = warnings(loaded(changed(QUIET, *changes)))
    return warning


def test_a_good_configuration_gives_no_warning() -> None:
    assert warnings(loaded(QUIET)) == []


def test_a_journal_that_keeps_nothing_is_a_warning_at_its_place() -> None:
    (warning,) = warnings(loaded(SMALL))
    assert str(warning).endswith("router.yaml:2:16: journal.url: keeps nothing: for trials only")


@pytest.mark.parametrize(
    ("old", "new", "path", "says"),
    [
        ("secret01", "secret012", "accounts.bank.password", "longer than 8"),
        ("secret01", "[short, far-too-long]", "accounts.bank.password", "longer than 8"),
        (": b,", ": '123456789',", "operators.telia.binds[0].password", "longer than 8"),
        ("lane: u", "allow_from: [0.0.0.0/0], lane: u", "accounts.bank.allow_from", "everybody"),
        ("lane: u", 'allow_from: ["::/0"], lane: u', "accounts.bank.allow_from", "everybody"),
        ("    binds", "    rate: 51/s\n    binds", "operators.telia.rate", "together (50/s)"),
        ("    binds", "    rate: 3001/min\n    binds", "operators.telia.rate", "together (50/s)"),
    ],
)
def test_each_warning_has_its_place(old: str, new: str, path: str, says: str) -> None:
    warning = the_warning((old, new))
    assert warning.path == path
    assert says in warning.message
    assert warning.line > 0
    assert warning.column > 0


def test_a_password_of_eight_characters_and_a_long_hash_are_no_warning() -> None:
    hashed = hash_password(b"a password of any length", bytes(16))
    assert warnings(loaded(changed(QUIET, ("secret01", f"['12345678', '{hashed}']")))) == []


def test_a_window_that_is_too_small_for_the_rate_is_a_warning_with_the_sum() -> None:
    warning = the_warning(("rate: 50/s", "rate: 200/s, window: 10"))
    assert warning.path == "operators.telia.binds[0].window"
    assert warning.message == (
        "10 at once carry 100/s at a round trip of 100 ms (10 / 0.1 s), less than the rate of "
        "200/s; 20 would do, or `auto`"
    )
    for window in ("20", "auto"):
        change = ("rate: 50/s", f"rate: 200/s, window: {window}")
        assert warnings(loaded(changed(QUIET, change))) == []


def test_an_operator_rate_that_its_binds_can_carry_is_no_warning() -> None:
    for rate in ("50/s", "3000/min", "180000/h"):
        assert warnings(loaded(changed(QUIET, ("    binds", f"    rate: {rate}\n    binds")))) == []


def test_rates_of_an_operator_that_only_receives_say_nothing() -> None:
    text = changed(
        QUIET,
        ("rate: 50/s", "rate: 50/s, type: receiver"),
        ("    binds", "    rate: 1/s\n    binds"),
        ("to: [telia]", "refuse: ESME_RINVDSTADR"),
    )
    assert [warning.path for warning in warnings(loaded(text))] == [
        "operators.telia.rate",
        "operators.telia.binds[0].rate",
    ]


def test_an_operator_that_nothing_comes_back_from_is_a_warning_and_so_is_its_inbound_rule() -> None:
    text = changed(QUIET, ("rate: 50/s", "rate: 50/s, type: transmitter"))
    (warning,) = warnings(loaded(text))
    assert (warning.path, warning.line) == ("operators.telia.binds", 8)
    assert "no receipt" in warning.message

    inbound = "inbound: [{to: bank, operator: telia}, {to: bank}]\n"
    _, warning = warnings(loaded(text + inbound))
    assert (warning.path, warning.line) == ("inbound[0]", 10)
    assert warning.message == "this rule can never match: no bind of telia receives"


def test_a_rule_behind_a_more_general_one_is_a_warning_with_the_lines_of_both() -> None:
    rules = '{destination: "37", to: [telia]}, \n  {destination: "37", priority: 1, to: [telia]}'
    warning = the_warning(('{destination: "", to: [telia]}', rules))
    assert (warning.line, warning.path) == (10, "routes[1]")
    assert "routes[0] (" in warning.message
    assert "router.yaml:9) has the same destination" in warning.message


def settings_with(
    routes: tuple[RouteSettings, ...] = (), inbound: tuple[InboundSettings, ...] = ()
) -> Settings:
    good = load(CONTRACT_FILE, {})
    # They only receive, so that nothing is said of where the routes lead.
    operators = {
        name: replace(
            operator,
            rate=None,
            binds=tuple(replace(bind, type="receiver", rate=None) for bind in operator.binds),
        )
        for name, operator in good.operators.items()
    }
    return Settings(
        listen=good.listen,
        journal=good.journal,
        lanes=good.lanes,
        accounts=good.accounts,
        operators=operators,
        routes=routes,
        inbound=inbound,
    )


names = st.sampled_from(["a", "b"])
rules = st.builds(
    RouteSettings,
    destination=st.sampled_from([("",), ("3",), ("37",), ("372",)]),
    account=st.just(()) | st.tuples(names.map(AccountName)),
    sender=st.just(()) | st.tuples(names),
    priority=st.none() | st.integers(0, 1),
    service_type=st.just(()) | st.tuples(names),
)


def holds(rule: RouteSettings, message: RouteSettings) -> bool:
    """Whether all conditions of the rule hold for a message that has the other's values."""
    return all(
        wanted in (None, (), given)
        for wanted, given in (
            (rule.account, message.account),
            (rule.sender, message.sender),
            (rule.priority, message.priority),
            (rule.service_type, message.service_type),
        )
    )


@given(st.lists(rules, max_size=8))
def test_a_rule_can_never_match_exactly_where_an_earlier_one_always_holds_when_it_does(
    routes: list[RouteSettings],
) -> None:
    # The obvious comparison of all with all. A message for a rule has what the rule asks for,
    # and something that no rule asks for where it asks for nothing.
    expected = [
        index
        for index, rule in enumerate(routes)
        if any(
            earlier.destination == rule.destination and holds(earlier, rule)
            for earlier in routes[:index]
        )
    ]
    found = warnings(settings_with(routes=tuple(routes)))
    assert sorted(warning.path for warning in found) == [f"routes[{index}]" for index in expected]


def test_rules_for_messages_from_subscribers_are_looked_at_too() -> None:
    bank, telia = AccountName("bank"), OperatorName("telia")
    found = warnings(
        settings_with(
            inbound=(
                InboundSettings(to=bank, destination="1", keyword="Stop"),
                InboundSettings(to=bank, destination="1", keyword="ST\u00d6P!", operator=telia),
                InboundSettings(to=bank, destination="2", keyword="STOP"),
                InboundSettings(to=bank),
                InboundSettings(to=bank, operator=telia),
            )
        )
    )
    assert [(warning.path, warning.message[:60]) for warning in found] == [
        ("inbound[1]", "this rule can never match: inbound[0] takes all of its messa"),
        ("inbound[4]", "this rule can never match: inbound[3] takes all of its messa"),
    ]


def test_a_hundred_thousand_rules_are_looked_at_once_each() -> None:
    routes = tuple(
        RouteSettings(destination=("372",), sender=(str(number),), priority=number % 4)
        for number in range(100_000)
    )
    assert warnings(settings_with(routes=routes)) == []


def test_warnings_stand_in_the_order_of_the_files(tmp_path: Path) -> None:
    text = changed(SMALL, ("secret01", "secret012"), (": b,", ": '123456789',"))
    lines = [warning.line for warning in warnings(loaded(text, {}, tmp_path))]
    assert lines == sorted(lines)
    assert len(lines) == 3
