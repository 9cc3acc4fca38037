"""May this account send this, and in which normal form? From a PDU's view to what routing needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from router.check.number import routing_key
from router.check.validity import ends_utc
from router.smpp.pdu import Sm
from router.terms.outcome import WRONG_DESTINATION, WRONG_VALIDITY, Refusal
from router.terms.settings import AccountSettings, LaneSettings

NEVER: Final = float("inf")


@dataclass(slots=True)
class Checked:
    """What the router has read of a message, besides what it passes on unread."""

    number: str
    """The destination's routing key."""
    lane: int
    """By account, priority_flag or service_type; a route may override it."""
    ends_utc: float | None
    """When its own validity_period ends; None where it brought none."""


class Checks:
    """The checks, with what they need of the settings looked up beforehand."""

    def __init__(self, lanes: Sequence[LaneSettings]) -> None:
        self._places: Final = {lane.name: place for place, lane in enumerate(lanes)}
        self._validity_s: Final = [lane.validity_s for lane in lanes]

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
        period = sm.validity_period
        end: float | None = None
        if period:
            end = ends_utc(period, now_utc)
            if end is None or end <= now_utc:
                return WRONG_VALIDITY
        return Checked(number, self._places[lane], end)

    def expires_utc(self, checked: Checked, lane: int, now_utc: float) -> float:
        """When the message may wait no longer: its own period, or else the lane's."""
        if checked.ends_utc is not None:
            return checked.ends_utc
        validity_s = self._validity_s[lane]
        return NEVER if validity_s is None else now_utc + validity_s
