"""What the fuzzer (tests/fuzz) and a look for what grows or takes long have found, as journeys.

Each of these octets once stopped a turn of the loop, or was kept for as long as a peer liked.
"""

import pytest

from router.forward.bind import MOST_ANSWERS_UNREAD_OCTETS
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import LONGEST_ID_OCTETS, MOST_TLVS, Sm
from router.terms.names import OperatorName
from tests.doubles import Client, Operator, Router, World, data_sm, receipt_text
from tests.journey.scenes import connected, nothing_is_left, taken

FAR_TOO_LONG = b"9" * 60
LONG = 60_000


@pytest.mark.parametrize("version", [v.VERSION_3_3, v.VERSION_3_4, v.VERSION_5_0])
def test_addresses_that_only_a_data_sm_has_room_for_reach_a_client_in_good_order(
    world: World, router: Router, version: int
) -> None:
    telia, other = router.operator("telia"), router.client(b"shop", b"secret02")
    client = router.client(version=version)
    octets = data_sm(
        7,
        source=(1, 1, FAR_TOO_LONG),
        destination=(5, 0, b"12302"),
        tlvs=p.tlv(v.MESSAGE_PAYLOAD, b"hello"),
    )
    telia.far.send(octets)
    number = other.submit()
    world.run(1.0)
    assert telia.answer_to(7) == v.ESME_ROK
    (came,) = client.receipts
    sm = Sm(came)
    assert (sm.source, sm.destination) == ((1, 1, FAR_TOO_LONG[:20]), (5, 0, b"12302"))
    assert sm.short_message == b"hello"
    assert other.status_of(number) == v.ESME_ROK


@pytest.mark.parametrize("version", [v.VERSION_3_3, v.VERSION_3_4])
def test_receipt_of_a_data_sm_with_such_an_address_too(
    world: World, router: Router, version: int
) -> None:
    telia, client = router.operator("telia"), router.client(version=version)
    number = client.far.next_sequence()
    octets = data_sm(
        number,
        source=(5, 0, b"S" * 60),
        destination=(1, 1, b"37255512345"),
        registered_delivery=1,
        tlvs=p.tlv(v.MESSAGE_PAYLOAD, b"hello"),
    )
    client.far.send(octets)
    world.run(1.0)
    assert client.status_of(number) == v.ESME_ROK
    telia.deliver(receipt_text(b"1", b"DELIVRD"), esm_class=4)
    world.run(1.0)
    (receipt,) = client.receipts
    assert Sm(receipt).destination == (5, 0, b"S" * 20)
    assert Sm(receipt).short_message.startswith(b"id:" + client.id_of(number))
    nothing_is_left(router)


def test_ids_without_end_are_kept_up_to_a_length_and_find_their_message(
    world: World, router: Router
) -> None:
    telia, client = connected(router, status=None)
    number = client.submit()
    unwanted = client.submit(registered_delivery=0)
    world.run(1.0)
    for place, (_, pdu) in enumerate(telia.submits):
        body = b"%d" % (place + 1) + b"x" * LONG + b"\0"
        telia.far.send(p.response(v.SUBMIT_SM, pdu.sequence_number, body=body))
    world.run(1.0)
    (kept,) = [one for attempts in router.journal.attempts.values() for one in attempts]
    assert len(kept.operator_id) == LONGEST_ID_OCTETS
    assert client.status_of(unwanted) == v.ESME_ROK
    told = p.tlv(v.RECEIPTED_MESSAGE_ID, b"1" + b"x" * LONG) + p.tlv(v.MESSAGE_STATE, b"\2")
    telia.deliver(tlvs=told, esm_class=4)
    world.run(1.0)
    (receipt,) = client.receipts
    assert Sm(receipt).short_message.startswith(b"id:" + client.id_of(number))
    nothing_is_left(router)


def test_orphans_of_ids_without_end_are_few_octets(world: World, router: Router) -> None:
    telia, client = connected(router, status=None)
    client.submit()  # Else nobody would wait for its id.
    world.run(1.0)
    telia.deliver(tlvs=p.tlv(v.MESSAGE_PAYLOAD, b"id:" + b"7" * LONG), esm_class=4)
    told = p.tlv(v.RECEIPTED_MESSAGE_ID, b"8" * LONG) + p.tlv(v.MESSAGE_STATE, b"\2")
    telia.deliver(tlvs=told, esm_class=4)
    world.run(1.0)
    correlator = router.journey.pending.correlators[OperatorName("telia")]
    assert correlator.orphans == 2
    assert set(map(len, correlator._orphans.by_key)) == {LONGEST_ID_OCTETS}


def test_error_code_without_end_is_no_load_for_the_client(world: World, router: Router) -> None:
    telia, client, _ = taken(router)
    text = receipt_text(b"1", b"UNDELIV", err=b"E" * LONG)
    tlvs = p.tlv(v.MESSAGE_PAYLOAD, text[:LONG]) + p.tlv(v.NETWORK_ERROR_CODE, b"x" * 5000)
    telia.deliver(tlvs=tlvs, esm_class=4)
    world.run(1.0)
    (receipt,) = client.receipts
    assert len(receipt.octets) < 400
    assert b"stat:UNDELIV err:999" in Sm(receipt).short_message
    nothing_is_left(router)


def many_tlvs(count: int) -> bytes:
    return p.tlv(0x1400, b"") * count


def submit_with(client: Client, tlvs: bytes) -> int:
    return client.submit(tlvs=tlvs)


def test_tlvs_without_end_are_refused_and_those_of_any_list_are_not(
    world: World, router: Router
) -> None:
    telia, client = connected(router)
    usual, many = submit_with(client, many_tlvs(MOST_TLVS)), submit_with(client, many_tlvs(16_000))
    world.run(1.0)
    assert client.status_of(usual) == v.ESME_ROK
    assert client.status_of(many) == v.ESME_RINVOPTPARSTREAM
    assert router.journey.counters.refused_pdus["malformed"] == 1
    ((_, sent),) = telia.submits
    assert len(list(Sm(sent).tlvs())) == MOST_TLVS
    assert not client.far.closed


def test_of_tlvs_without_end_in_a_receipt_the_first_are_read(world: World, router: Router) -> None:
    telia, client, _ = taken(router)
    told = p.tlv(v.RECEIPTED_MESSAGE_ID, b"1") + p.tlv(v.MESSAGE_STATE, b"\5")
    number = telia.deliver(tlvs=told + many_tlvs(10_000), esm_class=4)
    world.run(1.0)
    assert telia.answer_to(number) == v.ESME_ROK
    (receipt,) = client.receipts
    assert b"stat:UNDELIV" in Sm(receipt).short_message
    nothing_is_left(router)


def delivered(telia: Operator, text: bytes, data_coding: int) -> int:
    return telia.deliver(
        destination=(5, 0, b"12302"),
        data_coding=data_coding,
        tlvs=p.tlv(v.MESSAGE_PAYLOAD, text),
    )


@pytest.mark.parametrize(("data_coding", "code"), [(0, "ascii"), (3, "ascii"), (8, "utf-16-be")])
def test_keyword_is_found_before_a_text_without_end(
    world: World, router: Router, data_coding: int, code: str
) -> None:
    telia, shop = router.operator("telia"), router.client(b"shop", b"secret02")
    bank = router.client()
    delivered(telia, ("Messente " + "a" * 30_000).encode(code), data_coding)
    delivered(telia, ("a" * 30_000).encode(code), data_coding)
    world.run(1.0)
    assert (len(shop.receipts), len(bank.receipts)) == (1, 1)


def until_not_read(telia: Operator) -> None:
    """Have telia deliver, and never read the answers, until the router reads no more of it."""
    for _ in range(2 * MOST_ANSWERS_UNREAD_OCTETS // (17 * 200)):
        if not telia.far.transport.reading:
            return
        for _ in range(200):
            telia.deliver(b"hello", destination=(5, 0, b"nobody"))
        telia.world.settle()
    raise AssertionError("it is still read")


def test_operator_that_delivers_and_never_reads_is_not_read_and_given_up(
    world: World, router: Router
) -> None:
    telia, client = router.operator("telia"), router.client()
    telia.far.on_pdu = lambda _: None
    telia.link.pause_writing()
    answered = len(telia.far.received)
    until_not_read(telia)
    octets = sum(len(pdu.octets) for _, pdu in telia.far.received[answered:])
    assert MOST_ANSWERS_UNREAD_OCTETS < octets < MOST_ANSWERS_UNREAD_OCTETS + 200 * 17
    number = client.submit()
    world.run(0.1)
    assert client.status_of(number) == v.ESME_ROK
    session = router.settings.session
    world.run(session.enquire_link_s + session.response_timeout_s + 1.0)
    assert telia.far.closed


def test_operator_that_reads_again_is_read_again(world: World, router: Router) -> None:
    telia, client = router.operator("telia"), router.client()
    link, transport = telia.link, telia.far.transport
    link.pause_writing()
    number = client.submit()
    world.run(1.0)
    assert transport.reading, "what it answers may be what it waits for"
    assert telia.submits == []
    until_not_read(telia)
    link.resume_writing()
    assert transport.reading
    world.run(1.0)
    assert len(telia.submits) == 1
    assert client.status_of(number) == v.ESME_ROK
