"""Warnings of senders in lists: those that end soon, have ended, or that no network carries.

No message quotes a sender: it may come from a file, or from the environment. The day is enough to
find it.
"""

from collections.abc import Iterator

from router.settings.mistakes import Mistake, warning_at
from router.smpp.senders import MONTH_S, kind_of, last_day, last_days, lists_of, split_until
from router.terms.settings import Settings


def sender_warnings(settings: Settings) -> Iterator[Mistake]:
    """Yield a warning for each list with senders of no kind."""
    for path, entries in lists_of(settings):
        senders = (split_until(one)[0] for one in entries)
        count = sum(kind_of(one.encode("latin-1")) is None for one in senders)
        if count:
            what = (
                f"{_senders(count)} of no kind: networks carry 3 to 15 digits, or at most 11 "
                "letters of the GSM alphabet"
            )
            yield warning_at(settings.places, f"{path}.only", what)


def ending_senders(settings: Settings, now_utc: float) -> Iterator[Mistake]:
    """Yield a warning for each list with senders that end within a month, or ended within one."""
    for path, entries in lists_of(settings):
        ends = last_days(entries)
        over = {at: count for at, count in ends.items() if now_utc - MONTH_S <= at <= now_utc}
        soon = {at: count for at, count in ends.items() if now_utc < at <= now_utc + MONTH_S}
        if over:
            what = f"{_senders(sum(over.values()))} held until {last_day(max(over))} or before"
            yield warning_at(settings.places, f"{path}.only", f"{what}, and can be used no more")
        if soon:
            count = sum(soon.values())
            holds = "holds" if count == 1 else "hold"
            what = f"{_senders(count)} {holds} until {last_day(min(soon))} or soon after"
            yield warning_at(settings.places, f"{path}.only", f"{what}, and then no more (UTC)")


def _senders(count: int) -> str:
    return f"{count} sender{'' if count == 1 else 's'}"
