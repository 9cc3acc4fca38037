"""router/steps/recall.py: a receipt finds its message although only the journal remembers it."""

from dataclasses import replace

import pytest

from router.report import receipts
from router.smpp import vocabulary as v
from router.terms.capacity import Capacity
from router.terms.names import AccountName, OperatorName
from router.terms.outcome import Outcome
from router.terms.settings import Settings
from tests.doubles import (
    FULL_DISK,
    Client,
    Operator,
    Router,
    World,
    receipt_text,
    with_lane,
    with_operator,
)
from tests.journey.scenes import connected, restarted_with

TELIA = OperatorName("telia")


NO_MEMORY = Capacity(pending_receipts=0)


@pytest.fixture
def capacity() -> Capacity:
    """Nothing that an operator took stays in memory for longer than it must."""
    return NO_MEMORY


def sent(world: World, router: Router, client: Client, count: int = 1) -> Operator:
    """Telia has taken so many messages, and only the journal knows."""
    telia = router.operator("telia")
    for _ in range(count):
        client.submit()
    world.run(3.0)
    assert len(telia.ids) == count
    assert (on_disk(router), in_memory(router)) == (count, 0)
    return telia


def on_disk(router: Router, operator: OperatorName = TELIA) -> int:
    return router.journey.pending.correlators[operator].behind


def in_memory(router: Router, operator: OperatorName = TELIA) -> int:
    return router.journey.pending.correlators[operator].in_memory


def doubted(world: World, router: Router, client: Client) -> Operator:
    """Telia was asked twice, and has taken the message twice, as 1 and 2."""
    telia = router.operator("telia", status=None)
    client.submit()
    world.run(30.5)
    for _, pdu in telia.submits:
        telia.answer(pdu)
    world.run(3.0)
    assert len(telia.ids) == 2
    return telia


def test_a_receipt_finds_its_message_on_the_disk(world: World, router: Router) -> None:
    client = router.client()
    telia = sent(world, router, client, 3)
    assert len(router.journey.pending.correlators[TELIA]) == 3
    number = telia.report(b"2")
    world.run(0.5)
    assert telia.answer_to(number) == v.ESME_ROK
    assert router.outcomes == [Outcome.DELIVERED]
    assert len(router.journey.pending.correlators[TELIA]) == 2
    second = list(client.answers)[2]
    (text,) = client.receipt_texts()
    assert text.startswith(b"id:" + client.id_of(second) + b" ")


def test_receipts_of_one_turn_ask_together(world: World, router: Router) -> None:
    telia = sent(world, router, router.client(), 20)
    telia.report_all()
    world.run(1.0)
    assert len(router.journal.recalls) == 1
    assert router.outcomes == [Outcome.DELIVERED] * 20
    router.assert_all_is_over()


def test_an_operator_hears_nothing_before_the_journal_has_answered(
    world: World, router: Router
) -> None:
    telia = sent(world, router, router.client())
    router.disk.is_stuck = True
    number = telia.report(b"1")
    world.run(0.5)
    assert telia.answer_to(number) is None
    router.disk.go_on()
    world.run(0.5)
    assert telia.answer_to(number) == v.ESME_ROK


def test_a_receipt_that_could_not_be_looked_up_comes_again(world: World, router: Router) -> None:
    telia = sent(world, router, router.client())
    router.journal.failing = FULL_DISK
    number = telia.report(b"1")
    world.settle()
    assert telia.answer_to(number) == v.ESME_RX_T_APPN
    router.journal.failing = None
    world.run(3.0)
    again = telia.report(b"1")
    world.run(0.5)
    assert telia.answer_to(again) == v.ESME_ROK
    assert router.outcomes == [Outcome.DELIVERED]
    router.assert_all_is_over()


def test_more_receipts_than_may_ask_come_again(world: World, contract: Settings) -> None:
    router = Router(world, contract, capacity=replace(NO_MEMORY, receipts_asking=2))
    telia = sent(world, router, router.client(), 3)
    numbers = [telia.report(operator_id) for operator_id in telia.ids]
    world.run(0.5)
    temporary = v.ESME_RX_T_APPN
    assert [telia.answer_to(number) for number in numbers] == [0, 0, temporary]
    telia.report(b"3")
    world.run(0.5)
    router.assert_all_is_over()


def test_a_receipt_that_the_journal_does_not_know_either_is_acknowledged_and_counted(
    world: World, router: Router
) -> None:
    telia = sent(world, router, router.client())
    number = telia.deliver(receipt_text(b"777", b"DELIVRD"), esm_class=4)
    world.run(0.5)
    assert telia.answer_to(number) == v.ESME_ROK
    assert router.journey.counters.receipts_unmatched[TELIA] == 1
    assert router.outcomes == []


@pytest.mark.parametrize("wait_s", [0.0, 0.5])
def test_a_receipt_that_comes_twice_is_told_once(
    world: World, router: Router, wait_s: float
) -> None:
    client = router.client()
    telia = sent(world, router, client, 2)  # One stays, so that the journal is asked again.
    numbers = []
    for _ in range(3):
        numbers.append(telia.report(b"1"))
        world.run(wait_s)
    world.run(0.5)
    assert [telia.answer_to(number) for number in numbers] == [0, 0, 0]
    assert router.outcomes == [Outcome.DELIVERED]
    assert len(client.receipts) == 1
    assert router.journey.counters.receipts_unmatched[TELIA] == 0


def test_a_receipt_that_comes_again_before_the_outcome_is_kept_is_told_once(
    world: World, contract: Settings
) -> None:
    router = Router(world, contract, capacity=replace(NO_MEMORY, ids_remembered=0))
    client = router.client()
    telia = sent(world, router, client, 2)
    router.journal.writes_are_stuck = True  # Readings are quick, and writing is slow.
    telia.report(b"1")
    world.run(0.1)
    telia.report(b"1")
    world.run(0.1)
    router.journal.go_on()
    world.run(1.0)
    assert router.outcomes == [Outcome.DELIVERED]
    assert len(client.receipts) == 1


def test_an_early_receipt_asks_in_vain_and_is_kept_for_its_answer(
    world: World, router: Router
) -> None:
    client = router.client()
    telia = sent(world, router, client)
    telia.status = lambda _: None
    client.submit()
    world.run(0.5)
    _, pdu = telia.submits[-1]
    number = telia.deliver(receipt_text(b"2", b"DELIVRD"), esm_class=4)
    world.run(0.5)
    assert telia.answer_to(number) == v.ESME_ROK
    telia.answer(pdu)
    world.run(0.5)
    assert router.outcomes == [Outcome.DELIVERED]
    assert on_disk(router) == 1


def test_an_answer_that_comes_while_the_journal_is_asked_is_found(
    world: World, router: Router
) -> None:
    client = router.client()
    telia = sent(world, router, client)
    telia.status = lambda _: None
    client.submit()
    world.run(0.5)
    _, pdu = telia.submits[-1]
    router.disk.is_stuck = True
    number = telia.deliver(receipt_text(b"2", b"DELIVRD"), esm_class=4)
    world.settle()
    telia.answer(pdu)
    world.settle()
    router.disk.go_on()
    world.run(0.5)
    assert telia.answer_to(number) == v.ESME_ROK
    assert router.outcomes == [Outcome.DELIVERED]


def test_receipts_of_one_message_keep_their_order_while_the_journal_is_asked(
    world: World, router: Router
) -> None:
    client = router.client()
    telia = router.operator("telia")
    client.submit(registered_delivery=17)
    client.submit()
    world.run(3.0)
    router.disk.is_stuck = True
    telia.report(b"1", b"ENROUTE", esm_class=0x20)
    world.settle()
    telia.report(b"1", b"DELIVRD")
    world.settle()
    router.disk.go_on()
    world.run(0.5)
    states = [text.partition(b" stat:")[2][:7] for text in client.receipt_texts()]
    assert states == [b"ENROUTE", b"DELIVRD"]


def test_an_early_receipt_that_asks_is_not_overtaken_by_a_later_one(
    world: World, router: Router
) -> None:
    client = router.client()
    telia = sent(world, router, client)
    telia.status = lambda _: None
    client.submit(registered_delivery=17)
    world.run(0.5)
    _, pdu = telia.submits[-1]
    router.disk.is_stuck = True
    telia.deliver(receipt_text(b"2", b"ENROUTE"), esm_class=0x20)
    world.settle()
    telia.answer(pdu)
    world.settle()
    telia.report(b"2")
    world.settle()
    router.disk.go_on()
    world.run(0.5)
    states = [text.partition(b" stat:")[2][:7] for text in client.receipt_texts()]
    assert states == [b"ENROUTE", b"DELIVRD"]


def test_what_an_intermediate_receipt_has_found_may_be_left_to_the_disk_again(
    world: World, router: Router
) -> None:
    client = router.client()
    telia = router.operator("telia")
    client.submit(registered_delivery=17)
    world.run(3.0)
    for _ in range(2):
        telia.report(b"1", b"ENROUTE", esm_class=0x20)
        world.run(3.0)
        assert (on_disk(router), in_memory(router)) == (1, 0)
    telia.report(b"1")
    world.run(3.0)
    assert len(client.receipts) == 3
    router.assert_all_is_over()


def test_an_id_in_another_base_is_found_on_the_disk(world: World, router: Router) -> None:
    client = router.client()
    telia = router.operator("telia")
    telia.next_id = 255
    client.submit()
    world.run(3.0)
    telia.ids[b"ff"] = telia.ids[b"255"]
    number = telia.report(b"ff")
    world.run(0.5)
    assert telia.answer_to(number) == v.ESME_ROK
    assert router.outcomes == [Outcome.DELIVERED]
    assert router.journey.pending.correlators[TELIA].guessed == 1


@pytest.mark.parametrize("older_first", [True, False])
def test_an_id_that_is_used_twice_goes_by_the_number(
    world: World, router: Router, *, older_first: bool
) -> None:
    client = router.client()
    telia = router.operator("telia")
    numbers = [client.submit(b"37255511111")]
    world.run(3.0)
    older = telia.ids[b"1"]
    telia.next_id = 1
    numbers.append(client.submit(b"37255522222"))
    world.run(0.1)
    assert (on_disk(router), in_memory(router)) == (1, 1)
    younger = telia.ids[b"1"]
    for pdu in (older, younger) if older_first else (younger, older):
        telia.ids[b"1"] = pdu
        telia.report(b"1")
        world.run(0.5)
    ids = [text.partition(b" ")[0].removeprefix(b"id:") for text in client.receipt_texts()]
    expected = [client.id_of(number) for number in numbers]
    assert ids == (expected if older_first else expected[::-1])
    router.assert_all_is_over()


# Two attempts of one message.


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("words", [(b"UNDELIV", b"DELIVRD"), (b"UNDELIV", b"REJECTD")])
def test_a_failure_is_withheld_while_the_other_attempt_is_open_even_across_restarts(
    world: World, router: Router, words: tuple[bytes, bytes], *, restarts: bool
) -> None:
    client = router.client()
    before = telia = doubted(world, router, client)
    back = client
    for place, (operator_id, word) in enumerate(zip((b"1", b"2"), words, strict=True)):
        if restarts:
            router = router.restarted()
            telia = router.operator("telia")
            telia.ids = before.ids
            back = router.client()
            world.run(0.5)
        number = telia.report(operator_id, word)
        world.run(3.0)
        assert telia.answer_to(number) == v.ESME_ROK
        assert len(router.outcomes) == place
    (text,) = back.receipt_texts()
    assert b" stat:" + words[1] in text
    assert not router.journal.messages
    assert not router.journal.attempts
    assert len(router.journey.pending.correlators[TELIA]) == 0


def test_success_wins_whichever_attempt_it_is_of(world: World, router: Router) -> None:
    client = router.client()
    before = doubted(world, router, client)
    again, telia = restarted_with(router, before)
    back = again.client()
    telia.report(b"2")
    world.run(0.5)
    assert again.outcomes == [Outcome.DELIVERED]
    number = telia.report(b"1", b"UNDELIV")
    world.run(0.5)
    assert telia.answer_to(number) == v.ESME_ROK
    assert again.outcomes == [Outcome.DELIVERED]
    assert len(back.receipts) == 1
    assert len(again.journey.pending.correlators[TELIA]) == 0


def test_a_failure_that_was_withheld_is_the_last_word_if_the_other_attempt_died_with_the_router(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_lane(contract, "otp", validity_s=None), capacity=NO_MEMORY)
    telia, client = connected(router, status=None)
    client.submit()
    world.run(30.5)
    (_, first), _ = telia.submits
    telia.answer(first)  # It is late; the second one is in flight.
    world.run(0.1)
    number = telia.report(b"1", b"UNDELIV")
    world.run(0.5)
    assert telia.answer_to(number) == v.ESME_ROK
    assert router.outcomes == []
    again = router.restarted()
    back = again.client()
    world.run(3.0)
    assert again.outcomes == [Outcome.FAILED]
    (text,) = back.receipt_texts()
    assert b" stat:UNDELIV " in text
    assert receipts.MADE_HERE not in text


# What waits for too long.


def test_the_wait_for_a_receipt_ends_on_the_disk_too(world: World, contract: Settings) -> None:
    settings = with_operator(contract, "telia", receipt_wait_s=100.0)
    router = Router(world, settings, capacity=NO_MEMORY)
    client = router.client()
    sent(world, router, client, 5)
    world.run(94.0)
    assert router.outcomes == []
    world.run(10.0)
    assert router.outcomes == [Outcome.UNKNOWN] * 5
    assert len(client.receipts) == 5
    router.assert_all_is_over()


def test_what_was_taken_back_is_not_forgotten_behind_younger_ones(
    world: World, contract: Settings
) -> None:
    settings = with_operator(contract, "telia", receipt_wait_s=100.0)
    router = Router(world, settings, capacity=NO_MEMORY)
    before = router.operator("telia")
    router.client().submit(registered_delivery=17)
    world.run(60.0)
    again = router.restarted(Capacity())
    telia = again.operator("telia")
    telia.ids, telia.next_id = before.ids, before.next_id
    again.client().submit()
    world.run(1.0)
    telia.report(b"1", b"ENROUTE", esm_class=0x20)
    world.run(1.0)
    assert (on_disk(again), in_memory(again)) == (0, 2)
    world.run(41.0)
    assert again.outcomes == [Outcome.UNKNOWN]


def test_each_attempt_has_its_own_wait(world: World, contract: Settings) -> None:
    settings = with_operator(contract, "telia", receipt_wait_s=100.0)
    router = Router(world, settings, capacity=NO_MEMORY)
    client = router.client()
    before = doubted(world, router, client)
    again, telia = restarted_with(router, before)
    telia.report(b"1", b"UNDELIV")
    world.run(90.0)
    assert again.outcomes == []
    world.run(12.0)
    assert again.outcomes == [Outcome.FAILED]
    assert len(again.journey.pending.correlators[TELIA]) == 0


def test_a_search_that_fails_is_taken_up_again(world: World, contract: Settings) -> None:
    settings = with_operator(contract, "telia", receipt_wait_s=100.0)
    router = Router(world, settings, capacity=NO_MEMORY)
    sent(world, router, router.client())
    router.journal.failing = FULL_DISK
    world.run(110.0)
    assert router.outcomes == []
    router.journal.failing = None
    world.run(5.0)
    assert router.outcomes == [Outcome.UNKNOWN]


# What the configuration knows no more.


def test_a_receipt_for_an_account_that_is_gone_waits_in_the_journal(
    world: World, router: Router
) -> None:
    client = router.client(b"shop", b"secret02")
    before = router.operator("telia")
    client.submit()
    world.run(3.0)
    settings = router.settings
    others = {name: one for name, one in settings.accounts.items() if name != "shop"}
    router.settings = replace(settings, accounts=others, routes=settings.routes[:1], inbound=())
    again, telia = restarted_with(router, before)
    number = telia.report(b"1")
    world.run(0.5)
    assert telia.answer_to(number) == v.ESME_ROK
    assert again.outcomes == [Outcome.DELIVERED]
    (held,) = again.journal.held.values()
    assert held.account == AccountName("shop")
    assert again.journey.taken_up["left_waiting"] == 1
