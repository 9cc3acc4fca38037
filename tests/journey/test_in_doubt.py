"""router/journey.py: what was written to an operator and never answered, and late answers.

A message in doubt may have been sent: each lane says whether it is sent again to the same operator
(otp, bulk), to another one (alert) or not at all, and what an operator says later is still heard.
"""

import pytest

from router.forward.suspects import OTHER_BIND_S
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.session import COURTESY_S
from router.steps.failover import MOST_TIMEOUTS
from router.steps.suspicions import ASIDE_S
from router.terms.names import OperatorName
from router.terms.outcome import Outcome
from router.terms.settings import Settings
from tests.doubles import FULL_DISK, Client, Operator, Router, World, with_lane, with_operator
from tests.journey.scenes import OVERDUE_S, connected, connected_to_both, sent_twice

TELIA, ELISA = OperatorName("telia"), OperatorName("elisa")


def alert(client: Client, registered_delivery: int = 1) -> int:
    return client.submit(priority_flag=3, registered_delivery=registered_delivery)


def report_to(client: Client, number: int) -> None:
    """The client has exactly one receipt, about this message."""
    (text,) = client.receipt_texts()
    assert text.startswith(b"id:" + client.id_of(number) + b" ")


# An operator that says goodbye.


def test_an_operator_that_unbinds_and_then_answers_leaves_no_doubt(
    world: World, router: Router
) -> None:
    telia, other = router.operator("telia"), router.operator("telia", 1)
    telia.latency_s = other.latency_s = 0.5
    client = router.client()
    for _ in range(10):
        client.submit(registered_delivery=0)
    world.run(0.2)
    in_flight = telia.bind.in_use
    assert in_flight == 5
    telia.far.send(p.build(v.UNBIND, 0, 99))
    world.run(0.1)
    assert telia.far.pdus(v.UNBIND_RESP) == []
    client.submit(registered_delivery=0)
    world.run(2.0)
    assert telia.far.pdus(v.UNBIND_RESP)
    assert telia.far.closed
    assert (len(telia.submits), len(other.submits)) == (in_flight, 6)
    assert router.journey.counters.in_doubt == {}
    router.assert_all_is_over()


def test_an_operator_that_unbinds_and_does_not_answer_is_left_after_a_second(
    world: World, router: Router
) -> None:
    telia, other = router.operator("telia", status=None), router.operator("telia", 1)
    client = router.client()
    for _ in range(10):
        client.submit(registered_delivery=0)
    world.run(0.2)
    telia.far.send(p.build(v.UNBIND, 0, 99))
    world.run(COURTESY_S - 0.1)
    assert len(other.submits) == 5
    world.run(0.2)
    assert telia.far.closed
    world.run(OTHER_BIND_S + 0.5)
    assert len(other.submits) == 10
    assert router.journey.counters.in_doubt == {(TELIA, "resend"): 5}
    router.assert_all_is_over()


# Response timeouts.


def test_an_unanswered_message_is_resent_to_the_same_operator(world: World, router: Router) -> None:
    telia, elisa, client = connected_to_both(router, status=None)
    client.submit(registered_delivery=0)
    world.run(29.5)
    assert len(telia.submits) == 1
    telia.status = lambda _: 0
    world.run(1.5)
    assert len(telia.submits) == 2
    assert elisa.submits == []
    first, second = (pdu for _, pdu in telia.submits)
    assert first.octets[16:] == second.octets[16:]
    assert router.journey.counters.in_doubt == {(TELIA, "resend"): 1}
    assert router.journey.counters.repeated == {TELIA: 1}
    assert router.outcomes == [Outcome.SENT]
    router.assert_all_is_over()


def test_the_same_operator_is_asked_again_even_if_a_better_one_has_come(
    world: World, router: Router
) -> None:
    elisa, client = connected(router, "elisa", status=None)
    client.submit(registered_delivery=0)
    world.run(20.0)
    telia = router.operator("telia")
    world.run(10.5)
    assert len(elisa.submits) == 2
    assert telia.submits == []


def test_what_is_resent_goes_elsewhere_when_its_operator_has_no_bind_left(
    world: World, router: Router
) -> None:
    telia, elisa, client = connected_to_both(router, status=None)
    client.submit(registered_delivery=0)
    world.run(1.0)
    telia.far.drop()
    world.run(1.0)
    assert len(elisa.submits) == 1
    assert router.outcomes == [Outcome.SENT]
    assert router.journey.counters.in_doubt == {(TELIA, "resend"): 1}
    assert router.journey.counters.repeated == {ELISA: 1}
    router.assert_all_is_over()


def test_an_alert_in_doubt_goes_elsewhere(world: World, router: Router) -> None:
    telia, elisa, client = connected_to_both(router, status=None, account=b"shop")
    client.submit(b"3721234567", priority_flag=3, registered_delivery=0)
    world.run(OVERDUE_S)
    assert len(telia.submits) == 1
    assert len(elisa.submits) == 1
    assert router.journey.counters.in_doubt == {(TELIA, "elsewhere"): 1}
    assert router.journey.counters.repeated == {ELISA: 1}
    router.assert_all_is_over()


def test_elsewhere_without_another_operator_is_the_same_one(world: World, router: Router) -> None:
    elisa = router.operator("elisa", status=None)
    client = router.client(b"shop", b"secret02")
    client.submit(b"358401234567", priority_flag=3, registered_delivery=0)
    world.run(OVERDUE_S)
    assert len(elisa.submits) == 2


def test_a_message_that_must_not_be_repeated_has_failed(world: World, contract: Settings) -> None:
    router = Router(world, with_lane(contract, "otp", in_doubt="fail"))
    telia, elisa, client = connected_to_both(router, status=None)
    number = client.submit()
    world.run(OVERDUE_S)
    assert len(telia.submits) == 1
    assert elisa.submits == []
    assert router.outcomes == [Outcome.FAILED]
    report_to(client, number)
    assert router.journey.counters.in_doubt == {(TELIA, "fail"): 1}
    assert router.journey.counters.repeated == {}
    router.assert_all_is_over()


@pytest.mark.parametrize("status", [0, v.ESME_RINVDSTADR, v.ESME_RTHROTTLED])
def test_a_late_answer_cannot_wake_a_message_that_has_failed(
    world: World, contract: Settings, status: int
) -> None:
    router = Router(world, with_lane(contract, "otp", in_doubt="fail"))
    telia, client = connected(router, status=None)
    client.submit()
    world.run(OVERDUE_S)
    telia.answer(telia.submits[0][1], status)
    world.run(1.0)
    if status == 0:
        report = telia.report(b"1")
        world.run(20.0)
        assert telia.answer_to(report) == v.ESME_ROK
    assert router.outcomes == [Outcome.FAILED]
    assert len(client.receipts) == 1
    router.assert_all_is_over()


def test_what_is_given_up_makes_room_in_the_window(world: World, contract: Settings) -> None:
    settings = with_operator(with_lane(contract, "otp", in_doubt="fail"), "telia", breaker=None)
    router = Router(world, settings)
    telia, client = connected(router, status=None)
    for _ in range(40):
        client.submit(registered_delivery=0)
    world.run(29.0)
    assert len(telia.submits) == 20
    world.run(8.0)  # It has been slowed, for its silence.
    assert len(telia.submits) == 40


def test_a_message_is_not_repeated_for_ever(world: World, router: Router) -> None:
    telia, client = connected(router, status=None)
    number = client.submit(validity_period=b"000001000000000R")
    world.run(1000.0)
    assert len(telia.submits) == 1 + MOST_TIMEOUTS
    assert router.outcomes == [Outcome.FAILED]
    report_to(client, number)
    router.assert_all_is_over()


# A lost bind.


def test_the_window_of_a_lost_bind_is_resolved_soon(world: World, router: Router) -> None:
    lost, other = router.operator("telia", 0, status=None), router.operator("telia", 1)
    client = router.client()
    for n in range(60):
        client.submit(text=b"%d" % n, registered_delivery=0)
    world.run(2.0)
    in_flight = lost.texts()
    assert len(in_flight) == 20
    lost.far.drop()
    world.run(OTHER_BIND_S + 1.5)
    assert set(in_flight) <= set(other.texts())
    assert router.outcomes == [Outcome.SENT] * 60
    assert router.journey.counters.repeated == {TELIA: 20}
    sends = router.journey.counters.sends
    assert sends[TELIA, lost.bind.settings.name, "lost"] == 20
    router.assert_all_is_over()


def test_what_was_in_flight_goes_again_in_its_order(world: World, router: Router) -> None:
    lost = router.operator("telia", status=None)
    client = router.client()
    for n in range(60):
        client.submit(text=b"%d" % n, registered_delivery=0)
    world.run(2.0)
    lost.far.drop()
    world.run(0.1)
    again = router.operator("telia")
    world.run(5.0)
    texts = [int(text) for text in again.texts()]
    assert sorted(texts) == list(range(60))
    assert [n for n in texts if n < 20] == list(range(20))
    assert [n for n in texts if n >= 20] == list(range(20, 60))
    router.assert_all_is_over()


def test_a_dead_link_is_found_and_its_window_resolved(world: World, router: Router) -> None:
    dead = router.operator("telia", status=None)
    dead.far.on_pdu = lambda _: None  # A half-open connection: nothing is ever answered.
    client = router.client()
    client.submit(registered_delivery=0)
    elisa = router.operator("elisa")
    world.run(60.5)
    assert dead.far.closed
    assert len(elisa.submits) == 1
    router.assert_all_is_over()


def test_a_bind_that_is_lost_and_back_sends_what_was_in_flight(
    world: World, router: Router
) -> None:
    telia, client = connected(router, status=None)
    client.submit()
    for _ in range(3):
        world.run(1.0)
        assert len(telia.submits) == 1
        telia.far.drop()
        world.run(ASIDE_S)
        telia = router.operator("telia", status=None)
    telia.status = lambda _: 0
    world.run(1.0)
    telia.answer(telia.submits[0][1])
    world.run(1.0)
    assert router.journey.counters.repeated == {TELIA: 3}
    telia.report(b"1")
    world.run(1.0)
    assert router.outcomes == [Outcome.DELIVERED]
    router.assert_all_is_over()


# Late answers.


def test_a_late_success_ends_the_doubt_before_it_is_sent_again(
    world: World, router: Router
) -> None:
    telia, client = connected(router, status=None)
    number = client.submit()
    world.run(20.0)
    telia.bind.operator.rest(telia.bind, world.now + 60.0)  # So it is not sent again at once.
    world.run(11.0)
    assert len(telia.submits) == 1
    assert router.room_taken() == 1
    telia.answer(telia.submits[0][1])
    world.run(1.0)
    assert router.room_taken() == 0
    world.run(100.0)
    assert len(telia.submits) == 1
    assert router.journey.counters.repeated == {}
    telia.report(b"1")
    world.run(1.0)
    assert router.outcomes == [Outcome.DELIVERED]
    report_to(client, number)
    router.assert_all_is_over()


def test_a_late_success_while_it_waits_for_a_retry_is_not_sent_again(
    world: World, router: Router
) -> None:
    telia, _, _, (first, second) = sent_twice(router)
    telia.answer(second, v.ESME_RMSGQFUL)  # To be tried again in 30 s.
    world.run(5.0)
    telia.answer(first)
    world.run(40.0)
    assert len(telia.submits) == 2
    telia.report(b"2")
    world.run(40.0)
    assert router.outcomes == [Outcome.DELIVERED]
    router.assert_all_is_over()


def test_a_receipt_while_it_waits_for_a_retry_ends_it(world: World, router: Router) -> None:
    telia, client, _, (first, second) = sent_twice(router)
    telia.answer(second, v.ESME_RMSGQFUL)
    world.run(5.0)
    telia.answer(first)
    world.run(1.0)
    telia.report(b"2")
    world.run(60.0)
    assert len(telia.submits) == 2
    assert router.outcomes == [Outcome.DELIVERED]
    assert len(client.receipts) == 1
    router.assert_all_is_over()


@pytest.mark.parametrize("status", [v.ESME_RINVDSTADR, v.ESME_RTHROTTLED, 0x45, 0x08, 0x0D])
def test_a_late_refusal_changes_nothing(world: World, router: Router, status: int) -> None:
    telia, elisa, client = connected_to_both(router, status=None)
    client.submit()
    world.run(OVERDUE_S)
    first, second = (pdu for _, pdu in telia.submits)
    telia.answer(first, status)
    world.run(1.0)
    assert not telia.far.closed
    assert router.outcomes == []
    telia.answer(second)
    world.run(1.0)
    telia.report(b"2")
    world.run(1.0)
    assert router.outcomes == [Outcome.DELIVERED]
    assert elisa.submits == []
    router.assert_all_is_over()


def test_a_late_answer_counts_neither_in_the_window_nor_in_the_rate(
    world: World, router: Router
) -> None:
    telia, client = connected(router, status=None)
    client.submit(registered_delivery=0)
    world.run(OVERDUE_S)
    operator = telia.bind.operator
    assert operator.in_flight == 1
    telia.answer(telia.submits[0][1])
    world.run(0.1)
    assert operator.in_flight == 1
    telia.answer(telia.submits[1][1])
    world.run(0.1)
    assert operator.in_flight == 0
    assert telia.bind.in_use == 0
    router.assert_all_is_over()


# Two attempts that were both taken.


def taken_twice(world: World, router: Router) -> tuple[Operator, Client, int]:
    """A message whose first sending is answered when the second one has been, too."""
    telia, client, number, (first, second) = sent_twice(router, registered_delivery=17)
    telia.answer(second)
    telia.answer(first)
    world.run(1.0)
    assert router.room_taken() == 0
    return telia, client, number


def test_a_failure_is_withheld_while_the_other_attempt_is_open(
    world: World, router: Router
) -> None:
    telia, client, number = taken_twice(world, router)
    report = telia.report(b"1", b"UNDELIV")
    world.run(60.0)
    assert telia.answer_to(report) == v.ESME_ROK
    assert client.receipts == []
    assert router.outcomes == []
    telia.report(b"2", b"DELIVRD")
    world.run(1.0)
    assert router.outcomes == [Outcome.DELIVERED]
    report_to(client, number)
    router.assert_all_is_over()


@pytest.mark.parametrize("word", [b"UNDELIV", b"REJECTD", b"DELIVRD", b"ENROUTE"])
def test_delivered_wins_whatever_comes_behind_it(world: World, router: Router, word: bytes) -> None:
    telia, client, number = taken_twice(world, router)
    telia.report(b"2", b"DELIVRD")
    world.run(1.0)
    assert router.outcomes == [Outcome.DELIVERED]
    report = telia.report(b"1", word)
    world.run(1.0)
    assert telia.answer_to(report) == v.ESME_ROK
    assert router.outcomes == [Outcome.DELIVERED]
    report_to(client, number)
    router.assert_all_is_over()


def test_two_failures_are_one(world: World, router: Router) -> None:
    telia, client, number = taken_twice(world, router)
    telia.report(b"1", b"UNDELIV")
    telia.report(b"2", b"REJECTD")
    world.run(1.0)
    assert router.outcomes == [Outcome.REJECTED]
    report_to(client, number)
    router.assert_all_is_over()


def test_the_same_failure_twice_is_still_one_attempt(world: World, router: Router) -> None:
    telia, client, _ = taken_twice(world, router)
    telia.report(b"1", b"UNDELIV")
    telia.report(b"1", b"UNDELIV")
    world.run(1.0)
    assert router.outcomes == []
    assert client.receipts == []
    telia.report(b"2", b"DELIVRD")
    world.run(1.0)
    assert router.outcomes == [Outcome.DELIVERED]


def test_a_failure_is_withheld_while_the_other_attempt_is_not_even_answered(
    world: World, router: Router
) -> None:
    telia, client, number, (first, second) = sent_twice(router)
    telia.answer(first)
    world.run(0.1)
    telia.report(b"1", b"UNDELIV")
    world.run(5.0)
    assert router.outcomes == []
    telia.answer(second)
    world.run(0.1)
    telia.report(b"2", b"DELIVRD")
    world.run(1.0)
    assert router.outcomes == [Outcome.DELIVERED]
    report_to(client, number)
    router.assert_all_is_over()


@pytest.mark.parametrize("ends", ["refused", "overdue", "lost"])
def test_a_withheld_failure_is_told_when_the_other_attempt_was_not_taken(
    world: World, router: Router, ends: str
) -> None:
    telia, client, number, (first, second) = sent_twice(router)
    telia.answer(first)
    world.run(0.1)
    telia.report(b"1", b"REJECTD")
    world.run(0.1)
    if ends == "refused":
        telia.answer(second, v.ESME_RINVDSTADR)
    elif ends == "lost":
        telia.far.drop()
    world.run(1.0 if ends != "overdue" else 31.0)
    assert router.outcomes == [Outcome.REJECTED]
    report_to(client, number)
    assert b" done date:2701150800 " in client.receipt_texts()[0]  # It came before 08:01.
    router.assert_all_is_over()


def test_a_second_attempt_that_is_refused_takes_nothing_from_the_first(
    world: World, router: Router
) -> None:
    telia, _, _, (first, second) = sent_twice(router)
    telia.answer(first)
    telia.answer(second, v.ESME_RINVDSTADR)
    world.run(1.0)
    assert router.outcomes == []
    telia.report(b"1", b"DELIVRD")
    world.run(1.0)
    assert router.outcomes == [Outcome.DELIVERED]
    router.assert_all_is_over()


def test_an_attempt_that_is_never_receipted_does_not_hide_the_failure_of_the_other(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_operator(contract, "telia", receipt_wait_s=200.0))
    telia, client, number = taken_twice(world, router)
    telia.report(b"1", b"UNDELIV")
    world.run(201.0)
    assert len(router.outcomes) == 1
    report_to(client, number)
    router.assert_all_is_over()


def test_attempts_at_two_operators_are_one_message(world: World, router: Router) -> None:
    telia, elisa = router.operator("telia", status=None), router.operator("elisa")
    rx = router.operator("elisa", 2)
    client = router.client(b"shop", b"secret02")
    number = client.submit(b"3721234567", priority_flag=3)
    world.run(OVERDUE_S)
    telia.answer(telia.submits[0][1])
    world.run(1.0)
    telia.report(b"1", b"UNDELIV")
    world.run(1.0)
    assert client.receipts == []
    elisa.report(b"1", b"DELIVRD", over=rx)
    world.run(1.0)
    assert router.outcomes == [Outcome.DELIVERED]
    report_to(client, number)
    router.assert_all_is_over()


def test_a_late_answer_without_an_id_leaves_the_other_attempt_its_receipt(
    world: World, router: Router
) -> None:
    telia, _, _, (first, second) = sent_twice(router)
    telia.answer(second)
    world.run(1.0)
    telia.far.send(p.response(v.SUBMIT_SM, first.sequence_number, 0, b"\0"))
    world.run(1.0)
    assert router.outcomes == []
    telia.report(b"1", b"DELIVRD")
    world.run(1.0)
    assert router.outcomes == [Outcome.DELIVERED]
    router.assert_all_is_over()


def test_a_message_in_doubt_expires_like_any_other(world: World, router: Router) -> None:
    telia, client = connected(router, status=None)
    number = client.submit(validity_period=b"000000000020000R")
    world.run(OVERDUE_S + 1.0)
    assert len(telia.submits) == 1
    assert router.outcomes == [Outcome.EXPIRED]
    report_to(client, number)
    assert router.journey.counters.repeated == {}
    router.assert_all_is_over()


# A lane where nothing may be in doubt after a crash.


@pytest.fixture
def careful(world: World, contract: Settings) -> Router:
    """The lane of what the bank sends must fail what is in doubt."""
    return Router(world, with_lane(contract, "otp", in_doubt="fail"))


def test_nothing_goes_out_before_the_journal_has_its_mark(world: World, careful: Router) -> None:
    telia, client = connected(careful)
    client.submit(registered_delivery=0)
    world.run(0.001)
    careful.disk.is_stuck = True
    client.submit(registered_delivery=0)
    world.run(5.0)
    assert len(telia.submits) <= 1
    careful.disk.go_on()
    world.run(1.0)
    assert len(telia.submits) == 2
    assert careful.outcomes == [Outcome.SENT] * 2
    careful.assert_all_is_over()
    assert not careful.journal.marks


def test_what_was_written_before_a_crash_fails_and_what_was_not_is_sent(
    world: World, careful: Router
) -> None:
    telia, client = connected(careful, status=None)
    numbers = [client.submit(text=b"%d" % n) for n in range(60)]
    world.run(0.5)
    written = len(telia.submits)
    assert written == telia.bind.settings.window
    again = careful.restarted()
    back = again.client()
    other = again.operator("telia", 1)
    world.run(3.0)
    failed = {text.partition(b" ")[0].removeprefix(b"id:") for text in back.receipt_texts()}
    assert failed >= {client.id_of(number) for number in numbers[:written]}
    # Those that were about to go out cannot be told apart from what had gone out.
    assert len(failed) <= 2 * written
    assert other.texts() == [b"%d" % n for n in range(len(failed), 60)]
    assert again.journey.counters.in_doubt == {(TELIA, "fail"): len(failed)}


def test_marks_cost_no_slot_and_change_no_order(world: World, careful: Router) -> None:
    careful.disk.delay_s = 0.005
    telia, client = connected(careful)
    for n in range(200):
        client.submit(text=b"%d" % n, registered_delivery=0)
    world.run(3.5)
    assert telia.texts() == [b"%d" % n for n in range(len(telia.submits))]
    assert len(telia.submits) >= 3.4 * 50


def test_a_message_that_was_refused_is_sent_after_a_crash(world: World, careful: Router) -> None:
    telia, client = connected(careful, status=v.ESME_RMSGQFUL)
    client.submit(text=b"again", registered_delivery=0)
    world.run(1.0)
    assert len(telia.submits) == 1
    again = careful.restarted()
    other = again.operator("telia", 1)
    world.run(3.0)
    assert other.texts() == [b"again"]
    assert again.outcomes == [Outcome.SENT]
    assert not again.journal.marks


def test_marks_that_failed_are_asked_for_again(world: World, careful: Router) -> None:
    telia, client = connected(careful)
    careful.disk.is_stuck = True
    client.submit(registered_delivery=0)
    world.run(0.1)
    careful.disk.go_on()
    world.run(0.0005)
    careful.journal.failing = FULL_DISK
    world.run(2.0)
    careful.journal.failing = None
    world.run(3.0)
    assert len(telia.submits) == careful.accepted
    careful.assert_all_is_over()
