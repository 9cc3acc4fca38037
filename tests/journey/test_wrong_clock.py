"""steps/clocks.py: a wall clock that jumps, before or after a start, does no lasting harm."""

from datetime import UTC, datetime

import pytest

from router.report.correlate import ORPHAN_S
from router.smpp import vocabulary as v
from router.smpp.pdu import Sm
from router.terms.capacity import Capacity
from router.terms.clock import CONFIRM_S
from router.terms.names import AccountName, OperatorName
from router.terms.outcome import Outcome
from router.terms.settings import Settings
from tests.doubles import (
    START,
    Client,
    Router,
    World,
    receipt_text,
    with_account,
    with_lane,
    with_operator,
)
from tests.journey.scenes import taken, unanswered

DAY_S = 86_400.0
YEAR_S = 365 * DAY_S
JUMPS = pytest.mark.parametrize("jump_s", [YEAR_S, -YEAR_S])


@pytest.fixture
def router(world: World, contract: Settings) -> Router:
    return Router(world, with_lane(contract, "otp", validity_s=3 * CONFIRM_S))


@JUMPS
def test_a_jump_expires_nothing_and_is_told(world: World, router: Router, jump_s: float) -> None:
    router.client().submit(text=b"kept")
    world.run(2.0)
    world.utc_offset += jump_s
    world.run(2 * CONFIRM_S)
    assert router.outcomes == []
    assert router.clock_changes == [pytest.approx(jump_s)]
    world.utc_offset -= jump_s
    world.run(2.0)
    assert router.clock_changes[1:] == [0.0]
    telia = router.operator("telia")
    world.run(1.0)
    assert telia.texts() == [b"kept"]


@JUMPS
def test_a_wrong_clock_at_the_start_expires_nothing_and_repeats_no_id(
    world: World, router: Router, jump_s: float
) -> None:
    client = router.client()
    before = client.submit(text=b"kept")
    world.run(2.0)
    world.utc_offset += jump_s
    again = router.restarted()
    back = again.client()
    after = back.submit(text=b"new")
    world.run(2 * CONFIRM_S)
    assert again.outcomes == []
    assert again.clock_changes == [pytest.approx(jump_s, abs=60.0)]
    world.utc_offset -= jump_s
    world.run(2.0)
    telia = again.operator("telia")
    world.run(1.0)
    assert telia.texts() == [b"kept", b"new"]
    assert int(back.id_of(after)) > int(client.id_of(before))


def left(world: World, router: Router, ahead_s: float) -> Router:
    """A new process that finds a message which the clock, so far ahead, says is over."""
    router.client().submit(text=b"old")
    world.run(2.0)
    world.utc_offset += ahead_s
    return router.restarted()


def test_what_only_a_doubted_clock_says_is_over_waits_and_the_rest_goes(
    world: World, router: Router
) -> None:
    shop = router.client(b"shop", b"secret02")
    shop.submit(text=b"48 hours")
    again = left(world, router, DAY_S)
    telia = again.operator("telia")
    again.client().submit(text=b"new")
    world.run(CONFIRM_S / 2)
    assert sorted(telia.texts()) == [b"48 hours", b"new"]
    assert again.outcomes.count(Outcome.EXPIRED) == 0
    assert again.journey.lanes.delays.doubted() == again.journey.delayed == 1
    assert again.room_taken() == 1


def test_the_journal_knows_the_time_of_its_first_message(world: World, contract: Settings) -> None:
    router = Router(world, contract, warm=False)
    client = Client(world, router)
    client.bind(b"bank", b"secret01", v.BIND_TRANSCEIVER, v.VERSION_3_4)
    world.settle()
    client.submit()
    world.settle()
    assert (router.accepted, world.now) == (1, START)
    world.utc_offset += YEAR_S
    again = router.restarted()
    assert again.clock_changes == [YEAR_S]
    assert again.outcomes == []


def test_it_goes_when_the_clock_is_put_right(world: World, router: Router) -> None:
    again = left(world, router, DAY_S)
    telia = again.operator("telia")
    world.run(10.0)
    assert telia.texts() == []
    world.utc_offset -= DAY_S
    world.run(2.0)
    assert telia.texts() == [b"old"]
    assert again.clock_changes == [pytest.approx(DAY_S, abs=60.0), 0.0]


def test_what_waits_aside_keeps_its_place_and_is_with_no_operator(
    world: World, router: Router
) -> None:
    client = router.client()
    for text in (b"one", b"two"):
        client.submit(text=text)
    client.submit(text=b"a month", validity_period=b"000100000000000R")
    again = left(world, router, DAY_S)
    telia = again.operator("telia")
    world.run(2.0)
    assert telia.texts() == [b"a month"]  # Of the same queue, and younger.
    last = again.restarted()
    telia = last.operator("telia")
    world.run(2.0)
    assert telia.texts() == []
    world.utc_offset -= DAY_S
    world.run(2.0)
    assert telia.texts() == [b"one", b"two", b"old"]
    assert not last.journey.counters.repeated


def test_what_waits_aside_in_doubt_is_in_doubt_after_the_next_crash(
    world: World, router: Router
) -> None:
    again = left(world, router, DAY_S)
    telia = again.operator("telia", status=None)
    world.run(2.0)
    world.utc_offset -= DAY_S
    world.run(2.0)
    assert telia.texts() == [b"old"]
    world.utc_offset += DAY_S
    again = again.restarted()
    telia = again.operator("telia")
    world.run(2.0)
    assert telia.texts() == []
    world.utc_offset -= DAY_S
    last = again.restarted()
    telia = last.operator("telia")
    world.run(2.0)
    assert telia.texts() == [b"old"]
    assert last.journey.counters.repeated == {OperatorName("telia"): 1}


def test_it_waits_on_when_the_clock_is_set_to_another_wrong_time(
    world: World, router: Router
) -> None:
    again = left(world, router, 2 * DAY_S)
    telia = again.operator("telia")
    world.run(10.0)
    world.utc_offset -= DAY_S
    world.run(10.0)
    assert telia.texts() == []
    assert again.outcomes == []
    assert again.journey.lanes.delays.doubted() == 1


def test_it_expires_when_the_clock_turns_out_to_be_right(world: World, router: Router) -> None:
    again = left(world, router, 3 * DAY_S)
    telia = again.operator("telia")
    world.run(2 * CONFIRM_S)
    assert again.outcomes == []
    world.is_synchronised = True
    world.run(2.0)
    assert again.outcomes == [Outcome.EXPIRED]
    assert telia.texts() == []
    assert again.clock_changes[-1] == 0.0


def test_it_expires_when_both_clocks_say_that_it_is_over(world: World, router: Router) -> None:
    again = left(world, router, 3 * DAY_S)
    telia = again.operator("telia")
    world.run(3 * CONFIRM_S + 2.0)
    assert again.outcomes == [Outcome.EXPIRED]
    assert telia.texts() == []
    assert again.journey.lanes.delays.doubted() == 0


def test_a_doubt_of_a_day_ends_by_itself_and_a_longer_one_does_not(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_lane(contract, "otp", validity_s=10 * CONFIRM_S))
    again = left(world, router, DAY_S - 10.0)
    again.operator("telia")
    world.run(CONFIRM_S + 10.0)
    assert again.outcomes == [Outcome.EXPIRED]
    assert again.journey.clocks.utc() == world.clock_utc()


def test_a_clock_that_the_kernel_keeps_right_is_believed_at_the_start(
    world: World, router: Router
) -> None:
    world.is_synchronised = True
    again = left(world, router, 3 * DAY_S)
    world.run(2.0)
    assert again.outcomes == [Outcome.EXPIRED]
    assert again.clock_changes == []


@JUMPS
def test_a_person_may_end_a_doubt(world: World, router: Router, jump_s: float) -> None:
    again = left(world, router, jump_s)
    telia = again.operator("telia")
    world.run(10.0)
    ahead_s = again.journey.clocks.believe(world.now)
    assert ahead_s == pytest.approx(jump_s, abs=60.0)
    assert again.clock_changes[-1] == 0.0
    assert again.journey.clocks.utc() == world.clock_utc()
    world.run(2.0)
    over = jump_s > 0
    assert again.outcomes.count(Outcome.EXPIRED) == over
    assert telia.texts() == ([] if over else [b"old"])


@pytest.mark.parametrize("back_s", [60.0, 3 * DAY_S])
def test_a_jump_back_is_followed_when_the_kernel_keeps_the_clock_right(
    world: World, router: Router, back_s: float
) -> None:
    world.run(2.0)
    world.utc_offset -= back_s
    world.run(CONFIRM_S / 2)
    assert router.clock_changes == [pytest.approx(-back_s)]
    world.is_synchronised = True
    world.run(2.0)
    assert router.clock_changes[1:] == [0.0]
    assert router.journey.clocks.utc() == world.clock_utc()


def test_attempts_are_left_to_the_journal_although_the_clock_was_put_back(
    world: World, contract: Settings
) -> None:
    router = Router(world, contract, capacity=Capacity(pending_receipts=2))
    telia, client, _ = taken(router, 3)
    correlator = router.journey.pending.correlators[OperatorName("telia")]
    world.run(2.0)
    assert correlator.in_memory == 2
    telia.status = lambda _: None
    for _ in range(4):
        client.submit()
    world.run(1.0)
    corrected(world, router, -DAY_S)
    router.disk.is_stuck = True  # Of the next four the journal has none.
    for _, pdu in telia.submits[3:]:
        telia.answer(pdu)
    world.run(2.0)
    assert correlator.in_memory == 4
    router.disk.go_on()
    world.run(2.0)
    assert correlator.in_memory == 2
    assert len(correlator) == 7


def corrected(world: World, router: Router, by_s: float) -> None:
    """A time service has put the clock forward, and keeps it right."""
    world.utc_offset += by_s
    world.is_synchronised = True
    world.run(2.0)
    assert router.journey.clocks.utc() == world.clock_utc()


def test_a_clock_that_is_put_forward_ends_nothing_that_was_just_accepted(
    world: World, router: Router
) -> None:
    client = router.client()
    for text in (b"one", b"two"):
        client.submit(text=text)
    relative = b"000000001500000R"  # 15 minutes.
    client.submit(text=b"short", validity_period=relative)
    world.run(60.0)
    corrected(world, router, YEAR_S)
    corrected(world, router, DAY_S)
    assert router.outcomes == []
    world.run(850.0)
    assert router.outcomes == [Outcome.EXPIRED]
    telia = router.operator("telia")
    world.run(1.0)
    assert telia.texts() == [b"one", b"two"]
    client.submit(text=b"later")
    world.run(1.0)
    assert telia.texts()[2:] == [b"later"]


def test_what_was_just_accepted_expires_in_time_although_the_clock_was_put_forward(
    world: World, router: Router
) -> None:
    router.client().submit()
    world.run(60.0)
    corrected(world, router, YEAR_S)
    world.run(3 * CONFIRM_S - 90.0)
    assert router.outcomes == []
    world.run(60.0)
    assert router.outcomes == [Outcome.EXPIRED]


def test_the_lane_of_a_scheduled_message_has_its_time_although_the_clock_was_put_forward(
    world: World, contract: Settings
) -> None:
    settings = with_lane(contract, "otp", validity_s=300.0)
    router = Router(world, with_account(settings, "bank", schedule_delivery_time="honour"))
    router.client().submit(schedule_delivery_time=b"000000001000000R", text=b"at ten")
    world.run(60.0)
    corrected(world, router, DAY_S)
    assert router.outcomes == []
    telia = router.operator("telia")
    world.run(1.0)
    assert telia.texts() == [b"at ten"]


def test_what_remains_is_told_without_what_a_correction_took(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_operator(contract, "telia", validity_period="remaining"))
    router.client().submit(validity_period=b"000002000000000R")  # Two days.
    world.run(60.0)
    corrected(world, router, DAY_S)
    telia = router.operator("telia")
    world.run(1.0)
    ((_, pdu),) = telia.submits
    assert Sm(pdu).validity_period == b"000001235858000R"


@pytest.mark.parametrize("in_memory", [100, 0])
def test_a_receipt_is_waited_for_although_the_clock_was_put_forward(
    world: World, contract: Settings, in_memory: int
) -> None:
    settings = with_operator(contract, "telia", receipt_wait_s=600.0)
    router = Router(world, settings, capacity=Capacity(pending_receipts=in_memory))
    taken(router)
    world.run(60.0)
    corrected(world, router, YEAR_S)
    world.run(530.0)
    assert router.outcomes == []
    world.run(30.0)
    assert router.outcomes == [Outcome.UNKNOWN]


def test_a_receipt_is_kept_for_its_client_although_the_clock_was_put_forward(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_account(contract, "bank", outbox_s=600.0))
    telia, client, _ = taken(router)
    client.far.drop()
    telia.report(b"1")
    world.run(60.0)
    corrected(world, router, YEAR_S)
    deliveries = router.journey.counters.deliveries
    world.run(530.0)
    assert deliveries == {}
    world.run(20.0)
    assert deliveries == {(AccountName("bank"), "too_old"): 1}


def test_an_orphan_is_kept_although_the_clock_was_put_forward(world: World, router: Router) -> None:
    telia, _, _, _ = unanswered(router)
    text = receipt_text(b"99", b"DELIVRD")
    telia.deliver(text, (1, 1, b"37255512345"), (5, 0, b"BANK"), esm_class=4)
    world.run(1.0)
    correlator = router.journey.pending.correlators[OperatorName("telia")]
    corrected(world, router, DAY_S)
    assert correlator.orphans == 1
    world.run(ORPHAN_S)
    assert correlator.orphans == 0


def test_an_absolute_time_is_over_when_the_clock_is_put_forward_beyond_it(
    world: World, router: Router
) -> None:
    end = datetime.fromtimestamp(world.clock_utc() + 2 * DAY_S, UTC)
    router.client().submit(validity_period=end.strftime("%y%m%d%H%M%S000+").encode())
    world.run(2.0)
    corrected(world, router, DAY_S)
    assert router.outcomes == []
    corrected(world, router, 2 * DAY_S)
    assert router.outcomes == [Outcome.EXPIRED]


def test_what_comes_after_a_correction_is_not_prolonged(world: World, router: Router) -> None:
    corrected(world, router, DAY_S)
    router.client().submit()
    world.run(3 * CONFIRM_S + 2.0)
    assert router.outcomes == [Outcome.EXPIRED]


def test_only_the_journal_has_what_goes_on_when_the_clock_is_put_forward(
    world: World, contract: Settings
) -> None:
    few = Capacity(queue_messages=2, queue_refill_below=2, queue_fetch=2)
    router = Router(world, with_lane(contract, "otp", validity_s=300.0), capacity=few)
    client = router.client()
    texts = [b"%d" % number for number in range(9)]
    for text in texts:
        client.submit(text=text)
    world.run(10.0)
    corrected(world, router, DAY_S)
    telia = router.operator("telia")
    world.run(5.0)
    assert sorted(telia.texts()) == texts
    assert router.outcomes.count(Outcome.EXPIRED) == 0


def test_what_came_in_a_doubt_goes_on_when_it_ends_and_what_is_old_does_not(
    world: World, router: Router
) -> None:
    again = left(world, router, DAY_S)
    again.client().submit(text=b"new")
    world.run(10.0)
    world.is_synchronised = True
    world.run(2.0)
    telia = again.operator("telia")
    world.run(1.0)
    assert again.outcomes == [Outcome.EXPIRED]
    assert telia.texts() == [b"new"]


def test_more_than_may_wait_aside_wait_in_their_lanes(world: World, router: Router) -> None:
    client = router.client()
    for _ in range(5):
        client.submit()
    world.run(2.0)
    world.utc_offset += DAY_S
    again = router.restarted(Capacity(messages_doubted=3))
    telia = again.operator("telia")
    world.run(10.0)
    assert again.journey.lanes.delays.doubted() == 3
    assert again.room_taken() == 5
    world.utc_offset -= DAY_S
    world.run(3.0)
    assert len(telia.texts()) == 5


def test_validity_ends_in_time_although_the_clock_is_wrong(world: World, router: Router) -> None:
    router.client().submit()
    world.run(2.0)
    world.utc_offset += YEAR_S
    again = router.restarted()
    world.run(3 * CONFIRM_S + 5.0)  # The journal knew the time of some seconds before.
    assert again.outcomes == [Outcome.EXPIRED]


def test_a_journal_that_holds_nothing_leaves_the_clock_its_say(
    world: World, router: Router
) -> None:
    world.run(2.0)
    world.utc_offset += YEAR_S
    again = router.restarted()
    assert again.journey.clocks.utc() == world.clock_utc()
    assert again.clock_changes == []
