"""router/decide/refuse.py in the journey: who is refused before any route, and what is left."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from router.smpp import vocabulary as v
from router.steps.rules import Rules
from router.terms.names import AccountName
from router.terms.outcome import Outcome
from router.terms.settings import Settings
from tests.doubles import Client, Router, World, contract_settings

BANK: Final = AccountName("bank")
ROUTES: Final = "routes:\n"
RULES: Final = """\
prefixes: {premium: ["372900", "372901"]}
refuse:
  - {sender: ["CASINO*", "3725550"], account: [bank], reason: gambling}
  - {destination: {prefixes: premium}, status: ESME_RINVDSTADR, reason: premium}
  - {lane: alert, destination: "358"}
"""


def with_rules(folder: Path, rules: str) -> Settings:
    return contract_settings(folder, lambda text: text.replace(ROUTES, rules + ROUTES))


@pytest.fixture
def refusing(world: World, tmp_path: Path) -> Router:
    router = Router(world, with_rules(tmp_path, RULES))
    router.operator("telia")
    router.operator("elisa")
    return router


def statuses(router: Router, client: Client, *numbers: int) -> list[int | None]:
    router.world.run(2.0)
    return [client.status_of(number) for number in numbers]


def test_sender_is_refused_whatever_prefix_its_number_has(refusing: Router) -> None:
    bank, shop = refusing.client(), refusing.client(b"shop", b"secret02")
    senders = (b"CASINO77", b" casino ", b"CAS", b"+3725550")
    sent = [bank.submit(source=(5, 0, name)) for name in senders]
    allowed = shop.submit(source=(5, 0, b"CASINO77"))
    assert statuses(refusing, bank, *sent) == [0x45, 0x45, v.ESME_ROK, 0x45]
    assert shop.status_of(allowed) == v.ESME_ROK
    refusals = refusing.journey.intake.refusals
    assert refusals.counts() == {(BANK, "gambling"): 3}
    assert refusing.journey.counters.refused_pdus["gambling"] == 3


def test_group_of_prefixes_is_refused_with_its_status(refusing: Router) -> None:
    client = refusing.client()
    sent = [client.submit(one) for one in (b"37290055555", b"+372901123", b"37290212345")]
    assert statuses(refusing, client, *sent) == [0x0B, 0x0B, v.ESME_ROK]


def test_lane_is_that_of_the_message_before_any_route(refusing: Router) -> None:
    client = refusing.client(b"shop", b"secret02")
    sent = [client.submit(b"358401234", priority_flag=priority) for priority in (3, 0)]
    assert statuses(refusing, client, *sent) == [0x45, v.ESME_ROK]


def test_refusal_gives_back_the_room_that_was_taken(refusing: Router) -> None:
    client = refusing.client()
    for _ in range(50):
        client.submit(b"37290055555")
    refusing.world.run(2.0)
    rooms = refusing.journey.rooms
    assert (rooms.taken(BANK), rooms.octets(BANK)) == (0, 0)
    assert refusing.outcomes == []


def test_what_was_accepted_is_not_refused_by_a_later_rule(
    world: World, tmp_path: Path, contract: Settings
) -> None:
    router = Router(world, contract)
    client = router.client()
    number = client.submit(b"37290055555", registered_delivery=0)
    assert statuses(router, client, number) == [v.ESME_ROK]
    settings = with_rules(tmp_path, RULES)
    journey = router.journey
    journey.rulebook.rules = Rules.of(settings, journey.plans, journey.up)
    refused = client.submit(b"37290055555")
    assert statuses(router, client, refused) == [0x0B]
    router.operator("telia")
    world.run(2.0)
    assert router.outcomes == [Outcome.SENT]


def test_hours_are_those_of_acceptance(world: World, tmp_path: Path) -> None:
    zone = "zone: UTC, reason: night"
    router = Router(world, with_rules(tmp_path, f"refuse: [{{hours: 21:00-08:00, {zone}}}]\n"))
    router.operator("telia")
    client = router.client()
    told = []
    for _ in range(24):
        hour = int(world.clock_utc() // 3600 % 24)
        number = client.submit(registered_delivery=0)
        world.run(1.0)
        told.append((hour, client.status_of(number)))
        world.run(3599.0)
    night = {hour for hour, status in told if status == 0x45}
    assert night == {*range(21, 24), *range(8)}
    assert {hour for hour, status in told if status == v.ESME_ROK} == {*range(8, 21)}


def test_empty_list_refuses_nothing(world: World, contract: Settings) -> None:
    router = Router(world, replace(contract, refuse=()))
    assert router.journey.rulebook.rules.refuse is None


def test_what_waits_of_a_long_message_ends_when_a_rule_refuses_another_part(
    world: World, tmp_path: Path
) -> None:
    rules = "refuse: [{service_type: SPAM, reason: marked}]\n"
    router = Router(world, with_rules(tmp_path, rules))
    client = router.client()
    sent = [
        client.submit(
            text=bytes((5, 0, 3, 7, 2, part)) + b"hello",
            esm_class=0x40,
            service_type=b"SPAM" if part == 2 else b"",
        )
        for part in (1, 2)
    ]
    assert statuses(router, client, *sent) == [v.ESME_ROK, 0x45]
    world.run(2.0)
    assert router.outcomes == [Outcome.REJECTED]
    assert [settlement.reason for settlement in router.settled] == ["marked"]
