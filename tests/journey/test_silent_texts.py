"""forward/pool.py, circuit.py: a healthy operator is closed to nobody by what it never answers."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from router.forward.breaker import BreakerState
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu
from router.terms.limits import Rate
from router.terms.names import OperatorName
from router.terms.outcome import Outcome
from router.terms.settings import Settings, StatusAction
from tests.doubles import Client, Operator, Router, World, with_account, with_action, with_operator

TELIA = OperatorName("telia")
TIMEOUT_S = 10.0
PER_SECOND = 100
DAY = b"000001000000000R"


def scene(world: World, contract: Settings, timeout_s: float) -> tuple[Router, Operator, Client]:
    """A router with one bind of one operator, which is the only one that takes anything."""
    settings = with_account(contract, "bank", window=10_000, rate=None, burst=None)
    settings = replace(settings, session=replace(settings.session, response_timeout_s=timeout_s))
    (bind, *_) = settings.operators[TELIA].binds
    bind = replace(bind, rate=Rate(PER_SECOND * 2, 1.0), window=None)
    settings = with_action(settings, "telia", v.ESME_RSYSERR, StatusAction(do="fail"))
    router = Router(world, with_operator(settings, "telia", binds=(bind,)))
    return router, router.operator("telia"), router.client()


@pytest.fixture
def busy(world: World, contract: Settings) -> tuple[Router, Operator, Client]:
    """The same, with answers that are due soon."""
    return scene(world, contract, TIMEOUT_S)


def silent_at(
    text: bytes, lost: float = 0.0, throttled: float = 0.0
) -> Callable[[Pdu], int | None]:
    """Never answers this text, and loses and throttles such shares of the others."""
    rng = random.Random(5)

    def judge(pdu: Pdu) -> int | None:
        if p.Sm(pdu).short_message.startswith(text) or rng.random() < lost:
            return None
        return v.ESME_RTHROTTLED if rng.random() < throttled else v.ESME_ROK

    return judge


def submit(client: Client, text: bytes) -> None:
    client.submit(text=text, registered_delivery=0, validity_period=DAY)


def taken_within(router: Router, client: Client, seconds: float) -> bool:
    """Whether a message that comes now is taken so soon."""
    before = router.outcomes.count(Outcome.SENT)
    submit(client, b"one-time password")
    router.world.run(seconds)
    return router.outcomes.count(Outcome.SENT) > before


def state_of(telia: Operator) -> BreakerState:
    return telia.bind.breaker.state


def assert_nobody_was_closed_or_slowed(telia: Operator) -> None:
    assert [one for one in telia.bind.operator.events if one.what in ("opened", "slowed")] == []


# Traffic that stops.


def test_when_traffic_stops_what_was_never_answered_says_nothing_of_the_operator(
    world: World, busy: tuple[Router, Operator, Client]
) -> None:
    router, telia, client = busy
    telia.status = silent_at(b"MUTE", lost=0.02, throttled=0.002)
    for second in range(40):
        if second % 4 == 0:
            submit(client, b"MUTE")
        for n in range(PER_SECOND):
            submit(client, b"%d" % n)
        world.run(1.0)
    for _ in range(300):
        world.run(1.0)
        assert state_of(telia) is BreakerState.CLOSED
    assert_nobody_was_closed_or_slowed(telia)
    assert router.outcomes.count(Outcome.SENT) == 40 * PER_SECOND
    assert taken_within(router, client, 0.1)


def test_the_log_names_what_is_never_answered_once_and_none_of_its_text(
    world: World, busy: tuple[Router, Operator, Client]
) -> None:
    _, telia, client = busy
    telia.status = silent_at(b"MUTE")
    number = client.submit(text=b"MUTE", registered_delivery=0, validity_period=DAY)
    world.run(300.0)
    (event,) = [one for one in telia.bind.operator.events if one.what == "unanswered"]
    assert event.about["id"] == client.id_of(number).decode()
    assert event.about["octets"] == 4
    assert "MUTE" not in repr(event)


def test_messages_that_are_never_answered_do_not_fill_the_log(
    world: World, busy: tuple[Router, Operator, Client]
) -> None:
    _, telia, client = busy
    telia.status = silent_at(b"MUTE")
    for _ in range(60):
        submit(client, b"MUTE")
        for n in range(PER_SECOND // 2):
            submit(client, b"%d" % n)
        world.run(1.0)
    events = [one for one in telia.bind.operator.events if one.what == "unanswered"]
    assert 20 <= len(events) <= 22


def test_messages_in_a_row_that_are_never_answered_close_nothing_where_others_are_answered(
    world: World, busy: tuple[Router, Operator, Client]
) -> None:
    _, telia, client = busy
    telia.status = silent_at(b"MUTE")
    for second in range(40):
        if second % 15 == 5:
            for _ in range(8):
                submit(client, b"MUTE")
        for n in range(PER_SECOND):
            submit(client, b"%d" % n)
        world.run(1.0)
    world.run(60.0)
    assert_nobody_was_closed_or_slowed(telia)


def test_an_operator_that_answers_too_few_is_closed(
    world: World, busy: tuple[Router, Operator, Client]
) -> None:
    _, telia, client = busy
    telia.status = silent_at(b"MUTE", lost=0.7)
    for _ in range(15):
        for n in range(PER_SECOND // 2):
            submit(client, b"%d" % n)
        world.run(1.0)
    assert telia.bind.breaker.opened


# A breaker that only messages in doubt could try for.


def closed(world: World, telia: Operator, client: Client) -> None:
    """Nothing but messages that are never answered: the breakers open, and their rest is over."""
    telia.status = silent_at(b"MUTE")
    for n in range(8):
        submit(client, b"MUTE %d" % n)
    world.run(TIMEOUT_S + 0.5)
    assert state_of(telia) is BreakerState.OPEN
    world.run(11.0)
    assert state_of(telia) is BreakerState.PROBING
    assert len(telia.submits) == 9  # One of them tries.


@pytest.mark.parametrize("later_s", [0.0, 5.0, 60.0, 200.0])
def test_a_new_message_does_not_wait_for_one_that_was_not_answered_before(
    world: World, busy: tuple[Router, Operator, Client], later_s: float
) -> None:
    router, telia, client = busy
    closed(world, telia, client)
    world.run(later_s)
    assert taken_within(router, client, 0.1)
    assert state_of(telia) is BreakerState.CLOSED


def test_what_is_not_answered_again_tries_less_and_less_often(
    world: World, busy: tuple[Router, Operator, Client]
) -> None:
    _, telia, client = busy
    closed(world, telia, client)
    opened, rest_s = telia.bind.breaker.opened, telia.bind.breaker.rest_s
    telia.bind.operator.events.clear()
    world.run(600.0)
    assert 9 + 4 <= len(telia.submits) <= 9 + 8  # After 20, 40, 80 and 120 s and their time-outs.
    assert (telia.bind.breaker.opened, telia.bind.breaker.rest_s) == (opened, rest_s)
    assert not [one for one in telia.bind.operator.events if one.what != "unanswered"]


def test_a_new_message_that_is_not_answered_either_opens_it_for_longer(
    world: World, busy: tuple[Router, Operator, Client]
) -> None:
    _, telia, client = busy
    closed(world, telia, client)
    before = len(telia.submits)
    for n in range(4):
        submit(client, b"MUTE too %d" % n)
    world.run(TIMEOUT_S - 0.5)
    assert len(telia.submits) == before + 1  # One new message, beside the other.
    world.run(1.0)
    assert state_of(telia) is BreakerState.OPEN
    assert telia.bind.breaker.rest_s == 20.0


def opened_beside(world: World, telia: Operator, client: Client) -> None:
    """The operator refuses messages while eight others are in flight; its rest is over."""
    telia.status = silent_at(b"MUTE")
    for n in range(8):
        submit(client, b"MUTE %d" % n)
    world.run(1.0)
    telia.status = lambda _: v.ESME_RSYSERR
    for _ in range(5):
        submit(client, b"refused")
    world.run(1.0)
    assert state_of(telia) is BreakerState.OPEN
    world.run(11.0)
    telia.status = silent_at(b"MUTE")
    assert state_of(telia) is BreakerState.PROBING
    assert telia.bind.in_use == 8


def test_what_was_in_flight_when_it_opened_holds_up_no_trial(
    world: World, contract: Settings
) -> None:
    router, telia, client = scene(world, contract, 30.0)
    opened_beside(world, telia, client)
    assert taken_within(router, client, 0.1)
    assert state_of(telia) is BreakerState.CLOSED


def test_what_was_in_flight_when_it_opened_decides_no_trial(
    world: World, contract: Settings
) -> None:
    router, telia, client = scene(world, contract, 30.0)
    opened_beside(world, telia, client)
    world.run(30.0)
    assert state_of(telia) is BreakerState.PROBING
    assert telia.bind.breaker.opened == 1
    assert taken_within(router, client, 0.1)
