"""router/steps/inbound.py: the parts of a subscriber's long message go to one account and one bind.

By the contract's rules: to 12302 it is bank's, but shop's if it came from telia and begins with
MESSENTE.
"""

from dataclasses import replace

import pytest

from router.smpp import pdu as p
from router.smpp import segments
from router.smpp import vocabulary as v
from router.smpp.pdu import Sm
from router.terms.capacity import Capacity
from router.terms.names import AccountName, OperatorName
from router.terms.settings import InboundSettings, Settings
from tests.doubles import FULL_DISK, Client, Operator, Router, World, data_sm

TELIA = OperatorName("telia")
SUBSCRIBER = (1, 1, b"37255512345")
HERE = (3, 0, b"12302")


@pytest.fixture
def capacity() -> Capacity:
    """So little that three parts that wait are too many."""
    return Capacity(inbound_waiting=2)


def udh(number: int, text: bytes, total: int = 2, reference: int = 7) -> bytes:
    return bytes((5, 0, 3, reference, total, number)) + text


def deliver(far: Operator, number: int, text: bytes, total: int = 2, reference: int = 7) -> int:
    octets = udh(number, text, total, reference)
    return far.deliver(octets, SUBSCRIBER, HERE, esm_class=0x40)


def both(router: Router) -> tuple[Client, Client]:
    return router.client(), router.client(b"shop", b"secret02")


def texts(*clients: Client) -> list[bytes]:
    """The texts of the parts that clients got, without their headers."""
    return [text[6:] for client in clients for text in client.receipt_texts()]


@pytest.mark.parametrize("second", [b"and so on", b"MESSENTE", b"messente again"])
def test_first_part_decides_for_all_whatever_the_second_begins_with(
    world: World, router: Router, second: bytes
) -> None:
    telia, other = router.operator("telia"), router.operator("telia", 1)
    bank, shop = both(router)
    numbers = [deliver(telia, 1, b"hello"), deliver(telia, 1, b"MESSENTE hi", reference=8)]
    world.run(0.5)
    numbers_of_other = [deliver(other, 2, second), deliver(other, 2, second, reference=8)]
    world.run(0.5)
    assert [telia.answer_to(number) for number in numbers] == [v.ESME_ROK] * 2
    assert [other.answer_to(number) for number in numbers_of_other] == [v.ESME_ROK] * 2
    assert texts(bank) == [b"hello", second]
    assert texts(shop) == [b"MESSENTE hi", second]
    router.assert_all_is_over()


def test_part_that_comes_before_the_first_waits_unanswered_and_goes_behind_it(
    world: World, router: Router
) -> None:
    telia, other = router.operator("telia"), router.operator("telia", 1)
    bank, shop = both(router)
    third, second = deliver(telia, 3, b"three", 3), deliver(other, 2, b"two", 3)
    world.run(4.5)
    assert (telia.answer_to(third), other.answer_to(second)) == (None, None)
    assert texts(bank, shop) == []
    first = deliver(other, 1, b"Messente: one", 3)
    world.run(0.4)
    assert telia.answer_to(third) == v.ESME_ROK
    assert [other.answer_to(number) for number in (second, first)] == [v.ESME_ROK] * 2
    assert texts(shop) == [b"Messente: one", b"two", b"three"]
    assert bank.receipts == []
    router.assert_all_is_over()


@pytest.mark.parametrize(("text", "is_shops"), [(b"two", False), (b"MESSENTE two", True)])
def test_part_whose_first_does_not_come_is_decided_by_what_it_says_after_five_seconds(
    world: World, router: Router, text: bytes, *, is_shops: bool
) -> None:
    telia = router.operator("telia")
    bank, shop = both(router)
    world.run(0.37)  # Else other timers end a turn when the part is due.
    number = deliver(telia, 2, text)
    world.run(4.9)
    assert telia.answer_to(number) is None
    world.run(0.2)
    assert telia.answer_to(number) == v.ESME_ROK
    late = deliver(telia, 1, b"MESSENTE late")
    world.run(0.2)
    assert telia.answer_to(late) == v.ESME_ROK
    assert texts(shop if is_shops else bank) == [text, b"MESSENTE late"]
    assert len(bank.receipts + shop.receipts) == 2
    router.assert_all_is_over()


def test_part_is_not_held_where_no_keyword_can_matter(world: World, router: Router) -> None:
    elisa = router.operator("elisa", 2)
    bank, _ = both(router)
    number = deliver(elisa, 2, b"MESSENTE two")
    world.run(0.1)
    assert elisa.answer_to(number) == v.ESME_ROK
    assert texts(bank) == [b"MESSENTE two"]


def test_part_whose_session_is_lost_is_forgotten_and_taken_when_it_comes_again(
    world: World, router: Router
) -> None:
    telia, other = router.operator("telia"), router.operator("telia", 1)
    bank, shop = both(router)
    deliver(telia, 2, b"two")
    world.run(1.0)
    telia.far.drop()
    world.run(10.0)
    assert texts(bank, shop) == []
    again = deliver(other, 2, b"two")
    world.run(1.0)
    assert other.answer_to(again) is None
    deliver(other, 1, b"MESSENTE one")
    world.run(0.2)
    assert other.answer_to(again) == v.ESME_ROK
    assert texts(shop) == [b"MESSENTE one", b"two"]
    assert bank.receipts == []
    router.assert_all_is_over()


def test_no_more_parts_wait_than_may_be(world: World, router: Router) -> None:
    telia = router.operator("telia")
    bank, shop = both(router)
    numbers = [deliver(telia, 2, b"%d" % n, reference=n) for n in range(3)]
    world.run(0.5)
    assert [telia.answer_to(number) for number in numbers] == [v.ESME_ROK, None, None]
    assert texts(bank) == [b"0"]
    world.run(5.0)
    assert {telia.answer_to(number) for number in numbers} == {v.ESME_ROK}
    assert texts(bank) == [b"0", b"1", b"2"]
    assert shop.receipts == []


def test_parts_without_a_rule_are_refused_with_their_first_and_without_it(
    world: World, contract: Settings
) -> None:
    rules = (InboundSettings(to=AccountName("shop"), keyword="MESSENTE"),)
    router = Router(world, replace(contract, inbound=rules))
    telia = router.operator("telia")
    _, shop = both(router)
    numbers = [
        deliver(telia, 2, b"MESSENTE early"),
        deliver(telia, 1, b"hello"),
        deliver(telia, 2, b"two", reference=8),
    ]
    world.run(0.5)
    answers = [telia.answer_to(number) for number in numbers]
    assert answers == [v.ESME_RX_P_APPN, v.ESME_RX_P_APPN, None]
    world.run(5.0)
    assert telia.answer_to(numbers[2]) == v.ESME_RX_P_APPN
    assert router.journey.counters.inbound == {(TELIA, "unrouted"): 3}
    assert shop.receipts == []
    # Nothing of the second message has gone anywhere, so its first part decides after all.
    first, second = (
        deliver(telia, 1, b"MESSENTE one", reference=8),
        deliver(telia, 2, b"two", reference=8),
    )
    world.run(0.5)
    assert [telia.answer_to(number) for number in (first, second)] == [v.ESME_ROK] * 2
    assert texts(shop) == [b"MESSENTE one", b"two"]


def test_part_that_waited_is_to_come_again_while_the_journal_is_down(
    world: World, router: Router
) -> None:
    telia = router.operator("telia")
    bank, shop = both(router)
    number = deliver(telia, 2, b"two")
    world.run(0.5)
    router.journal.failing = FULL_DISK
    failed = telia.deliver(b"whole", SUBSCRIBER, HERE)
    world.run(5.0)
    assert telia.answer_to(failed) == telia.answer_to(number) == v.ESME_RX_T_APPN
    router.journal.failing = None
    world.run(2.0)
    again, first = deliver(telia, 2, b"two"), deliver(telia, 1, b"MESSENTE one")
    world.run(0.5)
    assert [telia.answer_to(one) for one in (again, first)] == [v.ESME_ROK] * 2
    assert texts(shop) == [b"MESSENTE one", b"two"]
    assert bank.receipts == []
    router.assert_all_is_over()


@pytest.mark.parametrize("is_away", [False, True])
def test_parts_go_out_on_one_bind_in_order_also_from_the_journal(
    world: World, router: Router, *, is_away: bool
) -> None:
    telia, other = router.operator("telia"), router.operator("telia", 1)
    clients = [] if is_away else [router.client() for _ in range(3)]
    for reference in range(120):
        for number in range(1, 4):
            far = telia if number % 2 else other
            deliver(far, number, b"%d of %d" % (number, reference), 3, reference)
            world.run(0.01)
    if is_away:
        world.run(10.0)
        clients = [Client(world, router) for _ in range(3)]
        for client in clients:
            client.bind()
    world.run(60.0)
    found = [texts(client) for client in clients]
    assert sum(map(len, found)) == 3 * 120
    assert min(map(len, found)) > 0
    for reference in range(120):
        ours = [text for one in found for text in one if text.endswith(b" of %d" % reference)]
        assert ours == [b"%d of %d" % (number, reference) for number in range(1, 4)]
        assert sum(any(text in one for text in ours) for one in found) == 1
    router.assert_all_is_over()


def test_part_whose_client_has_closed_its_bind_goes_out_on_another(
    world: World, router: Router
) -> None:
    telia = router.operator("telia")
    one, other = router.client(), router.client()
    deliver(telia, 1, b"one")
    world.run(0.2)
    had, spare = (one, other) if one.receipts else (other, one)
    had.far.drop()
    world.run(0.2)
    deliver(telia, 2, b"two")
    world.run(0.2)
    assert (texts(had), texts(spare)) == ([b"one"], [b"two"])
    router.assert_all_is_over()


def test_part_is_answered_only_when_the_journal_has_it(world: World, router: Router) -> None:
    telia = router.operator("telia")
    second = deliver(telia, 2, b"two")
    world.run(1.0)
    assert router.journal.held == {}
    first = deliver(telia, 1, b"one")
    router.journal.failing = FULL_DISK
    world.run(0.5)
    answers = [telia.answer_to(number) for number in (first, second)]
    assert answers == [v.ESME_RX_T_APPN] * 2
    assert router.journal.held == {}


@pytest.mark.parametrize("is_data_sm", [False, True])
def test_parts_by_tlvs_are_parts_too(world: World, router: Router, *, is_data_sm: bool) -> None:
    telia = router.operator("telia")
    bank, shop = both(router)
    for sequence, (number, text) in enumerate([(2, b"two"), (1, b"MESSENTE one")]):
        tlvs = (
            p.tlv(segments.SAR_MSG_REF_NUM, b"\0\7")
            + p.tlv(segments.SAR_TOTAL_SEGMENTS, b"\2")
            + p.tlv(segments.SAR_SEGMENT_SEQNUM, bytes((number,)))
        )
        if is_data_sm:
            tlvs += p.tlv(v.MESSAGE_PAYLOAD, text)
            telia.far.send(data_sm(90 + sequence, source=SUBSCRIBER, destination=HERE, tlvs=tlvs))
        else:
            telia.deliver(text, SUBSCRIBER, HERE, tlvs=tlvs)
    world.run(0.5)
    assert [Sm(pdu).message for pdu in shop.receipts] == [b"MESSENTE one", b"two"]
    assert bank.receipts == []
