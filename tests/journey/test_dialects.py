"""Each client's system gets ids and receipts as it wants them, also after a reload or a restart."""

from dataclasses import replace

import pytest

from router.enqueue.ids import client_id_of, router_id_of
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.terms.capacity import Capacity
from router.terms.dialects import READY
from router.terms.names import RouterId
from router.terms.settings import ClientIdForm, Dialect, MessageIdForms, Settings
from tests.doubles import Client, Router, World, with_account

HEX_DECIMAL = MessageIdForms(response="hex", receipt="decimal")
DECIMAL_HEX = MessageIdForms(response="decimal", receipt="hex")
BOTH_KINDS = 0x11


def with_dialect(contract: Settings, dialect: Dialect) -> Settings:
    return with_account(contract, "bank", dialect=dialect)


def router_in(world: World, contract: Settings, capacity: Capacity, dialect: Dialect) -> Router:
    return Router(world, with_dialect(contract, dialect), capacity=capacity)


def ids_of(pdu: p.Pdu) -> tuple[bytes, bytes]:
    """The ids in text and TLV of a receipt."""
    sm = p.Sm(pdu)
    in_tlv = sm.tlv(v.RECEIPTED_MESSAGE_ID) or b"\0"
    return sm.message.partition(b" ")[0].removeprefix(b"id:"), in_tlv[:-1]


@pytest.mark.parametrize("form", ["decimal", "hex", "uuid", "hex8"])
def test_a_client_sees_one_form_of_its_id_everywhere(
    world: World, contract: Settings, capacity: Capacity, form: ClientIdForm
) -> None:
    dialect = Dialect(message_id=MessageIdForms(response=form, receipt=form))
    router = router_in(world, contract, capacity, dialect)
    telia = router.operator("telia")
    client = router.client()
    number = client.submit()
    world.run(1.0)
    telia.report(b"1")
    world.run(1.0)
    told = client.id_of(number)
    assert ids_of(client.receipts[0]) == (told, told)
    (settled,) = router.settled
    router_id = settled.message.router_id
    assert client_id_of(router_id, form) == told
    assert router_id_of(told, form, RouterId(router_id + 100)) == router_id


@pytest.mark.parametrize(("forms", "base"), [(HEX_DECIMAL, 16), (DECIMAL_HEX, 10)])
def test_a_receipt_has_the_same_number_in_the_other_base(
    world: World, contract: Settings, capacity: Capacity, forms: MessageIdForms, base: int
) -> None:
    router = router_in(world, contract, capacity, Dialect(message_id=forms))
    telia = router.operator("telia")
    client = router.client()
    number = client.submit()
    world.run(1.0)
    telia.report(b"1")
    world.run(1.0)
    told, (in_text, in_tlv) = client.id_of(number), ids_of(client.receipts[0])
    assert int(told, base) == int(in_text, 26 - base)
    assert in_text == in_tlv != told


def test_a_message_of_an_earlier_process_is_told_in_the_dialect(
    world: World, contract: Settings, capacity: Capacity
) -> None:
    router = router_in(world, contract, capacity, READY["jsmpp"])
    telia = router.operator("telia")
    number = (client := router.client()).submit()
    world.run(1.0)
    again = router.restarted()
    back, far = again.client(), again.operator("telia")
    far.ids = telia.ids
    far.report(b"1")
    world.run(5.0)
    assert ids_of(back.receipts[0])[0] == b"%d" % int(client.id_of(number), 16)


@pytest.mark.parametrize(
    "before", [HEX_DECIMAL, MessageIdForms(response="uuid", receipt="uuid"), None]
)
def test_after_a_reload_a_receipt_has_an_id_that_its_client_knows(
    world: World, contract: Settings, capacity: Capacity, before: MessageIdForms | None
) -> None:
    dialect = Dialect() if before is None else Dialect(message_id=before)
    router = router_in(world, contract, capacity, dialect)
    telia = router.operator("telia")
    client = router.client()
    earlier = client.submit()
    world.run(1.0)
    after = Dialect(message_id=DECIMAL_HEX, date_digits=12)
    router.adopt(with_dialect(contract, after))
    later = client.submit()
    world.run(1.0)
    telia.report_all()
    world.run(1.0)
    old, new = client.id_of(earlier), client.id_of(later)
    in_receipts = [ids_of(one) for one in client.receipts]
    if before is None:  # Its response had the form that responses still have.
        assert in_receipts[0] == (b"%X" % int(old),) * 2
    else:
        assert in_receipts[0] == (old, old)
    assert in_receipts[1] == (b"%X" % int(new),) * 2
    assert all(p.Sm(one).message.count(b" date:270115") == 2 for one in client.receipts)


def _held(client: Client, number: int) -> float:
    return client.receipts_at[0] - client.answered_at[number]


@pytest.mark.parametrize(
    ("command_id", "hold_s", "least_s", "most_s"),
    [
        (v.BIND_TRANSCEIVER, None, 0.0, 0.2),
        (v.BIND_TRANSCEIVER, 0.5, 0.5, 0.6),
        (v.BIND_TRANSCEIVER, 3.0, 3.0, 3.1),
    ],
)
def test_a_receipt_is_held_after_its_answer(
    world: World,
    contract: Settings,
    capacity: Capacity,
    command_id: int,
    hold_s: float | None,
    least_s: float,
    most_s: float,
) -> None:
    router = router_in(world, contract, capacity, Dialect(hold_s=hold_s))
    telia = router.operator("telia")
    client = router.client(command_id=command_id)
    number = client.submit()
    world.run(0.1)
    telia.report(b"1")
    world.run(10.0)
    assert least_s <= _held(client, number) <= most_s


def test_no_hold_is_kept_for_a_transmitter_where_none_is_asked_for(
    world: World, contract: Settings, capacity: Capacity
) -> None:
    router = router_in(world, contract, capacity, Dialect(hold_s=0.0))
    telia = router.operator("telia")
    sends, reads = router.client(command_id=v.BIND_TRANSMITTER), router.client()
    number = sends.submit()
    world.run(0.1)
    telia.report(b"1")
    world.run(5.0)
    assert reads.receipts_at[0] - sends.answered_at[number] < 0.2


def test_receipts_as_data_sm_are_acknowledged_like_others(
    world: World, contract: Settings, capacity: Capacity
) -> None:
    router = router_in(world, contract, capacity, Dialect(receipts_as="data_sm"))
    telia = router.operator("telia")
    client, old = router.client(), router.client(version=v.VERSION_3_3)
    for one in (client, old):
        one.submit(registered_delivery=BOTH_KINDS)
    world.run(1.0)
    for operator_id in (b"1", b"2"):
        telia.report(operator_id, b"ENROUTE")
    telia.report_all()
    world.run(5.0)
    as_data, as_deliver = client.far.pdus(v.DATA_SM), old.far.pdus(v.DELIVER_SM)
    assert as_data
    assert as_deliver
    assert not client.far.pdus(v.DELIVER_SM)
    assert not old.far.pdus(v.DATA_SM)
    assert len(as_data) + len(as_deliver) == 4
    assert all(p.Sm(one).tlvs_at == len(one.octets) for one in as_deliver)
    router.assert_all_is_over()


def test_intermediate_notifications_have_the_esm_class_of_the_dialect(
    world: World, contract: Settings, capacity: Capacity
) -> None:
    router = router_in(world, contract, capacity, READY["php-smpp"])
    telia = router.operator("telia")
    client = router.client()
    client.submit(registered_delivery=BOTH_KINDS)
    world.run(1.0)
    telia.report(b"1", b"ENROUTE")
    telia.report(b"1")
    world.run(5.0)
    assert [p.Sm(one).esm_class for one in client.receipts] == [4, 4]
    assert [b"stat:ENROUTE" in text for text in client.receipt_texts()] == [True, False]


def test_a_receipt_that_the_router_makes_is_in_the_dialect(
    world: World, contract: Settings, capacity: Capacity
) -> None:
    dialect = replace(READY["jsmpp"], text="{stat} {id}|{text}", tlvs=False)
    router = router_in(world, contract, capacity, dialect)
    router.operator("telia", status=v.ESME_RINVDSTADR)
    client = router.client()
    number = client.submit()
    world.run(10.0)
    (text,) = client.receipt_texts()
    decimal = b"%d" % int(client.id_of(number), 16)
    assert text.startswith(b"UNDELIV " + decimal + b"|made by smpp-router: ")
    sm = p.Sm(client.receipts[0])
    assert sm.tlvs_at == len(sm.octets)


def test_another_account_keeps_its_own_dialect(
    world: World, contract: Settings, capacity: Capacity
) -> None:
    router = router_in(world, contract, capacity, READY["jsmpp"])
    operators = [router.operator(str(name)) for name in contract.operators]
    client = router.client(b"shop", b"secret02")
    number = client.submit()
    world.run(1.0)
    for operator in operators:
        operator.report_all()
    world.run(5.0)
    assert ids_of(client.receipts[0]) == (client.id_of(number),) * 2
    assert client.id_of(number).isdigit()
