"""router/report/inbound.py: a subscriber's message goes to the account of the first rule."""

import pytest

from router.report.inbound import FIRST_WORD_OCTETS, InboundRules, for_client
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Framer, Pdu, Sm
from router.terms.names import AccountName, OperatorName
from router.terms.settings import InboundSettings
from tests.unit.messages import BANK, ELISA, SHOP, TELIA

UDHI = 0x40
UDH = b"\x05\x00\x03\x01\x02\x01"
OTHER = AccountName("other")


def subscribers(
    text: bytes = b"hello",
    *,
    to: bytes = b"12302",
    esm_class: int = 0,
    data_coding: int = 0,
    tlvs: bytes = b"",
) -> Sm:
    octets = p.sm(
        v.DELIVER_SM,
        7,
        source=(1, 1, b"37255512345"),
        destination=(3, 0, to),
        short_message=text,
        esm_class=esm_class,
        data_coding=data_coding,
        tlvs=tlvs,
    )
    return Sm(Pdu(v.DELIVER_SM, 0, 7, octets))


def by_keyword(keyword: str = "stop") -> InboundRules:
    return InboundRules([InboundSettings(to=BANK, keyword=keyword)])


def test_no_rule_means_no_account() -> None:
    assert InboundRules([]).account_of(TELIA, subscribers()) is None


def test_rule_without_conditions_holds_for_every_message() -> None:
    rules = InboundRules([InboundSettings(to=BANK)])
    assert rules.account_of(TELIA, subscribers(b"")) == BANK


def test_operator_of_a_rule_is_the_only_one_it_holds_for() -> None:
    rules = InboundRules([InboundSettings(to=BANK, operator=TELIA)])
    assert rules.account_of(TELIA, subscribers()) == BANK
    assert rules.account_of(ELISA, subscribers()) is None


@pytest.mark.parametrize(
    ("to", "account"),
    [(b"12302", BANK), (b"+12302", BANK), (b"123021", None), (b"1230", None), (b"", None)],
)
def test_destination_of_a_rule_is_the_whole_number_without_its_plus(
    to: bytes, account: AccountName | None
) -> None:
    rules = InboundRules([InboundSettings(to=BANK, destination="12302")])
    assert rules.account_of(TELIA, subscribers(to=to)) == account


@pytest.mark.parametrize(
    ("text", "account"),
    [
        (b"stop", BANK),
        (b"STOP", BANK),
        (b"  Stop it now", BANK),
        (b"stop\nnow", BANK),
        (b"stop, now", BANK),
        (b"Stop!", BANK),
        (b'"stop"', BANK),
        (b"stopping", None),
        (b"please stop", None),
        (b"", None),
        (b"   ", None),
    ],
)
def test_keyword_is_the_first_word_in_any_case(text: bytes, account: AccountName | None) -> None:
    for keyword in ("stop", "STOP"):
        assert by_keyword(keyword).account_of(TELIA, subscribers(text)) == account


def test_keyword_is_read_in_the_gsm_alphabet() -> None:
    octets = b"\x5bRV in"  # 0x5B is a capital A with diaeresis there.
    assert by_keyword("\u00e4rv").account_of(TELIA, subscribers(octets)) == BANK


@pytest.mark.parametrize("keyword", ["\u00e4rv", "ARV", "Arv!"])
@pytest.mark.parametrize("octets", [b"\x5bRV", b"arv, in", b"arv"])
def test_accents_and_punctuation_are_no_part_of_keywords(keyword: str, octets: bytes) -> None:
    assert by_keyword(keyword).account_of(TELIA, subscribers(octets)) == BANK


def test_keyword_is_read_in_ucs_2() -> None:
    octets = "\u0421\u0422\u041e\u041f now".encode("utf-16-be")
    rules = by_keyword("\u0441\u0442\u043e\u043f")
    assert rules.account_of(TELIA, subscribers(octets, data_coding=8)) == BANK
    assert rules.account_of(TELIA, subscribers(octets, data_coding=0)) is None


def test_keyword_is_read_behind_a_user_data_header() -> None:
    octets = UDH + b"stop it"
    assert by_keyword().account_of(TELIA, subscribers(octets, esm_class=UDHI)) == BANK
    assert by_keyword().account_of(TELIA, subscribers(octets)) is None


@pytest.mark.parametrize("octets", [b"", b"\xff", b"\x05\x00", UDH])
def test_header_without_a_text_behind_it_has_no_keyword(octets: bytes) -> None:
    assert by_keyword().account_of(TELIA, subscribers(octets, esm_class=UDHI)) is None


def test_keyword_is_read_in_the_message_payload() -> None:
    sm = subscribers(b"", tlvs=p.tlv(v.MESSAGE_PAYLOAD, b"stop it"))
    assert by_keyword().account_of(TELIA, sm) == BANK


def test_first_rule_of_several_that_hold_wins() -> None:
    rules = InboundRules(
        [
            InboundSettings(to=OTHER, operator=ELISA),
            InboundSettings(to=SHOP, destination="12302", keyword="stop"),
            InboundSettings(to=BANK, destination="12302"),
            InboundSettings(to=OTHER),
        ]
    )
    assert rules.account_of(TELIA, subscribers(b"stop")) == SHOP
    assert rules.account_of(TELIA, subscribers(b"go")) == BANK
    assert rules.account_of(TELIA, subscribers(b"stop", to=b"1")) == OTHER
    assert rules.account_of(ELISA, subscribers(b"stop")) == OTHER


def test_keyword_is_read_where_the_first_rule_for_operator_and_number_has_one() -> None:
    rules = InboundRules(
        [
            InboundSettings(to=SHOP, operator=TELIA, destination="12302", keyword="stop"),
            InboundSettings(to=BANK, destination="12302"),
            InboundSettings(to=OTHER, destination="12302", keyword="go"),
        ]
    )
    assert rules.reads_keyword(TELIA, subscribers(b"go"))
    assert rules.reads_keyword(TELIA, subscribers(b"go", to=b"+12302"))
    assert not rules.reads_keyword(ELISA, subscribers(b"go"))
    assert not rules.reads_keyword(TELIA, subscribers(b"stop", to=b"1"))


def test_every_condition_of_a_rule_has_to_hold() -> None:
    rule = InboundSettings(to=BANK, operator=TELIA, destination="12302", keyword="stop")
    rules = InboundRules([rule])
    assert rules.account_of(TELIA, subscribers(b"stop")) == BANK
    assert rules.account_of(ELISA, subscribers(b"stop")) is None
    assert rules.account_of(TELIA, subscribers(b"stop", to=b"1")) is None
    assert rules.account_of(TELIA, subscribers(b"go")) is None


@pytest.mark.parametrize(
    ("operator", "to", "reason"),
    [
        (TELIA, b"12303", "no_rule_for_number"),
        (TELIA, b"+12302", "no_rule_for_keyword"),
        (ELISA, b"12302", "no_rule_for_operator"),
    ],
)
def test_message_without_a_rule_has_a_reason(
    operator: OperatorName, to: bytes, reason: str
) -> None:
    rules = InboundRules(
        [
            InboundSettings(to=BANK, operator=TELIA, destination="12302", keyword="stop"),
            InboundSettings(to=SHOP, operator=TELIA, destination="1"),
        ]
    )
    message = subscribers(b"go", to=to)
    assert rules.account_of(operator, message) is None
    assert rules.why_not(operator, message) == reason


def test_rule_for_every_number_or_operator_is_one_for_this() -> None:
    rules = InboundRules([InboundSettings(to=BANK, keyword="stop")])
    assert rules.why_not(TELIA, subscribers(b"go")) == "no_rule_for_keyword"


def test_client_gets_a_deliver_sm_byte_for_byte_but_for_its_number() -> None:
    sm = subscribers(UDH + b"stop", esm_class=UDHI, data_coding=0xF5, tlvs=p.tlv(0x1400, b"x"))
    octets = for_client(sm, v.DELIVER_SM)
    assert octets == sm.octets[:12] + bytes(4) + sm.octets[16:]


def test_client_gets_a_data_sm_as_a_deliver_sm() -> None:
    fields = bytes((0, 0, 8))
    tlvs = p.tlv(v.MESSAGE_PAYLOAD, b"\0A") + p.tlv(0x1400, b"x")
    body = b"\0" + p.address(1, 1, b"372555") + p.address(3, 0, b"12302") + fields + tlvs
    sm = Sm(Pdu(v.DATA_SM, 0, 7, p.build(v.DATA_SM, 0, 7, body)))
    (pdu,) = Framer(1000).feed(for_client(sm, v.DATA_SM))
    assert (pdu.command_id, pdu.sequence_number) == (v.DELIVER_SM, 0)
    told = Sm(pdu)
    assert (told.source, told.destination) == (sm.source, sm.destination)
    assert (told.data_coding, told.short_message) == (8, b"\0A")
    assert list(told.tlvs()) == [(0x1400, b"x")]


@pytest.mark.parametrize(("data_coding", "code"), [(0, "ascii"), (3, "ascii"), (8, "utf-16-be")])
def test_keyword_stands_in_the_first_octets_of_a_long_text(data_coding: int, code: str) -> None:
    def account_of(text: str) -> AccountName | None:
        payload = p.tlv(v.MESSAGE_PAYLOAD, text.encode(code))
        return by_keyword().account_of(
            TELIA, subscribers(b"", data_coding=data_coding, tlvs=payload)
        )

    letters = FIRST_WORD_OCTETS // len("a".encode(code))
    assert account_of("stop " + "a" * 2 * letters) == BANK
    assert account_of(" " * (letters - 4) + "stop" + "a" * letters) == BANK
    assert account_of(" " * letters + "stop") is None
