"""What a running router can follow of a configuration that needs a restart: all but that.

The result is valid in itself, as every configuration is, or there is none: a route may name a lane
that will be there only after the restart.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from itertools import zip_longest
from typing import TypeVar

from router.settings.digest import digest_of
from router.settings.keys import MOST_SHARED
from router.settings.mistakes import Mistake, SettingsError, item_path, key_path, mistake_at
from router.settings.units import show_percent
from router.terms.names import AccountName, LaneName
from router.terms.settings import (
    URGENT_FAILOVER_AFTER_S,
    AccountSettings,
    LaneSettings,
    ListenSettings,
    OperatorSettings,
    Place,
    Settings,
)

Name = TypeVar("Name", bound=str)
Part = TypeVar("Part", AccountSettings, OperatorSettings)


def without_restart(old: Settings, new: Settings, late: Collection[AccountName] = ()) -> Settings:
    """Return the new configuration with what needs a restart as it was in the old.

    So whoever compares the result with the new one again finds the same to need a restart. `late`
    are new accounts that can have what their former names have only later. Raises SettingsError
    where the two do not go together.
    """
    had_records, has_records = bool(old.records.keep_s), bool(new.records.keep_s)
    partly = replace(
        new,
        accounts=_not_renamed(old.accounts, new.accounts, late),
        operators=_not_renamed(old.operators, new.operators, ()),
        records=new.records if had_records == has_records else old.records,
        listen=_listeners(old, new),
        journal=old.journal,
        telemetry=replace(new.telemetry, listen=old.telemetry.listen),
        control=replace(new.control, listen=old.control.listen),
        lanes=tuple(_lanes(old, new)),
        node=old.node,
    )
    mistakes = list(_mistakes(partly))
    if mistakes:
        raise SettingsError(mistakes)
    return replace(partly, digest=digest_of(partly))


def _lanes(old: Settings, new: Settings) -> Iterator[LaneSettings]:
    """Yield the old lanes, in their old order, each with its new values if it has any.

    The default of the first lane belongs to the place: it goes to another lane after the restart.
    """
    places = {lane.name: place for place, lane in enumerate(new.lanes)}
    for place, before in enumerate(old.lanes):
        then = places.get(before.name)
        if then is None:
            yield before
            continue
        lane = new.lanes[then]
        is_written = key_path(item_path("lanes", then), "failover_after") in new.places
        if lane.failover_after_s == _failover_after_s(then) and not is_written:
            lane = replace(lane, failover_after_s=_failover_after_s(place))
        yield lane


def _failover_after_s(place: int) -> float | None:
    return None if place else URGENT_FAILOVER_AFTER_S


def _not_renamed(
    old: Mapping[Name, Part], new: Mapping[Name, Part], late: Collection[Name]
) -> Mapping[Name, Part]:
    """Return the new parts, without the former names that only a restart follows."""

    def followed(name: Name, part: Part) -> Part:
        before = old.get(name)
        if before is None:
            return replace(part, formerly=None) if name in late else part
        return part if part.formerly is None else replace(part, formerly=before.formerly)

    kept = {name: followed(name, part) for name, part in new.items()}
    return new if kept == new else kept


def _listeners(old: Settings, new: Settings) -> tuple[ListenSettings, ...]:
    """Return the old listeners, each with its new certificate and proxies if it had any."""

    def followed(before: ListenSettings, after: ListenSettings | None) -> ListenSettings:
        if after is None or after.address != before.address:
            return before
        tls = after.tls if after.tls and before.tls else before.tls
        proxy = after.proxy if after.proxy and before.proxy else before.proxy
        return replace(before, tls=tls, proxy=proxy)

    return tuple(followed(*both) for both in zip_longest(old.listen, new.listen) if both[0])


def _mistakes(settings: Settings) -> Iterator[Mistake]:
    """Find lanes that are not there, and shares that are too much together."""
    lanes = {lane.name for lane in settings.lanes}
    for name, account in settings.accounts.items():
        named: Mapping[str, tuple[LaneName, ...]] = {
            "lane": (account.lane,),
            "lane_by_priority": tuple(account.lane_by_priority.values()),
            "lane_by_service_type": tuple(account.lane_by_service_type.values()),
        }
        for key, of_key in named.items():
            path = key_path(key_path("accounts", name), key)
            place = settings.places.get(path, Place(""))
            for lane in dict.fromkeys(of_key):
                if lane not in lanes:
                    yield mistake_at(place, path, _not_there(lane))
    for number, route in enumerate(settings.routes):
        of_route = {"lane": () if route.lane is None else (route.lane,), "in_lane": route.in_lane}
        for key, names in of_route.items():
            for lane in names:
                if lane not in lanes:
                    place = Place(route.file, route.line)
                    yield mistake_at(place, f"routes[{number}].{key}", _not_there(lane))
    shares = sum(lane.min_share for lane in settings.lanes)
    if shares > MOST_SHARED + 1e-9:
        yield mistake_at(
            settings.places.get("lanes", Place("")),
            "lanes",
            f"until a restart the shares (min_share) would add up to {show_percent(shares)}; at "
            f"most {show_percent(MOST_SHARED)} can be kept while urgent messages wait",
        )


def _not_there(lane: LaneName) -> str:
    return f"the lane {lane!r} is there only after a restart"
