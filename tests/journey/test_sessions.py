"""router/accept/server.py, router/smpp/link.py: sessions with clients live and end as agreed."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from router.accept.passwords import hash_password
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.terms.names import AccountName, OperatorName
from router.terms.settings import Settings
from tests.doubles import Client, Operator, Router, World
from tests.journey.scenes import connected, taken, told_in_vain


@pytest.mark.parametrize("number", [0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_any_sequence_number_is_echoed(world: World, router: Router, number: int) -> None:
    client = router.client()
    client.far.send(
        p.sm(v.SUBMIT_SM, number, destination=(1, 1, b"37255512345"), short_message=b"hello")
    )
    client.far.send(p.build(v.ENQUIRE_LINK, 0, number ^ 1))
    world.run(0.1)
    assert client.status_of(number) == v.ESME_ROK
    assert client.status_of(number ^ 1) == v.ESME_ROK


def test_the_same_sequence_number_twice_is_two_messages(world: World, router: Router) -> None:
    client = router.client()
    octets = p.sm(v.SUBMIT_SM, 9, destination=(1, 1, b"37255512345"), short_message=b"hello")
    client.far.send(octets + octets)
    world.run(0.1)
    answers = client.far.pdus(v.SUBMIT_SM | v.RESPONSE)
    assert [answer.sequence_number for answer in answers] == [9, 9]
    assert len({p.message_id_of(answer) for answer in answers}) == 2
    assert router.accepted == 2


def test_a_silent_client_is_asked_whether_it_lives(world: World, router: Router) -> None:
    client = router.client()
    world.run(29.0)
    assert client.far.pdus(v.ENQUIRE_LINK) == []
    world.run(300.0)
    assert 10 <= len(client.far.pdus(v.ENQUIRE_LINK)) <= 11
    assert not client.far.closed


def test_a_client_that_does_not_answer_is_gone_and_its_receipts_wait(
    world: World, router: Router
) -> None:
    telia, client, _ = taken(router)
    client.far.on_pdu = lambda _: None
    telia.report(b"1")
    world.run(65.0)
    assert client.far.closed
    again = router.client()
    world.run(1.0)
    assert len(again.receipts) == 1
    router.assert_all_is_over()


def test_a_client_that_only_enquires_may_be_unbound_for_idleness(
    world: World, contract: Settings
) -> None:
    session = replace(contract.session, inactivity_s=60.0)
    router = Router(world, replace(contract, session=session))
    client = router.client()
    for _ in range(20):
        client.far.send(p.build(v.ENQUIRE_LINK, 0, client.far.next_sequence()))
        world.run(5.0)
    assert client.far.pdus(v.UNBIND)
    assert client.far.closed


def test_a_client_that_works_is_not_idle(world: World, contract: Settings) -> None:
    session = replace(contract.session, inactivity_s=60.0)
    router = Router(world, replace(contract, session=session))
    client = router.client()
    for _ in range(5):
        client.submit()
        world.run(50.0)
    assert not client.far.closed


def test_enquire_link_is_answered_before_a_bind(world: World, router: Router) -> None:
    client = Client(world, router)
    client.far.send(p.build(v.ENQUIRE_LINK, 0, 5))
    world.run(0.1)
    assert client.status_of(5) == v.ESME_ROK


def test_an_unbind_is_answered_after_everything_else(world: World, router: Router) -> None:
    client = router.client()
    router.disk.delay_s = 0.2
    numbers = [client.submit() for _ in range(10)]
    client.far.send(p.build(v.UNBIND, 0, 99))
    world.run(1.0)
    assert list(client.answers)[1:] == [*numbers, 99]
    assert client.far.closed
    assert router.accepted == 10


def test_what_comes_behind_an_unbind_is_answered_too(world: World, router: Router) -> None:
    client = router.client()
    router.disk.delay_s = 0.2
    first = client.submit()
    client.far.send(p.build(v.UNBIND, 0, 99))
    world.run(0.1)
    second = client.submit()
    world.run(1.0)
    assert client.status_of(first) == client.status_of(second) == v.ESME_ROK
    assert client.far.closed


def test_a_client_that_has_closed_its_half_still_hears_its_answers(
    world: World, router: Router
) -> None:
    client = router.client()
    router.disk.delay_s = 0.2
    numbers = [client.submit() for _ in range(10)]
    world.run(0.1)
    assert client.link.eof_received()
    world.run(1.0)
    assert [client.status_of(number) for number in numbers] == [v.ESME_ROK] * 10
    assert client.far.closed


def test_no_receipt_is_given_to_a_client_that_has_closed_its_half(
    world: World, router: Router
) -> None:
    telia, client, _ = taken(router)
    router.disk.delay_s = 0.5
    client.submit()
    world.run(0.1)
    client.link.eof_received()
    telia.report(b"1")
    world.run(2.0)
    assert client.receipts == []
    assert len(router.journal.held) == 1


def test_an_operator_that_unbinds_behind_its_bind_response_is_heard(
    world: World, router: Router
) -> None:
    bind = router.journey.operators[OperatorName("telia")].binds[0]
    telia = Operator(world, router, bind)
    came = p.sm(v.DELIVER_SM, 7, destination=(1, 1, b"12302"), short_message=b"hello")
    telia.far.on_pdu = lambda pdu: telia.far.send(
        p.response(pdu.command_id, pdu.sequence_number, body=b"SMSC\0")
        + came
        + p.build(v.UNBIND, 0, 8)
        if pdu.command_id in v.BINDS
        else b""
    )
    with capture_logs() as lines:
        world.run(1.0)
    assert telia.answer_to(7) == v.ESME_ROK
    assert telia.far.pdus(v.UNBIND_RESP)
    assert [line["event"] for line in lines] == ["bind.bound", "bind.lost"]
    assert bind.peer is None


def test_a_bind_that_is_down_says_why(world: World, router: Router) -> None:
    bind = router.journey.operators[OperatorName("telia")].binds[0]
    router.operator("telia", bind_status=v.ESME_RINVPASWD)
    assert bind.trouble == "ESME_RINVPASWD"
    telia = router.operator("telia")
    assert bind.trouble == ""
    telia.far.drop()
    world.settle()
    assert bind.trouble == "lost"


def test_no_receipt_is_given_to_a_client_that_unbinds(world: World, router: Router) -> None:
    telia, client, _ = taken(router)
    router.disk.delay_s = 0.5
    client.submit()
    client.far.send(p.build(v.UNBIND, 0, 99))
    telia.report(b"1")
    world.run(2.0)
    assert client.receipts == []
    assert len(router.journal.held) == 1


def test_receipts_in_flight_when_a_client_unbinds_come_again(world: World, router: Router) -> None:
    _, client = told_in_vain(router)
    world.run(0.5)
    client.far.send(p.build(v.UNBIND, 0, 99))
    world.run(0.5)
    assert client.far.closed
    again = router.client()
    world.run(0.5)
    assert again.receipt_texts() == client.receipt_texts()
    router.assert_all_is_over()


def test_a_place_is_free_again_however_a_session_ends(world: World, router: Router) -> None:
    for ending in ("drop", "unbind", "garbage", "silence") * 3:
        clients = [router.client() for _ in range(4)]
        for client in clients:
            if ending == "drop":
                client.far.drop()
            elif ending == "unbind":
                client.far.send(p.build(v.UNBIND, 0, 99))
            elif ending == "garbage":
                client.far.send(b"\0\0\0\0")
            else:
                client.far.on_pdu = lambda _: None
        world.run(61.0 if ending == "silence" else 0.5)
        assert all(client.far.closed for client in clients)
    assert router.accounts.by_name[AccountName("bank")].binds == []
    assert all(not outbox.receivers for outbox in router.journey.deliveries.outboxes.values())


@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.5])
def test_a_session_that_ends_amid_submits_loses_nothing_that_was_answered(
    world: World, router: Router, seconds: float
) -> None:
    telia, client = connected(router)
    router.disk.delay_s = 0.05
    for _ in range(50):
        client.submit(registered_delivery=0)
    world.run(seconds)
    client.far.drop()
    world.run(10.0)
    answered = len(client.answers) - 1
    assert answered <= len(telia.submits) == router.accepted
    router.assert_all_is_over()


def test_a_client_that_does_not_read_is_not_read_either(world: World, router: Router) -> None:
    client = router.client()
    client.link.pause_writing()
    assert not client.far.transport.reading
    client.link.resume_writing()
    assert client.far.transport.reading


# A new configuration comes while a thread compares a password.


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, v.ESME_ROK),
        ({"window": 7}, v.ESME_ROK),
        ({"passwords": ("other-01",)}, v.ESME_RINVPASWD),
        ({"passwords": ("secret01",)}, v.ESME_ROK),
        ({"max_binds": 0}, v.ESME_RBINDFAIL),
        ({"allow_from": ()}, v.ESME_RBINDFAIL),
        (None, v.ESME_RINVPASWD),
    ],
)
def test_bind_is_judged_by_the_configuration_in_force_when_it_is_answered(
    world: World, contract: Settings, change: dict[str, Any] | None, status: int
) -> None:
    bank = AccountName("bank")
    account = replace(contract.accounts[bank], passwords=(hash_password(b"secret01", b"0" * 16),))
    router = Router(world, replace(contract, accounts={**contract.accounts, bank: account}))

    async def binds() -> int | None:
        client = Client(world, router)
        number = client.bind()
        world.run(0.01)
        assert client.status_of(number) is None
        accounts = dict(contract.accounts)
        if change is None:
            del accounts[bank]
        else:
            accounts[bank] = replace(account, **change)
        router.accounts.adopt(accounts, world.now)
        while (task := client.link._task) is not None:
            await asyncio.wait([task])
            await asyncio.sleep(0)
        world.run(1.0)
        return client.status_of(number)

    assert asyncio.run(binds()) == status
    assert router.accounts.unbound == 0


def test_last_binds_of_an_account_that_is_gone_are_served(world: World, router: Router) -> None:
    client = router.client()
    others = {name: one for name, one in router.settings.accounts.items() if name != "bank"}
    router.accounts.adopt(others, world.now)
    router.journey.rooms.adopt(others)
    number = client.submit()
    again = Client(world, router)
    bind = again.bind()
    world.run(1.0)
    assert client.status_of(number) == v.ESME_ROK
    assert again.status_of(bind) == v.ESME_RINVPASWD
    client.far.drop()
    world.run(1.0)
    assert router.journey.rooms.taken(AccountName("bank")) == 1


def test_settings_that_change_in_place_change_the_timers_of_the_session(
    world: World, router: Router
) -> None:
    telia = router.operator("telia")
    operator = telia.bind.operator
    settings = replace(telia.bind.settings, enquire_link_s=2.0, max_age_s=10.0)
    others = operator.settings.binds[1:]
    changes = operator.adopt(replace(operator.settings, binds=(settings, *others)), world.now)
    assert (changes.added, changes.renewed, changes.removed) == ((), (), ())
    world.run(3.0)
    assert len(telia.far.pdus(v.ENQUIRE_LINK)) == 1
    world.run(8.0)
    assert len(telia.far.pdus(v.UNBIND)) == 1
