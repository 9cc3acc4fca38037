"""journey.py: what an account has is its own under its new name, while the router runs."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from router.enqueue.journal import Weighed
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu
from router.terms.capacity import Capacity
from router.terms.limits import Rate
from router.terms.names import AccountName, LaneName, OperatorName
from router.terms.outcome import Outcome
from router.terms.settings import Settings
from router.terms.states import IN_FLIGHT, SENT, WAITS
from tests.doubles import (
    FULL_DISK,
    Client,
    Disk,
    Router,
    World,
    with_account,
    with_lane,
    without_account,
)
from tests.journey.scenes import (
    OVERDUE_S,
    connected,
    nothing_is_left,
    renamed_account,
    submitted,
    told_in_vain,
)

BANK, BANK2, SHOP = AccountName("bank"), AccountName("bank2"), AccountName("shop")
LITTLE_MEMORY = Capacity(
    outbox_deliveries=2,
    outbox_away=1,
    outbox_refill_below=1,
    queue_messages=2,
    queue_refill_below=1,
    queue_fetch=2,
)
PART = b"\x05\x00\x03\x07\x02%c"
"""The header of the one or the other of two parts."""


def reload_as_bank2(router: Router) -> None:
    router.adopt(renamed_account(router.settings, "bank", "bank2"))


def with_new_names_only(settings: Settings) -> Settings:
    """The same configuration, if `formerly` is taken out."""
    accounts = {name: replace(one, formerly=None) for name, one in settings.accounts.items()}
    return replace(settings, accounts=accounts)


def with_little_memory(router: Router) -> tuple[Router, Disk]:
    """The same router, which reads the journal again and again; and the disk of that."""
    router.capacity = LITTLE_MEMORY
    return router.restarted(), router.disk


def bank2(router: Router) -> Client:
    return router.client(b"bank2", b"secret01")


def test_what_waits_for_a_living_account_is_its_own_under_its_new_name(
    world: World, router: Router
) -> None:
    client = router.client()
    for number in range(6):
        client.submit(text=b"%d" % number)
    world.run(1.0)
    octets = router.journey.rooms.octets(BANK)
    reload_as_bank2(router)
    rooms = router.journey.rooms
    assert (rooms.taken(BANK2), rooms.octets(BANK2), rooms.taken(BANK)) == (6, octets, 0)
    assert {queue.key.account for queue in router.journey.lanes.queues()} == {BANK2}
    back, telia = bank2(router), router.operator("telia")
    for number in range(6, 9):
        back.submit(text=b"%d" % number)
    world.run(2.0)
    assert telia.texts() == [b"%d" % number for number in range(9)]
    telia.report_all()
    world.run(2.0)
    assert len(back.receipts) == 9
    outcomes = router.journey.counters.outcomes
    assert outcomes == {(BANK2, Outcome.DELIVERED): 9}
    router.assert_all_is_over()


def test_what_was_replaced_is_its_own_too_though_only_the_journal_has_it(
    world: World, contract: Settings
) -> None:
    router = Router(world, contract, capacity=LITTLE_MEMORY)
    client = router.client()
    numbers = [client.submit(text=b"%d" % number) for number in range(6)]
    world.run(0.2)
    number = client.far.next_sequence()
    body = client.id_of(numbers[4]) + b"\0" + p.address(0, 0, b"") + b"\0\0\1\0\5other"
    client.far.send(p.build(v.REPLACE_SM, 0, number, body))
    world.run(0.1)
    assert client.status_of(number) == v.ESME_ROK
    reload_as_bank2(router)
    back, telia = bank2(router), router.operator("telia")
    world.run(0.5)
    assert telia.texts() == [b"0", b"1", b"2", b"3", b"other", b"5"]
    telia.report_all()
    world.run(2.0)
    assert len(back.receipts) == 6
    assert router.journey.counters.outcomes == {(BANK2, Outcome.DELIVERED): 6}
    router.assert_all_is_over()


def test_clients_of_a_renamed_account_bind_anew(world: World, router: Router) -> None:
    telia, client = connected(router)
    submitted(router, telia, client, 1)
    reload_as_bank2(router)
    assert len(client.far.pdus(v.UNBIND)) == 1
    back = bank2(router)
    stranger = Client(world, router)
    number = stranger.bind(b"bank", b"secret01")
    world.run(60.0)
    assert stranger.status_of(number) == v.ESME_RINVPASWD
    assert client.far.closed
    assert list(router.accounts.by_name[BANK2].binds) == [back.link]
    assert router.journey.deliveries.outboxes[BANK2].receivers == [back.link]


def test_a_bind_of_the_old_name_gets_its_answers_before_it_ends(
    world: World, router: Router
) -> None:
    client = router.client()
    router.journal.writes_are_stuck = True
    numbers = [client.submit() for _ in range(3)]
    world.run(0.1)
    reload_as_bank2(router)
    assert not client.answers.keys() & set(numbers)
    router.journal.go_on()
    world.run(1.0)
    assert [client.status_of(number) for number in numbers] == [0, 0, 0]
    assert router.journey.rooms.taken(BANK2) == 3
    back, telia = bank2(router), router.operator("telia")
    world.run(1.0)
    telia.report_all()
    world.run(1.0)
    assert len(back.receipts) == 3
    router.assert_all_is_over()


def test_a_batch_that_fails_after_a_renaming_gives_the_room_back(
    world: World, router: Router
) -> None:
    client = router.client()
    router.journal.writes_are_stuck = True
    number = client.submit()
    world.run(0.1)
    reload_as_bank2(router)
    router.journal.failing = FULL_DISK
    router.journal.go_on()
    world.run(0.5)
    router.journal.failing = None
    world.run(3.0)
    assert client.status_of(number) == v.ESME_RSYSERR
    assert router.journey.rooms.taken(BANK2) == 0


def test_submits_that_are_held_at_the_gate_are_let_in_or_forgotten(
    world: World, router: Router
) -> None:
    router.adopt(with_account(router.settings, "bank", rate=Rate(2, 1.0), burst=2))
    client = router.client()
    numbers = [client.submit() for _ in range(4)]
    world.run(0.1)
    assert client.link.admission.held == 2
    reload_as_bank2(router)
    world.run(2.0)
    accepted = [number for number in numbers if client.status_of(number) == 0]
    assert accepted[:2] == numbers[:2]
    assert router.journey.rooms.taken(BANK2) == len(accepted) == router.accepted


def test_receipts_that_an_account_is_owed_come_to_its_new_name(
    world: World, router: Router
) -> None:
    telia, client = connected(router)
    submitted(router, telia, client, 3)
    telia.status = lambda _: None
    submitted(router, telia, client, 2)
    reload_as_bank2(router)
    back = bank2(router)
    for _, pdu in telia.submits[3:]:
        telia.answer(pdu)
    world.run(1.0)
    telia.report_all()
    world.run(2.0)
    assert (len(client.receipts), len(back.receipts)) == (0, 5)
    router.assert_all_is_over()


def test_every_message_in_memory_has_the_new_name_at_once(world: World, router: Router) -> None:
    """In a queue, in flight, delayed, scheduled, parked, in doubt, and sent."""
    shop = with_account(router.settings, "bank", schedule_delivery_time="honour")
    router.adopt(with_lane(shop, "otp", in_doubt="elsewhere"))
    telia, client = connected(router)
    status: dict[bytes, int | None] = {b"silent": None, b"later": v.ESME_RSYSERR}

    def answered(pdu: Pdu) -> int | None:
        text = p.Sm(pdu).short_message
        return None if text == PART % 1 else 0x400 if text[:1] == b"\5" else status.get(text, 0)

    telia.status = answered
    client.submit(text=b"silent")
    world.run(OVERDUE_S)
    for text in (b"sent", b"silent", b"later"):
        client.submit(text=text)
    client.submit(text=b"scheduled", schedule_delivery_time=b"000000010000000R")
    for number in (1, 2):
        client.submit(text=PART % number, esm_class=0x40)
    client.submit(b"3581", text=b"waits")
    world.run(1.0)
    messages = router.journal.messages.values()
    assert {one.state for one in messages} == {*WAITS, IN_FLIGHT, SENT}
    assert any(one.in_doubt for one in messages)
    router.disk.is_stuck = True  # The memory journal has the same objects, and renames them too.
    reload_as_bank2(router)
    assert {one.account for one in messages} == {BANK2}


def test_what_the_journal_has_not_answered_for_is_of_the_new_name(
    world: World, router: Router
) -> None:
    telia, client = connected(router)
    submitted(router, telia, client, 2)
    router.disk.is_stuck = True
    telia.report_all()
    world.run(0.5)
    reload_as_bank2(router)
    router.disk.go_on()
    back = bank2(router)
    world.run(1.0)
    assert (len(client.receipts), len(back.receipts)) == (0, 2)
    assert router.journey.counters.outcomes == {(BANK2, Outcome.DELIVERED): 2}
    nothing_is_left(router)


def test_the_journal_is_told_at_once(world: World, router: Router) -> None:
    world.run(1.0)
    router.journal.writes_are_stuck = True
    assert not router.journey.commits.has_unkept
    reload_as_bank2(router)
    assert any(one.at_utc for one in router.journey.commits.unseen())


def test_the_outbox_of_a_client_that_is_away_is_its_new_name_s(
    world: World, router: Router
) -> None:
    telia, client = connected(router)
    submitted(router, telia, client, 4)
    client.far.drop()
    telia.report(b"1")
    telia.report(b"2")
    world.run(1.0)
    reload_as_bank2(router)
    telia.report(b"3")
    telia.report(b"4")
    world.run(1.0)
    assert len(router.journey.deliveries.outboxes[BANK2]) == 4
    back = bank2(router)
    world.run(2.0)
    assert [pdu.sequence_number for pdu in back.receipts] == [1, 2, 3, 4]
    assert router.journey.counters.deliveries == {(BANK2, "acknowledged"): 4}
    router.assert_all_is_over()


def test_what_a_client_had_not_acknowledged_goes_to_the_new_bind(
    world: World, router: Router
) -> None:
    _, client = told_in_vain(router)
    world.run(0.5)
    reload_as_bank2(router)
    back = bank2(router)
    world.run(100.0)
    assert (len(client.receipts), len(back.receipts)) == (1, 1)
    router.assert_all_is_over()


def test_messages_that_are_read_while_their_account_is_renamed_go_once(
    world: World, router: Router
) -> None:
    router, disk = with_little_memory(router)
    client = router.client()
    for number in range(8):
        client.submit(text=b"%d" % number, registered_delivery=0)
    world.run(1.0)
    disk.is_stuck = True
    telia = router.operator("telia")
    world.run(1.0)
    assert telia.texts() == [b"0", b"1"]
    assert [queue.is_fetching for queue in router.journey.lanes.queues()] == [True]
    reload_as_bank2(router)
    disk.go_on()
    world.run(3.0)
    assert telia.texts() == [b"%d" % number for number in range(8)]
    nothing_is_left(router)


def test_deliveries_that_are_read_while_their_account_is_renamed_come_once(
    world: World, router: Router
) -> None:
    router, disk = with_little_memory(router)
    telia, client = connected(router)
    submitted(router, telia, client, 5)
    client.far.drop()
    telia.report_all()
    world.run(2.0)
    disk.is_stuck = True
    client = router.client()
    world.run(1.0)
    outbox = router.journey.deliveries.outboxes[BANK]
    assert (outbox.is_read, len(client.receipts)) == (True, 1)
    reload_as_bank2(router)
    disk.go_on()
    world.run(3.0)
    assert [name for _, name in router.journal.held_read][-2:] == [BANK, BANK2]
    back = bank2(router)
    world.run(3.0)
    assert (len(client.receipts), len(back.receipts)) == (1, 4)
    nothing_is_left(router)


@pytest.mark.parametrize("later_s", [0.0, 1.0])
def test_killed_right_after_an_account_was_renamed(
    world: World, router: Router, later_s: float
) -> None:
    telia, client = connected(router)
    submitted(router, telia, client, 2)
    client.far.drop()
    telia.report(b"1")
    world.run(1.0)
    telia.far.drop()
    client = router.client(command_id=v.BIND_TRANSMITTER)
    for _ in range(3):
        client.submit()
    world.run(1.0)
    reload_as_bank2(router)
    world.run(later_s)
    again = router.restarted()
    assert again.journey.rooms.taken(BANK2) == 3
    assert again.journey.left_waiting == 0
    back, now = bank2(again), again.operator("telia")
    now.ids, now.next_id = dict(telia.ids), telia.next_id
    world.run(1.0)
    for operator_id in [b"2", b"3", b"4", b"5"]:
        now.report(operator_id)
    world.run(2.0)
    assert len(back.receipts) == 5
    nothing_is_left(again)


def test_the_former_name_may_be_another_s_at_the_next_reload(world: World, router: Router) -> None:
    first = router.settings
    telia, client = connected(router)
    submitted(router, telia, client, 2)
    reload_as_bank2(router)
    both = with_new_names_only(router.settings)
    router.adopt(replace(both, accounts={**both.accounts, BANK: first.accounts[BANK]}))
    back, other = bank2(router), router.client()
    submitted(router, telia, other, 1)
    telia.report_all()
    world.run(2.0)
    assert (len(back.receipts), len(other.receipts)) == (2, 1)
    outcomes = router.journey.counters.outcomes
    assert outcomes == {(BANK2, Outcome.DELIVERED): 2, (BANK, Outcome.DELIVERED): 1}
    nothing_is_left(router)


def test_two_accounts_change_names_by_way_of_a_third(world: World, router: Router) -> None:
    bank, shop = router.client(), router.client(b"shop", b"secret02")
    for client, text in ((bank, b"bank"), (shop, b"shop")):
        client.submit(b"37211111111", text=text)
    world.run(1.0)
    for was, now in (("bank", "third"), ("shop", "bank"), ("third", "shop")):
        router.adopt(renamed_account(with_new_names_only(router.settings), was, now))
    bank, shop = router.client(b"bank", b"secret02"), router.client(b"shop", b"secret01")
    telia = router.operator("telia")
    world.run(1.0)
    assert sorted(telia.texts()) == [b"bank", b"shop"]
    of_text = {p.Sm(pdu).short_message: number for number, pdu in telia.ids.items()}
    telia.report(of_text[b"bank"])
    world.run(1.0)
    assert (len(bank.receipts), len(shop.receipts)) == (0, 1)
    telia.report(of_text[b"shop"])
    world.run(1.0)
    assert (len(bank.receipts), len(shop.receipts)) == (1, 1)
    nothing_is_left(router)


def test_not_to_a_name_under_which_something_is_left(world: World, router: Router) -> None:
    for client in (router.client(), router.client(b"shop", b"secret02")):
        client.submit(b"37211111111", registered_delivery=0)
    world.run(1.0)
    router.adopt(without_account(router.settings, "shop"))
    now = renamed_account(router.settings, "bank", "shop")
    assert router.journey.not_handed_over(now.accounts) == [SHOP]
    router.adopt(now)
    rooms = router.journey.rooms
    assert (rooms.taken(SHOP), rooms.taken(BANK)) == (1, 1)
    again = router.restarted()
    assert again.journey.rooms.taken(SHOP) == 2
    telia = again.operator("telia")
    world.run(1.0)
    assert len(telia.submits) == 2
    nothing_is_left(again)


def test_what_was_left_is_taken_up_by_an_account_that_comes_by_another_name(
    world: World, router: Router
) -> None:
    telia, client = connected(router)
    submitted(router, telia, client, 2)
    client.far.drop()
    telia.report_all()
    world.run(1.0)
    telia.far.drop()
    client = router.client(command_id=v.BIND_TRANSMITTER)
    client.submit()
    world.run(1.0)
    with_bank = router.settings
    router.settings = without_account(with_bank, "bank")
    again = router.restarted()
    assert again.journey.left_waiting == 3
    again.adopt(renamed_account(with_bank, "bank", "bank2"))
    assert again.journey.left_waiting == 0
    back, telia = bank2(again), again.operator("telia")
    world.run(2.0)
    telia.report_all()
    world.run(2.0)
    assert len(back.receipts) == 3
    nothing_is_left(again)


def test_the_parts_of_a_long_message_stay_together(world: World, router: Router) -> None:
    """Though a weighted route would choose another operator for the second part."""
    telia, elisa = router.operator("telia"), router.operator("elisa")
    router.adopt(
        replace(
            router.settings,
            routes=(
                replace(
                    router.settings.routes[0],
                    to=(OperatorName("telia"), OperatorName("elisa")),
                    weights=(1, 1),
                ),
            ),
        )
    )
    client = router.client()
    client.submit(esm_class=0x40, text=PART % 1, registered_delivery=0)
    world.run(1.0)
    reload_as_bank2(router)
    back = bank2(router)
    back.submit(text=b"the turn of the one", registered_delivery=0)
    back.submit(esm_class=0x40, text=PART % 2, registered_delivery=0)
    world.run(1.0)
    parts = [sum(text[:1] == b"\5" for text in one.texts()) for one in (telia, elisa)]
    assert sorted(parts) == [0, 2]


def test_a_damaged_row_that_is_read_by_the_old_name_ends_for_the_new_one(
    world: World, router: Router
) -> None:
    router, disk = with_little_memory(router)
    client = router.client()
    for _ in range(4):
        client.submit()
    world.run(1.0)
    router.journal.damaged.add(("message", max(router.journal.messages)))
    disk.is_stuck = True
    telia = router.operator("telia")
    world.run(1.0)
    reload_as_bank2(router)
    disk.go_on()
    world.run(3.0)
    assert len(telia.submits) == 3
    back = bank2(router)
    telia.report_all()
    world.run(3.0)
    assert len(back.receipts) == 4
    assert router.journey.counters.outcomes == {
        (BANK2, Outcome.UNKNOWN): 1,
        (BANK2, Outcome.DELIVERED): 3,
    }


def test_weight_and_order_in_the_lanes_are_kept(world: World, router: Router) -> None:
    settings = with_account(router.settings, "bank", weight=3, lane=LaneName("bulk"))
    router.adopt(settings)
    telia = router.operator("telia")
    clients = {b"bank": router.client(), b"shop": router.client(b"shop", b"secret02")}
    for number in range(200):
        for name, client in clients.items():
            if name == b"bank" or number < 50:
                text = name + b" %d" % number
                client.submit(b"37211111111", text=text, registered_delivery=0)
    world.run(1.0)
    before = len(telia.submits)
    reload_as_bank2(router)
    world.run(1.0)
    texts = telia.texts()[before:][:40]
    assert sum(text.startswith(b"bank") for text in texts) == 30
    world.run(10.0)
    for name, count in ((b"bank", 200), (b"shop", 50)):
        of_account = [text for text in telia.texts() if text.startswith(name)]
        assert of_account == [name + b" %d" % number for number in range(count)]
    nothing_is_left(router)


def test_a_subscriber_s_long_message_that_had_begun_goes_on_to_the_new_name(
    world: World, router: Router
) -> None:
    telia, client = connected(router)
    telia.deliver(PART % 1, destination=(1, 1, b"12302"), esm_class=0x40)
    world.run(1.0)
    reload_as_bank2(router)
    back = bank2(router)
    answer = telia.deliver(PART % 2, destination=(1, 1, b"12302"), esm_class=0x40)
    world.run(1.0)
    assert telia.answer_to(answer) == 0
    assert (len(client.receipts), len(back.receipts)) == (1, 1)
    assert router.journey.left_waiting == 0
    nothing_is_left(router)


def with_something_left(router: Router) -> Router:
    """A new process that knows neither bank nor shop: of each a message and two receipts wait."""
    telia = router.operator("telia")
    clients = router.client(), router.client(b"shop", b"secret02")
    for client in clients:
        submitted(router, telia, client, 2, destination=b"37211111111")
        client.far.drop()
    telia.report_all()
    router.world.run(1.0)
    telia.far.drop()
    for name, password in ((b"bank", b"secret01"), (b"shop", b"secret02")):
        client = router.client(name, password, command_id=v.BIND_TRANSMITTER)
        client.submit(b"37211111111")
    router.world.run(1.0)
    router.settings = without_account(without_account(router.settings, "bank"), "shop")
    again = router.restarted()
    assert again.journey.left_waiting == 6
    return again


def test_what_was_left_under_both_names_is_one(world: World, router: Router) -> None:
    first = router.settings
    again = with_something_left(router)
    again.adopt(renamed_account(without_account(first, "shop"), "bank", "shop"))
    assert again.journey.left_waiting == 0
    back, telia = again.client(b"shop", b"secret01"), again.operator("telia")
    world.run(2.0)
    assert len(telia.submits) == 2
    telia.report_all()
    world.run(2.0)
    assert len(back.receipts) == 6
    assert again.journey.deliveries.outboxes[SHOP].octets == 0
    nothing_is_left(again)


def test_what_is_weighed_after_a_renaming_counts_for_the_new_name(
    world: World, router: Router
) -> None:
    router.client().submit()
    world.run(1.0)
    octets = router.journey.rooms.octets(BANK)
    weigh, told = router.journal.weigh, list[Callable[[], None]]()

    def late(done: Weighed) -> None:
        weigh(lambda weights, error: told.append(lambda: done(weights, error)))

    router.journal.weigh = late  # type: ignore[misc]
    again = router.restarted()
    assert again.journey.rooms.octets(BANK) == 0
    reload_as_bank2(again)
    told[0]()
    assert again.journey.rooms.octets(BANK2) == octets > 0
    assert again.journey.rooms.octets(BANK) == 0
