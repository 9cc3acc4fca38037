"""What peers of SMPP 3.3 and 5.0 are sent: no TLVs to the one, more words to the other."""

from dataclasses import replace
from typing import Final

import pytest

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.terms.limits import Rate
from router.terms.names import OperatorName
from router.terms.settings import Settings
from tests.doubles import Client, Router, World, data_sm, with_account, with_operator
from tests.journey.scenes import connected
from tests.peers import tlvs_behind

TELIA: Final = OperatorName("telia")
UNKNOWN: Final = b"4670123456"
"""No route is for it."""
VENDORS: Final = p.tlv(0x1400, b"vendor")


def told(client: Client, number: int) -> tuple[int | None, int | None, bytes]:
    """Status, congestion_state and additional_status_info_text of an answer with an id first."""
    pdu = client.answers[number]
    at = pdu.octets.index(0, 16) + 1
    if pdu.command_id == v.SUBMIT_MULTI | v.RESPONSE:
        for _ in range(pdu.octets[at]):
            at = pdu.octets.index(0, at + 3) + 4
        at += 1
    tlvs = tlvs_behind(pdu, at)
    state = tlvs.get(v.CONGESTION_STATE)
    text = tlvs.get(v.ADDITIONAL_STATUS_INFO_TEXT, b"")
    return client.status_of(number), None if state is None else state[0], text


# Clients.


def test_a_3_3_client_is_sent_no_tlv(world: World, router: Router) -> None:
    telia = router.operator("telia")
    client = router.client(version=v.VERSION_3_3)
    bind = client.answers[1]
    assert bind.octets[16:].count(0) == 1
    taken, refused = client.submit(), client.submit(UNKNOWN)
    both = client.submit_to_all([b"37255512345", UNKNOWN])
    world.run(0.5)
    telia.report_all()
    world.run(1.0)
    assert client.answers[taken].octets[16:] == client.id_of(taken) + b"\0"
    assert client.answers[refused].octets[16:] == b""
    assert told(client, both) == (v.ESME_ROK, None, b"")
    assert len(client.receipts) == 2
    assert [list(p.Sm(pdu).tlvs()) for pdu in client.receipts] == [[], []]


def test_a_3_3_client_that_sends_a_data_sm_all_the_same_is_served(
    world: World, router: Router
) -> None:
    telia = router.operator("telia")
    client = router.client(version=v.VERSION_3_3)
    client.far.send(data_sm(7, source=(5, 0, b"BANK"), destination=(1, 1, b"37255512345")))
    world.run(0.5)
    assert client.answers[7].octets[16:] == client.id_of(7) + b"\0"
    assert len(telia.submits) == 1


@pytest.mark.parametrize("version", [0x00, 0x34, 0x33])
def test_only_5_0_clients_are_told_more(world: World, router: Router, version: int) -> None:
    client = router.client(version=version)
    numbers = [client.submit(), client.submit_to_all([b"37255512345"])]
    world.run(0.5)
    assert [told(client, one) for one in numbers] == [(v.ESME_ROK, None, b"")] * 2


def test_a_5_0_client_is_told_how_full_its_rate_is(world: World, contract: Settings) -> None:
    router = Router(world, with_account(contract, "bank", rate=Rate(10, 1.0), burst=10))
    client = router.client(version=v.VERSION_5_0)
    numbers = []
    for _ in range(10):
        numbers.append(client.submit())
        world.settle()
    assert [told(client, one)[1] for one in numbers] == [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]
    world.run(5.0)
    later = client.submit()
    world.settle()
    assert told(client, later) == (v.ESME_ROK, 10, b"")


def test_a_5_0_client_is_told_how_full_its_room_is(world: World, contract: Settings) -> None:
    router = Router(world, with_account(contract, "bank", queue=4))
    client = router.client(version=v.VERSION_5_0)
    numbers = [client.submit() for _ in range(3)]
    world.settle()
    assert told(client, numbers[-1])[1] == 75
    numbers = [client.submit() for _ in range(2)]
    world.run(2.0)
    assert told(client, numbers[1]) == (v.ESME_RMSGQFUL, 100, b"queue full\0")


def test_a_5_0_client_hears_why_it_is_refused(world: World, router: Router) -> None:
    client = router.client(version=v.VERSION_5_0)
    numbers = [
        client.submit(UNKNOWN),
        client.submit(validity_period=b"nonsense"),
        client.submit_to_all([UNKNOWN, UNKNOWN]),
        client.submit_to_all([UNKNOWN, b"friends"], flags=b"\1\2"),
    ]
    client.far.send(data_sm(77, source=(5, 0, b"BANK"), destination=(1, 1, UNKNOWN)))
    world.run(0.5)
    assert [told(client, one)[::2] for one in (*numbers, 77)] == [
        (v.ESME_RINVDSTADR, b"no route\0"),
        (v.ESME_RINVEXPIRY, b"no time that can be read\0"),
        (v.ESME_RINVDSTADR, b"no route\0"),
        (v.ESME_RSUBMITFAIL, b"refused for several reasons\0"),
        (v.ESME_RINVDSTADR, b"no route\0"),
    ]


def test_a_5_0_client_that_is_to_wait_is_told_that_it_is_full(world: World, router: Router) -> None:
    client = router.client(version=v.VERSION_5_0)
    assert router.journey.commits.found_space(999, 1000)
    number = client.submit()
    world.run(0.5)
    assert told(client, number) == (v.ESME_RMSGQFUL, 100, b"disk nearly full\0")


# Operators.


def in_version(settings: Settings, version: int) -> Settings:
    """The same settings, with all binds of telia in this version."""
    binds = tuple(
        replace(one, interface_version=version) for one in settings.operators[TELIA].binds
    )
    return with_operator(settings, "telia", binds=binds)


@pytest.mark.parametrize(("version", "tlvs"), [(0x33, b""), (0x34, VENDORS), (0x50, VENDORS)])
def test_a_3_3_operator_is_sent_no_tlv(
    world: World, contract: Settings, version: int, tlvs: bytes
) -> None:
    router = Router(world, in_version(contract, version))
    telia, client = connected(router)
    client.submit(tlvs=VENDORS)
    world.run(0.5)
    ((_, pdu),) = telia.submits
    sm = p.Sm(pdu)
    assert (sm.short_message, sm.octets[sm.tlvs_at :]) == (b"hello", tlvs)


def test_tlvs_in_the_answer_of_a_5_0_operator_do_not_matter(
    world: World, contract: Settings
) -> None:
    router = Router(world, in_version(contract, v.VERSION_5_0))
    telia, client = connected(router)
    full = p.tlv(v.CONGESTION_STATE, b"\x63") + p.tlv(v.ADDITIONAL_STATUS_INFO_TEXT, b"busy\0")
    telia.answer = lambda pdu, status=0: telia.far.send(  # type: ignore[method-assign]
        p.build(v.SUBMIT_SM_RESP, status, pdu.sequence_number, b"1\0" + full)
    )
    client.submit(registered_delivery=0)
    client.submit(registered_delivery=0)
    world.run(0.5)
    assert len(telia.submits) == len(router.settled) == 2
    router.assert_all_is_over()
