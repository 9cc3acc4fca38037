"""router/steps/outcomes.py, router/report/quality.py: what each outcome tells of its operator."""

import pytest

from router.report.quality import TOO_FAST_S, Sums
from router.smpp import vocabulary as v
from router.terms.outcome import Outcome
from tests.doubles import Operator, Router, World, receipt_text, with_operator
from tests.journey.scenes import connected, connected_to_both, restarted_with, taken


def said(telia: Operator, state: bytes, err: bytes, operator_id: bytes = b"1") -> None:
    """The operator sends a receipt with an error code."""
    telia.deliver(receipt_text(operator_id, state, err), esm_class=4)


def quality(router: Router, operator: str = "telia") -> Sums | None:
    """What was counted of the messages to Estonia; None if nothing was."""
    found = router.journey.quality.by_country()
    return next((sums for key, sums in found.items() if key == (operator, "EE")), None)


def counted(router: Router) -> tuple[int, int, int, int]:
    """Outcomes, unreachable, delivered, never receipted."""
    sums = quality(router)
    assert sums is not None
    return sums.outcomes, sums.unreachable, sums.delivered, sums.never_receipted


@pytest.mark.parametrize(
    ("state", "err", "is_counted"),
    [
        (b"DELIVRD", b"000", (1, 0, 1, 0)),
        (b"DELIVRD", b"001", (1, 0, 1, 0)),
        (b"UNDELIV", b"001", (1, 1, 0, 0)),
        (b"UNDELIV", b"1", (1, 1, 0, 0)),
        (b"REJECTD", b"0011", (1, 1, 0, 0)),
        (b"UNDELIV", b"010", (1, 0, 0, 0)),
        (b"UNDELIV", b"000", (1, 0, 0, 0)),
        (b"EXPIRED", b"027", (1, 0, 0, 0)),
    ],
)
def test_receipt_says_whether_the_number_can_be_reached(
    world: World, router: Router, state: bytes, err: bytes, is_counted: tuple[int, int, int, int]
) -> None:
    telia, _, _ = taken(router)
    said(telia, state, err)
    world.run(1.0)
    assert counted(router) == is_counted
    assert router.journey.counters.unreachable["bank"] == is_counted[1]  # type: ignore[index]


def test_error_of_the_network_counts_where_the_text_has_none(world: World, router: Router) -> None:
    telia, _, _ = taken(router, count=2)
    for number, tlv in ((b"1", b"\x04\x23\0\3\3\0\1"), (b"2", b"\x04\x23\0\3\7\0\1")):
        telia.deliver(receipt_text(number, b"UNDELIV"), esm_class=4, tlvs=tlv)
    world.run(1.0)
    assert counted(router) == (2, 1, 0, 0)  # The other is a command_status.


def test_operator_has_codes_of_its_own(world: World, router: Router) -> None:
    router.adopt(with_operator(router.settings, "telia", undeliverable=("EC", "0042")))
    telia, _, _ = taken(router, count=3)
    for number, err in ((b"1", b"ec"), (b"2", b"42"), (b"3", b"001")):
        said(telia, b"UNDELIV", err, number)
    world.run(1.0)
    assert counted(router) == (3, 2, 0, 0)


@pytest.mark.parametrize(
    ("status", "unreachable"), [(v.ESME_RINVDSTADR, 1), (v.ESME_RINVMSGLEN, 0)]
)
def test_refusal_for_good_is_an_outcome(
    world: World, router: Router, status: int, unreachable: int
) -> None:
    _, client = connected(router, status=status)
    client.submit(registered_delivery=1)
    world.run(1.0)
    assert router.outcomes == [Outcome.FAILED]
    assert counted(router) == (1, unreachable, 0, 0)


def test_receipt_that_never_comes_is_counted(world: World, router: Router) -> None:
    router.adopt(with_operator(router.settings, "telia", receipt_wait_s=60.0))
    taken(router)
    world.run(70.0)
    assert router.outcomes == [Outcome.UNKNOWN]
    assert counted(router) == (1, 0, 0, 1)


def test_message_that_wants_no_receipt_or_expires_in_a_queue_says_nothing(
    world: World, router: Router
) -> None:
    taken(router, registered_delivery=0)
    client = router.client(b"shop", b"secret02")
    for one in router.journey.operators.values():
        for bind in one.binds:
            bind.drained = True
    client.submit(registered_delivery=1, validity_period=b"000000000010000R")
    world.run(400.0)
    assert quality(router) is None


@pytest.mark.parametrize(("after_s", "too_fast"), [(TOO_FAST_S - 0.1, 1), (TOO_FAST_S + 0.1, 0)])
def test_receipt_that_comes_faster_than_a_telephone_answers_is_marked(
    world: World, router: Router, after_s: float, too_fast: int
) -> None:
    telia, client = connected(router)
    client.submit(registered_delivery=1)
    world.call_later(after_s, lambda: said(telia, b"DELIVRD", b"000"))
    world.run(5.0)
    sums = quality(router)
    assert sums is not None
    assert (sums.delivered, sums.too_fast) == (1, too_fast)
    assert router.journey.counters.receipts_too_fast["telia"] == too_fast  # type: ignore[index]


@pytest.mark.parametrize(("after_s", "too_fast"), [(0.1, 1), (5.0, 0)])
def test_receipt_before_the_answer_is_judged_by_when_it_came(
    world: World, router: Router, after_s: float, too_fast: int
) -> None:
    telia, client = connected(router)
    telia.latency_s = 8.0
    client.submit(registered_delivery=1)
    world.call_later(after_s, lambda: said(telia, b"DELIVRD", b"000"))
    world.run(20.0)
    sums = quality(router)
    assert sums is not None
    assert (sums.delivered, sums.too_fast) == (1, too_fast)


def test_after_a_restart_no_receipt_is_too_fast(world: World, router: Router) -> None:
    telia, _, _ = taken(router)
    again, telia = restarted_with(router, telia)
    telia.report(b"1")
    world.run(1.0)
    sums = quality(again)
    assert sums is not None
    assert (sums.delivered, sums.too_fast) == (1, 0)


def test_failure_that_was_withheld_is_judged_too(world: World, router: Router) -> None:
    telia, elisa, client = connected_to_both(router, status=None)
    router.adopt(with_operator(router.settings, "telia", receipt_wait_s=60.0))
    client.submit(registered_delivery=1)
    world.run(31.0)  # In doubt, and sent again.
    first, second = (pdu for _, pdu in telia.submits)
    telia.answer(first)
    telia.answer(second)
    world.run(1.0)
    said(telia, b"UNDELIV", b"001")
    world.run(100.0)
    assert counted(router) == (1, 1, 0, 0)
    assert elisa.submits == []
