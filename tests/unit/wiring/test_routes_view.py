"""router/wiring/routes_view.py: the rules that may take a number, and no others."""

import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide.table import RouteTable, Up
from router.smpp.pdu import Framer, Sm, sm
from router.smpp.vocabulary import SUBMIT_SM
from router.terms.names import AccountName, LaneName, OperatorName
from router.terms.outcome import Refusal
from router.terms.plan import Plans
from router.terms.settings import RouteSettings, Settings
from router.wiring.cli import main
from router.wiring.routes_view import lines_of, refusals_of, routes_of
from tests.unit.settings.configurations import CONTRACT, SMALL, changed, loaded

RULES = """\
routes:
  - {destination: "", to: [telia]}
  - {destination: "372", account: bank, to: [telia]}
  - {destination: "372", to: {telia: 3}, lane: slow}
  - {destination: "372", sender: Late, to: [telia]}
  - {destination: "3725", sender: Shop, to: [telia]}
  - {destination: "37255", refuse: ESME_RINVDSTADR}
  - {destination: "358", to: [telia]}
"""
SETTINGS = loaded(changed(SMALL, ('routes: [{destination: "", to: [telia]}]\n', RULES)))
BANK, SHOP = AccountName("bank"), AccountName("shop")


def conditions(to: str = "", account: AccountName | None = None) -> list[str]:
    return [one["conditions"] for one in routes_of(SETTINGS, to, account)]


def test_all_rules_stand_with_their_longer_prefixes_first() -> None:
    assert conditions() == [
        "destination 358",
        "destination 37255",
        "destination 3725; sender Shop",
        "destination 372; account bank",
        "destination 372",
        "destination 372; sender Late",
        "destination any",
    ]


@pytest.mark.parametrize(
    ("to", "account", "wanted"),
    [
        ("372551", None, ["destination 37255"]),
        ("358", None, ["destination 358"]),
        ("44", None, ["destination any"]),
        (
            "3725",
            None,
            [
                "destination 37255",
                "destination 3725; sender Shop",
                "destination 372; account bank",
                "destination 372",
            ],
        ),
        (
            "37256",
            BANK,
            ["destination 3725; sender Shop", "destination 372; account bank"],
        ),
        ("37256", SHOP, ["destination 3725; sender Shop", "destination 372"]),
    ],
)
def test_rules_that_may_take_a_number_are_told_and_no_others(
    to: str, account: AccountName | None, wanted: list[str]
) -> None:
    assert conditions(to, account) == wanted


def test_rule_that_can_never_win_is_told_as_such() -> None:
    never = [one["conditions"] for one in routes_of(SETTINGS) if one["never"]]
    assert never == ["destination 372; sender Late"]
    of_bank = [one["conditions"] for one in routes_of(SETTINGS, account=BANK) if one["never"]]
    assert of_bank == ["destination 372", "destination 372; sender Late"]


def test_lines_say_where_a_rule_stands_and_what_it_does() -> None:
    (line,) = lines_of([], routes_of(SETTINGS, "372", SHOP)[2:3])
    assert line.endswith("router.yaml:12  destination 372  to telia 3; lane slow")
    lines = list(lines_of([], routes_of(SETTINGS)))
    assert [line.endswith("wins)") for line in lines] == [False] * 5 + [True, False]


PREFIXES = ["", "1", "12", "123", "2"]


@given(
    st.lists(
        st.builds(
            RouteSettings,
            destination=st.lists(
                st.sampled_from(PREFIXES), min_size=1, max_size=3, unique=True
            ).map(tuple),
            account=st.sampled_from([(), (BANK,), (SHOP,), (BANK, SHOP)]),
            sender=st.sampled_from([(), ("a",)]),
            to=st.just((OperatorName("telia"),)),
        ),
        max_size=6,
        unique_by=lambda rule: (rule.destination, rule.account, rule.sender),
    ),
    st.sampled_from(PREFIXES[1:]),
    st.sampled_from([None, BANK, SHOP]),
)
def test_every_rule_that_the_table_chooses_is_told(
    rules: list[RouteSettings], to: str, account: AccountName | None
) -> None:
    numbered = tuple(
        replace(one, weights=(1,), line=line, file="r") for line, one in enumerate(rules)
    )
    table = RouteTable(numbered, Plans(), Up())
    chosen = set()
    for end, sender, who in product(("", "1", "2", "3"), (b"", b"a"), (BANK, SHOP)):
        if account in (None, who):
            found = table.decide(to + end, who, LaneName("slow"), _message(sender), 0.0)
            if not isinstance(found, Refusal):
                chosen.add(f"r:{found.settings.line}")
    told = {one["place"] for one in routes_of(_with(numbered), to, account)}
    assert chosen <= told


def _message(sender: bytes) -> Sm:
    octets = sm(SUBMIT_SM, 1, source=(5, 0, sender), destination=(1, 1, b"1"), short_message=b"")
    return Sm(Framer(1000).feed(octets)[0])


def _with(routes: tuple[RouteSettings, ...]) -> Settings:
    return Settings(
        listen=(), journal=SETTINGS.journal, lanes=(), accounts={}, operators={}, routes=routes
    )


# Lists, groups and rules that refuse.

LISTED = """\
prefixes: {near: ["370", "371"], premium: ["372900"]}
refuse:
  - {sender: CASINO*, account: [shop], destination: {prefixes: premium}}
  - {sender: Fraud, reason: fraud}
routes:
  - {destination: "", to: [telia]}
  - {destination: ["372", {prefixes: near}], days: sat, zone: UTC, to: [telia]}
  - {destination: {prefixes: near}, account: [bank], to: [telia], lane: slow}
"""
LISTS = loaded(
    changed(
        SMALL,
        ('routes: [{destination: "", to: [telia]}]\n', LISTED),
        ("  bank: ", "  shop: {password: secret02, lane: slow}\n  bank: "),
    )
)


def test_rule_with_many_prefixes_is_told_once_as_it_was_written() -> None:
    assert [one["conditions"] for one in routes_of(LISTS)] == [
        "destination 372, prefixes near; hours sat UTC",
        "destination prefixes near; account bank",
        "destination any",
    ]
    one = routes_of(LISTS, "371")[0]
    assert (one["destination"], one["prefixes"], one["hours"]) == (["372"], ["near"], "sat UTC")
    assert [one["destination"] for one in routes_of(LISTS, "3725")] == [["372"], [""]]
    assert [one["account"] for one in routes_of(LISTS, "371", SHOP)] == [[], []]


def test_rules_that_refuse_stand_first() -> None:
    lines = list(lines_of(refusals_of(LISTS), routes_of(LISTS)))
    assert len(lines) == 5
    assert "refuse ESME_RSUBMITFAIL (fraud)" in lines[1]
    assert [one["sender"] for one in refusals_of(LISTS, "358")] == [["Fraud"]]
    assert len(refusals_of(LISTS, "3729")) == 2
    assert len(refusals_of(LISTS, "3729", BANK)) == 1


# The command.


def test_routes_are_those_of_the_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "router.yaml"
    path.write_text(CONTRACT, encoding="utf-8")
    assert main(["routes", str(path)]) == 0
    output = capsys.readouterr()
    assert (output.out.count("\n"), output.err) == (4, "4 of 4 rules\n")
    assert main(["routes", str(path), "--to", "+3725", "--account", "bank", "--json"]) == 0
    (rule,) = json.loads(capsys.readouterr().out)["routes"]
    assert (rule["destination"], rule["operators"]) == (["372"], ["telia", "elisa"])
    with pytest.raises(SystemExit):
        main(["routes", str(path), "--account", "bnak"])
    assert "did you mean 'bank'?" in capsys.readouterr().err


def test_place_and_lane_are_conditions_of_a_rule() -> None:
    rules = """\
refuse: [{country: FI}]
routes:
  - {destination: "", country: [EE, LV], network: 24801, in_lane: slow, to: [telia], lane: urgent}
  - {destination: "", to: [telia]}
"""
    settings = loaded(changed(SMALL, ('routes: [{destination: "", to: [telia]}]\n', rules)))
    (refused,) = refusals_of(settings)
    assert (refused["country"], refused["conditions"]) == (["FI"], "country FI")
    first, last = routes_of(settings)
    assert (first["country"], first["network"], first["in_lane"], first["lane"]) == (
        ["EE", "LV"],
        ["24801"],
        ["slow"],
        "urgent",
    )
    assert first["conditions"] == "destination any; country EE, LV; network 24801; in_lane slow"
    assert not last["never"]  # The first takes some messages only.
