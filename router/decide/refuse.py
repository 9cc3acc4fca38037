"""The rules that refuse messages before any route is looked at: the first that holds decides.

A rule is found by one of its conditions: by sender, where it has senders, else by prefix, else by
account. Only what is so found is asked for its other conditions, and rules with none of those three
are asked always. So ten thousand senders cost no more per message than one, in one rule or in ten
thousand.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeVar

from router.decide.conditions import (
    HEAD_OCTETS,
    Conditions,
    asks_place,
    sender_key,
    senders_of,
    split_patterns,
)
from router.decide.prefixes import Groups, prefixes_of
from router.smpp.pdu import Sm
from router.terms.names import AccountName, LaneName
from router.terms.outcome import Refusal
from router.terms.place import NOWHERE, Place
from router.terms.prefix_lengths import HEAD_DIGITS, lengths_by_head
from router.terms.settings import RefuseSettings

MOST_SOURCES: Final = 10_000
"""Source addresses whose rules are remembered. Whoever has a new one for each message pays for the
look-up, a microsecond."""

Numbers = tuple[int, ...]
"""The numbers of rules, in their order."""
Key = TypeVar("Key")


class RefusingRule:
    """One rule, ready to be asked."""

    __slots__ = ("conditions", "prefixes", "refusal", "settings")

    def __init__(self, settings: RefuseSettings, groups: Groups) -> None:
        self.settings: Final = settings
        self.conditions: Final = Conditions(settings)
        self.prefixes: Final = frozenset(prefixes_of(settings, groups))
        """Empty: for every number."""
        self.refusal: Final = Refusal(settings.reason, settings.status)


class RefusingRules:
    """All of them, in their order."""

    def __init__(self, rules: Sequence[RefuseSettings], groups: Groups) -> None:
        self._rules: Final = [RefusingRule(rule, groups) for rule in rules]
        senders: dict[bytes, list[int]] = {}
        begins: dict[bytes, list[int]] = {}
        prefixes: dict[str, list[int]] = {}
        accounts: dict[AccountName, list[int]] = {}
        always: list[int] = []
        for number, rule in enumerate(self._rules):
            settings = rule.settings
            if settings.sender or settings.sender_files:
                whole, begin = split_patterns(senders_of(settings), in_any_form=True)
                _add(senders, whole, number)
                _add(begins, begin, number)
            elif rule.prefixes:
                _add(prefixes, rule.prefixes, number)
            elif settings.account:
                _add(accounts, settings.account, number)
            else:
                always.append(number)
        self._by_sender: Final = _frozen(senders)
        self._by_begin: Final = _frozen(begins)
        self._sender_heads, self._short_begins = lengths_by_head(begins, HEAD_OCTETS)
        self._by_prefix: Final = _frozen(prefixes)
        self._number_heads, self._short_prefixes = lengths_by_head(prefixes, HEAD_DIGITS)
        self._by_account: Final = _frozen(accounts)
        self._always: Final = tuple(always)
        self.asks_place: Final = any(map(asks_place, rules))
        """Whether one of them asks for the place of the number."""
        self._reads_sender: Final = bool(senders or begins)
        self._by_others: Final = bool(prefixes or accounts or always)
        self._of_source: dict[bytes, Numbers] = {}
        """The rules that name a sender, by source address as it came: a client has few."""

    def refusal(
        self,
        number: str,
        account: AccountName,
        lane: LaneName,
        sm: Sm,
        now_utc: float,
        place: Place = NOWHERE,
    ) -> Refusal | None:
        """Return the refusal of the first rule that holds; None if none does."""
        of_sender: Numbers = ()
        if self._reads_sender:
            source = sm.source_addr
            known = self._of_source.get(source)
            of_sender = self._look_up(source) if known is None else known
        if not of_sender and not self._by_others:
            return None
        for at in self._found(of_sender, number, account):
            rule = self._rules[at]
            if _fits(rule, number) and rule.conditions.hold(account, lane, sm, now_utc, place):
                return rule.refusal
        return None

    def explain(
        self,
        number: str,
        account: AccountName,
        lane: LaneName,
        sm: Sm,
        now_utc: float,
        place: Place = NOWHERE,
    ) -> list[tuple[RefuseSettings, str | None]]:
        """Return the rules that name the sender, the number or the account, or none of those.

        Each with why it does not hold; None for the one that refuses. Rules after that one are not
        looked at.
        """
        told: list[tuple[RefuseSettings, str | None]] = []
        of_sender = self._look_up(sm.source_addr)
        for at in self._found(of_sender, number, account):
            rule = self._rules[at]
            why = rule.conditions.why_not(account, lane, sm, now_utc, place)
            if why is None and not _fits(rule, number):
                why = "is for other numbers"
            told.append((rule.settings, why))
            if why is None:
                break
        return told

    def _look_up(self, source: bytes) -> Numbers:
        """Return the rules that name a sender, and remember them."""
        key = sender_key(source)
        found = {*self._by_sender.get(key, ())}
        for length in self._sender_heads.get(key[:HEAD_OCTETS], self._short_begins):
            found.update(self._by_begin.get(key[:length], ()))
        numbers = tuple(sorted(found))
        if len(self._of_source) >= MOST_SOURCES:
            self._of_source = {}
        self._of_source[source] = numbers
        return numbers

    def _found(self, of_sender: Numbers, number: str, account: AccountName) -> Numbers:
        """Return which rules are asked, in their order."""
        found = of_sender
        if self._by_prefix:
            for length in self._number_heads.get(number[:HEAD_DIGITS], self._short_prefixes):
                some = self._by_prefix.get(number[:length])
                if some is not None:
                    found = _in_order(found, some)
        if self._by_account:
            found = _in_order(found, self._by_account.get(account, ()))
        return _in_order(found, self._always)


def _in_order(some: Numbers, others: Numbers) -> Numbers:
    if not some or not others:  # As nearly always.
        return some or others
    return tuple(sorted({*some, *others}))


def _fits(rule: RefusingRule, number: str) -> bool:
    """Whether a number has one of the prefixes of a rule."""
    # The rule may have ten thousand, and the number has at most twenty beginnings.
    prefixes = rule.prefixes
    return not prefixes or any(number[:length] in prefixes for length in range(len(number) + 1))


def _add(found: dict[Key, list[int]], keys: Iterable[Key], number: int) -> None:
    for key in keys:
        numbers = found.setdefault(key, [])
        if not numbers or numbers[-1] != number:
            numbers.append(number)


def _frozen(found: Mapping[Key, list[int]]) -> Mapping[Key, Numbers]:
    """Return the numbers of rules by key; equal ones are one object."""
    same: dict[Numbers, Numbers] = {}
    return {key: same.setdefault(of := tuple(numbers), of) for key, numbers in found.items()}
