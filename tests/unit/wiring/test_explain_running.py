"""router/wiring/explain_running.py: how the operators of a message are, and who carries it now."""

import pytest

from router.smpp import vocabulary as v
from router.wiring.drains import set_drained
from router.wiring.explain import Explanation, Question, explain
from router.wiring.explain_running import Now, lines_of, now_of
from tests.unit.telemetry.running import BANK, BULK, ELISA, OTP, SHOP, TELIA, FakeRouter


def told(router: FakeRouter, account: str = "bank") -> Explanation:
    who = BANK if account == "bank" else SHOP
    return explain(router.settings, Question(account=who, to="37255512345"), 1.8e9)


def now(router: FakeRouter, account: str = "bank") -> Now:
    return now_of(router, told(router, account))


def text_of(router: FakeRouter, account: str = "bank") -> str:
    found = lines_of(told(router, account), now(router, account))
    return "\n".join(f"{heading}: {line}" for heading, line in found)


def states(found: Now, operator: str) -> dict[str, str]:
    (one,) = (one for one in found["operators"] if one["operator"] == operator)
    return {bind["bind"]: bind["state"] for bind in one["binds"]}


def test_first_operator_that_can_send_carries_it() -> None:
    router = FakeRouter()
    assert now(router)["carriers"] == []
    assert "carries: nobody: it would wait until one of them can send" in text_of(router)
    router.bring_up(ELISA)
    assert now(router)["carriers"] == [{"operator": "elisa", "share": 1.0}]
    router.bring_up(TELIA)
    assert now(router)["carriers"] == [{"operator": "telia", "share": 1.0}]
    assert text_of(router).endswith("carries: telia")


def test_operators_that_share_carry_by_weight_and_one_that_is_down_nothing() -> None:
    router = FakeRouter()
    router.bring_up(TELIA)
    assert now(router, "shop")["carriers"] == [{"operator": "telia", "share": 1.0}]
    router.bring_up(ELISA)
    carriers = [(one["operator"], one["share"]) for one in now(router, "shop")["carriers"]]
    assert carriers == [("telia", 0.7), ("elisa", 0.3)]
    assert text_of(router, "shop").endswith("carries: telia 70%, elisa 30%")


def test_to_ask_costs_no_turn_of_a_weighted_rule() -> None:
    router = FakeRouter()
    routes = router.journey.rulebook.rules.routes

    def next_ones() -> list[str]:
        rule = routes.decide("37255512345", SHOP, BULK, None, 0.0)  # type: ignore[arg-type]
        return [rule.next_plan().candidates[0] for _ in range(10)]  # type: ignore[union-attr]

    first = next_ones()
    now(router, "shop")
    assert next_ones() == first


def test_each_bind_that_sends_says_why_it_does_not() -> None:
    router = FakeRouter()
    for number in range(3):
        router.bring_up(TELIA, number)
    set_drained(router, "telia/telia-2", drained=True)
    bind = router.journey.operators[TELIA].binds[2]
    assert bind.pace is not None
    bind.pace.rest(router.now + 1.5)
    found = now(router)
    assert states(found, "telia") == {"telia-1": "up", "telia-2": "drained", "telia-3": "rests"}
    assert states(found, "elisa") == {"elisa-tx": "down", "elisa-tx2": "down"}


def test_open_breaker_is_told_and_another_operator_carries() -> None:
    router = FakeRouter()
    router.bring_up(TELIA)
    router.bring_up(ELISA)
    bind = router.journey.operators[TELIA].binds[0]
    for _ in range(10):
        router.journey.availability.failed(bind, router.now)
    found = now(router)
    telia = found["operators"][0]
    assert (telia["breaker"], telia["available"], telia["wait_s"]) == ("open", False, None)
    assert found["carriers"] == [{"operator": "elisa", "share": 1.0}]
    assert "breaker of all binds open" in text_of(router)


def test_what_waits_there_in_its_lane_and_above_is_told_with_the_time_it_takes() -> None:
    router = FakeRouter()
    router.bring_up(TELIA)
    for _ in range(100):
        router.journey.lanes.put(router.message(BANK, OTP, age_s=3.0))
    for _ in range(10):
        router.journey.lanes.put(router.message(SHOP, BULK, age_s=90.0))
    bank, shop = now(router)["operators"][0], now(router, "shop")["operators"][0]
    assert (bank["waiting"], bank["oldest_s"]) == (100, 3.0)
    assert (shop["waiting"], shop["oldest_s"]) == (110, 90.0)
    assert bank["wait_s"] == pytest.approx(2.0, rel=0.1), "one bind of 50/s is up"
    assert "100 wait there in lane otp and above, the oldest for 3.0s, about 2.0s" in text_of(
        router
    )


def test_router_that_takes_no_messages_says_so() -> None:
    router = FakeRouter()
    router.bring_up(TELIA)
    router.journey.intake.draining = True
    assert text_of(router).endswith("carries: nobody: the router is not ready: draining")
    router.journey.intake.draining = False
    for _ in range(router.settings.accounts[BANK].queue):
        router.journey.rooms.take(BANK, 1)
    assert "the queue of account bank is full" in text_of(router)


def test_refused_message_has_no_operators() -> None:
    router = FakeRouter()
    refused = explain(router.settings, Question(account=BANK, to="3581999000"), 1.8e9)
    lines = dict(lines_of(refused, None))
    assert v.status_name(v.ESME_RINVDSTADR) in lines["refused"]
    assert "carries" not in lines
