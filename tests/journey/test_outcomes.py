"""router/journey.py, router/report/receipts.py: one outcome for each accepted message.

And one final receipt, where its client asked for one, whoever ended it.
"""

from collections.abc import Callable
from typing import Final

import pytest

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.terms.names import OperatorName
from router.terms.outcome import Outcome
from router.terms.settings import Settings
from tests.doubles import (
    Client,
    Operator,
    Router,
    World,
    with_account,
    with_lane,
    with_operator,
)
from tests.journey.scenes import connected, taken

WANTED: Final = (0, 1, 2, 3, 16, 17, 18)
"""registered_delivery: none, all, failures, successes (5.0); with 16 intermediate ones too."""
OVER: Final = {
    b"DELIVRD": (Outcome.DELIVERED, 2),
    b"UNDELIV": (Outcome.FAILED, 5),
    b"REJECTD": (Outcome.REJECTED, 8),
    b"EXPIRED": (Outcome.EXPIRED, 3),
    b"DELETED": (Outcome.FAILED, 4),
    b"SKIPPED": (Outcome.FAILED, 9),
}
"""What a final word of the operator makes of a message, and its message_state."""


def wants_receipt(registered_delivery: int, version: int, *, success: bool) -> bool:
    wanted = registered_delivery & 3
    if wanted == 3:
        return version < v.VERSION_5_0 or success
    return wanted == 1 or (wanted == 2 and not success)


def assert_one_receipt(client: Client, number: int, state: bytes, message_state: int) -> None:
    """The client has one receipt of this message, which says the same in text and TLVs."""
    (pdu,) = client.receipts
    sm = p.Sm(pdu)
    client_id = client.id_of(number)
    assert sm.esm_class == 0x04
    assert sm.short_message.startswith(b"id:" + client_id + b" sub:001 dlvrd:")
    assert b" stat:" + state + b" err:" in sm.short_message
    assert sm.tlv(v.RECEIPTED_MESSAGE_ID) == client_id + b"\0"
    assert sm.tlv(v.MESSAGE_STATE) == bytes((message_state,))
    assert sm.source == (1, 1, b"37255512345")
    assert sm.destination == (5, 0, b"BANK")


@pytest.mark.parametrize("version", [v.VERSION_3_4, v.VERSION_5_0])
@pytest.mark.parametrize("word", OVER)
@pytest.mark.parametrize("wanted", WANTED)
def test_the_operators_word_is_the_outcome_and_is_told_to_who_asked(
    world: World, router: Router, wanted: int, word: bytes, version: int
) -> None:
    outcome, message_state = OVER[word]
    telia = router.operator("telia")
    client = router.client(version=version)
    number = client.submit(registered_delivery=wanted)
    world.run(1.0)
    telia.report(b"1", word)
    world.run(1.0)
    if wanted == 0:  # Nobody asked: it ended when the operator had taken it.
        outcome = Outcome.SENT
    assert router.outcomes == [outcome]
    if wants_receipt(wanted, version, success=word == b"DELIVRD"):
        assert_one_receipt(client, number, word, message_state)
    else:
        assert client.receipts == []
    router.assert_all_is_over()


def refused_by_the_operator(world: World, router: Router, client: Client, wanted: int) -> int:
    router.operator("telia").status = lambda _: v.ESME_RINVDSTADR
    number = client.submit(registered_delivery=wanted)
    world.run(1.0)
    return number


def refused_by_every_operator(world: World, router: Router, client: Client, wanted: int) -> int:
    router.operator("telia").status = lambda _: 0x4FF
    router.operator("elisa").status = lambda _: 0x4FF
    number = client.submit(registered_delivery=wanted)
    world.run(1.0)
    return number


def retried_in_vain(world: World, router: Router, client: Client, wanted: int) -> int:
    router.operator("telia").status = lambda _: v.ESME_RMSGQFUL
    router.operator("elisa").status = lambda _: v.ESME_RINVMSGLEN
    number = client.submit(registered_delivery=wanted)
    world.run(200.0)
    return number


def validity_passed_in_the_queue(world: World, router: Router, client: Client, wanted: int) -> int:
    number = client.submit(registered_delivery=wanted, validity_period=b"000000000010000R")
    world.run(12.0)
    return number


def lane_validity_passed_in_the_queue(
    world: World, router: Router, client: Client, wanted: int
) -> int:
    number = client.submit(registered_delivery=wanted)
    world.run(302.0)
    return number


def validity_passed_before_a_retry(
    world: World, router: Router, client: Client, wanted: int
) -> int:
    router.operator("telia").status = lambda _: v.ESME_RSYSERR
    number = client.submit(registered_delivery=wanted, validity_period=b"000000000010000R")
    world.run(40.0)
    return number


def validity_passed_when_its_operator_came(
    world: World, router: Router, client: Client, wanted: int
) -> int:
    number = client.submit(registered_delivery=wanted, validity_period=b"000000000010000R")
    world.run(9.5)
    world.now += 1.0  # A stall: the sweep has not run when the operator can take it again.
    telia = router.operator("telia")
    world.run(1.0)
    assert telia.submits == []
    return number


Story = Callable[[World, Router, Client, int], int]
ROUTERS_WORD: Final[dict[Story, tuple[Outcome, bytes, int]]] = {
    refused_by_the_operator: (Outcome.FAILED, b"UNDELIV", 5),
    refused_by_every_operator: (Outcome.FAILED, b"UNDELIV", 5),
    retried_in_vain: (Outcome.FAILED, b"UNDELIV", 5),
    validity_passed_in_the_queue: (Outcome.EXPIRED, b"EXPIRED", 3),
    lane_validity_passed_in_the_queue: (Outcome.EXPIRED, b"EXPIRED", 3),
    validity_passed_before_a_retry: (Outcome.EXPIRED, b"EXPIRED", 3),
    validity_passed_when_its_operator_came: (Outcome.EXPIRED, b"EXPIRED", 3),
}


@pytest.mark.parametrize("story", ROUTERS_WORD, ids=lambda story: story.__name__)
@pytest.mark.parametrize("wanted", WANTED)
def test_a_message_that_the_router_gives_up_is_told_to_who_asked(
    world: World,
    router: Router,
    wanted: int,
    story: Story,
) -> None:
    outcome, word, message_state = ROUTERS_WORD[story]
    client = router.client()
    number = story(world, router, client, wanted)
    world.run(1.0)
    assert router.outcomes == [outcome]
    if wants_receipt(wanted, v.VERSION_3_4, success=False):
        assert_one_receipt(client, number, word, message_state)
        assert b"text:made by smpp-router: " in client.receipt_texts()[0]
    else:
        assert client.receipts == []
    router.assert_all_is_over()


def test_a_receipt_of_the_operator_is_not_marked_as_made_here(world: World, router: Router) -> None:
    telia, client, _ = taken(router)
    telia.report(b"1", b"UNDELIV")
    world.run(1.0)
    assert client.receipt_texts()[0].endswith(b" err:000 text:")


def test_the_receipt_of_a_refusal_names_the_operators_status(world: World, router: Router) -> None:
    router.operator("telia").status = lambda _: v.ESME_RINVDSTADR
    client = router.client()
    client.submit()
    world.run(1.0)
    assert b" err:011 " in client.receipt_texts()[0]


@pytest.mark.parametrize("wanted", WANTED)
def test_a_message_that_is_never_receipted_ends_after_the_operators_receipt_wait(
    world: World, contract: Settings, wanted: int
) -> None:
    router = Router(world, with_operator(contract, "telia", receipt_wait_s=100.0))
    router.operator("telia")
    client = router.client()
    number = client.submit(registered_delivery=wanted)
    world.run(99.0)
    assert client.receipts == []
    assert router.outcomes == ([Outcome.SENT] if wanted == 0 else [])
    world.run(3.0)
    if wanted in (1, 3, 17):
        assert router.outcomes == [Outcome.UNKNOWN]
        assert_one_receipt(client, number, b"UNKNOWN", 7)
    else:  # Only a failure was to be told, or what came in between, and there was none.
        assert router.outcomes == [Outcome.SENT]
        assert client.receipts == []
    router.assert_all_is_over()


def test_a_receipt_that_comes_after_the_receipt_wait_changes_nothing(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_operator(contract, "telia", receipt_wait_s=100.0))
    telia, client = connected(router)
    client.submit()
    world.run(102.0)
    report = telia.report(b"1")
    world.run(1.0)
    assert telia.answer_to(report) == v.ESME_ROK
    assert router.outcomes == [Outcome.UNKNOWN]
    assert len(client.receipts) == 1


def test_a_receipt_of_a_message_72_hours_old_still_finds_it(world: World, router: Router) -> None:
    telia, client = connected(router)
    number = client.submit()
    world.coast(72 * 3600 - 60.0)
    telia.report(b"1")
    world.run(1.0)
    assert router.outcomes == [Outcome.DELIVERED]
    assert_one_receipt(client, number, b"DELIVRD", 2)


@pytest.mark.parametrize("wanted", WANTED)
def test_an_answer_without_a_message_id_leaves_no_message_and_no_client_waiting(
    world: World, router: Router, wanted: int
) -> None:
    telia, client = connected(router, status=None)
    number = client.submit(registered_delivery=wanted)
    world.run(0.1)
    (_, pdu) = telia.submits[0]
    telia.far.send(p.response(v.SUBMIT_SM, pdu.sequence_number, 0, b"\0"))
    world.run(1.0)
    if wanted in (1, 3, 17):  # Its receipt can never be told from others, and the client asked.
        assert router.outcomes == [Outcome.UNKNOWN]
        assert_one_receipt(client, number, b"UNKNOWN", 7)
    else:
        assert router.outcomes == [Outcome.SENT]
        assert client.receipts == []
    router.assert_all_is_over()


@pytest.mark.parametrize("wanted", WANTED)
def test_accepted_is_no_end_unless_the_operator_is_said_to_mean_one(
    world: World, contract: Settings, wanted: int
) -> None:
    router = Router(world, contract)
    telia, client = connected(router)
    client.submit(registered_delivery=wanted)
    world.run(1.0)
    telia.report(b"1", b"ACCEPTD")
    world.run(1.0)
    assert router.outcomes == ([Outcome.SENT] if wanted == 0 else [])
    assert len(client.receipts) == (1 if wanted & 16 else 0)
    if client.receipts:
        assert p.Sm(client.receipts[0]).esm_class == 0x20


@pytest.mark.parametrize("wanted", WANTED)
def test_accepted_where_it_is_final_counts_as_success(
    world: World, contract: Settings, wanted: int
) -> None:
    router = Router(world, with_operator(contract, "telia", accepted_is_final=True))
    telia = router.operator("telia")
    client = router.client(version=v.VERSION_5_0)
    number = client.submit(registered_delivery=wanted)
    world.run(1.0)
    telia.report(b"1", b"ACCEPTD")
    world.run(1.0)
    assert router.outcomes == [Outcome.SENT if wanted == 0 else Outcome.DELIVERED]
    if wants_receipt(wanted, v.VERSION_5_0, success=True):
        assert_one_receipt(client, number, b"ACCEPTD", 6)
    else:
        assert client.receipts == []
    router.assert_all_is_over()


def test_unknown_is_no_end_unless_the_operator_is_said_to_mean_one(
    world: World, contract: Settings
) -> None:
    for is_final in (False, True):
        router = Router(world, with_operator(contract, "telia", unknown_is_final=is_final))
        telia = router.operator("telia")
        client = router.client()
        client.submit()
        world.run(1.0)
        telia.report(b"1", b"UNKNOWN")
        telia.report(b"1", b"DELIVRD")
        world.run(1.0)
        assert router.outcomes == [Outcome.UNKNOWN if is_final else Outcome.DELIVERED]
        assert len(client.receipts) == 1
        router.assert_all_is_over()


def test_a_word_that_nobody_knows_ends_nothing(world: World, router: Router) -> None:
    telia, _, _ = taken(router, registered_delivery=17)
    report = telia.report(b"1", b"WHATEVR")
    world.run(1.0)
    assert telia.answer_to(report) == v.ESME_ROK
    assert router.outcomes == []
    assert router.journey.counters.receipts[OperatorName("telia"), "unreadable"] == 1
    telia.report(b"1", b"DELIVRD")
    world.run(1.0)
    assert router.outcomes == [Outcome.DELIVERED]


def test_outcomes_add_up_to_what_was_accepted(world: World, contract: Settings) -> None:
    settings = with_operator(contract, "telia", receipt_wait_s=60.0)
    settings = with_lane(settings, "bulk", validity_s=30.0)
    router = Router(world, with_account(settings, "shop", queue=50))
    telia, elisa = router.operator("telia"), router.operator("elisa")
    statuses = [0, 0, 0, 0x0B, 0x58, 0x14, 0x4FF, 0, 0x08, 0]
    telia.status = lambda pdu: statuses[pdu.sequence_number % 10]
    elisa.status = lambda pdu: 0x45 if pdu.sequence_number % 7 == 0 else 0
    words = [b"DELIVRD", b"UNDELIV", b"REJECTD", b"EXPIRED", None]
    clients = [router.client(), router.client(b"shop", b"secret02")]
    for n in range(300):
        for client in clients:
            client.submit(text=b"%d" % n, registered_delivery=WANTED[n % 7])
        world.run(0.02)
        for operator in (telia, elisa):
            for operator_id in list(operator.ids)[-3:]:
                word = words[int(operator_id) % 5]
                if word is not None:
                    operator.report(operator_id, word)
    telia.status = elisa.status = lambda _: 0
    world.run(400.0)
    _report_what_is_open(router, telia)
    _report_what_is_open(router, elisa)
    world.coast(73 * 3600.0)
    assert router.accepted > 300
    assert len(set(router.outcomes)) == 6
    router.assert_all_is_over()


def _report_what_is_open(router: Router, operator: Operator) -> None:
    for operator_id in operator.ids:
        if int(operator_id) % 5 != 4:
            operator.report(operator_id)
    router.world.run(5.0)
