"""router/settings/warn_routes.py: where routes lead to less than is sent, never, or too late."""

import time
from dataclasses import replace
from typing import Final

import pytest

from router.settings.load import load, warnings
from router.settings.mistakes import Mistake
from router.settings.warn_routes import route_warnings
from router.terms.settings import RouteSettings
from tests.unit.settings.configurations import CONTRACT, CONTRACT_FILE, SMALL, changed, loaded

BIND: Final = '{name: t1, address: "127.0.0.1:1", system_id: a, password: b, rate: 50/s}'
TELIA: Final = f"    binds: [{BIND}]\n"
ELISA: Final = "  elisa:\n" + TELIA.replace("t1", "e1").replace("0.1:1", "0.1:2")
TO_TELIA: Final = '{destination: "", to: [telia]}'
TO_BOTH: Final = '{destination: "", to: [telia, elisa]}'
BANK: Final = "{password: secret01, lane: urgent}"


def configured(*changes: tuple[str, str]) -> str:
    """A configuration with two operators, to both of which there is a route, and these changes."""
    text = changed(
        SMALL,
        ("memory:", "sqlite:///r.db"),
        ("routes:", f"{ELISA}routes:"),
        (TO_TELIA, TO_BOTH),
    )
    return changed(text, *changes)


def told(*changes: tuple[str, str]) -> list[Mistake]:
    return warnings(loaded(configured(*changes)))


def the_warning(*changes: tuple[str, str]) -> Mistake:
    (warning,) = told(*changes)
    assert warning.line > 0
    return warning


def paths(*changes: tuple[str, str]) -> list[str]:
    return [warning.path for warning in told(*changes)]


# Operators that no route uses.


def test_operator_that_no_route_leads_to_is_a_warning_in_its_line() -> None:
    warning = the_warning((TO_BOTH, TO_TELIA))
    assert (warning.line, warning.path) == (10, "operators.elisa")
    assert "no route leads to this operator, so it carries nothing" in warning.message


@pytest.mark.parametrize(
    "rules",
    [
        '{destination: "", to: [telia]}, {destination: "1", account: bank, to: [elisa]}',
        '{destination: "", to: {telia: 99, elisa: 1}}',
    ],
)
def test_operator_of_any_route_is_used(rules: str) -> None:
    assert told((TO_BOTH, rules)) == []


def test_operator_that_is_there_to_receive_needs_no_route() -> None:
    only_telia = (TO_BOTH, TO_TELIA)
    receiver = (ELISA, ELISA.replace("rate: 50/s", "type: receiver"))
    assert told(only_telia, receiver) == []
    rule = f"[{TO_BOTH}]\n"
    assert told((rule, f"[{TO_TELIA}]\ninbound: [{{operator: elisa, to: bank}}]\n")) == []
    assert paths((rule, f"[{TO_TELIA}]\ninbound: [{{to: bank}}]\n")) == ["operators.elisa"]


# Rates of accounts.


def with_rate(rate: str, more: str = "") -> tuple[str, str]:
    return (BANK, f"{{password: secret01, lane: urgent, rate: {rate}{more}}}")


def test_rate_beyond_what_all_operators_take_is_a_warning_with_the_figures() -> None:
    warning = the_warning(with_rate("200/s", ", queue: 6000"))
    assert (warning.line, warning.path) == (5, "accounts.bank.rate")
    assert warning.message == (
        "200/s is more than the operators of its routes carry together (100/s: telia 50/s, elisa "
        "50/s); what is more waits in its queue of 6000, which at this rate is full after 1m; "
        "then the client hears ESME_RMSGQFUL"
    )


@pytest.mark.parametrize(
    ("rate", "queue", "after"),
    [
        ("101/s", 1, "1s"),
        ("200/s", 1, "1s"),
        ("101/s", 119, "119s"),
        ("101/s", 121, "2m"),
        ("101/s", 7_139, "119m"),
        ("101/s", 7_201, "2h"),
        ("6001/min", 100_000, "1667h"),
    ],
)
def test_time_until_the_queue_is_full_is_a_round_figure(rate: str, queue: int, after: str) -> None:
    warning = the_warning(with_rate(rate, f", queue: {queue}"))
    assert f"is full after {after};" in warning.message


@pytest.mark.parametrize("rate", ["100/s", "6000/min", "360000/h", "1/h"])
def test_rate_that_the_operators_take_is_no_warning(rate: str) -> None:
    assert told(with_rate(rate)) == []


def test_sum_of_rates_that_are_no_whole_numbers_is_compared_as_it_is_meant() -> None:
    bind = BIND.replace("50/s", "7/min")
    binds = ", ".join(bind.replace("t1", f"t{number}") for number in range(3))
    thrice = (TELIA, f"    binds: [{binds}]\n")
    elisa = (ELISA, ELISA.replace("50/s", "7/min"))
    text = changed(SMALL, ("memory:", "sqlite:///r.db"), thrice, ("routes:", f"{elisa[1]}routes:"))
    text = changed(text, (TO_TELIA, TO_BOTH))
    assert warnings(loaded(changed(text, with_rate("28/min")))) == []
    assert len(warnings(loaded(changed(text, with_rate("29/min"))))) == 1


def test_rate_of_an_operator_over_all_its_binds_counts_and_its_receivers_do_not() -> None:
    limited = (ELISA, ELISA.replace("elisa:\n", "elisa:\n    rate: 30/s\n"))
    receiver = '{name: e2, address: "127.0.0.1:2", system_id: a, password: b, type: receiver}]'
    both = (ELISA, limited[1].replace("}]\n", f"}}, {receiver}\n"))
    for change in (limited, both):
        assert told(change, with_rate("80/s")) == []
        assert "(80/s: telia 50/s, elisa 30/s)" in the_warning(change, with_rate("81/s")).message


def test_only_routes_that_may_hold_for_the_account_count() -> None:
    other = (BANK, "{password: secret01, lane: urgent, rate: 60/s}\n  shop: " + BANK)

    def for_(account: str) -> tuple[str, str]:
        return (TO_BOTH, f'{TO_TELIA}, {{destination: "3", account: {account}, to: [elisa]}}')

    assert told(other, for_("bank")) == []
    warning = the_warning(other, for_("shop"))
    assert warning.path == "accounts.bank.rate"
    assert "(50/s: telia 50/s)" in warning.message


def test_account_without_rate_or_without_routes_has_nothing_to_be_compared() -> None:
    assert told() == []
    for_shop = TO_BOTH.replace("to: [", "account: shop, to: [")
    refuse = f'{{destination: "", account: bank, refuse: 0x45}}, {for_shop}'
    both = (BANK, "{password: secret01, lane: urgent, rate: 900/s}\n  shop: " + BANK)
    assert told(both, (TO_BOTH, refuse)) == []


def test_figures_of_many_operators_are_cut() -> None:
    settings = loaded(configured(with_rate("900/s")))
    (one,) = [settings.operators[name] for name in settings.operators if name == "elisa"]
    many = {f"o{number}": one for number in range(12)}
    every = tuple(RouteSettings(destination=("",), to=(name,)) for name in many)  # type: ignore[arg-type]
    made = replace(settings, operators=many, routes=every)  # type: ignore[arg-type]
    (warning,) = route_warnings(made)
    assert "(600/s: o0 50/s, o1 50/s, o2 50/s, o3 50/s, o4 50/s, 7 more)" in warning.message


# Lanes.

SLOW: Final = "{name: slow}"
ALERT: Final = (SLOW, "{name: slow, validity: 5m}")
READY: Final = (SLOW, "{name: slow, validity: 5m, failover_after: 20s}")
SLOW_BANK: Final = (BANK, "{password: secret01, lane: slow}")


def test_lane_of_short_validity_without_failover_is_a_warning() -> None:
    warning = the_warning(ALERT)
    assert (warning.line, warning.path) == (3, "lanes[1].validity")
    assert warning.message == (
        "its messages are of use for 5m only, and wait for one operator, however slow it is: give "
        "it failover_after"
    )


@pytest.mark.parametrize(
    "lanes",
    [
        "[{name: urgent, validity: 1m}, {name: slow}]",
        "[{name: urgent}, {name: slow, validity: 10m}]",
        "[{name: urgent}, {name: slow, validity: 48h}]",
        "[{name: urgent}, {name: slow, validity: 599s, failover_after: 1m}]",
    ],
)
def test_lane_that_is_first_or_patient_or_has_failover_is_no_warning(lanes: str) -> None:
    assert told(("[{name: urgent}, {name: slow}]", lanes)) == []


def test_lane_with_routes_without_second_operator_is_one_warning_with_an_example() -> None:
    rules = f'{TO_BOTH},\n  {{destination: "1", to: [elisa]}},\n  {{destination: "2", to: [telia]}}'
    warning = the_warning(READY, SLOW_BANK, (TO_BOTH, rules))
    assert warning.path == "lanes[1].validity"
    before, _, after = warning.message.partition("routes[1] (")
    assert before == (
        "its messages are of use for 5m only, and 2 of its 3 routes have no second operator, such "
        "as "
    )
    assert after.endswith("router.yaml:12)")
    assert paths(ALERT, SLOW_BANK, (TO_BOTH, rules)) == ["lanes[1].validity"] * 2


@pytest.mark.parametrize(
    ("bank", "route", "is_its"),
    [
        # The lane of the route goes before that of the account.
        ("lane: urgent", "", False),
        ("lane: slow", "", True),
        ("lane: urgent", "lane: slow", True),
        ("lane: slow", "lane: urgent", False),
        ("lane: slow", "account: bank", True),
        ("lane: urgent", "account: bank", False),
        ("lane: slow", "account: shop", False),
        # Messages of some priorities have another lane than the others.
        ("lane: urgent, lane_by_priority: {3: slow}", "", True),
        ("lane: urgent, lane_by_priority: {3: slow}", "priority: 3", True),
        ("lane: urgent, lane_by_priority: {3: slow}", "priority: 2", False),
        ("lane: slow, lane_by_priority: {3: urgent}", "priority: 3", False),
        ("lane: slow, lane_by_priority: {3: urgent}", "", True),
        # And so have those of some service types, whatever their priority.
        ("lane: urgent, lane_by_service_type: {OTP: slow}", "", True),
        ("lane: urgent, lane_by_service_type: {OTP: slow}", "service_type: OTP", True),
        ("lane: urgent, lane_by_service_type: {OTP: slow}", "service_type: ''", False),
        ("lane: slow, lane_by_service_type: {OTP: urgent}", "service_type: OTP", False),
        (
            "lane: slow, lane_by_service_type: {OTP: urgent}, lane_by_priority: {3: slow}",
            "service_type: OTP, priority: 3",
            False,
        ),
    ],
)
def test_routes_of_a_lane_are_those_that_its_messages_may_take(
    bank: str, route: str, is_its: bool
) -> None:
    accounts = (BANK, f"{{password: secret01, {bank}}}\n  shop: {BANK}")
    beside = ", ".join(filter(None, ['destination: "1"', route, "to: [telia]"]))
    found = paths(READY, accounts, (TO_BOTH, f"{TO_BOTH}, {{{beside}}}"))
    assert found == ["lanes[1].validity"] * is_its


def test_route_that_refuses_has_no_operator_to_wait_for() -> None:
    rules = f'{TO_BOTH}, {{destination: "1", lane: slow, refuse: 0x45}}'
    assert told(READY, SLOW_BANK, (TO_BOTH, rules)) == []


def test_hundred_thousand_routes_and_ten_thousand_accounts_are_looked_at_once_each() -> None:
    settings = loaded(configured(READY, SLOW_BANK))
    (bank,) = settings.accounts.values()
    accounts = {f"a{number}": bank for number in range(10_000)}
    routes = tuple(
        RouteSettings(destination=(str(number),), to=settings.routes[0].to[:1], priority=number % 4)
        for number in range(100_000)
    )
    made = replace(settings, accounts=accounts, routes=(*routes, *settings.routes))  # type: ignore[arg-type]
    began = time.process_time()
    (warning,) = route_warnings(made)
    # Each with each would be minutes.
    assert time.process_time() - began < 10
    assert "100000 of its 100001 routes have no second operator" in warning.message


# Odd settings.


def test_settings_made_without_files_give_the_same_warnings_without_places() -> None:
    settings = load(CONTRACT_FILE, {})
    routes = tuple(replace(route, file="", line=0) for route in settings.routes)
    made = replace(settings, places={}, files={}, routes=routes)
    assert [one.message for one in warnings(made)] == [one.message for one in warnings(settings)]
    assert {str(one.place) for one in warnings(made)} == {""}


def test_names_that_are_nowhere_do_no_harm() -> None:
    settings = load(CONTRACT_FILE, {})
    route = replace(settings.routes[1], account=("nobody",), to=("nowhere",), weights=())  # type: ignore[arg-type]
    lanes = tuple(replace(lane, validity_s=1.0) for lane in settings.lanes)
    made = replace(settings, routes=(route,), lanes=lanes, accounts={})
    paths = ("lanes[1].validity", "lanes[2].validity", "operators.elisa")
    assert tuple(one.path for one in warnings(made)) == paths


def test_contract_has_lanes_that_are_as_they_are_meant() -> None:
    assert [one.path for one in warnings(loaded(CONTRACT))] == [
        "accounts.bank.rate",
        "accounts.shop.rate",
    ]
