"""Validity and schedule on the whole way: what is not sent, what is sent later, what it then says.

The world begins on 2027-01-15 at 08:00:00 UTC.
"""

import pytest
from structlog.testing import capture_logs

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.terms.outcome import Outcome
from router.terms.settings import Settings
from tests.doubles import Router, World, with_account, with_operator

FIVE_MINUTES = b"000000000500000R"
IN_A_SECOND = b"000000000001000R"
IN_AN_HOUR = b"000000010000000R"
NINE_OCLOCK = b"270115090000000+"
HOUR_S = 3600.0


@pytest.fixture
def telling(world: World, contract: Settings) -> Router:
    """A router that tells telia what remains of a validity_period."""
    return Router(world, with_operator(contract, "telia", validity_period="remaining"))


@pytest.fixture
def honouring(world: World, contract: Settings) -> Router:
    """A router that honours what bank schedules."""
    return Router(world, with_account(contract, "bank", schedule_delivery_time="honour"))


def sent_to(router: Router, world: World, **fields: bytes) -> p.Sm:
    """The message as telia gets it, which is down for the first two minutes."""
    client = router.client()
    client.submit(**fields)  # type: ignore[arg-type]
    world.run(120.0)
    telia = router.operator("telia")
    world.run(2.0)
    ((_, pdu),) = telia.submits
    return p.Sm(pdu)


# Validity.


@pytest.mark.parametrize("period", [FIVE_MINUTES, b"270115080500000+"])
def test_a_message_whose_period_has_passed_is_not_sent_and_its_client_hears(
    world: World, router: Router, period: bytes
) -> None:
    client = router.client()
    client.submit(validity_period=period)
    world.run(301.0)
    telia = router.operator("telia")
    world.run(5.0)
    assert telia.submits == []
    assert router.outcomes == [Outcome.EXPIRED]
    (text,) = client.receipt_texts()
    assert b" stat:EXPIRED " in text
    router.assert_all_is_over()


def test_a_period_goes_out_as_it_came(world: World, router: Router) -> None:
    assert sent_to(router, world, validity_period=FIVE_MINUTES).validity_period == FIVE_MINUTES


def test_what_remains_of_a_relative_period_is_told_where_it_is_wanted(
    world: World, telling: Router
) -> None:
    sm = sent_to(telling, world, validity_period=FIVE_MINUTES, text=b"Tere")
    assert sm.validity_period == b"000000000300000R"
    assert sm.short_message == b"Tere"


def test_an_absolute_period_says_the_same_whenever_it_is_told(
    world: World, telling: Router
) -> None:
    sm = sent_to(telling, world, validity_period=NINE_OCLOCK)
    assert sm.validity_period == NINE_OCLOCK


def test_the_validity_of_a_lane_is_told_to_nobody(world: World, telling: Router) -> None:
    assert sent_to(telling, world).validity_period == b""


def test_what_is_tried_again_is_told_what_remains_then(world: World, telling: Router) -> None:
    telia = telling.operator("telia", status=v.ESME_RSYSERR)  # Tried again in 30 s.
    telling.client().submit(validity_period=FIVE_MINUTES)
    world.run(31.0)
    periods = [p.Sm(pdu).validity_period for _, pdu in telia.submits]
    assert periods == [FIVE_MINUTES, b"000000000429000R"]


# Schedule.


def test_a_schedule_goes_out_as_it_came_and_at_once(world: World, router: Router) -> None:
    telia = router.operator("telia")
    router.client().submit(schedule_delivery_time=IN_AN_HOUR)
    world.run(1.0)
    ((_, pdu),) = telia.submits
    assert p.Sm(pdu).schedule_delivery_time == IN_AN_HOUR


@pytest.mark.parametrize("schedule", [IN_AN_HOUR, NINE_OCLOCK])
def test_a_schedule_that_is_honoured_waits_here_and_goes_out_empty(
    world: World, honouring: Router, schedule: bytes
) -> None:
    telia = honouring.operator("telia")
    client = honouring.client()
    began = world.now
    number = client.submit(schedule_delivery_time=schedule, text=b"Tere")
    world.run(HOUR_S - 5.0)
    assert client.status_of(number) == v.ESME_ROK
    assert telia.submits == []
    world.run(10.0)
    ((at, pdu),) = telia.submits
    assert at - began == pytest.approx(HOUR_S, abs=2.2)
    sm = p.Sm(pdu)
    assert (sm.schedule_delivery_time, sm.short_message) == (b"", b"Tere")
    telia.report(b"1")
    world.run(1.0)
    honouring.assert_all_is_over()


def test_nothing_waits_behind_what_is_scheduled(world: World, honouring: Router) -> None:
    telia = honouring.operator("telia")
    client = honouring.client()
    client.submit(schedule_delivery_time=IN_AN_HOUR, text=b"first", registered_delivery=0)
    client.submit(text=b"second", registered_delivery=0)
    world.run(1.0)
    assert telia.texts() == [b"second"]
    assert honouring.journey.lanes.delays.scheduled() == 1
    world.run(HOUR_S)
    assert telia.texts() == [b"second", b"first"]
    honouring.assert_all_is_over()


def test_the_time_until_the_schedule_counts_as_nobodys_waiting(
    world: World, honouring: Router
) -> None:
    honouring.operator("telia")
    honouring.client().submit(schedule_delivery_time=IN_AN_HOUR, registered_delivery=0)
    world.run(HOUR_S + 5.0)
    ((_, waited_s),) = honouring.journey.counters.queue_wait_s.items()
    assert waited_s.sum < 5.0


def test_what_is_scheduled_together_begins_in_the_order_it_came(
    world: World, honouring: Router
) -> None:
    telia = honouring.operator("telia")
    client = honouring.client()
    texts = [b"%d" % n for n in range(20)]
    for text in texts:
        client.submit(schedule_delivery_time=NINE_OCLOCK, text=text, registered_delivery=0)
    world.run(HOUR_S + 5.0)
    assert telia.texts() == texts


def test_a_schedule_that_has_passed_is_due(world: World, honouring: Router) -> None:
    telia = honouring.operator("telia")
    honouring.client().submit(schedule_delivery_time=b"270115070000000+", registered_delivery=0)
    world.run(2.0)
    ((_, pdu),) = telia.submits
    assert p.Sm(pdu).schedule_delivery_time == b""


@pytest.mark.parametrize(
    ("fields", "status", "reason"),
    [
        ({"schedule_delivery_time": b"tomorrow"}, v.ESME_RINVSCHED, "wrong_schedule"),
        ({"schedule_delivery_time": b"991332000000000+"}, v.ESME_RINVSCHED, "wrong_schedule"),
        ({"schedule_delivery_time": b"030000000000000R"}, v.ESME_RINVSCHED, "wrong_schedule"),
        (
            {"schedule_delivery_time": IN_AN_HOUR, "validity_period": FIVE_MINUTES},
            v.ESME_RINVEXPIRY,
            "wrong_validity",
        ),
    ],
)
def test_a_schedule_that_cannot_be_kept_is_refused(
    world: World, honouring: Router, fields: dict[str, bytes], status: int, reason: str
) -> None:
    client = honouring.client()
    with capture_logs() as logs:
        number = client.submit(**fields)  # type: ignore[arg-type]
        world.run(0.1)
    assert client.status_of(number) == status
    assert honouring.journey.counters.refused_pdus == {reason: 1}
    assert honouring.room_taken() == 0
    field = "validity_period" if reason == "wrong_validity" else "schedule_delivery_time"
    (told,) = (log["why"] for log in logs if log["event"] == "pdu.refused")
    assert told.endswith(f": {fields[field].decode()}")


@pytest.mark.parametrize("schedule", [b"", IN_A_SECOND])
@pytest.mark.parametrize(
    ("period", "goes_on"),
    [
        (b"991231235959-00", b"991231235959000+"),
        (b"991231235959", b"991231235959000+"),
        (b"9912312359", b"991231235900000+"),
        (b"000000000000000R", b""),
    ],
)
def test_a_validity_period_in_a_form_that_is_in_use_goes_on_as_smpp_has_it(
    world: World, honouring: Router, schedule: bytes, period: bytes, goes_on: bytes
) -> None:
    telia, client = honouring.operator("telia"), honouring.client()
    number = client.submit(validity_period=period, schedule_delivery_time=schedule)
    world.run(5.0)
    assert client.status_of(number) == v.ESME_ROK
    ((_, pdu),) = telia.submits
    sm = p.Sm(pdu)
    assert (sm.validity_period, sm.schedule_delivery_time) == (goes_on, b"")


def test_a_relative_validity_period_of_zero_leaves_the_lanes(
    world: World, honouring: Router
) -> None:
    client = honouring.client()
    client.submit(validity_period=b"000000000000000R")  # In a lane of five minutes.
    world.run(290.0)
    assert honouring.outcomes == []
    world.run(11.0)
    assert honouring.outcomes == [Outcome.EXPIRED]


def test_the_validity_of_a_lane_begins_with_the_schedule(world: World, honouring: Router) -> None:
    client = honouring.client()
    client.submit(schedule_delivery_time=IN_AN_HOUR)  # In a lane of five minutes.
    world.run(HOUR_S + 290.0)
    assert honouring.outcomes == []
    world.run(20.0)
    assert honouring.outcomes == [Outcome.EXPIRED]


def test_a_period_of_its_own_begins_when_it_is_accepted(world: World, honouring: Router) -> None:
    client = honouring.client()
    client.submit(schedule_delivery_time=IN_AN_HOUR, validity_period=b"000000010100000R")
    world.run(HOUR_S + 62.0)
    assert honouring.outcomes == [Outcome.EXPIRED]


def test_what_is_scheduled_outlives_a_restart(world: World, honouring: Router) -> None:
    client = honouring.client()
    for text in (b"scheduled", b"other"):
        schedule = NINE_OCLOCK if text == b"scheduled" else b""
        client.submit(schedule_delivery_time=schedule, text=text, registered_delivery=0)
    world.run(10.0)
    after = honouring.restarted()
    telia = after.operator("telia")
    world.run(5.0)
    assert telia.texts() == [b"other"]
    assert after.room_taken() == 1
    world.run(HOUR_S)
    assert telia.texts() == [b"other", b"scheduled"]
    assert after.room_taken() == 0


def test_what_is_scheduled_is_in_doubt_after_a_crash_though_others_went_before_it(
    world: World, honouring: Router
) -> None:
    telia = honouring.operator("telia", status=None)
    client = honouring.client()
    for schedule, text in ((NINE_OCLOCK, b"scheduled"), (b"", b"other")):
        client.submit(schedule_delivery_time=schedule, text=text, registered_delivery=0)
    world.run(1.0)
    telia.answer(telia.submits[0][1])
    world.run(HOUR_S)
    assert telia.texts()[:2] == [b"other", b"scheduled"]
    after = honouring.restarted()
    again = after.operator("telia")
    world.run(5.0)
    assert again.texts() == [b"scheduled"]
    assert after.journey.counters.repeated == {"telia": 1}
