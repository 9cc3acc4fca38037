"""What operators let through: plans without some of them, or messages under another sender."""

from dataclasses import replace
from typing import Final

import pytest

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Sm
from router.terms.capacity import Capacity
from router.terms.names import AccountName, OperatorName
from router.terms.outcome import Outcome
from router.terms.settings import (
    NumberSettings,
    OperatorSenders,
    SenderReplacement,
    Settings,
    TonNpi,
)
from tests.doubles import Router, World, with_operator
from tests.journey.scenes import restarted_with

BANK: Final = AccountName("bank")
TELIA, ELISA = OperatorName("telia"), OperatorName("elisa")
SHORT: Final = OperatorSenders(kinds=("short",))
UNDER_12302: Final = OperatorSenders(kinds=("short",), otherwise=SenderReplacement(replace="12302"))


@pytest.fixture(params=[Capacity().pending_receipts, 0], ids=["memory", "disk"])
def capacity(request: pytest.FixtureRequest) -> Capacity:
    """Where what an operator took is remembered after a while makes no difference."""
    return Capacity(pending_receipts=request.param)


def test_operator_that_does_not_let_the_sender_through_is_left_out(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_operator(contract, "telia", senders=SHORT))
    telia, elisa, client = router.operator("telia"), router.operator("elisa"), router.client()
    numbers = [client.submit(source=(5, 0, name)) for name in (b"Bank", b"12302", b"")]
    world.run(2.0)
    assert [client.status_of(one) for one in numbers] == [v.ESME_ROK] * 3
    assert [Sm(pdu).source_addr for _, pdu in telia.submits] == [b"12302"]
    assert [Sm(pdu).source for _, pdu in elisa.submits] == [(5, 0, b"Bank"), (5, 0, b"")]


def test_message_that_nobody_lets_through_is_refused_before_it_is_accepted(
    world: World, contract: Settings
) -> None:
    settings = with_operator(contract, "telia", senders=SHORT)
    router = Router(
        world, with_operator(settings, "elisa", senders=OperatorSenders(only=("Shop",)))
    )
    router.operator("telia")
    client = router.client()
    refused, taken = client.submit(source=(5, 0, b"Bank")), client.submit(source=(5, 0, b"12302"))
    world.run(2.0)
    assert client.status_of(refused) == v.ESME_RINVSRCADR
    assert client.status_of(taken) == v.ESME_ROK
    assert router.journey.intake.refusals.counts() == {(BANK, "sender_not_allowed"): 1}
    assert router.journey.rooms.taken(BANK) == 0


def test_message_does_not_fail_over_to_who_does_not_let_it_through(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_operator(contract, "elisa", senders=SHORT))
    telia, elisa = router.operator("telia", status=v.ESME_RINVSRCADR), router.operator("elisa")
    client = router.client()
    client.submit(source=(5, 0, b"Bank"), registered_delivery=1)
    client.submit(source=(5, 0, b"12302"), registered_delivery=1)
    world.run(5.0)
    assert len(telia.submits) == 2
    assert [Sm(pdu).source_addr for _, pdu in elisa.submits] == [b"12302"]
    assert router.outcomes == [Outcome.FAILED]


def test_parts_of_a_long_message_go_to_one_operator_that_lets_them_through(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_operator(contract, "telia", senders=SHORT))
    telia, elisa, client = router.operator("telia"), router.operator("elisa"), router.client()
    for number in (1, 2, 3):
        header = bytes((5, 0, 3, 9, 3, number))
        client.submit(source=(5, 0, b"Bank"), text=header + b"Tere", esm_class=0x40)
    world.run(2.0)
    assert (len(telia.submits), len(elisa.submits)) == (0, 3)


def test_what_waits_keeps_its_operators_whatever_a_reload_says(
    world: World, contract: Settings
) -> None:
    router = Router(world, contract)
    client = router.client()
    client.submit(source=(5, 0, b"Bank"), registered_delivery=0)
    world.run(1.0)
    router.adopt(with_operator(contract, "telia", senders=SHORT))
    late = client.submit(source=(5, 0, b"Bank"), registered_delivery=0)
    telia = router.operator("telia")
    world.run(2.0)
    assert client.status_of(late) == v.ESME_ROK
    assert len(telia.submits) == 1
    elisa = router.operator("elisa")
    world.run(2.0)
    assert len(elisa.submits) == 1
    router.assert_all_is_over()


def test_what_is_decided_anew_follows_the_lists_of_today(world: World, contract: Settings) -> None:
    router = Router(world, contract)
    client = router.client()
    client.submit(b"358401234", source=(5, 0, b"Bank"))
    world.run(1.0)
    # Elisa is gone; of those that the route names now, one does not carry the sender.
    gone = with_operator(contract, "telia", senders=SHORT)
    operators = {name: one for name, one in gone.operators.items() if name != ELISA}
    other = replace(
        gone.operators[ELISA],
        name=OperatorName("tele2"),
        binds=tuple(replace(one, name=f"x-{one.name}") for one in gone.operators[ELISA].binds),  # type: ignore[arg-type]
    )
    operators[other.name] = other
    routes = tuple(
        replace(one, to=(TELIA, other.name), weights=()) for one in gone.routes if one.to
    )
    router.adopt(replace(gone, operators=operators, routes=routes))
    telia, tele2 = router.operator("telia"), router.operator("tele2")
    world.run(70.0)
    assert (len(telia.submits), len(tele2.submits)) == (0, 1)


# Under another sender.


def test_message_goes_out_under_another_sender_and_its_receipt_has_its_own(
    world: World, contract: Settings, capacity: Capacity
) -> None:
    router = Router(world, with_operator(contract, "telia", senders=UNDER_12302), capacity=capacity)
    telia, client = router.operator("telia"), router.client()
    client.submit(source=(5, 0, b"Bank"), registered_delivery=1)
    client.submit(source=(5, 0, b"777"), registered_delivery=1)
    world.run(60.0)
    first, second = (Sm(pdu) for _, pdu in telia.submits)
    assert (first.source, second.source) == ((3, 0, b"12302"), (5, 0, b"777"))
    at = first.octets.index(first.destination_octets)
    assert first.octets[at:] == second.octets[second.octets.index(second.destination_octets) :]
    # Not marked as receipts: they are known by their ids and addresses.
    telia.report(b"1", esm_class=0)
    telia.report(b"2", esm_class=0)
    world.run(3.0)
    assert sorted(Sm(pdu).destination for pdu in client.receipts) == [
        (5, 0, b"777"),
        (5, 0, b"Bank"),
    ]
    assert router.outcomes == [Outcome.DELIVERED] * 2
    router.assert_all_is_over()


def test_numbers_of_the_operator_say_how_the_other_sender_is_written(
    world: World, contract: Settings
) -> None:
    numbers = NumberSettings(normalise="plus", ton_npi={"international": TonNpi(6, 9)})
    senders = OperatorSenders(kinds=("long",), otherwise=SenderReplacement(replace="37250001234"))
    settings = with_operator(contract, "telia", senders=senders, numbers=numbers)
    router = Router(world, settings)
    telia, client = router.operator("telia"), router.client()
    client.submit(source=(5, 0, b"Bank"), registered_delivery=1)
    world.run(1.0)
    sm = Sm(telia.submits[0][1])
    assert (sm.source, sm.destination) == ((6, 9, b"+37250001234"), (6, 9, b"+37255512345"))
    telia.report(b"1", esm_class=0)
    world.run(3.0)
    assert [Sm(pdu).destination for pdu in client.receipts] == [(5, 0, b"Bank")]


def test_other_sender_is_looked_up_at_each_writing(world: World, contract: Settings) -> None:
    router = Router(world, with_operator(contract, "telia", senders=UNDER_12302))
    client = router.client()
    client.submit(source=(5, 0, b"Bank"))
    world.run(1.0)
    router.adopt(
        with_operator(
            contract, "telia",
            senders=OperatorSenders(kinds=("short",), otherwise=SenderReplacement(replace="777")),
        )
    )  # fmt: skip
    telia = router.operator("telia")
    world.run(2.0)
    assert [Sm(pdu).source for _, pdu in telia.submits] == [(3, 0, b"777")]
    router.adopt(contract)
    client.submit(source=(5, 0, b"Bank"))
    world.run(2.0)
    assert [Sm(pdu).source_addr for _, pdu in telia.submits] == [b"777", b"Bank"]


def test_record_says_under_which_sender_each_writing_went_out(
    world: World, contract: Settings
) -> None:
    settings = with_operator(contract, "telia", senders=UNDER_12302)
    router = Router(world, settings)
    router.operator("telia", status=v.ESME_RINVSRCADR)
    router.operator("elisa")
    router.client().submit(source=(5, 0, b"Bank"), registered_delivery=0)
    world.run(3.0)
    ((first, second),) = [one.message.tries for one in router.settled]
    assert (first[0], first[7]) == (TELIA, "12302")
    assert (second[0], second[7]) == (ELISA, "")


def test_receipt_finds_a_message_under_another_sender_after_a_restart(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_operator(contract, "telia", senders=UNDER_12302))
    telia, client = router.operator("telia"), router.client()
    client.submit(source=(5, 0, b"Bank"), registered_delivery=1)
    world.run(1.0)
    router, telia = restarted_with(router, telia)
    client = router.client()
    telia.report(b"1", esm_class=0)
    world.run(3.0)
    assert [Sm(pdu).destination for pdu in client.receipts] == [(5, 0, b"Bank")]


@pytest.mark.parametrize("is_restarted", [False, True])
def test_cancel_sm_names_the_sender_under_which_the_operator_knows_the_message(
    world: World, contract: Settings, *, is_restarted: bool
) -> None:
    router = Router(world, with_operator(contract, "telia", senders=UNDER_12302, cancel_sm=True))
    telia, client = router.operator("telia"), router.client()
    number = client.submit(source=(5, 0, b"Bank"))
    world.run(1.0)
    client_id = client.id_of(number)
    if is_restarted:
        router, telia = restarted_with(router, telia)
        client = router.client()
    source, destination = p.address(5, 0, b"Bank"), p.address(1, 1, b"37255512345")
    client.far.send(
        p.build(
            v.CANCEL_SM, 0, client.far.next_sequence(),
            b"\0" + client_id + b"\0" + source + destination,
        )
    )  # fmt: skip
    world.run(1.0)
    (pdu,) = telia.far.pdus(v.CANCEL_SM)
    assert pdu.octets[16:] == b"\x001\0" + p.address(3, 0, b"12302") + destination
