"""router/report/inbound.py, router/journey.py: a subscriber's message finds its account.

By the contract's rules: to 12302 it is bank's, but shop's if it came from telia and begins with
MESSENTE.
"""

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.terms.names import AccountName, OperatorName
from router.terms.settings import InboundSettings, Settings
from tests.doubles import Client, Router, World, data_sm

TELIA = OperatorName("telia")
SUBSCRIBER = (1, 1, b"37255512345")
HERE = (3, 0, b"12302")
PERMANENT = v.ESME_RX_P_APPN


def both(router: Router) -> tuple[Client, Client]:
    return router.client(), router.client(b"shop", b"secret02")


@pytest.mark.parametrize(
    ("operator", "text", "data_coding"),
    [
        ("telia", b"MESSENTE hello", 0),
        ("telia", b"messente", 0),
        ("telia", b"  MesSente\nhello", 0),
        ("telia", "Messente õ".encode("utf-16-be"), 8),
        ("telia", b"MESSENTE \xe4", 3),
    ],
)
def test_the_keyword_of_a_message_from_telia_makes_it_the_shops(
    world: World, router: Router, operator: str, text: bytes, data_coding: int
) -> None:
    far = router.operator(operator)
    bank, shop = both(router)
    number = far.deliver(text, SUBSCRIBER, HERE, data_coding=data_coding)
    world.run(0.5)
    assert far.answer_to(number) == v.ESME_ROK
    assert shop.receipt_texts() == [text]
    assert bank.receipts == []
    router.assert_all_is_over()


@pytest.mark.parametrize(
    ("operator", "place", "text"),
    [
        ("telia", 0, b"STOP"),
        ("telia", 0, b"MESSENTER hello"),
        ("telia", 0, b"hello MESSENTE"),
        ("telia", 0, b""),
        ("elisa", 2, b"MESSENTE hello"),
    ],
)
def test_every_other_message_to_the_short_code_is_the_banks(
    world: World, router: Router, operator: str, place: int, text: bytes
) -> None:
    far = router.operator(operator, place)
    bank, shop = both(router)
    number = far.deliver(text, SUBSCRIBER, HERE)
    world.run(0.5)
    assert far.answer_to(number) == v.ESME_ROK
    assert bank.receipt_texts() == [text]
    assert shop.receipts == []
    router.assert_all_is_over()


def test_the_keyword_is_read_behind_a_user_data_header(world: World, router: Router) -> None:
    telia = router.operator("telia")
    _, shop = both(router)
    text = b"\x05\x00\x03\x07\x02\x01MESSENTE part one"
    telia.deliver(text, SUBSCRIBER, HERE, esm_class=0x40)
    world.run(0.5)
    assert shop.receipt_texts() == [text]


def test_the_keyword_may_stand_in_the_message_payload(world: World, router: Router) -> None:
    telia = router.operator("telia")
    _, shop = both(router)
    payload = p.tlv(v.MESSAGE_PAYLOAD, b"messente " + b"x" * 1000)
    telia.deliver(b"", SUBSCRIBER, HERE, tlvs=payload)
    world.run(0.5)
    (pdu,) = shop.receipts
    assert p.Sm(pdu).tlv(v.MESSAGE_PAYLOAD) == b"messente " + b"x" * 1000


def test_a_data_sm_from_a_subscriber_becomes_a_deliver_sm(world: World, router: Router) -> None:
    telia = router.operator("telia")
    bank, _ = both(router)
    tlvs = p.tlv(v.MESSAGE_PAYLOAD, b"STOP")
    telia.far.send(data_sm(8, source=SUBSCRIBER, destination=HERE, data_coding=8, tlvs=tlvs))
    world.run(0.5)
    assert telia.answer_to(8) == v.ESME_ROK
    (pdu,) = bank.receipts
    sm = p.Sm(pdu)
    assert (sm.source, sm.destination, sm.data_coding) == (SUBSCRIBER, HERE, 8)
    assert (sm.short_message, list(sm.tlvs())) == (b"STOP", [])


def test_data_sm_with_a_header_reaches_clients_of_every_version(
    world: World, router: Router
) -> None:
    telia = router.operator("telia")
    text = b"\x05\x00\x03\x07\x02\x01part one"
    tlvs = p.tlv(0x1400, b"x") + p.tlv(v.MESSAGE_PAYLOAD, text)
    for version, left in ((v.VERSION_3_4, [(0x1400, b"x")]), (v.VERSION_3_3, [])):
        bank = router.client(b"bank", version=version)
        telia.far.send(data_sm(8, source=SUBSCRIBER, destination=HERE, esm_class=0x40, tlvs=tlvs))
        world.run(0.5)
        (pdu,) = bank.receipts
        sm = p.Sm(pdu)
        assert (sm.esm_class, sm.short_message, list(sm.tlvs())) == (0x40, text, left)
        bank.far.drop()
        world.run(0.5)


@pytest.mark.parametrize("destination", [b"12303", b"1230", b"123021", b"", b"BANK"])
def test_a_message_that_nobody_wants_is_refused_and_counted(
    world: World, router: Router, destination: bytes
) -> None:
    telia = router.operator("telia")
    bank, shop = both(router)
    number = telia.deliver(b"STOP", SUBSCRIBER, (3, 0, destination))
    world.run(0.5)
    assert telia.answer_to(number) == PERMANENT
    assert bank.receipts == shop.receipts == []
    assert router.journey.counters.inbound == {(TELIA, "unrouted"): 1}
    assert not telia.far.closed
    router.assert_all_is_over()


def test_log_and_counter_tell_the_number_and_the_reason(world: World, router: Router) -> None:
    telia = router.operator("telia")
    with capture_logs() as logs:
        telia.deliver(b"secret", SUBSCRIBER, (1, 1, b"+37250001"))
        world.run(0.5)
    (line,) = logs
    assert line == {
        "event": "inbound.refused",
        "log_level": "warning",
        "operator": "telia",
        "bind": "telia-1",
        "command": "deliver_sm",
        "status": "ESME_RX_P_APPN",
        "our_number": "+3725****",  # Without a rule it may be a subscriber's.
        "reason": "no_rule_for_number",
    }
    counted = router.journey.counters.inbound_unrouted
    assert counted == {(TELIA, "37250001", "no_rule_for_number"): 1}


def test_counter_names_a_hundred_of_our_numbers_and_no_rubbish(
    world: World, router: Router
) -> None:
    telia = router.operator("telia")
    for number in [*(b"%d" % (50000 + n) for n in range(102)), b"50000", b"a b", b"", b"\xe4"]:
        telia.deliver(b"STOP", SUBSCRIBER, (3, 0, number))
    world.run(0.5)
    counted = router.journey.counters.inbound_unrouted
    assert len(counted) == 101
    assert counted[TELIA, "50000", "no_rule_for_number"] == 2
    assert counted[TELIA, "other", "no_rule_for_number"] == 2 + 3


@pytest.mark.parametrize("octets", [b"\xff" * 20, b"\x1b" * 7, b"\xd8\x00" * 3, b"\x00" * 100])
@pytest.mark.parametrize("data_coding", [0, 3, 8, 0xF5, 0xFF])
def test_what_cannot_be_read_as_text_is_only_passed_on(
    world: World, router: Router, octets: bytes, data_coding: int
) -> None:
    telia = router.operator("telia")
    bank, _ = both(router)
    telia.deliver(octets, SUBSCRIBER, HERE, esm_class=0x40, data_coding=data_coding)
    world.run(0.5)
    assert bank.receipt_texts() == [octets]


def test_the_first_rule_that_holds_decides(world: World, contract: Settings) -> None:
    rules = (
        InboundSettings(to=AccountName("shop"), keyword="STOPP"),
        InboundSettings(to=AccountName("bank"), operator=TELIA),
        InboundSettings(to=AccountName("shop")),
    )
    router = Router(world, replace(contract, inbound=rules))
    telia, elisa = router.operator("telia"), router.operator("elisa", 2)
    bank, shop = both(router)
    elisa.deliver(b"stopp", SUBSCRIBER, (0, 0, b"1"))
    telia.deliver(b"else", SUBSCRIBER, (0, 0, b"2"))
    elisa.deliver(b"rest", SUBSCRIBER, (0, 0, b"3"))
    world.run(0.5)
    assert bank.receipt_texts() == [b"else"]
    assert shop.receipt_texts() == [b"stopp", b"rest"]


def test_a_destination_is_the_same_with_and_without_its_plus(
    world: World, contract: Settings
) -> None:
    rules = (InboundSettings(to=AccountName("bank"), destination="37250001"),)
    router = Router(world, replace(contract, inbound=rules))
    telia = router.operator("telia")
    bank, _ = both(router)
    telia.deliver(b"a", SUBSCRIBER, (1, 1, b"+37250001"))
    telia.deliver(b"b", SUBSCRIBER, (1, 1, b"37250001"))
    world.run(0.5)
    assert bank.receipt_texts() == [b"a", b"b"]


def test_subscribers_messages_wait_for_a_client_that_is_away_and_keep_their_order(
    world: World, router: Router
) -> None:
    telia = router.operator("telia")
    numbers = [telia.deliver(b"%d" % n, SUBSCRIBER, HERE) for n in range(30)]
    world.run(3600.0)
    assert {telia.answer_to(number) for number in numbers} == {v.ESME_ROK}
    bank = router.client()
    world.run(1.0)
    assert bank.receipt_texts() == [b"%d" % n for n in range(30)]
    assert router.journey.counters.inbound == {(TELIA, "held"): 30}
    router.assert_all_is_over()


def test_a_message_marked_as_a_receipt_is_never_given_as_a_message(
    world: World, router: Router
) -> None:
    telia = router.operator("telia")
    bank, _ = both(router)
    number = telia.deliver(b"STOP", SUBSCRIBER, HERE, esm_class=4)
    world.run(0.5)
    assert telia.answer_to(number) == v.ESME_ROK
    assert bank.receipts == []


def test_an_id_on_a_subscribers_message_makes_no_receipt_of_it(
    world: World, router: Router
) -> None:
    telia = router.operator("telia")
    bank, _ = both(router)
    telia.deliver(b"STOP", SUBSCRIBER, HERE, tlvs=p.tlv(v.RECEIPTED_MESSAGE_ID, b"1\0"))
    world.run(0.5)
    assert bank.receipt_texts() == [b"STOP"]


# An alert_notification says that a subscriber can be reached again. It has no answer.


def alert(number: int, esme: bytes = b"12302", tlvs: bytes = b"") -> bytes:
    body = p.address(1, 1, b"37255512345") + p.address(3, 0, esme) + tlvs
    return p.build(v.ALERT_NOTIFICATION, 0, number, body)


def test_an_alert_goes_to_the_account_that_has_the_number(world: World, router: Router) -> None:
    telia, tlvs = router.operator("telia"), p.tlv(0x0422, b"\0")
    bank, shop = both(router)
    before = len(telia.far.received)
    telia.far.send(alert(9, tlvs=tlvs))
    world.run(0.5)
    (came,) = bank.far.pdus(v.ALERT_NOTIFICATION)
    assert p.relay(came.octets, 9) == alert(9, tlvs=tlvs)
    assert not shop.far.pdus(v.ALERT_NOTIFICATION)
    assert len(telia.far.received) == before
    assert router.journey.counters.alerts == {(TELIA, "passed_on"): 1}
    router.assert_all_is_over()


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (alert(9, b"99999"), "unrouted"),
        (p.build(v.ALERT_NOTIFICATION, 0, 9), "malformed"),
        (p.build(v.ALERT_NOTIFICATION, 0, 9, b"\1\1" + b"3" * 66), "malformed"),
        (p.build(v.ALERT_NOTIFICATION, 0, 9, b"\1\0013\0\3\0" + b"1" * 70), "malformed"),
        (alert(9), "not_bound"),
    ],
)
def test_an_alert_that_nobody_can_be_given_is_counted_and_told(
    world: World, router: Router, octets: bytes, why: str
) -> None:
    telia = router.operator("telia")
    if why != "not_bound":
        router.client()
    with capture_logs() as lines:
        telia.far.send(octets)
        world.run(0.5)
    assert router.journey.counters.alerts == {(TELIA, why): 1}
    (line,) = [one for one in lines if one["event"] == "alert.dropped"]
    assert line["reason"] == why
    number = telia.deliver(b"later", SUBSCRIBER, HERE)
    world.run(0.5)
    assert telia.answer_to(number) == v.ESME_ROK


def test_a_client_that_does_not_know_alerts_is_given_none(world: World, router: Router) -> None:
    telia = router.operator("telia")
    old = router.client(version=v.VERSION_3_3)
    transmitter = router.client(command_id=v.BIND_TRANSMITTER)
    telia.far.send(alert(9))
    world.run(0.5)
    assert not [*old.far.pdus(v.ALERT_NOTIFICATION), *transmitter.far.pdus(v.ALERT_NOTIFICATION)]
    assert router.journey.counters.alerts == {(TELIA, "not_bound"): 1}
    new = router.client()
    telia.far.send(alert(10))
    world.run(0.5)
    assert len(new.far.pdus(v.ALERT_NOTIFICATION)) == 1
