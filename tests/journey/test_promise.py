"""router/journey.py: ESME_ROK is a promise, so nothing is said or done before the disk has it."""

import pytest

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.terms.outcome import Outcome
from router.terms.settings import Settings
from tests.doubles import FULL_DISK, START_UTC, Router, World, with_lane
from tests.journey.scenes import connected, taken, told_in_vain


def test_nothing_is_answered_or_sent_before_the_commit(world: World, router: Router) -> None:
    telia, client = connected(router)
    router.disk.is_stuck = True
    number = client.submit()
    world.run(20.0)
    assert client.status_of(number) is None
    assert telia.submits == []
    router.disk.go_on()
    world.run(0.1)
    assert client.status_of(number) == v.ESME_ROK
    assert len(telia.submits) == 1


def test_an_operator_is_not_answered_before_its_receipt_is_kept(
    world: World, router: Router
) -> None:
    telia, client, _ = taken(router)
    router.disk.is_stuck = True
    report = telia.report(b"1")
    world.run(5.0)
    assert telia.answer_to(report) is None
    assert client.receipts == []
    router.disk.go_on()
    world.run(0.1)
    assert telia.answer_to(report) == v.ESME_ROK
    assert len(client.receipts) == 1
    router.assert_all_is_over()


def test_a_subscribers_message_is_not_answered_before_it_is_kept(
    world: World, router: Router
) -> None:
    elisa = router.operator("elisa", 2)
    client = router.client()
    router.disk.is_stuck = True
    number = elisa.deliver(b"STOP", destination=(3, 0, b"12302"))
    world.run(5.0)
    assert elisa.answer_to(number) is None
    assert client.receipts == []
    router.disk.go_on()
    world.run(0.1)
    assert elisa.answer_to(number) == v.ESME_ROK
    assert client.receipt_texts() == [b"STOP"]


def test_a_client_that_hangs_up_before_the_commit_has_its_message_sent(
    world: World, router: Router
) -> None:
    telia, client = connected(router)
    router.disk.is_stuck = True
    client.submit()
    world.run(0.1)
    client.far.drop()
    router.disk.go_on()
    world.run(1.0)
    assert len(telia.submits) == 1
    telia.report(b"1")
    world.run(1.0)
    assert router.outcomes == [Outcome.DELIVERED]
    assert len(router.client().receipts) == 1


def test_a_client_that_unbinds_before_the_commit_is_answered_first(
    world: World, router: Router
) -> None:
    client = router.client()
    router.disk.delay_s = 0.5
    number = client.submit()
    client.far.send(p.build(v.UNBIND, 0, 77))
    world.run(0.4)
    assert client.answers.get(77) is None
    world.run(0.2)
    assert client.status_of(number) == v.ESME_ROK
    assert client.status_of(77) == v.ESME_ROK
    assert client.far.closed


def test_a_failed_commit_is_a_system_error_and_nothing_is_sent(
    world: World, router: Router
) -> None:
    telia, client = connected(router)
    router.journal.failing = FULL_DISK
    first = client.submit()
    world.settle()
    assert client.status_of(first) == v.ESME_RSYSERR
    assert p.message_id_of(client.answers[first]) == b""
    second = client.submit()  # The journal is known to be down: it is not even asked.
    world.run(3.0)
    assert client.status_of(second) == v.ESME_RSYSERR
    assert telia.submits == []
    assert router.room_taken() == 0
    assert router.accepted == 0


def test_room_and_window_are_free_again_after_a_failed_commit(
    world: World, contract: Settings
) -> None:
    router = Router(world, contract)
    telia, client = connected(router)
    for _ in range(3):
        router.journal.failing = FULL_DISK
        refused = [client.submit() for _ in range(100)]  # A whole window.
        world.settle()
        assert {client.status_of(number) for number in refused} == {v.ESME_RSYSERR}
        router.journal.failing = None
        world.run(2.0)
    taken = [client.submit(registered_delivery=0) for _ in range(100)]
    world.run(10.0)
    assert {client.status_of(number) for number in taken} == {v.ESME_ROK}
    assert len(telia.submits) == 100
    router.assert_all_is_over()


def test_what_is_held_when_the_journal_fails_is_refused_and_its_room_is_free(
    world: World, contract: Settings
) -> None:
    router = Router(world, contract)
    client = router.client()
    router.disk.delay_s = 0.3
    numbers = [client.submit() for _ in range(150)]  # 50 over the window are held.
    router.journal.failing = FULL_DISK
    world.run(2.0)
    assert {client.status_of(number) for number in numbers} == {v.ESME_RSYSERR}
    assert router.room_taken() == 0


def test_while_the_journal_is_down_an_operators_deliver_sm_must_come_again(
    world: World, router: Router
) -> None:
    telia, client, _ = taken(router)
    router.journal.failing = FULL_DISK
    report = telia.report(b"1")
    world.run(0.1)
    assert telia.answer_to(report) == v.ESME_RX_T_APPN
    again = telia.report(b"1")
    moving = telia.deliver(b"STOP", destination=(3, 0, b"12302"))
    world.run(0.1)
    assert telia.answer_to(again) == v.ESME_RX_T_APPN
    assert telia.answer_to(moving) == v.ESME_RX_T_APPN
    assert client.receipts == []


def test_a_receipt_whose_commit_failed_reaches_its_client_once(
    world: World, router: Router
) -> None:
    telia, client, (number,) = taken(router)
    router.journal.failing = FULL_DISK
    telia.report(b"1")
    world.run(0.5)
    router.journal.failing = None
    world.run(2.0)
    again = telia.report(b"1")  # The operator was told to come again, and does.
    world.run(2.0)
    assert telia.answer_to(again) == v.ESME_ROK
    (text,) = client.receipt_texts()
    assert text.startswith(b"id:" + client.id_of(number))
    assert router.outcomes == [Outcome.DELIVERED]
    router.assert_all_is_over()


@pytest.mark.parametrize("state", [b"ENROUTE", b"ACCEPTD"])
def test_an_intermediate_receipt_whose_commit_failed_reaches_its_client_once(
    world: World, router: Router, state: bytes
) -> None:
    telia, client, _ = taken(router, registered_delivery=17)
    router.journal.failing = FULL_DISK
    telia.report(b"1", state, esm_class=0x20)
    world.run(0.5)
    router.journal.failing = None
    world.run(2.0)
    telia.report(b"1", state, esm_class=0x20)
    world.run(2.0)
    assert len(client.receipts) == 1


def test_a_subscribers_message_whose_commit_failed_reaches_its_client_once(
    world: World, router: Router
) -> None:
    telia, client = connected(router)
    router.journal.failing = FULL_DISK
    refused = telia.deliver(b"STOP", destination=(3, 0, b"12302"))
    world.run(0.5)
    assert telia.answer_to(refused) == v.ESME_RX_T_APPN
    router.journal.failing = None
    world.run(2.0)
    again = telia.deliver(b"STOP", destination=(3, 0, b"12302"))
    world.run(2.0)
    assert telia.answer_to(again) == v.ESME_ROK
    assert client.receipt_texts() == [b"STOP"]
    router.assert_all_is_over()


def test_nothing_is_sent_to_operators_while_the_journal_is_down(
    world: World, router: Router
) -> None:
    telia, client = connected(router)
    for _ in range(20):
        client.submit()
    world.run(0.2)
    sent = len(telia.submits)
    assert sent < 20
    router.journal.failing = FULL_DISK  # The next answer that cannot be remembered shows it.
    world.run(0.1)
    sent = len(telia.submits)
    assert sent < 20
    world.run(5.0)
    assert len(telia.submits) == sent
    router.journal.failing = None
    world.run(5.0)
    assert len(telia.submits) == 20
    assert sorted(telia.ids) == sorted(b"%d" % n for n in range(1, 21))


def test_outcomes_whose_commit_failed_are_told_again_and_counted_once(
    world: World, router: Router
) -> None:
    telia, client = connected(router)
    for _ in range(20):
        client.submit(registered_delivery=0)
    world.run(0.1)
    router.journal.failing = FULL_DISK
    world.run(3.5)
    router.journal.failing = None
    world.run(5.0)
    assert len(telia.submits) == 20
    assert router.outcomes == [Outcome.SENT] * 20
    router.assert_all_is_over()


def test_answers_of_operators_are_not_forgotten_over_a_journal_that_was_down(
    world: World, router: Router
) -> None:
    telia, client = connected(router)
    telia.latency_s = 2.0
    client.submit()
    client.submit()
    world.run(0.5)
    router.journal.failing = FULL_DISK
    client.submit()
    world.run(2.0)  # The answers come while the journal is down.
    router.journal.failing = None
    world.run(5.0)
    assert sorted(router.journal.messages) == sorted(router.journal.attempts)
    for operator_id in (b"1", b"2"):
        telia.report(operator_id)
    world.run(1.0)
    assert router.outcomes == [Outcome.DELIVERED] * 2
    assert len(client.receipts) == 2
    router.assert_all_is_over()


def test_what_a_failed_commit_held_is_told_before_what_follows_from_it(
    world: World, router: Router
) -> None:
    telia, client = connected(router, status=None)
    client.submit()
    client.submit(registered_delivery=0)
    world.run(0.1)
    first, second = (pdu for _, pdu in telia.submits)
    router.journal.failing = FULL_DISK
    telia.answer(first)  # That it was taken cannot be remembered.
    world.run(0.1)
    assert not router.journey.commits.up
    router.journal.failing = None
    telia.answer(second)  # This must not be kept before that,
    world.run(0.1)
    telia.report(b"1")  # nor this, even if it comes twice.
    world.run(2.0)
    telia.report(b"1")
    world.run(1.0)
    assert sorted(router.outcomes) == [Outcome.DELIVERED, Outcome.SENT]
    assert len(client.receipts) == 1
    router.assert_all_is_over()


def test_an_answer_and_its_receipt_that_fail_together_are_told_again_in_their_order(
    world: World, router: Router
) -> None:
    telia, client = connected(router)
    client.submit()
    world.run(0.01)
    router.disk.delay_s = 0.2
    world.run(0.1)  # That it was taken is on its way to the disk, and then its receipt is.
    report = telia.report(b"1")
    world.run(0.05)
    router.journal.failing = FULL_DISK
    world.run(0.5)
    assert telia.answer_to(report) == v.ESME_RX_T_APPN
    router.journal.failing = None
    world.run(2.0)
    again = telia.report(b"1")
    world.run(1.0)
    assert telia.answer_to(again) == v.ESME_ROK
    assert router.outcomes == [Outcome.DELIVERED]
    assert len(client.receipts) == 1
    router.assert_all_is_over()


def test_an_acknowledgement_whose_commit_failed_does_not_bring_the_receipt_again(
    world: World, router: Router
) -> None:
    _, client = told_in_vain(router)
    world.run(0.1)
    router.journal.failing = FULL_DISK
    client.far.send(p.response(v.DELIVER_SM, client.receipts[0].sequence_number, 0, b"\0"))
    world.run(3.0)
    assert len(router.journal.held) == 1
    router.journal.failing = None
    world.run(3.0)
    assert len(client.receipts) == 1
    router.assert_all_is_over()


def test_validity_ends_while_the_journal_is_down_and_is_told_when_it_is_back(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_lane(contract, "otp", validity_s=5.0))
    client = router.client()
    client.submit()
    world.run(1.0)
    router.journal.failing = FULL_DISK
    world.run(10.0)
    assert client.receipts == []
    router.journal.failing = None
    world.run(2.0)
    assert router.outcomes == [Outcome.EXPIRED]
    assert len(client.receipts) == 1
    router.assert_all_is_over()


def test_a_journal_that_is_back_takes_submits_within_two_seconds(
    world: World, router: Router
) -> None:
    client = router.client()
    router.journal.failing = FULL_DISK
    client.submit()
    world.run(100.0)
    assert not router.journey.commits.up
    router.journal.failing = None
    world.run(2.0)
    number = client.submit()
    world.run(0.1)
    assert router.journey.commits.up
    assert client.status_of(number) == v.ESME_ROK


def test_a_slow_disk_changes_no_order(world: World, router: Router) -> None:
    telia, client = connected(router)
    router.disk.delay_s = 0.25
    numbers = [client.submit(text=b"%d" % n) for n in range(30)]
    world.run(5.0)
    assert telia.texts() == [b"%d" % n for n in range(30)]
    assert list(client.answers)[1:] == numbers
    ids = [int(client.id_of(number)) for number in numbers]
    assert ids == sorted(set(ids))


def test_ids_do_not_repeat_after_a_restart(world: World, router: Router) -> None:
    client = router.client()
    number = client.submit()
    world.run(0.001)
    world.run(1.0)
    later = Router(world, router.settings)
    again = later.client()
    second = again.submit()
    world.run(1.0)
    assert int(again.id_of(second)) > int(client.id_of(number))
    assert world.clock_utc() > START_UTC
