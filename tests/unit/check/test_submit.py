"""router/check/submit.py: number, lane and end of a message, or what the client hears instead."""

from typing import Final

import pytest

from router.check.submit import LONGEST_SCHEDULE_S, NEVER, Checked, Checks
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu, Sm
from router.terms.names import AccountName, LaneName
from router.terms.outcome import (
    SCHEDULE_TOO_FAR,
    UNREADABLE_SCHEDULE,
    UNREADABLE_VALIDITY,
    VALIDITY_IS_OVER,
    WRONG_DESTINATION,
    Refusal,
)
from router.terms.settings import AccountSettings, LaneSettings, Schedule
from tests.unit.messages import values

NOW: Final = 1_800_000_000.0
OTP, ALERT, BULK = (LaneName(name) for name in ("otp", "alert", "bulk"))
CHECKS: Final = Checks(
    [
        LaneSettings(name=OTP, validity_s=300.0),
        LaneSettings(name=ALERT),
        LaneSettings(name=BULK, validity_s=86_400.0),
    ]
)


def account(
    by_priority: dict[int, LaneName] | None = None,
    by_service_type: dict[str, LaneName] | None = None,
    schedule: Schedule = "as_it_came",
) -> AccountSettings:
    return AccountSettings(
        name=AccountName("bank"),
        passwords=("secret01",),
        lane=BULK,
        lane_by_priority=by_priority or {},
        lane_by_service_type=by_service_type or {},
        schedule_delivery_time=schedule,
    )


PLAIN: Final = account()
HONOURED: Final = account(schedule="honour")


def submit_sm(
    destination: bytes = b"+46701234567",
    priority: int = 0,
    service_type: bytes = b"",
    validity: bytes = b"",
    schedule: bytes = b"",
) -> Sm:
    octets = p.sm(
        v.SUBMIT_SM,
        1,
        destination=(1, 1, destination),
        short_message=b"hello",
        priority_flag=priority,
        service_type=service_type,
        validity_period=validity,
        schedule_delivery_time=schedule,
    )
    return Sm(Pdu(v.SUBMIT_SM, 0, 1, octets))


def data_sm(destination: bytes, service_type: bytes) -> Sm:
    body = service_type + b"\0" + p.address(0, 0, b"bank") + p.address(1, 1, destination)
    octets = p.build(v.DATA_SM, 0, 1, body + bytes(3))
    return Sm(Pdu(v.DATA_SM, 0, 1, octets))


def checked(sm: Sm, settings: AccountSettings = PLAIN) -> Checked:
    found = CHECKS.check(sm, settings, NOW)
    assert isinstance(found, Checked)
    return found


def refusal(sm: Sm, settings: AccountSettings = PLAIN) -> Refusal:
    found = CHECKS.check(sm, settings, NOW)
    assert isinstance(found, Refusal)
    return found


# Number.


def test_number_is_the_routing_key_of_the_destination() -> None:
    assert checked(submit_sm(b"+46 70-123")).number == "4670123"


@pytest.mark.parametrize("destination", [b"", b"+", b"Telia", b"46+70"])
def test_destination_that_is_no_number_is_refused(destination: bytes) -> None:
    assert refusal(submit_sm(destination)) is WRONG_DESTINATION
    assert WRONG_DESTINATION.status == 0x0B


# Lane.


def test_lane_is_that_of_the_account() -> None:
    assert checked(submit_sm(priority=3, service_type=b"OTP")).lane == BULK


def test_priority_flag_chooses_the_lane() -> None:
    settings = account(by_priority={0: ALERT, 3: OTP})
    lanes = [checked(submit_sm(priority=one), settings).lane for one in (0, 1, 3, 255)]
    assert lanes == [ALERT, BULK, OTP, BULK]


def test_service_type_chooses_the_lane() -> None:
    settings = account(by_service_type={"OTP": OTP, "": ALERT})
    types = (b"OTP", b"", b"otp", b"OT", b"\xd6TP")
    lanes = [checked(submit_sm(service_type=one), settings).lane for one in types]
    assert lanes == [OTP, ALERT, BULK, BULK, BULK]


def test_service_type_goes_before_priority_flag() -> None:
    settings = account({3: ALERT}, {"OTP": OTP})
    assert checked(submit_sm(priority=3, service_type=b"OTP"), settings).lane == OTP
    assert checked(submit_sm(priority=3, service_type=b"CMT"), settings).lane == ALERT
    assert checked(submit_sm(priority=1, service_type=b"CMT"), settings).lane == BULK


def test_data_sm_has_a_service_type_and_no_priority_but_zero() -> None:
    settings = account({0: ALERT}, {"OTP": OTP})
    assert values(checked(data_sm(b"+4670", b"OTP"), settings)) == values(
        Checked("4670", OTP, None)
    )
    assert values(checked(data_sm(b"+4670", b""), settings)) == values(Checked("4670", ALERT, None))


# Validity.


def test_message_without_validity_period_brings_no_end() -> None:
    assert checked(submit_sm()).ends_utc is None


@pytest.mark.parametrize("schedule", [b"", b"000000010000000R"])
def test_validity_period_ends_when_it_says(schedule: bytes) -> None:
    relative = submit_sm(validity=b"000000000500000R", schedule=schedule)
    absolute = submit_sm(validity=b"280229120000004+", schedule=schedule)
    assert checked(relative).ends_utc == NOW + 300.0
    assert checked(absolute).ends_utc == 1_835_434_800.0


@pytest.mark.parametrize("validity", [b"R", b"5m", b"280230120000000+", b"000000000500000X"])
def test_validity_period_that_cannot_be_read_is_refused(validity: bytes) -> None:
    assert refusal(submit_sm(validity=validity)) is UNREADABLE_VALIDITY
    assert UNREADABLE_VALIDITY.status == VALIDITY_IS_OVER.status == 0x62


@pytest.mark.parametrize("validity", [b"270101000000000+", b"000101000000000+", b"2701010000"])
def test_validity_period_that_has_ended_is_refused(validity: bytes) -> None:
    assert refusal(submit_sm(validity=validity)) is VALIDITY_IS_OVER


@pytest.mark.parametrize("validity", [b"280229110000-00", b"280229110000+00", b"280229110000"])
def test_validity_period_in_a_form_that_is_in_use_goes_on_in_that_of_smpp(validity: bytes) -> None:
    one = checked(submit_sm(validity=validity))
    assert (one.ends_utc, one.validity_period) == (1_835_434_800.0, b"280229110000000+")


def test_validity_period_in_the_form_of_smpp_goes_on_as_it_came() -> None:
    assert checked(submit_sm(validity=b"280229120000004+")).validity_period is None
    assert checked(submit_sm()).validity_period is None


@pytest.mark.parametrize("schedule", [b"", b"000000010000000R"])
@pytest.mark.parametrize("zero", [b"000000000000000R", b"000000000000900R"])
def test_relative_validity_period_of_zero_is_none(zero: bytes, schedule: bytes) -> None:
    one = checked(submit_sm(validity=zero, schedule=schedule), HONOURED)
    assert (one.ends_utc, one.validity_period) == (None, b"")


def test_validity_period_of_one_second_is_long_enough() -> None:
    assert checked(submit_sm(validity=b"000000000001000R")).ends_utc == NOW + 1.0


def test_wrong_destination_is_told_before_wrong_validity() -> None:
    assert refusal(submit_sm(b"Telia", validity=b"R")) is WRONG_DESTINATION


def test_own_validity_goes_before_that_of_the_lane() -> None:
    own = Checked("4670", OTP, NOW + 7.0)
    assert [CHECKS.expires_utc(own, lane, NOW) for lane in (OTP, ALERT, BULK)] == [NOW + 7.0] * 3


def test_lane_that_a_route_chose_decides_how_long_a_message_may_wait() -> None:
    found = checked(submit_sm())
    assert found.lane == BULK
    ends = [CHECKS.expires_utc(found, lane, NOW) for lane in (OTP, ALERT, BULK)]
    assert ends == [NOW + 300.0, NEVER, NOW + 86_400.0]


# Schedule.


@pytest.mark.parametrize("schedule", [b"", b"nonsense", b"000000010000000R"])
def test_schedule_that_is_passed_on_is_not_read(schedule: bytes) -> None:
    assert checked(submit_sm(schedule=schedule)).not_before_utc == 0.0


@pytest.mark.parametrize(
    ("schedule", "at_utc"),
    [
        (b"", 0.0),
        (b"000000010000000R", NOW + 3600.0),
        (b"000000000000000R", NOW),
        (b"270115090000000+", NOW + 3600.0),
        (b"270115090000004+", NOW),
        (b"2701150900", NOW + 3600.0),
        (b"270115090000-00", NOW + 3600.0),
        (b"000101000000000+", 946_684_800.0),
    ],
)
def test_schedule_that_is_honoured_says_until_when(schedule: bytes, at_utc: float) -> None:
    assert checked(submit_sm(schedule=schedule), HONOURED).not_before_utc == at_utc


@pytest.mark.parametrize("schedule", [b"nonsense", b"280230120000000+", b"000000010000000X"])
def test_schedule_that_cannot_be_read_is_refused_where_it_is_honoured(schedule: bytes) -> None:
    assert refusal(submit_sm(schedule=schedule), HONOURED) is UNREADABLE_SCHEDULE
    assert UNREADABLE_SCHEDULE.status == SCHEDULE_TOO_FAR.status == 0x61


@pytest.mark.parametrize(("schedule", "is_good"), [(b"010001", True), (b"010002", False)])
def test_schedule_is_at_most_a_year_ahead(schedule: bytes, is_good: bool) -> None:
    found = CHECKS.check(submit_sm(schedule=schedule + b"000000000R"), HONOURED, NOW)
    assert isinstance(found, Checked) if is_good else found is SCHEDULE_TOO_FAR
    assert LONGEST_SCHEDULE_S == 366 * 86_400.0


@pytest.mark.parametrize("validity", [b"000000010000000R", b"270115090000000+"])
def test_validity_that_ends_before_the_message_may_go_is_refused(validity: bytes) -> None:
    sm = submit_sm(schedule=b"000000010000000R", validity=validity)
    assert refusal(sm, HONOURED) is VALIDITY_IS_OVER
    assert checked(sm).ends_utc == NOW + 3600.0


def test_validity_of_the_lane_begins_with_the_schedule() -> None:
    found = checked(submit_sm(schedule=b"000000010000000R"), HONOURED)
    ends = [CHECKS.expires_utc(found, lane, NOW) for lane in (OTP, ALERT, BULK)]
    assert ends == [NOW + 3900.0, NEVER, NOW + 90_000.0]
    past = checked(submit_sm(schedule=b"270115070000000+"), HONOURED)
    assert CHECKS.expires_utc(past, OTP, NOW) == NOW + 300.0
