"""router/steps/client_retries.py: a submit sent again without its answer seen is one message."""

from dataclasses import replace

import pytest

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.link import Unacknowledged
from router.steps import client_retries
from router.terms.capacity import Capacity
from router.terms.names import AccountName
from router.terms.outcome import Outcome
from router.terms.settings import RetrySettings, Settings
from tests.doubles import FULL_DISK, Client, Router, World, data_sm, with_account
from tests.journey.scenes import renamed

RETRIES = RetrySettings(within_s=300.0, answer_after_s=10.0)
BANK = AccountName("bank")


@pytest.fixture
def settings(contract: Settings) -> Settings:
    return with_account(contract, "bank", retries=RETRIES)


@pytest.fixture
def router(world: World, settings: Settings) -> Router:
    return Router(world, settings)


def submitted(client: Client, text: bytes = b"hello", **fields: object) -> bytes:
    """Have a client submit this and be answered; return the id."""
    number = client.submit(text=text, **fields)  # type: ignore[arg-type]
    client.world.settle()
    assert client.status_of(number) == 0
    return client.id_of(number)


def recognised(router: Router) -> int:
    return router.journey.counters.retries_recognised[BANK]


# In which a client cannot have seen the answer.


def test_answer_that_was_not_written_when_the_session_ended(world: World, router: Router) -> None:
    router.journal.writes_are_stuck = True
    client = router.client()
    client.submit()
    world.settle()
    client.far.drop()
    router.journal.go_on()
    world.run(60.0)
    (first,) = router.journal.messages
    assert submitted(router.client()) == b"%d" % first
    assert recognised(router) == 1
    assert len(router.journal.messages) == 1


def test_answer_that_was_written_in_the_last_seconds_of_the_session(
    world: World, router: Router
) -> None:
    client = router.client()
    first = submitted(client)
    world.run(5.0)
    client.far.drop()
    world.run(200.0)
    assert submitted(router.client()) == first


def test_answer_that_was_written_before_those_was_seen(world: World, router: Router) -> None:
    client = router.client()
    first = submitted(client)
    world.run(5.1)
    client.far.drop()
    assert submitted(router.client()) != first
    assert recognised(router) == 0


def test_answer_that_comes_later_than_the_client_waits(world: World, router: Router) -> None:
    client = router.client()
    router.journal.accepts_told_after_s = 10.1
    number = client.submit()
    world.run(10.2)
    router.journal.accepts_told_after_s = 0.0
    first = client.id_of(number)
    world.run(100.0)
    assert submitted(client) == first


def test_answer_that_comes_as_late_as_the_client_waits_is_in_time(
    world: World, router: Router
) -> None:
    client = router.client()
    router.journal.accepts_told_after_s = 9.9
    number = client.submit()
    world.run(10.0)
    router.journal.accepts_told_after_s = 0.0
    assert submitted(client) != client.id_of(number)


def test_submit_that_comes_again_while_the_first_waits_too_long_is_answered_with_it(
    world: World, router: Router
) -> None:
    client = router.client()
    router.journal.writes_are_stuck = True
    number = client.submit()
    world.run(10.1)
    again = client.submit()
    once_more = client.submit()
    world.settle()
    assert client.status_of(again) is None
    router.journal.go_on()
    world.settle()
    assert client.id_of(number) == client.id_of(again) == client.id_of(once_more)
    assert len(router.journal.messages) == 1
    assert client.link.session.owed == 0


def test_the_same_twice_while_the_first_waits_no_longer_than_that_are_two(
    world: World, router: Router
) -> None:
    client = router.client()
    router.journal.writes_are_stuck = True
    one = client.submit()
    world.run(9.9)
    other = client.submit()
    router.journal.go_on()
    world.settle()
    assert client.id_of(one) != client.id_of(other)
    assert recognised(router) == 0


def test_two_that_were_answered_are_two(world: World, router: Router) -> None:
    client, other = router.client(), router.client()
    ids = {submitted(client), submitted(client), submitted(other)}
    world.run(5.1)
    ids |= {submitted(client), submitted(other)}
    assert len(ids) == 5
    assert recognised(router) == 0


def test_another_session_s_is_another_message_while_the_first_goes_on(
    world: World, router: Router
) -> None:
    client = router.client()
    first = submitted(client)
    assert submitted(router.client()) != first


def test_what_comes_later_than_within_is_another_message(world: World, router: Router) -> None:
    client = router.client()
    first, other = submitted(client), submitted(client, b"other")
    client.far.drop()
    world.run(299.0)
    assert submitted(router.client()) == first
    world.run(1.1)
    assert submitted(router.client(), b"other") != other


def test_session_whose_network_has_failed_ended_with_its_last_acknowledgement(
    world: World, router: Router
) -> None:
    client = router.client()
    first, seen = submitted(client), b""
    failed_at = world.now
    router.tells = lambda link: (
        Unacknowledged(100, world.now - failed_at, 0.0) if link is client.link else None
    )
    world.run(4.0)
    back = router.client()
    seen = submitted(back)  # So soon it is not known yet.
    assert seen != first
    world.run(30.0)
    assert submitted(back) == first
    assert submitted(back) != first


def test_what_was_acknowledged_before_the_network_failed_was_seen(
    world: World, router: Router
) -> None:
    client = router.client()
    first = submitted(client)
    failed_at = world.now + 5.5
    router.tells = lambda link: (
        Unacknowledged(100, world.now - failed_at, 0.0)
        if link is client.link and world.now > failed_at
        else None
    )
    world.run(60.0)
    assert submitted(router.client()) != first


def test_answers_that_stood_in_the_network_when_the_connection_broke_were_not_seen(
    world: World, router: Router
) -> None:
    client = router.client()
    failed_at = world.now
    router.tells = lambda link: (
        Unacknowledged(100, world.now - failed_at, 0.0) if link is client.link else None
    )
    first = submitted(client)
    world.run(20.0)
    router.tells = lambda _: None  # The connection is gone, and cannot be asked any more.
    client.far.drop()
    assert submitted(router.client()) == first


# What is one submit.


@pytest.mark.parametrize(
    "changed",
    [
        {"text": b"hello!"},
        {"destination": b"37255512346"},
        {"registered_delivery": 0},
        {"tlvs": p.tlv(0x0204, b"\0\1")},
        {"tlvs": p.tlv(0x1400, b"vendor")},
        {"data_coding": 3},
        {"esm_class": 3},
        {"schedule_delivery_time": b"270116080000000+"},
        {"validity_period": b"000001000000000R"},
    ],
)
def test_a_submit_that_differs_is_another(
    world: World, router: Router, changed: dict[str, object]
) -> None:
    client = router.client()
    first = submitted(client)
    client.far.drop()
    back = router.client()
    assert submitted(back, **changed) != first  # type: ignore[arg-type]
    assert submitted(back) == first


def test_sequence_number_and_absolute_validity_may_differ(world: World, router: Router) -> None:
    client = router.client()
    first = submitted(client, validity_period=b"270116080000000+")
    client.far.drop()
    back = router.client()
    submitted(back, b"other")
    assert submitted(back, validity_period=b"270116080010000+") == first


def test_another_account_s_is_another(world: World, settings: Settings) -> None:
    router = Router(world, with_account(settings, "shop", retries=RETRIES))
    client = router.client()
    first = submitted(client)
    client.far.drop()
    assert submitted(router.client(b"shop", b"secret02")) != first


def test_each_part_of_a_long_message_is_recognised_by_itself(world: World, router: Router) -> None:
    telia = router.operator("telia")
    client = router.client()
    parts = [b"\5\0\3\7\2" + bytes((number,)) + b"text" for number in (1, 2)]
    first = submitted(client, parts[0], esm_class=0x40)
    client.far.drop()
    back = router.client()
    ids = [submitted(back, part, esm_class=0x40) for part in parts]
    assert ids[0] == first != ids[1]
    world.run(1.0)
    assert telia.texts() == parts


def test_data_sm_is_recognised_and_is_no_submit_sm(world: World, router: Router) -> None:
    client = router.client()

    def sent(on: Client) -> bytes:
        number = on.far.next_sequence()
        fields = {"source": (5, 0, b"BANK"), "destination": (1, 1, b"37255512345")}
        octets = data_sm(number, **fields, tlvs=p.tlv(0x0424, b"hello"))  # type: ignore[arg-type]
        on.far.send(octets)
        world.settle()
        (answer,) = (pdu for pdu in on.far.pdus(v.DATA_SM_RESP) if pdu.sequence_number == number)
        assert answer.command_status == 0
        return p.message_id_of(answer)

    first = sent(client)
    client.far.drop()
    assert sent(router.client()) == first
    assert recognised(router) == 1


# As often as it comes.


def test_two_alike_that_were_not_answered_may_both_come_again(world: World, router: Router) -> None:
    client = router.client()
    first = [submitted(client), submitted(client)]
    for _ in range(3):
        client.far.drop()
        world.run(1.0)
        client = router.client()
        assert [submitted(client), submitted(client)] == first
    assert submitted(client) not in first
    assert len(router.journal.messages) == 3


def test_retry_whose_answer_was_seen_is_not_looked_for_any_more(
    world: World, router: Router
) -> None:
    client = router.client()
    first = submitted(client)
    client.far.drop()
    back = router.client()
    assert submitted(back) == first
    world.run(7.0)
    back.far.drop()
    assert submitted(router.client()) != first
    world.run(7.0)
    assert len(router.journey.client_retries) == 0
    assert not router.journal.unseen_answers


def answered_late(router: Router) -> tuple[Client, bytes]:
    """A client that was answered later than it waits, and the id."""
    client = router.client()
    router.journal.accepts_told_after_s = 10.1
    number = client.submit()
    router.world.run(10.1)
    router.journal.accepts_told_after_s = 0.0
    return client, client.id_of(number)


def test_retry_that_was_answered_in_time_is_the_end_of_it(world: World, router: Router) -> None:
    client, first = answered_late(router)
    assert submitted(client) == first
    assert submitted(client) != first
    world.run(7.0)
    assert submitted(client) != first


def test_retry_is_seen_by_the_session_that_sent_it_whatever_becomes_of_the_first_one(
    world: World, router: Router
) -> None:
    client, first = answered_late(router)
    back = router.client()
    assert submitted(back) == first
    world.run(1.0)
    client.far.drop()
    assert submitted(back) != first
    world.run(7.0)
    back.far.drop()
    assert submitted(router.client()) != first


def test_seconds_after_an_answer_count_from_the_latest(world: World, router: Router) -> None:
    client, first = answered_late(router)
    world.run(3.0)
    assert submitted(client) == first
    world.run(4.0)
    client.far.drop()
    assert submitted(router.client()) == first


def test_what_became_of_the_message_meanwhile_does_not_matter(world: World, router: Router) -> None:
    telia = router.operator("telia", status=v.ESME_RINVDSTADR)
    client = router.client()
    first = submitted(client)
    client.far.drop()
    world.run(1.0)
    assert router.outcomes == [Outcome.FAILED]
    assert submitted(router.client()) == first
    world.run(1.0)
    assert len(telia.submits) == 1
    assert router.room_taken() == 0


def test_retry_takes_no_room_and_no_window(world: World, settings: Settings) -> None:
    router = Router(world, with_account(settings, "bank", window=1, queue=2))
    client = router.client()
    first = submitted(client)
    client.far.drop()
    back = router.client()
    assert submitted(back) == first
    assert router.room_taken() == 1
    submitted(back, b"other")
    assert router.room_taken() == 2


# The journal.


def test_first_that_is_not_kept_refuses_those_that_wait_with_it(
    world: World, router: Router
) -> None:
    client = router.client()
    router.journal.writes_are_stuck = True
    number = client.submit()
    world.settle()
    client.far.drop()
    back = router.client()
    again = back.submit()
    world.settle()
    assert recognised(router) == 1
    router.journal.failing = FULL_DISK
    router.journal.go_on()
    world.settle()
    assert back.status_of(again) == v.ESME_RSYSERR
    assert client.status_of(number) is None
    router.journal.failing = None
    world.run(2.0)
    assert submitted(back)
    assert len(router.journal.messages) == 1
    assert router.room_taken() == 1
    assert back.link.session.owed == 0


def test_killed_router_knows_what_its_clients_may_not_have_seen(
    world: World, router: Router
) -> None:
    client = router.client()
    seen = submitted(client, b"seen")
    world.run(7.0)
    first, other = submitted(client), submitted(client, b"other")
    again = router.restarted()
    back = again.client()
    assert submitted(back) == first
    assert submitted(back, b"seen") != seen
    assert recognised(again) == 1
    world.run(300.0 - 7.0)
    third = again.restarted()
    back = third.client()
    world.run(10.0)
    assert submitted(back, b"other") != other  # Too old, however often the router is restarted.


def test_killed_before_it_could_answer(world: World, router: Router) -> None:
    client = router.client()
    router.journal.accepts_told_after_s = 1000.0
    number = client.submit()
    world.settle()
    assert client.status_of(number) is None
    (first,) = router.journal.messages
    router.journal.accepts_told_after_s = 0.0
    again = router.restarted()
    telia = again.operator("telia")
    assert submitted(again.client()) == b"%d" % first
    world.run(1.0)
    assert len(telia.submits) == 1


def test_stop_in_good_order_leaves_what_was_answered_last(world: World, router: Router) -> None:
    client = router.client()
    first = submitted(client)
    world.run(2.0)
    client.far.drop()
    world.run(10.0)
    assert submitted(router.restarted().client()) == first


# The configuration.


def test_without_the_key_nothing_is_remembered(world: World, contract: Settings) -> None:
    router = Router(world, contract)
    client = router.client()
    first = submitted(client)
    client.far.drop()
    assert submitted(router.client()) != first
    assert len(router.journey.client_retries) == 0
    assert not router.journal.unseen_answers


def test_key_that_is_taken_away_is_followed_and_what_was_kept_forgotten(
    world: World, router: Router, contract: Settings
) -> None:
    client = router.client()
    first = submitted(client)
    client.far.drop()
    router.adopt(contract)
    world.run(1.0)
    assert not router.journal.unseen_answers
    assert submitted(router.client()) != first


def test_earlier_process_s_are_forgotten_where_the_key_is_gone(
    world: World, router: Router, contract: Settings
) -> None:
    submitted(router.client())
    router.settings = contract
    again = router.restarted()
    world.run(1.0)
    assert not again.journal.unseen_answers


def test_renamed_account_keeps_what_it_is_owed(
    world: World, router: Router, settings: Settings
) -> None:
    client = router.client()
    first = submitted(client)
    client.far.drop()
    router.adopt(renamed(settings, account="bank"))
    world.run(1.0)
    assert submitted(router.client(b"bank2")) == first
    again = router.restarted()
    world.run(1.0)
    assert submitted(again.client(b"bank2")) == first


def test_within_may_change(world: World, router: Router, settings: Settings) -> None:
    client = router.client()
    first = submitted(client)
    client.far.drop()
    router.adopt(with_account(settings, "bank", retries=replace(RETRIES, within_s=20.0)))
    world.run(25.0)
    assert submitted(router.client()) != first


# Bounds.


def test_no_more_than_so_many_are_remembered(world: World, router: Router) -> None:
    router = Router(world, router.settings, capacity=Capacity(retries=5))
    client = router.client()
    ids = [submitted(client, b"%d" % number) for number in range(8)]
    client.far.drop()
    world.run(1.0)
    assert len(router.journey.client_retries) == len(router.journal.unseen_answers) == 5
    assert router.journey.counters.retries_forgotten[BANK] == 3
    back = router.client()
    assert submitted(back, b"7") == ids[7]
    assert submitted(back, b"2") != ids[2]


def test_no_more_than_so_many_alike_are_compared(world: World, router: Router) -> None:
    client = router.client()
    for _ in range(client_retries.MOST_ALIKE + 4):
        submitted(client)
    assert len(router.journey.client_retries) == client_retries.MOST_ALIKE
    assert router.journey.counters.retries_forgotten[BANK] == 4


def test_those_forgotten_before_the_journal_has_them_leave_nothing_there(
    world: World, router: Router
) -> None:
    router.journal.writes_are_stuck = True
    client = router.client()
    for _ in range(client_retries.MOST_ALIKE + 4):
        client.submit()
    world.settle()
    router.journal.go_on()
    world.run(1.0)
    assert len(router.journal.unseen_answers) == client_retries.MOST_ALIKE
    world.run(7.0)
    assert not router.journal.unseen_answers
