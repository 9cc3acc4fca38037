"""smpp/recode.py in the journey: data_coding 0 means what the settings say, on both sides."""

import pytest

from router.smpp import vocabulary as v
from router.smpp.pdu import Sm
from router.terms.names import AccountName, OperatorName
from router.terms.outcome import Outcome
from router.terms.settings import Alphabet, NumberSettings, Settings
from tests.doubles import Router, World, with_account, with_operator

TELIA = OperatorName("telia")
BANK = AccountName("bank")
LATIN, GSM = "Jää[@]".encode("latin-1"), b"J\x7b\x7b\x1b<\x00\x1b>"


def router_of(
    world: World, contract: Settings, account: Alphabet | None, operator: Alphabet | None
) -> Router:
    settings = with_operator(contract, "telia", data_coding_0=operator)
    return Router(world, with_account(settings, "bank", data_coding_0=account))


@pytest.mark.parametrize(
    ("account", "operator", "came", "goes"),
    [
        ("latin-1", "gsm", LATIN, GSM),
        ("gsm", "latin-1", GSM, LATIN),
        ("gsm", "gsm", GSM, GSM),
        ("latin-1", "latin-1", LATIN, LATIN),
        (None, "gsm", LATIN, LATIN),
        ("gsm", None, GSM, GSM),
        (None, None, LATIN, LATIN),
    ],
)
def test_text_goes_both_ways_as_each_reads_it_and_only_if_both_say_how(
    world: World,
    contract: Settings,
    account: Alphabet | None,
    operator: Alphabet | None,
    came: bytes,
    goes: bytes,
) -> None:
    router = router_of(world, contract, account, operator)
    telia, client = router.operator("telia"), router.client()
    client.submit(text=came)
    world.run(1.0)
    assert telia.texts() == [goes]
    telia.report_all()
    world.run(3.0)
    assert router.outcomes == [Outcome.DELIVERED]
    receipts = len(client.receipts)
    telia.deliver(goes, destination=(3, 0, b"12302"))
    world.run(3.0)
    assert [Sm(pdu).short_message for pdu in client.receipts[receipts:]] == [came]
    counted = router.journey.counters.texts_recoded
    assert counted == ({(TELIA, "recoded"): 2} if came != goes else {})
    router.assert_all_is_over()


def test_text_that_the_operators_alphabet_lacks_goes_with_another_data_coding(
    world: World, contract: Settings
) -> None:
    router = router_of(world, contract, "latin-1", "gsm")
    telia, client = router.operator("telia"), router.client()
    client.submit(text="jõgi".encode("latin-1"))
    client.submit(text=b"\0\xf5", data_coding=8)
    world.run(1.0)
    went = [(Sm(pdu).data_coding, Sm(pdu).short_message) for _, pdu in telia.submits]
    assert went == [(3, "jõgi".encode("latin-1")), (8, b"\0\xf5")]
    assert router.journey.counters.texts_recoded == {(TELIA, "latin_1"): 1}


def test_what_is_sent_again_elsewhere_is_written_from_what_the_client_sent(
    world: World, contract: Settings
) -> None:
    settings = with_operator(contract, "telia", data_coding_0="gsm")
    settings = with_account(settings, "bank", data_coding_0="latin-1")
    router = Router(world, with_operator(settings, "elisa", data_coding_0="latin-1"))
    telia, elisa = router.operator("telia", status=v.ESME_RSYSERR), router.operator("elisa")
    router.client().submit(text=LATIN)
    world.run(120.0)
    assert telia.texts()[0] == GSM
    assert elisa.texts() == [LATIN]


def test_numbers_and_text_change_together(world: World, contract: Settings) -> None:
    settings = with_operator(
        contract, "telia", data_coding_0="gsm", numbers=NumberSettings(normalise="plus")
    )
    router = Router(world, with_account(settings, "bank", data_coding_0="latin-1"))
    telia = router.operator("telia")
    router.client().submit(text=LATIN)
    world.run(1.0)
    sm = Sm(telia.submits[0][1])
    assert (sm.destination, sm.short_message) == ((1, 1, b"+37255512345"), GSM)


def test_a_keyword_is_read_in_the_operators_alphabet(world: World, contract: Settings) -> None:
    """$ is 0x02 in the GSM alphabet, and the rule's keyword is MESSENTE."""
    router = router_of(world, contract, None, "latin-1")
    telia, shop = router.operator("telia"), router.client(b"shop", b"secret02")
    text = "MESSENTÉ".encode("latin-1")
    telia.deliver(text, destination=(3, 0, b"12302"))
    world.run(3.0)
    assert [Sm(pdu).short_message for pdu in shop.receipts] == [text]
