"""Finds the few rules that a message may fulfil among very many, in their order.

Each rule is found by one of its conditions: by that whose values the fewest other rules have too.
So ten thousand senders cost no more per message than one, in one rule or in as many, and so do ten
thousand numbers that one sender must not write to. A rule without any of these conditions is among
those that are found for every message.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, Generic, TypeVar

from router.decide.conditions import (
    HEAD_OCTETS,
    SendersKey,
    sender_key,
    senders_key,
    senders_of,
    split_patterns,
)
from router.smpp.pdu import Sm
from router.terms.names import AccountName
from router.terms.prefix_lengths import HEAD_DIGITS, lengths_by_head
from router.terms.settings import RefuseSettings, RouteSettings

MOST_SOURCES: Final = 10_000
"""Source addresses whose rules are remembered: a client has few. Whoever has a new one for each
message pays for the look-up, a microsecond."""

Numbers = tuple[int, ...]
"""The numbers of rules, in their order."""
Key = TypeVar("Key")


class _Table(Generic[Key]):
    """Numbers of rules by one value of theirs."""

    __slots__ = ("of",)

    def __init__(self) -> None:
        self.of: dict[Key, list[int]] = {}

    def add(self, keys: Iterable[Key], number: int) -> None:
        """Have a rule found by each of these values."""
        for key in keys:
            numbers = self.of.setdefault(key, [])
            if not numbers or numbers[-1] != number:
                numbers.append(number)

    def frozen(self) -> Mapping[Key, Numbers]:
        """Return the numbers by value; equal ones are one object."""
        same: dict[Numbers, Numbers] = {}
        return {key: same.setdefault(of := tuple(ones), of) for key, ones in self.of.items()}


class RuleIndex:
    """Which of some rules are to be asked about a message."""

    __slots__ = (
        "_always",
        "_begin_heads",
        "_by_account",
        "_by_begin",
        "_by_prefix",
        "_by_sender",
        "_by_service_type",
        "_finds_by_others",
        "_in_any_form",
        "_number_heads",
        "_of_source",
        "_reads_sender",
        "_short_begins",
        "_short_prefixes",
    )

    def __init__(
        self,
        rules: Sequence[RouteSettings | RefuseSettings],
        prefixes: Sequence[Collection[str]],
        *,
        in_any_form: bool,
    ) -> None:
        """`prefixes` are those of each rule, empty where they say nothing here."""
        self._in_any_form: Final = in_any_form
        senders, begins = _Table[bytes](), _Table[bytes]()
        by_prefix, accounts = _Table[str](), _Table[AccountName]()
        service_types, always = _Table[bytes](), list[int]()
        of_senders: dict[SendersKey, _Senders] = {}
        values = [
            _Values(rule, some, of_senders, in_any_form=in_any_form)
            for rule, some in zip(rules, prefixes, strict=True)
        ]
        often = _Often(values)
        for number, one in enumerate(values):
            match one.rarest(often):
                case "sender":
                    senders.add(one.senders.whole, number)
                    begins.add(one.senders.begins, number)
                case "prefix":
                    by_prefix.add(one.prefixes, number)
                case "account":
                    accounts.add(one.accounts, number)
                case "service_type":
                    service_types.add(one.service_types, number)
                case _:
                    always.append(number)
        self._by_sender: Final = senders.frozen()
        self._by_begin: Final = begins.frozen()
        self._begin_heads, self._short_begins = lengths_by_head(self._by_begin, HEAD_OCTETS)
        self._by_prefix: Final = by_prefix.frozen()
        self._number_heads, self._short_prefixes = lengths_by_head(self._by_prefix, HEAD_DIGITS)
        self._by_account: Final = accounts.frozen()
        self._by_service_type: Final = service_types.frozen()
        self._always: Final = tuple(always)
        self._reads_sender: Final = bool(self._by_sender or self._by_begin)
        self._finds_by_others: Final = bool(
            self._by_prefix or self._by_account or self._by_service_type or always
        )
        self._of_source: dict[bytes, Numbers] = {}

    def found(self, number: str, account: AccountName, sm: Sm) -> Numbers:
        """Return the numbers of the rules that are to be asked, in their order."""
        found: Numbers = ()
        if self._reads_sender:
            source = sm.source_addr
            known = self._of_source.get(source)
            found = self._look_up(source) if known is None else known
        if not self._finds_by_others:
            return found
        if self._by_prefix:
            for length in self._number_heads.get(number[:HEAD_DIGITS], self._short_prefixes):
                some = self._by_prefix.get(number[:length])
                if some is not None:
                    found = _in_order(found, some)
        if self._by_account:
            found = _in_order(found, self._by_account.get(account, ()))
        if self._by_service_type:
            found = _in_order(found, self._by_service_type.get(sm.service_type, ()))
        return _in_order(found, self._always)

    def _look_up(self, source: bytes) -> Numbers:
        """Return the rules that are found by a sender, and remember them."""
        key = sender_key(source) if self._in_any_form else source
        found = {*self._by_sender.get(key, ())}
        for length in self._begin_heads.get(key[:HEAD_OCTETS], self._short_begins):
            found.update(self._by_begin.get(key[:length], ()))
        numbers = tuple(sorted(found))
        if len(self._of_source) >= MOST_SOURCES:
            self._of_source = {}
        self._of_source[source] = numbers
        return numbers


class _Senders:
    """The senders of rules that have the same."""

    __slots__ = ("begins", "rules", "whole")

    def __init__(self, whole: Sequence[bytes], begins: Sequence[bytes]) -> None:
        self.whole: Final = whole
        self.begins: Final = begins
        self.rules = 0
        """How many rules have them."""


class _Values:
    """The values by which one rule can be found."""

    __slots__ = ("accounts", "prefixes", "senders", "service_types")

    def __init__(
        self,
        rule: RouteSettings | RefuseSettings,
        prefixes: Collection[str],
        of_senders: dict[SendersKey, _Senders],
        *,
        in_any_form: bool,
    ) -> None:
        key = senders_key(rule)
        if key not in of_senders:
            both = split_patterns(senders_of(rule), in_any_form=in_any_form)
            of_senders[key] = _Senders(*both)
        self.senders: Final = of_senders[key]
        self.senders.rules += 1
        self.prefixes: Final = prefixes
        self.accounts: Final = rule.account
        self.service_types: Final = [one.encode("latin-1") for one in rule.service_type]

    def rarest(self, often: "_Often") -> str | None:
        """Return the kind whose values the fewest rules have; None if the rule has none at all."""
        kinds = {
            "sender": often.senders(self.senders),
            "prefix": often.most("prefix", self.prefixes),
            "account": often.most("account", self.accounts),
            "service_type": often.most("service_type", self.service_types),
        }
        found = {kind: count for kind, count in kinds.items() if count}
        return min(found, key=lambda kind: found[kind]) if found else None


class _Often:
    """How many rules have each value. Lists that rules share are counted once for all of them."""

    __slots__ = ("_counts", "_known", "_senders")

    def __init__(self, values: Sequence[_Values]) -> None:
        self._counts: Final[Counter[tuple[str, object]]] = Counter()
        self._senders: Final[Counter[tuple[bool, bytes]]] = Counter()
        self._known: Final[dict[object, int]] = {}
        """The highest count among the values of a list, by the list."""
        shared: Counter[int] = Counter(id(one.prefixes) for one in values)
        lists = {id(one.prefixes): one.prefixes for one in values}
        for key, prefixes in lists.items():
            for prefix in prefixes:
                self._counts["prefix", prefix] += shared[key]
        for senders in {id(one.senders): one.senders for one in values}.values():
            for octets in senders.whole:
                self._senders[False, octets] += senders.rules
            for octets in senders.begins:
                self._senders[True, octets] += senders.rules
        for one in values:
            self._counts.update(("account", name) for name in one.accounts)
            self._counts.update(("service_type", word) for word in one.service_types)

    def most(self, kind: str, values: Collection[object]) -> int:
        """Return the count of the commonest of some values; 0 where there are none."""
        key = kind, id(values)
        if key not in self._known:
            counts = self._counts
            self._known[key] = max((counts[kind, value] for value in values), default=0)
        return self._known[key]

    def senders(self, some: _Senders) -> int:
        """Return the count of the commonest of some senders; 0 where there are none."""
        key = "sender", id(some)
        if key not in self._known:
            counts = self._senders
            whole = max((counts[False, one] for one in some.whole), default=0)
            begins = max((counts[True, one] for one in some.begins), default=0)
            self._known[key] = max(whole, begins)
        return self._known[key]


def _in_order(some: Numbers, others: Numbers) -> Numbers:
    if not some or not others:  # As nearly always.
        return some or others
    return tuple(sorted({*some, *others}))
