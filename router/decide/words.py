"""Rules in words: their conditions as they were written, long lists in short."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

from router.decide.hours import DAYS
from router.terms.settings import Day, ListFile, RefuseSettings, RouteSettings

SHOWN: Final = 5
"""Values of a list that are shown; of more, how many there are."""


def in_short(values: Collection[str]) -> str:
    """Return the values of a condition."""
    shown = [value or '""' for value in list(values)[:SHOWN]]
    more = len(values) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def destination_in_short(rule: RouteSettings | RefuseSettings) -> str:
    """Return the destination of a rule; empty for every number."""
    prefixes = ["any" if not one and len(rule.destination) > 1 else one for one in rule.destination]
    told = [in_short(prefixes)] if any(prefixes) else []
    return ", ".join([*told, *(f"prefixes {name}" for name in rule.groups)])


def rule_in_short(rule: RouteSettings | RefuseSettings) -> str:
    """Return for which messages a rule is: its prefixes, then its other conditions."""
    destination = destination_in_short(rule)
    if not destination and isinstance(rule, RouteSettings):
        destination = "every number"
    others = [f"{key} {values}" for key, values in conditions_in_short(rule)]
    return ", ".join([destination, *others] if destination else others) or "every number"


def senders_in_short(values: Collection[str], files: Iterable[ListFile]) -> str:
    """Return the senders of a rule; those in a file by its name."""
    told = [in_short(values)] if values else []
    return ", ".join([*told, *(f"in {file.file}" for file in files)])


def hours_in_short(rule: RouteSettings | RefuseSettings) -> str:
    """Return when a rule holds, with the time zone; empty where it always does."""
    words = [", ".join(map(str, rule.hours)), ", ".join(_spans(rule.days))]
    return " ".join([*filter(None, words), str(rule.zone or "UTC")]) if any(words) else ""


def _spans(days: Sequence[Day]) -> Iterator[str]:
    """Yield days, in the order of the week; those that follow each other as a span."""
    week = len(DAYS)
    numbers = {DAYS.index(day) for day in days}
    # A span may go over the end of the week: it begins where the day before is none of them.
    begins = sorted(one for one in numbers if (one - 1) % week not in numbers)
    for begin in begins:
        length = next(n for n in range(1, week + 1) if (begin + n) % week not in numbers)
        end = DAYS[(begin + length - 1) % week]
        yield DAYS[begin] if length == 1 else f"{DAYS[begin]}-{end}"
    if numbers and not begins:
        yield f"{DAYS[0]}-{DAYS[-1]}"


def conditions_in_short(rule: RouteSettings | RefuseSettings) -> Iterator[tuple[str, str]]:
    """Yield the conditions beside the destination: each key and its values."""
    if rule.account:
        yield "account", in_short(rule.account)
    if rule.sender or rule.sender_files:
        yield "sender", senders_in_short(rule.sender, rule.sender_files)
    if isinstance(rule, RouteSettings) and rule.priority is not None:
        yield "priority", str(rule.priority)
    if rule.service_type:
        yield "service_type", in_short(rule.service_type)
    if rule.country:
        yield "country", in_short(rule.country)
    if rule.network:
        yield "network", in_short(rule.network)
    if isinstance(rule, RefuseSettings) and rule.lane:
        yield "lane", in_short(rule.lane)
    if isinstance(rule, RouteSettings) and rule.in_lane:
        yield "in_lane", in_short(rule.in_lane)
    if hours := hours_in_short(rule):
        yield "hours", hours
