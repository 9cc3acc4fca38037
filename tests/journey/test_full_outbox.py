"""router/steps/inbound.py, intake.py: an outbox has an end, and nobody but its client is harmed."""

from router.report.outbox import FOR_RECEIPTS
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.steps.inbound import MOST_UNKEPT_OCTETS
from router.terms.capacity import Capacity
from router.terms.names import AccountName, OperatorName
from router.terms.settings import Settings
from tests.doubles import FULL_DISK, Router, World, with_account

SUBSCRIBER = (1, 1, b"37255512345")
HERE = (3, 0, b"12302")
BANK = AccountName("bank")


def test_an_operator_is_asked_to_send_again_what_an_outbox_has_no_room_for(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_account(contract, "bank", outbox_messages=10))
    far = router.operator("telia")
    numbers = []
    for n in range(12):
        numbers.append(far.deliver(b"%d" % n, SUBSCRIBER, HERE))
        world.run(0.1)
    shops = far.deliver(b"MESSENTE hello", SUBSCRIBER, HERE)
    world.run(0.1)
    assert [far.answer_to(number) for number in numbers] == [0] * 9 + [v.ESME_RX_T_APPN] * 3
    assert far.answer_to(shops) == v.ESME_ROK
    assert router.journey.counters.inbound[OperatorName("telia"), "refused"] == 3
    client = router.client()
    world.run(1.0)
    assert client.receipt_texts() == [b"%d" % n for n in range(9)]
    again = far.deliver(b"9", SUBSCRIBER, HERE)
    world.run(0.1)
    assert far.answer_to(again) == v.ESME_ROK


def test_octets_of_an_outbox_end_too_also_after_a_restart(world: World, contract: Settings) -> None:
    settings = with_account(contract, "bank", outbox_size_bytes=100_000)
    before = Router(world, settings)
    far = before.operator("telia")
    payload = p.tlv(v.MESSAGE_PAYLOAD, b"x" * 45_000)
    for _ in range(2):
        far.deliver(b"", SUBSCRIBER, HERE, tlvs=payload)
        world.run(0.1)
    octets = before.journey.deliveries.outboxes[BANK].octets
    assert octets > 90_000
    after = before.restarted()
    assert after.journey.deliveries.outboxes[BANK].octets == octets
    far = after.operator("telia")
    refused = far.deliver(b"hello", SUBSCRIBER, HERE)
    world.run(0.1)
    assert far.answer_to(refused) == v.ESME_RX_T_APPN
    client = after.client()
    world.run(1.0)
    assert len(client.receipts) == 2
    assert after.journey.deliveries.outboxes[BANK].octets == 0
    taken = far.deliver(b"hello", SUBSCRIBER, HERE)
    world.run(0.1)
    assert far.answer_to(taken) == v.ESME_ROK


def test_a_client_that_does_not_fetch_its_receipts_may_ask_for_no_more(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_account(contract, "bank", outbox_messages=3))
    telia = router.operator("telia")
    client = router.client(command_id=v.BIND_TRANSMITTER)
    numbers = [client.submit() for _ in range(5)]
    world.run(1.0)
    telia.report_all()
    world.run(1.0)
    # All are taken: that many were accepted before.
    assert [client.status_of(number) for number in numbers] == [v.ESME_ROK] * 5
    assert len(router.journey.deliveries.outboxes[BANK]) == 5
    refused, wants_none = client.submit(), client.submit(registered_delivery=0)
    other = router.client(b"shop", b"secret02")
    others = other.submit()
    world.run(1.0)
    assert client.status_of(refused) == v.ESME_RMSGQFUL
    assert client.status_of(wants_none) == other.status_of(others) == v.ESME_ROK
    assert router.journey.counters.refused_pdus == {"outbox_full": 1}
    assert router.room_taken() == 0
    receiver = router.client(command_id=v.BIND_RECEIVER)
    world.run(2.0)
    assert len(receiver.receipts) == 5
    taken = client.submit()
    world.run(0.5)
    assert client.status_of(taken) == v.ESME_ROK


def test_subscribers_leave_room_for_receipts(world: World, contract: Settings) -> None:
    router = Router(world, with_account(contract, "bank", outbox_messages=20))
    far = router.operator("telia")
    for n in range(30):
        far.deliver(b"%d" % n, SUBSCRIBER, HERE)
        world.run(0.1)
    assert len(router.journey.deliveries.outboxes[BANK]) == 20 * (1 - FOR_RECEIPTS)
    client = router.client(command_id=v.BIND_TRANSMITTER)
    number = client.submit()
    world.run(0.5)
    assert client.status_of(number) == v.ESME_ROK


def test_what_an_operator_sends_and_the_disk_has_not_written_is_limited(
    world: World, contract: Settings
) -> None:
    router = Router(world, contract)
    far, other = router.operator("telia"), router.operator("elisa", 2)
    router.journal.writes_are_stuck = True
    payload = p.tlv(v.MESSAGE_PAYLOAD, b"x" * 60_000)
    numbers = [far.deliver(b"", SUBSCRIBER, HERE, tlvs=payload) for _ in range(100)]
    theirs = other.deliver(b"hello", SUBSCRIBER, HERE)
    world.run(1.0)
    most = MOST_UNKEPT_OCTETS // 60_000 + 1
    told = [far.answer_to(number) for number in numbers]
    assert told == [None] * most + [v.ESME_RX_T_APPN] * (100 - most)
    assert other.answer_to(theirs) is None
    router.journal.go_on()
    world.run(1.0)
    assert [far.answer_to(number) for number in numbers[:most]] == [v.ESME_ROK] * most
    assert other.answer_to(theirs) == v.ESME_ROK
    taken = far.deliver(b"", SUBSCRIBER, HERE, tlvs=payload)
    world.run(1.0)
    assert far.answer_to(taken) == v.ESME_ROK


def test_what_the_journal_refused_counts_no_more(world: World, contract: Settings) -> None:
    router = Router(world, contract)
    far = router.operator("telia")
    payload = p.tlv(v.MESSAGE_PAYLOAD, b"x" * 60_000)
    router.journal.failing = FULL_DISK
    numbers = [far.deliver(b"", SUBSCRIBER, HERE, tlvs=payload) for _ in range(100)]
    world.run(1.0)
    assert {far.answer_to(number) for number in numbers} == {v.ESME_RX_T_APPN}
    router.journal.failing = None
    world.run(3.0)
    number = far.deliver(b"", SUBSCRIBER, HERE, tlvs=payload)
    world.run(1.0)
    assert far.answer_to(number) == v.ESME_ROK


def test_large_deliveries_wait_in_the_journal_beyond_so_many_octets(
    world: World, contract: Settings
) -> None:
    router = Router(world, contract, capacity=Capacity(outbox_octets=20_000))
    far = router.operator("telia")
    for n in range(100):
        payload = p.tlv(v.MESSAGE_PAYLOAD, b"%d" % n + b" " * 3_000)
        far.deliver(b"", SUBSCRIBER, HERE, tlvs=payload)
        world.run(0.01)
    outbox = router.journey.deliveries.outboxes[BANK]
    assert (len(outbox), len(outbox.waiting)) == (100, 7)
    client = router.client()
    most = 0
    for _ in range(1000):
        world.run(0.01)
        most = max(most, sum(len(one.octets) for one in outbox.waiting))
    assert most < 1.5 * 20_000 + 2 * 3_100
    payloads = [p.Sm(pdu).tlv(v.MESSAGE_PAYLOAD) or b"" for pdu in client.receipts]
    assert [int(payload) for payload in payloads] == list(range(100))
    assert (len(outbox), outbox.octets) == (0, 0)
