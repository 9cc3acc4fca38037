"""Whether an account may send a message; from the PDU's view to what routing needs of it."""

from collections.abc import Sequence
from typing import Final

from router.check.number import routing_key
from router.smpp.pdu import Sm, relay_with
from router.smpp.times import in_full, is_relative, time_utc
from router.terms.names import LaneName
from router.terms.outcome import (
    SCHEDULE_TOO_FAR,
    UNREADABLE_SCHEDULE,
    UNREADABLE_VALIDITY,
    VALIDITY_IS_OVER,
    WRONG_DESTINATION,
    Refusal,
)
from router.terms.settings import AccountSettings, LaneSettings

NEVER: Final = float("inf")
LONGEST_SCHEDULE_S: Final = 366 * 86_400.0
"""How far ahead a message may be scheduled that waits in the router, where it takes up room."""


class Checked:
    """What the router has read of a message, besides what it passes on unread."""

    __slots__ = ("ends_utc", "lane", "not_before_utc", "number", "validity_period")

    def __init__(
        self,
        number: str,
        lane: LaneName,
        ends_utc: float | None,
        not_before_utc: float = 0.0,
        validity_period: bytes | None = None,
    ) -> None:
        self.number: Final = number
        """The destination's routing key."""
        self.lane: Final = lane
        """By account, priority_flag or service_type; a route may override it."""
        self.ends_utc: Final = ends_utc
        """When the message's own validity_period ends; None if it has none."""
        self.not_before_utc: Final = not_before_utc
        """The client's schedule, if the router honours schedules of this account; else 0."""
        self.validity_period: Final = validity_period
        """What goes on instead of a validity_period in a form that is none; None: as it came."""


def to_keep(sm: Sm, checked: Checked) -> bytes:
    """Return the PDU that waits for an operator: without a schedule that the router keeps itself.

    And with a validity_period that operators can read.
    """
    if not checked.not_before_utc and checked.validity_period is None:
        return sm.octets
    return relay_with(
        sm,
        0,
        schedule_delivery_time=b"" if checked.not_before_utc else None,
        validity_period=checked.validity_period,
    )


class Checks:
    """The checks, with the settings that they need in the form that they need."""

    def __init__(self, lanes: Sequence[LaneSettings]) -> None:
        self._validity_s: Final = {lane.name: lane.validity_s for lane in lanes}

    def check(self, sm: Sm, account: AccountSettings, now_utc: float) -> Checked | Refusal:
        """Check one message of an account."""
        number = routing_key(sm.destination_addr)
        if number is None:
            return WRONG_DESTINATION
        lane = account.lane
        if account.lane_by_priority:
            lane = account.lane_by_priority.get(sm.priority_flag, lane)
        if account.lane_by_service_type:
            service_type = sm.service_type.decode("latin-1")
            lane = account.lane_by_service_type.get(service_type, lane)
        begin = 0.0
        if account.schedule_delivery_time == "honour" and (schedule := sm.schedule_delivery_time):
            at = time_utc(in_full(schedule), now_utc)
            if at is None:
                return UNREADABLE_SCHEDULE
            if at > now_utc + LONGEST_SCHEDULE_S:
                return SCHEDULE_TOO_FAR
            begin = at  # A time that has passed is no mistake, because clocks differ: send at once.
        period = sm.validity_period
        if not period:
            return Checked(number, lane, None, begin)
        full = in_full(period)
        end = time_utc(full, now_utc)
        if end is None:
            return UNREADABLE_VALIDITY
        if end <= max(now_utc, begin):
            if is_relative(full) and end == now_utc:  # Zero: clients mean no period by it.
                return Checked(number, lane, None, begin, b"")
            return VALIDITY_IS_OVER
        return Checked(number, lane, end, begin, full if full != period else None)

    def expires_utc(self, checked: Checked, lane: LaneName, now_utc: float) -> float:
        """Return when the message expires: by its own period, or else by the lane's validity.

        Both times of a message count from now (3.4, 7.1.1.2), so its own period goes on while the
        message waits for its schedule. A lane's validity is for the time in the lane, so it begins
        with the schedule.
        """
        if checked.ends_utc is not None:
            return checked.ends_utc
        validity_s = self._validity_s[lane]
        return NEVER if validity_s is None else max(now_utc, checked.not_before_utc) + validity_s
