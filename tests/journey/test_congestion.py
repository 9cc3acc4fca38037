"""More comes than the router can take: who waits, who is refused, and that it ends by itself.

The journal takes a while for each commit, so that the line in which connections wait is served now
and then; what a client sends comes at once.
"""

from dataclasses import replace
from typing import Final

import pytest
from structlog.testing import capture_logs

from router.accept.congestion import CALM_S
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.reading import (
    ALONE_PDUS,
    BEHIND_MESSAGES,
    GIVES_UP,
    LATE_OF,
    LATE_S,
    MUCH_BEHIND,
    SHARE_S,
    SHARED_PDUS,
    STEP_PDUS,
    USELESS_BURST,
)
from router.telemetry.account_events import log_congestion
from router.terms.names import AccountName, RouterId
from router.terms.settings import Settings
from tests.doubles import Client, Router, World, with_account

SUBMIT: Final = p.sm(
    v.SUBMIT_SM, 1, source=(5, 0, b"BANK"), destination=(1, 1, b"37255512345"), short_message=b"hi"
)
MUCH: Final = 4000
SLOW_S: Final = 0.25
"""How long a commit takes: some hundred messages a second are taken."""


@pytest.fixture
def router(world: World, contract: Settings) -> Router:
    """No account has a limit that is in the way; bank has the most urgent lane, shop has not."""
    settings = contract
    for name in ("bank", "shop"):
        limits = {"window": 100_000, "queue": 1_000_000, "rate": None, "max_binds": 10}
        settings = with_account(settings, name, **limits)
    shop = settings.accounts["shop"]  # type: ignore[index]
    other = replace(shop, name="other")  # type: ignore[arg-type]
    router = Router(world, replace(settings, accounts={**settings.accounts, other.name: other}))
    router.disk.delay_s = SLOW_S
    router.step_takes_s = SHARE_S
    return router


def shop(router: Router) -> Client:
    return router.client(b"shop", b"secret02")


def other(router: Router) -> Client:
    return router.client(b"other", b"secret02")


def flood(client: Client, count: int = MUCH) -> list[int]:
    """Send so many at once; return their sequence_numbers."""
    numbers = [client.far.next_sequence() for _ in range(count)]
    client.far.send(b"".join(p.relay(SUBMIT, number) for number in numbers))
    return numbers


def statuses(client: Client, numbers: list[int]) -> list[int | None]:
    return [client.status_of(number) for number in numbers]


def test_much_at_once_that_is_taken_in_time_is_only_delayed(world: World, router: Router) -> None:
    client = shop(router)
    numbers = flood(client, 4 * BEHIND_MESSAGES)
    world.run(10.0)
    assert statuses(client, numbers) == [v.ESME_ROK] * len(numbers)
    assert not router.journey.intake.congestion.is_on


def test_what_waits_too_long_is_throttled_and_all_is_answered(world: World, router: Router) -> None:
    client, since = shop(router), world.now
    numbers = flood(client)
    world.run(10.0)
    told = statuses(client, numbers)
    assert set(told) == {v.ESME_ROK, v.ESME_RTHROTTLED}
    refused = told.count(v.ESME_RTHROTTLED)
    assert router.journey.counters.refused_pdus == {"congested": refused}
    assert router.journey.intake.congestion.count == refused
    assert told[: 2 * BEHIND_MESSAGES] == [v.ESME_ROK] * 2 * BEHIND_MESSAGES  # These were in time.
    waited_s = max(client.answered_at[number] - since for number in numbers)
    assert LATE_S < waited_s < 3 * LATE_S
    assert router.accepted == told.count(v.ESME_ROK)


def test_order_of_a_client_is_kept_and_its_refusals_cost_it_nothing(
    world: World, router: Router
) -> None:
    client = shop(router)
    numbers = flood(client)
    world.run(10.0)
    ids = [int(client.id_of(n)) for n in numbers if client.status_of(n) == v.ESME_ROK]
    assert ids == sorted(ids)
    assert "peer.slowed" not in router.journey.counters.refused_pdus


def test_one_that_sends_little_is_neither_refused_nor_delayed_for_one_that_sends_much(
    world: World, router: Router
) -> None:
    greedy, fair = shop(router), other(router)
    flood(greedy)
    numbers, since = [], {}
    for _ in range(40):
        number = fair.submit()
        numbers.append(number)
        since[number] = world.now
        world.run(0.1)
    world.run(2.0)
    assert statuses(fair, numbers) == [v.ESME_ROK] * 40
    assert max(fair.answered_at[n] - at for n, at in since.items()) <= 2 * SLOW_S + 0.01


def test_more_binds_get_no_more_of_the_router(world: World, router: Router) -> None:
    many, one = [shop(router) for _ in range(4)], other(router)
    of_many = [(client, flood(client)) for client in many]
    of_one = flood(one)
    world.run(LATE_S)
    # Without the first of each connection, with which the router did not know yet what comes.
    taken_of_many = sum(
        statuses(client, its[ALONE_PDUS:]).count(v.ESME_ROK) for client, its in of_many
    )
    taken_of_one = statuses(one, of_one[SHARED_PDUS:]).count(v.ESME_ROK)
    assert taken_of_one >= BEHIND_MESSAGES
    assert taken_of_many <= 2 * taken_of_one  # Else it is four times as many.


def test_urgent_lane_does_not_wait_for_the_journal_as_others_do(
    world: World, router: Router
) -> None:
    urgent, greedy = router.client(), shop(router)
    of_greedy = flood(greedy)
    since = world.now
    of_urgent = flood(urgent, 3 * BEHIND_MESSAGES)
    world.run(LATE_S)
    assert statuses(urgent, of_urgent) == [v.ESME_ROK] * len(of_urgent)
    assert None in statuses(greedy, of_greedy)
    waited_s = max(urgent.answered_at[number] - since for number in of_urgent)
    assert waited_s <= 3 * SLOW_S + 0.01


def test_commits_that_stay_slow_keep_nobody_without_an_answer_while_urgent_messages_go_on(
    world: World, router: Router
) -> None:
    urgent, fair = router.client(), other(router)
    flood(shop(router))
    router.journey.commits.times.are_long = True
    asked: dict[int, float] = {}
    for _ in range(20):
        asked[fair.submit()] = world.now
        number = fair.far.next_sequence()
        fair.far.send(p.build(v.ENQUIRE_LINK, 0, number))
        asked[number] = world.now
        for _ in range(20):
            urgent.submit()
            world.run(0.05)
    world.run(1.0)
    assert statuses(fair, list(asked)) == [v.ESME_ROK] * len(asked)
    assert max(fair.answered_at[number] - at for number, at in asked.items()) < 0.9 * LATE_S


def test_what_operators_bring_keeps_no_client_waiting_where_commits_stay_slow(
    world: World, router: Router
) -> None:
    commits, client = router.journey.commits, shop(router)
    commits.times.are_long = True
    router.disk.is_stuck = True
    commits.settles.seen_answers.append(RouterId(1))
    commits.flush()
    assert router.journal.pending
    assert not commits.is_slow
    flood(client, 4)
    world.settle()
    assert commits.is_slow


def test_client_is_answered_in_a_second_or_two_however_long_the_journal_is_stuck(
    world: World, router: Router
) -> None:
    urgent, fair = router.client(), other(router)
    router.disk.is_stuck = True
    flood(urgent)
    world.run(1.0)
    assert router.journey.commits.accepting > BEHIND_MESSAGES * MUCH_BEHIND
    asked: dict[int, float] = {}
    for _ in range(3 * GIVES_UP):
        asked[fair.submit()] = world.now
        number = fair.far.next_sequence()
        fair.far.send(p.build(v.ENQUIRE_LINK, 0, number))
        asked[number] = world.now
        world.run(1.0)
    world.run(1.0)
    assert statuses(fair, list(asked)) == [v.ESME_RTHROTTLED, v.ESME_ROK] * (3 * GIVES_UP)
    assert max(fair.answered_at[number] - at for number, at in asked.items()) < 2 * LATE_S + 0.1


def test_who_sends_too_much_for_long_still_gets_its_part(world: World, router: Router) -> None:
    greedy, shares = shop(router), []
    for _ in range(8):
        before = router.accepted
        flood(greedy, 2000)
        world.run(1.0)
        shares.append(router.accepted - before)
    assert min(shares) >= BEHIND_MESSAGES


def test_congestion_is_over_by_itself_and_is_told_twice(world: World, router: Router) -> None:
    client, congestion = shop(router), router.journey.intake.congestion
    numbers = flood(client)
    with capture_logs() as told:
        for _ in range(50):
            world.run(0.1)
            log_congestion(congestion, world.now)
        refused = statuses(client, numbers).count(v.ESME_RTHROTTLED)
        since = world.now
        number = client.submit()
        world.run(1.0)
        assert client.status_of(number) == v.ESME_ROK
        assert client.answered_at[number] - since == pytest.approx(SLOW_S, abs=0.01)
        assert congestion.is_on
        world.run(CALM_S)
        log_congestion(congestion, world.now)
        log_congestion(congestion, world.now)
    assert not congestion.is_on
    assert [one["event"] for one in told] == ["router.congested", "router.kept_up"]
    assert told[1]["refused"] == refused
    flood(client)
    world.run(2 * LATE_S)
    assert congestion.is_on
    assert 0 < congestion.count < 2 * refused


def waiting(world: World, router: Router) -> Client:
    """A client with much in line that is late by now; the journal is stuck."""
    router.disk.is_stuck = True
    router.step_takes_s = SHARE_S
    client = shop(router)
    flood(client)
    world.settle()
    world.now += 2 * LATE_S  # And nobody has been served meanwhile.
    return client


def test_of_what_is_late_one_message_of_several_is_taken(world: World, router: Router) -> None:
    client = waiting(world, router)
    client.link.read_on()
    assert len(router.journey.commits.accepts.accepted) == STEP_PDUS
    refused = STEP_PDUS * (LATE_OF - 1)
    assert router.journey.counters.refused_pdus == {"congested": refused}


def test_of_what_is_given_up_nothing_is_taken(world: World, router: Router) -> None:
    client = waiting(world, router)
    client.link.give_up()
    assert not router.journey.commits.accepts.accepted
    assert router.journey.counters.refused_pdus == {"congested": STEP_PDUS * LATE_OF}


def test_what_is_late_is_not_held_where_there_is_no_room(world: World, router: Router) -> None:
    client = waiting(world, router)
    settings = router.settings.accounts
    shop_now = settings[AccountName("shop")]
    router.journey.rooms.adopt({shop_now.name: replace(shop_now, queue=1)})
    client.link.read_on()
    assert client.link.admission.held == 0
    assert router.journey.counters.refused_pdus == {
        "congested": STEP_PDUS * (LATE_OF - 1),
        "queue_full": STEP_PDUS,
    }


@pytest.mark.parametrize("gives_up", [False, True])
def test_what_is_late_while_the_router_stops_is_refused_for_that(
    world: World, router: Router, *, gives_up: bool
) -> None:
    client = waiting(world, router)
    router.journey.intake.draining = True
    if gives_up:
        client.link.give_up()
    else:
        client.link.read_on()
    assert router.journey.counters.refused_pdus == {"draining": STEP_PDUS * LATE_OF}


def test_what_a_client_itself_holds_up_is_not_late(world: World, router: Router) -> None:
    router.disk.delay_s = 0.01
    client = shop(router)
    useless = p.build(v.ENQUIRE_LINK, 0, 1) * (2 * USELESS_BURST)
    numbers = [client.far.next_sequence() for _ in range(40)]
    client.far.send(useless + b"".join(p.relay(SUBMIT, number) for number in numbers))
    world.run(0.5 * LATE_S)
    assert None in statuses(client, numbers)
    world.run(10.0)
    assert set(router.journey.counters.refused_pdus) == {"peer.slowed"}
    assert statuses(client, numbers) == [v.ESME_ROK] * len(numbers)
    assert not router.journey.intake.congestion.is_on


def test_what_came_while_a_client_did_not_read_is_not_late(world: World, router: Router) -> None:
    router.disk.delay_s = 0.01
    client = shop(router)
    client.link.pause_writing()
    numbers = flood(client, 2 * SHARED_PDUS)
    world.run(2 * LATE_S)
    client.link.resume_writing()
    world.run(2.0)
    assert statuses(client, numbers) == [v.ESME_ROK] * len(numbers)
    assert not router.journey.intake.congestion.is_on


def test_refusals_while_a_router_stops_say_so(world: World, router: Router) -> None:
    client = shop(router)
    numbers = flood(client)
    world.run(0.1)
    router.journey.intake.draining = True
    world.run(5.0)
    told = statuses(client, numbers)
    assert v.ESME_RTHROTTLED not in told
    assert told[-1] == v.ESME_RSYSERR
