"""router/settings/networks.py: files of networks, countries, and what is wrong with them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from router.settings.lists import MOST_LINES_NAMED
from router.settings.load import load
from router.settings.mistakes import Mistake
from router.settings.warn import warnings
from router.terms.settings import AccountNumberSettings, CountrySettings, Settings
from tests.unit.settings.configurations import SMALL, changed, loaded, mistakes, the_mistake

ROUTES: Final = 'routes: [{destination: "", to: [telia]}]'
BANK: Final = "lane: urgent}\noperators"


def text_with(keys: str = "", bank: str = "", routes: str = ROUTES) -> str:
    account = BANK.replace("}", f", {bank}}}") if bank else BANK
    return changed(SMALL, (BANK, account), (ROUTES, f"{keys}{routes}"))


def in_folder(folder: Path, files: Mapping[str, str]) -> Path:
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    return folder


def read(folder: Path, *contents: str) -> Settings:
    files = {f"{number}.csv": one for number, one in enumerate(contents)}
    return loaded(text_with(f"networks: [{', '.join(files)}]\n"), folder=in_folder(folder, files))


def wrong(folder: Path, *contents: str) -> list[Mistake]:
    files = {f"{number}.csv": one for number, one in enumerate(contents)}
    return mistakes(text_with(f"networks: [{', '.join(files)}]\n"), folder=in_folder(folder, files))


@pytest.mark.parametrize(
    "content",
    [
        "3725,24801,Telia\n372,24802,Elisa\n",
        "prefix,network,name\n3725,24801,Telia\n372,24802,Elisa\n",
        "Prefix;Network;Name\n+372 5;248-01;Telia\n00372;248 02;Elisa\n",
        "name\tcountry\tnetwork\tprefix\nTelia\tEE\t24801\t3725\nElisa\tEE\t24802\t372\n",
        "# of November\n\n3725 | 248/01 | Telia\n372 | 24802 | Elisa\n",
        "beginning,what\n3725,24801,Telia\n372,24802,Elisa\n",
        '"3725","24801","Telia"\n"372","24802","Elisa"\n3725,24801\n',
    ],
)
def test_file_is_read_as_operators_write_it(tmp_path: Path, content: str) -> None:
    (file,) = read(tmp_path, content).networks
    assert file.file == "0.csv"
    assert file.networks == {"3725": "24801", "372": "24802"}
    assert file.names == {"24801": "Telia", "24802": "Elisa"}


def test_network_may_have_no_name(tmp_path: Path) -> None:
    (file,) = read(tmp_path, "372,24801\n").networks
    assert (file.networks, file.names) == ({"372": "24801"}, {})


def test_every_wrong_line_is_named_and_none_is_quoted(tmp_path: Path) -> None:
    content = "372,24801\n373\nsecret,24801\n374,2480\n375,secret\n372,24802\n376,24801\n"
    found = wrong(tmp_path, content)
    assert [one.line for one in found] == [2, 3, 4, 5, 6]
    assert {one.path for one in found} == {"networks[0]"}
    assert "this prefix has another network in line 1" in found[-1].message
    assert not any("secret" in str(one) for one in found)


def test_wrong_lines_are_named_up_to_a_bound(tmp_path: Path) -> None:
    found = wrong(tmp_path, "372,24801\n" + "x,y\n" * 1_000)
    assert len(found) == MOST_LINES_NAMED + 1
    assert any("980 more lines are wrong" in one.message for one in found)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "holds no prefix"),
        ("prefix,network\n", "holds no prefix"),
        ('372,"24801\n', "is no CSV"),
    ],
)
def test_file_without_networks_is_a_mistake(tmp_path: Path, content: str, says: str) -> None:
    (mistake,) = wrong(tmp_path, content)
    assert says in mistake.message


def test_file_is_there_and_stands_in_the_list_once(tmp_path: Path) -> None:
    mistake = the_mistake(text_with("networks: [a.csv]\n"), folder=tmp_path)
    assert (mistake.path, "No such file" in mistake.message) == ("networks[0]", True)
    (tmp_path / "a.csv").write_text("372,24801\n")
    mistake = the_mistake(text_with("networks: [a.csv, a.csv]\n"), folder=tmp_path)
    assert (mistake.path, "stands in the list" in mistake.message) == ("networks[1]", True)


def test_files_and_countries_of_several_files_are_joined(tmp_path: Path) -> None:
    in_folder(
        tmp_path,
        {
            "a.csv": "372,24801\n",
            "b.csv": "358,24405\n",
            "1.yaml": text_with("networks: [a.csv]\ncountries: {EE: {zone: UTC}}\n"),
            "2.yaml": "networks: [b.csv]\ncountries: {FI: {}}\n",
        },
    )
    settings = load(tmp_path, {})
    assert [file.file for file in settings.networks] == ["a.csv", "b.csv"]
    assert settings.countries == {
        "EE": CountrySettings(zone=ZoneInfo("UTC")),
        "FI": CountrySettings(),
    }


def test_changed_file_is_a_changed_configuration(tmp_path: Path) -> None:
    before = read(tmp_path, "372,24801\n")
    assert read(tmp_path, "prefix,network\n372,24801\n").digest == before.digest
    assert read(tmp_path, "372,24802\n").digest != before.digest


def test_account_says_its_countries_and_how_numbers_are_read() -> None:
    bank = "numbers: {country: EE, refuse: [invalid, unknown_kind]}, countries: [EE, NO]"
    account = loaded(text_with(bank=bank)).accounts["bank"]  # type: ignore[index]
    assert account.numbers == AccountNumberSettings(
        country="EE", refuse=("invalid", "unknown_kind")
    )
    assert account.countries == ("EE", "NO")  # No truth of YAML.


@pytest.mark.parametrize(
    ("keys", "bank", "route", "path", "suggestion"),
    [
        ("countries: {ee: {}}\n", "", "", "countries.ee", "EE"),
        ("countries: {UK: {}}\n", "", "", "countries.UK", "GB"),
        ("countries: {Estonia: {}}\n", "", "", "countries.Estonia", None),
        ("countries: {EE: {zone: Europe/Talinn}}\n", "", "", "countries.EE.zone", "Europe/Tallinn"),
        ("countries: {EE: {zones: UTC}}\n", "", "", "countries.EE.zones", "zone"),
        ("", "countries: [EE, XX]", "", "accounts.bank.countries[1]", None),
        ("", "countries: []", "", "accounts.bank.countries", None),
        ("", "numbers: {country: usa}", "", "accounts.bank.numbers.country", "US"),
        ("", "numbers: {refuse: [fixd]}", "", "accounts.bank.numbers.refuse[0]", "fixed"),
        ("", "", "country: ee, ", "routes[0].country", "EE"),
        ("", "", "country: [EE, EE], ", "routes[0].country[1]", None),
        ("", "", "network: 2480, ", "routes[0].network", None),
        ("", "", "in_lane: slo, ", "routes[0].in_lane", "slow"),
    ],
)  # fmt: skip
def test_what_is_meant_is_told(
    keys: str, bank: str, route: str, path: str, suggestion: str | None
) -> None:
    routes = f'routes: [{{destination: "", {route}to: [telia]}}]'
    mistake = the_mistake(text_with(keys, bank, routes))
    assert (mistake.path, mistake.suggestion) == (path, suggestion)


# Warnings.


def warned(folder: Path, text: str, **files: str) -> list[str]:
    in_folder(folder, {f"{name}.csv": one for name, one in files.items()})
    return [
        f"{one.path}: {one.message}"
        for one in warnings(loaded(text, folder=folder))
        if "memory:" not in one.message and one.path != "journal.url"
    ]


def test_networks_that_no_rule_asks_for_say_nothing(tmp_path: Path) -> None:
    (told,) = warned(tmp_path, text_with("networks: [a.csv]\n"), a="372,24801\n")
    assert told == "networks: no rule asks for a network, so these files say nothing"


def test_networks_that_contradict_each_other_are_told(tmp_path: Path) -> None:
    routes = 'routes: [{destination: "", network: "24801", to: [telia]}]'
    (told,) = warned(
        tmp_path,
        text_with("networks: [a.csv, b.csv]\n", routes=routes),
        a="372,24801\n3725,24801\n358,24405\n",
        b="372,24802\n3725,24802\n358,24405\n",
    )
    assert told == (
        "networks[1]: 2 prefixes, such as 372, have another network in a.csv: this file wins,"
        " because it stands behind that one"
    )


@pytest.mark.parametrize(
    ("conditions", "told"),
    [
        ('destination: "", network: [24801, 24803]', "no file under `networks` has a number of"
         " network 24803"),
        ('destination: "", network: 24803', "no file under `networks` has a number of network"
         " 24803: this rule can never match"),
        ('destination: ["358", "46"], country: [EE, LV]', "this rule can never match: no number of"
         " EE, LV begins with its destination"),
        ('destination: "", country: [EE, LV, FI]', "no account that it is for may send to LV, FI"
         " (`countries`)"),
        ('destination: "", in_lane: slow', "this rule can never match: none of its messages is in"
         " lane slow before a route is chosen"),
        ('destination: "372", country: EE, network: 24801, in_lane: urgent', None),
        ('destination: "3", country: EE', None),
        ('destination: "37255", country: [EE, LV]', "no account that it is for may send to LV"
         " (`countries`)"),
    ],
)  # fmt: skip
def test_rules_that_meet_nothing_are_told(
    tmp_path: Path, conditions: str, told: str | None
) -> None:
    routes = f'routes: [{{{conditions}, to: [telia]}}, {{destination: "", to: [telia]}}]'
    if "network" not in conditions:
        routes = routes[:-1] + ', {destination: "1", network: 24801, to: [telia]}]'
    text = text_with("networks: [a.csv]\n", "countries: [EE]", routes)
    found = [one for one in warned(tmp_path, text, a="372,24801\n") if "routes[0]" in one[:10]]
    assert found == ([] if told is None else [f"routes[0]: {told}"])


@pytest.mark.parametrize(
    ("bank", "routes", "told"),
    [
        ("countries: [EE, FI]", 'destination: "372"', "accounts.bank.countries: no route of the"
         " account leads to FI"),
        ("countries: [EE, FI]", 'destination: "", country: EE', "accounts.bank.countries: no route"
         " of the account leads to FI"),
        ("countries: [EE]", 'destination: "3725"', None),
        ("countries: [EE]", 'destination: ""', None),
        ("countries: [GG]", 'destination: "44"', None),
        ("numbers: {country: EE}", 'destination: "358"', None),
        ("numbers: {country: EE}", 'destination: "372"', "accounts.bank.numbers.country: what is"
         " read as a number of EE goes to telia without its country code, as the client writes it:"
         " give the operator numbers.normalise, unless it takes such numbers"),
        ("numbers: {country: EE}, countries: [FI]", 'destination: "358"',
         "accounts.bank.numbers.country: the account may not send to EE (`countries`)"),
    ],
)  # fmt: skip
def test_accounts_that_meet_no_route_are_told(
    tmp_path: Path, bank: str, routes: str, told: str | None
) -> None:
    text = text_with(bank=bank, routes=f"routes: [{{{routes}, to: [telia]}}]")
    found = [one for one in warned(tmp_path, text) if one.startswith("accounts")]
    assert found == ([] if told is None else [told])


def test_operator_that_writes_numbers_anew_is_not_told(tmp_path: Path) -> None:
    text = text_with(bank="numbers: {country: EE}")
    text = changed(text, ("  telia:\n", "  telia:\n    numbers: {normalise: e164}\n"))
    assert warned(tmp_path, text) == []


def test_route_of_another_account_leads_nowhere_for_this_one(tmp_path: Path) -> None:
    routes = 'routes: [{destination: "", account: shop, to: [telia]}]'
    text = text_with(bank="countries: [EE]", routes=routes)
    text = changed(text, ("accounts:\n", "accounts:\n  shop: {password: secret02, lane: slow}\n"))
    assert "accounts.bank.countries: no route of the account leads to EE" in warned(tmp_path, text)
