"""The conditions of a rule: all must hold, and of the values of one condition any."""

from collections.abc import Iterable
from typing import Final

from router.decide.hours import Hours
from router.decide.words import hours_in_short, in_short, senders_in_short
from router.smpp.numbers import digits_of
from router.smpp.pdu import Sm
from router.terms.names import AccountName, LaneName
from router.terms.place import Place
from router.terms.prefix_lengths import lengths_by_head
from router.terms.settings import RefuseSettings, RouteSettings

ANY_END: Final = "*"
"""Ends a pattern, which stands for whatever begins so."""
_SMALL: Final = bytes(range(256)).decode("latin-1").lower().encode("latin-1")
"""Each octet as a small letter."""
HEAD_OCTETS: Final = 3
"""First octets of a sender that tell which patterns may fit it."""


def sender_key(source: bytes) -> bytes:
    """Return a source address as rules that refuse compare it.

    Without spaces around it. A number is its digits, without `+` or `00`; any other is in small
    letters, those of Latin-1 too.
    """
    source = source.strip(b" ")
    return digits_of(source) or source.translate(_SMALL)


def split_patterns(values: Iterable[str], *, in_any_form: bool) -> tuple[list[bytes], list[bytes]]:
    """Return the whole source addresses among values, and the beginnings of others.

    With `in_any_form` as `sender_key`s.
    """
    whole: list[bytes] = []
    begins: list[bytes] = []
    for value in values:
        octets = value.removesuffix(ANY_END).encode("latin-1")
        (begins if value.endswith(ANY_END) else whole).append(
            sender_key(octets) if in_any_form else octets
        )
    return whole, begins


def senders_of(rule: RouteSettings | RefuseSettings) -> Iterable[str]:
    """Yield the senders that a rule names, those in files too."""
    yield from rule.sender
    for file in rule.sender_files:
        yield from file.values


def lanes_of(rule: RouteSettings | RefuseSettings) -> tuple[LaneName, ...]:
    """Return the lanes of messages that a rule is for; none: all."""
    return rule.in_lane if isinstance(rule, RouteSettings) else rule.lane


def asks_place(rule: RouteSettings | RefuseSettings) -> bool:
    """Return whether a rule asks for the place of the number."""
    return bool(rule.country or rule.network)


SendersKey = tuple[tuple[str, ...], tuple[int, ...]]


def senders_key(rule: RouteSettings | RefuseSettings) -> SendersKey:
    """Return what is equal for rules with the same senders.

    A file is read once, so that its values are one object for all rules that name it.
    """
    return rule.sender, tuple(id(file.values) for file in rule.sender_files)


class Senders:
    """Source addresses and beginnings of them; 10,000 cost no more to ask than one."""

    __slots__ = ("_begins", "_heads", "_in_any_form", "_short", "_whole")

    def __init__(self, values: Iterable[str], *, in_any_form: bool) -> None:
        whole, begins = split_patterns(values, in_any_form=in_any_form)
        self._in_any_form: Final = in_any_form
        self._whole: Final = frozenset(whole)
        self._begins: Final = frozenset(begins)
        self._heads, self._short = lengths_by_head(self._begins, HEAD_OCTETS)

    def have(self, source: bytes) -> bool:
        """Return whether a source address is one of them."""
        if self._in_any_form:
            source = sender_key(source)
        if source in self._whole:
            return True
        if self._begins:
            for length in self._heads.get(source[:HEAD_OCTETS], self._short):
                if source[:length] in self._begins:
                    return True
        return False


class Conditions:
    """What must hold of a message beside its destination."""

    __slots__ = (
        "_accounts",
        "_countries",
        "_hours",
        "_lanes",
        "_looks_closer",
        "_networks",
        "_priority",
        "_rule",
        "_senders",
        "_service_types",
    )

    def __init__(
        self, rule: RouteSettings | RefuseSettings, shared: "dict[SendersKey, Senders]"
    ) -> None:
        """`shared` has the senders of other rules: many may name one file with 100,000."""
        is_route = isinstance(rule, RouteSettings)
        self._rule: Final = rule
        self._accounts: Final = frozenset(rule.account)
        self._senders: Senders | None = None
        if rule.sender or rule.sender_files:
            key = senders_key(rule)
            if key not in shared:
                shared[key] = Senders(senders_of(rule), in_any_form=not is_route)
            self._senders = shared[key]
        self._priority: Final = rule.priority if isinstance(rule, RouteSettings) else None
        self._service_types: Final = frozenset(one.encode("latin-1") for one in rule.service_type)
        self._lanes: Final = lanes_of(rule)
        self._countries: Final = frozenset(rule.country)
        self._networks: Final = frozenset(rule.network)
        has_hours = rule.hours or rule.days
        self._hours: Final = Hours(rule.hours, rule.days, rule.zone) if has_hours else None
        self._looks_closer: Final = bool(
            self._senders
            or self._service_types
            or self._lanes
            or self._priority is not None
            or asks_place(rule)
        )

    def __bool__(self) -> bool:
        """Whether there are any, so that the rule holds for some messages only."""
        return self._looks_closer or bool(self._accounts or self._hours)

    def hold(
        self, account: AccountName, lane: LaneName, sm: Sm, now_utc: float, place: Place
    ) -> bool:
        """Return whether all of them hold for a message that is accepted now.

        `lane` is that of the message before any route, and `place` that of its number.
        """
        if self._accounts and account not in self._accounts:
            return False
        if self._looks_closer and not self._hold_of(sm, lane, place):
            return False
        hours = self._hours
        if hours is None:
            return True
        since, until, holds = hours.known  # Here, because a call would cost more than the answer.
        return holds if since <= now_utc < until else hours.hold(now_utc)

    def _hold_of(self, sm: Sm, lane: LaneName, place: Place) -> bool:
        """Return whether the conditions hold that few rules have."""
        return (
            (self._senders is None or self._senders.have(sm.source_addr))
            and (self._priority is None or self._priority == sm.priority_flag)
            and (not self._service_types or sm.service_type in self._service_types)
            and (not self._lanes or lane in self._lanes)
            and (not self._countries or place.country in self._countries)
            and (not self._networks or place.network in self._networks)
        )

    def name_sender(self, sm: Sm) -> bool:
        """Return whether one of them is about this sender."""
        return self._senders is not None and self._senders.have(sm.source_addr)

    def why_not(
        self, account: AccountName, lane: LaneName, sm: Sm, now_utc: float, place: Place
    ) -> str | None:
        """Return in words which of them does not hold; None if all do."""
        rule = self._rule
        if self._accounts and account not in self._accounts:
            return f"is for account {in_short(rule.account)}"
        if self._senders is not None and not self._senders.have(sm.source_addr):
            return f"is for sender {senders_in_short(rule.sender, rule.sender_files)}"
        if self._priority is not None and self._priority != sm.priority_flag:
            return f"is for priority_flag {self._priority}"
        if self._service_types and sm.service_type not in self._service_types:
            return f"is for service_type {in_short(rule.service_type)}"
        if self._countries and place.country not in self._countries:
            return f"is for country {in_short(rule.country)}"
        if self._networks and place.network not in self._networks:
            return f"is for network {in_short(rule.network)}"
        if self._lanes and lane not in self._lanes:
            return f"is for lane {in_short(lanes_of(rule))}"
        if self._hours is not None and not self._hours.hold(now_utc):
            return f"holds {hours_in_short(rule)}"
        return None
