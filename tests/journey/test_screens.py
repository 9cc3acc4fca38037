"""router/check/screens.py and its neighbours in the journey: texts are judged at the door."""

from typing import Final

import pytest

from router.smpp import vocabulary as v
from router.smpp.pdu import Sm
from router.terms.names import AccountName
from router.terms.outcome import Outcome
from router.terms.settings import Settings
from tests.doubles import Client, Router, World, contract_settings

BANK: Final = AccountName("bank")
SCREENED: Final = 0x45
TOP: Final = "routes:\n"
SCREENS: Final = """\
screens:
  scam: {phrases: [free money], links: {only: [bank.example]}}
  watched: {phrases: [loan], do: count}
"""


@pytest.fixture
def screening(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The contract's configuration, with a policy for texts of the bank."""

    def edit(text: str) -> str:
        at = text.index("\n", text.index("  bank:")) + 1
        keys = "    screens: [scam, watched]\n    text: {replace: full, most_parts: 3}\n"
        return (text[:at] + keys + text[at:]).replace(TOP, SCREENS + TOP)

    return contract_settings(tmp_path_factory.mktemp("screening"), edit)


def header(total: int, number: int, reference: int = 7) -> bytes:
    return bytes((5, 0, 3, reference, total, number))


def submit_parts(client: Client, *texts: bytes, reference: int = 7) -> list[int]:
    return [
        client.submit(text=header(len(texts), number, reference) + text, esm_class=0x40)
        for number, text in enumerate(texts, 1)
    ]


def test_text_that_is_screened_is_refused_for_good(world: World, screening: Settings) -> None:
    router = Router(world, screening)
    telia, client = router.operator("telia"), router.client()
    sent = [
        client.submit(text=text)
        for text in (b"Get FREE money", b"see evil.com", b"see https://bank.example/x", b"a loan")
    ]
    world.run(1.0)
    statuses = [client.status_of(number) for number in sent]
    assert statuses == [SCREENED, SCREENED, v.ESME_ROK, v.ESME_ROK]
    assert telia.texts() == [b"see https://bank.example/x", b"a loan"]
    assert router.journey.intake.refusals.counts() == {(BANK, "screened"): 2}


def test_account_without_screens_is_not_looked_at(world: World, screening: Settings) -> None:
    router = Router(world, screening)
    router.operator("telia")
    router.operator("elisa")
    shop = router.client(b"shop", b"secret02")
    sent = shop.submit(text=b"free money")
    world.run(1.0)
    assert shop.status_of(sent) == v.ESME_ROK


def test_text_goes_in_the_gsm_alphabet_and_too_long_ones_are_refused(
    world: World, screening: Settings
) -> None:
    router = Router(world, screening)
    telia, client = router.operator("telia"), router.client()
    said = "šokolaad \u2013 " * 10
    client.submit(text=said.encode("utf-16-be"), data_coding=8)
    long = submit_parts(client, b"a", b"b", b"c", b"d")
    world.run(1.0)
    (sent,) = [Sm(pdu) for _, pdu in telia.submits]
    assert (sent.short_message, sent.data_coding) == (b"sokolaad - " * 10, 0)
    assert [client.status_of(number) for number in long] == [v.ESME_RINVMSGLEN] * 4
    telia.report_all()
    world.run(3.0)
    assert router.outcomes == [Outcome.DELIVERED]
    router.assert_all_is_over()


@pytest.mark.parametrize("together", [True, False])
def test_what_waits_of_a_message_is_rejected_once_a_later_part_is_refused(
    world: World, screening: Settings, together: bool
) -> None:
    router = Router(world, screening)
    client = router.client()
    sent = []
    for number, text in enumerate((b"hello, get fr", b"ee mon", b"ey now"), 1):
        sent.append(client.submit(text=header(3, number) + text, esm_class=0x40))
        if not together:
            world.run(1.0)
    world.run(2.0)
    assert [client.status_of(one) for one in sent] == [v.ESME_ROK, v.ESME_ROK, SCREENED]
    assert_two_are_rejected(router, client)  # Though there is no operator.
    telia = router.operator("telia")
    world.run(2.0)
    assert telia.texts() == []


def test_what_the_journal_does_not_tell_of_is_rejected_when_its_turn_comes(
    world: World, screening: Settings
) -> None:
    router = Router(world, screening)
    client = router.client()
    vars(router.journal)["look_up"] = lambda *_, **__: None
    submit_parts(client, b"hello, get fr", b"ee mon", b"ey now")
    world.run(2.0)
    assert router.outcomes == []
    telia = router.operator("telia")
    world.run(2.0)
    assert telia.texts() == []
    assert_two_are_rejected(router, client)


def test_what_is_about_to_be_kept_is_rejected_before_an_operator_gets_it(
    world: World, screening: Settings
) -> None:
    router = Router(world, screening)
    client = router.client()
    telia = router.operator("telia")
    submit_parts(client, b"hello, get fr", b"ee mon", b"ey now")
    world.run(2.0)
    assert telia.texts() == []
    assert_two_are_rejected(router, client)


def assert_two_are_rejected(router: Router, client: Client) -> None:
    """Two parts were accepted, and are over."""
    assert router.outcomes == [Outcome.REJECTED, Outcome.REJECTED]
    assert [settlement.reason for settlement in router.settled] == ["screened", "screened"]
    assert [b"stat:REJECTD" in Sm(pdu).short_message for pdu in client.receipts] == [True, True]
    router.assert_all_is_over()


def test_what_an_operator_has_ends_as_it_ends(world: World, screening: Settings) -> None:
    router = Router(world, screening)
    telia, client = router.operator("telia"), router.client()
    first = client.submit(text=header(2, 1) + b"get free ", esm_class=0x40)
    world.run(1.0)
    second = client.submit(text=header(2, 2) + b"money now", esm_class=0x40)
    world.run(1.0)
    assert [client.status_of(one) for one in (first, second)] == [v.ESME_ROK, SCREENED]
    telia.report_all()
    world.run(3.0)
    assert telia.texts() == [header(2, 1) + b"get free "]
    assert router.outcomes == [Outcome.DELIVERED]
    router.assert_all_is_over()


def test_message_with_the_same_reference_as_one_that_was_refused_goes(
    world: World, screening: Settings
) -> None:
    router = Router(world, screening)
    client = router.client()
    refused = submit_parts(client, b"get free ", b"money now")
    world.run(1.0)
    sent = submit_parts(client, b"your code is ", b"4711")
    again = submit_parts(client, b"get free ", b"money now")
    world.run(1.0)
    telia = router.operator("telia")
    world.run(2.0)
    assert [client.status_of(one) for one in refused] == [v.ESME_ROK, SCREENED]
    assert [client.status_of(one) for one in sent] == [v.ESME_ROK, v.ESME_ROK]
    assert client.status_of(again[1]) == SCREENED
    assert [text[6:] for text in telia.texts()] == [b"your code is ", b"4711"]


def test_other_text_in_the_place_of_a_refused_part_is_another_message(
    world: World, screening: Settings
) -> None:
    router = Router(world, screening)
    telia, client = router.operator("telia"), router.client()
    submit_parts(client, b"get free ", b"money now")
    world.run(1.0)
    sent = client.submit(text=header(2, 2) + b"beer now", esm_class=0x40)
    world.run(1.0)
    assert client.status_of(sent) == v.ESME_ROK
    assert telia.texts() == [header(2, 2) + b"beer now"]


def test_parts_are_remembered_over_a_reload(world: World, screening: Settings) -> None:
    router = Router(world, screening)
    client = router.client()
    first = client.submit(text=header(2, 1) + b"get free ", esm_class=0x40)
    world.run(1.0)
    router.adopt(screening)
    second = client.submit(text=header(2, 2) + b"money now", esm_class=0x40)
    world.run(1.0)
    assert [client.status_of(one) for one in (first, second)] == [v.ESME_ROK, SCREENED]
