"""report/learnt_ids.py, steps/receipts.py: an operator's ids are learnt from what it sends."""

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from router.report.learnt_ids import ENOUGH
from router.smpp import vocabulary as v
from router.terms.capacity import Capacity
from router.terms.names import OperatorName
from router.terms.outcome import Outcome
from router.terms.settings import MessageIdSettings, Settings
from tests.doubles import Client, Operator, Router, World, receipt_text, with_operator
from tests.journey.scenes import restarted_with

TELIA, ELISA = OperatorName("telia"), OperatorName("elisa")
BANK = (5, 0, b"BANK")
FIRST = 1000


@pytest.fixture(autouse=True, params=[Capacity().pending_receipts, 0], ids=["memory", "disk"])
def capacity(request: pytest.FixtureRequest) -> Capacity:
    """Where what an operator took is remembered after a while makes no difference."""
    return Capacity(pending_receipts=request.param)


@pytest.fixture
def contract(contract: Settings) -> Settings:
    """No operator says what its ids look like."""
    settings = with_operator(contract, "telia", message_id=None)
    return with_operator(settings, "elisa", message_id=None)


def number_of(place: int) -> bytes:
    return b"37255%06d" % place


def submitted(world: World, client: Client, count: int) -> None:
    for place in range(count):
        client.submit(number_of(place))
    world.run(3.0)


def hexadecimal(telia: Operator) -> Operator:
    """It answers in hex."""
    telia.next_id, telia.id_form = FIRST, lambda number: b"%X" % number
    return telia


def reports(world: World, telia: Operator, places: range, to: bytes = b"") -> None:
    """And its receipts are in decimal."""
    for place in places:
        source = (1, 1, to or number_of(place))
        telia.deliver(
            receipt_text(b"%010d" % (FIRST + place), b"DELIVRD"), source, BANK, esm_class=4
        )
    world.run(3.0)


def forms(router: Router) -> tuple[str, str] | None:
    learnt = router.journey.pending.correlators[TELIA].learnt
    if learnt is None or learnt.rule is None:
        return None
    return learnt.rule.forms.response, learnt.rule.forms.receipt


def test_forms_are_learnt_told_and_then_need_no_number(world: World, router: Router) -> None:
    telia, client = hexadecimal(router.operator("telia")), router.client()
    submitted(world, client, ENOUGH + 2)
    with capture_logs() as logs:
        reports(world, telia, range(ENOUGH))
        reports(world, telia, range(ENOUGH, ENOUGH + 2), to=b"37255999999")
    told = [(line["event"], line["operator"], line["why"]) for line in logs]
    why = "set operators.telia.message_id: {response: hex, receipt: decimal} to fix it"
    assert told == [("receipt.ids_learnt", "telia", why)]
    assert forms(router) == ("hex", "decimal")
    assert router.outcomes == [Outcome.DELIVERED] * (ENOUGH + 2)
    assert router.journey.counters.receipts_unmatched == {}
    router.assert_all_is_over()


def test_receipts_find_their_messages_after_a_restart_before_anything_is_learnt_again(
    world: World, router: Router
) -> None:
    telia, client = hexadecimal(router.operator("telia")), router.client()
    submitted(world, client, 3 * ENOUGH)
    reports(world, telia, range(ENOUGH))
    assert forms(router) == ("hex", "decimal")
    router, telia = restarted_with(router, telia)
    assert forms(router) is None
    again = telia.deliver(
        receipt_text(b"%d" % FIRST, b"DELIVRD"), (1, 1, number_of(0)), BANK, esm_class=4
    )
    world.run(3.0)
    assert telia.answer_to(again) == v.ESME_ROK
    reports(world, telia, range(ENOUGH, 3 * ENOUGH))
    assert router.outcomes == [Outcome.DELIVERED] * (2 * ENOUGH)
    assert forms(router) == ("hex", "decimal")
    assert len(router.journey.pending.correlators[TELIA]) == 0


def test_a_receipt_before_its_answer_is_matched_while_ids_are_learnt(
    world: World, router: Router
) -> None:
    telia = router.operator("telia", status=None)
    client = router.client()
    for place in range(ENOUGH):
        client.submit(number_of(place))
    world.run(0.5)
    written = len(telia.submits)
    assert written
    hexadecimal(telia)
    reports(world, telia, range(written))
    for _, pdu in telia.submits[:written]:
        telia.answer(pdu)
    world.run(3.0)
    assert router.outcomes == [Outcome.DELIVERED] * written
    assert router.journey.counters.receipts_unmatched == {}


def test_two_operators_that_count_alike_are_not_mixed_up(world: World, router: Router) -> None:
    telia = hexadecimal(router.operator("telia"))
    elisa, rx = router.operator("elisa"), router.operator("elisa", 2)
    elisa.next_id = FIRST
    client = router.client()
    for place in range(2 * ENOUGH):
        client.submit(number_of(place))
        client.submit(b"35840%06d" % place)
    world.run(3.0)
    for place in range(2 * ENOUGH):
        rx.deliver(
            receipt_text(b"%d" % (FIRST + place), b"UNDELIV"),
            (1, 1, b"35840%06d" % place),
            BANK,
            esm_class=4,
        )
    reports(world, telia, range(2 * ENOUGH))
    assert sorted(router.outcomes, key=str) == (
        [Outcome.DELIVERED] * 2 * ENOUGH + [Outcome.FAILED] * 2 * ENOUGH
    )
    failed = [text for text in client.receipt_texts() if b"UNDELIV" in text]
    assert len(failed) == 2 * ENOUGH
    assert forms(router) == ("hex", "decimal")
    router.assert_all_is_over()


def test_what_the_settings_say_is_never_overridden(
    world: World, contract: Settings, capacity: Capacity
) -> None:
    settings = with_operator(contract, "telia", message_id=MessageIdSettings())
    router = Router(world, settings, capacity=capacity)
    telia, client = hexadecimal(router.operator("telia")), router.client()
    submitted(world, client, 2 * ENOUGH)
    with capture_logs() as logs:
        reports(world, telia, range(2 * ENOUGH))
    assert logs == []
    assert router.journey.pending.correlators[TELIA].guessed == 2 * ENOUGH
    assert router.outcomes == [Outcome.DELIVERED] * (2 * ENOUGH)


def test_a_setting_that_comes_with_a_reload_ends_what_was_learnt(
    world: World, router: Router, contract: Settings
) -> None:
    telia, client = hexadecimal(router.operator("telia")), router.client()
    submitted(world, client, ENOUGH + 2)
    reports(world, telia, range(ENOUGH))
    one = replace(MessageIdSettings(), response="hex", receipt="decimal")
    router.adopt(with_operator(contract, "telia", message_id=one))
    assert router.journey.pending.correlators[TELIA].learnt is None
    reports(world, telia, range(ENOUGH, ENOUGH + 2))
    assert router.outcomes == [Outcome.DELIVERED] * (ENOUGH + 2)
    router.assert_all_is_over()
