"""router/journey.py: a new process goes on where the one before stopped, by the journal."""

from dataclasses import replace

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.terms.names import OperatorName
from router.terms.outcome import Outcome
from router.terms.settings import Settings
from tests.doubles import Router, World, with_account, with_lane, with_operator
from tests.journey.scenes import connected, restarted_with


def test_what_was_accepted_is_sent(world: World, router: Router) -> None:
    client = router.client()
    number = client.submit(text=b"kept")
    world.run(0.5)
    again = router.restarted()
    telia = again.operator("telia")
    world.run(1.0)
    assert telia.texts() == [b"kept"]
    back = again.client()
    telia.report(b"1")
    world.run(1.0)
    (text,) = back.receipt_texts()
    assert text.startswith(b"id:" + client.id_of(number) + b" ")
    assert again.outcomes == [Outcome.DELIVERED]
    assert not again.journal.messages


def test_what_was_in_flight_is_sent_again(world: World, router: Router) -> None:
    router.operator("telia", status=None)
    client = router.client()
    client.submit(text=b"kept", registered_delivery=0)
    world.run(0.5)
    again = router.restarted()
    telia = again.operator("telia")
    world.run(1.0)
    assert telia.texts() == [b"kept"]
    assert again.outcomes == [Outcome.SENT]


def test_what_was_sent_is_not_sent_again_and_its_receipt_finds_it(
    world: World, router: Router
) -> None:
    before = router.operator("telia")
    client = router.client()
    number = client.submit()
    world.run(1.0)
    again = router.restarted()
    telia = again.operator("telia", 1)
    back = again.client()
    world.run(1.0)
    assert telia.submits == []
    telia.ids = before.ids
    telia.report(b"1")
    world.run(1.0)
    (text,) = back.receipt_texts()
    assert text.startswith(b"id:" + client.id_of(number) + b" ")
    assert again.outcomes == [Outcome.DELIVERED]
    assert not again.journal.messages
    assert not again.journal.attempts


def test_a_failure_is_withheld_across_a_restart(world: World, router: Router) -> None:
    before = router.operator("telia", status=None)
    client = router.client()
    client.submit()
    world.run(30.5)
    for _, pdu in before.submits:
        before.answer(pdu)
    world.run(0.5)
    again, telia = restarted_with(router, before)
    back = again.client()
    telia.report(b"1", b"UNDELIV")
    world.run(1.0)
    assert again.outcomes == []
    telia.report(b"2", b"DELIVRD")
    world.run(1.0)
    assert again.outcomes == [Outcome.DELIVERED]
    assert len(back.receipts) == 1


def test_receipts_that_were_not_acknowledged_are_given_again(world: World, router: Router) -> None:
    telia, client = connected(router)
    client.submit()
    client.submit()
    world.run(1.0)
    telia.report(b"1")
    world.run(0.5)
    client.deliver_status = lambda _: None
    telia.report(b"2")
    world.run(0.5)
    assert len(client.receipts) == 2
    again = router.restarted()
    back = again.client()
    world.run(1.0)
    assert back.receipt_texts() == client.receipt_texts()[1:]
    assert not again.journal.held


def test_receipts_keep_their_order_across_a_restart(world: World, router: Router) -> None:
    telia, client = connected(router)
    for _ in range(5):
        client.submit()
    world.run(1.0)
    client.far.drop()
    for operator_id in (b"3", b"1", b"5", b"2", b"4"):
        telia.report(operator_id)
        world.run(0.1)
    numbers = [list(client.answers)[1:][place] for place in (2, 0, 4, 1, 3)]
    back = router.restarted().client()
    world.run(1.0)
    told = [text.partition(b" ")[0].removeprefix(b"id:") for text in back.receipt_texts()]
    assert told == [client.id_of(number) for number in numbers]


def test_the_wait_for_a_receipt_goes_on_from_when_the_message_was_sent(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_operator(contract, "telia", receipt_wait_s=100.0))
    router.operator("telia")
    client = router.client()
    client.submit()
    world.run(80.0)
    again = router.restarted()
    world.run(22.0)
    assert again.outcomes == [Outcome.UNKNOWN]


def test_validity_goes_on_from_when_the_message_was_accepted(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_lane(contract, "otp", validity_s=60.0))
    client = router.client()
    client.submit()
    world.run(50.0)
    again = router.restarted()
    world.run(12.0)
    assert again.outcomes == [Outcome.EXPIRED]


def test_the_room_of_what_waits_is_taken_again(world: World, contract: Settings) -> None:
    router = Router(world, with_account(contract, "bank", queue=5))
    client = router.client()
    for _ in range(3):
        client.submit()
    world.run(0.5)
    again = router.restarted()
    assert again.room_taken() == 3
    back = again.client()
    numbers = [back.submit() for _ in range(3)]
    world.run(2.0)
    assert [back.status_of(number) for number in numbers] == [0, 0, v.ESME_RMSGQFUL]


def test_the_order_is_that_of_acceptance(world: World, router: Router) -> None:
    client = router.client()
    for n in range(20):
        client.submit(text=b"%d" % n)
    world.run(0.5)
    again = router.restarted()
    client = again.client()
    for n in range(20, 40):
        client.submit(text=b"%d" % n)
    telia = again.operator("telia")
    world.run(2.0)
    assert telia.texts() == [b"%d" % n for n in range(40)]


def test_ids_go_on_and_never_back(world: World, router: Router) -> None:
    client = router.client()
    numbers = [client.submit() for _ in range(5)]
    world.run(0.5)
    before = [int(client.id_of(number)) for number in numbers]
    again = router.restarted()
    client = again.client()
    number = client.submit()
    world.run(0.5)
    assert int(p.message_id_of(client.answers[number])) > max(before)


# What a crash leaves in doubt.


def test_what_was_in_flight_is_in_doubt_and_what_was_not_is_not(
    world: World, router: Router
) -> None:
    before = router.operator("telia", status=None)
    client = router.client()
    for n in range(50):
        client.submit(text=b"%d" % n, registered_delivery=0)
    world.run(0.5)
    written = len(before.submits)
    again = router.restarted()
    telia = again.operator("telia", 1)
    world.run(3.0)
    assert telia.texts() == [b"%d" % n for n in range(50)]
    assert again.journey.counters.in_doubt == {("telia", "resend"): written}
    assert again.journey.counters.repeated == {"telia": written}
    assert [settlement.message.times_in_doubt for settlement in again.settled] == [1] * written + [
        0
    ] * (50 - written)


def test_what_is_in_doubt_after_a_crash_goes_elsewhere_where_its_lane_says_so(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_lane(contract, "otp", in_doubt="elsewhere"))
    before = router.operator("telia", status=None)
    client = router.client()
    for n in range(50):
        client.submit(text=b"%d" % n, registered_delivery=0)
    world.run(0.9)
    written = before.texts()
    again = router.restarted()
    telia, elisa = again.operator("telia", 1), again.operator("elisa")
    world.run(3.0)
    assert elisa.texts() == written
    assert telia.texts() == [b"%d" % n for n in range(len(written), 50)]
    assert again.journey.counters.in_doubt == {("telia", "elsewhere"): len(written)}


def test_what_was_taken_before_a_crash_is_in_no_doubt(world: World, router: Router) -> None:
    router.operator("telia")
    client = router.client()
    for _ in range(20):
        client.submit(registered_delivery=0)
    world.run(2.0)
    again = router.restarted()
    telia = again.operator("telia", 1)
    world.run(2.0)
    assert telia.submits == []
    assert again.journey.counters.in_doubt == {}


def test_a_backlog_whose_operator_is_no_more_is_decided_anew_in_its_order(
    world: World, contract: Settings
) -> None:
    """A piece at a time: what has been decided anew is in memory until it has gone."""
    router = Router(world, with_account(contract, "bank", queue=10_000, rate=None))
    client = router.client()
    for n in range(2_500):
        client.submit(text=b"%d" % n, registered_delivery=0)
        if n % 50 == 49:
            world.run(0.05)
    world.run(1.0)
    (route, *others) = router.settings.routes
    assert route.to == ("telia", "elisa")
    operators = {name: one for name, one in router.settings.operators.items() if name != "elisa"}
    to_telia = [one for one in (route, *others) if "telia" in one.to]
    only = tuple(replace(one, to=(OperatorName("telia"),), weights=()) for one in to_telia)
    router.settings = replace(router.settings, operators=operators, routes=only, inbound=())
    again = router.restarted()
    telia = [again.operator("telia", place) for place in range(3)]
    world.run(0.5)
    in_memory = sum(len(queue) for queue in again.journey.lanes.queues())
    assert 0 < in_memory <= 1_000
    world.run(25.0)
    texts = sorted(int(text) for one in telia for text in one.texts())
    assert texts == list(range(2_500))
    assert again.journey.taken_up["messages"] == 2_500
