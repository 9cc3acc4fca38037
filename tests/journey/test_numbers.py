"""smpp/numbers.py in the journey: an operator has its own form of numbers, the client keeps its."""

from dataclasses import replace
from itertools import pairwise

import pytest

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Sm
from router.terms.capacity import Capacity
from router.terms.limits import Rate
from router.terms.names import OperatorName
from router.terms.outcome import Outcome
from router.terms.settings import InboundSettings, NumberSettings, Settings, TonNpi
from tests.doubles import Router, World, receipt_text, with_operator
from tests.journey.scenes import restarted_with
from tests.peers import Client

TELIA = OperatorName("telia")
NATIONAL = NumberSettings(
    normalise="national",
    country_code="372",
    national_prefix="8",
    ton_npi={"alphanumeric": TonNpi(5, 9), "short": TonNpi(3, 9)},
)


@pytest.fixture(autouse=True, params=[Capacity().pending_receipts, 0], ids=["memory", "disk"])
def capacity(request: pytest.FixtureRequest) -> Capacity:
    """Where what an operator took is remembered after a while makes no difference."""
    return Capacity(pending_receipts=request.param)


@pytest.fixture
def contract(contract: Settings) -> Settings:
    """Telia wants national numbers, with an 8 in front."""
    return with_operator(contract, "telia", numbers=NATIONAL)


def addresses(client: Client) -> list[tuple[object, object]]:
    """Source and destination of what the client was delivered."""
    return [(Sm(pdu).source, Sm(pdu).destination) for pdu in client.receipts]


def test_the_receipt_has_the_addresses_as_the_client_wrote_them(
    world: World, router: Router
) -> None:
    telia, client = router.operator("telia"), router.client()
    client.submit(b"+37255512345")
    world.run(1.0)
    ((_, pdu),) = telia.submits
    assert Sm(pdu).destination == (2, 1, b"855512345")
    assert Sm(pdu).source == (5, 9, b"BANK")
    telia.report(b"1")
    world.run(3.0)
    assert addresses(client) == [((1, 1, b"+37255512345"), (5, 0, b"BANK"))]
    assert router.outcomes == [Outcome.DELIVERED]
    router.assert_all_is_over()


def test_after_a_restart_the_number_is_still_that_of_the_message(
    world: World, router: Router
) -> None:
    telia, client = router.operator("telia"), router.client()
    client.submit(b"0037255512345")
    world.run(1.0)
    router, telia = restarted_with(router, telia)
    client = router.client()
    # In another base: only the number can tell.
    telia.ids = {b"0x1": telia.ids[b"1"]}
    telia.report(b"0x1")
    world.run(3.0)
    assert addresses(client) == [((1, 1, b"0037255512345"), (5, 0, b"BANK"))]
    assert router.outcomes == [Outcome.DELIVERED]


def test_a_receipt_that_is_not_marked_is_known_by_number_and_sender_as_they_were_written(
    world: World, contract: Settings, capacity: Capacity
) -> None:
    router = Router(world, contract, capacity=capacity)
    telia, client = router.operator("telia"), router.client()
    client.far.send(
        p.sm(
            v.SUBMIT_SM, client.far.next_sequence(), source=(1, 1, b"+37260012345"),
            destination=(1, 1, b"37255512345"), short_message=b"Tere", registered_delivery=1,
        )
    )  # fmt: skip
    world.run(60.0)
    assert Sm(telia.submits[0][1]).source == (2, 1, b"860012345")
    telia.report(b"1", esm_class=0)
    world.run(3.0)
    assert addresses(client) == [((1, 1, b"37255512345"), (1, 1, b"+37260012345"))]
    router.assert_all_is_over()


def test_a_receipt_before_its_answer_waits_for_it(world: World, router: Router) -> None:
    """Another message has that id already: the number says that one in flight is meant."""
    telia, client = router.operator("telia"), router.client()
    client.submit(b"37255500000")
    world.run(3.0)
    telia.status = lambda _: None
    client.submit(b"37255512345")
    world.run(1.0)
    telia.deliver(receipt_text(b"1", b"UNDELIV"), (2, 1, b"855512345"), (5, 0, b"BANK"), 4)
    world.run(1.0)
    assert router.outcomes == []
    telia.next_id = 1
    telia.answer(telia.submits[1][1])
    world.run(3.0)
    assert router.outcomes == [Outcome.FAILED]
    assert addresses(client) == [((1, 1, b"37255512345"), (5, 0, b"BANK"))]


def test_another_operator_gets_the_message_as_it_came(world: World, router: Router) -> None:
    telia = router.operator("telia", status=v.ESME_RSYSERR)
    elisa = router.operator("elisa")
    client = router.client()
    client.submit(b"+37255512345")
    world.run(120.0)
    assert Sm(telia.submits[0][1]).destination == (2, 1, b"855512345")
    assert Sm(elisa.submits[0][1]).destination == (1, 1, b"+37255512345")
    assert Sm(elisa.submits[0][1]).source == (5, 0, b"BANK")


def test_rate_per_number_is_of_the_number_that_the_operator_sees(
    world: World, contract: Settings, capacity: Capacity
) -> None:
    settings = with_operator(contract, "telia", destination_rate=Rate(1, 10.0))
    router = Router(world, settings, capacity=capacity)
    telia, client = router.operator("telia"), router.client()
    for number in (b"37255512345", b"+37255512345", b"0037255512345"):
        client.submit(number)
    world.run(40.0)
    times = [at for at, _ in telia.submits]
    assert len(times) == 3
    assert all(later - earlier >= 10.0 for earlier, later in pairwise(times))


def test_parts_of_a_long_message_go_to_one_number(world: World, router: Router) -> None:
    telia, client = router.operator("telia"), router.client()
    for part in (1, 2):
        client.submit(b"+37255512345", b"\5\0\3\7\2" + bytes((part,)) + b"Tere", esm_class=0x40)
    world.run(1.0)
    assert {Sm(pdu).destination for _, pdu in telia.submits} == {(2, 1, b"855512345")}
    telia.report_all()
    world.run(3.0)
    assert router.outcomes == [Outcome.DELIVERED] * 2
    router.assert_all_is_over()


def test_subscribers_message_comes_with_a_country_code_and_is_routed_so(
    world: World, contract: Settings, capacity: Capacity
) -> None:
    bank = next(iter(contract.accounts))
    rules = (InboundSettings(to=bank, destination="37260012345"), *contract.inbound)
    router = Router(world, replace(contract, inbound=rules), capacity=capacity)
    telia, client = router.operator("telia"), router.client()
    telia.deliver(b"Tere", (2, 1, b"855512345"), (2, 1, b"860012345"))
    telia.deliver(b"Tere", (0, 0, b"+358401234567"), (3, 0, b"12302"))
    world.run(3.0)
    assert addresses(client) == [
        ((1, 1, b"37255512345"), (1, 1, b"37260012345")),
        ((1, 1, b"358401234567"), (3, 0, b"12302")),
    ]
    router.assert_all_is_over()


def test_a_reload_changes_what_is_written_from_then_on(
    world: World, router: Router, contract: Settings
) -> None:
    telia, client = router.operator("telia"), router.client()
    client.submit(b"+37255512345")
    world.run(1.0)
    router.adopt(with_operator(contract, "telia", numbers=None))
    client.submit(b"+37255512345")
    world.run(1.0)
    router.adopt(with_operator(contract, "telia", numbers=replace(NATIONAL, national_prefix="9")))
    client.submit(b"+37255512345")
    world.run(1.0)
    went = [Sm(pdu).destination for _, pdu in telia.submits]
    assert went == [(2, 1, b"855512345"), (1, 1, b"+37255512345"), (2, 1, b"955512345")]
    telia.report(b"1")
    telia.report(b"2")
    telia.report(b"3", esm_class=0)  # So that the number has to be that which was written.
    world.run(3.0)
    assert router.outcomes == [Outcome.DELIVERED] * 3
    router.assert_all_is_over()


def test_cancel_has_the_addresses_as_the_operator_was_written_them(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_operator(contract, "telia", cancel_sm=True))
    telia, client = router.operator("telia"), router.client()
    number = client.submit(b"+37255512345")
    world.run(1.0)
    body = b"\0" + client.id_of(number) + b"\0" + p.address(5, 0, b"BANK") + p.address(0, 0, b"")
    client.far.send(p.build(v.CANCEL_SM, 0, client.far.next_sequence(), body))
    world.run(0.2)
    (pdu,) = telia.far.pdus(v.CANCEL_SM)
    assert pdu.octets.endswith(p.address(5, 9, b"BANK") + p.address(2, 1, b"855512345"))
