"""router/accept/admission.py, router/journey.py: bursts are absorbed, then held, then refused.

What is held stays in its order for at most a second; answers and enquire_link pass it by.
"""

from typing import Final

import pytest

from router.accept.admission import MOST_HELD, MOST_UNANSWERED_OCTETS
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.terms.limits import Rate
from router.terms.outcome import Outcome
from router.terms.settings import Settings
from tests.doubles import Client, Router, World, data_sm, with_account

HAIR_S: Final = 1e-6


def statuses(client: Client, numbers: list[int]) -> list[int | None]:
    return [client.status_of(number) for number in numbers]


def answered_after_s(client: Client, number: int, since: float) -> float:
    return client.answered_at[number] - since


@pytest.fixture
def slow(world: World, contract: Settings) -> Router:
    """Bank may submit 10 in a second, and 5 at once."""
    return Router(world, with_account(contract, "bank", rate=Rate(10, 1.0), burst=5))


def test_a_burst_is_absorbed(world: World, slow: Router) -> None:
    client = slow.client()
    numbers = [client.submit() for _ in range(5)]
    world.settle()
    assert statuses(client, numbers) == [v.ESME_ROK] * 5


def test_what_is_over_the_rate_is_held_and_goes_in_when_the_rate_allows_it(
    world: World, slow: Router
) -> None:
    client = slow.client()
    since = world.now
    numbers = [client.submit() for _ in range(14)]
    world.run(2.0)
    assert statuses(client, numbers) == [v.ESME_ROK] * 14
    waits = [answered_after_s(client, number, since) for number in numbers[5:]]
    assert waits == pytest.approx([n / 10 for n in range(1, 10)], abs=0.01)
    assert list(client.answers)[1:] == numbers
    ids = [int(client.id_of(number)) for number in numbers]
    assert ids == sorted(ids)


def test_time_of_a_message_that_was_held_counts_from_when_it_came(
    world: World, slow: Router
) -> None:
    slow.operator("telia")
    client = slow.client()
    for _ in range(8):
        client.submit(registered_delivery=0)
    world.run(3.0)
    spans = [
        (one.at_utc - one.message.accepted_utc, one.message.sent_at - one.message.accepted_at)
        for one in slow.settled
    ]
    assert len(spans) == 8
    assert all(total_s >= queue_s - HAIR_S for total_s, queue_s in spans)
    assert max(queue_s for _, queue_s in spans) >= 0.3  # Three were held.


def test_after_a_second_what_is_held_is_throttled_in_its_order(world: World, slow: Router) -> None:
    client = slow.client()
    since = world.now
    numbers = [client.submit() for _ in range(50)]
    world.run(0.99)
    assert statuses(client, numbers[14:]) == [None] * 36
    world.run(0.02)
    answers = statuses(client, numbers)
    assert answers == [v.ESME_ROK] * 15 + [v.ESME_RTHROTTLED] * 35
    assert max(answered_after_s(client, number, since) for number in numbers) <= 1.001
    order = [number for number in client.answers if client.status_of(number)]
    assert order == numbers[15:]
    assert slow.journey.counters.refused_pdus == {"throttled": 35}


def test_a_client_that_keeps_to_its_rate_is_never_held(world: World, slow: Router) -> None:
    client = slow.client()
    waits = []
    for _ in range(30):
        since = world.now
        number = client.submit()
        world.run(0.1)
        waits.append(answered_after_s(client, number, since))
    assert max(waits) < 0.001


def test_a_client_that_sends_too_much_gets_all_that_its_rate_allows(
    world: World, slow: Router
) -> None:
    client = slow.client()
    numbers = []
    for _ in range(100):
        numbers.append(client.submit())
        world.run(0.05)
    world.run(2.0)
    taken = statuses(client, numbers).count(v.ESME_ROK)
    assert 50 <= taken <= 5 + 10 * 7


def test_the_binds_of_an_account_share_its_rate(world: World, slow: Router) -> None:
    clients = [slow.client(), slow.client()]
    numbers = [(client, client.submit()) for _ in range(20) for client in clients]
    world.run(2.0)
    taken = [client.status_of(number) for client, number in numbers].count(v.ESME_ROK)
    assert 14 <= taken <= 16


def test_one_account_does_not_hold_up_another(world: World, slow: Router) -> None:
    client, shop = slow.client(), slow.client(b"shop", b"secret02")
    for _ in range(100):
        client.submit()
    number = shop.submit()
    world.settle()
    assert shop.status_of(number) == v.ESME_ROK


# The window.


def test_what_is_over_the_window_is_held_until_an_answer(world: World, contract: Settings) -> None:
    router = Router(world, with_account(contract, "bank", window=3))
    client = router.client()
    router.disk.delay_s = 0.2
    numbers = [client.submit() for _ in range(9)]
    world.run(0.1)
    assert client.link.admission.held == 6
    world.run(0.7)
    assert statuses(client, numbers) == [v.ESME_ROK] * 9
    assert list(client.answers)[1:] == numbers


def test_a_window_that_stays_full_for_a_second_throttles(world: World, contract: Settings) -> None:
    router = Router(world, with_account(contract, "bank", window=3))
    client = router.client()
    router.disk.is_stuck = True
    numbers = [client.submit() for _ in range(9)]
    world.run(1.1)
    assert statuses(client, numbers) == [None] * 3 + [v.ESME_RTHROTTLED] * 6
    router.disk.go_on()
    world.run(0.1)
    assert statuses(client, numbers[:3]) == [v.ESME_ROK] * 3
    assert router.room_taken() == 3


# The room.


@pytest.fixture
def cramped(world: World, contract: Settings) -> Router:
    """Bank may have 5 messages waiting."""
    return Router(world, with_account(contract, "bank", queue=5))


def test_a_full_queue_is_held_and_then_refused_as_full(world: World, cramped: Router) -> None:
    client = cramped.client()
    numbers = [client.submit() for _ in range(8)]
    world.run(0.9)
    assert statuses(client, numbers) == [v.ESME_ROK] * 5 + [None] * 3
    world.run(0.2)
    assert statuses(client, numbers[5:]) == [v.ESME_RMSGQFUL] * 3
    assert cramped.room_taken() == 5
    assert cramped.journey.counters.refused_pdus == {"queue_full": 3}
    assert cramped.journey.rooms.refused == {"bank": 3}


def test_a_place_that_comes_free_is_taken_by_what_is_held(world: World, cramped: Router) -> None:
    client = cramped.client()
    numbers = [client.submit(registered_delivery=0) for _ in range(8)]
    world.run(0.5)
    telia = cramped.operator("telia")
    world.run(0.5)
    assert statuses(client, numbers) == [v.ESME_ROK] * 8
    assert len(telia.submits) == 8
    cramped.assert_all_is_over()


def test_nothing_overtakes_what_is_held(world: World, cramped: Router) -> None:
    telia = cramped.operator("telia", status=None)
    client = cramped.client()
    numbers = [client.submit(text=b"%d" % n, registered_delivery=0) for n in range(8)]
    world.run(0.5)
    assert client.link.admission.held == 3
    telia.answer(telia.submits[0][1])  # A place comes free, of which what is held is not told,
    world.run(0.001)
    numbers.append(client.submit(text=b"8", registered_delivery=0))  # and another one comes.
    telia.status = lambda _: 0
    for _, pdu in telia.submits[1:]:
        telia.answer(pdu)
    world.run(1.0)
    assert statuses(client, numbers) == [v.ESME_ROK] * 9
    ids = [int(client.id_of(number)) for number in numbers]
    assert ids == sorted(ids)


@pytest.mark.parametrize("wanted", [0, 1])
@pytest.mark.parametrize("status", [0, 0x0B, 0x45, 0x58, 0x14, 0x08])
def test_every_message_gives_its_room_back(
    world: World, cramped: Router, status: int, wanted: int
) -> None:
    telia, _ = cramped.operator("telia"), cramped.operator("elisa")
    client = cramped.client()
    for _ in range(4):
        telia.status = lambda pdu: status if pdu.sequence_number % 2 else 0
        numbers = [client.submit(registered_delivery=wanted) for _ in range(5)]
        world.run(20.0)
        assert statuses(client, numbers) == [v.ESME_ROK] * 5
        telia.status = lambda _: 0
        world.run(20.0)
        assert cramped.room_taken() == 0


def test_what_expires_gives_its_room_back(world: World, cramped: Router) -> None:
    client = cramped.client()
    for _ in range(3):
        numbers = [client.submit(validity_period=b"000000000005000R") for _ in range(5)]
        world.run(7.0)
        assert statuses(client, numbers) == [v.ESME_ROK] * 5
    assert cramped.outcomes == [Outcome.EXPIRED] * 15
    cramped.assert_all_is_over()


def test_what_waits_for_its_receipt_takes_no_room(world: World, cramped: Router) -> None:
    telia = cramped.operator("telia")
    client = cramped.client()
    for _ in range(4):
        for _ in range(5):
            client.submit()
        world.run(1.0)
    assert len(telia.submits) == 20
    assert cramped.room_taken() == 0


def test_the_room_of_one_account_is_not_that_of_another(world: World, cramped: Router) -> None:
    client, shop = cramped.client(), cramped.client(b"shop", b"secret02")
    for _ in range(10):
        client.submit()
    number = shop.submit()
    world.settle()
    assert shop.status_of(number) == v.ESME_ROK


# Meanwhile.


def test_enquire_link_and_receipts_pass_by_what_is_held(world: World, slow: Router) -> None:
    telia = slow.operator("telia")
    client = slow.client()
    client.submit()
    world.run(1.0)
    for _ in range(50):
        client.submit()
    client.far.send(p.build(v.ENQUIRE_LINK, 0, 999))
    telia.report(b"1")
    world.settle()
    assert client.link.admission.held > 0
    assert client.status_of(999) == v.ESME_ROK
    assert len(client.receipts) == 1
    assert not slow.journal.held  # Its deliver_sm_resp was read as well.


def test_a_data_sm_is_held_like_a_submit_sm(world: World, slow: Router) -> None:
    client = slow.client()
    for number in range(100, 110):
        client.far.send(data_sm(number, source=(5, 0, b"BANK"), destination=(1, 1, b"37255512345")))
    world.run(2.0)
    assert [client.status_of(number) for number in range(100, 110)] == [v.ESME_ROK] * 10
    assert client.answers[100].command_id == v.DATA_SM | v.RESPONSE


def test_a_session_that_ends_takes_what_is_held_with_it(world: World, slow: Router) -> None:
    telia = slow.operator("telia")
    client = slow.client()
    for _ in range(50):
        client.submit(registered_delivery=0)
    world.run(0.05)
    client.far.drop()
    world.run(3.0)
    assert len(telia.submits) == 5
    assert slow.room_taken() == 0
    slow.assert_all_is_over()


def test_an_unbind_waits_for_what_is_held_and_is_answered_last(world: World, slow: Router) -> None:
    client = slow.client()
    numbers = [client.submit() for _ in range(30)]
    client.far.send(p.build(v.UNBIND, 0, 999))
    world.run(1.5)
    assert None not in statuses(client, numbers)
    assert list(client.answers)[-1] == 999
    assert client.far.closed


def test_more_than_can_be_held_is_refused_at_once(world: World, slow: Router) -> None:
    client = slow.client()
    numbers = [client.submit() for _ in range(MOST_HELD + 50)]
    world.settle()
    answers = statuses(client, numbers)
    assert answers[:5] == [v.ESME_ROK] * 5
    assert answers[5 : MOST_HELD + 5] == [None] * MOST_HELD
    assert answers[MOST_HELD + 5 :] == [v.ESME_RTHROTTLED] * 45


def test_what_is_held_when_the_router_drains_is_refused(world: World, slow: Router) -> None:
    client = slow.client()
    numbers = [client.submit() for _ in range(10)]
    world.settle()
    slow.journey.intake.draining = True
    world.run(1.5)
    assert statuses(client, numbers[5:]) == [v.ESME_RSYSERR] * 5
    assert slow.room_taken() == 5


def test_what_the_disk_has_not_written_is_limited_and_harms_no_other_account(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_account(contract, "bank", rate=None, window=1000))
    client, other = router.client(), router.client(b"shop", b"secret02")
    router.journal.writes_are_stuck = True
    tlv = p.tlv(v.MESSAGE_PAYLOAD, b"x" * 60_000)
    numbers = [client.submit(text=b"", tlvs=tlv) for _ in range(100)]
    world.run(0.5)
    number = other.submit()
    waits = client.link.account.unanswered_octets
    assert MOST_UNANSWERED_OCTETS <= waits < MOST_UNANSWERED_OCTETS + 70_000
    router.journal.go_on()
    world.run(2.0)
    assert other.status_of(number) == v.ESME_ROK
    told = statuses(client, numbers)
    assert set(told) == {v.ESME_ROK, v.ESME_RTHROTTLED}  # Beyond what one session may hold.
    assert told.count(v.ESME_ROK) > 67
    assert router.journey.counters.refused_pdus == {"throttled": told.count(0x58)}
    assert client.link.account.unanswered_octets == 0
