"""router/steps/receipts.py: receipts of long messages, one for each part or one for all of them.

Where `receipts.per` says `message`, one receipt is that of all parts; where it does not and an
operator does so, that is noticed.
"""

from typing import Final

import pytest
from structlog.testing import capture_logs

from router.report.half_receipted import FEWEST, LASTS_S, PATIENCE_S
from router.smpp import vocabulary as v
from router.terms.capacity import Capacity
from router.terms.names import OperatorName
from router.terms.outcome import Outcome
from router.terms.settings import ReceiptSettings, Settings
from tests.doubles import FULL_DISK, Client, Operator, Router, World, receipt_text, with_operator
from tests.journey.scenes import connected, restarted_with

TELIA: Final = OperatorName("telia")
SUBSCRIBER: Final = (1, 1, b"37255512345")
BANK: Final = (5, 0, b"BANK")
ID_OF_ALL: Final = b"77"
EVENT: Final = "receipt.parts_missed"


@pytest.fixture(autouse=True, params=[Capacity().pending_receipts, 0], ids=["memory", "disk"])
def capacity(request: pytest.FixtureRequest) -> Capacity:
    """Where what an operator took is remembered after a while makes no difference."""
    return Capacity(pending_receipts=request.param)


@pytest.fixture
def router(world: World, contract: Settings, capacity: Capacity) -> Router:
    """A router whose telia sends one receipt for a long message."""
    written = ReceiptSettings(per="message")
    return Router(world, with_operator(contract, "telia", receipts=written), capacity=capacity)


def submit_part(client: Client, number: int, *, wants: int = 1, reference: int = 7) -> int:
    """Submit one part of a message of three."""
    text = bytes((5, 0, 3, reference, 3, number)) + b"part"
    return client.submit(text=text, esm_class=0x40, registered_delivery=wants)


def submit_all(client: Client, wants: int = 1, reference: int = 7) -> list[int]:
    """Submit the three parts of a message."""
    return [submit_part(client, n, wants=wants, reference=reference) for n in (1, 2, 3)]


def taken(router: Router, wants: int = 1) -> tuple[Operator, Client, list[int]]:
    """Have telia take the three parts, as 1, 2 and 3; what has to be is then on disk."""
    telia, client = connected(router)
    numbers = submit_all(client, wants)
    router.world.run(60.0)
    assert list(telia.ids) == [b"1", b"2", b"3"]
    return telia, client, numbers


def told(client: Client, state: bytes = b"DELIVRD") -> list[bytes]:
    """The ids in the receipts that the client has, in their order; all have this state."""
    texts = client.receipt_texts()
    assert all(b" stat:%b " % state in text for text in texts)
    return sorted(text.split()[0].removeprefix(b"id:") for text in texts)


def ids_of(client: Client, numbers: list[int]) -> list[bytes]:
    return [client.id_of(number) for number in numbers]


@pytest.mark.parametrize("part", [b"1", b"2", b"3"])
@pytest.mark.parametrize("state", [b"DELIVRD", b"UNDELIV"])
def test_one_receipt_is_that_of_all_parts(
    world: World, router: Router, part: bytes, state: bytes
) -> None:
    telia, client, numbers = taken(router)
    report = telia.report(part, state)
    world.run(1.0)
    assert telia.answer_to(report) == v.ESME_ROK
    assert told(client, state) == ids_of(client, numbers)
    outcome = Outcome.DELIVERED if state == b"DELIVRD" else Outcome.FAILED
    assert router.outcomes == [outcome] * 3
    telia.report_all()  # It does send one for each, after all.
    world.run(1.0)
    assert len(client.receipts) == 3
    assert router.journey.counters.receipts_unmatched == {}
    router.assert_all_is_over()


def test_one_receipt_is_that_of_one_part_where_each_has_its_own(
    world: World, contract: Settings, capacity: Capacity
) -> None:
    router = Router(world, contract, capacity=capacity)
    telia, client, numbers = taken(router)
    telia.report(b"2")
    world.run(1.0)
    assert told(client) == ids_of(client, numbers[1:2])
    telia.report(b"1")
    telia.report(b"3")
    world.run(1.0)
    assert told(client) == ids_of(client, numbers)
    router.assert_all_is_over()


def test_all_parts_may_have_one_id(world: World, router: Router) -> None:
    telia, client = connected(router)
    telia.id_form = lambda _: ID_OF_ALL
    numbers = submit_all(client)
    world.run(60.0)
    telia.deliver(receipt_text(ID_OF_ALL, b"DELIVRD"), SUBSCRIBER, BANK, esm_class=4)
    world.run(1.0)
    assert told(client) == ids_of(client, numbers)
    router.assert_all_is_over()


def test_other_messages_to_the_number_are_not_told(world: World, router: Router) -> None:
    telia, client = connected(router)
    others = [client.submit(), *submit_all(client, reference=8)]
    world.run(1.0)
    numbers = submit_all(client)
    world.run(60.0)
    telia.report(b"6")
    world.run(1.0)
    assert told(client) == ids_of(client, numbers)
    telia.report(b"1")
    telia.report(b"4")
    world.run(1.0)
    assert told(client) == sorted(ids_of(client, others + numbers))
    router.assert_all_is_over()


def test_parts_that_only_the_journal_knows_are_told_with_the_one_in_memory(
    world: World, router: Router
) -> None:
    router = Router(world, router.settings, capacity=Capacity(pending_receipts=1))
    telia, client, numbers = taken(router)
    assert router.journey.pending.correlators[TELIA].in_memory == 1
    telia.report(b"3")
    world.run(1.0)
    assert told(client) == ids_of(client, numbers)
    router.assert_all_is_over()


@pytest.mark.parametrize("part", [b"1", b"3"])
def test_parts_that_wanted_no_receipt_get_none(world: World, router: Router, part: bytes) -> None:
    telia, client = connected(router)
    first = submit_part(client, 1)
    submit_part(client, 2, wants=0)
    last = submit_part(client, 3)
    world.run(60.0)
    telia.report(part)
    world.run(1.0)
    assert told(client) == ids_of(client, [first, last])
    router.assert_all_is_over()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["asks first", "asks last"])
@pytest.mark.parametrize("at", range(3), ids=["before", "between", "behind"])
def test_the_receipt_may_come_under_the_id_of_a_part_that_wanted_none(
    world: World, contract: Settings, order: tuple[int, int], at: int
) -> None:
    """Before all answers, between them, or when all parts are taken."""
    written = ReceiptSettings(per="message")
    router = Router(world, with_operator(contract, "telia", receipts=written))
    telia, client = connected(router, status=None)
    asks = submit_part(client, 1)
    submit_part(client, 2, wants=0)
    world.run(1.0)
    telia.id_form = lambda _: b"asks" if answered == asks_at else b"asks-not"
    asks_at, answered = order.index(0), 0
    for step in range(3):
        if step == at:
            telia.deliver(receipt_text(b"asks-not", b"DELIVRD"), SUBSCRIBER, BANK, esm_class=4)
            world.run(1.0)
        if step < 2:
            answered = step
            telia.answer(telia.submits[order[step]][1])
            world.run(1.0)
    world.run(1.0)
    assert told(client) == ids_of(client, [asks])
    assert router.journey.counters.receipts_unmatched == {}
    assert not router.journal.orphans
    router.assert_all_is_over()


def test_a_part_that_is_taken_after_the_receipt_is_told_at_once(
    world: World, router: Router
) -> None:
    telia, client = connected(router)
    telia.status = lambda pdu: 0 if len(telia.submits) < 3 else None
    world.run(31.0)
    numbers = submit_all(client)
    world.run(1.0)
    telia.report(b"1")
    world.run(27.5)  # To the next minute.
    assert len(client.receipts) == 2
    telia.answer(telia.submits[2][1])
    world.run(1.0)
    assert told(client) == ids_of(client, numbers)
    assert all(b" done date:2701150800 " in text for text in client.receipt_texts())
    router.assert_all_is_over()


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_a_receipt_that_comes_before_all_answers_tells_all_parts(
    world: World, router: Router, order: tuple[int, ...]
) -> None:
    telia, client = connected(router, status=None)
    numbers = submit_all(client)
    world.run(1.0)
    telia.deliver(receipt_text(b"2", b"DELIVRD"), SUBSCRIBER, BANK, esm_class=4)
    world.run(1.0)
    for at in order:
        telia.answer(telia.submits[at][1])
        world.run(0.1)
    world.run(1.0)
    assert told(client) == ids_of(client, numbers)
    router.assert_all_is_over()


def test_an_intermediate_state_is_that_of_all_parts_that_asked_for_it(
    world: World, router: Router
) -> None:
    telia, client = connected(router)
    asked = [submit_part(client, 1, wants=0x11), submit_part(client, 3, wants=0x11)]
    submit_part(client, 2)
    world.run(60.0)
    report = telia.report(b"1", b"ENROUTE", esm_class=0x20)
    world.run(1.0)
    assert telia.answer_to(report) == v.ESME_ROK
    assert told(client, b"ENROUTE") == ids_of(client, asked)
    assert router.outcomes == []


def test_an_intermediate_state_that_the_journal_cannot_keep_is_told_once_when_it_comes_again(
    world: World, router: Router
) -> None:
    telia, client, _ = taken(router, wants=0x11)
    router.journal.failing = FULL_DISK
    report = telia.report(b"1", b"ENROUTE", esm_class=0x20)
    world.run(0.5)
    assert telia.answer_to(report) == v.ESME_RX_T_APPN
    router.journal.failing = None
    world.run(5.0)
    telia.report(b"1", b"ENROUTE", esm_class=0x20)
    world.run(1.0)
    assert len(client.receipts) == 3


def test_all_parts_are_told_after_a_restart(world: World, router: Router) -> None:
    before, client, numbers = taken(router)
    expected = ids_of(client, numbers)
    again, telia = restarted_with(router, before)
    back = again.client()
    report = telia.report(b"2")
    world.run(1.0)
    assert telia.answer_to(report) == v.ESME_ROK
    assert told(back) == expected
    assert again.outcomes == [Outcome.DELIVERED] * 3
    assert not again.journal.attempts


@pytest.mark.parametrize("reported", [b"1", b"2"])
def test_parts_taken_before_and_after_a_restart_are_told_by_one_receipt(
    reported: bytes, world: World, router: Router
) -> None:
    before, client = connected(router)
    numbers = [submit_part(client, number) for number in (1, 2)]
    world.run(1.0)
    expected = ids_of(client, numbers)
    again, telia = restarted_with(router, before)
    back = again.client()
    last = submit_part(back, 3)
    world.run(1.0)
    assert len(telia.submits) == 1
    expected += ids_of(back, [last])
    telia.report(reported)
    world.run(1.0)
    assert told(back) == expected
    assert again.outcomes == [Outcome.DELIVERED] * 3
    assert not again.journal.attempts


def test_a_failure_of_the_whole_waits_for_no_attempt_of_a_part(
    world: World, router: Router
) -> None:
    telia, client = connected(router, status=None)
    numbers = submit_all(client)
    world.run(30.5)  # They are sent again.
    assert len(telia.submits) == 6
    for _, pdu in telia.submits:
        telia.answer(pdu)
    world.run(60.0)
    telia.report(b"5", b"UNDELIV")
    world.run(1.0)
    assert told(client, b"UNDELIV") == ids_of(client, numbers)
    router.assert_all_is_over()


def test_who_sets_it_while_the_router_runs_has_it_for_what_is_taken_from_then_on(
    world: World, router: Router
) -> None:
    settings = router.settings
    router.adopt(with_operator(settings, "telia", receipts=ReceiptSettings()))
    telia, client = connected(router)
    one_each = submit_all(client, reference=6)
    world.run(1.0)
    router.adopt(settings)
    numbers = submit_all(client)
    world.run(1.0)
    telia.report(b"4")
    telia.report(b"1")
    world.run(1.0)
    assert told(client) == sorted(ids_of(client, [one_each[0], *numbers]))


# It is not set, and should be.


def half_receipted(
    world: World, contract: Settings, *, both_at: int = -1, wants: int = 1
) -> tuple[Router, list[str]]:
    """Have one part of each long message receipted, of one message two; return what is logged."""
    router = Router(world, contract)
    telia, client = connected(router)
    with capture_logs() as logs:
        for number in range(FEWEST + 1):
            submit_all(client, wants, reference=number)
            world.run(1.0)
            telia.report(b"%d" % (3 * number + 1), b"ENROUTE", esm_class=0x20)  # Says nothing.
            telia.report(b"%d" % (3 * number + 1), b"UNDELIV")
            if number == both_at:
                telia.report(b"%d" % (3 * number + 2), b"UNDELIV")
            world.run(LASTS_S / (FEWEST - 1))
        world.run(PATIENCE_S + 5.0)
    return router, [str(line["why"]) for line in logs if line["event"] == EVENT]


def test_an_operator_that_sends_one_receipt_for_all_parts_is_noticed_and_told_once(
    world: World, contract: Settings
) -> None:
    router, said = half_receipted(world, contract)
    (why,) = said
    assert "operators.telia.receipts.per" in why
    assert router.journey.pending.correlators[TELIA].half_receipted.count == FEWEST + 1


def test_one_id_for_all_parts_and_one_receipt_for_each_of_them_is_noticed_too(
    world: World, contract: Settings
) -> None:
    router = Router(world, contract)
    telia, client = connected(router)
    submit_all(client)
    telia.id_form = lambda _: ID_OF_ALL
    world.run(1.0)
    for _ in range(3):
        telia.deliver(receipt_text(ID_OF_ALL, b"DELIVRD"), SUBSCRIBER, BANK, esm_class=4)
    world.run(PATIENCE_S + 5.0)
    assert len(client.receipts) == 1  # The others repeat it.
    assert router.journey.pending.correlators[TELIA].half_receipted.count == 1


@pytest.mark.parametrize(("both_at", "wants"), [(FEWEST // 2, 1), (-1, 2)])
def test_nothing_is_noticed_where_two_parts_have_receipts_or_only_failures_are_wanted(
    world: World, contract: Settings, both_at: int, wants: int
) -> None:
    router, said = half_receipted(world, contract, both_at=both_at, wants=wants)
    assert said == []
    count = router.journey.pending.correlators[TELIA].half_receipted.count
    assert count == (FEWEST if wants == 1 else 0)


def test_nothing_is_noticed_where_it_is_set(world: World, contract: Settings) -> None:
    written = with_operator(contract, "telia", receipts=ReceiptSettings(per="message"))
    router, said = half_receipted(world, written)
    assert said == []
    assert router.journey.pending.correlators[TELIA].half_receipted.count == 0
