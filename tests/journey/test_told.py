"""steps/receipts.py, forward/bind.py: what goes no further is told once in the log."""

from collections.abc import Callable, Mapping, Sequence

import pytest
from structlog.testing import capture_logs

from router.forward.bind import OperatorLink
from router.report.correlate import ORPHAN_S
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.terms.names import OperatorName
from tests.doubles import Operator, Router, World, receipt_text
from tests.journey.scenes import connected, taken
from tests.peers import FarEnd

RECEIPT = 4


def told(logs: Sequence[Mapping[str, object]]) -> list[tuple[object, object]]:
    """Events and what they say of an id or a status."""
    return [(line["event"], line.get("message_id", line.get("status"))) for line in logs]


@pytest.mark.parametrize(
    ("text", "esm_class", "says"),
    [
        (receipt_text(b"777", b"DELIVRD"), RECEIPT, ("receipt.unmatched", "777")),
        (b"gibberish", RECEIPT, ("receipt.unmatched", None)),
        (receipt_text(b"1", b"WHATNOT"), RECEIPT, ("receipt.unreadable", "1")),
        (b"to nobody", 0, ("inbound.refused", "ESME_RX_P_APPN")),
    ],
)
def test_what_an_operator_delivers_in_vain_is_told_once(
    world: World, router: Router, text: bytes, esm_class: int, says: tuple[str, str | None]
) -> None:
    telia, _, _ = taken(router)
    with capture_logs() as logs:
        telia.deliver(text, esm_class=esm_class, destination=(1, 1, b"999"))
        world.run(1.0)
    assert told(logs) == [says]
    assert logs[0]["operator"] == "telia"
    assert logs[0]["log_level"] == "warning"


def test_receipt_that_waited_for_its_message_in_vain_is_told(world: World, router: Router) -> None:
    telia = router.operator("telia", status=None)
    router.client().submit()
    world.run(1.0)
    with capture_logs() as logs:
        telia.deliver(receipt_text(b"777", b"DELIVRD"), esm_class=RECEIPT)
        world.run(ORPHAN_S + 5.0)
    assert told(logs) == [("receipt.unmatched", "777")]


def test_id_of_a_receipt_does_not_fill_the_log(world: World, router: Router) -> None:
    telia = router.operator("telia")
    with capture_logs() as logs:
        tlvs = p.tlv(v.RECEIPTED_MESSAGE_ID, b"x" * 60_000) + p.tlv(v.MESSAGE_STATE, b"\2")
        telia.deliver(tlvs=tlvs)
        world.run(1.0)
    assert told(logs) == [("receipt.unmatched", "x" * 65)]


def test_receipt_that_a_client_refuses_for_good_is_told(world: World, router: Router) -> None:
    telia, client = connected(router)
    client.deliver_status = lambda _: v.ESME_RX_P_APPN
    client.submit()
    world.run(1.0)
    telia.report(b"1")
    with capture_logs() as logs:
        world.run(5.0)
    assert told(logs) == [("delivery.refused", "ESME_RX_P_APPN")]
    assert logs[0]["account"] == "bank"


def end_of(world: World, router: Router, answer: Callable[[FarEnd], None]) -> list[object]:
    """The events of a bind that meets this answer to its bind request."""
    bind = router.journey.operators[OperatorName("telia")].binds[0]
    with capture_logs() as logs:
        operator = Operator(world, router, bind)
        operator.far.on_pdu = lambda _: answer(operator.far)
        world.run(60.0)
    return [line["event"] for line in logs]


def test_bind_that_fails_is_told_with_its_reason_and_once(world: World, router: Router) -> None:
    refusal = p.response(v.BIND_TRANSCEIVER, 1, v.ESME_RBINDFAIL)
    assert end_of(world, router, lambda far: far.send(refusal)) == ["bind.refused"]
    assert end_of(world, router, lambda far: far.send(b"HTTP/1.1 400")) == ["framing.lost"]
    assert end_of(world, router, lambda _: None) == ["bind.timed_out"]
    assert end_of(world, router, lambda far: far.drop()) == ["bind.unanswered"]


def test_bind_that_we_give_up_is_not_told_as_the_operators_fault(
    world: World, router: Router
) -> None:
    def leave(far: FarEnd) -> None:
        assert isinstance(far.link, OperatorLink)
        far.link.leave()

    assert end_of(world, router, leave) == []
