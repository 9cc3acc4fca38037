"""router/report/outbox.py, router/journey.py: receipts and messages reach their client once.

They wait for a client that is away, come again to one that could not take them, and go to whichever
of its binds receives.
"""

import pytest

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.terms.names import AccountName
from router.terms.settings import Settings
from tests.doubles import Client, Router, World, with_account
from tests.journey.scenes import connected, submitted, taken, told_in_vain

BANK = AccountName("bank")
HERE = (3, 0, b"12302")
"""Bank's short code."""


def acknowledge(client: Client, pdu: p.Pdu, status: int = 0) -> None:
    client.far.send(p.response(v.DELIVER_SM, pdu.sequence_number, status, b"\0"))


# A client that is away.


def test_receipts_wait_for_a_client_that_is_away_and_come_in_order_when_it_binds(
    world: World, router: Router
) -> None:
    telia, client, _ = taken(router, 30)
    ids = [p.message_id_of(answer) for answer in client.answers.values()][1:]
    client.far.drop()
    telia.report_all()
    world.run(3600.0)
    assert len(router.journal.held) == 30
    again = router.client()
    world.run(1.0)
    told = [text.partition(b" ")[0].removeprefix(b"id:") for text in again.receipt_texts()]
    assert told == ids
    router.assert_all_is_over()


def test_receipts_come_right_after_the_bind_response_and_not_before(
    world: World, router: Router
) -> None:
    telia, client, _ = taken(router)
    client.far.drop()
    telia.report(b"1")
    world.run(1.0)
    again = router.client()
    commands = [pdu.command_id for _, pdu in again.far.received]
    assert commands[:2] == [v.BIND_TRANSCEIVER | v.RESPONSE, v.DELIVER_SM]


def test_a_client_is_given_no_more_than_its_deliver_window(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_account(contract, "bank", deliver_window=3))
    telia, client, _ = taken(router, 10)
    client.deliver_status = lambda _: None
    telia.report_all()
    world.run(1.0)
    assert len(client.receipts) == 3
    acknowledge(client, client.receipts[0])
    world.run(0.1)
    assert len(client.receipts) == 4
    client.deliver_status = lambda _: 0
    for pdu in list(client.receipts[1:]):
        acknowledge(client, pdu)
    world.run(1.0)
    assert len(client.receipts) == 10
    router.assert_all_is_over()


def test_a_receipt_that_was_lost_with_its_bind_comes_again_and_first(
    world: World, router: Router
) -> None:
    telia, client, _ = taken(router, 3)
    client.deliver_status = lambda _: None
    telia.report_all()
    world.run(1.0)
    in_order = client.receipt_texts()
    assert len(in_order) == 3
    client.far.drop()
    again = router.client()
    world.run(1.0)
    assert again.receipt_texts() == in_order
    router.assert_all_is_over()


def test_receipts_take_turns_over_the_binds_that_receive(world: World, router: Router) -> None:
    telia = router.operator("telia")
    transmitter = router.client(command_id=v.BIND_TRANSMITTER)
    receiver = router.client(command_id=v.BIND_RECEIVER)
    transceiver = router.client()
    submitted(router, telia, transmitter, 10)
    telia.report_all()
    world.run(2.0)
    assert transmitter.receipts == []
    assert len(receiver.receipts) == len(transceiver.receipts) == 5
    router.assert_all_is_over()


def test_receipts_older_than_the_accounts_outbox_are_dropped_and_counted(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_account(contract, "bank", outbox_s=600.0))
    telia, client, _ = taken(router, 2)
    client.far.drop()
    telia.report(b"1")
    world.run(300.0)
    telia.report(b"2")
    world.run(310.0)
    again = router.client()
    world.run(1.0)
    assert len(again.receipts) == 1
    deliveries = router.journey.counters.deliveries
    assert deliveries == {(BANK, "too_old"): 1, (BANK, "acknowledged"): 1}
    router.assert_all_is_over()


# A client that refuses, or says nothing.


@pytest.mark.parametrize("status", [0x08, 0x14, 0x58, 0x64])
def test_a_receipt_that_is_refused_for_now_comes_again_later_and_later(
    world: World, router: Router, status: int
) -> None:
    telia, client, _ = taken(router)
    client.deliver_status = lambda _: status
    telia.report(b"1")
    world.run(20.0)
    waits = [b - a for a, b in zip(client.receipts_at, client.receipts_at[1:], strict=False)]
    assert waits == pytest.approx([1.0, 2.0, 4.0, 8.0])
    assert len({pdu.octets[16:] for pdu in client.receipts}) == 1
    client.deliver_status = lambda _: 0
    world.run(20.0)
    assert len(client.receipts) == 6
    router.assert_all_is_over()


@pytest.mark.parametrize("status", [0x01, 0x0A, 0x45, 0x65, 0x66, 0xFF, 0x4FF])
def test_a_receipt_that_is_refused_for_good_is_over_and_counted(
    world: World, router: Router, status: int
) -> None:
    telia, client, _ = taken(router)
    client.deliver_status = lambda _: status
    telia.report(b"1")
    world.run(3600.0)
    assert len(client.receipts) == 1
    assert router.journey.counters.deliveries == {(BANK, "refused"): 1}
    router.assert_all_is_over()


def test_a_receipt_that_is_refused_holds_up_no_other(world: World, router: Router) -> None:
    telia, client, _ = taken(router, 5)
    first_id = p.message_id_of(client.answers[2])
    client.deliver_status = lambda pdu: 0x64 if first_id in pdu.octets else 0
    telia.report_all()
    world.run(0.5)
    assert len(client.receipts) == 5
    assert len(router.journal.held) == 1


@pytest.mark.parametrize("status", [0, v.ESME_RINVCMDID, v.ESME_RX_T_APPN])
def test_a_generic_nack_is_no_acknowledgement(world: World, router: Router, status: int) -> None:
    _, client = told_in_vain(router)
    world.run(0.5)
    client.far.send(p.build(v.GENERIC_NACK, status, client.receipts[0].sequence_number))
    world.run(0.5)
    assert (BANK, "acknowledged") not in router.journey.counters.deliveries
    assert not client.far.closed


def test_an_unanswered_receipt_comes_again(world: World, router: Router) -> None:
    _, client = told_in_vain(router)
    world.run(29.0)
    assert len(client.receipts) == 1
    client.deliver_status = lambda _: 0
    world.run(5.0)
    assert len(client.receipts) == 2
    assert not client.far.closed
    router.assert_all_is_over()


def test_unanswered_receipts_give_their_place_in_the_window_to_others(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_account(contract, "bank", deliver_window=2))
    telia, client, _ = taken(router, 4)
    client.deliver_status = lambda _: None
    telia.report_all()
    world.run(30.5)
    assert len(client.receipts) == 4
    assert len({p.Sm(pdu).short_message for pdu in client.receipts}) == 4


@pytest.mark.parametrize("when", ["before it comes again", "after it has come again"])
@pytest.mark.parametrize("status", [0, 0x64, 0x45])
def test_a_late_answer_to_a_receipt_is_understood(
    world: World, router: Router, status: int, when: str
) -> None:
    _, client = told_in_vain(router)
    world.run(30.5)
    first = client.receipts[0]
    if when == "before it comes again":
        acknowledge(client, first, status)
        world.run(5.0)
        if status == 0x64:
            assert len(client.receipts) == 2
            acknowledge(client, client.receipts[1])
        else:
            assert len(client.receipts) == 1
    else:
        world.run(5.0)
        assert len(client.receipts) == 2
        acknowledge(client, first, status)
        world.run(1.0)
        acknowledge(client, client.receipts[1])
    world.run(400.0)
    assert len(client.receipts) <= 2
    assert not client.far.closed
    assert sum(router.journey.counters.deliveries.values()) == 1
    router.assert_all_is_over()


def test_the_next_receipt_of_a_message_follows_a_late_answer(world: World, router: Router) -> None:
    telia, client, _ = taken(router, registered_delivery=17)
    client.deliver_status = lambda _: None
    telia.report(b"1", b"ENROUTE", esm_class=0x20)
    telia.report(b"1", b"DELIVRD")
    world.run(30.5)
    client.deliver_status = lambda _: 0
    acknowledge(client, client.receipts[0])
    world.run(5.0)
    assert [b"DELIVRD" in text for text in client.receipt_texts()] == [False, True]
    router.assert_all_is_over()


def test_a_late_answer_on_a_bind_that_is_not_the_last_one_is_understood(
    world: World, router: Router
) -> None:
    telia = router.operator("telia")
    clients = [router.client(), router.client()]
    for client in clients:
        client.deliver_status = lambda _: None
    submitted(router, telia, clients[0])
    telia.report(b"1")
    world.run(32.0)
    assert [len(client.receipts) for client in clients] == [1, 1]
    for client in clients:
        acknowledge(client, client.receipts[0])
    world.run(100.0)
    assert not any(client.far.closed for client in clients)
    assert router.journey.counters.deliveries == {(BANK, "acknowledged"): 1}
    router.assert_all_is_over()


def test_a_client_that_does_not_read_is_given_nothing_until_it_reads(
    world: World, router: Router
) -> None:
    telia, client, _ = taken(router, 3)
    client.link.pause_writing()
    telia.report_all()
    world.run(5.0)
    assert client.receipts == []
    client.link.resume_writing()
    world.run(0.1)
    assert len(client.receipts) == 3
    router.assert_all_is_over()


# What a client can read.


def test_a_receipt_comes_a_second_after_the_answer_where_they_take_two_connections(
    world: World, router: Router
) -> None:
    telia = router.operator("telia")
    transmitter = router.client(command_id=v.BIND_TRANSMITTER)
    receiver = router.client(command_id=v.BIND_RECEIVER)
    router.disk.delay_s = 0.7
    number = transmitter.submit()
    world.run(0.8)
    telia.report(b"1")
    world.run(5.0)
    answered_at = transmitter.answered_at[number]
    (receipt_at,) = receiver.receipts_at
    assert receipt_at - answered_at >= 1.0
    router.assert_all_is_over()


def test_the_second_counts_from_the_answer_even_if_the_submit_was_held(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_account(contract, "bank", window=1))
    telia = router.operator("telia")
    transmitter = router.client(command_id=v.BIND_TRANSMITTER)
    receiver = router.client(command_id=v.BIND_RECEIVER)
    router.disk.delay_s = 0.8
    transmitter.submit()
    number = transmitter.submit()
    world.run(0.9)
    router.disk.delay_s = 0.0
    world.run(0.75)
    assert transmitter.status_of(number) == v.ESME_ROK
    telia.report(b"2")
    world.run(5.0)
    assert receiver.receipts_at[0] - transmitter.answered_at[number] >= 1.0


def test_a_receipt_over_the_same_connection_need_not_wait(world: World, router: Router) -> None:
    telia, client = connected(router)
    number = client.submit()
    world.run(0.05)
    telia.report(b"1")
    world.run(0.05)
    assert len(client.receipts) == 1
    order = [pdu.command_id for _, pdu in client.far.received]
    assert order.index(v.SUBMIT_SM | v.RESPONSE) < order.index(v.DELIVER_SM)
    assert client.status_of(number) == 0


def test_a_3_3_client_gets_no_tlvs_and_a_plain_bind_response(world: World, router: Router) -> None:
    telia = router.operator("telia")
    client = router.client(version=v.VERSION_3_3)
    bind_response = client.answers[1]
    assert bind_response.octets[16:] == b"smpp-router\0"
    submitted(router, telia, client)
    telia.report(b"1")
    world.run(1.0)
    sm = p.Sm(client.receipts[0])
    assert list(sm.tlvs()) == []
    assert sm.short_message.startswith(b"id:" + p.message_id_of(client.answers[2]))
    assert b" stat:DELIVRD " in sm.short_message
    router.assert_all_is_over()


@pytest.mark.parametrize("version", [v.VERSION_3_4, v.VERSION_5_0])
def test_a_newer_client_is_told_the_version(world: World, router: Router, version: int) -> None:
    client = router.client(version=version)
    assert client.answers[1].octets[16:] == b"smpp-router\0" + p.tlv(
        v.SC_INTERFACE_VERSION, bytes((version,))
    )


def test_a_receipt_for_a_3_4_client_that_a_3_3_bind_could_not_take_keeps_its_tlvs(
    world: World, router: Router
) -> None:
    telia = router.operator("telia")
    old = router.client(version=v.VERSION_3_3)
    old.deliver_status = lambda _: 0x64
    submitted(router, telia, old)
    telia.report(b"1")
    world.run(0.5)
    old.far.drop()
    new = router.client()
    world.run(5.0)
    assert p.Sm(new.receipts[0]).tlv(v.MESSAGE_STATE) == b"\x02"


def test_a_3_3_client_gets_the_text_of_a_message_that_came_in_a_tlv(
    world: World, router: Router
) -> None:
    telia = router.operator("telia")
    client = router.client(version=v.VERSION_3_3)
    telia.deliver(b"", destination=HERE, tlvs=p.tlv(v.MESSAGE_PAYLOAD, b"STOP" * 40))
    world.run(1.0)
    assert client.receipt_texts() == [b"STOP" * 40]


@pytest.mark.parametrize("command_id", v.BINDS)
def test_every_kind_of_bind_gets_what_it_may(world: World, router: Router, command_id: int) -> None:
    telia = router.operator("telia")
    client = router.client(command_id=command_id)
    telia.deliver(b"STOP", destination=HERE)
    number = client.submit()
    world.run(1.0)
    assert len(client.receipts) == (0 if command_id == v.BIND_TRANSMITTER else 1)
    refused = v.ESME_RINVBNDSTS if command_id == v.BIND_RECEIVER else 0
    assert client.status_of(number) == refused
