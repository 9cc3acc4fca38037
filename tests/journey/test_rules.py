"""router/steps/rules.py: rules are built apart from the router, and replaced as a whole."""

from dataclasses import replace
from threading import Thread

import pytest

from router.smpp import vocabulary as v
from router.steps.rules import Rules
from router.terms.names import OperatorName
from router.terms.settings import RouteSettings, Settings
from tests.doubles import Router, World
from tests.journey.scenes import connected_to_both

ELISA, TELIA = OperatorName("elisa"), OperatorName("telia")


def built_in_a_thread(router: Router, settings: Settings) -> Rules:
    journey, built = router.journey, list[Rules]()
    build = Thread(target=lambda: built.append(Rules.of(settings, journey.plans, journey.up)))
    build.start()
    build.join()
    return built[0]


@pytest.mark.parametrize("down", [False, True])
def test_new_rules_know_from_their_first_message_which_operators_are_up(
    world: World, router: Router, down: bool
) -> None:
    telia, elisa, client = connected_to_both(router)
    shared = RouteSettings(destination=("",), to=(TELIA, ELISA), weights=(1, 1))
    rules = built_in_a_thread(router, replace(router.settings, routes=(shared,)))
    if down:  # After the rules were built, before they are in force.
        telia.far.drop()
        world.run(0.1)
    before = router.journey.rulebook.rules
    router.journey.rulebook.rules = rules
    numbers = [client.submit(destination=b"37255512345") for _ in range(10)]
    world.run(2.0)
    assert [client.status_of(number) for number in numbers] == [v.ESME_ROK] * 10
    assert [len(one.submits) for one in (telia, elisa)] == ([0, 10] if down else [5, 5])
    assert before.routes is not rules.routes
