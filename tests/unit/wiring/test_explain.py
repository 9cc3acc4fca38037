"""router/wiring/explain.py: what would become of a message, and why."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from router.check.policy import Candidate
from router.check.submit import Checks
from router.decide.table import RouteTable, Up
from router.smpp import pdu
from router.smpp.pdu import Framer, Sm
from router.smpp.vocabulary import SUBMIT_SM
from router.steps.policing import Policing
from router.steps.rules import Rules
from router.terms.counters import Counters
from router.terms.names import AccountName
from router.terms.outcome import Refusal
from router.terms.plan import Plans
from router.terms.settings import AccountNumberSettings, UnwantedNumber
from router.wiring.explain import Explanation, Question, ToldRefusal, explain
from tests.unit.settings.configurations import CONTRACT, changed, loaded
from tests.unit.telemetry.running import BANK, SHOP

SETTINGS = loaded(CONTRACT)
NOW = 1.8e9


def told(
    to: str,
    account: AccountName = BANK,
    *,
    sender: str = "",
    text: str = "",
    priority: int = 0,
    service_type: str = "",
    configuration: str = "",
) -> Explanation:
    """What becomes of a message under the contract's configuration, or another."""
    settings = loaded(configuration) if configuration else SETTINGS
    question = Question(
        account=account,
        to=to,
        sender=sender,
        text=text,
        priority=priority,
        service_type=service_type,
    )
    return explain(settings, question, NOW)


def line_of(part: str) -> int:
    """Where a part of the contract's configuration stands."""
    return CONTRACT[: CONTRACT.index(part)].count("\n") + 1


def text_of(explanation: Explanation) -> str:
    return "\n".join(f"{heading}: {line}" for heading, line in explanation.lines())


def test_number_is_shown_in_its_normal_form() -> None:
    assert told("+372 (5) 123-456").number == told("003725123456").number == "3725123456"


def test_winner_is_the_longest_prefix_that_holds_and_has_its_line() -> None:
    bank, shop = told("3725123456", BANK), told("3725123456", SHOP)
    assert bank.winner is not None
    assert shop.winner is not None
    assert bank.winner.line == line_of('- {destination: "372",')
    assert shop.winner.line == line_of('- {destination: "3725"')
    assert bank.winner.file.endswith("router.yaml")


def test_operators_of_a_list_are_told_in_its_order() -> None:
    (plan,) = told("372123").plans
    assert (plan.operators, plan.weight, plan.share) == (("telia", "elisa"), None, 1.0)


def test_operators_of_a_mapping_are_told_with_their_shares() -> None:
    plans = told("3725123456", SHOP).plans
    assert [(plan.operators, plan.weight, plan.share) for plan in plans] == [
        (("telia", "elisa"), 70, 0.7),
        (("elisa", "telia"), 30, 0.3),
    ]


def test_operator_with_a_tiny_weight_is_told_too() -> None:
    configuration = changed(CONTRACT, ("{telia: 70, elisa: 30}", "{telia: 99999, elisa: 1}"))
    plans = told("3725123456", SHOP, configuration=configuration).plans
    assert [plan.operators[0] for plan in plans] == ["telia", "elisa"]


def test_every_other_rule_for_the_number_says_why_it_lost() -> None:
    bank = told("3725123456", BANK)
    assert [(rule.destination, rule.why_not) for rule in bank.losers] == [
        ("3725", "is for account shop")
    ]
    shop = told("3725123456", SHOP)
    assert [(rule.destination, rule.why_not) for rule in shop.losers] == [
        ("372", "has a shorter prefix")
    ]
    assert (bank.rules_for_other_numbers, shop.rules_for_other_numbers) == (2, 2)


def test_rule_that_refuses_wins_and_says_what_the_client_hears() -> None:
    refused = told("3581999123")
    assert refused.winner is not None
    assert refused.winner.destination == "3581999"
    assert refused.refusal is not None
    assert (refused.refusal.reason, refused.refusal.status_name) == (
        "refused_by_route",
        "ESME_RINVDSTADR",
    )
    assert refused.plans == []
    assert refused.as_json()["accepted"] is False


def test_number_without_a_rule_is_refused() -> None:
    refused = told("49123")
    assert refused.refusal is not None
    assert (refused.refusal.reason, refused.winner) == ("no_route", None)
    assert refused.rules_for_other_numbers == 4


def test_what_is_no_number_is_refused_before_any_rule() -> None:
    refused = told("Eesti")
    assert refused.refusal is not None
    assert (refused.refusal.reason, refused.number) == ("wrong_destination", None)
    assert "number: none (from 'Eesti')" in text_of(refused)


def test_sender_that_no_field_can_hold_is_refused_as_the_router_would() -> None:
    refused = told("372123", sender="x" * 30)
    assert refused.refusal is not None
    assert refused.refusal.status_name == "ESME_RINVSRCADR"


def test_lane_is_the_accounts_unless_something_chooses_another() -> None:
    urgent, slow, chosen = told("372123"), told("372123", SHOP), told("372123", SHOP, priority=3)
    assert (urgent.lane, urgent.lane_by, urgent.validity_s) == ("otp", "the account's", 300.0)
    assert (slow.lane, slow.validity_s) == ("bulk", 48 * 3600.0)
    assert (chosen.lane, chosen.lane_by) == ("alert", "by priority_flag 3")
    assert chosen.validity_s is None


def test_lane_of_the_rule_goes_before_all_others() -> None:
    rule = '- {destination: "372", to: [telia, elisa]}'
    configuration = changed(CONTRACT, (rule, rule[:-1] + ", lane: bulk}"))
    explanation = told("372123", configuration=configuration)
    assert (explanation.lane, explanation.lane_by) == ("bulk", "by the rule")
    assert explanation.validity_s == 48 * 3600.0


def test_when_the_next_operator_takes_it_is_told() -> None:
    plain = told("372123", SHOP)
    assert (plain.failover_after_s, plain.in_doubt) == (None, "resend")
    assert ": on to the next: when one is down or fails, or its status says so\n" in text_of(plain)
    assert ": no other one takes what waits while the first is up\n" in text_of(plain)
    after = ": after 2s without a slot any other one may take it, the nearest first\n"
    assert after in text_of(told("372123"))  # The first lane, by default.
    lane = "{name: bulk, min_share: 5%, validity: 48h"
    configuration = changed(CONTRACT, (lane, lane + ", failover_after: 20s, in_doubt: elsewhere"))
    slow = told("372123", SHOP, configuration=configuration)
    assert (slow.failover_after_s, slow.in_doubt) == (20.0, "elsewhere")
    assert ": after 20s without a slot any other one" in text_of(slow)
    assert "in doubt: elsewhere, where" in text_of(slow)
    assert "on to the next" not in text_of(told("358123", configuration=configuration))


def test_long_text_is_told_to_go_to_one_operator() -> None:
    assert "3 segments that go to one operator\n" in text_of(told("372123", text="x" * 400))
    assert "1 segment\n" in text_of(told("372123", text="x"))


def test_lane_by_service_type_goes_before_that_by_priority() -> None:
    by_priority = "lane_by_priority: {3: alert}"
    configuration = changed(
        CONTRACT, (by_priority, by_priority + "\n    lane_by_service_type: {OTP: otp}")
    )
    explanation = told("372123", SHOP, priority=3, service_type="OTP", configuration=configuration)
    assert (explanation.lane, explanation.lane_by) == ("otp", "by service_type OTP")


def test_times_are_told_as_the_operators_and_the_account_have_them() -> None:
    plain = told("372123")
    assert (plain.waits_for_schedule, plain.told_what_remains) == (False, [])
    assert "schedule: goes out as it came" in text_of(plain)
    configuration = changed(
        CONTRACT,
        ("lane: otp\n", "lane: otp\n    schedule_delivery_time: honour\n"),
        ("receipt_wait: 72h", "receipt_wait: 72h\n    validity_period: remaining"),
    )
    explanation = told("372123", configuration=configuration)
    assert (explanation.waits_for_schedule, explanation.told_what_remains) == (True, ["telia"])
    text = text_of(explanation)
    assert "what remains of its own is told to telia" in text
    assert "schedule: a message waits here until its time" in text


def test_text_is_told_by_alphabet_and_segments() -> None:
    short, long, other = (
        told("372", text="Tere"),
        told("372", text="x" * 161),
        told("372", text="я"),
    )
    assert (short.alphabet, short.segments, short.characters) == ("GSM 7-bit", 1, 4)
    assert (long.segments, other.alphabet, other.segments) == (2, "UCS-2", 1)
    assert "text: 161 characters, GSM 7-bit, 2 segments" in text_of(long)


def test_text_of_any_length_is_a_message() -> None:
    assert told("372123", text="я" * 9_000).refusal is None


def test_words_say_the_winner_the_shares_and_the_losers() -> None:
    text = text_of(told("3725123456", SHOP))
    line = line_of('- {destination: "3725"')
    assert f"router.yaml:{line}: destination 3725; account shop; to telia 70, elisa 30" in text
    assert "operators: 70 % (weight 70): telia, then elisa" in text
    assert "lost: " in text
    assert ": 2 rules for other numbers" in text


@given(
    to=st.from_regex(r"\+?(372|3725|358|3581999|49|00372)[0-9]{0,8}", fullmatch=True),
    account=st.sampled_from((BANK, SHOP)),
    priority=st.integers(0, 4),
)
def test_explanation_never_says_something_else_than_the_router_does(
    to: str, account: AccountName, priority: int
) -> None:
    explanation = told(to, account, priority=priority)
    octets = pdu.sm(SUBMIT_SM, 1, destination=(1, 1, to.encode()), priority_flag=priority)
    sm = Sm(Framer(1_000).feed(octets)[0])
    checked = Checks(SETTINGS.lanes).check(sm, SETTINGS.accounts[account], NOW)
    assert not isinstance(checked, Refusal)
    table = RouteTable(SETTINGS.routes, Plans(), Up())
    rule = table.decide(checked.number, account, checked.lane, sm, NOW)
    if isinstance(rule, Refusal):
        assert explanation.refusal is not None
        assert explanation.refusal.status == rule.status
    else:
        assert explanation.winner is not None
        assert explanation.winner.line == rule.settings.line
        assert explanation.plans[0].operators == rule.next_plan().candidates


# Rules that refuse, lists and hours.

RULES = """\
prefixes: {premium: ["372900", "372901"]}
refuse:
  - {sender: CASINO*, account: [shop], destination: {prefixes: premium}, reason: gambling}
  - {sender: CASINO*, lane: alert}
  - {sender: Fraud}
routes:
"""
WITH_RULES = changed(CONTRACT, ("routes:\n", RULES))


def test_refusing_rule_is_told_as_people_wrote_it() -> None:
    found = told("+372900555", SHOP, sender="casino77", configuration=WITH_RULES)
    assert found.winner is not None
    assert found.winner.says == (
        "destination prefixes premium; account shop; sender CASINO*; refuse ESME_RSUBMITFAIL"
        " (gambling)"
    )
    assert found.refusal is not None
    assert (found.refusal.reason, found.refusal.status) == ("gambling", 0x45)
    assert found.plans == []
    assert "refused: gambling; the client hears ESME_RSUBMITFAIL" in text_of(found)
    assert "2 rules under `refuse` for other messages" in text_of(found)


def test_rules_that_name_the_sender_and_do_not_hold_say_why() -> None:
    found = told("+372555", SHOP, sender="CASINO", configuration=WITH_RULES)
    assert found.refusal is None
    assert [(one.why_not) for one in found.losers[:2]] == ["is for other numbers",
                                                           "is for lane alert"]  # fmt: skip
    assert found.not_refusing == 1


def test_hours_are_those_of_the_time_that_is_asked_about() -> None:
    night = '- {destination: "372", hours: 20:00-08:00, zone: Europe/Tallinn, to: [elisa]}\n  '
    configuration = changed(CONTRACT, ('- {destination: "372",', night + '- {destination: "372",'))
    settings = loaded(configuration)
    question = Question(account=BANK, to="372123")
    for hour, operator in ((5.9, "elisa"), (6.1, "telia"), (17.9, "telia"), (18.1, "elisa")):
        at_utc = NOW // 86_400 * 86_400 + hour * 3600  # In winter: two hours ahead of UTC.
        found = explain(settings, question, at_utc)
        assert found.plans[0].operators[0] == operator, hour
    day = explain(settings, question, NOW // 86_400 * 86_400 + 43_200)
    assert day.losers[0].why_not == "holds 20:00-08:00 Europe/Tallinn"


# Places and policies.

POLICY = changed(
    CONTRACT,
    (
        "    lane: otp\n",
        "    lane: otp\n    numbers: {country: EE, refuse: [invalid]}\n    countries: [EE, US]\n",
    ),
    ("routes:\n", 'routes:\n  - {destination: "372", country: FI, to: [elisa]}\n'),
)


def test_place_of_the_number_is_told() -> None:
    found = told("37255512345")
    assert found.place is not None
    assert (found.place.country, found.place.kind, found.place.zone) == (
        "EE",
        "mobile",
        "Europe/Tallinn",
    )
    assert "place: EE, mobile, Europe/Tallinn" in text_of(found)
    assert "place: US, fixed or mobile, America/New_York" in text_of(told("12125551234"))
    assert "place: no valid number (of EE, by its first digits)" in text_of(told("37219912345"))
    assert "place: no valid number\n" in text_of(told("12302"))
    assert found.as_json()["place"] == {
        **{"country": "EE", "network": "", "network_name": "", "kind": "mobile"},
        **{"is_valid": True, "zone": "Europe/Tallinn"},
    }


def test_network_is_told_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("3725,24801,Telia\n")
    (tmp_path / "b.csv").write_text("37255,24802\n")
    settings = loaded(f"networks: [a.csv, b.csv]\n{CONTRACT}", folder=tmp_path)
    for number, place in (("37251234567", "network 24801 Telia"), ("37255512345", "network 24802")):
        found = explain(settings, Question(account=BANK, to=number), NOW)
        assert f"place: EE, {place}, mobile, Europe/Tallinn" in text_of(found)


def test_each_check_of_the_account_is_told() -> None:
    found = told("55512345", configuration=POLICY)
    assert (found.number, found.refusal) == ("37255512345", None)
    assert "number: 37255512345 (from '55512345')" in text_of(found)
    assert "policy: number changed: read as a national number of EE" in text_of(found)
    assert "is for country FI" in [rule.why_not for rule in found.losers]
    found = told("37255512345", configuration=POLICY)
    assert "policy: number passed\n" in text_of(found)
    assert told("37255512345", SHOP, configuration=POLICY).policy == []


def test_check_that_refuses_is_told_with_what_the_client_hears() -> None:
    found = told("447400123456", configuration=POLICY)
    assert found.refusal is not None
    assert (found.refusal.reason, found.refusal.status) == ("country_not_allowed", 0x0B)
    text = text_of(found)
    assert "policy: number refused: the account does not send to this country" in text
    assert "refused: country_not_allowed; the client hears ESME_RINVDSTADR" in text
    assert found.plans == []
    assert told("12302", configuration=POLICY).refusal == ToldRefusal(
        reason="invalid_number", status=0x0B, status_name="ESME_RINVDSTADR"
    )


NETWORKS = "3725,24801\n37255,24802\n3728,24802\n1212,31026\n"
RULES_BY_PLACE = """\
networks: [networks.csv]
refuse: [{country: LV}, {network: 24802, account: shop, lane: alert}]
routes:
  - {destination: "372", network: 24802, to: [elisa]}
  - {destination: "", country: [US, GB, LV], in_lane: [otp, alert], to: [telia]}
  - {destination: "37253", network: 24802, refuse: ESME_RINVDSTADR}
"""


with TemporaryDirectory() as folder:
    Path(folder, "networks.csv").write_text(NETWORKS)
    BY_PLACE = loaded(changed(CONTRACT, ("routes:\n", RULES_BY_PLACE)), folder=Path(folder))


@given(
    to=st.from_regex(r"(\+|00)?(372[58]|5|44740|0740|1212555|37129|358)[0-9]{3,8}", fullmatch=True),
    account=st.sampled_from((BANK, SHOP)),
    country=st.sampled_from(("", "EE", "GB", "US")),
    refuse=st.sets(st.sampled_from(get_args(UnwantedNumber))),
    countries=st.sets(st.sampled_from(("EE", "FI", "US", "GB", "LV"))),
    priority=st.sampled_from((0, 3)),
)
def test_explanation_agrees_with_the_policy_and_the_rules_of_the_router(
    to: str,
    account: AccountName,
    country: str,
    refuse: set[UnwantedNumber],
    countries: set[str],
    priority: int,
) -> None:
    numbers = AccountNumberSettings(country=country, refuse=tuple(refuse))
    one = replace(BY_PLACE.accounts[account], numbers=numbers, countries=tuple(countries))
    settings = replace(BY_PLACE, accounts={**BY_PLACE.accounts, account: one})
    rules = Rules.of(settings, Plans(), Up())
    octets = pdu.sm(SUBMIT_SM, 1, destination=(1, 1, to.encode()), priority_flag=priority)
    sm = Sm(Framer(1_000).feed(octets)[0])
    checked = rules.checks.check(sm, one, NOW)
    assert not isinstance(checked, Refusal)
    judged = Candidate(one, sm, checked.number, checked.lane)
    policy = rules.policies.get(account)
    if policy is not None:
        refusal = Policing(Counters()).judge(policy, rules, judged, NOW)
    else:
        judged.place = rules.places.of(judged.number)
        assert rules.refuse is not None
        asked = judged.number, account, judged.lane, sm, NOW, judged.place
        refusal = rules.refuse.refusal(*asked)
    decided = refusal or rules.routes.decide(
        judged.number, account, judged.lane, sm, NOW, judged.place
    )
    question = Question(account=account, to=to, priority=priority)
    for found in (explain(settings, question, NOW), explain(settings, question, NOW, rules)):
        assert found.number == judged.number
        if isinstance(decided, Refusal):
            assert found.refusal is not None
            assert (found.refusal.reason, found.refusal.status) == (decided.reason, decided.status)
        else:
            assert found.winner is not None
            assert found.winner.line == decided.settings.line
