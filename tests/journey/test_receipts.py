"""router/journey.py, router/report/correlate.py: an operator's receipt finds its message.

On any of its binds, before or after the answer, once or twice, in any of the forms in use; and
never the message of somebody else.
"""

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from router.report.correlate import ORPHAN_S
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.steps.receipts import MOST_STRANGERS
from router.terms.capacity import Capacity
from router.terms.names import AccountName, OperatorName
from router.terms.outcome import Outcome
from router.terms.settings import (
    InboundSettings,
    MessageIdForms,
    MessageIdSettings,
    ReceiptSettings,
    Settings,
)
from tests.doubles import (
    FULL_DISK,
    Client,
    Operator,
    Router,
    World,
    data_sm,
    receipt_text,
    with_account,
    with_operator,
)
from tests.journey.scenes import connected, restarted_with, submitted, taken, unanswered

TELIA, ELISA = OperatorName("telia"), OperatorName("elisa")
EIGHT = MessageIdForms(response="hex8", receipt="hex8")
SUBSCRIBER = (1, 1, b"37255512345")
BANK = (5, 0, b"BANK")
FINNISH = b"358401234567"


MOST_ORPHANS = 50
"""Receipts that may wait for their submit_sm_resp."""


@pytest.fixture(autouse=True, params=[Capacity().pending_receipts, 0], ids=["memory", "disk"])
def capacity(request: pytest.FixtureRequest) -> Capacity:
    """Where what an operator took is remembered after a while makes no difference."""
    return Capacity(pending_receipts=request.param, orphans=MOST_ORPHANS)


def texts_about(client: Client, number: int) -> list[bytes]:
    """The receipts that the client has of this message."""
    start = b"id:" + client.id_of(number) + b" "
    return [text for text in client.receipt_texts() if text.startswith(start)]


def test_a_receipt_comes_on_another_bind_of_the_operator(world: World, router: Router) -> None:
    telia, other = router.operator("telia", 0), router.operator("telia", 2)
    client = router.client()
    (number,) = submitted(router, telia, client)
    report = telia.report(b"1", over=other)
    world.run(1.0)
    assert other.answer_to(report) == v.ESME_ROK
    assert len(texts_about(client, number)) == 1
    router.assert_all_is_over()


def test_a_receipt_comes_on_a_bind_that_was_bound_after_the_message_went(
    world: World, router: Router
) -> None:
    telia, client, (number,) = taken(router)
    telia.far.drop()
    world.run(3600.0)
    again = router.operator("telia", 1)
    telia.report(b"1", over=again)
    world.run(1.0)
    assert len(texts_about(client, number)) == 1
    router.assert_all_is_over()


def test_elisa_answers_in_hex_and_receipts_in_decimal(world: World, router: Router) -> None:
    elisa, rx = router.operator("elisa"), router.operator("elisa", 2)
    elisa.next_id = 0x812FC7470000001B  # More than 63 bits, as one operator really counts.
    client = router.client()
    (number,) = submitted(router, elisa, client, destination=FINNISH)
    report = elisa.report(b"9308878062554710043", over=rx)
    world.run(1.0)
    assert rx.answer_to(report) == v.ESME_ROK
    assert len(texts_about(client, number)) == 1
    assert router.outcomes == [Outcome.DELIVERED]
    router.assert_all_is_over()


@pytest.mark.parametrize(
    ("response", "receipt", "in_response", "in_receipt"),
    [
        ("text", "text", b"1101c1-c9d03d-f000", b"1101C1-C9D03D-F000"),
        ("text", "text", b"04062581461565934000241", b"4062581461565934000241"),
        ("text", "text", b"870928761", b"0870928761"),
        ("text", "text", b"123.456", b"123.456"),
        ("hex", "decimal", b"33E95179", b"870928761"),
        ("hex", "decimal", b"39f99dd5", b"0972660181"),
        ("decimal", "hex", b"972660181", b"39F99DD5"),
        ("hex", "hex", b"00AB", b"ab"),
        ("text", "text", b"39f99dd5", b"0972660181"),  # The settings are wrong; the id is not.
    ],
)
def test_an_id_is_the_same_in_every_form_in_use(
    world: World,
    contract: Settings,
    capacity: Capacity,
    response: str,
    receipt: str,
    in_response: bytes,
    in_receipt: bytes,
) -> None:
    forms = MessageIdSettings(response=response, receipt=receipt)  # type: ignore[arg-type]
    router = Router(world, with_operator(contract, "telia", message_id=forms), capacity=capacity)
    telia = router.operator("telia")
    telia.id_form = lambda _: in_response
    client = router.client()
    (number,) = submitted(router, telia, client)
    telia.deliver(receipt_text(in_receipt, b"DELIVRD"), SUBSCRIBER, BANK, esm_class=4)
    world.run(1.0)
    assert len(texts_about(client, number)) == 1
    router.assert_all_is_over()


@pytest.mark.parametrize("early", [False, True], ids=["late", "early"])
def test_a_word_of_the_operators_own_is_the_state_that_the_settings_say(
    world: World, contract: Settings, capacity: Capacity, *, early: bool
) -> None:
    written = ReceiptSettings(words={"OK_DELIVERED": "DELIVRD"})
    router = Router(world, with_operator(contract, "telia", receipts=written), capacity=capacity)
    telia, client = connected(router, status=None if early else 0)
    client.submit()
    world.run(0.1)
    telia.deliver(receipt_text(b"1", b"ok_delivered"), SUBSCRIBER, BANK, esm_class=4)
    world.run(1.0)
    if early:
        telia.answer(telia.submits[0][1])
        world.run(1.0)
    assert router.outcomes == [Outcome.DELIVERED]


# Receipts that are not marked as such: esm_class 0, no TLVs.

HERE = (3, 0, b"12302")


def test_a_text_with_id_and_number_of_a_message_is_its_receipt(
    world: World, router: Router
) -> None:
    telia, client, (number,) = taken(router)
    world.run(60.0)  # What has to be is on disk.
    report = telia.deliver(receipt_text(b"1", b"DELIVRD"), SUBSCRIBER, BANK)
    world.run(1.0)
    assert telia.answer_to(report) == v.ESME_ROK
    assert len(texts_about(client, number)) == 1
    assert router.outcomes == [Outcome.DELIVERED]
    again = telia.deliver(receipt_text(b"1", b"DELIVRD"), SUBSCRIBER, BANK)
    world.run(1.0)
    assert telia.answer_to(again) == v.ESME_ROK
    assert len(client.receipts) == 1
    router.assert_all_is_over()


@pytest.mark.parametrize(
    ("operator_id", "source", "destination"),
    [(b"1", (1, 1, b"37255599999"), BANK), (b"2", SUBSCRIBER, BANK), (b"1", SUBSCRIBER, HERE)],
    ids=["number", "id", "sender"],
)
def test_a_text_with_another_id_number_or_sender_is_a_subscribers(
    world: World,
    contract: Settings,
    capacity: Capacity,
    operator_id: bytes,
    source: tuple[int, int, bytes],
    destination: tuple[int, int, bytes],
) -> None:
    all_to_bank = (InboundSettings(to=AccountName("bank")),)
    router = Router(world, replace(contract, inbound=all_to_bank), capacity=capacity)
    telia, client, _ = taken(router)
    world.run(60.0)
    text = receipt_text(operator_id, b"DELIVRD")
    report = telia.deliver(text, source, destination)
    world.run(1.0)
    assert telia.answer_to(report) == v.ESME_ROK
    assert client.receipt_texts() == [text]
    assert router.outcomes == []


@pytest.mark.parametrize("by_text", [True, False])
def test_an_operator_that_marks_no_receipts_may_send_one_before_its_answer(
    world: World, contract: Settings, capacity: Capacity, *, by_text: bool
) -> None:
    written = ReceiptSettings(by_text=by_text)
    router = Router(world, with_operator(contract, "telia", receipts=written), capacity=capacity)
    telia, client, number, submit = unanswered(router)
    text = receipt_text(b"1", b"DELIVRD")
    telia.deliver(text, SUBSCRIBER, HERE)
    world.run(1.0)
    telia.answer(submit)
    world.run(1.0)
    assert router.outcomes == [Outcome.DELIVERED] * by_text
    assert (client.receipt_texts() == [text]) != by_text
    assert len(texts_about(client, number)) == by_text


def test_a_text_of_a_receipt_that_nobody_wants_goes_to_nobody(world: World, router: Router) -> None:
    telia, client, _ = taken(router, registered_delivery=0)
    report = telia.deliver(receipt_text(b"1", b"DELIVRD"), SUBSCRIBER, HERE)
    world.run(1.0)
    assert telia.answer_to(report) == v.ESME_ROK
    assert client.receipts == []


@pytest.mark.parametrize("esm_class", [0x08, 0x10])
def test_an_acknowledgement_of_a_subscriber_goes_to_the_client_as_it_came(
    world: World, router: Router, esm_class: int
) -> None:
    telia, client, _ = taken(router)
    report = telia.deliver(b"read", SUBSCRIBER, HERE, esm_class=esm_class)
    world.run(1.0)
    assert telia.answer_to(report) == v.ESME_ROK
    (pdu,) = client.receipts
    assert (p.Sm(pdu).esm_class, p.Sm(pdu).short_message) == (esm_class, b"read")
    assert router.outcomes == []


@pytest.mark.parametrize(("number", "delivered"), [(SUBSCRIBER, 1), ((1, 1, b"37255599999"), 0)])
def test_an_early_receipt_in_another_base_than_the_settings_say_is_not_lost(
    world: World, router: Router, number: tuple[int, int, bytes], delivered: int
) -> None:
    telia, client = connected(router, status=None)
    client.submit()
    world.run(0.1)
    report = telia.deliver(receipt_text(b"65543", b"DELIVRD"), number, BANK, esm_class=4)
    world.run(1.0)
    telia.id_form = lambda _: b"10007"  # 65543 in hexadecimal; the settings say text.
    telia.answer(telia.submits[0][1])
    world.run(ORPHAN_S + 2.0)
    assert telia.answer_to(report) == v.ESME_ROK
    assert len(client.receipts) == delivered
    assert router.journey.counters.receipts_unmatched.get(TELIA, 0) == 1 - delivered
    assert router.outcomes == [Outcome.DELIVERED] * delivered


def test_a_repeat_is_no_news_of_another_message_that_has_the_id_now(
    world: World, router: Router
) -> None:
    telia, client = connected(router)
    (first,) = submitted(router, telia, client)
    report = telia.report(b"1")
    world.run(1.0)
    telia.next_id = 1  # It counts from the beginning again.
    (second,) = submitted(router, telia, client)
    again = telia.report(b"1")
    world.run(1.0)
    assert telia.answer_to(report) == telia.answer_to(again) == v.ESME_ROK
    assert len(texts_about(client, first)) == 1
    assert texts_about(client, second) == []
    telia.deliver(
        receipt_text(b"1", b"DELIVRD").replace(b"2701150801", b"2701150802"),
        SUBSCRIBER,
        BANK,
        esm_class=4,
    )
    world.run(1.0)
    assert len(texts_about(client, second)) == 1
    router.assert_all_is_over()


def test_after_an_operator_has_lost_all_sessions_the_younger_of_two_messages_is_meant(
    world: World, router: Router
) -> None:
    telia, client = connected(router)
    (first,) = submitted(router, telia, client)
    telia.far.drop()
    world.run(1.0)
    telia = router.operator("telia")  # It counts from the beginning again.
    (second,) = submitted(router, telia, client)
    telia.report(b"1")
    world.run(1.0)
    assert texts_about(client, first) == []
    assert len(texts_about(client, second)) == 1


def test_the_older_of_two_messages_is_meant_after_a_restart_too(
    world: World, router: Router
) -> None:
    telia, client = connected(router)
    (first,) = submitted(router, telia, client)
    telia.next_id = 1
    (second,) = submitted(router, telia, client)
    ids = [client.id_of(number) for number in (first, second)]
    again, telia = restarted_with(router, telia)
    back = again.client()
    for minute in (1, 2):
        date = b"27011508%02d" % minute  # Else the second repeats the first.
        text = receipt_text(b"1", b"DELIVRD").replace(b"2701150801", date)
        telia.deliver(text, SUBSCRIBER, BANK, esm_class=4)
        world.run(1.0)
    assert [text.split()[0][3:] for text in back.receipt_texts()] == ids


def test_an_id_that_is_only_alike_in_another_base_is_another_message(
    world: World, router: Router
) -> None:
    telia = router.operator("telia")
    telia.next_id = 16
    client = router.client()
    (number,) = submitted(router, telia, client)
    # 10 is 16 in hexadecimal, but this is a receipt of somebody else's message.
    report = telia.deliver(
        receipt_text(b"10", b"UNDELIV"), (1, 1, b"37255599999"), BANK, esm_class=4
    )
    world.run(1.0)
    assert telia.answer_to(report) == v.ESME_ROK
    assert client.receipts == []
    assert router.journey.counters.receipts_unmatched == {TELIA: 1}
    telia.report(b"16")
    world.run(1.0)
    assert len(texts_about(client, number)) == 1
    assert router.outcomes == [Outcome.DELIVERED]


def test_two_operators_that_count_alike_are_kept_apart(world: World, router: Router) -> None:
    telia, elisa = router.operator("telia"), router.operator("elisa")
    rx = router.operator("elisa", 2)
    client = router.client()
    at_telia = client.submit()
    at_elisa = client.submit(FINNISH)
    world.run(1.0)
    assert list(telia.ids) == list(elisa.ids) == [b"1"]
    elisa.report(b"1", b"UNDELIV", over=rx)
    world.run(1.0)
    assert len(texts_about(client, at_elisa)) == 1
    assert texts_about(client, at_telia) == []
    telia.report(b"1", b"DELIVRD")
    world.run(1.0)
    assert len(texts_about(client, at_telia)) == 1
    assert sorted(router.outcomes) == [Outcome.DELIVERED, Outcome.FAILED]
    router.assert_all_is_over()


def test_accounts_get_the_receipts_of_their_own_messages(world: World, router: Router) -> None:
    telia = router.operator("telia")
    elisa = router.operator("elisa")
    rx = router.operator("elisa", 2)
    bank, shop = router.client(), router.client(b"shop", b"secret02")
    numbers = {bank: [], shop: []}  # type: dict[Client, list[int]]
    for n in range(20):
        for client, of_client in numbers.items():
            of_client.append(client.submit(text=b"%d" % n, registered_delivery=1))
    world.run(3.0)
    for operator_id in reversed(telia.ids):
        telia.report(operator_id)
    for operator_id in reversed(elisa.ids):
        elisa.report(operator_id, over=rx)
    world.run(3.0)
    for client, of_client in numbers.items():
        ids = sorted(client.id_of(number) for number in of_client)
        of_receipts = sorted(
            text.partition(b" ")[0].removeprefix(b"id:") for text in client.receipt_texts()
        )
        assert of_receipts == ids
    router.assert_all_is_over()


# Before the answer.


def test_a_receipt_before_the_answer_is_kept_for_it(world: World, router: Router) -> None:
    telia, client, number, pdu = unanswered(router)
    telia.ids[b"1"] = pdu
    router.disk.is_stuck = True
    report = telia.report(b"1")
    world.run(0.5)
    assert telia.answer_to(report) is None
    router.disk.go_on()
    world.run(0.5)
    assert telia.answer_to(report) == v.ESME_ROK
    assert client.receipts == []
    telia.answer(pdu)
    world.run(0.5)
    assert not router.journal.orphans
    assert len(texts_about(client, number)) == 1
    assert router.journey.counters.receipts_unmatched == {}
    router.assert_all_is_over()


def test_a_receipt_in_the_same_octets_as_the_answer_is_matched(
    world: World, router: Router
) -> None:
    telia, client, number, pdu = unanswered(router)
    receipt = p.sm(
        v.DELIVER_SM,
        77,
        source=SUBSCRIBER,
        destination=BANK,
        esm_class=4,
        short_message=receipt_text(b"abc", b"DELIVRD"),
    )
    telia.far.send(receipt + p.response(v.SUBMIT_SM, pdu.sequence_number, 0, b"abc\0"))
    world.run(0.5)
    assert telia.answer_to(77) == v.ESME_ROK
    assert len(texts_about(client, number)) == 1
    router.assert_all_is_over()


def test_a_receipt_on_another_bind_before_the_answer_waits_for_it(
    world: World, router: Router
) -> None:
    telia, other = router.operator("telia", status=None), router.operator("telia", 1, status=None)
    client = router.client()
    (number,) = submitted(router, telia, client)
    (_, pdu) = telia.submits[0]
    telia.ids[b"1"] = pdu
    telia.report(b"1", over=other)
    world.run(5.0)
    telia.answer(pdu)
    world.run(1.0)
    assert len(texts_about(client, number)) == 1
    router.assert_all_is_over()


def test_a_receipt_between_the_time_out_and_a_late_answer_waits_for_it(
    world: World, router: Router
) -> None:
    telia, client, number, pdu = unanswered(router)
    telia.ids[b"2"] = pdu  # It answers the other one first.
    world.run(router.settings.session.response_timeout_s)
    (_, again) = telia.submits[1]
    telia.answer(again)
    world.run(0.5)
    assert router.journey.operators[TELIA].in_flight == 0
    report = telia.report(b"2")
    world.run(1.0)
    telia.answer(pdu)
    world.run(1.0)
    assert telia.answer_to(report) == v.ESME_ROK
    assert len(texts_about(client, number)) == 1
    assert router.journey.counters.receipts_unmatched == {}
    assert router.outcomes == [Outcome.DELIVERED]


def test_a_receipt_that_waits_while_its_bind_is_lost_is_not_lost(
    world: World, router: Router
) -> None:
    telia, other = router.operator("telia", status=None), router.operator("telia", 1, status=None)
    client = router.client()
    (number,) = submitted(router, telia, client)
    (_, pdu) = telia.submits[0]
    telia.ids[b"1"] = pdu
    telia.report(b"1", over=other)
    world.run(1.0)
    other.far.drop()
    world.run(1.0)
    telia.answer(pdu)
    world.run(1.0)
    assert len(texts_about(client, number)) == 1
    again = telia.report(b"1")  # Never answered, so the operator says it again.
    world.run(1.0)
    assert telia.answer_to(again) == v.ESME_ROK
    assert len(client.receipts) == 1
    router.assert_all_is_over()


def test_a_receipt_that_nothing_claims_is_acknowledged_and_counted(
    world: World, router: Router
) -> None:
    telia, client, _, _ = unanswered(router)
    report = telia.deliver(receipt_text(b"99", b"DELIVRD"), SUBSCRIBER, BANK, esm_class=4)
    world.run(1.0)
    assert telia.answer_to(report) == v.ESME_ROK
    counters = router.journey.counters
    assert counters.receipts_unmatched == {}
    assert router.journey.pending.correlators[TELIA].orphans == 1
    world.run(ORPHAN_S)
    assert router.journey.pending.correlators[TELIA].orphans == 0
    assert not router.journal.orphans
    assert counters.receipts_unmatched == {TELIA: 1}
    assert counters.receipts == {(TELIA, "delivered"): 1}
    assert client.receipts == []


def test_unknown_receipts_hold_up_no_wanted_one(world: World, router: Router) -> None:
    telia, client, number, pdu = unanswered(router)  # So something is in flight all the time.
    unknown = [
        telia.deliver(receipt_text(b"x%d" % n, b"DELIVRD"), SUBSCRIBER, BANK, esm_class=4)
        for n in range(10)
    ]
    world.run(0.5)
    assert {telia.answer_to(number) for number in unknown} == {v.ESME_ROK}
    telia.answer(pdu)
    world.run(0.1)
    telia.report(b"1")
    world.run(0.5)
    assert len(texts_about(client, number)) == 1


def test_a_receipt_that_nobody_wants_is_answered_and_kept_nowhere(
    world: World, router: Router
) -> None:
    telia, client = connected(router)
    submitted(router, telia, client, 3, registered_delivery=0)
    telia.status = lambda _: None
    client.submit(b"37255512345")  # In flight: an unknown receipt could be its own.
    world.run(0.5)
    router.disk.is_stuck = True  # And the journal answers nothing.
    telia.report_all()
    world.run(0.5)
    answers = telia.far.pdus(v.DELIVER_SM_RESP)
    assert [pdu.command_status for pdu in answers] == [v.ESME_ROK] * 3
    router.disk.go_on()
    world.run(0.5)
    assert router.journey.pending.correlators[TELIA].orphans == 0
    assert router.journey.counters.receipts_unmatched == {}
    assert client.receipts == []


def test_an_orphan_of_a_message_that_wants_no_receipt_is_kept_no_longer(
    world: World, router: Router
) -> None:
    telia, client = connected(router, status=None)
    client.submit(b"37255512345", registered_delivery=0)
    world.run(0.5)
    telia.ids[b"1"] = telia.submits[0][1]
    telia.report(b"1")
    world.run(0.5)
    assert len(router.journal.orphans) == 1
    telia.answer(telia.submits[0][1])
    world.run(0.5)
    assert not router.journal.orphans
    assert router.journey.pending.correlators[TELIA].orphans == 0
    router.assert_all_is_over()


def test_an_orphan_outlives_the_process(world: World, router: Router) -> None:
    telia, _, _, pdu = unanswered(router)
    telia.ids[b"1"] = pdu
    report = telia.report(b"1")
    world.run(0.5)
    assert telia.answer_to(report) == v.ESME_ROK
    again, telia = restarted_with(router, telia)
    world.run(1.0)
    client = again.client()
    assert len(client.receipts) == 1
    assert again.outcomes == [Outcome.DELIVERED]
    assert not again.journal.orphans


def test_a_receipt_that_the_journal_cannot_keep_is_refused_and_comes_again(
    world: World, router: Router
) -> None:
    telia, client, number, pdu = unanswered(router)
    telia.ids[b"1"] = pdu
    router.disk.is_stuck = True
    report = telia.report(b"1")
    world.run(0.1)
    router.journal.failing = FULL_DISK
    router.disk.go_on()
    world.run(0.1)
    assert telia.answer_to(report) == v.ESME_RX_T_APPN
    assert router.journey.pending.correlators[TELIA].orphans == 0
    router.journal.failing = None
    world.run(2.0)
    telia.report(b"1")
    telia.answer(pdu)
    world.run(2.0)
    assert len(texts_about(client, number)) == 1


def test_the_oldest_orphan_makes_room_and_counts_as_unmatched(world: World, router: Router) -> None:
    telia, client, number, pdu = unanswered(router)
    numbers = [
        telia.deliver(receipt_text(b"x%d" % n, b"DELIVRD"), SUBSCRIBER, BANK, esm_class=4)
        for n in range(MOST_ORPHANS)
    ]
    telia.ids[b"1"] = pdu
    telia.report(b"1")
    world.run(0.5)
    assert {telia.answer_to(number) for number in numbers} == {v.ESME_ROK}
    assert router.journey.counters.receipts_unmatched == {TELIA: 1}
    telia.answer(pdu)
    world.run(0.5)
    assert len(texts_about(client, number)) == 1


# Again, in between, and about nothing.


def test_a_receipt_that_comes_twice_is_acknowledged_twice_and_told_once(
    world: World, router: Router
) -> None:
    telia, client, (number,) = taken(router)
    reports = [telia.report(b"1"), telia.report(b"1")]
    world.run(1.0)
    reports.append(telia.report(b"1"))
    world.run(1.0)
    assert [telia.answer_to(report) for report in reports] == [v.ESME_ROK] * 3
    assert len(texts_about(client, number)) == 1
    assert router.journey.counters.receipts_unmatched == {}
    assert router.outcomes == [Outcome.DELIVERED]
    router.assert_all_is_over()


@pytest.mark.parametrize("again", [b"UNDELIV", b"ENROUTE", b"EXPIRED", b"DELIVRD"])
def test_a_final_state_stays(world: World, router: Router, again: bytes) -> None:
    telia, client, _ = taken(router, registered_delivery=17)
    telia.report(b"1", b"DELIVRD")
    world.run(1.0)
    telia.report(b"1", again)
    world.run(1.0)
    assert router.outcomes == [Outcome.DELIVERED]
    assert len(client.receipts) == 1


def test_an_intermediate_receipt_goes_to_who_asked_for_it_and_before_the_final_one(
    world: World, router: Router
) -> None:
    telia, client = connected(router)
    asked = client.submit(registered_delivery=17)
    other = client.submit(registered_delivery=1)
    world.run(1.0)
    client.deliver_status = lambda _: None
    for operator_id in (b"1", b"2"):
        telia.report(operator_id, b"ENROUTE", esm_class=0x20)
        telia.report(operator_id, b"DELIVRD")
    world.run(1.0)
    # One at a time for a message; the final one waits for the answer to the other.
    assert [b"ENROUTE" in text for text in texts_about(client, asked)] == [True]
    assert [b"DELIVRD" in text for text in texts_about(client, other)] == [True]
    first = next(pdu for pdu in client.receipts if p.Sm(pdu).esm_class == 0x20)
    client.deliver_status = lambda _: 0
    client.far.send(p.response(v.DELIVER_SM, first.sequence_number, 0, b"\0"))
    world.run(1.0)
    assert [b"DELIVRD" in text for text in texts_about(client, asked)] == [False, True]


def test_a_receipt_for_an_unknown_id_is_acknowledged_and_counted(
    world: World, router: Router
) -> None:
    telia = router.operator("telia")
    report = telia.deliver(receipt_text(b"4711", b"DELIVRD"), SUBSCRIBER, BANK, esm_class=4)
    world.run(0.5)
    assert telia.answer_to(report) == v.ESME_ROK
    assert router.journey.counters.receipts_unmatched == {TELIA: 1}


@pytest.mark.parametrize("text", [b"", b"nonsense", b"id: sub:001 stat:DELIVRD", b"\x00\xff" * 60])
def test_a_receipt_without_an_id_is_acknowledged_at_once_and_finds_nothing(
    world: World, router: Router, text: bytes
) -> None:
    telia = router.operator("telia", status=None)
    telia.next_id = 0  # An operator that counts from 0 has a message with that id,
    client = router.client()
    submitted(router, telia, client)
    (_, pdu) = telia.submits[0]
    report = telia.deliver(text, SUBSCRIBER, BANK, esm_class=4)
    world.run(0.5)
    assert telia.answer_to(report) == v.ESME_ROK  # though one is in flight, nothing can claim it.
    telia.answer(pdu)
    world.run(0.5)
    report = telia.deliver(text, SUBSCRIBER, BANK, esm_class=4)
    world.run(0.5)
    assert telia.answer_to(report) == v.ESME_ROK
    assert client.receipts == []
    assert router.outcomes == []
    assert router.journey.counters.receipts_unmatched == {TELIA: 2}


def test_an_unasked_receipt_is_acknowledged(world: World, router: Router) -> None:
    telia, client, _ = taken(router, registered_delivery=0)
    report = telia.report(b"1")
    world.run(1.0)
    assert telia.answer_to(report) == v.ESME_ROK
    assert client.receipts == []
    assert router.outcomes == [Outcome.SENT]


def test_an_id_that_an_operator_uses_twice_goes_by_the_number(world: World, router: Router) -> None:
    telia, client = connected(router)
    first = client.submit(b"37255500001")
    world.run(1.0)
    telia.next_id = 1
    second = client.submit(b"37255500002")
    world.run(1.0)
    telia.report(b"1")  # Of the second one: its number says so.
    world.run(1.0)
    assert len(texts_about(client, second)) == 1
    assert texts_about(client, first) == []
    telia.deliver(receipt_text(b"1", b"UNDELIV"), (1, 1, b"37255500001"), BANK, esm_class=4)
    world.run(1.0)
    assert len(texts_about(client, first)) == 1
    router.assert_all_is_over()


@pytest.mark.parametrize("is_over", [False, True], ids=["waits", "is over"])
def test_a_receipt_before_its_answer_is_not_of_an_older_message_with_the_id(
    world: World, router: Router, *, is_over: bool
) -> None:
    telia, client = connected(router)
    first = client.submit(b"37255500001")
    world.run(1.0)
    if is_over:
        telia.report(b"1")
        world.run(1.0)
    telia.status = lambda _: None
    second = client.submit(b"37255500002")
    world.run(1.0)
    _, pdu = telia.submits[1]
    early = telia.deliver(receipt_text(b"1", b"UNDELIV"), (1, 1, b"37255500002"), BANK, esm_class=4)
    world.run(1.0)
    assert telia.answer_to(early) == v.ESME_ROK
    assert len(texts_about(client, first)) == is_over
    telia.next_id = 1
    telia.answer(pdu)
    world.run(1.0)
    (text,) = texts_about(client, second)
    assert b"stat:UNDELIV" in text
    if not is_over:
        telia.deliver(receipt_text(b"1", b"DELIVRD"), (1, 1, b"37255500001"), BANK, esm_class=4)
        world.run(1.0)
    (text,) = texts_about(client, first)
    assert b"stat:DELIVRD" in text
    router.assert_all_is_over()


@pytest.mark.parametrize("one_is_right", [False, True])
def test_operator_whose_receipts_have_other_numbers_is_not_searched_for_each_of_them(
    world: World, router: Router, *, one_is_right: bool
) -> None:
    telia, client = connected(router)
    for _ in range(MOST_STRANGERS + 50):
        client.submit()
    world.run(10.0)
    telia.status = lambda _: None
    client.submit()  # One is in flight.
    world.run(1.0)
    for number in range(1, MOST_STRANGERS + 51):
        is_right = one_is_right and number == MOST_STRANGERS
        source = SUBSCRIBER if is_right else (0, 0, b"999000")
        telia.deliver(receipt_text(b"%d" % number, b"DELIVRD"), source, BANK, esm_class=4)
        world.run(0.1)
    assert len(client.receipts) == MOST_STRANGERS + 50
    searched = router.journey.pending.correlators[OperatorName("telia")].strangers
    assert searched == (50 if one_is_right else MOST_STRANGERS)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("early", ["AB", "BxB", "BB"])
def test_receipts_of_two_messages_in_flight_that_get_one_id_go_by_the_number(
    world: World, router: Router, early: str, order: tuple[int, int]
) -> None:
    telia, client = connected(router, status=None)
    sent = [client.submit(number) for number in (b"37255500001", b"37255500002")]
    world.run(1.0)
    reports = {
        "A": (receipt_text(b"1F", b"DELIVRD"), (1, 1, b"37255500001")),
        "x": (receipt_text(b"0x1F", b"DELIVRD"), (1, 1, b"37255500001")),
        "B": (receipt_text(b"1F", b"UNDELIV"), (1, 1, b"37255500002")),
    }
    for which in early:
        telia.deliver(*reports[which], BANK, esm_class=4)
    world.run(1.0)
    assert client.receipts == []
    telia.id_form = lambda _: b"1F"
    for place in order:
        telia.answer(telia.submits[place][1])
        world.run(1.0)
    if early == "BB":
        telia.deliver(*reports["A"], BANK, esm_class=4)
        world.run(1.0)
    (of_first,), (of_second,) = (texts_about(client, number) for number in sent)
    assert b"stat:DELIVRD" in of_first
    assert b"stat:UNDELIV" in of_second
    router.assert_all_is_over()


def test_a_receipt_without_a_date_that_comes_twice_before_its_answer_waits_for_no_other_message(
    world: World, router: Router
) -> None:
    telia, client = connected(router, status=None)
    first, _ = client.submit(), client.submit()  # To one number.
    world.run(1.0)
    for _ in range(2):
        telia.deliver(b"id:1 stat:DELIVRD", SUBSCRIBER, BANK, esm_class=4)
    world.run(1.0)
    telia.answer(telia.submits[0][1])
    world.run(1.0)
    assert len(texts_about(client, first)) == 1
    assert router.journal.orphans == {}


def test_a_receipt_with_another_number_is_of_the_message_with_its_id_all_the_same(
    world: World, router: Router
) -> None:
    telia, client = connected(router)
    number = client.submit(b"37255500001")
    world.run(1.0)
    telia.status = lambda _: None
    client.submit(b"37255500002")
    world.run(1.0)
    telia.deliver(receipt_text(b"1", b"DELIVRD"), (1, 1, b"37255500003"), BANK, esm_class=4)
    world.run(1.0)
    assert len(texts_about(client, number)) == 1


# Carriers and forms.


def tlvs_of(operator_id: bytes, state: int = 2) -> bytes:
    return p.tlv(v.RECEIPTED_MESSAGE_ID, operator_id) + p.tlv(v.MESSAGE_STATE, bytes((state,)))


@pytest.mark.parametrize("nul", [b"", b"\0"])
@pytest.mark.parametrize("esm_class", [0x00, 0x04])
def test_a_receipt_may_consist_of_tlvs(
    world: World, router: Router, esm_class: int, nul: bytes
) -> None:
    telia, client, (number,) = taken(router)
    telia.deliver(b"", SUBSCRIBER, BANK, esm_class=esm_class, tlvs=tlvs_of(b"1" + nul))
    world.run(1.0)
    assert b"stat:DELIVRD" in texts_about(client, number)[0]
    router.assert_all_is_over()


def test_the_tlvs_of_a_receipt_go_before_its_text(world: World, router: Router) -> None:
    telia, client, (number,) = taken(router)
    telia.deliver(
        receipt_text(b"999", b"DELIVRD"), SUBSCRIBER, BANK, esm_class=4, tlvs=tlvs_of(b"1", 5)
    )
    world.run(1.0)
    assert b"stat:UNDELIV" in texts_about(client, number)[0]
    router.assert_all_is_over()


TWO_IDS = pytest.mark.parametrize(
    ("tlv", "text"), [(b"1", b"999"), (b"999", b"1")], ids=["tlv", "text"]
)
"""Of which the message has the first or the second: the TLV's, or the text's."""


def two_ids(telia: Operator, tlv: bytes, text: bytes) -> int:
    """Have a receipt come whose TLV and text name different ids."""
    says = receipt_text(text, b"DELIVRD")
    return telia.deliver(says, SUBSCRIBER, BANK, esm_class=4, tlvs=tlvs_of(tlv))


@TWO_IDS
def test_where_tlv_and_text_name_different_ids_the_one_that_is_known_counts(
    world: World, router: Router, tlv: bytes, text: bytes
) -> None:
    telia, client, (number,) = taken(router)
    world.run(60.0)  # What has to be is on disk.
    reports = [two_ids(telia, tlv, text)]
    world.run(1.0)
    reports.append(two_ids(telia, tlv, text))  # And once more: it is known still.
    world.run(1.0)
    assert [telia.answer_to(one) for one in reports] == [v.ESME_ROK] * 2
    assert len(texts_about(client, number)) == len(client.receipts) == 1
    assert router.journey.counters.receipts_unmatched == {}
    router.assert_all_is_over()


@TWO_IDS
@pytest.mark.parametrize("restarts", [False, True], ids=["", "restarts"])
def test_an_early_receipt_with_two_ids_waits_under_both(
    world: World, router: Router, tlv: bytes, text: bytes, *, restarts: bool
) -> None:
    telia, client, _, pdu = unanswered(router)
    report = two_ids(telia, tlv, text)
    world.run(0.5)
    assert telia.answer_to(report) == v.ESME_ROK
    assert router.journey.pending.correlators[TELIA].orphans == 1
    if restarts:
        router, telia = restarted_with(router, telia)  # It sends the message again.
        client = router.client()
    else:
        telia.answer(pdu)
    world.run(1.0)
    assert len(client.receipts) == 1
    assert router.outcomes == [Outcome.DELIVERED]
    assert router.journey.pending.correlators[TELIA].orphans == 0
    assert not router.journal.orphans


def test_of_two_ids_that_are_both_known_the_number_decides(world: World, router: Router) -> None:
    telia, client = connected(router)
    (other,) = submitted(router, telia, client, destination=b"37255599999")
    (number,) = submitted(router, telia, client)
    two_ids(telia, b"1", b"2")
    world.run(1.0)
    assert len(texts_about(client, number)) == 1
    assert texts_about(client, other) == []


@pytest.mark.parametrize("by_tlvs", [True, False])
def test_a_receipt_may_come_in_a_data_sm(world: World, router: Router, by_tlvs: bool) -> None:
    telia, client, (number,) = taken(router)
    payload = p.tlv(v.MESSAGE_PAYLOAD, receipt_text(b"1", b"DELIVRD"))
    telia.far.send(
        data_sm(
            55,
            source=SUBSCRIBER,
            destination=BANK,
            esm_class=0 if by_tlvs else 4,
            tlvs=tlvs_of(b"1") if by_tlvs else payload,
        )
    )
    world.run(1.0)
    (answer,) = telia.far.pdus(v.DATA_SM_RESP)
    assert (answer.sequence_number, answer.command_status) == (55, v.ESME_ROK)
    assert len(texts_about(client, number)) == 1
    router.assert_all_is_over()


def test_a_receipt_may_stand_in_the_message_payload(world: World, router: Router) -> None:
    telia, client, (number,) = taken(router)
    payload = p.tlv(v.MESSAGE_PAYLOAD, receipt_text(b"1", b"DELIVRD") + b"\0")
    telia.deliver(b"", SUBSCRIBER, BANK, esm_class=4, tlvs=payload)
    world.run(1.0)
    assert len(texts_about(client, number)) == 1
    router.assert_all_is_over()


@pytest.mark.parametrize(
    "text",
    [
        b"id:1 submit date:1701240904 done date:1701240904 stat:DELIVRD err:000 text:hello",
        b"id:1 sub:000 dlvrd:000 submitdate:180122230957 donedate:000000000000 stat:DELIVRD",
        b"id:1 sub:001 dlvrd:001 submit date:1809031208 done date:180903120816 DELIVRD err:000",
        b"ID:1 Sub:1 Dlvrd:1 Submit Date:20190619072000 Done Date:20190619072000 Stat:DELIVRD",
        b"stat:DELIVRD id:1",
    ],
)
def test_a_receipt_is_read_in_the_forms_that_operators_send(
    world: World, router: Router, text: bytes
) -> None:
    telia, client, (number,) = taken(router)
    telia.deliver(text, SUBSCRIBER, BANK, esm_class=4)
    world.run(1.0)
    assert b"stat:DELIVRD" in texts_about(client, number)[0]
    router.assert_all_is_over()


def test_a_subscriber_cannot_forge_a_receipt(world: World, router: Router) -> None:
    telia, client, _ = taken(router)
    telia.deliver(receipt_text(b"1", b"DELIVRD"), SUBSCRIBER, (3, 0, b"12302"))
    world.run(1.0)
    assert client.receipt_texts() == [receipt_text(b"1", b"DELIVRD")]  # A message like any other.
    assert p.Sm(client.receipts[0]).esm_class == 0
    assert router.outcomes == []


def test_the_error_of_the_operator_reaches_the_client_and_both_dates_are_ours(
    world: World, router: Router
) -> None:
    telia, client, (number,) = taken(router)
    world.run(600.0)
    telia.deliver(
        receipt_text(b"1", b"UNDELIV", err=b"0954"),
        SUBSCRIBER,
        BANK,
        esm_class=4,
        tlvs=p.tlv(v.NETWORK_ERROR_CODE, b"\x03\x00\x21"),
    )
    world.run(1.0)
    (text,) = texts_about(client, number)
    assert b" submit date:2701150800 done date:2701150810 stat:UNDELIV err:954 " in text
    assert p.Sm(client.receipts[0]).tlv(v.NETWORK_ERROR_CODE) == b"\x03\x00\x21"


@pytest.mark.parametrize(
    ("done", "told"),
    [
        (b"2701151005", b"2701150805"),
        (b"270115100559", b"2701150805"),
        (b"2701150805", b"2701150810"),  # In UTC after all: the receipt came at 08:10.
    ],
)
def test_done_dates_in_the_time_zone_of_the_operator_are_told_in_utc(
    world: World, contract: Settings, capacity: Capacity, done: bytes, told: bytes
) -> None:
    written = ReceiptSettings(time_zone=ZoneInfo("Europe/Tallinn"))
    router = Router(world, with_operator(contract, "telia", receipts=written), capacity=capacity)
    telia, client, (number,) = taken(router)
    world.run(600.0)
    text = receipt_text(b"1", b"DELIVRD").replace(b"done date:2701150801", b"done date:" + done)
    telia.deliver(text, SUBSCRIBER, BANK, esm_class=4)
    world.run(1.0)
    assert b" submit date:2701150800 done date:%b " % told in texts_about(client, number)[0]


@pytest.mark.parametrize("zone", [None, ZoneInfo("Europe/Tallinn")])
def test_the_done_date_of_an_early_receipt_is_when_it_came(
    world: World, contract: Settings, capacity: Capacity, zone: ZoneInfo | None
) -> None:
    written = ReceiptSettings(time_zone=zone)
    router = Router(world, with_operator(contract, "telia", receipts=written), capacity=capacity)
    telia, client = connected(router)
    telia.latency_s = 29.0
    world.run(45.0)
    number = client.submit()
    world.run(10.0)
    telia.deliver(receipt_text(b"1", b"DELIVRD"), SUBSCRIBER, BANK, esm_class=4)
    world.run(30.0)  # It is told in the minute after.
    assert b" done date:2701150800 " in texts_about(client, number)[0]


@pytest.mark.parametrize(
    ("source", "destination"),
    [
        ((5, 0, b"BANK"), (1, 1, b"+37255512345")),
        ((0, 0, b"12302"), (2, 8, b"0037255512345")),
        ((7, 20, b"+372 555"), (8, 99, b"37255512345")),
    ],
)
def test_a_receipt_carries_the_addresses_as_the_client_wrote_them_swapped(
    world: World,
    router: Router,
    source: tuple[int, int, bytes],
    destination: tuple[int, int, bytes],
) -> None:
    telia, client = connected(router)
    client.far.send(
        p.sm(
            v.SUBMIT_SM,
            9,
            source=source,
            destination=destination,
            short_message=b"hello",
            registered_delivery=1,
        )
    )
    world.run(1.0)
    telia.report(b"1")
    world.run(1.0)
    sm = p.Sm(client.receipts[0])
    assert (sm.source, sm.destination) == (destination, source)


@pytest.mark.parametrize("version", [v.VERSION_3_3, v.VERSION_3_4])
def test_an_account_with_ids_of_eight_characters_sees_no_other(
    world: World, contract: Settings, capacity: Capacity, version: int
) -> None:
    router = Router(
        world,
        with_account(contract, "bank", message_id=MessageIdForms(response="hex8", receipt="hex8")),
        capacity=capacity,
    )
    telia = router.operator("telia")
    client = router.client(version=version)
    number = client.submit(SUBSCRIBER[2])
    world.run(1.0)
    again = router.restarted()  # The id goes through the journal.
    back = again.client(version=version)
    far = again.operator("telia")
    far.ids = telia.ids
    far.report(b"1")
    world.run(1.0)
    client_id = client.id_of(number)
    assert len(client_id) == 8
    (text,) = back.receipt_texts()
    assert text.startswith(b"id:" + client_id + b" ")
    tlv = p.Sm(back.receipts[0]).tlv(v.RECEIPTED_MESSAGE_ID)
    assert tlv == (None if version == v.VERSION_3_3 else client_id + b"\0")
