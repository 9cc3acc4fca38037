"""Warnings of limits that are never reached, or that cannot be counted for so long."""

from collections.abc import Iterator
from typing import Final

from router.check.limits import MOST_KEYS, words_of
from router.settings.mistakes import Mistake, item_path, key_path, warning_at
from router.settings.units import show_duration
from router.terms.names import LaneName
from router.terms.settings import AccountSettings, LimitPer, LimitSettings, Settings

LONG_S: Final = 7 * 86_400.0
"""What is counted for so long is forgotten by a restart before its time, as a rule."""
_COARSER: Final[dict[LimitPer, tuple[LimitPer, ...]]] = {
    "text": ("text", "number", "block", "country", "account"),
    "number": ("number", "block", "country", "account"),
    "block": ("block", "country", "account"),
    "country": ("country", "account"),
    "account": ("account",),
}
"""What also counts all that is counted together."""


def limit_warnings(settings: Settings) -> Iterator[Mistake]:
    """Yield a warning for each limit that says nothing, or not what it seems to say."""
    by_rule = {route.lane for route in settings.routes if route.lane is not None}
    for account in settings.accounts.values():
        path = f"{key_path('accounts', account.name)}.limits"
        for number, limit in enumerate(account.limits):
            for what in _of_limit(account, number, limit, by_rule):
                place = f"{item_path(path, number)}.per"
                yield warning_at(settings.places, place, f"{words_of(limit)}: {what}")


def _of_limit(
    account: AccountSettings, number: int, limit: LimitSettings, by_rule: set[LaneName]
) -> Iterator[str]:
    own = {
        account.lane, *account.lane_by_priority.values(), *account.lane_by_service_type.values(),
    }  # fmt: skip
    if limit.lanes and not own.intersection(limit.lanes):
        why = "; that of a route does not count here" if by_rule.intersection(limit.lanes) else ""
        yield f"no message of the account is in lane {' or '.join(limit.lanes)}{why}"
        return
    for place, other in enumerate(account.limits):
        # Of two that are reached together the first refuses.
        is_first = other.most < limit.most or place < number
        if place != number and is_first and _covers(other, limit):
            yield f"it is never reached: limits[{place}] is reached first"
            break
    rate = account.rate
    if rate is not None:
        burst = account.burst or rate.count
        may_come = rate.per_second * limit.in_s + burst
        if limit.most >= may_come:
            come = f"at most {may_come:g} come in {show_duration(limit.in_s)}"
            yield f"it is never reached: with its rate of {rate} {come}"
        elif limit.per in ("text", "number", "block") and 2 * may_come > MOST_KEYS:
            yield (
                f"with its rate of {rate} there may be more of them than the {MOST_KEYS:,} that "
                "are counted, and the oldest are forgotten; a shorter `in` needs less"
            )
    if limit.in_s > LONG_S:
        yield "a restart forgets what was counted"


def _covers(one: LimitSettings, other: LimitSettings) -> bool:
    """Whether whatever would reach the other limit has reached this one."""
    return (
        one.do == "refuse"
        and one.per in _COARSER[other.per]
        and one.most <= other.most
        and one.in_s >= other.in_s
        and (not one.lanes or (bool(other.lanes) and set(other.lanes) <= set(one.lanes)))
        and (
            not one.countries
            or (bool(other.countries) and set(other.countries) <= set(one.countries))
        )
    )
