"""router/smpp/reading.py, router/accept: a peer that sends as much as it can is alone with that."""

import pytest

from router.accept.accounts import FLOODED_S, READ_LATE_S
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.reading import ALONE_PDUS, LONGEST_DEBT_S, USELESS, USELESS_BURST
from router.smpp.session import MOST_BEFORE_BIND
from tests.doubles import Client, Router, World

ENQUIRE = p.build(v.ENQUIRE_LINK, 0, 7)
UNKNOWN = p.build(0x99, 0, 7)
UNASKED = p.response(v.SUBMIT_SM, 7, body=b"1\0")
MALFORMED = p.build(v.SUBMIT_SM, 0, 7, b"\0\0")
UNREADABLE = p.build(v.DELIVER_SM, 0, 7, b"\0\0")
SUBMIT = p.sm(
    v.SUBMIT_SM,
    7,
    source=(5, 0, b"BANK"),
    destination=(1, 1, b"37255512345"),
    short_message=b"hello",
)
MUCH = 4 * USELESS_BURST


def heard(client: Client) -> int:
    """How many answers the client has had."""
    return len(client.far.received)


@pytest.mark.parametrize("useless", [ENQUIRE, UNKNOWN, MALFORMED], ids=["ping", "odd", "bad"])
def test_what_is_of_no_use_is_answered_at_a_rate_and_all_of_it_in_the_end(
    world: World, router: Router, useless: bytes
) -> None:
    router.operator("telia")
    client = router.client()
    before = heard(client)
    client.far.send(useless * MUCH)
    world.settle()
    at_once = heard(client) - before
    assert USELESS_BURST < at_once <= USELESS_BURST + ALONE_PDUS
    assert not client.far.transport.reading
    world.run(1.0)
    in_a_second = heard(client) - before - at_once
    assert 0.8 * USELESS.count < in_a_second <= USELESS.count + ALONE_PDUS
    world.run(MUCH / USELESS.per_second)
    assert heard(client) - before >= MUCH
    assert client.far.transport.reading
    assert router.journey.counters.refused_pdus["peer.slowed"]


def test_answers_to_nothing_have_their_price_too(world: World, router: Router) -> None:
    client = router.client()
    client.far.send(UNASKED * MUCH)
    world.settle()
    assert not client.far.transport.reading
    assert router.journey.counters.refused_pdus["response.unasked"] < MUCH
    world.run(MUCH / USELESS.per_second)
    assert router.journey.counters.refused_pdus["response.unasked"] == MUCH


def test_messages_have_none(world: World, router: Router) -> None:
    telia = router.operator("telia")
    client = router.client()
    for _ in range(20):
        client.far.send(SUBMIT * 50)
        world.run(1.0)
    assert "peer.slowed" not in router.journey.counters.refused_pdus
    world.run(60.0)
    assert len(telia.submits) == 1000


def test_client_with_long_messages_is_not_read_while_the_journal_has_much_of_them(
    world: World, router: Router
) -> None:
    long = p.sm(
        v.SUBMIT_SM, 7, source=(5, 0, b"BANK"), destination=(1, 1, b"37255512345"),
        tlvs=p.tlv(v.MESSAGE_PAYLOAD, bytes(60_000)),
    )  # fmt: skip
    client = router.client(b"shop", b"secret02")
    router.disk.is_stuck = True
    client.far.send(long * 5)
    world.settle()
    assert router.journey.commits.behind() == (5, 5 * len(long), False)
    assert not client.far.transport.reading
    world.run(1.0)
    assert not client.far.transport.reading
    router.disk.go_on()
    world.run(1.0)
    assert client.far.transport.reading
    assert router.journey.commits.behind() == (0, 0, False)
    assert router.accepted == 5


def test_binds_of_one_account_pay_from_one_purse_and_another_account_is_not_asked(
    world: World, router: Router
) -> None:
    first, second = router.client(), router.client()
    other = router.client(b"shop", b"secret02")
    for client in (first, second):
        client.far.send(ENQUIRE * (USELESS_BURST // 2 + ALONE_PDUS))
    world.settle()
    assert not (first.far.transport.reading and second.far.transport.reading)
    before = heard(other)
    other.far.send(ENQUIRE * USELESS_BURST)
    world.settle()
    assert heard(other) - before == USELESS_BURST
    assert other.far.transport.reading


def test_bind_of_an_account_that_owes_much_is_read_before_it_seems_dead(
    world: World, router: Router
) -> None:
    healthy, *others = [router.client() for _ in range(4)]
    budget = router.accounts.by_name[healthy.link.account.name].useless
    budget.spend(100 * USELESS.count, world.now)  # As dozens of binds would.
    for client in others:
        client.far.send(ENQUIRE)
    healthy.far.send(ENQUIRE)
    world.settle()
    assert not healthy.far.transport.reading
    world.run(1.1 * LONGEST_DEBT_S)
    assert healthy.far.transport.reading


@pytest.mark.parametrize(
    ("our_number", "status"), [(b"12302", v.ESME_RX_T_APPN), (b"99999", v.ESME_RX_P_APPN)]
)
def test_what_is_refused_because_of_the_router_costs_the_operator_nothing(
    world: World, router: Router, our_number: bytes, status: int
) -> None:
    router.client()
    telia = router.operator("telia")
    router.journey.commits.is_short_of_space = True
    message = p.sm(
        v.DELIVER_SM, 7, source=(1, 1, b"37255512345"), destination=(5, 0, our_number),
        short_message=b"hello",
    )  # fmt: skip
    telia.far.send(message * MUCH)
    world.run(1.0)
    answers = telia.far.pdus(v.DELIVER_SM | v.RESPONSE)
    assert {pdu.command_status for pdu in answers} == {status}
    assert len(answers) == MUCH
    assert "peer.slowed" not in router.journey.counters.refused_pdus


@pytest.mark.parametrize("useless", [UNASKED, UNREADABLE], ids=["unasked", "bad"])
def test_operator_pays_as_well_and_its_other_bind_does_not(
    world: World, router: Router, useless: bytes
) -> None:
    first, second = router.operator("telia"), router.operator("telia", 1)
    first.far.send(useless * MUCH)
    world.settle()
    assert (first.far.transport.reading, second.far.transport.reading) == (False, True)


def test_peer_that_is_slowed_and_goes_is_forgotten(world: World, router: Router) -> None:
    client = router.client()
    client.far.send(ENQUIRE * MUCH)
    world.settle()
    client.far.drop()
    world.run(10.0)
    assert len(router.reading) == 0
    assert not router.accounts.by_name[client.link.account.name].binds


def test_bind_of_a_client_that_is_gone_does_not_last_until_all_is_paid(
    world: World, router: Router
) -> None:
    client = router.client()
    client.far.send(UNASKED * MUCH)
    world.settle()
    router.hung_up.append(client.link)
    world.run(LONGEST_DEBT_S)
    assert client.far.closed
    assert not router.accounts.by_name[client.link.account.name].binds
    assert len(router.reading) == 0


def test_answers_that_a_client_in_debt_has_left_behind_count(world: World, router: Router) -> None:
    telia = router.operator("telia")
    client = router.client()
    client.deliver_status = lambda _: None
    client.submit()
    world.run(1.0)
    telia.report_all()
    world.run(1.0)
    (receipt,) = client.receipts
    client.far.send(UNASKED * MUCH + p.response(v.DELIVER_SM, receipt.sequence_number, body=b"\0"))
    world.settle()
    router.hung_up.append(client.link)
    world.run(LONGEST_DEBT_S)
    assert client.far.closed
    assert not router.journey.deliveries.outboxes[client.link.account.name]


def test_client_that_is_gone_hears_what_it_is_owed_first(world: World, router: Router) -> None:
    client = router.client()
    router.disk.is_stuck = True
    client.far.send(SUBMIT + UNASKED * MUCH)
    world.settle()
    router.hung_up.append(client.link)
    world.run(LONGEST_DEBT_S)
    assert not client.far.closed
    router.disk.go_on()
    world.run(LONGEST_DEBT_S)
    assert len(client.far.pdus(v.SUBMIT_SM_RESP)) == 1
    assert client.far.closed


def test_peer_in_debt_is_written_to_now_and_then_so_that_its_system_says_if_it_is_gone(
    world: World, router: Router
) -> None:
    client = router.client()
    client.far.send(UNASKED * MUCH)
    world.run(2.5 * LONGEST_DEBT_S)
    assert len(client.far.pdus(v.ENQUIRE_LINK)) == 3


# Before the bind.


@pytest.mark.parametrize("useless", [ENQUIRE, UNKNOWN, SUBMIT, UNASKED])
def test_stranger_that_sends_much_before_it_binds_is_cut_off(
    world: World, router: Router, useless: bytes
) -> None:
    stranger = Client(world, router)
    stranger.far.send(useless * MOST_BEFORE_BIND)
    world.settle()
    assert not stranger.far.closed
    stranger.far.send(useless)
    world.settle()
    assert stranger.far.closed
    assert router.journey.counters.failed_binds == {"flooded": 1}


def test_what_comes_behind_a_bind_request_does_not_count(world: World, router: Router) -> None:
    router.operator("telia")
    client = Client(world, router)
    bind = p.bind(v.BIND_TRANSCEIVER, 1, system_id=b"bank", password=b"secret01")
    client.far.send(bind + SUBMIT * 5 * MOST_BEFORE_BIND)
    world.run(1.0)
    assert len(client.far.pdus(v.SUBMIT_SM_RESP)) == 5 * MOST_BEFORE_BIND


def test_next_connection_from_that_address_is_read_late_for_a_while(
    world: World, router: Router
) -> None:
    Client(world, router).far.send(ENQUIRE * 100)
    world.settle()

    client = Client(world, router)
    number = client.bind(b"bank", b"secret01", v.BIND_TRANSCEIVER, v.VERSION_3_4)
    world.run(0.9 * READ_LATE_S)
    assert number not in client.answers
    world.run(0.2 * READ_LATE_S)
    assert client.status_of(number) == v.ESME_ROK

    world.run(FLOODED_S)
    late = Client(world, router)
    number = late.bind(b"bank", b"secret01", v.BIND_TRANSCEIVER, v.VERSION_3_4)
    world.settle()
    assert late.status_of(number) == v.ESME_ROK


def test_connections_from_other_addresses_are_read_at_once(world: World, router: Router) -> None:
    router.accounts.flooded("192.0.2.1", world.now)
    assert router.client().link.bind_type
