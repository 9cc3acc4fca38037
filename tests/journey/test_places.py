"""The place of a number in the journey: who may send where, in which form, and by which route."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from router.smpp import vocabulary as v
from router.smpp.pdu import Sm
from router.steps.rules import Rules
from router.telemetry.metrics import policy_results
from router.terms.limits import Rate
from router.terms.names import AccountName, LaneName, OperatorName
from router.terms.outcome import Outcome
from router.terms.settings import (
    AccountNumberSettings,
    NumberSettings,
    RouteSettings,
    Settings,
    TonNpi,
)
from tests.doubles import (
    Client,
    Operator,
    Router,
    World,
    contract_settings,
    receipt_text,
    with_account,
    with_operator,
)

BANK: Final = AccountName("bank")
SHOP: Final = AccountName("shop")
TELIA: Final = OperatorName("telia")
ELISA: Final = OperatorName("elisa")
ROUTES: Final = "routes:\n"


def with_rules(folder: Path, rules: str, routes: str = "") -> Settings:
    (folder / "ee.csv").write_text("prefix,network,name\n3725,24801,Telia\n3728,24802,Elisa\n")
    networks = "networks: [ee.csv]\n"
    return contract_settings(
        folder, lambda text: text.replace(ROUTES, networks + rules + ROUTES + routes)
    )


def national(settings: Settings, country: str = "EE") -> Settings:
    return with_account(settings, "bank", numbers=AccountNumberSettings(country=country))


def statuses(router: Router, client: Client, *numbers: int) -> list[int | None]:
    router.world.run(2.0)
    return [client.status_of(number) for number in numbers]


def destinations(operator: Operator) -> list[tuple[int, int, bytes]]:
    return [Sm(pdu).destination for _, pdu in operator.submits]


def results(router: Router) -> dict[tuple[str, str, str], int]:
    return {key: count for key, count in policy_results(router.journey.counters).items() if count}


# What is refused.


def test_unwanted_number_is_refused_and_its_room_is_free(world: World, contract: Settings) -> None:
    numbers = AccountNumberSettings(refuse=("invalid", "fixed"))
    router = Router(world, with_account(contract, "bank", numbers=numbers))
    router.operator("telia")
    bank, shop = router.client(), router.client(b"shop", b"secret02")
    sent = [bank.submit(one) for one in (b"37255512345", b"3726123456", b"37219912345")]
    other = shop.submit(b"3726123456")
    assert statuses(router, bank, *sent) == [v.ESME_ROK, 0x0B, 0x0B]
    assert shop.status_of(other) == v.ESME_ROK
    journey = router.journey
    assert journey.intake.refusals.counts() == {(BANK, "invalid_number"): 2}
    assert journey.counters.refused_pdus["invalid_number"] == 2
    assert (journey.rooms.taken(BANK), journey.rooms.octets(BANK)) == (0, 0)
    assert results(router) == {("bank", "number", "passed"): 1, ("bank", "number", "refused"): 2}


def test_client_of_version_5_hears_why(world: World, contract: Settings) -> None:
    numbers = AccountNumberSettings(refuse=("fixed",))
    router = Router(world, with_account(contract, "bank", numbers=numbers))
    client = router.client(version=v.VERSION_5_0)
    client.submit(b"3726123456")
    world.run(1.0)
    assert b"the number is a fixed line" in client.far.received[-1][1].octets


def test_account_sends_to_its_countries_only(world: World, contract: Settings) -> None:
    router = Router(world, with_account(contract, "bank", countries=("EE",)))
    router.operator("telia")
    router.operator("elisa")
    client = router.client()
    sent = [client.submit(one) for one in (b"37255512345", b"358401234567", b"447400123456")]
    assert statuses(router, client, *sent) == [v.ESME_ROK, 0x0B, 0x0B]
    assert router.journey.intake.refusals.counts() == {(BANK, "country_not_allowed"): 2}


def test_number_is_judged_before_rules_that_refuse_and_those_before_routes(
    world: World, tmp_path: Path
) -> None:
    rules = "refuse: [{country: EE, network: '24801', reason: network}]\n"
    settings = with_rules(tmp_path, rules)
    settings = with_account(settings, "bank", countries=("EE", "GB"))
    router = Router(world, settings)
    router.operator("telia")
    client = router.client()
    sent = [
        client.submit(one)
        for one in (b"37255512345", b"37281234567", b"358401234567", b"447400123456")
    ]
    assert statuses(router, client, *sent) == [0x45, v.ESME_ROK, 0x0B, 0x0B]
    assert router.journey.intake.refusals.counts() == {
        (BANK, "network"): 1,
        (BANK, "country_not_allowed"): 1,
        (BANK, "no_route"): 1,
    }
    assert results(router) == {("bank", "number", "passed"): 3, ("bank", "number", "refused"): 1}


def test_each_number_of_a_submit_multi_is_judged(world: World, contract: Settings) -> None:
    router = Router(world, with_account(contract, "bank", countries=("EE",)))
    telia, client = router.operator("telia"), router.client()
    client.submit_to_all([b"37255512345", b"358401234567", b"37255512346"])
    world.run(2.0)
    assert [number for _, _, number in destinations(telia)] == [b"37255512345", b"37255512346"]
    assert router.journey.intake.refusals.counts() == {(BANK, "country_not_allowed"): 1}


# Routes.


def test_route_by_country_and_network(world: World, tmp_path: Path) -> None:
    routes = """\
  - {destination: "372", network: "24802", to: [elisa]}
  - {destination: "", country: [GB, US], to: [elisa]}
"""
    router = Router(world, with_rules(tmp_path, "", routes))
    telia, elisa = router.operator("telia"), router.operator("elisa")
    client = router.client()
    sent = (b"37255512345", b"37281234567", b"447400123456", b"12125551234", b"447781123456")
    numbers = [client.submit(one) for one in sent]
    assert statuses(router, client, *numbers) == [0, 0, 0, 0, 0x0B]  # Guernsey is not GB.
    assert {number for _, _, number in destinations(telia)} == {sent[0]}
    assert {number for _, _, number in destinations(elisa)} == set(sent[1:4])
    assert results(router) == {}


def test_route_by_the_lane_that_the_message_came_in(world: World, tmp_path: Path) -> None:
    routes = '  - {destination: "372", in_lane: alert, account: shop, to: [elisa], lane: otp}\n'
    settings = with_rules(tmp_path, "", routes)
    router = Router(world, settings)
    telia, elisa = router.operator("telia"), router.operator("elisa")
    client = router.client(b"shop", b"secret02")
    client.submit(b"37281234567", priority_flag=3)
    client.submit(b"37281234568", priority_flag=0)
    world.run(2.0)
    assert [number for _, _, number in destinations(elisa)] == [b"37281234567"]
    assert [number for _, _, number in destinations(telia)] == [b"37281234568"]
    submits = router.journey.counters.submits
    assert submits[SHOP, LaneName("otp"), 0] == submits[SHOP, LaneName("bulk"), 0] == 1


def test_what_waits_is_decided_anew_by_its_place(world: World, tmp_path: Path) -> None:
    by_country = RouteSettings(destination=("",), country=("EE",), to=(ELISA,))
    settings = replace(national(with_rules(tmp_path, "")), routes=(by_country,))
    router = Router(world, settings)
    client = router.client()
    number = client.submit(b"55512345", registered_delivery=0)
    assert statuses(router, client, number) == [v.ESME_ROK]
    router.adopt(
        replace(
            settings,
            routes=(replace(by_country, to=(TELIA,)),),
            operators={TELIA: settings.operators[TELIA]},
        )
    )
    telia = router.operator("telia")
    world.run(3.0)
    assert [number for _, _, number in destinations(telia)] == [b"55512345"]


# National numbers.


@pytest.mark.parametrize(
    ("numbers", "goes_as"),
    [
        (None, (1, 1, b"55512345")),
        (NumberSettings(normalise="e164"), (1, 1, b"37255512345")),
        (NumberSettings(normalise="plus"), (1, 1, b"+37255512345")),
        (NumberSettings(normalise="00"), (1, 1, b"0037255512345")),
        (
            NumberSettings(normalise="e164", country_code="358", national_prefix="0"),
            (1, 1, b"37255512345"),
        ),
        (
            NumberSettings(normalise="national", country_code="372", national_prefix="8"),
            (2, 1, b"855512345"),
        ),
        (NumberSettings(normalise="national", country_code="44"), (1, 1, b"37255512345")),
        (NumberSettings(ton_npi={"national": TonNpi(2, 8)}), (2, 8, b"55512345")),
        (NumberSettings(ton_npi={"international": TonNpi(1, 8)}), (1, 1, b"55512345")),
    ],
)
def test_national_number_goes_as_the_operator_says_and_its_receipt_as_it_came(
    world: World, contract: Settings, numbers: NumberSettings | None, goes_as: object
) -> None:
    router = Router(world, with_operator(national(contract), "telia", numbers=numbers))
    telia, client = router.operator("telia"), router.client()
    client.submit(b"55512345")
    world.run(1.0)
    assert destinations(telia) == [goes_as]
    telia.report(b"1")
    world.run(3.0)
    (receipt,) = client.receipts
    assert Sm(receipt).source == (1, 1, b"55512345")
    assert router.outcomes == [Outcome.DELIVERED]
    assert results(router) == {("bank", "number", "passed"): 1, ("bank", "number", "changed"): 1}
    router.assert_all_is_over()


def test_same_number_of_an_account_that_writes_none_such_goes_as_international(
    world: World, contract: Settings
) -> None:
    settings = with_operator(national(contract), "telia", numbers=NumberSettings(normalise="plus"))
    routes = (replace(settings.routes[0], destination=("",)), *settings.routes)
    router = Router(world, replace(settings, routes=routes))
    telia = router.operator("telia")
    bank, shop = router.client(), router.client(b"shop", b"secret02")
    bank.submit(b"55512345")
    shop.submit(b"55512345")
    world.run(1.0)
    assert sorted(number for _, _, number in destinations(telia)) == [
        b"+37255512345",
        b"+55512345",
    ]


def test_receipt_with_the_number_that_the_operator_knows_is_that_of_the_message(
    world: World, contract: Settings
) -> None:
    numbers = NumberSettings(normalise="e164")
    router = Router(world, with_operator(national(contract), "telia", numbers=numbers))
    telia, client = router.operator("telia"), router.client()
    client.submit(b"55512345")
    world.run(1.0)
    assert router.journey.operators[TELIA].in_flight == 0
    telia.deliver(receipt_text(b"1", b"DELIVRD"), source=(1, 1, b"37255512345"), esm_class=4)
    world.run(3.0)
    assert [Sm(one).source[2] for one in client.receipts] == [b"55512345"]


def test_number_has_one_rate_however_it_is_written(world: World, contract: Settings) -> None:
    numbers = NumberSettings(normalise="e164")
    settings = with_operator(
        national(contract), "telia", numbers=numbers, destination_rate=Rate(1, 10.0)
    )
    router = Router(world, settings)
    telia, client = router.operator("telia"), router.client()
    client.submit(b"55512345")
    client.submit(b"+37255512345")
    world.run(5.0)
    assert len(telia.submits) == 1
    world.run(10.0)
    assert [number for _, _, number in destinations(telia)] == [b"37255512345"] * 2


def test_ambiguous_number_stays_international_and_is_counted(
    world: World, contract: Settings
) -> None:
    routes = (replace(contract.routes[0], destination=("",)),)
    router = Router(world, replace(national(contract, "DE"), routes=routes))
    router.operator("telia")
    client = router.client()
    numbers = [client.submit(b"346%08d" % n) for n in range(10**7, 2 * 10**7, 999_991)]
    assert set(statuses(router, client, *numbers)) == {0}
    assert results(router)["bank", "number", "counted"] > 0


def test_outcome_counts_for_the_country_of_the_number(world: World, contract: Settings) -> None:
    router = Router(world, national(contract))
    telia, client = router.operator("telia"), router.client()
    client.submit(b"55512345")
    world.run(1.0)
    telia.report(b"1")
    world.run(3.0)
    assert {country for _, country in router.journey.quality.by_country()} == {"EE"}


def test_number_is_read_by_the_rules_in_force(world: World, contract: Settings) -> None:
    router = Router(world, contract)
    router.operator("telia")
    client = router.client()
    before = client.submit(b"55512345")
    assert statuses(router, client, before) == [0x0B]
    journey, settings = router.journey, national(contract)
    rules = Rules.of(settings, journey.plans, journey.up, before=journey.rulebook.rules)
    assert rules.places is journey.rulebook.rules.places
    journey.rulebook.rules = rules
    after = client.submit(b"55512345")
    assert statuses(router, client, after) == [v.ESME_ROK]


def test_nothing_is_looked_up_for_accounts_and_rules_that_ask_for_nothing(
    world: World, contract: Settings
) -> None:
    router = Router(world, national(contract))
    router.operator("telia")
    client = router.client(b"shop", b"secret02")
    assert statuses(router, client, client.submit()) == [v.ESME_ROK]
    rules = router.journey.rulebook.rules
    assert (set(rules.policies), rules.ask_place, rules.places.heads) == ({BANK}, False, 0)
    assert not Rules.of(contract, router.journey.plans, router.journey.up).policies
