"""router/steps/failover.py, long_messages.py: the parts of a long message take one operator."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu
from router.terms.capacity import Capacity
from router.terms.outcome import Outcome
from router.terms.settings import Settings, StatusAction
from tests.doubles import (
    FULL_DISK,
    Client,
    Operator,
    Router,
    World,
    data_sm,
    with_action,
    with_lane,
    without_operator,
)
from tests.journey.scenes import PASSWORDS, connected_to_both, renamed

ONE, TWO, THREE = b"one", b"two", b"three"
TEXTS = (ONE, TWO, THREE)
SUBMIT_FAILED = 0x45


def header(reference: int, total: int, number: int) -> bytes:
    """A user data header with an 8-bit reference."""
    return bytes((5, 0, 3, reference, total, number))


def submit_part(
    client: Client, number: int, *, reference: int = 7, total: int = 3, **fields: object
) -> int:
    """Submit one part of a message; its text is its number in words."""
    text = header(reference, total, number) + TEXTS[number - 1]
    return client.submit(text=text, esm_class=0x40, registered_delivery=0, **fields)  # type: ignore[arg-type]


def submit_all(client: Client, **fields: object) -> list[int]:
    """Submit the three parts of a message."""
    return [submit_part(client, number, **fields) for number in (1, 2, 3)]  # type: ignore[arg-type]


def parts_at(operator: Operator) -> list[bytes]:
    """The words that arrived, without their headers."""
    return [text[6:] for text in operator.texts()]


def refuses(text: bytes, status: int) -> Callable[[Pdu], int]:
    """An operator that answers this status to one text."""
    return lambda pdu: status if p.Sm(pdu).short_message.endswith(text) else v.ESME_ROK


def equally(contract: Settings) -> Settings:
    """A configuration in which every second message goes to another operator."""
    routes = tuple(
        replace(route, weights=(1, 1)) if route.weights else route for route in contract.routes
    )
    return replace(contract, routes=routes)


def shared(world: World, contract: Settings) -> tuple[Router, Operator, Operator, Client]:
    """A router that shares the shop's messages equally between two operators."""
    router = Router(world, equally(contract))
    return router, *connected_to_both(router, account=b"shop")


# One operator.


def test_a_weighted_route_picks_once_for_all_parts(world: World, contract: Settings) -> None:
    router, telia, elisa, client = shared(world, contract)
    for reference in range(10):
        submit_all(client, reference=reference)
    world.run(3.0)
    telias = {text[3] for text in telia.texts()}
    elisas = {text[3] for text in elisa.texts()}
    assert len(telias) == len(elisas) == 5
    assert not telias & elisas
    assert len(telia.submits) == len(elisa.submits) == 15
    router.assert_all_is_over()


def test_parts_over_several_binds_and_out_of_order_find_each_other(
    world: World, contract: Settings
) -> None:
    router = Router(world, equally(contract))
    telia, elisa = router.operator("telia"), router.operator("elisa")
    clients = [router.client(b"shop", b"secret02") for _ in range(2)]
    for number, client in ((3, clients[0]), (1, clients[1]), (2, clients[0])):
        submit_part(client, number)
        world.run(60.0)  # Nobody waits for a part that has not come.
    assert parts_at(telia) == [THREE, ONE, TWO]
    assert elisa.submits == []


def test_parts_in_sar_tlvs_and_in_data_sm_go_together(world: World, contract: Settings) -> None:
    _, telia, elisa, client = shared(world, contract)
    for number in (1, 2, 3):
        sar = p.tlv(0x020C, b"\1\7") + p.tlv(0x020E, b"\3") + p.tlv(0x020F, bytes((number,)))
        client.submit(text=b"x", tlvs=sar, registered_delivery=0)
        payload = p.tlv(v.MESSAGE_PAYLOAD, header(9, 3, number) + b"y")
        one = data_sm(
            client.far.next_sequence(),
            source=(5, 0, b"BANK"),
            destination=(1, 1, b"37255512345"),
            esm_class=0x40,
            tlvs=payload,
        )
        client.far.send(one)
    world.run(3.0)
    assert [pdu.command_id for _, pdu in telia.submits] == [v.SUBMIT_SM] * 3
    assert [pdu.command_id for _, pdu in elisa.submits] == [v.DATA_SM] * 3


def test_the_same_reference_is_another_message_once_all_parts_have_come(
    world: World, contract: Settings
) -> None:
    _, telia, elisa, client = shared(world, contract)
    submit_all(client)
    submit_all(client)
    world.run(1.0)
    assert parts_at(telia) == parts_at(elisa) == [ONE, TWO, THREE]


def test_the_same_reference_is_another_message_a_minute_later(
    world: World, contract: Settings
) -> None:
    _, telia, elisa, client = shared(world, contract)
    submit_part(client, 1)
    world.run(59.0)
    submit_part(client, 2)
    world.run(61.0)
    submit_part(client, 3)
    world.run(1.0)
    assert (parts_at(telia), parts_at(elisa)) == ([ONE, TWO], [THREE])


def test_a_part_that_the_journal_refused_is_awaited_again(world: World, contract: Settings) -> None:
    router, telia, elisa, client = shared(world, contract)
    submit_part(client, 1)
    submit_part(client, 2)
    world.run(1.0)
    router.journal.failing = FULL_DISK
    submit_part(client, 3)
    world.run(0.5)
    router.journal.failing = None
    world.run(2.0)
    submit_part(client, 3)
    world.run(1.0)
    assert (parts_at(telia), parts_at(elisa)) == ([ONE, TWO, THREE], [])


def test_message_behind_an_incomplete_one_goes_over_whoever_is_up(
    world: World, router: Router
) -> None:
    telia, elisa, client = connected_to_both(router)
    submit_part(client, 1)
    world.run(1.0)
    telia.far.drop()
    submit_part(client, 2)  # It waits for telia, and the third never comes.
    world.run(10.0)
    new = [b"new 1", b"new 2", b"new 3"]
    for number, text in enumerate(new, 1):
        octets = header(7, 3, number) + text
        client.submit(text=octets, esm_class=0x40, registered_delivery=0)
    world.run(1.0)
    assert parts_at(elisa) == new
    again = router.operator("telia")
    world.run(1.0)
    assert parts_at(again) == [TWO]
    router.assert_all_is_over()


def test_part_that_a_client_sends_again_goes_where_the_first_went(
    world: World, contract: Settings
) -> None:
    _, telia, elisa, client = shared(world, contract)
    for number in (1, 1, 2, 1):
        submit_part(client, number, validity_period=b"000000000%02d0000R" % number)
        world.run(1.0)
    assert (parts_at(telia), parts_at(elisa)) == ([ONE, ONE, TWO, ONE], [])


def test_another_destination_or_sender_is_another_message(world: World, contract: Settings) -> None:
    _, telia, elisa, client = shared(world, contract)
    submit_part(client, 1)
    submit_part(client, 2, destination=b"37255512346")
    world.run(1.0)
    assert (parts_at(telia), parts_at(elisa)) == ([ONE], [TWO])


# One bind, where it has room.


def test_one_bind_is_preferred_and_another_takes_over(world: World, router: Router) -> None:
    binds = [router.operator("telia", place) for place in range(3)]
    client = router.client()
    submit_all(client)
    world.run(1.0)
    used = [bind for bind in binds if bind.submits]
    assert [parts_at(bind) for bind in used] == [[ONE, TWO, THREE]]
    submit_part(client, 1)
    world.run(1.0)
    (gone,) = (bind for bind in binds if parts_at(bind)[-1:] == [ONE])
    gone.far.drop()
    world.run(0.1)
    submit_part(client, 2)
    submit_part(client, 3)
    world.run(1.0)
    others = [parts_at(bind)[-2:] for bind in binds if bind is not gone]
    assert [TWO, THREE] in others
    router.assert_all_is_over()


# Failover, of all or none.


def test_the_whole_message_fails_over_before_an_operator_has_taken_a_part(
    world: World, router: Router
) -> None:
    telia, elisa = router.operator("telia"), router.operator("elisa")
    telia.status = refuses(TWO, SUBMIT_FAILED)
    telia.latency_s = 0.5
    client = router.client()
    submit_part(client, 2)
    world.run(1.0)
    submit_part(client, 3)
    submit_part(client, 1)
    world.run(2.0)
    assert parts_at(telia) == [TWO]
    assert parts_at(elisa) == [TWO, THREE, ONE]
    assert router.outcomes == [Outcome.SENT] * 3
    router.assert_all_is_over()


def test_all_parts_that_an_operator_refuses_go_elsewhere_together_and_in_order(
    world: World, router: Router
) -> None:
    telia, elisa = router.operator("telia"), router.operator("elisa")
    telia.status = lambda _: SUBMIT_FAILED
    submit_all(router.client())
    world.run(2.0)
    assert parts_at(telia) == [ONE, TWO, THREE]
    assert parts_at(elisa) == [ONE, TWO, THREE]
    assert router.outcomes == [Outcome.SENT] * 3
    router.assert_all_is_over()


def test_parts_of_which_every_operator_has_refused_one_do_not_part(
    world: World, contract: Settings
) -> None:
    routes = tuple(
        replace(route, weights=(1, 99)) if route.weights else route for route in contract.routes
    )
    router = Router(world, replace(contract, routes=routes))
    client = router.client(b"shop", b"secret02")
    elisa = router.operator("elisa", status=v.ESME_RMSGQFUL)
    submit_part(client, 1, total=2)
    world.run(2.0)
    assert parts_at(elisa) == [ONE]  # It is to be tried again 30 s later.
    elisa.far.drop()
    telia = router.operator("telia")
    telia.status = refuses(TWO, 0x400)
    submit_part(client, 2, total=2)
    world.run(2.0)
    elisa = router.operator("elisa", status=v.ESME_RMSGQFUL)
    world.run(2.0)
    assert parts_at(telia) == parts_at(elisa) == [TWO]  # To be tried again even later.
    elisa.status = refuses(ONE, 0x400)
    world.run(60.0)
    assert parts_at(telia) == [TWO]
    assert parts_at(elisa) == [TWO, ONE]
    assert router.outcomes == [Outcome.FAILED, Outcome.FAILED]
    assert router.room_taken() == 0


def test_a_part_that_is_refused_waits_for_the_others_answers(world: World, router: Router) -> None:
    telia, elisa, client = connected_to_both(router, status=None)
    submit_all(client)
    world.run(0.1)
    one, two, three = (pdu for _, pdu in telia.submits)
    telia.answer(one, SUBMIT_FAILED)
    telia.answer(two, SUBMIT_FAILED)
    world.run(5.0)
    assert elisa.submits == []
    telia.answer(three)
    world.run(1.0)
    assert elisa.submits == []  # Telia has taken a part: the two have failed.
    assert sorted(router.outcomes) == [Outcome.FAILED, Outcome.FAILED, Outcome.SENT]
    router.assert_all_is_over()


def test_a_part_that_is_refused_for_good_holds_up_none_and_is_told(
    world: World, router: Router
) -> None:
    telia, elisa = router.operator("telia"), router.operator("elisa")
    telia.status = refuses(TWO, v.ESME_RINVDSTADR)
    client = router.client()
    for number in (1, 2, 3):
        client.submit(text=header(7, 3, number) + TEXTS[number - 1], esm_class=0x40)
    world.run(1.0)
    assert parts_at(telia) == [ONE, TWO, THREE]
    assert elisa.submits == []
    (receipt,) = client.receipt_texts()
    assert b"stat:UNDELIV" in receipt
    for operator_id in list(telia.ids):
        telia.report(operator_id)
    world.run(5.0)
    assert len(client.receipts) == 3
    router.assert_all_is_over()


def test_a_part_waits_for_the_operator_that_has_taken_another(world: World, router: Router) -> None:
    telia, elisa, client = connected_to_both(router)
    submit_part(client, 1)
    world.run(1.0)
    telia.far.drop()
    submit_part(client, 2)
    client.submit(text=b"short", registered_delivery=0)
    world.run(1.0)
    assert elisa.texts() == [b"short"]
    submit_part(client, 3, validity_period=b"000000000010000R")
    world.run(15 * 60.0)
    assert router.outcomes[-1] == Outcome.EXPIRED  # By the lane's validity, like everything else.
    assert elisa.texts() == [b"short"]


def test_a_part_goes_when_its_operator_is_back(world: World, router: Router) -> None:
    telia, elisa, client = connected_to_both(router)
    submit_part(client, 1)
    world.run(1.0)
    telia.far.drop()
    submit_part(client, 2)
    submit_part(client, 3)
    world.run(10.0)
    again = router.operator("telia")
    world.run(1.0)
    assert parts_at(again) == [TWO, THREE]
    assert elisa.submits == []
    router.assert_all_is_over()


def test_what_waits_behind_a_taken_part_does_not_change_hands(
    world: World, contract: Settings
) -> None:
    router = Router(world, contract)
    telia = router.operator("telia")
    client = router.client(b"bank", b"secret01")
    for reference in range(100):
        submit_all(client, reference=reference)
    world.run(1.01)
    elisa = router.operator("elisa")
    sent = {(text[3], text[6:]) for text in telia.texts()}
    telia.far.drop()
    world.run(10.0)
    again = router.operator("telia")
    world.run(10.0)
    taken_by = [
        {text[3] for text in [*telia.texts(), *again.texts()]},
        {text[3] for text in elisa.texts()},
    ]
    assert len(sent) % 3  # One message was torn apart.
    assert len(taken_by[1]) > 60
    assert taken_by[0] & taken_by[1] <= {max(reference for reference, _ in sent)}
    router.assert_all_is_over()


def test_parts_in_doubt_go_to_the_next_together_when_their_operator_is_gone(
    world: World, router: Router
) -> None:
    telia, elisa, client = connected_to_both(router, status=None)
    submit_part(client, 1)
    submit_part(client, 2)
    world.run(1.0)
    telia.far.drop()
    world.run(1.0)
    submit_part(client, 3)
    world.run(1.0)
    assert parts_at(elisa) == [ONE, TWO, THREE]
    router.assert_all_is_over()


def test_a_part_in_doubt_stays_with_the_operator_that_has_taken_another(
    world: World, router: Router
) -> None:
    telia, elisa = router.operator("telia"), router.operator("elisa")
    telia.status = lambda pdu: 0 if p.Sm(pdu).short_message.endswith(ONE) else None
    submit_all(router.client())
    world.run(1.0)
    telia.far.drop()
    world.run(10.0)
    assert elisa.submits == []
    again = router.operator("telia")
    world.run(1.0)
    assert parts_at(again) == [TWO, THREE]
    router.assert_all_is_over()


def test_in_doubt_elsewhere_goes_elsewhere_all_the_same(world: World, contract: Settings) -> None:
    router = Router(world, with_lane(contract, "otp", in_doubt="elsewhere"))
    telia, elisa = router.operator("telia"), router.operator("elisa")
    telia.status = lambda pdu: 0 if p.Sm(pdu).short_message.endswith(ONE) else None
    submit_all(router.client())
    world.run(1.0)
    telia.far.drop()
    world.run(1.0)
    assert parts_at(elisa) == [TWO, THREE]
    router.assert_all_is_over()


@pytest.mark.parametrize("then", ["next", "fail"])
def test_retries_of_a_part_stay_with_the_operator_that_has_taken_another(
    world: World, contract: Settings, then: str
) -> None:
    action = StatusAction(do="retry", after_s=2.0, times=2, then=then)  # type: ignore[arg-type]
    router = Router(world, with_action(contract, "telia", v.ESME_RMSGQFUL, action))
    telia, elisa = router.operator("telia"), router.operator("elisa")
    telia.status = refuses(TWO, v.ESME_RMSGQFUL)
    submit_all(router.client())
    world.run(10.0)
    assert parts_at(telia) == [ONE, TWO, THREE, TWO, TWO]
    assert elisa.submits == []
    assert sorted(router.outcomes) == [Outcome.FAILED, Outcome.SENT, Outcome.SENT]
    router.assert_all_is_over()


def test_parts_that_only_the_journal_has_stay_together_too(
    world: World, contract: Settings
) -> None:
    capacity = Capacity(queue_messages=2, queue_refill_below=1, queue_fetch=2)
    router = Router(world, contract, capacity=capacity)
    client = router.client()
    for reference in range(20):
        submit_all(client, reference=reference)
    world.run(1.0)
    telia = router.operator("telia")
    world.run(0.21)
    elisa = router.operator("elisa")
    taken = list(telia.ids.values())
    telia.far.drop()
    world.run(5.0)
    again = router.operator("telia")
    world.run(5.0)
    telias = [p.Sm(pdu).short_message for pdu in [*taken, *again.ids.values()]]
    elisas = [p.Sm(pdu).short_message for pdu in elisa.ids.values()]
    assert {text[3] for text in telias} | {text[3] for text in elisas} == set(range(20))
    assert not {text[3] for text in telias} & {text[3] for text in elisas}
    assert len(telias) % 3 == len(elisas) % 3 == 0
    assert len(elisas) > 10


# After a restart.


def shared_again(router: Router) -> tuple[Router, Operator, Operator, Client]:
    """The next process, on the same journal, with the same peers."""
    again = router.restarted()
    return again, *connected_to_both(again, account=b"shop")


def begun_at_elisa(
    world: World, contract: Settings, parts: tuple[int, ...] = (1,)
) -> tuple[Router, Client]:
    """A router whose elisa took these parts of a message; the next message is telia's."""
    router, telia, elisa, client = shared(world, contract)
    submit_all(client, reference=1)
    for number in parts:
        submit_part(client, number)
    world.run(2.0)
    assert (len(telia.submits), len(elisa.submits)) == (3, len(parts))
    return router, client


@pytest.mark.parametrize("before", [(1,), (1, 2), (3, 1)])
def test_parts_that_come_after_a_restart_go_where_the_others_went(
    before: tuple[int, ...], world: World, contract: Settings
) -> None:
    router, _ = begun_at_elisa(world, contract, before)
    again, telia, elisa, client = shared_again(router)
    after = [number for number in (1, 2, 3) if number not in before]
    for number in after:
        submit_part(client, number)
    world.run(2.0)
    assert telia.submits == []
    assert parts_at(elisa) == [TEXTS[number - 1] for number in after]
    assert not again.journal.started


def test_parts_go_where_the_others_went_when_that_one_was_renamed(
    world: World, contract: Settings
) -> None:
    router, _ = begun_at_elisa(world, contract)
    router.settings = renamed(router.settings, operator="elisa", account="shop")
    again = router.restarted()
    telia, elisa = again.operator("telia"), again.operator("elisa2")
    client = again.client(b"shop2", PASSWORDS[b"shop"])
    for number in (2, 3):
        submit_part(client, number)
    world.run(2.0)
    assert telia.submits == []
    assert parts_at(elisa) == [TWO, THREE]


def test_part_that_waits_through_a_restart_goes_where_the_others_went(
    world: World, contract: Settings
) -> None:
    """It waits for that operator, although the other one of its route is there."""
    router, telia, elisa, client = shared(world, contract)
    submit_all(client, reference=1)
    submit_part(client, 1)
    world.run(2.0)
    assert parts_at(elisa) == [ONE]
    elisa.far.drop()
    submit_part(client, 2)
    world.run(2.0)
    again = router.restarted()
    telia = again.operator("telia")
    world.run(5.0)
    assert telia.submits == []
    elisa = again.operator("elisa")
    world.run(2.0)
    assert parts_at(elisa) == [TWO]


def test_part_that_a_client_sends_again_after_a_restart_begins_no_new_message(
    world: World, contract: Settings
) -> None:
    router, _ = begun_at_elisa(world, contract, (1, 2))
    _, telia, elisa, client = shared_again(router)
    submit_part(client, 2)
    submit_part(client, 3)
    world.run(2.0)
    assert telia.submits == []
    assert parts_at(elisa) == [TWO, THREE]


def test_reference_is_another_message_after_a_restart_where_it_would_be_without(
    world: World, contract: Settings
) -> None:
    """Its text is another; or the last part came more than a minute ago."""
    router, _ = begun_at_elisa(world, contract)
    again, telia, _, client = shared_again(router)
    text = header(7, 3, 1) + b"other"
    client.submit(text=text, esm_class=0x40, registered_delivery=0)
    world.run(2.0)
    assert parts_at(telia) == [b"other"]
    world.run(60.0)
    _, telia, elisa, client = shared_again(again)
    submit_part(client, 2)
    world.run(2.0)
    assert parts_at(telia) == [TWO]
    assert elisa.submits == []


def test_message_whose_parts_were_all_taken_is_not_kept(world: World, contract: Settings) -> None:
    router, client = begun_at_elisa(world, contract)
    assert [(one.operator, one.taken) for one in router.journal.started.values()] == [("elisa", 1)]
    submit_part(client, 2)
    world.run(1.0)
    submit_part(client, 3)
    world.run(1.0)
    assert not router.journal.started


def test_message_is_forgotten_whose_operator_is_no_more(world: World, contract: Settings) -> None:
    router, _ = begun_at_elisa(world, contract)
    router.settings = without_operator(router.settings, "elisa")
    again = router.restarted()
    telia, client = again.operator("telia"), again.client(b"shop", b"secret02")
    submit_part(client, 2)
    world.run(2.0)
    assert parts_at(telia) == [TWO]
