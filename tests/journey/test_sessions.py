"""router/accept/server.py, router/smpp/link.py: sessions with clients live and end as agreed."""

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from router.accept.passwords import hash_password
from router.forward.outbind import OutbindConnector, OutbindListener
from router.forward.troubles import SAID_AGAIN_S
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.terms.names import AccountName, OperatorName
from router.terms.settings import Address, OutbindSettings, Settings
from tests.doubles import Client, Operator, Router, Threads, World, with_account, with_operator
from tests.journey.scenes import connected, taken, told_in_vain
from tests.loop import MemoryTransport


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


@pytest.mark.parametrize("status", [v.ESME_ROK, v.ESME_RBINDFAIL])
def test_receipt_that_comes_before_the_bind_response_reaches_its_client(
    world: World, router: Router, status: int
) -> None:
    """Of one that refuses the bind nothing is taken: it keeps its receipt for the next session."""
    telia, client, _ = taken(router)
    telia.far.drop()
    world.run(1.0)
    again = Operator(world, router, telia.bind, status)
    again.ids = telia.ids
    again.far.on_pdu = lambda _: None  # The answer is on its way.
    number = again.report(b"1")
    world.run(1.0)
    assert again.far.pdus(v.DELIVER_SM_RESP) == client.receipts == []
    again.far.send(p.response(v.BIND_TRANSCEIVER, 1, status, b"SMSC\0"))
    world.run(1.0)
    assert again.answer_to(number) == (None if status else v.ESME_ROK)
    assert len(client.receipts) == (not status)
    assert again.far.closed == bool(status)
    if status:
        third = router.operator("telia")
        third.ids = telia.ids
        third.report(b"1")
        world.run(1.0)
    assert len(client.receipts) == 1
    router.assert_all_is_over()


@pytest.mark.parametrize("is_first", [True, False])
def test_submit_in_the_octets_of_an_unbind_is_answered_before_it(
    world: World, router: Router, is_first: bool
) -> None:
    client = router.client()
    submit = p.sm(v.SUBMIT_SM, 7, destination=(1, 1, b"37255512345"), short_message=b"hello")
    octets = [submit, p.build(v.UNBIND, 0, 8)]
    client.far.send(b"".join(octets if is_first else octets[::-1]))
    world.run(1.0)
    assert list(client.answers)[1:] == [7, 8]
    assert client.status_of(7) == v.ESME_ROK
    assert client.far.closed


def test_bind_request_carries_what_the_operator_wants(world: World, router: Router) -> None:
    bind = router.journey.operators[OperatorName("telia")].binds[0]
    wanted = {"addr_ton": 1, "addr_npi": 9, "address_range": "^12302$", "system_type": "OTP"}
    bind.settings = replace(bind.settings, **wanted)  # type: ignore[arg-type]
    asked: list[p.Pdu] = []
    telia = Operator(world, router, bind)
    telia.far.on_pdu = asked.append
    world.settle()
    (request,) = asked
    assert request.octets.endswith(b"OTP\0\x34\x01\x09^12302$\0")


def test_a_bind_that_is_down_says_why(world: World, router: Router) -> None:
    bind = router.journey.operators[OperatorName("telia")].binds[0]
    router.operator("telia", bind_status=v.ESME_RINVPASWD)
    assert bind.trouble == "ESME_RINVPASWD"
    telia = router.operator("telia")
    assert bind.trouble == ""
    telia.far.drop()
    world.settle()
    assert bind.trouble == "lost"


def refused_in(router: Router, status: int) -> list[str]:
    """What the log says of one attempt that ends like this; 0 is a bind request not answered."""
    with capture_logs() as lines:
        if status:
            router.operator("telia", bind_status=status)
        else:
            bind = router.journey.operators[OperatorName("telia")].binds[0]
            far = Operator(router.world, router, bind).far
            far.on_pdu = lambda _: far.send(p.response(v.SUBMIT_SM, 77))
            router.world.settle()
            far.drop()
    return [line["event"] for line in lines if line["log_level"] == "warning"]


def test_state_of_a_bind_that_is_down_is_said_when_it_changes_and_then_rarely(
    world: World, router: Router
) -> None:
    first, other = v.ESME_RBINDFAIL, v.ESME_RALYBND
    assert [refused_in(router, status) for status in (first, first, other, other)] == [
        *(["bind.refused"], [], ["bind.refused"], [])
    ]
    assert refused_in(router, 0) == ["response.unasked", "bind.unanswered"]
    assert refused_in(router, 0) == []
    world.run(SAID_AGAIN_S - 1.0)
    assert refused_in(router, 0) == []
    world.run(1.0)
    assert refused_in(router, 0) == ["response.unasked", "bind.unanswered"]
    router.operator("telia").far.drop()
    assert refused_in(router, 0) == ["response.unasked", "bind.unanswered"]
    assert router.journey.counters.refused_pdus["response.unasked"] == 5


def test_bind_request_that_is_not_answered_is_said_once(world: World, router: Router) -> None:
    bind = router.journey.operators[OperatorName("telia")].binds[0]
    with capture_logs() as lines:
        for _ in range(3):
            far = Operator(world, router, bind).far
            far.on_pdu = lambda _: None
            world.run(router.settings.session.response_timeout_s)
            assert far.closed
    assert [line["event"] for line in lines] == ["bind.timed_out"]
    assert router.journey.counters.refused_pdus["bind.timed_out"] == 3


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
        ({"allow_from": ()}, v.ESME_RINVPASWD),
        (None, v.ESME_RINVPASWD),
    ],
)
def test_bind_is_judged_by_the_configuration_in_force_when_it_is_answered(
    world: World, contract: Settings, change: dict[str, Any] | None, status: int
) -> None:
    bank = AccountName("bank")
    account = replace(contract.accounts[bank], passwords=(hash_password(b"secret01", b"0" * 16),))
    router = Router(world, replace(contract, accounts={**contract.accounts, bank: account}))

    threads = Threads(world)
    threads.compute_for(router)
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
    threads.finish_all()
    world.run(2.5)
    assert client.status_of(number) == status
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


# A host has vanished without a word, and its client comes again.


def limited(world: World, contract: Settings, max_binds: int = 1) -> Router:
    """A router whose bank may have so many binds."""
    return Router(world, with_account(contract, "bank", max_binds=max_binds))


def vanishes(client: Client) -> None:
    """Its host is gone: nothing is answered any more, and nobody says so."""
    client.far.on_pdu = lambda _: None


def status_of_bind(world: World, router: Router, **fields: object) -> int | None:
    """How a new client's bind is answered."""
    client = Client(world, router)
    number = client.bind(**fields)  # type: ignore[arg-type]
    world.run(0.1)
    return client.status_of(number)


@pytest.mark.parametrize("silent_s", [0.0, 0.5, 2.8, 3.1, 5.0, 29.0, 31.0, 45.0])
@pytest.mark.parametrize("again_after_s", [2.1, 4.9])
def test_client_whose_host_vanished_gets_in_at_most_5_s_after_its_first_try(
    world: World, contract: Settings, silent_s: float, again_after_s: float
) -> None:
    router = limited(world, contract)
    old = router.client()
    vanishes(old)
    world.run(silent_s)
    with capture_logs() as lines:
        assert status_of_bind(world, router) == v.ESME_RBINDFAIL
        world.run(again_after_s - 0.1)
        is_free = again_after_s > max(3.0 - silent_s, 0.0) + 2.0
        status = status_of_bind(world, router)
        assert status == (v.ESME_ROK if is_free else v.ESME_RBINDFAIL)
        world.run(5.0 - again_after_s)
    assert old.far.closed
    said = [(line["event"], line.get("reason"), line.get("asked")) for line in lines]
    assert said[0] == ("client.bind_refused", "too_many_binds", 1)
    assert ("link.gave_way", None, None) in said
    assert router.journey.counters.refused_pdus["link.gave_way"] == 1
    if not is_free:
        assert status_of_bind(world, router) == v.ESME_ROK


def test_live_clients_that_are_merely_idle_stay_however_often_others_try(
    world: World, contract: Settings
) -> None:
    router = limited(world, contract, max_binds=2)
    clients = [router.client() for _ in range(2)]
    world.run(20.0)
    for _ in range(600):
        assert status_of_bind(world, router) == v.ESME_RBINDFAIL
    for client in clients:
        assert not client.far.closed
        assert 1 <= len(client.far.pdus(v.ENQUIRE_LINK)) <= 20  # In 60 s, each 3 s at most.
    asked = [len(client.far.pdus(v.ENQUIRE_LINK)) for client in clients]
    world.run(25.0)  # Nobody needs their places any more.
    assert [len(client.far.pdus(v.ENQUIRE_LINK)) for client in clients] <= [n + 1 for n in asked]


def test_flood_of_refused_binds_does_not_put_off_the_end_of_the_dead(
    world: World, contract: Settings
) -> None:
    router = limited(world, contract)
    old = router.client()
    vanishes(old)
    statuses = [status_of_bind(world, router) for _ in range(51)]
    assert statuses.index(v.ESME_ROK) <= 50
    assert len(old.far.pdus(v.ENQUIRE_LINK)) == 1


def test_client_that_works_is_not_asked_at_all(world: World, contract: Settings) -> None:
    router = limited(world, contract)
    client = router.client()
    for _ in range(30):
        client.submit()
        world.run(1.0)
        assert status_of_bind(world, router) == v.ESME_RBINDFAIL
    assert client.far.pdus(v.ENQUIRE_LINK) == []


def test_client_that_answers_a_moment_late_stays(world: World, contract: Settings) -> None:
    router = limited(world, contract)
    client = router.client()
    answers = client.far.on_pdu

    def answers_late(pdu: p.Pdu) -> None:
        world.call_later(1.8, lambda: answers(pdu))

    client.far.on_pdu = answers_late
    world.run(5.0)
    assert status_of_bind(world, router) == v.ESME_RBINDFAIL
    world.run(10.0)
    assert not client.far.closed


def test_of_the_binds_of_an_account_only_the_dead_give_way(
    world: World, contract: Settings
) -> None:
    """A transmitter and a receiver on a host that vanished, and another pair that lives."""
    router = limited(world, contract, max_binds=4)
    types = v.BIND_TRANSMITTER, v.BIND_RECEIVER
    dead, alive = ([router.client(command_id=one) for one in types] for _ in range(2))
    for client in dead:
        vanishes(client)
    world.run(10.0)
    assert status_of_bind(world, router) == v.ESME_RBINDFAIL
    world.run(2.0)
    assert [client.far.closed for client in dead + alive] == [True, True, False, False]
    for one in types:
        assert status_of_bind(world, router, command_id=one) == v.ESME_ROK
    assert status_of_bind(world, router) == v.ESME_RBINDFAIL


def test_binds_of_another_account_are_not_asked(world: World, contract: Settings) -> None:
    router = limited(world, contract)
    router.client()
    shop = router.client(b"shop", b"secret02")
    world.run(10.0)
    assert status_of_bind(world, router) == v.ESME_RBINDFAIL
    assert shop.far.pdus(v.ENQUIRE_LINK) == []


def test_who_does_not_know_the_password_has_nobody_asked(world: World, contract: Settings) -> None:
    """It does not learn how many are bound either."""
    router = limited(world, contract)
    client = router.client()
    world.run(10.0)
    stranger = Client(world, router)
    number = stranger.bind(password=b"wrong")
    world.run(5.0)
    assert stranger.status_of(number) == v.ESME_RINVPASWD
    assert client.far.pdus(v.ENQUIRE_LINK) == []


def test_unbind_that_nobody_answers_holds_no_place(world: World, contract: Settings) -> None:
    session = replace(contract.session, inactivity_s=10.0)
    router = limited(world, replace(contract, session=session))
    old = router.client()
    vanishes(old)
    world.run(11.5)
    assert old.far.pdus(v.UNBIND)
    assert status_of_bind(world, router) == v.ESME_RBINDFAIL
    world.run(2.0)
    assert status_of_bind(world, router) == v.ESME_ROK


def test_client_that_waits_for_its_answers_before_it_goes_is_not_cut(
    world: World, contract: Settings
) -> None:
    router = limited(world, contract)
    client = router.client()
    router.disk.delay_s = 8.0
    number = client.submit()
    client.far.send(p.build(v.UNBIND, 0, 99))
    vanishes(client)  # It answers nothing any more, and waits.
    world.run(0.5)
    assert status_of_bind(world, router) == v.ESME_RBINDFAIL
    world.run(8.0)
    statuses = [pdu.command_status for pdu in client.far.pdus(v.SUBMIT_SM_RESP)]
    assert statuses == [v.ESME_ROK], number


def test_receipts_of_the_one_that_gave_way_come_to_the_next(
    world: World, contract: Settings
) -> None:
    router = limited(world, contract)
    telia, client, _ = taken(router)
    vanishes(client)
    telia.report(b"1")
    world.run(1.0)
    assert status_of_bind(world, router) == v.ESME_RBINDFAIL
    world.run(5.0)
    again = router.client()
    world.run(1.0)
    assert len(again.receipts) == 1
    router.assert_all_is_over()


def test_limit_is_judged_after_the_hash(world: World, contract: Settings) -> None:
    hashed = hash_password(b"secret01", b"0" * 16)
    router = Router(world, with_account(contract, "bank", max_binds=1, passwords=(hashed,)))
    threads = Threads(world)
    threads.compute_for(router)
    old = Client(world, router)
    number = old.bind()
    world.settle()
    threads.finish_all()
    assert old.status_of(number) == v.ESME_ROK
    vanishes(old)
    world.run(10.0)
    strangers = [Client(world, router) for _ in range(2)]
    for one in strangers:
        one.bind(password=b"wrong")
    world.run(0.01)
    threads.finish_all()
    assert old.far.pdus(v.ENQUIRE_LINK) == []  # Who does not know the password asks nobody.
    # A right password that was right before costs no hash, and waits for none.
    assert status_of_bind(world, router) == v.ESME_RBINDFAIL
    world.run(2.0)
    assert status_of_bind(world, router) == v.ESME_ROK
    assert threads.computed == 3


def test_operator_that_calls_again_from_a_host_that_had_vanished_gets_its_bind(
    world: World, contract: Settings
) -> None:
    class Calling(MemoryTransport):
        def set_protocol(self, protocol: object) -> None:
            """The connector has the octets from now on."""

    settings = contract.operators[OperatorName("telia")].binds[0]
    outbind = OutbindSettings(
        listen=Address(host="127.0.0.1", port=1), system_id="smsc", password="theirs"
    )
    binds = (replace(settings, addresses=(), outbind=outbind),)
    router = Router(world, with_operator(contract, "telia", binds=binds))
    bind = router.journey.operators[OperatorName("telia")].binds[0]
    connector = OutbindConnector(router, router.journey, bind, contract.session)
    listener = OutbindListener(router, router.journey.counters, 5.0)
    listener.connectors.append(connector)
    transport = Calling(world)
    credentials = "127.0.0.1", b"smsc", b"theirs"
    assert listener.connector(*credentials) is connector
    connector.take(cast("asyncio.Transport", transport), b"", "127.0.0.1:1")
    world.run(0.1)
    link = connector._link
    assert link is not None
    link.data_received(p.response(v.BIND_TRANSCEIVER, 1, body=b"SMSC\0"))
    world.run(10.0)
    assert listener.connector("127.0.0.1", b"smsc", b"wrong") == "wrong_credentials"
    world.run(2.1)
    assert not connector.is_free
    assert listener.connector(*credentials) == "taken"
    world.run(2.1)
    assert listener.connector(*credentials) is connector
